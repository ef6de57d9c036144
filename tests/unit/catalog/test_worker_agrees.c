/* Goal: whatever the catalog lets through, a worker can use. The two read the same words in different programs. */
#include "coordinator/catalog/model_spec.h"
#include "coordinator/catalog/suite.h"
#include "tests/support/cmocka_all.h"
#include "tests/unit/catalog/files.h"
#include "worker/provider/provider.h"
#include "worker/score/score.h"
#include <stdio.h>

static const char *const scores[] = {
	"{type: exact}",
	"{type: exact, normalize: [trim, casefold, nfkc, strip_punctuation, collapse_space, strip_articles]}",
	"{type: exact, normalize: []}",
	"{type: includes, words: true, chance: 0.25}",
	"{type: prefix, normalize: [trim]}",
	"{type: regex}",
	"{type: regex, pattern: 'a(b)?', flags: ims, full: true}",
	"{type: numeric, abs_tol: 0.01, rel_tol: 0.1, ignore: [commas, currency, percent, units], find: last}",
	"{type: numeric, find: first, ignore: []}",
	"{type: numeric, find: only}",
	"{type: choice, choices: 8}",
	"{type: choice, choices: [no, yes, 1], letters: false}",
	"{name: a.b_c-9, type: choice, choices: [red, dark blue]}",
	"{type: exact, extract: [first, {first: word}, {first: line}, last_number, fence, {fence: last}]}",
	"{type: exact, extract: [{strip: '*.'}, {strip: {chars: x}}, {regex: '(\\d+)'}]}",
	"{type: exact, extract: [{regex: {pattern: '(a)(b)', group: 2, flags: i, match: last}}]}",
};

static void every_scorer_that_a_suite_may_name_compiles(void **state)
{
	(void)state;
	static const struct file file = {
		"i", STR_INIT("{\"id\":\"1\",\"input\":\"Q\",\"target\":\"A\",\"choices\":[\"A\",\"no\"]}")
	};
	struct files files = { .list = &file, .count = 1 };
	struct suite_source source = { files_read, &files, 0 };
	for (size_t i = 0; i < ARRAY_LEN(scores); i++) {
		char yaml[500];
		struct error error = { .text = "" };
		struct suite *s;
		struct json_doc *doc;
		struct score_set *set;
		(void)snprintf(yaml, sizeof(yaml),
		               "schema: assay.suite.v1\nname: s\ntask: t\nitems: [i]\nscores: [%s]\n", scores[i]);
		assert_ok(suite_read(str_from(yaml), "s.yaml", &source, &s, &error), &error);
		assert_ok(json_parse(s->definition, &doc, &error), &error);
		assert_ok(score_compile(json_get(json_root(doc), "scores"), &set, &error), &error);
		assert_int_equal(score_count(set), 1);
		assert_str_equal(score_name(set, 0), s->metrics[0]);
		score_free(set);
		json_free(doc);
		suite_free(s);
	}
}

static void every_parameter_that_a_suite_may_set_is_understood(void **state)
{
	(void)state;
	static const struct file file = { "i", STR_INIT("{\"id\":\"1\",\"input\":\"Q\",\"target\":\"A\"}") };
	struct files files = { .list = &file, .count = 1 };
	struct suite_source source = { files_read, &files, 0 };
	static const char *const generates[] = {
		"{}",
		"{temperature: 0, top_p: 1, max_tokens: 1, seed: -5, stop: a, epochs: 3}",
		"{temperature: null, top_p: ~, max_tokens: null, seed: null, stop: null}",
		"{stop: [a, no, '1'], temperature: 100}",
	};
	for (size_t i = 0; i < ARRAY_LEN(generates); i++) {
		char yaml[500];
		struct arena arena;
		struct error error = { .text = "" };
		struct suite *s;
		struct json_doc *doc;
		struct provider_params params;
		(void)snprintf(
			yaml, sizeof(yaml),
			"schema: assay.suite.v1\nname: s\ntask: t\nitems: [i]\nscores: [{type: exact}]\ngenerate: %s\n",
			generates[i]);
		arena_init(&arena, 1 << 20);
		assert_ok(suite_read(str_from(yaml), "s.yaml", &source, &s, &error), &error);
		assert_ok(json_parse(s->definition, &doc, &error), &error);
		assert_ok(provider_params_parse(json_get(json_root(doc), "generate"), "generate", &arena, &params,
		                                &error),
		          &error);
		assert_int_equal(params.never, i == 2 ? 31 : 0);
		json_free(doc);
		suite_free(s);
		arena_done(&arena);
	}
}

static void every_model_that_is_let_through_is_understood(void **state)
{
	(void)state;
	static const char *const models[] = {
		"{name: m, provider: openai, base_url: 'http://127.0.0.1:8080/v1/'}",
		"{name: m, provider: openai_completions, base_url: 'https://[::1]:8080', key: k, model: M}",
		"{name: 'qwen2.5:7b', provider: openai, host: {command: x}, params: {stream: true, max_tokens: null}}",
		"{name: m, provider: openai, host: {command: x}, params: {top_p: 1, seed: 7, stop: [a, no]}}",
		"{name: m, provider: openai, host: {command: x}, params: {max_tokens: 9, temperature: 0.5}}",
		"{name: m, provider: openai, host: {command: x}, params: {max_tokens_field: max_tokens}}",
		"{name: m, provider: openai, host: {command: x}, params: {top_k: 40, logit_bias: {a: 1}}}",
		"{name: m, provider: openai, host: {command: x}, timeout_s: 5, limits: {concurrency: 3}}",
		"{name: m, provider: openai, host: {command: x}, price_per_mtok: {input: 1}}",
	};
	for (size_t i = 0; i < ARRAY_LEN(models); i++) {
		char yaml[500];
		struct arena arena;
		struct error error = { .text = "" };
		struct model_spec *list;
		size_t count;
		struct json_doc *doc;
		struct provider_model m;
		(void)snprintf(yaml, sizeof(yaml), "schema: assay.models.v1\nmodels:\n  - %s\n", models[i]);
		arena_init(&arena, 1 << 20);
		assert_ok(model_spec_read(str_from(yaml), "m.yaml", &arena, &list, &count, &error), &error);
		assert_ok(json_parse(list[0].config, &doc, &error), &error);
		assert_ok(provider_model_parse(json_root(doc), &arena, &m, &error), &error);
		assert_str_equal(m.key_alias, list[0].key_alias);
		assert_str_equal(m.model, list[0].model);
		assert_str_equal(m.host_command, list[0].host_command);
		json_free(doc);
		arena_done(&arena);
	}
}

int main(void)
{
	json_start();
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_scorer_that_a_suite_may_name_compiles),
		cmocka_unit_test(every_parameter_that_a_suite_may_set_is_understood),
		cmocka_unit_test(every_model_that_is_let_through_is_understood),
	};
	return cmocka_run_group_tests_name("worker agrees", tests, NULL, NULL);
}
