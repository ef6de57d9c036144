/* Goal: an item is found while its range is held and not a moment longer; a context is as it was given. */
#include "coordinator/main/content.h"
#include "tests/support/cmocka_all.h"
#include "tests/support/gen.h"
#include <stdio.h>

enum { RUNS = 3, ITEMS = 60 };

static void add(struct content *c, uint64_t run_id, uint64_t from, uint64_t to)
{
	struct arena arena;
	arena_init(&arena, 1 << 20);
	struct str *items = arena_new(&arena, to - from, sizeof(*items));
	for (uint64_t i = from; i < to; i++)
		items[i - from] =
			arena_printf(&arena, "run %llu item %llu", (unsigned long long)run_id, (unsigned long long)i);
	content_add(c, run_id, from, to, items, &arena);
	arena_done(&arena); /* taken over: nothing is left in it */
}

static void assert_item(struct content *c, uint64_t run_id, uint64_t item_no, bool held)
{
	struct str item;
	char wanted[64];
	assert_int_equal(content_item(c, run_id, item_no, &item), held);
	if (!held)
		return;
	(void)snprintf(wanted, sizeof(wanted), "run %llu item %llu", (unsigned long long)run_id,
	               (unsigned long long)item_no);
	assert_str_equal_c(item, wanted);
}

static void a_range_is_held_until_it_is_dropped(void **state)
{
	(void)state;
	struct content c;
	content_init(&c);
	add(&c, 1, 10, 20);
	add(&c, 1, 20, 30);
	add(&c, 2, 10, 12);
	assert_item(&c, 1, 9, false);
	assert_item(&c, 1, 10, true);
	assert_item(&c, 1, 19, true);
	assert_item(&c, 1, 29, true);
	assert_item(&c, 1, 30, false);
	assert_item(&c, 2, 11, true);
	assert_item(&c, 3, 11, false);
	content_drop(&c, 1, 10, 19); /* not a range as it was added */
	assert_item(&c, 1, 10, true);
	content_drop(&c, 1, 10, 20);
	assert_item(&c, 1, 10, false);
	assert_item(&c, 1, 20, true);
	content_drop(&c, 9, 10, 20);
	content_forget(&c, 1);
	assert_item(&c, 1, 20, false);
	assert_item(&c, 2, 10, true);
	content_forget(&c, 1);
	content_done(&c);
}

static void a_context_is_kept_replaced_and_forgotten(void **state)
{
	(void)state;
	struct content c;
	struct hash hash, none = { 0 };
	content_init(&c);
	assert_str_equal_c(content_context(&c, 1, &hash), "");
	assert_memory_equal(&hash, &none, sizeof(hash));
	content_set_context(&c, 1, STR("{\"model\": 1}"));
	assert_str_equal_c(content_context(&c, 1, &hash), "{\"model\": 1}");
	assert_memory_equal(hash.bytes, hash_of(STR("{\"model\": 1}")).bytes, sizeof(hash.bytes));
	content_set_context(&c, 1, STR("{}"));
	assert_str_equal_c(content_context(&c, 1, &hash), "{}");
	content_forget(&c, 1);
	assert_str_equal_c(content_context(&c, 1, &hash), "");
	content_done(&c);
}

/* Against a model: for each run and item, whether some held range covers it. */
static void ranges_agree_with_a_model(void **state)
{
	(void)state;
	struct rng rng;
	for (struct gen_seeds s = gen_seeds(60); gen_next(&s, &rng);) {
		struct content c;
		uint64_t end[RUNS][ITEMS] = { 0 }; /* of the range that begins here; 0: none */
		content_init(&c);
		for (int step = 0; step < 200; step++) {
			uint64_t run = rng_below(&rng, RUNS), from = rng_below(&rng, ITEMS / 10) * 10;
			if (rng_below(&rng, 20) == 0) {
				content_forget(&c, run);
				memset(end[run], 0, sizeof(end[run]));
			} else if (!end[run][from]) {
				end[run][from] = from + 1 + rng_below(&rng, 10);
				add(&c, run, from, end[run][from]);
			} else if (gen_chance(&rng, 50)) {
				content_drop(&c, run, from, end[run][from]);
				end[run][from] = 0;
			}
			uint64_t item = rng_below(&rng, ITEMS);
			assert_item(&c, run, item, end[run][item / 10 * 10] > item);
		}
		content_done(&c);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_range_is_held_until_it_is_dropped),
		cmocka_unit_test(a_context_is_kept_replaced_and_forgotten),
		gen_property(ranges_agree_with_a_model),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
