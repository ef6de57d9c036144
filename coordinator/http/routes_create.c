#include "coordinator/catalog/suite.h"
#include "coordinator/http/plan.h"
#include "coordinator/http/run_json.h"

enum { SLICE_PAIRS_MAX = 16, EPOCHS_MAX = 1000, CONTEXT_BYTES_MAX = 8 << 20, ATTEMPTS_MAX = 5, SAMPLE_MS_MAX = 600000 };

static enum err_code want_i64(const struct json *root, const char *key, int64_t fallback, int64_t min, int64_t max,
                              int64_t *ret_value, struct error *reterr)
{
	const struct json *v = json_get(root, key);
	*ret_value = fallback;
	if (json_kind(v) == JSON_ABSENT || json_kind(v) == JSON_NULL)
		return ERR_OK;
	if (!json_i64(v, ret_value) || *ret_value < min || *ret_value > max)
		return error_set(reterr, ERR_INVALID, "%s must be a whole number from %lld to %lld", key,
		                 (long long)min, (long long)max);
	return ERR_OK;
}

static enum err_code check_keys(const struct json *root, struct error *reterr)
{
	static const char *const known[] = { "suite",    "model", "epochs",  "limit",    "slice",          "seed",
		                             "priority", "again", "dry_run", "attempts", "sample_time_ms", NULL };
	if (json_kind(root) != JSON_OBJECT)
		return error_set(reterr, ERR_INVALID, "the body must be an object, not %s",
		                 json_kind_name(json_kind(root)));
	for (struct json_iter it = { 0 }; json_next(root, &it);) {
		size_t i = 0;
		while (known[i] && !str_eq_c(it.key, known[i]))
			i++;
		if (!known[i])
			return error_set(reterr, ERR_INVALID, "unknown field '%.*s'", STR_ARG(it.key));
	}
	return ERR_OK;
}

static enum err_code find_suite(struct context *c, struct str name, struct plan_wish *w, struct error *reterr)
{
	struct str *names = NULL;
	size_t count = 0;
	enum err_code err = suites_find(c->store, name, c->arena, &w->suite, reterr);
	if (err != ERR_OK || w->suite)
		return err;
	struct str nearest = { 0 };
	unsigned best = 4;
	if (suites_names(c->store, c->arena, &names, &count, NULL) == ERR_OK)
		for (size_t i = 0; i < count; i++)
			if (str_distance(name, names[i]) < best) {
				best = str_distance(name, names[i]);
				nearest = names[i];
			}
	return error_set(reterr, ERR_NOT_FOUND, "there is no suite '%.*s'%s%.*s%s", STR_ARG(name),
	                 nearest.len ? "; did you mean '" : " (assay suite push suite.yaml)", STR_ARG(nearest),
	                 nearest.len ? "'?" : "");
}

static enum err_code find_model(struct context *c, struct str name, struct plan_wish *w, struct error *reterr)
{
	struct model_row *rows = NULL;
	size_t count = 0;
	enum err_code err = models_find(c->store, name, c->arena, &w->model, reterr);
	if (err != ERR_OK || w->model)
		return err;
	struct str nearest = { 0 };
	unsigned best = 4;
	if (models_list(c->store, STR(""), 500, c->arena, &rows, &count, NULL) == ERR_OK)
		for (size_t i = 0; i < count; i++)
			if (str_distance(name, rows[i].name) < best) {
				best = str_distance(name, rows[i].name);
				nearest = rows[i].name;
			}
	return error_set(reterr, ERR_NOT_FOUND, "there is no model '%.*s'%s%.*s%s", STR_ARG(name),
	                 nearest.len ? "; did you mean '" : " (assay models add models.yaml)", STR_ARG(nearest),
	                 nearest.len ? "'?" : "");
}

static enum err_code read_selection(struct context *c, const struct json *root, struct plan_wish *w,
                                    struct error *reterr)
{
	struct str keys[SLICE_PAIRS_MAX], values[SLICE_PAIRS_MAX], limit = { 0 };
	const struct json *slice = json_get(root, "slice"), *limit_json = json_get(root, "limit");
	size_t count = 0;
	int64_t whole;
	double share;
	for (struct json_iter it = { 0 }; json_kind(slice) == JSON_OBJECT && json_next(slice, &it);) {
		if (count == SLICE_PAIRS_MAX || !json_str(it.value, &values[count]))
			return error_set(reterr, ERR_INVALID, "slice must be an object of at most %d texts",
			                 SLICE_PAIRS_MAX);
		keys[count++] = it.key;
	}
	if (json_i64(limit_json, &whole))
		limit = arena_printf(c->arena, "%lld", (long long)whole);
	else if (json_num(limit_json, &share))
		limit = arena_printf(c->arena, "%.6g", share);
	else if (json_kind(limit_json) == JSON_STR)
		limit = json_str_or(limit_json, STR(""));
	return selection_make(c->store, w->suite, keys, values, count, limit, (uint64_t)w->seed, c->arena,
	                      &w->selection, reterr);
}

static enum err_code read_wish(struct context *c, struct plan_wish *w, struct error *reterr)
{
	struct str suite, model;
	int64_t suite_epochs = 1;
	struct json_doc *definition = NULL;
	enum err_code err = json_parse(c->request->body, &w->doc, reterr);
	if (err == ERR_LIMIT) /* too deep, not too large */
		err = reterr->code = ERR_INVALID;
	const struct json *root = err == ERR_OK ? json_root(w->doc) : NULL;
	if (err == ERR_OK)
		err = check_keys(root, reterr);
	if (err == ERR_OK && (!json_str(json_get(root, "suite"), &suite) || !json_str(json_get(root, "model"), &model)))
		err = error_set(reterr, ERR_INVALID, "a run needs \"suite\" and \"model\"");
	if (err == ERR_OK)
		err = find_suite(c, suite, w, reterr);
	if (err == ERR_OK)
		err = find_model(c, model, w, reterr);
	if (err == ERR_OK)
		err = json_parse(w->suite->definition, &definition, reterr);
	if (err == ERR_OK) {
		suite_epochs = json_i64_or(json_pointer(json_root(definition), STR("/generate/epochs")), 1);
		err = want_i64(root, "epochs", suite_epochs, 1, EPOCHS_MAX, &w->epochs, reterr);
	}
	json_free(definition);
	if (err == ERR_OK)
		err = want_i64(root, "seed", 0, 0, INT64_MAX, &w->seed, reterr);
	if (err == ERR_OK)
		err = want_i64(root, "priority", 0, -100, 100, &w->priority, reterr);
	if (err == ERR_OK)
		err = read_selection(c, root, w, reterr);
	w->again = json_bool_or(json_get(root, "again"), false);
	w->dry_run = json_bool_or(json_get(root, "dry_run"), false);
	return err == ERR_OK ? able_find(c, w->model, &w->able, reterr) : err;
}

/* ---- making it ---- */

static enum err_code make(struct context *c, const struct plan_wish *w, enum runs_made *ret_made,
                          struct run_row **ret_run, struct error *reterr)
{
	struct buf context;
	buf_init(&context, CONTEXT_BYTES_MAX);
	enum err_code err =
		suite_context(w->suite->definition, w->model->config, w->suite->item_count, &context, reterr);
	struct runs_new run = { .team_id = STORE_TEAM_DEFAULT,
		                .suite_version_id = w->suite->suite_version_id,
		                .model_id = w->model->model_id,
		                .slice = w->selection.slice,
		                .limit = w->selection.limit,
		                .seed = (uint64_t)w->seed,
		                .epochs = (uint32_t)w->epochs,
		                .again = w->again,
		                .selection = w->selection.bitmap,
		                .selected_count = w->selection.count,
		                .context = buf_str(&context),
		                .attempts_max = ATTEMPTS_MAX,
		                .sample_time_ms = SAMPLE_MS_MAX,
		                .priority = (int32_t)w->priority,
		                .budget_nanousd = -1,
		                .options = STR("{}"),
		                .idempotency_key = server_header(c->request, "Idempotency-Key"),
		                .created_by = STR("api") };
	if (err == ERR_OK)
		err = runs_create(c->store, &run, c->arena, ret_made, ret_run, reterr);
	buf_done(&context);
	return err;
}

/* An attached run that is under way needs no word to the schedule: it holds it, or reads it at its start. */
static enum err_code take_in(struct context *c, enum runs_made made, const struct run_row *run, struct error *reterr)
{
	if (made == RUNS_NEW)
		return c->control->run_changed(c->control->arg, run->run_id, CONTROL_ADMIT, reterr);
	if (made == RUNS_EXTENDED)
		return c->control->run_changed(c->control->arg, run->run_id, CONTROL_EXTEND, reterr);
	return ERR_OK;
}

void route_runs_create(struct context *c)
{
	static const char *const made_names[] = {
		[RUNS_NEW] = "new", [RUNS_ATTACHED] = "attached", [RUNS_EXTENDED] = "extended"
	};
	struct plan_wish w = { 0 };
	struct run_row *run = NULL;
	enum runs_made made = RUNS_NEW;
	struct error e;
	enum err_code err = read_wish(c, &w, &e);
	if (err == ERR_OK && w.dry_run) {
		plan_reply(c, &w);
		json_free(w.doc);
		return;
	}
	if (err == ERR_OK && w.able.connected > 0 && w.able.able == 0)
		err = error_set(&e, ERR_INVALID, "no connected worker can serve model '%.*s': %.*s",
		                STR_ARG(w.model->name), STR_ARG(w.able.why_not));
	if (err == ERR_OK)
		err = make(c, &w, &made, &run, &e);
	if (err == ERR_OK)
		err = take_in(c, made, run, &e);
	if (err == ERR_OK)
		run_json_reply(c, made == RUNS_NEW ? 201 : 200, run->run_id, made_names[made]);
	else
		reply_error(c, &e);
	json_free(w.doc);
}
