/* common/io/ring.h - a bounded queue of pointers between threads: many may push, one drains.
 *
 * The one mutex of the tree lives here, so that no other file needs one. A mutex and not a lock-free queue because
 * places can be reserved ahead (DESIGN.md 3: a sender reserves the place of the reply before it sends the request, so
 * two full rings never wait for each other), because senders that may block need a condition to wait on, and because
 * whole batches move under one short lock, which costs less a message than a lock-free push.
 *
 * Invariant: length + reserved <= capacity. Order is the order of pushes. Messages belong to the sender until a push
 * returns true, to whoever pops them afterwards; a ring never frees a message: drain it after ring_close().
 * Any thread may push and reserve; one pops (a pool may share a ring: pops are whole, only wake-ups may be in vain).
 * ring_free() only when no other thread can touch the ring any more. */
#ifndef ASSAY_IO_RING_H
#define ASSAY_IO_RING_H

#include "common/base/error.h"

struct ring;

enum err_code ring_new(size_t capacity, struct ring **ret_ring, struct error *reterr) MUST_CHECK;
void ring_free(struct ring *r); /* accepts NULL */

/* Readable while the ring is not empty, and for ever once it is closed. Poll it, never read it. Owned by the ring. */
int ring_fd(const struct ring *r);
size_t ring_len(struct ring *r); /* for metrics: old as soon as it is read */
size_t ring_capacity(const struct ring *r);
bool ring_is_closed(struct ring *r);

/* Without waiting; false when full or closed: the message stays the caller's. */
bool ring_try_push(struct ring *r, void *message) MUST_CHECK;
size_t ring_try_push_many(struct ring *r, void *const *messages,
                          size_t count) MUST_CHECK; /* how many of the first went in */

/* Only for threads that may block (http, cli): waits for room. ERR_TIMEOUT, or ERR_CANCELLED when closed. */
enum err_code ring_push_wait(struct ring *r, void *message, int timeout_ms) MUST_CHECK; /* -1: no limit */

/* Keeps `count` places free for ring_push_reserved(); all or nothing. Give back what will not be used. */
bool ring_reserve(struct ring *r, size_t count) MUST_CHECK;
void ring_unreserve(struct ring *r, size_t count);
/* Into a reserved place: never full. False only when closed (the place is given back, the message stays the caller's).
 */
bool ring_push_reserved(struct ring *r, void *message) MUST_CHECK;

/* Takes up to `cap` messages, oldest first, without waiting; after ring_close() what is left is still handed out. */
size_t ring_pop_all(struct ring *r, void **out, size_t cap) MUST_CHECK;
/* The same, for a thread that waits for nothing else: sleeps until there is a message, it is closed, or the timeout. */
size_t ring_pop_wait(struct ring *r, void **out, size_t cap, int timeout_ms) MUST_CHECK;

/* No push succeeds from now on; wakes everyone that waits. May be called twice. */
void ring_close(struct ring *r);

#endif
