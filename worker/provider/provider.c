#include "worker/provider/provider.h"
#include "common/base/check.h"
#include "worker/provider/provider_api.h"
#include "worker/provider/provider_url.h"
#include "worker/provider/sse.h"
#include <stdio.h>
#include <string.h>

static const struct provider_api *const apis[] = { &provider_api_openai, &provider_api_openai_completions };

const char *provider_name(size_t i)
{
	return i < ARRAY_LEN(apis) ? apis[i]->name : NULL;
}

static const struct provider_api *find_api(const struct provider_model *m)
{
	for (size_t i = 0; i < ARRAY_LEN(apis); i++)
		if (str_eq_c(m->provider, apis[i]->name))
			return apis[i];
	check_msg(false, "provider '%.*s' did not come from provider_model_parse()", STR_ARG(m->provider));
	return NULL;
}

const char *provider_stop_name(enum provider_stop stop)
{
	static const char *const names[] = { "unknown",          "stop",  "length", "tool_call", "refusal_or_filter",
		                             "context_overflow", "pause", "error" };
	return (size_t)stop < ARRAY_LEN(names) ? names[stop] : "unknown";
}

struct provider_auth provider_auth(const struct provider_model *m)
{
	const struct provider_api *api = find_api(m);
	if (m->key_alias.len == 0)
		return (struct provider_auth){ .header = { NULL, 0 } };
	return (struct provider_auth){ str_from(api->auth_header), str_from(api->auth_prefix) };
}

/* ---- request ---- */

static const char *max_tokens_field(const struct provider_model *m, const struct provider_url *u)
{
	if (m->max_tokens_field.len)
		return m->max_tokens_field.data;
	bool is_openai = u->host.len == 14 && strncasecmp(u->host.data, "api.openai.com", 14) == 0;
	return is_openai ? "max_completion_tokens" : "max_tokens";
}

enum err_code provider_request_build(const struct provider_model *m, const struct provider_prompt *prompt,
                                     struct str base_url, struct buf *ret_url, struct buf *ret_headers,
                                     struct buf *ret_body, struct error *reterr)
{
	const struct provider_api *api = find_api(m);
	struct provider_url u = { 0 };
	if (prompt->message_count == 0)
		return error_set(reterr, ERR_INVALID, "the prompt has no message");
	struct str base = base_url.len ? base_url : m->base_url;
	if (base.len == 0)
		return error_set(reterr, ERR_INVALID, "model '%.*s' is hosted and its server has no address",
		                 STR_ARG(m->name));
	enum err_code err = provider_url_parse(base, &u, reterr);
	if (!err)
		err = provider_url_join(base, str_from(api->version), str_from(api->endpoint), ret_url, reterr);
	if (err)
		return error_wrap(reterr, err, "model '%.*s'", STR_ARG(m->name));
	buf_append_c(ret_headers, "Content-Type: application/json\n");
	buf_append_c(ret_headers, m->stream ? "Accept: text/event-stream\n" : "Accept: application/json\n");
	if (ret_headers->failed)
		return error_set(reterr, ERR_LIMIT, "headers are over %zu bytes", ret_headers->max);
	struct provider_params params = provider_params_merge(&prompt->params, &m->params);
	return api->body(m, prompt, &params, max_tokens_field(m, &u), ret_body, reterr);
}

/* ---- reply ---- */

static struct str keep_message(const struct provider_fault *f, struct arena *a)
{
	char text[PROVIDER_ERROR_TEXT_BYTES_MAX + 1];
	struct str kept;
	struct str message = str_make(f->message, f->message_len);
	struct str name = f->code.len ? str_make(f->code.text, f->code.len) : str_make(f->type.text, f->type.len);
	if (message.len == 0)
		message = name.len ? name : STR("an error without words");
	size_t len = provider_reply_printable(message, text, PROVIDER_ERROR_TEXT_BYTES_MAX);
	len = provider_reply_mask(text, len);
	return provider_reply_keep(a, str_make(text, len), &kept) ? kept : STR("the answer does not fit in memory");
}

static enum retry_rule retry_of(enum error_class class, struct str headers)
{
	enum retry_rule rule = error_class_retry(class);
	struct str word;
	if (class == CLASS_QUOTA || !provider_reply_header(headers, "x-should-retry", &word))
		return rule;
	if (str_eq_c(word, "false"))
		return RETRY_NONE;
	return str_eq_c(word, "true") && rule == RETRY_NONE ? RETRY_LATER : rule;
}

static void set_fault(const struct provider_reply *reply, const struct provider_fault *f, enum error_class class,
                      struct arena *a, struct provider_answer *answer)
{
	answer->answered = false;
	answer->error_class = class;
	answer->error_text = keep_message(f, a);
	answer->retry = retry_of(class, reply->headers);
	answer->retry_after_ms =
		provider_reply_retry_after_ms(reply->headers, reply->at_unix_ms, PROVIDER_RETRY_AFTER_MS_MAX);
}

/* The provider's filter stopped the prompt: that is what a user would get, so it is an answer and not a failure. */
static void set_filtered(struct provider_answer *answer)
{
	answer->answered = true;
	answer->text = STR("");
	answer->stop = PROVIDER_STOP_FILTER;
	answer->stop_raw = STR("content_filter");
	answer->flags |= FLAG_FILTERED | FLAG_EMPTY;
}

static void say_redirect(const struct provider_reply *reply, struct provider_fault *f)
{
	char text[400];
	struct str place = { NULL, 0 };
	if (provider_reply_header(reply->headers, "location", &place)) {
		ptrdiff_t query = str_find_char(place, '?'); /* what follows may be a token */
		place = str_slice(place, 0, MIN_OF(query < 0 ? place.len : (size_t)query, 300));
	}
	int len = snprintf(text, sizeof(text), "HTTP %d: redirects are not followed (to '%.*s')", reply->status,
	                   STR_ARG(place));
	provider_fault_say(f, str_make(text, MIN_OF((size_t)len, sizeof(text) - 1)));
}

static void read_failure(const struct provider_api *api, const struct provider_reply *reply, struct str body,
                         struct arena *a, struct provider_answer *answer)
{
	struct provider_fault f = { .status = reply->status };
	if (reply->status >= 300) { /* the status says more than the way in which the rest was lost */
		if (reply->status < 400)
			say_redirect(reply, &f);
		api->fault(body, reply->status, &f);
		if (f.filtered) {
			set_filtered(answer);
			return;
		}
		set_fault(reply, &f, provider_fault_class(&f), a, answer);
		return;
	}
	provider_fault_say(&f, reply->transport_text.len ? reply->transport_text : STR("the reply did not arrive"));
	set_fault(reply, &f, reply->transport == CLASS_NONE ? CLASS_MALFORMED : reply->transport, a, answer);
}

static bool is_stream(const struct provider_reply *reply, struct str body)
{
	struct str type;
	if (provider_reply_header(reply->headers, "content-type", &type) && type.len >= 17 &&
	    strncasecmp(type.data, "text/event-stream", 17) == 0)
		return true;
	return sse_is_stream(body);
}

static void read_body(const struct provider_api *api, const struct provider_reply *reply, struct str body,
                      struct arena *a, struct provider_answer *answer)
{
	struct provider_fault f = { .status = reply->status };
	if (reply->transport != CLASS_NONE || reply->status < 200 || reply->status >= 300) {
		read_failure(api, reply, body, a, answer);
	} else if (api->read(body, is_stream(reply, body), a, answer, &f)) {
		answer->answered = true;
	} else if (f.filtered) {
		set_filtered(answer);
	} else {
		set_fault(reply, &f, provider_fault_class(&f), a, answer);
	}
}

void provider_response_read(const struct provider_model *m, const struct provider_reply *reply, struct arena *a,
                            struct provider_answer *ret_answer)
{
	struct provider_answer answer = {
		.usage = { -1, -1, -1, -1 },
		.retry_after_ms = -1,
	};
	struct buf repaired;
	struct str id;
	/* A broken byte becomes three, a half surrogate's escape shrinks. */
	buf_init(&repaired, reply->body.len * 3 + 16);
	if (json_repair(reply->body, &repaired, &answer.repairs)) {
		if (answer.repairs)
			answer.flags |= FLAG_REPAIRED;
		read_body(find_api(m), reply, buf_str(&repaired), a, &answer);
	} else {
		struct provider_fault f = { .status = reply->status };
		provider_fault_say(&f, STR("the answer does not fit in memory"));
		set_fault(reply, &f, CLASS_TOO_LARGE, a, &answer);
	}
	buf_done(&repaired);
	if (provider_reply_header(reply->headers, "x-request-id", &id) && id.len)
		(void)provider_reply_keep_word(a, id, &answer.request_id); /* an id is not worth an error */
	*ret_answer = answer;
}

/* ---- secrets ---- */

size_t provider_body_excerpt(struct str body, char *out, size_t cap)
{
	enum { SHORTEST_KEY = 12 };
	size_t len = provider_reply_printable(body, out, cap), word = 0;
	while (body.len > cap && word < SHORTEST_KEY && word < len && out[len - word - 1] > ' ' &&
	       out[len - word - 1] < 0x7f)
		word++; /* the beginning of a key that the cut left too short to be known as one */
	return provider_reply_mask(out, len - word);
}

static int hex_digit(char c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10
	                              : -1;
}

/* One character at s, read through JSON's escapes of printable ASCII; its length in the text. */
static size_t unescape(struct str s, char *ret_c)
{
	*ret_c = s.data[0];
	if (s.data[0] != '\\' || s.len < 2)
		return 1;
	if (s.data[1] != 'u') {
		*ret_c = s.data[1];
		return 2;
	}
	if (s.len < 6 || s.data[2] != '0' || s.data[3] != '0' || hex_digit(s.data[4]) < 0 || hex_digit(s.data[5]) < 0)
		return 1;
	*ret_c = (char)(hex_digit(s.data[4]) * 16 + hex_digit(s.data[5]));
	return 6;
}

/* How many bytes at the start of s spell the secret, as it is or escaped; 0: none. */
static size_t spelled(struct str s, struct str secret)
{
	size_t at = 0;
	if (str_starts(s, secret))
		return secret.len;
	for (size_t i = 0; i < secret.len; i++) {
		char c;
		if (at >= s.len)
			return 0;
		at += unescape(str_slice(s, at, s.len), &c);
		if (c != secret.data[i])
			return 0;
	}
	return at;
}

size_t provider_redact(char *data, size_t len, struct str secret)
{
	enum { SHORTEST_SECRET = 4 };
	size_t count = 0;
	if (secret.len < SHORTEST_SECRET)
		return 0;
	for (size_t i = 0; i < len; i++) {
		if (data[i] != secret.data[0] && data[i] != '\\')
			continue;
		size_t hit = spelled(str_make(data + i, len - i), secret);
		if (hit == 0)
			continue;
		memset(data + i, '*', hit);
		count++;
		i += hit - 1;
	}
	return count;
}
