// libs: base
/* Any text: what passes the check renders, and with no braces in the values the result is at most as long as said. */
#include "common/base/template.h"
#include "tests/fuzz/fuzz.h"

struct names {
	size_t count, bytes;
};

static bool lookup(void *context, struct str name, struct str *ret_value)
{
	struct names *names = context;
	names->count++;
	names->bytes += name.len;
	*ret_value = name;
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct str text = str_make(data, len), name;
	struct names names = { 0, 0 };
	struct error e = { 0 };
	struct buf out;
	size_t count = 0, bytes = 0;
	buf_init(&out, len);
	enum err_code checked = template_check(text, &e);
	enum err_code rendered = template_render(text, lookup, &names, &out, &e);
	check_msg(checked == rendered, "%s", e.text);
	check(checked == ERR_OK || str_starts(str_from(e.text), STR("line ")));
	for (size_t at = 0; checked == ERR_OK && template_next_name(text, &at, &name); count++)
		bytes += name.len;
	if (checked == ERR_OK)
		check(count == names.count && bytes == names.bytes && out.len + 4 * count <= len);
	buf_done(&out);
	return 0;
}
