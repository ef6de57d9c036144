/* Goal: a sample ends in exactly one record; every ask has its own; an answer is kept before it is scored. */
#include "common/base/mem.h"
#include "tests/support/cmocka_all.h"
#include "worker/exec/exec.h"

static const char context_json[] =
	"{\"model\":{\"name\":\"m\",\"provider\":\"openai\",\"base_url\":\"http://h/"
	"v1\",\"model\":\"m-1\",\"key\":\"k\","
	"\"params\":{\"temperature\":0}},"
	"\"generate\":{\"system\":\"Be brief.\",\"prompt\":\"{{input}}?\",\"max_tokens\":9},"
	"\"scores\":[{\"name\":\"correct\",\"type\":\"exact\"},{\"name\":\"has\",\"type\":\"includes\"}],"
	"\"suite_items\":10}";
static const char good_body[] =
	"{\"id\":\"r-1\",\"model\":\"m-1-real\",\"system_fingerprint\":\"fp\",\"choices\":[{\"index\":0,"
	"\"message\":{\"role\":\"assistant\",\"content\":\"Paris\"},\"finish_reason\":\"stop\"}],"
	"\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":2,\"total_tokens\":9}}";

struct fixture {
	struct exec_runs runs;
	struct exec_run *run;
	struct exec *exec;
	struct record *held[16]; /* given to the outbox, not yet acknowledged */
	size_t held_count;
	struct record *last; /* the latest that was kept; stays readable */
	struct buf trace;
	uint64_t now_ms;
	uint64_t ask_id;
	uint32_t wait_ms;
	char url[256], body[4096];
	bool over;
};

static void trace_action(struct fixture *f, const struct exec_action *a)
{
	struct buf *t = &f->trace;
	switch (a->kind) {
	case EXEC_DO_ASK:
		assert_true(a->ask.ask_id != 0 && a->ask.ask_id != f->ask_id);
		f->ask_id = a->ask.ask_id;
		(void)snprintf(f->url, sizeof(f->url), "%.*s", STR_ARG(a->ask.url));
		(void)snprintf(f->body, sizeof(f->body), "%.*s", STR_ARG(a->ask.body));
		(void)buf_printf(t, "ask %u ms\n", a->ask.timeout_ms);
		return;
	case EXEC_DO_CANCEL:
		(void)buf_append_c(t, "cancel\n");
		return;
	case EXEC_DO_ENDED:
		assert_true(a->ended.ask_id != 0);
		f->wait_ms = a->ended.wait_ms;
		(void)buf_printf(t, "ended %s%s%s\n", error_class_name(a->ended.class), a->ended.waits ? " waits" : "",
		                 a->ended.paced ? " paced" : "");
		return;
	case EXEC_DO_KEEP:
		f->held[f->held_count++] = a->record;
		(void)buf_printf(t, "keep %s%s\n",
		                 a->record->m.kind == RECORD_RESULT ? outcome_name(a->record->m.outcome)
		                 : a->record->m.kind == RECORD_RAW  ? "answer"
		                                                    : error_class_name(a->record->m.error_class),
		                 a->record->ends_sample ? " at last" : "");
		return;
	case EXEC_DO_SCORE:
		(void)buf_append_c(t, "score\n");
		return;
	case EXEC_DO_FINISH:
		(void)buf_append_c(t, "finish\n");
		f->over = true;
		return;
	}
}

static void step(struct fixture *f, struct exec_event ev)
{
	struct exec_action out[EXEC_ACTIONS_MAX];
	ev.now_ms = f->now_ms;
	ev.wall_ms = 1700000000000;
	size_t count = exec_step(f->exec, &ev, out);
	for (size_t i = 0; i < count; i++)
		trace_action(f, &out[i]);
}

static void slot(struct fixture *f)
{
	step(f, (struct exec_event){ .kind = EXEC_EV_SLOT });
}

static void reply(struct fixture *f, int status, const char *headers, struct str body)
{
	struct exec_event ev = { .kind = EXEC_EV_REPLY };
	ev.reply.reply = (struct provider_reply){ .status = status, .headers = str_from(headers), .body = body };
	ev.reply.elapsed_ms = 120;
	ev.reply.first_byte_ms = 80;
	step(f, ev);
}

static void transport(struct fixture *f, enum error_class class)
{
	struct exec_event ev = { .kind = EXEC_EV_REPLY };
	ev.reply.reply = (struct provider_reply){ .transport = class, .transport_text = STR("connection refused") };
	step(f, ev);
}

static void kept(struct fixture *f)
{
	assert_true(f->held_count > 0);
	record_free(f->last);
	f->last = f->held[0];
	f->held_count--;
	memmove(f->held, f->held + 1, f->held_count * sizeof(f->held[0]));
	step(f, (struct exec_event){ .kind = EXEC_EV_KEPT });
}

static void scored(struct fixture *f)
{
	exec_score(f->exec);
	step(f, (struct exec_event){ .kind = EXEC_EV_SCORED });
}

static void expect(struct fixture *f, const char *text)
{
	assert_str_equal_c(buf_str(&f->trace), text);
	buf_clear(&f->trace);
}

static struct exec_spec spec_of(struct fixture *f, uint32_t attempts_left, uint32_t time_left_ms, const char *item)
{
	return (struct exec_spec){ .key = { 7, 23, 0, 0 },
		                   .run = f->run,
		                   .item = str_from(item),
		                   .attempts_left = attempts_left,
		                   .time_left_ms = time_left_ms,
		                   .seed = 5 };
}

static void make(struct fixture *f, const char *context, uint32_t attempts_left, uint32_t time_left_ms,
                 const char *item)
{
	struct exec_context *c = exec_context_new((struct hash){ { 1 } }, str_from(context));
	f->run = exec_runs_get(&f->runs, c);
	exec_context_unref(c);
	struct exec_spec spec = spec_of(f, attempts_left, time_left_ms, item);
	f->exec = exec_new(&spec);
}

static void make_plain(struct fixture *f, uint32_t attempts_left, uint32_t time_left_ms)
{
	make(f, context_json, attempts_left, time_left_ms,
	     "{\"id\":\"a\",\"input\":\"Capital of France\",\"target\":\"Paris\"}");
}

static int setup(void **state)
{
	struct fixture *f = mem_new(1, sizeof(*f));
	json_start();
	exec_runs_init(&f->runs);
	buf_init(&f->trace, 1 << 20);
	f->now_ms = 1000;
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	for (size_t i = 0; i < f->held_count; i++)
		record_free(f->held[i]);
	record_free(f->last);
	exec_free(f->exec);
	if (f->run)
		exec_runs_put(&f->runs, f->run);
	exec_runs_done(&f->runs);
	buf_done(&f->trace);
	mem_free(f);
	return 0;
}

static void an_answer_is_kept_then_scored_then_its_result_is_kept(void **state)
{
	struct fixture *f = *state;
	make_plain(f, 3, 60000);
	slot(f);
	expect(f, "ask 60000 ms\n");
	assert_string_equal(f->url, "http://h/v1/chat/completions");
	assert_non_null(strstr(f->body, "\"Capital of France?\""));
	assert_non_null(strstr(f->body, "Be brief."));
	reply(f, 200, "", str_from(good_body));
	expect(f, "keep answer\n"); /* the slot stays its own until the answer is on disk */
	assert_str_equal_c(f->held[0]->item, "{\"id\":\"a\",\"input\":\"Capital of France\",\"target\":\"Paris\"}");
	assert_str_equal_c(f->held[0]->context->json, context_json);
	kept(f);
	expect(f, "ended none\nscore\n");
	scored(f);
	expect(f, "keep scored at last\n");
	kept(f);
	expect(f, "finish\n");
	const struct msg_record *m = &f->last->m;
	assert_int_equal(m->run_id, 7);
	assert_int_equal(m->sample_no, 23);
	assert_int_equal(m->ask_id, f->ask_id);
	assert_int_equal(m->attempt_count, 1);
	assert_int_equal(m->http_status, 200);
	assert_int_equal(m->tokens_in, 7);
	assert_int_equal(m->tokens_out, 2);
	assert_int_equal(m->latency_ms, 120);
	assert_int_equal(m->first_byte_ms, 80);
	assert_int_equal(m->cost_nanousd, -1);
	assert_str_equal_c(m->returned_model, "m-1-real");
	assert_str_equal_c(m->fingerprint, "fp");
	assert_str_equal_c(m->stop_reason, "stop");
	assert_str_equal_c(m->answer, "Paris");
	assert_str_equal_c(m->response, good_body);
	assert_str_equal_c(m->request, f->body);
	assert_int_equal(m->score_count, 2);
	assert_true(m->scores[0].has_value && m->scores[0].value == 1.0);
	assert_int_equal(m->scores[1].metric, 1);
}

static void a_wrong_answer_is_scored_zero_not_missing(void **state)
{
	struct fixture *f = *state;
	make(f, context_json, 1, 0, "{\"id\":\"a\",\"input\":\"x\",\"target\":\"Rome\"}");
	slot(f);
	expect(f, "ask 600000 ms\n");
	reply(f, 200, "", str_from(good_body));
	kept(f);
	scored(f);
	kept(f);
	assert_int_equal(f->last->m.outcome, OUTCOME_SCORED);
	assert_true(f->last->m.scores[0].has_value && f->last->m.scores[0].value == 0.0);
}

static void a_scorer_without_a_target_leaves_the_answer_unscored_with_its_reason(void **state)
{
	struct fixture *f = *state;
	make(f, context_json, 1, 0, "{\"id\":\"a\",\"input\":\"x\"}");
	slot(f);
	reply(f, 200, "", str_from(good_body));
	kept(f);
	scored(f);
	kept(f);
	assert_int_equal(f->last->m.outcome, OUTCOME_UNSCORED);
	assert_false(f->last->m.scores[0].has_value);
	assert_str_equal_c(f->last->m.scores[0].reason, "no_target");
}

static void a_failure_that_may_pass_gives_the_slot_back_and_asks_again(void **state)
{
	struct fixture *f = *state;
	make_plain(f, 3, 60000);
	slot(f);
	reply(f, 500, "", STR("busy"));
	expect(f, "ask 60000 ms\nended server waits\nkeep server\n");
	assert_in_range(f->wait_ms, 1, 500);
	uint64_t first = f->ask_id;
	kept(f);
	assert_int_equal(f->last->m.ask_id, first);
	assert_int_equal(f->last->m.http_status, 500);
	assert_str_equal_c(f->last->m.response, "busy");
	f->now_ms += 400;
	slot(f);
	expect(f, "ask 59600 ms\n");
	reply(f, 200, "", str_from(good_body));
	kept(f);
	expect(f, "keep answer\nended none\nscore\n");
	scored(f);
	kept(f);
	assert_int_equal(f->last->m.attempt_count, 2);
}

static void an_attempt_that_is_not_on_disk_yet_does_not_hold_up_the_next_ask(void **state)
{
	struct fixture *f = *state;
	make_plain(f, 3, 60000);
	slot(f);
	transport(f, CLASS_CONNECT);
	slot(f);
	reply(f, 200, "", str_from(good_body));
	expect(f, "ask 60000 ms\nended connect waits\nkeep connect\nask 60000 ms\nkeep answer\n");
	kept(f); /* the attempt */
	expect(f, "");
	kept(f); /* the answer */
	expect(f, "ended none\nscore\n");
}

static void the_last_attempt_is_given_up_on_and_ends_the_sample(void **state)
{
	struct fixture *f = *state;
	make_plain(f, 2, 60000);
	slot(f);
	transport(f, CLASS_TIMEOUT);
	slot(f);
	transport(f, CLASS_TIMEOUT);
	expect(f, "ask 60000 ms\nended timeout waits\nkeep timeout\n"
	          "ask 60000 ms\nended timeout\nkeep timeout at last\n");
	kept(f);
	expect(f, "");
	kept(f);
	expect(f, "finish\n");
	assert_true(f->last->m.given_up);
	assert_int_equal(f->last->m.attempt_count, 2);
}

static void a_failure_that_no_retry_mends_ends_the_sample_at_once(void **state)
{
	struct fixture *f = *state;
	make_plain(f, 9, 60000);
	slot(f);
	reply(f, 401, "", STR("{\"error\":{\"message\":\"bad key\"}}"));
	expect(f, "ask 60000 ms\nended auth\nkeep auth at last\n");
	assert_str_equal_c(f->held[0]->m.evidence, "bad key\nbody: {\"error\":{\"message\":\"bad key\"}}");
}

static void a_retry_after_is_obeyed_and_the_route_is_to_wait(void **state)
{
	struct fixture *f = *state;
	make_plain(f, 3, 60000);
	slot(f);
	reply(f, 429, "Retry-After: 7\r\n", STR("{\"error\":{\"message\":\"slow down\"}}"));
	expect(f, "ask 60000 ms\nended rate_limited waits paced\nkeep rate_limited\n");
	assert_in_range(f->wait_ms, 7000, 7800);
	assert_int_equal(f->held[0]->m.retry_after_ms, 7000);
}

static void a_wait_longer_than_the_time_left_is_not_begun(void **state)
{
	struct fixture *f = *state;
	make_plain(f, 9, 5000);
	slot(f);
	reply(f, 429, "Retry-After: 7\r\n", STR("{}"));
	expect(f, "ask 5000 ms\nended rate_limited paced\nkeep rate_limited at last\n");
}

static void a_sample_whose_time_is_used_up_is_not_asked_again(void **state)
{
	struct fixture *f = *state;
	make_plain(f, 9, 5000);
	slot(f);
	transport(f, CLASS_CONNECT);
	f->now_ms += 5000; /* the slot came late */
	slot(f);
	expect(f, "ask 5000 ms\nended connect waits\nkeep connect\nended deadline\nkeep deadline at last\n");
}

static void backoff_grows_to_a_cap_with_full_jitter(void **state)
{
	struct fixture *f = *state;
	uint32_t longest_ms = 0;
	make_plain(f, 40, 0);
	for (uint32_t i = 1; i < 40; i++) {
		slot(f);
		transport(f, CLASS_TIMEOUT);
		uint64_t bound = MIN_OF((uint64_t)500 << MIN_OF(i - 1, 10U), (uint64_t)60000);
		assert_in_range(f->wait_ms, 1, bound);
		longest_ms = MAX_OF(longest_ms, f->wait_ms);
		kept(f);
	}
	assert_true(longest_ms > 40000);
}

static void what_worker_yaml_forbids_ends_the_sample_with_its_words(void **state)
{
	struct fixture *f = *state;
	make_plain(f, 9, 60000);
	slot(f);
	struct exec_event ev = { .kind = EXEC_EV_DENIED };
	ev.denied.class = CLASS_NOT_ALLOWED;
	ev.denied.text = STR("host h is not among allowed_hosts");
	step(f, ev);
	expect(f, "ask 60000 ms\nended not_allowed\nkeep not_allowed at last\n");
	assert_str_equal_c(f->held[0]->m.evidence, "host h is not among allowed_hosts");
	assert_int_equal(f->held[0]->m.http_status, 0);
}

static void a_prompt_that_cannot_be_made_is_our_own_fault_and_says_why(void **state)
{
	struct fixture *f = *state;
	make(f, context_json, 9, 60000, "{\"id\":\"a\",\"target\":\"Paris\"}");
	slot(f);
	expect(f, "ended harness\nkeep harness at last\n");
	assert_true(str_find(f->held[0]->m.evidence, STR("input")) >= 0);
}

static void an_item_that_is_not_json_is_our_own_fault(void **state)
{
	struct fixture *f = *state;
	make(f, context_json, 9, 60000, "{");
	slot(f);
	expect(f, "ended harness\nkeep harness at last\n");
}

static void a_run_context_that_does_not_compile_ends_each_of_its_samples_with_its_text(void **state)
{
	struct fixture *f = *state;
	make(f, "{\"model\":{\"name\":\"m\",\"provider\":\"nobody\"},\"generate\":{},\"scores\":[],\"suite_items\":1}",
	     9, 0, "{}");
	slot(f);
	expect(f, "ended harness\nkeep harness at last\n");
	assert_true(str_find(f->held[0]->m.evidence, STR("nobody")) >= 0);
}

static void a_cancelled_ask_is_an_attempt_that_was_abandoned(void **state)
{
	struct fixture *f = *state;
	make_plain(f, 9, 60000);
	slot(f);
	step(f, (struct exec_event){ .kind = EXEC_EV_CANCEL });
	step(f, (struct exec_event){ .kind = EXEC_EV_CANCEL });
	expect(f, "ask 60000 ms\ncancel\n");
	transport(f, CLASS_ABANDONED);
	expect(f, "ended abandoned\nkeep abandoned at last\n");
	kept(f);
	expect(f, "finish\n");
}

static void an_answer_that_came_before_the_cancellation_is_not_thrown_away(void **state)
{
	struct fixture *f = *state;
	make_plain(f, 9, 60000);
	slot(f);
	step(f, (struct exec_event){ .kind = EXEC_EV_CANCEL });
	reply(f, 200, "", str_from(good_body));
	kept(f);
	expect(f, "ask 60000 ms\ncancel\nkeep answer\nended none\nscore\n");
	step(f, (struct exec_event){ .kind = EXEC_EV_CANCEL });
	expect(f, "");
}

static void a_failure_after_the_cancellation_is_the_last(void **state)
{
	struct fixture *f = *state;
	make_plain(f, 9, 60000);
	slot(f);
	step(f, (struct exec_event){ .kind = EXEC_EV_CANCEL });
	transport(f, CLASS_TIMEOUT);
	expect(f, "ask 60000 ms\ncancel\nended timeout\nkeep timeout at last\n");
}

static void a_sample_that_waits_is_cancelled_without_a_record(void **state)
{
	struct fixture *f = *state;
	make_plain(f, 9, 60000);
	slot(f);
	transport(f, CLASS_CONNECT);
	step(f, (struct exec_event){ .kind = EXEC_EV_CANCEL });
	expect(f, "ask 60000 ms\nended connect waits\nkeep connect\n");
	kept(f); /* what it had to say is still kept first */
	expect(f, "finish\n");
}

static void an_answer_out_of_the_outbox_is_scored_without_being_asked(void **state)
{
	struct fixture *f = *state;
	struct exec_action out[EXEC_ACTIONS_MAX];
	size_t count = 0;
	make_plain(f, 1, 0);
	slot(f);
	reply(f, 200, "", str_from(good_body));
	struct record *answer = record_new(&f->held[0]->m, NULL, STR(""));
	exec_free(f->exec);
	buf_clear(&f->trace);
	struct exec_spec spec = spec_of(f, 0, 0, "{\"id\":\"a\",\"input\":\"Capital of France\",\"target\":\"Paris\"}");
	f->exec = exec_adopt(&spec, answer, out, &count);
	assert_int_equal(count, 1);
	trace_action(f, &out[0]);
	scored(f);
	expect(f, "score\nkeep scored at last\n");
	assert_int_equal(f->held[1]->m.ask_id, f->ask_id);
	assert_int_equal(f->held[1]->m.record_no, 0);
}

static void a_hosted_server_is_asked_at_its_address_and_named_in_the_fingerprint(void **state)
{
	struct fixture *f = *state;
	make(f,
	     "{\"model\":{\"name\":\"m\",\"provider\":\"openai\",\"host\":{\"command\":\"smol\"}},\"generate\":{},"
	     "\"scores\":[{\"name\":\"c\",\"type\":\"exact\"}],\"suite_items\":10}",
	     1, 0, "{\"id\":\"a\",\"input\":\"x\",\"target\":\"Paris\"}");
	struct exec_event ev = { .kind = EXEC_EV_SLOT };
	ev.slot.base_url = STR("http://127.0.0.1:8123");
	step(f, ev);
	assert_string_equal(f->url, "http://127.0.0.1:8123/v1/chat/completions");
	ev = (struct exec_event){ .kind = EXEC_EV_REPLY };
	ev.reply.reply = (struct provider_reply){ .status = 200, .body = str_from(good_body) };
	ev.reply.fingerprint_prefix = STR("smol:abc");
	step(f, ev);
	assert_str_equal_c(f->held[0]->m.fingerprint, "smol:abc fp");
}

static void an_answer_that_fits_no_record_is_too_large(void **state)
{
	struct fixture *f = *state;
	struct buf body;
	buf_init(&body, 4 << 20);
	(void)buf_append_c(&body, "{\"choices\":[{\"message\":{\"content\":\"");
	for (int i = 0; i < 600000; i++)
		(void)buf_append_char(&body, 'x');
	(void)buf_append_c(&body, "\"},\"finish_reason\":\"stop\"}]}");
	make_plain(f, 9, 0);
	slot(f);
	reply(f, 200, "", buf_str(&body));
	expect(f, "ask 600000 ms\nended too_large\nkeep too_large at last\n");
	assert_int_equal(f->held[0]->m.response.len, RECORD_EVIDENCE_BYTES_MAX);
	buf_done(&body);
}

static void later_epochs_ask_with_another_seed(void **state)
{
	struct fixture *f = *state;
	make(f,
	     "{\"model\":{\"name\":\"m\",\"provider\":\"openai\",\"base_url\":\"http://"
	     "h\"},\"generate\":{\"seed\":100},"
	     "\"scores\":[{\"name\":\"c\",\"type\":\"exact\"}],\"suite_items\":10}",
	     1, 0, "{\"id\":\"a\",\"input\":\"x\",\"target\":\"Paris\"}");
	slot(f); /* sample 23 of 10 items: epoch 2 */
	assert_non_null(strstr(f->body, "\"seed\":102"));
}

static void a_sample_that_was_asked_when_its_server_died_is_given_back_at_once(void **state)
{
	struct fixture *f = *state;
	make(f, context_json, 5, 0, "{\"id\":\"a\",\"input\":\"Capital\",\"target\":\"Paris\"}");
	slot(f);
	transport(f, CLASS_HOST_FAILED); /* the server had not even taken the request: another try */
	expect(f, "ask 600000 ms\nended host_failed waits\nkeep host_failed\n");
	kept(f);
	slot(f);
	struct exec_event ev = { .kind = EXEC_EV_REPLY };
	ev.reply.reply = (struct provider_reply){ .transport = CLASS_HOST_FAILED, .transport_text = STR("closed") };
	ev.reply.elapsed_ms = 1;
	step(f, ev);
	expect(f, "ask 600000 ms\nended host_failed\nkeep host_failed at last\n");
	assert_int_equal(f->held[0]->m.latency_ms, 1); /* by which the coordinator knows it for a death */
	kept(f);
	expect(f, "finish\n");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(an_answer_is_kept_then_scored_then_its_result_is_kept),
		TEST(a_wrong_answer_is_scored_zero_not_missing),
		TEST(a_scorer_without_a_target_leaves_the_answer_unscored_with_its_reason),
		TEST(a_failure_that_may_pass_gives_the_slot_back_and_asks_again),
		TEST(an_attempt_that_is_not_on_disk_yet_does_not_hold_up_the_next_ask),
		TEST(the_last_attempt_is_given_up_on_and_ends_the_sample),
		TEST(a_failure_that_no_retry_mends_ends_the_sample_at_once),
		TEST(a_retry_after_is_obeyed_and_the_route_is_to_wait),
		TEST(a_wait_longer_than_the_time_left_is_not_begun),
		TEST(a_sample_whose_time_is_used_up_is_not_asked_again),
		TEST(backoff_grows_to_a_cap_with_full_jitter),
		TEST(what_worker_yaml_forbids_ends_the_sample_with_its_words),
		TEST(a_prompt_that_cannot_be_made_is_our_own_fault_and_says_why),
		TEST(an_item_that_is_not_json_is_our_own_fault),
		TEST(a_run_context_that_does_not_compile_ends_each_of_its_samples_with_its_text),
		TEST(a_cancelled_ask_is_an_attempt_that_was_abandoned),
		TEST(an_answer_that_came_before_the_cancellation_is_not_thrown_away),
		TEST(a_failure_after_the_cancellation_is_the_last),
		TEST(a_sample_that_waits_is_cancelled_without_a_record),
		TEST(an_answer_out_of_the_outbox_is_scored_without_being_asked),
		TEST(a_hosted_server_is_asked_at_its_address_and_named_in_the_fingerprint),
		TEST(an_answer_that_fits_no_record_is_too_large),
		TEST(later_epochs_ask_with_another_seed),
		TEST(a_sample_that_was_asked_when_its_server_died_is_given_back_at_once),
	};
	return cmocka_run_group_tests_name("exec", tests, NULL, NULL);
}
