/* Goal: the column in the words of an error is where the member stands, whatever else is on the line. */
#include "coordinator/catalog/item_column.h"
#include "tests/support/cmocka_all.h"

static void a_key_is_found_at_the_top_level_only(void **state)
{
	(void)state;
	static const struct {
		const char *line, *key;
		size_t column;
	} cases[] = {
		{ "{\"id\": 1}", "id", 2 },
		{ "  {\"a\": 1, \"id\" : 1}", "id", 12 },
		{ "{\"a\": {\"id\": 1}, \"id\": 2}", "id", 18 },
		{ "{\"a\": [\"id\", {\"id\": 1}], \"id\": 2}", "id", 26 },
		{ "{\"a\": \"id\", \"id\": 2}", "id", 13 },
		{ "{\"a\": \"\\\"id\\\": {\", \"id\": 2}", "id", 20 },
		{ "{\"a\": \"\xc3\xa4\xe2\x82\xac\", \"id\": 2}", "id", 13 },
		{ "{\"a\": \"x\\\\\", \"id\": 2}", "id", 14 },
		{ "{\"a\": 1}", "id", 1 },
		{ "{\"a\": 1}", "", 1 },
		{ "[\"id\", 1]", "id", 1 },
		{ "", "id", 1 },
		{ "{\"id\": \"", "id", 2 },
		{ "{\"id", "id", 1 },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_int_equal(item_column(str_from(cases[i].line), str_from(cases[i].key)), cases[i].column);
}

static void a_message_names_its_member_first(void **state)
{
	(void)state;
	struct str line = STR("{\"id\": \"a\", \"choices\": [1], \"trace_id\": 2}");
	assert_int_equal(item_column_of_message(line, STR("choices[0] must be text")), 13);
	assert_int_equal(item_column_of_message(line, STR("trace_id must be text")), 29);
	assert_int_equal(item_column_of_message(line, STR("choices")), 13);
	assert_int_equal(item_column_of_message(line, STR("an item must be an object")), 1);
	assert_int_equal(item_column_of_message(line, STR("")), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_key_is_found_at_the_top_level_only),
		cmocka_unit_test(a_message_names_its_member_first),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
