/* Goal: a frame that breaks a rule is refused with a code and a text that name the rule, whoever breaks it; what a
 * newer peer adds is no such thing. Frames are built with protobuf-c, so the tests do not lean on our own writer. */
#include "common/base/mem.h"
#include "common/wire/frame.h"
#include "proto/assay.pb-c.h"
#include "tests/support/cmocka_all.h"
#include <math.h>

typedef void fill(Assay__Wire__Frame *f);

struct fixture {
	struct arena arena;
	struct buf bytes;
	struct error error;
	struct msg msg;
};

static enum err_code decode(struct fixture *x, struct str bytes)
{
	arena_reset(&x->arena);
	x->error.text[0] = '\0';
	return frame_decode(bytes, &x->arena, &x->msg, &x->error);
}

static enum err_code pack_and_decode(struct fixture *x, const Assay__Wire__Frame *f)
{
	buf_clear(&x->bytes);
	assert_true(buf_reserve(&x->bytes, assay__wire__frame__get_packed_size(f)));
	x->bytes.len = assay__wire__frame__pack(f, (uint8_t *)x->bytes.data);
	return decode(x, buf_str(&x->bytes));
}

static ProtobufCBinaryData blob(size_t len)
{
	static uint8_t some[1 << 20];
	return (ProtobufCBinaryData){ len, some };
}

/* ---- one good message of each kind that can go wrong; a case spoils it ---- */

static struct {
	Assay__Wire__Hello hello;
	Assay__Wire__Renew renew;
	Assay__Wire__HeldLease held;
	Assay__Wire__HeldLease *held_list[1];
	Assay__Wire__Alias alias;
	Assay__Wire__Alias *alias_list[1];
	Assay__Wire__Results results;
	Assay__Wire__Record record;
	Assay__Wire__Record *record_list[1];
	Assay__Wire__Score score;
	Assay__Wire__Score *score_list[1];
	Assay__Wire__Lease lease;
	Assay__Wire__Welcome welcome;
	Assay__Wire__Renewed renewed;
	Assay__Wire__Refused refused;
	Assay__Wire__Released released;
	Assay__Wire__Release release;
	Assay__Wire__Commit commit;
	Assay__Wire__BlobWant blob_want;
	Assay__Wire__Blob blob;
	uint64_t u64s[4];
	uint32_t u32s[4];
	uint32_t ends[3];
	uint8_t verdicts[2];
	uint8_t held_bits[2];
	char long_name[WIRE_NAME_BYTES_MAX + 2];
} g;

static void make_worker_messages(void)
{
	assay__wire__hello__init(&g.hello);
	assay__wire__renew__init(&g.renew);
	assay__wire__held_lease__init(&g.held);
	assay__wire__alias__init(&g.alias);
	assay__wire__results__init(&g.results);
	assay__wire__record__init(&g.record);
	assay__wire__score__init(&g.score);
	assay__wire__released__init(&g.released);
	g.held_list[0] = &g.held;
	g.held.sample_count = 2;
	g.held.n_sample_nos = 2;
	g.held.sample_nos = g.u64s;
	g.held.held = (ProtobufCBinaryData){ 1, g.held_bits };
	g.held_bits[0] = 3;
	g.alias_list[0] = &g.alias;
	g.alias.digest = blob(HASH_BYTES);
	g.hello.version_min = g.hello.version_max = 1;
	g.hello.outbox = blob(WIRE_OUTBOX_ID_BYTES);
	g.hello.leases = g.held_list;
	g.hello.n_leases = 1;
	g.hello.aliases = g.alias_list;
	g.hello.n_aliases = 1;
	g.renew.leases = g.held_list;
	g.record_list[0] = &g.record;
	g.record.kind = ASSAY__WIRE__RECORD_KIND__RECORD_KIND_RESULT;
	g.record.outcome = ASSAY__WIRE__OUTCOME__OUTCOME_SCORED;
	g.record.scores = g.score_list;
	g.record.n_scores = 1;
	g.score_list[0] = &g.score;
	g.results.records = g.record_list;
	g.results.n_records = 1;
	g.released.cause = ASSAY__WIRE__RELEASE_CAUSE__RELEASE_CAUSE_DRAIN;
	g.released.indexes = g.u32s;
	g.released.ask_ids = g.u64s;
	g.released.n_indexes = g.released.n_ask_ids = 2;
}

static void make_coordinator_messages(void)
{
	assay__wire__lease__init(&g.lease);
	assay__wire__welcome__init(&g.welcome);
	assay__wire__renewed__init(&g.renewed);
	assay__wire__refused__init(&g.refused);
	assay__wire__release__init(&g.release);
	assay__wire__commit__init(&g.commit);
	assay__wire__blob_want__init(&g.blob_want);
	assay__wire__blob__init(&g.blob);
	g.ends[0] = 3;
	g.ends[1] = 5;
	g.ends[2] = 7;
	g.lease.context_hash = blob(HASH_BYTES);
	g.lease.n_sample_nos = g.lease.n_attempts_left = g.lease.n_time_left_ms = g.lease.n_item_ends = 3;
	g.lease.sample_nos = g.u64s;
	g.lease.attempts_left = g.lease.time_left_ms = g.u32s;
	g.lease.item_ends = g.ends;
	g.lease.items = blob(7);
	g.verdicts[0] = 1;
	g.verdicts[1] = 3;
	g.welcome.answers = (ProtobufCBinaryData){ 2, g.verdicts };
	g.welcome.refused_terms = g.welcome.refused_ns = g.renewed.refused_terms = g.renewed.refused_ns = g.u64s;
	g.welcome.n_refused_terms = g.welcome.n_refused_ns = 2;
	g.renewed.n_refused_terms = g.renewed.n_refused_ns = 2;
	g.refused.cause = ASSAY__WIRE__REFUSE_CAUSE__REFUSE_CAUSE_STANDBY;
	g.release.indexes = g.u32s;
	g.release.n_indexes = 2;
	g.commit.outbox = blob(WIRE_OUTBOX_ID_BYTES);
	g.commit.firsts = g.commit.lasts = g.u64s;
	g.commit.n_firsts = g.commit.n_lasts = 2;
	g.blob_want.hash = g.blob.hash = blob(HASH_BYTES);
	g.blob.bytes = blob(WIRE_BLOB_CHUNK_BYTES);
}

static void make_good(void)
{
	memset(&g, 0, sizeof(g));
	memset(g.long_name, 'n', sizeof(g.long_name) - 1);
	for (size_t i = 0; i < ARRAY_LEN(g.u64s); i++)
		g.u64s[i] = g.u32s[i] = (uint32_t)i + 1;
	make_worker_messages();
	make_coordinator_messages();
}

#define BODY(name, NAME)                                                                                               \
	static void name(Assay__Wire__Frame *f)                                                                        \
	{                                                                                                              \
		f->body_case = ASSAY__WIRE__FRAME__BODY_##NAME;                                                        \
		f->name = &g.name;                                                                                     \
	}
BODY(hello, HELLO)
BODY(results, RESULTS)
BODY(released, RELEASED)
BODY(lease, LEASE)
BODY(welcome, WELCOME)
BODY(renewed, RENEWED)
BODY(refused, REFUSED)
BODY(release, RELEASE)
BODY(commit, COMMIT)
BODY(blob_want, BLOB_WANT)

static void renew(Assay__Wire__Frame *f) /* as Hello, but without the numbers of its samples */
{
	f->body_case = ASSAY__WIRE__FRAME__BODY_RENEW;
	f->renew = &g.renew;
	g.renew.n_leases = 1;
	g.held.n_sample_nos = 0;
}

static void content(Assay__Wire__Frame *f)
{
	f->body_case = ASSAY__WIRE__FRAME__BODY_BLOB;
	f->blob = &g.blob;
}

// clang-format off
#define SPOILED(name, base, change) static void name(Assay__Wire__Frame *f) { base(f); change; }
SPOILED(version_0,              lease,    f->version = 0)
SPOILED(version_2,              lease,    f->version = 2)
SPOILED(hello_of_version_9,     hello,    f->version = 9)
SPOILED(refusal_of_version_9,   refused,  f->version = 9)
SPOILED(no_body,                lease,    f->body_case = ASSAY__WIRE__FRAME__BODY__NOT_SET)
SPOILED(version_min_0,          hello,    g.hello.version_min = 0)
SPOILED(versions_swapped,       hello,    g.hello.version_min = 2)
SPOILED(outbox_of_15,           hello,    g.hello.outbox = blob(15))
SPOILED(no_outbox,              hello,    g.hello.outbox = blob(0))
SPOILED(digest_of_31,           hello,    g.alias.digest = blob(31))
SPOILED(long_name,              hello,    g.hello.name = g.long_name)
SPOILED(long_alias,             hello,    g.alias.name = g.long_name)
SPOILED(hello_without_samples,  hello,    g.held.n_sample_nos = 0)
SPOILED(sample_count_differs,   hello,    g.held.sample_count = 3)
SPOILED(lease_of_no_samples,    hello,    g.held.sample_count = 0; g.held.n_sample_nos = 0)
SPOILED(renew_with_samples,     renew,    g.held.n_sample_nos = 2)
SPOILED(renew_of_1025,          renew,    g.held.sample_count = 1025; g.held.held = blob(0))
SPOILED(bitmap_too_long,        renew,    g.held.held.len = 2)
SPOILED(bitmap_past_its_end,    renew,    g.held_bits[0] = 7)
SPOILED(started_too_long,       renew,    g.held.started = blob(2))
SPOILED(answer_columns_differ,  hello,    g.hello.answer_run_ids = g.u64s; g.hello.n_answer_run_ids = 1)
SPOILED(kind_0,                 results,  g.record.kind = ASSAY__WIRE__RECORD_KIND__RECORD_KIND_NONE)
SPOILED(kind_4,                 results,  g.record.kind = (Assay__Wire__RecordKind)4)
SPOILED(outcome_8,              results,  g.record.outcome = (Assay__Wire__Outcome)8)
SPOILED(class_23,               results,  g.record.error_class = (Assay__Wire__ErrorClass)23)
SPOILED(result_without_outcome, results,  g.record.outcome = ASSAY__WIRE__OUTCOME__OUTCOME_NONE)
SPOILED(result_cancelled,       results,  g.record.outcome = ASSAY__WIRE__OUTCOME__OUTCOME_CANCELLED)
SPOILED(attempt_without_class,  results,  g.record.kind = ASSAY__WIRE__RECORD_KIND__RECORD_KIND_ATTEMPT)
SPOILED(status_too_great,       results,  g.record.http_status = UINT32_MAX)
SPOILED(cost_too_great,         results,  g.record.has_cost_case = ASSAY__WIRE__RECORD__HAS_COST_COST_NANOUSD;
                                          g.record.cost_nanousd = UINT64_MAX)
SPOILED(wait_too_long,          results,
        g.record.has_retry_after_case = ASSAY__WIRE__RECORD__HAS_RETRY_AFTER_RETRY_AFTER_MS;
                                          g.record.retry_after_ms = UINT64_MAX)
SPOILED(at_before_1970,         results,  g.record.at_ms = -1)
SPOILED(score_nan,              results,  g.score.has_value_case = ASSAY__WIRE__SCORE__HAS_VALUE_VALUE;
                                          g.score.value = NAN)
SPOILED(score_infinite,         results,  g.score.has_value_case = ASSAY__WIRE__SCORE__HAS_VALUE_VALUE;
                                          g.score.value = INFINITY)
SPOILED(model_not_utf8,         results,  g.record.returned_model = (char *)(uintptr_t)"m\xC3")
SPOILED(release_cause_0,        released, g.released.cause = ASSAY__WIRE__RELEASE_CAUSE__RELEASE_CAUSE_NONE)
SPOILED(release_cause_6,        released, g.released.cause = (Assay__Wire__ReleaseCause)6)
SPOILED(released_differ,        released, g.released.n_ask_ids = 1)
SPOILED(released_index_1024,    released, g.u32s[1] = 1024)
SPOILED(lease_columns_differ,   lease,    g.lease.n_time_left_ms = 1)
SPOILED(lease_without_samples,  lease,    g.lease.n_sample_nos = g.lease.n_attempts_left = g.lease.n_time_left_ms =
                                          g.lease.n_item_ends = 0)
SPOILED(ends_that_fall,         lease,    g.ends[0] = 6)
SPOILED(end_past_the_items,     lease,    g.ends[2] = 8)
SPOILED(end_before_the_items,   lease,    g.ends[2] = 6)
SPOILED(context_hash_of_16,     lease,    g.lease.context_hash = blob(16))
SPOILED(verdict_0,              welcome,  g.verdicts[1] = 0)
SPOILED(verdict_4,              welcome,  g.verdicts[1] = 4)
SPOILED(welcome_lists_differ,   welcome,  g.welcome.n_refused_ns = 1)
SPOILED(renewed_lists_differ,   renewed,  g.renewed.n_refused_terms = 1)
SPOILED(refuse_cause_7,         refused,  g.refused.cause = (Assay__Wire__RefuseCause)7)
SPOILED(long_leader,            refused,  g.refused.leader = g.long_name)
SPOILED(release_index_1024,     release,  g.u32s[0] = 1024)
SPOILED(commit_lists_differ,    commit,   g.commit.n_lasts = 1)
SPOILED(commit_outbox_of_17,    commit,   g.commit.outbox = blob(17))
SPOILED(blob_want_without_hash, blob_want, g.blob_want.hash = blob(0))
SPOILED(chunk_too_long,         content,  g.blob.bytes.len++)

static const struct {
	const char *title;
	fill *fill;
	enum err_code code;
	const char *text;
} cases[] = {
	{ "a good Hello",                        hello,                  ERR_OK, "" },
	{ "a good Renew",                        renew,                  ERR_OK, "" },
	{ "a good Results",                      results,                ERR_OK, "" },
	{ "a good Released",                     released,               ERR_OK, "" },
	{ "a good Lease",                        lease,                  ERR_OK, "" },
	{ "a good Welcome",                      welcome,                ERR_OK, "" },
	{ "a good Renewed",                      renewed,                ERR_OK, "" },
	{ "a good Refused",                      refused,                ERR_OK, "" },
	{ "a good Release",                      release,                ERR_OK, "" },
	{ "a good Commit",                       commit,                 ERR_OK, "" },
	{ "a good BlobWant",                     blob_want,              ERR_OK, "" },
	{ "a good Blob, full",                   content,                ERR_OK, "" },
	{ "a Hello of a version to come",        hello_of_version_9,     ERR_OK, "" },
	{ "a Refused of a version to come",      refusal_of_version_9,   ERR_OK, "" },
	{ "no version",                          version_0,              ERR_CORRUPT, "without a version" },
	{ "a version to come",                   version_2,              ERR_UNSUPPORTED, "version 2; this program speaks 1 to 1" },
	{ "no body",                             no_body,                ERR_CORRUPT, "without a body" },
	{ "versions from 0",                     version_min_0,          ERR_CORRUPT, "Hello: versions" },
	{ "versions the wrong way round",        versions_swapped,       ERR_CORRUPT, "Hello: versions" },
	{ "an outbox id of 15 bytes",            outbox_of_15,           ERR_CORRUPT, "outbox" },
	{ "no outbox id",                        no_outbox,              ERR_CORRUPT, "outbox" },
	{ "a digest of 31 bytes",                digest_of_31,           ERR_CORRUPT, "digest: 31 bytes, not 32" },
	{ "a worker's name of 513 bytes",        long_name,              ERR_LIMIT, "Hello: name: 513" },
	{ "an alias of 513 bytes",               long_alias,             ERR_LIMIT, "Hello: aliases: 513" },
	{ "a Hello that does not name samples",  hello_without_samples,  ERR_CORRUPT, "without its samples" },
	{ "samples that are not as many as said", sample_count_differs,  ERR_CORRUPT, "sample_nos and sample_count" },
	{ "a held lease of no samples",          lease_of_no_samples,    ERR_CORRUPT, "leases" },
	{ "a Renew that names samples",          renew_with_samples,     ERR_CORRUPT, "that lists them" },
	{ "a held lease of 1025 samples",        renew_of_1025,          ERR_LIMIT, "samples of a lease: 1025, over 1024" },
	{ "a bitmap longer than its lease",      bitmap_too_long,        ERR_CORRUPT, "bitmap" },
	{ "a bit past the end of the lease",     bitmap_past_its_end,    ERR_CORRUPT, "bitmap" },
	{ "started longer than its lease",       started_too_long,       ERR_CORRUPT, "bitmap" },
	{ "answers in uneven columns",           answer_columns_differ,  ERR_CORRUPT, "Hello.answer_*" },
	{ "a record of no kind",                 kind_0,                 ERR_CORRUPT, "Results: record 0: kind" },
	{ "a record of an unknown kind",         kind_4,                 ERR_CORRUPT, "Results: record 0: kind" },
	{ "an unknown outcome",                  outcome_8,              ERR_CORRUPT, "outcome or error_class" },
	{ "an unknown error class",              class_23,               ERR_CORRUPT, "outcome or error_class" },
	{ "a result without outcome",            result_without_outcome, ERR_CORRUPT, "scored or unscored" },
	{ "a result that says cancelled",        result_cancelled,       ERR_CORRUPT, "scored or unscored" },
	{ "an attempt without class",            attempt_without_class,  ERR_CORRUPT, "without its class" },
	{ "an HTTP status of 2^32 - 1",          status_too_great,       ERR_CORRUPT, "http_status" },
	{ "a cost of 2^64 - 1",                  cost_too_great,         ERR_CORRUPT, "cost_nanousd" },
	{ "a wait of 2^64 - 1",                  wait_too_long,          ERR_CORRUPT, "retry_after_ms" },
	{ "a time before 1970",                  at_before_1970,         ERR_CORRUPT, "at_ms" },
	{ "a score that is NaN",                 score_nan,              ERR_CORRUPT, "finite" },
	{ "a score that is infinite",            score_infinite,         ERR_CORRUPT, "finite" },
	{ "a model name that is not UTF-8",      model_not_utf8,         ERR_CORRUPT, "Record.returned_model" },
	{ "a release without cause",             release_cause_0,        ERR_CORRUPT, "Released: cause" },
	{ "a release of an unknown cause",       release_cause_6,        ERR_CORRUPT, "Released: cause" },
	{ "released samples in uneven columns",  released_differ,        ERR_CORRUPT, "Released: indexes" },
	{ "a released index of 1024",            released_index_1024,    ERR_CORRUPT, "no lease can have" },
	{ "a lease in uneven columns",           lease_columns_differ,   ERR_CORRUPT, "Lease: columns" },
	{ "a lease of no samples",               lease_without_samples,  ERR_CORRUPT, "samples: none" },
	{ "item ends that fall",                 ends_that_fall,         ERR_CORRUPT, "item_ends" },
	{ "an item end past the items",          end_past_the_items,     ERR_CORRUPT, "item_ends" },
	{ "items that nobody claims",            end_before_the_items,   ERR_CORRUPT, "item_ends" },
	{ "a context hash of 16 bytes",          context_hash_of_16,     ERR_CORRUPT, "context_hash: 16 bytes" },
	{ "a verdict of 0",                      verdict_0,              ERR_CORRUPT, "verdict" },
	{ "an unknown verdict",                  verdict_4,              ERR_CORRUPT, "verdict" },
	{ "refused leases in uneven columns",    welcome_lists_differ,   ERR_CORRUPT, "refused_terms" },
	{ "the same in Renewed",                 renewed_lists_differ,   ERR_CORRUPT, "refused_terms" },
	{ "a refusal of an unknown cause",       refuse_cause_7,         ERR_CORRUPT, "Refused: cause" },
	{ "a leader of 513 bytes",               long_leader,            ERR_LIMIT, "leader" },
	{ "a wanted index of 1024",              release_index_1024,     ERR_CORRUPT, "no lease can have" },
	{ "ranges in uneven columns",            commit_lists_differ,    ERR_CORRUPT, "firsts and lasts" },
	{ "a Commit for an id of 17 bytes",      commit_outbox_of_17,    ERR_CORRUPT, "outbox" },
	{ "a BlobWant without hash",             blob_want_without_hash, ERR_CORRUPT, "BlobWant.hash: 0 bytes" },
	{ "a chunk over 256 KiB",                chunk_too_long,         ERR_LIMIT, "Blob: bytes: 262145, over 262144" },
};
// clang-format on

static void each_rule_is_kept_by_the_receiver(void **state)
{
	struct fixture *x = *state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		Assay__Wire__Frame f = ASSAY__WIRE__FRAME__INIT;
		make_good();
		f.version = 1;
		cases[i].fill(&f);
		enum err_code code = pack_and_decode(x, &f);
		if (code != cases[i].code || !strstr(x->error.text, cases[i].text))
			fail_msg("%s gave %s: \"%s\", not %s: \"%s\"", cases[i].title, error_code_name(code),
			         x->error.text, error_code_name(cases[i].code), cases[i].text);
	}
}

static void a_range_that_ends_before_it_begins_is_refused(void **state)
{
	struct fixture *x = *state;
	Assay__Wire__Frame f = ASSAY__WIRE__FRAME__INIT;
	uint64_t lasts[] = { 1, 1 };
	make_good();
	f.version = 1;
	commit(&f);
	g.commit.lasts = lasts;
	assert_int_equal(pack_and_decode(x, &f), ERR_CORRUPT);
	assert_non_null(strstr(x->error.text, "Commit: ranges"));
}

static void a_kind_to_come_is_unsupported_not_corrupt(void **state)
{
	struct fixture *x = *state;
	struct str from_the_future = STR("\x08\x01\xEA\x01\x02\x08\x01"); /* version 1, field 29 */
	assert_int_equal(decode(x, from_the_future), ERR_UNSUPPORTED);
	assert_non_null(strstr(x->error.text, "kind 29"));
}

static void fields_that_a_newer_peer_added_are_skipped(void **state)
{
	struct fixture *x = *state;
	/* Grant with route 7, then field 15 (text) and field 999 (number), inside; field 9 outside. */
	struct str newer = STR("\x08\x01\x48\x05\xDA\x01\x0A\x08\x07\x7A\x03new\xB8\x3E\x01");
	assert_ok(decode(x, newer), &x->error);
	assert_int_equal(x->msg.kind, MSG_GRANT);
	assert_int_equal(x->msg.grant.route_id, 7);
	assert_int_equal(x->msg.grant.slots, 0);
}

static void a_frame_over_its_size_is_refused_in_both_directions(void **state)
{
	struct fixture *x = *state;
	char *big = mem_new(WIRE_FRAME_BYTES_MAX + 1, 1);
	struct msg_record record = { .kind = RECORD_RAW, .retry_after_ms = -1, .cost_nanousd = -1 };
	struct msg m = { .kind = MSG_RESULTS, .results = { &record, 1 } };
	struct buf out;
	buf_init(&out, 4 << 20); /* more than a frame: the bound is the frame's own */
	size_t around = frame_record_bytes(&record) + 2 /* version */ + 1 + 1 /* empty Results */;
	record.response = str_make(big, WIRE_FRAME_BYTES_MAX - around - 2 - 4 - 4 - 4); /* tag and three lengths grow */
	assert_ok(frame_encode(&m, &out, &x->error), &x->error);
	size_t room = WIRE_FRAME_BYTES_MAX - out.len;
	record.response.len += room;
	buf_clear(&out);
	assert_ok(frame_encode(&m, &out, &x->error), &x->error);
	assert_int_equal(out.len, WIRE_FRAME_BYTES_MAX);
	assert_ok(decode(x, buf_str(&out)), &x->error);
	record.response.len++;
	assert_int_equal(frame_encode(&m, &out, &x->error), ERR_LIMIT);
	assert_int_equal(out.len, WIRE_FRAME_BYTES_MAX); /* what was there stays */
	assert_false(out.failed);
	assert_int_equal(decode(x, str_make(big, WIRE_FRAME_BYTES_MAX + 1)), ERR_LIMIT);
	buf_done(&out);
	mem_free(big);
}

static void encoding_appends_and_takes_back_nothing(void **state)
{
	struct fixture *x = *state;
	struct msg m = { .kind = MSG_DRAIN, .drain = { STR("upgrade") } };
	struct buf out;
	buf_init(&out, 100);
	assert_true(buf_append_c(&out, "before"));
	assert_ok(frame_encode(&m, &out, &x->error), &x->error);
	struct str frame = buf_str(&out);
	assert_true(str_starts(frame, STR("before")));
	assert_ok(decode(x, str_slice(frame, 6, frame.len)), &x->error);
	assert_str_equal_c(x->msg.drain.reason, "upgrade");
	size_t len = out.len;
	m.drain.reason =
		str_make("0123456789012345678901234567890123456789012345678901234567890123456789012345678901234", 85);
	assert_int_equal(frame_encode(&m, &out, &x->error), ERR_LIMIT);
	assert_int_equal(out.len, len);
	buf_done(&out);
}

static void what_the_receiver_would_refuse_is_not_sent(void **state)
{
	struct fixture *x = *state;
	static const uint32_t ends[] = { 3, 2 }, ones[] = { 1, 1 };
	static const uint64_t nos[] = { 1, 2 };
	struct msg_record no_kind = { .retry_after_ms = -1, .cost_nanousd = -1 }, minus_two = no_kind;
	minus_two.kind = RECORD_RAW;
	minus_two.cost_nanousd = -2;
	const struct msg wrong[] = {
		{ .kind = (enum msg_kind)0 },
		{ .kind = MSG_KIND_COUNT },
		{ .kind = MSG_REFUSED },
		{ .kind = MSG_RESULTS, .results = { &no_kind, 1 } },
		{ .kind = MSG_RESULTS, .results = { &minus_two, 1 } },
		{ .kind = MSG_LEASE, .lease = { .sample_count = 0 } },
		{ .kind = MSG_LEASE,
		  .lease = { .sample_count = 2,
		             .sample_nos = nos,
		             .attempts_left = ones,
		             .time_left_ms = ones,
		             .item_ends = ends,
		             .items = STR_INIT("abc") } },
	};
	struct buf out;
	buf_init(&out, WIRE_FRAME_BYTES_MAX);
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		if (frame_encode(&wrong[i], &out, &x->error) != ERR_INVALID || out.len != 0)
			fail_msg("case %zu was sent: %s", i, x->error.text);
	buf_done(&out);
}

static void more_than_a_frame_may_list_is_not_sent(void **state)
{
	struct fixture *x = *state;
	enum { MANY = WIRE_HELD_ANSWERS_MAX + 1 };
	static uint32_t zeros[MANY];
	static uint64_t nos[MANY];
	static uint8_t verdicts[MANY];
	static struct msg_record records[WIRE_RESULTS_RECORDS_MAX + 1];
	static struct msg_score scores[WIRE_SCORES_MAX + 1];
	static struct msg_released_sample released[WIRE_LEASE_SAMPLES_MAX + 1];
	static struct msg_route_use routes[WIRE_ROUTES_MAX + 1];
	static struct msg_held_lease held[WIRE_HELD_LEASES_MAX + 1];
	static struct msg_answer_ref answers[MANY];
	static struct lease_no refused[WIRE_HELD_LEASES_MAX + 1];
	static struct record_range ranges[WIRE_COMMIT_RANGES_MAX + 1];
	static struct str names[WIRE_ABILITIES_MAX + 1];
	memset(verdicts, ANSWER_DROP, sizeof(verdicts));
	for (size_t i = 0; i < ARRAY_LEN(records); i++)
		records[i] = (struct msg_record){ .kind = RECORD_RAW };
	struct msg_record scored = records[0];
	scored.scores = scores;
	scored.score_count = ARRAY_LEN(scores);
	for (size_t i = 0; i < ARRAY_LEN(held); i++)
		held[i] = (struct msg_held_lease){ .sample_count = 1 };
	const size_t samples = WIRE_LEASE_SAMPLES_MAX + 1;
	const struct msg over[] = {
		{ .kind = MSG_LEASE,
		  .lease = { .sample_count = samples,
		             .sample_nos = nos,
		             .attempts_left = zeros,
		             .time_left_ms = zeros,
		             .item_ends = zeros } },
		{ .kind = MSG_RESULTS, .results = { records, ARRAY_LEN(records) } },
		{ .kind = MSG_RESULTS, .results = { &scored, 1 } },
		{ .kind = MSG_RELEASED,
		  .released = { .cause = RELEASE_ASKED, .samples = released, .sample_count = samples } },
		{ .kind = MSG_RELEASE, .release = { .indexes = zeros, .index_count = samples } },
		{ .kind = MSG_COMMIT, .commit = { .ranges = ranges, .range_count = ARRAY_LEN(ranges) } },
		{ .kind = MSG_RENEW, .renew = { .routes = routes, .route_count = ARRAY_LEN(routes) } },
		{ .kind = MSG_RENEW, .renew = { .leases = held, .lease_count = ARRAY_LEN(held) } },
		{ .kind = MSG_RENEWED, .renewed = { .refused = refused, .refused_count = ARRAY_LEN(refused) } },
		{ .kind = MSG_WELCOME, .welcome = { .refused = refused, .refused_count = ARRAY_LEN(refused) } },
		{ .kind = MSG_WELCOME, .welcome = { .answers = verdicts, .answer_count = MANY } },
		{ .kind = MSG_HELLO,
		  .hello = { .version_min = 1, .version_max = 1, .answers = answers, .answer_count = MANY } },
		{ .kind = MSG_HELLO,
		  .hello = { .version_min = 1,
		             .version_max = 1,
		             .providers = names,
		             .provider_count = ARRAY_LEN(names) } },
		{ .kind = MSG_BLOB, .blob = { .bytes = { (const char *)nos, WIRE_BLOB_CHUNK_BYTES + 1 } } },
	};
	struct buf out;
	buf_init(&out, WIRE_FRAME_BYTES_MAX);
	for (size_t i = 0; i < ARRAY_LEN(over); i++)
		if (frame_encode(&over[i], &out, &x->error) != ERR_LIMIT || out.len != 0)
			fail_msg("case %zu was sent, or refused for something else: %s", i, x->error.text);
	buf_done(&out);
}

static void broken_text_is_repaired_on_the_way_and_bytes_are_not(void **state)
{
	struct fixture *x = *state;
	static const struct {
		struct str sent, got;
	} texts[] = {
		{ STR_INIT("plain"), STR_INIT("plain") },
		{ STR_INIT("caf\xC3\xA9"), STR_INIT("caf\xC3\xA9") },
		{ STR_INIT("a\0b"), STR_INIT("a\xEF\xBF\xBD"
		                             "b") },
		{ STR_INIT("\xFF"), STR_INIT("\xEF\xBF\xBD") },
		{ STR_INIT("twelve bytes\xC3"), STR_INIT("twelve bytes\xEF\xBF\xBD") },
		{ STR_INIT("\xF0\x9F\x98"), STR_INIT("\xEF\xBF\xBD") }, /* as long as before */
		{ STR_INIT("\xED\xA0\x80!"), STR_INIT("\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD!") },
	};
	struct buf out;
	buf_init(&out, WIRE_FRAME_BYTES_MAX);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct msg_record r = { .kind = RECORD_RAW, .retry_after_ms = -1, .cost_nanousd = -1 };
		r.returned_model = r.response = texts[i].sent;
		struct msg m = { .kind = MSG_RESULTS, .results = { &r, 1 } };
		buf_clear(&out);
		assert_ok(frame_encode(&m, &out, &x->error), &x->error);
		assert_ok(decode(x, buf_str(&out)), &x->error);
		assert_str_equal(x->msg.results.records[0].returned_model, texts[i].got);
		assert_str_equal(x->msg.results.records[0].response, texts[i].sent);
	}
	buf_done(&out);
}

static void ten_thousand_levels_and_a_million_empty_records_are_answered_at_once(void **state)
{
	struct fixture *x = *state;
	struct buf out;
	buf_init(&out, WIRE_FRAME_BYTES_MAX);
	/* Results (tag 62) around 500,000 times an empty record; then 10,000 nested messages of field 9. */
	assert_true(buf_append_str(&out, STR("\x08\x01\x62\xC0\x84\x3D")));
	for (int i = 0; i < 500000; i++)
		assert_true(buf_append_str(&out, STR("\x0A\x00")));
	assert_int_equal(decode(x, buf_str(&out)), ERR_LIMIT);
	assert_true(x->arena.used_bytes == 0); /* protobuf-c never saw it */
	buf_clear(&out);
	for (size_t level = 10000; level > 0; level--) {
		size_t inside = (level - 1) * 4; /* each level takes a tag and a length of three bytes */
		char head[4] = { 0x4A, (char)(0x80 | (inside & 0x7F)), (char)(0x80 | ((inside >> 7) & 0x7F)),
			         (char)(inside >> 14) };
		assert_true(buf_append(&out, head, sizeof(head)));
	}
	assert_int_equal(decode(x, buf_str(&out)), ERR_CORRUPT); /* one unknown field, no version */
	buf_done(&out);
}

int main(void)
{
	struct fixture x = { 0 };
	arena_init(&x.arena, FRAME_ARENA_BYTES);
	buf_init(&x.bytes, 2 << 20);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_prestate(each_rule_is_kept_by_the_receiver, &x),
		cmocka_unit_test_prestate(a_range_that_ends_before_it_begins_is_refused, &x),
		cmocka_unit_test_prestate(a_kind_to_come_is_unsupported_not_corrupt, &x),
		cmocka_unit_test_prestate(fields_that_a_newer_peer_added_are_skipped, &x),
		cmocka_unit_test_prestate(a_frame_over_its_size_is_refused_in_both_directions, &x),
		cmocka_unit_test_prestate(encoding_appends_and_takes_back_nothing, &x),
		cmocka_unit_test_prestate(what_the_receiver_would_refuse_is_not_sent, &x),
		cmocka_unit_test_prestate(more_than_a_frame_may_list_is_not_sent, &x),
		cmocka_unit_test_prestate(broken_text_is_repaired_on_the_way_and_bytes_are_not, &x),
		cmocka_unit_test_prestate(ten_thousand_levels_and_a_million_empty_records_are_answered_at_once, &x),
	};
	int failed = cmocka_run_group_tests_name("frame", tests, NULL, NULL);
	arena_done(&x.arena);
	buf_done(&x.bytes);
	return failed;
}
