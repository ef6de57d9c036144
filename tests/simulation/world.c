#include "tests/simulation/world.h"
#include "common/base/check.h"
#include "common/base/mem.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum {
	RECOUNT_STEPS = 1000,
	SETTLE_MS = 400 * 1000,
	POISON_MS = 8 * 25 * 1000, /* deaths that one takes, and the time until its worker is back */
	LAST_WORDS_MS = 40 * 1000, /* after the last run's end: late records come in */
	STEPS_MAX = 20 * 1000 * 1000,
};

void world_print(struct world *w, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	(void)printf("%8llu ", (unsigned long long)w->now_ms);
	(void)vprintf(format, args);
	(void)putchar('\n');
	va_end(args);
}

uint64_t world_pick(struct world *w, uint64_t from, uint64_t to)
{
	return to <= from ? from : from + rng_below(&w->rng, to - from + 1);
}

bool world_chance(struct world *w, uint32_t per_mille)
{
	return per_mille > 0 && rng_below(&w->rng, 1000) < per_mille;
}

uint64_t world_tail(struct world *w, uint64_t usual)
{
	uint64_t draw = rng_next(&w->rng);
	uint64_t base = usual / 2 + (usual ? (draw >> 32) % (usual + 1) : 0);
	for (uint32_t i = 0; i < 6 && (draw & 15) == 0; i++, draw >>= 4)
		base = base * 3 + 1;
	return base;
}

void world_mix(struct world *w, uint64_t what, uint64_t a, uint64_t b)
{
	w->hash = rng_mix(w->hash ^ what ^ (w->now_ms << 8) ^ rng_mix(a ^ (b << 32 | b >> 32)));
}

bool world_mutant(const struct world *w, const char *name)
{
	return w->mutant && strcmp(w->mutant, name) == 0;
}

struct outbox_id world_outbox(uint32_t outbox_no)
{
	struct outbox_id id = { 0 };
	memcpy(id.bytes, &outbox_no, sizeof(outbox_no));
	id.bytes[15] = 1;
	return id;
}

uint32_t world_outbox_no(const struct outbox_id *id)
{
	uint32_t outbox_no;
	memcpy(&outbox_no, id->bytes, sizeof(outbox_no));
	return outbox_no;
}

/* ---- the queue ---- */

static bool before(const struct event *a, const struct event *b)
{
	return a->key != b->key ? a->key < b->key : a->seq < b->seq;
}

static void push(struct world *w, struct event ev)
{
	mem_reserve(&w->queue, &w->queue_cap, w->queue_len + 1, sizeof(*w->queue));
	size_t i = w->queue_len++;
	for (; i > 0 && before(&ev, &w->queue[(i - 1) / 4]); i = (i - 1) / 4)
		w->queue[i] = w->queue[(i - 1) / 4];
	w->queue[i] = ev;
}

void world_at(struct world *w, uint64_t at_ms, enum event_kind kind, uint32_t who, uint32_t gen, uint64_t a)
{
	push(w, (struct event){ MAX_OF(at_ms, w->now_ms) * 2, w->seq++, (uint16_t)kind, (uint16_t)who, gen, a });
}

void world_after_all(struct world *w, uint64_t at_ms, enum event_kind kind, uint32_t who, uint32_t gen, uint64_t a)
{
	push(w, (struct event){ MAX_OF(at_ms, w->now_ms) * 2 + 1, w->seq++, (uint16_t)kind, (uint16_t)who, gen, a });
}

static struct event take(struct world *w)
{
	struct event first = w->queue[0], last = w->queue[--w->queue_len];
	size_t i = 0;
	for (;;) {
		size_t child = i * 4 + 1, least = child;
		if (child >= w->queue_len)
			break;
		for (size_t k = child + 1; k < MIN_OF(child + 4, w->queue_len); k++)
			if (before(&w->queue[k], &w->queue[least]))
				least = k;
		if (!before(&w->queue[least], &last))
			break;
		w->queue[i] = w->queue[least];
		i = least;
	}
	if (w->queue_len)
		w->queue[i] = last;
	return first;
}

/* ---- birth and end ---- */

static void begin_contexts(struct world *w)
{
	exec_runs_init(&w->runs);
	for (uint32_t i = 0; i < w->plan.run_count; i++) {
		struct hash hash = { { (uint8_t)(i + 1), 77 } };
		w->contexts[i] = exec_context_new(hash, STR("{\"suite_items\":1}"));
		struct exec_run *run = exec_runs_get(&w->runs, w->contexts[i]);
		run->content = &vendor_content;
		exec_runs_put(&w->runs, run);
	}
}

static void print_plan(const struct world *w)
{
	const struct plan *p = &w->plan;
	if (!w->trace)
		return;
	(void)printf("seed %llu: %u workers, %u coordinators, %u routes, %u runs, %llu samples; store %u ms, sync %u "
	             "ms%s\n",
	             (unsigned long long)w->seed, p->worker_count, p->coord_count, p->route_count, p->run_count,
	             (unsigned long long)p->sample_count, p->store_ms, p->sync_ms, p->encoded ? ", encoded" : "");
	for (uint32_t i = 0; i < p->worker_count; i++)
		(void)printf("  worker %u: %u slots, %u nets, wire %u ms\n", i, p->workers[i].slots, p->workers[i].nets,
		             p->workers[i].delay_ms);
	for (uint32_t i = 0; i < p->route_count; i++)
		(void)printf("  route %u: concurrency %u, latency %llu ms, %zu storms\n", i + 1,
		             p->routes[i].concurrency, (unsigned long long)p->routes[i].latency_ms,
		             p->routes[i].storm_count);
	for (uint32_t i = 0; i < p->run_count; i++)
		(void)printf("  run %u: %llu items x %u on route %u, team %u, priority %d, at %llu\n", i + 1,
		             (unsigned long long)p->runs[i].items, p->runs[i].epochs, p->runs[i].route + 1,
		             p->runs[i].team + 1, p->runs[i].priority, (unsigned long long)p->runs[i].at_ms);
}

void world_begin(struct world *w, uint64_t seed, const char *mutant, bool trace)
{
	uint64_t samples = w->plan.sample_count; /* set by the caller: 0 is drawn */
	memset(w, 0, sizeof(*w));
	w->seed = seed;
	w->mutant = mutant;
	w->trace = trace;
	rng_seed(&w->rng, seed);
	plan_draw(&w->plan, &w->rng, samples);
	print_plan(w);
	w->faults_until_ms = w->plan.faults_until_ms;
	arena_init(&w->scratch, (size_t)64 << 20);
	buf_init(&w->frame, WIRE_FRAME_BYTES_MAX);
	begin_contexts(w);
	oracle_begin(w);
	ledger_begin(w);
	for (uint32_t i = 0; i < w->plan.coord_count; i++) {
		desk_begin(w, i);
		world_at(w, i == 0 ? 0 : world_pick(w, 0, 3000), EV_COORD_STARTS, i, 0, 0);
	}
	for (uint32_t i = 0; i < w->plan.worker_count; i++) {
		crew_begin(w, i);
		world_at(w, world_pick(w, 0, 2000), EV_WORKER_STARTS, i, 0, 0);
	}
	for (size_t i = 0; i < w->plan.fault_count; i++)
		world_at(w, w->plan.faults[i].at_ms, EV_FAULT, 0, 0, i);
	w->changes_left = w->plan.change_count;
	for (size_t i = 0; i < w->plan.change_count; i++)
		world_at(w, w->plan.changes[i].at_ms, EV_CHANGE, 0, 0, i);
	world_at(w, w->faults_until_ms, EV_FAULT, 0, 0, UINT64_MAX);
}

void world_end(struct world *w)
{
	for (uint32_t i = 0; i < w->plan.worker_count; i++)
		crew_end(w, &w->crews[i]);
	for (uint32_t i = 0; i < w->plan.coord_count; i++)
		desk_end(w, &w->desks[i]);
	cable_free_all(w);
	ledger_end(w);
	oracle_end(w);
	mem_free(w->calls);
	mem_free(w->queue);
	exec_runs_done(&w->runs);
	for (uint32_t i = 0; i < w->plan.run_count; i++)
		exec_context_unref(w->contexts[i]);
	arena_done(&w->scratch);
	buf_done(&w->frame);
}

/* ---- life ---- */

static void happen(struct world *w, const struct event *ev)
{
	switch ((enum event_kind)ev->kind) {
	case EV_CABLE_UP:
	case EV_CABLE_DOWN:
	case EV_CABLE_OPENED:
		cable_event(w, ev);
		return;
	case EV_TURN:
	case EV_OUTBOX:
	case EV_SYNCED:
	case EV_WORKER_DIES:
	case EV_WORKER_STARTS:
	case EV_WORKER_STOPS:
	case EV_STALLED:
		crew_event(w, ev);
		return;
	case EV_ASK_END:
	case EV_SCORED:
		calls_event(w, ev);
		return;
	case EV_TICK:
	case EV_PEER_TICK:
	case EV_COORD_DIES:
	case EV_COORD_STARTS:
	case EV_COORD_WAKES:
		desk_event(w, ev);
		return;
	case EV_BEAT:
		beat_event(w, ev);
		return;
	case EV_LOADED:
		loader_event(w, ev);
		return;
	case EV_PEN:
	case EV_PEN_APPLIES:
	case EV_PEN_HEARS:
		pen_event(w, ev);
		return;
	case EV_CHANGE:
		fault_change(w, ev);
		return;
	case EV_FAULT:
		fault_event(w, ev);
		return;
	case EV_RECOUNT:
	case EV_COUNT:
		break;
	}
	check_msg(false, "event %d", ev->kind);
}

static bool runs_over(const struct world *w)
{
	for (uint32_t i = 0; i < w->plan.run_count; i++)
		if (!w->ledger.runs[i].made || w->ledger.runs[i].state == SCHED_STATE_RUNNING)
			return false;
	return true;
}

static bool all_said(const struct world *w)
{
	for (uint32_t i = 0; i < w->plan.worker_count; i++)
		if (!crew_idle(&w->crews[i]))
			return false;
	return true;
}

/* Over: faults are, all runs are, and nobody has anything left to say. */
static bool is_over(struct world *w)
{
	if (!w->faults_over || w->changes_left > 0 || !runs_over(w)) {
		w->quiet_since_ms = 0;
		return false;
	}
	if (w->quiet_since_ms == 0)
		w->quiet_since_ms = w->now_ms;
	return all_said(w) || w->now_ms > w->quiet_since_ms + LAST_WORDS_MS;
}

static uint64_t poison_count(const struct world *w)
{
	uint64_t count = 0;
	for (uint32_t i = 0; i < w->plan.run_count; i++)
		for (uint64_t n = 0; n < w->oracle.runs[i].room; n++)
			count += w->oracle.runs[i].samples[n].poison;
	return count;
}

bool world_run(struct world *w)
{
	uint64_t settle_ms = SETTLE_MS + poison_count(w) * POISON_MS, last_change_ms = 0;
	for (size_t i = 0; i < w->plan.change_count; i++)
		last_change_ms = MAX_OF(last_change_ms, w->plan.changes[i].at_ms);
	uint64_t end_ms = MAX_OF(w->faults_until_ms, last_change_ms) + settle_ms;
	while (w->queue_len && !w->oracle.broken) {
		struct event ev = take(w);
		w->now_ms = ev.key / 2;
		w->steps++;
		world_mix(w, ev.kind, ev.who, ev.gen);
		happen(w, &ev);
		if (w->steps % RECOUNT_STEPS == 0)
			oracle_recount(w);
		if (w->steps % 64 == 0 && is_over(w))
			break;
		if (w->now_ms > end_ms || w->steps > STEPS_MAX) {
			oracle_say_what_waits(w);
			oracle_break(w, "I6", "a run has not ended %llu s after the last fault",
			             (unsigned long long)((w->now_ms - w->faults_until_ms) / 1000));
		}
	}
	if (!w->oracle.broken)
		oracle_at_end(w);
	w->tally.steps = w->steps;
	w->tally.samples = w->plan.sample_count;
	w->tally.virtual_ms = w->now_ms;
	return !w->oracle.broken;
}
