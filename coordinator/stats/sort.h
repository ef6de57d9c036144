/* coordinator/stats/sort.h - a stable merge sort of (key, index) pairs.
 *
 * Not qsort: its order of equal keys and its memory are the C library's affair. */
#ifndef ASSAY_STATS_SORT_H
#define ASSAY_STATS_SORT_H

#include <stddef.h>
#include <stdint.h>

struct sort_entry {
	double key; /* never NaN */
	size_t index;
};

/* Ascending by key, equal keys in the order in which they stood. scratch holds n entries as well. */
void sort_entries(struct sort_entry *entries, size_t n, struct sort_entry *scratch);

/* Type 7 quantile (linear interpolation) of n > 0 sorted entries, p in [0, 1]. */
double sort_quantile(const struct sort_entry *sorted, size_t n, double p);

#endif
