#include "common/wire/text.h"
#include "common/base/unicode.h"
#include <string.h>

static const char replacement[] = "\xEF\xBF\xBD";
enum { REPLACEMENT_BYTES = sizeof(replacement) - 1 };

/* How many bytes at the start are ASCII and not NUL; may stop a little early. */
static size_t plain_prefix(struct str s)
{
	const uint64_t ones = UINT64_C(0x0101010101010101), highs = ones << 7;
	size_t at = 0;
	for (; s.len - at >= sizeof(uint64_t); at += sizeof(uint64_t)) {
		uint64_t eight;
		memcpy(&eight, s.data + at, sizeof(eight));
		if (((eight - ones) | eight) & highs) /* a borrow marks a zero byte, the top bit a byte over 127 */
			break;
	}
	while (at < s.len && s.data[at] > 0)
		at++;
	return at;
}

bool text_valid(struct str s)
{
	size_t at = plain_prefix(s);
	return at == s.len || (!memchr(s.data + at, '\0', s.len - at) && unicode_valid(str_slice(s, at, s.len)));
}

size_t text_repaired_len(struct str s)
{
	size_t at = plain_prefix(s), len = at;
	while (at < s.len) {
		size_t start = at;
		uint32_t code;
		bool good = unicode_next(s, &at, &code) && code != 0;
		len += good ? at - start : REPLACEMENT_BYTES;
	}
	return len;
}

void text_repair(struct str s, char *out)
{
	for (size_t at = 0; at < s.len;) {
		size_t start = at;
		uint32_t code;
		bool good = unicode_next(s, &at, &code) && code != 0;
		size_t len = good ? at - start : REPLACEMENT_BYTES;
		memcpy(out, good ? s.data + start : replacement, len);
		out += len;
	}
}
