#include "coordinator/store/store.h"
#include "common/base/check.h"
#include "common/base/mem.h"
#include "common/base/rng.h"
#include "coordinator/store/migrate.h"
#include "coordinator/store/store_call.h"
#include <stdio.h>
#include <string.h>

enum { WRITE_MS = 3000, READ_MS = 30000, SLACK_MS = 1000, APPLICATION_BYTES = 48 };

struct store {
	struct pg *pg;
	enum store_role role;
	uint64_t term;
	int32_t team_id;
	char *reader_role;
	uint32_t timeout_ms, step_timeout_ms;
	uint64_t set_connection_no; /* the connection whose session is set up */
	int32_t set_team_id;
	struct pg_params params;
	bool in_transaction;
	size_t answer; /* which statement of the last pipeline was the question */
};

/* ---- schema ---- */

static enum err_code open_plain(const struct store_settings *settings, struct pg **ret_pg, struct error *reterr)
{
	struct pg_settings ps = { .dsn = settings->dsn,
		                  .application_name = "assay-schema",
		                  .connect_timeout_ms = settings->connect_timeout_ms };
	struct pg *pg;
	enum err_code err = pg_new(&ps, &pg, reterr);
	if (err)
		return err;
	err = pg_run_connect(pg, reterr);
	if (err)
		pg_free(pg);
	else
		*ret_pg = pg;
	return err;
}

enum err_code store_migrate(const struct store_settings *settings, struct store_schema *ret_schema,
                            struct error *reterr)
{
	struct pg *pg;
	enum err_code err = open_plain(settings, &pg, reterr);
	if (err)
		return err;
	/* Looking first needs no right to write: a standby that finds all in place may go on. */
	struct store_schema schema;
	err = migrate_look(pg, embedded_migrations, &schema, reterr);
	if (!err && schema.version < schema.expected)
		err = migrate_apply(pg, embedded_migrations, &schema, reterr);
	pg_free(pg);
	if (!err)
		*ret_schema = schema;
	return err;
}

enum err_code store_check_schema(const struct store_settings *settings, struct store_schema *ret_schema,
                                 struct error *reterr)
{
	struct pg *pg;
	enum err_code err = open_plain(settings, &pg, reterr);
	if (err)
		return err;
	err = migrate_look(pg, embedded_migrations, ret_schema, reterr);
	pg_free(pg);
	return err;
}

/* ---- connection ---- */

enum err_code store_open(const struct store_settings *settings, enum store_role role, uint64_t term,
                         struct store **ret_store, struct error *reterr)
{
	char name[APPLICATION_BYTES];
	bool writer = role == STORE_WRITER;
	struct store *s = mem_try_new(1, sizeof(*s));
	if (!s)
		return error_set(reterr, ERR_NOMEM, "a database connection");
	s->role = role;
	s->term = term;
	s->team_id = STORE_TEAM_DEFAULT;
	s->timeout_ms = writer ? WRITE_MS : READ_MS;
	if (writer && settings->write_timeout_ms > 0 && settings->write_timeout_ms < WRITE_MS)
		s->timeout_ms = settings->write_timeout_ms;
	if (!writer && settings->read_timeout_ms > 0)
		s->timeout_ms = settings->read_timeout_ms;
	if (!writer && settings->reader_role) {
		size_t bytes = strlen(settings->reader_role) + 1;
		s->reader_role = mem_new(bytes, 1);
		memcpy(s->reader_role, settings->reader_role, bytes);
	}
	pg_params_init(&s->params);
	(void)snprintf(name, sizeof(name), writer ? "assay/%llu" : "assay-reader", (unsigned long long)term); /* fits */
	struct pg_settings ps = { .dsn = settings->dsn,
		                  .application_name = name,
		                  .connect_timeout_ms = settings->connect_timeout_ms,
		                  .statement_timeout_ms = s->timeout_ms,
		                  .idle_in_transaction_ms = WRITE_MS,
		                  .read_write = writer };
	enum err_code err = pg_new(&ps, &s->pg, reterr);
	if (err)
		store_close(s);
	else
		*ret_store = s;
	return err;
}

void store_close(struct store *s)
{
	if (!s)
		return;
	pg_free(s->pg);
	pg_params_done(&s->params);
	mem_free(s->reader_role);
	mem_free(s);
}

void store_use_team(struct store *s, int32_t team_id)
{
	s->team_id = team_id;
}

int32_t store_team(const struct store *s)
{
	return s->team_id;
}

uint64_t store_term(const struct store *s)
{
	return s->term;
}

/* A reader's session: its role, its team, and no writes. */
static enum err_code set_up(struct store *s, struct error *reterr)
{
	static const struct pg_statement set = {
		"set_up", "SELECT set_config('default_transaction_read_only', 'on', false),"
			  " set_config('assay.team_id', $1::text, false), set_config('role', $2::text, false)"
	};
	char team[16];
	struct pg_params p;
	if (s->role != STORE_READER ||
	    (s->set_connection_no == pg_connection_no(s->pg) && s->set_team_id == s->team_id))
		return ERR_OK;
	(void)snprintf(team, sizeof(team), "%d", (int)s->team_id); /* fits */
	pg_params_init(&p);
	pg_params_text(&p, str_from(team));
	pg_params_text(&p, str_from(s->reader_role ? s->reader_role : "none"));
	enum err_code err = pg_exec(s->pg, &set, &p, s->timeout_ms + SLACK_MS, reterr);
	pg_params_done(&p);
	if (!err) {
		s->set_connection_no = pg_connection_no(s->pg);
		s->set_team_id = s->team_id;
	}
	return err;
}

static enum err_code connected(struct store *s, struct error *reterr)
{
	if (pg_state(s->pg) != PG_CLOSED)
		(void)!pg_step(s->pg, 0, NULL); /* a connection that died while nobody used it is made anew below */
	if (pg_state(s->pg) == PG_CLOSED) {
		enum err_code err = pg_run_connect(s->pg, reterr);
		if (err)
			return err;
	}
	return set_up(s, reterr);
}

struct pg_params *store_params(struct store *s)
{
	pg_params_clear(&s->params);
	return &s->params;
}

enum err_code store_read(struct store *s, const struct pg_statement *statement, struct error *reterr)
{
	enum err_code err = ERR_OK;
	s->answer = 0;
	for (int tries = 0; tries < 2; tries++) {
		bool fresh = pg_state(s->pg) == PG_CLOSED;
		err = connected(s, reterr);
		if (!err)
			err = pg_exec(s->pg, statement, &s->params, s->timeout_ms + SLACK_MS, reterr);
		if (err == ERR_OK || fresh || pg_state(s->pg) != PG_CLOSED)
			break; /* only a connection that had died of old age is worth a second try */
	}
	return err;
}

static const struct pg_statement lead = { "lead", "SELECT assay.lead($1::int8)" };

static enum err_code queue_lead(struct store *s, struct error *reterr)
{
	struct pg_params p;
	pg_params_init(&p);
	pg_params_i64(&p, (int64_t)s->term);
	enum err_code err = pg_queue(s->pg, &lead, &p, reterr);
	pg_params_done(&p);
	return err;
}

enum err_code store_write(struct store *s, const struct pg_statement *statement, struct error *reterr)
{
	check(s->role == STORE_WRITER && !s->in_transaction);
	s->answer = 1; /* behind the guard */
	enum err_code err = connected(s, reterr);
	if (!err)
		err = queue_lead(s, reterr);
	if (!err)
		err = pg_queue(s->pg, statement, &s->params, reterr);
	return err ? err : pg_run(s->pg, s->timeout_ms + SLACK_MS, reterr);
}

enum err_code store_begin(struct store *s, struct error *reterr)
{
	static const struct pg_statement begin = { "begin", "BEGIN" };
	check(s->role == STORE_WRITER && !s->in_transaction);
	enum err_code err = connected(s, reterr);
	if (!err)
		err = pg_queue(s->pg, &begin, NULL, reterr);
	if (!err)
		err = queue_lead(s, reterr);
	if (!err)
		err = pg_run(s->pg, s->timeout_ms + SLACK_MS, reterr);
	s->in_transaction = true; /* store_end() follows in every case */
	s->step_timeout_ms = s->timeout_ms;
	return err;
}

void store_step_timeout(struct store *s, uint32_t timeout_ms)
{
	s->step_timeout_ms = timeout_ms;
}

enum err_code store_step(struct store *s, const struct pg_statement *statement, struct error *reterr)
{
	static const struct pg_statement longer = { "longer",
		                                    "SELECT set_config('statement_timeout', $1::text, true)" };
	enum err_code err = ERR_OK;
	s->answer = 0;
	if (s->step_timeout_ms != s->timeout_ms) { /* of the transaction: said before each step, which is rare */
		char ms[16];
		struct pg_params p;
		(void)snprintf(ms, sizeof(ms), "%u", s->step_timeout_ms); /* fits */
		pg_params_init(&p);
		pg_params_text(&p, str_from(ms));
		s->answer = 1;
		err = pg_queue(s->pg, &longer, &p, reterr);
		pg_params_done(&p);
	}
	if (!err)
		err = pg_queue(s->pg, statement, &s->params, reterr);
	return err ? err : pg_run(s->pg, s->step_timeout_ms + SLACK_MS, reterr);
}

enum err_code store_end(struct store *s, enum err_code err, struct error *reterr)
{
	static const struct pg_statement commit = { "commit", "COMMIT" }, rollback = { "rollback", "ROLLBACK" };
	s->in_transaction = false;
	if (!err)
		return pg_exec(s->pg, &commit, NULL, s->timeout_ms + SLACK_MS, reterr);
	if (pg_state(s->pg) == PG_DONE && pg_exec(s->pg, &rollback, NULL, s->timeout_ms + SLACK_MS, NULL))
		pg_close(s->pg); /* its end rolls back as well */
	return err;
}

enum err_code store_ping(struct store *s, struct error *reterr)
{
	static const struct pg_statement ping = { NULL, "SELECT 1" };
	(void)store_params(s); /* none */
	return store_read(s, &ping, reterr);
}

/* ---- rows ---- */

struct store_rows store_rows(struct store *s, struct arena *arena)
{
	return (struct store_rows){ .pg = s->pg, .i = s->answer, .count = pg_rows(s->pg, s->answer), .arena = arena };
}

void *store_rows_alloc(struct store_rows *r, size_t count, size_t size)
{
	void *p = r->full ? NULL : arena_try_alloc(r->arena, count ? count : 1, size);
	if (p)
		memset(p, 0, (count ? count : 1) * size);
	else
		r->full = true;
	return p;
}

enum err_code store_rows_end(const struct store_rows *r, struct error *reterr)
{
	if (r->full)
		return error_set(reterr, ERR_LIMIT, "the answer is larger than the memory that was set aside for it");
	return ERR_OK;
}

static struct str copy(struct store_rows *r, struct str bytes)
{
	char *out = store_rows_alloc(r, bytes.len + 1, 1);
	if (!out)
		return (struct str){ 0 };
	if (bytes.len)
		memcpy(out, bytes.data, bytes.len);
	return (struct str){ out, bytes.len };
}

struct str store_rows_text(struct store_rows *r, size_t row, size_t column)
{
	struct str bytes = pg_bytes(r->pg, r->i, row, column);
	return bytes.len ? copy(r, bytes) : STR("");
}

struct str *store_rows_texts(struct store_rows *r, size_t row, size_t column, size_t *ret_count)
{
	struct pg_list l = pg_list(r->pg, r->i, row, column);
	struct str *out = store_rows_alloc(r, l.count, sizeof(*out));
	size_t n = 0;
	while (out && n < l.count && pg_list_next(&l))
		out[n++] = copy(r, l.value);
	*ret_count = n;
	return out;
}

bool store_rows_bool(const struct store_rows *r, size_t row, size_t column)
{
	return pg_bool(r->pg, r->i, row, column);
}

int64_t store_rows_i64(const struct store_rows *r, size_t row, size_t column)
{
	return pg_i64(r->pg, r->i, row, column);
}

uint64_t store_rows_u64(const struct store_rows *r, size_t row, size_t column)
{
	return (uint64_t)pg_i64(r->pg, r->i, row, column);
}

uint32_t store_rows_u32(const struct store_rows *r, size_t row, size_t column)
{
	int64_t v = pg_i64(r->pg, r->i, row, column);
	return v < 0 ? 0 : v > UINT32_MAX ? UINT32_MAX : (uint32_t)v;
}

int32_t store_rows_i32(const struct store_rows *r, size_t row, size_t column)
{
	return (int32_t)pg_i64(r->pg, r->i, row, column);
}

double store_rows_f64(const struct store_rows *r, size_t row, size_t column)
{
	return pg_f64(r->pg, r->i, row, column);
}

bool store_rows_null(const struct store_rows *r, size_t row, size_t column)
{
	return pg_is_null(r->pg, r->i, row, column);
}

struct hash store_rows_hash(const struct store_rows *r, size_t row, size_t column)
{
	struct hash h = { { 0 } };
	(void)pg_hash(r->pg, r->i, row, column, &h); /* not 32 bytes: the zero hash, which names nothing */
	return h;
}

/* ---- health ---- */

enum err_code store_health(struct store *s, struct arena *arena, struct store_health *ret_health, struct error *reterr)
{
	static const struct pg_statement ask = {
		NULL,
		"SELECT current_setting('server_version'), pg_is_in_recovery(),"
		" CASE WHEN pg_is_in_recovery() THEN '' ELSE left(pg_walfile_name(pg_current_wal_lsn()), 8) END,"
		" (SELECT system_identifier FROM pg_control_system()),"
		" current_setting('fsync')::bool AND current_setting('full_page_writes')::bool,"
		" (SELECT count(*) FROM pg_stat_replication),"
		" (SELECT count(*) FROM pg_stat_replication WHERE sync_state IN ('sync', 'quorum')),"
		" pg_database_size(current_database()), assay.ms(clock_timestamp()),"
		" (SELECT coalesce(max(version), 0) FROM assay.schema_migrations),"
		" EXISTS (SELECT FROM pg_settings WHERE name = 'default_toast_compression' AND 'lz4' = ANY(enumvals))"
	};
	(void)store_params(s); /* none */
	enum err_code err = store_read(s, &ask, reterr);
	if (err)
		return err;
	struct store_rows r = store_rows(s, arena);
	struct store_health h = { .server_version = store_rows_text(&r, 0, 0),
		                  .in_recovery = store_rows_bool(&r, 0, 1),
		                  .replica_count = store_rows_i32(&r, 0, 5),
		                  .synchronous_replica_count = store_rows_i32(&r, 0, 6),
		                  .size_bytes = store_rows_i64(&r, 0, 7),
		                  .now_ms = store_rows_i64(&r, 0, 8),
		                  .schema_version = store_rows_i32(&r, 0, 9),
		                  .lz4 = store_rows_bool(&r, 0, 10) };
	h.timeline = store_timeline(store_rows_u64(&r, 0, 3), store_rows_text(&r, 0, 2));
	h.synchronous = store_rows_bool(&r, 0, 4);
	*ret_health = h;
	return store_rows_end(&r, reterr);
}

/* ---- tidying, recount ---- */

enum err_code store_tidy(struct store *s, struct error *reterr)
{
	static const struct pg_statement statement = {
		"store_tidy", "DELETE FROM assay.refused_result WHERE refused_id IN (SELECT refused_id"
			      " FROM assay.refused_result WHERE at < now() - interval '30 days' ORDER BY at LIMIT 1000)"
	};
	(void)store_params(s); /* none */
	return store_write(s, &statement, reterr);
}

enum err_code store_recount(struct store *s, uint64_t run_id, struct error *reterr)
{
	/* Rows of one side that the other does not have, as text: the first says enough. */
	static const struct pg_statement statement = {
		NULL,
#define FIGURES                                                                                                        \
	"slice_no, metric, n, scored, unscored, provider_error, harness_error, quarantined, refused, truncated, "      \
	"empty,"                                                                                                       \
	" filtered, tokens_in, tokens_cached, tokens_out, tokens_reasoning, cost, cost_unknown, latency_ms, attempts," \
	" paid_twice, paid_twice_cost, lost_open, after_end, trim_scale(sum) AS sum, trim_scale(sum_sq) AS sum_sq"
		"WITH kept AS (SELECT " FIGURES " FROM assay.run_summary WHERE run_id = $1::int8 AND scoring_no = 0),"
		" anew AS (SELECT " FIGURES " FROM assay.run_recount($1::int8)),"
		" one AS ((SELECT 'kept' AS side, k.* FROM (SELECT * FROM kept EXCEPT SELECT * FROM anew) k)"
		" UNION ALL (SELECT 'anew', a.* FROM (SELECT * FROM anew EXCEPT SELECT * FROM kept) a))"
		" SELECT to_jsonb(one)::text FROM one ORDER BY slice_no, metric, side LIMIT 2"
#undef FIGURES
	};
	pg_params_i64(store_params(s), (int64_t)run_id);
	enum err_code err = store_read(s, &statement, reterr);
	if (err)
		return err;
	struct store_rows r = store_rows(s, NULL);
	if (r.count == 0)
		return ERR_OK;
	struct str first = pg_bytes(r.pg, r.i, 0, 0), second = r.count > 1 ? pg_bytes(r.pg, r.i, 1, 0) : STR("nothing");
	return error_set(reterr, ERR_CORRUPT, "the summary of run %llu differs from its rows: %.*s against %.*s",
	                 (unsigned long long)run_id, STR_ARG(first), STR_ARG(second));
}

uint64_t store_timeline(uint64_t system_identifier, struct str wal_timeline)
{
	uint64_t number = 0;
	for (size_t i = 0; i < wal_timeline.len; i++) {
		char c = wal_timeline.data[i];
		number = number * 16 + (uint64_t)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
	}
	return rng_mix(system_identifier ^ rng_mix(number));
}
