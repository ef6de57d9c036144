/* The reader's side of yaml.h: what a key wants, and how an error says it. */
#include "common/base/json_write.h"
#include "common/base/unicode.h"
#include "common/base/yaml.h"
#include <stdarg.h>
#include <stdio.h>

enum { EXCERPT_BYTES = 80, WANTED_BYTES = 120 };

const struct yaml *yaml_get(const struct yaml *map, const char *key)
{
	if (!map || map->kind != YAML_MAP)
		return NULL;
	for (size_t i = 0; i < map->len; i++)
		if (str_eq_c(map->keys[i], key))
			return map->items[i];
	return NULL;
}

bool yaml_is_null(const struct yaml *v)
{
	if (!v)
		return true;
	return v->kind == YAML_SCALAR && !v->quoted &&
	       (v->text.len == 0 || str_eq(v->text, STR("~")) || str_eq(v->text, STR("null")));
}

/* ---- errors ---- */

enum err_code yaml_fail(const struct yaml_doc *doc, const struct yaml *v, struct error *reterr, const char *format, ...)
{
	char text[ERROR_TEXT_BYTES_MAX];
	va_list args;
	va_start(args, format);
	int len = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (len < 0)
		text[0] = '\0';
	if (!v)
		return error_set(reterr, ERR_INVALID, "%s: %s", yaml_name(doc), text);
	return error_set(reterr, ERR_INVALID, "%s:%u:%u: %s", yaml_name(doc), v->line, v->column, text);
}

static enum err_code refuse(const struct yaml_doc *doc, const struct yaml *v, const char *field, const char *wanted,
                            struct error *reterr)
{
	char text[EXCERPT_BYTES];
	if (!v)
		return yaml_fail(doc, v, reterr, "%s is missing, it must be %s", field, wanted);
	if (v->kind == YAML_LIST || v->kind == YAML_MAP)
		return yaml_fail(doc, v, reterr, "%s must be %s, not a %s", field, wanted,
		                 v->kind == YAML_LIST ? "list" : "map");
	if (v->text.len == 0 && !v->quoted)
		return yaml_fail(doc, v, reterr, "%s must be %s, but nothing stands here", field, wanted);
	return yaml_fail(doc, v, reterr, v->quoted ? "%s must be %s, not the text \"%s\"" : "%s must be %s, not '%s'",
	                 field, wanted, unicode_excerpt(v->text, text, sizeof(text)));
}

static const char *nearest(struct str key, const char *const *known)
{
	const char *best = NULL;
	unsigned limit = (unsigned)MAX_OF(key.len / 3, (size_t)1) + 1; /* so many edits are too many */
	for (; *known; known++) {
		unsigned distance = str_distance(key, str_from(*known));
		if (distance >= limit)
			continue;
		limit = distance;
		best = *known;
	}
	return best;
}

static enum err_code refuse_key(const struct yaml_doc *doc, const struct yaml *map, size_t i, const char *field,
                                const char *const *known, struct error *reterr)
{
	char key[EXCERPT_BYTES], list[400] = "";
	struct yaml place = { .line = map->key_lines[i], .column = map->key_columns[i] };
	bool named = field && *field;
	(void)unicode_excerpt(map->keys[i], key, sizeof(key));
	const char *near = nearest(map->keys[i], known);
	if (near)
		return yaml_fail(doc, &place, reterr, "unknown key '%s'%s%s; did you mean '%s'?", key,
		                 named ? " in " : "", named ? field : "", near);
	size_t len = 0;
	for (; *known && len < sizeof(list); known++)
		len += (size_t)snprintf(list + len, sizeof(list) - len, "%s%s", len ? ", " : "", *known);
	return yaml_fail(doc, &place, reterr, "unknown key '%s'%s%s; known are: %s%s", key, named ? " in " : "",
	                 named ? field : "", list, len < sizeof(list) ? "" : "...");
}

enum err_code yaml_only_keys(const struct yaml_doc *doc, const struct yaml *map, const char *field,
                             const char *const *known, struct error *reterr)
{
	enum err_code err = yaml_want_map(doc, map, field && *field ? field : "the document", reterr);
	if (err != ERR_OK)
		return err;
	for (size_t i = 0; i < map->len; i++) {
		const char *const *at = known;
		while (*at && !str_eq_c(map->keys[i], *at))
			at++;
		if (!*at)
			return refuse_key(doc, map, i, field, known, reterr);
	}
	return ERR_OK;
}

/* ---- typed values ---- */

enum err_code yaml_want_map(const struct yaml_doc *doc, const struct yaml *v, const char *field, struct error *reterr)
{
	return v && v->kind == YAML_MAP ? ERR_OK : refuse(doc, v, field, "a map (key: value)", reterr);
}

enum err_code yaml_want_list(const struct yaml_doc *doc, const struct yaml *v, const char *field, struct error *reterr)
{
	return v && v->kind == YAML_LIST ? ERR_OK : refuse(doc, v, field, "a list", reterr);
}

enum err_code yaml_want_str(const struct yaml_doc *doc, const struct yaml *v, const char *field, struct str *ret_value,
                            struct error *reterr)
{
	if (!v || v->kind != YAML_SCALAR || yaml_is_null(v))
		return refuse(doc, v, field, "text", reterr);
	*ret_value = v->text;
	return ERR_OK;
}

static bool plain_text(const struct yaml *v, struct str *ret_text)
{
	if (!v || v->kind != YAML_SCALAR || v->quoted)
		return false;
	*ret_text = v->text;
	return true;
}

static struct str without_plus(struct str s)
{
	bool plus = s.len > 1 && s.data[0] == '+' && s.data[1] != '-';
	return plus ? str_slice(s, 1, s.len) : s;
}

enum err_code yaml_want_i64(const struct yaml_doc *doc, const struct yaml *v, const char *field, int64_t min,
                            int64_t max, int64_t *ret_value, struct error *reterr)
{
	struct str text;
	int64_t value;
	if (plain_text(v, &text) && str_to_i64(without_plus(text), &value) && value >= min && value <= max) {
		*ret_value = value;
		return ERR_OK;
	}
	char wanted[WANTED_BYTES];
	if (min == INT64_MIN && max == INT64_MAX)
		(void)snprintf(wanted, sizeof(wanted), "an integer");
	else if (max == INT64_MAX)
		(void)snprintf(wanted, sizeof(wanted), "an integer of at least %lld", (long long)min);
	else
		(void)snprintf(wanted, sizeof(wanted), "an integer from %lld to %lld", (long long)min, (long long)max);
	return refuse(doc, v, field, wanted, reterr);
}

enum err_code yaml_want_num(const struct yaml_doc *doc, const struct yaml *v, const char *field, double min, double max,
                            double *ret_value, struct error *reterr)
{
	struct str text;
	double value;
	if (plain_text(v, &text) && str_to_double(text, &value) && value >= min && value <= max) {
		*ret_value = value;
		return ERR_OK;
	}
	char wanted[WANTED_BYTES];
	if (min <= -1e300 && max >= 1e300)
		(void)snprintf(wanted, sizeof(wanted), "a number");
	else if (max >= 1e300)
		(void)snprintf(wanted, sizeof(wanted), "a number of at least %.6g", min);
	else
		(void)snprintf(wanted, sizeof(wanted), "a number from %.6g to %.6g", min, max);
	return refuse(doc, v, field, wanted, reterr);
}

enum err_code yaml_want_bool(const struct yaml_doc *doc, const struct yaml *v, const char *field, bool *ret_value,
                             struct error *reterr)
{
	struct str text;
	bool yes = plain_text(v, &text) && str_eq(text, STR("true"));
	if (!yes && !(plain_text(v, &text) && str_eq(text, STR("false"))))
		return refuse(doc, v, field, "true or false", reterr);
	*ret_value = yes;
	return ERR_OK;
}

/* ---- as JSON ---- */

static bool is_one_of(struct str s, const char *const words[3])
{
	return str_eq_c(s, words[0]) || str_eq_c(s, words[1]) || str_eq_c(s, words[2]);
}

static size_t digits_at(struct str s, size_t at)
{
	size_t from = at;
	while (at < s.len && s.data[at] >= '0' && s.data[at] <= '9')
		at++;
	return at - from;
}

/* [-+]? [0-9]+, written exactly, however long */
static bool write_decimal(struct json_write *w, struct str s)
{
	bool negative = s.len > 0 && s.data[0] == '-';
	size_t at = negative || (s.len > 0 && s.data[0] == '+');
	if (at == s.len || digits_at(s, at) != s.len - at)
		return false;
	while (at + 1 < s.len && s.data[at] == '0')
		at++;
	int64_t small;
	struct str digits = str_slice(s, at, s.len);
	if (str_to_i64(digits, &small)) {
		json_write_i64(w, negative ? -small : small);
	} else {
		json_write_raw(w, negative ? STR("-") : STR(""));
		(void)buf_append_str(w->out, digits); /* w->out->failed is asked at the end */
	}
	return true;
}

/* 0o[0-7]+ | 0x[0-9a-fA-F]+ */
static bool write_octal_or_hex(struct json_write *w, struct str s)
{
	if (s.len < 3 || s.data[0] != '0' || (s.data[1] != 'o' && s.data[1] != 'x'))
		return false;
	uint64_t value = 0, base = s.data[1] == 'o' ? 8 : 16;
	for (size_t i = 2; i < s.len; i++) {
		char c = s.data[i], lower = (char)(c | 0x20);
		uint64_t digit = c >= '0' && c <= '9'           ? (uint64_t)(c - '0')
		                 : lower >= 'a' && lower <= 'f' ? (uint64_t)(lower - 'a' + 10)
		                                                : 99;
		if (digit >= base || __builtin_mul_overflow(value, base, &value) ||
		    __builtin_add_overflow(value, digit, &value))
			return false;
	}
	json_write_u64(w, value);
	return true;
}

/* [-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )? */
static bool write_float(struct json_write *w, struct str s)
{
	size_t at = s.len > 0 && (s.data[0] == '-' || s.data[0] == '+');
	size_t whole = digits_at(s, at), part = 0;
	at += whole;
	if (at < s.len && s.data[at] == '.') {
		part = digits_at(s, at + 1);
		at += 1 + part;
	}
	if (whole + part == 0)
		return false;
	if (at < s.len && (s.data[at] | 0x20) == 'e') {
		at++;
		at += at < s.len && (s.data[at] == '-' || s.data[at] == '+');
		size_t exponent = digits_at(s, at);
		if (exponent == 0)
			return false;
		at += exponent;
	}
	double value;
	if (at != s.len || !str_to_double(s, &value))
		return false;
	json_write_num(w, value);
	return true;
}

static void write_scalar(struct json_write *w, const struct yaml *v)
{
	static const char *const nulls[] = { "null", "Null", "NULL" };
	static const char *const trues[] = { "true", "True", "TRUE" };
	static const char *const falses[] = { "false", "False", "FALSE" };
	if (v->quoted)
		json_write_str(w, v->text);
	else if (yaml_is_null(v) || is_one_of(v->text, nulls))
		json_write_null(w);
	else if (is_one_of(v->text, trues) || is_one_of(v->text, falses))
		json_write_bool(w, is_one_of(v->text, trues));
	else if (!write_decimal(w, v->text) && !write_octal_or_hex(w, v->text) && !write_float(w, v->text))
		json_write_str(w, v->text);
}

static void write_node(struct json_write *w, const struct yaml *v)
{
	if (!v || v->kind == YAML_SCALAR) {
		if (v)
			write_scalar(w, v);
		else
			json_write_null(w);
		return;
	}
	bool is_map = v->kind == YAML_MAP;
	if (is_map)
		json_write_object(w);
	else
		json_write_array(w);
	for (size_t i = 0; i < v->len; i++) {
		if (is_map)
			json_write_key_str(w, v->keys[i]);
		write_node(w, v->items[i]);
	}
	if (is_map)
		json_write_object_end(w);
	else
		json_write_array_end(w);
}

bool yaml_to_json(const struct yaml *v, struct buf *out)
{
	struct json_write w;
	json_write_init(&w, out, false);
	write_node(&w, v);
	return !out->failed;
}
