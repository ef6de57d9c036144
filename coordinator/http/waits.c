#include "coordinator/http/waits.h"
#include "common/io/clock.h"
#include "coordinator/store/items.h"

static void write_wait(struct json_write *w, const char *cause, const char *text, uint64_t oldest_ms)
{
	json_write_object(w);
	json_write_field_c(w, "cause", cause);
	json_write_field_c(w, "text", text);
	json_write_field_i64(w, "oldest_ms", (int64_t)oldest_ms);
	json_write_object_end(w);
}

static void write_view(struct json_write *w, const struct sched_run_view *v)
{
	char text[sizeof(v->text) + 60];
	bool old = v->wait == WAIT_IN_FLIGHT && v->oldest_in_flight_ms >= WAITS_STRAGGLER_MS;
	(void)snprintf(text, sizeof(text), "%s", v->text);
	if (old)
		(void)snprintf(text, sizeof(text), "%s, %s%llu s", v->text,
		               v->in_flight == 1 ? "for " : "the oldest for ",
		               (unsigned long long)(v->oldest_in_flight_ms / 1000));
	write_wait(w, sched_wait_name(v->wait), text, v->oldest_in_flight_ms);
}

void waits_write(struct json_write *w, const struct run_row *row, const struct sched_run_view *view,
                 const struct control_state *state)
{
	bool ended = run_state_ended(row->state);
	json_write_key(w, "waiting_for");
	json_write_array(w);
	if (!state->database && (view || !ended))
		write_wait(w, "database", state->text[0] ? state->text : "its database is away", 0);
	if (view && view->wait != WAIT_NOTHING)
		write_view(w, view);
	else if (!view && !ended)
		write_wait(w, "not_taken_in", "the coordinator has not taken it in yet", 0);
	json_write_array_end(w);
}

void waits_write_stragglers(struct context *c, struct json_write *w, const struct run_row *row,
                            const struct sched_run_view *view)
{
	json_write_key(w, "stragglers");
	json_write_array(w);
	for (size_t i = 0; view && i < view->straggler_count; i++) {
		const struct sched_straggler *s = &view->stragglers[i];
		struct item_row *item = NULL;
		size_t count = 0;
		if (s->age_ms < WAITS_STRAGGLER_MS || view->suite_items == 0)
			continue;
		uint64_t item_no = s->sample_no % view->suite_items;
		bool known = items_heads(c->store, row->suite_version_id, (uint32_t)item_no, 1, c->arena, &item, &count,
		                         NULL) == ERR_OK &&
		             count == 1;
		json_write_object(w);
		json_write_key(w, "item");
		json_write_str(w, known ? item->id : arena_printf(c->arena, "%llu", (unsigned long long)item_no));
		json_write_field_i64(w, "epoch", (int64_t)(s->sample_no / view->suite_items));
		json_write_field_i64(w, "age_ms", (int64_t)s->age_ms);
		json_write_field_c(w, "worker", s->worker);
		json_write_field_bool(w, "started", s->started);
		json_write_object_end(w);
	}
	json_write_array_end(w);
}

void waits_metrics_init(struct waits_metrics *m, struct metrics *metrics)
{
	static const struct metrics_spec runs = { .kind = METRICS_GAUGE,
		                                  .name = "assay_runs_waiting",
		                                  .help = "Unfinished runs by what they wait for",
		                                  .labels = { "cause" } };
	static const struct metrics_spec routes = { .kind = METRICS_GAUGE,
		                                    .name = "assay_routes",
		                                    .help = "Routes to models: open, paused or blocked",
		                                    .labels = { "state" } };
	static const struct metrics_spec oldest = { .kind = METRICS_GAUGE,
		                                    .name = "assay_oldest_sample_seconds",
		                                    .help = "For how long the oldest sample is with a worker" };
	static const struct metrics_spec database = { .kind = METRICS_GAUGE,
		                                      .name = "assay_database_reachable",
		                                      .help = "1 while the database answers" };
	m->runs = metrics_family(metrics, &runs);
	m->routes = metrics_family(metrics, &routes);
	m->oldest = metrics_one(metrics, &oldest);
	m->database = metrics_one(metrics, &database);
}

static void show(struct metrics_family *f, const char *label, uint64_t value)
{
	struct str labels[METRICS_LABELS_MAX] = { str_from(label) };
	metrics_set(metrics_series(f, labels), (double)value);
}

void waits_metrics_show(struct waits_metrics *m, const struct control *control, struct arena *arena)
{
	enum { OPEN, PAUSED, BLOCKED, STATE_COUNT };
	static const char *const states[] = { "open", "paused", "blocked" };
	uint64_t runs[WAIT_COUNT] = { 0 }, routes[STATE_COUNT] = { 0 }, waiting_for_database = 0, oldest_ms = 0;
	struct control_state s;
	struct control_view v = { 0 };
	control->state(control->arg, &s);
	if (!s.leading || control->look(control->arg, 0, arena, &v, NULL) != ERR_OK)
		v = (struct control_view){ 0 }; /* a standby has no runs */
	for (size_t i = 0; i < v.run_count; i++) {
		if (s.database)
			runs[v.runs[i].wait]++;
		else
			waiting_for_database++;
		oldest_ms = MAX_OF(oldest_ms, v.runs[i].oldest_in_flight_ms);
	}
	uint64_t now = clock_now_ms();
	for (size_t i = 0; i < v.route_count; i++)
		routes[v.routes[i].blocked ? BLOCKED : v.routes[i].paused_until_ms > now ? PAUSED : OPEN]++;
	for (size_t i = 0; i < WAIT_COUNT; i++)
		show(m->runs, sched_wait_name((enum sched_wait)i), runs[i]);
	show(m->runs, "database", waiting_for_database);
	for (size_t i = 0; i < STATE_COUNT; i++)
		show(m->routes, states[i], routes[i]);
	metrics_set(m->oldest, (double)oldest_ms / 1000);
	metrics_set(m->database, s.database);
}
