/* Goal: a route's concurrency is lent in slices that never sum to more, follow need, and go only where they can. */
#include "common/base/mem.h"
#include "tests/support/cmocka_all.h"
#include "tests/unit/schedule/trace.h"

static int setup(void **state)
{
	static struct trace t;
	trace_begin(&t, 1);
	*state = &t;
	return 0;
}

static int teardown(void **state)
{
	trace_end(*state);
	return 0;
}

static void a_joining_worker_waits_until_the_others_have_seen_their_smaller_slices(void **state)
{
	struct trace *t = *state;
	add_route(t, 1, 8);
	admit(t, plain_run(1, 1000));
	join(t, 1, 1, 8);
	renew(t, 1, 8);
	buf_clear(&t->text);
	t->toys[1].deaf = true;
	join(t, 2, 2, 8);
	assert_trace(t, "0 welcome w2\n"
	                "0 grant w1 f3 q1 4\n"
	                "0 grant w2 f1 q1 0\n");
	t->toys[1].in_flight = 8;
	renew(t, 1, 0); /* has not seen the smaller one yet */
	assert_trace(t, "0 renewed w1 n2\n");
	t->toys[1].frame_seen = 3;
	t->toys[1].slots = 4;
	t->toys[1].in_flight = 6; /* has, but six asks are still under way */
	renew(t, 1, 0);
	assert_trace(t, "0 grant w2 f2 q1 2\n"
	                "0 renewed w1 n3\n");
	t->toys[1].in_flight = 4;
	renew(t, 1, 0);
	assert_trace(t, "0 grant w2 f3 q1 4\n"
	                "0 renewed w1 n4\n");
}

static void the_slice_of_a_dead_worker_is_free_at_its_deadline_not_before(void **state)
{
	struct trace *t = *state;
	add_route(t, 1, 4);
	admit(t, plain_run(1, 1000));
	join(t, 1, 1, 4);
	renew(t, 1, 4);
	go(t, 1, false);
	t->now_ms = 2000;
	buf_clear(&t->text);
	join(t, 2, 2, 4);
	renew(t, 2, 4);
	assert_trace(t, "2000 welcome w2\n"
	                "2000 grant w2 f1 q1 0\n"
	                "2000 renewed w2 n1\n");
	assert_int_equal(view_of(t, 1).wait, WAIT_NO_SLICE);
	assert_string_equal(view_of(t, 1).text, "the route's concurrency is lent out");
	wait_until(t, 3000);
	assert_trace(t, "3000 attempts o1 r1:0 r1:1 r1:2 r1:3\n"
	                "3000 grant w2 f2 q1 4\n"
	                "3000 lease w2 f3 1/2 r1 0-3 context attempts 5,5,5,5\n");
}

static void slices_are_equal_up_to_what_each_can_use(void **state)
{
	struct trace *t = *state;
	join(t, 1, 1, 1);
	join(t, 2, 2, 16);
	join(t, 3, 3, 16);
	add_route(t, 1, 10);
	buf_clear(&t->text);
	admit(t, plain_run(1, 1000));
	assert_trace(t, "0 grant w1 f1 q1 1\n"
	                "0 grant w2 f1 q1 5\n"
	                "0 grant w3 f1 q1 4\n");
}

static void with_fewer_slots_than_workers_some_get_none(void **state)
{
	struct trace *t = *state;
	join(t, 1, 1, 4);
	join(t, 2, 2, 4);
	join(t, 3, 3, 4);
	add_route(t, 1, 2);
	buf_clear(&t->text);
	admit(t, plain_run(1, 1000));
	assert_trace(t, "0 grant w1 f1 q1 1\n"
	                "0 grant w2 f1 q1 1\n"
	                "0 grant w3 f1 q1 0\n");
}

static void what_a_worker_does_not_need_goes_to_one_that_starves(void **state)
{
	struct trace *t = *state;
	add_route(t, 1, 8);
	admit(t, plain_run(1, 100000));
	join(t, 1, 1, 8);
	join(t, 2, 2, 8);
	buf_clear(&t->text);
	renew(t, 1, 0); /* takes nothing: its disk is full */
	renew(t, 1, 0);
	assert_trace(t, "0 grant w1 f3 q1 0\n"
	                "0 grant w2 f2 q1 4\n"
	                "0 renewed w1 n1\n"
	                "0 grant w2 f3 q1 8\n"
	                "0 renewed w1 n2\n");
	renew(t, 2, 2);
	t->now_ms = 900;
	renew(t, 2, 0);
	renew(t, 1, 8); /* now it does, and has no slice */
	buf_clear(&t->text);
	wait_until(t, 1250); /* not at once: what is wanted changes all the time */
	assert_trace(t, "1150 grant w2 f5 q1 2\n");
	renew(t, 2, 0);
	assert_trace(t, "1250 grant w1 f4 q1 6\n"
	                "1250 renewed w2 n3\n"
	                "1250 lease w1 f5 1/2 r1 2-9 context\n");
}

static void a_worker_that_came_back_without_a_slot_gets_its_share_again(void **state)
{
	struct trace *t = *state;
	add_route(t, 1, 8);
	admit(t, plain_run(1, 100000));
	join(t, 1, 1, 8);
	renew(t, 1, 8);
	t->toys[2].modest = true;
	join(t, 2, 2, 8);
	renew(t, 2, 8);
	renew(t, 1, 8);
	assert_int_equal(t->toys[2].slots, 4);
	for (t->now_ms = 1000; t->now_ms < 4000; t->now_ms += 1000)
		renew(t, 1, 8); /* the other one is cut off, and its slots go to who is there */
	wait_until(t, 4000);
	renew(t, 1, 8);
	assert_int_equal(t->toys[1].slots, 8);
	restart(t, 2);
	join(t, 2, 2, 8);
	renew(t, 2, 8); /* lists the route, with no slot: wants of it nothing, in all eight */
	for (uint64_t until = t->now_ms + 3000; t->now_ms < until;) {
		for (int i = 0; i < 4; i++) { /* one renews more often: each of its Renews may move the shares */
			wait_until(t, t->now_ms + 250);
			renew(t, 1, 8);
		}
		renew(t, 2, 8);
	}
	assert_int_equal(t->toys[1].slots, 4);
	assert_int_equal(t->toys[2].slots, 4);
}

/* One slot of nine is less than what moves for the sake of order alone; but who has none would wait for ever. */
static void a_worker_without_a_slot_gets_one_of_a_large_share_that_is_one_too_large(void **state)
{
	struct trace *t = *state;
	add_route(t, 1, 9);
	admit(t, plain_run(1, 100000));
	join(t, 1, 1, 9);
	renew(t, 1, 9);
	assert_int_equal(t->toys[1].slots, 9);
	join(t, 2, 2, 1);
	for (int i = 0; i < 4; i++) {
		wait_until(t, t->now_ms + 500);
		renew(t, 2, 1);
		renew(t, 1, 9);
	}
	assert_int_equal(t->toys[1].slots, 8);
	assert_int_equal(t->toys[2].slots, 1);
}

static void shares_do_not_move_for_less_than_an_eighth(void **state)
{
	struct trace *t = *state;
	add_route(t, 1, 18);
	admit(t, plain_run(1, 100000));
	join(t, 1, 1, 10);
	renew(t, 1, 10);
	join(t, 2, 2, 8);
	renew(t, 2, 8);
	renew(t, 1, 10);
	assert_int_equal(t->toys[1].slots, 10);
	assert_int_equal(t->toys[2].slots, 8);
	restart(t, 2);
	join(t, 2 + TOYS, 2, 10); /* could have nine now, as the other one */
	for (int i = 0; i < 4; i++) {
		wait_until(t, t->now_ms + 500);
		renew(t, 2 + TOYS, 10);
		renew(t, 1, 10);
	}
	assert_int_equal(t->toys[1].slots, 10);
	assert_int_equal(t->toys[2].slots, 8);
}

static void a_hosted_model_has_as_many_slots_as_each_server(void **state)
{
	struct trace *t = *state;
	struct sched_route route = { .route_id = 1,
		                     .concurrency = 1, /* not read: servers are not shared */
		                     .name = STR("local"),
		                     .provider = STR("openai"),
		                     .host_command = STR("smollm2"),
		                     .host_slots = 3 };
	feed(t, (struct sched_event){ .kind = SCHED_ROUTE, .route = &route });
	admit(t, plain_run(1, 1000));
	struct msg_host hosts[] = { { STR("smollm2"), 2 } };
	for (uint32_t w = 1; w <= 3; w++) {
		struct msg_hello hello = plain_hello(w, 8);
		hello.hosts = w < 3 ? hosts : NULL;
		hello.host_count = w < 3;
		hosts[0].slots = w == 1 ? 2 : 0; /* the second does as the model file says, the third has none */
		struct sched_event ev = { .kind = SCHED_WORKER_JOINED };
		ev.joined.worker_id = w;
		ev.joined.hello = &hello;
		feed(t, ev);
	}
	assert_trace(t, "0 welcome w1\n"
	                "0 grant w1 f1 q1 2\n"
	                "0 welcome w2\n"
	                "0 grant w2 f1 q1 3\n"
	                "0 welcome w3\n");
}

static void a_run_says_that_its_model_server_has_not_answered_yet(void **state)
{
	struct trace *t = *state;
	struct sched_route route = { .route_id = 1,
		                     .name = STR("local"),
		                     .provider = STR("openai"),
		                     .host_command = STR("smollm2"),
		                     .host_slots = 2 };
	struct msg_host hosts[] = { { STR("smollm2"), 2 } };
	struct msg_hello hello = plain_hello(1, 8);
	struct sched_event ev = { .kind = SCHED_WORKER_JOINED };
	feed(t, (struct sched_event){ .kind = SCHED_ROUTE, .route = &route });
	admit(t, plain_run(1, 20));
	hello.hosts = hosts;
	hello.host_count = 1;
	ev.joined.worker_id = 1;
	ev.joined.hello = &hello;
	feed(t, ev);
	renew(t, 1, 2);
	struct sched_run_view v = view_of(t, 1);
	assert_true(v.in_flight > 0 && v.pending > 0);
	assert_int_equal(v.wait, WAIT_HOST_STARTS);
	assert_true(str_starts(str_from(v.text), STR("the model server 'smollm2' has not answered yet")));
	t->now_ms = 400;
	done(t, 1, 1, v.stragglers[0].sample_no);
	t->now_ms = 800;
	done(t, 1, 1, v.stragglers[1].sample_no);
	assert_int_not_equal(view_of(t, 1).wait, WAIT_HOST_STARTS);
}

static enum sched_wait wait_with(struct msg_hello hello, char text[200])
{
	struct trace *t = mem_new(1, sizeof(*t));
	trace_begin(t, 1);
	add_route(t, 1, 0);
	admit(t, plain_run(1, 10));
	struct sched_event ev = { .kind = SCHED_WORKER_JOINED };
	ev.joined.worker_id = 1;
	ev.joined.hello = &hello;
	feed(t, ev);
	renew(t, 1, 4);
	struct sched_run_view v = view_of(t, 1);
	memcpy(text, v.text, 200);
	trace_end(t);
	mem_free(t);
	return v.wait;
}

static void a_run_says_which_ability_no_worker_has(void **state)
{
	(void)state;
	char text[200];
	struct msg_hello hello = plain_hello(1, 4);
	hello.provider_count = 0;
	assert_int_equal(wait_with(hello, text), WAIT_NO_PROVIDER);
	assert_string_equal(text, "no connected worker speaks 'openai'");
	hello = plain_hello(1, 4);
	hello.alias_count = 0;
	assert_int_equal(wait_with(hello, text), WAIT_NO_ALIAS);
	assert_string_equal(text, "no connected worker has the key 'k'");
	hello = plain_hello(1, 4);
	static const struct str other[] = { STR_INIT("*.other.test"), STR_INIT("test"), STR_INIT("*.api.test") };
	hello.allowed_hosts = other;
	hello.allowed_host_count = 3;
	assert_int_equal(wait_with(hello, text), WAIT_NO_ADDRESS);
	assert_string_equal(text, "no connected worker may reach the host 'api.test'");
	static const struct str tail[] = { STR_INIT("*.test") };
	hello.allowed_hosts = tail;
	hello.allowed_host_count = 1;
	assert_int_equal(wait_with(hello, text), WAIT_NO_CREDIT); /* able, and full with what it was lent */
}

static void after_a_takeover_slices_grow_only_when_the_old_ones_have_ended(void **state)
{
	struct trace *t = *state;
	struct outbox_id outboxes[2] = { { { 1 } }, { { 2 } } };
	struct sched_event ev = { .kind = SCHED_LAST_WORKERS };
	ev.last_workers.outboxes = outboxes;
	ev.last_workers.count = 2;
	feed(t, ev);
	add_route(t, 1, 4);
	admit(t, plain_run(1, 1000));
	join(t, 1, 1, 4);
	t->toys[1].slots = 4; /* it remembers what the last leader lent it */
	renew(t, 1, 4);
	assert_trace(t, "0 welcome w1\n"
	                "0 grant w1 f1 q1 0\n"
	                "0 renewed w1 n1\n");
	t->now_ms = 2000;
	renew(t, 1, 4);
	wait_until(t, 2999);
	buf_clear(&t->text);
	wait_until(t, 3000); /* worker 2 has not come back: by now it has stopped asking */
	assert_trace(t, "3000 lost_closed o1\n"
	                "3000 grant w1 f2 q1 4\n"
	                "3000 lease w1 f3 1/1 r1 0-3 context\n");
}

static void a_worker_back_from_the_dead_hears_of_its_new_slice_before_it_may_go_on(void **state)
{
	struct trace *t = *state;
	add_route(t, 1, 4);
	admit(t, plain_run(1, 1000));
	join(t, 1, 1, 4);
	renew(t, 1, 0);
	t->now_ms = 1000;
	join(t, 2, 2, 4);
	t->now_ms = 2900;
	renew(t, 2, 4);
	wait_until(t, 3500);
	assert_int_equal(t->toys[2].slots, 4);
	buf_clear(&t->text);
	renew(t, 1, 4); /* it still thinks that it has four */
	assert_trace(t, "3500 grant w2 f4 q1 2\n"
	                "3500 grant w1 f3 q1 0\n"
	                "3500 renewed w1 n2\n");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_joining_worker_waits_until_the_others_have_seen_their_smaller_slices),
		TEST(the_slice_of_a_dead_worker_is_free_at_its_deadline_not_before),
		TEST(slices_are_equal_up_to_what_each_can_use),
		TEST(with_fewer_slots_than_workers_some_get_none),
		TEST(what_a_worker_does_not_need_goes_to_one_that_starves),
		TEST(a_worker_that_came_back_without_a_slot_gets_its_share_again),
		TEST(a_worker_without_a_slot_gets_one_of_a_large_share_that_is_one_too_large),
		TEST(shares_do_not_move_for_less_than_an_eighth),
		TEST(a_hosted_model_has_as_many_slots_as_each_server),
		TEST(a_run_says_that_its_model_server_has_not_answered_yet),
		TEST(a_run_says_which_ability_no_worker_has),
		TEST(after_a_takeover_slices_grow_only_when_the_old_ones_have_ended),
		TEST(a_worker_back_from_the_dead_hears_of_its_new_slice_before_it_may_go_on),
	};
	return cmocka_run_group_tests_name("slice", tests, NULL, NULL);
}
