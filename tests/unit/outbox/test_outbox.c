/* Goal: what was acknowledged is there after any death; a disk that fails costs nothing; two workers never share. */
#include "common/base/mem.h"
#include "common/io/fs_calls.h"
#include "tests/unit/outbox/outbox_fixture.h"
#include <errno.h>

static size_t count_open(struct outbox *o)
{
	return outbox_index(o)->open_records;
}

static void records_survive_a_restart(void **state)
{
	const char *dir = *state;
	struct error error;
	struct record *records[] = { an_answer(1, "one"), a_result(2, "two"), an_attempt(3) }, *back;
	struct outbox *o = open_outbox(dir);
	struct outbox_id id = outbox_id(o);
	append(o, records, 3);
	uint64_t answer_no = records[0]->m.record_no;
	outbox_close(o);

	o = open_outbox(dir);
	assert_true(outbox_id_eq(id, outbox_id(o)));
	assert_int_equal(outbox_index(o)->damaged_count, 0);
	assert_int_equal(count_open(o), 2);
	assert_int_equal(outbox_index(o)->open_answers, 1);
	assert_ok(outbox_load_next(o, &back, &error), &error);
	assert_int_equal(back->m.record_no, records[1]->m.record_no);
	assert_str_equal_c(back->m.response, "two");
	record_free(back);
	assert_ok(outbox_load_next(o, &back, &error), &error);
	assert_str_equal_c(back->m.evidence, "it broke");
	record_free(back);
	assert_ok(outbox_load_next(o, &back, &error), &error);
	assert_null(back);
	assert_ok(outbox_load(o, answer_no, &back, &error), &error);
	assert_str_equal_c(back->m.response, "one");
	assert_str_equal_c(back->item, "{\"id\":\"item\"}");
	assert_str_equal_c(back->context->json, "{\"model\":{},\"scores\":[]}");
	record_free(back);
	outbox_close(o);
	free_records(records, 3);
}

static void what_was_committed_is_not_open_after_a_restart(void **state)
{
	const char *dir = *state;
	struct error error;
	struct record *records[] = { a_result(1, "one"), a_result(2, "two") };
	struct outbox *o = open_outbox(dir);
	append(o, records, 2);
	struct record_range range = { records[0]->m.record_no, records[0]->m.record_no };
	assert_ok(outbox_trim(o, &range, 1, 2000, &error), &error);
	outbox_close(o);
	o = open_outbox(dir);
	assert_int_equal(count_open(o), 1);
	outbox_close(o);
	free_records(records, 2);
}

static void record_numbers_never_restart(void **state)
{
	const char *dir = *state;
	uint64_t highest = 0;
	for (int life = 0; life < 4; life++) {
		struct record *r = a_result(1, "x");
		struct outbox *o = open_outbox(dir);
		append(o, &r, 1);
		assert_true(r->m.record_no > highest);
		highest = r->m.record_no;
		outbox_close(o);
		record_free(r);
	}
}

static void two_workers_never_share_an_outbox(void **state)
{
	const char *dir = *state;
	struct error error;
	struct outbox *o = open_outbox(dir), *second;
	assert_int_equal(outbox_open(dir, 0, &second, &error), ERR_CONFLICT);
	outbox_close(o);
	o = open_outbox(dir);
	outbox_close(o);
}

static void write_file(const char *dir, const char *name, struct str bytes)
{
	struct error error;
	assert_ok(fs_write_atomic(fs_path("%s/%s", dir, name).text, bytes, 0600, &error), &error);
}

static void a_damaged_id_is_read_from_a_segment_or_refused_and_alone_is_made_anew(void **state)
{
	const char *dir = *state;
	struct error error;
	struct outbox *o = open_outbox(dir);
	outbox_close(o);
	write_file(dir, "id", STR("garbage"));
	o = open_outbox(dir);
	struct record *r = a_result(1, "x");
	append(o, &r, 1);
	record_free(r);
	struct outbox_id before = outbox_id(o);
	outbox_close(o);
	write_file(dir, "id", STR("garbage"));
	o = open_outbox(dir);
	assert_true(outbox_id_eq(outbox_id(o), before));
	assert_int_equal(count_open(o), 1);
	outbox_close(o);
	o = open_outbox(dir); /* the file is whole again */
	outbox_close(o);
	struct buf bytes;
	buf_init(&bytes, 1 << 20);
	assert_ok(fs_read(fs_path("%s/00000001.seg", dir).text, &bytes, &error), &error);
	bytes.data[20] ^= 1; /* in its header */
	write_file(dir, "00000001.seg", buf_str(&bytes));
	buf_done(&bytes);
	write_file(dir, "id", STR("garbage"));
	assert_int_equal(outbox_open(dir, 0, &o, &error), ERR_CORRUPT);
	assert_ok(fs_remove(fs_path("%s/id", dir).text, &error), &error);
	assert_int_equal(outbox_open(dir, 0, &o, &error), ERR_CORRUPT);
}

/* The only segment, cut at each byte: what is left is a prefix of what was written, and writing goes on. */
static void a_file_cut_at_any_byte_gives_a_prefix(void **state)
{
	const char *dir = *state;
	struct error error;
	struct buf whole;
	struct record *records[] = { a_result(1, "one"), an_attempt(2), a_result(3, "three") };
	struct outbox *o = open_outbox(dir);
	for (size_t i = 0; i < 3; i++)
		append(o, &records[i], 1);
	outbox_close(o);
	buf_init(&whole, 1 << 20);
	assert_ok(fs_read(fs_path("%s/00000001.seg", dir).text, &whole, &error), &error);
	size_t last_open = 3;
	for (size_t cut = whole.len; cut-- > 0;) {
		assert_ok(fs_remove(fs_path("%s/00000002.seg", dir).text, &error), &error);
		write_file(dir, "00000001.seg", str_slice(buf_str(&whole), 0, cut));
		o = open_outbox(dir);
		assert_true(count_open(o) <= last_open);
		last_open = count_open(o);
		struct record *back;
		for (size_t i = 0; i < last_open; i++) {
			assert_ok(outbox_load_next(o, &back, &error), &error);
			assert_int_equal(back->m.ask_id, i + 1);
			record_free(back);
		}
		struct record *r = a_result(9, "after");
		append(o, &r, 1);
		assert_true(r->m.record_no >= last_open + 1);
		record_free(r);
		outbox_close(o);
	}
	assert_int_equal(last_open, 0);
	buf_done(&whole);
	free_records(records, 3);
}

static void a_torn_end_is_counted_once_and_cut_off(void **state)
{
	const char *dir = *state;
	struct error error;
	struct buf whole;
	struct record *records[] = { a_result(1, "one"), a_result(2, "two") };
	struct outbox *o = open_outbox(dir);
	append(o, records, 2);
	free_records(records, 2);
	outbox_close(o);
	buf_init(&whole, 1 << 20);
	assert_ok(fs_read(fs_path("%s/00000001.seg", dir).text, &whole, &error), &error);
	write_file(dir, "00000001.seg", str_slice(buf_str(&whole), 0, whole.len - 3));
	buf_done(&whole);
	o = open_outbox(dir);
	assert_int_equal(outbox_index(o)->damaged_count, 1);
	assert_int_equal(count_open(o), 1);
	outbox_close(o);
	o = open_outbox(dir);
	assert_int_equal(outbox_index(o)->damaged_count, 0);
	assert_int_equal(count_open(o), 1);
	outbox_close(o);
}

static void rot_under_a_running_worker_costs_that_record_alone(void **state)
{
	const char *dir = *state;
	struct error error;
	struct buf whole;
	struct record *records[] = { a_result(1, "AAAA"), a_result(2, "BBBB") }, *back;
	struct outbox *o = open_outbox(dir);
	append(o, records, 2);
	outbox_close(o);
	o = open_outbox(dir);
	buf_init(&whole, 1 << 20);
	assert_ok(fs_read(fs_path("%s/00000001.seg", dir).text, &whole, &error), &error);
	whole.data[str_find(buf_str(&whole), STR("AAAA"))] ^= 1;
	write_file(dir, "00000001.seg", buf_str(&whole));
	assert_ok(outbox_load_next(o, &back, &error), &error);
	assert_str_equal_c(back->m.response, "BBBB");
	record_free(back);
	assert_int_equal(outbox_index(o)->damaged_count, 1);
	assert_int_equal(count_open(o), 1);
	outbox_close(o);
	buf_done(&whole);
	free_records(records, 2);
}

static void segments_follow_one_another_and_go_when_done(void **state)
{
	const char *dir = *state;
	static char big[400 << 10];
	struct error error;
	memset(big, 'x', sizeof(big) - 1);
	struct outbox *o = open_outbox(dir);
	for (uint64_t i = 1; i <= 100; i++) {
		struct record *r = i % 2 ? an_answer(i, big) : a_result(i - 1, big);
		append(o, &r, 1);
		record_free(r);
	}
	assert_true(outbox_index(o)->part_count >= 3);
	struct record_range all = { 0, UINT64_MAX };
	assert_ok(outbox_trim(o, &all, 1, 5000, &error), &error);
	assert_ok(outbox_clean(o, 5000 + OUTBOX_KEEP_MS - 1, &error), &error);
	assert_true(outbox_index(o)->part_count >= 3);
	assert_ok(outbox_clean(o, 5000 + OUTBOX_KEEP_MS, &error), &error);
	assert_int_equal(outbox_index(o)->part_count, 1);
	assert_false(fs_exists(fs_path("%s/00000001.seg", dir).text));
	outbox_close(o);
}

/* The segment that held the RESERVE is gone, and what was written since is lost with a power cut. */
static void record_numbers_never_restart_though_their_reservation_is_deleted(void **state)
{
	const char *dir = *state;
	static char big[400 << 10];
	struct error error;
	memset(big, 'x', sizeof(big) - 1);
	struct outbox *o = open_outbox(dir);
	uint64_t highest = 0;
	for (uint64_t i = 1; outbox_index(o)->part_count < 2; i++) {
		struct record *r = a_result(i, big);
		append(o, &r, 1);
		highest = r->m.record_no;
		record_free(r);
	}
	struct record_range all = { 0, UINT64_MAX };
	assert_ok(outbox_trim(o, &all, 1, 5000, &error), &error);
	assert_ok(outbox_clean(o, 5000 + OUTBOX_KEEP_MS, &error), &error);
	assert_int_equal(outbox_index(o)->part_count, 1);
	outbox_close(o);
	struct buf bytes;
	buf_init(&bytes, 64 << 20);
	assert_ok(fs_read(fs_path("%s/00000002.seg", dir).text, &bytes, &error), &error);
	write_file(dir, "00000002.seg", str_slice(buf_str(&bytes), 0, OUTBOX_SEGMENT_HEADER_BYTES));
	buf_done(&bytes);
	o = open_outbox(dir);
	struct record *r = a_result(1, "after");
	append(o, &r, 1);
	assert_true(r->m.record_no > highest);
	record_free(r);
	outbox_close(o);
}

/* The nth system call fails once; then everything works again. Nothing that was acknowledged may be missing. */
static void one_life(const char *dir, unsigned kinds, uint64_t nth, int number, bool for_good, bool *ret_hit)
{
	struct error error;
	struct outbox *o = NULL;
	struct record *records[] = { an_answer(1, "one"), a_result(2, "two"), an_answer(3, "three"), an_attempt(4) };
	bool acknowledged[4] = { false };
	fs_calls_fail_at(kinds, nth, number, for_good);
	enum err_code err = outbox_open(dir, 1000, &o, &error);
	for (size_t i = 0; !err && i < 4; i++) {
		bool ok = outbox_append(o, &records[i], 1, &error) == ERR_OK;
		if (!ok)
			assert_int_equal(records[i]->m.record_no, 0);
		ok = ok && outbox_sync(o, &error) == ERR_OK;
		acknowledged[i] = ok;
	}
	*ret_hit = fs_calls_fault_hit();
	fs_calls_fail_at(0, 0, 0, false);
	for (size_t i = 0; !err && i < 4; i++) /* the disk is well again: what failed is simply tried again */
		if (!acknowledged[i])
			append(o, &records[i], 1);
	outbox_close(o);
	o = open_outbox(dir);
	for (uint64_t ask_id = 1; !err && ask_id <= 4; ask_id++)
		if (!outbox_index_has_ask(outbox_index(o), ask_id))
			fail_msg("call %llu of kinds %u: record %llu is missing", (unsigned long long)nth, kinds,
			         (unsigned long long)ask_id);
	if (!err)
		assert_int_equal(outbox_index(o)->open_answers, 2);
	outbox_close(o);
	free_records(records, 4);
	assert_ok(fs_remove_tree(dir, &error), &error);
}

static void whichever_call_fails_nothing_acknowledged_is_lost(void **state)
{
	static const struct {
		unsigned kinds;
		int number;
		bool for_good;
	} faults[] = {
		{ FS_CALLS_ANY, EIO, false },    { FS_CALLS_WRITE, ENOSPC, false }, { FS_CALLS_WRITE, ENOSPC, true },
		{ FS_CALLS_SYNC, EIO, false },   { FS_CALLS_SYNC, EIO, true },      { FS_CALLS_RENAME, EIO, true },
		{ FS_CALLS_OPEN, EMFILE, true },
	};
	for (size_t i = 0; i < ARRAY_LEN(faults); i++) {
		bool hit = true;
		uint64_t nth = 1;
		for (; hit && nth < 500; nth++)
			one_life(*state, faults[i].kinds, nth, faults[i].number, faults[i].for_good, &hit);
		assert_in_range(nth, 3, 400);
	}
}

static void whichever_allocation_fails_nothing_is_lost(void **state)
{
	const char *dir = *state;
	static char big[100 << 10];
	struct error error;
	memset(big, 'x', sizeof(big) - 1);
	for (uint64_t nth = 1; nth < 40; nth++) {
		struct outbox *o = open_outbox(dir);
		struct record *records[] = { an_answer(1, big), a_result(2, big) }, *back = NULL;
		mem_fail_at(nth);
		enum err_code err = outbox_append(o, records, 2, &error);
		mem_fail_at(0);
		if (err) {
			assert_int_equal(err, ERR_NOMEM);
			append(o, records, 2);
		}
		mem_fail_at(nth);
		err = outbox_load(o, records[0]->m.record_no, &back, &error);
		mem_fail_at(0);
		if (err)
			assert_ok(outbox_load(o, records[0]->m.record_no, &back, &error), &error);
		assert_int_equal(back->m.response.len, sizeof(big) - 1);
		record_free(back);
		free_records(records, 2);
		outbox_close(o);
		assert_ok(fs_remove_tree(dir, &error), &error);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, folder_setup, folder_teardown)
	const struct CMUnitTest tests[] = {
		TEST(records_survive_a_restart),
		TEST(what_was_committed_is_not_open_after_a_restart),
		TEST(record_numbers_never_restart),
		TEST(two_workers_never_share_an_outbox),
		TEST(a_damaged_id_is_read_from_a_segment_or_refused_and_alone_is_made_anew),
		TEST(a_file_cut_at_any_byte_gives_a_prefix),
		TEST(a_torn_end_is_counted_once_and_cut_off),
		TEST(rot_under_a_running_worker_costs_that_record_alone),
		TEST(segments_follow_one_another_and_go_when_done),
		TEST(record_numbers_never_restart_though_their_reservation_is_deleted),
		TEST(whichever_call_fails_nothing_acknowledged_is_lost),
		TEST(whichever_allocation_fails_nothing_is_lost),
	};
	return cmocka_run_group_tests_name("outbox", tests, NULL, NULL);
}
