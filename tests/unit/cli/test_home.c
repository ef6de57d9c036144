/* Goal: what supervise writes is what every other command reads; what is no status file is an error, never a guess. */
#include "common/base/json.h"
#include "coordinator/cli/home.h"
#include "tests/support/cmocka_all.h"
#include "tests/support/gen.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct home home;

static int make_home(void **state)
{
	(void)state;
	char folder[] = "/tmp/assay-home-XXXXXX";
	struct error e;
	assert_non_null(mkdtemp(folder));
	assert_int_equal(setenv("ASSAY_HOME", folder, 1), 0);
	assert_ok(home_find(true, &home, &e), &e);
	return 0;
}

static int remove_home(void **state)
{
	(void)state;
	struct error e;
	assert_ok(fs_remove_tree(home.root.text, &e), &e);
	return 0;
}

static struct home_status example(size_t processes)
{
	struct home_status s = { .url = "http://127.0.0.1:1234",
		                 .dsn = "host=/run/x port=5432 user=assay dbname=assay",
		                 .endpoint = "tcp://127.0.0.1:99",
		                 .started_ms = 1769000000123,
		                 .supervise = { 17, 123456789, "c1f9e61e-6dea-4068-8586-5312f97a5323" },
		                 .process_count = processes };
	for (size_t i = 0; i < processes; i++) {
		struct home_process *p = &s.processes[i];
		(void)snprintf(p->name, sizeof(p->name), "worker-%zu", i);
		(void)snprintf(p->state, sizeof(p->state), "%s", i % 2 ? "running" : "waiting");
		p->id = s.supervise;
		p->id.pid += (pid_t)i;
		p->restarts = i * 3;
		p->since_ms = s.started_ms + (int64_t)i;
	}
	return s;
}

static void what_is_written_is_read(void **state)
{
	(void)state;
	static const size_t counts[] = { 0, 1, 4, HOME_PROCESSES_MAX };
	for (size_t c = 0; c < ARRAY_LEN(counts); c++) {
		struct home_status in = example(counts[c]), out;
		struct error e;
		assert_ok(home_status_write(&home, &in, &e), &e);
		assert_ok(home_status_read(&home, &out, &e), &e);
		assert_string_equal(out.url, in.url);
		assert_string_equal(out.dsn, in.dsn);
		assert_string_equal(out.endpoint, in.endpoint);
		assert_int_equal(out.started_ms, in.started_ms);
		assert_memory_equal(&out.supervise, &in.supervise, sizeof(in.supervise));
		assert_int_equal(out.process_count, in.process_count);
		for (size_t i = 0; i < in.process_count; i++) {
			assert_string_equal(out.processes[i].name, in.processes[i].name);
			assert_string_equal(out.processes[i].state, in.processes[i].state);
			assert_int_equal(out.processes[i].id.pid, in.processes[i].id.pid);
			assert_int_equal(out.processes[i].restarts, in.processes[i].restarts);
			assert_int_equal(out.processes[i].since_ms, in.processes[i].since_ms);
		}
	}
}

static void the_file_is_for_its_owner_alone(void **state)
{
	(void)state;
	struct home_status in = example(1);
	struct fs_info info;
	struct error e;
	assert_ok(home_status_write(&home, &in, &e), &e);
	assert_ok(fs_info(home_path(&home, "status.json").text, &info, &e), &e);
	assert_int_equal(info.mode, 0600);
}

static void missing_is_not_found_and_damaged_is_corrupt(void **state)
{
	(void)state;
	static const char *const wrong[] = { "{}", "[]", "{\"url\": 1}", "null" };
	struct home_status s = example(1);
	struct error e;
	const char *path = home_path(&home, "status.json").text;
	struct fs_path file = fs_path("%s", path);
	IGNORE(fs_remove(file.text, NULL)); /* it may not be there */
	assert_int_equal(home_status_read(&home, &s, &e), ERR_NOT_FOUND);
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		assert_ok(fs_write_atomic(file.text, str_from(wrong[i]), 0600, &e), &e);
		assert_int_equal(home_status_read(&home, &s, &e), ERR_CORRUPT);
	}
	assert_ok(fs_write_atomic(file.text, STR("{"), 0600, &e), &e);
	assert_int_not_equal(home_status_read(&home, &s, &e), ERR_OK);
}

static void a_mangled_file_never_breaks_the_reader(void **state)
{
	(void)state;
	struct home_status in = example(3), out;
	struct error e;
	struct fs_path file = home_path(&home, "status.json");
	struct rng rng;
	for (struct gen_seeds s = gen_seeds(100); gen_next(&s, &rng);) {
		struct buf text;
		buf_init(&text, 1 << 20);
		assert_true(home_status_to_json(&home, &in, true, &text));
		gen_mangle(&rng, &text);
		assert_ok(fs_write_atomic(file.text, buf_str(&text), 0600, &e), &e);
		if (home_status_read(&home, &out, &e) == ERR_OK)
			assert_in_range(out.process_count, 0, HOME_PROCESSES_MAX);
		buf_done(&text);
	}
}

static void a_home_has_one_id_however_it_is_named(void **state)
{
	(void)state;
	struct home other;
	struct error e;
	struct fs_path roundabout = fs_path("%s/../%s/.", home.root.text, strrchr(home.root.text, '/') + 1);
	assert_int_equal(setenv("ASSAY_HOME", roundabout.text, 1), 0);
	assert_ok(home_find(false, &other, &e), &e);
	assert_string_equal(other.id, home.id);
	assert_int_equal(strlen(other.id), 16);
	assert_int_equal(setenv("ASSAY_HOME", "/nowhere/at/all", 1), 0);
	assert_int_equal(home_find(false, &other, &e), ERR_NOT_FOUND);
	assert_int_equal(setenv("ASSAY_HOME", home.root.text, 1), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_read),
		cmocka_unit_test(the_file_is_for_its_owner_alone),
		cmocka_unit_test(missing_is_not_found_and_damaged_is_corrupt),
		gen_property(a_mangled_file_never_breaks_the_reader),
		cmocka_unit_test(a_home_has_one_id_however_it_is_named),
	};
	json_start();
	return cmocka_run_group_tests(tests, make_home, remove_home);
}
