/* Goal: what was written is read back; damage of any kind costs what it touched and nothing else. */
#include "tests/unit/outbox/outbox_fixture.h"

static const struct outbox_segment segment = { { { 1, 2, 3 } }, 5, 77 };

struct written {
	struct buf bytes;
	size_t ends[8]; /* of the entries */
	uint64_t numbers[8];
	size_t count;
};

static void add_record(struct written *w, struct record *r, uint64_t record_no)
{
	r->m.record_no = record_no;
	assert_true(outbox_write_record(r, outbox_salt(&segment), &w->bytes));
	record_free(r);
	w->numbers[w->count] = record_no;
	w->ends[w->count++] = w->bytes.len;
}

static struct written write_segment(void)
{
	struct written w = { .count = 0 };
	struct record_range trim = { 80, 80 };
	buf_init(&w.bytes, 1 << 20);
	outbox_segment_write(&segment, &w.bytes);
	add_record(&w, a_result(1, "one"), 80);
	assert_true(outbox_write_trim(&trim, 1, outbox_salt(&segment), &w.bytes));
	w.ends[w.count++] = w.bytes.len;
	add_record(&w, an_attempt(2), 81);
	add_record(&w, an_answer(3, "three"), 82);
	assert_true(outbox_write_reserve(500, outbox_salt(&segment), &w.bytes));
	w.ends[w.count++] = w.bytes.len;
	return w;
}

static size_t read_all(struct str bytes, struct outbox_entry *out, uint64_t *ret_damaged, size_t *ret_end)
{
	size_t count = 0, at = OUTBOX_SEGMENT_HEADER_BYTES;
	*ret_damaged = 0;
	if (bytes.len >= OUTBOX_SEGMENT_HEADER_BYTES)
		while (count < 8 && outbox_entry_next(bytes, &at, outbox_salt(&segment), &out[count], ret_damaged))
			count++;
	*ret_end = at;
	return count;
}

static void a_segment_reads_back_as_it_was_written(void **state)
{
	(void)state;
	struct written w = write_segment();
	struct outbox_entry e[8];
	struct outbox_segment header;
	struct error error;
	struct arena a;
	const struct msg_record *m;
	struct outbox_answer answer;
	uint64_t damaged, next;
	size_t end;
	arena_init(&a, 1 << 20);
	assert_ok(outbox_segment_read(buf_str(&w.bytes), &header, &error), &error);
	assert_true(outbox_id_eq(header.id, segment.id) && header.segment_no == 5 && header.record_no_next == 77);
	assert_int_equal(read_all(buf_str(&w.bytes), e, &damaged, &end), 5);
	assert_int_equal(damaged, 0);
	assert_int_equal(end, w.bytes.len);
	assert_ok(outbox_read_record(&e[0], &a, &m, &error), &error);
	assert_str_equal_c(m->response, "one");
	assert_int_equal(m->record_no, 80);
	assert_int_equal(outbox_trim_count(&e[1]), 1);
	assert_int_equal(outbox_trim_at(&e[1], 0).last, 80);
	assert_ok(outbox_read_record(&e[2], &a, &m, &error), &error);
	assert_str_equal_c(m->evidence, "it broke");
	assert_ok(outbox_read_answer(&e[3], &a, &answer, &error), &error);
	assert_str_equal_c(answer.item, "{\"id\":\"item\"}");
	assert_str_equal_c(answer.record->response, "three");
	assert_int_equal(answer.context_hash.bytes[0], 7);
	assert_true(outbox_read_reserve(&e[4], &next));
	assert_int_equal(next, 500);
	arena_done(&a);
	buf_done(&w.bytes);
}

static void a_cut_at_every_byte_leaves_the_entries_before_it(void **state)
{
	(void)state;
	struct written w = write_segment();
	for (size_t cut = 0; cut < w.bytes.len; cut++) {
		struct outbox_entry e[8];
		uint64_t damaged;
		size_t end, whole = 0;
		while (whole < w.count && w.ends[whole] <= cut)
			whole++;
		assert_int_equal(read_all(str_slice(buf_str(&w.bytes), 0, cut), e, &damaged, &end), whole);
		assert_int_equal(damaged, 0);
		assert_int_equal(end, whole > 0 ? w.ends[whole - 1] : (size_t)OUTBOX_SEGMENT_HEADER_BYTES);
	}
	buf_done(&w.bytes);
}

static void a_flipped_bit_costs_the_entry_that_it_is_in_and_no_other(void **state)
{
	(void)state;
	struct written w = write_segment();
	for (size_t bit = OUTBOX_SEGMENT_HEADER_BYTES * 8; bit < w.bytes.len * 8; bit++) {
		struct outbox_entry e[8];
		uint64_t damaged;
		size_t end, hit = 0;
		while (w.ends[hit] <= bit / 8)
			hit++;
		w.bytes.data[bit / 8] ^= (char)(1 << bit % 8);
		size_t count = read_all(buf_str(&w.bytes), e, &damaged, &end);
		if (count != w.count - 1)
			fail_msg("bit %zu: %zu entries left", bit, count);
		for (size_t i = 0; i < count; i++)
			assert_int_equal(e[i].end, w.ends[i < hit ? i : i + 1]);
		assert_int_equal(damaged, hit + 1 < w.count); /* at the end nothing tells it from a torn one */
		w.bytes.data[bit / 8] ^= (char)(1 << bit % 8);
	}
	buf_done(&w.bytes);
}

static void a_damaged_header_is_noticed(void **state)
{
	(void)state;
	struct written w = write_segment();
	struct outbox_segment header;
	struct error error;
	for (size_t bit = 0; bit < 44 * 8; bit++) {
		w.bytes.data[bit / 8] ^= (char)(1 << bit % 8);
		assert_int_not_equal(outbox_segment_read(buf_str(&w.bytes), &header, &error), ERR_OK);
		w.bytes.data[bit / 8] ^= (char)(1 << bit % 8);
	}
	buf_done(&w.bytes);
}

static void text_of_a_model_cannot_pose_as_an_entry(void **state)
{
	(void)state;
	struct buf forged, segment_bytes;
	struct outbox_entry e[8];
	uint64_t damaged;
	size_t end;
	struct record_range all = { 0, UINT64_MAX };
	buf_init(&forged, 1 << 16);
	buf_init(&segment_bytes, 1 << 20);
	assert_true(outbox_write_trim(&all, 1, 12345, &forged)); /* it does not know the salt */
	outbox_segment_write(&segment, &segment_bytes);
	struct msg_record m = {
		.kind = RECORD_RESULT, .record_no = 80, .outcome = OUTCOME_SCORED, .response = buf_str(&forged)
	};
	struct record *r = record_new(&m, NULL, STR(""));
	assert_true(outbox_write_record(r, outbox_salt(&segment), &segment_bytes));
	segment_bytes.data[OUTBOX_SEGMENT_HEADER_BYTES + 30] ^= 1; /* so the reader searches inside the record */
	assert_int_equal(read_all(buf_str(&segment_bytes), e, &damaged, &end), 0);
	record_free(r);
	buf_done(&forged);
	buf_done(&segment_bytes);
}

static void a_later_format_is_refused(void **state)
{
	(void)state;
	struct buf b;
	struct outbox_segment header;
	struct error error;
	buf_init(&b, 1000);
	outbox_segment_write(&segment, &b);
	b.data[4] = 2;
	uint32_t crc = hash_crc32c(str_make(b.data, 40));
	memcpy(b.data + 40, &crc, 4);
	assert_int_equal(outbox_segment_read(buf_str(&b), &header, &error), ERR_UNSUPPORTED);
	buf_done(&b);
}

static void a_record_that_fits_no_frame_is_not_written(void **state)
{
	(void)state;
	static char big[2 << 20];
	struct buf b;
	struct msg_record m = { .kind = RECORD_RESULT,
		                .outcome = OUTCOME_SCORED,
		                .response = str_make(big, sizeof(big)) };
	struct record *r = record_new(&m, NULL, STR(""));
	buf_init(&b, 8 << 20);
	assert_false(outbox_write_record(r, 1, &b));
	record_free(r);
	buf_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_segment_reads_back_as_it_was_written),
		cmocka_unit_test(a_cut_at_every_byte_leaves_the_entries_before_it),
		cmocka_unit_test(a_flipped_bit_costs_the_entry_that_it_is_in_and_no_other),
		cmocka_unit_test(a_damaged_header_is_noticed),
		cmocka_unit_test(text_of_a_model_cannot_pose_as_an_entry),
		cmocka_unit_test(a_later_format_is_refused),
		cmocka_unit_test(a_record_that_fits_no_frame_is_not_written),
	};
	return cmocka_run_group_tests_name("outbox records", tests, NULL, NULL);
}
