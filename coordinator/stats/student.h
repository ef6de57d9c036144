/* coordinator/stats/student.h - Student's t distribution with any df > 0, through the incomplete beta function.
 *
 * Relative error below 1e-12 in the tails and of the quantiles, for |t| up to 1e150. t may be infinite. */
#ifndef ASSAY_STATS_STUDENT_H
#define ASSAY_STATS_STUDENT_H

double student_cdf(double t, double df);
double student_upper(double t, double df);        /* P(T > t) */
double student_two_sided(double t, double df);    /* P(|T| > |t|) */
double student_quantile(double p, double df);     /* p in (0, 1) */
double student_critical(double level, double df); /* t with P(|T| <= t) = level, level in (0, 1) */

#endif
