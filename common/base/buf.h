/* common/base/buf.h - bytes that grow up to a limit fixed at birth.
 *
 * Passing the limit or running out of memory sets `failed`; from then on every append is a no-op that returns false,
 * so a chain of appends needs one check at its end. Owns `data` until buf_take() or buf_done(). One thread. */
#ifndef ASSAY_BASE_BUF_H
#define ASSAY_BASE_BUF_H

#include "common/base/str.h"
#include <stdarg.h>

struct buf {
	char *data; /* NUL-terminated whenever not NULL; the NUL is not counted */
	size_t len, cap, max;
	bool failed;
};

void buf_init(struct buf *b, size_t bytes_max);
void buf_done(struct buf *b);  /* frees; the buffer is empty and usable again, with its limit */
void buf_clear(struct buf *b); /* keeps the memory; forgives a failure */

bool buf_append(struct buf *b, const void *data, size_t len);
bool buf_append_str(struct buf *b, struct str s);
bool buf_append_c(struct buf *b, const char *c_string);
bool buf_append_char(struct buf *b, char c);
bool buf_printf(struct buf *b, const char *format, ...) PRINTF_LIKE(2, 3);
bool buf_vprintf(struct buf *b, const char *format, va_list args) PRINTF_LIKE(2, 0);
bool buf_reserve(struct buf *b, size_t extra); /* room for `extra` more bytes without moving */

struct str buf_str(const struct buf *b);        /* view; ends with the next change */
char *buf_take(struct buf *b, size_t *ret_len); /* ownership out, for mem_free(); never NULL unless failed */

#endif
