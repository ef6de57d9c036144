/* Goal: the whole program against a played coordinator and the model endpoint: through kill -9 nothing paid for is
 * lost, what was under way is named, SIGTERM gives back and leaves, the key is nowhere. */
#include "common/base/json.h"
#include "common/base/mem.h"
#include "common/io/clock.h"
#include "common/io/fs.h"
#include "common/io/http_client.h"
#include "common/io/process.h"
#include "tests/unit/link/played.h"
#include "worker/outbox/outbox.h"
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

static const char the_key[] = "sk-worker-test-key-9";

struct fixture {
	struct fs_path dir;
	struct zsock_context *context;
	struct zsock_zap *zap;
	struct keys_pair server, worker;
	struct played coordinator;
	struct process *endpoint, *program;
	unsigned port;
	struct buf run_context;
};

static const struct str item = STR_INIT("{\"id\":\"i\",\"input\":\"say [[yes]]\",\"target\":\"yes\"}");

static struct fs_path in_dir(struct fixture *f, const char *name)
{
	return fs_path("%s/%s", f->dir.text, name);
}

static void start_endpoint(struct fixture *f, const char *latency_ms)
{
	const char *argv[] = { ENDPOINT_PROGRAM, "--latency-ms", latency_ms, "--want-key", the_key, NULL };
	struct process_spec spec = { .argv = argv,
		                     .stdout_to = PROCESS_OUTPUT_PIPE,
		                     .stderr_to = PROCESS_OUTPUT_INHERIT };
	struct error error;
	char line[64] = "";
	size_t len = 0;
	assert_ok(process_start(&spec, &f->endpoint, &error), &error);
	while (!strchr(line, '\n')) {
		struct pollfd fd = { .fd = process_stdout(f->endpoint), .events = POLLIN };
		assert_int_equal(poll(&fd, 1, PLAYED_LIMIT_MS), 1);
		ssize_t got = read(fd.fd, line + len, sizeof(line) - 1 - len);
		assert_true(got > 0);
		len += (size_t)got;
	}
	assert_int_equal(sscanf(line, "listening %u", &f->port), 1);
	buf_clear(&f->run_context);
	assert_true(
		buf_printf(&f->run_context,
	                   "{\"model\":{\"name\":\"m\",\"provider\":\"openai\",\"base_url\":\"http://127.0.0.1:%u/v1\","
	                   "\"key\":\"k\"},\"generate\":{\"prompt\":\"{{input}}\"},"
	                   "\"scores\":[{\"name\":\"c\",\"type\":\"exact\"}],\"suite_items\":1000000}",
	                   f->port));
}

static int64_t count_of(struct fixture *f, const char *name)
{
	struct http_client *c;
	struct http_done done;
	struct error error;
	struct json_doc *doc;
	char url[80];
	(void)snprintf(url, sizeof(url), "http://127.0.0.1:%u/stats", f->port);
	struct http_request request = { .url = url, .timeout_ms = PLAYED_LIMIT_MS, .response_bytes_max = 1 << 20 };
	assert_ok(http_client_new(NULL, &c, &error), &error);
	assert_ok(http_client_fetch(c, &request, &done, &error), &error);
	assert_ok(json_parse(done.body, &doc, &error), &error);
	int64_t count = json_i64_or(json_get(json_root(doc), name), -1);
	json_free(doc);
	http_done_free(&done);
	http_client_free(c);
	return count;
}

static void start_worker(struct fixture *f)
{
	struct fs_path config = in_dir(f, "worker.yaml"), server = in_dir(f, "server.public"),
		       key = in_dir(f, "worker.key");
	struct fs_path log = in_dir(f, "worker.log");
	char key_env[100], metrics[FS_PATH_BYTES_MAX + 8];
	(void)snprintf(metrics, sizeof(metrics), "unix:%s", in_dir(f, "metrics").text);
	(void)snprintf(key_env, sizeof(key_env), "K_API_KEY=%s", the_key);
	const char *argv[] = { WORKER_PROGRAM,
		               "--config",
		               config.text,
		               "--state",
		               f->dir.text,
		               "--coordinator",
		               f->coordinator.endpoint.data,
		               "--server-key",
		               server.text,
		               "--key",
		               key.text,
		               "--name",
		               "w",
		               "--slots",
		               "4",
		               "--drain-timeout",
		               "20s",
		               "--metrics",
		               metrics,
		               NULL };
	const char *env[] = { key_env, "TSAN_OPTIONS=ignore_noninstrumented_modules=1", NULL };
	struct process_spec spec = { .argv = argv,
		                     .env_set = env,
		                     .stdout_to = PROCESS_OUTPUT_FILE,
		                     .stdout_path = log.text,
		                     .stderr_to = PROCESS_OUTPUT_STDOUT };
	struct error error;
	assert_ok(process_start(&spec, &f->program, &error), &error);
}

static struct process_status end_worker(struct fixture *f, int signal)
{
	struct process_status status;
	struct error error;
	process_kill(f->program, signal);
	assert_ok(process_wait(f->program, PLAYED_LIMIT_MS, &status, &error), &error);
	process_free(f->program);
	f->program = NULL;
	return status;
}

static void write_file(struct fixture *f, const char *name, struct str text)
{
	struct error error;
	assert_ok(fs_write_atomic(in_dir(f, name).text, text, 0600, &error), &error);
}

static int setup(void **state)
{
	struct fixture *f = mem_new(1, sizeof(*f));
	struct error error;
	char text[KEYS_TEXT_BYTES];
	json_start();
	assert_ok(keys_init(&error), &error);
	f->dir = fs_path("/tmp/assay-worker-%016llx", (unsigned long long)keys_random_u64());
	assert_ok(fs_make_dirs(f->dir.text, 0700, &error), &error);
	keys_pair_new(&f->server);
	keys_pair_new(&f->worker);
	keys_text(f->server.public_key.bytes, text);
	write_file(f, "server.public", str_from(text));
	assert_ok(keys_pair_save(&f->worker, in_dir(f, "worker.key").text, &error), &error);
	write_file(f, "worker.yaml",
	           STR("schema: assay.worker.v1\nkeys:\n  k: {env: K_API_KEY}\nallowed_hosts: "
	               "[\"127.0.0.1\"]\nallow_private: true\n"));
	assert_ok(zsock_context_new(0, 0, &f->context, &error), &error);
	assert_ok(zsock_zap_start(f->context, &f->zap, &error), &error);
	struct zsock_zap_key key = { f->worker.public_key, STR("worker") };
	assert_ok(zsock_zap_allow(f->zap, &key, 1, &error), &error);
	played_open(&f->coordinator, f->context, &f->server);
	buf_init(&f->run_context, 4096);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	struct error error;
	process_free(f->program);
	process_free(f->endpoint);
	played_close(&f->coordinator);
	zsock_zap_stop(f->zap);
	zsock_context_free(f->context);
	buf_done(&f->run_context);
	assert_ok(fs_remove_tree(f->dir.text, &error), &error);
	mem_free(f);
	return 0;
}

/* Takes frames until `count` records have come. With `outbox` they are committed at once, else left in the window. */
static void collect(struct fixture *f, struct msg_record *out, size_t count, const struct outbox_id *outbox)
{
	for (size_t got = 0; got < count;) {
		const struct msg *m = played_expect(&f->coordinator, MSG_RESULTS);
		for (size_t i = 0; i < m->results.record_count; i++) {
			assert_true(got < count);
			out[got] = m->results.records[i];
			out[got].response = out[got].request = out[got].evidence = out[got].answer =
				STR(""); /* die with the frame */
			if (outbox)
				played_commit(&f->coordinator, *outbox, out[got].record_no);
			got++;
		}
	}
}

static struct outbox_id greet(struct fixture *f, const uint8_t *verdicts, size_t verdict_count)
{
	const struct msg *m = played_expect(&f->coordinator, MSG_HELLO);
	struct outbox_id id = m->hello.outbox;
	played_welcome(&f->coordinator, 1, verdicts, verdict_count);
	return id;
}

/* What the worker says of itself in one line of its metrics; waits until it is `want`: it is told once a second. */
static void expect_metric(struct fixture *f, const char *line_start, double want)
{
	struct http_client *c;
	struct http_done done;
	struct error error;
	double value = -1;
	struct fs_path path = in_dir(f, "metrics");
	struct http_request request = { .url = "http://worker/metrics",
		                        .timeout_ms = PLAYED_LIMIT_MS,
		                        .response_bytes_max = 1 << 20,
		                        .unix_socket_path = path.text };
	assert_ok(http_client_new(NULL, &c, &error), &error);
	for (uint64_t until_ms = clock_now_ms() + PLAYED_LIMIT_MS; value < want && clock_now_ms() < until_ms;) {
		(void)played_receive(&f->coordinator, 50);
		assert_ok(http_client_fetch(c, &request, &done, &error), &error);
		struct str rest = done.body, line;
		while (str_split(&rest, '\n', &line))
			if (str_starts(line, str_from(line_start)))
				assert_true(str_to_double(str_slice(line, strlen(line_start) + 1, line.len), &value));
		http_done_free(&done);
	}
	http_client_free(c);
	if (value < want || value > want)
		fail_msg("%s is %g, not %g", line_start, value, want);
}

static void samples_come_back_as_results_and_the_key_is_nowhere(void **state)
{
	struct fixture *f = *state;
	struct msg_record records[20];
	struct error error;
	start_endpoint(f, "5");
	start_worker(f);
	const struct msg *m = played_expect(&f->coordinator, MSG_HELLO);
	struct outbox_id id = m->hello.outbox;
	assert_int_equal(m->hello.alias_count, 1);
	assert_str_equal_c(m->hello.aliases[0].name, "k");
	assert_int_equal(m->hello.slots, 4);
	played_welcome(&f->coordinator, 1, NULL, 0);
	played_lease(&f->coordinator, 1, 0, 20, buf_str(&f->run_context), item);
	collect(f, records, 20, &id);
	for (size_t i = 0; i < 20; i++)
		assert_int_equal(records[i].outcome, OUTCOME_SCORED);
	assert_int_equal(count_of(f, "paid"), 20);
	expect_metric(f, "assay_worker_connected", 1);
	expect_metric(f, "assay_worker_asks_total{class=\"none\"}", 20);
	expect_metric(f, "assay_worker_ask_duration_seconds_bucket{le=\"+Inf\"}", 20);
	expect_metric(f, "assay_worker_committed_records_total", 20);
	expect_metric(f, "assay_worker_outbox_writable", 1);
	assert_int_equal(end_worker(f, SIGKILL).signal, SIGKILL);
	struct arena a;
	struct str *names;
	size_t count;
	arena_init(&a, 1 << 20);
	assert_ok(fs_list(fs_path("%s/outbox", f->dir.text).text, &a, &names, &count, &error), &error);
	for (size_t i = 0; i <= count; i++) { /* each file of the outbox, and the log */
		struct buf bytes;
		struct fs_path path =
			i < count ? fs_path("%s/outbox/%s", f->dir.text, names[i].data) : in_dir(f, "worker.log");
		buf_init(&bytes, 64 << 20);
		assert_ok(fs_read(path.text, &bytes, &error), &error);
		assert_true(str_find(buf_str(&bytes), str_from(the_key)) < 0);
		buf_done(&bytes);
	}
	arena_done(&a);
}

static void after_kill_9_what_was_under_way_is_named_and_results_come_again(void **state)
{
	struct fixture *f = *state;
	struct msg_record first[4], again[8];
	start_endpoint(f, "1");
	start_worker(f);
	struct outbox_id id = greet(f, NULL, 0);
	played_lease(&f->coordinator, 1, 0, 4, buf_str(&f->run_context), item);
	collect(f, first, 4, NULL); /* never committed */
	process_free(f->endpoint);
	start_endpoint(f, "60000");
	played_lease(&f->coordinator, 2, 100, 4, buf_str(&f->run_context), item);
	while (count_of(f, "asked") < 4)
		assert_true(played_receive(&f->coordinator, PLAYED_LIMIT_MS));
	assert_int_equal(end_worker(f, SIGKILL).signal, SIGKILL);

	start_worker(f);
	assert_true(outbox_id_eq(greet(f, NULL, 0), id));
	collect(f, again, 8, NULL);
	size_t died = 0, results = 0;
	for (size_t i = 0; i < 8; i++) {
		if (again[i].kind == RECORD_RESULT) {
			results++;
			assert_true(again[i].sample_no < 4);
			continue;
		}
		assert_int_equal(again[i].error_class, CLASS_DIED);
		assert_true(again[i].given_up && again[i].ask_id != 0 && again[i].sample_no >= 100);
		died++;
	}
	assert_int_equal(results, 4);
	assert_int_equal(died, 4);
	for (size_t i = 0; i < 8; i++)
		played_commit(&f->coordinator, id, again[i].record_no);
	(void)played_expect(&f->coordinator, MSG_RENEW);
	(void)played_expect(&f->coordinator, MSG_RENEW); /* the Commits have been read before this one was sent */
	assert_int_equal(end_worker(f, SIGTERM).code, 0);

	start_worker(f); /* a third life has nothing more to say */
	(void)greet(f, NULL, 0);
	for (int i = 0; i < 5; i++)
		if (played_receive(&f->coordinator, 300))
			assert_int_not_equal(f->coordinator.msg.kind, MSG_RESULTS);
}

static void an_answer_that_was_paid_for_before_a_death_is_scored_after_it(void **state)
{
	struct fixture *f = *state;
	struct outbox *o;
	struct error error;
	struct msg_record got;
	static const uint8_t adopt[] = { ANSWER_ADOPT };
	start_endpoint(f, "1");
	struct exec_context *c = exec_context_new(hash_of(buf_str(&f->run_context)), buf_str(&f->run_context));
	struct msg_record m = { .kind = RECORD_RAW,
		                .run_id = 9,
		                .sample_no = 5,
		                .ask_id = 77,
		                .answer = STR("yes"),
		                .retry_after_ms = -1,
		                .cost_nanousd = -1 };
	struct record *answer = record_new(&m, c, item);
	assert_ok(outbox_open(in_dir(f, "outbox").text, clock_now_ms(), &o, &error), &error);
	assert_ok(outbox_append(o, &answer, 1, &error), &error);
	assert_ok(outbox_sync(o, &error), &error);
	outbox_close(o);
	record_free(answer);
	exec_context_unref(c);

	start_worker(f);
	const struct msg *hello = played_expect(&f->coordinator, MSG_HELLO);
	assert_int_equal(hello->hello.answer_count, 1);
	assert_int_equal(hello->hello.answers[0].ask_id, 77);
	played_welcome(&f->coordinator, 1, adopt, 1);
	collect(f, &got, 1, NULL);
	assert_int_equal(got.kind, RECORD_RESULT);
	assert_int_equal(got.outcome, OUTCOME_SCORED);
	assert_int_equal(got.ask_id, 77);
	assert_int_equal(count_of(f, "asked"), 0);
}

static void sigterm_gives_back_what_has_not_started_and_waits_for_the_rest(void **state)
{
	struct fixture *f = *state;
	struct msg_record records[4];
	start_endpoint(f, "700");
	start_worker(f);
	struct outbox_id id = greet(f, NULL, 0);
	played_lease(&f->coordinator, 1, 0, 10, buf_str(&f->run_context), item);
	while (count_of(f, "asked") < 4)
		(void)played_receive(&f->coordinator, 10);
	process_kill(f->program, SIGTERM);
	const struct msg *m = played_expect(&f->coordinator, MSG_RELEASED);
	assert_int_equal(m->released.cause, RELEASE_DRAIN);
	assert_int_equal(m->released.sample_count, 6);
	collect(f, records, 4, NULL);
	for (size_t i = 0; i < 4; i++)
		played_commit(&f->coordinator, id, records[i].record_no);
	struct process_status status;
	struct error error;
	assert_ok(process_wait(f->program, PLAYED_LIMIT_MS, &status, &error), &error);
	assert_true(process_ok(status));
	assert_int_equal(count_of(f, "asked"), 4);
}

static void a_second_worker_on_the_same_state_is_refused(void **state)
{
	struct fixture *f = *state;
	start_endpoint(f, "1");
	start_worker(f);
	(void)greet(f, NULL, 0);
	struct process *first = f->program;
	start_worker(f);
	struct process_status status;
	struct error error;
	assert_ok(process_wait(f->program, PLAYED_LIMIT_MS, &status, &error), &error);
	assert_true(status.exited && status.code == 1);
	process_free(f->program);
	f->program = first;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(samples_come_back_as_results_and_the_key_is_nowhere),
		TEST(after_kill_9_what_was_under_way_is_named_and_results_come_again),
		TEST(an_answer_that_was_paid_for_before_a_death_is_scored_after_it),
		TEST(sigterm_gives_back_what_has_not_started_and_waits_for_the_rest),
		TEST(a_second_worker_on_the_same_state_is_refused),
	};
	return cmocka_run_group_tests_name("assay-worker", tests, NULL, NULL);
}
