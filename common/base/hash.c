#include "common/base/hash.h"
#include "common/base/check.h"
#include <sodium.h>
#include <string.h>

_Static_assert(sizeof(crypto_generichash_state) <= sizeof(struct hash_stream), "the state must fit");
_Static_assert(_Alignof(crypto_generichash_state) <= _Alignof(struct hash_stream), "and be aligned");
_Static_assert(HASH_BYTES >= crypto_generichash_BYTES_MIN && HASH_BYTES <= crypto_generichash_BYTES_MAX,
               "a size of it");

/* crypto_generichash needs no sodium_init(): without it the portable code runs, with the same results. */
static struct hash generic(struct str key, struct str bytes)
{
	struct hash h;
	int rc = crypto_generichash(h.bytes, sizeof(h.bytes), (const uint8_t *)bytes.data, bytes.len,
	                            (const uint8_t *)key.data, key.len);
	check(rc == 0); /* fails for sizes that are out of range only */
	return h;
}

struct hash hash_of(struct str bytes)
{
	return generic((struct str){ NULL, 0 }, bytes);
}

struct hash hash_keyed(struct str key, struct str bytes)
{
	check_msg(key.len <= crypto_generichash_KEYBYTES_MAX, "a key of %zu bytes", key.len);
	return generic(key, bytes);
}

static crypto_generichash_state *state_of(struct hash_stream *h)
{
	return (crypto_generichash_state *)(void *)h->state;
}

void hash_begin(struct hash_stream *h)
{
	int rc = crypto_generichash_init(state_of(h), NULL, 0, HASH_BYTES);
	check(rc == 0);
}

void hash_add(struct hash_stream *h, struct str piece)
{
	uint8_t len[8];
	for (size_t i = 0; i < sizeof(len); i++)
		len[i] = (uint8_t)((uint64_t)piece.len >> (8 * i));
	int rc = crypto_generichash_update(state_of(h), len, sizeof(len));
	check(rc == 0);
	rc = crypto_generichash_update(state_of(h), (const uint8_t *)piece.data, piece.len);
	check(rc == 0);
}

struct hash hash_end(struct hash_stream *h)
{
	struct hash result;
	int rc = crypto_generichash_final(state_of(h), result.bytes, sizeof(result.bytes));
	check(rc == 0);
	return result;
}

void hash_hex(struct hash h, char out[HASH_HEX_BYTES + 1])
{
	static const char digits[] = "0123456789abcdef";
	for (size_t i = 0; i < HASH_BYTES; i++) {
		out[2 * i] = digits[h.bytes[i] >> 4];
		out[2 * i + 1] = digits[h.bytes[i] & 15];
	}
	out[HASH_HEX_BYTES] = '\0';
}

static int digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool hash_from_hex(struct str hex, struct hash *ret_hash)
{
	struct hash h;
	if (hex.len != HASH_HEX_BYTES)
		return false;
	for (size_t i = 0; i < HASH_BYTES; i++) {
		int high = digit_of(hex.data[2 * i]), low = digit_of(hex.data[2 * i + 1]);
		if (high < 0 || low < 0)
			return false;
		h.bytes[i] = (uint8_t)(high << 4 | low);
	}
	*ret_hash = h;
	return true;
}

bool hash_eq(struct hash a, struct hash b)
{
	return sodium_memcmp(a.bytes, b.bytes, HASH_BYTES) == 0; /* keyed hashes guard tokens: no early exit */
}

/* ---- CRC-32C, eight bytes a step ---- */

/* CRC is linear over exclusive or: an entry is the sum of the entries of its bits. So eight numbers spell a table;
 * table k is that of a byte with k zero bytes behind it. */
// clang-format off
#define ENTRY(i, a, b, c, d, e, f, g, h)                                                        \
	(((i) & 1 ? a : 0u) ^ ((i) & 2 ? b : 0u) ^ ((i) & 4 ? c : 0u) ^ ((i) & 8 ? d : 0u) ^    \
	 ((i) & 16 ? e : 0u) ^ ((i) & 32 ? f : 0u) ^ ((i) & 64 ? g : 0u) ^ ((i) & 128 ? h : 0u))
#define ENTRIES_4(i, ...) \
	ENTRY(i, __VA_ARGS__), ENTRY((i) + 1, __VA_ARGS__), ENTRY((i) + 2, __VA_ARGS__), ENTRY((i) + 3, __VA_ARGS__)
#define ENTRIES_16(i, ...) \
	ENTRIES_4(i, __VA_ARGS__), ENTRIES_4((i) + 4, __VA_ARGS__), \
	ENTRIES_4((i) + 8, __VA_ARGS__), ENTRIES_4((i) + 12, __VA_ARGS__)
#define ENTRIES_64(i, ...) \
	ENTRIES_16(i, __VA_ARGS__), ENTRIES_16((i) + 16, __VA_ARGS__), \
	ENTRIES_16((i) + 32, __VA_ARGS__), ENTRIES_16((i) + 48, __VA_ARGS__)
#define TABLE(...) \
	{ ENTRIES_64(0, __VA_ARGS__), ENTRIES_64(64, __VA_ARGS__), \
	  ENTRIES_64(128, __VA_ARGS__), ENTRIES_64(192, __VA_ARGS__) }

static const uint32_t crc_tables[8][256] = {
	TABLE(0xF26B8303, 0xE13B70F7, 0xC79A971F, 0x8AD958CF, 0x105EC76F, 0x20BD8EDE, 0x417B1DBC, 0x82F63B78),
	TABLE(0x13A29877, 0x274530EE, 0x4E8A61DC, 0x9D14C3B8, 0x3FC5F181, 0x7F8BE302, 0xFF17C604, 0xFBC3FAF9),
	TABLE(0xA541927E, 0x4F6F520D, 0x9EDEA41A, 0x38513EC5, 0x70A27D8A, 0xE144FB14, 0xC76580D9, 0x8B277743),
	TABLE(0xDD45AAB8, 0xBF672381, 0x7B2231F3, 0xF64463E6, 0xE964B13D, 0xD725148B, 0xABA65FE7, 0x52A0C93F),
	TABLE(0x38116FAC, 0x7022DF58, 0xE045BEB0, 0xC5670B91, 0x8F2261D3, 0x1BA8B557, 0x37516AAE, 0x6EA2D55C),
	TABLE(0xEF306B19, 0xDB8CA0C3, 0xB2F53777, 0x6006181F, 0xC00C303E, 0x85F4168D, 0x0E045BEB, 0x1C08B7D6),
	TABLE(0x68032CC8, 0xD0065990, 0xA5E0C5D1, 0x4E2DFD53, 0x9C5BFAA6, 0x3D5B83BD, 0x7AB7077A, 0xF56E0EF4),
	TABLE(0x493C7D27, 0x9278FA4E, 0x211D826D, 0x423B04DA, 0x847609B4, 0x0D006599, 0x1A00CB32, 0x34019664),
};
// clang-format on

static uint64_t read_le64(const unsigned char *p)
{
	uint64_t value = 0;
	for (unsigned i = 0; i < 8; i++)
		value |= (uint64_t)p[i] << (8 * i);
	return value;
}

uint32_t hash_crc32c(struct str bytes)
{
	uint32_t crc = UINT32_MAX;
	const unsigned char *p = (const unsigned char *)bytes.data;
	size_t left = bytes.len;
	for (; left >= 8; left -= 8, p += 8) {
		uint64_t word = read_le64(p) ^ crc;
		crc = 0;
		for (unsigned i = 0; i < 8; i++)
			crc ^= crc_tables[7 - i][word >> (8 * i) & 0xFF];
	}
	for (; left > 0; left--, p++)
		crc = crc >> 8 ^ crc_tables[0][(crc ^ *p) & 0xFF];
	return ~crc;
}
