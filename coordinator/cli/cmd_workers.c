#include "coordinator/cli/api.h"
#include "coordinator/cli/commands.h"

enum cli_exit cmd_workers_list(struct cli *c)
{
	struct api *a;
	struct api_answer answer;
	struct error e;
	if (api_open(c, &a, &e) != ERR_OK)
		return cli_fail(c, &e);
	enum err_code err = api_get(a, &answer, &e, "/api/v1/workers?limit=500");
	api_close(a);
	if (err != ERR_OK)
		return cli_fail(c, &e);
	const struct json *items = json_get(json_root(answer.doc), "items");
	if (c->json)
		cli_print_line("%.*s", STR_ARG(answer.text));
	for (size_t i = 0; !c->json && i < json_len(items); i++) {
		const struct json *w = json_at(items, i);
		cli_print_line(
			"%-20.*s %-10.*s slots %-5lld held %-6lld started %-6lld %.1f/s  unreported asks %lld",
			STR_ARG(json_str_or(json_get(w, "name"), STR("?"))),
			STR_ARG(json_str_or(json_get(w, "state"), STR("?"))),
			(long long)json_i64_or(json_get(w, "slots"), 0), (long long)json_i64_or(json_get(w, "held"), 0),
			(long long)json_i64_or(json_get(w, "started"), 0), json_num_or(json_get(w, "samples_per_s"), 0),
			(long long)json_i64_or(json_get(w, "unreported_asks"), 0));
	}
	if (!c->json && json_len(items) == 0)
		cli_note(c, "no worker ever connected: assay logs worker-1");
	api_answer_done(&answer);
	return CLI_OK;
}

static enum err_code change(struct cli *c, struct api *a, struct api_answer *answer, struct error *reterr)
{
	struct str verb = config_operand(c->config, 0), name = config_operand(c->config, 1),
		   key = config_operand(c->config, 2);
	struct buf text;
	buf_init(&text, 16 << 10);
	enum err_code err;
	if (str_eq_c(verb, "add") && name.len && key.len) {
		struct json_write w;
		json_write_init(&w, &text, false);
		json_write_object(&w);
		json_write_field_str(&w, "name", name);
		json_write_field_str(&w, "key", key);
		json_write_object_end(&w);
		struct api_call call = { .method = "POST", .path = "/api/v1/workers/keys", .body = buf_str(&text) };
		err = api_send(a, &call, answer, reterr);
	} else if (str_eq_c(verb, "revoke") && name.len && !key.len) {
		(void)buf_append_c(&text, "/api/v1/workers/keys/");
		(void)api_put_escaped(&text, name); /* a cut name is not found */
		struct api_call call = { .method = "DELETE", .path = text.data };
		err = api_send(a, &call, answer, reterr);
	} else {
		err = error_set(reterr, ERR_INVALID, "use: assay workers keys [list] | add NAME KEY | revoke NAME");
	}
	buf_done(&text);
	return err;
}

enum cli_exit cmd_workers_keys(struct cli *c)
{
	struct api *a;
	struct api_answer answer;
	struct error e;
	struct str verb = config_operand(c->config, 0);
	if (api_open(c, &a, &e) != ERR_OK)
		return cli_fail(c, &e);
	enum err_code err = verb.len == 0 || str_eq_c(verb, "list") ? api_get(a, &answer, &e, "/api/v1/workers/keys")
	                                                            : change(c, a, &answer, &e);
	api_close(a);
	if (err != ERR_OK)
		return cli_fail(c, &e);
	const struct json *items = json_get(json_root(answer.doc), "items");
	if (c->json)
		cli_print_line("%.*s", STR_ARG(answer.text));
	for (size_t i = 0; !c->json && i < json_len(items); i++)
		cli_print_line("%-24.*s %.*s", STR_ARG(json_str_or(json_get(json_at(items, i), "name"), STR("?"))),
		               STR_ARG(json_str_or(json_get(json_at(items, i), "key"), STR("?"))));
	api_answer_done(&answer);
	return CLI_OK;
}
