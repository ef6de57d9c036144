// libs: base
/* Any bytes: repaired text is valid and mapping it twice is mapping it once; what is shown has nothing hidden in it. */
#include "common/base/unicode.h"
#include "tests/fuzz/fuzz.h"
#include <string.h>

static void map(struct str text, enum unicode_form form, size_t bytes_max)
{
	struct buf once, twice;
	buf_init(&once, bytes_max);
	buf_init(&twice, bytes_max);
	check(unicode_map(text, form, &once));
	check(unicode_valid(buf_str(&once)));
	check(unicode_map(buf_str(&once), form, &twice));
	check_msg(str_eq(buf_str(&once), buf_str(&twice)), "form %d: %s is not %s", (int)form, once.data, twice.data);
	buf_done(&once);
	buf_done(&twice);
}

static void show(struct str text)
{
	struct buf shown;
	char excerpt[40];
	buf_init(&shown, 10 * text.len);
	check(unicode_visible(text, &shown));
	check(unicode_valid(buf_str(&shown)));
	for (size_t i = 0; i < shown.len; i++)
		check((unsigned char)shown.data[i] >= 0x20 && shown.data[i] != 0x7F);
	struct str cut = str_from(unicode_excerpt(text, excerpt, sizeof(excerpt)));
	check(cut.len < sizeof(excerpt) && unicode_valid(cut));
	check((shown.len < sizeof(excerpt)) == str_eq(cut, buf_str(&shown)));
	buf_done(&shown);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct str text = str_make(data, len);
	struct buf sound;
	unsigned repairs = 0;
	show(text);
	buf_init(&sound, 3 * len + 1);
	check(unicode_repair(text, &sound, &repairs));
	check(unicode_valid(buf_str(&sound)) && (repairs == 0) == unicode_valid(text));
	check(unicode_length(buf_str(&sound)) <= unicode_length(text) &&
	      unicode_width(text) <= 2 * unicode_length(text));
	for (enum unicode_form form = UNICODE_NFC; form <= UNICODE_CASEFOLD; form++)
		map(buf_str(&sound), form, 100 * len + 100);
	buf_done(&sound);
	return 0;
}
