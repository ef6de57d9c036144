/* Goal: in every small world, whatever fails: nothing is lent twice at once, nobody gets more than he wanted, routes
 * are not overrun, nothing past sent_to goes out, only poison is set aside, every run ends, and a seed replays. */
#include "common/base/mem.h"
#include "tests/property/schedule/world.h"
#include "tests/support/cmocka_all.h"
#include <stdio.h>

enum { SEEDS = 2000 };

static uint64_t from = 1, to = SEEDS;

static uint64_t run_seed(struct world *w, uint64_t seed)
{
	world_begin(w, seed);
	bool good = world_run(w);
	if (!good) {
		world_print_log(w);
		print_error("seed %llu at %llu ms: %s: %s\n", (unsigned long long)seed, (unsigned long long)w->now_ms,
		            w->broken, w->broken_text);
	}
	uint64_t hash = w->hash;
	world_end(w);
	return good ? hash : 0;
}

static void every_rule_holds_in_every_world(void **state)
{
	(void)state;
	struct world *w = mem_new(1, sizeof(*w));
	uint64_t kills = 0, restarts = 0, asks = 0, leases = 0, failed = 0;
	for (uint64_t seed = from; seed <= to && failed < 5; seed++) {
		failed += run_seed(w, seed) == 0;
		kills += w->kills;
		restarts += w->restarts;
		asks += w->asks;
		leases += w->leases;
	}
	print_message("%llu kills, %llu restarts, %llu leases, %llu asks\n", (unsigned long long)kills,
	              (unsigned long long)restarts, (unsigned long long)leases, (unsigned long long)asks);
	mem_free(w);
	assert_int_equal(failed, 0);
}

static void a_seed_replays_exactly(void **state)
{
	(void)state;
	struct world *w = mem_new(1, sizeof(*w));
	for (uint64_t seed = 1; seed <= 20; seed++) {
		uint64_t first = run_seed(w, seed);
		assert_true(first != 0 && first == run_seed(w, seed));
	}
	mem_free(w);
}

int main(int argc, char **argv)
{
	uint64_t value;
	if (argc > 1 && str_to_u64(str_from(argv[1]), &value)) /* FROM [TO] */
		from = to = value;
	if (argc > 2 && str_to_u64(str_from(argv[2]), &value))
		to = value;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_rule_holds_in_every_world),
		cmocka_unit_test(a_seed_replays_exactly),
	};
	return cmocka_run_group_tests_name("world", tests, NULL, NULL);
}
