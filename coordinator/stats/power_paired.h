/* coordinator/stats/power_paired.h - how many items a paired comparison needs, and what it can see. STATISTICS.md 1.6.
 *
 * Two-sided test at alpha, v = omega2 + sigma2_a / k_a + sigma2_b / k_b the variance of one item's difference:
 * n = (z_{1-alpha/2} + z_power)^2 v / delta^2. */
#ifndef ASSAY_STATS_POWER_PAIRED_H
#define ASSAY_STATS_POWER_PAIRED_H

#include "coordinator/stats/number.h"

enum { POWER_PAIRED_VERSION = 1 };

struct power_paired_question {
	double alpha, power;
	double delta;              /* difference to be seen */
	double omega2;             /* variance over items of the difference of expected scores */
	double sigma2_a, sigma2_b; /* variance within an item */
	double k_a, k_b;           /* samples an item */
	double n_given;            /* items, for mde and power_at_n */
};

struct power_paired {
	double n;
	double n_ceil; /* whole items */
	double mde;    /* smallest difference seen with n_given items */
	double power_at_n;
	double power_exact; /* with the far tail */
};

/* Refuses: domain (no difference, no variance, alpha or power outside (0, 1), k or n not positive, a NaN). */
enum refusal power_paired_compute(const struct power_paired_question *q, struct power_paired *ret_power) MUST_CHECK;

/* z_{1-alpha/2} + z_power, so that a standard error times it is the smallest detectable difference. */
double power_paired_factor(double alpha, double power);

#endif
