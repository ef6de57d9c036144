/* tests/endpoint - an OpenAI-compatible endpoint for the tests: answers by script.h and counts every prompt.
 *
 *   endpoint [--listen IPV4] [--port N] [--latency-ms M] [--sigma S] [--error-share P] [--rate-limit-share P]
 * [--retry-after-ms N]
 *            [--seed N] [--want-key K] [--die-on TEXT]
 *
 * Prints "listening PORT" and serves until SIGTERM. GET /stats counts: asked (requests), paid (answers that a provider
 * charges for, counted when the request has arrived), prompts (distinct bodies paid for), twice (paid beyond the first
 * of each body), failed, rate_limited, unheard (failures whose asker was gone before it was told), denied (without
 * `Bearer K`), in_flight (answers that wait for their time now). A request with TEXT in its body kills the process, as
 * one that a model server cannot bear. GET /health answers ok; POST /reset forgets. One
 * thread, epoll, keep-alive.
 */
#include "common/base/check.h"
#include "common/base/heap.h"
#include "common/base/mem.h"
#include "common/base/rng.h"
#include "tests/endpoint/script.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
	REQUEST_BYTES_MAX = 32 << 20,
	RESPONSE_BYTES_MAX = 4 << 20,
	TWICE_BYTES_MAX = 2 << 20,
	TWICE_LINE_BYTES = 300,
	EVENTS_MAX = 256,
};

struct connection {
	int fd;
	uint32_t address; /* IPv4 of the peer */
	uint64_t id;
	struct buf in, out;
	size_t sent;
	bool busy; /* a request is waiting for its time */
	bool drip;
	bool unpaid; /* the answer that is waited for is a failure */
};

struct counts {
	uint64_t asked, paid, prompts, twice, failed, rate_limited, unheard, denied;
};

struct endpoint {
	struct script script;
	const char *want_key; /* NULL: no key is asked for */
	struct in_addr listen;
	const char *die_on; /* NULL: no request kills */
	int epoll_fd, listen_fd;
	struct map connections; /* id -> struct connection * */
	struct heap due;        /* id by us */
	struct map bodies;      /* hash -> struct seen */
	struct map peers;       /* IPv4 -> uint64_t asked */
	struct buf twice;       /* lines of GET /twice; what is over its limit is not listed */
	uint64_t started_us;
	struct counts counts;
	uint64_t next_id;
};

struct seen {
	uint32_t asked, paid;
};

static volatile sig_atomic_t stop;

static void on_signal(int number)
{
	(void)number;
	stop = 1;
}

static uint64_t now_us(void)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_MONOTONIC, &t); /* cannot fail with this clock */
	return (uint64_t)t.tv_sec * 1000000u + (uint64_t)t.tv_nsec / 1000u;
}

static void drop(struct endpoint *e, struct connection *c)
{
	e->counts.unheard += c->busy && c->unpaid;
	(void)heap_remove(&e->due, c->id);
	(void)map_remove_u64(&e->connections, c->id);
	(void)close(c->fd);
	buf_done(&c->in);
	buf_done(&c->out);
	mem_free(c);
}

static void watch(struct endpoint *e, struct connection *c, bool want_write)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLRDHUP | (want_write ? EPOLLOUT : 0), .data.u64 = c->id };
	check(epoll_ctl(e->epoll_fd, EPOLL_CTL_MOD, c->fd, &ev) == 0);
}

/* False when the connection is gone. */
static bool flush(struct endpoint *e, struct connection *c)
{
	while (c->sent < c->out.len) {
		size_t most = c->drip ? 1 : c->out.len - c->sent;
		ssize_t n = send(c->fd, c->out.data + c->sent, most, MSG_NOSIGNAL);
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
			watch(e, c, true);
			return true;
		}
		if (n <= 0) {
			drop(e, c);
			return false;
		}
		c->sent += (size_t)n;
		if (c->drip && c->sent < c->out.len) {
			heap_put(&e->due, c->id, now_us() + 1000000u);
			return true;
		}
	}
	buf_clear(&c->out);
	c->sent = 0;
	c->drip = c->busy = false;
	return true;
}

static void answer_text(struct connection *c, const char *type, struct str text)
{
	(void)buf_printf(&c->out, "HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %zu\r\n\r\n%.*s", type,
	                 text.len, STR_ARG(text));
}

static void answer_plain(struct connection *c, const char *type, const char *text)
{
	answer_text(c, type, str_from(text));
}

/* Answers that wait for their time; `address` 0: of all. */
static unsigned long long in_flight(const struct endpoint *e, uint32_t address)
{
	unsigned long long count = 0;
	size_t at = 0;
	for (struct connection **c; (c = map_next_u64(&e->connections, &at, NULL)) != NULL;)
		count += (*c)->busy && (!address || (*c)->address == address);
	return count;
}

static void address_text(uint32_t address, char text[INET_ADDRSTRLEN])
{
	struct in_addr a = { .s_addr = address };
	check(inet_ntop(AF_INET, &a, text, INET_ADDRSTRLEN) != NULL);
}

static void answer_stats(struct endpoint *e, struct connection *c)
{
	struct buf text;
	buf_init(&text, RESPONSE_BYTES_MAX / 2);
	(void)buf_printf(
		&text,
		"{\"asked\":%llu,\"paid\":%llu,\"prompts\":%llu,\"twice\":%llu,\"failed\":%llu,\"rate_limited\":"
		"%llu,\"unheard\":%llu,\"denied\":%llu,\"in_flight\":%llu,\"peers\":{",
		(unsigned long long)e->counts.asked, (unsigned long long)e->counts.paid,
		(unsigned long long)e->counts.prompts, (unsigned long long)e->counts.twice,
		(unsigned long long)e->counts.failed, (unsigned long long)e->counts.rate_limited,
		(unsigned long long)e->counts.unheard, (unsigned long long)e->counts.denied, in_flight(e, 0));
	size_t at = 0;
	uint64_t address;
	bool first = true;
	for (uint64_t *asked; (asked = map_next_u64(&e->peers, &at, &address)) != NULL; first = false) {
		char name[INET_ADDRSTRLEN];
		address_text((uint32_t)address, name);
		(void)buf_printf(&text, "%s\"%s\":{\"asked\":%llu,\"in_flight\":%llu}", first ? "" : ",", name,
		                 (unsigned long long)*asked, in_flight(e, (uint32_t)address));
	}
	(void)buf_append_c(&text, "}}\n");
	answer_text(c, "application/json", buf_str(&text));
	buf_done(&text);
}

static void note_twice(struct endpoint *e, const struct connection *c, struct str body)
{
	char name[INET_ADDRSTRLEN];
	struct str head = str_slice(body, 0, MIN_OF(body.len, (size_t)TWICE_LINE_BYTES));
	address_text(c->address, name);
	(void)buf_printf(&e->twice, "%s %llu %.*s\n", name, (unsigned long long)((now_us() - e->started_us) / 1000),
	                 STR_ARG(head)); /* a full list stays as it is */
}

static void answer_denied(struct endpoint *e, struct connection *c)
{
	static const char body[] = "{\"error\":{\"message\":\"Incorrect API key\",\"code\":\"invalid_api_key\"}}";
	e->counts.asked++;
	e->counts.denied++;
	(void)buf_printf(&c->out,
	                 "HTTP/1.1 401 Unauthorized\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
	                 sizeof(body) - 1, body);
}

static uint64_t hash_body(struct str body)
{
	uint64_t h = rng_mix(body.len);
	size_t i = 0;
	for (; i + 8 <= body.len; i += 8) {
		uint64_t word;
		memcpy(&word, body.data + i, 8);
		h = rng_mix(h ^ word);
	}
	uint64_t tail = 0;
	memcpy(&tail, body.data + i, body.len - i);
	return rng_mix(h ^ tail);
}

/* False when the connection was closed on purpose. */
static bool answer_model(struct endpoint *e, struct connection *c, struct str path, struct str body)
{
	uint64_t hash = hash_body(body);
	if (e->die_on && str_find(body, str_from(e->die_on)) >= 0)
		(void)raise(SIGKILL); /* does not return */
	struct seen *seen = map_put_u64(&e->bodies, hash, NULL);
	struct script_answer a = script_answer(&e->script, path, body, hash, seen->asked, &c->out);
	e->counts.asked++;
	e->counts.failed += a.failed;
	e->counts.rate_limited += a.rate_limited;
	seen->asked++;
	++*(uint64_t *)map_put_u64(&e->peers, c->address, NULL);
	if (a.paid) {
		e->counts.paid++;
		e->counts.prompts += seen->paid == 0;
		e->counts.twice += seen->paid > 0;
		if (seen->paid > 0)
			note_twice(e, c, body);
		seen->paid++;
	}
	if (a.way == SCRIPT_CLOSE) {
		drop(e, c);
		return false;
	}
	c->busy = a.delay_ms > 0 || a.way != SCRIPT_SEND;
	c->unpaid = !a.paid;
	c->drip = a.way == SCRIPT_DRIP;
	if (a.way != SCRIPT_HANG && c->busy)
		heap_put(&e->due, c->id, now_us() + (uint64_t)(a.delay_ms * 1000));
	return true;
}

struct request {
	struct str method, path, body, authorization;
	size_t bytes;
};

/* The value of a header line; empty when it is another one. */
static struct str header_value(struct str line, const char *name)
{
	size_t len = strlen(name);
	if (line.len <= len || line.data[len] != ':' || strncasecmp(line.data, name, len) != 0)
		return (struct str){ 0 };
	return str_trim(str_slice(line, len + 1, line.len));
}

static bool read_headers(struct str head, struct request *r, size_t *ret_body_len)
{
	*ret_body_len = 0;
	struct str line;
	while (str_split(&head, '\n', &line)) {
		uint64_t n;
		struct str length = header_value(line, "content-length"), key = header_value(line, "authorization");
		if (length.len && (!str_to_u64(length, &n) || n > REQUEST_BYTES_MAX))
			return false;
		if (length.len)
			*ret_body_len = (size_t)n;
		if (key.len)
			r->authorization = key;
	}
	return true;
}

static bool has_key(const struct endpoint *e, const struct request *r)
{
	return !e->want_key || (str_starts(r->authorization, STR("Bearer ")) &&
	                        str_eq_c(str_slice(r->authorization, 7, r->authorization.len), e->want_key));
}

/* 1: a whole request; 0: more must come; -1: not a request. */
static int read_request(struct str in, struct request *r)
{
	ptrdiff_t end = str_find(in, STR("\r\n\r\n"));
	if (in.len && (in.data[0] < 'A' || in.data[0] > 'Z'))
		return -1;
	if (end < 0)
		return in.len > 65536 ? -1 : 0;
	struct str head = str_slice(in, 0, (size_t)end), line = head, rest;
	size_t body_len;
	*r = (struct request){ 0 };
	if (!read_headers(head, r, &body_len))
		return -1;
	r->bytes = (size_t)end + 4 + body_len;
	if (in.len < r->bytes)
		return 0;
	r->body = str_slice(in, (size_t)end + 4, r->bytes);
	rest = line;
	return str_split(&rest, ' ', &r->method) && str_split(&rest, ' ', &r->path) ? 1 : -1;
}

/* What is asked by the tests themselves. False: not such a path. */
static bool answer_tests(struct endpoint *e, struct connection *c, struct str path)
{
	static const struct str latency = STR_INIT("/latency/");
	double ms;
	if (str_eq_c(path, "/health")) {
		answer_plain(c, "application/json", "{\"status\":\"ok\"}");
	} else if (str_eq_c(path, "/stats")) {
		answer_stats(e, c);
	} else if (str_eq_c(path, "/twice")) {
		answer_text(c, "text/plain", buf_str(&e->twice));
	} else if (str_eq_c(path, "/reset")) {
		map_clear(&e->bodies);
		map_clear(&e->peers);
		buf_clear(&e->twice);
		e->counts = (struct counts){ 0 };
		answer_plain(c, "text/plain", "ok\n");
	} else if (str_starts(path, latency) && str_to_double(str_slice(path, latency.len, path.len), &ms) && ms >= 0) {
		e->script.latency_ms = ms;
		answer_plain(c, "text/plain", "ok\n");
	} else {
		return false;
	}
	return true;
}

/* False when the connection is gone. */
static bool serve(struct endpoint *e, struct connection *c)
{
	size_t used = 0;
	while (!c->busy) {
		struct request r;
		int whole = read_request(str_slice(buf_str(&c->in), used, c->in.len), &r);
		if (whole < 0) { /* a greeting of TLS, for one: said in plain text, as such servers do */
			static const char no[] = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
			(void)!send(c->fd, no, sizeof(no) - 1, MSG_NOSIGNAL);
			drop(e, c);
			return false;
		}
		if (whole == 0)
			break;
		used += r.bytes;
		if (answer_tests(e, c, r.path)) {
			continue;
		} else if (!has_key(e, &r)) {
			answer_denied(e, c);
		} else if (!answer_model(e, c, r.path, r.body)) {
			return false;
		}
	}
	if (used) {
		memmove(c->in.data, c->in.data + used, c->in.len - used);
		c->in.len -= used;
	}
	return c->busy || flush(e, c);
}

static void on_readable(struct endpoint *e, struct connection *c)
{
	for (;;) {
		if (!buf_reserve(&c->in, 16384)) {
			drop(e, c);
			return;
		}
		ssize_t n = recv(c->fd, c->in.data + c->in.len, 16384, 0);
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			break;
		if (n <= 0) {
			drop(e, c);
			return;
		}
		c->in.len += (size_t)n;
		if (n < 16384)
			break;
	}
	(void)serve(e, c);
}

static void on_accept(struct endpoint *e)
{
	for (;;) {
		struct sockaddr_in peer = { 0 };
		socklen_t len = sizeof(peer);
		int fd = accept4(e->listen_fd, (struct sockaddr *)&peer, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0)
			return;
		int on = 1;
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)); /* slower without, not wrong */
		struct connection *c = mem_new(1, sizeof(*c));
		c->fd = fd;
		c->address = peer.sin_addr.s_addr;
		c->id = ++e->next_id;
		buf_init(&c->in, REQUEST_BYTES_MAX + 65536);
		buf_init(&c->out, RESPONSE_BYTES_MAX);
		*(struct connection **)map_put_u64(&e->connections, c->id, NULL) = c;
		struct epoll_event ev = { .events = EPOLLIN | EPOLLRDHUP, .data.u64 = c->id };
		check(epoll_ctl(e->epoll_fd, EPOLL_CTL_ADD, fd, &ev) == 0);
	}
}

static struct connection *find(struct endpoint *e, uint64_t id)
{
	struct connection **c = map_get_u64(&e->connections, id);
	return c ? *c : NULL;
}

static int wait_ms(struct endpoint *e)
{
	struct heap_item first;
	if (!heap_min(&e->due, &first))
		return -1;
	uint64_t now = now_us();
	return first.key <= now ? 0 : (int)((first.key - now + 999) / 1000);
}

static void run_due(struct endpoint *e)
{
	struct heap_item item;
	uint64_t now = now_us();
	while (heap_min(&e->due, &item) && item.key <= now) {
		(void)heap_pop(&e->due, &item);
		struct connection *c = find(e, item.id);
		if (c && flush(e, c) && !c->busy)
			(void)serve(e, c);
	}
}

static void run(struct endpoint *e)
{
	struct epoll_event events[EVENTS_MAX];
	while (!stop) {
		int n = epoll_wait(e->epoll_fd, events, EVENTS_MAX, wait_ms(e));
		for (int i = 0; i < n; i++) {
			if (events[i].data.u64 == 0) {
				on_accept(e);
				continue;
			}
			struct connection *c = find(e, events[i].data.u64);
			if (c && events[i].events & EPOLLOUT) {
				watch(e, c, false);
				if (!flush(e, c))
					continue;
			}
			if (c && events[i].events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
				on_readable(e, c);
		}
		run_due(e);
	}
}

static bool listen_on(struct endpoint *e, uint16_t port)
{
	int on = 1;
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = e->listen };
	socklen_t len = sizeof(a);
	e->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	e->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (e->listen_fd < 0 || e->epoll_fd < 0 ||
	    setsockopt(e->listen_fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0)
		return false;
	if (bind(e->listen_fd, (struct sockaddr *)&a, len) != 0 || listen(e->listen_fd, 4096) != 0)
		return false;
	struct epoll_event ev = { .events = EPOLLIN, .data.u64 = 0 };
	if (epoll_ctl(e->epoll_fd, EPOLL_CTL_ADD, e->listen_fd, &ev) != 0)
		return false;
	if (getsockname(e->listen_fd, (struct sockaddr *)&a, &len) != 0)
		return false;
	(void)printf("listening %u\n", (unsigned)ntohs(a.sin_port));
	return fflush(stdout) == 0;
}

static bool read_flags(struct endpoint *e, int argc, char **argv, uint16_t *ret_port)
{
	const struct {
		const char *name;
		double *value;
	} flags[] = { { "--latency-ms", &e->script.latency_ms },
		      { "--sigma", &e->script.sigma },
		      { "--error-share", &e->script.error_share },
		      { "--rate-limit-share", &e->script.rate_limit_share } };
	for (int i = 1; i < argc; i += 2) {
		uint64_t whole = 0;
		double real = 0;
		bool found = false;
		if (i + 1 < argc && strcmp(argv[i], "--want-key") == 0) {
			e->want_key = argv[i + 1];
			continue;
		}
		if (i + 1 < argc && strcmp(argv[i], "--listen") == 0) {
			if (inet_pton(AF_INET, argv[i + 1], &e->listen) != 1)
				return false;
			continue;
		}
		if (i + 1 < argc && strcmp(argv[i], "--die-on") == 0) {
			e->die_on = argv[i + 1];
			continue;
		}
		if (i + 1 >= argc || !str_to_double(str_from(argv[i + 1]), &real))
			return false;
		for (size_t f = 0; f < ARRAY_LEN(flags); f++)
			if (strcmp(argv[i], flags[f].name) == 0) {
				*flags[f].value = real;
				found = true;
			}
		if (found)
			continue;
		if (!str_to_u64(str_from(argv[i + 1]), &whole))
			return false;
		if (strcmp(argv[i], "--port") == 0 && whole < 65536)
			*ret_port = (uint16_t)whole;
		else if (strcmp(argv[i], "--seed") == 0)
			e->script.seed = whole;
		else if (strcmp(argv[i], "--retry-after-ms") == 0)
			e->script.retry_after_ms = (int64_t)whole;
		else
			return false;
	}
	return true;
}

int main(int argc, char **argv)
{
	struct endpoint e = { .script = { .seed = 1, .retry_after_ms = 50 },
		              .listen.s_addr = htonl(INADDR_LOOPBACK),
		              .started_us = now_us() };
	uint16_t port = 0;
	map_init(&e.connections, sizeof(struct connection *));
	map_init(&e.bodies, sizeof(struct seen));
	map_init(&e.peers, sizeof(uint64_t));
	buf_init(&e.twice, TWICE_BYTES_MAX);
	heap_init(&e.due);
	if (!read_flags(&e, argc, argv, &port)) {
		(void)fprintf(stderr, "endpoint: bad flag; see the head of tests/endpoint/endpoint.c\n");
		return 2;
	}
	struct sigaction on_stop = { .sa_handler = on_signal };
	(void)sigaction(SIGTERM, &on_stop, NULL); /* both numbers are valid */
	(void)sigaction(SIGINT, &on_stop, NULL);
	if (!listen_on(&e, port)) {
		(void)fprintf(stderr, "endpoint: cannot listen: %s\n", strerror(errno));
		return 1;
	}
	run(&e);
	size_t at = 0;
	for (struct connection **c; (c = map_next_u64(&e.connections, &at, NULL)) != NULL;)
		drop(&e, *c);
	map_done(&e.connections);
	map_done(&e.bodies);
	map_done(&e.peers);
	buf_done(&e.twice);
	heap_done(&e.due);
	(void)close(e.listen_fd);
	(void)close(e.epoll_fd);
	return 0;
}
