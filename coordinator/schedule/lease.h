/* coordinator/schedule/lease.h - a batch of samples at one worker, and the books that go with it.
 *
 * Every way in and out of a lease goes through lease_add() and lease_drop(), which keep the counts of lease, run,
 * worker and slice and the index of what is in flight. What becomes of a dropped sample (done, pending, being stored)
 * is the caller's word: the run's `out` bit stays set until then. Private to this folder. */
#ifndef ASSAY_SCHEDULE_LEASE_H
#define ASSAY_SCHEDULE_LEASE_H

#include "coordinator/schedule/state.h"

/* An empty lease with room for `capacity` samples (at most WIRE_LEASE_SAMPLES_MAX), not yet in the worker's list. */
struct lease *lease_new(struct schedule *s, struct run *r, struct worker *w, uint32_t capacity);

/* Enters it under its number; the number must be new to the worker. */
void lease_enter(struct schedule *s, struct lease *l, struct lease_no number);
struct lease *lease_find(const struct schedule *s, const struct worker *w, struct lease_no number); /* NULL: none */

void lease_add(struct schedule *s, struct lease *l, uint64_t sample_no); /* out from now on */
void lease_skip(struct lease *l, uint64_t sample_no);                    /* keeps the place, holds nothing */
void lease_drop(struct schedule *s, struct lease *l, uint32_t index);    /* live, else it is a bug */
void lease_end_if_empty(struct schedule *s, struct lease *l);            /* `l` may be gone afterwards */
bool lease_is_live(const struct lease *l, uint32_t index);
bool lease_is_started(const struct lease *l, uint32_t index);
bool lease_is_gone(const struct lease *l, uint32_t index); /* given up, says a record */

/* The worker came back without it: it no longer counts as lent to it, and waits for what the outbox may bring. */
void lease_make_ghost(struct schedule *s, struct lease *l);
void lease_unghost(struct schedule *s, struct lease *l); /* it has it after all */

/* Drops all live samples that `which` (a bitmap of the lease; NULL: all) names and makes them pending again. */
void lease_give_back(struct schedule *s, struct lease *l, const uint64_t *which);

/* Whether the sample is out; if so, *ret_from is the lease that it has just left (the caller ends it if it is empty),
 * NULL when its row is being stored. Its `out` bit stays. */
bool lease_take_out(struct schedule *s, struct run *r, uint64_t sample_no, struct lease **ret_from,
                    uint32_t *ret_index);

void lease_close_holes(struct worker *w); /* of the worker's list; nobody may be walking it */

static inline uint32_t lease_words(const struct lease *l)
{
	return (l->count + 63) / 64;
}

#endif
