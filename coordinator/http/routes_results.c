#include "coordinator/http/context.h"
#include "coordinator/store/items.h"
#include "coordinator/store/results.h"
#include "coordinator/store/runs.h"
#include "coordinator/store/suites.h"
#include <stdio.h>

/* Bytes that a model wrote: valid UTF-8 goes out as text, anything else is repaired by the JSON writer and said so. */
static void write_content(struct json_write *w, const char *key, struct str bytes)
{
	json_write_field_str(w, key, bytes);
}

static void write_scores(struct json_write *w, const struct result_row *r, const struct suite_row *suite, bool content)
{
	json_write_key(w, "scores");
	json_write_array(w);
	for (size_t i = 0; i < r->score_count; i++) {
		const struct result_score *s = &r->scores[i];
		json_write_object(w);
		json_write_field_str(w, "metric",
		                     s->metric < suite->metric_count ? suite->metrics[s->metric] : STR("?"));
		json_write_key(w, "value");
		if (s->has_value)
			json_write_num(w, s->value);
		else
			json_write_null(w);
		if (s->reason.len)
			json_write_field_str(w, "reason", s->reason);
		if (content && s->extracted.len)
			write_content(w, "extracted", s->extracted);
		if (content && s->explanation.len)
			write_content(w, "explanation", s->explanation);
		json_write_object_end(w);
	}
	json_write_array_end(w);
}

static void write_flags(struct json_write *w, uint32_t flags)
{
	static const struct {
		uint32_t flag;
		const char *name;
	} names[] = { { FLAG_REFUSED, "refused" },   { FLAG_TRUNCATED, "truncated" }, { FLAG_EMPTY, "empty" },
		      { FLAG_FILTERED, "filtered" }, { FLAG_REPAIRED, "repaired" },   { FLAG_AFTER_END, "after_end" } };
	json_write_key(w, "flags");
	json_write_array(w);
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (flags & names[i].flag)
			json_write_c(w, names[i].name);
	json_write_array_end(w);
}

static void write_row(struct json_write *w, const struct result_row *r, const struct suite_row *suite, bool content)
{
	json_write_object(w);
	json_write_field_str(w, "item", r->item_id);
	json_write_field_i64(w, "item_no", r->item_no);
	json_write_field_i64(w, "epoch", r->epoch);
	json_write_field_i64(w, "retry_no", r->retry_no);
	json_write_field_c(w, "outcome", outcome_name(r->outcome));
	if (r->error_class != CLASS_NONE)
		json_write_field_c(w, "error_class", error_class_name(r->error_class));
	write_flags(w, r->flags);
	write_scores(w, r, suite, content);
	json_write_field_i64(w, "tokens_in", r->tokens_in);
	json_write_field_i64(w, "tokens_cached", r->tokens_cached);
	json_write_field_i64(w, "tokens_out", r->tokens_out);
	json_write_field_i64(w, "tokens_reasoning", r->tokens_reasoning);
	json_write_key(w, "cost_nanousd");
	if (r->cost_nanousd >= 0)
		json_write_i64(w, r->cost_nanousd);
	else
		json_write_null(w);
	json_write_field_i64(w, "latency_ms", r->latency_ms);
	json_write_field_i64(w, "first_byte_ms", r->first_byte_ms);
	json_write_field_str(w, "returned_model", r->returned_model);
	json_write_field_str(w, "fingerprint", r->fingerprint);
	json_write_field_str(w, "worker", r->worker);
	context_write_time(w, "at", r->at_ms);
	if (content && r->has_transcript) {
		write_content(w, "request", r->request);
		write_content(w, "response", r->response);
		write_content(w, "answer", r->answer);
		json_write_field_str(w, "stop_reason", r->stop_reason);
		json_write_field_str(w, "request_id", r->request_id);
	}
	if (content && r->evidence.len)
		write_content(w, "evidence", r->evidence);
	json_write_object_end(w);
}

static enum err_code find_run_and_suite(struct context *c, uint64_t run_id, struct run_row **ret_run,
                                        struct suite_row **ret_suite, struct error *reterr)
{
	enum err_code err = runs_find(c->store, run_id, c->arena, ret_run, reterr);
	if (err == ERR_OK && !*ret_run)
		err = error_set(reterr, ERR_NOT_FOUND, "there is no run %llu", (unsigned long long)run_id);
	if (err == ERR_OK)
		err = suites_by_id(c->store, (*ret_run)->suite_version_id, c->arena, ret_suite, reterr);
	if (err == ERR_OK && !*ret_suite)
		err = error_set(reterr, ERR_NOT_FOUND, "the suite of run %llu is gone", (unsigned long long)run_id);
	return err;
}

/* A cursor is "item.epoch" of the last row. */
static bool read_cursor(struct context *c, struct results_cursor *ret_cursor)
{
	struct str text = server_query(c->request, "cursor"), item;
	uint64_t item_no, epoch;
	*ret_cursor = (struct results_cursor){ 0 };
	if (text.len == 0)
		return true;
	struct str rest = text;
	if (str_split(&rest, '.', &item) && str_to_u64(item, &item_no) && str_to_u64(rest, &epoch) &&
	    item_no <= UINT32_MAX && epoch <= UINT32_MAX) {
		*ret_cursor = (struct results_cursor){ .item_no = (uint32_t)item_no,
			                               .epoch = (uint32_t)epoch,
			                               .begun = true };
		return true;
	}
	reply_problem(c, 422, "invalid", NULL, "'%.*s' is not a cursor of this list", STR_ARG(text));
	return false;
}

void route_runs_results(struct context *c)
{
	struct results_cursor cursor;
	struct run_row *run = NULL;
	struct suite_row *suite = NULL;
	struct result_row *rows = NULL;
	struct error e;
	uint64_t run_id;
	size_t count = 0, limit = context_limit(c);
	if (limit == 0 || !context_run_id(c, 0, &run_id) || !read_cursor(c, &cursor))
		return;
	bool content = str_eq_c(server_query(c->request, "content"), "1");
	enum err_code err = find_run_and_suite(c, run_id, &run, &suite, &e);
	if (err == ERR_OK)
		err = results_page(c->store, run_id, content, &cursor, limit, c->arena, &rows, &count, &e);
	if (err != ERR_OK) {
		reply_error(c, &e);
		return;
	}
	struct json_write *w = reply_json(c, 200);
	json_write_object(w);
	json_write_field_c(w, "schema", "assay.results.v1");
	json_write_field_i64(w, "run", (int64_t)run_id);
	json_write_key(w, "items");
	json_write_array(w);
	for (size_t i = 0; i < count; i++)
		write_row(w, &rows[i], suite, content);
	json_write_array_end(w);
	json_write_key(w, "next");
	if (cursor.end)
		json_write_null(w);
	else
		json_write_str(w, arena_printf(c->arena, "%u.%u", cursor.item_no, cursor.epoch));
	json_write_object_end(w);
}

static void write_attempts(struct json_write *w, const struct results_item *item)
{
	json_write_key(w, "attempts");
	json_write_array(w);
	for (size_t i = 0; i < item->attempt_count; i++) {
		const struct attempt_row *a = &item->attempts[i];
		char ask[24];
		(void)snprintf(ask, sizeof(ask), "%016llx", (unsigned long long)a->ask_id);
		json_write_object(w);
		json_write_field_i64(w, "epoch", a->epoch);
		json_write_field_i64(w, "retry_no", a->retry_no);
		json_write_key(w, "ask");
		json_write_c(w, a->ask_id ? ask : NULL);
		json_write_field_c(w, "error_class", error_class_name(a->error_class));
		json_write_field_i64(w, "http_status", a->http_status);
		json_write_field_bool(w, "unheard_of", a->open);
		json_write_field_i64(w, "latency_ms", a->latency_ms);
		json_write_field_str(w, "worker", a->worker);
		json_write_field_str(w, "request_id", a->request_id);
		write_content(w, "evidence", a->evidence);
		context_write_time(w, "at", a->at_ms);
		json_write_object_end(w);
	}
	json_write_array_end(w);
}

static void reply_no_item(struct context *c, const struct run_row *run, struct str id)
{
	struct str *like = NULL;
	size_t count = 0;
	if (items_like(c->store, run->suite_version_id, id, 3, c->arena, &like, &count, NULL) != ERR_OK || count == 0)
		reply_problem(c, 404, "not_found", NULL, "suite %.*s@%d has no item '%.*s'", STR_ARG(run->suite_name),
		              (int)run->suite_version, STR_ARG(id));
	else
		reply_problem(c, 404, "not_found", NULL, "suite %.*s@%d has no item '%.*s'; there is '%.*s'",
		              STR_ARG(run->suite_name), (int)run->suite_version, STR_ARG(id), STR_ARG(like[0]));
}

void route_runs_item(struct context *c)
{
	struct run_row *run = NULL;
	struct suite_row *suite = NULL;
	struct item_row *item = NULL;
	struct results_item results = { 0 };
	struct error e;
	uint64_t run_id;
	if (!context_run_id(c, 0, &run_id))
		return;
	enum err_code err = find_run_and_suite(c, run_id, &run, &suite, &e);
	if (err == ERR_OK)
		err = items_find(c->store, run->suite_version_id, c->match.params[1], c->arena, &item, &e);
	if (err == ERR_OK && !item) {
		reply_no_item(c, run, c->match.params[1]);
		return;
	}
	if (err == ERR_OK)
		err = results_item(c->store, run_id, item->item_no, c->arena, &results, &e);
	if (err != ERR_OK) {
		reply_error(c, &e);
		return;
	}
	char hex[HASH_HEX_BYTES + 1];
	hash_hex(item->hash, hex);
	struct json_write *w = reply_json(c, 200);
	json_write_object(w);
	json_write_field_c(w, "schema", "assay.item.v1");
	json_write_field_i64(w, "run", (int64_t)run_id);
	json_write_field_str(w, "item", item->id);
	json_write_field_c(w, "hash", hex);
	json_write_key(w, "content");
	json_write_raw(w, item->content);
	json_write_key(w, "results");
	json_write_array(w);
	for (size_t i = 0; i < results.row_count; i++)
		write_row(w, &results.rows[i], suite, true);
	json_write_array_end(w);
	write_attempts(w, &results);
	json_write_object_end(w);
}
