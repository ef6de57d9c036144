/* The rows of OpenAI's chat and completions APIs, which most servers speak: what is sent. */
#include "common/base/json_write.h"
#include "worker/provider/openai_read.h"

static void write_params(struct json_write *w, const struct provider_model *m, const struct provider_prompt *prompt,
                         const struct provider_params *p, const char *max_tokens_field)
{
	if (p->given & PROVIDER_TEMPERATURE)
		json_write_field_num(w, "temperature", p->temperature);
	if (p->given & PROVIDER_TOP_P)
		json_write_field_num(w, "top_p", p->top_p);
	if (p->given & PROVIDER_MAX_TOKENS)
		json_write_field_i64(w, max_tokens_field, p->max_tokens);
	if (prompt->has_epoch_seed && !(p->never & PROVIDER_SEED))
		json_write_field_i64(w, "seed", (int64_t)(prompt->epoch_seed & INT32_MAX));
	else if (p->given & PROVIDER_SEED)
		json_write_field_i64(w, "seed", p->seed);
	if (p->given & PROVIDER_STOP) {
		json_write_key(w, "stop");
		json_write_array(w);
		for (size_t i = 0; i < p->stop_count; i++)
			json_write_str(w, p->stops[i]);
		json_write_array_end(w);
	}
	for (size_t i = 0; i < m->extra_count; i++) {
		json_write_key_str(w, m->extras[i].key);
		json_write_raw(w, m->extras[i].json);
	}
	json_write_field_bool(w, "stream", m->stream);
	if (m->stream) {
		json_write_key(w, "stream_options");
		json_write_object(w);
		json_write_field_bool(w, "include_usage", true);
		json_write_object_end(w);
	}
}

static void write_message(struct json_write *w, enum provider_role role, struct str content)
{
	static const char *const roles[] = { "system", "user", "assistant" };
	json_write_object(w);
	json_write_field_c(w, "role", roles[role]);
	json_write_field_str(w, "content", content);
	json_write_object_end(w);
}

static enum err_code chat_body(const struct provider_model *m, const struct provider_prompt *prompt,
                               const struct provider_params *params, const char *max_tokens_field, struct buf *body,
                               struct error *reterr)
{
	struct json_write w;
	json_write_init(&w, body, false);
	json_write_object(&w);
	json_write_field_str(&w, "model", m->model);
	json_write_key(&w, "messages");
	json_write_array(&w);
	if (prompt->system.len)
		write_message(&w, PROVIDER_ROLE_SYSTEM, prompt->system);
	for (size_t i = 0; i < prompt->message_count; i++)
		write_message(&w, prompt->messages[i].role, prompt->messages[i].content);
	json_write_array_end(&w);
	write_params(&w, m, prompt, params, max_tokens_field);
	json_write_object_end(&w);
	return body->failed ? error_set(reterr, ERR_LIMIT, "request body is over %zu bytes", body->max) : ERR_OK;
}

/* Completions know no roles: one text, with the system text before it. */
static enum err_code completions_body(const struct provider_model *m, const struct provider_prompt *prompt,
                                      const struct provider_params *params, const char *max_tokens_field,
                                      struct buf *body, struct error *reterr)
{
	if (prompt->message_count != 1 || prompt->messages[0].role != PROVIDER_ROLE_USER)
		return error_set(reterr, ERR_UNSUPPORTED,
		                 "provider openai_completions takes one user text, not a conversation of %zu messages",
		                 prompt->message_count);
	struct buf text;
	buf_init(&text, body->max);
	if (prompt->system.len) {
		buf_append_str(&text, prompt->system);
		buf_append_c(&text, "\n\n");
	}
	(void)buf_append_str(&text, prompt->messages[0].content); /* what does not fit here does not fit the body */
	struct json_write w;
	json_write_init(&w, body, false);
	json_write_object(&w);
	json_write_field_str(&w, "model", m->model);
	json_write_field_str(&w, "prompt", buf_str(&text));
	write_params(&w, m, prompt, params, max_tokens_field);
	json_write_object_end(&w);
	bool fits = !text.failed && !body->failed;
	buf_done(&text);
	if (!fits)
		return error_set(reterr, ERR_LIMIT, "request body is over %zu bytes", body->max);
	return ERR_OK;
}

static bool read_chat(struct str body, bool is_stream, struct arena *a, struct provider_answer *ret_answer,
                      struct provider_fault *ret_fault)
{
	return openai_read_answer(body, is_stream, true, a, ret_answer, ret_fault);
}

static bool read_completions(struct str body, bool is_stream, struct arena *a, struct provider_answer *ret_answer,
                             struct provider_fault *ret_fault)
{
	return openai_read_answer(body, is_stream, false, a, ret_answer, ret_fault);
}

const struct provider_api provider_api_openai = {
	.name = "openai",
	.version = "/v1",
	.endpoint = "/chat/completions",
	.auth_header = "Authorization",
	.auth_prefix = "Bearer ",
	.body = chat_body,
	.read = read_chat,
	.fault = openai_read_fault,
};

const struct provider_api provider_api_openai_completions = {
	.name = "openai_completions",
	.version = "/v1",
	.endpoint = "/completions",
	.auth_header = "Authorization",
	.auth_prefix = "Bearer ",
	.body = completions_body,
	.read = read_completions,
	.fault = openai_read_fault,
};
