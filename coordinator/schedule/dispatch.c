#include "coordinator/schedule/dispatch.h"
#include "coordinator/schedule/action.h"
#include "coordinator/schedule/alone.h"
#include "coordinator/schedule/attempt.h"
#include "coordinator/schedule/items.h"
#include "coordinator/schedule/lease.h"
#include "coordinator/schedule/lend.h"
#include "coordinator/schedule/route.h"
#include "coordinator/schedule/run.h"
#include "coordinator/schedule/sent.h"
#include "coordinator/schedule/slice.h"
#include "coordinator/schedule/worker.h"

enum pick_from { PICK_NONE, PICK_RETURNED, PICK_GAP, PICK_MAIN };

struct pick {
	enum pick_from from;
	uint64_t sample_no;
	uint32_t bytes;
};

static bool divert_suspect(struct schedule *s, struct run *r, uint64_t sample_no)
{
	if (r->tried.len == 0 || !attempt_is_suspect(r, sample_no))
		return false;
	s->suspects = true;
	returned_put(&r->suspects, sample_no);
	return true;
}

static bool next_returned(struct schedule *s, struct run *r, uint64_t *ret_sample_no)
{
	while (run_next_returned(r, &r->returned, ret_sample_no)) {
		if (!divert_suspect(s, r, *ret_sample_no))
			return true;
		returned_pop(&r->returned);
	}
	return false;
}

static bool next_of_span(struct schedule *s, struct run *r, struct span *span, uint64_t end, uint64_t *ret_sample_no)
{
	while (run_next(r, span, end, ret_sample_no)) {
		if (!divert_suspect(s, r, *ret_sample_no))
			return true;
		span->at++;
	}
	return false;
}

/* Samples of a retry wave are not told apart from those that are perhaps held: they wait together. */
static bool main_is_open(const struct run *r)
{
	uint64_t offset;
	if (!r->gap_closed || r->main.at >= r->positions.total)
		return true;
	return r->positions.layers[position_layer_of(&r->positions, r->main.at, &offset)].wave == 0;
}

static struct pick pick_next(struct schedule *s, struct run *r)
{
	struct pick p = { PICK_NONE, 0, 0 };
	if (r->returned.len && next_returned(s, r, &p.sample_no) && items_size(r, p.sample_no, &p.bytes))
		p.from = PICK_RETURNED;
	else if (!r->gap_closed && next_of_span(s, r, &r->gap, r->gap.end, &p.sample_no) &&
	         items_size(r, p.sample_no, &p.bytes))
		p.from = PICK_GAP;
	else if (main_is_open(r) && next_of_span(s, r, &r->main, r->sent_to, &p.sample_no) &&
	         items_size(r, p.sample_no, &p.bytes))
		p.from = PICK_MAIN;
	return p;
}

static void picked(struct run *r, const struct pick *p)
{
	if (p->from == PICK_RETURNED)
		returned_pop(&r->returned);
	else if (p->from == PICK_GAP)
		r->gap.at++;
	else
		r->main.at++;
}

static void refuse_large(struct schedule *s, struct run *r, const struct pick *p, struct sched_actions *out)
{
	struct str text = arena_printf(&out->arena, "its item of %u bytes does not fit into a lease of at most %u",
	                               p->bytes, s->config.lease_bytes_max);
	attempt_finish(s, r, p->sample_no, OUTCOME_HARNESS_ERROR, CLASS_HARNESS, text, out);
}

void dispatch_refresh(struct schedule *s, struct run *r)
{
	bool ready = route_serves(s, r) && run_pending(r) > 0 && pick_next(s, r).from != PICK_NONE;
	s->ready_count += ready;
	s->ready_count -= r->ready;
	r->ready = ready;
}

/* ---- one lease ---- */

static uint32_t lease_size(const struct schedule *s, const struct run *r, uint64_t want)
{
	uint32_t serving = s->routes[r->route]->serving;
	uint64_t parts = serving > 1 ? 2 * (uint64_t)serving : 1;
	uint64_t part = (s->routes[r->route]->pending + parts - 1) /
	                parts; /* of all its runs: who is done here goes on there */
	uint64_t size = MIN_OF(want, MAX_OF(part, (uint64_t)1));
	return (uint32_t)MIN_OF(size, (uint64_t)WIRE_LEASE_SAMPLES_MAX);
}

static void fill(struct schedule *s, struct run *r, struct lease *l, uint32_t size, struct sched_actions *out)
{
	const struct worker *w = s->workers[l->worker];
	uint64_t bytes = worker_has_context(w, r) ? 0 : r->context_bytes;
	bool has_died = false;
	while (l->count < size) {
		struct pick p = pick_next(s, r);
		if (p.from == PICK_NONE)
			return;
		if (p.bytes > s->config.lease_bytes_max) {
			picked(r, &p);
			refuse_large(s, r, &p, out);
			continue;
		}
		if (l->count > 0 && bytes + p.bytes > s->config.lease_bytes_max)
			return;
		if (r->tried.len && attempt_has_died(r, p.sample_no)) {
			if (has_died)
				return; /* those that fell together go apart */
			has_died = true;
		}
		picked(r, &p);
		bytes += p.bytes;
		lease_add(s, l, p.sample_no);
	}
}

static void lend(struct schedule *s, struct run *r, struct worker *w, uint64_t want, struct sched_actions *out)
{
	uint32_t size = lease_size(s, r, want);
	struct lease *l = lease_new(s, r, w, size);
	fill(s, r, l, size, out);
	s->routes[r->route]->pending -= MIN_OF(s->routes[r->route]->pending, (uint64_t)l->count);
	if (l->count == 0)
		lease_end_if_empty(s, l);
	else
		lend_lease(s, l, out);
	dispatch_refresh(s, r);
}

/* ---- all of them ---- */

static void serve(struct schedule *s, struct run *r, struct sched_actions *out)
{
	struct route *route = s->routes[r->route];
	while (r->ready && route->first_hungry != NO_SLOT) {
		if (s->step_leases >= s->config.step_leases_max) {
			s->more = true;
			return;
		}
		struct worker *w = s->workers[route->first_hungry];
		uint64_t want = slice_want(s, w, r->route);
		if (want > 0)
			lend(s, r, w, want, out);
		slice_update_hunger(s, w, r->route, true);
	}
}

static void count_pending(struct schedule *s)
{
	for (size_t i = 0; i < s->route_count; i++)
		s->routes[i]->pending = 0;
	for (size_t i = 0; i < s->order_count; i++) {
		const struct run *r = s->runs[s->order[i]];
		if (r->route != NO_SLOT)
			s->routes[r->route]->pending += run_pending(r);
	}
}

void dispatch_all(struct schedule *s, struct sched_actions *out)
{
	s->step_leases = 0;
	s->more = false;
	if (s->now_ms >= s->leads_until_ms)
		return; /* another may lead by now: what he lends must not be lent here too */
	if (s->suspects)
		alone_serve(s, out);
	if (s->ready_count > 0)
		count_pending(s);
	for (size_t i = 0; i < s->order_count && s->ready_count > 0 && !s->more; i++) {
		struct run *r = s->runs[s->order[i]];
		if (r->ready)
			serve(s, r, out);
	}
}
