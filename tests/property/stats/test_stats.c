/* Goal: what must hold of any scores: order does not matter, swapping mirrors, bounds enclose, adjusting never helps.
 */
#include "coordinator/stats/binomial.h"
#include "coordinator/stats/clt_mean.h"
#include "coordinator/stats/clustered_mean.h"
#include "coordinator/stats/missing_policy.h"
#include "coordinator/stats/multiple_testing.h"
#include "coordinator/stats/paired_diff.h"
#include "coordinator/stats/permutation_paired.h"
#include "coordinator/stats/proportion_ci.h"
#include "coordinator/stats/sort.h"
#include "coordinator/stats/student.h"
#include "coordinator/stats/vectors.h"
#include "coordinator/stats/wilson_clustered.h"
#include "tests/support/cmocka_all.h"
#include "tests/support/gen.h"
#include <math.h>

enum { N_MAX = 60 };

static bool near(double a, double b)
{
	return fabs(a - b) <= 1e-11 * fmax(1, fmax(fabs(a), fabs(b)));
}

static size_t draw_scores(struct rng *r, double *scores, bool binary)
{
	size_t n = 1 + (size_t)rng_below(r, N_MAX);
	for (size_t i = 0; i < n; i++)
		scores[i] = binary ? (double)rng_below(r, 2) : rng_unit(r);
	return n;
}

static void shuffle(struct rng *r, double *a, double *b, uint32_t *c, size_t n)
{
	for (size_t i = n; i > 1; i--) {
		size_t j = (size_t)rng_below(r, i);
		double keep_a = a[i - 1], keep_b = b[i - 1];
		uint32_t keep_c = c[i - 1];
		a[i - 1] = a[j], b[i - 1] = b[j], c[i - 1] = c[j];
		a[j] = keep_a, b[j] = keep_b, c[j] = keep_c;
	}
}

static void order_does_not_matter(void **state)
{
	(void)state;
	struct rng r;
	for (struct gen_seeds s = gen_seeds(2000); gen_next(&s, &r);) {
		double a[N_MAX], b[N_MAX];
		uint32_t c[N_MAX];
		size_t n = draw_scores(&r, a, gen_chance(&r, 50));
		for (size_t i = 0; i < n; i++) {
			b[i] = rng_unit(&r);
			c[i] = (uint32_t)rng_below(&r, 1 + n / 2);
		}
		struct paired_diff first, second;
		assert_int_equal(paired_diff_compute(a, b, c, n, 0.95, &first), REFUSAL_NONE);
		shuffle(&r, a, b, c, n);
		assert_int_equal(paired_diff_compute(a, b, c, n, 0.95, &second), REFUSAL_NONE);
		assert_true(near(first.diff, second.diff) && near(first.se_paired.value, second.se_paired.value));
		assert_true(near(first.clustered.se_cr1.value, second.clustered.se_cr1.value));
		assert_true(near(first.p_t.value, second.p_t.value));
	}
}

static void swapping_the_runs_mirrors_the_difference(void **state)
{
	(void)state;
	struct rng r;
	for (struct gen_seeds s = gen_seeds(2000); gen_next(&s, &r);) {
		double a[N_MAX], b[N_MAX];
		size_t n = draw_scores(&r, a, gen_chance(&r, 50));
		for (size_t i = 0; i < n; i++)
			b[i] = gen_chance(&r, 50) ? a[i] : rng_unit(&r);
		struct paired_diff ab, ba;
		assert_int_equal(paired_diff_compute(a, b, NULL, n, 0.9, &ab), REFUSAL_NONE);
		assert_int_equal(paired_diff_compute(b, a, NULL, n, 0.9, &ba), REFUSAL_NONE);
		assert_true(ab.diff == -ba.diff && ab.p_t.value == ba.p_t.value);
		assert_true(ab.ci_t.low == -ba.ci_t.high && ab.ci_t.high == -ba.ci_t.low);
		assert_true(ab.t.defined == ba.t.defined && ab.t.value == -ba.t.value);
		struct permutation_paired pab, pba;
		size_t few = n < 12 ? n : 12;
		assert_int_equal(permutation_paired_compute(a, b, few, 1, &pab), REFUSAL_NONE);
		assert_int_equal(permutation_paired_compute(b, a, few, 1, &pba), REFUSAL_NONE);
		assert_true(pab.p_two == pba.p_two && pab.p_greater == pba.p_less);
	}
}

static void intervals_enclose_what_they_are_about(void **state)
{
	(void)state;
	struct rng r;
	for (struct gen_seeds s = gen_seeds(3000); gen_next(&s, &r);) {
		uint64_t n = 1 + rng_below(&r, gen_chance(&r, 50) ? 30 : 100000), k = rng_below(&r, n + 1);
		double level = 0.5 + 0.499 * rng_unit(&r);
		struct proportion_ci ci;
		assert_int_equal(proportion_ci_compute(k, n, level, &ci), REFUSAL_NONE);
		const struct interval inside[] = { ci.wilson, ci.wilson_cc, ci.clopper_pearson, ci.agresti_coull };
		for (size_t i = 0; i < ARRAY_LEN(inside); i++) {
			assert_true(inside[i].low >= 0 && inside[i].high <= 1);
			assert_true(inside[i].low <= ci.p && inside[i].high >= ci.p);
		}
		assert_true(ci.wilson.low < ci.wilson.high);
		assert_true(ci.clopper_pearson.low <= ci.jeffreys.low && ci.jeffreys.high <= ci.clopper_pearson.high);
		double tail = (1 - level) / 2; /* Clopper-Pearson inverts the binomial test */
		if (k > 0)
			assert_true(near(binomial_at_least(k, n, ci.clopper_pearson.low), tail));
		if (k < n)
			assert_true(near(binomial_at_most(k, n, ci.clopper_pearson.high), tail));
	}
}

static void a_quantile_undoes_its_distribution(void **state)
{
	(void)state;
	struct rng r;
	for (struct gen_seeds s = gen_seeds(3000); gen_next(&s, &r);) {
		double df = pow(10, 6 * rng_unit(&r) - 0.3), p = rng_unit(&r);
		if (p == 0)
			continue;
		double t = student_quantile(p, df);
		assert_true(fabs(student_cdf(t, df) - p) < 1e-12);
		double tail = pow(10, -100 * rng_unit(&r));
		double far = student_quantile(tail / 2, df);
		if (far > -1e150)
			assert_true(fabs(student_two_sided(far, df) / tail - 1) < 1e-11);
	}
}

static void clustered_wilson_lies_inside_the_unit_interval(void **state)
{
	(void)state;
	struct rng r;
	for (struct gen_seeds s = gen_seeds(2000); gen_next(&s, &r);) {
		double scores[N_MAX];
		uint32_t c[N_MAX];
		size_t n = draw_scores(&r, scores, gen_chance(&r, 70));
		for (size_t i = 0; i < n; i++)
			c[i] = (uint32_t)rng_below(&r, n);
		struct wilson_clustered w;
		struct clustered_mean m;
		assert_int_equal(clustered_mean_compute(scores, c, n, 0.95, &m), REFUSAL_NONE);
		enum refusal refused = wilson_clustered_compute(scores, c, n, 0.95, &w);
		assert_int_equal(refused, m.cluster_count < 2 ? REFUSAL_TOO_FEW : REFUSAL_NONE);
		if (refused)
			continue;
		assert_true(w.ci.low >= 0 && w.ci.high <= 1 && w.ci.low <= w.p && w.p <= w.ci.high);
		assert_true(w.n_effective > 0 && w.n_effective <= (double)n);
	}
}

static void missing_scores_keep_the_mean_between_their_bounds(void **state)
{
	(void)state;
	struct rng r;
	for (struct gen_seeds s = gen_seeds(3000); gen_next(&s, &r);) {
		double a[N_MAX], b[N_MAX];
		size_t n = draw_scores(&r, a, false), gone = 0;
		for (size_t i = 0; i < n; i++) {
			b[i] = gen_chance(&r, 20) ? NAN : rng_unit(&r);
			a[i] = gen_chance(&r, 20) ? NAN : a[i];
			gone += isnan(a[i]) != 0;
		}
		struct missing_policy p;
		assert_int_equal(missing_policy_compute(a, b, n, &p), REFUSAL_NONE);
		assert_int_equal(p.missing_a, gone);
		assert_true(p.lower_a <= p.upper_a + 1e-15 && near(p.upper_a - p.lower_a, (double)gone / (double)n));
		if (p.mean_a.defined)
			assert_true(p.lower_a <= p.mean_a.value + 1e-12 && p.mean_a.value <= p.upper_a + 1e-12);
		assert_true(near(p.diff_high - p.diff_low, (double)(p.missing_a + p.missing_b) / (double)n));
	}
}

static void adjusting_never_lowers_and_holm_is_never_below_bh(void **state)
{
	(void)state;
	struct rng r;
	for (struct gen_seeds s = gen_seeds(3000); gen_next(&s, &r);) {
		struct number p[N_MAX];
		struct multiple_testing_row rows[N_MAX];
		size_t n = gen_len(&r, N_MAX), m, defined = 0;
		for (size_t i = 0; i < n; i++) {
			double u = rng_unit(&r);
			p[i] = gen_chance(&r, 10) ? number_none() : number_of(gen_chance(&r, 30) ? 0.05 : u * u * u);
			defined += p[i].defined;
		}
		assert_int_equal(multiple_testing_adjust(p, n, rows, &m), REFUSAL_NONE);
		assert_int_equal(m, defined);
		for (size_t i = 0; i < n; i++) {
			assert_true(rows[i].bh.defined == p[i].defined);
			if (!p[i].defined)
				continue;
			assert_true(rows[i].bh.value >= p[i].value && rows[i].bh.value <= rows[i].holm.value + 1e-15);
			assert_true(rows[i].holm.value <= rows[i].bonferroni.value && rows[i].bonferroni.value <= 1);
			assert_true(rows[i].by.value >= rows[i].bh.value);
			for (size_t j = 0; j < n; j++) /* a smaller p is never adjusted to a larger one */
				if (p[j].defined && p[j].value <= p[i].value)
					assert_true(rows[j].bh.value <= rows[i].bh.value &&
					            rows[j].holm.value <= rows[i].holm.value);
		}
	}
}

static void sorting_orders_any_keys(void **state)
{
	(void)state;
	struct rng r;
	for (struct gen_seeds s = gen_seeds(2000); gen_next(&s, &r);) {
		struct sort_entry e[N_MAX], scratch[N_MAX];
		size_t n = gen_len(&r, N_MAX);
		for (size_t i = 0; i < n; i++)
			e[i] = (struct sort_entry){ gen_chance(&r, 50) ? (double)rng_below(&r, 5) : gen_double(&r), i };
		sort_entries(e, n, scratch);
		uint64_t seen = 0;
		for (size_t i = 0; i < n; i++) {
			seen |= (uint64_t)1 << e[i].index;
			if (i > 0)
				assert_true(e[i - 1].key < e[i].key ||
				            (e[i - 1].key == e[i].key && e[i - 1].index < e[i].index));
		}
		assert_true(seen == (((uint64_t)1 << n) - 1));
	}
}

static void no_vector_file_can_break_the_checker(void **state)
{
	(void)state;
	static const char *const whole[] = {
		"{\"method\":\"clustered_mean\",\"format\":1,\"tolerance\":{\"abs\":1e-9,\"rel\":1e-9},\"cases\":[{"
		"\"id\":\"x\","
		"\"input\":{\"scores\":[1,0.5,null,1e200,\"inf\",3],\"clusters\":[1,\"a\",2,2,1,0],\"level\":0.95},"
		"\"expected\":{\"n\":6,\"ci_t\":[0,1]},\"tolerance\":{\"n\":1}}]}",
		"{\"method\":\"k_samples_variance\",\"format\":1,\"cases\":[{\"id\":\"x\",\"input\":{\"scores\":[[1,0],"
		"[0,1],[1,1]],"
		"\"k_pred\":[1,2,4]},\"expected\":{\"mean\":0.5,\"se_pred\":[1,2,3]}}]}",
		"{\"method\":\"pass_at_k\",\"format\":1,\"cases\":[{\"id\":\"x\",\"input\":{\"n\":[3,4],\"c\":[1,2],"
		"\"k\":2},"
		"\"expected\":{\"mean_pass_at_k\":0.5}}]}",
		"{\"method\":\"suite_aggregate\",\"format\":1,\"cases\":[{\"id\":\"x\",\"input\":{\"means\":[1,2],"
		"\"ses\":[0.1,null],"
		"\"sizes\":[3,4],\"weights\":[1,1]},\"expected\":{\"weighted\":0.5}}]}",
		"{\"method\":\"proportion_ci\",\"format\":1,\"cases\":[{\"id\":\"x\",\"input\":{\"k\":3,\"n\":9,"
		"\"level\":0.9},"
		"\"expected\":{\"p\":0.5,\"wilson\":[0,1]}}]}",
	};
	struct rng r;
	for (struct gen_seeds s = gen_seeds(3000); gen_next(&s, &r);) {
		struct buf text, report;
		struct vectors_count count = { 0 };
		buf_init(&text, 100000);
		buf_init(&report, 10000);
		buf_append_c(&text, whole[rng_below(&r, ARRAY_LEN(whole))]);
		if (gen_chance(&r, 90))
			gen_mangle(&r, &text);
		if (vectors_check(buf_str(&text), "m", &report, &count, NULL) == ERR_OK)
			assert_true(count.cases == count.passed + count.failed);
		buf_done(&text);
		buf_done(&report);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		gen_property(order_does_not_matter),
		gen_property(swapping_the_runs_mirrors_the_difference),
		gen_property(intervals_enclose_what_they_are_about),
		gen_property(a_quantile_undoes_its_distribution),
		gen_property(clustered_wilson_lies_inside_the_unit_interval),
		gen_property(missing_scores_keep_the_mean_between_their_bounds),
		gen_property(adjusting_never_lowers_and_holm_is_never_below_bh),
		gen_property(sorting_orders_any_keys),
		gen_property(no_vector_file_can_break_the_checker),
	};
	return cmocka_run_group_tests_name("stats properties", tests, NULL, NULL);
}
