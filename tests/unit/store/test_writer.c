/* Goal: whatever fails, and whenever, each batch is handed back exactly once, when all of it is durable, and each row
 * is stored exactly once; a bad row never holds up its neighbours; a term that is over acknowledges nothing. */
#include "coordinator/store/writer.h"
#include "tests/support/cmocka_all.h"
#include "tests/unit/store/fake_pq.h"
#include <stdio.h>
#include <string.h>

enum { ROWS = 40, MANY = 2000 };

struct scene {
	struct msg_record records[MANY];
	struct writer_done done[MANY];
	struct msg_score score;
	struct writer_batch batch;
	struct writer *w;
	uint64_t now_ms;
};

static struct scene scene;

static int begin(void **state)
{
	struct scene *s = &scene;
	struct error e;
	memset(s, 0, sizeof(*s));
	fake_begin();
	s->score = (struct msg_score){ .has_value = true, .value = 1 };
	for (size_t i = 0; i < MANY; i++)
		s->records[i] = (struct msg_record){ .kind = RECORD_RESULT,
			                             .record_no = i + 1,
			                             .run_id = 5,
			                             .sample_no = i,
			                             .ask_id = 1000 + i,
			                             .outcome = OUTCOME_SCORED,
			                             .cost_nanousd = -1,
			                             .returned_model = STR("m"),
			                             .scores = &s->score,
			                             .score_count = 1 };
	s->batch = (struct writer_batch){ .outbox = { "outbox of a test" },
		                          .worker_name = STR("w"),
		                          .records = s->records,
		                          .record_count = ROWS,
		                          .done = s->done };
	struct writer_settings ws = { .store = { .dsn = "" }, .term = 1 };
	assert_ok(writer_new(&ws, &s->w, &e), &e);
	*state = s;
	return 0;
}

static int end(void **state)
{
	struct scene *s = *state;
	writer_free(s->w);
	fake_end();
	return 0;
}

/* Lets time pass until the writer is idle or over; returns how many batches came back. */
static size_t drive(struct scene *s, uint64_t for_ms)
{
	size_t count = 0;
	for (uint64_t until_ms = s->now_ms + for_ms; s->now_ms <= until_ms; s->now_ms++) {
		enum writer_state state = writer_step(s->w, s->now_ms);
		while (writer_take_batch(s->w))
			count++;
		if (writer_idle(s->w) || state == WRITER_OVER)
			break;
	}
	return count;
}

static void assert_each_stored_once(const struct scene *s, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct fake_stored *x = map_get_u64(&fake.stored, s->records[i].ask_id);
		if (!x || x->inserted != 1)
			fail_msg("record %zu was stored %u times", i, x ? x->inserted : 0);
	}
}

static void a_batch_comes_back_when_it_is_durable(void **state)
{
	struct scene *s = *state;
	writer_add_batch(s->w, &s->batch, 0);
	assert_false(writer_idle(s->w));
	assert_int_equal(drive(s, 1000), 1);
	assert_each_stored_once(s, ROWS);
	for (size_t i = 0; i < ROWS; i++) {
		assert_int_equal(s->done[i].fate, WRITER_STORED);
		assert_int_equal(s->done[i].outcome, OUTCOME_SCORED);
	}
	assert_true(writer_idle(s->w));
}

static void a_few_rows_wait_for_others_and_a_thousand_do_not(void **state)
{
	struct scene *s = *state;
	s->batch.record_count = 3;
	s->now_ms = 100;
	assert_int_equal(drive(s, 1), 0); /* connected */
	writer_add_batch(s->w, &s->batch, 100);
	assert_int_equal(writer_next_deadline_ms(s->w), 120);
	s->now_ms = 119;
	assert_int_equal(drive(s, 0), 0);
	assert_int_equal(fake.result_statements, 0);
	s->now_ms = 120;
	assert_int_equal(drive(s, 0), 1);
	struct writer_batch big = s->batch;
	big.records += 3, big.done += 3, big.record_count = WRITER_GROUP_ROWS;
	writer_add_batch(s->w, &big, 121);
	s->now_ms = 121;
	assert_int_equal(drive(s, 0), 1);
	assert_int_equal(fake.result_statements, 2);
	assert_int_equal(fake.largest_group, WRITER_GROUP_ROWS);
}

static void every_call_that_can_fail_may_fail_once(void **state)
{
	struct scene *s = *state;
	for (uint64_t n = 1; n < 1000; n++) {
		(void)end(state);
		(void)begin(state);
		fake.fail_at = n;
		writer_add_batch(s->w, &s->batch, 0);
		if (drive(s, 20000) != 1)
			fail_msg("call %llu failed: the batch did not come back once", (unsigned long long)n);
		assert_each_stored_once(s, ROWS);
		if (fake.calls < n)
			return; /* it got through without meeting the fault */
	}
	fail_msg("the faults never end");
}

static void an_in_doubt_commit_is_simply_sent_again(void **state)
{
	struct scene *s = *state;
	fake.lose_answer = true;
	writer_add_batch(s->w, &s->batch, 0);
	assert_int_equal(drive(s, 5000), 1);
	assert_each_stored_once(s, ROWS);
	assert_int_equal(fake.result_statements, 2);
	assert_int_equal(writer_counters(s->w).sent_again, 1);
	assert_int_equal(writer_counters(s->w).replayed, ROWS);
	assert_int_equal(writer_counters(s->w).inserted, 0); /* nobody told us of the first time */
}

static void what_may_pass_is_sent_again_and_anything_else_is_halved(void **state)
{
	static const struct {
		const char *sqlstate;
		bool again;
	} cases[] = {
		{ "08006", true },  { "25006", true },  { "40001", true },  { "40P01", true },  { "53100", true },
		{ "53300", true },  { "55P03", true },  { "57014", true },  { "57P01", true },  { "57P03", true },
		{ "22003", false }, { "23514", false }, { "42P01", false }, { "54000", false }, { "XX000", false }
	};
	struct scene *s = *state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		(void)end(state);
		(void)begin(state);
		(void)snprintf(fake.error_statement, sizeof(fake.error_statement), "result_p0"); /* fits */
		(void)snprintf(fake.sqlstate, sizeof(fake.sqlstate), "%s", cases[i].sqlstate);   /* fits */
		fake.error_count = 1;
		writer_add_batch(s->w, &s->batch, 0);
		if (drive(s, 20000) != 1)
			fail_msg("%s: the batch did not come back once", cases[i].sqlstate);
		assert_each_stored_once(s, ROWS);
		struct writer_counters c = writer_counters(s->w);
		bool slow = strcmp(cases[i].sqlstate, "57014") == 0; /* its time was up: less at a time */
		if ((c.sent_again == 1) != cases[i].again || (c.halvings == 1) != (slow || !cases[i].again))
			fail_msg("%s: sent again %llu, halved %llu", cases[i].sqlstate,
			         (unsigned long long)c.sent_again, (unsigned long long)c.halvings);
		assert_int_equal(c.spoiled, 0);
	}
}

static void a_poisoned_row_is_found_and_stored_as_harness_error(void **state)
{
	struct scene *s = *state;
	s->batch.record_count = MANY;
	fake.poison_ask = 1000 + 1234;
	writer_add_batch(s->w, &s->batch, 0);
	assert_int_equal(drive(s, 5000), 1);
	assert_each_stored_once(s, MANY);
	for (size_t i = 0; i < MANY; i++) {
		bool bad = i == 1234;
		assert_int_equal(s->done[i].fate, bad ? WRITER_SPOILED : WRITER_STORED);
		assert_int_equal(s->done[i].outcome, bad ? OUTCOME_HARNESS_ERROR : OUTCOME_SCORED);
	}
	assert_int_equal(((struct fake_stored *)map_get_u64(&fake.stored, fake.poison_ask))->outcome,
	                 OUTCOME_HARNESS_ERROR);
	assert_in_range(writer_counters(s->w).halvings, 10, 12);
}

static void a_row_that_cannot_stand_at_all_is_refused(void **state)
{
	struct scene *s = *state;
	fake.poison_ask = 1000 + 7;
	fake.poison_even_spoiled = true;
	writer_add_batch(s->w, &s->batch, 0);
	assert_int_equal(drive(s, 5000), 1);
	assert_int_equal(s->done[7].fate, WRITER_REFUSED);
	assert_int_equal(s->done[7].outcome, OUTCOME_NONE);
	assert_int_equal(fake.refused, 1);
	assert_int_equal(fake.stored.len, ROWS - 1);
}

static void a_row_that_nothing_takes_holds_up_nobody_and_is_tried_again(void **state)
{
	struct scene *s = *state;
	struct writer_batch other = s->batch;
	fake.poison_ask = 1000 + 7;
	fake.poison_even_spoiled = fake.poison_even_refused = true;
	writer_add_batch(s->w, &s->batch, 0);
	assert_int_equal(drive(s, 500), 0);
	assert_int_equal(fake.stored.len, ROWS - 1);
	other.records += ROWS, other.done += ROWS;
	writer_add_batch(s->w, &other, s->now_ms);
	assert_int_equal(drive(s, 500), 1);
	fake.poison_ask = 0; /* whatever stood in its way is gone */
	assert_int_equal(drive(s, 2500), 1);
	assert_int_equal(s->done[7].fate, WRITER_SPOILED);
	assert_each_stored_once(s, 2 * ROWS);
}

static void a_term_that_is_over_hands_nothing_back(void **state)
{
	struct scene *s = *state;
	struct writer_job job = { .kind = WRITER_SENT_TO, .sent_to = { 5, 100 } };
	fake.term = 2; /* another coordinator's */
	writer_add_batch(s->w, &s->batch, 0);
	assert_int_equal(drive(s, 100), 0);
	assert_int_equal(writer_step(s->w, s->now_ms), WRITER_OVER);
	writer_add_job(s->w, &job);
	assert_int_equal(drive(s, 100), 0);
	assert_null(writer_take_job(s->w));
	assert_int_equal(fake.stored.len, 0);
	assert_int_equal(fake.jobs, 0);
	assert_int_equal(writer_next_deadline_ms(s->w), UINT64_MAX);
}

static void leads_zero_from_the_statement_itself_ends_the_term(void **state)
{
	struct scene *s = *state;
	struct writer_batch first = s->batch, second = s->batch;
	first.record_count = 1;
	second.records++, second.done++, second.record_count = 1;
	writer_add_batch(s->w, &first, 0);
	assert_int_equal(drive(s, 100), 1); /* all that it needs to know is known now */
	fake.term = 2;
	writer_add_batch(s->w, &second, s->now_ms);
	assert_int_equal(drive(s, 100), 0);
	assert_int_equal(fake.result_statements, 2);
	assert_int_equal(writer_step(s->w, s->now_ms), WRITER_OVER);
	assert_int_equal(fake.stored.len, 1);
}

static void a_sample_that_comes_twice_goes_into_two_groups(void **state)
{
	struct scene *s = *state;
	s->records[1] = s->records[0];
	s->records[1].ask_id = 1001;
	s->records[2] = s->records[0];
	s->records[2].kind = RECORD_ATTEMPT;
	s->records[2].error_class = CLASS_LOST;
	s->records[2].ask_id = 0;
	writer_add_batch(s->w, &s->batch, 0);
	assert_int_equal(drive(s, 5000), 1);
	assert_int_equal(fake.result_statements, 3);
	assert_non_null(map_get_u64(&fake.stored, 1000));
	assert_null(map_get_u64(&fake.stored, 1001)); /* a second answer: the real statement counts it as paid twice */
}

static void a_server_that_says_nothing_is_left_and_asked_again(void **state)
{
	struct scene *s = *state;
	fake.mute = true;
	writer_add_batch(s->w, &s->batch, 0);
	assert_int_equal(drive(s, 3000), 0);
	unsigned before = fake.connections;
	assert_int_equal(drive(s, 4000), 0);
	assert_in_range(fake.connections, before + 1, before + 4);
	fake.mute = false;
	assert_int_equal(drive(s, 6000), 1);
	assert_each_stored_once(s, ROWS);
}

static void jobs_come_back_in_their_order_with_their_error(void **state)
{
	struct scene *s = *state;
	struct writer_job jobs[] = { { .kind = WRITER_SENT_TO, .sent_to = { 5, 10 } },
		                     { .kind = WRITER_RUN_STATE, .run_state = { 5, RUN_DONE, STR("all done") } },
		                     { .kind = WRITER_WORKER_GONE } };
	(void)snprintf(fake.error_statement, sizeof(fake.error_statement), "job_run_state"); /* fits */
	(void)snprintf(fake.sqlstate, sizeof(fake.sqlstate), "22021");                       /* fits */
	fake.error_count = 1;
	for (size_t i = 0; i < 3; i++)
		writer_add_job(s->w, &jobs[i]);
	struct writer_job *back[3] = { 0 };
	for (size_t n = 0; n < 3 && s->now_ms < 1000; s->now_ms++) {
		(void)writer_step(s->w, s->now_ms);
		for (struct writer_job *j; n < 3 && (j = writer_take_job(s->w)) != NULL;)
			back[n++] = j;
	}
	for (size_t i = 0; i < 3; i++)
		assert_ptr_equal(back[i], &jobs[i]);
	assert_int_equal(jobs[0].err, ERR_OK);
	assert_int_equal(jobs[1].err, ERR_DATABASE);
	assert_string_equal(jobs[1].error.text, "as ordered (22021)");
	assert_int_equal(jobs[2].err, ERR_OK);
	assert_true(writer_idle(s->w));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(a_batch_comes_back_when_it_is_durable),
		TEST(a_few_rows_wait_for_others_and_a_thousand_do_not),
		TEST(every_call_that_can_fail_may_fail_once),
		TEST(an_in_doubt_commit_is_simply_sent_again),
		TEST(what_may_pass_is_sent_again_and_anything_else_is_halved),
		TEST(a_poisoned_row_is_found_and_stored_as_harness_error),
		TEST(a_row_that_cannot_stand_at_all_is_refused),
		TEST(a_row_that_nothing_takes_holds_up_nobody_and_is_tried_again),
		TEST(a_term_that_is_over_hands_nothing_back),
		TEST(leads_zero_from_the_statement_itself_ends_the_term),
		TEST(a_sample_that_comes_twice_goes_into_two_groups),
		TEST(a_server_that_says_nothing_is_left_and_asked_again),
		TEST(jobs_come_back_in_their_order_with_their_error),
	};
	return cmocka_run_group_tests_name("store writer", tests, NULL, NULL);
}
