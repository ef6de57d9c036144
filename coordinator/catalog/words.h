/* coordinator/catalog/words.h - closed lists of words, and what to say of a word that is not in one. Private to this
 * folder. Lists are NULL-terminated. Pure. */
#ifndef ASSAY_CATALOG_WORDS_H
#define ASSAY_CATALOG_WORDS_H

#include "common/base/str.h"

enum { WORDS_ADVICE_BYTES = 400 };

bool words_has(const char *const *words, struct str word);

/* "; did you mean 'trim'?" or "; there are trim, casefold, ..." */
const char *words_advice(const char *const *words, struct str word, char out[WORDS_ADVICE_BYTES]);

/* Letters, digits and `others`, beginning with a letter or digit, 1 to bytes_max bytes: fit for a URL, a file name and
 * a command line. */
bool words_is_name(struct str s, const char *others, size_t bytes_max);

#endif
