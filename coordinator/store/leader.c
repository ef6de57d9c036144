#include "coordinator/store/leader.h"
#include "common/base/mem.h"
#include "common/io/clock.h"
#include "coordinator/store/pg.h"
#include "coordinator/store/pg_list.h"
#include "coordinator/store/store_call.h"
#include <string.h>

enum { READ_MS = 100, RETRY_MIN_MS = 50, RETRY_MAX_MS = 500, ANSWER_MS = 3000, STEP_DOWN_MS = 1000, TEXT_MAX = 256 };

/* What the statement that is under way was for. */
enum asked { ASKED_NOTHING, ASKED_WATCH, ASKED_TAKE, ASKED_BEAT };

struct leader {
	struct pg *pg;
	enum leader_state state;
	uint64_t term;
	char url[TEXT_MAX], endpoint[TEXT_MAX], holder[TEXT_MAX];
	bool standby, saw_leader;

	enum asked asked;
	uint64_t asked_ms, next_ms; /* when the next statement is due */
	uint64_t retry_ms;          /* back-off of connecting */
	uint64_t last_beat_ms;

	/* What a standby saw: the same beat, over how long. */
	struct leader_view view;
	char view_url[TEXT_MAX], view_endpoint[TEXT_MAX], view_holder[TEXT_MAX];
	int64_t beat_no;
	bool watching, free_to_take;
	uint64_t same_since_ms;

	struct pg_params params;
	struct error error;
};

static void keep(char out[TEXT_MAX], struct str s)
{
	size_t n = MIN_OF(s.len, (size_t)TEXT_MAX - 1); /* a URL is shorter; a cut one only fails to help */
	if (n)
		memcpy(out, s.data, n);
	out[n] = '\0';
}

enum err_code leader_new(const struct leader_settings *settings, struct leader **ret_leader, struct error *reterr)
{
	struct leader *l = mem_try_new(1, sizeof(*l));
	if (!l)
		return error_set(reterr, ERR_NOMEM, "leadership");
	keep(l->url, settings->url);
	keep(l->endpoint, settings->endpoint);
	keep(l->holder, settings->holder);
	l->standby = settings->standby;
	pg_params_init(&l->params);
	struct pg_settings ps = { .dsn = settings->store.dsn,
		                  .application_name = "assay-leader",
		                  .connect_timeout_ms = settings->store.connect_timeout_ms,
		                  .statement_timeout_ms = ANSWER_MS,
		                  .idle_in_transaction_ms = ANSWER_MS,
		                  .read_write = true };
	enum err_code err = pg_new(&ps, &l->pg, reterr);
	if (err)
		leader_free(l);
	else
		*ret_leader = l;
	return err;
}

void leader_free(struct leader *l)
{
	if (!l)
		return;
	pg_free(l->pg);
	pg_params_done(&l->params);
	mem_free(l);
}

/* A read that failed starts the watch anew: silence must be the leader's, not ours. */
static void failed(struct leader *l, uint64_t now_ms)
{
	l->watching = false;
	l->asked = ASKED_NOTHING;
	l->retry_ms = l->retry_ms ? MIN_OF(l->retry_ms * 2, (uint64_t)RETRY_MAX_MS) : RETRY_MIN_MS;
	l->next_ms = now_ms + l->retry_ms;
	if (l->state == LEADER_STANDBY)
		l->state = LEADER_AWAY;
}

/* ---- statements ---- */

static enum err_code ask(struct leader *l, const struct pg_statement *statement, enum asked what, uint64_t now_ms)
{
	enum err_code err = pg_queue(l->pg, statement, &l->params, &l->error);
	if (!err)
		err = pg_submit(l->pg, &l->error);
	if (err)
		return err;
	l->asked = what;
	l->asked_ms = now_ms;
	return ERR_OK;
}

#define TIMELINE "left(pg_walfile_name(pg_current_wal_lsn()), 8), (SELECT system_identifier FROM pg_control_system())"

static enum err_code ask_watch(struct leader *l, uint64_t now_ms)
{
	static const struct pg_statement statement = {
		"leader_watch",
		"SELECT l.term, coalesce(b.beat_no, -1), coalesce(b.stepped_down, true), b.url, b.endpoint,"
		" b.holder, assay.ms(b.seen_at), " TIMELINE
		" FROM assay.leader l LEFT JOIN assay.leader_beat b USING (term)"
	};
	pg_params_clear(&l->params);
	return ask(l, &statement, ASKED_WATCH, now_ms);
}

static enum err_code ask_take(struct leader *l, uint64_t now_ms)
{
	/* Sessions of older terms end first; then the row says so. The update waits for statements that hold the old
	 * term FOR SHARE: when it returns, none of them can commit any more without having seen it. */
	static const struct pg_statement end_old = {
		"leader_end_old",
		"SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database()"
		" AND pid <> pg_backend_pid() AND application_name ~ '^assay/[0-9]{1,18}$'"
		" AND substr(application_name, 7)::int8 <= $1::int8"
	};
	static const struct pg_statement take = {
		"leader_take",
		"WITH up AS (UPDATE assay.leader SET term = term + 1 WHERE term = $1::int8 RETURNING term)"
		" INSERT INTO assay.leader_beat (term, seen_at, url, endpoint, holder)"
		" SELECT term, clock_timestamp(), $2::text, $3::text, $4::text FROM up RETURNING term, "
		"assay.ms(seen_at)"
	};
	pg_params_clear(&l->params);
	pg_params_i64(&l->params, (int64_t)l->view.term);
	enum err_code err = pg_queue(l->pg, &end_old, &l->params, &l->error);
	pg_params_text(&l->params, str_from(l->url));
	pg_params_text(&l->params, str_from(l->endpoint));
	pg_params_text(&l->params, str_from(l->holder));
	return err ? err : ask(l, &take, ASKED_TAKE, now_ms);
}

static enum err_code ask_beat(struct leader *l, uint64_t now_ms)
{
	static const struct pg_statement statement = {
		"leader_beat",
		"WITH up AS (UPDATE assay.leader_beat SET seen_at = clock_timestamp(), beat_no = beat_no + 1"
		"  WHERE term = $1::int8 AND EXISTS (SELECT FROM assay.leader WHERE term = $1::int8) RETURNING seen_at)"
		" SELECT (SELECT assay.ms(seen_at) FROM up), l.term, b.url, b.endpoint, b.holder, " TIMELINE
		" FROM assay.leader l LEFT JOIN assay.leader_beat b USING (term)"
	};
	pg_params_clear(&l->params);
	pg_params_i64(&l->params, (int64_t)l->term);
	return ask(l, &statement, ASKED_BEAT, now_ms);
}

/* ---- answers ---- */

static void see_holder(struct leader *l, size_t url_column)
{
	keep(l->view_url, pg_bytes(l->pg, 0, 0, url_column));
	keep(l->view_endpoint, pg_bytes(l->pg, 0, 0, url_column + 1));
	keep(l->view_holder, pg_bytes(l->pg, 0, 0, url_column + 2));
}

static void on_watch(struct leader *l, uint64_t now_ms)
{
	if (pg_rows(l->pg, 0) != 1) {
		(void)error_set(&l->error, ERR_CORRUPT, "assay.leader has no row");
		failed(l, now_ms);
		return;
	}
	uint64_t term = (uint64_t)pg_i64(l->pg, 0, 0, 0);
	int64_t beat_no = pg_i64(l->pg, 0, 0, 1);
	bool same = l->watching && l->view.term == term && l->beat_no == beat_no;
	bool free_now = pg_bool(l->pg, 0, 0, 2);
	see_holder(l, 3);
	l->view.term = term;
	l->view.seen_at_ms = pg_i64(l->pg, 0, 0, 6);
	l->view.timeline = store_timeline((uint64_t)pg_i64(l->pg, 0, 0, 8), pg_bytes(l->pg, 0, 0, 7));
	l->beat_no = beat_no;
	l->saw_leader = l->saw_leader || !free_now;
	if (!same)
		l->same_since_ms = l->asked_ms;
	l->watching = true;
	l->state = LEADER_STANDBY;
	/* Old by our own clock, from the question of the first read to the question of this one. */
	uint64_t old_at_ms = l->same_since_ms + LEADER_WATCH_MS;
	l->free_to_take = l->asked_ms >= old_at_ms || (free_now && (!l->standby || l->saw_leader));
	l->next_ms = l->free_to_take ? now_ms : MIN_OF(now_ms + READ_MS, MAX_OF(old_at_ms, now_ms + 1));
}

static void on_take(struct leader *l, uint64_t now_ms)
{
	l->free_to_take = l->watching = false;
	l->next_ms = now_ms;
	if (pg_rows(l->pg, 1) != 1)
		return; /* another candidate was first: watch it */
	l->term = (uint64_t)pg_i64(l->pg, 1, 0, 0);
	l->view.term = l->term;
	l->view.seen_at_ms = pg_i64(l->pg, 1, 0, 1);
	memcpy(l->view_url, l->url, sizeof(l->url));
	memcpy(l->view_endpoint, l->endpoint, sizeof(l->endpoint));
	memcpy(l->view_holder, l->holder, sizeof(l->holder));
	l->state = LEADER_LEADS;
	l->last_beat_ms = l->asked_ms;
	l->next_ms = now_ms + LEADER_BEAT_MS;
}

static void on_beat(struct leader *l, uint64_t now_ms)
{
	bool written = pg_rows(l->pg, 0) == 1 && !pg_is_null(l->pg, 0, 0, 0);
	if (!written) {
		if (pg_rows(l->pg, 0) == 1)
			see_holder(l, 2);
		(void)error_set(&l->error, ERR_CONFLICT, "term %llu is over: another coordinator leads",
		                (unsigned long long)l->term);
		l->state = LEADER_OVER;
		return;
	}
	l->view.seen_at_ms = pg_i64(l->pg, 0, 0, 0);
	l->view.timeline = store_timeline((uint64_t)pg_i64(l->pg, 0, 0, 6), pg_bytes(l->pg, 0, 0, 5));
	l->last_beat_ms = l->asked_ms;
	l->next_ms = MAX_OF(now_ms, l->asked_ms + LEADER_BEAT_MS);
}

static void on_answer(struct leader *l, uint64_t now_ms)
{
	enum asked asked = l->asked;
	l->asked = ASKED_NOTHING;
	if (pg_outcome(l->pg, &l->error) != ERR_OK) {
		if (strncmp(pg_sqlstate(l->pg), "25", 2) == 0)
			pg_close(l->pg); /* a server that has become a standby: find the one that is none */
		failed(l, now_ms);
		return;
	}
	l->retry_ms = 0;
	l->error.text[0] = '\0';
	if (asked == ASKED_WATCH)
		on_watch(l, now_ms);
	else if (asked == ASKED_TAKE)
		on_take(l, now_ms);
	else if (asked == ASKED_BEAT)
		on_beat(l, now_ms);
}

/* ---- the machine ---- */

static enum err_code next_question(struct leader *l, uint64_t now_ms)
{
	if (now_ms < l->next_ms)
		return ERR_OK;
	if (l->state == LEADER_LEADS)
		return ask_beat(l, now_ms);
	return l->watching && l->free_to_take ? ask_take(l, now_ms) : ask_watch(l, now_ms);
}

static enum err_code move(struct leader *l, uint64_t now_ms)
{
	switch (pg_state(l->pg)) {
	case PG_CLOSED:
		return now_ms < l->next_ms ? ERR_OK : pg_connect_start(l->pg, now_ms, &l->error);
	case PG_CONNECTING:
		return pg_step(l->pg, now_ms, &l->error);
	case PG_READY:
	case PG_DONE:
		if (l->asked == ASKED_NOTHING) {
			enum err_code gone = pg_step(l->pg, now_ms, &l->error);
			return gone ? gone : next_question(l, now_ms);
		}
		on_answer(l, now_ms); /* it was there as soon as the question had gone out */
		return ERR_OK;
	case PG_BUSY:
		break;
	}
	enum err_code err = pg_step(l->pg, now_ms, &l->error);
	if (err)
		return err;
	if (pg_state(l->pg) == PG_DONE) {
		on_answer(l, now_ms);
		return ERR_OK;
	}
	if (now_ms - l->asked_ms < ANSWER_MS)
		return ERR_OK;
	pg_close(l->pg); /* a server that is stopped answers nothing, not even an error */
	return error_set(&l->error, ERR_TIMEOUT, "the database did not answer within %d ms", ANSWER_MS);
}

enum leader_state leader_step(struct leader *l, uint64_t now_ms)
{
	for (int turns = 0; turns < 8 && l->state != LEADER_OVER; turns++) {
		enum pg_state before = pg_state(l->pg);
		enum asked asked = l->asked;
		if (move(l, now_ms) != ERR_OK) {
			if (l->state == LEADER_LEADS && before != PG_CLOSED && before != PG_CONNECTING)
				l->retry_ms = 0; /* the first attempt to come back is at once */
			failed(l, now_ms);
			break;
		}
		if (pg_state(l->pg) == before && l->asked == asked)
			break;
	}
	return l->state;
}

enum leader_state leader_state(const struct leader *l)
{
	return l->state;
}

uint64_t leader_term(const struct leader *l)
{
	return l->term;
}

struct leader_view leader_view(const struct leader *l)
{
	struct leader_view v = l->view;
	v.url = str_from(l->view_url);
	v.endpoint = str_from(l->view_endpoint);
	v.holder = str_from(l->view_holder);
	return v;
}

const char *leader_error(const struct leader *l)
{
	return l->error.text;
}

uint64_t leader_last_beat_ms(const struct leader *l)
{
	return l->last_beat_ms;
}

uint64_t leader_next_deadline_ms(const struct leader *l)
{
	if (l->state == LEADER_OVER)
		return UINT64_MAX;
	if (pg_state(l->pg) == PG_BUSY)
		return l->asked_ms + ANSWER_MS;
	if (pg_state(l->pg) == PG_CONNECTING)
		return pg_next_deadline_ms(l->pg);
	return l->next_ms;
}

int leader_fd(const struct leader *l)
{
	return pg_fd(l->pg);
}

short leader_events(const struct leader *l)
{
	return pg_events(l->pg);
}

void leader_wait(const struct leader *l, int wake_fd, uint64_t now_ms)
{
	uint64_t due = leader_next_deadline_ms(l);
	int timeout_ms = due == UINT64_MAX ? -1 : due <= now_ms ? 0 : (int)MIN_OF(due - now_ms, (uint64_t)60000);
	pg_wait(l->pg, wake_fd, timeout_ms);
}

void leader_lost(struct leader *l)
{
	if (l->state == LEADER_LEADS)
		(void)error_set(&l->error, ERR_CONFLICT, "term %llu is over: a writer was told so",
		                (unsigned long long)l->term);
	l->state = LEADER_OVER;
}

void leader_step_down(struct leader *l)
{
	static const struct pg_statement statement = {
		"leader_step_down", "UPDATE assay.leader_beat SET stepped_down = true WHERE term = $1::int8"
	};
	uint64_t until_ms = clock_now_ms() + STEP_DOWN_MS;
	bool led = l->state == LEADER_LEADS;
	while (led && pg_state(l->pg) == PG_BUSY && clock_now_ms() < until_ms) {
		if (pg_step(l->pg, clock_now_ms(), NULL) != ERR_OK)
			break;
		pg_wait(l->pg, -1, 10);
	}
	pg_params_clear(&l->params);
	pg_params_i64(&l->params, (int64_t)l->term);
	if (led && (pg_state(l->pg) == PG_READY || pg_state(l->pg) == PG_DONE))
		(void)!pg_exec(l->pg, &statement, &l->params, STEP_DOWN_MS, NULL); /* or else a standby waits */
	l->state = LEADER_OVER;
}
