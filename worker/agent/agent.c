#include "common/base/check.h"
#include "common/base/mem.h"
#include "worker/agent/agent_state.h"

enum { ACTIONS_ARENA_BYTES = 64 << 20 };

void agent_actions_init(struct agent_actions *out)
{
	*out = (struct agent_actions){ 0 };
	arena_init(&out->arena, ACTIONS_ARENA_BYTES);
}

void agent_actions_clear(struct agent_actions *out)
{
	out->len = 0;
	arena_reset(&out->arena);
}

void agent_actions_done(struct agent_actions *out)
{
	mem_free(out->items);
	arena_done(&out->arena);
	*out = (struct agent_actions){ 0 };
}

struct agent_action *agent_act(struct agent_actions *out, enum agent_action_kind kind)
{
	mem_reserve(&out->items, &out->cap, out->len + 1, sizeof(*out->items));
	struct agent_action *action = &out->items[out->len++];
	*action = (struct agent_action){ .kind = kind };
	return action;
}

void agent_note(struct agent_actions *out, enum agent_note what, uint64_t a, uint64_t b, struct str text)
{
	struct agent_action *action = agent_act(out, AGENT_DO_NOTE);
	action->note.what = what;
	action->note.a = a;
	action->note.b = b;
	action->note.text = arena_str(&out->arena, text);
}

struct msg *agent_msg(struct agent_actions *out, enum msg_kind kind)
{
	struct msg *m = arena_new(&out->arena, 1, sizeof(*m));
	m->kind = kind;
	return m;
}

void agent_send(struct agent *a, const struct agent_conn *c, struct msg *m, struct agent_actions *out)
{
	(void)a; /* one shape for all that speak */
	m->session = c->session;
	struct agent_action *action = agent_act(out, AGENT_DO_SEND);
	action->send.conn = c->number;
	action->send.msg = m;
}

void rate_add(struct agent_rate *r, uint64_t now_ms)
{
	uint64_t bucket = now_ms / RATE_BUCKET_MS;
	for (uint64_t i = 1; i <= RATE_BUCKETS && r->bucket + i <= bucket; i++)
		r->counts[(r->bucket + i) % RATE_BUCKETS] = 0;
	r->bucket = MAX_OF(r->bucket, bucket);
	r->counts[r->bucket % RATE_BUCKETS]++;
}

uint32_t rate_count(const struct agent_rate *r, uint64_t now_ms)
{
	uint64_t bucket = now_ms / RATE_BUCKET_MS;
	uint32_t sum = 0;
	for (uint64_t i = 0; i < RATE_BUCKETS && i <= r->bucket; i++)
		if (r->bucket - i + RATE_BUCKETS > bucket)
			sum += r->counts[(r->bucket - i) % RATE_BUCKETS];
	return sum;
}

struct agent *agent_new(const struct agent_config *config, uint64_t now_ms)
{
	check(config->slots > 0 && config->net_count > 0);
	check(config->endpoint_count > 0 && config->endpoint_count <= AGENT_ENDPOINTS_MAX);
	struct agent *a = mem_new(1, sizeof(*a));
	a->config = *config;
	a->now_ms = a->connect_at_ms = a->last_up_ms = now_ms;
	a->full_since_ms = a->probe_at_ms = UINT64_MAX;
	a->outbox_writable = true;
	a->unloaded = config->unloaded;
	a->renew_ms = 1000;
	a->lease_ms = 3000;
	a->resend_ms = 5000;
	a->window_frames = 4;
	a->window_bytes = WIRE_FRAME_BYTES_MAX;
	rng_seed(&a->rng, config->seed);
	map_init(&a->leases, sizeof(struct agent_lease *));
	map_init(&a->lease_numbers, sizeof(uint64_t));
	map_init(&a->contexts, sizeof(struct context_slot));
	map_init(&a->route_ids, sizeof(size_t));
	map_init(&a->records, sizeof(struct agent_record));
	heap_init(&a->alone.again);
	a->alone.tail = &a->alone.first;
	heap_init(&a->timers);
	heap_init(&a->waiting);
	a->frames = mem_new(WINDOW_FRAMES_MAX, sizeof(*a->frames));
	a->net_asking = mem_new(config->net_count, sizeof(*a->net_asking));
	a->turned_ms = mem_new(config->net_count + config->score_count, sizeof(*a->turned_ms));
	for (uint32_t i = 0; i < config->net_count + config->score_count; i++)
		a->turned_ms[i] = now_ms;
	a->answers = mem_new(MAX_OF(config->answer_count, (size_t)1), sizeof(*a->answers));
	a->answer_count = config->answer_count;
	for (size_t i = 0; i < config->answer_count; i++)
		a->answers[i].answer = config->answers[i];
	a->config.answers = NULL;
	return a;
}

void agent_free(struct agent *a)
{
	if (!a)
		return;
	conn_free_all(a);
	lease_free_all(a);
	results_free_all(a);
	heap_done(&a->timers);
	mem_free(a->net_asking);
	mem_free(a->turned_ms);
	mem_free(a->answers);
	mem_free(a);
}

static void on_outbox(struct agent *a, const struct agent_event *ev, struct agent_actions *out)
{
	if (a->outbox_writable != ev->outbox.writable)
		agent_note(out, AGENT_NOTE_OUTBOX, ev->outbox.writable, 0, STR(""));
	a->outbox_writable = ev->outbox.writable;
	a->unloaded = ev->outbox.unloaded;
	a->loading = false;
}

static void on_drain(struct agent *a, uint32_t limit_ms, struct agent_actions *out)
{
	if (!a->draining)
		agent_note(out, AGENT_NOTE_DRAINING, limit_ms, 0, STR(""));
	a->drain_until_ms = a->draining ? MIN_OF(a->drain_until_ms, a->now_ms + limit_ms) : a->now_ms + limit_ms;
	a->draining = true;
	lease_drain(a, out);
}

static void on_frame(struct agent *a, const struct agent_event *ev, struct agent_actions *out)
{
	const struct msg *m = ev->frame.msg;
	conn_frame(a, ev->frame.conn, m, out);
	if (m->kind == MSG_DRAIN && a->main.state == CONN_UP && ev->frame.conn == a->main.number && !a->draining)
		on_drain(a, AGENT_DRAIN_MS, out);
}

void agent_step(struct agent *a, const struct agent_event *ev, struct agent_actions *out)
{
	check_msg(ev->now_ms >= a->now_ms, "time went back from %llu to %llu ms", (unsigned long long)a->now_ms,
	          (unsigned long long)ev->now_ms);
	a->now_ms = ev->now_ms;
	switch (ev->kind) {
	case AGENT_EV_OPENED:
		conn_opened(a, ev->conn);
		return;
	case AGENT_EV_LOST:
		conn_lost(a, ev->conn, out);
		return;
	case AGENT_EV_FRAME:
		on_frame(a, ev, out);
		return;
	case AGENT_EV_KEPT:
		results_kept(a, ev->kept.sample_id, ev->kept.record, out);
		return;
	case AGENT_EV_ASK_ENDED:
		start_ask_ended(a, ev, out);
		return;
	case AGENT_EV_TURNED:
		check(ev->thread < a->config.net_count + a->config.score_count);
		a->turned_ms[ev->thread] = ev->now_ms;
		return;
	case AGENT_EV_OUTBOX:
		on_outbox(a, ev, out);
		return;
	case AGENT_EV_DRAIN:
		on_drain(a, ev->drain.limit_ms, out);
		return;
	}
	check_msg(false, "unknown agent event %d", (int)ev->kind);
}

enum { DRAIN_COMMIT_MS = 2000 }; /* how long a drained worker waits for its last Commits; the outbox keeps the rest */

static bool is_drained(const struct agent *a)
{
	uint32_t live = a->counts[SAMPLE_FRESH] + a->counts[SAMPLE_ASKING] + a->counts[SAMPLE_WAITING] +
	                a->counts[SAMPLE_AGAIN] + a->counts[SAMPLE_SCORING];
	if (live > 0)
		return a->now_ms >= a->drain_until_ms + DRAIN_COMMIT_MS;
	if (a->records.len == 0 && a->unloaded == 0)
		return true;
	return a->main.state != CONN_UP || a->now_ms >= a->drain_until_ms + DRAIN_COMMIT_MS;
}

static void drain_turn(struct agent *a, struct agent_actions *out)
{
	if (!a->draining || a->drained)
		return;
	if (a->now_ms >= a->drain_until_ms && !a->drain_cancelled) {
		a->drain_cancelled = true;
		lease_cancel_asking(a, out);
	}
	if (is_drained(a)) {
		a->drained = true;
		(void)agent_act(out, AGENT_DO_DRAINED); /* it has no arguments */
	}
}

static void renew_turn(struct agent *a, const struct agent_vitals *vitals, struct agent_actions *out)
{
	if (a->main.state != CONN_UP)
		return;
	uint64_t wanted = credit_total(a);
	bool has_credit = wanted > a->credit_open && wanted - a->credit_open >= MAX_OF(credit_target(a) / 2, 1U);
	bool early = has_credit && a->now_ms >= a->renewed_ms + AGENT_RENEW_EARLY_MS;
	if (a->now_ms >= a->renew_at_ms || early)
		agent_send(a, &a->main, say_renew(a, vitals, out), out);
}

void agent_turn(struct agent *a, uint64_t now_ms, const struct agent_vitals *vitals, struct agent_actions *out)
{
	check(now_ms >= a->now_ms);
	a->now_ms = now_ms;
	conn_turn(a, out);
	start_turn(a, out);
	results_turn(a, out);
	renew_turn(a, vitals, out);
	drain_turn(a, out);
}

static uint64_t renew_next_deadline_ms(const struct agent *a)
{
	if (a->main.state != CONN_UP)
		return UINT64_MAX;
	uint64_t wanted = credit_total(a);
	if (wanted > a->credit_open && wanted - a->credit_open >= MAX_OF(credit_target(a) / 2, 1U))
		return MIN_OF(a->renew_at_ms, a->renewed_ms + AGENT_RENEW_EARLY_MS);
	return a->renew_at_ms;
}

uint64_t agent_next_deadline_ms(const struct agent *a)
{
	uint64_t next = conn_next_deadline_ms(a);
	next = MIN_OF(next, start_next_deadline_ms(a));
	next = MIN_OF(next, results_next_deadline_ms(a));
	next = MIN_OF(next, renew_next_deadline_ms(a));
	if (a->draining && !a->drained)
		next = MIN_OF(next, a->drain_cancelled ? a->drain_until_ms + DRAIN_COMMIT_MS : a->drain_until_ms);
	return next;
}

void agent_status(const struct agent *a, struct agent_status *s)
{
	const uint32_t *n = a->counts;
	*s = (struct agent_status){
		.connected = a->main.state == CONN_UP,
		.draining = a->draining,
		.outbox_writable = a->outbox_writable,
		.endpoint = a->main.endpoint,
		.term = a->term,
		.timeline = a->timeline,
		.session = a->main.session,
		.licence_until_ms = a->licence_until_ms,
		.unstarted = n[SAMPLE_FRESH],
		.asking = n[SAMPLE_ASKING],
		.waiting = n[SAMPLE_WAITING] + n[SAMPLE_AGAIN],
		.scoring = n[SAMPLE_SCORING],
		.reported = n[SAMPLE_REPORTED],
		.records = a->records.len,
		.record_bytes = a->record_bytes,
		.unloaded = a->unloaded,
		.frames_unacknowledged = a->frames_used,
		.started_count = a->started_count,
		.committed_count = a->committed_count,
		.released_count = a->released_count,
		.bad_frame_count = a->bad_frame_count,
		.foreign_commit_count = a->foreign_commit_count,
	};
	s->held = s->unstarted + s->asking + s->waiting + s->scoring + s->reported;
}
