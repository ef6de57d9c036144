#include "coordinator/main/core.h"
#include "common/base/check.h"
#include "common/base/mem.h"
#include "common/io/clock.h"
#include "common/io/log.h"
#include "common/io/thread.h"
#include "coordinator/main/actions.h"
#include <stdatomic.h>

enum { INBOX_CAPACITY = 1 << 16, MESSAGES_PER_TURN = 256, MESSAGE_BYTES_MAX = 1 << 30, DEFER_MS = 5 };

struct core {
	struct core_settings settings;
	struct ring *inbox;
	struct thread *thread;
	struct schedule *schedule;
	struct sched_actions actions;
	struct actions out;
	uint64_t now_ms;
	struct metrics_series *leased, *commits, *deaths, *quarantined, *expired, *pending, *in_flight;
	struct sched_counters counted;
};

struct core_message *core_message_new(enum core_message_kind kind)
{
	struct core_message *m = mem_new(1, sizeof(*m));
	m->kind = kind;
	arena_init(&m->arena, MESSAGE_BYTES_MAX);
	return m;
}

void core_message_free(struct core_message *m)
{
	if (!m)
		return;
	fleet_event_free(m->fleet);
	arena_done(&m->arena);
	mem_free(m);
}

bool core_push(struct core *c, struct core_message *m)
{
	return ring_push_wait(c->inbox, m, -1) == ERR_OK;
}

/* ---- messages in ---- */

static void step(struct core *c, struct sched_event *ev)
{
	ev->now_ms = c->now_ms;
	sched_actions_clear(&c->actions);
	schedule_step(c->schedule, ev, &c->actions);
	for (size_t i = 0; i < c->actions.len; i++)
		actions_carry_out(&c->out, &c->actions.items[i]);
}

static void step_fleet(struct core *c, struct fleet_event *e)
{
	struct sched_event ev = { 0 };
	switch (e->kind) {
	case FLEET_JOINED:
		actions_worker_joined(&c->out, e);
		ev.kind = SCHED_WORKER_JOINED;
		ev.joined.worker_id = e->worker_id;
		ev.joined.hello = &e->msg->hello;
		ev.joined.unknown = true; /* until the writer has stored its row */
		break;
	case FLEET_RENEWED:
		ev.kind = SCHED_WORKER_RENEWED;
		ev.renewed.worker_id = e->worker_id;
		ev.renewed.renew = &e->msg->renew;
		break;
	case FLEET_RELEASED:
		ev.kind = SCHED_WORKER_RELEASED;
		ev.released.worker_id = e->worker_id;
		ev.released.released = &e->msg->released;
		break;
	case FLEET_GONE:
		actions_worker_gone(&c->out, e);
		ev.kind = SCHED_WORKER_GONE;
		ev.gone.worker_id = e->worker_id;
		ev.gone.orderly = e->orderly;
		break;
	case FLEET_RESULTS:
		check_msg(false, "%s", "results go to the writers");
	}
	step(c, &ev);
}

static void look(struct core *c, struct core_message *m)
{
	const struct schedule *s = c->schedule;
	struct control_view *v = &m->view;
	size_t at;
	if (m->run_id) {
		if (schedule_find_run(s, m->run_id, &at)) {
			v->runs = arena_new(&m->arena, 1, sizeof(*v->runs));
			v->run_count = 1;
			schedule_run_view(s, at, c->now_ms, v->runs);
		}
		return;
	}
	v->run_count = schedule_run_count(s);
	v->runs = arena_new(&m->arena, v->run_count + 1, sizeof(*v->runs));
	for (size_t i = 0; i < v->run_count; i++)
		schedule_run_view(s, i, c->now_ms, &v->runs[i]);
	v->worker_count = schedule_worker_count(s);
	v->workers = arena_new(&m->arena, v->worker_count + 1, sizeof(*v->workers));
	for (size_t i = 0; i < v->worker_count; i++) {
		schedule_worker_view(s, i, &v->workers[i]);
		v->workers[i].name = arena_str(&m->arena, v->workers[i].name);
	}
	v->route_count = schedule_route_count(s);
	v->routes = arena_new(&m->arena, v->route_count + 1, sizeof(*v->routes));
	for (size_t i = 0; i < v->route_count; i++) {
		schedule_route_view(s, i, &v->routes[i]);
		v->routes[i].name = arena_str(&m->arena, v->routes[i].name);
		v->routes[i].blocked_text = arena_str(&m->arena, v->routes[i].blocked_text);
	}
	v->counters = *schedule_counters(s);
}

static void reply(struct core_message *m)
{
	if (!ring_try_push(m->reply, m)) /* whoever asked has given up */
		core_message_free(m);
}

static void take(struct core *c, struct core_message *m)
{
	switch (m->kind) {
	case CORE_EVENT:
		step(c, &m->ev);
		break;
	case CORE_FLEET:
		step_fleet(c, m->fleet);
		break;
	case CORE_ITEMS:
		content_add(&c->out.content, m->ev.items.run_id, m->ev.items.from, m->ev.items.to, m->items, &m->arena);
		step(c, &m->ev);
		break;
	case CORE_ADMIT:
		content_set_context(&c->out.content, m->ev.run->run_id, m->context);
		step(c, &m->ev);
		break;
	case CORE_COMMITTED:
		step(c, &m->ev);
		if (m->fleet) { /* the schedule knows: now the worker may */
			actions_commit(&c->out, m->fleet);
			m->fleet = NULL;
		}
		break;
	case CORE_LOOK:
		look(c, m);
		reply(m);
		return;
	case CORE_SAID:
		reply(m);
		return;
	}
	core_message_free(m);
}

/* ---- the loop ---- */

static void show_metrics(struct core *c)
{
	const struct sched_counters *now = schedule_counters(c->schedule);
	uint64_t pending = 0, in_flight = 0;
	metrics_add(c->leased, now->leased_samples - c->counted.leased_samples);
	metrics_add(c->commits, now->commits - c->counted.commits);
	metrics_add(c->deaths, now->deaths - c->counted.deaths);
	metrics_add(c->quarantined, now->quarantined - c->counted.quarantined);
	metrics_add(c->expired, now->expired_workers - c->counted.expired_workers);
	c->counted = *now;
	for (size_t i = 0; i < schedule_run_count(c->schedule); i++) {
		struct sched_run_view v;
		schedule_run_view(c->schedule, i, c->now_ms, &v);
		pending += v.pending;
		in_flight += v.in_flight;
	}
	metrics_set(c->pending, (double)pending);
	metrics_set(c->in_flight, (double)in_flight);
}

static int wait_ms(struct core *c)
{
	uint64_t due = schedule_next_deadline_ms(c->schedule), now = clock_now_ms();
	if (!actions_flush(&c->out))
		due = MIN_OF(due, now + DEFER_MS);
	if (due <= now)
		return 0;
	return (int)MIN_OF(due - now, (uint64_t)1000);
}

static void run(void *arg)
{
	struct core *c = arg;
	uint64_t shown_ms = 0;
	while (!ring_is_closed(c->inbox)) {
		void *messages[MESSAGES_PER_TURN];
		size_t n = ring_pop_wait(c->inbox, messages, MESSAGES_PER_TURN, wait_ms(c));
		c->now_ms = clock_now_ms();
		for (size_t i = 0; i < n; i++)
			take(c, messages[i]);
		/* What has arrived goes first: a Renew that waits in the inbox must not be too late by our own doing.
		 */
		if (n < MESSAGES_PER_TURN && schedule_next_deadline_ms(c->schedule) <= c->now_ms) {
			struct sched_event tick = { .kind = SCHED_TICK };
			step(c, &tick);
		}
		if (c->now_ms - shown_ms >= 500) {
			shown_ms = c->now_ms;
			show_metrics(c);
		}
	}
}

/* ---- start and stop ---- */

static void make_metrics(struct core *c, struct metrics *m)
{
	static const struct metrics_spec specs[] = {
		{ .name = "assay_samples_leased_total", .help = "Samples lent to workers" },
		{ .name = "assay_samples_committed_total", .help = "Rows that the schedule was told of" },
		{ .name = "assay_worker_deaths_total", .help = "Samples that were started when their worker died" },
		{ .name = "assay_samples_quarantined_total", .help = "Samples set aside" },
		{ .name = "assay_workers_expired_total",
		  .help = "Workers whose leases ended because they did not renew" },
		{ .kind = METRICS_GAUGE, .name = "assay_samples_pending", .help = "Samples waiting to be lent" },
		{ .kind = METRICS_GAUGE, .name = "assay_samples_in_flight", .help = "Samples with workers" },
	};
	struct metrics_series **series[] = { &c->leased,  &c->commits, &c->deaths,   &c->quarantined,
		                             &c->expired, &c->pending, &c->in_flight };
	for (size_t i = 0; i < ARRAY_LEN(specs); i++)
		*series[i] = metrics_one(m, &specs[i]);
}

enum err_code core_new(struct core **ret_core, struct error *reterr)
{
	struct core *c = mem_new(1, sizeof(*c));
	enum err_code err = ring_new(INBOX_CAPACITY, &c->inbox, reterr);
	if (err != ERR_OK) {
		mem_free(c);
		return err;
	}
	sched_actions_init(&c->actions);
	*ret_core = c;
	return ERR_OK;
}

enum err_code core_start(struct core *c, const struct core_settings *settings, struct error *reterr)
{
	c->settings = *settings;
	c->schedule = schedule_new(&settings->schedule);
	actions_init(&c->out, settings->fleet, settings->writers, settings->loader, settings->schedule.term);
	make_metrics(c, settings->metrics);
	return thread_start(&c->thread, "core", run, c, reterr);
}

void core_halt(struct core *c)
{
	if (!c)
		return;
	ring_close(c->inbox);
	thread_join(c->thread);
	c->thread = NULL;
}

void core_free(struct core *c)
{
	if (!c)
		return;
	core_halt(c);
	void *left[64];
	size_t n;
	while ((n = ring_pop_all(c->inbox, left, ARRAY_LEN(left))) > 0)
		for (size_t i = 0; i < n; i++)
			core_message_free(left[i]);
	if (c->schedule)
		actions_done(&c->out);
	schedule_free(c->schedule);
	sched_actions_done(&c->actions);
	ring_free(c->inbox);
	mem_free(c);
}
