/* coordinator/store/writer_machine.h - the inside of a writer, shared by its three source files. Private to them.
 *
 *   writer.c        the loop: connection, what to send next, when to try again
 *   writer_group.c  rows: waiting, resolved, in the group at hand; what an answer or a failure makes of them
 *   writer_jobs.c   the statements of jobs
 *
 * A row is in one place: waiting (a queue in arrival order), in the group, or stuck (could not be stored at all, tried
 * again by itself). The group is worked off as a stack of ranges: a range that fails for its content is halved. */
#ifndef ASSAY_STORE_WRITER_MACHINE_H
#define ASSAY_STORE_WRITER_MACHINE_H

#include "common/base/map.h"
#include "coordinator/store/group.h"
#include "coordinator/store/pg.h"
#include "coordinator/store/pg_array.h"

enum { RANGES_MAX = 64, CACHE_MAX = 65536, PARTS_MAX = 24 };

enum writer_phase {
	PHASE_NONE,
	PHASE_RESOLVE, /* partitions of runs, ids of workers and fingerprints */
	PHASE_RESULT,
	PHASE_REFUSE,
	PHASE_JOB,
};

struct writer_range {
	size_t from, to;
};

struct writer_text { /* the result statement of one partition */
	int64_t part;
	char name[40];
	char *sql;
};

struct writer_rows { /* a queue in an array: [at, len) wait */
	struct group_row *items;
	size_t at, len, cap;
};

struct writer {
	struct writer_settings settings;
	struct pg *pg;
	enum writer_state state;
	enum writer_phase phase;
	uint64_t phase_ms, phase_us;    /* when its statement was sent */
	uint64_t retry_at_ms, retry_ms; /* back-off after a failure that may pass; 0: none */
	struct error error;
	struct writer_counters counters;
	struct pg_params params;

	struct writer_rows waiting, stuck;
	uint64_t stuck_at_ms; /* when they are tried again */

	struct group_row group[WRITER_GROUP_ROWS_MAX];
	size_t group_count;
	struct writer_range ranges[RANGES_MAX];
	size_t range_count;
	struct group_row refuse[WRITER_GROUP_ROWS_MAX]; /* rows of the group for refused_result */
	size_t refuse_count;
	struct map samples; /* of the group being picked: what it has of which sample */

	struct map parts;        /* run id -> int64_t */
	struct map workers;      /* outbox -> int32_t */
	struct map fingerprints; /* hash of model and fingerprint -> int32_t */
	struct writer_text texts[PARTS_MAX];
	size_t text_count;
	size_t rows_per_group; /* less than the usual where the server is too slow for it */
	bool group_is_stuck;   /* the group is a row that had been set aside */
	size_t asked_count;    /* of the waiting rows from the first on: those that the resolving at hand asks for */
	bool resolve_bare;     /* workers and fingerprints could not be had: go without */

	struct writer_job *jobs, *last_job, *done_jobs, *last_done_job;
	struct writer_batch *done_batches, *last_done_batch;
	size_t batch_count; /* borrowed and not handed back */
};

/* ---- rows (writer_group.c) ---- */

void writer_group_add(struct writer *w, struct writer_batch *batch, uint64_t now_ms);
bool writer_group_due(const struct writer *w, uint64_t now_ms);
uint64_t writer_group_due_ms(const struct writer *w);
bool writer_group_active(const struct writer *w); /* ranges or refusals are left of the group at hand */

/* Queues the next statement of the rows; *ret_phase PHASE_NONE: nothing to send. */
enum err_code writer_group_ask(struct writer *w, uint64_t now_ms, enum writer_phase *ret_phase,
                               struct error *reterr) MUST_CHECK;
/* The statement of the phase was committed. False: the term is over. */
bool writer_group_answered(struct writer *w, enum writer_phase phase);
/* It failed for good: halve, spoil, refuse or set aside. */
void writer_group_failed(struct writer *w, enum writer_phase phase, const struct error *error, uint64_t now_ms);
void writer_group_shrink(struct writer *w); /* it took too long: send less at a time */
void writer_group_free(struct writer *w);

/* ---- jobs (writer_jobs.c) ---- */

enum err_code writer_jobs_ask(struct writer *w, const struct writer_job *job, struct error *reterr) MUST_CHECK;
void writer_jobs_answered(struct writer *w, struct writer_job *job); /* fills in err and results */

/* `SELECT assay.lead(term)` in front of a pipeline. */
enum err_code writer_ask_lead(struct writer *w, struct error *reterr) MUST_CHECK;

#endif
