// libs: base
/* Any bytes: what comes out is UTF-8 without lone surrogates, needs no second repair, and sound text is not touched. */
#include "common/base/json.h"
#include "common/base/unicode.h"
#include "tests/fuzz/fuzz.h"
#include <string.h>

static bool parses(struct str text, struct error *e)
{
	struct json_doc *doc = NULL;
	bool ok = json_parse(text, &doc, e) == ERR_OK;
	json_free(doc);
	return ok;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct str text = str_make(data, len);
	struct buf once, twice;
	struct error e = { 0 };
	unsigned repairs = 0, again = 0;
	json_start();
	buf_init(&once, 4 * len + 64);
	buf_init(&twice, 4 * len + 64);
	check(json_repair(text, &once, &repairs));
	check(unicode_valid(buf_str(&once)));
	check(json_repair(buf_str(&once), &twice, &again));
	check(again == 0 && str_eq(buf_str(&once), buf_str(&twice)));
	check((repairs == 0) == str_eq(buf_str(&once), text));
	if (parses(text, NULL))
		check(repairs == 0);
	if (!parses(buf_str(&once), &e)) {
		const char *what = strstr(e.text, ": "); /* past the place */
		check_msg(what && strncmp(what, ": unable to decode", 18) != 0 &&
		                  strncmp(what, ": invalid Unicode", 17) != 0,
		          "%s", e.text);
	}
	buf_done(&once);
	buf_done(&twice);
	return 0;
}
