/* common/io/keys.h - key pairs, tokens and random bytes, all from libsodium.
 *
 * A pair is a CURVE (X25519) key pair as ZeroMQ uses it; its text is Z85, 40 characters. Secret keys live in files of
 * mode 0600 that are refused when anybody else may read them. Call keys_init() once at start. Any thread. */
#ifndef ASSAY_IO_KEYS_H
#define ASSAY_IO_KEYS_H

#include "common/base/buf.h"
#include "common/base/error.h"
#include "common/base/hash.h"

enum { KEYS_BYTES = 32, KEYS_TEXT_BYTES = 41 /* with NUL */, KEYS_TOKEN_BYTES = 50 /* with NUL */ };

struct keys_public {
	uint8_t bytes[KEYS_BYTES];
};

struct keys_pair {
	struct keys_public public_key;
	uint8_t secret[KEYS_BYTES];
};

enum err_code keys_init(struct error *reterr) MUST_CHECK;

void keys_pair_new(struct keys_pair *out);
void keys_pair_done(struct keys_pair *p); /* wipes */

/* One file for the pair, 0600, written atomically. Loading checks that the public key belongs to the secret one.
 * ERR_DENIED: others may read it, or it is not ours; ERR_CORRUPT: not such a file; ERR_NOT_FOUND. */
enum err_code keys_pair_save(const struct keys_pair *p, const char *path, struct error *reterr) MUST_CHECK;
enum err_code keys_pair_load(const char *path, struct keys_pair *ret_pair, struct error *reterr) MUST_CHECK;
enum err_code keys_pair_load_or_new(const char *path, struct keys_pair *ret_pair, struct error *reterr) MUST_CHECK;

void keys_text(const uint8_t bytes[KEYS_BYTES], char out[KEYS_TEXT_BYTES]);
bool keys_from_text(struct str text, uint8_t out[KEYS_BYTES]);

/* Reads a one-line secret (token, API key) of at most out->max bytes, without the line end; refused as above. */
enum err_code keys_secret_read(const char *path, struct buf *out, struct error *reterr) MUST_CHECK;

void keys_random(void *out, size_t len);
uint64_t keys_random_u64(void);
void keys_token_new(char out[KEYS_TOKEN_BYTES]); /* "assay_" and 256 random bits in base64url */
struct hash keys_token_hash(struct str token);   /* what is stored instead of the token */
bool keys_equal(struct str a, struct str b);     /* takes as long whatever the bytes are; lengths are no secret */
void keys_wipe(void *data, size_t len);

#endif
