/* coordinator/schedule/worker_list.h - the workers that are known, by session, by outbox, by deadline. Private.
 *
 * All deadlines are lease_ms after something that happened now, so the list by deadline is kept by appending. */
#ifndef ASSAY_SCHEDULE_WORKER_LIST_H
#define ASSAY_SCHEDULE_WORKER_LIST_H

#include "coordinator/schedule/state.h"

struct worker *worker_list_add(struct schedule *s, const struct outbox_id *outbox); /* a new one */
void worker_list_remove(struct schedule *s, struct worker *w);                      /* holds nothing any more */
void worker_list_due(struct schedule *s, struct worker *w, uint64_t deadline_ms);   /* later than all others */
void worker_list_undue(struct schedule *s, struct worker *w);

#endif
