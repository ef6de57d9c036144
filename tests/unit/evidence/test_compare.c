/* Goal: runs are paired by what they really share, each difference has the right test and interval, and the verdict
 * never says more than they do. */
#include "coordinator/evidence/compare.h"
#include "coordinator/stats/paired_diff.h"
#include "coordinator/stats/student.h"
#include "tests/unit/evidence/example.h"
#include <math.h>
#include <stdlib.h>

#define assert_near(got, want) assert_near_at((got), (want), #got, __FILE__, __LINE__)

static void assert_near_at(double got, double want, const char *what, const char *file, int line)
{
	if (fabs(got - want) <= 1e-12 * fmax(1, fabs(want)))
		return;
	print_error("%s is %.17g, should be %.17g\n", what, got, want);
	_fail(file, line);
}

struct fixture {
	struct arena arena;
	struct samples base, cand;
	struct compare compare;
	struct error error;
};

static int setup(void **state)
{
	static struct fixture f;
	memset(&f, 0, sizeof(f));
	arena_init(&f.arena, 256 << 20);
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	samples_done(&f->base);
	samples_done(&f->cand);
	arena_done(&f->arena);
	return 0;
}

static const struct compare_row *compare(struct fixture *f)
{
	assert_ok(compare_runs(&f->arena, &f->base, &f->cand, compare_defaults(), &f->compare, &f->error), &f->error);
	return &f->compare.rows[0];
}

static const struct compare_row *compare_text(struct fixture *f, const char *base, const char *cand)
{
	const struct runs_task b = { "t", base }, c = { "t", cand };
	runs_build_tasks(&f->base, &f->arena, &b, 1);
	runs_build_tasks(&f->cand, &f->arena, &c, 1);
	return compare(f);
}

static void assert_verdict(const struct compare_row *row, const char *name)
{
	assert_string_equal(compare_verdict_name(row->verdict), name);
}

static void each_task_gets_its_own_verdict_under_bh(void **state)
{
	struct fixture *f = *state;
	example_build(&f->base, &f->arena, 0);
	example_build(&f->cand, &f->arena, 1);
	(void)compare(f);
	const struct compare_row *refund = compare_find(&f->compare, STR("correct"), STR("task"), STR("refund"));
	const struct compare_row *where =
		compare_find(&f->compare, STR("correct"), STR("task"), STR("where-is-my-order"));
	const struct compare_row *change =
		compare_find(&f->compare, STR("correct"), STR("task"), STR("change-address"));
	assert_int_equal(refund->item_count, 64);
	assert_int_equal(refund->n, 60);
	assert_int_equal(refund->missing_cand, 4);
	assert_int_equal(refund->missing_base, 0);
	assert_near(refund->diff.value, 7.0 / 60);
	assert_near(refund->p.value, 2.0 / 128);
	assert_near(refund->q.value, 1.5 * 2.0 / 64); /* the second smallest of three, 3/2 of it */
	assert_near(refund->holm.value, 3 * 2.0 / 128);
	assert_verdict(refund, "better");
	assert_verdict(where, "no evidence of a difference");
	assert_near(where->p.value, 1);
	assert_verdict(change, "worse");
	assert_near(change->p.value, 2.0 / 64);
	assert_int_equal(change->lost, 6);
	assert_int_equal(change->gained, 0);
	struct compare_tally t = compare_count(&f->compare, STR("correct"), STR("task"));
	assert_true(t.better == 1 && t.worse == 1 && t.no_evidence == 1 && t.not_enough == 0);
	assert_int_equal(f->compare.rows[0].test, COMPARE_MCNEMAR_EXACT);
	assert_near(refund->diff_worst.value, (38.0 - 35) / 64);
	assert_near(refund->diff_best.value, (42.0 - 35) / 64);
}

static void flips_list_losses_first(void **state)
{
	struct fixture *f = *state;
	(void)compare_text(f, "110010", "011011");
	static const char *const want[] = { "t-0", "t-2", "t-5" };
	assert_int_equal(f->compare.flip_count, 3);
	for (size_t i = 0; i < 3; i++) {
		const struct compare_flip *flip = &f->compare.flips[i];
		assert_str_equal_c(f->cand.item_id[flip->item_cand], want[i]);
		assert_true(flip->from == (i == 0 ? 1 : 0) && flip->to == (i == 0 ? 0 : 1));
	}
}

static void identical_runs_show_no_evidence_and_how_much_they_could_have_seen(void **state)
{
	struct fixture *f = *state;
	char text[200], *at = text;
	runs_fill(&at, '1', 100);
	runs_fill(&at, '0', 60);
	const struct compare_row *all = compare_text(f, text, text);
	assert_int_equal(f->compare.pair_count, 160);
	assert_verdict(all, "no evidence of a difference");
	assert_true(all->diff.value == 0 && all->p.value == 1);
	double share = 1 - pow(0.025, 1.0 / 160); /* of items that could still differ */
	assert_near(all->interval.low, -share);
	assert_near(all->interval.high, share);
	assert_int_equal(all->method, COMPARE_INTERVAL_FLIPS);
	assert_true(all->detectable_from_bound && all->detectable.value > 0.01 && all->detectable.value < 0.05);
}

static void too_few_items_are_not_enough_evidence(void **state)
{
	struct fixture *f = *state;
	assert_verdict(compare_text(f, "0", "1"), "not enough evidence");
	samples_done(&f->base);
	samples_done(&f->cand);
	assert_verdict(compare_text(f, "00000", "11111"), "not enough evidence"); /* 2 / 32 > 0.05 */
	samples_done(&f->base);
	samples_done(&f->cand);
	assert_verdict(compare_text(f, "000000", "111111"), "better"); /* 2 / 64 */
}

static void all_items_flipping_one_way_still_have_an_interval(void **state)
{
	struct fixture *f = *state;
	const struct compare_row *all = compare_text(f, "0000000000", "1111111111");
	double share = pow(0.025, 0.1); /* at least of the items flip */
	assert_true(all->diff.value == 1 && all->interval.high == 1);
	assert_near(all->interval.low, share - (1 - share));
	assert_near(all->p.value, 2.0 / 1024);
}

static void graded_scores_get_the_paired_t_test(void **state)
{
	struct fixture *f = *state;
	static const double a[] = { 0.5, 0.7, 0.9, 0.4 }, b[] = { 0.3, 0.6, 0.5, 0.4 };
	struct paired_diff want;
	assert_int_equal(paired_diff_compute(a, b, NULL, 4, 0.95, &want), REFUSAL_NONE);
	const struct compare_row *all = compare_text(f, "3654", "5794");
	assert_int_equal(all->test, COMPARE_PAIRED_T);
	assert_near(all->diff.value, want.diff);
	assert_near(all->p.value, want.p_t.value);
	assert_near(all->se.value, want.se_paired.value);
	assert_near(all->se_unpaired.value, want.se_unpaired.value);
	assert_near(all->corr.value, want.corr.value);
	assert_near(all->interval.low, want.ci_t.low);
	assert_int_equal(all->changed, 3);
}

static void clusters_go_with_cr1_and_not_with_mcnemar(void **state)
{
	struct fixture *f = *state;
	static const struct runs_item base[] = {
		{ .id = "a", .task = "t", .scores = "0", .cluster = "x" },
		{ .id = "b", .task = "t", .scores = "0", .cluster = "x" },
		{ .id = "c", .task = "t", .scores = "1", .cluster = "y" },
		{ .id = "d", .task = "t", .scores = "0", .cluster = "y" },
		{ .id = "e", .task = "t", .scores = "1", .cluster = "z" },
		{ .id = "g", .task = "t", .scores = "1", .cluster = "z" },
	};
	struct runs_item cand[6];
	memcpy(cand, base, sizeof(cand));
	cand[0].scores = cand[1].scores = "1";
	static const double a[] = { 1, 1, 1, 0, 1, 1 }, b[] = { 0, 0, 1, 0, 1, 1 };
	static const uint32_t clusters[] = { 0, 0, 1, 1, 2, 2 };
	struct paired_diff want;
	assert_int_equal(paired_diff_compute(a, b, clusters, 6, 0.95, &want), REFUSAL_NONE);
	assert_true(want.clustered.se_cr1.value > want.se_paired.value);
	runs_build(&f->base, &f->arena, base, 6);
	runs_build(&f->cand, &f->arena, cand, 6);
	const struct compare_row *all = compare(f);
	assert_int_equal(all->test, COMPARE_CLUSTERED_T);
	assert_int_equal(all->cluster_count, 3);
	assert_near(all->se.value, want.clustered.se_cr1.value);
	assert_near(all->p.value, want.clustered.p_t.value);
	assert_true(fabs(all->detectable.value / all->se.value - 2.8015852217) < 1e-8); /* z.975 + z.8 */
}

static void identical_clusters_bound_by_their_number_not_their_items(void **state)
{
	struct fixture *f = *state;
	static const struct runs_item items[] = {
		{ .id = "a", .scores = "1", .cluster = "x" },
		{ .id = "b", .scores = "1", .cluster = "x" },
		{ .id = "c", .scores = "0", .cluster = "y" },
		{ .id = "d", .scores = "1", .cluster = "y" },
	};
	runs_build(&f->base, &f->arena, items, 4);
	runs_build(&f->cand, &f->arena, items, 4);
	const struct compare_row *all = compare(f);
	assert_near(all->interval.high, 1 - pow(0.025, 1.0 / 2));
	assert_verdict(all, "not enough evidence");
}

static void different_suites_are_not_compared_and_the_reason_is_given(void **state)
{
	struct fixture *f = *state;
	const struct runs_task three = { "suite3", "110" }, eight = { "suite8", "1101" };
	runs_build_tasks(&f->base, &f->arena, &three, 1);
	runs_build_tasks(&f->cand, &f->arena, &eight, 1);
	assert_int_equal(compare_runs(&f->arena, &f->base, &f->cand, compare_defaults(), &f->compare, &f->error),
	                 ERR_NOT_FOUND);
	assert_non_null(strstr(f->error.text,
	                       "nothing to pair: the baseline's 3 items and the candidate's 4 have none in common"));
}

static void an_id_whose_content_changed_does_not_pair(void **state)
{
	struct fixture *f = *state;
	const struct runs_item base[] = { { .id = "a", .scores = "1" }, { .id = "b", .scores = "0" } };
	const struct runs_item cand[] = { { .id = "a", .scores = "1", .content = "other" },
		                          { .id = "b", .scores = "0", .content = "another" } };
	runs_build(&f->base, &f->arena, base, 2);
	runs_build(&f->cand, &f->arena, cand, 2);
	assert_int_equal(compare_runs(&f->arena, &f->base, &f->cand, compare_defaults(), &f->compare, &f->error),
	                 ERR_NOT_FOUND);
	assert_non_null(strstr(f->error.text,
	                       "2 of the candidate's 2 items have an id of the baseline's 2, but their content"));
}

static void renamed_items_pair_by_content_and_the_rest_is_named(void **state)
{
	struct fixture *f = *state;
	const struct runs_item base[] = {
		{ .id = "a", .scores = "1" },     { .id = "old", .scores = "0", .content = "same" },
		{ .id = "gone", .scores = "1" },  { .id = "edit", .scores = "1" },
		{ .id = "moved", .scores = "1" },
	};
	const struct runs_item cand[] = {
		{ .id = "moved", .scores = "0" },
		{ .id = "a", .scores = "1" },
		{ .id = "new", .scores = "1" },
		{ .id = "renamed", .scores = "1", .content = "same" },
		{ .id = "edit", .scores = "1", .content = "edited" },
	};
	runs_build(&f->base, &f->arena, base, 5);
	runs_build(&f->cand, &f->arena, cand, 5);
	(void)compare(f);
	assert_int_equal(f->compare.pair_count, 3);
	static const size_t pairs[][2] = { { 4, 0 }, { 0, 1 }, { 1, 3 } }; /* in the candidate's order */
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(f->compare.pair_base[i], pairs[i][0]);
		assert_int_equal(f->compare.pair_cand[i], pairs[i][1]);
	}
	static const struct compare_unpaired want[] = { { true, 2, COMPARE_ABSENT },
		                                        { true, 3, COMPARE_CHANGED },
		                                        { false, 2, COMPARE_ABSENT },
		                                        { false, 4, COMPARE_CHANGED } };
	assert_int_equal(f->compare.unpaired_count, ARRAY_LEN(want));
	for (size_t i = 0; i < ARRAY_LEN(want); i++) {
		assert_int_equal(f->compare.unpaired[i].in_base, want[i].in_base);
		assert_int_equal(f->compare.unpaired[i].item, want[i].item);
		assert_int_equal(f->compare.unpaired[i].reason, want[i].reason);
	}
}

static void equal_contents_pair_one_to_one_in_order(void **state)
{
	struct fixture *f = *state;
	const struct runs_item base[] = { { .id = "a", .scores = "1", .content = "x" },
		                          { .id = "b", .scores = "0", .content = "x" },
		                          { .id = "c", .scores = "0", .content = "x" } };
	const struct runs_item cand[] = { { .id = "p", .scores = "1", .content = "x" },
		                          { .id = "q", .scores = "0", .content = "x" } };
	runs_build(&f->base, &f->arena, base, 3);
	runs_build(&f->cand, &f->arena, cand, 2);
	(void)compare(f);
	assert_int_equal(f->compare.pair_count, 2);
	assert_true(f->compare.pair_base[0] == 0 && f->compare.pair_base[1] == 1);
	assert_int_equal(f->compare.unpaired_count, 1);
	assert_int_equal(f->compare.unpaired[0].item, 2);
}

static void an_id_that_comes_twice_pairs_once(void **state)
{
	struct fixture *f = *state;
	const struct runs_item base[] = { { .id = "z", .scores = "1" }, { .id = "a", .scores = "1" } };
	const struct runs_item cand[] = { { .id = "a", .scores = "1" },
		                          { .id = "b", .scores = "0" },
		                          { .id = "a", .scores = "0" } };
	runs_build(&f->base, &f->arena, base, 2);
	runs_build(&f->cand, &f->arena, cand, 3);
	(void)compare(f);
	assert_int_equal(f->compare.pair_count, 1);
	assert_true(f->compare.pair_base[0] == 1 && f->compare.pair_cand[0] == 0);
	assert_int_equal(f->compare.unpaired_count, 3);
}

static void items_without_weight_take_no_part(void **state)
{
	struct fixture *f = *state;
	const struct runs_item base[] = { { .id = "a", .scores = "1", .weight = -1 },
		                          { .id = "b", .scores = "0" },
		                          { .id = "c", .scores = "1" },
		                          { .id = "d", .scores = "1", .weight = -1 } };
	struct runs_item cand[4];
	memcpy(cand, base, sizeof(cand));
	cand[0].scores = "0";
	cand[1].scores = "1";
	runs_build(&f->base, &f->arena, base, 4);
	runs_build(&f->cand, &f->arena, cand, 4);
	const struct compare_row *all = compare(f);
	assert_int_equal(all->n, 2);
	assert_near(all->diff.value, 0.5);
	assert_int_equal(f->compare.flip_count, 1);
	assert_str_equal_c(f->cand.item_id[f->compare.flips[0].item_cand], "b");
}

static void without_a_content_hash_the_id_alone_pairs(void **state)
{
	struct fixture *f = *state;
	const struct runs_task t = { "t", "10" };
	runs_build_tasks(&f->base, &f->arena, &t, 1);
	runs_build_tasks(&f->cand, &f->arena, &t, 1);
	memset(f->base.item_hash, 0, 2 * sizeof(struct hash));
	(void)compare(f);
	assert_int_equal(f->compare.pair_count, 2);
}

static void nothing_scored_on_one_side_is_not_enough_evidence(void **state)
{
	struct fixture *f = *state;
	const struct compare_row *all = compare_text(f, "1010", "----");
	assert_int_equal(all->n, 0);
	assert_int_equal(all->missing_cand, 4);
	assert_false(all->diff.defined || all->p.defined || all->interval.defined);
	assert_verdict(all, "not enough evidence");
	assert_near(all->diff_worst.value, -0.5);
	assert_near(all->diff_best.value, 0.5);
}

static void metrics_that_only_one_run_has_are_left_out(void **state)
{
	struct fixture *f = *state;
	size_t metric;
	const struct runs_task t = { "t", "10" };
	runs_build_tasks(&f->base, &f->arena, &t, 1);
	runs_build_tasks(&f->cand, &f->arena, &t, 1);
	assert_ok(samples_add_metric(&f->cand, STR("helpful"), number_none(), interval_none(), &metric, &f->error),
	          &f->error);
	(void)compare(f);
	assert_int_equal(f->compare.row_count, 2); /* correct: all and t */
	f->base.metric[0].name = STR("other");
	assert_int_equal(compare_runs(&f->arena, &f->base, &f->cand, compare_defaults(), &f->compare, &f->error),
	                 ERR_NOT_FOUND);
	assert_non_null(strstr(f->error.text, "no metric in common"));
}

static void a_small_arena_is_an_error(void **state)
{
	struct fixture *f = *state;
	example_build(&f->base, &f->arena, 0);
	example_build(&f->cand, &f->arena, 1);
	bool fitted = false;
	for (size_t budget = 1000; budget < 200000 && !fitted; budget += 1000) {
		struct arena arena;
		arena_init(&arena, budget);
		enum err_code code =
			compare_runs(&arena, &f->base, &f->cand, compare_defaults(), &f->compare, &f->error);
		assert_true(code == ERR_OK || code == ERR_LIMIT);
		fitted = code == ERR_OK;
		arena_done(&arena);
	}
	assert_true(fitted);
}

static void add_system(struct samples *s, struct arena *arena, const char *path, const char *system)
{
	FILE *file = fopen(path, "rb");
	assert_non_null(file);
	char *line = arena_new(arena, 1 << 20, 1);
	struct runs_item *items = arena_new(arena, 2000, sizeof(*items));
	size_t n = 0;
	while (fgets(line, 1 << 20, file)) {
		struct json_doc *doc;
		struct error error;
		assert_ok(json_parse(str_trim(str_from(line)), &doc, &error), &error);
		const struct json *root = json_root(doc);
		if (str_eq_c(json_str_or(json_get(root, "system"), STR("")), system)) {
			bool correct = json_i64_or(json_get(root, "correct"), 0) == 1;
			items[n++] = (struct runs_item){ .id = arena_c_str(arena, json_str_or(json_get(root, "item_id"),
				                                                              STR(""))),
				                         .scores = correct ? "1" : "0" };
		}
		json_free(doc);
	}
	(void)fclose(file); /* read only */
	runs_build(s, arena, items, n);
}

static void published_gsm8k_runs_lose_76_and_gain_360(void **state)
{
	struct fixture *f = *state;
	char path[1000];
	const char *shared = getenv("ASSAY_SHARED") ? getenv("ASSAY_SHARED") : "../shared";
	(void)snprintf(path, sizeof(path), "%s/data/gsm8k/model_results.jsonl", shared);
	FILE *there = fopen(path, "rb");
	if (!there) {
		print_message("SKIPPED: %s is not there; set ASSAY_SHARED\n", path);
		skip();
	}
	(void)fclose(there); /* read only */
	add_system(&f->base, &f->arena, path, "175b_finetuning");
	add_system(&f->cand, &f->arena, path, "175b_verification");
	const struct compare_row *all = compare(f);
	assert_int_equal(f->compare.pair_count, 1319);
	assert_int_equal(all->lost, 76);
	assert_int_equal(all->gained, 360);
	assert_true(fabs(all->mean_base.value - 0.3472) < 5e-5 && fabs(all->mean_cand.value - 0.5625) < 5e-5);
	assert_verdict(all, "better");
	assert_int_equal(f->compare.flip_count, 436);
}

#define one(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	json_start();
	const struct CMUnitTest tests[] = {
		one(each_task_gets_its_own_verdict_under_bh),
		one(flips_list_losses_first),
		one(identical_runs_show_no_evidence_and_how_much_they_could_have_seen),
		one(too_few_items_are_not_enough_evidence),
		one(all_items_flipping_one_way_still_have_an_interval),
		one(graded_scores_get_the_paired_t_test),
		one(clusters_go_with_cr1_and_not_with_mcnemar),
		one(identical_clusters_bound_by_their_number_not_their_items),
		one(different_suites_are_not_compared_and_the_reason_is_given),
		one(an_id_whose_content_changed_does_not_pair),
		one(renamed_items_pair_by_content_and_the_rest_is_named),
		one(equal_contents_pair_one_to_one_in_order),
		one(an_id_that_comes_twice_pairs_once),
		one(items_without_weight_take_no_part),
		one(without_a_content_hash_the_id_alone_pairs),
		one(nothing_scored_on_one_side_is_not_enough_evidence),
		one(metrics_that_only_one_run_has_are_left_out),
		one(a_small_arena_is_an_error),
		one(published_gsm8k_runs_lose_76_and_gain_360),
	};
	return cmocka_run_group_tests_name("compare", tests, NULL, NULL);
}
