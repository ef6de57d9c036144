/* coordinator/stats/clustered_mean.h - the mean of scores that share sources, errors clustered. STATISTICS.md 1.2.
 *
 * A cluster is a number below n; numbers may be unused. CR0 is the sandwich form without a small-sample factor, CR1
 * multiplies it by sqrt(C / (C - 1)) and goes with t(C-1) (the product's default), paper is Miller 2024. With one
 * cluster every clustered field is undefined. */
#ifndef ASSAY_STATS_CLUSTERED_MEAN_H
#define ASSAY_STATS_CLUSTERED_MEAN_H

#include "coordinator/stats/number.h"

enum { CLUSTERED_MEAN_VERSION = 1 };

struct clustered_mean {
	size_t n, cluster_count;
	double mean;
	struct number se_iid, se_cr0, se_paper, se_cr1;
	struct interval ci_t, ci_z_cr0;
	struct number design_effect; /* se_cr1^2 / se_iid^2, undefined when se_iid is 0; not clipped */
};

/* Refuses: empty, nan_input, domain (infinite score, cluster >= n, level outside (0, 1)). */
enum refusal clustered_mean_compute(const double *scores, const uint32_t *clusters, size_t n, double level,
                                    struct clustered_mean *ret_mean) MUST_CHECK;

#endif
