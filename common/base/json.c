#include "common/base/json.h"
#include "common/base/mem.h"
#include "common/base/unicode.h"
#include <string.h>

/* jansson's enum has names of ours */
#define JSON_NULL JANSSON_NULL
#define JSON_REAL JANSSON_REAL
#define JSON_ARRAY JANSSON_ARRAY
#define JSON_OBJECT JANSSON_OBJECT
#include <jansson.h>
#undef JSON_NULL
#undef JSON_REAL
#undef JSON_ARRAY
#undef JSON_OBJECT

struct json_doc {
	json_t *root;
};

static void *allocate(size_t bytes)
{
	return mem_try_grow(NULL, bytes, 1);
}

void json_start(void)
{
	json_object_seed(0x41737361); /* a constant: hostile keys are bounded by JSON_KEYS_MAX */
	json_set_alloc_funcs(allocate, mem_free);
}

static const json_t *inside(const struct json *v)
{
	return (const json_t *)(const void *)v;
}

static const struct json *outside(const json_t *v)
{
	return (const struct json *)(const void *)v;
}

/* ---- parsing ---- */

struct place {
	unsigned line, column; /* from 1; columns count characters */
};

static struct place place_of(struct str text, size_t at)
{
	size_t line_start = 0;
	struct place p = { .line = 1 };
	for (size_t i = 0; i < at && i < text.len; i++) {
		if (text.data[i] != '\n')
			continue;
		p.line++;
		line_start = i + 1;
	}
	p.column = (unsigned)unicode_length(str_slice(text, line_start, at)) + 1;
	return p;
}

static enum err_code fail_at(struct str text, size_t at, enum err_code code, struct error *reterr, const char *what)
{
	struct place p = place_of(text, at);
	return error_set(reterr, code, "line %u, column %u: %s", p.line, p.column, what);
}

static size_t skip_string(struct str text, size_t at)
{
	for (at++; at < text.len && text.data[at] != '"'; at++)
		if (text.data[at] == '\\')
			at++;
	return at;
}

/* What jansson would recurse or hash its way through without a bound of ours. Syntax is left to jansson. */
static enum err_code check_limits(struct str text, struct error *reterr)
{
	uint32_t keys[JSON_DEPTH_MAX + 1] = { 0 };
	size_t depth = 0;
	for (size_t at = 0; at < text.len; at++) {
		switch (text.data[at]) {
		case '"':
			at = skip_string(text, at);
			break;
		case '{':
		case '[':
			if (depth == JSON_DEPTH_MAX)
				return fail_at(text, at, ERR_LIMIT, reterr, "nested deeper than 128 levels");
			keys[++depth] = 0;
			break;
		case '}':
		case ']':
			depth -= depth > 0;
			break;
		case ':':
			if (++keys[depth] > JSON_KEYS_MAX)
				return fail_at(text, at, ERR_LIMIT, reterr, "an object with more than 65536 keys");
			break;
		default:
			break;
		}
	}
	return ERR_OK;
}

static enum err_code no_memory(struct str text, struct error *reterr)
{
	return error_set(reterr, ERR_NOMEM, "out of memory reading %zu bytes of JSON", text.len);
}

/* jansson stands behind the token that it could not take, and mostly quotes it. */
static size_t start_of_token(const json_error_t *e)
{
	const char *near = strstr(e->text, " near '");
	size_t quoted = near ? strlen(near) - strlen(" near '") - 1 : 1;
	return e->position > 0 && (size_t)e->position >= quoted ? (size_t)e->position - quoted : 0;
}

static enum err_code fail_parse(struct str text, const json_error_t *e, struct error *reterr)
{
	enum json_error_code cause = json_error_code(e);
	const char *hint = "";
	if (cause == json_error_numeric_overflow)
		hint = " (integers must fit 64 bits, reals a double; write others as strings)";
	else if (str_starts(text, STR("\xEF\xBB\xBF")))
		hint = " (the text starts with a byte order mark; save it without)";
	char what[200]; /* the text quotes the input */
	struct place p = place_of(text, start_of_token(e));
	return error_set(reterr, ERR_INVALID, "line %u, column %u: %s%s", p.line, p.column,
	                 unicode_excerpt(str_from(e->text), what, sizeof(what)), hint);
}

enum err_code json_parse(struct str text, struct json_doc **ret_doc, struct error *reterr)
{
	if (str_trim(text).len == 0)
		return error_set(reterr, ERR_INVALID, "line 1, column 1: no JSON here, the text is empty");
	enum err_code err = check_limits(text, reterr);
	if (err != ERR_OK)
		return err;
	uint64_t refused = mem_refused_count(); /* jansson calls some failed allocations syntax errors */
	struct json_doc *doc = mem_try_new(1, sizeof(*doc));
	if (!doc)
		return no_memory(text, reterr);
	json_error_t e = { 0 };
	doc->root = json_loadb(text.data, text.len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL, &e);
	if (!doc->root) {
		mem_free(doc);
		return refused != mem_refused_count() ? no_memory(text, reterr) : fail_parse(text, &e, reterr);
	}
	*ret_doc = doc;
	return ERR_OK;
}

void json_free(struct json_doc *doc)
{
	if (!doc)
		return;
	json_decref(doc->root);
	mem_free(doc);
}

const struct json *json_root(const struct json_doc *doc)
{
	return doc ? outside(doc->root) : NULL;
}

/* ---- reading ---- */

enum json_kind json_kind(const struct json *v)
{
	if (!v)
		return JSON_ABSENT;
	switch (json_typeof(inside(v))) {
	case JANSSON_OBJECT:
		return JSON_OBJECT;
	case JANSSON_ARRAY:
		return JSON_ARRAY;
	case JSON_STRING:
		return JSON_STR;
	case JSON_INTEGER:
		return JSON_INT;
	case JANSSON_REAL:
		return JSON_REAL;
	case JSON_TRUE:
	case JSON_FALSE:
		return JSON_BOOL;
	case JANSSON_NULL:
		return JSON_NULL;
	}
	return JSON_ABSENT;
}

const char *json_kind_name(enum json_kind kind)
{
	static const char *const names[] = { "nothing",  "null",     "true or false", "an integer",
		                             "a number", "a string", "an array",      "an object" };
	return (size_t)kind < ARRAY_LEN(names) ? names[kind] : "unknown";
}

size_t json_len(const struct json *v)
{
	enum json_kind kind = json_kind(v);
	if (kind == JSON_ARRAY)
		return json_array_size(inside(v));
	return kind == JSON_OBJECT ? json_object_size(inside(v)) : 0;
}

const struct json *json_get(const struct json *object, const char *key)
{
	return json_get_str(object, str_from(key));
}

const struct json *json_get_str(const struct json *object, struct str key)
{
	if (json_kind(object) != JSON_OBJECT)
		return NULL;
	return outside(json_object_getn(inside(object), key.data ? key.data : "", key.len));
}

const struct json *json_at(const struct json *array, size_t i)
{
	return json_kind(array) == JSON_ARRAY ? outside(json_array_get(inside(array), i)) : NULL;
}

bool json_str(const struct json *v, struct str *ret_value)
{
	if (json_kind(v) != JSON_STR)
		return false;
	*ret_value = (struct str){ json_string_value(inside(v)), json_string_length(inside(v)) };
	return true;
}

bool json_i64(const struct json *v, int64_t *ret_value)
{
	if (json_kind(v) != JSON_INT)
		return false;
	*ret_value = json_integer_value(inside(v));
	return true;
}

bool json_num(const struct json *v, double *ret_value)
{
	enum json_kind kind = json_kind(v);
	if (kind != JSON_INT && kind != JSON_REAL)
		return false;
	*ret_value = kind == JSON_INT ? (double)json_integer_value(inside(v)) : json_real_value(inside(v));
	return true;
}

bool json_bool(const struct json *v, bool *ret_value)
{
	if (json_kind(v) != JSON_BOOL)
		return false;
	*ret_value = json_typeof(inside(v)) == JSON_TRUE;
	return true;
}

struct str json_str_or(const struct json *v, struct str fallback)
{
	(void)json_str(v, &fallback); /* left as it is when v is no string; the same below */
	return fallback;
}

int64_t json_i64_or(const struct json *v, int64_t fallback)
{
	(void)json_i64(v, &fallback);
	return fallback;
}

double json_num_or(const struct json *v, double fallback)
{
	(void)json_num(v, &fallback);
	return fallback;
}

bool json_bool_or(const struct json *v, bool fallback)
{
	(void)json_bool(v, &fallback);
	return fallback;
}

bool json_next(const struct json *object, struct json_iter *it)
{
	if (json_kind(object) != JSON_OBJECT)
		return false;
	json_t *o = (json_t *)(uintptr_t)object; /* jansson's iterators want it writable; nothing is written */
	it->at = it->begun ? json_object_iter_next(o, it->at) : json_object_iter(o);
	it->begun = true;
	if (!it->at)
		return false;
	it->key = (struct str){ json_object_iter_key(it->at), json_object_iter_key_len(it->at) };
	it->value = outside(json_object_iter_value(it->at));
	return true;
}

/* ---- pointers ---- */

/* Is `key` what `token` spells, with ~1 for / and ~0 for ~? */
static bool token_is(struct str token, struct str key)
{
	size_t k = 0;
	for (size_t t = 0; t < token.len; t++, k++) {
		char c = token.data[t];
		if (c == '~') {
			char escape = ++t < token.len ? token.data[t] : '\0';
			if (escape != '0' && escape != '1')
				return false;
			c = escape == '0' ? '~' : '/';
		}
		if (k >= key.len || key.data[k] != c)
			return false;
	}
	return k == key.len;
}

static const struct json *step(const struct json *v, struct str token)
{
	if (json_kind(v) == JSON_ARRAY) {
		uint64_t i;
		if ((token.len > 1 && token.data[0] == '0') || !str_to_u64(token, &i))
			return NULL;
		return json_at(v, i);
	}
	if (str_find_char(token, '~') < 0)
		return json_get_str(v, token);
	for (struct json_iter it = { 0 }; json_next(v, &it);)
		if (token_is(token, it.key))
			return it.value;
	return NULL;
}

const struct json *json_pointer(const struct json *v, struct str pointer)
{
	if (pointer.len == 0)
		return v;
	if (pointer.data[0] != '/')
		return NULL;
	struct str rest = str_slice(pointer, 1, pointer.len), token;
	while (v && str_split(&rest, '/', &token))
		v = step(v, token);
	return v;
}

/* ---- repair ---- */

/* The number of a \uXXXX escape at `at`; -1 when there is none. */
static int32_t escape_at(struct str s, size_t at)
{
	if (s.len < 6 || at > s.len - 6 || s.data[at] != '\\' || s.data[at + 1] != 'u')
		return -1;
	int32_t value = 0;
	for (size_t i = at + 2; i < at + 6; i++) {
		char c = s.data[i], lower = (char)(c | 0x20);
		if (c >= '0' && c <= '9')
			value = value * 16 + (c - '0');
		else if (lower >= 'a' && lower <= 'f')
			value = value * 16 + (lower - 'a' + 10);
		else
			return -1;
	}
	return value;
}

static bool is_high(int32_t unit)
{
	return unit >= 0xD800 && unit <= 0xDBFF;
}

static bool is_low(int32_t unit)
{
	return unit >= 0xDC00 && unit <= 0xDFFF;
}

/* Copies one escape of a string; returns how many bytes of the text it took. */
static size_t repair_escape(struct str text, size_t at, struct buf *out, unsigned *repairs)
{
	int32_t unit = escape_at(text, at);
	size_t len = unit >= 0 ? 6 : MIN_OF((size_t)2, text.len - at);
	if (is_high(unit) && is_low(escape_at(text, at + 6)))
		len = 12;
	else if (is_high(unit) || is_low(unit)) {
		++*repairs;
		(void)buf_append_str(out, STR("\xEF\xBF\xBD")); /* out->failed is asked at the end */
		return len;
	}
	if (unit < 0 && len == 2 && (text.data[at + 1] & 0x80))
		len = 1; /* what follows is looked at as UTF-8 */
	(void)buf_append_str(out, str_slice(text, at, at + len));
	return len;
}

bool json_repair(struct str text, struct buf *out, unsigned *ret_repairs)
{
	unsigned repairs = 0;
	bool in_string = false;
	size_t copied = 0; /* everything before has been written */
	for (size_t at = 0; at < text.len && !out->failed;) {
		unsigned char c = (unsigned char)text.data[at];
		if (c < 0x80 && !(c == '\\' && in_string)) {
			in_string ^= c == '"';
			at++;
			continue;
		}
		size_t start = at;
		if (c == '\\') {
			(void)buf_append_str(out, str_slice(text, copied, start));
			at += repair_escape(text, at, out, &repairs);
			copied = at;
			continue;
		}
		uint32_t code;
		if (unicode_next(text, &at, &code))
			continue;
		repairs++;
		(void)buf_append_str(out, str_slice(text, copied, start));
		(void)buf_append_str(out, STR("\xEF\xBF\xBD"));
		copied = at;
	}
	(void)buf_append_str(out, str_slice(text, copied, text.len));
	if (ret_repairs)
		*ret_repairs = repairs;
	return !out->failed;
}
