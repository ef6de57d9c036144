/* worker/score/number.h - finds numbers in prose: "$1,234.50", "-3", "50 %", "3/4", "1.2e-3", "42 apples".
 *
 * What is a number: digits, with thousands separators (1,234,567 or 12,34,567) when NUMBER_COMMAS, one decimal point,
 * an exponent, a sign that stands free ("-5", "(-5", "−5", "-$5"; in "10-12" and "3 - 5" the dash is none), or two
 * integers as a fraction ("3/4"). What is none: digits in a name ("B12", "GPT-4", "x_1"), dotted sequences ("1.2.3"),
 * what does not fit a double. Pure. Any bytes. */
#ifndef ASSAY_SCORE_NUMBER_H
#define ASSAY_SCORE_NUMBER_H

#include "common/base/str.h"

enum number_ignore { /* bits: what is passed over */
	             NUMBER_COMMAS = 1,
	             NUMBER_CURRENCY = 2, /* else a number with a currency sign is none */
	             NUMBER_PERCENT = 4,  /* else "50 %" is 0.5 */
	             NUMBER_UNITS = 8,    /* else a number with letters on it ("5kg") is none */
};

struct number {
	double value;
	struct str text; /* the literal with its sign, as it stands in the text; without currency (but "-$5"), percent
	                    and unit */
};

/* The next number at or after *at; *at moves behind it. */
bool number_next(struct str text, size_t *at, unsigned ignore, struct number *ret_number);
bool number_first(struct str text, unsigned ignore, struct number *ret_number);
bool number_last(struct str text, unsigned ignore, struct number *ret_number);

/* The text is one number and nothing else but white space, a currency sign, %, a final dot and (when ignored)
 * one unit word. */
bool number_only(struct str text, unsigned ignore, struct number *ret_number);

#endif
