#include "common/io/clock.h"
#include "coordinator/http/context.h"
#include <stdarg.h>

struct json_write *reply_json(struct context *c, int status)
{
	c->response->status = status;
	c->response->type = "application/json";
	buf_clear(&c->response->body); /* an error may come after an answer was begun */
	json_write_init(&c->json, &c->response->body, false);
	return &c->json;
}

void reply_text(struct context *c, int status, const char *type, struct str text)
{
	c->response->status = status;
	c->response->type = type;
	buf_clear(&c->response->body);
	if (!buf_append_str(&c->response->body, text))
		c->response->status = 500;
}

static const char *title_of(const char *code)
{
	static const char *const titles[][2] = { { "invalid", "Not valid" },       { "not_found", "Not found" },
		                                 { "conflict", "Conflict" },       { "unauthorised", "No access" },
		                                 { "unavailable", "Unavailable" }, { "too_large", "Too large" },
		                                 { "limit", "Over a limit" } };
	for (size_t i = 0; i < ARRAY_LEN(titles); i++)
		if (str_eq_c(str_from(code), titles[i][0]))
			return titles[i][1];
	return "Failure";
}

void reply_problem(struct context *c, int status, const char *code, const char *hint, const char *format, ...)
{
	va_list args;
	struct buf detail;
	buf_init(&detail, 64 << 10);
	va_start(args, format);
	bool whole = buf_vprintf(&detail, format, args);
	va_end(args);
	struct json_write *w = reply_json(c, status);
	c->response->type = "application/problem+json";
	json_write_object(w);
	json_write_key(w, "type");
	json_write_str(w, arena_printf(c->arena, "https://assay.invalid/problems/%s", code));
	json_write_field_c(w, "title", title_of(code));
	json_write_field_i64(w, "status", status);
	json_write_field_c(w, "code", code);
	json_write_field_str(w, "detail", whole ? buf_str(&detail) : STR("(too long to tell)"));
	if (hint)
		json_write_field_c(w, "hint", hint);
	json_write_object_end(w);
	buf_done(&detail);
}

void reply_error(struct context *c, const struct error *e)
{
	switch (e->code) {
	case ERR_INVALID:
	case ERR_UNSUPPORTED:
		reply_problem(c, 422, "invalid", NULL, "%s", e->text);
		return;
	case ERR_NOT_FOUND:
		reply_problem(c, 404, "not_found", NULL, "%s", e->text);
		return;
	case ERR_CONFLICT:
		reply_problem(c, 409, "conflict", NULL, "%s", e->text);
		return;
	case ERR_LIMIT:
		reply_problem(c, 413, "limit", NULL, "%s", e->text);
		return;
	case ERR_DENIED:
		reply_problem(c, 403, "unauthorised", NULL, "%s", e->text);
		return;
	case ERR_CONNECT: /* nothing but the database is asked by a request */
		c->response->retry_after = "1";
		reply_problem(c, 503, "unavailable", "assay doctor", CONTEXT_DATABASE_AWAY " (%s)", e->text);
		return;
	case ERR_AGAIN:
	case ERR_TIMEOUT:
		c->response->retry_after = "1";
		reply_problem(c, 503, "unavailable", "try again in a moment; `assay doctor` says what is wrong", "%s",
		              e->text);
		return;
	default:
		reply_problem(c, 500, "failure", NULL, "%s", e->text);
	}
}

bool context_wants_text(const struct context *c)
{
	return str_find(server_header(c->request, "Accept"), STR("text/plain")) >= 0;
}

size_t context_limit(struct context *c)
{
	enum { LIMIT_DEFAULT = 100, LIMIT_MAX = 500 };
	struct str text = server_query(c->request, "limit");
	uint64_t limit = LIMIT_DEFAULT;
	if (text.len && (!str_to_u64(text, &limit) || limit == 0 || limit > LIMIT_MAX)) {
		reply_problem(c, 422, "invalid", NULL, "limit must be a whole number from 1 to %d, not '%.*s'",
		              LIMIT_MAX, STR_ARG(text));
		return 0;
	}
	return (size_t)limit;
}

bool context_run_id(struct context *c, size_t param, uint64_t *ret_id)
{
	if (router_id(c->match.params[param], ret_id))
		return true;
	reply_problem(c, 404, "not_found", "assay runs list", "there is no run '%.*s'",
	              STR_ARG(c->match.params[param]));
	return false;
}

void context_write_time(struct json_write *w, const char *key, int64_t wall_ms)
{
	char text[CLOCK_TEXT_BYTES];
	json_write_key(w, key);
	if (wall_ms == 0) {
		json_write_null(w);
		return;
	}
	clock_text(wall_ms, text);
	json_write_c(w, text);
}
