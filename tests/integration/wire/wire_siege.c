/* tests/integration/wire - strangers at the coordinator's door, for test_wire_siege.py.
 *
 *   wire_siege ENDPOINT SERVER_KEY_FILE CONNECTS_PER_S HANDSHAKES_PER_S SECONDS [cut|talk|hold [FROM]]
 *
 * FROM is the address that the raw connections come from, 127.0.0.2 say. Two threads. One opens raw TCP connections: by
 * default each is cut off (RST) as soon as LINGERING newer ones stand; with "talk" each first sends the ten bytes that
 * a ZMTP greeting begins with; with "hold" they stay until HELD_MAX stand, talking, which is what a slow stranger does.
 * The other shakes hands by CURVE with the right server key and a new key of its own each time. Both keep their rate by
 * the clock, not by their luck. Prints one line of JSON. */
#include "common/base/check.h"
#include "common/base/mem.h"
#include "common/io/clock.h"
#include "common/io/fs.h"
#include "common/io/keys.h"
#include "common/io/thread.h"
#include "common/io/zsock.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { LINGERING = 32, HELD_MAX = 12000, SHAKING = 64, TURN_US = 1000 };
enum manner { CUT, TALK, HOLD };

struct siege {
	struct sockaddr_in address, from;
	char endpoint[160];
	struct keys_public server_key;
	uint64_t connects_per_s, handshakes_per_s, begin_us, end_us;
	enum manner manner;
	uint64_t tried, stood, failed, shaken; /* each written by one thread */
};

static void take_a_nap(void)
{
	struct timespec nap = { 0, TURN_US * 1000L };
	(void)nanosleep(&nap, NULL); /* a signal only shortens it */
}

/* How many of `per_s` are due by now, and a nap until there is one. */
static uint64_t due(const struct siege *s, uint64_t per_s, uint64_t done)
{
	for (;;) {
		uint64_t now_us = clock_now_us();
		if (now_us >= s->end_us)
			return 0;
		uint64_t wanted = (now_us - s->begin_us) * per_s / 1000000;
		if (wanted > done)
			return wanted - done;
		take_a_nap();
	}
}

/* Without a port of its own: the kernel finds one when it knows where to. */
static bool come_from(const struct siege *s, int fd)
{
	int yes = 1;
	return s->from.sin_family != AF_INET ||
	       (setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &yes, sizeof(yes)) == 0 &&
	        bind(fd, (const struct sockaddr *)&s->from, sizeof(s->from)) == 0);
}

static int open_raw(struct siege *s)
{
	static const unsigned char greeting[10] = { 0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f };
	struct linger cut = { .l_onoff = 1, .l_linger = 0 };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	s->tried++;
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_LINGER, &cut, sizeof(cut)) != 0 || !come_from(s, fd) ||
	    (connect(fd, (const struct sockaddr *)&s->address, sizeof(s->address)) != 0 && errno != EINPROGRESS)) {
		s->failed++;
		if (fd >= 0)
			(void)close(fd); /* no data in it */
		return -1;
	}
	if (s->manner != CUT)
		(void)send(fd, greeting, sizeof(greeting), MSG_NOSIGNAL); /* one that does not stand yet says nothing */
	return fd;
}

static void close_raw(struct siege *s, int fd)
{
	struct tcp_info info;
	socklen_t len = sizeof(info);
	if (fd < 0)
		return;
	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0 && info.tcpi_state != TCP_SYN_SENT)
		s->stood++;
	(void)close(fd); /* with RST: no port waits for it */
}

static void knock(void *arg)
{
	struct siege *s = arg;
	size_t cap = s->manner == HOLD ? HELD_MAX : LINGERING, at = 0;
	int *fds = mem_new(cap, sizeof(*fds));
	for (size_t i = 0; i < cap; i++)
		fds[i] = -1;
	for (uint64_t n; (n = due(s, s->connects_per_s, s->tried)) > 0;) {
		for (n = MIN_OF(n, (uint64_t)64); n > 0; n--) { /* after a long wait, in bites */
			close_raw(s, fds[at]);
			fds[at] = open_raw(s);
			at = (at + 1) % cap;
		}
	}
	for (size_t i = 0; i < cap; i++)
		close_raw(s, fds[i]);
	mem_free(fds);
}

static void shake(void *arg)
{
	struct siege *s = arg;
	struct zsock_context *context;
	struct zsock *socks[SHAKING] = { NULL };
	struct error e;
	check_msg(zsock_context_new(1, 0, &context, &e) == ERR_OK, "%s", e.text);
	while (due(s, s->handshakes_per_s, s->shaken) > 0) {
		struct keys_pair pair;
		struct zsock_options o = { .pair = &pair, .server_key = s->server_key };
		struct zsock **sock = &socks[s->shaken % SHAKING];
		keys_pair_new(&pair);
		zsock_close(*sock);
		*sock = NULL;
		enum err_code err = zsock_dealer_new(context, &o, sock, &e);
		if (err !=
		    ERR_OK) { /* as many as the system lets us have stand there: the closed ones take their time */
			check_msg(err == ERR_LIMIT, "%s", e.text);
			keys_pair_done(&pair);
			take_a_nap();
			continue;
		}
		check_msg(zsock_connect(*sock, s->endpoint, &e) == ERR_OK, "%s", e.text);
		keys_pair_done(&pair);
		s->shaken++;
	}
	for (size_t i = 0; i < SHAKING; i++)
		zsock_close(socks[i]);
	zsock_context_free(context);
}

static bool read_number(const char *text, uint64_t *ret)
{
	return str_to_u64(str_from(text), ret) && *ret <= 1000000;
}

static enum err_code read_server_key(struct siege *s, const char *path, struct error *reterr)
{
	struct buf text;
	buf_init(&text, 4096);
	enum err_code err = fs_read(path, &text, reterr);
	if (err == ERR_OK && !keys_from_text(str_trim(buf_str(&text)), s->server_key.bytes))
		err = error_set(reterr, ERR_INVALID, "%s holds no key", path);
	buf_done(&text);
	return err;
}

/* "tcp://127.0.0.1:5555" */
static bool read_endpoint(struct siege *s, const char *text)
{
	struct str rest = str_from(text), port_text;
	const char *colon = strrchr(text, ':');
	char host[64];
	uint64_t port;
	if (!str_starts(rest, STR("tcp://")) || !colon || (size_t)(colon - text) >= sizeof(host) + 6)
		return false;
	port_text = str_from(colon + 1);
	(void)snprintf(host, sizeof(host), "%.*s", (int)(colon - text - 6), text + 6);
	(void)snprintf(s->endpoint, sizeof(s->endpoint), "%s", text);
	s->address.sin_family = AF_INET;
	if (!str_to_u64(port_text, &port) || port > 65535 || inet_pton(AF_INET, host, &s->address.sin_addr) != 1)
		return false;
	s->address.sin_port = htons((uint16_t)port);
	return true;
}

int main(int argc, char **argv)
{
	static struct siege s;
	struct thread *knocker, *shaker;
	struct error e = { 0 };
	uint64_t seconds;
	bool readable = argc >= 6 && read_endpoint(&s, argv[1]) && read_number(argv[3], &s.connects_per_s) &&
	                read_number(argv[4], &s.handshakes_per_s) && read_number(argv[5], &seconds);
	if (!readable) {
		(void)fprintf(stderr,
		              "use: wire_siege ENDPOINT SERVER_KEY_FILE CONNECTS_PER_S HANDSHAKES_PER_S SECONDS "
		              "[cut|talk|hold [FROM]]\n");
		return 2;
	}
	if (argc > 6)
		s.manner = strcmp(argv[6], "hold") == 0 ? HOLD : strcmp(argv[6], "talk") == 0 ? TALK : CUT;
	s.from.sin_family = argc > 7 ? AF_INET : AF_UNSPEC;
	if (argc > 7 && inet_pton(AF_INET, argv[7], &s.from.sin_addr) != 1) {
		(void)fprintf(stderr, "wire_siege: '%s' is no address\n", argv[7]);
		return 2;
	}
	if (keys_init(&e) != ERR_OK || read_server_key(&s, argv[2], &e) != ERR_OK) {
		(void)fprintf(stderr, "wire_siege: %s\n", e.text);
		return 1;
	}
	s.begin_us = clock_now_us();
	s.end_us = s.begin_us + seconds * 1000000;
	if (thread_start(&knocker, "knock", knock, &s, &e) != ERR_OK ||
	    thread_start(&shaker, "shake", shake, &s, &e) != ERR_OK) {
		(void)fprintf(stderr, "wire_siege: %s\n", e.text);
		return 1;
	}
	thread_join(knocker);
	thread_join(shaker);
	(void)printf("{\"tried\": %llu, \"stood\": %llu, \"failed\": %llu, \"shaken\": %llu, \"seconds\": %llu}\n",
	             (unsigned long long)s.tried, (unsigned long long)s.stood, (unsigned long long)s.failed,
	             (unsigned long long)s.shaken, (unsigned long long)seconds);
	return 0;
}
