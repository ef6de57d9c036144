#include "coordinator/schedule/route.h"
#include "common/base/mem.h"
#include "coordinator/schedule/run.h"
#include "coordinator/schedule/slice.h"
#include "coordinator/schedule/worker.h"

enum { ROUTE_TEXT_BYTES_MAX = 64 << 10, PAUSE_MS_MAX = 600 * 1000, PAUSE_AGAIN_MS = 250 };

static struct route *route_new(struct schedule *s, uint32_t route_id)
{
	struct route *route = mem_new(1, sizeof(*route));
	route->route_id = route_id;
	route->first_hungry = route->last_hungry = NO_SLOT;
	arena_init(&route->texts, ROUTE_TEXT_BYTES_MAX);
	mem_reserve(&s->routes, &s->route_cap, s->route_count + 1, sizeof(struct route *));
	*(uint32_t *)map_put_u64(&s->route_slots, route_id, NULL) = (uint32_t)s->route_count;
	s->routes[s->route_count++] = route;
	return route;
}

void route_free(struct route *route)
{
	arena_done(&route->texts);
	mem_free(route);
}

static uint32_t slot_of(const struct schedule *s, uint32_t route_id)
{
	const uint32_t *slot = map_get_u64(&s->route_slots, route_id);
	return slot ? *slot : NO_SLOT;
}

static void unblock(struct schedule *s, uint32_t slot)
{
	s->routes[slot]->blocked = false;
	s->routes[slot]->blocked_text = (struct str){ 0 };
	run_touch_route(s, slot);
}

/* Texts longer than a name may be are cut: they come from the database, but bounds are ours. */
static struct str keep(struct route *route, struct str text)
{
	return arena_str(&route->texts, str_slice(text, 0, WIRE_NAME_BYTES_MAX));
}

void route_put(struct schedule *s, const struct sched_route *in)
{
	uint32_t slot = slot_of(s, in->route_id);
	struct route *route = slot == NO_SLOT ? route_new(s, in->route_id) : s->routes[slot];
	slot = slot_of(s, in->route_id);
	arena_reset(&route->texts);
	route->concurrency = in->concurrency;
	route->host_slots = in->host_slots;
	route->name = keep(route, in->name);
	route->provider = keep(route, in->provider);
	route->alias = keep(route, in->alias);
	route->endpoint_host = keep(route, in->endpoint_host);
	route->host_command = keep(route, in->host_command);
	route->split_due = true;
	unblock(s, slot);
	for (size_t i = 0; i < s->worker_slots_used; i++)
		if (s->workers[i]->used)
			slice_judge(s, s->workers[i], slot);
	for (size_t i = 0; i < s->order_count; i++) {
		struct run *r = s->runs[s->order[i]];
		if (r->route == NO_SLOT && r->route_id == in->route_id)
			route_bind(s, r);
	}
}

void route_bind(struct schedule *s, struct run *r)
{
	r->route = slot_of(s, r->route_id);
	if (r->route == NO_SLOT)
		return;
	if (s->routes[r->route]->run_count++ == 0)
		s->routes[r->route]->split_due = true;
	if (s->routes[r->route]->blocked)
		unblock(s, r->route);
	run_touch(s, r);
}

void route_unbind(struct schedule *s, struct run *r)
{
	if (r->route != NO_SLOT)
		s->routes[r->route]->run_count--;
}

void route_clear(struct schedule *s, uint32_t route_id)
{
	uint32_t slot = slot_of(s, route_id);
	if (slot != NO_SLOT && s->routes[slot]->blocked)
		unblock(s, slot);
}

void route_block(struct schedule *s, uint32_t slot, const char *why)
{
	struct route *route = s->routes[slot];
	if (route->blocked)
		return;
	route->blocked = true;
	route->blocked_text = arena_printf(&route->texts, "route %.*s is blocked: %s", STR_ARG(route->name), why);
	run_touch_route(s, slot);
}

bool route_is_paused(const struct schedule *s, const struct route *route)
{
	return route->paused_until_ms > s->now_ms;
}

bool route_serves(const struct schedule *s, const struct run *r)
{
	return r->state == SCHED_STATE_RUNNING && r->route != NO_SLOT && !s->draining &&
	       !s->routes[r->route]->blocked && !route_is_paused(s, s->routes[r->route]);
}

void route_pause(struct schedule *s, uint32_t slot, uint64_t pause_ms, struct sched_actions *out)
{
	struct route *route = s->routes[slot];
	uint64_t until_ms = s->now_ms + MIN_OF(pause_ms, (uint64_t)PAUSE_MS_MAX);
	if (until_ms <= route->paused_until_ms + PAUSE_AGAIN_MS) /* the others of the same episode */
		return;
	route->paused_until_ms = until_ms;
	for (size_t i = 0; i < s->worker_slots_used; i++) {
		struct worker *w = s->workers[i];
		if (w->used && w->connected && slice_of(s, w, slot)->told > 0)
			slice_grant(s, w, slot, slice_of(s, w, slot)->told, out);
	}
	run_touch_route(s, slot);
}

void route_tick(struct schedule *s)
{
	for (uint32_t i = 0; i < s->route_count; i++) {
		struct route *route = s->routes[i];
		if (route->paused_until_ms == 0 || route_is_paused(s, route))
			continue;
		route->paused_until_ms = 0;
		run_touch_route(s, i);
	}
}

/* ---- who may go there ---- */

static bool host_matches(struct str pattern, struct str host)
{
	if (str_eq_c(pattern, "*"))
		return true;
	if (str_starts(pattern, STR("*."))) {
		struct str tail = str_slice(pattern, 1, pattern.len);
		return host.len > tail.len && str_ends(host, tail);
	}
	return str_eq(pattern, host);
}

static bool host_allowed(const struct msg_hello *hello, struct str host)
{
	for (size_t i = 0; i < hello->allowed_host_count; i++)
		if (host_matches(hello->allowed_hosts[i], host))
			return true;
	return false;
}

static const struct msg_host *find_host(const struct msg_hello *hello, struct str command)
{
	for (size_t i = 0; i < hello->host_count; i++)
		if (str_eq(hello->hosts[i].command, command))
			return &hello->hosts[i];
	return NULL;
}

enum unable route_unable(const struct route *route, const struct msg_hello *hello)
{
	bool provider = false, alias = route->alias.len == 0;
	for (size_t i = 0; i < hello->provider_count; i++)
		provider |= str_eq(hello->providers[i], route->provider);
	for (size_t i = 0; i < hello->alias_count; i++)
		alias |= str_eq(hello->aliases[i].name, route->alias);
	if (!provider)
		return UNABLE_PROVIDER;
	if (route->host_command.len)
		return find_host(hello, route->host_command) ? ABLE : UNABLE_HOST;
	if (!alias)
		return UNABLE_ALIAS;
	return host_allowed(hello, route->endpoint_host) ? ABLE : UNABLE_ADDRESS;
}

uint32_t route_host_slots(const struct route *route, const struct msg_hello *hello)
{
	const struct msg_host *host = find_host(hello, route->host_command);
	uint32_t slots = host && host->slots ? host->slots : route->host_slots;
	return MAX_OF(slots, 1);
}
