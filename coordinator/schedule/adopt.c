#include "coordinator/schedule/adopt.h"
#include "coordinator/schedule/action.h"
#include "coordinator/schedule/attempt.h"
#include "coordinator/schedule/lease.h"
#include "coordinator/schedule/run.h"
#include "coordinator/schedule/slice.h"
#include "coordinator/schedule/worker.h"

static uint64_t word_of(struct str bitmap, uint32_t word)
{
	uint64_t bits = 0;
	for (uint32_t i = 0; i < 8 && word * 8 + i < bitmap.len; i++)
		bits |= (uint64_t)(uint8_t)bitmap.data[word * 8 + i] << (i * 8);
	return bits;
}

void adopt_listed(struct schedule *s, struct lease *l, const struct msg_held_lease *listed, struct sched_actions *out)
{
	uint64_t lost[WIRE_LEASE_SAMPLES_MAX / 64] = { 0 };
	uint64_t any = 0;
	l->unlisted = 0;
	for (uint32_t word = 0; word < lease_words(l); word++) {
		uint64_t live = l->live_bits[word], started = word_of(listed->started, word);
		uint64_t absent = live & ~(started | word_of(listed->held, word));
		lost[word] = absent & (l->absent_bits[word] | l->gone_bits[word]);
		l->absent_bits[word] = absent;
		l->started_bits[word] |= started & live;
		any |= lost[word];
	}
	if (any)
		attempt_lease_died(s, l, lost, DEATH_KNOWN, out);
}

/* Takes the sample for this worker if nobody else has it; a ghost of its own, or an answer adopted at an earlier Hello,
 * gives it up. */
static bool claim(struct schedule *s, struct worker *w, struct run *r, uint64_t sample_no)
{
	struct flight_ref ref;
	if (sample_no >= run_sample_count(r) || bits_get(&r->done, sample_no))
		return false;
	if (!bits_get(&r->out, sample_no))
		return true;
	if (!flight_get(&s->flight, r->slot, sample_no, &ref))
		return false; /* its row is being written */
	struct lease *l = s->leases[ref.lease];
	bool earlier = l->ghost || (l->answers && l->listed_in != w->renew_count);
	if (l->worker != w->slot || !earlier)
		return false;
	lease_drop(s, l, ref.index);
	lease_end_if_empty(s, l);
	return true;
}

static void note_started(struct schedule *s, struct worker *w, struct lease *l, uint32_t index)
{
	l->started_bits[index / 64] |= UINT64_C(1) << (index % 64);
	if (l->route != NO_SLOT) { /* it may be in flight: counts against the route until a Renew says otherwise */
		struct slice *sl = slice_of(s, w, l->route);
		sl->in_flight++;
		sl->reserve = MAX_OF(sl->reserve, sl->in_flight);
	}
}

static struct lease *adopt_unknown(struct schedule *s, struct worker *w, const struct msg_held_lease *h,
                                   struct sched_actions *out)
{
	struct run *r = run_find(s, h->run_id);
	bool possible =
		r && r->state == SCHED_STATE_RUNNING && h->sample_nos && h->sample_count >= 1 &&
		h->sample_count <= WIRE_LEASE_SAMPLES_MAX && h->number.term >= 1 && h->number.n >= 1 &&
		(h->number.term < s->config.term || (h->number.term == s->config.term && h->number.n <= s->lease_n));
	if (!possible || w->lease_count >= WORKER_LEASES_MAX)
		return NULL;
	struct lease *l = lease_new(s, r, w, (uint32_t)h->sample_count);
	uint32_t *unwanted = arena_new(&out->arena, h->sample_count, sizeof(*unwanted));
	size_t unwanted_count = 0;
	l->retry_no = h->retry_no;
	for (uint32_t i = 0; i < h->sample_count; i++) {
		bool started = bits_in(h->started, i), held = bits_in(h->held, i) || started;
		if (held && claim(s, w, r, h->sample_nos[i])) {
			attempt_taken_back(r, h->sample_nos[i], &w->outbox);
			lease_add(s, l, h->sample_nos[i]);
			if (started)
				note_started(s, w, l, i);
			continue;
		}
		if (held) /* if it is under way it goes on, but must not be asked again */
			unwanted[unwanted_count++] = i;
		lease_skip(l, h->sample_nos[i]);
	}
	if (l->live == 0) {
		lease_end_if_empty(s, l);
		return NULL;
	}
	s->counters.adopted_samples += l->live;
	lease_enter(s, l, h->number);
	run_touch(s, r);
	if (unwanted_count) /* gone out behind the Welcome: frames keep their order */
		worker_ask_back(s, l, unwanted, unwanted_count, out);
	return l;
}

static size_t adopt_leases(struct schedule *s, struct worker *w, const struct msg_hello *hello,
                           struct lease_no *refused, struct sched_actions *out)
{
	size_t refused_count = 0;
	for (size_t i = 0; i < hello->lease_count; i++) {
		const struct msg_held_lease *h = &hello->leases[i];
		struct lease *l = lease_find(s, w, h->number);
		if (l && (l->count != h->sample_count || s->runs[l->run]->run_id != h->run_id))
			l = NULL;
		if (l) {
			lease_unghost(s, l);
			l->frame_no = 0;
			l->listed_in = w->renew_count;
			adopt_listed(s, l, h, out);
			continue;
		}
		l = adopt_unknown(s, w, h, out);
		if (l)
			l->listed_in = w->renew_count;
		else
			refused[refused_count++] = h->number;
	}
	s->counters.refused_leases += refused_count;
	return refused_count;
}

static struct lease *answers_lease(struct schedule *s, struct worker *w, struct run *r, struct lease *last)
{
	if (last && last->run == r->slot && last->count < last->capacity)
		return last;
	struct lease *l = lease_new(s, r, w, WIRE_LEASE_SAMPLES_MAX);
	l->answers = true;
	l->listed_in = w->renew_count;
	lease_enter(s, l, (struct lease_no){ 0, ++s->lease_n }); /* no worker can name term 0 */
	return l;
}

static void adopt_answers(struct schedule *s, struct worker *w, const struct msg_hello *hello, uint8_t *verdicts)
{
	struct lease *last = NULL;
	for (size_t i = 0; i < hello->answer_count; i++) {
		const struct msg_answer_ref *a = &hello->answers[i];
		struct run *r = run_find(s, a->run_id);
		verdicts[i] = ANSWER_SHIP;
		if (!r || r->state != SCHED_STATE_RUNNING || !claim(s, w, r, a->sample_no))
			continue;
		verdicts[i] = ANSWER_ADOPT;
		attempt_taken_back(r, a->sample_no, &w->outbox);
		last = answers_lease(s, w, r, last);
		lease_add(s, last, a->sample_no);
		s->counters.adopted_samples++;
		run_touch(s, r);
	}
}

void adopt_hello(struct schedule *s, struct worker *w, const struct msg_hello *hello, struct sched_actions *out)
{
	size_t welcome = out->len;
	(void)action_add(out, SCHED_DO_WELCOME); /* its place; filled in below */
	w->renew_count++;
	struct lease_no *refused = arena_new(&out->arena, hello->lease_count, sizeof(*refused));
	size_t refused_count = adopt_leases(s, w, hello, refused, out);
	for (size_t i = 0; i < w->held_count; i++) {
		struct lease *l = w->held[i].lease == NO_SLOT ? NULL : s->leases[w->held[i].lease];
		if (l && l->listed_in != w->renew_count)
			lease_make_ghost(s, l);
	}
	uint8_t *verdicts = arena_new(&out->arena, hello->answer_count, 1);
	adopt_answers(s, w, hello, verdicts);
	struct sched_action *a = &out->items[welcome];
	a->welcome.worker_id = w->worker_id;
	a->welcome.refused = refused;
	a->welcome.refused_count = refused_count;
	a->welcome.verdicts = verdicts;
	a->welcome.verdict_count = hello->answer_count;
}
