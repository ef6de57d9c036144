#include "common/wire/msg.h"
#include "coordinator/cli/commands.h"
#include "coordinator/cli/program.h"
#include <string.h>

/* Words of all commands for the shell: one case a first word, with its verbs. */
static void write_bash(struct buf *out, const struct config_program *p)
{
	(void)buf_append_c(
		out,
		"_assay() {\n  local cur=${COMP_WORDS[COMP_CWORD]} words\n  case \"$COMP_CWORD:${COMP_WORDS[1]}\" in\n"
		"    1:*) words=\"");
	for (size_t i = 0; i < p->command_count; i++) {
		struct str rest = str_from(p->commands[i].words), first = rest, previous = { 0 };
		(void)str_split(&rest, ' ', &first);
		if (i > 0) {
			struct str before = str_from(p->commands[i - 1].words);
			(void)str_split(&before, ' ', &previous);
		}
		if (!str_eq(first, previous))
			(void)buf_printf(out, "%.*s ", STR_ARG(first));
	}
	(void)buf_append_c(out, "\" ;;\n");
	for (size_t i = 0; i < p->command_count; i++) {
		const char *space = strchr(p->commands[i].words, ' ');
		if (space)
			(void)buf_printf(out, "    2:%.*s) words=\"$words %s\" ;;&\n",
			                 (int)(space - p->commands[i].words), p->commands[i].words, space + 1);
	}
	(void)buf_append_c(out, "  esac\n  [[ $cur == -* ]] && words=\"--json --quiet --help --server --timeout\"\n"
	                        "  COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
	                        "  [[ ${#COMPREPLY[@]} -gt 0 ]] || COMPREPLY=($(compgen -f -- \"$cur\"))\n}\n"
	                        "complete -F _assay assay\n");
}

enum cli_exit cmd_completion(struct cli *c)
{
	struct buf out;
	struct str shell = config_operand(c->config, 0);
	if (shell.len && !str_eq_c(shell, "bash"))
		return cli_fail_text(c, CLI_USAGE, "completion is there for bash, not for '%.*s'", STR_ARG(shell));
	buf_init(&out, 64 << 10);
	write_bash(&out, &program_assay);
	cli_print(buf_str(&out));
	buf_done(&out);
	return CLI_OK;
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
