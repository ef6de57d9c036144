/* HTTP without a socket, and a coordinator that says yes or no; see played.h. */
#include "common/base/check.h"
#include "common/base/json.h"
#include "common/base/json_write.h"
#include "common/base/mem.h"
#include "common/io/keys.h"
#include "common/io/log.h"
#include "coordinator/http/http.h"
#include "coordinator/http/server.h"
#include "tests/fuzz/played.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ARENA_BYTES = 256 << 20, REPLY_BYTES_MAX = 64 << 20, TARGET_BYTES_MAX = 4096 };

struct server {
	struct server_settings settings;
};

static struct server *running;
static bool control_fails;

/* ---- server.h ---- */

enum err_code server_start(const struct server_settings *settings, struct server **ret_server, struct error *reterr)
{
	(void)reterr;
	running = mem_new(1, sizeof(*running));
	running->settings = *settings;
	*ret_server = running;
	return ERR_OK;
}

void server_stop(struct server *s)
{
	mem_free(s);
}

uint16_t server_port(const struct server *s)
{
	(void)s;
	return 1;
}

struct parsed { /* what MHD would have made of a request */
	const struct played_request *request;
	struct arena *arena;
	struct str query;
};

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decoded, cut at a NUL, as a C string. */
static struct str decoded(struct arena *arena, struct str s)
{
	char *out = arena_new(arena, s.len + 1, 1);
	size_t n = 0;
	for (size_t i = 0; i < s.len; i++) {
		bool is_coded = s.data[i] == '%' && i + 2 < s.len && hex(s.data[i + 1]) >= 0 && hex(s.data[i + 2]) >= 0;
		out[n++] = is_coded           ? (char)(hex(s.data[i + 1]) * 16 + hex(s.data[i + 2]))
		           : s.data[i] == '+' ? ' '
		                              : s.data[i];
		i += is_coded ? 2 : 0;
	}
	return str_from(out);
}

struct str server_query(const struct server_request *r, const char *name)
{
	const struct parsed *p = r->connection;
	struct str rest = p->query, part;
	while (str_split(&rest, '&', &part)) {
		ptrdiff_t equals = str_find_char(part, '=');
		if (equals >= 0 && str_eq_c(decoded(p->arena, str_slice(part, 0, (size_t)equals)), name))
			return decoded(p->arena, str_slice(part, (size_t)equals + 1, part.len));
	}
	return (struct str){ 0 };
}

struct str server_header(const struct server_request *r, const char *name)
{
	const struct parsed *p = r->connection;
	struct str rest = p->request->headers, line;
	while (str_split(&rest, '\n', &line)) {
		ptrdiff_t colon = str_find_char(line, ':');
		if (colon >= 0 && str_eq_c(str_slice(line, 0, (size_t)colon), name))
			return arena_str(p->arena, str_trim(str_slice(line, (size_t)colon + 1, line.len)));
	}
	return (struct str){ 0 };
}

/* ---- control.h ---- */

static enum err_code yes_or_no(struct error *reterr)
{
	return control_fails ? error_set(reterr, ERR_TIMEOUT, "the schedule does not answer") : ERR_OK;
}

static enum err_code run_changed(void *arg, uint64_t run_id, enum control_change change, struct error *reterr)
{
	(void)arg, (void)run_id, (void)change;
	return yes_or_no(reterr);
}

static enum err_code routes_changed(void *arg, struct error *reterr)
{
	(void)arg;
	return yes_or_no(reterr);
}

static enum err_code look(void *arg, uint64_t run_id, struct arena *arena, struct control_view *ret_view,
                          struct error *reterr)
{
	(void)arg;
	*ret_view = (struct control_view){ .run_count = 1, .worker_count = run_id ? 0 : 1, .route_count = 1 };
	ret_view->runs = arena_new(arena, 1, sizeof(*ret_view->runs));
	ret_view->runs[0] = (struct sched_run_view){ .run_id = run_id ? run_id : 1, .total = 10, .text = "waits" };
	ret_view->workers = arena_new(arena, 1, sizeof(*ret_view->workers));
	ret_view->workers[0] = (struct sched_worker_view){ .name = STR_INIT("w"), .connected = true };
	ret_view->routes = arena_new(arena, 1, sizeof(*ret_view->routes));
	ret_view->routes[0].name = STR("r");
	return yes_or_no(reterr);
}

static void state(void *arg, struct control_state *ret_state)
{
	(void)arg;
	*ret_state = (struct control_state){ .leading = !control_fails, .database = true, .term = 1 };
}

static enum err_code keys_read(void *arg, struct buf *out, struct error *reterr)
{
	(void)arg;
	check(buf_append_c(out, "worker-1 rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7\n"));
	return yes_or_no(reterr);
}

static enum err_code keys_write(void *arg, struct str lines, struct error *reterr)
{
	(void)arg, (void)lines;
	return yes_or_no(reterr);
}

/* A column of type jsonb holds JSON, which the fuzzer does not know: what is none becomes null. */
void __real_json_write_raw(struct json_write *w, struct str json);
void __wrap_json_write_raw(struct json_write *w, struct str json);

void __wrap_json_write_raw(struct json_write *w, struct str json)
{
	struct json_doc *doc;
	bool is_json = json_parse(json, &doc, NULL) == ERR_OK;
	if (is_json)
		json_free(doc);
	__real_json_write_raw(w, is_json ? json : STR("null"));
}

/* ---- requests ---- */

static struct http *the_api(void)
{
	static struct control control = { .run_changed = run_changed,
		                          .routes_changed = routes_changed,
		                          .look = look,
		                          .state = state,
		                          .keys_read = keys_read,
		                          .keys_write = keys_write };
	static struct http *http;
	struct error e;
	if (http)
		return http;
	json_start();
	check_msg(keys_init(&e) == ERR_OK && log_setup(STR("error"), &e) == ERR_OK, "%s", e.text);
	control.metrics = metrics_new();
	struct http_settings s = { .listen = "127.0.0.1:1",
		                   .token_hash = keys_token_hash(STR(PLAYED_TOKEN)),
		                   .store = { .dsn = "" },
		                   .control = &control,
		                   .threads = 1 };
	check_msg(http_start(&s, &http, &e) == ERR_OK, "%s", e.text);
	return http;
}

static void serve(const struct played_request *request, struct parsed *p, struct played_reply *reply)
{
	struct str target = str_slice(request->target, 0, TARGET_BYTES_MAX);
	ptrdiff_t question = str_find_char(target, '?');
	struct server_request r = { .method = arena_c_str(p->arena, request->method),
		                    .arena = p->arena,
		                    .connection = p };
	p->query = question < 0 ? STR("") : str_slice(target, (size_t)question + 1, target.len);
	r.path = decoded(p->arena, question < 0 ? target : str_slice(target, 0, (size_t)question));
	size_t body_bytes_max = running->settings.body_bytes_max(running->settings.arg, &r);
	r.too_large = request->body.len > body_bytes_max;
	r.body = r.too_large ? STR("") : request->body;
	struct server_response response = { .status = 500, .type = "application/json" };
	buf_init(&response.body, REPLY_BYTES_MAX);
	running->settings.handle(running->settings.arg, &r, &response);
	*reply = (struct played_reply){ response.status, str_from(response.type), response.body };
}

void played_ask(const struct played_request *request, struct played_reply *ret_reply)
{
	struct arena arena;
	struct parsed p = { .request = request, .arena = &arena };
	control_fails = request->control_fails;
	http_lead(the_api(), request->leading ? 1 : 0);
	arena_init(&arena, ARENA_BYTES);
	serve(request, &p, ret_reply);
	arena_done(&arena);
}

void played_check(const struct played_request *request, const struct played_reply *reply)
{
	struct json_doc *doc;
	struct error e;
	bool is_problem = str_eq_c(reply->type, "application/problem+json");
	if (getenv("PLAYED_SHOW")) /* for whoever writes seeds */
		(void)fprintf(stderr, "%d %.*s\n", reply->status, STR_ARG(buf_str(&reply->body)));
	check_msg(reply->status >= 200 && reply->status < 600, "status %d", reply->status);
	check(is_problem == (reply->status >= 400) || !str_starts(request->target, STR("/api/")));
	if (!is_problem && !str_starts(reply->type, STR("application/json")))
		return;
	check_msg(json_parse(buf_str(&reply->body), &doc, &e) == ERR_OK, "%s in %.*s", e.text,
	          STR_ARG(str_slice(buf_str(&reply->body), 0, 2000)));
	if (is_problem) {
		check(json_i64_or(json_get(json_root(doc), "status"), 0) == reply->status);
		check(json_str_or(json_get(json_root(doc), "code"), STR("")).len > 0);
	}
	json_free(doc);
}
