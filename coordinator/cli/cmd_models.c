#include "coordinator/cli/api.h"
#include "coordinator/cli/commands.h"
#include "coordinator/cli/list.h"
#include "coordinator/cli/push.h"

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
	enum err_code err = push_read_file(file.data, &yaml, &e);
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

static void print_model_row(const struct cli *c, const struct json *m, bool first)
{
	(void)c;
	(void)first;
	struct str where = json_str_or(json_pointer(m, STR("/config/base_url")), STR(""));
	struct str command = json_str_or(json_pointer(m, STR("/config/host/command")), STR(""));
	cli_print_line("%-24.*s v%-3lld %-18.*s %-24.*s %s%.*s", STR_ARG(json_str_or(json_get(m, "name"), STR("?"))),
	               (long long)json_i64_or(json_get(m, "version"), 0),
	               STR_ARG(json_str_or(json_get(m, "provider"), STR("?"))),
	               STR_ARG(json_str_or(json_get(m, "model"), STR(""))), command.len ? "hosted: " : "",
	               STR_ARG(command.len ? command : where));
}

enum cli_exit cmd_models_list(struct cli *c)
{
	static const struct list list = { .path = "/api/v1/models?limit=500",
		                          .schema = "assay.models-list.v1",
		                          .print = print_model_row };
	struct api *a;
	struct error e;
	size_t count = 0;
	if (api_open(c, &a, &e) != ERR_OK)
		return cli_fail(c, &e);
	enum err_code err = list_show(c, a, &list, &count, &e);
	api_close(a);
	if (err != ERR_OK)
		return cli_fail(c, &e);
	if (count == 0)
		cli_note(c, "no models yet: assay init, then assay models add models.yaml");
	return CLI_OK;
}
