/* coordinator/stats/saddle.h - the two terms that make densities of large counts exact.
 *
 * Binomial, Poisson, beta and gamma densities are products of huge factors that nearly cancel; written as Stirling's
 * error and a deviance nothing cancels any more. Source: Loader 2000, "Fast and accurate computation of binomial
 * probabilities". */
#ifndef ASSAY_STATS_SADDLE_H
#define ASSAY_STATS_SADDLE_H

/* ln Gamma(x + 1) minus Stirling's formula (x + 1/2) ln x - x + ln(2 pi)/2; x > 0. */
double saddle_stirling_error(double x);

/* x ln(x / mean) + mean - x, at least 0, without cancellation where both are close; x >= 0, mean > 0. */
double saddle_deviance(double x, double mean);

#endif
