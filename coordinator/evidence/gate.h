/* coordinator/evidence/gate.h - a rule over evidence: pass, blocked or inconclusive, never two values only.
 *
 * not_worse   pass when it is shown, in every slice, that the candidate is not worse than the baseline by `margin` or
 *             more (one-sided, alpha); blocked when in some slice it is shown to be worse by more than the margin.
 * at_least    the same about the candidate's own mean and `threshold`.
 * A pass needs every slice, so its slices are tested at alpha each (an intersection-union test); a block needs one, so
 * its p-values are Holm-adjusted over the slices. What shows neither is inconclusive and says what is missing.
 *
 * A pass also needs to hold with the candidate's missing scores at worst and the baseline's at best, unless at most
 * missing_share of the slice's samples is missing on each side. Pure. */
#ifndef ASSAY_EVIDENCE_GATE_H
#define ASSAY_EVIDENCE_GATE_H

#include "coordinator/evidence/compare.h"

enum gate_rule { GATE_NOT_WORSE, GATE_AT_LEAST };
enum gate_verdict { GATE_PASS, GATE_INCONCLUSIVE, GATE_BLOCKED }; /* the larger one wins over slices */

struct gate {
	struct str name;
	struct str metric; /* empty: the primary one */
	enum gate_rule rule;
	struct str by;        /* a dimension; items without a label in it are one more slice; empty: the whole suite */
	double margin;        /* not_worse, in units of the score */
	double threshold;     /* at_least */
	double alpha;         /* 0.05 */
	double missing_share; /* 0.02 */
};

struct gate_slice {
	struct str group;
	enum gate_verdict verdict;
	uint64_t n;
	struct number value;         /* the difference, or the mean */
	struct number p_pass;        /* that the rule is broken or at its edge */
	struct number p_block, holm; /* that the rule is kept */
	struct number missing_share; /* the larger of both sides */
	bool missing_decides;        /* passes as observed, but not with the missing ones at worst */
	struct str reason;           /* one clause, in words */
};

struct gate_result {
	struct str name;
	enum gate_verdict verdict;
	struct gate_slice *slices;
	size_t slice_count;
	struct str reason; /* one sentence: the deciding slice */
};

struct gate gate_defaults(void);
bool gate_rule_from_name(struct str name, enum gate_rule *ret_rule); /* "not_worse", "at_least" */
const char *gate_rule_name(enum gate_rule r);
const char *gate_verdict_name(enum gate_verdict v); /* "pass", "inconclusive", "blocked" */

/* comparison and base may be NULL (no baseline): not_worse is then inconclusive. An unknown metric or dimension is
 * ERR_INVALID. */
enum err_code gate_check(struct arena *arena, const struct gate *gate, const struct samples *base,
                         const struct samples *cand, const struct compare *comparison, struct gate_result *ret_result,
                         struct error *reterr) MUST_CHECK;

#endif
