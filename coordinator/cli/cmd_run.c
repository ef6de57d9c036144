#include "common/io/keys.h"
#include "coordinator/cli/commands.h"
#include "coordinator/cli/push.h"
#include "coordinator/cli/watch.h"
#include <signal.h>

enum { BODY_BYTES_MAX = 1 << 20 };

static enum err_code write_slices(struct cli *c, struct json_write *w, struct error *reterr)
{
	size_t count = config_list_count(c->config, "slice");
	if (count == 0)
		return ERR_OK;
	json_write_key(w, "slice");
	json_write_object(w);
	for (size_t i = 0; i < count; i++) {
		struct str pair = config_list(c->config, "slice", i), rest = pair, key;
		if (!str_split(&rest, '=', &key) || !rest.data || key.len == 0)
			return error_set(reterr, ERR_INVALID,
			                 "--slice must be KEY=VALUE, such as stratum=refund, not '%.*s'",
			                 STR_ARG(pair));
		json_write_key_str(w, key);
		json_write_str(w, rest);
	}
	json_write_object_end(w);
	return ERR_OK;
}

static enum err_code write_request(struct cli *c, struct str suite, struct buf *out, struct error *reterr)
{
	struct json_write w;
	json_write_init(&w, out, false);
	json_write_object(&w);
	json_write_field_str(&w, "suite", suite);
	json_write_field_str(&w, "model", config_text(c->config, "model"));
	if (config_has(c->config, "epochs"))
		json_write_field_i64(&w, "epochs", config_i64(c->config, "epochs"));
	if (config_has(c->config, "limit"))
		json_write_field_str(&w, "limit", config_text(c->config, "limit"));
	if (config_has(c->config, "seed"))
		json_write_field_i64(&w, "seed", config_i64(c->config, "seed"));
	if (config_has(c->config, "priority"))
		json_write_field_i64(&w, "priority", config_i64(c->config, "priority"));
	if (config_bool(c->config, "again"))
		json_write_field_bool(&w, "again", true);
	if (config_bool(c->config, "dry-run"))
		json_write_field_bool(&w, "dry_run", true);
	enum err_code err = write_slices(c, &w, reterr);
	if (err != ERR_OK)
		return err;
	json_write_object_end(&w);
	return out->failed ? error_set(reterr, ERR_LIMIT, "the request is too long") : ERR_OK;
}

/* "about $0.0123, at most $0.0456", as far as either is known. */
static void print_about(const struct json *plan, const char *label, const char *about_key, const char *most_key,
                        const char *unit, double scale, const char *unknown)
{
	double about, most;
	char about_text[64] = "", most_text[64] = "";
	int digits = scale > 1 ? 4 : 0;
	if (json_num(json_get(plan, about_key), &about))
		(void)snprintf(about_text, sizeof(about_text), "about %s%.*f", unit, digits, about / scale);
	if (json_num(json_get(plan, most_key), &most))
		(void)snprintf(most_text, sizeof(most_text), "at most %s%.*f", unit, digits, most / scale);
	cli_print_line("%s%s%s%s", label, about_text, *about_text && *most_text ? ", " : "",
	               *most_text    ? most_text
	               : *about_text ? ""
	                             : unknown);
}

static void print_plan(const struct json *plan)
{
	double value;
	struct str text;
	cli_print_line("suite %.*s@%lld  model %.*s  (dry run: nothing is asked)",
	               STR_ARG(json_str_or(json_get(plan, "suite"), STR("?"))),
	               (long long)json_i64_or(json_get(plan, "suite_version"), 0),
	               STR_ARG(json_str_or(json_get(plan, "model"), STR("?"))));
	cli_print_line("  items n           %lld", (long long)json_i64_or(json_get(plan, "n"), 0));
	cli_print_line("  calls             %lld  (%lld epoch%s)", (long long)json_i64_or(json_get(plan, "calls"), 0),
	               (long long)json_i64_or(json_get(plan, "epochs"), 1),
	               CLI_S(json_i64_or(json_get(plan, "epochs"), 1)));
	cli_print_line("  tokens in         about %lld, at most %lld",
	               (long long)json_i64_or(json_get(plan, "tokens_in_estimate"), 0),
	               (long long)json_i64_or(json_get(plan, "tokens_in_max"), 0));
	print_about(plan, "  tokens out        ", "tokens_out_estimate", "tokens_out_max", "", 1, "not limited");
	print_about(plan, "  cost              ", "cost_nanousd_estimate", "cost_nanousd_max", "$", 1e9, "not known");
	if (json_str(json_get(plan, "basis"), &text))
		cli_print_line("  estimated         %.*s", STR_ARG(text));
	if (json_num(json_get(plan, "smallest_difference"), &value))
		cli_print_line("  smallest difference that two such runs can show: %.1f pp (80 %% power, 5 %% level)",
		               value * 100);
	else
		cli_print_line("  smallest difference: too few items to see any difference");
	cli_print_line("  workers           %lld connected, %lld can serve it",
	               (long long)json_i64_or(json_get(plan, "connected_workers"), 0),
	               (long long)json_i64_or(json_get(plan, "able_workers"), 0));
	const struct json *warnings = json_get(plan, "warnings");
	for (size_t i = 0; i < json_len(warnings); i++)
		if (json_str(json_at(warnings, i), &text))
			cli_print_line("  note: %.*s", STR_ARG(text));
}

/* Gates are asked only with a baseline. */
static enum cli_exit gates_exit(const struct json *report)
{
	const struct json *gates = json_get(report, "gates");
	enum cli_exit status = CLI_OK;
	for (size_t i = 0; i < json_len(gates); i++) {
		struct str verdict = json_str_or(json_get(json_at(gates, i), "verdict"), STR(""));
		if (str_eq_c(verdict, "blocked"))
			return CLI_BLOCKED;
		if (str_eq_c(verdict, "inconclusive"))
			status = CLI_INCONCLUSIVE;
	}
	return status;
}

static enum cli_exit print_report(struct cli *c, struct api *a, uint64_t run_id, enum cli_exit ended)
{
	struct api_answer json, text;
	struct error e;
	char baseline[64] = "";
	if (config_has(c->config, "baseline"))
		(void)snprintf(baseline, sizeof(baseline), "&baseline=%lld",
		               (long long)config_i64(c->config, "baseline"));
	enum cli_exit gates = CLI_OK;
	if (c->json || *baseline) {
		if (api_get(a, &json, &e, "/api/v1/runs/%llu/report?x=1%s", (unsigned long long)run_id, baseline) !=
		    ERR_OK)
			return cli_fail(c, &e);
		gates = gates_exit(json_root(json.doc));
		if (c->json) {
			cli_print(json.text);
			cli_print(STR("\n"));
		}
		api_answer_done(&json);
	}
	if (!c->json) {
		if (api_get_text(a, &text, &e, "/api/v1/runs/%llu/report?color=%d&width=%u%s",
		                 (unsigned long long)run_id, c->color, c->width, baseline) != ERR_OK)
			return cli_fail(c, &e);
		cli_print(text.text);
		api_answer_done(&text);
	}
	return ended != CLI_OK ? ended : gates;
}

/* Before anything is asked, and paid: a number that was mistyped is told at once. */
static enum err_code check_baseline(struct cli *c, struct api *a, struct error *reterr)
{
	struct api_answer run;
	if (!config_has(c->config, "baseline"))
		return ERR_OK;
	enum err_code err = api_get(a, &run, reterr, "/api/v1/runs/%lld", (long long)config_i64(c->config, "baseline"));
	if (err != ERR_OK)
		return error_wrap(reterr, err, "--baseline");
	api_answer_done(&run);
	return ERR_OK;
}

static enum cli_exit follow(struct cli *c, struct api *a, uint64_t run_id)
{
	struct watch_end end;
	struct error e;
	if (watch_run(c, a, run_id, 0, &end, &e) != ERR_OK)
		return cli_fail(c, &e);
	if (end.interrupted) {
		cli_note(c, "run %llu goes on without this command: assay runs watch %llu | assay runs cancel %llu",
		         (unsigned long long)run_id, (unsigned long long)run_id, (unsigned long long)run_id);
		return end.signal == SIGTERM ? CLI_TERMINATED : CLI_INTERRUPTED;
	}
	return print_report(c, a, run_id, watch_exit(end.state));
}

static void tell_made(struct cli *c, const struct json *root, uint64_t run_id)
{
	struct str state = json_str_or(json_get(root, "state"), STR("")),
		   made = json_str_or(json_get(root, "made"), STR(""));
	long long total = (long long)json_i64_or(json_pointer(root, STR("/progress/total")), 0),
		  epochs = (long long)json_i64_or(json_get(root, "epochs"), 1);
	unsigned long long id = run_id;
	if (str_eq_c(made, "extended"))
		cli_note(c, "run %llu is there already and is extended to %lld epoch%s: %lld sample%s in all", id,
		         epochs, CLI_S(epochs), total, CLI_S(total));
	else if (!str_eq_c(made, "new") && str_eq_c(state, "cancelled"))
		cli_note(c,
		         "run %llu was cancelled; to ask what is missing: assay runs retry %llu; to measure anew: "
		         "--again",
		         id, id);
	else if (!str_eq_c(made, "new"))
		cli_note(c, "run %llu is there already (%.*s); to measure again: --again", id, STR_ARG(state));
	else
		cli_note(c, "run %llu: %.*s@%lld with %.*s, %lld sample%s", id,
		         STR_ARG(json_str_or(json_get(root, "suite"), STR(""))),
		         (long long)json_i64_or(json_get(root, "suite_version"), 0),
		         STR_ARG(json_str_or(json_get(root, "model"), STR(""))), total, CLI_S(total));
}

static enum cli_exit answer(struct cli *c, struct api *a, struct api_answer *made)
{
	const struct json *root = json_root(made->doc);
	uint64_t run_id = (uint64_t)json_i64_or(json_get(root, "id"), 0);
	if (config_bool(c->config, "dry-run")) {
		if (c->json) {
			cli_print(made->text);
			cli_print(STR("\n"));
		} else {
			print_plan(root);
		}
		return CLI_OK;
	}
	tell_made(c, root, run_id);
	if (config_bool(c->config, "detach")) {
		if (c->json) {
			cli_print(made->text);
			cli_print(STR("\n"));
		} else {
			cli_print_line("%llu", (unsigned long long)run_id);
			cli_note(c, "next: assay runs watch %llu", (unsigned long long)run_id);
		}
		return CLI_OK;
	}
	return follow(c, a, run_id);
}

enum cli_exit cmd_run(struct cli *c)
{
	struct api *a = NULL;
	struct api_answer made;
	struct error e;
	struct buf body;
	struct str suite = config_operand(c->config, 0);
	char pushed[PUSH_NAME_BYTES];
	buf_init(&body, BODY_BYTES_MAX);
	enum err_code err = api_open(c, &a, &e);
	if (err == ERR_OK)
		err = check_baseline(c, a, &e);
	if (err == ERR_OK && (str_ends(suite, STR(".yaml")) || str_ends(suite, STR(".yml")))) {
		err = push_suite(a, suite.data, pushed, NULL, &e);
		suite = str_from(pushed);
	}
	if (err == ERR_OK)
		err = write_request(c, suite, &body, &e);
	char key[KEYS_TOKEN_BYTES];
	keys_token_new(key); /* names this command: a request that is sent twice makes one run */
	struct api_call call = {
		.method = "POST", .path = "/api/v1/runs", .body = buf_str(&body), .idempotency_key = key
	};
	if (err == ERR_OK)
		err = api_send(a, &call, &made, &e);
	enum cli_exit status;
	if (err == ERR_OK) {
		status = answer(c, a, &made);
		api_answer_done(&made);
	} else {
		status = cli_fail(c, &e);
	}
	buf_done(&body);
	api_close(a);
	return status;
}

enum cli_exit cmd_runs_watch(struct cli *c)
{
	struct api *a;
	struct error e;
	uint64_t run_id;
	struct str named = config_operand(c->config, 0);
	if (!str_to_u64(named, &run_id))
		return cli_fail_text(c, CLI_USAGE, "'%.*s' is not the number of a run", STR_ARG(named));
	if (api_open(c, &a, &e) != ERR_OK)
		return cli_fail(c, &e);
	enum cli_exit status = check_baseline(c, a, &e) == ERR_OK ? follow(c, a, run_id) : cli_fail(c, &e);
	api_close(a);
	return status;
}
