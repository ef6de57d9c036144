#include "coordinator/cli/supervise.h"
#include "common/io/clock.h"
#include "common/io/log.h"
#include "common/io/signals.h"
#include "coordinator/cli/installation.h"
#include "coordinator/cli/postgres.h"
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	BACKOFF_FIRST_MS = 200,
	BACKOFF_MOST_MS = 10000,
	SETTLED_MS = 30000,
	ANSWER_POLL_MS = 50,
	WORKER_GRACE_MS = 40000,
	COORDINATOR_GRACE_MS = 15000,
	POSTGRES_GRACE_MS = 60000,
	FORCED_GRACE_MS = 2000,
	LEFTOVER_MS = 30000,
	ARGS_MAX = 32,
	KEY_NAMES_MAX = 256,
};

enum kind { KIND_POSTGRES, KIND_COORDINATOR, KIND_WORKER };

struct child {
	enum kind kind;
	unsigned number; /* of a worker, from 1 */
	char name[HOME_NAME_BYTES];
	struct process *process;
	uint64_t started_ms, start_at_ms, backoff_ms, restarts;
	int64_t since_wall_ms;
	struct process_id id;
};

struct supervise {
	const struct home *home;
	const char *program_path;
	struct postgres pg;
	struct installation in;
	struct child children[2 + INSTALLATION_WORKERS_MAX];
	size_t child_count;
	bool database_ready; /* answers, and holds the database */
	int64_t started_wall_ms;
	struct arena arena;
	const char *key_names[KEY_NAMES_MAX + 1];
};

static void write_status(struct supervise *s)
{
	struct home_status status = { .started_ms = s->started_wall_ms };
	struct error e;
	(void)snprintf(status.url, sizeof(status.url), "http://127.0.0.1:%u", s->in.http_port);
	(void)snprintf(status.endpoint, sizeof(status.endpoint), "tcp://127.0.0.1:%u", s->in.fleet_port);
	(void)snprintf(status.dsn, sizeof(status.dsn), "%s", s->pg.dsn);
	if (process_id_of(getpid(), &status.supervise, &e) != ERR_OK) {
		log_warn("status.json not written", log_error_text(&e));
		return;
	}
	for (size_t i = 0; i < s->child_count; i++) {
		const struct child *c = &s->children[i];
		struct home_process *p = &status.processes[status.process_count++];
		*p = (struct home_process){ .id = c->id, .restarts = c->restarts, .since_ms = c->since_wall_ms };
		memcpy(p->name, c->name, sizeof(p->name));
		bool settling = c->kind == KIND_POSTGRES && !s->database_ready;
		(void)snprintf(p->state, sizeof(p->state), "%s",
		               !c->process ? "waiting"
		               : settling  ? "starting"
		                           : "running");
	}
	if (home_status_write(s->home, &status, &e) != ERR_OK)
		log_warn("status.json not written", log_error_text(&e));
}

/* ---- what an earlier supervise left behind when it was killed ---- */

/* The server holds the data folder. True: there was one. */
static bool end_leftover_postgres(const struct postgres *pg)
{
	struct process_id id;
	struct error e;
	if (postgres_running(pg, &id, NULL) != ERR_OK || !process_id_alive(&id))
		return false;
	log_warn("ending the database that an earlier supervise left", log_i64("pid", id.pid));
	if (process_id_kill(&id, SIGINT, false, &e) != ERR_OK || process_id_wait(&id, LEFTOVER_MS, &e) == ERR_OK)
		return true;
	IGNORE(process_id_kill(&id, SIGQUIT, false, NULL)); /* crash recovery is what it is built for */
	IGNORE(process_id_wait(&id, LEFTOVER_MS, NULL));    /* if it still lives, starting ours says so */
	return true;
}

/* Children die with their parent, but for the moment between: whatever of the last status still lives is ended. */
static unsigned end_leftovers(const struct home *h)
{
	struct home_status old;
	unsigned count = 0;
	if (home_status_read(h, &old, NULL) != ERR_OK)
		return 0;
	for (size_t i = 0; i < old.process_count; i++) {
		struct home_process *p = &old.processes[i];
		if (strcmp(p->name, "postgres") == 0 || !process_id_alive(&p->id))
			continue;
		log_warn("ending what an earlier supervise left", log_c("name", p->name), log_i64("pid", p->id.pid));
		IGNORE(process_id_kill(&p->id, SIGKILL, true, NULL)); /* gone meanwhile is as good */
		IGNORE(process_id_wait(&p->id, LEFTOVER_MS, NULL));
		count++;
	}
	return count;
}

enum err_code supervise_clean(const struct home *h, unsigned *ret_count, struct error *reterr)
{
	struct fs_lock *lock = NULL;
	struct postgres pg;
	enum err_code err = fs_lock_take(home_path(h, "supervise.lock").text, &lock, reterr);
	if (err != ERR_OK)
		return err;
	*ret_count = end_leftovers(h);
	if (postgres_find(h, &pg, NULL) == ERR_OK) /* else there is no server that could run */
		*ret_count += end_leftover_postgres(&pg);
	struct fs_path status = home_path(h, "status.json");
	if (fs_exists(status.text))
		err = fs_remove(status.text, reterr);
	fs_lock_release(lock);
	return err;
}

/* ---- starting one child ---- */

static enum err_code start_program(struct supervise *s, struct child *c, const char *program,
                                   const char *const *more_args, struct error *reterr)
{
	struct fs_path path = installation_program(s->program_path, program);
	struct fs_path log_path = fs_path("%s/logs/%s.log", s->home->root.text, c->name);
	const char *argv[ARGS_MAX] = { path.text };
	for (size_t i = 0; more_args[i] && i + 2 < ARGS_MAX; i++)
		argv[i + 1] = more_args[i];
	struct process_spec spec = { .argv = argv,
		                     .cwd = s->home->root.text,
		                     .stdout_to = PROCESS_OUTPUT_FILE,
		                     .stdout_path = log_path.text,
		                     .stderr_to = PROCESS_OUTPUT_STDOUT,
		                     .new_session = true,
		                     .die_with_parent = true };
	struct fs_path home_env = fs_path("ASSAY_HOME=%s", s->home->root.text);
	const char *env_set[] = { home_env.text, NULL };
	spec.env_set = env_set;
	if (c->kind != KIND_WORKER)
		spec.env_drop = s->key_names; /* the keys of providers are for workers alone */
	return process_start(&spec, &c->process, reterr);
}

static enum err_code start_coordinator(struct supervise *s, struct child *c, struct error *reterr)
{
	uint16_t fleet_before = s->in.fleet_port;
	s->in.fleet_port = s->in.http_port = 0;
	enum err_code err = installation_ports(s->home, &s->in, reterr);
	if (err != ERR_OK)
		return err;
	/* Workers are told the endpoint when they start: another one means that they start again. */
	for (size_t i = 0; fleet_before && fleet_before != s->in.fleet_port && i < s->child_count; i++)
		if (s->children[i].kind == KIND_WORKER && s->children[i].process)
			process_kill(s->children[i].process, SIGTERM);
	char listen[64], http[64];
	struct fs_path key = home_path(s->home, "keys/coordinator"), token = home_path(s->home, "token");
	struct fs_path allowed = home_path(s->home, "keys/allowed");
	(void)snprintf(listen, sizeof(listen), "tcp://127.0.0.1:%u", s->in.fleet_port);
	(void)snprintf(http, sizeof(http), "127.0.0.1:%u", s->in.http_port);
	const char *args[] = { "--dsn",  s->pg.dsn,   "--listen",   listen,         "--http",   http, "--key",
		               key.text, "--allowed", allowed.text, "--token-file", token.text, NULL };
	return start_program(s, c, "assay-coordinator", args, reterr);
}

static enum err_code start_worker(struct supervise *s, struct child *c, struct error *reterr)
{
	char endpoint[64];
	struct fs_path config = fs_path("%s/%s/worker.yaml", s->home->root.text, c->name);
	struct fs_path state = fs_path("%s/%s", s->home->root.text, c->name);
	struct fs_path key = fs_path("%s/keys/%s", s->home->root.text, c->name);
	struct fs_path server = home_path(s->home, "keys/coordinator.public");
	(void)snprintf(endpoint, sizeof(endpoint), "tcp://127.0.0.1:%u", s->in.fleet_port);
	const char *args[] = { "--config", config.text,    "--state",   state.text, "--coordinator",
		               endpoint,   "--server-key", server.text, "--key",    key.text,
		               "--name",   c->name,        NULL };
	return start_program(s, c, "assay-worker", args, reterr);
}

static enum err_code start_postgres(struct supervise *s, struct child *c, struct error *reterr)
{
	struct fs_path log_path = home_path(s->home, "logs/postgres.log");
	(void)end_leftover_postgres(&s->pg);
	s->database_ready = false;
	enum err_code err = postgres_prepare(&s->pg, reterr);
	return err == ERR_OK ? postgres_start(&s->pg, log_path.text, &c->process, reterr) : err;
}

static void start_child(struct supervise *s, struct child *c)
{
	struct error e;
	uint64_t now = clock_now_ms();
	enum err_code err = c->kind == KIND_POSTGRES      ? start_postgres(s, c, &e)
	                    : c->kind == KIND_COORDINATOR ? start_coordinator(s, c, &e)
	                                                  : start_worker(s, c, &e);
	c->started_ms = now;
	c->since_wall_ms = clock_wall_ms();
	c->backoff_ms = c->backoff_ms ? MIN_OF(c->backoff_ms * 2, (uint64_t)BACKOFF_MOST_MS) : BACKOFF_FIRST_MS;
	if (err == ERR_OK)
		err = process_id_of(process_pid(c->process), &c->id, &e);
	if (err == ERR_OK) {
		log_info("started", log_c("name", c->name), log_i64("pid", process_pid(c->process)));
	} else {
		process_free(c->process);
		c->process = NULL;
		c->start_at_ms = now + c->backoff_ms;
		log_error("cannot start", log_c("name", c->name), log_error_text(&e));
	}
	write_status(s);
}

/* ---- the loop ---- */

static void reap(struct supervise *s, struct child *c)
{
	struct process_status status;
	struct error e;
	if (!c->process || process_wait(c->process, 0, &status, &e) == ERR_TIMEOUT)
		return;
	char text[48];
	process_status_text(status, text);
	uint64_t now = clock_now_ms();
	if (now - c->started_ms >= SETTLED_MS)
		c->backoff_ms = 0;
	c->start_at_ms = now + (c->backoff_ms ? c->backoff_ms : BACKOFF_FIRST_MS);
	c->restarts++;
	c->since_wall_ms = clock_wall_ms();
	log_warn("ended, will be started again", log_c("name", c->name), log_c("status", text),
	         log_u64("in_ms", c->start_at_ms - now));
	process_free(c->process);
	c->process = NULL;
	if (c->kind == KIND_POSTGRES)
		s->database_ready = false;
	write_status(s);
}

static bool may_start(const struct supervise *s, const struct child *c)
{
	/* Once the installation stands, a coordinator waits for its database by itself and says so. */
	if (c->kind == KIND_COORDINATOR)
		return s->database_ready || c->restarts > 0 || c->started_ms > 0;
	return c->kind == KIND_POSTGRES || s->in.fleet_port != 0;
}

static void look_for_database(struct supervise *s)
{
	struct error e;
	if (s->database_ready || !s->children[0].process || !postgres_answers(&s->pg))
		return;
	if (postgres_make_database(&s->pg, &e) != ERR_OK) {
		log_warn("database not made yet", log_error_text(&e));
		return;
	}
	s->database_ready = true;
	log_info("database answers");
	write_status(s);
}

static int wait_ms(const struct supervise *s)
{
	uint64_t now = clock_now_ms(), until = now + 60000;
	for (size_t i = 0; i < s->child_count; i++)
		if (!s->children[i].process && may_start(s, &s->children[i]))
			until = MIN_OF(until, MAX_OF(s->children[i].start_at_ms, now));
	if (!s->database_ready)
		until = MIN_OF(until, now + ANSWER_POLL_MS);
	return (int)(until - now);
}

static bool wait_for_something(struct supervise *s, int signal_fd)
{
	struct pollfd fds[3 + INSTALLATION_WORKERS_MAX] = { { .fd = signal_fd, .events = POLLIN } };
	nfds_t count = 1;
	for (size_t i = 0; i < s->child_count; i++)
		if (s->children[i].process)
			fds[count++] = (struct pollfd){ .fd = process_fd(s->children[i].process), .events = POLLIN };
	(void)poll(fds, count, wait_ms(s)); /* an interrupted wait looks again */
	int number;
	while (signals_next(signal_fd, &number, NULL))
		if (number == SIGTERM || number == SIGINT)
			return false;
	return true;
}

static void stop_all(struct supervise *s)
{
	static const int grace_ms[] = { POSTGRES_GRACE_MS, COORDINATOR_GRACE_MS, WORKER_GRACE_MS };
	for (size_t i = 0; i < s->child_count; i++)
		if (s->children[i].kind == KIND_WORKER && s->children[i].process)
			process_kill(s->children[i].process, SIGTERM); /* all drain at once */
	for (size_t i = s->child_count; i-- > 0;) {
		struct child *c = &s->children[i];
		struct process_status status;
		struct error e;
		if (!c->process)
			continue;
		/* Each is told once: workers were above and drain (a second SIGTERM would mean: at once), SIGINT is
		 * PostgreSQL's fast shutdown (SIGTERM would wait for every client). process_stop() is for who does not
		 * listen. */
		if (c->kind == KIND_POSTGRES)
			IGNORE(process_id_kill(&c->id, SIGINT, false, NULL));
		if (c->kind == KIND_COORDINATOR)
			process_kill(c->process, SIGTERM);
		IGNORE(process_wait(c->process, grace_ms[c->kind], &status, NULL));
		if (process_stop(c->process, FORCED_GRACE_MS, &status, &e) != ERR_OK)
			log_warn("did not stop", log_c("name", c->name), log_error_text(&e));
		else
			log_info("stopped", log_c("name", c->name));
		process_free(c->process);
		c->process = NULL;
	}
}

static void add_child(struct supervise *s, enum kind kind, unsigned number, const char *name)
{
	struct child *c = &s->children[s->child_count++];
	*c = (struct child){ .kind = kind, .number = number, .since_wall_ms = clock_wall_ms() };
	(void)snprintf(c->name, sizeof(c->name), "%s", name);
}

enum err_code supervise_run(const struct home *h, unsigned workers, const char *program_path, int signal_fd,
                            struct error *reterr)
{
	struct supervise s = { .home = h, .program_path = program_path, .started_wall_ms = clock_wall_ms() };
	struct fs_lock *lock = NULL;
	enum err_code err = fs_lock_take(home_path(h, "supervise.lock").text, &lock, reterr);
	if (err == ERR_OK)
		err = postgres_find(h, &s.pg, reterr);
	if (err != ERR_OK) {
		fs_lock_release(lock);
		return err;
	}
	arena_init(&s.arena, 1 << 20);
	s.key_names[installation_key_names((const char *const *)environ, &s.arena, s.key_names, KEY_NAMES_MAX)] = NULL;
	(void)end_leftovers(h);
	add_child(&s, KIND_POSTGRES, 0, "postgres");
	add_child(&s, KIND_COORDINATOR, 0, "coordinator");
	for (unsigned i = 1; i <= MIN_OF(workers, (unsigned)INSTALLATION_WORKERS_MAX); i++) {
		char name[HOME_NAME_BYTES];
		(void)snprintf(name, sizeof(name), "worker-%u", i);
		add_child(&s, KIND_WORKER, i, name);
	}
	do {
		look_for_database(&s);
		for (size_t i = 0; i < s.child_count; i++) {
			struct child *c = &s.children[i];
			reap(&s, c);
			if (!c->process && may_start(&s, c) && clock_now_ms() >= c->start_at_ms)
				start_child(&s, c);
		}
	} while (wait_for_something(&s, signal_fd));
	log_info("stopping");
	stop_all(&s);
	err = fs_remove(home_path(h, "status.json").text, reterr);
	arena_done(&s.arena);
	fs_lock_release(lock);
	return err;
}
