#include "coordinator/stats/pass_at_k.h"
#include "common/base/mem.h"
#include "coordinator/stats/sum.h"
#include <math.h>

/* ln of C(n - c, k) / C(n, k): k of the n are drawn and none is among the c. The shorter product of the two forms. */
static double log_none(uint64_t n, uint64_t c, uint64_t k)
{
	uint64_t steps = MIN_OF(c, k), other = MAX_OF(c, k);
	struct sum logs = { 0 };
	for (uint64_t i = 0; i < steps; i++)
		sum_add(&logs, log1p(-(double)other / (double)(n - i)));
	return sum_value(&logs);
}

/* C(c, k) / C(n, k) */
static double all_pass(uint64_t n, uint64_t c, uint64_t k)
{
	double product = 1;
	for (uint64_t i = 0; i < k && product > 0; i++)
		product *= (double)(c - i) / (double)(n - i);
	return product;
}

enum refusal pass_at_k_compute(uint64_t n, uint64_t c, uint64_t k, struct pass_at_k *ret_pass)
{
	if (k == 0 || c > n || n > PASS_AT_K_ATTEMPTS_MAX)
		return REFUSAL_DOMAIN;
	if (k > n)
		return REFUSAL_TOO_FEW;
	double share = (double)c / (double)n;
	*ret_pass = (struct pass_at_k){
		.pass_at_k = n - c < k ? 1 : -expm1(log_none(n, c, k)),
		.pass_hat_k = c < k ? 0 : all_pass(n, c, k),
		.plugin = c == n ? 1 : -expm1((double)k * log1p(-share)),
	};
	return REFUSAL_NONE;
}

enum refusal pass_at_k_compute_benchmark(const uint64_t *n, const uint64_t *c, size_t task_count, uint64_t k,
                                         struct pass_at_k_benchmark *ret_pass)
{
	if (task_count == 0)
		return REFUSAL_EMPTY;
	enum refusal refused = REFUSAL_NONE;
	double *any = mem_new(2 * task_count, sizeof(*any)), *all = any + task_count;
	for (size_t i = 0; i < task_count && !refused; i++) {
		struct pass_at_k one = { 0 };
		refused = pass_at_k_compute(n[i], c[i], k, &one);
		any[i] = one.pass_at_k;
		all[i] = one.pass_hat_k;
	}
	if (!refused) {
		struct sum_moments m_any = sum_moments_of(any, task_count), m_all = sum_moments_of(all, task_count);
		*ret_pass = (struct pass_at_k_benchmark){
			.mean_pass_at_k = m_any.mean,
			.mean_pass_hat_k = m_all.mean,
			.se_pass_at_k = sum_std_error(m_any),
			.se_pass_hat_k = sum_std_error(m_all),
		};
	}
	mem_free(any);
	return refused;
}
