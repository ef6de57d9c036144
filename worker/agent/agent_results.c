/* Records on their way to the coordinator: the window, Commit, and answers of an earlier life. */
#include "common/base/check.h"
#include "common/base/mem.h"
#include "common/wire/frame.h"
#include "worker/agent/agent_state.h"

enum { ENVELOPE_BYTES = 64, RECORD_SPARE_BYTES = 8, LOAD_RECORDS = 256 };

void results_free_all(struct agent *a)
{
	struct agent_record *r;
	for (size_t at = 0; (r = map_next_u64(&a->records, &at, NULL)) != NULL;)
		record_free(r->record);
	map_done(&a->records);
	heap_done(&a->waiting);
	mem_free(a->frames);
}

/* ---- answers found at start ---- */

static struct agent_held_answer *answer_find(struct agent *a, uint64_t sample_id)
{
	uint64_t record_no = sample_id & ~AGENT_ADOPTED;
	for (size_t i = 0; i < a->answer_count; i++)
		if (a->answers[i].answer.record_no == record_no && !a->answers[i].gone)
			return &a->answers[i];
	return NULL;
}

static void decide(struct agent *a, struct agent_held_answer *h, enum answer_verdict verdict, struct agent_actions *out)
{
	uint64_t record_no = h->answer.record_no;
	h->decided = true;
	if (verdict == ANSWER_DROP) {
		struct record_range *range = arena_new(&out->arena, 1, sizeof(*range));
		*range = (struct record_range){ record_no, record_no };
		struct agent_action *trim = agent_act(out, AGENT_DO_TRIM);
		trim->trim.ranges = range;
		trim->trim.count = 1;
		h->gone = true;
		return;
	}
	struct agent_action *action = agent_act(out, verdict == ANSWER_ADOPT ? AGENT_DO_ADOPT : AGENT_DO_SHIP);
	action->answer.record_no = record_no;
	action->answer.sample_id = AGENT_ADOPTED | record_no;
	action->answer.net = a->net_turn++ % a->config.net_count;
}

void results_verdicts(struct agent *a, const struct agent_conn *c, const struct msg_welcome *m,
                      struct agent_actions *out)
{
	for (size_t i = 0; i < c->told_count && i < m->answer_count; i++) {
		struct agent_held_answer *h = &a->answers[c->told[i]];
		if (!h->decided)
			decide(a, h, (enum answer_verdict)m->answers[i], out);
	}
}

/* ---- records come in ---- */

static void answer_kept(struct agent *a, uint64_t sample_id, const struct record *record, struct agent_actions *out)
{
	struct agent_held_answer *h = answer_find(a, sample_id);
	if (!h)
		return;
	if (record) {
		h->gone = record->ends_sample || record->m.kind == RECORD_RAW;
		return;
	}
	h->gone = true; /* unreadable: the coordinator must learn that nothing will come of it */
	if (a->main.state == CONN_UP)
		conn_begin_anew(a, out);
}

static void sample_reported(struct agent *a, uint64_t sample_id)
{
	struct agent_lease *l;
	struct agent_sample *s = sample_find(a, sample_id, &l);
	if (!s)
		return;
	if (s->state == SAMPLE_ASKING)
		rate_add(&a->rate, a->now_ms);
	sample_set_state(a, l, s, SAMPLE_REPORTED);
}

void results_kept(struct agent *a, uint64_t sample_id, struct record *record, struct agent_actions *out)
{
	if (sample_id & AGENT_ADOPTED)
		answer_kept(a, sample_id, record, out);
	if (!record)
		return;
	bool is_new = false;
	struct agent_record *r = map_put_u64(&a->records, record->m.record_no, &is_new);
	if (!is_new) {
		record_free(record);
		return;
	}
	*r = (struct agent_record){ record,    frame_record_bytes(&record->m) + RECORD_SPARE_BYTES,
		                    sample_id, a->now_ms,
		                    0,         false };
	a->record_bytes += r->bytes;
	heap_put(&a->waiting, record->m.record_no, record->m.record_no);
	if (record->ends_sample && !(sample_id & AGENT_ADOPTED))
		sample_reported(a, sample_id);
}

/* ---- Commit ---- */

static void frame_free(struct agent *a, struct agent_frame *f)
{
	a->window_used_bytes -= f->bytes;
	a->frames_used--;
	f->used = false;
}

static void commit_one(struct agent *a, uint64_t record_no)
{
	struct agent_record *found = map_get_u64(&a->records, record_no);
	if (!found)
		return;
	struct agent_record r = *found;
	(void)map_remove_u64(&a->records, record_no); /* it was just found */
	a->record_bytes -= r.bytes;
	if (r.sent) {
		struct agent_frame *f = &a->frames[r.frame];
		if (--f->left == 0)
			frame_free(a, f);
	} else {
		(void)heap_remove(&a->waiting, record_no); /* it waits, since it was not sent */
	}
	struct agent_lease *l;
	struct agent_sample *s = r.record->ends_sample ? sample_find(a, r.sample_id, &l) : NULL;
	if (s && s->state == SAMPLE_REPORTED) {
		sample_set_state(a, l, s, SAMPLE_GONE);
		lease_settle(a, l);
	}
	a->committed_count++;
	record_free(r.record);
}

static void commit_range(struct agent *a, const struct record_range *range)
{
	uint64_t span = range->last - range->first;
	if (span < a->records.len * 2 + 16) {
		for (uint64_t i = 0; i <= span; i++)
			commit_one(a, range->first + i);
		return;
	}
	uint64_t record_no;
	for (size_t at = 0; map_next_u64(&a->records, &at, &record_no) != NULL;)
		if (record_no >= range->first && record_no <= range->last)
			commit_one(a, record_no);
}

void results_commit(struct agent *a, const struct msg_commit *m, struct agent_actions *out)
{
	if (!outbox_id_eq(m->outbox, a->config.outbox)) {
		a->foreign_commit_count++;
		agent_note(out, AGENT_NOTE_FOREIGN_COMMIT, 0, a->main.endpoint, STR(""));
		return;
	}
	if (m->range_count == 0)
		return;
	for (size_t i = 0; i < m->range_count; i++)
		commit_range(a, &m->ranges[i]);
	struct record_range *ranges = arena_new(&out->arena, m->range_count, sizeof(*ranges));
	for (size_t i = 0; i < m->range_count; i++)
		ranges[i] = m->ranges[i];
	struct agent_action *trim = agent_act(out, AGENT_DO_TRIM);
	trim->trim.ranges = ranges;
	trim->trim.count = m->range_count;
	a->full_since_ms = UINT64_MAX;
	a->full_noted = false;
}

/* ---- sending ---- */

void results_send_again(struct agent *a)
{
	struct agent_record *r;
	uint64_t record_no;
	for (size_t at = 0; (r = map_next_u64(&a->records, &at, &record_no)) != NULL;) {
		r->sent = false;
		heap_put(&a->waiting, record_no, record_no);
	}
	for (size_t i = 0; i < WINDOW_FRAMES_MAX; i++)
		a->frames[i].used = false;
	a->frames_used = a->window_used_bytes = 0;
	a->full_since_ms = UINT64_MAX;
	a->full_noted = false;
}

static void send_frame(struct agent *a, struct agent_frame *f, struct agent_actions *out)
{
	struct msg *m = agent_msg(out, MSG_RESULTS);
	struct msg_record *records = arena_new(&out->arena, f->count, sizeof(*records));
	for (uint32_t i = 0; i < f->count; i++) {
		const struct agent_record *r = map_get_u64(&a->records, f->record_nos[i]);
		if (r && r->sent && &a->frames[r->frame] == f)
			records[m->results.record_count++] = r->record->m;
	}
	m->results.records = records;
	f->sent_ms = a->now_ms;
	agent_send(a, &a->main, m, out);
}

static struct agent_frame *frame_unused(struct agent *a)
{
	if (a->frames_used >= a->window_frames)
		return NULL;
	for (size_t i = 0; i < WINDOW_FRAMES_MAX; i++)
		if (!a->frames[i].used)
			return &a->frames[i];
	return NULL;
}

static const struct agent_record *next_waiting(const struct agent *a)
{
	struct heap_item item;
	return heap_min(&a->waiting, &item) ? map_get_u64(&a->records, item.id) : NULL;
}

static bool window_fits(const struct agent *a, size_t bytes)
{
	return a->window_used_bytes == 0 || a->window_used_bytes + bytes <= a->window_bytes;
}

static void fill_frame(struct agent *a, struct agent_frame *f)
{
	f->used = true;
	f->bytes = ENVELOPE_BYTES;
	f->count = 0;
	const struct agent_record *next;
	while (f->count < WIRE_RESULTS_RECORDS_MAX && (next = next_waiting(a)) != NULL) {
		check_msg(next->bytes + ENVELOPE_BYTES <= WIRE_FRAME_BYTES_MAX, "record %llu of %zu bytes",
		          (unsigned long long)next->record->m.record_no, next->bytes);
		bool is_first = f->count == 0; /* the caller has asked whether that one fits */
		if (!is_first &&
		    (f->bytes + next->bytes > WIRE_FRAME_BYTES_MAX || !window_fits(a, f->bytes + next->bytes)))
			break;
		struct heap_item item;
		check(heap_pop(&a->waiting, &item));
		struct agent_record *r = map_get_u64(&a->records, item.id);
		r->sent = true;
		r->frame = (uint32_t)(f - a->frames);
		f->record_nos[f->count++] = item.id;
		f->bytes += r->bytes;
	}
	a->window_used_bytes += f->bytes;
	f->left = f->count;
	a->frames_used++;
}

/* Alone on the way it goes at once; beside others it waits a little for company. */
static uint64_t gathered_at_ms(const struct agent *a, const struct agent_record *next)
{
	return a->frames_used == 0 || a->waiting.len >= WIRE_RESULTS_RECORDS_MAX ? a->now_ms
	                                                                         : next->kept_ms + AGENT_GATHER_MS;
}

static void load_turn(struct agent *a, struct agent_actions *out)
{
	if (a->unloaded == 0 || a->loading || a->records.len >= LOAD_RECORDS || a->main.state != CONN_UP)
		return;
	a->loading = true;
	struct agent_action *action = agent_act(out, AGENT_DO_LOAD);
	action->load.record_max = LOAD_RECORDS;
	action->load.bytes_max = a->window_bytes;
}

static void full_turn(struct agent *a, struct agent_actions *out)
{
	if (a->full_since_ms == UINT64_MAX)
		a->full_since_ms = a->now_ms;
	if (a->now_ms >= a->full_since_ms + AGENT_WINDOW_FULL_MS && !a->full_noted) {
		a->full_noted = true;
		agent_note(out, AGENT_NOTE_WINDOW_FULL, a->records.len, 0, STR(""));
	}
}

void results_turn(struct agent *a, struct agent_actions *out)
{
	load_turn(a, out);
	if (a->main.state != CONN_UP)
		return;
	for (size_t i = 0; i < WINDOW_FRAMES_MAX; i++)
		if (a->frames[i].used && a->now_ms >= a->frames[i].sent_ms + a->resend_ms)
			send_frame(a, &a->frames[i], out);
	const struct agent_record *next;
	struct agent_frame *f;
	while ((next = next_waiting(a)) != NULL && (f = frame_unused(a)) != NULL &&
	       window_fits(a, next->bytes + ENVELOPE_BYTES) && a->now_ms >= gathered_at_ms(a, next)) {
		fill_frame(a, f);
		send_frame(a, f, out);
	}
	next = next_waiting(a);
	if (!frame_unused(a) || (next && !window_fits(a, next->bytes + ENVELOPE_BYTES)))
		full_turn(a, out);
	else
		a->full_since_ms = UINT64_MAX;
}

uint64_t results_next_deadline_ms(const struct agent *a)
{
	uint64_t next_ms = UINT64_MAX;
	if (a->main.state != CONN_UP)
		return next_ms;
	for (size_t i = 0; i < WINDOW_FRAMES_MAX; i++)
		if (a->frames[i].used)
			next_ms = MIN_OF(next_ms, a->frames[i].sent_ms + a->resend_ms);
	const struct agent_record *next = next_waiting(a);
	if (next && a->full_since_ms == UINT64_MAX)
		next_ms = MIN_OF(next_ms, gathered_at_ms(a, next));
	if (a->full_since_ms != UINT64_MAX && !a->full_noted)
		next_ms = MIN_OF(next_ms, a->full_since_ms + AGENT_WINDOW_FULL_MS);
	return next_ms;
}
