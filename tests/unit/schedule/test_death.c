/* Goal: deaths are counted where they happened, poison is set aside alone, and no innocent with it. */
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

static uint32_t next_worker;

/* A new machine, with an outbox of its own, that wants `wanted`. */
static uint32_t comes(struct trace *t, uint32_t wanted)
{
	uint32_t w = ++next_worker;
	t->toys[w % TOYS] = (struct toy){ 0 };
	join(t, w, w % 200 + 1, 4);
	renew(t, w, wanted);
	return w;
}

/* Everything that it holds starts and is seen to; then it is heard of no more. Ends after its deadline. */
static void starts_and_dies(struct trace *t, uint32_t w)
{
	start_all(t, w);
	renew(t, w, 0);
	go(t, w, false);
	wait_until(t, t->now_ms + 3000);
}

static void leases_end_three_seconds_after_the_last_renewal_and_go_out_under_a_new_number(void **state)
{
	struct trace *t = *state;
	admit(t, plain_run(1, 2));
	join(t, 1, 1, 2);
	renew(t, 1, 2);
	t->now_ms = 700;
	renew(t, 1, 0);
	t->now_ms = 900;
	join(t, 2, 2, 2);
	t->now_ms = 3600;
	renew(t, 2, 2);
	buf_clear(&t->text);
	wait_until(t, 3699);
	assert_trace(t, "3600 lost_closed o1\n");
	wait_until(t, 3700);
	assert_trace(t, "3700 revoke w1 f3 1/1\n"
	                "3700 attempts o1 r1:0 r1:1\n"
	                "3700 lease w2 f2 1/2 r1 0-1 context attempts 5,5\n");
	assert_int_equal(schedule_counters(t->s)->expired_workers, 1);
	done(t, 1, 1, 0); /* its result comes all the same, and is taken */
	assert_trace(t, "3700 release w2 f3 1/2 #0\n");
	assert_int_equal(view_of(t, 1).done, 1);
}

static void a_death_is_reported_for_all_that_may_have_been_asked_and_counted_for_what_had_started(void **state)
{
	struct trace *t = *state;
	admit(t, plain_run(1, 4));
	join(t, 1, 1, 4);
	renew(t, 1, 4);
	start(t, 1, 1, 1);
	renew(t, 1, 0);
	buf_clear(&t->text);
	wait_until(t, 3000);
	assert_trace(t, "3000 revoke w1 f3 1/1\n"
	                "3000 attempts o1 r1:0 r1:1* r1:2 r1:3\n");
	assert_int_equal(schedule_counters(t->s)->deaths, 1);
}

static void samples_that_fell_together_go_out_apart(void **state)
{
	struct trace *t = *state;
	admit(t, plain_run(1, 3));
	join(t, 1, 1, 4);
	renew(t, 1, 3);
	starts_and_dies(t, 1);
	buf_clear(&t->text);
	join(t, 2, 2, 4);
	join(t, 3, 3, 4);
	renew(t, 2, 4);
	assert_trace(t, "3000 welcome w2\n"
	                "3000 grant w2 f1 q1 4\n"
	                "3000 welcome w3\n"
	                "3000 grant w3 f1 q1 4\n"
	                "3000 renewed w2 n1\n"
	                "3000 lease w2 f2 1/2 r1 0 context attempts 5\n"
	                "3000 lease w2 f3 1/3 r1 1 attempts 5\n"
	                "3000 lease w2 f4 1/4 r1 2 attempts 5\n");
}

static void a_sample_counted_at_two_deaths_runs_alone_on_a_worker_that_gets_nothing_else(void **state)
{
	struct trace *t = *state;
	admit(t, plain_run(1, 2));
	starts_and_dies(t, comes(t, 2));
	starts_and_dies(t, comes(t, 2));
	admit(t, plain_run(2, 100));
	uint32_t w = comes(t, 0);
	buf_clear(&t->text);
	renew(t, w, 4);
	struct buf want;
	buf_init(&want, 1000);
	buf_printf(&want,
	           "6000 renewed w%u n2\n"
	           "6000 lease w%u f2 1/4 r1 0 context alone attempts 5\n",
	           w, w);
	assert_trace(t, want.data);
	renew(t, w, 4); /* it wants more and gets nothing */
	buf_clear(&t->text);
	t->now_ms = 6100;
	done(t, w, 1, 0);
	buf_clear(&want);
	buf_printf(&want, "6100 lease w%u f3 1/5 r1 1 alone attempts 5\n", w);
	assert_trace(t, want.data);
	done(t, w, 1, 1);
	struct str text = buf_str(&t->text);
	assert_true(str_find(text, STR("run_ended r1 done")) > 0);
	assert_true(str_find(text, STR("r2 0-4 context\n")) > 0); /* free for the others again */
	buf_done(&want);
}

static void a_busy_worker_is_set_aside_for_a_suspect_and_gives_back_what_it_has_not_started(void **state)
{
	struct trace *t = *state;
	struct sched_run run = plain_run(1, 1);
	run.priority = 1;
	admit(t, run);
	starts_and_dies(t, comes(t, 1));
	uint32_t b = comes(t, 1);
	start_all(t, b);
	renew(t, b, 0);
	go(t, b, false);
	admit(t, plain_run(2, 100));
	uint32_t w = comes(t, 4);
	start(t, w, 2, 0);
	t->now_ms = 5000;
	renew(t, w, 0);
	buf_clear(&t->text);
	wait_until(t, 6000);
	struct buf want;
	buf_init(&want, 1000);
	buf_printf(&want,
	           "6000 lost_closed o%u\n"
	           "6000 attempts o%u r1:0*\n"
	           "6000 release w%u f3 1/3 #3,2,1\n",
	           w + 1, b + 1, w);
	assert_trace(t, want.data);
	give_back(t, w, (struct lease_no){ 1, 3 }, RELEASE_ASKED, 1, 3, 0);
	renew(t, w, 3);
	buf_clear(&t->text);
	done(t, w, 2, 0); /* now it holds nothing */
	buf_clear(&want);
	buf_printf(&want, "6000 lease w%u f4 1/4 r1 0 context alone attempts 5\n", w);
	assert_trace(t, want.data);
	buf_done(&want);
}

static bool holds(const struct toy *toy, uint64_t sample_no)
{
	for (size_t i = 0; i < toy->lease_count; i++)
		for (uint32_t k = 0; k < toy->leases[i].count; k++)
			if (toy->leases[i].sample_nos[k] == sample_no)
				return true;
	return false;
}

static void three_deaths_alone_quarantine_with_the_evidence_and_no_innocent(void **state)
{
	struct trace *t = *state;
	admit(t, plain_run(1, 4));
	uint32_t deaths = 0;
	for (int round = 0; round < 20 && view_of(t, 1).done < 3; round++) {
		uint32_t w = comes(t, 4);
		struct toy *toy = &t->toys[w % TOYS];
		bool dies = false;
		while (toy->lease_count > 0 && !dies) {
			start_all(t, w);
			renew(t, w, 0);
			dies = holds(toy, 2); /* sample 2 kills whatever runs it */
			if (!dies)
				done_all(t, w);
		}
		if (dies)
			go(t, w, false);
		deaths += dies;
		wait_until(t, t->now_ms + 3000);
	}
	assert_int_equal(deaths, 5);
	assert_int_equal(schedule_counters(t->s)->quarantined, 1);
	assert_true(
		str_find(buf_str(&t->text), STR("outcome r1:2 quarantined lost 'set aside: what ran it died 3 times "
	                                        "while it ran alone, after 2 deaths in company")) >= 0);
	assert_int_equal(view_of(t, 1).done, 3);
}

static void a_worker_that_comes_back_and_says_died_counts_one_death_not_two(void **state)
{
	struct trace *t = *state;
	admit(t, plain_run(1, 1));
	uint32_t w = comes(t, 1);
	starts_and_dies(t, w);
	assert_int_equal(schedule_counters(t->s)->deaths, 1);
	failed(t, w, 1, 0, CLASS_DIED, true, 1, -1); /* its outbox is back: the same death */
	assert_int_equal(schedule_counters(t->s)->deaths, 1);
	buf_clear(&t->text);
	(void)comes(t, 1);
	assert_true(str_find(buf_str(&t->text), STR("alone")) < 0);
}

static void a_worker_that_restarts_within_its_deadline_counts_the_death_that_it_reports(void **state)
{
	struct trace *t = *state;
	admit(t, plain_run(1, 2));
	join(t, 1, 1, 2);
	renew(t, 1, 2);
	restart(t, 1); /* killed at once: no Renew ever said that sample 0 had started */
	join(t, 2, 1, 2);
	renew(t, 2, 2);
	t->toys[2].outbox = 1;
	failed(t, 2, 1, 0, CLASS_DIED, true, 1, -1);
	assert_int_equal(schedule_counters(t->s)->deaths, 1);
	buf_clear(&t->text);
	t->now_ms = 2000;
	renew(t, 2, 2);
	wait_until(t, 3000);
	assert_trace(t, "2000 renewed w2 n2\n"
	                "3000 lost_closed o1\n"
	                "3000 lease w2 f3 1/3 r1 1\n"); /* sample 0 went out when its death was known */
	assert_int_equal(schedule_counters(t->s)->deaths, 1);
}

static void a_worker_that_was_only_cut_off_takes_its_deaths_back(void **state)
{
	struct trace *t = *state;
	admit(t, plain_run(1, 2));
	join(t, 1, 1, 2);
	renew(t, 1, 2);
	for (uint32_t i = 1; i <= 4; i++) { /* four times away for too long, each time with both samples begun */
		start_all(t, i);
		renew(t, i, 0);
		go(t, i, false);
		wait_until(t, t->now_ms + 3000);
		t->toys[i + 1] = t->toys[i];
		join(t, i + 1, 1, 2);
	}
	buf_clear(&t->text);
	done(t, 5, 1, 0);
	start_all(t, 5);
	renew(t, 5, 0);
	go(t, 5, false);
	wait_until(t, t->now_ms + 3000);
	buf_clear(&t->text);
	(void)comes(t, 2);
	assert_true(str_find(buf_str(&t->text), STR(" r1 1 context attempts 5\n")) >
	            0); /* not alone: one death counts */
}

static void what_a_worker_that_had_stopped_may_have_asked_is_closed_after_its_renewal_too(void **state)
{
	struct trace *t = *state;
	admit(t, plain_run(1, 2));
	join(t, 1, 1, 2);
	renew(t, 1, 2);
	wait_until(t, 4200);
	renew(t, 1, 0); /* in its old session: it never heard that it was away */
	wait_until(t, 6900);
	renew(t, 1, 0);
	buf_clear(&t->text);
	wait_until(t, 7200);
	assert_trace(t, "7200 lost_closed o1\n");
}

static void where_nobody_can_know_being_near_five_deaths_makes_a_suspect_but_convicts_nobody(void **state)
{
	struct trace *t = *state;
	admit(t, plain_run(1, 1));
	for (int i = 0; i < 5; i++) { /* it dies before any Renew could say that the sample had started */
		buf_clear(&t->text);
		uint32_t w = comes(t, 1);
		assert_true(str_find(buf_str(&t->text), STR("alone")) < 0);
		go(t, w, false);
		wait_until(t, t->now_ms + 3000);
	}
	for (int i = 0; i < 6; i++) { /* perhaps the lease never reached it: counts half */
		assert_int_equal(schedule_counters(t->s)->quarantined, 0);
		buf_clear(&t->text);
		uint32_t w = comes(t, 1);
		assert_true(str_find(buf_str(&t->text), STR("alone")) > 0);
		go(t, w, false);
		wait_until(t, t->now_ms + 3000);
	}
	assert_int_equal(schedule_counters(t->s)->quarantined, 1);
}

static void orderly_stops_never_count(void **state)
{
	struct trace *t = *state;
	admit(t, plain_run(1, 1));
	for (int i = 0; i < 10; i++) {
		buf_clear(&t->text);
		uint32_t w = comes(t, 1);
		start_all(t, w);
		renew(t, w, 0);
		assert_true(str_find(buf_str(&t->text), STR("alone")) < 0);
		go(t, w, true);
	}
	assert_int_equal(schedule_counters(t->s)->deaths, 0);
}

static void a_sample_that_kills_its_model_server_is_a_suspect_too(void **state)
{
	struct trace *t = *state;
	admit(t, plain_run(1, 1));
	uint32_t w = comes(t, 4);
	for (int i = 0; i < 5; i++) {
		failed(t, w, 1, 0, CLASS_HOST_FAILED, true, 1, -1);
		renew(t, w, 4);
	}
	assert_true(str_find(buf_str(&t->text), STR("alone attempts 3\n")) > 0);
	assert_true(str_find(buf_str(&t->text),
	                     STR("outcome r1:0 quarantined host_failed 'set aside: its model server died 3 "
	                         "times while it ran alone")) > 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(leases_end_three_seconds_after_the_last_renewal_and_go_out_under_a_new_number),
		TEST(a_death_is_reported_for_all_that_may_have_been_asked_and_counted_for_what_had_started),
		TEST(samples_that_fell_together_go_out_apart),
		TEST(a_sample_counted_at_two_deaths_runs_alone_on_a_worker_that_gets_nothing_else),
		TEST(a_busy_worker_is_set_aside_for_a_suspect_and_gives_back_what_it_has_not_started),
		TEST(three_deaths_alone_quarantine_with_the_evidence_and_no_innocent),
		TEST(a_worker_that_comes_back_and_says_died_counts_one_death_not_two),
		TEST(a_worker_that_restarts_within_its_deadline_counts_the_death_that_it_reports),
		TEST(a_worker_that_was_only_cut_off_takes_its_deaths_back),
		TEST(what_a_worker_that_had_stopped_may_have_asked_is_closed_after_its_renewal_too),
		TEST(where_nobody_can_know_being_near_five_deaths_makes_a_suspect_but_convicts_nobody),
		TEST(orderly_stops_never_count),
		TEST(a_sample_that_kills_its_model_server_is_a_suspect_too),
	};
	return cmocka_run_group_tests_name("death", tests, NULL, NULL);
}
