/* Goal: failed asks are counted once and capped in one place; what providers say holds for the whole fleet. */
#include "tests/support/cmocka_all.h"
#include "tests/unit/schedule/trace.h"

static int setup(void **state)
{
	static struct trace t;
	trace_begin(&t, 1);
	add_route(&t, 1, 0);
	*state = &t;
	return 0;
}

static int teardown(void **state)
{
	trace_end(*state);
	return 0;
}

static void two_workers(struct trace *t, uint64_t items)
{
	admit(t, plain_run(1, items));
	join(t, 1, 1, 4);
	join(t, 2, 2, 4);
	renew(t, 1, 4);
	buf_clear(&t->text);
}

static void attempts_are_capped_over_all_workers_that_try(void **state)
{
	struct trace *t = *state;
	two_workers(t, 1);
	failed(t, 1, 1, 0, CLASS_SERVER, false, 1, -1);
	failed(t, 1, 1, 0, CLASS_TIMEOUT, false, 2, -1);
	assert_trace(t, "");
	renew(t, 1, 0);
	failed(t, 1, 1, 0, CLASS_TIMEOUT, true, 3, -1);
	renew(t, 2, 0);
	renew(t, 1, 1); /* it holds the sample no more: now it is free */
	assert_trace(t, "0 renewed w1 n2\n"
	                "0 renewed w2 n1\n"
	                "0 renewed w1 n3\n"
	                "0 lease w1 f3 1/2 r1 0 attempts 2\n");
	renew(t, 2, 1);
	buf_clear(&t->text);
	give_back(t, 1, (struct lease_no){ 1, 2 }, RELEASE_DEADLINE, 0, 1, 0);
	assert_trace(t, "0 lease w2 f2 1/3 r1 0 context attempts 2\n");
	failed(t, 2, 1, 0, CLASS_SERVER, false, 1, -1);
	failed(t, 2, 1, 0, CLASS_SERVER, true, 2, -1);
	assert_trace(t, "0 outcome r1:0 provider_error server '5 of 5 attempts failed, the last with server'\n");
	stored(t, 0, 1, 0, 0, OUTCOME_PROVIDER_ERROR);
	assert_trace(t,
	             "0 run_ended r1 incomplete '1 of 1 samples missing: 1 provider_error (items 0); more than the 2 "
	             "% that may be missing'\n"
	             "0 run_forgotten r1\n");
}

static void a_failure_that_nothing_can_mend_ends_the_sample_at_once(void **state)
{
	struct trace *t = *state;
	two_workers(t, 1);
	failed(t, 1, 1, 0, CLASS_AUTH, true, 1, -1);
	assert_trace(t, "0 outcome r1:0 provider_error auth 'auth: asking again cannot help'\n");
	renew(t, 1, 4);
	assert_int_equal(view_of(t, 1).wait, WAIT_STORE);
}

static void a_record_that_comes_twice_counts_once(void **state)
{
	struct trace *t = *state;
	two_workers(t, 1);
	for (int i = 0; i < 8; i++)
		failed(t, 1, 1, 0, CLASS_SERVER, false, 1, -1);
	failed(t, 1, 1, 0, CLASS_SERVER, true, 2, -1);
	renew(t, 1, 1);
	assert_trace(t, "0 renewed w1 n2\n"
	                "0 lease w1 f3 1/2 r1 0 attempts 3\n");
	struct toy_lease again = t->toys[1].leases[1];
	t->ask_id--; /* the very same record again: it gave up the first lease, not this one */
	failed(t, 1, 1, 0, CLASS_SERVER, true, 2, -1);
	t->toys[1].leases[1] = again;
	renew(t, 1, 1);
	renew(t, 1, 1);
	assert_trace(t, "0 renewed w1 n3\n"
	                "0 renewed w1 n4\n");
	assert_int_equal(view_of(t, 1).in_flight, 1);
}

static void the_time_of_a_sample_is_used_up_over_its_attempts(void **state)
{
	struct trace *t = *state;
	struct sched_run run = plain_run(1, 1);
	run.caps.sample_ms_max = 25;
	run.caps.attempts_max = 100;
	admit(t, run);
	join(t, 1, 1, 4);
	renew(t, 1, 4);
	buf_clear(&t->text);
	for (int i = 0; i < 3; i++) {
		failed(t, 1, 1, 0, CLASS_TIMEOUT, true, 1, -1); /* 10 ms each */
		renew(t, 1, 1);
	}
	assert_trace(t, "0 renewed w1 n2\n"
	                "0 lease w1 f3 1/2 r1 0 attempts 99\n"
	                "0 renewed w1 n3\n"
	                "0 lease w1 f4 1/3 r1 0 attempts 98\n"
	                "0 outcome r1:0 provider_error deadline '30 ms of 25 were used up in 3 attempts, the last with "
	                "timeout'\n"
	                "0 renewed w1 n4\n");
}

static void retry_after_pauses_the_route_for_every_worker_once_an_episode(void **state)
{
	struct trace *t = *state;
	two_workers(t, 100);
	renew(t, 2, 1);
	buf_clear(&t->text);
	t->now_ms = 1000;
	failed(t, 1, 1, 0, CLASS_RATE_LIMITED, false, 1, 2000);
	failed(t, 1, 1, 1, CLASS_RATE_LIMITED, false, 1, 2100); /* the same episode */
	assert_trace(t, "1000 grant w1 f3 q1 4 pause\n"
	                "1000 grant w2 f3 q1 4 pause\n");
	renew(t, 1, 4);
	renew(t, 2, 1);
	done(t, 2, 1, 4);
	assert_trace(t, "1000 renewed w1 n2\n"
	                "1000 renewed w2 n2\n");
	struct sched_run_view v = view_of(t, 1);
	assert_int_equal(v.wait, WAIT_ROUTE_PAUSED);
	assert_string_equal(v.text, "route smol is paused for 2 s more: rate limited");
	join(t, 3, 3, 4); /* who comes meanwhile is told too */
	assert_trace(t, "1000 welcome w3\n"
	                "1000 grant w3 f1 q1 4 pause\n");
	wait_until(t, 2999);
	assert_trace(t, "");
	wait_until(t, 3000);
	assert_true(str_find(buf_str(&t->text), STR("3000 lease w")) >= 0);
}

static void a_pause_is_told_of_a_run_whose_samples_are_all_out(void **state)
{
	struct trace *t = *state;
	admit(t, plain_run(1, 2));
	join(t, 1, 1, 4);
	renew(t, 1, 4);
	assert_int_equal(view_of(t, 1).wait, WAIT_IN_FLIGHT);
	failed(t, 1, 1, 0, CLASS_RATE_LIMITED, false, 1, 2000);
	struct sched_run_view v = view_of(t, 1);
	assert_int_equal(v.pending, 0);
	assert_int_equal(v.wait, WAIT_ROUTE_PAUSED);
	t->now_ms = 2000;
	assert_int_equal(view_of(t, 1).wait, WAIT_IN_FLIGHT);
}

static void a_rate_limit_without_a_time_is_the_workers_own_business(void **state)
{
	struct trace *t = *state;
	two_workers(t, 4);
	failed(t, 1, 1, 0, CLASS_RATE_LIMITED, false, 1, -1);
	assert_trace(t, "");
}

static void a_spent_quota_ends_the_run_with_its_reason_once_nothing_is_out(void **state)
{
	struct trace *t = *state;
	two_workers(t, 10);
	failed(t, 1, 1, 0, CLASS_QUOTA, true, 1, -1);
	assert_trace(t, "0 outcome r1:0 provider_error quota 'quota: asking again cannot help'\n");
	stored(t, 0, 1, 0, 0, OUTCOME_PROVIDER_ERROR);
	renew(t, 2, 4);
	assert_trace(t, "0 renewed w2 n1\n"); /* nothing more goes there */
	done(t, 1, 1, 1);
	done(t, 1, 1, 2);
	assert_trace(t, "");
	done(t, 1, 1, 3);
	assert_trace(t, "0 run_ended r1 incomplete 'route smol is blocked: its quota is used up; 6 of 10 samples not "
	                "run; 1 of 10 samples missing: 1 provider_error (items 0)'\n"
	                "0 run_forgotten r1\n");
	admit(t, plain_run(2, 1)); /* somebody tries again */
	assert_true(str_find(buf_str(&t->text), STR("lease w")) >= 0);
}

static void a_permanent_failure_that_comes_late_spares_the_next_worker_the_ask(void **state)
{
	struct trace *t = *state;
	two_workers(t, 1);
	renew(t, 2, 0);
	wait_until(t, 3000); /* worker 1 is thought dead, the sample waits */
	buf_clear(&t->text);
	failed(t, 1, 1, 0, CLASS_BAD_REQUEST, true, 1, -1);
	assert_trace(t, "3000 outcome r1:0 provider_error bad_request 'bad_request: asking again cannot help'\n");
}

static void a_result_of_an_earlier_holder_is_taken_and_the_present_one_is_spared(void **state)
{
	struct trace *t = *state;
	two_workers(t, 2);
	t->now_ms = 2000;
	renew(t, 2, 4);
	wait_until(t, 3000);
	buf_clear(&t->text);
	start(t, 2, 1, 1);
	renew(t, 2, 4);
	done(t, 1, 1, 0);
	done(t, 1, 1, 1); /* begun already: nothing to be spared */
	assert_trace(t, "3000 renewed w2 n2\n"
	                "3000 release w2 f3 1/3 #0\n"
	                "3000 attempts o2 r1:1*\n" /* its second ask: open until it says what came of it */
	                "3000 run_ended r1 done ''\n"
	                "3000 run_forgotten r1\n");
	give_back(t, 2, (struct lease_no){ 1, 2 }, RELEASE_ASKED, 0, 1, 0); /* means nothing any more */
	assert_trace(t, "");
}

static void of_a_present_holder_that_is_away_nobody_knows_that_it_has_not_begun(void **state)
{
	struct trace *t = *state;
	two_workers(t, 2);
	t->now_ms = 2000;
	renew(t, 2, 4);
	wait_until(t, 3000);
	start(t, 2, 1, 1);
	renew(t, 2, 4);
	go(t, 2, false); /* what it begins from now on nobody hears of */
	buf_clear(&t->text);
	done(t, 1, 1, 0);
	done(t, 1, 1, 1);
	assert_trace(t, "3000 attempts o2 r1:0\n"
	                "3000 attempts o2 r1:1*\n"
	                "3000 run_ended r1 done ''\n"
	                "3000 run_forgotten r1\n");
}

static void a_paid_answer_after_a_missing_row_takes_its_place(void **state)
{
	struct trace *t = *state;
	two_workers(t, 2);
	failed(t, 1, 1, 0, CLASS_AUTH, true, 1, -1);
	stored(t, 0, 1, 0, 0, OUTCOME_PROVIDER_ERROR);
	assert_int_equal(view_of(t, 1).missing, 1);
	stored(t, 2, 1, 0, 1, OUTCOME_SCORED);
	assert_int_equal(view_of(t, 1).missing, 0);
	buf_clear(&t->text);
	done(t, 1, 1, 1);
	assert_trace(t, "0 run_ended r1 done ''\n"
	                "0 run_forgotten r1\n");
}

static void a_result_that_cannot_be_stored_becomes_a_row_of_ours_and_the_run_ends(void **state)
{
	struct trace *t = *state;
	two_workers(t, 1);
	stored(t, 1, 1, 0, 0, OUTCOME_NONE);
	assert_trace(t, "0 outcome r1:0 harness_error harness 'its result could not be stored; the bytes are kept in "
	                "refused_result'\n");
	stored(t, 0, 1, 0, 0, OUTCOME_NONE); /* not even that */
	assert_true(str_find(buf_str(&t->text), STR("run_ended r1 incomplete")) >= 0);
}

static void what_a_worker_abandons_on_request_is_written_down_with_its_ask(void **state)
{
	struct trace *t = *state;
	two_workers(t, 1);
	start(t, 1, 1, 0);
	give_back(t, 1, (struct lease_no){ 1, 1 }, RELEASE_DRAIN, 0, 1, 77);
	renew(t, 1, 4);
	assert_trace(t, "0 attempts o1 r1:0*~\n"
	                "0 renewed w1 n2\n"); /* it drains: nothing more for it */
	renew(t, 2, 1);
	assert_trace(t, "0 renewed w2 n1\n"
	                "0 lease w2 f2 1/2 r1 0 context\n");
	assert_int_equal(schedule_counters(t->s)->deaths, 0);
}

static void a_worker_that_proves_unable_gets_no_more_of_that_route(void **state)
{
	struct trace *t = *state;
	two_workers(t, 2);
	give_back(t, 1, (struct lease_no){ 1, 1 }, RELEASE_NO_ABILITY, 0, 1, 0);
	renew(t, 1, 4);
	assert_trace(t, "0 renewed w1 n2\n");
	renew(t, 2, 4);
	assert_true(str_find(buf_str(&t->text), STR("lease w2")) > 0);
}

static void attempts_that_were_stored_count_after_a_restart(void **state)
{
	struct trace *t = *state;
	struct sched_run run = plain_run(1, 3);
	const struct sched_tried tried[] = { { .sample_no = 1, .attempts = 4, .spent_ms = 100 },
		                             { .sample_no = 2, .deaths = 2 } };
	run.tried = tried;
	run.tried_count = 2;
	admit(t, run);
	join(t, 1, 1, 4);
	renew(t, 1, 4);
	assert_trace(t, "0 welcome w1\n"
	                "0 grant w1 f1 q1 4\n"
	                "0 renewed w1 n1\n"
	                "0 lease w1 f2 1/1 r1 0-1 context attempts 5,1\n");
	done_all(t, 1);
	tick(t, 1);
	tick(t, 2);
	assert_true(str_find(buf_str(&t->text), STR("r1 2 alone attempts 5\n")) > 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(attempts_are_capped_over_all_workers_that_try),
		TEST(a_failure_that_nothing_can_mend_ends_the_sample_at_once),
		TEST(a_record_that_comes_twice_counts_once),
		TEST(the_time_of_a_sample_is_used_up_over_its_attempts),
		TEST(retry_after_pauses_the_route_for_every_worker_once_an_episode),
		TEST(a_pause_is_told_of_a_run_whose_samples_are_all_out),
		TEST(a_rate_limit_without_a_time_is_the_workers_own_business),
		TEST(a_spent_quota_ends_the_run_with_its_reason_once_nothing_is_out),
		TEST(a_permanent_failure_that_comes_late_spares_the_next_worker_the_ask),
		TEST(a_result_of_an_earlier_holder_is_taken_and_the_present_one_is_spared),
		TEST(of_a_present_holder_that_is_away_nobody_knows_that_it_has_not_begun),
		TEST(a_paid_answer_after_a_missing_row_takes_its_place),
		TEST(a_result_that_cannot_be_stored_becomes_a_row_of_ours_and_the_run_ends),
		TEST(what_a_worker_abandons_on_request_is_written_down_with_its_ask),
		TEST(a_worker_that_proves_unable_gets_no_more_of_that_route),
		TEST(attempts_that_were_stored_count_after_a_restart),
	};
	return cmocka_run_group_tests_name("attempt", tests, NULL, NULL);
}
