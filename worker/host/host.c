#include "worker/host/host.h"
#include "common/base/check.h"
#include "common/base/mem.h"
#include "common/io/clock.h"
#include "common/io/http_client.h"
#include "common/io/log.h"
#include "common/io/process.h"
#include "common/io/thread.h"
#include "worker/host/host_identity.h"
#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	HEALTH_EACH_MS = 200,
	HEALTH_TIMEOUT_MS = 5000,
	BACKOFF_FIRST_MS = 1000,
	BACKOFF_MAX_MS = 60 * 1000,
	BACKOFF_WAS_UP_MAX_MS = 4 * 1000, /* of one that could be started: perhaps a sample kills it */
	GOOD_HEALTH_MS = 60 * 1000,
	STOP_GRACE_MS = 5000,
	LOG_BYTES_MAX = 16 << 20,
	LOG_LOOK_MS = 1000,
	BODY_BYTES_MAX = 4 << 20,
	MAILS_A_TURN = 64,
	IDLE_MS = 10 * 1000,
	OOM_SCORE = 600, /* well before the worker, its coordinator and their database */
	ARGS_MAX = 64,
};

enum server_state { SERVER_DOWN, SERVER_STARTING, SERVER_UP, SERVER_BACKOFF };

struct server {
	const struct host_command *command;
	enum server_state state;
	struct process *process;
	uint16_t port;
	uint64_t since_ms; /* of this state */
	uint64_t log_looked_ms;
	uint64_t next_ms; /* STARTING: next look; BACKOFF: next start */
	uint32_t ready_ms, slots, backoff_ms;
	struct buf health, base_url, identity;
	struct metrics_series *up, *failures; /* NULL: nobody counts */
};

struct host {
	struct host_options options;
	struct thread *thread;
	struct http_client *http;
	struct server *servers;
	uint64_t now_ms;
};

static void tell(struct host *h, const struct server *s, struct str text, bool failed)
{
	struct host_told told = { .command = s->command->name, .text = text, .failed = failed };
	if (s->state == SERVER_UP)
		told.base_url = buf_str(&s->base_url);
	h->options.tell(h->options.arg, &told);
}

static void set_state(struct host *h, struct server *s, enum server_state state)
{
	s->state = state;
	s->since_ms = h->now_ms;
	if (s->up)
		metrics_set(s->up, state == SERVER_UP);
}

static void fail(struct host *h, struct server *s, const char *why)
{
	char text[300];
	process_free(s->process); /* ends what still runs */
	s->process = NULL;
	if (s->state == SERVER_UP && h->now_ms >= s->since_ms + GOOD_HEALTH_MS)
		s->backoff_ms = 0;
	uint32_t most_ms = s->state == SERVER_UP ? BACKOFF_WAS_UP_MAX_MS : BACKOFF_MAX_MS;
	s->backoff_ms = s->backoff_ms == 0 ? BACKOFF_FIRST_MS : MIN_OF(s->backoff_ms * 2, most_ms);
	set_state(h, s, SERVER_BACKOFF);
	if (s->failures)
		metrics_add(s->failures, 1);
	s->next_ms = h->now_ms + s->backoff_ms;
	(void)snprintf(text, sizeof(text), "model server '%.*s' %s; see host-%.*s.log of the worker",
	               STR_ARG(s->command->name), why, STR_ARG(s->command->name));
	log_warn("model server failed", log_str("command", s->command->name), log_c("why", why),
	         log_u64("again_ms", s->backoff_ms));
	tell(h, s, str_from(text), true);
}

/* ---- starting ---- */

static bool free_port(uint16_t *ret_port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return false;
	bool found =
		bind(fd, (struct sockaddr *)&a, sizeof(a)) == 0 && getsockname(fd, (struct sockaddr *)&a, &len) == 0;
	(void)close(fd); /* nothing was written */
	*ret_port = ntohs(a.sin_port);
	return found;
}

static void expand(const char *arg, const struct server *s, struct buf *out)
{
	static const struct str port = STR_INIT("{port}"), slots = STR_INIT("{slots}");
	for (struct str rest = str_from(arg); rest.len > 0;) {
		bool is_port = str_starts(rest, port), is_slots = str_starts(rest, slots);
		if (is_port || is_slots)
			(void)buf_printf(out, "%u", is_port ? s->port : s->slots); /* asked by the caller */
		else
			(void)buf_append_char(out, rest.data[0]); /* as above */
		size_t step = is_port ? port.len : is_slots ? slots.len : 1;
		rest = str_slice(rest, step, rest.len);
	}
	(void)buf_append_char(out, '\0'); /* as above */
}

static struct fs_path log_of(const struct host *h, const struct server *s)
{
	return fs_path("%s/host-%.*s.log", h->options.state_dir, STR_ARG(s->command->name));
}

/* A server that talks for weeks must not fill the disk: what is too long becomes NAME.log.1 in place of the one before,
 * and the server, which appends, goes on at the beginning. */
static void cut_log(const struct host *h, const struct server *s)
{
	struct fs_path path = log_of(h, s);
	struct fs_info info;
	struct fs_file *file;
	struct error error;
	struct buf text;
	if (fs_info(path.text, &info, &error) || !info.exists || info.size <= LOG_BYTES_MAX)
		return;
	buf_init(&text, (size_t)4 * LOG_BYTES_MAX);
	if (fs_read(path.text, &text, &error) ||
	    fs_write_atomic(fs_path("%s.1", path.text).text, buf_str(&text), 0600, &error))
		log_warn("the log of a model server is lost", log_str("command", s->command->name),
		         log_error_text(&error));
	buf_done(&text);
	enum err_code err = fs_file_open(path.text, 0600, &file, &error);
	if (!err) {
		err = fs_file_truncate(file, 0, &error);
		fs_file_close(file);
	}
	if (err)
		log_warn("the log of a model server cannot be cut", log_str("command", s->command->name),
		         log_error_text(&error));
}

static enum err_code spawn(struct host *h, struct server *s, struct error *reterr)
{
	struct buf text;
	size_t starts[ARGS_MAX], count = 0;
	const char *argv[ARGS_MAX + 2] = { s->command->path };
	buf_init(&text, 256 << 10);
	for (; s->command->args && s->command->args[count] && count < ARGS_MAX; count++) { /* settings allow no more */
		starts[count] = text.len;
		expand(s->command->args[count], s, &text);
	}
	for (size_t i = 0; i < count; i++)
		argv[i + 1] = text.data + starts[i];
	struct fs_path log_path = log_of(h, s);
	struct process_spec spec = {
		.argv = argv,
		.env_set = s->command->env,
		.env_drop = h->options.env_drop,
		.stdout_to = PROCESS_OUTPUT_FILE,
		.stdout_path = log_path.text,
		.stderr_to = PROCESS_OUTPUT_STDOUT,
		.die_with_parent = true,
		.data_bytes_max = s->command->memory_bytes_max,
		.oom_score = OOM_SCORE,
	};
	enum err_code err = text.failed ? error_set(reterr, ERR_LIMIT, "arguments are too long")
	                                : process_start(&spec, &s->process, reterr);
	buf_done(&text);
	return err;
}

static void start(struct host *h, struct server *s)
{
	struct error error;
	set_state(h, s, SERVER_STARTING);
	s->next_ms = h->now_ms + HEALTH_EACH_MS;
	if (!free_port(&s->port)) {
		fail(h, s, "finds no free port");
		return;
	}
	buf_clear(&s->base_url);
	(void)buf_printf(&s->base_url, "http://127.0.0.1:%u", s->port); /* fits its limit */
	if (spawn(h, s, &error)) {
		fail(h, s, error.text);
		return;
	}
	s->log_looked_ms = h->now_ms;
	log_info("model server starts", log_str("command", s->command->name), log_u64("port", s->port),
	         log_i64("pid", process_pid(s->process)));
}

/* ---- looking ---- */

static bool fetch(struct host *h, const struct server *s, struct str path, struct buf *out)
{
	char url[600];
	struct http_done done;
	struct error ignored; /* not healthy yet is no error */
	(void)snprintf(url, sizeof(url), "%.*s%.*s", STR_ARG(buf_str(&s->base_url)), STR_ARG(path));
	struct http_request request = { .url = url,
		                        .timeout_ms = HEALTH_TIMEOUT_MS,
		                        .response_bytes_max = BODY_BYTES_MAX };
	buf_clear(out);
	if (http_client_fetch(h->http, &request, &done, &ignored))
		return false;
	bool ok = done.status == 200 && buf_append_str(out, done.body);
	http_done_free(&done);
	return ok;
}

static void came_up(struct host *h, struct server *s)
{
	struct buf props, models;
	buf_init(&props, BODY_BYTES_MAX);
	buf_init(&models, BODY_BYTES_MAX);
	(void)fetch(h, s, STR("/props"), &props);      /* either may be missing */
	(void)fetch(h, s, STR("/v1/models"), &models); /* as above */
	buf_clear(&s->identity);
	if (!host_identity(s->command->name, buf_str(&props), buf_str(&models), &s->identity))
		(void)buf_append_str(&s->identity, s->command->name); /* fits its limit */
	buf_done(&props);
	buf_done(&models);
	log_info("model server is up", log_str("command", s->command->name), log_u64("port", s->port),
	         log_u64("after_ms", clock_now_ms() - s->since_ms), log_str("identity", buf_str(&s->identity)));
	set_state(h, s, SERVER_UP);
	tell(h, s, buf_str(&s->identity), false);
}

/* True when the process has ended; then it has been dealt with. */
static bool has_ended(struct host *h, struct server *s)
{
	struct process_status status;
	struct error error;
	char text[48], why[120];
	if (!s->process || process_wait(s->process, 0, &status, &error) == ERR_TIMEOUT)
		return false;
	process_status_text(status, text);
	(void)snprintf(why, sizeof(why), "ended: %s", text);
	if (s->command->memory_bytes_max > 0) /* whether that was it stands in its own log, if anywhere */
		(void)snprintf(why, sizeof(why), "ended: %s, its memory limit being %llu MiB", text,
		               (unsigned long long)(s->command->memory_bytes_max >> 20));
	fail(h, s, why);
	return true;
}

static void look(struct host *h, struct server *s)
{
	struct buf body;
	if (has_ended(h, s))
		return;
	if (s->process && h->now_ms >= s->log_looked_ms + LOG_LOOK_MS) {
		s->log_looked_ms = h->now_ms;
		cut_log(h, s);
	}
	if (s->state == SERVER_BACKOFF && h->now_ms >= s->next_ms)
		start(h, s);
	if (s->state != SERVER_STARTING || h->now_ms < s->next_ms)
		return;
	buf_init(&body, BODY_BYTES_MAX);
	bool healthy = fetch(h, s, buf_str(&s->health), &body);
	buf_done(&body);
	h->now_ms = clock_now_ms();
	if (healthy)
		came_up(h, s);
	else if (h->now_ms >= s->since_ms + s->ready_ms)
		fail(h, s, "was not ready in time");
	else
		s->next_ms = h->now_ms + HEALTH_EACH_MS;
}

/* ---- the loop ---- */

static void on_wanted(struct host *h, const struct host_mail *m)
{
	for (size_t i = 0; i < h->options.command_count; i++) {
		struct server *s = &h->servers[i];
		if (!str_eq(s->command->name, m->command))
			continue;
		if (s->state == SERVER_UP) {
			tell(h, s, buf_str(&s->identity), false);
			return;
		}
		buf_clear(&s->health);
		if (!buf_append_str(&s->health, m->health)) {
			buf_clear(&s->health);
			(void)buf_append_c(&s->health, "/health"); /* fits its limit */
		}
		s->ready_ms = m->ready_ms;
		s->slots = m->slots;
		if (s->state == SERVER_DOWN)
			start(h, s);
		return;
	}
	log_warn("an unknown model server was wanted", log_str("command", m->command));
}

static void wait(struct host *h, struct pollfd *fds)
{
	uint64_t due_ms = h->now_ms + IDLE_MS;
	nfds_t count = 0;
	fds[count++] = (struct pollfd){ .fd = ring_fd(h->options.inbox), .events = POLLIN };
	for (size_t i = 0; i < h->options.command_count; i++) {
		const struct server *s = &h->servers[i];
		if (s->state == SERVER_STARTING || s->state == SERVER_BACKOFF)
			due_ms = MIN_OF(due_ms, s->next_ms);
		if (s->process)
			fds[count++] = (struct pollfd){ .fd = process_fd(s->process), .events = POLLIN };
	}
	(void)poll(fds, count, due_ms > h->now_ms ? (int)(due_ms - h->now_ms) : 0); /* every cause leads to a look */
}

static void run(void *arg)
{
	struct host *h = arg;
	struct pollfd *fds = mem_new(h->options.command_count + 1, sizeof(*fds));
	void *mails[MAILS_A_TURN];
	while (!ring_is_closed(h->options.inbox)) {
		h->now_ms = clock_now_ms();
		wait(h, fds);
		h->now_ms = clock_now_ms();
		size_t count = ring_pop_all(h->options.inbox, mails, MAILS_A_TURN);
		for (size_t i = 0; i < count; i++) {
			struct host_mail m;
			h->options.read_mail(mails[i], &m);
			on_wanted(h, &m);
			h->options.free_mail(mails[i]);
		}
		for (size_t i = 0; i < h->options.command_count; i++)
			look(h, &h->servers[i]);
	}
	for (size_t i = 0; i < h->options.command_count; i++) /* all at once, so that their graces run together */
		if (h->servers[i].process)
			process_kill(h->servers[i].process, SIGTERM);
	struct error ignored; /* process_free() ends what would not stop */
	for (size_t i = 0; i < h->options.command_count; i++)
		if (h->servers[i].process && process_stop(h->servers[i].process, STOP_GRACE_MS, NULL, &ignored))
			log_warn("model server does not stop", log_error_text(&ignored));
	mem_free(fds);
}

static void make_metrics(struct host *h)
{
	static const struct metrics_spec up = { .kind = METRICS_GAUGE,
		                                .name = "assay_worker_model_server_up",
		                                .help = "1 while the model server answers",
		                                .labels = { "command" } },
					 failures = { .name = "assay_worker_model_server_failures_total",
		                                      .help = "Times that it ended or did not come up",
		                                      .labels = { "command" } };
	if (!h->options.metrics || h->options.command_count == 0)
		return;
	struct metrics_family *up_family = metrics_family(h->options.metrics, &up);
	struct metrics_family *failure_family = metrics_family(h->options.metrics, &failures);
	for (size_t i = 0; i < h->options.command_count; i++) {
		struct server *s = &h->servers[i];
		s->up = metrics_series(up_family, &s->command->name);
		s->failures = metrics_series(failure_family, &s->command->name);
	}
}

enum err_code host_start(const struct host_options *options, struct host **ret_host, struct error *reterr)
{
	struct host *h = mem_new(1, sizeof(*h));
	h->options = *options;
	h->servers = mem_new(options->command_count + 1, sizeof(*h->servers));
	for (size_t i = 0; i < options->command_count; i++) {
		struct server *s = &h->servers[i];
		s->command = &options->commands[i];
		buf_init(&s->health, 500);
		buf_init(&s->base_url, 100);
		buf_init(&s->identity, 600);
	}
	make_metrics(h);
	enum err_code err = http_client_new(NULL, &h->http, reterr);
	if (!err)
		err = thread_start(&h->thread, "host", run, h, reterr);
	if (err) {
		host_join(h);
		return err;
	}
	*ret_host = h;
	return ERR_OK;
}

void host_join(struct host *h)
{
	if (!h)
		return;
	thread_join(h->thread);
	for (size_t i = 0; i < h->options.command_count; i++) {
		process_free(h->servers[i].process);
		buf_done(&h->servers[i].health);
		buf_done(&h->servers[i].base_url);
		buf_done(&h->servers[i].identity);
	}
	http_client_free(h->http);
	mem_free(h->servers);
	mem_free(h);
}
