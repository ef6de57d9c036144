#include "common/base/check.h"
#include "coordinator/evidence/report_format.h"
#include "coordinator/evidence/report_view.h"
#include <inttypes.h>

enum { FLIPS_MAX = 100000, UNPAIRED_MAX = 20, LABEL_COLUMNS_MAX = REPORT_VIEW_LABEL_MAX };

static void compare_row(struct report_view *v, const struct compare_row *row)
{
	bool percent = report_view_in_percent(v->r->run.samples, row->metric_cand);
	report_view_gap(v);
	report_format_label(v->out, row->group, v->label_columns, v->label_columns);
	report_view_gap(v);
	buf_printf(&v->cell, "n %" PRIu64, row->n);
	report_view_right(v, 8);
	report_view_gap(v);
	report_format_score(&v->cell, row->mean_base, percent);
	buf_append_c(&v->cell, " -> ");
	report_format_score(&v->cell, row->mean_cand, percent);
	report_view_right(v, 17);
	report_view_gap(v);
	report_format_diff(&v->cell, row->diff, percent);
	report_view_right(v, 8);
	report_view_gap(v);
	report_format_diff_interval(&v->cell, row->interval, percent);
	report_view_left(v, 15);
	report_view_fold(v);
	report_view_verdict(v, row);
	report_view_gap(v);
	buf_printf(v->out, "%" PRIu64 " up, %" PRIu64 " down", row->gained, row->lost);
	report_view_end_line(v);
}

static void compare_rows(struct report_view *v, uint32_t metric)
{
	const struct compare *c = v->r->comparison;
	size_t at = 0, left_out = 0;
	report_view_metric(v, metric);
	for (size_t i = 0; i < c->row_count; i++) {
		const struct compare_row *row = &c->rows[i];
		if (row->metric_cand != metric || row->dimension_cand != v->by || v->by == SIZE_MAX)
			continue;
		if (report_view_shows(at++, row))
			compare_row(v, row);
		else
			left_out++;
	}
	if (left_out)
		buf_printf(v->out, "  ... and %zu more: --json lists all\n", left_out);
	for (size_t i = 0; i < c->row_count; i++)
		if (c->rows[i].metric_cand == metric && c->rows[i].dimension_cand == SUMMARY_ALL)
			compare_row(v, &c->rows[i]);
}

static void unpaired(struct report_view *v)
{
	const struct compare *c = v->r->comparison;
	for (size_t i = 0; i < MIN_OF(c->unpaired_count, UNPAIRED_MAX); i++) {
		const struct compare_unpaired *u = &c->unpaired[i];
		const struct report_run *run = u->in_base ? v->r->base : &v->r->run;
		buf_printf(v->out, "    unpaired: run %" PRIu64 " ", run->id);
		report_format_label(v->out, run->samples->item_id[u->item], 60, 0);
		buf_append_c(v->out, u->reason == COMPARE_CHANGED ? " (content changed)\n" : "\n");
	}
	if (c->unpaired_count > UNPAIRED_MAX)
		buf_printf(v->out, "    ... and %zu more: --json lists all\n", c->unpaired_count - UNPAIRED_MAX);
}

static void flips(struct report_view *v)
{
	const struct compare *c = v->r->comparison;
	const struct samples *s = v->r->run.samples;
	size_t n = MIN_OF(c->flip_count, FLIPS_MAX);
	if (c->flip_count == 0)
		buf_append_c(v->out, "no item changed\n");
	for (size_t i = 0; i < n; i++) {
		const struct compare_flip *f = &c->flips[i];
		report_view_gap(v);
		report_format_label(v->out, s->item_id[f->item_cand], LABEL_COLUMNS_MAX, LABEL_COLUMNS_MAX);
		buf_printf(v->out, "  %g -> %g", f->from, f->to);
		if (v->by != SIZE_MAX && s->dimension[v->by].group[f->item_cand] != SAMPLES_NO_GROUP) {
			report_view_gap(v);
			report_format_label(v->out, s->dimension[v->by].label[s->dimension[v->by].group[f->item_cand]],
			                    LABEL_COLUMNS_MAX, 0);
		}
		if (s->metric_count > 1) {
			report_view_gap(v);
			report_format_label(v->out, s->metric[f->metric_cand].name, LABEL_COLUMNS_MAX, 0);
		}
		buf_append_char(v->out, '\n');
	}
	if (c->flip_count > n)
		buf_printf(v->out, "  ... and %zu more: --json lists all\n", c->flip_count - n);
}

static void verdict(struct report_view *v)
{
	const struct compare_row *row = &v->r->comparison->rows[0]; /* the primary metric over the whole suite */
	bool percent = report_view_in_percent(v->r->run.samples, row->metric_cand);
	buf_append_c(v->out, "verdict: ");
	report_view_paint(v, report_view_verdict_colour(row->verdict));
	buf_append_c(v->out, compare_verdict_name(row->verdict));
	report_view_unpaint(v, report_view_verdict_colour(row->verdict));
	if (row->diff.defined) {
		buf_append_c(v->out, " (");
		report_format_diff(v->out, row->diff, percent);
		report_view_gap(v);
		report_format_diff_interval(v->out, row->interval, percent);
		buf_printf(v->out, ", paired, n %" PRIu64 ", ", row->n);
		buf_printf(v->out, "%s p ", compare_test_name(row->test));
		report_format_p(v->out, row->p);
		buf_append_char(v->out, ')');
	}
	if (row->detectable.defined) {
		buf_append_c(v->out, "\nsmallest difference it would see: ");
		report_view_detectable(v, row->metric_cand, row->mean_base, row->detectable, "",
		                       "none, there are too few items to see any difference");
		buf_printf(v->out, " (%.0f %% power, alpha %g)", 100 * v->r->comparison->options.power,
		           v->r->comparison->options.alpha);
	}
	buf_append_char(v->out, '\n');
}

void report_text_compare(const struct report *r, struct report_style style, struct buf *out)
{
	check_msg(r->base && r->comparison, "a comparison needs both runs");
	struct report_view v;
	report_view_init(&v, r, style, out);
	if (r->only_flipped) {
		flips(&v);
		report_view_done(&v);
		return;
	}
	report_view_head(&v);
	report_view_pairing(&v);
	report_view_missing_of(&v, r->base, r->base_causes, r->base_cause_count);
	report_view_missing_of(&v, &r->run, r->causes, r->cause_count);
	unpaired(&v);
	for (uint32_t m = 0; m < r->run.samples->metric_count; m++)
		compare_rows(&v, m);
	verdict(&v);
	report_view_judgement(&v);
	report_view_next(&v);
	report_view_done(&v);
}
