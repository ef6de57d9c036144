/* tests/lint/analyse.h - included before every source that an analyser reads, but common/base/error.c.
 *
 * Lets it see what error.h promises: the code that is given is the code that comes back. Otherwise it takes each
 * error_set() for a possible ERR_OK and follows ways that do not exist. */
#ifndef ASSAY_TESTS_LINT_ANALYSE_H
#define ASSAY_TESTS_LINT_ANALYSE_H

#include "common/base/error.h"

#define error_set(reterr, code, ...) ((void)!(error_set)(reterr, code, __VA_ARGS__), (enum err_code)(code))
#define error_wrap(reterr, code, ...) ((void)!(error_wrap)(reterr, code, __VA_ARGS__), (enum err_code)(code))

#endif
