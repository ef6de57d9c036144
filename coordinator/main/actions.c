#include "coordinator/main/actions.h"
#include "common/base/check.h"
#include "common/base/json_write.h"
#include "common/base/mem.h"
#include "common/io/clock.h"
#include "common/io/log.h"
#include "coordinator/main/loader.h"
#include "coordinator/main/writers.h"

enum { ABILITIES_BYTES_MAX = 64 << 10, RECORD_BYTES_MAX = 64 << 20 };

enum deferred_kind { DEFER_COMMAND, DEFER_LOAD, DEFER_NEEDED, DEFER_RECORDS, DEFER_JOB };

struct deferred { /* one thing to hand over; tried at once, kept when there is no room */
	struct deferred *next;
	enum deferred_kind kind;
	struct fleet_command *command;
	uint64_t run_id, from, to;
	struct outbox_id outbox;
	struct msg_record *records;
	size_t record_count;
	struct writer_job job;
	struct arena arena;
};

void actions_init(struct actions *a, struct fleet *fleet, struct writers *writers, struct loader *loader, uint64_t term)
{
	*a = (struct actions){ .fleet = fleet, .writers = writers, .loader = loader, .term = term };
	a->last = &a->first;
	content_init(&a->content);
}

static void deferred_free(struct deferred *d)
{
	fleet_command_free(d->command);
	arena_done(&d->arena);
	mem_free(d);
}

void actions_done(struct actions *a)
{
	while (a->first) {
		struct deferred *d = a->first;
		a->first = d->next;
		deferred_free(d);
	}
	content_done(&a->content);
}

static bool hand_over(struct actions *a, struct deferred *d)
{
	switch (d->kind) {
	case DEFER_COMMAND:
		if (!fleet_push(a->fleet, d->command))
			return false;
		d->command = NULL;
		return true;
	case DEFER_LOAD:
		return loader_items(a->loader, d->run_id, d->from, d->to);
	case DEFER_NEEDED:
		return loader_run_needed(a->loader, d->run_id);
	case DEFER_RECORDS:
		return writers_add_records(a->writers, d->outbox, d->records, d->record_count, &d->arena);
	case DEFER_JOB:
		return writers_add_job(a->writers, &d->job, d->run_id, &d->arena);
	}
	return true;
}

bool actions_flush(struct actions *a)
{
	while (a->first) {
		struct deferred *d = a->first;
		if (!hand_over(a, d))
			return false;
		a->first = d->next;
		if (!a->first)
			a->last = &a->first;
		deferred_free(d);
	}
	return true;
}

static struct deferred *deferred_new(enum deferred_kind kind)
{
	struct deferred *d = mem_new(1, sizeof(*d));
	d->kind = kind;
	arena_init(&d->arena, RECORD_BYTES_MAX);
	return d;
}

static void put(struct actions *a, struct deferred *d)
{
	if (actions_flush(a) && hand_over(a, d)) {
		deferred_free(d);
		return;
	}
	*a->last = d;
	a->last = &d->next;
}

/* ---- frames ---- */

static struct msg *command_msg(struct deferred **ret_d, enum fleet_command_kind kind, uint32_t worker_id,
                               enum msg_kind msg_kind, uint64_t number)
{
	struct deferred *d = deferred_new(DEFER_COMMAND);
	d->command = fleet_command_new(kind, worker_id);
	d->command->msg = arena_new(&d->command->arena, 1, sizeof(struct msg));
	d->command->msg->kind = msg_kind;
	d->command->msg->number = number;
	*ret_d = d;
	return d->command->msg;
}

static void *copy(struct arena *arena, const void *data, size_t count, size_t size)
{
	if (!data || count == 0)
		return NULL;
	void *out = arena_new(arena, count, size);
	memcpy(out, data, count * size);
	return out;
}

static void send_welcome(struct actions *a, const struct sched_action *act)
{
	struct deferred *d;
	struct msg *m = command_msg(&d, FLEET_WELCOME, act->welcome.worker_id, MSG_WELCOME, 0);
	struct arena *arena = &d->command->arena;
	m->welcome.refused = copy(arena, act->welcome.refused, act->welcome.refused_count, sizeof(struct lease_no));
	m->welcome.refused_count = act->welcome.refused_count;
	m->welcome.answers = copy(arena, act->welcome.verdicts, act->welcome.verdict_count, 1);
	m->welcome.answer_count = act->welcome.verdict_count;
	put(a, d);
}

static void send_renewed(struct actions *a, const struct sched_action *act)
{
	struct deferred *d;
	struct msg *m = command_msg(&d, FLEET_RENEWED_REPLY, act->renewed.worker_id, MSG_RENEWED, 0);
	m->renewed.renew_no = act->renewed.renew_no;
	m->renewed.refused =
		copy(&d->command->arena, act->renewed.refused, act->renewed.refused_count, sizeof(struct lease_no));
	m->renewed.refused_count = act->renewed.refused_count;
	put(a, d);
}

static uint32_t *filled(struct arena *arena, const uint32_t *values, uint32_t fallback, size_t count)
{
	uint32_t *out = arena_new(arena, count, sizeof(*out));
	for (size_t i = 0; i < count; i++)
		out[i] = values ? values[i] : fallback;
	return out;
}

static void send_lease(struct actions *a, const struct sched_action *act)
{
	struct deferred *d;
	struct msg *m = command_msg(&d, FLEET_SEND, act->lease.worker_id, MSG_LEASE, act->lease.frame_no);
	struct arena *arena = &d->command->arena;
	struct msg_lease *l = &m->lease;
	size_t count = act->lease.sample_count, total = 0;
	struct str *items = arena_new(arena, count, sizeof(*items));
	uint32_t *ends = arena_new(arena, count, sizeof(*ends));
	for (size_t i = 0; i < count; i++) {
		uint64_t item_no = act->lease.sample_nos[i] % act->lease.suite_items;
		bool found = content_item(&a->content, act->lease.run_id, item_no, &items[i]);
		check_msg(found, "run %llu: item %llu is lent but not held", (unsigned long long)act->lease.run_id,
		          (unsigned long long)item_no);
		total += items[i].len;
		ends[i] = (uint32_t)total;
	}
	char *blob = arena_new(arena, total + 1, 1);
	for (size_t i = 0, at = 0; i < count; at += items[i].len, i++)
		if (items[i].len)
			memcpy(blob + at, items[i].data, items[i].len);
	*l = (struct msg_lease){
		.number = act->lease.number,
		.deadline_ms = act->lease.deadline_ms,
		.run_id = act->lease.run_id,
		.route_id = act->lease.route_id,
		.retry_no = act->lease.retry_no,
		.scoring_no = act->lease.scoring_no,
		.alone = act->lease.alone,
		.sample_count = count,
		.sample_nos = copy(arena, act->lease.sample_nos, count, sizeof(uint64_t)),
		.attempts_left = filled(arena, act->lease.attempts_left, act->lease.attempts_max, count),
		.time_left_ms = filled(arena, act->lease.time_left_ms, act->lease.sample_ms_max, count),
		.item_ends = ends,
		.items = { blob, total },
	};
	struct str context = content_context(&a->content, act->lease.run_id, &l->context_hash);
	if (act->lease.with_context)
		l->context = arena_str(arena, context);
	put(a, d);
}

static void send_release(struct actions *a, const struct sched_action *act)
{
	struct deferred *d;
	struct msg *m = command_msg(&d, FLEET_SEND, act->release.worker_id, MSG_RELEASE, act->release.frame_no);
	m->release.number = act->release.number;
	m->release.indexes = copy(&d->command->arena, act->release.indexes, act->release.index_count, sizeof(uint32_t));
	m->release.index_count = act->release.index_count;
	put(a, d);
}

static void send_small(struct actions *a, const struct sched_action *act)
{
	struct deferred *d;
	struct msg *m;
	if (act->kind == SCHED_DO_REVOKE) {
		m = command_msg(&d, FLEET_SEND, act->revoke.worker_id, MSG_REVOKE, act->revoke.frame_no);
		m->revoke = (struct msg_revoke){ act->revoke.number, act->revoke.abandon };
	} else if (act->kind == SCHED_DO_GRANT) {
		m = command_msg(&d, FLEET_SEND, act->grant.worker_id, MSG_GRANT, act->grant.frame_no);
		m->grant = (struct msg_grant){ act->grant.route_id, act->grant.slots, act->grant.pause_ms };
	} else if (act->kind == SCHED_DO_DRAIN) {
		m = command_msg(&d, FLEET_SEND, act->drain.worker_id, MSG_DRAIN, act->drain.frame_no);
		m->drain.reason = arena_str(&d->command->arena, act->drain.reason);
	} else {
		d = deferred_new(DEFER_COMMAND);
		d->command = fleet_command_new(FLEET_CLOSE, act->close.worker_id);
		d->command->cause = act->close.cause;
	}
	put(a, d);
}

void actions_commit(struct actions *a, struct fleet_event *event)
{
	struct deferred *d = deferred_new(DEFER_COMMAND);
	d->command = fleet_command_new(FLEET_COMMIT, event->worker_id);
	d->command->event = event;
	put(a, d);
}

/* ---- rows ---- */

static void put_job(struct actions *a, struct deferred *d, uint64_t run_id)
{
	d->kind = DEFER_JOB;
	d->run_id = run_id;
	put(a, d);
}

static void write_sent_to(struct actions *a, const struct sched_action *act)
{
	struct deferred *d = deferred_new(DEFER_JOB);
	d->job.kind = WRITER_SENT_TO;
	d->job.sent_to = (struct writer_sent_to){ act->sent_to.run_id, act->sent_to.position };
	put_job(a, d, act->sent_to.run_id);
}

static void write_outcome(struct actions *a, const struct sched_action *act)
{
	struct deferred *d = deferred_new(DEFER_RECORDS);
	d->records = arena_new(&d->arena, 1, sizeof(*d->records));
	d->record_count = 1;
	d->records[0] = (struct msg_record){ .kind = RECORD_RESULT,
		                             .run_id = act->outcome.run_id,
		                             .sample_no = act->outcome.sample_no,
		                             .retry_no = act->outcome.retry_no,
		                             .scoring_no = act->outcome.scoring_no,
		                             .outcome = act->outcome.outcome,
		                             .error_class = act->outcome.error_class,
		                             .evidence = arena_str(&d->arena, act->outcome.text),
		                             .retry_after_ms = -1,
		                             .cost_nanousd = -1,
		                             .at_ms = clock_wall_ms() };
	put(a, d);
}

/* When a death was written and when an outbox had spoken decide what is still open: a wall clock that steps back must
 * not turn them around. */
static int64_t stamp(struct actions *a)
{
	int64_t wall_ms = clock_wall_ms();
	a->stamp_ms = MAX_OF(a->stamp_ms + 1, wall_ms);
	return a->stamp_ms;
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
		                    .given_up = u->error_class == CLASS_LOST && u->started, /* see store/writer.h */
		                    .attempt_count = u->error_class == CLASS_LOST && u->alone ? 1 : 0,
		                    .evidence = u->started ? STR("started") : STR("may have started"),
		                    .retry_after_ms = -1,
		                    .cost_nanousd = -1,
		                    .at_ms = at_ms };
}

/* What one worker held may be of several runs: one batch for each writer, since a run's rows are one writer's alone. */
static void write_attempts(struct actions *a, const struct sched_action *act)
{
	size_t count = act->attempts.count;
	const struct sched_unreported *all = act->attempts.unreported;
	int64_t at_ms = stamp(a);
	for (uint32_t index = 0, written = 0; written < count; index++) {
		struct deferred *d = deferred_new(DEFER_RECORDS);
		d->outbox = act->attempts.outbox;
		d->records = arena_new(&d->arena, count, sizeof(*d->records));
		for (size_t i = 0; i < count; i++)
			if (writers_index(all[i].run_id) == index)
				d->records[d->record_count++] = attempt_record(&all[i], at_ms);
		written += (uint32_t)d->record_count;
		if (d->record_count)
			put(a, d);
		else
			deferred_free(d);
	}
}

static enum run_state state_of(enum sched_run_state s)
{
	switch (s) {
	case SCHED_STATE_DONE:
		return RUN_DONE;
	case SCHED_STATE_INCOMPLETE:
		return RUN_INCOMPLETE;
	case SCHED_STATE_CANCELLED:
		return RUN_CANCELLED;
	case SCHED_STATE_OVER_BUDGET:
		return RUN_OVER_BUDGET;
	case SCHED_STATE_RUNNING:
		break;
	}
	return RUN_RUNNING;
}

static void write_run_state(struct actions *a, const struct sched_action *act)
{
	struct deferred *d = deferred_new(DEFER_JOB);
	d->job.kind = WRITER_RUN_STATE;
	d->job.run_state = (struct writer_run_state){ act->ended.run_id, state_of(act->ended.state),
		                                      arena_str(&d->arena, act->ended.text) };
	log_info("run ended", log_u64("run", act->ended.run_id), log_c("state", sched_run_state_name(act->ended.state)),
	         log_str("why", act->ended.text));
	put_job(a, d, act->ended.run_id);
}

static void write_outbox_job(struct actions *a, enum writer_job_kind kind, struct outbox_id outbox)
{
	struct deferred *d = deferred_new(DEFER_JOB);
	d->job.kind = kind;
	d->job.outbox.outbox = outbox;
	d->job.outbox.at_ms = stamp(a);
	put_job(a, d, 0);
}

static struct str abilities(struct arena *arena, const struct msg_hello *h)
{
	struct buf text;
	struct json_write w;
	buf_init(&text, ABILITIES_BYTES_MAX);
	json_write_init(&w, &text, false);
	json_write_object(&w);
	json_write_key(&w, "providers");
	json_write_array(&w);
	for (size_t i = 0; i < h->provider_count; i++)
		json_write_str(&w, h->providers[i]);
	json_write_array_end(&w);
	json_write_key(&w, "aliases");
	json_write_array(&w);
	for (size_t i = 0; i < h->alias_count; i++)
		json_write_str(&w, h->aliases[i].name);
	json_write_array_end(&w);
	json_write_key(&w, "hosts");
	json_write_array(&w);
	for (size_t i = 0; i < h->host_count; i++)
		json_write_str(&w, h->hosts[i].command);
	json_write_array_end(&w);
	json_write_key(&w, "allowed_hosts");
	json_write_array(&w);
	for (size_t i = 0; i < h->allowed_host_count; i++)
		json_write_str(&w, h->allowed_hosts[i]);
	json_write_array_end(&w);
	json_write_object_end(&w);
	struct str out = text.failed ? STR("{}") : arena_str(arena, buf_str(&text));
	buf_done(&text);
	return out;
}

void actions_worker_joined(struct actions *a, const struct fleet_event *e)
{
	const struct msg_hello *h = &e->msg->hello;
	struct deferred *d = deferred_new(DEFER_JOB);
	d->job.kind = WRITER_WORKER;
	d->job.worker = (struct writer_worker){ .outbox = h->outbox,
		                                .name = arena_str(&d->arena, e->worker_name),
		                                .build = arena_str(&d->arena, h->build),
		                                .slots = h->slots,
		                                .abilities = abilities(&d->arena, h) };
	log_info("worker joined", log_str("worker", e->worker_name), log_u64("slots", h->slots),
	         log_u64("leases", h->lease_count), log_u64("answers", h->answer_count));
	put_job(a, d, 0);
}

void actions_worker_gone(struct actions *a, const struct fleet_event *e)
{
	if (e->orderly)
		write_outbox_job(a, WRITER_WORKER_GONE, e->outbox);
}

/* ---- reads ---- */

static void ask_loader(struct actions *a, enum deferred_kind kind, uint64_t run_id, uint64_t from, uint64_t to)
{
	struct deferred *d = deferred_new(kind);
	d->run_id = run_id;
	d->from = from;
	d->to = to;
	put(a, d);
}

void actions_carry_out(struct actions *a, const struct sched_action *act)
{
	switch (act->kind) {
	case SCHED_DO_WELCOME:
		send_welcome(a, act);
		return;
	case SCHED_DO_RENEWED:
		send_renewed(a, act);
		return;
	case SCHED_DO_LEASE:
		send_lease(a, act);
		return;
	case SCHED_DO_RELEASE:
		send_release(a, act);
		return;
	case SCHED_DO_CLOSE:
	case SCHED_DO_REVOKE:
	case SCHED_DO_GRANT:
	case SCHED_DO_DRAIN:
		send_small(a, act);
		return;
	case SCHED_DO_LOAD_ITEMS:
		ask_loader(a, DEFER_LOAD, act->items.run_id, act->items.from, act->items.to);
		return;
	case SCHED_DO_DROP_ITEMS:
		content_drop(&a->content, act->items.run_id, act->items.from, act->items.to);
		return;
	case SCHED_DO_SENT_TO:
		write_sent_to(a, act);
		return;
	case SCHED_DO_OUTCOME:
		write_outcome(a, act);
		return;
	case SCHED_DO_ATTEMPTS:
		write_attempts(a, act);
		return;
	case SCHED_DO_LOST_CLOSED:
		write_outbox_job(a, WRITER_LOST_CLOSED, act->outbox);
		return;
	case SCHED_DO_RUN_ENDED:
		write_run_state(a, act);
		return;
	case SCHED_DO_RUN_NEEDED:
		ask_loader(a, DEFER_NEEDED, act->run_id, 0, 0);
		return;
	case SCHED_DO_RUN_FORGOTTEN:
		content_forget(&a->content, act->run_id);
		return;
	case SCHED_ACTION_COUNT:
		break;
	}
	check_msg(false, "unknown action of the schedule: %d", (int)act->kind);
}
