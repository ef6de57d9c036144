/* coordinator/stats/gamma.h - the regularised incomplete gamma function and the chi-square tail that it gives.
 *
 * Relative error below 1e-12. Source: DLMF 8.7 (series) and 8.9 (continued fraction). */
#ifndef ASSAY_STATS_GAMMA_H
#define ASSAY_STATS_GAMMA_H

double gamma_lower(double a, double x);             /* P(a, x), a > 0, x >= 0 */
double gamma_upper(double a, double x);             /* Q(a, x) = 1 - P, accurate when small */
double gamma_chi_square_upper(double x, double df); /* P(X > x) for chi-square with df > 0 degrees of freedom */

#endif
