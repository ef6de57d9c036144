#include "coordinator/stats/k_samples_variance.h"
#include "common/base/mem.h"
#include "coordinator/stats/sum.h"
#include <math.h>

static void components(const double *scores, size_t n, size_t k, struct sum_moments of_means,
                       struct k_samples_variance *r)
{
	struct sum within = { 0 };
	for (size_t i = 0; i < n; i++)
		sum_add(&within, sum_variance(sum_moments_of(scores + i * k, k)).value);
	double var_within = sum_value(&within) / (double)n;
	double raw = sum_variance(of_means).value - var_within / (double)k;
	double between = raw > 0 ? raw : 0;
	r->var_within = number_of(var_within);
	r->var_between_raw = number_of(raw);
	r->var_between = number_of(between);
	r->se_floor = number_of(sqrt(between / (double)n));
	if (raw + var_within != 0)
		r->icc1 = number_of(raw / (raw + var_within));
}

enum refusal k_samples_variance_compute(const double *scores, size_t n, size_t k,
                                        struct k_samples_variance *ret_variance)
{
	enum refusal refused = sum_check_input(scores, n * k);
	if (refused)
		return refused;
	double *means = mem_new(n, sizeof(*means));
	for (size_t i = 0; i < n; i++)
		means[i] = sum_moments_of(scores + i * k, k).mean;
	struct sum_moments of_means = sum_moments_of(means, n);
	mem_free(means);
	struct k_samples_variance r = {
		.mean = of_means.mean,
		.se = sum_std_error(of_means),
		.naive_se = sum_std_error(sum_moments_of(scores, n * k)),
	};
	if (n > 1 && k > 1)
		components(scores, n, k, of_means, &r);
	*ret_variance = r;
	return REFUSAL_NONE;
}

struct number k_samples_variance_predict(const struct k_samples_variance *v, size_t n, size_t k)
{
	if (!v->var_within.defined || n == 0 || k == 0)
		return number_none();
	return number_of(sqrt((v->var_between.value + v->var_within.value / (double)k) / (double)n));
}
