/* Goal: each normalisation step does what its line in the header says, in any script, and steps run in order. */
#include "tests/support/cmocka_all.h"
#include "worker/score/normalize.h"

static void each_step_does_its_work(void **state)
{
	(void)state;
	static const struct {
		const char *steps, *text, *want;
	} rows[] = {
		{ "trim", " \t\nA b \r\n", "A b" },
		{ "trim", "\xC2\xA0\xE3\x80\x80x\xEF\xBB\xBF\xE2\x80\x8B", "x" },
		{ "trim", "", "" },
		{ "trim", " \n ", "" },
		{ "trim", "\xC3\xA9", "\xC3\xA9" },
		{ "casefold",
		  "Stra\xC3\x9F"
		  "E \xC3\x89",
		  "strasse \xC3\xA9" },
		{ "casefold", "\xEF\xBC\xA1", "a" },
		{ "nfkc", "\xEF\xBC\xA1\xEF\xAC\x81", "Afi" },
		{ "nfkc", "E\xCC\x81", "\xC3\x89" },
		{ "strip_punctuation", "Don't, (please)! a_b-c: $5.00", "Dont please abc 500" },
		{ "strip_punctuation",
		  "\xC2\xBFQu\xC3\xA9?\xE2\x80\x94\xC2\xAB"
		  "x\xC2\xBB\xE3\x80\x82\xEF\xBC\x81",
		  "Qu\xC3\xA9x" },
		{ "strip_punctuation",
		  "\xE2\x82\xAC"
		  "5",
		  "\xE2\x82\xAC"
		  "5" },
		{ "collapse_space",
		  "  a \n\t b\xC2\xA0\xC2\xA0"
		  "c ",
		  "a b c" },
		{ "collapse_space", "   ", "" },
		{ "strip_articles", "The cat and an Apple, a pear", "cat and Apple, pear" },
		{ "strip_articles", "theory anatomy a.", "theory anatomy a." },
		{ "strip_articles", "the", "" },
		{ "casefold strip_punctuation strip_articles", "The  U.S. Open!", "us open" },
		{ "strip_articles casefold", "A b", "b" },
		{ "strip_punctuation trim", "( x )", "x" },
		{ "trim strip_punctuation", "( x )", " x " },
		{ "", " Kept As It Is ", " Kept As It Is " },
	};
	struct buf out, scratch;
	buf_init(&out, 1000);
	buf_init(&scratch, 1000);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		enum normalize_step steps[4];
		size_t count = 0;
		struct str rest = str_from(rows[i].steps), name;
		while (rows[i].steps[0] && str_split(&rest, ' ', &name))
			assert_true(normalize_step_from_name(name, &steps[count++]));
		assert_true(normalize_apply(str_from(rows[i].text), steps, count, &out, &scratch));
		assert_str_equal_c(buf_str(&out), rows[i].want);
	}
	buf_done(&out);
	buf_done(&scratch);
}

static void names_lead_back_to_steps(void **state)
{
	(void)state;
	enum normalize_step step;
	for (size_t i = 0; i < NORMALIZE_STEP_COUNT; i++) {
		assert_true(normalize_step_from_name(str_from(normalize_step_name((enum normalize_step)i)), &step));
		assert_int_equal(step, i);
	}
	assert_false(normalize_step_from_name(STR("lower"), &step));
	assert_false(normalize_step_from_name(STR(""), &step));
}

static void a_full_buffer_is_told(void **state)
{
	(void)state;
	for (size_t step = 0; step < NORMALIZE_STEP_COUNT; step++) {
		enum normalize_step one = (enum normalize_step)step;
		struct buf out, scratch;
		buf_init(&out, 5);
		buf_init(&scratch, 5);
		assert_false(normalize_apply(STR("abcdef"), &one, 1, &out, &scratch));
		buf_done(&out);
		buf_done(&scratch);
		/* one ligature, eighteen letters */
		buf_init(&out, 6);
		buf_init(&scratch, 6);
		bool grows = one == NORMALIZE_NFKC || one == NORMALIZE_CASEFOLD;
		assert_int_equal(normalize_apply(STR("\xEF\xB7\xBA"), &one, 1, &out, &scratch), !grows);
		buf_done(&out);
		buf_done(&scratch);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_step_does_its_work),
		cmocka_unit_test(names_lead_back_to_steps),
		cmocka_unit_test(a_full_buffer_is_told),
	};
	return cmocka_run_group_tests_name("normalize", tests, NULL, NULL);
}
