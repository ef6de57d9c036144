#include "common/base/unicode.h"
#include "coordinator/cli/api.h"
#include "coordinator/cli/commands.h"
#include "coordinator/cli/watch.h"
#include <signal.h>

enum { STUCK_MS = 3000 };

/* ---- probe: one question through the whole way, so that what answers here answers in a run ---- */

static const char probe_bundle_yaml[] = "schema: assay.suite.v1\nname: " CLI_PROBE_SUITE "\ntask: assay.probe\n"
					"items: [items.jsonl]\ngenerate:\n  prompt: \"{{input}}\"\n  temperature: 0\n"
					"  max_tokens: 8\nscores:\n  - {name: answered, type: includes}\n";
static const char probe_bundle_items[] =
	"{\"id\": \"hello\", \"input\": \"Answer with the word OK.\", \"target\": \"OK\"}\n";

static enum err_code push_probe(struct api *a, struct error *reterr)
{
	struct buf bundle;
	struct api_answer answer;
	buf_init(&bundle, 64 << 10);
	(void)buf_printf(&bundle, "file %zu suite.yaml\n%sfile %zu items.jsonl\n%s", sizeof(probe_bundle_yaml) - 1,
	                 probe_bundle_yaml, sizeof(probe_bundle_items) - 1, probe_bundle_items); /* half a kilobyte */
	struct api_call call = { .method = "POST",
		                 .path = "/api/v1/suites",
		                 .body = buf_str(&bundle),
		                 .type = "application/vnd.assay.bundle" };
	enum err_code err = api_send(a, &call, &answer, reterr);
	if (err == ERR_OK)
		api_answer_done(&answer);
	buf_done(&bundle);
	return err;
}

static enum err_code start_probe(struct cli *c, struct api *a, uint64_t *ret_run, struct error *reterr)
{
	struct buf body;
	struct json_write w;
	struct api_answer answer;
	buf_init(&body, 64 << 10);
	json_write_init(&w, &body, false);
	json_write_object(&w);
	json_write_field_c(&w, "suite", CLI_PROBE_SUITE);
	json_write_field_str(&w, "model", config_operand(c->config, 0));
	json_write_field_bool(&w, "again", true);
	json_write_object_end(&w);
	struct api_call call = { .method = "POST", .path = "/api/v1/runs", .body = buf_str(&body) };
	enum err_code err = api_send(a, &call, &answer, reterr);
	if (err == ERR_OK) {
		*ret_run = (uint64_t)json_i64_or(json_get(json_root(answer.doc), "id"), 0);
		api_answer_done(&answer);
	}
	buf_done(&body);
	return err;
}

struct probe { /* what came of it; borrowed from the item document */
	const struct json *result, *attempt;
	bool answers;
};

static struct probe read_probe(const struct json *item)
{
	const struct json *results = json_get(item, "results"), *attempts = json_get(item, "attempts");
	struct probe p = { .result = json_len(results) ? json_at(results, json_len(results) - 1) : NULL,
		           .attempt = json_len(attempts) ? json_at(attempts, json_len(attempts) - 1) : NULL };
	p.answers = str_eq_c(json_str_or(json_get(p.result, "outcome"), STR("")), "scored");
	return p;
}

static void print_visible(struct str label, struct str text)
{
	struct buf shown;
	buf_init(&shown, 64 << 10);
	if (text.len && unicode_visible(str_slice(text, 0, 4000), &shown))
		cli_print_line("  %-15.*s %.*s", STR_ARG(label), STR_ARG(buf_str(&shown)));
	buf_done(&shown);
}

static void print_probe(const struct cli *c, const struct probe *p)
{
	cli_print_line("%.*s  %s", STR_ARG(config_operand(c->config, 0)), p->answers ? "answers" : "does NOT answer");
	if (!p->answers) {
		print_visible(json_str_or(json_get(p->attempt, "error_class"), STR("no answer")),
		              json_str_or(json_get(p->attempt, "evidence"), STR("no evidence")));
		return;
	}
	print_visible(STR("returned model"), json_str_or(json_get(p->result, "returned_model"), STR("?")));
	print_visible(STR("fingerprint"), json_str_or(json_get(p->result, "fingerprint"), STR("none")));
	cli_print_line("  %-15s %lld ms", "latency", (long long)json_i64_or(json_get(p->result, "latency_ms"), 0));
	cli_print_line("  %-15s %lld in, %lld out", "tokens",
	               (long long)json_i64_or(json_get(p->result, "tokens_in"), 0),
	               (long long)json_i64_or(json_get(p->result, "tokens_out"), 0));
	print_visible(STR("answer"), json_str_or(json_get(p->result, "answer"), STR("")));
}

static void copy_fields(struct json_write *w, const struct json *from, const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		json_write_key(w, names[i]);
		if (json_get(from, names[i]))
			json_write_value(w, json_get(from, names[i]));
		else
			json_write_null(w);
	}
}

static enum cli_exit print_probe_json(const struct cli *c, uint64_t run_id, const struct probe *p)
{
	static const char *const facts[] = { "returned_model", "fingerprint", "latency_ms", "tokens_in", "tokens_out" };
	static const char *const failures[] = { "error_class", "http_status" };
	static const char *const answer[] = { "answer" }, *const evidence[] = { "evidence" };
	bool content = config_bool(c->config, "content");
	struct buf out;
	struct json_write w;
	buf_init(&out, CLI_OUTPUT_BYTES_MAX);
	json_write_init(&w, &out, false);
	json_write_object(&w);
	json_write_field_c(&w, "schema", "assay.probe.v1");
	json_write_field_str(&w, "model", config_operand(c->config, 0));
	json_write_field_i64(&w, "run", (int64_t)run_id);
	json_write_field_bool(&w, "answers", p->answers);
	copy_fields(&w, p->result, facts, ARRAY_LEN(facts));
	copy_fields(&w, p->answers ? NULL : p->attempt, failures, ARRAY_LEN(failures));
	if (content) {
		copy_fields(&w, p->result, answer, ARRAY_LEN(answer));
		copy_fields(&w, p->attempt, evidence, ARRAY_LEN(evidence));
	} else {
		json_write_field_bool(&w, "content_withheld", true);
	}
	json_write_object_end(&w);
	return cli_print_json(&out);
}

/* Nobody waits for its answer any more. It may have ended meanwhile, and a server that is away ends it by itself. */
static void cancel_probe(struct api *a, uint64_t run_id)
{
	struct api_answer answer;
	char path[80];
	(void)snprintf(path, sizeof(path), "/api/v1/runs/%llu/cancel", (unsigned long long)run_id);
	struct api_call call = { .method = "POST", .path = path, .body = STR("{}"), .timeout_ms = 2000 };
	if (api_send(a, &call, &answer, NULL) == ERR_OK)
		api_answer_done(&answer);
}

/* What ends a probe before its answer: CLI_OK when nothing did. */
static enum cli_exit probe_broken_off(struct cli *c, struct api *a, uint64_t run_id, const struct watch_end *end)
{
	if (!end->interrupted && !end->stuck[0])
		return CLI_OK;
	cancel_probe(a, run_id);
	if (end->stuck[0])
		return cli_fail_text(c, CLI_FAILED, "nobody could ask '%.*s': %s (assay workers list, assay doctor)",
		                     STR_ARG(config_operand(c->config, 0)), end->stuck);
	return cli_fail_text(c, end->signal == SIGTERM ? CLI_TERMINATED : CLI_INTERRUPTED,
	                     "interrupted before '%.*s' answered; the probe was cancelled",
	                     STR_ARG(config_operand(c->config, 0)));
}

enum cli_exit cmd_models_probe(struct cli *c)
{
	struct api *a = NULL;
	struct api_answer answer;
	struct watch_end end = { .signal = 0 };
	struct error e;
	uint64_t run_id = 0;
	enum cli_exit status = CLI_OK;
	enum err_code err = api_open(c, &a, &e);
	if (err == ERR_OK)
		err = push_probe(a, &e);
	if (err == ERR_OK)
		err = start_probe(c, a, &run_id, &e);
	if (err == ERR_OK)
		err = watch_run(c, a, run_id, STUCK_MS, &end, &e);
	if (err == ERR_OK)
		status = probe_broken_off(c, a, run_id, &end);
	if (err == ERR_OK && status == CLI_OK)
		err = api_get(a, &answer, &e, "/api/v1/runs/%llu/items/hello", (unsigned long long)run_id);
	api_close(a);
	if (err != ERR_OK)
		return cli_fail(c, &e);
	if (status != CLI_OK)
		return status;
	struct probe p = read_probe(json_root(answer.doc));
	if (c->json)
		status = print_probe_json(c, run_id, &p);
	else
		print_probe(c, &p);
	api_answer_done(&answer);
	return status != CLI_OK ? status : p.answers ? CLI_OK : CLI_FAILED;
}
