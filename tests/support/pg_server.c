#include "tests/support/pg_server.h"
#include "common/base/mem.h"
#include "common/io/clock.h"
#include "common/io/fs.h"
#include "common/io/process.h"
#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BIN "/usr/lib/postgresql/15/bin/"

enum { INIT_MS = 60000, START_MS = 30000, SQL_MS = 60000, STOP_MS = 20000, ARGS_MAX = 40, FOLDER_BYTES = 40 };

struct pg_server {
	char folder[FOLDER_BYTES];
	char dsn[160];
	bool drop_user;
	uid_t uid;
	gid_t gid;
	const char *args[ARGS_MAX];
	size_t arg_count;
	char socket_arg[64], data_arg[64];
	struct process *process;
};

static void run_as_other(const struct pg_server *s, struct process_spec *spec)
{
	spec->drop_user = s->drop_user;
	spec->uid = s->uid;
	spec->gid = s->gid;
	spec->cwd = s->folder;
}

static enum err_code run_tool(const struct pg_server *s, const char *const *argv, int timeout_ms, struct buf *out,
                              struct error *reterr)
{
	struct process_spec spec = { .argv = argv };
	struct process_result result;
	run_as_other(s, &spec);
	enum err_code err = process_run(&spec, STR(""), timeout_ms, 1 << 20, &result, reterr);
	if (err)
		return err;
	if (!process_ok(result.status))
		err = error_set(reterr, ERR_IO, "%s: %.*s", argv[0], STR_ARG(buf_str(&result.err)));
	else if (out)
		(void)buf_append_str(out, buf_str(&result.out)); /* what does not fit is not looked at */
	process_result_done(&result);
	return err;
}

enum err_code pg_server_sql(struct pg_server *s, const char *sql, struct buf *out, struct error *reterr)
{
	const char *argv[] = { BIN "psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-d", s->dsn, "-c", sql, NULL };
	return run_tool(s, argv, SQL_MS, out, reterr);
}

static enum err_code wait_ready(struct pg_server *s, struct error *reterr)
{
	const char *argv[] = { BIN "pg_isready", "-q", "-d", s->dsn, NULL };
	uint64_t until_ms = clock_now_ms() + START_MS;
	struct process_status status;
	while (run_tool(s, argv, SQL_MS, NULL, NULL) != ERR_OK) {
		if (process_wait(s->process, 0, &status, NULL) == ERR_OK)
			return error_set(reterr, ERR_IO, "postgres ended at once: see %s/log", s->folder);
		if (clock_now_ms() > until_ms)
			return error_set(reterr, ERR_TIMEOUT, "postgres does not answer: see %s/log", s->folder);
		(void)poll(NULL, 0, 20); /* a server says nowhere that it is ready: asked again */
	}
	return ERR_OK;
}

enum err_code pg_server_restart(struct pg_server *s, struct error *reterr)
{
	char log[64];
	(void)snprintf(log, sizeof(log), "%s/log", s->folder); /* fits: both are ours */
	struct process_spec spec = { .argv = s->args,
		                     .stdout_to = PROCESS_OUTPUT_FILE,
		                     .stdout_path = log,
		                     .stderr_to = PROCESS_OUTPUT_STDOUT,
		                     .die_with_parent = true };
	run_as_other(s, &spec);
	enum err_code err = process_start(&spec, &s->process, reterr);
	return err ? err : wait_ready(s, reterr);
}

static enum err_code make_folder(struct pg_server *s, struct error *reterr)
{
	(void)snprintf(s->folder, sizeof(s->folder), "/tmp/assay-pg-XXXXXX"); /* fits */
	if (!mkdtemp(s->folder))
		return error_set(reterr, ERR_IO, "no folder for the database under /tmp");
	if (geteuid() != 0)
		return ERR_OK;
	s->drop_user = true;
	if (!process_user("postgres", &s->uid, &s->gid))
		return error_set(reterr, ERR_NOT_FOUND, "there is no account 'postgres' to run the database as");
	return fs_set_owner(s->folder, s->uid, s->gid, reterr);
}

static void set_args(struct pg_server *s, const struct pg_server_options *options)
{
	const char *const base[] = { BIN "postgres", "-D", s->data_arg, "-k", s->folder, "-c", "listen_addresses=" };
	const char *const fast[] = { "-c", "fsync=off", "-c", "full_page_writes=off" };
	(void)snprintf(s->data_arg, sizeof(s->data_arg), "%s/data", s->folder); /* fits */
	for (size_t i = 0; i < ARRAY_LEN(base); i++)
		s->args[s->arg_count++] = base[i];
	for (size_t i = 0; options->fast && i < ARRAY_LEN(fast); i++)
		s->args[s->arg_count++] = fast[i];
	for (size_t i = 0; options->args && options->args[i] && s->arg_count < ARGS_MAX - 1; i++)
		s->args[s->arg_count++] = options->args[i];
}

enum err_code pg_server_start(const struct pg_server_options *options, struct pg_server **ret_server,
                              struct error *reterr)
{
	struct pg_server *s = mem_new(1, sizeof(*s));
	enum err_code err = make_folder(s, reterr);
	set_args(s, options);
	(void)snprintf(s->dsn, sizeof(s->dsn), "host=%s user=assay dbname=postgres", s->folder); /* fits */
	const char *argv[] = { BIN "initdb", "-D", s->data_arg, "-U",         "assay", "-A",
		               "trust",      "-E", "UTF8",      "--locale=C", "-N",    NULL };
	if (!err)
		err = run_tool(s, argv, INIT_MS, NULL, reterr);
	if (!err)
		err = pg_server_restart(s, reterr);
	if (err)
		pg_server_free(s);
	else
		*ret_server = s;
	return err;
}

const char *pg_server_dsn(const struct pg_server *s)
{
	return s->dsn;
}

const char *pg_server_folder(const struct pg_server *s)
{
	return s->folder;
}

/* Backends are heads of sessions of their own: their parent is what they have in common. Counts those that live: a
 * zombie has let go of the shared memory. */
static size_t signal_children(pid_t parent, int signal)
{
	size_t count = 0;
	DIR *proc = opendir("/proc");
	for (struct dirent *e; proc && (e = readdir(proc)) != NULL;) {
		char path[300], text[512] = { 0 };
		int64_t pid, its_parent;
		if (!str_to_i64(str_from(e->d_name), &pid))
			continue;
		(void)snprintf(path, sizeof(path), "/proc/%s/stat", e->d_name); /* fits */
		FILE *f = fopen(path, "r");
		if (!f)
			continue;
		size_t len = fread(text, 1, sizeof(text) - 1, f);
		(void)fclose(f); /* only read */
		struct str rest = str_make(text, len);
		while (rest.len && rest.data[0] != ')')
			rest = str_slice(rest, 1, rest.len);
		struct str fields = str_slice(rest, 4, rest.len), field; /* ") S PARENT ..." */
		if (rest.len < 4 || rest.data[2] == 'Z')
			continue;
		if (!str_split(&fields, ' ', &field) || !str_to_i64(field, &its_parent) || its_parent != parent)
			continue;
		count++;
		if (signal)
			(void)kill((pid_t)pid, signal); /* it may have ended meanwhile */
	}
	if (proc)
		(void)closedir(proc);
	return count;
}

void pg_server_kill(struct pg_server *s)
{
	pid_t pid = process_pid(s->process);
	process_kill(s->process, SIGSTOP);        /* it starts no one between the two */
	while (signal_children(pid, SIGKILL) > 0) /* one that still dies would keep the next server from starting */
		(void)poll(NULL, 0, 1);
	process_kill(s->process, SIGKILL);
	(void)!process_wait(s->process, STOP_MS, NULL, NULL); /* SIGKILL does not fail */
	process_free(s->process);
	s->process = NULL;
}

void pg_server_freeze(struct pg_server *s)
{
	process_kill(s->process, SIGSTOP);
	(void)signal_children(process_pid(s->process), SIGSTOP);
}

void pg_server_thaw(struct pg_server *s)
{
	(void)signal_children(process_pid(s->process), SIGCONT);
	process_kill(s->process, SIGCONT);
}

void pg_server_free(struct pg_server *s)
{
	if (!s)
		return;
	if (s->process) {
		process_kill(s->process, SIGINT); /* fast shutdown: ends sessions, keeps nothing waiting */
		if (process_wait(s->process, STOP_MS, NULL, NULL) != ERR_OK)
			pg_server_kill(s);
		process_free(s->process);
	}
	if (s->folder[0])
		(void)!fs_remove_tree(s->folder, NULL); /* under /tmp: what is left is only in the way */
	mem_free(s);
}
