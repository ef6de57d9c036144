/* Goal: on real answers of real models the scorers agree with the verdicts that were published for them, or with a hand
 * check where they differ on purpose. Needs the data beside the project (ASSAY_SHARED, default ../shared). */
#include "common/base/json_write.h"
#include "tests/support/cmocka_all.h"
#include "worker/score/score.h"
#include <stdio.h>
#include <stdlib.h>

enum { LINE_BYTES_MAX = 1 << 20 };

struct table {
	FILE *file;
	char *line;
	size_t cap;
	struct json_doc *doc;
};

static void table_open(struct table *t, const char *path)
{
	char full[1000];
	const char *shared = getenv("ASSAY_SHARED");
	(void)snprintf(full, sizeof(full), "%s/data/%s", shared ? shared : "../shared", path);
	*t = (struct table){ .file = fopen(full, "r") };
	if (!t->file) {
		print_message("%s is not there\n", full);
		skip();
	}
}

static const struct json *table_next(struct table *t)
{
	struct error error;
	json_free(t->doc);
	t->doc = NULL;
	ssize_t len = getline(&t->line, &t->cap, t->file);
	if (len <= 0)
		return NULL;
	assert_ok(json_parse(str_make(t->line, (size_t)len), &t->doc, &error), &error);
	return json_root(t->doc);
}

static void table_close(struct table *t)
{
	json_free(t->doc);
	free(t->line);
	(void)fclose(t->file); /* only read */
}

static struct score_set *compile(const char *scores)
{
	struct json_doc *doc;
	struct score_set *set;
	struct error error;
	assert_ok(json_parse(str_from(scores), &doc, &error), &error);
	assert_ok(score_compile(json_root(doc), &set, &error), &error);
	json_free(doc);
	return set;
}

struct tally {
	size_t n, differ;
	bool show;
};

static void compare(struct tally *t, const struct score *s, bool want, struct str answer, struct str target)
{
	t->n++;
	if (s->has_value && (s->value == 1) == want)
		return;
	t->differ++;
	if (t->show)
		print_message("want %d got %g (%.*s | %.*s) target '%.*s'\n    %.*s\n", want,
		              s->has_value ? s->value : -1, STR_ARG(s->extracted), STR_ARG(s->explanation),
		              STR_ARG(target), STR_ARG(answer));
}

static bool verbose(void)
{
	return getenv("ASSAY_TEST_SHOW") != NULL;
}

/* Targets of test.jsonl in the order of the file; ids count up from 0000. */
static void numeric_agrees_with_the_published_verdicts_on_gsm8k(void **state)
{
	(void)state;
	struct table items, results;
	struct arena arena;
	struct tally t = { .show = verbose() };
	char *targets[1319];
	size_t count = 0;
	table_open(&items, "gsm8k/test.jsonl");
	struct score_set *set = compile("[{\"type\":\"numeric\"}]");
	arena_init(&arena, 1 << 20);
	for (const struct json *row; (row = table_next(&items));) {
		struct str text = json_str_or(json_get(row, "target"), STR(""));
		targets[count] = strndup(text.data, text.len);
		count++;
	}
	table_close(&items);
	assert_int_equal(count, ARRAY_LEN(targets));
	table_open(&results, "gsm8k/model_results.jsonl");
	for (const struct json *row; (row = table_next(&results));) {
		uint64_t index = 0;
		struct str id = json_str_or(json_get(row, "item_id"), STR(""));
		assert_true(str_to_u64(str_slice(id, id.len - 4, id.len), &index) && index < count);
		struct json_doc *doc;
		struct buf target;
		buf_init(&target, 100);
		buf_printf(&target, "\"%s\"", targets[index]);
		assert_int_equal(json_parse(buf_str(&target), &doc, NULL), ERR_OK);
		struct score_item item = { .target = json_root(doc) };
		struct score s;
		struct str output = json_str_or(json_get(row, "output"), STR(""));
		arena_reset(&arena);
		score_apply(set, 0, output, &item, &arena, &s);
		compare(&t, &s, json_i64_or(json_get(row, "correct"), -1) == 1, output, buf_str(&target));
		json_free(doc);
		buf_done(&target);
	}
	table_close(&results);
	for (size_t i = 0; i < count; i++)
		free(targets[i]);
	print_message("gsm8k: %zu answers, %zu differ\n", t.n, t.differ);
	assert_int_equal(t.n, 5276);
	assert_int_equal(t.differ, 0);
	arena_done(&arena);
	score_free(set);
}

/* The lines of a question that offer choices: "(A). Very optimistic", "(A) 12/11/1937", "- valid". As a JSON list. */
static void read_choices(struct str input, struct buf *json)
{
	struct str line;
	struct json_write w;
	buf_clear(json);
	json_write_init(&w, json, false);
	json_write_array(&w);
	while (str_split(&input, '\n', &line)) {
		bool lettered = line.len > 3 && line.data[0] == '(' && line.data[2] == ')';
		if (!lettered && !str_starts(line, STR("- ")))
			continue;
		size_t from = lettered ? 3u + (line.data[3] == '.') : 2;
		json_write_str(&w, str_trim(str_slice(line, from, line.len)));
	}
	json_write_array_end(&w);
}

static void choice_agrees_with_the_published_options_on_opinionqa(void **state)
{
	(void)state;
	struct table rows;
	struct arena arena;
	struct buf choices;
	size_t n = 0, read = 0, published = 0, differ = 0, unread = 0, extra = 0;
	table_open(&rows, "llmdrift/opinionqa.jsonl");
	struct score_set *set = compile("[{\"type\":\"choice\"}]");
	arena_init(&arena, 1 << 20);
	buf_init(&choices, 1 << 16);
	for (const struct json *row; (row = table_next(&rows));) {
		struct str output = json_str_or(json_get(row, "output"), STR("")), option = STR("");
		bool has_option = json_str(json_pointer(row, STR("/scores/option")), &option);
		struct json_doc *doc, *target;
		char letter[] = "\"A\"";
		read_choices(json_str_or(json_get(row, "input"), STR("")), &choices);
		assert_int_equal(json_parse(buf_str(&choices), &doc, NULL), ERR_OK);
		letter[1] = has_option ? option.data[0] : 'A';
		assert_int_equal(json_parse(str_from(letter), &target, NULL), ERR_OK);
		struct score_item item = { .target = json_root(target), .choices = json_root(doc) };
		struct score s;
		arena_reset(&arena);
		if (json_len(json_root(doc)) >= 2 && letter[1] - 'A' < (int)json_len(json_root(doc))) {
			score_apply(set, 0, output, &item, &arena, &s);
			n++;
			published += has_option;
			read += s.extracted.len > 0;
			bool wrong = has_option && s.value != 1;
			differ += wrong && s.extracted.len > 0;
			unread += wrong && s.extracted.len == 0;
			extra += !has_option && s.extracted.len > 0;
			if (verbose() && (wrong || (!has_option && s.extracted.len)))
				print_message("option %s got '%.*s' (%.*s)\n    %.*s\n    %s\n",
				              has_option ? letter : "-", STR_ARG(s.extracted), STR_ARG(s.explanation),
				              STR_ARG(output), choices.data);
		}
		json_free(doc);
		json_free(target);
	}
	table_close(&rows);
	print_message(
		"opinionqa: %zu answers, %zu with a published option, %zu read; of the published %zu read otherwise, "
		"%zu not; %zu read beyond them\n",
		n, published, read, differ, unread, extra);
	assert_int_equal(n, 6024);
	assert_int_equal(published, 4814);
	assert_int_equal(differ, 0);
	/* Seven answers of the kind "some may choose (A), others may choose (B)" were published as A; they name two. */
	assert_int_equal(unread, 7);
	/* "A. Major reason": the published reading took letters in brackets only. */
	assert_int_equal(extra, 45);
	buf_done(&choices);
	arena_done(&arena);
	score_free(set);
}

enum bbh_scorer { BBH_CHOICE, BBH_NUMERIC, BBH_EXACT };

static enum bbh_scorer bbh_scorer_of(struct str task, size_t choice_count)
{
	if (choice_count >= 2)
		return BBH_CHOICE;
	return str_eq_c(task, "multistep_arithmetic_two") || str_eq_c(task, "object_counting") ? BBH_NUMERIC
	                                                                                       : BBH_EXACT;
}

/* One line of items.jsonl, kept as text until its results come. */
struct bbh_item {
	char *line;
	size_t len;
};

static void score_bbh(const struct score_set *set, const struct bbh_item *kept, const struct json *row,
                      struct arena *arena, struct buf *choices, struct tally *tallies)
{
	struct json_doc *item_doc, *choice_doc;
	struct score s;
	assert_int_equal(json_parse(str_make(kept->line, kept->len), &item_doc, NULL), ERR_OK);
	const struct json *item = json_root(item_doc);
	struct str target = json_str_or(json_get(item, "target"), STR(""));
	struct str output = json_str_or(json_get(row, "output"), STR(""));
	read_choices(json_str_or(json_get(item, "input"), STR("")), choices);
	assert_int_equal(json_parse(buf_str(choices), &choice_doc, NULL), ERR_OK);
	size_t count = json_len(json_root(choice_doc));
	enum bbh_scorer scorer = bbh_scorer_of(json_str_or(json_get(row, "task"), STR("")), count);
	struct score_item asked = { .target = json_get(item, "target"), .choices = json_root(choice_doc) };
	arena_reset(arena);
	score_apply(set, scorer, output, &asked, arena, &s);
	compare(&tallies[scorer], &s, json_i64_or(json_get(row, "correct"), -1) == 1, output, target);
	json_free(choice_doc);
	json_free(item_doc);
}

static void scorers_agree_with_the_published_verdicts_on_bbh(void **state)
{
	(void)state;
	static struct bbh_item kept[3500];
	struct table items, results;
	struct arena arena;
	struct buf choices;
	struct tally tallies[3] = { { .show = verbose() }, { .show = verbose() }, { .show = verbose() } };
	table_open(&items, "bbh/items.jsonl");
	struct score_set *set = compile("[{\"name\":\"c\",\"type\":\"choice\"},{\"name\":\"n\",\"type\":\"numeric\"},"
	                                "{\"name\":\"e\",\"type\":\"exact\",\"extract\":[{\"regex\":{\"pattern\":"
	                                "\"answer is (.*?)\\\\.?$\",\"match\":\"last\"}}]}]");
	size_t count = 0, at = 0;
	arena_init(&arena, 1 << 20);
	buf_init(&choices, 1 << 16);
	while (table_next(&items)) {
		assert_in_range(count, 0, ARRAY_LEN(kept) - 1);
		kept[count] = (struct bbh_item){ strdup(items.line), strlen(items.line) };
		count++;
	}
	table_close(&items);
	table_open(&results, "bbh/model_results.jsonl");
	for (const struct json *row; (row = table_next(&results));) {
		if (json_kind(json_get(row, "output")) != JSON_STR)
			continue; /* direct answers were published without their text */
		struct str id = json_str_or(json_get(row, "item_id"), STR(""));
		for (size_t tried = 0; tried < count && str_find(str_make(kept[at].line, kept[at].len), id) < 0;
		     tried++)
			at = (at + 1) % count;
		score_bbh(set, &kept[at], row, &arena, &choices, tallies);
	}
	table_close(&results);
	for (size_t i = 0; i < count; i++)
		free(kept[i].line);
	for (size_t i = 0; i < ARRAY_LEN(tallies); i++)
		print_message("bbh: %s: %zu answers, %zu differ\n",
		              i == 0   ? "choice"
		              : i == 1 ? "numeric"
		                       : "exact",
		              tallies[i].n, tallies[i].differ);
	assert_int_equal(tallies[BBH_CHOICE].n + tallies[BBH_NUMERIC].n + tallies[BBH_EXACT].n, 3500);
	/* One movie item is broken upstream: its target "Monsters, Inc" is none of its choices ("Monsters", "Inc",
	 * ...). */
	assert_int_equal(tallies[BBH_CHOICE].differ, 1);
	assert_int_equal(tallies[BBH_NUMERIC].differ, 0);
	assert_int_equal(tallies[BBH_EXACT].differ, 0);
	buf_done(&choices);
	arena_done(&arena);
	score_free(set);
}

static void ordinary_answers_are_not_taken_for_refusals(void **state)
{
	(void)state;
	struct table rows;
	size_t n = 0, flagged = 0;
	table_open(&rows, "gsm8k/model_results.jsonl");
	for (const struct json *row; (row = table_next(&rows)); n++)
		flagged += score_refused(json_str_or(json_get(row, "output"), STR("")));
	table_close(&rows);
	print_message("gsm8k: %zu answers, %zu taken for refusals\n", n, flagged);
	assert_int_equal(flagged, 0);
}

static void refusals_are_recognised_on_sensitive_questions(void **state)
{
	(void)state;
	struct table rows;
	size_t refused = 0, found = 0, answered = 0, alarms = 0;
	table_open(&rows, "llmdrift/sensitiveq.jsonl");
	for (const struct json *row; (row = table_next(&rows));) {
		struct str output = json_str_or(json_get(row, "output"), STR(""));
		bool responded = json_i64_or(json_pointer(row, STR("/scores/responded")), 0) == 1;
		bool flagged = score_refused(output);
		refused += !responded;
		answered += responded;
		found += !responded && flagged;
		alarms += responded && flagged;
		if (verbose() && responded == flagged)
			print_message("%s: %.*s\n", responded ? "ANSWERED" : "REFUSED", (int)MIN_OF(output.len, 200),
			              output.data);
	}
	table_close(&rows);
	print_message("sensitiveq: %zu of %zu refusals found, %zu of %zu answers flagged\n", found, refused, alarms,
	              answered);
	assert_int_equal(refused, 364);
	assert_in_range(found, 330, 364);
	assert_in_range(alarms, 0, 1);
}

int main(void)
{
	json_start();
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numeric_agrees_with_the_published_verdicts_on_gsm8k),
		cmocka_unit_test(choice_agrees_with_the_published_options_on_opinionqa),
		cmocka_unit_test(scorers_agree_with_the_published_verdicts_on_bbh),
		cmocka_unit_test(refusals_are_recognised_on_sensitive_questions),
		cmocka_unit_test(ordinary_answers_are_not_taken_for_refusals),
	};
	return cmocka_run_group_tests_name("score on real data", tests, NULL, NULL);
}
