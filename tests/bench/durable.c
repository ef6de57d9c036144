/* durable: the store's writer against a PostgreSQL with its default settings (fsync on), groups of 1,000 results of one
 * run, two scores each, 11 slices, no transcripts; then the same with transcripts of 1 KB, and all of it replayed.
 *
 * Floor: a bare guarded INSERT of the same rows into the same two tables (result, result_score) from binary arrays,
 * 1,000 a transaction, on one connection: no summary, no look at what is there already, nothing resolved. The note has
 * the same for the result rows alone. */
#include "common/base/mem.h"
#include "common/io/clock.h"
#include "coordinator/store/leader.h"
#include "coordinator/store/models.h"
#include "coordinator/store/pg.h"
#include "coordinator/store/pg_array.h"
#include "coordinator/store/runs.h"
#include "coordinator/store/suites.h"
#include "coordinator/store/writer.h"
#include "tests/bench/bench.h"
#include "tests/support/pg_server.h"
#include <stdio.h>
#include <string.h>

enum { ITEMS = 20000, EPOCHS = 5, BATCH = 1000, WARM = 20, TRANSCRIPT_BYTES = 1024, TASKS = 10, BATCH_MS_MAX = 60000 };

struct durable {
	struct pg_server *server;
	struct store_settings settings;
	struct store *store;
	struct arena arena;
	int64_t suite_version_id;
	int32_t model_id;
	struct msg_record *records; /* of one batch */
	struct writer_done done[BATCH];
	char transcript[TRANSCRIPT_BYTES];
};

static enum err_code fill(struct durable *d, struct error *reterr)
{
	struct str metrics[] = { STR("correct"), STR("length") };
	struct suites_item *items = arena_new(&d->arena, ITEMS, sizeof(*items));
	struct suites_pushed pushed;
	bool is_new;
	for (size_t i = 0; i < ITEMS; i++) {
		items[i].id = arena_printf(&d->arena, "item-%zu", i);
		items[i].content = arena_printf(&d->arena, "{\"id\":\"item-%zu\"}", i);
		items[i].hash = hash_of(items[i].content);
		items[i].task = arena_printf(&d->arena, "task-%zu", i % TASKS);
		items[i].weight = 1;
	}
	struct suites_push push = { .team_id = STORE_TEAM_DEFAULT,
		                    .name = STR("bench"),
		                    .task = STR("bench"),
		                    .hash = hash_of(STR("bench")),
		                    .definition = STR("{}"),
		                    .metrics = metrics,
		                    .metric_count = ARRAY_LEN(metrics),
		                    .item_count = ITEMS,
		                    .pushed_by = STR("bench") };
	struct models_put put = { .team_id = STORE_TEAM_DEFAULT,
		                  .name = STR("m"),
		                  .hash = hash_of(STR("m")),
		                  .config = STR("{}"),
		                  .provider = STR("openai"),
		                  .model = STR("m"),
		                  .endpoint = STR("http://localhost"),
		                  .price_in_nanousd_per_mtok = -1,
		                  .price_cached_nanousd_per_mtok = -1,
		                  .price_out_nanousd_per_mtok = -1,
		                  .put_by = STR("bench") };
	enum err_code err = suites_push(d->store, &push, items, &pushed, reterr);
	if (!err)
		err = models_put(d->store, &put, &d->model_id, &is_new, reterr);
	if (!err)
		d->suite_version_id = pushed.suite_version_id;
	return err;
}

static enum err_code new_run(struct durable *d, uint64_t seed, uint64_t *ret_run_id, struct error *reterr)
{
	enum runs_made made;
	struct run_row *row;
	struct runs_new run = { .team_id = STORE_TEAM_DEFAULT,
		                .suite_version_id = d->suite_version_id,
		                .model_id = d->model_id,
		                .seed = seed,
		                .epochs = EPOCHS,
		                .selected_count = ITEMS,
		                .context = STR("{}"),
		                .attempts_max = 3,
		                .sample_time_ms = 1000,
		                .budget_nanousd = -1,
		                .created_by = STR("bench") };
	enum err_code err = runs_create(d->store, &run, &d->arena, &made, &row, reterr);
	if (!err)
		*ret_run_id = row->run_id;
	return err;
}

static void make_records(struct durable *d)
{
	d->records = arena_new(&d->arena, BATCH, sizeof(*d->records));
	memset(d->transcript, 'x', sizeof(d->transcript));
	for (size_t i = 0; i < BATCH; i++) {
		struct msg_score *scores = arena_new(&d->arena, 2, sizeof(*scores));
		scores[0] = (struct msg_score){ .metric = 0, .has_value = true, .value = i % 3 == 0 };
		scores[1] = (struct msg_score){ .metric = 1, .has_value = true, .value = (double)(i % 500) / 500 };
		d->records[i] = (struct msg_record){ .kind = RECORD_RESULT,
			                             .outcome = OUTCOME_SCORED,
			                             .tokens_in = 100,
			                             .tokens_out = 20,
			                             .cost_nanousd = 1000,
			                             .latency_ms = 500,
			                             .at_ms = clock_wall_ms(),
			                             .returned_model = STR("m-1"),
			                             .scores = scores,
			                             .score_count = 2 };
	}
}

static void aim_records(struct durable *d, uint64_t run_id, size_t batch, bool transcripts)
{
	for (size_t i = 0; i < BATCH; i++) {
		struct msg_record *r = &d->records[i];
		r->run_id = run_id;
		r->sample_no = batch * BATCH + i;
		r->ask_id = run_id << 32 | (r->sample_no + 1);
		r->response = transcripts ? str_make(d->transcript, sizeof(d->transcript)) : (struct str){ 0 };
	}
}

/* One batch there and back. A database that has gone would be waited for as long as it takes: not here. */
static enum err_code write_batch(struct writer *w, struct writer_batch *batch, struct error *reterr)
{
	uint64_t until_ms = clock_now_ms() + BATCH_MS_MAX;
	writer_add_batch(w, batch, clock_now_ms());
	for (;;) {
		enum writer_state state = writer_step(w, clock_now_ms());
		if (writer_take_batch(w))
			return ERR_OK;
		if (state == WRITER_OVER || clock_now_ms() > until_ms)
			return error_set(reterr, ERR_TIMEOUT, "a batch did not come back: %s", writer_error(w));
		writer_wait(w, -1, clock_now_ms());
	}
}

/* Rows a second over the batches behind the first WARM ones. */
static enum err_code write_run(struct durable *d, uint64_t run_id, bool transcripts, double *ret_rate,
                               struct error *reterr)
{
	struct writer_settings ws = { .store = d->settings, .term = 1 };
	struct outbox_id outbox = { "benchmark box." };
	struct writer *w;
	uint64_t from_us = 0;
	size_t batches = ITEMS * EPOCHS / BATCH;
	enum err_code err = writer_new(&ws, &w, reterr);
	if (err)
		return err;
	for (size_t b = 0; !err && b < batches; b++) {
		struct writer_batch batch = { .outbox = outbox,
			                      .worker_name = STR("bench"),
			                      .records = d->records,
			                      .record_count = BATCH,
			                      .done = d->done };
		aim_records(d, run_id, b, transcripts);
		if (b == WARM)
			from_us = clock_now_us();
		err = write_batch(w, &batch, reterr);
	}
	*ret_rate = (double)((batches - WARM) * BATCH) / ((double)(clock_now_us() - from_us) / 1e6);
	writer_free(w);
	return err;
}

static void put_floor(struct pg_params *p, uint64_t run_id, size_t batch, bool scores)
{
	struct pg_array a;
#define COLUMN(type, put)                                                                                              \
	do {                                                                                                           \
		pg_array_begin(&a, p, type);                                                                           \
		for (size_t i = 0; i < BATCH; i++)                                                                     \
			put;                                                                                           \
		pg_array_end(&a);                                                                                      \
	} while (0)
	pg_params_clear(p);
	pg_params_i64(p, (int64_t)run_id);
	COLUMN(PG_TYPE_INT8, pg_array_i64(&a, (int64_t)(batch * BATCH + i + 1)));
	COLUMN(PG_TYPE_INT4, pg_array_i32(&a, (int32_t)((batch * BATCH + i) % ITEMS)));
	COLUMN(PG_TYPE_INT4, pg_array_i32(&a, (int32_t)((batch * BATCH + i) / ITEMS)));
	COLUMN(PG_TYPE_FLOAT8, pg_array_f64(&a, (double)(i % 2)));
	COLUMN(PG_TYPE_INT8, pg_array_i64(&a, 1000));
	COLUMN(PG_TYPE_INT4, pg_array_i32(&a, 100));
	if (scores) {
		COLUMN(PG_TYPE_FLOAT8, pg_array_f64(&a, (double)(i % 500) / 500));
	}
#undef COLUMN
}

#define FLOOR_RESULT                                                                                                   \
	"INSERT INTO assay.result_p0 (run_id, ask_id, item_no, epoch, retry_no, team_id, score, cost, at, flags,"      \
	" tokens_in, tokens_cached, tokens_out, tokens_reasoning, latency_ms, first_byte_ms, outcome, error_class)"    \
	" SELECT $1::int8, ask_id, item_no, epoch, 0, 1, score, cost, now(), 0, n, n, n, n, n, n, 1, 0"                \
	" FROM unnest($2::int8[], $3::int4[], $4::int4[], $5::float8[], $6::int8[], $7::int4[])"                       \
	" AS u (ask_id, item_no, epoch, score, cost, n)"                                                               \
	" WHERE EXISTS (SELECT FROM assay.leader WHERE term = 1 FOR SHARE) ON CONFLICT DO NOTHING"

static enum err_code write_floor(struct durable *d, uint64_t run_id, bool scores, double *ret_rate,
                                 struct error *reterr)
{
	static const struct pg_statement results_alone = { "floor_result", FLOOR_RESULT };
	static const struct pg_statement both = {
		"floor_both",
		"WITH r AS (" FLOOR_RESULT
		") INSERT INTO assay.result_score_p0 (run_id, item_no, epoch, retry_no, scoring_no,"
		" metric, team_id, outcome, value) SELECT $1::int8, item_no, epoch, 0, 0, metric, 1, 1,"
		"  CASE metric WHEN 0 THEN score ELSE length END"
		" FROM unnest($3::int4[], $4::int4[], $5::float8[], $8::float8[]) AS u (item_no, epoch, score, length)"
		" CROSS JOIN generate_series(0, 1) AS metric ON CONFLICT DO NOTHING"
	};
	struct pg_settings ps = { .dsn = d->settings.dsn, .application_name = "floor", .pinned_plans = true };
	struct pg_params params;
	struct pg *pg;
	uint64_t from_us = 0;
	size_t batches = ITEMS * EPOCHS / BATCH;
	enum err_code err = pg_new(&ps, &pg, reterr);
	if (err)
		return err;
	pg_params_init(&params);
	err = pg_run_connect(pg, reterr);
	for (size_t b = 0; !err && b < batches; b++) {
		if (b == WARM)
			from_us = clock_now_us();
		put_floor(&params, run_id, b, scores);
		err = pg_exec(pg, scores ? &both : &results_alone, &params, 10000, reterr);
	}
	*ret_rate = (double)((batches - WARM) * BATCH) / ((double)(clock_now_us() - from_us) / 1e6);
	pg_params_done(&params);
	pg_free(pg);
	return err;
}

/* As a reader: counting a hundred thousand rows anew may take longer than a writer's statement may. */
static enum err_code recount(struct durable *d, uint64_t run_id, struct error *reterr)
{
	struct store *reader = NULL;
	enum err_code err = store_open(&d->settings, STORE_READER, 0, &reader, reterr);
	if (!err)
		err = store_recount(reader, run_id, reterr);
	store_close(reader);
	return err;
}

static enum err_code measure(struct durable *d, struct bench_result *r, struct error *reterr)
{
	uint64_t runs[4];
	double transcripts = 0, replay = 0, results = 0;
	enum err_code err = fill(d, reterr);
	for (size_t i = 0; !err && i < ARRAY_LEN(runs); i++)
		err = new_run(d, i + 1, &runs[i], reterr);
	make_records(d);
	if (!err)
		err = write_floor(d, runs[0], true, &r->floor, reterr);
	if (!err)
		err = write_floor(d, runs[3], false, &results, reterr);
	if (!err)
		err = write_run(d, runs[1], false, &r->value, reterr);
	if (!err)
		err = write_run(d, runs[2], true, &transcripts, reterr);
	if (!err)
		err = write_run(d, runs[1], false, &replay, reterr);
	if (!err)
		err = recount(d, runs[1], reterr);
	r->unit = "rows/s";
	(void)snprintf(r->note, sizeof(r->note),
	               "groups of 1,000, 2 scores, 11 slices; with 1 KB transcripts %.0f, replayed %.0f; bare result "
	               "rows alone"
	               " %.0f",
	               transcripts, replay, results); /* fits */
	return err;
}

enum err_code bench_durable(struct bench_result *ret_result, struct error *reterr)
{
	struct durable *d = mem_new(1, sizeof(*d));
	struct pg_server_options options = { 0 };
	struct store_schema schema;
	arena_init(&d->arena, 64 << 20);
	enum err_code err = pg_server_start(&options, &d->server, reterr);
	if (!err) {
		d->settings.dsn = pg_server_dsn(d->server);
		err = store_migrate(&d->settings, &schema, reterr);
	}
	if (!err)
		err = pg_server_sql(d->server, "UPDATE assay.leader SET term = 1", NULL, reterr);
	if (!err)
		err = store_open(&d->settings, STORE_WRITER, 1, &d->store, reterr);
	if (!err)
		err = measure(d, ret_result, reterr);
	store_close(d->store);
	pg_server_free(d->server);
	arena_done(&d->arena);
	mem_free(d);
	return err;
}
