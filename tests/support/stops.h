/* tests/support/stops.h - does a call stop the program, as check() does on a bug? It runs in a child process. */
#ifndef ASSAY_TESTS_STOPS_H
#define ASSAY_TESTS_STOPS_H

#include "common/base/base.h"

/* True when the child died of SIGABRT with "bug: " as the start of what it wrote to stderr. */
bool stops(void (*call)(void *argument), void *argument);

#endif
