/* Goal: the shipped routines give the reference values, and the checker notices every way in which they could not. */
#include "common/base/json.h"
#include "common/base/mem.h"
#include "coordinator/stats/vectors.h"
#include "tests/support/cmocka_all.h"
#include <stdio.h>
#include <stdlib.h>

enum { FILE_BYTES_MAX = 8 << 20, REPORT_BYTES_MAX = 1 << 20 };

static struct vectors_count check_text(const char *text, struct buf *report)
{
	struct vectors_count count = { 0 };
	struct error error;
	buf_init(report, REPORT_BYTES_MAX);
	assert_ok(vectors_check(str_from(text), "t", report, &count, &error), &error);
	return count;
}

static bool read_file(const char *path, struct buf *out)
{
	FILE *f = fopen(path, "rb");
	if (!f)
		return false;
	char chunk[65536];
	for (size_t n; (n = fread(chunk, 1, sizeof(chunk), f)) > 0;)
		assert_true(buf_append(out, chunk, n));
	(void)fclose(f); /* read only */
	return true;
}

static void every_method_gives_the_reference_values(void **state)
{
	(void)state;
	static const struct {
		const char *method;
		size_t cases; /* so that an empty or cut file does not pass */
	} files[] = {
		{ "clt_mean", 33 },           { "clustered_mean", 32 },     { "paired_diff", 32 },
		{ "two_sample_diff", 29 },    { "k_samples_variance", 30 }, { "k_samples_unbalanced", 25 },
		{ "power_paired", 29 },       { "missing_policy", 26 },     { "proportion_ci", 33 },
		{ "proportion_diff_ci", 26 }, { "wilson_clustered", 29 },   { "mcnemar", 32 },
		{ "multiple_testing", 32 },   { "pass_at_k", 35 },          { "suite_aggregate", 26 },
		{ "permutation_paired", 27 }, { "weighting", 27 },
	};
	const char *shared = getenv("ASSAY_SHARED") ? getenv("ASSAY_SHARED") : "../shared";
	size_t failed = 0;
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		char path[1000];
		struct buf text, report;
		buf_init(&text, FILE_BYTES_MAX);
		(void)snprintf(path, sizeof(path), "%s/vectors/stats/%s.json", shared, files[i].method);
		if (!read_file(path, &text)) {
			print_message("SKIPPED: %s is not there; set ASSAY_SHARED\n", path);
			buf_done(&text);
			skip();
		}
		struct vectors_count count = check_text(text.data, &report);
		if (report.len)
			print_error("%s", report.data);
		assert_int_equal(count.cases, files[i].cases);
		failed += count.failed;
		buf_done(&text);
		buf_done(&report);
	}
	assert_int_equal(failed, 0);
}

#define MEAN_CASE(extra, expected)                                                                                     \
	"{\"method\":\"clt_mean\",\"format\":1,\"tolerance\":{\"abs\":1e-9,\"rel\":0},\"cases\":["                     \
	"{\"id\":\"one\",\"input\":{\"scores\":[0,1],\"level\":0.95},\"expected\":" expected extra "}]}"

static void check_one(const char *text, size_t failed, const char *report_has)
{
	struct buf report;
	struct vectors_count count = check_text(text, &report);
	assert_int_equal(count.cases, 1);
	assert_int_equal(count.failed, failed);
	assert_int_equal(count.passed, 1 - failed);
	if (str_find(buf_str(&report), str_from(report_has)) < 0)
		fail_msg("report is \"%s\", should have \"%s\"", report.data ? report.data : "", report_has);
	if (failed == 0)
		assert_int_equal(report.len, 0);
	buf_done(&report);
}

static void a_value_inside_its_tolerance_passes_and_one_outside_is_named(void **state)
{
	(void)state;
	check_one(MEAN_CASE("", "{\"mean\":0.5}"), 0, "");
	check_one(MEAN_CASE("", "{\"mean\":0.5000000005}"), 0, "");
	check_one(MEAN_CASE("", "{\"mean\":0.50000001}"), 1, "t: one: mean is 0.5, expected 0.50000001");
	check_one(MEAN_CASE("", "{\"ci_z\":[-0.479981992270027,1.6]}"), 1, "ci_z[1]");
	check_one(MEAN_CASE("", "{\"ci_z\":[-0.479981992270027]}"), 1, "array of 1");
}

static void a_case_may_replace_the_tolerance_as_a_whole_or_for_one_field(void **state)
{
	(void)state;
	check_one(MEAN_CASE(",\"tolerance\":{\"abs\":0.1,\"rel\":0}", "{\"mean\":0.55}"), 0, "");
	check_one(MEAN_CASE(",\"tolerance\":{\"rel\":0.1}", "{\"mean\":0.55}"), 0, "");
	check_one(MEAN_CASE(",\"tolerance\":{\"mean\":0.1}", "{\"mean\":0.55}"), 0, "");
	check_one(MEAN_CASE(",\"tolerance\":{\"mean_rel\":0.1}", "{\"mean\":0.55}"), 0, "");
	check_one(MEAN_CASE(",\"tolerance\":{\"mean\":0.01}", "{\"mean\":0.55}"), 1, "mean is");
	check_one(MEAN_CASE(",\"tolerance\":{\"mean\":0.1}", "{\"mean\":0.55,\"se\":0.51}"), 1, "se is");
	check_one(MEAN_CASE(",\"tolerance\":{\"se\":0.1}", "{\"mean\":0.55}"), 1, "mean is");
}

static void undefined_is_not_a_number_and_a_number_is_not_undefined(void **state)
{
	(void)state;
	check_one(MEAN_CASE("", "{\"se\":null}"), 1, "se is a number, expected undefined (null)");
	check_one(MEAN_CASE("", "{\"nonsense\":1}"), 1, "nonsense is");
	check_one(MEAN_CASE("", "{\"mean\":\"inf\"}"), 1, "expected inf");
	check_one(MEAN_CASE("", "{\"mean\":true}"), 1, "mean is not true");
	check_one("{\"method\":\"clt_mean\",\"format\":1,\"cases\":[{\"id\":\"x\",\"input\":{\"scores\":[1],\"level\":"
	          "0.9},"
	          "\"expected\":{\"se\":0}}]}",
	          1, "se is null, expected 0");
	check_one(
		"{\"method\":\"paired_diff\",\"format\":1,\"cases\":[{\"id\":\"x\",\"input\":{\"a\":[1,1],\"b\":[0,0],"
		"\"level\":0.9},\"expected\":{\"t\":\"inf\",\"p_t\":0,\"clustered\":null}}]}",
		0, "");
}

static void a_refusal_must_be_the_expected_one(void **state)
{
	(void)state;
#define REFUSED(scores, expected)                                                                                      \
	"{\"method\":\"clt_mean\",\"format\":1,\"cases\":[{\"id\":\"x\",\"input\":{\"scores\":" scores                 \
	",\"level\":0.9},\"expected\":" expected "}]}"
	check_one(REFUSED("[]", "{\"error\":\"empty\"}"), 0, "");
	check_one(REFUSED("[null]", "{\"error\":\"nan_input\"}"), 0, "");
	check_one(REFUSED("[]", "{\"error\":\"too_few\"}"), 1, "refused as empty, expected the refusal too_few");
	check_one(REFUSED("[1]", "{\"error\":\"empty\"}"), 1, "not refused");
	check_one(REFUSED("[]", "{\"mean\":0}"), 1, "refused as empty");
	check_one(REFUSED("[\"inf\"]", "{\"error\":\"domain\"}"), 0, "");
}

static void a_method_that_is_not_known_fails_all_its_cases(void **state)
{
	(void)state;
	struct buf report;
	struct vectors_count count = check_text(
		"{\"method\":\"astrology\",\"format\":1,\"cases\":[{\"id\":\"a\"},{\"id\":\"b\"}]}", &report);
	assert_int_equal(count.cases, 2);
	assert_int_equal(count.failed, 2);
	assert_true(str_find(buf_str(&report), STR("astrology is not known")) >= 0);
	buf_done(&report);
}

static void a_case_that_expects_nothing_or_has_no_usable_input_fails(void **state)
{
	(void)state;
	check_one(MEAN_CASE("", "{}"), 1, "expects nothing");
	check_one("{\"method\":\"clt_mean\",\"format\":1,\"cases\":[{\"id\":\"x\",\"expected\":{\"mean\":1}}]}", 1,
	          "no input");
	check_one("{\"method\":\"clt_mean\",\"format\":1,\"cases\":[{\"id\":\"x\",\"input\":{\"scores\":[1]},"
	          "\"expected\":{\"mean\":1}}]}",
	          1, "input.level is missing or of the wrong type");
	check_one("{\"method\":\"mcnemar\",\"format\":1,\"cases\":[{\"id\":\"x\",\"input\":{\"n11\":1,\"n10\":-1,"
	          "\"n01\":0,"
	          "\"n00\":0},\"expected\":{\"diff\":0}}]}",
	          1, "input.n10 is missing or of the wrong type");
	check_one("{\"method\":\"clustered_mean\",\"format\":1,\"cases\":[{\"id\":\"x\",\"input\":{\"scores\":[1,2],"
	          "\"clusters\":[true,1],\"level\":0.9},\"expected\":{\"mean\":1.5}}]}",
	          1, "input.clusters");
}

static void a_file_that_is_no_vector_file_is_an_error(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		enum err_code code;
	} files[] = {
		{ "", ERR_INVALID },
		{ "[]", ERR_INVALID },
		{ "{\"method\":\"clt_mean\",\"format\":1,\"cases\":[]}", ERR_INVALID },
		{ "{\"method\":\"clt_mean\",\"format\":1}", ERR_INVALID },
		{ "{\"method\":\"clt_mean\",\"format\":2,\"cases\":[{}]}", ERR_UNSUPPORTED },
		{ "{\"method\":\"clt_mean\",\"format\":1,\"cases\":[{\"id\":\"a\"},{\"id\":\"a\"}]}", ERR_INVALID },
	};
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		struct buf report;
		struct vectors_count count;
		struct error error;
		buf_init(&report, REPORT_BYTES_MAX);
		assert_int_equal(vectors_check(str_from(files[i].text), "f.json", &report, &count, &error),
		                 files[i].code);
		assert_non_null(strstr(error.text, "f.json"));
		buf_done(&report);
	}
}

static void a_full_report_loses_lines_but_no_counts(void **state)
{
	(void)state;
	struct buf report;
	struct vectors_count count;
	struct error error;
	buf_init(&report, 10);
	assert_ok(vectors_check(STR(MEAN_CASE("", "{\"mean\":7}")), "t", &report, &count, &error), &error);
	assert_int_equal(count.failed, 1);
	assert_true(report.failed);
	buf_done(&report);
}

static void the_table_names_every_method_once_with_its_version(void **state)
{
	(void)state;
	unsigned version = 0;
	size_t n = 0;
	for (const char *name; (name = vectors_method_name(n, &version)) != NULL; n++) {
		unsigned other;
		assert_true(version >= 1);
		if (n > 0)
			assert_true(strcmp(vectors_method_name(n - 1, &other), name) < 0);
	}
	assert_int_equal(n, 17);
}

int main(void)
{
	json_start();
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_method_gives_the_reference_values),
		cmocka_unit_test(a_value_inside_its_tolerance_passes_and_one_outside_is_named),
		cmocka_unit_test(a_case_may_replace_the_tolerance_as_a_whole_or_for_one_field),
		cmocka_unit_test(undefined_is_not_a_number_and_a_number_is_not_undefined),
		cmocka_unit_test(a_refusal_must_be_the_expected_one),
		cmocka_unit_test(a_method_that_is_not_known_fails_all_its_cases),
		cmocka_unit_test(a_case_that_expects_nothing_or_has_no_usable_input_fails),
		cmocka_unit_test(a_file_that_is_no_vector_file_is_an_error),
		cmocka_unit_test(a_full_report_loses_lines_but_no_counts),
		cmocka_unit_test(the_table_names_every_method_once_with_its_version),
	};
	return cmocka_run_group_tests_name("vectors", tests, NULL, NULL);
}
