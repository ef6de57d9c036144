/* A coordinator: sessions of its workers, the schedule, and the inbox between them. Follows coordinator/fleet and
 * coordinator/main/core.c. */
#include "common/base/check.h"
#include "common/base/mem.h"
#include "tests/simulation/world.h"
#include <stdlib.h>
#include <string.h>

bool desk_is_paused(const struct world *w, const struct desk *d)
{
	return w->now_ms < d->paused_until_ms;
}

int64_t desk_wall_ms(const struct world *w, const struct desk *d)
{
	return 1700000000000 + (int64_t)w->now_ms + d->wall_skew_ms;
}

int64_t desk_stamp_ms(const struct world *w, struct desk *d)
{
	int64_t wall_ms = desk_wall_ms(w, d);
	d->stamp_ms = MAX_OF(d->stamp_ms + 1, wall_ms);
	return d->stamp_ms;
}

/* ---- the process ---- */

void desk_begin(struct world *w, uint32_t index)
{
	struct desk *d = &w->desks[index];
	*d = (struct desk){ .index = index, .tick_at_ms = UINT64_MAX };
	d->heard_ms = mem_new(w->plan.worker_count, sizeof(*d->heard_ms));
	d->called_over = mem_new(w->plan.worker_count, sizeof(*d->called_over));
	for (uint32_t i = 0; i < PLAN_PENS; i++)
		pen_begin(&d->pens[i]);
	d->inbox_last = &d->inbox;
	d->loans_last = &d->loans;
	session_actions_init(&d->session_out);
	sched_actions_init(&d->out);
}

static void forget_all(struct world *w, struct desk *d)
{
	for (size_t i = 0; i < d->peer_count; i++)
		if (d->peers[i]) {
			session_done(&d->peers[i]->session);
			mem_free(d->peers[i]);
		}
	d->peer_count = 0;
	for (uint32_t i = 0; i < PLAN_PENS; i++)
		pen_end(w, &d->pens[i]);
	while (d->inbox) {
		struct core_message *m = d->inbox;
		d->inbox = m->next;
		mem_free(m);
	}
	d->inbox_last = &d->inbox;
	loader_end(d);
	memset(d->layers_told, 0, sizeof(d->layers_told));
	schedule_free(d->schedule);
	d->schedule = NULL;
	memset(d->heard_ms, 0, w->plan.worker_count * sizeof(*d->heard_ms));
	memset(d->called_over, 0, w->plan.worker_count * sizeof(*d->called_over));
	if (d->by_outbox_cap)
		memset(d->by_outbox, 0, d->by_outbox_cap * sizeof(*d->by_outbox));
}

void desk_end(struct world *w, struct desk *d)
{
	forget_all(w, d);
	mem_free(d->peers);
	mem_free(d->by_outbox);
	mem_free(d->heard_ms);
	mem_free(d->called_over);
	session_actions_done(&d->session_out);
	sched_actions_done(&d->out);
}

void desk_start(struct world *w, struct desk *d)
{
	static const struct str endpoints[] = { STR_INIT("c0"), STR_INIT("c1") };
	if (d->role != DESK_DOWN)
		return;
	world_log(w, "coordinator %u stands by", d->index);
	d->role = DESK_STANDBY;
	d->stamp_ms = 0;
	d->config = (struct session_config){ .mode = SESSION_STANDBY, .timeline = w->ledger.timeline };
	if (w->plan.coord_count > 1 && w->desks[1 - d->index].role == DESK_LEADS)
		d->config.leader = endpoints[1 - d->index];
	d->tick_at_ms = UINT64_MAX;
	beat_start(w, d);
}

/* What was under way in the database may be done all the same. */
static void end_statements(struct world *w, struct desk *d)
{
	for (uint32_t i = 0; i < PLAN_PENS; i++) {
		struct pen *p = &d->pens[i];
		bool reaches = w->now_ms >= w->ledger.stalled_until_ms && w->now_ms >= w->ledger.down_until_ms;
		if (!p->busy || p->applied || !reaches || !world_chance(w, 500))
			continue;
		bool leads = true;
		for (struct batch *b = p->group; b && leads; b = b->next)
			leads = ledger_apply(w, d->term, b);
	}
}

void desk_die(struct world *w, struct desk *d, bool said, uint64_t back_after_ms)
{
	if (d->role == DESK_DOWN)
		return;
	world_log(w, "coordinator %u ends%s", d->index, said ? "" : " without a word");
	end_statements(w, d);
	forget_all(w, d);
	d->role = DESK_DOWN;
	d->life++;
	d->paused_until_ms = 0;
	cable_coord_died(w, d->index, said);
	world_at(w, w->now_ms + back_after_ms, EV_COORD_STARTS, d->index, 0, 0);
}

void desk_lead(struct world *w, struct desk *d, uint64_t term)
{
	world_log(w, "coordinator %u takes term %llu", d->index, (unsigned long long)term);
	world_mix(w, 50, d->index, term);
	w->tally.takeovers++;
	w->oracle.leader_term = term;
	d->term = term;
	d->role = DESK_LOADING;
	d->led_since_ms = w->now_ms;
	d->schedule = schedule_new(&(struct sched_config){ .term = term, .seed = w->seed + term });
	d->tick_at_ms = UINT64_MAX;
	loader_begin_term(w, d);
}

/* ---- the schedule ---- */

static void set_tick(struct world *w, struct desk *d)
{
	uint64_t next_ms = schedule_next_deadline_ms(d->schedule);
	if (next_ms == UINT64_MAX || next_ms >= d->tick_at_ms)
		return;
	d->tick_at_ms = MAX_OF(next_ms, w->now_ms);
	world_after_all(w, d->tick_at_ms, EV_TICK, d->index, d->life, 0);
}

static void step_once(struct world *w, struct desk *d, struct sched_event *ev)
{
	check(!d->stepping);
	d->stepping = true;
	ev->now_ms = w->now_ms;
	sched_actions_clear(&d->out);
	schedule_step(d->schedule, ev, &d->out);
	for (size_t i = 0; i < d->out.len && !w->oracle.broken; i++)
		doer_carry_out(w, d, &d->out.items[i]);
	d->stepping = false;
}

static void take(struct world *w, struct desk *d, struct core_message *m)
{
	struct sched_event ev = { .kind = m->kind };
	switch (m->kind) {
	case SCHED_WORKER_JOINED:
		ev.joined.worker_id = m->worker_id;
		ev.joined.hello = &m->msg->hello;
		ev.joined.unknown = true;
		break;
	case SCHED_WORKER_RENEWED:
		ev.renewed.worker_id = m->worker_id;
		ev.renewed.renew = &m->msg->renew;
		break;
	case SCHED_WORKER_RELEASED:
		ev.released.worker_id = m->worker_id;
		ev.released.released = &m->msg->released;
		break;
	default:
		ev.gone.worker_id = m->worker_id;
		ev.gone.orderly = m->orderly;
		break;
	}
	step_once(w, d, &ev);
}

static void drain_inbox(struct world *w, struct desk *d)
{
	if (d->stepping)
		return;
	while (d->inbox) {
		struct core_message *m = d->inbox;
		d->inbox = m->next;
		if (!d->inbox)
			d->inbox_last = &d->inbox;
		if (d->schedule && !w->oracle.broken)
			take(w, d, m);
		mem_free(m);
	}
	if (d->schedule)
		set_tick(w, d);
}

void desk_step(struct world *w, struct desk *d, struct sched_event *ev)
{
	if (!d->schedule || w->oracle.broken)
		return;
	step_once(w, d, ev);
	drain_inbox(w, d);
}

static struct core_message *to_core(struct desk *d, enum sched_event_kind kind, uint32_t worker_id,
                                    const struct msg *msg)
{
	struct core_message *m = mem_new(1, sizeof(*m));
	m->kind = kind;
	m->worker_id = worker_id;
	m->msg = msg;
	*d->inbox_last = m;
	d->inbox_last = &m->next;
	return m;
}

/* Whom the schedule may call over from now on. */
static void call_over(struct world *w, struct desk *d)
{
	for (uint32_t i = 0; i < w->plan.worker_count; i++) {
		uint64_t due_ms = d->heard_ms[i] ? d->heard_ms[i] + PLAN_LEASE_MS : d->led_since_ms + PLAN_PERHAPS_MS;
		if (d->called_over[i] || w->now_ms < due_ms)
			continue;
		d->called_over[i] = true;
		oracle_called_over(w, i);
	}
}

static void on_tick(struct world *w, struct desk *d)
{
	if (d->tick_at_ms != w->now_ms || !d->schedule)
		return;
	if (desk_is_paused(w, d)) {
		d->tick_at_ms = d->paused_until_ms;
		world_after_all(w, d->tick_at_ms, EV_TICK, d->index, d->life, 0);
		return;
	}
	d->tick_at_ms = UINT64_MAX;
	struct sched_event tick = { .kind = SCHED_TICK };
	call_over(w, d);
	desk_step(w, d, &tick);
}

/* ---- sessions ---- */

struct peer *desk_peer(struct desk *d, uint32_t worker_id)
{
	return worker_id > 0 && worker_id <= d->peer_count ? d->peers[worker_id - 1] : NULL;
}

static struct peer *peer_new(struct world *w, struct desk *d, struct cable *c)
{
	mem_reserve(&d->peers, &d->peer_cap, d->peer_count + 1, sizeof(*d->peers));
	struct peer *p = mem_new(1, sizeof(*p));
	d->peers[d->peer_count++] = p;
	p->worker_id = (uint32_t)d->peer_count;
	p->cable = c->id;
	p->was_closed_before = c->had_session;
	c->worker_id = p->worker_id;
	c->had_session = true;
	session_init(&p->session, &d->config, p->worker_id, w->now_ms);
	return p;
}

static void arm(struct world *w, struct desk *d, struct peer *p)
{
	if (!p->ticking)
		world_at(w, session_next_deadline_ms(&p->session), EV_PEER_TICK, d->index, d->life, p->worker_id);
	p->ticking = true;
}

static uint32_t *newest_of(struct desk *d, uint32_t outbox_no)
{
	size_t old = d->by_outbox_cap;
	mem_reserve(&d->by_outbox, &d->by_outbox_cap, (size_t)outbox_no + 1, sizeof(*d->by_outbox));
	if (d->by_outbox_cap > old)
		memset(d->by_outbox + old, 0, (d->by_outbox_cap - old) * sizeof(*d->by_outbox));
	return &d->by_outbox[outbox_no];
}

struct gathered { /* runs of records of one frame, as one array */
	struct msg_record records[WIRE_RESULTS_RECORDS_MAX];
	size_t count;
};

static void joined(struct world *w, struct desk *d, struct peer *p, const struct msg *m)
{
	const struct cable *c = cable_get(w, p->cable);
	uint32_t outbox_no = world_outbox_no(&p->session.outbox);
	*newest_of(d, outbox_no) = p->worker_id;
	world_log(w, "coordinator %u: w%u is worker %u, outbox %u, %zu leases, %zu answers", d->index, p->worker_id,
	          c->worker, outbox_no, m->hello.lease_count, m->hello.answer_count);
	d->heard_ms[c->worker] = w->now_ms;
	d->called_over[c->worker] = false;
	struct batch *b = pen_job(w, d, JOB_WORKER, 0);
	b->outbox_no = outbox_no;
	pen_push(w, d, b, 0);
	(void)to_core(d, SCHED_WORKER_JOINED, p->worker_id, m); /* it is whole */
}

static void gone(struct world *w, struct desk *d, struct peer *p, bool orderly)
{
	world_log(w, "coordinator %u: w%u is gone: %s", d->index, p->worker_id, session_end_name(p->session.end));
	if (orderly) {
		struct batch *b = pen_job(w, d, JOB_WORKER_GONE, 0);
		b->outbox_no = world_outbox_no(&p->session.outbox);
		pen_push(w, d, b, 0);
	}
	to_core(d, SCHED_WORKER_GONE, p->worker_id, NULL)->orderly = orderly;
}

/* True: a frame could not be sent. */
static bool carry_out(struct world *w, struct desk *d, struct peer *p, const struct session_action *a,
                      struct gathered *g)
{
	struct cable *c = cable_get(w, p->cable);
	bool listened = d->schedule != NULL;
	switch (a->kind) {
	case SESSION_DO_SEND:
		world_mix(w, 60u + a->send.kind, p->worker_id, a->send.number);
		return !cable_down(w, c, &a->send);
	case SESSION_DO_JOINED:
		if (listened)
			joined(w, d, p, a->msg);
		return false;
	case SESSION_DO_RENEWED:
		if (!listened)
			return false;
		d->heard_ms[c->worker] = w->now_ms;
		d->called_over[c->worker] = false;
		(void)to_core(d, SCHED_WORKER_RENEWED, p->worker_id, a->msg); /* it is whole */
		return false;
	case SESSION_DO_RELEASED:
		if (listened)
			(void)to_core(d, SCHED_WORKER_RELEASED, p->worker_id, a->msg); /* it is whole */
		return false;
	case SESSION_DO_RESULTS:
		check(g && g->count + a->results.count <= ARRAY_LEN(g->records));
		memcpy(g->records + g->count, a->results.records, a->results.count * sizeof(*g->records));
		g->count += a->results.count;
		return false;
	case SESSION_DO_GONE:
		if (listened)
			gone(w, d, p, a->orderly);
		return false;
	case SESSION_DO_BLOB:
		return false;
	case SESSION_DO_CLOSE:
		p->closing = true;
		return false;
	}
	return false;
}

static void peer_close(struct world *w, struct desk *d, struct peer *p)
{
	struct cable *c = cable_get(w, p->cable);
	oracle_session_ended(w, d, p);
	uint32_t *newest = p->session.outbox.bytes[15] ? newest_of(d, world_outbox_no(&p->session.outbox)) : NULL;
	if (newest && *newest == p->worker_id)
		*newest = 0;
	if (c->worker_id == p->worker_id)
		c->worker_id = 0;
	d->peers[p->worker_id - 1] = NULL;
	session_done(&p->session);
	mem_free(p);
}

static void session(struct world *w, struct desk *d, struct peer *p, struct session_event *ev, struct gathered *g)
{
	bool failed = false;
	ev->now_ms = w->now_ms;
	session_step(&p->session, ev, &d->session_out);
	for (size_t i = 0; i < d->session_out.len; i++) {
		const struct session_action *a = &d->session_out.items[i];
		if (!failed || a->kind != SESSION_DO_SEND)
			failed |= carry_out(w, d, p, a, g);
	}
	if (failed && !p->closing) {
		struct session_event over = { .kind = SESSION_SEND_FAILED, .unreachable = true };
		session(w, d, p, &over, NULL);
	}
}

void desk_session(struct world *w, struct desk *d, struct peer *p, struct session_event *ev)
{
	session(w, d, p, ev, NULL);
	if (p->closing)
		peer_close(w, d, p);
	drain_inbox(w, d);
}

void desk_frame(struct world *w, struct desk *d, struct cable *c, struct parcel *parcel)
{
	static struct gathered g; /* large; the next frame begins anew */
	struct msg room;
	arena_reset(&w->scratch);
	const struct msg *m = parcel_msg(w, parcel, &room, &w->scratch);
	if (!m)
		return;
	struct peer *p = desk_peer(d, c->worker_id);
	if (!p)
		p = peer_new(w, d, c);
	world_mix(w, 80u + m->kind, p->worker_id, m->session);
	struct session_event ev = { .kind = SESSION_FRAME };
	ev.frame.msg = m;
	ev.frame.bytes = parcel->bytes;
	g.count = 0;
	session(w, d, p, &ev, &g);
	if (g.count && d->schedule)
		pen_results(w, d, world_outbox_no(&p->session.outbox), parcel, g.records, g.count);
	if (p->closing)
		peer_close(w, d, p);
	else
		arm(w, d, p);
	drain_inbox(w, d);
}

static int compare_numbers(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return x < y ? -1 : x > y;
}

/* As coordinator/fleet/fleet.c makes of an event: exactly these records, to the newest session of their outbox. */
void desk_commit(struct world *w, struct desk *d, const struct share *s)
{
	static uint64_t numbers[WIRE_RESULTS_RECORDS_MAX];
	static struct record_range ranges[WIRE_RESULTS_RECORDS_MAX];
	size_t count = 0;
	struct peer *p = desk_peer(d, *newest_of(d, s->outbox_no));
	oracle_acknowledges(w, d, s);
	if (!p)
		return;
	for (size_t i = 0; i < s->count; i++)
		numbers[i] = s->records[i].record_no;
	qsort(numbers, s->count, sizeof(*numbers), compare_numbers);
	for (size_t i = 0; i < s->count; i++) {
		if (count && numbers[i] <= ranges[count - 1].last + 1)
			ranges[count - 1].last = numbers[i];
		else
			ranges[count++] = (struct record_range){ numbers[i], numbers[i] };
	}
	if (world_mutant(w, "commit-cumulative"))
		ranges[0].first = 1;
	struct session_event ev = { .kind = SESSION_COMMITTED };
	ev.committed.ranges = ranges;
	ev.committed.range_count = count;
	desk_session(w, d, p, &ev);
}

static void on_peer_tick(struct world *w, struct desk *d, const struct event *ev)
{
	struct peer *p = desk_peer(d, (uint32_t)ev->a);
	if (!p)
		return;
	p->ticking = false;
	if (desk_is_paused(w, d)) {
		p->ticking = true;
		world_after_all(w, d->paused_until_ms, EV_PEER_TICK, d->index, d->life, p->worker_id);
	} else if (w->now_ms >= session_next_deadline_ms(&p->session)) {
		struct session_event tick = { .kind = SESSION_TICK };
		desk_session(w, d, p, &tick);
	} else {
		arm(w, d, p);
	}
}

void desk_event(struct world *w, const struct event *ev)
{
	struct desk *d = &w->desks[ev->who];
	if (ev->kind == EV_COORD_STARTS) {
		desk_start(w, d);
		return;
	}
	if (ev->gen != d->life)
		return;
	if (ev->kind == EV_TICK)
		on_tick(w, d);
	else if (ev->kind == EV_PEER_TICK)
		on_peer_tick(w, d, ev);
}
