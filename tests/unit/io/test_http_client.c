/* Goal: every request comes back exactly once, with the right class, inside its limits; nothing is asked twice. */
#include "common/base/buf.h"
#include "common/io/clock.h"
#include "common/io/http_address.h"
#include "common/io/http_client.h"
#include "tests/support/cmocka_all.h"
#include "tests/unit/io/http_server.h"
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct fixture {
	struct http_server *server;
	struct http_client *client;
	int wake_fd;
	char url[128];
};

static int setup(void **state)
{
	static struct fixture f;
	struct error error;
	f.server = http_server_start(NULL);
	f.wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	assert_ok(http_client_new(&(struct http_client_options){ .wake_fd = f.wake_fd }, &f.client, &error), &error);
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	http_client_free(f->client);
	http_server_stop(f->server);
	close(f->wake_fd);
	return 0;
}

static struct http_request request_of(struct fixture *f, const char *path)
{
	snprintf(f->url, sizeof(f->url), "http://127.0.0.1:%d%s", http_server_port(f->server), path);
	return (struct http_request){ .url = f->url, .timeout_ms = 5000, .response_bytes_max = 1 << 20 };
}

static void start(struct fixture *f, uint64_t tag, struct http_request request)
{
	struct error error;
	assert_ok(http_client_start(f->client, tag, &request, &error), &error);
}

static struct http_done wait_one(struct fixture *f)
{
	struct http_done done;
	struct error error;
	size_t count = 0;
	while (count == 0)
		assert_ok(http_client_poll(f->client, 10000, &done, 1, &count, &error), &error);
	return done;
}

static struct http_done ask(struct fixture *f, struct http_request request)
{
	start(f, 7, request);
	struct http_done done = wait_one(f);
	assert_int_equal(done.tag, 7);
	assert_int_equal(http_client_in_flight(f->client), 0);
	return done;
}

static void expect_class(const struct http_done *d, enum http_class class, enum err_code err, bool sent)
{
	if (d->class != class || d->err != err || d->sent != sent)
		fail_msg("got %s/%s sent %d (%s), wanted %s/%s sent %d", http_class_name(d->class),
		         error_code_name(d->err), d->sent, d->text, http_class_name(class), error_code_name(err), sent);
}

static void a_get_brings_status_headers_and_body(void **state)
{
	struct fixture *f = *state;
	struct http_done d = ask(f, request_of(f, "/ok"));
	expect_class(&d, HTTP_OK, ERR_OK, true);
	assert_int_equal(d.status, 200);
	assert_str_equal_c(d.body, "hello");
	assert_str_equal_c(http_header(&d, "x-test"), "a value");
	assert_null(http_header(&d, "x-none").data);
	assert_true(d.first_byte_ms >= 1);
	http_done_free(&d);
}

static void a_post_sends_its_body_once_and_no_header_that_nobody_asked_for(void **state)
{
	struct fixture *f = *state;
	const char *const headers[] = { "Authorization: Bearer k", "Content-Type: application/json", NULL };
	struct http_request r = request_of(f, "/echo");
	static char body[1500000]; /* from a megabyte on curl would like to ask first: Expect */
	memset(body, 'b', sizeof(body));
	r.headers = headers;
	r.body = str_make(body, 200000);
	struct http_done d = ask(f, r);
	expect_class(&d, HTTP_OK, ERR_OK, true);
	assert_str_equal(d.body, r.body);
	http_done_free(&d);
	r = request_of(f, "/head");
	r.headers = headers;
	r.body = str_make(body, sizeof(body));
	d = ask(f, r);
	assert_true(str_starts(d.body, STR("POST /head HTTP/1.1\r\n")));
	assert_true(str_find(d.body, STR("Authorization: Bearer k\r\n")) > 0);
	assert_true(str_find(d.body, STR("application/json")) > 0);
	assert_true(str_find(d.body, STR("urlencoded")) < 0);
	assert_true(str_find(d.body, STR("Expect")) < 0);
	http_done_free(&d);
	struct http_request get = request_of(f, "/head"); /* the same handle, with nothing left of the POST */
	d = ask(f, get);
	assert_true(str_starts(d.body, STR("GET /head HTTP/1.1\r\n")));
	assert_true(str_find(d.body, STR("Authorization")) < 0);
	http_done_free(&d);
	get = request_of(f, "/head");
	get.method = "DELETE";
	d = ask(f, get);
	assert_true(str_starts(d.body, STR("DELETE /head HTTP/1.1\r\n")));
	http_done_free(&d);
	assert_int_equal(http_server_requests(f->server), 4);
	assert_int_equal(http_server_connections(f->server), 1);
}

static void an_error_status_is_an_answer(void **state)
{
	struct fixture *f = *state;
	struct http_done d = ask(f, request_of(f, "/status/500"));
	expect_class(&d, HTTP_OK, ERR_OK, true);
	assert_int_equal(d.status, 500);
	assert_str_equal_c(d.body, "{\"error\":\"x\"}");
	http_done_free(&d);
}

static void a_redirect_is_not_followed(void **state)
{
	struct fixture *f = *state;
	struct http_done d = ask(f, request_of(f, "/redirect"));
	assert_int_equal(d.status, 302);
	assert_str_equal_c(http_header(&d, "Location"), "/ok");
	assert_int_equal(http_server_requests(f->server), 1);
	http_done_free(&d);
}

static void interim_answers_and_trailers_leave_no_trace(void **state)
{
	struct fixture *f = *state;
	struct http_done d = ask(f, request_of(f, "/interim"));
	expect_class(&d, HTTP_OK, ERR_OK, true);
	assert_str_equal_c(d.body, "body");
	assert_str_equal_c(http_header(&d, "X-Final"), "yes");
	assert_null(http_header(&d, "X-Interim").data);
	assert_null(http_header(&d, "X-Trailer").data);
	http_done_free(&d);
}

static void a_body_over_its_limit_is_cut_off(void **state)
{
	struct fixture *f = *state;
	static const char *const paths[] = { "/big/20000", "/chunks/20000" };
	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		struct http_request r = request_of(f, paths[i]);
		r.response_bytes_max = 19999;
		struct http_done d = ask(f, r);
		expect_class(&d, HTTP_TOO_LARGE, ERR_LIMIT, true);
		assert_true(d.body.len <= 19999);
		http_done_free(&d);
		r.response_bytes_max = 20000;
		d = ask(f, r);
		expect_class(&d, HTTP_OK, ERR_OK, true);
		assert_int_equal(d.body.len, 20000);
		http_done_free(&d);
	}
}

static void headers_over_their_limit_are_cut_off(void **state)
{
	struct fixture *f = *state;
	struct http_request r = request_of(f, "/headers/100");
	r.header_bytes_max = 5000;
	struct http_done d = ask(f, r);
	expect_class(&d, HTTP_TOO_LARGE, ERR_LIMIT, true);
	http_done_free(&d);
	d = ask(f, request_of(f, "/headers/100"));
	expect_class(&d, HTTP_OK, ERR_OK, true);
	assert_int_equal(http_header(&d, "X-Filler-0099").len, 86);
	http_done_free(&d);
}

static void a_connection_closed_before_during_or_instead_of_an_answer_is_told_apart(void **state)
{
	struct fixture *f = *state;
	struct http_done d = ask(f, request_of(f, "/close"));
	expect_class(&d, HTTP_CLOSED, ERR_CONNECT, true);
	assert_int_equal(d.status, 0);
	http_done_free(&d);
	d = ask(f, request_of(f, "/partial"));
	expect_class(&d, HTTP_PARTIAL, ERR_CONNECT, true);
	assert_str_equal_c(d.body, "only this");
	http_done_free(&d);
	d = ask(f, request_of(f, "/garbage"));
	expect_class(&d, HTTP_GARBAGE, ERR_CORRUPT, true);
	http_done_free(&d);
	d = ask(f, request_of(f, "/badchunk"));
	expect_class(&d, HTTP_GARBAGE, ERR_CORRUPT, true);
	http_done_free(&d);
}

static void a_refused_connection_says_so_and_nothing_was_sent(void **state)
{
	struct fixture *f = *state;
	struct http_request r = request_of(f, "/ok");
	r.url = "http://127.0.0.1:1/ok"; /* nobody listens on tcpmux here */
	struct http_done d = ask(f, r);
	expect_class(&d, HTTP_CONNECT, ERR_CONNECT, false);
	assert_non_null(strstr(d.text, "Connection refused"));
	http_done_free(&d);
	r.url = "http://no-such-host.invalid/";
	d = ask(f, r);
	expect_class(&d, HTTP_RESOLVE, ERR_CONNECT, false);
	http_done_free(&d);
}

static void a_plain_server_asked_for_tls_is_a_tls_failure(void **state)
{
	struct fixture *f = *state;
	struct http_request r = request_of(f, "/garbage");
	char url[64];
	snprintf(url, sizeof(url), "https://127.0.0.1:%d/", http_server_port(f->server));
	r.url = url;
	struct http_done d = ask(f, r);
	expect_class(&d, HTTP_TLS, ERR_CONNECT, false);
	http_done_free(&d);
}

static void each_time_limit_has_its_own_class(void **state)
{
	struct fixture *f = *state;
	struct http_request r = request_of(f, "/hang");
	r.timeout_ms = 100;
	struct http_done d = ask(f, r);
	expect_class(&d, HTTP_TIMEOUT_TOTAL, ERR_TIMEOUT, true);
	assert_in_range(d.elapsed_ms, 100, 1000);
	http_done_free(&d);
	r = request_of(f, "/hang");
	r.first_byte_timeout_ms = 100;
	d = ask(f, r);
	expect_class(&d, HTTP_TIMEOUT_FIRST_BYTE, ERR_TIMEOUT, true);
	assert_in_range(d.elapsed_ms, 100, 1000);
	http_done_free(&d);
	r = request_of(f, "/stall");
	r.stall_ms = 100;
	d = ask(f, r);
	expect_class(&d, HTTP_TIMEOUT_STALL, ERR_TIMEOUT, true);
	assert_int_equal(d.status, 200);
	assert_str_equal_c(d.body, "0");
	http_done_free(&d);
	r = request_of(f, "/drip/30");
	r.stall_ms = 100;
	d = ask(f, r);
	expect_class(&d, HTTP_OK, ERR_OK, true);
	http_done_free(&d);
	r.stall_bytes_min = 50;
	d = ask(f, r);
	expect_class(&d, HTTP_TIMEOUT_STALL, ERR_TIMEOUT, true);
	http_done_free(&d);
}

static void a_host_that_does_not_answer_the_knock_is_a_connect_timeout(void **state)
{
	struct fixture *f = *state;
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(in);
	int listener = socket(AF_INET, SOCK_STREAM, 0), fillers[3]; /* a full queue: the kernel drops the next SYN */
	assert_int_equal(bind(listener, (struct sockaddr *)&in, len), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&in, &len), 0);
	assert_int_equal(listen(listener, 0), 0);
	for (size_t i = 0; i < ARRAY_LEN(fillers); i++) {
		fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		(void)connect(fillers[i], (struct sockaddr *)&in, sizeof(in)); /* in progress */
	}
	char url[64];
	snprintf(url, sizeof(url), "http://127.0.0.1:%d/", ntohs(in.sin_port));
	struct http_request r = request_of(f, "/");
	r.url = url;
	r.connect_timeout_ms = 100;
	r.body = STR("{}");
	struct http_done d = ask(f, r);
	expect_class(&d, HTTP_TIMEOUT_CONNECT, ERR_TIMEOUT, false);
	assert_in_range(d.elapsed_ms, 100, 1000);
	http_done_free(&d);
	close(listener);
	for (size_t i = 0; i < ARRAY_LEN(fillers); i++)
		close(fillers[i]);
}

static void a_request_that_did_not_leave_whole_is_not_called_sent(void **state)
{
	struct fixture *f = *state;
	static char body[32 << 20];
	struct http_request r = request_of(f, "/deaf");
	r.body = str_make(body, sizeof(body));
	r.timeout_ms = 300;
	struct http_done d = ask(f, r);
	expect_class(&d, HTTP_TIMEOUT_TOTAL, ERR_TIMEOUT, false);
	http_done_free(&d);
}

static void a_kept_connection_that_closes_on_a_post_does_not_repeat_it(void **state)
{
	struct fixture *f = *state;
	struct http_request r = request_of(f, "/second");
	r.body = STR("{}");
	struct http_done d = ask(f, r);
	expect_class(&d, HTTP_OK, ERR_OK, true);
	http_done_free(&d);
	d = ask(f, r);
	expect_class(&d, HTTP_CLOSED, ERR_CONNECT, true);
	http_done_free(&d);
	assert_int_equal(http_server_requests(f->server), 2);
}

static void a_post_on_a_kept_connection_of_a_server_that_then_dies_had_been_sent(void **state)
{
	struct fixture *f = *state;
	struct http_request r = request_of(f, "/gone");
	r.body = STR("{}");
	struct http_done d = ask(f, r);
	expect_class(&d, HTTP_OK, ERR_OK, true);
	http_done_free(&d);
	d = ask(f, r); /* libcurl tries a new connection, which is refused: but the first one had the request */
	expect_class(&d, HTTP_CLOSED, ERR_CONNECT, true);
	http_done_free(&d);
	d = ask(f, r);
	expect_class(&d, HTTP_CONNECT, ERR_CONNECT, false);
	http_done_free(&d);
	assert_int_equal(http_server_requests(f->server), 2);
}

static void a_kept_connection_that_closes_on_a_get_is_replaced(void **state)
{
	struct fixture *f = *state;
	for (int i = 0; i < 2; i++) {
		struct http_done d = ask(f, request_of(f, "/second"));
		expect_class(&d, HTTP_OK, ERR_OK, true);
		http_done_free(&d);
	}
	assert_int_equal(http_server_requests(f->server), 3);
	assert_int_equal(http_server_connections(f->server), 2);
}

static void a_connection_closed_while_it_rests_is_replaced_without_a_failure(void **state)
{
	struct fixture *f = *state;
	for (int i = 0; i < 3; i++) {
		struct http_request r = request_of(f, "/echo");
		r.body = STR("x");
		struct http_done d = ask(f, r);
		expect_class(&d, HTTP_OK, ERR_OK, true);
		http_done_free(&d);
		http_server_stop(f->server); /* its connections end; the next server is another one */
		f->server = http_server_start(NULL);
		size_t count;
		struct error error;
		assert_ok(http_client_poll(f->client, 0, &d, 1, &count, &error), &error);
		assert_int_equal(count, 0);
	}
}

static void cancelled_requests_come_back_as_such(void **state)
{
	struct fixture *f = *state;
	start(f, 1, request_of(f, "/hang"));
	start(f, 2, request_of(f, "/ok"));
	assert_false(http_client_cancel(f->client, 3));
	assert_true(http_client_cancel(f->client, 1));
	bool seen[3] = { false };
	for (int i = 0; i < 2; i++) {
		struct http_done d = wait_one(f);
		assert_true(d.tag == 1 || d.tag == 2);
		assert_false(seen[d.tag]);
		seen[d.tag] = true;
		assert_int_equal(d.class, d.tag == 1 ? HTTP_CANCELLED : HTTP_OK);
		http_done_free(&d);
	}
	assert_false(http_client_cancel(f->client, 1));
}

static bool collect(void *arg, struct str bytes)
{
	struct buf *b = arg;
	return buf_append_str(b, bytes);
}

static void a_streamed_body_goes_to_its_taker_who_may_stop_it(void **state)
{
	struct fixture *f = *state;
	struct buf got;
	buf_init(&got, 20);
	struct http_request r = request_of(f, "/drip/5");
	r.on_bytes = collect;
	r.arg = &got;
	struct http_done d = ask(f, r);
	expect_class(&d, HTTP_OK, ERR_OK, true);
	assert_str_equal_c(buf_str(&got), "0123456789");
	assert_int_equal(d.body.len, 0);
	assert_str_equal_c(http_header(&d, "X-Test"), "a value");
	http_done_free(&d);
	r = request_of(f, "/big/100");
	r.on_bytes = collect;
	r.arg = &got;
	d = ask(f, r);
	expect_class(&d, HTTP_CANCELLED, ERR_CANCELLED, true);
	http_done_free(&d);
	buf_done(&got);
}

static void private_addresses_are_refused_when_the_rules_say_so(void **state)
{
	struct fixture *f = *state;
	struct http_request r = request_of(f, "/ok");
	r.refuse_private = true;
	struct http_done d = ask(f, r);
	expect_class(&d, HTTP_DENIED, ERR_DENIED, false);
	assert_int_equal(http_server_connections(f->server), 0);
	http_done_free(&d);
	char url[64];
	snprintf(url, sizeof(url), "http://localhost:%d/ok", http_server_port(f->server)); /* by name, too */
	r.url = url;
	d = ask(f, r);
	expect_class(&d, HTTP_DENIED, ERR_DENIED, false);
	http_done_free(&d);
}

static void addresses_are_sorted_into_private_and_public(void **state)
{
	static const struct {
		const char *text;
		bool is_private;
	} cases[] = {
		{ "8.8.8.8", false },
		{ "1.1.1.1", false },
		{ "172.15.0.1", false },
		{ "172.32.0.1", false },
		{ "100.63.0.1", false },
		{ "100.128.0.1", false },
		{ "192.167.0.1", false },
		{ "223.255.255.1", false },
		{ "127.0.0.1", true },
		{ "0.0.0.0", true },
		{ "10.1.2.3", true },
		{ "172.16.0.1", true },
		{ "172.31.255.1", true },
		{ "192.168.1.1", true },
		{ "169.254.169.254", true },
		{ "100.64.0.1", true },
		{ "224.0.0.1", true },
		{ "255.255.255.255", true },
		{ "198.18.0.1", true },
		{ "192.0.2.1", true },
		{ "::", true },
		{ "::1", true },
		{ "fe80::1", true },
		{ "fd00:ec2::254", true },
		{ "ff02::1", true },
		{ "::ffff:127.0.0.1", true },
		{ "::ffff:8.8.8.8", false },
		{ "64:ff9b::a00:1", true },
		{ "2002:a00:1::", true },
		{ "2606:4700::1", false },
		{ "2001:db8::1", true },
		{ "2001:4860::1", false },
		{ "::a00:1", true },
		{ "64:ff9b:1::1", true },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct sockaddr_in in = { .sin_family = AF_INET };
		struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
		bool is4 = inet_pton(AF_INET, cases[i].text, &in.sin_addr) == 1;
		if (!is4)
			assert_int_equal(inet_pton(AF_INET6, cases[i].text, &in6.sin6_addr), 1);
		bool got = is4 ? http_address_is_private((const struct sockaddr *)&in, sizeof(in))
		               : http_address_is_private((const struct sockaddr *)&in6, sizeof(in6));
		if (got != cases[i].is_private)
			fail_msg("%s", cases[i].text);
	}
}

static void a_request_without_limits_or_with_a_broken_header_is_refused_without_showing_it(void **state)
{
	struct fixture *f = *state;
	struct error error;
	struct http_request good = request_of(f, "/ok"), r = good;
	r.timeout_ms = 0;
	assert_int_equal(http_client_start(f->client, 1, &r, &error), ERR_INVALID);
	r = good;
	r.response_bytes_max = 0;
	assert_int_equal(http_client_start(f->client, 1, &r, &error), ERR_INVALID);
	r = good;
	r.url = "file:///etc/passwd";
	assert_int_equal(http_client_start(f->client, 1, &r, &error), ERR_INVALID);
	const char *const headers[] = { "Authorization: Bearer sk-1\r\nX: y", NULL };
	r = good;
	r.headers = headers;
	assert_int_equal(http_client_start(f->client, 1, &r, &error), ERR_INVALID);
	assert_null(strstr(error.text, "sk-1"));
	assert_int_equal(http_client_in_flight(f->client), 0);
}

static void hundreds_in_parallel_all_come_back_once(void **state)
{
	enum { COUNT = 500 };
	struct fixture *f = *state;
	static bool seen[COUNT];
	memset(seen, 0, sizeof(seen));
	for (uint64_t i = 0; i < COUNT; i++) {
		char path[32];
		snprintf(path, sizeof(path), i % 10 == 9 ? "/close" : "/delay/%u", (unsigned)(i * 7 % 50));
		start(f, i, request_of(f, path));
	}
	assert_int_equal(http_client_in_flight(f->client), COUNT);
	for (size_t got = 0; got < COUNT;) {
		struct http_done done[64];
		size_t count;
		struct error error;
		assert_ok(http_client_poll(f->client, 10000, done, 64, &count, &error), &error);
		assert_true(count > 0);
		for (size_t i = 0; i < count; i++, got++) {
			assert_true(done[i].tag < COUNT && !seen[done[i].tag]);
			seen[done[i].tag] = true;
			if (done[i].class != (done[i].tag % 10 == 9 ? HTTP_CLOSED : HTTP_OK))
				fail_msg("request %d: %s %s", (int)done[i].tag, http_class_name(done[i].class),
				         done[i].text);
			http_done_free(&done[i]);
		}
	}
	assert_int_equal(http_server_requests(f->server), COUNT);
}

static void the_wake_descriptor_ends_a_poll(void **state)
{
	struct fixture *f = *state;
	struct http_done d;
	struct error error;
	size_t count = 1;
	uint64_t one = 1, before_ms = clock_now_ms();
	start(f, 1, request_of(f, "/hang"));
	assert_int_equal(write(f->wake_fd, &one, sizeof(one)), sizeof(one));
	assert_ok(http_client_poll(f->client, 10000, &d, 1, &count, &error), &error);
	assert_int_equal(count, 0);
	assert_true(clock_now_ms() - before_ms < 5000);
	assert_int_equal(read(f->wake_fd, &one, sizeof(one)), sizeof(one));
	assert_ok(http_client_poll(f->client, 20, &d, 1, &count, &error), &error); /* not readable: it takes its time */
	assert_int_equal(count, 0);
}

static void a_unix_socket_is_asked_like_any_host(void **state)
{
	struct fixture *f = *state;
	char folder[] = "/tmp/assay-http-XXXXXX", path[64];
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/s", folder);
	struct http_server *server = http_server_start(path);
	struct http_request r = request_of(f, "/ok");
	r.url = "http://local/ok";
	r.unix_socket_path = path;
	r.refuse_private = true;
	struct http_done d = ask(f, r);
	expect_class(&d, HTTP_OK, ERR_OK, true);
	http_done_free(&d);
	http_server_stop(server);
	unlink(path);
	rmdir(folder);
}

static void fetch_waits_keeps_its_connection_and_turns_failures_into_errors(void **state)
{
	struct fixture *f = *state;
	struct http_done d;
	struct error error;
	for (int i = 0; i < 5; i++) {
		struct http_request r = request_of(f, "/ok");
		assert_ok(http_client_fetch(f->client, &r, &d, &error), &error);
		assert_str_equal_c(d.body, "hello");
		http_done_free(&d);
	}
	assert_int_equal(http_server_connections(f->server), 1);
	struct http_request r = request_of(f, "/close");
	assert_int_equal(http_client_fetch(f->client, &r, &d, &error), ERR_CONNECT);
	assert_non_null(strstr(error.text, "closed before an answer"));
}

static void a_client_dropped_with_requests_in_flight_leaks_nothing(void **state)
{
	struct fixture *f = *state;
	struct error error;
	struct http_client *c;
	assert_ok(http_client_new(NULL, &c, &error), &error);
	for (uint64_t i = 0; i < 300; i++) {
		struct http_request r = request_of(f, "/hang");
		assert_ok(http_client_start(c, i, &r, &error), &error);
	}
	struct http_done d;
	size_t count;
	assert_ok(http_client_poll(c, 50, &d, 1, &count, &error), &error);
	assert_true(http_client_cancel(c, 5));
	http_client_free(c);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_get_brings_status_headers_and_body),
		TEST(a_post_sends_its_body_once_and_no_header_that_nobody_asked_for),
		TEST(an_error_status_is_an_answer),
		TEST(a_redirect_is_not_followed),
		TEST(interim_answers_and_trailers_leave_no_trace),
		TEST(a_body_over_its_limit_is_cut_off),
		TEST(headers_over_their_limit_are_cut_off),
		TEST(a_connection_closed_before_during_or_instead_of_an_answer_is_told_apart),
		TEST(a_refused_connection_says_so_and_nothing_was_sent),
		TEST(a_plain_server_asked_for_tls_is_a_tls_failure),
		TEST(each_time_limit_has_its_own_class),
		TEST(a_host_that_does_not_answer_the_knock_is_a_connect_timeout),
		TEST(a_request_that_did_not_leave_whole_is_not_called_sent),
		TEST(a_kept_connection_that_closes_on_a_post_does_not_repeat_it),
		TEST(a_post_on_a_kept_connection_of_a_server_that_then_dies_had_been_sent),
		TEST(a_kept_connection_that_closes_on_a_get_is_replaced),
		TEST(a_connection_closed_while_it_rests_is_replaced_without_a_failure),
		TEST(cancelled_requests_come_back_as_such),
		TEST(a_streamed_body_goes_to_its_taker_who_may_stop_it),
		TEST(private_addresses_are_refused_when_the_rules_say_so),
		TEST(addresses_are_sorted_into_private_and_public),
		TEST(a_request_without_limits_or_with_a_broken_header_is_refused_without_showing_it),
		TEST(hundreds_in_parallel_all_come_back_once),
		TEST(the_wake_descriptor_ends_a_poll),
		TEST(a_unix_socket_is_asked_like_any_host),
		TEST(fetch_waits_keeps_its_connection_and_turns_failures_into_errors),
		TEST(a_client_dropped_with_requests_in_flight_leaks_nothing),
	};
	return cmocka_run_group_tests_name("http_client", tests, NULL, NULL);
}
