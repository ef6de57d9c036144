/* coordinator/stats/k_samples_variance.h - where the variance of a mean comes from when each question was asked K
 * times: from the questions or from the answers. STATISTICS.md 1.5.
 *
 * var_between is clipped at 0, var_between_raw is not. K = 1 or one question leaves the components undefined.
 * naive_se treats all answers as independent: wrong, for comparison only. */
#ifndef ASSAY_STATS_K_SAMPLES_VARIANCE_H
#define ASSAY_STATS_K_SAMPLES_VARIANCE_H

#include "coordinator/stats/number.h"

enum { K_SAMPLES_VARIANCE_VERSION = 1 };

struct k_samples_variance {
	double mean;
	struct number se; /* of the mean of question means */
	struct number var_within, var_between_raw, var_between;
	struct number se_floor; /* what no K can go below */
	struct number naive_se;
	struct number icc1; /* share of the variance that lies between questions, from the raw components */
};

/* scores: question by question, k each. Refuses: empty (n or k is 0), nan_input, domain. */
enum refusal k_samples_variance_compute(const double *scores, size_t n, size_t k,
                                        struct k_samples_variance *ret_variance) MUST_CHECK;

/* The standard error that `k` samples a question would give; undefined without components. */
struct number k_samples_variance_predict(const struct k_samples_variance *v, size_t n, size_t k);

#endif
