/* coordinator/cli/installation.h - the files of an embedded installation: token, keys, ports, each worker's settings.
 *
 * Makes what is missing and keeps what is there, so that a second `up` changes nothing that somebody relies on; only
 * worker.yaml is written anew each time, since its key aliases follow the environment that `up` was started from. */
#ifndef ASSAY_CLI_INSTALLATION_H
#define ASSAY_CLI_INSTALLATION_H

#include "coordinator/cli/home.h"

struct installation {
	uint16_t fleet_port, http_port;
	unsigned workers;
};

enum { INSTALLATION_WORKERS_MAX = 32 };

/* `program_path`: this executable, to find deploy/models beside it. `environment`: NAME=value, NULL-terminated. */
enum err_code installation_prepare(const struct home *h, unsigned workers, const char *program_path,
                                   const char *const *environment, struct error *reterr) MUST_CHECK;

/* Is the key of this worker of ours missing in the allow-list, as one that was revoked? False when that can't be read.
 */
bool installation_refuses(const struct home *h, const char *worker);

/* The ports that were chosen, or new ones that are free when there are none or one of them is taken. */
enum err_code installation_ports(const struct home *h, struct installation *in, struct error *reterr) MUST_CHECK;

/* A program that lies beside this one ("assay-worker"). */
struct fs_path installation_program(const char *program_path, const char *name);

/* Variables that hold keys of providers: for workers alone. Fills up to `cap` names, each NUL-terminated in `arena`. */
size_t installation_key_names(const char *const *environment, struct arena *arena, const char **out, size_t cap);

/* Was it started elsewhere the last time? As root its database is found by that path (postgres.h). */
bool installation_moved(const struct home *h, struct fs_path *ret_before);
enum err_code installation_settle(const struct home *h, struct error *reterr) MUST_CHECK; /* notes where it lies now */

struct installation_key_change {
	const char *name; /* of the variable, in the arena */
	bool is_new;      /* else its value differs */
};

/* Keys of providers in `environment` that a process with the environment `started` (as /proc/PID/environ gives it:
 * NAME=value, each ended by NUL) does not have, or has with another value. One that is gone is no change: workers keep
 * what they have. Pure; values are compared and never kept. */
size_t installation_key_changes(const char *const *environment, struct str started, struct arena *arena,
                                struct installation_key_change *out, size_t cap);

/* The alias that worker.yaml gives to a variable: OPEN_AI_API_KEY is open-ai. */
struct str installation_alias(const char *variable, struct arena *arena);

#endif
