/* worker/score/score_spec.h - one scorer as the suite describes it, checked and compiled. Private to this folder.
 *
 * Owns its patterns, texts and steps; score_spec_done() takes a half-built one. Never changes once parsed. */
#ifndef ASSAY_SCORE_SCORE_SPEC_H
#define ASSAY_SCORE_SCORE_SPEC_H

#include "worker/score/extract.h"
#include "worker/score/normalize.h"

enum { SCORE_STEPS_MAX = 16, SCORE_CHOICES_MAX = 1000, SCORE_NAME_BYTES_MAX = 64 };

enum score_type {
	SCORE_EXACT,
	SCORE_INCLUDES,
	SCORE_PREFIX,
	SCORE_REGEX,
	SCORE_NUMERIC,
	SCORE_CHOICE,
	SCORE_TYPE_COUNT
};

struct score_spec {
	char name[SCORE_NAME_BYTES_MAX + 1];
	enum score_type type;
	enum normalize_step normalize[SCORE_STEPS_MAX];
	size_t normalize_count;
	struct extract_step extract[SCORE_STEPS_MAX];
	size_t extract_count;
	bool has_chance;
	double chance;

	bool words;          /* includes: whole words only */
	struct regex *regex; /* regex: NULL when the target is the pattern */
	unsigned regex_flags;
	bool full;               /* regex: the whole answer must match */
	double abs_tol, rel_tol; /* numeric */
	unsigned ignore;         /* numeric: enum number_ignore */
	enum score_find { SCORE_FIND_LAST, SCORE_FIND_FIRST, SCORE_FIND_ONLY } find;
	bool letters;        /* choice */
	struct str *choices; /* choice: texts, or NULL */
	size_t choice_count; /* choice: 0 when only the item knows */
};

/* `field` names the scorer in errors ("scores[1]"). */
enum err_code score_spec_parse(const struct json *v, const char *field, struct score_spec *ret_spec,
                               struct error *reterr) MUST_CHECK;
void score_spec_done(struct score_spec *spec);

/* The pattern of a regex scorer with the scorer's flags; anchored at both ends when it is `full`. */
enum err_code score_regex_compile(struct str pattern, const struct score_spec *spec, struct regex **ret_regex,
                                  struct error *reterr) MUST_CHECK;
const char *score_type_name(enum score_type type);

#endif
