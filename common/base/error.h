/* common/base/error.h - an error is a code for programs and a text for people.
 *
 * A function that can fail returns `enum err_code` and fills a `struct error *reterr` that the caller owns; reterr may
 * be NULL where the text is of no use. Outputs named ret_x are set on success only. Not-found is a value, not an
 * error, wherever a caller could expect it. Nothing here allocates. */
#ifndef ASSAY_BASE_ERROR_H
#define ASSAY_BASE_ERROR_H

#include "common/base/base.h"

enum err_code {
	ERR_OK = 0,
	ERR_INVALID, /* input breaks a rule; the text names file, line or field */
	ERR_NOMEM,
	ERR_LIMIT, /* a stated bound would be passed */
	ERR_IO,    /* system call, disk */
	ERR_NOT_FOUND,
	ERR_AGAIN, /* would block or must be tried again as it is */
	ERR_TIMEOUT,
	ERR_CONNECT,     /* the peer cannot be reached or closed */
	ERR_DENIED,      /* the peer or the operator does not allow it */
	ERR_CORRUPT,     /* stored or received bytes that fail their checks */
	ERR_UNSUPPORTED, /* known, but not by this version */
	ERR_CONFLICT,    /* somebody else changed it first */
	ERR_DATABASE,    /* an SQLSTATE that is neither a connection nor a conflict */
	ERR_CANCELLED,
};

enum { ERROR_TEXT_BYTES_MAX = 1000 };

struct error {
	enum err_code code;
	char text[ERROR_TEXT_BYTES_MAX];
};

/* Both return `code`, so that a caller can write: return error_set(reterr, ERR_INVALID, ...). Text over the limit is
 * cut at a whole UTF-8 character. reterr may be NULL. */
enum err_code error_set(struct error *reterr, enum err_code code, const char *format, ...) PRINTF_LIKE(3, 4);

/* Puts "context: " before the text that is already there and keeps its code; returns that code. */
enum err_code error_wrap(struct error *reterr, enum err_code code, const char *format, ...) PRINTF_LIKE(3, 4);

const char *error_code_name(enum err_code code); /* "invalid", "nomem", ...; static */

#endif
