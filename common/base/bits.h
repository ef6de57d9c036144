/* common/base/bits.h - a fixed-size set of small numbers, one bit each, with its count kept.
 *
 * Owns its words (mem_new); one thread. Bytes on the wire and in the database are little-endian, bit i in byte i/8. */
#ifndef ASSAY_BASE_BITS_H
#define ASSAY_BASE_BITS_H

#include "common/base/str.h"

struct bits {
	uint64_t *words;
	uint64_t len;   /* bits */
	uint64_t count; /* bits set */
};

void bits_init(struct bits *b, uint64_t len);
void bits_done(struct bits *b);
void bits_resize(struct bits *b, uint64_t len); /* keeps what is set below the new length */
bool bits_get(const struct bits *b, uint64_t i);
bool bits_set(struct bits *b, uint64_t i);                       /* true if it was clear */
bool bits_clear(struct bits *b, uint64_t i);                     /* true if it was set */
void bits_set_range(struct bits *b, uint64_t from, uint64_t to); /* [from, to) */
uint64_t bits_next_clear(const struct bits *b, uint64_t from);   /* len when there is none */
uint64_t bits_next_set(const struct bits *b, uint64_t from);     /* len when there is none */
size_t bits_byte_len(uint64_t len);
void bits_to_bytes(const struct bits *b, uint8_t *out); /* bits_byte_len(len) bytes */
void bits_or_bytes(struct bits *b, struct str bytes);   /* bits past `len` are ignored */

/* Bits inside plain bytes, as they stand in a frame. Out of range reads as clear. */
bool bits_in(struct str bytes, uint64_t i);
void bits_put(uint8_t *bytes, uint64_t i);

#endif
