#include "coordinator/http/bundle.h"

static bool read_header(struct str *body, struct str *ret_name, uint64_t *ret_len)
{
	struct str line, word, length;
	ptrdiff_t end = str_find_char(*body, '\n');
	if (end < 0)
		return false;
	line = str_slice(*body, 0, (size_t)end);
	*body = str_slice(*body, (size_t)end + 1, body->len);
	if (!str_split(&line, ' ', &word) || !str_eq_c(word, "file") || !str_split(&line, ' ', &length) ||
	    !str_to_u64(length, ret_len) || line.len == 0)
		return false;
	*ret_name = line;
	return true;
}

enum err_code bundle_read(struct str body, struct bundle *ret_bundle, struct error *reterr)
{
	ret_bundle->count = 0;
	while (body.len) {
		struct str name;
		uint64_t len;
		size_t i = ret_bundle->count;
		if (i == BUNDLE_FILES_MAX)
			return error_set(reterr, ERR_LIMIT, "a bundle holds at most %d files", BUNDLE_FILES_MAX);
		if (!read_header(&body, &name, &len) || len > body.len)
			return error_set(reterr, ERR_INVALID,
			                 "file %zu of the bundle: expected 'file LENGTH NAME', a line end and "
			                 "LENGTH bytes",
			                 i + 1);
		ret_bundle->names[i] = name;
		ret_bundle->contents[i] = str_slice(body, 0, (size_t)len);
		ret_bundle->count++;
		body = str_slice(body, (size_t)len, body.len);
	}
	if (ret_bundle->count == 0)
		return error_set(reterr, ERR_INVALID, "the bundle is empty");
	return ERR_OK;
}

bool bundle_find(const struct bundle *b, struct str name, struct str *ret_content)
{
	for (size_t i = 0; i < b->count; i++)
		if (str_eq(b->names[i], name)) {
			*ret_content = b->contents[i];
			return true;
		}
	return false;
}
