#include "coordinator/stats/power_paired.h"
#include "coordinator/stats/normal.h"
#include "coordinator/stats/sum.h"
#include <math.h>

double power_paired_factor(double alpha, double power)
{
	return normal_critical(1 - alpha) + normal_quantile(power);
}

static bool inside_unit(double p)
{
	return p > 0 && p < 1;
}

enum refusal power_paired_compute(const struct power_paired_question *q, struct power_paired *ret_power)
{
	if (!inside_unit(q->alpha) || !inside_unit(q->power) || !(q->k_a > 0 && q->k_b > 0 && q->n_given > 0))
		return REFUSAL_DOMAIN;
	if (!(q->omega2 >= 0 && q->sigma2_a >= 0 && q->sigma2_b >= 0))
		return REFUSAL_DOMAIN;
	double v = q->omega2 + q->sigma2_a / q->k_a + q->sigma2_b / q->k_b, delta = fabs(q->delta);
	if (!(v > 0 && delta > 0) || !sum_usable(v) || !sum_usable(delta) || !sum_usable(q->n_given))
		return REFUSAL_DOMAIN;
	double factor = power_paired_factor(q->alpha, q->power);
	double critical = normal_critical(1 - q->alpha), shift = delta * sqrt(q->n_given / v);
	double n = factor * factor * v / (delta * delta);
	*ret_power = (struct power_paired){
		.n = n,
		.n_ceil = ceil(n - 1e-9),
		.mde = factor * sqrt(v / q->n_given),
		.power_at_n = normal_cdf(shift - critical),
		.power_exact = normal_cdf(shift - critical) + normal_cdf(-shift - critical),
	};
	return REFUSAL_NONE;
}
