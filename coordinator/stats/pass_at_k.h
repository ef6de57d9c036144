/* coordinator/stats/pass_at_k.h - the chance that k attempts hold a success, and that all k succeed. STATISTICS.md 2.3.
 *
 * Of n attempts c succeeded. pass@k = 1 - C(n-c,k)/C(n,k), unbiased (Chen et al. 2021); pass^k = C(c,k)/C(n,k)
 * (tau-bench); plugin = 1 - (1 - c/n)^k is biased and for comparison only. k above n is refused, never extrapolated.
 * A benchmark's value is the mean over tasks with the spread over tasks. */
#ifndef ASSAY_STATS_PASS_AT_K_H
#define ASSAY_STATS_PASS_AT_K_H

#include "coordinator/stats/number.h"

enum { PASS_AT_K_VERSION = 1, PASS_AT_K_ATTEMPTS_MAX = 10 * 1000 * 1000 };

struct pass_at_k {
	double pass_at_k, pass_hat_k, plugin;
};

struct pass_at_k_benchmark {
	double mean_pass_at_k, mean_pass_hat_k;
	struct number se_pass_at_k, se_pass_hat_k; /* undefined for one task */
};

/* Refuses: domain (k is 0, c > n, n above PASS_AT_K_ATTEMPTS_MAX), too_few (k > n). */
enum refusal pass_at_k_compute(uint64_t n, uint64_t c, uint64_t k, struct pass_at_k *ret_pass) MUST_CHECK;

/* Also refuses: empty. */
enum refusal pass_at_k_compute_benchmark(const uint64_t *n, const uint64_t *c, size_t task_count, uint64_t k,
                                         struct pass_at_k_benchmark *ret_pass) MUST_CHECK;

#endif
