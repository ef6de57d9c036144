#include "worker/score/normalize.h"
#include "common/base/unicode.h"
#include <string.h>

static const char *const names[NORMALIZE_STEP_COUNT] = {
	[NORMALIZE_TRIM] = "trim",
	[NORMALIZE_CASEFOLD] = "casefold",
	[NORMALIZE_NFKC] = "nfkc",
	[NORMALIZE_STRIP_PUNCTUATION] = "strip_punctuation",
	[NORMALIZE_COLLAPSE_SPACE] = "collapse_space",
	[NORMALIZE_STRIP_ARTICLES] = "strip_articles",
};

const char *normalize_step_name(enum normalize_step step)
{
	return (size_t)step < NORMALIZE_STEP_COUNT ? names[step] : "?";
}

bool normalize_step_from_name(struct str name, enum normalize_step *ret_step)
{
	for (size_t i = 0; i < NORMALIZE_STEP_COUNT; i++) {
		if (!str_eq_c(name, names[i]))
			continue;
		*ret_step = (enum normalize_step)i;
		return true;
	}
	return false;
}

static bool is_space(uint32_t c)
{
	return c == ' ' || (c >= 9 && c <= 13) || c == 0x85 || c == 0xA0 || c == 0x1680 ||
	       (c >= 0x2000 && c <= 0x200B) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F ||
	       c == 0x3000 || c == 0xFEFF;
}

static bool is_punctuation(uint32_t c)
{
	static const struct {
		uint32_t first, last;
	} ranges[] = {
		{ 0x21, 0x2F },     { 0x3A, 0x40 },     { 0x5B, 0x60 },     { 0x7B, 0x7E },     { 0xA1, 0xA1 },
		{ 0xA7, 0xA7 },     { 0xAB, 0xAB },     { 0xB6, 0xB7 },     { 0xBB, 0xBB },     { 0xBF, 0xBF },
		{ 0x2010, 0x2027 }, { 0x2030, 0x205E }, { 0x3001, 0x3003 }, { 0x3008, 0x3011 }, { 0x3014, 0x301F },
		{ 0xFF01, 0xFF0F }, { 0xFF1A, 0xFF20 }, { 0xFF3B, 0xFF40 }, { 0xFF5B, 0xFF65 },
	};
	for (size_t i = 0; i < ARRAY_LEN(ranges); i++)
		if (c >= ranges[i].first && c <= ranges[i].last)
			return true;
	return false;
}

size_t normalize_space_len(struct str s)
{
	size_t at = 0;
	uint32_t code;
	return s.len && unicode_next(s, &at, &code) && is_space(code) ? at : 0;
}

/* The last character of s: where it begins. */
static size_t last_char_at(struct str s)
{
	size_t at = s.len - 1;
	while (at > 0 && ((unsigned char)s.data[at] & 0xC0) == 0x80)
		at--;
	return at;
}

struct str normalize_trim(struct str s)
{
	for (size_t len; (len = normalize_space_len(s)) > 0;)
		s = str_slice(s, len, s.len);
	while (s.len) {
		size_t at = last_char_at(s);
		if (normalize_space_len(str_slice(s, at, s.len)) != s.len - at)
			break;
		s.len = at;
	}
	return s;
}

static void strip_punctuation(struct str s, struct buf *out)
{
	uint32_t code;
	for (size_t at = 0; at < s.len;) {
		size_t start = at;
		(void)unicode_next(s, &at, &code); /* valid by contract; a broken byte would be kept */
		if (!is_punctuation(code))
			(void)buf_append_str(out, str_slice(s, start, at)); /* out->failed is asked at the end */
	}
}

/* The next word, bounded by white space; empty at the end of *rest. */
static struct str take_word(struct str *rest)
{
	for (size_t len; (len = normalize_space_len(*rest)) > 0;)
		*rest = str_slice(*rest, len, rest->len);
	size_t end = 0;
	uint32_t code;
	for (size_t next = 0; end < rest->len; end = next) {
		(void)unicode_next(*rest, &next, &code); /* as above */
		if (is_space(code))
			break;
	}
	struct str word = str_slice(*rest, 0, end);
	*rest = str_slice(*rest, end, rest->len);
	return word;
}

static bool is_article(struct str word)
{
	static const char *const articles[] = { "a", "an", "the" };
	for (size_t i = 0; i < ARRAY_LEN(articles); i++)
		if (word.len == strlen(articles[i]) && strncasecmp(word.data, articles[i], word.len) == 0)
			return true;
	return false;
}

static void join_words(struct str s, bool without_articles, struct buf *out)
{
	bool first = true;
	for (struct str word; (word = take_word(&s)).len > 0;) {
		if (without_articles && is_article(word))
			continue;
		if (!first)
			(void)buf_append_char(out, ' ');
		(void)buf_append_str(out, word);
		first = false;
	}
}

static bool apply_step(enum normalize_step step, struct str s, struct buf *out)
{
	buf_clear(out);
	switch (step) {
	case NORMALIZE_TRIM:
		return buf_append_str(out, normalize_trim(s));
	case NORMALIZE_CASEFOLD:
		return unicode_map(s, UNICODE_CASEFOLD, out);
	case NORMALIZE_NFKC:
		return unicode_map(s, UNICODE_NFKC, out);
	case NORMALIZE_STRIP_PUNCTUATION:
		strip_punctuation(s, out);
		break;
	case NORMALIZE_COLLAPSE_SPACE:
		join_words(s, false, out);
		break;
	case NORMALIZE_STRIP_ARTICLES:
		join_words(s, true, out);
		break;
	case NORMALIZE_STEP_COUNT:
		break;
	}
	return !out->failed;
}

bool normalize_apply(struct str text, const enum normalize_step *steps, size_t step_count, struct buf *out,
                     struct buf *scratch)
{
	buf_clear(out);
	buf_clear(scratch);
	bool ok = buf_append_str(out, text);
	for (size_t i = 0; i < step_count && ok; i++) {
		struct buf from = *out;
		*out = *scratch;
		*scratch = from;
		ok = apply_step(steps[i], buf_str(scratch), out);
	}
	return ok;
}
