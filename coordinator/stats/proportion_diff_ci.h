/* coordinator/stats/proportion_diff_ci.h - Newcombe's hybrid interval for a difference of two independent shares.
 *
 * From the two Wilson intervals, without continuity correction. Source: Newcombe 1998, method 10. */
#ifndef ASSAY_STATS_PROPORTION_DIFF_CI_H
#define ASSAY_STATS_PROPORTION_DIFF_CI_H

#include "coordinator/stats/number.h"

enum { PROPORTION_DIFF_CI_VERSION = 1 };

struct proportion_diff_ci {
	double diff; /* k1/n1 - k2/n2 */
	struct interval newcombe;
};

/* Refuses: empty (n1 or n2 is 0), domain. */
enum refusal proportion_diff_ci_compute(uint64_t k1, uint64_t n1, uint64_t k2, uint64_t n2, double level,
                                        struct proportion_diff_ci *ret_ci) MUST_CHECK;

#endif
