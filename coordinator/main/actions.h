/* coordinator/main/actions.h - carries out what the schedule decided: frames, rows, reads; the core's hands.
 *
 * Nothing here waits. What a full ring does not take is kept in order and offered again by actions_flush(). Belongs to
 * the core's thread. */
#ifndef ASSAY_MAIN_ACTIONS_H
#define ASSAY_MAIN_ACTIONS_H

#include "coordinator/main/content.h"
#include "coordinator/main/core.h"

struct deferred;

struct actions {
	struct fleet *fleet;
	struct writers *writers;
	struct loader *loader;
	uint64_t term;
	int64_t stamp_ms; /* the last of stamp(): the wall clock, but it only rises */
	struct content content;
	struct deferred *first, **last; /* what did not fit yet */
};

void actions_init(struct actions *a, struct fleet *fleet, struct writers *writers, struct loader *loader,
                  uint64_t term);
void actions_done(struct actions *a);

void actions_carry_out(struct actions *a, const struct sched_action *action);
void actions_commit(struct actions *a, struct fleet_event *event); /* takes it */
void actions_worker_joined(struct actions *a, const struct fleet_event *e);
void actions_worker_gone(struct actions *a, const struct fleet_event *e);

bool actions_flush(struct actions *a); /* true: nothing is left */

#endif
