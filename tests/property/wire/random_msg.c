#include "tests/property/wire/random_msg.h"
#include "common/base/bits.h"
#include <string.h>

struct maker {
	struct rng *rng;
	struct arena *arena;
	struct random_size size;
};

static uint64_t below(struct maker *k, uint64_t bound)
{
	return rng_below(k->rng, bound);
}

static bool coin(struct maker *k)
{
	return below(k, 2) == 1;
}

/* Numbers of every length in bits, and zero and the greatest more often than chance would have it. */
static uint64_t u64(struct maker *k)
{
	uint64_t dice = below(k, 8);
	if (dice == 0)
		return 0;
	return dice == 1 ? UINT64_MAX : rng_next(k->rng) >> below(k, 64);
}

static uint32_t u32(struct maker *k)
{
	uint64_t v = u64(k);
	return v > UINT32_MAX ? UINT32_MAX : (uint32_t)v;
}

static int64_t i63(struct maker *k)
{
	return (int64_t)(u64(k) >> 1);
}

static size_t count(struct maker *k, size_t max)
{
	max = MIN_OF(max, k->size.list_max);
	return below(k, 4) == 0 ? (size_t)below(k, max + 1) : (size_t)below(k, MIN_OF(max, (size_t)3) + 1);
}

static struct str bytes_of(struct maker *k, size_t len)
{
	char *data = arena_new(k->arena, len + 1, 1);
	for (size_t i = 0; i < len; i++)
		data[i] = (char)rng_next(k->rng);
	return (struct str){ data, len };
}

static struct str bytes(struct maker *k)
{
	return bytes_of(k, count(k, k->size.text_max));
}

static struct str text(struct maker *k)
{
	static const char *const pieces[] = {
		"a", "Zq9 ", "\n", "é", "ß", "語", "Ω", "\xF0\x9F\x98\x80", "\x7F", "\x01"
	};
	size_t len = 0, pieces_left = count(k, 120);
	char *data = arena_new(k->arena, 4 * pieces_left + 1, 1);
	for (; pieces_left > 0; pieces_left--) {
		const char *piece = pieces[below(k, ARRAY_LEN(pieces))];
		memcpy(data + len, piece, strlen(piece));
		len += strlen(piece);
	}
	return (struct str){ data, len };
}

static struct hash hash(struct maker *k)
{
	struct hash h;
	memcpy(h.bytes, bytes_of(k, sizeof(h.bytes)).data, sizeof(h.bytes));
	return h;
}

static struct outbox_id outbox(struct maker *k)
{
	struct outbox_id id;
	memcpy(id.bytes, bytes_of(k, sizeof(id.bytes)).data, sizeof(id.bytes));
	return id;
}

static struct lease_no lease_no(struct maker *k)
{
	return (struct lease_no){ u64(k), u64(k) };
}

static const uint64_t *u64s(struct maker *k, size_t n)
{
	uint64_t *list = arena_new(k->arena, n, sizeof(*list));
	for (size_t i = 0; i < n; i++)
		list[i] = u64(k);
	return list;
}

static const uint32_t *u32s(struct maker *k, size_t n)
{
	uint32_t *list = arena_new(k->arena, n, sizeof(*list));
	for (size_t i = 0; i < n; i++)
		list[i] = u32(k);
	return list;
}

static const uint32_t *indexes(struct maker *k, size_t n)
{
	uint32_t *list = arena_new(k->arena, n, sizeof(*list));
	for (size_t i = 0; i < n; i++)
		list[i] = (uint32_t)below(k, WIRE_LEASE_SAMPLES_MAX);
	return list;
}

static const struct str *texts(struct maker *k, size_t n)
{
	struct str *list = arena_new(k->arena, n, sizeof(*list));
	for (size_t i = 0; i < n; i++)
		list[i] = text(k);
	return list;
}

static struct str bitmap(struct maker *k, size_t len)
{
	uint8_t *map = arena_new(k->arena, bits_byte_len(len), 1);
	for (size_t i = 0; i < len; i++)
		if (coin(k))
			bits_put(map, i);
	return coin(k) ? str_make(map, bits_byte_len(len)) : STR("");
}

static const struct msg_held_lease *held_leases(struct maker *k, size_t n, bool names_samples)
{
	struct msg_held_lease *list = arena_new(k->arena, n, sizeof(*list));
	for (size_t i = 0; i < n; i++) {
		size_t samples = 1 + count(k, WIRE_LEASE_SAMPLES_MAX - 1);
		list[i] = (struct msg_held_lease){
			.number = lease_no(k),
			.run_id = u64(k),
			.retry_no = u32(k),
			.scoring_no = u32(k),
			.sample_nos = names_samples ? u64s(k, samples) : NULL,
			.sample_count = samples,
			.held = bitmap(k, samples),
			.started = bitmap(k, samples),
		};
	}
	return list;
}

static struct msg_hello hello(struct maker *k)
{
	struct msg_hello m = {
		.version_min = 1 + (uint32_t)below(k, 9),
		.version_max = UINT32_MAX,
		.session = u64(k),
		.outbox = outbox(k),
		.name = text(k),
		.build = text(k),
		.slots = u32(k),
		.provider_count = count(k, WIRE_ABILITIES_MAX),
		.alias_count = count(k, WIRE_ABILITIES_MAX),
		.allowed_host_count = count(k, WIRE_ABILITIES_MAX),
		.host_count = count(k, WIRE_ABILITIES_MAX),
		.lease_count = count(k, 40),
		.answer_count = count(k, WIRE_HELD_ANSWERS_MAX),
		.term_seen = u64(k),
		.draining = coin(k),
	};
	struct msg_alias *aliases = arena_new(k->arena, m.alias_count, sizeof(*aliases));
	for (size_t i = 0; i < m.alias_count; i++)
		aliases[i] = (struct msg_alias){ text(k), hash(k) };
	struct msg_host *hosts = arena_new(k->arena, m.host_count, sizeof(*hosts));
	for (size_t i = 0; i < m.host_count; i++)
		hosts[i] = (struct msg_host){ text(k), u32(k) };
	struct msg_answer_ref *answers = arena_new(k->arena, m.answer_count, sizeof(*answers));
	for (size_t i = 0; i < m.answer_count; i++)
		answers[i] = (struct msg_answer_ref){ u64(k), u64(k), u64(k), u32(k), u32(k) };
	m.providers = texts(k, m.provider_count);
	m.allowed_hosts = texts(k, m.allowed_host_count);
	m.aliases = aliases;
	m.hosts = hosts;
	m.answers = answers;
	m.leases = held_leases(k, m.lease_count, true);
	return m;
}

static struct msg_renew renew(struct maker *k)
{
	struct msg_renew m = { .renew_no = u64(k),
		               .frame_seen = u64(k),
		               .wanted = u32(k),
		               .route_count = count(k, WIRE_ROUTES_MAX),
		               .lease_count = count(k, 100),
		               .loop_lag_ms = u32(k),
		               .memory_bytes = u64(k),
		               .outbox_fails = coin(k) };
	struct msg_route_use *routes = arena_new(k->arena, m.route_count, sizeof(*routes));
	for (size_t i = 0; i < m.route_count; i++)
		routes[i] = (struct msg_route_use){ u32(k), u32(k), u32(k), u32(k) };
	m.routes = routes;
	m.leases = held_leases(k, m.lease_count, false);
	return m;
}

static const struct msg_score *scores(struct maker *k, size_t n)
{
	static const double values[] = { 0, -0.0, 1, 0.1, -1e300, 5e-324 };
	struct msg_score *list = arena_new(k->arena, n, sizeof(*list));
	for (size_t i = 0; i < n; i++) {
		bool has_value = coin(k);
		list[i] = (struct msg_score){ .metric = u32(k),
			                      .has_value = has_value,
			                      .value = has_value ? values[below(k, ARRAY_LEN(values))] : 0,
			                      .reason = text(k),
			                      .explanation = bytes(k),
			                      .extracted = bytes(k) };
	}
	return list;
}

static struct msg_record record(struct maker *k)
{
	struct msg_record r = {
		.kind = (enum record_kind)(1 + below(k, RECORD_RAW)),
		.record_no = u64(k),
		.run_id = u64(k),
		.sample_no = u64(k),
		.ask_id = u64(k),
		.retry_no = u32(k),
		.scoring_no = u32(k),
		.flags = u32(k),
		.given_up = coin(k),
		.attempt_count = u32(k),
		.http_status = (int32_t)(u32(k) >> 1),
		.retry_after_ms = coin(k) ? -1 : i63(k),
		.tokens_in = u32(k),
		.tokens_cached = u32(k),
		.tokens_out = u32(k),
		.tokens_reasoning = u32(k),
		.cost_nanousd = coin(k) ? -1 : i63(k),
		.latency_ms = u32(k),
		.first_byte_ms = u32(k),
		.at_ms = i63(k),
		.returned_model = text(k),
		.fingerprint = text(k),
		.request_id = text(k),
		.stop_reason = text(k),
		.score_count = count(k, WIRE_SCORES_MAX),
		.request = bytes(k),
		.response = bytes(k),
		.answer = bytes(k),
		.evidence = bytes(k),
	};
	r.outcome = r.kind == RECORD_RESULT ? (coin(k) ? OUTCOME_SCORED : OUTCOME_UNSCORED)
	                                    : (enum outcome)below(k, OUTCOME_COUNT);
	r.error_class = r.kind == RECORD_ATTEMPT ? (enum error_class)(1 + below(k, CLASS_COUNT - 1))
	                                         : (enum error_class)below(k, CLASS_COUNT);
	r.scores = scores(k, r.score_count);
	return r;
}

static struct msg_results results(struct maker *k)
{
	struct msg_results m = { .record_count = count(k, WIRE_RESULTS_RECORDS_MAX) };
	struct msg_record *records = arena_new(k->arena, m.record_count, sizeof(*records));
	for (size_t i = 0; i < m.record_count; i++)
		records[i] = record(k);
	m.records = records;
	return m;
}

static struct msg_released released(struct maker *k)
{
	struct msg_released m = { .number = lease_no(k),
		                  .cause = (enum release_cause)(1 + below(k, RELEASE_ABANDONED)),
		                  .sample_count = count(k, WIRE_LEASE_SAMPLES_MAX) };
	struct msg_released_sample *samples = arena_new(k->arena, m.sample_count, sizeof(*samples));
	for (size_t i = 0; i < m.sample_count; i++)
		samples[i] = (struct msg_released_sample){ (uint32_t)below(k, WIRE_LEASE_SAMPLES_MAX), u64(k) };
	m.samples = samples;
	return m;
}

static const struct lease_no *lease_nos(struct maker *k, size_t n)
{
	struct lease_no *list = arena_new(k->arena, n, sizeof(*list));
	for (size_t i = 0; i < n; i++)
		list[i] = lease_no(k);
	return list;
}

static struct msg_welcome welcome(struct maker *k)
{
	struct msg_welcome m = { .version = u32(k),
		                 .term = u64(k),
		                 .timeline = u64(k),
		                 .session = u64(k),
		                 .renew_ms = u32(k),
		                 .lease_ms = u32(k),
		                 .resend_ms = u32(k),
		                 .window_frames = u32(k),
		                 .window_bytes = u32(k),
		                 .refused_count = count(k, WIRE_HELD_LEASES_MAX),
		                 .answer_count = count(k, WIRE_HELD_ANSWERS_MAX) };
	uint8_t *answers = arena_new(k->arena, m.answer_count, 1);
	for (size_t i = 0; i < m.answer_count; i++)
		answers[i] = (uint8_t)(1 + below(k, ANSWER_DROP));
	m.answers = answers;
	m.refused = lease_nos(k, m.refused_count);
	return m;
}

static struct msg_renewed renewed(struct maker *k)
{
	struct msg_renewed m = { .renew_no = u64(k),
		                 .term = u64(k),
		                 .timeline = u64(k),
		                 .lease_ms = u32(k),
		                 .refused_count = count(k, WIRE_HELD_LEASES_MAX) };
	m.refused = lease_nos(k, m.refused_count);
	return m;
}

static struct msg_lease lease(struct maker *k)
{
	size_t n = 1 + count(k, WIRE_LEASE_SAMPLES_MAX - 1);
	struct msg_lease m = { .number = lease_no(k),
		               .deadline_ms = u32(k),
		               .run_id = u64(k),
		               .route_id = u32(k),
		               .retry_no = u32(k),
		               .scoring_no = u32(k),
		               .context_hash = hash(k),
		               .context = text(k),
		               .alone = coin(k),
		               .sample_count = n,
		               .sample_nos = u64s(k, n),
		               .attempts_left = u32s(k, n),
		               .time_left_ms = u32s(k, n) };
	uint32_t *ends = arena_new(k->arena, n, sizeof(*ends));
	uint32_t end = 0;
	for (size_t i = 0; i < n; i++)
		ends[i] = end += (uint32_t)count(k, k->size.text_max);
	m.item_ends = ends;
	m.items = bytes_of(k, end);
	return m;
}

static struct msg_commit commit(struct maker *k)
{
	struct msg_commit m = { .outbox = outbox(k), .range_count = count(k, WIRE_COMMIT_RANGES_MAX) };
	struct record_range *ranges = arena_new(k->arena, m.range_count, sizeof(*ranges));
	for (size_t i = 0; i < m.range_count; i++) {
		uint64_t a = u64(k), b = u64(k);
		ranges[i] = (struct record_range){ MIN_OF(a, b), MAX_OF(a, b) };
	}
	m.ranges = ranges;
	return m;
}

static void fill_body(struct maker *k, struct msg *m)
{
	switch (m->kind) {
	case MSG_HELLO:
		m->hello = hello(k);
		break;
	case MSG_WELCOME:
		m->welcome = welcome(k);
		break;
	case MSG_REFUSED:
		m->refused =
			(struct msg_refused){ (enum refuse_cause)(1 + below(k, REFUSE_STOPPING)), text(k), text(k) };
		break;
	case MSG_RENEW:
		m->renew = renew(k);
		break;
	case MSG_RENEWED:
		m->renewed = renewed(k);
		break;
	case MSG_LEASE:
		m->lease = lease(k);
		break;
	case MSG_RESULTS:
		m->results = results(k);
		break;
	case MSG_COMMIT:
		m->commit = commit(k);
		break;
	case MSG_RELEASED:
		m->released = released(k);
		break;
	case MSG_RELEASE:
		m->release =
			(struct msg_release){ .number = lease_no(k), .index_count = count(k, WIRE_LEASE_SAMPLES_MAX) };
		m->release.indexes = indexes(k, m->release.index_count);
		break;
	case MSG_REVOKE:
		m->revoke = (struct msg_revoke){ lease_no(k), coin(k) };
		break;
	case MSG_GRANT:
		m->grant = (struct msg_grant){ u32(k), u32(k), u32(k) };
		break;
	case MSG_DRAIN:
		m->drain = (struct msg_drain){ text(k) };
		break;
	case MSG_BLOB_WANT:
		m->blob_want = (struct msg_blob_want){ hash(k), u64(k) };
		break;
	case MSG_BLOB:
		m->blob = (struct msg_blob){ hash(k), u64(k), bytes(k), coin(k) };
		break;
	case MSG_KIND_COUNT:
		break;
	}
}

struct msg random_msg(struct rng *rng, struct arena *arena, enum msg_kind kind, struct random_size size)
{
	struct maker k = { rng, arena, size };
	struct msg m = { .kind = kind, .number = u64(&k), .session = u64(&k) };
	fill_body(&k, &m);
	return m;
}

struct msg_record random_record(struct rng *rng, struct arena *arena, struct random_size size)
{
	struct maker k = { rng, arena, size };
	return record(&k);
}
