/* coordinator/stats/beta.h - the regularised incomplete beta function and its inverse.
 *
 * The argument comes as a pair x, y with x + y = 1, since whichever is small must not be lost in 1 - the other.
 * Relative error below 1e-12 for parameters up to 1e7, of the smaller side. Source: DLMF 8.17.22 in its even part. */
#ifndef ASSAY_STATS_BETA_H
#define ASSAY_STATS_BETA_H

struct beta_point {
	double x, y; /* y = 1 - x */
};

struct beta_point beta_point_of(double x);
double beta_regular(double a, double b, struct beta_point at); /* I_x(a, b); a, b > 0; x in [0, 1] */

/* The point where I_x(a, b) = lower and 1 - I = upper; the caller gives both, the smaller one decides. */
struct beta_point beta_quantile(double a, double b, double lower, double upper);

#endif
