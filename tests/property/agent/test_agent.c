/* Goal: whatever the coordinator, the net threads and the outbox do, and in whatever order, the agent keeps its slots,
 * its licence, its window and its word: every sample ends exactly once, every record arrives. */
#include "common/base/map.h"
#include "common/base/mem.h"
#include "common/wire/frame.h"
#include "tests/support/cmocka_all.h"
#include "tests/support/gen.h"
#include "worker/agent/agent.h"

enum { ROUTES = 3, NETS = 2, SLOTS = 5, STEPS = 600, WINDOW_FRAMES = 3, WINDOW_BYTES = 4000 };

enum fate { HELD, ASKING, WAITING, SCORING, REPORTED, ENDED };

struct sample { /* what is true of one sample, in the simplest words */
	enum fate fate;
	uint32_t route, net;
	uint64_t wait_until_ms, lease_n, record_no;
	uint32_t index;
	bool alone, cancelled;
	bool let_go; /* waited to ask again and was cancelled */
};

struct kept_record {
	size_t bytes;
	uint64_t sample_id;
	bool ends, committed, ever_sent;
};

struct sent_frame {
	uint64_t record_nos[WIRE_RESULTS_RECORDS_MAX];
	size_t count;
	bool open;
};

struct world {
	struct rng *rng;
	struct agent *agent;
	struct agent_actions out;
	uint64_t now_ms;
	uint32_t main_conn, hello_conn; /* 0: none */
	bool opening, up, calm, outbox_full;
	uint64_t session, term;
	uint64_t renew_sent_ms[4096], renew_no, renew_answered, hello_ms, licence_ms;
	uint32_t slots[ROUTES];
	uint64_t pause_ms[ROUTES];
	uint64_t frame_no, lease_n, record_no;
	struct map samples; /* sample id -> struct sample */
	struct map serials; /* lease n -> serial, learnt from START and CANCEL */
	struct map records; /* record_no -> struct kept_record */
	struct sent_frame frames[64];
	uint64_t started, ended;
	bool saw_reopen;
};

#define FAIL(w, ...)                                                                                                   \
	(print_error("seed %llu at %llu ms: ", (unsigned long long)gen_seed(), (unsigned long long)(w)->now_ms),       \
	 print_error(__VA_ARGS__), print_error("\n"), fail())

static struct sample *sample_of(struct world *w, uint64_t id)
{
	struct sample *s = map_get_u64(&w->samples, id);
	if (!s)
		FAIL(w, "no such sample %llx", (unsigned long long)id);
	return s;
}

static uint32_t count_fate(struct world *w, enum fate fate, uint32_t route)
{
	struct sample *s;
	uint32_t n = 0;
	for (size_t at = 0; (s = map_next_u64(&w->samples, &at, NULL)) != NULL;)
		n += s->fate == fate && (route == UINT32_MAX || s->route == route);
	return n;
}

static bool alone_runs(struct world *w)
{
	struct sample *s;
	for (size_t at = 0; (s = map_next_u64(&w->samples, &at, NULL)) != NULL;)
		if (s->alone && (s->fate == ASKING || s->fate == SCORING))
			return true;
	return false;
}

/* ---- what the agent does, held against the rules ---- */

static void check_start(struct world *w, uint64_t id, bool is_fresh)
{
	struct sample *s = sample_of(w, id);
	if (s->fate != (is_fresh ? HELD : WAITING) || s->cancelled)
		FAIL(w, "sample %llx is started in state %d", (unsigned long long)id, s->fate);
	if (!is_fresh && w->now_ms < s->wait_until_ms)
		FAIL(w, "sample %llx is asked before its wait is over", (unsigned long long)id);
	if (w->now_ms >= w->licence_ms)
		FAIL(w, "started %llu ms after the licence", (unsigned long long)(w->now_ms - w->licence_ms));
	if (w->outbox_full)
		FAIL(w, "started with an outbox that is full");
	if (w->now_ms < w->pause_ms[s->route])
		FAIL(w, "started on a paused route");
	if (alone_runs(w) || (s->alone && count_fate(w, ASKING, UINT32_MAX) + count_fate(w, SCORING, UINT32_MAX) > 0))
		FAIL(w, "an alone sample is not alone");
	s->fate = ASKING;
	w->started++;
	if (count_fate(w, ASKING, UINT32_MAX) > SLOTS || count_fate(w, ASKING, s->route) > w->slots[s->route])
		FAIL(w, "more asks than slots");
}

static void on_cancel(struct world *w, uint64_t id)
{
	struct sample *s = sample_of(w, id);
	if (s->fate == WAITING) {
		s->fate = ENDED;
		s->let_go = true; /* its last ask has ended and was reported: it may be released, without an ask */
	} else if (s->fate == ASKING)
		s->cancelled = true;
	else
		FAIL(w, "a sample in state %d is cancelled", s->fate);
}

static void on_released(struct world *w, const struct msg_released *m)
{
	for (size_t i = 0; i < m->sample_count; i++) {
		struct sample *s;
		bool found = false;
		for (size_t at = 0; (s = map_next_u64(&w->samples, &at, NULL)) != NULL;) {
			if (s->lease_n != m->number.n || s->index != m->samples[i].index)
				continue;
			found = true;
			if (s->fate != HELD && !s->let_go)
				FAIL(w, "a sample in state %d is released", s->fate);
			if (m->samples[i].ask_id != 0)
				FAIL(w, "a sample is released with an ask that was reported, state %d", s->fate);
			s->fate = ENDED;
			s->let_go = false;
		}
		assert_true(found);
	}
}

static void on_results(struct world *w, const struct msg_results *m)
{
	size_t open_count = 0, bytes = 0, frame_bytes = 0;
	struct sent_frame *free_frame = NULL;
	bool is_again = false;
	for (size_t i = 0; i < m->record_count; i++) {
		struct kept_record *r = map_get_u64(&w->records, m->records[i].record_no);
		if (!r)
			FAIL(w, "a record that was never kept is sent");
		if (r->committed)
			FAIL(w, "record %llu is sent though it was committed",
			     (unsigned long long)m->records[i].record_no);
		is_again |= r->ever_sent;
		r->ever_sent = true;
		frame_bytes += r->bytes;
	}
	for (size_t i = 0; i < ARRAY_LEN(w->frames); i++) {
		struct sent_frame *f = &w->frames[i];
		size_t left = 0, room = 0; /* a frame keeps its room until all of it is committed */
		for (size_t j = 0; f->open && j < f->count; j++) {
			struct kept_record *r = map_get_u64(&w->records, f->record_nos[j]);
			left += !r->committed;
			room += r->bytes;
			if (f->record_nos[j] == m->records[0].record_no) {
				left = 0; /* sent again: it takes its own place */
				break;
			}
		}
		f->open = f->open && left > 0;
		bytes += f->open ? room : 0;
		open_count += f->open;
		if (!f->open)
			free_frame = f;
	}
	if (open_count + 1 > WINDOW_FRAMES)
		FAIL(w, "%zu frames unacknowledged", open_count + 1);
	if (open_count > 0 && !is_again && bytes + frame_bytes > WINDOW_BYTES)
		FAIL(w, "%zu bytes unacknowledged", bytes + frame_bytes);
	assert_non_null(free_frame);
	free_frame->open = true;
	free_frame->count = m->record_count;
	for (size_t i = 0; i < m->record_count; i++)
		free_frame->record_nos[i] = m->records[i].record_no;
}

static void on_send(struct world *w, const struct agent_action *a)
{
	const struct msg *m = a->send.msg;
	struct buf bytes;
	struct error error;
	buf_init(&bytes, WIRE_FRAME_BYTES_MAX);
	assert_ok(frame_encode(m, &bytes, &error), &error); /* whatever it says can be said */
	buf_done(&bytes);
	if (a->send.conn != w->main_conn)
		FAIL(w, "a frame on connection %u", a->send.conn);
	switch (m->kind) {
	case MSG_HELLO:
		w->session = m->hello.session;
		w->hello_conn = a->send.conn;
		w->hello_ms = w->now_ms;
		memset(w->frames, 0, sizeof(w->frames));
		return;
	case MSG_RENEW:
		assert_int_equal(m->renew.renew_no, w->renew_no + 1);
		w->renew_no++;
		w->renew_sent_ms[w->renew_no % ARRAY_LEN(w->renew_sent_ms)] = w->now_ms;
		return;
	case MSG_RESULTS:
		on_results(w, &m->results);
		return;
	case MSG_RELEASED:
		on_released(w, &m->released);
		return;
	default:
		FAIL(w, "a frame of kind %d", m->kind);
	}
}

static void lose_connection(struct world *w)
{
	w->main_conn = w->hello_conn = 0;
	w->up = w->opening = false;
}

static void carry_out(struct world *w)
{
	for (size_t i = 0; i < w->out.len; i++) {
		const struct agent_action *a = &w->out.items[i];
		switch (a->kind) {
		case AGENT_DO_OPEN:
			w->main_conn = a->open.conn;
			w->opening = true;
			break;
		case AGENT_DO_CLOSE:
			if (a->close.conn == w->main_conn)
				lose_connection(w);
			break;
		case AGENT_DO_SEND:
			on_send(w, a);
			break;
		case AGENT_DO_START:
			check_start(w, a->start.sample_id, true);
			sample_of(w, a->start.sample_id)->net = a->start.net;
			break;
		case AGENT_DO_RESUME:
			check_start(w, a->start.sample_id, false);
			break;
		case AGENT_DO_CANCEL:
			on_cancel(w, a->start.sample_id);
			break;
		case AGENT_DO_REOPEN:
			w->saw_reopen = true;
			break;
		default:
			break;
		}
	}
	agent_actions_clear(&w->out);
}

static void turn(struct world *w)
{
	agent_turn(w->agent, w->now_ms, NULL, &w->out);
	carry_out(w);
	if (agent_next_deadline_ms(w->agent) <= w->now_ms) { /* one more turn may be due at once, never endless ones */
		agent_turn(w->agent, w->now_ms, NULL, &w->out);
		carry_out(w);
	}
	if (agent_next_deadline_ms(w->agent) <= w->now_ms)
		FAIL(w, "the agent asks for a turn again and again");
}

static void feed(struct world *w, struct agent_event ev)
{
	ev.now_ms = w->now_ms;
	agent_step(w->agent, &ev, &w->out);
	carry_out(w);
}

static void frame(struct world *w, struct msg m)
{
	m.session = w->session;
	struct agent_event ev = { .kind = AGENT_EV_FRAME };
	ev.frame.conn = w->main_conn;
	ev.frame.msg = &m;
	feed(w, ev);
}

/* ---- what the world does ---- */

static void open_or_welcome(struct world *w)
{
	if (w->opening) {
		w->opening = false;
		feed(w, (struct agent_event){ .kind = AGENT_EV_OPENED, .conn = w->main_conn });
	} else if (w->hello_conn != 0 && !w->up) {
		w->term += gen_chance(w->rng, 20);
		w->up = true;
		w->renew_no = w->renew_answered = 0;
		w->licence_ms = w->hello_ms + 3000;
		frame(w, (struct msg){ .kind = MSG_WELCOME,
		                       .welcome = { .version = 1,
		                                    .term = w->term,
		                                    .timeline = 1,
		                                    .session = w->session,
		                                    .renew_ms = 1000,
		                                    .lease_ms = 3000,
		                                    .resend_ms = 5000,
		                                    .window_frames = WINDOW_FRAMES,
		                                    .window_bytes = WINDOW_BYTES } });
	}
}

static void answer_renew(struct world *w)
{
	if (!w->up || w->renew_answered >= w->renew_no)
		return;
	w->renew_answered += 1 + rng_below(w->rng, w->renew_no - w->renew_answered);
	w->licence_ms = w->renew_sent_ms[w->renew_answered % ARRAY_LEN(w->renew_sent_ms)] + 3000;
	frame(w,
	      (struct msg){
		      .kind = MSG_RENEWED,
		      .renewed = { .renew_no = w->renew_answered, .term = w->term, .timeline = 1, .lease_ms = 3000 } });
}

static void send_lease(struct world *w)
{
	uint64_t sample_nos[4];
	uint32_t attempts[4], time_left[4], ends[4], count = 1 + (uint32_t)rng_below(w->rng, 4);
	if (!w->up)
		return;
	uint64_t n = ++w->lease_n; /* serials are given in the order in which leases come */
	uint32_t route = (uint32_t)rng_below(w->rng, ROUTES);
	bool alone = gen_chance(w->rng, 10);
	for (uint32_t i = 0; i < count; i++) {
		sample_nos[i] = n * 4 + i;
		attempts[i] = 3;
		time_left[i] = 60000;
		ends[i] = i + 1;
		*(struct sample *)map_put_u64(&w->samples, n << 16 | i, NULL) =
			(struct sample){ .fate = HELD, .route = route, .lease_n = n, .index = i, .alone = alone };
	}
	frame(w, (struct msg){ .kind = MSG_LEASE,
	                       .number = ++w->frame_no,
	                       .lease = { .number = { 1, n },
	                                  .deadline_ms = 3000,
	                                  .run_id = 1,
	                                  .route_id = route,
	                                  .context = STR("{}"),
	                                  .alone = alone,
	                                  .sample_count = count,
	                                  .sample_nos = sample_nos,
	                                  .attempts_left = attempts,
	                                  .time_left_ms = time_left,
	                                  .item_ends = ends,
	                                  .items = str_make("wxyz", count) } });
}

static void send_grant(struct world *w)
{
	if (!w->up)
		return;
	uint32_t route = (uint32_t)rng_below(w->rng, ROUTES);
	uint32_t pause_ms = gen_chance(w->rng, 20) && !w->calm ? (uint32_t)rng_below(w->rng, 2000) : 0;
	w->slots[route] = (w->calm ? 1 : 0) + (uint32_t)rng_below(w->rng, SLOTS);
	w->pause_ms[route] = MAX_OF(w->pause_ms[route], w->now_ms + pause_ms);
	frame(w, (struct msg){
			 .kind = MSG_GRANT, .number = ++w->frame_no, .grant = { route, w->slots[route], pause_ms } });
}

static void take_back(struct world *w)
{
	if (!w->up || w->lease_n == 0)
		return;
	struct lease_no number = { 1, 1 + rng_below(w->rng, w->lease_n) };
	uint32_t index = (uint32_t)rng_below(w->rng, 4);
	struct sample *s;
	switch (rng_below(w->rng, 3)) {
	case 0:
		frame(w, (struct msg){ .kind = MSG_RELEASE, .release = { number, &index, 1 } });
		return;
	case 1:
		frame(w, (struct msg){ .kind = MSG_REVOKE, .revoke = { number, gen_chance(w->rng, 50) } });
		return;
	default: /* a refused lease: what has not started is dropped, and nothing is said */
		if (w->renew_answered == 0)
			return;
		for (size_t at = 0; (s = map_next_u64(&w->samples, &at, NULL)) != NULL;)
			if (s->lease_n == number.n && s->fate == HELD)
				s->fate = ENDED;
		frame(w, (struct msg){ .kind = MSG_RENEWED,
		                       .renewed = { .renew_no = w->renew_answered,
		                                    .term = w->term,
		                                    .timeline = 1,
		                                    .lease_ms = 3000,
		                                    .refused = &number,
		                                    .refused_count = 1 } });
	}
}

static uint64_t pick(struct world *w, enum fate fate)
{
	uint64_t id, found = 0, seen = 0;
	struct sample *s;
	for (size_t at = 0; (s = map_next_u64(&w->samples, &at, &id)) != NULL;)
		if (s->fate == fate && rng_below(w->rng, ++seen) == 0)
			found = id;
	return found;
}

static void keep(struct world *w, uint64_t sample_id, bool ends, enum record_kind kind)
{
	char text[700] = { 0 };
	struct msg_record m = { .kind = kind,
		                .record_no = ++w->record_no,
		                .retry_after_ms = -1,
		                .cost_nanousd = -1,
		                .given_up = ends,
		                .response = str_make(text, gen_len(w->rng, sizeof(text))) };
	m.outcome = kind == RECORD_RESULT ? OUTCOME_SCORED : OUTCOME_NONE;
	m.error_class = kind == RECORD_RESULT ? CLASS_NONE : CLASS_SERVER;
	*(struct kept_record *)map_put_u64(&w->records, m.record_no, NULL) =
		(struct kept_record){ .bytes = frame_record_bytes(&m), .sample_id = sample_id, .ends = ends };
	struct agent_event ev = { .kind = AGENT_EV_KEPT };
	ev.kept.sample_id = sample_id;
	ev.kept.record = record_new(&m, NULL, STR(""));
	feed(w, ev);
}

static void end_ask(struct world *w)
{
	uint64_t id = pick(w, ASKING);
	if (id == 0)
		return;
	struct sample *s = sample_of(w, id);
	struct agent_event ev = { .kind = AGENT_EV_ASK_ENDED };
	ev.ask_ended.sample_id = id;
	ev.ask_ended.ask_id = rng_next(w->rng) | 1;
	ev.ask_ended.retry_after_ms = -1;
	if (s->cancelled || gen_chance(w->rng, w->calm ? 100 : 60)) {
		s->fate = SCORING;
	} else {
		ev.ask_ended.waits = true;
		ev.ask_ended.class = CLASS_SERVER;
		ev.ask_ended.wait_ms = (uint32_t)rng_below(w->rng, 3000);
		ev.ask_ended.paced = gen_chance(w->rng, 10);
		s->wait_until_ms = w->now_ms + ev.ask_ended.wait_ms;
		s->fate = WAITING;
	}
	feed(w, ev);
	if (ev.ask_ended.waits)
		keep(w, id, false, RECORD_ATTEMPT);
}

static void end_scoring(struct world *w)
{
	uint64_t id = pick(w, SCORING);
	if (id == 0)
		return;
	struct sample *s = sample_of(w, id);
	s->fate = REPORTED;
	keep(w, id, true, gen_chance(w->rng, 80) ? RECORD_RESULT : RECORD_ATTEMPT);
	s->record_no = w->record_no;
}

static void commit_one(struct world *w, uint64_t record_no)
{
	struct kept_record *r = map_get_u64(&w->records, record_no);
	r->committed = true;
	if (r->ends && r->sample_id != 0) {
		struct sample *s = sample_of(w, r->sample_id);
		assert_int_equal(s->fate, REPORTED);
		s->fate = ENDED;
		w->ended++;
	}
	struct record_range range = { record_no, record_no };
	frame(w, (struct msg){ .kind = MSG_COMMIT, .commit = { { { 9 } }, &range, 1 } });
}

static void send_commit(struct world *w)
{
	uint64_t record_no, found = 0, seen = 0;
	struct kept_record *r;
	for (size_t at = 0; (r = map_next_u64(&w->records, &at, &record_no)) != NULL;)
		if (r->ever_sent && !r->committed && rng_below(w->rng, ++seen) == 0)
			found = record_no;
	if (w->up && found != 0)
		commit_one(w, found);
}

static void random_event(struct world *w)
{
	struct agent_event ev = { .kind = AGENT_EV_TURNED };
	switch (rng_below(w->rng, w->calm ? 7 : 12)) {
	case 0:
		open_or_welcome(w);
		return;
	case 1:
	case 2:
		answer_renew(w);
		return;
	case 3:
		send_grant(w);
		return;
	case 4:
		end_ask(w);
		return;
	case 5:
		end_scoring(w);
		return;
	case 6:
		send_commit(w);
		return;
	case 7:
	case 8:
		send_lease(w);
		return;
	case 9:
		if (gen_chance(w->rng, 30))
			take_back(w);
		return;
	case 10:
		if (w->main_conn != 0 && gen_chance(w->rng, 10)) {
			ev.kind = AGENT_EV_LOST;
			ev.conn = w->main_conn;
			feed(w, ev);
		}
		return;
	default:
		if (!gen_chance(w->rng, 20))
			return;
		w->outbox_full = !w->outbox_full;
		ev.kind = AGENT_EV_OUTBOX;
		ev.outbox.writable = !w->outbox_full;
		ev.outbox.unloaded = 0;
		feed(w, ev);
	}
}

static void turned(struct world *w)
{
	for (uint32_t i = 0; i < NETS; i++) {
		struct agent_event ev = { .kind = AGENT_EV_TURNED };
		ev.thread = i;
		feed(w, ev);
	}
}

/* The counts of the agent are those of the model. A lapse (cut off for long) drops what was held without a word. */
static void compare(struct world *w)
{
	struct agent_status s;
	agent_status(w->agent, &s);
	if (s.unstarted == 0 && w->now_ms >= s.licence_until_ms + AGENT_LOST_HOLD_MS) {
		struct sample *held;
		for (size_t at = 0; (held = map_next_u64(&w->samples, &at, NULL)) != NULL;)
			if (held->fate == HELD)
				held->fate = ENDED;
	}
	uint64_t want[] = { count_fate(w, HELD, UINT32_MAX), count_fate(w, ASKING, UINT32_MAX),
		            count_fate(w, WAITING, UINT32_MAX), count_fate(w, SCORING, UINT32_MAX),
		            count_fate(w, REPORTED, UINT32_MAX) };
	uint64_t got[] = { s.unstarted, s.asking, s.waiting, s.scoring, s.reported };
	for (size_t i = 0; i < ARRAY_LEN(want); i++)
		if (want[i] != got[i])
			FAIL(w, "%llu samples in state %zu, the agent counts %llu", (unsigned long long)want[i], i,
			     (unsigned long long)got[i]);
}

static void world_begin(struct world *w, struct rng *rng)
{
	static const struct str endpoints[] = { STR_INIT("a") };
	*w = (struct world){ .rng = rng, .now_ms = 1 + rng_below(rng, 100000), .term = 1 };
	agent_actions_init(&w->out);
	map_init(&w->samples, sizeof(struct sample));
	map_init(&w->serials, sizeof(uint64_t));
	map_init(&w->records, sizeof(struct kept_record));
	struct agent_config config = {
		.outbox = { { 9 } },
		.slots = SLOTS,
		.net_count = NETS,
		.endpoint_count = 1,
		.endpoints = endpoints,
		.seed = rng_next(rng),
	};
	w->agent = agent_new(&config, w->now_ms);
}

static void world_end(struct world *w)
{
	agent_free(w->agent);
	agent_actions_done(&w->out);
	map_done(&w->samples);
	map_done(&w->serials);
	map_done(&w->records);
	mem_free(w);
}

static void whatever_happens_the_agent_keeps_its_word(void **state)
{
	(void)state;
	struct rng rng;
	for (struct gen_seeds seeds = gen_seeds(150); gen_next(&seeds, &rng);) {
		struct world *w = mem_new(1, sizeof(*w));
		world_begin(w, &rng);
		for (int step = 0; step < STEPS; step++) {
			uint64_t to_ms =
				w->now_ms + (gen_chance(&rng, 3) ? rng_below(&rng, 5000) : rng_below(&rng, 120));
			while (agent_next_deadline_ms(w->agent) <= to_ms && gen_chance(&rng, 90)) {
				w->now_ms = MAX_OF(w->now_ms, agent_next_deadline_ms(w->agent));
				turn(w);
			}
			w->now_ms = to_ms;
			turned(w);
			for (uint64_t events = rng_below(&rng, 4); events > 0; events--)
				random_event(w);
			turn(w);
			compare(w);
		}
		w->calm = true; /* from here on nothing fails any more, and everything must end */
		w->outbox_full = false;
		feed(w, (struct agent_event){ .kind = AGENT_EV_OUTBOX, .outbox = { true, 0 } });
		for (int step = 0; step < 100000; step++) {
			struct agent_status s;
			agent_status(w->agent, &s);
			if (s.held == 0 && s.records == 0)
				break;
			w->now_ms += rng_below(&rng, 60);
			turned(w);
			random_event(w);
			turn(w);
		}
		struct agent_status s;
		agent_status(w->agent, &s);
		if (s.held != 0 || s.records != 0)
			FAIL(w, "%llu samples and %llu records never end", (unsigned long long)s.held,
			     (unsigned long long)s.records);
		compare(w);
		world_end(w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		gen_property(whatever_happens_the_agent_keeps_its_word),
	};
	return cmocka_run_group_tests_name("agent properties", tests, NULL, NULL);
}
