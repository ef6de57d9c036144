#include "tests/unit/io/http_server.h"
#include "common/base/buf.h"
#include "common/base/check.h"
#include "common/base/mem.h"
#include "common/io/clock.h"
#include "common/io/thread.h"
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { CONNECTIONS_MAX = 600 };

struct connection {
	int fd;
	struct buf in, out;
	size_t out_at;
	uint64_t send_at_ms; /* nothing goes out before */
	unsigned drip_ms;    /* one byte each time */
	unsigned requests;
	bool close_after, mute, deaf, gone;
};

struct http_server {
	int listener, stop_fd, port;
	struct thread *thread;
	atomic_uint request_count, connection_count;
	struct connection connections[CONNECTIONS_MAX];
	struct pollfd fds[CONNECTIONS_MAX + 2];
};

static void answer_text(struct connection *c, int status, struct str body, const char *more_headers)
{
	buf_printf(
		&c->out,
		"HTTP/1.1 %d Thing\r\nContent-Type: text/plain\r\nX-Test:  a value \r\n%sContent-Length: %zu\r\n\r\n",
		status, more_headers, body.len);
	buf_append_str(&c->out, body);
}

static void answer_big(struct connection *c, uint64_t size, bool chunked)
{
	char piece[65536];
	memset(piece, 'x', sizeof(piece));
	if (chunked)
		buf_append_c(&c->out, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
	else
		buf_printf(&c->out, "HTTP/1.1 200 OK\r\nContent-Length: %llu\r\n\r\n", (unsigned long long)size);
	while (size) {
		size_t len = MIN_OF(size, sizeof(piece));
		if (chunked)
			buf_printf(&c->out, "%zx\r\n", len);
		buf_append(&c->out, piece, len);
		if (chunked)
			buf_append_c(&c->out, "\r\n");
		size -= len;
	}
	if (chunked)
		buf_append_c(&c->out, "0\r\n\r\n");
}

static void answer(struct http_server *s, struct connection *c, struct str head, struct str body)
{
	struct str rest = head, method, path, name, number_text;
	uint64_t number = 0;
	str_split(&rest, ' ', &method);
	str_split(&rest, ' ', &path);
	path = str_slice(path, 1, path.len);
	str_split(&path, '/', &name);
	if (str_split(&path, '/', &number_text))
		check(str_to_u64(number_text, &number));
	atomic_fetch_add(&s->request_count, 1);
	c->requests++;
	if (str_eq_c(name, "ok"))
		answer_text(c, 200, STR("hello"), "");
	else if (str_eq_c(name, "echo"))
		answer_text(c, 200, body, "");
	else if (str_eq_c(name, "head"))
		answer_text(c, 200, head, "");
	else if (str_eq_c(name, "status"))
		answer_text(c, (int)number, STR("{\"error\":\"x\"}"), "");
	else if (str_eq_c(name, "delay")) {
		answer_text(c, 200, STR("late"), "");
		c->send_at_ms = clock_now_ms() + number;
	} else if (str_eq_c(name, "drip")) {
		answer_text(c, 200, STR("0123456789"), "");
		c->drip_ms = (unsigned)number;
	} else if (str_eq_c(name, "stall"))
		buf_append_c(&c->out, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0");
	else if (str_eq_c(name, "hang"))
		c->mute = true;
	else if (str_eq_c(name, "close"))
		c->close_after = true;
	else if (str_eq_c(name, "second") || str_eq_c(name, "gone")) {
		c->close_after = c->requests > 1;
		c->gone = c->close_after && str_eq_c(name, "gone");
		if (c->requests == 1)
			answer_text(c, 200, STR("first"), "");
	} else if (str_eq_c(name, "partial")) {
		buf_append_c(&c->out, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this");
		c->close_after = true;
	} else if (str_eq_c(name, "garbage")) {
		buf_append_c(&c->out, "SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n<html>\r\n\r\n");
		c->close_after = true;
	} else if (str_eq_c(name, "badchunk"))
		buf_append_c(&c->out, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n");
	else if (str_eq_c(name, "big") || str_eq_c(name, "chunks"))
		answer_big(c, number, str_eq_c(name, "chunks"));
	else if (str_eq_c(name, "headers")) {
		buf_append_c(&c->out, "HTTP/1.1 200 OK\r\n");
		for (uint64_t i = 0; i < number; i++)
			buf_printf(&c->out, "X-Filler-%04u: %086d\r\n", (unsigned)i, 0);
		buf_append_c(&c->out, "Content-Length: 0\r\n\r\n");
	} else if (str_eq_c(name, "interim"))
		buf_append_c(&c->out,
		             "HTTP/1.1 100 Continue\r\nX-Interim: yes\r\n\r\nHTTP/1.1 200 OK\r\nX-Final: yes\r\n"
		             "Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\nX-Trailer: yes\r\n\r\n");
	else if (str_eq_c(name, "redirect"))
		answer_text(c, 302, STR(""), "Location: /ok\r\n");
	else
		answer_text(c, 404, STR("no"), "");
}

/* The length that the head announces for the body. */
static uint64_t body_length(struct str head)
{
	struct str line;
	uint64_t length = 0;
	while (str_split(&head, '\n', &line))
		if (line.len > 15 && strncasecmp(line.data, "Content-Length:", 15) == 0)
			check(str_to_u64(str_trim(str_slice(line, 15, line.len)), &length));
	return length;
}

static void take_requests(struct http_server *s, struct connection *c)
{
	for (;;) {
		struct str all = buf_str(&c->in);
		ptrdiff_t head_end = str_find(all, STR("\r\n\r\n"));
		if (head_end < 0)
			return;
		struct str head = str_slice(all, 0, (size_t)head_end);
		if (str_find(head, STR(" /deaf ")) >= 0) {
			c->deaf = true;
			return;
		}
		uint64_t total = (uint64_t)head_end + 4 + body_length(head);
		if (all.len < total)
			return;
		answer(s, c, head, str_slice(all, (size_t)head_end + 4, (size_t)total));
		memmove(c->in.data, c->in.data + total, c->in.len - total);
		c->in.len -= total;
	}
}

static void drop(struct connection *c)
{
	close(c->fd);
	buf_done(&c->in);
	buf_done(&c->out);
	*c = (struct connection){ .fd = -1 };
}

static void read_some(struct http_server *s, struct connection *c)
{
	char piece[65536];
	ssize_t n = recv(c->fd, piece, sizeof(piece), MSG_DONTWAIT);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		drop(c);
		return;
	}
	check(buf_append(&c->in, piece, (size_t)n));
	if (c->in.data[0] == 0x16) { /* a TLS client, and here is no TLS */
		buf_append_c(&c->out, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
		c->close_after = true;
		return;
	}
	take_requests(s, c);
	if (c->gone) { /* before the connection: whoever comes again is refused */
		close(s->listener);
		s->listener = -1;
	}
	if (c->close_after && c->out.len == 0)
		drop(c);
}

static void write_some(struct connection *c)
{
	uint64_t now_ms = clock_now_ms();
	if (c->mute || now_ms < c->send_at_ms)
		return;
	size_t len = c->out.len - c->out_at;
	if (c->drip_ms) {
		len = MIN_OF(len, 1U + (c->out_at == 0 ? c->out.len - 11 : 0)); /* the head at once */
		c->send_at_ms = now_ms + c->drip_ms;
	}
	ssize_t n = send(c->fd, c->out.data + c->out_at, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n < 0 && errno != EAGAIN) {
		drop(c);
		return;
	}
	c->out_at += n > 0 ? (size_t)n : 0;
	if (c->out_at < c->out.len)
		return;
	buf_clear(&c->out);
	c->out_at = 0;
	c->drip_ms = 0;
	if (c->close_after)
		drop(c);
}

static void accept_one(struct http_server *s)
{
	int fd = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC);
	if (fd < 0)
		return;
	atomic_fetch_add(&s->connection_count, 1);
	for (size_t i = 0; i < CONNECTIONS_MAX; i++)
		if (s->connections[i].fd < 0) {
			s->connections[i].fd = fd;
			buf_init(&s->connections[i].in, 64 << 20);
			buf_init(&s->connections[i].out, 64 << 20);
			return;
		}
	close(fd);
}

static void serve(void *arg)
{
	struct http_server *s = arg;
	struct pollfd *fds = s->fds;
	for (;;) {
		uint64_t now_ms = clock_now_ms(), next_ms = now_ms + 1000;
		for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
			struct connection *c = &s->connections[i];
			bool has_output = c->fd >= 0 && c->out.len > c->out_at && !c->mute;
			if (has_output && c->send_at_ms > now_ms)
				next_ms = MIN_OF(next_ms, c->send_at_ms);
			fds[i] = (struct pollfd){ .fd = c->deaf ? -1 : c->fd, .events = POLLIN };
			if (has_output && c->send_at_ms <= now_ms)
				fds[i].events |= POLLOUT;
		}
		fds[CONNECTIONS_MAX] = (struct pollfd){ .fd = s->listener, .events = POLLIN };
		fds[CONNECTIONS_MAX + 1] = (struct pollfd){ .fd = s->stop_fd, .events = POLLIN };
		poll(fds, CONNECTIONS_MAX + 2, (int)(next_ms - now_ms));
		if (fds[CONNECTIONS_MAX + 1].revents)
			return;
		for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
			struct connection *c = &s->connections[i];
			if (c->fd >= 0 && fds[i].fd >= 0 && fds[i].revents & ~POLLOUT)
				read_some(s, c);
			if (c->fd >= 0 && c->out.len > c->out_at)
				write_some(c);
		}
		if (fds[CONNECTIONS_MAX].revents)
			accept_one(s);
	}
}

struct http_server *http_server_start(const char *unix_path)
{
	struct http_server *s = mem_new(1, sizeof(*s));
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	for (size_t i = 0; i < CONNECTIONS_MAX; i++)
		s->connections[i].fd = -1;
	s->stop_fd = eventfd(0, EFD_CLOEXEC);
	s->listener = socket(unix_path ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (unix_path) {
		check((size_t)snprintf(un.sun_path, sizeof(un.sun_path), "%s", unix_path) < sizeof(un.sun_path));
		check(bind(s->listener, (struct sockaddr *)&un, sizeof(un)) == 0);
	} else {
		socklen_t len = sizeof(in);
		check(bind(s->listener, (struct sockaddr *)&in, len) == 0);
		check(getsockname(s->listener, (struct sockaddr *)&in, &len) == 0);
		s->port = ntohs(in.sin_port);
	}
	check(listen(s->listener, 512) == 0);
	check(thread_start(&s->thread, "http-server", serve, s, NULL) == ERR_OK);
	return s;
}

void http_server_stop(struct http_server *s)
{
	uint64_t one = 1;
	check(write(s->stop_fd, &one, sizeof(one)) == sizeof(one));
	thread_join(s->thread);
	for (size_t i = 0; i < CONNECTIONS_MAX; i++)
		if (s->connections[i].fd >= 0)
			drop(&s->connections[i]);
	close(s->listener);
	close(s->stop_fd);
	mem_free(s);
}

int http_server_port(const struct http_server *s)
{
	return s->port;
}

unsigned http_server_requests(struct http_server *s)
{
	return atomic_load(&s->request_count);
}

unsigned http_server_connections(struct http_server *s)
{
	return atomic_load(&s->connection_count);
}
