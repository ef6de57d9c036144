/* What really happened, and the rules of DESIGN.md 4 held against it. It asks nothing of the parts but what they did.
 */
#include "common/base/mem.h"
#include "tests/simulation/world.h"
#include <stdarg.h>
#include <stdio.h>

void oracle_break(struct world *w, const char *rule, const char *format, ...)
{
	struct oracle *o = &w->oracle;
	if (o->broken)
		return;
	va_list args;
	va_start(args, format);
	(void)vsnprintf(o->text, sizeof(o->text), format, args);
	va_end(args);
	o->broken = rule;
	world_log(w, "BROKEN %s: %s", rule, o->text);
}

struct oracle_sample *oracle_sample(struct world *w, uint64_t run_id, uint64_t sample_no)
{
	return &w->oracle.runs[run_id - 1].samples[sample_no];
}

void oracle_begin(struct world *w)
{
	for (uint32_t i = 0; i < w->plan.run_count; i++) {
		struct oracle_run *r = &w->oracle.runs[i];
		const struct plan_run *p = &w->plan.runs[i];
		r->room = p->items * p->epochs_max;
		r->samples = mem_new(r->room, sizeof(*r->samples));
		for (uint64_t n = 0; n < r->room && p->poison_per_mille + p->broken_per_mille > 0; n++) {
			r->samples[n].poison = world_chance(w, p->poison_per_mille);
			r->samples[n].broken = world_chance(w, p->broken_per_mille);
		}
	}
}

void oracle_end(struct world *w)
{
	for (uint32_t i = 0; i < w->plan.run_count; i++)
		mem_free(w->oracle.runs[i].samples);
	mem_free(w->oracle.asks);
	mem_free(w->oracle.alone);
}

/* ---- asks ---- */

enum { RENEWS_MS = 1500, HELD_SPARE = 64 };

static struct oracle_ask *ask_at(struct world *w, uint32_t at)
{
	return at ? &w->oracle.asks[at - 1] : NULL;
}

static uint32_t route_of(const struct world *w, const struct oracle_ask *a)
{
	return w->plan.runs[a->run].route;
}

static void link_ask(struct world *w, uint32_t at)
{
	struct oracle_ask *a = ask_at(w, at);
	uint32_t *first = &w->oracle.live[a->worker];
	a->link_next = *first;
	if (*first)
		ask_at(w, *first)->link_before = at;
	*first = at;
}

static void unlink_ask(struct world *w, uint32_t at)
{
	struct oracle_ask *a = ask_at(w, at);
	uint32_t *first = &w->oracle.live[a->worker];
	if (!a->link_before && *first != at)
		return; /* not in it */
	if (a->link_before)
		ask_at(w, a->link_before)->link_next = a->link_next;
	else
		*first = a->link_next;
	if (a->link_next)
		ask_at(w, a->link_next)->link_before = a->link_before;
	a->link_next = a->link_before = 0;
}

void oracle_excuse(struct world *w, struct oracle_ask *a)
{
	if (a->excused)
		return;
	a->excused = true;
	if (a->state == ASK_UNDER_WAY)
		w->oracle.in_flight[route_of(w, a)]--;
}

/* May there be another ask beside this one? */
static bool leaves_room(const struct world *w, const struct oracle_ask *a)
{
	if (a->excused || a->state == ASK_FAILED || a->state == ASK_ABANDONED || a->state == ASK_DIED)
		return true;
	const struct ledger_row *row = ledger_row(w, a->run + 1u, a->sample_no);
	return a->state == ASK_ANSWERED && a->final && row && outcome_is_missing((enum outcome)row->outcome) &&
	       row->retry_no < w->ledger.runs[a->run].retry_wave;
}

uint32_t oracle_asks(struct world *w, struct crew *c, const struct exec_key *key, uint64_t ask_id, uint32_t net)
{
	struct oracle *o = &w->oracle;
	struct oracle_sample *s = oracle_sample(w, key->run_id, key->sample_no);
	for (uint32_t at = s->last; at; at = ask_at(w, at)->before) {
		const struct oracle_ask *a = ask_at(w, at);
		if (!leaves_room(w, a))
			oracle_break(w, "I3", "run %llu sample %llu is asked by worker %u while worker %u %s",
			             (unsigned long long)key->run_id, (unsigned long long)key->sample_no, c->index,
			             a->worker, a->state == ASK_UNDER_WAY ? "is at it" : "has its answer");
	}
	mem_reserve(&o->asks, &o->ask_cap, o->ask_count + 1, sizeof(*o->asks));
	struct oracle_ask *a = &o->asks[o->ask_count++];
	*a = (struct oracle_ask){ .ask_id = ask_id,
		                  .sample_no = key->sample_no,
		                  .run = (uint16_t)(key->run_id - 1),
		                  .worker = (uint16_t)c->index,
		                  .retry_no = key->retry_no,
		                  .outbox_no = c->drawer.outbox_no,
		                  .life = c->life,
		                  .net = net,
		                  .begun_ms = w->now_ms,
		                  .begun_term = o->leader_term,
		                  /* that it has a row is on its way to the worker */
		                  .unlogged = ledger_settled(w, key->run_id, key->sample_no),
		                  .before = s->last };
	s->last = (uint32_t)o->ask_count;
	world_log(w, "worker %u asks r%llu:%llu/%u %016llx", c->index, (unsigned long long)key->run_id,
	          (unsigned long long)key->sample_no, key->retry_no, (unsigned long long)ask_id);
	link_ask(w, s->last);
	uint32_t route = route_of(w, a), limit = w->plan.routes[route].concurrency;
	o->in_flight[route]++;
	if (net == c->stalled_net && w->now_ms < c->stalled_until_ms)
		oracle_excuse(w, a); /* it stands in the ring of a thread that does not turn */
	if (limit && o->in_flight[route] > limit)
		oracle_break(w, "I4", "%u asks under way on route %u of %u", o->in_flight[route], route + 1, limit);
	if (c->alone_asking > 0 && c->asking > 1)
		oracle_break(w, "I9", "worker %u asks beside a sample that is to run alone", c->index);
	if (c->asking > c->slots)
		oracle_break(w, "I4", "worker %u has %u asks under way in %u slots", c->index, c->asking, c->slots);
	return s->last;
}

void oracle_ended(struct world *w, uint32_t at, enum ask_state state)
{
	struct oracle_ask *a = ask_at(w, at);
	if (a->state == ASK_UNDER_WAY && !a->excused)
		w->oracle.in_flight[route_of(w, a)]--;
	a->state = (uint8_t)state;
	world_log(w, "ask %016llx r%u:%llu: %s", (unsigned long long)a->ask_id, a->run + 1,
	          (unsigned long long)a->sample_no,
	          state == ASK_ANSWERED ? "answered"
	          : state == ASK_FAILED ? "failed"
	                                : "abandoned");
}

void oracle_unlogged(struct world *w, const struct exec_key *key, uint64_t ask_id)
{
	struct oracle_ask *a = ask_at(w, oracle_sample(w, key->run_id, key->sample_no)->last);
	for (; a; a = ask_at(w, a->before))
		a->unlogged |= a->ask_id == ask_id;
}

/* What it had said of deaths died with it; the samples went out again before that was durable. */
void oracle_pen_lost(struct world *w, const struct batch *b)
{
	for (size_t i = 0; i < b->count; i++) {
		const struct msg_record *r = &b->records[i];
		struct oracle_ask *a = ask_at(w, oracle_sample(w, r->run_id, r->sample_no)->last);
		bool is_lost = r->kind == RECORD_ATTEMPT && r->error_class == CLASS_LOST;
		for (; a && is_lost; a = ask_at(w, a->before))
			a->unlogged |= b->outbox_no == 0 || a->outbox_no == b->outbox_no;
	}
}

/* ---- deaths ---- */

static void alone_died(struct world *w, uint32_t worker)
{
	struct oracle *o = &w->oracle;
	size_t kept = 0;
	for (size_t i = 0; i < o->alone_count; i++) {
		const struct oracle_alone *x = &o->alone[i];
		if (x->worker != worker) {
			o->alone[kept++] = *x;
			continue;
		}
		if (!ledger_settled(w, x->run + 1, x->sample_no))
			o->runs[x->run].samples[x->sample_no].alone_deaths++;
	}
	o->alone_count = kept;
}

void oracle_worker_died(struct world *w, struct crew *c)
{
	while (w->oracle.live[c->index]) {
		uint32_t at = w->oracle.live[c->index];
		struct oracle_ask *a = ask_at(w, at);
		oracle_excuse(w, a);
		if (a->state == ASK_UNDER_WAY)
			a->state = ASK_DIED;
		unlink_ask(w, at);
	}
	alone_died(w, c->index);
}

void oracle_called_over(struct world *w, uint32_t worker)
{
	for (uint32_t at = w->oracle.live[worker]; at; at = ask_at(w, at)->link_next)
		oracle_excuse(w, ask_at(w, at));
	alone_died(w, worker);
}

void oracle_stalled(struct world *w, struct crew *c)
{
	for (uint32_t at = w->oracle.live[c->index]; at; at = ask_at(w, at)->link_next)
		if (ask_at(w, at)->net == c->stalled_net) {
			/* If the same outbox gets the sample again, its report of that ask closes this one's place. */
			ask_at(w, at)->unlogged = true;
			oracle_excuse(w, ask_at(w, at));
		}
}

static bool is_sent(const struct ledger_run *r, uint64_t sample_no)
{
	uint64_t from = 0;
	for (size_t i = 0; i < r->layer_count && from < r->sent_to; from += r->layers[i++].sample_count) {
		const struct position_layer *l = &r->layers[i];
		uint64_t offset = sample_no - l->sample_from;
		if (sample_no >= l->sample_from && offset < l->sample_count && from + offset < r->sent_to)
			return true;
	}
	return false;
}

static void check_lent(struct world *w, const struct desk *d, const struct ledger_run *r, uint64_t run_id,
                       uint64_t sample_no)
{
	const struct oracle_sample *s = oracle_sample(w, run_id, sample_no);
	if (!is_sent(r, sample_no))
		oracle_break(w, "I3", "run %llu sample %llu is lent beyond the position that is durable",
		             (unsigned long long)run_id, (unsigned long long)sample_no);
	if (s->told_term == d->term && ledger_settled(w, run_id, sample_no))
		oracle_break(w, "I3", "run %llu sample %llu is lent by a leader that was told of its score",
		             (unsigned long long)run_id, (unsigned long long)sample_no);
}

/* I4: a worker is never lent more than it said it would take. */
void oracle_promises(struct world *w, struct crew *c, const struct msg *m)
{
	struct agent_status s;
	(void)w;
	if (m->kind != MSG_RENEW && m->kind != MSG_HELLO)
		return;
	agent_status(c->agent, &s);
	if (m->kind == MSG_HELLO)
		for (size_t i = 0; i < PLAN_PROMISES; i++)
			c->promises[i] = s.held;
	c->promises[c->promise_next++ % PLAN_PROMISES] = s.held + (m->kind == MSG_RENEW ? m->renew.wanted : 0);
}

void oracle_holds(struct world *w, struct crew *c)
{
	struct agent_status s;
	uint64_t most = 0;
	agent_status(c->agent, &s);
	for (size_t i = 0; i < PLAN_PROMISES; i++)
		most = MAX_OF(most, c->promises[i]);
	/* Of what it has reported, and of late copies, the leader may know more than it does: a rough bound. */
	if (s.held - s.reported > 2 * most + HELD_SPARE)
		oracle_break(w, "I4", "worker %u holds %llu samples and wanted %llu at most", c->index,
		             (unsigned long long)(s.held - s.reported), (unsigned long long)most);
}

void oracle_leased(struct world *w, struct desk *d, const struct sched_action *a, uint32_t worker)
{
	struct oracle *o = &w->oracle;
	const struct ledger_run *r = ledger_run(w, a->lease.run_id);
	w->tally.leases++;
	world_log(w, "coordinator %u lends%s worker %u (w%u) %llu/%llu: r%llu:%llu + %u", d->index,
	          a->lease.alone ? " alone" : "", worker, a->lease.worker_id, (unsigned long long)a->lease.number.term,
	          (unsigned long long)a->lease.number.n, (unsigned long long)a->lease.run_id,
	          (unsigned long long)a->lease.sample_nos[0], a->lease.sample_count);
	for (uint32_t i = 0; i < a->lease.sample_count; i++)
		check_lent(w, d, r, a->lease.run_id, a->lease.sample_nos[i]);
	for (uint32_t i = 0; i < a->lease.sample_count && a->lease.alone; i++) {
		mem_reserve(&o->alone, &o->alone_cap, o->alone_count + 1, sizeof(*o->alone));
		o->alone[o->alone_count++] =
			(struct oracle_alone){ worker, (uint32_t)a->lease.run_id - 1, a->lease.sample_nos[i] };
	}
}

/* ---- rows ---- */

static bool is_poison_only(const struct oracle_sample *s)
{
	return s->poison || s->alone_deaths >= 3;
}

void oracle_row(struct world *w, uint64_t term, const struct msg_record *r, uint32_t outbox_no, bool inserted)
{
	const struct oracle_sample *s = oracle_sample(w, r->run_id, r->sample_no);
	(void)inserted;
	if (term != w->oracle.leader_term)
		oracle_break(w, "I5", "a row under term %llu while %llu leads", (unsigned long long)term,
		             (unsigned long long)w->oracle.leader_term);
	if (r->outcome == OUTCOME_QUARANTINED && !is_poison_only(s))
		oracle_break(w, "I9", "run %llu sample %llu is set aside, an innocent (%u deaths alone)",
		             (unsigned long long)r->run_id, (unsigned long long)r->sample_no, s->alone_deaths);
	if (r->ask_id != 0 && s->poison)
		oracle_break(w, "world", "a poison sample has an answer");
	if (r->ask_id != 0 && outbox_no == 0)
		oracle_break(w, "world", "an answer of nobody");
}

void oracle_durable(struct world *w, const struct msg_record *r, uint32_t outbox_no)
{
	(void)outbox_no;
	if (r->ask_id == 0)
		return;
	struct oracle_ask *a;
	for (uint32_t at = oracle_sample(w, r->run_id, r->sample_no)->last; (a = ask_at(w, at)) != NULL;
	     at = a->before) {
		if (a->ask_id != r->ask_id)
			continue;
		a->final = true;
		return;
	}
	oracle_break(w, "world", "a record of an ask that never was: run %llu sample %llu",
	             (unsigned long long)r->run_id, (unsigned long long)r->sample_no);
}

/* Until then a death may cost it: the leader cannot know that it was stored. */
void oracle_told(struct world *w, const struct desk *d, const struct sched_committed *r)
{
	if (r->kind != RECORD_ATTEMPT && r->outcome == OUTCOME_SCORED)
		oracle_sample(w, r->run_id, r->sample_no)->told_term = d->term;
	struct oracle_ask *a;
	for (uint32_t at = oracle_sample(w, r->run_id, r->sample_no)->last; (a = ask_at(w, at)) != NULL; at = a->before)
		if (a->ask_id == r->ask_id)
			unlink_ask(w, at);
		else if (a->state == ASK_UNDER_WAY && w->now_ms < a->begun_ms + RENEWS_MS)
			a->unlogged = true; /* the leader has not heard of it, and its sample has a row now */
}

/* ---- what is said ---- */

static const struct msg_record *record_of(const struct crew *c, const struct outbox_part *p,
                                          const struct outbox_slot *s)
{
	for (size_t k = c->drawer.count; k-- > 0;)
		if (c->drawer.segments[k].no == p->segment_no)
			return &c->drawer.segments[k].entries[s->at].record->m;
	return NULL;
}

static size_t first_at_or_above(const struct outbox_part *p, uint64_t record_no)
{
	size_t low = 0, high = p->len;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (p->slots[middle].record_no < record_no)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* A worker forgets exactly what is durable. */
void oracle_trimmed(struct world *w, struct crew *c, const struct record_range *ranges, size_t count)
{
	const struct outbox_index *x = &c->drawer.index;
	for (size_t k = 0; k < count * x->part_count; k++) {
		const struct record_range *range = &ranges[k / x->part_count];
		const struct outbox_part *p = &x->parts[k % x->part_count];
		for (size_t i = first_at_or_above(p, range->first); i < p->len; i++) {
			const struct outbox_slot *s = &p->slots[i];
			if (s->record_no > range->last)
				break;
			if (s->done || s->kind == OUTBOX_ANSWER)
				continue;
			const struct msg_record *r = record_of(c, p, s);
			if (!r || !ledger_knows_ask(w, r->run_id, r->sample_no, r->ask_id))
				oracle_break(w, "I2", "worker %u is told that record %llu is durable, and it is not",
				             c->index, (unsigned long long)s->record_no);
		}
	}
}

void oracle_acknowledges(struct world *w, struct desk *d, const struct share *s)
{
	for (size_t i = 0; i < s->count; i++)
		if (!ledger_knows_ask(w, s->records[i].run_id, s->records[i].sample_no, s->records[i].ask_id))
			oracle_break(w, "I5", "coordinator %u acknowledges what is not durable", d->index);
}

void oracle_session_ended(struct world *w, struct desk *d, const struct peer *p)
{
	if (session_end_is_fault(p->session.end) && !p->was_closed_before)
		oracle_break(w, "wire", "coordinator %u ends w%u: %s", d->index, p->worker_id,
		             session_end_name(p->session.end));
}

void oracle_run_ended(struct world *w, struct desk *d, const struct sched_action *a)
{
	const struct ledger_run *r = ledger_run(w, a->ended.run_id);
	if (d->term != w->ledger.term || w->now_ms < r->changed_ms + 10000)
		return; /* it will be told that it does not lead; or may not have heard of the change */
	uint64_t samples = w->plan.runs[a->ended.run_id - 1].items * r->epochs;
	if (a->ended.state != SCHED_STATE_DONE && a->ended.text.len == 0)
		oracle_break(w, "I6", "run %llu ends %s without a reason", (unsigned long long)a->ended.run_id,
		             sched_run_state_name(a->ended.state));
	if (a->ended.state == SCHED_STATE_CANCELLED && !r->cancel_said)
		oracle_break(w, "I6", "run %llu ends cancelled, and nobody asked", (unsigned long long)a->ended.run_id);
	if (a->ended.state != SCHED_STATE_DONE && a->ended.state != SCHED_STATE_INCOMPLETE)
		return;
	for (uint64_t n = 0; n < samples; n++)
		if (!ledger_settled(w, a->ended.run_id, n)) {
			oracle_break(w, "I1", "run %llu ends %s and sample %llu is not",
			             (unsigned long long)a->ended.run_id, sched_run_state_name(a->ended.state),
			             (unsigned long long)n);
			return;
		}
}
