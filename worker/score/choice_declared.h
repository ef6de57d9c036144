/* worker/score/choice_declared.h - "the answer is B": choices that an answer declares. Private to this folder. Pure. */
#ifndef ASSAY_SCORE_CHOICE_DECLARED_H
#define ASSAY_SCORE_CHOICE_DECLARED_H

#include "worker/score/choice.h"

/* The last declaration ("Answer: B", "the correct option is (B)", "I choose Paris", "\boxed{B}"), since models correct
 * themselves. "B or C" is ambiguous, as is a letter with another choice's text. */
struct choice_reading choice_declared(const struct choice_list *list, struct str plain);

/* A letter at i, or behind brackets there, that can only be a label: its choice, or -1; *ret_end behind it and its
 * closing brackets. */
ptrdiff_t choice_label_at(const struct choice_list *list, struct str plain, size_t i, size_t *ret_end);

/* Does a letter that ends at i stand alone there: no word, initialism, "C++" or "B-52" goes on? */
bool choice_letter_ends(struct str plain, size_t i);
/* Can a letter that ends at i be neither the article nor the pronoun? */
bool choice_letter_is_bare(struct str plain, size_t i);

#endif
