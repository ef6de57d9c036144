#include "coordinator/schedule/run.h"
#include "common/base/check.h"
#include "common/base/mem.h"
#include "coordinator/schedule/action.h"
#include "coordinator/schedule/attempt.h"
#include "coordinator/schedule/items.h"
#include "coordinator/schedule/lease.h"
#include "coordinator/schedule/route.h"
#include "coordinator/schedule/run_end.h"
#include <string.h>

enum { ATTEMPTS_MAX = 5, SAMPLE_MS_MAX = 600 * 1000 };
#define MISSING_SHARE_MAX 0.02
#define SAMPLES_MAX (UINT64_C(1) << 40)

struct run *run_find(const struct schedule *s, uint64_t run_id)
{
	const uint32_t *slot = map_get_u64(&s->run_slots, run_id);
	return slot ? s->runs[*slot] : NULL;
}

void run_touch(struct schedule *s, struct run *r)
{
	if (r->touched)
		return;
	r->touched = true;
	mem_reserve(&s->touched, &s->touched_cap, s->touched_count + 1, sizeof(*s->touched));
	s->touched[s->touched_count++] = r->slot;
}

void run_touch_route(struct schedule *s, uint32_t route)
{
	for (size_t i = 0; i < s->order_count; i++)
		if (s->runs[s->order[i]]->route == route)
			run_touch(s, s->runs[s->order[i]]);
}

uint64_t run_sample_count(const struct run *r)
{
	return r->suite_items * r->epochs;
}

uint64_t run_pending(const struct run *r)
{
	return r->done.len - r->done.count - r->out.count;
}

uint64_t run_storing(const struct run *r)
{
	return r->out.count - r->leased;
}

/* ---- admission ---- */

static uint32_t slot_take(struct schedule *s)
{
	for (size_t i = 0; i < s->run_cap; i++)
		if (!s->runs[i])
			return (uint32_t)i;
	size_t old = s->run_cap;
	mem_reserve(&s->runs, &s->run_cap, old + 1, sizeof(struct run *));
	for (size_t i = old; i < s->run_cap; i++)
		s->runs[i] = NULL;
	check(s->run_cap < UINT32_C(1) << FLIGHT_RUN_BITS);
	return (uint32_t)old;
}

/* Unselected items count as done in the bits, so that nothing ever looks at them again. */
static void mark_unselected(struct run *r, uint32_t epoch_from, uint32_t epoch_to)
{
	if (r->selected.len == 0)
		return;
	for (uint32_t e = epoch_from; e < epoch_to; e++)
		for (uint64_t item = bits_next_clear(&r->selected, 0); item < r->suite_items;
		     item = bits_next_clear(&r->selected, item + 1))
			(void)bits_set(&r->done, e * r->suite_items + item);
	r->unselected = (r->suite_items - r->selected.count) * epoch_to;
}

static void set_layers(struct run *r, const struct sched_run *in)
{
	position_init(&r->positions, in->order, in->seed);
	uint64_t samples = run_sample_count(r);
	bool fit = in->layer_count > 0;
	for (size_t i = 0; i < in->layer_count && fit; i++)
		fit = in->layers[i].sample_from <= samples &&
		      in->layers[i].sample_count <= samples - in->layers[i].sample_from;
	for (size_t i = 0; i < in->layer_count && fit; i++)
		position_add(&r->positions, in->layers[i]);
	if (!fit)
		position_add(&r->positions, (struct position_layer){ 0, 0, samples });
}

static void set_columns(struct run *r, const struct sched_run *in)
{
	r->run_id = in->run_id;
	r->team_id = in->team_id;
	r->route_id = in->route_id;
	r->retry_wave = in->retry_wave;
	r->scoring_no = in->scoring_no;
	r->priority = in->priority;
	r->created_no = in->created_no;
	r->suite_items = in->suite_items;
	r->epochs = in->epochs;
	r->context_bytes = in->context_bytes;
	r->item_bytes_mean = in->item_bytes_mean;
	r->caps = in->caps;
	if (r->caps.attempts_max == 0)
		r->caps.attempts_max = ATTEMPTS_MAX;
	if (r->caps.sample_ms_max == 0)
		r->caps.sample_ms_max = SAMPLE_MS_MAX;
	if (r->caps.missing_share_max == 0)
		r->caps.missing_share_max = MISSING_SHARE_MAX;
	r->state = SCHED_STATE_RUNNING;
}

static void set_bits(struct run *r, const struct sched_run *in)
{
	uint64_t samples = run_sample_count(r);
	if (in->selected.len) {
		bits_init(&r->selected, r->suite_items);
		bits_or_bytes(&r->selected, in->selected);
	}
	bits_init(&r->done, samples);
	bits_or_bytes(&r->done, in->done);
	if (in->missing.len) {
		bits_init(&r->missing, samples);
		bits_or_bytes(&r->missing, in->missing);
		for (uint64_t i = bits_next_set(&r->missing, 0); i < samples; i = bits_next_set(&r->missing, i + 1))
			if (!bits_get(&r->done, i))
				(void)bits_clear(&r->missing, i);
		memcpy(r->missing_counts, in->missing_counts, sizeof(r->missing_counts));
		uint64_t known = 0;
		for (size_t i = 1; i < OUTCOME_COUNT; i++)
			known += r->missing_counts[i];
		r->missing_counts[OUTCOME_NONE] = known < r->missing.count ? r->missing.count - known : 0;
	}
	mark_unselected(r, 0, r->epochs);
	r->total = samples - r->unselected;
	if (r->out.len == 0)
		bits_init(&r->out, samples);
	else
		bits_resize(&r->out, samples);
}

static bool goes_before(const struct run *a, const struct run *b)
{
	if (a->priority != b->priority)
		return a->priority > b->priority;
	if (a->created_no != b->created_no)
		return a->created_no < b->created_no;
	return a->run_id < b->run_id;
}

static void order_add(struct schedule *s, struct run *r)
{
	mem_reserve(&s->order, &s->order_cap, s->order_count + 1, sizeof(*s->order));
	size_t at = s->order_count++;
	for (; at > 0 && goes_before(r, s->runs[s->order[at - 1]]); at--)
		s->order[at] = s->order[at - 1];
	s->order[at] = r->slot;
}

/* Done, missing and layers of an ended run that is read again; what is still out stays out. */
static void run_clear(struct run *r)
{
	position_done(&r->positions);
	bits_done(&r->selected);
	bits_done(&r->done);
	bits_done(&r->missing);
	returned_done(&r->returned);
	returned_done(&r->suspects);
	map_done(&r->tried);
	items_done(r);
	r->unselected = r->total = 0;
	memset(r->missing_counts, 0, sizeof(r->missing_counts));
}

void run_free(struct run *r)
{
	run_clear(r);
	bits_done(&r->out);
	mem_free(r);
}

static bool admissible(const struct sched_run *in)
{
	return in->suite_items > 0 && in->epochs > 0 && in->suite_items <= SAMPLES_MAX / in->epochs &&
	       in->order == POSITION_IDENTITY;
}

/* Of a run that is read again: what came back after its end is not out any more. */
static void drop_done(struct schedule *s, struct run *r)
{
	struct lease *l;
	uint32_t index;
	for (uint64_t i = bits_next_set(&r->out, 0); i < r->out.len; i = bits_next_set(&r->out, i + 1)) {
		if (!bits_get(&r->done, i) || !lease_take_out(s, r, i, &l, &index))
			continue;
		(void)bits_clear(&r->out, i);
		if (l)
			lease_end_if_empty(s, l);
	}
}

void run_admit(struct schedule *s, const struct sched_run *in, struct sched_actions *out)
{
	struct run *r = run_find(s, in->run_id);
	if (r && (r->state == SCHED_STATE_RUNNING || run_sample_count(r) > in->suite_items * in->epochs))
		return;
	if (!admissible(in)) {
		struct sched_action *a = action_add(out, SCHED_DO_RUN_ENDED);
		a->ended.run_id = in->run_id;
		a->ended.state = SCHED_STATE_INCOMPLETE;
		a->ended.text = STR("the run cannot be scheduled: no samples, too many, or an unknown item order");
		return;
	}
	if (r) {
		run_clear(r);
	} else {
		uint32_t slot = slot_take(s);
		r = s->runs[slot] = mem_new(1, sizeof(*r));
		r->slot = slot;
		r->first_lease = r->last_lease = NO_SLOT;
		*(uint32_t *)map_put_u64(&s->run_slots, in->run_id, NULL) = slot;
	}
	map_init(&r->tried, sizeof(struct tried));
	set_columns(r, in);
	set_bits(r, in);
	set_layers(r, in);
	drop_done(s, r);
	r->sent_to = r->sent_asked = MIN_OF(in->sent_to, r->positions.total);
	r->gap = (struct span){ 0, r->sent_to };
	r->main = (struct span){ r->sent_to, r->positions.total };
	r->gap_closed = in->resumed && s->perhaps;
	r->rate_from_ms = s->now_ms;
	for (size_t i = 0; i < in->tried_count; i++)
		attempt_restore(r, &in->tried[i]);
	route_bind(s, r);
	order_add(s, r);
	run_touch(s, r);
}

/* ---- changes ---- */

void run_cancel(struct schedule *s, uint64_t run_id, struct sched_actions *out)
{
	struct run *r = run_find(s, run_id);
	if (!r || r->state != SCHED_STATE_RUNNING)
		return;
	run_end_cancelled(s, r, out);
	run_touch(s, r);
}

void run_retry(struct schedule *s, uint64_t run_id, uint32_t wave, struct sched_actions *out)
{
	struct run *r = run_find(s, run_id);
	if (!r || r->state != SCHED_STATE_RUNNING) {
		action_add(out, SCHED_DO_RUN_NEEDED)->run_id = run_id;
		return;
	}
	if (wave <= r->retry_wave)
		return;
	r->retry_wave = wave;
	if (r->missing.len) {
		for (size_t w = 0; w < (r->missing.len + 63) / 64; w++)
			r->done.words[w] &= ~r->missing.words[w];
		r->done.count -= r->missing.count;
		bits_done(&r->missing);
		memset(r->missing_counts, 0, sizeof(r->missing_counts));
	}
	position_add(&r->positions, (struct position_layer){ wave, 0, run_sample_count(r) });
	r->main.end = r->positions.total;
	attempt_new_wave(r);
	route_clear(s, r->route_id);
	run_touch(s, r);
}

void run_extend(struct schedule *s, uint64_t run_id, uint32_t epochs, struct sched_actions *out)
{
	struct run *r = run_find(s, run_id);
	if (!r || r->state != SCHED_STATE_RUNNING) {
		action_add(out, SCHED_DO_RUN_NEEDED)->run_id = run_id;
		return;
	}
	if (epochs <= r->epochs || epochs > SAMPLES_MAX / r->suite_items)
		return;
	uint64_t before = run_sample_count(r);
	uint32_t epochs_before = r->epochs;
	r->epochs = epochs;
	uint64_t samples = run_sample_count(r);
	bits_resize(&r->done, samples);
	bits_resize(&r->out, samples);
	if (r->missing.len)
		bits_resize(&r->missing, samples);
	mark_unselected(r, epochs_before, epochs);
	r->total = samples - r->unselected;
	position_add(&r->positions, (struct position_layer){ 0, before, samples - before });
	r->main.end = r->positions.total;
	run_touch(s, r);
}

void run_open_gaps(struct schedule *s)
{
	for (size_t i = 0; i < s->order_count; i++) {
		struct run *r = s->runs[s->order[i]];
		if (!r->gap_closed)
			continue;
		r->gap_closed = false;
		run_touch(s, r);
	}
}

/* ---- samples ---- */

static bool is_in_gap(const struct run *r, uint64_t sample_no)
{
	uint64_t from = 0;
	for (size_t i = 0; i < r->positions.layer_count && from < r->gap.end; i++) {
		const struct position_layer *layer = &r->positions.layers[i];
		if (sample_no - layer->sample_from < layer->sample_count &&
		    from + position_offset(&r->positions, i, sample_no) < r->gap.end)
			return true;
		from += layer->sample_count;
	}
	return false;
}

void run_give_back(struct schedule *s, struct run *r, uint64_t sample_no)
{
	const struct tried *t = attempt_of(r, sample_no);
	run_touch(s, r);
	if (t && t->over && r->state == SCHED_STATE_RUNNING)
		return; /* stays out until its row is there */
	check(bits_clear(&r->out, sample_no));
	if (r->state != SCHED_STATE_RUNNING || bits_get(&r->done, sample_no))
		return;
	s->counters.returned_samples++;
	if (r->gap_closed && is_in_gap(r, sample_no))
		return; /* another worker of the last term may hold it too: waits with the others */
	bool suspect = attempt_is_suspect(r, sample_no);
	s->suspects |= suspect;
	returned_put(suspect ? &r->suspects : &r->returned, sample_no);
}

void run_settle(struct schedule *s, struct run *r, uint64_t sample_no, enum outcome outcome)
{
	(void)bits_clear(&r->out, sample_no);
	(void)bits_set(&r->done, sample_no);
	if (r->tried.len)
		(void)map_remove_u64(&r->tried, sample_no);
	if (outcome_is_missing(outcome)) {
		if (r->missing.len == 0)
			bits_init(&r->missing, r->done.len);
		(void)bits_set(&r->missing, sample_no);
		r->missing_counts[outcome]++;
	}
	run_touch(s, r);
}

uint64_t run_next_pending(const struct run *r, uint64_t from, uint64_t to)
{
	if (from >= to)
		return to;
	size_t w = (size_t)(from / 64), last = (size_t)((to - 1) / 64);
	uint64_t word = ~(r->done.words[w] | r->out.words[w]) & (UINT64_MAX << (from % 64));
	while (word == 0) {
		if (++w > last)
			return to;
		word = ~(r->done.words[w] | r->out.words[w]);
	}
	uint64_t at = (uint64_t)w * 64 + (uint64_t)__builtin_ctzll(word);
	return MIN_OF(at, to);
}

bool run_next(const struct run *r, struct span *span, uint64_t end, uint64_t *ret_sample_no)
{
	end = MIN_OF(end, span->end);
	while (span->at < end) {
		uint64_t offset;
		size_t i = position_layer_of(&r->positions, span->at, &offset);
		const struct position_layer *layer = &r->positions.layers[i];
		uint64_t layer_from = span->at - offset;
		uint64_t past = MIN_OF(layer->sample_count, end - layer_from);
		uint64_t from = position_sample(&r->positions, i, offset);
		uint64_t to = layer->sample_from + past;
		uint64_t found = run_next_pending(r, from, to);
		if (found < to) {
			span->at = layer_from + position_offset(&r->positions, i, found);
			*ret_sample_no = found;
			return true;
		}
		span->at = layer_from + past;
	}
	return false;
}

bool run_next_returned(const struct run *r, struct returned *from, uint64_t *ret_sample_no)
{
	while (returned_min(from, ret_sample_no)) {
		if (!bits_get(&r->done, *ret_sample_no) && !bits_get(&r->out, *ret_sample_no))
			return true;
		returned_pop(from);
	}
	return false;
}
