/* assay-worker: reads its settings, starts its threads, waits for a signal. See README.md of this folder. */
#include "common/base/json.h"
#include "common/io/config.h"
#include "common/io/fs.h"
#include "common/io/log.h"
#include "common/io/signals.h"
#include "worker/agent/agent.h"
#include "worker/main/check.h"
#include "worker/main/worker.h"
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

enum { EXIT_USAGE = 2, EXIT_CONNECTION = 3, CONFIG_BYTES_MAX = 1 << 20, CHECK_FILES_MAX = 4096 };

// clang-format off
static const struct config_flag flags[] = {
	{ .name = "config", .kind = CONFIG_TEXT, .value_name = "FILE", .help = "worker.yaml: keys, hosts, commands of this worker" },
	{ .name = "state", .kind = CONFIG_TEXT, .value_name = "DIR", .help = "where the outbox and logs of model servers are kept" },
	{ .name = "coordinator", .kind = CONFIG_LIST, .value_name = "ENDPOINT", .help = "tcp://HOST:PORT; again, or with commas, for each standby" },
	{ .name = "server-key", .kind = CONFIG_TEXT, .value_name = "FILE", .help = "the coordinator's public key" },
	{ .name = "key", .kind = CONFIG_TEXT, .value_name = "FILE", .help = "this worker's key pair; made when missing" },
	{ .name = "name", .kind = CONFIG_TEXT, .value_name = "NAME", .help = "how people know this worker; default: the machine's name" },
	{ .name = "slots", .kind = CONFIG_I64, .min = 1, .max = 100000, .help = "calls under way at most; default 64" },
	{ .name = "net-threads", .kind = CONFIG_I64, .default_text = "1", .min = 1, .max = 64, .help = "threads that make calls" },
	{ .name = "score-threads", .kind = CONFIG_I64, .default_text = "1", .min = 1, .max = 64, .help = "threads that score answers" },
	{ .name = "drain-timeout", .kind = CONFIG_MS, .default_text = "30s", .min = 0, .max = 3600000, .help = "how long SIGTERM lets calls run on" },
	{ .name = "ca-file", .kind = CONFIG_TEXT, .value_name = "FILE", .help = "certificates to trust instead of the system's" },
	{ .name = "metrics", .kind = CONFIG_TEXT, .value_name = "ADDRESS", .help = "serve /metrics there: 127.0.0.1:PORT or unix:PATH; default: nowhere" },
	{ .name = "log", .kind = CONFIG_TEXT, .value_name = "LEVEL[,json]", .default_text = "info", .help = "error, warn, info or debug" },
};

static const struct config_command commands[] = {
	{ .words = "version", .summary = "print the version" },
	{ .words = "check", .operands = "FILE...", .operand_min = 1, .operand_max = CHECK_FILES_MAX,
	  .summary = "run reference vectors through the shipped text metrics" },
};

static const struct config_program program = {
	.name = "assay-worker",
	.summary = "Asks models and scores their answers for an assay-coordinator.",
	.examples = "  assay-worker --config worker.yaml --state /var/lib/assay/w1 --coordinator tcp://10.0.0.5:7700 \\\n"
	            "               --server-key coordinator.public --key w1.key\n",
	.flags = flags, .flag_count = ARRAY_LEN(flags),
	.commands = commands, .command_count = ARRAY_LEN(commands),
};
// clang-format on

struct start { /* what the flags and files came to */
	struct settings *settings;
	struct keys_pair pair;
	struct keys_public server_key;
	struct arena arena;
	struct str name;
};

static enum err_code read_text(const char *path, size_t bytes_max, struct arena *a, struct str *ret_text,
                               struct error *reterr)
{
	struct buf text;
	buf_init(&text, bytes_max);
	enum err_code err = fs_read(path, &text, reterr);
	if (!err)
		*ret_text = arena_str(a, buf_str(&text));
	buf_done(&text);
	return err;
}

/* Each --coordinator may name several, with commas. One more than allowed is enough to see that there are too many. */
static size_t read_endpoints(const struct config *c, struct arena *a, struct str **ret_endpoints)
{
	struct str *endpoints = arena_new(a, AGENT_ENDPOINTS_MAX + 1, sizeof(*endpoints));
	size_t count = 0;
	for (size_t i = 0; i < config_list_count(c, "coordinator"); i++) {
		struct str rest = config_list(c, "coordinator", i), piece;
		while (count <= AGENT_ENDPOINTS_MAX && str_split(&rest, ',', &piece))
			if (str_trim(piece).len > 0)
				endpoints[count++] = arena_str(a, str_trim(piece));
	}
	*ret_endpoints = endpoints;
	return count;
}

static enum err_code need_flags(const struct config *c, struct error *reterr)
{
	static const char *const needed[] = { "config", "state", "server-key", "key" };
	for (size_t i = 0; i < ARRAY_LEN(needed); i++)
		if (config_text(c, needed[i]).len == 0)
			return error_set(reterr, ERR_INVALID, "--%s is missing", needed[i]);
	struct arena scratch;
	struct str *ignored;
	arena_init(&scratch, 1 << 20);
	size_t count = read_endpoints(c, &scratch, &ignored);
	arena_done(&scratch);
	if (count == 0)
		return error_set(reterr, ERR_INVALID, "--coordinator is missing");
	return count > AGENT_ENDPOINTS_MAX
	               ? error_set(reterr, ERR_INVALID, "--coordinator: over %d endpoints", AGENT_ENDPOINTS_MAX)
	               : ERR_OK;
}

static enum err_code read_keys(const struct config *c, struct start *s, struct error *reterr)
{
	struct str text;
	enum err_code err = keys_pair_load_or_new(config_text(c, "key").data, &s->pair, reterr);
	if (!err)
		err = read_text(config_text(c, "server-key").data, 4096, &s->arena, &text, reterr);
	if (!err && !keys_from_text(str_trim(text), s->server_key.bytes))
		err = error_set(reterr, ERR_INVALID, "%s: not a public key (40 characters)",
		                config_text(c, "server-key").data);
	return err;
}

static enum err_code read_start(const struct config *c, struct start *s, struct error *reterr)
{
	struct str text;
	char host[256] = "worker";
	enum err_code err = need_flags(c, reterr);
	if (!err)
		err = read_text(config_text(c, "config").data, CONFIG_BYTES_MAX, &s->arena, &text, reterr);
	if (!err)
		err = settings_read(text, config_text(c, "config").data, (const char *const *)environ, &s->settings,
		                    reterr);
	if (!err)
		err = read_keys(c, s, reterr);
	if (err)
		return err;
	if (gethostname(host, sizeof(host) - 1) != 0)
		host[0] = '\0'; /* the outbox identifies it in any case */
	s->name = config_has(c, "name") ? config_text(c, "name") : s->settings->name;
	if (s->name.len == 0)
		s->name = arena_str(&s->arena, str_from(host));
	if (s->settings->short_key_count > 0)
		log_warn("keys too short to be hidden wherever they might appear",
		         log_u64("keys", s->settings->short_key_count));
	return ERR_OK;
}

static void start_done(struct start *s)
{
	settings_free(s->settings);
	keys_pair_done(&s->pair);
	arena_done(&s->arena);
}

/* The first signal drains, the second ends at once; a drained worker has nothing more to lose. */
static int wait_for_end(const struct config *c, struct worker *w, int signal_fd)
{
	bool draining = false;
	for (;;) {
		struct pollfd fds[] = { { .fd = signal_fd, .events = POLLIN },
			                { .fd = worker_fd(w), .events = POLLIN } };
		(void)poll(fds, ARRAY_LEN(fds), -1); /* every cause leads to a look */
		int signal;
		while (signals_next(signal_fd, &signal, NULL)) {
			if (draining) {
				log_warn("ended at once");
				return 128 + signal;
			}
			draining = true;
			worker_drain(w, (uint32_t)config_i64(c, "drain-timeout"));
		}
		if (worker_drained(w)) {
			log_info("drained");
			return 0;
		}
	}
}

static int run(const struct config *c)
{
	static const int stop_signals[] = { SIGTERM, SIGINT };
	struct error error;
	struct start s = { 0 };
	struct worker *w = NULL;
	int signal_fd = -1, status = EXIT_USAGE;
	arena_init(&s.arena, 64 << 20);
	enum err_code err = log_setup(config_text(c, "log"), &error);
	if (!err)
		err = keys_init(&error);
	if (!err)
		err = signals_fd(stop_signals, ARRAY_LEN(stop_signals), &signal_fd, &error);
	if (!err)
		err = read_start(c, &s, &error);
	if (!err) {
		struct str *endpoints;
		size_t endpoint_count = read_endpoints(c, &s.arena, &endpoints);
		int64_t slots = config_i64(c, "slots");
		struct worker_options options = {
			.settings = s.settings,
			.state_dir = config_text(c, "state").data,
			.name = s.name,
			.endpoints = endpoints,
			.endpoint_count = endpoint_count,
			.pair = &s.pair,
			.server_key = s.server_key,
			.slots = slots > 0               ? (uint32_t)slots
			         : s.settings->slots > 0 ? s.settings->slots
			                                 : 64,
			.net_threads = (uint32_t)config_i64(c, "net-threads"),
			.score_threads = (uint32_t)config_i64(c, "score-threads"),
			.ca_file = config_has(c, "ca-file") ? config_text(c, "ca-file").data : NULL,
			.metrics_where = config_text(c, "metrics"),
		};
		status = 1;
		err = worker_start(&options, &w, &error);
	}
	if (err)
		log_error("cannot start", log_error_text(&error));
	else
		status = wait_for_end(c, w, signal_fd);
	worker_stop(w);
	if (signal_fd >= 0)
		signals_close(signal_fd);
	start_done(&s);
	return status;
}

static int run_command(const struct config *c, const struct config_command *command)
{
	if (str_eq_c(str_from(command->words), "version")) {
		printf("assay-worker %s\n", ASSAY_VERSION);
		return 0;
	}
	const char *files[CHECK_FILES_MAX];
	size_t count = config_operand_count(c);
	for (size_t i = 0; i < count; i++)
		files[i] = config_operand(c, i).data;
	return check_files(files, count);
}

int main(int argc, char **argv)
{
	struct config *c = NULL;
	struct error error;
	struct buf help;
	json_start();
	if (config_parse(&program, argc > 1 ? (size_t)argc - 1 : 0, (const char *const *)argv + 1, NULL, &c, &error)) {
		fprintf(stderr, "assay-worker: %s\n", error.text);
		return EXIT_USAGE;
	}
	int status = 0;
	buf_init(&help, 1 << 20);
	if (config_wants_version(c))
		printf("assay-worker %s\n", ASSAY_VERSION);
	else if (config_wants_help(c) && config_help_asked(c, &help))
		printf("%s", help.data);
	else if (config_command(c))
		status = run_command(c, config_command(c));
	else
		status = run(c);
	buf_done(&help);
	config_free(c);
	return status;
}
