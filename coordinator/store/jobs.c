#include "coordinator/store/jobs.h"
#include "coordinator/store/store_call.h"

enum err_code jobs_put(struct store *s, int32_t team_id, struct str kind, struct str key, struct str payload,
                       bool *ret_is_new, struct error *reterr)
{
	static const struct pg_statement statement = {
		"jobs_put",
		"INSERT INTO assay.job (team_id, kind, key, payload) VALUES ($1::int4, $2::text, $3::text, $4::text)"
		" ON CONFLICT (key) DO NOTHING"
	};
	struct pg_params *p = store_params(s);
	pg_params_i32(p, team_id);
	pg_params_text(p, kind);
	pg_params_text(p, key);
	pg_params_text(p, payload);
	enum err_code err = store_write(s, &statement, reterr);
	if (!err) {
		struct store_rows r = store_rows(s, NULL);
		*ret_is_new = pg_affected(r.pg, r.i) > 0;
	}
	return err;
}

enum err_code jobs_take(struct store *s, struct arena *arena, struct job_row **ret_job, struct error *reterr)
{
	/* One coordinator has one taker: what an equal or older term left running has nobody who runs it. */
	static const struct pg_statement statement = {
		"jobs_take",
		"UPDATE assay.job SET state = 1, term = $1::int8, attempts = attempts + 1 WHERE job_id = (SELECT job_id"
		" FROM assay.job WHERE state IN (0, 1) AND due_at <= now() ORDER BY due_at, job_id LIMIT 1)"
		" RETURNING job_id, team_id, kind, key, payload, attempts"
	};
	pg_params_i64(store_params(s), (int64_t)store_term(s));
	enum err_code err = store_write(s, &statement, reterr);
	if (err)
		return err;
	struct store_rows r = store_rows(s, arena);
	struct job_row *row = r.count ? store_rows_alloc(&r, 1, sizeof(*row)) : NULL;
	if (row)
		*row = (struct job_row){ .job_id = store_rows_i64(&r, 0, 0),
			                 .team_id = store_rows_i32(&r, 0, 1),
			                 .kind = store_rows_text(&r, 0, 2),
			                 .key = store_rows_text(&r, 0, 3),
			                 .payload = store_rows_text(&r, 0, 4),
			                 .attempts = store_rows_u32(&r, 0, 5) };
	err = store_rows_end(&r, reterr);
	if (!err)
		*ret_job = row;
	return err;
}

enum err_code jobs_done(struct store *s, int64_t job_id, struct error *reterr)
{
	static const struct pg_statement statement = {
		"jobs_done", "UPDATE assay.job SET state = 2, ended_at = now(), error = NULL WHERE job_id = $1::int8"
	};
	pg_params_i64(store_params(s), job_id);
	return store_write(s, &statement, reterr);
}

enum err_code jobs_failed(struct store *s, int64_t job_id, struct str text, int64_t again_ms, struct error *reterr)
{
	static const struct pg_statement statement = {
		"jobs_failed",
		"UPDATE assay.job SET error = $2::text, state = CASE WHEN $3::int8 < 0 THEN 3 ELSE 0 END,"
		" ended_at = CASE WHEN $3::int8 < 0 THEN now() END,"
		" due_at = now() + greatest($3::int8, 0) * interval '1 ms' WHERE job_id = $1::int8"
	};
	struct pg_params *p = store_params(s);
	pg_params_i64(p, job_id);
	pg_params_text(p, text);
	pg_params_i64(p, again_ms);
	return store_write(s, &statement, reterr);
}
