/* coordinator/cli/postgres.h - the private PostgreSQL of an embedded installation: unix socket only, nobody else's.
 *
 * PostgreSQL refuses to run as root and cannot enter /root, and the path of a socket ends at 107 bytes. So root gives
 * it to the system account `assay`, with data in /var/lib/assay/<id> and sockets in /run/assay-<uid>/<id>; anybody
 * else keeps data under $ASSAY_HOME/pg and sockets there too when the path is short, else in /tmp/assay-<uid>/<id>.
 * The socket folder is 0700: whoever can enter it is trusted. Idempotent; one thread. */
#ifndef ASSAY_CLI_POSTGRES_H
#define ASSAY_CLI_POSTGRES_H

#include "coordinator/cli/home.h"

struct postgres {
	struct fs_path bin, data, sockets; /* folders */
	char dsn[512];
	bool drop_user;
	uid_t uid;
	gid_t gid;
};

/* Decides where everything lies; makes nothing. ERR_NOT_FOUND: no PostgreSQL of version 15 or later is installed. */
enum err_code postgres_find(const struct home *h, struct postgres *ret_pg, struct error *reterr) MUST_CHECK;

/* Account, folders and `initdb`, whichever are missing. */
enum err_code postgres_prepare(struct postgres *pg, struct error *reterr) MUST_CHECK;

/* The server as a child of the caller; its output goes to log_path. It may take a while until it answers. */
enum err_code postgres_start(const struct postgres *pg, const char *log_path, struct process **ret_process,
                             struct error *reterr) MUST_CHECK;
bool postgres_answers(const struct postgres *pg);

/* Makes the database `assay` if it is missing. The server must answer. */
enum err_code postgres_make_database(const struct postgres *pg, struct error *reterr) MUST_CHECK;

/* The server's process as its own pid file names it; ERR_NOT_FOUND when none runs on these data. */
enum err_code postgres_running(const struct postgres *pg, struct process_id *ret_id, struct error *reterr) MUST_CHECK;

#endif
