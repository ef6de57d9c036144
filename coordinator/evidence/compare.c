#include "coordinator/evidence/compare.h"
#include "common/base/check.h"
#include "coordinator/evidence/pair_cut.h"
#include "coordinator/stats/mcnemar.h"
#include "coordinator/stats/multiple_testing.h"
#include "coordinator/stats/paired_diff.h"
#include "coordinator/stats/power_paired.h"
#include "coordinator/stats/proportion_ci.h"
#include "coordinator/stats/sort.h"
#include "coordinator/stats/student.h"
#include "coordinator/stats/sum.h"
#include <math.h>
#include <string.h>

struct work { /* of one call */
	struct arena *arena;
	const struct samples *base, *cand;
	struct compare_options options;
	struct pair_list pairs;
	struct pair_cut cut;
	uint32_t *all; /* every pair */
	struct cut_groups groups[SAMPLES_DIMENSIONS_MAX];
	const uint32_t *group_order[SAMPLES_DIMENSIONS_MAX];
	struct compare_row *rows;
	size_t row_count;
	struct compare_flip *flips;
	size_t flip_count;
};

struct compare_options compare_defaults(void)
{
	return (struct compare_options){ .level = 0.95, .alpha = 0.05, .power = 0.8 };
}

static void count_changes(const struct pair_cut *p, struct compare_row *row)
{
	for (size_t i = 0; i < p->cut.n; i++) {
		row->gained += p->diff[i] > 0;
		row->lost += p->diff[i] < 0;
	}
	row->changed = row->gained + row->lost;
}

/* What the same numbers would give unpaired, and how much the runs go together. For unweighted slices. */
static void context(const struct work *w, struct compare_row *row)
{
	const struct cut *s = &w->cut.cut;
	struct paired_diff d;
	if (row->weighted || paired_diff_compute(s->x, s->y, NULL, s->n, w->options.level, &d))
		return;
	row->se_unpaired = d.se_unpaired;
	row->corr = d.corr;
}

/* Every difference is `value`: how far could the mean still be off? At least a share s of all items is like these, the
 * others lie anywhere within the width. */
static void interval_still(const struct work *w, const struct cut_estimate *e, double value, struct compare_row *row)
{
	struct number width = w->cut.width;
	if (!width.defined)
		return;
	double s = pair_cut_still_share((double)e->units, (1 - w->options.level) / 2);
	struct interval i = interval_around(value * s, width.value * (1 - s));
	row->interval = interval_clamp(i, fmin(-width.value, value), fmax(width.value, value));
	row->method = COMPARE_INTERVAL_FLIPS;
	if (value == 0) { /* the share of changed items may still be this large, each by the whole width */
		double share = proportion_ci_zero_hits((double)e->units, 0.95);
		double factor = power_paired_factor(w->options.alpha, w->options.power);
		row->detectable = number_of(factor * width.value * sqrt(share / (double)e->units));
		row->detectable_from_bound = true;
	}
}

static void interval_t(const struct work *w, const struct cut_estimate *e, struct compare_row *row)
{
	double half = student_critical(w->options.level, e->df) * e->se.value;
	row->interval = interval_around(e->mean, half);
	if (w->cut.width.defined)
		row->interval = interval_clamp(row->interval, -w->cut.width.value, w->cut.width.value);
	row->method = e->clustered ? COMPARE_INTERVAL_CLUSTERED_T : COMPARE_INTERVAL_T;
	row->detectable = number_of(power_paired_factor(w->options.alpha, w->options.power) * e->se.value);
}

static struct mcnemar_table table_of(const struct pair_cut *p)
{
	struct mcnemar_table t = { 0 }; /* first: the candidate */
	for (size_t i = 0; i < p->cut.n; i++) {
		bool cand = p->cut.x[i] == 1, base = p->cut.y[i] == 1;
		t.n11 += cand && base;
		t.n10 += cand && !base;
		t.n01 += !cand && base;
		t.n00 += !cand && !base;
	}
	return t;
}

static void test(const struct work *w, const struct cut_estimate *e, struct compare_row *row)
{
	if (e->units < 2)
		return;
	if (row->binary && !e->clustered && !e->weighted) {
		struct mcnemar m;
		enum refusal refused = mcnemar_compute(table_of(&w->cut), &m);
		check_msg(!refused, "%s", refusal_name(refused));
		row->test = COMPARE_MCNEMAR_EXACT;
		row->p = number_of(m.p_exact);
	} else if (e->se.value == 0) {
		row->test = COMPARE_SIGN_EXACT;
		row->p = number_of(e->mean == 0 ? 1 : fmin(1, ldexp(2, -(int)fmin((double)e->units, 10000))));
	} else {
		row->test = e->clustered ? COMPARE_CLUSTERED_T : COMPARE_PAIRED_T;
		row->p = number_of(student_two_sided(e->mean / e->se.value, e->df));
	}
}

static void estimate(struct work *w, struct compare_row *row, const uint32_t *pairs, size_t count)
{
	pair_cut_observed(&w->cut, &w->pairs, pairs, count);
	const struct cut *s = &w->cut.cut;
	row->n = s->n;
	row->cluster_count = s->cluster_count;
	if (s->n == 0)
		return;
	struct cut_estimate e = pair_cut_estimate(&w->cut);
	row->binary = pair_cut_binary(&w->cut);
	row->clustered = e.clustered;
	row->weighted = e.weighted;
	row->mean_cand = number_of(cut_estimate_of(s, s->x).mean);
	row->mean_base = number_of(cut_estimate_of(s, s->y).mean);
	row->diff = number_of(e.mean);
	row->se = e.se;
	count_changes(&w->cut, row);
	context(w, row);
	if (e.se.defined && e.se.value > 0)
		interval_t(w, &e, row);
	else if (e.se.defined)
		interval_still(w, &e, e.mean, row);
	test(w, &e, row);
}

static double mean_filled(struct work *w, const uint32_t *pairs, size_t count, double fill_base, double fill_cand)
{
	pair_cut_filled(&w->cut, &w->pairs, pairs, count, fill_base, fill_cand);
	return pair_cut_estimate(&w->cut).mean;
}

static void bound(struct work *w, struct compare_row *row, const uint32_t *pairs, size_t count)
{
	double weights = 0;
	for (size_t i = 0; i < count; i++) {
		uint32_t item = w->pairs.cand[pairs[i]];
		row->missing_cand += !samples_item_score(w->cand, row->metric_cand, item).defined;
		row->missing_base += !samples_item_score(w->base, row->metric_base, w->pairs.base[pairs[i]]).defined;
		weights += w->cand->weight[item];
	}
	struct interval base = w->cut.range_base, cand = w->cut.range_cand;
	if (!base.defined || !cand.defined || !(weights > 0))
		return;
	row->diff_worst = number_of(mean_filled(w, pairs, count, base.high, cand.low));
	row->diff_best = number_of(mean_filled(w, pairs, count, base.low, cand.high));
}

static void fill_row(struct work *w, struct compare_row *row, uint32_t dimension, uint32_t group, const uint32_t *pairs,
                     size_t count)
{
	bool whole = dimension == SUMMARY_ALL;
	row->metric = w->cand->metric[w->cut.metric_cand].name;
	row->dimension = whole ? STR("all") : w->cand->dimension[dimension].name;
	row->group = summary_label(w->cand, dimension, group);
	row->metric_base = w->cut.metric_base;
	row->metric_cand = w->cut.metric_cand;
	row->dimension_cand = dimension;
	row->group_cand = group;
	row->item_count = count;
	bound(w, row, pairs, count);
	estimate(w, row, pairs, count);
}

/* So few that not even all of them together would reach alpha. */
static bool too_few(const struct compare_row *row, double alpha)
{
	uint64_t units = row->clustered ? row->cluster_count : row->n;
	if (!row->p.defined || units < 2)
		return true;
	bool counts_signs = row->test == COMPARE_MCNEMAR_EXACT || row->test == COMPARE_SIGN_EXACT;
	return counts_signs && units < 64 && ldexp(2, -(int)units) > alpha;
}

static enum compare_verdict verdict_of(const struct compare_row *row, double alpha)
{
	if (too_few(row, alpha))
		return COMPARE_NOT_ENOUGH;
	if (row->q.value > alpha || !row->interval.defined)
		return COMPARE_NO_EVIDENCE;
	if (row->interval.low > 0)
		return COMPARE_BETTER;
	return row->interval.high < 0 ? COMPARE_WORSE : COMPARE_NO_EVIDENCE;
}

static enum err_code judge(struct work *w, struct compare_row *rows, size_t count, struct error *reterr)
{
	struct number *p = arena_try_alloc(w->arena, count + 1, sizeof(*p));
	struct multiple_testing_row *adjusted = arena_try_alloc(w->arena, count + 1, sizeof(*adjusted));
	size_t family;
	if (!p || !adjusted)
		return error_set(reterr, ERR_LIMIT, "a comparison of %zu slices does not fit the memory", count);
	for (size_t i = 0; i < count; i++)
		p[i] = rows[i].p;
	enum refusal refused = multiple_testing_adjust(p, count, adjusted, &family);
	check_msg(!refused, "%s", refusal_name(refused));
	for (size_t i = 0; i < count; i++) {
		rows[i].q = adjusted[i].bh;
		rows[i].holm = adjusted[i].holm;
		rows[i].verdict = verdict_of(&rows[i], w->options.alpha);
	}
	return ERR_OK;
}

static void emit_flips(struct work *w, const struct sort_entry *sorted, size_t count, size_t room)
{
	for (size_t i = 0; i < MIN_OF(count, room); i++) {
		uint32_t base = w->pairs.base[sorted[i].index], cand = w->pairs.cand[sorted[i].index];
		w->flips[w->flip_count++] = (struct compare_flip){
			.metric_cand = w->cut.metric_cand,
			.item_base = base,
			.item_cand = cand,
			.from = samples_item_score(w->base, w->cut.metric_base, base).value,
			.to = samples_item_score(w->cand, w->cut.metric_cand, cand).value,
		};
	}
}

/* The changed items of the whole suite. order: 4 * pair_count places, losses and gains and room to sort them. */
static void list_flips(struct work *w, struct sort_entry *order)
{
	struct sort_entry *losses = order, *gains = order + w->pairs.count, *scratch = gains + w->pairs.count;
	size_t lost = 0, gained = 0, at = 0;
	pair_cut_observed(&w->cut, &w->pairs, w->all, w->pairs.count);
	for (size_t i = 0; i < w->pairs.count; i++) {
		uint32_t item = w->pairs.cand[i];
		struct number cand = samples_item_score(w->cand, w->cut.metric_cand, item);
		struct number base = samples_item_score(w->base, w->cut.metric_base, w->pairs.base[i]);
		if (!cand.defined || !base.defined || w->cand->weight[item] == 0)
			continue; /* as pair_cut_observed */
		double d = w->cut.diff[at++];
		if (d < 0)
			losses[lost++] = (struct sort_entry){ d, i };
		else if (d > 0)
			gains[gained++] = (struct sort_entry){ -d, i };
	}
	sort_entries(losses, lost, scratch);
	sort_entries(gains, gained, scratch);
	emit_flips(w, losses, lost, COMPARE_FLIPS_MAX);
	emit_flips(w, gains, gained, COMPARE_FLIPS_MAX - MIN_OF(lost, COMPARE_FLIPS_MAX));
}

static enum err_code compare_metric(struct work *w, struct sort_entry *order, struct error *reterr)
{
	struct compare_row *whole = &w->rows[w->row_count++];
	fill_row(w, whole, SUMMARY_ALL, SUMMARY_ALL, w->all, w->pairs.count);
	enum err_code code = judge(w, whole, 1, reterr);
	for (uint32_t d = 0; d < w->cand->dimension_count && !code; d++) {
		struct compare_row *first = &w->rows[w->row_count];
		uint32_t count = w->cand->dimension[d].label_count;
		const size_t *start = w->groups[d].start;
		for (uint32_t i = 0; i < count; i++) {
			uint32_t g = w->group_order[d][i];
			fill_row(w, &w->rows[w->row_count++], d, g, w->groups[d].unit + start[g],
			         start[g + 1] - start[g]);
		}
		code = judge(w, first, count, reterr);
	}
	list_flips(w, order);
	return code;
}

static bool group_pairs(struct work *w)
{
	uint32_t *group = arena_try_alloc(w->arena, w->pairs.count + 1, sizeof(*group));
	for (size_t d = 0; d < w->cand->dimension_count && group; d++) {
		const struct samples_dimension *dimension = &w->cand->dimension[d];
		for (size_t i = 0; i < w->pairs.count; i++)
			group[i] = dimension->group[w->pairs.cand[i]];
		w->group_order[d] = samples_group_order(w->cand, d, w->arena);
		if (!w->group_order[d] ||
		    !cut_group(w->arena, group, w->pairs.count, dimension->label_count, &w->groups[d]))
			return false;
	}
	return group != NULL;
}

static bool reserve(struct work *w, size_t metric_count, struct sort_entry **ret_order)
{
	size_t rows = 1;
	for (size_t d = 0; d < w->cand->dimension_count; d++)
		rows += w->cand->dimension[d].label_count;
	rows *= metric_count;
	w->rows = arena_try_alloc(w->arena, rows + 1, sizeof(*w->rows));
	w->flips = arena_try_alloc(w->arena, metric_count * MIN_OF(w->pairs.count, COMPARE_FLIPS_MAX) + 1,
	                           sizeof(*w->flips));
	w->all = arena_try_alloc(w->arena, w->pairs.count + 1, sizeof(*w->all));
	*ret_order = arena_try_alloc(w->arena, 4 * w->pairs.count + 1, sizeof(**ret_order));
	if (!w->rows || !w->flips || !w->all || !*ret_order || !group_pairs(w))
		return false;
	memset(w->rows, 0, (rows + 1) * sizeof(*w->rows));
	for (size_t i = 0; i < w->pairs.count; i++)
		w->all[i] = (uint32_t)i;
	return pair_cut_init(&w->cut, w->arena, w->base, w->cand);
}

static enum err_code refuse(const struct work *w, struct error *reterr)
{
	if (w->pairs.changed)
		return error_set(
			reterr, ERR_NOT_FOUND,
			"nothing to pair: %zu of the candidate's %zu items have an id of the baseline's %zu, but "
			"their content is not the same",
			w->pairs.changed, w->cand->item_count, w->base->item_count);
	return error_set(reterr, ERR_NOT_FOUND,
	                 "nothing to pair: the baseline's %zu items and the candidate's %zu have none in common",
	                 w->base->item_count, w->cand->item_count);
}

enum err_code compare_runs(struct arena *arena, const struct samples *base, const struct samples *cand,
                           struct compare_options options, struct compare *ret_compare, struct error *reterr)
{
	check(options.level > 0 && options.level < 1 && options.alpha > 0 && options.alpha < 1);
	struct work w = { .arena = arena, .base = base, .cand = cand, .options = options };
	enum err_code code = pair_items(arena, base, cand, &w.pairs, reterr);
	if (code)
		return code;
	if (w.pairs.count == 0)
		return refuse(&w, reterr);
	struct sort_entry *order;
	size_t common = 0, other;
	for (size_t m = 0; m < cand->metric_count; m++)
		common += samples_find_metric(base, cand->metric[m].name, &other);
	if (common == 0)
		return error_set(reterr, ERR_NOT_FOUND, "nothing to compare: the two runs have no metric in common");
	if (!reserve(&w, common, &order))
		return error_set(reterr, ERR_LIMIT, "a comparison of %zu items does not fit the memory of this request",
		                 w.pairs.count);
	for (size_t m = 0; m < cand->metric_count && !code; m++) {
		if (!samples_find_metric(base, cand->metric[m].name, &other))
			continue;
		pair_cut_metric(&w.cut, (uint32_t)other, (uint32_t)m);
		code = compare_metric(&w, order, reterr);
	}
	if (code)
		return code;
	*ret_compare = (struct compare){
		.options = options,
		.pair_count = w.pairs.count,
		.pair_base = w.pairs.base,
		.pair_cand = w.pairs.cand,
		.rows = w.rows,
		.row_count = w.row_count,
		.flips = w.flips,
		.flip_count = w.flip_count,
		.unpaired = w.pairs.unpaired,
		.unpaired_count = w.pairs.unpaired_count,
	};
	return ERR_OK;
}

const struct compare_row *compare_find(const struct compare *c, struct str metric, struct str dimension,
                                       struct str group)
{
	for (size_t i = 0; i < c->row_count; i++) {
		const struct compare_row *row = &c->rows[i];
		if (str_eq(row->metric, metric) && str_eq(row->dimension, dimension) && str_eq(row->group, group))
			return row;
	}
	return NULL;
}

struct compare_tally compare_count(const struct compare *c, struct str metric, struct str dimension)
{
	struct compare_tally t = { 0 };
	for (size_t i = 0; i < c->row_count; i++) {
		const struct compare_row *row = &c->rows[i];
		if (!str_eq(row->metric, metric) || !str_eq(row->dimension, dimension))
			continue;
		t.better += row->verdict == COMPARE_BETTER;
		t.worse += row->verdict == COMPARE_WORSE;
		t.no_evidence += row->verdict == COMPARE_NO_EVIDENCE;
		t.not_enough += row->verdict == COMPARE_NOT_ENOUGH;
	}
	return t;
}

const char *compare_verdict_name(enum compare_verdict v)
{
	static const char *const names[] = { "better", "worse", "no evidence of a difference", "not enough evidence" };
	return (unsigned)v < ARRAY_LEN(names) ? names[v] : "?";
}

const char *compare_test_name(enum compare_test t)
{
	static const char *const names[] = { "none", "mcnemar_exact", "paired_t", "clustered_t", "sign_exact" };
	return (unsigned)t < ARRAY_LEN(names) ? names[t] : "?";
}

const char *compare_method_name(enum compare_method m)
{
	static const char *const names[] = { "none", "paired_t", "clustered_t", "changed_share" };
	return (unsigned)m < ARRAY_LEN(names) ? names[m] : "?";
}

const char *compare_reason_name(enum compare_reason r)
{
	static const char *const names[] = { "absent", "changed" };
	return (unsigned)r < ARRAY_LEN(names) ? names[r] : "?";
}
