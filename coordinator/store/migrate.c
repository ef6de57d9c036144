#include "coordinator/store/migrate.h"
#include <string.h>

enum { LOCK_MS = 120000, SCRIPT_MS = 600000, LOOK_MS = 10000 };

static const struct pg_statement find_table = { NULL, "SELECT to_regclass('assay.schema_migrations') IS NOT NULL" };
static const struct pg_statement read_table = {
	NULL, "SELECT version, name, checksum FROM assay.schema_migrations ORDER BY version"
};
static const struct pg_statement insert_row = {
	NULL, "INSERT INTO assay.schema_migrations (version, name, checksum) VALUES ($1::int4, $2::text, $3::bytea)"
};
/* A session's lock: coordinators that start together wait here, and a dead one's goes with its session. */
static const struct pg_statement lock = { NULL, "SELECT pg_advisory_lock(1634957689, -1)" };
static const struct pg_statement unlock = { NULL, "SELECT pg_advisory_unlock(1634957689, -1)" };
static const struct pg_statement begin = { NULL, "BEGIN" };
static const struct pg_statement commit = { NULL, "COMMIT" };

static int32_t file_count(const struct embedded_file *files)
{
	int32_t n = 0;
	while (files[n].name)
		n++;
	return n;
}

static enum err_code compare(struct pg *pg, const struct embedded_file *files, struct store_schema *schema,
                             struct error *reterr)
{
	int32_t known = file_count(files);
	for (size_t row = 0; row < pg_rows(pg, 0); row++) {
		int64_t version = pg_i64(pg, 0, row, 0);
		struct str name = pg_bytes(pg, 0, row, 1);
		struct hash stored, ours;
		if (version > known)
			return error_set(reterr, ERR_UNSUPPORTED,
			                 "the database has schema version %lld ('%.*s'), this program knows %d: it "
			                 "needs a newer program",
			                 (long long)version, STR_ARG(name), known);
		if (version != (int64_t)row + 1)
			return error_set(reterr, ERR_CORRUPT, "schema_migrations lacks version %zu", row + 1);
		ours = hash_of(files[row].text);
		if (!str_eq_c(name, files[row].name) || !pg_hash(pg, 0, row, 2, &stored) || !hash_eq(stored, ours))
			return error_set(
				reterr, ERR_CORRUPT,
				"migration %lld of the database ('%.*s') is not the one of this program ('%s')",
				(long long)version, STR_ARG(name), files[row].name);
		schema->version = (int32_t)version;
	}
	return ERR_OK;
}

enum err_code migrate_look(struct pg *pg, const struct embedded_file *files, struct store_schema *ret_schema,
                           struct error *reterr)
{
	struct store_schema schema = { .expected = file_count(files) };
	enum err_code err = pg_exec(pg, &find_table, NULL, LOOK_MS, reterr);
	if (!err && pg_bool(pg, 0, 0, 0)) {
		err = pg_exec(pg, &read_table, NULL, LOOK_MS, reterr);
		if (!err)
			err = compare(pg, files, &schema, reterr);
	}
	if (!err)
		*ret_schema = schema;
	return err;
}

static enum err_code apply_one(struct pg *pg, const struct embedded_file *file, int32_t version, struct error *reterr)
{
	struct pg_params params;
	struct hash checksum = hash_of(file->text);
	pg_params_init(&params);
	pg_params_i32(&params, version);
	pg_params_text(&params, str_from(file->name));
	pg_params_bytes(&params, str_make(checksum.bytes, HASH_BYTES));
	enum err_code err = pg_exec(pg, &begin, NULL, LOOK_MS, reterr);
	if (!err)
		err = pg_run_script(pg, file->text, SCRIPT_MS, reterr);
	if (!err)
		err = pg_exec(pg, &insert_row, &params, LOOK_MS, reterr);
	if (!err)
		err = pg_exec(pg, &commit, NULL, LOCK_MS, reterr);
	pg_params_done(&params);
	return err ? error_wrap(reterr, err, "migration %s", file->name) : ERR_OK;
}

static enum err_code apply_missing(struct pg *pg, const struct embedded_file *files, struct store_schema *schema,
                                   struct error *reterr)
{
	static const char make_table[] = "CREATE SCHEMA IF NOT EXISTS assay;"
					 "CREATE TABLE IF NOT EXISTS assay.schema_migrations ("
					 " version int4 PRIMARY KEY, name text NOT NULL, checksum bytea NOT NULL,"
					 " applied_at timestamptz NOT NULL DEFAULT now())";
	enum err_code err = migrate_look(pg, files, schema, reterr);
	if (err || schema->version == schema->expected)
		return err;
	if (schema->version == 0)
		err = pg_run_script(pg, str_from(make_table), SCRIPT_MS, reterr);
	while (!err && schema->version < schema->expected) {
		err = apply_one(pg, &files[schema->version], schema->version + 1, reterr);
		if (!err) {
			schema->version++;
			schema->applied++;
		}
	}
	return err;
}

enum err_code migrate_apply(struct pg *pg, const struct embedded_file *files, struct store_schema *ret_schema,
                            struct error *reterr)
{
	struct store_schema schema = { 0 };
	enum err_code err = pg_exec(pg, &lock, NULL, LOCK_MS, reterr);
	if (!err)
		err = apply_missing(pg, files, &schema, reterr);
	if (err && strcmp(pg_sqlstate(pg), "25006") == 0)
		err = error_set(reterr, ERR_DENIED, "the database is read-only: the schema cannot be brought up");
	if (pg_state(pg) == PG_DONE)
		(void)!pg_exec(pg, &unlock, NULL, LOOK_MS, NULL); /* or else its session's end lets go of it */
	if (!err)
		*ret_schema = schema;
	return err;
}
