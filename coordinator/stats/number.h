/* coordinator/stats/number.h - a number that may be undefined, an interval that may be undefined, and why a routine
 * refuses.
 *
 * Undefined is a value: a standard error of one item is not 0 and not NaN, it is `defined == false` and becomes SQL
 * NULL or JSON null. A defined number is never NaN; it may be infinite (a t statistic with no spread). A refusal means
 * that the input is not a question the routine answers; outputs are then untouched. Values only; any thread. */
#ifndef ASSAY_STATS_NUMBER_H
#define ASSAY_STATS_NUMBER_H

#include "common/base/base.h"

struct number {
	double value; /* 0 when undefined */
	bool defined;
};

struct interval {
	double low, high; /* 0 when undefined */
	bool defined;
};

enum refusal {
	REFUSAL_NONE = 0,
	REFUSAL_EMPTY,
	REFUSAL_TOO_FEW,
	REFUSAL_NAN_INPUT,
	REFUSAL_LENGTH_MISMATCH,
	REFUSAL_DOMAIN,     /* a value outside its allowed range */
	REFUSAL_DEGENERATE, /* no information in it */
	REFUSAL_NOT_IDENTIFIABLE,
	REFUSAL_SEPARATION,
	REFUSAL_NO_CONVERGENCE,
	REFUSAL_COUNT
};

/* Counts above this are REFUSAL_DOMAIN: more trials than any run has, and the bound on every loop over counts. */
#define NUMBER_COUNT_MAX ((uint64_t)1000 * 1000 * 1000)

struct number number_of(double value); /* a NaN is a bug in the caller */
struct number number_none(void);
double number_or(struct number n, double fallback);
struct interval interval_of(double low, double high);
struct interval interval_none(void);
struct interval interval_around(double centre, double half_width);
struct interval interval_clamp(struct interval i, double low, double high);

const char *refusal_name(enum refusal r); /* "empty", "too_few", ...: the codes of the reference vectors */

#endif
