/* coordinator/stats/normal.h - the standard normal distribution.
 *
 * Relative error below 1e-12 in both tails down to 1e-300. Upper tails have their own functions: 1 - cdf loses them.
 * Any thread. */
#ifndef ASSAY_STATS_NORMAL_H
#define ASSAY_STATS_NORMAL_H

double normal_cdf(double x);
double normal_upper(double x);        /* P(X > x) */
double normal_two_sided(double z);    /* P(|X| > |z|) */
double normal_quantile(double p);     /* p in [0, 1]; -inf and inf at the ends */
double normal_critical(double level); /* z with P(|X| <= z) = level, level in (0, 1) */

#endif
