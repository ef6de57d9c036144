#include "coordinator/main/term.h"
#include "common/base/check.h"
#include "common/base/mem.h"
#include "common/io/log.h"
#include "coordinator/analysis/analysis.h"
#include "coordinator/main/core.h"
#include "coordinator/main/loader.h"
#include "coordinator/main/writers.h"
#include <stdatomic.h>

struct term {
	struct term_settings settings;
	struct core *core;
	struct writers *writers;
	struct loader *loader;
	struct analysis *analysis;
	atomic_uint open; /* of two: everything is read, and events find their way to this term */
};

static void on_lost(void *arg)
{
	struct term *t = arg;
	t->settings.lost(t->settings.arg);
}

static void on_run_state(void *arg, uint64_t run_id, bool ended)
{
	struct term *t = arg;
	(void)run_id; /* analysis finds by rows what is due */
	if (ended)
		analysis_wake(t->analysis);
}

/* A worker that joined before both would be dropped unheard and wait for its Welcome in vain. */
static void open_one(struct term *t)
{
	if (atomic_fetch_add(&t->open, 1) != 1)
		return;
	struct fleet_command *c = fleet_command_new(FLEET_MODE, 0);
	c->mode = SESSION_LEAD;
	c->term = t->settings.term;
	c->timeline = t->settings.timeline;
	if (!fleet_push(t->settings.fleet, c))
		fleet_command_free(c); /* stopping */
	log_info("leading", log_u64("term", t->settings.term));
}

static void on_ready(void *arg)
{
	open_one(arg);
}

void term_open(struct term *t)
{
	open_one(t);
}

static enum err_code start_threads(struct term *t, struct error *reterr)
{
	const struct term_settings *s = &t->settings;
	struct analysis_settings as = { .store = s->store, .term = s->term };
	enum err_code err = core_new(&t->core, reterr);
	if (err == ERR_OK)
		err = analysis_start(&as, &t->analysis, reterr);
	struct writers_settings ws = { .store = s->store,
		                       .term = s->term,
		                       .core = t->core,
		                       .metrics = s->metrics,
		                       .lost = on_lost,
		                       .ended = on_run_state,
		                       .arg = t };
	if (err == ERR_OK)
		err = writers_start(&ws, &t->writers, reterr);
	struct loader_settings ls = {
		.store = s->store, .term = s->term, .core = t->core, .ready = on_ready, .arg = t
	};
	if (err == ERR_OK)
		err = loader_start(&ls, &t->loader, reterr);
	struct core_settings cs = { .schedule = { .term = s->term, .seed = s->seed },
		                    .fleet = s->fleet,
		                    .writers = t->writers,
		                    .loader = t->loader,
		                    .metrics = s->metrics };
	if (err == ERR_OK)
		err = core_start(t->core, &cs, reterr);
	return err;
}

enum err_code term_begin(const struct term_settings *settings, struct term **ret_term, struct error *reterr)
{
	struct term *t = mem_new(1, sizeof(*t));
	t->settings = *settings;
	*ret_term = t; /* whole before any thread can call back; the caller frees it on an error too */
	return start_threads(t, reterr);
}

/* No room for these results: the session counts them as handed on, so only a new one would bring them again. */
static void turn_away(struct term *t, struct fleet_event *event)
{
	struct fleet_command *c = fleet_command_new(FLEET_CLOSE, event->worker_id);
	c->cause = REFUSE_FULL;
	if (!fleet_push(t->settings.fleet, c))
		fleet_command_free(c); /* stopping */
	fleet_event_free(event);
}

void term_deliver(struct term *t, struct fleet_event *event)
{
	if (event->kind == FLEET_RESULTS) {
		if (!writers_add_results(t->writers, event))
			turn_away(t, event);
		return;
	}
	struct core_message *m = core_message_new(CORE_FLEET);
	m->fleet = event;
	if (!core_push(t->core, m))
		core_message_free(m);
}

void term_leads(struct term *t, uint64_t until_ms)
{
	struct core_message *m = core_message_new(CORE_EVENT);
	m->ev.kind = SCHED_LEADS;
	m->ev.leads_until_ms = until_ms;
	if (!core_push(t->core, m))
		core_message_free(m);
}

void term_drain(struct term *t)
{
	struct core_message *m = core_message_new(CORE_EVENT);
	m->ev.kind = SCHED_DRAIN;
	m->ev.drain.reason = STR("the coordinator is stopping");
	if (!core_push(t->core, m))
		core_message_free(m);
}

bool term_quiet(struct term *t)
{
	return writers_idle(t->writers);
}

void term_halt(struct term *t)
{
	core_halt(t->core);
}

void term_stop_threads(struct term *t)
{
	loader_stop(t->loader);
	t->loader = NULL;
	writers_stop(t->writers);
	t->writers = NULL;
	core_free(t->core);
	t->core = NULL;
	analysis_stop(t->analysis);
	t->analysis = NULL;
}

void term_free(struct term *t)
{
	if (!t)
		return;
	term_stop_threads(t);
	mem_free(t);
}

/* ---- questions of the API ---- */

static enum err_code wait_reply(struct ring *reply, struct core_message **ret_message, struct error *reterr)
{
	void *m;
	if (ring_pop_wait(reply, &m, 1, CONTROL_WAIT_MS) == 1) {
		*ret_message = m;
		return ERR_OK;
	}
	return error_set(reterr, ERR_TIMEOUT, "the coordinator is busy or its database is away; try again");
}

/* A late answer must find no freed ring: the ring is closed, drained, and left to the process if it comes later. */
static void end_reply(struct ring *reply, bool answered)
{
	ring_close(reply);
	if (answered)
		ring_free(reply);
}

static enum err_code take_said(struct ring *reply, struct error *reterr)
{
	struct core_message *m = NULL;
	enum err_code err = wait_reply(reply, &m, reterr);
	if (err != ERR_OK) {
		end_reply(reply, false);
		return err;
	}
	check(m);
	err = m->err;
	if (err != ERR_OK && reterr)
		*reterr = m->error;
	core_message_free(m);
	end_reply(reply, true);
	return err;
}

enum err_code term_run_changed(struct term *t, uint64_t run_id, enum control_change change, struct error *reterr)
{
	struct ring *reply;
	enum err_code err = ring_new(2, &reply, reterr);
	if (err != ERR_OK)
		return err;
	if (!loader_run_changed(t->loader, run_id, change, reply)) {
		ring_free(reply);
		return error_set(reterr, ERR_AGAIN, "the coordinator has too much to read; try again");
	}
	return take_said(reply, reterr);
}

enum err_code term_routes_changed(struct term *t, struct error *reterr)
{
	struct ring *reply;
	enum err_code err = ring_new(2, &reply, reterr);
	if (err != ERR_OK)
		return err;
	if (!loader_routes_changed(t->loader, reply)) {
		ring_free(reply);
		return error_set(reterr, ERR_AGAIN, "the coordinator has too much to read; try again");
	}
	return take_said(reply, reterr);
}

static void copy_view(const struct control_view *v, struct arena *arena, struct control_view *out)
{
	*out = *v;
	out->runs = arena_new(arena, v->run_count + 1, sizeof(*out->runs));
	out->workers = arena_new(arena, v->worker_count + 1, sizeof(*out->workers));
	out->routes = arena_new(arena, v->route_count + 1, sizeof(*out->routes));
	for (size_t i = 0; i < v->run_count; i++)
		out->runs[i] = v->runs[i];
	for (size_t i = 0; i < v->worker_count; i++) {
		out->workers[i] = v->workers[i];
		out->workers[i].name = arena_str(arena, v->workers[i].name);
	}
	for (size_t i = 0; i < v->route_count; i++) {
		out->routes[i] = v->routes[i];
		out->routes[i].name = arena_str(arena, v->routes[i].name);
		out->routes[i].blocked_text = arena_str(arena, v->routes[i].blocked_text);
	}
}

enum err_code term_look(struct term *t, uint64_t run_id, struct arena *arena, struct control_view *ret_view,
                        struct error *reterr)
{
	struct ring *reply;
	struct core_message *m = core_message_new(CORE_LOOK), *answer = NULL;
	enum err_code err = ring_new(2, &reply, reterr);
	if (err != ERR_OK) {
		core_message_free(m);
		return err;
	}
	m->run_id = run_id;
	m->reply = reply;
	if (!core_push(t->core, m)) {
		core_message_free(m);
		ring_free(reply);
		return error_set(reterr, ERR_CANCELLED, "the coordinator is stopping");
	}
	err = wait_reply(reply, &answer, reterr);
	if (err == ERR_OK) {
		copy_view(&answer->view, arena, ret_view);
		core_message_free(answer);
	}
	end_reply(reply, err == ERR_OK);
	return err;
}
