/* Goal: a report reads as INTERFACES.md 2 shows it, never trusts text that is not ours, and its JSON says the same. */
#include "common/base/unicode.h"
#include "coordinator/evidence/report.h"
#include "coordinator/evidence/report_format.h"
#include "tests/unit/evidence/example.h"

struct fixture {
	struct arena arena;
	struct samples base, cand;
	struct summary summary_base, summary_cand;
	struct compare compare;
	struct gate_result gate;
	struct report_run run_base;
	struct report report;
	struct buf out;
	struct error error;
};

static int setup(void **state)
{
	static struct fixture f;
	memset(&f, 0, sizeof(f));
	arena_init(&f.arena, 256 << 20);
	buf_init(&f.out, 1 << 20);
	example_build(&f.base, &f.arena, 0);
	example_build(&f.cand, &f.arena, 1);
	assert_ok(summary_compute(&f.arena, &f.base, 0.95, &f.summary_base, &f.error), &f.error);
	assert_ok(summary_compute(&f.arena, &f.cand, 0.95, &f.summary_cand, &f.error), &f.error);
	assert_ok(compare_runs(&f.arena, &f.base, &f.cand, compare_defaults(), &f.compare, &f.error), &f.error);
	struct gate gate = gate_defaults();
	gate.name = STR("release");
	gate.by = STR("task");
	gate.margin = 0.02;
	assert_ok(gate_check(&f.arena, &gate, &f.base, &f.cand, &f.compare, &f.gate, &f.error), &f.error);
	static const struct str next[] = { STR_INIT("assay compare 81 90"),
		                           STR_INIT("assay item show 90 change-address-17") };
	f.run_base = (struct report_run){ 81,      STR("support@3.1"), STR("m-2026-10"), STR("done"), STR(""),
		                          &f.base, &f.summary_base };
	f.report = (struct report){
		.run = { 90, STR("support@3.1"), STR("m-2026-11"), STR("done"), STR(""), &f.cand, &f.summary_cand },
		.base = &f.run_base,
		.comparison = &f.compare,
		.gates = &f.gate,
		.gate_count = 1,
		.elapsed_ms = 724000,
		.next = next,
		.next_count = 2,
	};
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	samples_done(&f->base);
	samples_done(&f->cand);
	buf_done(&f->out);
	arena_done(&f->arena);
	return 0;
}

static void assert_lines(struct fixture *f, const char *want)
{
	assert_false(f->out.failed);
	assert_string_equal(f->out.data, want);
}

static void assert_has(struct fixture *f, const char *piece)
{
	if (str_find(buf_str(&f->out), str_from(piece)) < 0)
		fail_msg("\"%s\" is not in:\n%s", piece, f->out.data);
}

static void a_report_ends_with_what_matters(void **state)
{
	struct fixture *f = *state;
	report_text(&f->report, (struct report_style){ .width = 200 }, &f->out);
	assert_lines(f,
	             "suite support@3.1  model m-2026-11  run 90  against run 81 (m-2026-10)          chance 0 %\n"
	             "paired on 160 of 164 items; 4 missing in run 90\nrun 81 missing: none\n"
	             "  change-address         20/40   50.0 %  [35.2, 64.8]     -15.0 pp  [-26.6, -3.4]    WORSE       "
	             "p 0.031   q 0.047   6 flipped: assay compare 81 90 --by task --only flipped\n"
	             "  refund                 38/60   63.3 %  [50.7, 74.4]     +11.7 pp  [+3.3, +20.0]    better      "
	             "p 0.016   q 0.047\n"
	             "  where-is-my-order      57/60   95.0 %  [86.3, 98.3]      -1.7 pp  [-5.0, +1.7]     no evidence "
	             "p 1       q 1       would see 4.7 pp\n"
	             "  all                  115/160   71.9 %  [64.5, 78.3]       0.0 pp  [-4.6, +4.6]     no evidence "
	             "p 1       q 1       would see 6.6 pp\n"
	             "95 % intervals: Wilson\n"
	             "missing: 3 provider error, 1 unscored; worst case 70.1 %, best case 72.6 %\n"
	             "1 better, 1 no evidence, 1 worse    gate release: BLOCKED (change-address: is worse by more than "
	             "0.02 (p 0.043))\n"
	             "12m04s   1,640 tokens in, 328 out   $0.00016   paid twice 0   latency p50 100 ms, p95 100 ms\n"
	             "next: assay compare 81 90 | assay item show 90 change-address-17\n");
}

static void no_line_is_wider_than_the_terminal(void **state)
{
	struct fixture *f = *state;
	static const unsigned widths[] = { 60, 80, 100, 118, 150 };
	for (size_t i = 0; i < ARRAY_LEN(widths); i++) {
		struct str rest, line;
		buf_clear(&f->out);
		report_text(&f->report, (struct report_style){ .width = widths[i], .colour = false }, &f->out);
		report_text_compare(&f->report, (struct report_style){ .width = widths[i] }, &f->out);
		rest = buf_str(&f->out);
		while (str_split(&rest, '\n', &line))
			if (unicode_width(line) > widths[i])
				fail_msg("%u of %u columns: %.*s", unicode_width(line), widths[i], STR_ARG(line));
	}
}

static void a_row_that_is_too_wide_for_one_line_takes_two(void **state)
{
	struct fixture *f = *state;
	report_text(&f->report, (struct report_style){ .width = 80 }, &f->out);
	assert_has(f, "  change-address         20/40   50.0 %  [35.2, 64.8]\n"
	              "      -15.0 pp  [-26.6, -3.4]    WORSE       p 0.031   q 0.047\n"
	              "          6 flipped: assay compare 81 90 --by task --only flipped\n");
	assert_has(f, "next: assay compare 81 90 | assay item show 90 change-address-17\n");
}

static void only_flipped_is_the_flipped_items_alone(void **state)
{
	struct fixture *f = *state;
	f->report.only_flipped = true;
	report_text_compare(&f->report, (struct report_style){ 0 }, &f->out);
	struct str rest = buf_str(&f->out), line;
	size_t lines = 0;
	while (str_split(&rest, '\n', &line) && line.len) {
		if (str_find(line, STR(" -> ")) < 0)
			fail_msg("no flipped item: %.*s", STR_ARG(line));
		lines++;
	}
	assert_int_equal(lines, f->compare.flip_count);
	assert_has(f, "change-address-20                         1 -> 0  change-address\n");
}

static void a_run_alone_says_what_it_could_see(void **state)
{
	struct fixture *f = *state;
	f->report.base = NULL;
	f->report.comparison = NULL;
	f->report.gate_count = 0;
	f->report.paid_twice = 3;
	f->report.paid_twice_more_at_most = 2;
	f->report.run.status = STR("incomplete");
	f->report.run.reason = STR("budget spent");
	f->report.not_compared = STR("nothing to pair: none in common");
	report_text(&f->report, (struct report_style){ 0 }, &f->out);
	assert_has(f, "run 90          chance 0 %\nincomplete: budget spent\n");
	assert_has(f, "  all                  115/160   71.9 %  [64.5, 78.3]\n");
	assert_has(f, "95 % intervals: Wilson; against another run of this size, unpaired, it would see 14.1 pp\n");
	assert_has(f, "not compared: nothing to pair: none in common\n");
	assert_has(f, "paid twice 3 (at most 2 more)");
}

static void a_comparison_closes_with_its_verdict(void **state)
{
	struct fixture *f = *state;
	report_text_compare(&f->report, (struct report_style){ .width = 200 }, &f->out);
	assert_has(f, "paired on 160 of 164 items; 4 missing in run 90\nrun 81 missing: none\n"
	              "run 90 missing: 3 provider error, 1 unscored\n");
	assert_has(f,
	           "  change-address         n 40   65.0 % -> 50.0 %  -15.0 pp  [-26.6, -3.4]    WORSE       p 0.031 "
	           "  q 0.047 "
	           "  0 up, 6 down\n");
	assert_has(f, "verdict: no evidence of a difference (0.0 pp  [-4.6, +4.6], paired, n 160, mcnemar_exact p 1)\n"
	              "smallest difference it would see: 6.6 pp (80 % power, alpha 0.05)\n");
}

static void unpaired_items_are_named(void **state)
{
	struct fixture *f = *state;
	f->cand.item_id[0] = STR("renamed\x1b[31m");
	f->cand.item_hash[0] = hash_of(STR("something else"));
	f->cand.item_hash[1] = hash_of(STR("edited"));
	assert_ok(compare_runs(&f->arena, &f->base, &f->cand, compare_defaults(), &f->compare, &f->error), &f->error);
	report_text_compare(&f->report, (struct report_style){ 0 }, &f->out);
	assert_has(f, "paired on 158 of 164 items; 4 missing in run 90; 1 with changed content; 1 only in run 81;\n    "
	              "1 only in run 90\n");
	assert_has(f, "unpaired: run 90 renamed\\x1b[31m\n");
	assert_has(f, "unpaired: run 81 refund-1 (content changed)\n");
}

static void build_again(struct fixture *f, struct samples *s, struct summary *summary, const struct runs_item *items,
                        size_t count)
{
	samples_done(s);
	runs_build(s, &f->arena, items, count);
	assert_ok(summary_compute(&f->arena, s, 0.95, summary, &f->error), &f->error);
}

static void what_is_missing_is_said_of_both_runs(void **state)
{
	struct fixture *f = *state;
	static const struct runs_item base[] = { { .id = "a", .task = "t", .scores = "1" },
		                                 { .id = "b", .task = "t", .scores = "-" },
		                                 { .id = "c", .task = "t", .scores = "c" } };
	static const struct runs_item cand[] = { { .id = "a", .task = "t", .scores = "0" },
		                                 { .id = "b", .task = "t", .scores = "a" },
		                                 { .id = "c", .task = "t", .scores = "1" } };
	static const struct report_cause cause = { OUTCOME_PROVIDER_ERROR, CLASS_AUTH,        1,
		                                   STR_INIT("401"),        { STR_INIT("b") }, 1 };
	build_again(f, &f->base, &f->summary_base, base, 3);
	build_again(f, &f->cand, &f->summary_cand, cand, 3);
	assert_ok(compare_runs(&f->arena, &f->base, &f->cand, compare_defaults(), &f->compare, &f->error), &f->error);
	f->run_base.status = STR("cancelled");
	f->run_base.reason = STR("by kim");
	f->report.base_causes = &cause;
	f->report.base_cause_count = 1;
	report_text_compare(&f->report, (struct report_style){ 0 }, &f->out);
	assert_has(f, "run 81 cancelled: by kim\n"
	              "paired on 1 of 3 items; 1 missing in both runs; 1 missing in run 81\n"
	              "run 81 missing: 1 provider error (1 auth), 1 cancelled\n"
	              "run 90 missing: 1 not run\n");
	buf_clear(&f->out);
	report_text(&f->report, (struct report_style){ 0 }, &f->out);
	assert_has(f, "1 missing in run 81\nrun 81 missing: 1 provider error (1 auth), 1 cancelled\n");
}

static void a_weighted_figure_says_so_beside_its_fraction(void **state)
{
	struct fixture *f = *state;
	static const struct runs_item items[] = {
		{ .id = "a", .task = "t", .scores = "1", .cluster = "k", .weight = 1 },
		{ .id = "b", .task = "t", .scores = "0", .cluster = "k", .weight = 2 }
	};
	build_again(f, &f->cand, &f->summary_cand, items, 2);
	struct report r = { .run = f->report.run };
	report_text(&r, (struct report_style){ 0 }, &f->out);
	assert_has(f, "1/2   33.3 %  [no interval]    weighted\n");
	assert_has(f, ", 1 cluster\n");
}

static void a_difference_beyond_the_farther_end_of_the_range_is_not_to_be_seen(void **state)
{
	struct fixture *f = *state;
	f->summary_cand.rows[0].detectable = number_of(0.72); /* the mean is 0.719 */
	struct report r = { .run = f->report.run };
	report_text(&r, (struct report_style){ 0 }, &f->out);
	assert_has(f, "it has too few items to see any difference\n");
	f->summary_cand.rows[0].detectable = number_of(0.71);
	buf_clear(&f->out);
	report_text(&r, (struct report_style){ 0 }, &f->out);
	assert_has(f, "would see 71.0 pp");
}

static void colour_only_repeats_what_a_word_says(void **state)
{
	struct fixture *f = *state;
	struct buf colourless;
	buf_init(&colourless, 1 << 20);
	report_text(&f->report, (struct report_style){ .colour = true }, &f->out);
	report_text(&f->report, (struct report_style){ .colour = false }, &colourless);
	assert_has(f, "\x1b[31mWORSE");
	assert_has(f, "\x1b[32mbetter");
	assert_has(f, "\x1b[31mBLOCKED\x1b[0m");
	char *to = f->out.data;
	for (const char *from = f->out.data; *from;) {
		if (*from == '\x1b')
			from = strchr(from, 'm') + 1;
		else
			*to++ = *from++;
	}
	*to = '\0';
	assert_string_equal(f->out.data, colourless.data);
	buf_done(&colourless);
}

static void labels_cannot_drive_the_terminal_or_break_the_table(void **state)
{
	struct fixture *f = *state;
	f->cand.dimension[0].label[0] =
		STR("evil\x1b]0;title\x07\nsecond line \xff and a very long tail that goes on and on");
	f->report.run.model = STR("a\rb");
	report_text(&f->report, (struct report_style){ .width = 80 }, &f->out);
	for (size_t i = 0; i < f->out.len; i++)
		assert_true((unsigned char)f->out.data[i] >= ' ' || f->out.data[i] == '\n');
	assert_has(f, "  evil\\x1b]0;title\\x0...   ");
	assert_has(f, "model a\\rb");
}

static const struct json *parse(struct fixture *f, struct json_doc **doc)
{
	assert_false(f->out.failed);
	assert_ok(json_parse(str_trim(buf_str(&f->out)), doc, &f->error), &f->error);
	return json_root(*doc);
}

static void the_json_says_the_same(void **state)
{
	struct fixture *f = *state;
	struct json_doc *doc;
	report_json(&f->report, &f->out);
	const struct json *root = parse(f, &doc);
	assert_str_equal_c(json_str_or(json_get(root, "schema"), STR("")), "assay.report.v1");
	assert_int_equal(json_i64_or(json_pointer(root, STR("/run/id")), 0), 90);
	assert_int_equal(json_len(json_get(root, "rows")), 4);
	const struct json *row = json_at(json_get(root, "rows"), 2);
	assert_str_equal_c(json_str_or(json_get(row, "group"), STR("")), "refund");
	assert_int_equal(json_i64_or(json_get(row, "passed"), 0), 38);
	assert_int_equal(json_i64_or(json_pointer(row, STR("/missing/provider_error")), 0), 3);
	assert_true(json_num_or(json_pointer(row, STR("/interval/0")), 0) > 0.5);
	assert_str_equal_c(json_str_or(json_get(row, "method"), STR("")), "wilson");
	assert_str_equal_c(json_str_or(json_pointer(root, STR("/comparison/rows/1/verdict")), STR("")), "worse");
	assert_str_equal_c(json_str_or(json_pointer(root, STR("/gates/0/verdict")), STR("")), "blocked");
	assert_int_equal(json_i64_or(json_pointer(root, STR("/methods/mcnemar")), 0), 1);
	json_free(doc);
}

static void the_json_of_a_comparison_lists_flips_and_unpaired(void **state)
{
	struct fixture *f = *state;
	struct json_doc *doc;
	f->cand.item_hash[1] = hash_of(STR("edited"));
	assert_ok(compare_runs(&f->arena, &f->base, &f->cand, compare_defaults(), &f->compare, &f->error), &f->error);
	report_json_compare(&f->report, &f->out);
	const struct json *root = parse(f, &doc);
	assert_str_equal_c(json_str_or(json_get(root, "schema"), STR("")), "assay.compare.v1");
	assert_int_equal(json_i64_or(json_get(root, "paired"), 0), 163);
	assert_str_equal_c(json_str_or(json_get(root, "verdict"), STR("")), "no evidence of a difference");
	assert_int_equal(json_len(json_get(root, "flips")), 14);
	assert_int_equal(json_i64_or(json_pointer(root, STR("/flips/0/to")), 9), 0);
	assert_int_equal(json_len(json_get(root, "unpaired")), 2);
	assert_str_equal_c(json_str_or(json_pointer(root, STR("/unpaired/0/reason")), STR("")), "changed");
	json_free(doc);
}

static void undefined_is_null_and_a_dash_never_a_number(void **state)
{
	struct fixture *f = *state;
	struct json_doc *doc;
	struct samples s;
	const struct runs_task t = { "t", "--" };
	runs_build_tasks(&s, &f->arena, &t, 1);
	assert_ok(summary_compute(&f->arena, &s, 0.95, &f->summary_cand, &f->error), &f->error);
	struct report r = {
		.run = { .id = 1, .suite = STR("s"), .model = STR("m"), .samples = &s, .summary = &f->summary_cand }
	};
	report_text(&r, (struct report_style){ 0 }, &f->out);
	assert_has(f, "n 0        -  [no interval]\n95 % intervals: nothing scored yet\n");
	assert_has(f, "missing: 2 provider error; worst case 0.0 %, best case 100.0 %\n");
	buf_clear(&f->out);
	report_json(&r, &f->out);
	const struct json *root = parse(f, &doc);
	assert_int_equal(json_kind(json_pointer(root, STR("/rows/0/mean"))), JSON_NULL);
	assert_int_equal(json_kind(json_pointer(root, STR("/rows/0/interval"))), JSON_NULL);
	assert_int_equal(json_kind(json_get(root, "comparison")), JSON_NULL);
	json_free(doc);
	samples_done(&s);
}

static void causes_of_missing_samples_are_named(void **state)
{
	struct fixture *f = *state;
	const struct report_cause causes[] = {
		{ OUTCOME_PROVIDER_ERROR,
		  CLASS_CONNECT,
		  2,
		  STR_INIT("connection\x1b refused"),
		  { STR_INIT("refund-60"), STR_INIT("refund-62") },
		  2 },
		{ OUTCOME_PROVIDER_ERROR, CLASS_MALFORMED, 1, STR_INIT("no choices"), { STR_INIT("refund-61") }, 1 },
		{ OUTCOME_UNSCORED, CLASS_NONE, 3, STR_INIT(""), { STR_INIT("refund-63") }, 1 },
	};
	struct json_doc *doc;
	f->report.causes = causes;
	f->report.cause_count = 3;
	report_text(&f->report, (struct report_style){ 0 }, &f->out);
	assert_has(f, "missing: 3 provider error (2 connect, 1 malformed), 1 unscored; worst");
	assert_has(f, "    connect: connection\\x1b refused (item refund-60, refund-62)\n    malformed: no choices "
	              "(item refund-61)\n"
	              "    unscored: (item refund-63, ...)\n");
	buf_clear(&f->out);
	report_json(&f->report, &f->out);
	const struct json *root = parse(f, &doc);
	assert_int_equal(json_i64_or(json_pointer(root, STR("/missing_causes/0/count")), 0), 2);
	assert_str_equal_c(json_str_or(json_pointer(root, STR("/missing_causes/1/class")), STR("")), "malformed");
	assert_int_equal(json_kind(json_pointer(root, STR("/missing_causes/2/class"))), JSON_NULL);
	json_free(doc);
}

static void a_cost_that_nobody_knows_is_not_shown_as_zero(void **state)
{
	struct fixture *f = *state;
	struct json_doc *doc;
	f->report.cost_unknown = 40;
	report_text(&f->report, (struct report_style){ 0 }, &f->out);
	assert_has(f, " out   $0.00016 + unknown for 40   paid");
	buf_clear(&f->out);
	f->report.no_cost_known = true;
	report_text(&f->report, (struct report_style){ 0 }, &f->out);
	assert_has(f, " out   cost unknown   paid");
	buf_clear(&f->out);
	report_json(&f->report, &f->out);
	const struct json *root = parse(f, &doc);
	assert_int_equal(json_kind(json_pointer(root, STR("/rows/0/cost_nanousd"))), JSON_NULL);
	assert_int_equal(json_i64_or(json_get(root, "cost_unknown"), 0), 40);
	json_free(doc);
}

static void no_difference_beyond_the_range_is_promised(void **state)
{
	struct fixture *f = *state;
	f->report.base = NULL;
	f->report.comparison = NULL;
	f->summary_cand.rows[0].detectable = number_of(1.321);
	report_text(&f->report, (struct report_style){ .width = 120 }, &f->out);
	assert_has(f, "unpaired, it has too few items to see any difference\n");
	assert_true(str_find(buf_str(&f->out), STR("132")) < 0);
}

static void a_full_buffer_is_noticed_not_overrun(void **state)
{
	struct fixture *f = *state;
	for (size_t max = 0; max < 1400; max += 13) {
		struct buf out;
		buf_init(&out, max);
		report_text(&f->report, (struct report_style){ 0 }, &out);
		report_json(&f->report, &out);
		assert_true(out.failed && out.len <= max);
		buf_done(&out);
	}
}

static void figures_are_written_as_people_read_them(void **state)
{
	struct fixture *f = *state;
	struct buf *out = &f->out;
	report_format_count(out, 1234567);
	buf_append_char(out, ' ');
	report_format_count(out, 999);
	buf_append_char(out, ' ');
	report_format_duration(out, 3250);
	buf_append_char(out, ' ');
	report_format_duration(out, 59000);
	buf_append_char(out, ' ');
	report_format_duration(out, 3723000);
	buf_append_char(out, ' ');
	report_format_money(out, 4100000000);
	buf_append_char(out, ' ');
	report_format_money(out, 0);
	buf_append_char(out, ' ');
	report_format_diff(out, number_of(-0.0004), true); /* no minus before zero */
	buf_append_char(out, ' ');
	report_format_diff(out, number_of(0.25), false);
	buf_append_char(out, ' ');
	report_format_p(out, number_of(1.8e-6));
	buf_append_char(out, ' ');
	report_format_p(out, number_none());
	buf_append_char(out, ' ');
	report_format_plural(out, 1, "item", "items");
	assert_string_equal(out->data, "1,234,567 999 3.3s 59s 1h02m $4.10 $0 0.0 pp +0.250 2e-06 - 1 item");
}

#define one(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	json_start();
	const struct CMUnitTest tests[] = {
		one(a_report_ends_with_what_matters),
		one(no_line_is_wider_than_the_terminal),
		one(a_row_that_is_too_wide_for_one_line_takes_two),
		one(only_flipped_is_the_flipped_items_alone),
		one(a_run_alone_says_what_it_could_see),
		one(a_comparison_closes_with_its_verdict),
		one(unpaired_items_are_named),
		one(what_is_missing_is_said_of_both_runs),
		one(a_weighted_figure_says_so_beside_its_fraction),
		one(a_difference_beyond_the_farther_end_of_the_range_is_not_to_be_seen),
		one(colour_only_repeats_what_a_word_says),
		one(labels_cannot_drive_the_terminal_or_break_the_table),
		one(the_json_says_the_same),
		one(the_json_of_a_comparison_lists_flips_and_unpaired),
		one(undefined_is_null_and_a_dash_never_a_number),
		one(causes_of_missing_samples_are_named),
		one(a_cost_that_nobody_knows_is_not_shown_as_zero),
		one(no_difference_beyond_the_range_is_promised),
		one(a_full_buffer_is_noticed_not_overrun),
		one(figures_are_written_as_people_read_them),
	};
	return cmocka_run_group_tests_name("report", tests, NULL, NULL);
}
