/* coordinator/fleet/door.h - how many strangers may stand at the port where workers connect.
 *
 * A stranger is a TCP connection without a session: it has not shaken hands, or has and said nothing. Each costs a
 * descriptor, some kilobytes and a timer of libzmq's, whose list is walked from its begin for each that goes: twenty
 * thousand of them stop the I/O thread for seconds. So there are never more than `strangers_max` and what the kernel's
 * queue holds.
 *
 * Two measures, both in the kernel, where they are paid for by whoever knocks:
 *   - a connection counts as made only once its first bytes are there (a worker's greeting comes at once): who says
 *     nothing is never seen by this process;
 *   - while too many strangers stand the door is shut: a filter on the listening socket drops what opens a connection
 *     (SYN). What stands is not touched; an honest worker's SYN comes again after a second, by its own kernel.
 *     Addresses from which workers have come lately still get in, until twice as many strangers stand: so a worker
 *     that is started again in a siege is back at once, unless the siege comes from its own machine.
 *
 * Where the kernel takes neither, the door stays open, and says so once. Owned by the fleet's thread. */
#ifndef ASSAY_FLEET_DOOR_H
#define ASSAY_FLEET_DOOR_H

#include "common/io/metrics.h"
#include "common/io/zsock.h"

enum { DOOR_KNOWN_MAX = 256 };
enum door_state { DOOR_OPEN, DOOR_KNOWN_ONLY, DOOR_SHUT };

struct door {
	struct zsock *monitor;     /* borrowed: it dies with its socket */
	int listen_fd;             /* the library's; -1: not known, nothing can be done */
	uint64_t connection_count; /* that stand */
	uint64_t strangers_max;
	enum door_state state;
	uint32_t known[DOOR_KNOWN_MAX]; /* IPv4 addresses in host order, newest over oldest */
	size_t known_count, known_next;
	uint64_t told_ms; /* when the log last heard of it */
	struct metrics_series *strangers, *shut_count;
};

/* Watches a ROUTER that is not bound yet. */
enum err_code door_init(struct door *d, struct zsock *router, struct metrics *metrics, struct error *reterr) MUST_CHECK;

/* A registered key has spoken from there (text of an IP address; of another kind than IPv4 is not kept). */
void door_know(struct door *d, struct str address);

/* Reads what happened, and shuts or opens. `session_count`: how many of the connections are no strangers. */
void door_watch(struct door *d, uint64_t session_count, uint64_t now_ms);

#endif
