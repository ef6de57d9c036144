/* Goal: the set holds what was put in, its count is right, and nothing is ever set past its length. */
#include "common/base/bits.h"
#include "tests/support/cmocka_all.h"
#include "tests/support/stops.h"

static void setting_and_clearing_say_whether_anything_changed(void **state)
{
	(void)state;
	struct bits b;
	bits_init(&b, 65);
	assert_true(bits_set(&b, 64));
	assert_false(bits_set(&b, 64));
	assert_int_equal(b.count, 1);
	assert_true(bits_clear(&b, 64));
	assert_false(bits_clear(&b, 64));
	assert_int_equal(b.count, 0);
	bits_done(&b);
}

static void shrinking_forgets_what_growing_must_not_bring_back(void **state)
{
	(void)state;
	struct bits b;
	bits_init(&b, 200);
	bits_set_range(&b, 0, 200);
	bits_resize(&b, 70);
	assert_int_equal(b.count, 70);
	bits_resize(&b, 200);
	assert_int_equal(b.count, 70);
	assert_int_equal(bits_next_clear(&b, 0), 70);
	bits_resize(&b, 0);
	assert_int_equal(b.count, 0);
	assert_int_equal(bits_next_clear(&b, 0), 0);
	bits_resize(&b, 1);
	assert_true(bits_set(&b, 0));
	bits_done(&b);
}

static void a_full_set_has_no_clear_bit_and_an_empty_one_no_set_bit(void **state)
{
	(void)state;
	for (uint64_t len = 0; len <= 130; len++) {
		struct bits b;
		bits_init(&b, len);
		assert_int_equal(bits_next_set(&b, 0), len);
		bits_set_range(&b, 0, len);
		assert_int_equal(bits_next_clear(&b, 0), len);
		assert_int_equal(bits_next_clear(&b, len), len);
		assert_int_equal(bits_next_clear(&b, len + 100), len);
		bits_done(&b);
	}
}

static void bytes_past_the_length_are_ignored(void **state)
{
	(void)state;
	struct bits b;
	uint8_t out[2] = { 0 };
	bits_init(&b, 10);
	bits_or_bytes(&b, STR("\x01\xff\xff\xff"));
	assert_int_equal(b.count, 3);
	bits_to_bytes(&b, out);
	assert_memory_equal(out, "\x01\x03", 2);
	bits_or_bytes(&b, STR("\x02"));
	assert_int_equal(b.count, 4);
	bits_done(&b);
}

static void bits_in_plain_bytes_read_clear_past_their_end(void **state)
{
	(void)state;
	uint8_t bytes[2] = { 0 };
	bits_put(bytes, 9);
	assert_true(bits_in(str_make(bytes, 2), 9));
	assert_false(bits_in(str_make(bytes, 2), 8));
	assert_false(bits_in(str_make(bytes, 2), 16));
	assert_false(bits_in(str_make(bytes, 2), UINT64_MAX));
}

static void read_out_of_range(void *argument)
{
	(void)bits_get(argument, 10);
}

static void make_huge(void *argument)
{
	bits_init(argument, UINT64_MAX - 5);
}

static void a_bit_out_of_range_and_a_length_without_room_stop_the_program(void **state)
{
	(void)state;
	struct bits b;
	bits_init(&b, 10);
	assert_true(stops(read_out_of_range, &b));
	bits_done(&b);
	assert_true(stops(make_huge, &b));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(setting_and_clearing_say_whether_anything_changed),
		cmocka_unit_test(shrinking_forgets_what_growing_must_not_bring_back),
		cmocka_unit_test(a_full_set_has_no_clear_bit_and_an_empty_one_no_set_bit),
		cmocka_unit_test(bytes_past_the_length_are_ignored),
		cmocka_unit_test(bits_in_plain_bytes_read_clear_past_their_end),
		cmocka_unit_test(a_bit_out_of_range_and_a_length_without_room_stop_the_program),
	};
	return cmocka_run_group_tests_name("bits", tests, NULL, NULL);
}
