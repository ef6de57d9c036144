/* The writers of a coordinator: groups of records and jobs, statements that stall, are lost before their COMMIT, or
 * whose COMMIT is in doubt and sent again. Follows coordinator/main/writers.c and store/writer.c. */
#include "common/base/check.h"
#include "common/base/mem.h"
#include "tests/simulation/world.h"
#include <string.h>

enum { GROUP_ROWS = 1000, GROUP_MS = 20, AGAIN_MS = 100 };

void pen_begin(struct pen *p)
{
	*p = (struct pen){ .due_ms = UINT64_MAX };
	p->last = &p->first;
}

static void share_unref(struct share *s)
{
	if (!s || --s->left > 0)
		return;
	parcel_unref(s->parcel);
	mem_free(s->records);
	mem_free(s);
}

static void batch_free(struct batch *b)
{
	mem_free(b->records);
	mem_free(b->outcomes);
	mem_free(b);
}

static void free_list(struct world *w, struct batch *b)
{
	while (b) {
		struct batch *next = b->next;
		oracle_pen_lost(w, b);
		share_unref(b->share);
		batch_free(b);
		b = next;
	}
}

void pen_end(struct world *w, struct pen *p)
{
	free_list(w, p->first);
	free_list(w, p->group);
	pen_begin(p);
}

static uint32_t pen_of(uint64_t run_id)
{
	return (uint32_t)(run_id % PLAN_PENS);
}

static void wake(struct world *w, struct desk *d, uint32_t which, uint64_t at_ms)
{
	struct pen *p = &d->pens[which];
	if (p->busy || at_ms >= p->due_ms)
		return;
	p->due_ms = at_ms;
	world_at(w, at_ms, EV_PEN, d->index, d->life, which);
}

void pen_push(struct world *w, struct desk *d, struct batch *b, uint64_t run_id)
{
	uint32_t which = pen_of(run_id);
	struct pen *p = &d->pens[which];
	b->next = NULL;
	*p->last = b;
	p->last = &b->next;
	p->waiting += b->count;
	wake(w, d, which, b->job != JOB_NONE || p->waiting >= GROUP_ROWS ? w->now_ms : w->now_ms + GROUP_MS);
}

static struct batch *batch_new(const struct desk *d, uint32_t outbox_no, size_t count)
{
	struct batch *b = mem_new(1, sizeof(*b));
	(void)d;
	b->outbox_no = outbox_no;
	b->count = count;
	b->outcomes = count ? mem_new(count, 1) : NULL;
	return b;
}

struct batch *pen_job(struct world *w, struct desk *d, enum job_kind job, uint64_t run_id)
{
	struct batch *b = batch_new(d, 0, 0);
	b->job = job;
	b->run_id = run_id;
	b->asked_ms = desk_wall_ms(w, d);
	return b;
}

void pen_records(struct world *w, struct desk *d, uint32_t outbox_no, struct msg_record *records, size_t count)
{
	struct batch *b = batch_new(d, outbox_no, count);
	b->records = records;
	pen_push(w, d, b, records[0].run_id);
}

void pen_results(struct world *w, struct desk *d, uint32_t outbox_no, struct parcel *parcel,
                 const struct msg_record *records, size_t count)
{
	struct batch *parts[PLAN_PENS] = { 0 };
	struct share *s = mem_new(1, sizeof(*s));
	*s = (struct share){ .outbox_no = outbox_no, .count = count, .parcel = parcel, .left = 1 };
	parcel_ref(parcel);
	s->records = mem_new(count, sizeof(*s->records));
	memcpy(s->records, records, count * sizeof(*records));
	for (uint32_t which = 0; which < PLAN_PENS; which++) {
		size_t n = 0;
		for (size_t i = 0; i < count; i++)
			n += pen_of(records[i].run_id) == which;
		if (n == 0)
			continue;
		struct batch *b = parts[which] = batch_new(d, outbox_no, n);
		b->records = mem_new(n, sizeof(*b->records));
		n = 0;
		for (size_t i = 0; i < count; i++)
			if (pen_of(records[i].run_id) == which)
				b->records[n++] = records[i];
		b->share = s;
		s->left++;
	}
	for (uint32_t which = 0; which < PLAN_PENS; which++)
		if (parts[which])
			pen_push(w, d, parts[which], parts[which]->records[0].run_id);
	s->left--; /* ours */
}

/* ---- a statement ---- */

static bool reachable(const struct world *w, const struct desk *d)
{
	return w->now_ms >= d->cut_until_ms && w->now_ms >= w->ledger.down_until_ms;
}

static uint64_t reachable_ms(const struct world *w, const struct desk *d)
{
	return MAX_OF(d->cut_until_ms, w->ledger.down_until_ms);
}

static void take_group(struct pen *p)
{
	struct batch **last = &p->group;
	size_t rows = 0;
	check(!p->group);
	do {
		struct batch *b = p->first;
		p->first = b->next;
		b->next = NULL;
		*last = b;
		last = &b->next;
		rows += b->count;
		p->waiting -= b->count;
		if (b->job != JOB_NONE)
			break;
	} while (p->first && p->first->job == JOB_NONE && rows + p->first->count <= GROUP_ROWS);
	if (!p->first)
		p->last = &p->first;
}

static void begin_statement(struct world *w, struct desk *d, uint32_t which)
{
	struct pen *p = &d->pens[which];
	p->due_ms = UINT64_MAX;
	if (p->busy || (!p->group && !p->first) || (d->role != DESK_LEADS && d->role != DESK_LOADING))
		return;
	if (desk_is_paused(w, d)) {
		wake(w, d, which, d->paused_until_ms);
		return;
	}
	if (!reachable(w, d)) {
		wake(w, d, which, reachable_ms(w, d) + world_pick(w, 1, 500));
		return;
	}
	if (!p->group)
		take_group(p);
	p->busy = true;
	p->applied = p->lost = false;
	p->statement++;
	uint64_t at_ms = w->now_ms + world_pick(w, 0, w->plan.store_ms);
	at_ms = MAX_OF(at_ms, w->ledger.stalled_until_ms);
	world_at(w, at_ms, EV_PEN_APPLIES, d->index, d->life, (uint64_t)p->statement << 8 | which);
}

/* The database does its work whatever has become of who asked; the answer may find nobody. */
static void applies(struct world *w, const struct event *ev)
{
	struct desk *d = &w->desks[ev->who];
	struct pen *p = &d->pens[ev->a & 255];
	if (ev->gen != d->life || p->statement != ev->a >> 8 || !p->busy)
		return; /* its session was ended with its process */
	if (w->now_ms < w->ledger.stalled_until_ms) {
		world_at(w, w->ledger.stalled_until_ms, EV_PEN_APPLIES, ev->who, ev->gen, ev->a);
		return;
	}
	bool up = reachable(w, d);
	if (up || world_chance(w, 500)) { /* else it was lost on its way there */
		p->applied = true;
		for (struct batch *b = p->group; b && p->applied; b = b->next)
			p->applied = ledger_apply(w, d->term, b);
		if (!p->applied)
			p->lost = true;
	}
	world_at(w, w->now_ms + world_pick(w, 0, w->plan.store_ms), EV_PEN_HEARS, ev->who, ev->gen, ev->a);
}

static void tell(struct world *w, struct desk *d, struct batch *b)
{
	struct sched_event ev = { .kind = SCHED_COMMITTED };
	struct sched_committed *records = mem_new(b->count, sizeof(*records));
	for (size_t i = 0; i < b->count; i++) {
		const struct msg_record *r = &b->records[i];
		records[i] = (struct sched_committed){ .kind = r->kind,
			                               .given_up = r->given_up,
			                               .run_id = r->run_id,
			                               .sample_no = r->sample_no,
			                               .ask_id = r->ask_id,
			                               .retry_no = r->retry_no,
			                               .scoring_no = r->scoring_no,
			                               .outcome = (enum outcome)b->outcomes[i],
			                               .error_class = r->error_class,
			                               .attempt_count = r->attempt_count,
			                               .latency_ms = r->latency_ms,
			                               .retry_after_ms = r->retry_after_ms };
	}
	for (size_t i = 0; i < b->count; i++)
		oracle_told(w, d, &records[i]);
	ev.committed.outbox = b->outbox_no ? world_outbox(b->outbox_no) : (struct outbox_id){ 0 };
	ev.committed.records = records;
	ev.committed.count = b->count;
	w->tally.commits += b->count;
	desk_step(w, d, &ev);
	mem_free(records);
	if (b->share && b->share->left == 1)
		desk_commit(w, d, b->share);
	share_unref(b->share);
}

static void tell_job(struct world *w, struct desk *d, const struct batch *b)
{
	struct sched_event ev = { .kind = SCHED_SENT_TO };
	if (b->job == JOB_WORKER) {
		ev.kind = SCHED_WORKER_KNOWN;
		ev.known = world_outbox(b->outbox_no);
	} else if (b->job == JOB_SENT_TO) {
		ev.sent_to.run_id = b->run_id;
		ev.sent_to.position = b->position;
	} else {
		return;
	}
	desk_step(w, d, &ev);
}

static void hears(struct world *w, const struct event *ev)
{
	struct desk *d = &w->desks[ev->who];
	uint32_t which = (uint32_t)(ev->a & 255), life = d->life;
	struct pen *p = &d->pens[which];
	if (ev->gen != d->life || p->statement != ev->a >> 8 || !p->busy)
		return;
	if (desk_is_paused(w, d)) {
		world_at(w, d->paused_until_ms, EV_PEN_HEARS, ev->who, ev->gen, ev->a);
		return;
	}
	p->busy = false;
	if (p->lost) { /* leads = 0 */
		world_log(w, "coordinator %u: term %llu is over, says the database", d->index,
		          (unsigned long long)d->term);
		desk_die(w, d, true, world_pick(w, 200, 2000));
		return;
	}
	if (!p->applied || !reachable(w, d)) { /* the connection went: done or not, it is sent again */
		wake(w, d, which, w->now_ms + AGAIN_MS);
		return;
	}
	struct batch *done = p->group;
	p->group = NULL;
	while (done) {
		struct batch *b = done;
		done = b->next;
		b->next = NULL;
		if (d->life == life && b->job == JOB_NONE)
			tell(w, d, b);
		else if (d->life == life)
			tell_job(w, d, b);
		else
			share_unref(b->share);
		batch_free(b);
	}
	if (d->life == life && p->first)
		wake(w, d, which,
		     p->first->job != JOB_NONE || p->waiting >= GROUP_ROWS ? w->now_ms : w->now_ms + GROUP_MS);
}

void pen_event(struct world *w, const struct event *ev)
{
	struct desk *d = &w->desks[ev->who];
	if (ev->kind == EV_PEN_APPLIES) {
		applies(w, ev);
	} else if (ev->kind == EV_PEN_HEARS) {
		hears(w, ev);
	} else if (ev->gen == d->life && d->pens[ev->a].due_ms == w->now_ms) {
		begin_statement(w, d, (uint32_t)ev->a);
	} else if (ev->gen == d->life && d->pens[ev->a].due_ms < w->now_ms) {
		begin_statement(w, d, (uint32_t)ev->a);
	}
}
