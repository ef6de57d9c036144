/* Goal: views never read past their end, and numbers are read whole or not at all. */
#include "common/base/str.h"
#include "tests/support/cmocka_all.h"

static const struct str nothing = { NULL, 0 };

static void a_slice_is_clamped(void **state)
{
	(void)state;
	assert_str_equal_c(str_slice(STR("abc"), 1, 2), "b");
	assert_str_equal_c(str_slice(STR("abc"), 1, 9), "bc");
	assert_str_equal_c(str_slice(STR("abc"), 7, 9), "");
	assert_str_equal_c(str_slice(STR("abc"), 2, 1), "");
	assert_str_equal_c(str_slice(nothing, 0, 9), "");
}

static void the_empty_string_is_equal_to_itself_wherever_it_points(void **state)
{
	(void)state;
	assert_true(str_eq(nothing, STR("")));
	assert_true(str_eq(str_from(NULL), nothing));
	assert_true(str_eq_c(nothing, ""));
	assert_int_equal(str_cmp(nothing, STR("")), 0);
	assert_false(str_eq(STR("a"), STR("b")));
	assert_false(str_eq(STR("a"), STR("a\0b")));
}

static void order_is_by_unsigned_bytes_and_then_by_length(void **state)
{
	(void)state;
	assert_int_equal(str_cmp(STR("a"), STR("b")), -1);
	assert_int_equal(str_cmp(STR("\xff"), STR("a")), 1);
	assert_int_equal(str_cmp(STR("a"), STR("ab")), -1);
	assert_int_equal(str_cmp(STR("ab"), STR("a")), 1);
	assert_int_equal(str_cmp(STR("b"), STR("ab")), 1);
	assert_int_equal(str_cmp(STR("a\0b"), STR("a\0c")), -1);
}

static void starts_ends_and_finds_take_the_empty_string(void **state)
{
	(void)state;
	assert_true(str_starts(STR("abc"), STR("ab")));
	assert_false(str_starts(STR("ab"), STR("abc")));
	assert_true(str_starts(nothing, nothing));
	assert_true(str_ends(STR("abc"), STR("bc")));
	assert_false(str_ends(STR("bc"), STR("abc")));
	assert_true(str_ends(STR("bc"), nothing));
	assert_int_equal(str_find(STR("abcabc"), STR("ca")), 2);
	assert_int_equal(str_find(STR("abc"), STR("cb")), -1);
	assert_int_equal(str_find(STR("abc"), STR("")), 0);
	assert_int_equal(str_find(nothing, STR("a")), -1);
	assert_int_equal(str_find(STR("a\0b"), STR("b")), 2);
	assert_int_equal(str_find_char(STR("abc"), 'c'), 2);
	assert_int_equal(str_find_char(str_slice(STR("abc"), 0, 2), 'c'), -1);
	assert_int_equal(str_find_char(nothing, 'c'), -1);
}

static void trimming_takes_ascii_white_space_only(void **state)
{
	(void)state;
	assert_str_equal_c(str_trim(STR(" \t\r\n\v\fa b\n ")), "a b");
	assert_str_equal_c(str_trim(STR(" \n")), "");
	assert_str_equal_c(str_trim(STR("\xC2\xA0x")), "\xC2\xA0x");
	assert_str_equal_c(str_trim(nothing), "");
}

/* The pieces with "|" after each. */
static const char *pieces(struct str s)
{
	static char text[100];
	struct str piece;
	size_t len = 0;
	text[0] = '\0';
	while (str_split(&s, ',', &piece))
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%.*s|", STR_ARG(piece));
	return text;
}

static void splitting_keeps_empty_pieces(void **state)
{
	(void)state;
	assert_string_equal(pieces(STR("a,,b")), "a||b|");
	assert_string_equal(pieces(STR("a,")), "a||");
	assert_string_equal(pieces(STR(",")), "||");
	assert_string_equal(pieces(STR("")), "|");
	assert_string_equal(pieces(nothing), "");
}

static void a_whole_number_is_read_whole(void **state)
{
	(void)state;
	int64_t i = 5;
	uint64_t u = 5;
	assert_true(str_to_i64(STR("-9223372036854775808"), &i));
	assert_true(i == INT64_MIN);
	assert_true(str_to_i64(STR("9223372036854775807"), &i));
	assert_true(i == INT64_MAX);
	assert_true(str_to_u64(STR("18446744073709551615"), &u));
	assert_true(u == UINT64_MAX);
	assert_true(str_to_i64(STR("-0"), &i));
	assert_int_equal(i, 0);
	assert_true(str_to_i64(STR("007"), &i));
	assert_int_equal(i, 7);
	static const char *const refused[] = { "",
		                               "-",
		                               "+1",
		                               " 1",
		                               "1 ",
		                               "1a",
		                               "0x1",
		                               "--1",
		                               "9223372036854775808",
		                               "-9223372036854775809",
		                               "99999999999999999999999",
		                               "1.0" };
	for (size_t k = 0; k < ARRAY_LEN(refused); k++) {
		i = 42;
		assert_false(str_to_i64(str_from(refused[k]), &i));
		assert_int_equal(i, 42);
	}
	assert_false(str_to_u64(STR("18446744073709551616"), &u));
	assert_false(str_to_u64(STR("-1"), &u));
	assert_false(str_to_u64(STR("1\0"), &u));
	assert_true(str_to_u64(str_slice(STR("123"), 0, 2), &u));
	assert_int_equal(u, 12);
}

static void a_decimal_is_read_whole_and_finite(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		double value;
	} good[] = { { "0.1", 0.1 }, { "-2", -2 },     { "+1.5e3", 1500 }, { ".5", 0.5 },
		     { "5.", 5 },    { "1E-2", 0.01 }, { "1e-999", 0 } };
	static const char *const refused[] = { "",   "nan", "inf", "-inf", "0x1p3", "1e999", "1,5",  "1 ",
		                               " 1", "1e",  "e5",  ".",    "+",     "1-1",   "1.2.3" };
	double value = 42;
	for (size_t k = 0; k < ARRAY_LEN(good); k++) {
		assert_true(str_to_double(str_from(good[k].text), &value));
		assert_memory_equal(&value, &good[k].value, sizeof(value));
	}
	value = 42;
	for (size_t k = 0; k < ARRAY_LEN(refused); k++)
		assert_false(str_to_double(str_from(refused[k]), &value));
	assert_false(str_to_double(STR("1\0"), &value));
	assert_true(value == 42);
	char digits[600];
	memset(digits, '0', sizeof(digits));
	assert_true(str_to_double(str_make(digits, 511), &value));
	value = 42;
	assert_false(str_to_double(str_make(digits, 512), &value));
	assert_true(str_to_double(str_slice(STR("1.25"), 0, 3), &value));
	assert_true(value == 1.2);
}

static void distance_counts_edits_and_swaps(void **state)
{
	(void)state;
	assert_int_equal(str_distance(STR("prompt"), STR("prompt")), 0);
	assert_int_equal(str_distance(STR("promt"), STR("prompt")), 1);
	assert_int_equal(str_distance(STR("prmopt"), STR("prompt")), 1);
	assert_int_equal(str_distance(STR("kitten"), STR("sitting")), 3);
	assert_int_equal(str_distance(STR(""), STR("abc")), 3);
	assert_int_equal(str_distance(STR("abc"), nothing), 3);
	char longer[200];
	memset(longer, 'a', sizeof(longer));
	assert_int_equal(str_distance(str_make(longer, 200), STR("")),
	                 64); /* what lies past 64 bytes is not looked at */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_slice_is_clamped),
		cmocka_unit_test(the_empty_string_is_equal_to_itself_wherever_it_points),
		cmocka_unit_test(order_is_by_unsigned_bytes_and_then_by_length),
		cmocka_unit_test(starts_ends_and_finds_take_the_empty_string),
		cmocka_unit_test(trimming_takes_ascii_white_space_only),
		cmocka_unit_test(splitting_keeps_empty_pieces),
		cmocka_unit_test(a_whole_number_is_read_whole),
		cmocka_unit_test(a_decimal_is_read_whole_and_finite),
		cmocka_unit_test(distance_counts_edits_and_swaps),
	};
	return cmocka_run_group_tests_name("str", tests, NULL, NULL);
}
