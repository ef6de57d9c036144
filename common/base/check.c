#include "common/base/check.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void check_fail(const char *file, int line, const char *function, const char *condition, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	(void)fprintf(stderr, "bug: %s:%d %s: (%s) ", file, line, function, condition);
	(void)vfprintf(stderr, format, args); /* nothing is left to do if stderr is gone */
	(void)fputc('\n', stderr);
	va_end(args);
	abort();
}
