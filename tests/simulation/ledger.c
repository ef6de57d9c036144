/* The database in small: what coordinator/store/statements/result.sql and its neighbours do to rows, one at a time. */
#include "common/base/mem.h"
#include "tests/simulation/world.h"
#include <string.h>

enum { LOST_OPEN = 1, LOST_DIED = 2, LOST_CLOSED = 3 };

void ledger_begin(struct world *w)
{
	struct ledger *l = &w->ledger;
	map_init(&l->paid_twice, sizeof(bool));
	map_init(&l->attempt_asks, sizeof(uint32_t));
	l->timeline = 1;
	for (uint32_t i = 0; i < w->plan.run_count; i++) {
		struct ledger_run *r = &l->runs[i];
		r->room = w->plan.runs[i].items * w->plan.runs[i].epochs_max;
		r->rows = mem_new(r->room, sizeof(*r->rows));
		r->tries = mem_new(r->room, sizeof(*r->tries));
	}
}

void ledger_end(struct world *w)
{
	struct ledger *l = &w->ledger;
	map_done(&l->paid_twice);
	map_done(&l->attempt_asks);
	for (uint32_t i = 0; i < w->plan.run_count; i++) {
		mem_free(l->runs[i].rows);
		mem_free(l->runs[i].tries);
	}
	mem_free(l->rows);
	mem_free(l->attempts);
	mem_free(l->workers);
}

struct ledger_run *ledger_run(struct world *w, uint64_t run_id)
{
	return run_id > 0 && run_id <= w->plan.run_count ? &w->ledger.runs[run_id - 1] : NULL;
}

struct ledger_worker *ledger_worker(struct world *w, uint32_t outbox_no)
{
	struct ledger *l = &w->ledger;
	size_t old = l->worker_cap;
	mem_reserve(&l->workers, &l->worker_cap, (size_t)outbox_no + 1, sizeof(*l->workers));
	if (l->worker_cap > old)
		memset(l->workers + old, 0, (l->worker_cap - old) * sizeof(*l->workers));
	return &l->workers[outbox_no];
}

const struct ledger_row *ledger_row(const struct world *w, uint64_t run_id, uint64_t sample_no)
{
	const struct ledger_run *r = &w->ledger.runs[run_id - 1];
	return sample_no < r->room && r->rows[sample_no] ? &w->ledger.rows[r->rows[sample_no] - 1] : NULL;
}

bool ledger_settled(const struct world *w, uint64_t run_id, uint64_t sample_no)
{
	const struct ledger_row *row = ledger_row(w, run_id, sample_no);
	return row && (!outcome_is_missing((enum outcome)row->outcome) ||
	               row->retry_no >= w->ledger.runs[run_id - 1].retry_wave);
}

static uint32_t rank_of(enum outcome o)
{
	return o == OUTCOME_SCORED ? 2 : o == OUTCOME_UNSCORED ? 1 : 0;
}

static bool is_stored(const struct world *w, const struct ledger_row *row, uint64_t ask_id)
{
	while (row) {
		if (row->ask_id == ask_id)
			return true;
		row = row->before ? &w->ledger.rows[row->before - 1] : NULL;
	}
	return false;
}

bool ledger_knows_ask(const struct world *w, uint64_t run_id, uint64_t sample_no, uint64_t ask_id)
{
	/* A spoiled answer of a sample that has a row leaves no trace: it bought nothing that could be kept. */
	return ledger_spoils(w, ask_id) || is_stored(w, ledger_row(w, run_id, sample_no), ask_id) ||
	       map_get_u64(&w->ledger.attempt_asks, ask_id) || map_get_u64(&w->ledger.paid_twice, ask_id);
}

static void pay_twice(struct world *w, uint64_t ask_id)
{
	bool is_new;
	(void)map_put_u64(&w->ledger.paid_twice, ask_id, &is_new);
	w->tally.paid_twice += is_new;
}

/* ---- asks that died ---- */

static bool has_paid_row(const struct world *w, const struct ledger_row *row)
{
	for (; row; row = row->before ? &w->ledger.rows[row->before - 1] : NULL)
		if (row->ask_id != 0 && rank_of((enum outcome)row->outcome) > 0)
			return true;
	return false;
}

static bool has_died(const struct ledger_attempt *a)
{
	return a->error_class == CLASS_DIED || a->error_class == CLASS_ABANDONED;
}

/* Of the asks that died, those beside which another was paid for: all but the last, or all when there is an answer. */
static void count_died(struct world *w, struct ledger_run *r, uint64_t run_id, uint64_t sample_no)
{
	const struct ledger_row *row = ledger_row(w, run_id, sample_no);
	bool paid = has_paid_row(w, row);
	for (uint32_t at = r->tries[sample_no]; at; at = w->ledger.attempts[at - 1].next) {
		const struct ledger_attempt *a = &w->ledger.attempts[at - 1];
		if (!has_died(a))
			continue;
		if (paid && !is_stored(w, row, a->ask_id))
			pay_twice(w, a->ask_id);
		paid = true; /* those before it have a later one beside them */
	}
}

static void close_lost(struct world *w, struct ledger_run *r, const struct msg_record *record, uint32_t outbox_no)
{
	bool died = record->kind == RECORD_ATTEMPT && record->error_class == CLASS_DIED;
	if (outbox_no == 0 || (record->kind == RECORD_ATTEMPT && record->error_class == CLASS_LOST))
		return;
	for (uint32_t at = r->tries[record->sample_no]; at; at = w->ledger.attempts[at - 1].next) {
		struct ledger_attempt *a = &w->ledger.attempts[at - 1];
		if (a->lost == LOST_OPEN && a->outbox_no == outbox_no)
			a->lost = died ? LOST_DIED : LOST_CLOSED;
	}
}

/* ---- records ---- */

static void insert_attempt(struct world *w, uint64_t term, struct ledger_run *r, const struct msg_record *record,
                           uint32_t outbox_no)
{
	bool is_lost = record->error_class == CLASS_LOST, is_new;
	uint64_t key = record->ask_id;
	if (key == 0) /* made from its place */
		key = rng_mix(rng_mix(record->run_id << 40 ^ record->sample_no) ^ (uint64_t)record->at_ms ^
		              (uint64_t)outbox_no << 44 ^ (uint64_t)record->retry_no << 32);
	uint32_t *index = map_put_u64(&w->ledger.attempt_asks, key, &is_new);
	if (!is_new)
		return;
	struct ledger *l = &w->ledger;
	mem_reserve(&l->attempts, &l->attempt_cap, l->attempt_count + 1, sizeof(*l->attempts));
	struct ledger_attempt *a = &l->attempts[l->attempt_count++];
	*index = (uint32_t)l->attempt_count;
	*a = (struct ledger_attempt){ .sample_no = record->sample_no,
		                      .ask_id = record->ask_id,
		                      .at_ms = record->at_ms,
		                      .retry_no = record->retry_no,
		                      .outbox_no = outbox_no,
		                      .latency_ms = record->latency_ms,
		                      .error_class = (uint8_t)record->error_class,
		                      .started = is_lost && record->given_up,
		                      .alone = is_lost && record->attempt_count == 1,
		                      .next = r->tries[record->sample_no] };
	r->tries[record->sample_no] = *index;
	if (is_lost) {
		const struct ledger_worker *x = ledger_worker(w, outbox_no);
		bool closed = x->lost_closed_term == term && x->lost_closed_ms >= record->at_ms;
		a->lost = closed ? LOST_CLOSED : LOST_OPEN;
	}
	if (has_died(a))
		count_died(w, r, record->run_id, record->sample_no);
}

static void insert_row(struct world *w, uint64_t term, struct ledger_run *r, const struct msg_record *record,
                       enum outcome outcome, uint32_t retry_no, uint32_t outbox_no)
{
	struct ledger *l = &w->ledger;
	mem_reserve(&l->rows, &l->row_cap, l->row_count + 1, sizeof(*l->rows));
	uint32_t *place = &r->rows[record->sample_no];
	r->row_count += *place == 0;
	l->rows[l->row_count++] = (struct ledger_row){
		.ask_id = record->ask_id, .retry_no = retry_no, .before = *place, .outcome = (uint8_t)outcome
	};
	*place = (uint32_t)l->row_count;
	struct msg_record stored = *record;
	stored.outcome = outcome;
	oracle_row(w, term, &stored, outbox_no, true);
}

static void insert_result(struct world *w, uint64_t term, struct ledger_run *r, const struct msg_record *record,
                          enum outcome outcome, uint32_t outbox_no)
{
	const struct ledger_row *h = ledger_row(w, record->run_id, record->sample_no);
	bool stored = h && record->ask_id != 0 && is_stored(w, h, record->ask_id);
	uint32_t rank = rank_of(outcome), h_rank = h ? rank_of((enum outcome)h->outcome) : 0;
	bool wins = !h || (h_rank < 2 && !stored && (record->retry_no > h->retry_no || rank > h_rank));
	if (world_mutant(w, "ledger-last-wins"))
		wins = !stored;
	if (wins) {
		uint32_t retry_no = !h || record->retry_no > h->retry_no ? record->retry_no : h->retry_no + 1;
		uint64_t h_ask = h ? h->ask_id : 0;
		bool replaced = h && h_rank == 1 && h_ask != 0 && record->retry_no <= h->retry_no;
		insert_row(w, term, r, record, outcome, retry_no, outbox_no);
		if (replaced)
			pay_twice(w, h_ask);
		if (rank > 0)
			count_died(w, r, record->run_id, record->sample_no);
	} else if (rank > 0 && record->ask_id != 0 && !stored && !world_mutant(w, "ledger-forgets-paid-twice")) {
		pay_twice(w, record->ask_id);
	}
}

/* A row that the database will not take as it is: always the same ones. */
bool ledger_spoils(const struct world *w, uint64_t ask_id)
{
	return w->plan.spoil_per_mille > 0 && ask_id != 0 && rng_mix(ask_id ^ w->seed) % 1000 < w->plan.spoil_per_mille;
}

static enum outcome apply_record(struct world *w, uint64_t term, const struct msg_record *record, uint32_t outbox_no)
{
	world_log(w, "row: r%llu:%llu/%u ask %016llx of outbox %u, kind %d %s %s%s", (unsigned long long)record->run_id,
	          (unsigned long long)record->sample_no, record->retry_no, (unsigned long long)record->ask_id,
	          outbox_no, record->kind, outcome_name(record->outcome), error_class_name(record->error_class),
	          record->given_up ? ", given up" : "");
	struct ledger_run *r = ledger_run(w, record->run_id);
	if (!r || !r->made || record->sample_no >= w->plan.runs[record->run_id - 1].items * r->epochs) {
		oracle_break(w, "world", "a row of no sample: run %llu sample %llu", (unsigned long long)record->run_id,
		             (unsigned long long)record->sample_no);
		return OUTCOME_NONE;
	}
	enum outcome outcome = record->kind == RECORD_RAW ? OUTCOME_UNSCORED : record->outcome;
	if (record->kind == RECORD_ATTEMPT) {
		outcome = OUTCOME_NONE;
		insert_attempt(w, term, r, record, outbox_no);
	} else {
		if (ledger_spoils(w, record->ask_id))
			outcome = OUTCOME_HARNESS_ERROR;
		insert_result(w, term, r, record, outcome, outbox_no);
	}
	close_lost(w, r, record, outbox_no);
	oracle_durable(w, record, outbox_no);
	return outcome;
}

/* ---- jobs ---- */

static void apply_lost_closed(struct world *w, uint64_t term, const struct batch *b)
{
	struct ledger_worker *x = ledger_worker(w, b->outbox_no);
	int64_t closed_ms = b->asked_ms - 1; /* what is lost in the moment of closing stays open */
	x->lost_closed_ms = closed_ms;
	x->lost_closed_term = term;
	for (size_t i = 0; i < w->ledger.attempt_count; i++) {
		struct ledger_attempt *a = &w->ledger.attempts[i];
		if (a->lost == LOST_OPEN && a->outbox_no == b->outbox_no && a->at_ms <= closed_ms)
			a->lost = LOST_CLOSED;
	}
}

static void apply_job(struct world *w, uint64_t term, const struct batch *b)
{
	struct ledger_run *r = ledger_run(w, b->run_id);
	struct ledger_worker *x = ledger_worker(w, b->outbox_no);
	switch (b->job) {
	case JOB_SENT_TO:
		r->sent_to = MAX_OF(r->sent_to, b->position);
		return;
	case JOB_RUN_STATE:
		r->state = b->state;
		r->end_count++;
		return;
	case JOB_WORKER:
		x->there = true;
		x->gone = false;
		x->term = term;
		return;
	case JOB_WORKER_GONE:
		x->gone = true;
		return;
	case JOB_LOST_CLOSED:
		apply_lost_closed(w, term, b);
		return;
	case JOB_NONE:
		return;
	}
}

bool ledger_apply(struct world *w, uint64_t term, struct batch *b)
{
	if (w->ledger.term != term && !world_mutant(w, "ledger-any-term"))
		return false;
	world_mix(w, b->job, b->count, b->outbox_no);
	if (b->job != JOB_NONE)
		apply_job(w, term, b);
	for (size_t i = 0; i < b->count; i++)
		b->outcomes[i] = (uint8_t)apply_record(w, term, &b->records[i], b->outbox_no);
	return true;
}

/* ---- what somebody asks the API for ---- */

static void reopen(struct ledger_run *r)
{
	r->state = SCHED_STATE_RUNNING;
	r->cancel_said = false;
}

bool ledger_change(struct world *w, const struct plan_change *c)
{
	struct ledger_run *r = &w->ledger.runs[c->run];
	const struct plan_run *p = &w->plan.runs[c->run];
	if (c->kind != CHANGE_START && (!r->made || r->layer_count == ARRAY_LEN(r->layers)))
		return false;
	r->changed_ms = w->now_ms;
	switch (c->kind) {
	case CHANGE_START:
		r->made = true;
		r->epochs = p->epochs;
		r->layers[r->layer_count++] = (struct position_layer){ 0, 0, p->items * p->epochs };
		r->created_no = w->now_ms * PLAN_RUNS_MAX + c->run + 1;
		return true;
	case CHANGE_CANCEL:
		if (r->state != SCHED_STATE_RUNNING)
			return false;
		r->cancel_said = true;
		return true;
	case CHANGE_RETRY:
		reopen(r);
		r->retry_wave++;
		r->layers[r->layer_count++] = (struct position_layer){ r->retry_wave, 0, p->items * r->epochs };
		return true;
	case CHANGE_EXTEND:
		reopen(r);
		r->layers[r->layer_count++] = (struct position_layer){ 0, p->items * r->epochs, p->items };
		r->epochs++;
		return true;
	}
	return false;
}

uint64_t ledger_lost_open(const struct world *w, uint64_t run_id, uint64_t sample_no)
{
	uint64_t open = 0;
	for (uint32_t at = w->ledger.runs[run_id - 1].tries[sample_no]; at; at = w->ledger.attempts[at - 1].next)
		open += w->ledger.attempts[at - 1].lost == LOST_OPEN;
	return open;
}
