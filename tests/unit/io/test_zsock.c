/* Goal: real sockets with real keys: only known keys get in, each message says who sent it, every refusal is told. */
#include "common/base/mem.h"
#include "common/io/clock.h"
#include "common/io/thread.h"
#include "common/io/zsock.h"
#include "common/io/zsock_private.h"
#include "tests/support/cmocka_all.h"
#include "tests/support/stops.h"
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

enum { WAIT_MS = 10000 };

/* libzmq is not built for the thread sanitizer, which cannot see how its threads hand memory to each other. */
const char *__tsan_default_suppressions(void);
const char *__tsan_default_suppressions(void)
{
	return "called_from_lib:libzmq.so\nrace:libzmq.so\n";
}

struct fixture {
	struct zsock_context *context;
	struct zsock_zap *zap;
	struct keys_pair server, alice, bob;
	struct zsock *router, *monitor;
	char endpoint[128];
};

static struct zsock_zap_key entry(const struct keys_pair *pair, struct str name)
{
	return (struct zsock_zap_key){ pair->public_key, name };
}

static int setup(void **state)
{
	static struct fixture f;
	struct error error;
	struct buf endpoint;
	assert_ok(keys_init(&error), &error);
	keys_pair_new(&f.server);
	keys_pair_new(&f.alice);
	keys_pair_new(&f.bob);
	assert_ok(zsock_context_new(1, 1023, &f.context, &error), &error);
	assert_ok(zsock_zap_start(f.context, &f.zap, &error), &error);
	const struct zsock_zap_key keys[] = { entry(&f.alice, STR("alice")), entry(&f.bob, STR("bob")) };
	assert_ok(zsock_zap_allow(f.zap, keys, ARRAY_LEN(keys), &error), &error);
	struct zsock_options o = { .pair = &f.server, .queue_frames_max = 8 };
	assert_ok(zsock_router_new(f.context, &o, &f.router, &error), &error);
	assert_ok(zsock_monitor(f.router, &f.monitor, &error), &error);
	assert_ok(zsock_bind(f.router, "tcp://127.0.0.1:0", &error), &error);
	buf_init(&endpoint, sizeof(f.endpoint));
	assert_ok(zsock_endpoint(f.router, &endpoint, &error), &error);
	snprintf(f.endpoint, sizeof(f.endpoint), "%s", endpoint.data);
	buf_done(&endpoint);
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	zsock_close(f->router);
	zsock_zap_stop(f->zap);
	zsock_context_free(f->context);
	return 0;
}

static struct zsock *dealer(struct fixture *f, const struct keys_pair *pair, uint32_t frame_bytes_max)
{
	struct zsock *s;
	struct error error;
	struct zsock_options o = { .pair = pair,
		                   .server_key = f->server.public_key,
		                   .frame_bytes_max = frame_bytes_max,
		                   .queue_frames_max = 8,
		                   .reconnect_ms = 20,
		                   .reconnect_max_ms = 50 };
	assert_ok(zsock_dealer_new(f->context, &o, &s, &error), &error);
	return s;
}

static void connect_to(struct zsock *s, const char *endpoint)
{
	struct error error;
	assert_ok(zsock_connect(s, endpoint, &error), &error);
}

/* Readable (or writable) within the time? */
static bool ready(struct zsock *s, bool to_write, int timeout_ms)
{
	struct zsock_poll_item item = { .sock = s, .want_write = to_write };
	struct error error;
	uint64_t until_ms = clock_now_ms() + (uint64_t)timeout_ms, now_ms;
	while ((now_ms = clock_now_ms()) <= until_ms) {
		size_t count;
		assert_ok(zsock_poll(&item, 1, (int)(until_ms - now_ms), &count, &error), &error);
		if (to_write ? item.writable : item.readable)
			return true;
	}
	return false;
}

static void send_text(struct zsock *s, struct str to, const char *text)
{
	struct error error;
	if (to.len == 0)
		assert_true(ready(s, true, WAIT_MS)); /* a DEALER waits for its connection */
	assert_ok(zsock_send(s, to, str_from(text), &error), &error);
}

static struct zsock_message *receive(struct zsock *s)
{
	struct zsock_message *m;
	struct error error;
	if (!ready(s, false, WAIT_MS))
		fail_msg("nothing came");
	assert_ok(zsock_recv(s, &m, &error), &error);
	return m;
}

/* The next event of the kind, others skipped. */
static struct zsock_event await_event(struct zsock *monitor, enum zsock_event_kind kind)
{
	struct zsock_event e;
	for (;;) {
		if (!ready(monitor, false, WAIT_MS))
			fail_msg("event %d did not come", kind);
		while (zsock_monitor_next(monitor, &e))
			if (e.kind == kind)
				return e;
	}
}

static void a_message_goes_both_ways_and_carries_the_name_of_its_key(void **state)
{
	struct fixture *f = *state;
	struct zsock *a = dealer(f, &f->alice, 0), *b = dealer(f, &f->bob, 0);
	connect_to(a, f->endpoint);
	connect_to(b, f->endpoint);
	send_text(a, STR(""), "from a");
	send_text(b, STR(""), "from b");
	for (int i = 0; i < 2; i++) {
		struct zsock_message *m = receive(f->router);
		bool from_a = str_eq_c(m->body, "from a");
		assert_str_equal_c(m->user_id, from_a ? "alice" : "bob");
		assert_true(m->routing_id.len > 0 && !m->malformed);
		send_text(f->router, m->routing_id, from_a ? "to a" : "to b");
		zsock_message_free(m);
	}
	struct zsock_message *m = receive(a);
	assert_str_equal_c(m->body, "to a");
	assert_int_equal(m->routing_id.len + m->user_id.len, 0);
	zsock_message_free(m);
	m = receive(b);
	assert_str_equal_c(m->body, "to b");
	zsock_message_free(m);
	assert_int_equal(zsock_zap_accepted_count(f->zap), 2);
	zsock_close(a);
	zsock_close(b);
}

static void the_name_is_there_also_on_messages_that_a_poll_had_fetched(void **state)
{
	struct fixture *f = *state;
	struct zsock *a = dealer(f, &f->alice, 0);
	connect_to(a, f->endpoint);
	for (int i = 0; i < 5; i++)
		send_text(a, STR(""), "x");
	for (int i = 0; i < 5; i++) {
		struct zsock_message *m = receive(f->router);
		assert_str_equal_c(m->user_id, "alice");
		zsock_message_free(m);
	}
	zsock_close(a);
}

static void an_unknown_key_is_refused_counted_and_told_once(void **state)
{
	struct fixture *f = *state;
	struct keys_pair stranger;
	struct zsock *monitor;
	struct error error;
	keys_pair_new(&stranger);
	struct zsock_message *m;
	for (int i = 0; i < 2; i++) {
		struct zsock *s = dealer(f, &stranger, 0);
		assert_ok(zsock_monitor(s, &monitor, &error), &error);
		connect_to(s, f->endpoint);
		(void)await_event(monitor, ZSOCK_EVENT_REFUSED);
		(void)await_event(f->monitor, ZSOCK_EVENT_REFUSED);
		assert_int_equal(zsock_send(s, STR(""), STR("let me in"), &error), ERR_AGAIN);
		zsock_close(s);
	}
	assert_int_equal(zsock_recv(f->router, &m, &error), ERR_AGAIN);
	assert_int_equal(zsock_zap_refused_count(f->zap), 2);
	assert_int_equal(zsock_zap_accepted_count(f->zap), 0);
	struct zsock_zap_refusal refusals[4];
	char text[KEYS_TEXT_BYTES];
	keys_text(stranger.public_key.bytes, text);
	assert_int_equal(zsock_zap_refusals(f->zap, refusals, 4), 1);
	assert_string_equal(refusals[0].key, text);
	assert_string_equal(refusals[0].address, "127.0.0.1");
	assert_int_equal(zsock_zap_refusals(f->zap, refusals, 4), 0);
}

static void a_key_taken_off_the_list_keeps_its_connection_but_gets_no_new_one(void **state)
{
	struct fixture *f = *state;
	struct error error;
	struct zsock *old = dealer(f, &f->alice, 0), *fresh = dealer(f, &f->alice, 0), *monitor;
	connect_to(old, f->endpoint);
	send_text(old, STR(""), "one");
	zsock_message_free(receive(f->router));
	const struct zsock_zap_key only_bob[] = { entry(&f->bob, STR("bob")) };
	assert_ok(zsock_zap_allow(f->zap, only_bob, 1, &error), &error);
	assert_ok(zsock_monitor(fresh, &monitor, &error), &error);
	connect_to(fresh, f->endpoint);
	(void)await_event(monitor, ZSOCK_EVENT_REFUSED);
	send_text(old, STR(""), "two");
	struct zsock_message *m = receive(f->router);
	assert_str_equal_c(m->user_id, "alice");
	zsock_message_free(m);
	const struct zsock_zap_key again[] = { entry(&f->alice, STR("alice the second")) };
	assert_ok(zsock_zap_allow(f->zap, again, 1, &error), &error);
	zsock_close(fresh); /* libzmq 4.3.4 gives up for ever once it was refused */
	fresh = dealer(f, &f->alice, 0);
	connect_to(fresh, f->endpoint);
	send_text(fresh, STR(""), "three");
	m = receive(f->router);
	assert_str_equal_c(m->user_id, "alice the second");
	zsock_message_free(m);
	zsock_close(old);
	zsock_close(fresh);
}

static void a_name_that_zap_cannot_carry_is_refused_and_the_old_list_stays(void **state)
{
	struct fixture *f = *state;
	struct error error;
	char long_name[ZSOCK_USER_ID_BYTES_MAX + 1];
	memset(long_name, 'n', sizeof(long_name));
	const struct str bad[] = { STR(""), str_make(long_name, sizeof(long_name)), STR("a\0b") };
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		const struct zsock_zap_key keys[] = { entry(&f->bob, bad[i]) };
		assert_int_equal(zsock_zap_allow(f->zap, keys, 1, &error), ERR_INVALID);
	}
	const struct zsock_zap_key keys[] = { entry(&f->bob, str_make(long_name, ZSOCK_USER_ID_BYTES_MAX)) };
	struct zsock *a = dealer(f, &f->alice, 0), *b = dealer(f, &f->bob, 0);
	connect_to(a, f->endpoint);
	send_text(a, STR(""), "still in");
	zsock_message_free(receive(f->router));
	assert_ok(zsock_zap_allow(f->zap, keys, 1, &error), &error);
	connect_to(b, f->endpoint);
	send_text(b, STR(""), "long");
	struct zsock_message *m = receive(f->router);
	assert_str_equal(m->user_id, keys[0].name);
	zsock_message_free(m);
	zsock_close(a);
	zsock_close(b);
}

static void bind_anywhere(void *arg)
{
	struct error error;
	enum err_code err = zsock_bind(arg, "tcp://127.0.0.1:0", &error);
	(void)err; /* it does not come back */
}

static void a_router_without_a_zap_handler_does_not_bind(void **state)
{
	(void)state;
	struct zsock_context *c;
	struct zsock *s;
	struct keys_pair pair;
	struct error error;
	keys_pair_new(&pair);
	assert_ok(zsock_context_new(0, 0, &c, &error), &error);
	assert_ok(zsock_router_new(c, &(struct zsock_options){ .pair = &pair }, &s, &error), &error);
	assert_true(stops(bind_anywhere, s));
	zsock_close(s);
	zsock_context_free(c);
}

static void a_client_that_expects_another_server_never_gets_ready(void **state)
{
	struct fixture *f = *state;
	struct error error;
	struct zsock *s, *monitor;
	struct zsock_options o = { .pair = &f->alice, .server_key = f->bob.public_key, .reconnect_ms = 20 };
	assert_ok(zsock_dealer_new(f->context, &o, &s, &error), &error);
	assert_ok(zsock_monitor(s, &monitor, &error), &error);
	connect_to(s, f->endpoint);
	(void)await_event(f->monitor, ZSOCK_EVENT_NO_HANDSHAKE);
	assert_int_equal(zsock_send(s, STR(""), STR("x"), &error), ERR_AGAIN);
	zsock_close(s);
}

static void sending_to_nobody_is_a_connect_error(void **state)
{
	struct fixture *f = *state;
	struct error error;
	assert_int_equal(zsock_send(f->router, STR("nobody"), STR("x"), &error), ERR_CONNECT);
	struct zsock *a = dealer(f, &f->alice, 0);
	assert_int_equal(zsock_send(a, STR(""), STR("x"), &error), ERR_AGAIN); /* not even connecting */
	connect_to(a, f->endpoint);
	send_text(a, STR(""), "hello");
	struct zsock_message *m = receive(f->router);
	zsock_close(a);
	(void)await_event(f->monitor, ZSOCK_EVENT_LOST);
	enum err_code err;
	struct zsock_message *none;
	do { /* the socket learns of the end of a connection by reading up to it */
		assert_int_equal(zsock_recv(f->router, &none, &error), ERR_AGAIN);
		err = zsock_send(f->router, m->routing_id, STR("x"), &error);
	} while (err == ERR_OK || err == ERR_AGAIN);
	assert_int_equal(err, ERR_CONNECT);
	zsock_message_free(m);
}

static void a_peer_that_does_not_read_fills_its_queue_and_only_that(void **state)
{
	struct fixture *f = *state;
	struct error error;
	struct zsock *a = dealer(f, &f->alice, 0), *b = dealer(f, &f->bob, 0);
	static char big[500000];
	connect_to(a, f->endpoint);
	send_text(a, STR(""), "a");
	struct zsock_message *from_a = receive(f->router);
	connect_to(b, f->endpoint);
	send_text(b, STR(""), "b");
	struct zsock_message *from_b = receive(f->router);
	enum err_code err = ERR_OK;
	unsigned sent = 0;
	for (; err == ERR_OK && sent < 1000; sent++)
		err = zsock_send(f->router, from_a->routing_id, str_make(big, sizeof(big)), &error);
	assert_int_equal(err, ERR_AGAIN);
	send_text(f->router, from_b->routing_id, "you read");
	struct zsock_message *m = receive(b);
	assert_str_equal_c(m->body, "you read");
	zsock_message_free(m);
	for (unsigned i = 0; i < sent - 1; i++) {
		m = receive(a);
		assert_int_equal(m->body.len, sizeof(big));
		zsock_message_free(m);
	}
	zsock_message_free(from_a);
	zsock_message_free(from_b);
	zsock_close(a);
	zsock_close(b);
}

static void a_frame_over_the_limit_is_not_sent_and_cuts_off_who_sends_it_all_the_same(void **state)
{
	struct fixture *f = *state;
	struct error error;
	static char big[ZSOCK_FRAME_BYTES_MAX + 1];
	struct zsock *a = dealer(f, &f->alice, 0), *rogue = dealer(f, &f->bob, 4 * ZSOCK_FRAME_BYTES_MAX);
	connect_to(a, f->endpoint);
	assert_true(ready(a, true, WAIT_MS));
	assert_int_equal(zsock_send(a, STR(""), str_make(big, sizeof(big)), &error), ERR_LIMIT);
	assert_ok(zsock_send(a, STR(""), str_make(big, ZSOCK_FRAME_BYTES_MAX), &error), &error);
	struct zsock_message *m = receive(f->router);
	assert_int_equal(m->body.len, ZSOCK_FRAME_BYTES_MAX);
	zsock_message_free(m);
	connect_to(rogue, f->endpoint);
	assert_true(ready(rogue, true, WAIT_MS));
	assert_ok(zsock_send(rogue, STR(""), str_make(big, sizeof(big)), &error), &error);
	(void)await_event(f->monitor, ZSOCK_EVENT_LOST);
	assert_int_equal(zsock_recv(f->router, &m, &error), ERR_AGAIN);
	zsock_close(a);
	zsock_close(rogue);
}

static void a_message_of_several_frames_is_marked_and_does_not_spill_into_the_next(void **state)
{
	struct fixture *f = *state;
	struct error error;
	struct zsock *a = dealer(f, &f->alice, 0);
	const struct str parts[] = { STR("one"), STR("two"), STR("three") };
	connect_to(a, f->endpoint);
	assert_true(ready(a, true, WAIT_MS));
	assert_ok(zsock_send_parts(a, parts, ARRAY_LEN(parts), &error), &error);
	send_text(a, STR(""), "whole");
	struct zsock_message *m = receive(f->router);
	assert_true(m->malformed);
	assert_str_equal_c(m->body, "one");
	assert_str_equal_c(m->user_id, "alice");
	zsock_message_free(m);
	m = receive(f->router);
	assert_false(m->malformed);
	assert_str_equal_c(m->body, "whole");
	zsock_message_free(m);
	zsock_close(a);
}

static void bad_endpoints_are_errors_that_name_them(void **state)
{
	struct fixture *f = *state;
	struct error error;
	struct zsock *s, *a = dealer(f, &f->alice, 0);
	struct zsock_options o = { .pair = &f->server };
	assert_ok(zsock_router_new(f->context, &o, &s, &error), &error);
	assert_int_equal(zsock_bind(s, f->endpoint, &error), ERR_CONFLICT);
	assert_non_null(strstr(error.text, f->endpoint));
	assert_int_equal(zsock_bind(s, "carrier-pigeon://x", &error), ERR_INVALID);
	assert_int_equal(zsock_connect(a, "tcp://127.0.0.1", &error), ERR_INVALID);
	assert_int_equal(zsock_disconnect(a, f->endpoint, &error), ERR_NOT_FOUND);
	zsock_close(s);
	zsock_close(a);
}

static void a_poll_sees_plain_descriptors_and_keeps_its_time(void **state)
{
	struct fixture *f = *state;
	struct error error;
	int ends[2];
	size_t count;
	assert_int_equal(pipe(ends), 0);
	struct zsock_poll_item items[] = { { .sock = f->router }, { .fd = ends[0] } };
	uint64_t before_ms = clock_now_ms();
	assert_ok(zsock_poll(items, 2, 30, &count, &error), &error);
	assert_int_equal(count, 0);
	assert_in_range(clock_now_ms() - before_ms, 29, 5000);
	assert_int_equal(write(ends[1], "x", 1), 1);
	assert_ok(zsock_poll(items, 2, WAIT_MS, &count, &error), &error);
	assert_int_equal(count, 1);
	assert_true(items[1].readable && !items[0].readable);
	close(ends[0]);
	close(ends[1]);
}

enum { STORM_WORKERS = 20, STORM_MESSAGES = 200, STORM_CREDIT = 4 };

struct storm_worker {
	struct fixture *fixture;
	struct thread *thread;
};

static void storm_work(void *arg)
{
	struct storm_worker *w = arg;
	struct zsock *s = dealer(w->fixture, &w->fixture->alice, 0);
	struct error error;
	connect_to(s, w->fixture->endpoint);
	assert_true(ready(s, true, WAIT_MS));
	unsigned sent = 0, received = 0;
	while (received < STORM_MESSAGES) {
		for (; sent < STORM_MESSAGES && sent - received < STORM_CREDIT; sent++) {
			uint32_t number = sent;
			assert_ok(zsock_send(s, STR(""), str_make(&number, sizeof(number)), &error), &error);
		}
		struct zsock_message *m = receive(s);
		uint32_t number;
		memcpy(&number, m->body.data, sizeof(number));
		assert_int_equal(number, received);
		received++;
		zsock_message_free(m);
	}
	zsock_close(s);
}

static void many_workers_under_a_changing_list_lose_nothing_and_keep_their_order(void **state)
{
	struct fixture *f = *state;
	struct storm_worker workers[STORM_WORKERS];
	struct error error;
	for (size_t i = 0; i < STORM_WORKERS; i++) {
		workers[i].fixture = f;
		assert_ok(thread_start(&workers[i].thread, "worker", storm_work, &workers[i], &error), &error);
	}
	for (unsigned answered = 0; answered < STORM_WORKERS * STORM_MESSAGES;) {
		const struct zsock_zap_key keys[] = { entry(&f->bob, STR("bob")), entry(&f->alice, STR("alice")) };
		if (answered % 16 == 0)
			assert_ok(zsock_zap_allow(f->zap, keys, ARRAY_LEN(keys), &error), &error);
		struct zsock_message *m = receive(f->router);
		assert_str_equal_c(m->user_id, "alice");
		assert_ok(zsock_send(f->router, m->routing_id, m->body, &error), &error);
		zsock_message_free(m);
		answered++;
	}
	for (size_t i = 0; i < STORM_WORKERS; i++)
		thread_join(workers[i].thread);
	assert_int_equal(zsock_zap_refused_count(f->zap), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_message_goes_both_ways_and_carries_the_name_of_its_key),
		TEST(the_name_is_there_also_on_messages_that_a_poll_had_fetched),
		TEST(an_unknown_key_is_refused_counted_and_told_once),
		TEST(a_key_taken_off_the_list_keeps_its_connection_but_gets_no_new_one),
		TEST(a_name_that_zap_cannot_carry_is_refused_and_the_old_list_stays),
		cmocka_unit_test(a_router_without_a_zap_handler_does_not_bind),
		TEST(a_client_that_expects_another_server_never_gets_ready),
		TEST(sending_to_nobody_is_a_connect_error),
		TEST(a_peer_that_does_not_read_fills_its_queue_and_only_that),
		TEST(a_frame_over_the_limit_is_not_sent_and_cuts_off_who_sends_it_all_the_same),
		TEST(a_message_of_several_frames_is_marked_and_does_not_spill_into_the_next),
		TEST(bad_endpoints_are_errors_that_name_them),
		TEST(a_poll_sees_plain_descriptors_and_keeps_its_time),
		TEST(many_workers_under_a_changing_list_lose_nothing_and_keep_their_order),
	};
	return cmocka_run_group_tests_name("zsock", tests, NULL, NULL);
}
