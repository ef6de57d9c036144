#include "coordinator/evidence/report_view.h"
#include "common/base/unicode.h"
#include "common/base/wrap.h"
#include "coordinator/evidence/report_format.h"
#include <inttypes.h>
#include <math.h>

enum { WIDTH_DEFAULT = 100, LABEL_COLUMNS_MIN = 12 };

static const char bold[] = "\x1b[1m", plain[] = "\x1b[0m";
static const char green[] = "\x1b[32m", red[] = "\x1b[31m";

void report_view_paint(struct report_view *v, const char *colour)
{
	if (v->colour && colour)
		buf_append_c(v->out, colour);
}

void report_view_unpaint(struct report_view *v, const char *colour)
{
	if (v->colour && colour)
		buf_append_c(v->out, plain);
}

void report_view_right(struct report_view *v, unsigned width)
{
	report_format_right(v->out, buf_str(&v->cell), width);
	buf_clear(&v->cell);
}

void report_view_left(struct report_view *v, unsigned width)
{
	report_format_left(v->out, buf_str(&v->cell), width);
	buf_clear(&v->cell);
}

void report_view_gap(struct report_view *v)
{
	buf_append_c(v->out, "  ");
}

bool report_view_in_percent(const struct samples *s, uint32_t metric)
{
	struct interval range = s->metric[metric].range;
	return range.defined && range.low == 0 && range.high == 1;
}

static size_t shown_dimension(const struct report *r)
{
	const struct samples *s = r->run.samples;
	size_t at;
	if (r->by.len)
		return samples_find_dimension(s, r->by, &at) ? at : SIZE_MAX;
	for (at = 0; at < s->dimension_count; at++)
		if (s->dimension[at].label_count > 1)
			return at;
	return SIZE_MAX;
}

void report_view_fold(struct report_view *v)
{
	if (v->two_lines) {
		report_view_end_line(v);
		buf_append_c(v->out, "    ");
	}
	report_view_gap(v);
}

/* The columns of a row beside its label: alone, as the first of two lines, and on one line against a baseline. */
enum { ROW_COLUMNS = 58, ROW_AGAINST_COLUMNS = 106 };

void report_view_init(struct report_view *v, const struct report *r, struct report_style style, struct buf *out)
{
	const struct samples *s = r->run.samples;
	*v = (struct report_view){ .r = r, .whole = out, .colour = style.colour, .by = shown_dimension(r) };
	buf_init(&v->lines, out->max);
	v->out = &v->lines;
	v->width = style.width ? style.width : WIDTH_DEFAULT;
	v->label_columns = 8;
	for (uint32_t g = 0; v->by != SIZE_MAX && g < s->dimension[v->by].label_count; g++)
		v->label_columns = MAX_OF(v->label_columns, unicode_width(s->dimension[v->by].label[g]));
	unsigned most = v->width > ROW_COLUMNS + LABEL_COLUMNS_MIN ? v->width - ROW_COLUMNS : LABEL_COLUMNS_MIN;
	v->label_columns = MIN_OF(v->label_columns, MIN_OF(most, (unsigned)REPORT_VIEW_LABEL_MAX));
	v->two_lines = r->comparison && v->label_columns + ROW_AGAINST_COLUMNS > v->width;
	buf_init(&v->cell, 4096);
}

static void chance(struct report_view *v, uint32_t metric)
{
	const struct samples_metric *m = &v->r->run.samples->metric[metric];
	bool percent = report_view_in_percent(v->r->run.samples, metric);
	buf_append_c(v->out, "          chance ");
	if (!m->chance.defined)
		buf_append_c(v->out, "unknown");
	else
		buf_printf(v->out, "%.3g%s", (percent ? 100 : 1) * m->chance.value, percent ? " %" : "");
}

/* "incomplete: budget spent", of two runs with the number before it; nothing when it is done. */
static void state(struct report_view *v, const struct report_run *run, bool named)
{
	if (run->status.len == 0 || str_eq(run->status, STR("done")))
		return;
	if (named)
		buf_printf(v->out, "run %" PRIu64 " ", run->id);
	report_format_label(v->out, run->status, 40, 0);
	buf_append_c(v->out, run->reason.len ? ": " : "");
	report_format_label(v->out, run->reason, 400, 0);
	buf_append_char(v->out, '\n');
}

void report_view_head(struct report_view *v)
{
	const struct report_run *run = &v->r->run, *base = v->r->base;
	struct buf *out = v->out;
	report_view_paint(v, bold);
	buf_append_c(out, "suite ");
	report_format_label(out, run->suite, 60, 0);
	buf_append_c(out, "  model ");
	report_format_label(out, run->model, 60, 0);
	buf_printf(out, "  run %" PRIu64, run->id);
	if (base)
		buf_printf(out, "  against run %" PRIu64, base->id);
	report_view_unpaint(v, bold);
	if (base && !str_eq(base->suite, run->suite)) {
		buf_append_c(out, " of ");
		report_format_label(out, base->suite, 60, 0);
	}
	if (base && !str_eq(base->model, run->model)) {
		buf_append_c(out, " (");
		report_format_label(out, base->model, 60, 0);
		buf_append_char(out, ')');
	}
	if (run->samples->metric_count == 1)
		chance(v, 0);
	buf_append_char(out, '\n');
	if (base)
		state(v, base, true);
	state(v, run, base != NULL);
}

void report_view_metric(struct report_view *v, uint32_t metric)
{
	const struct samples *s = v->r->run.samples;
	if (s->metric_count == 1)
		return;
	report_format_label(v->out, s->metric[metric].name, 60, 0);
	chance(v, metric);
	buf_append_char(v->out, '\n');
}

struct absent { /* paired items without a score of the primary metric on both sides */
	size_t base, cand, both, weightless;
};

static struct absent absent_count(const struct report *r)
{
	const struct compare *c = r->comparison;
	const struct compare_row *row = &c->rows[0];
	struct absent a = { 0 };
	for (size_t i = 0; i < c->pair_count; i++) {
		bool base = samples_item_score(r->base->samples, row->metric_base, c->pair_base[i]).defined;
		bool cand = samples_item_score(r->run.samples, row->metric_cand, c->pair_cand[i]).defined;
		a.both += !base && !cand;
		a.base += !base && cand;
		a.cand += base && !cand;
		a.weightless += base && cand && r->run.samples->weight[c->pair_cand[i]] == 0;
	}
	return a;
}

static void left_out(struct report_view *v, size_t count, const char *why, const struct report_run *run)
{
	if (count == 0)
		return;
	buf_append_c(v->out, "; ");
	report_format_count(v->out, count);
	buf_printf(v->out, " %s", why);
	if (run)
		buf_printf(v->out, " run %" PRIu64, run->id);
}

void report_view_pairing(struct report_view *v)
{
	const struct compare *c = v->r->comparison;
	const struct report_run *base = v->r->base, *cand = &v->r->run;
	struct absent a = absent_count(v->r);
	size_t only_base = 0, only_cand = 0, changed = 0;
	for (size_t i = 0; i < c->unpaired_count; i++) {
		bool is_changed = c->unpaired[i].reason == COMPARE_CHANGED;
		only_base += c->unpaired[i].in_base && !is_changed;
		only_cand += !c->unpaired[i].in_base && !is_changed;
		changed += is_changed && !c->unpaired[i].in_base;
	}
	buf_append_c(v->out, "paired on ");
	report_format_count(v->out, c->rows[0].n);
	buf_append_c(v->out, " of ");
	report_format_plural(v->out, cand->samples->item_count, "item", "items");
	left_out(v, a.both, "missing in both runs", NULL);
	left_out(v, a.base, "missing in", base);
	left_out(v, a.cand, "missing in", cand);
	left_out(v, a.weightless, "of weight 0", NULL);
	left_out(v, changed, "with changed content", NULL);
	left_out(v, only_base, "only in", base);
	left_out(v, only_cand, "only in", cand);
	buf_append_char(v->out, '\n');
}

/* " (2 connect, 1 malformed)" */
static void missing_classes(struct report_view *v, const struct report_cause *causes, size_t count,
                            enum outcome outcome)
{
	bool any = false;
	for (size_t i = 0; i < count; i++) {
		const struct report_cause *c = &causes[i];
		if (c->outcome != outcome || c->error_class == CLASS_NONE)
			continue;
		buf_append_c(v->out, any ? ", " : " (");
		report_format_count(v->out, c->count);
		buf_printf(v->out, " %s", error_class_name(c->error_class));
		any = true;
	}
	buf_append_c(v->out, any ? ")" : "");
}

bool report_view_missing(struct report_view *v, const struct summary_row *whole, const struct report_cause *causes,
                         size_t cause_count)
{
	static const struct {
		enum outcome outcome;
		const char *name;
	} names[] = {
		{ OUTCOME_PROVIDER_ERROR, "provider error" }, { OUTCOME_UNSCORED, "unscored" },
		{ OUTCOME_HARNESS_ERROR, "harness error" },   { OUTCOME_QUARANTINED, "quarantined" },
		{ OUTCOME_CANCELLED, "cancelled" },           { OUTCOME_NOT_RUN, "not run" },
	};
	bool any = false;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		uint64_t count = whole->missing[names[i].outcome];
		if (!count)
			continue;
		buf_append_c(v->out, any ? ", " : "");
		report_format_count(v->out, count);
		buf_printf(v->out, " %s", names[i].name);
		missing_classes(v, causes, cause_count, names[i].outcome);
		any = true;
	}
	if (!any)
		buf_append_c(v->out, "none");
	return any;
}

void report_view_missing_of(struct report_view *v, const struct report_run *run, const struct report_cause *causes,
                            size_t cause_count)
{
	const struct summary_row *whole = run->summary ? summary_find(run->summary, 0, SUMMARY_ALL, SUMMARY_ALL) : NULL;
	if (!whole)
		return;
	buf_printf(v->out, "run %" PRIu64 " missing: ", run->id);
	(void)report_view_missing(v, whole, causes, cause_count);
	buf_append_char(v->out, '\n');
}

bool report_view_can_see(const struct samples *s, uint32_t metric, struct number mean, struct number detectable)
{
	struct interval range = s->metric[metric].range;
	if (!detectable.defined || !range.defined)
		return detectable.defined;
	double most = mean.defined ? fmax(mean.value - range.low, range.high - mean.value) : range.high - range.low;
	return detectable.value <= most;
}

void report_view_detectable(struct report_view *v, uint32_t metric, struct number mean, struct number detectable,
                            const char *before, const char *instead)
{
	const struct samples *s = v->r->run.samples;
	if (!report_view_can_see(s, metric, mean, detectable)) {
		buf_append_c(v->out, instead);
		return;
	}
	buf_append_c(v->out, before);
	report_format_size(v->out, detectable, report_view_in_percent(s, metric));
}

static const char *verdict_short(enum compare_verdict verdict)
{
	static const char *const names[] = { "better", "WORSE", "no evidence", "not enough" };
	return names[verdict];
}

const char *report_view_verdict_colour(enum compare_verdict verdict)
{
	return verdict == COMPARE_BETTER ? green : verdict == COMPARE_WORSE ? red : NULL;
}

void report_view_verdict(struct report_view *v, const struct compare_row *row)
{
	const char *colour = report_view_verdict_colour(row->verdict);
	report_view_paint(v, colour);
	buf_append_c(&v->cell, verdict_short(row->verdict));
	report_view_left(v, 12);
	report_view_unpaint(v, colour);
	buf_append_c(&v->cell, "p ");
	report_format_p(&v->cell, row->p);
	report_view_left(v, 8);
	report_view_gap(v);
	buf_append_c(&v->cell, "q ");
	report_format_p(&v->cell, row->q);
	report_view_left(v, 8);
}

void report_view_end_line(struct report_view *v)
{
	while (v->out->len && v->out->data[v->out->len - 1] == ' ')
		v->out->data[--v->out->len] = '\0';
	buf_append_char(v->out, '\n');
}

bool report_view_shows(size_t at, const struct compare_row *against)
{
	return at < REPORT_VIEW_ROWS_MAX ||
	       (against && (against->verdict == COMPARE_BETTER || against->verdict == COMPARE_WORSE));
}

static void tally(struct report_view *v)
{
	const struct compare *c = v->r->comparison;
	const struct samples *s = v->r->run.samples;
	struct str dimension = v->by == SIZE_MAX ? STR("all") : s->dimension[v->by].name;
	struct compare_tally t = compare_count(c, s->metric[0].name, dimension);
	const size_t counts[] = { t.better, t.no_evidence, t.worse, t.not_enough };
	static const char *const names[] = { "better", "no evidence", "worse", "not enough" };
	bool any = false;
	for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
		if (!counts[i])
			continue;
		buf_printf(v->out, "%s%zu %s", any ? ", " : "", counts[i], names[i]);
		any = true;
	}
	if (any && v->r->gate_count)
		buf_append_c(v->out, "    ");
}

static void gates(struct report_view *v)
{
	static const char *const words[] = { "pass", "inconclusive", "BLOCKED" };
	for (size_t i = 0; i < v->r->gate_count; i++) {
		const struct gate_result *g = &v->r->gates[i];
		const char *colour = g->verdict == GATE_PASS ? green : g->verdict == GATE_BLOCKED ? red : NULL;
		buf_append_c(v->out, i ? "    gate " : "gate ");
		report_format_label(v->out, g->name, 40, 0);
		buf_append_c(v->out, ": ");
		report_view_paint(v, colour);
		buf_append_c(v->out, words[g->verdict]);
		report_view_unpaint(v, colour);
		if (g->verdict != GATE_PASS) {
			buf_append_c(v->out, " (");
			report_format_label(v->out, g->reason, 160, 0);
			buf_append_char(v->out, ')');
		}
	}
}

void report_view_judgement(struct report_view *v)
{
	if (v->r->comparison)
		tally(v);
	gates(v);
	if (v->r->comparison || v->r->gate_count)
		buf_append_char(v->out, '\n');
	if (v->r->not_compared.len) {
		buf_append_c(v->out, "not compared: ");
		report_format_label(v->out, v->r->not_compared, 300, 0);
		buf_append_char(v->out, '\n');
	}
}

void report_view_next(struct report_view *v)
{
	for (size_t i = 0; i < v->r->next_count; i++) {
		buf_append_c(v->out, i ? " | " : "next: ");
		report_format_label(v->out, v->r->next[i], 200, 0);
	}
	if (v->r->next_count)
		buf_append_char(v->out, '\n');
}

void report_view_done(struct report_view *v)
{
	if (!wrap_text(buf_str(&v->lines), v->width, v->whole) || v->lines.failed)
		v->whole->failed = true;
	buf_done(&v->lines);
	buf_done(&v->cell);
}
