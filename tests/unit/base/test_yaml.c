/* Goal: settings are read strictly, and every error names file, line, column and what to do. */
#include "common/base/yaml.h"
#include "tests/support/cmocka_all.h"

static struct yaml_doc *doc;
static struct error e;

static const char *parse(const char *text)
{
	yaml_free(doc);
	doc = NULL;
	memset(&e, 0, sizeof(e));
	return yaml_parse(str_from(text), "s.yaml", &doc, &e) ? e.text : "ok";
}

static int teardown(void **state)
{
	(void)state;
	yaml_free(doc);
	doc = NULL;
	return 0;
}

static void maps_lists_and_text_come_with_their_places(void **state)
{
	(void)state;
	assert_string_equal(parse("# settings\nname: no\nitems:\n  - \"5\"\n  - {a: 1, b: }\n"), "ok");
	const struct yaml *root = yaml_root(doc), *items = yaml_get(root, "items");
	assert_int_equal(root->kind, YAML_MAP);
	assert_int_equal(root->line, 2);
	assert_str_equal_c(yaml_get(root, "name")->text, "no");
	assert_int_equal(yaml_get(root, "name")->column, 7);
	assert_int_equal(items->len, 2);
	assert_true(items->items[0]->quoted);
	assert_true(yaml_is_null(yaml_get(items->items[1], "b")));
	assert_int_equal(items->items[1]->key_lines[1], 5);
	assert_int_equal(items->items[1]->key_columns[1], 12);
	assert_null(yaml_get(items, "b"));
}

static void what_is_refused_is_named_by_its_place(void **state)
{
	(void)state;
	static const struct {
		const char *text, *error;
	} cases[] = {
		{ "a: 1\nb: 2\na: 3\n", "s.yaml:3:1: the key 'a' stands here again (first at line 1, column 1)" },
		{ "a: &x 1\n", "s.yaml:1:4: anchors (&name) are not supported, write the value out" },
		{ "a: *x\n", "s.yaml:1:4: aliases (*name) are not supported, quote text that begins with '*'" },
		{ "a: !!int 1\n", "s.yaml:1:4: tags (!name) are not supported, quote text that begins with '!'" },
		{ "a: 1\n---\nb: 1\n", "s.yaml:2:1: a second document begins here, one is read" },
		{ "%YAML 1.1\n---\na: 1\n", "s.yaml:1:1: directives (%YAML, %TAG) are not supported" },
		{ "a:\n\tb: 1\n", "s.yaml:2:1: indent with spaces, not tabs" },
		{ "a:\n  - b: 1\n \tc: 2\n", "s.yaml:3:2: indent with spaces, not tabs" },
		{ "a: [1\nb: 2\n",
		  "s.yaml:2:2: did not find expected ',' or ']' while parsing a flow sequence that began "
		  "at line 1, column 4" },
		{ "a: {\n\tb: 1}\n", "s.yaml:2:2: indent with spaces, not tabs" },
		{ "? [1]\n: 2\n",
		  "s.yaml:1:3: a key must be text, not a list or a map (quote a value that begins with '{' or '[')" },
		{ "\"\": 2\n", "s.yaml:1:1: a key must not be empty" },
		{ "\xC3\xA9: \xff\n", "s.yaml:1:4: byte 0xff is not UTF-8" },
		{ "a: b\n x: \x01\n", "s.yaml:2:5: control characters are not allowed" },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_string_equal(parse(cases[i].text), cases[i].error);
}

static void an_unknown_key_is_answered_with_the_nearest_known_one(void **state)
{
	(void)state;
	static const char *const known[] = { "prompt", "scorers", NULL };
	assert_string_equal(parse("scorers: []\npromt: x\n"), "ok");
	assert_int_equal(yaml_only_keys(doc, yaml_root(doc), "suite", known, &e), ERR_INVALID);
	assert_string_equal(e.text, "s.yaml:2:1: unknown key 'promt' in suite; did you mean 'prompt'?");
	assert_string_equal(parse("zzz: 1\n"), "ok");
	assert_int_equal(yaml_only_keys(doc, yaml_root(doc), "", known, &e), ERR_INVALID);
	assert_string_equal(e.text, "s.yaml:1:1: unknown key 'zzz'; known are: prompt, scorers");
	assert_string_equal(parse("prompt: 1\n"), "ok");
	assert_ok(yaml_only_keys(doc, yaml_root(doc), "", known, &e), &e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(maps_lists_and_text_come_with_their_places, teardown),
		cmocka_unit_test_teardown(what_is_refused_is_named_by_its_place, teardown),
		cmocka_unit_test_teardown(an_unknown_key_is_answered_with_the_nearest_known_one, teardown),
	};
	return cmocka_run_group_tests_name("yaml", tests, NULL, NULL);
}
