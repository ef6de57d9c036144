#include "coordinator/schedule/lend.h"
#include "coordinator/schedule/action.h"
#include "coordinator/schedule/attempt.h"
#include "coordinator/schedule/lease.h"
#include "coordinator/schedule/run.h"
#include "coordinator/schedule/sent.h"
#include "coordinator/schedule/worker.h"

/* Only where a sample has a history do allowances differ from the run's. */
static void allowances(struct run *r, struct lease *l, struct sched_action *a, struct arena *arena)
{
	uint32_t *attempts = NULL, *time_ms = NULL;
	for (uint32_t i = 0; i < l->count; i++) {
		struct tried *t = attempt_of(r, l->sample_nos[i]);
		if (!t)
			continue;
		t->counted = 0; /* a new holder counts from one, the same worker too */
		if (!attempts) {
			attempts = arena_new(arena, l->count, sizeof(*attempts));
			time_ms = arena_new(arena, l->count, sizeof(*time_ms));
			for (uint32_t j = 0; j < l->count; j++) {
				attempts[j] = attempt_left(r, NULL);
				time_ms[j] = attempt_time_left_ms(r, NULL);
			}
		}
		attempts[i] = attempt_left(r, t);
		time_ms[i] = attempt_time_left_ms(r, t);
	}
	a->lease.attempts_left = attempts;
	a->lease.time_left_ms = time_ms;
}

void lend_lease(struct schedule *s, struct lease *l, struct sched_actions *out)
{
	struct run *r = s->runs[l->run];
	struct worker *w = s->workers[l->worker];
	lease_enter(s, l, (struct lease_no){ s->config.term, ++s->lease_n });
	l->frame_no = ++w->frame_no;
	struct sched_action *a = action_add(out, SCHED_DO_LEASE);
	a->lease.worker_id = w->worker_id;
	a->lease.frame_no = l->frame_no;
	a->lease.number = l->number;
	a->lease.run_id = r->run_id;
	a->lease.route_id = r->route_id;
	a->lease.retry_no = l->retry_no;
	a->lease.scoring_no = r->scoring_no;
	a->lease.deadline_ms = s->config.lease_ms;
	a->lease.alone = l->alone;
	a->lease.with_context = worker_take_context(w, r);
	a->lease.sample_count = l->count;
	a->lease.sample_nos = l->sample_nos;
	a->lease.suite_items = r->suite_items;
	a->lease.attempts_max = r->caps.attempts_max;
	a->lease.sample_ms_max = r->caps.sample_ms_max;
	if (r->tried.len)
		allowances(r, l, a, &out->arena);
	s->counters.leases++;
	s->counters.leased_samples += l->count;
	s->step_leases++;
	sent_count(r, s->now_ms, l->count);
	run_touch(s, r);
}
