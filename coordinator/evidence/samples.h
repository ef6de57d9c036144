/* coordinator/evidence/samples.h - what one run came to, as columns: the input of summaries and comparisons.
 *
 * Items are numbered 0..item_count-1 in any fixed order; the sample of item i and epoch e stands at
 * samples_at(s, i, e) in every sample column. A reader of SQL rows calls samples_init with the run's shape, adds its
 * metrics and dimensions, then writes each row where it belongs; what no row touched stays "not run". 10^6 items with
 * one epoch and one metric take about 90 MB.
 *
 * Columns live in the arena, labels are copied into it, item ids and metric names are copied too; samples_done frees
 * only the label indexes. Scores are read only where the outcome is OUTCOME_SCORED. One thread writes. */
#ifndef ASSAY_EVIDENCE_SAMPLES_H
#define ASSAY_EVIDENCE_SAMPLES_H

#include "common/base/arena.h"
#include "common/base/error.h"
#include "common/base/hash.h"
#include "common/base/map.h"
#include "common/wire/outcome.h"
#include "coordinator/stats/number.h"

enum { SAMPLES_METRICS_MAX = 32, SAMPLES_DIMENSIONS_MAX = 16 };
#define SAMPLES_NO_GROUP UINT32_MAX

struct samples_metric {
	struct str name;
	struct number chance;  /* what blind guessing scores, if known */
	struct interval range; /* lowest and highest possible score; undefined: no worst and best case */
	bool outside_range;    /* a score broke the range: the worst and best case are then not given */
	double *score;         /* [sample_count] */
	uint8_t *outcome;      /* [sample_count], enum outcome; OUTCOME_NONE counts as not run */
};

struct samples_dimension { /* one way to cut a suite into slices: task, stratum, ... */
	struct str name;
	struct str *label; /* [label_count], in order of first appearance */
	uint32_t label_count;
	size_t label_cap;
	uint32_t *group; /* [item_count], index into label, or SAMPLES_NO_GROUP */
	struct map index;
};

struct samples {
	struct arena *arena; /* borrowed */
	size_t item_count, sample_count;
	uint32_t epoch_count;
	struct str *item_id;    /* [item_count] */
	struct hash *item_hash; /* [item_count]; all zero: unknown, items then pair by id alone */
	double *weight;         /* [item_count], 1 unless set; at least 0 */
	uint32_t *cluster;      /* [item_count], SAMPLES_NO_GROUP: a cluster of its own */
	uint32_t cluster_count; /* labelled clusters */
	struct map cluster_index;
	uint8_t *flags;                                    /* [sample_count], enum outcome_flag */
	uint32_t *tokens_in, *tokens_out, *latency_ms;     /* [sample_count]; latency 0: unknown */
	int64_t *cost_nanousd;                             /* [sample_count] */
	struct samples_metric metric[SAMPLES_METRICS_MAX]; /* the first is primary */
	size_t metric_count;
	struct samples_dimension dimension[SAMPLES_DIMENSIONS_MAX];
	size_t dimension_count;
};

/* ERR_LIMIT when the arena's budget is too small for the shape; ERR_INVALID for no items or no epochs. */
enum err_code samples_init(struct samples *s, struct arena *arena, size_t item_count, uint32_t epoch_count,
                           struct error *reterr) MUST_CHECK;
void samples_done(struct samples *s);

/* Both add at the end and hand back the place. A name that is there already is ERR_INVALID. */
enum err_code samples_add_metric(struct samples *s, struct str name, struct number chance, struct interval range,
                                 size_t *ret_metric, struct error *reterr) MUST_CHECK;
enum err_code samples_add_dimension(struct samples *s, struct str name, size_t *ret_dimension,
                                    struct error *reterr) MUST_CHECK;

/* An item; the empty label leaves it without a group or cluster. Places outside the shape are ERR_INVALID, so that a
 * bad row can be left out and named. */
enum err_code samples_set_item(struct samples *s, size_t item, struct str id, struct hash content, double weight,
                               struct error *reterr) MUST_CHECK;
enum err_code samples_set_group(struct samples *s, size_t dimension, size_t item, struct str label,
                                struct error *reterr) MUST_CHECK;
enum err_code samples_set_cluster(struct samples *s, size_t item, struct str label, struct error *reterr) MUST_CHECK;

struct samples_row { /* one row of `result` */
	size_t item;
	uint32_t epoch; /* from 0 */
	uint8_t flags;
	uint32_t tokens_in, tokens_out, latency_ms;
	int64_t cost_nanousd;
};
enum err_code samples_set_row(struct samples *s, const struct samples_row *row, struct error *reterr) MUST_CHECK;
/* One row of `result_score`; a NaN or infinite score is ERR_INVALID. `score` is ignored unless outcome is scored. */
enum err_code samples_set_score(struct samples *s, size_t metric, size_t item, uint32_t epoch, enum outcome outcome,
                                double score, struct error *reterr) MUST_CHECK;

/* The groups of a dimension by label, as lists show them: [label_count] indexes. NULL: the arena is full. */
const uint32_t *samples_group_order(const struct samples *s, size_t dimension, struct arena *arena);

size_t samples_at(const struct samples *s, size_t item, uint32_t epoch);
bool samples_find_metric(const struct samples *s, struct str name, size_t *ret_metric);
bool samples_find_dimension(const struct samples *s, struct str name, size_t *ret_dimension);

struct interval samples_range(const struct samples *s, size_t metric); /* undefined too when a score broke it */

/* An item's score: the mean over the epochs that were scored. Undefined when none was. A sample that came after its
 * run had ended (FLAG_AFTER_END) is left out. */
struct number samples_item_score(const struct samples *s, size_t metric, size_t item);
/* The same with every missing epoch scored `fill`. */
double samples_item_filled(const struct samples *s, size_t metric, size_t item, double fill);
/* The outcome that counts: OUTCOME_NONE and samples after the end read as OUTCOME_NOT_RUN. */
enum outcome samples_outcome(const struct samples *s, size_t metric, size_t sample);

#endif
