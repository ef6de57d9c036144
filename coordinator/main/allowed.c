#include "coordinator/main/allowed.h"
#include <string.h>

static enum err_code parse_line(struct str line, const char *file, unsigned line_no, struct arena *arena,
                                struct zsock_zap_key *ret_key, struct error *reterr)
{
	struct str rest = line, name = { 0 }, key = { 0 };
	(void)str_split(&rest, ' ', &name); /* an empty line never comes here */
	key = str_trim(rest);
	if (name.len == 0 || name.len > ALLOWED_NAME_BYTES_MAX)
		return error_set(reterr, ERR_INVALID, "%s:%u: a name of 1 to %d bytes must come first", file, line_no,
		                 ALLOWED_NAME_BYTES_MAX);
	if (!keys_from_text(key, ret_key->key.bytes))
		return error_set(reterr, ERR_INVALID,
		                 "%s:%u: after the name '%.*s' must come a public key of 40 characters (Z85)", file,
		                 line_no, STR_ARG(name));
	ret_key->name = arena_str(arena, name);
	return ERR_OK;
}

enum err_code allowed_parse(struct str text, const char *name, struct arena *arena, struct zsock_zap_key **ret_keys,
                            size_t *ret_count, struct error *reterr)
{
	size_t lines = 1, count = 0;
	unsigned line_no = 0;
	for (size_t i = 0; i < text.len; i++)
		lines += text.data[i] == '\n';
	struct zsock_zap_key *keys = arena_new(arena, lines, sizeof(*keys));
	struct str line;
	while (str_split(&text, '\n', &line)) {
		line_no++;
		line = str_trim(line);
		if (line.len == 0 || line.data[0] == '#')
			continue;
		enum err_code err = parse_line(line, name, line_no, arena, &keys[count], reterr);
		if (err != ERR_OK)
			return err;
		for (size_t i = 0; i < count; i++) {
			if (str_eq(keys[i].name, keys[count].name))
				return error_set(reterr, ERR_INVALID, "%s:%u: '%.*s' stands twice", name, line_no,
				                 STR_ARG(keys[i].name));
			if (memcmp(keys[i].key.bytes, keys[count].key.bytes, KEYS_BYTES) == 0)
				return error_set(reterr, ERR_INVALID, "%s:%u: the key of '%.*s' stands twice", name,
				                 line_no, STR_ARG(keys[i].name));
		}
		count++;
	}
	*ret_keys = keys;
	*ret_count = count;
	return ERR_OK;
}
