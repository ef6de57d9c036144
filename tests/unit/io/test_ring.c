/* Goal: nothing is lost, doubled or reordered between threads; a reserved place is always there; closing ends all
 * waits. */
#include "common/io/clock.h"
#include "common/io/ring.h"
#include "common/io/thread.h"
#include "tests/support/cmocka_all.h"
#include "tests/support/stops.h"
#include <poll.h>
#include <stdatomic.h>

static struct ring *make(size_t capacity)
{
	struct ring *r;
	struct error error;
	assert_ok(ring_new(capacity, &r, &error), &error);
	return r;
}

static bool is_readable(struct ring *r)
{
	struct pollfd p = { .fd = ring_fd(r), .events = POLLIN };
	return poll(&p, 1, 0) == 1;
}

static int numbers[10];

static void messages_come_out_in_order_and_the_descriptor_tells_when(void **state)
{
	(void)state;
	struct ring *r = make(3);
	void *out[4];
	assert_false(is_readable(r));
	assert_true(ring_try_push(r, &numbers[0]));
	assert_true(is_readable(r));
	assert_true(ring_try_push(r, &numbers[1]));
	assert_int_equal(ring_pop_all(r, out, 1), 1);
	assert_ptr_equal(out[0], &numbers[0]);
	assert_true(is_readable(r));
	assert_true(ring_try_push(r, &numbers[2]));
	assert_true(ring_try_push(r, &numbers[3]));
	assert_false(ring_try_push(r, &numbers[4]));
	assert_int_equal(ring_len(r), 3);
	assert_int_equal(ring_pop_all(r, out, 4), 3);
	for (size_t i = 0; i < 3; i++)
		assert_ptr_equal(out[i], &numbers[i + 1]);
	assert_false(is_readable(r));
	assert_int_equal(ring_pop_all(r, out, 4), 0);
	ring_free(r);
}

static void a_batch_goes_in_as_far_as_there_is_room(void **state)
{
	(void)state;
	struct ring *r = make(4);
	void *in[6], *out[6];
	for (size_t i = 0; i < 6; i++)
		in[i] = &numbers[i];
	assert_int_equal(ring_try_push_many(r, in, 0), 0);
	assert_false(is_readable(r));
	assert_int_equal(ring_try_push_many(r, in, 6), 4);
	assert_int_equal(ring_try_push_many(r, in, 6), 0);
	assert_int_equal(ring_pop_all(r, out, 6), 4);
	assert_memory_equal(in, out, 4 * sizeof(in[0]));
	ring_free(r);
}

static void a_reserved_place_is_kept_from_others_until_used_or_given_back(void **state)
{
	(void)state;
	struct ring *r = make(3);
	void *out[3];
	assert_true(ring_reserve(r, 2));
	assert_false(ring_reserve(r, 2));
	assert_true(ring_try_push(r, &numbers[0]));
	assert_false(ring_try_push(r, &numbers[1]));
	assert_true(ring_push_reserved(r, &numbers[2]));
	ring_unreserve(r, 1);
	assert_true(ring_try_push(r, &numbers[3]));
	assert_int_equal(ring_pop_all(r, out, 3), 3);
	assert_ptr_equal(out[1], &numbers[2]);
	ring_free(r);
}

static void push_unreserved(void *arg)
{
	bool pushed = ring_push_reserved(arg, &numbers[0]);
	(void)pushed; /* it does not come back */
}

static void give_back_too_much(void *arg)
{
	ring_unreserve(arg, 1);
}

static void free_it(void *arg)
{
	ring_free(arg);
}

static void using_a_place_that_nobody_reserved_or_freeing_a_full_ring_is_a_bug(void **state)
{
	(void)state;
	struct ring *r = make(1);
	void *out;
	assert_true(stops(push_unreserved, r));
	assert_true(stops(give_back_too_much, r));
	assert_true(ring_try_push(r, &numbers[0]));
	assert_true(stops(free_it, r));
	assert_int_equal(ring_pop_all(r, &out, 1), 1);
	ring_free(r);
}

static void a_closed_ring_takes_nothing_but_hands_out_what_it_has(void **state)
{
	(void)state;
	struct ring *r = make(4);
	void *out[4];
	assert_true(ring_reserve(r, 1));
	assert_true(ring_try_push(r, &numbers[0]));
	ring_close(r);
	ring_close(r);
	assert_true(ring_is_closed(r));
	assert_false(ring_try_push(r, &numbers[1]));
	assert_false(ring_push_reserved(r, &numbers[1]));
	assert_false(ring_reserve(r, 1));
	assert_int_equal(ring_push_wait(r, &numbers[1], -1), ERR_CANCELLED);
	assert_int_equal(ring_pop_wait(r, out, 4, -1), 1);
	assert_int_equal(ring_pop_wait(r, out, 4, -1), 0);
	assert_true(is_readable(r));
	ring_free(r);
}

static void waits_keep_their_time(void **state)
{
	(void)state;
	struct ring *r = make(1);
	void *out;
	uint64_t before_ms = clock_now_ms();
	assert_int_equal(ring_pop_wait(r, &out, 1, 30), 0);
	assert_true(ring_try_push(r, &numbers[0]));
	assert_int_equal(ring_push_wait(r, &numbers[1], 30), ERR_TIMEOUT);
	assert_in_range(clock_now_ms() - before_ms, 58, 5000);
	assert_int_equal(ring_push_wait(r, &numbers[1], 0), ERR_TIMEOUT);
	assert_int_equal(ring_pop_all(r, &out, 1), 1);
	ring_free(r);
}

enum { PRODUCERS = 4, EACH = 20000, CAPACITY = 64 };

struct note {
	unsigned producer, number;
};

struct producer {
	struct ring *ring;
	struct thread *thread;
	struct note *notes;
	unsigned index;
};

/* In turns: one without waiting, a batch, one with waiting, one reserved. */
static void produce(void *arg)
{
	struct producer *p = arg;
	for (unsigned i = 0; i < EACH;) {
		void *batch[7];
		unsigned count = MIN_OF(7U, EACH - i);
		for (unsigned k = 0; k < count; k++)
			batch[k] = &p->notes[i + k];
		switch ((i + p->index) % 4) {
		case 0:
			i += ring_try_push(p->ring, batch[0]);
			break;
		case 1:
			i += (unsigned)ring_try_push_many(p->ring, batch, count);
			break;
		case 2:
			i += ring_push_wait(p->ring, batch[0], -1) == ERR_OK;
			break;
		default:
			if (ring_reserve(p->ring, 2)) {
				ring_unreserve(p->ring, 1);
				i += ring_push_reserved(p->ring, batch[0]);
			}
		}
	}
}

static void many_producers_lose_and_reorder_nothing(void **state)
{
	(void)state;
	static struct note notes[PRODUCERS][EACH];
	struct producer producers[PRODUCERS];
	struct ring *r = make(CAPACITY);
	unsigned next[PRODUCERS] = { 0 };
	struct error error;
	for (unsigned i = 0; i < PRODUCERS; i++) {
		for (unsigned k = 0; k < EACH; k++)
			notes[i][k] = (struct note){ i, k };
		producers[i] = (struct producer){ .ring = r, .notes = notes[i], .index = i };
		assert_ok(thread_start(&producers[i].thread, "producer", produce, &producers[i], &error), &error);
	}
	for (unsigned got = 0; got < PRODUCERS * EACH;) {
		void *out[50];
		struct pollfd p = { .fd = ring_fd(r), .events = POLLIN };
		size_t count;
		if (got % 2) { /* both ways of waiting */
			assert_int_equal(poll(&p, 1, 10000), 1);
			count = ring_pop_all(r, out, got % 50 + 1);
		} else {
			count = ring_pop_wait(r, out, got % 50 + 1, 10000);
			assert_true(count > 0);
		}
		assert_true(ring_len(r) <= CAPACITY);
		for (size_t i = 0; i < count; i++, got++) {
			const struct note *n = out[i];
			if (n->number != next[n->producer]++)
				fail_msg("producer %u: %u after %u", n->producer, n->number, next[n->producer] - 2);
		}
	}
	for (unsigned i = 0; i < PRODUCERS; i++)
		thread_join(producers[i].thread);
	assert_int_equal(ring_len(r), 0);
	ring_free(r);
}

struct pool {
	struct ring *ring;
	atomic_uint taken;
};

static void drain(void *arg)
{
	struct pool *pool = arg;
	void *out[3];
	size_t count;
	while ((count = ring_pop_wait(pool->ring, out, 3, -1)) > 0)
		atomic_fetch_add(&pool->taken, (unsigned)count);
}

static void a_pool_shares_a_ring_and_closing_sends_all_home_after_the_last_message(void **state)
{
	(void)state;
	struct pool pool = { .ring = make(16) };
	struct thread *threads[3];
	struct error error;
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		assert_ok(thread_start(&threads[i], "pool", drain, &pool, &error), &error);
	for (unsigned i = 0; i < 5000; i++)
		assert_ok(ring_push_wait(pool.ring, &numbers[0], 10000), &error);
	ring_close(pool.ring);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		thread_join(threads[i]);
	assert_int_equal(atomic_load(&pool.taken), 5000);
	ring_free(pool.ring);
}

static void push_until_closed(void *arg)
{
	struct ring *r = arg;
	while (ring_push_wait(r, &numbers[0], -1) == ERR_OK)
		;
}

static void closing_wakes_a_sender_that_waits_for_room(void **state)
{
	(void)state;
	struct ring *r = make(2);
	struct thread *t;
	struct error error;
	void *out[2];
	assert_ok(thread_start(&t, "sender", push_until_closed, r, &error), &error);
	while (ring_len(r) < 2)
		assert_int_equal(poll(&(struct pollfd){ .fd = ring_fd(r), .events = POLLIN }, 1, 10000), 1);
	ring_close(r);
	thread_join(t);
	assert_int_equal(ring_pop_all(r, out, 2), 2);
	ring_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_come_out_in_order_and_the_descriptor_tells_when),
		cmocka_unit_test(a_batch_goes_in_as_far_as_there_is_room),
		cmocka_unit_test(a_reserved_place_is_kept_from_others_until_used_or_given_back),
		cmocka_unit_test(using_a_place_that_nobody_reserved_or_freeing_a_full_ring_is_a_bug),
		cmocka_unit_test(a_closed_ring_takes_nothing_but_hands_out_what_it_has),
		cmocka_unit_test(waits_keep_their_time),
		cmocka_unit_test(many_producers_lose_and_reorder_nothing),
		cmocka_unit_test(a_pool_shares_a_ring_and_closing_sends_all_home_after_the_last_message),
		cmocka_unit_test(closing_wakes_a_sender_that_waits_for_room),
	};
	return cmocka_run_group_tests_name("ring", tests, NULL, NULL);
}
