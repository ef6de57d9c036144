/* coordinator/cli/program.h - the command tree of INTERFACES.md 2 as tables, and the function of each command. */
#ifndef ASSAY_CLI_PROGRAM_H
#define ASSAY_CLI_PROGRAM_H

#include "coordinator/cli/cli.h"

extern const struct config_program program_assay;

/* NULL: there is no such command. */
cli_command *program_function(const struct config_command *command);

/* Does it answer with rows (--jsonl), and as a table (--csv)? */
bool program_has_rows(const struct config_command *command);
bool program_has_csv(const struct config_command *command);

#endif
