/* coordinator/stats/weighting.h - a weighted mean, its error, and how many items the weights leave. STATISTICS.md 10.
 *
 * The standard error is linearised with the factor n / (n - 1) (n counts positive weights): the HC1 one of a weighted
 * regression on a constant. ess is Kish's effective size, deff = n / ess. The clustered error is the same with whole
 * clusters as terms and C / (C - 1); equal weights give clt_mean's and clustered_mean's errors. */
#ifndef ASSAY_STATS_WEIGHTING_H
#define ASSAY_STATS_WEIGHTING_H

#include "coordinator/stats/number.h"

enum { WEIGHTING_VERSION = 1 };

struct weighting {
	size_t n;
	double mean, ess, deff;
	struct number se;
	size_t cluster_count;     /* 0 without clusters */
	struct number se_cluster; /* CR1; undefined below two clusters */
};

/* clusters (numbers below n) may be NULL. Refuses: empty, nan_input, domain (a negative weight, no weight at all). */
enum refusal weighting_compute(const double *x, const double *w, const uint32_t *clusters, size_t n,
                               struct weighting *ret_weighting) MUST_CHECK;

#endif
