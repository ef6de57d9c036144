/* common/wire/writer.h - writes protobuf's bytes: first counting only, then for real, by the same code.
 *
 * A writer without memory counts. With memory it writes where the count said there is room. Defaults (0, empty) are
 * left out, as proto3 wants it; fields must come in the order of their numbers, so that the bytes are those that
 * protobuf-c would write. Text is repaired on the way (text.h). Pure; one thread. */
#ifndef ASSAY_WIRE_WRITER_H
#define ASSAY_WIRE_WRITER_H

#include "common/base/hash.h"
#include "common/base/str.h"

struct writer {
	char *data; /* borrowed; NULL: count only */
	size_t len;
};

void writer_u64(struct writer *w, uint32_t field, uint64_t v);
void writer_bool(struct writer *w, uint32_t field, bool v);
void writer_fixed64(struct writer *w, uint32_t field, uint64_t v);
void writer_bytes(struct writer *w, uint32_t field, struct str s);
void writer_text(struct writer *w, uint32_t field, struct str s);
void writer_hash(struct writer *w, uint32_t field, const struct hash *h);

/* For fields that tell 0 from absent, and for elements of a list: written whatever the value is. */
void writer_u64_present(struct writer *w, uint32_t field, uint64_t v);
void writer_double_present(struct writer *w, uint32_t field, double v);
void writer_text_present(struct writer *w, uint32_t field, struct str s);

/* Packed; an empty list is left out. `stride` is the distance of the elements in bytes. */
void writer_packed_u64(struct writer *w, uint32_t field, const uint64_t *v, size_t count, size_t stride);
void writer_packed_u32(struct writer *w, uint32_t field, const uint32_t *v, size_t count, size_t stride);
void writer_packed_fixed64(struct writer *w, uint32_t field, const uint64_t *v, size_t count, size_t stride);

/* A message inside: its fields are written between the two; *mark is from begin. */
size_t writer_begin(struct writer *w, uint32_t field);
void writer_end(struct writer *w, size_t mark);

/* The same when the length of the inner message is known already. */
void writer_begin_sized(struct writer *w, uint32_t field, size_t len);

#endif
