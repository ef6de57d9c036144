/* Goal: every sample counts once, whatever comes twice, late, in another order or from nobody; money that bought
 * nothing is counted by its cause; the summary is always what its rows say. */
#include "tests/integration/store/scene.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

static void a_first_batch_is_counted_by_slice_and_metric(void **state)
{
	struct scene *s = *state;
	struct error e;
	struct msg_record r[ITEMS];
	struct writer_done done[ITEMS];
	struct run_sum *sums;
	size_t count;
	uint64_t run = scene_run(s, 1);
	for (size_t i = 0; i < ITEMS; i++)
		r[i] = scene_result(s, run, i, 1000 + i, i % 4 == 0);
	scene_write(s, r, ITEMS, done);
	for (size_t i = 0; i < ITEMS; i++) {
		assert_int_equal(done[i].fate, WRITER_STORED);
		assert_int_equal(done[i].outcome, OUTCOME_SCORED);
	}
	assert_ok(runs_sums(s->store, run, &s->arena, &sums, &count, &e), &e);
	assert_int_equal(count, 12); /* whole, 2 tasks, 1 stratum; samples and 2 metrics each */
	assert_int_equal(sums[0].metric, -1);
	assert_int_equal(sums[0].n, ITEMS);
	assert_int_equal(sums[0].scored, ITEMS);
	assert_int_equal(sums[0].tokens_in, 100 * ITEMS);
	assert_int_equal(sums[0].cost_nanousd, ITEMS * (100 * 3000 + 10 * 15000));
	assert_int_equal(sums[1].n, ITEMS);
	assert_str_equal_c(sums[1].sum, "15");
	assert_str_equal_c(sums[1].sum_of_squares, "15");
	assert_int_equal(sums[2].n, 0);
	assert_int_equal(sums[2].unscored, ITEMS); /* the second metric had a reason each time */
	assert_str_equal_c(sums[3].slice, "task=refund");
	assert_int_equal(sums[3].n, ITEMS / 3);
	scene_recount(s, run);
}

static void the_same_batch_again_changes_nothing(void **state)
{
	struct scene *s = *state;
	struct msg_record r[ITEMS];
	uint64_t run = scene_run(s, 1);
	for (size_t i = 0; i < ITEMS; i++)
		r[i] = scene_result(s, run, i, 2000 + i, 1);
	for (int times = 0; times < 3; times++)
		scene_write(s, r, ITEMS, NULL);
	struct run_sum *sum = scene_sum(s, run);
	assert_int_equal(sum->n, ITEMS);
	assert_int_equal(sum->paid_twice, 0);
	scene_recount(s, run);
}

static void a_second_answer_of_a_sample_was_paid_twice_once(void **state)
{
	struct scene *s = *state;
	struct error e;
	struct paid_row *paid;
	size_t count;
	uint64_t run = scene_run(s, 1);
	struct msg_record r[] = { scene_result(s, run, 3, 31, 1), scene_result(s, run, 3, 32, 0),
		                  scene_result(s, run, 4, 41, 0) };
	scene_write(s, r, 3, NULL);
	struct msg_record late[] = { scene_result(s, run, 4, 42, 1), scene_result(s, run, 3, 32, 0) };
	scene_write(s, late, 2, NULL);
	scene_write(s, late, 2, NULL);
	struct run_sum *sum = scene_sum(s, run);
	assert_int_equal(sum->n, 2);
	assert_int_equal(sum->paid_twice, 2);
	assert_ok(runs_paid_twice(s->store, run, &s->arena, &paid, &count, &e), &e);
	assert_int_equal(count, 1);
	assert_int_equal(paid[0].cause, PAID_SECOND_ANSWER);
	assert_int_equal(paid[0].count, 2);
	assert_int_equal(paid[0].cost_nanousd, 2 * (100 * 3000 + 10 * 15000));
	scene_recount(s, run);
}

static void a_paid_answer_after_a_missing_row_is_its_next_retry(void **state)
{
	struct scene *s = *state;
	struct error e;
	struct results_item item;
	uint64_t run = scene_run(s, 1);
	struct msg_record over = scene_outcome(run, 5, OUTCOME_PROVIDER_ERROR);
	struct msg_record late = scene_result(s, run, 5, 55, 1);
	scene_write(s, &over, 1, NULL);
	assert_int_equal(scene_sum(s, run)->provider_error, 1);
	scene_write(s, &late, 1, NULL);
	scene_write(s, &over, 1, NULL);
	scene_write(s, &late, 1, NULL);
	struct run_sum *sum = scene_sum(s, run);
	assert_int_equal(sum->n, 1);
	assert_int_equal(sum->scored, 1);
	assert_int_equal(sum->provider_error, 0);
	assert_int_equal(sum->paid_twice, 0);
	assert_ok(results_item(s->store, run, 5, &s->arena, &item, &e), &e);
	assert_int_equal(item.row_count, 2);
	assert_int_equal(item.rows[0].outcome, OUTCOME_PROVIDER_ERROR);
	assert_str_equal_c(item.rows[0].evidence, "five attempts failed");
	assert_int_equal(item.rows[1].retry_no, 1);
	assert_int_equal(item.rows[1].ask_id, 55);
	assert_str_equal_c(item.rows[1].scores[0].extracted, "yes");
	scene_recount(s, run);
}

static void an_unscored_answer_whose_place_a_late_one_takes_was_paid_for_nothing(void **state)
{
	struct scene *s = *state;
	uint64_t run = scene_run(s, 1);
	struct msg_record first = scene_result(s, run, 6, 61, 0.5), second = scene_result(s, run, 6, 62, 1);
	first.outcome = OUTCOME_UNSCORED;
	scene_write(s, &first, 1, NULL);
	scene_write(s, &second, 1, NULL);
	scene_write(s, &first, 1, NULL);
	struct run_sum *sum = scene_sum(s, run);
	assert_int_equal(sum->n, 1);
	assert_int_equal(sum->scored, 1);
	assert_int_equal(sum->paid_twice, 1);
	scene_recount(s, run);
}

static void a_retry_takes_the_old_share_out_with_its_values(void **state)
{
	struct scene *s = *state;
	struct error e;
	uint32_t wave;
	uint64_t run = scene_run(s, 1);
	struct msg_record half = scene_result(s, run, 7, 70, 0.25);
	half.outcome = OUTCOME_UNSCORED; /* one scorer gave a value, the sample has none all the same */
	scene_write(s, &half, 1, NULL);
	assert_int_equal(scene_sum(s, run)->unscored, 1);
	assert_ok(runs_retry(s->store, run, STR("me"), &wave, &e), &e);
	assert_int_equal(wave, 1);
	struct msg_record again = scene_result(s, run, 7, 71, 0.5);
	again.retry_no = 1;
	scene_write(s, &again, 1, NULL);
	scene_write(s, &half, 1, NULL); /* a replay of the old one finds itself under the new */
	struct run_sum *sums;
	size_t count;
	assert_ok(runs_sums(s->store, run, &s->arena, &sums, &count, &e), &e);
	assert_int_equal(sums[0].n, 1);
	assert_int_equal(sums[0].scored, 1);
	assert_int_equal(sums[0].unscored, 0);
	assert_int_equal(sums[0].paid_twice, 0);
	assert_str_equal_c(sums[1].sum, "0.5");
	scene_recount(s, run);
}

static void an_ask_that_died_is_paid_twice_once_another_answers(void **state)
{
	struct scene *s = *state;
	struct error e;
	struct paid_row *paid;
	size_t count;
	uint64_t run = scene_run(s, 1);
	/* Death first, answer later; answer first, death reported later; two deaths and no answer. */
	struct msg_record first[] = { scene_attempt(s, run, 1, 11, CLASS_DIED), scene_result(s, run, 2, 22, 1),
		                      scene_attempt(s, run, 3, 33, CLASS_DIED) };
	scene_write(s, first, 3, NULL);
	assert_int_equal(scene_sum(s, run)->paid_twice, 0);
	struct msg_record then[] = { scene_result(s, run, 1, 12, 1), scene_attempt(s, run, 2, 21, CLASS_ABANDONED),
		                     scene_attempt(s, run, 3, 34, CLASS_DIED) };
	scene_write(s, then, 3, NULL);
	scene_write(s, first, 3, NULL);
	assert_int_equal(scene_sum(s, run)->paid_twice, 3);
	struct msg_record last[] = { scene_result(s, run, 3, 35, 1), scene_attempt(s, run, 4, 44, CLASS_SERVER),
		                     scene_result(s, run, 4, 45, 1) };
	scene_write(s, last, 3, NULL); /* a failed attempt is no death: it was answered, with an error */
	assert_int_equal(scene_sum(s, run)->paid_twice, 4);
	assert_ok(runs_paid_twice(s->store, run, &s->arena, &paid, &count, &e), &e);
	assert_int_equal(count, 2);
	assert_int_equal(paid[0].cause, PAID_DIED);
	assert_int_equal(paid[0].count, 3);
	assert_int_equal(paid[1].cause, PAID_ABANDONED);
	scene_recount(s, run);
}

static void a_lost_ask_is_open_until_its_worker_says_what_became_of_it(void **state)
{
	struct scene *s = *state;
	uint64_t run = scene_run(s, 1);
	struct msg_record lost[] = { scene_lost(run, 1, 1700000001000), scene_lost(run, 2, 1700000001000),
		                     scene_lost(run, 3, 1700000001000) };
	scene_write(s, lost, 3, NULL);
	scene_write(s, lost, 3, NULL);
	assert_int_equal(scene_sum(s, run)->lost_open, 3);
	assert_int_equal(scene_sum(s, run)->attempts, 0);
	struct msg_record back[] = { scene_attempt(s, run, 1, 101, CLASS_DIED), scene_result(s, run, 2, 102, 1) };
	scene_write(s, back, 2, NULL);
	assert_int_equal(scene_sum(s, run)->lost_open, 1);
	struct writer_job closed = { .kind = WRITER_LOST_CLOSED, .outbox = { .outbox = s->outbox } };
	scene_job(s, &closed);
	assert_int_equal(scene_sum(s, run)->lost_open, 0);
	scene_recount(s, run);
	/* A row that was on its way when the worker said it had said all. */
	struct msg_record after = scene_lost(run, 4, 1700000001000);
	scene_write(s, &after, 1, NULL);
	assert_int_equal(scene_sum(s, run)->lost_open, 0);
	scene_recount(s, run);
}

static void a_second_answer_that_comes_before_its_ask_is_written_as_open_closes_it(void **state)
{
	struct scene *s = *state;
	uint64_t run = scene_run(s, 1);
	struct msg_record answers[] = { scene_result(s, run, 1, 11, 1), scene_result(s, run, 1, 12, 1),
		                        scene_result(s, run, 2, 21, 1) };
	scene_write(s, answers, 3, NULL);
	assert_int_equal(scene_sum(s, run)->paid_twice, 1);
	struct msg_record lost[] = { scene_lost(run, 1, 4000000000000), scene_lost(run, 2, 4000000000000) };
	scene_write(s, lost, 2, NULL);
	assert_int_equal(scene_sum(s, run)->lost_open, 1); /* of the other one nothing more has come */
	scene_recount(s, run);
}

static void a_group_may_hold_what_belongs_to_different_moments_of_a_sample(void **state)
{
	struct scene *s = *state;
	uint64_t run = scene_run(s, 1);
	struct msg_record r[] = { scene_lost(run, 1, 1700000002000), scene_attempt(s, run, 1, 1, CLASS_DIED),
		                  scene_result(s, run, 1, 2, 1) };
	struct msg_record retried = scene_outcome(run, 2, OUTCOME_PROVIDER_ERROR);
	struct msg_record both[] = { retried, scene_result(s, run, 2, 9, 1) };
	both[1].retry_no = 1;
	scene_write(s, r, 3, NULL);
	scene_write(s, both, 2, NULL);
	struct run_sum *sum = scene_sum(s, run);
	assert_int_equal(sum->lost_open, 0);
	assert_int_equal(sum->paid_twice, 1);
	assert_int_equal(sum->n, 2);
	assert_int_equal(sum->provider_error, 0);
	scene_recount(s, run);
}

static void what_comes_after_a_cancelled_run_is_kept_and_left_out_until_a_retry(void **state)
{
	struct scene *s = *state;
	struct error e;
	bool changed;
	uint32_t wave;
	uint64_t run = scene_run(s, 1);
	struct msg_record one = scene_result(s, run, 0, 1, 1), two = scene_result(s, run, 1, 2, 1);
	scene_write(s, &one, 1, NULL);
	assert_ok(runs_cancel(s->store, run, STR("me"), STR("wrong model"), &changed, &e), &e);
	assert_true(changed);
	struct writer_job end = { .kind = WRITER_RUN_STATE,
		                  .run_state = { run, RUN_CANCELLED, STR("cancelled by me") } };
	scene_job(s, &end);
	scene_write(s, &two, 1, NULL);
	struct run_sum *sum = scene_sum(s, run);
	assert_int_equal(sum->n, 1);
	assert_int_equal(sum->after_end, 1);
	scene_recount(s, run);
	assert_ok(runs_cancel(s->store, run, STR("me"), STR(""), &changed, &e), &e);
	assert_false(changed);
	assert_ok(runs_retry(s->store, run, STR("me"), &wave, &e), &e);
	sum = scene_sum(s, run);
	assert_int_equal(sum->n, 2);
	assert_int_equal(sum->after_end, 0);
	scene_recount(s, run);
}

static void a_result_of_a_run_that_is_gone_is_kept_with_its_cost(void **state)
{
	struct scene *s = *state;
	struct error e;
	struct writer_done done[3];
	uint64_t gone = scene_run(s, 1), here = scene_run(s, 1);
	struct msg_record r[] = { scene_result(s, gone, 0, 1, 1), scene_result(s, here, 0, 2, 1),
		                  scene_result(s, here, ITEMS, 3, 1) /* no such sample */ };
	r[0].cost_nanousd = 7;
	scene_write(s, r, 1, done);
	assert_ok(runs_delete(s->store, gone, STR("me"), &e), &e);
	r[0].record_no = 900001;
	scene_write(s, r, 3, done);
	scene_write(s, r, 3, done);
	assert_int_equal(done[0].fate, WRITER_REFUSED);
	assert_int_equal(done[1].fate, WRITER_STORED);
	assert_int_equal(done[2].fate, WRITER_REFUSED);
	assert_int_equal(scene_sum(s, here)->n, 1);
	assert_ok(store_tidy(s->store, &e), &e); /* thirty days are not over */
	assert_int_equal(scene_number(s, "SELECT sum(cost) FROM assay.refused_result WHERE record_no = 900001"), 7);
	scene_sql(s, "UPDATE assay.refused_result SET at = at - interval '31 days' WHERE record_no = 900001");
	assert_ok(store_tidy(s->store, &e), &e);
	assert_int_equal(scene_number(s, "SELECT count(*) FROM assay.refused_result WHERE record_no = 900001"), 0);
	scene_recount(s, here);
}

static void a_bad_row_never_holds_up_its_neighbours(void **state)
{
	struct scene *s = *state;
	struct writer_done done[ITEMS];
	struct msg_record r[ITEMS];
	uint64_t run = scene_run(s, 1);
	for (size_t i = 0; i < ITEMS; i++)
		r[i] = scene_result(s, run, i, 3000 + i, 1);
	struct msg_score nan_score[] = { { .metric = 0, .has_value = true, .value = NAN } };
	struct msg_score twice[] = { { .metric = 0, .has_value = true, .value = 1 },
		                     { .metric = 0, .has_value = true } };
	struct msg_score far[] = { { .metric = 9, .has_value = true, .value = 1 } };
	r[1].scores = nan_score, r[1].score_count = 1;
	r[2].tokens_in = 4000000000u;
	r[3].scores = twice;
	r[4].response = str_make("a\0b\xff\xfe", 5);
	r[4].answer = r[4].response;
	r[5].returned_model = str_make("mo\0del\xc3", 7);
	r[6].stop_reason = str_make("\xed\xa0\x80", 3);
	r[7].at_ms = INT64_MIN;
	r[8].scores = far, r[8].score_count = 1;
	r[9].outcome = OUTCOME_CANCELLED;
	scene_write(s, r, ITEMS, done);
	for (size_t i = 0; i < ITEMS; i++) {
		bool spoiled = i == 1 || i == 2 || i == 3 || i == 9;
		enum writer_fate want = spoiled ? WRITER_SPOILED : i == 8 ? WRITER_REFUSED : WRITER_STORED;
		if (done[i].fate != want)
			fail_msg("record %zu: fate %d instead of %d", i, (int)done[i].fate, (int)want);
		if (spoiled)
			assert_int_equal(done[i].outcome, OUTCOME_HARNESS_ERROR);
	}
	struct run_sum *sum = scene_sum(s, run);
	assert_int_equal(sum->n, ITEMS - 1);
	assert_int_equal(sum->harness_error, 4);
	struct results_item item;
	struct error e;
	assert_ok(results_item(s->store, run, 4, &s->arena, &item, &e), &e);
	assert_int_equal(item.rows[0].response.len, 5);
	assert_memory_equal(item.rows[0].response.data, "a\0b\xff\xfe", 5);
	assert_ok(results_item(s->store, run, 1, &s->arena, &item, &e), &e);
	assert_str_equal_c(item.rows[0].evidence, "a score that is not a finite number");
	assert_str_equal_c(item.rows[0].answer, "yes"); /* it was paid for: kept */
	scene_recount(s, run);
}

static void a_row_that_only_the_database_refuses_is_found_by_halving(void **state)
{
	struct scene *s = *state;
	struct writer_done done[ITEMS];
	struct msg_record r[ITEMS];
	char sql[300];
	uint64_t run = scene_run(s, 1);
	(void)snprintf(
		sql, sizeof(sql),
		"ALTER TABLE assay.result_p0 ADD CONSTRAINT odd CHECK (latency_ms <> 66601 AND (latency_ms <> 66602"
		" OR run_id <> %llu))",
		(unsigned long long)run);
	scene_sql(s, sql);
	for (size_t i = 0; i < ITEMS; i++)
		r[i] = scene_result(s, run, i, 4000 + i, 1);
	r[17].latency_ms = 66601;
	r[42].latency_ms = 66602;
	struct writer *w = scene_writer(s, s->term);
	struct writer_batch batch = scene_batch(s, r, ITEMS, done);
	writer_add_batch(w, &batch, 0);
	assert_int_equal(scene_drive(w), 1);
	assert_in_range(writer_counters(w).halvings, 8, 24);
	writer_free(w);
	scene_sql(s, "ALTER TABLE assay.result_p0 DROP CONSTRAINT odd");
	for (size_t i = 0; i < ITEMS; i++)
		assert_int_equal(done[i].fate, i == 17 || i == 42 ? WRITER_REFUSED : WRITER_STORED);
	assert_int_equal(scene_sum(s, run)->n, ITEMS - 2);
	scene_recount(s, run);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_first_batch_is_counted_by_slice_and_metric, scene_test),
		cmocka_unit_test_setup(the_same_batch_again_changes_nothing, scene_test),
		cmocka_unit_test_setup(a_second_answer_of_a_sample_was_paid_twice_once, scene_test),
		cmocka_unit_test_setup(a_paid_answer_after_a_missing_row_is_its_next_retry, scene_test),
		cmocka_unit_test_setup(an_unscored_answer_whose_place_a_late_one_takes_was_paid_for_nothing,
		                       scene_test),
		cmocka_unit_test_setup(a_retry_takes_the_old_share_out_with_its_values, scene_test),
		cmocka_unit_test_setup(an_ask_that_died_is_paid_twice_once_another_answers, scene_test),
		cmocka_unit_test_setup(a_lost_ask_is_open_until_its_worker_says_what_became_of_it, scene_test),
		cmocka_unit_test_setup(a_second_answer_that_comes_before_its_ask_is_written_as_open_closes_it,
		                       scene_test),
		cmocka_unit_test_setup(a_group_may_hold_what_belongs_to_different_moments_of_a_sample, scene_test),
		cmocka_unit_test_setup(what_comes_after_a_cancelled_run_is_kept_and_left_out_until_a_retry, scene_test),
		cmocka_unit_test_setup(a_result_of_a_run_that_is_gone_is_kept_with_its_cost, scene_test),
		cmocka_unit_test_setup(a_bad_row_never_holds_up_its_neighbours, scene_test),
		cmocka_unit_test_setup(a_row_that_only_the_database_refuses_is_found_by_halving, scene_test),
	};
	return cmocka_run_group_tests_name("store results", tests, scene_begin, scene_end);
}
