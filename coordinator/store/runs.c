#include "coordinator/store/runs.h"
#include "coordinator/store/runs_read.h"
#include "coordinator/store/store_call.h"

enum { LARGE_RUN_SAMPLES = 1000000, PARTITION_MS = 60000 };

const char *run_state_name(enum run_state s)
{
	static const char *const names[] = { "queued",    "running",     "done",      "decided",
		                             "cancelled", "over_budget", "incomplete" };
	return (size_t)s < ARRAY_LEN(names) ? names[s] : "?";
}

bool run_state_from_name(struct str name, enum run_state *ret_state)
{
	for (int i = 0; i < RUN_STATE_COUNT; i++)
		if (str_eq_c(name, run_state_name((enum run_state)i))) {
			*ret_state = (enum run_state)i;
			return true;
		}
	return false;
}

bool run_state_ended(enum run_state s)
{
	return s != RUN_QUEUED && s != RUN_RUNNING;
}

/* ---- making ---- */

static void put_name(struct pg_params *p, const struct runs_new *run) /* $1..$6: what names a run but for its tick */
{
	pg_params_i32(p, run->team_id);
	pg_params_i64(p, run->suite_version_id);
	pg_params_i32(p, run->model_id);
	pg_params_text(p, run->slice);
	pg_params_text(p, run->limit);
	pg_params_i64(p, (int64_t)run->seed);
}

struct found { /* the newest run of a name, or of an idempotency key */
	bool there, by_key;
	uint64_t run_id;
	int32_t tick;
	uint32_t epochs;
};

static enum err_code find_same(struct store *s, const struct runs_new *run, struct found *ret_found,
                               struct error *reterr)
{
	/* The lock makes two requests for one name wait for one another: the second attaches. */
	static const struct pg_statement lock = { "runs_lock", "SELECT pg_advisory_xact_lock(1634957689, -3)" };
	static const struct pg_statement statement = {
		"runs_same",
		"SELECT run_id, tick, epochs, idempotency_key = $7::text FROM assay.run WHERE team_id = $1::int4"
		" AND (($7::text <> '' AND idempotency_key = $7::text) OR (suite_version_id = $2::int8"
		"  AND model_id = $3::int4 AND slice = $4::text AND item_limit = $5::text AND seed = $6::int8))"
		" ORDER BY idempotency_key IS NOT DISTINCT FROM $7::text DESC, tick DESC LIMIT 1"
	};
	(void)store_params(s); /* none */
	enum err_code err = store_step(s, &lock, reterr);
	struct pg_params *p = store_params(s);
	put_name(p, run);
	pg_params_text(p, run->idempotency_key);
	if (!err)
		err = store_step(s, &statement, reterr);
	if (err)
		return err;
	struct store_rows r = store_rows(s, NULL);
	*ret_found = (struct found){ .there = r.count > 0 };
	if (r.count > 0) {
		ret_found->run_id = store_rows_u64(&r, 0, 0);
		ret_found->tick = store_rows_i32(&r, 0, 1);
		ret_found->epochs = store_rows_u32(&r, 0, 2);
		ret_found->by_key = run->idempotency_key.len > 0 && store_rows_bool(&r, 0, 3);
	}
	return ERR_OK;
}

static enum err_code find_place(struct store *s, const struct runs_new *run, uint64_t *ret_run_id, int64_t *ret_part,
                                struct error *reterr)
{
	static const struct pg_statement statement = { "runs_place",
		                                       "SELECT run_id, part FROM assay.run_place($1::bool)" };
	uint64_t samples = (uint64_t)run->selected_count * run->epochs;
	pg_params_bool(store_params(s), samples > LARGE_RUN_SAMPLES);
	store_step_timeout(s, PARTITION_MS);
	enum err_code err = store_step(s, &statement, reterr);
	if (err)
		return err;
	struct store_rows r = store_rows(s, NULL);
	*ret_run_id = store_rows_u64(&r, 0, 0);
	*ret_part = store_rows_i64(&r, 0, 1);
	return ERR_OK;
}

static enum err_code insert_run(struct store *s, const struct runs_new *run, uint64_t run_id, int64_t part,
                                int32_t tick, struct error *reterr)
{
	/* The summary's rows stand from the start: the result statement then only ever updates them. */
	static const struct pg_statement statement = {
		"runs_insert",
		"WITH made AS (INSERT INTO assay.run (team_id, suite_version_id, model_id, slice, item_limit, seed, "
		"run_id,"
		" part, tick, epochs, item_count, selected_count, metric_count, selection, context, options, "
		"attempts_max,"
		" sample_time_ms, priority, budget, price_in, price_cached, price_out, baseline_run_id, "
		"idempotency_key,"
		" created_by)"
		" SELECT $1::int4, v.suite_version_id, m.model_id, $4::text, $5::text, $6::int8, $7::int8, $8::int8,"
		"  $9::int4, $10::int4, v.item_count, $11::int4, cardinality(v.metrics), $12::bytea, $13::text, "
		"$14::text,"
		"  $15::int4, $16::int4, $17::int4, $18::int8, m.price_in, m.price_cached, m.price_out, $19::int8,"
		"  nullif($20::text, ''), $21::text FROM assay.suite_version v, assay.model m"
		"  WHERE v.suite_version_id = $2::int8 AND v.team_id = $1::int4 AND v.version IS NOT NULL"
		"   AND m.model_id = $3::int4 AND m.team_id = $1::int4"
		" RETURNING run_id, team_id, suite_version_id, metric_count),"
		" change AS (INSERT INTO assay.run_change (run_id, team_id, kind, value, by)"
		"  SELECT run_id, team_id, 4, $10::int4, $21::text FROM made)"
		" INSERT INTO assay.run_summary (run_id, scoring_no, slice_no, metric, team_id)"
		" SELECT made.run_id, 0, slice_no - 1, metric, made.team_id FROM made"
		" JOIN assay.suite_version v USING (suite_version_id)"
		" CROSS JOIN generate_series(1, cardinality(v.slices)) AS slice_no"
		" CROSS JOIN generate_series(-1, made.metric_count - 1) AS metric"
	};
	struct pg_params *p = store_params(s);
	put_name(p, run);
	pg_params_i64(p, (int64_t)run_id);
	pg_params_i64(p, part);
	pg_params_i32(p, tick);
	pg_params_i32(p, (int32_t)run->epochs);
	pg_params_i32(p, (int32_t)run->selected_count);
	if (run->selection.len)
		pg_params_bytes(p, run->selection);
	else
		pg_params_null(p);
	pg_params_text(p, run->context);
	pg_params_text(p, run->options);
	pg_params_i32(p, (int32_t)MIN_OF(run->attempts_max, (uint32_t)INT32_MAX));
	pg_params_i32(p, (int32_t)MIN_OF(run->sample_time_ms, (uint32_t)INT32_MAX));
	pg_params_i32(p, run->priority);
	if (run->budget_nanousd >= 0)
		pg_params_i64(p, run->budget_nanousd);
	else
		pg_params_null(p);
	if (run->baseline_run_id)
		pg_params_i64(p, (int64_t)run->baseline_run_id);
	else
		pg_params_null(p);
	pg_params_text(p, run->idempotency_key);
	pg_params_text(p, run->created_by);
	enum err_code err = store_step(s, &statement, reterr);
	if (err)
		return err;
	struct store_rows r = store_rows(s, NULL);
	if (pg_affected(r.pg, r.i) == 0)
		return error_set(reterr, ERR_NOT_FOUND, "there is no such suite version or model configuration");
	return ERR_OK;
}

static enum err_code make_run(struct store *s, const struct runs_new *run, enum runs_made *ret_made,
                              uint64_t *ret_run_id, struct error *reterr)
{
	struct found found = { 0 };
	uint64_t run_id = 0;
	int64_t part = 0;
	enum err_code err = find_same(s, run, &found, reterr);
	if (err)
		return err;
	if (found.there && (found.by_key || !run->again)) {
		*ret_run_id = found.run_id;
		*ret_made = RUNS_ATTACHED;
		if (run->epochs > found.epochs && !found.by_key) {
			*ret_made = RUNS_EXTENDED;
			return runs_read_extend(s, found.run_id, run->epochs, run->created_by, reterr);
		}
		return ERR_OK;
	}
	err = find_place(s, run, &run_id, &part, reterr);
	if (!err)
		err = insert_run(s, run, run_id, part, found.there ? found.tick + 1 : 0, reterr);
	*ret_run_id = run_id;
	*ret_made = RUNS_NEW;
	return err;
}

enum err_code runs_create(struct store *s, const struct runs_new *run, struct arena *arena, enum runs_made *ret_made,
                          struct run_row **ret_run, struct error *reterr)
{
	enum runs_made made = RUNS_NEW;
	uint64_t run_id = 0;
	if (run->epochs == 0 || run->epochs > INT32_MAX || run->selected_count == 0 || run->selected_count > INT32_MAX)
		return error_set(reterr, ERR_INVALID, "a run has at least one item and one epoch");
	enum err_code err = store_begin(s, reterr);
	if (!err)
		err = make_run(s, run, &made, &run_id, reterr);
	err = store_end(s, err, reterr);
	if (!err)
		err = runs_find(s, run_id, arena, ret_run, reterr);
	if (!err && !*ret_run)
		err = error_set(reterr, ERR_AGAIN, "run %llu was deleted at once", (unsigned long long)run_id);
	if (!err)
		*ret_made = made;
	return err;
}

/* ---- changes ---- */

enum err_code runs_cancel(struct store *s, uint64_t run_id, struct str by, struct str note, bool *ret_changed,
                          struct error *reterr)
{
	static const struct pg_statement statement = { "runs_cancel",
		                                       "INSERT INTO assay.run_change (run_id, team_id, kind, by, note)"
		                                       " SELECT run_id, team_id, 1, $2::text, $3::text FROM assay.run"
		                                       " WHERE run_id = $1::int8 AND state IN (0, 1)" };
	struct pg_params *p = store_params(s);
	pg_params_i64(p, (int64_t)run_id);
	pg_params_text(p, by);
	pg_params_text(p, note);
	enum err_code err = store_write(s, &statement, reterr);
	if (!err) {
		struct store_rows r = store_rows(s, NULL);
		*ret_changed = pg_affected(r.pg, r.i) > 0;
	}
	return err;
}

static const struct pg_statement reopen = { "runs_reopen", "SELECT assay.run_reopen($1::int8)" };

enum err_code runs_retry(struct store *s, uint64_t run_id, struct str by, uint32_t *ret_wave, struct error *reterr)
{
	static const struct pg_statement raise = {
		"runs_retry",
		"WITH up AS (UPDATE assay.run SET retry_wave = retry_wave + 1 WHERE run_id = $1::int8"
		"  RETURNING run_id, team_id, retry_wave), change AS (INSERT INTO assay.run_change"
		"  (run_id, team_id, kind, value, by) SELECT run_id, team_id, 2, retry_wave, $2::text FROM up)"
		" SELECT retry_wave FROM up"
	};
	uint32_t wave = 0;
	enum err_code err = store_begin(s, reterr);
	store_step_timeout(s, PARTITION_MS);
	pg_params_i64(store_params(s), (int64_t)run_id);
	if (!err)
		err = store_step(s, &reopen, reterr);
	struct pg_params *p = store_params(s);
	pg_params_i64(p, (int64_t)run_id);
	pg_params_text(p, by);
	if (!err)
		err = store_step(s, &raise, reterr);
	if (!err) {
		struct store_rows r = store_rows(s, NULL);
		if (r.count == 0)
			err = error_set(reterr, ERR_NOT_FOUND, "there is no run %llu", (unsigned long long)run_id);
		else
			wave = store_rows_u32(&r, 0, 0);
	}
	err = store_end(s, err, reterr);
	if (!err)
		*ret_wave = wave;
	return err;
}

enum err_code runs_read_extend(struct store *s, uint64_t run_id, uint32_t epochs, struct str by, struct error *reterr)
{
	static const struct pg_statement raise = {
		"runs_extend",
		"WITH up AS (UPDATE assay.run SET epochs = $2::int4 WHERE run_id = $1::int8 AND epochs < $2::int4"
		"  RETURNING run_id, team_id) INSERT INTO assay.run_change (run_id, team_id, kind, value, by)"
		" SELECT run_id, team_id, 3, $2::int4, $3::text FROM up"
	};
	store_step_timeout(s, PARTITION_MS);
	pg_params_i64(store_params(s), (int64_t)run_id);
	enum err_code err = store_step(s, &reopen, reterr);
	struct pg_params *p = store_params(s);
	pg_params_i64(p, (int64_t)run_id);
	pg_params_i32(p, (int32_t)MIN_OF(epochs, (uint32_t)INT32_MAX));
	pg_params_text(p, by);
	return err ? err : store_step(s, &raise, reterr);
}

enum err_code runs_extend(struct store *s, uint64_t run_id, uint32_t epochs, struct str by, struct error *reterr)
{
	enum err_code err = store_begin(s, reterr);
	if (!err)
		err = runs_read_extend(s, run_id, epochs, by, reterr);
	return store_end(s, err, reterr);
}

enum err_code runs_delete(struct store *s, uint64_t run_id, struct str by, struct error *reterr)
{
	static const struct pg_statement statement = { "runs_delete", "SELECT assay.run_delete($1::int8, $2::text)" };
	enum err_code err = store_begin(s, reterr);
	store_step_timeout(s, 600000); /* a run of under a million rows goes by key */
	struct pg_params *p = store_params(s);
	pg_params_i64(p, (int64_t)run_id);
	pg_params_text(p, by);
	if (!err)
		err = store_step(s, &statement, reterr);
	return store_end(s, err, reterr);
}
