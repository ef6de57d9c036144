#include "coordinator/http/run_json.h"
#include "common/io/clock.h"
#include "coordinator/http/reason.h"
#include "coordinator/http/waits.h"
#include "coordinator/store/suites.h"

static uint64_t total_of(const struct run_row *row)
{
	return (uint64_t)row->selected_count * row->epochs;
}

static void write_progress(struct json_write *w, const struct run_parts *p)
{
	static const struct run_sum nothing;
	const struct run_sum *s = p->whole ? p->whole : &nothing;
	const struct sched_run_view *v = p->view;
	uint64_t total = total_of(p->row), rows = s->n;
	uint64_t missing = s->unscored + s->provider_error + s->harness_error + s->quarantined;
	uint64_t done = v ? v->done : rows, not_run = total > rows ? total - rows : 0;
	bool ended = run_state_ended(p->row->state);
	if (ended) { /* rows alone count then; what was under way at a cancel comes after the end */
		done = rows;
		missing += not_run;
	}
	int64_t end_ms = p->row->ended_at_ms ? p->row->ended_at_ms : clock_wall_ms();
	double seconds = p->row->started_at_ms ? (double)(end_ms - p->row->started_at_ms) / 1000 : 0;
	double rate = seconds > 0.05 ? (double)rows / seconds : 0;
	json_write_key(w, "progress");
	json_write_object(w);
	json_write_field_i64(w, "total", (int64_t)total);
	json_write_field_i64(w, "done", (int64_t)done);
	json_write_field_i64(w, "in_flight", v ? (int64_t)v->in_flight : 0);
	json_write_field_i64(w, "pending", v && !ended ? (int64_t)v->pending : 0);
	json_write_field_i64(w, "missing", (int64_t)missing);
	json_write_field_i64(w, "not_run", ended ? (int64_t)not_run : 0);
	json_write_field_i64(w, "after_end", (int64_t)s->after_end);
	json_write_field_i64(w, "failed_attempts", (int64_t)s->attempts);
	json_write_field_num(w, "per_second", rate);
	json_write_key(w, "eta_ms");
	if (rate > 0 && total > rows && !ended)
		json_write_i64(w, (int64_t)((double)(total - rows) / rate * 1000));
	else
		json_write_null(w);
	json_write_field_i64(w, "cost_nanousd", s->cost_nanousd);
	json_write_field_i64(w, "cost_unknown", (int64_t)s->cost_unknown);
	json_write_field_i64(w, "tokens_in", (int64_t)s->tokens_in);
	json_write_field_i64(w, "tokens_out", (int64_t)s->tokens_out);
	json_write_object_end(w);
	json_write_key(w, "paid_twice");
	json_write_object(w);
	json_write_field_i64(w, "count", (int64_t)s->paid_twice);
	json_write_field_i64(w, "at_most_more", (int64_t)s->lost_open);
	json_write_field_i64(w, "cost_nanousd", s->paid_twice_nanousd);
	json_write_object_end(w);
}

static void write_score(struct json_write *w, const struct run_parts *p)
{
	json_write_key(w, "score");
	if (!p->score || p->score->n == 0) {
		json_write_null(w);
		return;
	}
	json_write_object(w);
	json_write_field_str(w, "metric", p->metric);
	json_write_field_i64(w, "samples", (int64_t)p->score->n);
	json_write_field_num(w, "mean", p->score->mean);
	json_write_field_bool(w, "provisional", true);
	json_write_object_end(w);
}

void run_json_write(struct json_write *w, const struct run_parts *p)
{
	const struct run_row *r = p->row;
	json_write_object(w);
	json_write_field_c(w, "schema", "assay.run.v1");
	json_write_field_i64(w, "id", (int64_t)r->run_id);
	json_write_field_str(w, "suite", r->suite_name);
	json_write_field_i64(w, "suite_version", r->suite_version);
	json_write_field_str(w, "model", r->model_name);
	json_write_field_i64(w, "model_version", r->model_version);
	json_write_field_c(w, "state", run_state_name(r->state));
	json_write_field_str(w, "reason", p->reason);
	json_write_field_c(w, "origin", "run");
	json_write_field_i64(w, "epochs", r->epochs);
	json_write_field_i64(w, "tick", r->tick);
	json_write_field_i64(w, "seed", (int64_t)r->seed);
	json_write_field_str(w, "limit", r->limit);
	json_write_field_str(w, "slice", r->slice);
	json_write_field_i64(w, "items", r->selected_count);
	json_write_field_i64(w, "retry_wave", r->retry_wave);
	context_write_time(w, "created_at", r->created_at_ms);
	context_write_time(w, "started_at", r->started_at_ms);
	context_write_time(w, "ended_at", r->ended_at_ms);
	write_progress(w, p);
	waits_write(w, r, p->view, p->state);
	if (p->context)
		waits_write_stragglers(p->context, w, r, p->view);
	write_score(w, p);
	if (p->made) {
		json_write_field_c(w, "made", p->made);
		json_write_field_bool(w, "attached", !str_eq_c(str_from(p->made), "new"));
	}
	json_write_object_end(w);
}

static const struct run_sum *find_sum(const struct run_sum *sums, size_t count, int32_t metric)
{
	for (size_t i = 0; i < count; i++)
		if (sums[i].metric == metric && sums[i].slice.len == 0)
			return &sums[i];
	return NULL;
}

void run_json_reply(struct context *c, int status, uint64_t run_id, const char *made)
{
	struct run_row *row = NULL;
	struct run_sum *sums = NULL;
	struct suite_row *suite = NULL;
	struct control_view view = { 0 };
	struct control_state state;
	size_t count = 0;
	struct error e;
	/* The schedule first: rows that are written meanwhile make progress look late, never early. */
	enum err_code err = c->control->look(c->control->arg, run_id, c->arena, &view, &e);
	if (err == ERR_OK)
		err = runs_find(c->store, run_id, c->arena, &row, &e);
	if (err == ERR_OK && !row)
		err = error_set(&e, ERR_NOT_FOUND, "there is no run %llu", (unsigned long long)run_id);
	if (err == ERR_OK)
		err = runs_sums(c->store, run_id, c->arena, &sums, &count, &e);
	if (err == ERR_OK)
		err = suites_by_id(c->store, row->suite_version_id, c->arena, &suite, &e);
	if (err != ERR_OK) {
		reply_error(c, &e);
		return;
	}
	c->control->state(c->control->arg, &state);
	struct run_parts p = { .row = row,
		               .context = c,
		               .state = &state,
		               .whole = find_sum(sums, count, -1),
		               .score = find_sum(sums, count, 0),
		               .view = view.run_count ? &view.runs[0] : NULL,
		               .made = made };
	p.reason = reason_of(c, row, p.whole ? p.whole->n : 0);
	if (suite && suite->metric_count)
		p.metric = suite->metrics[0];
	run_json_write(reply_json(c, status), &p);
}
