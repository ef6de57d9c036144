#include "common/base/bits.h"
#include "common/base/prompt.h"
#include "coordinator/catalog/suite.h"
#include "coordinator/http/able.h"
#include "coordinator/http/run_json.h"
#include "coordinator/http/selection.h"
#include "coordinator/store/items.h"
#include "coordinator/store/models.h"
#include <math.h>

enum {
	SLICE_PAIRS_MAX = 16,
	EPOCHS_MAX = 1000,
	CONTEXT_BYTES_MAX = 8 << 20,
	SAMPLED_ITEMS = 200,
	TOKENS_A_MESSAGE = 8, /* the role's markers around it */
	ATTEMPTS_MAX = 5,
	SAMPLE_MS_MAX = 600000
};

struct wish { /* what the request asks for, read and looked up */
	struct json_doc *doc;
	struct suite_row *suite;
	struct model_row *model;
	struct selection selection;
	int64_t epochs, seed, priority;
	bool again, dry_run;
	struct able able;
};

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

static enum err_code find_suite(struct context *c, struct str name, struct wish *w, struct error *reterr)
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

static enum err_code find_model(struct context *c, struct str name, struct wish *w, struct error *reterr)
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

static enum err_code read_selection(struct context *c, const struct json *root, struct wish *w, struct error *reterr)
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

static enum err_code read_wish(struct context *c, struct wish *w, struct error *reterr)
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

/* ---- a plan ---- */

struct input_size { /* of one sample, on average over the items that were looked at */
	double bytes, messages;
};

static void add_prompt(const struct prompt *prompt, struct input_size *sum)
{
	sum->bytes += (double)prompt->system.len;
	sum->messages += (double)prompt->message_count + (prompt->system.len > 0);
	for (size_t i = 0; i < prompt->message_count; i++)
		sum->bytes += (double)prompt->messages[i].content.len;
}

/* What a model is told of one item, exactly as a worker would render it. */
static bool measure_item(struct context *c, const struct wish *w, const struct json *generate, uint32_t item_no,
                         struct input_size *sum)
{
	struct arena arena;
	struct item_row *row = NULL;
	struct json_doc *item = NULL;
	struct prompt prompt;
	size_t count = 0;
	arena_init(&arena, 64 << 20);
	bool measured = items_range(c->store, w->suite->suite_version_id, item_no, 1, 16 << 20, &arena, &row, &count,
	                            NULL) == ERR_OK &&
	                count == 1 && json_parse(row->content, &item, NULL) == ERR_OK &&
	                prompt_render(generate, json_root(item), &arena, &prompt, NULL) == ERR_OK;
	if (measured)
		add_prompt(&prompt, sum);
	json_free(item);
	arena_done(&arena);
	return measured;
}

/* Looks at up to SAMPLED_ITEMS items, evenly drawn from the selection. */
static struct input_size measure_input(struct context *c, const struct wish *w)
{
	struct input_size sum = { 0 };
	struct json_doc *definition = NULL;
	uint32_t total = w->selection.count, sampled = MIN_OF(total, SAMPLED_ITEMS), seen = 0, taken = 0;
	size_t measured = 0;
	if (json_parse(w->suite->definition, &definition, NULL) != ERR_OK)
		return sum;
	const struct json *generate = json_get(json_root(definition), "generate");
	for (uint32_t i = 0; i < (uint32_t)w->suite->item_count && taken < sampled; i++) {
		if (w->selection.bitmap.len && !bits_in(w->selection.bitmap, i))
			continue;
		if (seen++ != (uint32_t)((uint64_t)taken * total / sampled))
			continue;
		taken++;
		measured += measure_item(c, w, generate, i, &sum);
	}
	json_free(definition);
	if (measured) {
		sum.bytes /= (double)measured;
		sum.messages /= (double)measured;
	}
	return sum;
}

static void write_number_or_null(struct json_write *w, const char *key, bool known, double value)
{
	json_write_key(w, key);
	if (known)
		json_write_num(w, value);
	else
		json_write_null(w);
}

static int64_t max_tokens_of(const struct wish *w)
{
	struct json_doc *doc;
	int64_t most = -1;
	if (json_parse(w->model->config, &doc, NULL) == ERR_OK) {
		most = json_i64_or(json_pointer(json_root(doc), STR("/params/max_tokens")), -1);
		json_free(doc);
	}
	if (json_parse(w->suite->definition, &doc, NULL) == ERR_OK) {
		most = json_i64_or(json_pointer(json_root(doc), STR("/generate/max_tokens")), most);
		json_free(doc);
	}
	return most;
}

static void reply_plan(struct context *c, const struct wish *w)
{
	/* Two runs on the same n items, scores 0 or 1 at worst spread, no gain from pairing: 80 % power, 5 % two-sided.
	 */
	static const double z_sum = 1.959963984540054 + 0.8416212335729143, variance = 0.5;
	double n = w->selection.count, calls = n * (double)w->epochs;
	struct input_size input = measure_input(c, w);
	/* English prose has about 3.5 bytes a token; code and other scripts up to twice as many tokens. */
	double tokens_in = calls * (input.bytes / 3.5 + TOKENS_A_MESSAGE * input.messages);
	double tokens_in_max = calls * (input.bytes / 2 + TOKENS_A_MESSAGE * input.messages);
	int64_t most = max_tokens_of(w);
	bool priced =
		w->model->price_in_nanousd_per_mtok >= 0 && w->model->price_out_nanousd_per_mtok >= 0 && most >= 0;
	double cost = tokens_in_max * (double)w->model->price_in_nanousd_per_mtok / 1e6 +
	              calls * (double)most * (double)w->model->price_out_nanousd_per_mtok / 1e6;
	struct json_write *j = reply_json(c, 200);
	json_write_object(j);
	json_write_field_c(j, "schema", "assay.plan.v1");
	json_write_field_str(j, "suite", w->suite->name);
	json_write_field_i64(j, "suite_version", w->suite->version);
	json_write_field_str(j, "model", w->model->name);
	json_write_field_i64(j, "n", w->selection.count);
	json_write_field_i64(j, "epochs", w->epochs);
	json_write_field_i64(j, "calls", (int64_t)calls);
	json_write_field_i64(j, "tokens_in_estimate", (int64_t)tokens_in);
	json_write_field_i64(j, "tokens_in_max", (int64_t)tokens_in_max);
	write_number_or_null(j, "tokens_out_max", most >= 0, calls * (double)most);
	write_number_or_null(j, "cost_nanousd_max", priced, floor(cost));
	double smallest = n >= 2 ? z_sum * sqrt(variance / n) : INFINITY;
	write_number_or_null(j, "smallest_difference", smallest < 1, smallest); /* null: too few items to see any */
	json_write_field_i64(j, "connected_workers", (int64_t)w->able.connected);
	json_write_field_i64(j, "able_workers", (int64_t)w->able.able);
	json_write_key(j, "warnings");
	json_write_array(j);
	if (w->able.connected == 0)
		json_write_c(j, "no worker is connected");
	else if (w->able.able == 0)
		json_write_str(j, w->able.why_not);
	if (!priced)
		json_write_c(j, "the cost is not known: the model has no price_per_mtok, or nothing limits max_tokens");
	json_write_array_end(j);
	json_write_object_end(j);
}

/* ---- making it ---- */

static enum err_code make(struct context *c, const struct wish *w, enum runs_made *ret_made, struct run_row **ret_run,
                          struct error *reterr)
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
	struct wish w = { 0 };
	struct run_row *run = NULL;
	enum runs_made made = RUNS_NEW;
	struct error e;
	enum err_code err = read_wish(c, &w, &e);
	if (err == ERR_OK && w.dry_run) {
		reply_plan(c, &w);
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
