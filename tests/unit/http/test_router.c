/* Goal: a path belongs to a pattern segment by segment, and a number in it is a number or nothing. */
#include "coordinator/http/router.h"
#include "tests/support/cmocka_all.h"

static void patterns_take_whole_segments(void **state)
{
	(void)state;
	static const struct {
		const char *pattern, *path;
		int params; /* -1: no match */
		const char *first, *second;
	} cases[] = {
		{ "/api/v1/runs", "/api/v1/runs", 0, "", "" },
		{ "/api/v1/runs", "/api/v1/runs/", -1, "", "" },
		{ "/api/v1/runs", "/api/v1/run", -1, "", "" },
		{ "/api/v1/runs", "/api/v1/runs/7", -1, "", "" },
		{ "/api/v1/runs/{id}", "/api/v1/runs/7", 1, "7", "" },
		{ "/api/v1/runs/{id}", "/api/v1/runs/", -1, "", "" },
		{ "/api/v1/runs/{id}", "/api/v1/runs", -1, "", "" },
		{ "/api/v1/runs/{id}/items/{item}", "/api/v1/runs/7/items/a b", 2, "7", "a b" },
		{ "/api/v1/runs/{id}/items/{item}", "/api/v1/runs/7/items/a/b", -1, "", "" },
		{ "/api/v1/runs/{id}/items/{item}", "/api/v1/runs//items/a", -1, "", "" },
		{ "/x", "", -1, "", "" },
		{ "/x", "x", -1, "", "" },
		{ "/x", "//x", -1, "", "" },
		{ "/{a}/{b}/{c}/{d}/{e}", "/1/2/3/4/5", -1, "", "" },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct router_match m = { .count = 99 };
		bool found = router_matches(cases[i].pattern, str_from(cases[i].path), &m);
		assert_int_equal(found, cases[i].params >= 0);
		assert_int_equal(m.count, found ? cases[i].params : 99);
		if (cases[i].params > 0)
			assert_str_equal_c(m.params[0], cases[i].first);
		if (cases[i].params > 1)
			assert_str_equal_c(m.params[1], cases[i].second);
	}
}

static void ids_are_positive_and_fit_the_database(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		uint64_t id; /* 0: none */
	} cases[] = { { "1", 1 },
		      { "9223372036854775807", INT64_MAX },
		      { "9223372036854775808", 0 },
		      { "0", 0 },
		      { "", 0 },
		      { "-1", 0 },
		      { "1a", 0 },
		      { " 1", 0 },
		      { "1.0", 0 },
		      { "99999999999999999999", 0 } };
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint64_t id = 0;
		assert_int_equal(router_id(str_from(cases[i].text), &id), cases[i].id != 0);
		if (cases[i].id)
			assert_int_equal(id, cases[i].id);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(patterns_take_whole_segments),
		cmocka_unit_test(ids_are_positive_and_fit_the_database),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
