/* Goal: the API reads what main published last, whole; a database that comes and goes for days costs no memory. */
#include "coordinator/main/outlook.h"
#include "tests/support/cmocka_all.h"
#include <stdio.h>
#include <string.h>

static struct outlook waiting(unsigned n)
{
	struct outlook o = { .term = 7 };
	(void)snprintf(o.text, sizeof(o.text), "waiting for PostgreSQL: reason %u", n);
	return o;
}

static void before_anything_is_known_there_is_no_database(void **state)
{
	(void)state;
	struct outlook_board b;
	outlook_init(&b);
	assert_false(outlook_get(&b)->database);
	assert_string_equal(outlook_get(&b)->text, "");
	outlook_done(&b);
}

static void what_was_read_stays_as_it_was_when_another_one_is_shown(void **state)
{
	(void)state;
	struct outlook_board b;
	outlook_init(&b);
	struct outlook one = waiting(1), two = { .database = true, .term = 8, .leader_url = "http://other" };
	outlook_show(&b, &one);
	const struct outlook *first = outlook_get(&b);
	outlook_show(&b, &two);
	assert_string_equal(first->text, "waiting for PostgreSQL: reason 1");
	assert_int_equal(first->term, 7);
	assert_true(outlook_get(&b)->database);
	assert_string_equal(outlook_get(&b)->leader_url, "http://other");
	outlook_show(&b, &one);
	assert_ptr_equal(outlook_get(&b), first); /* the same words are kept once */
	outlook_done(&b);
}

static void memory_ends_and_truth_does_not(void **state)
{
	(void)state;
	struct outlook_board b;
	outlook_init(&b);
	for (unsigned i = 0; i < 5 * OUTLOOKS_MAX; i++) {
		struct outlook o = waiting(i);
		outlook_show(&b, &o);
		assert_false(outlook_get(&b)->database);
		assert_string_not_equal(outlook_get(&b)->text, "");
	}
	assert_in_range(b.count, OUTLOOKS_MAX, OUTLOOKS_MAX + 1);
	outlook_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(before_anything_is_known_there_is_no_database),
		cmocka_unit_test(what_was_read_stays_as_it_was_when_another_one_is_shown),
		cmocka_unit_test(memory_ends_and_truth_does_not),
	};
	return cmocka_run_group_tests_name("outlook", tests, NULL, NULL);
}
