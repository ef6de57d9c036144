/* Goal: one endpoint at a time, the leader found quickly, a stale one never followed. */
#include "tests/unit/agent/agent_fixture.h"

static void it_connects_says_hello_and_renews_at_once(void **state)
{
	struct fixture *f = *state;
	turn(f);
	opened(f, 1);
	welcome(f, 1, 1, 1);
	expect(f, "1000 open c1 e0\n"
	          "1000 send c1 hello term 0\n"
	          "1000 send c1 renew 1 want 4 seen 0\n");
	until(f, 2999);
	expect(f, "2000 send c1 renew 2 want 4 seen 0\n");
}

static void three_seconds_without_a_frame_mean_the_next_endpoint(void **state)
{
	struct fixture *f = *state;
	connect_first(f);
	until(f, 3999);
	assert_false(trace_has(f, "close"));
	forget(f);
	until(f, 4000);
	expect(f, "4000 close c1\n");
	until(f, 4200);
	assert_true(trace_has(f, "open c2 e1"));
}

static void an_endpoint_that_never_answers_the_hello_is_left(void **state)
{
	struct fixture *f = *state;
	turn(f);
	f->now_ms = 1500;
	opened(f, 1);
	until(f, 4499);
	assert_false(trace_has(f, "close"));
	until(f, 4500);
	assert_true(trace_has(f, "close c1"));
}

/* A stopped coordinator: the kernel makes the connection, nobody shakes hands. The standby that named it leads by now.
 */
static void an_endpoint_that_never_shakes_hands_is_left_sooner_and_later_each_time(void **state)
{
	struct fixture *f = *state;
	turn(f);
	until(f, 1999);
	assert_false(trace_has(f, "close c1"));
	until(f, 2100);
	assert_true(trace_has(f, "close c1"));
	assert_true(trace_has(f, "open c2 e1"));
	forget(f);
	until(f, 3200); /* 1250 ms of patience now */
	assert_false(trace_has(f, "close c2"));
	until(f, 3400);
	assert_true(trace_has(f, "close c2"));
	forget(f);
	until(f, 30000);
	forget(f);
	until(f, 36000); /* in the end it waits as long as for anything */
	assert_true(trace_has(f, "close c"));
	f->config.endpoint_count = 1;
	uint64_t from_ms = f->now_ms;
	make_agent(f);
	forget(f);
	turn(f);
	until(f, from_ms + 2999); /* nobody else to ask */
	assert_false(trace_has(f, "close"));
	until(f, from_ms + 3000);
	assert_true(trace_has(f, "close c1"));
}

static void a_connection_that_ends_is_left_at_once(void **state)
{
	struct fixture *f = *state;
	connect_first(f);
	lost(f, 1);
	expect(f, "1000 close c1\n");
	until(f, 1100);
	assert_true(trace_has(f, "open c2 e1"));
}

static void refuse(struct fixture *f, uint32_t conn, enum refuse_cause cause, struct str leader)
{
	frame(f, conn, (struct msg){ .kind = MSG_REFUSED, .refused = { cause, STR("no"), leader } });
	turn(f);
}

static void a_standby_is_left_for_the_next_endpoint_at_once(void **state)
{
	struct fixture *f = *state;
	turn(f);
	opened(f, 1);
	forget(f);
	refuse(f, 1, REFUSE_STANDBY, STR(""));
	turn(f);
	expect(f, "1000 close c1\n"
	          "1000 open c2 e1\n");
}

static void a_full_round_of_standbys_is_followed_by_a_pause(void **state)
{
	struct fixture *f = *state;
	turn(f);
	for (uint32_t conn = 1; conn <= 2; conn++) {
		opened(f, conn);
		refuse(f, conn, REFUSE_STANDBY, STR(""));
		turn(f);
	}
	assert_false(trace_has(f, "open c3"));
	assert_true(agent_next_deadline_ms(f->agent) > f->now_ms);
	until(f, 1500);
	assert_true(trace_has(f, "open c3 e0"));
}

static void the_leader_that_a_standby_names_is_tried_first(void **state)
{
	static const struct str endpoints[] = { STR_INIT("tcp://a:1"), STR_INIT("tcp://b:1"), STR_INIT("tcp://c:1") };
	struct fixture *f = *state;
	f->config.endpoints = endpoints;
	f->config.endpoint_count = 3;
	make_agent(f);
	turn(f);
	opened(f, 1);
	refuse(f, 1, REFUSE_STANDBY, STR("tcp://c:1"));
	turn(f);
	assert_true(trace_has(f, "open c2 e2"));
}

static void an_unknown_key_is_tried_again_slowly(void **state)
{
	struct fixture *f = *state;
	turn(f);
	opened(f, 1);
	refuse(f, 1, REFUSE_UNKNOWN, STR(""));
	until(f, 5999);
	assert_false(trace_has(f, "open c2"));
	until(f, 11000);
	assert_true(trace_has(f, "open c2"));
}

static void a_term_behind_the_one_followed_is_left(void **state)
{
	struct fixture *f = *state;
	turn(f);
	opened(f, 1);
	welcome(f, 1, 5, 1);
	lost(f, 1);
	until(f, 1100);
	opened(f, 2);
	forget(f);
	welcome(f, 2, 4, 1);
	expect(f, "1100 close c2\n");
}

static void another_timeline_is_followed_whatever_its_name_and_term(void **state)
{
	struct fixture *f = *state;
	turn(f);
	opened(f, 1);
	welcome(f, 1, 5, 900);
	lost(f, 1);
	until(f, 1100);
	opened(f, 2);
	forget(f);
	welcome(f, 2, 4, 2); /* names of timelines have no order */
	expect(f, "1100 reopen\n"
	          "1100 send c2 renew 1 want 4 seen 0\n");
}

static void a_timeline_that_was_left_is_not_followed_again(void **state)
{
	struct fixture *f = *state;
	turn(f);
	opened(f, 1);
	welcome(f, 1, 5, 900);
	lost(f, 1);
	until(f, 1100);
	opened(f, 2);
	welcome(f, 2, 6, 2);
	lost(f, 2);
	until(f, 1200);
	opened(f, 3);
	forget(f);
	welcome(f, 3, 7, 900);
	expect(f, "1200 close c3\n");
}

static void a_lower_term_is_followed_when_nothing_better_came_for_a_minute(void **state)
{
	struct fixture *f = *state;
	turn(f);
	opened(f, 1);
	welcome(f, 1, 5, 1);
	uint32_t conn = 1;
	lost(f, 1);
	while (f->now_ms < 61000) {
		forget(f);
		until(f, f->now_ms + 2000);
		struct agent_status s;
		conn++;
		opened(f, conn);
		welcome(f, conn, 4, 1);
		agent_status(f->agent, &s);
		assert_int_equal(s.connected, f->now_ms >= 61000);
	}
}

static void a_frame_of_another_session_is_dropped_and_counted(void **state)
{
	struct fixture *f = *state;
	connect_first(f);
	frame(f, 1, (struct msg){ .kind = MSG_GRANT, .session = 12345, .grant = { 1, 4, 0 } });
	struct agent_status s;
	agent_status(f->agent, &s);
	assert_int_equal(s.bad_frame_count, 1);
	lease(f, 1, 1, 1, (struct lease_options){ 0 });
	assert_false(trace_has(f, "start")); /* the grant was not taken */
}

static void a_frame_before_the_welcome_is_dropped(void **state)
{
	struct fixture *f = *state;
	turn(f);
	opened(f, 1);
	grant(f, 1, 1, 4, 0);
	struct agent_status s;
	agent_status(f->agent, &s);
	assert_int_equal(s.bad_frame_count, 1);
}

static void an_answer_to_a_renew_that_was_never_sent_is_dropped(void **state)
{
	struct fixture *f = *state;
	connect_first(f);
	renewed(f, 1, 9);
	renewed(f, 1, 0);
	struct agent_status s;
	agent_status(f->agent, &s);
	assert_int_equal(s.bad_frame_count, 2);
	assert_int_equal(s.licence_until_ms, 4000);
}

static void every_renew_says_the_highest_frame_seen(void **state)
{
	struct fixture *f = *state;
	connect_first(f);
	grant(f, 1, 1, 2, 0);
	grant(f, 1, 1, 3, 0);
	until(f, 2000);
	expect(f, "2000 send c1 renew 2 want 4 seen 2 r1 0/3 want 3\n");
}

static void equal_seeds_give_equal_traces(void **state)
{
	struct fixture *f = *state;
	char first[4096];
	for (int round = 0; round < 2; round++) {
		f->now_ms = 1000;
		make_agent(f);
		forget(f);
		until(f, 60000);
		assert_true(f->trace.len < sizeof(first));
		if (round == 1)
			assert_string_equal(first, f->trace.data);
		memcpy(first, f->trace.data, f->trace.len + 1);
	}
	assert_true(trace_has(f, "open c3 e0"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(it_connects_says_hello_and_renews_at_once),
		TEST(three_seconds_without_a_frame_mean_the_next_endpoint),
		TEST(an_endpoint_that_never_answers_the_hello_is_left),
		TEST(an_endpoint_that_never_shakes_hands_is_left_sooner_and_later_each_time),
		TEST(a_connection_that_ends_is_left_at_once),
		TEST(a_standby_is_left_for_the_next_endpoint_at_once),
		TEST(a_full_round_of_standbys_is_followed_by_a_pause),
		TEST(the_leader_that_a_standby_names_is_tried_first),
		TEST(an_unknown_key_is_tried_again_slowly),
		TEST(a_term_behind_the_one_followed_is_left),
		TEST(another_timeline_is_followed_whatever_its_name_and_term),
		TEST(a_timeline_that_was_left_is_not_followed_again),
		TEST(a_lower_term_is_followed_when_nothing_better_came_for_a_minute),
		TEST(a_frame_of_another_session_is_dropped_and_counted),
		TEST(a_frame_before_the_welcome_is_dropped),
		TEST(an_answer_to_a_renew_that_was_never_sent_is_dropped),
		TEST(every_renew_says_the_highest_frame_seen),
		TEST(equal_seeds_give_equal_traces),
	};
	return cmocka_run_group_tests_name("agent connection", tests, NULL, NULL);
}
