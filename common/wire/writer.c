#include "common/wire/writer.h"
#include "common/wire/text.h"
#include <string.h>

enum wire_type { WIRE_VARINT = 0, WIRE_EIGHT = 1, WIRE_LENGTH = 2 };

static inline size_t varint_len(uint64_t v)
{
	unsigned bits = 64 - (unsigned)__builtin_clzll(v | 1);
	return (bits + 6) / 7;
}

static inline void put_varint(struct writer *w, uint64_t v)
{
	if (!w->data) {
		w->len += varint_len(v);
		return;
	}
	for (; v >= 0x80; v >>= 7)
		w->data[w->len++] = (char)(v | 0x80);
	w->data[w->len++] = (char)v;
}

static inline void put_tag(struct writer *w, uint32_t field, enum wire_type type)
{
	put_varint(w, (uint64_t)field << 3 | type);
}

static inline void put_bytes(struct writer *w, const void *data, size_t len)
{
	if (w->data && len)
		memcpy(w->data + w->len, data, len);
	w->len += len;
}

static inline void put_fixed64(struct writer *w, uint64_t v)
{
	unsigned char little[8];
	for (unsigned i = 0; i < 8; i++)
		little[i] = (unsigned char)(v >> (8 * i));
	put_bytes(w, little, sizeof(little));
}

void writer_u64_present(struct writer *w, uint32_t field, uint64_t v)
{
	put_tag(w, field, WIRE_VARINT);
	put_varint(w, v);
}

void writer_u64(struct writer *w, uint32_t field, uint64_t v)
{
	if (v)
		writer_u64_present(w, field, v);
}

void writer_bool(struct writer *w, uint32_t field, bool v)
{
	writer_u64(w, field, v);
}

void writer_fixed64(struct writer *w, uint32_t field, uint64_t v)
{
	if (!v)
		return;
	put_tag(w, field, WIRE_EIGHT);
	put_fixed64(w, v);
}

void writer_double_present(struct writer *w, uint32_t field, double v)
{
	uint64_t bits;
	memcpy(&bits, &v, sizeof(bits));
	put_tag(w, field, WIRE_EIGHT);
	put_fixed64(w, bits);
}

void writer_bytes(struct writer *w, uint32_t field, struct str s)
{
	if (s.len == 0)
		return;
	writer_begin_sized(w, field, s.len);
	put_bytes(w, s.data, s.len);
}

void writer_text_present(struct writer *w, uint32_t field, struct str s)
{
	bool valid = text_valid(s);
	size_t len = valid ? s.len : text_repaired_len(s);
	writer_begin_sized(w, field, len);
	if (valid) {
		put_bytes(w, s.data, s.len);
		return;
	}
	if (w->data)
		text_repair(s, w->data + w->len);
	w->len += len;
}

void writer_text(struct writer *w, uint32_t field, struct str s)
{
	if (s.len)
		writer_text_present(w, field, s);
}

void writer_hash(struct writer *w, uint32_t field, const struct hash *h)
{
	writer_bytes(w, field, str_make(h->bytes, sizeof(h->bytes)));
}

static inline uint64_t u64_at(const uint64_t *v, size_t i, size_t stride)
{
	uint64_t value;
	memcpy(&value, (const char *)v + i * stride, sizeof(value));
	return value;
}

static inline uint32_t u32_at(const uint32_t *v, size_t i, size_t stride)
{
	uint32_t value;
	memcpy(&value, (const char *)v + i * stride, sizeof(value));
	return value;
}

void writer_packed_u64(struct writer *w, uint32_t field, const uint64_t *v, size_t count, size_t stride)
{
	size_t len = 0;
	for (size_t i = 0; i < count; i++)
		len += varint_len(u64_at(v, i, stride));
	if (count == 0)
		return;
	writer_begin_sized(w, field, len);
	for (size_t i = 0; w->data && i < count; i++)
		put_varint(w, u64_at(v, i, stride));
	w->len += w->data ? 0 : len;
}

void writer_packed_u32(struct writer *w, uint32_t field, const uint32_t *v, size_t count, size_t stride)
{
	size_t len = 0;
	for (size_t i = 0; i < count; i++)
		len += varint_len(u32_at(v, i, stride));
	if (count == 0)
		return;
	writer_begin_sized(w, field, len);
	for (size_t i = 0; w->data && i < count; i++)
		put_varint(w, u32_at(v, i, stride));
	w->len += w->data ? 0 : len;
}

void writer_packed_fixed64(struct writer *w, uint32_t field, const uint64_t *v, size_t count, size_t stride)
{
	if (count == 0)
		return;
	writer_begin_sized(w, field, count * sizeof(uint64_t));
	for (size_t i = 0; i < count; i++)
		put_fixed64(w, u64_at(v, i, stride));
}

void writer_begin_sized(struct writer *w, uint32_t field, size_t len)
{
	put_tag(w, field, WIRE_LENGTH);
	put_varint(w, len);
}

/* One byte is kept for the length; a message of 128 bytes or more moves up when its end is known. */
size_t writer_begin(struct writer *w, uint32_t field)
{
	put_tag(w, field, WIRE_LENGTH);
	return ++w->len;
}

void writer_end(struct writer *w, size_t mark)
{
	size_t len = w->len - mark, more = varint_len(len) - 1;
	if (w->data) {
		if (more)
			memmove(w->data + mark + more, w->data + mark, len);
		struct writer prefix = { w->data, mark - 1 };
		put_varint(&prefix, len);
	}
	w->len += more;
}
