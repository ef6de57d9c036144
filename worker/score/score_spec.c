#include "worker/score/score_spec.h"
#include "common/base/mem.h"
#include "worker/score/choice_text.h"
#include "worker/score/number.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { FIELD_BYTES = 120 };

/* ---- what each type may say ---- */

#define COMMON_KEYS "name", "type", "extract", "chance"

static const char *const exact_keys[] = { COMMON_KEYS, "normalize", NULL };
static const char *const includes_keys[] = { COMMON_KEYS, "normalize", "words", NULL };
static const char *const prefix_keys[] = { COMMON_KEYS, "normalize", NULL };
static const char *const regex_keys[] = { COMMON_KEYS, "normalize", "pattern", "flags", "full", NULL };
static const char *const numeric_keys[] = { COMMON_KEYS, "abs_tol", "rel_tol", "ignore", "find", NULL };
static const char *const choice_keys[] = { COMMON_KEYS, "choices", "letters", NULL };

static enum err_code parse_includes(const struct json *v, const char *field, struct score_spec *spec,
                                    struct error *reterr);
static enum err_code parse_regex(const struct json *v, const char *field, struct score_spec *spec,
                                 struct error *reterr);
static enum err_code parse_numeric(const struct json *v, const char *field, struct score_spec *spec,
                                   struct error *reterr);
static enum err_code parse_choice(const struct json *v, const char *field, struct score_spec *spec,
                                  struct error *reterr);

static const struct {
	const char *name;
	const char *const *keys;
	enum err_code (*parse)(const struct json *v, const char *field, struct score_spec *spec, struct error *reterr);
} types[SCORE_TYPE_COUNT] = {
	[SCORE_EXACT] = { "exact", exact_keys, NULL },
	[SCORE_INCLUDES] = { "includes", includes_keys, parse_includes },
	[SCORE_PREFIX] = { "prefix", prefix_keys, NULL },
	[SCORE_REGEX] = { "regex", regex_keys, parse_regex },
	[SCORE_NUMERIC] = { "numeric", numeric_keys, parse_numeric },
	[SCORE_CHOICE] = { "choice", choice_keys, parse_choice },
};

const char *score_type_name(enum score_type type)
{
	return (size_t)type < SCORE_TYPE_COUNT ? types[type].name : "?";
}

/* ---- single values ---- */

static enum err_code want(const char *field, const char *key, const char *what, const struct json *v,
                          struct error *reterr)
{
	return error_set(reterr, ERR_INVALID, "%s.%s must be %s, not %s", field, key, what,
	                 json_kind_name(json_kind(v)));
}

static enum err_code parse_bool(const struct json *v, const char *field, const char *key, bool *ret_value,
                                struct error *reterr)
{
	const struct json *member = json_get(v, key);
	if (json_kind(member) == JSON_ABSENT || json_bool(member, ret_value))
		return ERR_OK;
	return want(field, key, "true or false", member, reterr);
}

static enum err_code parse_number(const struct json *v, const char *field, const char *key, double max,
                                  double *ret_value, struct error *reterr)
{
	const struct json *member = json_get(v, key);
	double value;
	if (json_kind(member) == JSON_ABSENT)
		return ERR_OK;
	if (!json_num(member, &value))
		return want(field, key, "a number", member, reterr);
	if (!isfinite(value) || value < 0 || value > max)
		return error_set(reterr, ERR_INVALID, "%s.%s must be between 0 and %g, not %g", field, key, max, value);
	*ret_value = value;
	return ERR_OK;
}

/* Fails with the nearest of `names` (NULL-terminated), or with all of them. */
static enum err_code fail_unknown(const char *field, struct str name, const char *const *names, struct error *reterr)
{
	struct str shown = str_slice(name, 0, 60);
	struct buf all;
	buf_init(&all, 400);
	const char *nearest = NULL;
	unsigned least = 3; /* further off is no help */
	for (const char *const *n = names; *n; n++) {
		unsigned distance = str_distance(name, str_from(*n));
		if (distance < least) {
			least = distance;
			nearest = *n;
		}
		buf_printf(&all, "%s%s", n == names ? "" : ", ", *n);
	}
	enum err_code err;
	if (nearest)
		err = error_set(reterr, ERR_INVALID, "%s: '%.*s' is not known; did you mean '%s'?", field,
		                STR_ARG(shown), nearest);
	else
		err = error_set(reterr, ERR_INVALID, "%s: '%.*s' is not known; there are %.*s", field, STR_ARG(shown),
		                STR_ARG(buf_str(&all)));
	buf_done(&all);
	return err;
}

/* ---- parts that all types share ---- */

static enum err_code parse_type(const struct json *v, const char *field, struct score_spec *spec, struct error *reterr)
{
	const char *names[SCORE_TYPE_COUNT + 1] = { NULL };
	char inner[FIELD_BYTES];
	struct str name;
	if (!json_str(json_get(v, "type"), &name))
		return want(field, "type", "a text", json_get(v, "type"), reterr);
	for (size_t i = 0; i < SCORE_TYPE_COUNT; i++) {
		names[i] = types[i].name;
		if (!str_eq_c(name, types[i].name))
			continue;
		spec->type = (enum score_type)i;
		return ERR_OK;
	}
	(void)snprintf(inner, sizeof(inner), "%s.type", field);
	return fail_unknown(inner, name, names, reterr);
}

static enum err_code check_keys(const struct json *v, const char *field, const struct score_spec *spec,
                                struct error *reterr)
{
	const char *const *known = types[spec->type].keys;
	for (struct json_iter it = { 0 }; json_next(v, &it);) {
		const char *const *k = known;
		while (*k && !str_eq_c(it.key, *k))
			k++;
		if (*k)
			continue;
		if (str_eq_c(it.key, "normalize"))
			return error_set(reterr, ERR_INVALID,
			                 "%s.normalize is built into type %s and has no place here", field,
			                 types[spec->type].name);
		return fail_unknown(field, it.key, known, reterr);
	}
	return ERR_OK;
}

static enum err_code parse_name(const struct json *v, const char *field, struct score_spec *spec, struct error *reterr)
{
	struct str name = str_from(types[spec->type].name);
	const struct json *member = json_get(v, "name");
	if (json_kind(member) != JSON_ABSENT && !json_str(member, &name))
		return want(field, "name", "a text", member, reterr);
	bool clean = name.len > 0 && name.len <= SCORE_NAME_BYTES_MAX;
	for (size_t i = 0; clean && i < name.len; i++)
		clean = (name.data[i] >= '0' && name.data[i] <= '9') || (name.data[i] >= 'a' && name.data[i] <= 'z') ||
		        (name.data[i] >= 'A' && name.data[i] <= 'Z') || (name.data[i] && strchr("_.-", name.data[i]));
	if (!clean)
		return error_set(reterr, ERR_INVALID, "%s.name must have 1 to %d letters, digits, '_', '.' or '-'",
		                 field, SCORE_NAME_BYTES_MAX);
	memcpy(spec->name, name.data, name.len);
	return ERR_OK;
}

static enum err_code parse_normalize(const struct json *v, const char *field, struct score_spec *spec,
                                     struct error *reterr)
{
	const char *names[NORMALIZE_STEP_COUNT + 1] = { NULL };
	const struct json *list = json_get(v, "normalize");
	char inner[FIELD_BYTES];
	if (json_kind(list) == JSON_ABSENT) {
		spec->normalize[spec->normalize_count++] = NORMALIZE_TRIM;
		return ERR_OK;
	}
	if (json_kind(list) != JSON_ARRAY || json_len(list) > SCORE_STEPS_MAX)
		return error_set(reterr, ERR_INVALID, "%s.normalize must be a list of at most %d steps", field,
		                 SCORE_STEPS_MAX);
	for (size_t i = 0; i < NORMALIZE_STEP_COUNT; i++)
		names[i] = normalize_step_name((enum normalize_step)i);
	for (size_t i = 0; i < json_len(list); i++) {
		struct str name;
		(void)snprintf(inner, sizeof(inner), "%s.normalize[%zu]", field, i);
		if (!json_str(json_at(list, i), &name))
			return error_set(reterr, ERR_INVALID, "%s must be a step's name", inner);
		if (!normalize_step_from_name(name, &spec->normalize[i]))
			return fail_unknown(inner, name, names, reterr);
		spec->normalize_count = i + 1;
	}
	return ERR_OK;
}

static enum err_code parse_extract(const struct json *v, const char *field, struct score_spec *spec,
                                   struct error *reterr)
{
	const struct json *list = json_get(v, "extract");
	char inner[FIELD_BYTES];
	if (json_kind(list) == JSON_ABSENT)
		return ERR_OK;
	if (json_kind(list) != JSON_ARRAY || json_len(list) > SCORE_STEPS_MAX)
		return error_set(reterr, ERR_INVALID, "%s.extract must be a list of at most %d steps", field,
		                 SCORE_STEPS_MAX);
	for (size_t i = 0; i < json_len(list); i++) {
		(void)snprintf(inner, sizeof(inner), "%s.extract[%zu]", field, i);
		enum err_code err = extract_parse(json_at(list, i), inner, &spec->extract[i], reterr);
		if (err)
			return err;
		spec->extract_count = i + 1;
	}
	return ERR_OK;
}

/* ---- parts of one type ---- */

static enum err_code parse_includes(const struct json *v, const char *field, struct score_spec *spec,
                                    struct error *reterr)
{
	return parse_bool(v, field, "words", &spec->words, reterr);
}

static enum err_code parse_regex(const struct json *v, const char *field, struct score_spec *spec, struct error *reterr)
{
	const struct json *letters = json_get(v, "flags"), *pattern = json_get(v, "pattern");
	struct str text;
	if (json_kind(letters) != JSON_ABSENT &&
	    (!json_str(letters, &text) || !extract_regex_flags(text, &spec->regex_flags)))
		return error_set(reterr, ERR_INVALID, "%s.flags must hold letters of ims", field);
	enum err_code err = parse_bool(v, field, "full", &spec->full, reterr);
	if (err || json_kind(pattern) == JSON_ABSENT)
		return err;
	if (!json_str(pattern, &text))
		return want(field, "pattern", "a text", pattern, reterr);
	err = score_regex_compile(text, spec, &spec->regex, reterr);
	return err ? error_wrap(reterr, ERR_INVALID, "%s.pattern", field) : ERR_OK;
}

enum err_code score_regex_compile(struct str pattern, const struct score_spec *spec, struct regex **ret_regex,
                                  struct error *reterr)
{
	struct regex *sound = NULL;
	enum err_code err = regex_compile(pattern, spec->regex_flags, &sound, reterr);
	if (err)
		return err;
	if (!spec->full) {
		*ret_regex = sound;
		return ERR_OK;
	}
	regex_free(sound); /* by itself it is sound, so no bracket of its own can close ours */
	struct buf whole;
	buf_init(&whole, REGEX_PATTERN_BYTES_MAX);
	buf_append_c(&whole, "\\A(?:");
	buf_append_str(&whole, pattern);
	buf_append_c(&whole, ")\\z");
	err = whole.failed ? error_set(reterr, ERR_LIMIT, "pattern: over %d bytes", REGEX_PATTERN_BYTES_MAX - 8)
	                   : regex_compile(buf_str(&whole), spec->regex_flags, ret_regex, reterr);
	buf_done(&whole);
	return err;
}

static enum err_code parse_ignore(const struct json *list, const char *field, struct score_spec *spec,
                                  struct error *reterr)
{
	static const char *const names[] = { "commas", "currency", "percent", "units", NULL };
	char inner[FIELD_BYTES];
	if (json_kind(list) == JSON_ABSENT)
		return ERR_OK;
	if (json_kind(list) != JSON_ARRAY)
		return error_set(reterr, ERR_INVALID, "%s.ignore must be a list", field);
	spec->ignore = 0;
	for (size_t i = 0; i < json_len(list); i++) {
		struct str name;
		size_t bit = 0;
		(void)snprintf(inner, sizeof(inner), "%s.ignore[%zu]", field, i);
		if (!json_str(json_at(list, i), &name))
			return error_set(reterr, ERR_INVALID, "%s must be a text", inner);
		while (names[bit] && !str_eq_c(name, names[bit]))
			bit++;
		if (!names[bit])
			return fail_unknown(inner, name, names, reterr);
		spec->ignore |= 1u << bit;
	}
	return ERR_OK;
}

static enum err_code parse_numeric(const struct json *v, const char *field, struct score_spec *spec,
                                   struct error *reterr)
{
	static const char *const finds[] = { "last", "first", "only", NULL };
	const struct json *find = json_get(v, "find");
	struct str name = STR("last");
	char inner[FIELD_BYTES];
	size_t i = 0;
	spec->ignore = NUMBER_COMMAS | NUMBER_CURRENCY | NUMBER_PERCENT | NUMBER_UNITS;
	if (json_kind(find) != JSON_ABSENT && !json_str(find, &name))
		return want(field, "find", "a text", find, reterr);
	while (finds[i] && !str_eq_c(name, finds[i]))
		i++;
	(void)snprintf(inner, sizeof(inner), "%s.find", field);
	if (!finds[i])
		return fail_unknown(inner, name, finds, reterr);
	spec->find = (enum score_find)i;
	enum err_code err = parse_number(v, field, "abs_tol", INFINITY, &spec->abs_tol, reterr);
	if (!err)
		err = parse_number(v, field, "rel_tol", 1, &spec->rel_tol, reterr);
	return err ? err : parse_ignore(json_get(v, "ignore"), field, spec, reterr);
}

static enum err_code copy_choices(const struct json *list, const char *field, struct score_spec *spec,
                                  struct error *reterr)
{
	spec->choices = mem_try_new(json_len(list), sizeof(*spec->choices));
	if (!spec->choices)
		return error_set(reterr, ERR_NOMEM, "%s.choices", field);
	for (size_t i = 0; i < json_len(list); i++) {
		struct str text;
		if (!json_str(json_at(list, i), &text))
			return error_set(reterr, ERR_INVALID, "%s.choices[%zu] must be a text, not %s", field, i,
			                 json_kind_name(json_kind(json_at(list, i))));
		char *copy = mem_try_new(text.len + 1, 1);
		if (!copy)
			return error_set(reterr, ERR_NOMEM, "%s.choices", field);
		memcpy(copy, text.data, text.len);
		spec->choices[i] = str_make(copy, text.len);
	}
	return ERR_OK;
}

static enum err_code parse_choice(const struct json *v, const char *field, struct score_spec *spec,
                                  struct error *reterr)
{
	const struct json *choices = json_get(v, "choices");
	int64_t number = 0;
	bool is_list = json_kind(choices) == JSON_ARRAY;
	spec->letters = true;
	enum err_code err = parse_bool(v, field, "letters", &spec->letters, reterr);
	if (err || json_kind(choices) == JSON_ABSENT)
		return err;
	if (!is_list && !json_i64(choices, &number))
		return want(field, "choices", "a list of texts or their number", choices, reterr);
	int64_t count = is_list ? (int64_t)json_len(choices) : number;
	if (count < 2 || count > SCORE_CHOICES_MAX)
		return error_set(reterr, ERR_INVALID, "%s.choices must be 2 to %d, not %lld", field, SCORE_CHOICES_MAX,
		                 (long long)count);
	if (!is_list && (count > CHOICE_LETTERS_MAX || !spec->letters))
		return error_set(reterr, ERR_INVALID,
		                 "%s.choices must be a list of texts%s: without texts only letters can be read", field,
		                 spec->letters ? " when there are over 26" : " when letters is false");
	spec->choice_count = (size_t)count;
	return is_list ? copy_choices(choices, field, spec, reterr) : ERR_OK;
}

/* ---- all of it ---- */

static enum err_code parse_members(const struct json *v, const char *field, struct score_spec *spec,
                                   struct error *reterr)
{
	enum err_code err = parse_type(v, field, spec, reterr);
	if (!err)
		err = check_keys(v, field, spec, reterr);
	if (!err)
		err = parse_name(v, field, spec, reterr);
	if (!err)
		err = parse_normalize(v, field, spec, reterr);
	if (!err)
		err = parse_extract(v, field, spec, reterr);
	spec->has_chance = json_kind(json_get(v, "chance")) != JSON_ABSENT;
	if (!err)
		err = parse_number(v, field, "chance", 1, &spec->chance, reterr);
	if (!err && types[spec->type].parse)
		err = types[spec->type].parse(v, field, spec, reterr);
	return err;
}

enum err_code score_spec_parse(const struct json *v, const char *field, struct score_spec *ret_spec,
                               struct error *reterr)
{
	struct score_spec spec = { .type = SCORE_EXACT };
	if (json_kind(v) != JSON_OBJECT)
		return error_set(reterr, ERR_INVALID, "%s must be an object, not %s", field,
		                 json_kind_name(json_kind(v)));
	enum err_code err = parse_members(v, field, &spec, reterr);
	if (err) {
		score_spec_done(&spec);
		return err;
	}
	*ret_spec = spec;
	return ERR_OK;
}

void score_spec_done(struct score_spec *spec)
{
	for (size_t i = 0; i < SCORE_STEPS_MAX; i++)
		extract_done(&spec->extract[i]);
	regex_free(spec->regex);
	for (size_t i = 0; spec->choices && i < spec->choice_count; i++)
		mem_free((void *)(uintptr_t)spec->choices[i].data); /* our own copy, behind a view's const */
	mem_free(spec->choices);
	spec->regex = NULL;
	spec->choices = NULL;
}
