#include "coordinator/http/plan.h"
#include "common/base/bits.h"
#include "common/base/prompt.h"
#include "coordinator/http/estimate.h"
#include "coordinator/store/items.h"
#include "coordinator/store/runs.h"
#include <math.h>

enum { SAMPLED_ITEMS = 200, RUNS_LOOKED_AT = 10 };

#define PROBE_SUITE "assay-probe" /* of `assay models probe` */

struct input { /* of one sample, on average over the items that were looked at */
	double bytes, tokens, messages;
	bool has_system;
};

static void add_prompt(const struct prompt *prompt, struct input *sum)
{
	sum->bytes += (double)prompt->system.len;
	sum->tokens += estimate_tokens(prompt->system);
	sum->messages += (double)prompt->message_count + (prompt->system.len > 0);
	sum->has_system = sum->has_system || prompt->system.len > 0;
	for (size_t i = 0; i < prompt->message_count; i++) {
		sum->bytes += (double)prompt->messages[i].content.len;
		sum->tokens += estimate_tokens(prompt->messages[i].content);
		sum->has_system = sum->has_system || prompt->messages[i].role == PROMPT_SYSTEM;
	}
}

/* What a model is told of one item, exactly as a worker would render it. */
static bool measure_item(struct context *c, const struct suite_row *suite, const struct json *generate,
                         uint32_t item_no, struct input *sum)
{
	struct arena arena;
	struct item_row *row = NULL;
	struct json_doc *item = NULL;
	struct prompt prompt;
	size_t count = 0;
	arena_init(&arena, 64 << 20);
	bool measured = items_range(c->store, suite->suite_version_id, item_no, 1, 16 << 20, &arena, &row, &count,
	                            NULL) == ERR_OK &&
	                count == 1 && json_parse(row->content, &item, NULL) == ERR_OK &&
	                prompt_render(generate, json_root(item), &arena, &prompt, NULL) == ERR_OK;
	if (measured)
		add_prompt(&prompt, sum);
	json_free(item);
	arena_done(&arena);
	return measured;
}

/* Looks at up to SAMPLED_ITEMS items, evenly drawn from those of the bitmap (empty: all). */
static struct input measure_input(struct context *c, const struct suite_row *suite, struct str bitmap, uint32_t total)
{
	struct input sum = { 0 };
	struct json_doc *definition = NULL;
	uint32_t sampled = MIN_OF(total, SAMPLED_ITEMS), seen = 0, taken = 0;
	size_t measured = 0;
	if (json_parse(suite->definition, &definition, NULL) != ERR_OK)
		return sum;
	const struct json *generate = json_get(json_root(definition), "generate");
	for (uint32_t i = 0; i < suite->item_count && taken < sampled; i++) {
		if (bitmap.len && !bits_in(bitmap, i))
			continue;
		if (seen++ != (uint32_t)((uint64_t)taken * total / sampled))
			continue;
		taken++;
		measured += measure_item(c, suite, generate, i, &sum);
	}
	json_free(definition);
	if (measured) {
		sum.bytes /= (double)measured;
		sum.tokens /= (double)measured;
		sum.messages /= (double)measured;
	}
	return sum;
}

struct history { /* what one call of an earlier run came to; run_id 0: there is none */
	uint64_t run_id;
	double tokens_in, tokens_out;
};

/* The newest run of this suite (a version, or any for 0) and model that has been answered for the greater part. */
static struct history find_history(struct context *c, struct str suite, int64_t suite_version_id, int32_t model_id,
                                   struct str model)
{
	struct runs_filter filter = { .suite = suite, .model = model, .state = -1, .limit = RUNS_LOOKED_AT };
	struct run_row *rows = NULL;
	struct run_sum *sums = NULL;
	uint64_t ids[RUNS_LOOKED_AT];
	size_t count = 0;
	if (runs_list(c->store, &filter, c->arena, &rows, &count, NULL) != ERR_OK || count == 0)
		return (struct history){ 0 };
	for (size_t i = 0; i < count; i++)
		ids[i] = rows[i].run_id;
	if (runs_progress(c->store, ids, count, c->arena, &sums, NULL) != ERR_OK)
		return (struct history){ 0 };
	for (size_t i = 0; i < count; i++) {
		bool fits = rows[i].model_id == model_id &&
		            (!suite_version_id || rows[i].suite_version_id == suite_version_id);
		if (fits && sums[i].tokens_in && 2 * sums[i].scored > sums[i].n)
			return (struct history){ .run_id = rows[i].run_id,
				                 .tokens_in = (double)sums[i].tokens_in / (double)sums[i].scored,
				                 .tokens_out = (double)sums[i].tokens_out / (double)sums[i].scored };
	}
	return (struct history){ 0 };
}

struct tokens { /* of one call */
	double in, in_max;
	double out; /* below 0: nothing to estimate it from */
	struct str basis;
};

/* A probe is a short text: what its count is beyond that is what the server puts around every call. */
static double template_tokens(struct context *c, const struct plan_wish *w, const struct input *input, bool hosted,
                              uint64_t *ret_probe)
{
	double assumed = estimate_template_tokens(input->messages, input->has_system, hosted);
	struct history probe = find_history(c, STR(PROBE_SUITE), 0, w->model->model_id, w->model->name);
	struct suite_row *suite = NULL;
	*ret_probe = 0;
	if (!probe.run_id || suites_find(c->store, STR(PROBE_SUITE), c->arena, &suite, NULL) != ERR_OK || !suite)
		return assumed;
	struct input said = measure_input(c, suite, STR(""), suite->item_count);
	double around = probe.tokens_in - said.tokens,
	       extra = around - estimate_template_tokens(said.messages, false, false);
	*ret_probe = probe.run_id;
	if (input->has_system) /* a system prompt of ours takes the place of the server's own */
		around -= MAX_OF(extra, 0);
	return MAX_OF(around + 4 * (input->messages - said.messages), 0);
}

static struct tokens estimate(struct context *c, const struct plan_wish *w)
{
	struct json_doc *config = NULL;
	bool hosted = json_parse(w->model->config, &config, NULL) == ERR_OK &&
	              json_kind(json_get(json_root(config), "host")) == JSON_OBJECT;
	json_free(config);
	struct input input = measure_input(c, w->suite, w->selection.bitmap, w->selection.count);
	struct history before =
		find_history(c, w->suite->name, w->suite->suite_version_id, w->model->model_id, w->model->name);
	uint64_t probe = 0;
	double around = template_tokens(c, w, &input, hosted, &probe);
	struct tokens t = { .in = input.tokens + around, .out = -1 };
	if (before.run_id) {
		t.in = before.tokens_in;
		t.out = before.tokens_out;
		t.basis = arena_printf(c->arena, "as run %llu of this suite and model used for each call",
		                       (unsigned long long)before.run_id);
	} else if (probe) {
		t.basis = arena_printf(c->arena, "from the items' text, and what probe run %llu was counted as",
		                       (unsigned long long)probe);
	} else {
		t.basis = STR("from the items' text; to know what the server adds: assay models probe");
	}
	/* The most: a vocabulary that splits the text far more than usual. */
	t.in_max = ceil(MAX_OF(MAX_OF(input.bytes / 2, 1.3 * input.tokens) + 1.5 * around, 1.1 * t.in));
	return t;
}

static void write_number_or_null(struct json_write *w, const char *key, bool known, double value)
{
	json_write_key(w, key);
	if (known)
		json_write_num(w, value);
	else
		json_write_null(w);
}

static int64_t max_tokens_of(const struct plan_wish *w)
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

static void write_tokens_and_cost(struct context *c, const struct plan_wish *w, double calls, bool *ret_priced)
{
	struct json_write *j = &c->json;
	struct tokens t = estimate(c, w);
	int64_t most = max_tokens_of(w);
	double in_price = (double)w->model->price_in_nanousd_per_mtok / 1e6,
	       out_price = (double)w->model->price_out_nanousd_per_mtok / 1e6;
	bool has_price = in_price >= 0 && out_price >= 0;
	*ret_priced = has_price && most >= 0;
	json_write_field_i64(j, "tokens_in_estimate", (int64_t)(calls * t.in + 0.5));
	json_write_field_i64(j, "tokens_in_max", (int64_t)(calls * t.in_max));
	write_number_or_null(j, "tokens_out_estimate", t.out >= 0, floor(calls * t.out + 0.5));
	write_number_or_null(j, "tokens_out_max", most >= 0, calls * (double)most);
	json_write_field_str(j, "basis", t.basis);
	write_number_or_null(j, "cost_nanousd_estimate", has_price && t.out >= 0,
	                     floor(calls * (t.in * in_price + t.out * out_price)));
	write_number_or_null(j, "cost_nanousd_max", *ret_priced,
	                     floor(calls * (t.in_max * in_price + (double)most * out_price)));
}

void plan_reply(struct context *c, const struct plan_wish *w)
{
	/* Two runs on the same n items, scores 0 or 1 at worst spread, no gain from pairing: 80 % power, 5 % two-sided.
	 */
	static const double z_sum = 1.959963984540054 + 0.8416212335729143, variance = 0.5;
	double n = w->selection.count, calls = n * (double)w->epochs;
	bool priced = false;
	struct json_write *j = reply_json(c, 200);
	json_write_object(j);
	json_write_field_c(j, "schema", "assay.plan.v1");
	json_write_field_str(j, "suite", w->suite->name);
	json_write_field_i64(j, "suite_version", w->suite->version);
	json_write_field_str(j, "model", w->model->name);
	json_write_field_i64(j, "n", w->selection.count);
	json_write_field_i64(j, "epochs", w->epochs);
	json_write_field_i64(j, "calls", (int64_t)calls);
	write_tokens_and_cost(c, w, calls, &priced);
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
