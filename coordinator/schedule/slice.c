#include "coordinator/schedule/slice.h"
#include "common/base/mem.h"
#include "coordinator/schedule/action.h"
#include "coordinator/schedule/route.h"

enum { RATE_MS_MIN = 100, PAUSE_JITTER_PART = 10 };

struct slice *slice_of(const struct schedule *s, struct worker *w, uint32_t route)
{
	if (route >= w->slice_count) {
		w->slices = mem_grow(w->slices, s->route_count, sizeof(*w->slices));
		for (size_t i = w->slice_count; i < s->route_count; i++) {
			w->slices[i] = (struct slice){ .hungry_prev = NO_SLOT, .hungry_next = NO_SLOT };
			w->slices[i].unable = route_unable(s->routes[i], w->able);
		}
		w->slice_count = s->route_count;
	}
	return &w->slices[route];
}

static void unhungry(struct schedule *s, struct worker *w, uint32_t route)
{
	struct slice *sl = slice_of(s, w, route);
	struct route *r = s->routes[route];
	if (!sl->hungry)
		return;
	sl->hungry = false;
	if (sl->hungry_prev == NO_SLOT)
		r->first_hungry = sl->hungry_next;
	else
		slice_of(s, s->workers[sl->hungry_prev], route)->hungry_next = sl->hungry_next;
	if (sl->hungry_next == NO_SLOT)
		r->last_hungry = sl->hungry_prev;
	else
		slice_of(s, s->workers[sl->hungry_next], route)->hungry_prev = sl->hungry_prev;
}

static void hungry(struct schedule *s, struct worker *w, uint32_t route)
{
	struct slice *sl = slice_of(s, w, route);
	struct route *r = s->routes[route];
	sl->hungry = true;
	sl->hungry_next = NO_SLOT;
	sl->hungry_prev = r->last_hungry;
	if (r->last_hungry == NO_SLOT)
		r->first_hungry = w->slot;
	else
		slice_of(s, s->workers[r->last_hungry], route)->hungry_next = w->slot;
	r->last_hungry = w->slot;
}

void slice_update_hunger(struct schedule *s, struct worker *w, uint32_t route, bool to_the_back)
{
	bool wants = slice_want(s, w, route) > 0;
	if (slice_of(s, w, route)->hungry && (!wants || to_the_back))
		unhungry(s, w, route);
	if (wants && !slice_of(s, w, route)->hungry)
		hungry(s, w, route);
}

void slice_update_all(struct schedule *s, struct worker *w)
{
	for (uint32_t i = 0; i < s->route_count; i++)
		if (s->routes[i]->run_count > 0)
			slice_update_hunger(s, w, i, false);
}

void slice_judge(struct schedule *s, struct worker *w, uint32_t route)
{
	struct slice *sl = slice_of(s, w, route);
	sl->unable = route_unable(s->routes[route], w->able);
	sl->refused_work = false;
	s->routes[route]->split_due = true;
}

/* ---- credit ---- */

/* Samples that a worker should hold beyond those that it is asking: about a second of its work. */
static uint64_t queue_of(const struct schedule *s, const struct slice *sl)
{
	if (sl->rate <= 0)
		return sl->told / 4 + 1;
	uint64_t queue = (uint64_t)(sl->rate * s->config.hold_ms / 1000) + 1;
	return MAX_OF(queue, sl->told / 16 + 1);
}

static bool may_serve(const struct schedule *s, const struct worker *w)
{
	return w->used && w->known && w->connected && w->renewed && !w->expired && !w->draining && !s->draining;
}

uint64_t slice_want(const struct schedule *s, struct worker *w, uint32_t route)
{
	const struct slice *sl = slice_of(s, w, route);
	if (!may_serve(s, w) || w->alone || sl->unable || sl->refused_work || sl->told == 0 || w->out >= w->limit ||
	    w->lease_count >= WORKER_LEASES_MAX)
		return 0;
	uint64_t limit = sl->listed ? sl->limit : sl->told;
	uint64_t queue = queue_of(s, sl);
	if (sl->out >= limit || sl->out > sl->told + queue / 2)
		return 0;
	uint64_t want = MIN_OF(w->limit - w->out, limit - sl->out);
	uint64_t room = sl->told + queue - MIN_OF(sl->out, sl->told + queue);
	return MIN_OF(want, room);
}

uint64_t slice_hunger(const struct schedule *s, uint32_t route)
{
	uint64_t hunger = 0;
	if (route == NO_SLOT)
		return 0;
	for (uint32_t i = s->routes[route]->first_hungry; i != NO_SLOT;) {
		hunger += slice_want(s, s->workers[i], route);
		i = slice_of(s, s->workers[i], route)->hungry_next;
	}
	return hunger;
}

void slice_count(struct schedule *s, struct worker *w, uint32_t route, uint32_t samples)
{
	struct slice *sl = slice_of(s, w, route);
	uint64_t elapsed_ms = s->now_ms - sl->rate_from_ms;
	if (sl->rate_from_ms == 0 || elapsed_ms > 60 * 1000) {
		sl->rate_from_ms = s->now_ms;
		sl->rate_count = 0;
	} else if (elapsed_ms >= RATE_MS_MIN && sl->rate_count > 0) {
		double seen = (double)sl->rate_count * 1000 / (double)elapsed_ms;
		sl->rate = seen < sl->rate ? (3 * sl->rate + seen) / 4 : seen;
		sl->rate_count = 0;
		sl->rate_from_ms = s->now_ms;
	}
	sl->rate_count += samples;
}

/* ---- grants ---- */

void slice_grant(struct schedule *s, struct worker *w, uint32_t route, uint32_t slots, struct sched_actions *out)
{
	struct slice *sl = slice_of(s, w, route);
	struct route *r = s->routes[route];
	r->serving += slots > 0;
	r->serving -= sl->told > 0;
	sl->told = slots;
	sl->reserve = MAX_OF(sl->reserve, slots);
	sl->told_no = ++w->frame_no;
	sl->granted = true;
	uint64_t pause_ms = route_is_paused(s, r) ? r->paused_until_ms - s->now_ms : 0;
	if (pause_ms)
		pause_ms += rng_below(&s->rng, pause_ms / PAUSE_JITTER_PART + 1);
	struct sched_action *a = action_add(out, SCHED_DO_GRANT);
	a->grant.worker_id = w->worker_id;
	a->grant.frame_no = sl->told_no;
	a->grant.route_id = r->route_id;
	a->grant.slots = slots;
	a->grant.pause_ms = (uint32_t)pause_ms;
	slice_update_hunger(s, w, route, false);
}

void slice_joined(struct schedule *s, struct worker *w, struct sched_actions *out)
{
	for (uint32_t i = 0; i < s->route_count; i++) {
		struct slice *sl = slice_of(s, w, i);
		sl->listed = sl->granted = false;
		sl->told_no = 0;
		if (sl->told > 0 &&
		    (w->draining || sl->unable)) /* has no share any more, but may finish what it holds */
			slice_grant(s, w, i, sl->told, out);
		s->routes[i]->split_due = true;
	}
}

void slice_disown(struct schedule *s, struct worker *w, const struct msg_renew *renew, struct sched_actions *out)
{
	for (size_t i = 0; i < renew->route_count; i++) {
		const uint32_t *slot = map_get_u64(&s->route_slots, renew->routes[i].route_id);
		if (slot && renew->routes[i].slots > 0 && !slice_of(s, w, *slot)->granted)
			slice_grant(s, w, *slot, slice_of(s, w, *slot)->told, out);
	}
}

void slice_lost(struct schedule *s, struct worker *w)
{
	for (uint32_t i = 0; i < w->slice_count; i++) {
		struct slice *sl = &w->slices[i];
		unhungry(s, w, i);
		s->routes[i]->serving -= sl->told > 0;
		s->routes[i]->split_due = true;
		sl->told = sl->reserve = sl->in_flight = sl->wanted = 0;
		sl->granted = sl->listed = false;
	}
}

void slice_renewed(struct schedule *s, struct worker *w, const struct msg_renew *renew)
{
	for (uint32_t i = 0; i < s->route_count; i++) {
		struct slice *sl = slice_of(s, w, i);
		sl->in_flight = sl->wanted = 0;
		sl->listed = false;
	}
	for (size_t i = 0; i < renew->route_count; i++) {
		const struct msg_route_use *use = &renew->routes[i];
		const uint32_t *slot = map_get_u64(&s->route_slots, use->route_id);
		if (!slot)
			continue;
		struct slice *sl = slice_of(s, w, *slot);
		sl->listed = true;
		sl->in_flight = use->in_flight;
		/* without a slot it cannot say what it wants of this route: all that it wants may be meant */
		sl->wanted = use->slots > 0 ? use->wanted : renew->wanted;
	}
	for (uint32_t i = 0; i < s->route_count; i++) {
		struct slice *sl = slice_of(s, w, i);
		uint32_t used = MAX_OF(sl->told, sl->in_flight);
		if (renew->frame_seen >= sl->told_no && used < sl->reserve) {
			sl->reserve = used;
			s->routes[i]->split_due = true;
		} else {
			sl->reserve = MAX_OF(sl->reserve, used);
		}
	}
}
