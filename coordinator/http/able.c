#include "coordinator/http/able.h"
#include "coordinator/store/workers.h"

enum { WORKERS_MAX = 500 };

static bool has(const struct json *list, struct str wanted)
{
	for (size_t i = 0; i < json_len(list); i++)
		if (str_eq(json_str_or(json_at(list, i), STR("")), wanted))
			return true;
	return false;
}

static bool host_allowed(const struct json *list, struct str host)
{
	for (size_t i = 0; i < json_len(list); i++) {
		struct str pattern = json_str_or(json_at(list, i), STR(""));
		if (str_eq_c(pattern, "*") || str_eq(pattern, host))
			return true;
		if (str_starts(pattern, STR("*.")) && str_ends(host, str_slice(pattern, 1, pattern.len)))
			return true;
	}
	return false;
}

static struct str names_of(struct arena *arena, const struct json *list)
{
	struct str text = { 0 };
	for (size_t i = 0; i < json_len(list) && i < 20; i++)
		text = arena_printf(arena, "%.*s%s%.*s", STR_ARG(text), i ? ", " : "",
		                    STR_ARG(json_str_or(json_at(list, i), STR(""))));
	return text.len ? text : STR("none");
}

struct str able_host(struct str url)
{
	ptrdiff_t scheme = str_find(url, STR("://"));
	struct str rest = scheme < 0 ? url : str_slice(url, (size_t)scheme + 3, url.len);
	size_t len = 0;
	if (str_starts(rest, STR("[")) && str_find_char(rest, ']') > 0)
		return str_slice(rest, 1, (size_t)str_find_char(rest, ']'));
	while (len < rest.len && rest.data[len] != '/' && rest.data[len] != ':' && rest.data[len] != '?')
		len++;
	return str_slice(rest, 0, len);
}

/* Empty when the worker can serve the model; else why not. */
static struct str why_not(struct arena *arena, const struct json *abilities, const struct json *model,
                          struct str worker)
{
	struct str provider = json_str_or(json_get(model, "provider"), STR(""));
	struct str alias = json_str_or(json_get(model, "key"), STR(""));
	struct str command = json_str_or(json_pointer(model, STR("/host/command")), STR(""));
	struct str url = json_str_or(json_get(model, "base_url"), STR("https://api.openai.com"));
	const struct json *aliases = json_get(abilities, "aliases"), *hosts = json_get(abilities, "hosts");
	if (!has(json_get(abilities, "providers"), provider))
		return arena_printf(arena, "worker %.*s does not speak provider '%.*s'", STR_ARG(worker),
		                    STR_ARG(provider));
	if (!command.len && alias.len && !has(aliases, alias))
		return arena_printf(arena,
		                    "worker %.*s has no key alias '%.*s' (it has: %.*s; an embedded installation takes "
		                    "each X_API_KEY that `assay up` was started with)",
		                    STR_ARG(worker), STR_ARG(alias), STR_ARG(names_of(arena, aliases)));
	if (command.len && !has(hosts, command))
		return arena_printf(arena, "worker %.*s does not host '%.*s' (it hosts: %.*s)", STR_ARG(worker),
		                    STR_ARG(command), STR_ARG(names_of(arena, hosts)));
	if (!command.len && !host_allowed(json_get(abilities, "allowed_hosts"), able_host(url)))
		return arena_printf(arena, "worker %.*s may not reach host '%.*s' (its worker.yaml allows: %.*s)",
		                    STR_ARG(worker), STR_ARG(able_host(url)),
		                    STR_ARG(names_of(arena, json_get(abilities, "allowed_hosts"))));
	return (struct str){ 0 };
}

static bool is_connected(const struct control_view *v, struct outbox_id outbox)
{
	for (size_t i = 0; i < v->worker_count; i++)
		if (v->workers[i].connected && outbox_id_eq(v->workers[i].outbox, outbox))
			return true;
	return false;
}

enum err_code able_find(struct context *c, const struct model_row *model, struct able *ret_able, struct error *reterr)
{
	struct worker_row *rows = NULL;
	struct control_view v = { 0 };
	struct json_doc *config = NULL;
	struct able out = { 0 };
	size_t count = 0;
	enum err_code err = workers_list(c->store, WORKERS_MAX, c->arena, &rows, &count, reterr);
	if (err == ERR_OK)
		err = c->control->look(c->control->arg, 0, c->arena, &v, reterr);
	if (err == ERR_OK)
		err = json_parse(model->config, &config, reterr);
	for (size_t i = 0; err == ERR_OK && i < count; i++) {
		struct json_doc *abilities;
		if (!is_connected(&v, rows[i].outbox) || json_parse(rows[i].abilities, &abilities, NULL) != ERR_OK)
			continue;
		struct str why = why_not(c->arena, json_root(abilities), json_root(config), rows[i].name);
		out.connected++;
		out.able += why.len == 0;
		if (why.len && !out.why_not.len)
			out.why_not = why;
		json_free(abilities);
	}
	json_free(config);
	if (err == ERR_OK)
		*ret_able = out;
	return err;
}
