#include "coordinator/store/pg.h"
#include "common/base/check.h"
#include "common/base/map.h"
#include "common/base/mem.h"
#include "common/io/clock.h"
#include <libpq-fe.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

enum { CONNECT_MS = 3000, TCP_USER_MS = 3000, NULLS_MAX = 4, IDLE_READS_MAX = 8 };

struct pg {
	PGconn *conn;
	enum pg_state state;
	char *dsn, *application_name;
	struct pg_settings settings;
	uint64_t connect_deadline_ms, connection_no;
	uint32_t connect_ms; /* for all hosts of the dsn together */
	PostgresPollingStatusType polling;
	bool wants_write;    /* libpq holds bytes that the socket did not take */
	struct map prepared; /* statement names that this connection knows */
	size_t queued;       /* statements of the pipeline */
	size_t answering;    /* which of its commands libpq hands results of; prepares count too */
	size_t command_count, nulls;
	struct {
		size_t statement;
		const char *prepares; /* the name that becomes known if it succeeds; NULL: an execution */
		bool answered;
	} commands[2 * PG_QUEUE_MAX];
	PGresult *results[PG_QUEUE_MAX];
	enum err_code failure; /* the first of the pipeline */
	char sqlstate[PG_SQLSTATE_BYTES];
	struct error server;
};

static char *copy_text(const char *text)
{
	size_t bytes = strlen(text) + 1;
	char *copy = mem_new(bytes, 1);
	memcpy(copy, text, bytes);
	return copy;
}

/* Hosts are tried one after the other, and a dead one takes its time: libpq's own limit is for waiting calls only. */
static uint32_t host_count(const char *dsn)
{
	uint32_t count = 1;
	PQconninfoOption *options = PQconninfoParse(dsn, NULL);
	for (PQconninfoOption *o = options; o && o->keyword; o++)
		if (strcmp(o->keyword, "host") == 0 && o->val)
			for (const char *c = o->val; *c; c++)
				count += *c == ',';
	PQconninfoFree(options);
	return count;
}

enum err_code pg_new(const struct pg_settings *settings, struct pg **ret_pg, struct error *reterr)
{
	struct pg *pg = mem_try_new(1, sizeof(*pg));
	if (!pg)
		return error_set(reterr, ERR_NOMEM, "a database connection");
	pg->settings = *settings;
	pg->dsn = copy_text(settings->dsn ? settings->dsn : "");
	pg->application_name = copy_text(settings->application_name ? settings->application_name : "assay");
	pg->connect_ms =
		(settings->connect_timeout_ms ? settings->connect_timeout_ms : CONNECT_MS) * host_count(pg->dsn);
	map_init(&pg->prepared, 1);
	*ret_pg = pg;
	return ERR_OK;
}

static void clear_pipeline(struct pg *pg)
{
	for (size_t i = 0; i < PG_QUEUE_MAX; i++) {
		PQclear(pg->results[i]);
		pg->results[i] = NULL;
	}
	pg->queued = pg->command_count = pg->answering = pg->nulls = 0;
	pg->failure = ERR_OK;
	pg->sqlstate[0] = '\0';
	pg->server.text[0] = '\0';
}

void pg_close(struct pg *pg)
{
	clear_pipeline(pg);
	map_clear(&pg->prepared);
	PQfinish(pg->conn);
	pg->conn = NULL;
	pg->wants_write = false;
	pg->state = PG_CLOSED;
}

void pg_free(struct pg *pg)
{
	if (!pg)
		return;
	pg_close(pg);
	map_done(&pg->prepared);
	mem_free(pg->dsn);
	mem_free(pg->application_name);
	mem_free(pg);
}

/* libpq's messages are several lines; ours are one. */
static void flatten(char *text)
{
	size_t out = 0;
	bool gap = false;
	for (size_t i = 0; text[i]; i++) {
		bool space = text[i] == '\n' || text[i] == '\t' || text[i] == ' ' || text[i] == '\r';
		if (!space) {
			if (gap && out > 0)
				text[out++] = ' ';
			text[out++] = text[i];
		}
		gap = space;
	}
	text[out] = '\0';
}

/* A connection that cannot go on: takes libpq's words with it. */
static enum err_code lost(struct pg *pg, const char *doing, struct error *reterr)
{
	char text[ERROR_TEXT_BYTES_MAX];
	const char *said = pg->failure != ERR_OK ? pg->server.text : PQerrorMessage(pg->conn);
	(void)snprintf(text, sizeof(text), "%s", said ? said : ""); /* cut at the limit: it is for people */
	flatten(text);
	enum err_code code = strstr(text, "read-only") ? ERR_DENIED : ERR_CONNECT;
	pg_close(pg);
	return error_set(reterr, code, "%s: %s", doing, text[0] ? text : "the connection was lost");
}

static void session_options(const struct pg *pg, char *out, size_t out_bytes)
{
	/* Statistics lag behind: a partition was empty a minute ago. Writers: what a group of unnested arrays joins by
	 * key is found by index or by hash, whatever they say. Readers: a page is a stretch of an index, read from its
	 * begin, never all that lies behind it, sorted. */
	static const char *const pins =
		"-c plan_cache_mode=force_generic_plan -c enable_seqscan=off -c enable_nestloop=off"
		" -c enable_sort=off";
	static const char *const pages = "-c plan_cache_mode=force_custom_plan -c enable_bitmapscan=off"
					 " -c random_page_cost=1.1";
	(void)snprintf(out, out_bytes,
	               "-c timezone=UTC -c jit=off -c synchronous_commit=on -c statement_timeout=%u"
	               " -c idle_in_transaction_session_timeout=%u %s",
	               pg->settings.statement_timeout_ms, pg->settings.idle_in_transaction_ms,
	               pg->settings.pinned_plans ? pins : pages); /* fits: fixed text */
}

enum err_code pg_connect_start(struct pg *pg, uint64_t now_ms, struct error *reterr)
{
	char options[512], user_timeout[16];
	pg_close(pg);
	session_options(pg, options, sizeof(options));
	(void)snprintf(user_timeout, sizeof(user_timeout), "%u",
	               pg->settings.tcp_user_timeout_ms ? pg->settings.tcp_user_timeout_ms : TCP_USER_MS); /* fits */
	const char *const keywords[] = { "dbname",
		                         "fallback_application_name",
		                         "application_name",
		                         "client_encoding",
		                         "options",
		                         "target_session_attrs",
		                         "keepalives",
		                         "keepalives_idle",
		                         "keepalives_interval",
		                         "keepalives_count",
		                         "tcp_user_timeout",
		                         NULL };
	const char *const values[] = { pg->dsn, "assay",      pg->application_name,
		                       "UTF8",  options,      pg->settings.read_write ? "read-write" : "any",
		                       "1",     "2",          "1",
		                       "3",     user_timeout, NULL };
	pg->conn = PQconnectStartParams(keywords, values, 1);
	if (!pg->conn)
		return error_set(reterr, ERR_NOMEM, "a database connection");
	if (PQstatus(pg->conn) == CONNECTION_BAD)
		return lost(pg, "cannot connect to the database", reterr);
	pg->connection_no++;
	pg->polling = PGRES_POLLING_WRITING;
	pg->connect_deadline_ms = now_ms + pg->connect_ms;
	pg->state = PG_CONNECTING;
	return ERR_OK;
}

/* Whether the socket is ready for what libpq asked for: PQconnectPoll() must not be called before that. */
static bool socket_ready(const struct pg *pg)
{
	struct pollfd p = { .fd = PQsocket(pg->conn), .events = pg_events(pg) };
	return p.fd < 0 || poll(&p, 1, 0) != 0;
}

static enum err_code step_connect(struct pg *pg, uint64_t now_ms, struct error *reterr)
{
	while (socket_ready(pg)) {
		pg->polling = PQconnectPoll(pg->conn);
		if (pg->polling == PGRES_POLLING_FAILED)
			return lost(pg, "cannot connect to the database", reterr);
		if (pg->polling != PGRES_POLLING_OK)
			continue;
		if (PQsetnonblocking(pg->conn, 1) != 0 || PQenterPipelineMode(pg->conn) != 1)
			return lost(pg, "cannot set up the database connection", reterr);
		pg->state = PG_READY;
		return ERR_OK;
	}
	if (now_ms < pg->connect_deadline_ms)
		return ERR_OK;
	pg_close(pg);
	return error_set(reterr, ERR_TIMEOUT, "cannot connect to the database: no answer within %u ms", pg->connect_ms);
}

static enum err_code code_of_sqlstate(const char *sqlstate)
{
	static const char again[][3] = { "25", "40", "53", "55", "57" };
	if (strncmp(sqlstate, "08", 2) == 0)
		return ERR_CONNECT;
	for (size_t i = 0; i < ARRAY_LEN(again); i++)
		if (strncmp(sqlstate, again[i], 2) == 0)
			return ERR_AGAIN;
	return strcmp(sqlstate, "23505") == 0 || strcmp(sqlstate, "AS001") == 0 ? ERR_CONFLICT : ERR_DATABASE;
}

static void keep_failure(struct pg *pg, const PGresult *result)
{
	if (pg->failure != ERR_OK)
		return;
	const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	const char *text = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
	if (!text)
		text = PQresultErrorMessage(result);
	(void)snprintf(pg->sqlstate, sizeof(pg->sqlstate), "%s", sqlstate ? sqlstate : ""); /* always five letters */
	pg->failure = pg->sqlstate[0] ? code_of_sqlstate(pg->sqlstate) : ERR_CONNECT;
	(void)error_set(&pg->server, pg->failure, "%s", text && text[0] ? text : "no reason given");
	flatten(pg->server.text);
}

static void take_result(struct pg *pg, PGresult *result)
{
	if (pg->answering == pg->command_count) { /* more answers than questions: not worth a guess */
		PQclear(result);
		return;
	}
	ExecStatusType status = PQresultStatus(result);
	size_t statement = pg->commands[pg->answering].statement;
	const char *prepares = pg->commands[pg->answering].prepares;
	pg->commands[pg->answering].answered = true;
	if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
		if (status != PGRES_PIPELINE_ABORTED)
			keep_failure(pg, result);
		PQclear(result);
	} else if (prepares) {
		(void)map_put(&pg->prepared, str_from(prepares), NULL); /* the name alone says it */
		PQclear(result);
	} else {
		PQclear(pg->results[statement]);
		pg->results[statement] = result;
	}
}

/* Takes what has arrived. True when the pipeline's end did. */
static bool collect(struct pg *pg)
{
	while (!PQisBusy(pg->conn)) {
		PGresult *result = PQgetResult(pg->conn);
		if (!result) {
			if (pg->answering < pg->command_count && pg->commands[pg->answering].answered) {
				pg->answering++;
				pg->nulls = 0;
			} else if (++pg->nulls > NULLS_MAX) {
				return false; /* libpq has nothing under way: the caller sees that it never ends */
			}
			continue;
		}
		pg->nulls = 0;
		if (PQresultStatus(result) == PGRES_PIPELINE_SYNC) {
			PQclear(result);
			return true;
		}
		take_result(pg, result);
	}
	return false;
}

static enum err_code step_pipeline(struct pg *pg, struct error *reterr)
{
	int flushed = PQflush(pg->conn);
	if (flushed < 0 || PQconsumeInput(pg->conn) != 1) {
		(void)collect(pg); /* a server that goes away says why first */
		return lost(pg, "the database connection was lost", reterr);
	}
	pg->wants_write = flushed == 1;
	if (collect(pg)) {
		pg->state = PG_DONE;
		return ERR_OK;
	}
	if (PQstatus(pg->conn) == CONNECTION_BAD || pg->nulls > NULLS_MAX)
		return lost(pg, "the database connection was lost", reterr);
	return ERR_OK;
}

/* Nothing is under way, yet the socket may have news: a server that went away, or a notice. */
static enum err_code step_idle(struct pg *pg, struct error *reterr)
{
	struct pollfd p = { .fd = PQsocket(pg->conn), .events = POLLIN };
	/* Last words come before the end: more than one read. */
	for (int reads = 0; reads < IDLE_READS_MAX && poll(&p, 1, 0) != 0; reads++)
		if (PQconsumeInput(pg->conn) != 1 || PQstatus(pg->conn) == CONNECTION_BAD)
			return lost(pg, "the database connection was lost", reterr);
	return ERR_OK;
}

enum err_code pg_step(struct pg *pg, uint64_t now_ms, struct error *reterr)
{
	switch (pg->state) {
	case PG_CONNECTING:
		return step_connect(pg, now_ms, reterr);
	case PG_BUSY:
		return step_pipeline(pg, reterr);
	case PG_CLOSED:
		return error_set(reterr, ERR_CONNECT, "not connected to the database");
	case PG_READY:
	case PG_DONE:
		break;
	}
	return step_idle(pg, reterr);
}

enum pg_state pg_state(const struct pg *pg)
{
	return pg->state;
}

int pg_fd(const struct pg *pg)
{
	return pg->conn ? PQsocket(pg->conn) : -1;
}

short pg_events(const struct pg *pg)
{
	if (pg->state == PG_CONNECTING)
		return pg->polling == PGRES_POLLING_READING ? POLLIN : POLLOUT;
	return (short)(POLLIN | (pg->wants_write ? POLLOUT : 0));
}

uint64_t pg_next_deadline_ms(const struct pg *pg)
{
	return pg->state == PG_CONNECTING ? pg->connect_deadline_ms : UINT64_MAX;
}

uint64_t pg_connection_no(const struct pg *pg)
{
	return pg->connection_no;
}

void pg_wait(const struct pg *pg, int wake_fd, int timeout_ms)
{
	struct pollfd fds[2];
	nfds_t count = 0;
	int fd = pg_fd(pg);
	if (fd >= 0)
		fds[count++] = (struct pollfd){ .fd = fd, .events = pg_events(pg) };
	if (wake_fd >= 0)
		fds[count++] = (struct pollfd){ .fd = wake_fd, .events = POLLIN };
	(void)poll(fds, count, timeout_ms); /* an early return only means one more turn of the loop */
}

/* ---- statements ---- */

static enum err_code send_prepare(struct pg *pg, const struct pg_statement *statement, struct error *reterr)
{
	if (PQsendPrepare(pg->conn, statement->name ? statement->name : "", statement->sql, 0, NULL) != 1)
		return lost(pg, "cannot send a statement", reterr);
	pg->commands[pg->command_count].statement = pg->queued;
	pg->commands[pg->command_count].prepares = statement->name ? statement->name : "";
	pg->commands[pg->command_count++].answered = false;
	return ERR_OK;
}

enum err_code pg_queue(struct pg *pg, const struct pg_statement *statement, const struct pg_params *params,
                       struct error *reterr)
{
	const char *values[PG_PARAMS_MAX];
	int formats[PG_PARAMS_MAX];
	if (pg->state == PG_CLOSED)
		return error_set(reterr, ERR_CONNECT, "not connected to the database");
	check(pg->state == PG_READY || pg->state == PG_DONE);
	if (pg->state == PG_DONE) {
		clear_pipeline(pg);
		pg->state = PG_READY;
	}
	check(pg->queued < PG_QUEUE_MAX);
	if (params && pg_params_starved(params))
		return error_set(reterr, ERR_NOMEM, "no memory for a statement's parameters");
	if (params && !pg_params_ok(params))
		return error_set(reterr, ERR_LIMIT, "a statement's parameters are over %d MiB",
		                 PG_PARAMS_BYTES_MAX >> 20);
	bool known = statement->name && map_get(&pg->prepared, str_from(statement->name));
	enum err_code err = known ? ERR_OK : send_prepare(pg, statement, reterr);
	if (err)
		return err;
	size_t count = params ? params->count : 0;
	for (size_t i = 0; i < count; i++) {
		values[i] = params->len[i] < 0 ? NULL : params->bytes.data ? params->bytes.data + params->start[i] : "";
		formats[i] = 1;
	}
	if (PQsendQueryPrepared(pg->conn, statement->name ? statement->name : "", (int)count, values,
	                        params ? params->len : NULL, formats, 1) != 1)
		return lost(pg, "cannot send a statement", reterr);
	pg->commands[pg->command_count].statement = pg->queued;
	pg->commands[pg->command_count].prepares = NULL;
	pg->commands[pg->command_count++].answered = false;
	pg->queued++;
	return ERR_OK;
}

enum err_code pg_submit(struct pg *pg, struct error *reterr)
{
	if (pg->state == PG_CLOSED)
		return error_set(reterr, ERR_CONNECT, "not connected to the database");
	check(pg->state == PG_READY && pg->queued > 0);
	if (PQpipelineSync(pg->conn) != 1)
		return lost(pg, "cannot send a statement", reterr);
	pg->state = PG_BUSY;
	return step_pipeline(pg, reterr);
}

enum err_code pg_outcome(const struct pg *pg, struct error *reterr)
{
	check(pg->state == PG_DONE);
	if (pg->failure == ERR_OK)
		return ERR_OK;
	return error_set(reterr, pg->failure, "%s (%s)", pg->server.text, pg->sqlstate);
}

const char *pg_sqlstate(const struct pg *pg)
{
	return pg->sqlstate;
}

const char *pg_server_text(const struct pg *pg)
{
	return pg->server.text;
}

/* ---- results ---- */

static const PGresult *result_of(const struct pg *pg, size_t i)
{
	check(pg->state == PG_DONE && i < pg->queued);
	return pg->results[i];
}

size_t pg_rows(const struct pg *pg, size_t i)
{
	const PGresult *result = result_of(pg, i);
	return result ? (size_t)PQntuples(result) : 0;
}

uint64_t pg_affected(const struct pg *pg, size_t i)
{
	uint64_t count;
	const PGresult *result = result_of(pg, i);
	if (!result || pg->failure != ERR_OK)
		return 0;
	/* PQcmdTuples takes a PGresult that is not const, and does not change it. */
	return str_to_u64(str_from(PQcmdTuples(pg->results[i])), &count) ? count : 0;
}

struct str pg_bytes(const struct pg *pg, size_t i, size_t row, size_t column)
{
	const PGresult *result = result_of(pg, i);
	check(result && row < (size_t)PQntuples(result));
	if (column >= (size_t)PQnfields(result) || PQgetisnull(result, (int)row, (int)column))
		return (struct str){ 0 };
	return (struct str){ PQgetvalue(result, (int)row, (int)column),
		             (size_t)PQgetlength(result, (int)row, (int)column) };
}

bool pg_is_null(const struct pg *pg, size_t i, size_t row, size_t column)
{
	return pg_bytes(pg, i, row, column).data == NULL;
}

bool pg_bool(const struct pg *pg, size_t i, size_t row, size_t column)
{
	struct str bytes = pg_bytes(pg, i, row, column);
	return bytes.len == 1 && bytes.data[0] != 0;
}

int64_t pg_i64(const struct pg *pg, size_t i, size_t row, size_t column)
{
	return pg_list_read_i64(pg_bytes(pg, i, row, column));
}

double pg_f64(const struct pg *pg, size_t i, size_t row, size_t column)
{
	return pg_list_read_f64(pg_bytes(pg, i, row, column));
}

bool pg_hash(const struct pg *pg, size_t i, size_t row, size_t column, struct hash *ret_hash)
{
	struct str bytes = pg_bytes(pg, i, row, column);
	if (bytes.len != HASH_BYTES)
		return false;
	memcpy(ret_hash->bytes, bytes.data, HASH_BYTES);
	return true;
}

struct pg_list pg_list(const struct pg *pg, size_t i, size_t row, size_t column)
{
	return pg_list_of(pg_bytes(pg, i, row, column));
}

/* ---- the waiting forms ---- */

static enum err_code step_until(struct pg *pg, enum pg_state until, uint64_t deadline_ms, struct error *reterr)
{
	for (;;) {
		uint64_t now_ms = clock_now_ms();
		enum err_code err = pg_step(pg, now_ms, reterr);
		if (err || pg->state == until)
			return err;
		if (now_ms >= deadline_ms) {
			pg_close(pg);
			return error_set(reterr, ERR_TIMEOUT, "the database did not answer in time");
		}
		pg_wait(pg, -1, (int)MIN_OF(deadline_ms - now_ms, (uint64_t)60000));
	}
}

enum err_code pg_run_connect(struct pg *pg, struct error *reterr)
{
	enum err_code err = pg_connect_start(pg, clock_now_ms(), reterr);
	return err ? err : step_until(pg, PG_READY, UINT64_MAX, reterr); /* it has its own deadline */
}

enum err_code pg_run(struct pg *pg, uint32_t timeout_ms, struct error *reterr)
{
	enum err_code err = pg_submit(pg, reterr);
	if (!err)
		err = step_until(pg, PG_DONE, clock_now_ms() + timeout_ms, reterr);
	return err ? err : pg_outcome(pg, reterr);
}

enum err_code pg_exec(struct pg *pg, const struct pg_statement *statement, const struct pg_params *params,
                      uint32_t timeout_ms, struct error *reterr)
{
	enum err_code err = pg_queue(pg, statement, params, reterr);
	return err ? err : pg_run(pg, timeout_ms, reterr);
}

enum err_code pg_run_script(struct pg *pg, struct str sql, uint32_t timeout_ms, struct error *reterr)
{
	if (pg->state == PG_CLOSED)
		return error_set(reterr, ERR_CONNECT, "not connected to the database");
	check(pg->state == PG_READY || pg->state == PG_DONE);
	clear_pipeline(pg);
	pg->state = PG_READY;
	char *text = mem_new(sql.len + 1, 1);
	memcpy(text, sql.data, sql.len);
	bool sent = PQexitPipelineMode(pg->conn) == 1 && PQsendQuery(pg->conn, text) == 1;
	mem_free(text);
	if (!sent)
		return lost(pg, "cannot send a script", reterr);
	uint64_t deadline_ms = clock_now_ms() + timeout_ms;
	for (;;) {
		int flushed = PQflush(pg->conn);
		if (flushed < 0 || PQconsumeInput(pg->conn) != 1)
			return lost(pg, "the database connection was lost", reterr);
		PGresult *result = NULL;
		while (!PQisBusy(pg->conn) && (result = PQgetResult(pg->conn)) != NULL) {
			ExecStatusType status = PQresultStatus(result);
			if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK && status != PGRES_EMPTY_QUERY)
				keep_failure(pg, result);
			PQclear(result);
		}
		if (!PQisBusy(pg->conn) && !result)
			break;
		uint64_t now_ms = clock_now_ms();
		if (now_ms >= deadline_ms) {
			pg_close(pg);
			return error_set(reterr, ERR_TIMEOUT, "the database did not answer in time");
		}
		pg->wants_write = flushed == 1;
		pg_wait(pg, -1, (int)MIN_OF(deadline_ms - now_ms, (uint64_t)60000));
	}
	if (PQstatus(pg->conn) == CONNECTION_BAD || PQenterPipelineMode(pg->conn) != 1)
		return lost(pg, "the database connection was lost", reterr);
	pg->state = PG_DONE;
	return pg_outcome(pg, reterr);
}
