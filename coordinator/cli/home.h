/* coordinator/cli/home.h - $ASSAY_HOME: where an embedded installation keeps everything, and what runs there.
 *
 *   lock               held while `up` or `down` works        status.json   what supervise runs (it alone writes it)
 *   token              of the API, 0600                       ports         "FLEET HTTP", chosen free once
 *   keys/              CURVE pairs, 0600; keys/allowed        logs/         one file a process
 *   worker-1/ ...      worker.yaml and state of each worker   pg/           database (elsewhere when root)
 *   place              where it lay when it was last started
 *
 * Plain values; no file is kept open but the lock. */
#ifndef ASSAY_CLI_HOME_H
#define ASSAY_CLI_HOME_H

#include "common/base/arena.h"
#include "common/io/fs.h"
#include "common/io/process.h"

enum { HOME_PROCESSES_MAX = 64, HOME_NAME_BYTES = 32 };

struct home {
	struct fs_path root; /* absolute, links resolved */
	char id[17];         /* 16 hex digits: hash of the absolute path */
};

struct home_process {
	char name[HOME_NAME_BYTES];
	char state[HOME_NAME_BYTES]; /* starting running waiting stopped */
	struct process_id id;
	uint64_t restarts;
	int64_t since_ms;
};

struct home_status {
	char url[128], dsn[512], endpoint[128];
	int64_t started_ms;
	struct process_id supervise;
	struct home_process processes[HOME_PROCESSES_MAX];
	size_t process_count;
};

/* The folder that ASSAY_HOME names, else ./.assay. `create` makes it, mode 0700. */
enum err_code home_find(bool create, struct home *ret_home, struct error *reterr) MUST_CHECK;
void home_id(const char *root, char ret_id[17]); /* what names the home at this absolute path */
struct fs_path home_path(const struct home *h, const char *name);

/* ERR_NOT_FOUND: never started here. */
enum err_code home_status_read(const struct home *h, struct home_status *ret_status, struct error *reterr) MUST_CHECK;
enum err_code home_status_write(const struct home *h, const struct home_status *s, struct error *reterr) MUST_CHECK;
bool home_status_to_json(const struct home *h, const struct home_status *s, bool running, struct buf *out);

#endif
