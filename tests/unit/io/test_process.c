/* Goal: a child is exactly what was asked for, ends when it is told to with all that it started, and is never confused
 * with another process. */
#include "common/io/clock.h"
#include "common/io/process.h"
#include "common/io/thread.h"
#include "tests/support/cmocka_all.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static struct error error;

enum { WAIT_MS = 20000 };

#define ARGV(...) ((const char *const[]){ __VA_ARGS__, NULL })

static struct process_result run(const struct process_spec *spec, struct str input)
{
	struct process_result r;
	assert_ok(process_run(spec, input, WAIT_MS, 100000, &r, &error), &error);
	return r;
}

/* The output of a shell line. */
static void expect_output(struct process_spec spec, const char *line, const char *want)
{
	const char *const argv[] = { "sh", "-c", line, NULL };
	spec.argv = argv;
	struct process_result r = run(&spec, STR(""));
	if (!process_ok(r.status))
		fail_msg("%s: %s", line, r.err.data ? r.err.data : "");
	assert_str_equal_c(buf_str(&r.out), want);
	process_result_done(&r);
}

static void output_error_output_and_status_come_back(void **state)
{
	(void)state;
	struct process_spec spec = { .argv = ARGV("sh", "-c", "cat; echo err >&2; exit 3") };
	struct process_result r = run(&spec, STR("given\0input"));
	assert_str_equal(buf_str(&r.out), STR("given\0input"));
	assert_str_equal_c(buf_str(&r.err), "err\n");
	assert_true(r.status.exited && r.status.code == 3 && !process_ok(r.status) && !r.cut);
	char text[48];
	process_status_text(r.status, text);
	assert_string_equal(text, "exit status 3");
	process_result_done(&r);
	spec.argv = ARGV("sh", "-c", "kill -9 $$");
	r = run(&spec, STR(""));
	assert_true(!r.status.exited && r.status.signal == SIGKILL);
	process_status_text(r.status, text);
	assert_string_equal(text, "signal 9 (KILL)");
	process_result_done(&r);
}

static void arguments_go_through_as_they_are(void **state)
{
	(void)state;
	struct process_spec spec = { .argv = ARGV("printf", "%s|", "a b", "$HOME", "'\"", "*", "") };
	struct process_result r = run(&spec, STR(""));
	assert_str_equal_c(buf_str(&r.out), "a b|$HOME|'\"|*||");
	process_result_done(&r);
}

static void a_program_that_cannot_be_started_is_an_error_that_names_it(void **state)
{
	(void)state;
	struct process *p;
	struct process_spec spec = { .argv = ARGV("no-such-program-here") };
	assert_int_equal(process_start(&spec, &p, &error), ERR_NOT_FOUND);
	assert_non_null(strstr(error.text, "'no-such-program-here'"));
	spec.argv = ARGV("/etc/passwd");
	assert_int_equal(process_start(&spec, &p, &error), ERR_NOT_FOUND);
	spec.argv = ARGV("true");
	spec.cwd = "/no/such/folder";
	assert_int_equal(process_start(&spec, &p, &error), ERR_NOT_FOUND);
	assert_non_null(strstr(error.text, "enter its folder"));
	spec.cwd = NULL;
	spec.stdout_to = PROCESS_OUTPUT_FILE;
	spec.stdout_path = "/no/such/folder/out";
	assert_int_equal(process_start(&spec, &p, &error), ERR_IO);
	assert_non_null(strstr(error.text, "/no/such/folder/out"));
	char folder[] = "/tmp/assay-process-XXXXXX"; /* executable by its bits, but no program */
	assert_non_null(mkdtemp(folder));
	struct fs_path path = fs_path("%s/p", folder);
	assert_ok(fs_write_atomic(path.text,
	                          STR("\x7f"
	                              "ELFnonsense"),
	                          0700, &error),
	          &error);
	spec = (struct process_spec){ .argv = ARGV(path.text) };
	assert_int_equal(process_start(&spec, &p, &error), ERR_IO);
	assert_non_null(strstr(error.text, "run it: Exec format error"));
	assert_ok(fs_remove_tree(folder, &error), &error);
}

static void folder_and_environment_are_as_asked(void **state)
{
	(void)state;
	setenv("ASSAY_TEST_KEEP", "kept", 1);
	setenv("ASSAY_TEST_DROP", "dropped", 1);
	struct process_spec spec = { .cwd = "/usr",
		                     .env_set = ARGV("ASSAY_TEST_NEW=a=b", "ASSAY_TEST_KEEP=changed"),
		                     .env_drop = ARGV("ASSAY_TEST_DROP", "ASSAY_TEST") };
	expect_output(spec, "pwd; echo $ASSAY_TEST_NEW $ASSAY_TEST_KEEP ${ASSAY_TEST_DROP-gone}",
	              "/usr\na=b changed gone\n");
	spec = (struct process_spec){ .env_clear = true, .env_set = ARGV("ONLY=this") };
	spec.argv = ARGV("/usr/bin/env");
	struct process_result r = run(&spec, STR(""));
	assert_str_equal_c(buf_str(&r.out), "ONLY=this\n");
	process_result_done(&r);
	unsetenv("ASSAY_TEST_KEEP");
	unsetenv("ASSAY_TEST_DROP");
}

static void a_child_inherits_no_descriptor_but_those_named_and_no_signal_setting(void **state)
{
	(void)state;
	int leaky = open("/dev/null", O_RDONLY), named = open("/dev/null", O_RDONLY); /* without O_CLOEXEC */
	char want[64];
	sigset_t set, before;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	assert_int_equal(pthread_sigmask(SIG_BLOCK, &set, &before), 0);
	signal(SIGPIPE, SIG_IGN);
	struct process_spec spec = { .keep_fds = &named, .keep_fd_count = 1 };
	snprintf(want, sizeof(want), "0\n1\n2\n%d\n", named);
	expect_output(spec, "for f in /proc/$$/fd/*; do f=${f##*/}; test -e /proc/$$/fd/$f && echo $f; done", want);
	expect_output(spec, "grep -E 'SigBlk|SigIgn' /proc/self/status | cut -f2",
	              "0000000000000000\n0000000000000000\n");
	signal(SIGPIPE, SIG_DFL);
	assert_int_equal(pthread_sigmask(SIG_SETMASK, &before, NULL), 0);
	close(leaky);
	close(named);
}

static void outputs_can_go_to_files_and_into_one_another(void **state)
{
	(void)state;
	char folder[] = "/tmp/assay-process-XXXXXX";
	assert_non_null(mkdtemp(folder));
	struct fs_path path = fs_path("%s/log", folder);
	struct process_spec spec = { .argv = ARGV("sh", "-c", "echo out; echo err >&2"),
		                     .stdout_to = PROCESS_OUTPUT_FILE,
		                     .stdout_path = path.text,
		                     .stderr_to = PROCESS_OUTPUT_STDOUT };
	for (int i = 0; i < 2; i++) {
		struct process *p;
		struct process_status status;
		assert_ok(process_start(&spec, &p, &error), &error);
		assert_int_equal(process_stdout(p), -1);
		assert_ok(process_wait(p, WAIT_MS, &status, &error), &error);
		assert_true(process_ok(status));
		process_free(p);
	}
	struct buf text;
	struct fs_info info;
	buf_init(&text, 1000);
	assert_ok(fs_read(path.text, &text, &error), &error);
	assert_str_equal_c(buf_str(&text), "out\nerr\nout\nerr\n");
	assert_ok(fs_info(path.text, &info, &error), &error);
	assert_int_equal(info.mode & 077, 0);
	buf_done(&text);
	assert_ok(fs_remove_tree(folder, &error), &error);
}

static void a_flood_of_output_is_cut_and_does_not_stop_the_child(void **state)
{
	(void)state;
	struct process_spec spec = { .argv = ARGV("sh", "-c", "head -c 3000000 /dev/zero; echo done >&2") };
	struct process_result r;
	assert_ok(process_run(&spec, STR(""), WAIT_MS, 1000, &r, &error), &error);
	assert_true(r.cut && process_ok(r.status));
	assert_int_equal(r.out.len, 1000);
	assert_str_equal_c(buf_str(&r.err), "done\n");
	process_result_done(&r);
}

static void a_run_over_its_time_is_killed_with_its_children_and_keeps_what_it_said(void **state)
{
	(void)state;
	struct process_spec spec = { .argv = ARGV("sh", "-c", "echo begun; sleep 1000 & echo $!; wait") };
	struct process_result r;
	uint64_t before_ms = clock_now_ms(), pid = 0;
	assert_int_equal(process_run(&spec, STR(""), 300, 1000, &r, &error), ERR_TIMEOUT);
	assert_non_null(strstr(error.text, "300 ms"));
	assert_true(clock_now_ms() - before_ms < 10000);
	struct str rest = buf_str(&r.out), line;
	assert_true(str_split(&rest, '\n', &line) && str_eq_c(line, "begun"));
	assert_true(str_split(&rest, '\n', &line) && str_to_u64(line, &pid));
	struct process_id id;
	if (process_id_of((pid_t)pid, &id, &error) == ERR_OK) /* killed; perhaps init has not reaped it yet */
		assert_ok(process_id_wait(&id, WAIT_MS, &error), &error);
	process_result_done(&r);
}

static void what_a_child_leaves_behind_ends_with_it(void **state)
{
	(void)state;
	struct process_spec spec = {
		.argv = ARGV("sh", "-c", "sleep 1000 & echo $!")
	}; /* ends at once, the sleep holds the pipe */
	struct process_result r = run(&spec, STR(""));
	uint64_t pid;
	struct process_id id;
	assert_true(str_to_u64(str_trim(buf_str(&r.out)), &pid));
	if (process_id_of((pid_t)pid, &id, &error) == ERR_OK)
		assert_ok(process_id_wait(&id, WAIT_MS, &error), &error);
	process_result_done(&r);
}

static void stopping_asks_first_and_then_insists(void **state)
{
	(void)state;
	struct process *p;
	struct process_status status;
	struct process_spec spec = { .argv = ARGV("sh", "-c",
		                                  "trap 'exit 7' TERM; echo ready; while :; do sleep 0.01; done"),
		                     .stdout_to = PROCESS_OUTPUT_PIPE };
	char byte;
	assert_ok(process_start(&spec, &p, &error), &error);
	assert_int_equal(process_wait(p, 0, &status, &error), ERR_TIMEOUT);
	assert_int_equal(poll(&(struct pollfd){ .fd = process_stdout(p), .events = POLLIN }, 1, WAIT_MS), 1);
	assert_int_equal(read(process_stdout(p), &byte, 1), 1);
	assert_ok(process_stop(p, WAIT_MS, &status, &error), &error);
	assert_true(status.exited && status.code == 7);
	assert_ok(process_wait(p, 0, &status, &error), &error); /* still known */
	process_kill(p, SIGKILL);                               /* of nobody else */
	process_free(p);
	spec.argv = ARGV("sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.01; done");
	assert_ok(process_start(&spec, &p, &error), &error);
	assert_int_equal(poll(&(struct pollfd){ .fd = process_stdout(p), .events = POLLIN }, 1, WAIT_MS), 1);
	assert_ok(process_stop(p, 50, &status, &error), &error);
	assert_true(!status.exited && status.signal == SIGKILL);
	assert_int_equal(poll(&(struct pollfd){ .fd = process_fd(p), .events = POLLIN }, 1, 0), 1);
	process_free(p);
}

static void each_child_heads_its_group_and_dropping_it_ends_it(void **state)
{
	(void)state;
	struct process *p;
	struct process_id id;
	struct process_spec spec = { .argv = ARGV("sleep", "1000") };
	assert_ok(process_start(&spec, &p, &error), &error);
	assert_int_equal(getpgid(process_pid(p)), process_pid(p));
	assert_int_not_equal(getsid(process_pid(p)), process_pid(p));
	assert_ok(process_id_of(process_pid(p), &id, &error), &error);
	assert_true(process_id_alive(&id));
	process_free(p);
	assert_false(process_id_alive(&id));
	spec.new_session = true;
	assert_ok(process_start(&spec, &p, &error), &error);
	assert_int_equal(getsid(process_pid(p)), process_pid(p));
	assert_ok(process_id_of(process_pid(p), &id, &error), &error);
	process_forget(p);
	assert_true(process_id_alive(&id));
	assert_int_equal(process_id_wait(&id, 10, &error), ERR_TIMEOUT);
	assert_ok(process_id_kill(&id, SIGKILL, true, &error), &error);
	assert_ok(process_id_wait(&id, WAIT_MS, &error), &error);
	assert_false(process_id_alive(&id)); /* a zombie of ours */
	assert_int_equal(process_id_kill(&id, SIGTERM, false, &error), ERR_NOT_FOUND);
	assert_int_equal(waitpid(id.pid, NULL, 0), id.pid);
}

static void a_process_is_told_from_another_with_its_number(void **state)
{
	(void)state;
	struct process_id id, other;
	char text[PROCESS_ID_TEXT_BYTES];
	assert_ok(process_id_of(getpid(), &id, &error), &error);
	assert_true(process_id_alive(&id));
	process_id_text(&id, text);
	assert_true(process_id_from_text(str_from(text), &other));
	assert_true(process_id_alive(&other));
	other.start_ticks++;
	assert_false(process_id_alive(&other));
	assert_int_equal(process_id_kill(&other, SIGKILL, false, &error), ERR_NOT_FOUND); /* we live on */
	assert_int_equal(process_id_kill(&other, SIGKILL, true, &error), ERR_NOT_FOUND);
	other = id;
	other.boot[0] = other.boot[0] == 'x' ? 'y' : 'x';
	assert_false(process_id_alive(&other));
	assert_int_equal(process_id_of(0, &other, &error), ERR_NOT_FOUND);
	static const char *const bad[] = { "",        "1",     "1 2",   "0 2 b",           "-1 2 b",
		                           "1 2 b c", "x 2 b", "1 y b", "99999999999 2 b", "1 2 " };
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (process_id_from_text(str_from(bad[i]), &other))
			fail_msg("'%s'", bad[i]);
	assert_false(process_id_from_text(STR("1 2 b\0c"), &other));
}

static void programs_are_found_as_path_says(void **state)
{
	(void)state;
	struct fs_path path;
	assert_true(process_find("sh", &path));
	assert_true(path.text[0] == '/');
	assert_false(process_find("", &path));
	assert_false(process_find("no-such-program-here", &path));
	assert_false(process_find("/etc", &path));
	assert_true(process_find("/bin/sh", &path));
	uid_t uid;
	gid_t gid;
	assert_true(process_user("root", &uid, &gid));
	assert_true(uid == 0 && gid == 0);
	assert_false(process_user("no-such-user-here", &uid, &gid));
}

static void a_dropped_user_has_no_way_back(void **state)
{
	(void)state;
	uid_t uid;
	gid_t gid;
	struct process_spec spec = { .drop_user = true };
	if (geteuid() != 0) { /* then it must fail, and say where */
		struct process *p;
		spec.argv = ARGV("true");
		assert_int_equal(process_start(&spec, &p, &error), ERR_DENIED);
		assert_non_null(strstr(error.text, "change the user"));
		return;
	}
	assert_true(process_user("nobody", &uid, &gid));
	spec.uid = uid;
	spec.gid = gid;
	spec.cwd = "/";
	expect_output(spec,
	              "id -un; grep -E '^(Uid|Gid)' /proc/self/status | tr -s '\\t\\n' ' '; grep Groups "
	              "/proc/self/status | tr -d '\\t '",
	              "nobody\nUid: 65534 65534 65534 65534 Gid: 65534 65534 65534 65534 Groups:\n");
}

static void memory_is_limited_and_the_first_to_go_is_chosen(void **state)
{
	(void)state;
	expect_output((struct process_spec){ .data_bytes_max = 64 << 20 }, "ulimit -d", "65536\n");
	expect_output((struct process_spec){ .oom_score = 700 }, "cat /proc/self/oom_score_adj", "700\n");
	const char *const hungry[] = { "python3", "-c", "b'x' * (200 << 20)", NULL };
	struct process_spec spec = { .argv = hungry, .data_bytes_max = 64 << 20 };
	struct process_result r = run(&spec, STR(""));
	assert_true(r.status.exited && r.status.code == 1);
	assert_true(str_find(buf_str(&r.err), STR("MemoryError")) >= 0);
	process_result_done(&r);
	spec.data_bytes_max = 0;
	r = run(&spec, STR(""));
	assert_true(process_ok(r.status));
	process_result_done(&r);
}

static void start_and_leave(void *arg)
{
	const struct process_spec *spec = arg;
	struct process *p;
	assert_ok(process_start(spec, &p, &error), &error);
	process_forget(p); /* the thread ends now */
}

static void a_child_bound_to_its_parent_ends_with_the_thread_that_started_it(void **state)
{
	(void)state;
	struct thread *t;
	int ends[2];
	char byte;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	struct process_spec spec = {
		.argv = ARGV("sleep", "1000"), .die_with_parent = true, .keep_fds = &ends[1], .keep_fd_count = 1
	};
	assert_ok(thread_start(&t, "starter", start_and_leave, &spec, &error), &error);
	thread_join(t);
	close(ends[1]);
	assert_int_equal(poll(&(struct pollfd){ .fd = ends[0], .events = POLLIN }, 1, WAIT_MS), 1);
	assert_int_equal(read(ends[0], &byte, 1), 0); /* its end of the pipe is closed: it is dead */
	close(ends[0]);
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(output_error_output_and_status_come_back),
		cmocka_unit_test(arguments_go_through_as_they_are),
		cmocka_unit_test(a_program_that_cannot_be_started_is_an_error_that_names_it),
		cmocka_unit_test(folder_and_environment_are_as_asked),
		cmocka_unit_test(a_child_inherits_no_descriptor_but_those_named_and_no_signal_setting),
		cmocka_unit_test(outputs_can_go_to_files_and_into_one_another),
		cmocka_unit_test(a_flood_of_output_is_cut_and_does_not_stop_the_child),
		cmocka_unit_test(a_run_over_its_time_is_killed_with_its_children_and_keeps_what_it_said),
		cmocka_unit_test(what_a_child_leaves_behind_ends_with_it),
		cmocka_unit_test(stopping_asks_first_and_then_insists),
		cmocka_unit_test(each_child_heads_its_group_and_dropping_it_ends_it),
		cmocka_unit_test(a_process_is_told_from_another_with_its_number),
		cmocka_unit_test(programs_are_found_as_path_says),
		cmocka_unit_test(a_dropped_user_has_no_way_back),
		cmocka_unit_test(memory_is_limited_and_the_first_to_go_is_chosen),
		cmocka_unit_test(a_child_bound_to_its_parent_ends_with_the_thread_that_started_it),
	};
	return cmocka_run_group_tests_name("process", tests, NULL, NULL);
}
