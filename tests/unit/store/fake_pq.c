#include "tests/unit/store/fake_pq.h"
#include "common/base/check.h"
#include "common/base/mem.h"
#include "common/base/rng.h"
#include "coordinator/store/pg_array.h"
#include "coordinator/store/pg_list.h"
#include "tests/support/cmocka_all.h"
#include <libpq-fe.h>
#include <poll.h>
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
	/* With fake.chance: */
	size_t taken;                     /* answers that PQconsumeInput() has read */
	uint64_t arrive_ms[ANSWERS_MAX];  /* when each can be read */
	uint64_t writable_ms, greeted_ms; /* when the socket takes more; when a connection attempt is answered */
	uint64_t break_ms;                /* when it breaks; UINT64_MAX: never */
	bool unsent;                      /* a whole pipeline waits to be written */
	unsigned greetings;               /* answers of connecting that are still to come */
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
	conn.answer_at = conn.answer_count = conn.taken = 0;
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

/* ---- chance ---- */

static bool one_in(uint64_t n)
{
	return fake.chance && rng_below(fake.chance, n) == 0;
}

static bool fault(uint64_t one_in_n)
{
	if (fake.faults_left == 0 || !one_in(one_in_n))
		return false;
	fake.faults_left--;
	return true;
}

static bool broken(void)
{
	conn.bad = conn.bad || fake.now_ms >= conn.break_ms;
	return conn.bad;
}

static bool readable(uint64_t at_ms)
{
	if (at_ms >= conn.break_ms || conn.bad)
		return true;
	if (conn.greetings > 0)
		return at_ms >= conn.greeted_ms;
	return conn.taken < conn.answer_count && at_ms >= conn.arrive_ms[conn.taken];
}

/* When what is polled for will be there; UINT64_MAX: never. */
static uint64_t ready_at_ms(short events)
{
	uint64_t at_ms = conn.break_ms;
	if ((events & POLLOUT) && conn.writable_ms < at_ms)
		at_ms = conn.writable_ms;
	if ((events & POLLIN) && conn.greetings > 0)
		at_ms = MIN_OF(at_ms, conn.greeted_ms);
	else if ((events & POLLIN) && conn.taken < conn.answer_count)
		at_ms = MIN_OF(at_ms, conn.arrive_ms[conn.taken]);
	return conn.bad ? 0 : at_ms;
}

int fake_poll(struct pollfd *fds, unsigned long count, int timeout_ms, uint64_t wake_ms)
{
	uint64_t limit_ms = timeout_ms < 0 ? UINT64_MAX : fake.now_ms + (uint64_t)timeout_ms, next_ms = limit_ms;
	int ready = 0;
	for (unsigned long i = 0; i < count; i++)
		next_ms = MIN_OF(next_ms, fds[i].fd == FAKE_WAKE_FD ? wake_ms : ready_at_ms(fds[i].events));
	if (next_ms == UINT64_MAX)
		fail_msg("it waits for ever, for nothing that could happen, at %llu ms",
		         (unsigned long long)fake.now_ms);
	fake.now_ms = MAX_OF(fake.now_ms, next_ms);
	for (unsigned long i = 0; i < count; i++) {
		bool is_wake = fds[i].fd == FAKE_WAKE_FD;
		bool in = is_wake ? fake.now_ms >= wake_ms : readable(fake.now_ms);
		bool out = !is_wake && fake.now_ms >= conn.writable_ms;
		bool hung_up = !is_wake && (conn.bad || fake.now_ms >= conn.break_ms);
		fds[i].revents = (short)((in ? POLLIN : 0) | (out ? POLLOUT : 0)) & fds[i].events;
		fds[i].revents = (short)(fds[i].revents | (hung_up ? POLLHUP : 0));
		ready += fds[i].revents != 0;
	}
	return ready;
}

static void run_pipeline(void);

/* A whole pipeline goes out, is executed or not, and its answers come when they come. */
static void travel(void)
{
	static const char *const states[] = { "40001", "53100", "57014", "57P01", "25006", "22003", "XX000" };
	static const char *const statements[] = { "result_p0", "result_p256",   "writer_parts", "writer_workers",
		                                  "lead",      "job_run_state", "writer_refuse" };
	bool lost_before = fault(15), lost_after = fault(15), never = fault(20);
	if (fault(6)) {
		(void)snprintf(fake.error_statement, sizeof(fake.error_statement), "%s",
		               statements[rng_below(fake.chance, ARRAY_LEN(statements))]); /* fits */
		(void)snprintf(fake.sqlstate, sizeof(fake.sqlstate), "%s",
		               states[rng_below(fake.chance, ARRAY_LEN(states))]); /* fits */
		fake.error_count = 1;
	}
	if (lost_before) {
		conn.break_ms = fake.now_ms + rng_below(fake.chance, 50);
		drop_commands();
		return;
	}
	run_pipeline();
	conn.taken = 0;
	uint64_t at_ms = fake.now_ms + (fault(20) ? 3000 + rng_below(fake.chance, 3000) : 0);
	for (size_t i = 0; i < conn.answer_count; i++) {
		at_ms += one_in(4) ? rng_below(fake.chance, 20) : 0;
		conn.arrive_ms[i] = never ? UINT64_MAX : at_ms;
	}
	if (lost_after)
		conn.break_ms = fake.now_ms + rng_below(fake.chance, 50);
}

/* ---- answers ---- */

/* Room for `bytes` more that no mem_fail_at() of a test refuses: what fails is to be the product's. */
static void make_room(struct buf *b, size_t bytes)
{
	if (b->cap < b->len + bytes + 1) {
		b->cap = b->len + bytes + 1;
		b->data = mem_grow(b->data, b->cap, 1);
	}
}

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
	make_room(&r->bytes, len);
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
		int64_t run_id = strcmp(name, "writer_parts") == 0 ? pg_list_read_i64(keys.value) : 0;
		if (strcmp(name, "writer_parts") == 0)
			cell_i64(r, run_id < 100 ? 0 : run_id % 3 * 256);
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
	if (strncmp(name, "result_p", 8) == 0)
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
	conn.taken = 0;
	conn.unsent = false;
	conn.writable_ms = conn.greeted_ms = 0;
	conn.break_ms = UINT64_MAX;
	conn.greetings = 0;
	if (fake.chance) {
		conn.writable_ms = fake.now_ms + rng_below(fake.chance, 5);
		conn.greetings = 1 + (unsigned)rng_below(fake.chance, 3);
		conn.greeted_ms = fault(15) ? UINT64_MAX : fake.now_ms + rng_below(fake.chance, 30);
		if (fault(15))
			conn.break_ms = fake.now_ms + rng_below(fake.chance, 40);
	}
	fake.connections++;
	PGconn *c;
	void *p = &conn;
	memcpy(&c, &p, sizeof(c));
	return c;
}

PostgresPollingStatusType __wrap_PQconnectPoll(PGconn *c)
{
	(void)c;
	if (fails() || (fake.chance && broken()))
		return PGRES_POLLING_FAILED;
	if (!fake.chance || conn.greetings == 0)
		return PGRES_POLLING_OK;
	if (fake.now_ms < conn.greeted_ms)
		return PGRES_POLLING_READING;
	conn.greetings--;
	conn.greeted_ms = fake.now_ms + rng_below(fake.chance, 10);
	return conn.greetings == 0 ? PGRES_POLLING_OK : PGRES_POLLING_READING;
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
	make_room(bytes, total); /* so that what is in it does not move */
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
	if (fake.chance) {
		conn.unsent = true;
		conn.taken = 0;
		drop_answers();
		conn.writable_ms = fake.now_ms + (one_in(3) ? rng_below(fake.chance, 10) : 0);
	} else if (!fake.mute) {
		run_pipeline();
	}
	return 1;
}

int __wrap_PQflush(PGconn *c)
{
	(void)c;
	if (fails() || (fake.chance && broken()))
		return -1;
	if (conn.unsent && fake.now_ms < conn.writable_ms)
		return 1;
	if (conn.unsent) {
		conn.unsent = false;
		travel();
	}
	return 0;
}

int __wrap_PQconsumeInput(PGconn *c)
{
	(void)c;
	while (fake.chance && conn.taken < conn.answer_count && fake.now_ms >= conn.arrive_ms[conn.taken])
		conn.taken++;
	return !(fails() || (fake.chance && broken()));
}

int __wrap_PQisBusy(PGconn *c)
{
	(void)c;
	size_t here = fake.chance ? conn.taken : conn.answer_count;
	return conn.pipeline && conn.answer_at == here && !conn.bad;
}

PGresult *__wrap_PQgetResult(PGconn *c)
{
	(void)c;
	if (conn.answer_at == (fake.chance ? conn.taken : conn.answer_count))
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
