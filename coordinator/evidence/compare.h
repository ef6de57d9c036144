/* coordinator/evidence/compare.h - did the candidate get better, and where? Two runs, paired item by item.
 *
 * Items pair when id and content are the same, or else when the content alone is (a renamed item); an id whose content
 * changed does not pair. Every item that found no partner is listed with the reason. When no item pairs at all the
 * comparison is refused: two means over different items are not a comparison.
 *
 * Differences are candidate minus baseline, over the items that both runs scored. The p-value is McNemar's exact one
 * for 0/1 scores without clusters or weights, else the paired t test (CR1 over clusters); where the differences have no
 * spread, which is no proof, the exact sign test over items or clusters and an interval from the share of items that
 * could still differ. q is Benjamini-Hochberg, holm is Holm, both over the rows of one metric and
 * one dimension; the row over the whole suite is a family of its own. The verdict is
 *   better, worse        q <= alpha and the interval lies on that side of 0
 *   not enough evidence  too few pairs to say anything: under 2 (or 2 clusters), or so few that not even all items
 *                        flipping together would reach alpha
 *   no evidence of a difference   otherwise; `detectable` then says how large a difference would have been seen.
 * Pure; results and scratch live in the arena, labels are views into the candidate's samples. */
#ifndef ASSAY_EVIDENCE_COMPARE_H
#define ASSAY_EVIDENCE_COMPARE_H

#include "coordinator/evidence/summary.h"

enum compare_verdict { COMPARE_BETTER, COMPARE_WORSE, COMPARE_NO_EVIDENCE, COMPARE_NOT_ENOUGH };
enum compare_test { COMPARE_NO_TEST, COMPARE_MCNEMAR_EXACT, COMPARE_PAIRED_T, COMPARE_CLUSTERED_T, COMPARE_SIGN_EXACT };
enum compare_method { COMPARE_NO_INTERVAL, COMPARE_INTERVAL_T, COMPARE_INTERVAL_CLUSTERED_T, COMPARE_INTERVAL_FLIPS };
enum compare_reason { COMPARE_ABSENT, COMPARE_CHANGED }; /* no such item on the other side; same id, other content */

struct compare_options {
	double level; /* of intervals: 0.95 */
	double alpha; /* of verdicts: 0.05 */
	double power; /* of the smallest detectable difference: 0.8 */
};

struct compare_row {
	struct str metric, dimension, group; /* dimension and group are "all" for the whole suite */
	uint32_t metric_base, metric_cand;   /* indexes into each run's samples.metric */
	uint32_t dimension_cand, group_cand; /* indexes into the candidate's samples, or SUMMARY_ALL */
	uint64_t item_count;                 /* paired items of the slice */
	uint64_t n;                          /* of these, scored by both */
	uint64_t missing_base, missing_cand; /* paired items without a score on that side */
	uint64_t cluster_count;              /* among the n */
	bool binary, clustered, weighted;
	uint64_t gained, lost, changed; /* binary: 0 to 1, 1 to 0; changed: items whose score differs at all */
	struct number mean_base, mean_cand, diff;
	struct number se;          /* of the difference; never below the i.i.d. one */
	struct number se_unpaired; /* what it would be if the same numbers came from different items */
	struct number corr;
	struct interval interval;
	enum compare_method method;
	enum compare_test test;
	struct number p, q, holm;
	/* Over all paired items, with the missing scores against and for the candidate. */
	struct number diff_worst, diff_best;
	struct number detectable;   /* smallest difference seen with this power at level alpha */
	bool detectable_from_bound; /* nothing changed: from the 95 % upper bound of the share of changed items */
	enum compare_verdict verdict;
};

enum { COMPARE_FLIPS_MAX = 10000 }; /* listed a metric; `changed` of the whole suite's row counts all */

struct compare_flip { /* an item whose score differs; losses first, then by size, then by item */
	uint32_t metric_cand;
	size_t item_base, item_cand;
	double from, to;
};

struct compare_unpaired {
	bool in_base; /* which run has it */
	size_t item;
	enum compare_reason reason;
};

struct compare {
	struct compare_options options;
	size_t pair_count;
	const uint32_t *pair_base, *pair_cand; /* [pair_count] item numbers, in the candidate's order */
	struct compare_row *rows; /* by metric; the whole suite, then the candidate's dimensions, groups by label */
	size_t row_count;
	struct compare_flip *flips; /* of all metrics, metric by metric */
	size_t flip_count;
	struct compare_unpaired *unpaired; /* the baseline's, then the candidate's, in item order */
	size_t unpaired_count;
};

struct compare_tally {
	size_t better, worse, no_evidence, not_enough;
};

struct compare_options compare_defaults(void);

/* ERR_NOT_FOUND, with the reason in words, when nothing can be paired or no metric is common to both runs. */
enum err_code compare_runs(struct arena *arena, const struct samples *base, const struct samples *cand,
                           struct compare_options options, struct compare *ret_compare,
                           struct error *reterr) MUST_CHECK;

/* How many groups of a dimension ("all": the whole suite, one row) came out how. */
struct compare_tally compare_count(const struct compare *c, struct str metric, struct str dimension);
const struct compare_row *compare_find(const struct compare *c, struct str metric, struct str dimension,
                                       struct str group);
const char *compare_verdict_name(enum compare_verdict v); /* "better", "no evidence of a difference", ... */
const char *compare_test_name(enum compare_test t);       /* "mcnemar_exact", ... */
const char *compare_method_name(enum compare_method m);
const char *compare_reason_name(enum compare_reason r);

#endif
