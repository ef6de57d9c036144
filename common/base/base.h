/* common/base/base.h - words that every file needs: attributes, array length, bounds. Holds no code. */
#ifndef ASSAY_BASE_BASE_H
#define ASSAY_BASE_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(format_at, args_at) __attribute__((format(printf, format_at, args_at)))
/* A must-check result that is left out on purpose, with the reason beside it (gcc does not take a cast to void). */
#define IGNORE(call) ((void)!(call))
#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define MIN_OF(a, b) ((a) < (b) ? (a) : (b))
#define MAX_OF(a, b) ((a) > (b) ? (a) : (b))

#endif
