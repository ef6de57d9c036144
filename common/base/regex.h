/* common/base/regex.h - Perl-style patterns with bounded work: PCRE2's interpreter under match, depth and heap limits.
 *
 * The only file pair that includes pcre2. UTF mode, so that \w, \d, \b and caseless go by Unicode; the subject must be
 * valid UTF-8 (unicode_repair first), else ERR_INVALID. PCRE2 counts its match limit anew at every start position, so
 * steps are also counted over the whole search. Running into a limit is ERR_LIMIT, never "no match". A compiled
 * pattern may be shared by threads. */
#ifndef ASSAY_BASE_REGEX_H
#define ASSAY_BASE_REGEX_H

#include "common/base/error.h"
#include "common/base/str.h"

struct regex;

enum { REGEX_GROUPS_MAX = 32, REGEX_PATTERN_BYTES_MAX = 16384 };
enum regex_flag { REGEX_CASELESS = 1, REGEX_MULTILINE = 2, REGEX_DOTALL = 4 };

struct regex_match {
	size_t count;                       /* groups of the pattern, with the whole match at 0 */
	struct str group[REGEX_GROUPS_MAX]; /* views into the subject; data NULL when the group took no part */
};

/* Errors name the column. More groups or bytes than the maxima are ERR_LIMIT. */
enum err_code regex_compile(struct str pattern, unsigned flags, struct regex **ret_regex,
                            struct error *reterr) MUST_CHECK;
void regex_free(struct regex *r);                /* accepts NULL */
size_t regex_group_count(const struct regex *r); /* with the whole match: 1 for a pattern without groups */

/* The first match at or after byte `from`. *ret_found false is a value, not an error. */
enum err_code regex_find(const struct regex *r, struct str subject, size_t from, bool *ret_found,
                         struct regex_match *ret_match, struct error *reterr) MUST_CHECK;

/* Where to go on for the next match; over subject.len when there is no place left. Steps on after an empty match. */
size_t regex_after(struct str subject, const struct regex_match *match);

#endif
