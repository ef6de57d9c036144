#include "coordinator/catalog/model_spec.h"
#include "common/base/json_write.h"
#include "common/base/map.h"
#include "common/base/yaml.h"
#include "coordinator/catalog/model_url.h"
#include "coordinator/catalog/words.h"
#include <stdio.h>
#include <string.h>

enum { CONFIG_BYTES_MAX = 1 << 20, FIELD_BYTES = 160, ALIAS_BYTES_MAX = 64, SHOWN_BYTES = 60 };
#define SCHEMA "assay.models.v1"

static const char *const model_keys[] = { "name",   "provider", "base_url",       "model",     "host", "key",
	                                  "params", "limits",   "price_per_mtok", "timeout_s", NULL };
static const char *const host_keys[] = { "command", "health", "ready_s", "slots", NULL };
static const char *const limit_keys[] = { "requests_per_min", "tokens_per_min", "concurrency", NULL };
static const char *const price_keys[] = { "input", "cached", "output", NULL };
static const char *const providers[] = { "openai", "openai_completions", NULL };

/* Names that people know and that this version does not speak. */
static const char *const absent_providers[] = { "openai_responses", "anthropic", "gemini",  "ollama",
	                                        "llamacpp",         "http",      "command", NULL };

/* Parameters that are not the model file's to set. */
static const struct {
	const char *key, *why;
} owned_params[] = {
	{ "model", "is the entry's own `model`" },
	{ "messages", "comes from the suite" },
	{ "prompt", "comes from the suite" },
	{ "n", "would pay for answers that nobody reads; use epochs" },
	{ "echo", "is not an answer" },
	{ "stream_options", "is set by `stream`" },
	{ "max_completion_tokens", "is written as max_tokens (and max_tokens_field when the name matters)" },
	{ "api_key", "is a secret; name an alias in `key`" },
	{ "apikey", "is a secret; name an alias in `key`" },
	{ "authorization", "is a secret; name an alias in `key`" },
	{ "password", "is a secret; name an alias in `key`" },
	{ "secret", "is a secret; name an alias in `key`" },
	{ "access_token", "is a secret; name an alias in `key`" },
};

struct reader {
	const struct yaml_doc *doc;
	struct arena *arena;
	struct json_write w;
	struct buf text;
	char entry[FIELD_BYTES]; /* "models[2]" */
	struct error *reterr;
};

static struct str shown(struct str s)
{
	return str_slice(s, 0, SHOWN_BYTES);
}

static enum err_code no_memory(struct reader *r)
{
	return error_set(r->reterr, ERR_LIMIT, "%s: the models do not fit into memory", yaml_name(r->doc));
}

static enum err_code keep(struct reader *r, struct str s, struct str *ret_copy)
{
	char *copy = arena_try_alloc(r->arena, s.len + 1, 1);
	if (!copy)
		return no_memory(r);
	if (s.len)
		memcpy(copy, s.data, s.len);
	copy[s.len] = '\0';
	*ret_copy = str_make(copy, s.len);
	return ERR_OK;
}

/* The names of fields are short constants. */
struct field {
	char text[FIELD_BYTES * 2];
};

static struct field field_of(const struct reader *r, const char *key)
{
	struct field f;
	(void)snprintf(f.text, sizeof(f.text), "%s.%s", r->entry, key);
	return f;
}

/* ---- texts ---- */

static enum err_code want_text(struct reader *r, const struct yaml *map, const char *key, struct str *ret_text)
{
	struct field f = field_of(r, key);
	struct str text;
	enum err_code err = yaml_want_str(r->doc, yaml_get(map, key), f.text, &text, r->reterr);
	if (err)
		return err;
	for (size_t i = 0; i < text.len; i++)
		if ((unsigned char)text.data[i] < 0x20 || text.data[i] == 0x7F)
			return yaml_fail(r->doc, yaml_get(map, key), r->reterr, "%s must not hold control characters",
			                 f.text);
	if (text.len == 0 || text.len > 2000)
		return yaml_fail(r->doc, yaml_get(map, key), r->reterr, "%s must have 1 to 2000 bytes", f.text);
	return keep(r, text, ret_text);
}

static enum err_code read_name(struct reader *r, const struct yaml *v, struct model_spec *m)
{
	enum err_code err = want_text(r, v, "name", &m->name);
	if (!err && !words_is_name(m->name, "._-:", MODEL_SPEC_NAME_BYTES_MAX))
		err = yaml_fail(
			r->doc, yaml_get(v, "name"), r->reterr,
			"%s.name must begin with a letter or digit and have at most %d of these, '.', '_', '-' and ':'",
			r->entry, MODEL_SPEC_NAME_BYTES_MAX);
	if (!err)
		json_write_field_str(&r->w, "name", m->name);
	return err;
}

static enum err_code read_provider(struct reader *r, const struct yaml *v, struct model_spec *m)
{
	const struct yaml *node = yaml_get(v, "provider");
	char advice[WORDS_ADVICE_BYTES];
	enum err_code err = want_text(r, v, "provider", &m->provider);
	if (err)
		return err;
	if (words_has(absent_providers, m->provider))
		return yaml_fail(
			r->doc, node, r->reterr,
			"%s.provider: this version does not speak '%.*s'; it speaks openai and openai_completions",
			r->entry, STR_ARG(m->provider));
	if (!words_has(providers, m->provider))
		return yaml_fail(r->doc, node, r->reterr, "%s.provider: '%.*s' is not known%s", r->entry,
		                 STR_ARG(shown(m->provider)), words_advice(providers, m->provider, advice));
	json_write_field_str(&r->w, "provider", m->provider);
	return ERR_OK;
}

static enum err_code read_key(struct reader *r, const struct yaml *v, struct model_spec *m)
{
	const struct yaml *node = yaml_get(v, "key");
	if (!node)
		return ERR_OK;
	enum err_code err = want_text(r, v, "key", &m->key_alias);
	if (err)
		return err; /* such an error never shows the text itself */
	if (model_looks_secret(m->key_alias))
		return yaml_fail(r->doc, node, r->reterr,
		                 "%s.key looks like a key itself; write the alias under which worker.yaml has it (and "
		                 "change this key: it stood in a file)",
		                 r->entry);
	if (!words_is_name(m->key_alias, "._-", ALIAS_BYTES_MAX))
		return yaml_fail(
			r->doc, node, r->reterr,
			"%s.key must be an alias of worker.yaml: 1 to %d letters, digits, '.', '_' or '-', never a "
			"variable or a value",
			r->entry, ALIAS_BYTES_MAX);
	json_write_field_str(&r->w, "key", m->key_alias);
	return ERR_OK;
}

/* ---- where ---- */

static enum err_code read_base_url(struct reader *r, const struct yaml *v, struct model_spec *m)
{
	struct buf endpoint;
	struct str url = STR("");
	const char *why;
	enum err_code err = want_text(r, v, "base_url", &url);
	if (err)
		return err;
	buf_init(&endpoint, CONFIG_BYTES_MAX);
	why = model_url_normalize(url, &endpoint);
	if (why)
		err = yaml_fail(r->doc, yaml_get(v, "base_url"), r->reterr, "%s.base_url %s", r->entry, why);
	else
		err = keep(r, buf_str(&endpoint), &m->endpoint);
	buf_done(&endpoint);
	if (!err)
		json_write_field_str(&r->w, "base_url", m->endpoint);
	return err;
}

static enum err_code read_count(struct reader *r, const struct yaml *map, const char *in, const char *key, int64_t max,
                                uint32_t *ret_count)
{
	const struct yaml *v = yaml_get(map, key);
	char name[FIELD_BYTES];
	int64_t count;
	if (!v)
		return ERR_OK;
	(void)snprintf(name, sizeof(name), "%s%s", in, key);
	enum err_code err = yaml_want_i64(r->doc, v, field_of(r, name).text, 1, max, &count, r->reterr);
	if (err)
		return err;
	*ret_count = (uint32_t)count;
	json_write_field_i64(&r->w, key, count);
	return ERR_OK;
}

static enum err_code read_host(struct reader *r, const struct yaml *host, struct model_spec *m)
{
	uint32_t ignored;
	struct str health;
	enum err_code err = yaml_only_keys(r->doc, host, field_of(r, "host").text, host_keys, r->reterr);
	if (!err)
		err = yaml_want_str(r->doc, yaml_get(host, "command"), field_of(r, "host.command").text,
		                    &m->host_command, r->reterr);
	if (err)
		return err;
	if (!words_is_name(m->host_command, "._-", ALIAS_BYTES_MAX))
		return yaml_fail(
			r->doc, yaml_get(host, "command"), r->reterr,
			"%s.host.command must be a name that worker.yaml allows, never a path or a command line",
			r->entry);
	err = keep(r, m->host_command, &m->host_command);
	if (err)
		return err;
	json_write_key(&r->w, "host");
	json_write_object(&r->w);
	json_write_field_str(&r->w, "command", m->host_command);
	if (yaml_get(host, "health")) {
		err = yaml_want_str(r->doc, yaml_get(host, "health"), field_of(r, "host.health").text, &health,
		                    r->reterr);
		if (!err && (health.len == 0 || health.data[0] != '/'))
			err = yaml_fail(r->doc, yaml_get(host, "health"), r->reterr,
			                "%s.host.health must begin with '/'", r->entry);
		if (err)
			return err;
		json_write_field_str(&r->w, "health", health);
	}
	err = read_count(r, host, "host.", "ready_s", 24 * 3600, &ignored);
	if (!err)
		err = read_count(r, host, "host.", "slots", 4096, &ignored);
	if (err)
		return err;
	json_write_object_end(&r->w);
	char endpoint[ALIAS_BYTES_MAX + 10];
	(void)snprintf(endpoint, sizeof(endpoint), "host:%.*s", STR_ARG(m->host_command));
	return keep(r, str_from(endpoint), &m->endpoint);
}

static enum err_code read_place(struct reader *r, const struct yaml *v, struct model_spec *m)
{
	const struct yaml *url = yaml_get(v, "base_url"), *host = yaml_get(v, "host");
	if (url && host)
		return yaml_fail(r->doc, host, r->reterr, "%s: base_url and host exclude each other", r->entry);
	if (!url && !host)
		return yaml_fail(r->doc, v, r->reterr,
		                 "%s needs base_url (where to ask) or host (a model server that workers start)",
		                 r->entry);
	return url ? read_base_url(r, v, m) : read_host(r, host, m);
}

/* ---- parameters, limits, prices ---- */

/* The key under which something that looks like a secret stands, at any depth. */
static const struct yaml *find_secret(const struct yaml *v)
{
	if (v->kind == YAML_SCALAR)
		return model_looks_secret(v->text) ? v : NULL;
	for (size_t i = 0; i < v->len; i++) {
		const struct yaml *found = find_secret(v->items[i]);
		if (found)
			return found;
	}
	return NULL;
}

static enum err_code check_param(struct reader *r, const struct yaml *params, size_t i)
{
	struct str key = params->keys[i];
	const struct yaml *v = params->items[i];
	struct yaml place = { .line = params->key_lines[i], .column = params->key_columns[i] };
	double number;
	int64_t integer;
	bool truth;
	for (size_t k = 0; k < ARRAY_LEN(owned_params); k++)
		if (key.len == strlen(owned_params[k].key) && strncasecmp(key.data, owned_params[k].key, key.len) == 0)
			return yaml_fail(r->doc, &place, r->reterr, "%s.params.%s %s", r->entry, owned_params[k].key,
			                 owned_params[k].why);
	if (yaml_is_null(v))
		return ERR_OK; /* "this model does not take it" */
	if (str_eq_c(key, "temperature"))
		return yaml_want_num(r->doc, v, "params.temperature", 0, 100, &number, r->reterr);
	if (str_eq_c(key, "top_p"))
		return yaml_want_num(r->doc, v, "params.top_p", 0, 1, &number, r->reterr);
	if (str_eq_c(key, "max_tokens"))
		return yaml_want_i64(r->doc, v, "params.max_tokens", 1, 1000000000, &integer, r->reterr);
	if (str_eq_c(key, "seed"))
		return yaml_want_i64(r->doc, v, "params.seed", INT64_MIN, INT64_MAX, &integer, r->reterr);
	if (str_eq_c(key, "stream"))
		return yaml_want_bool(r->doc, v, "params.stream", &truth, r->reterr);
	return ERR_OK;
}

/* `stop` is text whatever it looks like: "no", "1". */
static enum err_code write_stop(struct reader *r, const struct yaml *v)
{
	bool is_list = v->kind == YAML_LIST;
	json_write_array(&r->w);
	for (size_t i = 0; i < (is_list ? v->len : 1); i++) {
		struct str text;
		const struct yaml *one = is_list ? v->items[i] : v;
		enum err_code err = yaml_want_str(r->doc, one, "params.stop", &text, r->reterr);
		if (!err && text.len == 0)
			err = yaml_fail(r->doc, one, r->reterr, "params.stop must not hold an empty text");
		if (err)
			return err;
		json_write_str(&r->w, text);
	}
	json_write_array_end(&r->w);
	return is_list && (v->len == 0 || v->len > 16)
	               ? yaml_fail(r->doc, v, r->reterr, "params.stop must hold 1 to 16 texts")
	               : ERR_OK;
}

static enum err_code write_param(struct reader *r, struct str key, const struct yaml *v)
{
	struct buf json;
	json_write_key_str(&r->w, key);
	if (str_eq_c(key, "stop") && !yaml_is_null(v))
		return write_stop(r, v);
	buf_init(&json, CONFIG_BYTES_MAX);
	bool fits = yaml_to_json(v, &json);
	if (fits)
		json_write_raw(&r->w, buf_str(&json));
	buf_done(&json);
	return fits ? ERR_OK : yaml_fail(r->doc, v, r->reterr, "%s.params is over 1 MiB", r->entry);
}

static enum err_code read_params(struct reader *r, const struct yaml *params)
{
	if (!params)
		return ERR_OK;
	enum err_code err = yaml_want_map(r->doc, params, field_of(r, "params").text, r->reterr);
	if (err)
		return err;
	const struct yaml *secret = find_secret(params);
	if (secret)
		return yaml_fail(r->doc, secret, r->reterr,
		                 "%s.params holds what looks like a key; write an alias of worker.yaml in `key`",
		                 r->entry);
	json_write_key(&r->w, "params");
	json_write_object(&r->w);
	for (size_t i = 0; i < params->len; i++) {
		err = check_param(r, params, i);
		if (!err)
			err = write_param(r, params->keys[i], params->items[i]);
		if (err)
			return err;
	}
	json_write_object_end(&r->w);
	return ERR_OK;
}

static enum err_code read_limits(struct reader *r, const struct yaml *limits, struct model_spec *m)
{
	if (!limits)
		return ERR_OK;
	enum err_code err = yaml_only_keys(r->doc, limits, field_of(r, "limits").text, limit_keys, r->reterr);
	if (err)
		return err;
	json_write_key(&r->w, "limits");
	json_write_object(&r->w);
	err = read_count(r, limits, "limits.", "requests_per_min", 1000000000, &m->requests_per_min);
	if (!err)
		err = read_count(r, limits, "limits.", "tokens_per_min", 4000000000, &m->tokens_per_min);
	if (!err)
		err = read_count(r, limits, "limits.", "concurrency", 1000000, &m->concurrency);
	if (!err)
		json_write_object_end(&r->w);
	return err;
}

static enum err_code read_price(struct reader *r, const struct yaml *prices, const char *key, int64_t *ret_nanousd)
{
	const struct yaml *v = yaml_get(prices, key);
	char name[FIELD_BYTES];
	double usd;
	if (!v)
		return ERR_OK;
	(void)snprintf(name, sizeof(name), "price_per_mtok.%s", key);
	enum err_code err = yaml_want_num(r->doc, v, field_of(r, name).text, 0, 1e6, &usd, r->reterr);
	if (err)
		return err;
	*ret_nanousd = (int64_t)(usd * 1e9 + 0.5);
	json_write_field_num(&r->w, key, usd);
	return ERR_OK;
}

static enum err_code read_prices(struct reader *r, const struct yaml *prices, struct model_spec *m)
{
	if (!prices)
		return ERR_OK;
	enum err_code err = yaml_only_keys(r->doc, prices, field_of(r, "price_per_mtok").text, price_keys, r->reterr);
	if (err)
		return err;
	json_write_key(&r->w, "price_per_mtok");
	json_write_object(&r->w);
	err = read_price(r, prices, "input", &m->price_in_nanousd_per_mtok);
	if (!err)
		err = read_price(r, prices, "cached", &m->price_cached_nanousd_per_mtok);
	if (!err)
		err = read_price(r, prices, "output", &m->price_out_nanousd_per_mtok);
	if (!err)
		json_write_object_end(&r->w);
	return err;
}

/* ---- one entry, all entries ---- */

static enum err_code read_members(struct reader *r, const struct yaml *v, struct model_spec *m)
{
	uint32_t ignored;
	enum err_code err = yaml_only_keys(r->doc, v, r->entry, model_keys, r->reterr);
	if (err)
		return err;
	json_write_object(&r->w);
	err = read_name(r, v, m);
	if (!err)
		err = read_provider(r, v, m);
	if (!err)
		err = read_place(r, v, m);
	m->model = m->name;
	if (!err && yaml_get(v, "model"))
		err = want_text(r, v, "model", &m->model);
	if (err)
		return err;
	json_write_field_str(&r->w, "model", m->model);
	err = read_key(r, v, m);
	if (!err)
		err = read_params(r, yaml_get(v, "params"));
	if (!err)
		err = read_limits(r, yaml_get(v, "limits"), m);
	if (!err)
		err = read_prices(r, yaml_get(v, "price_per_mtok"), m);
	if (!err)
		err = read_count(r, v, "", "timeout_s", 3600, &ignored);
	if (!err)
		json_write_object_end(&r->w);
	return err;
}

static enum err_code canonicalize(struct reader *r, struct model_spec *m)
{
	struct json_doc *doc;
	struct buf canonical;
	if (r->text.failed)
		return error_set(r->reterr, ERR_LIMIT, "%s: %s is over 1 MiB", yaml_name(r->doc), r->entry);
	enum err_code err = json_parse(buf_str(&r->text), &doc, r->reterr);
	if (err)
		return error_wrap(r->reterr, ERR_INVALID, "%s: %s", yaml_name(r->doc), r->entry);
	buf_init(&canonical, CONFIG_BYTES_MAX);
	err = json_write_canonical(json_root(doc), &canonical) ? keep(r, buf_str(&canonical), &m->config)
	                                                       : no_memory(r);
	m->hash = hash_of(buf_str(&canonical));
	buf_done(&canonical);
	json_free(doc);
	return err;
}

static enum err_code read_entry(struct reader *r, const struct yaml *v, size_t i, struct model_spec *m)
{
	*m = (struct model_spec){ .line = v->line,
		                  .price_in_nanousd_per_mtok = -1,
		                  .price_cached_nanousd_per_mtok = -1,
		                  .price_out_nanousd_per_mtok = -1 };
	(void)snprintf(r->entry, sizeof(r->entry), "models[%zu]", i);
	buf_init(&r->text, CONFIG_BYTES_MAX);
	json_write_init(&r->w, &r->text, false);
	enum err_code err = read_members(r, v, m);
	if (!err)
		err = canonicalize(r, m);
	buf_done(&r->text);
	return err;
}

static enum err_code read_list(struct reader *r, const struct yaml *list, struct model_spec **ret_models)
{
	struct map lines;
	enum err_code err = ERR_OK;
	struct model_spec *models = arena_try_alloc(r->arena, list->len, sizeof(*models));
	if (!models)
		return no_memory(r);
	map_init(&lines, sizeof(uint32_t));
	for (size_t i = 0; i < list->len && !err; i++) {
		bool is_new;
		err = read_entry(r, list->items[i], i, &models[i]);
		if (err)
			break;
		uint32_t *line = map_put(&lines, models[i].name, &is_new);
		if (is_new)
			*line = models[i].line;
		else
			err = yaml_fail(r->doc, yaml_get(list->items[i], "name"), r->reterr,
			                "the name '%.*s' is used already at line %u", STR_ARG(models[i].name), *line);
	}
	map_done(&lines);
	*ret_models = models;
	return err;
}

static enum err_code read_document(struct reader *r, struct model_spec **ret_models, size_t *ret_count)
{
	static const char *const keys[] = { "schema", "models", NULL };
	const struct yaml *root = yaml_root(r->doc), *schema = yaml_get(root, "schema"),
			  *list = yaml_get(root, "models");
	struct str text;
	if (yaml_is_null(root))
		return error_set(r->reterr, ERR_INVALID,
		                 "%s:1:1: the file is empty; it begins with 'schema: " SCHEMA "'", yaml_name(r->doc));
	enum err_code err = yaml_only_keys(r->doc, root, "", keys, r->reterr);
	if (!err)
		err = yaml_want_str(r->doc, schema, "schema", &text, r->reterr);
	if (!err && !str_eq_c(text, SCHEMA))
		err = yaml_fail(r->doc, schema, r->reterr, "schema must be " SCHEMA ", not '%.*s'",
		                STR_ARG(shown(text)));
	if (!err)
		err = yaml_want_list(r->doc, list, "models", r->reterr);
	if (!err && (list->len == 0 || list->len > MODEL_SPEC_COUNT_MAX))
		err = yaml_fail(r->doc, list, r->reterr, "models must hold 1 to %d entries", MODEL_SPEC_COUNT_MAX);
	if (err)
		return err;
	*ret_count = list->len;
	return read_list(r, list, ret_models);
}

enum err_code model_spec_read(struct str yaml, const char *name, struct arena *a, struct model_spec **ret_models,
                              size_t *ret_count, struct error *reterr)
{
	struct yaml_doc *doc;
	struct model_spec *models = NULL;
	size_t count = 0;
	enum err_code err = yaml_parse(yaml, name, &doc, reterr);
	if (err)
		return err;
	struct reader r = { .doc = doc, .arena = a, .reterr = reterr };
	err = read_document(&r, &models, &count);
	yaml_free(doc);
	if (err)
		return err;
	*ret_models = models;
	*ret_count = count;
	return ERR_OK;
}
