#include "worker/score/extract.h"
#include "common/base/mem.h"
#include "common/base/unicode.h"
#include "worker/score/normalize.h"
#include "worker/score/number.h"
#include <stdio.h>
#include <string.h>

enum { MATCHES_MAX = 10000, NUMBER_ANY = NUMBER_COMMAS | NUMBER_CURRENCY | NUMBER_PERCENT | NUMBER_UNITS };

const char *extract_kind_name(enum extract_kind kind)
{
	static const char *const names[] = { "regex", "strip", "first", "first", "last_number", "fence" };
	return (size_t)kind < ARRAY_LEN(names) ? names[kind] : "?";
}

/* ---- parsing ---- */

bool extract_regex_flags(struct str letters, unsigned *ret_flags)
{
	unsigned flags = 0;
	for (size_t i = 0; i < letters.len; i++) {
		switch (letters.data[i]) {
		case 'i':
			flags |= REGEX_CASELESS;
			break;
		case 'm':
			flags |= REGEX_MULTILINE;
			break;
		case 's':
			flags |= REGEX_DOTALL;
			break;
		default:
			return false;
		}
	}
	*ret_flags = flags;
	return true;
}

static enum err_code want(const char *field, const char *what, const struct json *v, struct error *reterr)
{
	return error_set(reterr, ERR_INVALID, "%s must be %s, not %s", field, what, json_kind_name(json_kind(v)));
}

static enum err_code parse_match(const struct json *v, const char *field, struct extract_step *step,
                                 struct error *reterr)
{
	struct str word;
	if (json_kind(v) == JSON_ABSENT)
		return ERR_OK;
	if (!json_str(v, &word) || (!str_eq_c(word, "first") && !str_eq_c(word, "last")))
		return error_set(reterr, ERR_INVALID, "%s must be first or last", field);
	step->last = str_eq_c(word, "last");
	return ERR_OK;
}

static enum err_code only_keys(const struct json *v, const char *field, const char *const *known, struct error *reterr)
{
	for (struct json_iter it = { 0 }; json_next(v, &it);) {
		const char *const *k = known;
		while (*k && !str_eq_c(it.key, *k))
			k++;
		if (!*k)
			return error_set(reterr, ERR_INVALID, "%s.%.*s is not known", field,
			                 (int)MIN_OF(it.key.len, 60), it.key.data);
	}
	return ERR_OK;
}

static enum err_code parse_group(const struct json *v, const char *field, struct extract_step *step,
                                 struct error *reterr)
{
	size_t count = regex_group_count(step->regex);
	int64_t group;
	step->group = count > 1 ? 1 : 0;
	if (json_kind(v) == JSON_ABSENT)
		return ERR_OK;
	if (!json_i64(v, &group))
		return want(field, "an integer", v, reterr);
	if (group < 0 || (uint64_t)group >= count)
		return error_set(reterr, ERR_INVALID,
		                 "%s must be between 0 and %zu, the groups of the pattern, not %lld", field, count - 1,
		                 (long long)group);
	step->group = (size_t)group;
	return ERR_OK;
}

static enum err_code parse_regex(const struct json *v, const char *field, struct extract_step *step,
                                 struct error *reterr)
{
	static const char *const keys[] = { "pattern", "group", "flags", "match", NULL };
	char inner[200];
	struct str pattern, letters;
	unsigned flags = 0;
	bool is_short = json_kind(v) == JSON_STR;
	enum err_code err = is_short ? ERR_OK : only_keys(v, field, keys, reterr);
	if (err)
		return err;
	if (!json_str(is_short ? v : json_get(v, "pattern"), &pattern))
		return error_set(reterr, ERR_INVALID, "%s.pattern must be a text", field);
	const struct json *letter_node = json_get(v, "flags");
	if (json_kind(letter_node) != JSON_ABSENT &&
	    (!json_str(letter_node, &letters) || !extract_regex_flags(letters, &flags)))
		return error_set(reterr, ERR_INVALID, "%s.flags must hold letters of ims", field);
	(void)snprintf(inner, sizeof(inner), "%s.match", field);
	err = parse_match(json_get(v, "match"), inner, step, reterr);
	if (err)
		return err;
	err = regex_compile(pattern, flags, &step->regex, reterr);
	if (err)
		return error_wrap(reterr, ERR_INVALID, "%s", field);
	(void)snprintf(inner, sizeof(inner), "%s.group", field);
	return parse_group(json_get(v, "group"), inner, step, reterr);
}

static enum err_code parse_strip(const struct json *v, const char *field, struct extract_step *step,
                                 struct error *reterr)
{
	static const char *const keys[] = { "chars", NULL };
	struct str chars;
	enum err_code err = only_keys(v, field, keys, reterr);
	if (err)
		return err;
	if (!json_str(json_kind(v) == JSON_STR ? v : json_get(v, "chars"), &chars) || chars.len == 0)
		return error_set(reterr, ERR_INVALID, "%s must name the characters to strip", field);
	step->chars = mem_try_new(chars.len, 1);
	if (!step->chars)
		return error_set(reterr, ERR_NOMEM, "%s", field);
	memcpy(step->chars, chars.data, chars.len);
	step->chars_len = chars.len;
	return ERR_OK;
}

/* v: JSON_ABSENT when the step was named without options. */
static enum err_code parse_first(const struct json *v, const char *field, struct extract_step *step,
                                 struct error *reterr)
{
	struct str word = STR("line");
	if (json_kind(v) != JSON_ABSENT && !json_str(v, &word))
		return want(field, "line or word", v, reterr);
	if (!str_eq_c(word, "line") && !str_eq_c(word, "word"))
		return error_set(reterr, ERR_INVALID, "%s must be line or word", field);
	step->kind = str_eq_c(word, "word") ? EXTRACT_FIRST_WORD : EXTRACT_FIRST_LINE;
	return ERR_OK;
}

static enum err_code parse_last_number(const struct json *v, const char *field, struct extract_step *step,
                                       struct error *reterr)
{
	(void)step; /* nothing to set */
	return json_kind(v) == JSON_ABSENT ? ERR_OK : error_set(reterr, ERR_INVALID, "%s takes no options", field);
}

static const struct {
	const char *name;
	enum extract_kind kind;
	bool needs_options;
	enum err_code (*parse)(const struct json *v, const char *field, struct extract_step *step,
	                       struct error *reterr);
} steps[] = {
	{ "regex", EXTRACT_REGEX, true, parse_regex },
	{ "strip", EXTRACT_STRIP, true, parse_strip },
	{ "first", EXTRACT_FIRST_LINE, false, parse_first },
	{ "last_number", EXTRACT_LAST_NUMBER, false, parse_last_number },
	{ "fence", EXTRACT_FENCE, false, parse_match },
};

enum err_code extract_parse(const struct json *v, const char *field, struct extract_step *ret_step,
                            struct error *reterr)
{
	struct json_iter it = { 0 };
	struct str name;
	const struct json *options = NULL;
	char inner[160];
	if (json_kind(v) == JSON_OBJECT && json_len(v) == 1 && json_next(v, &it)) {
		name = it.key;
		options = it.value;
	} else if (!json_str(v, &name)) {
		return error_set(reterr, ERR_INVALID,
		                 "%s must be a step's name or an object with the name as its one key", field);
	}
	if (str_eq_c(name, "vote"))
		return error_set(
			reterr, ERR_UNSUPPORTED,
			"%s: vote chooses among several answers, and a sample has one; use epochs and a reducer",
			field);
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		if (!str_eq_c(name, steps[i].name))
			continue;
		(void)snprintf(inner, sizeof(inner), "%s.%s", field, steps[i].name);
		if (steps[i].needs_options && !options)
			return error_set(reterr, ERR_INVALID, "%s needs an option: {%s: ...}", inner, steps[i].name);
		struct extract_step step = { .kind = steps[i].kind };
		enum err_code err = steps[i].parse(options, inner, &step, reterr);
		if (err) {
			extract_done(&step);
			return err;
		}
		*ret_step = step;
		return ERR_OK;
	}
	return error_set(reterr, ERR_INVALID, "%s: no step '%.*s'; there are regex, strip, first, last_number, fence",
	                 field, (int)MIN_OF(name.len, 60), name.data);
}

void extract_done(struct extract_step *step)
{
	regex_free(step->regex);
	mem_free(step->chars);
	*step = (struct extract_step){ .kind = step->kind };
}

/* ---- applying ---- */

static enum extract_result apply_regex(const struct extract_step *step, struct str text, struct str *ret_text,
                                       struct error *reterr)
{
	struct regex_match match, kept = { 0 };
	bool found;
	size_t count = 0;
	for (size_t at = 0; at <= text.len; at = regex_after(text, &match)) {
		if (regex_find(step->regex, text, at, &found, &match, reterr) != ERR_OK)
			return EXTRACT_LIMIT;
		if (!found)
			break;
		kept = match;
		if (!step->last)
			break;
		if (++count == MATCHES_MAX) {
			(void)error_set(reterr, ERR_LIMIT, "pattern: over %d matches", MATCHES_MAX);
			return EXTRACT_LIMIT;
		}
	}
	if (kept.count == 0 || !kept.group[step->group].data)
		return EXTRACT_NOTHING;
	*ret_text = kept.group[step->group];
	return EXTRACT_FOUND;
}

static bool is_among(struct str character, struct str chars)
{
	uint32_t code;
	for (size_t at = 0; at < chars.len;) {
		size_t start = at;
		(void)unicode_next(chars, &at, &code); /* from JSON, so it is valid */
		if (str_eq(character, str_slice(chars, start, at)))
			return true;
	}
	return false;
}

static struct str strip(struct str s, struct str chars)
{
	size_t begin = 0, end = 0;
	uint32_t code;
	for (size_t at = 0; at < s.len;) {
		size_t start = at;
		(void)unicode_next(s, &at, &code); /* valid by contract */
		bool stripped = is_among(str_slice(s, start, at), chars);
		if (stripped && end == 0)
			begin = at;
		if (!stripped)
			end = at;
	}
	return str_slice(s, MIN_OF(begin, end), end);
}

static enum extract_result apply_first(struct str text, bool word, struct str *ret_text)
{
	struct str rest = normalize_trim(text);
	size_t end = 0;
	while (end < rest.len && rest.data[end] != '\n' && rest.data[end] != '\r') {
		if (word && normalize_space_len(str_slice(rest, end, rest.len)))
			break;
		end++;
	}
	struct str first = normalize_trim(str_slice(rest, 0, end));
	if (first.len == 0)
		return EXTRACT_NOTHING;
	*ret_text = first;
	return EXTRACT_FOUND;
}

/* A line that opens or closes a fence: at most three blanks, ``` and no other backtick behind its run. */
static bool is_fence(struct str line)
{
	struct str trimmed = str_trim(line);
	size_t run = 0;
	while (run < trimmed.len && trimmed.data[run] == '`')
		run++;
	return run >= 3 && trimmed.data - line.data <= 3 &&
	       str_find_char(str_slice(trimmed, run, trimmed.len), '`') < 0;
}

static struct str apply_fence(struct str text, bool last)
{
	struct str rest = text, line, inside = text;
	const char *open = NULL; /* where the inside of an open block begins */
	bool found = false;
	while (str_split(&rest, '\n', &line)) {
		if (!is_fence(line))
			continue;
		if (open) {
			inside = str_make(open, (size_t)(line.data - open));
			open = NULL;
		} else if (!found || last) {
			open = rest.data ? rest.data : line.data + line.len;
			found = true;
		}
	}
	if (open)
		inside = str_make(open, (size_t)(text.data + text.len - open)); /* cut off before its end */
	if (found && str_ends(inside, STR("\n")))
		inside.len--;
	return inside;
}

enum extract_result extract_apply(const struct extract_step *step, struct str text, struct str *ret_text,
                                  struct error *reterr)
{
	struct number number;
	switch (step->kind) {
	case EXTRACT_REGEX:
		return apply_regex(step, text, ret_text, reterr);
	case EXTRACT_STRIP:
		*ret_text = strip(text, str_make(step->chars, step->chars_len));
		return EXTRACT_FOUND;
	case EXTRACT_FIRST_LINE:
	case EXTRACT_FIRST_WORD:
		return apply_first(text, step->kind == EXTRACT_FIRST_WORD, ret_text);
	case EXTRACT_LAST_NUMBER:
		if (!number_last(text, NUMBER_ANY, &number))
			return EXTRACT_NOTHING;
		*ret_text = number.text;
		return EXTRACT_FOUND;
	case EXTRACT_FENCE:
		*ret_text = apply_fence(text, step->last);
		return EXTRACT_FOUND;
	}
	return EXTRACT_NOTHING;
}
