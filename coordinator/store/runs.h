/* coordinator/store/runs.h - runs: made, attached to, changed, listed, summed up.
 *
 * A run is named by (suite version, model configuration, slice, limit, seed, tick). Asking for the same name again
 * attaches to the newest tick; more epochs extend it; `again` starts the next tick. Making a run makes its partitions
 * first, so that no result ever waits for one.
 *
 * Cancel, retry and extend are rows in run_change and, for retry and extend, columns of the run; the state itself moves
 * by the schedule's word (WRITER_RUN_STATE), except that a retry puts an ended run back to running here. */
#ifndef ASSAY_STORE_RUNS_H
#define ASSAY_STORE_RUNS_H

#include "common/base/hash.h"
#include "coordinator/store/store.h"
#include "coordinator/store/writer.h"

struct runs_new {
	int32_t team_id;
	int64_t suite_version_id;
	int32_t model_id;
	struct str slice; /* canonical "k=v,k=v"; empty: all */
	struct str limit; /* "100", "0.1"; empty: none */
	uint64_t seed;
	uint32_t epochs; /* at least 1 */
	bool again;
	struct str selection;    /* bitmap over item_no, bit i in byte i/8; empty: every item */
	uint32_t selected_count; /* items selected: bits set, or all */
	struct str context;      /* JSON that goes with each lease: model, generate, scores */
	uint32_t attempts_max, sample_time_ms;
	int32_t priority;
	int64_t budget_nanousd;     /* -1: none */
	uint64_t baseline_run_id;   /* 0: none */
	struct str options;         /* JSON, whatever else the command said */
	struct str idempotency_key; /* empty: none */
	struct str created_by;
};

enum runs_made { RUNS_NEW, RUNS_ATTACHED, RUNS_EXTENDED };

struct run_row {
	uint64_t run_id;
	int32_t team_id, model_id, route_id;
	int64_t suite_version_id;
	struct str suite_name, model_name; /* names, with version numbers beside */
	int32_t suite_version, model_version;
	struct hash suite_hash, model_hash;
	struct str slice, limit;
	uint64_t seed;
	int32_t tick;
	uint32_t epochs;
	uint32_t item_count;                    /* of the suite version: the modulus of sample_no */
	uint32_t selected_count;                /* of this run: it has selected_count * epochs samples */
	struct str selection, context, options; /* runs_find() and rebuild_runs(); lists leave them empty */
	uint32_t metric_count;
	enum run_state state;
	struct str reason;
	uint64_t sent_to;
	uint32_t retry_wave, scoring_no;
	uint32_t attempts_max, sample_time_ms;
	int32_t priority;
	int64_t budget_nanousd;
	uint64_t baseline_run_id;
	struct str created_by;
	int64_t created_at_ms, started_at_ms, ended_at_ms;
	bool stat_due; /* ended, or changed after its end: run_stat is to be computed (again) */
};

/* In one transaction. *ret_run is the run as it now stands. A known idempotency key answers with its run. */
enum err_code runs_create(struct store *s, const struct runs_new *run, struct arena *arena, enum runs_made *ret_made,
                          struct run_row **ret_run, struct error *reterr) MUST_CHECK;

enum err_code runs_find(struct store *s, uint64_t run_id, struct arena *arena, struct run_row **ret_run,
                        struct error *reterr) MUST_CHECK; /* NULL: none */

struct runs_filter {             /* zero: all */
	struct str suite, model; /* names */
	int32_t state;           /* -1: any */
	uint64_t before_run_id;  /* 0: from the newest */
	size_t limit;            /* 0: 50 */
};
enum err_code runs_list(struct store *s, const struct runs_filter *filter, struct arena *arena,
                        struct run_row **ret_runs, size_t *ret_count,
                        struct error *reterr) MUST_CHECK; /* newest first */

/* The run of the same (suite, model) before this one, for `compare` and `--baseline`; 0: none. */
enum err_code runs_previous(struct store *s, uint64_t run_id, uint64_t *ret_run_id, struct error *reterr) MUST_CHECK;

/* ---- changes ---- */

enum runs_change_kind { RUNS_CANCEL = 1, RUNS_RETRY = 2, RUNS_EXTEND = 3, RUNS_CREATED = 4 };

struct run_change_row {
	int64_t change_id;
	uint64_t run_id;
	enum runs_change_kind kind;
	int64_t value; /* retry: the new wave; extend: epochs */
	struct str by, note;
	int64_t at_ms;
};

/* Records the wish; the schedule ends the run. Cancelling an ended run changes nothing: *ret_changed false. */
enum err_code runs_cancel(struct store *s, uint64_t run_id, struct str by, struct str note, bool *ret_changed,
                          struct error *reterr) MUST_CHECK;
/* Raises retry_wave: missing outcomes are pending again. An ended run runs again, with what came after its end now
 * counted. *ret_wave is the new wave. */
enum err_code runs_retry(struct store *s, uint64_t run_id, struct str by, uint32_t *ret_wave,
                         struct error *reterr) MUST_CHECK;
enum err_code runs_extend(struct store *s, uint64_t run_id, uint32_t epochs, struct str by,
                          struct error *reterr) MUST_CHECK;
enum err_code runs_changes(struct store *s, uint64_t run_id, struct arena *arena, struct run_change_row **ret_changes,
                           size_t *ret_count, struct error *reterr) MUST_CHECK;
/* Takes the run and all that belongs to it away; late results of it go to refused_result. */
enum err_code runs_delete(struct store *s, uint64_t run_id, struct str by, struct error *reterr) MUST_CHECK;

/* ---- sums ---- */

struct run_sum {          /* of one slice and metric; see results.h for rows */
	struct str slice; /* "" all, "task=refund", ... */
	int32_t metric;   /* -1: the samples themselves */
	uint64_t n;       /* values; of -1: rows */
	uint64_t unscored, provider_error, harness_error, quarantined;
	uint64_t refused, truncated, empty, filtered; /* -1 only, as all below */
	uint64_t scored;
	uint64_t tokens_in, tokens_cached, tokens_out, tokens_reasoning;
	int64_t cost_nanousd;
	uint64_t cost_unknown; /* rows whose cost nobody knows */
	uint64_t latency_ms;
	uint64_t attempts; /* asks that failed or died; whole run only, as all below */
	uint64_t paid_twice;
	int64_t paid_twice_nanousd;
	uint64_t lost_open; /* "at most n more" */
	uint64_t after_end;
	struct str sum, sum_of_squares; /* exact decimals; empty for -1 */
	double mean;                    /* sum / n as a double; 0 when n is 0 */
};
/* The running sums, whole run first. */
enum err_code runs_sums(struct store *s, uint64_t run_id, struct arena *arena, struct run_sum **ret_sums,
                        size_t *ret_count, struct error *reterr) MUST_CHECK;
/* Only the whole run's samples (slice "", metric -1), of several runs at once: for lists and progress. Same order as
 * run_ids; a run without a row is all zero. */
enum err_code runs_progress(struct store *s, const uint64_t *run_ids, size_t count, struct arena *arena,
                            struct run_sum **ret_sums, struct error *reterr) MUST_CHECK;

/* Computed once a run has ended; replaces what was there. `mark`, read before the samples were, says what has been
 * counted: stat_due is cleared only if nothing was counted since, so a row that lands meanwhile brings another turn. */
struct run_stat_row {
	struct str slice;
	int32_t metric;
	uint32_t scoring_no;
	uint64_t n, missing;
	bool has_estimate, has_interval;
	double estimate, std_error, low, high;
	struct str method; /* with its version: "wilson.1" */
	struct str detail; /* JSON: whatever else the method says */
};
enum err_code runs_stat_mark(struct store *s, uint64_t run_id, int64_t *ret_mark, struct error *reterr) MUST_CHECK;
enum err_code runs_put_stats(struct store *s, uint64_t run_id, int64_t mark, const struct run_stat_row *rows,
                             size_t count, struct error *reterr) MUST_CHECK;
enum err_code runs_stats(struct store *s, uint64_t run_id, struct arena *arena, struct run_stat_row **ret_rows,
                         size_t *ret_count, struct error *reterr) MUST_CHECK;
/* Ended runs whose run_stat is still to be computed. */
enum err_code runs_stat_due(struct store *s, size_t limit, struct arena *arena, uint64_t **ret_run_ids,
                            size_t *ret_count, struct error *reterr) MUST_CHECK;

/* Asks paid for that bought nothing, by cause. */
enum paid_cause {
	PAID_SECOND_ANSWER = 1, /* an answer came when another of its sample had been stored */
	PAID_DIED = 2,          /* its worker died with it under way, and another ask answered the sample */
	PAID_ABANDONED = 3,     /* given up on request, and another ask answered the sample */
};
struct paid_row {
	enum paid_cause cause;
	uint64_t count;
	int64_t cost_nanousd;
};
enum err_code runs_paid_twice(struct store *s, uint64_t run_id, struct arena *arena, struct paid_row **ret_rows,
                              size_t *ret_count, struct error *reterr) MUST_CHECK;

#endif
