/* Goal: `up` makes what is missing, keeps what is there, and gives each worker the names of keys, never a key. */
#include "common/io/keys.h"
#include "coordinator/cli/installation.h"
#include "tests/support/cmocka_all.h"
#include <stdlib.h>

static const char *const environment[] = { "PATH=/bin",
	                                   "X_API_KEY=secret-x-0123456789",
	                                   "MY_OWN_API_KEY=secret-my-0123456789",
	                                   "EMPTY_API_KEY=",
	                                   "_API_KEY=too-short-a-name",
	                                   "lower_API_KEY=not-a-plain-name",
	                                   "WITH-DASH_API_KEY=no",
	                                   "X_API_KEY_ID=no",
	                                   "NO_EQUALS_API_KEY",
	                                   "A1_API_KEY=secret-a1-0123456789",
	                                   NULL };
static struct home home;

static int make_home(void **state)
{
	(void)state;
	char folder[] = "/tmp/assay-inst-XXXXXX";
	struct error e;
	assert_ok(keys_init(&e), &e);
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

static void names_of_keys_are_plain_and_have_a_value(void **state)
{
	(void)state;
	struct arena arena;
	const char *names[8];
	arena_init(&arena, 1 << 16);
	assert_int_equal(installation_key_names(environment, &arena, names, 8), 3);
	assert_string_equal(names[0], "X_API_KEY");
	assert_string_equal(names[1], "MY_OWN_API_KEY");
	assert_string_equal(names[2], "A1_API_KEY");
	assert_int_equal(installation_key_names(environment, &arena, names, 2), 2);
	arena_done(&arena);
}

static void a_key_that_came_or_changed_since_the_start_is_told(void **state)
{
	(void)state;
	static const char started[] = "PATH=/usr/bin\0MY_OWN_API_KEY=another\0A1_API_KEY=secret-a1-0123456789\0"
				      "GONE_API_KEY=was-here\0XX_API_KEY=x";
	struct installation_key_change c[8];
	struct arena arena;
	arena_init(&arena, 1 << 16);
	struct str then = str_make(started, sizeof(started));
	assert_int_equal(installation_key_changes(environment, then, &arena, c, 8), 2);
	assert_string_equal(c[0].name, "X_API_KEY");
	assert_true(c[0].is_new);
	assert_string_equal(c[1].name, "MY_OWN_API_KEY");
	assert_false(c[1].is_new);
	assert_int_equal(installation_key_changes(environment, then, &arena, c, 1), 1);
	assert_int_equal(installation_key_changes(environment, STR(""), &arena, c, 8), 3);
	assert_true(str_eq_c(installation_alias("MY_OWN_API_KEY", &arena), "my-own"));
	arena_done(&arena);
}

static struct str text_of(const char *name, struct arena *arena)
{
	struct buf text;
	struct error e;
	buf_init(&text, 1 << 20);
	assert_ok(fs_read(home_path(&home, name).text, &text, &e), &e);
	struct str out = arena_str(arena, buf_str(&text));
	buf_done(&text);
	return out;
}

static void preparing_again_keeps_what_somebody_relies_on(void **state)
{
	(void)state;
	static const char *const kept[] = { "token", "keys/coordinator", "keys/coordinator.public", "keys/worker-1" };
	struct arena arena;
	struct error e;
	arena_init(&arena, 1 << 20);
	assert_ok(installation_prepare(&home, 2, "/nowhere/bin/assay", environment, &e), &e);
	struct str before[ARRAY_LEN(kept)];
	for (size_t i = 0; i < ARRAY_LEN(kept); i++)
		before[i] = text_of(kept[i], &arena);
	struct str allowed = text_of("keys/allowed", &arena);
	struct str more =
		arena_printf(&arena, "%.*selsewhere 0123456789012345678901234567890123456789\n", STR_ARG(allowed));
	assert_ok(fs_write_atomic(home_path(&home, "keys/allowed").text, more, 0600, &e), &e);

	assert_ok(installation_prepare(&home, 3, "/nowhere/bin/assay", environment, &e), &e);
	for (size_t i = 0; i < ARRAY_LEN(kept); i++)
		assert_str_equal(text_of(kept[i], &arena), before[i]);
	allowed = text_of("keys/allowed", &arena);
	assert_true(str_starts(allowed, more));
	assert_true(str_find(allowed, STR("\nworker-3 ")) >= 0);
	assert_int_equal(str_find(str_slice(allowed, more.len, allowed.len), STR("worker-1 ")), -1);
	arena_done(&arena);
}

static void a_revoked_key_stays_revoked(void **state)
{
	(void)state;
	struct arena arena;
	struct error e;
	arena_init(&arena, 1 << 20);
	assert_ok(installation_prepare(&home, 2, "/nowhere/bin/assay", environment, &e), &e);
	assert_false(installation_refuses(&home, "worker-1"));
	struct str before = text_of("keys/allowed", &arena), rest = before, line, revoked = STR("");
	while (str_split(&rest, '\n', &line))
		if (line.len)
			revoked = arena_printf(&arena, "%.*s%s%.*s\n", STR_ARG(revoked),
			                       str_starts(line, STR("worker-1 ")) ? "# revoked " : "", STR_ARG(line));
	assert_ok(fs_write_atomic(home_path(&home, "keys/allowed").text, revoked, 0600, &e), &e);
	assert_ok(installation_prepare(&home, 2, "/nowhere/bin/assay", environment, &e), &e);
	assert_str_equal(text_of("keys/allowed", &arena), revoked);
	assert_true(installation_refuses(&home, "worker-1"));
	assert_false(installation_refuses(&home, "worker-2"));
	assert_false(installation_refuses(&home, "worker-77")); /* has no key here */
	assert_ok(fs_write_atomic(home_path(&home, "keys/allowed").text, before, 0600, &e), &e);
	arena_done(&arena);
}

static void a_worker_gets_the_names_of_keys_and_no_key(void **state)
{
	(void)state;
	struct arena arena;
	struct error e;
	arena_init(&arena, 1 << 20);
	assert_ok(installation_prepare(&home, 1, "/nowhere/bin/assay", environment, &e), &e);
	struct str settings = text_of("worker-1/worker.yaml", &arena);
	assert_true(str_find(settings, STR("\n  x: {env: X_API_KEY}\n")) >= 0);
	assert_true(str_find(settings, STR("\n  my-own: {env: MY_OWN_API_KEY}\n")) >= 0);
	assert_true(str_find(settings, STR("\n  a1: {env: A1_API_KEY}\n")) >= 0);
	assert_int_equal(str_find(settings, STR("secret")), -1);
	assert_int_equal(str_find(settings, STR("commands:")), -1); /* nothing to host lies beside that program */
	arena_done(&arena);
}

static void secrets_are_for_their_owner_alone(void **state)
{
	(void)state;
	static const char *const files[] = { "token", "keys/coordinator", "keys/worker-1", "keys/allowed",
		                             "worker-1/worker.yaml" };
	struct error e;
	assert_ok(installation_prepare(&home, 1, "/nowhere/bin/assay", environment, &e), &e);
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		struct fs_info info;
		assert_ok(fs_info(home_path(&home, files[i]).text, &info, &e), &e);
		assert_true(info.exists);
		assert_int_equal(info.mode & 077, 0);
	}
}

static void ports_are_chosen_once_and_again_when_they_are_nonsense(void **state)
{
	(void)state;
	struct installation first = { 0 }, second = { 0 }, third = { 0 };
	struct error e;
	assert_ok(installation_ports(&home, &first, &e), &e);
	assert_true(first.fleet_port && first.http_port && first.fleet_port != first.http_port);
	assert_ok(installation_ports(&home, &second, &e), &e);
	assert_int_equal(second.fleet_port, first.fleet_port);
	assert_int_equal(second.http_port, first.http_port);
	assert_ok(fs_write_atomic(home_path(&home, "ports").text, STR("99999 x\n"), 0600, &e), &e);
	assert_ok(installation_ports(&home, &third, &e), &e);
	assert_true(third.fleet_port && third.http_port);
}

static void programs_lie_beside_each_other(void **state)
{
	(void)state;
	assert_string_equal(installation_program("/a/b/assay", "assay-worker").text, "/a/b/assay-worker");
	assert_string_equal(installation_program("assay", "assay-worker").text, "./assay-worker");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_of_keys_are_plain_and_have_a_value),
		cmocka_unit_test(a_key_that_came_or_changed_since_the_start_is_told),
		cmocka_unit_test(preparing_again_keeps_what_somebody_relies_on),
		cmocka_unit_test(a_revoked_key_stays_revoked),
		cmocka_unit_test(a_worker_gets_the_names_of_keys_and_no_key),
		cmocka_unit_test(secrets_are_for_their_owner_alone),
		cmocka_unit_test(ports_are_chosen_once_and_again_when_they_are_nonsense),
		cmocka_unit_test(programs_lie_beside_each_other),
	};
	return cmocka_run_group_tests(tests, make_home, remove_home);
}
