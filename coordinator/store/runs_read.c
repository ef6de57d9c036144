#include "coordinator/store/runs_read.h"

static void read_run(struct store_rows *r, size_t row, bool all, struct run_row *out)
{
	*out = (struct run_row){ .run_id = store_rows_u64(r, row, 0),
		                 .team_id = store_rows_i32(r, row, 1),
		                 .model_id = store_rows_i32(r, row, 2),
		                 .route_id = store_rows_i32(r, row, 3),
		                 .suite_version_id = store_rows_i64(r, row, 4),
		                 .suite_name = store_rows_text(r, row, 5),
		                 .model_name = store_rows_text(r, row, 6),
		                 .suite_version = store_rows_i32(r, row, 7),
		                 .model_version = store_rows_i32(r, row, 8),
		                 .suite_hash = store_rows_hash(r, row, 9),
		                 .model_hash = store_rows_hash(r, row, 10),
		                 .slice = store_rows_text(r, row, 11),
		                 .limit = store_rows_text(r, row, 12),
		                 .seed = store_rows_u64(r, row, 13),
		                 .tick = store_rows_i32(r, row, 14),
		                 .epochs = store_rows_u32(r, row, 15),
		                 .item_count = store_rows_u32(r, row, 16),
		                 .selected_count = store_rows_u32(r, row, 17),
		                 .metric_count = store_rows_u32(r, row, 18),
		                 .state = (enum run_state)store_rows_i32(r, row, 19),
		                 .reason = store_rows_text(r, row, 20),
		                 .sent_to = store_rows_u64(r, row, 21),
		                 .retry_wave = store_rows_u32(r, row, 22),
		                 .scoring_no = store_rows_u32(r, row, 23),
		                 .attempts_max = store_rows_u32(r, row, 24),
		                 .sample_time_ms = store_rows_u32(r, row, 25),
		                 .priority = store_rows_i32(r, row, 26),
		                 .budget_nanousd = store_rows_i64(r, row, 27),
		                 .baseline_run_id = store_rows_u64(r, row, 28),
		                 .created_by = store_rows_text(r, row, 29),
		                 .created_at_ms = store_rows_i64(r, row, 30),
		                 .started_at_ms = store_rows_i64(r, row, 31),
		                 .ended_at_ms = store_rows_i64(r, row, 32),
		                 .stat_due = store_rows_bool(r, row, 33),
		                 .selection = all ? store_rows_text(r, row, 34) : STR(""),
		                 .context = all ? store_rows_text(r, row, 35) : STR(""),
		                 .options = all ? store_rows_text(r, row, 36) : STR("") };
}

enum err_code runs_read_rows(struct store *s, bool all, struct arena *arena, struct run_row **ret_runs,
                             size_t *ret_count, struct error *reterr)
{
	struct store_rows r = store_rows(s, arena);
	struct run_row *rows = store_rows_alloc(&r, r.count, sizeof(*rows));
	for (size_t i = 0; rows && i < r.count; i++)
		read_run(&r, i, all, &rows[i]);
	enum err_code err = store_rows_end(&r, reterr);
	if (err)
		return err;
	*ret_runs = rows;
	*ret_count = r.count;
	return ERR_OK;
}

enum err_code runs_find(struct store *s, uint64_t run_id, struct arena *arena, struct run_row **ret_run,
                        struct error *reterr)
{
	static const struct pg_statement statement = { "runs_find", "SELECT " RUNS_READ_ALL RUNS_READ_FROM
		                                                    " WHERE r.run_id = $1::int8" };
	struct run_row *rows;
	size_t count;
	pg_params_i64(store_params(s), (int64_t)run_id);
	enum err_code err = store_read(s, &statement, reterr);
	if (!err)
		err = runs_read_rows(s, true, arena, &rows, &count, reterr);
	if (!err)
		*ret_run = count ? rows : NULL;
	return err;
}

enum err_code runs_list(struct store *s, const struct runs_filter *filter, struct arena *arena,
                        struct run_row **ret_runs, size_t *ret_count, struct error *reterr)
{
	static const struct pg_statement statement = {
		"runs_list", "SELECT " RUNS_READ_HEAD RUNS_READ_FROM
			     " WHERE r.team_id = $1::int4 AND ($2::text = '' OR s.name = $2::text)"
			     " AND ($3::text = '' OR m.name = $3::text) AND ($4::int4 < 0 OR r.state = $4::int4)"
			     " AND r.run_id < $5::int8 ORDER BY r.run_id DESC LIMIT $6::int8"
	};
	struct pg_params *p = store_params(s);
	pg_params_i32(p, store_team(s));
	pg_params_text(p, filter->suite);
	pg_params_text(p, filter->model);
	pg_params_i32(p, filter->state);
	pg_params_i64(p, filter->before_run_id ? (int64_t)filter->before_run_id : INT64_MAX);
	pg_params_i64(p, filter->limit ? (int64_t)MIN_OF(filter->limit, (size_t)10000) : 50);
	enum err_code err = store_read(s, &statement, reterr);
	return err ? err : runs_read_rows(s, false, arena, ret_runs, ret_count, reterr);
}

enum err_code runs_previous(struct store *s, uint64_t run_id, uint64_t *ret_run_id, struct error *reterr)
{
	static const struct pg_statement statement = {
		"runs_previous",
		"SELECT coalesce((SELECT p.run_id FROM assay.run p JOIN assay.model pm USING (model_id)"
		" JOIN assay.suite_version pv USING (suite_version_id) WHERE p.run_id < r.run_id AND p.team_id = "
		"r.team_id"
		" AND pm.name = m.name AND pv.suite_id = v.suite_id ORDER BY p.run_id DESC LIMIT 1), 0)"
		" FROM assay.run r JOIN assay.model m USING (model_id) JOIN assay.suite_version v USING "
		"(suite_version_id)"
		" WHERE r.run_id = $1::int8"
	};
	pg_params_i64(store_params(s), (int64_t)run_id);
	enum err_code err = store_read(s, &statement, reterr);
	if (err)
		return err;
	struct store_rows r = store_rows(s, NULL);
	*ret_run_id = r.count ? store_rows_u64(&r, 0, 0) : 0;
	return ERR_OK;
}

enum err_code runs_changes(struct store *s, uint64_t run_id, struct arena *arena, struct run_change_row **ret_changes,
                           size_t *ret_count, struct error *reterr)
{
	static const struct pg_statement statement = {
		"runs_changes", "SELECT change_id, run_id, kind, coalesce(value, 0), by, note, assay.ms(at)"
				" FROM assay.run_change WHERE run_id = $1::int8 ORDER BY change_id"
	};
	pg_params_i64(store_params(s), (int64_t)run_id);
	enum err_code err = store_read(s, &statement, reterr);
	if (err)
		return err;
	struct store_rows r = store_rows(s, arena);
	struct run_change_row *rows = store_rows_alloc(&r, r.count, sizeof(*rows));
	for (size_t i = 0; rows && i < r.count; i++)
		rows[i] = (struct run_change_row){ .change_id = store_rows_i64(&r, i, 0),
			                           .run_id = store_rows_u64(&r, i, 1),
			                           .kind = (enum runs_change_kind)store_rows_i32(&r, i, 2),
			                           .value = store_rows_i64(&r, i, 3),
			                           .by = store_rows_text(&r, i, 4),
			                           .note = store_rows_text(&r, i, 5),
			                           .at_ms = store_rows_i64(&r, i, 6) };
	err = store_rows_end(&r, reterr);
	if (err)
		return err;
	*ret_changes = rows;
	*ret_count = r.count;
	return ERR_OK;
}
