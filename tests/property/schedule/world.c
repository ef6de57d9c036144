#include "tests/property/schedule/world.h"
#include "common/base/mem.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum {
	SETTLE_MS = 400 * 1000,
	POISON_MS = 8 * 25 * 1000, /* deaths that one takes, and the time until its worker is back */
	WORKER_TURN_MS = 50,
};

void world_log(struct world *w, const char *format, ...)
{
	char *line = w->log[w->log_count++ % ARRAY_LEN(w->log)];
	int n = snprintf(line, sizeof(w->log[0]), "%llu ", (unsigned long long)w->now_ms);
	va_list args;
	va_start(args, format);
	(void)vsnprintf(line + n, sizeof(w->log[0]) - (size_t)n, format, args);
	va_end(args);
}

void world_break(struct world *w, const char *rule, const char *format, ...)
{
	if (w->broken)
		return;
	va_list args;
	va_start(args, format);
	(void)vsnprintf(w->broken_text, sizeof(w->broken_text), format, args);
	va_end(args);
	w->broken = rule;
}

void world_print_log(const struct world *w)
{
	uint64_t from = w->log_count > ARRAY_LEN(w->log) ? w->log_count - ARRAY_LEN(w->log) : 0;
	for (uint64_t i = from; i < w->log_count; i++)
		(void)fprintf(stderr, "  %s\n", w->log[i % ARRAY_LEN(w->log)]);
}

uint64_t world_pick(struct world *w, uint64_t from, uint64_t to)
{
	return to <= from ? from : from + rng_below(&w->rng, to - from + 1);
}

bool world_chance(struct world *w, uint32_t percent)
{
	return rng_below(&w->rng, 100) < percent;
}

struct wrun *world_run_of(struct world *w, uint64_t run_id)
{
	return &w->runs[run_id - 1];
}

/* ---- the queue ---- */

static bool before(const struct world_event *a, const struct world_event *b)
{
	return a->at_ms != b->at_ms ? a->at_ms < b->at_ms : a->seq < b->seq;
}

void world_at(struct world *w, uint64_t at_ms, int kind, uint32_t worker, uint32_t conn, void *body)
{
	struct world_event ev = { MAX_OF(at_ms, w->now_ms), w->seq++, kind, worker, conn, body };
	mem_reserve(&w->queue, &w->queue_cap, w->queue_len + 1, sizeof(*w->queue));
	size_t i = w->queue_len++;
	for (; i > 0 && before(&ev, &w->queue[(i - 1) / 2]); i = (i - 1) / 2)
		w->queue[i] = w->queue[(i - 1) / 2];
	w->queue[i] = ev;
}

static struct world_event take(struct world *w)
{
	struct world_event first = w->queue[0], last = w->queue[--w->queue_len];
	size_t i = 0;
	for (;;) {
		size_t child = i * 2 + 1;
		if (child >= w->queue_len)
			break;
		if (child + 1 < w->queue_len && before(&w->queue[child + 1], &w->queue[child]))
			child++;
		if (!before(&w->queue[child], &last))
			break;
		w->queue[i] = w->queue[child];
		i = child;
	}
	if (w->queue_len)
		w->queue[i] = last;
	return first;
}

/* ---- birth ---- */

static void begin_run(struct world *w, uint32_t i)
{
	struct wrun *r = &w->runs[i];
	r->run_id = i + 1;
	r->route = (uint32_t)rng_below(&w->rng, w->route_count);
	r->epochs = (uint32_t)world_pick(w, 1, 2);
	r->suite_items = world_pick(w, 1, WORLD_SAMPLES / r->epochs / (1 + rng_below(&w->rng, 4)));
	r->layers[r->layer_count++] = (struct position_layer){ 0, 0, r->suite_items * r->epochs };
	bool poisonous = world_chance(w, 20), faulty = world_chance(w, 30);
	for (uint32_t n = 0; n < WORLD_SAMPLES; n++) {
		r->poison[n] = poisonous && world_chance(w, 4);
		w->poison_count += r->poison[n];
		r->broken[n] = faulty && world_chance(w, 10);
	}
}

void world_begin(struct world *w, uint64_t seed)
{
	*w = (struct world){ .seed = seed, .tick_at_ms = UINT64_MAX };
	rng_seed(&w->rng, seed);
	w->worker_count = (uint32_t)world_pick(w, 1, WORLD_WORKERS);
	w->run_count = (uint32_t)world_pick(w, 1, WORLD_RUNS);
	w->route_count = (uint32_t)world_pick(w, 1, 2);
	for (uint32_t i = 0; i < 2; i++)
		w->concurrency[i] = world_chance(w, 50) ? 0 : (uint32_t)world_pick(w, 1, 16);
	w->faults_until_ms = world_pick(w, 5000, 60000);
	for (uint32_t i = 0; i < w->run_count; i++)
		begin_run(w, i);
	desk_begin_term(w);
	for (uint32_t i = 0; i < w->worker_count; i++) {
		crew_begin(w, i);
		world_at(w, i, EV_WORKER, i, 0, NULL);
	}
	world_at(w, world_pick(w, 100, 5000), EV_FAULT, UINT32_MAX, 0, NULL);
}

void world_end(struct world *w)
{
	while (w->queue_len)
		mem_free(w->queue[--w->queue_len].body);
	mem_free(w->queue);
	schedule_free(w->s);
}

/* ---- faults ---- */

static void fault(struct world *w)
{
	uint32_t i = (uint32_t)rng_below(&w->rng, w->worker_count);
	struct wworker *c = &w->workers[i];
	switch (rng_below(&w->rng, 8)) {
	case 0:
	case 1:
		if (c->alive)
			crew_kill(w, i, world_chance(w, 70));
		break;
	case 2: /* the wire breaks; the coordinator may hear of it late */
		if (c->connected) {
			world_log(w, "worker %u (w%u) loses its wire", i, c->worker_id);
			if (world_chance(w, 50))
				desk_gone(w, i);
			crew_lose_connection(w, i);
		}
		break;
	case 3: /* cut off for a while: nothing gets through, nobody is told */
		world_log(w, "worker %u (w%u) is cut off", i, c->worker_id);
		c->deaf = true;
		world_at(w, w->now_ms + world_pick(w, 500, 15000), EV_HEAL, i, 0, NULL);
		break;
	case 4:
		if (w->s && world_chance(w, 40))
			desk_fall(w);
		break;
	case 5:
		w->store_stalled_until_ms = w->now_ms + world_pick(w, 100, 10000);
		world_log(w, "store stalls until %llu", (unsigned long long)w->store_stalled_until_ms);
		break;
	case 6:
		c->full = !c->full;
		break;
	default:
		desk_change(w);
	}
}

static void end_faults(struct world *w)
{
	for (uint32_t i = 0; i < w->worker_count; i++)
		w->workers[i].full = false;
}

/* ---- life ---- */

static void heal(struct world *w, const struct world_event *ev)
{
	struct wworker *c = &w->workers[ev->worker];
	if (ev->conn == 0) {
		c->deaf = false;
		if (c->connected) { /* it has noticed the silence and begins anew */
			if (world_chance(w, 50))
				desk_gone(w, ev->worker);
			crew_lose_connection(w, ev->worker);
		}
	} else if (ev->conn == c->conn && c->connected && !c->welcomed) {
		crew_lose_connection(w, ev->worker);
	}
}

static void happen(struct world *w, const struct world_event *ev)
{
	struct wworker *c = &w->workers[ev->worker < WORLD_WORKERS ? ev->worker : 0];
	switch (ev->kind) {
	case EV_TICK:
		if (ev->conn == w->epoch)
			desk_tick(w);
		return;
	case EV_TO_WORKER:
		if (!c->deaf)
			crew_arrived(w, ev->worker, ev->conn, ev->body);
		return;
	case EV_TO_COORDINATOR:
		if (!c->deaf)
			desk_arrived(w, ev->worker, ev->conn, ev->body);
		return;
	case EV_WORKER:
		crew_turn(w, ev->worker);
		world_at(w, w->now_ms + WORKER_TURN_MS, EV_WORKER, ev->worker, 0, NULL);
		return;
	case EV_ASK_END:
		crew_ask_end(w, ev->worker, ev->body);
		return;
	case EV_SCORE_END:
		crew_score_end(w, ev->worker, ev->body);
		return;
	case EV_CONNECT:
		crew_connect(w, ev->worker);
		return;
	case EV_STORE:
		desk_store(w, ev->body);
		return;
	case EV_SHELL:
		desk_shell(w, ev->body);
		return;
	case EV_HEAL:
		heal(w, ev);
		return;
	case EV_RESTART_WORKER:
		crew_restart(w, ev->worker);
		return;
	case EV_RESTART_COORDINATOR:
		world_log(w, "coordinator rises");
		desk_begin_term(w);
		return;
	default:
		if (ev->worker != UINT32_MAX) { /* poison */
			if (c->alive && ev->conn == c->life)
				crew_kill(w, ev->worker, world_chance(w, 80));
			return;
		}
		if (w->now_ms >= w->faults_until_ms) {
			end_faults(w);
			return;
		}
		fault(w);
		world_at(w, w->now_ms + world_pick(w, 100, 6000), EV_FAULT, UINT32_MAX, 0, NULL);
	}
}

static bool all_ended(const struct world *w)
{
	for (uint32_t i = 0; i < w->run_count; i++)
		if (!w->runs[i].ended)
			return false;
	return w->s != NULL && w->now_ms > w->faults_until_ms;
}

static void check_rows(struct world *w)
{
	for (uint32_t i = 0; i < w->run_count; i++) {
		const struct wrun *r = &w->runs[i];
		for (uint64_t n = 0; n < r->suite_items * r->epochs; n++) {
			if (!r->rows[n].there && r->state != SCHED_STATE_CANCELLED)
				world_break(w, "I1", "run %u is over and sample %u has no row", i + 1, (unsigned)n);
			if (r->poison[n] && r->rows[n].there && r->rows[n].outcome == OUTCOME_SCORED)
				world_break(w, "world", "a poison sample was scored");
		}
	}
}

static void log_what_waits(struct world *w)
{
	struct sched_run_view r;
	struct sched_worker_view v;
	for (size_t i = 0; w->s && i < schedule_run_count(w->s); i++) {
		schedule_run_view(w->s, i, w->now_ms, &r);
		world_log(w, "run %u waits: %s; pending %u, out %u, storing %u", (unsigned)r.run_id, r.text,
		          (unsigned)r.pending, (unsigned)r.in_flight, (unsigned)r.storing);
	}
	for (size_t i = 0; w->s && i < schedule_worker_count(w->s); i++) {
		schedule_worker_view(w->s, i, &v);
		world_log(w, "w%u of %u: %s%s holds %u in %u leases", v.worker_id, v.outbox.bytes[0] - 1u,
		          v.connected ? "connected" : "gone", v.alone ? ", alone," : "", (unsigned)v.held,
		          v.lease_count);
	}
	for (uint32_t i = 0; i < w->worker_count; i++) {
		const struct wworker *c = &w->workers[i];
		world_log(w, "worker %u: slots %u granted %u %u asking %u %u, %s %s full %d", i, c->slots,
		          c->granted[0], c->granted[1], c->asking[0], c->asking[1], c->connected ? "connected" : "away",
		          c->welcomed ? "welcome" : "", c->full);
		for (uint32_t run = 0; run < w->run_count; run++)
			for (uint32_t n = 0; n < WORLD_SAMPLES; n++)
				if (c->hold[run][n].state != HOLD_NONE)
					world_log(w, "  holds r%u:%u state %d ask %u lease %d", run + 1, n,
					          c->hold[run][n].state, (unsigned)c->hold[run][n].ask_id,
					          (int)c->hold[run][n].lease);
	}
}

bool world_run(struct world *w)
{
	while (w->queue_len && !w->broken && !all_ended(w)) {
		struct world_event ev = take(w);
		w->now_ms = ev.at_ms;
		happen(w, &ev);
		mem_free(ev.body);
		if (w->now_ms > w->faults_until_ms + SETTLE_MS + w->poison_count * POISON_MS) {
			log_what_waits(w);
			world_break(w, "I6", "a run has not ended long after the last fault");
		}
	}
	if (!w->broken)
		check_rows(w);
	return !w->broken;
}
