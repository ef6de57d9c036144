/* coordinator/fleet/fleet_private.h - what fleet.c (thread, socket) and peer.c (one worker's session) share. */
#ifndef ASSAY_FLEET_FLEET_PRIVATE_H
#define ASSAY_FLEET_FLEET_PRIVATE_H

#include "common/base/heap.h"
#include "common/base/map.h"
#include "common/io/ring.h"
#include "common/io/thread.h"
#include "coordinator/fleet/door.h"
#include "coordinator/fleet/fleet.h"

struct peer { /* one connection with its session */
	uint32_t worker_id;
	struct str routing_id; /* owned */
	struct str user_id;    /* owned: the name that the allow-list gives the key */
	struct session session;
	bool closing; /* to be forgotten at the end of the turn */
};

struct fleet_counts {
	struct metrics_series *frames_in, *frames_out, *bytes_in, *bytes_out, *workers;
	struct metrics_series *refused_keys, *not_frames, *refused_leases;
	struct metrics_family *ends;
};

struct fleet {
	struct zsock *router;
	struct zsock_zap *zap;
	struct door door;
	struct ring *inbox;
	struct thread *thread;
	struct session_config session_config; /* shared by all sessions */
	struct buf leader, endpoint, frame;
	void (*deliver)(void *arg, struct fleet_event *event);
	void *arg;
	struct map by_routing; /* routing id -> struct peer * */
	struct map by_id;      /* worker id -> struct peer * */
	struct map by_outbox;  /* outbox id -> worker id of its newest open session */
	struct heap due;       /* worker id by ms */
	struct session_actions actions;
	uint32_t next_worker_id;
	uint64_t now_ms;
	struct metrics *metrics;
	struct fleet_counts counts;
	uint64_t refused_counted; /* of the handshakes that ZAP refused */
	char (*names)[64];        /* allow-list, for sessions of keys that were taken away */
	size_t name_count;
};

struct peer *peer_new(struct fleet *f, struct str routing_id, struct str user_id);
void peer_free(struct peer *p);
struct peer *peer_by_id(const struct fleet *f, uint32_t worker_id);
struct peer *peer_by_outbox(const struct fleet *f, struct outbox_id outbox);

/* Steps the peer's session and carries out what it says. `frame` (may be NULL) is the event whose arena holds the
 * message; it is handed over when the session passes the message on. */
void peer_step(struct fleet *f, struct peer *p, const struct session_event *ev, struct fleet_event **frame);

#endif
