/* Goal: the small tools under the readers: headers, masking, redaction, event streams. */
#include "tests/support/cmocka_all.h"
#include "worker/provider/provider.h"
#include "worker/provider/provider_reply.h"
#include "worker/provider/sse.h"

static void headers_are_found_without_case_in_the_last_block(void **state)
{
	(void)state;
	struct str v = STR("untouched");
	const struct str block =
		STR("HTTP/1.1 100 Continue\r\nA: 1\r\n\r\nHTTP/1.1 200 OK\r\nB: x:y \r\nb: second\r\nC\r\n");
	assert_false(provider_reply_header(block, "a", &v));
	assert_str_equal_c(v, "untouched");
	assert_true(provider_reply_header(block, "b", &v));
	assert_str_equal_c(v, "x:y");
	assert_false(provider_reply_header(block, "c", &v));
	assert_false(provider_reply_header(block, "", &v));
	assert_false(provider_reply_header(STR(""), "a", &v));
	assert_true(provider_reply_header(STR("X-Y:"), "x-y", &v));
	assert_int_equal(v.len, 0);
}

static void words_that_look_like_keys_are_masked(void **state)
{
	(void)state;
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ "key sk-abcdefghijkl is bad", "key sk-*** is bad" },
		{ "sk-abc", "sk-abc" },
		{ "sk-abcdefghi", "sk-***" },
		{ "a task-abcdefghijkl", "a task-abcdefghijkl" },
		{ "Authorization: Bearer abcdefghijklmnop, x", "Authorization: Bearer ab***, x" },
		{ "(gsk_0123456789) and AIzaSyA0123456789", "(gsk_***) and AIza***" },
		{ "", "" },
		{ "sk-1234*********wxyz", "sk-***" },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char text[100];
		(void)snprintf(text, sizeof(text), "%s", cases[i].text);
		size_t len = provider_reply_mask(text, strlen(text));
		assert_string_equal(text, cases[i].want);
		assert_int_equal(len, strlen(cases[i].want));
	}
}

static void a_secret_is_wiped_however_json_spells_it(void **state)
{
	(void)state;
	static const struct {
		const char *text, *secret, *want;
		size_t count;
	} cases[] = {
		{ "key=abcd1234.", "abcd1234", "key=********.", 1 },
		{ "abcdabcdabc", "abcd", "********abc", 2 },
		{ "a\\/b/c a/b\\/c", "a/b/c", "****** ******", 2 },
		{ "\\u0061bcd \\u0061bc\\u0064", "abcd", "********* **************", 2 },
		{ "\\u006F\\u004Ab\\u0030", "oJb0", "*******************", 1 },
		{ "\\u006f\\u004ab\\u0030", "oJb0", "*******************", 1 },
		{ "\\u016fJb0", "oJb0", "\\u016fJb0", 0 },
		{ "abc", "abcd", "abc", 0 },
		{ "abc\\", "abcd", "abc\\", 0 },
		{ "abc\\u006", "abcd", "abc\\u006", 0 },
		{ "x abc x", "abc", "x abc x", 0 },
		{ "aabcd", "abcd", "a****", 1 },
		{ "", "abcd", "", 0 },
		{ "q\\\"uot", "q\"uot", "******", 1 },
		{ "a\\b\\c", "a\\b\\c", "*****", 1 },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char text[100];
		(void)snprintf(text, sizeof(text), "%s", cases[i].text);
		assert_int_equal(provider_redact(text, strlen(text), str_from(cases[i].secret)), cases[i].count);
		assert_string_equal(text, cases[i].want);
	}
}

static void printable_text_is_cut_at_whole_characters(void **state)
{
	(void)state;
	char out[8];
	assert_int_equal(provider_reply_printable(STR("a\xC3\xA9\xC3\xA9"), out, 4), 3);
	assert_string_equal(out, "a\xC3\xA9");
	assert_int_equal(provider_reply_printable(STR("\xFF\n\0\x7F"), out, 7), 4);
	assert_string_equal(out, "?   ");
	assert_int_equal(provider_reply_printable(STR("x"), out, 0), 0);
	assert_string_equal(out, "");
}

static void event_streams_are_taken_apart(void **state)
{
	(void)state;
	struct buf data, all;
	buf_init(&data, 100);
	buf_init(&all, 200);
	struct str rest = STR(
		": hello\n\ndata: a\n\ndata:b\rdata:  c\r\revent: e\nid: 1\ndata\n\r\ndata: d\r\ndata: \n\ndata: cut");
	while (sse_next(&rest, &data))
		buf_printf(&all, "[%.*s]", STR_ARG(buf_str(&data)));
	assert_str_equal_c(buf_str(&all), "[a][b\n c][d\n][cut]");
	assert_false(data.failed);
	rest = STR("data: a\r\ndata: b\r\n\r\ndata: c");
	assert_true(sse_next(&rest, &data));
	assert_str_equal_c(buf_str(&data), "a\nb");
	buf_done(&data);
	buf_init(&data, 3);
	rest = STR("data: four\n\n");
	assert_false(sse_next(&rest, &data));
	assert_true(data.failed);
	buf_done(&data);
	buf_done(&all);
	assert_true(sse_is_stream(STR("\n data: x")));
	assert_true(sse_is_stream(STR("event: x")));
	assert_false(sse_is_stream(STR("{\"data: \"}")));
	assert_false(sse_is_stream(STR("")));
}

static void stops_have_names(void **state)
{
	(void)state;
	assert_string_equal(provider_stop_name(PROVIDER_STOP_ERROR), "error");
	assert_string_equal(provider_stop_name(PROVIDER_STOP_UNKNOWN), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(headers_are_found_without_case_in_the_last_block),
		cmocka_unit_test(words_that_look_like_keys_are_masked),
		cmocka_unit_test(a_secret_is_wiped_however_json_spells_it),
		cmocka_unit_test(printable_text_is_cut_at_whole_characters),
		cmocka_unit_test(event_streams_are_taken_apart),
		cmocka_unit_test(stops_have_names),
	};
	return cmocka_run_group_tests_name("provider reply", tests, NULL, NULL);
}
