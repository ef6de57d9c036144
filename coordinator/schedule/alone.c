#include "coordinator/schedule/alone.h"
#include "coordinator/schedule/items.h"
#include "coordinator/schedule/lease.h"
#include "coordinator/schedule/lend.h"
#include "coordinator/schedule/route.h"
#include "coordinator/schedule/run.h"
#include "coordinator/schedule/slice.h"
#include "coordinator/schedule/takeback.h"

static bool can_take(const struct schedule *s, struct worker *w, uint32_t route)
{
	if (!w->used || !w->known || !w->connected || !w->renewed || w->expired || w->draining)
		return false;
	const struct slice *sl = slice_of(s, w, route);
	return !sl->unable && !sl->refused_work && sl->told > 0;
}

static bool lend_alone(struct schedule *s, struct run *r, struct worker *w, struct sched_actions *out)
{
	uint64_t sample_no;
	uint32_t bytes;
	if (!run_next_returned(r, &r->suspects, &sample_no) || !items_size(r, sample_no, &bytes))
		return false;
	returned_pop(&r->suspects);
	struct lease *l = lease_new(s, r, w, 1);
	l->alone = true;
	lease_add(s, l, sample_no);
	lend_lease(s, l, out);
	return true;
}

/* The able worker with the least to finish; ties go to the one that came first. */
static struct worker *choose(const struct schedule *s, uint32_t route)
{
	struct worker *best = NULL;
	for (size_t i = 0; i < s->worker_slots_used; i++) {
		struct worker *w = s->workers[i];
		if (can_take(s, w, route) && !w->alone && (!best || w->out < best->out))
			best = w;
	}
	return best;
}

static size_t set_aside_count(const struct schedule *s)
{
	size_t n = 0;
	for (size_t i = 0; i < s->worker_slots_used; i++)
		n += s->workers[i]->used && s->workers[i]->connected && s->workers[i]->alone;
	return n;
}

static void set_aside(struct schedule *s, struct run *r, struct worker *w, struct sched_actions *out)
{
	w->alone = true;
	w->alone_run = r->slot;
	slice_update_all(s, w);
	takeback_unstarted(s, w, NO_SLOT, UINT64_MAX, out);
}

static void serve_run(struct schedule *s, struct run *r, struct sched_actions *out)
{
	uint64_t sample_no;
	for (size_t i = 0; i < s->worker_slots_used; i++) {
		struct worker *w = s->workers[i];
		bool is_free = w->alone && w->alone_run == r->slot && w->out == 0 && w->limit > 0;
		if (is_free && can_take(s, w, r->route) && !lend_alone(s, r, w, out))
			return;
	}
	size_t most = MAX_OF(s->connected_count / 4, (size_t)1);
	if (!run_next_returned(r, &r->suspects, &sample_no) || set_aside_count(s) >= most)
		return;
	struct worker *w = choose(s, r->route);
	if (!w)
		return;
	set_aside(s, r, w, out);
	if (w->out == 0 && w->limit > 0)
		(void)lend_alone(s, r, w, out);
}

/* Workers that have no suspect to wait for go back to the others. */
static bool let_go(struct schedule *s)
{
	bool any = false;
	uint64_t sample_no;
	for (size_t i = 0; i < s->worker_slots_used; i++) {
		struct worker *w = s->workers[i];
		if (!w->used || !w->alone)
			continue;
		struct run *r = w->alone_run == NO_SLOT ? NULL : s->runs[w->alone_run];
		bool waits = r && r->state == SCHED_STATE_RUNNING && run_next_returned(r, &r->suspects, &sample_no);
		if (waits || w->out > 0) {
			any = true;
			continue;
		}
		w->alone = false;
		w->alone_run = NO_SLOT;
		slice_update_all(s, w);
	}
	return any;
}

void alone_serve(struct schedule *s, struct sched_actions *out)
{
	bool any = false;
	uint64_t sample_no;
	for (size_t i = 0; i < s->order_count; i++) {
		struct run *r = s->runs[s->order[i]];
		if (!run_next_returned(r, &r->suspects, &sample_no))
			continue;
		any = true;
		if (route_serves(s, r))
			serve_run(s, r, out);
	}
	any |= let_go(s);
	s->suspects = any;
}
