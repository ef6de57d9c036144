#include "coordinator/schedule/takeback.h"
#include "coordinator/schedule/lease.h"
#include "coordinator/schedule/run.h"
#include "coordinator/schedule/slice.h"
#include "coordinator/schedule/worker.h"

enum { VICTIMS_MAX = 64 };

static uint64_t ask(struct schedule *s, struct lease *l, uint64_t most, struct sched_actions *out)
{
	uint32_t *indexes = NULL;
	size_t n = 0;
	for (uint32_t i = l->count; i-- > 0 && n < most;) {
		if (!lease_is_live(l, i) || lease_is_started(l, i))
			continue;
		if (!indexes)
			indexes = arena_new(&out->arena, l->count, sizeof(*indexes));
		indexes[n++] = i;
	}
	if (n)
		worker_ask_back(s, l, indexes, n, out);
	return n;
}

uint64_t takeback_unstarted(struct schedule *s, struct worker *w, uint32_t route, uint64_t most,
                            struct sched_actions *out)
{
	uint64_t asked = 0;
	for (size_t i = w->held_count; i-- > 0 && asked < most;) {
		struct lease *l = w->held[i].lease == NO_SLOT ? NULL : s->leases[w->held[i].lease];
		if (!l || l->ghost || l->answers || l->alone || l->asked_back)
			continue;
		if (route == NO_SLOT || l->route == route)
			asked += ask(s, l, most - asked, out);
	}
	return asked;
}

/* Unstarted samples that its free slots will not begin at once; nothing while a RELEASE is under way. */
static uint64_t surplus(const struct schedule *s, struct worker *w, uint32_t route)
{
	uint64_t unstarted = 0;
	if (!w->used || !w->connected || w->alone)
		return 0;
	const struct slice *sl = slice_of(s, w, route);
	if (sl->out <= sl->told)
		return 0;
	for (size_t i = 0; i < w->held_count; i++) {
		const struct lease *l = w->held[i].lease == NO_SLOT ? NULL : s->leases[w->held[i].lease];
		if (!l || l->ghost || l->answers || l->route != route)
			continue;
		if (l->asked_back)
			return 0;
		for (uint32_t word = 0; word < lease_words(l); word++)
			unstarted += (uint64_t)__builtin_popcountll(l->live_bits[word] & ~l->started_bits[word]);
	}
	uint64_t started = sl->out - unstarted;
	uint64_t room = sl->told > started ? sl->told - started : 0;
	return unstarted > room ? unstarted - room : 0;
}

static uint64_t idle_slots(const struct schedule *s, uint32_t route)
{
	uint64_t idle = 0;
	for (uint32_t i = s->routes[route]->first_hungry; i != NO_SLOT;) {
		const struct slice *sl = slice_of(s, s->workers[i], route);
		uint64_t room = sl->told > sl->out ? sl->told - sl->out : 0;
		idle += MIN_OF(room, slice_want(s, s->workers[i], route));
		i = sl->hungry_next;
	}
	return idle;
}

static bool anything_pending(const struct schedule *s, uint32_t route)
{
	for (size_t i = 0; i < s->order_count; i++)
		if (s->runs[s->order[i]]->route == route && run_pending(s->runs[s->order[i]]) > 0)
			return true;
	return false;
}

void takeback_care(struct schedule *s, uint32_t route, struct sched_actions *out)
{
	if (s->routes[route]->run_count == 0 || anything_pending(s, route))
		return;
	uint64_t idle = idle_slots(s, route);
	for (int victims = 0; idle > 0 && victims < VICTIMS_MAX; victims++) {
		struct worker *worst = NULL;
		uint64_t most = 0;
		for (size_t i = 0; i < s->worker_slots_used; i++) {
			uint64_t n = surplus(s, s->workers[i], route);
			if (n > most) {
				most = n;
				worst = s->workers[i];
			}
		}
		if (!worst)
			return;
		idle -= takeback_unstarted(s, worst, route, MIN_OF((most + 1) / 2, idle), out);
	}
}
