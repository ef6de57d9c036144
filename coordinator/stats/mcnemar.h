/* coordinator/stats/mcnemar.h - two runs of 0/1 scores over the same independent items. STATISTICS.md 4.
 *
 * Only items that differ count. n10: first right and second wrong; n01: the reverse. The exact p is the default. No
 * discordant item: p = 1, chi-square undefined. The corrected chi-square is not floored at 0 (as statsmodels). */
#ifndef ASSAY_STATS_MCNEMAR_H
#define ASSAY_STATS_MCNEMAR_H

#include "coordinator/stats/number.h"

enum { MCNEMAR_VERSION = 1 };

struct mcnemar_table {
	uint64_t n11, n10, n01, n00;
};

struct mcnemar {
	double diff, flip_rate, se_diff;
	double p_exact, p_mid; /* two-sided */
	double p_greater;      /* evidence that the first is better */
	struct number chi2, p_chi2, chi2_cc, p_chi2_cc;
	struct number odds_ratio; /* n10 / n01 */
};

/* Refuses: empty, domain (a count above NUMBER_COUNT_MAX). */
enum refusal mcnemar_compute(struct mcnemar_table t, struct mcnemar *ret_test) MUST_CHECK;

#endif
