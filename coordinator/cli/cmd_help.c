#include "common/wire/msg.h"
#include "coordinator/cli/commands.h"
#include "coordinator/cli/program.h"

static bool begins(const char *words, struct str asked)
{
	struct str all = str_from(words);
	return str_starts(all, asked) && (all.len == asked.len || all.data[asked.len] == ' ');
}

/* The command or group that was asked for; false when there is none of that name. */
static bool is_known(const struct config_program *p, struct str asked)
{
	bool known = asked.len == 0;
	for (size_t i = 0; i < p->command_count && !known; i++)
		known = begins(p->commands[i].words, asked) ||
		        (p->commands[i].alias && str_eq_c(asked, p->commands[i].alias));
	return known;
}

static const char *nearest(const struct config_program *p, struct str asked)
{
	enum { NAMES_MAX = 128 };
	const char *names[NAMES_MAX];
	size_t count = 0;
	for (size_t i = 0; i < p->command_count && count < NAMES_MAX; i++)
		names[count++] = p->commands[i].words;
	return config_nearest(asked, names, count);
}

enum cli_exit cmd_help(struct cli *c)
{
	struct buf words, text;
	enum cli_exit status = CLI_OK;
	buf_init(&words, 4096);
	for (size_t i = 0; i < config_operand_count(c->config); i++)
		(void)buf_printf(&words, "%s%.*s", i ? " " : "",
		                 STR_ARG(config_operand(c->config, i))); /* a cut name is not known */
	buf_init(&text, 1 << 20);
	const char *near = nearest(&program_assay, buf_str(&words));
	if (!is_known(&program_assay, buf_str(&words)))
		status = cli_fail_text(c, CLI_USAGE, "there is no command '%.*s'%s%s%s", STR_ARG(buf_str(&words)),
		                       near ? " (did you mean '" : "; see: assay help", near ? near : "",
		                       near ? "'?)" : "");
	else if (config_help(&program_assay, buf_str(&words), &text))
		cli_print(buf_str(&text));
	else
		status = cli_fail_text(c, CLI_FAILED, "the help is too long");
	buf_done(&text);
	buf_done(&words);
	return status;
}

enum cli_exit cmd_version(struct cli *c)
{
	if (c->json)
		cli_print_line("{\"schema\":\"assay.version.v1\",\"version\":\"%s\",\"protocol\":%d}", ASSAY_VERSION,
		               WIRE_VERSION_MAX);
	else
		cli_print_line("assay %s (wire protocol %d)", ASSAY_VERSION, WIRE_VERSION_MAX);
	return CLI_OK;
}
