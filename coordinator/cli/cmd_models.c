#include "common/io/fs.h"
#include "coordinator/cli/api.h"
#include "coordinator/cli/commands.h"
#include "coordinator/cli/watch.h"
#include <signal.h>

enum { MODELS_BYTES_MAX = 1 << 20 };

enum cli_exit cmd_models_add(struct cli *c)
{
	struct api *a = NULL;
	struct api_answer answer;
	struct error e;
	struct buf yaml, path;
	struct str file = config_operand(c->config, 0);
	buf_init(&yaml, MODELS_BYTES_MAX);
	buf_init(&path, 16 << 10);
	enum err_code err = fs_read(file.data, &yaml, &e);
	if (err == ERR_NOT_FOUND)
		err = e.code = ERR_INVALID;
	if (err == ERR_OK)
		err = api_open(c, &a, &e);
	(void)buf_append_c(&path, "/api/v1/models?file=");
	(void)api_put_escaped(&path, file); /* only for the words of an error */
	struct api_call call = {
		.method = "POST", .path = path.data, .body = buf_str(&yaml), .type = "application/yaml"
	};
	if (err == ERR_OK)
		err = api_send(a, &call, &answer, &e);
	api_close(a);
	buf_done(&yaml);
	buf_done(&path);
	if (err != ERR_OK)
		return cli_fail(c, &e);
	const struct json *items = json_get(json_root(answer.doc), "items");
	if (c->json)
		cli_print_line("%.*s", STR_ARG(answer.text));
	for (size_t i = 0; !c->json && i < json_len(items); i++)
		cli_print_line("%-28.*s v%lld  %s", STR_ARG(json_str_or(json_get(json_at(items, i), "name"), STR("?"))),
		               (long long)json_i64_or(json_get(json_at(items, i), "version"), 0),
		               json_bool_or(json_get(json_at(items, i), "created"), false) ? "added" : "known already");
	cli_note(c, "next: assay models probe NAME | assay run SUITE --model NAME");
	api_answer_done(&answer);
	return CLI_OK;
}

enum cli_exit cmd_models_list(struct cli *c)
{
	struct api *a;
	struct api_answer answer;
	struct error e;
	if (api_open(c, &a, &e) != ERR_OK)
		return cli_fail(c, &e);
	enum err_code err = api_get(a, &answer, &e, "/api/v1/models?limit=500");
	api_close(a);
	if (err != ERR_OK)
		return cli_fail(c, &e);
	const struct json *items = json_get(json_root(answer.doc), "items");
	if (c->json)
		cli_print_line("%.*s", STR_ARG(answer.text));
	for (size_t i = 0; !c->json && i < json_len(items); i++) {
		const struct json *m = json_at(items, i);
		struct str where = json_str_or(json_pointer(m, STR("/config/base_url")), STR(""));
		struct str command = json_str_or(json_pointer(m, STR("/config/host/command")), STR(""));
		cli_print_line("%-24.*s v%-3lld %-18.*s %-24.*s %s%.*s",
		               STR_ARG(json_str_or(json_get(m, "name"), STR("?"))),
		               (long long)json_i64_or(json_get(m, "version"), 0),
		               STR_ARG(json_str_or(json_get(m, "provider"), STR("?"))),
		               STR_ARG(json_str_or(json_get(m, "model"), STR(""))), command.len ? "hosted: " : "",
		               STR_ARG(command.len ? command : where));
	}
	if (!c->json && json_len(items) == 0)
		cli_note(c, "no models yet: assay init, then assay models add models.yaml");
	api_answer_done(&answer);
	return CLI_OK;
}

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

static enum cli_exit print_probe(struct cli *c, const struct json *item)
{
	const struct json *r = json_at(json_get(item, "results"), json_len(json_get(item, "results")) - 1);
	const struct json *t = json_at(json_get(item, "attempts"), json_len(json_get(item, "attempts")) - 1);
	bool answered = str_eq_c(json_str_or(json_get(r, "outcome"), STR("")), "scored");
	cli_print_line("%.*s  %s", STR_ARG(config_operand(c->config, 0)), answered ? "answers" : "does NOT answer");
	if (answered) {
		cli_print_line("  returned model  %.*s", STR_ARG(json_str_or(json_get(r, "returned_model"), STR("?"))));
		cli_print_line("  fingerprint     %.*s", STR_ARG(json_str_or(json_get(r, "fingerprint"), STR("none"))));
		cli_print_line("  latency         %lld ms", (long long)json_i64_or(json_get(r, "latency_ms"), 0));
		cli_print_line("  tokens          %lld in, %lld out",
		               (long long)json_i64_or(json_get(r, "tokens_in"), 0),
		               (long long)json_i64_or(json_get(r, "tokens_out"), 0));
		return CLI_OK;
	}
	cli_print_line("  %.*s: %.*s", STR_ARG(json_str_or(json_get(t, "error_class"), STR("?"))),
	               STR_ARG(json_str_or(json_get(t, "evidence"), STR("no evidence"))));
	return CLI_FAILED;
}

enum cli_exit cmd_models_probe(struct cli *c)
{
	struct api *a = NULL;
	struct api_answer answer;
	struct watch_end end;
	struct error e;
	uint64_t run_id = 0;
	enum err_code err = api_open(c, &a, &e);
	if (err == ERR_OK)
		err = push_probe(a, &e);
	if (err == ERR_OK)
		err = start_probe(c, a, &run_id, &e);
	if (err == ERR_OK)
		err = watch_run(c, a, run_id, &end, &e);
	if (err == ERR_OK && end.interrupted) {
		api_close(a);
		return end.signal == SIGTERM ? CLI_TERMINATED : CLI_INTERRUPTED;
	}
	if (err == ERR_OK)
		err = api_get(a, &answer, &e, "/api/v1/runs/%llu/items/hello", (unsigned long long)run_id);
	api_close(a);
	if (err != ERR_OK)
		return cli_fail(c, &e);
	enum cli_exit status = CLI_OK;
	if (c->json)
		cli_print_line("%.*s", STR_ARG(answer.text));
	else
		status = print_probe(c, json_root(answer.doc));
	api_answer_done(&answer);
	return status;
}
