/* coordinator/evidence/pair_cut.h - one slice of paired items as differences, for compare and gate.
 *
 * The difference of a pair is candidate minus baseline. Where all differences are equal a t test has nothing to work
 * with; what can still be said then follows from the share of items that could differ: pair_cut_still. */
#ifndef ASSAY_EVIDENCE_PAIR_CUT_H
#define ASSAY_EVIDENCE_PAIR_CUT_H

#include "coordinator/evidence/cut.h"
#include "coordinator/evidence/pair.h"

struct pair_cut {
	const struct samples *base, *cand;
	struct cut cut; /* x: candidate, y: baseline */
	double *diff;   /* [n] */
	/* of the metric at hand */
	uint32_t metric_base, metric_cand;
	struct number width; /* largest possible difference, when both ranges are known */
	struct interval range_base, range_cand;
};

bool pair_cut_init(struct pair_cut *p, struct arena *arena, const struct samples *base,
                   const struct samples *cand) MUST_CHECK;
void pair_cut_metric(struct pair_cut *p, uint32_t metric_base, uint32_t metric_cand);

/* Gathers the pairs numbered pairs[0..count), those that both runs scored. */
void pair_cut_observed(struct pair_cut *p, const struct pair_list *list, const uint32_t *pairs, size_t count);
/* All of them, missing scores filled with these values. */
void pair_cut_filled(struct pair_cut *p, const struct pair_list *list, const uint32_t *pairs, size_t count,
                     double fill_base, double fill_cand);
bool pair_cut_binary(const struct pair_cut *p);
struct cut_estimate pair_cut_estimate(const struct pair_cut *p); /* n > 0 */

/* All `units` differences came out as `value`. Two-sided: the least share of items that is still like these at
 * confidence 1 - tail. */
double pair_cut_still_share(double units, double tail);

#endif
