/* Goal: a buffer never passes its limit, and a chain of appends shows at its end whether anything is missing. */
#include "common/base/buf.h"
#include "common/base/mem.h"
#include "tests/support/cmocka_all.h"
#include <wchar.h>

static void it_grows_to_its_limit_and_not_past_it(void **state)
{
	(void)state;
	struct buf b;
	buf_init(&b, 100);
	for (int i = 0; i < 100; i++)
		assert_true(buf_append_char(&b, 'x'));
	assert_int_equal(b.len, 100);
	assert_int_equal(strlen(b.data), 100);
	assert_false(buf_append_char(&b, 'x'));
	assert_true(b.failed);
	assert_int_equal(b.len, 100);
	buf_done(&b);
}

static void a_failed_buffer_takes_nothing_more_until_cleared(void **state)
{
	(void)state;
	struct buf b;
	buf_init(&b, 4);
	assert_true(buf_append_c(&b, "ab"));
	assert_false(buf_append_c(&b, "cde"));
	assert_false(buf_append_c(&b, "c")); /* would fit */
	assert_null(buf_take(&b, NULL));
	assert_str_equal_c(buf_str(&b), "ab");
	buf_clear(&b);
	assert_true(buf_append_c(&b, "cdef"));
	assert_str_equal_c(buf_str(&b), "cdef");
	buf_done(&b);
}

static void without_a_limit_it_still_has_room_for_what_it_holds(void **state)
{
	(void)state;
	struct buf b;
	buf_init(&b, SIZE_MAX);
	for (int i = 0; i < 1000; i++)
		assert_true(buf_append_c(&b, "0123456789"));
	assert_int_equal(strlen(b.data), 10000);
	assert_false(buf_reserve(&b, SIZE_MAX - b.len));
	assert_false(buf_reserve(&b, SIZE_MAX - b.len - 1));
	buf_done(&b);
}

static void a_print_that_cannot_be_made_fails_the_buffer(void **state)
{
	(void)state;
	struct buf b;
	buf_init(&b, 100);
	assert_true(buf_printf(&b, "%s-%d", "a", 7));
	assert_false(buf_printf(&b, "%lc", (wint_t)0x110000)); /* no such character: vsnprintf gives -1 */
	assert_true(b.failed);
	buf_done(&b);
	assert_true(buf_printf(&b, "%0100d", 1));
	assert_false(buf_printf(&b, "1"));
	buf_done(&b);
}

static void taking_hands_the_bytes_out_and_leaves_an_empty_buffer(void **state)
{
	(void)state;
	struct buf b;
	size_t len = 9;
	buf_init(&b, 100);
	char *empty = buf_take(&b, &len);
	assert_string_equal(empty, "");
	assert_int_equal(len, 0);
	mem_free(empty);
	assert_true(buf_append(&b, "a\0b", 3));
	char *data = buf_take(&b, &len);
	assert_memory_equal(data, "a\0b", 4);
	assert_int_equal(len, 3);
	mem_free(data);
	assert_str_equal_c(buf_str(&b), "");
	assert_true(buf_append_c(&b, "again"));
	buf_done(&b);
}

static void nothing_can_be_appended_to_nothing(void **state)
{
	(void)state;
	struct buf b;
	buf_init(&b, 0);
	assert_true(buf_append(&b, NULL, 0));
	assert_true(buf_append_str(&b, (struct str){ NULL, 0 }));
	assert_str_equal_c(buf_str(&b), "");
	assert_false(buf_append_char(&b, 'x'));
	buf_done(&b);
}

static bool build(struct buf *b)
{
	(void)buf_append_c(b, "some text that is longer than the first block of sixty-four bytes, by a few");
	(void)buf_printf(b, "%0200d", 5);
	return buf_append_char(b, '.');
}

static void every_failed_allocation_shows_at_the_end(void **state)
{
	(void)state;
	struct buf b;
	buf_init(&b, 1000);
	uint64_t nth = 1;
	for (bool ok = false; !ok; nth++) {
		mem_fail_at(nth);
		ok = build(&b);
		mem_fail_at(0);
		assert_int_equal(ok, !b.failed);
		if (ok)
			assert_int_equal(b.len, 75 + 200 + 1);
		buf_done(&b);
	}
	assert_true(nth > 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_grows_to_its_limit_and_not_past_it),
		cmocka_unit_test(a_failed_buffer_takes_nothing_more_until_cleared),
		cmocka_unit_test(without_a_limit_it_still_has_room_for_what_it_holds),
		cmocka_unit_test(a_print_that_cannot_be_made_fails_the_buffer),
		cmocka_unit_test(taking_hands_the_bytes_out_and_leaves_an_empty_buffer),
		cmocka_unit_test(nothing_can_be_appended_to_nothing),
		cmocka_unit_test(every_failed_allocation_shows_at_the_end),
	};
	return cmocka_run_group_tests_name("buf", tests, NULL, NULL);
}
