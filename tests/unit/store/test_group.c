/* Goal: what cannot be stored is known before the database sees it, and each row names its parts rightly. */
#include "common/base/mem.h"
#include "coordinator/store/group.h"
#include "coordinator/store/pg_list.h"
#include "tests/support/cmocka_all.h"
#include <math.h>
#include <string.h>

static struct msg_record sound(void)
{
	return (struct msg_record){ .kind = RECORD_RESULT, .run_id = 1, .outcome = OUTCOME_SCORED, .cost_nanousd = -1 };
}

static void what_no_row_can_be_is_told_by_its_reason(void **state)
{
	(void)state;
	struct msg_score inf = { .has_value = true, .value = INFINITY }, nothing = { .value = NAN },
			 far = { .metric = 32 };
	struct {
		const char *reason;
		bool refuse;
		struct msg_record r;
	} cases[] = { { NULL, false, sound() },
		      { NULL, false, sound() },
		      { "a score that is not a finite number", false, sound() },
		      { "a score for a metric that no suite can have", false, sound() },
		      { "a token count or a time that is out of range", false, sound() },
		      { "an outcome that is never a row", false, sound() },
		      { "a run, sample or retry number that cannot be", true, sound() },
		      { "a new scoring of an old answer, which this version does not take", true, sound() },
		      { "a record of no known kind", true, sound() } };
	cases[1].r.scores = &nothing, cases[1].r.score_count = 1; /* no value: what stands in its place is not read */
	cases[2].r.scores = &inf, cases[2].r.score_count = 1;
	cases[3].r.scores = &far, cases[3].r.score_count = 1;
	cases[4].r.latency_ms = UINT32_MAX;
	cases[5].r.outcome = OUTCOME_NOT_RUN;
	cases[6].r.sample_no = UINT64_MAX;
	cases[7].r.scoring_no = 1;
	cases[8].r.kind = (enum record_kind)9;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		bool refuse = false;
		const char *reason = group_check(&cases[i].r, &refuse);
		if ((reason == NULL) != (cases[i].reason == NULL) || (reason && strcmp(reason, cases[i].reason) != 0))
			fail_msg("case %zu: '%s'", i, reason ? reason : "sound");
		if (reason)
			assert_int_equal(refuse, cases[i].refuse);
	}
}

static void a_row_gets_worse_step_by_step_and_keeps_its_first_reason(void **state)
{
	(void)state;
	struct msg_record r = sound();
	struct writer_batch batch = { .records = &r, .record_count = 1 };
	struct group_row row = { .batch = &batch };
	static const enum group_spoil steps[] = { GROUP_SPOILED, GROUP_BARE, GROUP_REFUSED, GROUP_REFUSED };
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		group_spoil(&row, i == 0 ? "first" : "later");
		assert_int_equal(row.spoil, steps[i]);
		assert_string_equal(row.text, "first");
	}
	mem_free(row.text);
}

static struct pg_list column(const struct pg_params *p, size_t number) /* as in the statement: $1 is 1 */
{
	return pg_list_of(str_make(p->bytes.data + p->start[number - 1], (size_t)p->len[number - 1]));
}

static int64_t first(const struct pg_params *p, size_t number)
{
	struct pg_list l = column(p, number);
	assert_true(pg_list_next(&l));
	return pg_list_i64(&l);
}

static void scores_and_transcripts_name_their_row(void **state)
{
	(void)state;
	struct msg_score scores[] = {
		{ .metric = 1, .has_value = true, .value = 0.5 },
		{ .metric = 0, .reason = STR("no number in it"), .explanation = STR("\"\x01\"") }
	};
	struct msg_record r[3] = { sound(), sound(), sound() };
	struct writer_done done[3];
	struct writer_batch batch = { .records = r, .record_count = 3, .done = done };
	struct group_row rows[3] = { { .batch = &batch, .index = 0 },
		                     { .batch = &batch, .index = 1 },
		                     { .batch = &batch, .index = 2 } };
	struct pg_params p;
	r[0].kind = RECORD_ATTEMPT;
	r[1].scores = scores, r[1].score_count = 2;
	r[2].response = STR("{}");
	pg_params_init(&p);
	group_put(&p, 7, rows, 3, false);
	assert_true(pg_params_ok(&p));
	assert_int_equal(p.count, 36);
	assert_int_equal(column(&p, 2).count, 3);
	assert_int_equal(column(&p, 26).count, 2);
	assert_int_equal(first(&p, 26), 2);
	assert_int_equal(first(&p, 27), 1);
	struct pg_list transcripts = column(&p, 31);
	assert_int_equal(transcripts.count, 2); /* an explanation is one, too */
	struct pg_list explanations = column(&p, 35);
	assert_true(pg_list_next(&explanations));
	assert_str_equal_c(explanations.value,
	                   "[{\"metric\":0,\"extracted\":\"\",\"explanation\":\"\\\"\\u0001\\\"\"}]");
	group_put(&p, 7, rows, 3, true);
	assert_int_equal(column(&p, 31).count, 0);
	pg_params_done(&p);
}

static void a_lost_ask_is_named_by_its_place(void **state)
{
	(void)state;
	struct msg_record r[4];
	struct writer_batch batch = { .outbox = { "outbox of a test" }, .records = r, .record_count = 4 };
	uint64_t ids[4];
	for (size_t i = 0; i < 4; i++)
		r[i] = (struct msg_record){
			.kind = RECORD_ATTEMPT, .error_class = CLASS_LOST, .run_id = 1, .at_ms = 5
		};
	r[1].sample_no = 1;
	r[2].at_ms = 6;
	for (size_t i = 0; i < 4; i++) {
		struct group_row row = { .batch = &batch, .index = i };
		struct pg_params p;
		pg_params_init(&p);
		group_put(&p, 1, &row, 1, false);
		ids[i] = (uint64_t)first(&p, 5);
		assert_int_not_equal(ids[i], 0);
		pg_params_done(&p);
	}
	assert_int_not_equal(ids[0], ids[1]);
	assert_int_not_equal(ids[0], ids[2]);
	assert_int_equal(ids[0], ids[3]); /* the same death, written twice */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_no_row_can_be_is_told_by_its_reason),
		cmocka_unit_test(a_row_gets_worse_step_by_step_and_keeps_its_first_reason),
		cmocka_unit_test(scores_and_transcripts_name_their_row),
		cmocka_unit_test(a_lost_ask_is_named_by_its_place),
	};
	return cmocka_run_group_tests_name("store group", tests, NULL, NULL);
}
