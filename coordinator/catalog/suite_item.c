#include "coordinator/catalog/suite_item.h"
#include "common/base/json_write.h"
#include "common/base/prompt.h"
#include "common/base/unicode.h"
#include "coordinator/catalog/item_choices.h"
#include "coordinator/catalog/item_column.h"
#include "coordinator/catalog/words.h"
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { CONTENT_BYTES_MAX = 32 << 20, EXCERPT_BYTES = 80 };

/* Sorted by bytes, so that writing them in this order is canonical. */
static const char *const content_keys[] = { "choices", "files", "input", "metadata", "target", "tools", "vars" };
static const char *const item_keys[] = { "id",    "input", "target", "choices", "vars", "metadata",
	                                 "tools", "files", "weight", "source",  NULL };
static const char *const source_keys[] = { "kind", "trace_id", "date", "licence", NULL };
const char *const suite_provenances[] = { "production", "representative", "synthetic", "external", NULL };

struct reader {
	const char *name;
	struct str line;
	uint64_t line_no;
	const struct suite_item_rules *rules;
	struct arena *arena;
	const struct json *root;
	struct error *reterr;
};

static enum err_code bad_at(struct reader *r, size_t column, const char *text)
{
	return error_set(r->reterr, ERR_INVALID, "%s:%llu:%zu: %s", r->name, (unsigned long long)r->line_no, column,
	                 text);
}

/* Every message begins with the member that it is about: there it points. */
PRINTF_LIKE(2, 3)
static enum err_code bad(struct reader *r, const char *format, ...)
{
	char text[ERROR_TEXT_BYTES_MAX];
	va_list args;
	va_start(args, format);
	int len = vsnprintf(text, sizeof(text), format, args); /* a cut text is still a text */
	va_end(args);
	if (len < 0)
		text[0] = '\0';
	return bad_at(r, item_column_of_message(r->line, str_from(text)), text);
}

static enum err_code wrong_kind(struct reader *r, const char *field, const char *wanted, const struct json *v)
{
	return bad(r, "%s must be %s, not %s", field, wanted, json_kind_name(json_kind(v)));
}

static enum err_code no_memory(struct reader *r)
{
	return error_set(r->reterr, ERR_LIMIT, "%s:%llu: the items do not fit into memory", r->name,
	                 (unsigned long long)r->line_no);
}

static enum err_code keep(struct reader *r, struct str s, struct str *ret_copy)
{
	char *copy = arena_try_alloc(r->arena, s.len + 1, 1);
	if (!copy)
		return no_memory(r);
	if (s.len)
		memcpy(copy, s.data, s.len);
	copy[s.len] = '\0';
	*ret_copy = str_make(copy, s.len);
	return ERR_OK;
}

/* ---- the line ---- */

/* json_parse says "line 1, column 7: ..."; a line of JSONL has a line number of its own. */
static enum err_code fail_syntax(struct reader *r, enum err_code code, const struct error *error)
{
	struct str text = str_from(error->text), prefix = STR("line 1, column ");
	unsigned long long line = r->line_no;
	if (code != ERR_INVALID && code != ERR_LIMIT)
		return error_set(r->reterr, code, "%s:%llu: %s", r->name, line, error->text);
	if (!str_starts(text, prefix))
		return error_set(r->reterr, code, "%s:%llu: %s", r->name, line, error->text);
	return error_set(r->reterr, code, "%s:%llu:%s", r->name, line, error->text + prefix.len);
}

static enum err_code check_bytes(struct reader *r, struct str line)
{
	unsigned long long number = r->line_no;
	if (r->line_no == 1 && str_starts(line, STR("\xEF\xBB\xBF")))
		return error_set(r->reterr, ERR_INVALID,
		                 "%s:1:1: the file starts with a byte order mark; save it without", r->name);
	size_t bad_at = unicode_bad_at(line);
	if (bad_at < line.len)
		return error_set(r->reterr, ERR_INVALID, "%s:%llu:%zu: not valid UTF-8", r->name, number,
		                 unicode_length(str_slice(line, 0, bad_at)) + 1);
	const char *nul = line.len ? memchr(line.data, '\0', line.len) : NULL;
	if (nul)
		return error_set(r->reterr, ERR_INVALID, "%s:%llu:%zu: a NUL byte", r->name, number,
		                 unicode_length(str_slice(line, 0, (size_t)(nul - line.data))) + 1);
	return ERR_OK;
}

/* In values: a key with NUL is no JSON to the parser. */
static bool holds_nul(const struct json *v)
{
	struct str text;
	if (json_str(v, &text))
		return text.len && memchr(text.data, '\0', text.len);
	for (size_t i = 0; json_kind(v) == JSON_ARRAY && i < json_len(v); i++)
		if (holds_nul(json_at(v, i)))
			return true;
	for (struct json_iter it = { 0 }; json_next(v, &it);)
		if (holds_nul(it.value))
			return true;
	return false;
}

static enum err_code only_keys(struct reader *r, const struct json *object, const char *in, const char *const *known)
{
	for (struct json_iter it = { 0 }; json_next(object, &it);) {
		char shown[EXCERPT_BYTES], advice[WORDS_ADVICE_BYTES], text[ERROR_TEXT_BYTES_MAX];
		(void)unicode_excerpt(it.key, shown, sizeof(shown));
		if (!words_has(known, it.key)) {
			(void)snprintf(text, sizeof(text), "unknown key '%s'%s%s%s", shown, in ? " in " : "",
			               in ? in : "",
			               words_advice(known, it.key, advice)); /* a cut text is still a text */
			return bad_at(r, item_column(r->line, in ? str_from(in) : it.key), text);
		}
		if (holds_nul(it.value))
			return bad(r, "%s holds U+0000, which no database takes as text", shown);
	}
	return ERR_OK;
}

/* ---- members ---- */

static bool is_there(const struct json *v)
{
	return json_kind(v) != JSON_ABSENT && json_kind(v) != JSON_NULL;
}

static bool has_control(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.data[i] < 0x20 || s.data[i] == 0x7F)
			return true;
	return false;
}

static enum err_code read_id(struct reader *r, struct suite_item *item)
{
	const struct json *v = json_get(r->root, "id");
	struct str id;
	if (!json_str(v, &id))
		return json_kind(v) == JSON_ABSENT ? bad(r, "id is missing") : wrong_kind(r, "id", "text", v);
	if (str_trim(id).len == 0)
		return bad(r, "id is empty");
	if (id.len > SUITE_ITEM_ID_BYTES_MAX)
		return bad(r, "id is %zu bytes long, over %d", id.len, SUITE_ITEM_ID_BYTES_MAX);
	if (has_control(id))
		return bad(r, "id holds a control character");
	return keep(r, id, &item->id);
}

static enum err_code check_form(struct reader *r)
{
	static const struct {
		const char *key;
		enum json_kind kind;
		const char *wanted;
	} forms[] = {
		{ "vars", JSON_OBJECT, "an object" },
		{ "metadata", JSON_OBJECT, "an object" },
		{ "tools", JSON_ARRAY, "an array" },
		{ "files", JSON_ARRAY, "an array" },
	};
	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		const struct json *v = json_get(r->root, forms[i].key);
		if (is_there(v) && json_kind(v) != forms[i].kind)
			return wrong_kind(r, forms[i].key, forms[i].wanted, v);
	}
	return ERR_OK;
}

static enum err_code check_prompt(struct reader *r, const struct suite_item *item)
{
	const struct json *input = json_get(r->root, "input"), *generate = r->rules->generate;
	char id[EXCERPT_BYTES];
	bool said_otherwise = json_get(generate, "prompt") || json_get(generate, "messages");
	enum err_code err = ERR_OK;
	if (is_there(input) || !said_otherwise)
		err = prompt_check(NULL, r->root, r->reterr); /* the form of input, whoever reads it */
	if (!err)
		err = prompt_check(generate, r->root, r->reterr);
	if (err)
		return error_wrap(r->reterr, ERR_INVALID, "%s:%llu:%zu: item '%s'", r->name,
		                  (unsigned long long)r->line_no,
		                  r->reterr ? item_column_of_message(r->line, str_from(r->reterr->text)) : 1,
		                  unicode_excerpt(item->id, id, sizeof(id)));
	return ERR_OK;
}

static enum err_code check_one_target(struct reader *r, const char *field, const struct json *v)
{
	struct str text;
	enum json_kind kind = json_kind(v);
	if (json_str(v, &text))
		return text.len ? ERR_OK : bad(r, "%s is empty: any answer would match it", field);
	if (kind != JSON_INT && kind != JSON_REAL && kind != JSON_BOOL)
		return wrong_kind(r, field, "text, a number, true or false", v);
	return ERR_OK;
}

static enum err_code check_target(struct reader *r)
{
	const struct json *v = json_get(r->root, "target");
	if (!is_there(v))
		return r->rules->target_user
		               ? bad(r, "target is missing, and scorer '%s' needs one", r->rules->target_user)
		               : ERR_OK;
	if (json_kind(v) == JSON_OBJECT)
		return wrong_kind(r, "target", "text, a number, or a list of these", v);
	if (json_kind(v) != JSON_ARRAY)
		return check_one_target(r, "target", v);
	if (json_len(v) == 0)
		return bad(r, "target is an empty list");
	for (size_t i = 0; i < json_len(v); i++) {
		char field[40];
		(void)snprintf(field, sizeof(field), "target[%zu]", i); /* it fits */
		enum err_code err = check_one_target(r, field, json_at(v, i));
		if (err)
			return err;
	}
	return ERR_OK;
}

static enum err_code read_weight(struct reader *r, struct suite_item *item)
{
	const struct json *v = json_get(r->root, "weight");
	item->weight = 1;
	if (!is_there(v))
		return ERR_OK;
	if (!json_num(v, &item->weight))
		return wrong_kind(r, "weight", "a number", v);
	if (!isfinite(item->weight) || item->weight < 0)
		return bad(r, "weight must be a finite number of at least 0, not %g", item->weight);
	return ERR_OK;
}

static bool is_date(struct str s)
{
	static const char form[] = "0000-00-00";
	if (s.len < sizeof(form) - 1)
		return false;
	for (size_t i = 0; i < sizeof(form) - 1; i++)
		if (form[i] == '-' ? s.data[i] != '-' : s.data[i] < '0' || s.data[i] > '9')
			return false;
	return s.len == sizeof(form) - 1 || s.data[sizeof(form) - 1] == 'T';
}

static enum err_code read_source(struct reader *r, struct suite_item *item)
{
	const struct json *v = json_get(r->root, "source"), *date = json_get(v, "date");
	struct str kind, text;
	item->provenance = r->rules->provenance;
	if (!is_there(v))
		return ERR_OK;
	if (json_kind(v) != JSON_OBJECT)
		return wrong_kind(r, "source", "an object", v);
	enum err_code err = only_keys(r, v, "source", source_keys);
	if (err)
		return err;
	if (!json_str(json_get(v, "kind"), &kind) || !words_has(suite_provenances, kind))
		return bad(r, "source.kind must be production, representative, synthetic or external");
	err = keep(r, kind, &item->provenance);
	if (err)
		return err;
	for (size_t i = 1; source_keys[i]; i++)
		if (is_there(json_get(v, source_keys[i])) && !json_str(json_get(v, source_keys[i]), &text))
			return bad(r, "source.%s must be text", source_keys[i]);
	if (json_str(date, &text) && !is_date(text))
		return bad(r, "source.date must be written 2026-01-31");
	struct buf canonical;
	buf_init(&canonical, CONTENT_BYTES_MAX);
	err = json_write_canonical(v, &canonical) ? keep(r, buf_str(&canonical), &item->source) : no_memory(r);
	buf_done(&canonical);
	return err;
}

/* A member of metadata that groups items: text, or a number or truth as text. */
static enum err_code read_label(struct reader *r, struct str key, struct str fallback, struct str *ret_label)
{
	const struct json *v = json_get_str(json_get(r->root, "metadata"), key);
	char field[EXCERPT_BYTES];
	struct str text;
	*ret_label = fallback;
	if (!is_there(v))
		return ERR_OK;
	(void)unicode_excerpt(key, field, sizeof(field));
	if (json_kind(v) == JSON_OBJECT || json_kind(v) == JSON_ARRAY)
		return bad(r, "metadata.%s must be text or a number, not %s", field, json_kind_name(json_kind(v)));
	struct buf number;
	buf_init(&number, 100);
	if (!json_str(v, &text))
		text = json_write_canonical(v, &number) ? buf_str(&number) : STR("");
	enum err_code err = ERR_OK;
	if (text.len == 0 || text.len > SUITE_ITEM_LABEL_BYTES_MAX || has_control(text))
		err = bad(r, "metadata.%s must have 1 to %d bytes and no control characters", field,
		          SUITE_ITEM_LABEL_BYTES_MAX);
	else
		err = keep(r, text, ret_label);
	buf_done(&number);
	return err;
}

static enum err_code read_labels(struct reader *r, struct suite_item *item)
{
	const struct suite_item_rules *rules = r->rules;
	struct str stratum = rules->stratum_key.len ? rules->stratum_key : STR("stratum");
	struct str cluster = rules->cluster_key.len ? rules->cluster_key : STR("cluster");
	item->split = rules->split;
	enum err_code err = read_label(r, STR("task"), rules->task, &item->task);
	if (!err)
		err = read_label(r, stratum, STR(""), &item->stratum);
	return err ? err : read_label(r, cluster, STR(""), &item->cluster);
}

static enum err_code write_content(struct reader *r, struct suite_item *item)
{
	struct buf out;
	buf_init(&out, CONTENT_BYTES_MAX);
	(void)buf_append_char(&out, '{'); /* out.failed is asked at the end */
	for (size_t i = 0; i < ARRAY_LEN(content_keys); i++) {
		const struct json *v = json_get(r->root, content_keys[i]);
		if (!is_there(v))
			continue;
		(void)buf_printf(&out, "%s\"%s\":", out.len > 1 ? "," : "", content_keys[i]);
		(void)json_write_canonical(v, &out);
	}
	(void)buf_append_char(&out, '}');
	enum err_code err = out.failed ? no_memory(r) : keep(r, buf_str(&out), &item->content);
	item->hash = hash_of(buf_str(&out));
	buf_done(&out);
	return err;
}

static enum err_code read_members(struct reader *r, struct suite_item *item)
{
	enum err_code err = only_keys(r, r->root, NULL, item_keys);
	if (!err)
		err = read_id(r, item);
	if (!err)
		err = check_form(r);
	if (!err)
		err = check_prompt(r, item);
	if (!err)
		err = check_target(r);
	char what[ERROR_TEXT_BYTES_MAX / 2];
	if (!err && !item_choices_check(r->root, r->rules, &item->choice_count, what, sizeof(what)))
		err = bad(r, "%s", what);
	if (!err)
		err = read_weight(r, item);
	if (!err)
		err = read_source(r, item);
	if (!err)
		err = read_labels(r, item);
	return err ? err : write_content(r, item);
}

enum err_code suite_item_read(struct str line, const char *name, uint64_t line_no, const struct suite_item_rules *rules,
                              struct arena *a, struct suite_item *ret_item, struct error *reterr)
{
	struct reader r = {
		.name = name, .line = line, .line_no = line_no, .rules = rules, .arena = a, .reterr = reterr
	};
	struct suite_item item = { .line = line_no };
	struct json_doc *doc;
	struct error syntax = { .text = "" };
	enum err_code err = check_bytes(&r, line);
	if (err)
		return err;
	err = json_parse(line, &doc, &syntax);
	if (err)
		return fail_syntax(&r, err, &syntax);
	r.root = json_root(doc);
	if (json_kind(r.root) == JSON_OBJECT)
		err = read_members(&r, &item);
	else
		err = bad(&r, "an item must be an object, not %s", json_kind_name(json_kind(r.root)));
	json_free(doc);
	if (err == ERR_OK)
		*ret_item = item;
	return err;
}
