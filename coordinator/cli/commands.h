/* coordinator/cli/commands.h - every command of the `assay` program, one function each (see cli.h). */
#ifndef ASSAY_CLI_COMMANDS_H
#define ASSAY_CLI_COMMANDS_H

#include "coordinator/cli/cli.h"

/* The suite of `models probe`: hidden in lists that did not ask for it. */
#define CLI_PROBE_SUITE "assay-probe"

/* cmd_up.c, cmd_status.c: the embedded installation */
cli_command cmd_up, cmd_down, cmd_supervise, cmd_status, cmd_logs, cmd_doctor;
/* cmd_init.c */
cli_command cmd_init;
/* cmd_suite.c */
cli_command cmd_suite_check, cmd_suite_push, cmd_suite_list, cmd_suite_show;
/* cmd_run.c */
cli_command cmd_run;
/* cmd_runs.c */
cli_command cmd_runs_list, cmd_runs_show, cmd_runs_watch, cmd_runs_cancel, cmd_runs_retry, cmd_runs_export;
/* cmd_item.c */
cli_command cmd_item_show, cmd_compare;
/* cmd_models.c, cmd_probe.c */
cli_command cmd_models_add, cmd_models_list, cmd_models_probe;
/* cmd_workers.c */
cli_command cmd_workers_list, cmd_workers_keys;
/* cmd_stats.c */
cli_command cmd_stats_check;
/* cmd_completion.c, cmd_help.c */
cli_command cmd_completion, cmd_help, cmd_version;

#endif
