/* Words for the shell, written from the command tables: what the program takes is what the shell offers. */
#include "coordinator/cli/commands.h"
#include "coordinator/cli/program.h"
#include <string.h>

enum { SCRIPT_BYTES_MAX = 256 << 10 };

/* The buffer's limit is asked once, at the end. */
static void put_flags(struct buf *out, const struct config_flag *flags, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct config_flag *f = &flags[i];
		bool on = f->kind == CONFIG_BOOL && f->default_text && str_eq_c(str_from(f->default_text), "true");
		if (!(f->marks & (CONFIG_ENV_ONLY | CONFIG_HIDDEN)))
			(void)buf_printf(out, " --%s%s", on ? "no-" : "", f->name);
	}
}

/* A pattern of every flag that takes a value: "--server|--timeout|-n". */
static void put_valued(struct buf *out, const struct config_program *p)
{
	const char *bar = "";
	for (size_t i = 0; i <= p->command_count; i++) {
		const struct config_flag *flags = i ? p->commands[i - 1].flags : p->flags;
		size_t count = i ? p->commands[i - 1].flag_count : p->flag_count;
		for (size_t k = 0; k < count; k++) {
			if (flags[k].kind == CONFIG_BOOL || (flags[k].marks & CONFIG_ENV_ONLY))
				continue;
			(void)buf_printf(out, "%s--%s", bar, flags[k].name);
			bar = "|";
			if (flags[k].letter)
				(void)buf_printf(out, "|-%c", flags[k].letter);
		}
	}
}

static void put_choices(struct buf *out, const struct config_flag *flags, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (flags[i].kind != CONFIG_CHOICE)
			continue;
		(void)buf_printf(out, "    --%s) words='", flags[i].name);
		for (const char *const *choice = flags[i].choices; *choice; choice++)
			(void)buf_printf(out, " %s", *choice);
		(void)buf_append_c(out, "' ;;\n");
	}
}

/* The words that may stand behind `group` ("" or "runs"), each once: equal ones stand together in the table. */
static void put_next_words(struct buf *out, const struct config_program *p, struct str group)
{
	struct str last = STR("");
	for (size_t i = 0; i < p->command_count; i++) {
		const char *const names[] = { p->commands[i].words, p->commands[i].alias };
		for (size_t k = 0; k < ARRAY_LEN(names); k++) {
			struct str rest = str_from(names[k]), word;
			if (group.len &&
			    (!str_starts(rest, group) || rest.len <= group.len || rest.data[group.len] != ' '))
				continue;
			rest = group.len ? str_slice(rest, group.len + 1, rest.len) : rest;
			if (!str_split(&rest, ' ', &word) || str_eq(word, last))
				continue;
			(void)buf_printf(out, " %.*s", STR_ARG(word));
			last = word;
		}
	}
}

static struct str group_of(const struct config_command *k)
{
	const char *space = strchr(k->words, ' ');
	return space ? str_make(k->words, (size_t)(space - k->words)) : STR("");
}

/* What may stand as the first operand: "[list|add|revoke] ..." names it; a word in capitals is anything. */
static void put_operand_words(struct buf *out, const struct config_program *p, const char *operands)
{
	struct str rest = str_from(operands), all, word;
	if (strcmp(operands, "[COMMAND]") == 0)
		put_next_words(out, p, STR(""));
	if (!str_starts(rest, STR("[")) || !(rest.data[1] >= 'a' && rest.data[1] <= 'z'))
		return;
	rest = str_slice(rest, 1, rest.len);
	(void)str_split(&rest, ']', &all);
	while (str_split(&all, '|', &word))
		(void)buf_printf(out, " %.*s", STR_ARG(word));
}

/* One case a group of commands and one a command: the words, flags and files that may follow. */
static void put_cases(struct buf *out, const struct config_program *p)
{
	struct str group = STR("");
	(void)buf_append_c(out, "    '') words='");
	put_next_words(out, p, group);
	(void)buf_append_c(out, "' ;;\n");
	for (size_t i = 0; i < p->command_count; i++) {
		const struct config_command *k = &p->commands[i];
		const char *operands = k->operands ? k->operands : "";
		if (group_of(k).len && !str_eq(group_of(k), group)) {
			group = group_of(k);
			(void)buf_printf(out, "    ' %.*s') words='", STR_ARG(group));
			put_next_words(out, p, group);
			(void)buf_append_c(out, "' ;;\n");
		}
		(void)buf_printf(out, "    ' %s'", k->words);
		if (k->alias)
			(void)buf_printf(out, "|' %s'", k->alias);
		(void)buf_append_c(out, ") flags='");
		put_flags(out, k->flags, k->flag_count);
		(void)buf_append_c(out, "' words='");
		put_operand_words(out, p, operands);
		(void)buf_append_c(out, strstr(operands, "FILE") ? "' files=1 ;;\n" : "' ;;\n");
	}
}

/* A pattern of every command's words and of every group: what still belongs to the name of a command. */
static void put_paths(struct buf *out, const struct config_program *p)
{
	struct str group = STR("");
	for (size_t i = 0; i < p->command_count; i++) {
		const struct config_command *k = &p->commands[i];
		if (group_of(k).len && !str_eq(group_of(k), group)) {
			group = group_of(k);
			(void)buf_printf(out, "' %.*s'|", STR_ARG(group));
		}
		(void)buf_printf(out, "' %s'%s", k->words, i + 1 < p->command_count ? "|" : "");
		if (k->alias)
			(void)buf_printf(out, "' %s'|", k->alias);
	}
}

static void write_bash(struct buf *out, const struct config_program *p)
{
	(void)buf_append_c(out, "# Words of assay for bash: source <(assay completion)\n_assay() {\n"
	                        "  local cur=${COMP_WORDS[COMP_CWORD]} path= words= flags= files= word i\n"
	                        "  local prev=${COMP_WORDS[COMP_CWORD-1]}\n"
	                        "  for ((i = 1; i < COMP_CWORD; i++)); do\n    word=${COMP_WORDS[i]}\n"
	                        "    case $word in\n    ");
	put_valued(out, p);
	(void)buf_append_c(out, ") ((i++)) ;;\n    -*) ;;\n    *) case \"$path $word\" in\n      ");
	put_paths(out, p);
	(void)buf_append_c(out, ") path=\"$path $word\" ;;\n      esac ;;\n    esac\n  done\n  case $path in\n");
	put_cases(out, p);
	(void)buf_append_c(out,
	                   "  esac\n  [[ $cur == = ]] && cur=\n  [[ $prev == = ]] && prev=${COMP_WORDS[COMP_CWORD-2]}\n"
	                   "  case $prev in\n");
	put_choices(out, p->flags, p->flag_count);
	for (size_t i = 0; i < p->command_count; i++)
		put_choices(out, p->commands[i].flags, p->commands[i].flag_count);
	(void)buf_append_c(out, "    ");
	put_valued(out, p);
	(void)buf_append_c(out, ") return ;;\n  esac\n  [[ $cur == -* ]] && words=\"$flags");
	put_flags(out, p->flags, p->flag_count);
	(void)buf_append_c(out, " --help --version\" files=\n"
	                        "  COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
	                        "  [[ -z $files ]] || COMPREPLY+=($(compgen -f -- \"$cur\"))\n}\n"
	                        "complete -o filenames -F _assay assay\n");
}

enum cli_exit cmd_completion(struct cli *c)
{
	struct buf out;
	struct str shell = config_operand(c->config, 0);
	if (shell.len && !str_eq_c(shell, "bash"))
		return cli_fail_text(c, CLI_USAGE, "completion is there for bash, not for '%.*s'", STR_ARG(shell));
	buf_init(&out, SCRIPT_BYTES_MAX);
	write_bash(&out, &program_assay);
	bool whole = !out.failed;
	cli_print(buf_str(&out));
	buf_done(&out);
	return whole ? CLI_OK : cli_fail_text(c, CLI_FAILED, "the words of the commands are too long");
}
