#include "worker/exec/exec_say.h"
#include "common/base/check.h"
#include "common/base/unicode.h"
#include "common/wire/frame.h"

enum {
	META_BYTES_MAX = 256, /* of a name that a provider gave: model, fingerprint, request id */
	EXTRACTED_BYTES_MAX = 2000,
	BODY_EXCERPT_BYTES_MAX = 2048,
	SCORES_SPARE_BYTES = 16 << 10,
	SCORES_MAX = SCORE_COUNT_MAX,
};

/* At most `max` bytes, not inside a character. */
static struct str cut(struct str s, size_t max)
{
	if (s.len <= max)
		return s;
	while (max > 0 && ((unsigned char)s.data[max] & 0xC0) == 0x80)
		max--;
	return str_slice(s, 0, max);
}

static uint32_t tokens(int64_t count)
{
	return count < 0 ? 0 : (uint32_t)MIN_OF(count, (int64_t)UINT32_MAX);
}

static struct msg_record base_record(const struct exec_ask *ask, enum record_kind kind)
{
	return (struct msg_record){
		.kind = kind,
		.run_id = ask->key->run_id,
		.sample_no = ask->key->sample_no,
		.ask_id = ask->ask_id,
		.retry_no = ask->key->retry_no,
		.scoring_no = ask->key->scoring_no,
		.attempt_count = ask->attempt_count,
		.retry_after_ms = -1,
		.cost_nanousd = -1,
		.at_ms = MAX_OF(ask->wall_ms, (int64_t)0),
	};
}

static void add_reply(struct msg_record *m, const struct exec_reply *reply)
{
	m->http_status = MAX_OF(reply->reply.status, 0);
	m->latency_ms = reply->elapsed_ms;
	m->first_byte_ms = reply->first_byte_ms;
}

static void add_meta(struct msg_record *m, const struct provider_answer *answer)
{
	m->flags = answer->flags;
	m->tokens_in = tokens(answer->usage.input);
	m->tokens_cached = tokens(answer->usage.cached);
	m->tokens_out = tokens(answer->usage.output);
	m->tokens_reasoning = tokens(answer->usage.reasoning);
	m->returned_model = cut(answer->returned_model, META_BYTES_MAX);
	m->fingerprint = cut(answer->fingerprint, META_BYTES_MAX);
	m->request_id = cut(answer->request_id, META_BYTES_MAX);
	m->stop_reason = answer->stop == PROVIDER_STOP_UNKNOWN && answer->stop_raw.len > 0
	                         ? cut(answer->stop_raw, META_BYTES_MAX)
	                         : str_from(provider_stop_name(answer->stop));
}

/* A hosted server's identity stands before what the server says of itself. */
static void add_fingerprint(struct msg_record *m, const struct exec_reply *reply, struct buf *scratch)
{
	if (reply->fingerprint_prefix.len == 0)
		return;
	bool fits = buf_append_str(scratch, cut(reply->fingerprint_prefix, META_BYTES_MAX));
	if (fits && m->fingerprint.len > 0)
		fits = buf_append_char(scratch, ' ') && buf_append_str(scratch, m->fingerprint);
	check(fits);
	m->fingerprint = buf_str(scratch);
}

bool exec_say_answer(const struct exec_ask *ask, const struct exec_reply *reply, const struct provider_answer *answer,
                     struct str item, struct record **ret_record)
{
	struct buf fingerprint;
	buf_init(&fingerprint, 3 * META_BYTES_MAX);
	struct msg_record m = base_record(ask, RECORD_RAW);
	add_reply(&m, reply);
	add_meta(&m, answer);
	add_fingerprint(&m, reply, &fingerprint);
	m.flags |= score_refused(answer->text) ? FLAG_REFUSED : 0U;
	m.request = ask->request;
	m.response = reply->reply.body;
	m.answer = answer->text;
	size_t room = RECORD_BYTES_MAX - SCORES_MAX * (EXTRACTED_BYTES_MAX + SCORE_EXPLANATION_BYTES_MAX) -
	              SCORES_SPARE_BYTES;
	if (frame_record_bytes(&m) > room)
		m.request = STR("");
	bool fits = frame_record_bytes(&m) <= room;
	if (fits)
		*ret_record = record_new(&m, ask->run->context, item);
	buf_done(&fingerprint);
	return fits;
}

/* What went wrong in words, then what really came: the words alone would leave a reader guessing. */
static struct str attempt_evidence(const struct exec_reply *reply, const struct provider_answer *answer,
                                   struct buf *scratch)
{
	char body[BODY_EXCERPT_BYTES_MAX + 1];
	struct str words = cut(answer->error_text, RECORD_EVIDENCE_BYTES_MAX - BODY_EXCERPT_BYTES_MAX - 16);
	size_t len = reply ? provider_body_excerpt(str_trim(reply->reply.body), body, BODY_EXCERPT_BYTES_MAX) : 0;
	if (len == 0)
		return words;
	bool fits = buf_append_str(scratch, words) && buf_append_c(scratch, "\nbody: ") &&
	            buf_append_str(scratch, str_make(body, len));
	check(fits);
	return buf_str(scratch);
}

struct record *exec_say_attempt(const struct exec_ask *ask, const struct exec_reply *reply,
                                const struct provider_answer *answer, bool given_up)
{
	struct buf fingerprint, evidence;
	buf_init(&fingerprint, 3 * META_BYTES_MAX);
	buf_init(&evidence, RECORD_EVIDENCE_BYTES_MAX);
	struct msg_record m = base_record(ask, RECORD_ATTEMPT);
	if (reply) {
		add_reply(&m, reply);
		add_meta(&m, answer);
		add_fingerprint(&m, reply, &fingerprint);
		m.response = str_slice(reply->reply.body, 0, RECORD_EVIDENCE_BYTES_MAX);
	}
	m.flags = 0; /* of answers only */
	m.error_class = answer->error_class;
	m.retry_after_ms = answer->retry_after_ms;
	m.evidence = attempt_evidence(reply, answer, &evidence);
	m.given_up = given_up;
	struct record *record = record_new(&m, NULL, STR(""));
	buf_done(&fingerprint);
	buf_done(&evidence);
	return record;
}

struct record *exec_say_result(const struct msg_record *answer, const struct score *scores, size_t score_count,
                               struct str reason)
{
	struct msg_record m = *answer;
	struct msg_score out[SCORES_MAX];
	check(score_count <= SCORES_MAX);
	for (size_t i = 0; i < score_count; i++)
		out[i] = (struct msg_score){
			.metric = (uint32_t)i,
			.has_value = scores[i].has_value,
			.value = scores[i].has_value ? scores[i].value : 0,
			.reason = scores[i].has_value ? STR("") : cut(scores[i].reason, META_BYTES_MAX),
			.explanation = cut(scores[i].explanation, SCORE_EXPLANATION_BYTES_MAX),
			.extracted = cut(scores[i].extracted, EXTRACTED_BYTES_MAX),
		};
	m.kind = RECORD_RESULT;
	m.record_no = 0;
	m.outcome = score_count > 0 && scores[0].has_value ? OUTCOME_SCORED : OUTCOME_UNSCORED;
	m.scores = out;
	m.score_count = score_count;
	m.evidence = cut(reason, RECORD_EVIDENCE_BYTES_MAX);
	return record_new(&m, NULL, STR(""));
}
