/* coordinator/cli/api.h - the API as the command line uses it: one call, one document or one error in words.
 *
 * Where the server is: --server or ASSAY_URL, else the embedded installation of $ASSAY_HOME. The token comes from
 * ASSAY_TOKEN_FILE, else from $ASSAY_HOME/token; never from a flag. Several servers with commas between them are the
 * coordinators of one installation: who cannot be reached is passed over, and a standby's answer is followed to its
 * leader. One thread. */
#ifndef ASSAY_CLI_API_H
#define ASSAY_CLI_API_H

#include "common/base/json.h"
#include "coordinator/cli/cli.h"

struct api;

struct api_call {
	const char *method;          /* "GET" */
	const char *path;            /* below the server: "/api/v1/runs" */
	struct str body;             /* data NULL: none */
	const char *type;            /* content type of the body; NULL: application/json */
	const char *accept;          /* NULL: application/json */
	const char *idempotency_key; /* NULL: none */
	uint32_t timeout_ms;         /* 0: --timeout, or 60 s */
};

struct api_answer {
	int status;
	struct json_doc *doc; /* of a JSON answer; else NULL */
	struct str text;      /* the body as it came */
	char *memory;
};

/* ERR_CONNECT: nobody answers there, with what to do; ERR_DENIED: the token. A signal ends a call that waits:
 * ERR_CANCELLED, and cli_fail() knows which. An answer without the header Assay-Version is ERR_CONNECT. */
enum err_code api_open(const struct cli *c, struct api **ret_api, struct error *reterr) MUST_CHECK;
void api_close(struct api *a); /* accepts NULL */
const char *api_url(const struct api *a);

/* A status of 400 or more is an error: its code by the problem's `code`, its text the problem's `detail` and `hint`. */
enum err_code api_send(struct api *a, const struct api_call *call, struct api_answer *ret_answer,
                       struct error *reterr) MUST_CHECK;
enum err_code api_get(struct api *a, struct api_answer *ret_answer, struct error *reterr, const char *path, ...)
	PRINTF_LIKE(4, 5) MUST_CHECK;
enum err_code api_get_text(struct api *a, struct api_answer *ret_answer, struct error *reterr, const char *path, ...)
	PRINTF_LIKE(4, 5) MUST_CHECK;
void api_answer_done(struct api_answer *answer);

/* Appends `text` to a URL as one path segment or query value. */
bool api_put_escaped(struct buf *url, struct str text);

#endif
