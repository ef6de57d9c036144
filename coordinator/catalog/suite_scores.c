#include "common/base/regex.h"
#include "coordinator/catalog/suite_parts.h"
#include "coordinator/catalog/words.h"

enum { STEPS_MAX = 16, NAME_BYTES_MAX = 64, KEYS_MAX = 16, LETTERS = 26 };

/* What an option holds. */
enum option_kind {
	OPTION_FLAG,
	OPTION_SHARE,   /* 0 to 1 */
	OPTION_AMOUNT,  /* at least 0 */
	OPTION_STEPS,   /* list of normalisation steps */
	OPTION_IGNORE,  /* list of what a number may be dressed in */
	OPTION_FIND,    /* which number */
	OPTION_PATTERN, /* with its flags */
	OPTION_FLAGS,
	OPTION_CHOICES, /* list of texts, or their number */
};

struct option {
	const char *key;
	enum option_kind kind;
};

enum { TARGET_NO = 0, TARGET_YES, TARGET_UNLESS_PATTERN };

static const struct option exact_options[] = { { "normalize", OPTION_STEPS }, { NULL, OPTION_FLAG } };
static const struct option includes_options[] = { { "normalize", OPTION_STEPS },
	                                          { "words", OPTION_FLAG },
	                                          { NULL, OPTION_FLAG } };
static const struct option regex_options[] = { { "normalize", OPTION_STEPS },
	                                       { "flags", OPTION_FLAGS },
	                                       { "pattern", OPTION_PATTERN },
	                                       { "full", OPTION_FLAG },
	                                       { NULL, OPTION_FLAG } };
static const struct option numeric_options[] = { { "abs_tol", OPTION_AMOUNT },
	                                         { "rel_tol", OPTION_SHARE },
	                                         { "ignore", OPTION_IGNORE },
	                                         { "find", OPTION_FIND },
	                                         { NULL, OPTION_FLAG } };
static const struct option choice_options[] = { { "choices", OPTION_CHOICES },
	                                        { "letters", OPTION_FLAG },
	                                        { NULL, OPTION_FLAG } };

static const struct type {
	const char *name;
	const struct option *options;
	int needs_target;
} types[] = {
	{ "exact", exact_options, TARGET_YES },     { "includes", includes_options, TARGET_YES },
	{ "prefix", exact_options, TARGET_YES },    { "regex", regex_options, TARGET_UNLESS_PATTERN },
	{ "numeric", numeric_options, TARGET_YES }, { "choice", choice_options, TARGET_YES },
};
static const char *const type_names[] = { "exact", "includes", "prefix", "regex", "numeric", "choice", NULL };

/* Names that people know and that this version has no scorer for: better said here than at the first answer. */
static const char *const absent_types[] = { "choice_logprob", "f1",         "bleu",        "chrf",       "rouge_l",
	                                    "levenshtein",    "json_equal", "json_schema", "tool_calls", "code",
	                                    "judge",          "pairwise",   "command",     NULL };

static const struct type *find_type(struct str name) /* one of type_names */
{
	size_t i = 0;
	while (i + 1 < ARRAY_LEN(types) && !str_eq_c(name, types[i].name))
		i++;
	return &types[i];
}

static enum err_code read_type(struct suite_reader *r, const struct yaml *v, const char *field,
                               const struct type **ret_type)
{
	const char *inner;
	const struct yaml *node = yaml_get(v, "type");
	struct str name;
	inner = suite_field(r, "%s.type", field);
	enum err_code err = yaml_want_str(r->doc, node, inner, &name, r->reterr);
	if (!err && words_has(absent_types, name))
		return yaml_fail(r->doc, node, r->reterr,
		                 "%s: this version has no scorer '%.*s'; it has exact, includes, "
		                 "prefix, regex, numeric and choice",
		                 inner, STR_ARG(name));
	if (!err)
		err = suite_want_word(r, node, inner, type_names, &name);
	if (!err)
		*ret_type = find_type(name);
	return err;
}

/* ---- options ---- */

static enum err_code read_words(struct suite_reader *r, const struct yaml *list, const char *field,
                                const char *const *known)
{
	enum err_code err = yaml_want_list(r->doc, list, field, r->reterr);
	if (!err && list->len > STEPS_MAX)
		err = yaml_fail(r->doc, list, r->reterr, "%s must hold at most %d", field, STEPS_MAX);
	if (err)
		return err;
	json_write_array(&r->w);
	for (size_t i = 0; i < list->len; i++) {
		const char *inner;
		struct str word;
		inner = suite_field(r, "%s[%zu]", field, i);
		err = suite_want_word(r, list->items[i], inner, known, &word);
		if (err)
			return err;
		json_write_str(&r->w, word);
	}
	json_write_array_end(&r->w);
	return ERR_OK;
}

static enum err_code read_choice_list(struct suite_reader *r, const struct yaml *list, const char *field)
{
	struct str *texts = arena_new(&r->s->arena, list->len, sizeof(*texts));
	json_write_array(&r->w);
	for (size_t i = 0; i < list->len; i++) {
		struct str text;
		enum err_code err = yaml_want_str(r->doc, list->items[i], field, &text, r->reterr);
		if (err)
			return err;
		if (str_trim(text).len == 0)
			return yaml_fail(r->doc, list->items[i], r->reterr, "%s must not hold an empty text", field);
		for (size_t other = 0; other < i; other++)
			if (str_eq(texts[other], text))
				return yaml_fail(r->doc, list->items[i], r->reterr, "%s holds '%.*s' twice", field,
				                 (int)MIN_OF(text.len, (size_t)60), text.data);
		texts[i] = arena_str(&r->s->arena, text);
		json_write_str(&r->w, text);
	}
	json_write_array_end(&r->w);
	r->rules.choice_texts = texts;
	r->rules.choice_count = list->len;
	return ERR_OK;
}

static enum err_code read_choices(struct suite_reader *r, const struct yaml *v, const struct yaml *letters_node,
                                  const char *field)
{
	int64_t count;
	bool letters = true;
	if (v->kind == YAML_LIST && (v->len < 2 || v->len > SUITE_ITEM_CHOICES_MAX))
		return yaml_fail(r->doc, v, r->reterr, "%s must be 2 to %d, not %zu", field, SUITE_ITEM_CHOICES_MAX,
		                 v->len);
	if (v->kind == YAML_LIST)
		return read_choice_list(r, v, field);
	enum err_code err = yaml_want_i64(r->doc, v, field, 2, SUITE_ITEM_CHOICES_MAX, &count, r->reterr);
	if (!err && letters_node)
		err = yaml_want_bool(r->doc, letters_node, "letters", &letters, r->reterr);
	if (!err && (count > LETTERS || !letters))
		err = yaml_fail(r->doc, v, r->reterr,
		                "%s must be a list of texts%s: without texts only letters can be read", field,
		                letters ? " when there are over 26" : " when letters is false");
	if (err)
		return err;
	json_write_i64(&r->w, count);
	r->rules.choice_count = (size_t)count;
	return ERR_OK;
}

static enum err_code read_pattern(struct suite_reader *r, const struct yaml *v, const struct yaml *flags_node,
                                  const char *field)
{
	struct str pattern, letters = STR("");
	struct error wrong = { .text = "" };
	struct regex *regex;
	unsigned flags = 0;
	enum err_code err = yaml_want_str(r->doc, v, field, &pattern, r->reterr);
	if (!err && flags_node)
		err = yaml_want_str(r->doc, flags_node, "flags", &letters, r->reterr);
	if (err)
		return err;
	(void)suite_regex_flags(letters, &flags); /* checked where the flags are read */
	if (regex_compile(pattern, flags, &regex, &wrong) != ERR_OK)
		return yaml_fail(r->doc, v, r->reterr, "%s: %s", field, wrong.text);
	regex_free(regex);
	json_write_str(&r->w, pattern);
	return ERR_OK;
}

static enum err_code read_flags(struct suite_reader *r, const struct yaml *v, const char *field)
{
	struct str letters;
	unsigned flags = 0;
	enum err_code err = yaml_want_str(r->doc, v, field, &letters, r->reterr);
	if (!err && !suite_regex_flags(letters, &flags))
		err = yaml_fail(r->doc, v, r->reterr, "%s must hold letters of ims", field);
	if (!err)
		json_write_str(&r->w, letters);
	return err;
}

static enum err_code read_truth(struct suite_reader *r, const struct yaml *v, const char *field)
{
	bool truth;
	enum err_code err = yaml_want_bool(r->doc, v, field, &truth, r->reterr);
	if (!err)
		json_write_bool(&r->w, truth);
	return err;
}

static enum err_code read_number(struct suite_reader *r, const struct yaml *v, const char *field, double max)
{
	double value;
	enum err_code err = yaml_want_num(r->doc, v, field, 0, max, &value, r->reterr);
	if (!err)
		json_write_num(&r->w, value);
	return err;
}

static enum err_code read_option(struct suite_reader *r, const struct yaml *score, const struct option *o,
                                 const char *field)
{
	static const char *const steps[] = { "trim",           "casefold",       "nfkc", "strip_punctuation",
		                             "collapse_space", "strip_articles", NULL };
	static const char *const dresses[] = { "commas", "currency", "percent", "units", NULL };
	static const char *const finds[] = { "last", "first", "only", NULL };
	const struct yaml *v = yaml_get(score, o->key);
	struct str word = STR("");
	enum err_code err;
	switch (o->kind) {
	case OPTION_FLAG:
		return read_truth(r, v, field);
	case OPTION_SHARE:
		return read_number(r, v, field, 1);
	case OPTION_AMOUNT:
		return read_number(r, v, field, 1e300);
	case OPTION_STEPS:
		return read_words(r, v, field, steps);
	case OPTION_IGNORE:
		return read_words(r, v, field, dresses);
	case OPTION_FIND:
		err = suite_want_word(r, v, field, finds, &word);
		if (!err)
			json_write_str(&r->w, word);
		return err;
	case OPTION_PATTERN:
		return read_pattern(r, v, yaml_get(score, "flags"), field);
	case OPTION_FLAGS:
		return read_flags(r, v, field);
	case OPTION_CHOICES:
		return read_choices(r, v, yaml_get(score, "letters"), field);
	}
	return ERR_OK;
}

static enum err_code read_options(struct suite_reader *r, const struct yaml *v, const struct type *type,
                                  const char *field)
{
	for (const struct option *o = type->options; o->key; o++) {
		const char *inner;
		if (!yaml_get(v, o->key))
			continue;
		inner = suite_field(r, "%s.%s", field, o->key);
		json_write_key(&r->w, o->key);
		enum err_code err = read_option(r, v, o, inner);
		if (err)
			return err;
	}
	return ERR_OK;
}

static enum err_code read_extract(struct suite_reader *r, const struct yaml *list, const char *field)
{
	const char *inner;
	inner = suite_field(r, "%s.extract", field);
	enum err_code err = yaml_want_list(r->doc, list, inner, r->reterr);
	if (!err && list->len > STEPS_MAX)
		err = yaml_fail(r->doc, list, r->reterr, "%s must hold at most %d steps", inner, STEPS_MAX);
	if (err)
		return err;
	json_write_key(&r->w, "extract");
	json_write_array(&r->w);
	for (size_t i = 0; i < list->len; i++) {
		inner = suite_field(r, "%s.extract[%zu]", field, i);
		err = suite_extract_read(r, list->items[i], inner);
		if (err)
			return err;
	}
	json_write_array_end(&r->w);
	return ERR_OK;
}

/* ---- one score ---- */

static enum err_code check_keys(struct suite_reader *r, const struct yaml *v, const struct type *type,
                                const char *field)
{
	const char *keys[KEYS_MAX] = { "name", "type", "extract", "chance" };
	size_t count = 4;
	for (const struct option *o = type->options; o->key; o++)
		keys[count++] = o->key;
	return yaml_only_keys(r->doc, v, field, keys, r->reterr);
}

static enum err_code read_name(struct suite_reader *r, const struct yaml *v, const struct type *type, const char *field)
{
	struct suite *s = r->s;
	const struct yaml *node = yaml_get(v, "name");
	struct str name = str_from(type->name);
	const char *inner;
	inner = suite_field(r, "%s.name", field);
	enum err_code err = node ? yaml_want_str(r->doc, node, inner, &name, r->reterr) : ERR_OK;
	if (!err && !words_is_name(name, "._-", NAME_BYTES_MAX))
		err = yaml_fail(r->doc, node, r->reterr, "%s must have 1 to %d letters, digits, '.', '_' or '-'", inner,
		                NAME_BYTES_MAX);
	for (size_t i = 0; i < s->metric_count && !err; i++)
		if (str_eq(s->metrics[i], name))
			err = yaml_fail(r->doc, node ? node : v, r->reterr, "%s: scores[%zu] is called '%.*s' already",
			                inner, i, STR_ARG(name));
	if (err)
		return err;
	s->metrics[s->metric_count++] = arena_str(&s->arena, name);
	json_write_field_str(&r->w, "name", name);
	json_write_field_c(&r->w, "type", type->name);
	return ERR_OK;
}

static enum err_code note_rules(struct suite_reader *r, const struct yaml *v, const struct type *type)
{
	struct suite *s = r->s;
	bool needs = type->needs_target == TARGET_YES ||
	             (type->needs_target == TARGET_UNLESS_PATTERN && !yaml_get(v, "pattern"));
	const char *name = arena_c_str(&s->arena, s->metrics[s->metric_count - 1]);
	if (needs && !r->rules.target_user)
		r->rules.target_user = name;
	if (type->options != choice_options || r->rules.choice_user)
		return ERR_OK;
	r->rules.choice_user = name;
	r->rules.choice_letters = true;
	if (!yaml_get(v, "letters"))
		return ERR_OK;
	return yaml_want_bool(r->doc, yaml_get(v, "letters"), "letters", &r->rules.choice_letters, r->reterr);
}

static enum err_code read_score(struct suite_reader *r, const struct yaml *v, size_t i)
{
	const char *field, *inner;
	const struct type *type = &types[0];
	field = suite_field(r, "scores[%zu]", i);
	enum err_code err = yaml_want_map(r->doc, v, field, r->reterr);
	if (!err)
		err = read_type(r, v, field, &type);
	if (!err)
		err = check_keys(r, v, type, field);
	if (err)
		return err;
	json_write_object(&r->w);
	err = read_name(r, v, type, field);
	if (!err)
		err = note_rules(r, v, type);
	if (!err && yaml_get(v, "chance")) {
		inner = suite_field(r, "%s.chance", field);
		json_write_key(&r->w, "chance");
		err = read_number(r, yaml_get(v, "chance"), inner, 1);
	}
	if (!err && yaml_get(v, "extract"))
		err = read_extract(r, yaml_get(v, "extract"), field);
	if (!err)
		err = read_options(r, v, type, field);
	if (!err)
		json_write_object_end(&r->w);
	return err;
}

enum err_code suite_scores_read(struct suite_reader *r, const struct yaml *v)
{
	enum err_code err = yaml_want_list(r->doc, v, "scores", r->reterr);
	if (err)
		return err;
	if (v->len == 0 || v->len > SUITE_SCORES_MAX)
		return yaml_fail(r->doc, v, r->reterr, "scores must hold 1 to %d scorers, not %zu", SUITE_SCORES_MAX,
		                 v->len);
	r->s->metrics = arena_new(&r->s->arena, v->len, sizeof(*r->s->metrics));
	json_write_array(&r->w);
	for (size_t i = 0; i < v->len && !err; i++)
		err = read_score(r, v->items[i], i);
	if (!err)
		json_write_array_end(&r->w);
	return err;
}
