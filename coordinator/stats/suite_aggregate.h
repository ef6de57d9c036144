/* coordinator/stats/suite_aggregate.h - one number over several independent suites. STATISTICS.md 1.7.
 *
 * se_stratified is the product's choice for the size-weighted mean; se_pooled is lm-evaluation-harness' formula, for
 * comparison. One undefined standard error makes the aggregates' undefined. Suites that share items or clusters must
 * be computed on the pooled items instead. */
#ifndef ASSAY_STATS_SUITE_AGGREGATE_H
#define ASSAY_STATS_SUITE_AGGREGATE_H

#include "coordinator/stats/number.h"

enum { SUITE_AGGREGATE_VERSION = 1 };

struct suite_aggregate_part {
	double mean;
	struct number se;
	double size;   /* items */
	double weight; /* for the custom mean */
};

struct suite_aggregate {
	double weighted, unweighted, custom;
	struct number se_pooled, se_stratified, se_unweighted, se_custom;
};

/* Refuses: empty, nan_input, domain (a size that is not positive, a negative weight, no weight at all). */
enum refusal suite_aggregate_compute(const struct suite_aggregate_part *parts, size_t count,
                                     struct suite_aggregate *ret_aggregate) MUST_CHECK;

#endif
