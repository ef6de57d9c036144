/* coordinator/evidence/cut.h - the machinery that summary, compare and gate share: which units stand in which group,
 * which clusters they share, and the estimate of a mean from what was gathered.
 *
 * A unit is an item of a run, or a pair of a comparison. Groups come from a counting sort, so cutting a suite costs
 * one pass a dimension. Everything lives in the arena. */
#ifndef ASSAY_EVIDENCE_CUT_H
#define ASSAY_EVIDENCE_CUT_H

#include "coordinator/evidence/samples.h"

struct cut_groups {
	uint32_t *unit; /* all units that have a group, group by group, in order inside */
	size_t *start;  /* [group_count + 1] */
};

/* group[i] of unit i, SAMPLES_NO_GROUP: in none. False when the arena is too small. */
bool cut_group(struct arena *arena, const uint32_t *group, size_t unit_count, uint32_t group_count,
               struct cut_groups *ret_groups) MUST_CHECK;

/* The scores of one slice, ready for the statistics; room for every unit, used again by each slice. */
struct cut {
	size_t n;
	double *x, *y; /* y: the second run's, in a comparison */
	double *weight;
	uint32_t *cluster; /* dense in the slice, below n */
	uint32_t cluster_count;
	uint32_t *local, *turn_of; /* [label_count]: a cluster's number in this slice, and which slice that was */
	uint32_t label_count, turn;
};

bool cut_init(struct cut *s, struct arena *arena, size_t unit_count, uint32_t cluster_labels) MUST_CHECK;
void cut_begin(struct cut *s);
void cut_add(struct cut *s, double x, double y, double weight, uint32_t cluster); /* weight 0 is left out */
bool cut_weighted(const struct cut *s);                                           /* weights differ */

struct cut_estimate {    /* of the mean of n values */
	size_t n, units; /* units: clusters when they are shared, else n */
	bool clustered, weighted;
	double mean;
	struct number se; /* never below the i.i.d. one; 0 only when all values are equal */
	double df;        /* units - 1 */
	double ess;       /* Kish's size; n without weights */
};

/* values: x, or the differences of both; n of them, n > 0. */
struct cut_estimate cut_estimate_of(const struct cut *s, const double *values);

#endif
