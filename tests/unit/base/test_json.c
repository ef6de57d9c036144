/* Goal: strict reading with errors that name the place; nothing hostile gets past the limits. */
#include "common/base/json.h"
#include "tests/support/cmocka_all.h"

static void a_document_reads_back_by_key_index_and_pointer(void **state)
{
	(void)state;
	struct error e;
	struct json_doc *doc;
	assert_ok(json_parse(STR("{\"a\": [1, 2.5, \"x\\u0000y\", null, true], \"~/\": -3}"), &doc, &e), &e);
	const struct json *root = json_root(doc);
	assert_int_equal(json_len(root), 2);
	assert_int_equal(json_i64_or(json_at(json_get(root, "a"), 0), 0), 1);
	assert_str_equal(json_str_or(json_pointer(root, STR("/a/2")), STR("")), STR("x\0y"));
	assert_int_equal(json_i64_or(json_pointer(root, STR("/~0~1")), 0), -3);
	json_free(doc);
}

int main(void)
{
	json_start();
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_document_reads_back_by_key_index_and_pointer),
	};
	return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
