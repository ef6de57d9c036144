/* A worker's disk: what worker/outbox/outbox.c keeps in files, as entries; the index is the shipped one. A process that
 * is killed loses nothing of what was written; a machine that loses power keeps what was synced and a part of the rest.
 */
#include "common/base/check.h"
#include "common/base/mem.h"
#include "tests/simulation/world.h"
#include <string.h>

enum { SEGMENT_ENTRIES = 600 };

void drawer_begin(struct world *w, struct drawer *d)
{
	*d = (struct drawer){ .outbox_no = ++w->outbox_nos };
	d->id = world_outbox(d->outbox_no);
	map_init(&d->asks, sizeof(struct drawer_ask));
	outbox_index_init(&d->index);
}

static void entry_free(struct drawer_entry *e)
{
	record_free(e->record);
	mem_free(e->ranges);
}

static void segment_free(struct drawer_segment *s)
{
	for (size_t i = 0; i < s->len; i++)
		entry_free(&s->entries[i]);
	mem_free(s->entries);
}

void drawer_done(struct drawer *d)
{
	for (size_t i = 0; i < d->count; i++)
		segment_free(&d->segments[i]);
	mem_free(d->segments);
	map_done(&d->asks);
	outbox_index_done(&d->index);
}

void drawer_wipe(struct world *w, struct drawer *d)
{
	drawer_done(d);
	drawer_begin(w, d);
}

/* ---- writing ---- */

static struct drawer_segment *last(struct drawer *d)
{
	return &d->segments[d->count - 1];
}

static struct drawer_entry *add(struct drawer *d, enum outbox_kind kind)
{
	struct drawer_segment *s = last(d);
	mem_reserve(&s->entries, &s->cap, s->len + 1, sizeof(*s->entries));
	struct drawer_entry *e = &s->entries[s->len++];
	*e = (struct drawer_entry){ .kind = (uint8_t)kind };
	return e;
}

bool drawer_sync(struct drawer *d)
{
	d->unsynced = 0;
	if (!d->writing)
		return true;
	if (d->full) {
		d->writing = false; /* the kernel may have dropped what it could not write */
		return false;
	}
	last(d)->synced = last(d)->len;
	return true;
}

static bool ready(struct drawer *d)
{
	if (d->full)
		return false;
	if (d->writing && last(d)->len >= SEGMENT_ENTRIES) {
		(void)drawer_sync(d); /* the disk is not full */
		d->writing = false;
	}
	if (d->writing)
		return true;
	mem_reserve(&d->segments, &d->cap, d->count + 1, sizeof(*d->segments));
	d->segments[d->count++] = (struct drawer_segment){ .no = ++d->segment_no, .next = d->index.record_no_reserved };
	outbox_index_segment(&d->index, d->segment_no);
	d->writing = true;
	return true;
}

static struct record *copy_of(const struct record *r)
{
	return record_new(&r->m, r->context, r->item);
}

bool drawer_append(struct drawer *d, struct record *const *records, size_t count)
{
	uint64_t next;
	if (!ready(d))
		return false;
	if (outbox_index_must_reserve(&d->index, count, &next)) {
		add(d, OUTBOX_RESERVE)->next = next;
		(void)drawer_sync(d); /* the disk is not full */
		outbox_index_reserved(&d->index, next);
	}
	for (size_t i = 0; i < count; i++) {
		struct record *r = records[i];
		r->m.record_no = outbox_index_number(&d->index);
		enum outbox_kind kind = r->is_answer                  ? OUTBOX_ANSWER
		                        : r->m.kind == RECORD_ATTEMPT ? OUTBOX_ATTEMPT
		                                                      : OUTBOX_RESULT;
		struct drawer_entry *e = add(d, kind);
		e->record = copy_of(r);
		outbox_index_add(&d->index, r, (uint32_t)last(d)->len - 1, 1, true);
		d->unsynced += r->is_answer;
	}
	return true;
}

void drawer_trim(struct world *w, struct drawer *d, const struct record_range *ranges, size_t count)
{
	if (outbox_index_commit(&d->index, ranges, count, w->now_ms) > 0 && ready(d)) {
		struct drawer_entry *e = add(d, OUTBOX_TRIM);
		e->ranges = mem_new(count, sizeof(*e->ranges));
		memcpy(e->ranges, ranges, count * sizeof(*ranges));
		e->count = count;
	}
	drawer_clean(d, w->now_ms);
}

void drawer_clean(struct drawer *d, uint64_t now_ms)
{
	uint64_t segment_no;
	while (outbox_index_droppable(&d->index, now_ms, &segment_no)) {
		check(d->segments[0].no == segment_no);
		outbox_index_drop(&d->index, segment_no);
		segment_free(&d->segments[0]);
		memmove(d->segments, d->segments + 1, (d->count - 1) * sizeof(*d->segments));
		d->count--;
	}
}

/* ---- reading ---- */

static struct record *read_place(struct drawer *d, const struct outbox_place *place)
{
	for (size_t i = 0; i < d->count; i++) {
		if (d->segments[i].no != place->segment_no)
			continue;
		const struct drawer_entry *e = &d->segments[i].entries[place->at];
		if (!e->damaged)
			return copy_of(e->record);
	}
	d->index.damaged_count++;
	outbox_index_remove(&d->index, place->record_no);
	return NULL;
}

struct record *drawer_load(struct drawer *d, uint64_t record_no)
{
	struct outbox_place place;
	return outbox_index_find(&d->index, record_no, &place) ? read_place(d, &place) : NULL;
}

struct record *drawer_load_next(struct drawer *d)
{
	struct outbox_place place;
	while (outbox_index_load(&d->index, &place)) {
		struct record *r = read_place(d, &place);
		if (r)
			return r;
	}
	return NULL;
}

/* ---- what happens to disks ---- */

static void cut(struct drawer_segment *s, size_t len)
{
	while (s->len > len)
		entry_free(&s->entries[--s->len]);
}

void drawer_power_cut(struct world *w, struct drawer *d)
{
	struct drawer_segment *s = d->count ? last(d) : NULL;
	if (s && s->len > s->synced) {
		cut(s, world_pick(w, s->synced, s->len));
		if (s->len > s->synced && world_chance(w, 500))
			drawer_tear(d);
	}
	if (world_chance(w, 500)) { /* it is never synced */
		struct drawer_ask *ask;
		uint64_t ask_id;
		for (size_t at = 0; (ask = map_next_u64(&d->asks, &at, &ask_id)) != NULL;)
			oracle_unlogged(w, &ask->key, ask_id);
		map_clear(&d->asks);
	}
}

void drawer_tear(struct drawer *d)
{
	if (d->count && last(d)->len)
		last(d)->entries[last(d)->len - 1].damaged = true;
}

void drawer_rot(struct world *w, struct drawer *d)
{
	if (d->count == 0)
		return;
	struct drawer_segment *s = &d->segments[rng_below(&w->rng, d->count)];
	if (s->len == 0)
		return;
	struct drawer_entry *e = &s->entries[rng_below(&w->rng, s->len)];
	e->damaged = true;
	if (e->record) { /* what it said of its ask is gone */
		struct exec_key key = { .run_id = e->record->m.run_id, .sample_no = e->record->m.sample_no };
		oracle_unlogged(w, &key, e->record->m.ask_id);
	}
}

static void replay_entry(struct world *w, struct drawer *d, const struct drawer_entry *e, uint32_t at)
{
	struct error error;
	enum err_code err = ERR_OK;
	if (e->damaged) {
		d->index.damaged_count++;
		return;
	}
	switch ((enum outbox_kind)e->kind) {
	case OUTBOX_ANSWER:
	case OUTBOX_RESULT:
	case OUTBOX_ATTEMPT:
		err = outbox_index_replay_record(&d->index, (enum outbox_kind)e->kind, e->record->m.record_no,
		                                 e->record->m.ask_id, at, 1, &error);
		break;
	case OUTBOX_TRIM:
		(void)outbox_index_commit(&d->index, e->ranges, e->count, w->now_ms); /* how many is of no use here */
		break;
	case OUTBOX_RESERVE:
		outbox_index_replay_reserve(&d->index, e->next);
		break;
	case OUTBOX_CONTEXT:
		break;
	}
	if (err != ERR_OK)
		oracle_break(w, "outbox", "a record that was written cannot be replayed: %s", error.text);
}

void drawer_replay(struct world *w, struct drawer *d)
{
	outbox_index_done(&d->index);
	outbox_index_init(&d->index);
	d->writing = false;
	d->unsynced = 0;
	for (size_t i = 0; i < d->count; i++) {
		const struct drawer_segment *s = &d->segments[i];
		outbox_index_segment(&d->index, s->no);
		outbox_index_replay_reserve(&d->index, s->next);
		for (size_t at = 0; at < s->len; at++)
			replay_entry(w, d, &s->entries[at], (uint32_t)at);
	}
	outbox_index_replayed(&d->index);
}
