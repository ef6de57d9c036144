/* coordinator/schedule/run.h - one run: its bits, what is pending, and when it is over. Private to this folder.
 *
 * A sample is in exactly one place: done; out (leased: in the flight index; or being stored: out without a lease); or
 * pending (neither bit). A pending one is found by the spans `gap` and `main`, which walk positions, or stands in
 * `returned` or `suspects` once a span has passed it. */
#ifndef ASSAY_SCHEDULE_RUN_H
#define ASSAY_SCHEDULE_RUN_H

#include "coordinator/schedule/state.h"

struct run *run_find(const struct schedule *s, uint64_t run_id); /* NULL: not held */

void run_admit(struct schedule *s, const struct sched_run *in, struct sched_actions *out);
void run_cancel(struct schedule *s, uint64_t run_id, struct sched_actions *out);
void run_retry(struct schedule *s, uint64_t run_id, uint32_t wave, struct sched_actions *out);
void run_extend(struct schedule *s, uint64_t run_id, uint32_t epochs, struct sched_actions *out);
void run_open_gaps(struct schedule *s); /* nothing is perhaps held any more */

/* Something about it has changed: looked at again at the end of this step. */
void run_touch(struct schedule *s, struct run *r);
void run_touch_route(struct schedule *s, uint32_t route); /* all running runs of a route */

uint64_t run_sample_count(const struct run *r);
uint64_t run_pending(const struct run *r);
uint64_t run_storing(const struct run *r);

/* An out sample without a lease is pending again, or forgotten when the run has ended. */
void run_give_back(struct schedule *s, struct run *r, uint64_t sample_no);
/* An out sample without a lease has its row. */
void run_settle(struct schedule *s, struct run *r, uint64_t sample_no, enum outcome outcome);

/* The first pending sample in [from, to); `to` when there is none. */
uint64_t run_next_pending(const struct run *r, uint64_t from, uint64_t to);

/* The next pending sample of the span before position `end`; moves the span up to it. */
bool run_next(const struct run *r, struct span *span, uint64_t end, uint64_t *ret_sample_no);
bool run_next_returned(const struct run *r, struct returned *from, uint64_t *ret_sample_no);

void run_free(struct run *r);

#endif
