#include "common/base/yaml.h"
#include "common/base/arena.h"
#include "common/base/check.h"
#include "common/base/mem.h"
#include "common/base/unicode.h"
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

enum { TEXT_BYTES_MAX = 16 << 20, TREE_BYTES_MAX = 256 << 20, DEPTH_MAX = 32, EXCERPT_BYTES = 80 };

struct yaml_doc {
	struct arena arena; /* everything below */
	const struct yaml *root;
	const char *name;
};

struct entry { /* one member of a collection that is still open */
	struct str key;
	uint32_t key_line, key_column;
	const struct yaml *value;
};

struct frame { /* an open collection */
	struct yaml *node;
	size_t first_entry;
	struct entry next; /* a map's member whose key has come and whose value has not */
	bool has_key;
};

struct reader {
	struct str text;
	struct yaml_doc *doc;
	struct error *reterr;
	struct entry *entries; /* of all open collections, the innermost last */
	size_t entry_count, entry_cap;
	struct frame frames[DEPTH_MAX];
	size_t depth;
	size_t line, line_start; /* a cursor over the text: the line (from 0) that starts at this byte */
};

static enum err_code fail_at(const struct reader *r, size_t line, size_t column, const char *what)
{
	return error_set(r->reterr, ERR_INVALID, "%s:%zu:%zu: %s", r->doc->name, line, column, what);
}

static enum err_code fail_at_mark(const struct reader *r, yaml_mark_t mark, const char *what)
{
	return fail_at(r, mark.line + 1, mark.column + 1, what);
}

static enum err_code no_memory(const struct reader *r)
{
	const struct arena *a = &r->doc->arena;
	if (a->budget_bytes - a->used_bytes < a->budget_bytes / 64)
		return error_set(r->reterr, ERR_LIMIT, "%s: too many values, over %d MiB once read", r->doc->name,
		                 TREE_BYTES_MAX >> 20);
	return error_set(r->reterr, ERR_NOMEM, "%s: out of memory reading %zu bytes of YAML", r->doc->name,
	                 r->text.len);
}

/* ---- places in the text ---- */

/* The bytes of the line break at `at`, which is inside the text, as libyaml counts lines; 0 when there is none. */
static size_t break_len(struct str text, size_t at)
{
	struct str rest = str_slice(text, at, text.len);
	switch (text.data[at]) {
	case '\n':
		return 1;
	case '\r':
		return str_starts(rest, STR("\r\n")) ? 2 : 1;
	case '\xC2':
		return str_starts(rest, STR("\xC2\x85")) ? 2 : 0;
	case '\xE2':
		return str_starts(rest, STR("\xE2\x80\xA8")) || str_starts(rest, STR("\xE2\x80\xA9")) ? 3 : 0;
	default:
		return 0;
	}
}

static void seek_line(struct reader *r, size_t line)
{
	for (size_t at = r->line_start; r->line < line && at < r->text.len;) {
		size_t len = break_len(r->text, at);
		at += len ? len : 1;
		if (len) {
			r->line++;
			r->line_start = at;
		}
	}
}

/* Is there a tab in the white space that this place's line begins with, up to and with this place? A mark's line is
 * never before that of an earlier one. */
static bool is_indented_by_tab(struct reader *r, yaml_mark_t mark)
{
	seek_line(r, mark.line);
	bool tab = false;
	for (size_t i = 0; r->line == mark.line && i <= mark.column && r->line_start + i < r->text.len; i++) {
		char c = r->text.data[r->line_start + i];
		if (c != ' ' && c != '\t')
			return tab && i == mark.column;
		tab |= c == '\t';
	}
	return tab;
}

static enum err_code fail_at_byte(struct reader *r, size_t at, const char *what)
{
	size_t line = 1, line_start = 0;
	for (size_t i = 0; i < at;) {
		size_t len = break_len(r->text, i);
		i += len ? len : 1;
		if (len) {
			line++;
			line_start = i;
		}
	}
	return fail_at(r, line, unicode_length(str_slice(r->text, line_start, at)) + 1, what);
}

static enum err_code check_text(struct reader *r)
{
	if (r->text.len > TEXT_BYTES_MAX)
		return error_set(r->reterr, ERR_LIMIT, "%s: %zu bytes of YAML, at most %d MiB are read", r->doc->name,
		                 r->text.len, TEXT_BYTES_MAX >> 20);
	if (str_starts(r->text, STR("\xEF\xBB\xBF")))
		return fail_at(r, 1, 1, "the file starts with a byte order mark; save it without");
	if (str_starts(r->text, STR("\xFF\xFE")) || str_starts(r->text, STR("\xFE\xFF")))
		return fail_at(r, 1, 1, "the file is UTF-16; save it as UTF-8 without a byte order mark");
	ptrdiff_t nul = str_find_char(r->text, '\0');
	if (nul >= 0)
		return fail_at_byte(r, (size_t)nul, "a NUL byte stands here");
	size_t bad = unicode_bad_at(r->text);
	if (bad == r->text.len)
		return ERR_OK;
	char what[64];
	(void)snprintf(what, sizeof(what), "byte 0x%02x is not UTF-8", (unsigned)(unsigned char)r->text.data[bad]);
	return fail_at_byte(r, bad, what);
}

/* ---- building the tree ---- */

static struct yaml *add_node(struct reader *r, enum yaml_kind kind, yaml_mark_t mark)
{
	struct yaml *v = arena_try_alloc(&r->doc->arena, 1, sizeof(*v));
	if (v)
		*v = (struct yaml){ .kind = kind,
			            .line = (uint32_t)mark.line + 1,
			            .column = (uint32_t)mark.column + 1 };
	return v;
}

static bool add_text(struct reader *r, const yaml_event_t *event, struct str *ret_text)
{
	size_t len = event->data.scalar.length;
	char *copy = arena_try_alloc(&r->doc->arena, len + 1, 1);
	if (!copy)
		return false;
	if (len)
		memcpy(copy, event->data.scalar.value, len);
	copy[len] = '\0';
	*ret_text = (struct str){ copy, len };
	return true;
}

static bool push_entry(struct reader *r, struct entry e)
{
	if (r->entry_count == r->entry_cap) {
		size_t cap = r->entry_cap ? r->entry_cap * 2 : 64;
		struct entry *grown = mem_try_grow(r->entries, cap, sizeof(*grown));
		if (!grown)
			return false;
		r->entries = grown;
		r->entry_cap = cap;
	}
	r->entries[r->entry_count++] = e;
	return true;
}

/* A node is complete: it becomes the root or a member of the innermost open collection. */
static enum err_code attach(struct reader *r, const struct yaml *v)
{
	if (r->depth == 0) {
		r->doc->root = v;
		return ERR_OK;
	}
	struct frame *f = &r->frames[r->depth - 1];
	struct entry e = f->next;
	e.value = v;
	f->has_key = false;
	return push_entry(r, e) ? ERR_OK : no_memory(r);
}

static int by_key_then_place(const void *a, const void *b)
{
	const struct entry *x = *(const struct entry *const *)a, *y = *(const struct entry *const *)b;
	int order = str_cmp(x->key, y->key);
	return order ? order : (x > y) - (x < y);
}

static enum err_code check_unique(const struct reader *r, const struct entry *entries, size_t count)
{
	if (count < 2)
		return ERR_OK;
	const struct entry **sorted = mem_try_new(count, sizeof(void *)), *first = NULL, *again = NULL;
	if (!sorted)
		return no_memory(r);
	for (size_t i = 0; i < count; i++)
		sorted[i] = &entries[i];
	qsort(sorted, count, sizeof(void *), by_key_then_place);
	for (size_t i = 1; i < count; i++) {
		if (!str_eq(sorted[i - 1]->key, sorted[i]->key) || (again && again < sorted[i]))
			continue;
		first = sorted[i - 1];
		again = sorted[i];
	}
	mem_free(sorted);
	if (!again)
		return ERR_OK;
	char key[EXCERPT_BYTES], what[EXCERPT_BYTES + 100];
	(void)snprintf(what, sizeof(what), "the key '%s' stands here again (first at line %u, column %u)",
	               unicode_excerpt(again->key, key, sizeof(key)), first->key_line, first->key_column);
	return fail_at(r, again->key_line, again->key_column, what);
}

static bool fill_map(struct reader *r, struct yaml *v, const struct entry *entries)
{
	struct str *keys = arena_try_alloc(&r->doc->arena, v->len, sizeof(*keys));
	uint32_t *lines = arena_try_alloc(&r->doc->arena, v->len, sizeof(*lines));
	uint32_t *columns = arena_try_alloc(&r->doc->arena, v->len, sizeof(*columns));
	if (!keys || !lines || !columns)
		return false;
	for (size_t i = 0; i < v->len; i++) {
		keys[i] = entries[i].key;
		lines[i] = entries[i].key_line;
		columns[i] = entries[i].key_column;
	}
	v->keys = keys;
	v->key_lines = lines;
	v->key_columns = columns;
	return true;
}

static enum err_code close_collection(struct reader *r)
{
	struct frame *f = &r->frames[--r->depth];
	struct yaml *v = f->node;
	v->len = r->entry_count - f->first_entry;
	if (v->len > 0) {
		check(r->entries != NULL);
		const struct entry *entries = r->entries + f->first_entry;
		const struct yaml **items = arena_try_alloc(&r->doc->arena, v->len, sizeof(void *));
		if (!items || (v->kind == YAML_MAP && !fill_map(r, v, entries)))
			return no_memory(r);
		for (size_t i = 0; i < v->len; i++)
			items[i] = entries[i].value;
		v->items = items;
		enum err_code err = v->kind == YAML_MAP ? check_unique(r, entries, v->len) : ERR_OK;
		if (err != ERR_OK)
			return err;
	}
	r->entry_count = f->first_entry;
	return attach(r, v);
}

static bool wants_key(const struct reader *r)
{
	const struct frame *f = r->depth > 0 ? &r->frames[r->depth - 1] : NULL;
	return f && f->node->kind == YAML_MAP && !f->has_key;
}

static enum err_code open_collection(struct reader *r, enum yaml_kind kind, yaml_mark_t mark)
{
	if (wants_key(r))
		return fail_at_mark(r, mark,
		                    "a key must be text, not a list or a map (quote a value that begins with "
		                    "'{' or '[')");
	if (r->depth == DEPTH_MAX)
		return fail_at_mark(r, mark, "nested deeper than 32 levels");
	struct yaml *v = add_node(r, kind, mark);
	if (!v)
		return no_memory(r);
	r->frames[r->depth++] = (struct frame){ .node = v, .first_entry = r->entry_count };
	return ERR_OK;
}

static enum err_code add_scalar(struct reader *r, const yaml_event_t *event)
{
	struct str text;
	if (!add_text(r, event, &text))
		return no_memory(r);
	yaml_mark_t mark = event->start_mark;
	if (wants_key(r)) {
		struct frame *f = &r->frames[r->depth - 1];
		if (text.len == 0)
			return fail_at_mark(r, mark, "a key must not be empty");
		f->next = (struct entry){ text, (uint32_t)mark.line + 1, (uint32_t)mark.column + 1, NULL };
		f->has_key = true;
		return ERR_OK;
	}
	struct yaml *v = add_node(r, YAML_SCALAR, mark);
	if (!v)
		return no_memory(r);
	v->quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
	v->text = text;
	return attach(r, v);
}

/* ---- events ---- */

static enum err_code check_tag_and_anchor(const struct reader *r, const yaml_event_t *event, const yaml_char_t *anchor,
                                          const yaml_char_t *tag)
{
	if (anchor)
		return fail_at_mark(r, event->start_mark, "anchors (&name) are not supported, write the value out");
	if (tag)
		return fail_at_mark(r, event->start_mark,
		                    "tags (!name) are not supported, quote text that begins with '!'");
	return ERR_OK;
}

static enum err_code start_document(const struct reader *r, const yaml_event_t *event)
{
	if (r->doc->root)
		return fail_at_mark(r, event->start_mark, "a second document begins here, one is read");
	const yaml_tag_directive_t *tags = event->data.document_start.tag_directives.start;
	if (event->data.document_start.version_directive || tags != event->data.document_start.tag_directives.end)
		return fail_at_mark(r, event->start_mark, "directives (%YAML, %TAG) are not supported");
	return ERR_OK;
}

static enum err_code take_event(struct reader *r, const yaml_event_t *event)
{
	enum err_code err;
	switch (event->type) {
	case YAML_DOCUMENT_START_EVENT:
		return start_document(r, event);
	case YAML_ALIAS_EVENT:
		return fail_at_mark(r, event->start_mark,
		                    "aliases (*name) are not supported, quote text that begins "
		                    "with '*'");
	case YAML_SCALAR_EVENT:
		err = check_tag_and_anchor(r, event, event->data.scalar.anchor, event->data.scalar.tag);
		return err ? err : add_scalar(r, event);
	case YAML_SEQUENCE_START_EVENT:
		err = check_tag_and_anchor(r, event, event->data.sequence_start.anchor, event->data.sequence_start.tag);
		return err ? err : open_collection(r, YAML_LIST, event->start_mark);
	case YAML_MAPPING_START_EVENT:
		err = check_tag_and_anchor(r, event, event->data.mapping_start.anchor, event->data.mapping_start.tag);
		return err ? err : open_collection(r, YAML_MAP, event->start_mark);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		return close_collection(r);
	default: /* the stream's ends and the document's end say nothing */
		return ERR_OK;
	}
}

/* What to do about the problems that unquoted text makes. */
static const char *hint_for(const char *problem)
{
	if (strstr(problem, "mapping values are not allowed"))
		return " (quote text that has ': ' in it)";
	if (strstr(problem, "cannot start any token"))
		return " (quote text that begins with '@', '`' or '%')";
	return "";
}

static enum err_code fail_parse(struct reader *r, const yaml_parser_t *p)
{
	if (p->error == YAML_MEMORY_ERROR)
		return no_memory(r);
	const char *problem = p->problem ? p->problem : "cannot be read";
	if (p->error == YAML_READER_ERROR)
		return fail_at_byte(r, p->problem_offset, problem);
	if (is_indented_by_tab(r, p->problem_mark))
		return fail_at_mark(r, p->problem_mark, "indent with spaces, not tabs");
	char what[300];
	int len = snprintf(what, sizeof(what), "%s%s", problem, hint_for(problem));
	if (p->context && len > 0 && (size_t)len < sizeof(what))
		(void)snprintf(what + len, sizeof(what) - (size_t)len, " %s that began at line %zu, column %zu",
		               p->context, p->context_mark.line + 1, p->context_mark.column + 1);
	return fail_at_mark(r, p->problem_mark, what);
}

static enum err_code read_events(struct reader *r, yaml_parser_t *p)
{
	for (bool at_end = false; !at_end;) {
		yaml_event_t event;
		if (!yaml_parser_parse(p, &event))
			return fail_parse(r, p);
		enum err_code err = ERR_OK;
		if (event.type != YAML_STREAM_START_EVENT && is_indented_by_tab(r, event.start_mark))
			err = fail_at_mark(r, event.start_mark, "indent with spaces, not tabs");
		else
			err = take_event(r, &event);
		at_end = event.type == YAML_STREAM_END_EVENT;
		yaml_event_delete(&event);
		if (err != ERR_OK)
			return err;
	}
	return ERR_OK;
}

static enum err_code read_text(struct reader *r)
{
	enum err_code err = check_text(r);
	if (err != ERR_OK)
		return err;
	yaml_parser_t p;
	if (!yaml_parser_initialize(&p))
		return no_memory(r);
	yaml_parser_set_encoding(&p, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&p, (const unsigned char *)r->text.data, r->text.len);
	err = read_events(r, &p);
	yaml_parser_delete(&p);
	mem_free(r->entries);
	return err;
}

enum err_code yaml_parse(struct str text, const char *name, struct yaml_doc **ret_doc, struct error *reterr)
{
	struct yaml_doc *doc = mem_try_new(1, sizeof(*doc));
	struct str shown = str_from(name);
	if (!doc)
		return error_set(reterr, ERR_NOMEM, "%s: out of memory", name);
	arena_init(&doc->arena, TREE_BYTES_MAX);
	char *copy = arena_try_alloc(&doc->arena, shown.len + 1, 1);
	enum err_code err = ERR_NOMEM;
	if (copy) {
		memcpy(copy, name, shown.len + 1);
		doc->name = copy;
		struct reader r = { .text = text.data ? text : STR(""), .doc = doc, .reterr = reterr };
		err = read_text(&r);
	} else {
		(void)error_set(reterr, ERR_NOMEM, "%s: out of memory", name);
	}
	if (err != ERR_OK) {
		yaml_free(doc);
		return err;
	}
	*ret_doc = doc;
	return ERR_OK;
}

void yaml_free(struct yaml_doc *doc)
{
	if (!doc)
		return;
	arena_done(&doc->arena);
	mem_free(doc);
}

const struct yaml *yaml_root(const struct yaml_doc *doc)
{
	return doc ? doc->root : NULL;
}

const char *yaml_name(const struct yaml_doc *doc)
{
	return doc->name;
}
