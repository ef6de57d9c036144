/* coordinator/schedule/lend.h - makes a filled lease real: number, frame, action. Private to this folder. */
#ifndef ASSAY_SCHEDULE_LEND_H
#define ASSAY_SCHEDULE_LEND_H

#include "coordinator/schedule/state.h"

void lend_lease(struct schedule *s, struct lease *l, struct sched_actions *out); /* not empty, not yet entered */

#endif
