/* Goal: messages for a full ring wait in order, and none is lost. */
#include "common/io/outgoing.h"
#include "tests/support/cmocka_all.h"

static void messages_keep_their_order_through_a_full_ring(void **state)
{
	(void)state;
	struct ring *ring;
	struct outgoing o;
	struct error error;
	int numbers[10];
	void *got[10];
	assert_ok(ring_new(3, &ring, &error), &error);
	outgoing_init(&o, ring);
	for (int i = 0; i < 10; i++) {
		numbers[i] = i;
		outgoing_push(&o, &numbers[i]);
	}
	assert_true(outgoing_waits(&o));
	for (int next = 0; next < 10;) {
		size_t count = ring_pop_all(ring, got, 2);
		for (size_t i = 0; i < count; i++)
			assert_int_equal(*(int *)got[i], next++);
		outgoing_flush(&o);
	}
	assert_false(outgoing_waits(&o));
	outgoing_done(&o);
	ring_free(ring);
}

static void what_a_closed_ring_did_not_take_comes_back(void **state)
{
	(void)state;
	struct ring *ring;
	struct outgoing o;
	struct error error;
	int a = 1, b = 2;
	assert_ok(ring_new(1, &ring, &error), &error);
	outgoing_init(&o, ring);
	ring_close(ring);
	outgoing_push(&o, &a);
	outgoing_push(&o, &b);
	outgoing_flush(&o);
	assert_ptr_equal(outgoing_take(&o), &a);
	assert_ptr_equal(outgoing_take(&o), &b);
	assert_null(outgoing_take(&o));
	outgoing_done(&o);
	ring_free(ring);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_keep_their_order_through_a_full_ring),
		cmocka_unit_test(what_a_closed_ring_did_not_take_comes_back),
	};
	return cmocka_run_group_tests_name("outgoing", tests, NULL, NULL);
}
