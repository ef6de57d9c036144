/* Goal: times read and write as RFC 3339 says; clocks go forward; signals and threads are where they should be. */
#include "common/io/clock.h"
#include "common/io/signals.h"
#include "common/io/thread.h"
#include "tests/support/cmocka_all.h"
#include <poll.h>
#include <unistd.h>

static void known_times_have_known_texts(void **state)
{
	(void)state;
	static const struct {
		int64_t ms;
		const char *text;
	} cases[] = {
		{ 0, "1970-01-01T00:00:00.000Z" },
		{ -1, "1969-12-31T23:59:59.999Z" },
		{ 951782399999, "2000-02-28T23:59:59.999Z" },
		{ 951782400000, "2000-02-29T00:00:00.000Z" },
		{ 1785542400123, "2026-08-01T00:00:00.123Z" },
		{ -62167219200000, "0000-01-01T00:00:00.000Z" },
		{ 253402300799999, "9999-12-31T23:59:59.999Z" },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char text[CLOCK_TEXT_BYTES];
		int64_t ms;
		clock_text(cases[i].ms, text);
		assert_string_equal(text, cases[i].text);
		assert_true(clock_from_text(str_from(text), &ms));
		assert_true(ms == cases[i].ms);
	}
	char text[CLOCK_TEXT_BYTES];
	clock_text(INT64_MAX, text);
	assert_string_equal(text, "9999-12-31T23:59:59.999Z");
	clock_text(INT64_MIN, text);
	assert_string_equal(text, "0000-01-01T00:00:00.000Z");
}

static void every_lawful_form_is_read(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int64_t ms;
	} cases[] = {
		{ "1985-04-12T23:20:50.52Z", 482196050520 },   /* RFC 3339, 5.8 */
		{ "1996-12-19T16:39:57-08:00", 851042397000 }, /* the same */
		{ "1990-12-31T23:59:60Z", 662688000000 },
		{ "1937-01-01T12:00:27.87+00:20", -1041337172130 },
		{ "1970-01-01t00:00:00z", 0 },
		{ "1970-01-01 00:00:00.123456789Z", 123 },
		{ "1970-01-01T00:00:00-23:59", 86340000 },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int64_t ms = -1;
		if (!clock_from_text(str_from(cases[i].text), &ms) || ms != cases[i].ms)
			fail_msg("%s gave %lld", cases[i].text, (long long)ms);
	}
}

static void everything_else_is_refused(void **state)
{
	(void)state;
	static const char *const bad[] = {
		"",
		"2026-01-01",
		"2026-01-01T00:00:00",
		"2026-01-01T00:00Z",
		"2026-13-01T00:00:00Z",
		"2026-00-01T00:00:00Z",
		"2026-02-29T00:00:00Z",
		"1900-02-29T00:00:00Z",
		"2026-01-32T00:00:00Z",
		"2026-01-01T24:00:00Z",
		"2026-01-01T00:60:00Z",
		"2026-01-01T00:00:61Z",
		"2026-01-01T00:00:00.Z",
		"2026-01-01T00:00:00.1234567890Z",
		"2026-01-01T00:00:00+24:00",
		"2026-01-01T00:00:00+01:60",
		"2026-01-01T00:00:00+0100",
		"2026-01-01T00:00:00Z ",
		" 2026-01-01T00:00:00Z",
		"2026-1-01T00:00:00Z",
		"+026-01-01T00:00:00Z",
		"2026-01-01X00:00:00Z",
	};
	int64_t ms;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (clock_from_text(str_from(bad[i]), &ms))
			fail_msg("'%s' was read", bad[i]);
	assert_false(clock_from_text(STR("2026-01-01\0"
	                                 "00:00:00Z"),
	                             &ms));
}

static void clocks_go_forward_and_agree_on_their_units(void **state)
{
	(void)state;
	uint64_t ms = clock_now_ms(), us = clock_now_us();
	assert_true(us / 1000 >= ms && us / 1000 - ms < 10000);
	for (int i = 0; i < 1000; i++) {
		uint64_t again = clock_now_us();
		assert_true(again >= us);
		us = again;
	}
	int64_t wall_ms = clock_wall_ms(), wall_us = clock_wall_us();
	assert_true(wall_ms > 1700000000000 && wall_us / 1000 - wall_ms < 10000 && wall_us / 1000 >= wall_ms);
}

struct seen {
	const char *name;
	sigset_t blocked;
};

static void look_around(void *arg)
{
	struct seen *seen = arg;
	static char name[16];
	memcpy(name, thread_name(), strlen(thread_name()) + 1);
	seen->name = name;
	(void)pthread_sigmask(SIG_SETMASK, NULL, &seen->blocked);
}

static void a_thread_has_its_name_and_takes_no_signal(void **state)
{
	(void)state;
	struct thread *t;
	struct error error;
	struct seen seen;
	assert_string_equal(thread_name(), "main");
	assert_ok(thread_start(&t, "a-name-that-is-too-long", look_around, &seen, &error), &error);
	thread_join(t);
	thread_join(NULL);
	assert_string_equal(seen.name, "a-name-that-is-");
	for (int sig = 1; sig < 32; sig++)
		if (sig != SIGKILL && sig != SIGSTOP)
			assert_true(sigismember(&seen.blocked, sig));
	sigset_t ours;
	(void)pthread_sigmask(SIG_SETMASK, NULL, &ours);
	assert_false(sigismember(&ours, SIGTERM)); /* as before */
}

static void signals_arrive_at_their_descriptor(void **state)
{
	(void)state;
	struct error error;
	int fd, sig;
	pid_t sender;
	const int wanted[] = { SIGTERM, SIGHUP };
	const int nonsense[] = { 12345 };
	assert_int_equal(signals_fd(nonsense, 1, &fd, &error), ERR_INVALID);
	assert_ok(signals_fd(wanted, ARRAY_LEN(wanted), &fd, &error), &error);
	assert_false(signals_next(fd, &sig, NULL));
	assert_int_equal(kill(getpid(), SIGTERM), 0);
	assert_int_equal(poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, 10000), 1);
	assert_true(signals_next(fd, &sig, &sender));
	assert_int_equal(sig, SIGTERM);
	assert_int_equal(sender, getpid());
	assert_false(signals_next(fd, &sig, NULL));
	int ends[2];
	assert_int_equal(pipe(ends), 0);
	close(ends[0]);
	assert_int_equal(write(ends[1], "x", 1), -1); /* EPIPE instead of an end */
	close(ends[1]);
	signals_close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_times_have_known_texts),
		cmocka_unit_test(every_lawful_form_is_read),
		cmocka_unit_test(everything_else_is_refused),
		cmocka_unit_test(clocks_go_forward_and_agree_on_their_units),
		cmocka_unit_test(a_thread_has_its_name_and_takes_no_signal),
		cmocka_unit_test(signals_arrive_at_their_descriptor),
	};
	return cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}
