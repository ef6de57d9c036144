#include "coordinator/session/window.h"
#include "common/base/mem.h"
#include <string.h>

/* The first place whose number is not below `record_no`. */
static uint32_t place_of(const struct session_batch *b, uint64_t record_no)
{
	uint32_t from = 0, to = b->count;
	while (from < to) {
		uint32_t middle = from + (to - from) / 2;
		if (b->record_nos[middle] < record_no)
			from = middle + 1;
		else
			to = middle;
	}
	return from;
}

static bool batch_has(const struct session_batch *b, uint64_t record_no)
{
	uint32_t at = place_of(b, record_no);
	return at < b->count && b->record_nos[at] == record_no;
}

static struct session_batch *batch_of(struct session *s, uint64_t record_no)
{
	for (uint32_t i = 0; i < s->batch_count; i++)
		if (batch_has(&s->batches[i], record_no))
			return &s->batches[i];
	return NULL;
}

static void batch_put(struct session_batch *b, uint64_t record_no)
{
	if (b->count == b->cap) {
		b->cap = MAX_OF(b->cap * 2, 16U);
		b->record_nos = mem_grow(b->record_nos, b->cap, sizeof(*b->record_nos));
	}
	uint32_t at = place_of(b, record_no);
	memmove(&b->record_nos[at + 1], &b->record_nos[at], (b->count - at) * sizeof(*b->record_nos));
	b->record_nos[at] = record_no;
	b->count++;
}

static bool twice_in_frame(const struct msg_results *m, size_t i)
{
	for (size_t j = 0; j < i; j++)
		if (m->records[j].record_no == m->records[i].record_no)
			return true;
	return false;
}

/* ---- what was committed lately ---- */

static void done_begin(struct session *s)
{
	if (s->done && s->done_timeline == s->config->timeline)
		return;
	s->done_timeline = s->config->timeline;
	s->done_max = s->done_at = s->done_count = 0;
	s->done_cap = 2 * MAX_OF(s->window_frames, 1U) * WIRE_RESULTS_RECORDS_MAX;
	if (!s->done)
		s->done = mem_new(s->done_cap, sizeof(*s->done));
}

static void done_add(struct session *s, struct record_range range)
{
	done_begin(s);
	uint64_t span = MIN_OF(range.last - range.first, (uint64_t)s->done_cap - 1);
	for (uint64_t i = 0; i <= span; i++) {
		s->done[s->done_at++ % s->done_cap] = range.last - span + i;
		s->done_count = MIN_OF(s->done_count + 1, s->done_cap);
	}
	s->done_max = MAX_OF(s->done_max, range.last);
}

static bool was_done(const struct session *s, uint64_t record_no)
{
	if (record_no > s->done_max || s->done_timeline != s->config->timeline) /* as a rule */
		return false;
	for (uint32_t i = 0; i < s->done_count; i++)
		if (s->done[i] == record_no)
			return true;
	return false;
}

bool window_add(struct session *s, const struct msg_results *m, size_t frame_bytes,
                bool ret_fresh[WIRE_RESULTS_RECORDS_MAX], size_t *ret_fresh_count)
{
	struct session_batch *with = NULL; /* the batch that this frame repeats a part of */
	uint64_t before = 0;
	size_t fresh = 0;
	for (size_t i = 0; i < m->record_count; i++) {
		uint64_t record_no = m->records[i].record_no;
		struct session_batch *b = batch_of(s, record_no);
		with = with ? with : b;
		ret_fresh[i] = !b && !was_done(s, record_no) &&
		               (record_no > before || !twice_in_frame(m, i)); /* in order, as a rule */
		before = MAX_OF(before, record_no);
		fresh += ret_fresh[i];
	}
	*ret_fresh_count = fresh;
	if (fresh == 0)
		return true;
	uint32_t bytes = (uint32_t)(MIN_OF(frame_bytes, (size_t)WIRE_FRAME_BYTES_MAX) * fresh / m->record_count);
	bool fits = s->batch_count == 0 || bytes <= s->window_bytes - MIN_OF(s->unacked_bytes, s->window_bytes);
	if (!fits || (!with && s->batch_count >= s->window_frames))
		return false;
	if (!with) {
		with = &s->batches[s->batch_count++];
		*with = (struct session_batch){ 0 };
	}
	for (size_t i = 0; i < m->record_count; i++)
		if (ret_fresh[i])
			batch_put(with, m->records[i].record_no);
	with->bytes += bytes;
	s->unacked_bytes += bytes;
	return true;
}

static void batch_commit(struct session *s, struct session_batch *b, struct record_range range)
{
	uint32_t from = place_of(b, range.first);
	uint32_t to = range.last == UINT64_MAX ? b->count : place_of(b, range.last + 1);
	if (from >= to || b->count == 0)
		return;
	uint32_t bytes = (uint32_t)((uint64_t)b->bytes * (to - from) / b->count);
	memmove(&b->record_nos[from], &b->record_nos[to], (b->count - to) * sizeof(*b->record_nos));
	b->count -= to - from;
	if (b->count == 0)
		bytes = b->bytes;
	b->bytes -= bytes;
	s->unacked_bytes -= bytes;
}

void window_commit(struct session *s, const struct record_range *ranges, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		done_add(s, ranges[i]);
		for (uint32_t k = 0; k < s->batch_count; k++)
			batch_commit(s, &s->batches[k], ranges[i]);
	}
	uint32_t kept = 0;
	for (uint32_t k = 0; k < s->batch_count; k++) {
		if (s->batches[k].count)
			s->batches[kept++] = s->batches[k];
		else
			mem_free(s->batches[k].record_nos);
	}
	s->batch_count = kept;
}

void window_done(struct session *s)
{
	for (uint32_t k = 0; k < s->batch_count; k++)
		mem_free(s->batches[k].record_nos);
	mem_free(s->done);
	s->done = NULL;
	s->batch_count = s->unacked_bytes = s->done_count = 0;
	s->done_max = 0;
}
