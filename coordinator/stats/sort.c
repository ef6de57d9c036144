#include "coordinator/stats/sort.h"
#include "common/base/check.h"
#include <math.h>
#include <string.h>

static void merge(const struct sort_entry *from, size_t left, size_t middle, size_t right, struct sort_entry *to)
{
	size_t a = left, b = middle;
	for (size_t i = left; i < right; i++) {
		if (a < middle && (b >= right || from[a].key <= from[b].key))
			to[i] = from[a++];
		else
			to[i] = from[b++];
	}
}

void sort_entries(struct sort_entry *entries, size_t n, struct sort_entry *scratch)
{
	struct sort_entry *from = entries, *to = scratch;
	for (size_t width = 1; width < n; width *= 2) {
		for (size_t left = 0; left < n; left += 2 * width) {
			size_t middle = left + width < n ? left + width : n;
			size_t right = left + 2 * width < n ? left + 2 * width : n;
			merge(from, left, middle, right, to);
		}
		struct sort_entry *swap = from;
		from = to;
		to = swap;
	}
	if (from != entries)
		memcpy(entries, from, n * sizeof(*entries));
}

double sort_quantile(const struct sort_entry *sorted, size_t n, double p)
{
	check(n > 0 && p >= 0 && p <= 1);
	double at = p * (double)(n - 1);
	size_t below = (size_t)floor(at);
	if (below + 1 >= n)
		return sorted[n - 1].key;
	double share = at - (double)below;
	return sorted[below].key + share * (sorted[below + 1].key - sorted[below].key);
}
