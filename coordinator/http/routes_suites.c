#include "coordinator/catalog/suite.h"
#include "coordinator/http/bundle.h"
#include "coordinator/http/context.h"
#include "coordinator/store/items.h"
#include "coordinator/store/suites.h"
#include <stdio.h>

struct parts { /* what a list leaves out */
	struct suites_part *slices, *provenances;
	size_t slice_count, provenance_count;
};

static void write_parts(struct json_write *w, const char *key, const char *name, const struct suites_part *parts,
                        size_t count)
{
	json_write_key(w, key);
	json_write_array(w);
	for (size_t i = 0; i < count; i++) {
		json_write_object(w);
		json_write_field_str(w, name, parts[i].name);
		json_write_field_i64(w, "items", (int64_t)parts[i].items);
		json_write_object_end(w);
	}
	json_write_array_end(w);
}

/* The prompt and the scorers stand in `settings`, as suite.yaml said them. */
static void write_whole(struct json_write *w, const struct suite_row *s, const struct parts *parts)
{
	json_write_key(w, "settings");
	json_write_raw(w, s->definition);
	json_write_key(w, "slices");
	json_write_array(w);
	for (size_t i = 0; i < s->slice_count; i++)
		if (s->slices[i].len)
			json_write_str(w, s->slices[i]);
	json_write_array_end(w);
	write_parts(w, "slice_items", "slice", parts->slices, parts->slice_count);
	write_parts(w, "provenance", "kind", parts->provenances, parts->provenance_count);
}

/* `parts` NULL: one of a list. */
static void write_version(struct json_write *w, const struct suite_row *s, bool created, const struct parts *parts)
{
	char hex[HASH_HEX_BYTES + 1];
	hash_hex(s->hash, hex);
	json_write_object(w);
	json_write_field_c(w, "schema", "assay.suite-version.v1");
	json_write_field_str(w, "name", s->name);
	json_write_field_i64(w, "version", s->version);
	json_write_field_i64(w, "versions", s->version_count);
	json_write_field_c(w, "hash", hex);
	json_write_field_i64(w, "items", s->item_count);
	json_write_field_str(w, "task", s->task);
	json_write_key(w, "metrics");
	json_write_array(w);
	for (size_t i = 0; i < s->metric_count; i++)
		json_write_str(w, s->metrics[i]);
	json_write_array_end(w);
	context_write_time(w, "created_at", s->pushed_at_ms);
	json_write_field_bool(w, "created", created);
	if (parts)
		write_whole(w, s, parts);
	json_write_object_end(w);
}

static enum err_code read_file(void *arg, struct str name, suite_sink *sink, void *sink_arg, struct error *reterr)
{
	struct str content;
	if (!bundle_find(arg, name, &content))
		return error_set(reterr, ERR_NOT_FOUND, "'%.*s' did not come with the suite", STR_ARG(name));
	return sink(sink_arg, content, reterr);
}

static enum err_code push(struct context *c, const struct suite *s, struct suites_pushed *ret_pushed,
                          struct error *reterr)
{
	struct suites_push p = { .team_id = STORE_TEAM_DEFAULT,
		                 .name = s->name,
		                 .task = s->task,
		                 .hash = s->hash,
		                 .definition = s->definition,
		                 .metrics = s->metrics,
		                 .metric_count = s->metric_count,
		                 .item_count = s->item_count,
		                 .pushed_by = STR("api") };
	enum err_code err = suites_begin(c->store, &p, ret_pushed, reterr);
	if (err != ERR_OK || ret_pushed->existed)
		return err;
	struct suites_item *chunk = arena_new(c->arena, SUITES_CHUNK_ITEMS, sizeof(*chunk));
	for (size_t from = 0; err == ERR_OK && from < s->item_count; from += SUITES_CHUNK_ITEMS) {
		size_t count = MIN_OF(s->item_count - from, (size_t)SUITES_CHUNK_ITEMS);
		for (size_t i = 0; i < count; i++) {
			const struct suite_item *item = &s->items[from + i];
			chunk[i] = (struct suites_item){ .id = item->id,
				                         .hash = item->hash,
				                         .content = item->content,
				                         .task = item->task,
				                         .stratum = item->stratum,
				                         .cluster = item->cluster,
				                         .split = item->split,
				                         .provenance = item->provenance,
				                         .weight = item->weight };
		}
		err = suites_add(c->store, ret_pushed->suite_version_id, (uint32_t)from, chunk, count, reterr);
	}
	return err == ERR_OK ? suites_finish(c->store, ret_pushed->suite_version_id, ret_pushed, reterr) : err;
}

void route_suites_push(struct context *c)
{
	struct bundle *bundle = arena_new(c->arena, 1, sizeof(*bundle));
	struct suite *suite = NULL;
	struct suites_pushed pushed;
	struct suite_row *row = NULL;
	struct error e;
	enum err_code err = bundle_read(c->request->body, bundle, &e);
	struct suite_source source = { .read = read_file, .arg = bundle };
	if (err == ERR_OK) {
		err = suite_read(bundle->contents[0], arena_c_str(c->arena, bundle->names[0]), &source, &suite, &e);
		if (err == ERR_LIMIT || err == ERR_NOT_FOUND)
			err = e.code = ERR_INVALID; /* the file is wrong, whichever way */
	}
	if (err == ERR_OK)
		err = push(c, suite, &pushed, &e);
	if (err == ERR_OK)
		err = suites_by_id(c->store, pushed.suite_version_id, c->arena, &row, &e);
	if (err == ERR_OK && !row)
		err = error_set(&e, ERR_CONFLICT, "the suite was removed while it was pushed");
	if (err == ERR_OK)
		write_version(reply_json(c, pushed.existed ? 200 : 201), row, !pushed.existed, NULL);
	else
		reply_error(c, &e);
	suite_free(suite);
}

void route_suites_list(struct context *c)
{
	struct suite_row *rows = NULL;
	struct error e;
	size_t count = 0, limit = context_limit(c);
	if (limit == 0)
		return;
	if (suites_list(c->store, server_query(c->request, "cursor"), limit, c->arena, &rows, &count, &e) != ERR_OK) {
		reply_error(c, &e);
		return;
	}
	struct json_write *w = reply_json(c, 200);
	json_write_object(w);
	json_write_field_c(w, "schema", "assay.suites.v1");
	json_write_key(w, "items");
	json_write_array(w);
	for (size_t i = 0; i < count; i++)
		write_version(w, &rows[i], false, NULL);
	json_write_array_end(w);
	json_write_key(w, "next");
	if (count == limit)
		json_write_str(w, rows[count - 1].name);
	else
		json_write_null(w);
	json_write_object_end(w);
}

static struct suite_row *find_suite(struct context *c)
{
	struct suite_row *row = NULL;
	struct error e;
	enum err_code err = suites_find(c->store, c->match.params[0], c->arena, &row, &e);
	if (err == ERR_OK && !row)
		err = error_set(&e, ERR_NOT_FOUND, "there is no suite '%.*s'", STR_ARG(c->match.params[0]));
	if (err != ERR_OK)
		reply_error(c, &e);
	return err == ERR_OK ? row : NULL;
}

void route_suites_show(struct context *c)
{
	const struct suite_row *row = find_suite(c);
	struct parts parts = { 0 };
	struct error e;
	if (!row)
		return;
	if (suites_parts(c->store, row, c->arena, &parts.slices, &parts.slice_count, &parts.provenances,
	                 &parts.provenance_count, &e) == ERR_OK)
		write_version(reply_json(c, 200), row, false, &parts);
	else
		reply_error(c, &e);
}

void route_suites_items(struct context *c)
{
	struct item_row *rows = NULL;
	struct error e;
	uint64_t from = 0;
	size_t count = 0, limit = context_limit(c);
	struct str cursor = server_query(c->request, "cursor");
	const struct suite_row *suite = limit ? find_suite(c) : NULL;
	if (!suite)
		return;
	if (cursor.len && (!str_to_u64(cursor, &from) || from > suite->item_count)) {
		reply_problem(c, 422, "invalid", NULL, "'%.*s' is not a cursor of this list", STR_ARG(cursor));
		return;
	}
	if (from < suite->item_count && items_range(c->store, suite->suite_version_id, (uint32_t)from, (uint32_t)limit,
	                                            64 << 20, c->arena, &rows, &count, &e) != ERR_OK) {
		reply_error(c, &e);
		return;
	}
	struct json_write *w = reply_json(c, 200);
	json_write_object(w);
	json_write_field_c(w, "schema", "assay.items.v1");
	json_write_key(w, "items");
	json_write_array(w);
	for (size_t i = 0; i < count; i++) {
		char hex[HASH_HEX_BYTES + 1];
		hash_hex(rows[i].hash, hex);
		json_write_object(w);
		json_write_field_i64(w, "item_no", rows[i].item_no);
		json_write_field_str(w, "id", rows[i].id);
		json_write_field_c(w, "hash", hex);
		json_write_key(w, "content");
		json_write_raw(w, rows[i].content);
		json_write_object_end(w);
	}
	json_write_array_end(w);
	json_write_key(w, "next");
	if (from + count < suite->item_count)
		json_write_str(w, arena_printf(c->arena, "%llu", (unsigned long long)from + count));
	else
		json_write_null(w);
	json_write_object_end(w);
}
