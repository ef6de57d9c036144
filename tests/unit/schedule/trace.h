/* tests/unit/schedule/trace.h - drives a schedule from short sentences and writes what it does as text.
 *
 * One line an action: "TIME ACTION ...". Workers are toys that remember what they were lent, so that a Renew or a Hello
 * can list it; they act only when told. The shell is told too, unless `easy`: then items are loaded and positions
 * durable at once, and neither is written into the trace. */
#ifndef ASSAY_TESTS_UNIT_SCHEDULE_TRACE_H
#define ASSAY_TESTS_UNIT_SCHEDULE_TRACE_H

#include "common/base/buf.h"
#include "coordinator/schedule/schedule.h"

enum { TOYS = 12, TOY_LEASES = 64, TOY_SAMPLES = 512 };

struct toy_lease {
	struct lease_no number;
	uint64_t run_id;
	uint32_t retry_no, count;
	uint64_t sample_nos[TOY_SAMPLES];
	uint8_t held[TOY_SAMPLES / 8], started[TOY_SAMPLES / 8];
};

struct toy { /* worker w is toys[w % TOYS] */
	uint32_t id, outbox;
	uint64_t frame_seen, renew_no;
	uint32_t slots; /* of route 1: the last Grant */
	uint32_t in_flight;
	bool deaf; /* frames do not reach it */
	bool outbox_fails;
	bool modest; /* wants nothing of a route on which it has no slot, as agents do, only in all */
	struct toy_lease leases[TOY_LEASES];
	size_t lease_count;
};

struct trace {
	struct schedule *s;
	struct sched_actions out;
	struct buf text;
	uint64_t now_ms, term, ask_id;
	uint32_t item_bytes; /* of every item */
	bool easy, quiet;    /* quiet: nothing is written */
	struct toy toys[TOYS];
};

void trace_begin(struct trace *t, uint64_t term);
void trace_end(struct trace *t);
void trace_is(struct trace *t, const char *want, const char *file, int line); /* and starts anew */
#define assert_trace(t, want) trace_is((t), (want), __FILE__, __LINE__)

void feed(struct trace *t, struct sched_event ev); /* at t->now_ms; carries out what is easy */
void tick(struct trace *t, uint64_t now_ms);       /* moves time and feeds a TICK */
void wait_until(struct trace *t, uint64_t now_ms); /* TICKs at every deadline on the way */

void add_route(struct trace *t, uint32_t route_id, uint32_t concurrency);
struct sched_run plain_run(uint64_t run_id, uint64_t items); /* route 1, one epoch */
void admit(struct trace *t, struct sched_run run);

struct msg_hello plain_hello(uint32_t outbox, uint32_t slots);                /* able to do all */
void join(struct trace *t, uint32_t worker, uint32_t outbox, uint32_t slots); /* lists what the toy holds */
void renew(struct trace *t, uint32_t worker, uint32_t wanted);                /* the same */
void go(struct trace *t, uint32_t worker, bool orderly);
void restart(struct trace *t, uint32_t worker); /* the toy forgets all it held */

void start(struct trace *t, uint32_t worker, uint64_t run_id, uint64_t sample_no); /* told with the next Renew */
void start_all(struct trace *t, uint32_t worker);
void done(struct trace *t, uint32_t worker, uint64_t run_id, uint64_t sample_no); /* scored, stored, committed */
void done_all(struct trace *t, uint32_t worker);
void stored(struct trace *t, uint32_t worker, uint64_t run_id, uint64_t sample_no, uint32_t retry_no,
            enum outcome outcome); /* worker 0: a row of the coordinator */
void failed(struct trace *t, uint32_t worker, uint64_t run_id, uint64_t sample_no, enum error_class class,
            bool given_up, uint32_t attempt_count, int64_t retry_after_ms);
void give_back(struct trace *t, uint32_t worker, struct lease_no number, enum release_cause cause, uint32_t from,
               uint32_t count, uint64_t ask_id);
struct sched_run_view view_of(struct trace *t, uint64_t run_id);

#endif
