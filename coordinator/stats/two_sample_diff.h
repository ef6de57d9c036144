/* coordinator/stats/two_sample_diff.h - the difference of two means over different items (Welch). STATISTICS.md 1.4.
 *
 * Only where the items really differ (public against holdout); two models on one suite are paired_diff. Below two
 * scores on a side everything but the difference is undefined; without any spread df and the t interval are. */
#ifndef ASSAY_STATS_TWO_SAMPLE_DIFF_H
#define ASSAY_STATS_TWO_SAMPLE_DIFF_H

#include "coordinator/stats/number.h"

enum { TWO_SAMPLE_DIFF_VERSION = 1 };

struct two_sample_diff {
	double diff; /* mean of a minus mean of b */
	struct number se, z, p_z, t, df, p_t;
	struct number p_t_less, p_t_greater; /* mean_a < mean_b, mean_a > mean_b */
	struct interval ci_t, ci_z;
	struct number cohen_d, hedges_g; /* by the pooled standard deviation */
};

/* Refuses: empty (either side), nan_input, domain. */
enum refusal two_sample_diff_compute(const double *a, size_t n_a, const double *b, size_t n_b, double level,
                                     struct two_sample_diff *ret_diff) MUST_CHECK;

#endif
