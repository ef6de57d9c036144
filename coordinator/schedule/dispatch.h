/* coordinator/schedule/dispatch.h - who gets what now. Private to this folder.
 *
 * Runs by priority, then age; for each, the workers that wait on its route, first come first served and then to the
 * back, until one of the two is exhausted. A lease holds what the worker wants, cut to 1,024 samples, to the frame, and
 * near the end of a run to a fair part of what is left, so that nobody sits on the tail. Samples that saw a death go
 * out one to a lease; suspects alone, on a worker that is kept free for them. */
#ifndef ASSAY_SCHEDULE_DISPATCH_H
#define ASSAY_SCHEDULE_DISPATCH_H

#include "coordinator/schedule/state.h"

void dispatch_refresh(struct schedule *s, struct run *r); /* can it give a sample away now */
void dispatch_all(struct schedule *s, struct sched_actions *out);

#endif
