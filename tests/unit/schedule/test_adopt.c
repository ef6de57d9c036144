/* Goal: workers come back, coordinators change, frames get lost: nobody loses what he holds, nothing is lent twice. */
#include "common/base/bits.h"
#include "tests/support/cmocka_all.h"
#include "tests/unit/schedule/trace.h"

static int setup(void **state)
{
	static struct trace t;
	trace_begin(&t, 2);
	add_route(&t, 1, 0);
	*state = &t;
	return 0;
}

static int teardown(void **state)
{
	trace_end(*state);
	return 0;
}

/* A run of `items`, all lent to worker 1 (outbox 1) under lease 2/1. */
static void all_at_worker_1(struct trace *t, uint64_t items)
{
	admit(t, plain_run(1, items));
	join(t, 1, 1, (uint32_t)items);
	renew(t, 1, (uint32_t)items);
	buf_clear(&t->text);
}

/* The toy remembers a lease of another term. */
static void remembers(struct trace *t, uint32_t worker, uint64_t term, uint64_t n, uint64_t run_id, uint64_t from,
                      uint32_t count)
{
	struct toy *w = &t->toys[worker];
	struct toy_lease *l = &w->leases[w->lease_count++];
	*l = (struct toy_lease){ .number = { term, n }, .run_id = run_id, .count = count };
	for (uint32_t i = 0; i < count; i++) {
		l->sample_nos[i] = from + i;
		bits_put(l->held, i);
	}
}

static void last_workers(struct trace *t, uint32_t count)
{
	struct outbox_id outboxes[4] = { 0 };
	struct sched_event ev = { .kind = SCHED_LAST_WORKERS };
	for (uint32_t i = 0; i < count; i++)
		outboxes[i].bytes[0] = (uint8_t)(i + 1);
	ev.last_workers.outboxes = outboxes;
	ev.last_workers.count = count;
	feed(t, ev);
}

static struct sched_run resumed_run(uint64_t items, uint64_t sent_to)
{
	struct sched_run run = plain_run(1, items);
	run.resumed = true;
	run.sent_to = sent_to;
	return run;
}

static void a_reconnect_within_the_deadline_loses_nothing(void **state)
{
	struct trace *t = *state;
	all_at_worker_1(t, 4);
	start(t, 1, 1, 0);
	t->now_ms = 1000;
	renew(t, 1, 0);
	go(t, 1, false);
	t->now_ms = 3500;
	t->toys[2] = t->toys[1]; /* the same worker, in a new session */
	join(t, 2, 1, 4);
	renew(t, 2, 0);
	done_all(t, 2);
	wait_until(t, 20000);
	assert_trace(t, "1000 renewed w1 n2\n"
	                "3500 welcome w2\n"
	                "3500 grant w2 f1 q1 4\n"
	                "3500 renewed w2 n1\n"
	                "3500 run_ended r1 done ''\n"
	                "3500 run_forgotten r1\n");
}

static void what_a_hello_does_not_list_waits_until_the_outbox_has_had_time_to_speak(void **state)
{
	struct trace *t = *state;
	all_at_worker_1(t, 4);
	start(t, 1, 1, 1);
	t->now_ms = 100;
	renew(t, 1, 0);
	t->now_ms = 500;
	restart(t, 1);
	go(t, 1, false);
	join(t, 2, 1, 4);
	renew(t, 2, 4);
	assert_trace(t, "100 renewed w1 n2\n"
	                "500 welcome w2\n"
	                "500 grant w2 f1 q1 4\n"
	                "500 renewed w2 n1\n");
	t->now_ms = 600;
	done(t, 2, 1, 0); /* it had been answered before the process died */
	assert_int_equal(view_of(t, 1).pending, 0);
	t->now_ms = 3400;
	renew(t, 2, 4);
	buf_clear(&t->text);
	wait_until(t, 3500);
	assert_trace(t, "3500 lost_closed o1\n"
	                "3500 attempts o1 r1:1*\n" /* known to have started; the others were never asked */
	                "3500 lease w2 f2 2/2 r1 1-3 context attempts 5,5,5\n");
}

static void a_lease_that_two_renewals_should_have_listed_and_did_not_is_free_again(void **state)
{
	struct trace *t = *state;
	all_at_worker_1(t, 2);
	restart(t, 1);
	t->toys[1].frame_seen = 1; /* the lease was frame 2: perhaps still on its way */
	renew(t, 1, 0);
	renew(t, 1, 0);
	renew(t, 1, 0);
	assert_int_equal(view_of(t, 1).in_flight, 2);
	t->toys[1].frame_seen = 2;
	renew(t, 1, 2);
	assert_int_equal(view_of(t, 1).in_flight, 2);
	buf_clear(&t->text);
	renew(t, 1, 2);
	assert_trace(t, "0 renewed w1 n6\n"
	                "0 lease w1 f3 2/2 r1 0-1\n");
	assert_int_equal(schedule_counters(t->s)->lost_leases, 1);
}

static void a_sample_that_two_renewals_do_not_list_is_free_again(void **state)
{
	struct trace *t = *state;
	struct toy_lease *l = &t->toys[1].leases[0];
	all_at_worker_1(t, 4);
	start(t, 1, 1, 3);
	renew(t, 1, 0);
	l->held[0] = 0x3; /* 2 and 3 have gone, nobody knows where */
	l->started[0] = 0;
	renew(t, 1, 2);
	l->held[0] = 0x7; /* 2 is there again */
	renew(t, 1, 2);
	assert_trace(t, "0 renewed w1 n2\n"
	                "0 renewed w1 n3\n"
	                "0 attempts o1 r1:3*\n" /* it had started: perhaps it was asked */
	                "0 renewed w1 n4\n"
	                "0 lease w1 f3 2/2 r1 3 attempts 5\n");
}

static void only_an_outbox_that_was_heard_since_its_hello_has_said_what_it_knows(void **state)
{
	struct trace *t = *state;
	all_at_worker_1(t, 4);
	join(t, 2, 2, 4);
	t->now_ms = 100;
	renew(t, 2, 0); /* the other one died right after its Hello, and nobody has seen that */
	buf_clear(&t->text);
	wait_until(t, 3050);
	assert_true(str_find(buf_str(&t->text), STR("lost_closed o2")) >= 0);
	assert_true(str_find(buf_str(&t->text), STR("lost_closed o1")) < 0);
}

static void a_late_renewal_of_an_ended_lease_is_refused_and_takes_nothing_back(void **state)
{
	struct trace *t = *state;
	all_at_worker_1(t, 2);
	join(t, 2, 2, 2);
	t->now_ms = 2900;
	renew(t, 2, 2);
	buf_clear(&t->text);
	wait_until(t, 3000);
	assert_trace(t, "3000 lost_closed o2\n"
	                "3000 revoke w1 f3 2/1\n"
	                "3000 attempts o1 r1:0 r1:1\n"
	                "3000 lease w2 f2 2/2 r1 0-1 context attempts 5,5\n");
	t->now_ms = 3100;
	renew(t, 1, 0);
	assert_trace(t, "3100 grant w1 f4 q1 2\n"
	                "3100 renewed w1 n2 refused 2/1\n");
}

static void a_newer_session_of_an_outbox_replaces_the_older_one(void **state)
{
	struct trace *t = *state;
	all_at_worker_1(t, 2);
	t->toys[2] = t->toys[1];
	join(t, 2, 1, 2);
	assert_trace(t, "0 close w1\n"
	                "0 welcome w2\n"
	                "0 grant w2 f1 q1 2\n");
	go(t, 1, false); /* of the old session: means nothing any more */
	renew(t, 1, 2);
	assert_trace(t, "");
	assert_int_equal(schedule_worker_count(t->s), 1);
	assert_int_equal(view_of(t, 1).in_flight, 2);
}

static void an_orderly_leaver_gives_back_at_once_and_counts_no_death(void **state)
{
	struct trace *t = *state;
	all_at_worker_1(t, 3);
	start(t, 1, 1, 0);
	renew(t, 1, 0);
	join(t, 2, 2, 3);
	renew(t, 2, 3);
	buf_clear(&t->text);
	go(t, 1, true);
	assert_trace(t, "0 attempts o1 r1:0*\n"
	                "0 lease w2 f2 2/2 r1 0-2 context\n");
	assert_int_equal(schedule_counters(t->s)->deaths, 0);
	assert_int_equal(schedule_worker_count(t->s), 1);
}

static void a_new_leader_adopts_what_workers_hold_and_lends_what_was_never_sent(void **state)
{
	struct trace *t = *state;
	struct sched_run run = resumed_run(10, 6);
	uint8_t done_bits[2] = { 0x01, 0 };
	run.done = str_make(done_bits, 2);
	last_workers(t, 2);
	admit(t, run);
	remembers(t, 1, 1, 5, 1, 1, 3); /* 1, 2, 3 */
	start(t, 1, 1, 2);
	join(t, 1, 1, 8);
	renew(t, 1, 1);
	assert_trace(t, "0 welcome w1\n"
	                "0 grant w1 f1 q1 8\n"
	                "0 renewed w1 n1\n"
	                "0 lease w1 f2 2/1 r1 6 context\n");
	struct sched_run_view v = view_of(t, 1);
	assert_int_equal(v.done, 1);
	assert_int_equal(v.in_flight, 4);
	assert_int_equal(v.started, 1);
	assert_int_equal(v.pending, 5); /* 4 and 5 are perhaps held; 7 to 9 wait for credit */
	renew(t, 1, 8);
	assert_trace(t, "0 renewed w1 n2\n"
	                "0 lease w1 f3 2/2 r1 7-9\n");
	assert_int_equal(view_of(t, 1).wait, WAIT_PERHAPS_HELD);
	t->now_ms = 1000;
	renew(t, 1, 8);
	join(t, 2, 2, 8); /* the last of the old ones: 3 s more for what its outbox has to say */
	t->now_ms = 3900;
	renew(t, 1, 8);
	buf_clear(&t->text);
	wait_until(t, 4000);
	assert_trace(t, "3900 lost_closed o1\n"
	                "4000 lease w1 f4 2/3 r1 4-5\n");
}

static void nothing_below_the_position_goes_out_while_a_worker_of_the_last_term_may_hold_it(void **state)
{
	struct trace *t = *state;
	last_workers(t, 2);
	admit(t, resumed_run(4, 4));
	join(t, 1, 1, 4);
	renew(t, 1, 4);
	for (t->now_ms = 1000; t->now_ms < 29000; t->now_ms += 1000)
		renew(t, 1, 4);
	assert_int_equal(view_of(t, 1).in_flight, 0);
	t->now_ms = 29500;
	renew(t, 1, 4);
	buf_clear(&t->text);
	wait_until(t, 30000);
	assert_trace(t, "29500 lost_closed o1\n"
	                "30000 attempts o2 r1:0 r1:1 r1:2 r1:3\n"
	                "30000 lease w1 f2 2/1 r1 0-3 context\n");
}

static void what_an_absent_worker_may_have_asked_is_said_before_it_goes_out_again(void **state)
{
	struct trace *t = *state;
	last_workers(t, 2);
	admit(t, resumed_run(4, 3));
	join(t, 1, 1, 1);
	renew(t, 1, 1);
	for (t->now_ms = 1000; t->now_ms < 30000; t->now_ms += 1000)
		renew(t, 1, 1);
	buf_clear(&t->text);
	wait_until(t, 30000);
	assert_trace(t, "30000 lost_closed o1\n"
	                "30000 attempts o2 r1:0 r1:1 r1:2\n"
	                "30000 lease w1 f3 2/2 r1 0\n"); /* 3 lay beyond the position and went out before */
}

static void of_several_absent_workers_nobody_is_named(void **state)
{
	struct trace *t = *state;
	last_workers(t, 3);
	admit(t, resumed_run(2, 2));
	wait_until(t, 30000);
	assert_trace(t, "30000 attempts o0 r1:0 r1:1\n");
}

static void nothing_is_lent_to_a_worker_that_a_new_term_would_not_know_of(void **state)
{
	struct trace *t = *state;
	admit(t, plain_run(1, 4));
	struct msg_hello hello = plain_hello(1, 4);
	struct sched_event ev = { .kind = SCHED_WORKER_JOINED };
	ev.joined.worker_id = 1;
	ev.joined.hello = &hello;
	ev.joined.unknown = true;
	feed(t, ev);
	renew(t, 1, 4);
	assert_int_equal(view_of(t, 1).in_flight, 0);
	buf_clear(&t->text);
	feed(t, (struct sched_event){ .kind = SCHED_WORKER_KNOWN, .known = hello.outbox });
	assert_trace(t, "0 lease w1 f2 2/1 r1 0-3 context\n");
}

static void a_leader_that_cannot_be_sure_of_it_lends_nothing(void **state)
{
	struct trace *t = *state;
	admit(t, plain_run(1, 4));
	feed(t, (struct sched_event){ .kind = SCHED_LEADS, .leads_until_ms = 100 });
	join(t, 1, 1, 2);
	t->now_ms = 100;
	renew(t, 1, 2);
	assert_int_equal(view_of(t, 1).in_flight, 0);
	assert_int_equal(view_of(t, 1).wait, WAIT_STORE);
	buf_clear(&t->text);
	feed(t, (struct sched_event){ .kind = SCHED_LEADS, .leads_until_ms = 2600 });
	assert_trace(t, "100 lease w1 f2 2/1 r1 0-1 context\n");
}

static void without_workers_of_a_last_term_nothing_is_perhaps_held(void **state)
{
	struct trace *t = *state;
	last_workers(t, 0);
	admit(t, resumed_run(4, 4));
	join(t, 1, 1, 4);
	renew(t, 1, 4);
	assert_trace(t, "0 welcome w1\n"
	                "0 grant w1 f1 q1 4\n"
	                "0 renewed w1 n1\n"
	                "0 lease w1 f2 2/1 r1 0-3 context\n");
}

static void of_two_that_claim_a_sample_the_first_keeps_it_and_the_other_is_asked_to_give_it_back(void **state)
{
	struct trace *t = *state;
	last_workers(t, 3);
	admit(t, resumed_run(6, 6));
	remembers(t, 1, 1, 1, 1, 0, 4); /* 0 to 3 */
	remembers(t, 2, 1, 2, 1, 2, 4); /* 2 to 5 */
	remembers(t, 3, 1, 3, 1, 0, 2); /* 0 and 1 */
	join(t, 1, 1, 4);
	join(t, 2, 2, 4);
	join(t, 3, 3, 4);
	assert_trace(t, "0 welcome w1\n"
	                "0 grant w1 f1 q1 4\n"
	                "0 welcome w2\n"
	                "0 release w2 f1 1/2 #0,1\n"
	                "0 grant w2 f2 q1 4\n"
	                "0 welcome w3 refused 1/3\n"
	                "0 grant w3 f1 q1 4\n");
	assert_int_equal(view_of(t, 1).in_flight, 6);
}

static void what_somebody_else_has_is_asked_back_though_it_was_started(void **state)
{
	struct trace *t = *state;
	last_workers(t, 2);
	admit(t, resumed_run(4, 4));
	remembers(t, 1, 1, 1, 1, 0, 2); /* 0 and 1 */
	remembers(t, 2, 1, 2, 1, 0, 4);
	start(t, 2, 1, 1); /* its ask has failed, say: it must not be asked again */
	join(t, 1, 1, 4);
	join(t, 2, 2, 4);
	assert_trace(t, "0 welcome w1\n"
	                "0 grant w1 f1 q1 4\n"
	                "0 welcome w2\n"
	                "0 release w2 f1 1/2 #0,1\n"
	                "0 grant w2 f2 q1 4\n");
}

static void leases_that_cannot_be_ours_are_refused(void **state)
{
	struct trace *t = *state;
	admit(t, plain_run(1, 4));
	remembers(t, 1, 2, 7, 1, 0, 1);  /* of this term, never lent */
	remembers(t, 1, 9, 1, 1, 0, 1);  /* of a term to come */
	remembers(t, 1, 1, 1, 66, 0, 1); /* of a run that is not here */
	remembers(t, 1, 1, 2, 1, 4, 1);  /* past the end of the run */
	join(t, 1, 1, 4);
	assert_trace(t, "0 welcome w1 refused 2/7,9/1,1/1,1/2\n"
	                "0 grant w1 f1 q1 4\n");
	assert_int_equal(view_of(t, 1).in_flight, 0);
}

static void say_hello(struct trace *t, uint32_t worker, uint32_t outbox, const struct msg_answer_ref *answers,
                      size_t count)
{
	struct msg_hello hello = plain_hello(outbox, 4);
	hello.answers = answers;
	hello.answer_count = count;
	struct sched_event ev = { .kind = SCHED_WORKER_JOINED };
	ev.joined.worker_id = worker;
	ev.joined.hello = &hello;
	feed(t, ev);
}

static void an_answer_kept_in_an_outbox_is_adopted_or_shipped_never_asked_again(void **state)
{
	struct trace *t = *state;
	last_workers(t, 2);
	admit(t, resumed_run(4, 4));
	stored(t, 9, 1, 3, 0, OUTCOME_SCORED);
	const struct msg_answer_ref answers[] = {
		{ .run_id = 1, .sample_no = 0, .ask_id = 10 },
		{ .run_id = 1, .sample_no = 0, .ask_id = 11 }, /* a second answer of the same sample */
		{ .run_id = 1, .sample_no = 3, .ask_id = 12 }, /* done */
		{ .run_id = 8, .sample_no = 0, .ask_id = 13 }, /* nobody knows that run */
	};
	say_hello(t, 1, 1, answers, 4);
	say_hello(t, 2, 2, answers, 1); /* held by worker 1 now */
	assert_trace(t, "0 welcome w1 adopt ship ship ship\n"
	                "0 grant w1 f1 q1 4\n"
	                "0 welcome w2 ship\n"
	                "0 grant w2 f1 q1 4\n");
	struct sched_run_view v = view_of(t, 1);
	assert_int_equal(v.in_flight, 1);
	assert_int_equal(v.started, 1);
	say_hello(t, 3, 1, answers, 1); /* the Welcome was lost: it asks again */
	assert_trace(t, "0 close w1\n"
	                "0 welcome w3 adopt\n"
	                "0 grant w3 f1 q1 4\n");
	assert_int_equal(view_of(t, 1).in_flight, 1);
	stored(t, 1, 1, 0, 0, OUTCOME_SCORED);
	assert_int_equal(view_of(t, 1).in_flight, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_reconnect_within_the_deadline_loses_nothing),
		TEST(what_a_hello_does_not_list_waits_until_the_outbox_has_had_time_to_speak),
		TEST(a_lease_that_two_renewals_should_have_listed_and_did_not_is_free_again),
		TEST(a_sample_that_two_renewals_do_not_list_is_free_again),
		TEST(only_an_outbox_that_was_heard_since_its_hello_has_said_what_it_knows),
		TEST(a_late_renewal_of_an_ended_lease_is_refused_and_takes_nothing_back),
		TEST(a_newer_session_of_an_outbox_replaces_the_older_one),
		TEST(an_orderly_leaver_gives_back_at_once_and_counts_no_death),
		TEST(a_new_leader_adopts_what_workers_hold_and_lends_what_was_never_sent),
		TEST(nothing_below_the_position_goes_out_while_a_worker_of_the_last_term_may_hold_it),
		TEST(what_an_absent_worker_may_have_asked_is_said_before_it_goes_out_again),
		TEST(of_several_absent_workers_nobody_is_named),
		TEST(nothing_is_lent_to_a_worker_that_a_new_term_would_not_know_of),
		TEST(a_leader_that_cannot_be_sure_of_it_lends_nothing),
		TEST(without_workers_of_a_last_term_nothing_is_perhaps_held),
		TEST(of_two_that_claim_a_sample_the_first_keeps_it_and_the_other_is_asked_to_give_it_back),
		TEST(what_somebody_else_has_is_asked_back_though_it_was_started),
		TEST(leases_that_cannot_be_ours_are_refused),
		TEST(an_answer_kept_in_an_outbox_is_adopted_or_shipped_never_asked_again),
	};
	return cmocka_run_group_tests_name("adopt", tests, NULL, NULL);
}
