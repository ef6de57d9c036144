/* coordinator/store/store.h - the database of Assay: settings, schema, and a connection for questions that wait.
 *
 * Three kinds of user:
 *   struct writer (writer.h)  what happens all the time: results, attempts, states; never waits
 *   struct leader (leader.h)  who may write at all
 *   struct store  (here)      one connection for a thread that may wait: readers, and the API's own writes
 *
 * Whatever a coordinator writes carries its term: a STORE_WRITER's every write is one transaction that first reads
 * `leader` FOR SHARE, and ends in ERR_CONFLICT when the term is no longer the leader's. Writes are idempotent by a key
 * or a hash, so that one whose answer was lost (ERR_CONNECT, ERR_AGAIN, ERR_TIMEOUT: it is in doubt) can simply be
 * called again. A connection that broke is made anew by the next call; reads are asked a second time by themselves.
 *
 * All results are plain structs in the caller's arena, text included; over its budget is ERR_LIMIT. Times are wall
 * clock, ms since 1970, 0 for "not yet". One thread at a time. */
#ifndef ASSAY_STORE_STORE_H
#define ASSAY_STORE_STORE_H

#include "common/base/arena.h"
#include "common/base/error.h"
#include "common/base/str.h"

enum { STORE_TEAM_DEFAULT = 1 }; /* made by the first migration */

struct store_settings {              /* zero is a usable default but for the dsn */
	const char *dsn;             /* conninfo or URI, several hosts too; its `options` are replaced by ours */
	const char *reader_role;     /* SET ROLE for readers: one without BYPASSRLS; NULL: stay who we are */
	uint32_t connect_timeout_ms; /* 3,000 */
	uint32_t write_timeout_ms;   /* of one statement of a writer: 3,000, never more */
	uint32_t read_timeout_ms;    /* 30,000 */
};

/* ---- schema ---- */

struct store_schema {
	int32_t version;  /* of the database; 0: empty */
	int32_t expected; /* of this program */
	uint32_t applied; /* migrations that this call applied */
};

/* Brings the schema `assay` up to this program's: numbered files, forward only, each in its transaction with its row in
 * schema_migrations; coordinators that start at once wait for one another (advisory lock). ERR_UNSUPPORTED: the
 * database is newer than this program; ERR_CORRUPT: an applied migration is not the one of this program; both say
 * which. ERR_DENIED: the server is read-only. */
enum err_code store_migrate(const struct store_settings *settings, struct store_schema *ret_schema,
                            struct error *reterr) MUST_CHECK;

/* Only looks. ERR_UNSUPPORTED, ERR_CORRUPT as above; an older schema is a value: version < expected. */
enum err_code store_check_schema(const struct store_settings *settings, struct store_schema *ret_schema,
                                 struct error *reterr) MUST_CHECK;

/* ---- connection ---- */

enum store_role { STORE_READER, STORE_WRITER };
struct store;

/* Does not connect yet: a database that is away is no reason not to start. `term` is a writer's; 0 for a reader. */
enum err_code store_open(const struct store_settings *settings, enum store_role role, uint64_t term,
                         struct store **ret_store, struct error *reterr) MUST_CHECK;
void store_close(struct store *s); /* accepts NULL */
enum err_code store_ping(struct store *s, struct error *reterr) MUST_CHECK;

/* The team that later reads are of; row level security enforces it where the role can be held to it. */
void store_use_team(struct store *s, int32_t team_id);

/* ---- what doctor and /readyz want to know ---- */

struct store_health {
	struct str server_version;
	int32_t schema_version;
	uint64_t timeline; /* changes when another server took over; goes into Welcome */
	bool in_recovery;  /* a standby: no writes here */
	bool synchronous;  /* a commit waits for its disk; for replicas too if synchronous_replica_count says so */
	int32_t replica_count, synchronous_replica_count;
	bool lz4;
	int64_t size_bytes, now_ms;
};
enum err_code store_health(struct store *s, struct arena *arena, struct store_health *ret_health,
                           struct error *reterr) MUST_CHECK;

/* Takes away what is kept for a time only: refused results after 30 days, a thousand at a time. Now and then. */
enum err_code store_tidy(struct store *s, struct error *reterr) MUST_CHECK;

/* Counts a run's summary anew from its rows and compares: ERR_CORRUPT names the first figure that differs. For tests
 * and doctor; it reads every row of the run. */
enum err_code store_recount(struct store *s, uint64_t run_id, struct error *reterr) MUST_CHECK;

#endif
