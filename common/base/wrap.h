/* common/base/wrap.h - lines that are too wide for a terminal are broken where a reader would break them. Pure.
 *
 * A line is broken behind its last " | ", else at its last gap of two spaces or more, else behind the last "; " or ",
 * ", else at its last space; what follows is indented under it. A word is never cut, and a line that begins a list of
 * commands ("next: a | b") is broken between commands only, so that each can be copied. Colour sequences (ESC [ ... m)
 * have no width. */
#ifndef ASSAY_BASE_WRAP_H
#define ASSAY_BASE_WRAP_H

#include "common/base/buf.h"

/* Appends `text` line by line; false: `out` is full. */
bool wrap_text(struct str text, unsigned columns, struct buf *out);

#endif
