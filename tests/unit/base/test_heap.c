/* Goal: timers pop in order of time, then of id. The rest is in tests/property/base/test_heap.c. */
#include "common/base/heap.h"
#include "tests/support/cmocka_all.h"

static void ties_go_to_the_smaller_id(void **state)
{
	(void)state;
	struct heap h;
	struct heap_item item;
	heap_init(&h);
	heap_put(&h, 9, 5);
	heap_put(&h, 2, 5);
	heap_put(&h, 7, 4);
	const uint64_t want[] = { 7, 2, 9 };
	for (size_t i = 0; i < 3; i++) {
		assert_true(heap_pop(&h, &item));
		assert_int_equal(item.id, want[i]);
	}
	heap_done(&h);
}

static void putting_again_moves_in_both_directions(void **state)
{
	(void)state;
	struct heap h;
	struct heap_item item;
	uint64_t key;
	heap_init(&h);
	heap_put(&h, 1, 10);
	heap_put(&h, 2, 20);
	heap_put(&h, 1, 30);
	assert_true(heap_min(&h, &item));
	assert_int_equal(item.id, 2);
	heap_put(&h, 1, 5);
	assert_true(heap_min(&h, &item));
	assert_int_equal(item.id, 1);
	assert_true(heap_key(&h, 1, &key));
	assert_int_equal(key, 5);
	assert_int_equal(h.len, 2);
	heap_done(&h);
}

static void the_largest_key_and_id_are_ordinary(void **state)
{
	(void)state;
	struct heap h;
	struct heap_item item;
	heap_init(&h);
	heap_put(&h, UINT64_MAX, UINT64_MAX);
	heap_put(&h, 0, UINT64_MAX);
	heap_put(&h, 3, 0);
	const uint64_t want[] = { 3, 0, UINT64_MAX };
	for (size_t i = 0; i < 3; i++) {
		assert_true(heap_pop(&h, &item));
		assert_int_equal(item.id, want[i]);
	}
	assert_false(heap_min(&h, &item));
	assert_false(heap_remove(&h, 3));
	heap_done(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ties_go_to_the_smaller_id),
		cmocka_unit_test(putting_again_moves_in_both_directions),
		cmocka_unit_test(the_largest_key_and_id_are_ordinary),
	};
	return cmocka_run_group_tests_name("heap", tests, NULL, NULL);
}
