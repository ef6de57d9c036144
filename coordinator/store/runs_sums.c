#include "coordinator/store/runs.h"
#include "coordinator/store/store_call.h"

#define SUM_COLUMNS                                                                                                    \
	"u.metric, u.n, u.unscored, u.provider_error, u.harness_error, u.quarantined, u.refused, u.truncated, "        \
	"u.empty,"                                                                                                     \
	" u.filtered, u.scored, u.tokens_in, u.tokens_cached, u.tokens_out, u.tokens_reasoning, u.cost,"               \
	" u.cost_unknown, u.latency_ms, u.attempts, u.paid_twice, u.paid_twice_cost, u.lost_open, u.after_end,"        \
	" CASE WHEN u.metric >= 0 THEN trim_scale(u.sum)::text ELSE '' END,"                                           \
	" CASE WHEN u.metric >= 0 THEN trim_scale(u.sum_sq)::text ELSE '' END,"                                        \
	" CASE WHEN u.n > 0 AND u.metric >= 0 THEN (u.sum / u.n)::float8 ELSE 0 END"

static void read_sum(struct store_rows *r, size_t row, size_t first, struct run_sum *out)
{
	size_t c = first;
	out->metric = store_rows_i32(r, row, c++);
	uint64_t *const counts[] = {
		&out->n,         &out->unscored,      &out->provider_error, &out->harness_error,   &out->quarantined,
		&out->refused,   &out->truncated,     &out->empty,          &out->filtered,        &out->scored,
		&out->tokens_in, &out->tokens_cached, &out->tokens_out,     &out->tokens_reasoning
	};
	for (size_t i = 0; i < ARRAY_LEN(counts); i++)
		*counts[i] = store_rows_u64(r, row, c++);
	out->cost_nanousd = store_rows_i64(r, row, c++);
	out->cost_unknown = store_rows_u64(r, row, c++);
	out->latency_ms = store_rows_u64(r, row, c++);
	out->attempts = store_rows_u64(r, row, c++);
	out->paid_twice = store_rows_u64(r, row, c++);
	out->paid_twice_nanousd = store_rows_i64(r, row, c++);
	out->lost_open = store_rows_u64(r, row, c++);
	out->after_end = store_rows_u64(r, row, c++);
	out->sum = store_rows_text(r, row, c++);
	out->sum_of_squares = store_rows_text(r, row, c++);
	out->mean = store_rows_f64(r, row, c);
}

enum err_code runs_sums(struct store *s, uint64_t run_id, struct arena *arena, struct run_sum **ret_sums,
                        size_t *ret_count, struct error *reterr)
{
	static const struct pg_statement statement = {
		"runs_sums", "SELECT v.slices[u.slice_no + 1], " SUM_COLUMNS
			     " FROM assay.run_summary u JOIN assay.run r USING (run_id)"
			     " JOIN assay.suite_version v USING (suite_version_id) WHERE u.run_id = $1::int8"
			     " AND u.scoring_no = r.scoring_no ORDER BY u.slice_no, u.metric"
	};
	pg_params_i64(store_params(s), (int64_t)run_id);
	enum err_code err = store_read(s, &statement, reterr);
	if (err)
		return err;
	struct store_rows r = store_rows(s, arena);
	struct run_sum *rows = store_rows_alloc(&r, r.count, sizeof(*rows));
	for (size_t i = 0; rows && i < r.count; i++) {
		rows[i].slice = store_rows_text(&r, i, 0);
		read_sum(&r, i, 1, &rows[i]);
	}
	err = store_rows_end(&r, reterr);
	if (err)
		return err;
	*ret_sums = rows;
	*ret_count = r.count;
	return ERR_OK;
}

enum err_code runs_progress(struct store *s, const uint64_t *run_ids, size_t count, struct arena *arena,
                            struct run_sum **ret_sums, struct error *reterr)
{
	static const struct pg_statement statement = {
		"runs_progress",
		"SELECT ord, " SUM_COLUMNS " FROM unnest($1::int8[]) WITH ORDINALITY AS w (run_id, ord)"
		" JOIN assay.run r USING (run_id) JOIN assay.run_summary u ON u.run_id = r.run_id"
		" AND u.scoring_no = r.scoring_no AND u.slice_no = 0 AND u.metric = -1"
	};
	struct pg_array ids;
	pg_array_begin(&ids, store_params(s), PG_TYPE_INT8);
	for (size_t i = 0; i < count; i++)
		pg_array_i64(&ids, (int64_t)run_ids[i]);
	pg_array_end(&ids);
	enum err_code err = store_read(s, &statement, reterr);
	if (err)
		return err;
	struct store_rows r = store_rows(s, arena);
	struct run_sum *rows = store_rows_alloc(&r, count, sizeof(*rows));
	for (size_t i = 0; rows && i < r.count; i++) {
		size_t at = (size_t)store_rows_u64(&r, i, 0) - 1;
		if (at < count)
			read_sum(&r, i, 1, &rows[at]);
	}
	for (size_t i = 0; rows && i < count; i++)
		rows[i].metric = -1;
	err = store_rows_end(&r, reterr);
	if (!err)
		*ret_sums = rows;
	return err;
}

/* ---- run_stat ---- */

static void put_optional(struct pg_array *a, bool has, double v)
{
	if (has)
		pg_array_f64(a, v);
	else
		pg_array_null(a);
}

static void put_stats(struct pg_params *p, const struct run_stat_row *rows, size_t count)
{
	struct pg_array a;
#define COLUMN(type, put)                                                                                              \
	do {                                                                                                           \
		pg_array_begin(&a, p, type);                                                                           \
		for (size_t i = 0; i < count; i++)                                                                     \
			put;                                                                                           \
		pg_array_end(&a);                                                                                      \
	} while (0)
	COLUMN(PG_TYPE_INT4, pg_array_i32(&a, (int32_t)rows[i].scoring_no));
	COLUMN(PG_TYPE_TEXT, pg_array_text(&a, rows[i].slice));
	COLUMN(PG_TYPE_INT4, pg_array_i32(&a, rows[i].metric));
	COLUMN(PG_TYPE_INT8, pg_array_i64(&a, (int64_t)rows[i].n));
	COLUMN(PG_TYPE_INT8, pg_array_i64(&a, (int64_t)rows[i].missing));
	COLUMN(PG_TYPE_FLOAT8, put_optional(&a, rows[i].has_estimate, rows[i].estimate));
	COLUMN(PG_TYPE_FLOAT8, put_optional(&a, rows[i].has_estimate, rows[i].std_error));
	COLUMN(PG_TYPE_FLOAT8, put_optional(&a, rows[i].has_interval, rows[i].low));
	COLUMN(PG_TYPE_FLOAT8, put_optional(&a, rows[i].has_interval, rows[i].high));
	COLUMN(PG_TYPE_TEXT, pg_array_text(&a, rows[i].method));
	COLUMN(PG_TYPE_TEXT, pg_array_text(&a, rows[i].detail));
#undef COLUMN
}

/* The sums move in the same statement as the rows that they count: as text they say all that was counted. */
#define STAT_MARK                                                                                                      \
	"(SELECT coalesce(hashtextextended(string_agg(s::text, '|' ORDER BY s.scoring_no, s.slice_no, s.metric), 0),"  \
	" 0) FROM assay.run_summary s WHERE s.run_id = $1::int8)"

enum err_code runs_stat_mark(struct store *s, uint64_t run_id, int64_t *ret_mark, struct error *reterr)
{
	static const struct pg_statement statement = { "runs_stat_mark", "SELECT " STAT_MARK };
	pg_params_i64(store_params(s), (int64_t)run_id);
	enum err_code err = store_read(s, &statement, reterr);
	if (err)
		return err;
	struct store_rows r = store_rows(s, NULL);
	*ret_mark = store_rows_i64(&r, 0, 0);
	return ERR_OK;
}

enum err_code runs_put_stats(struct store *s, uint64_t run_id, int64_t mark, const struct run_stat_row *rows,
                             size_t count, struct error *reterr)
{
	/* Locked, so that no group of this run is half done between the look at the mark and the commit. */
	static const struct pg_statement lock = { "runs_stat_lock", "SELECT assay.run_lock(ARRAY[$1::int8])" };
	static const struct pg_statement clear = { "runs_stat_clear",
		                                   "DELETE FROM assay.run_stat WHERE run_id = $1::int8" };
	static const struct pg_statement fill = {
		"runs_stat_fill",
		"WITH done AS (UPDATE assay.run SET stat_due = stat_due AND " STAT_MARK " <> $13::int8"
		" WHERE run_id = $1::int8 RETURNING team_id)"
		" INSERT INTO assay.run_stat (run_id, team_id, scoring_no, slice, metric, n, missing, estimate, "
		"std_error,"
		" low, high, method, detail) SELECT $1::int8, done.team_id, u.* FROM done, unnest($2::int4[], "
		"$3::text[],"
		" $4::int4[], $5::int8[], $6::int8[], $7::float8[], $8::float8[], $9::float8[], $10::float8[],"
		" $11::text[], $12::text[]) AS u"
	};
	enum err_code err = store_begin(s, reterr);
	pg_params_i64(store_params(s), (int64_t)run_id);
	if (!err)
		err = store_step(s, &lock, reterr);
	if (!err)
		err = store_step(s, &clear, reterr);
	struct pg_params *p = store_params(s);
	pg_params_i64(p, (int64_t)run_id);
	put_stats(p, rows, count);
	pg_params_i64(p, mark);
	if (!err)
		err = store_step(s, &fill, reterr);
	return store_end(s, err, reterr);
}

enum err_code runs_stats(struct store *s, uint64_t run_id, struct arena *arena, struct run_stat_row **ret_rows,
                         size_t *ret_count, struct error *reterr)
{
	static const struct pg_statement statement = {
		"runs_stats",
		"SELECT scoring_no, slice, metric, n, missing, estimate, std_error, low, high, method, detail"
		" FROM assay.run_stat WHERE run_id = $1::int8 ORDER BY scoring_no, metric, slice"
	};
	pg_params_i64(store_params(s), (int64_t)run_id);
	enum err_code err = store_read(s, &statement, reterr);
	if (err)
		return err;
	struct store_rows r = store_rows(s, arena);
	struct run_stat_row *rows = store_rows_alloc(&r, r.count, sizeof(*rows));
	for (size_t i = 0; rows && i < r.count; i++)
		rows[i] = (struct run_stat_row){ .scoring_no = store_rows_u32(&r, i, 0),
			                         .slice = store_rows_text(&r, i, 1),
			                         .metric = store_rows_i32(&r, i, 2),
			                         .n = store_rows_u64(&r, i, 3),
			                         .missing = store_rows_u64(&r, i, 4),
			                         .has_estimate = !store_rows_null(&r, i, 5),
			                         .estimate = store_rows_f64(&r, i, 5),
			                         .std_error = store_rows_f64(&r, i, 6),
			                         .has_interval = !store_rows_null(&r, i, 7),
			                         .low = store_rows_f64(&r, i, 7),
			                         .high = store_rows_f64(&r, i, 8),
			                         .method = store_rows_text(&r, i, 9),
			                         .detail = store_rows_text(&r, i, 10) };
	err = store_rows_end(&r, reterr);
	if (err)
		return err;
	*ret_rows = rows;
	*ret_count = r.count;
	return ERR_OK;
}

enum err_code runs_stat_due(struct store *s, size_t limit, struct arena *arena, uint64_t **ret_run_ids,
                            size_t *ret_count, struct error *reterr)
{
	static const struct pg_statement statement = {
		"runs_stat_due", "SELECT run_id FROM assay.run WHERE stat_due ORDER BY run_id LIMIT $1::int8"
	};
	pg_params_i64(store_params(s), (int64_t)MIN_OF(limit, (size_t)10000));
	enum err_code err = store_read(s, &statement, reterr);
	if (err)
		return err;
	struct store_rows r = store_rows(s, arena);
	uint64_t *ids = store_rows_alloc(&r, r.count, sizeof(*ids));
	for (size_t i = 0; ids && i < r.count; i++)
		ids[i] = store_rows_u64(&r, i, 0);
	err = store_rows_end(&r, reterr);
	if (err)
		return err;
	*ret_run_ids = ids;
	*ret_count = r.count;
	return ERR_OK;
}

enum err_code runs_paid_twice(struct store *s, uint64_t run_id, struct arena *arena, struct paid_row **ret_rows,
                              size_t *ret_count, struct error *reterr)
{
	static const struct pg_statement statement = {
		"runs_paid_twice", "SELECT cause, count(*), coalesce(sum(cost), 0)::int8 FROM assay.paid_twice"
				   " WHERE run_id = $1::int8 GROUP BY cause ORDER BY cause"
	};
	pg_params_i64(store_params(s), (int64_t)run_id);
	enum err_code err = store_read(s, &statement, reterr);
	if (err)
		return err;
	struct store_rows r = store_rows(s, arena);
	struct paid_row *rows = store_rows_alloc(&r, r.count, sizeof(*rows));
	for (size_t i = 0; rows && i < r.count; i++)
		rows[i] = (struct paid_row){ .cause = (enum paid_cause)store_rows_i32(&r, i, 0),
			                     .count = store_rows_u64(&r, i, 1),
			                     .cost_nanousd = store_rows_i64(&r, i, 2) };
	err = store_rows_end(&r, reterr);
	if (err)
		return err;
	*ret_rows = rows;
	*ret_count = r.count;
	return ERR_OK;
}
