/* worker/score/extract.h - steps that take the answer out of what surrounds it, before it is scored.
 *
 *   {regex: {pattern, group, flags, match}}  a group (default 1 if the pattern has groups, else 0) of the first or last
 *                match; flags of "ims"
 *   {strip: CHARS}  these characters off both ends
 *   first        the first line that is not blank; {first: word} the first word
 *   last_number  the last number, as number.h finds it
 *   fence        the inside of the first ``` block; text without a fence stays as it is; {fence: last}
 * `vote` is reserved and refused: it chooses among several answers, and a sample has one. A result is a view into the
 * text. A step owns its pattern. Compiled steps never change: any thread may apply them. */
#ifndef ASSAY_SCORE_EXTRACT_H
#define ASSAY_SCORE_EXTRACT_H

#include "common/base/error.h"
#include "common/base/json.h"
#include "common/base/regex.h"

enum extract_kind {
	EXTRACT_REGEX,
	EXTRACT_STRIP,
	EXTRACT_FIRST_LINE,
	EXTRACT_FIRST_WORD,
	EXTRACT_LAST_NUMBER,
	EXTRACT_FENCE,
};

struct extract_step {
	enum extract_kind kind;
	struct regex *regex;
	size_t group;
	bool last;   /* regex, fence */
	char *chars; /* strip */
	size_t chars_len;
};

enum extract_result { EXTRACT_FOUND, EXTRACT_NOTHING, EXTRACT_LIMIT /* the pattern was given up */ };

/* `field` names the step in errors ("scores[0].extract[1]"). */
enum err_code extract_parse(const struct json *v, const char *field, struct extract_step *ret_step,
                            struct error *reterr) MUST_CHECK;
void extract_done(struct extract_step *step); /* accepts a zeroed one */

/* text must be valid UTF-8. EXTRACT_LIMIT sets reterr. */
enum extract_result extract_apply(const struct extract_step *step, struct str text, struct str *ret_text,
                                  struct error *reterr);
const char *extract_kind_name(enum extract_kind kind);

/* Flags of a pattern: letters of "ims"; false on any other. Shared with the regex scorer. */
bool extract_regex_flags(struct str letters, unsigned *ret_flags);

#endif
