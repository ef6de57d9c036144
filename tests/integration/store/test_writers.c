/* Goal: two writers with the same records at once, a database that dies in the middle of a group or stops answering,
 * and one that only reads: nothing is lost, nothing is counted twice, and all goes on when it is back. */
#include "common/base/rng.h"
#include "common/io/clock.h"
#include "tests/integration/store/scene.h"
#include <poll.h>
#include <string.h>

enum { BATCH = 30, BATCHES = ITEMS * 20 / BATCH };

static void fill(struct scene *s, struct msg_record *r, uint64_t run, size_t count, uint64_t ask_from)
{
	for (size_t i = 0; i < count; i++)
		r[i] = scene_result(s, run, i, run << 24 | (ask_from + i), (double)(i % 2));
}

/* Both in one thread, a step each in turn: the server sees two connections that overlap. */
static void drive_both(struct writer *const w[2], size_t want)
{
	size_t count = 0;
	for (uint64_t until_ms = clock_now_ms() + 20000; count < want;) {
		uint64_t now_ms = clock_now_ms();
		if (now_ms > until_ms)
			fail_msg("the writers are not done: %s / %s", writer_error(w[0]), writer_error(w[1]));
		for (int i = 0; i < 2; i++) {
			(void)writer_step(w[i], now_ms);
			while (writer_take_batch(w[i]))
				count++;
		}
		(void)poll(NULL, 0, 1);
	}
}

static void two_writers_with_the_same_records_count_them_once(void **state)
{
	struct scene *s = *state;
	static struct msg_record r[ITEMS * 20];
	static struct writer_done done[2][ITEMS * 20];
	struct writer_batch batches[2][BATCHES];
	uint64_t run = scene_run(s, 20);
	struct writer *w[2] = { scene_writer(s, s->term), scene_writer(s, s->term) };
	fill(s, r, run, ITEMS * 20, 1);
	for (size_t b = 0; b < BATCHES; b++)
		for (int i = 0; i < 2; i++) {
			size_t at = (i == 0 ? b : BATCHES - 1 - b) * BATCH;
			batches[i][b] = scene_batch(s, r + at, BATCH, done[i] + at);
			writer_add_batch(w[i], &batches[i][b], clock_now_ms());
		}
	drive_both(w, 2 * BATCHES);
	assert_int_equal(writer_counters(w[0]).inserted + writer_counters(w[1]).inserted, ITEMS * 20);
	struct run_sum *sum = scene_sum(s, run);
	assert_int_equal(sum->n, ITEMS * 20);
	assert_int_equal(sum->paid_twice, 0);
	scene_recount(s, run);
	writer_free(w[0]);
	writer_free(w[1]);
}

static void two_writers_with_different_answers_of_the_same_samples_pay_for_one_each(void **state)
{
	struct scene *s = *state;
	static struct msg_record r[2][ITEMS];
	struct writer_done done[2][ITEMS];
	struct writer_batch batches[2];
	uint64_t run = scene_run(s, 1);
	struct writer *w[2] = { scene_writer(s, s->term), scene_writer(s, s->term) };
	for (int i = 0; i < 2; i++) {
		fill(s, r[i], run, ITEMS, 1000 * (uint64_t)(i + 1));
		batches[i] = scene_batch(s, r[i], ITEMS, done[i]);
		writer_add_batch(w[i], &batches[i], clock_now_ms());
	}
	drive_both(w, 2);
	struct run_sum *sum = scene_sum(s, run);
	assert_int_equal(sum->n, ITEMS);
	assert_int_equal(sum->paid_twice, ITEMS);
	scene_recount(s, run);
	writer_free(w[0]);
	writer_free(w[1]);
}

static void step_for(struct writer *w, uint64_t for_ms, size_t *count)
{
	for (uint64_t until_ms = clock_now_ms() + for_ms; clock_now_ms() < until_ms;) {
		(void)writer_step(w, clock_now_ms());
		while (writer_take_batch(w))
			(*count)++;
		(void)poll(NULL, 0, 1);
	}
}

/* Until the writer has met it: how soon is the machine's matter. */
static void step_until_away(struct writer *w, const char *because, size_t *count)
{
	for (uint64_t until_ms = clock_now_ms() + 20000;;) {
		step_for(w, 1, count);
		if (writer_step(w, clock_now_ms()) == WRITER_AWAY && strstr(writer_error(w), because))
			return;
		if (clock_now_ms() > until_ms)
			fail_msg("the writer has not noticed: '%s'", writer_error(w));
	}
}

static void a_database_killed_in_the_middle_loses_and_doubles_nothing(void **state)
{
	struct scene *s = *state;
	struct error e;
	static struct msg_record r[ITEMS * 20];
	static struct writer_done done[ITEMS * 20];
	struct writer_batch batches[BATCHES];
	size_t count = 0;
	uint64_t run = scene_run(s, 20);
	struct writer *w = scene_writer(s, s->term);
	fill(s, r, run, ITEMS * 20, 1);
	struct rng rng;
	rng_seed(&rng, 7);
	for (size_t b = 0; b < BATCHES; b++) {
		batches[b] = scene_batch(s, r + b * BATCH, BATCH, done + b * BATCH);
		writer_add_batch(w, &batches[b], clock_now_ms());
		if (b % 5 != 4)
			continue;
		/* At whatever moment of its work: the statement may be under way, or its answer on the way back. */
		step_for(w, 15 + rng_below(&rng, 25), &count);
		pg_server_kill(s->server);
		step_until_away(w, "", &count);
		assert_ok(pg_server_restart(s->server, &e), &e);
	}
	count += scene_drive(w);
	assert_int_equal(count, BATCHES);
	assert_in_range(writer_counters(w).connections, 4, 100);
	writer_free(w);
	struct run_sum *sum = scene_sum(s, run);
	assert_int_equal(sum->n, ITEMS * 20);
	assert_int_equal(sum->paid_twice, 0);
	scene_recount(s, run);
}

static void a_database_that_stops_answering_is_waited_for(void **state)
{
	struct scene *s = *state;
	struct msg_record r[ITEMS];
	struct writer_done done[ITEMS];
	size_t count = 0;
	uint64_t run = scene_run(s, 1);
	struct writer *w = scene_writer(s, s->term);
	fill(s, r, run, ITEMS, 1);
	struct writer_batch first = scene_batch(s, r, 1, done), second = scene_batch(s, r + 1, ITEMS - 1, done + 1);
	writer_add_batch(w, &first, clock_now_ms());
	assert_int_equal(scene_drive(w), 1);
	pg_server_freeze(s->server);
	writer_add_batch(w, &second, clock_now_ms());
	uint64_t from_ms = clock_now_ms();
	step_until_away(w, "did not answer", &count);
	assert_true(clock_now_ms() - from_ms >= 3000); /* its time is not up before */
	assert_int_equal(count, 0);
	pg_server_thaw(s->server);
	assert_int_equal(scene_drive(w), 1);
	writer_free(w);
	assert_int_equal(scene_sum(s, run)->n, ITEMS);
	scene_recount(s, run);
}

static void a_database_that_only_reads_is_waited_for(void **state)
{
	struct scene *s = *state;
	struct msg_record r[ITEMS];
	struct writer_done done[ITEMS];
	struct error e;
	size_t count = 0;
	uint64_t run = scene_run(s, 1);
	struct writer *w = scene_writer(s, s->term);
	fill(s, r, run, ITEMS, 1);
	struct writer_batch first = scene_batch(s, r, 1, done), second = scene_batch(s, r + 1, ITEMS - 1, done + 1);
	writer_add_batch(w, &first, clock_now_ms());
	assert_int_equal(scene_drive(w), 1);
	scene_sql(s, "ALTER SYSTEM SET default_transaction_read_only = on");
	scene_sql(s, "SELECT pg_reload_conf()");
	while (!scene_number(s, "SELECT (current_setting('default_transaction_read_only') = 'on')::int"))
		(void)poll(NULL, 0, 10); /* the server tells the sessions that are there before it takes a new one */
	writer_add_batch(w, &second, clock_now_ms());
	step_until_away(w, "read-only", &count);
	assert_int_equal(count, 0);
	assert_int_equal(writer_counters(w).spoiled, 0);
	struct store_schema schema;
	assert_ok(store_check_schema(&s->settings, &schema, &e), &e); /* looking is allowed */
	scene_sql(s, "ALTER SYSTEM RESET default_transaction_read_only");
	scene_sql(s, "SELECT pg_reload_conf()");
	assert_int_equal(scene_drive(w), 1);
	writer_free(w);
	assert_int_equal(scene_sum(s, run)->n, ITEMS);
	scene_recount(s, run);
}

static void jobs_move_what_they_are_for(void **state)
{
	struct scene *s = *state;
	struct error e;
	struct run_row *row;
	uint64_t run = scene_run(s, 1), *due;
	size_t count;
	struct writer_job sent = { .kind = WRITER_SENT_TO, .sent_to = { run, 40 } };
	struct writer_job back = { .kind = WRITER_SENT_TO, .sent_to = { run, 10 } };
	struct writer_job done = { .kind = WRITER_RUN_STATE,
		                   .run_state = { run, RUN_INCOMPLETE, STR("2 of 60 missing") } };
	struct writer_job worker = { .kind = WRITER_WORKER,
		                     .worker = { .outbox = { "outbox of jobs.." }, .name = STR("w-9"), .slots = 3 } };
	struct writer_job route = { .kind = WRITER_ROUTE,
		                    .route = {
					    .concurrency = 7, .rate = 1.5, .pause_ms = 10, .note = STR("429 at 8") } };
	struct route_row *routes;
	assert_ok(models_routes(s->store, &s->arena, &routes, &count, &e), &e);
	route.route.route_id = routes[0].route_id;
	scene_job(s, &route);
	assert_ok(models_routes(s->store, &s->arena, &routes, &count, &e), &e);
	assert_int_equal(routes[0].concurrency, 7);
	assert_str_equal_c(routes[0].note, "429 at 8");
	scene_job(s, &sent);
	scene_job(s, &back);
	assert_ok(runs_find(s->store, run, &s->arena, &row, &e), &e);
	assert_int_equal(row->sent_to, 40);
	assert_int_equal(row->state, RUN_RUNNING);
	assert_int_not_equal(row->started_at_ms, 0);
	scene_job(s, &done);
	scene_job(s, &worker);
	assert_int_not_equal(worker.worker.worker_id, 0);
	assert_ok(runs_find(s->store, run, &s->arena, &row, &e), &e);
	assert_int_equal(row->state, RUN_INCOMPLETE);
	assert_str_equal_c(row->reason, "2 of 60 missing");
	assert_true(row->stat_due);
	assert_ok(runs_stat_due(s->store, 100, &s->arena, &due, &count, &e), &e);
	assert_int_equal(due[count - 1], run);
	struct run_stat_row stats[] = { { .slice = STR(""),
		                          .n = 58,
		                          .missing = 2,
		                          .has_estimate = true,
		                          .estimate = 0.5,
		                          .method = STR("wilson.1"),
		                          .detail = STR("{}") },
		                        { .slice = STR("task=refund"), .metric = 1, .method = STR("none") } };
	struct run_stat_row *read;
	int64_t mark;
	assert_ok(runs_stat_mark(s->store, run, &mark, &e), &e);
	assert_ok(runs_put_stats(s->store, run, mark, stats, 2, &e), &e);
	assert_ok(runs_put_stats(s->store, run, mark, stats, 2, &e), &e);
	assert_ok(runs_stats(s->store, run, &s->arena, &read, &count, &e), &e);
	assert_int_equal(count, 2);
	assert_true(read[0].has_estimate && read[0].estimate == 0.5 && !read[0].has_interval);
	assert_false(read[1].has_estimate);
	assert_ok(runs_find(s->store, run, &s->arena, &row, &e), &e);
	assert_false(row->stat_due);
	/* A paid answer over a missing row of a run that is done: it counts, and its run_stat is due again. */
	struct msg_record late[] = { scene_result(s, run, 0, run << 24 | 9, 1) };
	scene_write(s, late, 1, NULL);
	assert_ok(runs_find(s->store, run, &s->arena, &row, &e), &e);
	assert_true(row->stat_due);
	assert_int_equal(scene_sum(s, run)->n, 1);
	/* Computed from what was there before that row came: it stays due. From what is there now: it does not. */
	assert_ok(runs_put_stats(s->store, run, mark, stats, 2, &e), &e);
	assert_ok(runs_find(s->store, run, &s->arena, &row, &e), &e);
	assert_true(row->stat_due);
	assert_ok(runs_stat_mark(s->store, run, &mark, &e), &e);
	assert_ok(runs_put_stats(s->store, run, mark, stats, 2, &e), &e);
	assert_ok(runs_find(s->store, run, &s->arena, &row, &e), &e);
	assert_false(row->stat_due);
	struct writer_job nobody = { .kind = WRITER_SENT_TO, .sent_to = { 999999, 1 } };
	struct writer *w = scene_writer(s, s->term);
	writer_add_job(w, &nobody);
	assert_int_equal(scene_drive(w), 1);
	assert_int_equal(nobody.err, ERR_NOT_FOUND);
	writer_free(w);
}

/* A run is looked up while rows of the next one come in: nobody has asked for that one yet, so it is not unknown. */
static void rows_that_come_while_another_run_is_looked_up_are_stored(void **state)
{
	enum { RUNS = 60 };
	struct scene *s = *state;
	struct msg_record r[RUNS];
	struct writer_done done[RUNS];
	struct writer_batch batches[RUNS];
	size_t back = 0;
	struct writer *w = scene_writer(s, s->term);
	for (size_t i = 0; i < RUNS; i++) {
		uint64_t run = scene_run(s, 1);
		r[i] = scene_result(s, run, 0, run << 24 | 1, 1);
		batches[i] = scene_batch(s, &r[i], 1, &done[i]);
	}
	writer_add_batch(w, &batches[0], clock_now_ms()); /* so that the connection stands */
	back = scene_drive(w);
	assert_int_equal(back, 1);
	for (size_t added = 1; back < RUNS;) {
		uint64_t now_ms = clock_now_ms();
		(void)writer_step(w, now_ms);
		back += writer_take_batch(w) != NULL;
		if (added < RUNS) {
			writer_add_batch(w, &batches[added], now_ms - WRITER_GROUP_MS); /* due at once */
			added++;
		} else {
			(void)poll(NULL, 0, 1);
		}
	}
	for (size_t i = 0; i < RUNS; i++)
		assert_int_equal(done[i].fate, WRITER_STORED);
	writer_free(w);
}

static void a_server_that_is_back_takes_the_first_commit_within_three_seconds(void **state)
{
	struct scene *s = *state;
	struct error e;
	struct writer_done done[1];
	uint64_t run = scene_run(s, 1);
	struct msg_record r[] = { scene_result(s, run, 0, run << 24 | 1, 1),
		                  scene_result(s, run, 1, run << 24 | 2, 1) };
	struct writer *w = scene_writer(s, s->term);
	struct writer_batch first = scene_batch(s, r, 1, done), second = scene_batch(s, r + 1, 1, done);
	writer_add_batch(w, &first, clock_now_ms());
	assert_int_equal(scene_drive(w), 1);
	pg_server_kill(s->server);
	writer_add_batch(w, &second, clock_now_ms());
	uint64_t until_ms = clock_now_ms() + 4000; /* long enough for the longest pause between attempts */
	while (clock_now_ms() < until_ms) {
		assert_int_equal(writer_step(w, clock_now_ms()) == WRITER_OVER, 0);
		assert_null(writer_take_batch(w));
		writer_wait(w, -1, clock_now_ms());
	}
	assert_ok(pg_server_restart(s->server, &e), &e);
	uint64_t back_ms = clock_now_ms();
	assert_int_equal(scene_drive(w), 1);
	uint64_t took_ms = clock_now_ms() - back_ms;
	print_message("first commit %llu ms after the server takes connections\n", (unsigned long long)took_ms);
	assert_true(took_ms < 3000);
	writer_free(w);
	assert_int_equal(scene_sum(s, run)->n, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(two_writers_with_the_same_records_count_them_once, scene_test),
		cmocka_unit_test_setup(two_writers_with_different_answers_of_the_same_samples_pay_for_one_each,
		                       scene_test),
		cmocka_unit_test_setup(rows_that_come_while_another_run_is_looked_up_are_stored, scene_test),
		cmocka_unit_test_setup(jobs_move_what_they_are_for, scene_test),
		cmocka_unit_test_setup(a_database_killed_in_the_middle_loses_and_doubles_nothing, scene_test),
		cmocka_unit_test_setup(a_database_that_stops_answering_is_waited_for, scene_test),
		cmocka_unit_test_setup(a_server_that_is_back_takes_the_first_commit_within_three_seconds, scene_test),
		cmocka_unit_test_setup(a_database_that_only_reads_is_waited_for, scene_test),
	};
	return cmocka_run_group_tests_name("store writers", tests, scene_begin, scene_end);
}
