#include "coordinator/session/session.h"
#include "common/base/check.h"
#include "common/base/mem.h"
#include "coordinator/session/window.h"
#include <stdio.h>
#include <string.h>

enum {
	RENEW_MS = 1000,
	LEASE_MS = 3000,
	RESEND_MS = 5000,
	SILENCE_MS = 6000,
	HELLO_MS = 5000,
	WINDOW_FRAMES = 4,
	WINDOW_BYTES = 1 << 20,
};

static uint32_t or_default(uint32_t value, uint32_t otherwise)
{
	return value ? value : otherwise;
}

void session_actions_init(struct session_actions *out)
{
	*out = (struct session_actions){ 0 };
}

void session_actions_done(struct session_actions *out)
{
	mem_free(out->items);
	session_actions_init(out);
}

static struct session_action *add(struct session_actions *out, enum session_action_kind kind)
{
	mem_reserve(&out->items, &out->cap, out->len + 1, sizeof(*out->items));
	struct session_action *a = &out->items[out->len++];
	*a = (struct session_action){ .kind = kind };
	return a;
}

void session_init(struct session *s, const struct session_config *config, uint32_t worker_id, uint64_t now_ms)
{
	*s = (struct session){ .config = config, .worker_id = worker_id, .heard_ms = now_ms, .since_ms = now_ms };
}

void session_done(struct session *s)
{
	window_done(s);
	s->state = SESSION_CLOSED;
}

/* ---- ending ---- */

static void close_it(struct session *s, enum session_end end, struct session_actions *out)
{
	bool is_known = s->state == SESSION_ASKED || s->state == SESSION_OPEN;
	s->state = SESSION_CLOSED;
	s->end = end;
	if (is_known)
		add(out, SESSION_DO_GONE)->orderly = s->draining && s->empty_handed && s->batch_count == 0;
	window_done(s);
	(void)add(out, SESSION_DO_CLOSE); /* s->end says why */
}

static struct msg *send(struct session *s, enum msg_kind kind, struct session_actions *out)
{
	struct msg *m = &add(out, SESSION_DO_SEND)->send;
	*m = (struct msg){ .kind = kind, .number = s->frame_no, .session = s->number };
	return m;
}

static void refuse(struct session *s, enum refuse_cause cause, enum session_end end, struct str text,
                   struct session_actions *out)
{
	struct msg *m = send(s, MSG_REFUSED, out);
	m->refused.cause = cause;
	m->refused.text = text;
	if (cause == REFUSE_STANDBY)
		m->refused.leader = s->config->leader;
	close_it(s, end, out);
}

/* ---- Hello ---- */

static bool is_sound(const struct msg_hello *h)
{
	static const struct outbox_id nobody;
	return h->session != 0 && !outbox_id_eq(h->outbox, nobody) && h->slots > 0;
}

static void refuse_version(struct session *s, const struct msg_hello *h, struct session_actions *out)
{
	(void)snprintf(s->text, sizeof(s->text), "you speak versions %u to %u, this coordinator %u to %u",
	               h->version_min, h->version_max, WIRE_VERSION_MIN, WIRE_VERSION_MAX);
	refuse(s, REFUSE_VERSION, SESSION_END_VERSION, str_from(s->text), out);
}

static void on_hello(struct session *s, const struct msg *m, uint64_t now_ms, struct session_actions *out)
{
	const struct msg_hello *h = &m->hello;
	s->number = h->session;
	if (!is_sound(h)) {
		close_it(s, SESSION_END_BAD_HELLO, out);
		return;
	}
	if (h->version_min > WIRE_VERSION_MAX || h->version_max < WIRE_VERSION_MIN || h->version_min > h->version_max) {
		refuse_version(s, h, out);
		return;
	}
	switch (s->config->mode) {
	case SESSION_STANDBY:
		refuse(s, REFUSE_STANDBY, SESSION_END_STANDBY, STR("this coordinator stands by"), out);
		return;
	case SESSION_STOPPING:
		refuse(s, REFUSE_STOPPING, SESSION_END_STOPPING, STR("this coordinator is stopping"), out);
		return;
	case SESSION_FULL:
		refuse(s, REFUSE_FULL, SESSION_END_FULL, STR("this coordinator has as many workers as it can hold"),
		       out);
		return;
	case SESSION_LEAD:
		break;
	}
	s->version = MIN_OF(h->version_max, (uint32_t)WIRE_VERSION_MAX);
	s->outbox = h->outbox;
	s->draining = h->draining;
	s->empty_handed = h->lease_count == 0;
	s->state = SESSION_ASKED;
	s->since_ms = now_ms;
	add(out, SESSION_DO_JOINED)->msg = m;
}

static void on_welcome(struct session *s, const struct session_event *ev, struct session_actions *out)
{
	if (s->state != SESSION_ASKED)
		return;
	const struct session_config *c = s->config;
	s->window_frames = MIN_OF(or_default(c->window_frames, WINDOW_FRAMES), (uint32_t)SESSION_WINDOW_FRAMES_MAX);
	s->window_bytes = or_default(c->window_bytes, WINDOW_BYTES);
	s->state = SESSION_OPEN;
	s->since_ms = s->heard_ms = ev->now_ms; /* its silence until now was ours */
	struct msg *m = send(s, MSG_WELCOME, out);
	m->welcome = (struct msg_welcome){ .version = s->version,
		                           .term = c->term,
		                           .timeline = c->timeline,
		                           .session = s->number,
		                           .renew_ms = or_default(c->renew_ms, RENEW_MS),
		                           .lease_ms = or_default(c->lease_ms, LEASE_MS),
		                           .resend_ms = or_default(c->resend_ms, RESEND_MS),
		                           .window_frames = s->window_frames,
		                           .window_bytes = s->window_bytes,
		                           .refused = ev->welcome.refused,
		                           .refused_count = ev->welcome.refused_count,
		                           .answers = ev->welcome.verdicts,
		                           .answer_count = ev->welcome.verdict_count };
}

/* ---- frames of an open session ---- */

static void on_renew(struct session *s, const struct msg *m, struct session_actions *out)
{
	if (m->renew.renew_no <= s->renew_no || m->renew.frame_seen > s->frame_no) {
		close_it(s, SESSION_END_BAD_ORDER, out);
		return;
	}
	s->renew_no = m->renew.renew_no;
	s->empty_handed = m->renew.lease_count == 0 && m->renew.frame_seen == s->frame_no;
	add(out, SESSION_DO_RENEWED)->msg = m;
}

static void on_results(struct session *s, const struct session_event *ev, struct session_actions *out)
{
	const struct msg_results *m = &ev->frame.msg->results;
	bool fresh[WIRE_RESULTS_RECORDS_MAX];
	size_t fresh_count;
	if (m->record_count > WIRE_RESULTS_RECORDS_MAX || !window_add(s, m, ev->frame.bytes, fresh, &fresh_count)) {
		close_it(s, SESSION_END_OVER_WINDOW, out);
		return;
	}
	s->record_count += m->record_count;
	s->duplicate_count += m->record_count - fresh_count;
	for (size_t i = 0; i < m->record_count;) {
		size_t from = i;
		while (i < m->record_count && fresh[i])
			i++;
		if (i > from) {
			struct session_action *a = add(out, SESSION_DO_RESULTS);
			a->results.records = &m->records[from];
			a->results.count = i - from;
		}
		while (i < m->record_count && !fresh[i])
			i++;
	}
}

static void on_open_frame(struct session *s, const struct session_event *ev, struct session_actions *out)
{
	const struct msg *m = ev->frame.msg;
	switch (m->kind) {
	case MSG_HELLO:
		close_it(s, SESSION_END_SECOND_HELLO, out);
		return;
	case MSG_RENEW:
		on_renew(s, m, out);
		return;
	case MSG_RESULTS:
		on_results(s, ev, out);
		return;
	case MSG_RELEASED:
		s->draining |= m->released.cause == RELEASE_DRAIN;
		add(out, SESSION_DO_RELEASED)->msg = m;
		return;
	case MSG_BLOB:
	case MSG_BLOB_WANT:
		add(out, SESSION_DO_BLOB)->msg = m;
		return;
	default:
		close_it(s, SESSION_END_NOT_A_WORKER, out);
	}
}

static void on_frame(struct session *s, const struct session_event *ev, struct session_actions *out)
{
	const struct msg *m = ev->frame.msg;
	s->heard_ms = ev->now_ms;
	s->frame_count++;
	if (s->state == SESSION_NEW) {
		if (m->kind == MSG_HELLO)
			on_hello(s, m, ev->now_ms, out);
		else
			close_it(s, SESSION_END_NO_HELLO, out);
		return;
	}
	if (m->kind != MSG_HELLO && m->session != s->number) {
		close_it(s, SESSION_END_OTHER_SESSION, out);
		return;
	}
	if (s->state == SESSION_ASKED)
		close_it(s, m->kind == MSG_HELLO ? SESSION_END_SECOND_HELLO : SESSION_END_EARLY, out);
	else
		on_open_frame(s, ev, out);
}

/* ---- what the core and the store say ---- */

static void on_renewed(struct session *s, const struct session_event *ev, struct session_actions *out)
{
	if (s->state != SESSION_OPEN)
		return;
	struct msg *m = send(s, MSG_RENEWED, out);
	m->renewed = (struct msg_renewed){ .renew_no = ev->renewed.renew_no,
		                           .term = s->config->term,
		                           .timeline = s->config->timeline,
		                           .lease_ms = or_default(s->config->lease_ms, LEASE_MS),
		                           .refused = ev->renewed.refused,
		                           .refused_count = ev->renewed.refused_count };
}

static void on_core_send(struct session *s, const struct msg *m, struct session_actions *out)
{
	if (s->state != SESSION_OPEN)
		return;
	check_msg(m->number == s->frame_no + 1, "frame %llu after %llu", (unsigned long long)m->number,
	          (unsigned long long)s->frame_no);
	s->frame_no = m->number;
	s->empty_handed &= m->kind != MSG_LEASE;
	struct msg *sent = &add(out, SESSION_DO_SEND)->send;
	*sent = *m;
	sent->session = s->number;
}

static void on_core_close(struct session *s, enum refuse_cause cause, struct session_actions *out)
{
	if (cause == REFUSE_DUPLICATE)
		refuse(s, cause, SESSION_END_REPLACED, STR("a newer session has this outbox"), out);
	else
		refuse(s, cause, SESSION_END_REFUSED, STR("refused"), out);
}

static void on_committed(struct session *s, const struct session_event *ev, struct session_actions *out)
{
	if (s->state != SESSION_OPEN)
		return; /* not welcomed yet: it will send them again, and is answered then */
	window_commit(s, ev->committed.ranges, ev->committed.range_count);
	for (size_t i = 0; i < ev->committed.range_count; i += WIRE_COMMIT_RANGES_MAX) {
		struct msg *m = send(s, MSG_COMMIT, out);
		m->commit.outbox = s->outbox;
		m->commit.ranges = &ev->committed.ranges[i];
		m->commit.range_count = MIN_OF(ev->committed.range_count - i, (size_t)WIRE_COMMIT_RANGES_MAX);
	}
}

/* ---- time ---- */

uint64_t session_next_deadline_ms(const struct session *s)
{
	switch (s->state) {
	case SESSION_NEW:
	case SESSION_ASKED:
		return s->since_ms + or_default(s->config->hello_ms, HELLO_MS);
	case SESSION_OPEN:
		return s->heard_ms + or_default(s->config->silence_ms, SILENCE_MS);
	case SESSION_CLOSED:
		break;
	}
	return UINT64_MAX;
}

static void on_tick(struct session *s, uint64_t now_ms, struct session_actions *out)
{
	if (now_ms < session_next_deadline_ms(s))
		return;
	enum session_end end = SESSION_END_SILENT;
	if (s->state == SESSION_NEW)
		end = SESSION_END_NO_HELLO;
	else if (s->state == SESSION_ASKED)
		end = SESSION_END_SLOW_CORE;
	close_it(s, end, out);
}

void session_step(struct session *s, const struct session_event *ev, struct session_actions *out)
{
	out->len = 0;
	if (s->state == SESSION_CLOSED)
		return;
	switch (ev->kind) {
	case SESSION_FRAME:
		on_frame(s, ev, out);
		return;
	case SESSION_DECODE_ERROR:
		close_it(s, SESSION_END_BAD_FRAME, out);
		return;
	case SESSION_CORE_WELCOME:
		on_welcome(s, ev, out);
		return;
	case SESSION_CORE_RENEWED:
		on_renewed(s, ev, out);
		return;
	case SESSION_CORE_CLOSE:
		on_core_close(s, ev->cause, out);
		return;
	case SESSION_CORE_SEND:
		on_core_send(s, ev->send, out);
		return;
	case SESSION_COMMITTED:
		on_committed(s, ev, out);
		return;
	case SESSION_SEND_FAILED:
		close_it(s, ev->unreachable ? SESSION_END_UNREACHABLE : SESSION_END_NOT_READING, out);
		return;
	case SESSION_KEY_REVOKED:
		refuse(s, REFUSE_UNKNOWN, SESSION_END_KEY_REVOKED, STR("this key is not allowed any more"), out);
		return;
	case SESSION_TICK:
		on_tick(s, ev->now_ms, out);
		return;
	}
}

// clang-format off
static const char *const end_names[SESSION_END_COUNT] = {
	[SESSION_END_NONE] = "none",                   [SESSION_END_BAD_FRAME] = "bad_frame",
	[SESSION_END_NO_HELLO] = "no_hello",           [SESSION_END_SECOND_HELLO] = "second_hello",
	[SESSION_END_EARLY] = "early",                 [SESSION_END_OTHER_SESSION] = "other_session",
	[SESSION_END_NOT_A_WORKER] = "not_a_worker",   [SESSION_END_BAD_HELLO] = "bad_hello",
	[SESSION_END_BAD_ORDER] = "bad_order",         [SESSION_END_OVER_WINDOW] = "over_window",
	[SESSION_END_VERSION] = "version",             [SESSION_END_STANDBY] = "standby",
	[SESSION_END_STOPPING] = "stopping",           [SESSION_END_FULL] = "full",
	[SESSION_END_REPLACED] = "replaced",           [SESSION_END_REFUSED] = "refused",
	[SESSION_END_SILENT] = "silent",               [SESSION_END_SLOW_CORE] = "slow_core",
	[SESSION_END_UNREACHABLE] = "unreachable",     [SESSION_END_NOT_READING] = "not_reading",
	[SESSION_END_KEY_REVOKED] = "key_revoked",
};
// clang-format on

const char *session_end_name(enum session_end e)
{
	return (size_t)e < SESSION_END_COUNT && end_names[e] ? end_names[e] : "?";
}

bool session_end_is_fault(enum session_end e)
{
	return e >= SESSION_END_BAD_FRAME && e <= SESSION_END_OVER_WINDOW;
}
