#include "coordinator/schedule/attempt.h"
#include "common/base/mem.h"
#include "coordinator/schedule/action.h"
#include "coordinator/schedule/lease.h"
#include "coordinator/schedule/route.h"
#include "coordinator/schedule/run.h"
#include <string.h>

void attempt_restore(struct run *r, const struct sched_tried *in)
{
	if (in->sample_no >= r->done.len || bits_get(&r->done, in->sample_no))
		return;
	struct tried *t = map_put_u64(&r->tried, in->sample_no, NULL);
	t->attempts = in->attempts;
	t->spent_ms = in->spent_ms;
	t->deaths = (uint8_t)MIN_OF(in->deaths, UINT8_MAX);
	t->near_deaths = (uint8_t)MIN_OF(in->near_deaths, UINT8_MAX);
	t->alone_deaths = (uint8_t)MIN_OF(in->alone_deaths, UINT8_MAX);
}

void attempt_new_wave(struct run *r)
{
	struct tried *t;
	for (size_t at = 0; (t = map_next_u64(&r->tried, &at, NULL)) != NULL;)
		t->attempts = t->spent_ms = 0;
}

struct tried *attempt_of(const struct run *r, uint64_t sample_no)
{
	return r->tried.len ? map_get_u64(&r->tried, sample_no) : NULL;
}

static bool suspect(const struct tried *t)
{
	return t->deaths >= DEATHS_SUSPECT || t->near_deaths >= NEAR_DEATHS_SUSPECT || t->alone_deaths > 0;
}

bool attempt_is_suspect(const struct run *r, uint64_t sample_no)
{
	const struct tried *t = attempt_of(r, sample_no);
	return t && suspect(t);
}

bool attempt_has_died(const struct run *r, uint64_t sample_no)
{
	const struct tried *t = attempt_of(r, sample_no);
	return t && t->deaths > 0;
}

uint32_t attempt_left(const struct run *r, const struct tried *t)
{
	uint32_t used = t ? t->attempts : 0;
	return used < r->caps.attempts_max ? r->caps.attempts_max - used : 1;
}

uint32_t attempt_time_left_ms(const struct run *r, const struct tried *t)
{
	uint32_t spent = t ? t->spent_ms : 0;
	return spent < r->caps.sample_ms_max ? r->caps.sample_ms_max - spent : 1;
}

void attempt_finish(struct schedule *s, struct run *r, uint64_t sample_no, enum outcome outcome, enum error_class class,
                    struct str text, struct sched_actions *out)
{
	(void)bits_set(&r->out, sample_no);
	struct sched_action *a = action_add(out, SCHED_DO_OUTCOME);
	a->outcome.run_id = r->run_id;
	a->outcome.sample_no = sample_no;
	a->outcome.retry_no = r->retry_wave;
	a->outcome.scoring_no = r->scoring_no;
	a->outcome.outcome = outcome;
	a->outcome.error_class = class;
	a->outcome.text = text;
	s->counters.outcomes++;
	s->counters.quarantined += outcome == OUTCOME_QUARANTINED;
	run_touch(s, r);
}

static void quarantine(struct schedule *s, struct run *r, uint64_t sample_no, const struct tried *t,
                       struct sched_actions *out)
{
	struct str text = arena_printf(&out->arena,
	                               "set aside: what ran it died %u times while it ran alone, after %u deaths in "
	                               "company that it had started at and %u that it was near to",
	                               t->alone_deaths, t->deaths, t->near_deaths);
	attempt_finish(s, r, sample_no, OUTCOME_QUARANTINED, CLASS_LOST, text, out);
}

/* What becomes of a sample that nobody holds and that is not done. */
static void decide(struct schedule *s, struct run *r, uint64_t sample_no, const struct tried *t, enum error_class class,
                   struct sched_actions *out)
{
	if (t->alone_deaths >= ALONE_DEATHS_QUARANTINE) {
		quarantine(s, r, sample_no, t, out);
		return;
	}
	if (class != CLASS_NONE && error_class_retry(class) == RETRY_NONE) {
		struct str text = arena_printf(&out->arena, "%s: asking again cannot help", error_class_name(class));
		attempt_finish(s, r, sample_no, error_class_outcome(class), class, text, out);
		return;
	}
	if (t->attempts >= r->caps.attempts_max) {
		struct str text = arena_printf(&out->arena, "%u of %u attempts failed, the last with %s", t->attempts,
		                               r->caps.attempts_max, error_class_name(t->last_class));
		attempt_finish(s, r, sample_no, error_class_outcome(t->last_class), t->last_class, text, out);
		return;
	}
	if (t->spent_ms >= r->caps.sample_ms_max) {
		struct str text =
			arena_printf(&out->arena, "%u ms of %u were used up in %u attempts, the last with %s",
		                     t->spent_ms, r->caps.sample_ms_max, t->attempts, error_class_name(t->last_class));
		attempt_finish(s, r, sample_no, error_class_outcome(CLASS_DEADLINE), CLASS_DEADLINE, text, out);
		return;
	}
	if (bits_get(&r->out, sample_no))
		run_give_back(s, r, sample_no);
}

/* ---- failed asks ---- */

static bool counts_as_failure(enum error_class c)
{
	return c != CLASS_DIED && c != CLASS_LOST && c != CLASS_ABANDONED && c != CLASS_NONE;
}

/* attempt_count numbers the asks of one holder, so a record that comes twice adds nothing. */
static void count_failure(struct tried *t, const struct outbox_id *outbox, const struct sched_committed *rec)
{
	t->last_class = rec->error_class;
	if (!outbox_id_eq(t->counted_by, *outbox)) {
		t->counted_by = *outbox;
		t->counted = 0;
	}
	uint32_t count = MAX_OF(rec->attempt_count, 1);
	if (count <= t->counted)
		return;
	t->attempts += count - t->counted;
	t->counted = count;
	t->spent_ms += MIN_OF(rec->latency_ms, UINT32_MAX - t->spent_ms);
}

static void count_death(struct tried *t, bool alone)
{
	uint8_t *deaths = alone ? &t->alone_deaths : &t->deaths;
	*deaths = (uint8_t)(*deaths + (*deaths < UINT8_MAX));
}

/* Its worker died and says so now. If that death was counted when the leases ended, only what we know changes. */
static void note_died(struct schedule *s, struct tried *t, const struct outbox_id *outbox, bool alone)
{
	if (t->lost && outbox_id_eq(t->lost_by, *outbox)) {
		t->lost = false;
		if (!t->lost_started && !t->lost_alone) {
			t->near_deaths = (uint8_t)(t->near_deaths - (t->near_deaths > 0));
			count_death(t, false);
		}
		return;
	}
	count_death(t, alone);
	s->counters.deaths++;
}

static void note_route(struct schedule *s, struct run *r, const struct sched_committed *rec, struct sched_actions *out)
{
	if (r->route == NO_SLOT)
		return;
	if (error_class_retry(rec->error_class) == RETRY_PACED && rec->retry_after_ms > 0)
		route_pause(s, r->route, (uint64_t)rec->retry_after_ms, out);
	if (rec->error_class == CLASS_QUOTA)
		route_block(s, r->route, "its quota is used up");
}

void attempt_committed(struct schedule *s, struct run *r, const struct outbox_id *outbox,
                       const struct sched_committed *rec, struct sched_actions *out)
{
	uint64_t n = rec->sample_no;
	note_route(s, r, rec, out);
	if (bits_get(&r->done, n) || rec->error_class == CLASS_LOST)
		return;
	struct tried *t = map_put_u64(&r->tried, n, NULL);
	bool leaves = rec->given_up || rec->error_class == CLASS_DIED;
	if (leaves && rec->ask_id && rec->ask_id == t->last_ask)
		return;
	struct flight_ref ref;
	struct lease *l = flight_get(&s->flight, r->slot, n, &ref) ? s->leases[ref.lease] : NULL;
	bool theirs = l && outbox_id_eq(s->workers[l->worker]->outbox, *outbox);
	bool alone = theirs && l->alone;
	if (counts_as_failure(rec->error_class))
		count_failure(t, outbox, rec);
	if (rec->error_class == CLASS_DIED)
		note_died(s, t, outbox, alone);
	if (rec->error_class == CLASS_HOST_FAILED && rec->latency_ms > 0) {
		count_death(t, alone);
		s->counters.deaths++;
	}
	if (!leaves)
		return;
	t->last_ask = rec->ask_id;
	if (theirs) {
		lease_drop(s, l, ref.index);
		lease_end_if_empty(s, l);
	} else if (bits_get(&r->out, n)) {
		return; /* somebody else has it now, or its row is being written */
	}
	if (r->state != SCHED_STATE_RUNNING) {
		(void)bits_clear(&r->out, n);
		run_touch(s, r);
		return;
	}
	decide(s, r, n, t, counts_as_failure(rec->error_class) ? rec->error_class : CLASS_NONE, out);
}

/* ---- deaths ---- */

void attempt_note(struct schedule *s, const struct sched_unreported *u)
{
	mem_reserve(&s->unreported, &s->unreported_cap, s->unreported_count + 1, sizeof(*s->unreported));
	s->unreported[s->unreported_count++] = *u;
}

void attempt_report(struct schedule *s, const struct worker *w, struct sched_actions *out)
{
	size_t count = s->unreported_count;
	if (count == 0)
		return;
	struct sched_unreported *copy = arena_new(&out->arena, count, sizeof(*copy));
	memcpy(copy, s->unreported, count * sizeof(*copy));
	struct sched_action *a = action_add(out, SCHED_DO_ATTEMPTS);
	a->attempts.outbox = w->outbox;
	a->attempts.unreported = copy;
	a->attempts.count = count;
	s->unreported_count = 0;
}

static void sample_died(struct schedule *s, struct run *r, uint64_t sample_no, const struct lease *l, bool started,
                        struct sched_actions *out)
{
	if (r->state != SCHED_STATE_RUNNING) {
		(void)bits_clear(&r->out, sample_no);
		run_touch(s, r);
		return;
	}
	struct tried *t = map_put_u64(&r->tried, sample_no, NULL);
	t->lost = true;
	t->lost_by = s->workers[l->worker]->outbox;
	t->lost_started = started;
	t->lost_alone = l->alone;
	if (l->alone || started) {
		count_death(t, l->alone);
		s->counters.deaths++;
	} else if (t->near_deaths < UINT8_MAX) {
		t->near_deaths++;
	}
	decide(s, r, sample_no, t, CLASS_NONE, out);
}

void attempt_lease_died(struct schedule *s, struct lease *l, const uint64_t *which, enum attempt_death death,
                        struct sched_actions *out)
{
	struct run *r = s->runs[l->run];
	for (uint32_t i = 0; i < l->count; i++) {
		if (!lease_is_live(l, i) || (which && !(which[i / 64] >> (i % 64) & 1)))
			continue;
		uint64_t sample_no = l->sample_nos[i];
		bool started = lease_is_started(l, i) || l->answers;
		lease_drop(s, l, i);
		if (death == DEATH_COUNTS || started)
			attempt_note(s, &(struct sched_unreported){ .run_id = r->run_id,
			                                            .sample_no = sample_no,
			                                            .retry_no = l->retry_no,
			                                            .scoring_no = r->scoring_no,
			                                            .error_class = CLASS_LOST,
			                                            .started = started,
			                                            .alone = l->alone });
		if (death == DEATH_COUNTS || (death == DEATH_KNOWN && started))
			sample_died(s, r, sample_no, l, started, out);
		else
			run_give_back(s, r, sample_no);
	}
	lease_end_if_empty(s, l);
}

void attempt_taken_back(struct run *r, uint64_t sample_no, const struct outbox_id *outbox)
{
	struct tried *t = attempt_of(r, sample_no);
	if (!t || !t->lost || !outbox_id_eq(t->lost_by, *outbox))
		return;
	t->lost = false;
	uint8_t *deaths = t->lost_alone ? &t->alone_deaths : t->lost_started ? &t->deaths : &t->near_deaths;
	*deaths = (uint8_t)(*deaths - (*deaths > 0));
}
