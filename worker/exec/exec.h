/* worker/exec/exec.h - the life of one sample as a state machine: ask, read, retry, score, report.
 *
 *   READY --SLOT--> ASKING --REPLY: failed, may try again--> KEEP attempt, ENDED(wait) --> READY
 *                          --REPLY: failed for good--------> KEEP attempt given up, ENDED --> LEAVING
 *                          --REPLY: an answer--------------> KEEP answer --> ANSWERED
 *   ANSWERED --KEPT--> ENDED, SCORE --> SCORING --SCORED--> KEEP result --> LEAVING --KEPT--> FINISH
 *
 * A sample whose hosted server died while it was asked is given up at once, to be lent again as the coordinator sees
 * fit. Invariants: nothing is asked without a slot; each ask has an ask_id of its own and ends in exactly one kept
 * record (answer or attempt); an answer is on disk before it is scored; a sample ends with exactly one record that ends
 * it (result, or attempt with given_up), or with none when it was cancelled while it waited; FINISH is the last action.
 * A slot is free again only when what it bought is on disk: so a death costs at most as many asks as there are slots.
 *
 * Pure: time and chance come in, effects go out. Texts of actions live until the next event of the same sample; the
 * record of a KEEP belongs to whoever carries it out. One thread; between SCORE and SCORED exec_score() may run in
 * another, during which only CANCEL may be fed. */
#ifndef ASSAY_EXEC_EXEC_H
#define ASSAY_EXEC_EXEC_H

#include "common/base/rng.h"
#include "worker/exec/exec_run.h"
#include "worker/exec/record.h"

enum {
	EXEC_BACKOFF_BASE_MS = 500,
	EXEC_BACKOFF_CAP_MS = 60 * 1000,
	EXEC_SOON_MS = 100,
	EXEC_ACTIONS_MAX = 4,
	EXEC_ARENA_BYTES = 8 << 20,
};

struct exec_spec { /* all borrowed until exec_new() returns, but `run` */
	struct exec_key key;
	struct exec_run *run;   /* from exec_runs_get(); stays until the sample is freed */
	struct str item;        /* JSON */
	uint32_t attempts_left; /* asks that it may still make; 0 counts as 1 */
	uint32_t time_left_ms;  /* from its first slot on, over all asks and waits; 0: no limit of its own */
	uint64_t seed;          /* of ask ids and jitter */
};

enum exec_event_kind {
	EXEC_EV_SLOT,   /* ask now */
	EXEC_EV_REPLY,  /* what came of the ask */
	EXEC_EV_DENIED, /* the ask was not made: not allowed here, or no server to ask */
	EXEC_EV_KEPT,   /* the oldest KEEP that is not yet acknowledged is on disk */
	EXEC_EV_SCORED, /* exec_score() has run */
	EXEC_EV_CANCEL, /* abandon what can be abandoned */
};

struct exec_reply {
	struct provider_reply reply; /* CLASS_ABANDONED as transport: the shell cancelled it */
	uint32_t elapsed_ms, first_byte_ms;
	struct str fingerprint_prefix; /* identity of a hosted server; empty otherwise */
};

struct exec_event {
	enum exec_event_kind kind;
	uint64_t now_ms; /* monotonic */
	int64_t wall_ms; /* data only */
	union {
		struct {
			struct str base_url; /* SLOT: where the hosted server listens; empty otherwise */
		} slot;
		struct exec_reply reply;
		struct {
			enum error_class class; /* CLASS_NOT_ALLOWED, CLASS_HOST_FAILED, CLASS_HARNESS */
			struct str text;
		} denied;
	};
};

enum exec_action_kind {
	EXEC_DO_ASK,    /* check what worker.yaml allows, write the ask log, then send; answer with REPLY or DENIED */
	EXEC_DO_CANCEL, /* stop the transfer; its REPLY still comes */
	EXEC_DO_ENDED,  /* the ask is over: tell the agent, its slot is free */
	EXEC_DO_KEEP,   /* hand the record to the outbox; answer with KEPT */
	EXEC_DO_SCORE,  /* run exec_score(), then SCORED */
	EXEC_DO_FINISH, /* free it */
};

struct exec_action {
	enum exec_action_kind kind;
	union {
		struct {
			uint64_t ask_id;
			struct str url, headers, body; /* headers: "Name: value\n" lines */
			uint32_t timeout_ms;
		} ask;
		struct {
			uint64_t ask_id;
			enum error_class class; /* CLASS_NONE: answered */
			bool waits;             /* wants another slot after wait_ms */
			uint32_t wait_ms;
			int64_t retry_after_ms; /* -1: not said */
			bool paced;             /* the whole route is to wait, not this sample alone */
		} ended;
		struct record *record;
	};
};

enum exec_state { EXEC_READY, EXEC_ASKING, EXEC_ANSWERED, EXEC_SCORING, EXEC_LEAVING, EXEC_OVER };

struct exec;

/* A sample that is to be asked. */
struct exec *exec_new(const struct exec_spec *spec);
/* A sample whose answer came out of the outbox: it begins with SCORE (or KEEP, when its run cannot score it). Takes the
 * record; attempts and time play no part. Writes at most EXEC_ACTIONS_MAX actions. */
struct exec *exec_adopt(const struct exec_spec *spec, struct record *answer, struct exec_action *out,
                        size_t *ret_count);
void exec_free(struct exec *e); /* accepts NULL; gives nothing back to exec_runs: the caller does */

/* Applies one event; writes at most EXEC_ACTIONS_MAX actions and returns how many. An event that does not belong into
 * the state is a bug of the shell. */
size_t exec_step(struct exec *e, const struct exec_event *ev, struct exec_action *out);

/* Applies the run's scorers to the answer; touches nothing but this sample. */
void exec_score(struct exec *e);

enum exec_state exec_state(const struct exec *e);
const struct exec_key *exec_key(const struct exec *e);
struct exec_run *exec_run_of(const struct exec *e);
uint64_t exec_ask_id(const struct exec *e); /* of the latest ask; 0 before the first */
uint32_t exec_attempt_count(const struct exec *e);
const char *exec_state_name(enum exec_state state);

#endif
