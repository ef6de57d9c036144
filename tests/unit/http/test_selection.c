/* Goal: two wishes that mean the same have the same name, and two that differ have not; what is none says why. */
#include "coordinator/http/able.h"
#include "coordinator/http/selection.h"
#include "tests/support/cmocka_all.h"

enum { PAIRS_MAX = 4 };

/* "key=value" pairs, NULL-terminated, in the order of the request. */
static enum err_code slice_of(const char *const *pairs, struct arena *arena, struct str *ret_text, struct error *reterr)
{
	struct str keys[PAIRS_MAX], values[PAIRS_MAX];
	size_t count = 0;
	for (; pairs[count]; count++) {
		struct str rest = str_from(pairs[count]);
		assert_true(str_split(&rest, '=', &keys[count]));
		values[count] = rest;
	}
	return selection_slice_text(arena, keys, values, count, ret_text, reterr);
}

static void a_slice_is_sorted_and_escaped(void **state)
{
	(void)state;
	static const struct {
		const char *pairs[PAIRS_MAX + 1];
		const char *text;
	} cases[] = {
		{ { NULL }, "" },
		{ { "stratum=refund" }, "stratum=refund" },
		{ { "task=b", "stratum=a" }, "stratum=a,task=b" },
		{ { "stratum=a", "task=b" }, "stratum=a,task=b" },
		{ { "stratum=a,task=b" }, "stratum=a%2Ctask%3Db" },
		{ { "stratum=100%" }, "stratum=100%25" },
		{ { "split=dev", "provenance=synthetic", "cluster=c" }, "cluster=c,provenance=synthetic,split=dev" },
		{ { "stratum=" }, "stratum=" },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct arena arena;
		struct str text;
		struct error e;
		arena_init(&arena, 1 << 16);
		assert_ok(slice_of(cases[i].pairs, &arena, &text, &e), &e);
		assert_str_equal_c(text, cases[i].text);
		arena_done(&arena);
	}
}

static void a_slice_by_something_else_names_what_there_is(void **state)
{
	(void)state;
	static const char *const pairs[] = { "colour=red", NULL };
	struct arena arena;
	struct str text;
	struct error e;
	arena_init(&arena, 1 << 16);
	assert_int_equal(slice_of(pairs, &arena, &text, &e), ERR_INVALID);
	assert_non_null(strstr(e.text, "colour"));
	assert_non_null(strstr(e.text, "stratum"));
	arena_done(&arena);
}

static void a_limit_has_one_spelling_and_takes_at_least_one(void **state)
{
	(void)state;
	static const struct {
		const char *limit, *text;
		uint32_t matching, count;
	} cases[] = {
		{ "", "", 200, 200 },
		{ "50", "50", 200, 50 },
		{ "050", "50", 200, 50 },
		{ "500", "500", 200, 200 },
		{ "0.1", "0.1", 200, 20 },
		{ "0.10", "0.1", 200, 20 },
		{ "1e-1", "0.1", 200, 20 },
		{ "0.001", "0.001", 200, 1 },
		{ "0.5", "0.5", 3, 2 },
		{ "0.999999", "0.999999", 10, 10 },
		{ "18446744073709551615", "18446744073709551615", 7, 7 },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct arena arena;
		struct str text;
		struct error e;
		uint32_t count;
		arena_init(&arena, 1 << 16);
		assert_ok(selection_limit(&arena, str_from(cases[i].limit), cases[i].matching, &text, &count, &e), &e);
		assert_str_equal_c(text, cases[i].text);
		assert_int_equal(count, cases[i].count);
		arena_done(&arena);
	}
}

static void a_limit_that_is_none_is_wrong_usage(void **state)
{
	(void)state;
	static const char *const wrong[] = {
		"0", "-3", "1.0", "1.5", "0.0", "many", "10%", " 5", "nan", "inf", "0x10"
	};
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		struct arena arena;
		struct str text;
		struct error e;
		uint32_t count;
		arena_init(&arena, 1 << 16);
		assert_int_equal(selection_limit(&arena, str_from(wrong[i]), 100, &text, &count, &e), ERR_INVALID);
		assert_non_null(strstr(e.text, wrong[i]));
		arena_done(&arena);
	}
}

static void the_host_of_an_address_has_neither_port_nor_brackets(void **state)
{
	(void)state;
	static const struct {
		const char *url, *host;
	} cases[] = { { "https://api.example.com", "api.example.com" },
		      { "https://api.example.com:8443/v1", "api.example.com" },
		      { "http://127.0.0.1:80/v1", "127.0.0.1" },
		      { "http://[::1]:80/v1", "::1" },
		      { "http://[::1]", "::1" },
		      { "http://h?x=/y", "h" },
		      { "api.example.com/v1", "api.example.com" },
		      { "http://[::1", "[" }, /* no address: matches no host */
		      { "", "" } };
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_str_equal_c(able_host(str_from(cases[i].url)), cases[i].host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_slice_is_sorted_and_escaped),
		cmocka_unit_test(a_slice_by_something_else_names_what_there_is),
		cmocka_unit_test(a_limit_has_one_spelling_and_takes_at_least_one),
		cmocka_unit_test(a_limit_that_is_none_is_wrong_usage),
		cmocka_unit_test(the_host_of_an_address_has_neither_port_nor_brackets),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
