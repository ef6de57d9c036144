#include "coordinator/evidence/summary.h"
#include "common/base/check.h"
#include "coordinator/evidence/cut.h"
#include "coordinator/stats/normal.h"
#include "coordinator/stats/power_paired.h"
#include "coordinator/stats/sort.h"
#include "coordinator/stats/student.h"
#include "coordinator/stats/sum.h"
#include "coordinator/stats/wilson.h"
#include <math.h>
#include <string.h>

static const double detectable_alpha = 0.05, detectable_power = 0.8;

struct work { /* of one call */
	const struct samples *s;
	double level;
	struct cut cut;
	struct sort_entry *latency; /* [2 * sample_count] */
};

static void count_samples(struct work *w, struct summary_row *row, const uint32_t *items, size_t count)
{
	const struct samples *s = w->s;
	size_t known = 0;
	for (size_t i = 0; i < count; i++) {
		for (uint32_t e = 0; e < s->epoch_count; e++) {
			size_t at = samples_at(s, items[i], e);
			enum outcome outcome = samples_outcome(s, row->metric, at);
			bool scored = outcome == OUTCOME_SCORED;
			uint8_t flags = scored ? s->flags[at] : 0;
			row->scored_count += scored;
			row->missing[outcome] += !scored;
			row->refused += (flags & FLAG_REFUSED) != 0;
			row->truncated += (flags & FLAG_TRUNCATED) != 0;
			row->empty += (flags & FLAG_EMPTY) != 0;
			row->filtered += (flags & FLAG_FILTERED) != 0;
			row->tokens_in += s->tokens_in[at];
			row->tokens_out += s->tokens_out[at];
			row->cost_nanousd += s->cost_nanousd[at];
			if (s->latency_ms[at])
				w->latency[known++] = (struct sort_entry){ s->latency_ms[at], at };
		}
	}
	row->sample_count = (uint64_t)count * s->epoch_count;
	if (known == 0)
		return;
	sort_entries(w->latency, known, w->latency + known);
	row->latency_p50_ms = number_of(sort_quantile(w->latency, known, 0.5));
	row->latency_p95_ms = number_of(sort_quantile(w->latency, known, 0.95));
}

/* Worst and best case: every missing sample at the end of the range. */
static void bound(const struct work *w, struct summary_row *row, const uint32_t *items, size_t count)
{
	struct interval range = samples_range(w->s, row->metric);
	struct sum low = { 0 }, high = { 0 }, weights = { 0 };
	if (!range.defined)
		return;
	for (size_t i = 0; i < count; i++) {
		double weight = w->s->weight[items[i]];
		sum_add(&low, weight * samples_item_filled(w->s, row->metric, items[i], range.low));
		sum_add(&high, weight * samples_item_filled(w->s, row->metric, items[i], range.high));
		sum_add(&weights, weight);
	}
	double total = sum_value(&weights);
	if (!(total > 0))
		return;
	row->worst = number_of(sum_value(&low) / total);
	row->best = number_of(sum_value(&high) / total);
	if (row->scored_count == row->sample_count && row->mean.defined)
		row->worst = row->best = row->mean; /* nothing is missing: the same to the last bit */
}

static bool is_binary(const struct work *w, const struct summary_row *row)
{
	struct interval range = samples_range(w->s, row->metric);
	if (!range.defined || range.low != 0 || range.high != 1)
		return false;
	for (size_t i = 0; i < w->cut.n; i++)
		if (w->cut.x[i] != 0 && w->cut.x[i] != 1)
			return false;
	return true;
}

/* The effective number of trials: what the variance leaves of n (Korn and Graubard); at 0 or 1, where there is no
 * variance, what the weights leave. */
static double effective_trials(const struct cut_estimate *e)
{
	double p = e->mean, variance = e->se.value * e->se.value;
	return p > 0 && p < 1 && variance > 0 ? fmin(p * (1 - p) / variance, (double)e->n) : e->ess;
}

static void interval_binary(const struct work *w, const struct cut_estimate *e, struct summary_row *row)
{
	double trials = (double)e->n, critical = normal_critical(w->level);
	if (e->clustered || e->weighted) {
		if (e->units < 2)
			return; /* one cluster: its spread is not known */
		trials = effective_trials(e);
		row->effective_n = number_of(trials);
	}
	if (e->clustered)
		critical = student_critical(w->level, e->df);
	row->interval = wilson_interval(fmin(1, fmax(0, e->mean)), trials, critical);
	row->method = e->weighted ? SUMMARY_WILSON_WEIGHTED : e->clustered ? SUMMARY_WILSON_CLUSTERED : SUMMARY_WILSON;
}

static void interval_graded(const struct work *w, const struct cut_estimate *e, struct summary_row *row)
{
	struct interval range = samples_range(w->s, row->metric);
	if (e->weighted)
		row->effective_n = number_of(e->ess);
	if (!(e->se.value > 0))
		return; /* one unit, or no spread: how far the mean could be off is not known */
	row->interval = interval_around(e->mean, student_critical(w->level, e->df) * e->se.value);
	if (range.defined)
		row->interval = interval_clamp(row->interval, range.low, range.high);
	row->method = e->weighted ? SUMMARY_WEIGHTED_T : e->clustered ? SUMMARY_CLUSTERED_T : SUMMARY_CLT_T;
}

static void estimate(struct work *w, struct summary_row *row, const uint32_t *items, size_t count)
{
	struct cut *slice = &w->cut;
	cut_begin(slice);
	for (size_t i = 0; i < count; i++) {
		struct number score = samples_item_score(w->s, row->metric, items[i]);
		if (score.defined)
			cut_add(slice, score.value, 0, w->s->weight[items[i]], w->s->cluster[items[i]]);
	}
	row->n = slice->n;
	row->cluster_count = slice->cluster_count;
	if (slice->n == 0)
		return;
	struct cut_estimate e = cut_estimate_of(slice, slice->x);
	row->mean = number_of(e.mean);
	row->weighted = e.weighted;
	row->se = e.se;
	row->binary = is_binary(w, row);
	for (size_t i = 0; row->binary && i < slice->n; i++)
		row->passed += slice->x[i] == 1;
	if (row->binary)
		interval_binary(w, &e, row);
	else
		interval_graded(w, &e, row);
	double se = e.se.value; /* 0 also when undefined */
	if (se == 0 && row->interval.defined)
		se = (row->interval.high - row->interval.low) / 2 / normal_critical(w->level);
	if (se > 0)
		row->detectable = number_of(power_paired_factor(detectable_alpha, detectable_power) * sqrt(2) * se);
}

static void fill_row(struct work *w, struct summary_row *row, const uint32_t *items, size_t count)
{
	row->item_count = count;
	row->chance = w->s->metric[row->metric].chance;
	count_samples(w, row, items, count);
	estimate(w, row, items, count);
	bound(w, row, items, count);
}

static size_t rows_of(const struct samples *s)
{
	size_t rows = 1;
	for (size_t d = 0; d < s->dimension_count; d++)
		rows += s->dimension[d].label_count;
	return rows * s->metric_count;
}

enum err_code summary_compute(struct arena *arena, const struct samples *s, double level, struct summary *ret_summary,
                              struct error *reterr)
{
	check(level > 0 && level < 1);
	struct work w = { .s = s, .level = level };
	struct cut_groups groups[SAMPLES_DIMENSIONS_MAX];
	const uint32_t *order[SAMPLES_DIMENSIONS_MAX];
	size_t row_count = rows_of(s), r = 0;
	struct summary_row *rows = arena_try_alloc(arena, row_count + 1, sizeof(*rows));
	uint32_t *all = arena_try_alloc(arena, s->item_count, sizeof(*all));
	w.latency = arena_try_alloc(arena, s->sample_count, 2 * sizeof(*w.latency));
	bool fits = rows && all && w.latency && cut_init(&w.cut, arena, s->item_count, s->cluster_count);
	for (size_t d = 0; d < s->dimension_count && fits; d++) {
		order[d] = samples_group_order(s, d, arena);
		fits = order[d] &&
		       cut_group(arena, s->dimension[d].group, s->item_count, s->dimension[d].label_count, &groups[d]);
	}
	if (!fits)
		return error_set(reterr, ERR_LIMIT, "a summary of %zu samples does not fit the memory of this request",
		                 s->sample_count);
	for (size_t i = 0; i < s->item_count; i++)
		all[i] = (uint32_t)i;
	memset(rows, 0, (row_count + 1) * sizeof(*rows));
	for (uint32_t m = 0; m < s->metric_count; m++) {
		rows[r].metric = m;
		rows[r].dimension = rows[r].group = SUMMARY_ALL;
		fill_row(&w, &rows[r++], all, s->item_count);
		for (uint32_t d = 0; d < s->dimension_count; d++) {
			for (uint32_t i = 0; i < s->dimension[d].label_count; i++, r++) {
				const size_t *start = groups[d].start;
				uint32_t g = order[d][i];
				rows[r].metric = m;
				rows[r].dimension = d;
				rows[r].group = g;
				fill_row(&w, &rows[r], groups[d].unit + start[g], start[g + 1] - start[g]);
			}
		}
	}
	check(r == row_count);
	*ret_summary = (struct summary){ .level = level, .rows = rows, .row_count = row_count };
	return ERR_OK;
}

const struct summary_row *summary_find(const struct summary *s, uint32_t metric, uint32_t dimension, uint32_t group)
{
	for (size_t i = 0; i < s->row_count; i++)
		if (s->rows[i].metric == metric && s->rows[i].dimension == dimension && s->rows[i].group == group)
			return &s->rows[i];
	return NULL;
}

uint64_t summary_missing(const struct summary_row *row)
{
	return row->sample_count - row->scored_count;
}

struct str summary_label(const struct samples *s, uint32_t dimension, uint32_t group)
{
	if (dimension == SUMMARY_ALL)
		return STR("all");
	check(dimension < s->dimension_count && group < s->dimension[dimension].label_count);
	return s->dimension[dimension].label[group];
}

const char *summary_method_name(enum summary_method m)
{
	static const char *const names[SUMMARY_METHOD_COUNT] = {
		"none", "wilson", "wilson_clustered", "wilson_weighted", "clt_t", "clustered_t", "weighted_t",
	};
	return (unsigned)m < SUMMARY_METHOD_COUNT ? names[m] : "?";
}
