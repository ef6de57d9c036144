#include "coordinator/cli/api.h"
#include "coordinator/cli/commands.h"
#include "coordinator/cli/installation.h"
#include "coordinator/cli/postgres.h"
#include "coordinator/cli/watch.h"
#include <stdarg.h>

enum { FREE_BYTES_LOW = 1 << 30, FINDINGS_BYTES_MAX = 1 << 20 };

enum level { GOOD, WARN, BAD };

struct doctor {
	const struct cli *c;
	struct json_write w;
	struct buf json;
	unsigned counts[3];
};

PRINTF_LIKE(4, 5)
static void finding(struct doctor *d, enum level level, const char *what, const char *format, ...)
{
	static const char *const names[] = { "ok", "warning", "bad" };
	struct buf text;
	va_list args;
	buf_init(&text, 8192);
	va_start(args, format);
	if (!buf_vprintf(&text, format, args))
		buf_clear(&text);
	va_end(args);
	d->counts[level]++;
	if (!d->c->json)
		cli_print_line("%-8s %-12s %.*s", names[level], what, STR_ARG(buf_str(&text)));
	json_write_object(&d->w);
	json_write_field_c(&d->w, "level", names[level]);
	json_write_field_c(&d->w, "what", what);
	json_write_field_str(&d->w, "text", buf_str(&text));
	json_write_object_end(&d->w);
	buf_done(&text);
}

static void look_at_home(struct doctor *d)
{
	struct home h;
	struct home_status status;
	struct postgres pg;
	struct error e;
	uint64_t free_bytes;
	if (home_find(false, &h, &e) != ERR_OK) {
		finding(d, WARN, "home", "%s", e.text);
		return;
	}
	finding(d, GOOD, "home", "%s", h.root.text);
	if (postgres_find(&h, &pg, &e) == ERR_OK)
		finding(d, GOOD, "postgresql", "%s", pg.bin.text);
	else
		finding(d, BAD, "postgresql", "%s", e.text);
	if (fs_free_bytes(h.root.text, &free_bytes, &e) == ERR_OK)
		finding(d, free_bytes < FREE_BYTES_LOW ? WARN : GOOD, "disk", "%.1f GiB free",
		        (double)free_bytes / (1 << 30));
	if (home_status_read(&h, &status, NULL) != ERR_OK || !process_id_alive(&status.supervise)) {
		finding(d, WARN, "processes", "not running: assay up");
		return;
	}
	for (size_t i = 0; i < status.process_count; i++) {
		const struct home_process *p = &status.processes[i];
		bool alive = process_id_alive(&p->id);
		finding(d,
		        !alive        ? BAD
		        : p->restarts ? WARN
		                      : GOOD,
		        p->name, "%s, %llu restart%s%s%s", alive ? p->state : "dead", (unsigned long long)p->restarts,
		        CLI_S(p->restarts), p->restarts ? ": assay logs " : "", p->restarts ? p->name : "");
		if (str_starts(str_from(p->name), STR("worker-")) && installation_refuses(&h, p->name))
			finding(d, WARN, p->name,
			        "refused: its key is revoked; to let it connect again: assay workers keys add %s "
			        "%s/keys/%s",
			        p->name, h.root.text, p->name);
	}
}

static void look_at_runs(struct doctor *d, const struct json *health)
{
	const struct json *runs = json_get(health, "unfinished"), *routes = json_get(health, "routes");
	for (size_t i = 0; i < json_len(runs); i++) {
		const struct json *r = json_at(runs, i);
		struct str text = json_str_or(json_get(r, "text"), STR(""));
		finding(d, watch_is_stuck(json_str_or(json_get(r, "waits_for"), STR(""))) ? WARN : GOOD, "run",
		        "%lld: %lld of %lld, %.*s", (long long)json_i64_or(json_get(r, "run"), 0),
		        (long long)json_i64_or(json_get(r, "done"), 0), (long long)json_i64_or(json_get(r, "total"), 0),
		        STR_ARG(text.len ? text : STR("under way")));
	}
	for (size_t i = 0; i < json_len(routes); i++) {
		const struct json *r = json_at(routes, i);
		if (json_bool_or(json_get(r, "blocked"), false))
			finding(d, WARN, "route",
			        "%.*s; the next run of that model, or assay runs retry RUN, asks there again",
			        STR_ARG(json_str_or(json_get(r, "why"), STR("?"))));
	}
}

static void look_at_database(struct doctor *d, const struct json *db)
{
	finding(d, GOOD, "database", "PostgreSQL %.*s, schema %lld, %.1f MiB",
	        STR_ARG(json_str_or(json_get(db, "server_version"), STR("?"))),
	        (long long)json_i64_or(json_get(db, "schema_version"), 0),
	        (double)json_i64_or(json_get(db, "size_bytes"), 0) / (1 << 20));
	if (!json_bool_or(json_get(db, "synchronous"), false))
		finding(d, BAD, "database",
		        "synchronous_commit is off: a crash of the server can lose acknowledged results");
	int64_t replicas = json_i64_or(json_get(db, "replicas"), 0);
	if (replicas > 0 && json_i64_or(json_get(db, "synchronous_replicas"), 0) == 0)
		finding(d, WARN, "database",
		        "%lld replica%s, none synchronous: a failover can lose what is older than 60 s of lag",
		        (long long)replicas, CLI_S(replicas));
}

static void look_at_server(struct doctor *d)
{
	struct api *a;
	struct api_answer answer;
	struct error e;
	if (api_open(d->c, &a, &e) != ERR_OK) {
		finding(d, WARN, "server", "%s", e.text);
		return;
	}
	if (api_get(a, &answer, &e, "/api/v1/health") != ERR_OK) {
		finding(d, BAD, "server", "%s", e.text);
		api_close(a);
		return;
	}
	const struct json *h = json_root(answer.doc), *db = json_get(h, "database"), *fleet = json_get(h, "fleet");
	finding(d, GOOD, "server", "%s, version %.*s", api_url(a),
	        STR_ARG(json_str_or(json_get(h, "version"), STR("?"))));
	if (json_bool_or(json_get(db, "reachable"), true))
		look_at_database(d, db);
	else
		finding(d, BAD, "database", "away; the server goes on by itself once it is back (%.*s)",
		        STR_ARG(json_str_or(json_get(db, "text"), STR("?"))));
	int64_t workers = json_i64_or(json_get(fleet, "workers"), 0);
	finding(d, workers ? GOOD : WARN, "workers", "%lld connected", (long long)workers);
	int64_t refused = json_i64_or(json_get(fleet, "refused_handshakes"), 0);
	if (refused)
		finding(d, WARN, "workers", "%lld handshake%s of unknown keys refused: assay workers keys",
		        (long long)refused, CLI_S(refused));
	look_at_runs(d, h);
	api_answer_done(&answer);
	api_close(a);
}

enum cli_exit cmd_doctor(struct cli *c)
{
	struct doctor d = { .c = c };
	buf_init(&d.json, FINDINGS_BYTES_MAX);
	json_write_init(&d.w, &d.json, false);
	json_write_object(&d.w);
	json_write_field_c(&d.w, "schema", "assay.doctor.v1");
	json_write_key(&d.w, "findings");
	json_write_array(&d.w);
	look_at_home(&d);
	look_at_server(&d);
	json_write_array_end(&d.w);
	json_write_object_end(&d.w);
	enum cli_exit status = d.counts[BAD] ? CLI_FAILED : CLI_OK;
	if (c->json) {
		enum cli_exit printed = cli_print_json(&d.json);
		return printed == CLI_OK ? status : printed;
	}
	buf_done(&d.json);
	cli_print_line("%u good, %u warning%s, %u bad", d.counts[GOOD], d.counts[WARN], CLI_S(d.counts[WARN]),
	               d.counts[BAD]);
	return status;
}
