#include "coordinator/http/reason.h"
#include "coordinator/http/run_json.h"
#include "coordinator/store/suites.h"
#include <string.h>

static void write_runs(struct context *c, struct run_row *rows, const struct run_sum *sums, size_t count,
                       const struct control_view *v, size_t limit)
{
	struct control_state state;
	c->control->state(c->control->arg, &state);
	struct str *reasons = arena_new(c->arena, count + 1, sizeof(*reasons));
	for (size_t i = 0; i < count; i++)
		reasons[i] = reason_of(c, &rows[i], sums[i].n);
	struct json_write *w = reply_json(c, 200);
	json_write_object(w);
	json_write_field_c(w, "schema", "assay.runs.v1");
	json_write_key(w, "items");
	json_write_array(w);
	for (size_t i = 0; i < count; i++) {
		struct run_parts p = { .row = &rows[i], .whole = &sums[i], .state = &state, .reason = reasons[i] };
		for (size_t k = 0; k < v->run_count; k++)
			if (v->runs[k].run_id == rows[i].run_id)
				p.view = &v->runs[k];
		run_json_write(w, &p);
	}
	json_write_array_end(w);
	json_write_key(w, "next");
	if (count == limit && count > 0)
		json_write_str(w, arena_printf(c->arena, "%llu", (unsigned long long)rows[count - 1].run_id));
	else
		json_write_null(w);
	json_write_object_end(w);
}

void route_runs_list(struct context *c)
{
	struct runs_filter filter = { .suite = server_query(c->request, "suite"),
		                      .model = server_query(c->request, "model"),
		                      .state = -1,
		                      .limit = context_limit(c) };
	struct str state = server_query(c->request, "state"), cursor = server_query(c->request, "cursor");
	struct run_row *rows = NULL;
	struct run_sum *sums = NULL;
	struct control_view v = { 0 };
	enum run_state wanted;
	struct error e;
	size_t count = 0;
	if (filter.limit == 0)
		return;
	if (state.len && !run_state_from_name(state, &wanted)) {
		reply_problem(c, 422, "invalid", NULL, "'%.*s' is not a state of a run", STR_ARG(state));
		return;
	}
	if (state.len)
		filter.state = (int32_t)wanted;
	if (cursor.len && !router_id(cursor, &filter.before_run_id)) {
		reply_problem(c, 422, "invalid", NULL, "'%.*s' is not a cursor of this list", STR_ARG(cursor));
		return;
	}
	enum err_code err = runs_list(c->store, &filter, c->arena, &rows, &count, &e);
	uint64_t *ids = arena_new(c->arena, count + 1, sizeof(*ids));
	for (size_t i = 0; i < count; i++)
		ids[i] = rows[i].run_id;
	if (err == ERR_OK)
		err = runs_progress(c->store, ids, count, c->arena, &sums, &e);
	if (err == ERR_OK)
		err = c->control->look(c->control->arg, 0, c->arena, &v, &e);
	if (err == ERR_OK)
		write_runs(c, rows, sums, count, &v, filter.limit);
	else
		reply_error(c, &e);
}

void route_runs_show(struct context *c)
{
	uint64_t run_id;
	if (context_run_id(c, 0, &run_id))
		run_json_reply(c, 200, run_id, NULL);
}

static enum err_code find_run(struct context *c, uint64_t run_id, struct run_row **ret_row, struct error *reterr)
{
	enum err_code err = runs_find(c->store, run_id, c->arena, ret_row, reterr);
	if (err == ERR_OK && !*ret_row)
		err = error_set(reterr, ERR_NOT_FOUND, "there is no run %llu", (unsigned long long)run_id);
	return err;
}

void route_runs_cancel(struct context *c)
{
	struct run_row *row = NULL;
	struct error e;
	uint64_t run_id;
	bool changed = false;
	if (!context_run_id(c, 0, &run_id))
		return;
	enum err_code err = find_run(c, run_id, &row, &e);
	if (err == ERR_OK)
		err = runs_cancel(c->store, run_id, STR("api"), STR(""), &changed, &e);
	if (err == ERR_OK && !changed)
		err = error_set(&e, ERR_CONFLICT, "run %llu has ended already: %s", (unsigned long long)run_id,
		                run_state_name(row->state));
	if (err == ERR_OK)
		err = c->control->run_changed(c->control->arg, run_id, CONTROL_CANCEL, &e);
	if (err == ERR_OK)
		run_json_reply(c, 200, run_id, NULL);
	else
		reply_error(c, &e);
}

void route_runs_retry(struct context *c)
{
	struct run_row *row = NULL;
	struct run_sum *sums = NULL;
	struct error e;
	uint64_t run_id;
	uint32_t wave = 0;
	if (!context_run_id(c, 0, &run_id))
		return;
	enum err_code err = find_run(c, run_id, &row, &e);
	if (err == ERR_OK)
		err = runs_progress(c->store, &run_id, 1, c->arena, &sums, &e);
	if (err == ERR_OK && row->state == RUN_DONE && sums[0].scored == sums[0].n)
		err = error_set(&e, ERR_CONFLICT, "run %llu has nothing to retry: every sample has a score",
		                (unsigned long long)run_id);
	if (err == ERR_OK)
		err = runs_retry(c->store, run_id, STR("api"), &wave, &e);
	if (err == ERR_OK)
		err = c->control->run_changed(c->control->arg, run_id, CONTROL_RETRY, &e);
	if (err == ERR_OK)
		run_json_reply(c, 200, run_id, NULL);
	else
		reply_error(c, &e);
}
