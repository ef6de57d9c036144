#include "coordinator/cli/program.h"
#include "coordinator/cli/commands.h"
#include "coordinator/cli/installation.h"

static const char *const colors[] = { "auto", "always", "never", NULL };
static const char *const onlys[] = { "flipped", NULL };

static const char *const states[] = { "queued",     "running",   "done",        "decided",
	                              "incomplete", "cancelled", "over_budget", NULL };

static const struct config_flag global_flags[] = {
	{ .name = "server",
	  .kind = CONFIG_TEXT,
	  .value_name = "URL",
	  .env = "ASSAY_URL",
	  .help = "the API (default: of $ASSAY_HOME)" },
	{ .name = "json", .kind = CONFIG_BOOL, .help = "one JSON document to stdout" },
	{ .name = "jsonl", .kind = CONFIG_BOOL, .help = "lists and exports: a JSON line a row" },
	{ .name = "csv", .kind = CONFIG_BOOL, .help = "exports: CSV with the primary score" },
	{ .name = "quiet", .letter = 'q', .kind = CONFIG_BOOL, .help = "no messages to stderr" },
	{ .name = "verbose", .letter = 'v', .kind = CONFIG_BOOL, .help = "tell every request to the server" },
	{ .name = "color",
	  .kind = CONFIG_CHOICE,
	  .choices = colors,
	  .default_text = "auto",
	  .help = "colour in reports" },
	{ .name = "progress",
	  .kind = CONFIG_BOOL,
	  .default_text = "true",
	  .help = "the progress line (--no-progress)" },
	{ .name = "input",
	  .kind = CONFIG_BOOL,
	  .default_text = "true",
	  .help = "may ask questions (--no-input; none does)" },
	{ .name = "timeout", .kind = CONFIG_MS, .help = "of one request to the server", .min = 100, .max = 86400000 },
};

static const struct config_flag up_flags[] = {
	{ .name = "workers",
	  .kind = CONFIG_I64,
	  .default_text = "2",
	  .min = 0,
	  .max = INSTALLATION_WORKERS_MAX,
	  .help = "how many workers" },
};
static const struct config_flag logs_flags[] = {
	{ .name = "follow", .letter = 'f', .kind = CONFIG_BOOL, .help = "go on with what comes" },
	{ .name = "lines",
	  .letter = 'n',
	  .kind = CONFIG_I64,
	  .default_text = "20",
	  .min = 1,
	  .max = 100000,
	  .help = "how many last lines of each file" },
};
static const struct config_flag run_flags[] = {
	{ .name = "model",
	  .letter = 'm',
	  .kind = CONFIG_TEXT,
	  .value_name = "NAME",
	  .marks = CONFIG_NEEDED,
	  .help = "a model of `assay models list`" },
	{ .name = "epochs",
	  .kind = CONFIG_I64,
	  .min = 1,
	  .max = 1000,
	  .help = "answers to each item (default: the suite's)" },
	{ .name = "limit",
	  .kind = CONFIG_TEXT,
	  .value_name = "N|F",
	  .help = "so many items, or this share, drawn by the seed" },
	{ .name = "slice",
	  .kind = CONFIG_LIST,
	  .value_name = "KEY=VALUE",
	  .help = "only items with this task, stratum, ..." },
	{ .name = "seed", .kind = CONFIG_I64, .min = 0, .max = INT64_MAX, .help = "of the run (default 0)" },
	{ .name = "priority", .kind = CONFIG_I64, .min = -100, .max = 100, .help = "larger goes first" },
	{ .name = "baseline",
	  .kind = CONFIG_I64,
	  .value_name = "RUN",
	  .min = 1,
	  .max = INT64_MAX,
	  .help = "compare with this run and ask the suite's gates" },
	{ .name = "again", .kind = CONFIG_BOOL, .help = "measure again, even though a run of that name is there" },
	{ .name = "detach", .letter = 'd', .kind = CONFIG_BOOL, .help = "start it and do not wait" },
	{ .name = "dry-run", .kind = CONFIG_BOOL, .help = "n, calls, tokens, cost and what n can show; asks nothing" },
};
static const struct config_flag list_flags[] = {
	{ .name = "suite",
	  .kind = CONFIG_TEXT,
	  .value_name = "NAME",
	  .help = "only of this suite",
	  .marks = CONFIG_NO_ENV },
	{ .name = "model",
	  .kind = CONFIG_TEXT,
	  .value_name = "NAME",
	  .help = "only of this model",
	  .marks = CONFIG_NO_ENV },
	{ .name = "state", .kind = CONFIG_CHOICE, .choices = states, .help = "only in it", .marks = CONFIG_NO_ENV },
	{ .name = "limit",
	  .kind = CONFIG_I64,
	  .default_text = "30",
	  .min = 1,
	  .max = 500,
	  .help = "how many",
	  .marks = CONFIG_NO_ENV },
	{ .name = "all", .kind = CONFIG_BOOL, .help = "the probes of `models probe` too", .marks = CONFIG_NO_ENV },
};
static const struct config_flag watch_flags[] = {
	{ .name = "baseline",
	  .kind = CONFIG_I64,
	  .value_name = "RUN",
	  .min = 1,
	  .max = INT64_MAX,
	  .help = "compare with this run" },
};
static const struct config_flag export_flags[] = {
	{ .name = "content", .kind = CONFIG_BOOL, .help = "with requests, responses and answers" },
};
static const struct config_flag suites_flags[] = {
	{ .name = "all", .kind = CONFIG_BOOL, .help = "those that Assay made for itself too", .marks = CONFIG_NO_ENV },
};
static const struct config_flag content_flags[] = {
	{ .name = "content", .kind = CONFIG_BOOL, .help = "with --json: what the model wrote too" },
};
static const struct config_flag compare_flags[] = {
	{ .name = "by", .kind = CONFIG_TEXT, .value_name = "DIMENSION", .help = "task or stratum" },
	{ .name = "only", .kind = CONFIG_CHOICE, .choices = onlys, .help = "flipped: list the items that changed" },
};

#define FLAGS(table) .flags = table, .flag_count = ARRAY_LEN(table)

/* The order here is the order of the help, and of the functions below. */
static const struct config_command commands[] = {
	{ .words = "up",
	  .summary = "start PostgreSQL, a coordinator and workers in $ASSAY_HOME",
	  .examples = "assay up\nassay up --workers 4\n",
	  FLAGS(up_flags) },
	{ .words = "down", .summary = "stop exactly what `up` started", .examples = "assay down\n" },
	{ .words = "status", .summary = "what runs, with its process ids", .examples = "assay status --json\n" },
	{ .words = "logs",
	  .operands = "[NAME]",
	  .operand_max = 1,
	  .summary = "last lines of the logs",
	  .examples = "assay logs\nassay logs coordinator -f\n",
	  FLAGS(logs_flags) },
	{ .words = "doctor", .summary = "checks the installation and says what to mend", .examples = "assay doctor\n" },
	{ .words = "init", .summary = "write a suite, items and models to start from", .examples = "assay init\n" },
	{ .words = "supervise",
	  .summary = "what `up` leaves running: starts and restarts the parts",
	  FLAGS(up_flags),
	  .examples = "assay supervise --workers 2\n" },
	{ .words = "suite check",
	  .operands = "FILE",
	  .operand_min = 1,
	  .operand_max = 1,
	  .summary = "check a suite and its items; needs no server",
	  .examples = "assay suite check suite.yaml\n" },
	{ .words = "suite push",
	  .operands = "FILE",
	  .operand_min = 1,
	  .operand_max = 1,
	  .summary = "register a suite; the same content is the same version",
	  .examples = "assay suite push suite.yaml\n" },
	{ .words = "suite list",
	  .summary = "newest version of each suite",
	  .examples = "assay suite list\nassay suite list --all\n",
	  FLAGS(suites_flags) },
	{ .words = "suite show",
	  .operands = "SUITE",
	  .operand_min = 1,
	  .operand_max = 1,
	  .summary = "one suite version",
	  .examples = "assay suite show support\nassay suite show support@3\n" },
	{ .words = "run",
	  .operands = "SUITE|FILE",
	  .operand_min = 1,
	  .operand_max = 1,
	  .alias = "eval",
	  .summary = "run a suite with a model, or go on with that run; ends in a report",
	  .examples = "assay run support --model local-smol\nassay run support --model m --limit 50 --dry-run\n"
	              "assay run suite.yaml --model m --again --baseline 81\n",
	  FLAGS(run_flags) },
	{ .words = "runs list",
	  .summary = "newest runs",
	  .examples = "assay runs list --suite support\n",
	  FLAGS(list_flags) },
	{ .words = "runs show",
	  .operands = "RUN",
	  .operand_min = 1,
	  .operand_max = 1,
	  .summary = "one run: progress, what it waits for, its report",
	  .examples = "assay runs show 90\n" },
	{ .words = "runs watch",
	  .operands = "RUN",
	  .operand_min = 1,
	  .operand_max = 1,
	  .summary = "follow a run to its report",
	  .examples = "assay runs watch 90\n",
	  FLAGS(watch_flags) },
	{ .words = "runs cancel",
	  .operands = "RUN",
	  .operand_min = 1,
	  .operand_max = 1,
	  .summary = "end a run; what is being asked is kept",
	  .examples = "assay runs cancel 90\n" },
	{ .words = "runs retry",
	  .operands = "RUN",
	  .operand_min = 1,
	  .operand_max = 1,
	  .summary = "ask the missing samples again",
	  .examples = "assay runs retry 90\n" },
	{ .words = "runs export",
	  .operands = "RUN",
	  .operand_min = 1,
	  .operand_max = 1,
	  .summary = "a line a sample",
	  .examples = "assay runs export 90 > run.jsonl\nassay runs export 90 --csv\n",
	  FLAGS(export_flags) },
	{ .words = "item show",
	  .operands = "RUN ITEM",
	  .operand_min = 2,
	  .operand_max = 2,
	  .summary = "one item: what was asked, answered and scored",
	  .examples = "assay item show 90 refund-17\n",
	  FLAGS(content_flags) },
	{ .words = "compare",
	  .operands = "BASE CAND",
	  .operand_min = 2,
	  .operand_max = 2,
	  .summary = "two runs, paired item by item",
	  .examples = "assay compare 81 90 --by stratum --only flipped\n",
	  FLAGS(compare_flags) },
	{ .words = "models add",
	  .operands = "FILE",
	  .operand_min = 1,
	  .operand_max = 1,
	  .summary = "register models",
	  .examples = "assay models add models.yaml\n" },
	{ .words = "models list", .summary = "models and where they answer", .examples = "assay models list\n" },
	{ .words = "models probe",
	  .operands = "MODEL",
	  .operand_min = 1,
	  .operand_max = 1,
	  .summary = "ask one question and say who answered",
	  .examples = "assay models probe local-smol\n",
	  FLAGS(content_flags) },
	{ .words = "workers list", .summary = "workers, connected or away", .examples = "assay workers list\n" },
	{ .words = "workers keys",
	  .operands = "[list|add|revoke] [NAME KEY]",
	  .operand_max = 3,
	  .summary = "the keys of workers that may connect",
	  .examples = "assay workers keys list\n"
	              "assay workers keys add gpu-7 KEY\n"
	              "assay workers keys revoke gpu-7\n" },
	{ .words = "stats check",
	  .operands = "FILE...",
	  .operand_min = 1,
	  .operand_max = 100000,
	  .summary = "hold the statistics against reference vectors; needs no server",
	  .examples = "assay stats check vectors/*.json\n" },
	{ .words = "completion",
	  .operands = "[bash]",
	  .operand_max = 1,
	  .summary = "words for the shell",
	  .examples = "source <(assay completion)\n" },
	{ .words = "help",
	  .operands = "[COMMAND]",
	  .operand_max = 3,
	  .summary = "what there is, or how one command is used",
	  .examples = "assay help\nassay help run\nassay help runs list\n" },
	{ .words = "version", .summary = "version of this program and of its protocol", .examples = "assay version\n" },
};

static cli_command *const functions[] = {
	cmd_up,           cmd_down,        cmd_status,     cmd_logs,        cmd_doctor,       cmd_init,
	cmd_supervise,    cmd_suite_check, cmd_suite_push, cmd_suite_list,  cmd_suite_show,   cmd_run,
	cmd_runs_list,    cmd_runs_show,   cmd_runs_watch, cmd_runs_cancel, cmd_runs_retry,   cmd_runs_export,
	cmd_item_show,    cmd_compare,     cmd_models_add, cmd_models_list, cmd_models_probe, cmd_workers_list,
	cmd_workers_keys, cmd_stats_check, cmd_completion, cmd_help,        cmd_version,
};
_Static_assert(ARRAY_LEN(commands) == ARRAY_LEN(functions), "one function a command");

const struct config_program program_assay = {
	.name = "assay",
	.summary = "Evaluates language models on your own tasks; every result counted once and kept.",
	.examples = "assay up\nassay models add models.yaml\nassay run suite.yaml --model local-smol\nassay compare 81 "
		    "90 --by stratum\n",
	.flags = global_flags,
	.flag_count = ARRAY_LEN(global_flags),
	.commands = commands,
	.command_count = ARRAY_LEN(commands),
	.variables = "ASSAY_HOME                  the embedded installation (default ./.assay)\n"
		     "ASSAY_URL                   another server, as --server\n"
		     "ASSAY_TOKEN_FILE            its token: a file of mode 0600\n"
		     "ASSAY_DSN                   for assay-coordinator: its database\n"
		     "ASSAY_LOG                   for the daemons: debug, info, warn or error\n"
		     "NO_COLOR, CI, TERM=dumb     plain output\n",
};

static bool is_among(const struct config_command *command, const char *const *words, size_t count)
{
	bool found = false;
	for (size_t i = 0; i < count && !found; i++)
		found = str_eq_c(str_from(command->words), words[i]);
	return found;
}

bool program_has_rows(const struct config_command *command)
{
	static const char *const words[] = { "suite list",   "runs list",    "runs export", "models list",
		                             "workers list", "workers keys", "logs" };
	return is_among(command, words, ARRAY_LEN(words));
}

bool program_has_csv(const struct config_command *command)
{
	static const char *const words[] = { "runs export" };
	return is_among(command, words, ARRAY_LEN(words));
}

cli_command *program_function(const struct config_command *command)
{
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		if (command == &commands[i])
			return functions[i];
	return NULL;
}
