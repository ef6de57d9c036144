/* Goal: what the outbox thread acknowledges is written, answers are durable first, and a full disk stops nothing but
 * new work. */
#include "common/base/mem.h"
#include "common/io/clock.h"
#include "common/io/fs_calls.h"
#include "tests/unit/outbox/outbox_fixture.h"
#include "worker/exec/mail.h"
#include "worker/outbox/outbox_thread.h"
#include <errno.h>

enum { LIMIT_MS = 10000 };

struct fixture {
	char *dir;
	struct outbox *outbox;
	struct outbox_thread *thread;
	struct ring *inbox, *link, *net;
	struct metrics *metrics;
	uint32_t retry_ms;
};

static int setup(void **state)
{
	struct fixture *f = mem_new(1, sizeof(*f));
	struct error error;
	void *dir;
	assert_int_equal(folder_setup(&dir), 0);
	f->dir = dir;
	f->outbox = open_outbox(f->dir);
	struct ring **rings[] = { &f->inbox, &f->link, &f->net };
	for (size_t i = 0; i < ARRAY_LEN(rings); i++)
		assert_ok(ring_new(100, rings[i], &error), &error);
	*state = f;
	return 0;
}

static void start(struct fixture *f)
{
	struct error error;
	struct outbox_thread_options options = { f->outbox, f->inbox, f->link, &f->net, 1, f->metrics, f->retry_ms };
	assert_ok(outbox_thread_start(&options, &f->thread, &error), &error);
}

static void stop(struct fixture *f)
{
	ring_close(f->inbox);
	outbox_thread_join(f->thread);
	f->thread = NULL;
}

static void free_ring(struct ring *r)
{
	void *mail;
	while (ring_pop_all(r, &mail, 1) == 1)
		mail_free(mail);
	ring_free(r);
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	void *dir = f->dir;
	fs_calls_fail_at(0, 0, 0, false);
	stop(f);
	outbox_close(f->outbox);
	free_ring(f->inbox);
	free_ring(f->link);
	free_ring(f->net);
	mem_free(f);
	return folder_teardown(&dir);
}

static void give(struct fixture *f, struct mail *m)
{
	assert_true(ring_try_push(f->inbox, m));
}

static void keep(struct fixture *f, struct record *r, uint64_t sample_id)
{
	struct mail *m = mail_new(MAIL_KEEP);
	m->sample_id = sample_id;
	m->record = r;
	give(f, m);
}

static struct mail *take(struct ring *r, enum mail_kind kind)
{
	void *mail;
	assert_int_equal(ring_pop_wait(r, &mail, 1, LIMIT_MS), 1);
	assert_int_equal(((struct mail *)mail)->kind, kind);
	return mail;
}

static void a_kept_record_goes_on_to_link_and_an_answer_only_back(void **state)
{
	struct fixture *f = *state;
	start(f);
	keep(f, an_answer(1, "one"), 7);
	struct mail *m = take(f->net, MAIL_KEPT);
	assert_int_equal(m->sample_id, 7);
	assert_int_equal(m->ask_id, 1);
	mail_free(m);
	keep(f, a_result(1, "one"), 7);
	mail_free(take(f->net, MAIL_KEPT));
	m = take(f->link, MAIL_RECORD);
	assert_int_equal(m->sample_id, 7);
	assert_true(m->record->m.record_no > 0);
	struct mail *trim = mail_new(MAIL_TRIM);
	trim->trim.ranges = mem_new(1, sizeof(*trim->trim.ranges));
	trim->trim.ranges[0] = (struct record_range){ m->record->m.record_no, m->record->m.record_no };
	trim->trim.count = 1;
	give(f, trim);
	mail_free(m);
	give(f, mail_new(MAIL_REOPEN)); /* answered with how much is open again */
	m = take(f->link, MAIL_OUTBOX);
	assert_true(m->outbox.writable);
	assert_int_equal(m->outbox.unloaded, 1);
	mail_free(m);
	struct mail *load = mail_new(MAIL_LOAD);
	load->load.record_max = 10;
	load->load.bytes_max = 1 << 20;
	give(f, load);
	m = take(f->link, MAIL_RECORD);
	assert_str_equal_c(m->record->m.response, "one");
	mail_free(m);
	m = take(f->link, MAIL_OUTBOX);
	assert_int_equal(m->outbox.unloaded, 0);
	mail_free(m);
}

static void an_answer_of_an_earlier_life_is_adopted_or_shipped(void **state)
{
	struct fixture *f = *state;
	struct record *answers[] = { an_answer(1, "one"), an_answer(2, "two") };
	append(f->outbox, answers, 2);
	start(f);
	for (size_t i = 0; i < 3; i++) {
		struct mail *m = mail_new(MAIL_FETCH);
		m->sample_id = 100 + i;
		m->fetch.record_no = i < 2 ? answers[i]->m.record_no : 99999;
		m->fetch.adopt = i != 1;
		give(f, m);
	}
	struct mail *m = take(f->net, MAIL_ADOPT);
	assert_int_equal(m->sample_id, 100);
	assert_str_equal_c(m->record->m.response, "one");
	assert_str_equal_c(m->record->context->json, "{\"model\":{},\"scores\":[]}");
	mail_free(m);
	m = take(f->link, MAIL_RECORD);
	assert_int_equal(m->sample_id, 101);
	assert_int_equal(m->record->m.kind, RECORD_RAW);
	mail_free(m);
	m = take(f->link, MAIL_RECORD); /* the one that is not there is said to be unreadable */
	assert_int_equal(m->sample_id, 102);
	assert_null(m->record);
	mail_free(m);
	free_records(answers, 2);
}

static void a_full_disk_is_said_and_what_was_to_be_kept_is_kept_later(void **state)
{
	struct fixture *f = *state;
	fs_calls_fail_at(FS_CALLS_WRITE | FS_CALLS_RENAME | FS_CALLS_OPEN, 1, ENOSPC, false);
	start(f);
	keep(f, a_result(1, "one"), 7);
	struct mail *m = take(f->link, MAIL_OUTBOX);
	assert_false(m->outbox.writable);
	mail_free(m);
	keep(f, an_attempt(2), 8);
	m = take(f->link, MAIL_RECORD); /* tried again after a second */
	assert_int_equal(m->record->m.ask_id, 1);
	mail_free(m);
	m = take(f->link, MAIL_RECORD);
	assert_int_equal(m->record->m.ask_id, 2);
	mail_free(m);
	m = take(f->link, MAIL_OUTBOX);
	assert_true(m->outbox.writable);
	mail_free(m);
}

static void what_could_not_be_made_durable_is_not_acknowledged_but_written_again(void **state)
{
	struct fixture *f = *state;
	struct record *first = a_result(9, "so that a segment is there");
	append(f->outbox, &first, 1);
	record_free(first);
	fs_calls_fail_at(FS_CALLS_SYNC, 1, EIO, false);
	start(f);
	keep(f, an_answer(1, "one"), 7);
	struct mail *m = take(f->link, MAIL_OUTBOX);
	assert_false(m->outbox.writable);
	mail_free(m);
	m = take(f->net, MAIL_KEPT);
	assert_int_equal(m->ask_id, 1);
	mail_free(m);
	stop(f);
	outbox_close(f->outbox);
	f->outbox = open_outbox(f->dir);
	assert_int_equal(outbox_index(f->outbox)->open_answers, 1);
}

/* Takes from both rings until `kept` keeps are acknowledged and `sent` records are with link. */
static void take_all(struct fixture *f, size_t kept, size_t sent, uint64_t *kept_asks, uint64_t *sent_asks)
{
	size_t k = 0, s = 0;
	uint64_t until_ms = clock_now_ms() + LIMIT_MS;
	while ((k < kept || s < sent) && clock_now_ms() < until_ms) {
		void *mail;
		while (ring_pop_wait(f->link, &mail, 1, 1) == 1) {
			struct mail *m = mail;
			if (m->kind == MAIL_RECORD) {
				assert_true(s < sent && m->record->m.record_no > 0);
				sent_asks[s++] = m->record->m.ask_id;
			}
			mail_free(m);
		}
		while (ring_pop_wait(f->net, &mail, 1, 1) == 1) {
			assert_true(k < kept && ((struct mail *)mail)->kind == MAIL_KEPT);
			kept_asks[k++] = ((struct mail *)mail)->ask_id;
			mail_free(mail);
		}
	}
	if (k < kept || s < sent)
		fail_msg("%zu of %zu keeps were acknowledged, %zu of %zu records sent on", k, kept, s, sent);
}

/* One life of the thread in which a call fails; then one that looks at what is on the disk. */
static void one_life(unsigned kinds, uint64_t nth, int number, bool *ret_hit)
{
	enum { ASKS = 4 };
	void *state;
	struct error error;
	uint64_t kept[2 * ASKS], sent[2 * ASKS];
	assert_int_equal(setup(&state), 0);
	struct fixture *f = state;
	f->retry_ms = 2;
	fs_calls_fail_at(kinds, nth, number, false);
	start(f);
	for (uint64_t ask_id = 1; ask_id <= ASKS; ask_id++) {
		keep(f, an_answer(ask_id, "one"), ask_id);
		keep(f, an_attempt(ASKS + ask_id), ASKS + ask_id);
	}
	take_all(f, 2 * ASKS, ASKS, kept, sent);
	for (uint64_t ask_id = 1; ask_id <= ASKS; ask_id++)
		keep(f, a_result(ask_id, "one"), ask_id);
	take_all(f, ASKS, ASKS, kept, sent + ASKS);
	*ret_hit = fs_calls_fault_hit();
	fs_calls_fail_at(0, 0, 0, false);
	for (uint64_t i = 0; i < 2 * ASKS; i++)
		assert_int_equal(sent[i], (i + ASKS) % (2 * ASKS) + 1);
	stop(f);
	outbox_close(f->outbox);
	f->outbox = open_outbox(f->dir);
	assert_int_equal(outbox_index(f->outbox)->open_records, 2 * ASKS);
	assert_int_equal(outbox_index(f->outbox)->open_answers, 0);
	for (uint64_t i = 0; i < 2 * ASKS; i++) {
		struct record *back = NULL;
		assert_ok(outbox_load_next(f->outbox, &back, &error), &error);
		assert_non_null(back);
		assert_int_equal(back->m.ask_id, sent[i]);
		record_free(back);
	}
	assert_int_equal(teardown(&state), 0);
}

static void whichever_call_fails_each_record_is_kept_and_sent_on_once_and_in_order(void **state)
{
	static const struct {
		unsigned kinds;
		int number;
	} faults[] = { { FS_CALLS_WRITE, ENOSPC }, { FS_CALLS_SYNC, EIO }, { FS_CALLS_OPEN | FS_CALLS_RENAME, EIO } };
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(faults); i++) {
		bool hit = true;
		uint64_t nth = 1;
		for (; hit && nth < 100; nth++)
			one_life(faults[i].kinds, nth, faults[i].number, &hit);
		assert_in_range(nth, 3, 99); /* at least one was hit, and the end was reached */
	}
}

static double metric(struct fixture *f, const char *name)
{
	struct buf text;
	double value = -1;
	buf_init(&text, 1 << 16);
	assert_true(metrics_text(f->metrics, &text));
	struct str rest = buf_str(&text), line;
	while (str_split(&rest, '\n', &line))
		if (str_starts(line, str_from(name)))
			assert_true(str_to_double(str_slice(line, strlen(name) + 1, line.len), &value));
	buf_done(&text);
	return value;
}

static void rot_and_failures_are_counted(void **state)
{
	struct fixture *f = *state;
	struct error error;
	struct buf bytes;
	struct record *records[] = { a_result(1, "AAAA"), a_result(2, "BBBB") };
	struct fs_path segment = fs_path("%s/00000001.seg", f->dir);
	append(f->outbox, records, 2);
	free_records(records, 2);
	outbox_close(f->outbox);
	f->outbox = open_outbox(f->dir);
	buf_init(&bytes, 1 << 20);
	assert_ok(fs_read(segment.text, &bytes, &error), &error);
	bytes.data[str_find(buf_str(&bytes), STR("AAAA"))] ^= 1;
	assert_ok(fs_write_atomic(segment.text, buf_str(&bytes), 0600, &error), &error);
	buf_done(&bytes);
	f->metrics = metrics_new();
	f->retry_ms = 1;
	fs_calls_fail_at(FS_CALLS_OPEN, 3, EIO, false); /* after both readings */
	start(f);
	struct mail *load = mail_new(MAIL_LOAD);
	load->load.record_max = 10;
	load->load.bytes_max = 1 << 20;
	give(f, load);
	struct mail *m = take(f->link, MAIL_RECORD);
	assert_str_equal_c(m->record->m.response, "BBBB");
	mail_free(m);
	mail_free(take(f->link, MAIL_OUTBOX));
	keep(f, a_result(3, "three"), 7);
	mail_free(take(f->net, MAIL_KEPT));
	stop(f);
	assert_true(metric(f, "assay_worker_outbox_damaged_records_total") > 0.5);
	assert_true(metric(f, "assay_worker_outbox_failures_total") > 0.5);
	assert_true(metric(f, "assay_worker_outbox_records") > 1.5);
	metrics_free(f->metrics);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_kept_record_goes_on_to_link_and_an_answer_only_back),
		TEST(an_answer_of_an_earlier_life_is_adopted_or_shipped),
		TEST(a_full_disk_is_said_and_what_was_to_be_kept_is_kept_later),
		TEST(what_could_not_be_made_durable_is_not_acknowledged_but_written_again),
		TEST(rot_and_failures_are_counted),
		cmocka_unit_test(whichever_call_fails_each_record_is_kept_and_sent_on_once_and_in_order),
	};
	return cmocka_run_group_tests_name("outbox thread", tests, NULL, NULL);
}
