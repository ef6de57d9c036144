#include "common/wire/writer.h"
#include "common/wire/text.h"
#include <string.h>

void writer_double_present(struct writer *w, uint32_t field, double v)
{
	uint64_t bits;
	memcpy(&bits, &v, sizeof(bits));
	writer_tag(w, field, WRITER_EIGHT);
	writer_eight(w, bits);
}

void writer_text_present(struct writer *w, uint32_t field, struct str s)
{
	bool valid = text_valid(s);
	size_t len = valid ? s.len : text_repaired_len(s);
	writer_begin_sized(w, field, len);
	if (valid) {
		writer_raw(w, s.data, s.len);
		return;
	}
	if (w->data)
		text_repair(s, w->data + w->len);
	w->len += len;
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
		len += writer_varint_len(u64_at(v, i, stride));
	if (count == 0)
		return;
	writer_begin_sized(w, field, len);
	for (size_t i = 0; w->data && i < count; i++)
		writer_varint(w, u64_at(v, i, stride));
	w->len += w->data ? 0 : len;
}

void writer_packed_u32(struct writer *w, uint32_t field, const uint32_t *v, size_t count, size_t stride)
{
	size_t len = 0;
	for (size_t i = 0; i < count; i++)
		len += writer_varint_len(u32_at(v, i, stride));
	if (count == 0)
		return;
	writer_begin_sized(w, field, len);
	for (size_t i = 0; w->data && i < count; i++)
		writer_varint(w, u32_at(v, i, stride));
	w->len += w->data ? 0 : len;
}

void writer_packed_fixed64(struct writer *w, uint32_t field, const uint64_t *v, size_t count, size_t stride)
{
	if (count == 0)
		return;
	writer_begin_sized(w, field, count * sizeof(uint64_t));
	for (size_t i = 0; i < count; i++)
		writer_eight(w, u64_at(v, i, stride));
}

struct writer_mark writer_begin(struct writer *w, uint32_t field, size_t at_least)
{
	writer_tag(w, field, WRITER_LENGTH);
	struct writer_mark mark = { .at = w->len, .room = writer_varint_len(at_least) };
	w->len += mark.room;
	return mark;
}

void writer_end(struct writer *w, struct writer_mark mark)
{
	size_t from = mark.at + mark.room, len = w->len - from, more = writer_varint_len(len) - mark.room;
	if (w->data) {
		if (more)
			memmove(w->data + from + more, w->data + from, len);
		struct writer prefix = { w->data, mark.at };
		writer_varint(&prefix, len);
	}
	w->len += more;
}
