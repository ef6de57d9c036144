/* tests/support/pg_server.h - a private PostgreSQL for one test program: in a folder of its own under /tmp, on a unix
 * socket, ended and removed with it.
 *
 * PostgreSQL refuses to run as root: there it runs as the account `postgres`. Settings are the server's own defaults
 * (fsync on) unless an option says otherwise. It dies with the test program, even one that is killed. Needs assay_io
 * among the libraries of the test. One thread. */
#ifndef ASSAY_TESTS_PG_SERVER_H
#define ASSAY_TESTS_PG_SERVER_H

#include "common/base/buf.h"
#include "common/base/error.h"

struct pg_server_options {
	bool fast;               /* fsync off: for tests that lose no power */
	const char *const *args; /* more for postgres, NULL-terminated: "-c", "max_connections=20"; may be NULL */
};

struct pg_server;

/* initdb and start; returns when it takes connections. */
enum err_code pg_server_start(const struct pg_server_options *options, struct pg_server **ret_server,
                              struct error *reterr) MUST_CHECK;
const char *pg_server_dsn(const struct pg_server *s);
const char *pg_server_folder(const struct pg_server *s); /* data is below it */

void pg_server_kill(struct pg_server *s);   /* SIGKILL, as a power cut would; nothing is left running */
void pg_server_freeze(struct pg_server *s); /* SIGSTOP of all its processes, and back */
void pg_server_thaw(struct pg_server *s);
enum err_code pg_server_restart(struct pg_server *s, struct error *reterr) MUST_CHECK; /* after a kill */
void pg_server_free(struct pg_server *s); /* accepts NULL; stops it and removes the folder */

/* Runs SQL through psql; `out` (may be NULL) gets what it prints: unaligned, tuples only. */
enum err_code pg_server_sql(struct pg_server *s, const char *sql, struct buf *out, struct error *reterr) MUST_CHECK;

#endif
