#include "common/base/hash.h"
#include "coordinator/cli/commands.h"
#include "coordinator/cli/list.h"
#include "coordinator/cli/push.h"

enum cli_exit cmd_suite_check(struct cli *c)
{
	struct suite *suite;
	struct error e;
	struct str path = config_operand(c->config, 0);
	if (push_read(path.data, &suite, &e) != ERR_OK)
		return cli_fail(c, &e);
	char hex[HASH_HEX_BYTES + 1];
	hash_hex(suite->hash, hex);
	if (c->json) {
		struct buf out;
		struct json_write w;
		buf_init(&out, 64 << 10);
		json_write_init(&w, &out, false);
		json_write_object(&w);
		json_write_field_c(&w, "schema", "assay.suite-check.v1");
		json_write_field_str(&w, "name", suite->name);
		json_write_field_c(&w, "hash", hex);
		json_write_field_i64(&w, "items", (int64_t)suite->item_count);
		json_write_field_i64(&w, "holdout", (int64_t)suite->holdout_count);
		json_write_field_i64(&w, "epochs", suite->epochs);
		json_write_object_end(&w);
		suite_free(suite);
		return cli_print_json(&out);
	}
	cli_print_line("ok  %.*s: %zu item%s%s, %zu metric%s, hash %.12s", STR_ARG(suite->name), suite->item_count,
	               CLI_S(suite->item_count), suite->has_holdout ? " with a holdout" : "", suite->metric_count,
	               CLI_S(suite->metric_count), hex);
	cli_note(c, "next: assay suite push %.*s", STR_ARG(path));
	suite_free(suite);
	return CLI_OK;
}

enum cli_exit cmd_suite_push(struct cli *c)
{
	struct api *a = NULL;
	struct api_answer answer;
	struct error e;
	char name[PUSH_NAME_BYTES];
	enum err_code err = api_open(c, &a, &e);
	if (err == ERR_OK)
		err = push_suite(a, config_operand(c->config, 0).data, name, &answer, &e);
	api_close(a);
	if (err != ERR_OK)
		return cli_fail(c, &e);
	const struct json *root = json_root(answer.doc);
	if (c->json)
		cli_print_line("%.*s", STR_ARG(answer.text));
	else
		cli_print_line("%s  %lld item%s  %s", name, (long long)json_i64_or(json_get(root, "items"), 0),
		               CLI_S(json_i64_or(json_get(root, "items"), 0)),
		               json_bool_or(json_get(root, "created"), false) ? "new version" : "known already");
	cli_note(c, "next: assay run %.*s --model NAME (assay models list)",
	         STR_ARG(json_str_or(json_get(root, "name"), STR(""))));
	api_answer_done(&answer);
	return CLI_OK;
}

static bool is_suite_wanted(const struct cli *c, const struct json *s)
{
	return config_bool(c->config, "all") || !str_eq_c(json_str_or(json_get(s, "name"), STR("")), CLI_PROBE_SUITE);
}

static void print_suite_row(const struct cli *c, const struct json *s, bool first)
{
	(void)c;
	(void)first;
	int64_t items = json_i64_or(json_get(s, "items"), 0);
	cli_print_line("%-32.*s v%-4lld %8lld item%-3s %.*s", STR_ARG(json_str_or(json_get(s, "name"), STR("?"))),
	               (long long)json_i64_or(json_get(s, "version"), 0), (long long)items, CLI_S(items),
	               STR_ARG(json_str_or(json_get(s, "task"), STR(""))));
}

enum cli_exit cmd_suite_list(struct cli *c)
{
	static const struct list list = { .path = "/api/v1/suites?limit=500",
		                          .schema = "assay.suites.v1",
		                          .wanted = is_suite_wanted,
		                          .print = print_suite_row };
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
		cli_note(c, "no suites yet: assay init, then assay suite push suite.yaml");
	return CLI_OK;
}

enum cli_exit cmd_suite_show(struct cli *c)
{
	struct api *a;
	struct api_answer answer;
	struct error e;
	struct buf name;
	if (api_open(c, &a, &e) != ERR_OK)
		return cli_fail(c, &e);
	buf_init(&name, 4096);
	(void)api_put_escaped(&name, config_operand(c->config, 0)); /* a cut name is not found */
	enum err_code err = api_get(a, &answer, &e, "/api/v1/suites/%.*s", STR_ARG(buf_str(&name)));
	buf_done(&name);
	api_close(a);
	if (err != ERR_OK)
		return cli_fail(c, &e);
	const struct json *s = json_root(answer.doc), *slices = json_get(s, "slices");
	struct str part;
	if (c->json) {
		cli_print_line("%.*s", STR_ARG(answer.text));
	} else {
		cli_print_line("%.*s@%lld  (of %lld versions)", STR_ARG(json_str_or(json_get(s, "name"), STR("?"))),
		               (long long)json_i64_or(json_get(s, "version"), 0),
		               (long long)json_i64_or(json_get(s, "versions"), 0));
		cli_print_line("  task     %.*s", STR_ARG(json_str_or(json_get(s, "task"), STR(""))));
		cli_print_line("  items    %lld", (long long)json_i64_or(json_get(s, "items"), 0));
		cli_print_line("  hash     %.*s", STR_ARG(json_str_or(json_get(s, "hash"), STR(""))));
		for (size_t i = 0; i < json_len(json_get(s, "metrics")); i++)
			if (json_str(json_at(json_get(s, "metrics"), i), &part))
				cli_print_line("  metric   %.*s", STR_ARG(part));
		for (size_t i = 0; i < json_len(slices) && i < 40; i++)
			if (json_str(json_at(slices, i), &part))
				cli_print_line("  slice    %.*s", STR_ARG(part));
	}
	api_answer_done(&answer);
	return CLI_OK;
}
