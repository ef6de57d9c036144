/* Goal: every reply, however broken, becomes an answer or a typed error, and the right one. */
#include "common/base/mem.h"
#include "tests/support/cmocka_all.h"
#include "tests/unit/provider/render.h"
#include <stdio.h>

struct fixture {
	struct arena arena;
	struct buf line;
};

static int setup(void **state)
{
	static struct fixture f;
	arena_init(&f.arena, 1 << 20);
	buf_init(&f.line, 1 << 16);
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	arena_done(&f->arena);
	buf_done(&f->line);
	return 0;
}

struct reply_case {
	int status;
	const char *headers, *body, *want;
};

static void expect(struct fixture *f, const char *provider, const struct provider_reply *reply, const char *want,
                   size_t row)
{
	struct provider_model m = render_model(provider);
	struct provider_answer a;
	memset(&a, 0xAA, sizeof(a));
	arena_reset(&f->arena);
	provider_response_read(&m, reply, &f->arena, &a);
	render_answer(&a, &f->line);
	if (!str_eq_c(buf_str(&f->line), want))
		fail_msg("row %zu, body %.*s\n  gave  %s\n  want  %s", row, STR_ARG(reply->body), f->line.data, want);
}

static void expect_rows(struct fixture *f, const char *provider, const struct reply_case *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct provider_reply reply = {
			.status = rows[i].status,
			.headers = str_from(rows[i].headers),
			.body = str_from(rows[i].body),
		};
		expect(f, provider, &reply, rows[i].want, i);
	}
}

#define CHOICE(inside) "{\"choices\":[{" inside "}]}"
#define SAID(text) "\"message\":{\"role\":\"assistant\",\"content\":\"" text "\"}"
#define FINISH(reason) "\"finish_reason\":\"" reason "\""

static void answers_are_read(void **state)
{
	static const struct reply_case rows[] = {
		{ 200, "HTTP/1.1 200 OK\r\nx-request-id: req-1\r\n\r\n",
		  "{\"id\":\"c-1\",\"model\":\"m-2\",\"system_fingerprint\":\"fp9\",\"choices\":[{\"index\":0," SAID(
			  "Paris") "," FINISH("stop") "}],\"usage\":{\"prompt_tokens\":12,\"completion_tokens\":3,"
		                                      "\"total_tokens\":15,\"prompt_tokens_details\":{\"cached_"
		                                      "tokens\":8},"
		                                      "\"completion_tokens_details\":{\"reasoning_tokens\":2}}}",
		  "ok 'Paris' stop/stop in=12 cached=8 out=3 reasoning=2 model=m-2 fp=fp9 id=req-1" },
		{ 200, "", "{\"id\":\"c-1\",\"choices\":[{" SAID("x") "," FINISH("stop") "}]}",
		  "ok 'x' stop/stop id=c-1" },
		{ 201, "", CHOICE(SAID("x") "," FINISH("stop")), "ok 'x' stop/stop" },
		{ 200, "", CHOICE(SAID("half") "," FINISH("length")), "ok 'half' length/length truncated" },
		{ 200, "", CHOICE(SAID("half") "," FINISH("max_tokens")), "ok 'half' length/max_tokens truncated" },
		{ 200, "", CHOICE(SAID("x") "," FINISH("model_length")),
		  "ok 'x' context_overflow/model_length truncated" },
		{ 200, "", CHOICE(SAID("") "," FINISH("stop")), "ok '' stop/stop empty" },
		{ 200, "", CHOICE(SAID(" \\n") "," FINISH("stop")), "ok ' \n' stop/stop empty" },
		{ 200, "", CHOICE("\"message\":{\"content\":null}," FINISH("stop")), "ok '' stop/stop empty" },
		{ 200, "", CHOICE("\"message\":{}," FINISH("length")), "ok '' length/length truncated empty" },
		{ 200, "", CHOICE(SAID("") "," FINISH("content_filter")),
		  "ok '' refusal_or_filter/content_filter empty filtered" },
		{ 200, "", CHOICE(SAID("par") "," FINISH("content_filter")),
		  "ok 'par' refusal_or_filter/content_filter filtered" },
		{ 200, "", CHOICE("\"message\":{\"content\":null,\"refusal\":\"I cannot help.\"}," FINISH("stop")),
		  "ok 'I cannot help.' stop/stop refused" },
		{ 200, "", CHOICE("\"message\":{\"content\":\"x\",\"refusal\":null}," FINISH("stop")),
		  "ok 'x' stop/stop" },
		{ 200, "",
		  CHOICE("\"message\":{\"content\":null,\"tool_calls\":[{\"id\":\"1\"}]}," FINISH("tool_calls")),
		  "ok '' tool_call/tool_calls empty" },
		{ 200, "", CHOICE("\"message\":{\"content\":null,\"tool_calls\":[{\"id\":\"1\"}]}"),
		  "ok '' unknown/ empty" },
		{ 200, "", CHOICE("\"message\":{\"function_call\":{}}," FINISH("function_call")),
		  "ok '' tool_call/function_call empty" },
		{ 200, "", CHOICE(SAID("x")), "ok 'x' unknown/" },
		{ 200, "", CHOICE(SAID("x") ",\"finish_reason\":null"), "ok 'x' unknown/" },
		{ 200, "", CHOICE(SAID("x") ",\"finish_reason\":7"), "ok 'x' unknown/" },
		{ 200, "", CHOICE(SAID("x") "," FINISH("banana")), "ok 'x' unknown/banana" },
		{ 200, "", CHOICE(SAID("x") "," FINISH("eos")), "ok 'x' stop/eos" },
		{ 200, "", CHOICE(SAID("x") "," FINISH("pause")), "ok 'x' pause/pause" },
		{ 200, "",
		  CHOICE("\"message\":{\"content\":[{\"type\":\"text\",\"text\":\"a\"},{\"type\":\"image\"},"
		         "{\"type\":\"text\",\"text\":\"b\"}]}," FINISH("stop")),
		  "ok 'ab' stop/stop" },
		{ 200, "", CHOICE("\"message\":{\"content\":[]}," FINISH("stop")), "ok '' stop/stop empty" },
		{ 200, "", "{\"choices\":[{" SAID("first") "," FINISH("stop") "},{" SAID("second") "}]}",
		  "ok 'first' stop/stop" },
		{ 200, "", CHOICE("\"message\":{\"content\":\"x\",\"reasoning_content\":\"hm\"}," FINISH("stop")),
		  "ok 'x' stop/stop thought='hm'" },
		{ 200, "", CHOICE("\"message\":{\"content\":\"x\",\"reasoning\":\"hm\"}," FINISH("stop")),
		  "ok 'x' stop/stop thought='hm'" },
		{ 200, "", CHOICE(SAID("<think>\\nhm\\n</think>\\n\\nx") "," FINISH("stop")),
		  "ok 'x' stop/stop thought='hm'" },
		{ 200, "", CHOICE(SAID("hm</think> x") "," FINISH("stop")), "ok 'x' stop/stop thought='hm'" },
		{ 200, "", CHOICE(SAID("<think>and on and") "," FINISH("length")),
		  "ok '' length/length truncated empty thought='and on and'" },
		{ 200, "", CHOICE(SAID("use <think>x</think> tags") "," FINISH("stop")),
		  "ok 'use <think>x</think> tags' stop/stop" },
		{ 200, "", "{\"error\":null,\"choices\":[{" SAID("x") "," FINISH("stop") "}]}", "ok 'x' stop/stop" },
		{ 200, "", "{\"error\":\"\",\"choices\":[{" SAID("x") "," FINISH("stop") "}]}", "ok 'x' stop/stop" },
		{ 200, "",
		  "{\"usage\":{\"prompt_tokens\":-4,\"completion_tokens\":\"3\",\"prompt_cache_hit_tokens\":5},"
		  "\"model\":7,\"system_fingerprint\":null,\"choices\":[{" SAID("x") "," FINISH("stop") "}]}",
		  "ok 'x' stop/stop cached=5" },
		{ 200, "", "{\"usage\":[],\"choices\":[{" SAID("x") "," FINISH("stop") "}]}", "ok 'x' stop/stop" },
		{ 200, "", CHOICE(SAID("\\ud83d end") "," FINISH("stop")), "ok '\xEF\xBF\xBD end' stop/stop repaired" },
		{ 200, "",
		  CHOICE(SAID("b\xFF"
		              "d") "," FINISH("stop")),
		  "ok 'b\xEF\xBF\xBD"
		  "d' stop/stop repaired" },
		{ 200, "", CHOICE(SAID("\\ud83d\\ude00") "," FINISH("stop")), "ok '\xF0\x9F\x98\x80' stop/stop" },
		{ 200, "", "\n\n " CHOICE(SAID("x") "," FINISH("stop")) "\r\n", "ok 'x' stop/stop" },
	};
	expect_rows(*state, "openai", rows, ARRAY_LEN(rows));
}

static void what_is_no_answer_is_malformed(void **state)
{
	static const struct reply_case rows[] = {
		{ 200, "", "", "malformed later 'empty body'" },
		{ 200, "", "  \n", "malformed later 'empty body'" },
		{ 204, "", "", "malformed later 'empty body'" },
		{ 200, "", "OK", "malformed later '2 bytes that are not JSON: 'OK''" },
		{ 200, "", "<html><head><title>Just a moment...</title></head></html>",
		  "malformed later 'an HTML page instead of JSON: 'Just a moment...''" },
		{ 200, "", "<!DOCTYPE html>", "malformed later 'an HTML page instead of JSON: '<!DOCTYPE html>''" },
		{ 200, "", "<html><title>never closed",
		  "malformed later 'an HTML page instead of JSON: '<html><title>never closed''" },
		{ 200, "", "7", "malformed later 'the answer is JSON, but not an object'" },
		{ 200, "", "[]", "malformed later 'the answer is JSON, but not an object'" },
		{ 200, "", "\"Paris\"", "malformed later 'the answer is JSON, but not an object'" },
		{ 200, "", "{}", "malformed later 'the answer has no choices'" },
		{ 200, "", "{\"choices\":[]}", "malformed later 'the answer has no choices'" },
		{ 200, "", "{\"choices\":{}}", "malformed later 'the answer has no choices'" },
		{ 200, "", "{\"choices\":{\"0\":{}}}", "malformed later 'the answer has no choices'" },
		{ 200, "", "{\"choices\":\"x\"}", "malformed later 'the answer has no choices'" },
		{ 200, "", "{\"choices\":[null]}", "malformed later 'choices[0] is not an object'" },
		{ 200, "", "{\"choices\":[\"x\"]}", "malformed later 'choices[0] is not an object'" },
		{ 200, "", CHOICE(""), "malformed later 'the answer has neither content nor a finish reason'" },
		{ 200, "", CHOICE("\"message\":\"x\""),
		  "malformed later 'the answer has neither content nor a finish reason'" },
		{ 200, "", CHOICE("\"message\":{\"content\":null}"),
		  "malformed later 'the answer has neither content nor a finish reason'" },
		{ 200, "", CHOICE("\"message\":{\"content\":42}," FINISH("stop")),
		  "malformed later 'the answer's content is neither text nor parts'" },
		{ 200, "", CHOICE("\"message\":{\"content\":{\"text\":\"x\"}}," FINISH("stop")),
		  "malformed later 'the answer's content is neither text nor parts'" },
		{ 200, "", "{\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":0},\"model\":\"m\",\"choices\":[]}",
		  "malformed later 'the answer has no choices' in=5 out=0 model=m" },
		{ 0, "", "", "malformed later 'the reply did not arrive'" },
		{ 100, "", "", "malformed later 'the reply did not arrive'" },
	};
	expect_rows(*state, "openai", rows, ARRAY_LEN(rows));
}

#define ERROR(inside) "{\"error\":{" inside "}}"

static void cut_json_says_where_it_was_cut(void **state)
{
	struct fixture *f = *state;
	struct provider_model m = render_model("openai");
	static const char *const bodies[] = { "{\"choices\":", "[{\"error\":" };
	for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
		struct provider_reply reply = { .status = 200, .body = str_from(bodies[i]) };
		struct provider_answer a;
		provider_response_read(&m, &reply, &f->arena, &a);
		assert_int_equal(a.error_class, CLASS_MALFORMED);
		assert_true(str_starts(a.error_text, STR("line 1, column ")));
	}
}

static void errors_have_their_class(void **state)
{
	static const struct reply_case rows[] = {
		{ 400, "", ERROR("\"message\":\"bad temperature\",\"type\":\"invalid_request_error\",\"code\":null"),
		  "bad_request final 'bad temperature'" },
		{ 422, "", "{\"detail\":[{\"loc\":[\"body\"],\"msg\":\"field required\"}]}",
		  "bad_request final '{\"detail\":[{\"loc\":[\"body\"],\"msg\":\"field required\"}]}'" },
		{ 422, "", "{\"detail\":\"no\"}", "bad_request final 'no'" },
		{ 400, "", ERROR("\"message\":\"too long\",\"code\":\"context_length_exceeded\""),
		  "context_overflow final 'too long'" },
		{ 400, "",
		  "{\"object\":\"error\",\"message\":\"This model's maximum context length is 4096 tokens.\","
		  "\"type\":\"BadRequestError\",\"code\":400}",
		  "context_overflow final 'This model's maximum context length is 4096 tokens.'" },
		{ 400, "",
		  ERROR("\"code\":400,\"message\":\"the request exceeds the available context size\","
		        "\"type\":\"exceed_context_size_error\",\"n_ctx\":2048"),
		  "context_overflow final 'the request exceeds the available context size'" },
		{ 500, "", ERROR("\"message\":\"the request exceeds the available context size. try larger\""),
		  "context_overflow final 'the request exceeds the available context size. try larger'" },
		{ 413, "", ERROR("\"message\":\"prompt is too long: 9 tokens\""),
		  "context_overflow final 'prompt is too long: 9 tokens'" },
		{ 413, "", "<html><title>413 Request Entity Too Large</title>",
		  "too_large final 'an HTML page instead of JSON: '413 Request Entity Too Large''" },
		{ 401, "",
		  ERROR("\"message\":\"Incorrect API key provided: sk-proj-abcdefghijkl. See "
		        "docs.\",\"code\":\"invalid_"
		        "api_key\""),
		  "auth final 'Incorrect API key provided: sk-*** See docs.'" },
		{ 401, "", ERROR("\"message\":\"the context window is closed to you\""),
		  "auth final 'the context window is closed to you'" },
		{ 403, "", "{\"message\":\"Forbidden\"}", "auth final 'Forbidden'" },
		{ 407, "", "", "auth final 'empty body'" },
		{ 402, "", ERROR("\"message\":\"Insufficient Balance\""), "quota final 'Insufficient Balance'" },
		{ 404, "", ERROR("\"message\":\"The model `x` does not exist\",\"code\":\"model_not_found\""),
		  "not_found final 'The model `x` does not exist'" },
		{ 404, "", "404 page not found", "not_found final '18 bytes that are not JSON: '404 page not found''" },
		{ 410, "", ERROR("\"message\":\"gone\""), "not_found final 'gone'" },
		{ 405, "", ERROR("\"message\":\"method\""), "bad_request final 'method'" },
		{ 408, "", ERROR("\"message\":\"slow\""), "server later 'slow'" },
		{ 409, "", ERROR("\"message\":\"conflict\""), "server later 'conflict'" },
		{ 425, "", "", "server later 'empty body'" },
		{ 429, "", ERROR("\"message\":\"Rate limit reached\",\"code\":\"rate_limit_exceeded\""),
		  "rate_limited paced 'Rate limit reached'" },
		{ 429, "", ERROR("\"message\":\"You exceeded your current quota\",\"code\":\"insufficient_quota\""),
		  "quota final 'You exceeded your current quota'" },
		{ 429, "", ERROR("\"message\":\"x\",\"type\":\"insufficient_quota\",\"code\":null"),
		  "quota final 'x'" },
		{ 429, "", ERROR("\"message\":\"x\",\"code\":\"billing_hard_limit_reached\""), "quota final 'x'" },
		{ 429, "",
		  "[{\"error\":{\"code\":429,\"message\":\"You exceeded your current quota\","
		  "\"status\":\"RESOURCE_EXHAUSTED\"}}]",
		  "rate_limited paced 'You exceeded your current quota'" },
		{ 429, "", ERROR("\"message\":\"maximum context length in tokens per minute\""),
		  "rate_limited paced 'maximum context length in tokens per minute'" },
		{ 429, "", "<html><title>Too Many</title></html>",
		  "rate_limited paced 'an HTML page instead of JSON: 'Too Many''" },
		{ 429, "", "", "rate_limited paced 'empty body'" },
		{ 500, "", ERROR("\"message\":\"oops\",\"type\":\"server_error\""), "server later 'oops'" },
		{ 500, "", ERROR("\"message\":\"see the context window docs\""),
		  "server later 'see the context window docs'" },
		{ 502, "", "<html><head><title>502 Bad Gateway</title></head>",
		  "server later 'an HTML page instead of JSON: '502 Bad Gateway''" },
		{ 503, "", ERROR("\"message\":\"Service Unavailable\""), "server later 'Service Unavailable'" },
		{ 503, "", ERROR("\"code\":503,\"message\":\"Loading model\",\"type\":\"unavailable_error\""),
		  "overloaded later 'Loading model'" },
		{ 503, "", ERROR("\"message\":\"The engine is currently overloaded\""),
		  "overloaded later 'The engine is currently overloaded'" },
		{ 504, "", "upstream timeout", "server later '16 bytes that are not JSON: 'upstream timeout''" },
		{ 520, "", "", "server later 'empty body'" },
		{ 529, "", ERROR("\"type\":\"overloaded_error\",\"message\":\"Overloaded\""),
		  "overloaded later 'Overloaded'" },
		{ 599, "", "", "server later 'empty body'" },
		{ 501, "", "", "bad_request final 'empty body'" },
		{ 505, "", "", "bad_request final 'empty body'" },
		{ 301, "HTTP/1.1 301 Moved\r\nLocation: https://other.example/v1?token=abc\r\n", "",
		  "not_found final 'HTTP 301: redirects are not followed (to 'https://other.example/v1')'" },
		{ 307, "", "", "not_found final 'HTTP 307: redirects are not followed (to '')'" },
		{ 500, "", "{\"error\":\"plain words\"}", "server later 'plain words'" },
		{ 500, "", "{\"error\":{}}", "server later '{\"error\":{}}'" },
		{ 500, "", "{\"error\":{\"message\":\"line\\nbreak\\u0000\\u001b[2J\"}}",
		  "server later 'line break  [2J'" },
		{ 500, "", "{\"error\":{\"message\":{\"deep\":1}}}",
		  "server later '{\"error\":{\"message\":{\"deep\":1}}}'" },
		{ 400, "", ERROR("\"message\":\"m\",\"code\":429"), "bad_request final 'm'" },
		{ 500, "",
		  "{\"error\":{\"message\":", "server later '20 bytes that are not JSON: '{\"error\":{\"message\":''" },
	};
	expect_rows(*state, "openai", rows, ARRAY_LEN(rows));
}

static void errors_inside_a_200_have_their_class(void **state)
{
	static const struct reply_case rows[] = {
		{ 200, "", ERROR("\"message\":\"upstream\",\"code\":502"), "server later 'upstream'" },
		{ 200, "", ERROR("\"message\":\"no\",\"code\":400"), "bad_request final 'no'" },
		{ 200, "", ERROR("\"message\":\"no\",\"code\":599"), "server later 'no'" },
		{ 200, "", ERROR("\"message\":\"no\",\"code\":600"), "server later 'no'" },
		{ 200, "", ERROR("\"message\":\"slow\",\"code\":429"), "rate_limited paced 'slow'" },
		{ 200, "", ERROR("\"message\":\"slow\",\"code\":\"429\""), "rate_limited paced 'slow'" },
		{ 200, "", ERROR("\"message\":\"slow\",\"code\":\"rate_limit_exceeded\""),
		  "rate_limited paced 'slow'" },
		{ 200, "", ERROR("\"message\":\"pay\",\"code\":\"insufficient_quota\""), "quota final 'pay'" },
		{ 200, "", ERROR("\"message\":\"no\",\"type\":\"authentication_error\""), "auth final 'no'" },
		{ 200, "", ERROR("\"message\":\"no\",\"code\":\"model_not_found\""), "not_found final 'no'" },
		{ 200, "", ERROR("\"message\":\"no\",\"type\":\"overloaded_error\""), "overloaded later 'no'" },
		{ 200, "", ERROR("\"message\":\"no\",\"type\":\"invalid_request_error\""), "bad_request final 'no'" },
		{ 200, "", ERROR("\"message\":\"long\",\"code\":\"context_length_exceeded\""),
		  "context_overflow final 'long'" },
		{ 200, "", ERROR("\"message\":\"what\""), "server later 'what'" },
		{ 200, "", ERROR("\"message\":\"what\",\"code\":7"), "server later 'what'" },
		{ 200, "", ERROR("\"code\":\"rate_limit\""), "rate_limited paced 'rate_limit'" },
		{ 200, "", ERROR("\"type\":\"t\""), "server later 't'" },
		{ 200, "", ERROR(""), "server later 'an error without words'" },
		{ 200, "", "{\"error\":\"model is gone\"}", "server later 'model is gone'" },
		{ 200, "", "{\"error\":{\"message\":\"late\"},\"choices\":[{" SAID("x") "," FINISH("stop") "}]}",
		  "server later 'late'" },
		{ 200, "", CHOICE("\"error\":{\"code\":502,\"message\":\"broke\"}," SAID("par") "," FINISH("error")),
		  "server later 'broke'" },
		{ 200, "", CHOICE(SAID("par") "," FINISH("error")),
		  "server later 'the provider broke the answer off'" },
		{ 200, "", CHOICE(SAID("par") "," FINISH("abort")),
		  "server later 'the provider broke the answer off'" },
		{ 200, "", CHOICE(SAID("par") "," FINISH("insufficient_system_resource")),
		  "overloaded later 'the provider broke the answer off'" },
	};
	expect_rows(*state, "openai", rows, ARRAY_LEN(rows));
}

static void a_filtered_prompt_is_an_answer(void **state)
{
	static const struct reply_case rows[] = {
		{ 400, "", ERROR("\"message\":\"blocked\",\"code\":\"content_filter\""),
		  "ok '' refusal_or_filter/content_filter empty filtered" },
		{ 400, "",
		  ERROR("\"message\":\"b\",\"code\":null,\"innererror\":{\"code\":\"ResponsibleAIPolicyViolation\"}"),
		  "ok '' refusal_or_filter/content_filter empty filtered" },
		{ 403, "", ERROR("\"code\":403,\"message\":\"flagged\",\"metadata\":{\"flagged_input\":\"...\"}"),
		  "ok '' refusal_or_filter/content_filter empty filtered" },
		{ 200, "", ERROR("\"message\":\"b\",\"code\":\"content_policy_violation\""),
		  "ok '' refusal_or_filter/content_filter empty filtered" },
		{ 500, "", ERROR("\"message\":\"filter is down\",\"code\":\"content_filter\""),
		  "server later 'filter is down'" },
	};
	expect_rows(*state, "openai", rows, ARRAY_LEN(rows));
}

static void waiting_times_are_obeyed(void **state)
{
#define SLOW ERROR("\"message\":\"s\",\"code\":\"rate_limit_exceeded\"")
	static const struct reply_case rows[] = {
		{ 429, "Retry-After: 3\r\n", SLOW, "rate_limited paced wait=3000 's'" },
		{ 429, "retry-after: 0.5", SLOW, "rate_limited paced wait=500 's'" },
		{ 429, "retry-after: 3\r\nretry-after-ms: 250\r\n", SLOW, "rate_limited paced wait=250 's'" },
		{ 429, "retry-after-ms: soon\r\nRETRY-AFTER:  4 \r\n", SLOW, "rate_limited paced wait=4000 's'" },
		{ 429, "Retry-After: -5\r\n", SLOW, "rate_limited paced wait=0 's'" },
		{ 429, "Retry-After: 999999999\r\n", SLOW, "rate_limited paced wait=86400000 's'" },
		{ 429, "Retry-After: 1e300\r\n", SLOW, "rate_limited paced wait=86400000 's'" },
		{ 429, "Retry-After: soon\r\n", SLOW, "rate_limited paced 's'" },
		{ 429, "Retry-After:\r\n", SLOW, "rate_limited paced 's'" },
		{ 429, "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\nRetry-After: Sun, 06 Nov 1994 08:49:57 GMT\r\n", SLOW,
		  "rate_limited paced wait=20000 's'" },
		{ 429, "Date: Wed, 28 Feb 2024 23:59:59 GMT\r\nRetry-After: Thu, 29 Feb 2024 00:00:01 GMT\r\n", SLOW,
		  "rate_limited paced wait=2000 's'" },
		{ 429, "Date: Sun, 31 Dec 2023 23:59:59 GMT\r\nRetry-After: Mon, 01 Jan 2024 00:00:00 GMT\r\n", SLOW,
		  "rate_limited paced wait=1000 's'" },
		{ 429, "Date: Sun, 06 Nov 1994 08:49:57 GMT\r\nRetry-After: Sun, 06 Nov 1994 08:49:37 GMT\r\n", SLOW,
		  "rate_limited paced wait=0 's'" },
		{ 429, "Retry-After: Sun, 06 Nov 1994 08:49:57 GMT\r\n", SLOW, "rate_limited paced 's'" },
		{ 429, "Retry-After: Sun, 06 Foo 1994 08:49:57 GMT\r\n", SLOW, "rate_limited paced 's'" },
		{ 503, "x: y\nretry-after: 1\n", "", "server later wait=1000 'empty body'" },
		{ 500, "x-should-retry: false\r\n", "", "server final 'empty body'" },
		{ 400, "X-Should-Retry: true\r\n", "", "bad_request later 'empty body'" },
		{ 429, "x-should-retry: true\r\n", SLOW, "rate_limited paced 's'" },
		{ 429, "x-should-retry: true\r\n", ERROR("\"message\":\"q\",\"code\":\"insufficient_quota\""),
		  "quota final 'q'" },
		{ 500, "x-should-retry: maybe\r\n", "", "server later 'empty body'" },
		{ 429, "HTTP/1.1 100 Continue\r\nRetry-After: 9\r\n\r\nHTTP/1.1 429 x\r\nRetry-After: 2\r\n", SLOW,
		  "rate_limited paced wait=2000 's'" },
		{ 429, "HTTP/1.1 200 Connection established\r\nRetry-After: 9\r\n\r\nHTTP/2 429\r\n\r\n", SLOW,
		  "rate_limited paced 's'" },
		{ 429, "X-Retry-After: 9\r\nRetry-Afterwards: 9\r\n", SLOW, "rate_limited paced 's'" },
	};
	struct fixture *f = *state;
	expect_rows(f, "openai", rows, ARRAY_LEN(rows));
	struct provider_reply reply = { .status = 429, .body = str_from(SLOW), .at_unix_ms = 784111777000 };
	reply.headers = STR("Retry-After: Sun, 06 Nov 1994 08:49:47 GMT");
	expect(f, "openai", &reply, "rate_limited paced wait=10000 's'", 99);
	static const struct {
		int64_t at_unix_ms;
		const char *date, *want;
	} dates[] = {
		{ 1709164800000, "Thu, 29 Feb 2024 00:00:10 GMT", "rate_limited paced wait=10000 's'" },
		{ 1704067200000, "Mon, 01 Jan 2024 00:00:05 GMT", "rate_limited paced wait=5000 's'" },
		{ 1709251200000, "Fri, 01 Mar 2024 00:00:01 GMT", "rate_limited paced wait=1000 's'" },
		{ 1704067200000, "Sun, 00 Jan 2024 00:00:05 GMT", "rate_limited paced 's'" },
		{ 1704067200000, "Sun, 32 Jan 2024 00:00:05 GMT", "rate_limited paced 's'" },
		{ 1704067200000, "Mon, 01 Jan 2024 24:00:05 GMT", "rate_limited paced 's'" },
		{ 1704067200000, "Mon, 01 Jan 2024 00:60:05 GMT", "rate_limited paced 's'" },
		{ 1704067200000, "Mon, 01 anF 2024 00:00:05 GMT", "rate_limited paced 's'" },
		{ 1704067200000, "Mon, 01 Jan 2024 00:00:05 UTC", "rate_limited paced 's'" },
		{ 1704067200000, "Monday, 01-Jan-24 00:00:05 GMT", "rate_limited paced 's'" },
	};
	for (size_t i = 0; i < ARRAY_LEN(dates); i++) {
		char header[100];
		(void)snprintf(header, sizeof(header), "Retry-After: %s\r\n", dates[i].date);
		reply.headers = str_from(header);
		reply.at_unix_ms = dates[i].at_unix_ms;
		expect(f, "openai", &reply, dates[i].want, 100 + i);
	}
}

static void a_lost_reply_has_the_class_of_its_loss(void **state)
{
	struct fixture *f = *state;
	static const struct {
		enum error_class transport;
		int status;
		const char *body, *want;
	} rows[] = {
		{ CLASS_CONNECT, 0, "", "connect later 'Connection refused'" },
		{ CLASS_RESOLVE, 0, "", "resolve later 'Connection refused'" },
		{ CLASS_TLS, 0, "", "tls final 'Connection refused'" },
		{ CLASS_TIMEOUT, 200, "{\"choices\":", "timeout later 'Connection refused'" },
		{ CLASS_STALL, 200, CHOICE(SAID("x") "," FINISH("stop")), "stall later 'Connection refused'" },
		{ CLASS_TOO_LARGE, 200, "{", "too_large final 'Connection refused'" },
		{ CLASS_NOT_ALLOWED, 0, "", "not_allowed final 'Connection refused'" },
		{ CLASS_STALL, 429, ERROR("\"message\":\"slow\",\"code\":\"rate_limit_exceeded\""),
		  "rate_limited paced 'slow'" },
		{ CLASS_TOO_LARGE, 502, "<html>", "server later 'an HTML page instead of JSON: '<html>''" },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct provider_reply reply = { .transport = rows[i].transport,
			                        .transport_text = STR_INIT("Connection refused"),
			                        .status = rows[i].status,
			                        .body = str_from(rows[i].body) };
		expect(f, "openai", &reply, rows[i].want, i);
	}
}

#define DELTA(inside) "data: {\"model\":\"m\",\"choices\":[{\"delta\":{" inside "},\"finish_reason\":null}]}\n\n"
#define LAST(reason) "data: {\"choices\":[{\"delta\":{}," FINISH(reason) "}]}\n\n"
#define DONE "data: [DONE]\n\n"

static void streams_are_read_like_whole_answers(void **state)
{
	static const struct reply_case rows[] = {
		{ 200, "content-type: text/event-stream\r\n",
		  DELTA("\"role\":\"assistant\",\"content\":\"\"") DELTA("\"content\":\"Pa\"")
		          DELTA("\"content\":\"ris\"") LAST("stop") "data: "
		                                                    "{\"choices\":[],\"usage\":{\"prompt_tokens\":5,"
		                                                    "\"completion_tokens\":2}}\n\n" DONE,
		  "ok 'Paris' stop/stop in=5 out=2 model=m" },
		{ 200, "Content-Type: Text/Event-Stream; charset=utf-8\r\n",
		  ": ping\r\n\r\nevent: x\r\ndata:{\"choices\":[{\"delta\":{\"content\":\"a\"}," FINISH(
			  "length") "}]}\r\n\r\n",
		  "ok 'a' length/length truncated" },
		{ 200, "", DELTA("\"content\":\"a\"") LAST("stop"), "ok 'a' stop/stop model=m" },
		{ 200, "", DELTA("\"content\":\"a\"") DONE, "ok 'a' unknown/ model=m" },
		{ 200, "", DELTA("\"content\":\"a\"") "data: [DONE]", "ok 'a' unknown/ model=m" },
		{ 200, "", "data: {\"choices\":\ndata: [{\"delta\":{\"content\":\"a\"}," FINISH("stop") "}]}\n\n",
		  "ok 'a' stop/stop" },
		{ 200, "",
		  DELTA("\"reasoning_content\":\"h\"") DELTA("\"reasoning_content\":\"m\"") DELTA("\"content\":\"x\"")
		          LAST("stop") DONE,
		  "ok 'x' stop/stop thought='hm' model=m" },
		{ 200, "", DELTA("\"refusal\":\"No\"") DELTA("\"refusal\":\".\"") LAST("stop") DONE,
		  "ok 'No.' stop/stop refused model=m" },
		{ 200, "", DELTA("\"content\":\"a\""),
		  "malformed later 'the stream ended in the middle of the answer' model=m" },
		{ 200, "", "data: [DONE]\n\n", "malformed later 'the answer has no choices'" },
		{ 200, "content-type: text/event-stream", "",
		  "malformed later 'the stream ended in the middle of the answer'" },
		{ 200, "", DELTA("\"content\":\"a\"") "data: {\"error\":{\"message\":\"died\",\"code\":503}}\n\n",
		  "server later 'died' model=m" },
		{ 200, "",
		  DELTA("\"content\":\"a\"") "data: "
		                             "{\"error\":{\"message\":\"slow\",\"code\":\"rate_limit_exceeded\"}}",
		  "rate_limited paced 'slow' model=m" },
		{ 200, "", "data: oops\n\n", "malformed later '4 bytes that are not JSON: 'oops''" },
		{ 200, "", DONE "data: oops\n\n", "malformed later 'the answer has no choices'" },
		{ 200, "content-type: text/event-stream", "<html><title>x</title>",
		  "malformed later 'the stream ended in the middle of the answer'" },
	};
	expect_rows(*state, "openai", rows, ARRAY_LEN(rows));
}

static void completions_are_read(void **state)
{
	static const struct reply_case rows[] = {
		{ 200, "",
		  "{\"id\":\"c\",\"model\":\"b\",\"choices\":[{\"text\":\" Paris\",\"index\":0," FINISH("stop") "}]}",
		  "ok ' Paris' stop/stop model=b id=c" },
		{ 200, "", CHOICE("\"text\":\"\"," FINISH("length")), "ok '' length/length truncated empty" },
		{ 200, "", CHOICE(SAID("x")), "malformed later 'the answer has neither content nor a finish reason'" },
		{ 200, "", CHOICE("\"text\":7"), "malformed later 'the answer's content is neither text nor parts'" },
		{ 200, "",
		  "data: {\"choices\":[{\"text\":\"a\"}]}\n\ndata: {\"choices\":[{\"text\":\"b\"," FINISH(
			  "stop") "}]}\n\ndata: [DONE]\n\n",
		  "ok 'ab' stop/stop" },
		{ 429, "", SLOW, "rate_limited paced 's'" },
	};
	expect_rows(*state, "openai_completions", rows, ARRAY_LEN(rows));
}

static void an_answer_may_hold_nul(void **state)
{
	struct fixture *f = *state;
	struct provider_model m = render_model("openai");
	struct provider_reply reply = { .status = 200, .body = STR_INIT(CHOICE(SAID("a\\u0000b") "," FINISH("stop"))) };
	struct provider_answer a;
	provider_response_read(&m, &reply, &f->arena, &a);
	assert_true(a.answered);
	assert_str_equal(a.text, STR("a\0b"));
	reply.body = STR("{\"choices\":[{\"message\":{\"content\":\"raw\0nul\"}}]}");
	provider_response_read(&m, &reply, &f->arena, &a);
	assert_false(a.answered);
	assert_int_equal(a.error_class, CLASS_MALFORMED);
}

static void repairs_are_counted(void **state)
{
	struct fixture *f = *state;
	struct provider_model m = render_model("openai");
	struct provider_reply reply = { .status = 200,
		                        .body = STR_INIT(CHOICE(SAID("\\ud800 \\udc00 \xC0") "," FINISH("stop"))) };
	struct provider_answer a;
	provider_response_read(&m, &reply, &f->arena, &a);
	assert_true(a.answered);
	assert_int_equal(a.repairs, 3);
	assert_int_equal(a.flags, FLAG_REPAIRED);
}

static void words_and_errors_are_bounded_and_printable(void **state)
{
	struct fixture *f = *state;
	struct provider_model m = render_model("openai");
	struct buf body;
	struct provider_answer a;
	buf_init(&body, 1 << 20);
	buf_append_c(&body, "{\"model\":\"");
	for (int i = 0; i < 5000; i++)
		buf_append_c(&body, "\xC3\xA9\\u0000");
	buf_append_c(&body, "\",\"choices\":[{\"message\":{\"content\":\"x\"}}]}");
	struct provider_reply reply = { .status = 200, .body = buf_str(&body) };
	provider_response_read(&m, &reply, &f->arena, &a);
	assert_true(a.answered);
	assert_int_equal(a.returned_model.len, 200);
	assert_true(str_find_char(a.returned_model, '\0') < 0);
	reply.status = 500;
	provider_response_read(&m, &reply, &f->arena, &a);
	assert_in_range(a.error_text.len, PROVIDER_ERROR_TEXT_BYTES_MAX - 3, PROVIDER_ERROR_TEXT_BYTES_MAX);
	buf_done(&body);
}

static void a_full_arena_is_too_large_and_not_a_crash(void **state)
{
	(void)state;
	struct provider_model m = render_model("openai");
	char text[3000];
	memset(text, 'x', sizeof(text));
	struct buf body;
	buf_init(&body, 1 << 16);
	buf_printf(&body, "{\"model\":\"m\",\"id\":\"i\",\"choices\":[{\"message\":{\"content\":\"%.*s\"}}]}", 3000,
	           text);
	struct provider_reply reply = { .status = 200, .headers = STR_INIT("x-request-id: r"), .body = buf_str(&body) };
	unsigned answered = 0;
	for (size_t budget = 0; budget < 6000; budget += 40) {
		struct arena small;
		struct provider_answer a;
		arena_init(&small, budget);
		provider_response_read(&m, &reply, &small, &a);
		assert_int_equal(a.error_class, a.answered ? CLASS_NONE : CLASS_TOO_LARGE);
		answered += a.answered;
		arena_done(&small);
	}
	assert_in_range(answered, 1, 149);
	buf_done(&body);
}

static void running_out_of_memory_anywhere_is_a_class_and_leaks_nothing(void **state)
{
	struct fixture *f = *state;
	struct provider_model m = render_model("openai");
	static const char *const bodies[] = { CHOICE(SAID("<think>a</think>b \\ud800") "," FINISH("stop")),
		                              DELTA("\"content\":\"a\"") LAST("stop") DONE, SLOW };
	for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
		struct provider_reply reply = { .status = i == 2 ? 429 : 200, .body = str_from(bodies[i]) };
		unsigned answered = 0;
		for (uint64_t nth = 1; nth < 100; nth++) {
			struct provider_answer a;
			arena_reset(&f->arena);
			mem_fail_at(nth);
			provider_response_read(&m, &reply, &f->arena, &a);
			mem_fail_at(0);
			assert_int_equal(a.answered, a.error_class == CLASS_NONE);
			answered += a.answered;
		}
		assert_in_range(answered, i == 2 ? 0 : 1, i == 2 ? 0 : 98);
	}
}

static void an_excerpt_is_short_printable_and_without_keys(void **state)
{
	(void)state;
	char out[41];
	size_t len =
		provider_body_excerpt(STR("<p>\n\xff Bearer abcdefghijklmnop sk-1234567890ab</p> and more"), out, 40);
	assert_str_equal_c(str_make(out, len), "<p> ? Bearer ab*** ");
	len = provider_body_excerpt(STR("{\"key\": \"sk-1234567890ab\"}"), out, 40);
	assert_str_equal_c(str_make(out, len), "{\"key\": \"sk-***\"}");
	assert_int_equal(provider_body_excerpt(STR(""), out, 40), 0);
}

int main(void)
{
	json_start();
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(an_excerpt_is_short_printable_and_without_keys, setup, teardown),
		cmocka_unit_test_setup_teardown(answers_are_read, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_no_answer_is_malformed, setup, teardown),
		cmocka_unit_test_setup_teardown(cut_json_says_where_it_was_cut, setup, teardown),
		cmocka_unit_test_setup_teardown(errors_have_their_class, setup, teardown),
		cmocka_unit_test_setup_teardown(errors_inside_a_200_have_their_class, setup, teardown),
		cmocka_unit_test_setup_teardown(a_filtered_prompt_is_an_answer, setup, teardown),
		cmocka_unit_test_setup_teardown(waiting_times_are_obeyed, setup, teardown),
		cmocka_unit_test_setup_teardown(a_lost_reply_has_the_class_of_its_loss, setup, teardown),
		cmocka_unit_test_setup_teardown(streams_are_read_like_whole_answers, setup, teardown),
		cmocka_unit_test_setup_teardown(completions_are_read, setup, teardown),
		cmocka_unit_test_setup_teardown(an_answer_may_hold_nul, setup, teardown),
		cmocka_unit_test_setup_teardown(repairs_are_counted, setup, teardown),
		cmocka_unit_test_setup_teardown(words_and_errors_are_bounded_and_printable, setup, teardown),
		cmocka_unit_test_setup_teardown(a_full_arena_is_too_large_and_not_a_crash, setup, teardown),
		cmocka_unit_test_setup_teardown(running_out_of_memory_anywhere_is_a_class_and_leaks_nothing, setup,
		                                teardown),
	};
	return cmocka_run_group_tests_name("provider response", tests, NULL, NULL);
}
