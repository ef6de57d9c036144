/* Goal: the index of what is in flight, the heap of what came back and the layers of positions do what sets do. */
#include "common/base/map.h"
#include "common/base/rng.h"
#include "coordinator/schedule/flight.h"
#include "coordinator/schedule/position.h"
#include "coordinator/schedule/returned.h"
#include "tests/support/cmocka_all.h"

static void the_index_of_samples_in_flight_agrees_with_a_map(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 20; seed++) {
		struct flight f;
		struct map model;
		struct rng rng;
		flight_init(&f);
		map_init(&model, sizeof(struct flight_ref));
		rng_seed(&rng, seed);
		for (int step = 0; step < 5000; step++) {
			uint32_t run = (uint32_t)rng_below(&rng, 3);
			uint64_t sample_no = rng_below(&rng, seed % 2 ? 300 : 1000000);
			uint64_t key = (uint64_t)run << 40 | sample_no;
			struct flight_ref *known = map_get_u64(&model, key), ref;
			bool there = flight_get(&f, run, sample_no, &ref);
			if (there != (known != NULL) || (known && memcmp(known, &ref, sizeof(ref)) != 0))
				fail_msg("seed %llu step %d", (unsigned long long)seed, step);
			if (!known) {
				ref = (struct flight_ref){ (uint32_t)step, (uint32_t)step % 1024 };
				flight_put(&f, run, sample_no, ref);
				*(struct flight_ref *)map_put_u64(&model, key, NULL) = ref;
			} else if (step % 3 == 0) {
				*known = (struct flight_ref){ 7, 7 };
				flight_move(&f, run, sample_no, *known);
			} else {
				assert_true(flight_remove(&f, run, sample_no));
				assert_false(flight_remove(&f, run, sample_no));
				assert_true(map_remove_u64(&model, key));
			}
		}
		flight_done(&f);
		map_done(&model);
	}
}

static void returned_samples_come_out_in_order(void **state)
{
	(void)state;
	struct returned r = { 0 };
	struct rng rng;
	uint64_t last = 0, n;
	rng_seed(&rng, 1);
	for (int i = 0; i < 1000; i++)
		returned_put(&r, rng_below(&rng, 500));
	for (int i = 0; i < 1000; i++) {
		assert_true(returned_min(&r, &n));
		assert_true(n >= last);
		last = n;
		returned_pop(&r);
	}
	assert_false(returned_min(&r, &n));
	returned_done(&r);
}

static void positions_go_through_the_layers_in_the_order_in_which_they_were_added(void **state)
{
	(void)state;
	struct position_map m;
	uint64_t offset;
	position_init(&m, POSITION_IDENTITY, 42);
	position_add(&m, (struct position_layer){ 0, 0, 10 });  /* one epoch of ten */
	position_add(&m, (struct position_layer){ 1, 0, 10 });  /* the missing ones again */
	position_add(&m, (struct position_layer){ 0, 10, 20 }); /* two epochs more */
	assert_int_equal(m.total, 40);
	assert_int_equal(position_layer_of(&m, 9, &offset), 0);
	assert_int_equal(position_layer_of(&m, 10, &offset), 1);
	assert_int_equal(offset, 0);
	assert_int_equal(position_layer_of(&m, 39, &offset), 2);
	assert_int_equal(position_sample(&m, 2, offset), 29);
	assert_int_equal(position_offset(&m, 2, 29), 19);
	assert_int_equal(position_layer_from(&m, 2), 20);
	position_done(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_index_of_samples_in_flight_agrees_with_a_map),
		cmocka_unit_test(returned_samples_come_out_in_order),
		cmocka_unit_test(positions_go_through_the_layers_in_the_order_in_which_they_were_added),
	};
	return cmocka_run_group_tests_name("parts", tests, NULL, NULL);
}
