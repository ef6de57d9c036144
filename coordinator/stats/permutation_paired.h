/* coordinator/stats/permutation_paired.h - the sign-flip test of a mean paired difference of 0. STATISTICS.md 4.
 *
 * Exact over all 2^n sign vectors up to PERMUTATION_PAIRED_EXACT_MAX differences, the observed one included; beyond it
 * a Monte-Carlo estimate (1 + b) / (1 + B) by the caller's seed. Sums closer than a relative 1e-9 count as equal, so
 * that rounding breaks no tie. Zero differences stay in. For clusters pass the cluster sums. */
#ifndef ASSAY_STATS_PERMUTATION_PAIRED_H
#define ASSAY_STATS_PERMUTATION_PAIRED_H

#include "coordinator/stats/number.h"

enum { PERMUTATION_PAIRED_VERSION = 1, PERMUTATION_PAIRED_EXACT_MAX = 20, PERMUTATION_PAIRED_DRAWS = 100000 };

struct permutation_paired {
	double diff;
	double p_two, p_greater, p_less;
	bool exact;
	uint64_t seed, draws; /* of a Monte-Carlo estimate; stored with it */
};

/* Refuses: empty, nan_input, domain. */
enum refusal permutation_paired_compute(const double *a, const double *b, size_t n, uint64_t seed,
                                        struct permutation_paired *ret_test) MUST_CHECK;

#endif
