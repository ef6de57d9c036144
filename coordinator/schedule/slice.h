/* coordinator/schedule/slice.h - one worker's share of one route: slots, credit, hunger. Private to this folder.
 *
 * The sum of `reserve` over all workers never exceeds the route's concurrency by our doing: a slice grows only out of
 * what nobody may still be using, and one that shrinks counts in full until a Renew has seen the smaller Grant and
 * reports no more in flight than it allows. A dead worker's slice is free when its deadline has passed.
 *
 * Shares: equal up to what each needs (water-filling), what is left over goes to those who could use more later.
 * Hosted routes are not split: a worker's slice is its own server's slots. */
#ifndef ASSAY_SCHEDULE_SLICE_H
#define ASSAY_SCHEDULE_SLICE_H

#include "coordinator/schedule/state.h"

struct slice *slice_of(const struct schedule *s, struct worker *w, uint32_t route);
void slice_judge(struct schedule *s, struct worker *w, uint32_t route); /* what is it able to do */

/* Says it to the worker. Grows only as far as the caller has found room. */
void slice_grant(struct schedule *s, struct worker *w, uint32_t route, uint32_t slots, struct sched_actions *out);

void slice_joined(struct schedule *s, struct worker *w,
                  struct sched_actions *out); /* a new session: say it all again */
void slice_renewed(struct schedule *s, struct worker *w, const struct msg_renew *renew);
/* Slices that it remembers and we did not lend in this session are told anew. */
void slice_disown(struct schedule *s, struct worker *w, const struct msg_renew *renew, struct sched_actions *out);
void slice_lost(struct schedule *s, struct worker *w);               /* its deadline has passed */
void slice_split_due(struct schedule *s, struct sched_actions *out); /* every route whose shares may have to move */
void slice_all_due(struct schedule *s);                              /* who is there has changed */
void slice_care(struct schedule *s, uint32_t route);                 /* due as well, if somebody starves */

/* How many samples it would be lent now; 0 too while what it holds lasts for a while. */
uint64_t slice_want(const struct schedule *s, struct worker *w, uint32_t route);
uint64_t slice_hunger(const struct schedule *s, uint32_t route); /* of all that wait for samples */
void slice_update_hunger(struct schedule *s, struct worker *w, uint32_t route, bool to_the_back);
void slice_update_all(struct schedule *s, struct worker *w); /* every route that has runs */
void slice_count(struct schedule *s, struct worker *w, uint32_t route, uint32_t samples); /* so many came back done */

#endif
