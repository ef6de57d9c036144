/* coordinator/evidence/summary.h - one run in numbers, by slice and metric.
 *
 * The item is the unit: epochs are averaged inside an item before n is counted. Every mean comes with n, what is
 * missing by cause, its worst and best case, and an interval with the name of its method:
 *   every item score 0 or 1 (range [0, 1])  Wilson; with clusters Wilson at the Korn-Graubard effective size and t
 *   items share clusters                    CR1 with t(C-1); the standard error shown is never below the i.i.d. one
 *   else                                    CLT with t(n-1)
 * each in a weighted form when weights differ. A point is never shown as an interval: scores without any spread that
 * Wilson cannot take have no interval. Rows stand in a fixed order: by metric; the whole suite, then each dimension,
 * its groups by label. Pure; results and scratch live in the arena. */
#ifndef ASSAY_EVIDENCE_SUMMARY_H
#define ASSAY_EVIDENCE_SUMMARY_H

#include "coordinator/evidence/samples.h"

#define SUMMARY_ALL UINT32_MAX /* `dimension` and `group` of the row over all items */

enum summary_method {
	SUMMARY_NO_INTERVAL,
	SUMMARY_WILSON,
	SUMMARY_WILSON_CLUSTERED,
	SUMMARY_WILSON_WEIGHTED,
	SUMMARY_CLT_T,
	SUMMARY_CLUSTERED_T,
	SUMMARY_WEIGHTED_T,
	SUMMARY_METHOD_COUNT
};

struct summary_row {
	uint32_t metric;           /* index into samples.metric */
	uint32_t dimension, group; /* indexes into samples, or SUMMARY_ALL */
	uint64_t item_count;       /* items of the slice */
	uint64_t n;                /* items with a score */
	uint64_t cluster_count;    /* among those n */
	uint64_t sample_count, scored_count;
	uint64_t missing[OUTCOME_COUNT];              /* samples by cause; [OUTCOME_SCORED] is 0 */
	uint64_t refused, truncated, empty, filtered; /* scored samples with the flag */
	bool binary;                                  /* every item score is 0 or 1 in a range of [0, 1] */
	bool weighted;                                /* the weights of its items differ */
	uint64_t passed;                              /* items at 1, when binary */
	struct number mean, se;
	struct number effective_n; /* Kish's when weighted, Korn-Graubard's when clustered and binary */
	struct interval interval;
	enum summary_method method;
	struct number chance;
	struct number worst, best; /* mean over all items with every missing sample at the range's low and high end */
	/* The smallest difference to another run of this size that would be seen at 80 % power and 5 % two-sided, if
	 * pairing gained nothing: an upper estimate of what a comparison can see. */
	struct number detectable;
	uint64_t tokens_in, tokens_out;
	int64_t cost_nanousd;
	struct number latency_p50_ms, latency_p95_ms; /* over samples with a known latency */
};

struct summary {
	double level;
	struct summary_row *rows;
	size_t row_count;
};

/* level: of the intervals, 0.95 by default. ERR_LIMIT when the arena is too small. */
enum err_code summary_compute(struct arena *arena, const struct samples *s, double level, struct summary *ret_summary,
                              struct error *reterr) MUST_CHECK;

/* NULL when there is no such row. SUMMARY_ALL twice gives the whole suite. */
const struct summary_row *summary_find(const struct summary *s, uint32_t metric, uint32_t dimension, uint32_t group);
uint64_t summary_missing(const struct summary_row *row);                               /* samples, all causes */
struct str summary_label(const struct samples *s, uint32_t dimension, uint32_t group); /* "all" for the whole suite */
const char *summary_method_name(enum summary_method m); /* "wilson", "clustered_t", ...: stored and shown */

#endif
