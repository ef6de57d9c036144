/* Goal: models.yaml is read strictly, a key in it is refused without being repeated, and what comes out is what a
 * route, a price and a lease need. */
#include "common/base/json.h"
#include "coordinator/catalog/model_spec.h"
#include "tests/support/cmocka_all.h"

#define HEAD "schema: assay.models.v1\nmodels:\n"
#define M "  - name: m\n    provider: openai\n    base_url: https://x.test\n"

static void a_model_says_what_its_route_and_lease_need(void **state)
{
	(void)state;
	struct arena arena;
	struct error error = { .text = "" };
	struct model_spec *m;
	size_t count;
	arena_init(&arena, 1 << 20);
	assert_ok(
		model_spec_read(
			STR(HEAD "  - name: local-smol\n"
	                         "    provider: openai\n"
	                         "    host: {command: smollm2, health: /health, ready_s: 120, slots: 4}\n"
	                         "    params: {temperature: 0, top_k: 40, stop: no, seed: null, x: {y: [1, true, a]}}\n"
	                         "  - name: m-2026-11\n"
	                         "    provider: openai_completions\n"
	                         "    base_url: HTTPS://API.Example.com:8443/v1/\n"
	                         "    model: m-20261101\n"
	                         "    key: m\n"
	                         "    timeout_s: 30\n"
	                         "    limits: {requests_per_min: 4000, tokens_per_min: 400000, concurrency: 64}\n"
	                         "    price_per_mtok: {input: 2.01, output: 15.00, cached: 0.3}\n"),
			"m.yaml", &arena, &m, &count, &error),
		&error);
	assert_int_equal(count, 2);
	assert_str_equal_c(
		m[0].config,
		"{\"host\":{\"command\":\"smollm2\",\"health\":\"/health\",\"ready_s\":120,\"slots\":4},"
		"\"model\":\"local-smol\",\"name\":\"local-smol\",\"params\":{\"seed\":null,\"stop\":[\"no\"],"
		"\"temperature\":0,\"top_k\":40,\"x\":{\"y\":[1,true,\"a\"]}},\"provider\":\"openai\"}");
	assert_true(hash_eq(m[0].hash, hash_of(m[0].config)));
	assert_str_equal_c(m[0].endpoint, "host:smollm2");
	assert_str_equal_c(m[0].host_command, "smollm2");
	assert_str_equal_c(m[0].key_alias, "");
	assert_int_equal(m[0].price_in_nanousd_per_mtok, -1);
	assert_int_equal(m[0].concurrency, 0);
	assert_int_equal(m[0].line, 3);
	assert_str_equal_c(m[1].endpoint, "https://api.example.com:8443/v1");
	assert_str_equal_c(m[1].model, "m-20261101");
	assert_str_equal_c(m[1].key_alias, "m");
	assert_int_equal(m[1].concurrency, 64);
	assert_int_equal(m[1].requests_per_min, 4000);
	assert_int_equal(m[1].tokens_per_min, 400000);
	assert_int_equal(m[1].price_in_nanousd_per_mtok, 2010000000);
	assert_int_equal(m[1].price_cached_nanousd_per_mtok, 300000000);
	assert_int_equal(m[1].price_out_nanousd_per_mtok, 15000000000);
	assert_non_null(strstr(m[1].config.data, "\"timeout_s\":30"));
	arena_done(&arena);
}

// clang-format off
static const struct {
	const char *title, *yaml, *error; /* a leading '~': must contain */
} cases[] = {
	{ "an empty file", "", "m.yaml:1:1: the file is empty; it begins with 'schema: assay.models.v1'" },
	{ "another schema", "schema: assay.suite.v1\nmodels: []\n", "~m.yaml:1:9: schema must be assay.models.v1" },
	{ "no schema", "models: []\n", "~schema is missing" },
	{ "no models", "schema: assay.models.v1\nmodels: []\n", "m.yaml:2:9: models must hold 1 to 10000 entries" },
	{ "an unknown key at the top", HEAD M "model: x\n", "m.yaml:6:1: unknown key 'model'; did you mean 'models'?" },
	{ "a model that is text", HEAD "  - m\n", "~m.yaml:3:5: models[0] must be a map" },
	{ "an unknown key", HEAD M "    parms: {}\n", "m.yaml:6:5: unknown key 'parms' in models[0]; did you mean 'params'?" },
	{ "no name", HEAD "  - provider: openai\n", "~models[0].name is missing" },
	{ "a name with a slash", HEAD "  - name: a/b\n", "~m.yaml:3:11: models[0].name must begin" },
	{ "a name with a version", HEAD "  - name: a@2\n", "~models[0].name must begin" },
	{ "a name twice", HEAD M M, "m.yaml:6:11: the name 'm' is used already at line 3" },
	{ "no provider", HEAD "  - name: m\n", "~models[0].provider is missing" },
	{ "an unknown provider", HEAD "  - name: m\n    provider: opanai\n", "m.yaml:4:15: models[0].provider: 'opanai' is not known; did you mean 'openai'?" },
	{ "a provider to come", HEAD "  - name: m\n    provider: gemini\n", "~m.yaml:4:15: models[0].provider: this version does not speak 'gemini'" },
	{ "nowhere to ask", HEAD "  - name: m\n    provider: openai\n", "~models[0] needs base_url" },
	{ "two places to ask", HEAD M "    host: {command: x}\n", "m.yaml:6:11: models[0]: base_url and host exclude each other" },
	{ "a place without scheme", HEAD "  - name: m\n    provider: openai\n    base_url: x.test\n", "m.yaml:5:15: models[0].base_url must begin with http:// or https://" },
	{ "a file as a place", HEAD "  - name: m\n    provider: openai\n    base_url: file:///etc\n", "~base_url must begin with http" },
	{ "no host in a place", HEAD "  - name: m\n    provider: openai\n    base_url: http:///v1\n", "~base_url names no host" },
	{ "a password in a place", HEAD "  - name: m\n    provider: openai\n    base_url: https://u:secretword@x.test\n", "m.yaml:5:15: models[0].base_url must not hold a user name or password" },
	{ "a query in a place", HEAD "  - name: m\n    provider: openai\n    base_url: https://x.test/?k=1\n", "~base_url must not hold a query" },
	{ "a blank in a place", HEAD "  - name: m\n    provider: openai\n    base_url: https://x .test\n", "~base_url must hold no blanks" },
	{ "a port that is none", HEAD "  - name: m\n    provider: openai\n    base_url: https://x.test:99999\n", "~base_url has a port that is none" },
	{ "a host with a wildcard", HEAD "  - name: m\n    provider: openai\n    base_url: https://*.test\n", "~base_url has a host with a character" },
	{ "a path as a command", HEAD "  - name: m\n    provider: openai\n    host: {command: /bin/sh}\n", "~m.yaml:5:21: models[0].host.command must be a name that worker.yaml allows" },
	{ "a command line as a command", HEAD "  - name: m\n    provider: openai\n    host: {command: 'sh -c'}\n", "~host.command must be a name" },
	{ "a host without command", HEAD "  - name: m\n    provider: openai\n    host: {slots: 1}\n", "~models[0].host.command is missing" },
	{ "no slots", HEAD "  - name: m\n    provider: openai\n    host: {command: x, slots: 0}\n", "~models[0].host.slots must be an integer from 1" },
	{ "a health without slash", HEAD "  - name: m\n    provider: openai\n    host: {command: x, health: health}\n", "~host.health must begin with '/'" },
	{ "a key that is a key", HEAD M "    key: sk-abcdefghijklmnop\n", "~m.yaml:6:10: models[0].key looks like a key itself" },
	{ "a key of letters and digits", HEAD M "    key: a1b2c3d4e5f6a7b8c9d0e1\n", "~models[0].key looks like a key itself" },
	{ "a variable as a key", HEAD M "    key: $OPENAI_API_KEY\n", "~m.yaml:6:10: models[0].key must be an alias of worker.yaml" },
	{ "a variable in braces", HEAD M "    key: '${X}'\n", "~models[0].key must be an alias" },
	{ "params as a list", HEAD M "    params: [1]\n", "~models[0].params must be a map" },
	{ "a parameter of Assay", HEAD M "    params: {n: 3}\n", "m.yaml:6:14: models[0].params.n would pay for answers that nobody reads; use epochs" },
	{ "a model in params", HEAD M "    params: {Model: x}\n", "~models[0].params.model is the entry's own" },
	{ "a key in params", HEAD M "    params: {API_Key: x}\n", "~models[0].params.api_key is a secret" },
	{ "a key deep in params", HEAD M "    params: {h: {x: [a, 'Bearer abcdefghijkl']}}\n", "~m.yaml:6:25: models[0].params holds what looks like a key" },
	{ "a temperature in words", HEAD M "    params: {temperature: cold}\n", "~params.temperature must be a number" },
	{ "an empty stop", HEAD M "    params: {stop: ['']}\n", "~params.stop must not hold an empty text" },
	{ "no stops", HEAD M "    params: {stop: []}\n", "~params.stop must hold 1 to 16" },
	{ "a limit of nothing", HEAD M "    limits: {concurrency: 0}\n", "~models[0].limits.concurrency must be an integer from 1" },
	{ "an unknown limit", HEAD M "    limits: {rpm: 1}\n", "~unknown key 'rpm' in models[0].limits" },
	{ "a negative price", HEAD M "    price_per_mtok: {input: -1}\n", "~models[0].price_per_mtok.input must be a number from 0" },
	{ "a price of NaN", HEAD M "    price_per_mtok: {input: .nan}\n", "~models[0].price_per_mtok.input must be" },
	{ "a timeout of a day", HEAD M "    timeout_s: 86400\n", "~models[0].timeout_s must be an integer from 1 to 3600" },
};
// clang-format on

static void each_mistake_is_said_with_its_place(void **state)
{
	(void)state;
	size_t failed = 0;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct arena arena;
		struct error error = { .text = "" };
		struct model_spec *models = NULL;
		size_t count;
		arena_init(&arena, 1 << 20);
		enum err_code code =
			model_spec_read(str_from(cases[i].yaml), "m.yaml", &arena, &models, &count, &error);
		bool loose = cases[i].error[0] == '~';
		bool same = loose ? strstr(error.text, cases[i].error + 1) != NULL
		                  : strcmp(error.text, cases[i].error) == 0;
		bool good = code == ERR_INVALID && !models && same;
		if (!good)
			print_error("%s: %s \"%s\",\n  not \"%s\"\n", cases[i].title, error_code_name(code), error.text,
			            cases[i].error);
		failed += !good;
		arena_done(&arena);
	}
	assert_int_equal(failed, 0);
}

static void what_looks_like_a_key_is_never_repeated(void **state)
{
	(void)state;
	static const char *const files[] = {
		HEAD M "    key: sk-verysecretverysecret\n",
		HEAD M "    key: '$sk-verysecretverysecret'\n",
		HEAD M "    key: ['sk-verysecretverysecret']\n",
		HEAD M "    params: {x: 'sk-verysecretverysecret'}\n",
		HEAD "  - name: m\n    provider: openai\n    base_url: 'https://verysecret@x.test'\n",
	};
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		struct arena arena;
		struct error error = { .text = "" };
		struct model_spec *models;
		size_t count;
		arena_init(&arena, 1 << 20);
		assert_int_equal(model_spec_read(str_from(files[i]), "m.yaml", &arena, &models, &count, &error),
		                 ERR_INVALID);
		if (strstr(error.text, "verysecret"))
			fail_msg("%s", error.text);
		arena_done(&arena);
	}
}

static void aliases_that_people_use_are_no_secrets(void **state)
{
	(void)state;
	static const char *const aliases[] = { "m",
		                               "openai",
		                               "openai-prod",
		                               "team.a_key",
		                               "x2",
		                               "sk-a",
		                               "anthropic-eu-west-1",
		                               "azure_gpt4_2025",
		                               "openaiproductionkeyalias" };
	for (size_t i = 0; i < ARRAY_LEN(aliases); i++) {
		struct arena arena;
		struct buf yaml;
		struct error error = { .text = "" };
		struct model_spec *models;
		size_t count;
		arena_init(&arena, 1 << 20);
		buf_init(&yaml, 1000);
		assert_true(buf_printf(&yaml, HEAD M "    key: %s\n", aliases[i]));
		assert_ok(model_spec_read(buf_str(&yaml), "m.yaml", &arena, &models, &count, &error), &error);
		assert_str_equal_c(models[0].key_alias, aliases[i]);
		buf_done(&yaml);
		arena_done(&arena);
	}
}

static void a_spent_arena_is_an_error(void **state)
{
	(void)state;
	enum err_code code = ERR_LIMIT;
	for (size_t budget = 0; code != ERR_OK; budget += 16) {
		struct arena arena;
		struct error error;
		struct model_spec *models;
		size_t count;
		arena_init(&arena, budget);
		code = model_spec_read(STR(HEAD M "    key: k\n"), "m.yaml", &arena, &models, &count, &error);
		assert_true(code == ERR_OK ? budget > 0 : code == ERR_LIMIT);
		arena_done(&arena);
	}
}

int main(void)
{
	json_start();
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_model_says_what_its_route_and_lease_need),
		cmocka_unit_test(each_mistake_is_said_with_its_place),
		cmocka_unit_test(what_looks_like_a_key_is_never_repeated),
		cmocka_unit_test(aliases_that_people_use_are_no_secrets),
		cmocka_unit_test(a_spent_arena_is_an_error),
	};
	return cmocka_run_group_tests_name("model_spec", tests, NULL, NULL);
}
