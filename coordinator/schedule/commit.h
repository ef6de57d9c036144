/* coordinator/schedule/commit.h - what the store has made durable. Private to this folder. */
#ifndef ASSAY_SCHEDULE_COMMIT_H
#define ASSAY_SCHEDULE_COMMIT_H

#include "coordinator/schedule/state.h"

void commit_records(struct schedule *s, const struct outbox_id *outbox, const struct sched_committed *records,
                    size_t count, struct sched_actions *out);

#endif
