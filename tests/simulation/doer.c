/* Carries out what a schedule decided, as coordinator/main/actions.c does. */
#include "common/base/mem.h"
#include "tests/simulation/world.h"
#include <string.h>

enum { ITEM_BYTES = 2 };

static void to_peer(struct world *w, struct desk *d, uint32_t worker_id, struct session_event *ev)
{
	struct peer *p = desk_peer(d, worker_id);
	if (p) /* else it is gone, and the schedule will hear so */
		desk_session(w, d, p, ev);
}

static void send(struct world *w, struct desk *d, uint32_t worker_id, const struct msg *m)
{
	struct session_event ev = { .kind = SESSION_CORE_SEND };
	ev.send = m;
	to_peer(w, d, worker_id, &ev);
}

static const uint32_t *filled(struct world *w, const uint32_t *values, uint32_t fallback, size_t count)
{
	if (values)
		return values;
	uint32_t *out = arena_new(&w->scratch, count, sizeof(*out));
	for (size_t i = 0; i < count; i++)
		out[i] = fallback;
	return out;
}

static void send_lease(struct world *w, struct desk *d, const struct sched_action *a)
{
	static char items[WIRE_LEASE_SAMPLES_MAX * ITEM_BYTES];
	static uint32_t ends[WIRE_LEASE_SAMPLES_MAX];
	size_t count = a->lease.sample_count;
	if (!items[0])
		for (uint32_t i = 0; i < WIRE_LEASE_SAMPLES_MAX; i++) {
			memcpy(items + (size_t)i * ITEM_BYTES, "{}", ITEM_BYTES);
			ends[i] = (i + 1) * ITEM_BYTES;
		}
	struct peer *p = desk_peer(d, a->lease.worker_id);
	if (p)
		oracle_leased(w, d, a, cable_get(w, p->cable)->worker);
	struct msg m = { .kind = MSG_LEASE, .number = a->lease.frame_no };
	m.lease = (struct msg_lease){
		.number = a->lease.number,
		.deadline_ms = a->lease.deadline_ms,
		.run_id = a->lease.run_id,
		.route_id = a->lease.route_id,
		.retry_no = a->lease.retry_no,
		.scoring_no = a->lease.scoring_no,
		.context_hash = { { (uint8_t)a->lease.run_id, 77 } },
		.context = a->lease.with_context ? STR("{\"suite_items\":1}") : STR(""),
		.alone = a->lease.alone,
		.sample_count = count,
		.sample_nos = a->lease.sample_nos,
		.attempts_left = filled(w, a->lease.attempts_left, a->lease.attempts_max, count),
		.time_left_ms = filled(w, a->lease.time_left_ms, a->lease.sample_ms_max, count),
		.item_ends = ends,
		.items = { items, count * ITEM_BYTES },
	};
	send(w, d, a->lease.worker_id, &m);
}

static void send_small(struct world *w, struct desk *d, const struct sched_action *a)
{
	struct msg m = { 0 };
	if (a->kind == SCHED_DO_RELEASE) {
		m = (struct msg){ .kind = MSG_RELEASE, .number = a->release.frame_no };
		m.release = (struct msg_release){ a->release.number, a->release.indexes, a->release.index_count };
		send(w, d, a->release.worker_id, &m);
	} else if (a->kind == SCHED_DO_REVOKE) {
		m = (struct msg){ .kind = MSG_REVOKE, .number = a->revoke.frame_no };
		m.revoke = (struct msg_revoke){ a->revoke.number, a->revoke.abandon };
		send(w, d, a->revoke.worker_id, &m);
	} else if (a->kind == SCHED_DO_GRANT) {
		m = (struct msg){ .kind = MSG_GRANT, .number = a->grant.frame_no };
		m.grant = (struct msg_grant){ a->grant.route_id, a->grant.slots, a->grant.pause_ms };
		send(w, d, a->grant.worker_id, &m);
	} else {
		m = (struct msg){ .kind = MSG_DRAIN, .number = a->drain.frame_no };
		m.drain.reason = a->drain.reason;
		send(w, d, a->drain.worker_id, &m);
	}
}

static void say(struct world *w, struct desk *d, const struct sched_action *a)
{
	struct session_event ev = { 0 };
	uint32_t worker_id = 0;
	if (a->kind == SCHED_DO_WELCOME) {
		worker_id = a->welcome.worker_id;
		ev.kind = SESSION_CORE_WELCOME;
		ev.welcome.refused = a->welcome.refused;
		ev.welcome.refused_count = a->welcome.refused_count;
		ev.welcome.verdicts = a->welcome.verdicts;
		ev.welcome.verdict_count = a->welcome.verdict_count;
	} else if (a->kind == SCHED_DO_RENEWED) {
		worker_id = a->renewed.worker_id;
		ev.kind = SESSION_CORE_RENEWED;
		ev.renewed.renew_no = a->renewed.renew_no;
		ev.renewed.refused = a->renewed.refused;
		ev.renewed.refused_count = a->renewed.refused_count;
	} else {
		worker_id = a->close.worker_id;
		ev.kind = SESSION_CORE_CLOSE;
		ev.cause = a->close.cause;
	}
	to_peer(w, d, worker_id, &ev);
}

/* ---- rows ---- */

static void write_outcome(struct world *w, struct desk *d, const struct sched_action *a)
{
	struct msg_record *r = mem_new(1, sizeof(*r));
	*r = (struct msg_record){ .kind = RECORD_RESULT,
		                  .run_id = a->outcome.run_id,
		                  .sample_no = a->outcome.sample_no,
		                  .retry_no = a->outcome.retry_no,
		                  .scoring_no = a->outcome.scoring_no,
		                  .outcome = a->outcome.outcome,
		                  .error_class = a->outcome.error_class,
		                  .retry_after_ms = -1,
		                  .at_ms = desk_wall_ms(w, d) };
	world_log(w, "outcome r%llu:%llu %s: %.*s", (unsigned long long)r->run_id, (unsigned long long)r->sample_no,
	          outcome_name(r->outcome), STR_ARG(a->outcome.text));
	if (a->outcome.text.len == 0)
		oracle_break(w, "I9", "an outcome without evidence: run %llu sample %llu",
		             (unsigned long long)r->run_id, (unsigned long long)r->sample_no);
	pen_records(w, d, 0, r, 1);
}

static struct msg_record attempt_record(const struct sched_unreported *u, int64_t at_ms)
{
	return (struct msg_record){ .kind = RECORD_ATTEMPT,
		                    .run_id = u->run_id,
		                    .sample_no = u->sample_no,
		                    .ask_id = u->ask_id,
		                    .retry_no = u->retry_no,
		                    .scoring_no = u->scoring_no,
		                    .error_class = u->error_class,
		                    .given_up = u->error_class == CLASS_LOST && u->started,
		                    .attempt_count = u->error_class == CLASS_LOST && u->alone ? 1 : 0,
		                    .retry_after_ms = -1,
		                    .at_ms = at_ms };
}

/* One batch for each writer, since a run's rows are one writer's alone. */
static void write_attempts(struct world *w, struct desk *d, const struct sched_action *a)
{
	const struct sched_unreported *all = a->attempts.unreported;
	int64_t at_ms = desk_stamp_ms(w, d);
	for (uint32_t which = 0; which < PLAN_PENS; which++) {
		size_t count = 0;
		struct msg_record *records = mem_new(a->attempts.count + 1, sizeof(*records));
		for (size_t i = 0; i < a->attempts.count; i++)
			if (all[i].run_id % PLAN_PENS == which)
				records[count++] = attempt_record(&all[i], at_ms);
		if (count)
			pen_records(w, d, world_outbox_no(&a->attempts.outbox), records, count);
		else
			mem_free(records);
	}
}

static void write_job(struct world *w, struct desk *d, const struct sched_action *a)
{
	struct batch *b;
	if (a->kind == SCHED_DO_SENT_TO) {
		b = pen_job(w, d, JOB_SENT_TO, a->sent_to.run_id);
		b->position = a->sent_to.position;
	} else if (a->kind == SCHED_DO_LOST_CLOSED) {
		b = pen_job(w, d, JOB_LOST_CLOSED, 0);
		b->outbox_no = world_outbox_no(&a->outbox);
		b->asked_ms = desk_stamp_ms(w, d);
	} else {
		b = pen_job(w, d, JOB_RUN_STATE, a->ended.run_id);
		b->state = a->ended.state;
		b->has_text = a->ended.text.len > 0;
		world_log(w, "run %llu ends: %s %.*s", (unsigned long long)a->ended.run_id,
		          sched_run_state_name(a->ended.state), STR_ARG(a->ended.text));
		oracle_run_ended(w, d, a);
	}
	pen_push(w, d, b, b->run_id);
}

void doer_carry_out(struct world *w, struct desk *d, const struct sched_action *a)
{
	world_mix(w, 100u + a->kind, d->index, d->term);
	switch (a->kind) {
	case SCHED_DO_WELCOME:
	case SCHED_DO_RENEWED:
	case SCHED_DO_CLOSE:
		say(w, d, a);
		return;
	case SCHED_DO_LEASE:
		send_lease(w, d, a);
		return;
	case SCHED_DO_RELEASE:
	case SCHED_DO_REVOKE:
	case SCHED_DO_GRANT:
	case SCHED_DO_DRAIN:
		send_small(w, d, a);
		return;
	case SCHED_DO_LOAD_ITEMS:
		loader_items(w, d, a->items.run_id, a->items.from, a->items.to);
		return;
	case SCHED_DO_SENT_TO:
	case SCHED_DO_LOST_CLOSED:
	case SCHED_DO_RUN_ENDED:
		write_job(w, d, a);
		return;
	case SCHED_DO_OUTCOME:
		write_outcome(w, d, a);
		return;
	case SCHED_DO_ATTEMPTS:
		write_attempts(w, d, a);
		return;
	case SCHED_DO_RUN_NEEDED:
		loader_needed(w, d, a->run_id);
		return;
	case SCHED_DO_DROP_ITEMS:
	case SCHED_DO_RUN_FORGOTTEN:
	case SCHED_ACTION_COUNT:
		return;
	}
}
