/* common/base/regex.h - Perl-style patterns with bounded work: PCRE2's interpreter under match, depth and heap limits.
 *
 * The only file pair that includes pcre2. UTF mode; the subject must be valid UTF-8 (unicode_repair first). Running
 * into a limit is ERR_LIMIT, never "no match". A compiled pattern may be shared by threads. */
#ifndef ASSAY_BASE_REGEX_H
#define ASSAY_BASE_REGEX_H

#include "common/base/error.h"
#include "common/base/str.h"

struct regex;

enum { REGEX_GROUPS_MAX = 32 };
enum regex_flag { REGEX_CASELESS = 1, REGEX_MULTILINE = 2, REGEX_DOTALL = 4 };

struct regex_match {
	size_t count;                       /* groups including the whole match at 0 */
	struct str group[REGEX_GROUPS_MAX]; /* views into the subject; data NULL when the group took no part */
};

enum err_code regex_compile(struct str pattern, unsigned flags, struct regex **ret_regex, struct error *reterr) MUST_CHECK;
void regex_free(struct regex *r);

/* The first match at or after `from`. *ret_found false is a value, not an error. */
enum err_code regex_find(const struct regex *r, struct str subject, size_t from, bool *ret_found,
                         struct regex_match *ret_match, struct error *reterr) MUST_CHECK;

#endif
