/* tests/endpoint/script.h - what the tests' model endpoint answers: a pure function of its settings and the request.
 *
 * A request's outcome is drawn from (seed, body, how often this body came before), so a test that is run again meets
 * the same latencies, errors and 429s whatever the order of arrival. A model named "bad-<kind>" always answers with
 * that fault. Texts are appended to a bounded buffer. */
#ifndef ASSAY_TESTS_ENDPOINT_SCRIPT_H
#define ASSAY_TESTS_ENDPOINT_SCRIPT_H

#include "common/base/buf.h"

struct script {
	uint64_t seed;
	double latency_ms;       /* median; 0: answers at once */
	double sigma;            /* of the lognormal */
	double error_share;      /* 500 */
	double rate_limit_share; /* 429 with retry-after-ms */
	int64_t retry_after_ms;
};

enum script_way {
	SCRIPT_SEND,  /* the whole response */
	SCRIPT_DRIP,  /* headers, then a byte a second */
	SCRIPT_CLOSE, /* nothing: the connection is closed */
	SCRIPT_HANG,  /* nothing, for ever */
};

struct script_answer {
	enum script_way way;
	bool paid; /* a provider would have charged for it */
	bool failed, rate_limited;
	double delay_ms;
};

/* `times_seen`: requests with this body before. Appends the full HTTP response to `out`. */
struct script_answer script_answer(const struct script *s, struct str path, struct str body, uint64_t body_hash,
                                   uint32_t times_seen, struct buf *out);

#endif
