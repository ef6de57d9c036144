#include "worker/provider/provider_model.h"
#include "common/base/json_write.h"
#include "worker/provider/provider.h"
#include <math.h>
#include <string.h>

enum { NAME_BYTES_MAX = 256, EXTRAS_MAX = 64, EXTRAS_BYTES_MAX = 256 << 10 };

static enum err_code keep(struct arena *a, struct str s, struct str *ret_copy, struct error *reterr)
{
	char *copy = arena_try_alloc(a, s.len + 1, 1);
	if (!copy)
		return error_set(reterr, ERR_LIMIT, "model configuration does not fit in memory");
	if (s.len)
		memcpy(copy, s.data, s.len);
	copy[s.len] = '\0';
	*ret_copy = str_make(copy, s.len);
	return ERR_OK;
}

static enum err_code want_kind(const char *field, const char *key, const struct json *v, const char *wanted,
                               struct error *reterr)
{
	return error_set(reterr, ERR_INVALID, "%s.%s must be %s, not %s", field, key, wanted,
	                 json_kind_name(json_kind(v)));
}

static enum err_code parse_number(const char *field, const char *key, const struct json *v, double max,
                                  double *ret_value, struct error *reterr)
{
	double value;
	if (!json_num(v, &value))
		return want_kind(field, key, v, "a number", reterr);
	if (!isfinite(value) || value < 0 || value > max)
		return error_set(reterr, ERR_INVALID, "%s.%s must be between 0 and %g, not %g", field, key, max, value);
	*ret_value = value;
	return ERR_OK;
}

static enum err_code parse_integer(const char *field, const char *key, const struct json *v, int64_t min, int64_t max,
                                   int64_t *ret_value, struct error *reterr)
{
	int64_t value;
	if (!json_i64(v, &value))
		return want_kind(field, key, v, "an integer", reterr);
	if (value < min || value > max)
		return error_set(reterr, ERR_INVALID, "%s.%s must be between %lld and %lld, not %lld", field, key,
		                 (long long)min, (long long)max, (long long)value);
	*ret_value = value;
	return ERR_OK;
}

static enum err_code parse_stops(const char *field, const struct json *v, struct arena *a, struct provider_params *p,
                                 struct error *reterr)
{
	bool is_list = json_kind(v) == JSON_ARRAY;
	size_t count = is_list ? json_len(v) : 1;
	if (count == 0 || count > PROVIDER_STOPS_MAX)
		return error_set(reterr, ERR_INVALID, "%s.stop must hold 1 to %d texts, not %zu", field,
		                 PROVIDER_STOPS_MAX, count);
	struct str *stops = arena_try_alloc(a, count, sizeof(*stops));
	if (!stops)
		return error_set(reterr, ERR_LIMIT, "%s.stop does not fit in memory", field);
	for (size_t i = 0; i < count; i++) {
		struct str text;
		if (!json_str(is_list ? json_at(v, i) : v, &text))
			return want_kind(field, "stop", is_list ? json_at(v, i) : v, "a text or a list of texts",
			                 reterr);
		if (text.len == 0)
			return error_set(reterr, ERR_INVALID, "%s.stop must not hold an empty text", field);
		enum err_code err = keep(a, text, &stops[i], reterr);
		if (err)
			return err;
	}
	p->stops = stops;
	p->stop_count = count;
	return ERR_OK;
}

static const struct {
	const char *key;
	enum provider_param bit;
} param_names[] = {
	{ "temperature", PROVIDER_TEMPERATURE },
	{ "top_p", PROVIDER_TOP_P },
	{ "max_tokens", PROVIDER_MAX_TOKENS },
	{ "seed", PROVIDER_SEED },
	{ "stop", PROVIDER_STOP },
};

static enum err_code parse_param(const char *field, enum provider_param bit, const struct json *v, struct arena *a,
                                 struct provider_params *p, struct error *reterr)
{
	if (json_kind(v) == JSON_NULL) {
		p->never |= bit;
		return ERR_OK;
	}
	p->given |= bit;
	switch (bit) {
	case PROVIDER_TEMPERATURE:
		return parse_number(field, "temperature", v, 100, &p->temperature, reterr);
	case PROVIDER_TOP_P:
		return parse_number(field, "top_p", v, 1, &p->top_p, reterr);
	case PROVIDER_MAX_TOKENS:
		return parse_integer(field, "max_tokens", v, 1, 1000000000, &p->max_tokens, reterr);
	case PROVIDER_SEED:
		return parse_integer(field, "seed", v, INT64_MIN, INT64_MAX, &p->seed, reterr);
	case PROVIDER_STOP:
		return parse_stops(field, v, a, p, reterr);
	}
	return ERR_OK;
}

enum err_code provider_params_parse(const struct json *v, const char *field, struct arena *a,
                                    struct provider_params *ret_params, struct error *reterr)
{
	struct provider_params p = { 0 };
	enum json_kind kind = json_kind(v);
	if (kind != JSON_OBJECT && kind != JSON_NULL && kind != JSON_ABSENT)
		return error_set(reterr, ERR_INVALID, "%s must be an object, not %s", field, json_kind_name(kind));
	for (size_t i = 0; i < ARRAY_LEN(param_names); i++) {
		const struct json *value = json_get(v, param_names[i].key);
		if (json_kind(value) == JSON_ABSENT)
			continue;
		enum err_code err = parse_param(field, param_names[i].bit, value, a, &p, reterr);
		if (err)
			return err;
	}
	*ret_params = p;
	return ERR_OK;
}

struct provider_params provider_params_merge(const struct provider_params *suite, const struct provider_params *model)
{
	struct provider_params p = *model;
	p.never = suite->never | model->never;
	p.given = (suite->given | model->given) & ~p.never;
	if (suite->given & PROVIDER_TEMPERATURE)
		p.temperature = suite->temperature;
	if (suite->given & PROVIDER_TOP_P)
		p.top_p = suite->top_p;
	if (suite->given & PROVIDER_MAX_TOKENS)
		p.max_tokens = suite->max_tokens;
	if (suite->given & PROVIDER_SEED)
		p.seed = suite->seed;
	if (suite->given & PROVIDER_STOP) {
		p.stops = suite->stops;
		p.stop_count = suite->stop_count;
	}
	return p;
}

static bool is_param(struct str key)
{
	for (size_t i = 0; i < ARRAY_LEN(param_names); i++)
		if (str_eq_c(key, param_names[i].key))
			return true;
	return false;
}

/* Why a key may not be handed on, or NULL. */
static const char *refusal(struct str key)
{
	static const struct {
		const char *key, *why;
	} owned[] = {
		{ "model", "is the configuration's own `model`" },
		{ "messages", "comes from the suite" },
		{ "prompt", "comes from the suite" },
		{ "n", "would pay for answers that nobody reads; use epochs" },
		{ "echo", "is not an answer" },
		{ "stream_options", "is set by `stream`" },
		{ "max_completion_tokens", "is written as max_tokens (and max_tokens_field when the name matters)" },
	};
	for (size_t i = 0; i < ARRAY_LEN(owned); i++)
		if (str_eq_c(key, owned[i].key))
			return owned[i].why;
	return NULL;
}

static enum err_code parse_max_tokens_field(const struct json *v, struct arena *a, struct provider_model *m,
                                            struct error *reterr)
{
	struct str text;
	if (json_kind(v) == JSON_NULL)
		return ERR_OK;
	if (!json_str(v, &text))
		return want_kind("params", "max_tokens_field", v, "a text", reterr);
	if (!str_eq_c(text, "max_tokens") && !str_eq_c(text, "max_completion_tokens"))
		return error_set(reterr, ERR_INVALID,
		                 "params.max_tokens_field must be max_tokens or max_completion_tokens, not '%.*s'",
		                 (int)MIN_OF(text.len, 80), text.data);
	return keep(a, text, &m->max_tokens_field, reterr);
}

static enum err_code add_extra(struct str key, const struct json *v, struct arena *a, struct provider_extra *extra,
                               struct error *reterr)
{
	struct buf text;
	struct json_write w;
	buf_init(&text, EXTRAS_BYTES_MAX);
	json_write_init(&w, &text, false);
	json_write_value(&w, v);
	enum err_code err = text.failed ? error_set(reterr, ERR_LIMIT, "params.%.*s is over %d bytes",
	                                            (int)MIN_OF(key.len, 80), key.data, EXTRAS_BYTES_MAX)
	                                : keep(a, buf_str(&text), &extra->json, reterr);
	buf_done(&text);
	return err ? err : keep(a, key, &extra->key, reterr);
}

/* A key that is no parameter of ours: one of the two that steer us, a refused one, or one to be handed on. */
static enum err_code parse_other(struct str key, const struct json *v, struct arena *a, struct provider_model *m,
                                 struct provider_extra *extras, struct error *reterr)
{
	if (str_eq_c(key, "stream")) {
		if (json_kind(v) == JSON_NULL || json_bool(v, &m->stream))
			return ERR_OK;
		return want_kind("params", "stream", v, "a boolean", reterr);
	}
	if (str_eq_c(key, "max_tokens_field"))
		return parse_max_tokens_field(v, a, m, reterr);
	const char *why = refusal(key);
	if (why)
		return error_set(reterr, ERR_INVALID, "params.%.*s %s", STR_ARG(key), why);
	if (json_kind(v) == JSON_NULL)
		return ERR_OK;
	return add_extra(key, v, a, &extras[m->extra_count++], reterr);
}

static enum err_code parse_params(const struct json *v, struct arena *a, struct provider_model *m, struct error *reterr)
{
	enum err_code err = provider_params_parse(v, "params", a, &m->params, reterr);
	if (err || json_len(v) == 0)
		return err;
	if (json_len(v) > EXTRAS_MAX)
		return error_set(reterr, ERR_LIMIT, "params has more than %d members", EXTRAS_MAX);
	struct provider_extra *extras = arena_try_alloc(a, json_len(v), sizeof(*extras));
	if (!extras)
		return error_set(reterr, ERR_LIMIT, "params does not fit in memory");
	for (struct json_iter it = { 0 }; json_next(v, &it);) {
		if (is_param(it.key))
			continue;
		err = parse_other(it.key, it.value, a, m, extras, reterr);
		if (err)
			return err;
	}
	m->extras = extras;
	return ERR_OK;
}

/* A text member; absent and null leave the empty text. */
static enum err_code parse_text(const struct json *v, const char *key, struct arena *a, struct str *ret_text,
                                struct error *reterr)
{
	struct str text;
	enum json_kind kind = json_kind(v);
	if (kind == JSON_ABSENT || kind == JSON_NULL)
		return ERR_OK;
	if (!json_str(v, &text))
		return error_set(reterr, ERR_INVALID, "%s must be a text, not %s", key, json_kind_name(kind));
	if (text.len == 0 || text.len > NAME_BYTES_MAX * 8)
		return error_set(reterr, ERR_INVALID, "%s must have 1 to %d bytes, not %zu", key, NAME_BYTES_MAX * 8,
		                 text.len);
	for (size_t i = 0; i < text.len; i++)
		if ((unsigned char)text.data[i] < 0x20 || text.data[i] == 0x7f)
			return error_set(reterr, ERR_INVALID, "%s must not hold control characters", key);
	return keep(a, text, ret_text, reterr);
}

static enum err_code check_provider(struct str name, struct error *reterr)
{
	const char *nearest = NULL;
	unsigned least = 4; /* further off is no help */
	for (size_t i = 0; provider_name(i); i++) {
		if (str_eq_c(name, provider_name(i)))
			return ERR_OK;
		unsigned distance = str_distance(name, str_from(provider_name(i)));
		if (distance < least) {
			least = distance;
			nearest = provider_name(i);
		}
	}
	struct str shown = str_slice(name, 0, 80);
	if (nearest)
		return error_set(reterr, ERR_INVALID, "provider '%.*s' is not known; did you mean '%s'?",
		                 STR_ARG(shown), nearest);
	struct buf known;
	buf_init(&known, 400);
	for (size_t i = 0; provider_name(i); i++)
		buf_printf(&known, "%s%s", i ? ", " : "", provider_name(i));
	enum err_code err = error_set(reterr, ERR_INVALID, "provider '%.*s' is not known; this version has %.*s",
	                              STR_ARG(shown), STR_ARG(buf_str(&known)));
	buf_done(&known);
	return err;
}

static enum err_code check_place(const struct provider_model *m, struct error *reterr)
{
	if (m->base_url.len && m->host_command.len)
		return error_set(reterr, ERR_INVALID, "base_url and host exclude each other");
	if (!m->base_url.len && !m->host_command.len)
		return error_set(reterr, ERR_INVALID, "needs base_url or host");
	return ERR_OK;
}

static enum err_code parse_members(const struct json *v, struct arena *a, struct provider_model *m,
                                   struct error *reterr)
{
	const struct json *host = json_get(v, "host");
	const struct {
		const char *key;
		const struct json *value;
		struct str *into;
	} texts[] = {
		{ "provider", json_get(v, "provider"), &m->provider },
		{ "base_url", json_get(v, "base_url"), &m->base_url },
		{ "model", json_get(v, "model"), &m->model },
		{ "key", json_get(v, "key"), &m->key_alias },
		{ "host.command", json_get(host, "command"), &m->host_command },
	};
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		enum err_code err = parse_text(texts[i].value, texts[i].key, a, texts[i].into, reterr);
		if (err)
			return err;
	}
	if (json_kind(host) != JSON_ABSENT && json_kind(host) != JSON_NULL && m->host_command.len == 0)
		return error_set(reterr, ERR_INVALID, "host must be an object with a command");
	if (m->provider.len == 0)
		return error_set(reterr, ERR_INVALID, "provider is missing");
	enum err_code err = check_provider(m->provider, reterr);
	if (!err)
		err = check_place(m, reterr);
	if (!err)
		err = parse_params(json_get(v, "params"), a, m, reterr);
	if (m->model.len == 0)
		m->model = m->name;
	return err;
}

enum err_code provider_model_parse(const struct json *v, struct arena *a, struct provider_model *ret_model,
                                   struct error *reterr)
{
	struct provider_model m = { 0 };
	if (json_kind(v) != JSON_OBJECT)
		return error_set(reterr, ERR_INVALID, "a model configuration must be an object, not %s",
		                 json_kind_name(json_kind(v)));
	enum err_code err = parse_text(json_get(v, "name"), "name", a, &m.name, reterr);
	if (err)
		return error_wrap(reterr, err, "model");
	if (m.name.len == 0 || m.name.len > NAME_BYTES_MAX)
		return error_set(reterr, ERR_INVALID, "model: name must have 1 to %d bytes", NAME_BYTES_MAX);
	err = parse_members(v, a, &m, reterr);
	if (err)
		return error_wrap(reterr, err, "model '%.*s'", STR_ARG(m.name));
	*ret_model = m;
	return ERR_OK;
}
