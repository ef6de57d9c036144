// libs: io
/* The small text forms of common/io: what is read can be written again and reads as the same. */
#include "common/io/clock.h"
#include "common/io/config.h"
#include "common/io/keys.h"
#include "common/io/process.h"
#include "tests/fuzz/fuzz.h"
#include <string.h>

static void try_time(struct str text)
{
	int64_t ms, again;
	char written[CLOCK_TEXT_BYTES];
	if (!clock_from_text(text, &ms))
		return;
	clock_text(ms, written);
	check(clock_from_text(str_from(written), &again));
	bool inside =
		ms >= -62167219200000 && ms <= 253402300799999; /* an offset may lead out of the four-digit years */
	check_msg(again == ms || !inside, "%lld became %lld", (long long)ms, (long long)again);
}

static void try_key(struct str text)
{
	uint8_t key[KEYS_BYTES];
	char written[KEYS_TEXT_BYTES];
	if (!keys_from_text(text, key))
		return;
	keys_text(key, written);
	check(str_eq_c(text, written));
}

static void try_process(struct str text)
{
	struct process_id id, again;
	char written[PROCESS_ID_TEXT_BYTES];
	if (!process_id_from_text(text, &id))
		return;
	process_id_text(&id, written);
	check(process_id_from_text(str_from(written), &again));
	check(id.pid == again.pid && id.start_ticks == again.start_ticks);
}

static void try_quantities(struct str text)
{
	int64_t value;
	bool yes;
	check(!config_read_ms(text, &value) || value >= 0);
	check(!config_read_bytes(text, &value) || value >= 0);
	check(!config_read_bool(text, &yes) || text.len <= 5);
}

/* The input's lines are the arguments. */
static void try_line(struct str text)
{
	static const struct config_flag global[] = {
		{ .name = "json", .letter = 'j', .kind = CONFIG_BOOL, .help = "J" },
		{ .name = "server", .kind = CONFIG_TEXT, .help = "S" }
	};
	static const struct config_flag own[] = {
		{ .name = "epochs", .kind = CONFIG_I64, .min = 1, .max = 9, .help = "E" },
		{ .name = "slice", .letter = 's', .kind = CONFIG_LIST, .help = "L" }
	};
	static const struct config_command commands[] = {
		{ .words = "run",
		  .operands = "SUITE",
		  .operand_max = 2,
		  .summary = "R",
		  .flags = own,
		  .flag_count = 2 },
		{ .words = "runs list", .summary = "L" },
	};
	static const struct config_program program = {
		.name = "p", .summary = "P", .flags = global, .flag_count = 2, .commands = commands, .command_count = 2
	};
	static const char *const nothing[] = { NULL };
	enum { ARGS_MAX = 16, TEXT_MAX = 512 };
	char memory[TEXT_MAX + 1];
	const char *args[ARGS_MAX];
	size_t count = 0, len = MIN_OF(text.len, (size_t)TEXT_MAX);
	struct config *c;
	struct error error = { .text = "" };
	if (len)
		memcpy(memory, text.data, len);
	memory[len] = '\0';
	for (size_t at = 0; at <= len && count < ARGS_MAX; at += strlen(memory + at) + 1) {
		char *end = strchr(memory + at, '\n');
		if (end)
			*end = '\0';
		args[count++] = memory + at;
	}
	if (config_parse(&program, count, args, nothing, &c, &error) != ERR_OK) {
		check(error.code == ERR_INVALID && error.text[0] != '\0');
		return;
	}
	const struct config_command *k = config_command(c);
	check(!k || k != &commands[0] || !config_has(c, "epochs") ||
	      (config_i64(c, "epochs") >= 1 && config_i64(c, "epochs") <= 9));
	check(config_wants_help(c) || config_wants_version(c) || config_operand_count(c) <= 2);
	config_free(c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct str text = str_make(data, len);
	try_time(text);
	try_key(text);
	try_process(text);
	try_quantities(text);
	try_line(text);
	return 0;
}
