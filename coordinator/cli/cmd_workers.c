#include "common/io/fs.h"
#include "common/io/keys.h"
#include "coordinator/cli/api.h"
#include "coordinator/cli/commands.h"
#include "coordinator/cli/home.h"
#include "coordinator/cli/list.h"

static void print_worker_row(const struct cli *c, const struct json *w, bool first)
{
	(void)c;
	(void)first;
	int64_t unreported = json_i64_or(json_get(w, "unreported_asks"), 0);
	cli_print_line("%-20.*s %-10.*s slots %-5lld held %-6lld started %-6lld %.1f/s  %lld unreported ask%s",
	               STR_ARG(json_str_or(json_get(w, "name"), STR("?"))),
	               STR_ARG(json_str_or(json_get(w, "state"), STR("?"))),
	               (long long)json_i64_or(json_get(w, "slots"), 0), (long long)json_i64_or(json_get(w, "held"), 0),
	               (long long)json_i64_or(json_get(w, "started"), 0), json_num_or(json_get(w, "samples_per_s"), 0),
	               (long long)unreported, CLI_S(unreported));
}

enum cli_exit cmd_workers_list(struct cli *c)
{
	static const struct list list = { .path = "/api/v1/workers?limit=500",
		                          .schema = "assay.workers.v1",
		                          .print = print_worker_row };
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
		cli_note(c, "no worker ever connected: assay logs worker-1");
	return CLI_OK;
}

static void print_key(const struct cli *c, const struct json *k, bool first)
{
	(void)c;
	(void)first;
	cli_print_line("%-24.*s %.*s", STR_ARG(json_str_or(json_get(k, "name"), STR("?"))),
	               STR_ARG(json_str_or(json_get(k, "key"), STR("?"))));
}

static enum cli_exit list_keys(struct cli *c, struct api *a)
{
	static const struct list list = { .path = "/api/v1/workers/keys",
		                          .schema = "assay.worker-keys.v1",
		                          .print = print_key };
	struct error e;
	size_t count = 0;
	if (list_show(c, a, &list, &count, &e) != ERR_OK)
		return cli_fail(c, &e);
	if (count == 0)
		cli_note(c, "no worker may connect: assay workers keys add NAME KEY");
	return CLI_OK;
}

/* The public key itself, or a file that holds it: a worker's own key file, or its 40 characters alone. */
static enum err_code read_key(struct str given, char out[KEYS_TEXT_BYTES], struct error *reterr)
{
	struct keys_public key;
	struct keys_pair pair;
	struct buf text;
	buf_init(&text, 4096);
	enum err_code err = ERR_OK;
	bool is_key = keys_from_text(given, key.bytes), is_pair = false;
	if (!is_key && fs_exists(given.data) && fs_read(given.data, &text, NULL) == ERR_OK) {
		is_key = keys_from_text(str_trim(buf_str(&text)), key.bytes);
		is_pair = !is_key;
	}
	if (is_pair) {
		err = keys_pair_load(given.data, &pair, reterr);
		if (err == ERR_OK)
			key = pair.public_key;
		keys_pair_done(&pair);
		is_key = err == ERR_OK;
	}
	if (is_key)
		keys_text(key.bytes, out);
	else if (err == ERR_OK)
		err = error_set(reterr, ERR_INVALID,
		                "KEY: '%.*s' is neither a public key (40 characters of Z85) nor a file that holds one",
		                STR_ARG(given));
	else
		err = reterr->code = ERR_INVALID;
	keys_wipe(text.data, text.len);
	buf_done(&text);
	return err;
}

static enum err_code add_key(struct cli *c, struct api *a, struct api_answer *answer, struct error *reterr)
{
	struct buf text;
	struct json_write w;
	char key[KEYS_TEXT_BYTES];
	enum err_code err = read_key(config_operand(c->config, 2), key, reterr);
	if (err != ERR_OK)
		return err;
	buf_init(&text, 16 << 10);
	json_write_init(&w, &text, false);
	json_write_object(&w);
	json_write_field_str(&w, "name", config_operand(c->config, 1));
	json_write_field_c(&w, "key", key);
	json_write_object_end(&w);
	struct api_call call = { .method = "POST", .path = "/api/v1/workers/keys", .body = buf_str(&text) };
	err = text.failed ? error_set(reterr, ERR_INVALID, "NAME is too long") : api_send(a, &call, answer, reterr);
	buf_done(&text);
	return err;
}

static enum err_code revoke_key(struct cli *c, struct api *a, struct api_answer *answer, struct error *reterr)
{
	struct buf text;
	buf_init(&text, 16 << 10);
	(void)buf_append_c(&text, "/api/v1/workers/keys/");
	(void)api_put_escaped(&text, config_operand(c->config, 1)); /* a cut name is not found */
	struct api_call call = { .method = "DELETE", .path = text.data };
	enum err_code err = api_send(a, &call, answer, reterr);
	buf_done(&text);
	return err;
}

/* The key itself stays noted in the allow-list; a worker of this installation has its key file here. */
static void tell_way_back(const struct cli *c, struct str name)
{
	struct home h;
	struct fs_path path = { .text = "KEY" };
	if (home_find(false, &h, NULL) == ERR_OK) {
		struct fs_path own = fs_path("%s/keys/%.*s", h.root.text, STR_ARG(name));
		if (str_find_char(name, '/') < 0 && fs_exists(own.text))
			path = own;
	}
	cli_note(c, "it stays revoked after down and up; to let it connect again: assay workers keys add %.*s %s",
	         STR_ARG(name), path.text);
}

enum cli_exit cmd_workers_keys(struct cli *c)
{
	struct api *a;
	struct api_answer answer;
	struct error e;
	struct str verb = config_operand(c->config, 0);
	size_t count = config_operand_count(c->config);
	bool lists = count == 0 || (count == 1 && str_eq_c(verb, "list"));
	bool adds = count == 3 && str_eq_c(verb, "add"), revokes = count == 2 && str_eq_c(verb, "revoke");
	if (!lists && !adds && !revokes)
		return cli_fail_text(c, CLI_USAGE,
		                     "use: assay workers keys list | assay workers keys add NAME KEY | "
		                     "assay workers keys revoke NAME");
	if (api_open(c, &a, &e) != ERR_OK)
		return cli_fail(c, &e);
	enum cli_exit status = CLI_OK;
	if (lists) {
		status = list_keys(c, a);
	} else if ((adds ? add_key(c, a, &answer, &e) : revoke_key(c, a, &answer, &e)) != ERR_OK) {
		status = cli_fail(c, &e);
	} else {
		if (c->json)
			cli_print_line("%.*s", STR_ARG(answer.text));
		else
			cli_print_line("%.*s  %s", STR_ARG(config_operand(c->config, 1)),
			               adds ? "added: it may connect from now on"
			                    : "revoked: a session of it ends now");
		api_answer_done(&answer);
		if (revokes)
			tell_way_back(c, config_operand(c->config, 1));
	}
	api_close(a);
	return status;
}
