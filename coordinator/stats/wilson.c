#include "coordinator/stats/wilson.h"
#include "common/base/check.h"
#include <math.h>

/* The smaller root of x^2 (1 + c) - x (2 p + c) + p^2 = 0, c = critical^2 / n, as p^2 over the larger one. */
static double lower(double p, double c)
{
	return p == 0 ? 0 : p * p / (p + c / 2 + sqrt(c * p * (1 - p) + c * c / 4));
}

struct interval wilson_interval(double p, double n_effective, double critical)
{
	check(p >= 0 && p <= 1 && n_effective > 0 && critical > 0);
	double c = critical * critical / n_effective;
	return interval_of(fmin(lower(p, c), p), fmax(1 - lower(1 - p, c), p));
}
