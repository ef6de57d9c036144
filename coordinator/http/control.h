/* coordinator/http/control.h - what the API may ask of the running coordinator, as functions that main fills in.
 *
 * The API writes rows itself (coordinator/store); here it says which rows have changed and looks at what is in memory.
 * Every function may be called from any thread of the API and waits a bounded time (CONTROL_WAIT_MS). */
#ifndef ASSAY_HTTP_CONTROL_H
#define ASSAY_HTTP_CONTROL_H

#include "common/base/arena.h"
#include "common/base/buf.h"
#include "common/base/error.h"
#include "common/io/metrics.h"
#include "coordinator/schedule/schedule.h"

enum { CONTROL_WAIT_MS = 5000 };

enum control_change { CONTROL_ADMIT = 1, CONTROL_CANCEL, CONTROL_RETRY, CONTROL_EXTEND };

struct control_view { /* one moment of the schedule; arrays in the caller's arena */
	struct sched_run_view *runs;
	size_t run_count;
	struct sched_worker_view *workers;
	size_t worker_count;
	struct sched_route_view *routes;
	size_t route_count;
	struct sched_counters counters;
};

struct control_state {
	bool leading, draining, database; /* database: it answered lately */
	uint64_t term;
	char leader_url[256]; /* of the leader, when it is not us; empty: not known */
	char endpoint[128];   /* where workers connect */
	char text[300];       /* what is wrong, empty when nothing is */
	uint64_t refused_handshakes;
};

struct control {
	void *arg;
	/* The run's row was made or changed: the coordinator reads it and takes it in. Returns once the schedule knows.
	 */
	enum err_code (*run_changed)(void *arg, uint64_t run_id, enum control_change change, struct error *reterr);
	/* A model was added or changed: its route is read again. */
	enum err_code (*routes_changed)(void *arg, struct error *reterr);
	/* run_id 0: everything; else that run alone (and no workers). A run that is over is not there. */
	enum err_code (*look)(void *arg, uint64_t run_id, struct arena *arena, struct control_view *ret_view,
	                      struct error *reterr);
	void (*state)(void *arg, struct control_state *ret_state);
	/* The allow-list of worker keys: lines "NAME KEY". */
	enum err_code (*keys_read)(void *arg, struct buf *out, struct error *reterr);
	enum err_code (*keys_write)(void *arg, struct str lines, struct error *reterr);
	struct metrics *metrics;
};

#endif
