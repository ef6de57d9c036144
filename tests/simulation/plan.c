#include "tests/simulation/plan.h"
#include "common/base/base.h"

static uint64_t pick(struct rng *r, uint64_t from, uint64_t to)
{
	return to <= from ? from : from + rng_below(r, to - from + 1);
}

static bool chance(struct rng *r, uint32_t per_mille)
{
	return rng_below(r, 1000) < per_mille;
}

/* Each power of two as likely as the next: most are small, some as large as can be. */
static uint64_t skewed(struct rng *r, uint32_t max_log)
{
	uint64_t top = UINT64_C(1) << rng_below(r, max_log + 1);
	return pick(r, (top + 1) / 2, top);
}

static void draw_workers(struct plan *p, struct rng *r)
{
	p->worker_count = (uint32_t)skewed(r, 6);
	uint32_t slow_wires = chance(r, 200) ? 200 : 5;
	for (uint32_t i = 0; i < p->worker_count; i++)
		p->workers[i] = (struct plan_worker){ .slots = (uint32_t)skewed(r, 5),
			                              .nets = (uint32_t)pick(r, 1, 3),
			                              .delay_ms = (uint32_t)pick(r, 0, slow_wires),
			                              .lag_ms = (uint32_t)pick(r, 0, 4) };
}

static void draw_runs(struct plan *p, struct rng *r, uint64_t sample_count)
{
	p->team_count = (uint32_t)pick(r, 1, 3);
	uint64_t run_count = skewed(r, 5);
	p->run_count = (uint32_t)MIN_OF(run_count, (uint64_t)PLAN_RUNS_MAX);
	p->sample_count = sample_count ? sample_count : pick(r, 50, 3950);
	if (!sample_count && chance(r, 15))
		p->sample_count *= 8;
	bool poisonous = chance(r, 150), faulty = chance(r, 250);
	uint64_t left = p->sample_count;
	for (uint32_t i = 0; i < p->run_count; i++) {
		struct plan_run *run = &p->runs[i];
		uint64_t share = i + 1 == p->run_count ? left : pick(r, 0, 2 * left / (p->run_count - i));
		share = MAX_OF(MIN_OF(share, left), UINT64_C(1));
		left -= MIN_OF(left, share);
		run->epochs = chance(r, 300) ? (uint32_t)pick(r, 2, 4) : 1;
		run->items = MAX_OF(share / run->epochs, UINT64_C(1));
		run->epochs_max = run->epochs;
		run->route = (uint32_t)rng_below(r, p->route_count);
		run->team = (uint32_t)rng_below(r, p->team_count);
		run->priority = (int32_t)rng_below(r, 3);
		run->at_ms = i == 0 || chance(r, 600) ? 0 : pick(r, 0, 15000);
		run->attempts_max = (uint32_t)pick(r, 2, 5);
		run->poison_per_mille = poisonous && chance(r, 500) ? 1 : 0;
		run->broken_per_mille = faulty && chance(r, 500) ? (uint32_t)pick(r, 1, 60) : 0;
		run->unscored_per_mille = chance(r, 300) ? (uint32_t)pick(r, 1, 50) : 0;
	}
}

static void draw_storms(struct plan_route *route, struct rng *r)
{
	static const int statuses[] = { 429, 500, 503 };
	route->storm_count = chance(r, 300) ? pick(r, 1, PLAN_STORMS_MAX) : 0;
	for (size_t i = 0; i < route->storm_count; i++) {
		struct plan_storm *s = &route->storms[i];
		s->from_ms = pick(r, 0, 20000);
		s->to_ms = s->from_ms + pick(r, 200, 8000);
		s->per_mille = (uint32_t)pick(r, 100, 1000);
		s->status = statuses[rng_below(r, ARRAY_LEN(statuses))];
		s->retry_after_ms = s->status == 429 && chance(r, 500) ? (int64_t)pick(r, 1, 3) * 1000 : -1;
	}
}

/* Latency is what makes the work of this world last a few seconds to a minute, whatever its size. */
static void draw_routes(struct plan *p, struct rng *r)
{
	uint64_t slots = 0;
	for (uint32_t i = 0; i < p->worker_count; i++)
		slots += p->workers[i].slots;
	for (uint32_t i = 0; i < p->route_count; i++) {
		struct plan_route *route = &p->routes[i];
		route->concurrency = chance(r, 500) ? 0 : (uint32_t)skewed(r, 8);
		uint64_t together = route->concurrency ? MIN_OF(slots, (uint64_t)route->concurrency) : slots;
		uint64_t lasts_ms = pick(r, 2000, chance(r, 100) ? 60000 : 12000);
		uint64_t latency_ms = lasts_ms * MAX_OF(together, UINT64_C(1)) / MAX_OF(p->sample_count, UINT64_C(1));
		route->latency_ms = MIN_OF(MAX_OF(latency_ms, UINT64_C(2)), UINT64_C(3000));
		route->tail_per_mille = chance(r, 300) ? (uint32_t)pick(r, 1, 30) : 0;
		route->fail_per_mille = chance(r, 500) ? (uint32_t)pick(r, 1, 60) : 0;
		draw_storms(route, r);
	}
}

static struct plan_fault draw_fault(const struct plan *p, struct rng *r, uint64_t at_ms, uint32_t allowed)
{
	struct plan_fault f = { .at_ms = at_ms, .who = (uint32_t)rng_below(r, p->worker_count) };
	do
		f.kind = (enum plan_fault_kind)rng_below(r, FAULT_KIND_COUNT);
	while (!(allowed >> f.kind & 1));
	f.amount = (uint32_t)rng_next(r);
	f.for_ms = pick(r, 100, chance(r, 300) ? 45000 : 8000);
	switch (f.kind) {
	case FAULT_COORD_KILL:
	case FAULT_COORD_PAUSE:
	case FAULT_COORD_LOSES_DATABASE:
	case FAULT_COORD_WALL_STEP:
		f.who = (uint32_t)rng_below(r, p->coord_count);
		f.for_ms = pick(r, 50, 12000);
		break;
	case FAULT_STORE_STALL:
		f.for_ms = pick(r, 50, chance(r, 200) ? 30000 : 5000);
		break;
	default:
		break;
	}
	return f;
}

static void draw_faults(struct plan *p, struct rng *r)
{
	p->faults_until_ms = pick(r, 2000, chance(r, 150) ? 60000 : 20000);
	size_t count = chance(r, 100) ? 0 : skewed(r, 5);
	/* each world has its own mixture, so that some have one kind of trouble only */
	uint32_t allowed = (uint32_t)rng_next(r) & ((1u << FAULT_KIND_COUNT) - 1);
	if (allowed == 0)
		allowed = 1u << FAULT_WORKER_KILL;
	p->fault_count = MIN_OF(count, (size_t)PLAN_FAULTS_MAX);
	for (size_t i = 0; i < p->fault_count; i++)
		p->faults[i] = draw_fault(p, r, pick(r, 10, p->faults_until_ms), allowed);
}

static void draw_changes(struct plan *p, struct rng *r)
{
	for (uint32_t i = 0; i < p->run_count; i++)
		p->changes[p->change_count++] = (struct plan_change){ p->runs[i].at_ms, CHANGE_START, i };
	if (!chance(r, 400))
		return;
	size_t count = skewed(r, 4);
	for (size_t i = 0; i < count && p->change_count < PLAN_CHANGES_MAX; i++) {
		struct plan_change c = { .at_ms = pick(r, 100, p->faults_until_ms + 5000),
			                 .kind = (enum plan_change_kind)(CHANGE_CANCEL + rng_below(r, 3)),
			                 .run = (uint32_t)rng_below(r, p->run_count) };
		struct plan_run *run = &p->runs[c.run];
		if (c.kind == CHANGE_EXTEND && run->epochs_max >= 6)
			c.kind = CHANGE_RETRY;
		run->epochs_max += c.kind == CHANGE_EXTEND;
		p->changes[p->change_count++] = c;
	}
}

void plan_draw(struct plan *p, struct rng *r, uint64_t sample_count)
{
	*p = (struct plan){ .route_count = (uint32_t)pick(r, 1, PLAN_ROUTES_MAX) };
	p->coord_count = chance(r, 500) ? 2 : 1;
	draw_workers(p, r);
	draw_runs(p, r, sample_count);
	draw_routes(p, r);
	draw_faults(p, r);
	draw_changes(p, r);
	p->store_ms = (uint32_t)skewed(r, 5);
	p->sync_ms = chance(r, 500) ? 0 : (uint32_t)skewed(r, 4);
	p->spoil_per_mille = chance(r, 100) ? (uint32_t)pick(r, 1, 20) : 0;
	p->encoded = chance(r, 40);
}

const char *plan_fault_name(enum plan_fault_kind kind)
{
	static const char *const names[FAULT_KIND_COUNT] = {
		[FAULT_WORKER_KILL] = "worker killed",
		[FAULT_WORKER_POWER] = "worker loses power",
		[FAULT_WORKER_LOSES_OUTBOX] = "worker killed, its outbox lost",
		[FAULT_WORKER_ROT] = "worker killed, a bit of its outbox rots",
		[FAULT_WORKER_STOP] = "worker stopped",
		[FAULT_WIRE_BREAK] = "wire breaks",
		[FAULT_CUT] = "cut off",
		[FAULT_CUT_UP] = "cut off from worker to coordinator",
		[FAULT_CUT_DOWN] = "cut off from coordinator to worker",
		[FAULT_DISK_FULL] = "disk full",
		[FAULT_THREAD_STALL] = "thread stands still",
		[FAULT_COORD_KILL] = "coordinator killed",
		[FAULT_COORD_PAUSE] = "coordinator stopped",
		[FAULT_COORD_LOSES_DATABASE] = "coordinator cut off from the database",
		[FAULT_COORD_WALL_STEP] = "wall clock steps",
		[FAULT_STORE_STALL] = "database stalls",
		[FAULT_STORE_RESTART] = "database restarts",
	};
	return names[kind];
}
