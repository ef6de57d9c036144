#include "coordinator/fleet/door.h"
#include "common/base/check.h"
#include "common/io/log.h"
#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

enum {
	STRANGERS_MAX = 1024,
	DESCRIPTORS_WANTED = 65536,
	FIRST_BYTES_S = 5, /* as long as a handshake may take */
	TELL_MS = 60000,
	TCP_FLAGS_AT = 13, /* byte of the TCP header, where a filter on a listening socket begins */
	IPV4_SOURCE_AT = 12,
	SYN = 0x02,
	ACK = 0x10,
};

/* A worker each is a descriptor each: what the system lets us have, we take. How many we then have. */
static uint64_t raise_descriptors(void)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return STRANGERS_MAX;
	rlim_t before = limit.rlim_cur, wanted = MIN_OF((rlim_t)DESCRIPTORS_WANTED, limit.rlim_max);
	if (wanted > before) {
		limit.rlim_cur = wanted;
		if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
			return before;
		return wanted;
	}
	return before;
}

enum err_code door_init(struct door *d, struct zsock *router, struct metrics *metrics, struct error *reterr)
{
	static const struct metrics_spec specs[] = {
		{ .kind = METRICS_GAUGE,
		  .name = "assay_fleet_strangers",
		  .help = "Connections that have not become a session" },
		{ .kind = METRICS_COUNTER,
		  .name = "assay_fleet_door_shut_total",
		  .help = "Times that new connections were turned away because too many strangers stood there" },
	};
	*d = (struct door){ .listen_fd = -1 };
	d->strangers_max = MIN_OF(raise_descriptors() / 4, (uint64_t)STRANGERS_MAX);
	d->strangers = metrics_one(metrics, &specs[0]);
	d->shut_count = metrics_one(metrics, &specs[1]);
	return zsock_monitor_connections(router, &d->monitor, reterr);
}

static void found(struct door *d, int fd)
{
	int seconds = FIRST_BYTES_S;
	d->listen_fd = fd;
	if (setsockopt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &seconds, sizeof(seconds)) != 0)
		log_warn("connections that say nothing cannot be kept out", log_c("why", strerror(errno)));
}

/* Runs in the kernel on each packet that comes to the listening socket. */
static bool shut(const struct door *d, bool known_get_in)
{
	static const struct sock_filter only_openings[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, TCP_FLAGS_AT),
		BPF_STMT(BPF_ALU | BPF_AND | BPF_K, SYN | ACK),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYN, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
	}, only_ipv4[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, (uint32_t)SKF_NET_OFF),
		BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xf0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x40, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, 0),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)SKF_NET_OFF + IPV4_SOURCE_AT),
	};
	struct sock_filter code[ARRAY_LEN(only_openings) + ARRAY_LEN(only_ipv4) + 2 * DOOR_KNOWN_MAX + 1];
	size_t n = 0;
	for (size_t i = 0; i < ARRAY_LEN(only_openings); i++)
		code[n++] = only_openings[i];
	for (size_t i = 0; known_get_in && i < ARRAY_LEN(only_ipv4); i++)
		code[n++] = only_ipv4[i];
	for (size_t i = 0; known_get_in && i < d->known_count; i++) {
		code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, d->known[i], 0, 1);
		code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, UINT32_MAX);
	}
	code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, 0);
	struct sock_fprog program = { .len = (unsigned short)n, .filter = code };
	return setsockopt(d->listen_fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) == 0;
}

static bool open_again(int fd)
{
	int unused = 0;
	return setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &unused, sizeof(unused)) == 0;
}

static void turn(struct door *d, enum door_state to, uint64_t strangers, uint64_t now_ms)
{
	bool is_open = d->state == DOOR_OPEN;
	if (to == DOOR_OPEN ? !open_again(d->listen_fd) : !shut(d, to == DOOR_KNOWN_ONLY)) {
		log_error("the door for workers cannot be turned", log_c("why", strerror(errno)));
		d->listen_fd = -1;
		return;
	}
	d->state = to;
	if (!is_open || to == DOOR_OPEN)
		return;
	metrics_add(d->shut_count, 1);
	if (d->told_ms && now_ms - d->told_ms < TELL_MS)
		return;
	d->told_ms = now_ms;
	log_warn("too many connections without a worker behind them: new ones wait outside",
	         log_u64("strangers", strangers));
}

/* Where it goes on from its state: it shuts at the limits, and opens well below them. */
static enum door_state next_state(const struct door *d, uint64_t strangers)
{
	uint64_t most = d->strangers_max, fewer = most / 4 * 3;
	if (strangers >= 2 * most || (d->state == DOOR_SHUT && strangers > most + fewer))
		return DOOR_SHUT;
	if (strangers >= most || (d->state != DOOR_OPEN && strangers > fewer))
		return DOOR_KNOWN_ONLY;
	return DOOR_OPEN;
}

void door_know(struct door *d, struct str address)
{
	char text[INET_ADDRSTRLEN];
	struct in_addr in;
	if (address.len >= sizeof(text))
		return;
	(void)snprintf(text, sizeof(text), "%.*s", STR_ARG(address)); /* fits */
	if (inet_pton(AF_INET, text, &in) != 1)
		return;
	uint32_t host_order = ntohl(in.s_addr);
	for (size_t i = 0; i < d->known_count; i++)
		if (d->known[i] == host_order)
			return;
	d->known[d->known_next] = host_order;
	d->known_next = (d->known_next + 1) % DOOR_KNOWN_MAX;
	d->known_count = MIN_OF(d->known_count + 1, (size_t)DOOR_KNOWN_MAX);
}

void door_watch(struct door *d, uint64_t session_count, uint64_t now_ms)
{
	struct zsock_event ev;
	while (zsock_monitor_next(d->monitor, &ev)) {
		if (ev.kind == ZSOCK_EVENT_LISTENING)
			found(d, ev.fd);
		else if (ev.kind == ZSOCK_EVENT_CONNECTED)
			d->connection_count++;
		else if (ev.kind == ZSOCK_EVENT_LOST && d->connection_count > 0)
			d->connection_count--;
	}
	uint64_t strangers = d->connection_count - MIN_OF(session_count, d->connection_count);
	metrics_set(d->strangers, (double)strangers);
	enum door_state to = next_state(d, strangers);
	if (d->listen_fd >= 0 && to != d->state)
		turn(d, to, strangers, now_ms);
}
