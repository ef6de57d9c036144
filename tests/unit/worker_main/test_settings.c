/* Goal: worker.yaml is read strictly; every mistake names its place; a key's value is in no error. */
#include "common/io/fs.h"
#include "common/io/keys.h"
#include "common/io/secrets.h"
#include "tests/support/cmocka_all.h"
#include "worker/main/settings.h"
#include <stdio.h>

static const char *const environment[] = { "M_API_KEY=sk-value-of-m", "EMPTY=", "SHORT=abc", NULL };

static const char whole[] = "schema: assay.worker.v1\n"
			    "name: w1\n"
			    "slots: 12\n"
			    "keys:\n"
			    "  m: {env: M_API_KEY}\n"
			    "allowed_hosts: [api.example.com, \"*.example.org\"]\n"
			    "allow_private: [vllm.internal]\n"
			    "teams: [default]\n"
			    "commands:\n"
			    "  smol: {path: /opt/serve, args: [--port, \"{port}\"], env: {A: \"1\"}, memory_mib: 512}\n"
			    "  idle: {path: /bin/true}\n"
			    "hosts: [smol]\n";

static void a_whole_file_becomes_rules(void **state)
{
	(void)state;
	struct settings *s;
	struct error error;
	assert_ok(settings_read(str_from(whole), "worker.yaml", environment, &s, &error), &error);
	assert_str_equal_c(s->name, "w1");
	assert_int_equal(s->slots, 12);
	assert_int_equal(s->rules.alias_count, 1);
	assert_str_equal_c(s->rules.aliases[0].secret, "sk-value-of-m");
	assert_string_equal(s->key_variables[0], "M_API_KEY");
	assert_null(s->key_variables[1]);
	assert_int_equal(s->rules.allowed_host_count, 2);
	assert_false(s->rules.allow_private);
	assert_true(rules_private_allowed(&s->rules, STR("vllm.internal")));
	assert_int_equal(s->rules.command_count, 2);
	assert_string_equal(s->rules.commands[0].path, "/opt/serve");
	assert_string_equal(s->rules.commands[0].args[1], "{port}");
	assert_string_equal(s->rules.commands[0].env[0], "A=1");
	assert_true(s->rules.commands[0].hosted);
	assert_int_equal(s->rules.commands[0].memory_bytes_max, 512 << 20);
	assert_false(s->rules.commands[1].hosted);
	assert_int_equal(s->rules.commands[1].memory_bytes_max, 0);
	assert_true(secrets_present(STR("x sk-value-of-m y")));

	struct arena a;
	size_t host_count;
	arena_init(&a, 1 << 16);
	const struct msg_host *hosts = settings_hosts(s, &a, &host_count);
	assert_int_equal(host_count, 1);
	assert_str_equal_c(hosts[0].command, "smol");
	const struct msg_alias *one = settings_aliases(s, STR("key one"), &a),
			       *two = settings_aliases(s, STR("key two"), &a);
	assert_false(hash_eq(one[0].digest, two[0].digest));
	arena_done(&a);
	settings_free(s);
	secrets_clear();
}

static void what_assay_up_writes_is_read(void **state)
{
	(void)state;
	struct settings *s;
	struct error error;
	assert_ok(settings_read(
			  STR("# Written by `assay up`\nschema: assay.worker.v1\nallowed_hosts: [\"*\"]\n"
	                      "allow_private: true\nkeys:\n  m: {env: M_API_KEY}\ncommands:\n  smollm2:\n"
	                      "    path: \"/a/serve\"\n    args: [smollm2, --port, \"{port}\", --slots, \"{slots}\"]\n"
	                      "    memory_mib: 4096\nhosts: [smollm2]\n"),
			  "worker.yaml", environment, &s, &error),
	          &error);
	assert_true(s->rules.allow_private && s->rules.commands[0].hosted);
	settings_free(s);
	secrets_clear();
}

static void every_mistake_names_its_place(void **state)
{
	(void)state;
	static const struct {
		const char *text, *words;
	} cases[] = {
		{ "", "w.yaml:" },
		{ "schema: assay.worker.v2\n", "w.yaml:1:9: schema must be assay.worker.v1" },
		{ "name: x\n", "schema is missing" },
		{ "schema: assay.worker.v1\nslot: 3\n", "w.yaml:2:1" },
		{ "schema: assay.worker.v1\nslots: many\n", "w.yaml:2:8" },
		{ "schema: assay.worker.v1\nslots: 0\n", "w.yaml:2:8" },
		{ "schema: assay.worker.v1\nkeys:\n  m: sk-123\n", "w.yaml:3:6" },
		{ "schema: assay.worker.v1\nkeys:\n  m: {}\n", "needs one of: env, file" },
		{ "schema: assay.worker.v1\nkeys:\n  m: {env: A, file: /b}\n", "needs one of: env, file" },
		{ "schema: assay.worker.v1\nkeys:\n  m: {env: NOT_SET}\n", "the variable NOT_SET is not set" },
		{ "schema: assay.worker.v1\nkeys:\n  m: {env: EMPTY}\n", "the variable EMPTY is not set" },
		{ "schema: assay.worker.v1\nkeys:\n  m: {file: /nonexistent/key}\n", "/nonexistent/key" },
		{ "schema: assay.worker.v1\nallowed_hosts: any\n", "w.yaml:2:16" },
		{ "schema: assay.worker.v1\nallow_private: yes\n", "w.yaml:2:16" },
		{ "schema: assay.worker.v1\ncommands:\n  s: {args: []}\n", "commands.s needs a path" },
		{ "schema: assay.worker.v1\ncommands:\n  s: {path: serve}\n", "must begin with /" },
		{ "schema: assay.worker.v1\ncommands:\n  \"../s\": {path: /a}\n", "w.yaml:3:" },
		{ "schema: assay.worker.v1\ncommands:\n  s: {path: /a, memory_mib: 1}\n", "w.yaml:3:" },
		{ "schema: assay.worker.v1\ncommands:\n  s: {path: /a, memory_mib: lots}\n", "memory_mib" },
		{ "schema: assay.worker.v1\nteams: [red]\n", "w.yaml:2:8: teams must be [default]" },
		{ "schema: assay.worker.v1\nteams: [default, red]\n", "teams must be [default]" },
		{ "schema: assay.worker.v1\nteams: []\n", "teams must be [default]" },
		{ "schema: assay.worker.v1\nhosts: [s]\n", "hosts: 's' is not one of `commands`" },
		{ "schema: assay.worker.v1\ncommands: [a]\n", "w.yaml:2:11" },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct settings *s;
		struct error error;
		if (settings_read(str_from(cases[i].text), "w.yaml", environment, &s, &error) == ERR_OK)
			fail_msg("case %zu was accepted", i);
		if (!strstr(error.text, cases[i].words))
			fail_msg("case %zu: '%s' does not say '%s'", i, error.text, cases[i].words);
		assert_null(strstr(error.text, "sk-value"));
	}
}

static void a_key_may_come_from_a_file_that_nobody_else_can_read(void **state)
{
	(void)state;
	struct settings *s;
	struct error error;
	char text[FS_PATH_BYTES_MAX + 100];
	struct fs_path path = fs_path("/tmp/assay-key-%016llx", (unsigned long long)keys_random_u64());
	(void)snprintf(text, sizeof(text), "schema: assay.worker.v1\nkeys:\n  m: {file: %s}\n", path.text);
	assert_ok(fs_write_atomic(path.text, STR("sk-from-a-file\n"), 0600, &error), &error);
	assert_ok(settings_read(str_from(text), "w.yaml", environment, &s, &error), &error);
	assert_str_equal_c(s->rules.aliases[0].secret, "sk-from-a-file");
	settings_free(s);
	assert_ok(fs_set_mode(path.text, 0644, &error), &error);
	assert_int_not_equal(settings_read(str_from(text), "w.yaml", environment, &s, &error), ERR_OK);
	assert_null(strstr(error.text, "sk-from"));
	assert_ok(fs_remove(path.text, &error), &error);
	secrets_clear();
}

static void a_key_too_short_to_hide_is_counted(void **state)
{
	(void)state;
	struct settings *s;
	struct error error;
	assert_ok(settings_read(STR("schema: assay.worker.v1\nkeys:\n  s: {env: SHORT}\n"), "w.yaml", environment, &s,
	                        &error),
	          &error);
	assert_int_equal(s->short_key_count, 1);
	settings_free(s);
}

int main(void)
{
	struct error error;
	assert_ok(keys_init(&error), &error);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_whole_file_becomes_rules),
		cmocka_unit_test(what_assay_up_writes_is_read),
		cmocka_unit_test(every_mistake_names_its_place),
		cmocka_unit_test(a_key_may_come_from_a_file_that_nobody_else_can_read),
		cmocka_unit_test(a_key_too_short_to_hide_is_counted),
	};
	return cmocka_run_group_tests_name("worker settings", tests, NULL, NULL);
}
