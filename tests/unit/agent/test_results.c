/* Goal: every record arrives and is trimmed exactly when it was committed; the window is never exceeded. */
#include "tests/unit/agent/agent_fixture.h"

static void result(struct fixture *f) /* one that belongs to no sample that lives */
{
	kept(f, 0);
}

static void big_result(struct fixture *f, uint32_t bytes)
{
	static char response[700 << 10];
	kept_of(f, 0,
	        (struct msg_record){
			.kind = RECORD_RESULT, .outcome = OUTCOME_SCORED, .response = str_make(response, bytes) });
}

static void a_lone_result_goes_at_once_and_others_wait_a_moment_for_company(void **state)
{
	struct fixture *f = *state;
	connect_first(f);
	result(f);
	expect(f, "1000 send c1 results 1\n");
	result(f);
	f->now_ms = 1002;
	result(f);
	expect(f, "");
	until(f, 1005);
	expect(f, "1005 send c1 results 2 3\n");
}

static void never_more_frames_than_the_window_has(void **state)
{
	struct fixture *f = *state;
	connect_first(f);
	for (int i = 0; i < 6; i++) {
		result(f);
		until(f, f->now_ms + 10);
	}
	expect(f, "1000 send c1 results 1\n"
	          "1015 send c1 results 2\n"
	          "1025 send c1 results 3\n"
	          "1035 send c1 results 4\n");
	commit(f, 1, 2, 2);
	expect(f, "1060 trim 2-2\n"
	          "1060 send c1 results 5 6\n");
}

static void never_more_bytes_than_the_window_has(void **state)
{
	struct fixture *f = *state;
	connect_first(f);
	big_result(f, 600 << 10);
	big_result(f, 600 << 10);
	until(f, 1100);
	expect(f, "1000 send c1 results 1\n");
	commit(f, 1, 1, 1);
	expect(f, "1100 trim 1-1\n"
	          "1100 send c1 results 2\n");
}

static void a_frame_that_is_committed_in_part_keeps_its_room(void **state)
{
	struct fixture *f = *state;
	connect_first(f);
	f->session[2] = 0;
	big_result(f, 100);
	big_result(f, 300 << 10);
	big_result(f, 300 << 10);
	big_result(f, 500 << 10);
	until(f, 1100);
	expect(f, "1000 send c1 results 1\n"
	          "1005 send c1 results 2 3\n");
	commit(f, 1, 2, 2);
	expect(f, "1100 trim 2-2\n");
	commit(f, 1, 3, 3);
	expect(f, "1100 trim 3-3\n"
	          "1100 send c1 results 4\n");
}

static void what_is_not_committed_is_sent_again_after_the_resend_time(void **state)
{
	struct fixture *f = *state;
	connect_first(f);
	result(f);
	for (uint64_t i = 2; i <= 6; i++) {
		until(f, i * 1000);
		renewed(f, 1, i);
	}
	assert_true(trace_has(f, "6000 send c1 results 1"));
	forget(f);
	commit(f, 1, 1, 1);
	for (uint64_t i = 7; i <= 14; i++) {
		until(f, i * 1000);
		renewed(f, 1, i);
	}
	assert_false(trace_has(f, "results"));
}

static void what_is_not_committed_is_sent_again_after_each_welcome_lowest_first(void **state)
{
	struct fixture *f = *state;
	connect_first(f);
	result(f);
	result(f);
	until(f, 1010);
	result(f);
	commit(f, 1, 2, 2);
	lost(f, 1);
	until(f, 1100);
	opened(f, 2);
	forget(f);
	welcome(f, 2, 1, 1);
	expect(f, "1100 send c2 results 1 3\n"
	          "1100 send c2 renew 1 want 4 seen 0\n");
}

static void a_commit_names_exactly_its_records(void **state)
{
	struct fixture *f = *state;
	struct agent_status s;
	connect_first(f);
	for (int i = 0; i < 5; i++)
		result(f);
	until(f, 1010);
	forget(f);
	static const struct record_range ranges[] = { { 2, 3 }, { 5, 5 }, { 100, UINT64_MAX } };
	frame(f, 1, (struct msg){ .kind = MSG_COMMIT, .commit = { f->config.outbox, ranges, 3 } });
	turn(f);
	expect(f, "1010 trim 2-3 5-5 100-18446744073709551615\n");
	agent_status(f->agent, &s);
	assert_int_equal(s.records, 2);
	commit(f, 1, 0, UINT64_MAX);
	agent_status(f->agent, &s);
	assert_int_equal(s.records, 0);
}

static void a_commit_for_another_outbox_commits_nothing(void **state)
{
	struct fixture *f = *state;
	struct agent_status s;
	connect_first(f);
	result(f);
	forget(f);
	static const struct record_range all = { 0, UINT64_MAX };
	frame(f, 1, (struct msg){ .kind = MSG_COMMIT, .commit = { { { 8 } }, &all, 1 } });
	turn(f);
	expect(f, "");
	agent_status(f->agent, &s);
	assert_int_equal(s.records, 1);
	assert_int_equal(s.foreign_commit_count, 1);
}

static void a_record_that_comes_twice_is_one(void **state)
{
	struct fixture *f = *state;
	struct agent_status s;
	connect_first(f);
	kept_of(f, 0, (struct msg_record){ .kind = RECORD_RESULT, .outcome = OUTCOME_SCORED, .record_no = 5 });
	kept_of(f, 0, (struct msg_record){ .kind = RECORD_RESULT, .outcome = OUTCOME_SCORED, .record_no = 5 });
	agent_status(f->agent, &s);
	assert_int_equal(s.records, 1);
}

static void records_of_an_earlier_life_are_loaded_once_connected(void **state)
{
	struct fixture *f = *state;
	f->config.unloaded = 2;
	make_agent(f);
	turn(f);
	opened(f, 1);
	assert_false(trace_has(f, "load"));
	welcome(f, 1, 1, 1);
	assert_true(trace_has(f, "1000 load\n"));
	forget(f);
	kept_of(f, 0, (struct msg_record){ .kind = RECORD_RESULT, .outcome = OUTCOME_SCORED, .record_no = 3 });
	kept_of(f, 0, (struct msg_record){ .kind = RECORD_RESULT, .outcome = OUTCOME_SCORED, .record_no = 4 });
	feed(f, (struct agent_event){ .kind = AGENT_EV_OUTBOX, .outbox = { true, 0 } });
	until(f, 1005);
	expect(f, "1000 send c1 results 3\n"
	          "1005 send c1 results 4\n");
}

static void another_timeline_brings_back_what_was_committed_lately(void **state)
{
	struct fixture *f = *state;
	connect_first(f);
	result(f);
	commit(f, 1, 1, 1);
	forget(f);
	frame(f, 1,
	      (struct msg){ .kind = MSG_RENEWED,
	                    .renewed = { .renew_no = 1, .term = 1, .timeline = 2, .lease_ms = 3000 } });
	turn(f);
	expect(f, ""); /* an old answer says nothing new */
	until(f, 2000);
	frame(f, 1,
	      (struct msg){ .kind = MSG_RENEWED,
	                    .renewed = { .renew_no = 2, .term = 1, .timeline = 2, .lease_ms = 3000 } });
	turn(f);
	assert_true(trace_has(f, "2000 reopen\n"));
	forget(f);
	feed(f, (struct agent_event){ .kind = AGENT_EV_OUTBOX, .outbox = { true, 1 } });
	turn(f);
	expect(f, "2000 load\n");
	kept_of(f, 0, (struct msg_record){ .kind = RECORD_RESULT, .outcome = OUTCOME_SCORED, .record_no = 1 });
	assert_true(trace_has(f, "2000 send c1 results 1"));
}

static void a_full_window_stops_new_work(void **state)
{
	struct fixture *f = *state;
	connect_first(f);
	grant(f, 1, 1, 4, 0);
	big_result(f, 700 << 10);
	big_result(f, 700 << 10);
	forget(f);
	lease(f, 1, 1, 2, (struct lease_options){ 0 });
	until(f, 2000);
	assert_false(trace_has(f, "start 1"));
	assert_true(trace_has(f, "renew 2 want 0 seen 2 r1 0/4 want 0"));
	commit(f, 1, 1, 1);
	assert_true(trace_has(f, "2000 start 1.0"));
}

/* ---- a leader that acknowledges nothing ---- */

static void fill_window(struct fixture *f)
{
	for (int i = 0; i < 4; i++) {
		result(f);
		until(f, f->now_ms + 10);
	}
	forget(f);
}

/* Renewals go on being answered. */
static void alive_until(struct fixture *f, uint64_t to_ms)
{
	while (f->now_ms < to_ms) {
		until(f, MIN_OF(f->now_ms + 500, to_ms));
		frame(f, 1,
		      (struct msg){ .kind = MSG_RENEWED,
		                    .renewed = { .renew_no = 1, .term = 1, .timeline = 1, .lease_ms = 3000 } });
		turn(f);
	}
}

static void a_window_full_for_five_seconds_makes_it_ask_the_other_endpoint(void **state)
{
	struct fixture *f = *state;
	connect_first(f);
	fill_window(f); /* the fourth went out at 1035 */
	alive_until(f, 6034);
	assert_false(trace_has(f, "open"));
	alive_until(f, 6035);
	assert_true(trace_has(f, "6035 open c2 e1\n"));
	forget(f);
	opened(f, 2);
	assert_true(trace_has(f, "6035 send c2 hello term 1"));
	welcome(f, 2, 2, 1);
	assert_true(trace_has(f, "6035 close c1\n"));
	assert_true(trace_has(f, "6035 send c2 results 1 2 3 4\n"));
}

static void a_standby_that_is_asked_so_changes_nothing(void **state)
{
	struct fixture *f = *state;
	struct agent_status s;
	connect_first(f);
	fill_window(f);
	alive_until(f, 6035);
	opened(f, 2);
	forget(f);
	frame(f, 2, (struct msg){ .kind = MSG_REFUSED, .refused = { REFUSE_STANDBY, STR("no"), STR("") } });
	turn(f);
	expect(f, "6035 close c2\n");
	agent_status(f->agent, &s);
	assert_true(s.connected);
	alive_until(f, 11034);
	assert_false(trace_has(f, "open"));
	alive_until(f, 11035); /* and again after 5 s */
	assert_true(trace_has(f, "11035 open c3 e1"));
}

static void a_lower_term_that_is_found_so_is_not_followed(void **state)
{
	struct fixture *f = *state;
	struct agent_status s;
	turn(f);
	opened(f, 1);
	welcome(f, 1, 3, 1);
	frame(f, 1,
	      (struct msg){ .kind = MSG_RENEWED,
	                    .renewed = { .renew_no = 1, .term = 3, .timeline = 1, .lease_ms = 3000 } });
	fill_window(f);
	alive_until(f, 6035);
	opened(f, 2);
	welcome(f, 2, 2, 1);
	agent_status(f->agent, &s);
	assert_int_equal(s.term, 3);
	assert_int_equal(s.endpoint, 0);
	assert_true(trace_has(f, "6035 close c2\n"));
}

static void when_the_first_connection_ends_the_second_takes_its_place(void **state)
{
	struct fixture *f = *state;
	connect_first(f);
	fill_window(f);
	alive_until(f, 6035);
	opened(f, 2);
	forget(f);
	lost(f, 1);
	welcome(f, 2, 1, 1);
	struct agent_status s;
	agent_status(f->agent, &s);
	assert_true(s.connected);
	assert_int_equal(s.endpoint, 1);
}

/* ---- answers of an earlier life ---- */

static void make_with_answers(struct fixture *f)
{
	static const struct agent_answer answers[] = {
		{ 11, { .run_id = 7, .sample_no = 1, .ask_id = 101 } },
		{ 12, { .run_id = 7, .sample_no = 2, .ask_id = 102 } },
		{ 13, { .run_id = 7, .sample_no = 3, .ask_id = 103 } },
	};
	f->config.answers = answers;
	f->config.answer_count = 3;
	f->record_no = 20;
	make_agent(f);
	turn(f);
	opened(f, 1);
	assert_true(trace_has(f, "hello term 0 answer 1 answer 2 answer 3\n"));
	forget(f);
}

static void welcome_with(struct fixture *f, uint32_t conn, const uint8_t *verdicts, size_t count)
{
	struct msg m = welcome_msg(f, conn, 1, 1);
	m.welcome.answers = verdicts;
	m.welcome.answer_count = count;
	frame(f, conn, m);
	turn(f);
}

static void an_answer_is_scored_shipped_or_dropped_as_welcome_says(void **state)
{
	struct fixture *f = *state;
	static const uint8_t verdicts[] = { ANSWER_ADOPT, ANSWER_SHIP, ANSWER_DROP };
	make_with_answers(f);
	welcome_with(f, 1, verdicts, 3);
	assert_true(trace_has(f, "1000 adopt adopted 11 n0\n"
	                         "1000 ship adopted 12 n1\n"
	                         "1000 trim 13-13\n"));
	kept(f, AGENT_ADOPTED | 11);
	kept_of(f, AGENT_ADOPTED | 12, (struct msg_record){ .kind = RECORD_RAW, .record_no = 12 });
	until(f, 1010);
	assert_true(trace_has(f, "results 21\n"));
	assert_true(trace_has(f, "results 12\n"));
	lost(f, 1);
	until(f, 1100);
	forget(f);
	opened(f, 2);
	assert_true(trace_has(f, "hello term 1\n"));
}

static void an_answer_that_is_still_being_scored_is_named_again(void **state)
{
	struct fixture *f = *state;
	static const uint8_t verdicts[] = { ANSWER_ADOPT, ANSWER_ADOPT, ANSWER_DROP },
			     drop[] = { ANSWER_DROP, ANSWER_DROP };
	make_with_answers(f);
	welcome_with(f, 1, verdicts, 3);
	kept(f, AGENT_ADOPTED | 11);
	lost(f, 1);
	until(f, 1100);
	forget(f);
	opened(f, 2);
	assert_true(trace_has(f, "hello term 1 answer 2\n"));
	forget(f);
	welcome_with(f, 2, drop, 2);
	assert_false(trace_has(f, "trim")); /* what was decided stays decided */
}

static void an_answer_that_cannot_be_read_any_more_begins_a_new_session_without_it(void **state)
{
	struct fixture *f = *state;
	static const uint8_t verdicts[] = { ANSWER_ADOPT, ANSWER_ADOPT, ANSWER_ADOPT };
	make_with_answers(f);
	welcome_with(f, 1, verdicts, 3);
	struct agent_event ev = { .kind = AGENT_EV_KEPT };
	ev.kept.sample_id = AGENT_ADOPTED | 12;
	feed(f, ev);
	turn(f);
	assert_true(trace_has(f, "1000 close c1\n"));
	until(f, 3000);
	forget(f);
	opened(f, 2);
	assert_true(trace_has(f, "answer 1 answer 3\n"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_lone_result_goes_at_once_and_others_wait_a_moment_for_company),
		TEST(never_more_frames_than_the_window_has),
		TEST(never_more_bytes_than_the_window_has),
		TEST(a_frame_that_is_committed_in_part_keeps_its_room),
		TEST(what_is_not_committed_is_sent_again_after_the_resend_time),
		TEST(what_is_not_committed_is_sent_again_after_each_welcome_lowest_first),
		TEST(a_commit_names_exactly_its_records),
		TEST(a_commit_for_another_outbox_commits_nothing),
		TEST(a_record_that_comes_twice_is_one),
		TEST(records_of_an_earlier_life_are_loaded_once_connected),
		TEST(another_timeline_brings_back_what_was_committed_lately),
		TEST(a_full_window_stops_new_work),
		TEST(a_window_full_for_five_seconds_makes_it_ask_the_other_endpoint),
		TEST(a_standby_that_is_asked_so_changes_nothing),
		TEST(a_lower_term_that_is_found_so_is_not_followed),
		TEST(when_the_first_connection_ends_the_second_takes_its_place),
		TEST(an_answer_is_scored_shipped_or_dropped_as_welcome_says),
		TEST(an_answer_that_is_still_being_scored_is_named_again),
		TEST(an_answer_that_cannot_be_read_any_more_begins_a_new_session_without_it),
	};
	return cmocka_run_group_tests_name("agent results", tests, NULL, NULL);
}
