#include "common/io/zsock.h"
#include "common/base/check.h"
#include "common/base/mem.h"
#include "common/io/zsock_private.h"
#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <zmq.h>

struct zsock_context {
	void *handle;
	atomic_bool guarded; /* a ZAP handler is running */
	atomic_uint monitor_count;
};

enum kind { KIND_ROUTER, KIND_DEALER, KIND_REPLY, KIND_MONITOR };

struct zsock {
	void *handle;
	enum kind kind;
	size_t frame_bytes_max;
	struct zsock *monitor;
	struct zsock_context *context;
};

struct message { /* what a zsock_message really is */
	struct zsock_message public;
	zmq_msg_t routing_id, body;
};

static enum err_code code_of(int error_number)
{
	switch (error_number) {
	case EAGAIN:
		return ERR_AGAIN;
	case EHOSTUNREACH:
		return ERR_CONNECT;
	case ETERM:
		return ERR_CANCELLED;
	case ENOMEM:
		return ERR_NOMEM;
	case EMFILE:
		return ERR_LIMIT;
	case EINVAL:
	case EPROTONOSUPPORT:
	case ENOCOMPATPROTO:
	case ENODEV:
		return ERR_INVALID;
	case EADDRINUSE:
		return ERR_CONFLICT;
	case EACCES:
		return ERR_DENIED;
	case ENOENT:
	case EADDRNOTAVAIL:
		return ERR_NOT_FOUND;
	case ENOTSOCK:
	case EFAULT:
	case EFSM:
		check_msg(false, "zmq: %s", zmq_strerror(error_number)); /* a socket used wrongly or after its end */
	}
	return ERR_IO;
}

static enum err_code fail(struct error *reterr, const char *doing)
{
	int number = zmq_errno();
	return error_set(reterr, code_of(number), "zmq: cannot %s: %s", doing, zmq_strerror(number));
}

enum err_code zsock_context_new(int io_threads, int sockets_max, struct zsock_context **ret_context,
                                struct error *reterr)
{
	if (!zmq_has("curve"))
		return error_set(reterr, ERR_UNSUPPORTED, "this libzmq was built without CURVE");
	void *handle = zmq_ctx_new();
	if (!handle)
		return fail(reterr, "make a context");
	if ((io_threads && zmq_ctx_set(handle, ZMQ_IO_THREADS, io_threads) != 0) ||
	    (sockets_max && zmq_ctx_set(handle, ZMQ_MAX_SOCKETS, sockets_max) != 0)) {
		enum err_code err = fail(reterr, "set up a context");
		(void)zmq_ctx_term(handle); /* holds nothing yet */
		return err;
	}
	struct zsock_context *c = mem_new(1, sizeof(*c));
	c->handle = handle;
	*ret_context = c;
	return ERR_OK;
}

void zsock_context_free(struct zsock_context *c)
{
	if (!c)
		return;
	while (zmq_ctx_term(c->handle) != 0 && zmq_errno() == EINTR)
		;
	mem_free(c);
}

void zsock_context_guard(struct zsock_context *c, bool guarded)
{
	atomic_store(&c->guarded, guarded);
}

static bool set_int(void *handle, int option, int64_t value)
{
	int small = (int)MIN_OF(value, INT32_MAX);
	return zmq_setsockopt(handle, option, &small, sizeof(small)) == 0;
}

static bool set_i64(void *handle, int option, int64_t value)
{
	return zmq_setsockopt(handle, option, &value, sizeof(value)) == 0;
}

static bool set_key(void *handle, int option, const uint8_t key[KEYS_BYTES])
{
	return zmq_setsockopt(handle, option, key, KEYS_BYTES) == 0;
}

static uint32_t or_default(uint32_t value, uint32_t otherwise)
{
	return value ? value : otherwise;
}

/* The library measures a frame as it is on the wire: with its command name, nonce, MAC and flags around it. */
enum { CURVE_BYTES = 8 + 8 + 16 + 1 };

static bool set_common(void *handle, const struct zsock_options *o, uint32_t heartbeat_default_ms)
{
	uint32_t heartbeat_ms = or_default(o->heartbeat_ms, heartbeat_default_ms);
	uint32_t heartbeat_timeout_ms = or_default(o->heartbeat_timeout_ms, 3 * heartbeat_ms);
	uint32_t queue = or_default(o->queue_frames_max, 1024);
	return set_int(handle, ZMQ_LINGER, 0) &&
	       set_i64(handle, ZMQ_MAXMSGSIZE,
	               (int64_t)or_default(o->frame_bytes_max, ZSOCK_FRAME_BYTES_MAX) + CURVE_BYTES) &&
	       set_int(handle, ZMQ_HANDSHAKE_IVL, or_default(o->handshake_ms, 5000)) &&
	       set_int(handle, ZMQ_SNDHWM, queue) && set_int(handle, ZMQ_RCVHWM, queue) &&
	       set_int(handle, ZMQ_HEARTBEAT_IVL, heartbeat_ms) &&
	       set_int(handle, ZMQ_HEARTBEAT_TIMEOUT, heartbeat_timeout_ms) && set_int(handle, ZMQ_TCP_KEEPALIVE, 1);
}

static bool set_router(void *handle, const struct zsock_options *o)
{
	return set_common(handle, o, 5000) && set_int(handle, ZMQ_ROUTER_MANDATORY, 1) &&
	       set_int(handle, ZMQ_BACKLOG, or_default(o->backlog, 4096)) && set_int(handle, ZMQ_CURVE_SERVER, 1) &&
	       set_key(handle, ZMQ_CURVE_SECRETKEY, o->pair->secret);
}

static bool set_dealer(void *handle, const struct zsock_options *o)
{
	return set_common(handle, o, 2000) && set_int(handle, ZMQ_IMMEDIATE, 1) &&
	       set_int(handle, ZMQ_CONNECT_TIMEOUT, or_default(o->connect_timeout_ms, 3000)) &&
	       set_int(handle, ZMQ_RECONNECT_IVL, or_default(o->reconnect_ms, 200)) &&
	       set_int(handle, ZMQ_RECONNECT_IVL_MAX, or_default(o->reconnect_max_ms, 2000)) &&
	       set_key(handle, ZMQ_CURVE_SERVERKEY, o->server_key.bytes) &&
	       set_key(handle, ZMQ_CURVE_PUBLICKEY, o->pair->public_key.bytes) &&
	       set_key(handle, ZMQ_CURVE_SECRETKEY, o->pair->secret);
}

static struct zsock *wrap(struct zsock_context *c, void *handle, enum kind kind, size_t frame_bytes_max)
{
	struct zsock *s = mem_new(1, sizeof(*s));
	*s = (struct zsock){ .handle = handle, .kind = kind, .frame_bytes_max = frame_bytes_max, .context = c };
	return s;
}

static enum err_code socket_new(struct zsock_context *c, const struct zsock_options *o, enum kind kind,
                                struct zsock **ret_sock, struct error *reterr)
{
	check(o->pair != NULL);
	void *handle = zmq_socket(c->handle, kind == KIND_ROUTER ? ZMQ_ROUTER : ZMQ_DEALER);
	if (!handle)
		return fail(reterr, "make a socket");
	if (!(kind == KIND_ROUTER ? set_router(handle, o) : set_dealer(handle, o))) {
		enum err_code err = fail(reterr, "set up a socket");
		(void)zmq_close(handle); /* never used */
		return err;
	}
	*ret_sock = wrap(c, handle, kind, or_default(o->frame_bytes_max, ZSOCK_FRAME_BYTES_MAX));
	return ERR_OK;
}

enum err_code zsock_router_new(struct zsock_context *c, const struct zsock_options *o, struct zsock **ret_sock,
                               struct error *reterr)
{
	return socket_new(c, o, KIND_ROUTER, ret_sock, reterr);
}

enum err_code zsock_dealer_new(struct zsock_context *c, const struct zsock_options *o, struct zsock **ret_sock,
                               struct error *reterr)
{
	return socket_new(c, o, KIND_DEALER, ret_sock, reterr);
}

void zsock_close(struct zsock *s)
{
	if (!s)
		return;
	if (s->monitor) {
		(void)zmq_socket_monitor(s->handle, NULL, 0); /* stops it */
		zsock_close(s->monitor);
	}
	check(zmq_close(s->handle) == 0);
	mem_free(s);
}

enum err_code zsock_bind(struct zsock *s, const char *endpoint, struct error *reterr)
{
	check_msg(s->kind != KIND_ROUTER || atomic_load(&s->context->guarded),
	          "a ROUTER binds without a ZAP handler: it would let any key in");
	if (zmq_bind(s->handle, endpoint) == 0)
		return ERR_OK;
	return error_wrap(reterr, fail(reterr, "bind"), "%s", endpoint);
}

enum err_code zsock_connect(struct zsock *s, const char *endpoint, struct error *reterr)
{
	if (zmq_connect(s->handle, endpoint) == 0)
		return ERR_OK;
	return error_wrap(reterr, fail(reterr, "connect"), "%s", endpoint);
}

enum err_code zsock_disconnect(struct zsock *s, const char *endpoint, struct error *reterr)
{
	if (zmq_disconnect(s->handle, endpoint) == 0)
		return ERR_OK;
	return error_wrap(reterr, fail(reterr, "disconnect"), "%s", endpoint);
}

enum err_code zsock_endpoint(struct zsock *s, struct buf *out, struct error *reterr)
{
	char text[256];
	size_t len = sizeof(text);
	if (zmq_getsockopt(s->handle, ZMQ_LAST_ENDPOINT, text, &len) != 0)
		return fail(reterr, "ask for the endpoint");
	return buf_append_c(out, text) ? ERR_OK : error_set(reterr, ERR_LIMIT, "endpoint of %zu bytes", len);
}

/* zmq_send() sleeps through no signal with DONTWAIT, but says EINTR when one came in between. */
static int send_part(struct zsock *s, struct str part, int flags)
{
	int rc;
	do
		rc = zmq_send(s->handle, part.data, part.len, ZMQ_DONTWAIT | flags);
	while (rc < 0 && zmq_errno() == EINTR);
	return rc;
}

enum err_code zsock_send(struct zsock *s, struct str routing_id, struct str body, struct error *reterr)
{
	check_msg((s->kind == KIND_ROUTER) == (routing_id.len > 0), "routing id of %zu bytes", routing_id.len);
	if (body.len > s->frame_bytes_max)
		return error_set(reterr, ERR_LIMIT, "a frame of %zu bytes is longer than %zu", body.len,
		                 s->frame_bytes_max);
	if (s->kind == KIND_ROUTER && send_part(s, routing_id, ZMQ_SNDMORE) < 0)
		return fail(reterr, "send");
	return send_part(s, body, 0) < 0 ? fail(reterr, "send") : ERR_OK;
}

static int recv_part(struct zsock *s, zmq_msg_t *part)
{
	int rc;
	do
		rc = zmq_msg_recv(part, s->handle, ZMQ_DONTWAIT);
	while (rc < 0 && zmq_errno() == EINTR);
	return rc;
}

static struct str view(zmq_msg_t *part)
{
	return str_make(zmq_msg_data(part), zmq_msg_size(part));
}

/* Drops what else belongs to the message of which `last` was a part; true if there was anything. */
static bool drop_rest(struct zsock *s, zmq_msg_t *last)
{
	bool more = zmq_msg_more(last), any = more;
	while (more) {
		zmq_msg_t part;
		(void)zmq_msg_init(&part); /* always 0 */
		more = recv_part(s, &part) >= 0 && zmq_msg_more(&part);
		(void)zmq_msg_close(&part); /* just made */
	}
	return any;
}

enum err_code zsock_recv(struct zsock *s, struct zsock_message **ret_message, struct error *reterr)
{
	zmq_msg_t first;
	(void)zmq_msg_init(&first); /* always 0 */
	if (recv_part(s, &first) < 0) {
		enum err_code err = zmq_errno() == EAGAIN ? ERR_AGAIN : fail(reterr, "receive");
		(void)zmq_msg_close(&first); /* empty */
		return err;
	}
	struct message *m = mem_new(1, sizeof(*m));
	struct zsock_message *p = &m->public;
	(void)zmq_msg_init(&m->routing_id); /* always 0 */
	(void)zmq_msg_init(&m->body);       /* always 0 */
	if (s->kind == KIND_ROUTER) {
		(void)zmq_msg_move(&m->routing_id, &first); /* both just made */
		p->routing_id = view(&m->routing_id);
		p->malformed = !zmq_msg_more(&m->routing_id) || recv_part(s, &m->body) < 0;
	} else {
		(void)zmq_msg_move(&m->body, &first); /* both just made */
	}
	(void)zmq_msg_close(&first); /* moved out */
	p->body = view(&m->body);
	if (s->kind == KIND_ROUTER &&
	    !p->malformed) { /* the body has it always, the routing id only sometimes (4.3.4) */
		p->user_id = str_from(zmq_msg_gets(&m->body, "User-Id"));
		p->address = str_from(zmq_msg_gets(&m->body, "Peer-Address"));
	}
	if (drop_rest(s, &m->body))
		p->malformed = true;
	*ret_message = p;
	return ERR_OK;
}

void zsock_message_free(struct zsock_message *public)
{
	if (!public)
		return;
	struct message *m = (struct message *)public; /* its first member */
	(void)zmq_msg_close(&m->routing_id);          /* both are valid messages */
	(void)zmq_msg_close(&m->body);
	mem_free(m);
}

enum err_code zsock_poll(struct zsock_poll_item *items, size_t count, int timeout_ms, size_t *ret_ready,
                         struct error *reterr)
{
	enum { ITEMS_MAX = 32 };
	zmq_pollitem_t raw[ITEMS_MAX];
	check(count <= ITEMS_MAX);
	for (size_t i = 0; i < count; i++)
		raw[i] = (zmq_pollitem_t){ .socket = items[i].sock ? items[i].sock->handle : NULL,
			                   .fd = items[i].sock ? 0 : items[i].fd,
			                   .events = (short)(ZMQ_POLLIN | (items[i].want_write ? ZMQ_POLLOUT : 0)) };
	int rc = zmq_poll(raw, (int)count, timeout_ms);
	bool interrupted = rc < 0 && zmq_errno() == EINTR;
	if (rc < 0 && !interrupted)
		return fail(reterr, "poll");
	for (size_t i = 0; i < count; i++) {
		short events = interrupted ? 0 : raw[i].revents;
		items[i].readable = events & (ZMQ_POLLIN | ZMQ_POLLERR);
		items[i].writable = events & ZMQ_POLLOUT;
	}
	*ret_ready = interrupted ? 0 : (size_t)rc;
	return ERR_OK;
}

enum {
	CONNECTION_EVENTS = ZMQ_EVENT_LISTENING | ZMQ_EVENT_CONNECTED | ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_DISCONNECTED,
	HANDSHAKE_EVENTS = ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL |
	                   ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH |
	                   ZMQ_EVENT_CONNECT_RETRIED,
};

static enum err_code watch(struct zsock *s, int events, struct zsock **ret_monitor, struct error *reterr)
{
	char endpoint[64];
	check(!s->monitor);
	(void)snprintf(endpoint, sizeof(endpoint), "inproc://assay-monitor-%u",
	               atomic_fetch_add(&s->context->monitor_count, 1U)); /* fits */
	if (zmq_socket_monitor(s->handle, endpoint, events) != 0)
		return fail(reterr, "watch a socket");
	void *pair = zmq_socket(s->context->handle, ZMQ_PAIR);
	/* Without a limit of its own: a full queue here would stop the I/O thread that writes into it. */
	if (!pair || !set_int(pair, ZMQ_LINGER, 0) || !set_int(pair, ZMQ_RCVHWM, 0) ||
	    zmq_connect(pair, endpoint) != 0) {
		enum err_code err = fail(reterr, "watch a socket");
		(void)zmq_socket_monitor(s->handle, NULL, 0); /* stops it */
		if (pair)
			(void)zmq_close(pair); /* never used */
		return err;
	}
	s->monitor = wrap(s->context, pair, KIND_MONITOR, ZSOCK_FRAME_BYTES_MAX);
	*ret_monitor = s->monitor;
	return ERR_OK;
}

enum err_code zsock_monitor(struct zsock *s, struct zsock **ret_monitor, struct error *reterr)
{
	return watch(s, CONNECTION_EVENTS | HANDSHAKE_EVENTS, ret_monitor, reterr);
}

enum err_code zsock_monitor_connections(struct zsock *s, struct zsock **ret_monitor, struct error *reterr)
{
	return watch(s, CONNECTION_EVENTS, ret_monitor, reterr);
}

static bool event_kind(uint16_t event, uint32_t value, enum zsock_event_kind *ret_kind)
{
	switch (event) {
	case ZMQ_EVENT_CONNECTED:
	case ZMQ_EVENT_ACCEPTED:
		*ret_kind = ZSOCK_EVENT_CONNECTED;
		return true;
	case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
		*ret_kind = ZSOCK_EVENT_READY;
		return true;
	case ZMQ_EVENT_DISCONNECTED:
		*ret_kind = ZSOCK_EVENT_LOST;
		return true;
	case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
		*ret_kind = value == 400 ? ZSOCK_EVENT_REFUSED : ZSOCK_EVENT_NO_HANDSHAKE; /* ZAP's "no" */
		return true;
	case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL:
	case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL:
		*ret_kind = ZSOCK_EVENT_NO_HANDSHAKE;
		return true;
	case ZMQ_EVENT_CONNECT_RETRIED:
		*ret_kind = ZSOCK_EVENT_RETRY;
		return true;
	case ZMQ_EVENT_LISTENING:
		*ret_kind = ZSOCK_EVENT_LISTENING;
		return true;
	}
	return false; /* MONITOR_STOPPED */
}

bool zsock_monitor_next(struct zsock *monitor, struct zsock_event *ret_event)
{
	struct zsock_parts parts;
	check(monitor->kind == KIND_MONITOR);
	while (zsock_recv_parts(monitor, &parts, NULL) == ERR_OK) {
		uint16_t event;
		uint32_t value;
		if (parts.count != 2 || parts.len[0] != sizeof(event) + sizeof(value))
			continue;
		memcpy(&event, parts.data[0], sizeof(event));
		memcpy(&value, parts.data[0] + sizeof(event), sizeof(value));
		if (!event_kind(event, value, &ret_event->kind))
			continue;
		ret_event->value_ms = ret_event->kind == ZSOCK_EVENT_RETRY ? (int)value : 0;
		ret_event->fd = ret_event->kind == ZSOCK_EVENT_LISTENING ? (int)value : -1;
		size_t len =
			MIN_OF(MIN_OF(parts.len[1], (size_t)ZSOCK_PART_BYTES_MAX), sizeof(ret_event->endpoint) - 1);
		memcpy(ret_event->endpoint, parts.data[1], len);
		ret_event->endpoint[len] = '\0';
		return true;
	}
	return false;
}

enum err_code zsock_reply_new(struct zsock_context *c, const char *endpoint, struct zsock **ret_sock,
                              struct error *reterr)
{
	void *handle = zmq_socket(c->handle, ZMQ_REP);
	if (!handle)
		return fail(reterr, "make a socket");
	if (!set_int(handle, ZMQ_LINGER, 0) || zmq_bind(handle, endpoint) != 0) {
		enum err_code err = fail(reterr, "bind");
		(void)zmq_close(handle); /* never used */
		return error_wrap(reterr, err, "%s", endpoint);
	}
	*ret_sock = wrap(c, handle, KIND_REPLY, ZSOCK_FRAME_BYTES_MAX);
	return ERR_OK;
}

enum err_code zsock_recv_parts(struct zsock *s, struct zsock_parts *ret_parts, struct error *reterr)
{
	ret_parts->count = 0;
	for (bool more = true; more;) {
		zmq_msg_t part;
		(void)zmq_msg_init(&part); /* always 0 */
		if (recv_part(s, &part) < 0) {
			enum err_code err = zmq_errno() == EAGAIN ? ERR_AGAIN : fail(reterr, "receive");
			(void)zmq_msg_close(&part); /* empty */
			return err;
		}
		more = zmq_msg_more(&part);
		size_t at = ret_parts->count++;
		if (at < ZSOCK_PARTS_MAX) {
			ret_parts->len[at] = zmq_msg_size(&part);
			memcpy(ret_parts->data[at], zmq_msg_data(&part),
			       MIN_OF(ret_parts->len[at], (size_t)ZSOCK_PART_BYTES_MAX));
		}
		(void)zmq_msg_close(&part); /* copied */
	}
	return ERR_OK;
}

enum err_code zsock_send_parts(struct zsock *s, const struct str *parts, size_t count, struct error *reterr)
{
	for (size_t i = 0; i < count; i++)
		if (send_part(s, parts[i], i + 1 < count ? ZMQ_SNDMORE : 0) < 0)
			return fail(reterr, "send");
	return ERR_OK;
}
