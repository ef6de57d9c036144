#include "common/base/regex.h"
#include "coordinator/catalog/suite_parts.h"
#include "coordinator/catalog/words.h"

static const char *const step_names[] = { "regex", "strip", "first", "last_number", "fence", NULL };
static const char *const ends[] = { "first", "last", NULL };

/* A word, or nothing. */
static enum err_code read_word(struct suite_reader *r, const struct yaml *v, const char *field, const char *key,
                               const char *const *words)
{
	struct str word;
	if (!v)
		return ERR_OK;
	enum err_code err = suite_want_word(r, v, field, words, &word);
	if (!err)
		json_write_field_str(&r->w, key, word);
	return err;
}

static enum err_code check_pattern(struct suite_reader *r, const struct yaml *v, const struct yaml *group,
                                   unsigned flags, const char *field, struct str pattern)
{
	struct error wrong = { .text = "" };
	struct regex *regex;
	int64_t number;
	if (regex_compile(pattern, flags, &regex, &wrong) != ERR_OK)
		return yaml_fail(r->doc, v, r->reterr, "%s: %s", field, wrong.text);
	int64_t last = (int64_t)regex_group_count(regex) - 1;
	regex_free(regex);
	if (!group)
		return ERR_OK;
	enum err_code err = yaml_want_i64(r->doc, group, "group", 0, last, &number, r->reterr);
	if (!err)
		json_write_field_i64(&r->w, "group", number);
	return err;
}

static enum err_code read_regex(struct suite_reader *r, const struct yaml *v, const char *field)
{
	static const char *const keys[] = { "pattern", "group", "flags", "match", NULL };
	const struct yaml *pattern_node = v, *flags_node = NULL;
	struct str pattern, letters = STR("");
	unsigned flags = 0;
	enum err_code err = ERR_OK;
	if (v && v->kind == YAML_MAP) {
		err = yaml_only_keys(r->doc, v, field, keys, r->reterr);
		pattern_node = yaml_get(v, "pattern");
		flags_node = yaml_get(v, "flags");
	}
	if (!err)
		err = yaml_want_str(r->doc, pattern_node, field, &pattern, r->reterr);
	if (!err && flags_node)
		err = yaml_want_str(r->doc, flags_node, "flags", &letters, r->reterr);
	if (!err && !suite_regex_flags(letters, &flags))
		err = yaml_fail(r->doc, flags_node, r->reterr, "%s.flags must hold letters of ims", field);
	if (err)
		return err;
	json_write_object(&r->w);
	json_write_field_str(&r->w, "pattern", pattern);
	if (flags_node)
		json_write_field_str(&r->w, "flags", letters);
	err = check_pattern(r, pattern_node, yaml_get(v, "group"), flags, field, pattern);
	if (!err)
		err = read_word(r, yaml_get(v, "match"), "match", "match", ends);
	if (!err)
		json_write_object_end(&r->w);
	return err;
}

static enum err_code read_strip(struct suite_reader *r, const struct yaml *v, const char *field)
{
	static const char *const keys[] = { "chars", NULL };
	struct str chars;
	enum err_code err = ERR_OK;
	if (v && v->kind == YAML_MAP) {
		err = yaml_only_keys(r->doc, v, field, keys, r->reterr);
		v = yaml_get(v, "chars");
	}
	if (!err)
		err = yaml_want_str(r->doc, v, field, &chars, r->reterr);
	if (!err && chars.len == 0)
		err = yaml_fail(r->doc, v, r->reterr, "%s must name the characters to strip", field);
	if (!err)
		json_write_str(&r->w, chars);
	return err;
}

/* {name: option} */
static enum err_code read_option(struct suite_reader *r, struct str name, const struct yaml *v, const char *field)
{
	static const char *const lines_or_words[] = { "line", "word", NULL };
	struct str word;
	if (str_eq_c(name, "regex"))
		return read_regex(r, v, field);
	if (str_eq_c(name, "strip"))
		return read_strip(r, v, field);
	if (str_eq_c(name, "last_number"))
		return yaml_fail(r->doc, v, r->reterr, "%s takes no option", field);
	enum err_code err = suite_want_word(r, v, field, str_eq_c(name, "first") ? lines_or_words : ends, &word);
	if (!err)
		json_write_str(&r->w, word);
	return err;
}

static enum err_code check_name(struct suite_reader *r, const struct yaml *v, struct str name, const char *field)
{
	char advice[WORDS_ADVICE_BYTES];
	if (str_eq_c(name, "vote"))
		return yaml_fail(r->doc, v, r->reterr,
		                 "%s: vote chooses among several answers, and a sample has one; use epochs", field);
	if (!words_has(step_names, name))
		return yaml_fail(r->doc, v, r->reterr, "%s: no step '%.*s'%s", field, (int)MIN_OF(name.len, (size_t)60),
		                 name.data ? name.data : "", words_advice(step_names, name, advice));
	return ERR_OK;
}

enum err_code suite_extract_read(struct suite_reader *r, const struct yaml *v, const char *field)
{
	bool is_map = v->kind == YAML_MAP && v->len == 1;
	const char *inner;
	struct str name = STR("");
	enum err_code err = ERR_OK;
	if (is_map)
		name = v->keys[0];
	else if (v->kind == YAML_SCALAR)
		err = yaml_want_str(r->doc, v, field, &name, r->reterr);
	else
		err = yaml_fail(r->doc, v, r->reterr, "%s must be a step's name or a map with the name as its one key",
		                field);
	if (!err)
		err = check_name(r, v, name, field);
	if (err)
		return err;
	inner = suite_field(r, "%s.%.*s", field, STR_ARG(name));
	if (!is_map && (str_eq_c(name, "regex") || str_eq_c(name, "strip")))
		return yaml_fail(r->doc, v, r->reterr, "%s needs an option: {%.*s: ...}", inner, STR_ARG(name));
	if (!is_map) {
		json_write_str(&r->w, name);
		return ERR_OK;
	}
	json_write_object(&r->w);
	json_write_key_str(&r->w, name);
	err = read_option(r, name, v->items[0], inner);
	if (!err)
		json_write_object_end(&r->w);
	return err;
}
