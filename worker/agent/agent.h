/* worker/agent/agent.h - what a worker holds, starts, releases and reports; its whole side of the protocol.
 *
 * Pure. The shell feeds the events of one loop turn, each with agent_step(), and then calls agent_turn() once: there
 * timers run, samples start and frames are made. Then all actions are carried out in their order, before the next
 * event. The same agent runs in the simulator.
 *
 * Rules, each with a test in tests/unit/agent:
 *
 * - Connection: one endpoint at a time. 3 s without a frame (without a handshake 1 s and more, if there are others):
 *   close, next endpoint, jittered. Refused(standby): the next at once. A Welcome of a lower term, or of a timeline
 *   that was left, is left, unless nothing better comes for 60 s. Results window full without a Commit for 5 s: the
 *   other endpoints are asked over a second connection, and a term not lower than ours is followed.
 * - Licence: nothing is asked (first ask or retry) later than lease_ms after the sending of the last Renew that was
 *   answered; Hello counts as one. What is under way finishes.
 * - Holding: a sample is `held` in Renew until the record that ends it is committed, or Released has been sent, or the
 *   coordinator refused its lease before it started; `started` from its first slot on. Samples of a net or score thread
 *   that has not turned for lease_ms are left out of both.
 * - Slots: asks under way never exceed the worker's slots, nor a route's slots of its last Grant in this
 *   session (none: 0). A sample
 *   that waits to ask again has no slot, and asks before fresh ones. A paused route starts nothing. An `alone` sample
 *   starts when nothing else is under way, and nothing starts beside it.
 * - Credit: slots + what ended within the last second - what is held; 0 while draining, while the outbox cannot be
 *   written, while the results window is full.
 * - Results: at most window_frames frames and window_bytes bytes unacknowledged; lowest record number first; again
 *   after resend_ms and after each Welcome. Commit ranges are exact. When the timeline changes, the outbox gives back
 *   what was committed within 60 s, and it is sent again.
 *
 * Memory: leases and samples held, records not yet committed and in memory; a kilobyte or so each. Texts in actions
 * live until the next call of agent_step(). One thread. */
#ifndef ASSAY_AGENT_AGENT_H
#define ASSAY_AGENT_AGENT_H

#include "common/base/arena.h"
#include "common/base/rng.h"
#include "worker/exec/exec.h"
#include "worker/exec/record.h"

enum {
	AGENT_SILENCE_MS = 3000,
	AGENT_WINDOW_FULL_MS = 5000,
	AGENT_STALE_TERM_MS = 60 * 1000,
	AGENT_LOST_HOLD_MS = 30 * 1000, /* unstarted samples are dropped so long after the licence has ended */
	AGENT_GATHER_MS = 5,            /* how long a result waits for company while others are under way */
	AGENT_RENEW_EARLY_MS = 20,      /* the least between two Renews that only bring credit */
	AGENT_HELD_MAX = 1 << 16,       /* samples; more are given back at once */
	AGENT_DRAIN_MS = 60 * 1000,     /* how long a Drain of the coordinator lets asks run on */
	AGENT_CONTEXTS_MAX = 256,
	AGENT_ENDPOINTS_MAX = 16,
};

/* Samples are named by (lease serial << 16 | index in the lease); adopted answers by AGENT_ADOPTED | record_no. */
#define AGENT_ADOPTED (UINT64_C(1) << 63)

struct agent_answer { /* an answer found in the outbox at start */
	uint64_t record_no;
	struct msg_answer_ref ref;
};

struct agent_config { /* texts and arrays are borrowed for the agent's life */
	struct outbox_id outbox;
	struct str name, build;
	uint32_t slots;       /* asks under way at most */
	uint32_t net_count;   /* net threads to spread samples over */
	uint32_t score_count; /* score threads that say TURNED; 0 where none can stall */
	uint32_t endpoint_count;
	const struct str *endpoints; /* only compared with `leader` of a Refused */
	const struct str *providers;
	size_t provider_count;
	const struct msg_alias *aliases;
	size_t alias_count;
	const struct str *allowed_hosts;
	size_t allowed_host_count;
	const struct msg_host *hosts;
	size_t host_count;
	const struct agent_answer *answers; /* copied */
	size_t answer_count;
	uint64_t unloaded; /* records in the outbox that are neither committed nor answers */
	uint64_t seed;
};

enum agent_event_kind {
	AGENT_EV_OPENED,    /* the connection stands */
	AGENT_EV_LOST,      /* it failed or ended */
	AGENT_EV_FRAME,     /* a decoded frame; copied where it must be */
	AGENT_EV_KEPT,      /* a record is in the outbox (written now, or loaded again); the agent takes it */
	AGENT_EV_ASK_ENDED, /* the slot of a sample is free */
	AGENT_EV_TURNED,    /* a net thread (0 ..), or a score thread (net_count ..), has turned */
	AGENT_EV_OUTBOX,    /* can it be written, and how many records wait there to be loaded */
	AGENT_EV_DRAIN,     /* orderly stop, within limit_ms */
};

struct agent_event {
	enum agent_event_kind kind;
	uint64_t now_ms;
	union {
		uint32_t conn; /* OPENED, LOST */
		struct {
			uint32_t conn;
			const struct msg *msg;
		} frame;
		struct {
			uint64_t sample_id; /* 0: loaded, belongs to nobody that lives */
			struct record *record;
		} kept;
		struct {
			uint64_t sample_id, ask_id;
			enum error_class class; /* CLASS_NONE: answered */
			bool waits, paced;
			uint32_t wait_ms;
			int64_t retry_after_ms;
		} ask_ended;
		uint32_t thread;
		struct {
			bool writable;
			uint64_t unloaded;
		} outbox;
		struct {
			uint32_t limit_ms;
		} drain;
	};
};

enum agent_action_kind {
	AGENT_DO_OPEN,    /* a DEALER to endpoint `endpoint`, under the number `conn` */
	AGENT_DO_CLOSE,   /* drop it, and what is queued in it */
	AGENT_DO_SEND,    /* encode and send */
	AGENT_DO_START,   /* give a fresh sample to net thread `net`, with its slot */
	AGENT_DO_RESUME,  /* a slot for a sample that waited */
	AGENT_DO_CANCEL,  /* abandon a sample: EXEC_EV_CANCEL */
	AGENT_DO_TRIM,    /* these record ranges are committed (or not wanted): mark them so in the outbox */
	AGENT_DO_LOAD,    /* give up to so many uncommitted records back as KEPT, then say OUTBOX */
	AGENT_DO_REOPEN,  /* the timeline changed: what was committed within 60 s is uncommitted again; say OUTBOX */
	AGENT_DO_ADOPT,   /* load the answer and give it to net thread `net` to be scored */
	AGENT_DO_SHIP,    /* load the answer and give it back as KEPT, to be sent raw */
	AGENT_DO_NOTE,    /* worth a line in the log */
	AGENT_DO_DRAINED, /* nothing is left to do: leave */
};

enum agent_note {
	AGENT_NOTE_WELCOME,     /* a = term, b = timeline */
	AGENT_NOTE_REFUSED,     /* a = enum refuse_cause, b = endpoint; text */
	AGENT_NOTE_SILENCE,     /* b = endpoint */
	AGENT_NOTE_LOST,        /* b = endpoint */
	AGENT_NOTE_STALE,       /* a = term offered */
	AGENT_NOTE_TIMELINE,    /* a = old, b = new */
	AGENT_NOTE_WINDOW_FULL, /* a = unacknowledged records */
	AGENT_NOTE_OUTBOX,      /* a = 1 when it can be written again */
	AGENT_NOTE_BAD_FRAME,   /* a = enum msg_kind: does not belong into this state or session */
	AGENT_NOTE_FOREIGN_COMMIT,
	AGENT_NOTE_NO_CONTEXT,    /* a = run: its context was not sent; the session is begun anew */
	AGENT_NOTE_LICENCE_ENDED, /* a = samples that wait for it */
	AGENT_NOTE_DRAINING,
};

struct agent_action {
	enum agent_action_kind kind;
	union {
		struct {
			uint32_t conn, endpoint;
		} open;
		struct {
			uint32_t conn;
		} close;
		struct {
			uint32_t conn;
			const struct msg *msg;
		} send;
		struct {
			uint64_t sample_id;
			uint32_t net;
			struct exec_key key;
			struct exec_context *context; /* take a reference to keep it */
			struct str item;
			uint32_t attempts_left, time_left_ms, route_id;
			bool alone;
		} start; /* RESUME and CANCEL: sample_id and net */
		struct {
			const struct record_range *ranges;
			size_t count;
		} trim;
		struct {
			uint32_t record_max;
			uint64_t bytes_max;
		} load;
		struct {
			uint64_t record_no, sample_id;
			uint32_t net;
		} answer;
		struct {
			enum agent_note what;
			uint64_t a, b;
			struct str text;
		} note;
	};
};

struct agent_actions { /* the caller's; agent_step() and agent_turn() append */
	struct agent_action *items;
	size_t len, cap;
	struct arena arena; /* what the actions point into */
};

void agent_actions_init(struct agent_actions *out);
void agent_actions_clear(struct agent_actions *out); /* once they have been carried out */
void agent_actions_done(struct agent_actions *out);

struct agent;

struct agent *agent_new(const struct agent_config *config, uint64_t now_ms);
void agent_free(struct agent *a); /* accepts NULL; frees records that it holds */

void agent_step(struct agent *a, const struct agent_event *ev, struct agent_actions *out);

struct agent_vitals { /* told to the coordinator with each Renew */
	uint32_t loop_lag_ms;
	uint64_t memory_bytes;
};
void agent_turn(struct agent *a, uint64_t now_ms, const struct agent_vitals *vitals, struct agent_actions *out);

/* When the next agent_turn() is due if no event comes before; UINT64_MAX: never. */
uint64_t agent_next_deadline_ms(const struct agent *a);

struct agent_status { /* for metrics, tests and `assay status` */
	bool connected, draining, outbox_writable;
	uint32_t endpoint;
	uint64_t term, timeline, session, licence_until_ms;
	uint64_t held, unstarted, asking, waiting, scoring, reported; /* samples; held is the sum of the others */
	uint64_t records, record_bytes, unloaded;                     /* not committed: in memory, and still on disk */
	uint64_t frames_unacknowledged;
	uint64_t started_count, committed_count, released_count, bad_frame_count, foreign_commit_count;
};
void agent_status(const struct agent *a, struct agent_status *ret_status);

#endif
