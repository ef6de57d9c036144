#include "common/base/str.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct str str_from(const char *c_string)
{
	return c_string ? (struct str){ c_string, strlen(c_string) } : (struct str){ NULL, 0 };
}

struct str str_make(const void *data, size_t len)
{
	return (struct str){ data, len };
}

bool str_eq(struct str a, struct str b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

bool str_eq_c(struct str a, const char *b)
{
	return str_eq(a, str_from(b));
}

int str_cmp(struct str a, struct str b)
{
	size_t common = MIN_OF(a.len, b.len);
	int order = common ? memcmp(a.data, b.data, common) : 0;
	if (order != 0)
		return order < 0 ? -1 : 1;
	return a.len < b.len ? -1 : a.len > b.len;
}

bool str_starts(struct str s, struct str prefix)
{
	return s.len >= prefix.len && str_eq((struct str){ s.data, prefix.len }, prefix);
}

bool str_ends(struct str s, struct str suffix)
{
	return s.len >= suffix.len && str_eq(str_slice(s, s.len - suffix.len, s.len), suffix);
}

ptrdiff_t str_find(struct str s, struct str needle)
{
	if (needle.len == 0)
		return 0;
	if (s.len < needle.len)
		return -1;
	const char *at = memmem(s.data, s.len, needle.data, needle.len);
	return at ? at - s.data : -1;
}

ptrdiff_t str_find_char(struct str s, char c)
{
	const char *at = s.len ? memchr(s.data, c, s.len) : NULL;
	return at ? at - s.data : -1;
}

struct str str_slice(struct str s, size_t from, size_t to)
{
	to = MIN_OF(to, s.len);
	from = MIN_OF(from, to);
	return s.data ? (struct str){ s.data + from, to - from } : (struct str){ NULL, 0 };
}

static bool is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

struct str str_trim(struct str s)
{
	while (s.len && is_space(s.data[0]))
		s = str_slice(s, 1, s.len);
	while (s.len && is_space(s.data[s.len - 1]))
		s.len--;
	return s;
}

bool str_split(struct str *rest, char separator, struct str *ret_piece)
{
	if (!rest->data)
		return false;
	ptrdiff_t at = str_find_char(*rest, separator);
	if (at < 0) {
		*ret_piece = *rest;
		*rest = (struct str){ NULL, 0 };
		return true;
	}
	*ret_piece = str_slice(*rest, 0, (size_t)at);
	*rest = str_slice(*rest, (size_t)at + 1, rest->len);
	return true;
}

bool str_to_u64(struct str s, uint64_t *ret_value)
{
	uint64_t value = 0;
	if (s.len == 0)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		if (s.data[i] < '0' || s.data[i] > '9')
			return false;
		uint64_t digit = (uint64_t)(s.data[i] - '0');
		if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, digit, &value))
			return false;
	}
	*ret_value = value;
	return true;
}

bool str_to_i64(struct str s, int64_t *ret_value)
{
	bool negative = s.len > 0 && s.data[0] == '-';
	uint64_t magnitude;
	if (!str_to_u64(negative ? str_slice(s, 1, s.len) : s, &magnitude))
		return false;
	if (magnitude > (uint64_t)INT64_MAX + (negative ? 1 : 0))
		return false;
	*ret_value = negative ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
	return true;
}

bool str_to_double(struct str s, double *ret_value)
{
	char text[512];
	if (s.len == 0 || s.len >= sizeof(text))
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (!strchr("0123456789+-.eE", s.data[i]) || s.data[i] == '\0')
			return false;
	memcpy(text, s.data, s.len);
	text[s.len] = '\0';
	char *end;
	double value = strtod(text, &end); /* no setlocale anywhere: the decimal point is a point */
	if (end != text + s.len || !isfinite(value))
		return false;
	*ret_value = value;
	return true;
}

unsigned str_distance(struct str a, struct str b)
{
	enum { LONGEST = 64 };
	unsigned rows[3][LONGEST + 1] = { 0 };
	a = str_slice(a, 0, LONGEST);
	b = str_slice(b, 0, LONGEST);
	unsigned *before = rows[0], *last = rows[1], *now = rows[2];
	for (size_t j = 0; j <= b.len; j++)
		last[j] = (unsigned)j;
	for (size_t i = 1; i <= a.len; i++) {
		now[0] = (unsigned)i;
		for (size_t j = 1; j <= b.len; j++) {
			unsigned replaced = last[j - 1] + (a.data[i - 1] != b.data[j - 1]);
			now[j] = MIN_OF(replaced, MIN_OF(last[j], now[j - 1]) + 1);
			if (i > 1 && j > 1 && a.data[i - 1] == b.data[j - 2] && a.data[i - 2] == b.data[j - 1])
				now[j] = MIN_OF(now[j], before[j - 2] + 1);
		}
		unsigned *free_row = before;
		before = last;
		last = now;
		now = free_row;
	}
	return last[b.len];
}
