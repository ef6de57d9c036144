/* Goal: an event is told when and only when somebody wants it, and a resting descriptor cannot keep the loop spinning.
 */
#include "common/io/clock.h"
#include "common/io/http_epoll.h"
#include "tests/support/cmocka_all.h"
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static struct http_epoll e;
static int ends[2], wake[2];
static struct http_epoll_event events[8];

static int setup(void **state)
{
	struct error error;
	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	assert_int_equal(pipe(wake), 0);
	assert_ok(http_epoll_init(&e, wake[0], &error), &error);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	http_epoll_done(&e);
	close(ends[0]);
	close(ends[1]);
	close(wake[0]);
	close(wake[1]);
	return 0;
}

static void a_wanted_descriptor_comes_with_its_owner_and_the_wake_without(void **state)
{
	(void)state;
	http_epoll_want(&e, ends[0], 7, EPOLLIN);
	assert_int_equal(http_epoll_wait(&e, events, 8, 0), 0);
	assert_int_equal(write(ends[1], "x", 1), 1);
	assert_int_equal(write(wake[1], "x", 1), 1);
	assert_int_equal(http_epoll_wait(&e, events, 8, 10000), 2);
	const struct http_epoll_event *file = events[0].fd < 0 ? &events[1] : &events[0];
	const struct http_epoll_event *woken = events[0].fd < 0 ? &events[0] : &events[1];
	assert_int_equal(woken->fd, -1);
	assert_int_equal(file->fd, ends[0]);
	assert_int_equal(file->owner, 7);
	assert_true(file->events & EPOLLIN);
	http_epoll_want(&e, ends[0], 7, EPOLLOUT);
	assert_int_equal(http_epoll_wait(&e, events, 1, 10000), 1);
}

/* Announced sockets rest where they are, others leave at once; both ways nobody hears of them. */
static void a_descriptor_that_nobody_wants_is_told_to_nobody_and_does_not_keep_the_loop_awake(void **state)
{
	(void)state;
	for (int announced = 0; announced < 2; announced++) {
		if (announced)
			http_epoll_opened(&e, ends[0]);
		http_epoll_want(&e, ends[0], 7, EPOLLIN);
		http_epoll_want(&e, ends[0], 7, 0);
		assert_int_equal(write(ends[1], "x", 1), 1);
		assert_int_equal(http_epoll_wait(&e, events, 8, 20), 0); /* may end early, once */
		uint64_t before_ms = clock_now_ms();
		assert_int_equal(http_epoll_wait(&e, events, 8, 30), 0);
		assert_true(clock_now_ms() - before_ms >= 29);
		http_epoll_want(&e, ends[0], 8, EPOLLIN); /* wanted again: what waited is there */
		assert_int_equal(http_epoll_wait(&e, events, 8, 10000), 1);
		assert_int_equal(events[0].owner, 8);
		http_epoll_want(&e, ends[0], 8, 0);
	}
}

static void a_number_that_was_closed_and_given_again_starts_afresh(void **state)
{
	(void)state;
	for (int announced = 0; announced < 2; announced++) {
		int again[2], number = ends[0];
		if (announced)
			http_epoll_opened(&e, number);
		http_epoll_want(&e, number, 1, EPOLLIN);
		if (announced)
			http_epoll_closed(&e, number);
		close(ends[0]);
		close(ends[1]);
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, again), 0);
		memcpy(ends, again, sizeof(ends));
		assert_int_equal(ends[0], number);
		http_epoll_want(&e, number, 2,
		                EPOLLIN | EPOLLOUT); /* without announcement: it was registered, says the table */
		assert_int_equal(http_epoll_wait(&e, events, 8, 10000), 1);
		assert_int_equal(events[0].owner, 2);
		http_epoll_want(&e, number, 2, 0);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_wanted_descriptor_comes_with_its_owner_and_the_wake_without),
		TEST(a_descriptor_that_nobody_wants_is_told_to_nobody_and_does_not_keep_the_loop_awake),
		TEST(a_number_that_was_closed_and_given_again_starts_afresh),
	};
	return cmocka_run_group_tests_name("http_epoll", tests, NULL, NULL);
}
