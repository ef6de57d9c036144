/* Goal: every failure of libpq becomes one error with libpq's words in it, nothing leaks, nothing hangs, and the
 * connection can be made anew. */
#include "common/base/mem.h"
#include "coordinator/store/pg.h"
#include "tests/support/cmocka_all.h"
#include "tests/unit/store/fake_pq.h"
#include <stdio.h>
#include <string.h>

static const struct pg_statement lead = { "lead", "SELECT assay.lead($1::int8)" };
static const struct pg_statement job = { "job_x", "UPDATE something" };

static int begin(void **state)
{
	struct error e;
	struct pg *pg;
	struct pg_settings settings = { .dsn = "", .application_name = "test" };
	fake_begin();
	assert_ok(pg_new(&settings, &pg, &e), &e);
	*state = pg;
	return 0;
}

static int end(void **state)
{
	pg_free(*state);
	fake_end();
	return 0;
}

static enum err_code ask(struct pg *pg, uint64_t term, struct error *e)
{
	struct pg_params p;
	pg_params_init(&p);
	pg_params_i64(&p, (int64_t)term);
	enum err_code err = pg_state(pg) == PG_CLOSED ? pg_run_connect(pg, e) : ERR_OK;
	if (!err)
		err = pg_queue(pg, &lead, &p, e);
	if (!err)
		err = pg_queue(pg, &job, NULL, e);
	if (!err)
		err = pg_run(pg, 1000, e);
	pg_params_done(&p);
	return err;
}

static void a_pipeline_is_answered_statement_by_statement(void **state)
{
	struct pg *pg = *state;
	struct error e;
	assert_ok(ask(pg, 1, &e), &e);
	assert_int_equal(pg_rows(pg, 0), 1);
	assert_int_equal(pg_affected(pg, 1), 1);
	assert_int_equal(fake.prepares, 2);
	assert_ok(ask(pg, 1, &e), &e);
	assert_int_equal(fake.prepares, 2); /* known by now */
	assert_int_equal(fake.jobs, 2);
}

static void the_first_failure_of_a_pipeline_speaks_for_it(void **state)
{
	struct pg *pg = *state;
	struct error e;
	assert_int_equal(ask(pg, 2, &e), ERR_CONFLICT);
	assert_string_equal(e.text, "the term is over (AS001)");
	assert_string_equal(pg_sqlstate(pg), "AS001");
	assert_int_equal(fake.jobs, 0);
	assert_ok(ask(pg, 1, &e), &e); /* the connection is as good as before */
	assert_int_equal(fake.connections, 1);
}

static void every_call_that_fails_is_told_and_the_next_connection_works(void **state)
{
	for (uint64_t n = 1;; n++) {
		struct error e = { 0 };
		(void)end(state);
		(void)begin(state);
		fake.fail_at = n;
		enum err_code err = ask(*state, 1, &e);
		if (fake.calls < n) {
			assert_int_equal(err, ERR_OK);
			break;
		}
		if (err != ERR_CONNECT && err != ERR_NOMEM)
			fail_msg("call %llu: %s", (unsigned long long)n, error_code_name(err));
		if (err == ERR_CONNECT && !strstr(e.text, "failed"))
			fail_msg("call %llu: '%s' does not say why", (unsigned long long)n, e.text);
		assert_int_equal(pg_state(*state), PG_CLOSED);
		assert_ok(ask(*state, 1, &e), &e);
		assert_in_range(n, 1, 1000);
	}
}

static void running_out_of_memory_is_told(void **state)
{
	struct pg_settings settings = { .dsn = "" };
	struct pg *pg;
	struct error e;
	(void)state;
	mem_fail_at(1);
	assert_int_equal(pg_new(&settings, &pg, &e), ERR_NOMEM);
	mem_fail_at(0);
}

static void a_server_that_never_answers_is_left(void **state)
{
	struct pg *pg = *state;
	struct error e;
	assert_ok(pg_run_connect(pg, &e), &e);
	fake.mute = true;
	assert_ok(pg_queue(pg, &job, NULL, &e), &e);
	assert_int_equal(pg_run(pg, 30, &e), ERR_TIMEOUT);
	assert_int_equal(pg_state(pg), PG_CLOSED);
	assert_int_equal(pg_queue(pg, &job, NULL, &e), ERR_CONNECT);
	assert_int_equal(pg_step(pg, 0, &e), ERR_CONNECT);
}

static void a_script_leaves_the_pipeline_mode_and_comes_back(void **state)
{
	struct pg *pg = *state;
	struct error e;
	assert_ok(pg_run_connect(pg, &e), &e);
	assert_ok(pg_run_script(pg, STR("CREATE TABLE x; CREATE TABLE y"), 1000, &e), &e);
	assert_ok(ask(pg, 1, &e), &e);
	for (uint64_t n = 1;; n++) {
		(void)end(state);
		(void)begin(state);
		fake.fail_at = n;
		enum err_code err = pg_run_connect(*state, &e);
		if (!err)
			err = pg_run_script(*state, STR("SELECT 1"), 1000, &e);
		assert_int_equal(err == ERR_OK, fake.calls < n);
		if (err == ERR_OK)
			break;
		assert_int_equal(pg_state(*state), PG_CLOSED);
		assert_in_range(n, 1, 1000);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_pipeline_is_answered_statement_by_statement, begin, end),
		cmocka_unit_test_setup_teardown(the_first_failure_of_a_pipeline_speaks_for_it, begin, end),
		cmocka_unit_test_setup_teardown(every_call_that_fails_is_told_and_the_next_connection_works, begin,
		                                end),
		cmocka_unit_test(running_out_of_memory_is_told),
		cmocka_unit_test_setup_teardown(a_server_that_never_answers_is_left, begin, end),
		cmocka_unit_test_setup_teardown(a_script_leaves_the_pipeline_mode_and_comes_back, begin, end),
	};
	return cmocka_run_group_tests_name("store pg", tests, NULL, NULL);
}
