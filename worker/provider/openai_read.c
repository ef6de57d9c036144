#include "worker/provider/openai_read.h"
#include "worker/provider/sse.h"

struct gather { /* what the chunks have brought so far; words are kept in the arena as they come */
	struct arena *arena;
	struct provider_answer *answer;
	struct provider_fault *fault;
	struct buf text, reasoning, refusal;
	bool chat, choice_seen, content_seen, tool_calls, finished, failed;
};

/* ---- errors ---- */

static void take_code(const struct json *v, struct provider_fault *f)
{
	struct str text;
	int64_t number;
	if (json_str(v, &text)) {
		provider_fault_code(f, text);
		if (!str_to_i64(text, &number))
			return;
	} else if (!json_i64(v, &number)) {
		return;
	}
	if (number >= 400 && number <= 599)
		f->status = (int)number; /* gateways put the real status into a body that went out with 200 */
}

static bool is_filter_word(struct str s)
{
	return str_eq_c(s, "content_filter") || str_eq_c(s, "content_policy_violation") ||
	       str_eq_c(s, "ResponsibleAIPolicyViolation");
}

/* Filters that stop a prompt say so in the code, in Azure's inner error, or in a gateway's metadata. */
static bool is_filtered(const struct json *error)
{
	return is_filter_word(json_str_or(json_get(error, "code"), STR(""))) ||
	       is_filter_word(json_str_or(json_get(error, "type"), STR(""))) ||
	       is_filter_word(json_str_or(json_get(json_get(error, "innererror"), "code"), STR(""))) ||
	       json_kind(json_get(json_get(error, "metadata"), "flagged_input")) != JSON_ABSENT;
}

static void take_error_object(const struct json *error, struct provider_fault *f)
{
	struct str text;
	take_code(json_get(error, "code"), f);
	if (json_str(json_get(error, "type"), &text))
		provider_fault_type(f, text);
	if (json_str(json_get(error, "message"), &text))
		provider_fault_say(f, text);
	f->filtered = is_filtered(error) && (f->status == 400 || f->status == 403 || f->status < 300);
	provider_fault_infer_status(f);
}

/* Finds an error in a document; false when there is none. */
static bool take_error(const struct json *root, struct provider_fault *f)
{
	struct str text;
	if (json_kind(root) == JSON_ARRAY && json_len(root) > 0)
		root = json_at(root, 0); /* one provider's OpenAI route wraps its errors in a list */
	const struct json *error = json_get(root, "error");
	if (json_kind(error) == JSON_OBJECT) {
		take_error_object(error, f);
		return true;
	}
	if (json_str(error, &text) && text.len) {
		provider_fault_say(f, text);
		take_error_object(root, f);
		return true;
	}
	if (str_eq_c(json_str_or(json_get(root, "object"), STR("")), "error")) {
		take_error_object(root, f);
		return true;
	}
	return false;
}

void openai_read_fault(struct str body, int status, struct provider_fault *ret_fault)
{
	struct json_doc *doc = NULL;
	ret_fault->status = status;
	if (json_parse(body, &doc, NULL) == ERR_OK) {
		const struct json *root = json_root(doc);
		struct str text;
		if (!take_error(root, ret_fault) &&
		    (json_str(json_get(root, "message"), &text) || json_str(json_get(root, "detail"), &text)))
			provider_fault_say(ret_fault, text);
		ret_fault->status = status; /* the server's own word goes before the body's */
		if (ret_fault->message_len == 0)
			provider_fault_say(ret_fault, body);
	} else {
		provider_reply_describe(body, ret_fault);
	}
	json_free(doc);
}

/* ---- answers ---- */

static void malformed(struct gather *g, const char *what)
{
	g->failed = true;
	g->fault->forced = CLASS_MALFORMED;
	provider_fault_say(g->fault, str_from(what));
}

static void take_word(struct gather *g, const struct json *v, struct str *into)
{
	struct str text;
	if (into->len == 0 && json_str(v, &text) && !provider_reply_keep_word(g->arena, text, into))
		g->text.failed = true;
}

static void take_count(const struct json *v, int64_t *into)
{
	int64_t number;
	if (json_i64(v, &number) && number >= 0)
		*into = number;
}

static void take_usage(const struct json *usage, struct provider_usage *u)
{
	take_count(json_get(usage, "prompt_tokens"), &u->input);
	take_count(json_get(usage, "completion_tokens"), &u->output);
	take_count(json_get(usage, "prompt_cache_hit_tokens"), &u->cached);
	take_count(json_get(json_get(usage, "prompt_tokens_details"), "cached_tokens"), &u->cached);
	take_count(json_get(json_get(usage, "completion_tokens_details"), "reasoning_tokens"), &u->reasoning);
}

static enum provider_stop stop_of(struct str raw)
{
	static const struct {
		const char *raw;
		enum provider_stop stop;
	} known[] = {
		{ "stop", PROVIDER_STOP_STOP },
		{ "eos", PROVIDER_STOP_STOP },
		{ "eos_token", PROVIDER_STOP_STOP },
		{ "end_turn", PROVIDER_STOP_STOP },
		{ "stop_sequence", PROVIDER_STOP_STOP },
		{ "length", PROVIDER_STOP_LENGTH },
		{ "max_tokens", PROVIDER_STOP_LENGTH },
		{ "tool_calls", PROVIDER_STOP_TOOL_CALL },
		{ "function_call", PROVIDER_STOP_TOOL_CALL },
		{ "content_filter", PROVIDER_STOP_FILTER },
		{ "model_length", PROVIDER_STOP_CONTEXT_OVERFLOW },
		{ "pause", PROVIDER_STOP_PAUSE },
		{ "error", PROVIDER_STOP_ERROR },
		{ "abort", PROVIDER_STOP_ERROR },
		{ "insufficient_system_resource", PROVIDER_STOP_ERROR },
	};
	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (str_eq_c(raw, known[i].raw))
			return known[i].stop;
	return PROVIDER_STOP_UNKNOWN;
}

/* Text, nothing, or a list of parts of which the text counts. */
static void take_content(struct gather *g, const struct json *v)
{
	struct str text;
	if (json_str(v, &text)) {
		g->content_seen = true;
		buf_append_str(&g->text, text);
		return;
	}
	if (json_kind(v) == JSON_ARRAY) {
		g->content_seen = true;
		for (size_t i = 0; i < json_len(v); i++)
			if (json_str(json_get(json_at(v, i), "text"), &text))
				buf_append_str(&g->text, text);
		return;
	}
	if (json_kind(v) != JSON_ABSENT && json_kind(v) != JSON_NULL)
		malformed(g, "the answer's content is neither text nor parts");
}

static void take_message(struct gather *g, const struct json *m)
{
	if (json_kind(m) != JSON_OBJECT)
		return;
	take_content(g, json_get(m, "content"));
	buf_append_str(&g->refusal, json_str_or(json_get(m, "refusal"), STR("")));
	struct str thought = json_str_or(json_get(m, "reasoning_content"), STR(""));
	buf_append_str(&g->reasoning, thought.len ? thought : json_str_or(json_get(m, "reasoning"), STR("")));
	if (json_len(json_get(m, "tool_calls")) > 0 || json_kind(json_get(m, "function_call")) == JSON_OBJECT)
		g->tool_calls = true;
}

static void take_choice(struct gather *g, const struct json *choice)
{
	if (json_kind(choice) != JSON_OBJECT) {
		malformed(g, "choices[0] is not an object");
		return;
	}
	if (json_kind(json_get(choice, "error")) == JSON_OBJECT) {
		g->failed = true;
		take_error_object(json_get(choice, "error"), g->fault);
		return;
	}
	g->choice_seen = true;
	if (g->chat) {
		take_message(g, json_get(choice, "message"));
		take_message(g, json_get(choice, "delta"));
	} else {
		take_content(g, json_get(choice, "text"));
	}
	struct str raw;
	if (json_str(json_get(choice, "finish_reason"), &raw)) {
		g->finished = true;
		take_word(g, json_get(choice, "finish_reason"), &g->answer->stop_raw);
		g->answer->stop = stop_of(raw);
	}
}

/* One document: the whole answer, or one event of a stream. */
static void take_chunk(struct gather *g, const struct json *root)
{
	g->fault->status = 200;
	if (take_error(root, g->fault)) {
		g->failed = true;
		return;
	}
	if (json_kind(root) != JSON_OBJECT) {
		malformed(g, "the answer is JSON, but not an object");
		return;
	}
	take_word(g, json_get(root, "model"), &g->answer->returned_model);
	take_word(g, json_get(root, "system_fingerprint"), &g->answer->fingerprint);
	take_word(g, json_get(root, "id"), &g->answer->request_id);
	take_usage(json_get(root, "usage"), &g->answer->usage);
	const struct json *choices = json_get(root, "choices");
	if (json_len(choices) > 0 && json_kind(choices) == JSON_ARRAY)
		take_choice(g, json_at(choices, 0));
}

static void take_document(struct gather *g, struct str text)
{
	struct json_doc *doc = NULL;
	struct error error;
	enum err_code err = json_parse(text, &doc, &error);
	if (err == ERR_OK) {
		take_chunk(g, json_root(doc));
	} else {
		g->failed = true;
		g->fault->forced = CLASS_MALFORMED;
		struct str trimmed = str_trim(text);
		if (trimmed.len && (trimmed.data[0] == '{' || trimmed.data[0] == '['))
			provider_fault_say(g->fault, str_from(error.text));
		else
			provider_reply_describe(text, g->fault);
	}
	json_free(doc);
}

static void take_stream(struct gather *g, struct str body)
{
	struct buf data;
	bool done = false;
	buf_init(&data, body.len);
	while (!done && !g->failed && sse_next(&body, &data)) {
		done = str_eq_c(str_trim(buf_str(&data)), "[DONE]");
		if (!done)
			take_document(g, buf_str(&data));
	}
	buf_done(&data);
	if (!g->failed && !done && !g->finished)
		malformed(g, "the stream ended in the middle of the answer");
}

/* Is what came an answer? */
static void judge(struct gather *g)
{
	if (g->failed)
		return;
	if (g->answer->stop == PROVIDER_STOP_ERROR) {
		g->failed = true;
		bool overloaded = str_eq_c(g->answer->stop_raw, "insufficient_system_resource");
		g->fault->forced = overloaded ? CLASS_OVERLOADED : CLASS_SERVER;
		provider_fault_say(g->fault, STR("the provider broke the answer off"));
	} else if (!g->choice_seen) {
		malformed(g, "the answer has no choices");
	} else if (!g->content_seen && !g->finished && !g->tool_calls && g->refusal.len == 0) {
		malformed(g, "the answer has neither content nor a finish reason");
	}
}

/* Splits a leading <think> block off; some chat templates swallow its opening tag. */
static void split_thought(struct str *text, struct str *ret_thought)
{
	const struct str open = STR("<think>"), close = STR("</think>");
	struct str trimmed = str_trim(*text);
	ptrdiff_t begin = str_find(trimmed, open), end = str_find(trimmed, close);
	if (begin > 0 && (end < 0 || begin < end))
		return; /* it is inside the answer: leave it */
	if (begin != 0 && end < 0)
		return;
	size_t from = begin == 0 ? open.len : 0;
	size_t to = end < 0 ? trimmed.len : (size_t)end;
	*ret_thought = str_trim(str_slice(trimmed, from, to));
	*text = str_trim(str_slice(trimmed, to + (end < 0 ? 0 : close.len), trimmed.len));
}

static bool finish(struct gather *g)
{
	struct provider_answer *answer = g->answer;
	struct str thought = { NULL, 0 };
	struct str text = buf_str(&g->text);
	split_thought(&text, &thought);
	if (g->reasoning.len)
		thought = buf_str(&g->reasoning);
	if (g->refusal.len) {
		answer->flags |= FLAG_REFUSED;
		if (text.len == 0)
			text = buf_str(&g->refusal);
	}
	if (answer->stop == PROVIDER_STOP_LENGTH || answer->stop == PROVIDER_STOP_CONTEXT_OVERFLOW)
		answer->flags |= FLAG_TRUNCATED;
	if (answer->stop == PROVIDER_STOP_FILTER)
		answer->flags |= FLAG_FILTERED;
	if (str_trim(text).len == 0)
		answer->flags |= FLAG_EMPTY;
	return !g->text.failed && !g->reasoning.failed && !g->refusal.failed &&
	       provider_reply_keep(g->arena, text, &answer->text) &&
	       provider_reply_keep(g->arena, thought, &answer->reasoning);
}

bool openai_read_answer(struct str body, bool is_stream, bool chat, struct arena *a, struct provider_answer *ret_answer,
                        struct provider_fault *ret_fault)
{
	struct gather g = { .arena = a, .answer = ret_answer, .fault = ret_fault, .chat = chat };
	buf_init(&g.text, body.len); /* no part of an answer is longer than the body that carried it */
	buf_init(&g.reasoning, body.len);
	buf_init(&g.refusal, body.len);
	if (is_stream)
		take_stream(&g, body);
	else
		take_document(&g, body);
	judge(&g);
	if (!g.failed && !finish(&g)) {
		g.failed = true;
		ret_fault->forced = CLASS_TOO_LARGE;
		provider_fault_say(ret_fault, STR("the answer does not fit in memory"));
	}
	buf_done(&g.text);
	buf_done(&g.reasoning);
	buf_done(&g.refusal);
	return !g.failed;
}
