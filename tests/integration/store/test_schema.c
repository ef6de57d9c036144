/* Goal: an empty database becomes ours by itself, once, whoever comes first; a newer or altered one is refused with a
 * clear text; a migration that fails leaves nothing behind; runs always have partitions. */
#include "common/io/clock.h"
#include "common/io/thread.h"
#include "coordinator/store/migrate.h"
#include "tests/integration/store/scene.h"
#include <stdio.h>
#include <string.h>

static struct str text(const char *sql)
{
	return str_from(sql);
}

static enum err_code apply(struct scene *s, const struct embedded_file *files, struct store_schema *schema,
                           struct error *e)
{
	struct pg_settings settings = { .dsn = s->settings.dsn };
	struct pg *pg;
	assert_ok(pg_new(&settings, &pg, e), e);
	assert_ok(pg_run_connect(pg, e), e);
	enum err_code err = migrate_apply(pg, files, schema, e);
	pg_free(pg);
	return err;
}

static void fresh_database(struct scene *s, const char *name)
{
	static char dsn[200];
	char sql[100];
	s->settings.dsn = pg_server_dsn(s->server);
	(void)snprintf(sql, sizeof(sql), "CREATE DATABASE %s", name); /* fits */
	scene_sql(s, sql);
	(void)snprintf(dsn, sizeof(dsn), "host=%s user=assay dbname=%s", pg_server_folder(s->server), name); /* fits */
	s->settings.dsn = dsn;
}

static void migrations_are_applied_once_and_forward(void **state)
{
	struct scene *s = *state;
	struct error e;
	struct store_schema schema;
	fresh_database(s, "forward");
	struct embedded_file files[] = { { "0001_one", text("CREATE TABLE assay.one (x int)") },
		                         { "0002_two", text("CREATE TABLE assay.two (x int); INSERT INTO assay.two"
		                                            " VALUES (1)") },
		                         { NULL, STR("") } };
	struct embedded_file only_one[] = { files[0], { NULL, STR("") } };
	assert_ok(apply(s, only_one, &schema, &e), &e);
	assert_int_equal(schema.version, 1);
	assert_int_equal(schema.applied, 1);
	assert_ok(apply(s, files, &schema, &e), &e);
	assert_int_equal(schema.version, 2);
	assert_int_equal(schema.applied, 1);
	assert_ok(apply(s, files, &schema, &e), &e);
	assert_int_equal(schema.applied, 0);
	assert_int_equal(apply(s, only_one, &schema, &e), ERR_UNSUPPORTED);
	assert_non_null(strstr(e.text, "the database has schema version 2 ('0002_two'), this program knows 1"));
	files[0].text = text("CREATE TABLE assay.one (x int8)");
	assert_int_equal(apply(s, files, &schema, &e), ERR_CORRUPT);
	assert_non_null(strstr(e.text, "migration 1 of the database ('0001_one') is not the one"));
}

static void a_migration_that_fails_leaves_nothing_of_itself(void **state)
{
	struct scene *s = *state;
	struct error e;
	struct store_schema schema;
	fresh_database(s, "failing");
	struct embedded_file files[] = { { "0001_one", text("CREATE TABLE assay.one (x int)") },
		                         { "0002_two", text("CREATE TABLE assay.two (x int); SELECT 1/0") },
		                         { NULL, STR("") } };
	assert_int_equal(apply(s, files, &schema, &e), ERR_DATABASE);
	assert_non_null(strstr(e.text, "migration 0002_two: division by zero (22012)"));
	files[1].text = text("CREATE TABLE assay.two (x int)");
	assert_ok(apply(s, files, &schema, &e), &e);
	assert_int_equal(schema.version, 2);
	assert_int_equal(schema.applied, 1);
}

struct racer {
	struct store_settings settings;
	struct thread *thread;
	struct store_schema schema;
	enum err_code err;
	struct error error;
};

static void race(void *arg)
{
	struct racer *r = arg;
	r->err = store_migrate(&r->settings, &r->schema, &r->error);
}

static void coordinators_that_start_together_wait_for_one_another(void **state)
{
	struct scene *s = *state;
	struct racer racers[4];
	struct error e;
	uint32_t applied = 0;
	fresh_database(s, "together");
	for (size_t i = 0; i < ARRAY_LEN(racers); i++) {
		racers[i] = (struct racer){ .settings = s->settings };
		assert_ok(thread_start(&racers[i].thread, "racer", race, &racers[i], &e), &e);
	}
	for (size_t i = 0; i < ARRAY_LEN(racers); i++) {
		thread_join(racers[i].thread);
		assert_ok(racers[i].err, &racers[i].error);
		assert_int_equal(racers[i].schema.version, racers[i].schema.expected);
		applied += racers[i].schema.applied;
	}
	assert_int_equal(applied, racers[0].schema.expected);
}

static void a_newer_schema_is_refused(void **state)
{
	struct scene *s = *state;
	struct error e;
	struct store_schema schema;
	s->settings.dsn = pg_server_dsn(s->server);
	scene_sql(s, "INSERT INTO assay.schema_migrations (version, name, checksum) VALUES (9999, '9999_later', '')");
	assert_int_equal(store_migrate(&s->settings, &schema, &e), ERR_UNSUPPORTED);
	assert_non_null(strstr(e.text, "needs a newer program"));
	assert_int_equal(store_check_schema(&s->settings, &schema, &e), ERR_UNSUPPORTED);
	scene_sql(s, "DELETE FROM assay.schema_migrations WHERE version = 9999");
	assert_ok(store_migrate(&s->settings, &schema, &e), &e);
}

static void a_read_only_database_is_told_apart(void **state)
{
	struct scene *s = *state;
	struct error e;
	struct store_schema schema;
	fresh_database(s, "reading");
	scene_sql(s, "ALTER DATABASE reading SET default_transaction_read_only = on");
	assert_int_equal(store_migrate(&s->settings, &schema, &e), ERR_DENIED);
	assert_non_null(strstr(e.text, "read-only"));
}

static void a_database_that_is_not_there_is_a_connection_error(void **state)
{
	struct scene *s = *state;
	struct error e;
	struct store_schema schema;
	struct store_settings nowhere = { .dsn = "host=/nonexistent user=assay" };
	assert_int_equal(store_migrate(&nowhere, &schema, &e), ERR_CONNECT);
	assert_non_null(strstr(e.text, "cannot connect to the database"));
	/* The second host has it. */
	char dsn[200];
	(void)snprintf(dsn, sizeof(dsn), "host=/nonexistent,%s user=assay dbname=postgres",
	               pg_server_folder(s->server)); /* fits */
	struct store_settings somewhere = { .dsn = dsn };
	assert_ok(store_check_schema(&somewhere, &schema, &e), &e);
}

static int64_t part_of(struct scene *s, uint64_t run_id)
{
	char sql[100];
	(void)snprintf(sql, sizeof(sql), "SELECT part FROM assay.run WHERE run_id = %llu", (unsigned long long)run_id);
	return scene_number(s, sql);
}

static uint64_t large_run(struct scene *s)
{
	struct error e;
	enum runs_made made;
	struct run_row *run;
	struct runs_new new_run = { .team_id = STORE_TEAM_DEFAULT,
		                    .suite_version_id = s->suite_version_id,
		                    .model_id = s->model_id,
		                    .seed = ++s->next_seed,
		                    .epochs = 20000,
		                    .selected_count = ITEMS,
		                    .context = STR("{}"),
		                    .budget_nanousd = -1,
		                    .created_by = STR("test") };
	assert_ok(runs_create(s->store, &new_run, &s->arena, &made, &run, &e), &e);
	return run->run_id;
}

static void runs_have_partitions_before_they_need_them(void **state)
{
	struct scene *s = *state;
	s->settings.dsn = pg_server_dsn(s->server);
	uint64_t first = scene_run(s, 1);
	assert_int_equal(part_of(s, first), 0);
	scene_sql(s, "SELECT setval('assay.run_id_seq', 250)");
	assert_int_equal(scene_number(s, "SELECT count(*) FROM pg_class WHERE relname = 'result_p256'"), 0);
	assert_int_equal(scene_run(s, 1), 251);
	assert_int_equal(scene_number(s, "SELECT count(*) FROM pg_class WHERE relname = 'result_p256'"), 1);
	uint64_t large = large_run(s), next = scene_run(s, 1), second = large_run(s);
	assert_int_equal(large, 512); /* behind the range that is there already */
	assert_int_equal(part_of(s, large), 512);
	assert_int_equal(next, 513);
	assert_int_equal(part_of(s, next), 513);
	assert_int_equal(second, 768);
	/* Each takes results where it stands. */
	uint64_t runs[] = { first, 251, large, next, second };
	for (size_t i = 0; i < ARRAY_LEN(runs); i++) {
		struct msg_record r = scene_result(s, runs[i], 0, runs[i] << 24 | 1, 1);
		scene_write(s, &r, 1, NULL);
		assert_int_equal(scene_sum(s, runs[i])->n, 1);
		scene_recount(s, runs[i]);
	}
	assert_int_equal(scene_number(s, "SELECT count(*) FROM assay.result_p512"), 1);
	struct error e;
	assert_ok(runs_delete(s->store, large, STR("me"), &e), &e);
	assert_int_equal(scene_number(s, "SELECT count(*) FROM assay.result_p512"), 0);
	assert_int_equal(scene_number(s, "SELECT count(*) FROM assay.result"), 4);
}

static void a_team_sees_its_own_rows_only(void **state)
{
	struct scene *s = *state;
	struct error e;
	struct store *reader;
	struct run_row *runs;
	struct runs_filter all = { .state = -1 };
	size_t count;
	s->settings.dsn = pg_server_dsn(s->server);
	(void)scene_run(s, 1);
	scene_sql(s, "CREATE ROLE plain NOLOGIN; GRANT USAGE ON SCHEMA assay TO plain;"
	             "GRANT SELECT ON ALL TABLES IN SCHEMA assay TO plain");
	struct store_settings settings = s->settings;
	settings.reader_role = "plain";
	assert_ok(store_open(&settings, STORE_READER, 0, &reader, &e), &e);
	assert_ok(runs_list(reader, &all, &s->arena, &runs, &count, &e), &e);
	assert_in_range(count, 1, 100);
	store_use_team(reader, 77);
	struct suite_row *suite;
	struct run_row *run;
	assert_ok(suites_by_id(reader, s->suite_version_id, &s->arena, &suite, &e), &e);
	assert_null(suite);
	assert_ok(runs_find(reader, runs[0].run_id, &s->arena, &run, &e), &e);
	assert_null(run); /* although it was asked for by its number, of whatever team */
	store_use_team(reader, STORE_TEAM_DEFAULT);
	assert_ok(runs_find(reader, runs[0].run_id, &s->arena, &run, &e), &e);
	assert_non_null(run);
	store_close(reader);
}

static void an_owner_who_is_no_superuser_can_do_everything(void **state)
{
	struct scene *s = *state, own = *s;
	arena_init(&own.arena, 16 << 20);
	struct error e;
	struct store_schema schema;
	struct store_health health;
	struct leader *l;
	char dsn[200];
	scene_sql(s, "CREATE ROLE owner LOGIN");
	scene_sql(s, "CREATE DATABASE owned OWNER owner");
	(void)snprintf(dsn, sizeof(dsn), "host=%s user=owner dbname=owned", pg_server_folder(s->server)); /* fits */
	own.settings = (struct store_settings){ .dsn = dsn };
	assert_ok(store_migrate(&own.settings, &schema, &e), &e);
	struct leader_settings settings = { .store = own.settings };
	assert_ok(leader_new(&settings, &l, &e), &e);
	for (uint64_t until_ms = clock_now_ms() + 5000; leader_step(l, clock_now_ms()) != LEADER_LEADS;) {
		if (clock_now_ms() > until_ms)
			fail_msg("it does not lead: %s", leader_error(l));
		leader_wait(l, -1, clock_now_ms());
	}
	own.term = leader_term(l);
	assert_ok(store_open(&own.settings, STORE_WRITER, own.term, &own.store, &e), &e);
	scene_fill(&own);
	uint64_t run = scene_run(&own, 1);
	struct msg_record r = scene_result(&own, run, 0, 1, 1);
	scene_write(&own, &r, 1, NULL);
	assert_int_equal(scene_sum(&own, run)->n, 1);
	scene_recount(&own, run);
	assert_ok(store_health(own.store, &own.arena, &health, &e), &e);
	assert_int_equal(health.timeline, leader_view(l).timeline);
	assert_ok(runs_delete(own.store, run, STR("me"), &e), &e);
	leader_step_down(l);
	leader_free(l);
	store_close(own.store);
	arena_done(&own.arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(migrations_are_applied_once_and_forward, scene_test),
		cmocka_unit_test_setup(a_migration_that_fails_leaves_nothing_of_itself, scene_test),
		cmocka_unit_test_setup(coordinators_that_start_together_wait_for_one_another, scene_test),
		cmocka_unit_test_setup(a_newer_schema_is_refused, scene_test),
		cmocka_unit_test_setup(a_read_only_database_is_told_apart, scene_test),
		cmocka_unit_test_setup(a_database_that_is_not_there_is_a_connection_error, scene_test),
		cmocka_unit_test_setup(runs_have_partitions_before_they_need_them, scene_test),
		cmocka_unit_test_setup(a_team_sees_its_own_rows_only, scene_test),
		cmocka_unit_test_setup(an_owner_who_is_no_superuser_can_do_everything, scene_test),
	};
	return cmocka_run_group_tests_name("store schema", tests, scene_begin, scene_end);
}
