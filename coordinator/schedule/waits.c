/* What screens, metrics and tests ask: views of runs, workers and routes, and what an unfinished run waits for. */
#include "coordinator/schedule/items.h"
#include "coordinator/schedule/lease.h"
#include "coordinator/schedule/route.h"
#include "coordinator/schedule/run.h"
#include "coordinator/schedule/slice.h"
#include <stdio.h>

#define ULL(x) (unsigned long long)(x)

struct fleet { /* why no worker serves a route: the nearest that any of them comes to it */
	bool able, has_slice, hungry;
	unsigned whole, failing; /* able ones that can write their outboxes, and that cannot */
	struct str failing_name;
	enum unable nearest;
};

static struct fleet fleet_of(const struct schedule *s, uint32_t route)
{
	struct fleet f = { .nearest = UNABLE_PROVIDER };
	for (size_t i = 0; i < s->worker_slots_used; i++) {
		struct worker *w = s->workers[i];
		if (!w->used || !w->connected)
			continue;
		const struct slice *sl = slice_of(s, w, route);
		if (sl->unable) {
			f.nearest = MAX_OF(f.nearest, sl->unable);
			continue;
		}
		f.able = true;
		if (w->outbox_fails) {
			f.failing++;
			f.failing_name = w->name;
		} else {
			f.whole++;
		}
		f.has_slice |= sl->told > 0;
		f.hungry |= sl->hungry;
	}
	return f;
}

static enum sched_wait unable_wait(const struct schedule *s, const struct run *r, enum unable nearest, char *text,
                                   size_t size)
{
	const struct route *route = s->routes[r->route];
	switch (nearest) {
	case UNABLE_ALIAS:
		(void)snprintf(text, size, "no connected worker has the key '%.*s'", STR_ARG(route->alias));
		return WAIT_NO_ALIAS;
	case UNABLE_ADDRESS:
		(void)snprintf(text, size, "no connected worker may reach the host '%.*s'",
		               STR_ARG(route->endpoint_host));
		return WAIT_NO_ADDRESS;
	case UNABLE_HOST:
		(void)snprintf(text, size, "no connected worker can run the server '%.*s'",
		               STR_ARG(route->host_command));
		return WAIT_NO_HOST;
	default:
		(void)snprintf(text, size, "no connected worker speaks '%.*s'", STR_ARG(route->provider));
		return WAIT_NO_PROVIDER;
	}
}

static bool says_paused(const struct route *route, uint64_t now_ms, char *text, size_t size)
{
	if (route->paused_until_ms <= now_ms)
		return false;
	(void)snprintf(text, size, "route %.*s is paused for %llu s more: rate limited", STR_ARG(route->name),
	               ULL((route->paused_until_ms - now_ms + 999) / 1000));
	return true;
}

/* A model server of a worker's own takes its time to load: samples are out, and none of that route ever came back. */
static bool says_host_starts(const struct schedule *s, const struct run *r, char *text, size_t size)
{
	const struct route *route = r->route == NO_SLOT ? NULL : s->routes[r->route];
	if (!route || !route->host_command.len || r->leased == 0)
		return false;
	for (size_t i = 0; i < s->worker_slots_used; i++) {
		struct worker *w = s->workers[i];
		if (w->used && w->connected &&
		    (slice_of(s, w, r->route)->rate > 0 || slice_of(s, w, r->route)->rate_count > 0))
			return false;
	}
	(void)snprintf(text, size,
	               "the model server '%.*s' has not answered yet: it starts, or its first answers take long",
	               STR_ARG(route->host_command));
	return true;
}

static enum sched_wait route_wait(const struct schedule *s, const struct run *r, uint64_t now_ms, char *text,
                                  size_t size)
{
	if (r->route == NO_SLOT) {
		(void)snprintf(text, size, "its route %u is not known", r->route_id);
		return WAIT_NO_ROUTE;
	}
	const struct route *route = s->routes[r->route];
	if (route->blocked) {
		(void)snprintf(text, size, "%.*s", STR_ARG(route->blocked_text));
		return WAIT_ROUTE_BLOCKED;
	}
	if (says_paused(route, now_ms, text, size))
		return WAIT_ROUTE_PAUSED;
	if (s->connected_count == 0) {
		(void)snprintf(text, size, "no worker is connected");
		return WAIT_NO_WORKER;
	}
	return WAIT_NOTHING;
}

static enum sched_wait run_wait(const struct schedule *s, struct run *r, uint64_t now_ms, char *text, size_t size)
{
	text[0] = '\0';
	if (r->state != SCHED_STATE_RUNNING || run_pending(r) == 0) {
		if (r->leased == 0 && run_storing(r) > 0) {
			(void)snprintf(text, size, "%llu row%s being written", ULL(run_storing(r)),
			               run_storing(r) == 1 ? " is" : "s are");
			return WAIT_STORE;
		}
		/* What is with workers waits for the provider as well. */
		if (r->state == SCHED_STATE_RUNNING && r->route != NO_SLOT &&
		    says_paused(s->routes[r->route], now_ms, text, size))
			return WAIT_ROUTE_PAUSED;
		if (says_host_starts(s, r, text, size))
			return WAIT_HOST_STARTS;
		if (r->leased == 1)
			(void)snprintf(text, size, "the last sample is with a worker");
		else
			(void)snprintf(text, size, "all %llu samples left are with workers", ULL(r->leased));
		return WAIT_IN_FLIGHT;
	}
	if (s->draining) {
		(void)snprintf(text, size, "this coordinator is stopping: %.*s", STR_ARG(s->drain_reason));
		return WAIT_DRAINING;
	}
	if (now_ms >= s->leads_until_ms) {
		(void)snprintf(text, size, "the database does not answer: nothing new is lent");
		return WAIT_STORE;
	}
	enum sched_wait wait = route_wait(s, r, now_ms, text, size);
	if (wait != WAIT_NOTHING)
		return wait;
	struct fleet f = fleet_of(s, r->route);
	if (!f.able)
		return unable_wait(s, r, f.nearest, text, size);
	if (r->ready && f.hungry)
		return WAIT_NOTHING;
	if (f.failing > 0 && f.whole == 0) {
		(void)snprintf(text, size, "%u worker%s cannot write to disk: no room, or it is broken (%.*s)",
		               f.failing, f.failing == 1 ? "" : "s", STR_ARG(f.failing_name));
		return WAIT_WORKER_DISK;
	}
	if (r->ready || r->suspects.len > 0) {
		if (says_host_starts(s, r, text, size))
			return WAIT_HOST_STARTS;
		(void)snprintf(text, size, "%s",
		               f.has_slice ? "workers are full, or serve runs that go first"
		                           : "the route's concurrency is lent out");
		return f.has_slice ? WAIT_NO_CREDIT : WAIT_NO_SLICE;
	}
	if (items_wait(r)) {
		(void)snprintf(text, size, "items are being read");
		return WAIT_ITEMS;
	}
	if (r->sent_asked > r->sent_to) {
		(void)snprintf(text, size, "position %llu is being written", ULL(r->sent_asked));
		return WAIT_SENT_TO;
	}
	(void)snprintf(text, size, "workers of the last term may hold %llu samples; at most %llu s more",
	               ULL(run_pending(r)),
	               ULL(s->perhaps_until_ms > now_ms ? (s->perhaps_until_ms - now_ms + 999) / 1000 : 0));
	return WAIT_PERHAPS_HELD;
}

static uint64_t started_of(const struct schedule *s, const struct run *r)
{
	uint64_t started = 0;
	for (uint32_t i = r->first_lease; i != NO_SLOT; i = s->leases[i]->run_next) {
		const struct lease *l = s->leases[i];
		for (uint32_t word = 0; word < lease_words(l); word++)
			started += (uint64_t)__builtin_popcountll(l->live_bits[word] &
			                                          (l->answers ? UINT64_MAX : l->started_bits[word]));
	}
	return started;
}

/* Leases of a run stand oldest first, and so do the samples that are out. */
static void list_stragglers(const struct schedule *s, const struct run *r, uint64_t now_ms, struct sched_run_view *v)
{
	for (uint32_t slot = r->first_lease; slot != NO_SLOT; slot = s->leases[slot]->run_next) {
		const struct lease *l = s->leases[slot];
		for (uint32_t k = 0; k < l->count; k++) {
			uint64_t bit = UINT64_C(1) << (k % 64);
			if (!(l->live_bits[k / 64] & bit))
				continue;
			if (v->straggler_count == SCHED_STRAGGLERS_MAX)
				return;
			struct sched_straggler *one = &v->stragglers[v->straggler_count++];
			one->sample_no = l->sample_nos[k];
			one->age_ms = now_ms - MIN_OF(l->lent_ms, now_ms);
			one->started = l->answers || (l->started_bits[k / 64] & bit);
			(void)snprintf(one->worker, sizeof(one->worker), "%.*s", STR_ARG(s->workers[l->worker]->name));
		}
	}
}

size_t schedule_run_count(const struct schedule *s)
{
	return s->run_slots.len;
}

static struct run *nth_run(const struct schedule *s, size_t n)
{
	for (size_t i = 0; i < s->run_cap; i++)
		if (s->runs[i] && n-- == 0)
			return s->runs[i];
	return NULL;
}

bool schedule_find_run(const struct schedule *s, uint64_t run_id, size_t *ret_i)
{
	const struct run *r = run_find(s, run_id);
	size_t n = 0;
	for (size_t i = 0; r && i < r->slot; i++)
		n += s->runs[i] != NULL;
	if (r)
		*ret_i = n;
	return r != NULL;
}

void schedule_run_view(const struct schedule *s, size_t i, uint64_t now_ms, struct sched_run_view *ret_view)
{
	struct run *r = nth_run(s, i);
	*ret_view = (struct sched_run_view){ 0 };
	if (!r)
		return;
	ret_view->run_id = r->run_id;
	ret_view->state = r->state;
	ret_view->total = r->total;
	ret_view->done = r->done.count - r->unselected;
	ret_view->missing = r->missing.count;
	ret_view->in_flight = r->leased;
	ret_view->started = started_of(s, r);
	ret_view->storing = run_storing(r);
	ret_view->pending = run_pending(r);
	ret_view->sent_to = r->sent_to;
	ret_view->suite_items = r->suite_items;
	list_stragglers(s, r, now_ms, ret_view);
	if (r->first_lease != NO_SLOT)
		ret_view->oldest_in_flight_ms = now_ms - MIN_OF(s->leases[r->first_lease]->lent_ms, now_ms);
	ret_view->wait = run_wait(s, r, now_ms, ret_view->text, sizeof(ret_view->text));
}

size_t schedule_worker_count(const struct schedule *s)
{
	return s->worker_count;
}

void schedule_worker_view(const struct schedule *s, size_t i, struct sched_worker_view *ret_view)
{
	*ret_view = (struct sched_worker_view){ 0 };
	for (size_t slot = 0; slot < s->worker_slots_used; slot++) {
		const struct worker *w = s->workers[slot];
		if (!w->used || i-- > 0)
			continue;
		*ret_view = (struct sched_worker_view){ .worker_id = w->worker_id,
			                                .outbox = w->outbox,
			                                .name = w->name,
			                                .connected = w->connected,
			                                .draining = w->draining,
			                                .alone = w->alone,
			                                .outbox_fails = w->outbox_fails,
			                                .slots = w->slots,
			                                .lease_count = w->lease_count,
			                                .loop_lag_ms = w->loop_lag_ms,
			                                .held = w->out,
			                                .deadline_ms = w->lease_count ? w->deadline_ms : UINT64_MAX };
		for (size_t k = 0; k < w->slice_count; k++)
			ret_view->samples_per_s += w->slices[k].rate;
		for (size_t k = 0; k < w->held_count; k++) {
			const struct lease *l = w->held[k].lease == NO_SLOT ? NULL : s->leases[w->held[k].lease];
			for (uint32_t word = 0; l && !l->ghost && word < lease_words(l); word++)
				ret_view->started +=
					(uint64_t)__builtin_popcountll(l->live_bits[word] & l->started_bits[word]);
		}
		return;
	}
}

size_t schedule_route_count(const struct schedule *s)
{
	return s->route_count;
}

void schedule_route_view(const struct schedule *s, size_t i, struct sched_route_view *ret_view)
{
	*ret_view = (struct sched_route_view){ 0 };
	if (i >= s->route_count)
		return;
	const struct route *route = s->routes[i];
	ret_view->route_id = route->route_id;
	ret_view->concurrency = route->concurrency;
	ret_view->paused_until_ms = route->paused_until_ms;
	ret_view->blocked = route->blocked;
	ret_view->name = route->name;
	ret_view->blocked_text = route->blocked_text;
	for (size_t k = 0; k < s->worker_slots_used; k++)
		if (s->workers[k]->used)
			ret_view->told += slice_of(s, s->workers[k], (uint32_t)i)->told;
}
