/* coordinator/stats/binomial.h - binomial probabilities and tails, k of n successes at rate p in [0, 1].
 *
 * Relative error below 1e-12 in both tails for n up to 1e7. */
#ifndef ASSAY_STATS_BINOMIAL_H
#define ASSAY_STATS_BINOMIAL_H

#include <stdint.h>

double binomial_pmf(uint64_t k, uint64_t n, double p);
double binomial_at_most(uint64_t k, uint64_t n, double p);  /* P(X <= k) */
double binomial_at_least(uint64_t k, uint64_t n, double p); /* P(X >= k) */

#endif
