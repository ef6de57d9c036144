/* common/io/http_client.h - many HTTP requests in flight on one thread. The only file pair that includes curl.h.
 *
 * It moves bytes and knows nothing of providers, retries or rate limits: pure code decides those from the http_done
 * values handed back here. Every request that was started comes back exactly once. Requests are spread over curl
 * multis of at most HTTP_CLIENT_SHARD_MAX each behind one epoll (one multi of thousands collapses: DISTRIBUTED.md 4).
 *
 * HTTP/1.1, no redirects (a key must not travel to another host), no Expect header, http and https only, no cookies,
 * no proxy but the one named. A request that had left whole on a kept connection is never sent again by itself: it may
 * have been paid for. Texts handed out hold no header and no URL. One client belongs to one thread. */
#ifndef ASSAY_IO_HTTP_CLIENT_H
#define ASSAY_IO_HTTP_CLIENT_H

#include "common/base/buf.h"
#include "common/base/error.h"

struct http_client;

enum { HTTP_CLIENT_SHARD_MAX = 256 };

enum http_class { /* what became of the transfer; an HTTP 500 is HTTP_OK with status 500 */
	          HTTP_OK,
	          HTTP_RESOLVE,            /* no such host */
	          HTTP_CONNECT,            /* refused or unreachable */
	          HTTP_TLS,                /* handshake or certificate */
	          HTTP_DENIED,             /* the address is private and the request may not go there */
	          HTTP_SEND,               /* broke while the request was being sent */
	          HTTP_CLOSED,             /* the peer closed before the first byte of an answer */
	          HTTP_PARTIAL,            /* the peer closed inside the answer */
	          HTTP_GARBAGE,            /* what came is not HTTP */
	          HTTP_TOO_LARGE,          /* headers or body over their limit */
	          HTTP_TIMEOUT_CONNECT,    /* name, TCP or TLS took too long */
	          HTTP_TIMEOUT_FIRST_BYTE, /* nothing came */
	          HTTP_TIMEOUT_STALL,      /* it came too slowly */
	          HTTP_TIMEOUT_TOTAL,
	          HTTP_CANCELLED, /* http_client_cancel(), or on_bytes said so */
	          HTTP_OTHER,
};

struct http_client_options { /* strings are copied; zero is a usable default */
	int wake_fd; /* ends http_client_poll() when readable; 0 or below: none. Borrowed for the client's life */
	const char *ca_file;    /* NULL: the system's */
	const char *proxy;      /* NULL: none; the environment is not asked */
	const char *user_agent; /* NULL: "assay/VERSION" */
};

/* Pieces of a body (status 2xx or not) as they come; false cancels. Must not call into the client. */
typedef bool (*http_on_bytes)(void *arg, struct str bytes);

struct http_request {       /* all borrowed until http_client_start() returns, `arg` until the request is done */
	const char *method; /* NULL: POST with a body, GET without */
	const char *url;
	const char *const *headers;     /* "Name: value", NULL-terminated; may be NULL */
	struct str body;                /* data NULL: none */
	uint32_t connect_timeout_ms;    /* name, TCP, TLS; 0: timeout_ms */
	uint32_t first_byte_timeout_ms; /* from the start; 0: none of its own */
	uint32_t stall_ms;              /* after the first byte: fewer than stall_bytes_min in this time; 0: off */
	uint32_t stall_bytes_min;       /* 0: 1 */
	uint32_t timeout_ms;            /* the whole; 0 is refused: every request has an end */
	size_t response_bytes_max;      /* 0 is refused: every response has a limit */
	size_t header_bytes_max;        /* 0: 64 KiB */
	bool refuse_private; /* not to loopback, private, link-local or other special addresses (HTTP_DENIED) */
	const char *unix_socket_path; /* instead of TCP; NULL: TCP */
	http_on_bytes on_bytes;       /* NULL: the body is collected */
	void *arg;
};

struct http_done {
	uint64_t tag;
	enum err_code err; /* transport only; ERR_OK whenever a whole response came */
	enum http_class class;
	int status;         /* 0: none came */
	struct str headers; /* lines of the final response, CRLF each; see http_header() */
	struct str body;    /* also what came before an error; NUL after it */
	uint32_t elapsed_ms;
	uint32_t first_byte_ms; /* 0: none came */
	bool sent;              /* the whole request had left: it may have been carried out (and charged) */
	char text[120];         /* for people, when err is not ERR_OK */
	char *memory;           /* what headers and body point into: http_done_free() */
};

enum err_code http_client_new(const struct http_client_options *options, struct http_client **ret_client,
                              struct error *reterr) MUST_CHECK; /* options may be NULL */
void http_client_free(struct http_client *c);                   /* accepts NULL; drops requests in flight */

/* Starts at once. `tag` comes back in http_done; tags in flight must differ. An error leaves nothing started. */
enum err_code http_client_start(struct http_client *c, uint64_t tag, const struct http_request *request,
                                struct error *reterr) MUST_CHECK;

/* Waits up to timeout_ms (-1: no limit) for a completion or wake_fd, then hands back at most `cap` completions; what
 * did not fit comes with the next call. *ret_count may be 0. */
enum err_code http_client_poll(struct http_client *c, int timeout_ms, struct http_done *out, size_t cap,
                               size_t *ret_count, struct error *reterr) MUST_CHECK;

/* Ends a request; it still comes back, as HTTP_CANCELLED (or as what it had just become). False: no such tag. */
bool http_client_cancel(struct http_client *c, uint64_t tag);
size_t http_client_in_flight(const struct http_client *c);

void http_done_free(struct http_done *d);
/* Value of the first header of that name (any case), trimmed; data NULL when absent. */
struct str http_header(const struct http_done *d, const char *name);
const char *http_class_name(enum http_class class); /* "timeout_stall"; static */

/* One request, waited for: for the command line. Uses a client with nothing in flight, again and again, so connections
 * are kept. A transport failure is an error here, with its text; a status is not. */
enum err_code http_client_fetch(struct http_client *c, const struct http_request *request, struct http_done *ret_done,
                                struct error *reterr) MUST_CHECK;

#endif
