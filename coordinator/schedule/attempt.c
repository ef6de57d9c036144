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
	t->alone_halves = (uint8_t)MIN_OF(in->alone_deaths * 2, UINT8_MAX);
}

void attempt_new_wave(struct run *r)
{
	struct tried *t;
	for (size_t at = 0; (t = map_next_u64(&r->tried, &at, NULL)) != NULL;)
		t->attempts = t->spent_ms = 0;
}

void attempt_not_over(struct run *r, uint64_t sample_no)
{
	struct tried *t = attempt_of(r, sample_no);
	if (!t || !t->over)
		return;
	t->over = t->lost = false;
	t->given_class = CLASS_NONE;
	t->attempts = t->spent_ms = t->alone_halves = 0;
}

struct tried *attempt_of(const struct run *r, uint64_t sample_no)
{
	return r->tried.len ? map_get_u64(&r->tried, sample_no) : NULL;
}

static bool suspect(const struct tried *t)
{
	return t->deaths >= DEATHS_SUSPECT || t->near_deaths >= NEAR_DEATHS_SUSPECT || t->alone_halves > 0;
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
	bool by_host = t->last_class == CLASS_HOST_FAILED;
	struct str text = arena_printf(&out->arena,
	                               "set aside: %s died %u times while it ran alone, after %u deaths in "
	                               "company that it had started at and %u that it was near to",
	                               by_host ? "its model server" : "what ran it", (t->alone_halves + 1u) / 2,
	                               t->deaths, t->near_deaths);
	attempt_finish(s, r, sample_no, OUTCOME_QUARANTINED, by_host ? CLASS_HOST_FAILED : CLASS_LOST, text, out);
}

/* Enough is enough: the row is on its way, and nobody gets the sample any more. */
static bool finish_if_over(struct schedule *s, struct run *r, uint64_t sample_no, struct tried *t,
                           struct sched_actions *out)
{
	enum error_class class = t->given_class;
	struct arena *arena = &out->arena;
	if (t->over)
		return true;
	if (t->alone_halves >= ALONE_HALVES_QUARANTINE) {
		quarantine(s, r, sample_no, t, out);
	} else if (class != CLASS_NONE && error_class_retry(class) == RETRY_NONE) {
		struct str text = arena_printf(arena, "%s: asking again cannot help", error_class_name(class));
		attempt_finish(s, r, sample_no, error_class_outcome(class), class, text, out);
	} else if (t->attempts >= r->caps.attempts_max) {
		struct str text = arena_printf(arena, "%u of %u attempts failed, the last with %s", t->attempts,
		                               r->caps.attempts_max, error_class_name(t->last_class));
		attempt_finish(s, r, sample_no, error_class_outcome(t->last_class), t->last_class, text, out);
	} else if (t->spent_ms >= r->caps.sample_ms_max) {
		struct str text =
			arena_printf(arena, "%u ms of %u were used up in %u attempts, the last with %s", t->spent_ms,
		                     r->caps.sample_ms_max, t->attempts, error_class_name(t->last_class));
		attempt_finish(s, r, sample_no, error_class_outcome(CLASS_DEADLINE), CLASS_DEADLINE, text, out);
	} else {
		return false;
	}
	t->over = true;
	return true;
}

/* An out sample without a lease, of whatever run. */
static void end_hold(struct schedule *s, struct run *r, uint64_t sample_no, struct tried *t, struct sched_actions *out)
{
	if (r->state != SCHED_STATE_RUNNING || !finish_if_over(s, r, sample_no, t, out))
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

static void add(uint8_t *count, unsigned by)
{
	*count = (uint8_t)MIN_OF(*count + by, (unsigned)UINT8_MAX);
}

static void count_death(struct schedule *s, struct tried *t, unsigned alone_halves)
{
	if (alone_halves)
		add(&t->alone_halves, alone_halves);
	else
		add(&t->deaths, 1);
	s->counters.deaths++;
}

/* Its worker died and says so now. If that death was counted when the leases ended, only what we know changes. */
static void note_died(struct schedule *s, struct tried *t, const struct outbox_id *outbox, bool alone)
{
	if (!t->lost || !outbox_id_eq(t->lost_by, *outbox)) {
		count_death(s, t, alone ? 2 : 0);
		return;
	}
	t->lost = false;
	if (t->lost_alone) {
		add(&t->alone_halves, 2u - t->lost_alone);
	} else if (!t->lost_started) {
		t->near_deaths = (uint8_t)(t->near_deaths - (t->near_deaths > 0));
		count_death(s, t, 0);
	}
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

/* The process that held this is dead, and its outbox has spoken. */
static void leave_ghost(struct schedule *s, struct run *r, struct lease *l, uint32_t index, struct tried *t,
                        struct sched_actions *out)
{
	uint64_t sample_no = l->sample_nos[index];
	lease_drop(s, l, index);
	lease_end_if_empty(s, l);
	end_hold(s, r, sample_no, t, out);
}

static void note_failure(struct schedule *s, struct tried *t, const struct outbox_id *outbox,
                         const struct sched_committed *rec, bool alone)
{
	if (counts_as_failure(rec->error_class))
		count_failure(t, outbox, rec);
	if (rec->error_class == CLASS_HOST_FAILED && rec->latency_ms > 0)
		count_death(s, t, alone ? 2 : 0);
	if (rec->given_up)
		t->given_class = counts_as_failure(rec->error_class) ? rec->error_class : CLASS_NONE;
}

/* False: this is a copy, sent again because its Commit was lost. */
static bool parts_now(struct tried *t, uint64_t ask_id)
{
	for (size_t i = 0; i < PARTED_ASKS; i++)
		if (ask_id && t->parted[i] == ask_id)
			return false;
	t->parted[t->parted_next++ % PARTED_ASKS] = ask_id;
	return true;
}

void attempt_committed(struct schedule *s, struct run *r, const struct outbox_id *outbox,
                       const struct sched_committed *rec, struct sched_actions *out)
{
	uint64_t n = rec->sample_no;
	note_route(s, r, rec, out);
	if (bits_get(&r->done, n) || rec->error_class == CLASS_LOST)
		return;
	struct flight_ref ref = { 0 };
	struct lease *l = flight_get(&s->flight, r->slot, n, &ref) ? s->leases[ref.lease] : NULL;
	bool theirs = l && outbox_id_eq(s->workers[l->worker]->outbox, *outbox);
	struct tried *t = map_put_u64(&r->tried, n, NULL);
	bool is_last = rec->given_up || rec->error_class == CLASS_DIED;
	if (is_last && !parts_now(t, rec->ask_id))
		return;
	if (rec->error_class == CLASS_DIED) {
		t->given_class = CLASS_NONE;
		note_died(s, t, outbox, theirs && l->ghost && l->alone);
		if (theirs && l->ghost &&
		    !l->answers) /* a lease of the present process is not what that one died with */
			leave_ghost(s, r, l, ref.index, t, out);
		return;
	}
	note_failure(s, t, outbox, rec, theirs && l->alone);
	if (!rec->given_up)
		return;
	if (theirs && (l->ghost || l->answers)) { /* no Renew lists it */
		leave_ghost(s, r, l, ref.index, t, out);
		return;
	}
	if (theirs) /* it gave this lease's sample up, or one before it: the next Renew knows */
		l->gone_bits[ref.index / 64] |= UINT64_C(1) << (ref.index % 64);
	if (r->state == SCHED_STATE_RUNNING && (theirs || !bits_get(&r->out, n)))
		(void)finish_if_over(s, r, n, t, out);
}

/* ---- deaths ---- */

void attempt_note(struct schedule *s, const struct sched_unreported *u)
{
	mem_reserve(&s->unreported, &s->unreported_cap, s->unreported_count + 1, sizeof(*s->unreported));
	s->unreported[s->unreported_count++] = *u;
}

void attempt_report(struct schedule *s, const struct outbox_id *outbox, struct sched_actions *out)
{
	size_t count = s->unreported_count;
	if (count == 0)
		return;
	struct sched_unreported *copy = arena_new(&out->arena, count, sizeof(*copy));
	memcpy(copy, s->unreported, count * sizeof(*copy));
	struct sched_action *a = action_add(out, SCHED_DO_ATTEMPTS);
	a->attempts.outbox = *outbox;
	a->attempts.unreported = copy;
	a->attempts.count = count;
	s->unreported_count = 0;
}

static void sample_died(struct schedule *s, struct run *r, uint64_t sample_no, const struct lease *l, bool started,
                        struct sched_actions *out)
{
	struct tried *t = map_put_u64(&r->tried, sample_no, NULL);
	t->given_class = CLASS_NONE;
	t->lost = true;
	t->lost_by = s->workers[l->worker]->outbox;
	t->lost_started = started;
	t->lost_alone = !l->alone ? 0 : started || l->listed_in ? 2 : 1;
	if (l->alone || started)
		count_death(s, t, t->lost_alone);
	else
		add(&t->near_deaths, 1);
	end_hold(s, r, sample_no, t, out);
}

void attempt_lease_died(struct schedule *s, struct lease *l, const uint64_t *which, enum attempt_death death,
                        struct sched_actions *out)
{
	struct run *r = s->runs[l->run];
	for (uint32_t i = 0; i < l->count; i++) {
		if (!lease_is_live(l, i) || (which && !(which[i / 64] >> (i % 64) & 1)))
			continue;
		uint64_t sample_no = l->sample_nos[i];
		bool gone = lease_is_gone(l, i);
		bool started = !gone && (lease_is_started(l, i) || l->answers);
		lease_drop(s, l, i);
		if (gone) { /* was given up, and said so: nobody died of it */
			end_hold(s, r, sample_no, map_put_u64(&r->tried, sample_no, NULL), out);
			continue;
		}
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
	uint8_t *deaths = t->lost_alone ? &t->alone_halves : t->lost_started ? &t->deaths : &t->near_deaths;
	unsigned by = t->lost_alone ? t->lost_alone : 1;
	*deaths = (uint8_t)(*deaths - MIN_OF(by, (unsigned)*deaths));
}
