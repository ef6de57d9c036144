#include "common/io/ring.h"
#include "common/base/check.h"
#include "common/base/mem.h"
#include "common/io/clock.h"
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

struct ring {
	pthread_mutex_t lock; /* the only one of the tree: see ring.h. Guards all below */
	pthread_cond_t room;
	size_t head, len, reserved, waiting;
	bool closed;
	size_t capacity;
	int fd;
	void *slots[];
};

/* The eventfd follows "not empty" by two rules. A push that finds the ring empty writes to it after unlocking; a pop
 * that empties the ring drains it before unlocking. A write can only come late, when its message is gone already:
 * then somebody wakes up for nothing and drains it. It can never be missing, since whoever drains it has taken every
 * message whose push came before. */
static void wake_consumer(struct ring *r)
{
	uint64_t one = 1;
	ssize_t n = write(r->fd, &one, sizeof(one)); /* fails only when the counter is full: readable all the same */
	(void)n;
}

static void drain_wake(struct ring *r)
{
	uint64_t count;
	ssize_t n = read(r->fd, &count, sizeof(count)); /* EAGAIN: the write of that push is still to come */
	(void)n;
}

enum err_code ring_new(size_t capacity, struct ring **ret_ring, struct error *reterr)
{
	check(capacity > 0);
	int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (fd < 0)
		return error_set(reterr, ERR_IO, "cannot make an event descriptor: %s", strerror(errno));
	struct ring *r = mem_new(1, sizeof(*r) + capacity * sizeof(r->slots[0]));
	r->fd = fd;
	r->capacity = capacity;
	pthread_condattr_t attributes;
	check(pthread_condattr_init(&attributes) == 0);
	check(pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0);
	check(pthread_cond_init(&r->room, &attributes) == 0);
	check(pthread_condattr_destroy(&attributes) == 0);
	check(pthread_mutex_init(&r->lock, NULL) == 0);
	*ret_ring = r;
	return ERR_OK;
}

void ring_free(struct ring *r)
{
	if (!r)
		return;
	check_msg(r->len == 0, "a ring is freed with %zu messages in it", r->len);
	check(pthread_mutex_destroy(&r->lock) == 0);
	check(pthread_cond_destroy(&r->room) == 0);
	(void)close(r->fd);
	mem_free(r);
}

static void lock(struct ring *r)
{
	check(pthread_mutex_lock(&r->lock) == 0);
}

static void unlock(struct ring *r)
{
	check(pthread_mutex_unlock(&r->lock) == 0);
}

int ring_fd(const struct ring *r)
{
	return r->fd;
}

size_t ring_capacity(const struct ring *r)
{
	return r->capacity;
}

size_t ring_len(struct ring *r)
{
	lock(r);
	size_t len = r->len;
	unlock(r);
	return len;
}

bool ring_is_closed(struct ring *r)
{
	lock(r);
	bool closed = r->closed;
	unlock(r);
	return closed;
}

/* Under the lock, with room checked. */
static void put(struct ring *r, void *const *messages, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		size_t at = r->head + r->len;
		r->slots[at < r->capacity ? at : at - r->capacity] = messages[i];
		r->len++;
	}
}

size_t ring_try_push_many(struct ring *r, void *const *messages, size_t count)
{
	lock(r);
	size_t room = r->closed ? 0 : r->capacity - r->len - r->reserved;
	count = MIN_OF(count, room);
	bool wake = r->len == 0 && count > 0;
	put(r, messages, count);
	unlock(r);
	if (wake)
		wake_consumer(r);
	return count;
}

bool ring_try_push(struct ring *r, void *message)
{
	return ring_try_push_many(r, &message, 1) == 1;
}

static struct timespec at_ms(uint64_t monotonic_ms)
{
	return (struct timespec){ .tv_sec = (time_t)(monotonic_ms / 1000),
		                  .tv_nsec = (long)(monotonic_ms % 1000) * 1000000L };
}

static uint64_t deadline_of(int timeout_ms)
{
	return clock_now_ms() + (uint64_t)MAX_OF(timeout_ms, 0);
}

enum err_code ring_push_wait(struct ring *r, void *message, int timeout_ms)
{
	struct timespec until = at_ms(deadline_of(timeout_ms));
	int rc = 0;
	lock(r);
	while (!r->closed && r->len + r->reserved == r->capacity && rc != ETIMEDOUT) {
		r->waiting++;
		rc = timeout_ms < 0 ? pthread_cond_wait(&r->room, &r->lock)
		                    : pthread_cond_timedwait(&r->room, &r->lock, &until);
		r->waiting--;
		check(rc == 0 || rc == ETIMEDOUT);
	}
	enum err_code err = r->closed ? ERR_CANCELLED : r->len + r->reserved == r->capacity ? ERR_TIMEOUT : ERR_OK;
	bool wake = err == ERR_OK && r->len == 0;
	if (err == ERR_OK)
		put(r, &message, 1);
	unlock(r);
	if (wake)
		wake_consumer(r);
	return err;
}

/* Under the lock, when places became free. */
static void tell_waiting(struct ring *r)
{
	if (r->waiting)
		check(pthread_cond_broadcast(&r->room) == 0);
}

bool ring_reserve(struct ring *r, size_t count)
{
	lock(r);
	bool fits = !r->closed && count <= r->capacity - r->len - r->reserved;
	if (fits)
		r->reserved += count;
	unlock(r);
	return fits;
}

void ring_unreserve(struct ring *r, size_t count)
{
	lock(r);
	check_msg(count <= r->reserved, "%zu places given back, %zu reserved", count, r->reserved);
	r->reserved -= count;
	tell_waiting(r);
	unlock(r);
}

bool ring_push_reserved(struct ring *r, void *message)
{
	lock(r);
	check_msg(r->reserved > 0, "no place was reserved");
	r->reserved--;
	bool open = !r->closed, wake = open && r->len == 0;
	if (open)
		put(r, &message, 1);
	unlock(r);
	if (wake)
		wake_consumer(r);
	return open;
}

static size_t take(struct ring *r, void **out, size_t cap, bool *ret_closed)
{
	lock(r);
	size_t count = MIN_OF(cap, r->len);
	for (size_t i = 0; i < count; i++) {
		out[i] = r->slots[r->head];
		r->head = r->head + 1 < r->capacity ? r->head + 1 : 0;
	}
	r->len -= count;
	*ret_closed = r->closed;
	if (r->len == 0 && !r->closed)
		drain_wake(r);
	if (count)
		tell_waiting(r);
	unlock(r);
	return count;
}

size_t ring_pop_all(struct ring *r, void **out, size_t cap)
{
	bool closed;
	return take(r, out, cap, &closed);
}

size_t ring_pop_wait(struct ring *r, void **out, size_t cap, int timeout_ms)
{
	uint64_t deadline_ms = deadline_of(timeout_ms);
	for (;;) {
		bool closed;
		size_t count = take(r, out, cap, &closed);
		uint64_t now_ms = clock_now_ms();
		if (count || closed || (timeout_ms >= 0 && now_ms >= deadline_ms))
			return count;
		struct pollfd p = { .fd = r->fd, .events = POLLIN };
		int rc = poll(&p, 1, timeout_ms < 0 ? -1 : (int)(deadline_ms - now_ms));
		check(rc >= 0 || errno == EINTR);
	}
}

void ring_close(struct ring *r)
{
	lock(r);
	r->closed = true;
	tell_waiting(r);
	unlock(r);
	wake_consumer(r); /* pops no longer drain it: readable from now on */
}
