/* coordinator/store/results.h - the rows of a run: scores as columns for evidence, pages for export, one item in full.
 *
 * The row with the highest retry_no of a sample counts; that is what every function hands back unless it says "all".
 * Pages go by key (item_no, epoch): pass the cursor that came with the page before; a zero cursor starts. */
#ifndef ASSAY_STORE_RESULTS_H
#define ASSAY_STORE_RESULTS_H

#include "common/wire/msg.h"
#include "coordinator/store/store.h"

struct results_cursor {
	uint32_t item_no, epoch;
	bool begun, end; /* end: the page before was the last */
};

/* One metric of one run, a page as columns, by item_no, then epoch. */
struct results_scores {
	size_t count;
	uint32_t *item_no, *epoch, *flags;
	uint8_t *outcome;       /* enum outcome of the answer */
	uint8_t *score_outcome; /* of this metric: scored with a value, or why not */
	double *value;          /* 0 where there is none */
	uint32_t *tokens_in, *tokens_out, *latency_ms;
	int64_t *cost_nanousd; /* 0 where unknown */
};
enum err_code results_scores(struct store *s, uint64_t run_id, uint32_t metric, struct results_cursor *cursor,
                             size_t limit, struct arena *arena, struct results_scores *ret_page,
                             struct error *reterr) MUST_CHECK;

struct result_score {
	uint32_t metric;
	bool has_value;
	double value;
	enum outcome outcome;
	struct str reason, explanation, extracted; /* the last two: item show only */
};

struct result_row {
	uint32_t item_no, epoch, retry_no;
	struct str item_id;
	uint64_t ask_id;
	enum outcome outcome;
	uint32_t flags;
	enum error_class error_class;
	uint32_t tokens_in, tokens_cached, tokens_out, tokens_reasoning;
	int64_t cost_nanousd; /* -1: unknown */
	uint32_t latency_ms, first_byte_ms;
	struct str returned_model, fingerprint, worker;
	int64_t at_ms;
	struct result_score *scores;
	size_t score_count;
	bool has_transcript;
	struct str request, response, answer, evidence, stop_reason, request_id; /* with transcripts only */
};
/* For export: rows with scores, and with transcripts if asked (then the page also ends at 8 MiB). */
enum err_code results_page(struct store *s, uint64_t run_id, bool with_transcripts, struct results_cursor *cursor,
                           size_t limit, struct arena *arena, struct result_row **ret_rows, size_t *ret_count,
                           struct error *reterr) MUST_CHECK;

struct attempt_row {
	uint32_t item_no, epoch, retry_no;
	uint64_t ask_id; /* 0: not known (LOST) */
	enum error_class error_class;
	int32_t http_status;
	bool open; /* LOST and not yet heard of */
	uint32_t latency_ms;
	int64_t cost_nanousd, at_ms;
	struct str worker, request_id, evidence;
};

/* Everything about one item in one run: all rows, newest last, with transcripts; all attempts. */
struct results_item {
	struct result_row *rows;
	size_t row_count;
	struct attempt_row *attempts;
	size_t attempt_count;
};
enum err_code results_item(struct store *s, uint64_t run_id, uint32_t item_no, struct arena *arena,
                           struct results_item *ret_item, struct error *reterr) MUST_CHECK;

/* Samples of a run by outcome, worst first: what "missing: 3 provider error" expands to. */
struct results_missing {
	uint32_t item_no, epoch;
	struct str item_id;
	enum outcome outcome;
	enum error_class error_class;
	struct str evidence; /* of its last attempt where the provider failed, else its own; cut at 500 bytes */
};
enum err_code results_missing(struct store *s, uint64_t run_id, size_t limit, struct arena *arena,
                              struct results_missing **ret_rows, size_t *ret_count, struct error *reterr) MUST_CHECK;

#endif
