#include "common/base/unicode.h"
#include "coordinator/cli/api.h"
#include "coordinator/cli/commands.h"
#include "coordinator/cli/withheld.h"

enum { SHOWN_BYTES_MAX = 16 << 20 };

/* Text that a model or a provider wrote: control characters made visible. */
static void print_block(const char *label, struct str text)
{
	struct buf shown;
	struct str rest = text, line;
	if (text.len == 0)
		return;
	cli_print_line("  %s", label);
	while (str_split(&rest, '\n', &line)) {
		buf_init(&shown, SHOWN_BYTES_MAX);
		if (unicode_visible(line, &shown))
			cli_print_line("    %.*s", STR_ARG(buf_str(&shown)));
		buf_done(&shown);
	}
}

static void print_result(const struct json *r)
{
	const struct json *scores = json_get(r, "scores"), *flags = json_get(r, "flags");
	double value;
	cli_print_line("epoch %lld, retry %lld: %.*s  %lld ms  %lld tokens in, %lld out  by %.*s",
	               (long long)json_i64_or(json_get(r, "epoch"), 0),
	               (long long)json_i64_or(json_get(r, "retry_no"), 0),
	               STR_ARG(json_str_or(json_get(r, "outcome"), STR("?"))),
	               (long long)json_i64_or(json_get(r, "latency_ms"), 0),
	               (long long)json_i64_or(json_get(r, "tokens_in"), 0),
	               (long long)json_i64_or(json_get(r, "tokens_out"), 0),
	               STR_ARG(json_str_or(json_get(r, "worker"), STR(""))));
	for (size_t i = 0; i < json_len(scores); i++) {
		const struct json *s = json_at(scores, i);
		struct str metric = json_str_or(json_get(s, "metric"), STR("?"));
		if (json_num(json_get(s, "value"), &value))
			cli_print_line("  %.*s %.4g", STR_ARG(metric), value);
		else
			cli_print_line("  %.*s has no score: %.*s", STR_ARG(metric),
			               STR_ARG(json_str_or(json_get(s, "reason"), STR("?"))));
		print_block("why", json_str_or(json_get(s, "explanation"), STR("")));
	}
	for (size_t i = 0; i < json_len(flags); i++)
		cli_print_line("  flag: %.*s", STR_ARG(json_str_or(json_at(flags, i), STR("?"))));
	print_block("answer", json_str_or(json_get(r, "answer"), STR("")));
	print_block("request", json_str_or(json_get(r, "request"), STR("")));
	print_block("response", json_str_or(json_get(r, "response"), STR("")));
	print_block("evidence", json_str_or(json_get(r, "evidence"), STR("")));
}

static void print_attempt(const struct json *t)
{
	cli_print_line("failed attempt, epoch %lld: %.*s  status %lld  %lld ms  %.*s",
	               (long long)json_i64_or(json_get(t, "epoch"), 0),
	               STR_ARG(json_str_or(json_get(t, "error_class"), STR("?"))),
	               (long long)json_i64_or(json_get(t, "http_status"), 0),
	               (long long)json_i64_or(json_get(t, "latency_ms"), 0),
	               json_bool_or(json_get(t, "unheard_of"), false) ? 39 : 0,
	               "(its worker has not been heard of since)");
	print_block("evidence", json_str_or(json_get(t, "evidence"), STR("")));
}

static void print_target(const struct json *content)
{
	const struct json *target = json_get(content, "target");
	struct str text;
	if (json_str(target, &text))
		print_block("target", text);
	for (size_t i = 0; i < json_len(target); i++)
		if (json_str(json_at(target, i), &text))
			print_block("target", text);
}

static void print_item(const struct json *root)
{
	const struct json *content = json_get(root, "content"), *results = json_get(root, "results");
	const struct json *attempts = json_get(root, "attempts");
	cli_print_line("item %.*s of run %lld", STR_ARG(json_str_or(json_get(root, "item"), STR("?"))),
	               (long long)json_i64_or(json_get(root, "run"), 0));
	print_block("input", json_str_or(json_get(content, "input"), STR("")));
	print_target(content);
	for (size_t i = 0; i < json_len(results); i++)
		print_result(json_at(results, i));
	for (size_t i = 0; i < json_len(attempts); i++)
		print_attempt(json_at(attempts, i));
	if (json_len(results) + json_len(attempts) == 0)
		cli_print_line("nothing came of it yet");
}

enum cli_exit cmd_item_show(struct cli *c)
{
	struct api *a;
	struct api_answer answer;
	struct error e;
	struct buf path;
	uint64_t run_id;
	if (!str_to_u64(config_operand(c->config, 0), &run_id))
		return cli_fail_text(c, CLI_USAGE, "'%.*s' is not the number of a run",
		                     STR_ARG(config_operand(c->config, 0)));
	if (api_open(c, &a, &e) != ERR_OK)
		return cli_fail(c, &e);
	buf_init(&path, 8192);
	(void)api_put_escaped(&path, config_operand(c->config, 1)); /* a cut name is not found */
	enum err_code err = api_get(a, &answer, &e, "/api/v1/runs/%llu/items/%.*s", (unsigned long long)run_id,
	                            STR_ARG(buf_str(&path)));
	buf_done(&path);
	api_close(a);
	if (err != ERR_OK)
		return cli_fail(c, &e);
	enum cli_exit status = CLI_OK;
	if (!c->json) {
		print_item(json_root(answer.doc));
	} else if (config_bool(c->config, "content")) {
		cli_print_line("%.*s", STR_ARG(answer.text));
	} else {
		struct buf out;
		struct json_write w;
		buf_init(&out, CLI_OUTPUT_BYTES_MAX);
		json_write_init(&w, &out, false);
		withheld_write(&w, json_root(answer.doc));
		status = cli_print_json(&out);
	}
	api_answer_done(&answer);
	return status;
}

enum cli_exit cmd_compare(struct cli *c)
{
	struct api *a;
	struct api_answer answer;
	struct error e;
	uint64_t base = 0, cand = 0;
	char query[300];
	for (size_t i = 0; i < 2; i++)
		if (!str_to_u64(config_operand(c->config, i), i ? &cand : &base))
			return cli_fail_text(c, CLI_USAGE, "'%.*s' is not the number of a run",
			                     STR_ARG(config_operand(c->config, i)));
	if (api_open(c, &a, &e) != ERR_OK)
		return cli_fail(c, &e);
	struct buf by;
	buf_init(&by, 200);
	(void)api_put_escaped(&by, config_text(c->config, "by")); /* a cut name is refused by the server */
	(void)snprintf(query, sizeof(query), "base=%llu&cand=%llu&color=%d&width=%u&by=%.*s&only=%.*s",
	               (unsigned long long)base, (unsigned long long)cand, c->color, c->width, STR_ARG(buf_str(&by)),
	               STR_ARG(config_text(c->config, "only")));
	enum err_code err = c->json ? api_get(a, &answer, &e, "/api/v1/compare?%s", query)
	                            : api_get_text(a, &answer, &e, "/api/v1/compare?%s", query);
	buf_done(&by);
	api_close(a);
	if (err == ERR_CONFLICT) /* two runs that share nothing: a refusal with its reason, not wrong usage */
		return cli_fail_text(c, CLI_NOTHING, "%s", e.text);
	if (err != ERR_OK)
		return cli_fail(c, &e);
	cli_print(answer.text);
	if (c->json)
		cli_print(STR("\n"));
	api_answer_done(&answer);
	return CLI_OK;
}
