/* worker/score/normalize.h - the text steps that make two ways of writing the same answer equal.
 *
 * Steps are applied in the order given, to the answer and to the target alike. White space is what Unicode
 * calls so, and U+200B and U+FEFF.
 *   trim            white space off both ends
 *   casefold        NFKC and case folding: "Straße" and "STRASSE" meet
 *   nfkc            compatibility normalisation alone
 *   strip_punctuation  ASCII and common typographic punctuation removed everywhere ("don't" gives "dont")
 *   collapse_space  runs of white space to one blank, none at the ends
 *   strip_articles  the words a, an, the removed, the others joined by one blank (as in SQuAD's scoring)
 * Pure; any thread. Input must be valid UTF-8. */
#ifndef ASSAY_SCORE_NORMALIZE_H
#define ASSAY_SCORE_NORMALIZE_H

#include "common/base/buf.h"

enum normalize_step {
	NORMALIZE_TRIM,
	NORMALIZE_CASEFOLD,
	NORMALIZE_NFKC,
	NORMALIZE_STRIP_PUNCTUATION,
	NORMALIZE_COLLAPSE_SPACE,
	NORMALIZE_STRIP_ARTICLES,
	NORMALIZE_STEP_COUNT
};

const char *normalize_step_name(enum normalize_step step);
bool normalize_step_from_name(struct str name, enum normalize_step *ret_step);

/* Replaces what `out` holds by the normalised text. `scratch` is a second buffer, overwritten. False when one of the
 * two is full. */
bool normalize_apply(struct str text, const enum normalize_step *steps, size_t step_count, struct buf *out,
                     struct buf *scratch);

/* One white-space character at the start of s: its length in bytes, else 0. */
size_t normalize_space_len(struct str s);
struct str normalize_trim(struct str s); /* a view */

#endif
