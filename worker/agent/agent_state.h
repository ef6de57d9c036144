/* worker/agent/agent_state.h - the agent from inside; only agent*.c and its tests include it.
 *
 * A sample belongs to a lease and is named by the lease's serial and its index there. States:
 *   FRESH -> ASKING -> WAITING (timer) -> AGAIN (queued) -> ASKING ... -> SCORING (answered) -> REPORTED -> gone
 * Leases with fresh samples stand in the queue of their route in order of arrival; samples that may ask again go before
 * them. `alone` samples have lists of their own in the agent. Counters are moved in sample_set_state()
 * alone. Nothing is iterated by hash order. */
#ifndef ASSAY_AGENT_AGENT_STATE_H
#define ASSAY_AGENT_AGENT_STATE_H

#include "common/base/heap.h"
#include "worker/agent/agent.h"

enum {
	RATE_BUCKETS = 8,
	RATE_BUCKET_MS = 125,
	RENEWS_REMEMBERED = 64,
	WINDOW_FRAMES_MAX = 64,
	TIMELINES_REMEMBERED = 16
};

enum sample_state {
	SAMPLE_GONE,
	SAMPLE_FRESH,
	SAMPLE_ASKING,
	SAMPLE_WAITING,
	SAMPLE_AGAIN,
	SAMPLE_SCORING,
	SAMPLE_REPORTED,
	SAMPLE_STATE_COUNT
};

struct agent_sample {
	uint64_t sample_no;
	uint32_t attempts_left, time_left_ms, item_from, item_to, net;
	enum sample_state state;
	bool started;
	bool unwanted; /* asked back while it was under way: not asked again */
};

struct agent_rate {      /* events within about the last second */
	uint64_t bucket; /* now / RATE_BUCKET_MS of the newest */
	uint32_t counts[RATE_BUCKETS];
};

struct agent_lease;

struct agent_queue {                       /* what may start on a route, or alone */
	struct agent_lease *first, **tail; /* leases with fresh samples, in order of arrival */
	struct heap again;                 /* sample id -> when its turn came */
};

struct agent_route {
	uint32_t id, slots;
	uint64_t pause_until_ms;
	uint32_t counts[SAMPLE_STATE_COUNT];
	struct agent_rate rate;
	struct agent_queue queue;
};

struct agent_lease {
	uint64_t serial;
	struct lease_no number;
	uint64_t run_id;
	uint32_t retry_no, scoring_no;
	struct agent_route *route;
	struct exec_context *context;
	struct agent_queue *queue;        /* of its route, or the one of `alone` samples */
	struct agent_lease **link, *next; /* in that queue; link NULL: not in it. *link points here */
	bool alone;
	bool closed; /* revoked or refused: what is under way ends, nothing is asked again */
	uint32_t sample_count, live, fresh, next_fresh;
	char *items;
	struct agent_sample samples[];
};

enum conn_state { CONN_NONE, CONN_OPENING, CONN_OPEN /* Hello is to be sent */, CONN_HELLO, CONN_UP };

struct agent_conn {
	enum conn_state state;
	uint32_t number, endpoint;
	uint64_t session;
	uint64_t heard_ms; /* last sign of life, or when it was opened */
	uint64_t hello_ms;
	uint32_t *told; /* the answers that its Hello listed, as indexes into the agent's; owned */
	size_t told_count;
};

struct agent_held_answer {
	struct agent_answer answer;
	bool decided, gone; /* a verdict was carried out; its record is on its way or it is not wanted */
};

struct agent_record { /* kept and not committed, in memory */
	struct record *record;
	size_t bytes;
	uint64_t sample_id;
	uint64_t kept_ms;
	uint32_t frame; /* of the window; valid while `sent` */
	bool sent;
};

struct agent_frame { /* one Results frame in the window */
	bool used;
	uint64_t sent_ms;
	size_t bytes; /* as sent: a frame keeps its room until all of it is committed, as the other side counts */
	uint32_t count, left;
	uint64_t record_nos[WIRE_RESULTS_RECORDS_MAX];
};

struct agent_renew_sent {
	uint64_t renew_no, sent_ms;
};

struct agent {
	struct agent_config config;
	struct rng rng;
	uint64_t now_ms;

	/* connection (agent_conn.c) */
	struct agent_conn main, probe;
	uint32_t conn_next, endpoint_next;
	uint32_t failures;                             /* in a row, without a Welcome */
	uint64_t connect_at_ms;                        /* while main is CONN_NONE */
	uint64_t term, timeline;                       /* followed last; 0 before the first Welcome */
	uint64_t timelines_left[TIMELINES_REMEMBERED]; /* followed before that one */
	size_t timeline_left_count;
	uint64_t last_up_ms;
	uint64_t probe_at_ms;
	uint32_t renew_ms, lease_ms, resend_ms, window_frames, window_bytes;
	uint64_t renew_no, renew_at_ms, renewed_ms, frame_seen;
	struct agent_renew_sent renews[RENEWS_REMEMBERED];
	uint64_t renew_answered;
	uint64_t licence_until_ms;
	bool licence_noted;
	uint64_t credit_open; /* told in the last Renew, not yet filled by leases */

	/* leases and samples (agent_lease.c, agent_start.c) */
	uint64_t lease_serial;
	struct map leases;        /* serial -> struct agent_lease * */
	struct map lease_numbers; /* struct lease_no -> serial */
	struct map contexts;      /* hash -> struct context_slot; of this and earlier sessions */
	uint64_t context_clock;
	struct agent_route **routes; /* in order of first appearance */
	size_t route_count, route_cap, route_turn;
	struct map route_ids; /* route_id -> index + 1 */
	struct agent_queue alone;
	uint64_t again_no;     /* orders those that may ask again */
	uint64_t alone_sample; /* the one that asks alone now; 0: none */
	uint32_t counts[SAMPLE_STATE_COUNT];
	struct agent_rate rate;
	struct heap timers; /* sample id -> when it may ask again */
	uint32_t *net_asking;
	uint64_t *turned_ms; /* net threads, then score threads */

	/* answers of an earlier life */
	struct agent_held_answer *answers;
	size_t answer_count;
	uint32_t net_turn;

	/* results (agent_results.c) */
	struct map records;  /* record_no -> struct agent_record */
	struct heap waiting; /* record_no of those to send */
	struct agent_frame *frames;
	size_t frames_used, window_used_bytes, record_bytes;
	uint64_t full_since_ms; /* UINT64_MAX: not full */
	bool full_noted;
	uint64_t unloaded;
	bool loading, outbox_writable;

	bool draining, drained, drain_cancelled;
	uint64_t drain_until_ms;

	uint64_t started_count, committed_count, released_count, bad_frame_count, foreign_commit_count;
};

struct context_slot {
	struct exec_context *context;
	uint64_t used_at;
};

/* ---- agent.c ---- */
struct agent_action *agent_act(struct agent_actions *out, enum agent_action_kind kind);
void agent_note(struct agent_actions *out, enum agent_note what, uint64_t a, uint64_t b, struct str text);
void agent_send(struct agent *a, const struct agent_conn *c, struct msg *m, struct agent_actions *out);
struct msg *agent_msg(struct agent_actions *out, enum msg_kind kind);
void rate_add(struct agent_rate *r, uint64_t now_ms);
uint32_t rate_count(const struct agent_rate *r, uint64_t now_ms);

/* ---- agent_conn.c ---- */
void conn_opened(struct agent *a, uint32_t number);
void conn_lost(struct agent *a, uint32_t number, struct agent_actions *out);
void conn_frame(struct agent *a, uint32_t number, const struct msg *m, struct agent_actions *out);
void conn_turn(struct agent *a, struct agent_actions *out);
uint64_t conn_next_deadline_ms(const struct agent *a);
void conn_free_all(struct agent *a);
void conn_begin_anew(struct agent *a, struct agent_actions *out); /* same endpoint, a new session */

/* ---- agent_say.c ---- */
struct msg *say_hello(struct agent *a, struct agent_conn *c, struct agent_actions *out);
struct msg *say_renew(struct agent *a, const struct agent_vitals *vitals, struct agent_actions *out);

/* ---- agent_lease.c ---- */
struct agent_route *route_of(struct agent *a, uint32_t route_id);
struct agent_sample *sample_find(struct agent *a, uint64_t sample_id, struct agent_lease **ret_lease);
uint64_t sample_id_of(const struct agent_lease *l, const struct agent_sample *s);
void sample_set_state(struct agent *a, struct agent_lease *l, struct agent_sample *s, enum sample_state state);
/* Frees the lease when its last sample has gone. */
void lease_settle(struct agent *a, struct agent_lease *l);
void lease_arrived(struct agent *a, const struct msg_lease *m, struct agent_actions *out);
void lease_release(struct agent *a, const struct msg_release *m, struct agent_actions *out);
void lease_revoke(struct agent *a, const struct msg_revoke *m, struct agent_actions *out);
void lease_refused(struct agent *a, const struct lease_no *numbers, size_t count, struct agent_actions *out);
void lease_let_go(struct agent *a, struct agent_lease *l, struct agent_sample *s,
                  struct agent_actions *out);                 /* and tell */
void lease_lapse(struct agent *a, struct agent_actions *out); /* cut off for too long: drop what is not under way */
void lease_drain(struct agent *a, struct agent_actions *out); /* give back what is not under way */
void lease_cancel_asking(struct agent *a, struct agent_actions *out);
void lease_free_all(struct agent *a);

/* ---- agent_start.c ---- */
void start_turn(struct agent *a, struct agent_actions *out);
void start_ask_ended(struct agent *a, const struct agent_event *ev, struct agent_actions *out);
uint64_t start_next_deadline_ms(const struct agent *a);
uint64_t credit_total(const struct agent *a);
uint32_t credit_route(const struct agent *a, const struct agent_route *r);
uint64_t credit_target(const struct agent *a);
bool results_gate_open(const struct agent *a);

/* ---- agent_results.c ---- */
void results_kept(struct agent *a, uint64_t sample_id, struct record *record, struct agent_actions *out);
void results_commit(struct agent *a, const struct msg_commit *m, struct agent_actions *out);
void results_send_again(struct agent *a); /* after a Welcome */
void results_turn(struct agent *a, struct agent_actions *out);
uint64_t results_next_deadline_ms(const struct agent *a);
void results_verdicts(struct agent *a, const struct agent_conn *c, const struct msg_welcome *m,
                      struct agent_actions *out);
void results_free_all(struct agent *a);

#endif
