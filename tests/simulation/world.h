/* tests/simulation/world.h - what a seed makes: clock, events, workers, wires, coordinators, a database; who owns what.
 *
 * One thread, one seed. Every delay, loss and death is drawn from `rng`; nothing reads a clock. What decides is the
 * shipped code: schedule and session in a desk, agent, exec and outbox_index in a crew member. What is rebuilt here in
 * small is what moves bytes: sockets (cable), the statement that stores results (ledger, pen), threads and files
 * (crew, drawer). The oracle looks on from outside and knows what really happened.
 *
 * Each part has its section below and its file. Everything belongs to the world and dies with it. */
#ifndef ASSAY_TESTS_SIMULATION_WORLD_H
#define ASSAY_TESTS_SIMULATION_WORLD_H

#include "common/base/map.h"
#include "common/base/rng.h"
#include "coordinator/schedule/schedule.h"
#include "coordinator/session/session.h"
#include "tests/simulation/plan.h"
#include "worker/agent/agent.h"
#include "worker/outbox/outbox_index.h"

enum { NOBODY = -1, NONE32 = 0 };

/* ---- events ---- */

enum event_kind {
	EV_CABLE_UP = 1, /* a frame arrives at a coordinator: a = cable */
	EV_CABLE_DOWN,   /* ... at a worker */
	EV_CABLE_OPENED, /* the handshake is over, or refused: a = cable */
	EV_TURN,         /* a worker's loop: who, gen = life */
	EV_ASK_END,      /* a = call, gen = its generation */
	EV_SCORED,
	EV_OUTBOX, /* the outbox thread writes a group */
	EV_SYNCED, /* and has synced it */
	EV_WORKER_DIES,
	EV_WORKER_STARTS,
	EV_WORKER_STOPS, /* SIGTERM */
	EV_STALLED,      /* a thread of it has stood still for as long as a lease lasts */
	EV_TICK,         /* a schedule's deadline: who = coordinator, gen = life */
	EV_PEER_TICK,    /* a session's: a = worker_id */
	EV_BEAT,         /* leadership */
	EV_LOADED,       /* a loader's answer: a = loan */
	EV_PEN,          /* a writer may begin a statement: a = which */
	EV_PEN_APPLIES,  /* the database carries it out */
	EV_PEN_HEARS,    /* its answer comes, or does not */
	EV_COORD_DIES,
	EV_COORD_STARTS,
	EV_COORD_WAKES,
	EV_CHANGE, /* somebody cancels, retries, extends or starts a run: a = index in the plan */
	EV_FAULT,  /* a = index in the plan */
	EV_RECOUNT,
	EV_COUNT
};

struct event {
	uint64_t key; /* time in ms * 2; + 1: after everything else of that moment */
	uint64_t seq;
	uint16_t kind, who;
	uint32_t gen;
	uint64_t a;
};

/* ---- parcel.c: a message on its way ---- */

struct parcel {
	struct parcel *next;
	uint64_t at_ms;
	size_t bytes; /* of the frame, as far as windows care */
	uint32_t refs;
	bool encoded; /* `body` is the frame; else `msg` points behind the struct */
	struct msg msg;
	struct str body;
};

/* ---- cable.c: one connection of a worker with a coordinator ---- */

struct cable_way {
	struct parcel *first, *last;
	uint64_t last_ms; /* order is kept */
	bool due;         /* its event is in the queue */
};

struct cable {
	uint32_t id, worker, coord, conn, life, coord_life;
	uint32_t worker_id; /* its session at the coordinator; 0: none */
	bool opened, worker_closed, coord_closed, had_session;
	uint64_t closed_ms;
	struct cable_way up, down;
};

/* ---- ledger.c: the database ---- */

struct ledger_row {
	uint64_t ask_id;
	uint32_t retry_no, before; /* index + 1 of the row whose place it took; 0: none */
	uint8_t outcome;
};

struct ledger_attempt {
	uint64_t sample_no, ask_id;
	int64_t at_ms;
	uint32_t retry_no, outbox_no, latency_ms;
	uint8_t error_class, lost; /* as in the table: 1 open, 2 died, 3 closed */
	bool started, alone;
	uint32_t next; /* of the same sample: index + 1 */
};

struct ledger_run {
	bool made, cancel_said;
	enum sched_run_state state;
	uint64_t sent_to;
	uint32_t epochs, retry_wave;
	struct position_layer layers[16];
	size_t layer_count;
	uint64_t created_no;
	uint32_t *rows;      /* by sample: index + 1 of the highest row */
	uint32_t *tries;     /* by sample: index + 1 of the newest attempt */
	uint64_t room;       /* samples that both have room for */
	uint64_t end_count;  /* how often an end was written */
	uint64_t changed_ms; /* last change by somebody */
	uint64_t row_count;  /* samples that have a row */
	uint64_t settled;    /* of these: not pending */
	uint64_t wave_ms;
};

struct ledger_worker {
	bool there, gone;
	uint64_t term, lost_closed_term;
	int64_t lost_closed_ms;
};

struct ledger {
	uint64_t term, beat_no, beat_term; /* beat_no: its seen_at */
	bool stepped_down;
	uint64_t timeline;
	struct ledger_run runs[PLAN_RUNS_MAX];
	struct ledger_row *rows;
	size_t row_count, row_cap;
	struct ledger_attempt *attempts;
	size_t attempt_count, attempt_cap;
	struct map paid_twice;         /* ask_id -> nothing */
	struct map attempt_asks;       /* ask_id -> index + 1, of attempts that have one */
	struct ledger_worker *workers; /* by outbox number */
	size_t worker_cap;
	uint64_t stalled_until_ms; /* no statement is carried out */
	uint64_t down_until_ms;    /* no connection at all */
};

/* ---- pen.c: one writer of a coordinator ---- */

struct share { /* the records of one Results frame: its Commit goes out when all are durable */
	struct msg_record *records;
	size_t count;
	uint32_t outbox_no;
	uint32_t left;
	struct parcel *parcel; /* what the records' texts point into */
};

enum job_kind { JOB_NONE, JOB_SENT_TO, JOB_RUN_STATE, JOB_WORKER, JOB_WORKER_GONE, JOB_LOST_CLOSED };

struct batch { /* records of one writer, or one job */
	struct batch *next;
	enum job_kind job;
	uint64_t run_id, position;
	enum sched_run_state state;
	bool has_text;
	int64_t asked_ms; /* wall clock of the coordinator */
	uint32_t outbox_no;
	struct share *share;
	size_t count;
	struct msg_record *records;
	uint8_t *outcomes; /* as stored; OUTCOME_NONE: refused */
};

struct pen {
	struct batch *first, **last;
	struct batch *group; /* under way */
	size_t waiting;      /* records */
	uint64_t due_ms;     /* of the event in the queue; UINT64_MAX: none */
	bool busy, applied, lost;
	uint32_t statement;
};

/* ---- desk.c: one coordinator ---- */

enum desk_role { DESK_DOWN, DESK_STANDBY, DESK_LOADING, DESK_LEADS };

struct peer {
	uint32_t worker_id, cable;
	struct session session;
	bool closing, ticking, was_closed_before;
};

struct core_message {
	struct core_message *next;
	enum sched_event_kind kind;
	uint32_t worker_id;
	bool orderly;
	struct parcel *parcel;
	const struct msg *msg;
	struct msg decoded;
};

struct loan { /* what a loader was asked for */
	struct loan *next;
	uint64_t id, at_ms;
	unsigned what; /* enum loan_kind in loader.c */
	uint64_t run_id, from, to;
};

struct desk {
	uint32_t index, life;
	enum desk_role role;
	uint64_t term;
	struct session_config config;
	struct session_actions session_out;
	struct schedule *schedule;
	struct sched_actions out;
	struct peer **peers; /* by worker_id - 1 */
	size_t peer_count, peer_cap;
	uint32_t *by_outbox; /* outbox number -> worker_id of the newest session */
	size_t by_outbox_cap;
	struct core_message *inbox, **inbox_last;
	bool stepping;
	uint64_t tick_at_ms;
	struct pen pens[PLAN_PENS];
	struct loan *loans, **loans_last;
	uint64_t loan_ids;
	size_t layers_told[PLAN_RUNS_MAX]; /* 0: not admitted here */
	uint64_t paused_until_ms;          /* SIGSTOP */
	uint64_t cut_until_ms;             /* from the database alone */
	int64_t wall_skew_ms, stamp_ms;
	uint64_t beat_seen, beat_term_seen, watched_since_ms;
	uint64_t led_since_ms;
	uint64_t *heard_ms; /* by worker: last Hello or Renew of its present outbox, in this term; 0: none */
	bool *called_over;  /* by worker: its deadline has passed since */
};

/* ---- drawer.c: a worker's disk ---- */

struct drawer_entry {
	uint8_t kind; /* enum outbox_kind */
	bool damaged;
	struct record *record;
	struct record_range *ranges;
	size_t count;
	uint64_t next;
};

struct drawer_segment {
	uint64_t no, next; /* next: of its header */
	struct drawer_entry *entries;
	size_t len, cap, synced;
};

struct drawer_ask {
	struct exec_key key;
	uint32_t attempt_count;
};

struct drawer {
	uint32_t outbox_no;
	struct outbox_id id;
	struct drawer_segment *segments;
	size_t count, cap;
	uint64_t segment_no;
	bool writing; /* the last segment is open */
	bool full;
	struct map asks; /* the ask log: ask_id -> struct drawer_ask */
	struct outbox_index index;
	size_t unsynced; /* answers since the last sync */
};

/* ---- crew.c, calls.c: a worker ---- */

struct call { /* one sample in a net thread */
	uint32_t gen, worker, next_free;
	bool used, asking, cancelled, alone;
	uint32_t net;
	uint64_t sample_id, ask_id, ends_ms;
	uint32_t ask; /* in the oracle; index + 1 */
	struct exec *exec;
};

struct keep {
	uint32_t call, gen;
	uint64_t sample_id;
	struct record *record;
};

enum post_kind { POST_RECORD, POST_ENDED, POST_OUTBOX };

struct post { /* a mail to the link thread */
	enum post_kind kind;
	struct agent_event ev;
};

struct crew {
	uint32_t index, life;
	bool alive, stopping, drained;
	struct agent *agent;
	struct agent_actions actions;
	struct drawer drawer;
	uint32_t slots, nets, asking, alone_asking;
	uint64_t promises[PLAN_PROMISES]; /* what it may hold, by its last Renews */
	uint32_t promise_next;
	struct map calls; /* sample_id -> call index */
	struct post *posts;
	size_t post_count, post_cap;
	struct keep *keeps;
	size_t keep_count, keep_cap, keep_syncing;
	bool outbox_due, outbox_failing, syncing;
	uint64_t turn_at_ms, turned_ms;
	uint64_t stalled_net, stalled_until_ms; /* a net thread that stands still */
	uint64_t cut_up_until_ms[PLAN_COORDS], cut_down_until_ms[PLAN_COORDS];
	uint32_t *cables; /* open ones: at most two */
	size_t cable_count, cable_cap;
	bool never_back;
};

/* ---- oracle.c ---- */

enum ask_state { ASK_UNDER_WAY, ASK_ANSWERED, ASK_FAILED, ASK_ABANDONED, ASK_DIED };

struct oracle_ask {
	uint64_t ask_id, sample_no;
	uint16_t run, worker;
	uint32_t retry_no, outbox_no, life, net;
	uint64_t begun_ms, begun_term;
	uint8_t state;
	bool excused;                    /* somebody else may ask: its worker died or was called over */
	bool unlogged;                   /* a power cut took the ask log: it is known not to count this */
	bool final;                      /* its record is durable, or nothing more will come of it */
	uint32_t before;                 /* of the same sample: index + 1 */
	uint32_t link_next, link_before; /* live ones of its worker: index + 1 */
};

struct oracle_sample {
	uint32_t last;      /* ask: index + 1 */
	uint64_t told_term; /* the leader of that term knows of its score */
	uint16_t alone_deaths;
	bool poison, broken;
};

struct oracle_alone {
	uint32_t worker, run;
	uint64_t sample_no;
};

struct oracle_run {
	struct oracle_sample *samples;
	uint64_t room;
};

struct oracle {
	struct oracle_ask *asks;
	size_t ask_count, ask_cap;
	uint32_t live[PLAN_WORKERS_MAX];
	struct oracle_run runs[PLAN_RUNS_MAX];
	uint32_t in_flight[PLAN_ROUTES_MAX]; /* not excused */
	struct oracle_alone *alone;          /* lent alone and not durable yet, as far as known */
	size_t alone_count, alone_cap;
	uint64_t leader_term;
	const char *broken;
	char text[300];
	uint64_t recounts;
};

/* ---- the world ---- */

struct tally {
	uint64_t samples, asks, kills, takeovers, steps, leases, commits, paid_twice, frames, virtual_ms;
};

struct world {
	struct rng rng;
	uint64_t seed, now_ms, seq, steps, hash;
	struct plan plan;
	struct event *queue;
	size_t queue_len, queue_cap;
	struct ledger ledger;
	struct desk desks[PLAN_COORDS];
	struct crew crews[PLAN_WORKERS_MAX];
	struct cable **cables;
	size_t cable_count, cable_cap;
	struct call *calls;
	size_t call_count, call_cap;
	uint32_t call_free; /* index + 1 */
	uint32_t outbox_nos;
	struct exec_runs runs;
	struct exec_context *contexts[PLAN_RUNS_MAX];
	struct arena scratch;
	struct buf frame;
	struct oracle oracle;
	uint64_t faults_until_ms, quiet_since_ms;
	bool faults_over;
	size_t changes_left;
	bool trace;
	const char *mutant;
	struct tally tally;
};

void world_begin(struct world *w, uint64_t seed, const char *mutant, bool trace);
bool world_run(struct world *w); /* true: every rule held */
void world_end(struct world *w);

void world_at(struct world *w, uint64_t at_ms, enum event_kind kind, uint32_t who, uint32_t gen, uint64_t a);
void world_after_all(struct world *w, uint64_t at_ms, enum event_kind kind, uint32_t who, uint32_t gen, uint64_t a);
uint64_t world_pick(struct world *w, uint64_t from, uint64_t to); /* uniform in [from, to] */
bool world_chance(struct world *w, uint32_t per_mille);
uint64_t world_tail(struct world *w, uint64_t usual); /* heavy tail: now and then many times as much */
void world_mix(struct world *w, uint64_t what, uint64_t a, uint64_t b);
bool world_mutant(const struct world *w, const char *name);
#define world_log(w, ...) ((w)->trace ? world_print((w), __VA_ARGS__) : (void)0)
void world_print(struct world *w, const char *format, ...) PRINTF_LIKE(2, 3);
struct outbox_id world_outbox(uint32_t outbox_no);
uint32_t world_outbox_no(const struct outbox_id *id);

/* ---- parcel.c ---- */
struct parcel *parcel_new(struct world *w, const struct msg *m);
void parcel_ref(struct parcel *p);
void parcel_unref(struct parcel *p);
/* The message; decoded into `arena` where it is bytes. NULL: cannot be decoded (and the oracle knows). */
const struct msg *parcel_msg(struct world *w, struct parcel *p, struct msg *room, struct arena *arena);

/* ---- cable.c ---- */
struct cable *cable_new(struct world *w, uint32_t worker, uint32_t coord, uint32_t conn);
struct cable *cable_get(struct world *w, uint64_t id); /* NULL: gone */
void cable_up(struct world *w, struct cable *c, const struct msg *m);
/* False: the peer is known to have gone. */
bool cable_down(struct world *w, struct cable *c, const struct msg *m);
void cable_close_worker(struct world *w, struct cable *c, bool keeps_flying);
void cable_coord_died(struct world *w, uint32_t coord, bool said);
void cable_event(struct world *w, const struct event *ev);
void cable_free_all(struct world *w);

/* ---- ledger.c ---- */
void ledger_begin(struct world *w);
void ledger_end(struct world *w);
struct ledger_run *ledger_run(struct world *w, uint64_t run_id);
/* One group of records or one job under a term. False: that term does not lead. */
bool ledger_apply(struct world *w, uint64_t term, struct batch *b);
const struct ledger_row *ledger_row(const struct world *w, uint64_t run_id, uint64_t sample_no); /* NULL: none */
bool ledger_settled(const struct world *w, uint64_t run_id, uint64_t sample_no);
bool ledger_knows_ask(const struct world *w, uint64_t run_id, uint64_t sample_no, uint64_t ask_id);
struct ledger_worker *ledger_worker(struct world *w, uint32_t outbox_no);
bool ledger_change(struct world *w, const struct plan_change *c); /* what somebody asks the API for */
bool ledger_spoils(const struct world *w, uint64_t ask_id);       /* the database will not take this answer as it is */
uint64_t ledger_lost_open(const struct world *w, uint64_t run_id, uint64_t sample_no);

/* ---- pen.c ---- */
void pen_begin(struct pen *p);
void pen_end(struct world *w, struct pen *p);
void pen_results(struct world *w, struct desk *d, uint32_t outbox_no, struct parcel *p,
                 const struct msg_record *records, size_t count);
void pen_records(struct world *w, struct desk *d, uint32_t outbox_no, struct msg_record *records, size_t count);
struct batch *pen_job(struct world *w, struct desk *d, enum job_kind job, uint64_t run_id);
void pen_push(struct world *w, struct desk *d, struct batch *b, uint64_t run_id);
void pen_event(struct world *w, const struct event *ev);

/* ---- desk.c, doer.c, loader.c, beat.c ---- */
void desk_begin(struct world *w, uint32_t index);
void desk_end(struct world *w, struct desk *d);
void desk_start(struct world *w, struct desk *d); /* the process: stands by */
void desk_die(struct world *w, struct desk *d, bool said, uint64_t back_after_ms);
void desk_lead(struct world *w, struct desk *d, uint64_t term);
void desk_frame(struct world *w, struct desk *d, struct cable *c, struct parcel *p);
void desk_step(struct world *w, struct desk *d, struct sched_event *ev);
void desk_session(struct world *w, struct desk *d, struct peer *p, struct session_event *ev);
struct peer *desk_peer(struct desk *d, uint32_t worker_id);
void desk_commit(struct world *w, struct desk *d, const struct share *share);
void desk_event(struct world *w, const struct event *ev);
bool desk_is_paused(const struct world *w, const struct desk *d);
int64_t desk_wall_ms(const struct world *w, const struct desk *d);
int64_t desk_stamp_ms(const struct world *w, struct desk *d); /* the same, but it only rises */
void doer_carry_out(struct world *w, struct desk *d, const struct sched_action *a);
void loader_begin_term(struct world *w, struct desk *d);
void loader_items(struct world *w, struct desk *d, uint64_t run_id, uint64_t from, uint64_t to);
void loader_needed(struct world *w, struct desk *d, uint64_t run_id);
void loader_changed(struct world *w, struct desk *d, const struct plan_change *c);
void loader_event(struct world *w, const struct event *ev);
void loader_end(struct desk *d);
void beat_start(struct world *w, struct desk *d);
void beat_event(struct world *w, const struct event *ev);

/* ---- drawer.c ---- */
void drawer_begin(struct world *w, struct drawer *d);
void drawer_done(struct drawer *d);
void drawer_wipe(struct world *w, struct drawer *d); /* another outbox from now on */
bool drawer_append(struct drawer *d, struct record *const *records, size_t count);
bool drawer_sync(struct drawer *d);
void drawer_trim(struct world *w, struct drawer *d, const struct record_range *ranges, size_t count);
struct record *drawer_load(struct drawer *d, uint64_t record_no); /* a copy; NULL: cannot be read */
struct record *drawer_load_next(struct drawer *d);
void drawer_power_cut(struct world *w, struct drawer *d);
void drawer_tear(struct drawer *d); /* the last entry was not written whole */
void drawer_rot(struct world *w, struct drawer *d);
void drawer_replay(struct world *w, struct drawer *d);
void drawer_clean(struct drawer *d, uint64_t now_ms);

/* ---- crew.c ---- */
void crew_begin(struct world *w, uint32_t index);
void crew_end(struct world *w, struct crew *c);
void crew_start(struct world *w, struct crew *c);
void crew_kill(struct world *w, struct crew *c, bool power_cut, uint64_t back_after_ms); /* UINT64_MAX: never */
void crew_opened(struct world *w, struct crew *c, uint32_t conn, bool fine);
void crew_frame(struct world *w, struct crew *c, uint32_t conn, struct parcel *p);
void crew_event(struct world *w, const struct event *ev);
void crew_post(struct world *w, struct crew *c, const struct post *p);
void crew_turn_soon(struct world *w, struct crew *c);
void crew_keep(struct world *w, struct crew *c, uint32_t call, struct record *r);
bool crew_idle(const struct crew *c); /* holds nothing and has nothing to say */

/* ---- calls.c ---- */
void calls_start(struct world *w, struct crew *c, const struct agent_action *a);
void calls_resume(struct world *w, struct crew *c, uint64_t sample_id);
void calls_cancel(struct world *w, struct crew *c, uint64_t sample_id);
void calls_adopt(struct world *w, struct crew *c, uint64_t sample_id, uint32_t net, struct record *answer);
void calls_kept(struct world *w, struct crew *c, const struct keep *k, uint64_t ask_id);
void calls_event(struct world *w, const struct event *ev);
void calls_drop_all(struct world *w, struct crew *c); /* its process died */

/* ---- vendor.c: the provider ---- */
uint64_t vendor_latency_ms(struct world *w, uint64_t run_id);
/* What comes of an ask that ends now. */
void vendor_reply(struct world *w, const struct exec_key *key, struct provider_reply *ret_reply);
extern const struct exec_content vendor_content;

/* ---- fault.c ---- */
void fault_event(struct world *w, const struct event *ev);
void fault_change(struct world *w, const struct event *ev);
void fault_over(struct world *w);

/* ---- oracle.c ---- */
void oracle_begin(struct world *w);
void oracle_end(struct world *w);
void oracle_break(struct world *w, const char *rule, const char *format, ...) PRINTF_LIKE(3, 4);
uint32_t oracle_asks(struct world *w, struct crew *c, const struct exec_key *key, uint64_t ask_id, uint32_t net);
void oracle_ended(struct world *w, uint32_t ask, enum ask_state state);
void oracle_pen_lost(struct world *w, const struct batch *b); /* a leader died before these rows were written */
void oracle_unlogged(struct world *w, const struct exec_key *key, uint64_t ask_id);
void oracle_excuse(struct world *w, struct oracle_ask *a);
void oracle_worker_died(struct world *w, struct crew *c);
void oracle_promises(struct world *w, struct crew *c, const struct msg *m); /* what it says, before it goes out */
void oracle_holds(struct world *w, struct crew *c);                         /* a lease has come */
void oracle_called_over(struct world *w, uint32_t worker);
void oracle_leased(struct world *w, struct desk *d, const struct sched_action *a, uint32_t worker);
void oracle_row(struct world *w, uint64_t term, const struct msg_record *r, uint32_t outbox_no, bool inserted);
void oracle_told(struct world *w, const struct desk *d,
                 const struct sched_committed *r); /* the leader knows that it is durable */
void oracle_stalled(struct world *w, struct crew *c);
void oracle_durable(struct world *w, const struct msg_record *r, uint32_t outbox_no);
void oracle_trimmed(struct world *w, struct crew *c, const struct record_range *ranges, size_t count);
void oracle_session_ended(struct world *w, struct desk *d, const struct peer *p);
void oracle_run_ended(struct world *w, struct desk *d, const struct sched_action *a);
void oracle_acknowledges(struct world *w, struct desk *d, const struct share *s);
void oracle_recount(struct world *w);
void oracle_at_end(struct world *w);
void oracle_say_what_waits(struct world *w);
struct oracle_sample *oracle_sample(struct world *w, uint64_t run_id, uint64_t sample_no);

#endif
