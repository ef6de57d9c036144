/* coordinator/cli/cli.h - what every command of the `assay` program shares: exit statuses, output, the asked flags.
 *
 * Data goes to stdout, messages to stderr. A command is a function struct cli * -> enum cli_exit that prints its own
 * result; an error it gives to cli_fail(). One thread. */
#ifndef ASSAY_CLI_CLI_H
#define ASSAY_CLI_CLI_H

#include "common/base/error.h"
#include "common/base/json_write.h"
#include "common/io/config.h"

enum cli_exit { /* INTERFACES.md 2 */
	        CLI_OK = 0,
	        CLI_FAILED = 1,
	        CLI_USAGE = 2,
	        CLI_CONNECT = 3,
	        CLI_NOTHING = 4,
	        CLI_BLOCKED = 10,
	        CLI_INCONCLUSIVE = 11,
	        CLI_INCOMPLETE = 12,
	        CLI_ALARM = 13,
	        CLI_INTERRUPTED = 130,
	        CLI_TERMINATED = 143,
};

enum { CLI_OUTPUT_BYTES_MAX = 256 << 20 };

struct cli {
	const struct config *config;
	const char *program_path;                               /* of this executable, absolute */
	bool json, jsonl, csv, quiet, verbose, color, progress; /* jsonl: a line a row, with json set too */
	unsigned width;                                         /* columns of the terminal, or 100 */
	int signal_fd;                                          /* SIGINT, SIGTERM; -1: not watched */
};

/* The ending of a counted noun: "1 worker", "2 workers". */
#define CLI_S(n) ((n) == 1 ? "" : "s")

typedef enum cli_exit cli_command(struct cli *c);

/* Prints "assay: text" to stderr (or a JSON problem with --json) and gives the exit status of the error's code. */
enum cli_exit cli_fail(const struct cli *c, const struct error *e);
enum cli_exit cli_fail_text(const struct cli *c, enum cli_exit status, const char *format, ...) PRINTF_LIKE(3, 4);
void cli_note(const struct cli *c, const char *format, ...) PRINTF_LIKE(2, 3); /* to stderr, unless --quiet */
void cli_print(struct str text);                                               /* to stdout, whole */
void cli_print_line(const char *format, ...) PRINTF_LIKE(1, 2);
/* One line, its control characters made visible, broken at the terminal's width. */
void cli_print_wrapped(const struct cli *c, const char *format, ...) PRINTF_LIKE(2, 3);
/* Last of all: what stdout did not take is a failure (a full disk), unless its reader only went away. */
enum cli_exit cli_finish(const struct cli *c, enum cli_exit status);
enum cli_exit cli_print_json(struct buf *json); /* the finished document and a newline; frees the buffer */

#endif
