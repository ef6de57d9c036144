/* Goal: every class of failure has its name, its retry rule and the outcome that it ends in, and none changes unseen:
 * worker, coordinator and stored rows all read these numbers. */
#include "common/wire/outcome.h"
#include "tests/support/cmocka_all.h"

// clang-format off
static const struct {
	int number;
	const char *name;
	enum retry_rule retry;
	enum outcome outcome;
} classes[] = {
	{  0, "none",             RETRY_NONE,  OUTCOME_NONE },
	{  1, "resolve",          RETRY_LATER, OUTCOME_PROVIDER_ERROR },
	{  2, "connect",          RETRY_LATER, OUTCOME_PROVIDER_ERROR },
	{  3, "tls",              RETRY_NONE,  OUTCOME_PROVIDER_ERROR },
	{  4, "timeout",          RETRY_LATER, OUTCOME_PROVIDER_ERROR },
	{  5, "stall",            RETRY_LATER, OUTCOME_PROVIDER_ERROR },
	{  6, "server",           RETRY_LATER, OUTCOME_PROVIDER_ERROR },
	{  7, "overloaded",       RETRY_LATER, OUTCOME_PROVIDER_ERROR },
	{  8, "rate_limited",     RETRY_PACED, OUTCOME_PROVIDER_ERROR },
	{  9, "quota",            RETRY_NONE,  OUTCOME_PROVIDER_ERROR },
	{ 10, "auth",             RETRY_NONE,  OUTCOME_PROVIDER_ERROR },
	{ 11, "not_found",        RETRY_NONE,  OUTCOME_PROVIDER_ERROR },
	{ 12, "bad_request",      RETRY_NONE,  OUTCOME_PROVIDER_ERROR },
	{ 13, "context_overflow", RETRY_NONE,  OUTCOME_PROVIDER_ERROR },
	{ 14, "too_large",        RETRY_NONE,  OUTCOME_PROVIDER_ERROR },
	{ 15, "malformed",        RETRY_LATER, OUTCOME_PROVIDER_ERROR },
	{ 16, "not_allowed",      RETRY_NONE,  OUTCOME_HARNESS_ERROR },
	{ 17, "host_failed",      RETRY_LATER, OUTCOME_PROVIDER_ERROR },
	{ 18, "harness",          RETRY_NONE,  OUTCOME_HARNESS_ERROR },
	{ 19, "died",             RETRY_SOON,  OUTCOME_PROVIDER_ERROR },
	{ 20, "lost",             RETRY_SOON,  OUTCOME_PROVIDER_ERROR },
	{ 21, "abandoned",        RETRY_SOON,  OUTCOME_PROVIDER_ERROR },
	{ 22, "deadline",         RETRY_NONE,  OUTCOME_PROVIDER_ERROR },
};

static const struct {
	int number;
	const char *name;
	bool is_missing;
} outcomes[] = {
	{ 0, "none",           true },
	{ 1, "scored",         false },
	{ 2, "unscored",       true },
	{ 3, "provider_error", true },
	{ 4, "harness_error",  true },
	{ 5, "quarantined",    true },
	{ 6, "cancelled",      true },
	{ 7, "not_run",        true },
};
// clang-format on

static void every_class_has_its_name_rule_and_outcome(void **state)
{
	(void)state;
	assert_int_equal(ARRAY_LEN(classes), CLASS_COUNT);
	for (size_t i = 0; i < ARRAY_LEN(classes); i++) {
		enum error_class c = (enum error_class)classes[i].number, back;
		assert_string_equal(error_class_name(c), classes[i].name);
		assert_int_equal(error_class_retry(c), classes[i].retry);
		assert_int_equal(error_class_outcome(c), classes[i].outcome);
		assert_true(error_class_from_name(str_from(classes[i].name), &back));
		assert_int_equal(back, c);
	}
}

static void every_outcome_has_its_name(void **state)
{
	(void)state;
	assert_int_equal(ARRAY_LEN(outcomes), OUTCOME_COUNT);
	for (size_t i = 0; i < ARRAY_LEN(outcomes); i++) {
		enum outcome o = (enum outcome)outcomes[i].number, back;
		assert_string_equal(outcome_name(o), outcomes[i].name);
		assert_int_equal(outcome_is_missing(o), outcomes[i].is_missing);
		assert_true(outcome_from_name(str_from(outcomes[i].name), &back));
		assert_int_equal(back, o);
	}
}

static void numbers_and_names_that_do_not_exist_are_said_so(void **state)
{
	(void)state;
	enum outcome o = OUTCOME_UNSCORED;
	enum error_class c = CLASS_TLS;
	assert_string_equal(outcome_name((enum outcome)OUTCOME_COUNT), "?");
	assert_string_equal(error_class_name((enum error_class)CLASS_COUNT), "?");
	assert_int_equal(error_class_retry((enum error_class)CLASS_COUNT), RETRY_NONE);
	assert_int_equal(error_class_outcome((enum error_class)CLASS_COUNT), OUTCOME_HARNESS_ERROR);
	assert_false(outcome_from_name(STR("Scored"), &o));
	assert_false(outcome_from_name(STR(""), &o));
	assert_false(error_class_from_name(STR("server "), &c));
	assert_int_equal(o, OUTCOME_UNSCORED);
	assert_int_equal(c, CLASS_TLS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_class_has_its_name_rule_and_outcome),
		cmocka_unit_test(every_outcome_has_its_name),
		cmocka_unit_test(numbers_and_names_that_do_not_exist_are_said_so),
	};
	return cmocka_run_group_tests_name("outcome", tests, NULL, NULL);
}
