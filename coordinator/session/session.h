/* coordinator/session/session.h - one worker's conversation, from its first frame to its end.
 *
 * step(session, event) -> actions. Pure: the fleet's thread decodes frames, reads the clock, and carries out the
 * actions in order. The session checks what may be said when, counts the results window, numbers what it sends, and
 * decides when a conversation is over; it knows nothing of samples.
 *
 *   NEW --Hello--> ASKED --Welcome from the core--> OPEN --> CLOSED
 *
 * What holds: nothing but a Hello opens a session, and one only; a frame of another session number ends it; results
 * that are not yet committed never exceed the window that Welcome named (frames and bytes), whatever the peer does; a
 * record that is already waiting to be committed is not handed on again; after CLOSE nothing is sent or handed on; the
 * core hears GONE exactly once if it has heard JOINED.
 *
 * Owns the numbers of the records in its window and of two windows of committed ones (24 KB at most for the default
 * one). Actions point into the event and
 * into the session: they are good until the next step. One thread. */
#ifndef ASSAY_SESSION_SESSION_H
#define ASSAY_SESSION_SESSION_H

#include "common/wire/msg.h"

enum { SESSION_WINDOW_FRAMES_MAX = 16 };

enum session_mode { SESSION_LEAD = 0, SESSION_STANDBY, SESSION_STOPPING, SESSION_FULL };

struct session_config { /* shared by all sessions; borrowed, must outlive them; 0 stands for the default in brackets */
	enum session_mode mode;  /* read at each Hello: may change */
	struct str leader;       /* STANDBY: endpoint of the leader, empty when not known; may change */
	uint64_t term, timeline; /* timeline may change: it goes out with the next Renewed */
	uint32_t renew_ms;       /* [1,000] */
	uint32_t lease_ms;       /* [3,000] */
	uint32_t resend_ms;      /* [5,000] */
	uint32_t silence_ms;     /* [6,000] without a frame: the session is over */
	uint32_t hello_ms;       /* [5,000] from connect to Hello, and from Hello to Welcome */
	uint32_t window_frames;  /* [4] at most SESSION_WINDOW_FRAMES_MAX */
	uint32_t window_bytes;   /* [1 MiB] */
};

enum session_state { SESSION_NEW = 0, SESSION_ASKED, SESSION_OPEN, SESSION_CLOSED };

/* Why a session is over: a counter each. */
enum session_end {
	SESSION_END_NONE = 0,
	/* the peer broke a rule */
	SESSION_END_BAD_FRAME, /* could not be decoded */
	SESSION_END_NO_HELLO,  /* something else came first, or nothing at all */
	SESSION_END_SECOND_HELLO,
	SESSION_END_EARLY,         /* a frame between Hello and Welcome */
	SESSION_END_OTHER_SESSION, /* a frame with another session's number */
	SESSION_END_NOT_A_WORKER,  /* a kind of frame that only a coordinator sends */
	SESSION_END_BAD_HELLO,     /* no session number, no outbox, no slots */
	SESSION_END_BAD_ORDER,     /* a Renew that goes backwards or knows frames that were never sent */
	SESSION_END_OVER_WINDOW,
	/* it was turned away */
	SESSION_END_VERSION,
	SESSION_END_STANDBY,
	SESSION_END_STOPPING,
	SESSION_END_FULL,
	SESSION_END_REPLACED, /* a newer session of the same outbox */
	SESSION_END_REFUSED,  /* by the core, for another reason */
	SESSION_END_KEY_REVOKED,
	/* it was lost */
	SESSION_END_SILENT,
	SESSION_END_SLOW_CORE, /* no Welcome came in time */
	SESSION_END_UNREACHABLE,
	SESSION_END_NOT_READING, /* its queue is full */
	SESSION_END_COUNT
};

struct session_batch {        /* what is left of a Results frame on its way to the database */
	uint64_t *record_nos; /* ascending, those not yet committed */
	uint32_t count, cap;
	uint32_t bytes; /* its part of the frame */
};

struct session { /* visible so that the fleet can keep many in an array; touch it only through session_*() */
	const struct session_config *config;
	enum session_state state;
	enum session_end end;
	uint32_t worker_id;
	struct outbox_id outbox;
	uint32_t version;
	uint64_t number;                      /* the peer's session number */
	uint64_t frame_no;                    /* highest scheduling frame sent */
	uint64_t renew_no;                    /* highest Renew */
	uint64_t heard_ms, since_ms;          /* last frame; begin of the present state */
	bool draining;                        /* said so in Hello, or gave samples back because of it */
	bool empty_handed;                    /* the last Renew listed no lease, and none was sent since */
	uint32_t window_frames, window_bytes; /* as Welcome said */
	struct session_batch batches[SESSION_WINDOW_FRAMES_MAX];
	uint32_t batch_count, unacked_bytes;
	/* The last records of this outbox that were committed, a ring of two windows: the peer may have sent them again
	 * before it heard so. Of this timeline alone: in another they must be stored anew. */
	uint64_t *done, done_max, done_timeline;
	uint32_t done_at, done_count, done_cap;
	uint64_t frame_count, record_count, duplicate_count; /* received */
	char text[160];                                      /* of the Refused being sent */
};

enum session_event_kind {
	SESSION_FRAME = 1,
	SESSION_DECODE_ERROR,
	SESSION_CORE_WELCOME,
	SESSION_CORE_RENEWED,
	SESSION_CORE_CLOSE,  /* SCHED_DO_CLOSE */
	SESSION_CORE_SEND,   /* Lease Release Revoke Grant Drain, with the number that the core gave it */
	SESSION_COMMITTED,   /* records of this outbox are durable, or are stored apart for good */
	SESSION_SEND_FAILED, /* the last SEND could not be queued */
	SESSION_KEY_REVOKED,
	SESSION_TICK,
};

struct session_event {
	enum session_event_kind kind;
	uint64_t now_ms;
	union {
		struct {
			const struct msg *msg;
			size_t bytes; /* of the frame */
		} frame;
		struct {
			const struct lease_no *refused;
			size_t refused_count;
			const uint8_t *verdicts;
			size_t verdict_count;
		} welcome;
		struct {
			uint64_t renew_no;
			const struct lease_no *refused;
			size_t refused_count;
		} renewed;
		enum refuse_cause cause; /* CORE_CLOSE */
		const struct msg *send;  /* CORE_SEND: kind, number and body are set */
		struct {
			const struct record_range *ranges;
			size_t range_count;
		} committed;
		bool unreachable; /* SEND_FAILED: no such peer; else its queue is full */
	};
};

enum session_action_kind {
	SESSION_DO_SEND = 1,
	SESSION_DO_JOINED,   /* to the core: msg->hello */
	SESSION_DO_RENEWED,  /* msg->renew */
	SESSION_DO_RELEASED, /* msg->released */
	SESSION_DO_RESULTS,  /* to the store: records; then say COMMITTED for each, in any order and grouping */
	SESSION_DO_BLOB,     /* msg->blob or msg->blob_want, for whoever keeps blobs */
	SESSION_DO_GONE,     /* to the core */
	SESSION_DO_CLOSE,    /* forget the peer; s->end says why */
};

struct session_action {
	enum session_action_kind kind;
	union {
		struct msg send; /* complete: ready for frame_encode */
		const struct msg *msg;
		struct {
			const struct msg_record
				*records; /* one run of records of the frame, none of them a duplicate */
			size_t count;
		} results;
		bool orderly; /* GONE */
	};
};

struct session_actions {
	struct session_action *items;
	size_t len, cap;
};

void session_actions_init(struct session_actions *out);
void session_actions_done(struct session_actions *out);

void session_init(struct session *s, const struct session_config *config, uint32_t worker_id, uint64_t now_ms);
void session_done(struct session *s);

/* Applies one event; clears `out` first. A closed session takes every event and does nothing. */
void session_step(struct session *s, const struct session_event *ev, struct session_actions *out);

/* When the next TICK is due, or UINT64_MAX. */
uint64_t session_next_deadline_ms(const struct session *s);

const char *session_end_name(enum session_end e); /* "over_window": a label of /metrics */
bool session_end_is_fault(enum session_end e);    /* the peer broke a rule; logged with its key */

#endif
