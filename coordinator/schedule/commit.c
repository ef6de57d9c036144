#include "coordinator/schedule/commit.h"
#include "coordinator/schedule/attempt.h"
#include "coordinator/schedule/lease.h"
#include "coordinator/schedule/run.h"
#include "coordinator/schedule/slice.h"
#include "coordinator/schedule/worker.h"
#include <string.h>

struct tally { /* samples that came back done, gathered for one slice at a time */
	uint32_t worker, route, samples;
};

static void tally_flush(struct schedule *s, struct tally *t)
{
	if (t->samples && t->route != NO_SLOT)
		slice_count(s, s->workers[t->worker], t->route, t->samples);
	t->samples = 0;
}

/* Somebody else's row came first: the holder need not ask, if it has not begun. It still holds the sample until it says
 * otherwise, so this gives no credit back. */
static void spare_holder(struct schedule *s, struct worker *w, struct lease *l, uint32_t index,
                         struct sched_actions *out)
{
	w->limit -= w->limit > 0;
	if (l->route != NO_SLOT) {
		struct slice *sl = slice_of(s, w, l->route);
		sl->limit -= sl->limit > 0;
	}
	if (lease_is_started(l, index) || lease_is_gone(l, index))
		return;
	uint32_t *indexes = arena_new(&out->arena, 1, sizeof(*indexes));
	*indexes = index;
	worker_ask_back(s, l, indexes, 1, out);
}

/* Should the holder die before it reports this ask, nobody would look for it: the sample has its row. It is open until
 * then. Of one that is away nobody knows whether it has begun. */
static void note_second_ask(struct schedule *s, const struct worker *w, const struct lease *l, uint32_t index,
                            struct sched_actions *out)
{
	const struct run *r = s->runs[l->run];
	bool started = lease_is_started(l, index);
	if ((!started && w->connected) || lease_is_gone(l, index))
		return;
	attempt_note(s, &(struct sched_unreported){ .run_id = r->run_id,
	                                            .sample_no = l->sample_nos[index],
	                                            .retry_no = l->retry_no,
	                                            .scoring_no = r->scoring_no,
	                                            .error_class = CLASS_LOST,
	                                            .started = started });
	attempt_report(s, &w->outbox, out);
}

static void leave_lease(struct schedule *s, struct lease *l, uint32_t index, const struct outbox_id *outbox,
                        struct tally *t, struct sched_actions *out)
{
	struct worker *w = s->workers[l->worker];
	if (t->worker != l->worker || t->route != l->route) {
		tally_flush(s, t);
		*t = (struct tally){ l->worker, l->route, 0 };
	}
	if (outbox_id_eq(w->outbox, *outbox)) {
		t->samples++;
	} else if (!l->ghost) {
		note_second_ask(s, w, l, index, out);
		spare_holder(s, w, l, index, out);
	}
	lease_end_if_empty(s, l);
}

static bool is_nobody(const struct outbox_id *outbox)
{
	static const struct outbox_id nobody;
	return outbox_id_eq(*outbox, nobody);
}

/* Not even as a harness error. What a worker sent is over with a row of our own; if that cannot be stored either, the
 * run must end all the same. */
static void not_storable(struct schedule *s, struct run *r, uint64_t sample_no, const struct outbox_id *outbox,
                         struct sched_actions *out)
{
	if (is_nobody(outbox))
		run_settle(s, r, sample_no, OUTCOME_HARNESS_ERROR);
	else
		attempt_finish(s, r, sample_no, OUTCOME_HARNESS_ERROR, CLASS_HARNESS,
		               STR("its result could not be stored; the bytes are kept in refused_result"), out);
}

/* A second row of a sample that was missing: a paid answer that came late takes its place. */
static void replace_missing(struct schedule *s, struct run *r, const struct sched_committed *rec)
{
	if (outcome_is_missing(rec->outcome) || r->missing.len == 0 || !bits_clear(&r->missing, rec->sample_no))
		return;
	static const enum outcome likely[] = { OUTCOME_PROVIDER_ERROR, OUTCOME_QUARANTINED, OUTCOME_HARNESS_ERROR,
		                               OUTCOME_UNSCORED, OUTCOME_NONE };
	for (size_t i = 0; i < ARRAY_LEN(likely); i++)
		if (r->missing_counts[likely[i]] > 0) { /* which kind it was is not kept: the sum is exact */
			r->missing_counts[likely[i]]--;
			break;
		}
	run_touch(s, r);
}

/* A row without a score, of a wave that is over: the sample is asked again. If somebody has it now, that goes on; but
 * if it is who brought the row, he may be done with it: the next Renew knows. True: nothing else is to be done. */
static bool is_of_earlier_wave(struct schedule *s, struct run *r, const struct outbox_id *outbox,
                               const struct sched_committed *rec)
{
	struct flight_ref ref;
	if (!outcome_is_missing(rec->outcome) || rec->outcome == OUTCOME_NONE || rec->retry_no >= r->retry_wave)
		return false;
	if (!flight_get(&s->flight, r->slot, rec->sample_no, &ref))
		return false; /* being stored, or pending */
	struct lease *l = s->leases[ref.lease];
	attempt_not_over(r, rec->sample_no);
	bool theirs = outbox_id_eq(s->workers[l->worker]->outbox, *outbox);
	if (theirs && (l->ghost || l->answers))
		return false; /* no Renew lists it: this is the end of it */
	if (theirs && l->retry_no <= rec->retry_no)
		l->gone_bits[ref.index / 64] |= UINT64_C(1) << (ref.index % 64);
	return true;
}

static void commit_result(struct schedule *s, struct run *r, const struct outbox_id *outbox,
                          const struct sched_committed *rec, struct tally *t, struct sched_actions *out)
{
	uint64_t n = rec->sample_no;
	struct lease *l;
	uint32_t index;
	if (is_of_earlier_wave(s, r, outbox, rec))
		return;
	bool was_out = lease_take_out(s, r, n, &l, &index);
	if (l)
		leave_lease(s, l, index, outbox, t, out);
	if (bits_get(&r->done, n)) {
		replace_missing(s, r, rec);
		if (was_out)
			(void)bits_clear(&r->out, n);
		return;
	}
	s->counters.commits++;
	if (r->state != SCHED_STATE_RUNNING) { /* stored as after its end; a retry reads the rows again */
		(void)bits_clear(&r->out, n);
		run_touch(s, r);
	} else if (rec->outcome == OUTCOME_NONE || rec->outcome >= OUTCOME_COUNT) {
		not_storable(s, r, n, outbox, out);
	} else if (outcome_is_missing(rec->outcome) && rec->retry_no < r->retry_wave) {
		attempt_not_over(r, n);
		if (was_out)
			run_give_back(s, r, n); /* the wave was raised while it was under way: asked again */
	} else {
		run_settle(s, r, n, rec->outcome);
	}
}

void commit_records(struct schedule *s, const struct outbox_id *outbox, const struct sched_committed *records,
                    size_t count, struct sched_actions *out)
{
	struct tally tally = { NO_SLOT, NO_SLOT, 0 };
	struct run *r = NULL;
	for (size_t i = 0; i < count; i++) {
		const struct sched_committed *rec = &records[i];
		if (!r || r->run_id != rec->run_id)
			r = run_find(s, rec->run_id);
		if (!r || rec->sample_no >= run_sample_count(r))
			continue;
		if (rec->kind == RECORD_ATTEMPT)
			attempt_committed(s, r, outbox, rec, out);
		else
			commit_result(s, r, outbox, rec, &tally, out);
	}
	tally_flush(s, &tally);
	struct worker *w = worker_of_outbox(s, outbox);
	if (w && w->connected)
		slice_update_all(s, w);
}
