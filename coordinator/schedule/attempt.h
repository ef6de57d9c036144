/* coordinator/schedule/attempt.h - samples with a history: failed asks, deaths, and when enough is enough.
 *
 * The one place where attempts are capped and deaths are counted. Rules:
 *   - a failed ask counts once, whoever reports it how often; LOST, DIED and ABANDONED are no failures of the sample;
 *   - a sample is over when its class cannot be mended, its attempts or its time are used up, or when three workers
 *     died of it while it ran alone: the store writes the row, and its COMMITTED ends the sample;
 *   - a death counts for a sample that is known to have started (a Renew said so, its worker came back and said so, or
 *     it was alone). Two make a suspect, which from then on runs alone; only deaths while alone count further. Where
 *     nobody can know, being near five deaths makes a suspect too: it costs some speed and convicts nobody; and a
 *     death alone counts half if the worker may never have had the lease;
 *   - a worker that was thought dead and comes back still holding the sample takes its death back.
 * Private to this folder. */
#ifndef ASSAY_SCHEDULE_ATTEMPT_H
#define ASSAY_SCHEDULE_ATTEMPT_H

#include "coordinator/schedule/state.h"

void attempt_restore(struct run *r, const struct sched_tried *in);
void attempt_new_wave(struct run *r); /* caps begin anew, deaths stay */

struct tried *attempt_of(const struct run *r, uint64_t sample_no); /* NULL: no history */
bool attempt_is_suspect(const struct run *r, uint64_t sample_no);
bool attempt_has_died(const struct run *r, uint64_t sample_no);    /* known deaths: goes out scattered */
uint32_t attempt_left(const struct run *r, const struct tried *t); /* both accept NULL; at least 1 */
uint32_t attempt_time_left_ms(const struct run *r, const struct tried *t);

/* Its row was of an earlier wave: it goes on. */
void attempt_not_over(struct run *r, uint64_t sample_no);

/* A record of kind ATTEMPT is durable. */
void attempt_committed(struct schedule *s, struct run *r, const struct outbox_id *outbox,
                       const struct sched_committed *rec, struct sched_actions *out);

/* The row that ends a sample which is not leased: out (being stored) until COMMITTED. */
void attempt_finish(struct schedule *s, struct run *r, uint64_t sample_no, enum outcome outcome, enum error_class class,
                    struct str text, struct sched_actions *out);

enum attempt_death {
	DEATH_COUNTS,  /* the worker died or was cut off: what it held may have been asked */
	DEATH_KNOWN,   /* it lives, but no longer holds this: only what is known to have started was asked */
	DEATH_ORDERLY, /* it left in order: no death at all */
};
/* What is live in the lease (and named by the bitmap `which`, unless NULL) goes back; the lease ends if it is empty
 * then. Gathers for attempt_report(). */
void attempt_lease_died(struct schedule *s, struct lease *l, const uint64_t *which, enum attempt_death death,
                        struct sched_actions *out);
void attempt_note(struct schedule *s, const struct sched_unreported *u); /* one more for the report */
void attempt_report(struct schedule *s, const struct outbox_id *outbox, struct sched_actions *out);

/* The worker is back and holds the sample: it had not died of it. */
void attempt_taken_back(struct run *r, uint64_t sample_no, const struct outbox_id *outbox);

#endif
