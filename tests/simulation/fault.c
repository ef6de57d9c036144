/* Carries out the plan: what goes wrong, and what people ask for meanwhile. */
#include "tests/simulation/world.h"

static void worker_fault(struct world *w, const struct plan_fault *f)
{
	struct crew *c = &w->crews[f->who];
	uint64_t back_ms = 200 + f->for_ms;
	bool never = f->who > 0 && f->amount % 16 == 0;
	if (!c->alive)
		return;
	if (f->kind == FAULT_WORKER_STOP) {
		world_at(w, w->now_ms, EV_WORKER_STOPS, f->who, c->life, 0);
		return;
	}
	crew_kill(w, c, f->kind == FAULT_WORKER_POWER, never ? UINT64_MAX : back_ms);
	if (f->kind == FAULT_WORKER_LOSES_OUTBOX)
		drawer_wipe(w, &c->drawer);
	if (f->kind == FAULT_WORKER_ROT)
		drawer_rot(w, &c->drawer);
}

static void wire_fault(struct world *w, const struct plan_fault *f)
{
	struct crew *c = &w->crews[f->who];
	uint32_t coord = f->amount % w->plan.coord_count;
	bool both = f->amount >> 8 & 1; /* from every coordinator */
	uint64_t until_ms = w->now_ms + f->for_ms;
	for (uint32_t i = 0; i < w->plan.coord_count; i++) {
		if (i != coord && !both)
			continue;
		if (f->kind == FAULT_CUT || f->kind == FAULT_CUT_UP)
			c->cut_up_until_ms[i] = MAX_OF(c->cut_up_until_ms[i], until_ms);
		if (f->kind == FAULT_CUT || f->kind == FAULT_CUT_DOWN)
			c->cut_down_until_ms[i] = MAX_OF(c->cut_down_until_ms[i], until_ms);
	}
	if (f->kind == FAULT_WIRE_BREAK && c->alive && c->cable_count)
		crew_opened(w, c, cable_get(w, c->cables[0])->conn, false);
}

static void coord_fault(struct world *w, const struct plan_fault *f)
{
	struct desk *d = &w->desks[f->who];
	if (d->role == DESK_DOWN)
		return;
	switch (f->kind) {
	case FAULT_COORD_KILL:
		desk_die(w, d, f->amount & 1, f->for_ms);
		return;
	case FAULT_COORD_PAUSE:
		d->paused_until_ms = MAX_OF(d->paused_until_ms, w->now_ms + f->for_ms);
		return;
	case FAULT_COORD_LOSES_DATABASE:
		d->cut_until_ms = MAX_OF(d->cut_until_ms, w->now_ms + f->for_ms);
		return;
	default:
		d->wall_skew_ms += (int64_t)(f->amount % 20000) - 10000;
	}
}

void fault_over(struct world *w)
{
	w->faults_over = true;
	for (uint32_t i = 0; i < w->plan.worker_count; i++) {
		w->crews[i].drawer.full = false;
		w->crews[i].stalled_until_ms = MIN_OF(w->crews[i].stalled_until_ms, w->now_ms);
	}
}

void fault_event(struct world *w, const struct event *ev)
{
	if (ev->a == UINT64_MAX) {
		world_log(w, "no more faults");
		fault_over(w);
		return;
	}
	const struct plan_fault *f = &w->plan.faults[ev->a];
	struct crew *c = &w->crews[f->who];
	world_log(w, "fault: %s, %u, %llu ms", plan_fault_name(f->kind), f->who, (unsigned long long)f->for_ms);
	switch (f->kind) {
	case FAULT_WORKER_KILL:
	case FAULT_WORKER_POWER:
	case FAULT_WORKER_LOSES_OUTBOX:
	case FAULT_WORKER_ROT:
	case FAULT_WORKER_STOP:
		worker_fault(w, f);
		return;
	case FAULT_WIRE_BREAK:
	case FAULT_CUT:
	case FAULT_CUT_UP:
	case FAULT_CUT_DOWN:
		wire_fault(w, f);
		return;
	case FAULT_DISK_FULL:
		c->drawer.full = !c->drawer.full;
		return;
	case FAULT_THREAD_STALL:
		c->stalled_net = f->amount % c->nets;
		c->stalled_until_ms = w->now_ms + f->for_ms;
		world_at(w, w->now_ms + PLAN_LEASE_MS, EV_STALLED, c->index, c->life, 0);
		return;
	case FAULT_COORD_KILL:
	case FAULT_COORD_PAUSE:
	case FAULT_COORD_LOSES_DATABASE:
	case FAULT_COORD_WALL_STEP:
		coord_fault(w, f);
		return;
	case FAULT_STORE_STALL:
		w->ledger.stalled_until_ms = MAX_OF(w->ledger.stalled_until_ms, w->now_ms + f->for_ms);
		return;
	case FAULT_STORE_RESTART:
		w->ledger.down_until_ms = MAX_OF(w->ledger.down_until_ms, w->now_ms + f->for_ms / 4);
		return;
	case FAULT_KIND_COUNT:
		return;
	}
}

/* The API of the leader does it in the database and then tells the loader. With none there, it is asked for again. */
void fault_change(struct world *w, const struct event *ev)
{
	const struct plan_change *c = &w->plan.changes[ev->a];
	struct desk *d = NULL;
	for (uint32_t i = 0; i < w->plan.coord_count; i++)
		if (w->desks[i].role == DESK_LEADS && w->desks[i].term == w->ledger.term)
			d = &w->desks[i];
	bool away = w->now_ms < w->ledger.down_until_ms || w->now_ms < w->ledger.stalled_until_ms;
	if (!d || desk_is_paused(w, d) || w->now_ms < d->cut_until_ms || away) {
		world_at(w, w->now_ms + 500, EV_CHANGE, 0, 0, ev->a);
		return;
	}
	w->changes_left--;
	bool done = ledger_change(w, c);
	world_log(w, "somebody %s run %u%s",
	          (const char *const[]){ "starts", "cancels", "retries", "extends" }[c->kind], c->run + 1,
	          done ? "" : ": not possible");
	if (done)
		loader_changed(w, d, c);
}
