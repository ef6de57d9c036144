#include "common/base/unicode.h"
#include "common/base/check.h"
#include "common/base/mem.h"
#include <stdio.h>
#include <string.h>
#include <utf8proc.h>

/* ---- UTF-8 ---- */

enum { REPLACEMENT = 0xFFFD };

static bool is_tail(struct str s, size_t at)
{
	return at < s.len && ((unsigned char)s.data[at] & 0xC0) == 0x80;
}

/* Table 3-7 of the Unicode Standard: the lead byte decides the length and what the second byte may be. */
bool unicode_next(struct str s, size_t *at, uint32_t *ret_code)
{
	unsigned char lead = (unsigned char)s.data[(*at)++];
	*ret_code = lead;
	if (lead < 0x80)
		return true;
	*ret_code = REPLACEMENT;
	if (lead < 0xC2 || lead > 0xF4)
		return false;
	unsigned tails = lead < 0xE0 ? 1 : lead < 0xF0 ? 2 : 3;
	unsigned char low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
	unsigned char high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
	if (*at >= s.len || (unsigned char)s.data[*at] < low || (unsigned char)s.data[*at] > high)
		return false;
	uint32_t code = lead & (0x3Fu >> tails);
	for (; tails > 0; tails--) {
		if (!is_tail(s, *at))
			return false;
		code = code << 6 | ((unsigned char)s.data[(*at)++] & 0x3Fu);
	}
	*ret_code = code;
	return true;
}

size_t unicode_bad_at(struct str s)
{
	uint32_t code;
	for (size_t at = 0; at < s.len;) {
		size_t start = at;
		if (!unicode_next(s, &at, &code))
			return start;
	}
	return s.len;
}

bool unicode_valid(struct str s)
{
	return unicode_bad_at(s) == s.len;
}

bool unicode_repair(struct str s, struct buf *out, unsigned *ret_repairs)
{
	unsigned repairs = 0;
	size_t copied = 0;
	for (size_t at = 0; at < s.len && !out->failed;) {
		size_t start = at;
		uint32_t code;
		if (unicode_next(s, &at, &code))
			continue;
		repairs++;
		(void)buf_append_str(out, str_slice(s, copied, start)); /* out->failed is asked at the end */
		(void)buf_append_str(out, STR("\xEF\xBF\xBD"));
		copied = at;
	}
	(void)buf_append_str(out, str_slice(s, copied, s.len));
	if (ret_repairs)
		*ret_repairs = repairs;
	return !out->failed;
}

size_t unicode_length(struct str s)
{
	size_t count = 0;
	uint32_t code;
	for (size_t at = 0; at < s.len;) {
		size_t start = at;
		count += unicode_next(s, &at, &code) ? 1 : at - start;
	}
	return count;
}

/* ---- what a terminal shows ---- */

unsigned unicode_width(struct str s)
{
	unsigned width = 0;
	uint32_t code;
	for (size_t at = 0; at < s.len;) {
		(void)unicode_next(s, &at, &code); /* broken: the width of U+FFFD */
		width += (unsigned)utf8proc_charwidth((utf8proc_int32_t)code);
	}
	return width;
}

static bool is_hidden(uint32_t code)
{
	switch (utf8proc_category((utf8proc_int32_t)code)) {
	case UTF8PROC_CATEGORY_CC:
	case UTF8PROC_CATEGORY_ZL:
	case UTF8PROC_CATEGORY_ZP:
		return true;
	case UTF8PROC_CATEGORY_CF: /* but for joiners, which scripts need, and the Arabic number signs, which show */
		return code != 0x200C && code != 0x200D && !(code >= 0x600 && code <= 0x605) && code != 0x6DD;
	default:
		return false;
	}
}

enum { GLYPH_BYTES_MAX = 12 };

/* How the character at *at is shown; `spelled` is scratch for those that must not be shown as they are. */
static struct str glyph_next(struct str s, size_t *at, char spelled[GLYPH_BYTES_MAX])
{
	size_t start = *at;
	uint32_t code;
	int len;
	if (!unicode_next(s, at, &code)) {
		*at = start + 1; /* byte by byte */
		len = snprintf(spelled, GLYPH_BYTES_MAX, "\\x%02x", (unsigned)(unsigned char)s.data[start]);
	} else if (!is_hidden(code)) {
		return str_slice(s, start, *at);
	} else if (code == '\n' || code == '\t' || code == '\r') {
		len = snprintf(spelled, GLYPH_BYTES_MAX, "\\%c", code == '\n' ? 'n' : code == '\t' ? 't' : 'r');
	} else {
		char kind = code < 0x80 ? 'x' : code <= 0xFFFF ? 'u' : 'U';
		int digits = code < 0x80 ? 2 : code <= 0xFFFF ? 4 : 8;
		len = snprintf(spelled, GLYPH_BYTES_MAX, "\\%c%0*x", kind, digits, (unsigned)code);
	}
	return str_make(spelled, (size_t)len);
}

bool unicode_visible(struct str s, struct buf *out)
{
	char spelled[GLYPH_BYTES_MAX];
	for (size_t at = 0; at < s.len && !out->failed;)
		(void)buf_append_str(out, glyph_next(s, &at, spelled));
	return !out->failed;
}

const char *unicode_excerpt(struct str s, char *out, size_t out_bytes)
{
	static const char dots[] = "...";
	char spelled[GLYPH_BYTES_MAX];
	size_t len = 0, room_for_dots = 0; /* the longest start that leaves room for the dots */
	check(out_bytes > sizeof(dots));
	for (size_t at = 0; at < s.len;) {
		struct str glyph = glyph_next(s, &at, spelled);
		if (glyph.len > out_bytes - 1 - len) {
			memcpy(out + room_for_dots, dots, sizeof(dots));
			return out;
		}
		memcpy(out + len, glyph.data, glyph.len);
		len += glyph.len;
		if (len + sizeof(dots) <= out_bytes)
			room_for_dots = len;
	}
	out[len] = '\0';
	return out;
}

/* ---- normal forms ---- */

struct codes {
	int32_t *at; /* room for one more than cap: utf8proc ends it with 0 */
	size_t len, cap;
};

static bool codes_new(struct codes *c, size_t cap)
{
	*c = (struct codes){ .cap = cap };
	c->at = mem_try_new(cap + 1, sizeof(*c->at));
	return c->at != NULL;
}

static unsigned combining_class(int32_t code)
{
	return (unsigned)utf8proc_get_property(code)->combining_class;
}

/* Sorts a run of combining marks by class and keeps equal ones in order. By counting, since a hostile run is as long
 * as the text; `spare` has room for it. */
static void order_run(int32_t *run, size_t len, int32_t *spare)
{
	size_t start[257] = { 0 };
	for (size_t i = 0; i < len; i++)
		start[combining_class(run[i]) + 1]++;
	for (size_t i = 1; i < ARRAY_LEN(start); i++)
		start[i] += start[i - 1];
	for (size_t i = 0; i < len; i++)
		spare[start[combining_class(run[i])]++] = run[i];
	memcpy(run, spare, len * sizeof(*run));
}

static bool order_marks(struct codes *c)
{
	int32_t *spare = NULL;
	for (size_t i = 0; i < c->len;) {
		size_t from = i;
		while (i < c->len && combining_class(c->at[i]) != 0)
			i++;
		if (i - from > 1) {
			if (!spare)
				spare = mem_try_new(c->len, sizeof(*spare));
			if (!spare)
				return false;
			order_run(c->at + from, i - from, spare);
		}
		i += i == from;
	}
	mem_free(spare);
	return true;
}

/* Each code of `in` taken apart by the options; counts first, so that `ret_out` is as large as needed and no larger
 * than `cap_max`. */
static bool take_apart(const struct codes *in, utf8proc_option_t options, size_t cap_max, struct codes *ret_out)
{
	int last_boundclass = 0;
	size_t count = 0;
	for (size_t i = 0; i < in->len; i++) {
		int32_t few[32];
		count += (size_t)utf8proc_decompose_char(in->at[i], few, ARRAY_LEN(few), options, &last_boundclass);
	}
	if (count > cap_max || !codes_new(ret_out, count))
		return false;
	for (size_t i = 0; i < in->len; i++)
		ret_out->len += (size_t)utf8proc_decompose_char(in->at[i], ret_out->at + ret_out->len,
		                                                (utf8proc_ssize_t)(count - ret_out->len), options,
		                                                &last_boundclass);
	return order_marks(ret_out);
}

/* Replaces what is in `c`. */
static bool transform(struct codes *c, utf8proc_option_t options, size_t cap_max)
{
	struct codes apart = { 0 };
	bool ok = take_apart(c, options, cap_max, &apart);
	mem_free(c->at);
	*c = apart;
	return ok;
}

static void put_together(struct codes *c)
{
	c->len = (size_t)utf8proc_normalize_utf32(c->at, (utf8proc_ssize_t)c->len, UTF8PROC_STABLE | UTF8PROC_COMPOSE);
}

static bool decode(struct str s, struct codes *ret_codes)
{
	if (!codes_new(ret_codes, s.len))
		return false;
	for (size_t at = 0; at < s.len;) {
		uint32_t code;
		(void)unicode_next(s, &at, &code); /* the caller vouches; a broken one would become U+FFFD */
		ret_codes->at[ret_codes->len++] = (int32_t)code;
	}
	return true;
}

static void encode(const struct codes *c, struct buf *out)
{
	for (size_t i = 0; i < c->len; i++) {
		utf8proc_uint8_t bytes[4];
		(void)buf_append(out, bytes, (size_t)utf8proc_encode_char(c->at[i], bytes));
	}
}

static bool map_codes(struct codes *c, enum unicode_form form, size_t cap_max)
{
	const utf8proc_option_t plain = UTF8PROC_STABLE | UTF8PROC_DECOMPOSE;
	bool ok = false;
	switch (form) {
	case UNICODE_NFC:
		ok = transform(c, plain, cap_max);
		break;
	case UNICODE_NFKC:
		ok = transform(c, plain | UTF8PROC_COMPAT, cap_max);
		break;
	case UNICODE_CASEFOLD: /* first plain: folding turns U+0345 from a mark into a letter, after ordering only */
		ok = transform(c, plain, cap_max) && transform(c, plain | UTF8PROC_COMPAT | UTF8PROC_CASEFOLD, cap_max);
		break;
	}
	if (ok)
		put_together(c);
	return ok;
}

static bool map_ascii(struct str s, enum unicode_form form, struct buf *out)
{
	if (!buf_append_str(out, s))
		return false;
	char *copy = out->data + out->len - s.len;
	for (size_t i = 0; form == UNICODE_CASEFOLD && i < s.len; i++)
		if (copy[i] >= 'A' && copy[i] <= 'Z')
			copy[i] = (char)(copy[i] | 0x20);
	return true;
}

static bool is_ascii(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.data[i] & 0x80)
			return false;
	return true;
}

bool unicode_map(struct str s, enum unicode_form form, struct buf *out)
{
	if (is_ascii(s))
		return map_ascii(s, form, out);
	if (out->failed)
		return false;
	/* Composing never shrinks a text to under a quarter of its codes: past that it cannot fit anyway. */
	size_t cap_max = out->max - out->len <= SIZE_MAX / 8 ? (out->max - out->len) * 4 + 16 : SIZE_MAX / 8;
	struct codes codes;
	bool ok = decode(s, &codes) && map_codes(&codes, form, cap_max);
	if (ok)
		encode(&codes, out);
	else
		out->failed = true;
	mem_free(codes.at);
	return ok && !out->failed;
}
