/* coordinator/schedule/absent.h - workers of the last term that never came back: what they may have asked is said.
 *
 * When a new term stops waiting for them, every sample below the old sent_to that nobody has reported goes out again.
 * One of them may have asked it: each is written as LOST, "may have started", in the name of the one who is absent, or
 * of nobody (an outbox of zeros) when there are several. Private to this folder. */
#ifndef ASSAY_SCHEDULE_ABSENT_H
#define ASSAY_SCHEDULE_ABSENT_H

#include "coordinator/schedule/state.h"

void absent_report(struct schedule *s, struct sched_actions *out); /* before the gaps open */

#endif
