/* Goal: the distributions give values that can be worked out by hand, to 1e-12, in both tails and at the edges. */
#include "coordinator/stats/beta.h"
#include "coordinator/stats/binomial.h"
#include "coordinator/stats/gamma.h"
#include "coordinator/stats/normal.h"
#include "coordinator/stats/saddle.h"
#include "coordinator/stats/sort.h"
#include "coordinator/stats/student.h"
#include "coordinator/stats/sum.h"
#include "tests/support/cmocka_all.h"
#include <math.h>

#define assert_near(got, want) assert_near_at((got), (want), 1e-12, #got, __FILE__, __LINE__)

static void assert_near_at(double got, double want, double relative, const char *what, const char *file, int line)
{
	if (got == want || fabs(got - want) <= relative * fabs(want))
		return;
	print_error("%s is %.17g, should be %.17g\n", what, got, want);
	_fail(file, line);
}

static const double pi = 3.14159265358979323846;

static void the_normal_distribution_has_its_known_points(void **state)
{
	(void)state;
	assert_near(normal_cdf(0), 0.5);
	assert_near(normal_cdf(1.959963984540054), 0.975);
	assert_near(normal_upper(10), 7.619853024160526e-24);
	assert_near(normal_two_sided(-1), 0.31731050786291410);
	assert_near(normal_quantile(0.975), 1.9599639845400542);
	assert_near(normal_quantile(0.025), -1.9599639845400542);
	assert_near(normal_quantile(1e-300), -37.0470962993611992);
	assert_near(normal_critical(0.95), 1.9599639845400542);
	assert_true(normal_quantile(0.5) == 0);
	assert_true(normal_quantile(0) == -INFINITY && normal_quantile(1) == INFINITY);
}

static void student_is_cauchy_at_one_and_algebraic_at_two_and_four_degrees(void **state)
{
	(void)state;
	for (double t = -20; t <= 20; t += 0.37) {
		double two = 0.5 + t / (2 * sqrt(2 + t * t));
		double s = t / sqrt(4 + t * t), four = 0.5 + 0.75 * (s - s * s * s / 3);
		assert_true(fabs(student_cdf(t, 1) - (0.5 + atan(t) / pi)) < 1e-15);
		assert_true(fabs(student_cdf(t, 2) - two) < 1e-15);
		assert_true(fabs(student_cdf(t, 4) - four) < 1e-14);
	}
	assert_near(student_quantile(0.975, 1), tan(pi * 0.475));
	assert_near(student_quantile(0.975, 2), 0.95 * sqrt(2 / (1 - 0.95 * 0.95)));
	assert_near(student_critical(0.95, 2), student_quantile(0.975, 2));
	assert_near(student_two_sided(1e9, 1), 2 * atan(1e-9) / pi); /* where 1 - cdf would be 0 */
	assert_true(student_two_sided(INFINITY, 3) == 0 && student_two_sided(0, 3) == 1);
	assert_true(student_quantile(0.5, 7) == 0);
	assert_near_at(student_quantile(0.975, 1e9), normal_quantile(0.975), 1e-8, "t at large df", __FILE__, __LINE__);
}

static void the_incomplete_beta_function_is_a_polynomial_for_whole_parameters(void **state)
{
	(void)state;
	for (double x = 0.01; x < 1; x += 0.07) {
		struct beta_point at = beta_point_of(x);
		assert_near(beta_regular(1, 1, at), x);
		assert_near(beta_regular(3, 1, at), x * x * x);
		assert_near(beta_regular(1, 4, at), 1 - pow(1 - x, 4));
		assert_near(beta_regular(2, 2, at), x * x * (3 - 2 * x));
		assert_near(beta_regular(0.5, 0.5, at), 2 / pi * asin(sqrt(x)));
	}
	assert_true(beta_regular(2, 3, beta_point_of(0)) == 0 && beta_regular(2, 3, beta_point_of(1)) == 1);
	assert_near(beta_quantile(1, 10, 0.025, 0.975).x, 1 - pow(0.975, 0.1));
	assert_near(beta_quantile(10, 1, 0.025, 0.975).x, pow(0.025, 0.1));
	assert_near(beta_quantile(0.5, 0.5, 0.25, 0.75).x, 0.5 - sqrt(0.125));
	assert_true(beta_quantile(3, 4, 0, 1).x == 0 && beta_quantile(3, 4, 1, 0).y == 0);
}

static void the_incomplete_gamma_function_is_exponential_at_one_and_erf_at_a_half(void **state)
{
	(void)state;
	for (double x = 0.01; x < 60; x *= 1.9) {
		assert_near(gamma_lower(1, x), -expm1(-x));
		assert_near(gamma_upper(1, x), exp(-x));
		assert_near(gamma_upper(2, x), (1 + x) * exp(-x));
		assert_near(gamma_lower(0.5, x), erf(sqrt(x)));
		assert_near(gamma_upper(0.5, x), erfc(sqrt(x)));
		assert_near(gamma_chi_square_upper(x, 2), exp(-x / 2));
		assert_near(gamma_chi_square_upper(x, 1), erfc(sqrt(x / 2)));
	}
	assert_true(gamma_lower(3, 0) == 0 && gamma_upper(3, 0) == 1 && gamma_upper(3, INFINITY) == 0);
}

static void binomial_tails_are_sums_of_exact_fractions(void **state)
{
	(void)state;
	assert_near(binomial_at_most(0, 7, 0.5), 1.0 / 128);
	assert_near(binomial_at_most(2, 10, 0.5), 56.0 / 1024);
	assert_near(binomial_at_least(8, 10, 0.5), 56.0 / 1024);
	assert_near(binomial_pmf(5, 10, 0.5), 252.0 / 1024);
	assert_near(binomial_pmf(3, 4, 0.25), 3.0 / 64);
	assert_near(binomial_pmf(0, 1000, 0.5), pow(0.5, 1000));
	assert_true(binomial_at_most(4, 4, 0.3) == 1 && binomial_at_least(0, 4, 0.3) == 1);
	assert_true(binomial_at_least(5, 4, 0.3) == 0 && binomial_pmf(0, 4, 0) == 1 && binomial_pmf(4, 4, 1) == 1);
	assert_true(binomial_pmf(1, 4, 0) == 0);
}

static void stirlings_error_is_what_the_factorial_has_over_its_formula(void **state)
{
	(void)state;
	double factorial = 1;
	for (int n = 1; n <= 20; n++) {
		factorial *= n;
		double formula = (n + 0.5) * log(n) - n + 0.5 * log(2 * pi);
		assert_true(fabs(saddle_stirling_error(n) - (log(factorial) - formula)) < 2e-14);
	}
	assert_near(saddle_deviance(3, 2), 3 * log(1.5) - 1);
	assert_near(saddle_deviance(100, 200), 100 * log(0.5) + 100);
	assert_near(saddle_deviance(0, 5), 5);
	assert_true(saddle_deviance(7, 7) == 0);
}

static void sums_keep_what_rounding_drops(void **state)
{
	(void)state;
	static const double swamped[] = { 1, 1e100, 1, -1e100 };
	assert_true(sum_of(swamped, 4) == 2);
	double tenths[1000];
	for (size_t i = 0; i < 1000; i++)
		tenths[i] = 0.1;
	struct sum_moments m = sum_moments_of(tenths, 1000);
	assert_true(m.mean == 0.1 && m.squares == 0);
	static const double offset[] = { 1e9 + 1, 1e9 + 2, 1e9 + 3, 1e9 + 4 };
	assert_near(sum_variance(sum_moments_of(offset, 4)).value, 5.0 / 3);
	static const double coarse[] = { 1e16, 1e16 + 2, 1e16 + 2 }; /* the mean itself is rounded by 2/3 here */
	assert_near(sum_variance(sum_moments_of(coarse, 3)).value, 4.0 / 3);
	assert_false(sum_variance(sum_moments_of(offset, 1)).defined);
	assert_false(sum_std_error(sum_moments_of(offset, 0)).defined);
	static const double bad[] = { 1, 1e200, NAN };
	assert_int_equal(sum_check_input(bad, 0), REFUSAL_EMPTY);
	assert_int_equal(sum_check_input(bad, 1), REFUSAL_NONE);
	assert_int_equal(sum_check_input(bad, 2), REFUSAL_DOMAIN);
	assert_int_equal(sum_check_input(bad, 3), REFUSAL_NAN_INPUT);
}

static void sorting_keeps_the_order_of_equal_keys(void **state)
{
	(void)state;
	struct sort_entry e[] = { { 2, 0 }, { 1, 1 }, { 2, 2 }, { -1, 3 }, { 1, 4 }, { 2, 5 }, { 0, 6 } };
	static const size_t want[] = { 3, 6, 1, 4, 0, 2, 5 };
	struct sort_entry scratch[ARRAY_LEN(e)];
	sort_entries(e, ARRAY_LEN(e), scratch);
	for (size_t i = 0; i < ARRAY_LEN(e); i++)
		assert_int_equal(e[i].index, want[i]);
	assert_near(sort_quantile(e, 7, 0.5), 1);
	assert_near(sort_quantile(e, 4, 0.5), 0.5); /* of -1 0 1 1 */
	assert_near(sort_quantile(e, 4, 1), 1);
	sort_entries(e, 0, scratch);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_normal_distribution_has_its_known_points),
		cmocka_unit_test(student_is_cauchy_at_one_and_algebraic_at_two_and_four_degrees),
		cmocka_unit_test(the_incomplete_beta_function_is_a_polynomial_for_whole_parameters),
		cmocka_unit_test(the_incomplete_gamma_function_is_exponential_at_one_and_erf_at_a_half),
		cmocka_unit_test(binomial_tails_are_sums_of_exact_fractions),
		cmocka_unit_test(stirlings_error_is_what_the_factorial_has_over_its_formula),
		cmocka_unit_test(sums_keep_what_rounding_drops),
		cmocka_unit_test(sorting_keeps_the_order_of_equal_keys),
	};
	return cmocka_run_group_tests_name("special", tests, NULL, NULL);
}
