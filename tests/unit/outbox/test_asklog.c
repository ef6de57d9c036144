/* Goal: what was being asked when the worker died is known exactly. */
#include "common/io/fs_calls.h"
#include "tests/unit/outbox/outbox_fixture.h"
#include "worker/outbox/asklog.h"
#include <errno.h>

static struct asklog_ask ask(uint64_t ask_id)
{
	return (struct asklog_ask){ { 7, ask_id * 2, 1, 0 }, ask_id, 1700000000000, 3 };
}

static struct asklog *open_log(const char *dir, uint32_t net)
{
	struct asklog *l = NULL;
	struct error error;
	assert_ok(fs_make_dirs(dir, 0700, &error), &error);
	assert_ok(asklog_open(dir, net, &l, &error), &error);
	return l;
}

static void begin(struct asklog *l, uint64_t ask_id)
{
	struct asklog_ask a = ask(ask_id);
	asklog_begin(l, &a);
}

static void flush(struct asklog *l)
{
	struct error error;
	assert_ok(asklog_flush(l, &error), &error);
}

static struct map recover(const char *dir, uint64_t *ret_damaged)
{
	struct map open;
	struct error error;
	map_init(&open, sizeof(struct asklog_ask));
	assert_ok(asklog_recover(dir, &open, ret_damaged, &error), &error);
	return open;
}

static void an_ask_without_an_end_was_under_way(void **state)
{
	uint64_t damaged;
	struct asklog *a = open_log(*state, 0), *b = open_log(*state, 1);
	begin(a, 1);
	begin(a, 2);
	flush(a);
	begin(b, 3);
	flush(b);
	asklog_end(a, 1);
	asklog_end(a, 99); /* one that never began */
	flush(a);
	begin(a, 4); /* not flushed: it never left */
	asklog_close(a);
	asklog_close(b);
	struct map open = recover(*state, &damaged);
	assert_int_equal(open.len, 2);
	assert_int_equal(damaged, 0);
	const struct asklog_ask *two = map_get_u64(&open, 2);
	assert_non_null(two);
	struct asklog_ask want = ask(2);
	assert_memory_equal(&two->key, &want.key, sizeof(want.key));
	assert_int_equal(two->at_ms, want.at_ms);
	assert_int_equal(two->attempt_count, 3);
	assert_non_null(map_get_u64(&open, 3));
	map_done(&open);
}

static void a_torn_or_flipped_entry_costs_itself_alone(void **state)
{
	(void)state;
	uint8_t bytes[3 * ASKLOG_ENTRY_BYTES];
	for (uint64_t i = 0; i < 3; i++) {
		struct asklog_ask a = ask(i + 1);
		asklog_entry_write(&a, true, bytes + i * ASKLOG_ENTRY_BYTES);
	}
	for (size_t cut = 0; cut <= sizeof(bytes); cut++) {
		struct map open;
		map_init(&open, sizeof(struct asklog_ask));
		assert_int_equal(asklog_replay(str_make(bytes, cut), &open), 0);
		assert_int_equal(open.len, cut / ASKLOG_ENTRY_BYTES);
		map_done(&open);
	}
	for (size_t bit = 0; bit < sizeof(bytes) * 8; bit++) {
		struct map open;
		map_init(&open, sizeof(struct asklog_ask));
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_equal(asklog_replay(str_make(bytes, sizeof(bytes)), &open), 1);
		assert_int_equal(open.len, 2);
		assert_null(map_get_u64(&open, bit / 8 / ASKLOG_ENTRY_BYTES + 1));
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		map_done(&open);
	}
}

static void a_long_file_is_written_anew_with_what_is_under_way(void **state)
{
	struct error error;
	uint64_t damaged;
	struct fs_info info;
	struct asklog *l = open_log(*state, 0);
	begin(l, 1);
	for (uint64_t i = 10; i < 30000; i++) {
		begin(l, i);
		asklog_end(l, i);
		if (i % 50 == 0)
			flush(l);
	}
	flush(l);
	assert_ok(fs_info(fs_path("%s/asks-0.log", (const char *)*state).text, &info, &error), &error);
	assert_true(info.size < ASKLOG_REWRITE_BYTES + 100 * ASKLOG_ENTRY_BYTES);
	asklog_close(l);
	struct map open = recover(*state, &damaged);
	assert_int_equal(open.len, 1);
	assert_non_null(map_get_u64(&open, 1));
	map_done(&open);
	assert_ok(asklog_remove_all(*state, &error), &error);
	open = recover(*state, &damaged);
	assert_int_equal(open.len, 0);
	map_done(&open);
}

static void a_flush_that_fails_is_tried_again_and_nothing_is_missing(void **state)
{
	struct error error;
	uint64_t damaged;
	for (uint64_t nth = 1; nth < 12; nth++) {
		struct asklog *l = open_log(*state, 0);
		begin(l, 1);
		flush(l);
		fs_calls_fail_at(FS_CALLS_ANY, nth, ENOSPC, false);
		for (uint64_t i = 2; i < 6; i++) {
			begin(l, i);
			asklog_end(l, i - 1);
			if (asklog_flush(l, &error))
				continue; /* the next one brings it */
		}
		fs_calls_fail_at(0, 0, 0, false);
		flush(l);
		asklog_close(l);
		struct map open = recover(*state, &damaged);
		assert_int_equal(open.len, 1);
		assert_non_null(map_get_u64(&open, 5));
		map_done(&open);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, folder_setup, folder_teardown)
	const struct CMUnitTest tests[] = {
		TEST(an_ask_without_an_end_was_under_way),
		cmocka_unit_test(a_torn_or_flipped_entry_costs_itself_alone),
		TEST(a_long_file_is_written_anew_with_what_is_under_way),
		TEST(a_flush_that_fails_is_tried_again_and_nothing_is_missing),
	};
	return cmocka_run_group_tests_name("ask log", tests, NULL, NULL);
}
