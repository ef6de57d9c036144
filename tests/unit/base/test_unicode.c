/* Goal: broken bytes never get through, and equal texts get equal forms. */
#include "common/base/mem.h"
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

/* ---- validity ---- */

static void only_well_formed_utf8_is_valid(void **state)
{
	(void)state;
	static const char *const good[] = { "",
		                            "a",
		                            "\x7f",
		                            "\xC2\x80",
		                            "\xDF\xBF",
		                            "\xE0\xA0\x80",
		                            "\xED\x9F\xBF",
		                            "\xEE\x80\x80",
		                            "\xEF\xBF\xBF",
		                            "\xF0\x90\x80\x80",
		                            "\xF4\x8F\xBF\xBF" };
	static const struct {
		const char *text;
		size_t at;
	} bad[] = { { "\x80", 0 },
		    { "a\xC0\x80", 1 },
		    { "\xC1\xBF", 0 },
		    { "ab\xC2", 2 },
		    { "\xE0\x9F\xBF", 0 },
		    { "\xED\xA0\x80", 0 },
		    { "\xF0\x8F\xBF\xBF", 0 },
		    { "\xF4\x90\x80\x80", 0 },
		    { "\xF5\x80\x80\x80", 0 },
		    { "\xC3\xA9\xE2\x82", 2 },
		    { "\xE2\x82"
		      "a",
		      0 } };
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		assert_true(unicode_valid(str_from(good[i])));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(unicode_bad_at(str_from(bad[i].text)), bad[i].at);
	assert_true(unicode_valid(STR("a\0b")));
}

static void a_character_cut_off_is_one_replacement_and_a_stray_byte_is_one(void **state)
{
	(void)state;
	unsigned repairs;
	assert_true(unicode_repair(STR("a\xF0\x9F\x98"
	                               "b\xff\x80\xE2\x82\xC3\xA9\xED\xA0"),
	                           &out, &repairs));
	assert_str_equal_c(buf_str(&out), "a\xEF\xBF\xBD"
	                                  "b\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xC3\xA9\xEF\xBF\xBD\xEF\xBF\xBD");
	assert_int_equal(repairs, 6);
	buf_clear(&out);
	assert_true(unicode_repair((struct str){ NULL, 0 }, &out, NULL));
	assert_str_equal_c(buf_str(&out), "");
}

static void length_counts_characters_and_width_columns(void **state)
{
	(void)state;
	assert_int_equal(unicode_length(STR("a\xC3\xA9\xF0\x9F\x98\x80")), 3);
	assert_int_equal(unicode_length(STR("\xF0\x9F\x98\xff")), 4);
	assert_int_equal(unicode_width(STR("ab\xE6\x97\xA5\xE6\x9C\xAC")), 6);
	assert_int_equal(unicode_width(STR("e\xCC\x81")), 1);
	assert_int_equal(unicode_width(STR("")), 0);
}

/* ---- forms ---- */

static void texts_map_to_the_forms_of_the_standard(void **state)
{
	(void)state;
	static const struct {
		const char *text, *nfc, *nfkc, *folded;
	} cases[] = {
		{ "Plain ASCII", "Plain ASCII", "Plain ASCII", "plain ascii" },
		{ "e\u0301", "\u00e9", "\u00e9", "\u00e9" },
		{ "\u212b", "\u00c5", "\u00c5", "\u00e5" },
		{ "\ufb01", "\ufb01", "fi", "fi" },
		{ "a\u0301\u0323", "\u1ea1\u0301", "\u1ea1\u0301", "\u1ea1\u0301" },
		{ "\u1e9e \u00df", "\u1e9e \u00df", "\u1e9e \u00df", "ss ss" },
		{ "\u03a3\u03c2", "\u03a3\u03c2", "\u03a3\u03c2", "\u03c3\u03c3" },
		{ "\u1112\u1161\u11ab", "\ud55c", "\ud55c", "\ud55c" },
		{ "\uff21\uff11", "\uff21\uff11", "A1", "a1" },
		{ "\u03b1\u0345\u0301", "\u1fb4", "\u1fb4", "\u03ac\u03b9" },
		{ "\u05d0\u05b1\u05b0", "\u05d0\u05b0\u05b1", "\u05d0\u05b0\u05b1", "\u05d0\u05b0\u05b1" },
		{ "\u0344", "\u0308\u0301", "\u0308\u0301", "\u0308\u0301" },
		{ "\u00ad\u200d", "\u00ad\u200d", "\u00ad\u200d", "\u00ad\u200d" },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *want[] = { cases[i].nfc, cases[i].nfkc, cases[i].folded };
		for (enum unicode_form form = UNICODE_NFC; form <= UNICODE_CASEFOLD; form++) {
			buf_clear(&out);
			assert_true(unicode_map(str_from(cases[i].text), form, &out));
			assert_str_equal_c(buf_str(&out), want[form]);
		}
	}
}

static void mapping_appends_and_a_full_buffer_says_so(void **state)
{
	(void)state;
	assert_true(buf_append_c(&out, "A"));
	assert_true(unicode_map(STR("B"), UNICODE_CASEFOLD, &out));
	assert_true(unicode_map(STR("\u00c9"), UNICODE_CASEFOLD, &out));
	assert_str_equal_c(buf_str(&out), "Ab\u00e9");
	struct buf small;
	for (size_t max = 0; max <= 6; max++) {
		buf_init(&small, max);
		assert_int_equal(unicode_map(STR("\u00e9\u00e9e\u0301"), UNICODE_NFC, &small), max == 6);
		buf_done(&small);
	}
	buf_init(&small, 2);
	assert_false(unicode_map(STR("abc"), UNICODE_NFC, &small));
	buf_done(&small);
	buf_init(&small, 20);
	assert_false(unicode_map(STR("\ufdfa\ufdfa\ufdfa"), UNICODE_NFKC, &small)); /* one becomes eighteen letters */
	buf_done(&small);
}

/* A plain insertion sort would take minutes. */
static void a_long_run_of_marks_in_the_worst_order_is_no_burden(void **state)
{
	(void)state;
	enum { MARKS = 200000 };
	struct buf text;
	buf_init(&text, 1 << 20);
	buf_init(&out, 1 << 20);
	(void)buf_append_char(&text, 'q');
	for (int i = 0; i < MARKS; i++)
		(void)buf_append_c(&text, i % 2 ? "\u0323" : "\u0301"); /* the one below belongs first */
	assert_true(unicode_map(buf_str(&text), UNICODE_NFC, &out));
	assert_int_equal(out.len, text.len);
	assert_memory_equal(out.data, "q\u0323\u0323", 5);
	assert_memory_equal(out.data + out.len - 4, "\u0301\u0301", 4);
	buf_done(&text);
}

static void every_failed_allocation_is_a_full_buffer(void **state)
{
	(void)state;
	uint64_t nth = 1;
	for (bool ok = false; !ok; nth++) {
		struct buf b;
		buf_init(&b, 1000);
		mem_fail_at(nth);
		ok = unicode_map(STR("A\u0301\u0323\u0345\ufb01"), UNICODE_CASEFOLD, &b);
		mem_fail_at(0);
		assert_int_equal(ok, !b.failed);
		buf_done(&b);
	}
	assert_true(nth > 5);
}

/* ---- for people ---- */

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
	assert_true(unicode_visible(STR("a\x1b[31m\n\xff\xE2\x80\xAEz\xC2\x80\xC2\x9B\xF3\xA0\x81\x81"), &out));
	assert_str_equal_c(buf_str(&out), "a\\x1b[31m\\n\\xff\\u202ez\\u0080\\u009b\\U000e0041");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(only_well_formed_utf8_is_valid, setup, teardown),
		cmocka_unit_test_setup_teardown(a_character_cut_off_is_one_replacement_and_a_stray_byte_is_one, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(length_counts_characters_and_width_columns, setup, teardown),
		cmocka_unit_test_setup_teardown(texts_map_to_the_forms_of_the_standard, setup, teardown),
		cmocka_unit_test_setup_teardown(mapping_appends_and_a_full_buffer_says_so, setup, teardown),
		cmocka_unit_test_setup_teardown(a_long_run_of_marks_in_the_worst_order_is_no_burden, setup, teardown),
		cmocka_unit_test_setup_teardown(every_failed_allocation_is_a_full_buffer, setup, teardown),
		cmocka_unit_test_setup_teardown(an_excerpt_ends_in_dots_only_when_cut, setup, teardown),
		cmocka_unit_test_setup_teardown(what_hides_is_made_visible, setup, teardown),
	};
	return cmocka_run_group_tests_name("unicode", tests, NULL, NULL);
}
