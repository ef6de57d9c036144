/* Goal: what is written as a parameter reads back as it was; text that PostgreSQL would not take is repaired, never
 * cut; limits are remembered. */
#include "common/base/mem.h"
#include "coordinator/store/pg_array.h"
#include "coordinator/store/pg_list.h"
#include "tests/support/cmocka_all.h"
#include "tests/support/gen.h"
#include <string.h>

static struct str param(const struct pg_params *p, size_t i)
{
	return str_make(p->bytes.data + p->start[i], (size_t)p->len[i]);
}

static void single_values_are_in_network_order(void **state)
{
	(void)state;
	struct pg_params p;
	pg_params_init(&p);
	pg_params_i16(&p, -2);
	pg_params_i32(&p, 258);
	pg_params_i64(&p, INT64_MIN);
	pg_params_f64(&p, -0.5);
	pg_params_bool(&p, true);
	pg_params_null(&p);
	pg_params_bytes(&p, STR("a\0b"));
	assert_true(pg_params_ok(&p));
	assert_int_equal(p.count, 7);
	assert_int_equal(pg_list_read_i64(param(&p, 0)), -2);
	assert_memory_equal(param(&p, 1).data, "\0\0\1\2", 4);
	assert_int_equal(pg_list_read_i64(param(&p, 2)), INT64_MIN);
	assert_true(pg_list_read_f64(param(&p, 3)) == -0.5);
	assert_memory_equal(param(&p, 4).data, "\1", 1);
	assert_int_equal(p.len[5], -1);
	assert_int_equal(p.len[6], 3);
	pg_params_done(&p);
}

static void text_that_the_server_would_not_take_is_repaired(void **state)
{
	(void)state;
	static const struct {
		struct str in, out;
	} cases[] = { { STR_INIT("plain \xc3\xa9"), STR_INIT("plain \xc3\xa9") },
		      { STR_INIT(""), STR_INIT("") },
		      { STR_INIT("a\0b"), STR_INIT("a\xEF\xBF\xBD"
		                                   "b") },
		      { STR_INIT("\0"), STR_INIT("\xEF\xBF\xBD") },
		      { STR_INIT("a\0\0"), STR_INIT("a\xEF\xBF\xBD\xEF\xBF\xBD") },
		      { STR_INIT("cut \xc3"), STR_INIT("cut \xEF\xBF\xBD") } };
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct pg_params p;
		struct pg_array a;
		pg_params_init(&p);
		pg_params_text(&p, cases[i].in);
		pg_array_begin(&a, &p, PG_TYPE_TEXT);
		pg_array_text(&a, STR("before"));
		pg_array_text(&a, cases[i].in);
		pg_array_text(&a, STR("after"));
		pg_array_end(&a);
		assert_str_equal(param(&p, 0), cases[i].out);
		struct pg_list l = pg_list_of(param(&p, 1));
		assert_int_equal(l.count, 3);
		assert_true(pg_list_next(&l));
		assert_true(pg_list_next(&l));
		assert_str_equal(l.value, cases[i].out);
		assert_true(pg_list_next(&l));
		assert_str_equal_c(l.value, "after");
		assert_false(pg_list_next(&l));
		pg_params_done(&p);
	}
}

static void arrays_read_back_as_they_were_written(void **state)
{
	(void)state;
	struct rng rng;
	for (struct gen_seeds s = gen_seeds(300); gen_next(&s, &rng);) {
		struct pg_params p;
		struct pg_array a;
		int64_t values[50];
		bool nulls[50];
		size_t count = gen_len(&rng, 50);
		pg_params_init(&p);
		pg_array_begin(&a, &p, PG_TYPE_INT8);
		for (size_t i = 0; i < count; i++) {
			values[i] = gen_i64(&rng);
			nulls[i] = gen_chance(&rng, 20);
			if (nulls[i])
				pg_array_null(&a);
			else
				pg_array_i64(&a, values[i]);
		}
		pg_array_end(&a);
		struct pg_list l = pg_list_of(param(&p, 0));
		assert_int_equal(l.count, count);
		for (size_t i = 0; i < count; i++) {
			assert_true(pg_list_next(&l));
			assert_int_equal(l.is_null, nulls[i]);
			assert_int_equal(pg_list_i64(&l), nulls[i] ? 0 : values[i]);
		}
		assert_false(pg_list_next(&l));
		pg_params_done(&p);
	}
}

static void a_list_of_broken_bytes_ends_early(void **state)
{
	(void)state;
	struct rng rng;
	for (struct gen_seeds s = gen_seeds(2000); gen_next(&s, &rng);) {
		struct pg_params p;
		struct pg_array a;
		size_t n = 0;
		pg_params_init(&p);
		pg_array_begin(&a, &p, PG_TYPE_TEXT);
		for (size_t i = gen_len(&rng, 10); i > 0; i--)
			pg_array_text(&a, STR("some text"));
		pg_array_end(&a);
		gen_mangle(&rng, &p.bytes);
		struct pg_list l = pg_list_of(buf_str(&p.bytes));
		while (pg_list_next(&l)) {
			if (l.value.len &&
			    (l.value.data < p.bytes.data || l.value.data + l.value.len > p.bytes.data + p.bytes.len))
				fail_msg("an element outside of the bytes");
			n++;
		}
		assert_in_range(n, 0, p.bytes.len);
		pg_params_done(&p);
	}
}

static void too_many_parameters_are_told_at_the_end(void **state)
{
	(void)state;
	struct pg_params p;
	pg_params_init(&p);
	for (int i = 0; i <= PG_PARAMS_MAX; i++)
		pg_params_i32(&p, i);
	assert_false(pg_params_ok(&p));
	pg_params_clear(&p);
	pg_params_i32(&p, 1);
	assert_true(pg_params_ok(&p));
	pg_params_done(&p);
}

static void running_out_of_memory_is_told_at_the_end(void **state)
{
	(void)state;
	for (uint64_t n = 1;; n++) {
		struct pg_params p;
		struct pg_array a;
		pg_params_init(&p);
		mem_fail_at(n);
		pg_array_begin(&a, &p, PG_TYPE_TEXT);
		for (int i = 0; i < 50; i++)
			pg_array_text(&a, STR("bad \xff text, and some more of it"));
		pg_array_end(&a);
		mem_fail_at(0);
		bool ok = pg_params_ok(&p);
		if (ok)
			assert_int_equal(pg_list_of(param(&p, 0)).count, 50);
		pg_params_done(&p);
		if (ok)
			break;
		assert_in_range(n, 1, 1000);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(single_values_are_in_network_order),
		cmocka_unit_test(text_that_the_server_would_not_take_is_repaired),
		gen_property(arrays_read_back_as_they_were_written),
		gen_property(a_list_of_broken_bytes_ends_early),
		cmocka_unit_test(too_many_parameters_are_told_at_the_end),
		cmocka_unit_test(running_out_of_memory_is_told_at_the_end),
	};
	return cmocka_run_group_tests_name("store pg_params", tests, NULL, NULL);
}
