/* coordinator/schedule/run_end.h - how a run ends, in words that name what is missing. Private to this folder. */
#ifndef ASSAY_SCHEDULE_RUN_END_H
#define ASSAY_SCHEDULE_RUN_END_H

#include "coordinator/schedule/state.h"

/* At once; workers are told to drop what has not started, and what has is taken when it comes. */
void run_end_cancelled(struct schedule *s, struct run *r, struct sched_actions *out);

/* Ends it if it is over: every sample has its row, or its route is blocked and nothing is out. Forgets an ended one of
 * which nobody holds anything; then `r` is gone. */
void run_end_check(struct schedule *s, struct run *r, struct sched_actions *out);

#endif
