/* coordinator/stats/k_samples_unbalanced.h - k_samples_variance when the questions have different numbers of answers.
 *
 * Every question weighs the same; the variance within is pooled over questions with two answers or more. Equal
 * numbers give k_samples_variance's values. */
#ifndef ASSAY_STATS_K_SAMPLES_UNBALANCED_H
#define ASSAY_STATS_K_SAMPLES_UNBALANCED_H

#include "coordinator/stats/number.h"

enum { K_SAMPLES_UNBALANCED_VERSION = 1 };

struct k_samples_unbalanced {
	double mean;
	struct number se, var_within, var_between_raw, var_between, se_floor;
};

/* scores: question by question, k[i] each. Refuses: empty (no question, or one without answers), nan_input, domain. */
enum refusal k_samples_unbalanced_compute(const double *scores, const size_t *k, size_t n,
                                          struct k_samples_unbalanced *ret_variance) MUST_CHECK;

#endif
