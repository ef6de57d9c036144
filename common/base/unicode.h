/* common/base/unicode.h - UTF-8: validity, repair, normalisation, case folding, width. The only user of utf8proc.
 *
 * Broken bytes are replaced as the Unicode Standard recommends (chapter 3, U+FFFD substitution of maximal subparts):
 * a character that was cut off is one U+FFFD, a byte that can start nothing is one. */
#ifndef ASSAY_BASE_UNICODE_H
#define ASSAY_BASE_UNICODE_H

#include "common/base/buf.h"

/* Steps over one character. False when it is broken: *ret_code is U+FFFD then, and *at is past its broken start. */
bool unicode_next(struct str s, size_t *at, uint32_t *ret_code);

bool unicode_valid(struct str s);    /* strict: no surrogates, no overlong forms */
size_t unicode_bad_at(struct str s); /* byte offset of the first bad byte; s.len when valid */
bool unicode_repair(struct str s, struct buf *out, unsigned *ret_repairs); /* bad bytes to U+FFFD; false: `out` full */

enum unicode_form { UNICODE_NFC, UNICODE_NFKC, UNICODE_CASEFOLD /* NFKC, folded */ };
bool unicode_map(struct str s, enum unicode_form form, struct buf *out); /* s must be valid; false: `out` full */

size_t unicode_length(struct str s);  /* code points; broken bytes count one each */
unsigned unicode_width(struct str s); /* terminal columns */

/* Control characters, escapes and bidirectional overrides made visible, for a terminal: ESC becomes "\x1b", a newline
 * "\n", a broken byte "\xff", U+202E "\u202e". One line in, one line out. */
bool unicode_visible(struct str s, struct buf *out);
/* The same for a message: at most out_bytes - 1 bytes, NUL-terminated, ending in "..." when cut. Returns `out`. */
const char *unicode_excerpt(struct str s, char *out, size_t out_bytes);

#endif
