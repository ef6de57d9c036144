/* Goal: strict reading with errors that name the place; nothing hostile gets past the limits; repair mends what a
 * provider may send and nothing else. */
#include "common/base/json.h"
#include "common/base/mem.h"
#include "tests/support/cmocka_all.h"

static struct error e;

static const char *parse_error(struct str text)
{
	struct json_doc *doc = NULL;
	memset(&e, 0, sizeof(e));
	if (json_parse(text, &doc, &e) == ERR_OK)
		(void)snprintf(e.text, sizeof(e.text), "ok");
	json_free(doc);
	return e.text;
}

static struct json_doc *parsed(const char *text)
{
	struct json_doc *doc = NULL;
	assert_ok(json_parse(str_from(text), &doc, &e), &e);
	return doc;
}

/* ---- reading ---- */

static void a_document_reads_back_by_key_index_and_pointer(void **state)
{
	(void)state;
	struct json_doc *doc = parsed("{\"a\": [1, 2.5, \"x\\u0000y\", null, true], \"~/\": -3, \"\": {\"b\": 7}}");
	const struct json *root = json_root(doc);
	assert_int_equal(json_len(root), 3);
	assert_int_equal(json_len(json_get(root, "a")), 5);
	assert_int_equal(json_i64_or(json_at(json_get(root, "a"), 0), 0), 1);
	assert_str_equal(json_str_or(json_pointer(root, STR("/a/2")), STR("")), STR("x\0y"));
	assert_int_equal(json_i64_or(json_pointer(root, STR("/~0~1")), 0), -3);
	assert_int_equal(json_i64_or(json_pointer(root, STR("//b")), 0), 7);
	assert_ptr_equal(json_pointer(root, STR("")), root);
	static const char *const absent[] = { "/a/5",  "/a/-", "/a/01", "/a/0/0", "/x",
		                              "a",     "/~",   "/~2",   "/a/",    "/a/18446744073709551616",
		                              "/~0~1~" };
	for (size_t i = 0; i < ARRAY_LEN(absent); i++)
		assert_null(json_pointer(root, str_from(absent[i])));
	json_free(doc);
}

static void members_come_in_the_order_of_the_text(void **state)
{
	(void)state;
	struct json_doc *doc = parsed("{\"z\":1,\"a\":2,\"m\":3,\"b\":4,\"y\":5,\"c\":6,\"x\":7,\"d\":8,\"w\":9}");
	struct json_iter it = { 0 };
	int64_t n = 0;
	while (json_next(json_root(doc), &it))
		assert_int_equal(json_i64_or(it.value, 0), ++n);
	assert_int_equal(n, 9);
	assert_false(json_next(json_root(doc), &it));
	json_free(doc);
	struct json_iter none = { 0 };
	assert_false(json_next(NULL, &none));
}

static void a_getter_takes_its_own_kind_only(void **state)
{
	(void)state;
	struct json_doc *doc = parsed("[\"1\", 1, 1.0, true, null, [], {}]");
	static const enum json_kind kinds[] = { JSON_STR,  JSON_INT,   JSON_REAL,  JSON_BOOL,
		                                JSON_NULL, JSON_ARRAY, JSON_OBJECT };
	for (size_t i = 0; i <= ARRAY_LEN(kinds); i++) {
		const struct json *v = json_at(json_root(doc), i); /* the last is absent */
		enum json_kind kind = i < ARRAY_LEN(kinds) ? kinds[i] : JSON_ABSENT;
		struct str s;
		int64_t n;
		double d;
		bool b;
		assert_int_equal(json_kind(v), kind);
		assert_int_equal(json_str(v, &s), kind == JSON_STR);
		assert_int_equal(json_i64(v, &n), kind == JSON_INT);
		assert_int_equal(json_num(v, &d), kind == JSON_INT || kind == JSON_REAL);
		assert_int_equal(json_bool(v, &b), kind == JSON_BOOL);
		assert_null(json_get(v, "x"));
		assert_null(json_at(v, 0));
		assert_int_equal(json_len(v), 0);
	}
	assert_string_equal(json_kind_name(JSON_INT), "an integer");
	assert_string_equal(json_kind_name(JSON_OBJECT), "an object");
	json_free(doc);
}

static void integers_are_exact_and_anything_can_be_the_root(void **state)
{
	(void)state;
	struct json_doc *doc = parsed("[9223372036854775807, -9223372036854775808, 9007199254740993]");
	assert_true(json_i64_or(json_at(json_root(doc), 0), 0) == INT64_MAX);
	assert_true(json_i64_or(json_at(json_root(doc), 1), 0) == INT64_MIN);
	assert_true(json_i64_or(json_at(json_root(doc), 2), 0) == 9007199254740993);
	json_free(doc);
	doc = parsed(" \"text\" ");
	assert_str_equal_c(json_str_or(json_root(doc), STR("")), "text");
	json_free(doc);
	json_free(NULL);
	assert_null(json_root(NULL));
}

/* ---- refusing ---- */

static void an_error_names_line_column_and_what_stands_there(void **state)
{
	(void)state;
	static const struct {
		struct str text;
		const char *error;
	} cases[] = {
		{ STR_INIT(""), "line 1, column 1: no JSON here, the text is empty" },
		{ STR_INIT(" \n "), "line 1, column 1: no JSON here, the text is empty" },
		{ STR_INIT("{\"a\":1,\n \"a\":2}"), "line 2, column 2: duplicate object key near '\"a\"'" },
		{ STR_INIT("{'a':1}"), "line 1, column 2: string or '}' expected near '''" },
		{ STR_INIT("[1,]"), "line 1, column 4: unexpected token near ']'" },
		{ STR_INIT("[NaN]"), "line 1, column 2: invalid token near 'NaN'" },
		{ STR_INIT("[1] x"), "line 1, column 5: end of file expected near 'x'" },
		{ STR_INIT("{\"a\":\n\"\xC3\xA9\xC3\xA9\", b}"), "line 2, column 7: string or '}' expected near 'b'" },
		{ STR_INIT("[18446744073709551615]"),
		  "line 1, column 2: too big integer near '18446744073709551615' (integers "
		  "must fit 64 bits, reals a double; write others as strings)" },
		{ STR_INIT("[1e999]"),
		  "line 1, column 2: real number overflow near '1e999' (integers must fit 64 bits, reals a "
		  "double; write others as strings)" },
		{ STR_INIT("\xEF\xBB\xBF{}"),
		  "line 1, column 1: invalid token near '\\ufeff' (the text starts with a byte order mark; save "
		  "it without)" },
		{ STR_INIT("{\"a\\u0000\":1}"),
		  "line 1, column 2: NUL byte in object key not supported near '\"a\\u0000\"'" },
		{ STR_INIT("[\"a\0\"]"), "line 1, column 2: control character 0x0 near '\"a'" },
		{ STR_INIT("[\"\\ud83d\"]"), "line 1, column 2: invalid Unicode '\\uD83D' near '\"\\ud83d\"'" },
		{ STR_INIT("\"abc"), "line 1, column 1: premature end of input near '\"abc'" },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_string_equal(parse_error(cases[i].text), cases[i].error);
}

static void depth_and_keys_have_limits(void **state)
{
	(void)state;
	struct buf b;
	buf_init(&b, 1 << 22);
	for (int i = 0; i < JSON_DEPTH_MAX; i++)
		(void)buf_append_char(&b, '[');
	for (int i = 0; i < JSON_DEPTH_MAX; i++)
		(void)buf_append_char(&b, ']');
	assert_string_equal(parse_error(buf_str(&b)), "ok");
	buf_clear(&b);
	for (int i = 0; i <= JSON_DEPTH_MAX; i++)
		(void)buf_append_char(&b, '[');
	assert_string_equal(parse_error(buf_str(&b)), "line 1, column 129: nested deeper than 128 levels");
	assert_int_equal(e.code, ERR_LIMIT);
	for (int keys = JSON_KEYS_MAX; keys <= JSON_KEYS_MAX + 1; keys++) {
		buf_clear(&b);
		(void)buf_append_c(&b, "[{");
		for (int i = 0; i < keys; i++)
			(void)buf_printf(&b, "%s\"%d\":\":\"", i ? "," : "", i);
		(void)buf_append_c(&b, "}]");
		const char *error = parse_error(buf_str(&b));
		assert_int_equal(strcmp(error, "ok") == 0, keys == JSON_KEYS_MAX);
		assert_int_equal(e.code, keys == JSON_KEYS_MAX ? ERR_OK : ERR_LIMIT);
	}
	buf_done(&b);
}

static void brackets_and_colons_in_strings_do_not_count(void **state)
{
	(void)state;
	struct buf b;
	buf_init(&b, 1 << 20);
	(void)buf_append_c(&b, "[\"\\\\\",\"\\\"");
	for (int i = 0; i < 1000; i++)
		(void)buf_append_c(&b, "[{:");
	(void)buf_append_c(&b, "\"]");
	assert_string_equal(parse_error(buf_str(&b)), "ok");
	buf_done(&b);
}

static void running_out_of_memory_is_said_so_and_leaks_nothing(void **state)
{
	(void)state;
	struct str text =
		STR("{\"a\":[1,2.5,\"x\\u00e9\",{\"b\":null,\"c\":{}}],\"d\":\"0123456789012345678901234567890\"}");
	uint64_t nth = 1;
	for (enum err_code err = ERR_NOMEM; err != ERR_OK; nth++) {
		struct json_doc *doc = NULL;
		mem_fail_at(nth);
		err = json_parse(text, &doc, &e);
		mem_fail_at(0);
		if (err != ERR_OK) {
			assert_int_equal(err, ERR_NOMEM);
			assert_string_equal(e.text, "out of memory reading 79 bytes of JSON");
			assert_null(doc);
		}
		json_free(doc);
	}
	assert_in_range(nth, 20, 1000);
}

/* ---- repair ---- */

static const char *repair(const char *text, unsigned *ret_repairs)
{
	static char result[200];
	struct buf out;
	buf_init(&out, sizeof(result) - 1);
	assert_true(json_repair(str_from(text), &out, ret_repairs));
	(void)snprintf(result, sizeof(result), "%s", buf_str(&out).data);
	buf_done(&out);
	return result;
}

static void repair_mends_lone_surrogates_and_broken_bytes(void **state)
{
	(void)state;
	static const struct {
		const char *text, *repaired;
		unsigned repairs;
	} cases[] = {
		{ "{\"a\":\"\\ud83d\\ude00\"}", "{\"a\":\"\\ud83d\\ude00\"}", 0 },
		{ "{\"a\":\"cut \\ud83d\"}", "{\"a\":\"cut \xEF\xBF\xBD\"}", 1 },
		{ "\"\\ude00\\ud83d\"", "\"\xEF\xBF\xBD\xEF\xBF\xBD\"", 2 },
		{ "\"\\uD83D\\uD83D\\uDE00\"", "\"\xEF\xBF\xBD\\uD83D\\uDE00\"", 1 },
		{ "\"\\ud83dx\\u0041\"", "\"\xEF\xBF\xBDx\\u0041\"", 1 },
		{ "\"\\uD899\\uABCD\\udfff\"", "\"\xEF\xBF\xBD\\uABCD\xEF\xBF\xBD\"", 2 },
		{ "\"\\\\ud83d\"", "\"\\\\ud83d\"", 0 },
		{ "\"\\\\\\ud83d\"", "\"\\\\\xEF\xBF\xBD\"", 1 },
		{ "\"\\\"\\ud83d\"", "\"\\\"\xEF\xBF\xBD\"", 1 },
		{ "\"\xF0\x9F\x98\"", "\"\xEF\xBF\xBD\"", 1 },
		{ "\"\xC0\xAF\xC3\xA9\xff\"", "\"\xEF\xBF\xBD\xEF\xBF\xBD\xC3\xA9\xEF\xBF\xBD\"", 3 },
		{ "\"\xED\xA0\xBD\"", "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"", 3 },
		{ "\"\\\xff\"", "\"\\\xEF\xBF\xBD\"", 1 },
		{ "[\\ud83d]", "[\\ud83d]", 0 }, /* no string, no JSON: the parser says so */
		{ "\"\\ud83", "\"\\ud83", 0 },
		{ "\"\\", "\"\\", 0 },
		{ "", "", 0 },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		unsigned repairs = 99;
		assert_string_equal(repair(cases[i].text, &repairs), cases[i].repaired);
		assert_int_equal(repairs, cases[i].repairs);
	}
}

static void repair_into_a_full_buffer_says_so(void **state)
{
	(void)state;
	struct buf out;
	struct str text = STR("\"\\ud83d\"");
	for (size_t max = 0; max <= 5; max++) {
		buf_init(&out, max);
		assert_int_equal(json_repair(text, &out, NULL), max == 5);
		buf_done(&out);
	}
}

int main(void)
{
	json_start();
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_document_reads_back_by_key_index_and_pointer),
		cmocka_unit_test(members_come_in_the_order_of_the_text),
		cmocka_unit_test(a_getter_takes_its_own_kind_only),
		cmocka_unit_test(integers_are_exact_and_anything_can_be_the_root),
		cmocka_unit_test(an_error_names_line_column_and_what_stands_there),
		cmocka_unit_test(depth_and_keys_have_limits),
		cmocka_unit_test(brackets_and_colons_in_strings_do_not_count),
		cmocka_unit_test(running_out_of_memory_is_said_so_and_leaks_nothing),
		cmocka_unit_test(repair_mends_lone_surrogates_and_broken_bytes),
		cmocka_unit_test(repair_into_a_full_buffer_says_so),
	};
	return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
