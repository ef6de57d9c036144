/* coordinator/http/server.h - HTTP over libmicrohttpd: whole requests in, whole responses out. Its only user.
 *
 * A few polling threads; a request is handed to `handle` in one of them once its body is whole and within its limit.
 * The handler fills the response; the server sends it and frees it. Limits: connections, header bytes, time without
 * traffic. Nothing of a request outlives its handling. */
#ifndef ASSAY_HTTP_SERVER_H
#define ASSAY_HTTP_SERVER_H

#include "common/base/arena.h"
#include "common/base/buf.h"
#include "common/base/error.h"

struct server;

struct server_request {
	const char *method;
	struct str path; /* decoded, without the query */
	struct str body;
	bool too_large;      /* the body was over its limit and was thrown away: body is empty */
	struct arena *arena; /* as long as the request */
	void *connection;    /* for the lookups below */
};

struct server_response {
	int status;
	const char *type; /* content type; a literal */
	struct buf body;
	const char *retry_after; /* seconds, NULL: none */
};

struct server_settings {
	const char *listen; /* "127.0.0.1:8080", "[::1]:0" */
	unsigned threads;
	unsigned connections_max;
	unsigned idle_s;
	/* How large the body of this request may be; 0: it may have none. Asked when the headers are here. */
	size_t (*body_bytes_max)(void *arg, const struct server_request *head);
	void (*handle)(void *arg, struct server_request *request, struct server_response *response);
	void *arg;
};

enum err_code server_start(const struct server_settings *settings, struct server **ret_server,
                           struct error *reterr) MUST_CHECK;
void server_stop(struct server *s); /* accepts NULL; lets requests under way end */
uint16_t server_port(const struct server *s);

/* NUL-terminated, empty when absent; query values are decoded. */
struct str server_query(const struct server_request *r, const char *name);
struct str server_header(const struct server_request *r, const char *name);

#endif
