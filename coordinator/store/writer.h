/* coordinator/store/writer.h - everything that a leading coordinator writes while runs go on, on one connection.
 *
 * Two inputs: batches of records (results, failed attempts, and the coordinator's own outcome rows and lost asks in the
 * same form), and jobs (raise sent_to, change a run's state, ...). Records gather into groups of 1,000 or 20 ms, 2,000
 * at most, and go through the result statement of DESIGN.md 7; a group is one transaction. Nothing here waits: the
 * thread's loop is
 *     writer_wait(w, ring_fd(inbox), now); take the inbox -> writer_add_batch(), writer_add_job(); writer_step(w, now);
 *     while ((b = writer_take_batch(w))) hand it back; the same for jobs
 *
 * Invariants: a batch or job is handed back exactly once, when all of it is durable (or refused for ever, with its text
 * kept); never when the term is not the leader's. A failure that may pass (SQLSTATE 08 25 40 53 55 57, a lost
 * connection, an in-doubt commit) sends the same group again. Any other halves it until the row stands alone; that row
 * is stored as harness_error with the text, or else in refused_result; while even that fails it is set aside and tried
 * again every second, and holds up nobody. Lost leadership hands nothing back any more: writer_state() says so.
 *
 * Batches and jobs, and all that they point to, are borrowed from writer_add_*() until they are handed back (or the
 * writer is freed). Records of one run must all go to one writer: writer_of_run(). One thread. */
#ifndef ASSAY_STORE_WRITER_H
#define ASSAY_STORE_WRITER_H

#include "common/wire/msg.h"
#include "coordinator/store/store.h"

enum {
	WRITER_GROUP_ROWS = 1000,
	WRITER_GROUP_ROWS_MAX = 2000,
	WRITER_GROUP_MS = 20,
	WRITER_GROUP_BYTES_MAX = 16 << 20,
};

/* ---- records ---- */

enum writer_fate {
	WRITER_STORED,  /* durable where it belongs: its own row, an earlier copy of it, or one that came before it */
	WRITER_SPOILED, /* the row could not be taken as it was: stored as harness_error with the text */
	WRITER_REFUSED, /* in refused_result: its run or sample does not exist, or it could not be stored at all */
};

struct writer_done { /* what became of the record at the same index */
	enum writer_fate fate;
	enum outcome outcome; /* as stored: OUTCOME_HARNESS_ERROR when spoiled; OUTCOME_NONE for attempts */
};

/* A record in coordinator's words: what a worker sent, or one that the schedule declared:
 *   an outcome row     kind RECORD_RESULT, ask_id 0, outcome, error_class, evidence (text); outbox all zero
 *   an ask that died unreported   kind RECORD_ATTEMPT, class LOST, ask_id 0; outbox of the worker that died;
 *                given_up: it is known to have started; attempt_count 1: nothing was in flight beside it; at_ms tells
 * two deaths of one sample apart an ask given up    kind RECORD_ATTEMPT, class ABANDONED, its ask_id; outbox of its
 * worker LOST rows are "at most n more" of the run until that outbox reports the sample again. */
struct writer_batch {
	struct outbox_id outbox; /* whose records these are */
	struct str worker_name;  /* for the row in `worker`, should it be missing */
	const struct msg_record *records;
	size_t record_count;
	struct writer_done *done; /* [record_count], the caller's memory */
	void *owner;              /* the caller's */
	/* the writer's: */
	size_t left;
	struct writer_batch *next;
};

/* ---- jobs ---- */

enum writer_job_kind {
	WRITER_SENT_TO,   /* run.sent_to = max(itself, sent_to) */
	WRITER_RUN_STATE, /* state, reason, waits_for; sets started_at and ended_at; an ended run is due for its
	                     run_stat */
	WRITER_ROUTE,     /* what a route has learned */
	WRITER_WORKER,    /* a Hello: the worker's row */
	WRITER_WORKER_GONE,
	WRITER_LOST_CLOSED, /* this outbox has reported all it will: its open LOST rows were never asked */
};

/* run.state; numbers are stored */
enum run_state {
	RUN_QUEUED = 0, /* admitted, nothing sent */
	RUN_RUNNING = 1,
	RUN_DONE = 2,
	RUN_DECIDED = 3,
	RUN_CANCELLED = 4,
	RUN_OVER_BUDGET = 5,
	RUN_INCOMPLETE = 6, /* all samples have rows, some of them missing outcomes */
	RUN_STATE_COUNT
};
const char *run_state_name(enum run_state s); /* "queued", "running", ... */
bool run_state_from_name(struct str name, enum run_state *ret_state);
bool run_state_ended(enum run_state s);

struct writer_sent_to {
	uint64_t run_id, sent_to;
};
struct writer_run_state {
	uint64_t run_id;
	enum run_state state;
	struct str reason; /* of an end: names the samples; while it waits: for what */
};
struct writer_route {
	int32_t route_id;
	uint32_t concurrency; /* what it may have in flight now */
	double rate;          /* calls a second that it accepted; 0: not known */
	uint32_t pause_ms;
	struct str note;
};
struct writer_worker {
	struct outbox_id outbox;
	struct str name, build, key; /* key: public, Z85 */
	uint32_t slots;
	struct str abilities; /* JSON: providers, aliases (names), hosts */
	int32_t worker_id;    /* filled in */
};
struct writer_outbox {
	struct outbox_id outbox;
	int64_t at_ms; /* LOST_CLOSED: what was lost before that is closed; 0: when the job was added */
};

struct writer_job {
	enum writer_job_kind kind;
	union {
		struct writer_sent_to sent_to;
		struct writer_run_state run_state;
		struct writer_route route;
		struct writer_worker worker;
		struct writer_outbox outbox;
	};
	enum err_code err; /* filled in: ERR_OK, or why it can never be done (ERR_DATABASE), with the text */
	struct error error;
	void *owner;
	/* the writer's: */
	int64_t asked_at_ms; /* wall clock of writer_add_job() */
	struct writer_job *next;
};

/* ---- the machine ---- */

enum writer_state {
	WRITER_AWAY, /* no database: keeps trying; writer_error() says why */
	WRITER_WORKS,
	WRITER_OVER, /* leads = 0: this term has ended */
};

struct writer_counters {
	uint64_t groups, rows, inserted, paid_twice, replayed, attempts;
	uint64_t halvings, spoiled, refused, sent_again, connections;
	uint64_t statement_us, statement_us_max; /* of the result statement, sum and worst */
};

struct writer_settings {
	struct store_settings store;
	uint64_t term;
	bool drop_transcripts; /* keep scores only */
	uint32_t index;        /* which of the writers: for the shell's own lines; the session's name is assay/TERM */
};

struct writer;

enum err_code writer_new(const struct writer_settings *settings, struct writer **ret_writer,
                         struct error *reterr) MUST_CHECK;
void writer_free(struct writer *w); /* accepts NULL; what it borrowed is the caller's again */

void writer_add_batch(struct writer *w, struct writer_batch *batch, uint64_t now_ms); /* record_count at least 1 */
void writer_add_job(struct writer *w, struct writer_job *job);
enum writer_state writer_step(struct writer *w, uint64_t now_ms);
struct writer_batch *writer_take_batch(struct writer *w); /* NULL: none is finished */
struct writer_job *writer_take_job(struct writer *w);

bool writer_idle(const struct writer *w); /* nothing waits and nothing is under way */
uint64_t writer_next_deadline_ms(const struct writer *w);
void writer_wait(const struct writer *w, int wake_fd, uint64_t now_ms); /* socket, wake_fd or deadline */
const char *writer_error(const struct writer *w);                       /* last failure; "" once things work again */
struct writer_counters writer_counters(const struct writer *w);

uint32_t writer_of_run(uint64_t run_id, uint32_t writer_count); /* which writer a run's records go to */

#endif
