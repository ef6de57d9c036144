/* A worker: its life, the loop around the agent, and the outbox thread. Follows worker/link/link.c,
 * worker/main/worker.c and worker/outbox/outbox_thread.c. */
#include "common/base/check.h"
#include "common/base/mem.h"
#include "tests/simulation/world.h"
#include <stdio.h>
#include <string.h>

enum { TURNED_MS = 250, OUTBOX_AGAIN_MS = 1000, GROUP_MAX = 512, DRAIN_MS = 5000, ANSWERS_MAX = 4096 };

void crew_begin(struct world *w, uint32_t index)
{
	struct crew *c = &w->crews[index];
	*c = (struct crew){ .index = index,
		            .slots = w->plan.workers[index].slots,
		            .nets = w->plan.workers[index].nets,
		            .turn_at_ms = UINT64_MAX };
	drawer_begin(w, &c->drawer);
	map_init(&c->calls, sizeof(uint32_t));
	agent_actions_init(&c->actions);
}

static void end_process(struct world *w, struct crew *c)
{
	calls_drop_all(w, c);
	for (size_t i = 0; i < c->keep_count; i++)
		record_free(c->keeps[i].record);
	for (size_t i = 0; i < c->post_count; i++)
		if (c->posts[i].kind == POST_RECORD)
			record_free(c->posts[i].ev.kept.record);
	c->keep_count = c->post_count = c->keep_syncing = 0;
	c->outbox_due = c->outbox_failing = c->syncing = false;
	agent_free(c->agent);
	c->agent = NULL;
	agent_actions_clear(&c->actions);
	c->alive = false;
	c->asking = c->alone_asking = 0;
	c->turn_at_ms = UINT64_MAX;
}

void crew_end(struct world *w, struct crew *c)
{
	end_process(w, c);
	drawer_done(&c->drawer);
	map_done(&c->calls);
	agent_actions_done(&c->actions);
	mem_free(c->posts);
	mem_free(c->keeps);
	mem_free(c->cables);
}

bool crew_idle(const struct crew *c)
{
	struct agent_status s;
	if (!c->alive)
		return c->never_back;
	agent_status(c->agent, &s);
	return s.held == 0 && s.records == 0 && s.unloaded == 0 && c->keep_count == 0 && c->post_count == 0;
}

/* ---- the loop ---- */

static void turn_at(struct world *w, struct crew *c, uint64_t at_ms)
{
	if (at_ms >= c->turn_at_ms)
		return;
	c->turn_at_ms = at_ms;
	world_after_all(w, at_ms, EV_TURN, c->index, c->life, 0);
}

void crew_turn_soon(struct world *w, struct crew *c)
{
	if (c->alive)
		turn_at(w, c, w->now_ms + w->plan.workers[c->index].lag_ms);
}

void crew_post(struct world *w, struct crew *c, const struct post *p)
{
	mem_reserve(&c->posts, &c->post_cap, c->post_count + 1, sizeof(*c->posts));
	c->posts[c->post_count++] = *p;
	crew_turn_soon(w, c);
}

static void post_record(struct world *w, struct crew *c, uint64_t sample_id, struct record *record)
{
	struct post p = { .kind = POST_RECORD, .ev = { .kind = AGENT_EV_KEPT } };
	p.ev.kept.sample_id = sample_id;
	p.ev.kept.record = record;
	crew_post(w, c, &p);
}

static void post_outbox(struct world *w, struct crew *c)
{
	struct post p = { .kind = POST_OUTBOX, .ev = { .kind = AGENT_EV_OUTBOX } };
	p.ev.outbox.writable = !c->outbox_failing;
	p.ev.outbox.unloaded = c->drawer.index.unloaded;
	crew_post(w, c, &p);
}

static struct cable *cable_of(struct world *w, const struct crew *c, uint32_t conn)
{
	for (size_t i = 0; i < c->cable_count; i++) {
		struct cable *x = cable_get(w, c->cables[i]);
		if (x->conn == conn)
			return x;
	}
	return NULL;
}

static void load(struct world *w, struct crew *c, const struct agent_action *a)
{
	struct record *r;
	for (uint32_t i = 0; i < a->load.record_max && (r = drawer_load_next(&c->drawer)) != NULL; i++)
		post_record(w, c, 0, r);
	post_outbox(w, c);
}

static void fetch(struct world *w, struct crew *c, const struct agent_action *a)
{
	struct record *r = drawer_load(&c->drawer, a->answer.record_no);
	if (r && a->kind == AGENT_DO_ADOPT) {
		calls_adopt(w, c, a->answer.sample_id, a->answer.net, r);
		return;
	}
	if (r)
		outbox_index_ship(&c->drawer.index, a->answer.record_no);
	post_record(w, c, a->answer.sample_id, r);
}

static void close_cable(struct world *w, struct crew *c, uint32_t conn)
{
	struct cable *x = cable_of(w, c, conn);
	if (x)
		cable_close_worker(w, x, world_chance(w, 500));
}

static void send(struct world *w, struct crew *c, const struct agent_action *a)
{
	struct cable *x = cable_of(w, c, a->send.conn);
	oracle_promises(w, c, a->send.msg);
	if (x)
		cable_up(w, x, a->send.msg);
}

static void trim(struct world *w, struct crew *c, const struct agent_action *a)
{
	oracle_trimmed(w, c, a->trim.ranges, a->trim.count);
	drawer_trim(w, &c->drawer, a->trim.ranges, a->trim.count);
}

static void carry_out_one(struct world *w, struct crew *c, const struct agent_action *a)
{
	switch (a->kind) {
	case AGENT_DO_OPEN:
		(void)cable_new(w, c->index, a->open.endpoint, a->open.conn); /* the crew member lists it */
		return;
	case AGENT_DO_CLOSE:
		close_cable(w, c, a->close.conn);
		return;
	case AGENT_DO_SEND:
		send(w, c, a);
		return;
	case AGENT_DO_START:
		calls_start(w, c, a);
		return;
	case AGENT_DO_RESUME:
		calls_resume(w, c, a->start.sample_id);
		return;
	case AGENT_DO_CANCEL:
		calls_cancel(w, c, a->start.sample_id);
		return;
	case AGENT_DO_TRIM:
		trim(w, c, a);
		return;
	case AGENT_DO_LOAD:
		load(w, c, a);
		return;
	case AGENT_DO_REOPEN:
		(void)outbox_index_reopen(&c->drawer.index, w->now_ms); /* how many is of no use here */
		post_outbox(w, c);
		return;
	case AGENT_DO_ADOPT:
	case AGENT_DO_SHIP:
		fetch(w, c, a);
		return;
	case AGENT_DO_NOTE:
		world_log(w, "worker %u notes %d: %llu %llu", c->index, a->note.what, (unsigned long long)a->note.a,
		          (unsigned long long)a->note.b);
		return;
	case AGENT_DO_DRAINED:
		c->drained = true;
		return;
	}
}

static void carry_out(struct world *w, struct crew *c)
{
	for (size_t i = 0; i < c->actions.len && !w->oracle.broken; i++) {
		world_mix(w, 200u + c->actions.items[i].kind, c->index, 0);
		carry_out_one(w, c, &c->actions.items[i]);
	}
	agent_actions_clear(&c->actions);
}

static void feed(struct world *w, struct crew *c, struct agent_event *ev)
{
	ev->now_ms = w->now_ms;
	agent_step(c->agent, ev, &c->actions);
}

static void feed_turned(struct world *w, struct crew *c)
{
	if (w->now_ms < c->turned_ms + TURNED_MS)
		return;
	c->turned_ms = w->now_ms;
	for (uint32_t i = 0; i < c->nets; i++) {
		struct agent_event ev = { .kind = AGENT_EV_TURNED };
		ev.thread = i;
		if (w->now_ms >= c->stalled_until_ms || i != c->stalled_net)
			feed(w, c, &ev);
	}
}

static void orderly_end(struct world *w, struct crew *c)
{
	world_log(w, "worker %u has drained and leaves", c->index);
	crew_kill(w, c, false, world_pick(w, 200, 5000));
}

static void turn(struct world *w, struct crew *c)
{
	c->turn_at_ms = UINT64_MAX;
	feed_turned(w, c);
	for (size_t i = 0; i < c->post_count; i++)
		feed(w, c, &c->posts[i].ev);
	c->post_count = 0;
	carry_out(w, c);
	agent_turn(c->agent, w->now_ms, NULL, &c->actions);
	carry_out(w, c);
	if (c->drained) {
		orderly_end(w, c);
		return;
	}
	uint64_t next_ms = agent_next_deadline_ms(c->agent);
	if (next_ms != UINT64_MAX)
		turn_at(w, c, MAX_OF(next_ms, w->now_ms + 1));
}

void crew_opened(struct world *w, struct crew *c, uint32_t conn, bool fine)
{
	if (!c->alive)
		return;
	struct agent_event ev = { .kind = fine ? AGENT_EV_OPENED : AGENT_EV_LOST };
	ev.conn = conn;
	feed(w, c, &ev);
	carry_out(w, c);
	crew_turn_soon(w, c);
}

void crew_frame(struct world *w, struct crew *c, uint32_t conn, struct parcel *p)
{
	struct msg room;
	if (!c->alive)
		return;
	arena_reset(&w->scratch);
	struct agent_event ev = { .kind = AGENT_EV_FRAME };
	ev.frame.conn = conn;
	ev.frame.msg = parcel_msg(w, p, &room, &w->scratch);
	if (!ev.frame.msg)
		return;
	bool is_lease = ev.frame.msg->kind == MSG_LEASE;
	feed(w, c, &ev);
	if (is_lease)
		oracle_holds(w, c);
	carry_out(w, c);
	crew_turn_soon(w, c);
}

/* ---- the outbox thread ---- */

void crew_keep(struct world *w, struct crew *c, uint32_t call, struct record *r)
{
	mem_reserve(&c->keeps, &c->keep_cap, c->keep_count + 1, sizeof(*c->keeps));
	c->keeps[c->keep_count++] = (struct keep){
		.call = call, .gen = w->calls[call].gen, .sample_id = w->calls[call].sample_id, .record = r
	};
	if (!c->outbox_due && !c->syncing)
		world_after_all(w, w->now_ms + w->plan.workers[c->index].lag_ms, EV_OUTBOX, c->index, c->life, 0);
	c->outbox_due = true;
}

static void acknowledge(struct world *w, struct crew *c, const struct keep *k)
{
	uint64_t ask_id = k->record->m.ask_id;
	if (k->record->is_answer)
		record_free(k->record);
	else
		post_record(w, c, k->sample_id, k->record);
	calls_kept(w, c, k, ask_id);
}

/* Answers stay until they are durable; the rest is acknowledged. Order is kept. What is acknowledged may bring new
 * ones.
 */
static size_t acknowledge_first(struct world *w, struct crew *c, size_t count, bool answers_too)
{
	size_t before = c->keep_count, left = 0, told = 0;
	struct keep *all = mem_new(before + 1, sizeof(*all));
	memcpy(all, c->keeps, before * sizeof(*all));
	c->keep_count = 0;
	for (size_t i = 0; i < before; i++)
		if (i >= count || (!answers_too && all[i].record->is_answer))
			all[left++] = all[i];
		else {
			struct keep k = all[i];
			told++;
			acknowledge(w, c, &k);
		}
	/* those that came by meanwhile stand behind */
	size_t fresh = c->keep_count;
	mem_reserve(&c->keeps, &c->keep_cap, left + fresh + 1, sizeof(*c->keeps));
	memmove(c->keeps + left, c->keeps, fresh * sizeof(*c->keeps));
	memcpy(c->keeps, all, left * sizeof(*all));
	c->keep_count = left + fresh;
	mem_free(all);
	return told;
}

static void set_failing(struct world *w, struct crew *c, bool failing)
{
	if (failing) {
		c->outbox_due = true;
		world_after_all(w, w->now_ms + OUTBOX_AGAIN_MS, EV_OUTBOX, c->index, c->life, 0);
	}
	if (failing == c->outbox_failing)
		return;
	c->outbox_failing = failing;
	post_outbox(w, c);
}

static void synced(struct world *w, struct crew *c)
{
	c->syncing = false;
	bool fine = drawer_sync(&c->drawer);
	if (fine) {
		(void)acknowledge_first(w, c, c->keep_syncing, true); /* all of them */
		set_failing(w, c, false);
	} else {
		for (size_t i = 0; i < c->keep_syncing; i++)
			c->keeps[i].record->m.record_no = 0;
		set_failing(w, c, true);
	}
	c->keep_syncing = 0;
	if (fine && c->keep_count) {
		c->outbox_due = true;
		world_after_all(w, w->now_ms, EV_OUTBOX, c->index, c->life, 0);
	}
}

static void write_group(struct world *w, struct crew *c)
{
	struct record *group[GROUP_MAX];
	size_t count = MIN_OF(c->keep_count, (size_t)GROUP_MAX);
	c->outbox_due = false;
	if (c->syncing || count == 0)
		return;
	for (size_t i = 0; i < count; i++)
		group[i] = c->keeps[i].record;
	if (!drawer_append(&c->drawer, group, count)) {
		set_failing(w, c, true);
		return;
	}
	size_t told = acknowledge_first(w, c, count, false);
	c->keep_syncing = count - told;
	if (c->keep_syncing == 0) {
		set_failing(w, c, false);
		if (c->keep_count && !c->outbox_due) {
			c->outbox_due = true;
			world_after_all(w, w->now_ms, EV_OUTBOX, c->index, c->life, 0);
		}
	} else if (w->plan.sync_ms == 0) {
		synced(w, c);
	} else {
		c->syncing = true;
		world_at(w, w->now_ms + world_pick(w, 1, w->plan.sync_ms), EV_SYNCED, c->index, c->life, 0);
	}
}

/* ---- life and death ---- */

static struct record *died_record(uint64_t ask_id, const struct drawer_ask *ask)
{
	struct msg_record m = { .kind = RECORD_ATTEMPT,
		                .run_id = ask->key.run_id,
		                .sample_no = ask->key.sample_no,
		                .ask_id = ask_id,
		                .retry_no = ask->key.retry_no,
		                .scoring_no = ask->key.scoring_no,
		                .error_class = CLASS_DIED,
		                .given_up = true,
		                .attempt_count = ask->attempt_count,
		                .retry_after_ms = -1,
		                .cost_nanousd = -1,
		                .evidence = STR("the worker died while this was being asked") };
	return record_new(&m, NULL, STR(""));
}

/* Asks that were under way when it last ended are reported as died. False: the disk does not take it. */
static bool recover(struct crew *c)
{
	struct drawer *d = &c->drawer;
	struct record **records = mem_new(d->asks.len + 1, sizeof(*records));
	size_t count = 0;
	uint64_t ask_id;
	struct drawer_ask *ask;
	for (size_t at = 0; (ask = map_next_u64(&d->asks, &at, &ask_id)) != NULL;)
		if (!outbox_index_has_ask(&d->index, ask_id))
			records[count++] = died_record(ask_id, ask);
	bool fine = count == 0 || (drawer_append(d, records, count) && drawer_sync(d));
	for (size_t i = 0; i < count; i++) {
		if (fine)
			outbox_index_unload(&d->index, records[i]->m.record_no);
		record_free(records[i]);
	}
	mem_free(records);
	if (fine) {
		map_clear(&d->asks);
		outbox_index_forget_asks(&d->index);
	}
	return fine;
}

static size_t list_answers(struct crew *c, struct agent_answer *out)
{
	static uint64_t record_nos[ANSWERS_MAX];
	struct outbox_place place;
	size_t part = 0, at = 0, number_count = 0, count = 0;
	while (number_count < ANSWERS_MAX && outbox_index_next_answer(&c->drawer.index, &part, &at, &place))
		record_nos[number_count++] = place.record_no;
	for (size_t i = 0; i < number_count; i++) {
		struct record *r = drawer_load(&c->drawer, record_nos[i]);
		if (!r)
			continue;
		out[count++] = (struct agent_answer){
			record_nos[i], { r->m.run_id, r->m.sample_no, r->m.ask_id, r->m.retry_no, r->m.scoring_no }
		};
		record_free(r);
	}
	return count;
}

void crew_start(struct world *w, struct crew *c)
{
	static const struct str endpoints[] = { STR_INIT("c0"), STR_INIT("c1") };
	static const struct str providers[] = { STR_INIT("openai") }, hosts[] = { STR_INIT("*") };
	static struct agent_answer answers[ANSWERS_MAX];
	if (c->alive || c->never_back)
		return;
	drawer_replay(w, &c->drawer);
	if (!recover(c)) {
		world_at(w, w->now_ms + world_pick(w, 500, 2000), EV_WORKER_STARTS, c->index, 0, 0);
		return;
	}
	struct agent_config g = { .outbox = c->drawer.id,
		                  .name = STR("w"),
		                  .build = STR("sim"),
		                  .slots = c->slots,
		                  .net_count = c->nets,
		                  .endpoint_count = w->plan.coord_count,
		                  .endpoints = endpoints,
		                  .providers = providers,
		                  .provider_count = 1,
		                  .allowed_hosts = hosts,
		                  .allowed_host_count = 1,
		                  .answers = answers,
		                  .answer_count = list_answers(c, answers),
		                  .unloaded = c->drawer.index.unloaded,
		                  .seed = rng_next(&w->rng) };
	world_log(w, "worker %u starts: outbox %u, %llu records, %zu answers, %llu damaged", c->index,
	          c->drawer.outbox_no, (unsigned long long)c->drawer.index.unloaded, g.answer_count,
	          (unsigned long long)c->drawer.index.damaged_count);
	c->agent = agent_new(&g, w->now_ms);
	c->alive = true;
	c->stopping = c->drained = false;
	c->turned_ms = w->now_ms;
	crew_turn_soon(w, c);
}

/* A write that the kill interrupts: a part of the group stands in the file, the last entry perhaps not whole. */
static void write_in_part(struct world *w, struct crew *c)
{
	struct record *group[GROUP_MAX];
	size_t count = MIN_OF(c->keep_count - c->keep_syncing, (size_t)GROUP_MAX);
	if (count == 0 || c->syncing || !world_chance(w, 300))
		return;
	count = world_pick(w, 1, count);
	for (size_t i = 0; i < count; i++)
		group[i] = c->keeps[c->keep_syncing + i].record;
	if (drawer_append(&c->drawer, group, count) && world_chance(w, 500))
		drawer_tear(&c->drawer);
}

void crew_kill(struct world *w, struct crew *c, bool power_cut, uint64_t back_after_ms)
{
	if (!c->alive)
		return;
	world_log(w, "worker %u dies%s", c->index, power_cut ? ": no power" : "");
	w->tally.kills++;
	if (!c->drained)
		write_in_part(w, c);
	oracle_worker_died(w, c);
	end_process(w, c);
	c->life++;
	if (power_cut)
		drawer_power_cut(w, &c->drawer);
	while (c->cable_count) {
		struct cable *x = cable_get(w, c->cables[c->cable_count - 1]);
		cable_close_worker(w, x, !power_cut && world_chance(w, 500));
		if (power_cut)
			x->closed_ms = UINT64_MAX / 2; /* nobody says so */
	}
	c->never_back = back_after_ms == UINT64_MAX;
	if (!c->never_back)
		world_at(w, w->now_ms + back_after_ms, EV_WORKER_STARTS, c->index, 0, 0);
}

void crew_event(struct world *w, const struct event *ev)
{
	struct crew *c = &w->crews[ev->who];
	if (ev->kind == EV_WORKER_STARTS) {
		crew_start(w, c);
		return;
	}
	if (!c->alive || ev->gen != c->life)
		return;
	switch ((enum event_kind)ev->kind) {
	case EV_TURN:
		if (c->turn_at_ms == w->now_ms)
			turn(w, c);
		return;
	case EV_OUTBOX:
		write_group(w, c);
		return;
	case EV_SYNCED:
		synced(w, c);
		return;
	case EV_WORKER_DIES: /* by poison */
		crew_kill(w, c, false, world_pick(w, 500, 8000));
		return;
	case EV_WORKER_STOPS: {
		struct agent_event drain = { .kind = AGENT_EV_DRAIN };
		drain.drain.limit_ms = DRAIN_MS;
		c->stopping = true;
		feed(w, c, &drain);
		carry_out(w, c);
		crew_turn_soon(w, c);
		return;
	}
	case EV_STALLED:
		if (w->now_ms < c->stalled_until_ms)
			oracle_stalled(w, c);
		return;
	default:
		return;
	}
}
