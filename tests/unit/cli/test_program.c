/* Goal: every command that help names does something, and each of its examples is a line that the program takes. */
#include "coordinator/cli/program.h"
#include "tests/support/cmocka_all.h"

static const char *const no_environment[] = { NULL };

static void every_command_has_a_function_a_summary_and_an_example(void **state)
{
	(void)state;
	for (size_t i = 0; i < program_assay.command_count; i++) {
		const struct config_command *c = &program_assay.commands[i];
		assert_non_null(program_function(c));
		assert_non_null(c->summary);
		assert_non_null(c->examples);
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(c->words, program_assay.commands[k].words);
	}
	struct config_command other = { .words = "other" };
	assert_null(program_function(&other));
}

/* Splits at spaces; quotes and redirections are the shell's. */
static size_t words_of(struct str line, char words[16][64], const char *args[16])
{
	struct str word;
	size_t count = 0;
	while (str_split(&line, ' ', &word) && !str_eq_c(word, ">")) {
		assert_in_range(count, 0, 15);
		assert_in_range(word.len, 1, 63);
		memcpy(words[count], word.data, word.len);
		words[count][word.len] = '\0';
		args[count] = words[count];
		count++;
	}
	return count;
}

static void check_examples(struct str examples, const struct config_command *command)
{
	struct str line;
	while (str_split(&examples, '\n', &line)) {
		char words[16][64];
		const char *args[16];
		struct config *config;
		struct error e;
		if (!str_starts(line, STR("assay ")))
			continue;
		size_t count = words_of(str_slice(line, 6, line.len), words, args);
		assert_ok(config_parse(&program_assay, count, args, no_environment, &config, &e), &e);
		if (command)
			assert_ptr_equal(config_command(config), command);
		config_free(config);
	}
}

static void every_example_is_taken(void **state)
{
	(void)state;
	check_examples(str_from(program_assay.examples), NULL);
	for (size_t i = 0; i < program_assay.command_count; i++)
		check_examples(str_from(program_assay.commands[i].examples), &program_assay.commands[i]);
}

/* A terminal has 80 or 100 columns; what is longer is cut or broken where nobody wants it. */
static void no_line_of_help_is_over_100_columns(void **state)
{
	(void)state;
	struct buf text;
	struct str rest, line;
	buf_init(&text, 1 << 20);
	assert_true(config_help(&program_assay, STR(""), &text));
	for (size_t i = 0; i < program_assay.command_count; i++)
		assert_true(config_help(&program_assay, str_from(program_assay.commands[i].words), &text));
	rest = buf_str(&text);
	while (str_split(&rest, '\n', &line))
		if (line.len > 100)
			fail_msg("%zu columns: %.*s", line.len, STR_ARG(line));
	buf_done(&text);
}

static void help_names_the_variables(void **state)
{
	(void)state;
	static const char *const names[] = { "ASSAY_HOME", "ASSAY_URL", "ASSAY_TOKEN_FILE",
		                             "ASSAY_DSN",  "ASSAY_LOG", "ASSAY_<FLAG>" };
	struct buf text;
	buf_init(&text, 1 << 20);
	assert_true(config_help(&program_assay, STR(""), &text));
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (str_find(buf_str(&text), str_from(names[i])) < 0)
			fail_msg("the help does not name %s", names[i]);
	buf_done(&text);
}

static void eval_is_run(void **state)
{
	(void)state;
	static const char *const args[] = { "eval", "support", "--model", "m" };
	struct config *config;
	struct error e;
	assert_ok(config_parse(&program_assay, ARRAY_LEN(args), args, no_environment, &config, &e), &e);
	assert_string_equal(config_command(config)->words, "run");
	config_free(config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_command_has_a_function_a_summary_and_an_example),
		cmocka_unit_test(every_example_is_taken),
		cmocka_unit_test(no_line_of_help_is_over_100_columns),
		cmocka_unit_test(help_names_the_variables),
		cmocka_unit_test(eval_is_run),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
