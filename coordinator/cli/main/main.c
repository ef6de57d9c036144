/* assay: the command line. Reads the line, finds the command, gives its exit status. */
#include "common/base/json.h"
#include "common/io/fs.h"
#include "common/io/keys.h"
#include "common/io/signals.h"
#include "coordinator/cli/program.h"
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static bool set(const char *name)
{
	const char *value = getenv(name);
	return value && *value;
}

static void find_terminal(struct cli *c)
{
	struct winsize size;
	struct str color = config_text(c->config, "color");
	const char *term = getenv("TERM");
	bool dumb = term && strcmp(term, "dumb") == 0;
	bool plain = set("NO_COLOR") || set("CI") || dumb || !isatty(STDOUT_FILENO);
	c->color = str_eq_c(color, "always") || (str_eq_c(color, "auto") && !plain);
	c->width = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col >= 40 ? size.ws_col : 100;
	c->jsonl = config_bool(c->config, "jsonl");
	c->csv = config_bool(c->config, "csv");
	c->json = config_bool(c->config, "json") || c->jsonl;
	c->quiet = config_bool(c->config, "quiet");
	c->verbose = config_bool(c->config, "verbose");
	c->progress = config_bool(c->config, "progress") && !c->quiet;
}

static int print_help(const struct config *config)
{
	struct buf text;
	buf_init(&text, 1 << 20);
	bool ok = config_help_asked(config, &text);
	cli_print(buf_str(&text));
	buf_done(&text);
	return ok ? CLI_OK : CLI_FAILED;
}

static int run(struct cli *c)
{
	static const int signals[] = { SIGINT, SIGTERM };
	struct error e;
	struct fs_path self;
	cli_command *command = program_function(config_command(c->config));
	if (config_wants_version(c->config)) {
		cli_print_line("assay %s", ASSAY_VERSION);
		return CLI_OK;
	}
	if (config_wants_help(c->config) || !command) {
		int status = print_help(c->config);
		return config_wants_help(c->config) ? status : CLI_USAGE;
	}
	find_terminal(c);
	const struct config_command *k = config_command(c->config);
	if (c->jsonl && !program_has_rows(k))
		return (int)cli_fail_text(c, CLI_USAGE, "'assay %s' is one document, not rows: --json", k->words);
	if (c->csv && !program_has_csv(k))
		return (int)cli_fail_text(c, CLI_USAGE, "'assay %s' has no CSV%s", k->words,
		                          program_has_rows(k) ? "; it has --json and --jsonl" : "; it has --json");
	if (c->csv && c->json)
		return (int)cli_fail_text(c, CLI_USAGE, "--csv and --json exclude each other");
	if (fs_real_path("/proc/self/exe", &self, &e) != ERR_OK || keys_init(&e) != ERR_OK ||
	    signals_fd(signals, ARRAY_LEN(signals), &c->signal_fd, &e) != ERR_OK)
		return (int)cli_fail(c, &e);
	c->program_path = self.text;
	return (int)command(c);
}

int main(int argc, char **argv)
{
	struct cli c = { .signal_fd = -1, .width = 100, .progress = true };
	struct config *config = NULL;
	struct error e;
	json_start();
	if (config_parse(&program_assay, (size_t)(argc > 0 ? argc - 1 : 0), (const char *const *)argv + 1, NULL,
	                 &config, &e) != ERR_OK) {
		for (int i = 1; i < argc; i++) /* a line that cannot be read still says how it wants its answer */
			c.json = c.json || strcmp(argv[i], "--json") == 0 || strcmp(argv[i], "--jsonl") == 0;
		return (int)cli_finish(&c, cli_fail_text(&c, CLI_USAGE, "%s", e.text));
	}
	c.config = config;
	int status = (int)cli_finish(&c, (enum cli_exit)run(&c));
	config_free(config);
	return status;
}
