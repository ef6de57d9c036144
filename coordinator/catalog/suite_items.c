#include "coordinator/catalog/suite_items.h"
#include "common/base/map.h"
#include "common/base/mem.h"
#include "common/base/unicode.h"
#include "coordinator/catalog/item_column.h"
#include "coordinator/catalog/lines.h"
#include <stdio.h>
#include <string.h>

enum { EXCERPT_BYTES = 80, FIELD_BYTES = 40 };

struct place { /* of an id that has been used */
	uint64_t line;
	uint32_t file;
};

struct item_files {
	struct suite_reader *r;
	const struct suite_source *source;
	struct str *names; /* of all files, holdout last */
	size_t count;
	uint64_t items_max;
	size_t cap;
	struct map ids;    /* id -> struct place */
	struct map slices; /* "task=..", "stratum=.." */
	bool has_weight;

	/* the file being read */
	uint32_t file;
	const char *name; /* C string of names[file] */
	struct lines lines;
	struct str line; /* the one that is being taken */
	bool stopped;    /* the error is ours, not the source's */
};

/* ---- names ---- */

static enum err_code add_name(const struct yaml_doc *doc, const struct yaml *v, const char *field, struct arena *a,
                              struct str *names, size_t *count, struct error *reterr)
{
	char shown[EXCERPT_BYTES];
	struct str name;
	enum err_code err = yaml_want_str(doc, v, field, &name, reterr);
	if (err)
		return err;
	if (name.len == 0 || memchr(name.data, '\n', name.len))
		return yaml_fail(doc, v, reterr, "%s must be the name of a file", field);
	for (size_t i = 0; i < *count; i++)
		if (str_eq(names[i], name))
			return yaml_fail(doc, v, reterr, "%s: the file %s is named twice", field,
			                 unicode_excerpt(name, shown, sizeof(shown)));
	char *copy = arena_try_alloc(a, name.len + 1, 1);
	if (!copy)
		return error_set(reterr, ERR_LIMIT, "%s: the names of files do not fit into memory", yaml_name(doc));
	memcpy(copy, name.data, name.len);
	copy[name.len] = '\0';
	names[(*count)++] = str_make(copy, name.len);
	return ERR_OK;
}

enum err_code suite_items_files(const struct yaml_doc *doc, struct arena *a, struct str **ret_names, size_t *ret_count,
                                struct error *reterr)
{
	const struct yaml *list = yaml_get(yaml_root(doc), "items"), *holdout = yaml_get(yaml_root(doc), "holdout");
	size_t count = 0;
	enum err_code err = yaml_want_list(doc, list, "items", reterr);
	if (err)
		return err;
	if (list->len == 0 || list->len > SUITE_FILES_MAX)
		return yaml_fail(doc, list, reterr, "items must name 1 to %d files, not %zu", SUITE_FILES_MAX,
		                 list->len);
	struct str *names = arena_try_alloc(a, list->len + 1, sizeof(*names));
	if (!names)
		return error_set(reterr, ERR_LIMIT, "%s: the names of files do not fit into memory", yaml_name(doc));
	for (size_t i = 0; i < list->len && !err; i++) {
		char field[FIELD_BYTES];
		(void)snprintf(field, sizeof(field), "items[%zu]", i); /* it fits */
		err = add_name(doc, list->items[i], field, a, names, &count, reterr);
	}
	if (!err && holdout)
		err = add_name(doc, yaml_get(holdout, "file"), "holdout.file", a, names, &count, reterr);
	if (err)
		return err;
	*ret_names = names;
	*ret_count = count;
	return ERR_OK;
}

/* ---- lines ---- */

static enum err_code note_slice(struct item_files *f, const char *dimension, struct str label, uint64_t line_no,
                                struct error *reterr)
{
	char key[SUITE_ITEM_LABEL_BYTES_MAX + 20];
	if (label.len == 0)
		return ERR_OK;
	int len = snprintf(key, sizeof(key), "%s=%.*s", dimension, STR_ARG(label));
	(void)map_put(&f->slices, str_make(key, (size_t)len), NULL);
	return f->slices.len <= SUITE_SLICES_MAX
	               ? ERR_OK
	               : error_set(reterr, ERR_LIMIT,
	                           "%s:%llu:%zu: over %d different tasks and strata; a stratum groups many items",
	                           f->name, (unsigned long long)line_no, item_column(f->line, STR("metadata")),
	                           SUITE_SLICES_MAX);
}

static enum err_code note_id(struct item_files *f, const struct suite_item *item, struct error *reterr)
{
	char shown[EXCERPT_BYTES];
	bool is_new;
	struct place *place = map_put(&f->ids, item->id, &is_new);
	if (!is_new)
		return error_set(reterr, ERR_INVALID, "%s:%llu:%zu: id '%s' is used already at %.*s:%llu", f->name,
		                 (unsigned long long)item->line, item_column(f->line, STR("id")),
		                 unicode_excerpt(item->id, shown, sizeof(shown)), STR_ARG(f->names[place->file]),
		                 (unsigned long long)place->line);
	*place = (struct place){ item->line, f->file };
	return ERR_OK;
}

static enum err_code take_item(struct item_files *f, const struct suite_item *item, struct error *reterr)
{
	struct suite *s = f->r->s;
	enum err_code err = note_id(f, item, reterr);
	if (!err)
		err = note_slice(f, "task", item->task, item->line, reterr);
	if (!err)
		err = note_slice(f, "stratum", item->stratum, item->line, reterr);
	if (err)
		return err;
	if (s->item_count >= f->items_max)
		return error_set(reterr, ERR_LIMIT, "%s:%llu:1: more than %llu items", f->name,
		                 (unsigned long long)item->line, (unsigned long long)f->items_max);
	mem_reserve(&s->items, &f->cap, s->item_count + 1, sizeof(*s->items));
	s->items[s->item_count++] = *item;
	f->has_weight |= item->weight > 0;
	return ERR_OK;
}

static enum err_code take_line(void *arg, uint64_t line_no, struct str line, struct error *reterr)
{
	struct item_files *f = arg;
	struct suite_item item;
	if (str_trim(line).len == 0)
		return ERR_OK;
	f->line = line;
	enum err_code err = suite_item_read(line, f->name, line_no, &f->r->rules, &f->r->s->arena, &item, reterr);
	return err ? err : take_item(f, &item, reterr);
}

static enum err_code take_chunk(void *arg, struct str chunk, struct error *reterr)
{
	struct item_files *f = arg;
	enum err_code err = lines_feed(&f->lines, chunk, reterr);
	f->stopped |= err != ERR_OK;
	return err;
}

/* ---- files ---- */

static const struct yaml *place_of(const struct yaml *root, size_t i)
{
	const struct yaml *list = yaml_get(root, "items");
	return i < list->len ? list->items[i] : yaml_get(yaml_get(root, "holdout"), "file");
}

static enum err_code read_file(struct item_files *f, const struct yaml *root, size_t i)
{
	struct suite_reader *r = f->r;
	struct error wrong = { .text = "" };
	size_t before = r->s->item_count;
	f->file = (uint32_t)i;
	f->name = f->names[i].data; /* NUL-terminated in the arena */
	r->rules.split = place_of(root, i) == yaml_get(yaml_get(root, "holdout"), "file") ? STR("holdout") : STR("dev");
	lines_init(&f->lines, f->name, take_line, f);
	enum err_code err = f->source->read(f->source->arg, f->names[i], take_chunk, f, &wrong);
	if (!err) {
		err = lines_end(&f->lines, &wrong);
		f->stopped |= err != ERR_OK;
	}
	lines_done(&f->lines);
	if (err && !f->stopped && (err == ERR_NOT_FOUND || err == ERR_DENIED))
		return yaml_fail(r->doc, place_of(root, i), r->reterr, "%s: %s", f->name, wrong.text);
	if (err)
		return error_set(r->reterr, err, "%s", wrong.text);
	if (r->s->item_count == before)
		return error_set(r->reterr, ERR_INVALID, "%s:1:1: no items in this file", f->name);
	if (str_eq_c(r->rules.split, "holdout"))
		r->s->holdout_count = r->s->item_count - before;
	return ERR_OK;
}

static enum err_code check_whole(struct item_files *f, const struct yaml *root)
{
	if (!f->has_weight)
		return yaml_fail(f->r->doc, yaml_get(root, "items"), f->r->reterr, "every item has the weight 0");
	return ERR_OK;
}

enum err_code suite_items_read(struct suite_reader *r, const struct yaml *root, const struct suite_source *source)
{
	struct item_files f = { .r = r, .source = source };
	f.items_max = source->items_max ? source->items_max : SUITE_ITEMS_MAX;
	map_init(&f.ids, sizeof(struct place));
	map_init(&f.slices, 1);
	enum err_code err = suite_items_files(r->doc, &r->s->arena, &f.names, &f.count, r->reterr);
	for (size_t i = 0; i < f.count && !err; i++)
		err = read_file(&f, root, i);
	if (!err)
		err = check_whole(&f, root);
	map_done(&f.ids);
	map_done(&f.slices);
	return err;
}
