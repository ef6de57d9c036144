/* Goal: over real HTTP every reply becomes a record of its kind; nothing leaves that may not, and no key comes back. */
#include "common/base/mem.h"
#include "common/io/clock.h"
#include "common/io/fs.h"
#include "common/io/http_client.h"
#include "common/io/keys.h"
#include "common/io/process.h"
#include "tests/support/cmocka_all.h"
#include "worker/exec/mail.h"
#include "worker/net/net.h"
#include "worker/net/score_thread.h"
#include "worker/outbox/outbox_thread.h"
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

enum { LIMIT_MS = 20000 };

struct fixture {
	struct process *endpoint;
	char base_url[64];
	struct fs_path dir;
	struct outbox *outbox;
	struct outbox_thread *outbox_thread;
	struct score_threads *score;
	struct net *net;
	struct ring *inbox, *link, *outbox_ring, *score_ring, *host;
	struct rules rules;
	struct str allowed[1];
	struct rules_alias alias;
	struct rules_command command;
	atomic_int begun, ended, flush_fails;
	uint64_t next_id;
};

/* ---- the endpoint ---- */

static void start_endpoint(struct fixture *f, const char *want_key)
{
	const char *argv[] = { ENDPOINT_PROGRAM, want_key ? "--want-key" : NULL, want_key, NULL };
	struct process_spec spec = { .argv = argv,
		                     .stdout_to = PROCESS_OUTPUT_PIPE,
		                     .stderr_to = PROCESS_OUTPUT_INHERIT };
	struct error error;
	char line[64] = "";
	size_t len = 0;
	assert_ok(process_start(&spec, &f->endpoint, &error), &error);
	while (!strchr(line, '\n')) {
		struct pollfd fd = { .fd = process_stdout(f->endpoint), .events = POLLIN };
		assert_int_equal(poll(&fd, 1, LIMIT_MS), 1);
		ssize_t got = read(fd.fd, line + len, sizeof(line) - 1 - len);
		assert_true(got > 0);
		len += (size_t)got;
	}
	unsigned port;
	assert_int_equal(sscanf(line, "listening %u", &port), 1);
	(void)snprintf(f->base_url, sizeof(f->base_url), "http://127.0.0.1:%u/v1", port);
}

static int64_t count_of(struct fixture *f, const char *name)
{
	struct http_client *c;
	struct http_done done;
	struct error error;
	struct json_doc *doc;
	char url[80];
	(void)snprintf(url, sizeof(url), "%.*s/stats", (int)(strlen(f->base_url) - 3), f->base_url);
	struct http_request request = { .url = url, .timeout_ms = LIMIT_MS, .response_bytes_max = 1 << 20 };
	assert_ok(http_client_new(NULL, &c, &error), &error);
	assert_ok(http_client_fetch(c, &request, &done, &error), &error);
	assert_ok(json_parse(done.body, &doc, &error), &error);
	int64_t count = json_i64_or(json_get(json_root(doc), name), -1);
	json_free(doc);
	http_done_free(&done);
	http_client_free(c);
	return count;
}

/* ---- the threads ---- */

static void log_begin(void *arg, const struct net_ask *ask)
{
	struct fixture *f = arg;
	assert_true(ask->ask_id != 0 && ask->attempt_count > 0);
	atomic_fetch_add(&f->begun, 1);
}

static void log_end(void *arg, uint64_t ask_id)
{
	struct fixture *f = arg;
	assert_true(ask_id != 0);
	atomic_fetch_add(&f->ended, 1);
}

static enum err_code log_flush(void *arg, struct error *reterr)
{
	struct fixture *f = arg;
	if (atomic_load(&f->flush_fails) > 0) {
		atomic_fetch_sub(&f->flush_fails, 1);
		return error_set(reterr, ERR_IO, "no space left");
	}
	return ERR_OK;
}

static void start_threads(struct fixture *f)
{
	struct error error;
	struct net_options net = { .inbox = f->inbox,
		                   .link = f->link,
		                   .outbox = f->outbox_ring,
		                   .score = f->score_ring,
		                   .host = f->host,
		                   .rules = &f->rules,
		                   .ask_log = { f, log_begin, log_end, log_flush },
		                   .seed = 1 };
	struct outbox_thread_options outbox = { f->outbox, f->outbox_ring, f->link, &f->inbox, 1, NULL, 0 };
	struct score_options score = { f->score_ring, f->link, &f->inbox, 1, 1 };
	assert_ok(outbox_thread_start(&outbox, &f->outbox_thread, &error), &error);
	assert_ok(score_threads_start(&score, &f->score, &error), &error);
	assert_ok(net_start(&net, &f->net, &error), &error);
}

static int setup(void **state)
{
	struct fixture *f = mem_new(1, sizeof(*f));
	struct error error;
	json_start();
	assert_ok(keys_init(&error), &error);
	f->dir = fs_path("/tmp/assay-net-%016llx", (unsigned long long)keys_random_u64());
	assert_ok(outbox_open(f->dir.text, clock_now_ms(), &f->outbox, &error), &error);
	struct ring **rings[] = { &f->inbox, &f->link, &f->outbox_ring, &f->score_ring, &f->host };
	for (size_t i = 0; i < ARRAY_LEN(rings); i++)
		assert_ok(ring_new(20000, rings[i], &error), &error);
	f->allowed[0] = STR("*");
	f->alias = (struct rules_alias){ STR("k"), STR("sk-test-key-123456") };
	f->command = (struct rules_command){ .name = STR("smol"), .path = "/x", .hosted = true };
	f->rules = (struct rules){ .aliases = &f->alias,
		                   .alias_count = 1,
		                   .allowed_hosts = f->allowed,
		                   .allowed_host_count = 1,
		                   .allow_private = true,
		                   .commands = &f->command,
		                   .command_count = 1 };
	*state = f;
	return 0;
}

static void free_ring(struct ring *r)
{
	void *mail;
	while (ring_pop_all(r, &mail, 1) == 1)
		mail_free(mail);
	ring_free(r);
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	struct error error;
	struct ring *rings[] = { f->score_ring, f->inbox, f->outbox_ring, f->link, f->host };
	ring_close(f->score_ring);
	score_threads_join(f->score);
	ring_close(f->inbox);
	net_join(f->net);
	ring_close(f->outbox_ring);
	outbox_thread_join(f->outbox_thread);
	outbox_close(f->outbox);
	for (size_t i = 0; i < ARRAY_LEN(rings); i++)
		free_ring(rings[i]);
	process_free(f->endpoint);
	assert_ok(fs_remove_tree(f->dir.text, &error), &error);
	mem_free(f);
	return 0;
}

/* ---- samples ---- */

struct model {
	const char *name, *base_url, *extra; /* extra: more members, with a comma before */
};

static uint64_t start_sample(struct fixture *f, struct model m, uint32_t attempts)
{
	char json[1000];
	(void)snprintf(
		json, sizeof(json),
		"{\"model\":{\"name\":\"%s\",\"provider\":\"openai\"%s%s%s%s},\"generate\":{\"prompt\":\"{{input}}\"},"
		"\"scores\":[{\"name\":\"c\",\"type\":\"exact\"}],\"suite_items\":1000000}",
		m.name, m.base_url ? ",\"base_url\":\"" : "", m.base_url ? m.base_url : "", m.base_url ? "\"" : "",
		m.extra ? m.extra : "");
	struct mail *start;
	char item[100];
	uint64_t id = ++f->next_id;
	(void)snprintf(item, sizeof(item), "{\"id\":\"i\",\"input\":\"say [[yes]] %llu\",\"target\":\"yes\"}",
	               (unsigned long long)id);
	start = mail_new_texts(MAIL_START, str_from(item), STR(""), STR(""));
	start->sample_id = id;
	start->context = exec_context_new(hash_of(str_from(json)), str_from(json));
	start->start.key = (struct exec_key){ 1, id, 0, 0 };
	start->start.attempts_left = attempts;
	start->start.time_left_ms = 60000;
	assert_true(ring_try_push(f->inbox, start));
	return id;
}

/* The next mail of the kind; TURNED and others are passed over. */
static struct mail *expect(struct fixture *f, struct ring *r, enum mail_kind kind)
{
	(void)f;
	uint64_t until_ms = clock_now_ms() + LIMIT_MS;
	while (clock_now_ms() < until_ms) {
		void *mail;
		if (ring_pop_wait(r, &mail, 1, 100) == 0)
			continue;
		struct mail *m = mail;
		if (m->kind == kind)
			return m;
		mail_free(m);
	}
	fail_msg("no mail %d came", (int)kind);
	return NULL;
}

static struct msg_record *outcome_of(struct fixture *f, struct model m, struct mail **ret_mail)
{
	start_sample(f, m, 1);
	*ret_mail = expect(f, f->link, MAIL_RECORD);
	return &(*ret_mail)->record->m;
}

static void an_answer_becomes_a_scored_result(void **state)
{
	struct fixture *f = *state;
	struct mail *mail;
	start_endpoint(f, NULL);
	start_threads(f);
	struct msg_record *r = outcome_of(f, (struct model){ "m", f->base_url, NULL }, &mail);
	assert_int_equal(r->kind, RECORD_RESULT);
	assert_int_equal(r->outcome, OUTCOME_SCORED);
	assert_str_equal_c(r->answer, "yes");
	assert_true(r->scores[0].value == 1.0);
	assert_str_equal_c(r->fingerprint, "fp-tests");
	assert_true(r->record_no > 0 && r->at_ms > 1600000000000);
	mail_free(mail);
	assert_int_equal(count_of(f, "paid"), 1);
	assert_int_equal(atomic_load(&f->begun), 1);
}

static void every_fault_ends_in_its_class_with_the_evidence(void **state)
{
	static const struct {
		const char *model;
		enum error_class class;
	} cases[] = {
		{ "bad-400", CLASS_BAD_REQUEST },
		{ "bad-401", CLASS_AUTH },
		{ "bad-404", CLASS_NOT_FOUND },
		{ "bad-429", CLASS_RATE_LIMITED },
		{ "bad-quota", CLASS_QUOTA },
		{ "bad-500", CLASS_SERVER },
		{ "bad-context", CLASS_CONTEXT_OVERFLOW },
		{ "bad-empty-choices", CLASS_MALFORMED },
		{ "bad-cut", CLASS_MALFORMED },
		{ "bad-html", CLASS_MALFORMED },
		{ "bad-huge", CLASS_TOO_LARGE },
		{ "bad-close", CLASS_CONNECT },
	};
	struct fixture *f = *state;
	start_endpoint(f, NULL);
	start_threads(f);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct mail *mail;
		struct msg_record *r = outcome_of(f, (struct model){ cases[i].model, f->base_url, NULL }, &mail);
		if (r->error_class != cases[i].class)
			fail_msg("%s gave %s", cases[i].model, error_class_name(r->error_class));
		assert_true(r->given_up && r->evidence.len > 0);
		if (r->error_class == CLASS_TOO_LARGE)
			assert_true(str_find(r->evidence, STR("over 480 KiB")) >= 0);
		mail_free(mail);
	}
}

static void odd_bytes_are_answers_all_the_same(void **state)
{
	static const char *const models[] = { "bad-nul", "bad-half-pair", "bad-bytes" };
	struct fixture *f = *state;
	start_endpoint(f, NULL);
	start_threads(f);
	for (size_t i = 0; i < ARRAY_LEN(models); i++) {
		struct mail *mail;
		struct msg_record *r = outcome_of(f, (struct model){ models[i], f->base_url, NULL }, &mail);
		assert_int_equal(r->outcome, OUTCOME_SCORED);
		mail_free(mail);
	}
}

static void a_refused_connection_is_retried_then_given_up(void **state)
{
	struct fixture *f = *state;
	start_threads(f);
	start_sample(f, (struct model){ "m", "http://127.0.0.1:1/v1", NULL }, 2);
	struct mail *ended = expect(f, f->link, MAIL_ASK_ENDED);
	assert_true(ended->ended.waits);
	struct mail *resume = mail_new(MAIL_RESUME);
	resume->sample_id = ended->sample_id;
	mail_free(ended);
	assert_true(ring_try_push(f->inbox, resume));
	struct mail *record = expect(f, f->link, MAIL_RECORD);
	while (!record->record->m.given_up) {
		mail_free(record);
		record = expect(f, f->link, MAIL_RECORD);
	}
	assert_int_equal(record->record->m.error_class, CLASS_CONNECT);
	assert_int_equal(record->record->m.attempt_count, 2);
	mail_free(record);
}

static void the_key_goes_with_the_request_and_nowhere_else(void **state)
{
	struct fixture *f = *state;
	struct mail *mail;
	start_endpoint(f, "sk-test-key-123456");
	start_threads(f);
	struct msg_record *r = outcome_of(f, (struct model){ "m", f->base_url, ",\"key\":\"k\"" }, &mail);
	assert_int_equal(r->outcome, OUTCOME_SCORED);
	assert_true(str_find(r->request, STR("sk-test")) < 0);
	mail_free(mail);
	r = outcome_of(f, (struct model){ "m", f->base_url, NULL }, &mail); /* without an alias there is no key */
	assert_int_equal(r->error_class, CLASS_AUTH);
	mail_free(mail);
}

/* A provider that repeats the key: "[[...]]" in the prompt makes the endpoint answer with it. */
static void a_key_that_comes_back_is_wiped_from_every_text(void **state)
{
	struct fixture *f = *state;
	start_endpoint(f, NULL);
	f->alias.secret = STR("yes-it-is-the-key");
	start_threads(f);
	struct mail *start;
	start_sample(f, (struct model){ "m", f->base_url, NULL }, 1);
	mail_free(expect(f, f->link, MAIL_RECORD));
	char json[600];
	(void)snprintf(json, sizeof(json),
	               "{\"model\":{\"name\":\"m\",\"provider\":\"openai\",\"base_url\":\"%s\"},"
	               "\"generate\":{\"prompt\":\"[[yes-it-is-the-key]]\"},"
	               "\"scores\":[{\"name\":\"c\",\"type\":\"exact\"}],\"suite_items\":1}",
	               f->base_url);
	start = mail_new_texts(MAIL_START, STR("{\"id\":\"i\",\"input\":\"x\",\"target\":\"y\"}"), STR(""), STR(""));
	start->sample_id = ++f->next_id;
	start->context = exec_context_new(hash_of(str_from(json)), str_from(json));
	start->start.attempts_left = 1;
	assert_true(ring_try_push(f->inbox, start));
	struct mail *mail = expect(f, f->link, MAIL_RECORD);
	const struct msg_record *r = &mail->record->m;
	assert_int_equal(r->kind, RECORD_RESULT);
	assert_true(str_find(r->response, STR("yes-it-is")) < 0);
	assert_true(str_find(r->answer, STR("yes-it-is")) < 0);
	mail_free(mail);
}

static void what_worker_yaml_does_not_allow_is_denied_before_a_byte_leaves(void **state)
{
	struct fixture *f = *state;
	struct mail *mail;
	start_endpoint(f, NULL);
	f->allowed[0] = STR("api.example.com");
	start_threads(f);
	struct msg_record *r = outcome_of(f, (struct model){ "m", f->base_url, NULL }, &mail);
	assert_int_equal(r->error_class, CLASS_NOT_ALLOWED);
	assert_true(str_find(r->evidence, STR("allowed_hosts")) >= 0);
	mail_free(mail);
	r = outcome_of(f, (struct model){ "m", "https://api.example.com", ",\"key\":\"other\"" }, &mail);
	assert_int_equal(r->error_class, CLASS_NOT_ALLOWED);
	assert_true(str_find(r->evidence, STR("alias")) >= 0);
	mail_free(mail);
	r = outcome_of(f, (struct model){ "m", NULL, ",\"host\":{\"command\":\"sh\"}" }, &mail);
	assert_int_equal(r->error_class, CLASS_NOT_ALLOWED);
	mail_free(mail);
	assert_int_equal(count_of(f, "asked"), 0);
	assert_int_equal(atomic_load(&f->begun), 0);
}

static void a_private_address_is_refused_unless_it_is_listed(void **state)
{
	struct fixture *f = *state;
	struct mail *mail;
	start_endpoint(f, NULL);
	f->rules.allow_private = false;
	start_threads(f);
	struct msg_record *r = outcome_of(f, (struct model){ "m", f->base_url, NULL }, &mail);
	assert_int_equal(r->error_class, CLASS_NOT_ALLOWED);
	mail_free(mail);
	assert_int_equal(count_of(f, "asked"), 0);
}

static void a_cancelled_ask_ends_at_once_as_abandoned(void **state)
{
	struct fixture *f = *state;
	start_endpoint(f, NULL);
	start_threads(f);
	uint64_t id = start_sample(f, (struct model){ "bad-hang", f->base_url, NULL }, 3);
	while (count_of(f, "asked") == 0)
		;
	struct mail *cancel = mail_new(MAIL_CANCEL);
	cancel->sample_id = id;
	assert_true(ring_try_push(f->inbox, cancel));
	struct mail *mail = expect(f, f->link, MAIL_RECORD);
	assert_int_equal(mail->record->m.error_class, CLASS_ABANDONED);
	assert_true(mail->record->m.given_up);
	mail_free(mail);
}

static void nothing_is_asked_before_the_ask_log_is_written(void **state)
{
	struct fixture *f = *state;
	struct mail *mail;
	start_endpoint(f, NULL);
	atomic_store(&f->flush_fails, 1);
	start_threads(f);
	while (atomic_load(&f->flush_fails) > 0) /* also a turn without asks flushes */
		;
	atomic_store(&f->flush_fails, 1);
	uint64_t from_ms = clock_now_ms();
	struct msg_record *r = outcome_of(f, (struct model){ "m", f->base_url, NULL }, &mail);
	assert_int_equal(r->outcome, OUTCOME_SCORED);
	assert_true(clock_now_ms() - from_ms >= 900); /* tried again after a second */
	mail_free(mail);
	assert_int_equal(count_of(f, "asked"), 1);
	assert_int_equal(atomic_load(&f->begun), 1); /* noted once */
}

static void push_host(struct fixture *f, const char *base_url, const char *text, bool failed)
{
	struct mail *m = mail_new_texts(MAIL_HOST, STR("smol"), str_from(base_url), str_from(text));
	m->host.failed = failed;
	assert_true(ring_try_push(f->inbox, m));
}

static void a_sample_of_a_hosted_model_waits_for_its_server(void **state)
{
	struct fixture *f = *state;
	static const struct model hosted = {
		"m", NULL, ",\"host\":{\"command\":\"smol\",\"health\":\"/h\",\"ready_s\":7,\"slots\":3}"
	};
	start_endpoint(f, NULL);
	start_threads(f);
	start_sample(f, hosted, 2);
	struct mail *wanted = expect(f, f->host, MAIL_HOST_WANTED);
	assert_str_equal_c(wanted->text, "smol");
	assert_str_equal_c(wanted->text2, "/h");
	assert_int_equal(wanted->host.ready_ms, 7000);
	assert_int_equal(wanted->host.slots, 3);
	mail_free(wanted);
	push_host(f, f->base_url, "smol:abc", false);
	struct mail *mail = expect(f, f->link, MAIL_RECORD);
	assert_int_equal(mail->record->m.outcome, OUTCOME_SCORED);
	assert_str_equal_c(mail->record->m.fingerprint, "smol:abc fp-tests");
	mail_free(mail);

	push_host(f, "", "it ended", true);
	start_sample(f, hosted, 1);
	mail_free(expect(f, f->host, MAIL_HOST_WANTED));
	push_host(f, "", "it was not ready", true);
	mail = expect(f, f->link, MAIL_RECORD);
	assert_int_equal(mail->record->m.error_class, CLASS_HOST_FAILED);
	assert_str_equal_c(mail->record->m.evidence, "it was not ready");
	mail_free(mail);

	uint64_t id = start_sample(f, hosted, 3); /* given up while it waits */
	mail_free(expect(f, f->host, MAIL_HOST_WANTED));
	struct mail *cancel = mail_new(MAIL_CANCEL);
	cancel->sample_id = id;
	assert_true(ring_try_push(f->inbox, cancel));
	mail = expect(f, f->link, MAIL_RECORD);
	assert_int_equal(mail->record->m.error_class, CLASS_ABANDONED);
	assert_true(mail->record->m.given_up);
	mail_free(mail);
}

static void a_thousand_samples_are_each_answered_once(void **state)
{
	struct fixture *f = *state;
	start_endpoint(f, NULL);
	start_threads(f);
	for (int i = 0; i < 1000; i++)
		start_sample(f, (struct model){ "m", f->base_url, NULL }, 1);
	for (int i = 0; i < 1000; i++)
		mail_free(expect(f, f->link, MAIL_RECORD));
	assert_int_equal(count_of(f, "paid"), 1000);
	assert_int_equal(count_of(f, "twice"), 0);
	assert_int_equal(atomic_load(&f->begun), 1000);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(an_answer_becomes_a_scored_result),
		TEST(every_fault_ends_in_its_class_with_the_evidence),
		TEST(odd_bytes_are_answers_all_the_same),
		TEST(a_refused_connection_is_retried_then_given_up),
		TEST(the_key_goes_with_the_request_and_nowhere_else),
		TEST(a_key_that_comes_back_is_wiped_from_every_text),
		TEST(what_worker_yaml_does_not_allow_is_denied_before_a_byte_leaves),
		TEST(a_private_address_is_refused_unless_it_is_listed),
		TEST(a_cancelled_ask_ends_at_once_as_abandoned),
		TEST(nothing_is_asked_before_the_ask_log_is_written),
		TEST(a_sample_of_a_hosted_model_waits_for_its_server),
		TEST(a_thousand_samples_are_each_answered_once),
	};
	return cmocka_run_group_tests_name("net", tests, NULL, NULL);
}
