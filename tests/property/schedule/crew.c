/* The workers of the world. Each keeps to the rules of worker/agent: licence, slots, credit, outbox. */
#include "common/base/bits.h"
#include "common/base/mem.h"
#include "tests/property/schedule/world.h"
#include <string.h>

enum { RENEW_MS = 1000, RENEW_EARLY_MS = 20 };
#define ADOPTED UINT32_MAX

struct ask_end {
	uint32_t run, n, place, life;
	uint64_t ask_id;
};

static void send(struct world *w, uint32_t i, struct frame_in *f)
{
	struct wworker *c = &w->workers[i];
	if (!c->connected) {
		mem_free(f);
		return;
	}
	c->to_ms = world_pick(w, MAX_OF(c->to_ms, w->now_ms), w->now_ms + 50);
	world_at(w, c->to_ms, EV_TO_COORDINATOR, i, c->conn, f);
}

void crew_begin(struct world *w, uint32_t i)
{
	struct wworker *c = &w->workers[i];
	c->slots = (uint32_t)world_pick(w, 1, 8);
	c->alive = true;
	c->outbox.bytes[0] = (uint8_t)(i + 1);
	c->outbox.bytes[1] = 1;
	world_at(w, world_pick(w, 0, 2000), EV_CONNECT, i, 0, NULL);
}

/* ---- what it holds ---- */

static bool is_done(const struct wrun *r, uint32_t n)
{
	return r->rows[n].there && (!outcome_is_missing(r->rows[n].outcome) || r->rows[n].retry_no >= r->wave);
}

/* least: only those that the coordinator surely counts too. */
static uint32_t held_count(const struct world *w, const struct wworker *c, bool least)
{
	uint32_t count = 0;
	for (uint32_t run = 0; run < w->run_count; run++)
		for (uint32_t n = 0; n < WORLD_SAMPLES; n++) {
			const struct hold *h = &c->hold[run][n];
			count += h->state != HOLD_NONE && !h->committed &&
			         (!least || (!h->settled && !is_done(&w->runs[run], n)));
		}
	return count;
}

static uint32_t held_at_all(const struct world *w, const struct wworker *c)
{
	uint32_t count = 0;
	for (uint32_t run = 0; run < w->run_count; run++)
		for (uint32_t n = 0; n < WORLD_SAMPLES; n++)
			count += c->hold[run][n].state != HOLD_NONE;
	return count;
}

static void drop(struct hold *h)
{
	*h = (struct hold){ 0 };
}

static void forget_empty_leases(struct wworker *c)
{
	uint32_t kept = 0, map[WORLD_LEASES];
	for (uint32_t k = 0; k < c->lease_count; k++) {
		bool any = false;
		for (uint32_t q = 0; q < c->leases[k].count; q++) {
			const struct hold *h = &c->hold[c->leases[k].run][c->leases[k].samples[q]];
			any |= h->state != HOLD_NONE && h->lease == k;
		}
		map[k] = any ? kept : ADOPTED;
		if (any)
			c->leases[kept++] = c->leases[k];
	}
	for (uint32_t run = 0; run < WORLD_RUNS; run++)
		for (uint32_t n = 0; n < WORLD_SAMPLES; n++)
			if (c->hold[run][n].state != HOLD_NONE && c->hold[run][n].lease != ADOPTED)
				c->hold[run][n].lease = map[c->hold[run][n].lease];
	c->lease_count = kept;
}

static uint32_t list_leases(struct wworker *c, struct frame_lease *out)
{
	forget_empty_leases(c);
	for (uint32_t k = 0; k < c->lease_count; k++) {
		const struct wlease *l = &c->leases[k];
		out[k].number = l->number;
		out[k].run = l->run;
		out[k].count = l->count;
		memset(out[k].held, 0, sizeof(out[k].held));
		memset(out[k].started, 0, sizeof(out[k].started));
		for (uint32_t q = 0; q < l->count; q++) {
			const struct hold *h = &c->hold[l->run][l->samples[q]];
			out[k].samples[q] = (uint8_t)l->samples[q];
			if (h->state == HOLD_NONE || h->lease != k)
				continue;
			out[k].retry_no = h->retry_no;
			bits_put(out[k].held, q);
			if (h->state != HOLD_FRESH || h->attempts > 0)
				bits_put(out[k].started, q);
		}
	}
	return c->lease_count;
}

static struct wlease *lease_find(struct wworker *c, struct lease_no number)
{
	for (uint32_t k = 0; k < c->lease_count; k++)
		if (lease_no_eq(c->leases[k].number, number))
			return &c->leases[k];
	return NULL;
}

void crew_forget_lease(struct world *w, uint32_t i, struct lease_no number)
{
	struct wworker *c = &w->workers[i];
	struct wlease *l = lease_find(c, number);
	for (uint32_t q = 0; l && q < l->count; q++) {
		struct hold *h = &c->hold[l->run][l->samples[q]];
		if (h->state == HOLD_NONE || h->lease != (uint32_t)(l - c->leases))
			continue;
		h->stale = true;
		for (uint32_t k = 0; k < c->record_count; k++)
			c->records[k].stale |= c->records[k].c.ask_id == h->ask_id;
	}
}

/* ---- outbox ---- */

static struct wrecord *record_new(struct world *w, struct wworker *c)
{
	for (uint32_t q = 0; q < c->record_count; q++)
		if (c->records[q].stage == REC_FREE || c->records[q].stage == REC_COMMITTED) {
			c->records[q] = (struct wrecord){ 0 };
			return &c->records[q];
		}
	if (c->record_count == WORLD_RECORDS)
		world_break(w, "world", "an outbox is full");
	struct wrecord *rec = &c->records[c->record_count < WORLD_RECORDS ? c->record_count++ : 0];
	*rec = (struct wrecord){ 0 };
	return rec;
}

/* The row is durable: whatever the worker still thinks, the coordinator knows better from now on. */
void crew_committed(struct world *w, uint32_t i, const struct sched_committed *rec, uint32_t place)
{
	struct wworker *c = &w->workers[i];
	struct wrun *r = world_run_of(w, rec->run_id);
	uint32_t run = (uint32_t)(r - w->runs);
	bool ends = rec->kind != RECORD_ATTEMPT || rec->given_up || rec->error_class == CLASS_DIED;
	if (place < c->record_count && c->records[place].c.ask_id == rec->ask_id)
		c->records[place].stale = true;
	if (!ends)
		return;
	if (c->hold[run][rec->sample_no].ask_id == rec->ask_id) {
		c->hold[run][rec->sample_no].stale = c->hold[run][rec->sample_no].committed = true;
		c->alone_lent[run][rec->sample_no] = false;
	}
	/* done, whoever still holds it */
	for (uint32_t k = 0; k < w->worker_count && rec->kind != RECORD_ATTEMPT; k++)
		w->workers[k].alone_lent[run][rec->sample_no] = false;
}

static void on_commit(struct world *w, struct wworker *c, const struct frame_out *f)
{
	for (uint32_t k = 0; k < f->count; k++) {
		struct wrecord *rec = &c->records[f->records[k]];
		if (f->records[k] >= c->record_count || rec->stage != REC_RECORD || rec->c.ask_id != f->asks[k])
			continue;
		rec->stage = REC_COMMITTED;
		uint32_t run = (uint32_t)(world_run_of(w, rec->c.run_id) - w->runs);
		struct hold *h = &c->hold[run][rec->c.sample_no];
		bool ends = rec->c.kind != RECORD_ATTEMPT || rec->c.given_up;
		if (ends && h->state == HOLD_REPORTED && h->ask_id == rec->c.ask_id) {
			drop(h);
			c->ended_of_late++;
		}
	}
}

static void send_results(struct world *w, uint32_t i)
{
	struct wworker *c = &w->workers[i];
	struct frame_in *f = NULL;
	for (uint32_t q = 0; q < c->record_count && c->welcomed; q++) {
		struct wrecord *rec = &c->records[q];
		if (rec->stage != REC_RECORD || rec->sent)
			continue;
		if (!f)
			f = mem_new(1, sizeof(*f));
		f->kind = MSG_RESULTS;
		f->places[f->count] = q;
		f->records[f->count++] = rec->c;
		rec->sent = true;
		if (f->count == 64) {
			send(w, i, f);
			f = NULL;
		}
	}
	if (f)
		send(w, i, f);
}

/* ---- asking ---- */

static uint32_t asks_under_way(const struct world *w, const struct wworker *c)
{
	return c->asking[0] + (w->route_count > 1 ? c->asking[1] : 0);
}

static void check_ask(struct world *w, uint32_t i, uint32_t run, uint32_t n)
{
	uint32_t route = w->runs[run].route, in_flight = 0;
	bool was_cut_off = w->workers[i].hold[run][n].stale; /* goes on with what it had: may be the second to ask */
	for (uint32_t k = 0; k < w->worker_count; k++) {
		const struct wworker *c = &w->workers[k];
		const struct hold *h = &c->hold[run][n];
		if (k != i && c->alive && !h->stale && !was_cut_off &&
		    (h->state == HOLD_ASKING || h->state == HOLD_ANSWERED))
			world_break(w, "I3", "run %u sample %u asked by %u while %u is at it", run + 1, n, i, k);
		for (uint32_t q = 0; q < w->run_count && c->alive; q++)
			for (uint32_t m = 0; m < WORLD_SAMPLES && w->runs[q].route == route; m++)
				in_flight += c->hold[q][m].state == HOLD_ASKING && !c->hold[q][m].stale;
	}
	if (w->concurrency[route] && in_flight > w->concurrency[route])
		world_break(w, "I4", "%u asks on route %u of %u", in_flight, route + 1, w->concurrency[route]);
}

static void ask(struct world *w, uint32_t i, uint32_t run, uint32_t n)
{
	struct wworker *c = &w->workers[i];
	struct hold *h = &c->hold[run][n];
	struct wrun *r = &w->runs[run];
	struct wrecord *rec = record_new(w, c);
	h->state = HOLD_ASKING;
	h->ask_id = ++w->ask_ids;
	h->attempts++;
	rec->stage = REC_ASK;
	rec->stale = h->stale;
	rec->c = (struct sched_committed){ .kind = RECORD_RESULT,
		                           .run_id = r->run_id,
		                           .sample_no = n,
		                           .retry_no = h->retry_no,
		                           .ask_id = h->ask_id,
		                           .retry_after_ms = -1,
		                           .attempt_count = h->attempts,
		                           .latency_ms = 10 };
	c->asking[r->route]++;
	w->asks++;
	check_ask(w, i, run, n);
	if (r->poison[n]) {
		world_log(w, "poison r%u:%u kills %u", run + 1, n, i);
		world_at(w, w->now_ms + world_pick(w, 0, 300), EV_FAULT, i, c->life, NULL);
		return;
	}
	struct ask_end *end = mem_new(1, sizeof(*end));
	*end = (struct ask_end){ run, n, (uint32_t)(rec - c->records), c->life, h->ask_id };
	uint64_t latency_ms = world_pick(w, 5, 60) << rng_below(&w->rng, 6); /* up to 2 s */
	world_at(w, w->now_ms + latency_ms, EV_ASK_END, i, 0, end);
}

static void start_asks(struct world *w, uint32_t i)
{
	struct wworker *c = &w->workers[i];
	bool alone_runs = false;
	for (uint32_t run = 0; run < w->run_count; run++)
		for (uint32_t n = 0; n < WORLD_SAMPLES; n++)
			alone_runs |= c->hold[run][n].alone && c->hold[run][n].state == HOLD_ASKING;
	for (uint32_t run = 0; run < w->run_count && !alone_runs; run++) {
		uint32_t route = w->runs[run].route;
		for (uint32_t n = 0; n < WORLD_SAMPLES; n++) {
			struct hold *h = &c->hold[run][n];
			if (h->state != HOLD_FRESH)
				continue;
			if (!c->welcomed || w->now_ms >= c->licence_until_ms || w->now_ms < c->pause_until_ms[route] ||
			    c->asking[route] >= c->granted[route] || asks_under_way(w, c) >= c->slots)
				break;
			if (h->alone && asks_under_way(w, c) > 0)
				continue;
			ask(w, i, run, n);
			if (h->alone)
				return;
		}
	}
}

void crew_ask_end(struct world *w, uint32_t i, void *body)
{
	struct ask_end *end = body;
	struct wworker *c = &w->workers[i];
	struct hold *h = &c->hold[end->run][end->n];
	struct wrecord *rec = &c->records[end->place];
	if (!c->alive || end->life != c->life || rec->stage != REC_ASK || rec->c.ask_id != end->ask_id)
		return; /* that process is dead */
	struct wrun *r = &w->runs[end->run];
	c->asking[r->route]--;
	if (!r->broken[end->n] && !world_chance(w, 8)) {
		rec->stage = REC_ANSWER;
		h->state = HOLD_ANSWERED;
		struct ask_end *score = mem_new(1, sizeof(*score));
		*score = *end;
		world_at(w, w->now_ms + world_pick(w, 0, 100), EV_SCORE_END, i, 0, score);
	} else {
		static const enum error_class classes[] = { CLASS_SERVER, CLASS_TIMEOUT, CLASS_RATE_LIMITED,
			                                    CLASS_BAD_REQUEST };
		rec->stage = REC_RECORD;
		rec->c.kind = RECORD_ATTEMPT;
		rec->c.error_class = classes[rng_below(&w->rng, r->broken[end->n] ? 3 : 2)];
		rec->c.given_up = world_chance(w, 50) || h->attempts >= 5;
		if (rec->c.error_class == CLASS_RATE_LIMITED && world_chance(w, 20))
			rec->c.retry_after_ms = (int64_t)world_pick(w, 1, 3000);
		h->state = rec->c.given_up ? HOLD_REPORTED : HOLD_FRESH;
	}
	crew_turn(w, i);
}

void crew_score_end(struct world *w, uint32_t i, void *body)
{
	struct ask_end *end = body;
	struct wworker *c = &w->workers[i];
	struct wrecord *rec = &c->records[end->place];
	if (!c->alive || end->life != c->life || rec->stage != REC_ANSWER || rec->c.ask_id != end->ask_id)
		return;
	rec->stage = REC_RECORD;
	rec->c.outcome = world_chance(w, 3) ? OUTCOME_UNSCORED : OUTCOME_SCORED;
	struct hold *h = &c->hold[end->run][end->n];
	if (h->ask_id == end->ask_id)
		h->state = HOLD_REPORTED;
	crew_turn(w, i);
}

/* ---- talking ---- */

static void send_hello(struct world *w, uint32_t i)
{
	struct wworker *c = &w->workers[i];
	struct frame_in *f = mem_new(1, sizeof(*f));
	f->kind = MSG_HELLO;
	f->lease_count = list_leases(c, f->leases);
	for (uint32_t q = 0; q < c->record_count; q++) {
		const struct wrecord *rec = &c->records[q];
		uint32_t run = (uint32_t)(rec->c.run_id - 1);
		bool held = rec->stage == REC_ANSWER && c->hold[run][rec->c.sample_no].ask_id == rec->c.ask_id &&
		            c->hold[run][rec->c.sample_no].lease != ADOPTED;
		if (rec->stage != REC_ANSWER || held)
			continue;
		f->answers[f->answer_count++] = (struct msg_answer_ref){ .run_id = rec->c.run_id,
			                                                 .sample_no = rec->c.sample_no,
			                                                 .ask_id = rec->c.ask_id,
			                                                 .retry_no = rec->c.retry_no };
	}
	c->renew_at_ms = w->now_ms;
	c->renew_sent_ms[0] = w->now_ms;
	send(w, i, f);
}

static void send_renew(struct world *w, uint32_t i)
{
	struct wworker *c = &w->workers[i];
	struct frame_in *f = mem_new(1, sizeof(*f));
	uint32_t held = held_at_all(w, c), room = c->slots + c->ended_of_late;
	f->kind = MSG_RENEW;
	f->renew_no = ++c->renew_no;
	f->frame_seen = c->frame_seen;
	f->wanted = c->full || room <= held ? 0 : room - held;
	for (uint32_t k = 0; k < 2; k++) {
		f->in_flight[k] = c->asking[k];
		f->granted[k] = c->granted[k];
	}
	f->lease_count = list_leases(c, f->leases);
	c->promise[c->renew_no % 64] = f->wanted + held_count(w, c, false);
	c->renew_sent_ms[c->renew_no % 64] = w->now_ms;
	c->renew_at_ms = w->now_ms + RENEW_MS;
	world_log(w, "worker %u renews %u: wants %u promise %u", i, (unsigned)c->renew_no, f->wanted,
	          (unsigned)c->promise[c->renew_no % 64]);
	c->ended_of_late = 0;
	send(w, i, f);
}

void crew_connect(struct world *w, uint32_t i)
{
	struct wworker *c = &w->workers[i];
	if (!c->alive || c->connected)
		return;
	if (!w->s || c->deaf) {
		world_at(w, w->now_ms + world_pick(w, 200, 1000), EV_CONNECT, i, 0, NULL);
		return;
	}
	c->conn++;
	c->connected = true;
	c->welcomed = false;
	c->to_ms = c->from_ms = w->now_ms;
	c->frame_seen = c->renew_no = c->renewed_no = 0;
	memset(c->promise, 0, sizeof(c->promise));
	send_hello(w, i);
	world_at(w, w->now_ms + 3000, EV_HEAL, i, c->conn, NULL); /* no Welcome by then: begin anew */
}

void crew_lose_connection(struct world *w, uint32_t i)
{
	struct wworker *c = &w->workers[i];
	c->connected = c->welcomed = false;
	c->conn++;
	for (uint32_t q = 0; q < c->record_count; q++)
		c->records[q].sent = false;
	if (c->alive)
		world_at(w, w->now_ms + world_pick(w, 20, 1500), EV_CONNECT, i, 0, NULL);
}

void crew_turn(struct world *w, uint32_t i)
{
	struct wworker *c = &w->workers[i];
	if (!c->alive)
		return;
	start_asks(w, i);
	send_results(w, i);
	if (c->welcomed && w->now_ms >= c->renew_at_ms)
		send_renew(w, i);
	else if (c->welcomed && c->ended_of_late > 0 &&
	         w->now_ms >= c->renew_sent_ms[c->renew_no % 64] + RENEW_EARLY_MS)
		send_renew(w, i);
}

/* ---- listening ---- */

static void drop_fresh(struct wworker *c, struct lease_no number)
{
	struct wlease *l = lease_find(c, number);
	for (uint32_t q = 0; l && q < l->count; q++) {
		struct hold *h = &c->hold[l->run][l->samples[q]];
		if (h->state == HOLD_FRESH && h->attempts == 0 && h->lease == (uint32_t)(l - c->leases))
			drop(h);
	}
}

static void on_lease(struct world *w, uint32_t i, const struct frame_out *f)
{
	struct wworker *c = &w->workers[i];
	forget_empty_leases(c);
	if (c->lease_count == WORLD_LEASES) {
		world_break(w, "world", "too many leases");
		return;
	}
	struct wlease *l = &c->leases[c->lease_count];
	*l = (struct wlease){ .number = f->lease, .run = f->run, .count = f->count };
	for (uint32_t q = 0; q < f->count; q++) {
		struct hold *h = &c->hold[f->run][f->samples[q]];
		l->samples[q] = f->samples[q];
		if (h->state != HOLD_NONE && h->stale)
			continue; /* it has it already, from before it was cut off: finishes that */
		if (h->state != HOLD_NONE)
			world_break(w, "I3", "run %u sample %u lent to %u twice", f->run + 1, f->samples[q], i);
		*h = (struct hold){
			.state = HOLD_FRESH, .lease = c->lease_count, .retry_no = f->retry_no, .alone = f->alone
		};
		h->stale = h->settled = is_done(&w->runs[f->run], f->samples[q]); /* while it was on its way */
	}
	c->lease_count++;
	uint64_t held = held_count(w, c, true), promise = c->promise[c->renewed_no % 64];
	if (c->renewed_no == 0 || held > promise)
		world_break(w, "I4", "worker %u holds %u, wanted %u", i, (unsigned)held, (unsigned)promise);
}

static void on_release(struct world *w, uint32_t i, const struct frame_out *f)
{
	struct wworker *c = &w->workers[i];
	struct wlease *l = lease_find(c, f->lease);
	struct frame_in *back = mem_new(1, sizeof(*back));
	back->kind = MSG_RELEASED;
	back->number = f->lease;
	back->cause = RELEASE_ASKED;
	for (uint32_t k = 0; l && k < f->count; k++) {
		struct hold *h = &c->hold[l->run][l->samples[f->samples[k]]];
		if (h->state != HOLD_FRESH || h->attempts > 0 || h->lease != (uint32_t)(l - c->leases))
			continue;
		drop(h);
		back->indexes[back->count++] = f->samples[k];
	}
	send(w, i, back);
}

static void on_welcome(struct world *w, uint32_t i, const struct frame_out *f)
{
	struct wworker *c = &w->workers[i];
	c->welcomed = true;
	c->licence_until_ms = c->renew_sent_ms[0] + LEASE_MS;
	c->renew_at_ms = w->now_ms;
	memset(c->granted, 0, sizeof(c->granted)); /* a session begins without slices */
	for (uint32_t k = 0; k < f->count; k++)
		drop_fresh(c, f->refused[k]);
	uint32_t k = 0;
	for (uint32_t q = 0; q < c->record_count && k < f->verdict_count; q++) {
		struct wrecord *rec = &c->records[q];
		uint32_t run = (uint32_t)(rec->c.run_id - 1);
		struct hold *h = &c->hold[run][rec->c.sample_no];
		bool listed = rec->stage == REC_ANSWER && !(h->ask_id == rec->c.ask_id && h->lease != ADOPTED);
		if (!listed)
			continue;
		bool adopt = f->verdicts[k++] == ANSWER_ADOPT;
		if (adopt && h->state == HOLD_NONE)
			*h = (struct hold){ .state = HOLD_ANSWERED,
				            .lease = ADOPTED,
				            .ask_id = rec->c.ask_id,
				            .attempts = 1,
				            .stale = true /* after a death all may be asked twice */ };
		if (!adopt) {
			rec->stage = REC_RECORD;
			rec->c.outcome = OUTCOME_UNSCORED;
			continue;
		}
		struct ask_end *score = mem_new(1, sizeof(*score));
		*score = (struct ask_end){ run, (uint32_t)rec->c.sample_no, q, c->life, rec->c.ask_id };
		world_at(w, w->now_ms + world_pick(w, 0, 100), EV_SCORE_END, i, 0, score);
	}
}

void crew_arrived(struct world *w, uint32_t i, uint32_t conn, void *body)
{
	const struct frame_out *f = body;
	struct wworker *c = &w->workers[i];
	if (!c->alive || !c->connected || conn != c->conn || f->worker_id != c->worker_id)
		if (f->kind != MSG_COMMIT || conn != c->conn || !c->connected)
			return;
	c->frame_seen = MAX_OF(c->frame_seen, f->number);
	switch (f->kind) {
	case MSG_WELCOME:
		on_welcome(w, i, f);
		break;
	case MSG_RENEWED:
		c->renewed_no = f->renew_no;
		c->licence_until_ms = c->renew_sent_ms[f->renew_no % 64] + LEASE_MS;
		for (uint32_t k = 0; k < f->count; k++)
			drop_fresh(c, f->refused[k]);
		break;
	case MSG_LEASE:
		on_lease(w, i, f);
		break;
	case MSG_RELEASE:
		on_release(w, i, f);
		break;
	case MSG_REVOKE:
		drop_fresh(c, f->lease);
		break;
	case MSG_GRANT:
		c->granted[f->route] = f->slots;
		c->pause_until_ms[f->route] = MAX_OF(c->pause_until_ms[f->route], w->now_ms + f->pause_ms);
		break;
	default:
		on_commit(w, c, f);
	}
	crew_turn(w, i);
}

/* ---- dying ---- */

void crew_kill(struct world *w, uint32_t i, bool keep_outbox)
{
	struct wworker *c = &w->workers[i];
	world_log(w, "worker %u (w%u) dies%s", i, c->worker_id, keep_outbox ? "" : " with its outbox");
	w->kills++;
	c->alive = false;
	c->life++;
	desk_alone_deaths(w, i);
	memset(c->hold, 0, sizeof(c->hold));
	memset(c->asking, 0, sizeof(c->asking));
	memset(c->granted, 0, sizeof(c->granted));
	c->lease_count = 0;
	for (uint32_t q = 0; q < c->record_count; q++) {
		struct wrecord *rec = &c->records[q];
		rec->stale = true; /* a death may make it asked twice, and counted */
		if (!keep_outbox)
			rec->stage = REC_FREE;
		if (rec->stage != REC_ASK)
			continue;
		rec->stage = REC_RECORD;
		rec->c.kind = RECORD_ATTEMPT;
		rec->c.error_class = CLASS_DIED;
		rec->c.given_up = true;
	}
	crew_lose_connection(w, i);
	c->other_outbox |= !keep_outbox;
	if (!keep_outbox)
		c->outbox.bytes[1]++;
	world_at(w, w->now_ms + (world_chance(w, 50) ? world_pick(w, 50, 1500) : world_pick(w, 1500, 20000)),
	         EV_RESTART_WORKER, i, 0, NULL);
}

void crew_restart(struct world *w, uint32_t i)
{
	w->workers[i].alive = true;
	crew_connect(w, i);
}
