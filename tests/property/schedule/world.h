/* tests/property/schedule/world.h - a small world around one schedule: workers, wires, a store, faults, all by one
 * seed.
 *
 * Workers keep to the protocol as worker/agent does, in the simplest form: they hold, ask within their slots and their
 * licence, keep answers and results in an outbox, renew, reconnect, die, and come back with or without the outbox. The
 * store commits late, in any order over runs, and now and then not for seconds. The coordinator may die and begin a new
 * term from the rows. What physically happens (who asked what, when) is kept beside, and is what the rules are held
 * against; nothing is asked of the schedule but its actions. */
#ifndef ASSAY_TESTS_PROPERTY_SCHEDULE_WORLD_H
#define ASSAY_TESTS_PROPERTY_SCHEDULE_WORLD_H

#include "common/base/rng.h"
#include "coordinator/schedule/schedule.h"

enum {
	WORLD_WORKERS = 8,
	WORLD_RUNS = 3,
	WORLD_SAMPLES = 96, /* of one run, all epochs */
	WORLD_RECORDS = 512,
	WORLD_LEASES = 64,
	WORLD_LEASE_SAMPLES = 96,
	LEASE_MS = 3000,
	PERHAPS_MS = 30000,
};

enum hold_state { HOLD_NONE, HOLD_FRESH, HOLD_ASKING, HOLD_ANSWERED /* to be scored */, HOLD_REPORTED };

struct hold { /* a sample in a worker's memory */
	enum hold_state state;
	uint32_t lease; /* index in leases; UINT32_MAX: an adopted answer */
	uint32_t retry_no, attempts;
	uint64_t ask_id;
	bool alone;
	bool committed; /* the record that ends it is durable, though the worker may not know */
	bool settled;   /* so is a row of its sample, whoever brought it */
	bool stale;     /* the coordinator has given it up: past the deadline, or another term that no longer waits */
};

struct wlease {
	struct lease_no number;
	uint32_t run, count;
	uint32_t samples[WORLD_LEASE_SAMPLES];
};

enum record_stage { REC_FREE, REC_ASK /* begun: becomes DIED at a restart */, REC_ANSWER, REC_RECORD, REC_COMMITTED };

struct wrecord { /* one ask in the outbox, from its beginning to its record */
	enum record_stage stage;
	struct sched_committed c;
	bool sent;  /* in this session */
	bool stale; /* as in struct hold */
};

struct wworker {
	uint32_t slots;
	struct outbox_id outbox;
	bool alive, connected, welcomed, draining, deaf; /* deaf: a partition; nothing gets through, nobody is told */
	uint32_t life;                                   /* of this process */
	uint32_t session_conn;                           /* that the coordinator sends to */
	uint32_t conn;                                   /* of this worker: events of older ones are void */
	uint32_t worker_id;                              /* session at the coordinator; 0: none */
	uint64_t to_ms, from_ms;                         /* last delivery on each wire: they keep their order */
	uint64_t frame_seen, renew_no, renewed_no, licence_until_ms, renew_at_ms, renew_sent_ms[64];
	uint64_t promise[64];   /* by renew_no: samples that it may hold after the answer */
	uint64_t last_heard_ms; /* by the coordinator: the deadline is LEASE_MS later */
	uint32_t granted[2], asking[2];
	uint64_t pause_until_ms[2];
	struct hold hold[WORLD_RUNS][WORLD_SAMPLES];
	struct wlease leases[WORLD_LEASES];
	uint32_t lease_count;
	struct wrecord records[WORLD_RECORDS];
	uint32_t record_count;
	uint32_t ended_of_late;
	bool other_outbox; /* it lost the one before: that worker will never be heard of again */
	bool full;         /* its disk: wants nothing */
	bool alone_lent[WORLD_RUNS][WORLD_SAMPLES]; /* lent alone and not committed: a death counts */
};

struct wrow {
	bool there;
	enum outcome outcome;
	uint32_t retry_no;
};

struct wrun {
	uint64_t run_id, suite_items, sent_to;
	uint32_t epochs, wave, route;
	struct position_layer layers[16];
	size_t layer_count;
	bool ended, cancelled;
	enum sched_run_state state;
	struct wrow rows[WORLD_SAMPLES];
	uint32_t attempts[WORLD_SAMPLES], lost[WORLD_SAMPLES], alone_deaths[WORLD_SAMPLES];
	uint32_t asks[WORLD_SAMPLES];
	bool poison[WORLD_SAMPLES], broken[WORLD_SAMPLES]; /* broken: every ask of it fails */
};

struct world_event {
	uint64_t at_ms, seq;
	int kind;
	uint32_t worker, conn;
	void *body; /* owned */
};

struct world {
	struct rng rng;
	uint64_t seed, now_ms, seq, term, faults_until_ms, hash, ask_ids;
	struct schedule *s;             /* NULL: the coordinator is down */
	uint32_t next_worker_id, epoch; /* epoch: of the coordinator: store work of an older one is void */
	uint64_t store_stalled_until_ms, store_last_ms;
	struct wworker workers[WORLD_WORKERS];
	uint32_t worker_count, route_count, concurrency[2];
	struct wrun runs[WORLD_RUNS];
	uint32_t run_count;
	struct world_event *queue; /* binary heap by (at_ms, seq) */
	size_t queue_len, queue_cap;
	uint64_t tick_at_ms;
	char log[256][120]; /* the last things that happened */
	uint64_t log_count;
	const char *broken; /* the rule that was broken first, NULL: none */
	char broken_text[200];
	uint64_t kills, restarts, asks, leases, poison_count;
};

void world_begin(struct world *w, uint64_t seed);
void world_end(struct world *w);
bool world_run(struct world *w); /* true: every rule held and every run ended in time */
void world_print_log(const struct world *w);

/* Shared by the files of the world. */
enum {
	EV_TICK = 1,
	EV_TO_WORKER,
	EV_TO_COORDINATOR,
	EV_WORKER,
	EV_ASK_END,
	EV_SCORE_END,
	EV_CONNECT,
	EV_STORE,
	EV_FAULT,
	EV_RESTART_WORKER,
	EV_RESTART_COORDINATOR,
	EV_GONE,
	EV_SHELL,
	EV_HEAL,
	EV_CHANGE,
};
void world_at(struct world *w, uint64_t at_ms, int kind, uint32_t worker, uint32_t conn, void *body);
void world_log(struct world *w, const char *format, ...) PRINTF_LIKE(2, 3);
void world_break(struct world *w, const char *rule, const char *format, ...) PRINTF_LIKE(3, 4);
uint64_t world_pick(struct world *w, uint64_t from, uint64_t to); /* uniform in [from, to] */
bool world_chance(struct world *w, uint32_t percent);
struct wrun *world_run_of(struct world *w, uint64_t run_id);

/* coordinator side */
void desk_feed(struct world *w, struct sched_event ev);
void desk_gone(struct world *w, uint32_t i); /* the session of worker i has ended */
void desk_alone_deaths(struct world *w, uint32_t i);
void desk_begin_term(struct world *w);
void desk_fall(struct world *w);
void desk_arrived(struct world *w, uint32_t worker, uint32_t conn, void *body); /* a frame of a worker */
void desk_store(struct world *w, void *body);
void desk_shell(struct world *w, void *body);
void desk_tick(struct world *w);
void desk_change(struct world *w);

/* worker side */
void crew_begin(struct world *w, uint32_t i);
void crew_forget_lease(struct world *w, uint32_t i, struct lease_no number); /* the coordinator does not know it */
void crew_committed(struct world *w, uint32_t i, const struct sched_committed *rec, uint32_t place); /* on disk */
void crew_arrived(struct world *w, uint32_t i, uint32_t conn, void *body); /* a frame of the coordinator */
void crew_turn(struct world *w, uint32_t i);
void crew_ask_end(struct world *w, uint32_t i, void *body);
void crew_score_end(struct world *w, uint32_t i, void *body);
void crew_connect(struct world *w, uint32_t i);
void crew_lose_connection(struct world *w, uint32_t i);
void crew_kill(struct world *w, uint32_t i, bool keep_outbox);
void crew_restart(struct world *w, uint32_t i);

struct frame_out { /* coordinator to worker */
	enum msg_kind kind;
	bool alone;
	uint64_t number, renew_no;
	struct lease_no lease;
	uint32_t worker_id, run, retry_no, route, slots, pause_ms;
	uint32_t count; /* of samples, indexes, refused or records */
	uint8_t samples[WORLD_LEASE_SAMPLES];
	struct lease_no refused[WORLD_LEASES];
	uint8_t verdicts[WORLD_RECORDS];
	uint32_t verdict_count;
	uint32_t records[64]; /* COMMIT: places in the outbox */
	uint64_t asks[64];    /* and what must stand there */
};

struct frame_lease {
	struct lease_no number;
	uint32_t run, count, retry_no;
	uint8_t samples[WORLD_LEASE_SAMPLES];
	uint8_t held[WORLD_LEASE_SAMPLES / 8], started[WORLD_LEASE_SAMPLES / 8];
};

struct frame_in { /* worker to coordinator */
	enum msg_kind kind;
	uint64_t renew_no, frame_seen;
	uint32_t wanted, lease_count;
	uint32_t in_flight[2], granted[2];
	struct frame_lease leases[WORLD_LEASES];
	struct msg_answer_ref answers[WORLD_RECORDS];
	uint32_t answer_count;
	struct lease_no number; /* RELEASED */
	enum release_cause cause;
	uint32_t count;
	uint32_t indexes[WORLD_LEASE_SAMPLES];
	struct sched_committed records[64];
	uint32_t places[64];
};

#endif
