/* tests/unit/store/fake_pq.h - libpq replaced by a small server in memory (--wrap): what a writer says to PostgreSQL,
 * with faults on order.
 *
 * It knows the writer's statements by name. A pipeline is a transaction: it is applied when its Sync arrives, unless
 * one of its statements fails. Results are kept by ask id, so that a test can see what was stored, how often, and as
 * what. One connection at a time. Runs from 100 on are spread over three partitions. */
#ifndef ASSAY_TESTS_FAKE_PQ_H
#define ASSAY_TESTS_FAKE_PQ_H

#include "common/base/map.h"
#include "common/base/rng.h"

/* All functions of libpq that coordinator/store/pg.c calls, for WRAP in CMake: keep in step with fake_pq.cmake. */

struct fake_stored {
	int outcome;       /* of the row that was inserted first */
	unsigned inserted; /* rows of this ask: never more than one */
};

struct fake_pq {
	uint64_t term;      /* whose leader row it is */
	struct map stored;  /* ask id -> struct fake_stored */
	struct map samples; /* run and sample -> ask id of its row */
	unsigned refused;
	uint64_t calls;                        /* of functions that can fail, so far */
	uint64_t fail_at;                      /* this call fails, and the connection with it; 0: none */
	bool lose_answer;                      /* once: the next group is committed, its answer never arrives */
	bool mute;                             /* answers nothing at all */
	char error_statement[40], sqlstate[6]; /* the next error_count runs of that statement fail so */
	unsigned error_count;
	uint64_t poison_ask; /* a group with this ask fails with 23514 */
	bool poison_even_spoiled, poison_even_refused;
	unsigned connections, prepares, result_statements, jobs, largest_group;

	/* A slow and unsure network, in virtual time; off: everything is there at once. What a call could not do yet, a
	 * later one does; fake_poll() says when, and moves the time there. */
	struct rng *chance; /* NULL: off */
	uint64_t now_ms;
	unsigned faults_left; /* drawn by chance while there are some */
};

enum { FAKE_WAKE_FD = 1 << 20 }; /* a descriptor for fake_poll() that is readable from wake_ms on */

/* poll(2) on the connection and FAKE_WAKE_FD. Fails the test when it would wait for ever. */
struct pollfd;
int fake_poll(struct pollfd *fds, unsigned long count, int timeout_ms, uint64_t wake_ms);

extern struct fake_pq fake;
void fake_begin(void); /* empties everything; term 1 */
void fake_end(void);

#endif
