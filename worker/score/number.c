#include "worker/score/number.h"
#include <string.h>

enum { LITERAL_BYTES_MAX = 400 };

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static char at_or_nul(struct str s, size_t i)
{
	return i < s.len ? s.data[i] : '\0';
}

static size_t digits_len(struct str s, size_t at)
{
	size_t len = 0;
	while (is_digit(at_or_nul(s, at + len)))
		len++;
	return len;
}

/* Bytes of a currency sign at `at`, or ending before it when `before`; 0: none. */
static size_t currency_len(struct str s, size_t at, bool before)
{
	static const char *const signs[] = { "$",        "\xE2\x82\xAC", "\xC2\xA3", "\xC2\xA5", "\xE2\x82\xB9",
		                             "\xC2\xA2", "\xE2\x82\xA9" };
	for (size_t i = 0; i < ARRAY_LEN(signs); i++) {
		size_t len = strlen(signs[i]);
		if (before ? str_ends(str_slice(s, 0, at), str_from(signs[i]))
		           : str_starts(str_slice(s, at, s.len), str_from(signs[i])))
			return len;
	}
	return 0;
}

/* A comma here separates groups of digits: three behind it, or two when more groups follow (as in India). */
static size_t group_len(struct str s, size_t at)
{
	if (at_or_nul(s, at) != ',')
		return 0;
	size_t digits = digits_len(s, at + 1);
	if (digits == 3)
		return 4;
	return digits == 2 && group_len(s, at + 3) > 0 ? 3 : 0;
}

static size_t integer_len(struct str s, size_t at, unsigned ignore)
{
	size_t len = digits_len(s, at);
	if (len == 0 || len > 3 || !(ignore & NUMBER_COMMAS))
		return len;
	for (size_t more; (more = group_len(s, at + len)) > 0;)
		len += more;
	return len;
}

static size_t exponent_len(struct str s, size_t at)
{
	if (at_or_nul(s, at) != 'e' && at_or_nul(s, at) != 'E')
		return 0;
	size_t sign = at_or_nul(s, at + 1) == '-' || at_or_nul(s, at + 1) == '+' ? 1 : 0;
	size_t digits = digits_len(s, at + 1 + sign);
	return digits && !is_letter(at_or_nul(s, at + 1 + sign + digits)) ? 1 + sign + digits : 0;
}

/* The unsigned literal at `at`: integer, decimals, exponent. */
static size_t literal_len(struct str s, size_t at, unsigned ignore)
{
	size_t len = integer_len(s, at, ignore);
	if (at_or_nul(s, at + len) == '.') {
		size_t decimals = digits_len(s, at + len + 1);
		if (decimals)
			len += 1 + decimals;
	}
	return len ? len + exponent_len(s, at + len) : 0;
}

static bool read_double(struct str literal, double *ret_value)
{
	char text[LITERAL_BYTES_MAX];
	size_t len = 0;
	for (size_t i = 0; i < literal.len; i++) {
		if (literal.data[i] == ',')
			continue;
		if (len == sizeof(text))
			return false;
		text[len++] = literal.data[i];
	}
	return str_to_double(str_make(text, len), ret_value);
}

/* Where a sign begins that belongs to digits at `at`; `at` when there is none. */
static size_t sign_at(struct str s, size_t at, bool *ret_negative)
{
	size_t begin = at;
	*ret_negative = false;
	if (begin > 0 && (s.data[begin - 1] == '-' || s.data[begin - 1] == '+'))
		begin--;
	else if (str_ends(str_slice(s, 0, begin), STR("\xE2\x88\x92")))
		begin -= 3;
	if (begin == at)
		return at;
	char before = begin > 0 ? s.data[begin - 1] : ' ';
	if (is_digit(before) || is_letter(before) || before == ')' || before == '%' || before == '-')
		return at; /* a dash between two things */
	*ret_negative = s.data[begin] != '+';
	return begin;
}

/* Do the characters before `at` make these digits part of a name or of a dotted sequence? */
static bool is_in_name(struct str s, size_t at)
{
	char before = at > 0 ? s.data[at - 1] : ' ', second = at > 1 ? s.data[at - 2] : ' ';
	if (is_letter(before))
		return true;
	bool glued = is_letter(second) || is_digit(second);
	return (before == '_' && glued) || (before == '.' && is_digit(second)) || (before == '-' && is_letter(second));
}

struct span {
	size_t begin, end; /* of the literal, sign included */
	bool negative, currency;
};

/* Sign and currency before the digits: "-5", "$5", "-$5", "$-5". */
static void look_back(struct str s, size_t at, struct span *span)
{
	span->begin = sign_at(s, at, &span->negative);
	size_t sign = currency_len(s, span->begin, true);
	span->currency = sign > 0;
	if (sign && !span->negative) {
		bool negative;
		size_t begin = sign_at(s, span->begin - sign, &negative);
		if (negative) {
			span->negative = true;
			span->begin = begin; /* the sign is part of the number, so what stands between them is too */
		}
	}
}

static bool has_percent(struct str s, size_t at)
{
	return at_or_nul(s, at) == '%' || (at_or_nul(s, at) == ' ' && at_or_nul(s, at + 1) == '%') ||
	       (at_or_nul(s, at) == '\\' && at_or_nul(s, at + 1) == '%');
}

/* A slash and a second integer: a fraction, unless it goes on like a date. */
static size_t fraction_len(struct str s, const struct span *span, size_t digits_at, double *value)
{
	double below;
	size_t len = digits_len(s, span->end + 1);
	char after = at_or_nul(s, span->end + 1 + len);
	if (at_or_nul(s, span->end) != '/' || len == 0 || digits_len(s, digits_at) != span->end - digits_at)
		return 0;
	if (after == '/' || (after == '.' && is_digit(at_or_nul(s, span->end + 2 + len))) || is_letter(after))
		return 0;
	if (digits_at > 1 && s.data[digits_at - 1] == '/' && is_digit(s.data[digits_at - 2]))
		return 0;
	if (!read_double(str_slice(s, span->end + 1, span->end + 1 + len), &below) || below == 0)
		return 0;
	*value /= below;
	return 1 + len;
}

static bool is_accepted(struct str s, const struct span *span, unsigned ignore)
{
	bool currency = span->currency || currency_len(s, span->end, false) > 0;
	if (currency && !(ignore & NUMBER_CURRENCY))
		return false;
	return (ignore & NUMBER_UNITS) || !is_letter(at_or_nul(s, span->end));
}

/* The number whose digits begin at `at`; *ret_end is where to go on, also when there is none. */
static bool read_at(struct str s, size_t at, unsigned ignore, struct number *ret_number, struct span *ret_span)
{
	struct span span = { .end = at + literal_len(s, at, ignore) };
	double value;
	*ret_span = span;
	if (at_or_nul(s, span.end) == '.' && is_digit(at_or_nul(s, span.end + 1))) {
		return false; /* 1.2.3: the rest is refused by the dot before it */
	}
	if (is_in_name(s, at) || !read_double(str_slice(s, at, span.end), &value))
		return false;
	look_back(s, at, &span);
	span.end += fraction_len(s, &span, at, &value);
	*ret_span = span;
	if (!is_accepted(s, &span, ignore))
		return false;
	if (has_percent(s, span.end) && !(ignore & NUMBER_PERCENT))
		value /= 100;
	ret_number->value = span.negative ? -value : value;
	ret_number->text = str_slice(s, span.begin, span.end);
	return true;
}

static bool next_span(struct str s, size_t *at, unsigned ignore, struct number *ret_number, struct span *ret_span)
{
	while (*at < s.len) {
		bool leading_dot = s.data[*at] == '.' && is_digit(at_or_nul(s, *at + 1)) &&
		                   !(*at > 0 && is_digit(s.data[*at - 1]));
		if (!is_digit(s.data[*at]) && !leading_dot) {
			++*at;
			continue;
		}
		bool found = read_at(s, *at, ignore, ret_number, ret_span);
		*at = MAX_OF(ret_span->end, *at + 1);
		if (found)
			return true;
	}
	return false;
}

bool number_next(struct str text, size_t *at, unsigned ignore, struct number *ret_number)
{
	struct span span;
	return next_span(text, at, ignore, ret_number, &span);
}

bool number_first(struct str text, unsigned ignore, struct number *ret_number)
{
	size_t at = 0;
	return number_next(text, &at, ignore, ret_number);
}

bool number_last(struct str text, unsigned ignore, struct number *ret_number)
{
	bool found = false;
	for (size_t at = 0; number_next(text, &at, ignore, ret_number);)
		found = true;
	return found;
}

static bool is_word(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!is_letter(s.data[i]) && (unsigned char)s.data[i] < 0x80)
			return false;
	return true;
}

/* What may stand behind a lone number: %, a currency sign, a unit word, a final dot. */
static bool is_tail(struct str tail, unsigned ignore)
{
	tail = str_trim(tail);
	if (tail.len && tail.data[tail.len - 1] == '.')
		tail = str_trim(str_slice(tail, 0, tail.len - 1));
	if (str_starts(tail, STR("\\%")) || str_starts(tail, STR("%")))
		tail = str_slice(tail, tail.data[0] == '%' ? 1 : 2, tail.len);
	tail = str_slice(tail, currency_len(tail, 0, false), tail.len);
	return tail.len == 0 || ((ignore & NUMBER_UNITS) && is_word(str_trim(tail)));
}

/* What may stand before it: a currency sign with or without a minus. */
static bool is_head(struct str head)
{
	head = str_trim(head);
	head = str_slice(head, 0, head.len - currency_len(head, head.len, true));
	head = str_trim(head);
	return head.len == 0 || str_eq_c(head, "-") || str_eq_c(head, "+") || str_eq_c(head, "\xE2\x88\x92");
}

bool number_only(struct str text, unsigned ignore, struct number *ret_number)
{
	struct number number;
	struct span span;
	size_t at = 0;
	if (!next_span(text, &at, ignore, &number, &span))
		return false;
	if (!is_head(str_slice(text, 0, span.begin)) || !is_tail(str_slice(text, span.end, text.len), ignore))
		return false;
	*ret_number = number;
	return true;
}
