// libs: catalog
/* Any item file under a sound suite: the same whether it comes whole or in small chunks; an error names file and line.
 */
#include "coordinator/catalog/suite.h"
#include "tests/fuzz/fuzz.h"

struct whole {
	struct str text;
	size_t step;
};

static enum err_code read_items(void *arg, struct str name, suite_sink *sink, void *sink_arg, struct error *reterr)
{
	struct whole *w = arg;
	(void)name;
	for (size_t at = 0; at < w->text.len; at += w->step) {
		enum err_code err = sink(sink_arg, str_slice(w->text, at, at + w->step), reterr);
		if (err)
			return err;
	}
	return ERR_OK;
}

static enum err_code read_suite(const uint8_t *data, size_t len, size_t step, struct suite **ret_suite, struct error *e)
{
	static const char yaml[] =
		"schema: assay.suite.v1\nname: s\ntask: t\nitems: [i.jsonl]\nstratum: k\n"
		"generate: {prompt: '{{input}} {{choices}}'}\nscores: [{type: choice}, {type: exact}]\n";
	struct whole whole = { str_make(data, len), step };
	struct suite_source source = { read_items, &whole, 0 };
	*ret_suite = NULL;
	return suite_read(str_from(yaml), "s.yaml", &source, ret_suite, e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct error first = { .text = "" }, second = { .text = "" };
	struct suite *a, *b;
	json_start();
	enum err_code one = read_suite(data, len, len + 1, &a, &first);
	enum err_code two = read_suite(data, len, 5, &b, &second);
	check_msg(one == two, "%s | %s", first.text, second.text);
	if (one == ERR_OK)
		check(hash_eq(a->hash, b->hash));
	else
		check_msg(str_starts(str_from(first.text), STR("i.jsonl:")) ||
		                  str_starts(str_from(first.text), STR("s.yaml:4:")),
		          "no place: %s", first.text);
	suite_free(a);
	suite_free(b);
	return 0;
}
