#include "coordinator/catalog/suite.h"
#include "common/base/mem.h"
#include "coordinator/catalog/suite_items.h"
#include "coordinator/catalog/suite_parts.h"
#include "coordinator/catalog/words.h"
#include <string.h>

enum { ARENA_BYTES_MAX = 2000 << 20, DEFINITION_BYTES_MAX = 32 << 20 };
#define SCHEMA "assay.suite.v1"

static const char *const suite_keys[] = { "schema", "name",  "task",       "items",   "holdout", "generate",
	                                  "scores", "gates", "provenance", "stratum", "cluster", NULL };

/* ---- sections that are a line each ---- */

static enum err_code read_schema(const struct yaml_doc *doc, struct error *reterr)
{
	const struct yaml *root = yaml_root(doc), *schema = yaml_get(root, "schema");
	struct str text;
	if (yaml_is_null(root))
		return error_set(reterr, ERR_INVALID,
		                 "%s:1:1: the file is empty; a suite begins with 'schema: " SCHEMA "'", yaml_name(doc));
	enum err_code err = yaml_want_map(doc, root, "a suite", reterr);
	if (!err && !schema)
		return yaml_fail(doc, root, reterr, "schema is missing; a suite begins with 'schema: " SCHEMA "'");
	if (!err)
		err = yaml_want_str(doc, schema, "schema", &text, reterr);
	if (!err && !str_eq_c(text, SCHEMA))
		err = yaml_fail(doc, schema, reterr, "schema must be " SCHEMA ", not '%.*s'",
		                (int)MIN_OF(text.len, (size_t)60), text.data);
	return err;
}

static enum err_code read_name(struct suite_reader *r, const struct yaml *root)
{
	struct str text;
	const struct yaml *name = yaml_get(root, "name"), *task = yaml_get(root, "task");
	enum err_code err = yaml_want_str(r->doc, name, "name", &text, r->reterr);
	if (err)
		return err;
	if (!words_is_name(text, "._-", SUITE_NAME_BYTES_MAX))
		return yaml_fail(
			r->doc, name, r->reterr,
			"name must begin with a letter or digit and have at most %d of these, '.', '_' and '-'",
			SUITE_NAME_BYTES_MAX);
	r->s->name = arena_str(&r->s->arena, text);
	err = yaml_want_str(r->doc, task, "task", &text, r->reterr);
	if (err)
		return err;
	if (!words_is_name(text, "._-/: ", SUITE_ITEM_LABEL_BYTES_MAX))
		return yaml_fail(
			r->doc, task, r->reterr,
			"task must begin with a letter or digit and have at most %d of these and of '. _ - / :'",
			SUITE_ITEM_LABEL_BYTES_MAX);
	r->s->task = arena_str(&r->s->arena, text);
	json_write_field_c(&r->w, "schema", SCHEMA);
	json_write_field_str(&r->w, "name", r->s->name);
	json_write_field_str(&r->w, "task", r->s->task);
	return ERR_OK;
}

static enum err_code read_key(struct suite_reader *r, const struct yaml *root, const char *key, struct str *ret_key)
{
	const struct yaml *v = yaml_get(root, key);
	struct str text;
	if (!v)
		return ERR_OK;
	enum err_code err = yaml_want_str(r->doc, v, key, &text, r->reterr);
	if (!err && text.len == 0)
		err = yaml_fail(r->doc, v, r->reterr, "%s must name a member of metadata", key);
	if (err)
		return err;
	*ret_key = arena_str(&r->s->arena, text);
	json_write_field_str(&r->w, key, text);
	return ERR_OK;
}

static enum err_code read_labels(struct suite_reader *r, const struct yaml *root)
{
	const struct yaml *provenance = yaml_get(root, "provenance");
	struct str text;
	enum err_code err = ERR_OK;
	if (provenance) {
		err = suite_want_word(r, provenance, "provenance", suite_provenances, &text);
		if (err)
			return err;
		r->s->provenance = arena_str(&r->s->arena, text);
		json_write_field_str(&r->w, "provenance", text);
	}
	err = read_key(r, root, "stratum", &r->rules.stratum_key);
	return err ? err : read_key(r, root, "cluster", &r->rules.cluster_key);
}

static enum err_code read_holdout(struct suite_reader *r, const struct yaml *v)
{
	static const char *const keys[] = { "file", "releases", NULL };
	int64_t releases = 20;
	struct str file;
	enum err_code err = yaml_only_keys(r->doc, v, "holdout", keys, r->reterr);
	if (!err)
		err = yaml_want_str(r->doc, yaml_get(v, "file"), "holdout.file", &file, r->reterr);
	if (!err && yaml_get(v, "releases"))
		err = yaml_want_i64(r->doc, yaml_get(v, "releases"), "holdout.releases", 1, 1000000, &releases,
		                    r->reterr);
	if (err)
		return err;
	r->s->has_holdout = true;
	r->s->holdout_releases = (uint32_t)releases;
	json_write_object(&r->w);
	json_write_field_i64(&r->w, "releases", releases);
	json_write_object_end(&r->w);
	return ERR_OK;
}

static enum err_code read_settings(struct suite_reader *r, const struct yaml *root)
{
	json_write_object(&r->w);
	enum err_code err = yaml_only_keys(r->doc, root, "", suite_keys, r->reterr);
	if (!err)
		err = read_name(r, root);
	if (!err)
		err = read_labels(r, root);
	if (err)
		return err;
	json_write_key(&r->w, "generate");
	err = suite_generate_read(r, yaml_get(root, "generate"));
	if (err)
		return err;
	json_write_key(&r->w, "scores");
	err = suite_scores_read(r, yaml_get(root, "scores"));
	if (!err && yaml_get(root, "gates")) {
		json_write_key(&r->w, "gates");
		err = suite_gates_read(r, yaml_get(root, "gates"));
	}
	if (!err && yaml_get(root, "holdout")) {
		json_write_key(&r->w, "holdout");
		err = read_holdout(r, yaml_get(root, "holdout"));
	}
	if (!err)
		json_write_object_end(&r->w);
	return err;
}

/* ---- all of it ---- */

/* The definition as it is kept, and as a document whose `generate` the items are held against. */
static enum err_code canonicalize(struct suite_reader *r, struct str written, struct json_doc **ret_doc)
{
	struct buf canonical;
	enum err_code err = json_parse(written, ret_doc, r->reterr);
	if (err)
		return error_wrap(r->reterr, err, "%s: the definition", yaml_name(r->doc));
	buf_init(&canonical, DEFINITION_BYTES_MAX);
	char *copy = NULL;
	if (json_write_canonical(json_root(*ret_doc), &canonical))
		copy = arena_try_alloc(&r->s->arena, canonical.len + 1, 1);
	if (copy)
		memcpy(copy, canonical.data, canonical.len + 1);
	r->s->definition = str_make(copy, copy ? canonical.len : 0);
	if (!copy)
		err = error_set(r->reterr, ERR_LIMIT, "%s: the definition is too long", yaml_name(r->doc));
	buf_done(&canonical);
	if (err)
		json_free(*ret_doc);
	return err;
}

static void add_item_to_hash(struct hash_stream *h, const struct suite_item *item, struct buf *scratch)
{
	struct json_write w;
	buf_clear(scratch);
	json_write_init(&w, scratch, false);
	json_write_object(&w);
	if (item->source.len) {
		json_write_key(&w, "source");
		json_write_raw(&w, item->source);
	}
	json_write_field_str(&w, "split", item->split);
	json_write_field_num(&w, "weight", item->weight);
	json_write_object_end(&w);
	hash_add(h, item->id);
	hash_add(h, str_make(item->hash.bytes, sizeof(item->hash.bytes)));
	hash_add(h, buf_str(scratch));
}

static enum err_code hash_version(struct suite *s, const char *name, struct error *reterr)
{
	struct hash_stream h;
	struct buf scratch;
	buf_init(&scratch, DEFINITION_BYTES_MAX * 2);
	hash_begin(&h);
	hash_add(&h, s->definition);
	for (size_t i = 0; i < s->item_count; i++)
		add_item_to_hash(&h, &s->items[i], &scratch);
	s->hash = hash_end(&h);
	bool failed = scratch.failed;
	buf_done(&scratch);
	return failed ? error_set(reterr, ERR_NOMEM, "%s: out of memory", name) : ERR_OK;
}

static enum err_code read_all(struct suite_reader *r, const struct suite_source *source)
{
	const struct yaml *root = yaml_root(r->doc);
	struct buf written;
	struct json_doc *definition = NULL;
	buf_init(&written, DEFINITION_BYTES_MAX);
	json_write_init(&r->w, &written, false);
	enum err_code err = read_schema(r->doc, r->reterr);
	if (!err)
		err = read_settings(r, root);
	if (!err && written.failed)
		err = error_set(r->reterr, ERR_LIMIT, "%s: the definition is too long", yaml_name(r->doc));
	if (!err)
		err = canonicalize(r, buf_str(&written), &definition);
	buf_done(&written);
	if (err)
		return err;
	r->rules.generate = json_get(json_root(definition), "generate");
	r->rules.task = r->s->task;
	r->rules.provenance = r->s->provenance;
	err = suite_items_read(r, root, source);
	json_free(definition);
	return err ? err : hash_version(r->s, yaml_name(r->doc), r->reterr);
}

enum err_code suite_read(struct str yaml, const char *name, const struct suite_source *source, struct suite **ret_suite,
                         struct error *reterr)
{
	struct yaml_doc *doc;
	enum err_code err = yaml_parse(yaml, name, &doc, reterr);
	if (err)
		return err;
	struct suite *s = mem_new(1, sizeof(*s));
	arena_init(&s->arena, ARENA_BYTES_MAX);
	struct suite_reader r = { .doc = doc, .s = s, .reterr = reterr };
	err = read_all(&r, source);
	yaml_free(doc);
	if (err)
		suite_free(s);
	else
		*ret_suite = s;
	return err;
}

void suite_free(struct suite *s)
{
	if (!s)
		return;
	mem_free(s->items);
	arena_done(&s->arena);
	mem_free(s);
}

enum err_code suite_files(struct str yaml, const char *name, struct arena *a, struct str **ret_names, size_t *ret_count,
                          struct error *reterr)
{
	struct yaml_doc *doc;
	enum err_code err = yaml_parse(yaml, name, &doc, reterr);
	if (err)
		return err;
	err = read_schema(doc, reterr);
	if (!err)
		err = suite_items_files(doc, a, ret_names, ret_count, reterr);
	yaml_free(doc);
	return err;
}
