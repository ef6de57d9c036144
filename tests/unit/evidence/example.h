/* tests/unit/evidence/example.h - the two runs behind the sample report of INTERFACES.md 2: three tasks, one better,
 * one worse, four samples missing. */
#ifndef ASSAY_TESTS_EXAMPLE_H
#define ASSAY_TESTS_EXAMPLE_H

#include "tests/unit/evidence/runs.h"

struct example {
	char refund[2][100], where[2][100], change[2][100];
};

static inline void example_fill(char *text, const char *pieces, const size_t *counts)
{
	for (size_t i = 0; pieces[i]; i++)
		runs_fill(&text, pieces[i], counts[i]);
}

/* 0: the baseline (run 81), 1: the candidate (run 90). */
static inline void example_build(struct samples *s, struct arena *arena, int which)
{
	struct example e;
	example_fill(e.refund[0], "101", (const size_t[]){ 31, 29, 4 });
	example_fill(e.refund[1], "10-u", (const size_t[]){ 38, 22, 3, 1 });
	example_fill(e.where[0], "10", (const size_t[]){ 58, 2 });
	example_fill(e.where[1], "10", (const size_t[]){ 57, 3 });
	example_fill(e.change[0], "10", (const size_t[]){ 26, 14 });
	example_fill(e.change[1], "10", (const size_t[]){ 20, 20 });
	const struct runs_task tasks[] = { { "refund", e.refund[which] },
		                           { "where-is-my-order", e.where[which] },
		                           { "change-address", e.change[which] } };
	runs_build_tasks(s, arena, tasks, ARRAY_LEN(tasks));
}

#endif
