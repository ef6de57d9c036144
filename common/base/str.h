/* common/base/str.h - text as pointer and length; never owns.
 *
 * A str is a view: it lives as long as what it points into. It may hold NUL and broken UTF-8. The empty string may
 * have a NULL pointer. C strings exist only at library edges. */
#ifndef ASSAY_BASE_STR_H
#define ASSAY_BASE_STR_H

#include "common/base/base.h"

struct str {
	const char *data;
	size_t len;
};

#define STR(literal) ((struct str){ "" literal, sizeof(literal) - 1 })
#define STR_INIT(literal)                                                                                              \
	{                                                                                                              \
		"" literal, sizeof(literal) - 1                                                                        \
	}
#define STR_ARG(s) (int)(s).len, ((s).data ? (s).data : "") /* for "%.*s"; caller keeps lengths below INT_MAX */

struct str str_from(const char *c_string); /* NULL gives the empty string */
struct str str_make(const void *data, size_t len);
bool str_eq(struct str a, struct str b);
bool str_eq_c(struct str a, const char *b);
int str_cmp(struct str a, struct str b); /* by bytes, shorter first */
bool str_starts(struct str s, struct str prefix);
bool str_ends(struct str s, struct str suffix);
ptrdiff_t str_find(struct str s, struct str needle); /* -1 when absent; the empty needle is at 0 */
ptrdiff_t str_find_char(struct str s, char c);
struct str str_slice(struct str s, size_t from, size_t to); /* clamped */
struct str str_trim(struct str s);                          /* ASCII white space on both sides */

/* Takes the next piece before `separator` off *rest; false when nothing is left. "a,,b" gives "a", "", "b". */
bool str_split(struct str *rest, char separator, struct str *ret_piece);

/* The whole string must be the number; false otherwise (also on overflow, white space, or an empty string). */
bool str_to_i64(struct str s, int64_t *ret_value);
bool str_to_u64(struct str s, uint64_t *ret_value);
bool str_to_double(struct str s, double *ret_value); /* decimal, no hex, no inf, no nan; under 512 bytes */

/* How many edits apart (insert, delete, replace, swap of neighbours); for "did you mean". Both under 64 bytes. */
unsigned str_distance(struct str a, struct str b);

#endif
