/* tests/support/cmocka_all.h - cmocka with the headers that it needs before it, and what every test wants around it.
 *
 * Include it after the header under test, so that a header that does not stand alone is noticed. */
#ifndef ASSAY_TESTS_CMOCKA_ALL_H
#define ASSAY_TESTS_CMOCKA_ALL_H

#include "common/base/error.h"
#include "common/base/str.h"

// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include <string.h>

/* A failure prints both texts; lengths count, NUL is a byte like others. */
#define assert_str_equal(a, b) assert_str_equal_at((a), (b), __FILE__, __LINE__)
#define assert_str_equal_c(a, c) assert_str_equal_at((a), str_from(c), __FILE__, __LINE__)

/* The call must succeed; the error's text is printed when it does not. */
#define assert_ok(call, error) assert_ok_at((call), (error), #call, __FILE__, __LINE__)

static inline void assert_str_equal_at(struct str a, struct str b, const char *file, int line)
{
	if (a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0))
		return;
	print_error("%zu bytes: \"%.*s\"\n  is not\n%zu bytes: \"%.*s\"\n", a.len, STR_ARG(a), b.len, STR_ARG(b));
	_fail(file, line);
}

static inline void assert_ok_at(enum err_code code, const struct error *error, const char *call, const char *file,
                                int line)
{
	if (code == ERR_OK)
		return;
	print_error("%s\n  gave %s: %s\n", call, error_code_name(code), error->text);
	_fail(file, line);
}

#endif
