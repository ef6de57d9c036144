/* coordinator/schedule/state.h - private to this folder: what the schedule remembers.
 *
 * Things point at one another by slot (an index that is used again after its owner has gone), never by address, so
 * that order never depends on memory. NO_SLOT is nobody. */
#ifndef ASSAY_SCHEDULE_STATE_H
#define ASSAY_SCHEDULE_STATE_H

#include "common/base/bits.h"
#include "common/base/map.h"
#include "common/base/rng.h"
#include "coordinator/schedule/flight.h"
#include "coordinator/schedule/returned.h"
#include "coordinator/schedule/schedule.h"

#define NO_SLOT UINT32_MAX

enum {
	LEASE_CLASSES = 4,           /* leases of up to 16, 64, 256, 1,024 samples */
	ITEMS_PARTS_MAX = 12,        /* stretches of items that one run may have loaded or on their way */
	WORKER_LEASES_MAX = 4000,    /* below what one Renew can list */
	DEATHS_SUSPECT = 2,          /* known deaths that make a sample a suspect */
	NEAR_DEATHS_SUSPECT = 5,     /* deaths that it was near to, where nobody knows */
	ALONE_HALVES_QUARANTINE = 6, /* three deaths alone; six where nobody can know that they were its */
	PARTED_ASKS = 4,
	CARE_MS = 250, /* how often slices and stragglers are looked at while runs go on */
};

/* ---- leases ---- */

struct lease {
	uint32_t slot, capacity;
	bool used;
	bool alone;      /* one suspect */
	bool ghost;      /* its worker came back without it: ends when the session has settled, unless a result comes */
	bool answers;    /* answers adopted at a Hello: has no number, no Renew lists it */
	bool asked_back; /* a RELEASE is on its way */
	uint8_t unlisted; /* Renews in a row that should have listed it and did not */
	uint32_t run, worker, route;
	uint32_t count, live; /* live: not yet committed, given back or lost */
	uint32_t retry_no;
	struct lease_no number;
	uint64_t frame_no;           /* of its session; 0: the worker itself named it */
	uint64_t asked_no;           /* frame number of the RELEASE */
	uint64_t lent_ms, listed_in; /* listed_in: the worker's renew_count */
	uint32_t run_prev, run_next; /* leases of one run, oldest first */
	struct lease *next_free;
	uint64_t *sample_nos; /* [count] */
	uint64_t *live_bits, *started_bits;
	uint64_t *absent_bits; /* in neither bitmap of the last Renew */
	uint64_t *gone_bits;   /* a record says that it was given up: free with the first Renew that agrees */
};

/* ---- runs ---- */

struct span { /* positions that are handed out from the front */
	uint64_t at, end;
};

enum part_for { PART_GAP, PART_MAIN, PART_RETURNED };

struct items_part { /* items [from, to) of a suite, loaded or asked for */
	uint64_t from, to;
	uint64_t bytes; /* 0 until loaded */
	uint64_t past;  /* position behind the last that it was read for; RETURNED: unused */
	enum part_for purpose;
	bool loaded;
	uint32_t *sizes;
};

struct tried {                      /* a sample with a history; the many that go well have none */
	uint32_t attempts, counted; /* failed asks in this wave; of them by the present holder */
	uint32_t spent_ms;
	uint8_t deaths, near_deaths;
	uint8_t alone_halves; /* deaths while alone: 2 each, 1 where the worker may never have had the lease */
	bool lost;            /* a death was counted that its worker may yet take back */
	bool lost_started;
	uint8_t lost_alone; /* halves */
	bool over;          /* its row is being written */
	enum error_class last_class;
	enum error_class given_class; /* of the ask with which it was given up; CLASS_NONE: for no fault of its own */
	uint64_t parted[PARTED_ASKS]; /* asks with which holders parted from it: a copy of such a record is void */
	uint8_t parted_next;
	struct outbox_id lost_by, counted_by;
};

struct run {
	uint32_t slot, route; /* route: slot, or NO_SLOT */
	uint64_t run_id, team_id, created_no;
	uint32_t route_id, retry_wave, scoring_no, epochs;
	int32_t priority;
	uint64_t suite_items;
	struct sched_caps caps;
	uint32_t context_bytes;
	enum sched_run_state state;
	bool ready, touched;

	struct position_map positions;
	struct bits selected;  /* over items; len 0: all */
	struct bits done, out; /* over samples; unselected ones are done from the start */
	struct bits missing;   /* of `done`: without a score; len 0: there was none yet */
	uint64_t unselected, total, leased, missing_counts[OUTCOME_COUNT];
	struct span gap, main; /* gap: what a coordinator before us had sent */
	bool gap_closed;
	struct returned returned, suspects;
	struct map tried; /* sample_no -> struct tried */

	uint64_t sent_to, sent_asked;
	uint64_t rate_from_ms, rate_count; /* samples lent since */
	double rate;                       /* samples lent a second */

	struct items_part parts[ITEMS_PARTS_MAX];
	size_t part_count;
	uint64_t part_items, part_bytes, epoch_base; /* epoch_base: first sample_no of the epoch last looked at */
	uint32_t item_bytes_mean;

	uint32_t first_lease, last_lease;
};

/* ---- routes and workers ---- */

enum unable { ABLE = 0, UNABLE_PROVIDER, UNABLE_ALIAS, UNABLE_ADDRESS, UNABLE_HOST };

struct route {
	uint32_t route_id, concurrency, host_slots;
	struct arena texts;
	struct str name, provider, alias, endpoint_host, host_command;
	uint64_t paused_until_ms;
	bool blocked;
	struct str blocked_text;
	uint32_t run_count; /* running ones */
	uint32_t serving;   /* connected workers with a slice */
	uint64_t pending;   /* samples of its running runs; counted anew in each step that lends */
	uint32_t first_hungry, last_hungry;
	bool split_due; /* who may have what has changed */
	uint64_t split_next_ms, care_next_ms;
};

struct slice { /* what one worker has of one route */
	enum unable unable;
	bool refused_work; /* it gave work back for want of ability */
	bool listed;       /* the last Renew named the route */
	bool hungry;
	bool granted;     /* a Grant has gone out in this session */
	uint32_t told;    /* slots of the last Grant */
	uint64_t told_no; /* frame number of it; 0: of an earlier session */
	uint32_t reserve; /* slots that it may still use: at least told */
	uint32_t in_flight, wanted;
	uint64_t limit; /* samples that may be out at it on this route */
	uint64_t out;
	uint64_t rate_from_ms, rate_count;
	double rate; /* samples a second */
	uint32_t hungry_prev, hungry_next;
};

struct held_lease {
	struct lease_no number;
	uint32_t lease; /* slot; NO_SLOT: gone, the place is closed later */
};

struct worker {
	uint32_t slot, worker_id;
	struct outbox_id outbox;
	struct arena texts; /* abilities of the last Hello */
	struct str name;
	const struct msg_hello *able; /* its lists alone */
	bool used, connected, draining, renewed;
	bool known;        /* its row is durable: a new term would wait for it */
	bool expired;      /* its deadline has passed, its leases have ended */
	bool outbox_fails; /* it says so; it wants nothing meanwhile */
	bool alone;        /* kept free for suspects of alone_run, or running one */
	uint32_t slots, loop_lag_ms;
	uint64_t frame_no, frame_seen, renew_count;
	uint64_t deadline_ms;
	uint32_t due_prev, due_next; /* workers by deadline, nearest first */
	uint64_t limit, out;
	struct slice *slices; /* by route slot */
	size_t slice_count;
	struct held_lease *held; /* by number */
	size_t held_count, held_cap, held_holes;
	uint32_t lease_count; /* used ones, ghosts and answers too */
	struct bits contexts; /* run slots whose context this session has */
	uint32_t alone_run;   /* slot of the run it is kept free for */
};

struct unsettled {
	uint32_t worker, worker_id;
	uint64_t until_ms;
};

struct schedule {
	struct sched_config config;
	struct rng rng;
	uint64_t now_ms, begun_ms;
	struct sched_counters counters;
	uint64_t leads_until_ms; /* nothing is lent past it */
	bool draining, more;     /* more: a step ended before everything was lent */
	struct str drain_reason;
	struct arena texts;

	struct run **runs; /* by slot; NULL: free */
	size_t run_cap;
	struct map run_slots; /* run_id -> slot */
	uint32_t *order;      /* running runs, the one that goes first in front */
	size_t order_count, order_cap;
	uint32_t ready_count;
	bool suspects; /* some run may have suspects that wait */
	uint32_t *touched;
	size_t touched_count, touched_cap;

	struct route **routes;
	size_t route_count, route_cap;
	struct map route_slots;

	struct worker **workers; /* by slot; an unused one waits for the next */
	size_t worker_slots_used, worker_cap, worker_count, connected_count;
	uint32_t free_worker;    /* slot; the next one in its due_next */
	struct map worker_slots; /* worker_id of a session -> slot */
	struct map outbox_slots; /* outbox id -> slot */
	uint32_t first_due, last_due;

	struct lease **leases;
	size_t lease_slots, lease_cap;
	struct lease *free_leases[LEASE_CLASSES];
	uint64_t lease_n;
	uint32_t step_leases;
	struct flight flight;

	struct unsettled *unsettled; /* sessions whose outbox may still have something to say, oldest first */
	size_t unsettled_from, unsettled_to, unsettled_cap;

	struct sched_unreported *unreported; /* being gathered for one ATTEMPTS */
	size_t unreported_count, unreported_cap;

	struct map last_workers; /* outboxes of the last term that have not said Hello */
	bool perhaps;            /* gaps are closed */
	uint64_t perhaps_until_ms, old_slices_until_ms, care_ms;
};

#endif
