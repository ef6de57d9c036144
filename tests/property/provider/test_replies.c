/* Goal: no reply, cut or mangled anywhere, crashes the reader or leaves it without an answer and without a class; and
 * whatever prompt is given, the request is one valid JSON document that says it. */
#include "common/base/mem.h"
#include "common/base/rng.h"
#include "common/base/unicode.h"
#include "tests/support/cmocka_all.h"
#include "worker/provider/provider.h"

#define WHOLE                                                                                                          \
	"{\"id\":\"c-1\",\"model\":\"m\\u00e9\",\"system_fingerprint\":\"fp\",\"choices\":[{\"index\":0,\"message\":{" \
	"\"role\":\"assistant\",\"content\":\"<think>h\\ud83d\\ude00m</think>Par\xC3\xADs "                            \
	"\\ud83d\",\"refusal\":null},"                                                                                 \
	"\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":12,\"completion_tokens\":3,"                        \
	"\"completion_tokens_details\":{\"reasoning_tokens\":2}}}"
#define STREAM                                                                                                         \
	"data: {\"model\":\"m\",\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"Pa\"}}]}\r\n\r\n"        \
	": ping\n\ndata: {\"choices\":[{\"delta\":{\"content\":\"ris\"},\"finish_reason\":null}]}\n\n"                 \
	"data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"length\"}]}\n\n"                                        \
	"data: {\"choices\":[],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":2}}\n\ndata: [DONE]\n\n"
#define COMPLETION "{\"choices\":[{\"text\":\"Paris\",\"finish_reason\":\"length\"}],\"usage\":{\"prompt_tokens\":1}}"
#define FAULT "{\"error\":{\"message\":\"sk-aaaaaaaaaaaaaaaa slow\",\"type\":\"t\",\"code\":\"rate_limit_exceeded\"}}"
#define PAGE "<!DOCTYPE html><html><head><title>Bad gateway</title></head><body>\xFF</body></html>"

static const struct str seeds[] = { STR_INIT(WHOLE), STR_INIT(STREAM), STR_INIT(COMPLETION), STR_INIT(FAULT),
	                            STR_INIT(PAGE) };
static const char *const providers[] = { "openai", "openai_completions" };

/* What must hold of any answer; NULL when it does. */
static const char *broken_rule(const struct provider_answer *a)
{
	if (a->answered != (a->error_class == CLASS_NONE))
		return "an answer or a class, never both or neither";
	if ((size_t)a->error_class >= CLASS_COUNT)
		return "a known class";
	if (!unicode_valid(a->text) || !unicode_valid(a->reasoning) || !unicode_valid(a->error_text) ||
	    !unicode_valid(a->returned_model) || !unicode_valid(a->fingerprint) || !unicode_valid(a->request_id))
		return "valid UTF-8";
	if (a->error_text.len > PROVIDER_ERROR_TEXT_BYTES_MAX || a->returned_model.len > 200)
		return "bounded words";
	if (a->answered && !(a->flags & FLAG_EMPTY) != (str_trim(a->text).len > 0))
		return "empty is flagged, and only empty";
	if (a->answered && (a->retry != RETRY_NONE || a->error_text.len))
		return "an answer is not retried";
	if (!a->answered && a->error_text.len == 0)
		return "an error has words";
	if (a->retry_after_ms < -1 || a->retry_after_ms > PROVIDER_RETRY_AFTER_MS_MAX)
		return "waits in bounds";
	if (a->usage.input < -1 || a->usage.output < -1 || a->usage.cached < -1 || a->usage.reasoning < -1)
		return "counts in bounds";
	return NULL;
}

static void read_one(const char *provider, int status, struct str headers, struct str body, struct arena *arena,
                     struct provider_answer *a)
{
	struct provider_model m = { .name = STR_INIT("m"), .provider = str_from(provider), .model = STR_INIT("m") };
	struct provider_reply reply = { .status = status, .headers = headers, .body = body };
	arena_reset(arena);
	provider_response_read(&m, &reply, arena, a);
}

static void a_body_cut_anywhere_ends_in_an_answer_or_a_class(void **state)
{
	struct arena *arena = *state;
	static const int statuses[] = { 200, 400, 429, 503 };
	for (size_t s = 0; s < ARRAY_LEN(seeds); s++) {
		for (size_t cut = 0; cut <= seeds[s].len; cut++) {
			for (size_t i = 0; i < ARRAY_LEN(statuses) * 2; i++) {
				struct provider_answer a;
				char *exact =
					mem_new(cut + 1, 1); /* so that the sanitizer sees any read past the end */
				memcpy(exact, seeds[s].data, cut);
				read_one(providers[i & 1], statuses[i / 2], STR(""), str_make(exact, cut), arena, &a);
				mem_free(exact);
				const char *rule = broken_rule(&a);
				if (rule)
					fail_msg("body %zu cut at %zu, status %d: %s", s, cut, statuses[i / 2], rule);
				if (statuses[i / 2] >= 400 && a.answered)
					fail_msg("body %zu cut at %zu: status %d was an answer", s, cut,
					         statuses[i / 2]);
			}
		}
	}
}

static void a_cut_answer_is_never_taken_for_a_whole_one(void **state)
{
	struct arena *arena = *state;
	struct provider_answer a;
	const struct str whole = STR(WHOLE), stream = STR(STREAM);
	for (size_t cut = 0; cut < whole.len; cut++) {
		read_one("openai", 200, STR(""), str_slice(whole, 0, cut), arena, &a);
		assert_int_equal(a.error_class, CLASS_MALFORMED);
	}
	read_one("openai", 200, STR(""), whole, arena, &a);
	assert_true(a.answered);
	/* A stream counts as whole from the event with the finish reason on: the usage behind it may be lost. */
	size_t finished = (size_t)str_find(stream, STR("\"length\"}]}")) + 11;
	for (size_t cut = 0; cut <= stream.len; cut++) {
		read_one("openai", 200, STR("content-type: text/event-stream"), str_slice(stream, 0, cut), arena, &a);
		if (a.answered && (cut < finished || !str_eq_c(a.text, "Paris")))
			fail_msg("cut at %zu gave '%.*s'", cut, STR_ARG(a.text));
		if (cut == finished || cut == stream.len)
			assert_true(a.answered);
	}
}

static void mangle(struct rng *r, struct str seed, struct buf *out)
{
	static const char *const pieces[] = {
		"\\ud800",  "\"", "{",  "]",          "null",   "data: ", "\n\n",
		"\xF0\x9F", "0",  "\\", "\"error\":", "[DONE]", "1e999",  "\xEF\xBB\xBF"
	};
	buf_clear(out);
	size_t at = 0;
	while (at < seed.len) {
		size_t run = rng_below(r, 60) + 1;
		buf_append_str(out, str_slice(seed, at, at + run));
		at += run;
		switch (rng_below(r, 5)) {
		case 0:
			buf_append_c(out, pieces[rng_below(r, ARRAY_LEN(pieces))]);
			break;
		case 1:
			at += rng_below(r, 20);
			break;
		case 2:
			buf_append_char(out, (char)rng_below(r, 256));
			break;
		default:
			break;
		}
	}
}

static void a_mangled_body_ends_in_an_answer_or_a_class(void **state)
{
	struct arena *arena = *state;
	struct buf body;
	buf_init(&body, 1 << 16);
	for (uint64_t seed = 1; seed <= 2000; seed++) {
		struct rng r;
		struct provider_answer a;
		rng_seed(&r, seed);
		mangle(&r, seeds[rng_below(&r, ARRAY_LEN(seeds))], &body);
		int status = rng_below(&r, 2) ? 200 : (int)rng_below(&r, 700);
		struct str headers = rng_below(&r, 2) ? STR("retry-after: 3") : buf_str(&body);
		read_one(providers[seed & 1], status, headers, buf_str(&body), arena, &a);
		const char *rule = broken_rule(&a);
		if (rule)
			fail_msg("seed %llu status %d: %s in\n%.*s", (unsigned long long)seed, status, rule,
			         STR_ARG(buf_str(&body)));
	}
	buf_done(&body);
}

/* Any bytes, with a bias to what breaks encoders. */
static struct str random_text(struct rng *r, struct arena *arena)
{
	size_t len = rng_below(r, 40);
	char *text = arena_new(arena, len + 1, 1);
	for (size_t i = 0; i < len; i++)
		text[i] = (char)(rng_below(r, 3) ? 0x20 + rng_below(r, 0x5F) : rng_below(r, 256));
	return str_make(text, len);
}

static bool says(const struct json *root, size_t at, struct str want)
{
	struct str got;
	struct buf repaired;
	buf_init(&repaired, want.len * 3);
	bool same = unicode_repair(want, &repaired, NULL) &&
	            json_str(json_get(json_at(json_get(root, "messages"), at), "content"), &got) &&
	            str_eq(got, buf_str(&repaired));
	buf_done(&repaired);
	return same;
}

static void any_prompt_becomes_one_valid_document_that_says_it(void **state)
{
	struct arena *arena = *state;
	struct buf url, headers, body;
	buf_init(&url, 1000);
	buf_init(&headers, 1000);
	buf_init(&body, 1 << 16);
	for (uint64_t seed = 1; seed <= 2000; seed++) {
		struct rng r;
		struct error error;
		struct json_doc *doc;
		rng_seed(&r, seed);
		arena_reset(arena);
		buf_clear(&url);
		buf_clear(&headers);
		buf_clear(&body);
		struct provider_message messages[3];
		struct str stops[2] = { random_text(&r, arena), random_text(&r, arena) };
		struct provider_prompt p = { .system = random_text(&r, arena), .messages = messages };
		p.message_count = 1 + rng_below(&r, 3);
		for (size_t i = 0; i < p.message_count; i++)
			messages[i] = (struct provider_message){ (enum provider_role)rng_below(&r, 3),
				                                 random_text(&r, arena) };
		p.params = (struct provider_params){ .given = (unsigned)rng_below(&r, 32),
			                             .temperature = rng_unit(&r),
			                             .top_p = rng_unit(&r),
			                             .max_tokens = (int64_t)rng_below(&r, 100) + 1,
			                             .seed = (int64_t)rng_next(&r),
			                             .stops = stops,
			                             .stop_count = 2 };
		struct provider_model m = { .name = STR_INIT("m"),
			                    .provider = STR_INIT("openai"),
			                    .base_url = STR_INIT("http://h"),
			                    .model = random_text(&r, arena) };
		assert_ok(provider_request_build(&m, &p, STR(""), &url, &headers, &body, &error), &error);
		if (json_parse(buf_str(&body), &doc, &error) != ERR_OK)
			fail_msg("seed %llu: %s in %s", (unsigned long long)seed, error.text, body.data);
		const struct json *root = json_root(doc);
		size_t first = p.system.len ? 1 : 0;
		bool same = first == 0 || says(root, 0, p.system);
		for (size_t i = 0; i < p.message_count; i++)
			same = same && says(root, first + i, messages[i].content);
		if (!same || json_len(json_get(root, "messages")) != first + p.message_count ||
		    json_num_or(json_get(root, "temperature"), -1) !=
		            (p.params.given & PROVIDER_TEMPERATURE ? p.params.temperature : -1) ||
		    json_i64_or(json_get(root, "seed"), 0) != (p.params.given & PROVIDER_SEED ? p.params.seed : 0))
			fail_msg("seed %llu: the request says something else: %s", (unsigned long long)seed, body.data);
		json_free(doc);
	}
	buf_done(&url);
	buf_done(&headers);
	buf_done(&body);
}

int main(void)
{
	struct arena arena;
	json_start();
	arena_init(&arena, 1 << 20);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_prestate(a_body_cut_anywhere_ends_in_an_answer_or_a_class, &arena),
		cmocka_unit_test_prestate(a_cut_answer_is_never_taken_for_a_whole_one, &arena),
		cmocka_unit_test_prestate(a_mangled_body_ends_in_an_answer_or_a_class, &arena),
		cmocka_unit_test_prestate(any_prompt_becomes_one_valid_document_that_says_it, &arena),
	};
	int failed = cmocka_run_group_tests_name("provider replies", tests, NULL, NULL);
	arena_done(&arena);
	return failed;
}
