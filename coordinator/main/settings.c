#include "coordinator/main/settings.h"

static const struct config_flag flags[] = {
	{ .name = "dsn",
	  .kind = CONFIG_TEXT,
	  .value_name = "CONNINFO",
	  .marks = CONFIG_NEEDED,
	  .help = "PostgreSQL 15 or later, as libpq takes it" },
	{ .name = "listen",
	  .kind = CONFIG_TEXT,
	  .value_name = "ENDPOINT",
	  .default_text = "tcp://127.0.0.1:7450",
	  .help = "where workers connect (ZeroMQ, CURVE)" },
	{ .name = "http",
	  .kind = CONFIG_TEXT,
	  .value_name = "ADDRESS",
	  .default_text = "127.0.0.1:7451",
	  .help = "where the API listens" },
	{ .name = "url",
	  .kind = CONFIG_TEXT,
	  .value_name = "URL",
	  .help = "how others reach the API of this coordinator (default: http:// and --http)" },
	{ .name = "key",
	  .kind = CONFIG_TEXT,
	  .value_name = "FILE",
	  .marks = CONFIG_NEEDED,
	  .help = "CURVE key pair of the coordinator, made if missing" },
	{ .name = "allowed",
	  .kind = CONFIG_TEXT,
	  .value_name = "FILE",
	  .marks = CONFIG_NEEDED,
	  .help = "public keys of workers that may connect, lines NAME KEY" },
	{ .name = "token-file",
	  .kind = CONFIG_TEXT,
	  .value_name = "FILE",
	  .marks = CONFIG_NEEDED,
	  .help = "the token that the API asks for; a file of mode 0600" },
	{ .name = "standby",
	  .kind = CONFIG_BOOL,
	  .help = "begin as the second one: leave a free leadership to others for three seconds" },
	{ .name = "log",
	  .kind = CONFIG_TEXT,
	  .value_name = "LEVEL[,json]",
	  .default_text = "info",
	  .help = "error, warn, info or debug" },
};

const struct config_program settings_program = {
	.name = "assay-coordinator",
	.summary = "Hands out the samples of all runs to workers and keeps what comes back.",
	.examples =
		"assay-coordinator --dsn 'host=db dbname=assay' --listen tcp://0.0.0.0:7450 --http 127.0.0.1:7451 \\\n"
		"    --key coordinator.key --allowed workers.allowed --token-file token\n"
		"assay-coordinator --standby --dsn 'host=db dbname=assay' --listen tcp://0.0.0.0:7460 ...\n"
		"    # a second one, elsewhere, with the same --key, --allowed and --token-file: takes over within\n"
		"    # five seconds when the first is gone; workers are given both endpoints\n",
	.flags = flags,
	.flag_count = ARRAY_LEN(flags),
};
