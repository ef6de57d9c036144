#include "worker/score/choice_text.h"
#include "common/base/mem.h"
#include "common/base/unicode.h"
#include "worker/score/normalize.h"
#include <string.h>

char choice_at(struct str s, size_t i)
{
	return i < s.len ? s.data[i] : '\0';
}

bool choice_is_upper(char c)
{
	return c >= 'A' && c <= 'Z';
}

bool choice_is_lower(char c)
{
	return c >= 'a' && c <= 'z';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

bool choice_is_alnum(char c)
{
	return choice_is_upper(c) || choice_is_lower(c) || is_digit(c);
}

static bool is_one_of(char c, const char *set)
{
	return c != '\0' && strchr(set, c) != NULL;
}

/* ---- plain ---- */

/* A run of emphasis or quote marks at i: its length in bytes. */
static size_t marks_len(struct str s, size_t i)
{
	static const char *const quotes[] = { "\xE2\x80\x9C", "\xE2\x80\x9D", "\xE2\x80\x98", "\xC2\xAB", "\xC2\xBB" };
	size_t len = 0;
	for (bool more = true; more;) {
		more = is_one_of(choice_at(s, i + len), "*`\"");
		len += more;
		for (size_t q = 0; q < ARRAY_LEN(quotes) && !more; q++) {
			more = str_starts(str_slice(s, i + len, s.len), str_from(quotes[q]));
			len += more ? strlen(quotes[q]) : 0;
		}
	}
	return len;
}

/* A single letter between marks ("**B**", "`(b).`") at i: writes "(B)" and returns the whole length; else 0. */
static size_t take_marked_letter(struct str s, size_t i, size_t marks, struct buf *out)
{
	size_t at = i + marks;
	bool opened = is_one_of(choice_at(s, at), "([");
	at += opened;
	char letter = choice_at(s, at);
	if (!choice_is_upper(letter) && !choice_is_lower(letter))
		return 0;
	at++;
	while (is_one_of(choice_at(s, at), ")].:,"))
		at++;
	size_t closing = marks_len(s, at);
	if (closing == 0 || choice_is_alnum(choice_at(s, at + closing)))
		return 0;
	(void)buf_append_char(out, '('); /* out->failed is asked at the end */
	(void)buf_append_char(out, letter);
	(void)buf_append_char(out, ')');
	return at + closing - i;
}

/* 'B' between apostrophes that do not belong to words. */
static size_t take_quoted_letter(struct str s, size_t i, struct buf *out)
{
	char letter = choice_at(s, i + 1);
	if (choice_at(s, i + 2) != '\'' || choice_is_alnum(choice_at(s, i + 3)) ||
	    (!choice_is_upper(letter) && !choice_is_lower(letter)) || (i > 0 && choice_is_alnum(s.data[i - 1])))
		return 0;
	(void)buf_append_char(out, '('); /* as above */
	(void)buf_append_char(out, letter);
	(void)buf_append_char(out, ')');
	return 3;
}

/* LaTeX: \boxed{B} becomes boxed(B), \text{B} becomes (B), \( becomes (. Returns the bytes taken. */
static size_t take_command(struct str s, size_t i, struct buf *out)
{
	static const char *const wrappers[] = { "textbf", "text", "mathrm", "mathbf", "mathit", "rm", "bf" };
	struct str rest = str_slice(s, i + 1, s.len);
	if (str_starts(rest, STR("boxed")) || str_starts(rest, STR("fbox"))) {
		(void)buf_append_c(out, " boxed"); /* as above */
		return rest.data[0] == 'b' ? 6 : 5;
	}
	for (size_t w = 0; w < ARRAY_LEN(wrappers); w++)
		if (str_starts(rest, str_from(wrappers[w])) && !choice_is_alnum(choice_at(rest, strlen(wrappers[w]))))
			return 1 + strlen(wrappers[w]);
	return 1;
}

/* Characters beyond ASCII that have an ASCII form here: their form, or '\0'. */
static char ascii_of(uint32_t code)
{
	if ((code >= 0xFF21 && code <= 0xFF3A) || (code >= 0xFF41 && code <= 0xFF5A) ||
	    (code >= 0xFF10 && code <= 0xFF19))
		return (char)(code - 0xFF21 + 'A');
	switch (code) {
	case 0x2019:
		return '\'';
	case 0xFF08:
	case 0x3010:
		return '(';
	case 0xFF09:
	case 0x3011:
		return ')';
	case 0xFF1A:
		return ':';
	case 0xFF0C:
	case 0x3001:
		return ',';
	case 0x3002:
	case 0xFF0E:
		return '.';
	case 0x2013:
	case 0x2014:
	case 0x2192:
		return '-';
	default:
		return '\0';
	}
}

static size_t take_other(struct str s, size_t i, struct buf *out)
{
	char c = s.data[i];
	if (c == '_' && !(i > 0 && choice_is_alnum(s.data[i - 1]) && choice_is_alnum(choice_at(s, i + 1))))
		return 1;
	if (c == '$' && !is_digit(choice_at(s, i + 1)))
		return 1;
	if ((unsigned char)c < 0x80) {
		(void)buf_append_char(out, c == '{' ? '(' : c == '}' ? ')' : c == '\r' ? '\n' : c); /* as above */
		return 1;
	}
	size_t at = i;
	uint32_t code;
	(void)unicode_next(s, &at, &code); /* valid by contract */
	char ascii = ascii_of(code);
	if (ascii)
		(void)buf_append_char(out, ascii); /* as above */
	else
		(void)buf_append_str(out, str_slice(s, i, at));
	return at - i;
}

/* Quote marks, list bullets and headings at the start of a line. */
static size_t line_marks_len(struct str s, size_t i)
{
	size_t len = 0;
	for (;;) {
		char c = choice_at(s, i + len);
		bool bullet = is_one_of(c, "-*+") && choice_at(s, i + len + 1) == ' ';
		if (c == ' ' || c == '\t' || c == '>' || c == '#' || bullet)
			len++;
		else if (str_starts(str_slice(s, i + len, s.len), STR("\xE2\x80\xA2")))
			len += 3;
		else
			return len;
	}
}

bool choice_plain(struct str text, struct buf *out)
{
	buf_clear(out);
	bool line_start = true;
	for (size_t i = 0; i < text.len && !out->failed;) {
		size_t skipped = line_start ? line_marks_len(text, i) : 0, taken = 0;
		i += skipped;
		if (i >= text.len)
			break;
		line_start = is_one_of(text.data[i], "\r\n");
		size_t marks = marks_len(text, i);
		if (marks) {
			taken = take_marked_letter(text, i, marks, out);
			taken = taken ? taken : marks;
		} else if (text.data[i] == '\\') {
			taken = take_command(text, i, out);
		} else if (text.data[i] == '\'') {
			taken = take_quoted_letter(text, i, out);
		}
		i += taken ? taken : take_other(text, i, out);
	}
	return !out->failed;
}

/* ---- folded ---- */

static bool is_word_code(uint32_t code)
{
	/* letters of scripts that put blanks between words; not those of East Asia, not punctuation */
	return code >= 0xC0 && code < 0x2E80 && !(code >= 0x2000 && code <= 0x2BFF) && code != 0xD7 && code != 0xF7;
}

static bool is_letter_at(struct str s, size_t i)
{
	return i < s.len && (choice_is_lower(s.data[i]) || (unsigned char)s.data[i] >= 0x80);
}

static void loosen(struct buf *b)
{
	struct str s = buf_str(b);
	for (size_t i = 0; i < b->len; i++)
		if (b->data[i] == '_' ||
		    (b->data[i] == '-' && i > 0 && is_letter_at(s, i - 1) && is_letter_at(s, i + 1)))
			b->data[i] = ' ';
}

bool choice_fold(struct str plain, struct buf *out)
{
	static const enum normalize_step fold[] = { NORMALIZE_CASEFOLD }, collapse[] = { NORMALIZE_COLLAPSE_SPACE };
	struct buf first, second;
	buf_init(&first, out->max);
	buf_init(&second, out->max);
	bool ok = normalize_apply(plain, fold, 1, &first, &second);
	if (ok) {
		loosen(&first);
		ok = normalize_apply(buf_str(&first), collapse, 1, out, &second);
	}
	buf_done(&first);
	buf_done(&second);
	return ok;
}

struct str choice_trim(struct str s)
{
	const char *const outer = " \t\n.,;:!?()[]'\"";
	while (s.len && is_one_of(s.data[0], outer) && !(s.data[0] == '.' && is_digit(choice_at(s, 1))))
		s = str_slice(s, 1, s.len);
	while (s.len && is_one_of(s.data[s.len - 1], outer))
		s.len--;
	return s;
}

bool choice_word_begins(struct str s, size_t i)
{
	if (i == 0)
		return true;
	char before = s.data[i - 1];
	if ((unsigned char)before >= 0x80) {
		size_t at = i - 1;
		uint32_t code;
		while (at > 0 && ((unsigned char)s.data[at] & 0xC0) == 0x80)
			at--;
		(void)unicode_next(s, &at, &code); /* valid by contract */
		return !is_word_code(code);
	}
	if (choice_is_alnum(before))
		return false;
	char second = i > 1 ? s.data[i - 2] : ' ';
	if (!is_digit(choice_at(s, i)))
		return true;
	return !(is_one_of(before, ".,") && is_digit(second)) && !(before == '-' && !choice_is_alnum(second));
}

bool choice_word_ends(struct str s, size_t i)
{
	if (i >= s.len)
		return true;
	uint32_t code;
	size_t at = i;
	(void)unicode_next(s, &at, &code); /* valid by contract */
	if (is_word_code(code) || (code < 0x80 && choice_is_alnum((char)code)))
		return false;
	bool number = i > 0 && is_digit(s.data[i - 1]) && is_digit(choice_at(s, i + 1));
	return !(number && (code == '.' || code == ','));
}

/* ---- choices ---- */

static bool fold_texts(struct choice_list *list, const struct str *texts)
{
	struct buf plain, folded;
	buf_init(&plain, 1 << 20);
	buf_init(&folded, 1 << 20);
	bool ok = true;
	for (size_t i = 0; i < list->count && ok; i++) {
		ok = choice_plain(texts[i], &plain) && choice_fold(buf_str(&plain), &folded);
		struct str trimmed = choice_trim(buf_str(&folded));
		list->folded[i] = str_make(NULL, trimmed.len); /* placed when the store has stopped moving */
		list->longest = MAX_OF(list->longest, trimmed.len);
		ok = ok && buf_append_str(&list->store, trimmed);
	}
	size_t at = 0;
	for (size_t i = 0; i < list->count && ok; i++) {
		list->folded[i].data = buf_str(&list->store).data + at;
		at += list->folded[i].len;
	}
	buf_done(&plain);
	buf_done(&folded);
	return ok;
}

bool choice_list_init(struct choice_list *list, const struct str *texts, size_t count, bool letters)
{
	*list = (struct choice_list){ .count = count };
	list->letter_count = letters && count <= CHOICE_LETTERS_MAX ? count : 0;
	buf_init(&list->store, 4 << 20);
	if (!texts)
		return true;
	list->folded = mem_try_new(count, sizeof(*list->folded));
	if (!list->folded || !fold_texts(list, texts)) {
		choice_list_done(list);
		return false;
	}
	for (size_t i = 0; i < count; i++) {
		struct str text = list->folded[i];
		ptrdiff_t named = text.len == 1 ? choice_of_letter(list, text.data[0]) : -1;
		if (named >= 0 && (size_t)named != i)
			list->letter_count = 0;
	}
	return true;
}

void choice_list_done(struct choice_list *list)
{
	mem_free(list->folded);
	buf_done(&list->store);
	list->folded = NULL;
}

ptrdiff_t choice_text_at(const struct choice_list *list, struct str folded, size_t i, size_t *ret_len)
{
	ptrdiff_t found = -1;
	size_t longest = 0;
	for (size_t c = 0; list->folded && c < list->count; c++) {
		struct str text = list->folded[c];
		if (text.len <= longest || text.data[0] != choice_at(folded, i))
			continue;
		if (str_starts(str_slice(folded, i, folded.len), text) && choice_word_ends(folded, i + text.len)) {
			found = (ptrdiff_t)c;
			longest = text.len;
		}
	}
	*ret_len = longest;
	return found;
}

ptrdiff_t choice_equal(const struct choice_list *list, struct str folded)
{
	for (size_t c = 0; list->folded && c < list->count; c++)
		if (folded.len && str_eq(list->folded[c], folded))
			return (ptrdiff_t)c;
	return -1;
}

ptrdiff_t choice_of_letter(const struct choice_list *list, char c)
{
	ptrdiff_t index = choice_is_upper(c) ? c - 'A' : choice_is_lower(c) ? c - 'a' : -1;
	return index >= 0 && (size_t)index < list->letter_count ? index : -1;
}

size_t choice_word_at(struct str s, size_t i, const char *const *words)
{
	for (; *words; words++) {
		size_t len = strlen(*words);
		if (i + len <= s.len && strncasecmp(s.data + i, *words, len) == 0 &&
		    !choice_is_alnum(choice_at(s, i + len)))
			return len;
	}
	return 0;
}
