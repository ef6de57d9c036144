/* Goal: a suite's scorers are compiled once, and whatever is wrong with one is named by its place. */
#include "common/base/mem.h"
#include "tests/support/cmocka_all.h"
#include "worker/score/score.h"
#include <stdio.h>

static enum err_code compile(const char *json, struct score_set **ret_set, struct error *error)
{
	struct json_doc *doc;
	assert_ok(json_parse(str_from(json), &doc, error), error);
	enum err_code err = score_compile(json_root(doc), ret_set, error);
	json_free(doc); /* the set must not look into it any more */
	return err;
}

static void a_set_knows_its_scorers(void **state)
{
	(void)state;
	struct score_set *set;
	struct error error;
	double chance = -1;
	assert_ok(compile("[{\"name\":\"correct\",\"type\":\"exact\",\"normalize\":[\"trim\",\"casefold\"],\"chance\":"
	                  "0.1},"
	                  "{\"name\":\"pick\",\"type\":\"choice\"},{\"type\":\"choice\",\"choices\":[\"a "
	                  "b\",\"c\",\"d\",\"e\"]},"
	                  "{\"type\":\"numeric\",\"abs_tol\":0.5,\"rel_tol\":0.01,\"ignore\":[\"commas\"],\"find\":"
	                  "\"only\"},"
	                  "{\"type\":\"regex\",\"pattern\":\"a+\",\"flags\":\"i\",\"full\":true},"
	                  "{\"type\":\"includes\",\"words\":true},{\"type\":\"prefix\"}]",
	                  &set, &error),
	          &error);
	assert_int_equal(score_count(set), 7);
	assert_str_equal_c(score_name(set, 0), "correct");
	assert_str_equal_c(score_type(set, 0), "exact");
	assert_str_equal_c(score_name(set, 2), "choice");
	assert_str_equal_c(score_type(set, 6), "prefix");
	assert_true(score_chance(set, 0, 4, &chance) && chance == 0.1);
	assert_false(score_chance(set, 1, 0, &chance));
	assert_true(score_chance(set, 1, 5, &chance) && chance == 0.2);
	assert_true(score_chance(set, 2, 0, &chance) && chance == 0.25);
	assert_true(score_chance(set, 2, 2, &chance) && chance == 0.5);
	assert_false(score_chance(set, 3, 4, &chance));
	score_free(set);
	assert_ok(compile("[{\"name\":\"az.AZ_09-\",\"type\":\"choice\",\"choices\":26}]", &set, &error), &error);
	assert_str_equal_c(score_name(set, 0), "az.AZ_09-");
	score_free(set);
	score_free(NULL);
}

#define ONE(inside) "[{\"type\":\"exact\"},{" inside "}]"

static void a_wrong_scorer_is_refused_and_its_place_is_named(void **state)
{
	(void)state;
	static const struct {
		const char *json, *want;
	} rows[] = {
		{ "{}", "scores must be a list, not an object" },
		{ "[]", "scores must hold 1 to 32 scorers, not 0" },
		{ "[7]", "scores[0] must be an object, not an integer" },
		{ ONE(""), "scores[1].type must be a text, not nothing" },
		{ ONE("\"type\":7"), "scores[1].type must be a text, not an integer" },
		{ ONE("\"type\":\"exakt\""), "scores[1].type: 'exakt' is not known; did you mean 'exact'?" },
		{ ONE("\"type\":\"judge\""),
		  "scores[1].type: 'judge' is not known; there are exact, includes, prefix, regex, numeric, choice" },
		{ ONE("\"type\":\"exact\",\"nomalize\":[]"),
		  "scores[1]: 'nomalize' is not known; did you mean 'normalize'?" },
		{ ONE("\"type\":\"exact\",\"pattern\":\"x\""),
		  "scores[1]: 'pattern' is not known; there are name, type, extract, chance, normalize" },
		{ ONE("\"type\":\"numeric\",\"normalize\":[]"),
		  "scores[1].normalize is built into type numeric and has no place here" },
		{ ONE("\"type\":\"exact\""), "scores[1].name 'exact' is taken by scores[0]" },
		{ ONE("\"name\":\"exact\",\"type\":\"prefix\""), "scores[1].name 'exact' is taken by scores[0]" },
		{ ONE("\"name\":7,\"type\":\"prefix\""), "scores[1].name must be a text, not an integer" },
		{ ONE("\"name\":\"\",\"type\":\"prefix\""),
		  "scores[1].name must have 1 to 64 letters, digits, '_', '.' or '-'" },
		{ ONE("\"name\":\"a b\",\"type\":\"prefix\""),
		  "scores[1].name must have 1 to 64 letters, digits, '_', '.' or '-'" },
		{ ONE("\"name\":\"a\\u0000\",\"type\":\"prefix\""),
		  "scores[1].name must have 1 to 64 letters, digits, '_', '.' or '-'" },
		{ ONE("\"type\":\"prefix\",\"normalize\":\"trim\""),
		  "scores[1].normalize must be a list of at most 16 steps" },
		{ ONE("\"type\":\"prefix\",\"normalize\":[\"trim\",\"casefld\"]"),
		  "scores[1].normalize[1]: 'casefld' is not known; did you mean 'casefold'?" },
		{ ONE("\"type\":\"prefix\",\"normalize\":[1]"), "scores[1].normalize[0] must be a step's name" },
		{ ONE("\"type\":\"prefix\",\"extract\":{}"), "scores[1].extract must be a list of at most 16 steps" },
		{ ONE("\"type\":\"prefix\",\"extract\":[\"first\",\"vote\"]"),
		  "scores[1].extract[1]: vote chooses among several answers, and a sample has one; use epochs and a "
		  "reducer" },
		{ ONE("\"type\":\"prefix\",\"extract\":[{\"regex\":{\"pattern\":7}}]"),
		  "scores[1].extract[0].regex.pattern must be a text" },
		{ ONE("\"type\":\"prefix\",\"chance\":\"low\""), "scores[1].chance must be a number, not a string" },
		{ ONE("\"type\":\"prefix\",\"chance\":1.5"), "scores[1].chance must be between 0 and 1, not 1.5" },
		{ ONE("\"type\":\"prefix\",\"chance\":null"), "scores[1].chance must be a number, not null" },
		{ ONE("\"type\":\"includes\",\"words\":1"), "scores[1].words must be true or false, not an integer" },
		{ ONE("\"type\":\"regex\",\"pattern\":7"), "scores[1].pattern must be a text, not an integer" },
		{ ONE("\"type\":\"regex\",\"flags\":\"q\""), "scores[1].flags must hold letters of ims" },
		{ ONE("\"type\":\"regex\",\"full\":0"), "scores[1].full must be true or false, not an integer" },
		{ ONE("\"type\":\"numeric\",\"abs_tol\":-1"), "scores[1].abs_tol must be between 0 and inf, not -1" },
		{ ONE("\"type\":\"numeric\",\"rel_tol\":2"), "scores[1].rel_tol must be between 0 and 1, not 2" },
		{ ONE("\"type\":\"numeric\",\"ignore\":\"commas\""), "scores[1].ignore must be a list" },
		{ ONE("\"type\":\"numeric\",\"ignore\":[\"comas\"]"),
		  "scores[1].ignore[0]: 'comas' is not known; did you mean 'commas'?" },
		{ ONE("\"type\":\"numeric\",\"ignore\":[1]"), "scores[1].ignore[0] must be a text" },
		{ ONE("\"type\":\"numeric\",\"find\":\"middle\""),
		  "scores[1].find: 'middle' is not known; there are last, first, only" },
		{ ONE("\"type\":\"numeric\",\"find\":1"), "scores[1].find must be a text, not an integer" },
		{ ONE("\"type\":\"choice\",\"choices\":1"), "scores[1].choices must be 2 to 1000, not 1" },
		{ ONE("\"type\":\"choice\",\"choices\":[\"a\"]"), "scores[1].choices must be 2 to 1000, not 1" },
		{ ONE("\"type\":\"choice\",\"choices\":[\"a\",2]"),
		  "scores[1].choices[1] must be a text, not an integer" },
		{ ONE("\"type\":\"choice\",\"choices\":\"a\""),
		  "scores[1].choices must be a list of texts or their number, not a string" },
		{ ONE("\"type\":\"choice\",\"choices\":27"), "scores[1].choices must be a list of texts when there are "
		                                             "over 26: without texts only letters can be read" },
		{ ONE("\"type\":\"choice\",\"choices\":4,\"letters\":false"),
		  "scores[1].choices must be a list of texts when letters is false: without texts only letters can be "
		  "read" },
		{ ONE("\"type\":\"choice\",\"letters\":1"), "scores[1].letters must be true or false, not an integer" },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct score_set *set = NULL;
		struct error error = { .text = "no error" };
		enum err_code err = compile(rows[i].json, &set, &error);
		assert_string_equal(error.text, rows[i].want);
		assert_int_equal(err, i == 20 ? ERR_UNSUPPORTED : ERR_INVALID);
		assert_null(set);
	}
}

static void a_bad_pattern_is_refused_with_its_column(void **state)
{
	(void)state;
	static const char *const bad[] = { "\"pattern\":\"a(b\"", "\"pattern\":\"a)(b\",\"full\":true" };
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct score_set *set = NULL;
		struct error error;
		char json[100];
		(void)snprintf(json, sizeof(json), "[{\"type\":\"regex\",%s}]", bad[i]);
		assert_int_equal(compile(json, &set, &error), ERR_INVALID);
		assert_true(str_starts(str_from(error.text), STR("scores[0].pattern: pattern, column ")));
	}
}

static void running_out_of_memory_anywhere_is_an_error_and_leaks_nothing(void **state)
{
	(void)state;
	struct json_doc *doc;
	struct error error;
	assert_ok(json_parse(STR("[{\"type\":\"choice\",\"choices\":[\"a\",\"b\"],\"extract\":[{\"strip\":\"x\"},"
	                         "{\"regex\":\"(a)\"}]},{\"type\":\"regex\",\"pattern\":\"x\",\"full\":true}]"),
	                     &doc, &error),
	          &error);
	bool done = false;
	for (uint64_t nth = 1; !done && nth < 200; nth++) {
		struct score_set *set = NULL;
		mem_fail_at(nth);
		enum err_code err = score_compile(json_root(doc), &set, &error);
		mem_fail_at(0);
		done = err == ERR_OK;
		assert_int_equal(set != NULL, done);
		score_free(set);
	}
	assert_true(done);
	json_free(doc);
}

int main(void)
{
	json_start();
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_set_knows_its_scorers),
		cmocka_unit_test(a_wrong_scorer_is_refused_and_its_place_is_named),
		cmocka_unit_test(a_bad_pattern_is_refused_with_its_column),
		cmocka_unit_test(running_out_of_memory_anywhere_is_an_error_and_leaks_nothing),
	};
	return cmocka_run_group_tests_name("score spec", tests, NULL, NULL);
}
