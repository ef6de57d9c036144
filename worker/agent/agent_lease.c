/* Leases and their samples: arrival, release, revocation, end. */
#include "common/base/check.h"
#include "common/base/mem.h"
#include "worker/agent/agent_state.h"
#include <string.h>

enum { INDEX_BITS = 16, INDEX_MASK = (1 << INDEX_BITS) - 1 };

uint64_t sample_id_of(const struct agent_lease *l, const struct agent_sample *s)
{
	return l->serial << INDEX_BITS | (uint64_t)(s - l->samples);
}

struct agent_sample *sample_find(struct agent *a, uint64_t sample_id, struct agent_lease **ret_lease)
{
	struct agent_lease **l = map_get_u64(&a->leases, sample_id >> INDEX_BITS);
	uint64_t index = sample_id & INDEX_MASK;
	if (!l || index >= (*l)->sample_count || (*l)->samples[index].state == SAMPLE_GONE)
		return NULL;
	*ret_lease = *l;
	return &(*l)->samples[index];
}

struct agent_route *route_of(struct agent *a, uint32_t route_id)
{
	size_t *at = map_get_u64(&a->route_ids, route_id);
	if (at)
		return a->routes[*at];
	if (a->route_count >= WIRE_ROUTES_MAX)
		return NULL;
	mem_reserve(&a->routes, &a->route_cap, a->route_count + 1, sizeof(struct agent_route *));
	struct agent_route *r = mem_new(1, sizeof(*r));
	r->id = route_id;
	r->queue.tail = &r->queue.first;
	heap_init(&r->queue.again);
	a->routes[a->route_count] = r;
	at = map_put_u64(&a->route_ids, route_id, NULL);
	*at = a->route_count++;
	return r;
}

static void queue_add(struct agent_lease *l)
{
	struct agent_queue *q = l->queue;
	l->link = q->tail;
	*q->tail = l;
	q->tail = &l->next;
}

static void queue_remove(struct agent_lease *l)
{
	if (!l->link)
		return;
	*l->link = l->next;
	if (l->next)
		l->next->link = l->link;
	else
		l->queue->tail = l->link;
	l->link = NULL;
	l->next = NULL;
}

static void count_state(struct agent *a, struct agent_lease *l, enum sample_state from, enum sample_state to)
{
	if (from != SAMPLE_GONE) {
		a->counts[from]--;
		l->route->counts[from]--;
	}
	if (to != SAMPLE_GONE) {
		a->counts[to]++;
		l->route->counts[to]++;
	}
}

void sample_set_state(struct agent *a, struct agent_lease *l, struct agent_sample *s, enum sample_state state)
{
	enum sample_state from = s->state;
	uint64_t id = sample_id_of(l, s);
	if (from == state)
		return;
	count_state(a, l, from, state);
	if (from == SAMPLE_FRESH && --l->fresh == 0)
		queue_remove(l);
	if (from == SAMPLE_ASKING)
		a->net_asking[s->net]--;
	if (from == SAMPLE_WAITING)
		(void)heap_remove(&a->timers, id); /* gone already when its time had come */
	if (from == SAMPLE_AGAIN)
		(void)heap_remove(&l->queue->again, id); /* gone already when it was taken to start */
	if (state == SAMPLE_ASKING)
		a->net_asking[s->net]++;
	if (state == SAMPLE_AGAIN)
		heap_put(&l->queue->again, id, ++a->again_no);
	if (a->alone_sample == id && state != SAMPLE_ASKING && state != SAMPLE_SCORING)
		a->alone_sample = 0;
	if (state == SAMPLE_GONE)
		l->live--;
	s->state = state;
}

static struct str number_key(const struct lease_no *number)
{
	return str_make(number, sizeof(*number));
}

static void lease_free(struct agent_lease *l)
{
	exec_context_unref(l->context);
	mem_free(l->items);
	mem_free(l);
}

void lease_settle(struct agent *a, struct agent_lease *l)
{
	if (l->live > 0)
		return;
	queue_remove(l);
	(void)map_remove(&a->lease_numbers, number_key(&l->number)); /* it is there: one of both maps has it */
	(void)map_remove_u64(&a->leases, l->serial);                 /* as above */
	lease_free(l);
}

void lease_free_all(struct agent *a)
{
	struct agent_lease **l;
	for (size_t at = 0; (l = map_next_u64(&a->leases, &at, NULL)) != NULL;)
		lease_free(*l);
	struct context_slot *c;
	for (size_t at = 0; (c = map_next(&a->contexts, &at, NULL)) != NULL;)
		exec_context_unref(c->context);
	for (size_t i = 0; i < a->route_count; i++) {
		heap_done(&a->routes[i]->queue.again);
		mem_free(a->routes[i]);
	}
	heap_done(&a->alone.again);
	mem_free(a->routes);
	map_done(&a->leases);
	map_done(&a->lease_numbers);
	map_done(&a->contexts);
	map_done(&a->route_ids);
}

/* ---- giving back ---- */

struct giving { /* a Released under construction */
	struct msg *msg;
	struct msg_released_sample *samples;
};

static struct giving giving_begin(const struct agent_lease *l, enum release_cause cause, struct agent_actions *out)
{
	struct giving g = { agent_msg(out, MSG_RELEASED), NULL };
	g.samples = arena_new(&out->arena, MAX_OF(l->sample_count, 1U), sizeof(*g.samples));
	g.msg->released = (struct msg_released){ .number = l->number, .cause = cause, .samples = g.samples };
	return g;
}

/* Lets a sample go that is not under way; `g` may be NULL when nobody is to be told. It goes without an ask_id: each
 * ask that it had has ended and was reported with its own attempt, so nothing was abandoned that anybody paid for. */
static void let_go(struct agent *a, struct agent_lease *l, struct agent_sample *s, struct giving *g,
                   struct agent_actions *out)
{
	if (s->state == SAMPLE_WAITING || s->state == SAMPLE_AGAIN) {
		struct agent_action *action = agent_act(out, AGENT_DO_CANCEL);
		action->start.sample_id = sample_id_of(l, s);
		action->start.net = s->net;
	}
	if (g)
		g->samples[g->msg->released.sample_count++] =
			(struct msg_released_sample){ .index = (uint32_t)(s - l->samples) };
	sample_set_state(a, l, s, SAMPLE_GONE);
	a->released_count++;
}

static bool is_idle(const struct agent_sample *s)
{
	return s->state == SAMPLE_FRESH || s->state == SAMPLE_WAITING || s->state == SAMPLE_AGAIN;
}

static void let_idle_go(struct agent *a, struct agent_lease *l, struct giving *g, struct agent_actions *out)
{
	for (uint32_t i = 0; i < l->sample_count; i++)
		if (is_idle(&l->samples[i]))
			let_go(a, l, &l->samples[i], g, out);
}

static void tell(struct agent *a, struct giving *g, struct agent_actions *out)
{
	if (a->main.state == CONN_UP)
		agent_send(a, &a->main, g->msg, out);
}

static struct agent_lease *lease_find(struct agent *a, struct lease_no number)
{
	uint64_t *serial = map_get(&a->lease_numbers, number_key(&number));
	struct agent_lease **l = serial ? map_get_u64(&a->leases, *serial) : NULL;
	return l ? *l : NULL;
}

void lease_release(struct agent *a, const struct msg_release *m, struct agent_actions *out)
{
	struct agent_lease *l = lease_find(a, m->number);
	if (!l)
		return;
	struct giving g = giving_begin(l, RELEASE_ASKED, out);
	for (size_t i = 0; i < m->index_count; i++) {
		if (m->indexes[i] >= l->sample_count)
			continue;
		struct agent_sample *s = &l->samples[m->indexes[i]];
		if (is_idle(s))
			let_go(a, l, s, &g, out);
		else
			s->unwanted = true;
	}
	tell(a, &g, out);
	lease_settle(a, l);
}

static void cancel_asking(struct agent *a, struct agent_lease *l, struct agent_actions *out)
{
	(void)a; /* the sample stays ASKING until its net thread says otherwise */
	for (uint32_t i = 0; i < l->sample_count; i++) {
		if (l->samples[i].state != SAMPLE_ASKING)
			continue;
		struct agent_action *action = agent_act(out, AGENT_DO_CANCEL);
		action->start.sample_id = sample_id_of(l, &l->samples[i]);
		action->start.net = l->samples[i].net;
	}
}

void lease_revoke(struct agent *a, const struct msg_revoke *m, struct agent_actions *out)
{
	struct agent_lease *l = lease_find(a, m->number);
	if (!l)
		return;
	struct giving g = giving_begin(l, RELEASE_ABANDONED, out);
	l->closed = true;
	let_idle_go(a, l, &g, out);
	if (m->abandon)
		cancel_asking(a, l, out);
	tell(a, &g, out);
	lease_settle(a, l);
}

void lease_refused(struct agent *a, const struct lease_no *numbers, size_t count, struct agent_actions *out)
{
	for (size_t i = 0; i < count; i++) {
		struct agent_lease *l = lease_find(a, numbers[i]);
		if (!l)
			continue;
		l->closed = true;
		let_idle_go(a, l, NULL, out);
		lease_settle(a, l);
	}
}

void lease_let_go(struct agent *a, struct agent_lease *l, struct agent_sample *s, struct agent_actions *out)
{
	struct giving g = giving_begin(l, a->draining ? RELEASE_DRAIN : RELEASE_ABANDONED, out);
	let_go(a, l, s, &g, out);
	tell(a, &g, out);
	lease_settle(a, l);
}

void lease_lapse(struct agent *a, struct agent_actions *out)
{
	struct agent_lease **l;
	for (size_t at = 0; (l = map_next_u64(&a->leases, &at, NULL)) != NULL;) {
		let_idle_go(a, *l, NULL, out);
		lease_settle(a, *l);
	}
}

void lease_drain(struct agent *a, struct agent_actions *out)
{
	struct agent_lease **l;
	for (size_t at = 0; (l = map_next_u64(&a->leases, &at, NULL)) != NULL;) {
		struct giving g = giving_begin(*l, RELEASE_DRAIN, out);
		let_idle_go(a, *l, &g, out);
		if (g.msg->released.sample_count > 0)
			tell(a, &g, out);
		lease_settle(a, *l);
	}
}

void lease_cancel_asking(struct agent *a, struct agent_actions *out)
{
	struct agent_lease **l;
	for (size_t at = 0; (l = map_next_u64(&a->leases, &at, NULL)) != NULL;)
		cancel_asking(a, *l, out);
}

/* ---- arrival ---- */

static void forget_oldest_context(struct agent *a)
{
	struct str key, oldest_key = { 0 };
	struct context_slot *c, *oldest = NULL;
	for (size_t at = 0; (c = map_next(&a->contexts, &at, &key)) != NULL;)
		if (!oldest || c->used_at < oldest->used_at) {
			oldest = c;
			oldest_key = key;
		}
	check(oldest);
	struct exec_context *context = oldest->context;
	(void)map_remove(&a->contexts, oldest_key); /* it was just found */
	exec_context_unref(context);
}

/* A reference to the context of a lease, or NULL when it was never sent. */
static struct exec_context *context_of(struct agent *a, const struct msg_lease *m)
{
	struct str key = str_make(m->context_hash.bytes, HASH_BYTES);
	struct context_slot *slot = map_get(&a->contexts, key);
	if (!slot && m->context.len == 0)
		return NULL;
	if (!slot) {
		if (a->contexts.len >= AGENT_CONTEXTS_MAX)
			forget_oldest_context(a);
		slot = map_put(&a->contexts, key, NULL);
		slot->context = exec_context_new(m->context_hash, m->context);
	}
	slot->used_at = ++a->context_clock;
	return exec_context_ref(slot->context);
}

static void give_back_whole(struct agent *a, const struct msg_lease *m, enum release_cause cause,
                            struct agent_actions *out)
{
	struct agent_lease shape = { .number = m->number, .sample_count = (uint32_t)m->sample_count };
	struct giving g = giving_begin(&shape, cause, out);
	for (uint32_t i = 0; i < shape.sample_count; i++)
		g.samples[g.msg->released.sample_count++] = (struct msg_released_sample){ i, 0 };
	a->released_count += shape.sample_count;
	tell(a, &g, out);
}

static bool has_room(const struct agent *a, const struct msg_lease *m)
{
	uint64_t held = 0;
	for (int state = SAMPLE_FRESH; state < SAMPLE_STATE_COUNT; state++)
		held += a->counts[state];
	return held + m->sample_count <= AGENT_HELD_MAX && a->leases.len < WIRE_HELD_LEASES_MAX;
}

static struct agent_lease *lease_new(struct agent *a, const struct msg_lease *m, struct agent_route *route,
                                     struct exec_context *context)
{
	struct agent_lease *l = mem_new(1, sizeof(*l) + m->sample_count * sizeof(l->samples[0]));
	l->serial = ++a->lease_serial;
	l->number = m->number;
	l->run_id = m->run_id;
	l->retry_no = m->retry_no;
	l->scoring_no = m->scoring_no;
	l->route = route;
	l->context = context;
	l->alone = m->alone;
	l->queue = m->alone ? &a->alone : &route->queue;
	l->sample_count = l->live = l->fresh = (uint32_t)m->sample_count;
	l->items = mem_new(m->items.len + 1, 1);
	if (m->items.len > 0)
		memcpy(l->items, m->items.data, m->items.len);
	for (uint32_t i = 0; i < l->sample_count; i++) {
		l->samples[i] = (struct agent_sample){
			.sample_no = m->sample_nos[i],
			.attempts_left = m->attempts_left[i],
			.time_left_ms = m->time_left_ms[i],
			.item_from = i > 0 ? m->item_ends[i - 1] : 0,
			.item_to = m->item_ends[i],
			.state = SAMPLE_FRESH,
		};
		count_state(a, l, SAMPLE_GONE, SAMPLE_FRESH);
	}
	return l;
}

void lease_arrived(struct agent *a, const struct msg_lease *m, struct agent_actions *out)
{
	check(m->sample_count > 0 && m->sample_count <= WIRE_LEASE_SAMPLES_MAX); /* the decoder's promise */
	if (lease_find(a, m->number))
		return;
	a->credit_open -= MIN_OF(a->credit_open, m->sample_count);
	struct agent_route *route = route_of(a, m->route_id);
	if (a->draining || !route || !has_room(a, m)) {
		give_back_whole(a, m, a->draining ? RELEASE_DRAIN : RELEASE_NO_ABILITY, out);
		return;
	}
	struct exec_context *context = context_of(a, m);
	if (!context) {
		agent_note(out, AGENT_NOTE_NO_CONTEXT, m->run_id, 0, STR(""));
		conn_begin_anew(a, out);
		return;
	}
	struct agent_lease *l = lease_new(a, m, route, context);
	*(struct agent_lease **)map_put_u64(&a->leases, l->serial, NULL) = l;
	*(uint64_t *)map_put(&a->lease_numbers, number_key(&l->number), NULL) = l->serial;
	queue_add(l);
}
