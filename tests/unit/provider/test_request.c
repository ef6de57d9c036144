/* Goal: the request that a model and a prompt give, byte for byte; no key in it; always valid UTF-8. */
#include "tests/support/cmocka_all.h"
#include "worker/provider/provider.h"

struct fixture {
	struct arena arena;
	struct provider_model model;
	struct buf url, headers, body;
	struct error error;
};

static int setup(void **state)
{
	static struct fixture f;
	arena_init(&f.arena, 1 << 20);
	buf_init(&f.url, 4096);
	buf_init(&f.headers, 4096);
	buf_init(&f.body, 1 << 16);
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	arena_done(&f->arena);
	buf_done(&f->url);
	buf_done(&f->headers);
	buf_done(&f->body);
	return 0;
}

static void use_model(struct fixture *f, const char *json)
{
	struct json_doc *doc;
	assert_ok(json_parse(str_from(json), &doc, &f->error), &f->error);
	assert_ok(provider_model_parse(json_root(doc), &f->arena, &f->model, &f->error), &f->error);
	json_free(doc);
}

static struct provider_params generate(struct fixture *f, const char *json)
{
	struct provider_params p;
	struct json_doc *doc;
	assert_ok(json_parse(str_from(json), &doc, &f->error), &f->error);
	assert_ok(provider_params_parse(json_root(doc), "generate", &f->arena, &p, &f->error), &f->error);
	json_free(doc);
	return p;
}

static enum err_code build(struct fixture *f, const struct provider_prompt *p, const char *base_url)
{
	buf_clear(&f->url);
	buf_clear(&f->headers);
	buf_clear(&f->body);
	return provider_request_build(&f->model, p, str_from(base_url), &f->url, &f->headers, &f->body, &f->error);
}

static const struct provider_message question = { PROVIDER_ROLE_USER, STR_INIT("2+2?") };

static void the_smallest_request_carries_model_and_question(void **state)
{
	struct fixture *f = *state;
	use_model(f, "{\"name\":\"m\",\"provider\":\"openai\",\"base_url\":\"https://api.example.com\"}");
	struct provider_prompt p = { .messages = &question, .message_count = 1 };
	assert_ok(build(f, &p, ""), &f->error);
	assert_str_equal_c(buf_str(&f->url), "https://api.example.com/v1/chat/completions");
	assert_str_equal_c(buf_str(&f->headers), "Content-Type: application/json\nAccept: application/json\n");
	assert_str_equal_c(
		buf_str(&f->body),
		"{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"2+2?\"}],\"stream\":false}");
}

static void every_setting_goes_out_where_it_belongs(void **state)
{
	struct fixture *f = *state;
	use_model(
		f,
		"{\"name\":\"m\",\"provider\":\"openai\",\"base_url\":\"https://gw.example.com/v1\",\"model\":\"big\","
		"\"key\":\"k\",\"params\":{\"temperature\":1,\"top_p\":0.9,\"top_k\":40,\"stream\":true,"
		"\"response_format\":{\"type\":\"text\"}}}");
	const struct provider_message talk[] = { { PROVIDER_ROLE_USER, STR_INIT("Hi") },
		                                 { PROVIDER_ROLE_ASSISTANT, STR_INIT("Hello") },
		                                 { PROVIDER_ROLE_USER, STR_INIT("\"Bye\"\n") } };
	struct provider_prompt p = {
		.system = STR_INIT("Be brief."),
		.messages = talk,
		.message_count = 3,
		.params = generate(f, "{\"temperature\":0.1,\"max_tokens\":64,\"seed\":-3,\"stop\":[\"\\n\",\"#\"]}"),
	};
	assert_ok(build(f, &p, ""), &f->error);
	assert_str_equal_c(buf_str(&f->headers), "Content-Type: application/json\nAccept: text/event-stream\n");
	assert_str_equal_c(buf_str(&f->body),
	                   "{\"model\":\"big\",\"messages\":[{\"role\":\"system\",\"content\":\"Be brief.\"},"
	                   "{\"role\":\"user\",\"content\":\"Hi\"},{\"role\":\"assistant\",\"content\":\"Hello\"},"
	                   "{\"role\":\"user\",\"content\":\"\\\"Bye\\\"\\n\"}],\"temperature\":0.1,\"top_p\":0.9,"
	                   "\"max_tokens\":64,\"seed\":-3,\"stop\":[\"\\n\",\"#\"],\"top_k\":40,"
	                   "\"response_format\":{\"type\":\"text\"},\"stream\":true,"
	                   "\"stream_options\":{\"include_usage\":true}}");
}

static void the_name_of_max_tokens_follows_the_host_unless_the_model_says(void **state)
{
	struct fixture *f = *state;
	static const struct {
		const char *base_url, *params, *want;
	} cases[] = {
		{ "https://api.openai.com/v1", "{}", "\"max_completion_tokens\":5" },
		{ "https://API.OpenAI.com", "{}", "\"max_completion_tokens\":5" },
		{ "https://api.openai.com.example.com", "{}", "\"max_tokens\":5" },
		{ "https://example.com/api.openai.com", "{}", "\"max_tokens\":5" },
		{ "https://api.openai.com", "{\"max_tokens_field\":\"max_tokens\"}", "\"max_tokens\":5" },
		{ "http://127.0.0.1", "{\"max_tokens_field\":\"max_completion_tokens\"}",
		  "\"max_completion_tokens\":5" },
		{ "http://127.0.0.1", "{\"max_tokens_field\":null}", "\"max_tokens\":5" },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char model[300];
		(void)snprintf(model, sizeof(model),
		               "{\"name\":\"m\",\"provider\":\"openai\",\"base_url\":\"%s\",\"params\":%s}",
		               cases[i].base_url, cases[i].params);
		use_model(f, model);
		struct provider_prompt p = { .messages = &question, .message_count = 1 };
		p.params = generate(f, "{\"max_tokens\":5}");
		assert_ok(build(f, &p, ""), &f->error);
		if (str_find(buf_str(&f->body), str_from(cases[i].want)) < 0)
			fail_msg("%s: no %s in %s", cases[i].base_url, cases[i].want, f->body.data);
	}
}

static void a_hosted_server_is_called_where_it_listens(void **state)
{
	struct fixture *f = *state;
	use_model(f, "{\"name\":\"smol\",\"provider\":\"openai\",\"host\":{\"command\":\"c\"}}");
	struct provider_prompt p = { .messages = &question, .message_count = 1 };
	assert_ok(build(f, &p, "http://127.0.0.1:41234"), &f->error);
	assert_str_equal_c(buf_str(&f->url), "http://127.0.0.1:41234/v1/chat/completions");
	assert_int_equal(build(f, &p, ""), ERR_INVALID);
	assert_string_equal(f->error.text, "model 'smol' is hosted and its server has no address");
}

static void an_epoch_seed_takes_the_place_of_the_others_but_not_of_never(void **state)
{
	struct fixture *f = *state;
	struct provider_prompt p = { .messages = &question, .message_count = 1 };
	p.has_epoch_seed = true;
	p.epoch_seed = 0xFFFFFFFF80000009u;
	p.params = generate(f, "{\"seed\":4}");
	use_model(f, "{\"name\":\"m\",\"provider\":\"openai\",\"base_url\":\"http://h\",\"params\":{\"seed\":5}}");
	assert_ok(build(f, &p, ""), &f->error);
	assert_true(str_find(buf_str(&f->body), STR("\"seed\":9,")) > 0);
	use_model(f, "{\"name\":\"m\",\"provider\":\"openai\",\"base_url\":\"http://h\",\"params\":{\"seed\":null}}");
	assert_ok(build(f, &p, ""), &f->error);
	assert_true(str_find(buf_str(&f->body), STR("seed")) < 0);
}

static void completions_send_one_text(void **state)
{
	struct fixture *f = *state;
	use_model(f, "{\"name\":\"m\",\"provider\":\"openai_completions\",\"base_url\":\"http://h:1\"}");
	struct provider_prompt p = { .messages = &question, .message_count = 1 };
	p.params = generate(f, "{\"max_tokens\":3}");
	assert_ok(build(f, &p, ""), &f->error);
	assert_str_equal_c(buf_str(&f->url), "http://h:1/v1/completions");
	assert_str_equal_c(buf_str(&f->body),
	                   "{\"model\":\"m\",\"prompt\":\"2+2?\",\"max_tokens\":3,\"stream\":false}");
	p.system = STR("Sum.");
	assert_ok(build(f, &p, ""), &f->error);
	assert_true(str_starts(buf_str(&f->body), STR("{\"model\":\"m\",\"prompt\":\"Sum.\\n\\n2+2?\",")));

	const struct provider_message talk[] = { question, { PROVIDER_ROLE_ASSISTANT, STR_INIT("4") } };
	p.messages = talk;
	p.message_count = 2;
	assert_int_equal(build(f, &p, ""), ERR_UNSUPPORTED);
	p.messages = &talk[1];
	p.message_count = 1;
	assert_int_equal(build(f, &p, ""), ERR_UNSUPPORTED);
}

static void broken_text_goes_out_repaired(void **state)
{
	struct fixture *f = *state;
	use_model(f, "{\"name\":\"m\",\"provider\":\"openai\",\"base_url\":\"http://h\"}");
	/* half a surrogate pair as bytes, a stray tail, a NUL, a cut character at the end */
	const struct provider_message m = { PROVIDER_ROLE_USER, STR_INIT("a\xED\xA0\xBD"
		                                                         "b\x80"
		                                                         "c\0d\xE2\x82") };
	struct provider_prompt p = { .messages = &m, .message_count = 1 };
	assert_ok(build(f, &p, ""), &f->error);
	struct json_doc *doc;
	assert_ok(json_parse(buf_str(&f->body), &doc, &f->error), &f->error);
	struct str sent;
	assert_true(json_str(json_pointer(json_root(doc), STR("/messages/0/content")), &sent));
	assert_true(str_find(sent, STR("b\xEF\xBF\xBD"
	                               "c\0d\xEF\xBF\xBD")) > 0);
	json_free(doc);
}

static void a_prompt_that_cannot_be_sent_is_an_error(void **state)
{
	struct fixture *f = *state;
	use_model(f, "{\"name\":\"m\",\"provider\":\"openai\",\"base_url\":\"http://h\"}");
	struct provider_prompt none = { .system = STR_INIT("x") };
	assert_int_equal(build(f, &none, ""), ERR_INVALID);
	struct provider_prompt p = { .messages = &question, .message_count = 1 };
	assert_int_equal(build(f, &p, "http://user:pass@h"), ERR_INVALID);
	assert_null(strstr(f->error.text, "pass@"));
	for (size_t max = 0; max < 90; max += 10) {
		for (int which = 0; which < 3; which++) {
			struct buf *small = which == 0 ? &f->url : which == 1 ? &f->headers : &f->body;
			buf_done(small);
			buf_init(small, max % 30);
			assert_int_equal(build(f, &p, ""), ERR_LIMIT);
			buf_done(small);
			buf_init(small, 4096);
		}
	}
	assert_ok(build(f, &p, ""), &f->error);
}

static void the_key_is_named_only_when_the_model_has_one(void **state)
{
	struct fixture *f = *state;
	use_model(f, "{\"name\":\"m\",\"provider\":\"openai\",\"base_url\":\"http://h\",\"key\":\"k\"}");
	assert_str_equal_c(provider_auth(&f->model).header, "Authorization");
	assert_str_equal_c(provider_auth(&f->model).prefix, "Bearer ");
	use_model(f, "{\"name\":\"m\",\"provider\":\"openai_completions\",\"base_url\":\"http://h\"}");
	assert_int_equal(provider_auth(&f->model).header.len, 0);
}

static void providers_have_their_names(void **state)
{
	(void)state;
	assert_string_equal(provider_name(0), "openai");
	assert_string_equal(provider_name(1), "openai_completions");
	assert_null(provider_name(2));
}

int main(void)
{
	json_start();
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_smallest_request_carries_model_and_question, setup, teardown),
		cmocka_unit_test_setup_teardown(every_setting_goes_out_where_it_belongs, setup, teardown),
		cmocka_unit_test_setup_teardown(the_name_of_max_tokens_follows_the_host_unless_the_model_says, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(a_hosted_server_is_called_where_it_listens, setup, teardown),
		cmocka_unit_test_setup_teardown(an_epoch_seed_takes_the_place_of_the_others_but_not_of_never, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(completions_send_one_text, setup, teardown),
		cmocka_unit_test_setup_teardown(broken_text_goes_out_repaired, setup, teardown),
		cmocka_unit_test_setup_teardown(a_prompt_that_cannot_be_sent_is_an_error, setup, teardown),
		cmocka_unit_test_setup_teardown(the_key_is_named_only_when_the_model_has_one, setup, teardown),
		cmocka_unit_test_setup_teardown(providers_have_their_names, setup, teardown),
	};
	return cmocka_run_group_tests_name("provider request", tests, NULL, NULL);
}
