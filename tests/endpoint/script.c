#include "tests/endpoint/script.h"
#include "common/base/rng.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

static void respond(struct buf *out, const char *status, const char *type, const char *headers, struct str body)
{
	(void)buf_printf(out, "HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n%s\r\n", status, type,
	                 body.len, headers);
	(void)buf_append_str(out, body);
}

static void respond_json(struct buf *out, const char *status, const char *headers, const char *body)
{
	respond(out, status, "application/json", headers, str_from(body));
}

static void respond_chat(struct buf *out, bool chat, struct str model, const char *content_json, size_t asked_bytes)
{
	char text[1400];
	int len = snprintf(text, sizeof(text),
	                   "{\"id\":\"cmpl-1\",\"object\":\"%s\",\"created\":1,\"model\":\"%.*s\",\"choices\":[{"
	                   "\"index\":0,%s%s%s,"
	                   "\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":%zu,\"completion_tokens\":1,"
	                   "\"total_tokens\":%zu},\"system_fingerprint\":\"fp-tests\"}",
	                   chat ? "chat.completion" : "text_completion", STR_ARG(model),
	                   chat ? "\"message\":{\"role\":\"assistant\",\"content\":" : "\"text\":", content_json,
	                   chat ? "}" : "", asked_bytes / 4, asked_bytes / 4 + 1);
	if (len > 0 && (size_t)len < sizeof(text))
		respond(out, "200 OK", "application/json", "", (struct str){ text, (size_t)len });
}

/* The value of the first "model" member; the tests' own clients never escape it. */
static struct str model_of(struct str body)
{
	static const char mark[] = "\"model\":";
	ptrdiff_t at = str_find(body, str_from(mark));
	if (at < 0)
		return STR("none");
	struct str rest = str_trim(str_slice(body, (size_t)at + sizeof(mark) - 1, body.len));
	if (rest.len == 0 || rest.data[0] != '"')
		return STR("none");
	rest = str_slice(rest, 1, rest.len);
	ptrdiff_t end = str_find_char(rest, '"');
	return end < 0 || end > 200 ? STR("none") : str_slice(rest, 0, (size_t)end);
}

static void respond_huge(struct buf *out)
{
	enum { HUGE_BYTES = 64 << 20 };
	(void)buf_printf(out, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n",
	                 HUGE_BYTES);
	for (int i = 0; i < 1024; i++) /* the rest never comes: the client must have stopped long before */
		(void)buf_append_c(out, "                                                                ");
}

struct fault {
	const char *kind, *status, *headers, *body;
};

static const struct fault faults[] = {
	{ "400", "400 Bad Request", "", "{\"error\":{\"message\":\"bad field\",\"type\":\"invalid_request_error\"}}" },
	{ "401", "401 Unauthorized", "",
	  "{\"error\":{\"message\":\"Incorrect API key\",\"type\":\"invalid_request_error\"}}" },
	{ "404", "404 Not Found", "", "{\"error\":{\"message\":\"no such model\",\"code\":\"model_not_found\"}}" },
	{ "429", "429 Too Many Requests", "retry-after-ms: 50\r\n",
	  "{\"error\":{\"message\":\"slow down\",\"code\":\"rate_limit_exceeded\"}}" },
	{ "quota", "429 Too Many Requests", "",
	  "{\"error\":{\"message\":\"You exceeded your current quota\",\"code\":\"insufficient_quota\"}}" },
	{ "500", "500 Internal Server Error", "", "{\"error\":{\"message\":\"oops\"}}" },
	{ "context", "400 Bad Request", "",
	  "{\"error\":{\"message\":\"too long\",\"code\":\"context_length_exceeded\"}}" },
	{ "empty-choices", "200 OK", "", "{\"choices\":[],\"model\":\"bad\"}" },
	{ "cut", "200 OK", "", "{\"choices\":[{\"message\":{\"role\":\"assistant\",\"content\":\"A" },
	{ "error-inside", "200 OK", "", "{\"error\":{\"message\":\"inside a 200\",\"code\":\"server_error\"}}" },
};

static bool answer_badly(struct str kind, bool chat, struct buf *out, struct script_answer *a)
{
	for (size_t i = 0; i < ARRAY_LEN(faults); i++)
		if (str_eq_c(kind, faults[i].kind)) {
			respond_json(out, faults[i].status, faults[i].headers, faults[i].body);
			return true;
		}
	if (str_eq_c(kind, "html"))
		respond(out, "200 OK", "text/html", "", STR("<html><body>welcome to the proxy</body></html>"));
	else if (str_eq_c(kind, "nul"))
		respond_chat(out, chat, STR("bad-nul"), "\"A\\u0000B\"", 0);
	else if (str_eq_c(kind, "half-pair"))
		respond_chat(out, chat, STR("bad-half-pair"), "\"A \\ud83d\"", 0);
	else if (str_eq_c(kind, "bytes"))
		respond_chat(out, chat, STR("bad-bytes"), "\"A \xff\xfe\"", 0);
	else if (str_eq_c(kind, "huge"))
		respond_huge(out);
	else if (str_eq_c(kind, "drip"))
		a->way = SCRIPT_DRIP;
	else if (str_eq_c(kind, "close"))
		a->way = SCRIPT_CLOSE;
	else if (str_eq_c(kind, "hang"))
		a->way = SCRIPT_HANG;
	else
		return false;
	if (a->way == SCRIPT_DRIP)
		respond_chat(out, chat, STR("bad-drip"), "\"A\"", 0);
	return true;
}

/* "[[X]]" anywhere in the request makes X the answer; else a letter drawn from the body. */
static void answer_text(struct str body, uint64_t body_hash, char out[80])
{
	ptrdiff_t from = str_find(body, STR("[["));
	struct str rest = from < 0 ? (struct str){ 0 } : str_slice(body, (size_t)from + 2, body.len);
	ptrdiff_t len = str_find(rest, STR("]]"));
	if (from >= 0 && len >= 0 && len < 60)
		(void)snprintf(out, 80, "\"%.*s\"", (int)len, rest.data);
	else
		(void)snprintf(out, 80, "\"%c\"", (char)('A' + (int)(rng_mix(body_hash) % 8)));
}

static double lognormal(const struct script *s, struct rng *r)
{
	double u = rng_unit(r), v = rng_unit(r);
	double z = sqrt(-2 * log(1 - u)) * cos(6.283185307179586 * v);
	return s->latency_ms * exp(s->sigma * z);
}

struct script_answer script_answer(const struct script *s, struct str path, struct str body, uint64_t body_hash,
                                   uint32_t times_seen, struct buf *out)
{
	struct script_answer a = { .way = SCRIPT_SEND };
	bool chat = !str_ends(path, STR("/completions")) || str_ends(path, STR("/chat/completions"));
	struct str model = model_of(body);
	struct rng r;
	rng_seed(&r, s->seed ^ rng_mix(body_hash) ^ rng_mix(times_seen + 1));
	a.delay_ms = s->latency_ms > 0 ? lognormal(s, &r) : 0;

	if (str_starts(model, STR("bad-")) && answer_badly(str_slice(model, 4, model.len), chat, out, &a)) {
		a.failed = true;
		return a;
	}
	double draw = rng_unit(&r);
	if (draw < s->error_share) {
		a.failed = true;
		respond_json(out, "500 Internal Server Error", "", "{\"error\":{\"message\":\"drawn by the seed\"}}");
	} else if (draw < s->error_share + s->rate_limit_share) {
		char header[64];
		a.failed = a.rate_limited = true;
		(void)snprintf(header, sizeof(header), "retry-after-ms: %lld\r\n", (long long)s->retry_after_ms);
		respond_json(out, "429 Too Many Requests", header,
		             "{\"error\":{\"message\":\"drawn by the seed\",\"code\":\"rate_limit_exceeded\"}}");
	} else {
		char text[80];
		a.paid = true;
		answer_text(body, body_hash, text);
		respond_chat(out, chat, model, text, body.len);
	}
	return a;
}
