/* Goal: settings are read strictly, and every error names file, line, column and what to do. */
#include "common/base/mem.h"
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
		{ "a: &x {b: 1}\n", "s.yaml:1:4: anchors (&name) are not supported, write the value out" },
		{ "a: &x [1]\n", "s.yaml:1:4: anchors (&name) are not supported, write the value out" },
		{ "a: !t {b: 1}\n", "s.yaml:1:4: tags (!name) are not supported, quote text that begins with '!'" },
		{ "a: ! [1]\n", "s.yaml:1:4: tags (!name) are not supported, quote text that begins with '!'" },
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
		{ "a: Q: {{q}}\n",
		  "s.yaml:1:5: mapping values are not allowed in this context (quote text that has ': ' in it)" },
		{ "a: @x\n",
		  "s.yaml:1:4: found character that cannot start any token (quote text that begins with '@', '`' or "
		  "'%') while scanning for the next token that began at line 1, column 4" },
		{ "a: {{q}}\n",
		  "s.yaml:1:5: a key must be text, not a list or a map (quote a value that begins with '{' or '[')" },
		{ "? [1]\n: 2\n",
		  "s.yaml:1:3: a key must be text, not a list or a map (quote a value that begins with '{' or '[')" },
		{ "\"\": 2\n", "s.yaml:1:1: a key must not be empty" },
		{ "\xC3\xA9: \xff\n", "s.yaml:1:4: byte 0xff is not UTF-8" },
		{ "a: b\n x: \x01\n", "s.yaml:2:5: control characters are not allowed" },
		{ "\xEF\xBB\xBF"
		  "a: 1\n",
		  "s.yaml:1:1: the file starts with a byte order mark; save it without" },
		{ "\xFF\xFE"
		  "a",
		  "s.yaml:1:1: the file is UTF-16; save it as UTF-8 without a byte order mark" },
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
	static const char *const equally_near[] = { "cat", "bat", NULL };
	assert_string_equal(parse("rat: 1\n"), "ok");
	assert_int_equal(yaml_only_keys(doc, yaml_root(doc), NULL, equally_near, &e), ERR_INVALID);
	assert_string_equal(e.text, "s.yaml:1:1: unknown key 'rat'; did you mean 'cat'?");
	assert_string_equal(parse("zzz: 1\n"), "ok");
	assert_int_equal(yaml_only_keys(doc, yaml_root(doc), "", known, &e), ERR_INVALID);
	assert_string_equal(e.text, "s.yaml:1:1: unknown key 'zzz'; known are: prompt, scorers");
	assert_int_equal(yaml_only_keys(doc, yaml_root(doc), "suite", known, &e), ERR_INVALID);
	assert_string_equal(e.text, "s.yaml:1:1: unknown key 'zzz' in suite; known are: prompt, scorers");
	assert_string_equal(parse("prompt: 1\n"), "ok");
	assert_ok(yaml_only_keys(doc, yaml_root(doc), "", known, &e), &e);
}

static void an_empty_document_has_no_root_and_no_getter_minds(void **state)
{
	(void)state;
	static const char *const texts[] = { "", "\n", "# only a comment\n", "---\n...\n" };
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		assert_string_equal(parse(texts[i]), "ok");
		const struct yaml *root = yaml_root(doc);
		assert_true(yaml_is_null(root));
		assert_null(yaml_get(root, "a"));
		assert_int_equal(yaml_want_map(doc, root, "the suite", &e), ERR_INVALID);
	}
	assert_string_equal(e.text, "s.yaml:2:1: the suite must be a map (key: value), but nothing stands here");
	assert_string_equal(parse(""), "ok");
	assert_int_equal(yaml_want_map(doc, yaml_root(doc), "the suite", &e), ERR_INVALID);
	assert_string_equal(e.text, "s.yaml: the suite is missing, it must be a map (key: value)");
	yaml_free(NULL);
	assert_null(yaml_root(NULL));
	assert_string_equal(yaml_name(doc), "s.yaml");
}

/* What a wish for one type says of a value: "ok N" or the error behind its place. */
static const char *want(char type, const char *value)
{
	static char text[300];
	char yaml[200];
	struct str s = STR("");
	int64_t whole = 0;
	double number = 0;
	bool yes = false;
	enum err_code err = ERR_OK;
	(void)snprintf(yaml, sizeof(yaml), "v: %s\n", value);
	assert_string_equal(parse(yaml), "ok");
	const struct yaml *v = yaml_get(yaml_root(doc), "v");
	if (type == 's')
		err = yaml_want_str(doc, v, "f", &s, &e);
	else if (type == 'i')
		err = yaml_want_i64(doc, v, "f", 1, 100, &whole, &e);
	else if (type == 'n')
		err = yaml_want_num(doc, v, "f", 0, 2, &number, &e);
	else if (type == 'b')
		err = yaml_want_bool(doc, v, "f", &yes, &e);
	else
		err = type == 'l' ? yaml_want_list(doc, v, "f", &e) : yaml_want_map(doc, v, "f", &e);
	if (err == ERR_OK) {
		(void)snprintf(text, sizeof(text), "ok %.*s%lld %g %d", STR_ARG(s), (long long)whole, number, yes);
		return text;
	}
	assert_int_equal(err, ERR_INVALID);
	assert_memory_equal(e.text, "s.yaml:1:", 9);
	return strchr(e.text, ' ') + 1;
}

static void a_value_is_what_its_key_wants_or_an_error_says_both(void **state)
{
	(void)state;
	static const struct {
		char type;
		const char *value, *answer;
	} cases[] = {
		{ 's', "no", "ok no0 0 0" },
		{ 's', "12", "ok 120 0 0" },
		{ 's', "\"\"", "ok 0 0 0" },
		{ 's', "", "f must be text, but nothing stands here" },
		{ 's', "~", "f must be text, not '~'" },
		{ 's', "[a]", "f must be text, not a list" },
		{ 's', "{a: 1}", "f must be text, not a map" },
		{ 's', "\"null\"", "ok null0 0 0" },
		{ 'i', "100", "ok 100 0 0" },
		{ 'i', "+7", "ok 7 0 0" },
		{ 'i', "0", "f must be an integer from 1 to 100, not '0'" },
		{ 'i', "101", "f must be an integer from 1 to 100, not '101'" },
		{ 'i', "\"7\"", "f must be an integer from 1 to 100, not the text \"7\"" },
		{ 'i', "7.0", "f must be an integer from 1 to 100, not '7.0'" },
		{ 'i', "+-7", "f must be an integer from 1 to 100, not '+-7'" },
		{ 'i', "1\u202e", "f must be an integer from 1 to 100, not '1\\u202e'" },
		{ 'n', "1.5", "ok 0 1.5 0" },
		{ 'n', "1", "ok 0 1 0" },
		{ 'n', "2.01", "f must be a number from 0 to 2, not '2.01'" },
		{ 'n', ".nan", "f must be a number from 0 to 2, not '.nan'" },
		{ 'n', ".inf", "f must be a number from 0 to 2, not '.inf'" },
		{ 'n', "\"1\"", "f must be a number from 0 to 2, not the text \"1\"" },
		{ 'b', "true", "ok 0 0 1" },
		{ 'b', "false", "ok 0 0 0" },
		{ 'b', "yes", "f must be true or false, not 'yes'" },
		{ 'b', "True", "f must be true or false, not 'True'" },
		{ 'b', "\"true\"", "f must be true or false, not the text \"true\"" },
		{ 'l', "[]", "ok 0 0 0" },
		{ 'l', "a", "f must be a list, not 'a'" },
		{ 'm', "{}", "ok 0 0 0" },
		{ 'm', "[1]", "f must be a map (key: value), not a list" },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_string_equal(want(cases[i].type, cases[i].value), cases[i].answer);
	int64_t whole;
	double number;
	assert_int_equal(yaml_want_i64(doc, NULL, "generate.n", 1, INT64_MAX, &whole, &e), ERR_INVALID);
	assert_string_equal(e.text, "s.yaml: generate.n is missing, it must be an integer of at least 1");
	assert_int_equal(yaml_want_num(doc, NULL, "t", 0, 1e308, &number, &e), ERR_INVALID);
	assert_string_equal(e.text, "s.yaml: t is missing, it must be a number of at least 0");
}

static void a_callers_own_rule_is_told_with_the_place(void **state)
{
	(void)state;
	assert_string_equal(parse("a:\n  - b\n"), "ok");
	const struct yaml *b = yaml_get(yaml_root(doc), "a")->items[0];
	assert_int_equal(yaml_fail(doc, b, &e, "item %d is odd", 3), ERR_INVALID);
	assert_string_equal(e.text, "s.yaml:2:5: item 3 is odd");
	assert_int_equal(yaml_fail(doc, NULL, &e, "nothing"), ERR_INVALID);
	assert_string_equal(e.text, "s.yaml: nothing");
}

static void what_is_handed_on_unread_is_json_by_the_core_schema(void **state)
{
	(void)state;
	static const struct {
		const char *yaml, *json;
	} cases[] = {
		{ "{b: 1, a: [x, \"1\", 'y']}", "{\"b\":1,\"a\":[\"x\",\"1\",\"y\"]}" },
		{ "[~, null, Null, NULL, nULL, , \"\"]", NULL },
		{ "[~, null, Null, NULL, nULL, \"\"]", "[null,null,null,null,\"nULL\",\"\"]" },
		{ "[true, True, TRUE, tRUE, false, yes]", "[true,true,true,\"tRUE\",false,\"yes\"]" },
		{ "[0, -0, +12, 007, 0o17, 0x1fF, 0x, 0o8, 1_000]", "[0,0,12,7,15,511,\"0x\",\"0o8\",\"1_000\"]" },
		{ "[9223372036854775808, -00123456789012345678901]", "[9223372036854775808,-123456789012345678901]" },
		{ "[1.50, .5, 5., -1e3, 1E-2, 1e, e1, ., +, 1e999, .inf, .NaN]",
		  "[1.5,0.5,5,-1000,0.01,\"1e\",\"e1\",\".\",\"+\",\"1e999\",\".inf\",\".NaN\"]" },
		{ "- |\n  two\n  lines\n- >\n  one\n  line\n", "[\"two\\nlines\\n\",\"one line\\n\"]" },
		{ "2024-01-01", "\"2024-01-01\"" },
		{ "", "null" },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf out;
		const char *error = parse(cases[i].yaml);
		assert_int_equal(strcmp(error, "ok") == 0, cases[i].json != NULL);
		if (!cases[i].json)
			continue;
		buf_init(&out, 1000);
		assert_true(yaml_to_json(yaml_root(doc), &out));
		assert_string_equal(out.data, cases[i].json);
		buf_done(&out);
		buf_init(&out, strlen(cases[i].json) - 1);
		assert_false(yaml_to_json(yaml_root(doc), &out));
		buf_done(&out);
	}
}

static void size_and_depth_have_limits(void **state)
{
	(void)state;
	struct buf b;
	buf_init(&b, 20 << 20);
	for (int depth = 32; depth <= 33; depth++) {
		buf_clear(&b);
		for (int i = 0; i < depth; i++)
			(void)buf_append_char(&b, '[');
		for (int i = 0; i < depth; i++)
			(void)buf_append_char(&b, ']');
		assert_string_equal(parse(b.data), depth == 32 ? "ok" : "s.yaml:1:33: nested deeper than 32 levels");
	}
	assert_true(buf_reserve(&b, (16 << 20) + 2));
	memset(b.data, '#', (16 << 20) + 1);
	b.len = (16 << 20) + 1;
	assert_int_equal(yaml_parse(buf_str(&b), "s.yaml", &doc, &e), ERR_LIMIT);
	assert_string_equal(e.text, "s.yaml: 16777217 bytes of YAML, at most 16 MiB are read");
	b.len--;
	yaml_free(doc);
	assert_ok(yaml_parse(buf_str(&b), "s.yaml", &doc, &e), &e);
	buf_done(&b);
	assert_int_equal(yaml_parse(STR("\0"), "s.yaml", NULL, &e), ERR_INVALID);
	assert_string_equal(e.text, "s.yaml:1:1: a NUL byte stands here");
	assert_int_equal(yaml_parse(STR("a: \0"), "s.yaml", &doc, &e), ERR_INVALID);
	assert_string_equal(e.text, "s.yaml:1:4: a NUL byte stands here");
}

static void a_small_text_of_very_many_values_is_a_limit(void **state)
{
	(void)state;
	struct buf b;
	buf_init(&b, 16 << 20);
	while (buf_append_c(&b, "-\n"))
		;
	b.failed = false;
	assert_int_equal(yaml_parse(buf_str(&b), "s.yaml", &doc, &e), ERR_LIMIT);
	assert_string_equal(e.text, "s.yaml: too many values, over 256 MiB once read");
	buf_done(&b);
}

static void places_count_as_an_editor_does_in_all_kinds_of_line_breaks(void **state)
{
	(void)state;
	assert_string_equal(parse("a: 1\r\n\xC3\xA9: 2\r\nb: {c: 1,\r\n  c: 2}\r\n"),
	                    "s.yaml:4:3: the key 'c' stands here again (first at line 3, column 5)");
	assert_string_equal(parse("a: 1\r\nb: 2\r\nc\xff"), "s.yaml:3:2: byte 0xff is not UTF-8");
	assert_string_equal(parse("\n\xff"), "s.yaml:2:1: byte 0xff is not UTF-8");
	assert_string_equal(parse("a: 1\rb: 1\ra: 2"),
	                    "s.yaml:3:1: the key 'a' stands here again (first at line 1, column 1)");
}

static void the_first_key_that_comes_again_is_named(void **state)
{
	(void)state;
	assert_string_equal(parse("z: 1\nb: 2\na: 3\nb: 4\nb: 5\na: 6\n"),
	                    "s.yaml:4:1: the key 'b' stands here again (first at line 2, column 1)");
	assert_string_equal(parse("\"\\x1b\\n\": 1\n\"\\e\\n\": 2\n"),
	                    "s.yaml:2:1: the key '\\x1b\\n' stands here again (first at line 1, column 1)");
}

static void every_failed_allocation_is_told_and_leaks_nothing(void **state)
{
	(void)state;
	uint64_t nth = 1;
	for (enum err_code err = ERR_NOMEM; err != ERR_OK; nth++) {
		struct yaml_doc *read = NULL;
		mem_fail_at(nth);
		err = yaml_parse(STR("a: [1, {b: 2, c: 3}, \"x\"]\nd: text\n"), "s.yaml", &read, &e);
		mem_fail_at(0);
		if (err != ERR_OK)
			assert_int_equal(err, ERR_NOMEM);
		yaml_free(read);
	}
	assert_in_range(nth, 5, 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(maps_lists_and_text_come_with_their_places, teardown),
		cmocka_unit_test_teardown(what_is_refused_is_named_by_its_place, teardown),
		cmocka_unit_test_teardown(an_unknown_key_is_answered_with_the_nearest_known_one, teardown),
		cmocka_unit_test_teardown(an_empty_document_has_no_root_and_no_getter_minds, teardown),
		cmocka_unit_test_teardown(a_value_is_what_its_key_wants_or_an_error_says_both, teardown),
		cmocka_unit_test_teardown(a_callers_own_rule_is_told_with_the_place, teardown),
		cmocka_unit_test_teardown(what_is_handed_on_unread_is_json_by_the_core_schema, teardown),
		cmocka_unit_test_teardown(size_and_depth_have_limits, teardown),
		cmocka_unit_test_teardown(a_small_text_of_very_many_values_is_a_limit, teardown),
		cmocka_unit_test_teardown(places_count_as_an_editor_does_in_all_kinds_of_line_breaks, teardown),
		cmocka_unit_test_teardown(the_first_key_that_comes_again_is_named, teardown),
		cmocka_unit_test_teardown(every_failed_allocation_is_told_and_leaks_nothing, teardown),
	};
	return cmocka_run_group_tests_name("yaml", tests, NULL, NULL);
}
