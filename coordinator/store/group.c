#include "coordinator/store/group.h"
#include "common/base/json_write.h"
#include "common/base/mem.h"
#include "common/base/rng.h"
#include "common/io/clock.h"
#include "common/wire/frame.h"
#include "coordinator/store/pg_array.h"
#include <math.h>
#include <string.h>

enum { METRICS_MAX = 32, EXPLANATIONS_BYTES_MAX = 2 << 20 };
#define AT_MS_MAX INT64_C(253402300799000) /* the end of year 9999 */

const struct msg_record *group_record(const struct group_row *row)
{
	return &row->batch->records[row->index];
}

bool group_is_result(const struct group_row *row)
{
	return group_record(row)->kind != RECORD_ATTEMPT;
}

/* ---- checks ---- */

static const char *check_scores(const struct msg_record *r)
{
	uint64_t seen = 0;
	for (size_t i = 0; i < r->score_count; i++) {
		const struct msg_score *s = &r->scores[i];
		if (s->metric >= METRICS_MAX)
			return "a score for a metric that no suite can have";
		if (seen >> s->metric & 1)
			return "two scores for one metric";
		if (s->has_value && !isfinite(s->value))
			return "a score that is not a finite number";
		seen |= UINT64_C(1) << s->metric;
	}
	return NULL;
}

const char *group_check(const struct msg_record *r, bool *ret_refuse)
{
	*ret_refuse = true;
	if (r->run_id > INT64_MAX || r->sample_no > INT64_MAX || r->retry_no > INT32_MAX)
		return "a run, sample or retry number that cannot be";
	if (r->scoring_no != 0)
		return "a new scoring of an old answer, which this version does not take";
	if (r->kind != RECORD_RESULT && r->kind != RECORD_ATTEMPT && r->kind != RECORD_RAW)
		return "a record of no known kind";
	*ret_refuse = false;
	const uint32_t numbers[] = { r->tokens_in,        r->tokens_cached, r->tokens_out,
		                     r->tokens_reasoning, r->latency_ms,    r->first_byte_ms };
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		if (numbers[i] > INT32_MAX)
			return "a token count or a time that is out of range";
	if (r->flags > INT32_MAX || (unsigned)r->error_class > INT16_MAX)
		return "flags or an error class out of range";
	if (r->kind == RECORD_RESULT && (r->outcome < OUTCOME_SCORED || r->outcome > OUTCOME_QUARANTINED))
		return "an outcome that is never a row";
	return r->kind == RECORD_RESULT ? check_scores(r) : NULL;
}

void group_spoil(struct group_row *row, const char *text)
{
	if (row->spoil < GROUP_REFUSED)
		row->spoil = (enum group_spoil)(row->spoil + 1);
	if (row->text)
		return;
	size_t len = strlen(text);
	row->text = mem_new(len + 1, 1);
	memcpy(row->text, text, len);
}

size_t group_bytes(const struct msg_record *r)
{
	size_t bytes = 200 + r->request.len + r->response.len + r->answer.len + r->evidence.len;
	for (size_t i = 0; i < r->score_count; i++)
		bytes += 60 + r->scores[i].explanation.len + r->scores[i].extracted.len + r->scores[i].reason.len;
	return bytes;
}

/* ---- values of one row ---- */

static bool sound(const struct group_row *row)
{
	return row->spoil == GROUP_SOUND;
}

static int16_t outcome_of(const struct group_row *row)
{
	const struct msg_record *r = group_record(row);
	if (r->kind == RECORD_ATTEMPT)
		return 0;
	if (!sound(row))
		return OUTCOME_HARNESS_ERROR;
	return r->kind == RECORD_RAW ? OUTCOME_UNSCORED : (int16_t)r->outcome;
}

static int16_t class_of(const struct group_row *row)
{
	const struct msg_record *r = group_record(row);
	if (r->kind != RECORD_ATTEMPT && !sound(row))
		return CLASS_HARNESS;
	return (unsigned)r->error_class < CLASS_COUNT ? (int16_t)r->error_class : CLASS_HARNESS;
}

static bool is_lost(const struct msg_record *r)
{
	return r->kind == RECORD_ATTEMPT && r->error_class == CLASS_LOST;
}

/* Nobody knows the ask of a LOST one: its name is made from its place, so that writing it twice is writing it once. */
static uint64_t ask_id_of(const struct group_row *row)
{
	const struct msg_record *r = group_record(row);
	if (!is_lost(r) || r->ask_id != 0)
		return r->ask_id;
	uint64_t outbox[2], id = 0;
	memcpy(outbox, row->batch->outbox.bytes, sizeof(outbox));
	const uint64_t place[] = { outbox[0], outbox[1], r->run_id, r->sample_no, r->retry_no, (uint64_t)r->at_ms };
	for (size_t i = 0; i < ARRAY_LEN(place); i++)
		id = rng_mix(id ^ place[i]);
	return id ? id : 1;
}

static int32_t flags_of(const struct group_row *row)
{
	const struct msg_record *r = group_record(row);
	if (r->kind == RECORD_ATTEMPT)
		return is_lost(r) ? (r->given_up ? 1 : 0) | (r->attempt_count == 1 ? 2 : 0) : 0;
	return sound(row) ? (int32_t)r->flags : 0;
}

static int32_t clamp_i32(uint32_t v)
{
	return (int32_t)MIN_OF(v, (uint32_t)INT32_MAX);
}

static int64_t at_ms_of(const struct msg_record *r, int64_t now_ms)
{
	return r->at_ms > 0 && r->at_ms <= AT_MS_MAX ? r->at_ms : now_ms;
}

static const struct msg_score *scores_of(const struct group_row *row, size_t *ret_count)
{
	const struct msg_record *r = group_record(row);
	*ret_count = sound(row) && r->kind == RECORD_RESULT ? r->score_count : 0;
	return r->scores;
}

static void put_primary(struct pg_array *a, const struct group_row *row)
{
	size_t count;
	const struct msg_score *scores = scores_of(row, &count);
	for (size_t i = 0; i < count; i++)
		if (scores[i].metric == 0 && scores[i].has_value) {
			pg_array_f64(a, scores[i].value);
			return;
		}
	pg_array_null(a);
}

static int32_t metric_max_of(const struct group_row *row)
{
	size_t count;
	const struct msg_score *scores = scores_of(row, &count);
	int32_t max = -1;
	for (size_t i = 0; i < count; i++)
		max = MAX_OF(max, (int32_t)scores[i].metric);
	return max;
}

static struct str evidence_of(const struct group_row *row)
{
	return row->text ? str_from(row->text) : group_record(row)->evidence;
}

static void put_bytes_or_null(struct pg_array *a, struct str s)
{
	if (s.len)
		pg_array_bytes(a, s);
	else
		pg_array_null(a);
}

static void put_text_or_null(struct pg_array *a, struct str s)
{
	if (s.len)
		pg_array_text(a, s);
	else
		pg_array_null(a);
}

static void put_id_or_null(struct pg_array *a, int32_t id)
{
	if (id)
		pg_array_i32(a, id);
	else
		pg_array_null(a);
}

static bool has_outbox(const struct group_row *row)
{
	static const struct outbox_id nobody;
	return memcmp(row->batch->outbox.bytes, nobody.bytes, sizeof(nobody.bytes)) != 0;
}

static void put_outbox(struct pg_array *a, const struct group_row *row)
{
	if (has_outbox(row))
		pg_array_bytes(a, str_make(row->batch->outbox.bytes, WIRE_OUTBOX_ID_BYTES));
	else
		pg_array_null(a);
}

/* ---- columns ---- */

/* One array over all rows; `row` and `r` name the row at hand. */
#define COLUMN(type, put)                                                                                              \
	do {                                                                                                           \
		pg_array_begin(&a, p, type);                                                                           \
		for (size_t i = 0; i < count; i++) {                                                                   \
			const struct group_row *row = &rows[i];                                                        \
			const struct msg_record *r = group_record(row);                                                \
			(void)r; /* not every column needs it */                                                       \
			put;                                                                                           \
		}                                                                                                      \
		pg_array_end(&a);                                                                                      \
	} while (0)

static void put_rows(struct pg_params *p, const struct group_row *rows, size_t count)
{
	struct pg_array a;
	int64_t now_ms = clock_wall_ms();
	COLUMN(PG_TYPE_INT8, pg_array_i64(&a, (int64_t)r->run_id));
	COLUMN(PG_TYPE_INT8, pg_array_i64(&a, (int64_t)r->sample_no));
	COLUMN(PG_TYPE_INT4, pg_array_i32(&a, (int32_t)r->retry_no));
	COLUMN(PG_TYPE_INT8, pg_array_i64(&a, (int64_t)ask_id_of(row)));
	COLUMN(PG_TYPE_INT2, pg_array_i16(&a, group_is_result(row) ? 1 : 2));
	COLUMN(PG_TYPE_INT2, pg_array_i16(&a, outcome_of(row)));
	COLUMN(PG_TYPE_INT4, pg_array_i32(&a, flags_of(row)));
	COLUMN(PG_TYPE_INT2, pg_array_i16(&a, class_of(row)));
	COLUMN(PG_TYPE_INT4, pg_array_i32(&a, clamp_i32(r->tokens_in)));
	COLUMN(PG_TYPE_INT4, pg_array_i32(&a, clamp_i32(r->tokens_cached)));
	COLUMN(PG_TYPE_INT4, pg_array_i32(&a, clamp_i32(r->tokens_out)));
	COLUMN(PG_TYPE_INT4, pg_array_i32(&a, clamp_i32(r->tokens_reasoning)));
	COLUMN(PG_TYPE_INT8, r->cost_nanousd < 0 ? pg_array_null(&a) : pg_array_i64(&a, r->cost_nanousd));
	COLUMN(PG_TYPE_INT4, pg_array_i32(&a, clamp_i32(r->latency_ms)));
	COLUMN(PG_TYPE_INT4, pg_array_i32(&a, clamp_i32(r->first_byte_ms)));
	COLUMN(PG_TYPE_INT4, put_id_or_null(&a, row->fingerprint_id));
	COLUMN(PG_TYPE_INT4, put_id_or_null(&a, row->worker_id));
	COLUMN(PG_TYPE_INT8, pg_array_i64(&a, at_ms_of(r, now_ms)));
	COLUMN(PG_TYPE_INT4, pg_array_i32(&a, r->http_status));
	COLUMN(PG_TYPE_FLOAT8, put_primary(&a, row));
	COLUMN(PG_TYPE_INT4, pg_array_i32(&a, metric_max_of(row)));
	COLUMN(PG_TYPE_UUID, put_outbox(&a, row));
	COLUMN(PG_TYPE_TEXT, put_text_or_null(&a, r->request_id));
	COLUMN(PG_TYPE_BYTEA, put_bytes_or_null(&a, evidence_of(row)));
}

/* Scores and transcripts are columns of their own lengths: each element names its row. */
#define SCORE_COLUMN(type, put)                                                                                        \
	do {                                                                                                           \
		pg_array_begin(&a, p, type);                                                                           \
		for (size_t i = 0; i < count; i++) {                                                                   \
			size_t score_count;                                                                            \
			const struct msg_score *s = scores_of(&rows[i], &score_count);                                 \
			for (size_t k = 0; k < score_count; k++, s++)                                                  \
				put;                                                                                   \
		}                                                                                                      \
		pg_array_end(&a);                                                                                      \
	} while (0)

static void put_scores(struct pg_params *p, const struct group_row *rows, size_t count)
{
	struct pg_array a;
	SCORE_COLUMN(PG_TYPE_INT4, pg_array_i32(&a, (int32_t)i + 1));
	SCORE_COLUMN(PG_TYPE_INT4, pg_array_i32(&a, (int32_t)s->metric));
	SCORE_COLUMN(PG_TYPE_FLOAT8, s->has_value ? pg_array_f64(&a, s->value) : pg_array_null(&a));
	SCORE_COLUMN(PG_TYPE_INT2, pg_array_i16(&a, s->has_value ? OUTCOME_SCORED : OUTCOME_UNSCORED));
	SCORE_COLUMN(PG_TYPE_TEXT, s->has_value    ? pg_array_null(&a)
	                           : s->reason.len ? pg_array_text(&a, s->reason)
	                                           : pg_array_text(&a, STR("no reason given")));
}

static bool wants_transcript(const struct group_row *row, bool drop)
{
	const struct msg_record *r = group_record(row);
	if (r->kind == RECORD_ATTEMPT)
		return false;
	if (row->text || r->evidence.len)
		return true; /* of a missing outcome: why */
	if (drop)
		return false;
	bool explained = false;
	for (size_t i = 0; i < r->score_count; i++)
		explained = explained || r->scores[i].explanation.len || r->scores[i].extracted.len;
	return explained || r->request.len || r->response.len || r->answer.len || r->stop_reason.len;
}

static struct str kept(const struct group_row *row, bool drop, struct str s)
{
	return drop || row->spoil >= GROUP_BARE ? (struct str){ 0 } : s;
}

static void put_explanations(struct pg_array *a, const struct group_row *row, bool drop, struct buf *scratch)
{
	struct json_write w;
	const struct msg_record *r = group_record(row);
	bool any = false;
	buf_clear(scratch);
	json_write_init(&w, scratch, false);
	json_write_array(&w);
	for (size_t i = 0; i < r->score_count && !drop && row->spoil < GROUP_BARE; i++) {
		const struct msg_score *s = &r->scores[i];
		if (s->explanation.len == 0 && s->extracted.len == 0)
			continue;
		any = true;
		json_write_object(&w);
		json_write_field_i64(&w, "metric", s->metric);
		json_write_field_str(&w, "extracted", s->extracted);
		json_write_field_str(&w, "explanation", s->explanation);
		json_write_object_end(&w);
	}
	json_write_array_end(&w);
	put_bytes_or_null(a, any && !scratch->failed ? buf_str(scratch) : (struct str){ 0 });
}

#define TRANSCRIPT_COLUMN(type, put)                                                                                   \
	do {                                                                                                           \
		pg_array_begin(&a, p, type);                                                                           \
		for (size_t i = 0; i < count; i++) {                                                                   \
			const struct group_row *row = &rows[i];                                                        \
			const struct msg_record *r = group_record(row);                                                \
			(void)r; /* as above */                                                                        \
			if (wants_transcript(row, drop))                                                               \
				put;                                                                                   \
		}                                                                                                      \
		pg_array_end(&a);                                                                                      \
	} while (0)

static void put_transcripts(struct pg_params *p, const struct group_row *rows, size_t count, bool drop)
{
	struct pg_array a;
	struct buf scratch;
	buf_init(&scratch, EXPLANATIONS_BYTES_MAX);
	TRANSCRIPT_COLUMN(PG_TYPE_INT4, pg_array_i32(&a, (int32_t)i + 1));
	TRANSCRIPT_COLUMN(PG_TYPE_BYTEA, put_bytes_or_null(&a, kept(row, drop, r->request)));
	TRANSCRIPT_COLUMN(PG_TYPE_BYTEA, put_bytes_or_null(&a, kept(row, drop, r->response)));
	TRANSCRIPT_COLUMN(PG_TYPE_BYTEA, put_bytes_or_null(&a, kept(row, drop, r->answer)));
	TRANSCRIPT_COLUMN(PG_TYPE_BYTEA, put_explanations(&a, row, drop, &scratch));
	TRANSCRIPT_COLUMN(PG_TYPE_TEXT, put_text_or_null(&a, r->stop_reason));
	buf_done(&scratch);
}

void group_put(struct pg_params *p, uint64_t term, const struct group_row *rows, size_t count, bool drop_transcripts)
{
	pg_params_clear(p);
	pg_params_i64(p, (int64_t)term);
	put_rows(p, rows, count);
	put_scores(p, rows, count);
	put_transcripts(p, rows, count, drop_transcripts);
}

void group_put_runs(struct pg_params *p, const struct group_row *rows, size_t count)
{
	struct pg_array a;
	uint64_t last = 0;
	pg_params_clear(p);
	pg_array_begin(&a, p, PG_TYPE_INT8);
	for (size_t i = 0; i < count; i++) {
		uint64_t run_id = group_record(&rows[i])->run_id;
		if (i == 0 || run_id != last)
			pg_array_i64(&a, (int64_t)run_id);
		last = run_id;
	}
	pg_array_end(&a);
}

/* The record as a Results frame of its own; one that no frame could hold keeps its response. */
static void put_raw(struct pg_array *a, const struct msg_record *r, struct buf *scratch)
{
	struct msg m = { .kind = MSG_RESULTS };
	m.results.records = r;
	m.results.record_count = 1;
	buf_clear(scratch);
	if (frame_encode(&m, scratch, NULL) == ERR_OK)
		pg_array_bytes(a, buf_str(scratch));
	else
		pg_array_bytes(a, r->response);
}

void group_put_refused(struct pg_params *p, const struct group_row *rows, size_t count)
{
	struct pg_array a;
	struct buf scratch;
	buf_init(&scratch, WIRE_FRAME_BYTES_MAX);
	pg_params_clear(p);
	COLUMN(PG_TYPE_UUID, pg_array_bytes(&a, str_make(row->batch->outbox.bytes, WIRE_OUTBOX_ID_BYTES)));
	COLUMN(PG_TYPE_INT8, pg_array_i64(&a, (int64_t)r->record_no));
	COLUMN(PG_TYPE_INT8, pg_array_i64(&a, (int64_t)r->run_id));
	COLUMN(PG_TYPE_INT8, pg_array_i64(&a, (int64_t)r->sample_no));
	COLUMN(PG_TYPE_INT8, pg_array_i64(&a, (int64_t)r->retry_no));
	COLUMN(PG_TYPE_INT8, pg_array_i64(&a, (int64_t)ask_id_of(row)));
	COLUMN(PG_TYPE_INT8, r->cost_nanousd < 0 ? pg_array_null(&a) : pg_array_i64(&a, r->cost_nanousd));
	COLUMN(PG_TYPE_TEXT, pg_array_text(&a, row->text ? str_from(row->text) : STR("refused")));
	COLUMN(PG_TYPE_BYTEA, put_raw(&a, r, &scratch));
	buf_done(&scratch);
}
