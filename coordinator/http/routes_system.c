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

static void write_database(struct json_write *w, const struct store_health *h)
{
	json_write_key(w, "database");
	json_write_object(w);
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

static void write_waiting_runs(struct json_write *w, const struct control_view *v)
{
	json_write_key(w, "unfinished");
	json_write_array(w);
	for (size_t i = 0; i < v->run_count; i++) {
		json_write_object(w);
		json_write_field_i64(w, "run", (int64_t)v->runs[i].run_id);
		json_write_field_i64(w, "done", (int64_t)v->runs[i].done);
		json_write_field_i64(w, "total", (int64_t)v->runs[i].total);
		json_write_field_c(w, "waits_for", sched_wait_name(v->runs[i].wait));
		json_write_field_c(w, "text", v->runs[i].text);
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

void route_health(struct context *c)
{
	struct store_health h;
	struct control_view v = { 0 };
	struct control_state s;
	struct error e;
	enum err_code err = store_health(c->store, c->arena, &h, &e);
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
	write_database(w, &h);
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
	write_waiting_runs(w, &v);
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
	                   v && v->connected ? v->draining ? "draining" : "connected"
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

/* ---- keys: lines NAME KEY ---- */

static bool split_line(struct str line, struct str *ret_name, struct str *ret_key)
{
	struct str rest = str_trim(line);
	if (rest.len == 0 || rest.data[0] == '#' || !str_split(&rest, ' ', ret_name))
		return false;
	*ret_key = str_trim(rest);
	return true;
}

enum { KEYS_BYTES_MAX = 4 << 20 };

static bool read_keys(struct context *c, struct buf *lines)
{
	struct error e;
	buf_init(lines, KEYS_BYTES_MAX);
	if (c->control->keys_read(c->control->arg, lines, &e) == ERR_OK)
		return true;
	buf_done(lines);
	reply_error(c, &e);
	return false;
}

static void reply_keys(struct context *c, struct str lines)
{
	struct str line, name, key;
	struct json_write *w = reply_json(c, 200);
	json_write_object(w);
	json_write_field_c(w, "schema", "assay.worker-keys.v1");
	json_write_key(w, "items");
	json_write_array(w);
	while (str_split(&lines, '\n', &line)) {
		if (!split_line(line, &name, &key))
			continue;
		json_write_object(w);
		json_write_field_str(w, "name", name);
		json_write_field_str(w, "key", key);
		json_write_object_end(w);
	}
	json_write_array_end(w);
	json_write_key(w, "next");
	json_write_null(w);
	json_write_object_end(w);
}

void route_keys(struct context *c)
{
	struct buf lines;
	if (!read_keys(c, &lines))
		return;
	reply_keys(c, buf_str(&lines));
	buf_done(&lines);
}

static void write_keys(struct context *c, struct buf *lines)
{
	struct error e;
	if (c->control->keys_write(c->control->arg, buf_str(lines), &e) == ERR_OK)
		reply_keys(c, buf_str(lines));
	else
		reply_error(c, &e);
}

void route_keys_add(struct context *c)
{
	struct json_doc *doc = NULL;
	struct buf lines;
	struct error e;
	if (json_parse(c->request->body, &doc, &e) != ERR_OK) {
		reply_error(c, &e);
		return;
	}
	struct str name = json_str_or(json_get(json_root(doc), "name"), STR(""));
	struct str key = json_str_or(json_get(json_root(doc), "key"), STR(""));
	if (name.len == 0 || key.len == 0 || str_find_char(name, ' ') >= 0 || str_find_char(name, '\n') >= 0 ||
	    str_find_char(key, '\n') >= 0) {
		reply_problem(c, 422, "invalid", NULL,
		              "a key needs \"name\" (without spaces) and \"key\" (40 characters, Z85)");
	} else if (read_keys(c, &lines)) {
		if (lines.len && lines.data[lines.len - 1] != '\n')
			(void)buf_append_char(&lines, '\n');
		(void)buf_printf(&lines, "%.*s %.*s\n", STR_ARG(name), STR_ARG(key));
		if (lines.failed)
			reply_problem(c, 413, "limit", NULL, "the list of keys is full");
		else
			write_keys(c, &lines);
		buf_done(&lines);
	}
	json_free(doc);
}

void route_keys_remove(struct context *c)
{
	struct buf lines, kept;
	struct str rest, line, name, key;
	bool found = false;
	if (!read_keys(c, &lines))
		return;
	buf_init(&kept, KEYS_BYTES_MAX + 1);
	rest = buf_str(&lines);
	while (str_split(&rest, '\n', &line)) {
		if (split_line(line, &name, &key) && str_eq(name, c->match.params[0]))
			found = true;
		else if (line.len)
			(void)(buf_append_str(&kept, line) && buf_append_char(&kept, '\n'));
	}
	if (!found)
		reply_problem(c, 404, "not_found", "assay workers keys", "there is no worker key '%.*s'",
		              STR_ARG(c->match.params[0]));
	else
		write_keys(c, &kept);
	buf_done(&kept);
	buf_done(&lines);
}
