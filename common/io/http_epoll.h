/* common/io/http_epoll.h - which descriptors a client waits for, with as few system calls as it takes.
 *
 * Between two requests on one connection curl waits for nothing, and a moment later for the same as before. Sockets
 * that were announced by http_epoll_opened() therefore stay registered while nobody wants them; only when one reports
 * something then (the peer closed it, or speaks out of turn) is it taken out. That saves two system calls a request.
 * Invariant: an event is handed out only for a descriptor that is wanted. One thread. */
#ifndef ASSAY_IO_HTTP_EPOLL_H
#define ASSAY_IO_HTTP_EPOLL_H

#include "common/base/error.h"

struct http_epoll_file;

struct http_epoll {
	int fd;
	struct http_epoll_file *files; /* by descriptor */
	size_t file_cap;
};

struct http_epoll_event {
	uint32_t owner;
	int fd;          /* -1: the wake descriptor */
	uint32_t events; /* of epoll */
};

enum err_code http_epoll_init(struct http_epoll *e, int wake_fd,
                              struct error *reterr) MUST_CHECK; /* wake_fd < 1: none */
void http_epoll_done(struct http_epoll *e);                     /* takes a zeroed one with fd -1 too */

void http_epoll_opened(struct http_epoll *e, int fd); /* the end of it will be told by http_epoll_closed() */
void http_epoll_closed(struct http_epoll *e, int fd); /* call right before close() */
void http_epoll_want(struct http_epoll *e, int fd, uint32_t owner, uint32_t events); /* 0: nothing for now */

/* Waits up to timeout_ms (-1: no limit); a signal ends it early. Returns how many of `out` were filled. */
size_t http_epoll_wait(struct http_epoll *e, struct http_epoll_event *out, size_t cap, int timeout_ms) MUST_CHECK;

#endif
