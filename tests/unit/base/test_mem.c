/* Goal: every try can be made to fail, refusals are counted, and arrays grow with what they hold. */
#include "common/base/mem.h"
#include "tests/support/cmocka_all.h"
#include "tests/support/stops.h"

static void the_nth_try_fails_and_only_that_one(void **state)
{
	(void)state;
	void *p[4];
	mem_fail_at(3);
	for (size_t i = 0; i < 4; i++)
		p[i] = i % 2 ? mem_try_new(1, 8) : mem_try_grow(NULL, 1, 8);
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(p[i] == NULL, i == 2);
		mem_free(p[i]);
	}
	mem_fail_at(1);
	mem_fail_at(0);
	p[0] = mem_try_new(1, 8);
	assert_non_null(p[0]);
	mem_free(p[0]);
}

static void what_is_refused_is_counted(void **state)
{
	(void)state;
	uint64_t before = mem_refused_count();
	mem_fail_at(1);
	assert_null(mem_try_new(1, 1));
	assert_null(mem_try_new(SIZE_MAX / 2, 4));
	assert_null(mem_try_grow(NULL, SIZE_MAX / 2, 4));
	void *p = mem_try_new(0, 0);
	assert_non_null(p);
	mem_free(p);
	assert_int_equal(mem_refused_count(), before + 3);
}

static void an_array_keeps_its_elements_as_it_grows(void **state)
{
	(void)state;
	uint32_t *array = NULL;
	size_t cap = 0;
	for (uint32_t i = 0; i < 1000; i++) {
		mem_reserve(&array, &cap, i + 1, sizeof(*array));
		array[i] = i;
	}
	for (uint32_t i = 0; i < 1000; i++)
		assert_int_equal(array[i], i);
	assert_int_equal(cap, 1024);
	mem_reserve(&array, &cap, 1024, sizeof(*array)); /* has room already */
	assert_int_equal(cap, 1024);
	mem_reserve(&array, &cap, 5000, sizeof(*array));
	assert_int_equal(cap, 5000);
	mem_free(array);
}

static void ask_for_too_much(void *argument)
{
	(void)argument;
	mem_free(mem_grow(NULL, SIZE_MAX / 2, 4));
}

static void ask_for_too_much_zeroed(void *argument)
{
	(void)argument;
	mem_free(mem_new(SIZE_MAX / 2, 4));
}

static void new_and_grow_stop_the_program_when_refused(void **state)
{
	(void)state;
	assert_true(stops(ask_for_too_much, NULL));
	assert_true(stops(ask_for_too_much_zeroed, NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_nth_try_fails_and_only_that_one),
		cmocka_unit_test(what_is_refused_is_counted),
		cmocka_unit_test(an_array_keeps_its_elements_as_it_grows),
		cmocka_unit_test(new_and_grow_stop_the_program_when_refused),
	};
	return cmocka_run_group_tests_name("mem", tests, NULL, NULL);
}
