/* Connections, sessions, terms and the licence. */
#include "common/base/mem.h"
#include "worker/agent/agent_state.h"

enum {
	RETRY_BASE_MS = 50,
	RETRY_CAP_MS = 1000,
	RETRY_CAP_SEVERAL_MS = 500,
	OPENING_MS = 1000,
	OPENING_MORE_MS = 250,
	REFUSED_SLOWLY_MS = 5000,
	BEGIN_ANEW_MS = 500
};

static uint32_t after(const struct agent *a, uint32_t endpoint)
{
	return (endpoint + 1) % a->config.endpoint_count;
}

static void open_conn(struct agent *a, struct agent_conn *c, uint32_t endpoint, struct agent_actions *out)
{
	*c = (struct agent_conn){
		.state = CONN_OPENING, .number = ++a->conn_next, .endpoint = endpoint, .heard_ms = a->now_ms
	};
	struct agent_action *action = agent_act(out, AGENT_DO_OPEN);
	action->open.conn = c->number;
	action->open.endpoint = endpoint;
}

static void close_conn(struct agent_conn *c, struct agent_actions *out)
{
	agent_act(out, AGENT_DO_CLOSE)->close.conn = c->number;
	mem_free(c->told);
	*c = (struct agent_conn){ .state = CONN_NONE };
}

void conn_free_all(struct agent *a)
{
	mem_free(a->main.told);
	mem_free(a->probe.told);
}

/* A jittered pause that doubles with each full round over the endpoints. Inside a round there is next to none
 * (`at_once`: none at all), since the next endpoint may be the one that leads; and where there are several, a new
 * leader is found within about half a second. */
static uint64_t retry_delay_ms(struct agent *a, bool at_once)
{
	uint32_t rounds = a->failures / a->config.endpoint_count;
	if (a->failures % a->config.endpoint_count != 0)
		return at_once ? 0 : 1 + rng_below(&a->rng, RETRY_BASE_MS);
	uint64_t cap_ms = a->config.endpoint_count > 1 ? RETRY_CAP_SEVERAL_MS : RETRY_CAP_MS;
	uint64_t base_ms = MIN_OF((uint64_t)RETRY_BASE_MS << MIN_OF(rounds, 8U), cap_ms);
	return base_ms / 4 + rng_below(&a->rng, base_ms);
}

static void fail_main(struct agent *a, uint32_t next, bool at_once, uint64_t least_ms, struct agent_actions *out)
{
	close_conn(&a->main, out);
	a->failures++;
	a->endpoint_next = next;
	uint64_t delay_ms = retry_delay_ms(a, at_once);
	if (least_ms > 0)
		delay_ms = least_ms + rng_below(&a->rng, least_ms);
	a->connect_at_ms = a->now_ms + delay_ms;
	if (a->probe.state != CONN_NONE) { /* it may be the one that answers */
		a->main = a->probe;
		a->probe = (struct agent_conn){ .state = CONN_NONE };
	}
}

static void fail_probe(struct agent *a, struct agent_actions *out)
{
	uint32_t next = after(a, a->probe.endpoint);
	close_conn(&a->probe, out);
	a->endpoint_next = next;
	bool round_is_over = next == a->main.endpoint;
	a->probe_at_ms = round_is_over ? a->now_ms + AGENT_WINDOW_FULL_MS : a->now_ms;
}

static void fail(struct agent *a, struct agent_conn *c, struct agent_actions *out)
{
	if (c == &a->probe)
		fail_probe(a, out);
	else
		fail_main(a, after(a, c->endpoint), false, 0, out);
}

void conn_begin_anew(struct agent *a, struct agent_actions *out)
{
	uint32_t endpoint = a->main.endpoint;
	fail_main(a, endpoint, false, BEGIN_ANEW_MS, out);
}

static struct agent_conn *conn_find(struct agent *a, uint32_t number)
{
	if (a->main.state != CONN_NONE && a->main.number == number)
		return &a->main;
	return a->probe.state != CONN_NONE && a->probe.number == number ? &a->probe : NULL;
}

void conn_opened(struct agent *a, uint32_t number)
{
	struct agent_conn *c = conn_find(a, number);
	if (c && c->state == CONN_OPENING)
		c->state = CONN_OPEN;
}

void conn_lost(struct agent *a, uint32_t number, struct agent_actions *out)
{
	struct agent_conn *c = conn_find(a, number);
	if (!c)
		return;
	agent_note(out, AGENT_NOTE_LOST, 0, c->endpoint, STR(""));
	fail(a, c, out);
}

static void on_refused(struct agent *a, struct agent_conn *c, const struct msg_refused *m, struct agent_actions *out)
{
	agent_note(out, AGENT_NOTE_REFUSED, m->cause, c->endpoint, m->text);
	if (c == &a->probe) {
		fail_probe(a, out);
		return;
	}
	uint32_t next = after(a, c->endpoint);
	for (uint32_t i = 0; i < a->config.endpoint_count && m->leader.len > 0; i++)
		if (i != c->endpoint && str_eq(a->config.endpoints[i], m->leader))
			next = i;
	bool is_lasting = m->cause == REFUSE_VERSION || m->cause == REFUSE_UNKNOWN;
	fail_main(a, next, m->cause == REFUSE_STANDBY, is_lasting ? REFUSED_SLOWLY_MS : 0, out);
}

static bool was_left(const struct agent *a, uint64_t timeline)
{
	for (size_t i = 0; i < TIMELINES_REMEMBERED; i++)
		if (a->timelines_left[i] == timeline && i < a->timeline_left_count)
			return true;
	return false;
}

/* Behind a leadership that we followed: its holder has lost it. Timelines are names, not numbers: one that was never
 * seen is news, one that was left is the past. */
static bool is_behind(const struct agent *a, uint64_t term, uint64_t timeline)
{
	return timeline == a->timeline ? term < a->term : was_left(a, timeline);
}

static bool is_stale(const struct agent *a, const struct msg_welcome *m)
{
	return is_behind(a, m->term, m->timeline) && a->now_ms < a->last_up_ms + AGENT_STALE_TERM_MS;
}

static uint32_t clamp(uint32_t value, uint32_t min, uint32_t max)
{
	return MIN_OF(MAX_OF(value, min), max);
}

static void follow(struct agent *a, uint64_t term, uint64_t timeline, struct agent_actions *out)
{
	a->term = term;
	if (timeline == a->timeline)
		return;
	if (a->timeline != 0) {
		a->timelines_left[a->timeline_left_count++ % TIMELINES_REMEMBERED] = a->timeline;
		agent_note(out, AGENT_NOTE_TIMELINE, a->timeline, timeline, STR(""));
		(void)agent_act(out, AGENT_DO_REOPEN); /* it has no arguments */
		a->loading = true;                     /* until the outbox has said how much came back */
	}
	a->timeline = timeline;
}

static void on_welcome(struct agent *a, struct agent_conn *c, const struct msg_welcome *m, struct agent_actions *out)
{
	if (c->state != CONN_HELLO || m->session != c->session || m->version < WIRE_VERSION_MIN ||
	    m->version > WIRE_VERSION_MAX) {
		a->bad_frame_count++;
		agent_note(out, AGENT_NOTE_BAD_FRAME, MSG_WELCOME, c->endpoint, STR(""));
		return;
	}
	if (is_stale(a, m)) {
		agent_note(out, AGENT_NOTE_STALE, m->term, c->endpoint, STR(""));
		fail(a, c, out);
		return;
	}
	if (c == &a->probe) {
		close_conn(&a->main, out);
		a->main = a->probe;
		a->probe = (struct agent_conn){ .state = CONN_NONE };
		c = &a->main;
	}
	c->state = CONN_UP;
	a->failures = 0;
	a->endpoint_next = c->endpoint;
	a->renew_ms = clamp(m->renew_ms, 20, 60 * 1000);
	a->lease_ms = clamp(m->lease_ms, a->renew_ms, 600 * 1000);
	a->resend_ms = clamp(m->resend_ms, 100, 600 * 1000);
	a->window_frames = clamp(m->window_frames, 1, WINDOW_FRAMES_MAX);
	a->window_bytes = clamp(m->window_bytes, 1, 256U << 20);
	for (size_t i = 0; i < a->route_count; i++)
		a->routes[i]->slots = 0; /* its Grant comes behind what it wants back: nothing starts before */
	a->renew_no = a->renew_answered = a->frame_seen = a->credit_open = 0;
	a->renew_at_ms = a->last_up_ms = a->now_ms;
	a->licence_until_ms = c->hello_ms + a->lease_ms;
	a->licence_noted = false;
	agent_note(out, AGENT_NOTE_WELCOME, m->term, m->timeline, STR(""));
	follow(a, m->term, m->timeline, out);
	results_send_again(a);
	lease_refused(a, m->refused, m->refused_count, out);
	results_verdicts(a, c, m, out);
}

static void on_renewed(struct agent *a, const struct msg_renewed *m, struct agent_actions *out)
{
	const struct agent_renew_sent *sent = &a->renews[m->renew_no % RENEWS_REMEMBERED];
	if (m->renew_no == 0 || m->renew_no > a->renew_no || sent->renew_no != m->renew_no) {
		a->bad_frame_count++;
		agent_note(out, AGENT_NOTE_BAD_FRAME, MSG_RENEWED, a->main.endpoint, STR(""));
		return;
	}
	if (m->renew_no > a->renew_answered) {
		a->renew_answered = m->renew_no;
		a->lease_ms = clamp(m->lease_ms, a->renew_ms, 600 * 1000);
		a->licence_until_ms = sent->sent_ms + a->lease_ms;
		a->licence_noted = false;
		if (!is_behind(a, m->term, m->timeline))
			follow(a, m->term, m->timeline, out);
	}
	lease_refused(a, m->refused, m->refused_count, out);
}

static void on_grant(struct agent *a, const struct msg_grant *m)
{
	struct agent_route *r = route_of(a, m->route_id);
	if (!r)
		return;
	r->slots = m->slots;
	if (m->pause_ms > 0)
		r->pause_until_ms = MAX_OF(r->pause_until_ms, a->now_ms + m->pause_ms);
}

/* What only a coordinator that has welcomed us may say. */
static void on_frame_up(struct agent *a, const struct msg *m, struct agent_actions *out)
{
	a->last_up_ms = a->now_ms;
	a->frame_seen = MAX_OF(a->frame_seen, m->number);
	switch (m->kind) {
	case MSG_RENEWED:
		on_renewed(a, &m->renewed, out);
		return;
	case MSG_LEASE:
		lease_arrived(a, &m->lease, out);
		return;
	case MSG_RELEASE:
		lease_release(a, &m->release, out);
		return;
	case MSG_REVOKE:
		lease_revoke(a, &m->revoke, out);
		return;
	case MSG_GRANT:
		on_grant(a, &m->grant);
		return;
	case MSG_COMMIT:
		results_commit(a, &m->commit, out);
		return;
	case MSG_DRAIN: /* agent.c */
	case MSG_BLOB:  /* nothing of ours goes or comes by hash: records fit their frames */
	case MSG_BLOB_WANT:
		return;
	default:
		a->bad_frame_count++;
		agent_note(out, AGENT_NOTE_BAD_FRAME, m->kind, a->main.endpoint, STR(""));
	}
}

void conn_frame(struct agent *a, uint32_t number, const struct msg *m, struct agent_actions *out)
{
	struct agent_conn *c = conn_find(a, number);
	if (!c)
		return; /* closed meanwhile */
	bool is_of_session = (c->state == CONN_HELLO || c->state == CONN_UP) && m->session == c->session;
	if (!is_of_session) {
		a->bad_frame_count++;
		agent_note(out, AGENT_NOTE_BAD_FRAME, m->kind, c->endpoint, STR(""));
		return;
	}
	c->heard_ms = a->now_ms;
	if (m->kind == MSG_REFUSED)
		on_refused(a, c, &m->refused, out);
	else if (m->kind == MSG_WELCOME)
		on_welcome(a, c, &m->welcome, out);
	else if (c->state == CONN_UP)
		on_frame_up(a, m, out);
	else {
		a->bad_frame_count++;
		agent_note(out, AGENT_NOTE_BAD_FRAME, m->kind, c->endpoint, STR(""));
	}
}

/* A process that was stopped still has its connections made for it, and never shakes hands. Where there is somebody
 * else to ask, that is worth less patience; more of it each time nobody was found, for a far and slow network. */
static uint64_t patience_ms(const struct agent *a, const struct agent_conn *c)
{
	if (c->state != CONN_OPENING || a->config.endpoint_count < 2)
		return AGENT_SILENCE_MS;
	return MIN_OF((uint64_t)AGENT_SILENCE_MS, OPENING_MS + (uint64_t)a->failures * OPENING_MORE_MS);
}

static void turn_one(struct agent *a, struct agent_conn *c, struct agent_actions *out)
{
	if (c->state == CONN_NONE)
		return;
	if (a->now_ms >= c->heard_ms + patience_ms(a, c)) {
		agent_note(out, AGENT_NOTE_SILENCE, 0, c->endpoint, STR(""));
		fail(a, c, out);
		return;
	}
	if (c->state != CONN_OPEN)
		return;
	struct msg *hello = say_hello(a, c, out);
	c->state = CONN_HELLO;
	c->hello_ms = c->heard_ms = a->now_ms;
	agent_send(a, c, hello, out);
}

static uint64_t probe_due_ms(const struct agent *a)
{
	if (a->config.endpoint_count < 2 || a->main.state != CONN_UP || a->probe.state != CONN_NONE ||
	    a->full_since_ms == UINT64_MAX)
		return UINT64_MAX;
	uint64_t due_ms = a->full_since_ms + AGENT_WINDOW_FULL_MS;
	return a->probe_at_ms == UINT64_MAX ? due_ms : MAX_OF(due_ms, a->probe_at_ms);
}

static uint32_t idle_count(const struct agent *a)
{
	return a->counts[SAMPLE_FRESH] + a->counts[SAMPLE_WAITING] + a->counts[SAMPLE_AGAIN];
}

static void licence_turn(struct agent *a, struct agent_actions *out)
{
	if (a->now_ms < a->licence_until_ms || idle_count(a) == 0)
		return;
	if (!a->licence_noted) {
		a->licence_noted = true;
		agent_note(out, AGENT_NOTE_LICENCE_ENDED, idle_count(a), 0, STR(""));
	}
	if (a->now_ms >= a->licence_until_ms + AGENT_LOST_HOLD_MS)
		lease_lapse(a, out);
}

void conn_turn(struct agent *a, struct agent_actions *out)
{
	if (a->main.state == CONN_NONE && a->now_ms >= a->connect_at_ms)
		open_conn(a, &a->main, a->endpoint_next, out);
	turn_one(a, &a->main, out);
	turn_one(a, &a->probe, out);
	if (a->now_ms >= probe_due_ms(a)) {
		uint32_t endpoint =
			a->endpoint_next == a->main.endpoint ? after(a, a->main.endpoint) : a->endpoint_next;
		open_conn(a, &a->probe, endpoint, out);
	}
	licence_turn(a, out);
}

static uint64_t one_deadline_ms(const struct agent *a, const struct agent_conn *c)
{
	if (c->state == CONN_NONE)
		return UINT64_MAX;
	return c->state == CONN_OPEN ? a->now_ms : c->heard_ms + patience_ms(a, c);
}

uint64_t conn_next_deadline_ms(const struct agent *a)
{
	uint64_t next = a->main.state == CONN_NONE ? a->connect_at_ms : one_deadline_ms(a, &a->main);
	next = MIN_OF(next, one_deadline_ms(a, &a->probe));
	next = MIN_OF(next, probe_due_ms(a));
	if (idle_count(a) > 0)
		next = MIN_OF(next, a->licence_noted ? a->licence_until_ms + AGENT_LOST_HOLD_MS : a->licence_until_ms);
	return next;
}
