/* coordinator/stats/missing_policy.h - what missing scores can do to a mean and to a difference. STATISTICS.md 0, 3.
 *
 * A NaN marks a missing score, here and nowhere else. Scores lie in [0, 1]; bounds score every missing item 0 or 1.
 * The difference is over the items that both have; its bounds are over all items. */
#ifndef ASSAY_STATS_MISSING_POLICY_H
#define ASSAY_STATS_MISSING_POLICY_H

#include "coordinator/stats/number.h"

enum { MISSING_POLICY_VERSION = 1 };

struct missing_policy {
	size_t n, missing_a, missing_b;
	struct number mean_a;
	double lower_a, upper_a;
	size_t n_both;
	struct number diff; /* a minus b */
	double diff_low, diff_high;
};

/* Refuses: empty, domain (a score outside [0, 1]). */
enum refusal missing_policy_compute(const double *a, const double *b, size_t n,
                                    struct missing_policy *ret_policy) MUST_CHECK;

#endif
