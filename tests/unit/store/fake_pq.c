#include "tests/unit/store/fake_pq.h"
#include "common/base/check.h"
#include "common/base/mem.h"
#include "common/base/rng.h"
#include "coordinator/store/pg_array.h"
#include "coordinator/store/pg_list.h"
#include <libpq-fe.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { COLUMNS_MAX = 6, COMMANDS_MAX = 64, ANSWERS_MAX = 256, PARAMS_MAX = 64, ROWS_MAX = 4096 };

struct fake_pq fake;

struct pg_result { /* what a PGresult * points to */
	ExecStatusType status;
	char sqlstate[6];
	const char *text;
	size_t rows, columns;
	struct pg_params cells; /* row by row */
	size_t place[ROWS_MAX / 4], len[ROWS_MAX / 4];
	size_t cell_count;
	struct buf bytes;
	char affected[16];
};

enum command_kind { COMMAND_PREPARE, COMMAND_EXECUTE };

static struct {
	bool there, bad, pipeline;
	int fd;
	char message[64];
	size_t count;
	struct {
		enum command_kind kind;
		char name[64];
		struct buf bytes;
		size_t param_count;
		struct str params[PARAMS_MAX];
	} commands[COMMANDS_MAX];
	PGresult *answers[ANSWERS_MAX]; /* NULL: the end of one command's results */
	size_t answer_at, answer_count;
} conn;

/* Staged by a pipeline, applied at its end. */
static struct {
	uint64_t asks[ROWS_MAX], samples[ROWS_MAX];
	int outcomes[ROWS_MAX];
	size_t count;
	unsigned refused, jobs;
} staged;

static void drop_commands(void)
{
	for (size_t i = 0; i < conn.count; i++)
		buf_done(&conn.commands[i].bytes);
	conn.count = 0;
	memset(&staged, 0, sizeof(staged));
}

static struct pg_result *inner(const PGresult *r)
{
	struct pg_result *out;
	memcpy(&out, &r, sizeof(out)); /* libpq's type is opaque: ours stands behind it */
	return out;
}

static PGresult *outer(struct pg_result *r)
{
	PGresult *out;
	memcpy(&out, &r, sizeof(out));
	return out;
}

static void free_result(struct pg_result *r)
{
	if (!r)
		return;
	buf_done(&r->bytes);
	mem_free(r);
}

static void drop_answers(void)
{
	for (; conn.answer_at < conn.answer_count; conn.answer_at++)
		free_result(inner(conn.answers[conn.answer_at]));
	conn.answer_at = conn.answer_count = 0;
}

void fake_begin(void)
{
	memset(&fake, 0, sizeof(fake));
	map_init(&fake.stored, sizeof(struct fake_stored));
	map_init(&fake.samples, sizeof(uint64_t));
	fake.term = 1;
}

void fake_end(void)
{
	map_done(&fake.stored);
	map_done(&fake.samples);
}

/* True when this call is the one that fails; the connection goes with it. */
static bool fails(void)
{
	if (++fake.calls != fake.fail_at)
		return conn.bad;
	conn.bad = true;
	(void)snprintf(conn.message, sizeof(conn.message), "call %llu failed\n",
	               (unsigned long long)fake.calls); /* fits */
	return true;
}

/* ---- answers ---- */

static struct pg_result *new_result(ExecStatusType status, size_t columns)
{
	struct pg_result *r = mem_new(1, sizeof(*r));
	r->status = status;
	r->columns = columns;
	buf_init(&r->bytes, 1 << 20);
	(void)snprintf(r->affected, sizeof(r->affected), "1"); /* fits */
	return r;
}

static void cell(struct pg_result *r, const void *data, size_t len)
{
	check(r->cell_count < ARRAY_LEN(r->place));
	r->place[r->cell_count] = r->bytes.len;
	r->len[r->cell_count++] = len;
	(void)buf_append(&r->bytes, data, len); /* a megabyte is enough */
	r->rows = r->cell_count / r->columns;
}

static void cell_i32(struct pg_result *r, int32_t v)
{
	char bytes[4];
	pg_params_store32(bytes, (uint32_t)v);
	cell(r, bytes, sizeof(bytes));
}

static void cell_i64(struct pg_result *r, int64_t v)
{
	char bytes[8];
	pg_params_store64(bytes, (uint64_t)v);
	cell(r, bytes, sizeof(bytes));
}

static struct pg_result *error_result(const char *sqlstate, const char *text)
{
	struct pg_result *r = new_result(PGRES_FATAL_ERROR, 0);
	(void)snprintf(r->sqlstate, sizeof(r->sqlstate), "%s", sqlstate); /* five letters */
	r->text = text;
	return r;
}

static void answer(struct pg_result *r)
{
	check(conn.answer_count < ANSWERS_MAX);
	conn.answers[conn.answer_count++] = outer(r);
}

/* ---- statements ---- */

static int64_t element(struct str array, size_t at)
{
	struct pg_list l = pg_list_of(array);
	for (size_t i = 0; pg_list_next(&l); i++)
		if (i == at)
			return pg_list_i64(&l);
	return 0;
}

static struct pg_result *run_result(const struct str *params)
{
	size_t count = pg_list_of(params[4]).count;
	struct pg_list run = pg_list_of(params[1]), sample = pg_list_of(params[2]), ask = pg_list_of(params[4]),
		       kind = pg_list_of(params[5]), outcome = pg_list_of(params[6]);
	struct pg_result *r = new_result(PGRES_TUPLES_OK, 5);
	int32_t inserted = 0, attempts = 0;
	bool leads = (uint64_t)pg_list_read_i64(params[0]) == fake.term;
	fake.result_statements++;
	fake.largest_group = MAX_OF(fake.largest_group, (unsigned)count);
	for (size_t i = 0; i < count && pg_list_next(&run) && pg_list_next(&sample) && pg_list_next(&ask) &&
	                   pg_list_next(&kind) && pg_list_next(&outcome);
	     i++) {
		uint64_t id = (uint64_t)pg_list_i64(&ask);
		uint64_t key = rng_mix((uint64_t)pg_list_i64(&run)) ^ (uint64_t)pg_list_i64(&sample);
		if (id == fake.poison_ask && id != 0 && (fake.poison_even_spoiled || pg_list_i64(&outcome) != 4)) {
			free_result(r);
			return error_result("23514", "it violates a check");
		}
		bool result = pg_list_i64(&kind) == 1;
		attempts += !result;
		if (!leads || !result || map_get_u64(&fake.samples, key))
			continue;
		inserted++;
		staged.asks[staged.count] = id;
		staged.samples[staged.count] = key;
		staged.outcomes[staged.count++] = (int)pg_list_i64(&outcome);
	}
	cell_i32(r, leads);
	cell_i32(r, inserted);
	cell_i32(r, 0);
	cell_i32(r, attempts);
	cell(r, "\0\0\0\0\0\0\0\0\0\0\0\x17", 12); /* the empty int4[] */
	return r;
}

static struct pg_result *run_resolve(const char *name, const struct str *params)
{
	struct pg_list keys = pg_list_of(params[0]);
	struct pg_result *r = new_result(PGRES_TUPLES_OK, 2);
	for (int32_t i = 1; pg_list_next(&keys); i++) {
		cell(r, keys.value.data, keys.value.len);
		if (strcmp(name, "writer_parts") == 0)
			cell_i64(r, 0);
		else
			cell_i32(r, i);
	}
	return r;
}

static struct pg_result *execute(const char *name, const struct str *params)
{
	if (fake.error_count > 0 && strcmp(name, fake.error_statement) == 0) {
		fake.error_count--;
		return error_result(fake.sqlstate, "as ordered");
	}
	if (strcmp(name, "lead") == 0) {
		if ((uint64_t)pg_list_read_i64(params[0]) != fake.term)
			return error_result("AS001", "the term is over");
		struct pg_result *r = new_result(PGRES_TUPLES_OK, 1);
		cell(r, "", 0);
		return r;
	}
	if (strcmp(name, "result_p0") == 0)
		return run_result(params);
	if (strcmp(name, "writer_refuse") == 0) {
		if (fake.poison_even_refused && (uint64_t)element(params[5], 0) == fake.poison_ask)
			return error_result("23514", "not even there");
		staged.refused += (unsigned)pg_list_of(params[0]).count;
		return new_result(PGRES_COMMAND_OK, 0);
	}
	if (strcmp(name, "writer_parts") == 0 || strcmp(name, "writer_workers") == 0 ||
	    strcmp(name, "writer_fingerprint_ids") == 0)
		return run_resolve(name, params);
	staged.jobs += strncmp(name, "job_", 4) == 0;
	return new_result(PGRES_COMMAND_OK, 0);
}

static void commit_staged(void)
{
	for (size_t i = 0; i < staged.count; i++) {
		uint64_t *ask = map_put_u64(&fake.samples, staged.samples[i], NULL);
		struct fake_stored *s = map_put_u64(&fake.stored, staged.asks[i], NULL);
		*ask = staged.asks[i];
		s->outcome = staged.outcomes[i];
		s->inserted++;
	}
	fake.refused += staged.refused;
	fake.jobs += staged.jobs;
}

static void run_pipeline(void)
{
	bool aborted = false;
	unsigned before = fake.result_statements;
	drop_answers();
	for (size_t i = 0; i < conn.count; i++) {
		struct pg_result *r;
		if (aborted)
			r = new_result(PGRES_PIPELINE_ABORTED, 0);
		else if (conn.commands[i].kind == COMMAND_PREPARE)
			r = new_result(PGRES_COMMAND_OK, 0);
		else
			r = execute(conn.commands[i].name, conn.commands[i].params);
		aborted = aborted || r->status == PGRES_FATAL_ERROR;
		answer(r);
		answer(NULL);
	}
	answer(new_result(PGRES_PIPELINE_SYNC, 0));
	if (!aborted)
		commit_staged();
	drop_commands();
	if (!fake.lose_answer || fake.result_statements == before)
		return;
	fake.lose_answer = false;
	conn.bad = true;
	drop_answers();
}

/* ---- libpq ---- */

PGconn *__wrap_PQconnectStartParams(const char *const *keywords, const char *const *values, int expand);
PostgresPollingStatusType __wrap_PQconnectPoll(PGconn *c);
ConnStatusType __wrap_PQstatus(const PGconn *c);
int __wrap_PQsocket(const PGconn *c);
void __wrap_PQfinish(PGconn *c);
char *__wrap_PQerrorMessage(const PGconn *c);
int __wrap_PQsetnonblocking(PGconn *c, int on);
int __wrap_PQenterPipelineMode(PGconn *c);
int __wrap_PQexitPipelineMode(PGconn *c);
int __wrap_PQsendPrepare(PGconn *c, const char *name, const char *sql, int count, const Oid *types);
int __wrap_PQsendQueryPrepared(PGconn *c, const char *name, int count, const char *const *values, const int *lens,
                               const int *formats, int result_format);
int __wrap_PQsendQuery(PGconn *c, const char *sql);
int __wrap_PQpipelineSync(PGconn *c);
int __wrap_PQflush(PGconn *c);
int __wrap_PQconsumeInput(PGconn *c);
int __wrap_PQisBusy(PGconn *c);
PGresult *__wrap_PQgetResult(PGconn *c);
ExecStatusType __wrap_PQresultStatus(const PGresult *r);
int __wrap_PQntuples(const PGresult *r);
int __wrap_PQnfields(const PGresult *r);
char *__wrap_PQgetvalue(const PGresult *r, int row, int column);
int __wrap_PQgetlength(const PGresult *r, int row, int column);
int __wrap_PQgetisnull(const PGresult *r, int row, int column);
char *__wrap_PQresultErrorField(const PGresult *r, int field);
char *__wrap_PQresultErrorMessage(const PGresult *r);
char *__wrap_PQcmdTuples(PGresult *r);
void __wrap_PQclear(PGresult *r);

PGconn *__wrap_PQconnectStartParams(const char *const *keywords, const char *const *values, int expand)
{
	(void)keywords, (void)values, (void)expand;
	check(!conn.there);
	conn.bad = false;
	if (fails()) {
		conn.bad = false;
		return NULL;
	}
	conn.there = true;
	conn.pipeline = false;
	conn.fd = eventfd(1, EFD_CLOEXEC); /* always readable and writable: nothing waits */
	fake.connections++;
	PGconn *c;
	void *p = &conn;
	memcpy(&c, &p, sizeof(c));
	return c;
}

PostgresPollingStatusType __wrap_PQconnectPoll(PGconn *c)
{
	(void)c;
	return fails() ? PGRES_POLLING_FAILED : PGRES_POLLING_OK;
}

ConnStatusType __wrap_PQstatus(const PGconn *c)
{
	return c && !conn.bad ? CONNECTION_OK : CONNECTION_BAD;
}

int __wrap_PQsocket(const PGconn *c)
{
	return c ? conn.fd : -1;
}

void __wrap_PQfinish(PGconn *c)
{
	if (!c)
		return;
	drop_commands();
	drop_answers();
	(void)close(conn.fd); /* nothing is in it */
	conn.there = false;
}

char *__wrap_PQerrorMessage(const PGconn *c)
{
	(void)c;
	return conn.message;
}

int __wrap_PQsetnonblocking(PGconn *c, int on)
{
	(void)c, (void)on;
	return fails() ? -1 : 0;
}

int __wrap_PQenterPipelineMode(PGconn *c)
{
	(void)c;
	conn.pipeline = true;
	return !fails();
}

int __wrap_PQexitPipelineMode(PGconn *c)
{
	(void)c;
	conn.pipeline = false;
	return !fails();
}

int __wrap_PQsendPrepare(PGconn *c, const char *name, const char *sql, int count, const Oid *types)
{
	(void)c, (void)name, (void)sql, (void)count, (void)types;
	if (fails())
		return 0;
	check(conn.count < COMMANDS_MAX);
	conn.commands[conn.count].kind = COMMAND_PREPARE;
	buf_init(&conn.commands[conn.count].bytes, 16);
	conn.count++;
	fake.prepares++;
	return 1;
}

int __wrap_PQsendQueryPrepared(PGconn *c, const char *name, int count, const char *const *values, const int *lens,
                               const int *formats, int result_format)
{
	(void)c, (void)result_format;
	if (fails())
		return 0;
	check(conn.count < COMMANDS_MAX && count <= PARAMS_MAX);
	conn.commands[conn.count].kind = COMMAND_EXECUTE;
	(void)snprintf(conn.commands[conn.count].name, sizeof(conn.commands[0].name), "%s", name); /* our own names */
	struct buf *bytes = &conn.commands[conn.count].bytes;
	buf_init(bytes, 64 << 20);
	size_t total = 0;
	for (int i = 0; i < count; i++)
		total += values[i] ? (size_t)lens[i] : 0;
	check(buf_reserve(bytes, total)); /* so that what is in it does not move */
	for (int i = 0; i < count; i++) {
		size_t at = bytes->len;
		check(formats[i] == 1);
		(void)buf_append(bytes, values[i], values[i] ? (size_t)lens[i] : 0); /* reserved */
		conn.commands[conn.count].params[i] =
			(struct str){ values[i] ? bytes->data + at : NULL, values[i] ? (size_t)lens[i] : 0 };
	}
	conn.commands[conn.count++].param_count = (size_t)count;
	return 1;
}

int __wrap_PQsendQuery(PGconn *c, const char *sql)
{
	(void)c, (void)sql;
	check(!conn.pipeline);
	if (fails())
		return 0;
	answer(new_result(PGRES_COMMAND_OK, 0));
	answer(NULL);
	return 1;
}

int __wrap_PQpipelineSync(PGconn *c)
{
	(void)c;
	if (fails())
		return 0;
	if (!fake.mute)
		run_pipeline();
	return 1;
}

int __wrap_PQflush(PGconn *c)
{
	(void)c;
	return fails() ? -1 : 0;
}

int __wrap_PQconsumeInput(PGconn *c)
{
	(void)c;
	return !fails();
}

int __wrap_PQisBusy(PGconn *c)
{
	(void)c;
	return conn.pipeline && conn.answer_at == conn.answer_count && !conn.bad;
}

PGresult *__wrap_PQgetResult(PGconn *c)
{
	(void)c;
	if (conn.answer_at == conn.answer_count)
		return NULL;
	return conn.answers[conn.answer_at++];
}

ExecStatusType __wrap_PQresultStatus(const PGresult *r)
{
	return inner(r)->status;
}

int __wrap_PQntuples(const PGresult *r)
{
	return (int)inner(r)->rows;
}

int __wrap_PQnfields(const PGresult *r)
{
	return (int)inner(r)->columns;
}

char *__wrap_PQgetvalue(const PGresult *r, int row, int column)
{
	static char nothing[1]; /* stays empty: libpq's own answer for NULL */
	struct pg_result *x = inner(r);
	return x->bytes.data ? x->bytes.data + x->place[(size_t)row * x->columns + (size_t)column] : nothing;
}

int __wrap_PQgetlength(const PGresult *r, int row, int column)
{
	struct pg_result *x = inner(r);
	return (int)x->len[(size_t)row * x->columns + (size_t)column];
}

int __wrap_PQgetisnull(const PGresult *r, int row, int column)
{
	(void)r, (void)row, (void)column;
	return 0;
}

char *__wrap_PQresultErrorField(const PGresult *r, int field)
{
	struct pg_result *x = inner(r);
	static char text[64];
	if (field == PG_DIAG_SQLSTATE)
		return x->sqlstate[0] ? x->sqlstate : NULL;
	(void)snprintf(text, sizeof(text), "%s", x->text ? x->text : ""); /* our own texts */
	return text;
}

char *__wrap_PQresultErrorMessage(const PGresult *r)
{
	return __wrap_PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY);
}

char *__wrap_PQcmdTuples(PGresult *r)
{
	return inner(r)->affected;
}

void __wrap_PQclear(PGresult *r)
{
	free_result(r ? inner(r) : NULL);
}
