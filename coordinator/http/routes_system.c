#include "coordinator/http/context.h"
#include "coordinator/store/workers.h"

void route_version(struct context *c)
{
	struct json_write *w = reply_json(c, 200);
	json_write_object(w);
	json_write_field_c(w, "schema", "assay.version.v1");
	json_write_field_c(w, "version", ASSAY_VERSION);
	json_write_field_i64(w, "protocol", WIRE_VERSION_MAX);
	json_write_object_end(w);
}

/* `h` NULL: the database is away. */
static void write_database(struct json_write *w, const struct store_health *h, const char *text)
{
	json_write_key(w, "database");
	json_write_object(w);
	json_write_field_bool(w, "reachable", h != NULL);
	json_write_field_c(w, "text", text);
	if (!h) {
		json_write_object_end(w);
		return;
	}
	json_write_field_str(w, "server_version", h->server_version);
	json_write_field_i64(w, "schema_version", h->schema_version);
	json_write_field_i64(w, "timeline", (int64_t)h->timeline);
	json_write_field_bool(w, "in_recovery", h->in_recovery);
	json_write_field_bool(w, "synchronous", h->synchronous);
	json_write_field_i64(w, "replicas", h->replica_count);
	json_write_field_i64(w, "synchronous_replicas", h->synchronous_replica_count);
	json_write_field_i64(w, "size_bytes", h->size_bytes);
	json_write_object_end(w);
}

static void write_waiting_runs(struct json_write *w, const struct control_view *v, const struct control_state *s)
{
	json_write_key(w, "unfinished");
	json_write_array(w);
	for (size_t i = 0; i < v->run_count; i++) {
		json_write_object(w);
		json_write_field_i64(w, "run", (int64_t)v->runs[i].run_id);
		json_write_field_i64(w, "done", (int64_t)v->runs[i].done);
		json_write_field_i64(w, "total", (int64_t)v->runs[i].total);
		json_write_field_c(w, "waits_for", s->database ? sched_wait_name(v->runs[i].wait) : "database");
		json_write_field_c(w, "text", s->database ? v->runs[i].text : s->text);
		json_write_object_end(w);
	}
	json_write_array_end(w);
}

static void write_routes(struct json_write *w, const struct control_view *v)
{
	json_write_key(w, "routes");
	json_write_array(w);
	for (size_t i = 0; i < v->route_count; i++) {
		json_write_object(w);
		json_write_field_str(w, "name", v->routes[i].name);
		json_write_field_i64(w, "concurrency", v->routes[i].concurrency);
		json_write_field_i64(w, "lent", v->routes[i].told);
		json_write_field_bool(w, "blocked", v->routes[i].blocked);
		json_write_field_str(w, "why", v->routes[i].blocked_text);
		json_write_object_end(w);
	}
	json_write_array_end(w);
}

/* Without a connection (c->store NULL: the database is away) it says what the coordinator has in memory. */
void route_health(struct context *c)
{
	struct store_health h = { 0 };
	struct control_view v = { 0 };
	struct control_state s;
	struct error e;
	enum err_code err = c->store ? store_health(c->store, c->arena, &h, &e) : ERR_OK;
	if (err == ERR_OK)
		err = c->control->look(c->control->arg, 0, c->arena, &v, &e);
	if (err != ERR_OK) {
		reply_error(c, &e);
		return;
	}
	c->control->state(c->control->arg, &s);
	size_t connected = 0;
	for (size_t i = 0; i < v.worker_count; i++)
		connected += v.workers[i].connected;
	struct json_write *w = reply_json(c, 200);
	json_write_object(w);
	json_write_field_c(w, "schema", "assay.health.v1");
	json_write_field_c(w, "version", ASSAY_VERSION);
	write_database(w, c->store ? &h : NULL, s.text);
	json_write_key(w, "leader");
	json_write_object(w);
	json_write_field_i64(w, "term", (int64_t)c->term);
	json_write_field_c(w, "endpoint", s.endpoint);
	json_write_object_end(w);
	json_write_key(w, "fleet");
	json_write_object(w);
	json_write_field_i64(w, "workers", (int64_t)connected);
	json_write_field_i64(w, "refused_handshakes", (int64_t)s.refused_handshakes);
	json_write_field_i64(w, "expired", (int64_t)v.counters.expired_workers);
	json_write_field_i64(w, "quarantined", (int64_t)v.counters.quarantined);
	json_write_object_end(w);
	write_waiting_runs(w, &v, &s);
	write_routes(w, &v);
	json_write_object_end(w);
}

static const struct sched_worker_view *find_view(const struct control_view *v, struct outbox_id outbox)
{
	for (size_t i = 0; i < v->worker_count; i++)
		if (outbox_id_eq(v->workers[i].outbox, outbox))
			return &v->workers[i];
	return NULL;
}

static void write_worker(struct json_write *w, const struct worker_row *r, const struct sched_worker_view *v)
{
	json_write_object(w);
	json_write_field_str(w, "name", r->name);
	json_write_field_str(w, "build", r->build);
	json_write_field_c(w, "state",
	                   v && v->connected ? v->draining       ? "draining"
	                                       : v->outbox_fails ? "disk fails"
	                                                         : "connected"
	                   : r->gone         ? "gone"
	                                     : "away");
	json_write_field_i64(w, "slots", r->slots);
	json_write_field_i64(w, "held", v ? (int64_t)v->held : 0);
	json_write_field_i64(w, "started", v ? (int64_t)v->started : 0);
	json_write_field_num(w, "samples_per_s", v ? v->samples_per_s : 0);
	json_write_field_i64(w, "loop_lag_ms", v ? v->loop_lag_ms : 0);
	json_write_field_i64(w, "unreported_asks", (int64_t)r->lost_open);
	json_write_key(w, "abilities");
	if (r->abilities.len)
		json_write_raw(w, r->abilities);
	else
		json_write_null(w);
	context_write_time(w, "first_at", r->first_at_ms);
	context_write_time(w, "hello_at", r->hello_at_ms);
	json_write_object_end(w);
}

void route_workers(struct context *c)
{
	struct worker_row *rows = NULL;
	struct control_view v = { 0 };
	struct error e;
	size_t count = 0, limit = context_limit(c);
	if (limit == 0)
		return;
	enum err_code err = workers_list(c->store, limit, c->arena, &rows, &count, &e);
	if (err == ERR_OK)
		err = c->control->look(c->control->arg, 0, c->arena, &v, &e);
	if (err != ERR_OK) {
		reply_error(c, &e);
		return;
	}
	struct json_write *w = reply_json(c, 200);
	json_write_object(w);
	json_write_field_c(w, "schema", "assay.workers.v1");
	json_write_key(w, "items");
	json_write_array(w);
	for (size_t i = 0; i < count; i++)
		write_worker(w, &rows[i], find_view(&v, rows[i].outbox));
	json_write_array_end(w);
	json_write_key(w, "next");
	json_write_null(w);
	json_write_object_end(w);
}
