#include "tests/integration/store/scene.h"
#include "common/base/json.h"
#include "common/io/clock.h"

#include <string.h>

enum { DRIVE_MS = 20000 };

static void push_suite(struct scene *s)
{
	static const char *const tasks[] = { "refund", "address", "" };
	struct str metrics[] = { STR("correct"), STR("length") };
	struct suites_item items[ITEMS] = { 0 };
	struct suites_pushed pushed;
	struct error e;
	for (size_t i = 0; i < ITEMS; i++) {
		items[i].id = arena_printf(&s->arena, "item-%zu", i);
		items[i].content = arena_printf(&s->arena, "{\"id\":\"item-%zu\",\"input\":\"q\"}", i);
		items[i].hash = hash_of(items[i].content);
		items[i].task = str_from(tasks[i % 3]);
		items[i].stratum = i % 2 ? STR("odd") : STR("");
		items[i].weight = 1;
	}
	struct suites_push push = { .team_id = STORE_TEAM_DEFAULT,
		                    .name = STR("support"),
		                    .task = STR("support.answer"),
		                    .hash = hash_of(STR("support 1")),
		                    .definition = STR("{}"),
		                    .metrics = metrics,
		                    .metric_count = 2,
		                    .item_count = ITEMS,
		                    .pushed_by = STR("test") };
	assert_ok(suites_push(s->store, &push, items, &pushed, &e), &e);
	s->suite_version_id = pushed.suite_version_id;
}

static void put_model(struct scene *s)
{
	struct error e;
	bool is_new;
	struct models_put put = { .team_id = STORE_TEAM_DEFAULT,
		                  .name = STR("m"),
		                  .hash = hash_of(STR("m 1")),
		                  .config = STR("{}"),
		                  .provider = STR("openai"),
		                  .model = STR("m-1"),
		                  .endpoint = STR("http://localhost"),
		                  .key_alias = STR("k"),
		                  .concurrency = 4,
		                  .price_in_nanousd_per_mtok = 3000000000,
		                  .price_cached_nanousd_per_mtok = -1,
		                  .price_out_nanousd_per_mtok = 15000000000,
		                  .put_by = STR("test") };
	assert_ok(models_put(s->store, &put, &s->model_id, &is_new, &e), &e);
}

void scene_fill(struct scene *s)
{
	push_suite(s);
	put_model(s);
}

void scene_take_term(struct scene *s)
{
	struct error e;
	s->term = (uint64_t)scene_number(s, "UPDATE assay.leader SET term = term + 1 RETURNING term");
	store_close(s->store);
	assert_ok(store_open(&s->settings, STORE_WRITER, s->term, &s->store, &e), &e);
}

int scene_begin(void **state)
{
	static struct scene scene; /* one a program */
	struct scene *s = &scene;
	struct error e;
	struct pg_server_options options = { .fast = true };
	struct store_schema schema;
	json_start();
	assert_ok(pg_server_start(&options, &s->server, &e), &e);
	s->settings.dsn = pg_server_dsn(s->server);
	assert_ok(store_migrate(&s->settings, &schema, &e), &e);
	arena_init(&s->arena, 256 << 20);
	scene_take_term(s);
	scene_fill(s);
	memcpy(s->outbox.bytes, "outbox of a test", WIRE_OUTBOX_ID_BYTES);
	*state = s;
	return 0;
}

int scene_end(void **state)
{
	struct scene *s = *state;
	store_close(s->store);
	arena_done(&s->arena);
	pg_server_free(s->server);
	return 0;
}

int scene_test(void **state)
{
	struct scene *s = *state;
	arena_reset(&s->arena);
	return 0;
}

void scene_sql(struct scene *s, const char *sql)
{
	struct error e;
	assert_ok(pg_server_sql(s->server, sql, NULL, &e), &e);
}

int64_t scene_number(struct scene *s, const char *sql)
{
	struct error e;
	struct buf out;
	int64_t number = INT64_MIN;
	buf_init(&out, 1 << 16);
	assert_ok(pg_server_sql(s->server, sql, &out, &e), &e);
	if (!str_to_i64(str_trim(buf_str(&out)), &number))
		fail_msg("not a number: '%.*s' from %s", STR_ARG(buf_str(&out)), sql);
	buf_done(&out);
	return number;
}

uint64_t scene_run(struct scene *s, uint32_t epochs)
{
	struct error e;
	enum runs_made made;
	struct run_row *run;
	struct runs_new new_run = { .team_id = STORE_TEAM_DEFAULT,
		                    .suite_version_id = s->suite_version_id,
		                    .model_id = s->model_id,
		                    .seed = ++s->next_seed,
		                    .epochs = epochs,
		                    .selected_count = ITEMS,
		                    .context = STR("{}"),
		                    .attempts_max = 3,
		                    .sample_time_ms = 1000,
		                    .budget_nanousd = -1,
		                    .created_by = STR("test") };
	assert_ok(runs_create(s->store, &new_run, &s->arena, &made, &run, &e), &e);
	assert_int_equal(made, RUNS_NEW);
	return run->run_id;
}

struct msg_record scene_result(struct scene *s, uint64_t run_id, uint64_t sample_no, uint64_t ask_id, double score)
{
	struct msg_score *scores = arena_new(&s->arena, 2, sizeof(*scores));
	scores[0] = (struct msg_score){ .metric = 0, .has_value = true, .value = score, .extracted = STR("yes") };
	scores[1] = (struct msg_score){ .metric = 1, .reason = STR("not counted") };
	return (struct msg_record){ .kind = RECORD_RESULT,
		                    .record_no = ++s->next_record_no,
		                    .run_id = run_id,
		                    .sample_no = sample_no,
		                    .ask_id = ask_id,
		                    .outcome = OUTCOME_SCORED,
		                    .tokens_in = 100,
		                    .tokens_out = 10,
		                    .cost_nanousd = -1,
		                    .latency_ms = 250,
		                    .at_ms = 1700000000000,
		                    .returned_model = STR("m-1-0613"),
		                    .fingerprint = STR("fp_1"),
		                    .stop_reason = STR("stop"),
		                    .scores = scores,
		                    .score_count = 2,
		                    .request = STR("{\"messages\":[]}"),
		                    .response = STR("{\"choices\":[]}"),
		                    .answer = STR("yes") };
}

struct msg_record scene_attempt(struct scene *s, uint64_t run_id, uint64_t sample_no, uint64_t ask_id,
                                enum error_class error_class)
{
	return (struct msg_record){ .kind = RECORD_ATTEMPT,
		                    .record_no = ++s->next_record_no,
		                    .run_id = run_id,
		                    .sample_no = sample_no,
		                    .ask_id = ask_id,
		                    .error_class = error_class,
		                    .cost_nanousd = -1,
		                    .latency_ms = 90,
		                    .http_status = 503,
		                    .at_ms = 1700000000000 + (int64_t)s->next_record_no,
		                    .evidence = STR("it went wrong") };
}

struct msg_record scene_outcome(uint64_t run_id, uint64_t sample_no, enum outcome outcome)
{
	return (struct msg_record){ .kind = RECORD_RESULT,
		                    .run_id = run_id,
		                    .sample_no = sample_no,
		                    .outcome = outcome,
		                    .error_class = CLASS_SERVER,
		                    .cost_nanousd = -1,
		                    .at_ms = 1700000000000,
		                    .evidence = STR("five attempts failed") };
}

struct msg_record scene_lost(uint64_t run_id, uint64_t sample_no, int64_t at_ms)
{
	return (struct msg_record){ .kind = RECORD_ATTEMPT,
		                    .run_id = run_id,
		                    .sample_no = sample_no,
		                    .error_class = CLASS_LOST,
		                    .given_up = true,
		                    .cost_nanousd = -1,
		                    .at_ms = at_ms };
}

struct writer_batch scene_batch(struct scene *s, const struct msg_record *records, size_t count,
                                struct writer_done *done)
{
	return (struct writer_batch){ .outbox = s->outbox,
		                      .worker_name = STR("worker-1"),
		                      .records = records,
		                      .record_count = count,
		                      .done = done };
}

struct writer *scene_writer(struct scene *s, uint64_t term)
{
	struct error e;
	struct writer *w;
	struct writer_settings ws = { .store = s->settings, .term = term };
	assert_ok(writer_new(&ws, &w, &e), &e);
	return w;
}

size_t scene_drive(struct writer *w)
{
	size_t count = 0;
	uint64_t until_ms = clock_now_ms() + DRIVE_MS;
	for (;;) {
		uint64_t now_ms = clock_now_ms();
		enum writer_state state = writer_step(w, now_ms);
		while (writer_take_batch(w))
			count++;
		while (writer_take_job(w))
			count++;
		if (writer_idle(w) || state == WRITER_OVER)
			return count;
		if (now_ms > until_ms)
			fail_msg("the writer is not done: %s", writer_error(w));
		writer_wait(w, -1, clock_now_ms());
	}
}

void scene_write(struct scene *s, const struct msg_record *records, size_t count, struct writer_done *done)
{
	struct writer_done mine[RECORDS_MAX];
	struct writer *w = scene_writer(s, s->term);
	struct writer_batch batch = scene_batch(s, records, count, done ? done : mine);
	static const struct outbox_id nobody;
	if (records[0].kind == RECORD_RESULT && records[0].ask_id == 0)
		batch.outbox = nobody; /* the coordinator's own word */
	writer_add_batch(w, &batch, clock_now_ms());
	assert_int_equal(scene_drive(w), 1);
	writer_free(w);
}

void scene_job(struct scene *s, struct writer_job *job)
{
	struct writer *w = scene_writer(s, s->term);
	writer_add_job(w, job);
	assert_int_equal(scene_drive(w), 1);
	writer_free(w);
	if (job->err)
		fail_msg("job: %s", job->error.text);
}

struct run_sum *scene_sum(struct scene *s, uint64_t run_id)
{
	struct error e;
	struct run_sum *sum;
	assert_ok(runs_progress(s->store, &run_id, 1, &s->arena, &sum, &e), &e);
	return sum;
}

void scene_recount(struct scene *s, uint64_t run_id)
{
	struct error e;
	assert_ok(store_recount(s->store, run_id, &e), &e);
}
