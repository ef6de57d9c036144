/* Goal: a run's figures can be worked out by hand: means over items, the right interval, what is missing and what that
 * could change. */
#include "coordinator/evidence/summary.h"
#include "coordinator/stats/clustered_mean.h"
#include "coordinator/stats/normal.h"
#include "coordinator/stats/power_paired.h"
#include "coordinator/stats/student.h"
#include "coordinator/stats/weighting.h"
#include "coordinator/stats/wilson_clustered.h"
#include "tests/unit/evidence/runs.h"
#include <math.h>

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
	struct samples samples;
	struct summary summary;
};

static int setup(void **state)
{
	static struct fixture f;
	arena_init(&f.arena, 64 << 20);
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	samples_done(&f->samples);
	arena_done(&f->arena);
	return 0;
}

static const struct summary_row *summarise(struct fixture *f)
{
	struct error error;
	assert_ok(summary_compute(&f->arena, &f->samples, 0.95, &f->summary, &error), &error);
	return summary_find(&f->summary, 0, SUMMARY_ALL, SUMMARY_ALL);
}

static const struct summary_row *summarise_items(struct fixture *f, const struct runs_item *items, size_t count)
{
	runs_build(&f->samples, &f->arena, items, count);
	return summarise(f);
}

static void binary_scores_get_wilson_by_slice(void **state)
{
	struct fixture *f = *state;
	char refund[200], where[200], *at = refund;
	runs_fill(&at, '1', 38);
	runs_fill(&at, '0', 22);
	at = where;
	runs_fill(&at, '1', 57);
	runs_fill(&at, '0', 3);
	const struct runs_task tasks[] = { { "refund", refund }, { "where-is-my-order", where } };
	runs_build_tasks(&f->samples, &f->arena, tasks, 2);
	const struct summary_row *all = summarise(f), *row = summary_find(&f->summary, 0, 0, 0);
	assert_int_equal(f->summary.row_count, 3);
	assert_int_equal(all->n, 120);
	assert_int_equal(all->passed, 95);
	assert_int_equal(row->passed, 38);
	assert_near(row->mean.value, 38.0 / 60);
	assert_int_equal(row->method, SUMMARY_WILSON);
	assert_true(fabs(row->interval.low - 0.507) < 5e-4 && fabs(row->interval.high - 0.744) < 5e-4);
	row = summary_find(&f->summary, 0, 0, 1);
	assert_true(fabs(row->interval.low - 0.863) < 5e-4 && fabs(row->interval.high - 0.983) < 5e-4);
	assert_str_equal_c(summary_label(&f->samples, 0, 1), "where-is-my-order");
	assert_str_equal_c(summary_label(&f->samples, SUMMARY_ALL, SUMMARY_ALL), "all");
	assert_null(summary_find(&f->summary, 0, 0, 2));
}

static void all_right_still_has_a_width(void **state)
{
	struct fixture *f = *state;
	const struct runs_task task = { "t", "11111111111111111111" };
	runs_build_tasks(&f->samples, &f->arena, &task, 1);
	const struct summary_row *all = summarise(f);
	assert_true(fabs(all->interval.low - 0.839) < 5e-4 && all->interval.high == 1);
	assert_true(all->se.value == 0 && all->detectable.value > 0.15);
}

static void epochs_are_averaged_inside_an_item_before_n_is_counted(void **state)
{
	struct fixture *f = *state;
	static const struct runs_item items[] = {
		{ .id = "a", .task = "t", .scores = "11" },
		{ .id = "b", .task = "t", .scores = "10" },
		{ .id = "c", .task = "t", .scores = "00" },
		{ .id = "d", .task = "t", .scores = "1-" },
	};
	const struct summary_row *all = summarise_items(f, items, 4);
	assert_int_equal(all->n, 4);
	assert_int_equal(all->sample_count, 8);
	assert_int_equal(all->scored_count, 7);
	assert_near(all->mean.value, 2.5 / 4);
	double var = (0.375 * 0.375 + 0.125 * 0.125 + 0.625 * 0.625 + 0.375 * 0.375) / 3;
	assert_near(all->se.value, sqrt(var / 4));
	assert_int_equal(all->method, SUMMARY_CLT_T);
	assert_near(all->interval.low, fmax(0, 0.625 - student_critical(0.95, 3) * sqrt(var / 4)));
	assert_true(all->interval.high == 1); /* no possible score lies above */
	assert_near(all->worst.value, 2.0 / 4);
	assert_near(all->best.value, 2.5 / 4);
	assert_near(all->detectable.value, power_paired_factor(0.05, 0.8) * sqrt(2 * var / 4));
}

static void missing_is_counted_by_cause_and_bounded_not_scored(void **state)
{
	struct fixture *f = *state;
	const struct runs_task task = { "t", "111000rt--uqc.a" };
	runs_build_tasks(&f->samples, &f->arena, &task, 1);
	const struct summary_row *all = summarise(f);
	assert_int_equal(all->item_count, 15);
	assert_int_equal(all->n, 8); /* a refusal and a truncated answer are answers */
	assert_near(all->mean.value, 3.0 / 8);
	assert_int_equal(all->missing[OUTCOME_PROVIDER_ERROR], 2);
	assert_int_equal(all->missing[OUTCOME_UNSCORED], 1);
	assert_int_equal(all->missing[OUTCOME_QUARANTINED], 1);
	assert_int_equal(all->missing[OUTCOME_CANCELLED], 1);
	assert_int_equal(all->missing[OUTCOME_NOT_RUN], 2); /* one of them came after the end */
	assert_int_equal(all->missing[OUTCOME_SCORED], 0);
	assert_int_equal(summary_missing(all), 7);
	assert_int_equal(all->refused, 1);
	assert_int_equal(all->truncated, 1);
	assert_near(all->worst.value, 3.0 / 15);
	assert_near(all->best.value, 10.0 / 15);
	assert_int_equal(all->cost_nanousd, 13 * 1000); /* what came after the end was paid for as well */
	assert_int_equal(all->tokens_in, 130);
	assert_near(all->latency_p50_ms.value, 100);
}

static void nothing_answered_has_no_mean_but_bounds(void **state)
{
	struct fixture *f = *state;
	const struct runs_task task = { "t", "--" };
	runs_build_tasks(&f->samples, &f->arena, &task, 1);
	const struct summary_row *all = summarise(f);
	assert_int_equal(all->n, 0);
	assert_false(all->mean.defined || all->interval.defined || all->se.defined || all->detectable.defined);
	assert_true(all->worst.value == 0 && all->best.value == 1);
}

static void shared_clusters_widen_the_interval(void **state)
{
	struct fixture *f = *state;
	static const struct runs_item items[] = {
		{ .id = "a", .task = "t", .scores = "1", .cluster = "x" },
		{ .id = "b", .task = "t", .scores = "1", .cluster = "x" },
		{ .id = "c", .task = "t", .scores = "0", .cluster = "y" },
		{ .id = "d", .task = "t", .scores = "0", .cluster = "y" },
		{ .id = "e", .task = "t", .scores = "1" },
		{ .id = "g", .task = "t", .scores = "0", .cluster = "z" },
	};
	static const double scores[] = { 1, 1, 0, 0, 1, 0 };
	static const uint32_t clusters[] = { 0, 0, 1, 1, 2, 3 };
	struct wilson_clustered want;
	assert_int_equal(wilson_clustered_compute(scores, clusters, 6, 0.95, &want), REFUSAL_NONE);
	const struct summary_row *all = summarise_items(f, items, 6);
	assert_int_equal(all->cluster_count, 4);
	assert_int_equal(all->method, SUMMARY_WILSON_CLUSTERED);
	assert_near(all->effective_n.value, want.n_effective);
	assert_near(all->interval.low, want.ci.low);
	assert_near(all->interval.high, want.ci.high);
}

static void graded_clusters_get_cr1_and_never_less_than_iid(void **state)
{
	struct fixture *f = *state;
	static const struct runs_item items[] = {
		/* opposite inside each cluster: CR1 alone would be next to nothing */
		{ .id = "a", .task = "t", .scores = "2", .cluster = "x" },
		{ .id = "b", .task = "t", .scores = "8", .cluster = "x" },
		{ .id = "c", .task = "t", .scores = "3", .cluster = "y" },
		{ .id = "d", .task = "t", .scores = "7", .cluster = "y" },
		{ .id = "e", .task = "t", .scores = "4", .cluster = "z" },
		{ .id = "g", .task = "t", .scores = "6", .cluster = "z" },
	};
	static const double scores[] = { 0.2, 0.8, 0.3, 0.7, 0.4, 0.6 };
	static const uint32_t clusters[] = { 0, 0, 1, 1, 2, 2 };
	struct clustered_mean want;
	assert_int_equal(clustered_mean_compute(scores, clusters, 6, 0.95, &want), REFUSAL_NONE);
	assert_true(want.se_cr1.value < want.se_iid.value);
	const struct summary_row *all = summarise_items(f, items, 6);
	assert_int_equal(all->method, SUMMARY_CLUSTERED_T);
	assert_near(all->se.value, want.se_iid.value);
	assert_near(all->interval.high - all->mean.value, student_critical(0.95, 2) * want.se_iid.value);
}

static void one_cluster_has_no_interval(void **state)
{
	struct fixture *f = *state;
	static const struct runs_item items[] = { { .id = "a", .task = "t", .scores = "1", .cluster = "x" },
		                                  { .id = "b", .task = "t", .scores = "0", .cluster = "x" } };
	const struct summary_row *all = summarise_items(f, items, 2);
	assert_near(all->mean.value, 0.5);
	assert_false(all->se.defined || all->interval.defined);
	assert_int_equal(all->method, SUMMARY_NO_INTERVAL);
}

static void weights_are_carried_through(void **state)
{
	struct fixture *f = *state;
	static const struct runs_item items[] = {
		{ .id = "a", .task = "t", .scores = "5", .weight = 3 },
		{ .id = "b", .task = "t", .scores = "2", .weight = 1 },
		{ .id = "c", .task = "t", .scores = "9", .weight = 2 },
	};
	static const double x[] = { 0.5, 0.2, 0.9 }, w[] = { 3, 1, 2 };
	struct weighting want;
	assert_int_equal(weighting_compute(x, w, NULL, 3, &want), REFUSAL_NONE);
	const struct summary_row *all = summarise_items(f, items, 3);
	assert_near(all->mean.value, (1.5 + 0.2 + 1.8) / 6);
	assert_near(all->se.value, want.se.value);
	assert_near(all->effective_n.value, 36.0 / 14);
	assert_int_equal(all->method, SUMMARY_WEIGHTED_T);
}

static void all_right_under_weights_counts_as_the_weights_effective_size(void **state)
{
	struct fixture *f = *state;
	static const struct runs_item items[] = { { .id = "a", .scores = "1", .weight = 3 },
		                                  { .id = "b", .scores = "1" },
		                                  { .id = "c", .scores = "1", .weight = 2 } };
	const struct summary_row *all = summarise_items(f, items, 3);
	double z = normal_critical(0.95), ess = 36.0 / 14;
	assert_int_equal(all->method, SUMMARY_WILSON_WEIGHTED);
	assert_near(all->effective_n.value, ess);
	assert_near(all->interval.low, ess / (ess + z * z));
}

static void equal_graded_scores_are_no_point_interval(void **state)
{
	struct fixture *f = *state;
	const struct runs_task task = { "t", "5555" };
	runs_build_tasks(&f->samples, &f->arena, &task, 1);
	const struct summary_row *all = summarise(f);
	assert_near(all->mean.value, 0.5);
	assert_true(all->se.defined && all->se.value == 0);
	assert_false(all->interval.defined);
}

static void a_score_outside_its_range_costs_the_bounds_not_the_mean(void **state)
{
	struct fixture *f = *state;
	struct error error;
	const struct runs_task task = { "t", "10-" };
	runs_build_tasks(&f->samples, &f->arena, &task, 1);
	assert_ok(samples_set_score(&f->samples, 0, 0, 0, OUTCOME_SCORED, 7, &error), &error);
	const struct summary_row *all = summarise(f);
	assert_near(all->mean.value, 3.5);
	assert_false(all->worst.defined || all->best.defined);
}

static void rows_that_fit_nowhere_are_refused_by_name(void **state)
{
	struct fixture *f = *state;
	struct error error;
	const struct runs_task task = { "t", "10" };
	runs_build_tasks(&f->samples, &f->arena, &task, 1);
	struct samples *s = &f->samples;
	size_t index;
	assert_int_equal(samples_set_score(s, 0, 2, 0, OUTCOME_SCORED, 1, &error), ERR_INVALID);
	assert_int_equal(samples_set_score(s, 0, 0, 1, OUTCOME_SCORED, 1, &error), ERR_INVALID);
	assert_non_null(strstr(error.text, "epoch 1"));
	assert_int_equal(samples_set_score(s, 0, 0, 0, OUTCOME_SCORED, NAN, &error), ERR_INVALID);
	assert_int_equal(samples_set_score(s, 1, 0, 0, OUTCOME_SCORED, 1, &error), ERR_INVALID);
	assert_int_equal(samples_set_score(s, 0, 0, 0, OUTCOME_COUNT, 1, &error), ERR_INVALID);
	assert_int_equal(samples_set_row(s, &(struct samples_row){ .item = 9 }, &error), ERR_INVALID);
	assert_int_equal(samples_set_group(s, 1, 0, STR("x"), &error), ERR_INVALID);
	assert_int_equal(samples_set_cluster(s, 2, STR("x"), &error), ERR_INVALID);
	assert_int_equal(samples_set_item(s, 0, STR("x"), (struct hash){ 0 }, -1, &error), ERR_INVALID);
	assert_int_equal(samples_add_metric(s, STR("correct"), number_none(), interval_none(), &index, &error),
	                 ERR_INVALID);
	assert_int_equal(samples_add_dimension(s, STR("task"), &index, &error), ERR_INVALID);
}

static void a_small_arena_is_an_error_not_a_crash(void **state)
{
	struct fixture *f = *state;
	struct error error;
	for (size_t budget = 1000; budget < 60000; budget += 700) {
		struct arena arena;
		struct samples s;
		struct summary summary;
		size_t metric;
		arena_init(&arena, budget);
		enum err_code code = samples_init(&s, &arena, 100, 2, &error);
		if (!code)
			code = samples_add_metric(&s, STR("m"), number_none(), interval_of(0, 1), &metric, &error);
		if (!code)
			code = summary_compute(&arena, &s, 0.95, &summary, &error);
		assert_true(code == ERR_OK || code == ERR_LIMIT);
		samples_done(&s);
		arena_done(&arena);
	}
	const struct runs_task task = { "t", "1" };
	runs_build_tasks(&f->samples, &f->arena, &task, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(binary_scores_get_wilson_by_slice, setup, teardown),
		cmocka_unit_test_setup_teardown(all_right_still_has_a_width, setup, teardown),
		cmocka_unit_test_setup_teardown(epochs_are_averaged_inside_an_item_before_n_is_counted, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(missing_is_counted_by_cause_and_bounded_not_scored, setup, teardown),
		cmocka_unit_test_setup_teardown(nothing_answered_has_no_mean_but_bounds, setup, teardown),
		cmocka_unit_test_setup_teardown(shared_clusters_widen_the_interval, setup, teardown),
		cmocka_unit_test_setup_teardown(graded_clusters_get_cr1_and_never_less_than_iid, setup, teardown),
		cmocka_unit_test_setup_teardown(one_cluster_has_no_interval, setup, teardown),
		cmocka_unit_test_setup_teardown(weights_are_carried_through, setup, teardown),
		cmocka_unit_test_setup_teardown(all_right_under_weights_counts_as_the_weights_effective_size, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(equal_graded_scores_are_no_point_interval, setup, teardown),
		cmocka_unit_test_setup_teardown(a_score_outside_its_range_costs_the_bounds_not_the_mean, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(rows_that_fit_nowhere_are_refused_by_name, setup, teardown),
		cmocka_unit_test_setup_teardown(a_small_arena_is_an_error_not_a_crash, setup, teardown),
	};
	return cmocka_run_group_tests_name("summary", tests, NULL, NULL);
}
