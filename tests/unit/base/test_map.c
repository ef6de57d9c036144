/* Goal: what a walk sees and what hostile keys cost. The rest is in tests/property/base/test_map.c. */
#include "common/base/map.h"
#include "common/base/rng.h"
#include "tests/support/cmocka_all.h"

static void a_walk_goes_in_order_of_arrival_and_a_removed_key_comes_back_at_the_end(void **state)
{
	(void)state;
	struct map m;
	struct str key;
	char seen[8] = "";
	size_t count = 0;
	map_init(&m, sizeof(int));
	*(int *)map_put(&m, STR("b"), NULL) = 1;
	*(int *)map_put(&m, STR("a"), NULL) = 2;
	*(int *)map_put(&m, STR("c"), NULL) = 3;
	assert_true(map_remove(&m, STR("b")));
	assert_false(map_remove(&m, STR("b")));
	assert_int_equal(*(int *)map_put(&m, STR("b"), NULL), 0);
	for (size_t at = 0; map_next(&m, &at, &key);)
		seen[count++] = key.data[0];
	assert_string_equal(seen, "acb");
	map_done(&m);
}

static void an_empty_map_can_be_asked_walked_and_freed(void **state)
{
	(void)state;
	struct map m;
	size_t at = 0;
	map_init(&m, 8);
	assert_null(map_get(&m, STR("a")));
	assert_null(map_get_u64(&m, 7));
	assert_false(map_remove(&m, STR("a")));
	assert_null(map_next(&m, &at, NULL));
	map_clear(&m);
	map_done(&m);
}

static void a_key_may_hold_nul_and_the_keys_are_copies(void **state)
{
	(void)state;
	struct map m;
	char key[] = "a\0b";
	map_init(&m, 1);
	(void)map_put(&m, str_make(key, 3), NULL);
	key[2] = 'c';
	assert_non_null(map_get(&m, STR("a\0b")));
	assert_null(map_get(&m, STR("a")));
	assert_null(map_get(&m, str_make(key, 3)));
	map_done(&m);
}

static void values_keep_what_was_written_when_the_map_grows(void **state)
{
	(void)state;
	struct map m;
	map_init(&m, 24);
	for (uint64_t i = 0; i < 5000; i++)
		memset(map_put_u64(&m, i, NULL), (int)(i % 251), 24);
	for (uint64_t i = 0; i < 5000; i++) {
		const unsigned char *value = map_get_u64(&m, i);
		assert_int_equal(value[0], i % 251);
		assert_int_equal(value[23], i % 251);
	}
	map_done(&m);
}

static size_t longest_run(const struct map *m)
{
	size_t run = 0, longest = 0;
	for (size_t i = 0; i < m->slot_count; i++) {
		run = m->slots[i] ? run + 1 : 0;
		longest = MAX_OF(run, longest);
	}
	return longest;
}

/* Sixteen bytes whose second half takes back what the first did, for a hash of the map's kind without a seed. */
static void keys_made_to_collide_without_the_seed_are_spread(void **state)
{
	(void)state;
	struct map m;
	map_init(&m, 0);
	for (uint64_t i = 0; i < 2000; i++) {
		uint64_t words[2] = { i, rng_mix(rng_mix(16) ^ i) };
		(void)map_put(&m, str_make(words, sizeof(words)), NULL);
	}
	assert_int_equal(m.len, 2000);
	assert_in_range(longest_run(&m), 1, 200);
	map_done(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_walk_goes_in_order_of_arrival_and_a_removed_key_comes_back_at_the_end),
		cmocka_unit_test(an_empty_map_can_be_asked_walked_and_freed),
		cmocka_unit_test(a_key_may_hold_nul_and_the_keys_are_copies),
		cmocka_unit_test(values_keep_what_was_written_when_the_map_grows),
		cmocka_unit_test(keys_made_to_collide_without_the_seed_are_spread),
	};
	return cmocka_run_group_tests_name("map", tests, NULL, NULL);
}
