#include "coordinator/schedule/lease.h"
#include "common/base/check.h"
#include "common/base/mem.h"
#include "coordinator/schedule/run.h"
#include "coordinator/schedule/slice.h"
#include <string.h>

static const uint32_t class_capacity[LEASE_CLASSES] = { 16, 64, 256, WIRE_LEASE_SAMPLES_MAX };

static unsigned class_of(uint32_t capacity)
{
	unsigned c = 0;
	while (class_capacity[c] < capacity)
		c++;
	return c;
}

static struct lease *lease_make(struct schedule *s, unsigned class)
{
	uint32_t capacity = class_capacity[class];
	size_t words = (capacity + 63) / 64;
	struct lease *l = mem_new(1, sizeof(*l) + (capacity + 4 * words) * sizeof(uint64_t));
	uint64_t *tail = (uint64_t *)(void *)(l + 1);
	l->sample_nos = tail;
	l->live_bits = tail + capacity;
	l->started_bits = l->live_bits + words;
	l->absent_bits = l->started_bits + words;
	l->gone_bits = l->absent_bits + words;
	l->capacity = capacity;
	l->slot = (uint32_t)s->lease_slots;
	mem_reserve(&s->leases, &s->lease_cap, s->lease_slots + 1, sizeof(struct lease *));
	s->leases[s->lease_slots++] = l;
	return l;
}

struct lease *lease_new(struct schedule *s, struct run *r, struct worker *w, uint32_t capacity)
{
	check(capacity >= 1 && capacity <= WIRE_LEASE_SAMPLES_MAX);
	unsigned class = class_of(capacity);
	struct lease *l = s->free_leases[class];
	if (l) {
		s->free_leases[class] = l->next_free;
		struct lease kept = *l;
		*l = (struct lease){ .slot = kept.slot,
			             .capacity = kept.capacity,
			             .sample_nos = kept.sample_nos,
			             .live_bits = kept.live_bits,
			             .started_bits = kept.started_bits,
			             .absent_bits = kept.absent_bits,
			             .gone_bits = kept.gone_bits };
	} else {
		l = lease_make(s, class);
	}
	size_t words = (l->capacity + 63) / 64;
	memset(l->live_bits, 0, words * 4 * sizeof(uint64_t)); /* the four bitmaps stand side by side */
	l->used = true;
	l->run = r->slot;
	l->worker = w->slot;
	l->route = r->route;
	l->retry_no = r->retry_wave;
	l->lent_ms = s->now_ms;
	l->run_next = NO_SLOT;
	l->run_prev = r->last_lease;
	if (r->last_lease == NO_SLOT)
		r->first_lease = l->slot;
	else
		s->leases[r->last_lease]->run_next = l->slot;
	r->last_lease = l->slot;
	w->lease_count++;
	return l;
}

/* ---- the worker's list, by number, with holes ---- */

static int number_cmp(struct lease_no a, struct lease_no b)
{
	if (a.term != b.term)
		return a.term < b.term ? -1 : 1;
	return a.n < b.n ? -1 : a.n > b.n;
}

static size_t held_place(const struct worker *w, struct lease_no number)
{
	size_t from = 0, to = w->held_count;
	while (from < to) {
		size_t middle = from + (to - from) / 2;
		if (number_cmp(w->held[middle].number, number) < 0)
			from = middle + 1;
		else
			to = middle;
	}
	return from;
}

void lease_enter(struct schedule *s, struct lease *l, struct lease_no number)
{
	struct worker *w = s->workers[l->worker];
	l->number = number;
	size_t at = held_place(w, number);
	if (at < w->held_count && number_cmp(w->held[at].number, number) == 0) {
		check(w->held[at].lease == NO_SLOT);
		w->held_holes--;
		w->held[at].lease = l->slot;
		return;
	}
	mem_reserve(&w->held, &w->held_cap, w->held_count + 1, sizeof(*w->held));
	if (at < w->held_count)
		memmove(&w->held[at + 1], &w->held[at], (w->held_count - at) * sizeof(*w->held));
	w->held[at] = (struct held_lease){ number, l->slot };
	w->held_count++;
}

struct lease *lease_find(const struct schedule *s, const struct worker *w, struct lease_no number)
{
	size_t at = held_place(w, number);
	if (at == w->held_count || number_cmp(w->held[at].number, number) != 0 || w->held[at].lease == NO_SLOT)
		return NULL;
	return s->leases[w->held[at].lease];
}

static void held_remove(struct worker *w, struct lease_no number)
{
	size_t at = held_place(w, number);
	check(at < w->held_count && number_cmp(w->held[at].number, number) == 0);
	w->held[at].lease = NO_SLOT;
	w->held_holes++;
}

/* Holes are closed only between steps: those who walk the list keep their place. */
void lease_close_holes(struct worker *w)
{
	if (w->held_holes < 16 || w->held_holes * 2 < w->held_count)
		return;
	size_t kept = 0;
	for (size_t i = 0; i < w->held_count; i++)
		if (w->held[i].lease != NO_SLOT)
			w->held[kept++] = w->held[i];
	w->held_count = kept;
	w->held_holes = 0;
}

/* ---- samples ---- */

void lease_add(struct schedule *s, struct lease *l, uint64_t sample_no)
{
	struct run *r = s->runs[l->run];
	struct worker *w = s->workers[l->worker];
	uint32_t i = l->count++;
	l->sample_nos[i] = sample_no;
	l->live_bits[i / 64] |= UINT64_C(1) << (i % 64);
	l->live++;
	(void)bits_set(&r->out, sample_no); /* may be set already: taken over from a ghost */
	flight_put(&s->flight, r->slot, sample_no, (struct flight_ref){ l->slot, i });
	r->leased++;
	w->out++;
	if (l->route != NO_SLOT)
		slice_of(s, w, l->route)->out++;
}

void lease_skip(struct lease *l, uint64_t sample_no)
{
	l->sample_nos[l->count++] = sample_no;
}

void lease_drop(struct schedule *s, struct lease *l, uint32_t index)
{
	struct run *r = s->runs[l->run];
	struct worker *w = s->workers[l->worker];
	check(lease_is_live(l, index));
	l->live_bits[index / 64] &= ~(UINT64_C(1) << (index % 64));
	l->live--;
	check(flight_remove(&s->flight, r->slot, l->sample_nos[index]));
	r->leased--;
	if (l->ghost)
		return;
	w->out--;
	if (l->route != NO_SLOT)
		slice_of(s, w, l->route)->out--;
}

void lease_end_if_empty(struct schedule *s, struct lease *l)
{
	if (l->live > 0)
		return;
	struct run *r = s->runs[l->run];
	struct worker *w = s->workers[l->worker];
	if (l->run_prev == NO_SLOT)
		r->first_lease = l->run_next;
	else
		s->leases[l->run_prev]->run_next = l->run_next;
	if (l->run_next == NO_SLOT)
		r->last_lease = l->run_prev;
	else
		s->leases[l->run_next]->run_prev = l->run_prev;
	if (l->number.n)
		held_remove(w, l->number);
	w->lease_count--;
	l->used = false;
	unsigned class = class_of(l->capacity);
	l->next_free = s->free_leases[class];
	s->free_leases[class] = l;
}

bool lease_is_live(const struct lease *l, uint32_t index)
{
	return index < l->count && (l->live_bits[index / 64] >> (index % 64) & 1);
}

bool lease_is_started(const struct lease *l, uint32_t index)
{
	return index < l->count && (l->started_bits[index / 64] >> (index % 64) & 1);
}

bool lease_is_gone(const struct lease *l, uint32_t index)
{
	return index < l->count && (l->gone_bits[index / 64] >> (index % 64) & 1);
}

void lease_make_ghost(struct schedule *s, struct lease *l)
{
	if (l->ghost)
		return;
	struct worker *w = s->workers[l->worker];
	l->ghost = true;
	l->frame_no = 0;
	w->out -= l->live;
	if (l->route != NO_SLOT)
		slice_of(s, w, l->route)->out -= l->live;
}

void lease_unghost(struct schedule *s, struct lease *l)
{
	if (!l->ghost)
		return;
	struct worker *w = s->workers[l->worker];
	l->ghost = false;
	w->out += l->live;
	if (l->route != NO_SLOT)
		slice_of(s, w, l->route)->out += l->live;
}

void lease_give_back(struct schedule *s, struct lease *l, const uint64_t *which)
{
	struct run *r = s->runs[l->run];
	for (uint32_t word = 0; word < lease_words(l); word++) {
		uint64_t left = l->live_bits[word] & (which ? which[word] : UINT64_MAX);
		for (; left; left &= left - 1) {
			uint32_t i = word * 64 + (uint32_t)__builtin_ctzll(left);
			uint64_t sample_no = l->sample_nos[i];
			lease_drop(s, l, i);
			run_give_back(s, r, sample_no);
		}
	}
	lease_end_if_empty(s, l);
}

bool lease_take_out(struct schedule *s, struct run *r, uint64_t sample_no, struct lease **ret_from, uint32_t *ret_index)
{
	struct flight_ref ref = { 0 };
	*ret_from = NULL;
	if (!bits_get(&r->out, sample_no))
		return false;
	if (flight_get(&s->flight, r->slot, sample_no, &ref)) {
		*ret_from = s->leases[ref.lease];
		lease_drop(s, *ret_from, ref.index);
	}
	*ret_index = ref.index;
	return true;
}
