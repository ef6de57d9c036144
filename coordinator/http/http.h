/* coordinator/http/http.h - the API (API.md): routes over a few polling threads, each request with a connection to the
 * database of its own from a small pool.
 *
 * Starts before the coordinator leads: until http_lead() every route below /api/v1 answers 503 `standby`. Reads use
 * reader connections; writes carry the term. Any thread may call http_lead(). */
#ifndef ASSAY_HTTP_HTTP_H
#define ASSAY_HTTP_HTTP_H

#include "common/base/hash.h"
#include "coordinator/http/control.h"
#include "coordinator/store/store.h"

struct http;

struct http_settings {
	const char *listen;     /* "127.0.0.1:8080"; port 0 is any free one */
	struct hash token_hash; /* keys_token_hash() of the one token of a single-user installation */
	struct store_settings store;
	const struct control *control; /* borrowed */
	unsigned threads;              /* 0: 4 */
};

enum err_code http_start(const struct http_settings *settings, struct http **ret_http, struct error *reterr) MUST_CHECK;
void http_stop(struct http *h);                /* refuses new requests, lets those under way end (5 s); accepts NULL */
void http_lead(struct http *h, uint64_t term); /* 0: no longer */
uint16_t http_port(const struct http *h);

#endif
