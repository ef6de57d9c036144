/* common/io/zsock.h - ZeroMQ sockets for this system: one ROUTER, many DEALERs, CURVE always. The only user of zmq.h.
 *
 * Idea: a frame in, a frame out, every return code handled. Nothing here waits but zsock_poll(). A send that succeeded
 * is queued, not delivered: only an answer counts. The peer's identity is `user_id`, which the ZAP handler took from
 * its public key; the routing id only says which connection.
 *
 * Threads: a zsock belongs to one thread at a time. The context and the allow-list may be used from any thread. One
 * context a process, for its whole life; free it last, after every zsock and the ZAP handler. */
#ifndef ASSAY_IO_ZSOCK_H
#define ASSAY_IO_ZSOCK_H

#include "common/base/buf.h"
#include "common/base/error.h"
#include "common/io/keys.h"

struct zsock_context;
struct zsock;
struct zsock_zap;

enum { ZSOCK_FRAME_BYTES_MAX = 1 << 20, ZSOCK_ROUTING_ID_BYTES_MAX = 255, ZSOCK_USER_ID_BYTES_MAX = 255 };

enum err_code zsock_context_new(int io_threads, int sockets_max, struct zsock_context **ret_context,
                                struct error *reterr) MUST_CHECK; /* 0: the library's default */
void zsock_context_free(struct zsock_context *c);                 /* accepts NULL */

struct zsock_options {                 /* zero takes the value in brackets */
	const struct keys_pair *pair;  /* own keys; needed, copied */
	struct keys_public server_key; /* DEALER: whom we expect; a ROUTER is the server itself */
	uint32_t frame_bytes_max;      /* a longer frame cuts the peer off [ZSOCK_FRAME_BYTES_MAX] */
	uint32_t handshake_ms;         /* [5,000] */
	uint32_t queue_frames_max;     /* high-water mark a peer, each way; must stand above the credits [1,024] */
	uint32_t backlog;              /* ROUTER: connections that wait to be accepted [4,096] */
	uint32_t heartbeat_ms;         /* finds dead TCP, not a stuck peer [ROUTER 5,000, DEALER 2,000] */
	uint32_t heartbeat_timeout_ms; /* [3 x heartbeat_ms] */
	uint32_t connect_timeout_ms;   /* DEALER [3,000] */
	uint32_t reconnect_ms, reconnect_max_ms; /* DEALER: jittered between, doubling [200, 2,000] */
};

enum err_code zsock_router_new(struct zsock_context *c, const struct zsock_options *o, struct zsock **ret_sock,
                               struct error *reterr) MUST_CHECK;
enum err_code zsock_dealer_new(struct zsock_context *c, const struct zsock_options *o, struct zsock **ret_sock,
                               struct error *reterr) MUST_CHECK;
void zsock_close(struct zsock *s); /* accepts NULL; what is queued is dropped (LINGER 0), its monitor closed */

enum err_code zsock_bind(struct zsock *s, const char *endpoint,
                         struct error *reterr) MUST_CHECK; /* tcp://127.0.0.1:0 */
enum err_code zsock_connect(struct zsock *s, const char *endpoint, struct error *reterr) MUST_CHECK;
enum err_code zsock_disconnect(struct zsock *s, const char *endpoint, struct error *reterr) MUST_CHECK;
enum err_code zsock_endpoint(struct zsock *s, struct buf *out,
                             struct error *reterr) MUST_CHECK; /* with its real port */

/* Never waits. ROUTER: to `routing_id`; DEALER: `routing_id` is empty.
 * ERR_AGAIN: that peer's queue is full (ROUTER), or no connection stands (DEALER); stop giving it credit.
 * ERR_CONNECT: no such peer any more; its leases are to be taken back. (A ROUTER learns of the end of a connection by
 * reading: until zsock_recv() has come to that point, a dead peer takes frames and then answers ERR_AGAIN.)
 * ERR_LIMIT: longer than frame_bytes_max. ERR_CANCELLED: the context is going away. ERR_NOMEM, ERR_IO: the rest. */
enum err_code zsock_send(struct zsock *s, struct str routing_id, struct str body, struct error *reterr) MUST_CHECK;

struct zsock_message {
	struct str routing_id; /* ROUTER; empty at a DEALER */
	struct str body;
	struct str user_id; /* whom the ZAP handler let in; empty: nobody vouched, refuse. Empty at a DEALER */
	struct str address; /* IP address of the peer, as text. Empty at a DEALER */
	bool malformed;     /* not exactly one body frame came; `body` is the first */
};

/* Never waits. ERR_AGAIN (without text): nothing there. The message is the caller's, to be freed in any thread. */
enum err_code zsock_recv(struct zsock *s, struct zsock_message **ret_message, struct error *reterr) MUST_CHECK;
void zsock_message_free(struct zsock_message *m); /* accepts NULL */

struct zsock_poll_item {
	struct zsock *sock; /* or NULL, then `fd` */
	int fd;
	bool want_write,            /* reading is always wanted */
		readable, writable; /* outputs; a fd in error is readable */
};

/* Sleeps until something is ready or the time is over (0: look, -1: no limit); a signal ends it early with 0 ready. */
enum err_code zsock_poll(struct zsock_poll_item *items, size_t count, int timeout_ms, size_t *ret_ready,
                         struct error *reterr) MUST_CHECK;

/* What happens to connections below the messages. The monitor is a zsock for zsock_poll(); it dies with its socket. */
enum zsock_event_kind {
	ZSOCK_EVENT_CONNECTED,    /* TCP stands, handshake to come */
	ZSOCK_EVENT_READY,        /* handshake done */
	ZSOCK_EVENT_LOST,         /* a standing connection ended */
	ZSOCK_EVENT_REFUSED,      /* no such key on the list. A refused DEALER never tries again: close it */
	ZSOCK_EVENT_NO_HANDSHAKE, /* wrong protocol, wrong server key, or too slow */
	ZSOCK_EVENT_RETRY,        /* DEALER: not reachable, tries again after value_ms */
	ZSOCK_EVENT_LISTENING,    /* ROUTER: bound; `fd` is the listening socket, the library's own */
};
struct zsock_event {
	enum zsock_event_kind kind;
	int value_ms;
	int fd;
	char endpoint[128];
};
enum err_code zsock_monitor(struct zsock *s, struct zsock **ret_monitor,
                            struct error *reterr) MUST_CHECK; /* borrowed */
/* Only LISTENING, CONNECTED and LOST: one each for a connection that came and went, which is what can be paid for when
 * strangers come by the thousand. */
enum err_code zsock_monitor_connections(struct zsock *s, struct zsock **ret_monitor,
                                        struct error *reterr) MUST_CHECK;                 /* borrowed */
bool zsock_monitor_next(struct zsock *monitor, struct zsock_event *ret_event) MUST_CHECK; /* false: none waits */

/* The ZAP handler: a thread of its own that answers each CURVE handshake from a list of known keys. Start it before
 * the ROUTER binds: without it ZeroMQ lets any key in. Until the first zsock_zap_allow() nobody is known. */
struct zsock_zap_key {
	struct keys_public key;
	struct str name; /* becomes user_id; 1 to ZSOCK_USER_ID_BYTES_MAX bytes without NUL */
};
struct zsock_zap_refusal { /* told once a key, however often it tries */
	char key[KEYS_TEXT_BYTES];
	char address[64];
};
enum err_code zsock_zap_start(struct zsock_context *c, struct zsock_zap **ret_zap, struct error *reterr) MUST_CHECK;
void zsock_zap_stop(struct zsock_zap *z); /* accepts NULL; before the context goes */
/* Replaces the whole list for every handshake from now on; connections that stand are not touched. Any thread. */
enum err_code zsock_zap_allow(struct zsock_zap *z, const struct zsock_zap_key *keys, size_t count,
                              struct error *reterr) MUST_CHECK;
uint64_t zsock_zap_accepted_count(const struct zsock_zap *z);
uint64_t zsock_zap_refused_count(const struct zsock_zap *z);
size_t zsock_zap_refusals(struct zsock_zap *z, struct zsock_zap_refusal *out,
                          size_t cap); /* new ones since last asked */

#endif
