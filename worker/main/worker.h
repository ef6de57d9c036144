/* worker/main/worker.h - the threads of a worker and the rings between them: made, run, taken down in order.
 *
 * Rings are sized so that they are not full in ordinary work; when one is, messages wait with their sender
 * (common/io/outgoing.h) and no thread waits for another. At start the outbox is replayed and the ask log of an earlier
 * life is read: asks that were under way become attempts of CLASS_DIED, durable before anything is asked again.
 * One thread (main). */
#ifndef ASSAY_MAIN_WORKER_H
#define ASSAY_MAIN_WORKER_H

#include "common/io/keys.h"
#include "worker/main/settings.h"

struct worker;

struct worker_options { /* borrowed until worker_stop() */
	const struct settings *settings;
	const char *state_dir;
	struct str name;
	const struct str *endpoints; /* NUL-terminated */
	size_t endpoint_count;
	const struct keys_pair *pair;
	struct keys_public server_key;
	uint32_t slots, net_threads, score_threads;
	const char *ca_file;      /* NULL: the system's */
	struct str metrics_where; /* metrics_server.h; empty: nowhere */
};

enum err_code worker_start(const struct worker_options *options, struct worker **ret_worker,
                           struct error *reterr) MUST_CHECK;
int worker_fd(const struct worker *w);                  /* readable when worker_drained() may have changed */
void worker_drain(struct worker *w, uint32_t limit_ms); /* no new samples; finish or give back within the limit */
bool worker_drained(struct worker *w);
void worker_stop(struct worker *w); /* at once: what is under way is cut off, what was paid for is in the outbox */

#endif
