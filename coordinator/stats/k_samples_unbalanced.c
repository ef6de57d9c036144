#include "coordinator/stats/k_samples_unbalanced.h"
#include "common/base/mem.h"
#include "coordinator/stats/sum.h"
#include <math.h>

struct pooled {
	struct sum squares, inverse_k;
	size_t df;
};

static void components(struct pooled p, struct sum_moments of_means, struct k_samples_unbalanced *r)
{
	double n = (double)of_means.n;
	double within = sum_value(&p.squares) / (double)p.df;
	double raw = sum_variance(of_means).value - within * sum_value(&p.inverse_k) / n;
	r->var_within = number_of(within);
	r->var_between_raw = number_of(raw);
	r->var_between = number_of(raw > 0 ? raw : 0);
	r->se_floor = number_of(sqrt(r->var_between.value / n));
}

enum refusal k_samples_unbalanced_compute(const double *scores, const size_t *k, size_t n,
                                          struct k_samples_unbalanced *ret_variance)
{
	size_t total = 0;
	for (size_t i = 0; i < n; i++) {
		if (k[i] == 0)
			return REFUSAL_EMPTY;
		total += k[i];
	}
	enum refusal refused = sum_check_input(scores, total);
	if (refused)
		return refused;
	double *means = mem_new(n, sizeof(*means));
	struct pooled p = { 0 };
	for (size_t i = 0, at = 0; i < n; at += k[i], i++) {
		struct sum_moments m = sum_moments_of(scores + at, k[i]);
		means[i] = m.mean;
		sum_add(&p.squares, m.squares);
		sum_add(&p.inverse_k, 1 / (double)k[i]);
		p.df += k[i] - 1;
	}
	struct sum_moments of_means = sum_moments_of(means, n);
	mem_free(means);
	struct k_samples_unbalanced r = { .mean = of_means.mean, .se = sum_std_error(of_means) };
	if (n > 1 && p.df > 0)
		components(p, of_means, &r);
	*ret_variance = r;
	return REFUSAL_NONE;
}
