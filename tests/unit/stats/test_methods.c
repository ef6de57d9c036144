/* Goal: what the reference vectors do not ask: figures worked out by hand, noise, edges, and refusals by name. */
#include "coordinator/stats/clt_mean.h"
#include "coordinator/stats/clustered_mean.h"
#include "coordinator/stats/k_samples_unbalanced.h"
#include "coordinator/stats/k_samples_variance.h"
#include "coordinator/stats/mcnemar.h"
#include "coordinator/stats/multiple_testing.h"
#include "coordinator/stats/paired_diff.h"
#include "coordinator/stats/pass_at_k.h"
#include "coordinator/stats/permutation_paired.h"
#include "coordinator/stats/power_paired.h"
#include "coordinator/stats/proportion_ci.h"
#include "coordinator/stats/suite_aggregate.h"
#include "coordinator/stats/wilson.h"
#include "coordinator/stats/wilson_clustered.h"
#include "tests/support/cmocka_all.h"
#include <math.h>

#define assert_near(got, want) assert_near_at((got), (want), #got, __FILE__, __LINE__)

static void assert_near_at(double got, double want, const char *what, const char *file, int line)
{
	if (fabs(got - want) <= 1e-10 * fmax(1, fabs(want)))
		return;
	print_error("%s is %.17g, should be %.17g\n", what, got, want);
	_fail(file, line);
}

static void an_undefined_number_stays_undefined_and_a_refusal_has_its_name(void **state)
{
	(void)state;
	assert_false(number_none().defined);
	assert_true(number_or(number_none(), 7) == 7 && number_or(number_of(2), 7) == 2);
	assert_false(interval_clamp(interval_none(), 0, 1).defined);
	struct interval i = interval_clamp(interval_around(0.9, 0.3), 0, 1);
	assert_near(i.low, 0.6);
	assert_true(i.high == 1);
	assert_string_equal(refusal_name(REFUSAL_EMPTY), "empty");
	assert_string_equal(refusal_name(REFUSAL_LENGTH_MISMATCH), "length_mismatch");
	assert_string_equal(refusal_name(REFUSAL_NO_CONVERGENCE), "no_convergence");
	assert_string_equal(refusal_name(REFUSAL_COUNT), "?");
}

static void twenty_right_of_twenty_are_not_certain(void **state)
{
	(void)state;
	struct proportion_ci r;
	assert_int_equal(proportion_ci_compute(20, 20, 0.95, &r), REFUSAL_NONE);
	assert_true(fabs(r.wilson.low - 0.839) < 5e-4); /* STATISTICS.md 0, rule 4 */
	assert_true(r.wilson.high == 1);
	assert_near(r.clopper_pearson.low, pow(0.025, 0.05));
	assert_near(proportion_ci_zero_hits(20, 0.95), 1 - pow(0.05, 0.05));
	struct interval low = wilson_interval(1e-12, 1e6, 1.96); /* no cancellation next to 0 */
	assert_true(low.low > 0 && low.low < 1e-12 && low.high > 1e-12);
	assert_int_equal(proportion_ci_compute(1, 2, 1, &r), REFUSAL_DOMAIN);
}

static void rounding_noise_is_no_difference(void **state)
{
	(void)state;
	static const double a[] = { 0.1 + 0.2, 0.7 + 0.1, 0.3 }, b[] = { 0.3, 0.8, 0.1 + 0.2 };
	static const double shifted[] = { 0.6, 0.5, 0.4 }, base[] = { 0.5, 0.4, 0.3 };
	struct paired_diff r;
	assert_int_equal(paired_diff_compute(a, b, NULL, 3, 0.95, &r), REFUSAL_NONE);
	assert_true(r.diff == 0 && r.p_t.value == 1 && !r.t.defined);
	assert_int_equal(paired_diff_compute(shifted, base, NULL, 3, 0.95, &r), REFUSAL_NONE);
	assert_near(r.diff, 0.1);
	assert_true(r.se_paired.value == 0 && r.t.value == INFINITY && r.p_t.value == 0);
	static const double near[] = { 1, 1 + 1e-12 }, zero[] = { 0, 0 }; /* small is not noise */
	assert_int_equal(paired_diff_compute(near, zero, NULL, 2, 0.95, &r), REFUSAL_NONE);
	assert_true(r.se_paired.value > 0);
}

static void the_variance_of_a_difference_is_smaller_by_twice_the_covariance(void **state)
{
	(void)state;
	static const double a[] = { 1, 1, 0, 1, 0, 1 }, b[] = { 1, 0, 0, 1, 0, 1 };
	struct paired_diff r;
	assert_int_equal(paired_diff_compute(a, b, NULL, 6, 0.95, &r), REFUSAL_NONE);
	double var_a = 4.0 / 15, var_b = 3.0 / 10; /* 6 (2/3)(1/3) / 5, 6 (1/2)(1/2) / 5 */
	assert_near(r.se_unpaired.value, sqrt((var_a + var_b) / 6));
	assert_near(r.se_paired.value, sqrt(1.0 / 36)); /* d = one 1 of six: var 5/30 */
	assert_near(r.se_paired.value * r.se_paired.value,
	            (var_a + var_b - 2 * r.corr.value * sqrt(var_a * var_b)) / 6);
	assert_near(r.t.value, 1);
	assert_near(r.df, 5);
}

static void numbers_that_cannot_be_squared_are_refused(void **state)
{
	(void)state;
	static const double huge[] = { 1e200, -1e200 }, fine[] = { 0, 1 };
	static const uint32_t clusters[] = { 0, 1 }, outside[] = { 0, 2 };
	struct clt_mean m;
	struct clustered_mean c;
	struct paired_diff d;
	assert_int_equal(clt_mean_compute(huge, 2, 0.95, &m), REFUSAL_DOMAIN);
	assert_int_equal(clt_mean_compute(fine, 2, 0, &m), REFUSAL_DOMAIN);
	assert_int_equal(clt_mean_compute(fine, 2, NAN, &m), REFUSAL_DOMAIN);
	assert_int_equal(clustered_mean_compute(huge, clusters, 2, 0.95, &c), REFUSAL_DOMAIN);
	assert_int_equal(clustered_mean_compute(fine, outside, 2, 0.95, &c), REFUSAL_DOMAIN);
	assert_int_equal(clustered_mean_compute(fine, clusters, 2, 1.5, &c), REFUSAL_DOMAIN);
	assert_int_equal(paired_diff_compute(fine, huge, NULL, 2, 0.95, &d), REFUSAL_DOMAIN);
	assert_int_equal(paired_diff_compute(fine, fine, outside, 2, 0.95, &d), REFUSAL_DOMAIN);
}

static void clusters_that_agree_inside_count_as_one_item_each(void **state)
{
	(void)state;
	static const double scores[] = { 1, 1, 0, 0, 1, 1, 0, 0 };
	static const uint32_t clusters[] = { 5, 5, 0, 0, 7, 7, 2, 2 }; /* numbers may be unused */
	struct clustered_mean r;
	struct wilson_clustered w;
	assert_int_equal(clustered_mean_compute(scores, clusters, 8, 0.95, &r), REFUSAL_NONE);
	assert_int_equal(r.cluster_count, 4);
	assert_near(r.se_cr0.value, sqrt(4.0) / 8);
	assert_near(r.se_cr1.value, sqrt(4.0) / 8 * sqrt(4.0 / 3));
	assert_int_equal(wilson_clustered_compute(scores, clusters, 8, 0.95, &w), REFUSAL_NONE);
	assert_near(w.n_effective, 3); /* 0.25 / (1/12) */
}

static void a_thousand_questions_show_three_points_of_a_spread_of_a_third(void **state)
{
	(void)state;
	struct power_paired_question q = {
		.alpha = 0.05, .power = 0.8, .delta = -0.03, .omega2 = 1.0 / 9, .k_a = 1, .k_b = 1, .n_given = 969
	};
	struct power_paired r;
	assert_int_equal(power_paired_compute(&q, &r), REFUSAL_NONE);
	assert_near(r.n_ceil, 969);
	assert_near(r.mde, power_paired_factor(0.05, 0.8) / 3 / sqrt(969));
	q.k_b = 0;
	assert_int_equal(power_paired_compute(&q, &r), REFUSAL_DOMAIN);
	q.k_b = 1;
	q.power = 1;
	assert_int_equal(power_paired_compute(&q, &r), REFUSAL_DOMAIN);
}

static void doubling_the_answers_of_uniform_questions_removes_a_third_of_the_variance(void **state)
{
	(void)state;
	struct k_samples_variance v = { .var_within = number_of(1.0 / 6), .var_between = number_of(1.0 / 12) };
	double one = k_samples_variance_predict(&v, 50, 1).value, two = k_samples_variance_predict(&v, 50, 2).value;
	assert_near(two * two / (one * one), 2.0 / 3);
	assert_false(k_samples_variance_predict(&v, 0, 1).defined);
	static const double scores[] = { 1, 0, 1, 1 };
	static const size_t counts[] = { 3, 1 };
	struct k_samples_unbalanced u;
	assert_int_equal(k_samples_unbalanced_compute(scores, counts, 2, &u), REFUSAL_NONE);
	assert_near(u.mean, 5.0 / 6); /* every question weighs the same */
	assert_near(u.var_within.value, 1.0 / 3);
	assert_int_equal(k_samples_variance_compute(scores, 0, 1, &v), REFUSAL_EMPTY);
}

static void seven_flips_one_way_have_an_exact_p_of_two_in_128(void **state)
{
	(void)state;
	struct mcnemar r;
	assert_int_equal(mcnemar_compute((struct mcnemar_table){ .n11 = 31, .n10 = 7, .n01 = 0, .n00 = 22 }, &r),
	                 REFUSAL_NONE);
	assert_near(r.p_exact, 2.0 / 128);
	assert_near(r.p_mid, 1.0 / 128);
	assert_near(r.p_greater, 1.0 / 128);
	assert_near(r.diff, 7.0 / 60);
	assert_false(r.odds_ratio.defined);
	const struct mcnemar_table huge = { .n11 = UINT64_MAX, .n10 = 1 };
	assert_int_equal(mcnemar_compute(huge, &r), REFUSAL_DOMAIN);
}

static void adjusting_keeps_places_and_leaves_undefined_out(void **state)
{
	(void)state;
	const struct number p[] = { number_of(0.04), number_none(), number_of(0.01), number_of(0.03) };
	struct multiple_testing_row rows[4];
	size_t m;
	assert_int_equal(multiple_testing_adjust(p, 4, rows, &m), REFUSAL_NONE);
	assert_int_equal(m, 3);
	assert_near(rows[0].holm.value, 0.06);
	assert_near(rows[2].holm.value, 0.03);
	assert_near(rows[3].holm.value, 0.06);
	assert_near(rows[0].bh.value, 0.04);
	assert_near(rows[2].bh.value, 0.03);
	assert_near(rows[3].bh.value, 0.04);
	assert_near(rows[0].by.value, 0.04 * 11 / 6);
	assert_near(rows[0].bonferroni.value, 0.12);
	assert_false(rows[1].bh.defined || rows[1].holm.defined);
	const struct number negative = { -0.1, true };
	assert_int_equal(multiple_testing_adjust(&negative, 1, rows, &m), REFUSAL_DOMAIN);
}

static void pass_at_k_of_large_counts_does_not_lose_its_digits(void **state)
{
	(void)state;
	struct pass_at_k r;
	assert_int_equal(pass_at_k_compute(1000000, 1, 500000, &r), REFUSAL_NONE);
	assert_near(r.pass_at_k, 0.5);
	assert_int_equal(pass_at_k_compute(1000000, 500000, 1, &r), REFUSAL_NONE);
	assert_near(r.pass_at_k, 0.5);
	assert_near(r.pass_hat_k, 0.5);
	assert_int_equal(pass_at_k_compute(5, 3, 2, &r), REFUSAL_NONE);
	assert_near(r.pass_at_k, 0.9);
	assert_near(r.pass_hat_k, 0.3);
	assert_int_equal(pass_at_k_compute(0, 0, 1, &r), REFUSAL_TOO_FEW);
	assert_int_equal(pass_at_k_compute(UINT64_MAX, UINT64_MAX / 2, UINT64_MAX / 2, &r),
	                 REFUSAL_DOMAIN); /* not for years */
	struct pass_at_k_benchmark b;
	assert_int_equal(pass_at_k_compute_benchmark(NULL, NULL, 0, 1, &b), REFUSAL_EMPTY);
}

static void suites_without_a_size_or_weight_are_refused(void **state)
{
	(void)state;
	struct suite_aggregate_part part = { .mean = 0.5, .se = number_of(0.1), .size = 0, .weight = 1 };
	struct suite_aggregate r;
	assert_int_equal(suite_aggregate_compute(&part, 1, &r), REFUSAL_DOMAIN);
	part.size = NAN;
	assert_int_equal(suite_aggregate_compute(&part, 1, &r), REFUSAL_NAN_INPUT);
	part.size = 1;
	assert_int_equal(suite_aggregate_compute(&part, 1, &r), REFUSAL_NONE);
	assert_false(r.se_pooled.defined); /* one item in all: the pooled formula has no degrees of freedom */
	assert_true(r.se_stratified.defined);
}

static void a_drawn_permutation_p_is_near_the_exact_one_and_follows_its_seed(void **state)
{
	(void)state;
	double a[24], b[24] = { 0 };
	for (size_t i = 0; i < 24; i++)
		a[i] = i < 16 ? 1 : -1; /* 16 against 8: the sum of signs, twice the upper tail from 16 on */
	struct permutation_paired first, second;
	assert_int_equal(permutation_paired_compute(a, b, 24, 5, &first), REFUSAL_NONE);
	assert_int_equal(permutation_paired_compute(a, b, 24, 5, &second), REFUSAL_NONE);
	double exact = 0.15158963203430176, draws = PERMUTATION_PAIRED_DRAWS; /* 2 P(X >= 16), X ~ B(24, 1/2) */
	assert_false(first.exact);
	assert_int_equal(first.draws, PERMUTATION_PAIRED_DRAWS);
	assert_true(first.p_two == second.p_two);
	assert_true(fabs(first.p_two - exact) < 5 * sqrt(exact * (1 - exact) / draws) + 2 / draws);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_undefined_number_stays_undefined_and_a_refusal_has_its_name),
		cmocka_unit_test(twenty_right_of_twenty_are_not_certain),
		cmocka_unit_test(rounding_noise_is_no_difference),
		cmocka_unit_test(the_variance_of_a_difference_is_smaller_by_twice_the_covariance),
		cmocka_unit_test(numbers_that_cannot_be_squared_are_refused),
		cmocka_unit_test(clusters_that_agree_inside_count_as_one_item_each),
		cmocka_unit_test(a_thousand_questions_show_three_points_of_a_spread_of_a_third),
		cmocka_unit_test(doubling_the_answers_of_uniform_questions_removes_a_third_of_the_variance),
		cmocka_unit_test(seven_flips_one_way_have_an_exact_p_of_two_in_128),
		cmocka_unit_test(adjusting_keeps_places_and_leaves_undefined_out),
		cmocka_unit_test(pass_at_k_of_large_counts_does_not_lose_its_digits),
		cmocka_unit_test(suites_without_a_size_or_weight_are_refused),
		cmocka_unit_test(a_drawn_permutation_p_is_near_the_exact_one_and_follows_its_seed),
	};
	return cmocka_run_group_tests_name("methods", tests, NULL, NULL);
}
