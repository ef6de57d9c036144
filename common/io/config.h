/* common/io/config.h - command lines by table: flags with types and bounds, environment fallback, help.
 *
 * A program is a table of flags and, for a command line with verbs, a table of commands named by words ("runs list").
 * Rules: global flags stand anywhere, a command's own flags after its words; --flag value and --flag=value; a bool
 * is --flag or --no-flag; one-letter flags stand alone (-v); "--" ends flags; "-" and negative numbers are operands.
 * A flag that is not given is read from the environment (ASSAY_<FLAG>, dashes as underscores; empty counts as not set),
 * else it has its default. The last of several wins, lists collect. Errors name the flag or variable, the value and the
 * bound, and suggest the nearest name. Tables are borrowed and live as long as the config; no output, no exit here.
 * One thread. */
#ifndef ASSAY_IO_CONFIG_H
#define ASSAY_IO_CONFIG_H

#include "common/base/buf.h"
#include "common/base/error.h"

enum config_kind {
	CONFIG_BOOL,
	CONFIG_TEXT,
	CONFIG_I64,
	CONFIG_NUM,
	CONFIG_MS,     /* a duration: 500ms 10s 5m 1h30m 2d; a bare number is seconds */
	CONFIG_BYTES,  /* a size: 512 64KiB 1MiB 2GiB; kB MB GB are powers of ten */
	CONFIG_CHOICE, /* one of `choices` */
	CONFIG_LIST,   /* text, may be given several times; in the environment separated by commas */
};

enum config_mark {
	CONFIG_NEEDED = 1,   /* must be given */
	CONFIG_ENV_ONLY = 2, /* not on the command line (secrets) */
	CONFIG_NO_ENV = 4,   /* not from the environment */
	CONFIG_HIDDEN = 8,   /* not in the help */
};

struct config_flag {
	const char *name; /* "connect-timeout" */
	char letter;      /* 'v', or 0 */
	enum config_kind kind;
	const char *value_name;     /* "URL" in the help; NULL: by kind */
	const char *default_text;   /* read like a given value; NULL: not set */
	const char *help;           /* one sentence, no full stop */
	int64_t min, max;           /* of I64, NUM, MS, BYTES; both 0: no bounds */
	const char *const *choices; /* NULL-terminated */
	const char *env;            /* another variable than ASSAY_<FLAG> */
	unsigned marks;
};

struct config_command {
	const char *words;    /* "runs list" */
	const char *operands; /* "BASE CAND", "FILE..."; NULL: none */
	size_t operand_min, operand_max;
	const char *summary;  /* one line */
	const char *examples; /* lines, without the program's name before them where it is meant */
	const struct config_flag *flags;
	size_t flag_count;
	const char *alias; /* other words for the same command ("eval"), or NULL */
};

struct config_program {
	const char *name, *summary, *examples;
	const struct config_flag *flags; /* global ones; --help, -h and --version are added */
	size_t flag_count;
	const struct config_command *commands; /* none: a daemon, which takes no operands */
	size_t command_count;
	const char *variables; /* lines of the help about variables that are no flags, or NULL */
};

struct config;

/* `args` without the program's name. `environment` is NAME=value strings, NULL-terminated; NULL: the process's own.
 * With --help or --version nothing else is held against the line. ERR_INVALID: wrong usage (exit status 2). */
enum err_code config_parse(const struct config_program *program, size_t arg_count, const char *const *args,
                           const char *const *environment, struct config **ret_config, struct error *reterr) MUST_CHECK;
void config_free(struct config *c); /* accepts NULL */

bool config_wants_help(const struct config *c);
bool config_wants_version(const struct config *c);
const struct config_command *config_command(const struct config *c); /* NULL: none was named */
size_t config_operand_count(const struct config *c);
struct str config_operand(const struct config *c, size_t at); /* NUL-terminated; empty when there is none */

/* By flag name; a name that the program and the command do not have is a bug, and so is the wrong kind. */
bool config_has(const struct config *c, const char *name);   /* given, in the environment, or by default */
bool config_given(const struct config *c, const char *name); /* by somebody, not by default */
bool config_bool(const struct config *c, const char *name);
struct str config_text(const struct config *c, const char *name); /* TEXT, CHOICE; NUL-terminated; empty when not set */
int64_t config_i64(const struct config *c, const char *name);     /* I64, MS, BYTES; 0 when not set */
double config_num(const struct config *c, const char *name);
size_t config_list_count(const struct config *c, const char *name);
struct str config_list(const struct config *c, const char *name, size_t at);

/* Help: of the program, of the group of commands that `words` begins ("runs"), or of one command; examples first. */
bool config_help(const struct config_program *program, struct str words, struct buf *out);
bool config_help_asked(const struct config *c, struct buf *out); /* what the parsed line asked help for */

/* The value parsers, for settings files too. The whole text must be the value. */
bool config_read_ms(struct str text, int64_t *ret_ms);
bool config_read_bytes(struct str text, int64_t *ret_bytes);
bool config_read_bool(struct str text, bool *ret_value); /* true false yes no on off 1 0 */

/* The name among `names` that is closest to what was typed, or NULL when none is close; for "did you mean". */
const char *config_nearest(struct str typed, const char *const *names, size_t count);

#endif
