/* coordinator/schedule/action.h - appends an action. Private to this folder. */
#ifndef ASSAY_SCHEDULE_ACTION_H
#define ASSAY_SCHEDULE_ACTION_H

#include "coordinator/schedule/schedule.h"

/* Zeroed but for its kind; good until the next one is added. */
struct sched_action *action_add(struct sched_actions *out, enum sched_action_kind kind);

#endif
