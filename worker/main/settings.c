#include "worker/main/settings.h"
#include "common/base/mem.h"
#include "common/io/keys.h"
#include "common/io/secrets.h"
#include <string.h>

enum { ARENA_BYTES = 16 << 20, KEY_BYTES_MAX = 16 << 10, MEMORY_MIB_MAX = 1 << 30 };

static const char *const top_keys[] = { "schema",        "name",  "slots",    "keys",  "allowed_hosts",
	                                "allow_private", "teams", "commands", "hosts", NULL };
static const char *const key_keys[] = { "env", "file", NULL };
static const char *const command_keys[] = { "path", "args", "env", "memory_mib", NULL };

struct reader {
	struct settings *s;
	const struct yaml_doc *doc;
	const char *const *environment;
	struct error *reterr;
};

static enum err_code read_list(struct reader *r, const struct yaml *v, const char *field, const struct str **ret_items,
                               size_t *ret_count)
{
	if (!v)
		return ERR_OK;
	enum err_code err = yaml_want_list(r->doc, v, field, r->reterr);
	if (!err && v->len > SETTINGS_LIST_MAX)
		err = yaml_fail(r->doc, v, r->reterr, "%s has over %d entries", field, SETTINGS_LIST_MAX);
	if (err)
		return err;
	struct str *items = arena_new(&r->s->arena, v->len + 1, sizeof(*items));
	for (size_t i = 0; i < v->len && !err; i++)
		err = yaml_want_str(r->doc, v->items[i], field, &items[i], r->reterr);
	if (err)
		return err;
	*ret_items = items;
	*ret_count = v->len;
	return ERR_OK;
}

/* ---- keys ---- */

static bool find_variable(const struct reader *r, struct str name, struct str *ret_value)
{
	for (const char *const *e = r->environment; e && *e; e++) {
		struct str line = str_from(*e);
		if (str_starts(line, name) && line.len > name.len && line.data[name.len] == '=') {
			*ret_value = str_slice(line, name.len + 1, line.len);
			return ret_value->len > 0;
		}
	}
	return false;
}

static enum err_code read_key_file(struct reader *r, const struct yaml *v, struct str path, struct str *ret_secret)
{
	struct buf secret;
	struct error error;
	buf_init(&secret, KEY_BYTES_MAX);
	enum err_code err = keys_secret_read(arena_c_str(&r->s->arena, path), &secret, &error);
	if (err)
		err = yaml_fail(r->doc, v, r->reterr, "%s", error.text);
	else
		*ret_secret = arena_str(&r->s->arena, buf_str(&secret));
	if (secret.data)
		keys_wipe(secret.data, secret.len);
	buf_done(&secret);
	return err;
}

static enum err_code read_key(struct reader *r, const struct yaml *v, struct rules_alias *alias,
                              const char **ret_variable)
{
	char field[600];
	(void)snprintf(field, sizeof(field), "keys.%.*s", STR_ARG(alias->name));
	enum err_code err = yaml_want_map(r->doc, v, field, r->reterr);
	if (!err)
		err = yaml_only_keys(r->doc, v, field, key_keys, r->reterr);
	if (err)
		return err;
	const struct yaml *env = yaml_get(v, "env"), *file = yaml_get(v, "file");
	struct str name, value;
	if (!env == !file)
		return yaml_fail(r->doc, v, r->reterr, "%s needs one of: env, file", field);
	err = yaml_want_str(r->doc, env ? env : file, field, &name, r->reterr);
	if (err)
		return err;
	if (file)
		return read_key_file(r, file, name, &alias->secret);
	if (!find_variable(r, name, &value))
		return yaml_fail(r->doc, env, r->reterr, "%s: the variable %.*s is not set", field, STR_ARG(name));
	alias->secret = arena_str(&r->s->arena, value);
	*ret_variable = arena_c_str(&r->s->arena, name);
	return ERR_OK;
}

static enum err_code read_keys(struct reader *r, const struct yaml *v)
{
	size_t count = v ? v->len : 0, variable_count = 0;
	const char **variables = arena_new(&r->s->arena, count + 1, sizeof(*variables));
	struct rules_alias *aliases = arena_new(&r->s->arena, count + 1, sizeof(*aliases));
	enum err_code err = v ? yaml_want_map(r->doc, v, "keys", r->reterr) : ERR_OK;
	for (size_t i = 0; i < count && !err; i++) {
		const char *variable = NULL;
		struct error ignored; /* too short to hide; said by the caller, without a value */
		aliases[i].name = v->keys[i];
		err = read_key(r, v->items[i], &aliases[i], &variable);
		if (variable)
			variables[variable_count++] = variable;
		if (!err && secrets_add(aliases[i].secret, &ignored))
			r->s->short_key_count++;
	}
	r->s->rules.aliases = aliases;
	r->s->rules.alias_count = count;
	r->s->key_variables = variables;
	return err;
}

/* ---- commands ---- */

static enum err_code read_args(struct reader *r, const struct yaml *v, const char *field, const char *const **ret_args)
{
	const struct str *items = NULL;
	size_t count = 0;
	enum err_code err = read_list(r, v, field, &items, &count);
	if (!err && count > SETTINGS_COMMAND_ARGS_MAX)
		err = yaml_fail(r->doc, v, r->reterr, "%s has over %d entries", field, SETTINGS_COMMAND_ARGS_MAX);
	if (err)
		return err;
	const char **args = arena_new(&r->s->arena, count + 1, sizeof(*args));
	for (size_t i = 0; i < count; i++)
		args[i] = arena_c_str(&r->s->arena, items[i]);
	*ret_args = args;
	return ERR_OK;
}

static enum err_code read_env(struct reader *r, const struct yaml *v, const char *field, const char *const **ret_env)
{
	enum err_code err = v ? yaml_want_map(r->doc, v, field, r->reterr) : ERR_OK;
	size_t count = v ? v->len : 0;
	const char **env = arena_new(&r->s->arena, count + 1, sizeof(*env));
	for (size_t i = 0; i < count && !err; i++) {
		struct str value;
		err = yaml_want_str(r->doc, v->items[i], field, &value, r->reterr);
		if (!err)
			env[i] = arena_printf(&r->s->arena, "%.*s=%.*s", STR_ARG(v->keys[i]), STR_ARG(value)).data;
	}
	*ret_env = env;
	return err;
}

static enum err_code read_command(struct reader *r, const struct yaml *v, struct rules_command *c)
{
	char field[600];
	struct str path;
	(void)snprintf(field, sizeof(field), "commands.%.*s", STR_ARG(c->name));
	enum err_code err = yaml_want_map(r->doc, v, field, r->reterr);
	if (!err)
		err = yaml_only_keys(r->doc, v, field, command_keys, r->reterr);
	if (!err && !yaml_get(v, "path"))
		err = yaml_fail(r->doc, v, r->reterr, "%s needs a path", field);
	if (!err)
		err = yaml_want_str(r->doc, yaml_get(v, "path"), field, &path, r->reterr);
	if (!err && !str_starts(path, STR("/")))
		err = yaml_fail(r->doc, yaml_get(v, "path"), r->reterr, "%s.path must begin with /", field);
	if (err)
		return err;
	c->path = arena_c_str(&r->s->arena, path);
	int64_t memory_mib = 0;
	if (yaml_get(v, "memory_mib"))
		err = yaml_want_i64(r->doc, yaml_get(v, "memory_mib"), "memory_mib", 16, MEMORY_MIB_MAX, &memory_mib,
		                    r->reterr);
	if (err)
		return err;
	c->memory_bytes_max = (uint64_t)memory_mib << 20;
	err = read_args(r, yaml_get(v, "args"), field, &c->args);
	return err ? err : read_env(r, yaml_get(v, "env"), field, &c->env);
}

/* A name that goes into file names and into the log. */
static bool is_plain_name(struct str s)
{
	for (size_t i = 0; i < s.len; i++) {
		char c = s.data[i];
		if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') && !strchr("-_.", c))
			return false;
	}
	return s.len > 0 && s.len <= 64 && s.data[0] != '.';
}

static enum err_code read_commands(struct reader *r, const struct yaml *v)
{
	size_t count = v ? v->len : 0;
	struct rules_command *commands = arena_new(&r->s->arena, count + 1, sizeof(*commands));
	enum err_code err = v ? yaml_want_map(r->doc, v, "commands", r->reterr) : ERR_OK;
	for (size_t i = 0; i < count && !err; i++) {
		commands[i].name = v->keys[i];
		if (!is_plain_name(v->keys[i]))
			return yaml_fail(r->doc, v->items[i], r->reterr,
			                 "commands: a name is 1 to 64 letters, digits, '-', '_' or '.'");
		err = read_command(r, v->items[i], &commands[i]);
	}
	r->s->rules.commands = commands;
	r->s->rules.command_count = count;
	return err;
}

static enum err_code read_hosts(struct reader *r, const struct yaml *v)
{
	const struct str *names = NULL;
	size_t count = 0;
	enum err_code err = read_list(r, v, "hosts", &names, &count);
	struct rules_command *commands = arena_new(&r->s->arena, r->s->rules.command_count + 1, sizeof(*commands));
	for (size_t i = 0; i < r->s->rules.command_count; i++)
		commands[i] = r->s->rules.commands[i];
	for (size_t n = 0; n < count && !err; n++) {
		size_t i = 0;
		while (i < r->s->rules.command_count && !str_eq(commands[i].name, names[n]))
			i++;
		if (i == r->s->rules.command_count)
			return yaml_fail(r->doc, v->items[n], r->reterr, "hosts: '%.*s' is not one of `commands`",
			                 STR_ARG(names[n]));
		commands[i].hosted = true;
	}
	r->s->rules.commands = commands;
	return err;
}

/* ---- the rest ---- */

static enum err_code read_private(struct reader *r, const struct yaml *v)
{
	if (v && v->kind == YAML_LIST)
		return read_list(r, v, "allow_private", &r->s->rules.private_hosts, &r->s->rules.private_host_count);
	return v ? yaml_want_bool(r->doc, v, "allow_private", &r->s->rules.allow_private, r->reterr) : ERR_OK;
}

/* No lease names its team yet, so a worker cannot tell whose sample it runs: a list that would keep teams out is
 * refused instead of being passed over. */
static enum err_code read_teams(struct reader *r, const struct yaml *v)
{
	const struct str *teams = NULL;
	size_t count = 0;
	enum err_code err = read_list(r, v, "teams", &teams, &count);
	if (!err && v && (count != 1 || !str_eq_c(teams[0], "default")))
		err = yaml_fail(r->doc, v, r->reterr,
		                "teams must be [default] or left out: this version lends the samples of any team to "
		                "any worker");
	return err;
}

static enum err_code read_head(struct reader *r, const struct yaml *root)
{
	struct str schema;
	int64_t slots = 0;
	enum err_code err = yaml_want_map(r->doc, root, "worker.yaml", r->reterr);
	if (!err)
		err = yaml_only_keys(r->doc, root, "worker.yaml", top_keys, r->reterr);
	if (!err && !yaml_get(root, "schema"))
		err = yaml_fail(r->doc, root, r->reterr, "schema is missing: assay.worker.v1");
	if (!err)
		err = yaml_want_str(r->doc, yaml_get(root, "schema"), "schema", &schema, r->reterr);
	if (!err && !str_eq_c(schema, "assay.worker.v1"))
		err = yaml_fail(r->doc, yaml_get(root, "schema"), r->reterr, "schema must be assay.worker.v1, not %.*s",
		                STR_ARG(schema));
	if (!err && yaml_get(root, "name"))
		err = yaml_want_str(r->doc, yaml_get(root, "name"), "name", &r->s->name, r->reterr);
	if (!err && yaml_get(root, "slots"))
		err = yaml_want_i64(r->doc, yaml_get(root, "slots"), "slots", 1, 100000, &slots, r->reterr);
	r->s->slots = (uint32_t)slots;
	return err;
}

static enum err_code read_all(struct reader *r, const struct yaml *root)
{
	struct rules *rules = &r->s->rules;
	enum err_code err = read_head(r, root);
	if (!err)
		err = read_keys(r, yaml_get(root, "keys"));
	if (!err)
		err = read_list(r, yaml_get(root, "allowed_hosts"), "allowed_hosts", &rules->allowed_hosts,
		                &rules->allowed_host_count);
	if (!err)
		err = read_private(r, yaml_get(root, "allow_private"));
	if (!err)
		err = read_teams(r, yaml_get(root, "teams"));
	if (!err)
		err = read_commands(r, yaml_get(root, "commands"));
	return err ? err : read_hosts(r, yaml_get(root, "hosts"));
}

enum err_code settings_read(struct str text, const char *file, const char *const *environment,
                            struct settings **ret_settings, struct error *reterr)
{
	struct settings *s = mem_new(1, sizeof(*s));
	arena_init(&s->arena, ARENA_BYTES);
	enum err_code err = yaml_parse(text, file, &s->doc, reterr);
	struct reader r = { s, s->doc, environment, reterr };
	if (!err)
		err = read_all(&r, yaml_root(s->doc));
	if (err) {
		settings_free(s);
		return err;
	}
	*ret_settings = s;
	return ERR_OK;
}

void settings_free(struct settings *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->rules.alias_count; i++)
		if (s->rules.aliases[i].secret.len > 0)
			keys_wipe((void *)(uintptr_t)s->rules.aliases[i].secret.data, s->rules.aliases[i].secret.len);
	arena_done(&s->arena);
	yaml_free(s->doc);
	mem_free(s);
}

const struct msg_alias *settings_aliases(const struct settings *s, struct str hash_key, struct arena *a)
{
	struct msg_alias *out = arena_new(a, s->rules.alias_count + 1, sizeof(*out));
	for (size_t i = 0; i < s->rules.alias_count; i++)
		out[i] = (struct msg_alias){ s->rules.aliases[i].name,
			                     hash_keyed(hash_key, s->rules.aliases[i].secret) };
	return out;
}

const struct msg_host *settings_hosts(const struct settings *s, struct arena *a, size_t *ret_count)
{
	struct msg_host *out = arena_new(a, s->rules.command_count + 1, sizeof(*out));
	*ret_count = 0;
	for (size_t i = 0; i < s->rules.command_count; i++)
		if (s->rules.commands[i].hosted)
			out[(*ret_count)++] = (struct msg_host){ .command = s->rules.commands[i].name };
	return out;
}
