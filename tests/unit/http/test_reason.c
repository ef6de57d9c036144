/* Goal: a reason names items as people know them, and figures as they stand; any other text stays as it is. */
#include "coordinator/http/reason.h"
#include "tests/support/cmocka_all.h"

static const struct str ids[] = { STR_INIT("refund-17"), STR_INIT("a, (b)"), STR_INIT("c"), STR_INIT("d") };

static void becomes(const char *reason, uint64_t done, size_t numbers, const char *want)
{
	uint32_t found[REASON_ITEMS_MAX];
	struct arena arena;
	arena_init(&arena, 1 << 20);
	size_t count = reason_items(str_from(reason), found);
	assert_int_equal(count, numbers);
	assert_true(count <= ARRAY_LEN(ids));
	struct str text = reason_text(&arena, str_from(reason), ids, count, done);
	if (!str_eq_c(text, want))
		fail_msg("\"%.*s\" is not \"%s\"", STR_ARG(text), want);
	arena_done(&arena);
}

static void numbers_become_ids(void **state)
{
	(void)state;
	becomes("1 of 50 samples missing: 1 unscored (items 49)", 49, 1,
	        "1 of 50 samples missing: 1 unscored (item refund-17)");
	becomes("2 of 9 samples missing: 2 quarantined (items 3 epoch 2, 7 epoch 1 and 5 more); more than the 2 %", 7,
	        2,
	        "2 of 9 samples missing: 2 quarantined (items refund-17 epoch 2, a, (b) epoch 1 and 5 more); more than "
	        "the "
	        "2 %");
}

static void a_cancelled_run_says_what_counts_now(void **state)
{
	(void)state;
	becomes("cancelled with 72 of 1000 samples done", 75, 0, "cancelled with 75 of 1000 samples done");
	becomes("cancelled with 9 of 10 samples done; 1 of 10 samples missing: 1 provider_error (items 4)", 9, 1,
	        "cancelled with 9 of 10 samples done; 1 of 10 samples missing: 1 provider_error (item refund-17)");
}

static void other_texts_stay(void **state)
{
	(void)state;
	static const char *const texts[] = { "",
		                             "budget spent",
		                             "no key (items",
		                             "seen (items )",
		                             "(items 4)",
		                             "x (items four)",
		                             "x (items 4, y)",
		                             "x (items 99999999999)",
		                             "cancelled with",
		                             "cancelled with love" };
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		becomes(texts[i], 5, 0, texts[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_become_ids),
		cmocka_unit_test(a_cancelled_run_says_what_counts_now),
		cmocka_unit_test(other_texts_stay),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
