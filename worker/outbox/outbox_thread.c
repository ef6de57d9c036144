#include "worker/outbox/outbox_thread.h"
#include "common/base/check.h"
#include "common/base/mem.h"
#include "common/io/clock.h"
#include "common/io/log.h"
#include "common/io/outgoing.h"
#include "common/io/thread.h"
#include "worker/exec/mail.h"

enum { MAILS_A_TURN = 512, FULL_RING_MS = 2, IDLE_MS = 10 * 1000, GROUP_RECORDS_MAX = 512, GROUP_BYTES_MAX = 32 << 20 };

struct outbox_thread {
	struct outbox_thread_options options;
	struct thread *thread;
	struct outgoing link, *nets;
	struct mail **keeps; /* not yet kept, in order of arrival */
	size_t keep_count, keep_cap;
	struct record **group;
	bool failing;
	uint64_t retry_at_ms, damaged_seen;
	struct metrics_series *segments, *open_records, *damaged, *failures;
};

static void tell_link(struct outbox_thread *t)
{
	struct mail *m = mail_new(MAIL_OUTBOX);
	m->outbox.writable = !t->failing;
	m->outbox.unloaded = outbox_index(t->options.outbox)->unloaded;
	outgoing_push(&t->link, m);
}

static void set_failing(struct outbox_thread *t, bool failing, const struct error *error)
{
	if (failing)
		t->retry_at_ms = clock_now_ms() + (t->options.retry_ms ? t->options.retry_ms : OUTBOX_RETRY_MS);
	if (failing && t->failures)
		metrics_add(t->failures, 1);
	if (failing == t->failing)
		return;
	t->failing = failing;
	if (failing)
		log_error("outbox cannot be written: no new work is taken", log_error_text(error));
	else
		log_info("outbox can be written again");
	tell_link(t);
}

/* Rot that was met since the last look: counted, and said where somebody reads it. */
static void look_for_damage(struct outbox_thread *t)
{
	uint64_t damaged = outbox_index(t->options.outbox)->damaged_count;
	if (damaged == t->damaged_seen)
		return;
	log_warn("damaged records in the outbox were dropped: their samples are asked again",
	         log_u64("records", damaged - t->damaged_seen));
	if (t->damaged)
		metrics_add(t->damaged, damaged - t->damaged_seen);
	t->damaged_seen = damaged;
}

static void show(const struct outbox_thread *t)
{
	const struct outbox_index *x = outbox_index(t->options.outbox);
	if (!t->segments)
		return;
	metrics_set(t->segments, (double)x->part_count);
	metrics_set(t->open_records, (double)x->open_records);
}

static void make_metrics(struct outbox_thread *t)
{
	static const struct metrics_spec segments = { .kind = METRICS_GAUGE,
		                                      .name = "assay_worker_outbox_segments",
		                                      .help = "Segment files of the outbox" },
					 open = { .kind = METRICS_GAUGE,
		                                  .name = "assay_worker_outbox_records",
		                                  .help = "Records in it that no Commit has named" },
					 damaged = { .name = "assay_worker_outbox_damaged_records_total",
		                                     .help = "Records dropped because their checksum failed" },
					 failures = { .name = "assay_worker_outbox_failures_total",
		                                      .help = "Times that writing or syncing it failed" };
	if (!t->options.metrics)
		return;
	t->segments = metrics_one(t->options.metrics, &segments);
	t->open_records = metrics_one(t->options.metrics, &open);
	t->damaged = metrics_one(t->options.metrics, &damaged);
	t->failures = metrics_one(t->options.metrics, &failures);
	metrics_add(t->damaged, t->damaged_seen); /* found at start, and said there */
}

static void give_record(struct outbox_thread *t, uint64_t sample_id, struct record *record)
{
	struct mail *m = mail_new(MAIL_RECORD);
	m->sample_id = sample_id;
	m->record = record;
	outgoing_push(&t->link, m);
}

/* The keep has been carried out: the record goes on to link, or is done with; the mail goes back as KEPT. */
static void acknowledge(struct outbox_thread *t, struct mail *keep)
{
	struct record *record = keep->record;
	keep->record = NULL;
	keep->kind = MAIL_KEPT;
	keep->ask_id = record->m.ask_id;
	if (record->is_answer)
		record_free(record);
	else
		give_record(t, keep->sample_id, record);
	outgoing_push(&t->nets[keep->net], keep);
}

/* Answers stay in the list until they are durable; the rest is acknowledged. Order is kept. */
static void acknowledge_first(struct outbox_thread *t, size_t count, bool answers_too)
{
	size_t left = 0;
	for (size_t i = 0; i < t->keep_count; i++) {
		struct mail *keep = t->keeps[i];
		if (i < count && (answers_too || !keep->record->is_answer))
			acknowledge(t, keep);
		else
			t->keeps[left++] = keep;
	}
	t->keep_count = left;
}

static size_t gather(struct outbox_thread *t)
{
	size_t count = 0, bytes = 0;
	while (count < t->keep_count && count < GROUP_RECORDS_MAX && bytes < GROUP_BYTES_MAX) {
		struct record *r = t->keeps[count]->record;
		t->group[count++] = r;
		bytes += r->m.response.len + r->m.request.len + r->m.answer.len + r->item.len;
		bytes += r->context ? r->context->json.len : 0;
	}
	return count;
}

static void flush_all(struct outbox_thread *t)
{
	outgoing_flush(&t->link);
	for (uint32_t i = 0; i < t->options.net_count; i++)
		outgoing_flush(&t->nets[i]);
}

/* Writes one group. Within it an attempt and the answer after it are acknowledged in their order, since a net thread
 * has at most one of them waiting for a sync: the later. */
static bool write_group(struct outbox_thread *t)
{
	struct error error;
	struct outbox *o = t->options.outbox;
	size_t count = gather(t);
	if (count == 0)
		return false;
	enum err_code err = outbox_append(o, t->group, count, &error);
	check_msg(err != ERR_LIMIT, "%s", error.text); /* exec bounds what a record may hold */
	if (err) {
		set_failing(t, true, &error);
		return false;
	}
	if (outbox_needs_sync(o)) {
		size_t before = t->keep_count;
		acknowledge_first(t, count, false);
		count -= before - t->keep_count;
		flush_all(t); /* nobody waits for a sync that is not his */
		err = outbox_sync(o, &error);
	}
	if (err) {
		set_failing(t, true, &error);
		return false;
	}
	acknowledge_first(t, count, true);
	set_failing(t, false, NULL);
	return true;
}

static void on_trim(struct outbox_thread *t, const struct mail *m)
{
	struct error error;
	if (outbox_trim(t->options.outbox, m->trim.ranges, m->trim.count, clock_now_ms(), &error))
		set_failing(t, true, &error); /* the marks are made in memory: at worst records are sent once more */
}

static void on_load(struct outbox_thread *t, const struct mail *m)
{
	struct error error;
	uint64_t bytes = 0;
	for (uint32_t i = 0; i < m->load.record_max && bytes < m->load.bytes_max; i++) {
		struct record *record = NULL;
		enum err_code err = outbox_load_next(t->options.outbox, &record, &error);
		if (err)
			log_error("outbox cannot be read", log_error_text(&error));
		if (err || !record)
			break;
		bytes += record->m.response.len + record->m.request.len + record->m.answer.len;
		give_record(t, 0, record);
	}
	tell_link(t);
}

static void on_fetch(struct outbox_thread *t, struct mail *m)
{
	struct error error;
	struct record *record = NULL;
	enum err_code err = outbox_load(t->options.outbox, m->fetch.record_no, &record, &error);
	if (err)
		log_error("an answer in the outbox cannot be read: its sample is asked again", log_error_text(&error));
	if (err || !m->fetch.adopt) {
		if (!err)
			outbox_index_ship(outbox_index(t->options.outbox), m->fetch.record_no);
		give_record(t, m->sample_id, record);
		return;
	}
	struct mail *adopt = mail_new(MAIL_ADOPT);
	adopt->sample_id = m->sample_id;
	adopt->net = m->net;
	adopt->record = record;
	outgoing_push(&t->nets[m->net], adopt);
}

static void on_mail(struct outbox_thread *t, struct mail *m)
{
	switch (m->kind) {
	case MAIL_KEEP:
		check(m->record && m->net < t->options.net_count);
		mem_reserve(&t->keeps, &t->keep_cap, t->keep_count + 1, sizeof(*t->keeps));
		t->keeps[t->keep_count++] = m;
		return;
	case MAIL_TRIM:
		on_trim(t, m);
		break;
	case MAIL_LOAD:
		on_load(t, m);
		break;
	case MAIL_REOPEN:
		log_warn("the database has another timeline: what was committed lately is sent again",
		         log_u64("records", outbox_index_reopen(outbox_index(t->options.outbox), clock_now_ms())));
		tell_link(t);
		break;
	case MAIL_FETCH:
		on_fetch(t, m);
		break;
	default:
		check_msg(false, "mail %d is not for the outbox", (int)m->kind);
	}
	mail_free(m);
}

static int wait_ms(const struct outbox_thread *t, uint64_t now_ms)
{
	bool full = outgoing_waits(&t->link);
	for (uint32_t i = 0; i < t->options.net_count; i++)
		full |= outgoing_waits(&t->nets[i]);
	if (full)
		return FULL_RING_MS;
	uint64_t due_ms = MIN_OF(now_ms + IDLE_MS, outbox_index_next_deadline_ms(outbox_index(t->options.outbox)));
	if (t->failing)
		due_ms = MIN_OF(due_ms, t->retry_at_ms);
	return due_ms > now_ms ? (int)(due_ms - now_ms) : 0;
}

static void run(void *arg)
{
	struct outbox_thread *t = arg;
	void *mails[MAILS_A_TURN];
	for (;;) {
		bool closed = ring_is_closed(t->options.inbox);
		uint64_t now_ms = clock_now_ms();
		size_t count = ring_pop_wait(t->options.inbox, mails, MAILS_A_TURN, closed ? 0 : wait_ms(t, now_ms));
		for (size_t i = 0; i < count; i++)
			on_mail(t, mails[i]);
		now_ms = clock_now_ms();
		struct error error;
		if (!t->failing || now_ms >= t->retry_at_ms || closed)
			while (write_group(t))
				flush_all(t);
		if (now_ms >= outbox_index_next_deadline_ms(outbox_index(t->options.outbox)) &&
		    outbox_clean(t->options.outbox, now_ms, &error))
			log_warn("a segment of the outbox cannot be deleted", log_error_text(&error));
		look_for_damage(t);
		show(t);
		flush_all(t);
		if (closed && count == 0) {
			if (t->keep_count > 0)
				log_error("records were not written before the end: what was paid for is asked again",
				          log_u64("records", t->keep_count));
			return;
		}
	}
}

enum err_code outbox_thread_start(const struct outbox_thread_options *options, struct outbox_thread **ret_thread,
                                  struct error *reterr)
{
	struct outbox_thread *t = mem_new(1, sizeof(*t));
	t->options = *options;
	t->damaged_seen = outbox_index(options->outbox)->damaged_count;
	make_metrics(t);
	t->nets = mem_new(options->net_count, sizeof(*t->nets));
	t->group = mem_new(GROUP_RECORDS_MAX, sizeof(struct record *));
	outgoing_init(&t->link, options->link);
	for (uint32_t i = 0; i < options->net_count; i++)
		outgoing_init(&t->nets[i], options->nets[i]);
	enum err_code err = thread_start(&t->thread, "outbox", run, t, reterr);
	if (err) {
		outbox_thread_join(t);
		return err;
	}
	*ret_thread = t;
	return ERR_OK;
}

static void outgoing_end(struct outgoing *o)
{
	struct mail *m;
	while ((m = outgoing_take(o)) != NULL)
		mail_free(m);
	outgoing_done(o);
}

void outbox_thread_join(struct outbox_thread *t)
{
	if (!t)
		return;
	thread_join(t->thread);
	for (size_t i = 0; i < t->keep_count; i++)
		mail_free(t->keeps[i]);
	outgoing_end(&t->link);
	for (uint32_t i = 0; i < t->options.net_count; i++)
		outgoing_end(&t->nets[i]);
	mem_free(t->nets);
	mem_free(t->group);
	mem_free(t->keeps);
	mem_free(t);
}
