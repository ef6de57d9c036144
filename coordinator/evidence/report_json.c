#include "common/base/check.h"
#include "common/base/json_write.h"
#include "coordinator/evidence/report_view.h"
#include "coordinator/stats/clt_mean.h"
#include "coordinator/stats/clustered_mean.h"
#include "coordinator/stats/mcnemar.h"
#include "coordinator/stats/multiple_testing.h"
#include "coordinator/stats/paired_diff.h"
#include <math.h>

static void number_value(struct json_write *w, struct number n)
{
	if (!n.defined)
		json_write_null(w);
	else if (isinf(n.value))
		json_write_c(w, n.value > 0 ? "inf" : "-inf");
	else
		json_write_num(w, n.value);
}

static void number(struct json_write *w, const char *key, struct number n)
{
	json_write_key(w, key);
	number_value(w, n);
}

static void count(struct json_write *w, const char *key, uint64_t n)
{
	json_write_key(w, key);
	json_write_u64(w, n);
}

static void interval(struct json_write *w, const char *key, struct interval i)
{
	json_write_key(w, key);
	if (!i.defined) {
		json_write_null(w);
		return;
	}
	json_write_array(w);
	number_value(w, number_of(i.low));
	number_value(w, number_of(i.high));
	json_write_array_end(w);
}

static void run(struct json_write *w, const char *key, const struct report_run *r)
{
	json_write_key(w, key);
	json_write_object(w);
	count(w, "id", r->id);
	json_write_field_str(w, "suite", r->suite);
	json_write_field_str(w, "model", r->model);
	json_write_field_str(w, "status", r->status);
	json_write_field_str(w, "reason", r->reason);
	count(w, "items", r->samples->item_count);
	count(w, "epochs", r->samples->epoch_count);
	json_write_object_end(w);
}

static void missing(struct json_write *w, const struct summary_row *row)
{
	json_write_key(w, "missing");
	json_write_object(w);
	count(w, "total", summary_missing(row));
	for (unsigned o = OUTCOME_UNSCORED; o < OUTCOME_COUNT; o++)
		count(w, outcome_name((enum outcome)o), row->missing[o]);
	json_write_object_end(w);
}

static void flags(struct json_write *w, const struct summary_row *row)
{
	json_write_key(w, "flags");
	json_write_object(w);
	count(w, "refused", row->refused);
	count(w, "truncated", row->truncated);
	count(w, "empty", row->empty);
	count(w, "filtered", row->filtered);
	json_write_object_end(w);
}

static void detectable(struct json_write *w, const char *key, const struct samples *s, uint32_t metric,
                       struct number mean, struct number n)
{
	number(w, key, report_view_can_see(s, metric, mean, n) ? n : number_none());
}

static void summary_row(struct json_write *w, const struct report *r, const struct summary_row *row)
{
	const struct samples *s = r->run.samples;
	bool whole = row->dimension == SUMMARY_ALL;
	json_write_object(w);
	json_write_field_str(w, "metric", s->metric[row->metric].name);
	json_write_field_str(w, "by", whole ? STR("all") : s->dimension[row->dimension].name);
	json_write_field_str(w, "group", summary_label(s, row->dimension, row->group));
	count(w, "items", row->item_count);
	count(w, "n", row->n);
	count(w, "clusters", row->cluster_count);
	count(w, "samples", row->sample_count);
	count(w, "scored", row->scored_count);
	number(w, "mean", row->mean);
	number(w, "se", row->se);
	interval(w, "interval", row->interval);
	json_write_field_c(w, "method", summary_method_name(row->method));
	number(w, "effective_n", row->effective_n);
	json_write_field_bool(w, "binary", row->binary);
	number(w, "passed", row->binary ? number_of((double)row->passed) : number_none());
	number(w, "chance", row->chance);
	number(w, "worst_case", row->worst);
	number(w, "best_case", row->best);
	detectable(w, "detectable_unpaired", s, row->metric, row->mean, row->detectable);
	missing(w, row);
	flags(w, row);
	count(w, "tokens_in", row->tokens_in);
	count(w, "tokens_out", row->tokens_out);
	json_write_key(w, "cost_nanousd");
	if (r->no_cost_known)
		json_write_null(w);
	else
		json_write_i64(w, row->cost_nanousd);
	number(w, "latency_p50_ms", row->latency_p50_ms);
	number(w, "latency_p95_ms", row->latency_p95_ms);
	json_write_object_end(w);
}

static void summary(struct json_write *w, const struct report *r)
{
	const struct summary *rows = r->run.summary;
	json_write_key(w, "level");
	json_write_num(w, rows->level);
	json_write_key(w, "rows");
	json_write_array(w);
	for (size_t i = 0; i < rows->row_count; i++)
		summary_row(w, r, &rows->rows[i]);
	json_write_array_end(w);
}

static void causes(struct json_write *w, const struct report *r)
{
	json_write_key(w, "missing_causes");
	json_write_array(w);
	for (size_t i = 0; i < r->cause_count; i++) {
		const struct report_cause *c = &r->causes[i];
		json_write_object(w);
		json_write_field_c(w, "outcome", outcome_name(c->outcome));
		json_write_key(w, "class");
		if (c->error_class == CLASS_NONE)
			json_write_null(w);
		else
			json_write_c(w, error_class_name(c->error_class));
		count(w, "count", c->count);
		json_write_key(w, "items");
		json_write_array(w);
		for (size_t k = 0; k < c->item_count; k++)
			json_write_str(w, c->item_id[k]);
		json_write_array_end(w);
		json_write_field_str(w, "evidence", c->evidence);
		json_write_object_end(w);
	}
	json_write_array_end(w);
	json_write_field_bool(w, "missing_causes_cut", r->causes_cut);
}

static void compare_row(struct json_write *w, const struct samples *cand, const struct compare_row *row)
{
	json_write_object(w);
	json_write_field_str(w, "metric", row->metric);
	json_write_field_str(w, "by", row->dimension);
	json_write_field_str(w, "group", row->group);
	count(w, "pairs", row->item_count);
	count(w, "n", row->n);
	count(w, "missing_base", row->missing_base);
	count(w, "missing_cand", row->missing_cand);
	count(w, "clusters", row->cluster_count);
	json_write_field_bool(w, "binary", row->binary);
	json_write_field_bool(w, "clustered", row->clustered);
	json_write_field_bool(w, "weighted", row->weighted);
	number(w, "mean_base", row->mean_base);
	number(w, "mean_cand", row->mean_cand);
	number(w, "diff", row->diff);
	number(w, "se", row->se);
	number(w, "se_unpaired", row->se_unpaired);
	number(w, "corr", row->corr);
	interval(w, "interval", row->interval);
	json_write_field_c(w, "method", compare_method_name(row->method));
	json_write_field_c(w, "test", compare_test_name(row->test));
	number(w, "p", row->p);
	number(w, "q", row->q);
	number(w, "holm", row->holm);
	count(w, "gained", row->gained);
	count(w, "lost", row->lost);
	count(w, "changed", row->changed);
	number(w, "diff_worst", row->diff_worst);
	number(w, "diff_best", row->diff_best);
	detectable(w, "detectable", cand, row->metric_cand, row->mean_base, row->detectable);
	json_write_field_bool(w, "detectable_from_bound", row->detectable_from_bound);
	json_write_field_c(w, "verdict", compare_verdict_name(row->verdict));
	json_write_object_end(w);
}

static void flips(struct json_write *w, const struct report *r)
{
	const struct compare *c = r->comparison;
	json_write_key(w, "flips");
	json_write_array(w);
	for (size_t i = 0; i < c->flip_count; i++) {
		const struct compare_flip *f = &c->flips[i];
		json_write_object(w);
		json_write_field_str(w, "item", r->run.samples->item_id[f->item_cand]);
		json_write_field_str(w, "item_base", r->base->samples->item_id[f->item_base]);
		json_write_field_str(w, "metric", r->run.samples->metric[f->metric_cand].name);
		json_write_field_num(w, "from", f->from);
		json_write_field_num(w, "to", f->to);
		json_write_object_end(w);
	}
	json_write_array_end(w);
}

static void unpaired(struct json_write *w, const struct report *r)
{
	const struct compare *c = r->comparison;
	json_write_key(w, "unpaired");
	json_write_array(w);
	for (size_t i = 0; i < c->unpaired_count; i++) {
		const struct compare_unpaired *u = &c->unpaired[i];
		const struct report_run *owner = u->in_base ? r->base : &r->run;
		json_write_object(w);
		count(w, "run", owner->id);
		json_write_field_str(w, "item", owner->samples->item_id[u->item]);
		json_write_field_c(w, "reason", compare_reason_name(u->reason));
		json_write_object_end(w);
	}
	json_write_array_end(w);
}

static void comparison_body(struct json_write *w, const struct report *r)
{
	const struct compare *c = r->comparison;
	check_msg(r->base, "a comparison needs its baseline");
	count(w, "paired", c->pair_count);
	json_write_field_num(w, "level", c->options.level);
	json_write_field_num(w, "alpha", c->options.alpha);
	json_write_field_num(w, "power", c->options.power);
	json_write_field_c(w, "verdict", compare_verdict_name(c->rows[0].verdict));
	json_write_key(w, "rows");
	json_write_array(w);
	for (size_t i = 0; i < c->row_count; i++)
		compare_row(w, r->run.samples, &c->rows[i]);
	json_write_array_end(w);
	flips(w, r);
	unpaired(w, r);
}

static void gates(struct json_write *w, const struct report *r)
{
	json_write_key(w, "gates");
	json_write_array(w);
	for (size_t i = 0; i < r->gate_count; i++) {
		const struct gate_result *g = &r->gates[i];
		json_write_object(w);
		json_write_field_str(w, "name", g->name);
		json_write_field_c(w, "verdict", gate_verdict_name(g->verdict));
		json_write_field_str(w, "reason", g->reason);
		json_write_key(w, "slices");
		json_write_array(w);
		for (size_t j = 0; j < g->slice_count; j++) {
			const struct gate_slice *s = &g->slices[j];
			json_write_object(w);
			json_write_field_str(w, "group", s->group);
			json_write_field_c(w, "verdict", gate_verdict_name(s->verdict));
			count(w, "n", s->n);
			number(w, "value", s->value);
			number(w, "p_pass", s->p_pass);
			number(w, "p_block", s->p_block);
			number(w, "holm", s->holm);
			number(w, "missing_share", s->missing_share);
			json_write_field_bool(w, "missing_decides", s->missing_decides);
			json_write_field_str(w, "reason", s->reason);
			json_write_object_end(w);
		}
		json_write_array_end(w);
		json_write_object_end(w);
	}
	json_write_array_end(w);
}

/* The definitions behind the figures (STATISTICS.md 0, rule 9). */
static void methods(struct json_write *w)
{
	json_write_key(w, "methods");
	json_write_object(w);
	json_write_field_i64(w, "clt_mean", CLT_MEAN_VERSION);
	json_write_field_i64(w, "clustered_mean", CLUSTERED_MEAN_VERSION);
	json_write_field_i64(w, "paired_diff", PAIRED_DIFF_VERSION);
	json_write_field_i64(w, "mcnemar", MCNEMAR_VERSION);
	json_write_field_i64(w, "multiple_testing", MULTIPLE_TESTING_VERSION);
	json_write_object_end(w);
}

static void tail(struct json_write *w, const struct report *r)
{
	gates(w, r);
	methods(w);
	json_write_key(w, "next");
	json_write_array(w);
	for (size_t i = 0; i < r->next_count; i++)
		json_write_str(w, r->next[i]);
	json_write_array_end(w);
	json_write_object_end(w);
	buf_append_char(w->out, '\n');
}

void report_json(const struct report *r, struct buf *out)
{
	struct json_write w;
	json_write_init(&w, out, true);
	json_write_object(&w);
	json_write_field_c(&w, "schema", "assay.report.v1");
	run(&w, "run", &r->run);
	if (r->base)
		run(&w, "base", r->base);
	summary(&w, r);
	causes(&w, r);
	count(&w, "after_end", r->after_end);
	count(&w, "cost_unknown", r->cost_unknown);
	count(&w, "elapsed_ms", r->elapsed_ms);
	count(&w, "paid_twice", r->paid_twice);
	count(&w, "paid_twice_more_at_most", r->paid_twice_more_at_most);
	json_write_key(&w, "comparison");
	if (r->comparison) {
		json_write_object(&w);
		comparison_body(&w, r);
		json_write_object_end(&w);
	} else {
		json_write_null(&w);
	}
	json_write_field_str(&w, "not_compared", r->not_compared);
	tail(&w, r);
}

void report_json_compare(const struct report *r, struct buf *out)
{
	struct json_write w;
	json_write_init(&w, out, true);
	json_write_object(&w);
	json_write_field_c(&w, "schema", "assay.compare.v1");
	run(&w, "base", r->base);
	run(&w, "run", &r->run);
	comparison_body(&w, r);
	tail(&w, r);
}
