#include "common/io/keys.h"
#include "common/io/fs.h"
#include <sodium.h>
#include <string.h>
#include <unistd.h>

enum err_code keys_init(struct error *reterr)
{
	return sodium_init() < 0 ? error_set(reterr, ERR_IO, "libsodium does not start") : ERR_OK;
}

void keys_pair_new(struct keys_pair *out)
{
	(void)crypto_box_keypair(out->public_key.bytes, out->secret); /* always 0 */
}

void keys_pair_done(struct keys_pair *p)
{
	sodium_memzero(p, sizeof(*p));
}

/* Z85 (rfc.zeromq.org/spec/32): 4 bytes are 5 digits of base 85, most significant first. */
static const char z85_digits[] =
	"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";

void keys_text(const uint8_t bytes[KEYS_BYTES], char out[KEYS_TEXT_BYTES])
{
	for (size_t i = 0; i < KEYS_BYTES / 4; i++) {
		const uint8_t *b = bytes + 4 * i;
		uint32_t value = (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
		for (size_t digit = 5; digit-- > 0; value /= 85)
			out[5 * i + digit] = z85_digits[value % 85];
	}
	out[KEYS_TEXT_BYTES - 1] = '\0';
}

bool keys_from_text(struct str text, uint8_t out[KEYS_BYTES])
{
	if (text.len != KEYS_TEXT_BYTES - 1)
		return false;
	for (size_t i = 0; i < KEYS_BYTES / 4; i++) {
		uint64_t value = 0;
		for (size_t digit = 0; digit < 5; digit++) {
			char c = text.data[5 * i + digit];
			const char *at = c ? strchr(z85_digits, c) : NULL;
			if (!at)
				return false;
			value = value * 85 + (uint64_t)(at - z85_digits);
		}
		if (value > UINT32_MAX)
			return false;
		for (size_t b = 0; b < 4; b++)
			out[4 * i + b] = (uint8_t)(value >> (24 - 8 * b));
	}
	return true;
}

static const char first_line[] = "assay key pair 1";

enum err_code keys_pair_save(const struct keys_pair *p, const char *path, struct error *reterr)
{
	char public_text[KEYS_TEXT_BYTES], secret_text[KEYS_TEXT_BYTES], file[256];
	keys_text(p->public_key.bytes, public_text);
	keys_text(p->secret, secret_text);
	int len = snprintf(file, sizeof(file), "%s\npublic %s\nsecret %s\n", first_line, public_text, secret_text);
	enum err_code err = fs_write_atomic(path, str_make(file, (size_t)len), 0600, reterr);
	sodium_memzero(file, sizeof(file));
	sodium_memzero(secret_text, sizeof(secret_text));
	return err;
}

/* A secret that others can read is no secret: better to stop than to go on with it. */
static enum err_code read_private(const char *path, struct buf *out, struct error *reterr)
{
	struct fs_info info;
	struct fs_path target;
	enum err_code err = fs_real_path(path, &target, reterr); /* a mounted secret is often a link */
	if (err == ERR_OK)
		err = fs_info(target.text, &info, reterr);
	if (err != ERR_OK)
		return err;
	if (info.mode & 077)
		return error_set(reterr, ERR_DENIED, "'%s' may be read by others (mode %03o); do: chmod 600 '%s'", path,
		                 (unsigned)(info.mode & 0777), path);
	if (info.uid != geteuid() && info.uid != 0)
		return error_set(reterr, ERR_DENIED, "'%s' belongs to user %ld, not to us", path, (long)info.uid);
	return fs_read(target.text, out, reterr);
}

static bool take_key(struct str *rest, const char *name, uint8_t out[KEYS_BYTES])
{
	struct str line, word;
	return str_split(rest, '\n', &line) && str_split(&line, ' ', &word) && str_eq_c(word, name) &&
	       keys_from_text(line, out);
}

enum err_code keys_pair_load(const char *path, struct keys_pair *ret_pair, struct error *reterr)
{
	struct buf file;
	buf_init(&file, 1024);
	enum err_code err = read_private(path, &file, reterr);
	struct keys_pair pair;
	uint8_t public_again[KEYS_BYTES];
	struct str rest = buf_str(&file), line;
	if (err == ERR_OK) {
		bool good = str_split(&rest, '\n', &line) && str_eq_c(line, first_line) &&
		            take_key(&rest, "public", pair.public_key.bytes) &&
		            take_key(&rest, "secret", pair.secret) && str_trim(rest).len == 0 &&
		            crypto_scalarmult_base(public_again, pair.secret) == 0 &&
		            memcmp(public_again, pair.public_key.bytes, KEYS_BYTES) == 0;
		if (good)
			*ret_pair = pair;
		else
			err = error_set(reterr, ERR_CORRUPT, "'%s' is not a key pair file of assay, or was changed",
			                path);
	} else if (err == ERR_LIMIT) {
		err = error_set(reterr, ERR_CORRUPT, "'%s' is not a key pair file of assay: too long", path);
	}
	if (file.data)
		sodium_memzero(file.data, file.cap);
	sodium_memzero(&pair, sizeof(pair));
	buf_done(&file);
	return err;
}

enum err_code keys_pair_load_or_new(const char *path, struct keys_pair *ret_pair, struct error *reterr)
{
	if (fs_exists(path))
		return keys_pair_load(path, ret_pair, reterr);
	struct keys_pair pair;
	keys_pair_new(&pair);
	enum err_code err = keys_pair_save(&pair, path, reterr);
	if (err == ERR_OK)
		*ret_pair = pair;
	keys_pair_done(&pair);
	return err;
}

enum err_code keys_secret_read(const char *path, struct buf *out, struct error *reterr)
{
	size_t before = out->len;
	enum err_code err = read_private(path, out, reterr);
	if (err != ERR_OK)
		return err;
	struct str secret = str_trim(str_slice(buf_str(out), before, out->len));
	if (secret.len == 0 || str_find_char(secret, '\n') >= 0 || str_find_char(secret, '\0') >= 0)
		return error_set(reterr, ERR_CORRUPT, "'%s' must hold exactly one line", path);
	memmove(out->data + before, secret.data, secret.len);
	sodium_memzero(out->data + before + secret.len, out->len - before - secret.len);
	out->len = before + secret.len;
	out->data[out->len] = '\0';
	return ERR_OK;
}

void keys_random(void *out, size_t len)
{
	randombytes_buf(out, len);
}

uint64_t keys_random_u64(void)
{
	uint64_t value;
	randombytes_buf(&value, sizeof(value));
	return value;
}

void keys_token_new(char out[KEYS_TOKEN_BYTES])
{
	static const char prefix[] = "assay_";
	uint8_t bytes[KEYS_BYTES];
	randombytes_buf(bytes, sizeof(bytes));
	memcpy(out, prefix, sizeof(prefix) - 1);
	(void)sodium_bin2base64(out + sizeof(prefix) - 1, KEYS_TOKEN_BYTES - (sizeof(prefix) - 1), bytes, sizeof(bytes),
	                        sodium_base64_VARIANT_URLSAFE_NO_PADDING); /* 43 characters and NUL: it fits */
	sodium_memzero(bytes, sizeof(bytes));
}

struct hash keys_token_hash(struct str token)
{
	return hash_of(token);
}

bool keys_equal(struct str a, struct str b)
{
	return a.len == b.len && (a.len == 0 || sodium_memcmp(a.data, b.data, a.len) == 0);
}

void keys_wipe(void *data, size_t len)
{
	sodium_memzero(data, len);
}
