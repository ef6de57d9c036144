/* coordinator/stats/wilson_clustered.h - Wilson for 0..1 scores that share clusters. STATISTICS.md 2.1.
 *
 * Korn and Graubard 1998: Wilson's formula at the effective size min(p (1 - p) / se_cr1^2, n), which is n when p is 0
 * or 1 or the clusters agree exactly, with t(C-1) as the critical value. */
#ifndef ASSAY_STATS_WILSON_CLUSTERED_H
#define ASSAY_STATS_WILSON_CLUSTERED_H

#include "coordinator/stats/number.h"

enum { WILSON_CLUSTERED_VERSION = 1 };

struct wilson_clustered {
	double p, n_effective;
	struct interval ci;
	size_t cluster_count;
};

/* clusters: numbers below n. Refuses: empty, nan_input, domain (a score outside [0, 1]), too_few (one cluster). */
enum refusal wilson_clustered_compute(const double *scores, const uint32_t *clusters, size_t n, double level,
                                      struct wilson_clustered *ret_wilson) MUST_CHECK;

#endif
