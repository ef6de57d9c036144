/* worker/main/settings.h - worker.yaml, read strictly: what this worker may do, said by its operator alone.
 *
 *   schema: assay.worker.v1
 *   name: w1                      # --name goes before it
 *   slots: 64                     # --slots goes before it
 *   keys:
 *     m: {env: M_API_KEY}         # or {file: /etc/assay/m.key}, 0600
 *   allowed_hosts: ["api.example.com", "*.example.org"]     # nothing when left out; "*" is any
 *   allow_private: [vllm.internal]                          # or true: any private address (never link-local)
 *   teams: [default]              # or left out; nothing else is accepted yet
 *   commands:
 *     smollm2: {path: /opt/assay/serve, args: [smollm2, --port, "{port}"], env: {OMP_NUM_THREADS: "2"},
 *               memory_mib: 4096}   # of each of its processes (RLIMIT_DATA); no limit when left out
 *   hosts: [smollm2]              # commands that this worker runs as model servers
 *
 * Unknown keys, wrong types and doubles are errors with file, line and column. Keys are read once, at start, and
 * registered with secrets.h before anything is logged; a key that is not there is an error that names the variable or
 * file, never a value. Everything lives as long as the settings. One thread; read-only afterwards. */
#ifndef ASSAY_MAIN_SETTINGS_H
#define ASSAY_MAIN_SETTINGS_H

#include "common/base/arena.h"
#include "common/base/error.h"
#include "common/base/yaml.h"
#include "common/wire/msg.h"
#include "worker/net/rules.h"

struct settings {
	struct arena arena;
	struct yaml_doc *doc;
	struct str name; /* empty: not said */
	uint32_t slots;  /* 0: not said */
	struct rules rules;
	const char *const *key_variables; /* names of the variables that hold keys; NULL-terminated */
	size_t short_key_count;           /* keys too short to be hidden wherever they appear */
};

enum { SETTINGS_COMMAND_ARGS_MAX = 64, SETTINGS_LIST_MAX = 1000 };

/* `environment` is NAME=value strings, NULL-terminated. *ret_settings is the caller's, for settings_free(). */
enum err_code settings_read(struct str text, const char *file, const char *const *environment,
                            struct settings **ret_settings, struct error *reterr) MUST_CHECK;
void settings_free(struct settings *s); /* wipes the keys; accepts NULL */

/* For Hello: names and keyed hashes of the keys (keyed with what all workers of an installation share), in `a`. */
const struct msg_alias *settings_aliases(const struct settings *s, struct str hash_key, struct arena *a);
const struct msg_host *settings_hosts(const struct settings *s, struct arena *a, size_t *ret_count);

#endif
