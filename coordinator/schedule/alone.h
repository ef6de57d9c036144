/* coordinator/schedule/alone.h - suspects, one at a time, on workers kept free for them. Private to this folder.
 *
 * A worker is set aside (it gets nothing new, and what it has not started is asked back), and once it holds nothing it
 * gets one suspect; so a death can be nobody else's fault. At most a quarter of the fleet, at least one worker. */
#ifndef ASSAY_SCHEDULE_ALONE_H
#define ASSAY_SCHEDULE_ALONE_H

#include "coordinator/schedule/state.h"

void alone_serve(struct schedule *s, struct sched_actions *out);

#endif
