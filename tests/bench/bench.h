/* tests/bench/bench.h - one benchmark: a value, and a floor measured in the same run on the same machine.
 *
 * The ratio is what lasts: absolute figures differ from machine to machine. Higher is better in all of them. */
#ifndef ASSAY_TESTS_BENCH_BENCH_H
#define ASSAY_TESTS_BENCH_BENCH_H

#include "common/base/error.h"

struct bench_result {
	double value, floor; /* in `unit` */
	const char *unit;
	char note[200]; /* what was measured, in words */
};

typedef enum err_code bench_function(struct bench_result *ret_result, struct error *reterr);

bench_function bench_dispatch, bench_durable, bench_http;

#endif
