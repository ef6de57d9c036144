/* coordinator/stats/multiple_testing.h - p-values of a family, adjusted. STATISTICS.md 5.
 *
 * Holm for release gates, Benjamini-Hochberg for screens, Benjamini-Yekutieli under any dependence, Bonferroni for
 * comparison. An undefined p leaves the family and stays undefined. Adjusted values keep the input's order and are at
 * most 1; equal p get equal adjusted p. */
#ifndef ASSAY_STATS_MULTIPLE_TESTING_H
#define ASSAY_STATS_MULTIPLE_TESTING_H

#include "coordinator/stats/number.h"

enum { MULTIPLE_TESTING_VERSION = 1 };

struct multiple_testing_row {
	struct number bh, by, holm, bonferroni;
};

/* rows: n of them. Refuses: domain (a p outside [0, 1]). n may be 0. */
enum refusal multiple_testing_adjust(const struct number *p, size_t n, struct multiple_testing_row *rows,
                                     size_t *ret_family_size) MUST_CHECK;

#endif
