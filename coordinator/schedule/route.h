/* coordinator/schedule/route.h - what runs share at a provider: who may go there, pauses, blocks. Private.
 *
 * A pause is what the provider asked for: it holds for every worker and ends by itself, for each worker a little later
 * by chance, so that they do not come back together. A block (quota) stands until somebody clears it, changes the
 * route, or admits or retries a run on it; runs on it end as soon as nothing of them is out. */
#ifndef ASSAY_SCHEDULE_ROUTE_H
#define ASSAY_SCHEDULE_ROUTE_H

#include "coordinator/schedule/state.h"

void route_put(struct schedule *s, const struct sched_route *in);
void route_free(struct route *route);

void route_bind(struct schedule *s, struct run *r); /* the run is one of its own from now on */
void route_unbind(struct schedule *s, struct run *r);

void route_clear(struct schedule *s, uint32_t route_id);
void route_block(struct schedule *s, uint32_t route, const char *why);
void route_pause(struct schedule *s, uint32_t route, uint64_t pause_ms, struct sched_actions *out);
void route_tick(struct schedule *s); /* pauses that are over */
bool route_is_paused(const struct schedule *s, const struct route *route);
bool route_serves(const struct schedule *s, const struct run *r); /* nothing but workers could hold the run up */

enum unable route_unable(const struct route *route, const struct msg_hello *hello);
uint32_t route_host_slots(const struct route *route, const struct msg_hello *hello); /* of this worker's own server */

#endif
