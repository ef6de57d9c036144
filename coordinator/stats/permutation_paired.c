#include "coordinator/stats/permutation_paired.h"
#include "common/base/mem.h"
#include "common/base/rng.h"
#include "coordinator/stats/paired_diff.h"
#include "coordinator/stats/sum.h"
#include <math.h>

struct tally {
	double observed, slack;
	uint64_t two, greater, less;
};

static void count(struct tally *t, double total)
{
	t->two += fabs(total) >= fabs(t->observed) - t->slack;
	t->greater += total >= t->observed - t->slack;
	t->less += total <= t->observed + t->slack;
}

/* sums[m]: the sum of n differences with the signs of those in mask m turned. */
static void signed_sums(const double *d, size_t n, double *sums)
{
	for (uint64_t mask = 0; mask < (uint64_t)1 << n; mask++) {
		double total = 0;
		for (size_t i = 0; i < n; i++)
			total += mask >> i & 1 ? -d[i] : d[i];
		sums[mask] = total;
	}
}

static void enumerate(const double *d, size_t n, struct tally *t)
{
	size_t half = n / 2, rest = n - half;
	size_t many = (size_t)1 << half, more = (size_t)1 << rest;
	double *first = mem_new(many + more, sizeof(*first)), *second = first + many;
	signed_sums(d, half, first);
	signed_sums(d + half, rest, second);
	for (size_t i = 0; i < many; i++)
		for (size_t j = 0; j < more; j++)
			count(t, first[i] + second[j]);
	mem_free(first);
}

static void draw(const double *d, size_t n, uint64_t seed, struct tally *t)
{
	struct rng rng;
	rng_seed(&rng, seed);
	for (int i = 0; i < PERMUTATION_PAIRED_DRAWS; i++) {
		double total = 0;
		uint64_t signs = 0;
		for (size_t j = 0; j < n; j++, signs >>= 1) {
			if (j % 64 == 0)
				signs = rng_next(&rng);
			total += signs & 1 ? -d[j] : d[j];
		}
		count(t, total);
	}
}

enum refusal permutation_paired_compute(const double *a, const double *b, size_t n, uint64_t seed,
                                        struct permutation_paired *ret_test)
{
	enum refusal refused = sum_check_input(a, n);
	if (!refused)
		refused = sum_check_input(b, n);
	if (refused)
		return refused;
	double *d = mem_new(n, sizeof(*d));
	paired_diff_differences(a, b, n, d);
	struct sum total = { 0 }, size = { 0 };
	for (size_t i = 0; i < n; i++) {
		sum_add(&total, d[i]);
		sum_add(&size, fabs(d[i]));
	}
	struct tally t = { .observed = sum_value(&total) };
	t.slack = 1e-9 * fabs(t.observed) + 1e-14 * sum_value(&size);
	struct permutation_paired r = { .diff = t.observed / (double)n, .exact = n <= PERMUTATION_PAIRED_EXACT_MAX };
	double of;
	if (r.exact) {
		enumerate(d, n, &t);
		of = ldexp(1, (int)n);
	} else {
		draw(d, n, seed, &t);
		t.two++, t.greater++, t.less++;
		r.seed = seed;
		r.draws = PERMUTATION_PAIRED_DRAWS;
		of = 1.0 + PERMUTATION_PAIRED_DRAWS;
	}
	mem_free(d);
	r.p_two = (double)t.two / of;
	r.p_greater = (double)t.greater / of;
	r.p_less = (double)t.less / of;
	*ret_test = r;
	return REFUSAL_NONE;
}
