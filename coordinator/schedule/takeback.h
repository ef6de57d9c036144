/* coordinator/schedule/takeback.h - unstarted samples go from busy workers to idle ones at the end. Private.
 *
 * Two-phase: a RELEASE asks, the holder says what it gave back, and only that is pending again. */
#ifndef ASSAY_SCHEDULE_TAKEBACK_H
#define ASSAY_SCHEDULE_TAKEBACK_H

#include "coordinator/schedule/state.h"

void takeback_care(struct schedule *s, uint32_t route, struct sched_actions *out);

/* Asks a worker for up to `most` unstarted samples (of one route, or NO_SLOT: of all), the newest first. */
uint64_t takeback_unstarted(struct schedule *s, struct worker *w, uint32_t route, uint64_t most,
                            struct sched_actions *out);

#endif
