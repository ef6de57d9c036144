/* Goal: a run context is compiled once, kept while it is used, and never grows without bound; records own their texts.
 */
#include "tests/support/cmocka_all.h"
#include "worker/exec/exec_run.h"
#include "worker/exec/record.h"
#include <stdio.h>

static struct exec_context *context_of(unsigned number, const char *json)
{
	struct hash hash = { { 0 } };
	hash.bytes[0] = (uint8_t)number;
	hash.bytes[1] = (uint8_t)(number >> 8);
	return exec_context_new(hash, str_from(json));
}

static struct exec_run *get(struct exec_runs *runs, unsigned number, const char *json)
{
	struct exec_context *c = context_of(number, json);
	struct exec_run *run = exec_runs_get(runs, c);
	exec_context_unref(c);
	return run;
}

static const char good[] =
	"{\"model\":{\"name\":\"m\",\"provider\":\"openai\",\"base_url\":\"http://h\",\"timeout_s\":30},"
	"\"generate\":{\"prompt\":\"{{input}}\"},\"scores\":[{\"name\":\"c\",\"type\":\"exact\"}],"
	"\"suite_items\":160}";

static void a_context_is_compiled_once(void **state)
{
	(void)state;
	struct exec_runs runs;
	exec_runs_init(&runs);
	struct exec_run *a = get(&runs, 1, good), *b = get(&runs, 1, good);
	assert_ptr_equal(a, b);
	assert_int_equal(a->broken.code, ERR_OK);
	assert_int_equal(a->suite_items, 160);
	assert_int_equal(a->ask_timeout_ms, 30000);
	exec_runs_put(&runs, a);
	exec_runs_put(&runs, b);
	assert_ptr_equal(get(&runs, 1, good), a);
	exec_runs_put(&runs, a);
	exec_runs_done(&runs);
}

static void a_broken_context_keeps_its_reason(void **state)
{
	(void)state;
	static const struct {
		const char *json, *word;
	} cases[] = {
		{ "{", "line" },
		{ "[]", "model" },
		{ "{\"model\":{\"name\":\"m\",\"provider\":\"openia\"},\"suite_items\":1}", "openia" },
		{ "{\"model\":{\"name\":\"m\",\"provider\":\"openai\",\"base_url\":\"http://h\"},\"generate\":{},"
		  "\"scores\":[{\"name\":\"c\",\"type\":\"exactly\"}],\"suite_items\":1}",
		  "scores[0]" },
		{ "{\"model\":{\"name\":\"m\",\"provider\":\"openai\",\"base_url\":\"http://h\"},\"generate\":{},"
		  "\"scores\":[{\"name\":\"c\",\"type\":\"exact\"}]}",
		  "suite_items" },
	};
	struct exec_runs runs;
	exec_runs_init(&runs);
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		struct exec_run *run = get(&runs, i, cases[i].json);
		if (run->broken.code == ERR_OK || !strstr(run->broken.text, cases[i].word))
			fail_msg("case %u gave '%s'", i, run->broken.text);
		exec_runs_put(&runs, run);
	}
	exec_runs_done(&runs);
}

static void the_least_recently_used_goes_first_but_never_one_in_use(void **state)
{
	(void)state;
	struct exec_runs runs;
	exec_runs_init(&runs);
	struct exec_run *used = get(&runs, 0, good);
	for (unsigned i = 1; i <= 100; i++)
		exec_runs_put(&runs, get(&runs, i, good));
	assert_int_equal(runs.count, EXEC_RUNS_KEPT);
	assert_ptr_equal(get(&runs, 0, good), used);
	exec_runs_put(&runs, used);
	exec_runs_put(&runs, used);
	struct exec_run *held[EXEC_RUNS_KEPT + 5];
	for (unsigned i = 0; i < ARRAY_LEN(held); i++)
		held[i] = get(&runs, 200 + i, good);
	assert_in_range(runs.count, ARRAY_LEN(held), ARRAY_LEN(held) + 1); /* more than it keeps, all in use */
	for (unsigned i = 0; i < ARRAY_LEN(held); i++)
		exec_runs_put(&runs, held[i]);
	exec_runs_done(&runs);
}

static void a_record_has_its_own_copy_of_every_text(void **state)
{
	(void)state;
	char response[] = "raw", reason[] = "why", item[] = "{}";
	struct msg_score scores[1] = { { .metric = 3, .reason = str_from(reason) } };
	struct msg_record m = {
		.kind = RECORD_RAW, .response = str_from(response), .scores = scores, .score_count = 1
	};
	struct exec_context *c = context_of(1, good);
	struct record *r = record_new(&m, c, str_from(item));
	exec_context_unref(c);
	memset(response, 'x', 3);
	memset(reason, 'x', 3);
	memset(item, 'x', 2);
	scores[0].metric = 9;
	assert_str_equal_c(r->m.response, "raw");
	assert_str_equal_c(r->m.scores[0].reason, "why");
	assert_int_equal(r->m.scores[0].metric, 3);
	assert_str_equal_c(r->item, "{}");
	assert_str_equal_c(r->context->json, good);
	assert_true(r->is_answer);
	assert_false(r->ends_sample);
	record_free(r);
	record_free(NULL);
}

static void a_result_and_a_given_up_attempt_end_their_sample(void **state)
{
	(void)state;
	struct msg_record result = { .kind = RECORD_RESULT }, attempt = { .kind = RECORD_ATTEMPT }, last = attempt;
	last.given_up = true;
	struct record *records[] = { record_new(&result, NULL, STR("")), record_new(&attempt, NULL, STR("")),
		                     record_new(&last, NULL, STR("")) };
	assert_true(records[0]->ends_sample);
	assert_false(records[1]->ends_sample);
	assert_true(records[2]->ends_sample);
	for (size_t i = 0; i < ARRAY_LEN(records); i++)
		record_free(records[i]);
}

int main(void)
{
	json_start();
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_context_is_compiled_once),
		cmocka_unit_test(a_broken_context_keeps_its_reason),
		cmocka_unit_test(the_least_recently_used_goes_first_but_never_one_in_use),
		cmocka_unit_test(a_record_has_its_own_copy_of_every_text),
		cmocka_unit_test(a_result_and_a_given_up_attempt_end_their_sample),
	};
	return cmocka_run_group_tests_name("exec runs and records", tests, NULL, NULL);
}
