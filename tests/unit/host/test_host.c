/* Goal: a model server is started when wanted, told of when healthy, started again when it dies, and never left behind.
 */
#include "common/base/json.h"
#include "common/base/mem.h"
#include "common/io/clock.h"
#include "common/io/fs.h"
#include "common/io/keys.h"
#include "common/io/process.h"
#include "tests/support/cmocka_all.h"
#include "worker/host/host.h"
#include "worker/host/host_identity.h"
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

enum { LIMIT_MS = 20000 };

struct told { /* a copy of what was told */
	char base_url[100], text[400];
	bool failed;
};

struct fixture {
	struct fs_path dir;
	struct ring *inbox, *told;
	struct host *host;
	struct host_command commands[5];
	struct host_options options;
};

static void read_mail(void *message, struct host_mail *out)
{
	*out = *(struct host_mail *)message;
}

static void tell(void *arg, const struct host_told *t)
{
	struct fixture *f = arg;
	struct told *copy = mem_new(1, sizeof(*copy));
	(void)snprintf(copy->base_url, sizeof(copy->base_url), "%.*s", STR_ARG(t->base_url));
	(void)snprintf(copy->text, sizeof(copy->text), "%.*s", STR_ARG(t->text));
	copy->failed = t->failed;
	if (!ring_try_push(f->told, copy))
		mem_free(copy);
}

static void want(struct fixture *f, const char *command, const char *health, uint32_t ready_ms)
{
	struct host_mail *m = mem_new(1, sizeof(*m));
	*m = (struct host_mail){ str_from(command), str_from(health), ready_ms, 2 };
	assert_true(ring_try_push(f->inbox, m));
}

static struct told take(struct fixture *f)
{
	void *message;
	assert_int_equal(ring_pop_wait(f->told, &message, 1, LIMIT_MS), 1);
	struct told t = *(struct told *)message;
	mem_free(message);
	return t;
}

static int setup(void **state)
{
	static const char *const endpoint_args[] = { "--port", "{port}", "--seed", "{slots}", NULL };
	static const char *const sleep_args[] = { "600", NULL };
	static const char *const wordy_args[] = { "-u", "-c", "import time; print('x' * (17 << 20)); time.sleep(600)",
		                                  NULL };
	static const char *const hungry_args[] = { "-c", "x = b'x' * (300 << 20); import time; time.sleep(600)", NULL };
	struct fixture *f = mem_new(1, sizeof(*f));
	struct error error;
	json_start();
	assert_ok(keys_init(&error), &error);
	f->dir = fs_path("/tmp/assay-host-%016llx", (unsigned long long)keys_random_u64());
	assert_ok(fs_make_dirs(f->dir.text, 0700, &error), &error);
	assert_ok(ring_new(100, &f->inbox, &error), &error);
	assert_ok(ring_new(100, &f->told, &error), &error);
	f->commands[0] = (struct host_command){ STR("model"), ENDPOINT_PROGRAM, endpoint_args, NULL, 0 };
	f->commands[1] = (struct host_command){ STR("deaf"), "/bin/sleep", sleep_args, NULL, 0 };
	f->commands[2] = (struct host_command){ STR("gone"), "/nonexistent/server", NULL, NULL, 0 };
	f->commands[3] = (struct host_command){ STR("hungry"), "/usr/bin/python3", hungry_args, NULL, 64 << 20 };
	f->commands[4] = (struct host_command){ STR("wordy"), "/usr/bin/python3", wordy_args, NULL, 0 };
	f->options = (struct host_options){ .commands = f->commands,
		                            .command_count = 5,
		                            .state_dir = f->dir.text,
		                            .inbox = f->inbox,
		                            .read_mail = read_mail,
		                            .free_mail = mem_free,
		                            .tell = tell,
		                            .arg = f };
	assert_ok(host_start(&f->options, &f->host, &error), &error);
	*state = f;
	return 0;
}

static void drain(struct ring *r)
{
	void *message;
	while (ring_pop_all(r, &message, 1) == 1)
		mem_free(message);
	ring_free(r);
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	struct error error;
	ring_close(f->inbox);
	host_join(f->host);
	drain(f->inbox);
	drain(f->told);
	assert_ok(fs_remove_tree(f->dir.text, &error), &error);
	mem_free(f);
	return 0;
}

/* The process that the log of host.c names has this command line; found by its port, which nobody else has. */
static pid_t find_server(const char *base_url)
{
	char want_port[16];
	struct arena a;
	struct str *names;
	size_t count;
	struct error error;
	pid_t found = 0;
	(void)snprintf(want_port, sizeof(want_port), "%s", strrchr(base_url, ':') + 1);
	arena_init(&a, 16 << 20);
	assert_ok(fs_list("/proc", &a, &names, &count, &error), &error);
	for (size_t i = 0; i < count; i++) {
		struct buf line;
		int64_t pid;
		buf_init(&line, 4096);
		if (str_to_i64(names[i], &pid) &&
		    fs_read(fs_path("/proc/%lld/cmdline", (long long)pid).text, &line, &error) == ERR_OK &&
		    str_starts(buf_str(&line), str_from(ENDPOINT_PROGRAM)) &&
		    str_find(buf_str(&line), str_from(want_port)) > 0)
			found = (pid_t)pid;
		buf_done(&line);
	}
	arena_done(&a);
	return found;
}

static void a_wanted_server_is_started_and_told_of_when_healthy(void **state)
{
	struct fixture *f = *state;
	want(f, "model", "/health", LIMIT_MS);
	struct told t = take(f);
	assert_false(t.failed);
	assert_non_null(strstr(t.base_url, "http://127.0.0.1:"));
	assert_int_equal(strncmp(t.text, "model", 5), 0);
	want(f, "model", "/health", LIMIT_MS); /* it is up: told again, not started again */
	struct told again = take(f);
	assert_string_equal(again.base_url, t.base_url);
	assert_true(fs_exists(fs_path("%s/host-model.log", f->dir.text).text));
	assert_true(find_server(t.base_url) > 0);
}

static void a_server_that_dies_is_told_of_and_started_again(void **state)
{
	struct fixture *f = *state;
	want(f, "model", "/health", LIMIT_MS);
	struct told t = take(f);
	pid_t pid = find_server(t.base_url);
	assert_true(pid > 0);
	assert_int_equal(kill(pid, SIGKILL), 0);
	t = take(f);
	assert_true(t.failed);
	assert_int_equal(t.base_url[0], '\0');
	assert_non_null(strstr(t.text, "signal 9"));
	t = take(f); /* after its backoff, by itself */
	assert_false(t.failed);
	assert_int_not_equal(find_server(t.base_url), pid);
}

static void a_server_that_is_not_ready_in_time_is_ended(void **state)
{
	struct fixture *f = *state;
	uint64_t from_ms = clock_now_ms();
	want(f, "deaf", "/health", 700);
	struct told t = take(f);
	assert_true(t.failed);
	assert_non_null(strstr(t.text, "not ready in time"));
	assert_true(clock_now_ms() - from_ms >= 700);
}

static void a_program_that_is_not_there_is_a_failure_with_its_reason(void **state)
{
	struct fixture *f = *state;
	want(f, "gone", "/health", 700);
	struct told t = take(f);
	assert_true(t.failed);
	assert_non_null(strstr(t.text, "/nonexistent/server"));
}

static void a_server_over_its_memory_limit_fails_and_the_limit_is_named(void **state)
{
	struct fixture *f = *state;
	want(f, "hungry", "/health", LIMIT_MS);
	struct told t = take(f);
	assert_true(t.failed);
	assert_non_null(strstr(t.text, "exit status 1, its memory limit being 64 MiB"));
}

static void a_log_that_grows_is_cut_and_kept_once(void **state)
{
	struct fixture *f = *state;
	struct fs_path path = fs_path("%s/host-wordy.log", f->dir.text), old = fs_path("%s.1", path.text);
	struct fs_info info;
	struct error error;
	want(f, "wordy", "/health", LIMIT_MS);
	for (uint64_t until_ms = clock_now_ms() + LIMIT_MS; !fs_exists(old.text) && clock_now_ms() < until_ms;)
		(void)usleep(20000);
	assert_ok(fs_info(old.text, &info, &error), &error);
	assert_true(info.exists && info.size > 16 << 20);
	for (uint64_t until_ms = clock_now_ms() + LIMIT_MS; info.size > 1 << 20 && clock_now_ms() < until_ms;)
		assert_ok(fs_info(path.text, &info, &error), &error);
	assert_true(info.size < 1 << 20);
}

static void a_server_is_taken_first_when_the_machine_is_out_of_memory(void **state)
{
	struct fixture *f = *state;
	struct error error;
	struct buf score;
	want(f, "model", "/health", LIMIT_MS);
	struct told t = take(f);
	buf_init(&score, 100);
	assert_ok(fs_read(fs_path("/proc/%ld/oom_score_adj", (long)find_server(t.base_url)).text, &score, &error),
	          &error);
	assert_str_equal_c(buf_str(&score), "600\n");
	buf_done(&score);
}

static void no_server_outlives_the_thread(void **state)
{
	struct fixture *f = *state;
	want(f, "model", "/health", LIMIT_MS);
	struct told t = take(f);
	assert_true(find_server(t.base_url) > 0);
	ring_close(f->inbox);
	host_join(f->host);
	f->host = NULL;
	assert_int_equal(find_server(t.base_url), 0);
}

static void identity(const char *props, const char *models, char *out)
{
	struct buf b;
	buf_init(&b, 200);
	bool said = host_identity(STR("m"), str_from(props), str_from(models), &b);
	(void)snprintf(out, 100, "%s", said ? b.data : "");
	buf_done(&b);
}

static void an_identity_changes_with_the_model_and_not_with_the_time(void **state)
{
	(void)state;
	char a[100], b[100], c[100], d[100], e[100];
	identity("{\"model_path\":\"/a/x.gguf\",\"build_info\":\"b1\",\"total_slots\":4}", "", a);
	identity("{\"model_path\":\"/other/x.gguf\",\"build_info\":\"b1\",\"total_slots\":8}", "{}", b);
	identity("{\"model_path\":\"/a/y.gguf\",\"build_info\":\"b1\"}", "", c);
	identity("not json", "{\"data\":[{\"id\":\"m1\",\"created\":1}]}", d);
	identity("", "{\"data\":[{\"id\":\"m1\",\"created\":99}]}", e);
	assert_int_equal(strlen(a), 2 + 12);
	assert_string_equal(a, b);
	assert_string_not_equal(a, c);
	assert_string_equal(d, e);
	identity("{}", "{\"data\":[]}", a);
	assert_string_equal(a, "");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_wanted_server_is_started_and_told_of_when_healthy),
		TEST(a_server_that_dies_is_told_of_and_started_again),
		TEST(a_server_that_is_not_ready_in_time_is_ended),
		TEST(a_program_that_is_not_there_is_a_failure_with_its_reason),
		TEST(a_server_over_its_memory_limit_fails_and_the_limit_is_named),
		TEST(a_log_that_grows_is_cut_and_kept_once),
		TEST(a_server_is_taken_first_when_the_machine_is_out_of_memory),
		TEST(no_server_outlives_the_thread),
		cmocka_unit_test(an_identity_changes_with_the_model_and_not_with_the_time),
	};
	return cmocka_run_group_tests_name("host", tests, NULL, NULL);
}
