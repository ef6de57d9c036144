#include "tests/property/wire/random_msg.h"
#include <string.h>

/* Each macro leaves with the field's name when it differs; a and b are the two messages. */
#define SAME(field)                                                                                                    \
	do {                                                                                                           \
		if (a->field != b->field)                                                                              \
			return #field;                                                                                 \
	} while (0)
#define SAME_TEXT(field)                                                                                               \
	do {                                                                                                           \
		if (!str_eq(a->field, b->field))                                                                       \
			return #field;                                                                                 \
	} while (0)
#define SAME_BYTES(field)                                                                                              \
	do {                                                                                                           \
		if (memcmp(a->field.bytes, b->field.bytes, sizeof(a->field.bytes)) != 0)                               \
			return #field;                                                                                 \
	} while (0)
#define SAME_LEASE_NO(field)                                                                                           \
	do {                                                                                                           \
		if (!lease_no_eq(a->field, b->field))                                                                  \
			return #field;                                                                                 \
	} while (0)
#define SAME_NUMBERS(field, count)                                                                                     \
	do {                                                                                                           \
		SAME(count);                                                                                           \
		for (size_t i = 0; i < a->count; i++)                                                                  \
			SAME(field[i]);                                                                                \
	} while (0)
#define SAME_EACH(field, count, difference)                                                                            \
	do {                                                                                                           \
		SAME(count);                                                                                           \
		for (size_t i = 0; i < a->count; i++) {                                                                \
			const char *name = difference(&a->field[i], &b->field[i]);                                     \
			if (name)                                                                                      \
				return name;                                                                           \
		}                                                                                                      \
	} while (0)

static const char *text_difference(const struct str *a, const struct str *b)
{
	return str_eq(*a, *b) ? NULL : "a text of a list";
}

static const char *alias_difference(const struct msg_alias *a, const struct msg_alias *b)
{
	SAME_TEXT(name);
	SAME_BYTES(digest);
	return NULL;
}

static const char *host_difference(const struct msg_host *a, const struct msg_host *b)
{
	SAME_TEXT(command);
	SAME(slots);
	return NULL;
}

static const char *held_difference(const struct msg_held_lease *a, const struct msg_held_lease *b)
{
	SAME_LEASE_NO(number);
	SAME(run_id);
	SAME(retry_no);
	SAME(scoring_no);
	SAME(sample_count);
	if (!a->sample_nos != !b->sample_nos)
		return "sample_nos";
	if (a->sample_nos)
		SAME_NUMBERS(sample_nos, sample_count);
	SAME_TEXT(held);
	SAME_TEXT(started);
	return NULL;
}

static const char *answer_difference(const struct msg_answer_ref *a, const struct msg_answer_ref *b)
{
	SAME(run_id);
	SAME(sample_no);
	SAME(ask_id);
	SAME(retry_no);
	SAME(scoring_no);
	return NULL;
}

static const char *hello_difference(const struct msg_hello *a, const struct msg_hello *b)
{
	SAME(version_min);
	SAME(version_max);
	SAME(session);
	SAME_BYTES(outbox);
	SAME_TEXT(name);
	SAME_TEXT(build);
	SAME(slots);
	SAME_EACH(providers, provider_count, text_difference);
	SAME_EACH(aliases, alias_count, alias_difference);
	SAME_EACH(allowed_hosts, allowed_host_count, text_difference);
	SAME_EACH(hosts, host_count, host_difference);
	SAME_EACH(leases, lease_count, held_difference);
	SAME_EACH(answers, answer_count, answer_difference);
	SAME(term_seen);
	SAME(draining);
	return NULL;
}

static const char *route_difference(const struct msg_route_use *a, const struct msg_route_use *b)
{
	SAME(route_id);
	SAME(slots);
	SAME(in_flight);
	SAME(wanted);
	return NULL;
}

static const char *renew_difference(const struct msg_renew *a, const struct msg_renew *b)
{
	SAME(renew_no);
	SAME(frame_seen);
	SAME(wanted);
	SAME_EACH(routes, route_count, route_difference);
	SAME_EACH(leases, lease_count, held_difference);
	SAME(loop_lag_ms);
	SAME(memory_bytes);
	SAME(outbox_fails);
	return NULL;
}

static const char *score_difference(const struct msg_score *a, const struct msg_score *b)
{
	SAME(metric);
	SAME(has_value);
	if (memcmp(&a->value, &b->value, sizeof(a->value)) != 0) /* the sign of zero counts */
		return "value";
	SAME_TEXT(reason);
	SAME_TEXT(explanation);
	SAME_TEXT(extracted);
	return NULL;
}

const char *record_difference(const struct msg_record *a, const struct msg_record *b)
{
	SAME(kind);
	SAME(record_no);
	SAME(run_id);
	SAME(sample_no);
	SAME(ask_id);
	SAME(retry_no);
	SAME(scoring_no);
	SAME(outcome);
	SAME(flags);
	SAME(error_class);
	SAME(given_up);
	SAME(attempt_count);
	SAME(http_status);
	SAME(retry_after_ms);
	SAME(tokens_in);
	SAME(tokens_cached);
	SAME(tokens_out);
	SAME(tokens_reasoning);
	SAME(cost_nanousd);
	SAME(latency_ms);
	SAME(first_byte_ms);
	SAME(at_ms);
	SAME_TEXT(returned_model);
	SAME_TEXT(fingerprint);
	SAME_TEXT(request_id);
	SAME_TEXT(stop_reason);
	SAME_EACH(scores, score_count, score_difference);
	SAME_TEXT(request);
	SAME_TEXT(response);
	SAME_TEXT(answer);
	SAME_TEXT(evidence);
	return NULL;
}

static const char *results_difference(const struct msg_results *a, const struct msg_results *b)
{
	SAME_EACH(records, record_count, record_difference);
	return NULL;
}

static const char *released_sample_difference(const struct msg_released_sample *a, const struct msg_released_sample *b)
{
	SAME(index);
	SAME(ask_id);
	return NULL;
}

static const char *released_difference(const struct msg_released *a, const struct msg_released *b)
{
	SAME_LEASE_NO(number);
	SAME(cause);
	SAME_EACH(samples, sample_count, released_sample_difference);
	return NULL;
}

static const char *lease_no_difference(const struct lease_no *a, const struct lease_no *b)
{
	return lease_no_eq(*a, *b) ? NULL : "a lease number of a list";
}

static const char *welcome_difference(const struct msg_welcome *a, const struct msg_welcome *b)
{
	SAME(version);
	SAME(term);
	SAME(timeline);
	SAME(session);
	SAME(renew_ms);
	SAME(lease_ms);
	SAME(resend_ms);
	SAME(window_frames);
	SAME(window_bytes);
	SAME_EACH(refused, refused_count, lease_no_difference);
	SAME_NUMBERS(answers, answer_count);
	return NULL;
}

static const char *refused_difference(const struct msg_refused *a, const struct msg_refused *b)
{
	SAME(cause);
	SAME_TEXT(text);
	SAME_TEXT(leader);
	return NULL;
}

static const char *renewed_difference(const struct msg_renewed *a, const struct msg_renewed *b)
{
	SAME(renew_no);
	SAME(term);
	SAME(timeline);
	SAME(lease_ms);
	SAME_EACH(refused, refused_count, lease_no_difference);
	return NULL;
}

static const char *lease_difference(const struct msg_lease *a, const struct msg_lease *b)
{
	SAME_LEASE_NO(number);
	SAME(deadline_ms);
	SAME(run_id);
	SAME(route_id);
	SAME(retry_no);
	SAME(scoring_no);
	SAME_BYTES(context_hash);
	SAME_TEXT(context);
	SAME(alone);
	SAME_NUMBERS(sample_nos, sample_count);
	SAME_NUMBERS(attempts_left, sample_count);
	SAME_NUMBERS(time_left_ms, sample_count);
	SAME_NUMBERS(item_ends, sample_count);
	SAME_TEXT(items);
	return NULL;
}

static const char *range_difference(const struct record_range *a, const struct record_range *b)
{
	SAME(first);
	SAME(last);
	return NULL;
}

static const char *commit_difference(const struct msg_commit *a, const struct msg_commit *b)
{
	SAME_BYTES(outbox);
	SAME_EACH(ranges, range_count, range_difference);
	return NULL;
}

static const char *release_difference(const struct msg_release *a, const struct msg_release *b)
{
	SAME_LEASE_NO(number);
	SAME_NUMBERS(indexes, index_count);
	return NULL;
}

static const char *small_difference(const struct msg *a, const struct msg *b)
{
	switch (a->kind) {
	case MSG_REVOKE:
		SAME_LEASE_NO(revoke.number);
		SAME(revoke.abandon);
		return NULL;
	case MSG_GRANT:
		SAME(grant.route_id);
		SAME(grant.slots);
		SAME(grant.pause_ms);
		return NULL;
	case MSG_DRAIN:
		SAME_TEXT(drain.reason);
		return NULL;
	case MSG_BLOB_WANT:
		SAME_BYTES(blob_want.hash);
		SAME(blob_want.offset);
		return NULL;
	case MSG_BLOB:
		SAME_BYTES(blob.hash);
		SAME(blob.offset);
		SAME_TEXT(blob.bytes);
		SAME(blob.last);
		return NULL;
	default:
		return "kind, which none can have";
	}
}

const char *msg_difference(const struct msg *a, const struct msg *b)
{
	SAME(kind);
	SAME(number);
	SAME(session);
	switch (a->kind) {
	case MSG_HELLO:
		return hello_difference(&a->hello, &b->hello);
	case MSG_WELCOME:
		return welcome_difference(&a->welcome, &b->welcome);
	case MSG_REFUSED:
		return refused_difference(&a->refused, &b->refused);
	case MSG_RENEW:
		return renew_difference(&a->renew, &b->renew);
	case MSG_RENEWED:
		return renewed_difference(&a->renewed, &b->renewed);
	case MSG_LEASE:
		return lease_difference(&a->lease, &b->lease);
	case MSG_RESULTS:
		return results_difference(&a->results, &b->results);
	case MSG_COMMIT:
		return commit_difference(&a->commit, &b->commit);
	case MSG_RELEASED:
		return released_difference(&a->released, &b->released);
	case MSG_RELEASE:
		return release_difference(&a->release, &b->release);
	default:
		return small_difference(a, b);
	}
}
