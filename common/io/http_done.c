/* The part of http_client.h that needs no curl: what a completion says, and one request waited for. */
#include "common/base/check.h"
#include "common/base/mem.h"
#include "common/io/http_private.h"
#include <string.h>
#include <strings.h>

const char *http_class_name(enum http_class class)
{
	static const char *const names[] = { "ok",
		                             "resolve",
		                             "connect",
		                             "tls",
		                             "denied",
		                             "send",
		                             "closed",
		                             "partial",
		                             "garbage",
		                             "too_large",
		                             "timeout_connect",
		                             "timeout_first_byte",
		                             "timeout_stall",
		                             "timeout_total",
		                             "cancelled",
		                             "other" };
	return (size_t) class < ARRAY_LEN(names) ? names[class] : "unknown";
}

const char *http_class_text(enum http_class class)
{
	static const char *const texts[] = { "",
		                             "the host name cannot be resolved",
		                             "cannot connect",
		                             "TLS failed",
		                             "the address is private and not allowed",
		                             "the connection broke while the request was sent",
		                             "the connection was closed before an answer came",
		                             "the connection was closed inside the answer",
		                             "the answer is not HTTP",
		                             "the answer is larger than its limit",
		                             "timed out while connecting",
		                             "timed out waiting for the first byte",
		                             "the answer stalled",
		                             "timed out",
		                             "cancelled",
		                             "the request failed" };
	return (size_t) class < ARRAY_LEN(texts) ? texts[class] : "";
}

enum err_code http_class_err(enum http_class class)
{
	switch (class) {
	case HTTP_OK:
		return ERR_OK;
	case HTTP_RESOLVE:
	case HTTP_CONNECT:
	case HTTP_TLS:
	case HTTP_SEND:
	case HTTP_CLOSED:
	case HTTP_PARTIAL:
		return ERR_CONNECT;
	case HTTP_DENIED:
		return ERR_DENIED;
	case HTTP_GARBAGE:
		return ERR_CORRUPT;
	case HTTP_TOO_LARGE:
		return ERR_LIMIT;
	case HTTP_TIMEOUT_CONNECT:
	case HTTP_TIMEOUT_FIRST_BYTE:
	case HTTP_TIMEOUT_STALL:
	case HTTP_TIMEOUT_TOTAL:
		return ERR_TIMEOUT;
	case HTTP_CANCELLED:
		return ERR_CANCELLED;
	case HTTP_OTHER:
		break;
	}
	return ERR_IO;
}

void http_done_free(struct http_done *d)
{
	mem_free(d->memory);
	d->memory = NULL;
	d->headers = d->body = STR("");
}

struct str http_header(const struct http_done *d, const char *name)
{
	struct str rest = d->headers, line;
	size_t len = strlen(name);
	while (str_split(&rest, '\n', &line))
		if (line.len > len && line.data[len] == ':' && strncasecmp(line.data, name, len) == 0) {
			struct str value = str_trim(str_slice(line, len + 1, line.len));
			return value.len ? value : STR("");
		}
	return (struct str){ NULL, 0 };
}

enum err_code http_client_fetch(struct http_client *c, const struct http_request *request, struct http_done *ret_done,
                                struct error *reterr)
{
	size_t count = 0;
	struct http_done done;
	check_msg(http_client_in_flight(c) == 0, "%zu requests are in flight", http_client_in_flight(c));
	enum err_code err = http_client_start(c, 0, request, reterr);
	while (err == ERR_OK && count == 0)
		err = http_client_poll(c, -1, &done, 1, &count, reterr);
	if (err != ERR_OK)
		return err;
	if (done.err != ERR_OK) {
		err = error_set(reterr, done.err, "%s", done.text);
		http_done_free(&done);
		return err;
	}
	*ret_done = done;
	return ERR_OK;
}
