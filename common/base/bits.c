#include "common/base/bits.h"
#include "common/base/check.h"
#include "common/base/mem.h"
#include <string.h>

#define LEN_MAX (UINT64_C(1) << 48) /* far from any overflow below */

static size_t word_count(uint64_t len)
{
	return (size_t)((len + 63) / 64);
}

void bits_init(struct bits *b, uint64_t len)
{
	check_msg(len <= LEN_MAX, "%llu bits", (unsigned long long)len);
	*b = (struct bits){ .words = mem_new(word_count(len), sizeof(uint64_t)), .len = len };
}

void bits_done(struct bits *b)
{
	mem_free(b->words);
	*b = (struct bits){ 0 };
}

/* The builtin would be a call into the compiler's library. Source: Warren, Hacker's Delight, 5-1. */
static uint64_t count_ones(uint64_t x)
{
	x -= x >> 1 & 0x5555555555555555u;
	x = (x & 0x3333333333333333u) + (x >> 2 & 0x3333333333333333u);
	x = (x + (x >> 4)) & 0x0F0F0F0F0F0F0F0Fu;
	return x * 0x0101010101010101u >> 56;
}

static void recount(struct bits *b)
{
	b->count = 0;
	for (size_t w = 0; w < word_count(b->len); w++)
		b->count += count_ones(b->words[w]);
}

void bits_resize(struct bits *b, uint64_t len)
{
	struct bits grown;
	bits_init(&grown, len);
	size_t words = MIN_OF(word_count(len), word_count(b->len));
	if (words)
		memcpy(grown.words, b->words, words * sizeof(uint64_t));
	if (len < b->len && len % 64)
		grown.words[len / 64] &= (UINT64_C(1) << (len % 64)) - 1;
	bits_done(b);
	*b = grown;
	recount(b);
}

bool bits_get(const struct bits *b, uint64_t i)
{
	check_msg(i < b->len, "bit %llu of %llu", (unsigned long long)i, (unsigned long long)b->len);
	return b->words[i / 64] >> (i % 64) & 1;
}

bool bits_set(struct bits *b, uint64_t i)
{
	if (bits_get(b, i))
		return false;
	b->words[i / 64] |= UINT64_C(1) << (i % 64);
	b->count++;
	return true;
}

bool bits_clear(struct bits *b, uint64_t i)
{
	if (!bits_get(b, i))
		return false;
	b->words[i / 64] &= ~(UINT64_C(1) << (i % 64));
	b->count--;
	return true;
}

void bits_set_range(struct bits *b, uint64_t from, uint64_t to)
{
	check(from <= to && to <= b->len);
	uint64_t i = from;
	for (; i < to && i % 64; i++)
		(void)bits_set(b, i);
	for (; i + 64 <= to; i += 64) {
		b->count += 64 - count_ones(b->words[i / 64]);
		b->words[i / 64] = UINT64_MAX;
	}
	for (; i < to; i++)
		(void)bits_set(b, i);
}

static uint64_t next_one(const struct bits *b, uint64_t from, uint64_t flip)
{
	if (from >= b->len)
		return b->len;
	size_t w = (size_t)(from / 64);
	uint64_t word = (b->words[w] ^ flip) & (UINT64_MAX << (from % 64));
	while (word == 0) {
		if (++w >= word_count(b->len))
			return b->len;
		word = b->words[w] ^ flip;
	}
	uint64_t at = (uint64_t)w * 64 + (uint64_t)__builtin_ctzll(word);
	return MIN_OF(at, b->len);
}

uint64_t bits_next_clear(const struct bits *b, uint64_t from)
{
	return next_one(b, from, UINT64_MAX);
}

uint64_t bits_next_set(const struct bits *b, uint64_t from)
{
	return next_one(b, from, 0);
}

size_t bits_byte_len(uint64_t len)
{
	return (size_t)((len + 7) / 8);
}

void bits_to_bytes(const struct bits *b, uint8_t *out)
{
	for (size_t i = 0; i < bits_byte_len(b->len); i++)
		out[i] = (uint8_t)(b->words[i / 8] >> (i % 8 * 8));
}

void bits_or_bytes(struct bits *b, struct str bytes)
{
	size_t n = MIN_OF(bytes.len, bits_byte_len(b->len));
	for (size_t i = 0; i < n; i++)
		b->words[i / 8] |= (uint64_t)(uint8_t)bytes.data[i] << (i % 8 * 8);
	if (b->len % 64 && b->len)
		b->words[b->len / 64] &= (UINT64_C(1) << (b->len % 64)) - 1;
	recount(b);
}

bool bits_in(struct str bytes, uint64_t i)
{
	return i / 8 < bytes.len && ((uint8_t)bytes.data[i / 8] >> (i % 8) & 1);
}

void bits_put(uint8_t *bytes, uint64_t i)
{
	bytes[i / 8] = (uint8_t)(bytes[i / 8] | 1u << (i % 8));
}
