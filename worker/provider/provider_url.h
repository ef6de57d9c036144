/* worker/provider/provider_url.h - takes an http(s) address apart, strictly, so that what was allowed is what is
 * called.
 *
 * Refused: other schemes, credentials, fragments, backslashes, spaces and controls, anything but letters, digits, dots,
 * hyphens and underscores in a host (or a bracketed IPv6 address). All parts are views into the text. Pure. */
#ifndef ASSAY_PROVIDER_PROVIDER_URL_H
#define ASSAY_PROVIDER_PROVIDER_URL_H

#include "common/base/buf.h"
#include "common/base/error.h"

struct provider_url {
	bool https;
	struct str host;  /* as written; compare without case; an IPv6 address without its brackets */
	uint16_t port;    /* 80 or 443 when not written */
	struct str path;  /* from the first '/', empty when there is none; without the query */
	struct str query; /* behind '?', may be empty */
};

/* ERR_INVALID with a text that never repeats credentials. */
enum err_code provider_url_parse(struct str text, struct provider_url *ret_url, struct error *reterr) MUST_CHECK;

/* Appends base + endpoint: "https://h" and "/v1" + "/chat/completions" give https://h/v1/chat/completions; a base with
 * a path of its own (https://h/api/v1) gets the endpoint alone; one that ends with the endpoint already is kept; a
 * query stays at the end. `version` is "/v1" or empty. */
enum err_code provider_url_join(struct str base, struct str version, struct str endpoint, struct buf *out,
                                struct error *reterr) MUST_CHECK;

#endif
