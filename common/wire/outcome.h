/* common/wire/outcome.h - what a sample came to, and what kind of failure an ask ended in; shared by both programs.
 *
 * Numbers are part of the wire and of the database: never reuse one. The retry rule of a class stands in one table
 * here, so that worker and coordinator cannot differ. */
#ifndef ASSAY_WIRE_OUTCOME_H
#define ASSAY_WIRE_OUTCOME_H

#include "common/base/str.h"

enum outcome {
	OUTCOME_NONE = 0, /* no row yet */
	OUTCOME_SCORED = 1,
	OUTCOME_UNSCORED = 2,       /* answered, but the scorer failed */
	OUTCOME_PROVIDER_ERROR = 3, /* attempts used up, or a failure that a retry cannot mend */
	OUTCOME_HARNESS_ERROR = 4,
	OUTCOME_QUARANTINED = 5,
	OUTCOME_CANCELLED = 6, /* never a row: n minus rows */
	OUTCOME_NOT_RUN = 7,   /* never a row */
	OUTCOME_COUNT
};

enum outcome_flag { /* of an answer; a flagged answer is scored like any other and counted apart */
	            FLAG_REFUSED = 1,
	            FLAG_TRUNCATED = 2,
	            FLAG_EMPTY = 4,
	            FLAG_FILTERED = 8,
	            FLAG_REPAIRED = 16, /* the provider's bytes were not valid UTF-8 or held half a surrogate pair */
	            FLAG_AFTER_END =
	                    32, /* came after its run had ended: stored with its cost, left out of the summary */
};

enum retry_rule {
	RETRY_NONE,  /* a retry cannot help: permanent */
	RETRY_SOON,  /* at once, with jitter: the ask fell with its worker, no fault of the provider's */
	RETRY_LATER, /* full-jitter backoff; its first step is short, so a lost connection comes back quickly */
	RETRY_PACED, /* the route is paused as long as the provider says, else backoff */
};

enum error_class {
	CLASS_NONE = 0,
	CLASS_RESOLVE = 1,      /* host name not found */
	CLASS_CONNECT = 2,      /* refused, unreachable, reset before the answer began */
	CLASS_TLS = 3,          /* certificate or handshake */
	CLASS_TIMEOUT = 4,      /* no answer within the time of one ask */
	CLASS_STALL = 5,        /* the answer began and stopped, or dripped below the floor */
	CLASS_SERVER = 6,       /* 5xx, 408, 409 */
	CLASS_OVERLOADED = 7,   /* 503, 529 that say so */
	CLASS_RATE_LIMITED = 8, /* 429 that will pass */
	CLASS_QUOTA = 9,        /* 429 or 402 that will not: insufficient_quota, billing */
	CLASS_AUTH = 10,        /* 401, 403 */
	CLASS_NOT_FOUND = 11,   /* 404: model or path */
	CLASS_BAD_REQUEST = 12, /* 400, 422 */
	CLASS_CONTEXT_OVERFLOW = 13,
	CLASS_TOO_LARGE = 14,   /* body or headers over the limit */
	CLASS_MALFORMED = 15,   /* 200, but not an answer: HTML, cut JSON, no choices */
	CLASS_NOT_ALLOWED = 16, /* the worker's own file forbids the host, alias or command; nothing was sent */
	CLASS_HOST_FAILED = 17, /* a hosted model server died or never became healthy */
	CLASS_HARNESS = 18,     /* our own fault: template, scorer set-up, bug */
	CLASS_DIED = 19,        /* the worker died with the ask under way and said so when it came back */
	CLASS_LOST = 20,        /* the worker died or was cut off; whether it had asked is not known */
	CLASS_ABANDONED = 21,   /* given up on request (cancel, drain) after it had been asked */
	CLASS_DEADLINE = 22,    /* the sample's total time was used up */
	CLASS_COUNT
};

const char *outcome_name(enum outcome o); /* "scored", "provider_error", ...; "?" when out of range */
bool outcome_from_name(struct str name, enum outcome *ret_outcome);
bool outcome_is_missing(enum outcome o);          /* all but OUTCOME_SCORED */
const char *error_class_name(enum error_class c); /* "rate_limited", ... */
bool error_class_from_name(struct str name, enum error_class *ret_class);
enum retry_rule error_class_retry(enum error_class c);
enum outcome error_class_outcome(enum error_class c); /* the row that declares a sample over for this cause */

#endif
