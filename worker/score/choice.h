/* worker/score/choice.h - which of the offered choices does an answer choose?
 *
 * Rules are tried in order; the first that finds anything decides. README.md lists them with examples. A rule that
 * finds two different choices makes the answer ambiguous. Letters are capitals, or lower case where nothing but a label
 * can stand; "A" and "I" count only where English would not put the words. Pure; any thread. */
#ifndef ASSAY_SCORE_CHOICE_H
#define ASSAY_SCORE_CHOICE_H

#include "worker/score/choice_text.h"

enum choice_verdict { CHOICE_NONE, CHOICE_ONE, CHOICE_AMBIGUOUS, CHOICE_TOO_LONG /* memory */ };

struct choice_reading {
	enum choice_verdict verdict;
	size_t index;    /* CHOICE_ONE; CHOICE_AMBIGUOUS: one of them */
	size_t other;    /* CHOICE_AMBIGUOUS: another */
	const char *how; /* which rule decided; static; "" for CHOICE_NONE */
};

/* answer must be valid UTF-8. Of an answer over 256 KiB the end is read. */
struct choice_reading choice_read(const struct choice_list *list, struct str answer);

#endif
