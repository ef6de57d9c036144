/* Goal: what is open, done, covered, to be loaded and to be deleted is counted right, and numbers are never reused. */
#include "common/base/mem.h"
#include "tests/unit/outbox/outbox_fixture.h"

static uint64_t add(struct outbox_index *x, struct record *r)
{
	uint64_t next;
	if (outbox_index_must_reserve(x, 1, &next))
		outbox_index_reserved(x, next);
	r->m.record_no = outbox_index_number(x);
	uint64_t record_no = r->m.record_no;
	outbox_index_add(x, r, 100, 10, true);
	record_free(r);
	return record_no;
}

static uint64_t commit(struct outbox_index *x, uint64_t first, uint64_t last, uint64_t now_ms)
{
	struct record_range range = { first, last };
	return outbox_index_commit(x, &range, 1, now_ms);
}

static int setup(void **state)
{
	struct outbox_index *x = mem_new(1, sizeof(*x));
	outbox_index_init(x);
	outbox_index_segment(x, 1);
	*state = x;
	return 0;
}

static int teardown(void **state)
{
	outbox_index_done(*state);
	mem_free(*state);
	return 0;
}

static void a_record_is_open_until_a_commit_names_it(void **state)
{
	struct outbox_index *x = *state;
	for (uint64_t i = 1; i <= 5; i++)
		assert_int_equal(add(x, a_result(i, "")), i);
	assert_int_equal(x->open_records, 5);
	assert_int_equal(commit(x, 2, 3, 0), 2);
	assert_int_equal(commit(x, 2, 4, 0), 1);
	assert_int_equal(commit(x, 90, UINT64_MAX, 0), 0);
	assert_int_equal(x->open_records, 2);
	assert_int_equal(commit(x, 0, UINT64_MAX, 0), 2);
}

static void an_answer_is_offered_until_its_result_is_there(void **state)
{
	struct outbox_index *x = *state;
	struct outbox_place place;
	size_t part = 0, at = 0;
	uint64_t first = add(x, an_answer(1, "")), second = add(x, an_answer(2, ""));
	add(x, a_result(1, ""));
	assert_int_equal(x->open_answers, 1);
	assert_true(outbox_index_next_answer(x, &part, &at, &place));
	assert_int_equal(place.record_no, second);
	assert_false(outbox_index_next_answer(x, &part, &at, &place));
	assert_int_equal(x->parts[0].open, 3); /* a covered answer stays until its result is committed */
	assert_int_equal(commit(x, 3, 3, 0), 1);
	assert_int_equal(x->parts[0].open, 1);
	assert_int_equal(commit(x, second, second, 0), 1); /* not wanted */
	assert_int_equal(x->open_answers, 0);
	assert_int_equal(x->answers.len, 0);
	(void)first;
}

static void a_segment_is_deleted_when_all_of_it_was_done_for_a_minute(void **state)
{
	struct outbox_index *x = *state;
	uint64_t segment_no;
	add(x, an_answer(1, ""));
	outbox_index_segment(x, 2);
	add(x, a_result(1, ""));
	add(x, a_result(2, ""));
	outbox_index_segment(x, 3);
	assert_false(outbox_index_droppable(x, 1 << 30, &segment_no));
	commit(x, 2, 2, 1000);
	assert_false(outbox_index_droppable(x, 60999, &segment_no));
	assert_int_equal(outbox_index_next_deadline_ms(x), 61000);
	assert_true(outbox_index_droppable(x, 61000, &segment_no));
	assert_int_equal(segment_no, 1);
	outbox_index_drop(x, 1);
	assert_false(outbox_index_droppable(x, 61000, &segment_no)); /* 3 is open */
	commit(x, 3, 3, 2000);
	assert_true(outbox_index_droppable(x, 62000, &segment_no));
	outbox_index_drop(x, 2);
	assert_false(outbox_index_droppable(x, UINT64_MAX - 1, &segment_no)); /* the one being written stays */
}

static void another_timeline_opens_what_was_done_within_a_minute(void **state)
{
	struct outbox_index *x = *state;
	struct outbox_place place;
	add(x, an_answer(1, ""));
	add(x, a_result(1, ""));
	add(x, an_attempt(2));
	commit(x, 2, 2, 1000);
	commit(x, 3, 3, 50000);
	assert_int_equal(outbox_index_reopen(x, 61000), 1);
	assert_int_equal(x->unloaded, 1);
	assert_true(outbox_index_load(x, &place));
	assert_int_equal(place.record_no, 3);
	assert_false(outbox_index_load(x, &place));
	assert_int_equal(outbox_index_reopen(x, 61000), 0);
	commit(x, 3, 3, 61000);
	assert_int_equal(x->open_records, 0);
}

static void a_shipped_answer_is_a_record_like_others(void **state)
{
	struct outbox_index *x = *state;
	uint64_t record_no = add(x, an_answer(1, ""));
	outbox_index_ship(x, record_no);
	assert_int_equal(x->open_answers, 0);
	assert_int_equal(x->open_records, 1);
	commit(x, record_no, record_no, 1000);
	assert_int_equal(x->open_records, 0);
	assert_int_equal(outbox_index_reopen(x, 2000), 1);
	assert_int_equal(x->unloaded, 1);
}

static void numbers_come_from_what_was_reserved(void **state)
{
	struct outbox_index *x = *state;
	uint64_t next;
	assert_true(outbox_index_must_reserve(x, 3, &next));
	outbox_index_reserved(x, next);
	for (uint64_t i = 0; i < OUTBOX_RESERVE_COUNT; i++)
		assert_true(outbox_index_number(x) < next);
	assert_true(outbox_index_must_reserve(x, 4, &next));
}

/* ---- replay ---- */

static const struct outbox_id id = { { 1, 2, 3 } };

static void replay(struct outbox_index *x, struct str bytes)
{
	struct arena scratch;
	struct error error;
	size_t end;
	arena_init(&scratch, 16 << 20);
	assert_ok(outbox_index_replay(x, &id, 5, bytes, 7000, &scratch, &end, &error), &error);
	outbox_index_replayed(x);
	arena_done(&scratch);
}

static void put(struct buf *b, struct record *r, uint64_t record_no)
{
	const struct outbox_segment s = { id, 5, 77 };
	r->m.record_no = record_no;
	assert_true(outbox_write_record(r, outbox_salt(&s), b));
	record_free(r);
}

static struct buf a_segment(void)
{
	const struct outbox_segment s = { id, 5, 77 };
	struct record_range trim = { 80, 80 };
	struct buf b;
	buf_init(&b, 1 << 20);
	outbox_segment_write(&s, &b);
	assert_true(outbox_write_reserve(200, outbox_salt(&s), &b));
	put(&b, an_answer(1, "one"), 79);
	put(&b, a_result(1, "one"), 80);
	assert_true(outbox_write_trim(&trim, 1, outbox_salt(&s), &b));
	put(&b, an_answer(2, "two"), 81);
	put(&b, an_attempt(3), 82);
	return b;
}

static void a_replay_finds_what_is_open_and_where_numbers_go_on(void **state)
{
	(void)state;
	struct outbox_index x;
	struct outbox_place place;
	struct buf b = a_segment();
	outbox_index_init(&x);
	replay(&x, buf_str(&b));
	assert_int_equal(x.open_records, 1);
	assert_int_equal(x.unloaded, 1);
	assert_int_equal(x.open_answers, 1);
	assert_int_equal(x.damaged_count, 0);
	assert_int_equal(x.record_no_next, 200);
	assert_true(outbox_index_has_ask(&x, 1) && outbox_index_has_ask(&x, 2) && outbox_index_has_ask(&x, 3));
	assert_false(outbox_index_has_ask(&x, 4));
	assert_true(outbox_index_load(&x, &place));
	assert_int_equal(place.record_no, 82);
	outbox_index_done(&x);
	buf_done(&b);
}

static void damage_makes_numbers_go_on_far_beyond(void **state)
{
	(void)state;
	struct outbox_index x;
	struct buf b = a_segment();
	b.data[OUTBOX_SEGMENT_HEADER_BYTES + 26] ^= 1; /* the RESERVE */
	outbox_index_init(&x);
	replay(&x, buf_str(&b));
	assert_int_equal(x.damaged_count, 1);
	assert_int_equal(x.open_answers, 1);
	assert_int_equal(x.record_no_next, 83 + OUTBOX_SKIP_AFTER_DAMAGE);
	outbox_index_done(&x);
	buf_done(&b);
}

static void a_damaged_header_costs_no_entry(void **state)
{
	(void)state;
	struct outbox_index x;
	struct buf b = a_segment();
	b.data[30] ^= 1;
	outbox_index_init(&x);
	replay(&x, buf_str(&b));
	assert_int_equal(x.open_answers, 1);
	assert_int_equal(x.open_records, 1);
	outbox_index_done(&x);
	buf_done(&b);
}

static void a_segment_of_another_outbox_is_refused(void **state)
{
	(void)state;
	struct outbox_index x;
	struct arena scratch;
	struct error error;
	size_t end;
	struct buf b = a_segment();
	struct outbox_id other = { { 9 } };
	outbox_index_init(&x);
	arena_init(&scratch, 1 << 20);
	assert_int_equal(outbox_index_replay(&x, &other, 5, buf_str(&b), 0, &scratch, &end, &error), ERR_CORRUPT);
	assert_int_equal(outbox_index_replay(&x, &id, 6, buf_str(&b), 0, &scratch, &end, &error), ERR_CORRUPT);
	arena_done(&scratch);
	outbox_index_done(&x);
	buf_done(&b);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_record_is_open_until_a_commit_names_it),
		TEST(an_answer_is_offered_until_its_result_is_there),
		TEST(a_segment_is_deleted_when_all_of_it_was_done_for_a_minute),
		TEST(another_timeline_opens_what_was_done_within_a_minute),
		TEST(a_shipped_answer_is_a_record_like_others),
		TEST(numbers_come_from_what_was_reserved),
		cmocka_unit_test(a_replay_finds_what_is_open_and_where_numbers_go_on),
		cmocka_unit_test(damage_makes_numbers_go_on_far_beyond),
		cmocka_unit_test(a_damaged_header_costs_no_entry),
		cmocka_unit_test(a_segment_of_another_outbox_is_refused),
	};
	return cmocka_run_group_tests_name("outbox index", tests, NULL, NULL);
}
