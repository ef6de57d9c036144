/* Goal: a model configuration is read whole, wrong ones are refused by field, and settings merge as documented. */
#include "tests/support/cmocka_all.h"
#include "worker/provider/provider.h"
#include "worker/provider/provider_model.h"

static struct arena arena;

static enum err_code parse(const char *json, struct provider_model *m, struct error *error)
{
	struct json_doc *doc;
	assert_ok(json_parse(str_from(json), &doc, error), error);
	enum err_code err = provider_model_parse(json_root(doc), &arena, m, error);
	json_free(doc); /* the model must not look into it any more */
	return err;
}

static void all_that_a_configuration_says_is_read(void **state)
{
	(void)state;
	struct provider_model m;
	struct error error;
	assert_ok(parse("{\"name\":\"m-1\",\"provider\":\"openai\",\"base_url\":\"https://api.example.com/v1\","
	                "\"model\":\"gpt-x\",\"key\":\"main\",\"params\":{\"temperature\":0.5,\"top_p\":1,\"seed\":7,"
	                "\"max_tokens\":100,\"stop\":[\"\\n\",\"END\"],\"top_k\":40,\"reasoning\":{\"effort\":\"low\"},"
	                "\"stream\":true,\"max_tokens_field\":\"max_completion_tokens\",\"min_p\":null},"
	                "\"limits\":{\"concurrency\":4},\"price_per_mtok\":{\"input\":1},\"something_newer\":[1]}",
	                &m, &error),
	          &error);
	assert_str_equal_c(m.name, "m-1");
	assert_str_equal_c(m.provider, "openai");
	assert_str_equal_c(m.base_url, "https://api.example.com/v1");
	assert_str_equal_c(m.model, "gpt-x");
	assert_str_equal_c(m.key_alias, "main");
	assert_str_equal_c(m.host_command, "");
	assert_int_equal(m.params.given,
	                 PROVIDER_TEMPERATURE | PROVIDER_TOP_P | PROVIDER_SEED | PROVIDER_MAX_TOKENS | PROVIDER_STOP);
	assert_int_equal(m.params.never, 0);
	assert_true(m.params.temperature == 0.5 && m.params.top_p == 1);
	assert_int_equal(m.params.seed, 7);
	assert_int_equal(m.params.max_tokens, 100);
	assert_int_equal(m.params.stop_count, 2);
	assert_str_equal_c(m.params.stops[1], "END");
	assert_int_equal(m.extra_count, 2);
	assert_str_equal_c(m.extras[0].key, "top_k");
	assert_str_equal_c(m.extras[0].json, "40");
	assert_str_equal_c(m.extras[1].json, "{\"effort\":\"low\"}");
	assert_true(m.stream);
	assert_str_equal_c(m.max_tokens_field, "max_completion_tokens");
}

static void a_hosted_model_needs_no_address_and_no_model_name(void **state)
{
	(void)state;
	struct provider_model m;
	struct error error;
	assert_ok(parse("{\"name\":\"local-smol\",\"provider\":\"openai\",\"host\":{\"command\":\"smollm2\",\"health\":"
	                "\"/health\",\"ready_s\":120,\"slots\":4},\"params\":{\"temperature\":0}}",
	                &m, &error),
	          &error);
	assert_str_equal_c(m.host_command, "smollm2");
	assert_str_equal_c(m.base_url, "");
	assert_str_equal_c(m.model, "local-smol");
	assert_str_equal_c(m.key_alias, "");
}

#define HEAD "{\"name\":\"m\",\"provider\":\"openai\",\"base_url\":\"http://h\""

static void a_wrong_configuration_is_refused_and_the_field_is_named(void **state)
{
	(void)state;
	static const struct {
		const char *json, *want;
	} cases[] = {
		{ "[]", "a model configuration must be an object, not an array" },
		{ "{}", "model: name must have 1 to 256 bytes" },
		{ "{\"name\":7}", "model: name must be a text, not an integer" },
		{ "{\"name\":\"\"}", "model: name must have 1 to 2048 bytes, not 0" },
		{ "{\"name\":\"a\\u0000b\"}", "model: name must not hold control characters" },
		{ "{\"name\":\"m\"}", "model 'm': provider is missing" },
		{ "{\"name\":\"m\",\"provider\":\"opnai\",\"base_url\":\"http://h\"}",
		  "model 'm': provider 'opnai' is not known; did you mean 'openai'?" },
		{ "{\"name\":\"m\",\"provider\":\"openai_completion\",\"base_url\":\"http://h\"}",
		  "model 'm': provider 'openai_completion' is not known; did you mean 'openai_completions'?" },
		{ "{\"name\":\"m\",\"provider\":\"telepathy\",\"base_url\":\"http://h\"}",
		  "model 'm': provider 'telepathy' is not known; this version has openai, openai_completions" },
		{ "{\"name\":\"m\",\"provider\":\"openai\"}", "model 'm': needs base_url or host" },
		{ HEAD ",\"host\":{\"command\":\"x\"}}", "model 'm': base_url and host exclude each other" },
		{ "{\"name\":\"m\",\"provider\":\"openai\",\"host\":{}}",
		  "model 'm': host must be an object with a command" },
		{ "{\"name\":\"m\",\"provider\":\"openai\",\"host\":\"x\"}",
		  "model 'm': host must be an object with a command" },
		{ HEAD ",\"key\":5}", "model 'm': key must be a text, not an integer" },
		{ HEAD ",\"model\":\"a\\nb\"}", "model 'm': model must not hold control characters" },
		{ HEAD ",\"params\":[]}", "model 'm': params must be an object, not an array" },
		{ HEAD ",\"params\":{\"temperature\":\"hot\"}}",
		  "model 'm': params.temperature must be a number, not a string" },
		{ HEAD ",\"params\":{\"temperature\":-0.1}}",
		  "model 'm': params.temperature must be between 0 and 100, not -0.1" },
		{ HEAD ",\"params\":{\"top_p\":1.5}}", "model 'm': params.top_p must be between 0 and 1, not 1.5" },
		{ HEAD ",\"params\":{\"max_tokens\":0}}",
		  "model 'm': params.max_tokens must be between 1 and 1000000000, not 0" },
		{ HEAD ",\"params\":{\"max_tokens\":1.5}}",
		  "model 'm': params.max_tokens must be an integer, not a number" },
		{ HEAD ",\"params\":{\"seed\":\"7\"}}", "model 'm': params.seed must be an integer, not a string" },
		{ HEAD ",\"params\":{\"stop\":7}}",
		  "model 'm': params.stop must be a text or a list of texts, not an integer" },
		{ HEAD ",\"params\":{\"stop\":[\"a\",7]}}",
		  "model 'm': params.stop must be a text or a list of texts, not an integer" },
		{ HEAD ",\"params\":{\"stop\":[]}}", "model 'm': params.stop must hold 1 to 16 texts, not 0" },
		{ HEAD ",\"params\":{\"stop\":\"\"}}", "model 'm': params.stop must not hold an empty text" },
		{ HEAD ",\"params\":{\"stream\":1}}", "model 'm': params.stream must be a boolean, not an integer" },
		{ HEAD ",\"params\":{\"model\":\"other\"}}",
		  "model 'm': params.model is the configuration's own `model`" },
		{ HEAD ",\"params\":{\"messages\":[]}}", "model 'm': params.messages comes from the suite" },
		{ HEAD ",\"params\":{\"n\":3}}",
		  "model 'm': params.n would pay for answers that nobody reads; use epochs" },
		{ HEAD ",\"params\":{\"max_completion_tokens\":3}}",
		  "model 'm': params.max_completion_tokens is written as max_tokens (and max_tokens_field when the "
		  "name "
		  "matters)" },
		{ HEAD ",\"params\":{\"max_tokens_field\":\"tokens\"}}",
		  "model 'm': params.max_tokens_field must be max_tokens or max_completion_tokens, not 'tokens'" },
		{ HEAD ",\"params\":{\"max_tokens_field\":1}}",
		  "model 'm': params.max_tokens_field must be a text, not an integer" },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct provider_model m = { .name = STR_INIT("untouched") };
		struct error error = { .text = "no error at all" };
		enum err_code err = parse(cases[i].json, &m, &error);
		assert_string_equal(error.text, cases[i].want);
		assert_int_equal(err, ERR_INVALID);
		assert_str_equal_c(m.name, "untouched");
	}
}

static void sixty_four_parameters_are_enough(void **state)
{
	(void)state;
	for (int count = 64; count <= 65; count++) {
		struct provider_model m;
		struct error error;
		struct buf json;
		buf_init(&json, 4096);
		buf_append_c(&json, HEAD ",\"params\":{");
		for (int i = 0; i < count; i++)
			buf_printf(&json, "%s\"p%d\":%d", i ? "," : "", i, i);
		buf_append_c(&json, "}}");
		assert_int_equal(parse(json.data, &m, &error), count == 64 ? ERR_OK : ERR_LIMIT);
		buf_done(&json);
	}
}

static void a_full_arena_is_an_error(void **state)
{
	(void)state;
	struct arena small;
	struct json_doc *doc;
	struct error error;
	struct provider_model m;
	arena_init(&small, 1000);
	assert_ok(json_parse(STR(HEAD ",\"params\":{\"a\":1,\"b\":2,\"stop\":[\"x\"]}}"), &doc, &error), &error);
	while (arena_try_alloc(&small, 1, 16))
		;
	assert_int_equal(provider_model_parse(json_root(doc), &small, &m, &error), ERR_LIMIT);
	json_free(doc);
	arena_done(&small);
}

static struct provider_params params(const char *json)
{
	struct json_doc *doc;
	struct error error;
	struct provider_params p;
	assert_ok(json_parse(str_from(json), &doc, &error), &error);
	assert_ok(provider_params_parse(json_root(doc), "generate", &arena, &p, &error), &error);
	json_free(doc);
	return p;
}

static void the_suite_wins_over_the_model_and_null_over_both(void **state)
{
	(void)state;
	struct provider_params suite = params("{\"temperature\":0,\"max_tokens\":64,\"stop\":\"A\",\"prompt\":\"x\"}");
	struct provider_params model = params("{\"temperature\":1,\"top_p\":0.9,\"seed\":5,\"stop\":[\"B\",\"C\"]}");
	struct provider_params p = provider_params_merge(&suite, &model);
	assert_int_equal(p.given, 31);
	assert_true(p.temperature == 0 && p.top_p == 0.9);
	assert_int_equal(p.max_tokens, 64);
	assert_int_equal(p.seed, 5);
	assert_int_equal(p.stop_count, 1);
	assert_str_equal_c(p.stops[0], "A");

	model = params("{\"temperature\":null,\"stop\":null}");
	p = provider_params_merge(&suite, &model);
	assert_int_equal(p.given, PROVIDER_MAX_TOKENS);
	suite = params("{\"seed\":null}");
	model = params("{\"seed\":5,\"max_tokens\":9,\"top_p\":0.25}");
	p = provider_params_merge(&suite, &model);
	assert_int_equal(p.given, PROVIDER_MAX_TOKENS | PROVIDER_TOP_P);
	assert_int_equal(p.max_tokens, 9);
	assert_true(p.top_p == 0.25);
	suite = params("{\"seed\":8,\"top_p\":0.75}");
	p = provider_params_merge(&suite, &model);
	assert_int_equal(p.seed, 8);
	assert_true(p.top_p == 0.75);
}

static void a_suite_without_settings_gives_none(void **state)
{
	(void)state;
	struct provider_params p = { .given = 31 };
	struct error error;
	assert_ok(provider_params_parse(NULL, "generate", &arena, &p, &error), &error);
	assert_int_equal(p.given, 0);
	p = params("null");
	assert_int_equal(p.given | p.never, 0);
}

static int teardown(void **state)
{
	(void)state;
	arena_reset(&arena);
	return 0;
}

int main(void)
{
	json_start();
	arena_init(&arena, 1 << 20);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(all_that_a_configuration_says_is_read, teardown),
		cmocka_unit_test_teardown(a_hosted_model_needs_no_address_and_no_model_name, teardown),
		cmocka_unit_test_teardown(a_wrong_configuration_is_refused_and_the_field_is_named, teardown),
		cmocka_unit_test_teardown(sixty_four_parameters_are_enough, teardown),
		cmocka_unit_test_teardown(a_full_arena_is_an_error, teardown),
		cmocka_unit_test_teardown(the_suite_wins_over_the_model_and_null_over_both, teardown),
		cmocka_unit_test_teardown(a_suite_without_settings_gives_none, teardown),
	};
	int failed = cmocka_run_group_tests_name("provider model", tests, NULL, NULL);
	arena_done(&arena);
	return failed;
}
