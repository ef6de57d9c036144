/* common/io/outgoing.h - messages on their way into a ring that may be full: what does not fit waits here, in order.
 *
 * For threads that must not block on one another: push always succeeds and only notes, flush moves what finds room. The
 * owner flushes once a turn, before it sleeps, so that the other thread is woken once for all of it; while
 * outgoing_waits() after that it looks again soon (a few milliseconds). Owned by the pushing thread alone. */
#ifndef ASSAY_IO_OUTGOING_H
#define ASSAY_IO_OUTGOING_H

#include "common/io/ring.h"

struct outgoing {
	struct ring *ring; /* borrowed */
	void **items;
	size_t from, len, cap;
};

void outgoing_init(struct outgoing *o, struct ring *ring);
void outgoing_push(struct outgoing *o, void *message); /* the message is the ring's, or the outgoing's, from now on */
void outgoing_flush(struct outgoing *o);
bool outgoing_waits(const struct outgoing *o);
/* Hands back one that never went (the ring was closed), for the caller to free; NULL: none. Then outgoing_done(). */
void *outgoing_take(struct outgoing *o);
void outgoing_done(struct outgoing *o); /* nothing may be left */

#endif
