/* coordinator/schedule/worker.h - workers as they come, renew, give back, go and die. Private to this folder.
 *
 * A worker is its outbox; sessions come and go. One deadline for all it holds: the arrival of its last Renew (or Hello)
 * plus lease_ms. A worker whose session ends keeps its leases until then, so that a reconnect loses nothing. What a
 * Hello does not list stays aside (as a ghost) until the session has settled: results of it may be in the outbox. */
#ifndef ASSAY_SCHEDULE_WORKER_H
#define ASSAY_SCHEDULE_WORKER_H

#include "coordinator/schedule/state.h"

struct worker *worker_find(const struct schedule *s, uint32_t worker_id); /* of a session that stands; NULL: none */
struct worker *worker_of_outbox(const struct schedule *s, const struct outbox_id *outbox);

void worker_join(struct schedule *s, uint32_t worker_id, const struct msg_hello *hello, bool known,
                 struct sched_actions *out);
void worker_known(struct schedule *s, const struct outbox_id *outbox);
void worker_renew(struct schedule *s, uint32_t worker_id, const struct msg_renew *m, struct sched_actions *out);
void worker_release(struct schedule *s, uint32_t worker_id, const struct msg_released *m, struct sched_actions *out);
void worker_go(struct schedule *s, uint32_t worker_id, bool orderly, struct sched_actions *out);
void worker_drain(struct schedule *s, uint32_t worker_id, struct str reason, struct sched_actions *out);
void worker_tick(struct schedule *s, struct sched_actions *out); /* deadlines, sessions that have settled */
uint64_t worker_next_ms(const struct schedule *s);

void worker_revoke(struct schedule *s, struct lease *l, struct sched_actions *out); /* says it, ends nothing */
void worker_ask_back(struct schedule *s, struct lease *l, const uint32_t *indexes, size_t count,
                     struct sched_actions *out);
bool worker_has_context(const struct worker *w, const struct run *r); /* this session had it with a lease */
bool worker_take_context(struct worker *w, const struct run *r); /* true: it is the session's first lease of the run */
void worker_forget_context(struct schedule *s, uint32_t run);
void worker_free_alone(struct schedule *s, const struct run *r); /* nobody is kept free for its suspects any more */
void worker_free(struct worker *w);

#endif
