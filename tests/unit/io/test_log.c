/* Goal: a line is one line whatever its values hold, fits its limit, and never shows a secret. */
#include "common/base/json.h"
#include "common/base/mem.h"
#include "common/io/clock.h"
#include "common/io/log.h"
#include "common/io/secrets.h"
#include "common/io/thread.h"
#include "tests/support/cmocka_all.h"
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

static int ends[2];

static int setup(void **state)
{
	(void)state;
	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0)
		return -1;
	(void)fcntl(ends[1], F_SETPIPE_SZ, 1 << 20);
	log_to_fd(ends[1]);
	return log_setup(STR("info"), NULL) == ERR_OK ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	log_to_fd(STDERR_FILENO);
	secrets_clear();
	close(ends[0]);
	close(ends[1]);
	return 0;
}

/* All that was written, without the time at the start of the (only) line. */
static struct str written(void)
{
	static char text[1 << 20];
	ssize_t n = read(ends[0], text, sizeof(text));
	if (n < 0)
		n = 0;
	struct str s = str_make(text, (size_t)n);
	return s.len > 25 && s.data[0] != '{' ? str_slice(s, 25, s.len) : s;
}

static void set(const char *spec)
{
	struct error error;
	assert_ok(log_setup(str_from(spec), &error), &error);
}

static void a_line_says_when_how_bad_who_what_and_the_fields(void **state)
{
	(void)state;
	int64_t before_ms = clock_wall_ms(), at_ms;
	struct error error = { ERR_TIMEOUT, "no frame for 3 s" };
	log_warn("worker lost", log_c("worker", "w-7"), log_u64("leases", 3), log_i64("left", -2),
	         log_num("load", 0.25), log_bool("held", true), log_error_text(&error));
	char text[4096];
	ssize_t n = read(ends[0], text, sizeof(text));
	assert_true(n > 25);
	assert_true(clock_from_text(str_make(text, 24), &at_ms));
	assert_true(at_ms >= before_ms && at_ms <= clock_wall_ms());
	assert_str_equal_c(str_make(text + 24, (size_t)n - 24),
	                   " warn  part=main msg=\"worker lost\" worker=w-7 leases=3 left=-2 load=0.25 held=true "
	                   "error=\"no frame for 3 s\"\n");
}

static void a_line_in_json_is_a_json_object(void **state)
{
	(void)state;
	set("info,json");
	log_error("it \"broke\"", log_c("why", "a\nb\x01\xff"), log_u64("n", 18446744073709551615U), log_num("x", 1.5),
	          log_bool("b", false));
	struct str line = written();
	assert_true(str_ends(line, STR("}\n")));
	assert_int_equal(str_find_char(line, '\n'), line.len - 1);
	assert_true(
		str_find(line,
	                 STR("\"level\":\"error\",\"part\":\"main\",\"msg\":\"it \\\"broke\\\"\",\"why\":\"a\\nb\\u0001"
	                     "\xEF\xBF\xBD\",\"n\":18446744073709551615,\"x\":1.5,\"b\":false}")) > 0);
}

static int arguments_looked_at;

static struct str expensive(void)
{
	arguments_looked_at++;
	return STR("x");
}

static void a_level_that_is_off_costs_not_even_its_arguments(void **state)
{
	(void)state;
	set("error");
	arguments_looked_at = 0;
	log_warn("no", log_str("x", expensive()));
	log_info("no", log_str("x", expensive()));
	log_debug("no", log_str("x", expensive()));
	assert_int_equal(arguments_looked_at, 0);
	assert_int_equal(written().len, 0);
	set("debug");
	log_debug("yes", log_str("x", expensive()));
	assert_int_equal(arguments_looked_at, 1);
	assert_str_equal_c(written(), "debug part=main msg=yes x=x\n");
}

static void settings_are_read_strictly(void **state)
{
	(void)state;
	struct error error;
	assert_int_equal(log_setup(STR("loud"), &error), ERR_INVALID);
	assert_non_null(strstr(error.text, "'loud'"));
	assert_int_equal(log_setup(STR("info,,json"), &error), ERR_INVALID);
	assert_ok(log_setup(STR(""), &error), &error);
	assert_true(log_enabled(LOG_INFO) && !log_enabled(LOG_DEBUG));
	assert_ok(log_setup(STR("json"), &error), &error);
	assert_true(log_enabled(LOG_INFO));
}

static void text_from_outside_cannot_forge_a_line_or_move_the_cursor(void **state)
{
	(void)state;
	log_info("m", log_c("a", "x\n2026-01-01T00:00:00.000Z error msg=forged"), log_c("b", "\x1b[2J"),
	         log_c("c", "\xc2\x9b"
	                    "1A"),
	         log_c("d", "\xe2\x80\xaegnp.exe"), log_c("e", "\xf0\x9f\x98\x80 \xc3\xa9"), log_c("f", "cut \xf0\x9f"),
	         log_str("g", STR("a\0b")), log_c("h", ""), log_c("i", "a=b"), log_c("j", "\x7f"));
	assert_str_equal_c(written(),
	                   "info  part=main msg=m a=\"x\\n2026-01-01T00:00:00.000Z error msg=forged\" "
	                   "b=\"\\u001b[2J\" c=\"\\u009b1A\" d=\"\\u202egnp.exe\" e=\"\xf0\x9f\x98\x80 \xc3\xa9\" "
	                   "f=\"cut \xef\xbf\xbd\xef\xbf\xbd\" g=\"a\\u0000b\" h=\"\" i=\"a=b\" j=\"\\u007f\"\n");
}

static void long_values_and_long_lines_are_cut_and_stay_whole_lines(void **state)
{
	(void)state;
	char big[3000];
	memset(big, 'v', sizeof(big));
	log_info("m", log_str("big", str_make(big, sizeof(big))), log_c("after", "seen"));
	struct str line = written();
	assert_true(str_ends(line, STR("vvv...\" after=seen\n")));
	for (size_t len = LOG_VALUE_BYTES_MAX - 40; len < LOG_VALUE_BYTES_MAX; len++) {
		for (int json = 0; json < 2; json++) {
			set(json ? "json" : "info");
			struct str v = str_make(big, len);
			log_info("m", log_str("a", v), log_str("b", v), log_str("c", v), log_str("d", v),
			         log_str("e", v), log_u64("f", 7));
			line = written();
			assert_true(line.len <= LOG_LINE_BYTES_MAX);
			assert_int_equal(str_find_char(line, '\n'), line.len - 1);
			assert_true(str_ends(line, json ? STR("\",\"cut\":true}\n") : STR(" cut=true\n")));
		}
	}
	memset(big, '\n', sizeof(big)); /* each byte becomes two */
	set("json");
	struct str v = str_make(big, 1000);
	log_info("m", log_str("a", v), log_str("b", v), log_str("c", v));
	line = written();
	assert_true(line.len <= LOG_LINE_BYTES_MAX && str_ends(line, STR("\\n\",\"cut\":true}\n")));
}

static void a_secret_is_hidden_in_every_form_and_place(void **state)
{
	(void)state;
	assert_true(log_hide(STR("sk-secret\"1/2")));
	assert_true(log_hide(STR("sk-secret\"1/2"))); /* twice is once */
	assert_false(log_hide(STR("short")));
	log_info("Bearer sk-secret\"1/2", log_c("raw", "xsk-secret\"1/2sk-secret\"1/2y"),
	         log_c("json", "{\"k\":\"sk-secret\\\"1/2\"}"), log_c("url", "https://h/?key=sk-secret%221%2F2&x"),
	         log_c("part", "sk-secret\"1/"));
	struct str line = written();
	assert_str_equal_c(
		line,
		"info  part=main msg=\"Bearer [hidden]\" raw=x[hidden][hidden]y json=\"{\\\"k\\\":\\\"[hidden]\\\"}\" "
		"url=\"https://h/?key=[hidden]&x\" part=\"sk-secret\\\"1/\"\n");
}

static void a_secret_at_the_place_of_the_cut_does_not_slip_through(void **state)
{
	(void)state;
	char big[LOG_VALUE_BYTES_MAX + 8];
	assert_true(log_hide(STR("0123456789abcdef")));
	for (size_t at = LOG_VALUE_BYTES_MAX - 20; at < LOG_VALUE_BYTES_MAX - 8; at++) {
		memset(big, '-', sizeof(big));
		memcpy(big + at, "0123456789abcdef", 16);
		log_info("m", log_str("v", str_make(big, sizeof(big))));
		assert_true(str_find(written(), STR("01234")) < 0);
	}
}

static void masking_takes_the_longest_secret_and_leaves_the_rest(void **state)
{
	(void)state;
	struct error error;
	struct buf out;
	buf_init(&out, 200);
	assert_false(secrets_present(STR("nothing is registered")));
	assert_ok(secrets_add(STR("abcdef"), &error), &error);
	assert_ok(secrets_add(STR("abcdefgh"), &error), &error);
	assert_true(secrets_mask(STR("abcdefghi abcdefg abcde"), &out));
	assert_str_equal_c(buf_str(&out), "[hidden]i [hidden]g abcde");
	assert_true(secrets_present(STR("xabcdef")));
	struct error told = { ERR_IO, "server said: key abcdefgh is wrong" };
	secrets_mask_error(&told);
	assert_string_equal(told.text, "server said: key [hidden] is wrong");
	assert_int_equal(told.code, ERR_IO);
	buf_clear(&out);
	out.max = 3;
	assert_false(secrets_mask(STR("abcdef"), &out));
	buf_done(&out);
	assert_int_equal(secrets_add(STR("12345"), &error), ERR_INVALID);
	assert_null(strstr(error.text, "12345"));
	static char long_secret[SECRETS_BYTES_MAX + 1];
	memset(long_secret, 'k', sizeof(long_secret));
	assert_int_equal(secrets_add(str_make(long_secret, sizeof(long_secret)), &error), ERR_INVALID);
	assert_ok(secrets_add(str_make(long_secret, sizeof(long_secret) - 1), &error), &error);
}

static void a_full_table_says_so(void **state)
{
	(void)state;
	struct error error;
	char secret[32];
	enum err_code err = ERR_OK;
	for (unsigned i = 0; i < SECRETS_COUNT_MAX; i++) {
		snprintf(secret, sizeof(secret), "secret-%06u", i);
		assert_ok(secrets_add(str_from(secret), &error), &error);
	}
	err = secrets_add(STR("one too many"), &error);
	assert_int_equal(err, ERR_LIMIT);
	assert_true(secrets_present(STR("see secret-000000 there")));
	assert_ok(secrets_add(STR("secret-000007"), &error), &error); /* known already */
}

static void a_line_that_nobody_takes_is_counted(void **state)
{
	(void)state;
	uint64_t before = log_lost_count();
	log_to_fd(-1);
	log_info("lost");
	assert_int_equal(log_lost_count(), before + 1);
}

enum { WRITERS = 4, LINES = 500 };

static void write_lines(void *arg)
{
	(void)arg;
	for (int i = 0; i < LINES; i++) {
		char secret[32];
		snprintf(secret, sizeof(secret), "%s-secret-%d", thread_name(), i % 10);
		if (i < 10)
			assert_true(log_hide(str_from(secret)));
		log_info("line",
		         log_c("value", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
		         log_c("s", secret));
	}
}

static void lines_of_several_threads_do_not_mix_and_name_their_thread(void **state)
{
	(void)state;
	static const char *const names[WRITERS] = { "writer-a", "writer-b", "writer-c", "writer-d" };
	struct thread *threads[WRITERS];
	struct error error;
	unsigned count[WRITERS] = { 0 };
	for (size_t i = 0; i < WRITERS; i++)
		assert_ok(thread_start(&threads[i], names[i], write_lines, NULL, &error), &error);
	for (size_t i = 0; i < WRITERS; i++)
		thread_join(threads[i]);
	static char text[1 << 20];
	ssize_t n = read(ends[0], text, sizeof(text));
	struct str rest = str_make(text, n > 0 ? (size_t)n : 0), line;
	while (str_split(&rest, '\n', &line)) {
		if (line.len == 0)
			continue;
		char want[200];
		size_t who = 0;
		while (who < WRITERS && str_find(line, str_from(names[who])) < 0)
			who++;
		assert_true(who < WRITERS);
		count[who]++;
		snprintf(want, sizeof(want),
		         "info  part=%s msg=line "
		         "value=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa s=[hidden]",
		         names[who]);
		assert_str_equal_c(str_slice(line, 25, line.len), want);
	}
	for (size_t i = 0; i < WRITERS; i++)
		assert_int_equal(count[i], LINES);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_line_says_when_how_bad_who_what_and_the_fields),
		TEST(a_line_in_json_is_a_json_object),
		TEST(a_level_that_is_off_costs_not_even_its_arguments),
		TEST(settings_are_read_strictly),
		TEST(text_from_outside_cannot_forge_a_line_or_move_the_cursor),
		TEST(long_values_and_long_lines_are_cut_and_stay_whole_lines),
		TEST(a_secret_is_hidden_in_every_form_and_place),
		TEST(a_secret_at_the_place_of_the_cut_does_not_slip_through),
		TEST(masking_takes_the_longest_secret_and_leaves_the_rest),
		TEST(a_full_table_says_so),
		TEST(a_line_that_nobody_takes_is_counted),
		TEST(lines_of_several_threads_do_not_mix_and_name_their_thread),
	};
	return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
