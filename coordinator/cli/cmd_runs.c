#include "common/base/unicode.h"
#include "coordinator/cli/commands.h"
#include "coordinator/cli/list.h"
#include "coordinator/cli/watch.h"
#include <string.h>

/* "slice stratum=refund, limit 20, 2 epochs"; empty for a whole suite asked once. */
static void put_part(const struct json *r, struct buf *out)
{
	struct str slice = json_str_or(json_get(r, "slice"), STR("")),
		   limit = json_str_or(json_get(r, "limit"), STR(""));
	long long seed = (long long)json_i64_or(json_get(r, "seed"), 0),
		  epochs = (long long)json_i64_or(json_get(r, "epochs"), 1);
	if (slice.len)
		(void)buf_printf(out, "slice %.*s", STR_ARG(slice));
	if (limit.len)
		(void)buf_printf(out, "%slimit %.*s", out->len ? ", " : "", STR_ARG(limit));
	if (seed)
		(void)buf_printf(out, "%sseed %lld", out->len ? ", " : "", seed);
	if (epochs > 1)
		(void)buf_printf(out, "%s%lld epochs", out->len ? ", " : "", epochs);
}

/* A name in its column, cut with "..." where it is longer. */
static void put_cell(struct buf *line, struct str text, unsigned columns)
{
	struct buf shown;
	buf_init(&shown, 4096);
	(void)unicode_visible(text, &shown); /* what does not fit here is cut below as well */
	struct str cell = buf_str(&shown);
	bool cut = unicode_width(cell) > columns;
	while (cut && cell.len && unicode_width(cell) + 3 > columns)
		do
			cell.len--;
		while (cell.len && ((unsigned char)cell.data[cell.len] & 0xC0) == 0x80);
	(void)buf_printf(line, "%.*s%s", STR_ARG(cell), cut ? "..." : "");
	for (unsigned width = unicode_width(cell) + (cut ? 3 : 0); width < columns; width++)
		(void)buf_append_char(line, ' ');
	buf_done(&shown);
}

struct columns { /* of names, by the terminal's width; a narrow one has no room for dates */
	bool created;
	unsigned suite, model;
};

static struct columns columns_of(const struct cli *c)
{
	enum { FIXED = 43, CREATED = 18, SUITE_MAX = 40, MODEL_MAX = 24, LEAST = 37 };
	struct columns k = { .created = c->width >= FIXED + CREATED + LEAST };
	unsigned fixed = FIXED + (k.created ? CREATED : 0), names = MAX_OF(c->width, fixed + LEAST) - fixed;
	k.suite = MIN_OF(names * 3 / 5, (unsigned)SUITE_MAX);
	k.model = MIN_OF(names - k.suite, (unsigned)MODEL_MAX);
	return k;
}

static void print_head(struct columns k)
{
	cli_print_line("%6s  %s%-*s %-*s %-11s %13s %7s", "run", k.created ? "created (UTC)     " : "", (int)k.suite,
	               "suite", (int)k.model, "model", "state", "done", "missing");
}

static void print_run_row(const struct cli *c, const struct json *r, struct columns k)
{
	char suite[400], done[60];
	struct buf part, line;
	struct str created = json_str_or(json_get(r, "created_at"), STR("?"));
	(void)snprintf(suite, sizeof(suite), "%.*s@%lld", STR_ARG(json_str_or(json_get(r, "suite"), STR("?"))),
	               (long long)json_i64_or(json_get(r, "suite_version"), 0));
	(void)snprintf(done, sizeof(done), "%lld/%lld",
	               (long long)json_i64_or(json_pointer(r, STR("/progress/done")), 0),
	               (long long)json_i64_or(json_pointer(r, STR("/progress/total")), 0));
	buf_init(&line, 8192);
	(void)buf_printf(&line, "%6lld  ", (long long)json_i64_or(json_get(r, "id"), 0));
	if (k.created)
		(void)buf_printf(&line, "%-16.*s  ", STR_ARG(str_slice(created, 0, 16)));
	put_cell(&line, str_from(suite), k.suite);
	(void)buf_append_char(&line, ' ');
	put_cell(&line, json_str_or(json_get(r, "model"), STR("?")), k.model);
	cli_print_line("%.*s %-11.*s %13s %7lld", STR_ARG(buf_str(&line)),
	               STR_ARG(json_str_or(json_get(r, "state"), STR("?"))), done,
	               (long long)json_i64_or(json_pointer(r, STR("/progress/missing")), 0));
	buf_init(&part, 8192);
	put_part(r, &part); /* cut when it is too long: a mark in a list */
	if (part.len)
		cli_print_wrapped(c, "        %.*s", STR_ARG(buf_str(&part)));
	buf_done(&part);
	buf_done(&line);
}

static void print_listed(const struct cli *c, const struct json *r, bool first)
{
	struct columns k = columns_of(c);
	if (first)
		print_head(k);
	print_run_row(c, r, k);
}

/* The probes of `models probe` are runs too, but nobody's measurements. */
static bool is_run_wanted(const struct cli *c, const struct json *r)
{
	return config_bool(c->config, "all") || config_has(c->config, "suite") ||
	       !str_eq_c(json_str_or(json_get(r, "suite"), STR("")), CLI_PROBE_SUITE);
}

enum cli_exit cmd_runs_list(struct cli *c)
{
	static const char *const filters[] = { "suite", "model", "state" };
	struct api *a;
	struct error e;
	struct buf path;
	size_t count = 0;
	bool filtered = false;
	if (api_open(c, &a, &e) != ERR_OK)
		return cli_fail(c, &e);
	buf_init(&path, 4096);
	(void)buf_printf(&path, "/api/v1/runs?limit=%lld", (long long)config_i64(c->config, "limit"));
	for (size_t i = 0; i < ARRAY_LEN(filters); i++)
		if (config_has(c->config, filters[i])) {
			filtered = true;
			(void)buf_printf(&path, "&%s=", filters[i]);
			(void)api_put_escaped(&path, config_text(c->config, filters[i]));
		}
	struct list list = { .path = path.data,
		             .schema = "assay.runs.v1",
		             .most = (size_t)config_i64(c->config, "limit"),
		             .wanted = is_run_wanted,
		             .print = print_listed };
	enum err_code err = path.failed ? error_set(&e, ERR_INVALID, "the filters are too long")
	                                : list_show(c, a, &list, &count, &e);
	buf_done(&path);
	api_close(a);
	if (err != ERR_OK)
		return cli_fail(c, &e);
	if (count == 0)
		cli_note(c, "no runs%s", filtered ? " of that kind" : " yet: assay run SUITE --model NAME");
	return count == 0 && filtered ? CLI_NOTHING : CLI_OK;
}

/* The run in the first operand; 0 after an error that was told. */
static uint64_t run_operand(struct cli *c, enum cli_exit *ret_status)
{
	uint64_t run_id = 0;
	struct str text = config_operand(c->config, 0);
	if (!str_to_u64(text, &run_id) || run_id == 0)
		*ret_status = cli_fail_text(c, CLI_USAGE, "'%.*s' is not the number of a run (assay runs list)",
		                            STR_ARG(text));
	return run_id;
}

static void print_straggler(const struct json *s)
{
	char age[WATCH_DURATION_BYTES];
	struct buf item;
	watch_duration(json_i64_or(json_get(s, "age_ms"), 0), age);
	buf_init(&item, 4096);
	(void)unicode_visible(json_str_or(json_get(s, "item"), STR("?")), &item); /* cut is fine */
	cli_print_line("  out since  %-8s item %.*s epoch %lld at %.*s%s", age, STR_ARG(buf_str(&item)),
	               (long long)json_i64_or(json_get(s, "epoch"), 0),
	               STR_ARG(json_str_or(json_get(s, "worker"), STR("?"))),
	               json_bool_or(json_get(s, "started"), false) ? "" : " (not started)");
	buf_done(&item);
}

static void print_run(const struct cli *c, const struct json *r)
{
	char line[WATCH_LINE_BYTES];
	struct str text;
	static const char *const texts[][2] = { { "state", "state" },        { "why", "reason" },
		                                { "slice", "slice" },        { "limit", "limit" },
		                                { "created", "created_at" }, { "started", "started_at" },
		                                { "ended", "ended_at" } };
	cli_print_line("run %lld  %.*s@%lld  model %.*s", (long long)json_i64_or(json_get(r, "id"), 0),
	               STR_ARG(json_str_or(json_get(r, "suite"), STR("?"))),
	               (long long)json_i64_or(json_get(r, "suite_version"), 0),
	               STR_ARG(json_str_or(json_get(r, "model"), STR("?"))));
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		if (json_str(json_get(r, texts[i][1]), &text) && text.len)
			cli_print_wrapped(c, "  %-10s %.*s", texts[i][0], STR_ARG(text));
	watch_line(r, line);
	cli_print_line("  progress   %s", line);
	const struct json *p = json_get(r, "progress");
	cli_print_line(
		"  in flight  %lld   pending %lld   missing %lld (not run %lld)   failed attempts %lld",
		(long long)json_i64_or(json_get(p, "in_flight"), 0), (long long)json_i64_or(json_get(p, "pending"), 0),
		(long long)json_i64_or(json_get(p, "missing"), 0), (long long)json_i64_or(json_get(p, "not_run"), 0),
		(long long)json_i64_or(json_get(p, "failed_attempts"), 0));
	int64_t after = json_i64_or(json_get(p, "after_end"), 0);
	if (after)
		cli_print_line("  after end  %lld sample%s answered later: stored and exported, in no score",
		               (long long)after, CLI_S(after));
	cli_print_line("  paid twice %lld, at most %lld more",
	               (long long)json_i64_or(json_pointer(r, STR("/paid_twice/count")), 0),
	               (long long)json_i64_or(json_pointer(r, STR("/paid_twice/at_most_more")), 0));
	const struct json *waits = json_get(r, "waiting_for");
	for (size_t i = 0; i < json_len(waits); i++)
		cli_print_wrapped(c, "  waits for  %.*s",
		                  STR_ARG(json_str_or(json_get(json_at(waits, i), "text"), STR("?"))));
	const struct json *late = json_get(r, "stragglers");
	for (size_t i = 0; i < json_len(late); i++)
		print_straggler(json_at(late, i));
}

static enum cli_exit print_answer(struct cli *c, struct api_answer *answer)
{
	if (c->json)
		cli_print_line("%.*s", STR_ARG(answer->text));
	else
		print_run(c, json_root(answer->doc));
	api_answer_done(answer);
	return CLI_OK;
}

enum cli_exit cmd_runs_show(struct cli *c)
{
	enum cli_exit status = CLI_OK;
	struct api *a;
	struct api_answer answer;
	struct error e;
	uint64_t run_id = run_operand(c, &status);
	if (!run_id)
		return status;
	if (api_open(c, &a, &e) != ERR_OK)
		return cli_fail(c, &e);
	enum err_code err = api_get(a, &answer, &e, "/api/v1/runs/%llu", (unsigned long long)run_id);
	if (err == ERR_OK) {
		status = print_answer(c, &answer);
		if (!c->json && api_get_text(a, &answer, &e, "/api/v1/runs/%llu/report?color=%d&width=%u",
		                             (unsigned long long)run_id, c->color, c->width) == ERR_OK) {
			cli_print(STR("\n"));
			cli_print(answer.text);
			api_answer_done(&answer);
		}
	}
	api_close(a);
	return err == ERR_OK ? status : cli_fail(c, &e);
}

/* What the cancel does, in the place of a progress line that would promise an end by itself. */
static void print_cancel(const struct cli *c, const struct json *r)
{
	const struct json *p = json_get(r, "progress");
	long long id = (long long)json_i64_or(json_get(r, "id"), 0), flying = json_i64_or(json_get(p, "in_flight"), 0);
	bool ended = str_eq_c(json_str_or(json_get(r, "state"), STR("")), "cancelled");
	cli_print_line("run %lld  %s, %lld of %lld done", id, ended ? "is cancelled" : "is being cancelled",
	               (long long)json_i64_or(json_get(p, "done"), 0), (long long)json_i64_or(json_get(p, "total"), 0));
	cli_print_wrapped(c, "  nothing new is asked; what is in flight (%lld) ends and is kept", flying);
	cli_note(c, "to see it end: assay runs watch %lld; to go on where it stopped: assay runs retry %lld", id, id);
}

static enum cli_exit post(struct cli *c, const char *verb)
{
	enum cli_exit status = CLI_OK;
	struct api *a;
	struct api_answer answer;
	struct error e;
	char path[100];
	uint64_t run_id = run_operand(c, &status);
	if (!run_id)
		return status;
	if (api_open(c, &a, &e) != ERR_OK)
		return cli_fail(c, &e);
	(void)snprintf(path, sizeof(path), "/api/v1/runs/%llu/%s", (unsigned long long)run_id, verb);
	struct api_call call = { .method = "POST", .path = path, .body = STR("{}") };
	enum err_code err = api_send(a, &call, &answer, &e);
	api_close(a);
	if (err != ERR_OK)
		return cli_fail(c, &e);
	if (c->json || strcmp(verb, "cancel") != 0)
		return print_answer(c, &answer);
	print_cancel(c, json_root(answer.doc));
	api_answer_done(&answer);
	return CLI_OK;
}

enum cli_exit cmd_runs_cancel(struct cli *c)
{
	return post(c, "cancel");
}

enum cli_exit cmd_runs_retry(struct cli *c)
{
	enum cli_exit status = post(c, "retry");
	if (status == CLI_OK)
		cli_note(c, "next: assay runs watch %.*s", STR_ARG(config_operand(c->config, 0)));
	return status;
}

/* ---- export: a line a sample ---- */

static void export_csv(const struct json *row, bool head)
{
	const struct json *scores = json_get(row, "scores");
	if (head)
		cli_print_line("item,epoch,retry_no,outcome,score,tokens_in,tokens_out,latency_ms,returned_model,at,"
		               "error_class,flags,metric");
	struct buf line, flags;
	double value;
	buf_init(&flags, 1 << 10);
	for (size_t i = 0; i < json_len(json_get(row, "flags")); i++) /* a blank between two: "truncated after_end" */
		(void)buf_printf(&flags, "%s%.*s", i ? " " : "",
		                 STR_ARG(json_str_or(json_at(json_get(row, "flags"), i), STR(""))));
	struct str texts[] = { json_str_or(json_get(row, "item"), STR("")),
		               json_str_or(json_get(row, "outcome"), STR("")),
		               json_str_or(json_get(row, "returned_model"), STR("")),
		               json_str_or(json_get(row, "at"), STR("")),
		               json_str_or(json_get(row, "error_class"), STR("")),
		               buf_str(&flags),
		               json_str_or(json_get(json_at(scores, 0), "metric"), STR("")) };
	struct buf quoted[ARRAY_LEN(texts)];
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) { /* RFC 4180: quotes doubled */
		buf_init(&quoted[i], texts[i].len * 2 + 2);
		(void)buf_append_char(&quoted[i], '"');
		for (size_t k = 0; k < texts[i].len; k++)
			(void)(texts[i].data[k] == '"' ? buf_append_c(&quoted[i], "\"\"")
			                               : buf_append_char(&quoted[i], texts[i].data[k]));
		(void)buf_append_char(&quoted[i], '"');
	}
	buf_init(&line, 1 << 20);
	if (json_num(json_get(json_at(scores, 0), "value"), &value))
		(void)buf_printf(&line, "%.17g", value);
	cli_print_line("%.*s,%lld,%lld,%.*s,%.*s,%lld,%lld,%lld,%.*s,%.*s,%.*s,%.*s,%.*s", STR_ARG(buf_str(&quoted[0])),
	               (long long)json_i64_or(json_get(row, "epoch"), 0),
	               (long long)json_i64_or(json_get(row, "retry_no"), 0), STR_ARG(buf_str(&quoted[1])),
	               STR_ARG(buf_str(&line)), (long long)json_i64_or(json_get(row, "tokens_in"), 0),
	               (long long)json_i64_or(json_get(row, "tokens_out"), 0),
	               (long long)json_i64_or(json_get(row, "latency_ms"), 0), STR_ARG(buf_str(&quoted[2])),
	               STR_ARG(buf_str(&quoted[3])), STR_ARG(buf_str(&quoted[4])), STR_ARG(buf_str(&quoted[5])),
	               STR_ARG(buf_str(&quoted[6])));
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		buf_done(&quoted[i]);
	buf_done(&line);
	buf_done(&flags);
}

static void print_csv(const struct cli *c, const struct json *row, bool first)
{
	(void)c;
	export_csv(row, first);
}

/* Without --csv: JSON lines, or with --json one document. */
enum cli_exit cmd_runs_export(struct cli *c)
{
	enum cli_exit status = CLI_OK;
	struct api *a;
	struct error e;
	char path[120];
	size_t count = 0;
	uint64_t run_id = run_operand(c, &status);
	bool content = config_bool(c->config, "content");
	if (!run_id)
		return status;
	if (c->csv && content)
		return cli_fail_text(c, CLI_USAGE,
		                     "--csv has no content; for requests and answers: --content without --csv");
	if (api_open(c, &a, &e) != ERR_OK)
		return cli_fail(c, &e);
	c->jsonl = c->jsonl || (!c->json && !c->csv);
	(void)snprintf(path, sizeof(path), "/api/v1/runs/%llu/results?limit=500&content=%d", (unsigned long long)run_id,
	               content);
	struct list list = { .path = path, .schema = "assay.results.v1", .print = print_csv };
	enum err_code err = list_show(c, a, &list, &count, &e);
	api_close(a);
	return err == ERR_OK ? CLI_OK : cli_fail(c, &e);
}
