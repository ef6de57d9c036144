/* Goal: views never read past their end, and numbers are read whole or not at all. */
#include "common/base/str.h"
#include "tests/support/cmocka_all.h"

static void a_slice_is_clamped(void **state)
{
	(void)state;
	assert_str_equal_c(str_slice(STR("abc"), 1, 9), "bc");
	assert_str_equal_c(str_slice(STR("abc"), 7, 9), "");
	assert_str_equal_c(str_slice((struct str){ NULL, 0 }, 0, 9), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_slice_is_clamped),
	};
	return cmocka_run_group_tests_name("str", tests, NULL, NULL);
}
