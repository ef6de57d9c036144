#include "coordinator/store/pg_list.h"
#include <string.h>

static uint32_t load32(const char *at)
{
	uint32_t v;
	memcpy(&v, at, sizeof(v));
	return __builtin_bswap32(v);
}

static uint64_t load64(const char *at)
{
	uint64_t v;
	memcpy(&v, at, sizeof(v));
	return __builtin_bswap64(v);
}

struct pg_list pg_list_of(struct str bytes)
{
	struct pg_list l = { 0 };
	if (bytes.len < 20 || load32(bytes.data) != 1) /* an empty array has no dimension */
		return l;
	uint32_t count = load32(bytes.data + 12);
	if (count > (bytes.len - 20) / 4)
		return l;
	l.at = bytes.data + 20;
	l.end = bytes.data + bytes.len;
	l.count = l.left = count;
	return l;
}

bool pg_list_next(struct pg_list *l)
{
	if (l->left == 0 || l->end - l->at < 4)
		return false;
	uint32_t len = load32(l->at);
	l->at += 4;
	l->left--;
	l->is_null = len == UINT32_MAX;
	l->value = (struct str){ 0 };
	if (l->is_null)
		return true;
	if (len > (size_t)(l->end - l->at)) {
		l->left = 0;
		return false;
	}
	l->value = (struct str){ l->at, len };
	l->at += len;
	return true;
}

int64_t pg_list_read_i64(struct str bytes)
{
	uint16_t small;
	switch (bytes.len) {
	case 2:
		memcpy(&small, bytes.data, sizeof(small));
		return (int16_t)__builtin_bswap16(small);
	case 4:
		return (int32_t)load32(bytes.data);
	case 8:
		return (int64_t)load64(bytes.data);
	default:
		return 0;
	}
}

double pg_list_read_f64(struct str bytes)
{
	if (bytes.len != 8)
		return 0;
	uint64_t bits = load64(bytes.data);
	double v;
	memcpy(&v, &bits, sizeof(v));
	return v;
}

int64_t pg_list_i64(const struct pg_list *l)
{
	return pg_list_read_i64(l->value);
}

double pg_list_f64(const struct pg_list *l)
{
	return pg_list_read_f64(l->value);
}
