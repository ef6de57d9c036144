/* Goal: a gate passes only on evidence, blocks only on evidence, says inconclusive otherwise, and missing scores cannot
 * buy a pass. */
#include "coordinator/evidence/gate.h"
#include "coordinator/stats/normal.h"
#include "coordinator/stats/student.h"
#include "tests/unit/evidence/example.h"
#include <math.h>

struct fixture {
	struct arena arena;
	struct samples base, cand;
	struct compare compare;
	struct gate gate;
	struct gate_result result;
	struct error error;
};

static int setup(void **state)
{
	static struct fixture f;
	memset(&f, 0, sizeof(f));
	arena_init(&f.arena, 256 << 20);
	f.gate = gate_defaults();
	f.gate.name = STR("release");
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	samples_done(&f->base);
	samples_done(&f->cand);
	arena_done(&f->arena);
	return 0;
}

static enum gate_verdict check_gate(struct fixture *f)
{
	assert_ok(compare_runs(&f->arena, &f->base, &f->cand, compare_defaults(), &f->compare, &f->error), &f->error);
	assert_ok(gate_check(&f->arena, &f->gate, &f->base, &f->cand, &f->compare, &f->result, &f->error), &f->error);
	return f->result.verdict;
}

/* 200 items: so many lost, gained, and not answered by the candidate; the others are right in both. */
static void build(struct fixture *f, size_t lost, size_t gained, size_t missing)
{
	char base[300], cand[300], *b = base, *c = cand;
	runs_fill(&b, '1', 200 - gained);
	runs_fill(&b, '0', gained);
	runs_fill(&c, '0', lost);
	runs_fill(&c, '-', missing);
	runs_fill(&c, '1', 200 - lost - missing);
	const struct runs_task tb = { "t", base }, tc = { "t", cand };
	runs_build_tasks(&f->base, &f->arena, &tb, 1);
	runs_build_tasks(&f->cand, &f->arena, &tc, 1);
}

static void a_large_loss_blocks_and_names_the_slice(void **state)
{
	struct fixture *f = *state;
	example_build(&f->base, &f->arena, 0);
	example_build(&f->cand, &f->arena, 1);
	f->gate.by = STR("task");
	f->gate.margin = 0.02;
	assert_int_equal(check_gate(f), GATE_BLOCKED);
	assert_int_equal(f->result.slice_count, 3);
	assert_int_equal(f->result.slices[0].verdict,
	                 GATE_INCONCLUSIVE); /* refund is better, but 4 of 64 are missing */
	assert_true(f->result.slices[0].missing_decides);
	assert_int_equal(f->result.slices[1].verdict, GATE_INCONCLUSIVE);
	assert_int_equal(f->result.slices[2].verdict, GATE_BLOCKED);
	assert_true(f->result.slices[2].holm.value > f->result.slices[2].p_block.value);
	assert_str_equal_c(f->result.reason, "change-address: is worse by more than 0.02 (p 0.043)");
}

static void no_change_over_enough_items_passes_a_margin(void **state)
{
	struct fixture *f = *state;
	build(f, 0, 0, 0);
	f->gate.margin = 0.02;
	assert_int_equal(check_gate(f), GATE_PASS);
	assert_true(fabs(f->result.slices[0].p_pass.value - pow(0.98, 200)) < 1e-12);
}

static void no_change_over_few_items_is_inconclusive(void **state)
{
	struct fixture *f = *state;
	const struct runs_task t = { "t", "1101101101" };
	runs_build_tasks(&f->base, &f->arena, &t, 1);
	runs_build_tasks(&f->cand, &f->arena, &t, 1);
	f->gate.margin = 0.02;
	assert_int_equal(check_gate(f), GATE_INCONCLUSIVE);
	assert_str_equal_c(f->result.reason, "all: n 10 does not show that it is not worse by 0.02 (p 0.82)");
}

static void a_small_loss_inside_the_margin_passes_and_beyond_it_does_not(void **state)
{
	struct fixture *f = *state;
	build(f, 2, 0, 0);
	f->gate.margin = 0.05;
	assert_int_equal(check_gate(f), GATE_PASS);
	f->gate.margin = 0.01;
	assert_int_equal(check_gate(f), GATE_INCONCLUSIVE);
	samples_done(&f->base);
	samples_done(&f->cand);
	build(f, 40, 0, 0);
	assert_int_equal(check_gate(f), GATE_BLOCKED);
}

static void missing_scores_above_their_share_must_pass_at_worst(void **state)
{
	struct fixture *f = *state;
	f->gate.margin = 0.05;
	build(f, 0, 0, 12); /* 6 %: at worst twelve losses */
	assert_int_equal(check_gate(f), GATE_INCONCLUSIVE);
	assert_true(f->result.slices[0].missing_decides);
	assert_true(fabs(f->result.slices[0].missing_share.value - 0.06) < 1e-12);
	assert_str_equal_c(f->result.reason,
	                   "all: 6.0 % missing: passes as observed, not with the missing ones at worst");
	f->gate.missing_share = 0.06; /* a policy that lets them pass */
	assert_int_equal(check_gate(f), GATE_PASS);
	samples_done(&f->base);
	samples_done(&f->cand);
	f->gate.missing_share = 0.02;
	build(f, 0, 0, 4); /* 2 % stands as observed */
	assert_int_equal(check_gate(f), GATE_PASS);
	samples_done(&f->base);
	samples_done(&f->cand);
	build(f, 0, 60, 12); /* so much better that even twelve losses do not matter */
	assert_int_equal(check_gate(f), GATE_PASS);
}

static void the_baselines_missing_scores_count_as_right(void **state)
{
	struct fixture *f = *state;
	char base[300], cand[300], *b = base, *c = cand;
	runs_fill(&b, '-', 12);
	runs_fill(&b, '1', 188);
	runs_fill(&c, '0', 12); /* wrong where the baseline has no score: at best twelve losses */
	runs_fill(&c, '1', 188);
	const struct runs_task tb = { "t", base }, tc = { "t", cand };
	runs_build_tasks(&f->base, &f->arena, &tb, 1);
	runs_build_tasks(&f->cand, &f->arena, &tc, 1);
	f->gate.margin = 0.05;
	assert_int_equal(check_gate(f), GATE_INCONCLUSIVE);
	assert_true(f->result.slices[0].missing_decides && f->result.slices[0].n == 188);
}

static void at_least_tests_the_candidate_alone(void **state)
{
	struct fixture *f = *state;
	build(f, 20, 0, 0); /* 180 of 200 */
	f->gate.rule = GATE_AT_LEAST;
	f->gate.threshold = 0.8;
	assert_int_equal(check_gate(f), GATE_PASS);
	f->gate.threshold = 0.89;
	assert_int_equal(check_gate(f), GATE_INCONCLUSIVE);
	f->gate.threshold = 0.97;
	assert_int_equal(check_gate(f), GATE_BLOCKED);
	f->gate.threshold = 0;
	assert_int_equal(check_gate(f), GATE_PASS);
	f->gate.threshold = 1; /* one wrong answer shows that the mean is below */
	assert_true(check_gate(f) == GATE_BLOCKED);
	assert_ok(gate_check(&f->arena, &f->gate, NULL, &f->cand, NULL, &f->result, &f->error), &f->error);
	assert_int_equal(f->result.verdict, GATE_BLOCKED);
}

static void clusters_leave_a_threshold_test_their_own_degrees_of_freedom(void **state)
{
	struct fixture *f = *state;
	static const struct runs_item items[] = {
		/* every cluster agrees inside: four units, three of them right */
		{ .id = "a", .scores = "1", .cluster = "x" }, { .id = "b", .scores = "1", .cluster = "x" },
		{ .id = "c", .scores = "1", .cluster = "y" }, { .id = "d", .scores = "1", .cluster = "y" },
		{ .id = "e", .scores = "1", .cluster = "z" }, { .id = "f", .scores = "1", .cluster = "z" },
		{ .id = "g", .scores = "0", .cluster = "u" }, { .id = "h", .scores = "0", .cluster = "u" },
	};
	runs_build(&f->cand, &f->arena, items, 8);
	runs_build(&f->base, &f->arena, items, 8);
	f->gate.rule = GATE_AT_LEAST;
	f->gate.threshold = 0.5;
	assert_int_equal(check_gate(f), GATE_INCONCLUSIVE);
	double trials = 3; /* 0.75 * 0.25 over a variance of 1/16 */
	double want = student_upper(0.25 / sqrt(0.25 / trials), 3);
	assert_true(fabs(f->result.slices[0].p_pass.value - want) < 1e-12);
}

static void items_without_a_label_are_judged_as_well(void **state)
{
	struct fixture *f = *state;
	char base[300], cand[300], *b = base, *c = cand;
	runs_fill(&b, '1', 200);
	runs_fill(&c, '1', 150);
	runs_fill(&c, '0', 50);
	const struct runs_task tb[] = { { "t", base }, { "", base } }, tc[] = { { "t", base }, { "", cand } };
	runs_build_tasks(&f->base, &f->arena, tb, 2);
	runs_build_tasks(&f->cand, &f->arena, tc, 2);
	f->gate.by = STR("task");
	f->gate.margin = 0.02;
	assert_int_equal(check_gate(f), GATE_BLOCKED);
	assert_int_equal(f->result.slice_count, 2);
	assert_int_equal(f->result.slices[0].verdict, GATE_PASS);
	assert_str_equal_c(f->result.slices[1].group, "(no label)");
}

static void weights_count_at_their_effective_size(void **state)
{
	struct fixture *f = *state;
	static const struct runs_item items[] = { { .id = "a", .scores = "1", .weight = 3 },
		                                  { .id = "b", .scores = "1" },
		                                  { .id = "c", .scores = "1", .weight = 2 } };
	runs_build(&f->cand, &f->arena, items, 3);
	runs_build(&f->base, &f->arena, items, 3);
	f->gate.rule = GATE_AT_LEAST;
	f->gate.threshold = 0.5;
	assert_int_equal(check_gate(f), GATE_INCONCLUSIVE);
	assert_true(fabs(f->result.slices[0].p_pass.value - normal_upper(sqrt(36.0 / 14))) < 1e-12);
}

static void without_a_baseline_or_items_it_is_inconclusive(void **state)
{
	struct fixture *f = *state;
	build(f, 0, 0, 0);
	assert_ok(gate_check(&f->arena, &f->gate, NULL, &f->cand, NULL, &f->result, &f->error), &f->error);
	assert_int_equal(f->result.verdict, GATE_INCONCLUSIVE);
	assert_str_equal_c(f->result.reason, "there is no baseline to compare with");
	samples_done(&f->base);
	samples_done(&f->cand);
	build(f, 0, 0, 200);
	f->gate.margin = 0.5;
	assert_int_equal(check_gate(f), GATE_INCONCLUSIVE);
	assert_str_equal_c(f->result.reason, "all: too few items to tell (n 0)");
}

static void unknown_names_and_figures_are_errors(void **state)
{
	struct fixture *f = *state;
	build(f, 0, 0, 0);
	f->gate.metric = STR("nonsense");
	assert_int_equal(gate_check(&f->arena, &f->gate, NULL, &f->cand, NULL, &f->result, &f->error), ERR_INVALID);
	assert_non_null(strstr(f->error.text, "gate release: there is no metric nonsense"));
	f->gate.metric = STR("");
	f->gate.by = STR("language");
	assert_int_equal(gate_check(&f->arena, &f->gate, NULL, &f->cand, NULL, &f->result, &f->error), ERR_INVALID);
	f->gate.by = STR("");
	f->gate.alpha = NAN;
	assert_int_equal(gate_check(&f->arena, &f->gate, NULL, &f->cand, NULL, &f->result, &f->error), ERR_INVALID);
	enum gate_rule rule;
	assert_true(gate_rule_from_name(STR("at_least"), &rule) && rule == GATE_AT_LEAST);
	assert_true(gate_rule_from_name(STR("not_worse"), &rule) && rule == GATE_NOT_WORSE);
	assert_false(gate_rule_from_name(STR("vibes"), &rule));
}

#define one(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		one(a_large_loss_blocks_and_names_the_slice),
		one(no_change_over_enough_items_passes_a_margin),
		one(no_change_over_few_items_is_inconclusive),
		one(a_small_loss_inside_the_margin_passes_and_beyond_it_does_not),
		one(missing_scores_above_their_share_must_pass_at_worst),
		one(the_baselines_missing_scores_count_as_right),
		one(at_least_tests_the_candidate_alone),
		one(clusters_leave_a_threshold_test_their_own_degrees_of_freedom),
		one(items_without_a_label_are_judged_as_well),
		one(weights_count_at_their_effective_size),
		one(without_a_baseline_or_items_it_is_inconclusive),
		one(unknown_names_and_figures_are_errors),
	};
	return cmocka_run_group_tests_name("gate", tests, NULL, NULL);
}
