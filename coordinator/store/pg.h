/* coordinator/store/pg.h - one PostgreSQL connection, never blocking unless asked to. The only file pair that sees
 * libpq.
 *
 * A connection is a small machine: pg_connect_start() and pg_step() bring it up; pg_queue() adds prepared statements
 * (binary parameters, binary results), pg_submit() sends them as one pipeline that is one transaction unless BEGIN is
 * among them, pg_step() moves bytes until every answer is there. The shell polls pg_fd() for pg_events(), beside an
 * eventfd of its own; or it calls the pg_run_*() forms, which wait up to a deadline.
 *
 * Invariants: at most one pipeline is under way; after a failure that ends the connection everything answers
 * ERR_CONNECT until pg_connect_start(). Nothing here sends a statement twice: whoever may, does.
 * SQLSTATE classes become codes: 08 and a lost connection ERR_CONNECT; 25 40 53 55 57 ERR_AGAIN (send it again);
 * 23505 and AS001 (assay.lead(): the term is over) ERR_CONFLICT; the rest ERR_DATABASE, the text ending in the
 * SQLSTATE. (25 is a server turned read-only.) Results are borrowed from the connection until its next pg_queue() or
 * close. One thread at a time. */
#ifndef ASSAY_STORE_PG_H
#define ASSAY_STORE_PG_H

#include "common/base/error.h"
#include "common/base/hash.h"
#include "coordinator/store/pg_list.h"
#include "coordinator/store/pg_params.h"

enum { PG_QUEUE_MAX = 8, PG_SQLSTATE_BYTES = 6 };

struct pg_settings {
	const char *dsn;                 /* conninfo or URI; copied */
	const char *application_name;    /* copied */
	uint32_t connect_timeout_ms;     /* of each host; 0: 3,000 */
	uint32_t statement_timeout_ms;   /* 0: none */
	uint32_t idle_in_transaction_ms; /* 0: none */
	uint32_t tcp_user_timeout_ms;    /* 0: 3,000 */
	bool read_write;                 /* only a server that takes writes will do (target_session_attrs) */
	bool pinned_plans;               /* writers: generic plans by index, whatever the statistics say */
};

struct pg_statement { /* static; `name` is its identity on a connection, NULL: parsed each time */
	const char *name, *sql;
};

enum pg_state {
	PG_CLOSED,     /* nothing there: pg_connect_start() */
	PG_CONNECTING, /* pg_step() until it changes */
	PG_READY,      /* pg_queue() */
	PG_BUSY,       /* a pipeline is under way: pg_step() */
	PG_DONE,       /* its results are here: read them; pg_queue() starts the next */
};

struct pg;

enum err_code pg_new(const struct pg_settings *settings, struct pg **ret_pg, struct error *reterr) MUST_CHECK;
void pg_free(struct pg *pg);  /* accepts NULL */
void pg_close(struct pg *pg); /* to PG_CLOSED; what was under way is in doubt */

enum err_code pg_connect_start(struct pg *pg, uint64_t now_ms, struct error *reterr) MUST_CHECK;
/* Moves on as far as it can without waiting. After an error the connection is PG_CLOSED. While nothing is under way it
 * only notices that the server has gone; results that are still to be read would go with it. */
enum err_code pg_step(struct pg *pg, uint64_t now_ms, struct error *reterr) MUST_CHECK;
enum pg_state pg_state(const struct pg *pg);
int pg_fd(const struct pg *pg);                    /* -1 when closed; may change while connecting */
short pg_events(const struct pg *pg);              /* POLLIN, POLLOUT */
uint64_t pg_next_deadline_ms(const struct pg *pg); /* of connecting; else UINT64_MAX */
uint64_t pg_connection_no(const struct pg *pg);    /* one more for each connection made: says "it was lost meanwhile" */

/* Polls the socket and wake_fd (-1: none) until one is ready or timeout_ms (-1: for ever) have passed. */
void pg_wait(const struct pg *pg, int wake_fd, int timeout_ms);

/* ---- statements ---- */

/* Adds one statement to the pipeline; params may be NULL. `params` is copied into libpq's buffer. */
enum err_code pg_queue(struct pg *pg, const struct pg_statement *statement, const struct pg_params *params,
                       struct error *reterr) MUST_CHECK;
enum err_code pg_submit(struct pg *pg, struct error *reterr) MUST_CHECK;

/* In PG_DONE: the first failure of the pipeline (everything after it was not done), ERR_OK when there was none. */
enum err_code pg_outcome(const struct pg *pg, struct error *reterr) MUST_CHECK;
const char *pg_sqlstate(const struct pg *pg);    /* of that failure; "" when none was given */
const char *pg_server_text(const struct pg *pg); /* its primary message alone */

/* ---- results of the i-th queued statement, in PG_DONE ---- */

size_t pg_rows(const struct pg *pg, size_t i);
uint64_t pg_affected(const struct pg *pg, size_t i);
bool pg_is_null(const struct pg *pg, size_t i, size_t row, size_t column);
bool pg_bool(const struct pg *pg, size_t i, size_t row, size_t column);   /* NULL reads as false, 0, empty; below too */
int64_t pg_i64(const struct pg *pg, size_t i, size_t row, size_t column); /* of int2, int4, int8 */
double pg_f64(const struct pg *pg, size_t i, size_t row, size_t column);
struct str pg_bytes(const struct pg *pg, size_t i, size_t row, size_t column); /* text, bytea, uuid; borrowed */
bool pg_hash(const struct pg *pg, size_t i, size_t row, size_t column, struct hash *ret_hash); /* 32 bytes of bytea */

struct pg_list pg_list(const struct pg *pg, size_t i, size_t row, size_t column); /* an array; NULL: the empty list */

/* ---- the waiting forms ---- */

enum err_code pg_run_connect(struct pg *pg, struct error *reterr) MUST_CHECK;
/* Submits what is queued and waits for it; ERR_TIMEOUT closes the connection. */
enum err_code pg_run(struct pg *pg, uint32_t timeout_ms, struct error *reterr) MUST_CHECK;
/* pg_queue and pg_run of one statement: its result is number 0. */
enum err_code pg_exec(struct pg *pg, const struct pg_statement *statement, const struct pg_params *params,
                      uint32_t timeout_ms, struct error *reterr) MUST_CHECK;
/* Several statements as text, in one transaction of their own making or none; for migrations. No results. */
enum err_code pg_run_script(struct pg *pg, struct str sql, uint32_t timeout_ms, struct error *reterr) MUST_CHECK;

#endif
