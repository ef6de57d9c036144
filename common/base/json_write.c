#include "common/base/json_write.h"
#include "common/base/check.h"
#include "common/base/mem.h"
#include "common/base/unicode.h"
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NESTING_MAX = JSON_DEPTH_MAX * 2 };

void json_write_init(struct json_write *w, struct buf *out, bool pretty)
{
	*w = (struct json_write){ .out = out, .pretty = pretty };
}

/* Appends go unchecked here: a full buffer stays failed, and the caller asks it at the end. */
static void put(struct json_write *w, struct str s)
{
	(void)buf_append_str(w->out, s);
}

static void new_line(struct json_write *w)
{
	if (!w->pretty)
		return;
	put(w, STR("\n"));
	for (unsigned i = 0; i < w->depth; i++)
		put(w, STR("  "));
}

static bool in_object(const struct json_write *w)
{
	return w->object_bits[w->depth / 64] >> (w->depth % 64) & 1;
}

static void before_member(struct json_write *w)
{
	if (w->need_comma)
		put(w, STR(","));
	if (w->depth > 0)
		new_line(w);
	w->need_comma = true;
}

static void before_value(struct json_write *w)
{
	check_msg(w->after_key || !in_object(w), "a value without a key inside an object");
	check_msg(w->depth > 0 || !w->need_comma, "a second value at the root");
	if (!w->after_key)
		before_member(w);
	w->after_key = false;
}

static void open(struct json_write *w, bool is_object)
{
	before_value(w);
	check(w->depth + 1 < NESTING_MAX);
	w->depth++;
	uint64_t bit = UINT64_C(1) << (w->depth % 64);
	w->object_bits[w->depth / 64] &= ~bit;
	w->object_bits[w->depth / 64] |= is_object ? bit : 0;
	w->need_comma = false;
	put(w, is_object ? STR("{") : STR("["));
}

static void close(struct json_write *w, bool is_object)
{
	check(w->depth > 0 && !w->after_key && in_object(w) == is_object);
	bool empty = !w->need_comma;
	w->depth--;
	if (!empty)
		new_line(w);
	w->need_comma = true;
	put(w, is_object ? STR("}") : STR("]"));
}

void json_write_object(struct json_write *w)
{
	open(w, true);
}

void json_write_object_end(struct json_write *w)
{
	close(w, true);
}

void json_write_array(struct json_write *w)
{
	open(w, false);
}

void json_write_array_end(struct json_write *w)
{
	close(w, false);
}

/* ---- text ---- */

static void put_escape(struct buf *out, char c)
{
	static const char named[] = "\"\"\\\\\bb\ff\nn\rr\tt"; /* what it is, what follows the backslash */
	for (const char *at = named; *at; at += 2) {
		if (*at != c)
			continue;
		(void)buf_append_char(out, '\\');
		(void)buf_append_char(out, at[1]);
		return;
	}
	(void)buf_printf(out, "\\u%04x", (unsigned)(unsigned char)c);
}

static void put_text(struct buf *out, struct str s)
{
	size_t copied = 0;
	(void)buf_append_char(out, '"');
	for (size_t at = 0; at < s.len && !out->failed;) {
		size_t start = at;
		uint32_t code;
		bool good = unicode_next(s, &at, &code);
		if (good && code >= 0x20 && code != '"' && code != '\\')
			continue;
		(void)buf_append_str(out, str_slice(s, copied, start));
		if (good)
			put_escape(out, s.data[start]);
		else
			(void)buf_append_str(out, STR("\xEF\xBF\xBD"));
		copied = at;
	}
	(void)buf_append_str(out, str_slice(s, copied, s.len));
	(void)buf_append_char(out, '"');
}

void json_write_key_str(struct json_write *w, struct str key)
{
	check_msg(in_object(w) && !w->after_key, "a key where none can stand");
	before_member(w);
	put_text(w->out, key);
	put(w, w->pretty ? STR(": ") : STR(":"));
	w->after_key = true;
}

void json_write_key(struct json_write *w, const char *key)
{
	json_write_key_str(w, str_from(key));
}

void json_write_str(struct json_write *w, struct str s)
{
	before_value(w);
	put_text(w->out, s);
}

void json_write_c(struct json_write *w, const char *s)
{
	if (s)
		json_write_str(w, str_from(s));
	else
		json_write_null(w);
}

/* ---- numbers ---- */

/* As "d.ddde+dd" with the fewest digits that read back equal. A normal double of at most DBL_DIG digits shows them all
 * at that precision, so only 16 and 17 are left to try; below the normal ones every precision is tried. */
static void shortest_digits(double v, char *text, size_t size)
{
	int digits = fabs(v) < DBL_MIN ? 1 : DBL_DIG;
	for (; digits <= 17; digits++) {
		(void)snprintf(text, size, "%.*e", digits - 1, v); /* 25 bytes at most */
		if (strtod(text, NULL) == v)
			return;
	}
}

/* Lays the digits out as people write numbers: 0.001, 1250000, 1.5e-7, 1e300. */
static void put_double(struct buf *out, double v)
{
	char text[40], digits[20];
	size_t count = 0;
	shortest_digits(v, text, sizeof(text));
	const char *at = text + (text[0] == '-');
	for (; *at != 'e'; at++)
		if (*at != '.')
			digits[count++] = *at;
	int64_t exponent = 0;
	bool negative = at[1] == '-';
	(void)str_to_i64(str_from(at + 2), &exponent); /* two or three digits: printf wrote them */
	exponent = negative ? -exponent : exponent;
	while (count > 1 && digits[count - 1] == '0')
		count--;
	if (text[0] == '-')
		(void)buf_append_char(out, '-');
	struct str d = { digits, count };
	bool scientific = exponent < -5 || exponent >= 17;
	size_t whole = scientific ? 1 : exponent < 0 ? 0 : (size_t)exponent + 1; /* digits before the point */
	(void)buf_append_str(out, str_slice(d, 0, whole));
	for (size_t i = count; i < whole; i++)
		(void)buf_append_char(out, '0');
	if (whole == 0)
		(void)buf_printf(out, "0.%.*s", (int)(-exponent - 1), "0000");
	else if (count > whole)
		(void)buf_append_char(out, '.');
	(void)buf_append_str(out, str_slice(d, whole, count));
	if (scientific)
		(void)buf_printf(out, "e%d", (int)exponent);
}

void json_write_i64(struct json_write *w, int64_t v)
{
	before_value(w);
	(void)buf_printf(w->out, "%lld", (long long)v);
}

void json_write_u64(struct json_write *w, uint64_t v)
{
	before_value(w);
	(void)buf_printf(w->out, "%llu", (unsigned long long)v);
}

void json_write_num(struct json_write *w, double v)
{
	check_msg(isfinite(v), "JSON has no NaN and no infinity: write null");
	before_value(w);
	if (v == 0) /* an integer zero would lose the sign */
		put(w, signbit(v) ? STR("-0.0") : STR("0"));
	else
		put_double(w->out, v);
}

void json_write_bool(struct json_write *w, bool v)
{
	before_value(w);
	put(w, v ? STR("true") : STR("false"));
}

void json_write_null(struct json_write *w)
{
	before_value(w);
	put(w, STR("null"));
}

void json_write_raw(struct json_write *w, struct str json)
{
	before_value(w);
	put(w, json);
}

/* ---- trees ---- */

typedef void write_object(struct json_write *w, const struct json *v);

static void write_value(struct json_write *w, const struct json *v, write_object *members)
{
	switch (json_kind(v)) {
	case JSON_OBJECT:
		json_write_object(w);
		members(w, v);
		json_write_object_end(w);
		break;
	case JSON_ARRAY:
		json_write_array(w);
		for (size_t i = 0; i < json_len(v); i++)
			write_value(w, json_at(v, i), members);
		json_write_array_end(w);
		break;
	case JSON_STR:
		json_write_str(w, json_str_or(v, STR("")));
		break;
	case JSON_INT:
		json_write_i64(w, json_i64_or(v, 0));
		break;
	case JSON_REAL:
		json_write_num(w, json_num_or(v, 0));
		break;
	case JSON_BOOL:
		json_write_bool(w, json_bool_or(v, false));
		break;
	case JSON_NULL:
	case JSON_ABSENT:
		json_write_null(w);
		break;
	}
}

static void members_in_order(struct json_write *w, const struct json *v)
{
	for (struct json_iter it = { 0 }; json_next(v, &it);) {
		json_write_key_str(w, it.key);
		write_value(w, it.value, members_in_order);
	}
}

void json_write_value(struct json_write *w, const struct json *v)
{
	write_value(w, v, members_in_order);
}

static int by_key(const void *a, const void *b)
{
	return str_cmp(((const struct json_iter *)a)->key, ((const struct json_iter *)b)->key);
}

static void members_by_key(struct json_write *w, const struct json *v)
{
	size_t count = 0;
	struct json_iter *members = mem_try_new(json_len(v), sizeof(*members)), it = { 0 };
	if (!members) {
		w->out->failed = true;
		return;
	}
	while (json_next(v, &it))
		members[count++] = it;
	qsort(members, count, sizeof(*members), by_key); /* keys are unique, so the order is too */
	for (size_t i = 0; i < count; i++) {
		json_write_key_str(w, members[i].key);
		write_value(w, members[i].value, members_by_key);
	}
	mem_free(members);
}

bool json_write_canonical(const struct json *v, struct buf *out)
{
	struct json_write w;
	json_write_init(&w, out, false);
	write_value(&w, v, members_by_key);
	return !out->failed;
}

/* ---- key and value ---- */

void json_write_field_str(struct json_write *w, const char *key, struct str s)
{
	json_write_key(w, key);
	json_write_str(w, s);
}

void json_write_field_c(struct json_write *w, const char *key, const char *s)
{
	json_write_key(w, key);
	json_write_c(w, s);
}

void json_write_field_i64(struct json_write *w, const char *key, int64_t v)
{
	json_write_key(w, key);
	json_write_i64(w, v);
}

void json_write_field_num(struct json_write *w, const char *key, double v)
{
	json_write_key(w, key);
	json_write_num(w, v);
}

void json_write_field_bool(struct json_write *w, const char *key, bool v)
{
	json_write_key(w, key);
	json_write_bool(w, v);
}
