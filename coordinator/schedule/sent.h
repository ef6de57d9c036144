/* coordinator/schedule/sent.h - how far a run may be lent: its durable position, raised ahead of need. Private.
 *
 * Nothing at or past sent_to is lent. It is raised in chunks of about ten seconds of work, early enough that the write
 * is over before the last chunk is used up; what a new leader finds below it may be with a worker. */
#ifndef ASSAY_SCHEDULE_SENT_H
#define ASSAY_SCHEDULE_SENT_H

#include "coordinator/schedule/state.h"

void sent_refresh(struct schedule *s, struct run *r, struct sched_actions *out);
void sent_durable(struct schedule *s, uint64_t run_id, uint64_t position);
void sent_count(struct run *r, uint64_t now_ms, uint32_t samples); /* so many have been lent now */

#endif
