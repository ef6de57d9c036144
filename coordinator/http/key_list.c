#include "coordinator/http/key_list.h"
#include "common/io/keys.h"
#include <string.h>

#define REVOKED "# revoked "

static bool split_line(struct str line, struct str *ret_name, struct str *ret_key)
{
	struct str rest = str_trim(line);
	if (rest.len == 0 || rest.data[0] == '#' || !str_split(&rest, ' ', ret_name))
		return false;
	*ret_key = str_trim(rest);
	return true;
}

bool key_list_next(struct str *rest, struct str *ret_name, struct str *ret_key)
{
	struct str line;
	while (str_split(rest, '\n', &line))
		if (split_line(line, ret_name, ret_key))
			return true;
	return false;
}

/* Letters, digits and "._-@:": what a log line, a path and a shell take as one word. */
static bool is_name(struct str name)
{
	bool good = name.len > 0 && name.len <= KEY_LIST_NAME_BYTES_MAX;
	for (size_t i = 0; i < name.len && good; i++) {
		char c = name.data[i];
		good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		       (c && strchr("._-@:", c));
	}
	return good;
}

static enum err_code check(struct str lines, struct str name, struct str key, struct error *reterr)
{
	uint8_t bytes[KEYS_BYTES], other[KEYS_BYTES];
	struct str old_name, old_key;
	if (!is_name(name))
		return error_set(reterr, ERR_INVALID,
		                 "name: '%.*s' is no name of a worker: 1 to %d letters, digits and . _ - @ :",
		                 STR_ARG(name), KEY_LIST_NAME_BYTES_MAX);
	if (!keys_from_text(key, bytes))
		return error_set(reterr, ERR_INVALID, "key: '%.*s' is no public key: 40 characters of Z85%s",
		                 STR_ARG(key), key.len == KEYS_TEXT_BYTES - 1 ? ", and one of these is none" : "");
	for (struct str rest = lines; key_list_next(&rest, &old_name, &old_key);)
		if (str_eq(name, old_name))
			return error_set(reterr, ERR_CONFLICT, "name: there is a key of '%.*s' already", STR_ARG(name));
	for (struct str rest = lines; key_list_next(&rest, &old_name, &old_key);)
		if (keys_from_text(old_key, other) && memcmp(bytes, other, KEYS_BYTES) == 0)
			return error_set(reterr, ERR_CONFLICT, "key: it is there already, as that of '%.*s'",
			                 STR_ARG(old_name));
	return ERR_OK;
}

/* The key is let in again: the lines that say it is revoked go. */
static void forget_revoked(struct buf *lines, struct str key)
{
	size_t at = 0;
	while (at < lines->len) {
		struct str rest = str_slice(buf_str(lines), at, lines->len), line;
		size_t before = rest.len;
		if (!str_split(&rest, '\n', &line))
			return;
		size_t len = before - rest.len;
		if (str_starts(line, STR(REVOKED)) && str_ends(str_trim(line), key)) {
			memmove(lines->data + at, lines->data + at + len, lines->len - at - len);
			lines->len -= len;
		} else {
			at += len;
		}
	}
}

enum err_code key_list_add(struct buf *lines, struct str name, struct str key, struct error *reterr)
{
	enum err_code err = check(buf_str(lines), name, key, reterr);
	if (err != ERR_OK)
		return err;
	forget_revoked(lines, key);
	if (lines->len && lines->data[lines->len - 1] != '\n')
		(void)buf_append_char(lines, '\n');
	if (buf_printf(lines, "%.*s %.*s\n", STR_ARG(name), STR_ARG(key)))
		return ERR_OK;
	return error_set(reterr, ERR_LIMIT, "the list of keys is full: %d bytes", KEY_LIST_BYTES_MAX);
}

bool key_list_remove(struct str lines, struct str name, struct buf *kept)
{
	struct str line, old_name, old_key;
	bool found = false;
	while (str_split(&lines, '\n', &line)) {
		if (split_line(line, &old_name, &old_key) && str_eq(name, old_name))
			found = buf_printf(kept, REVOKED "%.*s %.*s\n", STR_ARG(old_name), STR_ARG(old_key));
		else if (line.len)
			(void)(buf_append_str(kept, line) &&
			       buf_append_char(kept, '\n')); /* never longer than `lines` */
	}
	return found;
}
