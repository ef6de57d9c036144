/* coordinator/stats/clt_mean.h - the mean of independent scores, with its standard error. STATISTICS.md 1.1.
 *
 * Variance ddof 1; intervals mean +- q se with z and with t(n-1), not clipped. One score: a mean, no error bar. */
#ifndef ASSAY_STATS_CLT_MEAN_H
#define ASSAY_STATS_CLT_MEAN_H

#include "coordinator/stats/number.h"

enum { CLT_MEAN_VERSION = 1 };

struct clt_mean {
	size_t n;
	double mean;
	struct number var, se;
	struct interval ci_z, ci_t;
};

/* Refuses: empty, nan_input, domain (an infinite score, a level outside (0, 1)). */
enum refusal clt_mean_compute(const double *scores, size_t n, double level, struct clt_mean *ret_mean) MUST_CHECK;

#endif
