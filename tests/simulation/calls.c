/* The net and score threads of a worker: samples in exec, asks under way. Follows worker/net. */
#include "common/base/check.h"
#include "common/base/mem.h"
#include "tests/simulation/world.h"

enum { SCORED_LATE_PER_MILLE = 80 };

static uint32_t take_call(struct world *w)
{
	if (w->call_free == 0) {
		mem_reserve(&w->calls, &w->call_cap, w->call_count + 1, sizeof(*w->calls));
		w->calls[w->call_count] = (struct call){ .gen = 1 };
		return (uint32_t)w->call_count++;
	}
	uint32_t i = w->call_free - 1;
	w->call_free = w->calls[i].next_free;
	return i;
}

static void free_call(struct world *w, uint32_t i)
{
	struct call *x = &w->calls[i];
	struct exec_run *run = exec_run_of(x->exec);
	exec_free(x->exec);
	exec_runs_put(&w->runs, run);
	*x = (struct call){ .gen = x->gen + 1, .next_free = w->call_free };
	w->call_free = i + 1;
}

static uint32_t new_call(struct world *w, struct crew *c, uint64_t sample_id, uint32_t net)
{
	uint32_t i = take_call(w);
	struct call *x = &w->calls[i];
	bool is_new;
	*x = (struct call){ .gen = x->gen, .used = true, .worker = c->index, .net = net, .sample_id = sample_id };
	*(uint32_t *)map_put_u64(&c->calls, sample_id, &is_new) = i;
	check(is_new);
	return i;
}

static void feed(struct world *w, struct crew *c, uint32_t i, struct exec_event *ev);

static void ask(struct world *w, struct crew *c, uint32_t i, const struct exec_action *a)
{
	struct call *x = &w->calls[i];
	const struct exec_key *key = exec_key(x->exec);
	struct drawer_ask *logged = map_put_u64(&c->drawer.asks, a->ask.ask_id, NULL);
	*logged = (struct drawer_ask){ *key, exec_attempt_count(x->exec) };
	x->asking = true;
	x->cancelled = false;
	x->ask_id = a->ask.ask_id;
	c->asking++;
	c->alone_asking += x->alone;
	w->tally.asks++;
	x->ask = oracle_asks(w, c, key, a->ask.ask_id, x->net);
	if (oracle_sample(w, key->run_id, key->sample_no)->poison) {
		x->ends_ms = UINT64_MAX;
		world_at(w, w->now_ms + world_pick(w, 0, 300), EV_WORKER_DIES, c->index, c->life, 0);
		return;
	}
	uint64_t latency_ms = vendor_latency_ms(w, key->run_id);
	x->ends_ms = w->now_ms + MIN_OF(latency_ms, (uint64_t)a->ask.timeout_ms);
	if (x->net == c->stalled_net)
		x->ends_ms = MAX_OF(x->ends_ms, c->stalled_until_ms);
	world_at(w, x->ends_ms, EV_ASK_END, c->index, x->gen, i);
}

static void stop(struct world *w, struct crew *c, uint32_t i)
{
	struct call *x = &w->calls[i];
	x->cancelled = true;
	x->ends_ms = w->now_ms + 1;
	world_at(w, x->ends_ms, EV_ASK_END, c->index, x->gen, i);
}

static void say_ended(struct world *w, struct crew *c, const struct call *x, const struct exec_action *a)
{
	struct post p = { .kind = POST_ENDED, .ev = { .kind = AGENT_EV_ASK_ENDED } };
	p.ev.ask_ended.sample_id = x->sample_id;
	p.ev.ask_ended.ask_id = a->ended.ask_id;
	p.ev.ask_ended.class = a->ended.class;
	p.ev.ask_ended.waits = a->ended.waits;
	p.ev.ask_ended.paced = a->ended.paced;
	p.ev.ask_ended.wait_ms = a->ended.wait_ms;
	p.ev.ask_ended.retry_after_ms = a->ended.retry_after_ms;
	crew_post(w, c, &p);
}

static void score(struct world *w, struct crew *c, uint32_t i)
{
	struct exec_event ev = { .kind = EXEC_EV_SCORED };
	exec_score(w->calls[i].exec);
	if (world_chance(w, SCORED_LATE_PER_MILLE))
		world_at(w, w->now_ms + world_pick(w, 1, 200), EV_SCORED, c->index, w->calls[i].gen, i);
	else
		feed(w, c, i, &ev);
}

static void carry_out(struct world *w, struct crew *c, uint32_t i, const struct exec_action *actions, size_t count)
{
	bool over = false;
	for (size_t k = 0; k < count; k++)
		switch (actions[k].kind) {
		case EXEC_DO_ASK:
			ask(w, c, i, &actions[k]);
			break;
		case EXEC_DO_CANCEL:
			stop(w, c, i);
			break;
		case EXEC_DO_ENDED:
			say_ended(w, c, &w->calls[i], &actions[k]);
			break;
		case EXEC_DO_KEEP:
			crew_keep(w, c, i, actions[k].record);
			break;
		case EXEC_DO_SCORE:
			score(w, c, i);
			break;
		case EXEC_DO_FINISH:
			over = true;
			break;
		}
	if (!over)
		return;
	(void)map_remove_u64(&c->calls, w->calls[i].sample_id); /* it is there */
	free_call(w, i);
}

static void feed(struct world *w, struct crew *c, uint32_t i, struct exec_event *ev)
{
	struct exec_action out[EXEC_ACTIONS_MAX];
	ev->now_ms = w->now_ms;
	ev->wall_ms = (int64_t)w->now_ms;
	size_t count = exec_step(w->calls[i].exec, ev, out);
	carry_out(w, c, i, out, count);
}

static void give_slot(struct world *w, struct crew *c, uint32_t i)
{
	struct exec_event ev = { .kind = EXEC_EV_SLOT };
	feed(w, c, i, &ev);
}

void calls_start(struct world *w, struct crew *c, const struct agent_action *a)
{
	struct exec_spec spec = { .key = a->start.key,
		                  .run = exec_runs_get(&w->runs, a->start.context),
		                  .item = a->start.item,
		                  .attempts_left = a->start.attempts_left,
		                  .time_left_ms = a->start.time_left_ms,
		                  .seed = rng_next(&w->rng) };
	check(spec.run->content);
	uint32_t i = new_call(w, c, a->start.sample_id, a->start.net);
	w->calls[i].exec = exec_new(&spec);
	w->calls[i].alone = a->start.alone;
	give_slot(w, c, i);
}

void calls_resume(struct world *w, struct crew *c, uint64_t sample_id)
{
	const uint32_t *i = map_get_u64(&c->calls, sample_id);
	if (i)
		give_slot(w, c, *i);
}

void calls_cancel(struct world *w, struct crew *c, uint64_t sample_id)
{
	const uint32_t *i = map_get_u64(&c->calls, sample_id);
	struct exec_event ev = { .kind = EXEC_EV_CANCEL };
	if (i)
		world_log(w, "worker %u gives up r%llu:%llu", c->index,
		          (unsigned long long)exec_key(w->calls[*i].exec)->run_id,
		          (unsigned long long)exec_key(w->calls[*i].exec)->sample_no);
	if (i)
		feed(w, c, *i, &ev);
}

void calls_adopt(struct world *w, struct crew *c, uint64_t sample_id, uint32_t net, struct record *answer)
{
	struct exec_action out[EXEC_ACTIONS_MAX];
	size_t count = 0;
	struct exec_spec spec = {
		.key = { answer->m.run_id, answer->m.sample_no, answer->m.retry_no, answer->m.scoring_no },
		.run = exec_runs_get(&w->runs, answer->context),
		.item = answer->item,
		.seed = rng_next(&w->rng),
	};
	uint32_t i = new_call(w, c, sample_id, net);
	w->calls[i].exec = exec_adopt(&spec, answer, out, &count);
	carry_out(w, c, i, out, count);
}

void calls_kept(struct world *w, struct crew *c, const struct keep *k, uint64_t ask_id)
{
	struct exec_event ev = { .kind = EXEC_EV_KEPT };
	(void)map_remove_u64(&c->drawer.asks, ask_id); /* an answer's result comes under the same name */
	check(w->calls[k->call].gen == k->gen);
	feed(w, c, k->call, &ev);
}

static void ask_ends(struct world *w, struct crew *c, uint32_t i)
{
	struct call *x = &w->calls[i];
	struct exec_event ev = { .kind = EXEC_EV_REPLY };
	if (x->cancelled) {
		ev.reply.reply.transport = CLASS_ABANDONED;
		ev.reply.reply.transport_text = STR("cancelled");
	} else {
		vendor_reply(w, exec_key(x->exec), &ev.reply.reply);
	}
	ev.reply.elapsed_ms = 1;
	x->asking = false;
	c->asking--;
	c->alone_asking -= x->alone;
	bool answered = !x->cancelled && ev.reply.reply.transport == CLASS_NONE && ev.reply.reply.status == 200;
	oracle_ended(w, x->ask, x->cancelled ? ASK_ABANDONED : answered ? ASK_ANSWERED : ASK_FAILED);
	feed(w, c, i, &ev);
}

void calls_event(struct world *w, const struct event *ev)
{
	struct crew *c = &w->crews[ev->who];
	struct call *x = &w->calls[ev->a];
	if (!x->used || x->gen != ev->gen || x->worker != ev->who)
		return; /* its process is dead */
	if (ev->kind == EV_SCORED) {
		struct exec_event scored = { .kind = EXEC_EV_SCORED };
		feed(w, c, (uint32_t)ev->a, &scored);
		return;
	}
	if (!x->asking || x->ends_ms != w->now_ms)
		return;
	if (x->net == c->stalled_net && w->now_ms < c->stalled_until_ms) {
		x->ends_ms = c->stalled_until_ms;
		world_at(w, x->ends_ms, EV_ASK_END, ev->who, ev->gen, ev->a);
		return;
	}
	ask_ends(w, c, (uint32_t)ev->a);
}

void calls_drop_all(struct world *w, struct crew *c)
{
	uint32_t *i;
	for (size_t at = 0; (i = map_next_u64(&c->calls, &at, NULL)) != NULL;)
		free_call(w, *i);
	map_clear(&c->calls);
}
