/* Who leads, as coordinator/store/leader.c decides it: a beat each second; three seconds of the same beat and the term
 * is over. */
#include "tests/simulation/world.h"

enum { BEAT_MS = 1000, WATCH_MS = 3000, AWAY_MS = 500, SPARE_MS = 500 };

void beat_start(struct world *w, struct desk *d)
{
	d->watched_since_ms = 0;
	d->beat_seen = UINT64_MAX;
	world_at(w, w->now_ms + world_pick(w, 1, 50), EV_BEAT, d->index, d->life, 0);
}

/* Nobody else can lead for so long: the schedule lends no longer than that. */
static void tell_beat(struct world *w, struct desk *d)
{
	struct sched_event ev = { .kind = SCHED_LEADS, .leads_until_ms = w->now_ms + WATCH_MS - SPARE_MS };
	desk_step(w, d, &ev);
}

static void take_over(struct world *w, struct desk *d)
{
	struct ledger *l = &w->ledger;
	l->term++;
	l->beat_no++;
	l->stepped_down = false;
	desk_lead(w, d, l->term);
	tell_beat(w, d);
}

static void watch(struct world *w, struct desk *d)
{
	struct ledger *l = &w->ledger;
	if (d->beat_seen != l->beat_no || d->beat_term_seen != l->term || d->watched_since_ms == 0) {
		d->beat_seen = l->beat_no;
		d->beat_term_seen = l->term;
		d->watched_since_ms = w->now_ms;
	}
	if (l->term == 0 || l->stepped_down || w->now_ms - d->watched_since_ms >= WATCH_MS)
		take_over(w, d);
}

void beat_event(struct world *w, const struct event *ev)
{
	struct desk *d = &w->desks[ev->who];
	if (ev->gen != d->life || d->role == DESK_DOWN)
		return;
	if (desk_is_paused(w, d)) {
		world_at(w, d->paused_until_ms, EV_BEAT, ev->who, ev->gen, 0);
		return;
	}
	bool away = w->now_ms < d->cut_until_ms || w->now_ms < w->ledger.down_until_ms ||
	            w->now_ms < w->ledger.stalled_until_ms;
	if (away) {
		d->watched_since_ms = 0;
		world_at(w, w->now_ms + AWAY_MS, EV_BEAT, ev->who, ev->gen, 0);
		return;
	}
	if (d->role == DESK_STANDBY) {
		watch(w, d);
	} else if (w->ledger.term != d->term) {
		world_log(w, "coordinator %u sees that its term %llu is over", d->index, (unsigned long long)d->term);
		desk_die(w, d, true, world_pick(w, 200, 2000));
		return;
	} else {
		w->ledger.beat_no++;
		tell_beat(w, d);
	}
	world_at(w, w->now_ms + (d->role == DESK_STANDBY ? BEAT_MS / 2 : BEAT_MS), EV_BEAT, ev->who, ev->gen, 0);
}
