#include "coordinator/stats/multiple_testing.h"
#include "common/base/mem.h"
#include "coordinator/stats/sort.h"
#include <math.h>

static void step_down(const struct sort_entry *sorted, size_t m, struct multiple_testing_row *rows)
{
	double largest = 0;
	for (size_t i = 0; i < m; i++) {
		largest = fmax(largest, fmin(1, (double)(m - i) * sorted[i].key));
		rows[sorted[i].index].holm = number_of(largest);
	}
}

static void step_up(const struct sort_entry *sorted, size_t m, struct multiple_testing_row *rows)
{
	double harmonic = 0, smallest = 1, smallest_by = 1;
	for (size_t i = m; i > 0; i--)
		harmonic += 1 / (double)i;
	for (size_t i = m; i > 0; i--) {
		double value = sorted[i - 1].key * ((double)m / (double)i); /* in this order never below p */
		smallest = fmin(smallest, value);
		smallest_by = fmin(smallest_by, value * harmonic);
		rows[sorted[i - 1].index].bh = number_of(smallest);
		rows[sorted[i - 1].index].by = number_of(smallest_by);
	}
}

enum refusal multiple_testing_adjust(const struct number *p, size_t n, struct multiple_testing_row *rows,
                                     size_t *ret_family_size)
{
	for (size_t i = 0; i < n; i++)
		if (p[i].defined && !(p[i].value >= 0 && p[i].value <= 1))
			return REFUSAL_DOMAIN;
	*ret_family_size = 0;
	if (n == 0)
		return REFUSAL_NONE;
	struct sort_entry *sorted = mem_new(2 * n, sizeof(*sorted));
	size_t m = 0;
	for (size_t i = 0; i < n; i++) {
		rows[i] = (struct multiple_testing_row){ 0 };
		if (p[i].defined)
			sorted[m++] = (struct sort_entry){ p[i].value, i };
	}
	sort_entries(sorted, m, sorted + n);
	step_down(sorted, m, rows);
	step_up(sorted, m, rows);
	for (size_t i = 0; i < m; i++)
		rows[sorted[i].index].bonferroni = number_of(fmin(1, sorted[i].key * (double)m));
	mem_free(sorted);
	*ret_family_size = m;
	return REFUSAL_NONE;
}
