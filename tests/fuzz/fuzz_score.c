// libs: score
/* Whatever scorers compile give each answer a value of 0 or 1 or a reason, in valid UTF-8 and in bounds, and the same
 * when asked again. Input: the scores as JSON, an empty line, the item as JSON, an empty line, the answer. */
#include "common/base/unicode.h"
#include "tests/fuzz/fuzz.h"
#include "worker/score/score.h"

static void check_score(const struct score *s)
{
	check(s->has_value ? (s->value == 0 || s->value == 1) && s->reason.len == 0 : s->reason.len > 0);
	check(unicode_valid(s->extracted) && unicode_valid(s->explanation));
	check(s->extracted.len <= SCORE_EXTRACTED_BYTES_MAX && s->explanation.len <= SCORE_EXPLANATION_BYTES_MAX);
}

static void apply_all(const struct score_set *set, const struct json *item, struct str answer)
{
	struct score_item what = { json_get(item, "target"), json_get(item, "choices"), json_get(item, "metadata") };
	struct arena arena;
	arena_init(&arena, 1 << 22);
	for (size_t i = 0; i < score_count(set) && i < 4; i++) {
		struct score s, again;
		double chance;
		score_apply(set, i, answer, &what, &arena, &s);
		check_score(&s);
		score_apply(set, i, answer, &what, &arena, &again);
		check(s.has_value == again.has_value && str_eq(s.extracted, again.extracted));
		check(!s.has_value || s.value == again.value);
		check(!score_chance(set, i, 4, &chance) || (chance >= 0 && chance <= 1));
	}
	(void)score_refused(answer); /* must merely end */
	arena_done(&arena);
}

static struct str take_part(struct str *rest)
{
	ptrdiff_t blank = str_find(*rest, STR("\n\n"));
	size_t end = blank < 0 ? rest->len : (size_t)blank;
	struct str part = str_slice(*rest, 0, end);
	*rest = str_slice(*rest, blank < 0 ? end : end + 2, rest->len);
	return part;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct str rest = str_make(data, len), scores = take_part(&rest), item = take_part(&rest);
	struct json_doc *scores_doc = NULL, *item_doc = NULL;
	struct score_set *set = NULL;
	struct error error;
	json_start();
	if (json_parse(scores, &scores_doc, NULL) == ERR_OK && json_parse(item, &item_doc, NULL) == ERR_OK &&
	    score_compile(json_root(scores_doc), &set, &error) == ERR_OK)
		apply_all(set, json_root(item_doc), rest);
	score_free(set);
	json_free(scores_doc);
	json_free(item_doc);
	return 0;
}
