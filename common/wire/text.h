/* common/wire/text.h - what may stand in a `string` field: UTF-8 without NUL. Fast for ASCII, exact for the rest.
 *
 * The sender repairs, the receiver refuses: so nothing that a provider says makes a frame that the other side drops. */
#ifndef ASSAY_WIRE_TEXT_H
#define ASSAY_WIRE_TEXT_H

#include "common/base/str.h"

bool text_valid(struct str s);

/* The length of `s` with broken bytes and NUL as U+FFFD each; s.len when nothing needs repair. */
size_t text_repaired_len(struct str s);
void text_repair(struct str s, char *out); /* writes text_repaired_len(s) bytes */

#endif
