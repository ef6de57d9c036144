#include "coordinator/main/writers.h"
#include "common/base/mem.h"
#include "common/io/clock.h"
#include "common/io/log.h"
#include "common/io/thread.h"
#include <stdatomic.h>

enum { WRITER_COUNT = 2, INBOX_CAPACITY = 1 << 16, MESSAGES_PER_TURN = 1024 };

struct share { /* one fleet event whose records went to several writers */
	struct fleet_event *event;
	unsigned count; /* of messages */
	atomic_uint left;
};

struct message {
	bool is_job;
	struct writer_batch batch;
	struct writer_job job;
	struct share *share; /* results of a worker; NULL: rows of the schedule */
	struct arena arena;
	struct message **link, *next; /* of those that the writer has; *link is the pointer that points here */
};

struct one {
	struct writers *all;
	struct writer *writer;
	struct ring *inbox;
	struct thread *thread;
	struct message *lent; /* to the writer: not durable yet */
	atomic_bool idle;
	bool told_lost;
};

struct writers {
	struct writers_settings settings;
	struct one ones[WRITER_COUNT];
	struct metrics_series *rows, *groups, *paid_twice, *spoiled, *refused, *sent_again;
};

static struct message *message_new(void)
{
	struct message *m = mem_new(1, sizeof(*m));
	arena_init(&m->arena, 64 << 20);
	return m;
}

static void message_free(struct message *m)
{
	arena_done(&m->arena);
	mem_free(m);
}

static void link_in(struct one *o, struct message *m)
{
	m->next = o->lent;
	m->link = &o->lent;
	if (m->next)
		m->next->link = &m->next;
	o->lent = m;
}

static void unlink_message(struct message *m)
{
	*m->link = m->next;
	if (m->next)
		m->next->link = m->link;
}

static bool push(struct writers *w, uint64_t run_id, struct message *m)
{
	struct one *o = &w->ones[writer_of_run(run_id, WRITER_COUNT)];
	atomic_store(&o->idle, false);
	return ring_try_push(o->inbox, m);
}

/* ---- what is durable, told to the core ---- */

static struct sched_committed committed_of(const struct msg_record *r, const struct writer_done *done)
{
	struct sched_committed c = { .kind = r->kind,
		                     .given_up = r->given_up,
		                     .run_id = r->run_id,
		                     .sample_no = r->sample_no,
		                     .ask_id = r->ask_id,
		                     .retry_no = r->retry_no,
		                     .scoring_no = r->scoring_no,
		                     .outcome = done->outcome,
		                     .error_class = r->error_class,
		                     .attempt_count = r->attempt_count,
		                     .latency_ms = r->latency_ms,
		                     .retry_after_ms = r->retry_after_ms };
	if (done->fate == WRITER_REFUSED)
		c.outcome = OUTCOME_NONE;
	return c;
}

/* Only now, behind the records of every writer: a worker that forgets a sample which the core does not know to be done
 * would be lent it again. */
static void tell_whole(struct one *o, struct share *share)
{
	struct core_message *said = core_message_new(CORE_COMMITTED);
	said->ev.kind = SCHED_COMMITTED;
	said->ev.committed.outbox = share->event->outbox;
	said->fleet = share->event;
	mem_free(share);
	if (!core_push(o->all->settings.core, said))
		core_message_free(said);
}

static void tell_batch(struct one *o, struct message *m)
{
	struct core_message *said = core_message_new(CORE_COMMITTED);
	const struct writer_batch *b = &m->batch;
	struct sched_committed *records = arena_new(&said->arena, b->record_count, sizeof(*records));
	for (size_t i = 0; i < b->record_count; i++)
		records[i] = committed_of(&b->records[i], &b->done[i]);
	said->ev.kind = SCHED_COMMITTED;
	said->ev.committed.outbox = b->outbox;
	said->ev.committed.records = records;
	said->ev.committed.count = b->record_count;
	struct share *share = m->share;
	unlink_message(m);
	message_free(m);
	if (share && share->count == 1) {
		said->fleet = share->event;
		mem_free(share);
		share = NULL;
	}
	if (!core_push(o->all->settings.core, said))
		core_message_free(said);
	if (share && atomic_fetch_sub(&share->left, 1) == 1)
		tell_whole(o, share);
}

static void tell_job(struct one *o, struct message *m)
{
	const struct writers_settings *s = &o->all->settings;
	if (m->job.err != ERR_OK)
		log_error("a write was refused for good", log_error_text(&m->job.error));
	if (m->job.kind == WRITER_SENT_TO) {
		struct core_message *said = core_message_new(CORE_EVENT);
		said->ev.kind = SCHED_SENT_TO;
		said->ev.sent_to.run_id = m->job.sent_to.run_id;
		said->ev.sent_to.position = m->job.sent_to.sent_to;
		if (m->job.err != ERR_OK || !core_push(s->core, said))
			core_message_free(said);
	} else if (m->job.kind == WRITER_WORKER) {
		struct core_message *said = core_message_new(CORE_EVENT);
		said->ev.kind = SCHED_WORKER_KNOWN;
		said->ev.known = m->job.worker.outbox;
		if (m->job.err != ERR_OK || !core_push(s->core, said))
			core_message_free(said);
	} else if (m->job.kind == WRITER_RUN_STATE) {
		s->ended(s->arg, m->job.run_state.run_id, run_state_ended(m->job.run_state.state));
	}
	unlink_message(m);
	message_free(m);
}

/* ---- the loop ---- */

static void take_in(struct one *o, uint64_t now)
{
	void *messages[MESSAGES_PER_TURN];
	size_t n = ring_pop_all(o->inbox, messages, MESSAGES_PER_TURN);
	for (size_t i = 0; i < n; i++) {
		struct message *m = messages[i];
		link_in(o, m);
		if (m->is_job)
			writer_add_job(o->writer, &m->job);
		else
			writer_add_batch(o->writer, &m->batch, now);
	}
}

static void hand_back(struct one *o)
{
	struct writer_batch *b;
	struct writer_job *j;
	while ((b = writer_take_batch(o->writer)) != NULL)
		tell_batch(o, b->owner);
	while ((j = writer_take_job(o->writer)) != NULL)
		tell_job(o, j->owner);
}

static void count_up(struct one *o, struct writer_counters *before)
{
	struct writer_counters now = writer_counters(o->writer);
	struct writers *w = o->all;
	metrics_add(w->rows, now.inserted - before->inserted);
	metrics_add(w->groups, now.groups - before->groups);
	metrics_add(w->paid_twice, now.paid_twice - before->paid_twice);
	metrics_add(w->spoiled, now.spoiled - before->spoiled);
	metrics_add(w->refused, now.refused - before->refused);
	metrics_add(w->sent_again, now.sent_again - before->sent_again);
	*before = now;
}

static void run(void *arg)
{
	struct one *o = arg;
	struct writer_counters counted = { 0 };
	enum writer_state before = WRITER_AWAY;
	while (!ring_is_closed(o->inbox)) {
		uint64_t now = clock_now_ms();
		take_in(o, now);
		enum writer_state state = writer_step(o->writer, now);
		hand_back(o);
		count_up(o, &counted);
		if (state != before && state == WRITER_AWAY)
			log_warn("database away", log_c("error", writer_error(o->writer)));
		else if (state != before && state == WRITER_WORKS)
			log_info("database answers");
		if (state == WRITER_OVER && !o->told_lost) {
			o->told_lost = true;
			o->all->settings.lost(o->all->settings.arg);
		}
		before = state;
		atomic_store(&o->idle, writer_idle(o->writer) && ring_len(o->inbox) == 0);
		writer_wait(o->writer, ring_fd(o->inbox), clock_now_ms());
	}
}

/* ---- what others hand in ---- */

static bool take_results(struct writers *w, struct share *share, uint32_t index, uint64_t *ret_run_id,
                         struct message **ret_message)
{
	const struct fleet_event *e = share->event;
	struct message *m = message_new();
	struct msg_record *records = arena_new(&m->arena, e->record_count, sizeof(*records));
	size_t count = 0;
	for (size_t i = 0; i < e->record_count; i++)
		if (writer_of_run(e->records[i].run_id, WRITER_COUNT) == index)
			records[count++] = e->records[i];
	if (count == 0) {
		message_free(m);
		return false;
	}
	m->share = share;
	m->batch = (struct writer_batch){ .outbox = e->outbox,
		                          .worker_name = e->worker_name,
		                          .records = records,
		                          .record_count = count,
		                          .done = arena_new(&m->arena, count, sizeof(struct writer_done)),
		                          .owner = m };
	*ret_run_id = records[0].run_id;
	*ret_message = m;
	(void)w;
	return true;
}

bool writers_add_results(struct writers *w, struct fleet_event *event)
{
	struct message *messages[WRITER_COUNT];
	uint64_t runs[WRITER_COUNT];
	unsigned count = 0;
	struct share *share = mem_new(1, sizeof(*share));
	share->event = event;
	for (uint32_t i = 0; i < WRITER_COUNT; i++)
		count += take_results(w, share, i, &runs[count], &messages[count]);
	share->count = count;
	atomic_init(&share->left, count);
	/* Places first: a frame goes in whole or not at all. */
	bool room = true;
	unsigned reserved = 0;
	for (; reserved < count && room; reserved++)
		room = ring_reserve(w->ones[writer_of_run(runs[reserved], WRITER_COUNT)].inbox, 1);
	if (!room || count == 0) {
		for (unsigned i = 0; i + 1 < reserved; i++)
			ring_unreserve(w->ones[writer_of_run(runs[i], WRITER_COUNT)].inbox, 1);
		for (unsigned i = 0; i < count; i++)
			message_free(messages[i]);
		mem_free(share);
		return false;
	}
	for (unsigned i = 0; i < count; i++) {
		struct one *o = &w->ones[writer_of_run(runs[i], WRITER_COUNT)];
		atomic_store(&o->idle, false);
		if (!ring_push_reserved(o->inbox, messages[i])) /* stopping: nothing is durable, the worker keeps it */
			message_free(messages[i]);
	}
	return true;
}

uint32_t writers_index(uint64_t run_id)
{
	return writer_of_run(run_id, WRITER_COUNT);
}

bool writers_add_records(struct writers *w, struct outbox_id outbox, const struct msg_record *records, size_t count,
                         struct arena *arena)
{
	struct message *m = message_new();
	m->arena = *arena;
	m->batch = (struct writer_batch){ .outbox = outbox,
		                          .records = records,
		                          .record_count = count,
		                          .done = arena_new(&m->arena, count, sizeof(struct writer_done)),
		                          .owner = m };
	if (!push(w, records[0].run_id, m)) {
		*arena = m->arena;
		mem_free(m);
		return false;
	}
	arena_init(arena, 0);
	return true;
}

bool writers_add_job(struct writers *w, const struct writer_job *job, uint64_t run_id, struct arena *arena)
{
	struct message *m = message_new();
	m->is_job = true;
	m->job = *job;
	m->job.owner = m;
	m->arena = *arena;
	if (!push(w, run_id, m)) {
		*arena = m->arena;
		mem_free(m);
		return false;
	}
	arena_init(arena, 0);
	return true;
}

bool writers_idle(const struct writers *w)
{
	for (size_t i = 0; i < WRITER_COUNT; i++)
		if (!atomic_load(&w->ones[i].idle))
			return false;
	return true;
}

static void make_metrics(struct writers *w, struct metrics *m)
{
	static const struct metrics_spec specs[] = {
		{ .name = "assay_results_inserted_total", .help = "Result rows inserted" },
		{ .name = "assay_result_groups_total", .help = "Result statements committed" },
		{ .name = "assay_paid_twice_total", .help = "Asks paid for that bought nothing" },
		{ .name = "assay_results_spoiled_total",
		  .help = "Rows stored as harness_error because of their content" },
		{ .name = "assay_results_refused_total", .help = "Rows kept in refused_result" },
		{ .name = "assay_result_groups_sent_again_total", .help = "Groups sent again after a passing failure" },
	};
	struct metrics_series **series[] = { &w->rows,    &w->groups,  &w->paid_twice,
		                             &w->spoiled, &w->refused, &w->sent_again };
	for (size_t i = 0; i < ARRAY_LEN(specs); i++)
		*series[i] = metrics_one(m, &specs[i]);
}

enum err_code writers_start(const struct writers_settings *settings, struct writers **ret_writers, struct error *reterr)
{
	static const char *const names[WRITER_COUNT] = { "writer-0", "writer-1" };
	struct writers *w = mem_new(1, sizeof(*w));
	enum err_code err = ERR_OK;
	w->settings = *settings;
	make_metrics(w, settings->metrics);
	for (uint32_t i = 0; err == ERR_OK && i < WRITER_COUNT; i++) {
		struct one *o = &w->ones[i];
		struct writer_settings ws = { .store = settings->store, .term = settings->term, .index = i };
		o->all = w;
		err = ring_new(INBOX_CAPACITY, &o->inbox, reterr);
		if (err == ERR_OK)
			err = writer_new(&ws, &o->writer, reterr);
		if (err == ERR_OK)
			err = thread_start(&o->thread, names[i], run, o, reterr);
	}
	if (err != ERR_OK) {
		writers_stop(w);
		return err;
	}
	*ret_writers = w;
	return ERR_OK;
}

/* What was not durable dies here; whoever sent it has it in an outbox or in rows. */
static void drop(struct message *m)
{
	if (m->share && atomic_fetch_sub(&m->share->left, 1) == 1) {
		fleet_event_free(m->share->event);
		mem_free(m->share);
	}
	message_free(m);
}

void writers_stop(struct writers *w)
{
	if (!w)
		return;
	for (size_t i = 0; i < WRITER_COUNT; i++)
		if (w->ones[i].inbox)
			ring_close(w->ones[i].inbox);
	for (size_t i = 0; i < WRITER_COUNT; i++) /* all of them: a share may be in several */
		thread_join(w->ones[i].thread);
	for (size_t i = 0; i < WRITER_COUNT; i++) {
		struct one *o = &w->ones[i];
		void *left[64];
		size_t n;
		while (o->inbox && (n = ring_pop_all(o->inbox, left, ARRAY_LEN(left))) > 0)
			for (size_t k = 0; k < n; k++)
				drop(left[k]);
		writer_free(o->writer);
		for (struct message *m; (m = o->lent) != NULL;) {
			unlink_message(m);
			drop(m);
		}
		ring_free(o->inbox);
	}
	mem_free(w);
}
