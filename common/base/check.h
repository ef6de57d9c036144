/* common/base/check.h - stops the program on a bug. Stays on in release and prints where and what.
 *
 * For what our own code must guarantee. Never for what came from a wire, a file, a user or the database: that is
 * validated and answered with an error. */
#ifndef ASSAY_BASE_CHECK_H
#define ASSAY_BASE_CHECK_H

#include "common/base/base.h"

#define check(condition)                                                                                               \
	((condition) ? (void)0 : check_fail(__FILE__, __LINE__, __func__, #condition, "%s", "must hold"))
#define check_msg(condition, ...)                                                                                      \
	((condition) ? (void)0 : check_fail(__FILE__, __LINE__, __func__, #condition, __VA_ARGS__))

_Noreturn void check_fail(const char *file, int line, const char *function, const char *condition, const char *format,
                          ...) PRINTF_LIKE(5, 6);

#endif
