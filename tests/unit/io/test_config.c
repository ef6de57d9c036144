/* Goal: a command line means one thing, from any of its sources; a wrong one is told with its place and its cure. */
#include "common/io/config.h"
#include "tests/support/cmocka_all.h"
#include "tests/support/stops.h"

static const char *const colors[] = { "auto", "always", "never", NULL };

static const struct config_flag global_flags[] = {
	{ .name = "server",
	  .kind = CONFIG_TEXT,
	  .value_name = "URL",
	  .env = "ASSAY_URL",
	  .help = "The API to talk to" },
	{ .name = "json", .kind = CONFIG_BOOL, .help = "One JSON document" },
	{ .name = "verbose", .letter = 'v', .kind = CONFIG_BOOL, .help = "Say more" },
	{ .name = "color", .kind = CONFIG_CHOICE, .choices = colors, .default_text = "auto", .help = "When to color" },
	{ .name = "timeout",
	  .kind = CONFIG_MS,
	  .default_text = "30s",
	  .min = 1,
	  .max = 3600000,
	  .help = "How long to wait" },
	{ .name = "no-input", .kind = CONFIG_BOOL, .help = "Never ask" },
	{ .name = "token",
	  .kind = CONFIG_TEXT,
	  .env = "ASSAY_TOKEN_FILE",
	  .marks = CONFIG_ENV_ONLY,
	  .help = "The token's file" },
	{ .name = "secret-switch", .kind = CONFIG_BOOL, .marks = CONFIG_HIDDEN | CONFIG_NO_ENV },
};

static const struct config_flag run_flags[] = {
	{ .name = "model",
	  .letter = 'm',
	  .kind = CONFIG_TEXT,
	  .value_name = "M",
	  .marks = CONFIG_NEEDED,
	  .help = "A model" },
	{ .name = "epochs", .kind = CONFIG_I64, .default_text = "1", .min = 1, .max = 1000, .help = "Repetitions" },
	{ .name = "margin", .kind = CONFIG_NUM, .min = -1, .max = 1, .help = "A share" },
	{ .name = "memory", .kind = CONFIG_BYTES, .default_text = "64MiB", .help = "At most" },
	{ .name = "slice", .kind = CONFIG_LIST, .value_name = "K=V", .help = "Only these" },
	{ .name = "detach", .kind = CONFIG_BOOL, .default_text = "yes", .help = "Do not wait" },
};

static const struct config_command commands[] = {
	{ .words = "up", .summary = "Start everything" },
	{ .words = "run",
	  .operands = "SUITE",
	  .operand_min = 1,
	  .operand_max = 1,
	  .summary = "Run a suite",
	  .examples = "assay run support --model m\nassay run support -m m --epochs 5",
	  .flags = run_flags,
	  .flag_count = ARRAY_LEN(run_flags),
	  .alias = "eval" },
	{ .words = "runs list", .summary = "List runs" },
	{ .words = "runs show", .operands = "RUN...", .operand_min = 1, .operand_max = 3, .summary = "Show runs" },
	{ .words = "stats check",
	  .operands = "FILE...",
	  .operand_min = 1,
	  .operand_max = 99,
	  .summary = "Check vectors" },
	{ .words = "compare", .operands = "BASE CAND", .operand_min = 2, .operand_max = 2, .summary = "Compare" },
};

static const struct config_program program = { .name = "assay",
	                                       .summary = "Evaluates.",
	                                       .examples = "assay up",
	                                       .flags = global_flags,
	                                       .flag_count = ARRAY_LEN(global_flags),
	                                       .commands = commands,
	                                       .command_count = ARRAY_LEN(commands) };

static const struct config_flag daemon_flags[] = {
	{ .name = "listen", .kind = CONFIG_TEXT, .default_text = "127.0.0.1:0", .help = "Where" },
	{ .name = "dsn", .kind = CONFIG_TEXT, .marks = CONFIG_NEEDED, .help = "The database" },
};
static const struct config_program daemon_program = { .name = "assay-coordinator",
	                                              .summary = "Coordinates.",
	                                              .flags = daemon_flags,
	                                              .flag_count = ARRAY_LEN(daemon_flags) };

static const char *const no_env[] = { NULL };
static struct error error;

#define PARSE(...) parse(&program, no_env, (const char *const[]){ __VA_ARGS__, NULL })

static struct config *parse(const struct config_program *p, const char *const *env, const char *const *args)
{
	struct config *c;
	size_t count = 0;
	while (args[count])
		count++;
	assert_ok(config_parse(p, count, args, env, &c, &error), &error);
	return c;
}

#define REFUSED(want, ...) refused(&program, no_env, want, (const char *const[]){ __VA_ARGS__, NULL })

static void refused(const struct config_program *p, const char *const *env, const char *want, const char *const *args)
{
	struct config *c;
	size_t count = 0;
	while (args[count])
		count++;
	assert_int_equal(config_parse(p, count, args, env, &c, &error), ERR_INVALID);
	assert_string_equal(error.text, want);
}

static void flags_and_operands_are_found_wherever_they_stand(void **state)
{
	(void)state;
	static const char *const lines[][12] = {
		{ "run", "suite", "--model", "m", "--json", "--epochs", "3", "--timeout", "5s", NULL },
		{ "--json", "run", "--model=m", "suite", "--epochs=3", "--timeout=5s", NULL },
		{ "--timeout", "5s", "run", "--epochs", "3", "-m", "m", "--json", "suite", NULL },
		{ "--json=yes", "eval", "-mm", "--epochs", "2", "--epochs", "3", "--timeout", "5", "--", "suite",
		  NULL },
	};
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		struct config *c = parse(&program, no_env, lines[i]);
		assert_ptr_equal(config_command(c), &commands[1]);
		assert_str_equal_c(config_text(c, "model"), "m");
		assert_true(config_bool(c, "json"));
		assert_false(config_bool(c, "verbose"));
		assert_int_equal(config_i64(c, "epochs"), 3);
		assert_int_equal(config_i64(c, "timeout"), 5000);
		assert_int_equal(config_operand_count(c), 1);
		assert_str_equal_c(config_operand(c, 0), "suite");
		assert_int_equal(config_operand(c, 1).len, 0);
		config_free(c);
	}
}

static void commands_of_two_words_may_be_split_by_global_flags(void **state)
{
	(void)state;
	struct config *c = PARSE("runs", "--json", "show", "90", "--color", "never", "91");
	assert_ptr_equal(config_command(c), &commands[3]);
	assert_int_equal(config_operand_count(c), 2);
	assert_str_equal_c(config_operand(c, 1), "91");
	assert_str_equal_c(config_text(c, "color"), "never");
	config_free(c);
}

static void what_is_not_given_has_its_default_or_is_not_set(void **state)
{
	(void)state;
	struct config *c = PARSE("run", "s", "-m", "m");
	assert_str_equal_c(config_text(c, "color"), "auto");
	assert_true(config_has(c, "color") && !config_given(c, "color"));
	assert_true(config_has(c, "model") && config_given(c, "model"));
	assert_false(config_has(c, "server"));
	assert_int_equal(config_text(c, "server").len, 0);
	assert_int_equal(config_i64(c, "memory"), 64 << 20);
	assert_true(config_num(c, "margin") == 0 && !config_has(c, "margin"));
	assert_true(config_bool(c, "detach"));
	assert_int_equal(config_list_count(c, "slice"), 0);
	config_free(c);
	c = PARSE("run", "s", "-m", "m", "--no-detach", "--margin", "-0.5", "--slice", "a=1", "--slice=b=2",
	          "--no-input");
	assert_false(config_bool(c, "detach"));
	assert_true(config_bool(c, "no-input"));
	assert_true(config_num(c, "margin") == -0.5);
	assert_int_equal(config_list_count(c, "slice"), 2);
	assert_str_equal_c(config_list(c, "slice", 1), "b=2");
	config_free(c);
}

static void the_environment_stands_in_for_flags(void **state)
{
	(void)state;
	static const char *const env[] = { "ASSAY_URL=http://e",
		                           "ASSAY_JSON=1",
		                           "ASSAY_EPOCHS=7",
		                           "ASSAY_MODEL=from-env",
		                           "ASSAY_SLICE=a=1, b=2",
		                           "ASSAY_NO_INPUT=false",
		                           "ASSAY_COLOR=",
		                           "ASSAY_TOKEN_FILE=/t",
		                           "ASSAY_SECRET_SWITCH=1",
		                           "ASSAY_SERVER=http://wrong",
		                           NULL };
	struct config *c = parse(&program, env, (const char *const[]){ "run", "s", "--epochs", "3", NULL });
	assert_str_equal_c(config_text(c, "server"), "http://e");
	assert_true(config_bool(c, "json"));
	assert_int_equal(config_i64(c, "epochs"), 3); /* the line wins */
	assert_str_equal_c(config_text(c, "model"), "from-env");
	assert_true(config_given(c, "model"));
	assert_int_equal(config_list_count(c, "slice"), 2);
	assert_str_equal_c(config_list(c, "slice", 1), "b=2");
	assert_str_equal_c(config_text(c, "color"), "auto");
	assert_str_equal_c(config_text(c, "token"), "/t");
	assert_false(config_bool(c, "secret-switch"));
	config_free(c);
	static const char *const bad[] = { "ASSAY_EPOCHS=many", NULL };
	refused(&program, bad, "ASSAY_EPOCHS: 'many' is not a whole number",
	        (const char *const[]){ "run", "s", "-m", "m", NULL });
}

static void wrong_lines_name_the_flag_the_value_and_the_cure(void **state)
{
	(void)state;
	REFUSED("unknown flag --jsn (did you mean --json?)", "up", "--jsn");
	REFUSED("unknown flag --modle (did you mean --model?)", "run", "s", "--modle", "m");
	REFUSED("unknown flag -model (did you mean --model?)", "run", "s", "-model", "m");
	REFUSED("unknown flag --zzzzz; see: assay up --help", "up", "--zzzzz");
	REFUSED("unknown flag -x; see: assay up --help", "up", "-x");
	REFUSED("unknown flag --token; see: assay up --help", "up", "--token", "/t"); /* only from the environment */
	REFUSED("--model belongs behind its command: assay run --model", "--model", "m", "run", "s");
	REFUSED("unknown command 'rnu' (did you mean 'run'?)", "rnu", "s");
	REFUSED("unknown command 'runs lst' (did you mean 'runs list'?)", "runs", "lst");
	REFUSED("unknown command 'xyzzy'; see: assay --help", "xyzzy");
	REFUSED("--epochs: 'three' is not a whole number", "run", "s", "-m", "m", "--epochs", "three");
	REFUSED("--epochs: 0 is not between 1 and 1000", "run", "s", "-m", "m", "--epochs", "0");
	REFUSED("--epochs: -1 is not between 1 and 1000", "run", "s", "-m", "m", "--epochs", "-1");
	REFUSED("--timeout: 2h is not between 1ms and 3600s", "up", "--timeout", "2h");
	REFUSED("--timeout: '5 s' is not a duration such as 500ms, 10s or 1h30m", "up", "--timeout", "5 s");
	REFUSED("--memory: '1 MB' is not a size such as 64KiB or 2GiB", "run", "s", "-m", "m", "--memory=1 MB");
	REFUSED("--margin: 'nan' is not a number", "run", "s", "-m", "m", "--margin", "nan");
	REFUSED("--color: 'allways' is none of auto, always, never (did you mean 'always'?)", "up", "--color",
	        "allways");
	REFUSED("--json: 'perhaps' is not yes or no", "up", "--json=perhaps");
	REFUSED("--no-json takes no value", "up", "--no-json=yes");
	REFUSED("--epochs needs a value: Repetitions", "run", "s", "-m", "m", "--epochs");
	REFUSED("--model needs a value: A model", "run", "s", "--model", "--json");
	REFUSED("--model (or the variable ASSAY_MODEL) is needed: A model", "run", "s");
	REFUSED("'assay run' needs SUITE", "run", "-m", "m");
	REFUSED("'assay compare' needs BASE CAND", "compare", "1");
	REFUSED("'assay compare' takes BASE CAND; '3' is too much", "compare", "1", "2", "3");
	REFUSED("'assay up' takes no 'now'", "up", "now");
	refused(&daemon_program, no_env, "--dsn (or the variable ASSAY_DSN) is needed: The database",
	        (const char *const[]){ NULL });
	refused(&daemon_program, no_env, "'assay-coordinator' takes no 'x'",
	        (const char *const[]){ "--dsn", "d", "x", NULL });
	refused(&daemon_program, no_env, "unknown flag --lisen (did you mean --listen?)",
	        (const char *const[]){ "--lisen", NULL });
}

static void dashes_end_flags_and_numbers_are_operands(void **state)
{
	(void)state;
	struct config *c = PARSE("compare", "--", "--json", "-x");
	assert_false(config_bool(c, "json"));
	assert_str_equal_c(config_operand(c, 0), "--json");
	assert_str_equal_c(config_operand(c, 1), "-x");
	config_free(c);
	c = PARSE("compare", "-", "-5");
	assert_str_equal_c(config_operand(c, 0), "-");
	assert_str_equal_c(config_operand(c, 1), "-5");
	config_free(c);
}

static void nothing_and_a_group_alone_are_no_error_but_no_command(void **state)
{
	(void)state;
	struct config *c = parse(&program, no_env, (const char *const[]){ NULL });
	assert_null(config_command(c));
	config_free(c);
	c = PARSE("runs", "--json");
	assert_null(config_command(c));
	struct buf help;
	buf_init(&help, 10000);
	assert_true(config_help_asked(c, &help));
	assert_str_equal_c(buf_str(&help), "assay runs COMMAND [flags]\n"
	                                   "\n"
	                                   "commands:\n"
	                                   "  runs list                       List runs\n"
	                                   "  runs show RUN...                Show runs\n");
	buf_done(&help);
	config_free(c);
}

static void help_wins_over_everything_and_shows_examples_first(void **state)
{
	(void)state;
	struct config *c = PARSE("run", "--help");
	assert_true(config_wants_help(c));
	struct buf help;
	buf_init(&help, 10000);
	assert_true(config_help_asked(c, &help));
	assert_str_equal_c(buf_str(&help), "assay run SUITE [flags]\n"
	                                   "  Run a suite\n"
	                                   "\n"
	                                   "examples:\n"
	                                   "  assay run support --model m\n"
	                                   "  assay run support -m m --epochs 5\n"
	                                   "\n"
	                                   "flags:\n"
	                                   "  -m, --model M               A model (needed)\n"
	                                   "  --epochs N                  Repetitions [1]\n"
	                                   "  --margin X                  A share\n"
	                                   "  --memory BYTES              At most [64MiB]\n"
	                                   "  --slice K=V                 Only these\n"
	                                   "  --detach                    Do not wait\n"
	                                   "\n"
	                                   "flags of every command: assay --help\n");
	config_free(c);
	c = PARSE("-h");
	assert_true(config_wants_help(c));
	buf_clear(&help);
	assert_true(config_help_asked(c, &help));
	assert_true(str_find(buf_str(&help), STR("examples:\n  assay up\n")) > 0);
	assert_true(str_find(buf_str(&help), STR("  --color auto|always|never   When to color [auto]\n")) > 0);
	assert_true(str_find(buf_str(&help),
	                     STR("  --server URL                The API to talk to (variable ASSAY_URL)\n")) > 0);
	assert_true(str_find(buf_str(&help), STR("  ASSAY_TOKEN_FILE            The token's file\n")) > 0);
	assert_true(str_find(buf_str(&help), STR("secret-switch")) < 0);
	config_free(c);
	c = PARSE("up", "--version");
	assert_true(config_wants_version(c) && !config_wants_help(c));
	config_free(c);
	buf_clear(&help);
	help.max = 100;
	assert_false(config_help(&program, STR(""), &help));
	buf_done(&help);
}

static void ask_for_a_flag_that_is_not_there(void *arg)
{
	(void)config_bool(arg, "model");
}

static void ask_with_the_wrong_kind(void *arg)
{
	(void)config_i64(arg, "json");
}

static void asking_for_what_the_tables_do_not_have_is_a_bug(void **state)
{
	(void)state;
	struct config *c = PARSE("up");
	assert_true(stops(ask_for_a_flag_that_is_not_there, c));
	assert_true(stops(ask_with_the_wrong_kind, c));
	config_free(c);
}

static void durations_and_sizes_are_read_exactly_or_not_at_all(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int64_t ms, bytes; /* -1: refused */
	} cases[] = {
		{ "0", 0, 0 },
		{ "500ms", 500, -1 },
		{ "10", 10000, 10 },
		{ "1.5", 1500, -1 },
		{ "1.5s", 1500, -1 },
		{ "0.0005s", -1, -1 },
		{ "1h30m", 5400000, -1 },
		{ "2d1h1m1s1ms", 176461001, -1 },
		{ "30m1h", -1, -1 },
		{ "1h1h", -1, -1 },
		{ "1h30", -1, -1 },
		{ "64KiB", -1, 65536 },
		{ "1.5MiB", -1, 1572864 },
		{ "2GB", -1, 2000000000 },
		{ "1kB", -1, 1000 },
		{ "7B", -1, 7 },
		{ "0.5B", -1, -1 },
		{ "1KiB1B", -1, -1 },
		{ "1kb", -1, -1 },
		{ "", -1, -1 },
		{ "s", -1, -1 },
		{ "-1s", -1, -1 },
		{ "+1", -1, -1 },
		{ "1 s", -1, -1 },
		{ "1.", -1, -1 },
		{ ".5s", -1, -1 },
		{ "99999999999999999999s", -1, -1 },
		{ "9223372036854775807", -1, -1 },
		{ "8388608TiB", -1, -1 },
		{ "1e3", -1, -1 },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int64_t ms = -1, bytes = -1;
		bool ms_good = config_read_ms(str_from(cases[i].text), &ms);
		bool bytes_good = config_read_bytes(str_from(cases[i].text), &bytes);
		if (ms != cases[i].ms || bytes != cases[i].bytes || ms_good != (ms >= 0) || bytes_good != (bytes >= 0))
			fail_msg("'%s': %lld ms, %lld bytes", cases[i].text, (long long)ms, (long long)bytes);
	}
}

static void near_misses_are_guessed_and_far_ones_are_not(void **state)
{
	(void)state;
	static const char *const names[] = { "list", "show", "watch", "cancel", "retry", "rescore" };
	assert_string_equal(config_nearest(STR("lsit"), names, 6), "list");
	assert_string_equal(config_nearest(STR("resc"), names, 6), "rescore");
	assert_string_equal(config_nearest(STR("retyr"), names, 6), "retry");
	assert_null(config_nearest(STR("delete"), names, 6));
	assert_null(config_nearest(STR("x"), names, 6));
	assert_null(config_nearest(STR("x"), names, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(flags_and_operands_are_found_wherever_they_stand),
		cmocka_unit_test(commands_of_two_words_may_be_split_by_global_flags),
		cmocka_unit_test(what_is_not_given_has_its_default_or_is_not_set),
		cmocka_unit_test(the_environment_stands_in_for_flags),
		cmocka_unit_test(wrong_lines_name_the_flag_the_value_and_the_cure),
		cmocka_unit_test(dashes_end_flags_and_numbers_are_operands),
		cmocka_unit_test(nothing_and_a_group_alone_are_no_error_but_no_command),
		cmocka_unit_test(help_wins_over_everything_and_shows_examples_first),
		cmocka_unit_test(asking_for_what_the_tables_do_not_have_is_a_bug),
		cmocka_unit_test(durations_and_sizes_are_read_exactly_or_not_at_all),
		cmocka_unit_test(near_misses_are_guessed_and_far_ones_are_not),
	};
	return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
