/* common/io/secrets.h - values that must never be printed, stored or sent: one filter for the whole process.
 *
 * Register keys when they are read. log.h filters each line; whoever writes error text, evidence or a transcript calls
 * secrets_mask() itself. A value is also recognised with JSON escapes and percent-encoded. The table only grows and is
 * read without a lock: any thread, any time. */
#ifndef ASSAY_IO_SECRETS_H
#define ASSAY_IO_SECRETS_H

#include "common/base/buf.h"
#include "common/base/error.h"

enum { SECRETS_BYTES_MIN = 6, SECRETS_BYTES_MAX = 16384, SECRETS_COUNT_MAX = 1024 };

/* Copies the value. ERR_INVALID when shorter than SECRETS_BYTES_MIN (hiding it would blank out ordinary text; the
 * operator should be told) or longer than SECRETS_BYTES_MAX, ERR_LIMIT when the table is full. Twice is once. */
enum err_code secrets_add(struct str secret, struct error *reterr) MUST_CHECK;

bool secrets_present(struct str text);             /* does it hold one? */
bool secrets_mask(struct str in, struct buf *out); /* appends `in` with each secret as [hidden]; false: `out` full */
void secrets_mask_error(struct error *error);      /* in place; the text may be cut at its end */

void secrets_clear(void); /* tests only, with no other thread about: wipes the table */

#endif
