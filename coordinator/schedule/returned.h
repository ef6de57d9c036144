/* coordinator/schedule/returned.h - samples that came back, smallest number first.
 *
 * A min-heap of sample numbers. It may hold a number twice and numbers that have since been done or lent: whoever takes
 * one looks at the run's bits. Pure; one thread. */
#ifndef ASSAY_SCHEDULE_RETURNED_H
#define ASSAY_SCHEDULE_RETURNED_H

#include "common/base/base.h"

struct returned {
	uint64_t *numbers;
	size_t len, cap;
};

void returned_done(struct returned *r);
void returned_put(struct returned *r, uint64_t sample_no);
bool returned_min(const struct returned *r, uint64_t *ret_sample_no);
void returned_pop(struct returned *r); /* not empty */

#endif
