/* coordinator/fleet/fleet.h - the ROUTER and the sessions of all workers: bytes to events, commands to frames.
 *
 * One thread owns the socket and every session (coordinator/session decides what may be said); a ZAP thread beside it
 * admits registered keys only. The fleet never waits for anybody: it reads whatever comes, hands events over by
 * `deliver`, and takes commands from a ring. How much a worker may have unacknowledged is bounded by its session's
 * window, so what was handed over and has not come back is bounded too.
 *
 * Ownership: an event belongs to whoever it was delivered to, until fleet_event_free() or, for results, until it comes
 * back with FLEET_COMMIT. A command belongs to the fleet once it was pushed. fleet_push() from any thread. */
#ifndef ASSAY_FLEET_FLEET_H
#define ASSAY_FLEET_FLEET_H

#include "common/base/arena.h"
#include "common/io/keys.h"
#include "common/io/metrics.h"
#include "common/io/zsock.h"
#include "common/wire/msg.h"
#include "coordinator/session/session.h"

enum fleet_event_kind {
	FLEET_JOINED,   /* msg->hello */
	FLEET_RENEWED,  /* msg->renew */
	FLEET_RELEASED, /* msg->released */
	FLEET_RESULTS,  /* records: make them durable, then FLEET_COMMIT with this event */
	FLEET_GONE,
};

struct fleet_event {
	enum fleet_event_kind kind;
	uint32_t worker_id; /* of the session */
	struct outbox_id outbox;
	struct str worker_name; /* as the allow-list says */
	bool orderly;           /* GONE */
	const struct msg *msg;
	struct msg_record *records; /* RESULTS */
	size_t record_count;
	struct arena arena; /* what all of it points into */
};
void fleet_event_free(struct fleet_event *e); /* accepts NULL */

enum fleet_command_kind {
	FLEET_WELCOME,       /* msg->welcome: refused and answers are set */
	FLEET_RENEWED_REPLY, /* msg->renewed: renew_no and refused are set */
	FLEET_CLOSE,
	FLEET_SEND,   /* msg: Lease Release Revoke Grant Drain with its number */
	FLEET_COMMIT, /* every record of `event` is durable; frees the event */
	FLEET_MODE,   /* mode, term, timeline, leader */
	FLEET_ALLOW,  /* replaces the allow-list; sessions of a key that is gone are ended */
};

struct fleet_command {
	enum fleet_command_kind kind;
	uint32_t worker_id;
	enum refuse_cause cause; /* CLOSE */
	struct msg *msg;
	struct fleet_event *event; /* COMMIT */
	enum session_mode mode;    /* MODE */
	uint64_t term, timeline;
	struct str leader;
	const struct zsock_zap_key *keys; /* ALLOW */
	size_t key_count;
	struct arena arena;
};
struct fleet_command *fleet_command_new(enum fleet_command_kind kind, uint32_t worker_id);
void fleet_command_free(struct fleet_command *c);

struct fleet_settings {
	struct zsock_context *zmq;    /* borrowed */
	const struct keys_pair *pair; /* copied */
	const char *endpoint;         /* tcp://127.0.0.1:0 */
	struct session_config session;
	const struct zsock_zap_key *keys; /* the allow-list; copied. FLEET_ALLOW replaces it */
	size_t key_count;
	size_t inbox_capacity;
	struct metrics *metrics; /* borrowed */
	/* Called in the fleet's thread; takes the event. Must not wait. */
	void (*deliver)(void *arg, struct fleet_event *event);
	void *arg;
};

struct fleet;

enum err_code fleet_start(const struct fleet_settings *settings, struct fleet **ret_fleet,
                          struct error *reterr) MUST_CHECK;
void fleet_stop(struct fleet *f);                 /* ends the thread, closes the socket, frees; accepts NULL */
struct str fleet_endpoint(const struct fleet *f); /* with its real port */
bool fleet_push(struct fleet *f, struct fleet_command *c) MUST_CHECK; /* false: full or stopped; still the caller's */
uint64_t fleet_refused_handshakes(const struct fleet *f);

#endif
