/* Goal: any answer to any item gets a finite value or a known reason, the same each time; a choice is read alike
 * however it is dressed and in whatever order the choices stand; normalised text stays as it is when normalised again.
 */
#include "common/base/rng.h"
#include "common/base/unicode.h"
#include "tests/support/cmocka_all.h"
#include "worker/score/choice.h"
#include "worker/score/normalize.h"
#include "worker/score/number.h"
#include "worker/score/score.h"
#include <math.h>
#include <stdio.h>

static const char *const pieces[] = { "Answer: ",
	                              "The answer is ",
	                              "(A)",
	                              "B",
	                              "Paris",
	                              "London",
	                              "New York",
	                              " or ",
	                              "\n",
	                              "**",
	                              "`",
	                              "```",
	                              "$1,234.5",
	                              "-3",
	                              "50%",
	                              "1/2",
	                              "not ",
	                              "is correct",
	                              "is wrong",
	                              "\xED\xA0\x80",
	                              "\xF0\x9F\x98\x80",
	                              "\xEF\xBC\xA1",
	                              "\xC3\xA9",
	                              " ",
	                              "\\boxed{",
	                              "}",
	                              "I ",
	                              "A ",
	                              "<think>",
	                              "I'm sorry, I can't help",
	                              ".",
	                              ",",
	                              "aaaaaaaaaaaaaaaaaaaaaaaaaa!",
	                              "'",
	                              "\"" };

static void random_answer(struct rng *r, struct buf *out)
{
	buf_clear(out);
	for (uint64_t n = rng_below(r, 30); n > 0; n--) {
		if (rng_below(r, 5) == 0)
			buf_append_char(out, (char)rng_below(r, 256));
		else
			buf_append_c(out, pieces[rng_below(r, ARRAY_LEN(pieces))]);
	}
}

static struct json_doc *parse(const char *json)
{
	struct json_doc *doc;
	struct error error;
	assert_ok(json_parse(str_from(json), &doc, &error), &error);
	return doc;
}

static const char scorers[] =
	"[{\"type\":\"exact\",\"normalize\":[\"casefold\",\"strip_punctuation\",\"strip_articles\",\"collapse_space\"]}"
	","
	"{\"type\":\"includes\",\"words\":true},{\"type\":\"prefix\",\"extract\":[\"fence\",\"first\"]},"
	"{\"type\":\"regex\",\"pattern\":\"^(a+)+$\",\"flags\":\"m\"},{\"name\":\"r2\",\"type\":\"regex\",\"full\":"
	"true},"
	"{\"type\":\"numeric\",\"rel_tol\":0.01,\"ignore\":[\"commas\",\"units\"]},"
	"{\"name\":\"n2\",\"type\":\"numeric\",\"find\":\"only\"},{\"type\":\"choice\"},"
	"{\"name\":\"c2\",\"type\":\"choice\",\"letters\":false,\"extract\":[{\"regex\":{\"pattern\":\"answer is "
	"(.*)\",\"flags\":"
	"\"i\",\"match\":\"last\"}},{\"strip\":\"*.\"}]}]";

static bool is_reason(struct str s)
{
	static const char *const reasons[] = { "regex_limit", "no_target", "bad_target", "no_choices", "too_long" };
	for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
		if (str_eq_c(s, reasons[i]))
			return true;
	return false;
}

static void any_answer_gets_a_value_or_a_reason_and_the_same_again(void **state)
{
	(void)state;
	static const char *const targets[] = {
		"\"Paris\"", "\"A\"", "[\"B\",\"London\"]", "1234.5",    "\"-3\"",  "true",   "\"\"",
		"null",      "[]",    "\"(a|b)*c\"",        "{\"a\":1}", "\"50%\"", "\"aa(\""
	};
	static const char *const choices[] = { "[\"Paris\",\"London\",\"New York\"]", "null", "[\"B\",\"A\"]",
		                               "[\"\",\"?\"]", "[\"1\",\"-3\",\"1/2\"]" };
	struct json_doc *scores = parse(scorers);
	struct score_set *set;
	struct error error;
	struct arena arena;
	struct buf answer;
	assert_ok(score_compile(json_root(scores), &set, &error), &error);
	arena_init(&arena, 1 << 20);
	buf_init(&answer, 1 << 16);
	for (uint64_t seed = 1; seed <= 2000; seed++) {
		struct rng r;
		rng_seed(&r, seed);
		random_answer(&r, &answer);
		struct json_doc *target = parse(targets[rng_below(&r, ARRAY_LEN(targets))]);
		struct json_doc *choice = parse(choices[rng_below(&r, ARRAY_LEN(choices))]);
		struct score_item item = { .target = json_root(target), .choices = json_root(choice) };
		for (size_t i = 0; i < score_count(set); i++) {
			struct score s, again;
			arena_reset(&arena);
			score_apply(set, i, buf_str(&answer), &item, &arena, &s);
			score_apply(set, i, buf_str(&answer), &item, &arena, &again);
			bool sound = s.has_value ? (s.value == 0 || s.value == 1) && s.reason.len == 0
			                         : is_reason(s.reason) && s.extracted.len == 0;
			if (!sound || !unicode_valid(s.extracted) || !unicode_valid(s.explanation) ||
			    s.explanation.len > SCORE_EXPLANATION_BYTES_MAX)
				fail_msg("seed %llu scorer %zu: unsound", (unsigned long long)seed, i);
			if (s.has_value != again.has_value || (s.has_value && s.value != again.value) ||
			    !str_eq(s.extracted, again.extracted) || !str_eq(s.explanation, again.explanation))
				fail_msg("seed %llu scorer %zu: not the same again", (unsigned long long)seed, i);
		}
		(void)score_refused(buf_str(&answer)); /* must merely live */
		json_free(target);
		json_free(choice);
	}
	buf_done(&answer);
	arena_done(&arena);
	score_free(set);
	json_free(scores);
}

static const struct str names[] = { STR_INIT("lost card"),     STR_INIT("card arrival"), STR_INIT("change pin"),
	                            STR_INIT("exchange rate"), STR_INIT("declined"),     STR_INIT("top up failed"),
	                            STR_INIT("terminate"),     STR_INIT("card") };

static void shuffle(struct rng *r, struct str *texts, size_t count)
{
	for (size_t i = count; i > 1; i--) {
		size_t j = rng_below(r, i);
		struct str kept = texts[i - 1];
		texts[i - 1] = texts[j];
		texts[j] = kept;
	}
}

static void fill(const char *pattern, struct str value, struct buf *out)
{
	for (; *pattern; pattern++) {
		if (*pattern == '@')
			buf_append_str(out, value);
		else
			buf_append_char(out, *pattern);
	}
}

/* The ways in which models were seen to say one choice; @ is its letter or its text. */
static void dress(struct rng *r, char letter, struct str text, struct buf *out)
{
	static const char *const by_letter[] = { "@",
		                                 "(@)",
		                                 "@.",
		                                 "**@**",
		                                 "Answer: @",
		                                 "The answer is @.",
		                                 "answer: **@**",
		                                 "I would choose (@).",
		                                 "@\n",
		                                 "The correct option is @, as it fits.",
		                                 "\\boxed{@}",
		                                 "{\"answer\": \"@\"}",
		                                 "Thinking about it...\n\n@" };
	static const char *const by_text[] = {
		"@", "@.", "\"@\"", "The answer is @.", "Category: @", "It is about @", "**@**"
	};
	static const char *const openings[] = { "@) ", "(@) ", "@. ", "(@). ", "**@)** ", "@: " };
	buf_clear(out);
	switch (rng_below(r, 3)) {
	case 0:
		fill(by_letter[rng_below(r, ARRAY_LEN(by_letter))], str_make(&letter, 1), out);
		break;
	case 1:
		fill(by_text[rng_below(r, ARRAY_LEN(by_text))], text, out);
		break;
	default:
		fill(openings[rng_below(r, ARRAY_LEN(openings))], str_make(&letter, 1), out);
		buf_append_str(out, text);
		buf_append_c(out, rng_below(r, 2) ? "." : "");
		break;
	}
}

static void a_choice_is_read_however_it_is_dressed_and_wherever_it_stands(void **state)
{
	(void)state;
	struct buf answer;
	buf_init(&answer, 1000);
	for (uint64_t seed = 1; seed <= 2000; seed++) {
		struct rng r;
		struct str texts[ARRAY_LEN(names)];
		struct choice_list list;
		rng_seed(&r, seed);
		memcpy(texts, names, sizeof(names));
		shuffle(&r, texts, ARRAY_LEN(texts));
		size_t count = 2 + rng_below(&r, ARRAY_LEN(texts) - 1), want = rng_below(&r, count);
		assert_true(choice_list_init(&list, texts, count, true));
		dress(&r, (char)('A' + want), texts[want], &answer);
		struct choice_reading reading = choice_read(&list, buf_str(&answer));
		if (reading.verdict != CHOICE_ONE || reading.index != want)
			fail_msg("seed %llu: '%s' was not read as %c. %.*s but %d %zu (%s)", (unsigned long long)seed,
			         answer.data, (char)('A' + want), STR_ARG(texts[want]), (int)reading.verdict,
			         reading.index, reading.how);
		choice_list_done(&list);
	}
	buf_done(&answer);
}

static void normalising_twice_changes_nothing_more(void **state)
{
	(void)state;
	struct buf once, twice, scratch, text, repaired;
	struct buf *const all[] = { &once, &twice, &scratch, &text, &repaired };
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		buf_init(all[i], 1 << 16);
	for (uint64_t seed = 1; seed <= 2000; seed++) {
		struct rng r;
		rng_seed(&r, seed);
		random_answer(&r, &text);
		buf_clear(&repaired);
		assert_true(unicode_repair(buf_str(&text), &repaired, NULL));
		for (size_t step = 0; step < NORMALIZE_STEP_COUNT; step++) {
			enum normalize_step one = (enum normalize_step)step;
			assert_true(normalize_apply(buf_str(&repaired), &one, 1, &once, &scratch));
			assert_true(unicode_valid(buf_str(&once)));
			assert_true(normalize_apply(buf_str(&once), &one, 1, &twice, &scratch));
			if (!str_eq(buf_str(&once), buf_str(&twice)))
				fail_msg("seed %llu: %s of '%s' is '%s' and then '%s'", (unsigned long long)seed,
				         normalize_step_name(one), repaired.data, once.data, twice.data);
		}
	}
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		buf_done(all[i]);
}

/* Writes a value as people write it. */
static void write_number(struct rng *r, int64_t whole, struct buf *out)
{
	char digits[32];
	int len = snprintf(digits, sizeof(digits), "%lld", (long long)(whole < 0 ? -whole : whole));
	bool commas = rng_below(r, 2), dollar = rng_below(r, 2);
	buf_append_c(out, whole < 0 ? "-" : "");
	buf_append_c(out, dollar ? "$" : "");
	for (int i = 0; i < len; i++) {
		if (commas && i > 0 && (len - i) % 3 == 0)
			buf_append_char(out, ',');
		buf_append_char(out, digits[i]);
	}
	if (rng_below(r, 2))
		buf_append_c(out, rng_below(r, 2) ? ".00" : ".0");
}

static void a_number_is_read_however_people_write_it(void **state)
{
	(void)state;
	static const char *const before[] = { "", "It is ", "= ", "(", "**", "#### ", "A: ", "from 5 to " };
	static const char *const after[] = { "", ".", " dollars.", "%", ")", "**", "\n", ", I think." };
	const unsigned any = NUMBER_COMMAS | NUMBER_CURRENCY | NUMBER_PERCENT | NUMBER_UNITS;
	struct buf text;
	buf_init(&text, 1000);
	for (uint64_t seed = 1; seed <= 2000; seed++) {
		struct rng r;
		struct number n = { .value = NAN };
		rng_seed(&r, seed);
		int64_t whole = (int64_t)rng_below(&r, 1u << rng_below(&r, 31)) * (rng_below(&r, 2) ? 1 : -1);
		buf_clear(&text);
		buf_append_c(&text, before[rng_below(&r, ARRAY_LEN(before))]);
		write_number(&r, whole, &text);
		buf_append_c(&text, after[rng_below(&r, ARRAY_LEN(after))]);
		if (!number_last(buf_str(&text), any, &n) || n.value != (double)whole)
			fail_msg("seed %llu: '%s' was read as %g, not %lld", (unsigned long long)seed, text.data,
			         n.value, (long long)whole);
	}
	buf_done(&text);
}

int main(void)
{
	json_start();
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_answer_gets_a_value_or_a_reason_and_the_same_again),
		cmocka_unit_test(a_choice_is_read_however_it_is_dressed_and_wherever_it_stands),
		cmocka_unit_test(normalising_twice_changes_nothing_more),
		cmocka_unit_test(a_number_is_read_however_people_write_it),
	};
	return cmocka_run_group_tests_name("scores", tests, NULL, NULL);
}
