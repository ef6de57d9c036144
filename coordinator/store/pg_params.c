#include "coordinator/store/pg_params.h"
#include "common/base/mem.h"
#include "common/base/unicode.h"
#include <string.h>

void pg_params_store16(char *out, uint16_t v)
{
	v = __builtin_bswap16(v);
	memcpy(out, &v, sizeof(v));
}

void pg_params_store32(char *out, uint32_t v)
{
	v = __builtin_bswap32(v);
	memcpy(out, &v, sizeof(v));
}

void pg_params_store64(char *out, uint64_t v)
{
	v = __builtin_bswap64(v);
	memcpy(out, &v, sizeof(v));
}

void pg_params_init(struct pg_params *p)
{
	p->count = 0;
	p->failed = false;
	p->refused_before = mem_refused_count();
	buf_init(&p->bytes, PG_PARAMS_BYTES_MAX);
}

void pg_params_done(struct pg_params *p)
{
	buf_done(&p->bytes);
	p->count = 0;
}

void pg_params_clear(struct pg_params *p)
{
	buf_clear(&p->bytes);
	p->count = 0;
	p->failed = false;
	p->refused_before = mem_refused_count();
}

bool pg_params_ok(const struct pg_params *p)
{
	return !p->failed && !p->bytes.failed;
}

bool pg_params_starved(const struct pg_params *p)
{
	return !pg_params_ok(p) && mem_refused_count() > p->refused_before;
}

static bool begin(struct pg_params *p)
{
	if (p->count == PG_PARAMS_MAX)
		p->failed = true;
	if (!pg_params_ok(p))
		return false;
	p->start[p->count] = p->bytes.len;
	p->len[p->count] = -1;
	return true;
}

static void put(struct pg_params *p, const void *data, size_t len)
{
	if (!begin(p) || !buf_append(&p->bytes, data, len))
		return;
	p->len[p->count++] = (int32_t)len; /* below PG_PARAMS_BYTES_MAX */
}

void pg_params_null(struct pg_params *p)
{
	if (begin(p))
		p->count++;
}

void pg_params_bool(struct pg_params *p, bool v)
{
	char byte = v ? 1 : 0;
	put(p, &byte, 1);
}

void pg_params_i16(struct pg_params *p, int16_t v)
{
	char bytes[2];
	pg_params_store16(bytes, (uint16_t)v);
	put(p, bytes, sizeof(bytes));
}

void pg_params_i32(struct pg_params *p, int32_t v)
{
	char bytes[4];
	pg_params_store32(bytes, (uint32_t)v);
	put(p, bytes, sizeof(bytes));
}

void pg_params_i64(struct pg_params *p, int64_t v)
{
	char bytes[8];
	pg_params_store64(bytes, (uint64_t)v);
	put(p, bytes, sizeof(bytes));
}

void pg_params_f64(struct pg_params *p, double v)
{
	char bytes[8];
	uint64_t bits;
	memcpy(&bits, &v, sizeof(bits));
	pg_params_store64(bytes, bits);
	put(p, bytes, sizeof(bytes));
}

void pg_params_bytes(struct pg_params *p, struct str v)
{
	put(p, v.data, v.len);
}

bool pg_params_text_is_clean(struct str s)
{
	return (s.len == 0 || !memchr(s.data, 0, s.len)) && unicode_valid(s);
}

bool pg_params_clean_text(struct str s, struct buf *out)
{
	unsigned repairs;
	struct str piece;
	if (s.len == 0)
		return true;
	for (bool first = true; str_split(&s, '\0', &piece); first = false) {
		if (!first && !buf_append_c(out, "\xEF\xBF\xBD"))
			return false;
		if (!unicode_repair(piece, out, &repairs))
			return false;
	}
	return true;
}

void pg_params_text(struct pg_params *p, struct str v)
{
	if (pg_params_text_is_clean(v)) {
		put(p, v.data, v.len);
		return;
	}
	if (!begin(p) || !pg_params_clean_text(v, &p->bytes))
		return;
	p->len[p->count] = (int32_t)(p->bytes.len - p->start[p->count]);
	p->count++;
}
