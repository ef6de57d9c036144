/* worker/main/check.h - `assay-worker check FILE...`: reference vectors of text metrics through the shipped scorers.
 *
 * The metrics live with the scorers, so the check does too (`assay stats check` is its twin). A method that no scorer
 * computes is a failure of each of its cases. Prints to stdout; closes with "N cases, N passed, N failed". */
#ifndef ASSAY_MAIN_CHECK_H
#define ASSAY_MAIN_CHECK_H

#include "common/base/json.h"

/* Computes one case: true when `expected` is met within `tolerance`; else *ret_why says what came out. */
typedef bool check_case(const struct json *input, const struct json *expected, const struct json *tolerance,
                        struct buf *ret_why);

check_case *check_find(struct str method); /* NULL: not known here */

/* The exit status of the program: 0 only when there was a case and none failed. */
int check_files(const char *const *files, size_t count);

#endif
