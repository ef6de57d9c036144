/* Goal: what is held, started and given back is what the coordinator is told; nothing is asked without a licence. */
#include "tests/unit/agent/agent_fixture.h"

static const struct lease_options plain = { 0 };

static void samples_start_within_the_slots_of_route_and_worker(void **state)
{
	struct fixture *f = *state;
	connect_first(f);
	grant(f, 1, 1, 2, 0);
	lease(f, 1, 1, 3, plain);
	expect(f, "1000 start 1.0 n0 a\n"
	          "1000 start 1.1 n1 b\n");
	grant(f, 1, 2, 9, 0);
	lease(f, 1, 2, 4, (struct lease_options){ .route = 2 });
	expect(f, "1000 start 2.0 n0 a\n"
	          "1000 start 2.1 n1 b\n"); /* four slots in all */
	answered(f, id(1, 0));
	expect(f, "1000 start 1.2 n0 c\n");
}

static void nothing_starts_without_a_grant(void **state)
{
	struct fixture *f = *state;
	connect_first(f);
	lease(f, 1, 1, 1, plain);
	expect(f, "");
	grant(f, 1, 1, 1, 0);
	expect(f, "1000 start 1.0 n0 a\n");
}

static void routes_take_turns(void **state)
{
	struct fixture *f = *state;
	connect_first(f);
	f->frame_no = 0;
	lease(f, 1, 1, 3, plain);
	lease(f, 1, 2, 3, (struct lease_options){ .route = 2 });
	frame(f, 1, (struct msg){ .kind = MSG_GRANT, .grant = { 1, 4, 0 } });
	grant(f, 1, 2, 4, 0);
	expect(f, "1000 start 2.0 n0 a\n"
	          "1000 start 1.0 n1 a\n"
	          "1000 start 2.1 n0 b\n"
	          "1000 start 1.1 n1 b\n");
}

static void nothing_starts_later_than_a_lease_time_after_the_sending_of_the_last_answered_renew(void **state)
{
	struct fixture *f = *state;
	connect_first(f); /* licence until 4000 */
	grant(f, 1, 1, 1, 0);
	lease(f, 1, 1, 4, plain);
	until(f, 3500);
	renewed(f, 1, 2); /* sent at 2000: licence until 5000, though the answer came at 3500 */
	forget(f);
	until(f, 4999);
	answered(f, id(1, 0));
	assert_true(trace_has(f, "4999 start 1.1"));
	forget(f);
	f->now_ms = 5000;
	answered(f, id(1, 1));
	assert_false(trace_has(f, "start"));
	renewed(f, 1, 4); /* sent at 4000 */
	assert_true(trace_has(f, "5000 start 1.2"));
}

static void a_retry_needs_the_licence_too(void **state)
{
	struct fixture *f = *state;
	connect_first(f);
	grant(f, 1, 1, 1, 0);
	lease(f, 1, 1, 1, plain);
	until(f, 3000);
	renewed(f, 1, 2); /* sent at 2000 */
	until(f, 4900);
	ask_failed(f, id(1, 0), 200);
	until(f, 5500);
	assert_false(trace_has(f, "resume"));
	renewed(f, 1, 3);
	assert_true(trace_has(f, "5500 resume 1.0 n0"));
}

static void a_sample_that_waits_gives_its_slot_back_and_asks_before_fresh_ones(void **state)
{
	struct fixture *f = *state;
	connect_first(f);
	grant(f, 1, 1, 1, 0);
	lease(f, 1, 1, 3, plain);
	expect(f, "1000 start 1.0 n0 a\n");
	ask_failed(f, id(1, 0), 300);
	expect(f, "1000 start 1.1 n0 b\n");
	until(f, 1300);
	answered(f, id(1, 1));
	assert_true(trace_has(f, "1300 resume 1.0 n0\n"));
	assert_false(trace_has(f, "start 1.2"));
}

static void a_paused_route_starts_nothing(void **state)
{
	struct fixture *f = *state;
	connect_first(f);
	grant(f, 1, 1, 2, 700);
	lease(f, 1, 1, 2, plain);
	until(f, 1699);
	assert_false(trace_has(f, "start"));
	until(f, 1700);
	assert_true(trace_has(f, "1700 start 1.0 n0 a\n1700 start 1.1 n1 b\n"));
}

static void a_rate_limit_pauses_the_whole_route_as_long_as_the_provider_said(void **state)
{
	struct fixture *f = *state;
	connect_first(f);
	grant(f, 1, 1, 1, 0);
	lease(f, 1, 1, 2, plain);
	forget(f);
	rate_limited(f, id(1, 0), 100, 800);
	until(f, 1799);
	assert_false(trace_has(f, "start"));
	assert_false(trace_has(f, "resume"));
	until(f, 1900); /* at most a tenth of jitter and a little */
	assert_true(trace_has(f, "resume 1.0"));
}

static void an_alone_sample_starts_when_nothing_else_is_under_way_and_nothing_starts_beside_it(void **state)
{
	struct fixture *f = *state;
	connect_first(f);
	grant(f, 1, 1, 4, 0);
	lease(f, 1, 1, 2, plain);
	forget(f);
	lease(f, 1, 2, 2, (struct lease_options){ .alone = true });
	lease(f, 1, 3, 1, plain);
	expect(f, "");
	answered(f, id(1, 0));
	kept(f, id(1, 0));
	expect(f, "1000 send c1 results 1\n");
	answered(f, id(1, 1)); /* being scored: still under way */
	expect(f, "");
	kept(f, id(1, 1));
	expect(f, "1000 start 2.0 n0 a\n");
	answered(f, id(2, 0));
	expect(f, "");
	kept(f, id(2, 0));
	expect(f, "1000 start 2.1 n0 b\n");
	ask_failed(f, id(2, 1), 50); /* it waits: others may go on meanwhile */
	expect(f, "1000 start 3.0 n0 a\n");
}

static void an_alone_sample_whose_route_is_paused_holds_up_nobody(void **state)
{
	struct fixture *f = *state;
	connect_first(f);
	grant(f, 1, 1, 4, 0);
	grant(f, 1, 2, 4, 2000);
	lease(f, 1, 1, 1, (struct lease_options){ .alone = true, .route = 2 });
	lease(f, 1, 2, 1, plain);
	expect(f, "1000 start 2.0 n0 a\n");
}

static void a_sample_is_held_until_the_record_that_ends_it_is_committed(void **state)
{
	struct fixture *f = *state;
	connect_first(f);
	grant(f, 1, 1, 1, 0);
	lease(f, 1, 1, 2, plain);
	answered(f, id(1, 0));
	kept(f, id(1, 0));
	turned(f, 0);
	forget(f);
	until(f, 2000);
	expect(f, "1020 send c1 renew 2 want 4 seen 2 r1 1/1 want 1 (1,1) held 11 started 11\n");
	commit(f, 1, 1, 1);
	turned(f, 0);
	until(f, 3000);
	expect(f, "2000 trim 1-1\n"
	          "2020 send c1 renew 3 want 3 seen 2 r1 1/1 want 0 (1,1) held 01 started 01\n");
	kept_of(f, id(1, 1),
	        (struct msg_record){ .kind = RECORD_ATTEMPT, .error_class = CLASS_AUTH, .given_up = true });
	renewed(f, 1, 3);
	commit(f, 1, 2, 2);
	forget(f);
	until(f, 5000);
	assert_true(trace_has(f, "send c1 renew"));
	assert_false(trace_has(f, "held"));
}

static void an_attempt_that_is_not_the_last_ends_nothing(void **state)
{
	struct fixture *f = *state;
	connect_first(f);
	grant(f, 1, 1, 1, 0);
	lease(f, 1, 1, 1, plain);
	ask_failed(f, id(1, 0), 5000);
	kept_of(f, id(1, 0), (struct msg_record){ .kind = RECORD_ATTEMPT, .error_class = CLASS_SERVER });
	commit(f, 1, 1, 1);
	forget(f);
	until(f, 2000);
	assert_true(trace_has(f, "held 1 started 1"));
}

static void samples_of_a_thread_that_stands_still_are_left_out(void **state)
{
	struct fixture *f = *state;
	connect_first(f);
	grant(f, 1, 1, 2, 0);
	lease(f, 1, 1, 3, plain); /* 1.0 on thread 0, 1.1 on thread 1, 1.2 not started */
	for (uint64_t i = 2; i <= 4; i++) {
		until(f, i * 1000);
		renewed(f, 1, i);
		turned(f, 1);
	}
	assert_true(trace_has(f, "4000 send c1 renew 4 want 1 seen 2 r1 2/2 want 0 (1,1) held 111 started 110"));
	until(f, 5000); /* thread 0 last turned at 1000 */
	assert_true(trace_has(f, "5000 send c1 renew 5 want 1 seen 2 r1 2/2 want 0 (1,1) held 011 started 010"));
	turned(f, 0);
	renewed(f, 1, 5);
	until(f, 6000);
	assert_true(trace_has(f, "6000 send c1 renew 6 want 1 seen 2 r1 2/2 want 0 (1,1) held 111 started 110"));
}

static void samples_that_are_asked_back_are_given_back_if_they_have_not_started(void **state)
{
	struct fixture *f = *state;
	static const uint32_t indexes[] = { 2, 0, 1, 2, 77 };
	connect_first(f);
	grant(f, 1, 1, 1, 0);
	lease(f, 1, 1, 3, plain);
	forget(f);
	frame(f, 1, (struct msg){ .kind = MSG_RELEASE, .release = { { 1, 1 }, indexes, ARRAY_LEN(indexes) } });
	turn(f);
	assert_true(trace_has(f, "1000 send c1 released (1,1) asked 2 1\n"));
	frame(f, 1, (struct msg){ .kind = MSG_RELEASE, .release = { { 1, 1 }, indexes, ARRAY_LEN(indexes) } });
	turn(f);
	assert_true(trace_has(f, "1000 send c1 released (1,1) asked\n"));
	frame(f, 1, (struct msg){ .kind = MSG_RELEASE, .release = { { 9, 9 }, indexes, ARRAY_LEN(indexes) } });
	turn(f);
	assert_false(trace_has(f, "(9,9)"));
	answered(f, id(1, 0));
	assert_false(trace_has(f, "start 1.1"));
}

static void a_sample_that_is_asked_back_while_it_is_under_way_is_not_asked_again(void **state)
{
	struct fixture *f = *state;
	static const uint32_t indexes[] = { 0, 1 };
	connect_first(f);
	grant(f, 1, 1, 2, 0);
	lease(f, 1, 1, 3, plain);
	ask_failed(f, id(1, 0), 500); /* it waits; 1.1 and 1.2 ask */
	forget(f);
	frame(f, 1, (struct msg){ .kind = MSG_RELEASE, .release = { { 1, 1 }, indexes, ARRAY_LEN(indexes) } });
	turn(f);
	assert_true(trace_has(f, "1000 cancel 1.0 n0\n1000 send c1 released (1,1) asked 0\n"));
	forget(f);
	ask_failed(f, id(1, 1), 500);
	ask_failed(f, id(1, 2), 500);
	assert_true(trace_has(f, "1000 cancel 1.1 n1\n1000 send c1 released (1,1) abandoned 1\n"));
	until(f, 2000);
	assert_true(trace_has(f, "resume 1.2"));
	assert_false(trace_has(f, "resume 1.0"));
	assert_false(trace_has(f, "resume 1.1"));
}

static void a_revoked_lease_drops_what_is_not_under_way(void **state)
{
	struct fixture *f = *state;
	connect_first(f);
	grant(f, 1, 1, 2, 0);
	lease(f, 1, 1, 4, plain);
	ask_failed(f, id(1, 0), 500);
	forget(f);
	/* 1.0 waits, 1.1 and 1.2 ask, 1.3 is fresh */
	frame(f, 1, (struct msg){ .kind = MSG_REVOKE, .revoke = { { 1, 1 }, false } });
	turn(f);
	assert_true(trace_has(f, "1000 cancel 1.0 n0\n1000 send c1 released (1,1) abandoned 0 3\n"));
	forget(f);
	ask_failed(f, id(1, 1), 500); /* it is not asked again */
	assert_true(trace_has(f, "1000 cancel 1.1 n1\n1000 send c1 released (1,1) abandoned 1\n"));
	answered(f, id(1, 2));
	kept(f, id(1, 2));
	assert_true(trace_has(f, "results 1"));
}

static void a_revocation_may_ask_to_abandon_what_is_under_way(void **state)
{
	struct fixture *f = *state;
	connect_first(f);
	grant(f, 1, 1, 1, 0);
	lease(f, 1, 1, 1, plain);
	forget(f);
	frame(f, 1, (struct msg){ .kind = MSG_REVOKE, .revoke = { { 1, 1 }, true } });
	turn(f);
	expect(f, "1000 cancel 1.0 n0\n"
	          "1000 send c1 released (1,1) abandoned\n");
}

static void a_refused_lease_is_dropped_unless_started(void **state)
{
	struct fixture *f = *state;
	connect_first(f);
	grant(f, 1, 1, 1, 0);
	lease(f, 1, 1, 2, plain);
	static const struct lease_no refused = { 1, 1 };
	frame(f, 1,
	      (struct msg){ .kind = MSG_RENEWED,
	                    .renewed = { .renew_no = 1,
	                                 .term = 1,
	                                 .timeline = 1,
	                                 .lease_ms = 3000,
	                                 .refused = &refused,
	                                 .refused_count = 1 } });
	forget(f);
	until(f, 2000);
	assert_true(trace_has(f, "(1,1) held 10 started 10"));
	answered(f, id(1, 0));
	assert_false(trace_has(f, "start 1.1"));
}

static void a_sample_of_a_refused_lease_is_not_asked_again(void **state)
{
	struct fixture *f = *state;
	connect_first(f);
	grant(f, 1, 1, 1, 0);
	lease(f, 1, 1, 1, plain);
	static const struct lease_no refused = { 1, 1 };
	frame(f, 1,
	      (struct msg){ .kind = MSG_RENEWED,
	                    .renewed = { .renew_no = 1,
	                                 .term = 1,
	                                 .timeline = 1,
	                                 .lease_ms = 3000,
	                                 .refused = &refused,
	                                 .refused_count = 1 } });
	forget(f);
	ask_failed(f, id(1, 0), 100); /* somebody else has it by now */
	assert_true(trace_has(f, "1000 cancel 1.0 n0\n1000 send c1 released (1,1) abandoned 0\n"));
	until(f, 2000);
	assert_false(trace_has(f, "resume"));
}

static void a_sample_whose_thread_stood_still_is_not_asked_again(void **state)
{
	struct fixture *f = *state;
	connect_first(f);
	grant(f, 1, 1, 1, 0);
	lease(f, 1, 1, 1, plain); /* on net 0 */
	for (uint64_t i = 1; i <= 5; i++) {
		until(f, 1000 + i * 1000);
		turned(f, 1);
		renewed(f, 1, 1 + i);
	}
	assert_true(trace_has(f, "(1,1) held 0 started 0"));
	turned(f, 0);
	forget(f);
	ask_failed(f, id(1, 0), 100); /* by now somebody else may be at it */
	assert_true(trace_has(f, "released (1,1) abandoned 0"));
	until(f, 7000);
	assert_false(trace_has(f, "resume"));
}

static void in_a_new_session_nothing_starts_before_its_grant(void **state)
{
	struct fixture *f = *state;
	connect_first(f);
	grant(f, 1, 1, 1, 0);
	lease(f, 1, 1, 2, plain);
	lost(f, 1);
	until(f, 2000);
	opened(f, 2);
	welcome(f, 2, 1, 1);
	forget(f);
	answered(f, id(1, 0));
	assert_false(trace_has(f, "start 1.1")); /* it may be wanted back: that comes behind the Welcome */
	grant(f, 2, 1, 1, 0);
	assert_true(trace_has(f, "start 1.1"));
}

static void a_hello_names_every_sample_that_is_held(void **state)
{
	struct fixture *f = *state;
	connect_first(f);
	grant(f, 1, 1, 1, 0);
	lease(f, 1, 1, 3, plain);
	lost(f, 1);
	until(f, 1100);
	forget(f);
	opened(f, 2);
	expect(f, "1100 send c2 hello term 1 (1,1) held 111 started 100\n");
}

static void cut_off_for_long_it_drops_what_it_did_not_start(void **state)
{
	struct fixture *f = *state;
	connect_first(f);
	grant(f, 1, 1, 2, 0);
	lease(f, 1, 1, 4, plain);
	ask_failed(f, id(1, 0), 100); /* then 1.2 starts; 1.3 stays fresh */
	lost(f, 1);
	until(f, 33999);
	struct agent_status s;
	agent_status(f->agent, &s);
	assert_int_equal(s.held, 4);
	until(f, 34000); /* 30 s after the licence ended at 4000 */
	agent_status(f->agent, &s);
	assert_int_equal(s.held, 2);
	assert_int_equal(s.asking, 2);
	assert_true(trace_has(f, "34000 cancel 1.0 n0"));
}

static void a_lease_that_is_already_here_changes_nothing(void **state)
{
	struct fixture *f = *state;
	connect_first(f);
	grant(f, 1, 1, 4, 0);
	lease(f, 1, 1, 1, plain);
	forget(f);
	lease(f, 1, 1, 1, plain);
	expect(f, "");
}

static void a_lease_whose_context_never_came_begins_a_new_session(void **state)
{
	struct fixture *f = *state;
	connect_first(f);
	grant(f, 1, 1, 4, 0);
	lease(f, 1, 1, 1, (struct lease_options){ .without_context = true });
	expect(f, "1000 close c1\n");
	until(f, 3000);
	assert_true(trace_has(f, "open c2 e0"));
}

static void a_context_is_sent_once(void **state)
{
	struct fixture *f = *state;
	connect_first(f);
	grant(f, 1, 1, 4, 0);
	lease(f, 1, 1, 1, plain);
	lease(f, 1, 2, 1, (struct lease_options){ .without_context = true });
	expect(f, "1000 start 1.0 n0 a\n"
	          "1000 start 2.0 n1 a\n");
}

static void credit_is_slots_and_what_ended_lately_less_what_is_held(void **state)
{
	struct fixture *f = *state;
	connect_first(f);
	grant(f, 1, 1, 2, 0);
	lease(f, 1, 1, 4, plain);
	forget(f);
	f->now_ms = 1100;
	answered(f, id(1, 0)); /* 4 slots, 1 ended, 3 held; the last Renew said 4 and brought 4 */
	expect(f, "1100 start 1.2 n0 c\n"
	          "1100 send c1 renew 2 want 2 seen 2 r1 2/2 want 0 (1,1) held 1111 started 1110\n");
	f->now_ms = 1150;
	answered(f, id(1, 1)); /* 4 wanted, 2 of them told: not worth a Renew of its own */
	expect(f, "1150 start 1.3 n1 d\n");
	until(f, 2100); /* only what ended at 1150 is less than a second old */
	expect(f, "2100 send c1 renew 3 want 3 seen 2 r1 2/2 want 1 (1,1) held 1111 started 1111\n");
}

static void a_full_outbox_stops_all_new_work_until_it_can_be_written_again(void **state)
{
	struct fixture *f = *state;
	connect_first(f);
	grant(f, 1, 1, 1, 0);
	lease(f, 1, 1, 3, plain);
	ask_failed(f, id(1, 0), 100);
	forget(f);
	feed(f, (struct agent_event){ .kind = AGENT_EV_OUTBOX, .outbox = { .writable = false } });
	answered(f, id(1, 1));
	until(f, 2000);
	expect(f, "2000 send c1 renew 2 want 0 seen 2 r1 0/1 want 0 (1,1) held 111 started 110 outbox fails\n");
	feed(f, (struct agent_event){ .kind = AGENT_EV_OUTBOX, .outbox = { .writable = true } });
	turn(f);
	assert_true(trace_has(f, "2000 resume 1.0"));
}

static void a_drain_gives_back_what_is_not_under_way_and_leaves_when_the_rest_is_committed(void **state)
{
	struct fixture *f = *state;
	connect_first(f);
	grant(f, 1, 1, 2, 0);
	lease(f, 1, 1, 4, plain);
	ask_failed(f, id(1, 0), 500);
	forget(f);
	feed(f, (struct agent_event){ .kind = AGENT_EV_DRAIN, .drain = { 10000 } });
	turn(f);
	expect(f, "1000 cancel 1.0 n0\n"
	          "1000 send c1 released (1,1) drain 0 3\n");
	lease(f, 1, 2, 2, plain);
	expect(f, "1000 send c1 released (1,2) drain 0 1\n");
	answered(f, id(1, 1));
	kept(f, id(1, 1));
	ask_failed(f, id(1, 2), 100);
	expect(f, "1000 send c1 results 1\n"
	          "1000 cancel 1.2 n0\n"
	          "1000 send c1 released (1,1) drain 2\n");
	commit(f, 1, 1, 1);
	expect(f, "1000 trim 1-1\n"
	          "1000 drained\n");
}

static void a_drain_abandons_what_is_still_under_way_at_its_limit(void **state)
{
	struct fixture *f = *state;
	connect_first(f);
	grant(f, 1, 1, 1, 0);
	lease(f, 1, 1, 1, plain);
	feed(f, (struct agent_event){ .kind = AGENT_EV_DRAIN, .drain = { 1500 } });
	turn(f);
	forget(f);
	until(f, 2499);
	assert_false(trace_has(f, "cancel"));
	until(f, 2500);
	assert_true(trace_has(f, "2500 cancel 1.0 n0"));
	assert_false(trace_has(f, "drained"));
	kept_of(f, id(1, 0),
	        (struct msg_record){ .kind = RECORD_ATTEMPT, .error_class = CLASS_ABANDONED, .given_up = true });
	commit(f, 1, 1, 1);
	assert_true(trace_has(f, "2500 drained"));
}

static void a_drain_of_the_coordinator_is_a_drain(void **state)
{
	struct fixture *f = *state;
	connect_first(f);
	frame(f, 1, (struct msg){ .kind = MSG_DRAIN, .drain = { STR("upgrade") } });
	turn(f);
	expect(f, "1000 drained\n");
}

static void a_cut_off_worker_that_drains_leaves_with_its_records_in_the_outbox(void **state)
{
	struct fixture *f = *state;
	connect_first(f);
	grant(f, 1, 1, 1, 0);
	lease(f, 1, 1, 1, plain);
	lost(f, 1);
	answered(f, id(1, 0));
	kept(f, id(1, 0));
	forget(f);
	feed(f, (struct agent_event){ .kind = AGENT_EV_DRAIN, .drain = { 1500 } });
	turn(f);
	expect(f, "1000 drained\n");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(samples_start_within_the_slots_of_route_and_worker),
		TEST(nothing_starts_without_a_grant),
		TEST(routes_take_turns),
		TEST(nothing_starts_later_than_a_lease_time_after_the_sending_of_the_last_answered_renew),
		TEST(a_retry_needs_the_licence_too),
		TEST(a_sample_that_waits_gives_its_slot_back_and_asks_before_fresh_ones),
		TEST(a_paused_route_starts_nothing),
		TEST(a_rate_limit_pauses_the_whole_route_as_long_as_the_provider_said),
		TEST(an_alone_sample_starts_when_nothing_else_is_under_way_and_nothing_starts_beside_it),
		TEST(an_alone_sample_whose_route_is_paused_holds_up_nobody),
		TEST(a_sample_is_held_until_the_record_that_ends_it_is_committed),
		TEST(an_attempt_that_is_not_the_last_ends_nothing),
		TEST(samples_of_a_thread_that_stands_still_are_left_out),
		TEST(samples_that_are_asked_back_are_given_back_if_they_have_not_started),
		TEST(a_sample_that_is_asked_back_while_it_is_under_way_is_not_asked_again),
		TEST(a_revoked_lease_drops_what_is_not_under_way),
		TEST(a_revocation_may_ask_to_abandon_what_is_under_way),
		TEST(a_refused_lease_is_dropped_unless_started),
		TEST(a_sample_of_a_refused_lease_is_not_asked_again),
		TEST(a_sample_whose_thread_stood_still_is_not_asked_again),
		TEST(in_a_new_session_nothing_starts_before_its_grant),
		TEST(a_hello_names_every_sample_that_is_held),
		TEST(cut_off_for_long_it_drops_what_it_did_not_start),
		TEST(a_lease_that_is_already_here_changes_nothing),
		TEST(a_lease_whose_context_never_came_begins_a_new_session),
		TEST(a_context_is_sent_once),
		TEST(credit_is_slots_and_what_ended_lately_less_what_is_held),
		TEST(a_full_outbox_stops_all_new_work_until_it_can_be_written_again),
		TEST(a_drain_gives_back_what_is_not_under_way_and_leaves_when_the_rest_is_committed),
		TEST(a_drain_abandons_what_is_still_under_way_at_its_limit),
		TEST(a_drain_of_the_coordinator_is_a_drain),
		TEST(a_cut_off_worker_that_drains_leaves_with_its_records_in_the_outbox),
	};
	return cmocka_run_group_tests_name("agent leases", tests, NULL, NULL);
}
