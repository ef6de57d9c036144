/* The coordinator's side of the world: what the shell around a schedule does, with a database that keeps rows. */
#include "common/base/mem.h"
#include "tests/property/schedule/world.h"
#include <string.h>

struct store_job {                    /* one group on its way to the disk */
	uint32_t epoch, worker, conn; /* worker: UINT32_MAX: rows of the coordinator */
	struct outbox_id outbox;
	uint32_t count;
	struct sched_committed records[64];
	uint32_t places[64];
};

struct shell_job {
	uint32_t epoch;
	enum sched_action_kind kind;
	uint64_t run_id, from, to;
};

/* ---- rows ---- */

static void check_quarantine(struct world *w, const struct wrun *r, uint64_t n)
{
	if (r->alone_deaths[n] < 3)
		world_break(w, "I9", "run %u sample %u quarantined after %u deaths alone", (unsigned)r->run_id,
		            (unsigned)n, r->alone_deaths[n]);
}

static bool is_settled(const struct wrun *r, uint64_t n)
{
	return r->rows[n].there && (!outcome_is_missing(r->rows[n].outcome) || r->rows[n].retry_no >= r->wave);
}

/* Whoever still holds it: a retry may ask it again beside them. */
static void nobodys_any_more(struct world *w, const struct sched_committed *rec)
{
	for (uint32_t i = 0; i < w->worker_count; i++) {
		struct wworker *c = &w->workers[i];
		struct hold *h = &c->hold[rec->run_id - 1][rec->sample_no];
		h->settled |= h->state != HOLD_NONE;
		h->stale |= h->state != HOLD_NONE;
		for (uint32_t q = 0; q < c->record_count; q++)
			c->records[q].stale |=
				c->records[q].c.run_id == rec->run_id && c->records[q].c.sample_no == rec->sample_no;
	}
}

/* The first row of a key stands; a missing one is followed by a later wave's, or by a paid answer. */
static void put_row(struct world *w, struct sched_committed *rec)
{
	struct wrun *r = world_run_of(w, rec->run_id);
	struct wrow *row = &r->rows[rec->sample_no];
	if (!row->there) {
		*row = (struct wrow){ true, rec->outcome, rec->retry_no };
	} else if (outcome_is_missing(row->outcome) &&
	           (rec->retry_no > row->retry_no || (rec->ask_id && rec->outcome == OUTCOME_SCORED))) {
		row->retry_no = rec->retry_no > row->retry_no ? rec->retry_no : row->retry_no + 1;
		row->outcome = rec->outcome;
	}
	rec->outcome = row->outcome;
	rec->retry_no = row->retry_no;
	if (is_settled(r, rec->sample_no))
		nobodys_any_more(w, rec);
	if (row->outcome == OUTCOME_QUARANTINED)
		check_quarantine(w, r, rec->sample_no);
}

static void put_record(struct world *w, struct sched_committed *rec)
{
	struct wrun *r = world_run_of(w, rec->run_id);
	if (rec->kind == RECORD_ATTEMPT)
		r->attempts[rec->sample_no]++;
	else
		put_row(w, rec);
}

void desk_store(struct world *w, void *body)
{
	struct store_job *job = body;
	if (w->now_ms < w->store_stalled_until_ms) {
		struct store_job *again = mem_new(1, sizeof(*again));
		*again = *job;
		world_at(w, w->store_stalled_until_ms + world_pick(w, 0, 20), EV_STORE, job->worker, job->conn, again);
		return;
	}
	if (job->epoch != w->epoch && (w->s || world_chance(w, 50)))
		return; /* of a coordinator that fell: sometimes the commit had been on its way; never in the next term
		         */
	for (uint32_t i = 0; i < job->count; i++) {
		put_record(w, &job->records[i]);
		world_log(w, "stored r%u:%u of %u: %s ask %u%s", (unsigned)job->records[i].run_id,
		          (unsigned)job->records[i].sample_no, job->worker,
		          job->records[i].kind == RECORD_ATTEMPT ? error_class_name(job->records[i].error_class)
		                                                 : outcome_name(job->records[i].outcome),
		          (unsigned)job->records[i].ask_id, job->records[i].given_up ? " given up" : "");
		if (job->worker != UINT32_MAX)
			crew_committed(w, job->worker, &job->records[i], job->places[i]);
	}
	if (job->epoch != w->epoch || !w->s)
		return;
	struct sched_event ev = { .kind = SCHED_COMMITTED };
	ev.committed.outbox = job->outbox;
	ev.committed.records = job->records;
	ev.committed.count = job->count;
	desk_feed(w, ev);
	if (job->worker == UINT32_MAX)
		return;
	struct frame_out *f = mem_new(1, sizeof(*f));
	f->kind = MSG_COMMIT;
	f->count = job->count;
	memcpy(f->records, job->places, sizeof(f->records));
	for (uint32_t i = 0; i < job->count; i++)
		f->asks[i] = job->records[i].ask_id;
	struct wworker *c = &w->workers[job->worker];
	c->from_ms = world_pick(w, c->from_ms > w->now_ms ? c->from_ms : w->now_ms, w->now_ms + 50);
	world_at(w, c->from_ms, EV_TO_WORKER, job->worker, c->session_conn, f);
}

static void store(struct world *w, struct store_job *job)
{
	job->epoch = w->epoch;
	world_at(w, w->now_ms + world_pick(w, 1, 60), EV_STORE, job->worker, job->conn, job);
}

/* ---- actions ---- */

static uint32_t worker_of_session(const struct world *w, uint32_t worker_id)
{
	for (uint32_t i = 0; i < w->worker_count; i++)
		if (w->workers[i].worker_id == worker_id)
			return i;
	return UINT32_MAX;
}

static void send(struct world *w, uint32_t worker_id, struct frame_out *f)
{
	uint32_t i = worker_of_session(w, worker_id);
	if (i == UINT32_MAX) {
		mem_free(f);
		return;
	}
	struct wworker *c = &w->workers[i];
	c->from_ms = world_pick(w, c->from_ms > w->now_ms ? c->from_ms : w->now_ms, w->now_ms + 50);
	f->worker_id = worker_id;
	world_at(w, c->from_ms, EV_TO_WORKER, i, c->session_conn, f);
}

/* Whoever still holds the sample in a way that the coordinator cannot call over must not see it lent again. */
static void check_lent(struct world *w, const struct sched_action *a, uint32_t to)
{
	struct wrun *r = world_run_of(w, a->lease.run_id);
	uint32_t run = (uint32_t)(r - w->runs);
	for (uint32_t k = 0; k < a->lease.sample_count; k++) {
		uint64_t n = a->lease.sample_nos[k];
		if (n >= r->suite_items * r->epochs)
			world_break(w, "range", "sample %u", (unsigned)n);
		if (r->layer_count == 1 && n >= r->sent_to)
			world_break(w, "sent_to", "run %u sample %u lent at %u", run + 1, (unsigned)n,
			            (unsigned)r->sent_to);
		if (r->rows[n].there && !(outcome_is_missing(r->rows[n].outcome) && r->rows[n].retry_no < r->wave))
			world_break(w, "I1", "run %u sample %u lent though it is done", run + 1, (unsigned)n);
		for (uint32_t i = 0; i < w->worker_count; i++) {
			const struct hold *h = &w->workers[i].hold[run][n];
			if (w->workers[i].alive && h->state != HOLD_NONE && !h->stale)
				world_break(w, "I3", "run %u sample %u lent to w%u while w%u holds it (%d)", run + 1,
				            (unsigned)n, to, i, h->state);
			for (uint32_t q = 0; q < w->workers[i].record_count; q++) {
				const struct wrecord *rec = &w->workers[i].records[q];
				bool ends = rec->stage == REC_ANSWER ||
				            (rec->stage == REC_RECORD && rec->c.kind != RECORD_ATTEMPT);
				if (ends && !rec->stale && rec->c.run_id == r->run_id && rec->c.sample_no == n)
					world_break(w, "I3",
					            "run %u sample %u lent to w%u while an answer of it stands in w%u",
					            run + 1, (unsigned)n, to, i);
			}
		}
	}
}

static void do_lease(struct world *w, const struct sched_action *a)
{
	uint32_t i = worker_of_session(w, a->lease.worker_id);
	check_lent(w, a, i);
	struct frame_out *f = mem_new(1, sizeof(*f));
	f->kind = MSG_LEASE;
	f->number = a->lease.frame_no;
	f->lease = a->lease.number;
	f->run = (uint32_t)(world_run_of(w, a->lease.run_id) - w->runs);
	f->retry_no = a->lease.retry_no;
	f->alone = a->lease.alone;
	if (f->alone && i != UINT32_MAX)
		w->workers[i].alone_lent[f->run][a->lease.sample_nos[0]] = true;
	w->leases++;
	f->count = a->lease.sample_count;
	for (uint32_t k = 0; k < f->count; k++)
		f->samples[k] = (uint8_t)a->lease.sample_nos[k];
	send(w, a->lease.worker_id, f);
}

static void forget_refused(struct world *w, uint32_t worker_id, const struct lease_no *refused, size_t count)
{
	uint32_t i = worker_of_session(w, worker_id);
	for (size_t k = 0; k < count && i != UINT32_MAX; k++)
		crew_forget_lease(w, i, refused[k]);
}

static void do_frame(struct world *w, const struct sched_action *a)
{
	struct frame_out *f = mem_new(1, sizeof(*f));
	uint32_t worker_id = a->welcome.worker_id; /* stands first in each of them */
	switch (a->kind) {
	case SCHED_DO_WELCOME:
		forget_refused(w, worker_id, a->welcome.refused, a->welcome.refused_count);
		f->kind = MSG_WELCOME;
		f->count = (uint32_t)a->welcome.refused_count;
		memcpy(f->refused, a->welcome.refused, f->count * sizeof(*f->refused));
		f->verdict_count = (uint32_t)a->welcome.verdict_count;
		memcpy(f->verdicts, a->welcome.verdicts, f->verdict_count);
		world_log(w, "welcome w%u refused %u, verdicts %u %u", worker_id, f->count, f->verdicts[0],
		          f->verdicts[1]);
		break;
	case SCHED_DO_RENEWED:
		forget_refused(w, worker_id, a->renewed.refused, a->renewed.refused_count);
		f->kind = MSG_RENEWED;
		f->renew_no = a->renewed.renew_no;
		f->count = (uint32_t)a->renewed.refused_count;
		if (f->count)
			memcpy(f->refused, a->renewed.refused, f->count * sizeof(*f->refused));
		break;
	case SCHED_DO_RELEASE:
		f->kind = MSG_RELEASE;
		f->number = a->release.frame_no;
		f->lease = a->release.number;
		f->count = (uint32_t)a->release.index_count;
		for (uint32_t k = 0; k < f->count; k++)
			f->samples[k] = (uint8_t)a->release.indexes[k];
		break;
	case SCHED_DO_REVOKE:
		f->kind = MSG_REVOKE;
		f->number = a->revoke.frame_no;
		f->lease = a->revoke.number;
		break;
	default:
		f->kind = MSG_GRANT;
		f->number = a->grant.frame_no;
		f->route = a->grant.route_id - 1;
		f->slots = a->grant.slots;
		world_log(w, "grant w%u q%u %u", worker_id, a->grant.route_id, a->grant.slots);
		f->pause_ms = a->grant.pause_ms;
	}
	send(w, worker_id, f);
}

static void do_attempts(struct world *w, const struct sched_action *a)
{
	for (size_t i = 0; i < a->attempts.count; i++) {
		struct wrun *r = world_run_of(w, a->attempts.unreported[i].run_id);
		r->lost[a->attempts.unreported[i].sample_no]++;
	}
}

static void do_outcome(struct world *w, const struct sched_action *a)
{
	struct store_job *job = mem_new(1, sizeof(*job));
	job->worker = UINT32_MAX;
	job->count = 1;
	job->records[0] = (struct sched_committed){ .kind = RECORD_RESULT,
		                                    .run_id = a->outcome.run_id,
		                                    .sample_no = a->outcome.sample_no,
		                                    .retry_no = a->outcome.retry_no,
		                                    .outcome = a->outcome.outcome };
	store(w, job);
}

static void do_shell(struct world *w, const struct sched_action *a)
{
	struct shell_job *job = mem_new(1, sizeof(*job));
	job->epoch = w->epoch;
	job->kind = a->kind;
	job->run_id = a->kind == SCHED_DO_SENT_TO ? a->sent_to.run_id : a->items.run_id;
	job->from = a->items.from;
	job->to = a->kind == SCHED_DO_SENT_TO ? a->sent_to.position : a->items.to;
	uint64_t stalled_ms = a->kind == SCHED_DO_SENT_TO && w->store_stalled_until_ms > w->now_ms
	                              ? w->store_stalled_until_ms - w->now_ms
	                              : 0;
	world_at(w, w->now_ms + stalled_ms + world_pick(w, 0, 20), EV_SHELL, 0, 0, job);
}

static void admit(struct world *w, struct wrun *r, bool resumed);

static void carry_out(struct world *w, const struct sched_action *a)
{
	w->hash = rng_mix(w->hash ^ (uint64_t)a->kind ^ w->now_ms << 8);
	switch (a->kind) {
	case SCHED_DO_LEASE:
		world_log(w, "lease%s w%u %u/%u r%u %u+%u", a->lease.alone ? " alone" : "", a->lease.worker_id,
		          (unsigned)a->lease.number.term, (unsigned)a->lease.number.n, (unsigned)a->lease.run_id,
		          (unsigned)a->lease.sample_nos[0], a->lease.sample_count);
		do_lease(w, a);
		return;
	case SCHED_DO_LOAD_ITEMS:
	case SCHED_DO_SENT_TO:
		do_shell(w, a);
		return;
	case SCHED_DO_OUTCOME:
		world_log(w, "outcome r%u:%u %s", (unsigned)a->outcome.run_id, (unsigned)a->outcome.sample_no,
		          outcome_name(a->outcome.outcome));
		do_outcome(w, a);
		return;
	case SCHED_DO_ATTEMPTS:
		do_attempts(w, a);
		return;
	case SCHED_DO_RUN_ENDED:
		world_log(w, "ended r%u %s %.*s", (unsigned)a->ended.run_id, sched_run_state_name(a->ended.state),
		          (int)MIN_OF(a->ended.text.len, (size_t)100), a->ended.text.data);
		world_run_of(w, a->ended.run_id)->ended = true;
		world_run_of(w, a->ended.run_id)->state = a->ended.state;
		return;
	case SCHED_DO_RUN_NEEDED: {
		struct wrun *r = world_run_of(w, a->run_id);
		r->ended = r->cancelled = false;
		admit(w, r, false);
		return;
	}
	case SCHED_DO_CLOSE:
	case SCHED_DO_DROP_ITEMS:
	case SCHED_DO_LOST_CLOSED:
	case SCHED_DO_RUN_FORGOTTEN:
	case SCHED_DO_DRAIN:
		return;
	default:
		do_frame(w, a);
	}
}

/* What the coordinator may call over from now on: it has not heard of the worker for LEASE_MS. */
static void mark_deadlines(struct world *w)
{
	for (uint32_t i = 0; i < w->worker_count; i++) {
		struct wworker *c = &w->workers[i];
		if (w->now_ms < c->last_heard_ms + LEASE_MS)
			continue;
		for (uint32_t run = 0; run < w->run_count; run++)
			for (uint32_t n = 0; n < WORLD_SAMPLES; n++)
				c->hold[run][n].stale |= c->hold[run][n].state != HOLD_NONE;
		for (uint32_t q = 0; q < c->record_count; q++)
			c->records[q].stale = true;
		desk_alone_deaths(w, i);
	}
}

void desk_alone_deaths(struct world *w, uint32_t i)
{
	struct wworker *c = &w->workers[i];
	for (uint32_t run = 0; run < w->run_count; run++)
		for (uint32_t n = 0; n < WORLD_SAMPLES; n++) {
			if (c->alone_lent[run][n])
				world_log(w, "worker %u died alone with r%u:%u", i, run + 1, n);
			w->runs[run].alone_deaths[n] += c->alone_lent[run][n];
			c->alone_lent[run][n] = false;
		}
}

static void set_tick(struct world *w)
{
	uint64_t next_ms = w->s ? schedule_next_deadline_ms(w->s) : UINT64_MAX;
	if (next_ms == UINT64_MAX)
		return;
	next_ms = MAX_OF(next_ms, w->now_ms);
	if (next_ms < w->tick_at_ms) {
		w->tick_at_ms = next_ms;
		world_at(w, next_ms, EV_TICK, 0, w->epoch, NULL);
	}
}

void desk_feed(struct world *w, struct sched_event ev)
{
	if (!w->s)
		return;
	ev.now_ms = w->now_ms;
	struct sched_actions out;
	sched_actions_init(&out);
	schedule_step(w->s, &ev, &out);
	for (size_t i = 0; i < out.len && !w->broken; i++)
		carry_out(w, &out.items[i]);
	sched_actions_done(&out);
	set_tick(w);
}

void desk_tick(struct world *w)
{
	if (w->now_ms < w->tick_at_ms)
		return; /* of an earlier plan */
	w->tick_at_ms = UINT64_MAX;
	mark_deadlines(w);
	desk_feed(w, (struct sched_event){ .kind = SCHED_TICK });
	set_tick(w);
}

void desk_shell(struct world *w, void *body)
{
	static uint32_t sizes[WORLD_SAMPLES];
	struct shell_job *job = body;
	struct sched_event ev = { 0 };
	if (job->kind == SCHED_DO_SENT_TO) {
		struct wrun *r = world_run_of(w, job->run_id);
		r->sent_to = MAX_OF(r->sent_to, job->to);
		ev.kind = SCHED_SENT_TO;
		ev.sent_to.run_id = job->run_id;
		ev.sent_to.position = job->to;
	} else {
		for (size_t i = 0; i < WORLD_SAMPLES; i++)
			sizes[i] = 100;
		ev.kind = SCHED_ITEMS_LOADED;
		ev.items.run_id = job->run_id;
		ev.items.from = job->from;
		ev.items.to = job->from + world_pick(w, 1, job->to - job->from); /* perhaps less than asked */
		ev.items.sizes = sizes;
	}
	if (job->epoch == w->epoch)
		desk_feed(w, ev);
}

/* ---- terms and runs ---- */

static void admit(struct world *w, struct wrun *r, bool resumed)
{
	uint8_t done[WORLD_SAMPLES / 8] = { 0 }, missing[WORLD_SAMPLES / 8] = { 0 };
	struct sched_tried tried[WORLD_SAMPLES];
	struct sched_run in = { .run_id = r->run_id,
		                .route_id = r->route + 1,
		                .retry_wave = r->wave,
		                .created_no = r->run_id,
		                .suite_items = r->suite_items,
		                .epochs = r->epochs,
		                .layers = r->layers,
		                .layer_count = r->layer_count,
		                .sent_to = r->sent_to,
		                .resumed = resumed,
		                .item_bytes_mean = 100,
		                .tried = tried };
	for (uint64_t n = 0; n < r->suite_items * r->epochs; n++) {
		if (is_settled(r, n)) {
			done[n / 8] |= (uint8_t)(1u << (n % 8));
			if (outcome_is_missing(r->rows[n].outcome))
				missing[n / 8] |= (uint8_t)(1u << (n % 8));
		} else if (r->lost[n] + r->attempts[n] > 0) {
			tried[in.tried_count++] = (struct sched_tried){ .sample_no = n, .near_deaths = r->lost[n] };
		}
	}
	in.done = str_make(done, sizeof(done));
	in.missing = str_make(missing, sizeof(missing));
	desk_feed(w, (struct sched_event){ .kind = SCHED_RUN_ADMIT, .run = &in });
}

void desk_begin_term(struct world *w)
{
	struct outbox_id last[WORLD_WORKERS];
	struct sched_event ev = { .kind = SCHED_LAST_WORKERS };
	w->term++;
	w->s = schedule_new(&(struct sched_config){ .term = w->term, .seed = w->seed + w->term });
	w->tick_at_ms = UINT64_MAX;
	for (uint32_t i = 0; i < w->worker_count && w->term > 1; i++) {
		last[ev.last_workers.count++] = w->workers[i].outbox;
		w->workers[i].last_heard_ms = w->now_ms + PERHAPS_MS - LEASE_MS; /* so long nobody calls it over */
	}
	ev.last_workers.outboxes = last;
	desk_feed(w, ev);
	for (uint32_t i = 0; i < w->route_count; i++) {
		struct sched_route route = { .route_id = i + 1,
			                     .concurrency = w->concurrency[i],
			                     .provider = STR("openai"),
			                     .endpoint_host = STR("x") };
		desk_feed(w, (struct sched_event){ .kind = SCHED_ROUTE, .route = &route });
	}
	for (uint32_t i = 0; i < w->run_count; i++)
		if (!w->runs[i].ended)
			admit(w, &w->runs[i], w->term > 1);
}

void desk_fall(struct world *w)
{
	world_log(w, "coordinator falls");
	schedule_free(w->s);
	w->s = NULL;
	w->epoch++;
	w->restarts++;
	for (uint32_t i = 0; i < w->worker_count; i++) {
		w->workers[i].worker_id = 0;
		if (w->workers[i].connected)
			crew_lose_connection(w, i);
	}
	world_at(w, w->now_ms + world_pick(w, 50, 5000), EV_RESTART_COORDINATOR, 0, 0, NULL);
}

/* Somebody cancels, retries or extends a run. */
void desk_change(struct world *w)
{
	struct wrun *r = &w->runs[rng_below(&w->rng, w->run_count)];
	struct sched_event ev = { 0 };
	if (!w->s || r->layer_count >= 8)
		return;
	switch (rng_below(&w->rng, 4)) {
	case 0:
		if (r->ended)
			return;
		r->cancelled = true;
		ev.kind = SCHED_RUN_CANCEL;
		ev.run_id = r->run_id;
		break;
	case 1:
		if ((r->epochs + 1) * r->suite_items > WORLD_SAMPLES)
			return;
		r->layers[r->layer_count++] = (struct position_layer){ 0, r->epochs * r->suite_items, r->suite_items };
		r->epochs++;
		ev.kind = SCHED_RUN_EXTEND;
		ev.extend.run_id = r->run_id;
		ev.extend.epochs = r->epochs;
		break;
	default:
		r->wave++;
		r->layers[r->layer_count++] = (struct position_layer){ r->wave, 0, r->epochs * r->suite_items };
		ev.kind = SCHED_RUN_RETRY;
		ev.retry.run_id = r->run_id;
		ev.retry.wave = r->wave;
	}
	world_log(w, "change %s r%u", sched_event_name(ev.kind), (unsigned)r->run_id);
	desk_feed(w, ev);
}

/* ---- frames of workers ---- */

static void hear_hello(struct world *w, uint32_t i, const struct frame_in *f)
{
	static const struct str providers[] = { STR_INIT("openai") }, hosts[] = { STR_INIT("*") };
	struct wworker *c = &w->workers[i];
	struct msg_held_lease leases[WORLD_LEASES];
	static uint64_t samples[WORLD_LEASES][WORLD_LEASE_SAMPLES];
	struct msg_hello hello = { .version_min = 1,
		                   .version_max = 1,
		                   .session = 1,
		                   .outbox = c->outbox,
		                   .slots = c->slots,
		                   .providers = providers,
		                   .provider_count = 1,
		                   .allowed_hosts = hosts,
		                   .allowed_host_count = 1,
		                   .leases = leases,
		                   .lease_count = f->lease_count,
		                   .answers = f->answers,
		                   .answer_count = f->answer_count };
	for (uint32_t k = 0; k < f->lease_count; k++) {
		const struct frame_lease *l = &f->leases[k];
		for (uint32_t q = 0; q < l->count; q++)
			samples[k][q] = l->samples[q];
		leases[k] = (struct msg_held_lease){ .number = l->number,
			                             .run_id = w->runs[l->run].run_id,
			                             .retry_no = l->retry_no,
			                             .sample_nos = samples[k],
			                             .sample_count = l->count,
			                             .held = str_make(l->held, sizeof(l->held)),
			                             .started = str_make(l->started, sizeof(l->started)) };
	}
	if (c->other_outbox) { /* what was lent to that one is lost, now or at its deadline */
		desk_alone_deaths(w, i);
		desk_gone(w, i);
	}

	c->other_outbox = false;
	c->worker_id = ++w->next_worker_id;
	c->session_conn = c->conn;
	world_log(w, "hello of %u as w%u, %u leases, %u answers", i, c->worker_id, f->lease_count, f->answer_count);
	struct sched_event ev = { .kind = SCHED_WORKER_JOINED };
	ev.joined.worker_id = c->worker_id;
	ev.joined.hello = &hello;
	desk_feed(w, ev);
}

static void hear_renew(struct world *w, uint32_t i, const struct frame_in *f)
{
	struct msg_held_lease leases[WORLD_LEASES];
	struct msg_route_use routes[2];
	struct msg_renew m = { .renew_no = f->renew_no,
		               .frame_seen = f->frame_seen,
		               .wanted = f->wanted,
		               .routes = routes,
		               .route_count = w->route_count,
		               .leases = leases,
		               .lease_count = f->lease_count };
	for (uint32_t k = 0; k < w->route_count; k++)
		routes[k] = (struct msg_route_use){ k + 1, f->granted[k], f->in_flight[k], f->wanted };
	for (uint32_t k = 0; k < f->lease_count; k++) {
		const struct frame_lease *l = &f->leases[k];
		leases[k] = (struct msg_held_lease){ .number = l->number,
			                             .run_id = w->runs[l->run].run_id,
			                             .sample_count = l->count,
			                             .held = str_make(l->held, sizeof(l->held)),
			                             .started = str_make(l->started, sizeof(l->started)) };
	}
	struct sched_event ev = { .kind = SCHED_WORKER_RENEWED };
	ev.renewed.worker_id = w->workers[i].worker_id;
	ev.renewed.renew = &m;
	desk_feed(w, ev);
}

static void hear_released(struct world *w, uint32_t i, const struct frame_in *f)
{
	struct msg_released_sample samples[WORLD_LEASE_SAMPLES];
	struct msg_released m = {
		.number = f->number, .cause = f->cause, .samples = samples, .sample_count = f->count
	};
	for (uint32_t k = 0; k < f->count; k++)
		samples[k] = (struct msg_released_sample){ f->indexes[k], 0 };
	struct sched_event ev = { .kind = SCHED_WORKER_RELEASED };
	ev.released.worker_id = w->workers[i].worker_id;
	ev.released.released = &m;
	desk_feed(w, ev);
}

static void hear_results(struct world *w, uint32_t i, const struct frame_in *f)
{
	struct store_job *job = mem_new(1, sizeof(*job));
	job->worker = i;
	job->outbox = w->workers[i].outbox;
	job->count = f->count;
	memcpy(job->records, f->records, sizeof(job->records));
	memcpy(job->places, f->places, sizeof(job->places));
	store(w, job);
}

void desk_arrived(struct world *w, uint32_t i, uint32_t conn, void *body)
{
	const struct frame_in *f = body;
	struct wworker *c = &w->workers[i];
	if (!w->s || conn != c->conn || (f->kind != MSG_HELLO && !c->worker_id))
		return;
	if (f->kind == MSG_HELLO || f->kind == MSG_RENEW)
		c->last_heard_ms = w->now_ms;
	switch (f->kind) {
	case MSG_HELLO:
		hear_hello(w, i, f);
		return;
	case MSG_RENEW:
		hear_renew(w, i, f);
		return;
	case MSG_RELEASED:
		hear_released(w, i, f);
		return;
	default:
		hear_results(w, i, f);
	}
}

void desk_gone(struct world *w, uint32_t i)
{
	struct wworker *c = &w->workers[i];
	if (!c->worker_id)
		return;
	struct sched_event ev = { .kind = SCHED_WORKER_GONE };
	ev.gone.worker_id = c->worker_id;
	c->worker_id = 0;
	desk_feed(w, ev);
}
