/* build/tests/bench NAME [--json]: one benchmark with its floor. */
#include "common/base/json.h"
#include "common/io/keys.h"
#include "common/io/log.h"
#include "tests/bench/bench.h"
#include <stdio.h>
#include <string.h>

static const struct {
	const char *name;
	bench_function *function;
} benches[] = { { "dispatch", bench_dispatch }, { "durable", bench_durable }, { "http", bench_http } };

int main(int argc, char **argv)
{
	struct bench_result r = { 0 };
	struct error e;
	bool json = argc == 3 && strcmp(argv[2], "--json") == 0;
	json_start();
	if (argc < 2 || (argc == 3 && !json) || argc > 3) {
		(void)fprintf(stderr, "usage: bench dispatch|durable|http [--json]\n");
		return 2;
	}
	if (keys_init(&e) != ERR_OK || log_setup(STR("error"), &e) != ERR_OK) {
		(void)fprintf(stderr, "bench: %s\n", e.text);
		return 1;
	}
	for (size_t i = 0; i < ARRAY_LEN(benches); i++) {
		if (strcmp(argv[1], benches[i].name) != 0)
			continue;
		if (benches[i].function(&r, &e) != ERR_OK) {
			(void)fprintf(stderr, "bench %s: %s\n", argv[1], e.text);
			return 1;
		}
		double ratio = r.floor > 0 ? r.value / r.floor : 0;
		if (json)
			(void)printf(
				"{\"bench\":\"%s\",\"value\":%.0f,\"unit\":\"%s\",\"floor\":%.0f,\"ratio\":%.3f}\n",
				argv[1], r.value, r.unit, r.floor, ratio);
		else
			(void)printf("%s  %.0f %s  floor %.0f  ratio %.3f   (%s)\n", argv[1], r.value, r.unit, r.floor,
			             ratio, r.note);
		return 0;
	}
	(void)fprintf(stderr, "bench: no benchmark '%s' (dispatch, durable, http)\n", argv[1]);
	return 2;
}
