/* What a coordinator reads: the beginning of a term, items, runs that were changed. As coordinator/main/loader.c does,
 * one thing after the other. */
#include "common/base/bits.h"
#include "common/base/mem.h"
#include "tests/simulation/world.h"
#include <string.h>

enum loan_kind { LOAN_TERM, LOAN_ITEMS, LOAN_NEEDED, LOAN_CHANGED };
enum { AWAY_MS = 250, ITEM_BYTES = 2, PART_ITEMS = 4096 };

void loader_end(struct desk *d)
{
	while (d->loans) {
		struct loan *l = d->loans;
		d->loans = l->next;
		mem_free(l);
	}
	d->loans_last = &d->loans;
}

static void wake(struct world *w, struct desk *d)
{
	if (d->loans)
		world_at(w, w->now_ms + world_pick(w, 0, w->plan.store_ms), EV_LOADED, d->index, d->life, d->loans->id);
}

static struct loan *add(struct world *w, struct desk *d, enum loan_kind what)
{
	struct loan *l = mem_new(1, sizeof(*l));
	bool first = !d->loans;
	l->id = ++d->loan_ids;
	l->what = (unsigned)what;
	*d->loans_last = l;
	d->loans_last = &l->next;
	if (first)
		wake(w, d);
	return l;
}

void loader_begin_term(struct world *w, struct desk *d)
{
	(void)add(w, d, LOAN_TERM); /* it says all */
}

void loader_items(struct world *w, struct desk *d, uint64_t run_id, uint64_t from, uint64_t to)
{
	struct loan *l = add(w, d, LOAN_ITEMS);
	l->run_id = run_id;
	l->from = from;
	l->to = to;
}

void loader_needed(struct world *w, struct desk *d, uint64_t run_id)
{
	add(w, d, LOAN_NEEDED)->run_id = run_id;
}

void loader_changed(struct world *w, struct desk *d, const struct plan_change *c)
{
	struct loan *l = add(w, d, LOAN_CHANGED);
	l->run_id = c->run + 1;
	l->from = c->kind;
}

/* ---- reading ---- */

struct reading { /* of one run */
	uint8_t *done, *missing;
	struct sched_tried *tried;
	size_t tried_count;
	uint64_t missing_counts[OUTCOME_COUNT];
};

static bool died_beside_lost(const struct world *w, uint32_t at, const struct ledger_attempt *died)
{
	for (; at; at = w->ledger.attempts[at - 1].next) {
		const struct ledger_attempt *a = &w->ledger.attempts[at - 1];
		if (a->error_class == CLASS_LOST && a->lost == 2 && a->outbox_no == died->outbox_no)
			return true;
	}
	return false;
}

/* As rebuild_attempts() counts. */
static bool read_tried(const struct world *w, const struct ledger_run *r, uint64_t sample_no, struct sched_tried *t)
{
	*t = (struct sched_tried){ .sample_no = sample_no };
	for (uint32_t at = r->tries[sample_no]; at; at = w->ledger.attempts[at - 1].next) {
		const struct ledger_attempt *a = &w->ledger.attempts[at - 1];
		if (a->retry_no != r->retry_wave)
			continue;
		bool counts = a->error_class == CLASS_LOST && (a->lost == 1 || a->lost == 2);
		t->deaths += counts && a->started;
		t->alone_deaths += counts && a->started && a->alone;
		t->near_deaths += counts && !a->started;
		t->near_deaths += a->error_class == CLASS_DIED && !died_beside_lost(w, r->tries[sample_no], a);
		if (a->error_class == CLASS_DIED || a->error_class == CLASS_LOST || a->error_class == CLASS_ABANDONED)
			continue;
		t->attempts++;
		t->spent_ms += a->latency_ms;
	}
	return t->attempts + t->deaths + t->near_deaths > 0;
}

static void read_run(struct world *w, uint64_t run_id, struct reading *x)
{
	const struct ledger_run *r = ledger_run(w, run_id);
	uint64_t samples = w->plan.runs[run_id - 1].items * r->epochs;
	*x = (struct reading){ .done = mem_new(samples / 8 + 1, 1),
		               .missing = mem_new(samples / 8 + 1, 1),
		               .tried = mem_new(samples, sizeof(struct sched_tried)) };
	for (uint64_t n = 0; n < samples; n++) {
		const struct ledger_row *row = ledger_row(w, run_id, n);
		if (ledger_settled(w, run_id, n)) {
			bits_put(x->done, n);
			if (outcome_is_missing((enum outcome)row->outcome)) {
				bits_put(x->missing, n);
				x->missing_counts[row->outcome]++;
			}
		} else if (r->tries[n] && read_tried(w, r, n, &x->tried[x->tried_count])) {
			x->tried_count++;
		}
	}
}

static void admit(struct world *w, struct desk *d, uint64_t run_id)
{
	const struct ledger_run *r = ledger_run(w, run_id);
	const struct plan_run *p = &w->plan.runs[run_id - 1];
	struct reading x;
	read_run(w, run_id, &x);
	size_t bytes = bits_byte_len(p->items * r->epochs);
	struct sched_run in = { .run_id = run_id,
		                .team_id = p->team + 1,
		                .route_id = p->route + 1,
		                .retry_wave = r->retry_wave,
		                .priority = p->priority,
		                .created_no = r->created_no,
		                .seed = w->seed,
		                .suite_items = p->items,
		                .epochs = r->epochs,
		                .layers = r->layers,
		                .layer_count = r->layer_count,
		                .done = str_make(x.done, bytes),
		                .missing = str_make(x.missing, bytes),
		                .sent_to = r->sent_to,
		                .resumed = r->sent_to > 0,
		                .tried = x.tried,
		                .tried_count = x.tried_count,
		                .caps = { .attempts_max = p->attempts_max },
		                .context_bytes = 17 };
	world_log(w, "run %llu is admitted: %llu rows, sent to %llu%s", (unsigned long long)run_id,
	          (unsigned long long)r->row_count, (unsigned long long)r->sent_to,
	          r->cancel_said ? ", cancelled" : "");
	struct sched_event ev = { .kind = SCHED_RUN_ADMIT, .run = &in };
	d->layers_told[run_id - 1] = r->layer_count;
	desk_step(w, d, &ev);
	mem_free(x.done);
	mem_free(x.missing);
	mem_free(x.tried);
	if (r->cancel_said) {
		struct sched_event cancel = { .kind = SCHED_RUN_CANCEL, .run_id = run_id };
		desk_step(w, d, &cancel);
	}
}

static void tell_route(struct world *w, struct desk *d, uint32_t index)
{
	struct sched_route route = { .route_id = index + 1,
		                     .concurrency = w->plan.routes[index].concurrency,
		                     .name = STR("m"),
		                     .provider = STR("openai"),
		                     .endpoint_host = STR("x") };
	struct sched_event ev = { .kind = SCHED_ROUTE, .route = &route };
	desk_step(w, d, &ev);
}

static void begin_term(struct world *w, struct desk *d)
{
	struct sched_event ev = { .kind = SCHED_LAST_WORKERS };
	struct outbox_id *last = mem_new(w->ledger.worker_cap + 1, sizeof(*last));
	for (size_t i = 0; i < w->ledger.worker_cap; i++)
		if (w->ledger.workers[i].there && !w->ledger.workers[i].gone && w->ledger.workers[i].term < d->term)
			last[ev.last_workers.count++] = world_outbox((uint32_t)i);
	ev.last_workers.outboxes = last;
	desk_step(w, d, &ev);
	mem_free(last);
	for (uint32_t i = 0; i < w->plan.route_count; i++)
		tell_route(w, d, i);
	for (uint32_t i = 0; i < w->plan.run_count; i++)
		if (w->ledger.runs[i].made && w->ledger.runs[i].state == SCHED_STATE_RUNNING)
			admit(w, d, i + 1);
	d->role = DESK_LEADS;
	d->config.mode = SESSION_LEAD;
	d->config.term = d->term;
	d->config.timeline = w->ledger.timeline;
}

static void items(struct world *w, struct desk *d, const struct loan *l)
{
	static uint32_t sizes[PART_ITEMS];
	struct sched_event ev = { .kind = SCHED_ITEMS_LOADED };
	for (size_t i = 0; sizes[0] == 0 && i < PART_ITEMS; i++)
		sizes[PART_ITEMS - 1 - i] = ITEM_BYTES;
	uint64_t count = MIN_OF(l->to - l->from, (uint64_t)PART_ITEMS);
	ev.items.run_id = l->run_id;
	ev.items.from = l->from;
	ev.items.to = l->from + (world_chance(w, 100) ? world_pick(w, 1, count) : count);
	ev.items.sizes = sizes;
	desk_step(w, d, &ev);
}

static struct sched_event retry_event(uint64_t run_id, uint32_t wave)
{
	struct sched_event ev = { .kind = SCHED_RUN_RETRY };
	ev.retry.run_id = run_id;
	ev.retry.wave = wave;
	return ev;
}

static struct sched_event extend_event(uint64_t run_id, uint32_t epochs)
{
	struct sched_event ev = { .kind = SCHED_RUN_EXTEND };
	ev.extend.run_id = run_id;
	ev.extend.epochs = epochs;
	return ev;
}

/* In the order in which they were made: positions are counted along them. */
static void tell_changes(struct world *w, struct desk *d, uint64_t run_id)
{
	const struct ledger_run *r = ledger_run(w, run_id);
	size_t *told = &d->layers_told[run_id - 1];
	for (size_t i = *told ? *told : r->layer_count; i < r->layer_count; i++) {
		const struct position_layer *x = &r->layers[i];
		uint64_t epochs = (x->sample_from + x->sample_count) / w->plan.runs[run_id - 1].items;
		struct sched_event ev =
			x->wave > 0 ? retry_event(run_id, x->wave) : extend_event(run_id, (uint32_t)epochs);
		desk_step(w, d, &ev);
	}
	if (*told)
		*told = r->layer_count;
}

static void changed(struct world *w, struct desk *d, const struct loan *l)
{
	const struct ledger_run *r = ledger_run(w, l->run_id);
	struct sched_event ev = { 0 };
	switch ((enum plan_change_kind)l->from) {
	case CHANGE_START:
		admit(w, d, l->run_id);
		return;
	case CHANGE_CANCEL:
		ev.kind = SCHED_RUN_CANCEL;
		ev.run_id = l->run_id;
		break;
	case CHANGE_RETRY:
		tell_changes(w, d, l->run_id);
		ev = retry_event(l->run_id, r->retry_wave);
		break;
	case CHANGE_EXTEND:
		tell_changes(w, d, l->run_id);
		ev = extend_event(l->run_id, r->epochs);
		break;
	}
	desk_step(w, d, &ev);
}

void loader_event(struct world *w, const struct event *ev)
{
	struct desk *d = &w->desks[ev->who];
	if (ev->gen != d->life || !d->loans || d->loans->id != ev->a)
		return;
	uint64_t away_ms = MAX_OF(MAX_OF(d->cut_until_ms, w->ledger.down_until_ms), w->ledger.stalled_until_ms);
	if (desk_is_paused(w, d) || w->now_ms < away_ms) {
		uint64_t again_ms = MAX_OF(MAX_OF(away_ms, d->paused_until_ms), w->now_ms) + world_pick(w, 0, AWAY_MS);
		world_at(w, again_ms, EV_LOADED, ev->who, ev->gen, ev->a);
		return;
	}
	struct loan l = *d->loans;
	mem_free(d->loans);
	d->loans = l.next;
	if (!d->loans)
		d->loans_last = &d->loans;
	if (l.what == LOAN_TERM)
		begin_term(w, d);
	else if (l.what == LOAN_ITEMS)
		items(w, d, &l);
	else if (l.what == LOAN_NEEDED)
		admit(w, d, l.run_id);
	else
		changed(w, d, &l);
	wake(w, d);
}
