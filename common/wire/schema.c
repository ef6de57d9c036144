#include "common/wire/schema.h"
#include "common/wire/msg.h"

#define FIELD(number, name, kind)                                                                                      \
	{                                                                                                              \
#name, number, SCHEMA_##kind, 0, NULL                                                                  \
	}
#define LIST(number, name, kind, count_max)                                                                            \
	{                                                                                                              \
#name, number, SCHEMA_##kind, count_max, NULL                                                          \
	}
#define ONE(number, name, of)                                                                                          \
	{                                                                                                              \
#name, number, SCHEMA_MESSAGE, 0, &of                                                                  \
	}
#define MANY(number, name, of, count_max)                                                                              \
	{                                                                                                              \
#name, number, SCHEMA_MESSAGE, count_max, &of                                                          \
	}
#define MESSAGE(name, fields)                                                                                          \
	{                                                                                                              \
		name, fields, ARRAY_LEN(fields)                                                                        \
	}

// clang-format off
static const struct schema_field alias_fields[] = {
	FIELD(1, name, TEXT),
	FIELD(2, digest, BYTES),
};
static const struct schema_message alias = MESSAGE("Alias", alias_fields);

static const struct schema_field host_fields[] = {
	FIELD(1, command, TEXT),
	FIELD(2, slots, U32),
};
static const struct schema_message host = MESSAGE("Host", host_fields);

static const struct schema_field held_lease_fields[] = {
	FIELD(1, term, U64),
	FIELD(2, n, U64),
	FIELD(3, run_id, U64),
	FIELD(4, retry_no, U32),
	FIELD(5, scoring_no, U32),
	FIELD(10, sample_count, U32),
	LIST(11, sample_nos, U64, WIRE_LEASE_SAMPLES_MAX),
	FIELD(12, held, BYTES),
	FIELD(13, started, BYTES),
};
static const struct schema_message held_lease = MESSAGE("HeldLease", held_lease_fields);

static const struct schema_field hello_fields[] = {
	FIELD(1, version_min, U32),
	FIELD(2, version_max, U32),
	FIELD(3, session, FIXED64),
	FIELD(4, outbox, BYTES),
	FIELD(5, name, TEXT),
	FIELD(6, build, TEXT),
	FIELD(7, term_seen, U64),
	FIELD(8, draining, BOOL),
	FIELD(10, slots, U32),
	LIST(11, providers, TEXT, WIRE_ABILITIES_MAX),
	MANY(12, aliases, alias, WIRE_ABILITIES_MAX),
	LIST(13, allowed_hosts, TEXT, WIRE_ABILITIES_MAX),
	MANY(14, hosts, host, WIRE_ABILITIES_MAX),
	MANY(20, leases, held_lease, WIRE_HELD_LEASES_MAX),
	LIST(30, answer_run_ids, U64, WIRE_HELD_ANSWERS_MAX),
	LIST(31, answer_sample_nos, U64, WIRE_HELD_ANSWERS_MAX),
	LIST(32, answer_ask_ids, FIXED64, WIRE_HELD_ANSWERS_MAX),
	LIST(33, answer_retry_nos, U32, WIRE_HELD_ANSWERS_MAX),
	LIST(34, answer_scoring_nos, U32, WIRE_HELD_ANSWERS_MAX),
};
static const struct schema_message hello = MESSAGE("Hello", hello_fields);

static const struct schema_field route_use_fields[] = {
	FIELD(1, route_id, U32),
	FIELD(2, slots, U32),
	FIELD(3, in_flight, U32),
	FIELD(4, wanted, U32),
};
static const struct schema_message route_use = MESSAGE("RouteUse", route_use_fields);

static const struct schema_field renew_fields[] = {
	FIELD(1, renew_no, U64),
	FIELD(2, frame_seen, U64),
	FIELD(3, wanted, U32),
	MANY(10, routes, route_use, WIRE_ROUTES_MAX),
	MANY(20, leases, held_lease, WIRE_HELD_LEASES_MAX),
	FIELD(30, loop_lag_ms, U32),
	FIELD(31, memory_bytes, U64),
	FIELD(32, outbox_fails, BOOL),
};
static const struct schema_message renew = MESSAGE("Renew", renew_fields);

static const struct schema_field score_fields[] = {
	FIELD(1, metric, U32),
	FIELD(2, value, DOUBLE),
	FIELD(3, reason, TEXT),
	FIELD(4, explanation, BYTES),
	FIELD(5, extracted, BYTES),
};
static const struct schema_message score = MESSAGE("Score", score_fields);

static const struct schema_field record_fields[] = {
	FIELD(1, kind, ENUM),
	FIELD(2, record_no, U64),
	FIELD(3, run_id, U64),
	FIELD(4, sample_no, U64),
	FIELD(5, ask_id, FIXED64),
	FIELD(6, retry_no, U32),
	FIELD(7, scoring_no, U32),
	FIELD(10, outcome, ENUM),
	FIELD(11, flags, U32),
	FIELD(12, error_class, ENUM),
	FIELD(13, given_up, BOOL),
	FIELD(14, attempt_count, U32),
	FIELD(15, http_status, U32),
	FIELD(16, retry_after_ms, U64),
	FIELD(20, tokens_in, U32),
	FIELD(21, tokens_cached, U32),
	FIELD(22, tokens_out, U32),
	FIELD(23, tokens_reasoning, U32),
	FIELD(24, cost_nanousd, U64),
	FIELD(25, latency_ms, U32),
	FIELD(26, first_byte_ms, U32),
	FIELD(27, at_ms, U64),
	FIELD(30, returned_model, TEXT),
	FIELD(31, fingerprint, TEXT),
	FIELD(32, request_id, TEXT),
	FIELD(33, stop_reason, TEXT),
	MANY(40, scores, score, WIRE_SCORES_MAX),
	FIELD(50, request, BYTES),
	FIELD(51, response, BYTES),
	FIELD(52, answer, BYTES),
	FIELD(53, evidence, BYTES),
};
const struct schema_message schema_record = MESSAGE("Record", record_fields);

static const struct schema_field results_fields[] = {
	MANY(1, records, schema_record, WIRE_RESULTS_RECORDS_MAX),
};
static const struct schema_message results = MESSAGE("Results", results_fields);

static const struct schema_field released_fields[] = {
	FIELD(1, term, U64),
	FIELD(2, n, U64),
	FIELD(3, cause, ENUM),
	LIST(10, indexes, U32, WIRE_LEASE_SAMPLES_MAX),
	LIST(11, ask_ids, FIXED64, WIRE_LEASE_SAMPLES_MAX),
};
static const struct schema_message released = MESSAGE("Released", released_fields);

static const struct schema_field welcome_fields[] = {
	FIELD(1, version, U32),
	FIELD(2, term, U64),
	FIELD(3, timeline, U64),
	FIELD(4, session, FIXED64),
	FIELD(10, renew_ms, U32),
	FIELD(11, lease_ms, U32),
	FIELD(12, resend_ms, U32),
	FIELD(13, window_frames, U32),
	FIELD(14, window_bytes, U32),
	LIST(20, refused_terms, U64, WIRE_HELD_LEASES_MAX),
	LIST(21, refused_ns, U64, WIRE_HELD_LEASES_MAX),
	FIELD(30, answers, BYTES),
};
static const struct schema_message welcome = MESSAGE("Welcome", welcome_fields);

static const struct schema_field refused_fields[] = {
	FIELD(1, cause, ENUM),
	FIELD(2, text, TEXT),
	FIELD(3, leader, TEXT),
};
static const struct schema_message refused = MESSAGE("Refused", refused_fields);

static const struct schema_field renewed_fields[] = {
	FIELD(1, renew_no, U64),
	FIELD(2, term, U64),
	FIELD(3, timeline, U64),
	FIELD(10, lease_ms, U32),
	LIST(20, refused_terms, U64, WIRE_HELD_LEASES_MAX),
	LIST(21, refused_ns, U64, WIRE_HELD_LEASES_MAX),
};
static const struct schema_message renewed = MESSAGE("Renewed", renewed_fields);

static const struct schema_field lease_fields[] = {
	FIELD(1, term, U64),
	FIELD(2, n, U64),
	FIELD(3, deadline_ms, U32),
	FIELD(10, run_id, U64),
	FIELD(11, route_id, U32),
	FIELD(12, retry_no, U32),
	FIELD(13, scoring_no, U32),
	FIELD(14, context_hash, BYTES),
	FIELD(15, context, TEXT),
	FIELD(16, alone, BOOL),
	LIST(20, sample_nos, U64, WIRE_LEASE_SAMPLES_MAX),
	LIST(21, attempts_left, U32, WIRE_LEASE_SAMPLES_MAX),
	LIST(22, time_left_ms, U32, WIRE_LEASE_SAMPLES_MAX),
	LIST(23, item_ends, U32, WIRE_LEASE_SAMPLES_MAX),
	FIELD(24, items, BYTES),
};
static const struct schema_message lease = MESSAGE("Lease", lease_fields);

static const struct schema_field commit_fields[] = {
	FIELD(1, outbox, BYTES),
	LIST(10, firsts, U64, WIRE_COMMIT_RANGES_MAX),
	LIST(11, lasts, U64, WIRE_COMMIT_RANGES_MAX),
};
static const struct schema_message commit = MESSAGE("Commit", commit_fields);

static const struct schema_field release_fields[] = {
	FIELD(1, term, U64),
	FIELD(2, n, U64),
	LIST(10, indexes, U32, WIRE_LEASE_SAMPLES_MAX),
};
static const struct schema_message release = MESSAGE("Release", release_fields);

static const struct schema_field revoke_fields[] = {
	FIELD(1, term, U64),
	FIELD(2, n, U64),
	FIELD(3, abandon, BOOL),
};
static const struct schema_message revoke = MESSAGE("Revoke", revoke_fields);

static const struct schema_field grant_fields[] = {
	FIELD(1, route_id, U32),
	FIELD(2, slots, U32),
	FIELD(3, pause_ms, U32),
};
static const struct schema_message grant = MESSAGE("Grant", grant_fields);

static const struct schema_field drain_fields[] = {
	FIELD(1, reason, TEXT),
};
static const struct schema_message drain = MESSAGE("Drain", drain_fields);

static const struct schema_field blob_want_fields[] = {
	FIELD(1, hash, BYTES),
	FIELD(2, offset, U64),
};
static const struct schema_message blob_want = MESSAGE("BlobWant", blob_want_fields);

static const struct schema_field blob_fields[] = {
	FIELD(1, hash, BYTES),
	FIELD(2, offset, U64),
	FIELD(3, bytes, BYTES),
	FIELD(4, last, BOOL),
};
static const struct schema_message blob = MESSAGE("Blob", blob_fields);

static const struct schema_field frame_fields[] = {
	FIELD(1, version, U32),
	FIELD(2, number, U64),
	FIELD(3, session, FIXED64),
	ONE(10, hello, hello),
	ONE(11, renew, renew),
	ONE(12, results, results),
	ONE(13, released, released),
	ONE(20, welcome, welcome),
	ONE(21, refused, refused),
	ONE(22, renewed, renewed),
	ONE(23, lease, lease),
	ONE(24, commit, commit),
	ONE(25, release, release),
	ONE(26, revoke, revoke),
	ONE(27, grant, grant),
	ONE(28, drain, drain),
	ONE(40, blob_want, blob_want),
	ONE(41, blob, blob),
};
const struct schema_message schema_frame = MESSAGE("Frame", frame_fields);
// clang-format on
