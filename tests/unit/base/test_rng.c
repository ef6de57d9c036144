/* Goal: equal seeds give the published sequences, for ever, and draws below a bound are even. */
#include "common/base/rng.h"
#include "tests/support/cmocka_all.h"

static void splitmix64_gives_its_published_numbers(void **state)
{
	(void)state;
	static const uint64_t want[] = { 6457827717110365317u, 3203168211198807973u, 9817491932198370423u,
		                         4593380528125082431u, 16408922859458223821u };
	for (uint64_t i = 0; i < ARRAY_LEN(want); i++)
		assert_int_equal(rng_mix(1234567 + i * 0x9E3779B97F4A7C15u), want[i]);
}

/* From an independent implementation of xoshiro256** seeded by SplitMix64. */
static void a_seed_gives_the_same_draws_for_ever(void **state)
{
	(void)state;
	static const uint64_t want[] = { 0x30a3a1c363600467u, 0x19405f0f579929cau, 0x115beaac046ddbd9u,
		                         0xeb17caf48f27d7f6u, 0xa0c94fe1cce9d136u };
	struct rng r;
	rng_seed(&r, 1234567);
	for (size_t i = 0; i < ARRAY_LEN(want); i++)
		assert_int_equal(rng_next(&r), want[i]);
}

static void draws_stay_below_the_bound_and_are_even(void **state)
{
	(void)state;
	struct rng r;
	unsigned counts[7] = { 0 };
	rng_seed(&r, 1);
	for (int i = 0; i < 70000; i++)
		counts[rng_below(&r, 7)]++;
	for (size_t i = 0; i < ARRAY_LEN(counts); i++)
		assert_in_range(counts[i], 9600, 10400); /* 10000 expected, standard deviation 93 */
	unsigned heads = 0;
	for (int i = 0; i < 1000; i++)
		heads += rng_below(&r, 2) != 0;
	assert_in_range(heads, 420, 580);
	assert_int_equal(rng_below(&r, 0), 0);
	assert_int_equal(rng_below(&r, 1), 0);
	for (int i = 0; i < 100; i++)
		assert_true(rng_below(&r, UINT64_MAX) < UINT64_MAX);
}

/* With bound 3 * 2^62 a plain remainder would hit the lowest third twice as often. */
static void the_uneven_rest_of_the_range_is_not_used(void **state)
{
	(void)state;
	struct rng r;
	unsigned low = 0;
	rng_seed(&r, 2);
	for (int i = 0; i < 30000; i++)
		low += rng_below(&r, UINT64_C(3) << 62) < UINT64_C(1) << 62;
	assert_in_range(low, 9600, 10400);
}

static void the_unit_interval_is_half_open_and_evenly_filled(void **state)
{
	(void)state;
	struct rng r;
	double sum = 0;
	rng_seed(&r, 3);
	for (int i = 0; i < 100000; i++) {
		double x = rng_unit(&r);
		assert_true(x >= 0 && x < 1);
		sum += x;
	}
	assert_in_range((unsigned)(sum / 100), 496, 504); /* 500 expected, standard deviation 0.9 */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(splitmix64_gives_its_published_numbers),
		cmocka_unit_test(a_seed_gives_the_same_draws_for_ever),
		cmocka_unit_test(draws_stay_below_the_bound_and_are_even),
		cmocka_unit_test(the_uneven_rest_of_the_range_is_not_used),
		cmocka_unit_test(the_unit_interval_is_half_open_and_evenly_filled),
	};
	return cmocka_run_group_tests_name("rng", tests, NULL, NULL);
}
