// libs: base
/* Any bytes: a tree whose every getter works and whose JSON is JSON, or an error that names the file. */
#include "common/base/json.h"
#include "common/base/yaml.h"
#include "tests/fuzz/fuzz.h"

static const char *const known[] = { "name", "prompt", NULL };

static void walk(const struct yaml_doc *doc, const struct yaml *v, unsigned depth)
{
	struct error e;
	struct str text;
	int64_t whole;
	double number;
	bool yes;
	check(depth <= 32);
	bool is_scalar = v && v->kind == YAML_SCALAR;
	check((yaml_want_str(doc, v, "f", &text, &e) == ERR_OK) == (is_scalar && !yaml_is_null(v)));
	if (yaml_want_i64(doc, v, "f", -5, INT64_MAX, &whole, &e) == ERR_OK)
		check(whole >= -5 && !v->quoted);
	if (yaml_want_num(doc, v, "f", -1e9, 1e9, &number, &e) == ERR_OK)
		check(number >= -1e9 && number <= 1e9 && !v->quoted);
	if (yaml_want_bool(doc, v, "f", &yes, &e) == ERR_OK)
		check(v->text.len == (yes ? 4 : 5) && !v->quoted);
	if (yaml_only_keys(doc, v, "f", known, &e) == ERR_OK)
		check(v->kind == YAML_MAP && v->len <= ARRAY_LEN(known) - 1);
	check(!v || (v->line > 0 && v->column > 0));
	for (size_t i = 0; v && i < v->len; i++)
		walk(doc, v->items[i], depth + 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct yaml_doc *doc = NULL;
	struct error e = { 0 };
	json_start();
	if (yaml_parse(str_make(data, len), "f.yaml", &doc, &e) != ERR_OK) {
		check_msg(str_starts(str_from(e.text), STR("f.yaml:")), "%s", e.text);
		return 0;
	}
	walk(doc, yaml_root(doc), 0);
	struct buf json;
	struct json_doc *back = NULL;
	buf_init(&json, SIZE_MAX / 4);
	check(yaml_to_json(yaml_root(doc), &json));
	if (json_parse(buf_str(&json), &back, &e) !=
	    ERR_OK) /* integers keep digits that the strict reader has no room for */
		check_msg(str_find(str_from(e.text), STR("too big")) >= 0 ||
		                  str_find(str_from(e.text), STR("NUL byte")) >= 0,
		          "%s", e.text);
	json_free(back);
	buf_done(&json);
	yaml_free(doc);
	return 0;
}
