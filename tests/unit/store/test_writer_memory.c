/* Goal: whichever allocation is refused while rows are on their way, they are handed back exactly once, stored exactly
 * once, and as what they were: want of memory spoils no result. */
#include "common/base/mem.h"
#include "coordinator/store/writer.h"
#include "tests/support/cmocka_all.h"
#include "tests/unit/store/fake_pq.h"
#include <stdio.h>
#include <string.h>

enum { ROWS_MAX = 40, STEPS_MS = 20000 };

struct scene {
	struct msg_record records[ROWS_MAX];
	struct writer_done done[ROWS_MAX];
	struct msg_score score;
	struct writer_batch batch;
	struct writer *w;
	uint64_t now_ms;
};

static void begin(struct scene *s, size_t rows)
{
	static char long_text[3000];
	struct error e;
	memset(s, 0, sizeof(*s));
	memset(long_text, 'x', sizeof(long_text));
	fake_begin();
	s->score = (struct msg_score){ .has_value = true, .value = 1 };
	for (size_t i = 0; i < rows; i++)
		s->records[i] = (struct msg_record){ .kind = RECORD_RESULT,
			                             .record_no = i + 1,
			                             .run_id = 5,
			                             .sample_no = i,
			                             .ask_id = 1000 + i,
			                             .outcome = OUTCOME_SCORED,
			                             .cost_nanousd = -1,
			                             .returned_model = STR("m"),
			                             .request = str_make(long_text, sizeof(long_text)),
			                             .response = str_make(long_text, sizeof(long_text)),
			                             .scores = &s->score,
			                             .score_count = 1 };
	s->batch = (struct writer_batch){ .outbox = { "outbox of a test" },
		                          .worker_name = STR("w"),
		                          .records = s->records,
		                          .record_count = rows,
		                          .done = s->done };
	struct writer_settings ws = { .store = { .dsn = "" }, .term = 1 };
	assert_ok(writer_new(&ws, &s->w, &e), &e);
}

static void end(struct scene *s)
{
	writer_free(s->w);
	fake_end();
}

static size_t drive(struct scene *s)
{
	size_t count = 0;
	for (; s->now_ms < STEPS_MS; s->now_ms++) {
		enum writer_state state = writer_step(s->w, s->now_ms);
		while (writer_take_batch(s->w))
			count++;
		if (writer_idle(s->w) || state == WRITER_OVER)
			break;
	}
	return count;
}

/* True when the fault was met. */
static bool one_fault(struct scene *s, size_t rows, uint64_t nth)
{
	uint64_t before;
	begin(s, rows);
	before = mem_refused_count();
	mem_fail_at(nth);
	writer_add_batch(s->w, &s->batch, 0);
	size_t count = drive(s);
	mem_fail_at(0);
	bool met = mem_refused_count() > before;
	if (count != 1)
		fail_msg("allocation %llu of %zu rows: handed back %zu times", (unsigned long long)nth, rows, count);
	for (size_t i = 0; i < rows; i++) {
		const struct fake_stored *x = map_get_u64(&fake.stored, s->records[i].ask_id);
		if (!x || x->inserted != 1)
			fail_msg("allocation %llu of %zu rows: row %zu was stored %u times", (unsigned long long)nth,
			         rows, i, x ? x->inserted : 0);
		if (x->outcome != OUTCOME_SCORED || s->done[i].outcome != OUTCOME_SCORED)
			fail_msg("allocation %llu of %zu rows: row %zu was stored as %s, told as %s",
			         (unsigned long long)nth, rows, i, outcome_name((enum outcome)x->outcome),
			         outcome_name(s->done[i].outcome));
	}
	assert_int_equal(fake.refused, 0);
	end(s);
	return met;
}

static void no_refused_allocation_spoils_a_row(void **state)
{
	static struct scene s;
	(void)state;
	for (size_t rows = 1; rows <= ROWS_MAX; rows += ROWS_MAX - 1) {
		uint64_t nth = 1;
		while (one_fault(&s, rows, nth))
			nth++;
		assert_true(nth > 5); /* there is something that can fail */
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(no_refused_allocation_spoils_a_row) };
	return cmocka_run_group_tests_name("writer without memory", tests, NULL, NULL);
}
