/* coordinator/schedule/schedule.h - who gets which sample, until when, and when a run is over.
 *
 * step(state, event) -> actions. Pure: reads no clock, opens nothing, draws chance only from the seed it was born with;
 * equal events give equal actions, byte for byte. Every event carries the monotonic time of the loop turn that read it,
 * never less than the one before; every action is something the shell must carry out, in order.
 *
 * What holds at every moment, within one term:
 *   - a sample is lent to at most one worker; a lease number is never used twice;
 *   - a worker is never lent more than it said it wanted, a route never more concurrency than it has;
 *   - nothing at or past a run's durable sent_to is lent;
 *   - only a commit marks a sample done, whoever asked; a row is written only by the store, which then says so;
 *   - at most 3 bits a sample (done, out, and missing once the run has a missing one), and memory for what is in
 * flight.
 *
 * A term begins with LAST_WORKERS, a ROUTE for each route, a RUN_ADMIT for each unfinished run, and only then workers:
 * a Hello that comes before its run was admitted would have its leases refused.
 *
 * Actions go out in their order, those of one worker as frames in the order of their numbers; a LEASE stands before the
 * DROP_ITEMS of what it needs, a smaller GRANT before the RENEWED that lets a worker go on.
 *
 * Owns everything it keeps: an event and what it points to may go after the step. Arrays in actions live until the next
 * step (they stand in the schedule or in the arena of the actions). Heap through common/base/mem. One thread. */
#ifndef ASSAY_SCHEDULE_SCHEDULE_H
#define ASSAY_SCHEDULE_SCHEDULE_H

#include "common/base/arena.h"
#include "common/wire/msg.h"
#include "coordinator/schedule/position.h"

struct schedule;

struct sched_config { /* 0 stands for the default in brackets */
	uint64_t term;
	uint64_t seed;
	uint32_t lease_ms;         /* [3,000] from a worker's last Renew to the end of its leases */
	uint32_t perhaps_ms;       /* [30,000] how long a new term waits for workers of the last one */
	uint32_t hold_ms;          /* [1,000] how much work a worker should hold beyond its slots */
	uint32_t lease_bytes_max;  /* [900 KiB] of items in one lease; a larger item cannot be sent */
	uint32_t window_items_max; /* [4,096] items read ahead for one run */
	uint32_t window_bytes_max; /* [8 MiB] */
	uint32_t step_leases_max;  /* [512] leases in one step; the rest follows in the next, due at once */
};

/* ---- what comes in ---- */

/* The store has states of its own (run_state in store/writer.h); the shell maps one to the other. */
enum sched_run_state {
	SCHED_STATE_RUNNING = 0,
	SCHED_STATE_DONE = 1,
	SCHED_STATE_INCOMPLETE = 2,
	SCHED_STATE_CANCELLED = 3,
	SCHED_STATE_OVER_BUDGET = 4
};

struct sched_caps {               /* 0 stands for the default in brackets */
	uint32_t attempts_max;    /* [5] failed asks of one sample in one wave */
	uint32_t sample_ms_max;   /* [600,000] of one sample under lease, all attempts together */
	double missing_share_max; /* [0.02] above it the run is incomplete; negative: none may be missing */
};

struct sched_tried { /* what stored attempts say of one sample that is not done, in its present wave */
	uint64_t sample_no;
	uint32_t attempts; /* failed asks */
	uint32_t deaths;   /* a worker died while it was known to have started */
	uint32_t
		near_deaths; /* a worker died that held it and may have started it; also: died, nothing more is known */
	uint32_t alone_deaths;
	uint32_t spent_ms;
};

struct sched_run {
	uint64_t run_id, team_id;
	uint32_t route_id;
	uint32_t retry_wave, scoring_no;
	int32_t priority;    /* larger goes first */
	uint64_t created_no; /* age: smaller goes first; equal ones by run_id */
	uint64_t seed;
	enum position_order order;
	uint64_t suite_items;
	uint32_t epochs;
	const struct position_layer *layers; /* NULL: one layer, all samples of all epochs */
	size_t layer_count;
	struct str selected; /* bitmap over items; empty: all of them */
	struct str done;     /* bitmap over samples that are not pending: scored, or missing at the present wave; may be
	                        empty */
	struct str missing;  /* bitmap over samples: those of `done` that have no score; may be empty */
	uint64_t missing_counts[OUTCOME_COUNT]; /* the same by outcome, as far as known */
	uint64_t sent_to;                       /* durable position */
	bool resumed;                           /* what lies below sent_to may be with a worker of the last term */
	const struct sched_tried *tried;
	size_t tried_count;
	struct sched_caps caps;
	uint32_t context_bytes;
	uint32_t item_bytes_mean; /* hint; 0: unknown */
};

struct sched_route {
	uint32_t route_id;
	uint32_t concurrency;     /* of the whole fleet; 0: no limit */
	struct str name;          /* for texts: "local-smol" */
	struct str provider;      /* "openai" */
	struct str alias;         /* key alias; empty: needs no key */
	struct str endpoint_host; /* empty for a hosted model */
	struct str host_command;  /* empty: not hosted */
	uint32_t host_slots;      /* of each server, where the worker does not say */
};

/* What the store has made durable: the only thing that ends a sample. One for every record that a worker sent, and one
 * for every OUTCOME. Told to the schedule before the worker hears of it: a sample that the worker no longer lists and
 * that is not done here would be lent again. */
struct sched_committed {
	enum record_kind kind; /* OUTCOME comes back as RECORD_RESULT */
	bool given_up;         /* attempt */
	uint64_t run_id, sample_no, ask_id;
	uint32_t retry_no, scoring_no;
	enum outcome outcome; /* result: as it stands in the row; OUTCOME_NONE: it could not be stored as a row */
	enum error_class error_class; /* attempt */
	uint32_t attempt_count;       /* attempt */
	uint32_t latency_ms;          /* attempt; 0: nothing was sent */
	int64_t retry_after_ms;       /* attempt; -1: not said */
};

enum sched_event_kind {
	SCHED_TICK = 1,     /* time has passed: ends leases. Feed what has already arrived before it */
	SCHED_LAST_WORKERS, /* once, first: outboxes that may hold samples of the last term; may be none */
	SCHED_ROUTE,        /* a route is there or has changed; clears what blocked it */
	SCHED_ROUTE_CLEAR,  /* an operator says that its quota is back */
	SCHED_RUN_ADMIT,    /* new, found unfinished at start, or loaded again because of RUN_NEEDED */
	SCHED_RUN_CANCEL,
	SCHED_RUN_RETRY,  /* the wave was raised: missing samples are asked again */
	SCHED_RUN_EXTEND, /* more epochs */
	SCHED_SENT_TO,    /* a raised position is durable */
	SCHED_ITEMS_LOADED,
	SCHED_WORKER_JOINED, /* Hello of a session */
	SCHED_WORKER_KNOWN,  /* its row is durable: without one a new term would not wait for what it holds */
	SCHED_WORKER_RENEWED,
	SCHED_WORKER_RELEASED,
	SCHED_WORKER_GONE,  /* the session ended */
	SCHED_WORKER_DRAIN, /* an operator wants the worker empty */
	SCHED_COMMITTED,
	SCHED_DRAIN, /* this coordinator lends nothing more */
	SCHED_LEADS, /* its leadership is sure until then: past it nothing is lent. Never said: for ever */
	SCHED_EVENT_COUNT
};

struct sched_event {
	enum sched_event_kind kind;
	uint64_t now_ms;
	union {
		struct {
			const struct outbox_id *outboxes;
			size_t count;
		} last_workers;
		const struct sched_route *route;
		uint32_t route_id; /* ROUTE_CLEAR */
		const struct sched_run *run;
		uint64_t run_id; /* RUN_CANCEL */
		struct {
			uint64_t run_id;
			uint32_t wave;
		} retry;
		struct {
			uint64_t run_id;
			uint32_t epochs; /* all together, not the additional ones */
		} extend;
		struct {
			uint64_t run_id, position;
		} sent_to;
		struct {
			uint64_t run_id;
			uint64_t from, to; /* a load that was asked for; `to` may be less than asked (the rest is asked
			                      again) */
			const uint32_t *sizes; /* bytes of each item's canonical JSON */
		} items;
		struct {
			uint32_t worker_id; /* of this session, never used again: given by the fleet */
			const struct msg_hello *hello;
			bool unknown; /* its row is not durable yet: nothing is lent to it before WORKER_KNOWN */
		} joined;
		struct outbox_id known;  /* WORKER_KNOWN */
		uint64_t leads_until_ms; /* LEADS */
		struct {
			uint32_t worker_id;
			const struct msg_renew *renew;
		} renewed;
		struct {
			uint32_t worker_id;
			const struct msg_released *released;
		} released;
		struct {
			uint32_t worker_id;
			bool orderly; /* it had been told to stop and gave back what it held */
		} gone;
		struct {
			uint32_t worker_id;
			struct str reason;
		} drain; /* WORKER_DRAIN; DRAIN reads the reason alone */
		struct {
			struct outbox_id outbox; /* whose records they were; zero for STORE_OUTCOME */
			const struct sched_committed *records;
			size_t count;
		} committed;
	};
};

/* ---- what goes out ---- */

enum sched_action_kind {
	SCHED_DO_WELCOME = 1,
	SCHED_DO_RENEWED,
	SCHED_DO_CLOSE, /* end this session: a newer one has its outbox */
	SCHED_DO_LEASE,
	SCHED_DO_RELEASE,
	SCHED_DO_REVOKE,
	SCHED_DO_GRANT,
	SCHED_DO_DRAIN,
	SCHED_DO_LOAD_ITEMS,  /* read the items [from, to) and say ITEMS_LOADED; keep them until DROP_ITEMS */
	SCHED_DO_DROP_ITEMS,  /* a range as it was loaded */
	SCHED_DO_SENT_TO,     /* make the position durable, then say SENT_TO */
	SCHED_DO_OUTCOME,     /* write the row that declares a sample over, then say COMMITTED */
	SCHED_DO_ATTEMPTS,    /* write attempts that nobody reported; outbox zero: of one of several workers */
	SCHED_DO_LOST_CLOSED, /* this outbox is back and has said what it knows: what it did not name was never asked */
	SCHED_DO_RUN_ENDED,   /* write the run's state */
	SCHED_DO_RUN_NEEDED,  /* a retry or more epochs for a run that is not held here: read it and RUN_ADMIT it */
	SCHED_DO_RUN_FORGOTTEN, /* nobody holds a sample of it any more: its context may go */
	SCHED_ACTION_COUNT
};

struct sched_unreported {
	uint64_t run_id, sample_no, ask_id; /* ask_id 0: not known */
	uint32_t retry_no, scoring_no;
	enum error_class error_class; /* CLASS_LOST or CLASS_ABANDONED */
	bool started; /* known to have been asked; else it may have been. A LOST one with this counts a death */
	bool alone;
};

struct sched_action {
	enum sched_action_kind kind;
	union {
		struct {
			uint32_t worker_id;
			const struct lease_no *refused;
			size_t refused_count;
			const uint8_t *verdicts; /* enum answer_verdict, one for each answer of the Hello */
			size_t verdict_count;
		} welcome;
		struct {
			uint32_t worker_id;
			uint64_t renew_no;
			const struct lease_no *refused;
			size_t refused_count;
		} renewed;
		struct {
			uint32_t worker_id;
			enum refuse_cause cause;
		} close;
		struct {
			uint32_t worker_id;
			uint64_t frame_no; /* the envelope's number */
			struct lease_no number;
			uint64_t run_id;
			uint32_t route_id, retry_no, scoring_no, deadline_ms;
			bool alone;
			bool with_context; /* the session has not had this run's context yet */
			uint32_t sample_count;
			const uint64_t *sample_nos; /* item_no = sample_no % suite_items */
			uint64_t suite_items;
			const uint32_t *attempts_left; /* NULL: attempts_max for each */
			const uint32_t *time_left_ms;  /* NULL: sample_ms_max for each */
			uint32_t attempts_max, sample_ms_max;
		} lease;
		struct {
			uint32_t worker_id;
			uint64_t frame_no;
			struct lease_no number;
			const uint32_t *indexes;
			size_t index_count;
		} release;
		struct {
			uint32_t worker_id;
			uint64_t frame_no;
			struct lease_no number;
			bool abandon;
		} revoke;
		struct {
			uint32_t worker_id;
			uint64_t frame_no;
			uint32_t route_id, slots, pause_ms;
		} grant;
		struct {
			uint32_t worker_id;
			uint64_t frame_no;
			struct str reason;
		} drain;
		struct {
			uint64_t run_id, from, to;
		} items; /* LOAD_ITEMS, DROP_ITEMS */
		struct {
			uint64_t run_id, position;
		} sent_to;
		struct {
			uint64_t run_id, sample_no;
			uint32_t retry_no, scoring_no;
			enum outcome outcome;
			enum error_class error_class;
			struct str text; /* the evidence in words */
		} outcome;
		struct {
			struct outbox_id outbox; /* who held them */
			const struct sched_unreported *unreported;
			size_t count;
		} attempts;
		struct {
			uint64_t run_id;
			enum sched_run_state state;
			struct str text; /* why, with counts; empty when nothing is missing */
		} ended;
		struct outbox_id outbox; /* LOST_CLOSED */
		uint64_t run_id;         /* RUN_NEEDED, RUN_FORGOTTEN */
	};
};

struct sched_actions { /* the caller's; clear it between steps */
	struct sched_action *items;
	size_t len, cap;
	struct arena arena;
};

void sched_actions_init(struct sched_actions *out);
void sched_actions_clear(struct sched_actions *out);
void sched_actions_done(struct sched_actions *out);

/* ---- */

struct schedule *schedule_new(const struct sched_config *config);
void schedule_free(struct schedule *s); /* accepts NULL */

/* Applies one event and appends to `out`. What an event says that cannot be (unknown ids, samples out of range) is
 * ignored or refused, never believed: it came from outside. */
void schedule_step(struct schedule *s, const struct sched_event *ev, struct sched_actions *out);

/* When the next TICK is due (may lie in the past: at once), or UINT64_MAX. */
uint64_t schedule_next_deadline_ms(const struct schedule *s);

/* ---- looking in: what screens, metrics and tests ask; nothing here changes anything ---- */

enum sched_wait {                     /* what an unfinished run waits for; silence is explained (DESIGN.md 4, I6) */
	          WAIT_NOTHING = 0,   /* samples are going out */
	          WAIT_IN_FLIGHT,     /* all samples are with workers */
	          WAIT_STORE,         /* rows of the coordinator are being written */
	          WAIT_ITEMS,         /* content is being read */
	          WAIT_SENT_TO,       /* the position is being written */
	          WAIT_PERHAPS_HELD,  /* workers of the last term may still hold samples */
	          WAIT_NO_WORKER,     /* none is connected */
	          WAIT_NO_PROVIDER,   /* none speaks that API */
	          WAIT_NO_ALIAS,      /* none has the key */
	          WAIT_NO_ADDRESS,    /* none is allowed to reach the host */
	          WAIT_NO_HOST,       /* none can run the model server */
	          WAIT_ROUTE_PAUSED,  /* the provider asked for it */
	          WAIT_ROUTE_BLOCKED, /* quota: until somebody clears it */
	          WAIT_NO_SLICE,      /* the route's concurrency is lent out */
	          WAIT_NO_CREDIT,     /* workers are full, or serve runs that go first */
	          WAIT_WORKER_DISK,   /* the able ones cannot write their outboxes */
	          WAIT_DRAINING,      /* this coordinator is stopping */
	          WAIT_NO_ROUTE,      /* its route was never announced */
	          WAIT_HOST_STARTS,   /* samples are out and its model server never answered */
	          WAIT_COUNT
};

enum { SCHED_STRAGGLERS_MAX = 5, SCHED_NAME_BYTES = 64 };

struct sched_straggler { /* a sample that is out, and for how long */
	uint64_t sample_no, age_ms;
	bool started;                  /* its holder says that it is being asked */
	char worker[SCHED_NAME_BYTES]; /* cut */
};

struct sched_run_view {
	uint64_t run_id;
	enum sched_run_state state;
	uint64_t total, done, missing, in_flight, started, storing, pending, sent_to;
	uint64_t oldest_in_flight_ms; /* age of the oldest lease that still has samples; 0: none */
	uint64_t suite_items;         /* sample_no % suite_items is the item, / the epoch */
	struct sched_straggler stragglers[SCHED_STRAGGLERS_MAX]; /* the oldest of what is out */
	size_t straggler_count;
	enum sched_wait wait;
	char text[200]; /* the wait in words */
};

struct sched_worker_view {
	uint32_t worker_id; /* of its last session */
	struct outbox_id outbox;
	struct str name;
	bool connected, draining, alone;
	bool outbox_fails; /* its disk is full or broken: it takes no work */
	uint32_t slots, lease_count, loop_lag_ms;
	uint64_t held, started; /* samples lent and not committed */
	uint64_t deadline_ms;   /* when its leases end; UINT64_MAX: it holds none */
	double samples_per_s;
};

struct sched_route_view {
	uint32_t route_id, concurrency, told; /* told: slices lent out */
	uint64_t paused_until_ms;             /* 0: not paused */
	bool blocked;
	struct str name, blocked_text;
};

struct sched_counters { /* since birth */
	uint64_t leases, leased_samples, commits, expired_workers, returned_samples, lost_leases, refused_leases;
	uint64_t adopted_samples, taken_back, deaths, quarantined, outcomes;
};

size_t schedule_run_count(const struct schedule *s); /* unfinished runs and those with samples still out */
void schedule_run_view(const struct schedule *s, size_t i, uint64_t now_ms, struct sched_run_view *ret_view);
bool schedule_find_run(const struct schedule *s, uint64_t run_id, size_t *ret_i);
size_t schedule_worker_count(const struct schedule *s); /* with those that are gone until their leases end */
void schedule_worker_view(const struct schedule *s, size_t i, struct sched_worker_view *ret_view);
size_t schedule_route_count(const struct schedule *s);
void schedule_route_view(const struct schedule *s, size_t i, struct sched_route_view *ret_view);
const struct sched_counters *schedule_counters(const struct schedule *s);
bool schedule_quiet(const struct schedule *s); /* draining and nothing is out: the process may stop */

const char *sched_wait_name(enum sched_wait w);           /* "no_worker": for --json and /metrics */
const char *sched_run_state_name(enum sched_run_state s); /* "done" */
const char *sched_event_name(enum sched_event_kind k);
const char *sched_action_name(enum sched_action_kind k);

#endif
