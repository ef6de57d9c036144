/* coordinator/stats/proportion_ci.h - intervals for a share of k in n. STATISTICS.md 2.1.
 *
 * Wilson is the default; Clopper-Pearson guarantees its coverage (safety claims); the others are for comparison.
 * wald is not clipped to [0, 1]. */
#ifndef ASSAY_STATS_PROPORTION_CI_H
#define ASSAY_STATS_PROPORTION_CI_H

#include "coordinator/stats/number.h"

enum { PROPORTION_CI_VERSION = 1 };

struct proportion_ci {
	double p;
	struct interval wilson, wilson_cc, clopper_pearson, jeffreys, agresti_coull, wald;
};

/* Refuses: empty (n is 0), domain (k > n, n above NUMBER_COUNT_MAX, level outside (0, 1)). */
enum refusal proportion_ci_compute(uint64_t k, uint64_t n, double level, struct proportion_ci *ret_ci) MUST_CHECK;

/* 1 - P(no hit at this rate in n trials) = confidence: what n trials without a hit still allow. n > 0. */
double proportion_ci_zero_hits(double n, double confidence);

#endif
