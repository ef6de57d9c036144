/* Goal: what is lent, to whom, how much, and never more than anybody allowed. */
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

static void loaded(struct trace *t, uint64_t run_id, uint64_t from, uint64_t to)
{
	static uint32_t sizes[4096];
	struct sched_event ev = { .kind = SCHED_ITEMS_LOADED };
	for (size_t i = 0; i < 4096; i++)
		sizes[i] = t->item_bytes;
	ev.items.run_id = run_id;
	ev.items.from = from;
	ev.items.to = to;
	ev.items.sizes = sizes;
	feed(t, ev);
}

static void durable(struct trace *t, uint64_t run_id, uint64_t position)
{
	struct sched_event ev = { .kind = SCHED_SENT_TO };
	ev.sent_to.run_id = run_id;
	ev.sent_to.position = position;
	feed(t, ev);
}

static void a_run_reads_its_items_and_makes_its_position_durable_before_anything_is_lent(void **state)
{
	struct trace *t = *state;
	t->easy = false;
	admit(t, plain_run(7, 3));
	assert_trace(t, "0 sent_to r7 3\n"
	                "0 load_items r7 0..3\n");
	join(t, 1, 1, 4);
	renew(t, 1, 4);
	assert_trace(t, "0 welcome w1\n"
	                "0 grant w1 f1 q1 4\n"
	                "0 renewed w1 n1\n");
	loaded(t, 7, 0, 3);
	assert_trace(t, "");
	durable(t, 7, 3);
	assert_trace(t, "0 lease w1 f2 1/1 r7 0-2 context\n"
	                "0 drop_items r7 0..3\n");
}

static void nothing_is_lent_before_a_worker_has_said_what_it_wants(void **state)
{
	struct trace *t = *state;
	admit(t, plain_run(1, 3));
	join(t, 1, 1, 4);
	tick(t, 500);
	assert_trace(t, "0 welcome w1\n"
	                "0 grant w1 f1 q1 4\n");
	renew(t, 1, 0);
	assert_trace(t, "500 renewed w1 n1\n");
	renew(t, 1, 2);
	assert_trace(t, "500 renewed w1 n2\n"
	                "500 lease w1 f2 1/1 r1 0-1 context\n");
}

static void a_worker_is_never_lent_more_than_it_wanted_whatever_was_on_its_way(void **state)
{
	struct trace *t = *state;
	admit(t, plain_run(1, 1000));
	join(t, 1, 1, 8);
	renew(t, 1, 6);
	assert_trace(t, "0 welcome w1\n"
	                "0 grant w1 f1 q1 8\n"
	                "0 renewed w1 n1\n"
	                "0 lease w1 f2 1/1 r1 0-5 context\n");
	t->toys[1].frame_seen = 1; /* the lease has not come when it writes this: it wants 6 in all */
	renew(t, 1, 6);
	assert_trace(t, "0 renewed w1 n2\n");
	t->toys[1].frame_seen = 2; /* now it has, and wants 3 more */
	renew(t, 1, 3);
	assert_trace(t, "0 renewed w1 n3\n"
	                "0 lease w1 f3 1/2 r1 6-8\n");
}

static void each_committed_sample_gives_one_credit_back_between_renewals(void **state)
{
	struct trace *t = *state;
	admit(t, plain_run(1, 1000));
	join(t, 1, 1, 1);
	renew(t, 1, 2);
	assert_trace(t, "0 welcome w1\n"
	                "0 grant w1 f1 q1 1\n"
	                "0 renewed w1 n1\n"
	                "0 lease w1 f2 1/1 r1 0-1 context\n");
	t->now_ms = 400;
	done(t, 1, 1, 0);
	assert_trace(t, "400 lease w1 f3 1/2 r1 2\n");
	done(t, 1, 1, 1);
	done(t, 1, 1, 2);
	assert_trace(t, "400 lease w1 f4 1/3 r1 3\n"
	                "400 lease w1 f5 1/4 r1 4\n");
}

static void at_first_a_worker_holds_its_slots_and_a_little_more(void **state)
{
	struct trace *t = *state;
	admit(t, plain_run(1, 1000));
	join(t, 1, 1, 16);
	renew(t, 1, 1000);
	assert_trace(t, "0 welcome w1\n"
	                "0 grant w1 f1 q1 16\n"
	                "0 renewed w1 n1\n"
	                "0 lease w1 f2 1/1 r1 0-20 context\n");
}

static void a_fast_worker_is_lent_about_a_second_of_its_work(void **state)
{
	struct trace *t = *state;
	t->quiet = true;
	admit(t, plain_run(1, 100000));
	join(t, 1, 1, 4);
	renew(t, 1, 60);
	for (uint64_t now_ms = 10; now_ms < 400; now_ms += 10) { /* 3 samples in 10 ms: 300 a second */
		t->now_ms = now_ms;
		for (uint64_t i = 0; i < 3; i++)
			done(t, 1, 1, (now_ms / 10 - 1) * 3 + i);
		renew(t, 1, 1000);
	}
	struct sched_worker_view w;
	schedule_worker_view(t->s, 0, &w);
	assert_in_range(w.held, 150, 330);
	assert_true(w.samples_per_s > 250 && w.samples_per_s < 350);
}

static void near_the_end_each_worker_gets_a_fair_part_of_what_is_left(void **state)
{
	struct trace *t = *state;
	join(t, 1, 1, 16);
	join(t, 2, 2, 16);
	renew(t, 1, 16);
	renew(t, 2, 16);
	t->quiet = true;
	admit(t, plain_run(1, 8)); /* takes the grants */
	t->quiet = false;
	buf_clear(&t->text);
	tick(t, 300);
	assert_int_equal(t->toys[1].lease_count + t->toys[2].lease_count, 6); /* of 2, 2, 1, 1, 1, 1 */
	assert_int_equal(t->toys[1].leases[0].count, 2);
	assert_int_equal(t->toys[2].leases[0].count, 2);
	assert_int_equal(t->toys[1].leases[1].count, 1);
}

static void runs_go_by_priority_then_by_age(void **state)
{
	struct trace *t = *state;
	struct sched_run urgent = plain_run(3, 2);
	urgent.priority = 5;
	admit(t, plain_run(2, 2));
	admit(t, plain_run(1, 2));
	admit(t, urgent);
	join(t, 1, 1, 4);
	renew(t, 1, 5);
	assert_trace(t, "0 welcome w1\n"
	                "0 grant w1 f1 q1 4\n"
	                "0 renewed w1 n1\n"
	                "0 lease w1 f2 1/1 r3 0-1 context\n"
	                "0 lease w1 f3 1/2 r1 0-1 context\n"
	                "0 lease w1 f4 1/3 r2 0 context\n");
}

static void a_run_that_cannot_go_on_does_not_hold_up_the_next(void **state)
{
	struct trace *t = *state;
	struct sched_run stuck = plain_run(1, 4);
	stuck.route_id = 9; /* never announced */
	admit(t, stuck);
	admit(t, plain_run(2, 1));
	join(t, 1, 1, 4);
	renew(t, 1, 4);
	assert_trace(t, "0 welcome w1\n"
	                "0 grant w1 f1 q1 4\n"
	                "0 renewed w1 n1\n"
	                "0 lease w1 f2 1/1 r2 0 context\n");
	assert_int_equal(view_of(t, 1).wait, WAIT_NO_ROUTE);
}

static void a_session_gets_the_context_of_a_run_once(void **state)
{
	struct trace *t = *state;
	admit(t, plain_run(1, 100));
	join(t, 1, 1, 1);
	renew(t, 1, 1);
	renew(t, 1, 1);
	go(t, 1, false);
	join(t, 2, 1, 1);
	renew(t, 2, 1);
	assert_trace(t, "0 welcome w1\n"
	                "0 grant w1 f1 q1 1\n"
	                "0 renewed w1 n1\n"
	                "0 lease w1 f2 1/1 r1 0 context\n"
	                "0 renewed w1 n2\n"
	                "0 lease w1 f3 1/2 r1 1\n"
	                "0 welcome w2\n" /* the toy of worker 2 holds nothing */
	                "0 grant w2 f1 q1 1\n"
	                "0 renewed w2 n1\n"
	                "0 lease w2 f2 1/3 r1 2 context\n");
}

static void the_position_is_raised_ahead_of_need_in_chunks(void **state)
{
	struct trace *t = *state;
	admit(t, plain_run(1, 100000));
	join(t, 1, 1, 200);
	t->easy = false;
	renew(t, 1, 40);
	assert_trace(t, "0 welcome w1\n"
	                "0 grant w1 f1 q1 200\n"
	                "0 renewed w1 n1\n"
	                "0 lease w1 f2 1/1 r1 0-39 context\n"
	                "0 sent_to r1 4064\n"); /* 64 were durable; 40 in the first moment look like 400 a second */
	renew(t, 1, 200);
	assert_trace(t, "0 renewed w1 n2\n"
	                "0 lease w1 f3 1/2 r1 40-63\n"); /* not one past what is durable */
	durable(t, 1, 4064);
	assert_int_equal(t->toys[1].lease_count, 3);
}

static void items_are_read_ahead_within_the_window_and_dropped_once_sent(void **state)
{
	struct trace *t = *state;
	t->easy = false;
	admit(t, plain_run(1, 100000));
	assert_trace(t, "0 sent_to r1 64\n"
	                "0 load_items r1 0..512\n");
	loaded(t, 1, 0, 500); /* the shell may stop earlier */
	durable(t, 1, 64);
	durable(t, 1, 2000);
	assert_trace(t, "");
	join(t, 1, 1, 60);
	renew(t, 1, 60);
	buf_clear(&t->text);
	uint64_t lent = 60;
	while (lent < 500) {
		t->now_ms += 100;
		t->toys[1].lease_count = 0; /* the toy keeps no books here */
		for (uint64_t i = lent - 60; i < lent; i++)
			done(t, 1, 1, i);
		renew(t, 1, 60);
		lent += 60;
	}
	struct str text = buf_str(&t->text);
	assert_true(str_find(text, STR("load_items r1 500..1012")) > 0);
	assert_true(str_find(text, STR("drop_items r1 0..500")) < 0); /* 480 to 499 have not gone out */
	t->now_ms += 100;
	loaded(t, 1, 500, 1012);
	t->toys[1].lease_count = 0;
	renew(t, 1, 200);
	assert_true(str_find(buf_str(&t->text), STR("drop_items r1 0..500")) > 0);
}

static void a_small_suite_stays_loaded_over_its_epochs(void **state)
{
	struct trace *t = *state;
	struct sched_run run = plain_run(1, 4);
	run.epochs = 3;
	t->easy = false;
	admit(t, run);
	loaded(t, 1, 0, 4);
	durable(t, 1, 12);
	join(t, 1, 1, 16);
	renew(t, 1, 12);
	assert_trace(t, "0 sent_to r1 12\n"
	                "0 load_items r1 0..4\n"
	                "0 welcome w1\n"
	                "0 grant w1 f1 q1 16\n"
	                "0 renewed w1 n1\n"
	                "0 lease w1 f2 1/1 r1 0-11 context\n"
	                "0 drop_items r1 0..4\n");
}

static void a_lease_stays_below_the_frame_and_a_larger_item_is_a_harness_error(void **state)
{
	struct trace *t = *state;
	struct sched_run run = plain_run(1, 4);
	t->item_bytes = 400 << 10;
	admit(t, run);
	join(t, 1, 1, 16);
	renew(t, 1, 16);
	assert_trace(t, "0 welcome w1\n"
	                "0 grant w1 f1 q1 16\n"
	                "0 renewed w1 n1\n"
	                "0 lease w1 f2 1/1 r1 0-1 context\n"
	                "0 lease w1 f3 1/2 r1 2-3\n");
	struct sched_run wordy = plain_run(3, 3);
	wordy.context_bytes = 200 << 10; /* travels with the first lease */
	admit(t, wordy);
	assert_trace(t, "0 lease w1 f4 1/3 r3 0 context\n"
	                "0 lease w1 f5 1/4 r3 1-2\n");
	t->item_bytes = 901 << 10;
	admit(t, plain_run(2, 1));
	assert_trace(t,
	             "0 outcome r2:0 harness_error harness 'its item of 922624 bytes does not fit into a lease of at "
	             "most 921600'\n");
	assert_int_equal(view_of(t, 2).storing, 1);
	stored(t, 0, 2, 0, 0, OUTCOME_HARNESS_ERROR);
	assert_trace(t,
	             "0 run_ended r2 incomplete '1 of 1 samples missing: 1 harness_error (items 0); more than the 2 % "
	             "that may be missing'\n"
	             "0 run_forgotten r2\n");
}

static void a_draining_worker_and_a_draining_coordinator_lend_nothing_more(void **state)
{
	struct trace *t = *state;
	admit(t, plain_run(1, 100));
	join(t, 1, 1, 2);
	renew(t, 1, 1);
	buf_clear(&t->text);
	struct sched_event ev = { .kind = SCHED_WORKER_DRAIN };
	ev.drain.worker_id = 1;
	ev.drain.reason = STR("asked to");
	feed(t, ev);
	renew(t, 1, 2);
	assert_trace(t, "0 drain w1 f3\n"
	                "0 renewed w1 n2\n");
	ev.kind = SCHED_DRAIN;
	feed(t, ev);
	join(t, 2, 2, 2);
	renew(t, 2, 2);
	assert_trace(t, "0 welcome w2\n"
	                "0 grant w2 f1 q1 2\n"
	                "0 renewed w2 n1\n");
	assert_int_equal(view_of(t, 1).wait, WAIT_DRAINING);
	assert_false(schedule_quiet(t->s));
	done(t, 1, 1, 0);
	assert_true(schedule_quiet(t->s));
}

static void a_step_lends_so_many_leases_and_the_rest_is_due_at_once(void **state)
{
	struct trace *t = *state;
	trace_end(t);
	trace_begin(t, 1);
	schedule_free(t->s);
	t->s = schedule_new(&(struct sched_config){ .term = 1, .step_leases_max = 2 });
	add_route(t, 1, 0);
	for (uint32_t w = 1; w <= 5; w++) {
		join(t, w, w, 1);
		renew(t, w, 1);
	}
	t->now_ms = 50;
	t->easy = false;
	admit(t, plain_run(1, 1000));
	loaded(t, 1, 0, 512);
	durable(t, 1, 64);
	assert_int_equal(schedule_counters(t->s)->leases, 2);
	assert_int_equal(schedule_next_deadline_ms(t->s), 50);
	tick(t, 50);
	assert_int_equal(schedule_counters(t->s)->leases, 4);
	tick(t, 50);
	assert_int_equal(schedule_counters(t->s)->leases, 5);
	assert_true(schedule_next_deadline_ms(t->s) > 50);
}

static void unstarted_samples_go_from_a_busy_worker_to_an_idle_one_when_nothing_is_pending(void **state)
{
	struct trace *t = *state;
	admit(t, plain_run(1, 6));
	join(t, 1, 1, 4);
	renew(t, 1, 6);
	start(t, 1, 1, 0);
	start(t, 1, 1, 1);
	start(t, 1, 1, 2);
	start(t, 1, 1, 3);
	renew(t, 1, 0);
	join(t, 2, 2, 4);
	renew(t, 2, 4);
	buf_clear(&t->text);
	wait_until(t, 300);
	assert_trace(t, "0 release w1 f3 1/1 #5\n"); /* half of what waits there, the newest first */
	assert_int_equal(view_of(t, 1).pending, 0);  /* not before the holder has said so */
	give_back(t, 1, (struct lease_no){ 1, 1 }, RELEASE_ASKED, 5, 1, 0);
	assert_trace(t, "300 lease w2 f2 1/2 r1 5 context\n");
	wait_until(t, 800);
	assert_trace(t, "500 release w1 f4 1/1 #4\n");
	start_all(t, 1); /* too late: it has begun, and says nothing */
	renew(t, 1, 0);
	wait_until(t, 1300);
	assert_trace(t, "800 renewed w1 n3\n");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_run_reads_its_items_and_makes_its_position_durable_before_anything_is_lent),
		TEST(nothing_is_lent_before_a_worker_has_said_what_it_wants),
		TEST(a_worker_is_never_lent_more_than_it_wanted_whatever_was_on_its_way),
		TEST(each_committed_sample_gives_one_credit_back_between_renewals),
		TEST(at_first_a_worker_holds_its_slots_and_a_little_more),
		TEST(a_fast_worker_is_lent_about_a_second_of_its_work),
		TEST(near_the_end_each_worker_gets_a_fair_part_of_what_is_left),
		TEST(runs_go_by_priority_then_by_age),
		TEST(a_run_that_cannot_go_on_does_not_hold_up_the_next),
		TEST(a_session_gets_the_context_of_a_run_once),
		TEST(the_position_is_raised_ahead_of_need_in_chunks),
		TEST(items_are_read_ahead_within_the_window_and_dropped_once_sent),
		TEST(a_small_suite_stays_loaded_over_its_epochs),
		TEST(a_lease_stays_below_the_frame_and_a_larger_item_is_a_harness_error),
		TEST(a_draining_worker_and_a_draining_coordinator_lend_nothing_more),
		TEST(a_step_lends_so_many_leases_and_the_rest_is_due_at_once),
		TEST(unstarted_samples_go_from_a_busy_worker_to_an_idle_one_when_nothing_is_pending),
	};
	return cmocka_run_group_tests_name("lend", tests, NULL, NULL);
}
