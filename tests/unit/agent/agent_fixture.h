/* tests/unit/agent/agent_fixture.h - an agent on a fake clock; what it does becomes lines of text.
 *
 * Each line begins with the time. Samples are written as LEASE.INDEX. Notes are left out unless `notes` is set. */
#ifndef ASSAY_TESTS_AGENT_FIXTURE_H
#define ASSAY_TESTS_AGENT_FIXTURE_H

#include "tests/support/cmocka_all.h"
#include "worker/agent/agent.h"

struct fixture {
	struct agent *agent;
	struct agent_config config;
	struct agent_actions out;
	struct agent_vitals vitals;
	struct buf trace;
	uint64_t now_ms;
	uint64_t session[64]; /* of the Hello of each connection */
	uint64_t frame_no, record_no;
	bool notes;
};

struct lease_options {
	uint64_t run_id;
	uint32_t route;
	bool alone, without_context;
};

/* ---- time and traces ---- */
void turn(struct fixture *f);
void until(struct fixture *f, uint64_t to_ms); /* lets the time pass, with a turn whenever the agent asks for one */
void feed(struct fixture *f, struct agent_event ev);
void expect(struct fixture *f, const char *text); /* the trace since the last look is exactly this */
void forget(struct fixture *f);
bool trace_has(struct fixture *f, const char *text);

/* ---- connections and frames of the coordinator; each is followed by a turn, but frame() ---- */
void frame(struct fixture *f, uint32_t conn, struct msg m);
struct msg welcome_msg(struct fixture *f, uint32_t conn, uint64_t term, uint64_t timeline);
void opened(struct fixture *f, uint32_t conn);
void lost(struct fixture *f, uint32_t conn);
void welcome(struct fixture *f, uint32_t conn, uint64_t term, uint64_t timeline);
void renewed(struct fixture *f, uint32_t conn, uint64_t renew_no);
void grant(struct fixture *f, uint32_t conn, uint32_t route, uint32_t slots, uint32_t pause_ms);
/* (1, n) of `count` samples with the items a, b, c ... */
void lease(struct fixture *f, uint32_t conn, uint64_t n, uint32_t count, struct lease_options o);
void commit(struct fixture *f, uint32_t conn, uint64_t first, uint64_t last);

/* ---- what net threads and the outbox say; each is followed by a turn, but turned() ---- */
uint64_t id(uint64_t serial, uint64_t index);
void answered(struct fixture *f, uint64_t sample_id);
void ask_failed(struct fixture *f, uint64_t sample_id, uint32_t wait_ms);
void rate_limited(struct fixture *f, uint64_t sample_id, uint32_t wait_ms, int64_t retry_after_ms);
void kept_of(struct fixture *f, uint64_t sample_id, struct msg_record m);
void kept(struct fixture *f, uint64_t sample_id); /* a result; they are numbered 1, 2, 3 ... in each test */
void turned(struct fixture *f, uint32_t thread);

/* ---- set-up ---- */
void make_agent(struct fixture *f); /* from f->config */
int setup(void **state);            /* two endpoints, four slots, two net threads, 1000 ms */
int teardown(void **state);
void connect_first(struct fixture *f); /* a session in term 1 on connection 1, the first Renew answered */

#endif
