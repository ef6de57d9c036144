// libs: base outbox
/* A segment of any bytes. The first byte chooses: the bytes as they are, or as entries that are well formed outside and
 * anything inside: [kind][record_no][length][payload]... Replay never fails on damage, counts stay consistent, and what
 * it found can be committed, opened again, and deleted. */
#include "common/base/arena.h"
#include "tests/fuzz/fuzz.h"
#include "worker/outbox/asklog.h"
#include "worker/outbox/outbox_index.h"
#include <string.h>

static const struct outbox_segment segment = { { { 1, 2, 3, 4 } }, 3, 100 };

/* Entries with a check that holds: written as RESERVE and then given their kind, number and payload. */
static void put_entry(struct buf *out, uint8_t kind, uint8_t record_no, struct str payload)
{
	size_t mark = out->len;
	if (!outbox_write_reserve(0, 0, out))
		return;
	out->len = mark + OUTBOX_ENTRY_HEADER_BYTES;
	if (!buf_append_str(out, payload))
		return;
	uint8_t *h = (uint8_t *)out->data + mark;
	memset(h + 12, 0, OUTBOX_ENTRY_HEADER_BYTES - 12);
	h[4] = (uint8_t)payload.len;
	h[5] = (uint8_t)(payload.len >> 8);
	h[6] = h[7] = 0;
	h[12] = kind;
	h[16] = record_no;
	uint32_t check_value = hash_crc32c(str_make(h + 12, out->len - mark - 12)) ^ outbox_salt(&segment);
	memcpy(h + 8, &check_value, sizeof(check_value));
}

static void make_entries(struct str in, struct buf *out)
{
	outbox_segment_write(&segment, out);
	for (size_t at = 0; at + 4 <= in.len;) {
		uint8_t kind = (uint8_t)in.data[at], record_no = (uint8_t)in.data[at + 1];
		size_t len = (uint8_t)in.data[at + 2] | (size_t)(uint8_t)in.data[at + 3] << 8;
		struct str payload = str_slice(in, at + 4, at + 4 + len);
		put_entry(out, kind, record_no, payload);
		at += 4 + payload.len;
	}
}

static void check_counts(const struct outbox_index *x)
{
	uint64_t records = 0, answers = 0, unloaded = 0;
	for (size_t i = 0; i < x->part_count; i++)
		for (size_t j = 0; j < x->parts[i].len; j++) {
			const struct outbox_slot *s = &x->parts[i].slots[j];
			bool is_sent = s->kind != OUTBOX_ANSWER || s->shipped;
			records += !s->done && is_sent;
			unloaded += !s->done && is_sent && !s->loaded;
			answers += !s->done && !is_sent && !s->covered;
			check(s->record_no < x->record_no_next);
		}
	check(records == x->open_records && answers == x->open_answers && unloaded == x->unloaded);
}

static void use(struct outbox_index *x)
{
	struct outbox_place place;
	struct record_range all = { 0, UINT64_MAX };
	uint64_t segment_no;
	size_t part = 0, at = 0, seen = 0;
	check_counts(x);
	while (outbox_index_next_answer(x, &part, &at, &place))
		seen++;
	check(seen == x->open_answers);
	while (outbox_index_load(x, &place))
		check(outbox_index_find(x, place.record_no, &place));
	check(x->unloaded == 0);
	check_counts(x);
	(void)outbox_index_commit(x, &all, 1, 5000); /* how many does not matter */
	check(x->open_records == 0 && x->open_answers == 0 && x->answers.len == 0);
	check_counts(x);
	(void)outbox_index_reopen(x, 6000); /* as above */
	check_counts(x);
	(void)outbox_index_commit(x, &all, 1, 7000); /* as above */
	outbox_index_segment(x, 9);
	while (outbox_index_droppable(x, 1 << 20, &segment_no))
		outbox_index_drop(x, segment_no);
	check(x->part_count == 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	if (len == 0)
		return 0;
	struct str in = str_make(data + 1, len - 1);
	struct buf bytes;
	struct arena scratch;
	struct outbox_index x;
	struct map asks;
	size_t end = 0;
	buf_init(&bytes, 8 << 20);
	arena_init(&scratch, 16 << 20);
	outbox_index_init(&x);
	map_init(&asks, sizeof(struct asklog_ask));
	if (data[0] & 1)
		make_entries(in, &bytes);
	else
		(void)buf_append_str(&bytes, in); /* shorter than the limit */
	if (outbox_index_replay(&x, &segment.id, segment.segment_no, buf_str(&bytes), 1000, &scratch, &end, NULL) ==
	    ERR_OK) {
		check(end <= bytes.len);
		outbox_index_replayed(&x);
		use(&x);
	}
	(void)asklog_replay(in, &asks); /* how many are damaged does not matter */
	map_done(&asks);
	outbox_index_done(&x);
	arena_done(&scratch);
	buf_done(&bytes);
	return 0;
}
