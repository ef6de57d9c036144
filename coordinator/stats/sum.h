/* coordinator/stats/sum.h - sums that keep what rounding would drop, and the two moments built on them.
 *
 * Neumaier's form of Kahan's sum, always in index order: the same numbers in the same order give the same bits.
 * Variance is two-pass, so a large common offset costs nothing. Sources: Neumaier 1974; Chan, Golub, LeVeque 1983. */
#ifndef ASSAY_STATS_SUM_H
#define ASSAY_STATS_SUM_H

#include "coordinator/stats/number.h"

struct sum {
	double total, lost;
};

void sum_add(struct sum *s, double value);
double sum_value(const struct sum *s);
double sum_of(const double *x, size_t n);

struct sum_moments {
	size_t n;
	double mean;    /* 0 when n is 0; exactly the value when all are equal */
	double squares; /* sum of squared deviations from the mean; exactly 0 when all are equal */
};

struct sum_moments sum_moments_of(const double *x, size_t n);
struct number sum_variance(struct sum_moments m);  /* ddof 1; undefined below two */
struct number sum_std_error(struct sum_moments m); /* of the mean; undefined below two */

bool sum_usable(double x); /* finite, and small enough that squares and their sums stay finite (1e150) */

/* The first that applies: REFUSAL_EMPTY, REFUSAL_NAN_INPUT, REFUSAL_DOMAIN (not usable); else REFUSAL_NONE. */
enum refusal sum_check_input(const double *x, size_t n) MUST_CHECK;

#endif
