#include "coordinator/store/results.h"
#include "common/base/json.h"
#include "coordinator/store/store_call.h"

enum { TRANSCRIPT_PAGE_BYTES = 8 << 20 };

/* The row that counts of each sample, by key, behind the cursor up to a last key: $1 run, $2 $3 cursor, $4 $5 last key.
 * The bounds are found first (page_bounds): with both ends known, a page is a stretch of the primary key. */
#define COUNTED_PAGE                                                                                                   \
	"page AS MATERIALIZED (SELECT DISTINCT ON (item_no, epoch) * FROM assay.result WHERE run_id = $1::int8"        \
	" AND (item_no, epoch) > ($2::int4, $3::int4) AND (item_no, epoch) <= ($4::int4, $5::int4)"                    \
	" ORDER BY item_no, epoch, flags & 32, retry_no DESC)"

struct bounds {
	int32_t from[2], to[2];
	bool last; /* nothing comes behind it */
};

static enum err_code page_bounds(struct store *s, uint64_t run_id, const struct results_cursor *c, size_t limit,
                                 struct bounds *ret_bounds, struct error *reterr)
{
	static const struct pg_statement statement = { "results_bounds",
		                                       "SELECT item_no, epoch FROM assay.result WHERE run_id = $1::int8"
		                                       " AND (item_no, epoch) > ($2::int4, $3::int4)"
		                                       " ORDER BY item_no, epoch, retry_no OFFSET $4::int8 LIMIT 1" };
	struct bounds b = { .from = { -1, -1 }, .to = { INT32_MAX, INT32_MAX } };
	if (c->begun) {
		b.from[0] = (int32_t)c->item_no;
		b.from[1] = (int32_t)c->epoch;
	}
	struct pg_params *p = store_params(s);
	pg_params_i64(p, (int64_t)run_id);
	pg_params_i32(p, b.from[0]);
	pg_params_i32(p, b.from[1]);
	pg_params_i64(p, (int64_t)MAX_OF(limit, (size_t)1) - 1);
	enum err_code err = store_read(s, &statement, reterr);
	if (err)
		return err;
	struct store_rows r = store_rows(s, NULL);
	b.last = r.count == 0; /* fewer rows than the limit are left */
	if (!b.last) {
		b.to[0] = store_rows_i32(&r, 0, 0);
		b.to[1] = store_rows_i32(&r, 0, 1);
	}
	*ret_bounds = b;
	return ERR_OK;
}

static struct pg_params *page_params(struct store *s, uint64_t run_id, const struct bounds *b)
{
	struct pg_params *p = store_params(s);
	pg_params_i64(p, (int64_t)run_id);
	for (int i = 0; i < 2; i++)
		pg_params_i32(p, b->from[i]);
	for (int i = 0; i < 2; i++)
		pg_params_i32(p, b->to[i]);
	return p;
}

/* ---- columns for evidence ---- */

static void fill_u32(struct pg_list l, uint32_t *out, size_t count)
{
	for (size_t i = 0; i < count && pg_list_next(&l); i++)
		out[i] = (uint32_t)pg_list_i64(&l);
}

static void fill_u8(struct pg_list l, uint8_t *out, size_t count)
{
	for (size_t i = 0; i < count && pg_list_next(&l); i++)
		out[i] = (uint8_t)pg_list_i64(&l);
}

enum err_code results_scores(struct store *s, uint64_t run_id, uint32_t metric, struct results_cursor *cursor,
                             size_t limit, struct arena *arena, struct results_scores *ret_page, struct error *reterr)
{
	/* One row of arrays: a page of fifty thousand scores is a dozen values to libpq. */
	static const struct pg_statement statement = {
		"results_scores",
		"WITH " COUNTED_PAGE
		", full_page AS (SELECT p.*, s.value, coalesce(s.outcome, p.outcome) AS score_outcome"
		" FROM page p LEFT JOIN assay.result_score s ON s.run_id = $1::int8 AND s.item_no = p.item_no"
		" AND s.epoch = p.epoch AND s.retry_no = p.retry_no AND s.metric = $6::int4 AND s.scoring_no ="
		" (SELECT scoring_no FROM assay.run WHERE run_id = $1::int8) ORDER BY p.item_no, p.epoch)"
		" SELECT array_agg(item_no), array_agg(epoch), array_agg(flags), array_agg(outcome),"
		" array_agg(CASE WHEN score_outcome = 1 AND value IS NULL THEN 2 ELSE score_outcome END::int2),"
		" array_agg(value), array_agg(tokens_in), array_agg(tokens_out), array_agg(latency_ms),"
		" array_agg(coalesce(cost, 0)) FROM full_page"
	};
	struct bounds bounds;
	enum err_code err = page_bounds(s, run_id, cursor, limit, &bounds, reterr);
	if (err)
		return err;
	pg_params_i32(page_params(s, run_id, &bounds), (int32_t)MIN_OF(metric, (uint32_t)INT32_MAX));
	err = store_read(s, &statement, reterr);
	if (err)
		return err;
	struct store_rows r = store_rows(s, arena);
	struct pg_list values = pg_list(r.pg, r.i, 0, 5), costs = pg_list(r.pg, r.i, 0, 9);
	size_t n = values.count;
	struct results_scores out = { .count = n };
	uint32_t **const wide[] = { &out.item_no,   &out.epoch,      &out.flags,
		                    &out.tokens_in, &out.tokens_out, &out.latency_ms };
	static const size_t wide_column[] = { 0, 1, 2, 6, 7, 8 };
	for (size_t i = 0; i < ARRAY_LEN(wide); i++)
		if ((*wide[i] = store_rows_alloc(&r, n, sizeof(uint32_t))) != NULL)
			fill_u32(pg_list(r.pg, r.i, 0, wide_column[i]), *wide[i], n);
	out.outcome = store_rows_alloc(&r, n, 1);
	out.score_outcome = store_rows_alloc(&r, n, 1);
	out.value = store_rows_alloc(&r, n, sizeof(double));
	out.cost_nanousd = store_rows_alloc(&r, n, sizeof(int64_t));
	err = store_rows_end(&r, reterr);
	if (err)
		return err;
	fill_u8(pg_list(r.pg, r.i, 0, 3), out.outcome, n);
	fill_u8(pg_list(r.pg, r.i, 0, 4), out.score_outcome, n);
	for (size_t i = 0; i < n && pg_list_next(&values) && pg_list_next(&costs); i++) {
		out.value[i] = pg_list_f64(&values);
		out.cost_nanousd[i] = pg_list_i64(&costs);
	}
	cursor->end = bounds.last;
	if (n > 0)
		*cursor = (struct results_cursor){ out.item_no[n - 1], out.epoch[n - 1], true, bounds.last };
	*ret_page = out;
	return ERR_OK;
}

/* ---- whole rows ---- */

#define ROW_COLUMNS                                                                                                    \
	"p.item_no, p.epoch, p.retry_no, i.item_id, p.ask_id, p.outcome, p.flags, p.error_class, p.tokens_in,"         \
	" p.tokens_cached, p.tokens_out, p.tokens_reasoning, coalesce(p.cost, -1), p.latency_ms, p.first_byte_ms,"     \
	" f.returned_model, f.fingerprint, w.name, assay.ms(p.at), s.metric, s.value, s.outcome, s.reason"
#define ROW_JOINS                                                                                                      \
	" FROM page p JOIN assay.run r ON r.run_id = p.run_id"                                                         \
	" JOIN assay.suite_item i ON i.suite_version_id = r.suite_version_id AND i.item_no = p.item_no"                \
	" LEFT JOIN assay.fingerprint f USING (fingerprint_id) LEFT JOIN assay.worker w USING (worker_id)"             \
	" LEFT JOIN LATERAL (SELECT array_agg(s.metric ORDER BY s.metric) AS metric,"                                  \
	"  array_agg(s.value ORDER BY s.metric) AS value, array_agg(s.outcome ORDER BY s.metric) AS outcome,"          \
	"  array_agg(coalesce(s.reason, '') ORDER BY s.metric) AS reason FROM assay.result_score s"                    \
	"  WHERE s.run_id = $1::int8 AND s.item_no = p.item_no AND s.epoch = p.epoch AND s.retry_no = p.retry_no"      \
	"  AND s.scoring_no = r.scoring_no) s ON true"
#define TRANSCRIPT_COLUMNS                                                                                             \
	", t.run_id IS NOT NULL, t.request, t.response, t.answer, t.evidence, t.stop_reason, t.request_id, "           \
	"t.explanations"
#define TRANSCRIPT_JOIN                                                                                                \
	" LEFT JOIN assay.transcript t ON t.run_id = $1::int8 AND t.item_no = p.item_no AND t.epoch = p.epoch"         \
	" AND t.retry_no = p.retry_no"

static void read_scores(struct store_rows *r, size_t row, struct result_row *out)
{
	struct pg_list metric = pg_list(r->pg, r->i, row, 19), value = pg_list(r->pg, r->i, row, 20),
		       outcome = pg_list(r->pg, r->i, row, 21);
	size_t reason_count;
	struct str *reasons = store_rows_texts(r, row, 22, &reason_count);
	out->scores = store_rows_alloc(r, metric.count, sizeof(*out->scores));
	if (!out->scores || reason_count != metric.count)
		return;
	for (size_t i = 0; pg_list_next(&metric) && pg_list_next(&value) && pg_list_next(&outcome); i++) {
		out->scores[i] = (struct result_score){ .metric = (uint32_t)pg_list_i64(&metric),
			                                .has_value = !value.is_null,
			                                .value = pg_list_f64(&value),
			                                .outcome = (enum outcome)pg_list_i64(&outcome),
			                                .reason = reasons[i] };
		out->score_count++;
	}
}

static struct result_score *score_of(struct result_row *row, int64_t metric)
{
	for (size_t i = 0; i < row->score_count; i++)
		if (row->scores[i].metric == metric)
			return &row->scores[i];
	return NULL;
}

/* transcript.explanations is our own JSON; what cannot be read is left out rather than hiding the row. */
static void read_explanations(struct store_rows *r, struct str text, struct result_row *out)
{
	struct json_doc *doc;
	if (text.len == 0 || json_parse(text, &doc, NULL) != ERR_OK)
		return;
	const struct json *list = json_root(doc);
	for (size_t i = 0; i < json_len(list); i++) {
		const struct json *one = json_at(list, i);
		struct result_score *score = score_of(out, json_i64_or(json_get(one, "metric"), -1));
		struct str explanation = json_str_or(json_get(one, "explanation"), STR(""));
		struct str extracted = json_str_or(json_get(one, "extracted"), STR(""));
		char *copy = score ? store_rows_alloc(r, explanation.len + extracted.len + 1, 1) : NULL;
		if (!copy)
			continue;
		for (size_t k = 0; k < explanation.len; k++)
			copy[k] = explanation.data[k];
		for (size_t k = 0; k < extracted.len; k++)
			copy[explanation.len + k] = extracted.data[k];
		score->explanation = str_make(copy, explanation.len);
		score->extracted = str_make(copy + explanation.len, extracted.len);
	}
	json_free(doc);
}

static void read_row(struct store_rows *r, size_t row, bool with_transcripts, struct result_row *out)
{
	*out = (struct result_row){ .item_no = store_rows_u32(r, row, 0),
		                    .epoch = store_rows_u32(r, row, 1),
		                    .retry_no = store_rows_u32(r, row, 2),
		                    .item_id = store_rows_text(r, row, 3),
		                    .ask_id = store_rows_u64(r, row, 4),
		                    .outcome = (enum outcome)store_rows_i32(r, row, 5),
		                    .flags = store_rows_u32(r, row, 6),
		                    .error_class = (enum error_class)store_rows_i32(r, row, 7),
		                    .tokens_in = store_rows_u32(r, row, 8),
		                    .tokens_cached = store_rows_u32(r, row, 9),
		                    .tokens_out = store_rows_u32(r, row, 10),
		                    .tokens_reasoning = store_rows_u32(r, row, 11),
		                    .cost_nanousd = store_rows_i64(r, row, 12),
		                    .latency_ms = store_rows_u32(r, row, 13),
		                    .first_byte_ms = store_rows_u32(r, row, 14),
		                    .returned_model = store_rows_text(r, row, 15),
		                    .fingerprint = store_rows_text(r, row, 16),
		                    .worker = store_rows_text(r, row, 17),
		                    .at_ms = store_rows_i64(r, row, 18) };
	read_scores(r, row, out);
	if (!with_transcripts)
		return;
	out->has_transcript = store_rows_bool(r, row, 23);
	out->request = store_rows_text(r, row, 24);
	out->response = store_rows_text(r, row, 25);
	out->answer = store_rows_text(r, row, 26);
	out->evidence = store_rows_text(r, row, 27);
	out->stop_reason = store_rows_text(r, row, 28);
	out->request_id = store_rows_text(r, row, 29);
	read_explanations(r, pg_bytes(r->pg, r->i, row, 30), out);
}

static enum err_code read_rows(struct store *s, bool with_transcripts, struct arena *arena,
                               struct result_row **ret_rows, size_t *ret_count, struct error *reterr)
{
	struct store_rows r = store_rows(s, arena);
	struct result_row *rows = store_rows_alloc(&r, r.count, sizeof(*rows));
	for (size_t i = 0; rows && i < r.count; i++)
		read_row(&r, i, with_transcripts, &rows[i]);
	enum err_code err = store_rows_end(&r, reterr);
	if (err)
		return err;
	*ret_rows = rows;
	*ret_count = r.count;
	return ERR_OK;
}

enum err_code results_page(struct store *s, uint64_t run_id, bool with_transcripts, struct results_cursor *cursor,
                           size_t limit, struct arena *arena, struct result_row **ret_rows, size_t *ret_count,
                           struct error *reterr)
{
	static const struct pg_statement plain = { "results_page", "WITH " COUNTED_PAGE " SELECT " ROW_COLUMNS ROW_JOINS
		                                                   " ORDER BY p.item_no, p.epoch" };
	static const struct pg_statement full = {
		"results_full", "WITH " COUNTED_PAGE " SELECT * FROM (SELECT " ROW_COLUMNS TRANSCRIPT_COLUMNS
				", sum(coalesce(octet_length(t.request) + octet_length(t.response)"
				" + octet_length(t.answer), 0)) OVER (ORDER BY p.item_no, p.epoch ROWS BETWEEN"
				" UNBOUNDED PRECEDING AND 1 PRECEDING) AS before" ROW_JOINS TRANSCRIPT_JOIN
				") sized WHERE coalesce(before, 0) < $6::int8 ORDER BY item_no, epoch"
	};
	struct bounds bounds;
	enum err_code err = page_bounds(s, run_id, cursor, limit, &bounds, reterr);
	if (err)
		return err;
	struct pg_params *p = page_params(s, run_id, &bounds);
	if (with_transcripts)
		pg_params_i64(p, TRANSCRIPT_PAGE_BYTES);
	err = store_read(s, with_transcripts ? &full : &plain, reterr);
	if (!err)
		err = read_rows(s, with_transcripts, arena, ret_rows, ret_count, reterr);
	if (err)
		return err;
	size_t n = *ret_count;
	if (n == 0) {
		cursor->end = true;
	} else {
		const struct result_row *last = &(*ret_rows)[n - 1];
		/* A page that its bytes ended is not the last, although nothing lies behind its bounds. */
		*cursor = (struct results_cursor){ last->item_no, last->epoch, true, bounds.last && !with_transcripts };
	}
	return ERR_OK;
}

/* ---- one item ---- */

static enum err_code read_attempts(struct store *s, uint64_t run_id, uint32_t item_no, struct arena *arena,
                                   struct results_item *item, struct error *reterr)
{
	static const struct pg_statement statement = {
		"results_attempts",
		"SELECT a.item_no, a.epoch, a.retry_no, a.ask_id, a.error_class, a.http_status, a.lost = 1,"
		" a.latency_ms, coalesce(a.cost, -1), assay.ms(a.at), w.name, a.request_id, a.evidence"
		" FROM assay.attempt a LEFT JOIN assay.worker w USING (worker_id)"
		" WHERE a.run_id = $1::int8 AND a.item_no = $2::int4 ORDER BY a.epoch, a.at, a.ask_id"
	};
	struct pg_params *p = store_params(s);
	pg_params_i64(p, (int64_t)run_id);
	pg_params_i32(p, (int32_t)MIN_OF(item_no, (uint32_t)INT32_MAX));
	enum err_code err = store_read(s, &statement, reterr);
	if (err)
		return err;
	struct store_rows r = store_rows(s, arena);
	struct attempt_row *rows = store_rows_alloc(&r, r.count, sizeof(*rows));
	for (size_t i = 0; rows && i < r.count; i++) {
		rows[i] = (struct attempt_row){ .item_no = store_rows_u32(&r, i, 0),
			                        .epoch = store_rows_u32(&r, i, 1),
			                        .retry_no = store_rows_u32(&r, i, 2),
			                        .ask_id = store_rows_u64(&r, i, 3),
			                        .error_class = (enum error_class)store_rows_i32(&r, i, 4),
			                        .http_status = store_rows_i32(&r, i, 5),
			                        .open = store_rows_bool(&r, i, 6),
			                        .latency_ms = store_rows_u32(&r, i, 7),
			                        .cost_nanousd = store_rows_i64(&r, i, 8),
			                        .at_ms = store_rows_i64(&r, i, 9),
			                        .worker = store_rows_text(&r, i, 10),
			                        .request_id = store_rows_text(&r, i, 11),
			                        .evidence = store_rows_text(&r, i, 12) };
		if (rows[i].error_class == CLASS_LOST)
			rows[i].ask_id = 0; /* stored under a number made from its place */
	}
	item->attempts = rows;
	item->attempt_count = r.count;
	return store_rows_end(&r, reterr);
}

enum err_code results_item(struct store *s, uint64_t run_id, uint32_t item_no, struct arena *arena,
                           struct results_item *ret_item, struct error *reterr)
{
	static const struct pg_statement statement = {
		"results_item",
		"WITH page AS (SELECT * FROM assay.result WHERE run_id = $1::int8 AND item_no = $2::int4)"
		" SELECT " ROW_COLUMNS TRANSCRIPT_COLUMNS ROW_JOINS TRANSCRIPT_JOIN " ORDER BY p.epoch, p.retry_no"
	};
	struct results_item item = { 0 };
	struct pg_params *p = store_params(s);
	pg_params_i64(p, (int64_t)run_id);
	pg_params_i32(p, (int32_t)MIN_OF(item_no, (uint32_t)INT32_MAX));
	enum err_code err = store_read(s, &statement, reterr);
	if (!err)
		err = read_rows(s, true, arena, &item.rows, &item.row_count, reterr);
	if (!err)
		err = read_attempts(s, run_id, item_no, arena, &item, reterr);
	if (!err)
		*ret_item = item;
	return err;
}

enum err_code results_missing(struct store *s, uint64_t run_id, size_t limit, struct arena *arena,
                              struct results_missing **ret_rows, size_t *ret_count, struct error *reterr)
{
	static const struct pg_statement statement = {
		"results_missing",
		"SELECT m.item_no, m.epoch, i.item_id, m.outcome, m.error_class, coalesce("
		"  (SELECT substring(a.evidence FOR 500) FROM assay.attempt a WHERE m.outcome = 3 AND a.run_id = "
		"$1::int8"
		"   AND a.item_no = m.item_no AND a.epoch = m.epoch AND a.error_class <> 20 ORDER BY a.at DESC LIMIT "
		"1), substring(t.evidence FOR 500))"
		" FROM (SELECT * FROM (SELECT DISTINCT ON (item_no, epoch) * FROM assay.result WHERE run_id = $1::int8"
		"  ORDER BY item_no, epoch, flags & 32, retry_no DESC) c WHERE outcome <> 1"
		"  ORDER BY outcome DESC, item_no, epoch LIMIT $2::int8) m JOIN assay.run r USING (run_id)"
		" JOIN assay.suite_item i ON i.suite_version_id = r.suite_version_id AND i.item_no = m.item_no"
		" LEFT JOIN assay.transcript t ON t.run_id = $1::int8 AND t.item_no = m.item_no AND t.epoch = m.epoch"
		"  AND t.retry_no = m.retry_no ORDER BY m.outcome DESC, m.item_no, m.epoch"
	};
	struct pg_params *p = store_params(s);
	pg_params_i64(p, (int64_t)run_id);
	pg_params_i64(p, (int64_t)MIN_OF(limit, (size_t)100000));
	enum err_code err = store_read(s, &statement, reterr);
	if (err)
		return err;
	struct store_rows r = store_rows(s, arena);
	struct results_missing *rows = store_rows_alloc(&r, r.count, sizeof(*rows));
	for (size_t i = 0; rows && i < r.count; i++)
		rows[i] = (struct results_missing){ .item_no = store_rows_u32(&r, i, 0),
			                            .epoch = store_rows_u32(&r, i, 1),
			                            .item_id = store_rows_text(&r, i, 2),
			                            .outcome = (enum outcome)store_rows_i32(&r, i, 3),
			                            .error_class = (enum error_class)store_rows_i32(&r, i, 4),
			                            .evidence = store_rows_text(&r, i, 5) };
	err = store_rows_end(&r, reterr);
	if (err)
		return err;
	*ret_rows = rows;
	*ret_count = r.count;
	return ERR_OK;
}
