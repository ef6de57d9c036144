/* common/wire/msg.h - the messages of DESIGN.md 6 as plain C structs: what pure code on both sides reads and writes.
 *
 * A decoded message points into the arena of its frame and dies with it. Numbers: times are durations in ms (no clock
 * is shared), money is nanousd, sample_no = epoch * suite items + item_no (epoch from 0). Everything here has been
 * validated for shape (lengths agree, UTF-8 where text, enums in range), never for sense: that is session's and
 * schedule's work. */
#ifndef ASSAY_WIRE_MSG_H
#define ASSAY_WIRE_MSG_H

#include "common/base/hash.h"
#include "common/base/str.h"
#include "common/wire/outcome.h"

enum {
	WIRE_VERSION_MIN = 1,
	WIRE_VERSION_MAX = 1,
	WIRE_FRAME_BYTES_MAX = 1 << 20,
	WIRE_LEASE_SAMPLES_MAX = 1024,
	WIRE_RESULTS_RECORDS_MAX = 256,
	WIRE_BLOB_CHUNK_BYTES = 256 << 10,
	WIRE_OUTBOX_ID_BYTES = 16,
	WIRE_ABILITIES_MAX = 1024,     /* providers, aliases, allowed hosts, hosts: each */
	WIRE_NAME_BYTES_MAX = 512,     /* a name of those, a worker's, a build's, a leader's */
	WIRE_HELD_LEASES_MAX = 4096,   /* in one Hello, Renew, Welcome or Renewed */
	WIRE_HELD_ANSWERS_MAX = 16384, /* in one Hello */
	WIRE_ROUTES_MAX = 4096,        /* in one Renew */
	WIRE_SCORES_MAX = 64,          /* of one record */
	WIRE_COMMIT_RANGES_MAX = 16384,
};

enum msg_kind {
	MSG_HELLO = 1,
	MSG_WELCOME,
	MSG_REFUSED,
	MSG_RENEW,
	MSG_RENEWED,
	MSG_LEASE,
	MSG_RESULTS,
	MSG_COMMIT,
	MSG_RELEASED,
	MSG_RELEASE,
	MSG_REVOKE,
	MSG_GRANT,
	MSG_DRAIN,
	MSG_BLOB_WANT,
	MSG_BLOB,
	MSG_KIND_COUNT
};

struct lease_no { /* (term, n): n starts at 1 in each term */
	uint64_t term, n;
};

struct outbox_id { /* names a worker's outbox file for as long as it exists; the worker's durable identity */
	uint8_t bytes[WIRE_OUTBOX_ID_BYTES];
};

/* ---- worker to coordinator ---- */

struct msg_alias {
	struct str name;
	struct hash digest; /* keyed hash of the key: equal digests are one key under two aliases; never the key */
};

struct msg_host { /* a model server that this worker can run */
	struct str command;
	uint32_t slots; /* 0: as the model file says */
};

struct msg_held_lease {
	struct lease_no number;
	uint64_t run_id;
	uint32_t retry_no, scoring_no;
	const uint64_t *sample_nos; /* Hello only (a new coordinator does not know them); NULL in Renew */
	size_t sample_count;        /* in Renew too: the size of the lease as it came */
	struct str held;            /* bitmap over the lease's samples, in the order they were leased */
	struct str started;         /* asked at least once, result not yet committed */
};

struct msg_answer_ref { /* an answer kept in the outbox that has no result yet (found at start) */
	uint64_t run_id, sample_no, ask_id;
	uint32_t retry_no, scoring_no;
};

struct msg_hello {
	uint32_t version_min, version_max;
	uint64_t session; /* random for each connection; every later frame of both sides belongs to it */
	struct outbox_id outbox;
	struct str name, build;
	uint32_t slots; /* calls that it can have in flight at all */
	const struct str *providers;
	size_t provider_count;
	const struct msg_alias *aliases;
	size_t alias_count;
	const struct str *allowed_hosts; /* "*", "api.example.com", "*.example.com" */
	size_t allowed_host_count;
	const struct msg_host *hosts;
	size_t host_count;
	const struct msg_held_lease *leases;
	size_t lease_count;
	const struct msg_answer_ref *answers;
	size_t answer_count;
	uint64_t term_seen; /* highest term it has followed; 0 for none */
	bool draining;
};

struct msg_route_use {
	uint32_t route_id;
	uint32_t slots;     /* the slice it works under: the last Grant it has seen */
	uint32_t in_flight; /* asks under way */
	uint32_t wanted;    /* samples it would take for this route now: its credit */
};

struct msg_renew {
	uint64_t renew_no;   /* from 1, each Renew of the session one more; Renewed names it */
	uint64_t frame_seen; /* highest coordinator frame number seen */
	uint32_t wanted;     /* samples it would take of any route: its whole credit */
	const struct msg_route_use *routes;
	size_t route_count;
	const struct msg_held_lease *leases;
	size_t lease_count;
	uint32_t loop_lag_ms;
	uint64_t memory_bytes;
	bool outbox_fails; /* its disk is full or broken: it takes no work */
};

enum record_kind {
	RECORD_RESULT = 1,  /* an answer with its scores */
	RECORD_ATTEMPT = 2, /* an ask that failed */
	RECORD_RAW = 3,     /* an answer shipped without scores because the coordinator said so */
};

struct msg_score {
	uint32_t metric; /* position in the suite's `scores` */
	bool has_value;
	double value;      /* finite when has_value */
	struct str reason; /* why there is none; empty otherwise */
	struct str explanation, extracted;
};

struct msg_record {
	enum record_kind kind;
	uint64_t record_no; /* of the outbox; never restarts */
	uint64_t run_id, sample_no, ask_id;
	uint32_t retry_no, scoring_no;
	enum outcome outcome;         /* RESULT: scored or unscored */
	uint32_t flags;               /* enum outcome_flag */
	enum error_class error_class; /* ATTEMPT: why */
	bool given_up;                /* ATTEMPT: the worker no longer holds the sample */
	uint32_t attempt_count;       /* asks of this sample by this holder so far, this one included */
	int32_t http_status;          /* 0 when there was none */
	int64_t retry_after_ms;       /* -1 when not said */
	uint32_t tokens_in, tokens_cached, tokens_out, tokens_reasoning;
	int64_t cost_nanousd; /* -1 unknown; the coordinator prices tokens where it has a table */
	uint32_t latency_ms, first_byte_ms;
	int64_t at_ms; /* wall clock of the worker: data, never used to decide */
	struct str returned_model, fingerprint, request_id, stop_reason;
	const struct msg_score *scores;
	size_t score_count;
	struct str request;  /* body as sent */
	struct str response; /* body as received: any bytes */
	struct str answer;   /* text that was scored */
	struct str evidence; /* ATTEMPT: error text */
};

struct msg_results {
	const struct msg_record *records;
	size_t record_count;
};

enum release_cause { RELEASE_ASKED = 1, RELEASE_DRAIN, RELEASE_DEADLINE, RELEASE_NO_ABILITY, RELEASE_ABANDONED };

struct msg_released_sample {
	uint32_t index;  /* in the lease */
	uint64_t ask_id; /* not 0: it had been asked and was abandoned */
};

struct msg_released {
	struct lease_no number;
	enum release_cause cause;
	const struct msg_released_sample *samples;
	size_t sample_count;
};

/* ---- coordinator to worker ---- */

enum answer_verdict {
	ANSWER_ADOPT = 1 /* score it, as a started lease */,
	ANSWER_SHIP = 2 /* send it raw */,
	ANSWER_DROP = 3
};

struct msg_welcome {
	uint32_t version;
	uint64_t term, timeline, session;
	uint32_t renew_ms, lease_ms, resend_ms;
	uint32_t window_frames, window_bytes; /* the results window */
	const struct lease_no *refused;       /* leases that it must drop unless started */
	size_t refused_count;
	const uint8_t *answers; /* enum answer_verdict for each answer of the Hello, in its order */
	size_t answer_count;
};

enum refuse_cause {
	REFUSE_STANDBY = 1,
	REFUSE_VERSION,
	REFUSE_UNKNOWN,
	REFUSE_DUPLICATE,
	REFUSE_FULL,
	REFUSE_STOPPING
};

struct msg_refused {
	enum refuse_cause cause;
	struct str text;
	struct str leader; /* endpoint to try instead; empty when not known */
};

struct msg_renewed {
	uint64_t renew_no, term, timeline;
	uint32_t lease_ms;
	const struct lease_no *refused;
	size_t refused_count;
};

struct msg_lease {
	struct lease_no number;
	uint32_t deadline_ms; /* as lease_ms of Welcome; counted from arrival */
	uint64_t run_id;
	uint32_t route_id, retry_no, scoring_no;
	struct hash context_hash;
	struct str context; /* JSON: model, generate, scores; sent once a run and session, else empty */
	bool alone;         /* suspects: nothing else may be in flight beside such a sample on its host or worker */
	size_t sample_count;
	const uint64_t *sample_nos;
	const uint32_t *attempts_left;
	const uint32_t *time_left_ms;
	const uint32_t *item_ends; /* item i is items[item_ends[i-1] .. item_ends[i]), canonical JSON */
	struct str items;
};

struct record_range {
	uint64_t first, last; /* inclusive */
};

struct msg_commit {
	struct outbox_id outbox;
	const struct record_range *ranges; /* never cumulative: exactly these records */
	size_t range_count;
};

struct msg_release { /* samples wanted back unless they are under way; such are not asked again */
	struct lease_no number;
	const uint32_t *indexes;
	size_t index_count;
};

struct msg_revoke { /* drop what has not started; what has is finished and reported (cancel) or abandoned */
	struct lease_no number;
	bool abandon;
};

struct msg_grant { /* this worker's slice of a route; replaces the one before */
	uint32_t route_id;
	uint32_t slots;
	uint32_t pause_ms; /* start nothing on this route for so long */
};

struct msg_drain {
	struct str reason;
};

struct msg_blob_want {
	struct hash hash;
	uint64_t offset;
};

struct msg_blob {
	struct hash hash;
	uint64_t offset;
	struct str bytes;
	bool last;
};

/* One frame. `number`: coordinator frames that carry scheduling (Lease Release Revoke Grant Drain) count up from 1 in
 * each session; other frames of the coordinator repeat the highest; worker frames carry 0. */
struct msg {
	enum msg_kind kind;
	uint64_t number;
	uint64_t session;
	union {
		struct msg_hello hello;
		struct msg_welcome welcome;
		struct msg_refused refused;
		struct msg_renew renew;
		struct msg_renewed renewed;
		struct msg_lease lease;
		struct msg_results results;
		struct msg_commit commit;
		struct msg_released released;
		struct msg_release release;
		struct msg_revoke revoke;
		struct msg_grant grant;
		struct msg_drain drain;
		struct msg_blob_want blob_want;
		struct msg_blob blob;
	};
};

const char *msg_kind_name(enum msg_kind kind);
bool lease_no_eq(struct lease_no a, struct lease_no b);
bool outbox_id_eq(struct outbox_id a, struct outbox_id b);

#endif
