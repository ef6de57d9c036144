#include "coordinator/schedule/worker_list.h"
#include "common/base/check.h"
#include "common/base/mem.h"
#include "coordinator/schedule/worker.h"

enum { WORKER_TEXT_BYTES_MAX = 8 << 20 };

struct worker *worker_find(const struct schedule *s, uint32_t worker_id)
{
	const uint32_t *slot = map_get_u64(&s->worker_slots, worker_id);
	return slot ? s->workers[*slot] : NULL;
}

static struct str outbox_key(const struct outbox_id *outbox)
{
	return str_make(outbox->bytes, sizeof(outbox->bytes));
}

struct worker *worker_of_outbox(const struct schedule *s, const struct outbox_id *outbox)
{
	const uint32_t *slot = map_get(&s->outbox_slots, outbox_key(outbox));
	return slot ? s->workers[*slot] : NULL;
}

static uint32_t slot_take(struct schedule *s)
{
	if (s->free_worker != NO_SLOT) {
		uint32_t slot = s->free_worker;
		s->free_worker = s->workers[slot]->due_next;
		return slot;
	}
	size_t slot = s->worker_slots_used++;
	mem_reserve(&s->workers, &s->worker_cap, slot + 1, sizeof(struct worker *));
	s->workers[slot] = mem_new(1, sizeof(struct worker));
	return (uint32_t)slot;
}

struct worker *worker_list_add(struct schedule *s, const struct outbox_id *outbox)
{
	uint32_t slot = slot_take(s);
	struct worker *w = s->workers[slot];
	*w = (struct worker){ .slot = slot, .outbox = *outbox, .used = true, .due_prev = NO_SLOT, .due_next = NO_SLOT };
	w->alone_run = NO_SLOT;
	arena_init(&w->texts, WORKER_TEXT_BYTES_MAX);
	*(uint32_t *)map_put(&s->outbox_slots, outbox_key(outbox), NULL) = slot;
	s->worker_count++;
	return w;
}

void worker_free(struct worker *w)
{
	arena_done(&w->texts);
	mem_free(w->slices);
	mem_free(w->held);
	bits_done(&w->contexts);
}

void worker_list_remove(struct schedule *s, struct worker *w)
{
	check(w->lease_count == 0 && !w->connected);
	worker_list_undue(s, w);
	(void)map_remove(&s->outbox_slots, outbox_key(&w->outbox));
	worker_free(w);
	*w = (struct worker){ .slot = w->slot, .due_next = s->free_worker };
	s->free_worker = w->slot;
	s->worker_count--;
}

void worker_list_undue(struct schedule *s, struct worker *w)
{
	if (w->deadline_ms == 0)
		return;
	if (w->due_prev == NO_SLOT)
		s->first_due = w->due_next;
	else
		s->workers[w->due_prev]->due_next = w->due_next;
	if (w->due_next == NO_SLOT)
		s->last_due = w->due_prev;
	else
		s->workers[w->due_next]->due_prev = w->due_prev;
	w->due_prev = w->due_next = NO_SLOT;
	w->deadline_ms = 0;
}

void worker_list_due(struct schedule *s, struct worker *w, uint64_t deadline_ms)
{
	worker_list_undue(s, w);
	check(s->last_due == NO_SLOT || s->workers[s->last_due]->deadline_ms <= deadline_ms);
	w->deadline_ms = deadline_ms;
	w->due_prev = s->last_due;
	if (s->last_due == NO_SLOT)
		s->first_due = w->slot;
	else
		s->workers[s->last_due]->due_next = w->slot;
	s->last_due = w->slot;
}
