/* Goal: what is written is valid JSON that reads back equal, in one way of writing only. */
#include "common/base/hash.h"
#include "common/base/json_write.h"
#include "tests/support/cmocka_all.h"
#include <float.h>

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

int main(void)
{
	json_start();
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(an_object_has_commas_between_members_and_escapes_in_text, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(doubles_are_short_and_laid_out_as_people_write_them, setup, teardown),
	};
	return cmocka_run_group_tests_name("json_write", tests, NULL, NULL);
}
