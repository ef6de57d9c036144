#include "coordinator/stats/missing_policy.h"
#include "coordinator/stats/sum.h"
#include <math.h>

static bool outside_unit(double x)
{
	return !isnan(x) && !(x >= 0 && x <= 1);
}

enum refusal missing_policy_compute(const double *a, const double *b, size_t n, struct missing_policy *ret_policy)
{
	if (n == 0)
		return REFUSAL_EMPTY;
	struct missing_policy r = { .n = n };
	struct sum sum_a = { 0 }, sum_b = { 0 }, both = { 0 };
	for (size_t i = 0; i < n; i++) {
		if (outside_unit(a[i]) || outside_unit(b[i]))
			return REFUSAL_DOMAIN;
		bool has_a = !isnan(a[i]), has_b = !isnan(b[i]);
		if (has_a)
			sum_add(&sum_a, a[i]);
		if (has_b)
			sum_add(&sum_b, b[i]);
		if (has_a && has_b)
			sum_add(&both, a[i] - b[i]);
		r.missing_a += !has_a;
		r.missing_b += !has_b;
		r.n_both += has_a && has_b;
	}
	double count = (double)n, gone_a = (double)r.missing_a, gone_b = (double)r.missing_b;
	double total_a = sum_value(&sum_a), total_b = sum_value(&sum_b);
	if (r.missing_a < n)
		r.mean_a = number_of(total_a / (count - gone_a));
	if (r.n_both > 0)
		r.diff = number_of(sum_value(&both) / (double)r.n_both);
	r.lower_a = total_a / count;
	r.upper_a = (total_a + gone_a) / count;
	r.diff_low = (total_a - (total_b + gone_b)) / count;
	r.diff_high = (total_a + gone_a - total_b) / count;
	*ret_policy = r;
	return REFUSAL_NONE;
}
