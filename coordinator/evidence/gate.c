#include "coordinator/evidence/gate.h"
#include "common/base/check.h"
#include "coordinator/evidence/pair_cut.h"
#include "coordinator/stats/multiple_testing.h"
#include "coordinator/stats/normal.h"
#include "coordinator/stats/student.h"
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct tested { /* H0 of p_pass: at or beyond the limit on the bad side; of p_block: at or beyond it on the good side */
	struct number value, p_pass, p_block;
	size_t n;
};

struct work {
	struct arena *arena;
	const struct gate *gate;
	const struct samples *base, *cand; /* base: NULL for at_least */
	struct pair_list pairs;            /* for at_least the candidate with itself */
	struct pair_cut cut;
	size_t metric_base, metric_cand;
};

struct gate gate_defaults(void)
{
	return (struct gate){ .rule = GATE_NOT_WORSE, .margin = 0, .alpha = 0.05, .missing_share = 0.02 };
}

/* All values came out as `value`, on one side of `limit`, and cannot pass `end` on the other: the chance of that if
 * the mean were at the limit. Then at least (value - limit) / (value - end) of the items would lie elsewhere. */
static double p_of_constant(double value, double limit, double end, double units)
{
	double share = (value - limit) / (value - end);
	return share >= 1 ? 0 : exp(units * log1p(-share));
}

static void test_constant(double value, double limit, struct interval range, double units, struct tested *t)
{
	if (!range.defined)
		return;
	t->p_pass = number_of(value > limit ? p_of_constant(value, limit, range.low, units) : 1);
	t->p_block = number_of(value < limit ? p_of_constant(value, limit, range.high, units) : 1);
}

static void test_t(const struct cut_estimate *e, double limit, struct tested *t)
{
	double statistic = (e->mean - limit) / e->se.value;
	t->p_pass = number_of(student_upper(statistic, e->df));
	t->p_block = number_of(student_cdf(statistic, e->df));
}

/* Wilson's score test, so that it agrees with the interval shown. */
static void test_share(const struct cut_estimate *e, double limit, struct tested *t)
{
	double variance = e->se.value * e->se.value, p = e->mean, trials = e->ess;
	if (p > 0 && p < 1 && variance > 0 && (e->clustered || e->weighted))
		trials = fmin(p * (1 - p) / variance, (double)e->n);
	double score = (p - limit) / sqrt(limit * (1 - limit) / trials);
	t->p_pass = number_of(e->clustered ? student_upper(score, e->df) : normal_upper(score));
	t->p_block = number_of(e->clustered ? student_cdf(score, e->df) : normal_cdf(score));
}

static bool all_zero_or_one(const struct cut *c)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->x[i] != 0 && c->x[i] != 1)
			return false;
	return true;
}

/* Of what pair_cut gathered last. */
static struct tested run_test(const struct work *w)
{
	const struct cut *c = &w->cut.cut;
	struct tested t = { .n = c->n };
	if (c->n == 0)
		return t;
	bool is_mean = w->gate->rule == GATE_AT_LEAST;
	double limit = is_mean ? w->gate->threshold : -w->gate->margin;
	struct cut_estimate e = is_mean ? cut_estimate_of(c, c->x) : pair_cut_estimate(&w->cut);
	struct interval range = w->cut.range_cand;
	t.value = number_of(e.mean);
	if (!is_mean)
		range = w->cut.width.defined ? interval_of(-w->cut.width.value, w->cut.width.value) : interval_none();
	if (e.units < 2)
		return t;
	bool share = is_mean && range.defined && range.low == 0 && range.high == 1 && limit > 0 && limit < 1;
	if (share && all_zero_or_one(c))
		test_share(&e, limit, &t);
	else if (e.se.value > 0)
		test_t(&e, limit, &t);
	else
		test_constant(e.mean, limit, range, (double)e.units, &t);
	return t;
}

static struct number missing_share_of(const struct work *w, const uint32_t *pairs, size_t count)
{
	size_t gone_base = 0, gone_cand = 0, epochs_base = w->base->epoch_count, epochs_cand = w->cand->epoch_count;
	for (size_t i = 0; i < count; i++) {
		size_t from_base = samples_at(w->base, w->pairs.base[pairs[i]], 0);
		size_t from_cand = samples_at(w->cand, w->pairs.cand[pairs[i]], 0);
		for (size_t e = 0; e < epochs_base; e++)
			gone_base += samples_outcome(w->base, w->metric_base, from_base + e) != OUTCOME_SCORED;
		for (size_t e = 0; e < epochs_cand; e++)
			gone_cand += samples_outcome(w->cand, w->metric_cand, from_cand + e) != OUTCOME_SCORED;
	}
	if (count == 0)
		return number_none();
	double base = (double)gone_base / (double)(count * epochs_base);
	return number_of(fmax(base, (double)gone_cand / (double)(count * epochs_cand)));
}

/* The candidate's missing scores at worst, the baseline's at best: does it still pass? */
static bool passes_at_worst(struct work *w, const uint32_t *pairs, size_t count)
{
	if (!w->cut.range_base.defined || !w->cut.range_cand.defined)
		return false;
	pair_cut_filled(&w->cut, &w->pairs, pairs, count, w->cut.range_base.high, w->cut.range_cand.low);
	struct tested t = run_test(w);
	return t.p_pass.defined && t.p_pass.value <= w->gate->alpha;
}

static struct gate_slice check_slice(struct work *w, struct str group, const uint32_t *pairs, size_t count)
{
	pair_cut_observed(&w->cut, &w->pairs, pairs, count);
	struct tested t = run_test(w);
	struct gate_slice s = {
		.group = group,
		.verdict = GATE_INCONCLUSIVE,
		.n = t.n,
		.value = t.value,
		.p_pass = t.p_pass,
		.p_block = t.p_block,
		.missing_share = missing_share_of(w, pairs, count),
	};
	if (!t.p_pass.defined || t.p_pass.value > w->gate->alpha)
		return s;
	s.missing_decides = s.missing_share.value > w->gate->missing_share && !passes_at_worst(w, pairs, count);
	if (!s.missing_decides)
		s.verdict = GATE_PASS;
	return s;
}

static struct str say(struct arena *arena, const char *format, ...) PRINTF_LIKE(2, 3);

/* Cut at the length of a line; an arena that is full costs the words, not the verdict. */
static struct str say(struct arena *arena, const char *format, ...)
{
	char line[300];
	va_list args;
	va_start(args, format);
	int len = vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	size_t bytes = len < 0 ? 0 : MIN_OF((size_t)len, sizeof(line) - 1);
	char *copy = arena_try_alloc(arena, bytes + 1, 1);
	if (!copy)
		return STR("no memory for the reason");
	memcpy(copy, line, bytes);
	copy[bytes] = '\0';
	return str_make(copy, bytes);
}

static void say_why(const struct work *w, struct gate_slice *s)
{
	bool is_mean = w->gate->rule == GATE_AT_LEAST;
	double limit = is_mean ? w->gate->threshold : w->gate->margin;
	const char *passes = is_mean ? "is at least" : "is not worse by";
	const char *fails = is_mean ? "is below" : "is worse by more than";
	if (s->verdict == GATE_PASS)
		s->reason = say(w->arena, "%s %g (p %.2g)", passes, limit, s->p_pass.value);
	else if (s->verdict == GATE_BLOCKED)
		s->reason = say(w->arena, "%s %g (p %.2g)", fails, limit, s->holm.value);
	else if (s->missing_decides)
		s->reason = say(w->arena, "%.1f %% missing: passes as observed, not with the missing ones at worst",
		                100 * s->missing_share.value);
	else if (!s->p_pass.defined)
		s->reason = say(w->arena, "too few items to tell (n %llu)", (unsigned long long)s->n);
	else
		s->reason = say(w->arena, "n %llu does not show that it %s %g (p %.2g)", (unsigned long long)s->n,
		                passes, limit, s->p_pass.value);
}

/* A block in any slice blocks: those p-values are adjusted over the slices. */
static void decide(struct work *w, struct gate_slice *slices, size_t count, struct number *p,
                   struct multiple_testing_row *adjusted, struct gate_result *result)
{
	size_t family, deciding = 0;
	for (size_t i = 0; i < count; i++)
		p[i] = slices[i].p_block;
	enum refusal refused = multiple_testing_adjust(p, count, adjusted, &family);
	check_msg(!refused, "%s", refusal_name(refused));
	for (size_t i = 0; i < count; i++) {
		slices[i].holm = adjusted[i].holm;
		if (slices[i].holm.defined && slices[i].holm.value <= w->gate->alpha)
			slices[i].verdict = GATE_BLOCKED;
		say_why(w, &slices[i]);
		if (slices[i].verdict > slices[deciding].verdict)
			deciding = i;
	}
	result->slices = slices;
	result->slice_count = count;
	result->verdict = count ? slices[deciding].verdict : GATE_INCONCLUSIVE;
	result->reason = STR("no slice to judge");
	if (count)
		result->reason =
			say(w->arena, "%.*s: %.*s", STR_ARG(slices[deciding].group), STR_ARG(slices[deciding].reason));
}

static enum err_code too_large(struct error *reterr)
{
	return error_set(reterr, ERR_LIMIT, "the gate's slices do not fit the memory of this request");
}

static struct str slice_name(const struct samples_dimension *d, uint32_t group)
{
	if (!d)
		return STR("all");
	return group < d->label_count ? d->label[group] : STR("(no label)");
}

static enum err_code check_slices(struct work *w, size_t dimension, struct gate_result *result, struct error *reterr)
{
	bool whole = dimension == SIZE_MAX;
	const struct samples_dimension *d = whole ? NULL : &w->cand->dimension[dimension];
	uint32_t count = whole ? 1 : d->label_count + 1; /* the last: items without a label, if there are any */
	uint32_t *group = arena_try_alloc(w->arena, w->pairs.count + 1, sizeof(*group));
	struct gate_slice *slices = arena_try_alloc(w->arena, (size_t)count + 1, sizeof(*slices));
	struct number *p = arena_try_alloc(w->arena, (size_t)count + 1, sizeof(*p));
	struct multiple_testing_row *adjusted = arena_try_alloc(w->arena, (size_t)count + 1, sizeof(*adjusted));
	struct cut_groups groups;
	if (!group || !slices || !p || !adjusted || !pair_cut_init(&w->cut, w->arena, w->base, w->cand))
		return too_large(reterr);
	for (size_t i = 0; i < w->pairs.count; i++)
		group[i] = whole ? 0 : MIN_OF(d->group[w->pairs.cand[i]], d->label_count);
	if (!cut_group(w->arena, group, w->pairs.count, count, &groups))
		return too_large(reterr);
	if (!whole && groups.start[count] == groups.start[count - 1])
		count--;
	pair_cut_metric(&w->cut, (uint32_t)w->metric_base, (uint32_t)w->metric_cand);
	for (uint32_t g = 0; g < count; g++)
		slices[g] = check_slice(w, slice_name(d, g), groups.unit + groups.start[g],
		                        groups.start[g + 1] - groups.start[g]);
	decide(w, slices, count, p, adjusted, result);
	return ERR_OK;
}

/* at_least looks at the candidate alone: each item is its own pair. */
static enum err_code pair_with_itself(struct work *w, struct error *reterr)
{
	uint32_t *self = arena_try_alloc(w->arena, w->cand->item_count + 1, sizeof(*self));
	if (!self)
		return too_large(reterr);
	for (size_t i = 0; i < w->cand->item_count; i++)
		self[i] = (uint32_t)i;
	w->base = w->cand;
	w->pairs = (struct pair_list){ .base = self, .cand = self, .count = w->cand->item_count };
	w->metric_base = w->metric_cand;
	return ERR_OK;
}

static enum err_code find_names(struct work *w, size_t *ret_dimension, struct error *reterr)
{
	const struct gate *g = w->gate;
	*ret_dimension = SIZE_MAX;
	if (g->metric.len && !samples_find_metric(w->cand, g->metric, &w->metric_cand))
		return error_set(reterr, ERR_INVALID, "gate %.*s: there is no metric %.*s", STR_ARG(g->name),
		                 STR_ARG(g->metric));
	if (g->by.len && !samples_find_dimension(w->cand, g->by, ret_dimension))
		return error_set(reterr, ERR_INVALID, "gate %.*s: there is no dimension %.*s", STR_ARG(g->name),
		                 STR_ARG(g->by));
	if (w->cand->metric_count == 0)
		return error_set(reterr, ERR_INVALID, "gate %.*s: the run has no metric", STR_ARG(g->name));
	return ERR_OK;
}

enum err_code gate_check(struct arena *arena, const struct gate *gate, const struct samples *base,
                         const struct samples *cand, const struct compare *comparison, struct gate_result *ret_result,
                         struct error *reterr)
{
	struct work w = { .arena = arena, .gate = gate, .base = base, .cand = cand };
	struct gate_result result = { .name = gate->name, .verdict = GATE_INCONCLUSIVE };
	size_t dimension;
	if (!(gate->alpha > 0 && gate->alpha < 1 && gate->margin >= 0 && fabs(gate->threshold) <= 1e100))
		return error_set(reterr, ERR_INVALID, "gate %.*s: alpha, margin or threshold out of range",
		                 STR_ARG(gate->name));
	enum err_code code = find_names(&w, &dimension, reterr);
	if (code)
		return code;
	if (gate->rule == GATE_AT_LEAST) {
		code = pair_with_itself(&w, reterr);
	} else if (!comparison || !base) {
		result.reason = STR("there is no baseline to compare with");
		*ret_result = result;
		return ERR_OK;
	} else if (!samples_find_metric(base, cand->metric[w.metric_cand].name, &w.metric_base)) {
		result.reason = STR("the baseline has no such metric");
		*ret_result = result;
		return ERR_OK;
	} else {
		code = pair_items(arena, base, cand, &w.pairs, reterr);
	}
	if (!code)
		code = check_slices(&w, dimension, &result, reterr);
	if (!code)
		*ret_result = result;
	return code;
}

bool gate_rule_from_name(struct str name, enum gate_rule *ret_rule)
{
	bool not_worse = str_eq(name, STR("not_worse"));
	if (!not_worse && !str_eq(name, STR("at_least")))
		return false;
	*ret_rule = not_worse ? GATE_NOT_WORSE : GATE_AT_LEAST;
	return true;
}

const char *gate_rule_name(enum gate_rule r)
{
	return r == GATE_NOT_WORSE ? "not_worse" : "at_least";
}

const char *gate_verdict_name(enum gate_verdict v)
{
	static const char *const names[] = { "pass", "inconclusive", "blocked" };
	return (unsigned)v < ARRAY_LEN(names) ? names[v] : "?";
}
