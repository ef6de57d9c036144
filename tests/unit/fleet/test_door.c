/* Goal: the port where workers connect lets only so many strangers stand there, and opens again when they have gone;
 * who says nothing is not even seen; a worker gets in before and after. */
#include "common/io/clock.h"
#include "coordinator/fleet/door.h"
#include "tests/support/cmocka_all.h"
#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { WAIT_MS = 10000, FEW = 8, MANY = 64 };

struct port {
	struct zsock_context *zmq;
	struct zsock_zap *zap;
	struct zsock *router;
	struct keys_pair pair;
	struct metrics *metrics;
	struct door door;
	struct sockaddr_in address;
	int fds[MANY];
};

static int start(void **state)
{
	static struct port p;
	struct error e;
	struct buf endpoint;
	uint64_t port;
	p = (struct port){ .address = { .sin_family = AF_INET } };
	for (size_t i = 0; i < MANY; i++)
		p.fds[i] = -1;
	assert_ok(keys_init(&e), &e);
	keys_pair_new(&p.pair);
	p.metrics = metrics_new();
	assert_ok(zsock_context_new(1, 0, &p.zmq, &e), &e);
	assert_ok(zsock_zap_start(p.zmq, &p.zap, &e), &e);
	struct zsock_options o = { .pair = &p.pair, .backlog = FEW };
	assert_ok(zsock_router_new(p.zmq, &o, &p.router, &e), &e);
	assert_ok(door_init(&p.door, p.router, p.metrics, &e), &e);
	assert_ok(zsock_bind(p.router, "tcp://127.0.0.1:0", &e), &e);
	door_watch(&p.door, 0, clock_now_ms());
	assert_true(p.door.listen_fd >= 0);
	buf_init(&endpoint, 256);
	assert_ok(zsock_endpoint(p.router, &endpoint, &e), &e);
	struct str text = buf_str(&endpoint), port_text = str_slice(text, sizeof("tcp://127.0.0.1:") - 1, text.len);
	assert_true(str_to_u64(port_text, &port));
	buf_done(&endpoint);
	p.address.sin_port = htons((uint16_t)port);
	p.address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	*state = &p;
	return 0;
}

static int stop(void **state)
{
	struct port *p = *state;
	for (size_t i = 0; i < MANY; i++)
		if (p->fds[i] >= 0)
			(void)close(p->fds[i]);
	zsock_close(p->router);
	zsock_zap_stop(p->zap);
	zsock_context_free(p->zmq);
	metrics_free(p->metrics);
	return 0;
}

/* Some kernels let only root put a filter on a socket; there the door stays open, and says so. */
static void needs_a_filter(const struct port *p)
{
	struct sock_filter code[] = { BPF_STMT(BPF_RET | BPF_K, UINT32_MAX) };
	struct sock_fprog program = { .len = ARRAY_LEN(code), .filter = code };
	int unused = 0;
	if (setsockopt(p->door.listen_fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) != 0) {
		print_message("SKIPPED: a filter cannot be put on a socket here: %s\n", strerror(errno));
		skip();
	}
	assert_int_equal(setsockopt(p->door.listen_fd, SOL_SOCKET, SO_DETACH_FILTER, &unused, sizeof(unused)), 0);
}

static void knock_from(struct port *p, size_t i, const char *address, bool greets)
{
	static const unsigned char greeting[10] = { 0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f };
	p->fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	assert_true(p->fds[i] >= 0);
	struct sockaddr_in source = { .sin_family = AF_INET };
	assert_int_equal(inet_pton(AF_INET, address, &source.sin_addr), 1);
	assert_int_equal(bind(p->fds[i], (const struct sockaddr *)&source, sizeof(source)), 0);
	int rc = connect(p->fds[i], (const struct sockaddr *)&p->address, sizeof(p->address));
	assert_true(rc == 0 || errno == EINPROGRESS);
	if (greets)
		(void)send(p->fds[i], greeting, sizeof(greeting), MSG_NOSIGNAL); /* one that is kept out cannot */
}

static void knock(struct port *p, size_t i, bool greets)
{
	knock_from(p, i, "127.0.0.1", greets);
}

/* Reads on until `n` strangers stand there. */
static void wait_for(struct port *p, uint64_t n, uint64_t sessions)
{
	uint64_t until = clock_now_ms() + WAIT_MS;
	for (;;) {
		door_watch(&p->door, sessions, clock_now_ms());
		if (p->door.connection_count == n)
			return;
		if (clock_now_ms() > until)
			fail_msg("%llu connections, not %llu", (unsigned long long)p->door.connection_count,
			         (unsigned long long)n);
		struct zsock_poll_item item = { .sock = p->door.monitor };
		size_t ready;
		struct error e;
		assert_ok(zsock_poll(&item, 1, 50, &ready, &e), &e);
	}
}

/* Does a greeting come back, within a while? */
static bool is_greeted(const struct port *p, size_t i, int timeout_ms)
{
	struct pollfd item = { .fd = p->fds[i], .events = POLLIN };
	unsigned char byte;
	return poll(&item, 1, timeout_ms) == 1 && recv(p->fds[i], &byte, 1, 0) == 1 && byte == 0xff;
}

static void leave(struct port *p, size_t i)
{
	assert_int_equal(close(p->fds[i]), 0);
	p->fds[i] = -1;
}

static void too_many_strangers_shut_the_door_and_it_opens_when_they_go(void **state)
{
	struct port *p = *state;
	needs_a_filter(p);
	p->door.strangers_max = FEW;
	for (size_t i = 0; i < FEW - 1; i++)
		knock(p, i, true);
	wait_for(p, FEW - 1, 0);
	assert_int_equal(p->door.state, DOOR_OPEN);
	knock(p, FEW - 1, true);
	wait_for(p, FEW, 0);
	assert_int_equal(p->door.state, DOOR_KNOWN_ONLY);
	assert_true(is_greeted(p, FEW - 1, WAIT_MS)); /* who stands there is served */
	knock(p, FEW, true);
	assert_false(is_greeted(p, FEW, 200)); /* who comes now is not heard */
	leave(p, FEW);                         /* or its kernel would try again */
	wait_for(p, FEW, 0);

	for (size_t i = 0; i < FEW / 2; i++)
		leave(p, i);
	wait_for(p, FEW / 2, 0);
	assert_int_equal(p->door.state, DOOR_OPEN);
	knock(p, FEW + 1, true);
	assert_true(is_greeted(p, FEW + 1, WAIT_MS));
}

static void connections_with_a_session_are_no_strangers(void **state)
{
	struct port *p = *state;
	needs_a_filter(p);
	p->door.strangers_max = FEW;
	for (size_t i = 0; i < FEW; i++)
		knock(p, i, true);
	wait_for(p, FEW, FEW / 2);
	assert_int_equal(p->door.state, DOOR_OPEN);
	door_watch(&p->door, 0, clock_now_ms());
	assert_int_equal(p->door.state, DOOR_KNOWN_ONLY);
	door_watch(&p->door, FEW + 3, clock_now_ms()); /* a session may outlive its connection a little */
	assert_int_equal(p->door.state, DOOR_OPEN);
}

static void where_workers_came_from_still_gets_in_until_it_is_too_much(void **state)
{
	struct port *p = *state;
	needs_a_filter(p);
	p->door.strangers_max = FEW;
	door_know(&p->door, STR("127.0.0.7"));
	door_know(&p->door, STR("::1"));
	door_know(&p->door, STR("what is this that came instead of an address"));
	for (size_t i = 0; i < FEW; i++)
		knock(p, i, true);
	wait_for(p, FEW, 0);
	assert_int_equal(p->door.state, DOOR_KNOWN_ONLY);
	knock(p, FEW, true);
	assert_false(is_greeted(p, FEW, 200));
	leave(p, FEW);
	size_t i = FEW + 1;
	for (; i <= 2 * FEW; i++) {
		knock_from(p, i, "127.0.0.7", true);
		assert_true(is_greeted(p, i, WAIT_MS));
	}
	wait_for(p, 2 * FEW, 0);
	assert_int_equal(p->door.state, DOOR_SHUT);
	knock_from(p, i, "127.0.0.7", true);
	assert_false(is_greeted(p, i, 200));
	leave(p, i);
	for (i = 0; i < FEW; i++)
		leave(p, i);
	wait_for(p, FEW, 0); /* what stands came from there: they are strangers none the less */
	assert_int_equal(p->door.state, DOOR_KNOWN_ONLY);
	knock_from(p, 0, "127.0.0.7", true);
	assert_true(is_greeted(p, 0, WAIT_MS));
}

static void the_latest_addresses_are_kept(void **state)
{
	struct port *p = *state;
	needs_a_filter(p);
	for (unsigned i = 0; i < DOOR_KNOWN_MAX + 10; i++) {
		char text[32];
		(void)snprintf(text, sizeof(text), "10.0.%u.%u", i / 200, i % 200);
		door_know(&p->door, str_from(text));
		door_know(&p->door, str_from(text));
	}
	assert_int_equal(p->door.known_count, DOOR_KNOWN_MAX);
	assert_int_equal(p->door.known[9], 0x0a000000 + (1 << 8) + 65);
	p->door.strangers_max = 1;
	knock(p, 0, true);
	wait_for(p, 1, 0);
	assert_int_equal(p->door.state, DOOR_KNOWN_ONLY); /* the kernel took the longest filter */
}

static void who_says_nothing_is_not_seen(void **state)
{
	struct port *p = *state;
	for (size_t i = 0; i < FEW; i++)
		knock(p, i, false);
	knock(p, FEW, true);
	assert_true(is_greeted(p, FEW, WAIT_MS)); /* came last and stands alone */
	wait_for(p, 1, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(too_many_strangers_shut_the_door_and_it_opens_when_they_go, start,
		                                stop),
		cmocka_unit_test_setup_teardown(connections_with_a_session_are_no_strangers, start, stop),
		cmocka_unit_test_setup_teardown(where_workers_came_from_still_gets_in_until_it_is_too_much, start,
		                                stop),
		cmocka_unit_test_setup_teardown(the_latest_addresses_are_kept, start, stop),
		cmocka_unit_test_setup_teardown(who_says_nothing_is_not_seen, start, stop),
	};
	return cmocka_run_group_tests_name("door", tests, NULL, NULL);
}
