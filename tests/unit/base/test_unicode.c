/* Goal: broken bytes never get through, and equal texts get equal forms. */
#include "common/base/unicode.h"
#include "tests/support/cmocka_all.h"

static struct buf out;

static int setup(void **state)
{
	(void)state;
	buf_init(&out, 1 << 20);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	buf_done(&out);
	return 0;
}

static const char *excerpt(const char *s, size_t bytes)
{
	static char text[64];
	return unicode_excerpt(str_from(s), text, bytes);
}

static void an_excerpt_ends_in_dots_only_when_cut(void **state)
{
	(void)state;
	assert_string_equal(excerpt("abcdef", 7), "abcdef");
	assert_string_equal(excerpt("abcdefg", 7), "abc...");
	assert_string_equal(excerpt("ab\xC3\xA9"
	                            "defg",
	                            7),
	                    "ab...");
	assert_string_equal(excerpt("a\nb", 10), "a\\nb");
	assert_string_equal(excerpt("", 10), "");
}

static void what_hides_is_made_visible(void **state)
{
	(void)state;
	assert_true(unicode_visible(STR("a\x1b[31m\n\xff\xE2\x80\xAEz\xC2\x9B\xF3\xA0\x81\x81"), &out));
	assert_str_equal_c(buf_str(&out), "a\\x1b[31m\\n\\xff\\u202ez\\u009b\\U000e0041");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(an_excerpt_ends_in_dots_only_when_cut, setup, teardown),
		cmocka_unit_test_setup_teardown(what_hides_is_made_visible, setup, teardown),
	};
	return cmocka_run_group_tests_name("unicode", tests, NULL, NULL);
}
