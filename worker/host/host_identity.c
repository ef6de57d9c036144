#include "worker/host/host_identity.h"
#include "common/base/hash.h"
#include "common/base/json.h"
#include <string.h>

enum { SHOWN_DIGITS = 12 };

static struct str file_name(struct str path)
{
	for (size_t i = path.len; i > 0; i--)
		if (path.data[i - 1] == '/')
			return str_slice(path, i, path.len);
	return path;
}

static bool add_text(struct hash_stream *h, struct str text)
{
	hash_add(h, text);
	return text.len > 0;
}

static bool add_props(struct hash_stream *h, const struct json *props)
{
	static const char *const fields[] = { "build_info", "model_alias", "chat_template", "bos_token", "eos_token" };
	bool said = add_text(h, file_name(json_str_or(json_get(props, "model_path"), STR(""))));
	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		said |= add_text(h, json_str_or(json_get(props, fields[i]), STR("")));
	return said;
}

static bool add_models(struct hash_stream *h, const struct json *models)
{
	const struct json *list = json_get(models, "data");
	bool said = false;
	for (size_t i = 0; i < json_len(list); i++)
		said |= add_text(h, json_str_or(json_get(json_at(list, i), "id"), STR("")));
	return said;
}

static bool hash_body(struct str body, bool (*add)(struct hash_stream *, const struct json *), struct hash *ret_hash)
{
	struct json_doc *doc;
	struct error ignored; /* a body that is not JSON says nothing */
	struct hash_stream h;
	if (json_parse(body, &doc, &ignored))
		return false;
	hash_begin(&h);
	bool said = add(&h, json_root(doc));
	*ret_hash = hash_end(&h);
	json_free(doc);
	return said;
}

bool host_identity(struct str name, struct str props, struct str models, struct buf *out)
{
	struct hash hash;
	char hex[HASH_HEX_BYTES + 1];
	if (!hash_body(props, add_props, &hash) && !hash_body(models, add_models, &hash))
		return false;
	hash_hex(hash, hex);
	return buf_printf(out, "%.*s:%.*s", STR_ARG(name), SHOWN_DIGITS, hex);
}
