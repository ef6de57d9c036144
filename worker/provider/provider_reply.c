#include "worker/provider/provider_reply.h"
#include "common/base/unicode.h"
#include <stdio.h>
#include <string.h>

/* ---- text ---- */

size_t provider_reply_printable(struct str s, char *out, size_t cap)
{
	size_t len = 0;
	for (size_t at = 0; at < s.len;) {
		size_t start = at;
		uint32_t code;
		bool whole = unicode_next(s, &at, &code);
		struct str one = whole ? str_slice(s, start, at) : STR("?");
		if (whole && (code < 0x20 || code == 0x7f))
			one = STR(" ");
		if (len + one.len > cap)
			break;
		memcpy(out + len, one.data, one.len);
		len += one.len;
	}
	out[len] = '\0';
	return len;
}

bool provider_reply_keep(struct arena *a, struct str s, struct str *ret_copy)
{
	char *copy = arena_try_alloc(a, s.len + 1, 1);
	if (!copy)
		return false;
	if (s.len)
		memcpy(copy, s.data, s.len);
	copy[s.len] = '\0';
	*ret_copy = str_make(copy, s.len);
	return true;
}

bool provider_reply_keep_word(struct arena *a, struct str s, struct str *ret_copy)
{
	char text[PROVIDER_WORD_BYTES_MAX + 1];
	size_t len = provider_reply_printable(s, text, PROVIDER_WORD_BYTES_MAX);
	return provider_reply_keep(a, str_make(text, len), ret_copy);
}

static bool is_key_char(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_' ||
	       c == '*' || c == '.';
}

/* How many bytes of a word stay when it looks like a key; 0 when it does not. */
static size_t key_prefix(struct str word, struct str before)
{
	static const char *const prefixes[] = { "sk-",  "sk_",  "gsk_",  "xai-", "hf_",
		                                "AIza", "AKIA", "pplx-", "csk-", "r8_" };
	enum { SHORTEST_KEY = 12 };
	if (word.len < SHORTEST_KEY)
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(prefixes); i++)
		if (str_starts(word, str_from(prefixes[i])))
			return strlen(prefixes[i]);
	return before.len >= 7 && strncasecmp(before.data + before.len - 7, "bearer ", 7) == 0 ? 2 : 0;
}

size_t provider_reply_mask(char *text, size_t len)
{
	size_t out = 0;
	for (size_t i = 0; i < len;) {
		size_t end = i;
		while (end < len && is_key_char(text[end]))
			end++;
		size_t keep = key_prefix(str_make(text + i, end - i), str_make(text, out));
		size_t copied = keep ? keep : MAX_OF(end - i, 1);
		memmove(text + out, text + i, copied);
		out += copied;
		if (keep) { /* a word of 12 bytes at least has room for its three stars */
			memcpy(text + out, "***", 3);
			out += 3;
		}
		i = keep ? end : i + copied;
	}
	text[out] = '\0';
	return out;
}

/* ---- headers ---- */

bool provider_reply_header(struct str headers, const char *name, struct str *ret_value)
{
	bool found = false;
	size_t name_len = strlen(name);
	struct str line, value = { NULL, 0 };
	while (str_split(&headers, '\n', &line)) {
		if (str_starts(line, STR("HTTP/"))) {
			found = false; /* another block begins */
			continue;
		}
		if (found || line.len <= name_len || line.data[name_len] != ':')
			continue;
		if (strncasecmp(line.data, name, name_len) != 0)
			continue;
		value = str_trim(str_slice(line, name_len + 1, line.len));
		found = true;
	}
	if (found)
		*ret_value = value;
	return found;
}

static bool take_number(struct str s, size_t from, size_t len, int64_t *ret_value)
{
	uint64_t value;
	if (from + len > s.len || !str_to_u64(str_slice(s, from, from + len), &value))
		return false;
	*ret_value = (int64_t)value;
	return true;
}

static int64_t days_from_civil(int64_t year, int64_t month, int64_t day)
{
	int64_t shifted = month <= 2 ? year - 1 : year; /* a year that begins in March ends with the leap day */
	int64_t era = shifted / 400, year_of_era = shifted % 400;
	int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
	int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
	return era * 146097 + day_of_era - 719468;
}

/* "Sun, 06 Nov 1994 08:49:37 GMT", the one form that servers may send today. */
static bool read_http_date(struct str s, int64_t *ret_unix_ms)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	int64_t day, year, hour, minute, second;
	ptrdiff_t comma = str_find_char(s, ',');
	struct str d = str_slice(s, comma < 0 ? 0 : (size_t)comma + 2, s.len);
	if (comma != 3 || d.len != 24 || !str_ends(d, STR(" GMT")))
		return false;
	if (!take_number(d, 0, 2, &day) || !take_number(d, 7, 4, &year) || !take_number(d, 12, 2, &hour) ||
	    !take_number(d, 15, 2, &minute) || !take_number(d, 18, 2, &second))
		return false;
	ptrdiff_t month_at = str_find(str_make(months, sizeof(months) - 1), str_slice(d, 3, 6));
	if (month_at < 0 || month_at % 3 != 0 || day < 1 || day > 31 || hour > 23 || minute > 59 || second > 60 ||
	    year < 1970)
		return false;
	int64_t days = days_from_civil(year, month_at / 3 + 1, day);
	*ret_unix_ms = (((days * 24 + hour) * 60 + minute) * 60 + second) * 1000;
	return true;
}

static int64_t clamp_ms(double ms, int64_t limit_ms)
{
	return ms <= 0 ? 0 : ms >= (double)limit_ms ? limit_ms : (int64_t)ms;
}

int64_t provider_reply_retry_after_ms(struct str headers, int64_t at_unix_ms, int64_t limit_ms)
{
	struct str value;
	double number;
	int64_t until_ms, now_ms;
	if (provider_reply_header(headers, "retry-after-ms", &value) && str_to_double(value, &number))
		return clamp_ms(number, limit_ms);
	if (!provider_reply_header(headers, "retry-after", &value))
		return -1;
	if (str_to_double(value, &number))
		return clamp_ms(number * 1000, limit_ms);
	if (!read_http_date(value, &until_ms))
		return -1;
	struct str date;
	if (!provider_reply_header(headers, "date", &date) || !read_http_date(date, &now_ms))
		now_ms = at_unix_ms;
	return now_ms > 0 ? clamp_ms((double)(until_ms - now_ms), limit_ms) : -1;
}

/* ---- faults ---- */

static void set_word(struct str_word *word, struct str text)
{
	word->len = provider_reply_printable(text, word->text, PROVIDER_WORD_BYTES_MAX);
}

void provider_fault_say(struct provider_fault *f, struct str message)
{
	if (f->message_len == 0)
		f->message_len = provider_reply_printable(message, f->message, sizeof(f->message) - 1);
}

void provider_fault_code(struct provider_fault *f, struct str code)
{
	set_word(&f->code, code);
}

void provider_fault_type(struct provider_fault *f, struct str type)
{
	set_word(&f->type, type);
}

static bool contains_caseless(struct str s, const char *needle)
{
	size_t len = strlen(needle);
	for (size_t i = 0; i + len <= s.len; i++)
		if (strncasecmp(s.data + i, needle, len) == 0)
			return true;
	return false;
}

static bool any_of(struct str s, const char *const *words)
{
	for (; *words; words++)
		if (contains_caseless(s, *words))
			return true;
	return false;
}

/* Does the code or the type carry one of the words? */
static bool named(const struct provider_fault *f, const char *const *words)
{
	return any_of(str_make(f->code.text, f->code.len), words) || any_of(str_make(f->type.text, f->type.len), words);
}

static bool says(const struct provider_fault *f, const char *const *words)
{
	return any_of(str_make(f->message, f->message_len), words);
}

static bool is_quota(const struct provider_fault *f)
{
	/* By code and type only: the words "exceeded your current quota" are also used for limits that pass. */
	static const char *const codes[] = { "insufficient_quota",   "billing_hard_limit", "billing_not_active",
		                             "insufficient_balance", "insufficient_funds", "insufficient_credit",
		                             "billing_error",        "credit_limit",       NULL };
	return f->status == 402 || named(f, codes);
}

static bool is_context_overflow(const struct provider_fault *f)
{
	static const char *const codes[] = { "context_length_exceeded", "exceed_context_size",
		                             "context_window_exceeded", "string_above_max_length", NULL };
	static const char *const words[] = { "maximum context length",
		                             "context length exceeded",
		                             "context window",
		                             "available context size",
		                             "exceeds the context",
		                             "maximum prompt length",
		                             "prompt is too long",
		                             "input is too long",
		                             "too many input tokens",
		                             "input length and `max_tokens` exceed",
		                             NULL };
	if (f->status == 429 || f->status == 401)
		return false;
	return named(f, codes) || (f->status < 500 && says(f, words)) ||
	       (f->status == 500 && contains_caseless(str_make(f->message, f->message_len), "available context size"));
}

static bool is_overloaded(const struct provider_fault *f)
{
	static const char *const words[] = { "overloaded", "capacity",      "loading", "too many requests",
		                             "busy",       "no free slots", "no slot", NULL };
	static const char *const codes[] = { "overloaded", "unavailable_error", "capacity", NULL };
	return f->status == 529 || (f->status == 503 && (named(f, codes) || says(f, words)));
}

void provider_fault_infer_status(struct provider_fault *f)
{
	static const struct {
		const char *words[4];
		int status;
	} known[] = {
		{ { "rate_limit", "too_many_requests", NULL }, 429 },
		{ { "authentication", "invalid_api_key", "permission", NULL }, 401 },
		{ { "not_found", "NotFound", NULL }, 404 },
		{ { "overloaded", NULL }, 529 },
		{ { "invalid_request", "BadRequest", "bad_request", NULL }, 400 },
	};
	if (f->status >= 300)
		return;
	f->status = 500;
	for (size_t i = 0; i < ARRAY_LEN(known) && f->status == 500; i++)
		if (named(f, known[i].words))
			f->status = known[i].status;
}

enum error_class provider_fault_class(const struct provider_fault *f)
{
	if (f->forced != CLASS_NONE)
		return f->forced;
	int status = f->status;
	if (status < 300)
		return CLASS_MALFORMED;
	if (is_quota(f))
		return CLASS_QUOTA;
	if (is_context_overflow(f))
		return CLASS_CONTEXT_OVERFLOW;
	if (is_overloaded(f))
		return CLASS_OVERLOADED;
	switch (status) {
	case 401:
	case 403:
	case 407:
		return CLASS_AUTH;
	case 404:
	case 410:
		return CLASS_NOT_FOUND;
	case 408:
	case 409:
	case 425:
		return CLASS_SERVER;
	case 413:
		return CLASS_TOO_LARGE;
	case 429:
		return CLASS_RATE_LIMITED;
	case 501:
	case 505:
		return CLASS_BAD_REQUEST;
	default:
		break;
	}
	if (status < 400)
		return CLASS_NOT_FOUND; /* a redirect: never followed, it could carry the key elsewhere */
	return status < 500 ? CLASS_BAD_REQUEST : CLASS_SERVER;
}

void provider_reply_describe(struct str body, struct provider_fault *f)
{
	struct str trimmed = str_trim(body);
	char shown[161], text[240];
	int len;
	if (trimmed.len == 0) {
		provider_fault_say(f, STR("empty body"));
		return;
	}
	struct str head = str_slice(trimmed, 0, 4096);
	bool is_html = trimmed.data[0] == '<';
	if (is_html) {
		ptrdiff_t title = str_find(head, STR("<title>"));
		struct str rest = title < 0 ? (struct str){ "", 0 } : str_slice(head, (size_t)title + 7, head.len);
		ptrdiff_t end = str_find_char(rest, '<');
		rest = str_trim(str_slice(rest, 0, end < 0 ? 0 : (size_t)end));
		(void)provider_reply_printable(rest.len ? rest : head, shown,
		                               160); /* the page itself when it has no title */
		len = snprintf(text, sizeof(text), "an HTML page instead of JSON: '%s'", shown);
	} else {
		(void)provider_reply_printable(head, shown, 160);
		len = snprintf(text, sizeof(text), "%zu bytes that are not JSON: '%s'", trimmed.len, shown);
	}
	provider_fault_say(f, str_make(text, (size_t)len));
}
