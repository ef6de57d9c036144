/* Goal: memory of one lifetime, aligned, inside its budget, and out of memory where a caller asked to be told. */
#include "common/base/arena.h"
#include "common/base/mem.h"
#include "tests/support/cmocka_all.h"
#include "tests/support/stops.h"

static void pieces_are_aligned_and_do_not_overlap(void **state)
{
	(void)state;
	struct arena a;
	unsigned char *pieces[500];
	arena_init(&a, 1 << 20);
	for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
		pieces[i] = arena_try_alloc(&a, i % 300, 1);
		assert_non_null(pieces[i]);
		assert_int_equal((uintptr_t)pieces[i] % 16, 0);
		memset(pieces[i], (int)(i % 256), i % 300);
	}
	for (size_t i = 0; i < ARRAY_LEN(pieces); i++)
		for (size_t k = 0; k < i % 300; k++)
			assert_int_equal(pieces[i][k], i % 256);
	arena_done(&a);
}

static void the_budget_ends_it_and_a_reset_gives_it_back(void **state)
{
	(void)state;
	struct arena a;
	arena_init(&a, 160);
	assert_non_null(arena_try_alloc(&a, 100, 1)); /* counts as 112 */
	assert_null(arena_try_alloc(&a, 49, 1));
	assert_non_null(arena_try_alloc(&a, 48, 1));
	assert_null(arena_try_alloc(&a, 1, 1));
	assert_int_equal(a.used_bytes, 160);
	arena_reset(&a);
	assert_non_null(arena_try_alloc(&a, 160, 1));
	arena_done(&a);
	assert_non_null(arena_try_alloc(&a, 160, 1));
	arena_done(&a);
}

static void sizes_that_overflow_are_refused(void **state)
{
	(void)state;
	struct arena a;
	arena_init(&a, SIZE_MAX);
	assert_null(arena_try_alloc(&a, SIZE_MAX, 2));
	assert_null(arena_try_alloc(&a, SIZE_MAX, 1));
	arena_done(&a);
}

static void one_larger_than_any_block_fits_and_small_ones_go_on(void **state)
{
	(void)state;
	struct arena a;
	arena_init(&a, 8 << 20);
	char *small = arena_new(&a, 10, 1), *large = arena_new(&a, 3 << 20, 1), *after = arena_new(&a, 10, 1);
	memset(large, 'x', 3 << 20);
	assert_int_equal(small[9] + after[9], 0);
	arena_reset(&a);
	assert_non_null(arena_try_alloc(&a, 8 << 20, 1));
	arena_done(&a);
}

static void text_is_copied_and_ends_in_nul(void **state)
{
	(void)state;
	struct arena a;
	char source[] = "ab";
	arena_init(&a, 1000);
	struct str copy = arena_str(&a, str_from(source));
	char *c = arena_c_str(&a, str_from(source));
	source[0] = 'X';
	assert_str_equal_c(copy, "ab");
	assert_int_equal(copy.data[2], '\0');
	assert_string_equal(c, "ab");
	assert_string_equal(arena_c_str(&a, (struct str){ NULL, 0 }), "");
	assert_str_equal_c(arena_printf(&a, "%d-%s", 7, "x"), "7-x");
	arena_done(&a);
}

static void new_memory_is_zeroed_after_a_reset_too(void **state)
{
	(void)state;
	struct arena a;
	arena_init(&a, 1000);
	memset(arena_new(&a, 500, 1), 'x', 500);
	arena_reset(&a);
	const char *again = arena_new(&a, 500, 1);
	for (size_t i = 0; i < 500; i++)
		assert_int_equal(again[i], 0);
	arena_done(&a);
}

static void go_over_budget(void *argument)
{
	memset(arena_new(argument, 101, 1), 'x', 1);
}

static void new_past_the_budget_stops_the_program(void **state)
{
	(void)state;
	struct arena a;
	arena_init(&a, 100);
	assert_true(stops(go_over_budget, &a));
	arena_done(&a);
}

static void every_failed_block_is_told_and_leaves_a_usable_arena(void **state)
{
	(void)state;
	for (uint64_t nth = 1; nth <= 4; nth++) {
		struct arena a;
		unsigned refused = 0;
		arena_init(&a, 1 << 20);
		mem_fail_at(nth);
		for (int i = 0; i < 100; i++)
			refused += arena_try_alloc(&a, 1000, 1) == NULL;
		mem_fail_at(0);
		assert_int_equal(refused, 1);
		assert_int_equal(a.used_bytes, 99 * 1008);
		arena_done(&a);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pieces_are_aligned_and_do_not_overlap),
		cmocka_unit_test(the_budget_ends_it_and_a_reset_gives_it_back),
		cmocka_unit_test(sizes_that_overflow_are_refused),
		cmocka_unit_test(one_larger_than_any_block_fits_and_small_ones_go_on),
		cmocka_unit_test(text_is_copied_and_ends_in_nul),
		cmocka_unit_test(new_memory_is_zeroed_after_a_reset_too),
		cmocka_unit_test(new_past_the_budget_stops_the_program),
		cmocka_unit_test(every_failed_block_is_told_and_leaves_a_usable_arena),
	};
	return cmocka_run_group_tests_name("arena", tests, NULL, NULL);
}
