/* coordinator/http/context.h - what every route gets: the request, its answer, a connection to the database.
 *
 * A route answers with reply_json(), reply_text() or reply_error(); whatever it allocates stands in the request's
 * arena. `store` is lent for the request: a reader's for GET, a writer's with the term for the rest. */
#ifndef ASSAY_HTTP_CONTEXT_H
#define ASSAY_HTTP_CONTEXT_H

#include "common/base/json_write.h"
#include "coordinator/http/http.h"
#include "coordinator/http/router.h"
#include "coordinator/http/server.h"

struct context {
	struct server_request *request;
	struct server_response *response;
	struct router_match match;
	struct store *store;
	struct arena *arena;
	const struct control *control;
	uint64_t term;
	struct json_write json; /* writes to the response's body */
};

/* What a request is told while nobody can answer it; a problem's hint names the doctor. */
#define CONTEXT_DATABASE_AWAY "the server is up but its database is away; it goes on by itself"

typedef void route_handler(struct context *c);

/* Begins a JSON answer; the route writes one object and is done. */
struct json_write *reply_json(struct context *c, int status);
void reply_text(struct context *c, int status, const char *type, struct str text);
/* An RFC 9457 problem whose status and code follow the error's. */
void reply_error(struct context *c, const struct error *e);
void reply_problem(struct context *c, int status, const char *code, const char *hint, const char *format, ...)
	PRINTF_LIKE(5, 6);

/* True: the client prefers text (Accept: text/plain). */
bool context_wants_text(const struct context *c);
/* ?limit=, 1 to 500, default 100; answers itself and gives 0 when it is out of range. */
size_t context_limit(struct context *c);
/* The run id in the path; answers itself and gives false when it is none. */
bool context_run_id(struct context *c, size_t param, uint64_t *ret_id);

void context_write_time(struct json_write *w, const char *key, int64_t wall_ms); /* null for 0 */

/* routes_*.c */
route_handler route_version, route_health, route_workers, route_keys, route_keys_add, route_keys_remove;
route_handler route_suites_push, route_suites_list, route_suites_show, route_suites_items;
route_handler route_models_put, route_models_list, route_models_show;
route_handler route_runs_create, route_runs_list, route_runs_show, route_runs_cancel, route_runs_retry;
route_handler route_runs_report, route_runs_results, route_runs_item, route_compare;

#endif
