/* worker/net/rules.h - what this worker may reach and with which keys: worker.yaml as values (DESIGN.md 10).
 *
 * Filled once at start (main/settings.c), then only read: any thread. A suite or model file names an alias, a host or a
 * command; whether it may, and what the alias stands for, is decided here and nowhere else. Secrets never leave but
 * through rules_secret(), for the one header of one request. */
#ifndef ASSAY_NET_RULES_H
#define ASSAY_NET_RULES_H

#include "common/base/error.h"
#include "common/base/str.h"

struct rules_alias {
	struct str name, secret;
};

struct rules_command { /* a model server that may be started */
	struct str name;
	const char *path;
	const char *const *args;   /* NULL-terminated; {port} and {slots} are put in */
	const char *const *env;    /* "NAME=value", NULL-terminated */
	uint64_t memory_bytes_max; /* of each process of the server; 0: no limit */
	bool hosted;               /* listed under `hosts`: this worker runs it */
};

struct rules { /* all borrowed from whoever read the settings */
	const struct rules_alias *aliases;
	size_t alias_count;
	const struct str *allowed_hosts; /* "*", "api.example.com", "*.example.com" */
	size_t allowed_host_count;
	bool allow_private;              /* loopback and private addresses of any name */
	const struct str *private_hosts; /* these, also where they are private or link-local */
	size_t private_host_count;
	const struct rules_command *commands;
	size_t command_count;
};

/* May `host` be asked, for a model that is not hosted here? The text of a denial says which rule. */
enum err_code rules_check_host(const struct rules *r, struct str host, struct error *reterr) MUST_CHECK;
/* May an address that is private be connected to under that name? */
bool rules_private_allowed(const struct rules *r, struct str host);
/* ERR_DENIED when the alias is not in worker.yaml; an empty alias is no key. */
enum err_code rules_secret(const struct rules *r, struct str alias, struct str *ret_secret,
                           struct error *reterr) MUST_CHECK;
/* ERR_DENIED when worker.yaml does not list the command, or does not host it. */
enum err_code rules_command(const struct rules *r, struct str name, const struct rules_command **ret_command,
                            struct error *reterr) MUST_CHECK;

#endif
