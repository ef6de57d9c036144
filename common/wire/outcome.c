#include "common/wire/outcome.h"

static const char *const outcome_names[OUTCOME_COUNT] = {
	[OUTCOME_NONE] = "none",
	[OUTCOME_SCORED] = "scored",
	[OUTCOME_UNSCORED] = "unscored",
	[OUTCOME_PROVIDER_ERROR] = "provider_error",
	[OUTCOME_HARNESS_ERROR] = "harness_error",
	[OUTCOME_QUARANTINED] = "quarantined",
	[OUTCOME_CANCELLED] = "cancelled",
	[OUTCOME_NOT_RUN] = "not_run",
};

struct class_rule {
	const char *name;
	enum retry_rule retry;
	enum outcome outcome;
};

// clang-format off
static const struct class_rule class_rules[CLASS_COUNT] = {
	[CLASS_NONE]             = { "none",             RETRY_NONE,  OUTCOME_NONE },
	[CLASS_RESOLVE]          = { "resolve",          RETRY_LATER, OUTCOME_PROVIDER_ERROR },
	[CLASS_CONNECT]          = { "connect",          RETRY_LATER, OUTCOME_PROVIDER_ERROR },
	[CLASS_TLS]              = { "tls",              RETRY_NONE,  OUTCOME_PROVIDER_ERROR },
	[CLASS_TIMEOUT]          = { "timeout",          RETRY_LATER, OUTCOME_PROVIDER_ERROR },
	[CLASS_STALL]            = { "stall",            RETRY_LATER, OUTCOME_PROVIDER_ERROR },
	[CLASS_SERVER]           = { "server",           RETRY_LATER, OUTCOME_PROVIDER_ERROR },
	[CLASS_OVERLOADED]       = { "overloaded",       RETRY_LATER, OUTCOME_PROVIDER_ERROR },
	[CLASS_RATE_LIMITED]     = { "rate_limited",     RETRY_PACED, OUTCOME_PROVIDER_ERROR },
	[CLASS_QUOTA]            = { "quota",            RETRY_NONE,  OUTCOME_PROVIDER_ERROR },
	[CLASS_AUTH]             = { "auth",             RETRY_NONE,  OUTCOME_PROVIDER_ERROR },
	[CLASS_NOT_FOUND]        = { "not_found",        RETRY_NONE,  OUTCOME_PROVIDER_ERROR },
	[CLASS_BAD_REQUEST]      = { "bad_request",      RETRY_NONE,  OUTCOME_PROVIDER_ERROR },
	[CLASS_CONTEXT_OVERFLOW] = { "context_overflow", RETRY_NONE,  OUTCOME_PROVIDER_ERROR },
	[CLASS_TOO_LARGE]        = { "too_large",        RETRY_NONE,  OUTCOME_PROVIDER_ERROR },
	[CLASS_MALFORMED]        = { "malformed",        RETRY_LATER, OUTCOME_PROVIDER_ERROR },
	[CLASS_NOT_ALLOWED]      = { "not_allowed",      RETRY_NONE,  OUTCOME_HARNESS_ERROR },
	[CLASS_HOST_FAILED]      = { "host_failed",      RETRY_LATER, OUTCOME_PROVIDER_ERROR },
	[CLASS_HARNESS]          = { "harness",          RETRY_NONE,  OUTCOME_HARNESS_ERROR },
	[CLASS_DIED]             = { "died",             RETRY_SOON,  OUTCOME_PROVIDER_ERROR },
	[CLASS_LOST]             = { "lost",             RETRY_SOON,  OUTCOME_PROVIDER_ERROR },
	[CLASS_ABANDONED]        = { "abandoned",        RETRY_SOON,  OUTCOME_PROVIDER_ERROR },
	[CLASS_DEADLINE]         = { "deadline",         RETRY_NONE,  OUTCOME_PROVIDER_ERROR },
};
// clang-format on

static const struct class_rule unknown_class = { "?", RETRY_NONE, OUTCOME_HARNESS_ERROR };

static const struct class_rule *rule_of(enum error_class c)
{
	return (size_t)c < CLASS_COUNT ? &class_rules[c] : &unknown_class;
}

const char *outcome_name(enum outcome o)
{
	return (size_t)o < OUTCOME_COUNT ? outcome_names[o] : "?";
}

bool outcome_from_name(struct str name, enum outcome *ret_outcome)
{
	for (size_t i = 0; i < OUTCOME_COUNT; i++)
		if (str_eq_c(name, outcome_names[i])) {
			*ret_outcome = (enum outcome)i;
			return true;
		}
	return false;
}

bool outcome_is_missing(enum outcome o)
{
	return o != OUTCOME_SCORED;
}

const char *error_class_name(enum error_class c)
{
	return rule_of(c)->name;
}

bool error_class_from_name(struct str name, enum error_class *ret_class)
{
	for (size_t i = 0; i < CLASS_COUNT; i++)
		if (str_eq_c(name, class_rules[i].name)) {
			*ret_class = (enum error_class)i;
			return true;
		}
	return false;
}

enum retry_rule error_class_retry(enum error_class c)
{
	return rule_of(c)->retry;
}

enum outcome error_class_outcome(enum error_class c)
{
	return rule_of(c)->outcome;
}
