/* tests/unit/evidence/runs.h - small runs written as text, for the tests of coordinator/evidence.
 *
 * One character an epoch: 0 and 1 are scores, 2..9 tenths (5 is 0.5); - provider error, u unscored, q quarantined,
 * c cancelled, . not run; r and t are refused and truncated answers scored 0, a one scored 1 that came after the end.
 * Every sample with a row costs 1000 nanousd, 10 tokens in, 2 out, and takes 100 ms. */
#ifndef ASSAY_TESTS_RUNS_H
#define ASSAY_TESTS_RUNS_H

#include "common/base/json.h"
#include "coordinator/evidence/samples.h"
#include "tests/support/cmocka_all.h"
#include <stdio.h>

struct runs_item {
	const char *id, *task, *scores;
	const char *cluster; /* NULL: its own */
	double weight;       /* 0: 1; below 0: none */
	const char *content; /* NULL: the id */
};

static inline enum outcome runs_outcome(char c)
{
	switch (c) {
	case '-':
		return OUTCOME_PROVIDER_ERROR;
	case 'u':
		return OUTCOME_UNSCORED;
	case 'q':
		return OUTCOME_QUARANTINED;
	case 'c':
		return OUTCOME_CANCELLED;
	case '.':
		return OUTCOME_NONE;
	default:
		return OUTCOME_SCORED;
	}
}

static inline double runs_score(char c)
{
	if (c == '1' || c == 'a')
		return 1;
	return c >= '2' && c <= '9' ? (c - '0') / 10.0 : 0;
}

static inline void runs_put(struct samples *s, size_t metric, size_t item, uint32_t epoch, char c)
{
	struct error error;
	struct samples_row row = {
		.item = item, .epoch = epoch, .tokens_in = 10, .tokens_out = 2, .latency_ms = 100, .cost_nanousd = 1000
	};
	row.flags = (uint8_t)(c == 'r' ? FLAG_REFUSED : c == 't' ? FLAG_TRUNCATED : c == 'a' ? FLAG_AFTER_END : 0);
	if (c != '.' && c != 'c')
		assert_ok(samples_set_row(s, &row, &error), &error);
	assert_ok(samples_set_score(s, metric, item, epoch, runs_outcome(c), runs_score(c), &error), &error);
}

static inline void runs_build(struct samples *s, struct arena *arena, const struct runs_item *items, size_t count)
{
	struct error error;
	size_t metric, task;
	assert_ok(samples_init(s, arena, count, (uint32_t)strlen(items[0].scores), &error), &error);
	assert_ok(samples_add_metric(s, STR("correct"), number_of(0), interval_of(0, 1), &metric, &error), &error);
	assert_ok(samples_add_dimension(s, STR("task"), &task, &error), &error);
	for (size_t i = 0; i < count; i++) {
		struct str id = str_from(items[i].id),
			   content = str_from(items[i].content ? items[i].content : items[i].id);
		double weight = items[i].weight < 0 ? 0 : items[i].weight > 0 ? items[i].weight : 1;
		assert_ok(samples_set_item(s, i, id, hash_of(content), weight, &error), &error);
		assert_ok(samples_set_group(s, task, i, str_from(items[i].task), &error), &error);
		assert_ok(samples_set_cluster(s, i, str_from(items[i].cluster), &error), &error);
		assert_int_equal(strlen(items[i].scores), s->epoch_count);
		for (uint32_t e = 0; e < s->epoch_count; e++)
			runs_put(s, metric, i, e, items[i].scores[e]);
	}
}

/* One epoch; item k of task t is "t-k", its score the k-th character of that task's text. */
struct runs_task {
	const char *task, *scores;
};

static inline void runs_build_tasks(struct samples *s, struct arena *arena, const struct runs_task *tasks, size_t count)
{
	struct runs_item items[1000];
	size_t n = 0;
	for (size_t t = 0; t < count; t++) {
		for (size_t k = 0; k < strlen(tasks[t].scores); k++) {
			assert_true(n < ARRAY_LEN(items));
			struct str id = arena_printf(arena, "%s-%zu", tasks[t].task, k);
			struct str score = arena_str(arena, str_make(tasks[t].scores + k, 1));
			items[n++] = (struct runs_item){ .id = id.data, .task = tasks[t].task, .scores = score.data };
		}
	}
	runs_build(s, arena, items, n);
}

/* n characters of c at *at. */
static inline void runs_fill(char **at, char c, size_t n)
{
	memset(*at, c, n);
	*at += n;
	**at = '\0';
}

#endif
