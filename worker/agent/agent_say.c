/* Hello and Renew: what the worker says of itself. */
#include "common/base/bits.h"
#include "common/base/mem.h"
#include "worker/agent/agent_state.h"

/* A sample whose thread stands still is not vouched for: nobody knows whether it will ever end. */
static bool is_alive(const struct agent *a, const struct agent_sample *s)
{
	if (s->state != SAMPLE_ASKING && s->state != SAMPLE_SCORING)
		return true;
	if (a->now_ms - a->turned_ms[s->net] > a->lease_ms)
		return false;
	if (s->state == SAMPLE_SCORING)
		for (uint32_t i = 0; i < a->config.score_count; i++)
			if (a->now_ms - a->turned_ms[a->config.net_count + i] > a->lease_ms)
				return false;
	return true;
}

static struct msg_held_lease say_lease(const struct agent *a, struct agent_lease *l, bool names_samples,
                                       struct agent_actions *out)
{
	size_t bytes = bits_byte_len(l->sample_count);
	uint8_t *held = arena_new(&out->arena, bytes, 1), *started = arena_new(&out->arena, bytes, 1);
	uint64_t *sample_nos = NULL;
	if (names_samples)
		sample_nos = arena_new(&out->arena, l->sample_count, sizeof(*sample_nos));
	for (uint32_t i = 0; i < l->sample_count; i++) {
		struct agent_sample *s = &l->samples[i];
		if (sample_nos)
			sample_nos[i] = s->sample_no;
		if (s->state == SAMPLE_GONE)
			continue;
		if (!is_alive(a, s)) { /* somebody else may get it: should its thread turn again, it only ends */
			s->unwanted = true;
			continue;
		}
		bits_put(held, i);
		if (s->started)
			bits_put(started, i);
	}
	return (struct msg_held_lease){
		.number = l->number,
		.run_id = l->run_id,
		.retry_no = l->retry_no,
		.scoring_no = l->scoring_no,
		.sample_nos = sample_nos,
		.sample_count = l->sample_count,
		.held = str_make(held, bytes),
		.started = str_make(started, bytes),
	};
}

static const struct msg_held_lease *say_leases(const struct agent *a, bool names_samples, size_t *ret_count,
                                               struct agent_actions *out)
{
	struct msg_held_lease *leases = arena_new(&out->arena, MAX_OF(a->leases.len, (size_t)1), sizeof(*leases));
	struct agent_lease **l;
	size_t count = 0;
	for (size_t at = 0; (l = map_next_u64(&a->leases, &at, NULL)) != NULL;)
		leases[count++] = say_lease(a, *l, names_samples, out);
	*ret_count = count;
	return leases;
}

static void say_answers(struct agent *a, struct agent_conn *c, struct msg_hello *h, struct agent_actions *out)
{
	size_t cap = MAX_OF(MIN_OF(a->answer_count, (size_t)WIRE_HELD_ANSWERS_MAX), (size_t)1);
	struct msg_answer_ref *answers = arena_new(&out->arena, cap, sizeof(*answers));
	c->told = mem_new(cap, sizeof(*c->told));
	for (size_t i = 0; i < a->answer_count && c->told_count < WIRE_HELD_ANSWERS_MAX; i++) {
		if (a->answers[i].gone)
			continue;
		answers[c->told_count] = a->answers[i].answer.ref;
		c->told[c->told_count++] = (uint32_t)i;
	}
	h->answers = answers;
	h->answer_count = c->told_count;
}

struct msg *say_hello(struct agent *a, struct agent_conn *c, struct agent_actions *out)
{
	const struct agent_config *g = &a->config;
	struct msg *m = agent_msg(out, MSG_HELLO);
	c->session = rng_next(&a->rng);
	struct msg_hello *h = &m->hello;
	*h = (struct msg_hello){
		.version_min = WIRE_VERSION_MIN,
		.version_max = WIRE_VERSION_MAX,
		.session = c->session,
		.outbox = g->outbox,
		.name = g->name,
		.build = g->build,
		.slots = g->slots,
		.providers = g->providers,
		.provider_count = g->provider_count,
		.aliases = g->aliases,
		.alias_count = g->alias_count,
		.allowed_hosts = g->allowed_hosts,
		.allowed_host_count = g->allowed_host_count,
		.hosts = g->hosts,
		.host_count = g->host_count,
		.term_seen = a->term,
		.draining = a->draining,
	};
	h->leases = say_leases(a, true, &h->lease_count, out);
	say_answers(a, c, h, out);
	return m;
}

static void say_routes(struct agent *a, struct msg_renew *r, struct agent_actions *out)
{
	struct msg_route_use *routes = arena_new(&out->arena, MAX_OF(a->route_count, (size_t)1), sizeof(*routes));
	for (size_t i = 0; i < a->route_count && i < WIRE_ROUTES_MAX; i++) {
		const struct agent_route *route = a->routes[i];
		routes[r->route_count++] = (struct msg_route_use){
			.route_id = route->id,
			.slots = route->slots,
			.in_flight = route->counts[SAMPLE_ASKING],
			.wanted = credit_route(a, route),
		};
	}
	r->routes = routes;
}

struct msg *say_renew(struct agent *a, const struct agent_vitals *vitals, struct agent_actions *out)
{
	struct msg *m = agent_msg(out, MSG_RENEW);
	struct msg_renew *r = &m->renew;
	a->credit_open = credit_total(a);
	*r = (struct msg_renew){
		.renew_no = ++a->renew_no,
		.frame_seen = a->frame_seen,
		.wanted = (uint32_t)a->credit_open,
		.loop_lag_ms = vitals ? vitals->loop_lag_ms : 0,
		.memory_bytes = vitals ? vitals->memory_bytes : 0,
		.outbox_fails = !a->outbox_writable,
	};
	say_routes(a, r, out);
	r->leases = say_leases(a, false, &r->lease_count, out);
	a->renews[a->renew_no % RENEWS_REMEMBERED] = (struct agent_renew_sent){ a->renew_no, a->now_ms };
	a->renewed_ms = a->now_ms;
	a->renew_at_ms = a->now_ms + a->renew_ms;
	return m;
}
