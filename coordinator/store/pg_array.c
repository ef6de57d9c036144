#include "coordinator/store/pg_array.h"
#include <string.h>

enum { HEADER_BYTES = 20 }; /* dimensions, has-null, element type, length, lower bound: 4 bytes each */

void pg_array_begin(struct pg_array *a, struct pg_params *p, enum pg_type type)
{
	static const char header[HEADER_BYTES];
	*a = (struct pg_array){ .params = p, .type = type };
	if (p->count == PG_PARAMS_MAX) {
		p->failed = true;
		return;
	}
	a->start = p->bytes.len;
	(void)buf_append(&p->bytes, header, sizeof(header)); /* its failure is kept and asked at the end */
}

void pg_array_null(struct pg_array *a)
{
	static const char null_len[4] = { '\xff', '\xff', '\xff', '\xff' };
	a->count++;
	a->null_count++;
	(void)buf_append(&a->params->bytes, null_len, sizeof(null_len)); /* as above */
}

static void put(struct pg_array *a, const char *bytes, size_t len)
{
	a->count++;
	(void)buf_append(&a->params->bytes, bytes, len); /* as above */
}

void pg_array_bool(struct pg_array *a, bool v)
{
	char bytes[5];
	pg_params_store32(bytes, 1);
	bytes[4] = v ? 1 : 0;
	put(a, bytes, sizeof(bytes));
}

void pg_array_i16(struct pg_array *a, int16_t v)
{
	char bytes[6];
	pg_params_store32(bytes, 2);
	pg_params_store16(bytes + 4, (uint16_t)v);
	put(a, bytes, sizeof(bytes));
}

void pg_array_i32(struct pg_array *a, int32_t v)
{
	char bytes[8];
	pg_params_store32(bytes, 4);
	pg_params_store32(bytes + 4, (uint32_t)v);
	put(a, bytes, sizeof(bytes));
}

void pg_array_i64(struct pg_array *a, int64_t v)
{
	char bytes[12];
	pg_params_store32(bytes, 8);
	pg_params_store64(bytes + 4, (uint64_t)v);
	put(a, bytes, sizeof(bytes));
}

void pg_array_f64(struct pg_array *a, double v)
{
	char bytes[12];
	uint64_t bits;
	memcpy(&bits, &v, sizeof(bits));
	pg_params_store32(bytes, 8);
	pg_params_store64(bytes + 4, bits);
	put(a, bytes, sizeof(bytes));
}

void pg_array_bytes(struct pg_array *a, struct str v)
{
	char bytes[4];
	if (v.len > PG_PARAMS_BYTES_MAX) {
		a->params->failed = true;
		return;
	}
	pg_params_store32(bytes, (uint32_t)v.len);
	put(a, bytes, sizeof(bytes));
	(void)buf_append_str(&a->params->bytes, v); /* as above */
}

void pg_array_text(struct pg_array *a, struct str v)
{
	if (pg_params_text_is_clean(v)) {
		pg_array_bytes(a, v);
		return;
	}
	char bytes[4] = { 0 };
	struct buf *out = &a->params->bytes;
	put(a, bytes, sizeof(bytes));
	size_t start = out->len;
	if (pg_params_clean_text(v, out) && !out->failed)
		pg_params_store32(out->data + start - 4, (uint32_t)(out->len - start));
}

void pg_array_end(struct pg_array *a)
{
	struct pg_params *p = a->params;
	if (!pg_params_ok(p))
		return;
	char *header = p->bytes.data + a->start;
	pg_params_store32(header, 1);
	pg_params_store32(header + 4, a->null_count > 0);
	pg_params_store32(header + 8, (uint32_t)a->type);
	pg_params_store32(header + 12, (uint32_t)a->count);
	pg_params_store32(header + 16, 1);
	p->start[p->count] = a->start;
	p->len[p->count] = (int32_t)(p->bytes.len - a->start);
	p->count++;
}
