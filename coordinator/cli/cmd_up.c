#include "common/base/json.h"
#include "common/io/clock.h"
#include "common/io/http_client.h"
#include "common/io/keys.h"
#include "common/io/log.h"
#include "common/io/signals.h"
#include "coordinator/cli/api.h"
#include "coordinator/cli/commands.h"
#include "coordinator/cli/home.h"
#include "coordinator/cli/installation.h"
#include "coordinator/cli/postgres.h"
#include "coordinator/cli/supervise.h"
#include <poll.h>
#include <string.h>
#include <unistd.h>

enum {
	READY_MS = 180000,
	LOOK_MS = 100,
	DOWN_MS = 150000,
	TAIL_LINES = 12,
	LOG_BYTES_MAX = 8 << 20,
	ENDS_MAX = 4,
	KEY_CHANGES_MAX = 32,
	SERVER_MS = 1000,
	WORKERS_MS = 30000,
	TELL_DRAIN_MS = 1000,
	DRAIN_MS = 40000 /* of supervise, for workers */
};

static void pause_ms(int ms)
{
	struct pollfd none = { .fd = -1 };
	(void)poll(&none, 1, ms); /* only time passes */
}

static bool interrupted(const struct cli *c)
{
	int number;
	return c->signal_fd >= 0 && signals_next(c->signal_fd, &number, NULL);
}

/* The last lines of a log file: what went wrong, where people look first. */
static void show_tail(const struct home *h, const char *name)
{
	struct buf text;
	buf_init(&text, LOG_BYTES_MAX);
	if (fs_read(fs_path("%s/logs/%s.log", h->root.text, name).text, &text, NULL) == ERR_OK && text.len) {
		struct str all = str_trim(buf_str(&text));
		size_t from = all.len;
		for (unsigned lines = 0; from > 0 && lines < TAIL_LINES; from--)
			lines += all.data[from - 1] == '\n';
		(void)fprintf(stderr, "--- %s\n%.*s\n", name, STR_ARG(str_slice(all, from, all.len)));
	}
	buf_done(&text);
}

static bool running(const struct home *h, struct home_status *status)
{
	return home_status_read(h, status, NULL) == ERR_OK && process_id_alive(&status->supervise);
}

/* Asks /readyz: how many workers are connected; -1 while it is not ready. */
static int64_t connected_workers(struct http_client *client, const struct home_status *s)
{
	struct fs_path url = fs_path("%s/readyz", s->url);
	struct http_request r = { .url = url.text, .timeout_ms = 2000, .response_bytes_max = 64 << 10 };
	struct http_done done;
	struct json_doc *doc = NULL;
	int64_t count = -1;
	if (http_client_fetch(client, &r, &done, NULL) != ERR_OK)
		return count;
	if (done.status == 200 && json_parse(done.body, &doc, NULL) == ERR_OK)
		count = json_i64_or(json_get(json_root(doc), "workers"), 0);
	json_free(doc);
	http_done_free(&done);
	return count;
}

static enum err_code start_supervise(const struct cli *c, const struct home *h, unsigned workers, struct error *reterr)
{
	char count[16];
	struct fs_path log_path = home_path(h, "logs/supervise.log"), home_env = fs_path("ASSAY_HOME=%s", h->root.text);
	(void)snprintf(count, sizeof(count), "%u", workers);
	const char *argv[] = { c->program_path, "supervise", "--workers", count, NULL };
	const char *env[] = { home_env.text, NULL };
	struct process_spec spec = { .argv = argv,
		                     .cwd = h->root.text,
		                     .env_set = env,
		                     .stdout_to = PROCESS_OUTPUT_FILE,
		                     .stdout_path = log_path.text,
		                     .stderr_to = PROCESS_OUTPUT_STDOUT,
		                     .new_session = true };
	struct process *p;
	enum err_code err = process_start(&spec, &p, reterr);
	if (err == ERR_OK)
		process_forget(p);
	return err;
}

static const char *step_of(const struct home_status *s)
{
	for (size_t i = 0; i < s->process_count; i++)
		if (strcmp(s->processes[i].state, "running") != 0)
			return s->processes[i].name;
	return "workers";
}

/* A part that ended so often at the start will not come up by waiting: its log says why. */
static const char *part_that_ends(const struct home_status *s)
{
	for (size_t i = 0; i < s->process_count; i++)
		if (s->processes[i].restarts >= ENDS_MAX && strcmp(s->processes[i].state, "running") != 0)
			return s->processes[i].name;
	return NULL;
}

static struct fs_path worker_name(unsigned number)
{
	return fs_path("worker-%u", number);
}

static unsigned count_refused(const struct home *h, unsigned workers)
{
	unsigned count = 0;
	for (unsigned i = 1; i <= workers; i++)
		count += installation_refuses(h, worker_name(i).text);
	return count;
}

static void tell_refused(const struct cli *c, const struct home *h, const char *name)
{
	cli_note(c,
	         "%s is not connected: its key is revoked; to let it connect again: assay workers keys add %s "
	         "%s/keys/%s",
	         name, name, h->root.text, name);
}

static bool is_connected(const struct json *items, const char *name)
{
	bool found = false;
	for (size_t i = 0; i < json_len(items) && !found; i++) {
		struct str state = json_str_or(json_get(json_at(items, i), "state"), STR("gone"));
		found = str_eq_c(json_str_or(json_get(json_at(items, i), "name"), STR("")), name) &&
		        !str_eq_c(state, "gone") && !str_eq_c(state, "away");
	}
	return found;
}

/* Which worker is not connected, and why as far as one can know here. */
static void tell_missing(const struct cli *c, const struct home *h, unsigned workers)
{
	struct api *a = NULL;
	struct api_answer answer;
	struct error e;
	bool known = api_open(c, &a, &e) == ERR_OK && api_get(a, &answer, &e, "/api/v1/workers?limit=500") == ERR_OK;
	for (unsigned i = 1; i <= workers; i++) {
		struct fs_path name = worker_name(i);
		if (installation_refuses(h, name.text)) {
			tell_refused(c, h, name.text);
		} else if (known && !is_connected(json_get(json_root(answer.doc), "items"), name.text)) {
			cli_note(c, "%s is not connected; the end of its log (assay logs %s):", name.text, name.text);
			show_tail(h, name.text);
		}
	}
	if (known)
		api_answer_done(&answer);
	api_close(a);
}

/* All of ours that may connect have, or the time for that is over. */
static enum cli_exit judge_workers(const struct cli *c, const struct home *h, unsigned workers, int64_t connected)
{
	if (count_refused(h, workers) || connected < (int64_t)workers)
		tell_missing(c, h, workers);
	if (workers && connected <= 0)
		return cli_fail_text(c, CLI_FAILED, "no worker is connected: assay doctor");
	return CLI_OK;
}

static enum cli_exit wait_ready(const struct cli *c, const struct home *h, unsigned workers)
{
	struct http_client *client;
	struct home_status status;
	struct error e;
	uint64_t until = clock_now_ms() + READY_MS, told_ms = clock_now_ms();
	if (http_client_new(NULL, &client, &e) != ERR_OK)
		return cli_fail(c, &e);
	bool is_ready = false, stopped = false;
	const char *ends = NULL;
	int64_t connected = -1;
	uint64_t served_ms = 0; /* since when it is ready but for workers */
	while (!is_ready && !stopped && !ends && clock_now_ms() < until) {
		bool up = running(h, &status);
		connected = up ? connected_workers(client, &status) : -1;
		served_ms = connected < 0 ? 0 : served_ms ? served_ms : clock_now_ms();
		is_ready = connected >= 0 && (connected >= (int64_t)workers ||
		                              connected + count_refused(h, workers) >= (int64_t)workers ||
		                              clock_now_ms() - served_ms >= WORKERS_MS);
		ends = up && !is_ready ? part_that_ends(&status) : NULL;
		if (!is_ready)
			pause_ms(LOOK_MS);
		if (clock_now_ms() - told_ms >= 2000) {
			told_ms = clock_now_ms();
			cli_note(c, "  waiting for %s", up ? step_of(&status) : "supervise");
		}
		stopped = interrupted(c);
	}
	http_client_free(client);
	if (is_ready)
		return judge_workers(c, h, workers, connected);
	if (stopped)
		return CLI_INTERRUPTED;
	if (ends) {
		show_tail(h, ends);
		return cli_fail_text(c, CLI_FAILED,
		                     "%s ends again and again; all logs: assay logs; to stop: assay down", ends);
	}
	show_tail(h, "supervise");
	show_tail(h, "postgres");
	show_tail(h, "coordinator");
	return cli_fail_text(c, CLI_FAILED, "not ready after %d s; all logs: assay logs", READY_MS / 1000);
}

/* What unfinished runs wait for, from the server; one that says nothing within a second is told as that. */
static void print_unfinished(struct cli *c)
{
	struct api *a;
	struct api_answer answer;
	struct error e;
	struct api_call call = { .method = "GET", .path = "/api/v1/health", .timeout_ms = SERVER_MS };
	enum err_code err = api_open(c, &a, &e);
	if (err == ERR_OK) {
		err = api_send(a, &call, &answer, &e);
		api_close(a);
	}
	if (err != ERR_OK) {
		cli_print_wrapped(c, "  server       %s", e.text);
		return;
	}
	const struct json *runs = json_get(json_root(answer.doc), "unfinished");
	for (size_t i = 0; i < json_len(runs); i++) {
		const struct json *r = json_at(runs, i);
		struct str text = json_str_or(json_get(r, "text"), STR(""));
		cli_print_wrapped(c, "  run %-8lld %lld of %lld  %s%.*s", (long long)json_i64_or(json_get(r, "run"), 0),
		                  (long long)json_i64_or(json_get(r, "done"), 0),
		                  (long long)json_i64_or(json_get(r, "total"), 0), text.len ? "waits: " : "under way",
		                  STR_ARG(text));
	}
	api_answer_done(&answer);
}

static enum cli_exit print_status(struct cli *c, const struct home *h, const struct home_status *s, bool is_up)
{
	struct buf text;
	if (c->json) {
		buf_init(&text, 1 << 20);
		if (!home_status_to_json(h, s, is_up, &text))
			return cli_fail_text(c, CLI_FAILED, "the status is too long");
		text.len -= text.len ? 1 : 0; /* cli_print_json() adds the line end */
		return cli_print_json(&text);
	}
	cli_print_line("%s  %s", is_up ? "running" : "stopped", h->root.text);
	if (!is_up)
		return CLI_OK;
	cli_print_line("  url  %s", s->url);
	cli_print_line("  dsn  %s", s->dsn);
	for (size_t i = 0; i < s->process_count; i++) {
		char since[CLOCK_TEXT_BYTES];
		clock_text(s->processes[i].since_ms, since);
		cli_print_line("  %-12s %-9s pid %-8d since %s  restarts %llu", s->processes[i].name,
		               s->processes[i].state, (int)s->processes[i].id.pid, since,
		               (unsigned long long)s->processes[i].restarts);
		if (str_starts(str_from(s->processes[i].name), STR("worker-")) &&
		    installation_refuses(h, s->processes[i].name))
			cli_print_wrapped(c,
			                  "  %-12s refused: its key is revoked (assay workers keys add %s %s/keys/%s)",
			                  "", s->processes[i].name, h->root.text, s->processes[i].name);
	}
	print_unfinished(c);
	return CLI_OK;
}

/* The running workers have the keys of when they were started: a key that came or changed since is not theirs. */
static void tell_changed_keys(const struct cli *c, const struct home_status *status)
{
	struct installation_key_change changes[KEY_CHANGES_MAX];
	struct arena arena;
	struct buf started;
	struct fs_path path = fs_path("/proc/%d/environ", (int)status->supervise.pid);
	buf_init(&started, LOG_BYTES_MAX);
	arena_init(&arena, 1 << 20);
	size_t count = 0;
	if (fs_read(path.text, &started, NULL) == ERR_OK) /* else it has just ended, and the wait below says so */
		count = installation_key_changes((const char *const *)environ, buf_str(&started), &arena, changes,
		                                 KEY_CHANGES_MAX);
	for (size_t i = 0; i < count; i++) {
		struct str alias = installation_alias(changes[i].name, &arena);
		if (changes[i].is_new)
			cli_note(c, "%s is set now but was not when this was started: no worker has the key '%.*s'",
			         changes[i].name, STR_ARG(alias));
		else
			cli_note(c, "%s has another value now: the workers still use the old key '%.*s'",
			         changes[i].name, STR_ARG(alias));
	}
	if (count)
		cli_note(c, "to give the workers %s: assay down, then assay up",
		         count == 1 ? "that key" : "those keys");
	keys_wipe(started.data, started.len);
	buf_done(&started);
	arena_done(&arena);
}

/* As root the database is found by the home's path. A home that was moved takes its database along; a copy of one
 * begins with an empty database of its own. */
static enum err_code take_along(const struct cli *c, const struct home *h, struct error *reterr)
{
	struct home old = *h;
	struct postgres before, now;
	struct process_id server;
	if (!installation_moved(h, &old.root))
		return installation_settle(h, reterr);
	home_id(old.root.text, old.id);
	if (postgres_find(&old, &before, NULL) != ERR_OK || postgres_find(h, &now, NULL) != ERR_OK ||
	    strcmp(before.data.text, now.data.text) == 0 || !fs_exists(before.data.text) || fs_exists(now.data.text))
		return installation_settle(h, reterr); /* it lies inside the home, or there is nothing to take */
	if (fs_exists(old.root.text)) {
		cli_note(c, "this is a copy of %s: it begins with an empty database; that of the other stays in %s",
		         old.root.text, before.data.text);
		return installation_settle(h, reterr);
	}
	if (postgres_running(&before, &server, NULL) == ERR_OK && process_id_alive(&server))
		return error_set(reterr, ERR_CONFLICT,
		                 "this was %s, and its database server still runs there: stop process %d first",
		                 old.root.text, (int)server.pid);
	enum err_code err = fs_rename(before.data.text, now.data.text, reterr);
	if (err != ERR_OK)
		return err;
	cli_note(c, "this was %s; its database came along", old.root.text);
	return installation_settle(h, reterr);
}

enum cli_exit cmd_up(struct cli *c)
{
	struct home h;
	struct home_status status;
	struct fs_lock *lock = NULL;
	struct error e;
	unsigned workers = (unsigned)config_i64(c->config, "workers");
	enum err_code err = home_find(true, &h, &e);
	if (err == ERR_OK)
		err = fs_lock_take(home_path(&h, "lock").text, &lock, &e);
	if (err != ERR_OK)
		return cli_fail(c, &e);
	enum cli_exit exit_status = CLI_OK;
	if (running(&h, &status)) {
		if (status.process_count != workers + 2u && config_given(c->config, "workers"))
			cli_note(c,
			         "already running with %zu worker%s; to change that: assay down, then assay up "
			         "--workers %u",
			         status.process_count - 2, CLI_S(status.process_count - 2), workers);
		workers = (unsigned)status.process_count - 2;
		tell_changed_keys(c, &status);
	} else {
		cli_note(c, "starting PostgreSQL, a coordinator and %u worker%s in %s", workers, CLI_S(workers),
		         h.root.text);
		err = installation_prepare(&h, workers, c->program_path, (const char *const *)environ, &e);
		if (err == ERR_OK)
			err = take_along(c, &h, &e);
		if (err == ERR_OK)
			err = start_supervise(c, &h, workers, &e);
		exit_status = err == ERR_OK ? CLI_OK : cli_fail(c, &e);
	}
	if (exit_status == CLI_OK)
		exit_status = wait_ready(c, &h, workers);
	fs_lock_release(lock);
	if (exit_status != CLI_OK || !running(&h, &status))
		return exit_status;
	exit_status = print_status(c, &h, &status, true);
	cli_note(c, "next: assay models add models.yaml | assay suite push suite.yaml | assay init");
	return exit_status;
}

/* Asks that are under way at the workers; -1: nobody says. */
static int64_t asks_under_way(const struct cli *c)
{
	struct api *a;
	struct api_answer answer;
	struct error e;
	struct api_call call = { .method = "GET", .path = "/api/v1/workers?limit=500", .timeout_ms = SERVER_MS };
	int64_t count = -1;
	if (api_open(c, &a, &e) != ERR_OK)
		return count;
	if (api_send(a, &call, &answer, &e) == ERR_OK) {
		const struct json *items = json_get(json_root(answer.doc), "items");
		count = 0;
		for (size_t i = 0; i < json_len(items); i++)
			count += json_i64_or(json_get(json_at(items, i), "started"), 0);
		api_answer_done(&answer);
	}
	api_close(a);
	return count;
}

/* A stop that takes longer than a moment says what it does. */
static enum err_code wait_stopped(const struct cli *c, const struct process_id *supervise, struct error *reterr)
{
	char until[CLOCK_TEXT_BYTES];
	clock_text(clock_wall_ms() + DRAIN_MS, until);
	enum err_code err = process_id_wait(supervise, TELL_DRAIN_MS, reterr);
	if (err != ERR_TIMEOUT)
		return err;
	int64_t asks = asks_under_way(c);
	if (asks > 0)
		cli_note(c, "  draining: %lld ask%s under way %s finished or given back, until %s at most",
		         (long long)asks, CLI_S(asks), asks == 1 ? "is" : "are", until);
	else
		cli_note(c, "  draining: what is under way is finished or given back, until %s at most", until);
	return process_id_wait(supervise, DOWN_MS, reterr);
}

enum cli_exit cmd_down(struct cli *c)
{
	struct home h;
	struct home_status status;
	struct fs_lock *lock = NULL;
	struct error e;
	enum err_code err = home_find(false, &h, &e);
	if (err == ERR_NOT_FOUND) {
		cli_note(c, "nothing to stop: %s", e.text);
		return CLI_OK;
	}
	if (err == ERR_OK)
		err = fs_lock_take(home_path(&h, "lock").text, &lock, &e);
	if (err != ERR_OK)
		return cli_fail(c, &e);
	if (!running(&h, &status)) {
		unsigned count = 0;
		err = supervise_clean(&h, &count, &e);
		fs_lock_release(lock);
		if (err != ERR_OK)
			return cli_fail(c, &e);
		if (count)
			cli_note(c, "stopped %u process%s that a killed supervise had left in %s", count,
			         count == 1 ? "" : "es", h.root.text);
		else
			cli_note(c, "nothing to stop in %s", h.root.text);
		return CLI_OK;
	}
	cli_note(c, "stopping workers, coordinator and PostgreSQL in %s", h.root.text);
	err = process_id_kill(&status.supervise, SIGTERM, false, &e);
	if (err == ERR_OK)
		err = wait_stopped(c, &status.supervise, &e);
	else if (err == ERR_NOT_FOUND)
		err = ERR_OK;
	fs_lock_release(lock);
	if (err != ERR_OK)
		return cli_fail(c, &e);
	cli_note(c, "stopped");
	return CLI_OK;
}

enum cli_exit cmd_status(struct cli *c)
{
	struct home h;
	struct home_status status = { 0 };
	struct error e;
	enum err_code err = home_find(false, &h, &e);
	if (err == ERR_NOT_FOUND) /* as a server that is stopped */
		return cli_fail_text(c, CLI_CONNECT, "%s", e.text);
	if (err != ERR_OK)
		return cli_fail(c, &e);
	bool is_up = running(&h, &status);
	enum cli_exit printed = print_status(c, &h, &status, is_up);
	return printed != CLI_OK || is_up ? printed : CLI_CONNECT;
}

enum cli_exit cmd_supervise(struct cli *c)
{
	static const int signals[] = { SIGTERM, SIGINT };
	struct home h;
	struct error e;
	int fd = -1;
	enum err_code err = log_setup(STR("info"), &e);
	if (err == ERR_OK && c->signal_fd < 0)
		err = signals_fd(signals, ARRAY_LEN(signals), &fd, &e);
	if (err == ERR_OK)
		err = home_find(true, &h, &e);
	if (err == ERR_OK)
		err = supervise_run(&h, (unsigned)config_i64(c->config, "workers"), c->program_path,
		                    c->signal_fd < 0 ? fd : c->signal_fd, &e);
	return err == ERR_OK ? CLI_OK : cli_fail(c, &e);
}
