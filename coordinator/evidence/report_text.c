#include "coordinator/evidence/report_format.h"
#include "coordinator/evidence/report_view.h"
#include <inttypes.h>
#include <math.h>

static const char dim[] = "\x1b[2m";

static void put_score(struct report_view *v, const struct summary_row *row, bool percent)
{
	if (row->binary && row->method != SUMMARY_WILSON_WEIGHTED)
		buf_printf(&v->cell, "%" PRIu64 "/%" PRIu64, row->passed, row->n);
	else
		buf_printf(&v->cell, "n %" PRIu64, row->n);
	report_view_right(v, 9);
	report_view_gap(v);
	report_format_score(&v->cell, row->mean, percent);
	report_view_right(v, 7);
	report_view_gap(v);
	report_format_interval(&v->cell, row->interval, percent);
	report_view_left(v, 15);
	if (row->weighted)
		buf_append_c(v->out, "  weighted");
}

static void put_flipped(struct report_view *v, const struct compare_row *row)
{
	uint64_t base = v->r->base->id, cand = v->r->run.id;
	if (row->verdict == COMPARE_WORSE)
		buf_printf(v->out,
		           "  %" PRIu64 " flipped: assay compare %" PRIu64 " %" PRIu64 " --by %.*s --only flipped",
		           row->changed, base, cand, STR_ARG(row->dimension));
	else if (row->verdict == COMPARE_NO_EVIDENCE && row->detectable.defined) {
		buf_append_c(v->out, "  ");
		report_view_detectable(v, row->metric_cand, row->mean_base, row->detectable, "would see ",
		                       "too few items to see any difference");
	}
}

static const struct compare_row *compared(const struct report *r, const struct summary_row *row)
{
	const struct compare *c = r->comparison;
	for (size_t i = 0; c && i < c->row_count; i++)
		if (c->rows[i].metric_cand == row->metric && c->rows[i].dimension_cand == row->dimension &&
		    c->rows[i].group_cand == row->group)
			return &c->rows[i];
	return NULL;
}

static void run_row(struct report_view *v, const struct summary_row *row)
{
	const struct samples *s = v->r->run.samples;
	bool percent = report_view_in_percent(s, row->metric);
	const struct compare_row *against = compared(v->r, row);
	report_view_gap(v);
	report_format_label(v->out, summary_label(s, row->dimension, row->group), v->label_columns, v->label_columns);
	report_view_gap(v);
	put_score(v, row, percent);
	if (against) {
		report_view_fold(v);
		report_format_diff(&v->cell, against->diff, percent);
		report_view_right(v, 8);
		report_view_gap(v);
		report_format_diff_interval(&v->cell, against->interval, percent);
		report_view_left(v, 15);
		report_view_gap(v);
		report_view_verdict(v, against);
		put_flipped(v, against);
		if (against->n != row->n)
			buf_printf(v->out, "  paired on %" PRIu64, against->n);
	}
	report_view_end_line(v);
}

static void run_rows(struct report_view *v, uint32_t metric)
{
	const struct summary *summary = v->r->run.summary;
	size_t at = 0, left_out = 0;
	report_view_metric(v, metric);
	for (size_t i = 0; i < summary->row_count && v->by != SIZE_MAX; i++) {
		const struct summary_row *row = &summary->rows[i];
		if (row->metric != metric || row->dimension != v->by)
			continue;
		if (report_view_shows(at++, compared(v->r, row)))
			run_row(v, row);
		else
			left_out++;
	}
	if (left_out)
		buf_printf(v->out, "  ... and %zu more: --json lists all\n", left_out);
	const struct summary_row *whole = summary_find(summary, metric, SUMMARY_ALL, SUMMARY_ALL);
	if (whole)
		run_row(v, whole);
}

static void flag(struct report_view *v, const char *name, uint64_t count, bool *any)
{
	if (!count)
		return;
	buf_append_c(v->out, *any ? ", " : "    ");
	buf_printf(v->out, "%s ", name);
	report_format_count(v->out, count);
	*any = true;
}

/* "    connect: connection refused (item refund-60)": what one sample of each cause has to say. */
static void missing_evidence(struct report_view *v)
{
	for (size_t i = 0; i < v->r->cause_count; i++) {
		const struct report_cause *c = &v->r->causes[i];
		bool classed = c->error_class != CLASS_NONE;
		buf_printf(v->out, "    %s: ", classed ? error_class_name(c->error_class) : outcome_name(c->outcome));
		report_format_label(v->out, c->evidence, REPORT_EVIDENCE_BYTES_MAX, 0);
		buf_append_c(v->out, c->evidence.len ? " (" : "(");
		for (size_t k = 0; k < c->item_count; k++) {
			buf_append_c(v->out, k ? ", " : "item ");
			report_format_label(v->out, c->item_id[k], 60, 0);
		}
		buf_append_c(v->out, c->count > c->item_count ? ", ...)\n" : ")\n");
	}
	if (v->r->causes_cut)
		buf_append_c(v->out, "    causes are those of the first samples only\n");
}

static void missing(struct report_view *v, const struct summary_row *whole)
{
	bool percent = report_view_in_percent(v->r->run.samples, whole->metric);
	buf_append_c(v->out, "missing: ");
	bool any = report_view_missing(v, whole, v->r->causes, v->r->cause_count);
	if (any && whole->worst.defined) {
		buf_append_c(v->out, "; worst case ");
		report_format_score(v->out, whole->worst, percent);
		buf_append_c(v->out, ", best case ");
		report_format_score(v->out, whole->best, percent);
	}
	any = false;
	flag(v, "refused", whole->refused, &any);
	flag(v, "truncated", whole->truncated, &any);
	flag(v, "empty", whole->empty, &any);
	flag(v, "filtered", whole->filtered, &any);
	buf_append_c(v->out, any ? " (scored as answers)\n" : "\n");
	missing_evidence(v);
}

static void cost(struct report_view *v, const struct summary_row *whole)
{
	const struct report *r = v->r;
	if (r->no_cost_known) {
		buf_append_c(v->out, "cost unknown");
		return;
	}
	report_format_money(v->out, whole->cost_nanousd);
	if (r->cost_unknown) {
		buf_append_c(v->out, " + unknown for ");
		report_format_count(v->out, r->cost_unknown);
	}
}

static void spent(struct report_view *v, const struct summary_row *whole)
{
	const struct report *r = v->r;
	if (r->elapsed_ms) {
		report_format_duration(v->out, r->elapsed_ms);
		buf_append_c(v->out, "   ");
	}
	report_format_count(v->out, whole->tokens_in);
	buf_append_c(v->out, " tokens in, ");
	report_format_count(v->out, whole->tokens_out);
	buf_append_c(v->out, " out   ");
	cost(v, whole);
	buf_printf(v->out, "   paid twice %" PRIu64, r->paid_twice);
	if (r->paid_twice_more_at_most)
		buf_printf(v->out, " (at most %" PRIu64 " more)", r->paid_twice_more_at_most);
	if (r->after_end)
		buf_printf(v->out, "   after the end %" PRIu64 " (paid for, not scored)", r->after_end);
	if (whole->latency_p50_ms.defined) {
		buf_append_c(v->out, "   latency p50 ");
		report_format_duration(v->out, (uint64_t)llround(whole->latency_p50_ms.value));
		buf_append_c(v->out, ", p95 ");
		report_format_duration(v->out, (uint64_t)llround(whole->latency_p95_ms.value));
	}
	buf_append_char(v->out, '\n');
}

static void how(struct report_view *v, const struct summary_row *whole)
{
	static const char *const methods[SUMMARY_METHOD_COUNT] = {
		"no interval: one item, one cluster, or no spread",
		"Wilson",
		"Wilson at the effective size of the clusters, t",
		"Wilson at the effective size of the weights",
		"mean +- t",
		"mean +- t, errors clustered (CR1)",
		"weighted mean +- t",
	};
	report_view_paint(v, dim);
	buf_printf(v->out, "%.0f %% intervals: %s", 100 * v->r->run.summary->level,
	           whole->n ? methods[whole->method] : "nothing scored yet");
	if (whole->cluster_count < whole->n) {
		buf_append_c(v->out, ", ");
		report_format_plural(v->out, whole->cluster_count, "cluster", "clusters");
	}
	if (!v->r->comparison && whole->detectable.defined) {
		buf_append_c(v->out, "; against another run of this size, unpaired, it ");
		report_view_detectable(v, whole->metric, whole->mean, whole->detectable, "would see ",
		                       "has too few items to see any difference");
	}
	if (whole->n && whole->n < 30 && whole->method == SUMMARY_CLT_T)
		buf_append_c(v->out, "; under 30 items the interval is rough");
	report_view_unpaint(v, dim);
	buf_append_char(v->out, '\n');
}

void report_text(const struct report *r, struct report_style style, struct buf *out)
{
	struct report_view v;
	report_view_init(&v, r, style, out);
	report_view_head(&v);
	if (r->comparison) {
		report_view_pairing(&v);
		report_view_missing_of(&v, r->base, r->base_causes, r->base_cause_count);
	}
	for (uint32_t m = 0; m < r->run.samples->metric_count; m++)
		run_rows(&v, m);
	const struct summary_row *whole = summary_find(r->run.summary, 0, SUMMARY_ALL, SUMMARY_ALL);
	if (whole) {
		how(&v, whole);
		missing(&v, whole);
	}
	report_view_judgement(&v);
	if (whole)
		spent(&v, whole);
	report_view_next(&v);
	report_view_done(&v);
}
