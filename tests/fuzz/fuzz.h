/* tests/fuzz/fuzz.h - what each fuzz target defines. One input in; a bug stops the program, by check() or a sanitizer.
 */
#ifndef ASSAY_TESTS_FUZZ_H
#define ASSAY_TESTS_FUZZ_H

#include "common/base/check.h"
#include "common/base/str.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#endif
