/* Goal: reference vectors of text metrics are held against the shipped scorers, and a wrong one is found. */
#include "common/base/json.h"
#include "common/io/fs.h"
#include "common/io/keys.h"
#include "tests/support/cmocka_all.h"
#include "worker/main/check.h"
#include <stdlib.h>

static bool holds(const char *method, const char *input, const char *expected, char *ret_why, size_t why_size)
{
	struct json_doc *in, *want;
	struct error error;
	struct buf why;
	buf_init(&why, 2000);
	assert_ok(json_parse(str_from(input), &in, &error), &error);
	assert_ok(json_parse(str_from(expected), &want, &error), &error);
	check_case *run = check_find(str_from(method));
	assert_non_null(run);
	bool good = run(json_root(in), json_root(want), NULL, &why);
	(void)snprintf(ret_why, why_size, "%.*s", STR_ARG(buf_str(&why)));
	json_free(in);
	json_free(want);
	buf_done(&why);
	return good;
}

static void a_case_holds_when_each_of_its_fields_does(void **state)
{
	(void)state;
	char why[500];
	static const char input[] = "{\"completion\":\"so 1,200.\\n#### 1,200.\",\"gold\":\"work\\n#### 1200\"}";
	static const char right[] =
		"{\"original\":\"1200.\",\"strict\":\"1,200.\",\"flexible\":\"1,200.\",\"correct_original\":false,"
		"\"correct_strict\":true,\"correct_flexible\":true,\"correct_numeric\":true}";
	static const char wrong[] =
		"{\"original\":\"1200\",\"strict\":\"1,200.\",\"flexible\":\"1,200.\",\"correct_original\":true,"
		"\"correct_strict\":true,\"correct_flexible\":true}";
	if (!holds("gsm8k_extract", input, right, why, sizeof(why)))
		fail_msg("%s", why);
	assert_false(holds("gsm8k_extract", input, wrong, why, sizeof(why)));
	assert_non_null(strstr(why, "original '1200.', not '1200'"));
	assert_non_null(strstr(why, "correct_original false"));
	assert_non_null(strstr(why, "correct_numeric true"));
	assert_null(strstr(why, "strict"));
}

static void a_method_that_no_scorer_computes_is_a_failure(void **state)
{
	(void)state;
	struct error error;
	struct fs_path path = fs_path("/tmp/assay-check-%016llx.json", (unsigned long long)keys_random_u64());
	const char *files[] = { path.text };
	assert_null(check_find(STR("telepathy")));
	assert_ok(fs_write_atomic(path.text, STR("{\"method\":\"telepathy\",\"cases\":[{\"id\":\"a\",\"input\":{}}]}"),
	                          0600, &error),
	          &error);
	assert_int_equal(check_files(files, 1), 1);
	assert_ok(fs_write_atomic(path.text, STR("not json"), 0600, &error), &error);
	assert_int_equal(check_files(files, 1), 2);
	assert_ok(fs_remove(path.text, &error), &error);
	assert_int_equal(check_files(files, 1), 2);
}

static void the_reference_vectors_hold(void **state)
{
	(void)state;
	const char *shared = getenv("ASSAY_SHARED");
	struct fs_path path = fs_path("%s/vectors/stats/gsm8k_extract.json", shared ? shared : "../shared");
	const char *files[] = { path.text };
	if (!fs_exists(path.text))
		skip();
	assert_int_equal(check_files(files, 1), 0);
}

int main(void)
{
	struct error error;
	json_start();
	assert_ok(keys_init(&error), &error);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_case_holds_when_each_of_its_fields_does),
		cmocka_unit_test(a_method_that_no_scorer_computes_is_a_failure),
		cmocka_unit_test(the_reference_vectors_hold),
	};
	return cmocka_run_group_tests_name("worker check", tests, NULL, NULL);
}
