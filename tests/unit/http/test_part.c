#include "coordinator/http/part.h"
#include "tests/support/cmocka_all.h"

static struct arena arena;

static void holds(struct str got, const char *wanted)
{
	assert_string_equal(arena_c_str(&arena, got), wanted);
}

static void a_whole_suite_needs_no_flags(void **state)
{
	struct run_row run = { .epochs = 2 };
	(void)state;
	holds(part_flags(&arena, &run, 2), "");
	holds(part_words(&arena, &run, 2), "");
}

static void every_flag_that_names_the_run_is_given_back(void **state)
{
	struct run_row run = { .slice = STR("stratum=refund,task=b"), .limit = STR("20"), .seed = 3, .epochs = 2 };
	(void)state;
	holds(part_flags(&arena, &run, 1), " --slice stratum=refund --slice task=b --limit 20 --seed 3 --epochs 2");
	holds(part_words(&arena, &run, 1), "stratum=refund, task=b, limit 20, seed 3, 2 epochs");
}

static void a_value_of_a_slice_reaches_the_shell_as_one_word(void **state)
{
	struct run_row run = { .slice = STR("stratum=a%2Cb c;'d%3De"), .epochs = 1 };
	(void)state;
	holds(part_flags(&arena, &run, 2), " --slice 'stratum=a,b c;'\\''d=e' --epochs 1");
	holds(part_words(&arena, &run, 2), "stratum=a,b c;'d=e, 1 epoch");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_whole_suite_needs_no_flags),
		cmocka_unit_test(every_flag_that_names_the_run_is_given_back),
		cmocka_unit_test(a_value_of_a_slice_reaches_the_shell_as_one_word),
	};
	arena_init(&arena, 1 << 20);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	arena_done(&arena);
	return failed;
}
