#include "coordinator/schedule/schedule.h"
#include "common/base/check.h"
#include "common/base/mem.h"
#include "coordinator/schedule/absent.h"
#include "coordinator/schedule/commit.h"
#include "coordinator/schedule/dispatch.h"
#include "coordinator/schedule/items.h"
#include "coordinator/schedule/route.h"
#include "coordinator/schedule/run.h"
#include "coordinator/schedule/run_end.h"
#include "coordinator/schedule/sent.h"
#include "coordinator/schedule/slice.h"
#include "coordinator/schedule/takeback.h"
#include "coordinator/schedule/worker.h"

enum {
	LEASE_MS = 3000,
	PERHAPS_MS = 30 * 1000,
	HOLD_MS = 1000,
	LEASE_BYTES_MAX = 900 << 10,
	WINDOW_ITEMS_MAX = 4096,
	WINDOW_BYTES_MAX = 8 << 20,
	STEP_LEASES_MAX = 512,
	TEXT_BYTES_MAX = 64 << 10,
	REASON_BYTES_MAX = 1000,
};

static uint32_t or_default(uint32_t value, uint32_t otherwise)
{
	return value ? value : otherwise;
}

struct schedule *schedule_new(const struct sched_config *config)
{
	struct schedule *s = mem_new(1, sizeof(*s));
	s->config = *config;
	s->config.lease_ms = or_default(config->lease_ms, LEASE_MS);
	s->config.perhaps_ms = or_default(config->perhaps_ms, PERHAPS_MS);
	s->config.hold_ms = or_default(config->hold_ms, HOLD_MS);
	s->config.lease_bytes_max = or_default(config->lease_bytes_max, LEASE_BYTES_MAX);
	s->config.window_items_max = or_default(config->window_items_max, WINDOW_ITEMS_MAX);
	s->config.window_bytes_max = or_default(config->window_bytes_max, WINDOW_BYTES_MAX);
	s->config.step_leases_max = or_default(config->step_leases_max, STEP_LEASES_MAX);
	rng_seed(&s->rng, config->seed);
	arena_init(&s->texts, TEXT_BYTES_MAX);
	map_init(&s->run_slots, sizeof(uint32_t));
	map_init(&s->route_slots, sizeof(uint32_t));
	map_init(&s->worker_slots, sizeof(uint32_t));
	map_init(&s->outbox_slots, sizeof(uint32_t));
	map_init(&s->last_workers, sizeof(bool));
	s->leads_until_ms = UINT64_MAX;
	s->first_due = s->last_due = s->free_worker = NO_SLOT;
	flight_init(&s->flight);
	return s;
}

void schedule_free(struct schedule *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->run_cap; i++)
		if (s->runs[i])
			run_free(s->runs[i]);
	for (size_t i = 0; i < s->route_count; i++)
		route_free(s->routes[i]);
	for (size_t i = 0; i < s->worker_slots_used; i++) {
		worker_free(s->workers[i]);
		mem_free(s->workers[i]);
	}
	for (size_t i = 0; i < s->lease_slots; i++)
		mem_free(s->leases[i]);
	mem_free(s->runs);
	mem_free(s->order);
	mem_free(s->touched);
	mem_free(s->routes);
	mem_free(s->workers);
	mem_free(s->leases);
	mem_free(s->unsettled);
	mem_free(s->unreported);
	map_done(&s->run_slots);
	map_done(&s->route_slots);
	map_done(&s->worker_slots);
	map_done(&s->outbox_slots);
	map_done(&s->last_workers);
	flight_done(&s->flight);
	arena_done(&s->texts);
	mem_free(s);
}

/* ---- events ---- */

static void last_workers(struct schedule *s, const struct sched_event *ev)
{
	for (size_t i = 0; i < ev->last_workers.count; i++) {
		const struct outbox_id *outbox = &ev->last_workers.outboxes[i];
		(void)map_put(&s->last_workers, str_make(outbox->bytes, sizeof(outbox->bytes)), NULL);
	}
	s->perhaps = s->last_workers.len > 0;
	s->perhaps_until_ms = s->now_ms + s->config.perhaps_ms;
	s->old_slices_until_ms = s->now_ms + s->config.lease_ms;
}

static void drain(struct schedule *s, struct str reason)
{
	if (s->draining)
		return;
	s->draining = true;
	s->drain_reason = arena_str(&s->texts, str_slice(reason, 0, REASON_BYTES_MAX));
	for (size_t i = 0; i < s->order_count; i++)
		run_touch(s, s->runs[s->order[i]]);
}

static void care(struct schedule *s, struct sched_actions *out)
{
	s->care_ms = s->now_ms + CARE_MS;
	for (uint32_t i = 0; i < s->route_count; i++) {
		if (s->routes[i]->run_count == 0)
			continue;
		slice_care(s, i);
		takeback_care(s, i, out);
	}
}

static void tick(struct schedule *s, struct sched_actions *out)
{
	worker_tick(s, out);
	route_tick(s);
	if (s->perhaps && s->perhaps_until_ms <= s->now_ms) {
		s->perhaps = false;
		absent_report(s, out);
		map_clear(&s->last_workers);
		run_open_gaps(s);
	}
	if (s->old_slices_until_ms && s->old_slices_until_ms <= s->now_ms) {
		s->old_slices_until_ms = 0;
		slice_all_due(s);
	}
	if (s->care_ms <= s->now_ms)
		care(s, out);
}

static void apply_run(struct schedule *s, const struct sched_event *ev, struct sched_actions *out)
{
	switch (ev->kind) {
	case SCHED_RUN_ADMIT:
		run_admit(s, ev->run, out);
		return;
	case SCHED_RUN_CANCEL:
		run_cancel(s, ev->run_id, out);
		return;
	case SCHED_RUN_RETRY:
		run_retry(s, ev->retry.run_id, ev->retry.wave, out);
		return;
	case SCHED_RUN_EXTEND:
		run_extend(s, ev->extend.run_id, ev->extend.epochs, out);
		return;
	case SCHED_SENT_TO:
		sent_durable(s, ev->sent_to.run_id, ev->sent_to.position);
		return;
	default:
		items_loaded(s, ev->items.run_id, ev->items.from, ev->items.to, ev->items.sizes, out);
	}
}

static void apply(struct schedule *s, const struct sched_event *ev, struct sched_actions *out)
{
	switch (ev->kind) {
	case SCHED_TICK:
		tick(s, out);
		return;
	case SCHED_LAST_WORKERS:
		last_workers(s, ev);
		return;
	case SCHED_ROUTE:
		route_put(s, ev->route);
		return;
	case SCHED_ROUTE_CLEAR:
		route_clear(s, ev->route_id);
		return;
	case SCHED_RUN_ADMIT:
	case SCHED_RUN_CANCEL:
	case SCHED_RUN_RETRY:
	case SCHED_RUN_EXTEND:
	case SCHED_SENT_TO:
	case SCHED_ITEMS_LOADED:
		apply_run(s, ev, out);
		return;
	case SCHED_WORKER_JOINED:
		worker_join(s, ev->joined.worker_id, ev->joined.hello, !ev->joined.unknown, out);
		return;
	case SCHED_WORKER_KNOWN:
		worker_known(s, &ev->known);
		return;
	case SCHED_WORKER_RENEWED:
		worker_renew(s, ev->renewed.worker_id, ev->renewed.renew, out);
		return;
	case SCHED_WORKER_RELEASED:
		worker_release(s, ev->released.worker_id, ev->released.released, out);
		return;
	case SCHED_WORKER_GONE:
		worker_go(s, ev->gone.worker_id, ev->gone.orderly, out);
		return;
	case SCHED_WORKER_DRAIN:
		worker_drain(s, ev->drain.worker_id, ev->drain.reason, out);
		return;
	case SCHED_COMMITTED:
		commit_records(s, &ev->committed.outbox, ev->committed.records, ev->committed.count, out);
		return;
	case SCHED_DRAIN:
		drain(s, ev->drain.reason);
		return;
	case SCHED_LEADS:
		s->leads_until_ms = ev->leads_until_ms;
		return;
	case SCHED_EVENT_COUNT:
		break;
	}
	check_msg(false, "event %d", (int)ev->kind);
}

/* ---- what follows from any event ---- */

static void settle(struct schedule *s, struct sched_actions *out)
{
	slice_split_due(s, out);
	for (size_t i = 0; i < s->touched_count; i++)
		run_end_check(s, s->runs[s->touched[i]], out);
	for (size_t i = 0; i < s->touched_count; i++)
		if (s->runs[s->touched[i]])
			dispatch_refresh(s, s->runs[s->touched[i]]);
	dispatch_all(s, out);
	for (size_t i = 0; i < s->touched_count; i++) {
		struct run *r = s->runs[s->touched[i]];
		if (!r)
			continue;
		r->touched = false;
		sent_refresh(s, r, out);
		items_refresh(s, r, out);
	}
	s->touched_count = 0;
}

void schedule_step(struct schedule *s, const struct sched_event *ev, struct sched_actions *out)
{
	check_msg(ev->now_ms >= s->now_ms, "time ran from %llu to %llu", (unsigned long long)s->now_ms,
	          (unsigned long long)ev->now_ms);
	s->now_ms = ev->now_ms;
	apply(s, ev, out);
	settle(s, out);
}

uint64_t schedule_next_deadline_ms(const struct schedule *s)
{
	if (s->more)
		return s->now_ms;
	uint64_t next_ms = worker_next_ms(s);
	if (s->perhaps)
		next_ms = MIN_OF(next_ms, s->perhaps_until_ms);
	if (s->old_slices_until_ms)
		next_ms = MIN_OF(next_ms, s->old_slices_until_ms);
	for (size_t i = 0; i < s->route_count; i++) {
		if (s->routes[i]->paused_until_ms)
			next_ms = MIN_OF(next_ms, s->routes[i]->paused_until_ms);
		if (s->routes[i]->split_due && s->routes[i]->run_count > 0)
			next_ms = MIN_OF(next_ms, s->routes[i]->split_next_ms);
	}
	if (s->order_count > 0 && s->worker_count > 0)
		next_ms = MIN_OF(next_ms, s->care_ms);
	return next_ms;
}

const struct sched_counters *schedule_counters(const struct schedule *s)
{
	return &s->counters;
}

bool schedule_quiet(const struct schedule *s)
{
	for (size_t i = 0; s->draining && i < s->run_cap; i++)
		if (s->runs[i] && s->runs[i]->out.count > 0)
			return false;
	return s->draining;
}
