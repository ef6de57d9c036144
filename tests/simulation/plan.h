/* tests/simulation/plan.h - all that a seed draws beforehand: how big the world is, who wants what, what goes wrong
 * when.
 *
 * Drawn once, printed with --trace, never changed while the world runs. Sizes are skewed: most worlds are small, a few
 * are as large as the bounds; latencies are chosen so that a world's work takes some seconds to a minute. */
#ifndef ASSAY_TESTS_SIMULATION_PLAN_H
#define ASSAY_TESTS_SIMULATION_PLAN_H

#include "common/base/rng.h"
#include <stddef.h>

enum {
	PLAN_WORKERS_MAX = 64,
	PLAN_RUNS_MAX = 20,
	PLAN_ROUTES_MAX = 4,
	PLAN_COORDS = 2,
	PLAN_PENS = 2,
	PLAN_PROMISES = 4,
	PLAN_FAULTS_MAX = 64,
	PLAN_CHANGES_MAX = 64,
	PLAN_STORMS_MAX = 4,
	PLAN_LEASE_MS = 3000,
	PLAN_PERHAPS_MS = 30000,
};

struct plan_run {
	uint64_t items;
	uint32_t epochs, epochs_max; /* with all extensions of the plan */
	uint32_t route, team;        /* indexes */
	int32_t priority;
	uint64_t at_ms;
	uint32_t attempts_max;
	uint32_t poison_per_mille, broken_per_mille, unscored_per_mille;
};

struct plan_storm { /* a provider in trouble */
	uint64_t from_ms, to_ms;
	uint32_t per_mille; /* of its calls */
	int status;         /* 429, 500, 503 */
	int64_t retry_after_ms;
};

struct plan_route {
	uint32_t concurrency;
	uint64_t latency_ms; /* usual */
	uint32_t tail_per_mille, fail_per_mille;
	struct plan_storm storms[PLAN_STORMS_MAX];
	size_t storm_count;
};

struct plan_worker {
	uint32_t slots, nets;
	uint32_t delay_ms; /* of its wire */
	uint32_t lag_ms;   /* until a loop turns */
};

enum plan_fault_kind {
	FAULT_WORKER_KILL,
	FAULT_WORKER_POWER,
	FAULT_WORKER_LOSES_OUTBOX,
	FAULT_WORKER_ROT,
	FAULT_WORKER_STOP, /* SIGTERM */
	FAULT_WIRE_BREAK,
	FAULT_CUT, /* both ways */
	FAULT_CUT_UP,
	FAULT_CUT_DOWN,
	FAULT_DISK_FULL,
	FAULT_THREAD_STALL,
	FAULT_COORD_KILL,
	FAULT_COORD_PAUSE,
	FAULT_COORD_LOSES_DATABASE,
	FAULT_COORD_WALL_STEP,
	FAULT_STORE_STALL,
	FAULT_STORE_RESTART, /* connections are lost: in-doubt COMMITs */
	FAULT_KIND_COUNT
};

struct plan_fault {
	uint64_t at_ms, for_ms;
	enum plan_fault_kind kind;
	uint32_t who, amount;
};

enum plan_change_kind { CHANGE_START, CHANGE_CANCEL, CHANGE_RETRY, CHANGE_EXTEND };

struct plan_change {
	uint64_t at_ms;
	enum plan_change_kind kind;
	uint32_t run; /* index */
};

struct plan {
	uint32_t worker_count, run_count, route_count, coord_count, team_count;
	struct plan_worker workers[PLAN_WORKERS_MAX];
	struct plan_run runs[PLAN_RUNS_MAX];
	struct plan_route routes[PLAN_ROUTES_MAX];
	struct plan_fault faults[PLAN_FAULTS_MAX];
	size_t fault_count;
	struct plan_change changes[PLAN_CHANGES_MAX];
	size_t change_count;
	uint64_t faults_until_ms;
	uint64_t sample_count;
	uint32_t store_ms, sync_ms; /* usual times of a statement and of an fsync */
	uint32_t spoil_per_mille;   /* rows that the database refuses */
	bool encoded;               /* frames go as bytes */
};

void plan_draw(struct plan *p, struct rng *rng, uint64_t sample_count); /* 0: drawn */
const char *plan_fault_name(enum plan_fault_kind kind);

#endif
