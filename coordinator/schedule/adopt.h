/* coordinator/schedule/adopt.h - what a Hello lists becomes ours, as far as it still can. Private to this folder.
 *
 *   lease we know         kept as listed; what it no longer lists is free again when the first Renew says so too
 *   lease we do not know  (another term, or ended at a deadline) each sample that is neither done nor held elsewhere is
 *                         adopted; the others are asked back; with none left the lease is refused
 *   lease it lacks        set aside until the session has settled
 *   answer                adopted like a started sample if it is neither done nor held elsewhere; else shipped raw: it
 *                         was paid for, and the store knows best whether it is a second one
 * Emits WELCOME and what goes right behind it. */
#ifndef ASSAY_SCHEDULE_ADOPT_H
#define ASSAY_SCHEDULE_ADOPT_H

#include "coordinator/schedule/state.h"

void adopt_hello(struct schedule *s, struct worker *w, const struct msg_hello *hello, struct sched_actions *out);

/* Compares a lease with the bitmaps of a Renew; gives back what two in a row did not list. `l` may be gone. */
void adopt_listed(struct schedule *s, struct lease *l, const struct msg_held_lease *listed, struct sched_actions *out);

#endif
