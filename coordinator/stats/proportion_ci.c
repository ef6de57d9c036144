#include "coordinator/stats/proportion_ci.h"
#include "coordinator/stats/beta.h"
#include "coordinator/stats/normal.h"
#include "coordinator/stats/wilson.h"
#include <math.h>

/* The lower bound with continuity correction; the upper one is 1 minus that of the misses. */
static double wilson_cc_low(double k, double n, double z)
{
	if (k == 0)
		return 0;
	double p = k / n, z2 = z * z;
	double inside = z2 - 2 - 1 / n + 4 * p * (n - k + 1);
	return fmax(0, (2 * k + z2 - 1 - z * sqrt(fmax(0, inside))) / (2 * (n + z2)));
}

/* Quantiles of Beta(k + add, n - k + 1 - add): add 0 for a lower Clopper-Pearson bound, 1/2 for Jeffreys. */
static double beta_low(double k, double n, double add, double tail)
{
	return k == 0 ? 0 : beta_quantile(k + add, n - k + 1 - add, tail, 1 - tail).x;
}

static double beta_high(double k, double n, double add, double tail)
{
	return k == n ? 1 : beta_quantile(n - k + add, k + 1 - add, tail, 1 - tail).y;
}

enum refusal proportion_ci_compute(uint64_t k, uint64_t n, double level, struct proportion_ci *ret_ci)
{
	if (n == 0)
		return REFUSAL_EMPTY;
	if (k > n || n > NUMBER_COUNT_MAX || !(level > 0 && level < 1))
		return REFUSAL_DOMAIN;
	double hits = (double)k, count = (double)n, p = hits / count, z = normal_critical(level), z2 = z * z;
	double tail = (1 - level) / 2, wider = count + z2, centre = (hits + z2 / 2) / wider;
	*ret_ci = (struct proportion_ci){
		.p = p,
		.wilson = wilson_interval(p, count, z),
		.wilson_cc = interval_of(wilson_cc_low(hits, count, z), 1 - wilson_cc_low(count - hits, count, z)),
		.clopper_pearson = interval_of(beta_low(hits, count, 0, tail), beta_high(hits, count, 0, tail)),
		.jeffreys = interval_of(beta_low(hits, count, 0.5, tail), beta_high(hits, count, 0.5, tail)),
		.agresti_coull = interval_clamp(interval_around(centre, z * sqrt(centre * (1 - centre) / wider)), 0, 1),
		.wald = interval_around(p, z * sqrt(p * (1 - p) / count)),
	};
	return REFUSAL_NONE;
}

double proportion_ci_zero_hits(double n, double confidence)
{
	return -expm1(log1p(-confidence) / n);
}
