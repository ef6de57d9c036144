/* One ask: allowed? logged, sent, answered. */
#include "common/base/check.h"
#include "common/base/mem.h"
#include "common/io/keys.h"
#include "common/io/log.h"
#include "common/io/secrets.h"
#include "worker/net/net_state.h"
#include "worker/provider/provider_url.h"

enum {
	CONNECT_TIMEOUT_MS = 20 * 1000,
	STALL_MS = 30 * 1000,           /* a whole answer comes in one piece ... */
	STALL_STREAMED_MS = 120 * 1000, /* ... a streamed one may think in between */
	STALL_BYTES_MIN = 128,
	LOG_RETRY_MS = 1000,
	URL_BYTES_MAX = 8 << 10,
};

static void deny(struct net *n, struct net_sample *s, enum error_class class, struct str text)
{
	struct exec_event ev = { .kind = EXEC_EV_DENIED };
	ev.denied.class = class;
	ev.denied.text = text;
	net_feed(n, s, &ev);
}

static bool is_hosted(const struct net_sample *s)
{
	return exec_run_of(s->exec)->model.host_command.len > 0;
}

static enum err_code check_rules(struct net *n, const struct net_sample *s, struct str url, struct error *reterr)
{
	const struct provider_model *model = &exec_run_of(s->exec)->model;
	struct provider_url parts;
	struct str secret;
	enum err_code err = provider_url_parse(url, &parts, reterr);
	if (!err && !is_hosted(s)) /* a command was checked before its server was asked for */
		err = rules_check_host(n->options.rules, parts.host, reterr);
	if (!err)
		err = rules_secret(n->options.rules, model->key_alias, &secret, reterr);
	return err;
}

void net_ask(struct net *n, struct net_sample *s, const struct exec_action *ask)
{
	struct error error;
	if (check_rules(n, s, ask->ask.url, &error)) {
		secrets_mask_error(&error);
		deny(n, s, CLASS_NOT_ALLOWED, str_from(error.text));
		return;
	}
	s->ask = *ask; /* its texts stay until the sample's next event */
	s->pending = true;
	s->logged = false;
	mem_reserve(&n->pending, &n->pending_cap, n->pending_count + 1, sizeof(*n->pending));
	n->pending[n->pending_count++] = s->id;
}

/* ---- starting ---- */

static bool add_header(struct net *n, size_t count, const char *line)
{
	mem_reserve(&n->header_list, &n->header_cap, count + 2, sizeof(*n->header_list));
	n->header_list[count] = line;
	n->header_list[count + 1] = NULL;
	return true;
}

/* The lines that provider wrote, and the key: it exists in this buffer alone, and only while the request is made. */
static bool make_headers(struct net *n, const struct net_sample *s, struct error *reterr)
{
	const struct provider_model *model = &exec_run_of(s->exec)->model;
	struct provider_auth auth = provider_auth(model);
	struct str rest = s->ask.ask.headers, line, secret;
	size_t starts[64], count = 0;
	buf_clear(&n->headers);
	while (count + 1 < ARRAY_LEN(starts) && str_split(&rest, '\n', &line)) {
		if (line.len == 0)
			continue;
		starts[count++] = n->headers.len;
		(void)buf_append_str(&n->headers, line);  /* asked below */
		(void)buf_append_char(&n->headers, '\0'); /* as above */
	}
	if (rules_secret(n->options.rules, model->key_alias, &secret, reterr))
		return false;
	if (auth.header.len > 0 && secret.len > 0) {
		starts[count++] = n->headers.len;
		(void)buf_append_str(&n->headers, auth.header); /* as above */
		(void)buf_append_c(&n->headers, ": ");          /* as above */
		(void)buf_append_str(&n->headers, auth.prefix); /* as above */
		(void)buf_append_str(&n->headers, secret);      /* as above */
		(void)buf_append_char(&n->headers, '\0');       /* as above */
	}
	if (n->headers.failed) {
		(void)error_set(reterr, ERR_LIMIT, "the request's headers are too long"); /* false says it */
		return false;
	}
	for (size_t i = 0; i < count; i++)
		if (!add_header(n, i, n->headers.data + starts[i]))
			return false;
	return count > 0 || add_header(n, 0, NULL);
}

static enum err_code start_http(struct net *n, struct net_sample *s, struct error *reterr)
{
	struct provider_url parts;
	struct buf url;
	if (!make_headers(n, s, reterr))
		return ERR_INVALID;
	enum err_code err = provider_url_parse(s->ask.ask.url, &parts, reterr);
	if (err)
		return err;
	buf_init(&url, URL_BYTES_MAX);
	if (!buf_append_str(&url, s->ask.ask.url)) {
		buf_done(&url);
		return error_set(reterr, ERR_LIMIT, "the address is too long");
	}
	struct http_request request = {
		.url = url.data,
		.headers = n->header_list,
		.body = s->ask.ask.body,
		.connect_timeout_ms = MIN_OF((uint32_t)CONNECT_TIMEOUT_MS, s->ask.ask.timeout_ms),
		.stall_ms = exec_run_of(s->exec)->model.stream ? STALL_STREAMED_MS : STALL_MS,
		.stall_bytes_min = STALL_BYTES_MIN,
		.timeout_ms = s->ask.ask.timeout_ms,
		.response_bytes_max = RECORD_RESPONSE_BYTES_MAX,
		.refuse_private = !is_hosted(s) && !rules_private_allowed(n->options.rules, parts.host),
	};
	err = http_client_start(n->http, s->id, &request, reterr);
	buf_done(&url);
	return err;
}

static void start_one(struct net *n, struct net_sample *s)
{
	struct error error;
	s->pending = false;
	enum err_code err = start_http(n, s, &error);
	keys_wipe(n->headers.data, n->headers.len);
	buf_clear(&n->headers);
	if (err) {
		secrets_mask_error(&error);
		deny(n, s, CLASS_HARNESS, str_from(error.text));
		return;
	}
	s->in_http = true;
}

static struct net_sample *pending_at(struct net *n, size_t i)
{
	struct net_sample **s = map_get_u64(&n->samples, n->pending[i]);
	return s && (*s)->pending ? *s : NULL; /* else it was cancelled meanwhile */
}

static bool write_log(struct net *n)
{
	struct error error;
	for (size_t i = 0; i < n->pending_count; i++) {
		struct net_sample *s = pending_at(n, i);
		if (!s || s->logged)
			continue;
		s->logged = true;
		struct net_ask ask = { *exec_key(s->exec), s->ask.ask.ask_id, n->wall_ms, exec_attempt_count(s->exec) };
		n->options.ask_log.begin(n->options.ask_log.arg, &ask);
	}
	enum err_code err = n->options.ask_log.flush(n->options.ask_log.arg, &error);
	if (err && !n->log_failing)
		log_error("ask log cannot be written: nothing is asked", log_error_text(&error));
	if (!err && n->log_failing)
		log_info("ask log can be written again");
	n->log_failing = err != ERR_OK;
	n->log_retry_at_ms = n->now_ms + LOG_RETRY_MS;
	return !err;
}

void net_start_pending(struct net *n)
{
	if (n->log_failing && n->now_ms < n->log_retry_at_ms)
		return;
	if (!write_log(n)) /* ends of asks too, so also without new ones */
		return;
	size_t count = n->pending_count;
	for (size_t i = 0; i < count; i++) {
		struct net_sample *s = pending_at(n, i);
		if (s)
			start_one(n, s);
	}
	for (size_t i = count; i < n->pending_count; i++) /* those that came by while the others were denied */
		n->pending[i - count] = n->pending[i];
	n->pending_count -= count;
}

/* ---- ending ---- */

void net_cancel(struct net *n, struct net_sample *s)
{
	if (s->in_http) {
		(void)http_client_cancel(n->http, s->id); /* it comes back in any case */
		return;
	}
	s->pending = false;
	struct exec_event ev = { .kind = EXEC_EV_REPLY };
	ev.reply.reply.transport = CLASS_ABANDONED;
	ev.reply.reply.transport_text = STR("cancelled before it was sent");
	net_feed(n, s, &ev);
}

static enum error_class class_of(const struct http_done *done, bool hosted)
{
	switch (done->class) {
	case HTTP_OK:
		return CLASS_NONE;
	case HTTP_RESOLVE:
		return CLASS_RESOLVE;
	case HTTP_TLS:
		return CLASS_TLS;
	case HTTP_DENIED:
		return CLASS_NOT_ALLOWED;
	case HTTP_CONNECT:
	case HTTP_SEND:
	case HTTP_CLOSED:
	case HTTP_OTHER:
		return hosted ? CLASS_HOST_FAILED : CLASS_CONNECT;
	case HTTP_PARTIAL:
		return hosted ? CLASS_HOST_FAILED : CLASS_STALL;
	case HTTP_GARBAGE:
		return CLASS_MALFORMED;
	case HTTP_TOO_LARGE:
		return CLASS_TOO_LARGE;
	case HTTP_TIMEOUT_CONNECT:
		return hosted ? CLASS_HOST_FAILED : CLASS_CONNECT;
	case HTTP_TIMEOUT_FIRST_BYTE:
	case HTTP_TIMEOUT_TOTAL:
		return CLASS_TIMEOUT;
	case HTTP_TIMEOUT_STALL:
		return CLASS_STALL;
	case HTTP_CANCELLED:
		return CLASS_ABANDONED;
	}
	return CLASS_CONNECT;
}

/* What is to be read in the row of a failed ask: the limit is ours, so its size is said. */
static struct str text_of(const struct http_done *done)
{
	static const char too_large[] = "the answer is over 480 KiB, the most of a response that a record holds";
	_Static_assert(RECORD_RESPONSE_BYTES_MAX == 480 << 10, "the text says how much");
	return done->class == HTTP_TOO_LARGE ? str_from(too_large) : str_from(done->text);
}

static void redact(struct net *n, struct http_done *done, struct str part)
{
	for (size_t i = 0; part.len > 0 && i < n->options.rules->alias_count; i++)
		(void)provider_redact(done->memory + (part.data - done->memory), part.len,
		                      n->options.rules->aliases[i].secret); /* how often is of no use */
}

void net_answered(struct net *n, struct http_done *done)
{
	struct net_sample **found = map_get_u64(&n->samples, done->tag);
	check(found && (*found)->in_http);
	struct net_sample *s = *found;
	s->in_http = false;
	s->elapsed_ms = done->elapsed_ms;
	redact(n, done, done->headers);
	redact(n, done, done->body);
	struct exec_event ev = { .kind = EXEC_EV_REPLY };
	ev.reply.reply = (struct provider_reply){
		.transport = class_of(done, is_hosted(s)),
		.transport_text = text_of(done),
		.status = done->status,
		.headers = done->headers,
		.body = done->body,
		.at_unix_ms = n->wall_ms,
	};
	ev.reply.elapsed_ms = done->elapsed_ms;
	if (ev.reply.reply.transport ==
	    CLASS_HOST_FAILED) /* a time only where the server had the request: it may be why */
		ev.reply.elapsed_ms = done->sent ? MAX_OF(done->elapsed_ms, 1U) : 0;
	ev.reply.first_byte_ms = done->first_byte_ms;
	if (is_hosted(s))
		ev.reply.fingerprint_prefix = net_host_of(n, exec_run_of(s->exec)->model.host_command)->identity;
	net_feed(n, s, &ev);
	http_done_free(done);
}
