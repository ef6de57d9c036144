#include "coordinator/analysis/run_samples.h"
#include "common/base/bits.h"
#include "common/base/json.h"
#include "coordinator/store/items.h"
#include "coordinator/store/results.h"

enum { PAGE_ITEMS = 20000, PAGE_SCORES = 50000, CHANCE_ITEMS = 200, CHANCE_BYTES = 4 << 20 };

struct reading {
	struct store *store;
	struct arena *arena;
	struct run_samples *rs;
	uint32_t *place; /* item_no -> index in samples, or UINT32_MAX when the run does not have it */
	size_t dimensions[2];
};

static bool selected(const struct run_row *run, uint32_t item_no)
{
	return run->selection.len == 0 || bits_in(run->selection, item_no);
}

static enum err_code number_items(struct reading *r, struct error *reterr)
{
	const struct run_row *run = r->rs->run;
	uint32_t count = 0;
	r->place = arena_try_alloc(r->arena, (size_t)run->item_count + 1, sizeof(*r->place));
	if (!r->place)
		return error_set(reterr, ERR_LIMIT, "run %llu is too large to be read",
		                 (unsigned long long)run->run_id);
	for (uint32_t i = 0; i < run->item_count; i++)
		r->place[i] = selected(run, i) ? count++ : UINT32_MAX;
	return samples_init(&r->rs->samples, r->arena, count, run->epochs, reterr);
}

/* Blind guessing among the choices, when every item that is looked at has the same number of them. */
static struct number chance_of_choices(struct reading *r)
{
	struct arena arena;
	struct item_row *rows = NULL;
	size_t count = 0, choices = 0;
	bool same = true;
	arena_init(&arena, 64 << 20);
	if (items_range(r->store, r->rs->run->suite_version_id, 0, CHANCE_ITEMS, CHANCE_BYTES, &arena, &rows, &count,
	                NULL) != ERR_OK)
		count = 0;
	for (size_t i = 0; i < count && same; i++) {
		struct json_doc *doc;
		if (json_parse(rows[i].content, &doc, NULL) != ERR_OK)
			break;
		size_t n = json_len(json_get(json_root(doc), "choices"));
		same = n > 1 && (choices == 0 || n == choices);
		choices = n;
		json_free(doc);
	}
	arena_done(&arena);
	return same && choices > 1 ? number_of(1.0 / (double)choices) : number_none();
}

static enum err_code add_metrics(struct reading *r, struct error *reterr)
{
	const struct suite_row *suite = r->rs->suite;
	struct json_doc *doc = NULL;
	enum err_code err = json_parse(suite->definition, &doc, reterr);
	const struct json *scores = err == ERR_OK ? json_get(json_root(doc), "scores") : NULL;
	for (size_t i = 0; err == ERR_OK && i < suite->metric_count; i++) {
		const struct json *score = json_at(scores, i), *range = json_get(score, "range");
		double value, low = 0, high = 1;
		struct number chance = number_none();
		if (json_num(json_get(score, "chance"), &value))
			chance = number_of(value);
		else if (str_eq_c(json_str_or(json_get(score, "type"), STR("")), "choice"))
			chance = chance_of_choices(r);
		if (json_len(range) == 2) {
			low = json_num_or(json_at(range, 0), 0);
			high = json_num_or(json_at(range, 1), 1);
		}
		size_t metric;
		err = samples_add_metric(&r->rs->samples, suite->metrics[i], chance, interval_of(low, high), &metric,
		                         reterr);
	}
	json_free(doc);
	return err;
}

static enum err_code set_item(struct reading *r, const struct item_row *row, struct error *reterr)
{
	struct samples *s = &r->rs->samples;
	uint32_t at = row->item_no < r->rs->run->item_count ? r->place[row->item_no] : UINT32_MAX;
	if (at == UINT32_MAX)
		return ERR_OK;
	enum err_code err = samples_set_item(s, at, row->id, row->hash, row->weight, reterr);
	if (err == ERR_OK)
		err = samples_set_group(s, r->dimensions[0], at, row->task, reterr);
	if (err == ERR_OK)
		err = samples_set_group(s, r->dimensions[1], at, row->stratum, reterr);
	return err == ERR_OK ? samples_set_cluster(s, at, row->cluster, reterr) : err;
}

static enum err_code read_items(struct reading *r, struct error *reterr)
{
	uint32_t total = r->rs->run->item_count;
	enum err_code err = samples_add_dimension(&r->rs->samples, STR("task"), &r->dimensions[0], reterr);
	if (err == ERR_OK)
		err = samples_add_dimension(&r->rs->samples, STR("stratum"), &r->dimensions[1], reterr);
	for (uint32_t from = 0; err == ERR_OK && from < total;) {
		struct arena page;
		struct item_row *rows = NULL;
		size_t count = 0;
		arena_init(&page, 256 << 20);
		err = items_heads(r->store, r->rs->run->suite_version_id, from, PAGE_ITEMS, &page, &rows, &count,
		                  reterr);
		if (err == ERR_OK && count == 0)
			err = error_set(reterr, ERR_CORRUPT, "item %u of suite %.*s is not there", from,
			                STR_ARG(r->rs->suite->name));
		for (size_t i = 0; err == ERR_OK && i < count; i++)
			err = set_item(r, &rows[i], reterr);
		from += (uint32_t)count;
		arena_done(&page);
	}
	return err;
}

static enum err_code set_scores(struct reading *r, size_t metric, const struct results_scores *page,
                                struct error *reterr)
{
	struct samples *s = &r->rs->samples;
	enum err_code err = ERR_OK;
	for (size_t i = 0; err == ERR_OK && i < page->count; i++) {
		uint32_t at = page->item_no[i] < r->rs->run->item_count ? r->place[page->item_no[i]] : UINT32_MAX;
		if (at == UINT32_MAX || page->epoch[i] >= s->epoch_count)
			continue;
		struct samples_row row = { .item = at,
			                   .epoch = page->epoch[i],
			                   .flags = (uint8_t)page->flags[i],
			                   .tokens_in = page->tokens_in[i],
			                   .tokens_out = page->tokens_out[i],
			                   .latency_ms = page->latency_ms[i],
			                   .cost_nanousd = page->cost_nanousd[i] };
		if (metric == 0)
			err = samples_set_row(s, &row, reterr);
		enum outcome answer = page->outcome[i], own = page->score_outcome[i];
		if (err == ERR_OK)
			err = samples_set_score(s, metric, at, page->epoch[i], answer == OUTCOME_SCORED ? own : answer,
			                        page->value[i], reterr);
	}
	return err;
}

static enum err_code read_scores(struct reading *r, size_t metric, struct error *reterr)
{
	struct results_cursor cursor = { 0 };
	enum err_code err = ERR_OK;
	while (err == ERR_OK && !cursor.end) {
		struct arena arena;
		struct results_scores page = { 0 };
		arena_init(&arena, 256 << 20);
		err = results_scores(r->store, r->rs->run->run_id, (uint32_t)metric, &cursor, PAGE_SCORES, &arena,
		                     &page, reterr);
		if (err == ERR_OK)
			err = set_scores(r, metric, &page, reterr);
		arena_done(&arena);
	}
	return err;
}

enum err_code run_samples_read(struct store *s, uint64_t run_id, struct arena *arena, struct run_samples *ret_rs,
                               struct error *reterr)
{
	struct run_samples rs = { 0 };
	struct reading r = { .store = s, .arena = arena, .rs = &rs };
	enum err_code err = runs_find(s, run_id, arena, &rs.run, reterr);
	if (err == ERR_OK && !rs.run)
		err = error_set(reterr, ERR_NOT_FOUND, "there is no run %llu", (unsigned long long)run_id);
	if (err == ERR_OK)
		err = suites_by_id(s, rs.run->suite_version_id, arena, &rs.suite, reterr);
	if (err == ERR_OK && !rs.suite)
		err = error_set(reterr, ERR_NOT_FOUND, "the suite of run %llu is gone", (unsigned long long)run_id);
	if (err == ERR_OK)
		err = number_items(&r, reterr);
	if (err != ERR_OK)
		return err;
	rs.filled = true;
	err = add_metrics(&r, reterr);
	if (err == ERR_OK)
		err = read_items(&r, reterr);
	for (size_t metric = 0; err == ERR_OK && metric < rs.suite->metric_count; metric++)
		err = read_scores(&r, metric, reterr);
	if (err != ERR_OK) {
		run_samples_done(&rs);
		return err;
	}
	*ret_rs = rs;
	return ERR_OK;
}

void run_samples_done(struct run_samples *rs)
{
	if (rs->filled)
		samples_done(&rs->samples);
	rs->filled = false;
}
