/* What starts when, and how much more is wanted. */
#include "common/base/check.h"
#include "worker/agent/agent_state.h"

enum { LEASES_SPARE = 64, SCORING_SPARE = 256 };

/* ---- credit ---- */

bool results_gate_open(const struct agent *a)
{
	uint64_t record_max = (uint64_t)a->window_frames * WIRE_RESULTS_RECORDS_MAX;
	return a->records.len + a->unloaded < record_max && a->record_bytes < a->window_bytes;
}

static bool takes_work(const struct agent *a)
{
	return !a->draining && a->outbox_writable && results_gate_open(a);
}

static uint64_t idle_or_asking(const uint32_t *counts)
{
	return (uint64_t)counts[SAMPLE_FRESH] + counts[SAMPLE_ASKING] + counts[SAMPLE_WAITING] + counts[SAMPLE_AGAIN];
}

uint64_t credit_target(const struct agent *a)
{
	return (uint64_t)a->config.slots + rate_count(&a->rate, a->now_ms);
}

uint64_t credit_total(const struct agent *a)
{
	uint64_t held = idle_or_asking(a->counts);
	uint64_t target = MIN_OF(credit_target(a), (uint64_t)AGENT_HELD_MAX - WIRE_LEASE_SAMPLES_MAX);
	if (!takes_work(a) || held >= target || a->leases.len + LEASES_SPARE >= WIRE_HELD_LEASES_MAX)
		return 0;
	return target - held;
}

uint32_t credit_route(const struct agent *a, const struct agent_route *r)
{
	uint64_t held = idle_or_asking(r->counts);
	uint64_t target = (uint64_t)r->slots + rate_count(&r->rate, a->now_ms);
	bool is_paused = r->pause_until_ms >= a->now_ms + a->renew_ms;
	if (r->slots == 0 || is_paused || held >= target)
		return 0;
	return (uint32_t)MIN_OF(target - held, credit_total(a));
}

/* ---- starting ---- */

static bool may_start(const struct agent *a)
{
	uint64_t scoring_max = (uint64_t)a->config.slots + SCORING_SPARE;
	return takes_work(a) && a->now_ms < a->licence_until_ms && a->counts[SAMPLE_ASKING] < a->config.slots &&
	       a->counts[SAMPLE_SCORING] < scoring_max;
}

static bool queue_is_empty(const struct agent_queue *q)
{
	return !q->first && q->again.len == 0;
}

static bool route_may_start(const struct agent *a, const struct agent_route *r)
{
	return r->counts[SAMPLE_ASKING] < r->slots && a->now_ms >= r->pause_until_ms;
}

/* The sample whose turn it is: one that waited goes first. NULL: none. */
static struct agent_sample *queue_head(struct agent *a, struct agent_queue *q, struct agent_lease **ret_lease)
{
	struct heap_item again;
	if (heap_min(&q->again, &again)) {
		struct agent_sample *s = sample_find(a, again.id, ret_lease);
		check(s && s->state == SAMPLE_AGAIN);
		return s;
	}
	struct agent_lease *l = q->first;
	if (!l)
		return NULL;
	while (l->samples[l->next_fresh].state != SAMPLE_FRESH)
		l->next_fresh++; /* ends: a lease leaves the queue with its last fresh sample */
	*ret_lease = l;
	return &l->samples[l->next_fresh];
}

static uint32_t least_loaded_net(const struct agent *a)
{
	uint32_t best = 0;
	for (uint32_t i = 1; i < a->config.net_count; i++)
		if (a->net_asking[i] < a->net_asking[best])
			best = i;
	return best;
}

static void start_sample(struct agent *a, struct agent_lease *l, struct agent_sample *s, struct agent_actions *out)
{
	bool is_fresh = s->state == SAMPLE_FRESH;
	if (is_fresh)
		s->net = least_loaded_net(a);
	sample_set_state(a, l, s, SAMPLE_ASKING);
	s->started = true;
	a->started_count++;
	if (l->alone)
		a->alone_sample = sample_id_of(l, s);
	struct agent_action *action = agent_act(out, is_fresh ? AGENT_DO_START : AGENT_DO_RESUME);
	action->start.sample_id = sample_id_of(l, s);
	action->start.net = s->net;
	if (!is_fresh)
		return;
	action->start.key = (struct exec_key){ l->run_id, s->sample_no, l->retry_no, l->scoring_no };
	action->start.context = l->context;
	action->start.item = str_make(l->items + s->item_from, s->item_to - s->item_from);
	action->start.attempts_left = s->attempts_left;
	action->start.time_left_ms = s->time_left_ms;
	action->start.route_id = l->route->id;
	action->start.alone = l->alone;
}

/* True when nothing else may start: an alone sample runs, or one could run and waits for the rest to end. */
static bool alone_turn(struct agent *a, struct agent_actions *out)
{
	if (a->alone_sample != 0)
		return true;
	struct agent_lease *l;
	struct agent_sample *s = queue_head(a, &a->alone, &l);
	if (!s || !route_may_start(a, l->route))
		return false;
	if (a->counts[SAMPLE_ASKING] + a->counts[SAMPLE_SCORING] == 0)
		start_sample(a, l, s, out);
	return true;
}

static void due_turn(struct agent *a)
{
	struct heap_item due;
	while (heap_min(&a->timers, &due) && due.key <= a->now_ms) {
		struct agent_lease *l;
		struct agent_sample *s = sample_find(a, due.id, &l);
		check(s && s->state == SAMPLE_WAITING);
		sample_set_state(a, l, s, SAMPLE_AGAIN);
	}
}

void start_turn(struct agent *a, struct agent_actions *out)
{
	due_turn(a);
	if (!may_start(a) || alone_turn(a, out))
		return;
	size_t passed = 0; /* routes in a row that had nothing to start */
	while (passed < a->route_count && may_start(a)) {
		struct agent_route *r = a->routes[a->route_turn++ % a->route_count];
		struct agent_lease *l;
		struct agent_sample *s = route_may_start(a, r) ? queue_head(a, &r->queue, &l) : NULL;
		if (s)
			start_sample(a, l, s, out);
		passed = s ? 0 : passed + 1;
	}
}

/* ---- the end of an ask ---- */

static void pause_route(struct agent *a, struct agent_route *r, uint64_t pause_ms)
{
	uint64_t jitter_ms = rng_below(&a->rng, pause_ms / 10 + 10);
	r->pause_until_ms = MAX_OF(r->pause_until_ms, a->now_ms + pause_ms + jitter_ms);
}

void start_ask_ended(struct agent *a, const struct agent_event *ev, struct agent_actions *out)
{
	struct agent_lease *l;
	struct agent_sample *s = sample_find(a, ev->ask_ended.sample_id, &l);
	if (!s || s->state != SAMPLE_ASKING)
		return; /* released or reported meanwhile */
	if (ev->ask_ended.paced)
		pause_route(a, l->route,
		            ev->ask_ended.retry_after_ms >= 0 ? (uint64_t)ev->ask_ended.retry_after_ms
		                                              : ev->ask_ended.wait_ms);
	if (!ev->ask_ended.waits) {
		rate_add(&a->rate, a->now_ms);
		rate_add(&l->route->rate, a->now_ms);
		sample_set_state(a, l, s, SAMPLE_SCORING);
		return;
	}
	sample_set_state(a, l, s, SAMPLE_WAITING);
	heap_put(&a->timers, sample_id_of(l, s), a->now_ms + ev->ask_ended.wait_ms);
	if (l->closed || s->unwanted || a->draining)
		lease_let_go(a, l, s, out);
}

uint64_t start_next_deadline_ms(const struct agent *a)
{
	uint64_t next = UINT64_MAX;
	struct heap_item due;
	if (heap_min(&a->timers, &due))
		next = due.key;
	for (size_t i = 0; i < a->route_count; i++) {
		const struct agent_route *r = a->routes[i];
		bool has_work = !queue_is_empty(&r->queue) || !queue_is_empty(&a->alone);
		if (has_work && r->pause_until_ms > a->now_ms)
			next = MIN_OF(next, r->pause_until_ms);
	}
	return next;
}
