#include "coordinator/schedule/items.h"
#include "common/base/mem.h"
#include "coordinator/schedule/action.h"
#include "coordinator/schedule/run.h"
#include <string.h>

enum {
	BYTES_MEAN_GUESS = 1024,
	AHEAD_ITEMS_MIN = 64,
	AHEAD_S = 2, /* seconds of work to read ahead */
	PARTS_FOR_MAIN = 8,
	PARTS_FOR_OTHERS = 2,    /* gap and returned, each */
	RETURNED_ITEMS_MAX = 64, /* returned samples stand in neighbourhoods: how much of one is read at once */
	APART_ITEMS_MAX = 16,
};

static uint64_t item_of(struct run *r, uint64_t sample_no)
{
	if (sample_no - r->epoch_base >= r->suite_items) /* also when it is before the base: wraps around */
		r->epoch_base = sample_no - sample_no % r->suite_items;
	return sample_no - r->epoch_base;
}

static struct items_part *part_of(struct run *r, uint64_t item)
{
	for (size_t i = 0; i < r->part_count; i++)
		if (item - r->parts[i].from < r->parts[i].to - r->parts[i].from)
			return &r->parts[i];
	return NULL;
}

bool items_size(struct run *r, uint64_t sample_no, uint32_t *ret_bytes)
{
	uint64_t item = item_of(r, sample_no);
	const struct items_part *part = part_of(r, item);
	if (!part || !part->loaded)
		return false;
	*ret_bytes = part->sizes[item - part->from];
	return true;
}

bool items_wait(const struct run *r)
{
	for (size_t i = 0; i < r->part_count; i++)
		if (!r->parts[i].loaded)
			return true;
	return false;
}

static void part_remove(struct run *r, struct items_part *part)
{
	r->part_items -= part->to - part->from;
	r->part_bytes -= part->bytes;
	mem_free(part->sizes);
	size_t i = (size_t)(part - r->parts);
	memmove(part, part + 1, (r->part_count - i - 1) * sizeof(*part));
	r->part_count--;
}

static void say_drop(uint64_t run_id, uint64_t from, uint64_t to, struct sched_actions *out)
{
	struct sched_action *a = action_add(out, SCHED_DO_DROP_ITEMS);
	a->items.run_id = run_id;
	a->items.from = from;
	a->items.to = to;
}

/* A part still on its way is forgotten here and dropped when it comes. */
static void part_drop(struct run *r, struct items_part *part, struct sched_actions *out)
{
	if (part->loaded)
		say_drop(r->run_id, part->from, part->to, out);
	part_remove(r, part);
}

void items_drop_all(struct run *r, struct sched_actions *out)
{
	while (r->part_count)
		part_drop(r, &r->parts[r->part_count - 1], out);
}

void items_done(struct run *r)
{
	while (r->part_count)
		part_remove(r, &r->parts[r->part_count - 1]);
}

void items_loaded(struct schedule *s, uint64_t run_id, uint64_t from, uint64_t to, const uint32_t *sizes,
                  struct sched_actions *out)
{
	struct run *r = run_find(s, run_id);
	struct items_part *part = r && from < to ? part_of(r, from) : NULL;
	if (!part || part->loaded || part->from != from || to > part->to) {
		if (from < to)
			say_drop(run_id, from, to, out);
		return;
	}
	r->part_items -= part->to - to;
	part->to = to;
	part->sizes = mem_new(to - from, sizeof(*sizes));
	memcpy(part->sizes, sizes, (to - from) * sizeof(*sizes));
	for (uint64_t i = 0; i < to - from; i++)
		part->bytes += sizes[i];
	part->loaded = true;
	r->part_bytes += part->bytes;
	uint64_t mean = part->bytes / (to - from) + 1;
	r->item_bytes_mean = (uint32_t)(r->item_bytes_mean ? (r->item_bytes_mean + mean) / 2 : mean);
	run_touch(s, r);
}

/* ---- reading ahead ---- */

static bool fits_whole(const struct schedule *s, const struct run *r)
{
	uint64_t mean = r->item_bytes_mean ? r->item_bytes_mean : BYTES_MEAN_GUESS;
	return r->suite_items <= s->config.window_items_max / 2 &&
	       r->suite_items * mean <= s->config.window_bytes_max / 2;
}

static uint64_t part_items_max(const struct schedule *s, const struct run *r)
{
	uint64_t mean = r->item_bytes_mean ? r->item_bytes_mean : BYTES_MEAN_GUESS;
	uint64_t by_bytes = s->config.window_bytes_max / PARTS_FOR_MAIN / mean;
	uint64_t most = MIN_OF(by_bytes, s->config.window_items_max / PARTS_FOR_MAIN);
	return MAX_OF(most, 1);
}

static size_t parts_for(const struct run *r, enum part_for purpose)
{
	size_t n = 0;
	for (size_t i = 0; i < r->part_count; i++)
		n += r->parts[i].purpose == purpose;
	return n;
}

static bool first_returned_in(struct run *r, struct returned *from, const struct items_part *part)
{
	uint64_t sample_no;
	if (!run_next_returned(r, from, &sample_no))
		return false;
	uint64_t item = item_of(r, sample_no);
	return item >= part->from && item < part->to;
}

static bool is_next(struct run *r, const struct items_part *part)
{
	if (first_returned_in(r, &r->returned, part) || first_returned_in(r, &r->suspects, part))
		return true;
	if (part->purpose == PART_RETURNED)
		return false;
	const struct span *span = part->purpose == PART_GAP ? &r->gap : &r->main;
	return span->at < part->past;
}

/* All places are taken: the part that is needed last gives its place up, to be read again. */
static bool make_room(struct run *r, struct sched_actions *out)
{
	struct items_part *worst = NULL;
	for (size_t i = 0; i < r->part_count; i++) {
		struct items_part *part = &r->parts[i];
		if (!part->loaded)
			continue;
		if (!is_next(r, part)) {
			worst = part;
			break;
		}
		if (!worst || part->past > worst->past)
			worst = part;
	}
	if (worst)
		part_drop(r, worst, out);
	return worst != NULL;
}

/* `first`: its span can do nothing without it, so it is read whatever the window says. */
static bool may_load(const struct schedule *s, struct run *r, enum part_for purpose, bool first,
                     struct sched_actions *out)
{
	if (first)
		return r->part_count < ITEMS_PARTS_MAX || make_room(r, out);
	size_t most = purpose == PART_MAIN ? PARTS_FOR_MAIN : PARTS_FOR_OTHERS;
	return r->part_count < ITEMS_PARTS_MAX && parts_for(r, purpose) < most &&
	       r->part_items < s->config.window_items_max && r->part_bytes < s->config.window_bytes_max;
}

/* Where to end a part that begins with this sample: samples that stand far apart are not worth what lies between. */
static uint64_t part_end(const struct schedule *s, const struct run *r, uint64_t sample_no, uint64_t item,
                         uint64_t most)
{
	uint64_t to = MIN_OF(item + most, r->suite_items);
	if (fits_whole(s, r))
		return to;
	uint64_t base = sample_no - item, end = sample_no + 1, next;
	while ((next = run_next_pending(r, end, base + to)) < base + to && next - end <= APART_ITEMS_MAX)
		end = next + 1;
	return end - base;
}

static struct items_part *part_load(const struct schedule *s, struct run *r, uint64_t sample_no, uint64_t item,
                                    enum part_for purpose, struct sched_actions *out)
{
	uint64_t most = part_items_max(s, r);
	if (purpose == PART_RETURNED)
		most = MIN_OF(most, (uint64_t)RETURNED_ITEMS_MAX);
	uint64_t to = part_end(s, r, sample_no, item, most);
	for (size_t i = 0; i < r->part_count; i++)
		if (r->parts[i].from > item)
			to = MIN_OF(to, r->parts[i].from);
	struct items_part *part = &r->parts[r->part_count++];
	*part = (struct items_part){ .from = item, .to = to, .purpose = purpose };
	r->part_items += to - item;
	struct sched_action *a = action_add(out, SCHED_DO_LOAD_ITEMS);
	a->items.run_id = r->run_id;
	a->items.from = item;
	a->items.to = to;
	return part;
}

static void ahead_of_span(const struct schedule *s, struct run *r, struct span span, uint64_t end,
                          enum part_for purpose, uint64_t want, struct sched_actions *out)
{
	uint64_t sample_no;
	for (uint64_t ahead = 0; ahead < want && run_next(r, &span, end, &sample_no);) {
		uint64_t item = item_of(r, sample_no);
		struct items_part *part = part_of(r, item);
		if (!part) {
			if (!may_load(s, r, purpose, ahead == 0, out))
				return;
			part = part_load(s, r, sample_no, item, purpose, out);
		}
		uint64_t rest = part->to - item;
		ahead += rest;
		span.at += rest; /* items of one epoch stand in a row */
		part->past = MAX_OF(part->past, span.at);
		if (purpose == PART_MAIN)
			part->purpose = PART_MAIN;
	}
}

static void ahead_of_returned(const struct schedule *s, struct run *r, struct returned *from, struct sched_actions *out)
{
	uint64_t sample_no;
	if (!run_next_returned(r, from, &sample_no))
		return;
	uint64_t item = item_of(r, sample_no);
	if (!part_of(r, item) && may_load(s, r, PART_RETURNED, true, out))
		(void)part_load(s, r, sample_no, item, PART_RETURNED, out);
}

static bool is_wanted(const struct schedule *s, struct run *r, const struct items_part *part)
{
	return (fits_whole(s, r) && run_pending(r) > 0) || is_next(r, part);
}

void items_refresh(struct schedule *s, struct run *r, struct sched_actions *out)
{
	if (r->state != SCHED_STATE_RUNNING)
		return;
	for (size_t i = r->part_count; i-- > 0;)
		if (r->parts[i].loaded && !is_wanted(s, r, &r->parts[i]))
			part_drop(r, &r->parts[i], out);
	ahead_of_returned(s, r, &r->returned, out);
	ahead_of_returned(s, r, &r->suspects, out);
	uint64_t want = MAX_OF((uint64_t)(r->rate * AHEAD_S), (uint64_t)AHEAD_ITEMS_MIN);
	want = MIN_OF(want, s->config.window_items_max);
	if (!r->gap_closed)
		ahead_of_span(s, r, r->gap, r->gap.end, PART_GAP, want, out);
	ahead_of_span(s, r, r->main, r->sent_asked, PART_MAIN, want, out);
}
