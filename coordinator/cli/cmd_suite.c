#include "common/base/hash.h"
#include "common/base/unicode.h"
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

/* Text of a suite's author, line by line under its label. */
static void print_text(const char *label, struct str text)
{
	struct str line;
	bool first = true;
	while (text.len && str_split(&text, '\n', &line)) {
		struct buf shown;
		buf_init(&shown, 4 << 20);
		if (unicode_visible(line, &shown))
			cli_print_line("  %-10s %.*s", first ? label : "", STR_ARG(buf_str(&shown)));
		buf_done(&shown);
		first = false;
	}
}

static void print_prompt(const struct json *generate)
{
	const struct json *messages = json_get(generate, "messages");
	print_text("system", json_str_or(json_get(generate, "system"), STR("")));
	print_text("prompt", json_str_or(json_get(generate, "prompt"), STR("")));
	for (size_t i = 0; i < json_len(messages); i++)
		print_text(json_str_or(json_get(json_at(messages, i), "role"), STR("?")).data,
		           json_str_or(json_get(json_at(messages, i), "content"), STR("")));
	struct buf settings;
	buf_init(&settings, 64 << 10);
	for (struct json_iter it = { 0 }; json_next(generate, &it);) {
		struct json_write w;
		if (str_eq_c(it.key, "system") || str_eq_c(it.key, "prompt") || str_eq_c(it.key, "messages"))
			continue;
		(void)buf_printf(&settings, "%s%.*s ", settings.len ? ", " : "", STR_ARG(it.key));
		json_write_init(&w, &settings, false);
		json_write_value(&w, it.value);
	}
	print_text("generate", buf_str(&settings));
	buf_done(&settings);
}

static void print_scorers(const struct json *scores)
{
	for (size_t i = 0; i < json_len(scores); i++) {
		const struct json *s = json_at(scores, i);
		struct buf more;
		buf_init(&more, 64 << 10);
		for (struct json_iter it = { 0 }; json_next(s, &it);) {
			struct json_write w;
			if (str_eq_c(it.key, "name") || str_eq_c(it.key, "type"))
				continue;
			(void)buf_printf(&more, ", %.*s ", STR_ARG(it.key));
			json_write_init(&w, &more, false);
			json_write_value(&w, it.value);
		}
		cli_print_line("  %-10s %.*s: %.*s%.*s%s", i ? "" : "scores",
		               STR_ARG(json_str_or(json_get(s, "name"), STR("?"))),
		               STR_ARG(json_str_or(json_get(s, "type"), STR("?"))), STR_ARG(buf_str(&more)),
		               i ? "" : "  (primary)");
		buf_done(&more);
	}
}

static void print_parts(const char *label, const struct json *parts, const char *name)
{
	enum { SHOWN_MAX = 40 };
	for (size_t i = 0; i < json_len(parts) && i < SHOWN_MAX; i++)
		cli_print_line("  %-10s n %-6lld %.*s", i ? "" : label,
		               (long long)json_i64_or(json_get(json_at(parts, i), "items"), 0),
		               STR_ARG(json_str_or(json_get(json_at(parts, i), name), STR("?"))));
	if (json_len(parts) > SHOWN_MAX)
		cli_print_line("  %-10s ... and %zu more: --json lists all", "", json_len(parts) - SHOWN_MAX);
}

static void print_suite(const struct json *s)
{
	int64_t versions = json_i64_or(json_get(s, "versions"), 0);
	cli_print_line("%.*s@%lld  (of %lld version%s)", STR_ARG(json_str_or(json_get(s, "name"), STR("?"))),
	               (long long)json_i64_or(json_get(s, "version"), 0), (long long)versions, CLI_S(versions));
	cli_print_line("  %-10s %.*s", "task", STR_ARG(json_str_or(json_get(s, "task"), STR(""))));
	cli_print_line("  %-10s %lld", "items", (long long)json_i64_or(json_get(s, "items"), 0));
	cli_print_line("  %-10s %.*s", "pushed", STR_ARG(json_str_or(json_get(s, "created_at"), STR(""))));
	cli_print_line("  %-10s %.*s", "hash", STR_ARG(json_str_or(json_get(s, "hash"), STR(""))));
	print_prompt(json_pointer(s, STR("/settings/generate")));
	print_scorers(json_pointer(s, STR("/settings/scores")));
	print_parts("slices", json_get(s, "slice_items"), "slice");
	print_parts("from", json_get(s, "provenance"), "kind");
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
	if (c->json)
		cli_print_line("%.*s", STR_ARG(answer.text));
	else
		print_suite(json_root(answer.doc));
	api_answer_done(&answer);
	return CLI_OK;
}
