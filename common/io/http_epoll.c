#include "common/io/http_epoll.h"
#include "common/base/check.h"
#include "common/base/mem.h"
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

struct http_epoll_file {
	uint32_t registered, wanted;
	bool announced;
};

static const uint64_t wake_mark = UINT64_MAX;

enum err_code http_epoll_init(struct http_epoll *e, int wake_fd, struct error *reterr)
{
	struct epoll_event wake = { .events = EPOLLIN, .data.u64 = wake_mark };
	*e = (struct http_epoll){ .fd = epoll_create1(EPOLL_CLOEXEC) };
	if (e->fd < 0 || (wake_fd > 0 && epoll_ctl(e->fd, EPOLL_CTL_ADD, wake_fd, &wake) != 0))
		return error_set(reterr, ERR_IO, "http client: epoll: %s", strerror(errno));
	return ERR_OK;
}

void http_epoll_done(struct http_epoll *e)
{
	if (e->fd >= 0)
		(void)close(e->fd); /* no data in it */
	mem_free(e->files);
	*e = (struct http_epoll){ .fd = -1 };
}

static struct http_epoll_file *file_of(struct http_epoll *e, int fd)
{
	size_t before = e->file_cap;
	mem_reserve(&e->files, &e->file_cap, (size_t)fd + 1, sizeof(*e->files));
	if (e->file_cap > before)
		memset(e->files + before, 0, (e->file_cap - before) * sizeof(*e->files));
	return &e->files[fd];
}

void http_epoll_opened(struct http_epoll *e, int fd)
{
	*file_of(e, fd) = (struct http_epoll_file){ .announced = true };
}

void http_epoll_closed(struct http_epoll *e, int fd)
{
	*file_of(e, fd) = (struct http_epoll_file){ .announced = false }; /* the kernel takes it out itself */
}

static void set_events(struct http_epoll *e, int fd, uint32_t owner, uint32_t events)
{
	struct http_epoll_file *file = file_of(e, fd);
	struct epoll_event event = { .events = events, .data.u64 = (uint64_t)owner << 32 | (uint32_t)fd };
	int how = events == 0 ? EPOLL_CTL_DEL : file->registered ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
	int rc = epoll_ctl(e->fd, how, fd, &event);
	if (rc != 0 && how == EPOLL_CTL_MOD && errno == ENOENT) /* closed and made anew without a word */
		rc = epoll_ctl(e->fd, EPOLL_CTL_ADD, fd, &event);
	check_msg(rc == 0 || how == EPOLL_CTL_DEL, "epoll_ctl %d of %d: %s", how, fd, strerror(errno));
	file->registered = events;
}

void http_epoll_want(struct http_epoll *e, int fd, uint32_t owner, uint32_t events)
{
	struct http_epoll_file *file = file_of(e, fd);
	file->wanted = events;
	bool may_rest = events == 0 && (file->announced || file->registered == 0);
	if (events != file->registered && !may_rest)
		set_events(e, fd, owner, events);
}

size_t http_epoll_wait(struct http_epoll *e, struct http_epoll_event *out, size_t cap, int timeout_ms)
{
	enum { EVENTS_MAX = 256 };
	struct epoll_event events[EVENTS_MAX];
	int count = epoll_wait(e->fd, events, (int)MIN_OF(cap, (size_t)EVENTS_MAX), timeout_ms);
	check_msg(count >= 0 || errno == EINTR, "epoll: %s", strerror(errno));
	size_t filled = 0;
	for (int i = 0; i < count; i++) {
		if (events[i].data.u64 == wake_mark) {
			out[filled++] = (struct http_epoll_event){ .fd = -1 };
			continue;
		}
		int fd = (int)(events[i].data.u64 & UINT32_MAX);
		uint32_t owner = (uint32_t)(events[i].data.u64 >> 32);
		const struct http_epoll_file *file = file_of(e, fd);
		if (file->wanted)
			out[filled++] = (struct http_epoll_event){ owner, fd, events[i].events };
		else if (file->registered)
			set_events(e, fd, owner, 0);
	}
	return filled;
}
