#include "worker/net/rules.h"
#include <strings.h>

static bool equal_nocase(struct str a, struct str b)
{
	return a.len == b.len && strncasecmp(a.data, b.data, a.len) == 0;
}

static bool matches(struct str pattern, struct str host)
{
	if (str_eq_c(pattern, "*") || equal_nocase(pattern, host))
		return true;
	if (!str_starts(pattern, STR("*.")) || host.len < pattern.len)
		return false;
	struct str tail = str_slice(pattern, 1, pattern.len);
	return equal_nocase(str_slice(host, host.len - tail.len, host.len), tail);
}

static bool is_listed(const struct str *patterns, size_t count, struct str host)
{
	for (size_t i = 0; i < count; i++)
		if (matches(patterns[i], host))
			return true;
	return false;
}

/* Where clouds answer with credentials: only under its own name, never because private addresses are allowed at all. */
static bool is_link_local(struct str host)
{
	return str_starts(host, STR("169.254.")) || (host.len > 5 && strncasecmp(host.data, "fe80:", 5) == 0);
}

enum err_code rules_check_host(const struct rules *r, struct str host, struct error *reterr)
{
	if (!is_listed(r->allowed_hosts, r->allowed_host_count, host))
		return error_set(reterr, ERR_DENIED,
		                 "host %.*s is not among allowed_hosts of this worker's worker.yaml", STR_ARG(host));
	if (is_link_local(host) && !is_listed(r->private_hosts, r->private_host_count, host))
		return error_set(reterr, ERR_DENIED,
		                 "host %.*s is a link-local address: worker.yaml must list it under allow_private",
		                 STR_ARG(host));
	return ERR_OK;
}

bool rules_private_allowed(const struct rules *r, struct str host)
{
	return r->allow_private || is_listed(r->private_hosts, r->private_host_count, host);
}

enum err_code rules_secret(const struct rules *r, struct str alias, struct str *ret_secret, struct error *reterr)
{
	if (alias.len == 0) {
		*ret_secret = STR("");
		return ERR_OK;
	}
	for (size_t i = 0; i < r->alias_count; i++)
		if (str_eq(r->aliases[i].name, alias)) {
			*ret_secret = r->aliases[i].secret;
			return ERR_OK;
		}
	return error_set(reterr, ERR_DENIED, "key alias '%.*s' is not in this worker's worker.yaml", STR_ARG(alias));
}

enum err_code rules_command(const struct rules *r, struct str name, const struct rules_command **ret_command,
                            struct error *reterr)
{
	for (size_t i = 0; i < r->command_count; i++) {
		if (!str_eq(r->commands[i].name, name))
			continue;
		if (!r->commands[i].hosted)
			return error_set(reterr, ERR_DENIED,
			                 "command '%.*s' is not under `hosts` in this worker's worker.yaml",
			                 STR_ARG(name));
		*ret_command = &r->commands[i];
		return ERR_OK;
	}
	return error_set(reterr, ERR_DENIED, "command '%.*s' is not in this worker's worker.yaml", STR_ARG(name));
}
