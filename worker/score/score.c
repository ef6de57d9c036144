#include "worker/score/score.h"
#include "common/base/check.h"
#include "common/base/mem.h"
#include "worker/score/refusal.h"
#include "worker/score/score_apply.h"
#include "worker/score/score_spec.h"
#include <stdio.h>

struct score_set {
	size_t count;
	struct score_spec specs[SCORE_COUNT_MAX];
};

static enum err_code check_name(const struct score_set *set, const char *field, struct error *reterr)
{
	for (size_t i = 0; i < set->count; i++)
		if (str_eq_c(str_from(set->specs[i].name), set->specs[set->count].name))
			return error_set(reterr, ERR_INVALID, "%s.name '%s' is taken by scores[%zu]", field,
			                 set->specs[i].name, i);
	return ERR_OK;
}

static enum err_code compile_all(const struct json *scores, struct score_set *set, struct error *reterr)
{
	char field[40];
	for (size_t i = 0; i < json_len(scores); i++) {
		(void)snprintf(field, sizeof(field), "scores[%zu]", i);
		enum err_code err = score_spec_parse(json_at(scores, i), field, &set->specs[i], reterr);
		if (!err)
			err = check_name(set, field, reterr);
		if (err)
			return err;
		set->count = i + 1;
	}
	return ERR_OK;
}

enum err_code score_compile(const struct json *scores, struct score_set **ret_set, struct error *reterr)
{
	if (json_kind(scores) != JSON_ARRAY)
		return error_set(reterr, ERR_INVALID, "scores must be a list, not %s",
		                 json_kind_name(json_kind(scores)));
	if (json_len(scores) == 0 || json_len(scores) > SCORE_COUNT_MAX)
		return error_set(reterr, ERR_INVALID, "scores must hold 1 to %d scorers, not %zu", SCORE_COUNT_MAX,
		                 json_len(scores));
	struct score_set *set = mem_try_new(1, sizeof(*set));
	if (!set)
		return error_set(reterr, ERR_NOMEM, "scores");
	enum err_code err = compile_all(scores, set, reterr);
	if (err) {
		score_free(set);
		return err;
	}
	*ret_set = set;
	return ERR_OK;
}

void score_free(struct score_set *set)
{
	if (!set)
		return;
	for (size_t i = 0; i < SCORE_COUNT_MAX; i++)
		score_spec_done(&set->specs[i]);
	mem_free(set);
}

size_t score_count(const struct score_set *set)
{
	return set->count;
}

static const struct score_spec *spec_at(const struct score_set *set, size_t i)
{
	check_msg(i < set->count, "scorer %zu of %zu", i, set->count);
	return &set->specs[i];
}

struct str score_name(const struct score_set *set, size_t i)
{
	return str_from(spec_at(set, i)->name);
}

struct str score_type(const struct score_set *set, size_t i)
{
	return str_from(score_type_name(spec_at(set, i)->type));
}

bool score_chance(const struct score_set *set, size_t i, size_t item_choices, double *ret_chance)
{
	const struct score_spec *spec = spec_at(set, i);
	size_t choices = item_choices ? item_choices : spec->choice_count;
	if (spec->has_chance)
		*ret_chance = spec->chance;
	else if (spec->type == SCORE_CHOICE && choices)
		*ret_chance = 1 / (double)choices;
	else
		return false;
	return true;
}

void score_apply(const struct score_set *set, size_t i, struct str response, const struct score_item *item,
                 struct arena *a, struct score *ret_score)
{
	score_apply_spec(spec_at(set, i), response, item, a, ret_score);
}

bool score_refused(struct str response)
{
	return refusal_opens(response);
}
