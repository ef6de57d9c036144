/* common/base/hash.h - BLAKE2b-256 for identity, through libsodium; the only user of crypto_generichash.
 *
 * A content hash is of canonical bytes and is the name of the content for ever. Not for hash tables (see map.h). */
#ifndef ASSAY_BASE_HASH_H
#define ASSAY_BASE_HASH_H

#include "common/base/buf.h"

enum { HASH_BYTES = 32, HASH_HEX_BYTES = 64 };

struct hash {
	uint8_t bytes[HASH_BYTES];
};

struct hash hash_of(struct str bytes);
struct hash hash_keyed(struct str key, struct str bytes); /* key: at most 64 bytes, longer is a bug */

struct hash_stream { /* several pieces; each is length-prefixed, so pieces cannot run together */
	_Alignas(64) uint8_t state[512];
};
void hash_begin(struct hash_stream *h);
void hash_add(struct hash_stream *h, struct str piece);
struct hash hash_end(struct hash_stream *h);

void hash_hex(struct hash h, char out[HASH_HEX_BYTES + 1]); /* lower case */
bool hash_from_hex(struct str hex, struct hash *ret_hash);
bool hash_eq(struct hash a, struct hash b);
uint32_t hash_crc32c(struct str bytes); /* Castagnoli; for record checksums on disk */

#endif
