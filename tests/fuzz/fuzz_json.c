// libs: base
/* Any text: parsed or refused; what parses is written and read back to the same canonical form. */
#include "common/base/json_write.h"
#include "tests/fuzz/fuzz.h"

static void canonical(struct str text, struct buf *out)
{
	struct json_doc *doc = NULL;
	enum err_code err = json_parse(text, &doc, NULL);
	check_msg(err == ERR_OK, "our own JSON is refused");
	check(json_write_canonical(json_root(doc), out));
	json_free(doc);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct json_doc *doc = NULL;
	struct error e = { 0 };
	json_start();
	if (json_parse(str_make(data, len), &doc, &e) != ERR_OK) {
		check_msg(str_starts(str_from(e.text), STR("line ")), "%s", e.text);
		return 0;
	}
	struct buf once, pretty, twice;
	struct json_write w;
	buf_init(&once, SIZE_MAX / 4);
	buf_init(&pretty, SIZE_MAX / 4);
	buf_init(&twice, SIZE_MAX / 4);
	check(json_write_canonical(json_root(doc), &once));
	json_write_init(&w, &pretty, true);
	json_write_value(&w, json_root(doc));
	canonical(buf_str(&pretty), &twice);
	check_msg(str_eq(buf_str(&once), buf_str(&twice)), "%s is not %s", once.data, twice.data);
	(void)json_pointer(json_root(doc), str_make(data, len)); /* only must not crash */
	json_free(doc);
	buf_done(&once);
	buf_done(&pretty);
	buf_done(&twice);
	return 0;
}
