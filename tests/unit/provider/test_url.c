/* Goal: an address is taken apart as curl would take it apart, or refused; joining keeps host and query. */
#include "tests/support/cmocka_all.h"
#include "worker/provider/provider_url.h"

static void addresses_are_taken_apart(void **state)
{
	(void)state;
	static const struct {
		const char *text, *host, *path, *query;
		int port;
		bool https;
	} cases[] = {
		{ "https://api.example.com", "api.example.com", "", "", 443, true },
		{ "HTTP://Host_1/", "Host_1", "/", "", 80, false },
		{ "https://az.AZ-09", "az.AZ-09", "", "", 443, true },
		{ "http://127.0.0.1:8080/v1", "127.0.0.1", "/v1", "", 8080, false },
		{ "https://h/a/b?api-version=1&x=/y", "h", "/a/b", "api-version=1&x=/y", 443, true },
		{ "https://h?x=1", "h", "", "x=1", 443, true },
		{ "http://[::1]:65535/x", "::1", "/x", "", 65535, false },
		{ "http://[fe80::1]", "fe80::1", "", "", 80, false },
		{ "https://h/a@b:c", "h", "/a@b:c", "", 443, true },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct provider_url u;
		struct error error;
		assert_ok(provider_url_parse(str_from(cases[i].text), &u, &error), &error);
		assert_str_equal_c(u.host, cases[i].host);
		assert_str_equal_c(u.path, cases[i].path);
		assert_str_equal_c(u.query, cases[i].query);
		assert_int_equal(u.port, cases[i].port);
		assert_int_equal(u.https, cases[i].https);
	}
}

static void addresses_that_could_mislead_are_refused(void **state)
{
	(void)state;
	static const char *const cases[] = {
		"",
		"api.example.com",
		"ftp://h",
		"file:///etc/passwd",
		"https:/h",
		"https://",
		"https:///path",
		"https://user@h",
		"https://user:secret@h/v1",
		"https://allowed.example@evil.example/",
		"https://allowed.example\\@evil.example/",
		"https://h#fragment",
		"https://h /v1",
		"https://h\n/v1",
		"https://h:0",
		"https://h:65536",
		"https://h:",
		"https://h:8o",
		"https://h:80:80",
		"https://[::1",
		"https://[::1]x",
		"https://[h]",
		"https://[]",
		"https://h%2e.com",
		"https://-h",
		"https://.h",
		("https://b\xC3\xBC"
		 "cher.example"),
		"https://h/\x01",
		"https://h/<x>",
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct provider_url u = { .port = 7 };
		struct error error = { .text = "" };
		if (provider_url_parse(str_from(cases[i]), &u, &error) != ERR_INVALID || u.port != 7)
			fail_msg("'%s' was taken", cases[i]);
		assert_null(strstr(error.text, "secret"));
	}
	char longest[5000];
	memset(longest, 'a', sizeof(longest));
	memcpy(longest, "http://h/", 9);
	struct provider_url u;
	assert_int_equal(provider_url_parse(str_make(longest, sizeof(longest)), &u, NULL), ERR_INVALID);
	assert_int_equal(provider_url_parse(str_make(longest, 4096), &u, NULL), ERR_OK);
	memset(longest + 7, 'h', 400);
	assert_int_equal(provider_url_parse(str_make(longest, 7 + 254), &u, NULL), ERR_INVALID);
	assert_int_equal(provider_url_parse(str_make(longest, 7 + 253), &u, NULL), ERR_OK);
}

static void joining_keeps_what_the_operator_wrote(void **state)
{
	(void)state;
	static const struct {
		const char *base, *want;
	} cases[] = {
		{ "https://h", "https://h/v1/chat/completions" },
		{ "https://h/", "https://h/v1/chat/completions" },
		{ "https://h/v1", "https://h/v1/chat/completions" },
		{ "https://h/v1///", "https://h/v1/chat/completions" },
		{ "https://h/api/v1/", "https://h/api/v1/chat/completions" },
		{ "https://h/v1/chat/completions", "https://h/v1/chat/completions" },
		{ "https://h/openai/deployments/d?api-version=2",
		  "https://h/openai/deployments/d/chat/completions?api-version=2" },
		{ "https://h?k=1", "https://h/v1/chat/completions?k=1" },
		{ "http://[::1]:8080", "http://[::1]:8080/v1/chat/completions" },
	};
	struct buf out;
	struct error error;
	buf_init(&out, 200);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		buf_clear(&out);
		assert_ok(
			provider_url_join(str_from(cases[i].base), STR("/v1"), STR("/chat/completions"), &out, &error),
			&error);
		assert_str_equal_c(buf_str(&out), cases[i].want);
	}
	buf_done(&out);
	buf_init(&out, 20);
	assert_int_equal(provider_url_join(STR("https://h"), STR("/v1"), STR("/chat/completions"), &out, &error),
	                 ERR_LIMIT);
	assert_int_equal(provider_url_join(STR("h"), STR("/v1"), STR("/x"), &out, &error), ERR_INVALID);
	buf_done(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_are_taken_apart),
		cmocka_unit_test(addresses_that_could_mislead_are_refused),
		cmocka_unit_test(joining_keeps_what_the_operator_wrote),
	};
	return cmocka_run_group_tests_name("provider url", tests, NULL, NULL);
}
