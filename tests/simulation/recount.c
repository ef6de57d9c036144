/* Everything counted anew: each thousand steps, and at the end. */
#include "tests/simulation/world.h"

static const struct oracle_ask *ask_at(const struct world *w, uint32_t at)
{
	return at ? &w->oracle.asks[at - 1] : NULL;
}

static void recount_asks(struct world *w)
{
	uint32_t in_flight[PLAN_ROUTES_MAX] = { 0 };
	for (uint32_t i = 0; i < w->plan.worker_count; i++) {
		uint32_t asking = 0;
		for (const struct oracle_ask *a = ask_at(w, w->oracle.live[i]); a; a = ask_at(w, a->link_next)) {
			asking += a->state == ASK_UNDER_WAY;
			in_flight[w->plan.runs[a->run].route] += a->state == ASK_UNDER_WAY && !a->excused;
		}
		if (asking != w->crews[i].asking)
			oracle_break(w, "recount", "worker %u has %u asks under way, it counts %u", i, asking,
			             w->crews[i].asking);
	}
	for (uint32_t i = 0; i < w->plan.route_count; i++)
		if (in_flight[i] != w->oracle.in_flight[i])
			oracle_break(w, "recount", "route %u has %u asks under way, counted were %u", i + 1,
			             in_flight[i], w->oracle.in_flight[i]);
}

static void recount_rows(struct world *w)
{
	for (uint32_t i = 0; i < w->plan.run_count; i++) {
		const struct ledger_run *r = &w->ledger.runs[i];
		uint64_t rows = 0;
		for (uint64_t n = 0; n < r->room; n++)
			rows += r->rows[n] != 0;
		if (rows != r->row_count)
			oracle_break(w, "recount", "run %u has %llu rows, counted were %llu", i + 1,
			             (unsigned long long)rows, (unsigned long long)r->row_count);
	}
}

/* I6: while it waits it says what for. I8: what is kept for samples is bounded by what is in flight. */
static void recount_desk(struct world *w, const struct desk *d)
{
	uint64_t windows = (uint64_t)w->plan.worker_count * 4 * WIRE_RESULTS_RECORDS_MAX;
	size_t waiting = 0;
	for (uint32_t i = 0; i < PLAN_PENS; i++)
		waiting += d->pens[i].waiting;
	if (waiting > windows + w->oracle.ask_count)
		oracle_break(w, "I8", "%zu records wait for the database", waiting);
	for (size_t i = 0; i < schedule_run_count(d->schedule); i++) {
		struct sched_run_view v;
		schedule_run_view(d->schedule, i, w->now_ms, &v);
		bool open = v.state == SCHED_STATE_RUNNING;
		if (open && v.pending + v.done + v.in_flight + v.storing != v.total)
			oracle_break(w, "recount", "run %llu: %llu pending, %llu done, %llu out, %llu storing of %llu",
			             (unsigned long long)v.run_id, (unsigned long long)v.pending,
			             (unsigned long long)v.done, (unsigned long long)v.in_flight,
			             (unsigned long long)v.storing, (unsigned long long)v.total);
		if (open && v.wait != WAIT_NOTHING && v.text[0] == '\0')
			oracle_break(w, "I6", "run %llu waits and does not say what for", (unsigned long long)v.run_id);
		uint64_t rows = w->ledger.runs[v.run_id - 1].row_count;
		if (open && d->term == w->ledger.term && v.done > rows)
			oracle_break(w, "I1", "run %llu: %llu done and only %llu rows", (unsigned long long)v.run_id,
			             (unsigned long long)v.done, (unsigned long long)rows);
	}
}

void oracle_recount(struct world *w)
{
	w->oracle.recounts++;
	recount_asks(w);
	recount_rows(w);
	for (uint32_t i = 0; i < w->plan.coord_count; i++)
		if (w->desks[i].schedule)
			recount_desk(w, &w->desks[i]);
}

void oracle_say_what_waits(struct world *w)
{
	for (uint32_t k = 0; k < w->plan.coord_count && w->trace; k++) {
		const struct desk *d = &w->desks[k];
		world_log(w, "coordinator %u: role %d term %llu of %llu", k, d->role, (unsigned long long)d->term,
		          (unsigned long long)w->ledger.term);
		for (size_t i = 0; d->schedule && i < schedule_run_count(d->schedule); i++) {
			struct sched_run_view v;
			schedule_run_view(d->schedule, i, w->now_ms, &v);
			world_log(
				w,
				"  run %llu %s: %s; pending %llu, out %llu (%llu started), storing %llu, sent to %llu",
				(unsigned long long)v.run_id, sched_run_state_name(v.state), v.text,
				(unsigned long long)v.pending, (unsigned long long)v.in_flight,
				(unsigned long long)v.started, (unsigned long long)v.storing,
				(unsigned long long)v.sent_to);
		}
		for (size_t i = 0; d->schedule && i < schedule_worker_count(d->schedule); i++) {
			struct sched_worker_view v;
			schedule_worker_view(d->schedule, i, &v);
			world_log(w, "  w%u of outbox %u: %s%s%s holds %llu in %u leases", v.worker_id,
			          world_outbox_no(&v.outbox), v.connected ? "connected" : "gone",
			          v.alone ? ", alone" : "", v.draining ? ", draining" : "", (unsigned long long)v.held,
			          v.lease_count);
		}
		for (size_t i = 0; d->schedule && i < schedule_route_count(d->schedule); i++) {
			struct sched_route_view v;
			schedule_route_view(d->schedule, i, &v);
			world_log(w, "  route %u: concurrency %u, told %u%s", v.route_id, v.concurrency, v.told,
			          v.blocked ? ", blocked" : "");
		}
	}
	for (uint32_t i = 0; i < w->plan.worker_count && w->trace; i++) {
		struct agent_status s;
		if (!w->crews[i].alive)
			continue;
		agent_status(w->crews[i].agent, &s);
		world_log(
			w,
			"worker %u: %s, fresh %llu asking %llu waiting %llu scoring %llu reported %llu, records %llu + "
			"%llu, %s",
			i, s.connected ? "connected" : "away", (unsigned long long)s.unstarted,
			(unsigned long long)s.asking, (unsigned long long)s.waiting, (unsigned long long)s.scoring,
			(unsigned long long)s.reported, (unsigned long long)s.records, (unsigned long long)s.unloaded,
			s.outbox_writable ? "writable" : "full");
	}
}

/* ---- the end ---- */

static bool is_row(const struct world *w, const struct oracle_ask *a)
{
	const struct ledger_row *row = ledger_row(w, a->run + 1u, a->sample_no);
	for (; row; row = row->before ? &w->ledger.rows[row->before - 1] : NULL)
		if (row->ask_id == a->ask_id)
			return true;
	return false;
}

/* Its outbox is lost for ever, and the leader who knew of it is gone: should somebody else's answer come before the new
 * one stops waiting, nothing is left that names this ask. */
static bool gone_with_its_term(const struct world *w, const struct oracle_ask *a)
{
	return a->begun_term != w->oracle.leader_term && w->crews[a->worker].drawer.outbox_no != a->outbox_no;
}

/* I3: every ask that was paid for is a row, or counted as paid twice, or one of the "at most n more". */
static void count_paid(struct world *w, uint32_t run, uint64_t sample_no)
{
	uint64_t paid = 0, unknown = 0;
	bool has_row = false;
	for (const struct oracle_ask *a = ask_at(w, w->oracle.runs[run].samples[sample_no].last); a;
	     a = ask_at(w, a->before)) {
		if (a->state != ASK_ANSWERED && a->state != ASK_DIED && a->state != ASK_ABANDONED)
			continue;
		if (ledger_spoils(w, a->ask_id))
			return; /* what it bought could not be stored: whether it was the first or second is not known
			         */
		paid++;
		if (is_row(w, a))
			has_row = true;
		else
			unknown += !a->unlogged && !gone_with_its_term(w, a) &&
			           map_get_u64(&w->ledger.paid_twice, a->ask_id) == NULL;
	}
	uint64_t most = ledger_lost_open(w, run + 1, sample_no) + (has_row ? 0 : 1);
	if (paid > 1 && unknown > most)
		oracle_break(w, "I3",
		             "run %u sample %llu: %llu asks paid for, %llu of them known to nobody, at most %llu said",
		             run + 1, (unsigned long long)sample_no, (unsigned long long)paid,
		             (unsigned long long)unknown, (unsigned long long)most);
}

static void end_of_run(struct world *w, uint32_t i)
{
	const struct ledger_run *r = &w->ledger.runs[i];
	uint64_t samples = w->plan.runs[i].items * r->epochs;
	if (r->state == SCHED_STATE_RUNNING)
		oracle_break(w, "I6", "run %u never ended", i + 1);
	if (r->cancel_said && r->state != SCHED_STATE_CANCELLED && r->row_count < samples)
		oracle_break(w, "I6", "run %u was cancelled and goes on", i + 1);
	if (r->state == SCHED_STATE_CANCELLED)
		return;
	for (uint64_t n = 0; n < samples && !w->oracle.broken; n++) {
		if (!ledger_settled(w, i + 1, n))
			oracle_break(w, "I1", "run %u is over (%s) and sample %llu is not", i + 1,
			             sched_run_state_name(r->state), (unsigned long long)n);
		count_paid(w, i, n);
	}
}

void oracle_at_end(struct world *w)
{
	oracle_recount(w);
	for (uint32_t i = 0; i < w->plan.run_count && !w->oracle.broken; i++)
		end_of_run(w, i);
}
