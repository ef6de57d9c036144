/* common/wire/writer.h - writes protobuf's bytes: first counting only, then for real, by the same code.
 *
 * A writer without memory counts. With memory it writes where the count said there is room. Defaults (0, empty) are
 * left out, as proto3 wants it; fields must come in the order of their numbers, so that the bytes are those that
 * protobuf-c would write. Text is repaired on the way (text.h). Pure; one thread. */
#ifndef ASSAY_WIRE_WRITER_H
#define ASSAY_WIRE_WRITER_H

#include "common/base/hash.h"
#include "common/base/str.h"
#include <string.h>

struct writer {
	char *data; /* borrowed; NULL: count only */
	size_t len;
};

static inline size_t writer_varint_len(uint64_t v)
{
	unsigned bits = 64 - (unsigned)__builtin_clzll(v | 1);
	return (bits + 6) / 7;
}

/* The parts of a field. Inline, so that the tag of a known field folds into constants. */
static inline void writer_varint(struct writer *w, uint64_t v)
{
	if (!w->data) {
		w->len += writer_varint_len(v);
		return;
	}
	for (; v >= 0x80; v >>= 7)
		w->data[w->len++] = (char)(v | 0x80);
	w->data[w->len++] = (char)v;
}

enum writer_type { WRITER_VARINT = 0, WRITER_EIGHT = 1, WRITER_LENGTH = 2 };

static inline void writer_tag(struct writer *w, uint32_t field, enum writer_type type)
{
	writer_varint(w, (uint64_t)field << 3 | type);
}

static inline void writer_raw(struct writer *w, const void *data, size_t len)
{
	if (w->data && len)
		memcpy(w->data + w->len, data, len);
	w->len += len;
}

static inline void writer_eight(struct writer *w, uint64_t v)
{
	unsigned char little[8];
	for (unsigned i = 0; i < 8; i++)
		little[i] = (unsigned char)(v >> (8 * i));
	writer_raw(w, little, sizeof(little));
}

/* A message inside whose length is known; its fields follow. */
static inline void writer_begin_sized(struct writer *w, uint32_t field, size_t len)
{
	writer_tag(w, field, WRITER_LENGTH);
	writer_varint(w, len);
}

/* For fields that tell 0 from absent, and for elements of a list: written whatever the value is. */
static inline void writer_u64_present(struct writer *w, uint32_t field, uint64_t v)
{
	writer_tag(w, field, WRITER_VARINT);
	writer_varint(w, v);
}

static inline void writer_u64(struct writer *w, uint32_t field, uint64_t v)
{
	if (v)
		writer_u64_present(w, field, v);
}

static inline void writer_bool(struct writer *w, uint32_t field, bool v)
{
	writer_u64(w, field, v);
}

static inline void writer_fixed64(struct writer *w, uint32_t field, uint64_t v)
{
	if (!v)
		return;
	writer_tag(w, field, WRITER_EIGHT);
	writer_eight(w, v);
}

static inline void writer_bytes(struct writer *w, uint32_t field, struct str s)
{
	if (s.len == 0)
		return;
	writer_begin_sized(w, field, s.len);
	writer_raw(w, s.data, s.len);
}

static inline void writer_hash(struct writer *w, uint32_t field, const struct hash *h)
{
	writer_bytes(w, field, str_make(h->bytes, sizeof(h->bytes)));
}

void writer_text_present(struct writer *w, uint32_t field, struct str s);

static inline void writer_text(struct writer *w, uint32_t field, struct str s)
{
	if (s.len)
		writer_text_present(w, field, s);
}

void writer_double_present(struct writer *w, uint32_t field, double v);

/* Packed; an empty list is left out. `stride` is the distance of the elements in bytes. */
void writer_packed_u64(struct writer *w, uint32_t field, const uint64_t *v, size_t count, size_t stride);
void writer_packed_u32(struct writer *w, uint32_t field, const uint32_t *v, size_t count, size_t stride);
void writer_packed_fixed64(struct writer *w, uint32_t field, const uint64_t *v, size_t count, size_t stride);

/* A message inside, of unknown length: its fields are written between the two. Room is kept for a length of at least
 * `at_least`; a message whose length needs more bytes than that is moved up when its end is known. */
struct writer_mark {
	size_t at, room;
};
struct writer_mark writer_begin(struct writer *w, uint32_t field, size_t at_least);
void writer_end(struct writer *w, struct writer_mark mark);

#endif
