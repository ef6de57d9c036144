/* Goal: every run ends, in the right state, with a text that says why; retries, epochs and cancels do as told. */
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

static void lent_to_worker_1(struct trace *t, struct sched_run run)
{
	admit(t, run);
	join(t, 1, 1, 64);
	renew(t, 1, 64);
	buf_clear(&t->text);
}

static void retry(struct trace *t, uint64_t run_id, uint32_t wave)
{
	struct sched_event ev = { .kind = SCHED_RUN_RETRY };
	ev.retry.run_id = run_id;
	ev.retry.wave = wave;
	feed(t, ev);
}

static void cancel(struct trace *t, uint64_t run_id)
{
	feed(t, (struct sched_event){ .kind = SCHED_RUN_CANCEL, .run_id = run_id });
}

static void a_run_with_few_missing_is_done_and_names_them(void **state)
{
	struct trace *t = *state;
	lent_to_worker_1(t, plain_run(1, 50));
	for (uint64_t i = 0; i < 49; i++)
		done(t, 1, 1, i);
	stored(t, 1, 1, 49, 0, OUTCOME_UNSCORED);
	assert_trace(t, "0 run_ended r1 done '1 of 50 samples missing: 1 unscored (items 49)'\n"
	                "0 run_forgotten r1\n");
}

static void a_run_with_more_missing_than_allowed_is_incomplete(void **state)
{
	struct trace *t = *state;
	struct sched_run run = plain_run(1, 5);
	run.epochs = 2;
	lent_to_worker_1(t, run);
	for (uint64_t i = 0; i < 8; i++)
		done(t, 1, 1, i);
	stored(t, 1, 1, 8, 0, OUTCOME_UNSCORED);
	stored(t, 1, 1, 9, 0, OUTCOME_QUARANTINED);
	assert_trace(t,
	             "0 run_ended r1 incomplete '2 of 10 samples missing: 1 unscored, 1 quarantined (items 3 epoch 2, "
	             "4 epoch 2); more than the 2 % that may be missing'\n"
	             "0 run_forgotten r1\n");
}

static void an_end_names_some_of_many_missing(void **state)
{
	struct trace *t = *state;
	struct sched_run run = plain_run(1, 20);
	run.caps.missing_share_max = 0.9;
	lent_to_worker_1(t, run);
	for (uint64_t i = 0; i < 20; i++)
		stored(t, 1, 1, i, 0, i < 10 ? OUTCOME_PROVIDER_ERROR : OUTCOME_SCORED);
	assert_trace(t,
	             "0 run_ended r1 done '10 of 20 samples missing: 10 provider_error (items 0, 1, 2, 3, 4, 5, 6, 7 "
	             "and 2 more)'\n"
	             "0 run_forgotten r1\n");
}

static void a_cancelled_run_ends_at_once_and_what_has_started_is_taken_when_it_comes(void **state)
{
	struct trace *t = *state;
	lent_to_worker_1(t, plain_run(1, 4));
	start(t, 1, 1, 0);
	renew(t, 1, 0);
	buf_clear(&t->text);
	done(t, 1, 1, 3);
	cancel(t, 1);
	assert_trace(t, "0 revoke w1 f3 1/1\n"
	                "0 run_ended r1 cancelled 'cancelled with 1 of 4 samples done'\n");
	t->toys[1].leases[0].held[0] = 1; /* the worker drops what had not started */
	renew(t, 1, 8);
	renew(t, 1, 8);
	done(t, 1, 1, 0);
	assert_trace(t, "0 renewed w1 n3\n"
	                "0 renewed w1 n4\n"
	                "0 run_forgotten r1\n");
}

static void a_retry_asks_the_missing_ones_again_as_a_new_wave(void **state)
{
	struct trace *t = *state;
	lent_to_worker_1(t, plain_run(1, 4));
	done(t, 1, 1, 0);
	stored(t, 1, 1, 1, 0, OUTCOME_UNSCORED);
	stored(t, 1, 1, 2, 0, OUTCOME_PROVIDER_ERROR);
	assert_int_equal(view_of(t, 1).missing, 2);
	renew(t, 1, 64);
	buf_clear(&t->text);
	t->easy = false;
	retry(t, 1, 1);
	assert_trace(t, "0 sent_to r1 8\n" /* the wave's positions come behind the first four */
	                "0 load_items r1 1..4\n");
	assert_int_equal(view_of(t, 1).missing, 0);
	t->easy = true;
	struct sched_event ev = { .kind = SCHED_SENT_TO };
	ev.sent_to.run_id = 1;
	ev.sent_to.position = 8;
	feed(t, ev);
	ev = (struct sched_event){ .kind = SCHED_ITEMS_LOADED };
	ev.items.run_id = 1;
	ev.items.from = 1;
	ev.items.to = 4;
	ev.items.sizes = (uint32_t[]){ 1, 1, 1 };
	feed(t, ev);
	assert_trace(t, "0 lease w1 f3 1/2 r1 1-2 wave 1\n");
	stored(t, 1, 1, 1, 1, OUTCOME_SCORED);
	stored(t, 1, 1, 2, 1, OUTCOME_SCORED);
	done(t, 1, 1, 3);
	assert_trace(t, "0 run_ended r1 done ''\n"
	                "0 run_forgotten r1\n");
}

static void a_row_of_the_wave_before_is_asked_again_when_it_comes_late(void **state)
{
	struct trace *t = *state;
	lent_to_worker_1(t, plain_run(1, 2));
	done(t, 1, 1, 0);
	retry(t, 1, 1);
	stored(t, 1, 1, 1, 0, OUTCOME_UNSCORED); /* was asked in wave 0 */
	renew(t, 1, 64);
	assert_trace(t, "0 renewed w1 n2\n"
	                "0 lease w1 f3 1/2 r1 1 wave 1 attempts 5\n");
	stored(t, 1, 1, 1, 1, OUTCOME_UNSCORED);
	assert_true(str_find(buf_str(&t->text), STR("run_ended r1 incomplete '1 of 2")) >= 0);
}

static void a_retry_of_a_run_that_is_over_needs_it_read_again(void **state)
{
	struct trace *t = *state;
	lent_to_worker_1(t, plain_run(1, 2));
	done(t, 1, 1, 0);
	stored(t, 1, 1, 1, 0, OUTCOME_UNSCORED);
	buf_clear(&t->text);
	retry(t, 1, 1);
	assert_trace(t, "0 run_needed r1\n");
	struct sched_run run = plain_run(1, 2);
	const struct position_layer layers[] = { { 0, 0, 2 }, { 1, 0, 2 } };
	uint8_t done_bits[1] = { 0x01 };
	run.layers = layers;
	run.layer_count = 2;
	run.retry_wave = 1;
	run.sent_to = 2;
	run.done = str_make(done_bits, 1);
	renew(t, 1, 8);
	admit(t, run);
	assert_trace(t, "0 renewed w1 n2\n"
	                "0 lease w1 f3 1/2 r1 1 context wave 1\n");
}

static void a_cancelled_run_can_be_retried_while_its_old_samples_are_still_out(void **state)
{
	struct trace *t = *state;
	lent_to_worker_1(t, plain_run(1, 3));
	start(t, 1, 1, 0);
	renew(t, 1, 64);
	cancel(t, 1);
	buf_clear(&t->text);
	retry(t, 1, 1);
	assert_trace(t, "0 run_needed r1\n");
	struct sched_run run = plain_run(1, 3);
	run.retry_wave = 1;
	admit(t, run);
	assert_int_equal(view_of(t, 1).state, SCHED_STATE_RUNNING);
	assert_int_equal(view_of(t, 1).in_flight, 3); /* still where they were */
	t->toys[1].leases[0].held[0] = 1;             /* the worker drops the two that had not started */
	renew(t, 1, 64);
	renew(t, 1, 64);
	assert_trace(t, "0 renewed w1 n3\n"
	                "0 renewed w1 n4\n"
	                "0 lease w1 f4 1/2 r1 1-2 wave 1\n");
	done_all(t, 1);
	assert_trace(t, "0 run_ended r1 done ''\n"
	                "0 run_forgotten r1\n");
}

static void more_epochs_append_samples(void **state)
{
	struct trace *t = *state;
	lent_to_worker_1(t, plain_run(1, 2));
	struct sched_event ev = { .kind = SCHED_RUN_EXTEND };
	ev.extend.run_id = 1;
	ev.extend.epochs = 3;
	feed(t, ev);
	assert_trace(t, "0 lease w1 f3 1/2 r1 2-5\n");
	assert_int_equal(view_of(t, 1).total, 6);
	done_all(t, 1);
	assert_trace(t, "0 run_ended r1 done ''\n"
	                "0 run_forgotten r1\n");
}

static void only_selected_items_are_run(void **state)
{
	struct trace *t = *state;
	struct sched_run run = plain_run(1, 10);
	uint8_t selected[2] = { 0x42, 0x02 }; /* 1, 6, 9 */
	run.epochs = 2;
	run.selected = str_make(selected, 2);
	admit(t, run);
	join(t, 1, 1, 64);
	renew(t, 1, 64);
	assert_trace(t, "0 welcome w1\n"
	                "0 grant w1 f1 q1 64\n"
	                "0 renewed w1 n1\n"
	                "0 lease w1 f2 1/1 r1 1,6,9,11,16,19 context\n");
	assert_int_equal(view_of(t, 1).total, 6);
	done_all(t, 1);
	assert_trace(t, "0 run_ended r1 done ''\n"
	                "0 run_forgotten r1\n");
}

static void a_run_with_nothing_left_to_do_ends_when_it_is_admitted(void **state)
{
	struct trace *t = *state;
	struct sched_run run = plain_run(1, 3);
	uint8_t all[1] = { 0x07 }, one[1] = { 0x02 };
	run.done = str_make(all, 1);
	run.missing = str_make(one, 1);
	run.missing_counts[OUTCOME_PROVIDER_ERROR] = 1;
	run.caps.missing_share_max = -1;
	admit(t, run);
	assert_trace(t,
	             "0 run_ended r1 incomplete '1 of 3 samples missing: 1 provider_error (items 1); more than the 0 "
	             "% that may be missing'\n"
	             "0 run_forgotten r1\n");
	run = plain_run(2, 3);
	uint8_t none[1] = { 0 };
	run.selected = str_make(none, 1);
	admit(t, run);
	assert_trace(t, "0 run_ended r2 done ''\n"
	                "0 run_forgotten r2\n");
	run = plain_run(3, UINT64_MAX / 2);
	run.epochs = 3;
	admit(t, run);
	assert_true(str_find(buf_str(&t->text), STR("run_ended r3 incomplete 'the run cannot be scheduled")) >= 0);
}

static void a_run_says_what_it_waits_for(void **state)
{
	struct trace *t = *state;
	t->easy = false;
	admit(t, plain_run(1, 3));
	assert_int_equal(view_of(t, 1).wait, WAIT_NO_WORKER);
	assert_string_equal(view_of(t, 1).text, "no worker is connected");
	join(t, 1, 1, 4);
	renew(t, 1, 1);
	assert_int_equal(view_of(t, 1).wait, WAIT_ITEMS);
	struct sched_event ev = { .kind = SCHED_ITEMS_LOADED };
	ev.items.run_id = 1;
	ev.items.to = 3;
	ev.items.sizes = (uint32_t[]){ 1, 1, 1 };
	feed(t, ev);
	assert_int_equal(view_of(t, 1).wait, WAIT_SENT_TO);
	assert_string_equal(view_of(t, 1).text, "position 3 is being written");
	ev = (struct sched_event){ .kind = SCHED_SENT_TO };
	ev.sent_to.run_id = 1;
	ev.sent_to.position = 3;
	feed(t, ev);
	assert_int_equal(view_of(t, 1).wait, WAIT_NO_CREDIT);
	renew(t, 1, 2);
	t->now_ms = 700;
	struct sched_run_view v = view_of(t, 1);
	assert_int_equal(v.wait, WAIT_IN_FLIGHT);
	assert_string_equal(v.text, "all 3 samples left are with workers");
	assert_int_equal(v.oldest_in_flight_ms, 700);
	assert_int_equal(v.straggler_count, 3);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(v.stragglers[i].age_ms, 700);
		assert_int_equal(v.stragglers[i].sample_no % v.suite_items, i);
		assert_false(v.stragglers[i].started);
		assert_string_equal(v.stragglers[i].worker, "toy");
	}
	stored(t, 1, 1, 0, 0, OUTCOME_SCORED);
	stored(t, 1, 1, 2, 0, OUTCOME_SCORED);
	v = view_of(t, 1);
	assert_int_equal(v.straggler_count, 1);
	assert_int_equal(v.stragglers[0].sample_no, 1);
	assert_string_equal(v.text, "the last sample is with a worker");
}

static void events_about_things_that_are_not_there_do_nothing(void **state)
{
	struct trace *t = *state;
	cancel(t, 5);
	go(t, 5, false);
	renew(t, 5, 5);
	give_back(t, 5, (struct lease_no){ 1, 1 }, RELEASE_ASKED, 0, 3, 0);
	stored(t, 5, 5, 5, 0, OUTCOME_SCORED);
	failed(t, 5, 5, 5, CLASS_SERVER, true, 1, -1);
	feed(t, (struct sched_event){ .kind = SCHED_ROUTE_CLEAR, .route_id = 77 });
	struct sched_event ev = { .kind = SCHED_SENT_TO };
	ev.sent_to.run_id = 5;
	feed(t, ev);
	assert_trace(t, "");
	ev = (struct sched_event){ .kind = SCHED_ITEMS_LOADED };
	ev.items.run_id = 5;
	ev.items.to = 3;
	t->easy = false;
	feed(t, ev);
	assert_trace(t, "0 drop_items r5 0..3\n"); /* the shell need not keep them */
	t->easy = true;
	lent_to_worker_1(t, plain_run(1, 2));
	stored(t, 1, 1, 2, 0, OUTCOME_SCORED); /* past the end */
	failed(t, 1, 1, 99, CLASS_AUTH, true, 1, -1);
	assert_trace(t, "");
}

static void a_run_whose_workers_cannot_write_says_so(void **state)
{
	struct trace *t = *state;
	join(t, 1, 1, 4);
	join(t, 2, 2, 4);
	t->toys[1].outbox_fails = true;
	renew(t, 1, 0);
	renew(t, 2, 0);
	admit(t, plain_run(1, 3));
	assert_int_equal(view_of(t, 1).wait, WAIT_NO_CREDIT); /* the other one is whole, and full */
	t->toys[2].outbox_fails = true;
	renew(t, 2, 0);
	assert_int_equal(view_of(t, 1).wait, WAIT_WORKER_DISK);
	assert_string_equal(view_of(t, 1).text, "2 workers cannot write to disk: no room, or it is broken (toy)");
	struct sched_worker_view w;
	schedule_worker_view(t->s, 0, &w);
	assert_true(w.outbox_fails);
	t->toys[1].outbox_fails = false;
	renew(t, 1, 4);
	schedule_worker_view(t->s, 0, &w);
	assert_false(w.outbox_fails);
	assert_int_equal(view_of(t, 1).wait, WAIT_IN_FLIGHT);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_run_with_few_missing_is_done_and_names_them),
		TEST(a_run_with_more_missing_than_allowed_is_incomplete),
		TEST(an_end_names_some_of_many_missing),
		TEST(a_cancelled_run_ends_at_once_and_what_has_started_is_taken_when_it_comes),
		TEST(a_retry_asks_the_missing_ones_again_as_a_new_wave),
		TEST(a_row_of_the_wave_before_is_asked_again_when_it_comes_late),
		TEST(a_retry_of_a_run_that_is_over_needs_it_read_again),
		TEST(a_cancelled_run_can_be_retried_while_its_old_samples_are_still_out),
		TEST(more_epochs_append_samples),
		TEST(only_selected_items_are_run),
		TEST(a_run_with_nothing_left_to_do_ends_when_it_is_admitted),
		TEST(a_run_says_what_it_waits_for),
		TEST(a_run_whose_workers_cannot_write_says_so),
		TEST(events_about_things_that_are_not_there_do_nothing),
	};
	return cmocka_run_group_tests_name("run", tests, NULL, NULL);
}
