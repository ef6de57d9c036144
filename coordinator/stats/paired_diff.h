/* coordinator/stats/paired_diff.h - the difference of two runs over the same items. STATISTICS.md 1.3.
 *
 * d = a - b by item; the clustered part applies clustered_mean to d. No spread in d: a mean of 0 gives p = 1 and no
 * statistic, any other mean p = 0 and an infinite one (then show the exact test as well). Differences below the
 * rounding of their own operands count as 0, and as equal when that is all that tells them apart: 0.1 + 0.2 against
 * 0.3 is no difference. */
#ifndef ASSAY_STATS_PAIRED_DIFF_H
#define ASSAY_STATS_PAIRED_DIFF_H

#include "coordinator/stats/number.h"

enum { PAIRED_DIFF_VERSION = 1 };

struct paired_diff_clustered {
	size_t cluster_count;
	struct number se_cr0, se_cr1, t;
	double df;
	struct number p_t;
	struct interval ci_t;
};

struct paired_diff {
	size_t n;
	double mean_a, mean_b, diff;
	struct number se_paired, se_unpaired, corr;
	struct number z, p_z, t;
	double df;
	struct number p_t;
	struct interval ci_z, ci_t;
	bool is_clustered; /* clusters were given */
	struct paired_diff_clustered clustered;
};

/* clusters may be NULL. Refuses: empty, nan_input, domain. */
enum refusal paired_diff_compute(const double *a, const double *b, const uint32_t *clusters, size_t n, double level,
                                 struct paired_diff *ret_diff) MUST_CHECK;

/* d = a - b with rounding noise taken out, as above; d holds n. */
void paired_diff_differences(const double *a, const double *b, size_t n, double *d);

#endif
