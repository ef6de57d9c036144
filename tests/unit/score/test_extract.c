/* Goal: extraction steps take out what they promise; wrong ones are refused with their place; limits are told. */
#include "tests/support/cmocka_all.h"
#include "worker/score/extract.h"
#include <stdio.h>

static enum err_code parse(const char *json, struct extract_step *step, struct error *error)
{
	struct json_doc *doc;
	assert_ok(json_parse(str_from(json), &doc, error), error);
	enum err_code err = extract_parse(json_root(doc), "x[0]", step, error);
	json_free(doc);
	return err;
}

static void steps_take_out_what_they_promise(void **state)
{
	(void)state;
	static const struct {
		const char *step, *text, *want; /* NULL: nothing found */
	} rows[] = {
		{ "{\"regex\":\"b+\"}", "abbbc", "bbb" },
		{ "{\"regex\":\"a(b+)\"}", "abbbc", "bbb" },
		{ "{\"regex\":{\"pattern\":\"a(b+)(c)\",\"group\":2}}", "abbbc", "c" },
		{ "{\"regex\":{\"pattern\":\"a(b+)(c)\",\"group\":0}}", "abbbc", "abbbc" },
		{ "{\"regex\":{\"pattern\":\"[0-9]\",\"match\":\"last\"}}", "1 2 3", "3" },
		{ "{\"regex\":{\"pattern\":\"[0-9]\",\"match\":\"first\"}}", "1 2 3", "1" },
		{ "{\"regex\":{\"pattern\":\"ANSWER: (.*)$\",\"flags\":\"im\"}}", "x\nAnswer: y\nz", "y" },
		{ "{\"regex\":{\"pattern\":\"a.b\",\"flags\":\"s\"}}", "a\nb", "a\nb" },
		{ "{\"regex\":\"a.b\"}", "a\nb", NULL },
		{ "{\"regex\":\"z\"}", "abc", NULL },
		{ "{\"regex\":\"a|(b)\"}", "a", NULL },
		{ "{\"regex\":{\"pattern\":\"x*\",\"match\":\"last\"}}", "ab", "" },
		{ "{\"strip\":\"*_ \"}", " **bold_ ", "bold" },
		{ "{\"strip\":{\"chars\":\"\\u00ab\\u00bb\"}}", "\xC2\xABx\xC2\xBB", "x" },
		{ "{\"strip\":\"ab\"}", "abba", "" },
		{ "{\"strip\":\"x\"}", "axa", "axa" },
		{ "{\"strip\":\"\\u00e9\"}", "\xC3\xA8", "\xC3\xA8" },
		{ "\"first\"", "\n\n  one two \nthree", "one two" },
		{ "{\"first\":\"line\"}", "one\r\ntwo", "one" },
		{ "{\"first\":\"word\"}", " one\xC2\xA0two", "one" },
		{ "\"first\"", " \n ", NULL },
		{ "\"last_number\"", "from 3 to $-4.50", "-4.50" },
		{ "\"last_number\"", "none", NULL },
		{ "\"fence\"", "Sure:\n```python\nx = 1\ny = 2\n```\nDone", "x = 1\ny = 2" },
		{ "\"fence\"", "no fence", "no fence" },
		{ "\"fence\"", "```\ncut off", "cut off" },
		{ "\"fence\"", "```\na\n```\n```\nb\n```", "a" },
		{ "{\"fence\":\"last\"}", "```\na\n```\n```\nb\n```", "b" },
		{ "{\"fence\":\"last\"}", "```\na\n```\n```\nb", "b" },
		{ "\"fence\"", "```\n```", "" },
		{ "\"fence\"", "```", "" },
		{ "\"fence\"", "```one liner```", "```one liner```" },
		{ "\"fence\"", "    ```\nindented\n    ```", "    ```\nindented\n    ```" },
		{ "\"fence\"", "", "" },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct extract_step step;
		struct error error;
		struct str got = STR("untouched");
		assert_ok(parse(rows[i].step, &step, &error), &error);
		enum extract_result result = extract_apply(&step, str_from(rows[i].text), &got, &error);
		if (result != (rows[i].want ? EXTRACT_FOUND : EXTRACT_NOTHING) ||
		    !str_eq_c(got, rows[i].want ? rows[i].want : "untouched"))
			fail_msg("row %zu %s gave %d '%.*s'", i, rows[i].step, (int)result, STR_ARG(got));
		extract_done(&step);
	}
}

static void wrong_steps_are_refused_with_their_place(void **state)
{
	(void)state;
	static const struct {
		const char *step, *want;
	} rows[] = {
		{ "7", "x[0] must be a step's name or an object with the name as its one key" },
		{ "{}", "x[0] must be a step's name or an object with the name as its one key" },
		{ "{\"regex\":\"a\",\"group\":1}",
		  "x[0] must be a step's name or an object with the name as its one key" },
		{ "\"vote\"",
		  "x[0]: vote chooses among several answers, and a sample has one; use epochs and a reducer" },
		{ "{\"vote\":3}",
		  "x[0]: vote chooses among several answers, and a sample has one; use epochs and a reducer" },
		{ "\"second\"", "x[0]: no step 'second'; there are regex, strip, first, last_number, fence" },
		{ "\"regex\"", "x[0].regex needs an option: {regex: ...}" },
		{ "{\"regex\":7}", "x[0].regex.pattern must be a text" },
		{ "{\"regex\":{}}", "x[0].regex.pattern must be a text" },
		{ "{\"regex\":{\"pattern\":\"a\",\"grup\":1}}", "x[0].regex.grup is not known" },
		{ "{\"regex\":\"(\"}", NULL },
		{ "{\"regex\":{\"pattern\":\"a\",\"group\":1}}",
		  "x[0].regex.group must be between 0 and 0, the groups of the pattern, not 1" },
		{ "{\"regex\":{\"pattern\":\"(a)\",\"group\":-1}}",
		  "x[0].regex.group must be between 0 and 1, the groups of the pattern, not -1" },
		{ "{\"regex\":{\"pattern\":\"a\",\"group\":\"1\"}}",
		  "x[0].regex.group must be an integer, not a string" },
		{ "{\"regex\":{\"pattern\":\"a\",\"flags\":\"g\"}}", "x[0].regex.flags must hold letters of ims" },
		{ "{\"regex\":{\"pattern\":\"a\",\"flags\":1}}", "x[0].regex.flags must hold letters of ims" },
		{ "{\"regex\":{\"pattern\":\"a\",\"match\":\"all\"}}", "x[0].regex.match must be first or last" },
		{ "\"strip\"", "x[0].strip needs an option: {strip: ...}" },
		{ "{\"strip\":\"\"}", "x[0].strip must name the characters to strip" },
		{ "{\"strip\":{\"char\":\"a\"}}", "x[0].strip.char is not known" },
		{ "{\"first\":\"page\"}", "x[0].first must be line or word" },
		{ "{\"first\":1}", "x[0].first must be line or word, not an integer" },
		{ "{\"last_number\":true}", "x[0].last_number takes no options" },
		{ "{\"fence\":\"all\"}", "x[0].fence must be first or last" },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct extract_step step = { .group = 77 };
		struct error error = { .text = "no error" };
		enum err_code err = parse(rows[i].step, &step, &error);
		assert_int_not_equal(err, ERR_OK);
		if (rows[i].want)
			assert_string_equal(error.text, rows[i].want);
		else
			assert_true(str_starts(str_from(error.text), STR("x[0].regex: pattern, column ")));
		assert_int_equal(step.group, 77);
	}
}

static void a_pattern_that_runs_away_is_told_and_not_taken_for_no_match(void **state)
{
	(void)state;
	struct extract_step step;
	struct error error = { .text = "" };
	struct str got;
	assert_ok(parse("{\"regex\":\"^(a+)+$\"}", &step, &error), &error);
	assert_int_equal(extract_apply(&step, STR("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!"), &got, &error),
	                 EXTRACT_LIMIT);
	assert_true(error.text[0] != '\0');
	extract_done(&step);
	assert_ok(parse("{\"regex\":{\"pattern\":\"a\",\"match\":\"last\"}}", &step, &error), &error);
	char many[10001];
	memset(many, 'a', sizeof(many));
	assert_int_equal(extract_apply(&step, str_make(many, 9999), &got, &error), EXTRACT_FOUND);
	assert_int_equal(extract_apply(&step, str_make(many, 10001), &got, &error), EXTRACT_LIMIT);
	extract_done(&step);
}

int main(void)
{
	json_start();
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(steps_take_out_what_they_promise),
		cmocka_unit_test(wrong_steps_are_refused_with_their_place),
		cmocka_unit_test(a_pattern_that_runs_away_is_told_and_not_taken_for_no_match),
	};
	return cmocka_run_group_tests_name("extract", tests, NULL, NULL);
}
