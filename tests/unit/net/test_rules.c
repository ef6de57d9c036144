/* Goal: only what worker.yaml lists may be reached, by any spelling. */
#include "tests/support/cmocka_all.h"
#include "worker/net/rules.h"

static const struct str hosts[] = { STR_INIT("api.example.com"), STR_INIT("*.example.org"), STR_INIT("169.254.1.1") };
static const struct str private_hosts[] = { STR_INIT("vllm.internal"), STR_INIT("10.1.2.3") };
static const struct rules_alias aliases[] = { { STR_INIT("m"), STR_INIT("sk-secret-value") } };
static const struct rules_command commands[] = {
	{ .name = STR_INIT("smol"), .path = "/x", .hosted = true },
	{ .name = STR_INIT("idle"), .path = "/y" },
};
static const struct rules rules = {
	.aliases = aliases,
	.alias_count = 1,
	.allowed_hosts = hosts,
	.allowed_host_count = 3,
	.private_hosts = private_hosts,
	.private_host_count = 2,
	.commands = commands,
	.command_count = 2,
};

static void a_host_is_allowed_by_its_name_or_a_suffix_of_whole_labels(void **state)
{
	(void)state;
	static const struct {
		const char *host;
		bool allowed;
	} cases[] = {
		{ "api.example.com", true },  { "API.Example.Com", true },   { "api.example.com.evil.net", false },
		{ "a.example.org", true },    { "a.b.example.org", true },   { "example.org", false },
		{ "evilexample.org", false }, { "xapi.example.com", false }, { "", false },
	};
	struct error error;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		if ((rules_check_host(&rules, str_from(cases[i].host), &error) == ERR_OK) != cases[i].allowed)
			fail_msg("%s", cases[i].host);
}

static void any_host_is_any_host_but_link_local(void **state)
{
	(void)state;
	static const struct str any[] = { STR_INIT("*") };
	struct rules r = { .allowed_hosts = any, .allowed_host_count = 1, .allow_private = true };
	struct error error;
	assert_ok(rules_check_host(&r, STR("whatever.net"), &error), &error);
	assert_int_equal(rules_check_host(&r, STR("169.254.169.254"), &error), ERR_DENIED);
	assert_int_equal(rules_check_host(&r, STR("FE80::1"), &error), ERR_DENIED);
	r.private_hosts = hosts;
	r.private_host_count = 3;
	assert_ok(rules_check_host(&r, STR("169.254.1.1"), &error), &error);
}

static void nothing_is_allowed_when_nothing_is_listed(void **state)
{
	(void)state;
	struct rules r = { 0 };
	struct error error;
	assert_int_equal(rules_check_host(&r, STR("api.example.com"), &error), ERR_DENIED);
	assert_non_null(strstr(error.text, "api.example.com"));
	assert_false(rules_private_allowed(&r, STR("10.1.2.3")));
}

static void a_private_address_needs_its_own_line(void **state)
{
	(void)state;
	assert_true(rules_private_allowed(&rules, STR("10.1.2.3")));
	assert_true(rules_private_allowed(&rules, STR("vllm.internal")));
	assert_false(rules_private_allowed(&rules, STR("10.1.2.4")));
}

static void an_alias_gives_its_key_and_an_unknown_one_names_itself_only(void **state)
{
	(void)state;
	struct str secret;
	struct error error;
	assert_ok(rules_secret(&rules, STR("m"), &secret, &error), &error);
	assert_str_equal_c(secret, "sk-secret-value");
	assert_ok(rules_secret(&rules, STR(""), &secret, &error), &error);
	assert_int_equal(secret.len, 0);
	assert_int_equal(rules_secret(&rules, STR("n"), &secret, &error), ERR_DENIED);
	assert_null(strstr(error.text, "sk-"));
}

static void a_command_must_be_listed_and_hosted(void **state)
{
	(void)state;
	const struct rules_command *c;
	struct error error;
	assert_ok(rules_command(&rules, STR("smol"), &c, &error), &error);
	assert_string_equal(c->path, "/x");
	assert_int_equal(rules_command(&rules, STR("idle"), &c, &error), ERR_DENIED);
	assert_int_equal(rules_command(&rules, STR("sh"), &c, &error), ERR_DENIED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_host_is_allowed_by_its_name_or_a_suffix_of_whole_labels),
		cmocka_unit_test(any_host_is_any_host_but_link_local),
		cmocka_unit_test(nothing_is_allowed_when_nothing_is_listed),
		cmocka_unit_test(a_private_address_needs_its_own_line),
		cmocka_unit_test(an_alias_gives_its_key_and_an_unknown_one_names_itself_only),
		cmocka_unit_test(a_command_must_be_listed_and_hosted),
	};
	return cmocka_run_group_tests_name("net rules", tests, NULL, NULL);
}
