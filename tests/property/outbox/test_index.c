/* Goal: over many lives with crashes at any byte, an acknowledged record is never lost, a committed one never sent
 * again but for a timeline, a number never given twice, and no segment is deleted that is still needed. */
#include "common/base/mem.h"
#include "tests/support/cmocka_all.h"
#include "tests/support/gen.h"
#include "worker/outbox/outbox_index.h"

enum { SEGMENTS_MAX = 64 };

struct disk { /* what a crash leaves: of each segment at least what was synced */
	struct buf segments[SEGMENTS_MAX];
	size_t synced[SEGMENTS_MAX];
	bool there[SEGMENTS_MAX];
	uint64_t last;
};

struct fact { /* one record, in the simplest words */
	uint64_t record_no, ask_id;
	bool is_answer, durable, committed_durably, committed;
	uint64_t committed_ms;
	bool sent_off; /* left with the coordinator, which will commit it */
};

struct world {
	struct rng *rng;
	struct disk disk;
	struct outbox_index index;
	struct fact facts[4096];
	size_t fact_count;
	uint64_t now_ms, highest_no;
};

static const struct outbox_id id = { { 5, 5 } };

static uint32_t salt_of(uint64_t segment_no)
{
	struct outbox_segment s = { .id = id, .segment_no = segment_no };
	return outbox_salt(&s);
}

static void begin_segment(struct world *w)
{
	struct outbox_segment s = { id, ++w->disk.last, w->index.record_no_reserved };
	assert_true(s.segment_no < SEGMENTS_MAX);
	struct buf *b = &w->disk.segments[s.segment_no];
	buf_init(b, 4 << 20);
	outbox_segment_write(&s, b);
	w->disk.there[s.segment_no] = true;
	w->disk.synced[s.segment_no] = b->len;
	outbox_index_segment(&w->index, s.segment_no);
}

static void sync(struct world *w)
{
	w->disk.synced[w->disk.last] = w->disk.segments[w->disk.last].len;
	for (size_t i = 0; i < w->fact_count; i++)
		if (w->facts[i].record_no != 0) {
			w->facts[i].durable = true;
			w->facts[i].committed_durably = w->facts[i].committed;
		}
}

static void add(struct world *w, bool is_answer, uint64_t ask_id)
{
	struct buf *b = &w->disk.segments[w->disk.last];
	uint64_t next;
	if (outbox_index_must_reserve(&w->index, 1, &next)) {
		assert_true(outbox_write_reserve(next, salt_of(w->disk.last), b));
		sync(w);
		outbox_index_reserved(&w->index, next);
	}
	struct msg_record m = { .kind = is_answer ? RECORD_RAW : RECORD_RESULT,
		                .record_no = outbox_index_number(&w->index),
		                .ask_id = ask_id,
		                .outcome = is_answer ? OUTCOME_NONE : OUTCOME_SCORED,
		                .retry_after_ms = -1,
		                .cost_nanousd = -1 };
	struct exec_context *c = exec_context_new((struct hash){ { 1 } }, STR("{}"));
	struct record *r = record_new(&m, is_answer ? c : NULL, STR("{}"));
	size_t at = b->len;
	assert_true(m.record_no > w->highest_no);
	w->highest_no = m.record_no;
	assert_true(outbox_write_record(r, salt_of(w->disk.last), b));
	outbox_index_add(&w->index, r, (uint32_t)at, (uint32_t)(b->len - at), true);
	w->facts[w->fact_count++] = (struct fact){ .record_no = m.record_no, .ask_id = ask_id, .is_answer = is_answer };
	exec_context_unref(c);
	record_free(r);
}

static struct fact *fact_of(struct world *w, uint64_t record_no)
{
	for (size_t i = 0; i < w->fact_count; i++)
		if (w->facts[i].record_no == record_no)
			return &w->facts[i];
	return NULL;
}

static void commit_some(struct world *w)
{
	struct buf *b = &w->disk.segments[w->disk.last];
	for (size_t i = 0; i < w->fact_count; i++) {
		struct fact *f = &w->facts[i];
		if (f->record_no == 0 || f->committed || f->is_answer || !gen_chance(w->rng, 30))
			continue;
		struct record_range range = { f->record_no, f->record_no };
		assert_int_equal(outbox_index_commit(&w->index, &range, 1, w->now_ms), 1);
		assert_true(outbox_write_trim(&range, 1, salt_of(w->disk.last), b));
		f->committed = true;
		f->committed_ms = w->now_ms;
	}
}

static void clean(struct world *w)
{
	uint64_t segment_no;
	while (outbox_index_droppable(&w->index, w->now_ms, &segment_no)) {
		for (size_t i = 0; i < w->index.part_count; i++) {
			if (w->index.parts[i].segment_no != segment_no)
				continue;
			for (size_t j = 0; j < w->index.parts[i].len; j++) {
				struct fact *f = fact_of(w, w->index.parts[i].slots[j].record_no);
				if (f && !f->is_answer)
					assert_true(f->committed && w->now_ms >= f->committed_ms + OUTBOX_KEEP_MS);
				if (f)
					f->record_no = 0; /* gone for good */
			}
		}
		outbox_index_drop(&w->index, segment_no);
		buf_done(&w->disk.segments[segment_no]);
		w->disk.there[segment_no] = false;
	}
}

/* A power cut: each segment keeps what was synced and some of the rest, perhaps with its last part torn. */
static void crash(struct world *w)
{
	struct arena scratch;
	struct error error;
	uint64_t torn = 0;
	arena_init(&scratch, 16 << 20);
	outbox_index_done(&w->index);
	outbox_index_init(&w->index);
	for (uint64_t s = 1; s <= w->disk.last; s++) {
		struct buf *b = &w->disk.segments[s];
		if (!w->disk.there[s])
			continue;
		b->len = w->disk.synced[s] + rng_below(w->rng, b->len - w->disk.synced[s] + 1);
		size_t end;
		assert_ok(outbox_index_replay(&w->index, &id, s, buf_str(b), w->now_ms, &scratch, &end, &error),
		          &error);
		torn += end < b->len;
		w->disk.synced[s] = b->len = end; /* as the outbox cuts it off */
	}
	assert_int_equal(w->index.damaged_count, torn);
	outbox_index_replayed(&w->index);
	assert_true(w->index.record_no_next > w->highest_no || w->fact_count == 0);
	for (size_t i = 0; i < w->fact_count; i++) {
		struct fact *f = &w->facts[i];
		struct outbox_place place;
		if (f->record_no == 0)
			continue;
		bool found = outbox_index_find(&w->index, f->record_no, &place);
		if (f->durable)
			assert_true(found);
		if (!found)
			f->record_no = 0; /* it was never acknowledged */
	}
	arena_done(&scratch);
	begin_segment(w);
}

/* What the index says of each record is what is true, or was true before a mark that the crash took. */
static void compare(struct world *w)
{
	uint64_t open = 0;
	for (size_t i = 0; i < w->index.part_count; i++)
		for (size_t j = 0; j < w->index.parts[i].len; j++) {
			const struct outbox_slot *s = &w->index.parts[i].slots[j];
			struct fact *f = fact_of(w, s->record_no);
			assert_non_null(f);
			if (!f->is_answer) {
				assert_false(s->done && !f->committed);
				assert_false(!s->done && f->committed_durably);
				f->committed = s->done;
				open += !s->done;
			}
		}
	assert_int_equal(open, w->index.open_records);
}

static void acknowledged_records_outlive_any_crash(void **state)
{
	(void)state;
	struct rng rng;
	for (struct gen_seeds seeds = gen_seeds(150); gen_next(&seeds, &rng);) {
		struct world *w = mem_new(1, sizeof(*w));
		w->rng = &rng;
		w->now_ms = 1000;
		outbox_index_init(&w->index);
		outbox_index_replayed(&w->index);
		begin_segment(w);
		uint64_t ask_id = 0;
		for (int step = 0; step < 300; step++) {
			w->now_ms += rng_below(&rng, 3000);
			switch (rng_below(&rng, 8)) {
			case 0:
			case 1:
				add(w, true, ++ask_id);
				break;
			case 2:
			case 3:
				add(w, false,
				    ask_id > 0 && gen_chance(&rng, 70) ? 1 + rng_below(&rng, ask_id)
				                                       : ++ask_id + 1000000);
				break;
			case 4:
				sync(w);
				break;
			case 5:
				commit_some(w);
				break;
			case 6:
				clean(w);
				break;
			default:
				if (w->disk.last < SEGMENTS_MAX - 2 && gen_chance(&rng, 20)) {
					if (gen_chance(&rng, 50)) {
						crash(w);
					} else {
						sync(w);
						begin_segment(w);
					}
				}
			}
			compare(w);
		}
		outbox_index_done(&w->index);
		for (size_t i = 0; i < SEGMENTS_MAX; i++)
			if (w->disk.there[i])
				buf_done(&w->disk.segments[i]);
		mem_free(w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		gen_property(acknowledged_records_outlive_any_crash),
	};
	return cmocka_run_group_tests_name("outbox properties", tests, NULL, NULL);
}
