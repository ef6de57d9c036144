/* Goal: each scorer type gives the value that its description promises, or a reason, and says what it compared. */
#include "common/base/mem.h"
#include "tests/support/cmocka_all.h"
#include "worker/score/score.h"
#include <stdio.h>

struct fixture {
	struct arena arena;
	struct buf line;
};

static int setup(void **state)
{
	static struct fixture f;
	arena_init(&f.arena, 1 << 20);
	buf_init(&f.line, 1 << 16);
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	arena_done(&f->arena);
	buf_done(&f->line);
	return 0;
}

struct row {
	const char *scorer, *target, *answer, *want; /* target as JSON, or NULL for none */
};

static struct score apply(struct fixture *f, const char *scorer, const char *target, const char *choices,
                          struct str answer)
{
	struct json_doc *scorer_doc, *target_doc = NULL, *choices_doc = NULL;
	struct score_set *set;
	struct score s;
	struct error error;
	memset(&s, 0xAA, sizeof(s));
	buf_clear(&f->line);
	buf_printf(&f->line, "[{\"name\":\"s\",%s}]", scorer);
	assert_ok(json_parse(buf_str(&f->line), &scorer_doc, &error), &error);
	assert_ok(score_compile(json_root(scorer_doc), &set, &error), &error);
	if (target)
		assert_ok(json_parse(str_from(target), &target_doc, &error), &error);
	if (choices)
		assert_ok(json_parse(str_from(choices), &choices_doc, &error), &error);
	struct score_item item = { .target = json_root(target_doc), .choices = json_root(choices_doc) };
	score_apply(set, 0, answer, &item, &f->arena, &s);
	json_free(scorer_doc);
	json_free(target_doc);
	json_free(choices_doc);
	score_free(set);
	return s;
}

static void render(const struct score *s, struct buf *line)
{
	buf_clear(line);
	if (s->has_value)
		buf_printf(line, "%g [%.*s]", s->value, STR_ARG(s->extracted));
	else
		buf_printf(line, "missing %.*s", STR_ARG(s->reason));
	if (s->explanation.len)
		buf_printf(line, " %.*s", STR_ARG(s->explanation));
}

static void expect_rows(struct fixture *f, const struct row *rows, size_t count, const char *choices)
{
	for (size_t i = 0; i < count; i++) {
		struct score s = apply(f, rows[i].scorer, rows[i].target, choices, str_from(rows[i].answer));
		render(&s, &f->line);
		if (!str_eq_c(buf_str(&f->line), rows[i].want))
			fail_msg("row %zu %s '%s'\n  gave  %s\n  want  %s", i, rows[i].scorer, rows[i].answer,
			         f->line.data, rows[i].want);
	}
}

#define EXACT "\"type\":\"exact\""
#define FOLD ",\"normalize\":[\"trim\",\"casefold\"]"

static void exact_is_equality_after_normalisation(void **state)
{
	static const struct row rows[] = {
		{ EXACT, "\"Paris\"", "Paris", "1 [Paris]" },
		{ EXACT, "\"Paris\"", " Paris\n", "1 [ Paris\n]" },
		{ EXACT, "\"Paris\"", "paris", "0 [paris]" },
		{ EXACT FOLD, "\"Paris\"", "PARIS", "1 [PARIS]" },
		{ EXACT ",\"normalize\":[]", "\"Paris\"", "Paris ", "0 [Paris ]" },
		{ EXACT ",\"normalize\":[\"casefold\"]", "\"Paris\"", "PARIS ", "0 [PARIS ]" },
		{ EXACT, "[\"Rome\",\"Paris\"]", "Paris", "1 [Paris] target 2 matches" },
		{ EXACT, "[\"Rome\",\"Oslo\"]", "Paris", "0 [Paris]" },
		{ EXACT, "\"Paris\"", "Paris.", "0 [Paris.]" },
		{ EXACT, "42", "42", "1 [42]" },
		{ EXACT, "0.5", "0.5", "1 [0.5]" },
		{ EXACT, "true", "true", "1 [true]" },
		{ EXACT, "\"\"", "", "1 []" },
		{ EXACT, "\"\"", "x", "0 [x]" },
		{ EXACT, NULL, "x", "missing no_target the item has no target" },
		{ EXACT, "null", "x", "missing no_target the item has no target" },
		{ EXACT, "[]", "x", "missing no_target the item has no target" },
		{ EXACT, "{\"a\":1}", "x", "missing bad_target target 1 is neither text nor a number" },
		{ EXACT, "[\"a\",null]", "x", "missing bad_target target 2 is neither text nor a number" },
		{ EXACT, "\"\\ufffd\"", "\xFF", "1 [\xEF\xBF\xBD]" },
		{ EXACT ",\"extract\":[{\"regex\":\"is (\\\\w+)\"}]", "\"Oslo\"", "It is Oslo.", "1 [Oslo]" },
		{ EXACT ",\"extract\":[{\"regex\":\"is (\\\\w+)\"}]", "\"Oslo\"", "Oslo",
		  "0 [] extraction step 1 (regex) finds nothing" },
		{ EXACT ",\"extract\":[\"first\",{\"strip\":\".*\"}]", "\"Oslo\"", "\n**Oslo.**\nIndeed.", "1 [Oslo]" },
		{ EXACT ",\"extract\":[{\"regex\":\"^(a+)+$\"}]", "\"x\"", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!",
		  "missing regex_limit extraction step 1 (regex): pattern: too much backtracking on a text of 41 "
		  "bytes, the "
		  "search was given up (make the pattern more exact)" },
	};
	expect_rows(*state, rows, ARRAY_LEN(rows), NULL);
}

#define INCLUDES "\"type\":\"includes\""
#define PREFIX "\"type\":\"prefix\""

static void includes_and_prefix_find_the_target_in_the_answer(void **state)
{
	static const struct row rows[] = {
		{ INCLUDES, "\"Oslo\"", "It is Oslo.", "1 [Oslo]" },
		{ INCLUDES, "\"Oslo\"", "It is oslo.", "0 []" },
		{ INCLUDES FOLD, "\"Oslo\"", "It is oslo.", "1 [Oslo]" },
		{ INCLUDES, "[\"Rome\",\"Oslo\"]", "It is Oslo.", "1 [Oslo] target 2 matches" },
		{ INCLUDES, "\"art\"", "a party", "1 [art]" },
		{ INCLUDES ",\"words\":true", "\"art\"", "a party", "0 []" },
		{ INCLUDES ",\"words\":true", "\"art\"", "a party of art", "1 [art]" },
		{ INCLUDES ",\"words\":true", "\"art\"", "arts", "0 []" },
		{ INCLUDES ",\"words\":true", "\"art\"", "part", "0 []" },
		{ INCLUDES ",\"words\":true", "\"art\"", "art_1", "0 []" },
		{ INCLUDES ",\"words\":true", "\"art\"", "art\xC3\xA9", "0 []" },
		{ INCLUDES ",\"words\":true", "\"art\"", "art", "1 [art]" },
		{ INCLUDES ",\"words\":true", "\"C++\"", "in C++, of course", "1 [C++]" },
		{ INCLUDES, "\"\"", "x", "missing bad_target target 1 is neither text nor a number, or it is empty" },
		{ INCLUDES ",\"normalize\":[\"strip_punctuation\"]", "\"...\"", "x",
		  "missing bad_target nothing is left of target 1 after normalisation" },
		{ PREFIX, "\"Yes\"", " Yes, indeed", "1 [Yes]" },
		{ PREFIX, "\"Yes\"", "Oh Yes", "0 []" },
		{ PREFIX, "\"Yes\"", "Ye", "0 []" },
		{ PREFIX, "[\"No\",\"Oh\"]", "Oh Yes", "1 [Oh] target 2 matches" },
		{ PREFIX, "\"\"", "x", "missing bad_target target 1 is neither text nor a number, or it is empty" },
	};
	expect_rows(*state, rows, ARRAY_LEN(rows), NULL);
}

#define REGEX "\"type\":\"regex\""

static void regex_searches_with_its_own_pattern_or_the_target(void **state)
{
	static const struct row rows[] = {
		{ REGEX ",\"pattern\":\"[0-9]{4}\"", NULL, "in 1969.", "1 [1969]" },
		{ REGEX ",\"pattern\":\"[0-9]{4}\"", NULL, "in 69.", "0 []" },
		{ REGEX ",\"pattern\":\"a|ab\",\"full\":true", NULL, "ab", "1 [ab]" },
		{ REGEX ",\"pattern\":\"a|ab\",\"full\":true", NULL, "abc", "0 []" },
		{ REGEX ",\"pattern\":\"ab\",\"full\":true", NULL, " ab\n", "1 [ab]" },
		{ REGEX ",\"pattern\":\"AB\",\"flags\":\"i\"", NULL, "xabx", "1 [ab]" },
		{ REGEX ",\"pattern\":\"AB\",\"flags\":\"i\",\"full\":true", NULL, "ab", "1 [ab]" },
		{ REGEX, "\"o+\"", "foo", "1 [oo]" },
		{ REGEX, "[\"x\",\"o+\"]", "foo", "1 [oo]" },
		{ REGEX, "\"z\"", "foo", "0 []" },
		{ REGEX, "\"(\"", "foo", NULL },
		{ REGEX, NULL, "foo", "missing no_target the item has no target" },
		{ REGEX ",\"full\":true", "\"fo|foo\"", "foo", "1 [foo]" },
		{ REGEX ",\"pattern\":\"^(a+)+$\"", NULL, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!",
		  "missing regex_limit pattern: too much backtracking on a text of 41 bytes, the search was given up "
		  "(make "
		  "the pattern more exact)" },
	};
	struct fixture *f = *state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].want)
			expect_rows(f, &rows[i], 1, NULL);
	struct score s = apply(f, REGEX, "\"(\"", NULL, STR("foo"));
	assert_false(s.has_value);
	assert_str_equal_c(s.reason, "bad_target");
	assert_true(str_starts(s.explanation, STR("target 1 is no pattern: ")));
}

#define NUMERIC "\"type\":\"numeric\""

static void numeric_compares_values_within_tolerance(void **state)
{
	static const struct row rows[] = {
		{ NUMERIC, "\"1200\"", "It is $1,200.", "1 [1,200]" },
		{ NUMERIC, "\"$1,200\"", "1200 dollars", "1 [1200]" },
		{ NUMERIC, "1200", "First 7, then 1200", "1 [1200]" },
		{ NUMERIC, "7", "First 7, then 1200", "0 [1200] off by 1193" },
		{ NUMERIC ",\"find\":\"first\"", "7", "First 7, then 1200", "1 [7]" },
		{ NUMERIC ",\"find\":\"only\"", "7", "7 apples", "1 [7]" },
		{ NUMERIC ",\"find\":\"only\"", "7", "It is 7", "0 [] the answer is not one number" },
		{ NUMERIC, "7", "seven", "0 [] no number in the answer" },
		{ NUMERIC, "0.3", "0.3", "1 [0.3]" },
		{ NUMERIC, "\"1/3\"", "0.333", "0 [0.333] off by 0.000333333" },
		{ NUMERIC ",\"abs_tol\":0.001", "\"1/3\"", "0.333", "1 [0.333]" },
		{ NUMERIC ",\"abs_tol\":0.5", "10", "10.5", "1 [10.5]" },
		{ NUMERIC ",\"abs_tol\":0.5", "10", "9.5", "1 [9.5]" },
		{ NUMERIC ",\"abs_tol\":0.5", "10", "10.51", "0 [10.51] off by 0.51" },
		{ NUMERIC ",\"rel_tol\":0.1", "-100", "-110", "1 [-110]" },
		{ NUMERIC ",\"rel_tol\":0.1", "-100", "-111", "0 [-111] off by 11" },
		{ NUMERIC ",\"rel_tol\":0.1,\"abs_tol\":20", "-100", "-111", "1 [-111]" },
		{ NUMERIC, "50", "50%", "1 [50]" },
		{ NUMERIC ",\"ignore\":[\"commas\"]", "0.5", "50%", "1 [50]" },
		{ NUMERIC ",\"ignore\":[]", "\"234\"", "1,234", "1 [234]" },
		{ NUMERIC ",\"ignore\":[\"commas\"]", "5", "$5", "0 [] no number in the answer" },
		{ NUMERIC ",\"ignore\":[\"commas\"]", "5", "5kg", "0 [] no number in the answer" },
		{ NUMERIC, "[1,2,\"3\"]", "3", "1 [3]" },
		{ NUMERIC, "[1,20]", "15", "0 [15] off by 5" },
		{ NUMERIC, "\"abc\"", "3", "missing bad_target target 1 is not one number" },
		{ NUMERIC, "\"3 or 4\"", "3", "missing bad_target target 1 is not one number" },
		{ NUMERIC, "true", "3", "missing bad_target target 1 is not one number" },
		{ NUMERIC, NULL, "3", "missing no_target the item has no target" },
		{ NUMERIC ",\"extract\":[\"last_number\"]", "3", "$-3 or so", "0 [-3] off by 6" },
		{ NUMERIC ",\"extract\":[\"first\"]", "3", "3\n4", "1 [3]" },
	};
	expect_rows(*state, rows, ARRAY_LEN(rows), NULL);
}

#define CHOICE "\"type\":\"choice\""

static void choice_knows_letters_and_texts(void **state)
{
	struct fixture *f = *state;
	static const struct row with_texts[] = {
		{ CHOICE, "\"B\"", "The answer is B.", "1 [London] the declared answer: London" },
		{ CHOICE, "\"b\"", "(B)", "1 [London] the whole answer: London" },
		{ CHOICE, "\"(B)\"", "(B)", "1 [London] the whole answer: London" },
		{ CHOICE, "\"london\"", "B", "1 [London] the whole answer: London" },
		{ CHOICE, "\"A\"", "B", "0 [London] the whole answer: London" },
		{ CHOICE, "[\"A\",\"London\"]", "B", "1 [London] the whole answer: London" },
		{ CHOICE, "\"A\"", "A or B", "0 [] ambiguous, several choices are mentioned: 'Paris' and 'London'" },
		{ CHOICE, "\"A\"", "I do not know.", "0 [] no choice is named" },
		{ CHOICE, "\"C\"", "A", "missing bad_target target 1 names none of the choices" },
		{ CHOICE, "\"Rome\"", "A", "missing bad_target target 1 names none of the choices" },
		{ CHOICE, "0", "A", "missing bad_target target 1 names none of the choices" },
		{ CHOICE ",\"letters\":false", "\"Paris\"", "A", "0 [] no choice is named" },
		{ CHOICE ",\"choices\":[\"x\",\"y\"]", "\"A\"", "Paris", "1 [Paris] the whole answer: Paris" },
		{ CHOICE ",\"extract\":[\"first\"]", "\"A\"", "A\nB", "1 [Paris] the whole answer: Paris" },
	};
	expect_rows(f, with_texts, ARRAY_LEN(with_texts), "[\"Paris\",\"London\"]");
	static const struct row without[] = {
		{ CHOICE ",\"choices\":8", "\"G\"", "G", "1 [G] the whole answer: G" },
		{ CHOICE ",\"choices\":8", "\"G\"", "H.", "0 [H] the whole answer: H" },
		{ CHOICE ",\"choices\":4", "\"G\"", "G", "missing bad_target target 1 names none of the choices" },
		{ CHOICE ",\"choices\":[\"net\",\"web\"]", "\"web\"", "Section: web", NULL },
		{ CHOICE, "\"G\"", "G", "missing no_choices the item has no usable choices" },
	};
	for (size_t i = 0; i < ARRAY_LEN(without); i++)
		if (without[i].want)
			expect_rows(f, &without[i], 1, NULL);
	struct score s = apply(f, without[3].scorer, without[3].target, NULL, str_from(without[3].answer));
	assert_true(s.has_value && s.value == 1);
	s = apply(f, CHOICE, "\"paris\"", "[\"Paris\",\"paris\"]", STR("B"));
	assert_true(s.has_value && s.value == 1);
	static const char *const bad[] = { "[]", "[\"one\"]", "[\"one\",2]", "\"one\"", "{}" };
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		s = apply(f, CHOICE, "\"A\"", bad[i], STR("A"));
		assert_str_equal_c(s.reason, "no_choices");
	}
	s = apply(f, CHOICE, "\"A\"", "[\"\\u001b[2J\",\"x\"]", STR("A"));
	assert_str_equal_c(s.explanation, "the whole answer: \\x1b[2J");
}

static void what_is_kept_of_an_answer_is_bounded(void **state)
{
	struct fixture *f = *state;
	struct buf text;
	buf_init(&text, 1 << 20);
	for (int i = 0; i < 3000; i++)
		buf_append_c(&text, "\xC3\xA9");
	struct score s = apply(f, EXACT, "\"x\"", NULL, buf_str(&text));
	assert_int_equal(s.extracted.len, SCORE_EXTRACTED_BYTES_MAX);
	buf_append_c(&text, "x");
	s = apply(f, EXACT ",\"extract\":[{\"regex\":\"(?s).(.*)\"}]", "\"x\"", NULL, buf_str(&text));
	assert_int_equal(s.extracted.len, SCORE_EXTRACTED_BYTES_MAX);
	buf_done(&text);
	s = apply(f, EXACT, "\"a\\u0000b\"", NULL, STR("a\0b"));
	assert_true(s.has_value && s.value == 1);
	assert_str_equal(s.extracted, STR("a\0b"));
}

static void an_answer_over_the_limit_is_missing_and_not_wrong(void **state)
{
	struct fixture *f = *state;
	char *text = mem_new((size_t)SCORE_TEXT_BYTES_MAX + 1, 1);
	memset(text, 'a', (size_t)SCORE_TEXT_BYTES_MAX + 1);
	struct score s = apply(f, EXACT, "\"a\"", NULL, str_make(text, (size_t)SCORE_TEXT_BYTES_MAX + 1));
	assert_false(s.has_value);
	assert_str_equal_c(s.reason, "too_long");
	s = apply(f, EXACT, "\"a\"", NULL, str_make(text, SCORE_TEXT_BYTES_MAX));
	assert_true(s.has_value && s.value == 0);
	mem_free(text);
}

static void a_full_arena_costs_the_words_and_not_the_value(void **state)
{
	struct fixture *f = *state;
	struct arena whole = f->arena;
	arena_init(&f->arena, 0);
	struct score s = apply(f, EXACT, "[\"y\",\"x\"]", NULL, STR("x"));
	assert_true(s.has_value && s.value == 1);
	assert_int_equal(s.extracted.len + s.explanation.len, 0);
	arena_done(&f->arena);
	f->arena = whole;
}

static void refusals_are_told_by_their_opening(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		bool want;
	} rows[] = {
		{ "I'm sorry, but I can't help with that.", true },
		{ "I\xE2\x80\x99m sorry, but I can\xE2\x80\x99t assist with that request.", true },
		{ "**Sorry**, I cannot provide that.", true },
		{ "I cannot in good conscience provide this.", true },
		{ "I won't write that.", true },
		{ "As an AI language model, I don't have personal opinions.", true },
		{ "Unfortunately, I am unable to assist you with this.", true },
		{ "I appreciate the question, but I must decline to answer.", true },
		{ "I'm sorry,\nbut\tI can't\r\nhelp with that.", true },
		{ "I'm sorry to hear that your card was declined. Let's look at it.", false },
		{ "I'm sorry, I can't find that order; what is its number?", false },
		{ "I can't believe how good this is.", false },
		{ "As an AIRLINE you must refund.", false },
		{ "The answer is B.", false },
		{ "Sorry", false },
		{ "", false },
		{ "He said: I'm sorry, but I can't help with that.", false },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (score_refused(str_from(rows[i].text)) != rows[i].want)
			fail_msg("'%s' was %staken for a refusal", rows[i].text, rows[i].want ? "not " : "");
}

int main(void)
{
	json_start();
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(exact_is_equality_after_normalisation, setup, teardown),
		cmocka_unit_test_setup_teardown(includes_and_prefix_find_the_target_in_the_answer, setup, teardown),
		cmocka_unit_test_setup_teardown(regex_searches_with_its_own_pattern_or_the_target, setup, teardown),
		cmocka_unit_test_setup_teardown(numeric_compares_values_within_tolerance, setup, teardown),
		cmocka_unit_test_setup_teardown(choice_knows_letters_and_texts, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_kept_of_an_answer_is_bounded, setup, teardown),
		cmocka_unit_test_setup_teardown(an_answer_over_the_limit_is_missing_and_not_wrong, setup, teardown),
		cmocka_unit_test_setup_teardown(a_full_arena_costs_the_words_and_not_the_value, setup, teardown),
		cmocka_unit_test(refusals_are_told_by_their_opening),
	};
	return cmocka_run_group_tests_name("score apply", tests, NULL, NULL);
}
