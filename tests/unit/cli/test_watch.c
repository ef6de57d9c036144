/* Goal: the progress line says what the run document says, whatever is missing from it; a state has its exit status. */
#include "coordinator/cli/watch.h"
#include "tests/support/cmocka_all.h"
#include "tests/support/gen.h"

static void line_of(const char *json, char out[WATCH_LINE_BYTES])
{
	struct json_doc *doc;
	struct error e;
	assert_ok(json_parse(str_from(json), &doc, &e), &e);
	watch_line(json_root(doc), out);
	json_free(doc);
}

static void a_line_shows_share_rate_time_failures_and_money(void **state)
{
	(void)state;
	static const struct {
		const char *json, *line;
	} cases[] = {
		{ "{\"progress\":{\"total\":1000,\"done\":412,\"per_second\":3.1,\"eta_ms\":190000,\"failed_attempts\":"
		  "2,"
		  "\"cost_nanousd\":840000000}}",
		  "[########------------] 412/1000  41%  3.1/s  ETA 3m10s  err 2  $0.84" },
		{ "{\"progress\":{\"total\":10,\"done\":10,\"per_second\":120.04,\"eta_ms\":null,\"failed_attempts\":0,"
		  "\"cost_nanousd\":0}}",
		  "[####################] 10/10  100%  120.0/s  ETA -  err 0" },
		{ "{\"progress\":{\"total\":5,\"done\":0,\"eta_ms\":7261000}}",
		  "[--------------------] 0/5  0%  0.0/s  ETA 2h01m  err 0" },
		{ "{\"progress\":{\"total\":3,\"done\":1,\"eta_ms\":999}}",
		  "[######--------------] 1/3  33%  0.0/s  ETA 0s  err 0" },
		{ "{}", "[--------------------] 0/0  0%  0.0/s  ETA -  err 0" },
		{ "{\"progress\":{\"total\":2,\"done\":1},\"waiting_for\":[{\"cause\":\"no_worker\",\"text\":\"no "
		  "worker is "
		  "connected\"}]}",
		  "[##########----------] 1/2  50%  0.0/s  ETA -  err 0  no worker is connected" },
		{ "{\"progress\":{\"total\":2,\"done\":1},\"waiting_for\":[{\"cause\":\"in_flight\",\"text\":\"all are "
		  "with "
		  "workers\"}]}",
		  "[##########----------] 1/2  50%  0.0/s  ETA -  err 0" },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char line[WATCH_LINE_BYTES];
		line_of(cases[i].json, line);
		assert_string_equal(line, cases[i].line);
	}
}

static void hostile_numbers_and_texts_stay_inside_the_line(void **state)
{
	(void)state;
	static const char *const jsons[] = {
		"{\"progress\":{\"total\":1,\"done\":9223372036854775807,\"per_second\":1e308,\"eta_ms\":"
		"9223372036854775807,"
		"\"failed_attempts\":-9223372036854775807,\"cost_nanousd\":9223372036854775807}}",
		"{\"progress\":{\"total\":10,\"done\":-5}}",
		"{\"progress\":{\"total\":-10,\"done\":5}}",
		"{\"progress\":{\"total\":10,\"done\":11}}",
		"{\"progress\":[],\"waiting_for\":{}}",
	};
	for (size_t i = 0; i < ARRAY_LEN(jsons); i++) {
		char line[WATCH_LINE_BYTES];
		line_of(jsons[i], line);
		assert_in_range(strlen(line), 1, WATCH_LINE_BYTES - 1);
		assert_int_equal(line[21], ']');
	}
}

static void any_json_gives_a_line(void **state)
{
	(void)state;
	struct rng rng;
	for (struct gen_seeds s = gen_seeds(200); gen_next(&s, &rng);) {
		struct buf text;
		struct json_doc *doc;
		struct error e;
		char line[WATCH_LINE_BYTES];
		buf_init(&text, 1 << 20);
		assert_true(buf_append_c(&text, "{\"progress\":"));
		gen_json(&rng, &text, 3);
		assert_true(buf_append_c(&text, ",\"waiting_for\":"));
		gen_json(&rng, &text, 3);
		assert_true(buf_append_c(&text, "}"));
		if (json_parse(buf_str(&text), &doc, &e) == ERR_OK) {
			watch_line(json_root(doc), line);
			assert_in_range(strlen(line), 1, WATCH_LINE_BYTES - 1);
			json_free(doc);
		}
		buf_done(&text);
	}
}

static void a_state_has_its_exit_status(void **state)
{
	(void)state;
	assert_int_equal(watch_exit("done"), CLI_OK);
	assert_int_equal(watch_exit("decided"), CLI_OK);
	assert_int_equal(watch_exit("cancelled"), CLI_INCOMPLETE);
	assert_int_equal(watch_exit("incomplete"), CLI_INCOMPLETE);
	assert_int_equal(watch_exit("over_budget"), CLI_INCOMPLETE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_shows_share_rate_time_failures_and_money),
		cmocka_unit_test(hostile_numbers_and_texts_stay_inside_the_line),
		gen_property(any_json_gives_a_line),
		cmocka_unit_test(a_state_has_its_exit_status),
	};
	json_start();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
