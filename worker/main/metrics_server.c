#include "worker/main/metrics_server.h"
#include "common/base/mem.h"
#include "common/io/clock.h"
#include "common/io/fs.h"
#include "common/io/log.h"
#include "common/io/thread.h"
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { REQUEST_BYTES_MAX = 8 << 10, ANSWER_BYTES_MAX = 4 << 20, VISIT_MS = 2000, BACKLOG = 16 };

struct metrics_server {
	struct metrics *metrics;
	struct thread *thread;
	int listen_fd, stop_fd;
	char unix_path[sizeof(((struct sockaddr_un *)NULL)->sun_path)]; /* empty: TCP */
};

/* ---- what is said ---- */

static bool say(struct buf *out, const char *status, struct str body)
{
	return buf_printf(out,
	                  "HTTP/1.1 %s\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"
	                  "Content-Length: %zu\r\nConnection: close\r\n\r\n",
	                  status, body.len) &&
	       buf_append_str(out, body);
}

bool metrics_server_answer(struct str request, struct metrics *metrics, struct buf *out)
{
	struct str line, method, path;
	bool is_line =
		str_split(&request, '\r', &line) && str_split(&line, ' ', &method) && str_split(&line, ' ', &path);
	if (!is_line || !str_starts(line, STR("HTTP/1.")))
		return say(out, "400 Bad Request", STR("not a request\n"));
	if (!str_eq_c(method, "GET"))
		return say(out, "405 Method Not Allowed", STR("GET only\n"));
	if (str_eq_c(path, "/healthz"))
		return say(out, "200 OK", STR("ok\n"));
	if (!str_eq_c(path, "/metrics"))
		return say(out, "404 Not Found", STR("/metrics and /healthz are here\n"));
	struct buf text;
	buf_init(&text, ANSWER_BYTES_MAX);
	bool fits = metrics_text(metrics, &text) && say(out, "200 OK", buf_str(&text));
	buf_done(&text);
	return fits;
}

/* ---- visits ---- */

/* True when `fd` is ready; false when the time of the visit is over or the server stops. */
static bool ready(const struct metrics_server *s, int fd, short events, uint64_t until_ms)
{
	uint64_t now_ms = clock_now_ms();
	struct pollfd fds[] = { { .fd = fd, .events = events }, { .fd = s->stop_fd, .events = POLLIN } };
	if (now_ms >= until_ms || poll(fds, ARRAY_LEN(fds), (int)(until_ms - now_ms)) <= 0)
		return false;
	return fds[0].revents != 0 && fds[1].revents == 0;
}

static bool read_request(const struct metrics_server *s, int fd, uint64_t until_ms, struct buf *in)
{
	while (str_find(buf_str(in), STR("\r\n\r\n")) < 0) {
		char piece[1024];
		if (!ready(s, fd, POLLIN, until_ms))
			return false;
		ssize_t n = recv(fd, piece, sizeof(piece), MSG_DONTWAIT);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (n <= 0 || !buf_append(in, piece, (size_t)n))
			return false;
	}
	return true;
}

static void write_answer(const struct metrics_server *s, int fd, uint64_t until_ms, struct str answer)
{
	for (size_t sent = 0; sent < answer.len;) {
		if (!ready(s, fd, POLLOUT, until_ms))
			return;
		ssize_t n = send(fd, answer.data + sent, answer.len - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return;
		sent += n > 0 ? (size_t)n : 0;
	}
}

static void visit(const struct metrics_server *s, int fd)
{
	uint64_t until_ms = clock_now_ms() + VISIT_MS;
	struct buf in, out;
	buf_init(&in, REQUEST_BYTES_MAX);
	buf_init(&out, ANSWER_BYTES_MAX + REQUEST_BYTES_MAX);
	if (read_request(s, fd, until_ms, &in) && metrics_server_answer(buf_str(&in), s->metrics, &out)) {
		write_answer(s, fd, until_ms, buf_str(&out));
		(void)shutdown(fd, SHUT_WR); /* whoever is gone needs no goodbye */
	}
	buf_done(&in);
	buf_done(&out);
}

static void run(void *arg)
{
	const struct metrics_server *s = arg;
	for (;;) {
		struct pollfd fds[] = { { .fd = s->listen_fd, .events = POLLIN },
			                { .fd = s->stop_fd, .events = POLLIN } };
		(void)poll(fds, ARRAY_LEN(fds), -1); /* every cause leads to a look */
		if (fds[1].revents)
			return;
		int fd = accept4(s->listen_fd, NULL, NULL, SOCK_CLOEXEC);
		if (fd < 0)
			continue;
		visit(s, fd);
		(void)close(fd); /* all that was to be said was said */
	}
}

/* ---- life ---- */

static enum err_code listen_unix(struct metrics_server *s, struct str path, struct error *reterr)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	if (path.len == 0 || path.len >= sizeof(a.sun_path))
		return error_set(reterr, ERR_INVALID, "the path of a unix socket has 1 to %zu bytes",
		                 sizeof(a.sun_path) - 1);
	memcpy(a.sun_path, path.data, path.len);
	struct fs_info info;
	enum err_code err = fs_info(a.sun_path, &info, reterr);
	if (!err && info.exists)
		err = fs_remove(a.sun_path, reterr);
	if (err)
		return err;
	s->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s->listen_fd < 0 || fchmod(s->listen_fd, 0600) != 0 || /* before bind: the file's mode from its birth */
	    bind(s->listen_fd, (struct sockaddr *)&a, sizeof(a)) != 0 || listen(s->listen_fd, BACKLOG) != 0)
		return error_set(reterr, ERR_IO, "%s: %s", a.sun_path, strerror(errno));
	memcpy(s->unix_path, a.sun_path, sizeof(a.sun_path));
	log_info("metrics are served", log_c("path", s->unix_path));
	return ERR_OK;
}

static enum err_code listen_tcp(struct metrics_server *s, struct str where, struct error *reterr)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	socklen_t len = sizeof(a);
	char host[INET_ADDRSTRLEN] = "";
	uint64_t port;
	struct str rest = where, name;
	bool good = str_split(&rest, ':', &name) && name.len < sizeof(host) && str_to_u64(rest, &port) && port < 65536;
	if (good)
		memcpy(host, name.data, name.len);
	if (!good || inet_pton(AF_INET, host, &a.sin_addr) != 1)
		return error_set(reterr, ERR_INVALID, "'%.*s' is neither IPv4:PORT nor unix:PATH", STR_ARG(where));
	a.sin_port = htons((uint16_t)port);
	int on = 1;
	s->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s->listen_fd < 0 || setsockopt(s->listen_fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
	    bind(s->listen_fd, (struct sockaddr *)&a, len) != 0 || listen(s->listen_fd, BACKLOG) != 0 ||
	    getsockname(s->listen_fd, (struct sockaddr *)&a, &len) != 0)
		return error_set(reterr, ERR_IO, "%.*s: %s", STR_ARG(where), strerror(errno));
	log_info("metrics are served", log_c("host", host), log_u64("port", ntohs(a.sin_port)));
	return ERR_OK;
}

enum err_code metrics_server_start(struct str where, struct metrics *metrics, struct metrics_server **ret_server,
                                   struct error *reterr)
{
	struct metrics_server *s = mem_new(1, sizeof(*s));
	s->metrics = metrics;
	s->listen_fd = -1;
	s->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	bool is_unix = str_starts(where, STR("unix:"));
	enum err_code err = s->stop_fd < 0 ? error_set(reterr, ERR_IO, "no event descriptor: %s", strerror(errno))
	                    : is_unix      ? listen_unix(s, str_slice(where, 5, where.len), reterr)
	                                   : listen_tcp(s, where, reterr);
	if (!err)
		err = thread_start(&s->thread, "metrics", run, s, reterr);
	if (err) {
		metrics_server_stop(s);
		return error_wrap(reterr, err, "--metrics");
	}
	*ret_server = s;
	return ERR_OK;
}

void metrics_server_stop(struct metrics_server *s)
{
	if (!s)
		return;
	uint64_t one = 1;
	struct error ignored; /* a socket file that stays is made anew by the next */
	if (s->thread && write(s->stop_fd, &one, sizeof(one)) == (ssize_t)sizeof(one))
		thread_join(s->thread);
	if (s->listen_fd >= 0)
		(void)close(s->listen_fd); /* sockets and events: nothing to lose */
	if (s->stop_fd >= 0)
		(void)close(s->stop_fd); /* as above */
	if (s->unix_path[0] && fs_remove(s->unix_path, &ignored))
		log_warn("the metrics socket stays", log_error_text(&ignored));
	mem_free(s);
}
