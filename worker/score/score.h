/* worker/score/score.h - a suite's scorers: compiled once a run, applied to each answer.
 *
 * A score is a value or a reason why there is none, never a NaN. An answer that does not follow the format (no number
 * where a number was asked, two choices named) is the model's fault and scores 0 with an explanation; a scorer that
 * cannot do its work (a pattern that hits its limit, an item without a target) gives no value and a reason.
 * Equal input gives equal output. A compiled set never changes: any number of threads may apply it. README.md has the
 * options of each type and the rules by which a choice is read. */
#ifndef ASSAY_SCORE_SCORE_H
#define ASSAY_SCORE_SCORE_H

#include "common/base/arena.h"
#include "common/base/error.h"
#include "common/base/json.h"

struct score_set;

enum {
	SCORE_COUNT_MAX = 32,
	SCORE_EXPLANATION_BYTES_MAX = 400,
	SCORE_EXTRACTED_BYTES_MAX = 2000,
	SCORE_TEXT_BYTES_MAX = 16 << 20
};

struct score_item {                 /* what the item says; borrowed; NULL where it says nothing */
	const struct json *target;  /* text, number or boolean, or a list of these: any of them will do */
	const struct json *choices; /* list of text */
	const struct json *metadata;
};

struct score { /* text lives in the arena, reason is static */
	bool has_value;
	double value;      /* finite when has_value */
	struct str reason; /* "regex_limit", "no_target", "bad_target", "no_choices", "too_long"; empty with a value */
	struct str extracted;   /* what was compared, as found in the answer; empty when nothing was found */
	struct str explanation; /* one line for people; may be empty */
};

/* `scores`: the suite's list. Errors are ERR_INVALID and name the place ("scores[1].extract[0].regex: ..."). */
enum err_code score_compile(const struct json *scores, struct score_set **ret_set, struct error *reterr) MUST_CHECK;
void score_free(struct score_set *set); /* accepts NULL */

size_t score_count(const struct score_set *set);
struct str score_name(const struct score_set *set, size_t i); /* i must be below the count; same below */
struct str score_type(const struct score_set *set, size_t i);

/* The chance level: what the suite says, else 1/choices for `choice`. item_choices: the item's own number, 0 for none.
 * False: not known. */
bool score_chance(const struct score_set *set, size_t i, size_t item_choices, double *ret_chance);

/* Scores one answer with scorer i. The answer may hold any bytes. */
void score_apply(const struct score_set *set, size_t i, struct str response, const struct score_item *item,
                 struct arena *a, struct score *ret_score);

/* Does the answer open like a refusal in English ("I'm sorry, but I can't ...")? A flag for counting, never a score. */
bool score_refused(struct str response);

#endif
