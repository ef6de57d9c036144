// libs: catalog
/* Any suite.yaml beside sound items: a suite whose definition reads back as itself, or an error with its place. */
#include "common/base/json_write.h"
#include "coordinator/catalog/suite.h"
#include "tests/fuzz/fuzz.h"

static enum err_code read_items(void *arg, struct str name, suite_sink *sink, void *sink_arg, struct error *reterr)
{
	(void)arg;
	(void)name;
	return sink(sink_arg, STR("{\"id\":\"a\",\"input\":\"Q\",\"target\":\"A\",\"choices\":[\"A\",\"B\"]}\n"),
	            reterr);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct suite_source source = { read_items, NULL, 0 };
	struct error e = { .text = "" };
	struct suite *s;
	json_start();
	enum err_code err = suite_read(str_make(data, len), "s.yaml", &source, &s, &e);
	if (err) {
		check_msg(str_starts(str_from(e.text), STR("s.yaml:")) || str_starts(str_from(e.text), STR("items")) ||
		                  str_find(str_from(e.text), STR(":1:")) >= 0,
		          "no place: %s", e.text);
		return 0;
	}
	struct json_doc *doc;
	struct buf again;
	buf_init(&again, 64 << 20);
	err = json_parse(s->definition, &doc, &e);
	check_msg(err == ERR_OK, "%s", e.text);
	check(json_write_canonical(json_root(doc), &again) && str_eq(buf_str(&again), s->definition));
	check(s->item_count > 0 && s->metric_count > 0);
	json_free(doc);
	buf_done(&again);
	suite_free(s);
	return 0;
}
