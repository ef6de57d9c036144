#include "coordinator/schedule/worker.h"
#include "common/base/check.h"
#include "common/base/mem.h"
#include "coordinator/schedule/action.h"
#include "coordinator/schedule/adopt.h"
#include "coordinator/schedule/attempt.h"
#include "coordinator/schedule/lease.h"
#include "coordinator/schedule/run.h"
#include "coordinator/schedule/slice.h"
#include "coordinator/schedule/worker_list.h"

/* Answers adopted at an earlier Hello and not named since: their results wait in the outbox, perhaps for the database.
 */
enum { ANSWERS_MS = 600 * 1000 };

/* ---- joining ---- */

static struct str *copy_names(struct arena *arena, const struct str *names, size_t count)
{
	struct str *copy = arena_new(arena, count, sizeof(*copy));
	for (size_t i = 0; i < count; i++)
		copy[i] = arena_str(arena, str_slice(names[i], 0, WIRE_NAME_BYTES_MAX));
	return copy;
}

/* What the worker can do, for routes that come later. Bounded by WIRE_ABILITIES_MAX and WIRE_NAME_BYTES_MAX. */
static void keep_abilities(struct worker *w, const struct msg_hello *in)
{
	arena_reset(&w->texts);
	struct msg_hello *able = arena_new(&w->texts, 1, sizeof(*able));
	able->provider_count = MIN_OF(in->provider_count, (size_t)WIRE_ABILITIES_MAX);
	able->providers = copy_names(&w->texts, in->providers, able->provider_count);
	able->allowed_host_count = MIN_OF(in->allowed_host_count, (size_t)WIRE_ABILITIES_MAX);
	able->allowed_hosts = copy_names(&w->texts, in->allowed_hosts, able->allowed_host_count);
	able->alias_count = MIN_OF(in->alias_count, (size_t)WIRE_ABILITIES_MAX);
	struct msg_alias *aliases = arena_new(&w->texts, able->alias_count, sizeof(*aliases));
	for (size_t i = 0; i < able->alias_count; i++) {
		aliases[i] = in->aliases[i];
		aliases[i].name = arena_str(&w->texts, str_slice(in->aliases[i].name, 0, WIRE_NAME_BYTES_MAX));
	}
	able->aliases = aliases;
	able->host_count = MIN_OF(in->host_count, (size_t)WIRE_ABILITIES_MAX);
	struct msg_host *hosts = arena_new(&w->texts, able->host_count, sizeof(*hosts));
	for (size_t i = 0; i < able->host_count; i++) {
		hosts[i] = in->hosts[i];
		hosts[i].command = arena_str(&w->texts, str_slice(in->hosts[i].command, 0, WIRE_NAME_BYTES_MAX));
	}
	able->hosts = hosts;
	w->able = able;
	w->name = arena_str(&w->texts, str_slice(in->name, 0, WIRE_NAME_BYTES_MAX));
}

static void begin_session(struct schedule *s, struct worker *w, uint32_t worker_id, const struct msg_hello *hello)
{
	*(uint32_t *)map_put_u64(&s->worker_slots, worker_id, NULL) = w->slot;
	s->connected_count += !w->connected;
	w->worker_id = worker_id;
	w->connected = true;
	w->expired = w->renewed = w->alone = false;
	w->alone_run = NO_SLOT;
	w->draining = hello->draining;
	w->slots = hello->slots;
	w->frame_no = w->frame_seen = w->limit = 0;
	bits_done(&w->contexts);
	keep_abilities(w, hello);
	for (uint32_t i = 0; i < s->route_count; i++)
		slice_judge(s, w, i);
}

static void note_last_worker(struct schedule *s, const struct outbox_id *outbox)
{
	struct str key = str_make(outbox->bytes, sizeof(outbox->bytes));
	if (map_remove(&s->last_workers, key) && s->last_workers.len == 0) {
		/* results that a restarted worker had not sent yet come right after its Welcome */
		s->perhaps_until_ms = MIN_OF(s->perhaps_until_ms, s->now_ms + s->config.lease_ms);
		slice_all_due(s);
	}
}

static void unsettle(struct schedule *s, const struct worker *w)
{
	if (s->unsettled_from > 64 && s->unsettled_from * 2 > s->unsettled_to) {
		s->unsettled_to -= s->unsettled_from;
		for (size_t i = 0; i < s->unsettled_to; i++)
			s->unsettled[i] = s->unsettled[s->unsettled_from + i];
		s->unsettled_from = 0;
	}
	mem_reserve(&s->unsettled, &s->unsettled_cap, s->unsettled_to + 1, sizeof(*s->unsettled));
	s->unsettled[s->unsettled_to++] = (struct unsettled){ w->slot, w->worker_id, s->now_ms + s->config.lease_ms };
}

/* A suspect that it still runs keeps it to itself over a reconnect too. */
static void stay_alone(struct schedule *s, struct worker *w)
{
	for (size_t i = 0; i < w->held_count; i++) {
		const struct lease *l = w->held[i].lease == NO_SLOT ? NULL : s->leases[w->held[i].lease];
		if (!l || !l->alone || l->ghost)
			continue;
		w->alone = true;
		w->alone_run = l->run;
		s->suspects = true;
	}
}

void worker_join(struct schedule *s, uint32_t worker_id, const struct msg_hello *hello, bool known,
                 struct sched_actions *out)
{
	if (worker_find(s, worker_id))
		return;
	struct worker *w = worker_of_outbox(s, &hello->outbox);
	if (w && w->connected) {
		(void)map_remove_u64(&s->worker_slots, w->worker_id);
		struct sched_action *a = action_add(out, SCHED_DO_CLOSE);
		a->close.worker_id = w->worker_id;
		a->close.cause = REFUSE_DUPLICATE;
	}
	if (!w)
		w = worker_list_add(s, &hello->outbox);
	w->known |= known;
	begin_session(s, w, worker_id, hello);
	worker_list_due(s, w, s->now_ms + s->config.lease_ms);
	adopt_hello(s, w, hello, out);
	attempt_report(s, &w->outbox, out);
	stay_alone(s, w);
	slice_joined(s, w, out);
	note_last_worker(s, &hello->outbox);
	unsettle(s, w);
}

void worker_known(struct schedule *s, const struct outbox_id *outbox)
{
	struct worker *w = worker_of_outbox(s, outbox);
	if (!w || w->known)
		return;
	w->known = true;
	slice_update_all(s, w);
}

/* ---- renewing ---- */

/* A lease that it must have seen and does not list was lost on the way. */
static void check_listed(struct schedule *s, struct worker *w, struct lease *l, struct sched_actions *out)
{
	if (l->asked_back && l->asked_no <= w->frame_seen)
		l->asked_back = false; /* what it gave back has come before this */
	if (l->frame_no > w->frame_seen || l->listed_in == w->renew_count)
		return;
	if (++l->unlisted < 2) {
		attempt_lease_died(s, l, l->gone_bits, DEATH_KNOWN, out); /* given up, and not there any more */
		return;
	}
	s->counters.lost_leases++;
	attempt_lease_died(s, l, NULL, DEATH_KNOWN, out);
}

static void check_unlisted(struct schedule *s, struct worker *w, struct sched_actions *out)
{
	for (size_t i = 0; i < w->held_count; i++) {
		struct lease *l = w->held[i].lease == NO_SLOT ? NULL : s->leases[w->held[i].lease];
		if (l && !l->answers && !l->ghost)
			check_listed(s, w, l, out);
		else if (l && l->answers && l->ghost && s->now_ms - l->lent_ms > ANSWERS_MS)
			attempt_lease_died(s, l, NULL, DEATH_KNOWN, out); /* its outbox must have lost them */
	}
}

/* wanted is what it would take when it wrote the Renew: what was on its way to it then is not in that figure. */
static void take_credit(struct schedule *s, struct worker *w, const struct msg_renew *m)
{
	w->limit = w->out + m->wanted;
	for (uint32_t i = 0; i < s->route_count; i++) {
		struct slice *sl = slice_of(s, w, i);
		sl->limit = sl->out + sl->wanted;
	}
	for (size_t i = w->held_count; i-- > 0;) {
		const struct lease *l = w->held[i].lease == NO_SLOT ? NULL : s->leases[w->held[i].lease];
		if (!l)
			continue;
		if (l->frame_no <= w->frame_seen)
			break; /* numbers and frames of one session grow together */
		if (l->ghost)
			continue;
		w->limit -= MIN_OF(w->limit, (uint64_t)l->live);
		if (l->route != NO_SLOT) {
			struct slice *sl = slice_of(s, w, l->route);
			sl->limit -= MIN_OF(sl->limit, (uint64_t)l->live);
		}
	}
}

static struct lease_no *match_leases(struct schedule *s, struct worker *w, const struct msg_renew *m,
                                     size_t *ret_refused_count, struct sched_actions *out)
{
	struct lease_no *refused = NULL;
	size_t count = 0;
	for (size_t i = 0; i < m->lease_count; i++) {
		struct lease *l = lease_find(s, w, m->leases[i].number);
		if (l && !l->answers && l->count == m->leases[i].sample_count) {
			lease_unghost(s, l);
			l->listed_in = w->renew_count;
			adopt_listed(s, l, &m->leases[i], out);
			continue;
		}
		if (!refused)
			refused = arena_new(&out->arena, m->lease_count, sizeof(*refused));
		refused[count++] = m->leases[i].number;
	}
	s->counters.refused_leases += count;
	*ret_refused_count = count;
	return refused;
}

void worker_renew(struct schedule *s, uint32_t worker_id, const struct msg_renew *m, struct sched_actions *out)
{
	struct worker *w = worker_find(s, worker_id);
	if (!w)
		return;
	if (w->expired) { /* it had stopped, say: there is no Hello from which on its outbox speaks */
		slice_all_due(s);
		unsettle(s, w);
	}
	w->expired = false;
	w->renewed = true;
	w->frame_seen = MIN_OF(m->frame_seen, w->frame_no);
	w->loop_lag_ms = m->loop_lag_ms;
	w->outbox_fails = m->outbox_fails;
	w->renew_count++;
	lease_close_holes(w);
	worker_list_due(s, w, s->now_ms + s->config.lease_ms);
	size_t refused_count;
	struct lease_no *refused = match_leases(s, w, m, &refused_count, out);
	check_unlisted(s, w, out);
	attempt_report(s, &w->outbox, out);
	slice_renewed(s, w, m);
	take_credit(s, w, m);
	slice_split_due(s, out); /* a smaller slice is told before the answer that lets it go on */
	slice_disown(s, w, m, out);
	slice_update_all(s, w);
	struct sched_action *a = action_add(out, SCHED_DO_RENEWED);
	a->renewed.worker_id = worker_id;
	a->renewed.renew_no = m->renew_no;
	a->renewed.refused = refused;
	a->renewed.refused_count = refused_count;
}

/* ---- giving back, leaving ---- */

void worker_release(struct schedule *s, uint32_t worker_id, const struct msg_released *m, struct sched_actions *out)
{
	struct worker *w = worker_find(s, worker_id);
	struct lease *l = w ? lease_find(s, w, m->number) : NULL;
	if (!l || l->answers)
		return;
	struct run *r = s->runs[l->run];
	uint32_t route = l->route;
	uint64_t given = 0;
	lease_unghost(s, l);
	for (size_t i = 0; i < m->sample_count; i++) {
		uint32_t index = m->samples[i].index;
		if (!lease_is_live(l, index))
			continue;
		uint64_t sample_no = l->sample_nos[index];
		if (m->samples[i].ask_id)
			attempt_note(s, &(struct sched_unreported){ .run_id = r->run_id,
			                                            .sample_no = sample_no,
			                                            .ask_id = m->samples[i].ask_id,
			                                            .retry_no = l->retry_no,
			                                            .scoring_no = r->scoring_no,
			                                            .error_class = CLASS_ABANDONED,
			                                            .started = true,
			                                            .alone = l->alone });
		lease_drop(s, l, index);
		run_give_back(s, r, sample_no);
		given++;
	}
	s->counters.taken_back += m->cause == RELEASE_ASKED ? given : 0;
	w->limit -= MIN_OF(w->limit, given); /* what it gives back it does not want again at once */
	if (route != NO_SLOT) {
		struct slice *sl = slice_of(s, w, route);
		sl->limit -= MIN_OF(sl->limit, given);
		sl->refused_work |= m->cause == RELEASE_NO_ABILITY;
		s->routes[route]->split_due |= m->cause == RELEASE_NO_ABILITY;
	}
	l->asked_back = false;
	lease_end_if_empty(s, l);
	attempt_report(s, &w->outbox, out);
	if (m->cause == RELEASE_DRAIN)
		w->draining = true;
	slice_update_all(s, w);
}

static void end_all(struct schedule *s, struct worker *w, enum attempt_death death, struct sched_actions *out)
{
	for (size_t i = 0; i < w->held_count; i++)
		if (w->held[i].lease != NO_SLOT)
			attempt_lease_died(s, s->leases[w->held[i].lease], NULL, death, out);
	attempt_report(s, &w->outbox, out);
	slice_lost(s, w);
	w->alone = false;
	w->limit = 0;
}

void worker_go(struct schedule *s, uint32_t worker_id, bool orderly, struct sched_actions *out)
{
	struct worker *w = worker_find(s, worker_id);
	if (!w)
		return;
	(void)map_remove_u64(&s->worker_slots, worker_id);
	w->connected = false;
	s->connected_count--;
	for (uint32_t i = 0; i < w->slice_count; i++)
		slice_update_hunger(s, w, i, false);
	if (orderly)
		end_all(s, w, DEATH_ORDERLY, out);
	if (orderly || w->expired)
		worker_list_remove(s, w);
}

void worker_drain(struct schedule *s, uint32_t worker_id, struct str reason, struct sched_actions *out)
{
	struct worker *w = worker_find(s, worker_id);
	if (!w)
		return;
	w->draining = true;
	slice_update_all(s, w);
	slice_all_due(s);
	struct sched_action *a = action_add(out, SCHED_DO_DRAIN);
	a->drain.worker_id = worker_id;
	a->drain.frame_no = ++w->frame_no;
	a->drain.reason = arena_str(&out->arena, reason);
}

/* ---- time ---- */

static void expire(struct schedule *s, struct worker *w, struct sched_actions *out)
{
	s->counters.expired_workers++;
	worker_list_undue(s, w);
	w->expired = true;
	/* What is on its way to it, behind a wire that is cut, must not be begun when it arrives. */
	for (size_t i = 0; i < w->held_count; i++)
		if (w->held[i].lease != NO_SLOT)
			worker_revoke(s, s->leases[w->held[i].lease], out);
	end_all(s, w, DEATH_COUNTS, out);
	if (!w->connected)
		worker_list_remove(s, w);
}

/* Its outbox has said what it knows: what is still aside was never asked, but for what we saw start. */
static void settle(struct schedule *s, struct worker *w, struct sched_actions *out)
{
	action_add(out, SCHED_DO_LOST_CLOSED)->outbox = w->outbox;
	for (size_t i = 0; i < w->held_count; i++) {
		struct lease *l = w->held[i].lease == NO_SLOT ? NULL : s->leases[w->held[i].lease];
		if (l && l->ghost && !l->answers)
			attempt_lease_died(s, l, NULL, DEATH_KNOWN, out);
	}
	attempt_report(s, &w->outbox, out);
}

void worker_tick(struct schedule *s, struct sched_actions *out)
{
	while (s->unsettled_from < s->unsettled_to && s->unsettled[s->unsettled_from].until_ms <= s->now_ms) {
		struct unsettled u = s->unsettled[s->unsettled_from++];
		struct worker *w = s->workers[u.worker];
		bool is_heard = w->deadline_ms > s->now_ms; /* else it has said nothing since, and expires below */
		if (w->used && w->connected && w->worker_id == u.worker_id && is_heard)
			settle(s, w, out);
	}
	while (s->first_due != NO_SLOT && s->workers[s->first_due]->deadline_ms <= s->now_ms)
		expire(s, s->workers[s->first_due], out);
}

uint64_t worker_next_ms(const struct schedule *s)
{
	uint64_t next_ms = s->first_due == NO_SLOT ? UINT64_MAX : s->workers[s->first_due]->deadline_ms;
	if (s->unsettled_from < s->unsettled_to)
		next_ms = MIN_OF(next_ms, s->unsettled[s->unsettled_from].until_ms);
	return next_ms;
}

/* ---- what is said to one ---- */

void worker_revoke(struct schedule *s, struct lease *l, struct sched_actions *out)
{
	struct worker *w = s->workers[l->worker];
	if (!w->connected || l->ghost || l->answers)
		return;
	struct sched_action *a = action_add(out, SCHED_DO_REVOKE);
	a->revoke.worker_id = w->worker_id;
	a->revoke.frame_no = ++w->frame_no;
	a->revoke.number = l->number;
}

void worker_ask_back(struct schedule *s, struct lease *l, const uint32_t *indexes, size_t count,
                     struct sched_actions *out)
{
	struct worker *w = s->workers[l->worker];
	if (!w->connected || l->ghost || l->answers)
		return;
	struct sched_action *a = action_add(out, SCHED_DO_RELEASE);
	a->release.worker_id = w->worker_id;
	a->release.frame_no = l->asked_no = ++w->frame_no;
	a->release.number = l->number;
	a->release.indexes = indexes;
	a->release.index_count = count;
	l->asked_back = true;
}

bool worker_has_context(const struct worker *w, const struct run *r)
{
	return r->slot < w->contexts.len && bits_get(&w->contexts, r->slot);
}

bool worker_take_context(struct worker *w, const struct run *r)
{
	if (r->slot >= w->contexts.len)
		bits_resize(&w->contexts, (r->slot / 64 + 1) * 64);
	return bits_set(&w->contexts, r->slot);
}

void worker_forget_context(struct schedule *s, uint32_t run)
{
	for (size_t i = 0; i < s->worker_slots_used; i++)
		if (run < s->workers[i]->contexts.len)
			(void)bits_clear(&s->workers[i]->contexts, run);
}

void worker_free_alone(struct schedule *s, const struct run *r)
{
	for (size_t i = 0; i < s->worker_slots_used; i++) {
		struct worker *w = s->workers[i];
		if (!w->used || !w->alone || w->alone_run != r->slot)
			continue;
		w->alone = false;
		w->alone_run = NO_SLOT;
		slice_update_all(s, w);
	}
}
