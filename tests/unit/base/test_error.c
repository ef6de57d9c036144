/* Goal: an error's text survives being wrapped, being too long, and being made from itself. */
#include "common/base/error.h"
#include "common/base/unicode.h"
#include "tests/support/cmocka_all.h"

static void wrapping_puts_the_context_before_the_text(void **state)
{
	(void)state;
	struct error e;
	assert_int_equal(error_set(&e, ERR_IO, "disk %d", 3), ERR_IO);
	assert_int_equal(error_wrap(&e, e.code, "reading '%s'", "a"), ERR_IO);
	assert_string_equal(e.text, "reading 'a': disk 3");
	assert_int_equal(error_wrap(&e, ERR_CORRUPT, "outbox"), ERR_CORRUPT);
	assert_int_equal(e.code, ERR_CORRUPT);
}

static void the_old_text_may_be_part_of_the_new(void **state)
{
	(void)state;
	struct error e;
	(void)error_set(&e, ERR_IO, "disk");
	(void)error_set(&e, ERR_IO, "%s is %s", e.text, e.text);
	assert_string_equal(e.text, "disk is disk");
	(void)error_wrap(&e, ERR_IO, "<%s>", e.text);
	assert_string_equal(e.text, "<disk is disk>: disk is disk");
}

static void nobody_may_want_the_text(void **state)
{
	(void)state;
	assert_int_equal(error_set(NULL, ERR_LIMIT, "x"), ERR_LIMIT);
	assert_int_equal(error_wrap(NULL, ERR_LIMIT, "x"), ERR_LIMIT);
}

static void a_text_too_long_is_cut_between_characters(void **state)
{
	(void)state;
	static const char *const characters[] = { "x", "\xC3\xA9", "\xE0\xA0\x80", "\xE2\x82\xAC", "\xF0\x9F\x98\x80" };
	char text[2 * ERROR_TEXT_BYTES_MAX];
	for (size_t c = 0; c < ARRAY_LEN(characters); c++) {
		for (size_t shift = 0; shift < 4; shift++) {
			struct error e;
			size_t len = shift, step = strlen(characters[c]);
			memset(text, 'a', shift);
			for (; len + step < sizeof(text); len += step)
				memcpy(text + len, characters[c], step);
			text[len] = '\0';
			(void)error_set(&e, ERR_INVALID, "%s", text);
			assert_true(unicode_valid(str_from(e.text)));
			assert_true(strlen(e.text) > ERROR_TEXT_BYTES_MAX - 1 - step);
			assert_memory_equal(e.text, text, strlen(e.text));
		}
	}
}

static void a_text_of_exactly_the_limit_is_whole(void **state)
{
	(void)state;
	struct error e;
	char text[ERROR_TEXT_BYTES_MAX] = { 0 };
	memset(text, 'a', sizeof(text) - 3);
	memcpy(text + sizeof(text) - 3, "\xC3\xA9", 2);
	(void)error_set(&e, ERR_INVALID, "%s", text);
	assert_string_equal(e.text, text);
}

static void every_code_has_a_name_of_its_own(void **state)
{
	(void)state;
	assert_string_equal(error_code_name(ERR_OK), "ok");
	assert_string_equal(error_code_name(ERR_NOT_FOUND), "not_found");
	assert_string_equal(error_code_name(ERR_CANCELLED), "cancelled");
	assert_string_equal(error_code_name((enum err_code)99), "unknown");
	for (int a = ERR_OK; a <= ERR_CANCELLED; a++)
		for (int b = ERR_OK; b < a; b++)
			assert_string_not_equal(error_code_name((enum err_code)a), error_code_name((enum err_code)b));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wrapping_puts_the_context_before_the_text),
		cmocka_unit_test(the_old_text_may_be_part_of_the_new),
		cmocka_unit_test(nobody_may_want_the_text),
		cmocka_unit_test(a_text_too_long_is_cut_between_characters),
		cmocka_unit_test(a_text_of_exactly_the_limit_is_whole),
		cmocka_unit_test(every_code_has_a_name_of_its_own),
	};
	return cmocka_run_group_tests_name("error", tests, NULL, NULL);
}
