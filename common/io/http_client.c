#include "common/io/http_client.h"
#include "common/base/check.h"
#include "common/base/mem.h"
#include "common/io/clock.h"
#include "common/io/http_address.h"
#include "common/io/http_epoll.h"
#include "common/io/http_private.h"
#include <curl/curl.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <unistd.h>

struct shard { /* one curl multi, at most HTTP_CLIENT_SHARD_MAX requests */
	struct http_client *client;
	CURLM *multi;
	uint32_t index;
	uint64_t timer_at_ms; /* when curl wants to be called; UINT64_MAX: never */
	bool touched;         /* may have completions */
	struct flight *flights;
	size_t flight_count;
};

struct flight {                      /* one request under way, or in the pool; its easy handle lives on with it */
	struct flight **link, *next; /* *link is the pointer that points here */
	struct http_client *client;
	struct shard *shard;
	uint64_t tag;
	CURL *easy;
	struct curl_slist *headers;
	char *body; /* the request's */
	size_t body_len, body_cap;

	struct buf answer; /* header lines, then the body */
	size_t header_len, header_bytes_max, body_bytes_max, body_received;
	http_on_bytes on_bytes;
	void *arg;

	uint64_t start_ms, first_byte_ms, first_byte_deadline_ms, total_deadline_ms;
	uint64_t stall_deadline_ms; /* UINT64_MAX before the first byte */
	size_t stall_window_bytes;  /* received since the window opened */
	uint32_t stall_ms, stall_bytes_min;

	bool refuse_private, may_repeat, tls;                 /* of the request */
	bool connected, in_body;                              /* where it is */
	bool too_large, no_memory, denied, stopped, repeated; /* why it was ended from a callback */
	enum http_class class;
	CURLcode rc;
	long os_errno;
	bool sent;
	char curl_text[CURL_ERROR_SIZE];
};

struct http_client {
	struct http_epoll epoll;
	CURLSH *share;
	char *ca_file, *proxy, *user_agent;
	struct shard **shards;
	size_t shard_count, shard_cap;
	struct flight *pool, *finished, **finished_end;
	uint64_t watchdog_at_ms; /* no deadline of a flight is earlier */
	size_t in_flight;
};

enum { EVENTS_MAX = 256, STALL_BYTES_DEFAULT = 1, HEADER_BYTES_DEFAULT = 65536 };
static const uint64_t watchdog_grace_ms = 1000; /* curl's own total timeout comes first, if it works */

static void flight_link(struct flight **head, struct flight *f)
{
	f->next = *head;
	f->link = head;
	if (f->next)
		f->next->link = &f->next;
	*head = f;
}

static void flight_unlink(struct flight *f)
{
	*f->link = f->next;
	if (f->next)
		f->next->link = f->link;
	f->link = NULL;
	f->next = NULL;
}

static void note_first_byte(struct flight *f)
{
	if (f->first_byte_ms)
		return;
	uint64_t now_ms = clock_now_ms();
	f->first_byte_ms = now_ms > f->start_ms ? now_ms - f->start_ms : 1;
	f->first_byte_deadline_ms = UINT64_MAX;
	if (f->stall_ms) {
		f->stall_deadline_ms = now_ms + f->stall_ms;
		f->client->watchdog_at_ms = MIN_OF(f->client->watchdog_at_ms, f->stall_deadline_ms);
	}
}

static bool keep(struct flight *f, const char *data, size_t len)
{
	f->no_memory = !buf_append(&f->answer, data, len); /* its limit was looked at before */
	return !f->no_memory;
}

static size_t on_header(char *data, size_t size, size_t count, void *arg)
{
	struct flight *f = arg;
	size_t len = size * count;
	note_first_byte(f);
	f->stall_window_bytes += len;
	if (f->in_body)
		return len; /* trailers: nobody asks for them */
	if (len >= 5 && memcmp(data, "HTTP/", 5) == 0) {
		buf_clear(&f->answer); /* what came before was an interim response */
		f->header_len = 0;
		return len;
	}
	if (len <= 2) /* the empty line at the end */
		return len;
	f->too_large = len > f->header_bytes_max - f->header_len;
	if (f->too_large || !keep(f, data, len))
		return 0; /* ends in CURLE_WRITE_ERROR */
	f->header_len += len;
	return len;
}

/* Room for all of it at once where the length is known. */
static void expect_body(struct flight *f)
{
	curl_off_t length = -1;
	f->in_body = true;
	if (f->on_bytes || curl_easy_getinfo(f->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length) != CURLE_OK)
		return;
	if (length > 0 && (uint64_t)length <= f->body_bytes_max)
		(void)buf_reserve(&f->answer, (size_t)length); /* a failure shows with the append */
}

static size_t on_bytes(char *data, size_t size, size_t count, void *arg)
{
	struct flight *f = arg;
	size_t len = size * count;
	note_first_byte(f);
	if (!f->in_body)
		expect_body(f);
	f->stall_window_bytes += len;
	f->too_large = len > f->body_bytes_max - f->body_received;
	if (f->too_large)
		return 0;
	f->body_received += len;
	if (!f->on_bytes)
		return keep(f, data, len) ? len : 0;
	f->stopped = !f->on_bytes(f->arg, str_make(data, len));
	return f->stopped ? 0 : len;
}

/* Where curl cannot say, the request counts as sent: a provider may have been paid. */
static bool any_sent(const struct flight *f)
{
	long request_bytes = 0;
	return curl_easy_getinfo(f->easy, CURLINFO_REQUEST_SIZE, &request_bytes) != CURLE_OK || request_bytes > 0;
}

static bool all_sent(const struct flight *f)
{
	curl_off_t body_bytes = 0;
	return any_sent(f) && (curl_easy_getinfo(f->easy, CURLINFO_SIZE_UPLOAD_T, &body_bytes) != CURLE_OK ||
	                       (uint64_t)body_bytes >= f->body_len);
}

/* Called when a connection stands and the request is about to go out. A second time means: curl had taken a kept
 * connection, the peer closed it, and curl would now quietly send the request again. That is wanted only while the
 * first sending cannot have been carried out; how much of its body had left, curl has forgotten by now. */
static int on_before_request(void *arg, char *peer_ip, char *own_ip, int peer_port, int own_port)
{
	struct flight *f = arg;
	(void)peer_ip, (void)own_ip, (void)peer_port, (void)own_port;
	f->repeated = f->connected && !f->may_repeat && any_sent(f);
	f->connected = true;
	return f->repeated ? CURL_PREREQFUNC_ABORT : CURL_PREREQFUNC_OK;
}

static curl_socket_t on_open(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
	struct flight *f = arg;
	(void)purpose;
	if (f->refuse_private && address->family != AF_UNIX &&
	    http_address_is_private(&address->addr, address->addrlen)) {
		f->denied = true;
		return CURL_SOCKET_BAD;
	}
	int fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
	if (fd >= 0)
		http_epoll_opened(&f->client->epoll, fd);
	return fd;
}

static int on_close(void *arg, curl_socket_t fd)
{
	struct http_client *c = arg;
	http_epoll_closed(&c->epoll, fd);
	return close(fd);
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket_arg)
{
	struct shard *s = arg;
	(void)easy, (void)socket_arg;
	uint32_t events = what == CURL_POLL_REMOVE
	                          ? 0U
	                          : (what & CURL_POLL_IN ? EPOLLIN : 0U) | (what & CURL_POLL_OUT ? EPOLLOUT : 0U);
	http_epoll_want(&s->client->epoll, fd, s->index, events);
	return 0;
}

static int on_timer(CURLM *multi, long timeout_ms, void *arg)
{
	struct shard *s = arg;
	(void)multi;
	s->timer_at_ms = timeout_ms < 0 ? UINT64_MAX : clock_now_ms() + (uint64_t)timeout_ms;
	return 0;
}

#define SET(handle, option, value) (curl_easy_setopt(handle, option, value) == CURLE_OK)

/* What is the same for every request of a client; the rest is set each time, all of it. */
static bool set_constant(struct flight *f)
{
	const struct http_client *c = f->client;
	CURL *e = f->easy;
	return SET(e, CURLOPT_PRIVATE, f) && SET(e, CURLOPT_NOSIGNAL, 1L) &&
	       SET(e, CURLOPT_PROTOCOLS_STR, "http,https") && SET(e, CURLOPT_FOLLOWLOCATION, 0L) &&
	       SET(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) && SET(e, CURLOPT_TCP_KEEPALIVE, 1L) &&
	       SET(e, CURLOPT_SHARE, c->share) && SET(e, CURLOPT_PROXY, c->proxy ? c->proxy : "") &&
	       SET(e, CURLOPT_USERAGENT, c->user_agent) && (!c->ca_file || SET(e, CURLOPT_CAINFO, c->ca_file)) &&
	       SET(e, CURLOPT_ERRORBUFFER, f->curl_text) && SET(e, CURLOPT_WRITEFUNCTION, on_bytes) &&
	       SET(e, CURLOPT_WRITEDATA, f) && SET(e, CURLOPT_HEADERFUNCTION, on_header) &&
	       SET(e, CURLOPT_HEADERDATA, f) && SET(e, CURLOPT_PREREQFUNCTION, on_before_request) &&
	       SET(e, CURLOPT_PREREQDATA, f) && SET(e, CURLOPT_OPENSOCKETFUNCTION, on_open) &&
	       SET(e, CURLOPT_OPENSOCKETDATA, f) && SET(e, CURLOPT_CLOSESOCKETFUNCTION, on_close) &&
	       SET(e, CURLOPT_CLOSESOCKETDATA, f->client);
}

static bool set_method(struct flight *f, const struct http_request *r)
{
	CURL *e = f->easy;
	bool head = r->method && strcmp(r->method, "HEAD") == 0;
	if (!SET(e, CURLOPT_HTTPGET, 1L) || !SET(e, CURLOPT_NOBODY, head ? 1L : 0L)) /* forget the request before */
		return false;
	if (r->body.data &&
	    (!SET(e, CURLOPT_POST, 1L) || !SET(e, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)f->body_len) ||
	     !SET(e, CURLOPT_POSTFIELDS, f->body)))
		return false;
	const char *usual = r->body.data ? "POST" : head ? "HEAD" : "GET";
	return SET(e, CURLOPT_CUSTOMREQUEST, r->method && strcmp(r->method, usual) != 0 ? r->method : NULL);
}

static bool set_variable(struct flight *f, const struct http_request *r)
{
	CURL *e = f->easy;
	long connect_ms = (long)(r->connect_timeout_ms ? r->connect_timeout_ms : r->timeout_ms);
	return SET(e, CURLOPT_URL, r->url) && set_method(f, r) && SET(e, CURLOPT_HTTPHEADER, f->headers) &&
	       SET(e, CURLOPT_CONNECTTIMEOUT_MS, connect_ms) && SET(e, CURLOPT_TIMEOUT_MS, (long)r->timeout_ms) &&
	       SET(e, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)MIN_OF(r->response_bytes_max, (size_t)LONG_MAX)) &&
	       SET(e, CURLOPT_UNIX_SOCKET_PATH, r->unix_socket_path);
}

static bool add_header(struct flight *f, const char *line)
{
	struct curl_slist *longer = curl_slist_append(f->headers, line);
	if (longer)
		f->headers = longer;
	return longer != NULL;
}

static enum err_code set_headers(struct flight *f, const struct http_request *r, struct error *reterr)
{
	bool has_type = false, good = true;
	for (size_t i = 0; r->headers && r->headers[i] && good; i++) {
		const char *line = r->headers[i];
		if (strpbrk(line, "\r\n") || !strchr(line, ':')) /* never quoted: it may hold a key */
			return error_set(reterr, ERR_INVALID, "request header %zu is not one line 'Name: value'",
			                 i + 1);
		has_type = has_type || strncasecmp(line, "Content-Type:", 13) == 0;
		good = add_header(f, line);
	}
	good = good && add_header(f, "Expect:"); /* a name without a value takes curl's own header away */
	if (r->body.data && !has_type)
		good = good && add_header(f, "Content-Type:");
	return good ? ERR_OK : error_set(reterr, ERR_NOMEM, "no memory for the request's headers");
}

static void flight_free(struct flight *f)
{
	if (!f)
		return;
	if (f->easy)
		curl_easy_cleanup(f->easy);
	curl_slist_free_all(f->headers);
	buf_done(&f->answer);
	mem_free(f->body);
	mem_free(f);
}

static struct flight *flight_new(struct http_client *c)
{
	struct flight *f = mem_new(1, sizeof(*f));
	f->client = c;
	f->easy = curl_easy_init();
	if (f->easy && set_constant(f))
		return f;
	flight_free(f);
	return NULL;
}

/* Back into the pool, with nothing left of the request. */
static void flight_rest(struct flight *f)
{
	struct http_client *c = f->client;
	curl_slist_free_all(f->headers);
	buf_done(&f->answer);
	struct flight empty = { .client = c, .easy = f->easy, .body = f->body, .body_cap = f->body_cap };
	*f = empty;
	flight_link(&c->pool, f);
}

static void shard_free(struct shard *s)
{
	if (!s)
		return;
	while (s->flights) {
		struct flight *f = s->flights;
		flight_unlink(f);
		(void)curl_multi_remove_handle(s->multi, f->easy); /* it was in it */
		flight_free(f);
	}
	if (s->multi)
		(void)curl_multi_cleanup(s->multi); /* it is empty */
	mem_free(s);
}

static struct shard *shard_new(struct http_client *c)
{
	struct shard *s = mem_new(1, sizeof(*s));
	*s = (struct shard){ .client = c, .index = (uint32_t)c->shard_count, .timer_at_ms = UINT64_MAX };
	s->multi = curl_multi_init();
	if (!s->multi || curl_multi_setopt(s->multi, CURLMOPT_SOCKETFUNCTION, on_socket) != CURLM_OK ||
	    curl_multi_setopt(s->multi, CURLMOPT_SOCKETDATA, s) != CURLM_OK ||
	    curl_multi_setopt(s->multi, CURLMOPT_TIMERFUNCTION, on_timer) != CURLM_OK ||
	    curl_multi_setopt(s->multi, CURLMOPT_TIMERDATA, s) != CURLM_OK ||
	    curl_multi_setopt(s->multi, CURLMOPT_MAXCONNECTS, (long)HTTP_CLIENT_SHARD_MAX) != CURLM_OK) {
		shard_free(s);
		return NULL;
	}
	mem_reserve(&c->shards, &c->shard_cap, c->shard_count + 1, sizeof(struct shard *));
	c->shards[c->shard_count++] = s;
	return s;
}

/* The first with room, so that few requests share few connection pools. */
static struct shard *shard_with_room(struct http_client *c)
{
	for (size_t i = 0; i < c->shard_count; i++)
		if (c->shards[i]->flight_count < HTTP_CLIENT_SHARD_MAX)
			return c->shards[i];
	return shard_new(c);
}

static char *copy_text(const char *text)
{
	if (!text)
		return NULL;
	size_t len = strlen(text) + 1;
	return memcpy(mem_new(len, 1), text, len);
}

static CURLcode global_rc;

static void init_curl(void)
{
	global_rc = curl_global_init(CURL_GLOBAL_DEFAULT);
}

enum err_code http_client_new(const struct http_client_options *options, struct http_client **ret_client,
                              struct error *reterr)
{
	static const struct http_client_options defaults;
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	const struct http_client_options *o = options ? options : &defaults;
	check(pthread_once(&once, init_curl) == 0);
	if (global_rc != CURLE_OK)
		return error_set(reterr, ERR_IO, "libcurl does not start: %s", curl_easy_strerror(global_rc));
	struct http_client *c = mem_new(1, sizeof(*c));
	c->watchdog_at_ms = UINT64_MAX;
	c->finished_end = &c->finished;
	c->ca_file = copy_text(o->ca_file);
	c->proxy = copy_text(o->proxy);
	c->user_agent = copy_text(o->user_agent ? o->user_agent : "assay/" ASSAY_VERSION);
	c->share = curl_share_init();
	enum err_code err = http_epoll_init(&c->epoll, o->wake_fd, reterr);
	if (err == ERR_OK &&
	    (!c->share || curl_share_setopt(c->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_DNS) != CURLSHE_OK ||
	     curl_share_setopt(c->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION) != CURLSHE_OK || !shard_new(c)))
		err = error_set(reterr, ERR_NOMEM, "http client: libcurl has no memory");
	if (err == ERR_OK)
		*ret_client = c;
	else
		http_client_free(c);
	return err;
}

void http_client_free(struct http_client *c)
{
	if (!c)
		return;
	struct flight *lists[] = { c->pool, c->finished };
	for (size_t i = 0; i < c->shard_count; i++)
		shard_free(c->shards[i]);
	for (size_t i = 0; i < ARRAY_LEN(lists); i++)
		while (lists[i]) {
			struct flight *f = lists[i];
			lists[i] = f->next;
			flight_free(f);
		}
	if (c->share)
		(void)curl_share_cleanup(c->share); /* nobody uses it any more */
	http_epoll_done(&c->epoll);
	mem_free(c->shards);
	mem_free(c->ca_file);
	mem_free(c->proxy);
	mem_free(c->user_agent);
	mem_free(c);
}

size_t http_client_in_flight(const struct http_client *c)
{
	return c->in_flight;
}

static enum err_code check_request(const struct http_request *r, struct error *reterr)
{
	if (r->timeout_ms == 0 || r->response_bytes_max == 0)
		return error_set(reterr, ERR_INVALID, "a request has no time or size limit");
	if (strncasecmp(r->url, "http://", 7) != 0 && strncasecmp(r->url, "https://", 8) != 0)
		return error_set(reterr, ERR_INVALID, "only http:// and https:// addresses can be asked");
	return ERR_OK;
}

static bool copy_body(struct flight *f, struct str body)
{
	if (body.len > f->body_cap) {
		char *grown = mem_try_grow(f->body, body.len, 1);
		if (!grown)
			return false;
		f->body = grown;
		f->body_cap = body.len;
	}
	if (body.len)
		memcpy(f->body, body.data, body.len);
	f->body_len = body.len;
	return true;
}

static void prepare(struct flight *f, uint64_t tag, const struct http_request *r)
{
	f->tag = tag;
	f->header_bytes_max = r->header_bytes_max ? r->header_bytes_max : HEADER_BYTES_DEFAULT;
	f->body_bytes_max = r->response_bytes_max;
	size_t answer_max;
	if (__builtin_add_overflow(f->header_bytes_max, f->body_bytes_max, &answer_max))
		answer_max = SIZE_MAX / 2;
	buf_init(&f->answer, answer_max);
	f->on_bytes = r->on_bytes;
	f->arg = r->arg;
	f->refuse_private = r->refuse_private;
	f->may_repeat =
		!r->body.data && (!r->method || strcmp(r->method, "GET") == 0 || strcmp(r->method, "HEAD") == 0);
	f->tls = strncasecmp(r->url, "https:", 6) == 0;
	f->start_ms = clock_now_ms();
	f->total_deadline_ms = f->start_ms + r->timeout_ms + watchdog_grace_ms;
	f->first_byte_deadline_ms = r->first_byte_timeout_ms ? f->start_ms + r->first_byte_timeout_ms : UINT64_MAX;
	f->stall_deadline_ms = UINT64_MAX;
	f->stall_ms = r->stall_ms;
	f->stall_bytes_min = r->stall_bytes_min ? r->stall_bytes_min : STALL_BYTES_DEFAULT;
}

enum err_code http_client_start(struct http_client *c, uint64_t tag, const struct http_request *request,
                                struct error *reterr)
{
	enum err_code err = check_request(request, reterr);
	if (err != ERR_OK)
		return err;
	struct shard *s = shard_with_room(c);
	struct flight *f = c->pool;
	if (f)
		flight_unlink(f);
	else
		f = flight_new(c);
	if (!s || !f) {
		flight_free(f);
		return error_set(reterr, ERR_NOMEM, "libcurl has no memory for another request");
	}
	prepare(f, tag, request);
	err = set_headers(f, request, reterr);
	if (err == ERR_OK && !copy_body(f, request->body))
		err = error_set(reterr, ERR_NOMEM, "no memory for a request body of %zu bytes", request->body.len);
	if (err == ERR_OK && (!set_variable(f, request) || curl_multi_add_handle(s->multi, f->easy) != CURLM_OK))
		err = error_set(reterr, ERR_NOMEM, "libcurl cannot take the request");
	if (err != ERR_OK) {
		flight_free(f);
		return err;
	}
	f->shard = s;
	flight_link(&s->flights, f);
	s->flight_count++;
	c->in_flight++;
	c->watchdog_at_ms = MIN_OF(c->watchdog_at_ms, MIN_OF(f->first_byte_deadline_ms, f->total_deadline_ms));
	return ERR_OK;
}

/* Without a system error it was curl that did not understand the bytes; under TLS the error stays with OpenSSL. */
static enum http_class class_of_broken(const struct flight *f)
{
	if (!f->first_byte_ms)
		return HTTP_CLOSED;
	return f->os_errno || f->tls ? HTTP_PARTIAL : HTTP_GARBAGE;
}

static enum http_class class_of(const struct flight *f)
{
	if (f->too_large)
		return HTTP_TOO_LARGE;
	if (f->stopped)
		return HTTP_CANCELLED;
	if (f->repeated)
		return HTTP_CLOSED;
	switch (f->rc) {
	case CURLE_OK:
		return HTTP_OK;
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_RESOLVE_PROXY:
		return HTTP_RESOLVE;
	case CURLE_COULDNT_CONNECT:
		return f->denied ? HTTP_DENIED : HTTP_CONNECT;
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CIPHER:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_ISSUER_ERROR:
	case CURLE_SSL_INVALIDCERTSTATUS:
	case CURLE_SSL_CLIENTCERT:
		return HTTP_TLS;
	case CURLE_SEND_ERROR:
	case CURLE_SEND_FAIL_REWIND:
		return HTTP_SEND;
	case CURLE_GOT_NOTHING:
		return HTTP_CLOSED;
	case CURLE_RECV_ERROR:
		return class_of_broken(f);
	case CURLE_PARTIAL_FILE:
		return HTTP_PARTIAL;
	case CURLE_UNSUPPORTED_PROTOCOL: /* HTTP/0.9, that is: anything */
	case CURLE_WEIRD_SERVER_REPLY:
	case CURLE_HTTP2:
	case CURLE_BAD_CONTENT_ENCODING:
		return HTTP_GARBAGE;
	case CURLE_FILESIZE_EXCEEDED:
		return HTTP_TOO_LARGE;
	case CURLE_OPERATION_TIMEDOUT:
		return f->connected ? HTTP_TIMEOUT_TOTAL : HTTP_TIMEOUT_CONNECT;
	default:
		return HTTP_OTHER;
	}
}

/* As in on_before_request(), but the peer is gone and the second connection never came about. */
static bool lost_peer(const struct flight *f, CURLcode rc)
{
	return rc == CURLE_COULDNT_CONNECT && f->connected && !f->may_repeat && any_sent(f);
}

/* Out of its multi and into the list of those to hand back. */
static void finish(struct flight *f, CURLcode rc, enum http_class class)
{
	struct http_client *c = f->client;
	f->rc = rc;
	f->repeated |= lost_peer(f, rc);
	f->sent = f->repeated || all_sent(f);
	(void)curl_easy_getinfo(f->easy, CURLINFO_OS_ERRNO, &f->os_errno); /* 0 where it is not known */
	f->class = class == HTTP_OK ? class_of(f) : class;
	(void)curl_multi_remove_handle(f->shard->multi, f->easy); /* it is in it */
	flight_unlink(f);
	f->shard->flight_count--;
	f->link = c->finished_end; /* at the end: in the order in which they ended */
	*c->finished_end = f;
	c->finished_end = &f->next;
}

static void take_completions(struct shard *s)
{
	int left;
	for (CURLMsg *m; (m = curl_multi_info_read(s->multi, &left)) != NULL;) {
		struct flight *f = NULL;
		CURLcode rc = m->data.result; /* m dies with the handle: read it first */
		if (curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&f) == CURLE_OK && f)
			finish(f, rc, HTTP_OK);
	}
	s->touched = false;
}

bool http_client_cancel(struct http_client *c, uint64_t tag)
{
	for (size_t i = 0; i < c->shard_count; i++)
		for (struct flight *f = c->shards[i]->flights; f; f = f->next)
			if (f->tag == tag) {
				take_completions(c->shards[i]); /* it may have just become something */
				bool still = false;
				for (const struct flight *g = c->shards[i]->flights; g && !still; g = g->next)
					still = g == f;
				if (still)
					finish(f, CURLE_OK, HTTP_CANCELLED);
				return true;
			}
	for (const struct flight *f = c->finished; f; f = f->next)
		if (f->tag == tag)
			return true;
	return false;
}

/* Ends what is past its deadline, also a request that curl itself forgot; opens new windows for those that move. */
static void watch(struct http_client *c, uint64_t now_ms)
{
	if (now_ms < c->watchdog_at_ms)
		return;
	uint64_t next_ms = UINT64_MAX;
	for (size_t i = 0; i < c->shard_count; i++)
		for (struct flight *f = c->shards[i]->flights, *next; f; f = next) {
			next = f->next;
			if (now_ms >= f->stall_deadline_ms && f->stall_window_bytes >= f->stall_bytes_min) {
				f->stall_window_bytes = 0;
				f->stall_deadline_ms = now_ms + f->stall_ms;
			}
			enum http_class class = now_ms >= f->total_deadline_ms        ? HTTP_TIMEOUT_TOTAL
			                        : now_ms >= f->first_byte_deadline_ms ? HTTP_TIMEOUT_FIRST_BYTE
			                        : now_ms >= f->stall_deadline_ms      ? HTTP_TIMEOUT_STALL
			                                                              : HTTP_OK;
			if (class == HTTP_TIMEOUT_FIRST_BYTE && !f->connected)
				class = HTTP_TIMEOUT_CONNECT;
			uint64_t due_ms =
				MIN_OF(f->stall_deadline_ms, MIN_OF(f->first_byte_deadline_ms, f->total_deadline_ms));
			if (class != HTTP_OK)
				finish(f, CURLE_OPERATION_TIMEDOUT, class);
			else
				next_ms = MIN_OF(next_ms, due_ms);
		}
	c->watchdog_at_ms = next_ms;
}

static enum err_code err_of(const struct flight *f)
{
	if (f->class == HTTP_OTHER && f->rc == CURLE_URL_MALFORMAT)
		return ERR_INVALID;
	if (f->class == HTTP_OTHER && (f->no_memory || f->rc == CURLE_OUT_OF_MEMORY))
		return ERR_NOMEM;
	return http_class_err(f->class);
}

static void hand_back(struct flight *f, uint64_t now_ms, struct http_done *out)
{
	long status = 0;
	if (curl_easy_getinfo(f->easy, CURLINFO_RESPONSE_CODE, &status) != CURLE_OK && f->class == HTTP_OK)
		f->class = HTTP_OTHER; /* an answer without its status is none */
	*out = (struct http_done){ .tag = f->tag, .err = err_of(f), .class = f->class, .sent = f->sent };
	if (status >= 200)
		out->status = (int)status;
	out->elapsed_ms = (uint32_t)MIN_OF(now_ms - f->start_ms, UINT32_MAX);
	out->first_byte_ms = (uint32_t)MIN_OF(f->first_byte_ms, UINT32_MAX);
	const char *detail = f->class == HTTP_TLS && f->curl_text[0]          ? f->curl_text
	                     : f->class == HTTP_TLS || f->class == HTTP_OTHER ? curl_easy_strerror(f->rc)
	                     : f->os_errno && (f->class == HTTP_CONNECT || f->class == HTTP_SEND)
	                             ? strerror((int)f->os_errno)
	                             : NULL;
	if (out->err != ERR_OK)
		(void)snprintf(out->text, sizeof(out->text), "%.50s%s%.60s", http_class_text(f->class),
		               detail ? ": " : "", detail ? detail : ""); /* a cut text is still of use */
	size_t len = 0;
	out->memory = f->answer.len ? buf_take(&f->answer, &len) : NULL;
	const char *memory = out->memory ? out->memory : "";
	out->headers = str_make(memory, MIN_OF(f->header_len, len));
	out->body = str_make(memory + out->headers.len, len - out->headers.len);
	flight_rest(f);
}

/* Where curl cannot go on (no memory), its requests are left to their deadlines: watch() ends them. */
static void act(struct shard *s, curl_socket_t fd, int flags)
{
	int running;
	(void)curl_multi_socket_action(s->multi, fd, flags, &running);
	s->touched = true;
}

static void on_event(struct http_client *c, const struct http_epoll_event *e)
{
	struct shard *s = c->shards[e->owner];
	int flags = (e->events & EPOLLIN ? CURL_CSELECT_IN : 0) | (e->events & EPOLLOUT ? CURL_CSELECT_OUT : 0);
	if (e->events & (EPOLLERR | EPOLLHUP))
		flags |= CURL_CSELECT_ERR | CURL_CSELECT_IN;
	act(s, e->fd, flags);
}

/* One turn: waits, lets curl work, collects. True: wake_fd is readable. */
static bool turn(struct http_client *c, uint64_t until_ms)
{
	struct http_epoll_event events[EVENTS_MAX];
	uint64_t now_ms = clock_now_ms(), wait_until_ms = c->finished ? 0 : MIN_OF(until_ms, c->watchdog_at_ms);
	for (size_t i = 0; i < c->shard_count; i++)
		wait_until_ms = MIN_OF(wait_until_ms, c->shards[i]->timer_at_ms);
	uint64_t wait_ms = wait_until_ms > now_ms ? MIN_OF(wait_until_ms - now_ms, (uint64_t)INT_MAX) : 0;
	size_t count = http_epoll_wait(&c->epoll, events, EVENTS_MAX, wait_until_ms == UINT64_MAX ? -1 : (int)wait_ms);
	bool woken = false;
	for (size_t i = 0; i < count; i++) {
		if (events[i].fd < 0)
			woken = true;
		else
			on_event(c, &events[i]);
	}
	now_ms = clock_now_ms();
	for (size_t i = 0; i < c->shard_count; i++) {
		struct shard *s = c->shards[i];
		if (now_ms >= s->timer_at_ms) {
			s->timer_at_ms = UINT64_MAX; /* curl sets it anew */
			act(s, CURL_SOCKET_TIMEOUT, 0);
		}
		if (s->touched)
			take_completions(s);
	}
	watch(c, now_ms);
	return woken;
}

enum err_code http_client_poll(struct http_client *c, int timeout_ms, struct http_done *out, size_t cap,
                               size_t *ret_count, struct error *reterr)
{
	(void)reterr; /* nothing fails here today: completions carry their own errors */
	uint64_t until_ms = timeout_ms < 0 ? UINT64_MAX : clock_now_ms() + (uint64_t)timeout_ms;
	uint64_t now_ms;
	bool woken;
	do {
		woken = turn(c, until_ms);
		now_ms = clock_now_ms();
	} while (!woken && !c->finished && now_ms < until_ms);
	size_t count = 0;
	for (; count < cap && c->finished; count++) {
		struct flight *f = c->finished;
		flight_unlink(f);
		if (!c->finished)
			c->finished_end = &c->finished;
		hand_back(f, now_ms, &out[count]);
		c->in_flight--;
	}
	*ret_count = count;
	return ERR_OK;
}
