/* Goal: what is written is valid JSON that reads back equal, in one way of writing only. */
#include "common/base/json_write.h"
#include "common/base/mem.h"
#include "tests/support/cmocka_all.h"
#include "tests/support/stops.h"
#include <float.h>
#include <math.h>

static struct buf out;
static struct json_write w;

static int setup(void **state)
{
	(void)state;
	buf_init(&out, 1 << 20);
	json_write_init(&w, &out, false);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	buf_done(&out);
	return 0;
}

static void an_object_has_commas_between_members_and_escapes_in_text(void **state)
{
	(void)state;
	json_write_object(&w);
	json_write_field_str(&w, "a", STR("\"\\\n\x01\x7f\0z"));
	json_write_key(&w, "b");
	json_write_array(&w);
	json_write_i64(&w, INT64_MIN);
	json_write_u64(&w, UINT64_MAX);
	json_write_null(&w);
	json_write_array_end(&w);
	json_write_field_bool(&w, "c", false);
	json_write_field_c(&w, "d", NULL);
	json_write_object_end(&w);
	assert_str_equal_c(buf_str(&out),
	                   "{\"a\":\"\\\"\\\\\\n\\u0001\x7f\\u0000z\","
	                   "\"b\":[-9223372036854775808,18446744073709551615,null],\"c\":false,\"d\":null}");
}

static void doubles_are_short_and_laid_out_as_people_write_them(void **state)
{
	(void)state;
	static const struct {
		double value;
		const char *text;
	} cases[] = {
		{ 0.1, "0.1" },
		{ 1.0, "1" },
		{ 100000, "100000" },
		{ -0.0, "-0.0" },
		{ 0.0, "0" },
		{ 1e16, "10000000000000000" },
		{ 1e17, "1e17" },
		{ 1e-5, "0.00001" },
		{ 1.5e-7, "1.5e-7" },
		{ 0.3, "0.3" },
		{ 0.1 + 0.2, "0.30000000000000004" },
		{ -2.5, "-2.5" },
		{ 5e-324, "5e-324" },
		{ DBL_MAX, "1.7976931348623157e308" },
		{ 1250000.5, "1250000.5" },
		{ 0.000012, "0.000012" },
		{ 123456789012345680, "1.2345678901234568e17" },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		buf_clear(&out);
		json_write_init(&w, &out, false);
		json_write_num(&w, cases[i].value);
		assert_str_equal_c(buf_str(&out), cases[i].text);
	}
}

static void pretty_is_two_spaces_and_a_line_a_member(void **state)
{
	(void)state;
	json_write_init(&w, &out, true);
	json_write_object(&w);
	json_write_key(&w, "a");
	json_write_array(&w);
	json_write_i64(&w, 1);
	json_write_array(&w);
	json_write_array_end(&w);
	json_write_array_end(&w);
	json_write_key_str(&w, STR("b"));
	json_write_object(&w);
	json_write_object_end(&w);
	json_write_field_num(&w, "c", 0.5);
	json_write_field_i64(&w, "d", -1);
	json_write_object_end(&w);
	assert_str_equal_c(buf_str(&out),
	                   "{\n  \"a\": [\n    1,\n    []\n  ],\n  \"b\": {},\n  \"c\": 0.5,\n  \"d\": -1\n}");
}

static void broken_bytes_become_replacement_characters(void **state)
{
	(void)state;
	json_write_str(&w, STR("\xF0\x9F\x98|\xff|\xED\xA0\xBD"));
	assert_str_equal_c(buf_str(&out), "\"\xEF\xBF\xBD|\xEF\xBF\xBD|\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"");
}

static void raw_json_stands_as_a_value(void **state)
{
	(void)state;
	json_write_array(&w);
	json_write_raw(&w, STR("{\"x\":1}"));
	json_write_raw(&w, STR("2"));
	json_write_array_end(&w);
	assert_str_equal_c(buf_str(&out), "[{\"x\":1},2]");
}

static const char *canonical(const char *text)
{
	struct json_doc *doc = NULL;
	struct error e;
	assert_ok(json_parse(str_from(text), &doc, &e), &e);
	buf_clear(&out);
	assert_true(json_write_canonical(json_root(doc), &out));
	json_free(doc);
	return out.data;
}

static void the_canonical_form_sorts_keys_by_bytes_and_writes_numbers_one_way(void **state)
{
	(void)state;
	assert_string_equal(canonical("  {\"b\" :\n[1.50, 1e2, -0.0]} "), "{\"b\":[1.5,100,-0.0]}");
	assert_string_equal(canonical("{\"\xC3\xA9\":1,\"z\":2,\"a\":{\"y\":null,\"x\":true},\"ab\":3,\"\":4,\"Z\":5}"),
	                    "{\"\":4,\"Z\":5,\"a\":{\"x\":true,\"y\":null},\"ab\":3,\"z\":2,\"\xC3\xA9\":1}");
	assert_string_equal(canonical("\"\\u00e9\\/\\u0000\""), "\"\xC3\xA9/\\u0000\"");
	assert_string_equal(canonical("[9007199254740993]"), "[9007199254740993]");
}

static void out_of_memory_in_the_canonical_form_is_a_full_buffer(void **state)
{
	(void)state;
	struct json_doc *doc = NULL;
	struct error e;
	uint64_t nth = 1;
	assert_ok(json_parse(STR("{\"b\":{\"d\":1},\"a\":2}"), &doc, &e), &e);
	for (bool ok = false; !ok; nth++) {
		struct buf b;
		buf_init(&b, 1000);
		mem_fail_at(nth);
		ok = json_write_canonical(json_root(doc), &b);
		mem_fail_at(0);
		assert_int_equal(ok, !b.failed);
		buf_done(&b);
	}
	assert_true(nth > 3);
	json_free(doc);
}

static void a_full_buffer_stays_inside_its_limit(void **state)
{
	(void)state;
	for (size_t max = 0; max < 20; max++) {
		struct buf b;
		buf_init(&b, max);
		json_write_init(&w, &b, true);
		json_write_object(&w);
		json_write_field_c(&w, "k", "a long value with \x01 in it");
		json_write_object_end(&w);
		assert_true(b.failed && b.len <= max);
		buf_done(&b);
	}
}

/* ---- bugs of the caller ---- */

static void write_value_without_key(void *argument)
{
	json_write_object(argument);
	json_write_null(argument);
}

static void write_key_in_array(void *argument)
{
	json_write_array(argument);
	json_write_key(argument, "k");
}

static void write_key_twice(void *argument)
{
	json_write_object(argument);
	json_write_key(argument, "k");
	json_write_key(argument, "k");
}

static void end_after_key(void *argument)
{
	json_write_object(argument);
	json_write_key(argument, "k");
	json_write_object_end(argument);
}

static void end_the_other_kind(void *argument)
{
	json_write_object(argument);
	json_write_array_end(argument);
}

static void end_what_never_began(void *argument)
{
	json_write_array_end(argument);
}

static void write_two_roots(void *argument)
{
	json_write_null(argument);
	json_write_null(argument);
}

static void write_nan(void *argument)
{
	json_write_num(argument, NAN);
}

static void nest_without_end(void *argument)
{
	for (int i = 0; i < 1000; i++)
		json_write_array(argument);
}

static void what_would_not_be_json_stops_the_program(void **state)
{
	(void)state;
	void (*const calls[])(void *) = { write_value_without_key, write_key_in_array, write_key_twice,
		                          end_after_key,           end_the_other_kind, end_what_never_began,
		                          write_two_roots,         write_nan,          nest_without_end };
	for (size_t i = 0; i < ARRAY_LEN(calls); i++)
		assert_true(stops(calls[i], &w));
}

static void a_document_of_full_depth_fits_below_a_writers_own_levels(void **state)
{
	(void)state;
	char text[2 * JSON_DEPTH_MAX + 1] = "";
	memset(text, '[', JSON_DEPTH_MAX);
	memset(text + JSON_DEPTH_MAX, ']', JSON_DEPTH_MAX);
	struct json_doc *doc = NULL;
	struct error e;
	assert_ok(json_parse(str_from(text), &doc, &e), &e);
	for (int i = 0; i < 100; i++)
		json_write_array(&w);
	json_write_value(&w, json_root(doc));
	for (int i = 0; i < 100; i++)
		json_write_array_end(&w);
	assert_int_equal(out.len, 2 * (JSON_DEPTH_MAX + 100));
	json_free(doc);
}

int main(void)
{
	json_start();
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(an_object_has_commas_between_members_and_escapes_in_text, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(doubles_are_short_and_laid_out_as_people_write_them, setup, teardown),
		cmocka_unit_test_setup_teardown(pretty_is_two_spaces_and_a_line_a_member, setup, teardown),
		cmocka_unit_test_setup_teardown(broken_bytes_become_replacement_characters, setup, teardown),
		cmocka_unit_test_setup_teardown(raw_json_stands_as_a_value, setup, teardown),
		cmocka_unit_test_setup_teardown(the_canonical_form_sorts_keys_by_bytes_and_writes_numbers_one_way,
		                                setup, teardown),
		cmocka_unit_test_setup_teardown(out_of_memory_in_the_canonical_form_is_a_full_buffer, setup, teardown),
		cmocka_unit_test_setup_teardown(a_full_buffer_stays_inside_its_limit, setup, teardown),
		cmocka_unit_test_setup_teardown(what_would_not_be_json_stops_the_program, setup, teardown),
		cmocka_unit_test_setup_teardown(a_document_of_full_depth_fits_below_a_writers_own_levels, setup,
		                                teardown),
	};
	return cmocka_run_group_tests_name("json_write", tests, NULL, NULL);
}
