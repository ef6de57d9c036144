#include "coordinator/stats/binomial.h"
#include "common/base/check.h"
#include "coordinator/stats/beta.h"
#include "coordinator/stats/saddle.h"
#include <math.h>

double binomial_pmf(uint64_t k, uint64_t n, double p)
{
	check(k <= n && p >= 0 && p <= 1);
	double count = (double)n, hits = (double)k, misses = (double)(n - k), q = 1 - p;
	if (p == 0 || p == 1)
		return hits == count * p ? 1 : 0;
	if (k == 0)
		return exp(count * log1p(-p));
	if (k == n)
		return exp(count * log(p));
	double error = saddle_stirling_error(count) - saddle_stirling_error(hits) - saddle_stirling_error(misses);
	double deviance = saddle_deviance(hits, count * p) + saddle_deviance(misses, count * q);
	return exp(error - deviance) * sqrt(count / (2 * 3.14159265358979323846 * hits * misses));
}

double binomial_at_most(uint64_t k, uint64_t n, double p)
{
	if (k >= n)
		return 1;
	return beta_regular((double)(n - k), (double)k + 1, (struct beta_point){ 1 - p, p });
}

double binomial_at_least(uint64_t k, uint64_t n, double p)
{
	if (k == 0)
		return 1;
	if (k > n)
		return 0;
	return beta_regular((double)k, (double)(n - k) + 1, (struct beta_point){ p, 1 - p });
}
