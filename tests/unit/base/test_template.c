/* Goal: {{name}} and nothing else is replaced, values are never read again, and a bad tag is named by its place. */
#include "common/base/template.h"
#include "tests/support/cmocka_all.h"

static bool lookup(void *context, struct str name, struct str *ret_value)
{
	(void)context;
	if (str_eq_c(name, "q"))
		*ret_value = STR("2 + {{q}}?");
	else if (str_eq_c(name, "a.b-c_9"))
		*ret_value = STR("");
	else
		return false;
	return true;
}

static const char *render(const char *text)
{
	static char result[1200];
	struct buf out;
	struct error e = { 0 };
	buf_init(&out, 64);
	enum err_code err = template_render(str_from(text), lookup, NULL, &out, &e);
	(void)snprintf(result, sizeof(result), "%s", err ? e.text : buf_str(&out).data);
	buf_done(&out);
	return result;
}

static void a_value_goes_in_as_it_is_and_is_not_read_again(void **state)
{
	(void)state;
	assert_string_equal(render("Q: {{q}} {{ q\n}}{{a.b-c_9}}."), "Q: 2 + {{q}}? 2 + {{q}}?.");
}

static void four_braces_are_two_and_single_ones_stay(void **state)
{
	(void)state;
	assert_string_equal(render("{\"a\": {\"b\": 1}} {{{{q}} {{{{{{q}}"), "{\"a\": {\"b\": 1}} {{q}} {{2 + {{q}}?");
	assert_string_equal(render(""), "");
	assert_string_equal(render("{"), "{");
}

static void a_bad_tag_is_named_by_line_and_column(void **state)
{
	(void)state;
	assert_string_equal(render("a\n\xC3\xA9 {{q"), "line 2, column 3: '{{' is never closed with '}}'");
	assert_string_equal(render("{{"), "line 1, column 1: '{{' is never closed with '}}'");
	assert_string_equal(render("{{}}"),
	                    "line 1, column 1: a name must follow '{{' (write '{{{{' for two braces that are text)");
	assert_string_equal(render("{{9x}}"), "line 1, column 3: a name starts with a letter or '_'");
	assert_string_equal(
		render("{{q q}}"),
		"line 1, column 5: '}}' must follow the name (names have letters, digits, '_', '.' and '-')");
	assert_string_equal(render("{{q}"), "line 1, column 4: '}}' must follow the name (names have letters, digits, "
	                                    "'_', '.' and '-')");
}

static void an_unknown_name_is_not_found_and_named(void **state)
{
	(void)state;
	assert_string_equal(render("\n{{answer}}"), "line 2, column 1: no value for answer");
	struct buf out;
	buf_init(&out, 9);
	assert_int_equal(template_render(STR("{{x}}"), lookup, NULL, &out, NULL), ERR_NOT_FOUND);
	assert_int_equal(template_render(STR("{{q}}"), lookup, NULL, &out, NULL), ERR_LIMIT);
	buf_done(&out);
}

static void names_come_in_order_of_appearance(void **state)
{
	(void)state;
	struct error e;
	struct str text = STR("{{b}} {{{{c}} {{a}}{{b}}"), name = { 0 };
	assert_ok(template_check(text, &e), &e);
	const char *const want[] = { "b", "a", "b" };
	size_t n = 0;
	for (size_t at = 0; template_next_name(text, &at, &name); n++)
		assert_str_equal_c(name, want[n]);
	assert_int_equal(n, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_value_goes_in_as_it_is_and_is_not_read_again),
		cmocka_unit_test(four_braces_are_two_and_single_ones_stay),
		cmocka_unit_test(a_bad_tag_is_named_by_line_and_column),
		cmocka_unit_test(an_unknown_name_is_not_found_and_named),
		cmocka_unit_test(names_come_in_order_of_appearance),
	};
	return cmocka_run_group_tests_name("template", tests, NULL, NULL);
}
