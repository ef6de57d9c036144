#include "coordinator/stats/normal.h"
#include "common/base/check.h"
#include <math.h>

static const double inverse_sqrt_2 = 0.70710678118654752440;
static const double inverse_sqrt_2pi = 0.39894228040143267794;

double normal_cdf(double x)
{
	return 0.5 * erfc(-x * inverse_sqrt_2);
}

double normal_upper(double x)
{
	return 0.5 * erfc(x * inverse_sqrt_2);
}

double normal_two_sided(double z)
{
	return erfc(fabs(z) * inverse_sqrt_2);
}

/* x > 0 with P(X > x) = q, q in (0, 0.5): a rational start (Abramowitz and Stegun 26.2.23, good to 4.5e-4), then
 * Halley's method, which triples the digits each time. */
static double upper_quantile(double q)
{
	double t = sqrt(-2 * log(q));
	double x =
		t - (2.515517 + t * (0.802853 + t * 0.010328)) / (1 + t * (1.432788 + t * (0.189269 + t * 0.001308)));
	for (int i = 0; i < 4; i++) {
		double density = inverse_sqrt_2pi * exp(-0.5 * x * x);
		if (density == 0)
			break;
		double h = (normal_upper(x) - q) / density;
		double step = h / (1 - 0.5 * x * h);
		x += step;
		if (fabs(step) <= 1e-9 * fabs(x))
			break; /* the next one would be below rounding */
	}
	return x;
}

double normal_quantile(double p)
{
	check(p >= 0 && p <= 1);
	if (p == 0)
		return -INFINITY;
	if (p == 1)
		return INFINITY;
	if (p == 0.5)
		return 0;
	return p < 0.5 ? -upper_quantile(p) : upper_quantile(1 - p);
}

double normal_critical(double level)
{
	check(level > 0 && level < 1);
	return -normal_quantile((1 - level) / 2);
}
