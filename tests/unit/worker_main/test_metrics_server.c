/* Goal: whoever asks for the figures gets them, at a socket that is ours alone, and nobody can hold the others up. */
#include "common/io/fs.h"
#include "common/io/http_client.h"
#include "common/io/keys.h"
#include "tests/support/cmocka_all.h"
#include "worker/main/metrics_server.h"
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { LIMIT_MS = 20000 };

struct fixture {
	struct metrics *metrics;
	struct metrics_server *server;
	struct fs_path path;
};

static int setup(void **state)
{
	static struct fixture f;
	static const struct metrics_spec spec = { .name = "assay_worker_starts_total", .help = "Slots given" };
	struct error error;
	char where[FS_PATH_BYTES_MAX + 8];
	assert_ok(keys_init(&error), &error);
	f.metrics = metrics_new();
	metrics_add(metrics_one(f.metrics, &spec), 41);
	f.path = fs_path("/tmp/assay-metrics-%016llx", (unsigned long long)keys_random_u64());
	(void)snprintf(where, sizeof(where), "unix:%s", f.path.text);
	assert_ok(metrics_server_start(str_from(where), f.metrics, &f.server, &error), &error);
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	metrics_server_stop(f->server);
	assert_false(fs_exists(f->path.text));
	metrics_free(f->metrics);
	return 0;
}

static void expect_page(struct fixture *f, const char *url, int status, const char *words)
{
	struct http_client *c;
	struct http_done done;
	struct error error;
	struct http_request request = {
		.url = url, .timeout_ms = LIMIT_MS, .response_bytes_max = 1 << 20, .unix_socket_path = f->path.text
	};
	assert_ok(http_client_new(NULL, &c, &error), &error);
	assert_ok(http_client_fetch(c, &request, &done, &error), &error);
	assert_int_equal(done.status, status);
	if (str_find(done.body, str_from(words)) < 0)
		fail_msg("%s: no '%s' in '%.*s'", url, words, STR_ARG(done.body));
	http_done_free(&done);
	http_client_free(c);
}

static void figures_and_health_are_served_and_nothing_else(void **state)
{
	struct fixture *f = *state;
	expect_page(f, "http://worker/metrics", 200, "assay_worker_starts_total 41");
	expect_page(f, "http://worker/healthz", 200, "ok");
	expect_page(f, "http://worker/", 404, "/metrics");
}

static void the_socket_is_its_owners_alone(void **state)
{
	struct fixture *f = *state;
	struct stat s;
	assert_int_equal(stat(f->path.text, &s), 0);
	assert_int_equal(s.st_mode & 0777, 0600);
}

static void a_visitor_who_says_nothing_is_shown_out(void **state)
{
	struct fixture *f = *state;
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	memcpy(a.sun_path, f->path.text, MIN_OF(strlen(f->path.text), sizeof(a.sun_path) - 1));
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	expect_page(f, "http://worker/healthz", 200, "ok");
	char byte;
	assert_int_equal(read(fd, &byte, 1), 0);
	(void)close(fd);
}

static void expect_answer(struct fixture *f, const char *request, const char *beginning)
{
	struct buf out;
	buf_init(&out, 1 << 20);
	assert_true(metrics_server_answer(str_from(request), f->metrics, &out));
	if (!str_starts(buf_str(&out), str_from(beginning)))
		fail_msg("'%s' is answered '%.*s'", request, STR_ARG(buf_str(&out)));
	buf_done(&out);
}

static void what_is_no_request_for_a_page_is_refused(void **state)
{
	struct fixture *f = *state;
	expect_answer(f, "GET /metrics HTTP/1.1\r\n\r\n", "HTTP/1.1 200");
	expect_answer(f, "GET /metrics HTTP/1.0\r\n\r\n", "HTTP/1.1 200");
	expect_answer(f, "POST /metrics HTTP/1.1\r\n\r\n", "HTTP/1.1 405");
	expect_answer(f, "GET /metrics\r\n\r\n", "HTTP/1.1 400");
	expect_answer(f, "GET /metrics SSH-2.0\r\n\r\n", "HTTP/1.1 400");
	expect_answer(f, "\r\n\r\n", "HTTP/1.1 400");
	expect_answer(f, "", "HTTP/1.1 400");
}

static void an_address_that_is_none_is_refused(void **state)
{
	struct fixture *f = *state;
	static const char *const wrong[] = { "localhost",       "localhost:80", "127.0.0.1",
		                             "127.0.0.1:66000", "unix:",        "127.0.0.1:x" };
	struct metrics_server *s;
	struct error error;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		assert_int_equal(metrics_server_start(str_from(wrong[i]), f->metrics, &s, &error), ERR_INVALID);
	assert_int_equal(metrics_server_start(STR("unix:/nonexistent/socket"), f->metrics, &s, &error), ERR_IO);
	assert_ok(metrics_server_start(STR("127.0.0.1:0"), f->metrics, &s, &error), &error);
	metrics_server_stop(s);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(figures_and_health_are_served_and_nothing_else),
		TEST(the_socket_is_its_owners_alone),
		TEST(a_visitor_who_says_nothing_is_shown_out),
		TEST(what_is_no_request_for_a_page_is_refused),
		TEST(an_address_that_is_none_is_refused),
	};
	return cmocka_run_group_tests_name("worker metrics", tests, NULL, NULL);
}
