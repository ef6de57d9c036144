#include "coordinator/http/http.h"
#include "common/base/mem.h"
#include "common/io/clock.h"
#include "common/io/keys.h"
#include "common/io/log.h"
#include "common/io/ring.h"
#include "coordinator/http/context.h"
#include "coordinator/http/waits.h"
#include <stdatomic.h>
#include <string.h>

enum {
	THREADS = 4,
	CONNECTIONS_MAX = 1000,
	IDLE_S = 60,
	SMALL_BODY_BYTES = 1 << 20,
	BUNDLE_BYTES_MAX = 256 << 20,
	READ_MS = 10000 /* of one statement: a stopped database holds a request up for no longer */
};

struct http {
	struct http_settings settings;
	struct server *server;
	struct ring *readers; /* struct store *, at rest; a request takes one and gives it back */
	struct ring *writers; /* the same with the term; empty until we lead */
	_Atomic uint64_t term;
	unsigned threads;
	struct metrics_family *requests;
	struct waits_metrics waits;
};

struct route {
	const char *method, *pattern;
	route_handler *handler;
	size_t body_bytes_max;
};

static const struct route routes[] = {
	{ "GET", "/api/v1/health", route_health, 0 },
	{ "POST", "/api/v1/suites", route_suites_push, BUNDLE_BYTES_MAX },
	{ "GET", "/api/v1/suites", route_suites_list, 0 },
	{ "GET", "/api/v1/suites/{name}", route_suites_show, 0 },
	{ "GET", "/api/v1/suites/{name}/items", route_suites_items, 0 },
	{ "POST", "/api/v1/models", route_models_put, SMALL_BODY_BYTES },
	{ "GET", "/api/v1/models", route_models_list, 0 },
	{ "GET", "/api/v1/models/{name}", route_models_show, 0 },
	{ "POST", "/api/v1/runs", route_runs_create, SMALL_BODY_BYTES },
	{ "GET", "/api/v1/runs", route_runs_list, 0 },
	{ "GET", "/api/v1/runs/{id}", route_runs_show, 0 },
	{ "POST", "/api/v1/runs/{id}/cancel", route_runs_cancel, SMALL_BODY_BYTES },
	{ "POST", "/api/v1/runs/{id}/retry", route_runs_retry, SMALL_BODY_BYTES },
	{ "GET", "/api/v1/runs/{id}/report", route_runs_report, 0 },
	{ "GET", "/api/v1/runs/{id}/results", route_runs_results, 0 },
	{ "GET", "/api/v1/runs/{id}/items/{item}", route_runs_item, 0 },
	{ "GET", "/api/v1/compare", route_compare, 0 },
	{ "GET", "/api/v1/workers", route_workers, 0 },
	{ "GET", "/api/v1/workers/keys", route_keys, 0 },
	{ "POST", "/api/v1/workers/keys", route_keys_add, SMALL_BODY_BYTES },
	{ "DELETE", "/api/v1/workers/keys/{name}", route_keys_remove, 0 },
};

/* ---- what needs no token ---- */

static void ready(struct context *c)
{
	struct control_state s;
	c->control->state(c->control->arg, &s);
	bool is_ready = s.leading && s.database && !s.draining;
	size_t workers = 0;
	struct control_view v;
	if (is_ready && c->control->look(c->control->arg, 0, c->arena, &v, NULL) == ERR_OK)
		for (size_t i = 0; i < v.worker_count; i++)
			workers += v.workers[i].connected;
	struct json_write *w = reply_json(c, is_ready ? 200 : 503);
	json_write_object(w);
	json_write_field_bool(w, "ready", is_ready);
	json_write_field_i64(w, "workers", (int64_t)workers);
	json_write_key(w, "why");
	json_write_array(w);
	if (!s.leading || !s.database)
		json_write_c(w, s.text[0] ? s.text : "not leading");
	if (s.draining)
		json_write_c(w, "stopping");
	json_write_array_end(w);
	json_write_object_end(w);
}

static bool answer_open(struct http *h, struct context *c)
{
	struct str path = c->request->path;
	if (strcmp(c->request->method, "GET") != 0)
		return false;
	if (str_eq_c(path, "/healthz")) {
		reply_text(c, 200, "text/plain", STR("ok\n"));
	} else if (str_eq_c(path, "/readyz")) {
		ready(c);
	} else if (str_eq_c(path, "/version")) {
		route_version(c);
	} else if (str_eq_c(path, "/metrics")) {
		c->response->status = 200;
		c->response->type = "text/plain; version=0.0.4";
		waits_metrics_show(&h->waits, c->control, c->arena);
		if (!metrics_text(c->control->metrics, &c->response->body))
			c->response->status = 500;
	} else {
		return false;
	}
	return true;
}

/* ---- the rest ---- */

static bool authorised(const struct http *h, const struct server_request *request)
{
	struct str header = server_header(request, "Authorization");
	if (!str_starts(header, STR("Bearer ")))
		return false;
	struct hash hash = keys_token_hash(str_slice(header, 7, header.len));
	return keys_equal(str_make(hash.bytes, sizeof(hash.bytes)),
	                  str_make(h->settings.token_hash.bytes, sizeof(h->settings.token_hash.bytes)));
}

static const struct route *find_route(const struct server_request *request, struct router_match *ret_match,
                                      bool *ret_known_path)
{
	const struct route *found = NULL;
	*ret_known_path = false;
	for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
		struct router_match m;
		if (!router_matches(routes[i].pattern, request->path, &m))
			continue;
		*ret_known_path = true;
		if (strcmp(routes[i].method, request->method) != 0)
			continue;
		if (!found || m.count < ret_match->count) { /* "/workers/keys" before "/workers/{name}" */
			found = &routes[i];
			*ret_match = m;
		}
	}
	return found;
}

static void answer_standby(struct context *c)
{
	struct control_state s;
	c->control->state(c->control->arg, &s);
	c->response->retry_after = "1";
	c->response->type = "application/problem+json";
	struct json_write *w = reply_json(c, 503);
	c->response->type = "application/problem+json";
	json_write_object(w);
	json_write_field_c(w, "type", "https://assay.invalid/problems/standby");
	json_write_field_c(w, "title", "Standing by");
	json_write_field_i64(w, "status", 503);
	json_write_field_c(w, "code", "standby");
	json_write_field_c(
		w, "detail",
		s.leader_url[0] ? "this coordinator stands by; another one leads"
		: s.leading     ? "the server is up but no connection to its database is free; it goes on by itself"
		: s.database    ? "the server is up and takes over as the leader in a few seconds; it goes on by itself"
		: s.text[0]     ? arena_printf(c->arena, CONTEXT_DATABASE_AWAY " (%s)", s.text).data
				: "the server has just started and connects to its database; it goes on by itself");
	json_write_field_c(w, "hint", "assay doctor");
	json_write_key(w, "leader");
	json_write_c(w, s.leader_url[0] ? s.leader_url : NULL);
	json_write_object_end(w);
}

/* What is known without the database is said without it. True: answered. */
static bool answer_without_database(struct context *c, const struct route *route)
{
	struct control_state s;
	c->control->state(c->control->arg, &s);
	if (s.database || !s.leading)
		return false;
	if (route->handler == route_health) {
		route_health(c);
		return true;
	}
	c->response->retry_after = "1";
	reply_problem(c, 503, "unavailable", "assay doctor", CONTEXT_DATABASE_AWAY "%s%s%s", s.text[0] ? " (" : "",
	              s.text, s.text[0] ? ")" : "");
	return true;
}

static void run_route(struct http *h, struct context *c, const struct route *route)
{
	if (answer_without_database(c, route))
		return;
	bool reads = strcmp(route->method, "GET") == 0;
	struct ring *pool = reads ? h->readers : h->writers;
	void *store;
	if (ring_pop_wait(pool, &store, 1, CONTROL_WAIT_MS) != 1) {
		answer_standby(c);
		return;
	}
	c->store = store;
	store_use_team(c->store, STORE_TEAM_DEFAULT);
	route->handler(c);
	if (!ring_try_push(pool, store)) /* as large as the number of stores: only a closed ring refuses */
		store_close(store);
}

static void handle(void *arg, struct server_request *request, struct server_response *response)
{
	struct http *h = arg;
	uint64_t from_us = clock_now_us();
	bool known_path = false;
	struct context c = { .request = request,
		             .response = response,
		             .arena = request->arena,
		             .control = h->settings.control,
		             .term = atomic_load(&h->term) };
	json_write_init(&c.json, &response->body, false);
	const struct route *route = find_route(request, &c.match, &known_path);
	if (answer_open(h, &c)) {
		/* answered */
	} else if (!authorised(h, request)) {
		reply_problem(&c, 401, "unauthorised", "send Authorization: Bearer and the token of this installation",
		              "no valid token came with the request");
	} else if (!route && known_path) {
		reply_problem(&c, 405, "invalid", NULL, "%s is not a method of %.*s", request->method,
		              STR_ARG(request->path));
	} else if (!route) {
		reply_problem(&c, 404, "not_found", NULL, "there is nothing at %.*s", STR_ARG(request->path));
	} else if (request->too_large) {
		reply_problem(&c, 413, "too_large", NULL, "the body of this request may have at most %zu bytes",
		              route->body_bytes_max);
	} else if (c.term == 0) {
		answer_standby(&c);
	} else {
		run_route(h, &c, route);
	}
	char status[8];
	(void)snprintf(status, sizeof(status), "%d", response->status);
	struct str labels[METRICS_LABELS_MAX] = { str_from(route ? route->pattern : "other"), str_from(status) };
	metrics_add(metrics_series(h->requests, labels), 1);
	log_debug("request", log_c("method", request->method), log_str("path", request->path),
	          log_i64("status", response->status), log_u64("us", clock_now_us() - from_us));
}

/* Nothing is kept of a request that will be turned away: the token comes before the body. */
static size_t body_bytes_max(void *arg, const struct server_request *head)
{
	bool known_path;
	struct router_match match;
	const struct route *route = find_route(head, &match, &known_path);
	return route && authorised(arg, head) ? route->body_bytes_max : 0;
}

/* ---- start and stop ---- */

static enum err_code fill_pool(struct http *h, struct ring *pool, enum store_role role, uint64_t term,
                               struct error *reterr)
{
	for (unsigned i = 0; i < h->threads; i++) {
		struct store *s;
		enum err_code err = store_open(&h->settings.store, role, term, &s, reterr);
		if (err != ERR_OK)
			return err;
		if (!ring_try_push(pool, s))
			store_close(s);
	}
	return ERR_OK;
}

void http_lead(struct http *h, uint64_t term)
{
	struct error e;
	if (term && fill_pool(h, h->writers, STORE_WRITER, term, &e) != ERR_OK)
		log_error("no connection for writes of the API", log_error_text(&e));
	atomic_store(&h->term, term);
}

static void empty_pool(struct ring *pool)
{
	void *store;
	if (!pool)
		return;
	ring_close(pool);
	while (ring_pop_all(pool, &store, 1) == 1)
		store_close(store);
	ring_free(pool);
}

enum err_code http_start(const struct http_settings *settings, struct http **ret_http, struct error *reterr)
{
	static const struct metrics_spec spec = { .name = "assay_http_requests_total",
		                                  .help = "Requests of the API",
		                                  .labels = { "route", "status" },
		                                  .series_max = 256 };
	struct http *h = mem_new(1, sizeof(*h));
	h->settings = *settings;
	h->settings.store.read_timeout_ms = READ_MS;
	h->threads = settings->threads ? settings->threads : THREADS;
	h->requests = metrics_family(settings->control->metrics, &spec);
	waits_metrics_init(&h->waits, settings->control->metrics);
	enum err_code err = ring_new(h->threads, &h->readers, reterr);
	if (err == ERR_OK)
		err = ring_new(h->threads, &h->writers, reterr);
	if (err == ERR_OK)
		err = fill_pool(h, h->readers, STORE_READER, 0, reterr);
	struct server_settings s = { .listen = settings->listen,
		                     .threads = h->threads,
		                     .connections_max = CONNECTIONS_MAX,
		                     .idle_s = IDLE_S,
		                     .body_bytes_max = body_bytes_max,
		                     .handle = handle,
		                     .arg = h };
	if (err == ERR_OK)
		err = server_start(&s, &h->server, reterr);
	if (err != ERR_OK) {
		http_stop(h);
		return err;
	}
	*ret_http = h;
	return ERR_OK;
}

void http_stop(struct http *h)
{
	if (!h)
		return;
	server_stop(h->server);
	empty_pool(h->readers);
	empty_pool(h->writers);
	mem_free(h);
}

uint16_t http_port(const struct http *h)
{
	return server_port(h->server);
}
