/* Goal: whatever comes in whatever order, the core hears JOINED and GONE in pairs, no record is handed on while it is
 * on its way, the window holds, numbers grow, and a closed session is silent. */
#include "common/base/map.h"
#include "common/base/rng.h"
#include "coordinator/session/session.h"
#include "tests/support/cmocka_all.h"

enum { SEEDS = 4000, STEPS = 120, RECORDS = 600 };

struct watch { /* what has been seen, in the simplest words */
	struct session s;
	struct session_config config;
	uint64_t seed, now_ms, core_number, last_number;
	int joined, gone, closed;
	bool welcomed;
	struct map on_its_way; /* record_no -> bytes */
};

static void must(const struct watch *w, bool holds, const char *what, int step)
{
	if (!holds)
		fail_msg("seed %llu step %d: %s", (unsigned long long)w->seed, step, what);
}

static void look_at(struct watch *w, const struct session_actions *out, int step)
{
	for (size_t i = 0; i < out->len; i++) {
		const struct session_action *a = &out->items[i];
		must(w, w->closed == 0, "something after CLOSE", step);
		switch (a->kind) {
		case SESSION_DO_SEND:
			must(w, a->send.number >= w->last_number, "a number went back", step);
			w->last_number = a->send.number;
			w->welcomed |= a->send.kind == MSG_WELCOME;
			must(w, w->welcomed || a->send.kind == MSG_REFUSED, "sent before Welcome", step);
			break;
		case SESSION_DO_JOINED:
			w->joined++;
			break;
		case SESSION_DO_RESULTS:
			must(w, w->welcomed, "results before Welcome", step);
			for (size_t k = 0; k < a->results.count; k++) {
				bool is_new;
				(void)map_put_u64(&w->on_its_way, a->results.records[k].record_no, &is_new);
				must(w, is_new, "a record handed on twice", step);
			}
			break;
		case SESSION_DO_GONE:
			w->gone++;
			break;
		case SESSION_DO_CLOSE:
			w->closed++;
			break;
		default:
			must(w, w->welcomed, "passed on before Welcome", step);
		}
	}
	must(w, w->joined <= 1 && w->gone <= w->joined, "GONE without JOINED", step);
	must(w, w->closed == 0 || w->gone == w->joined, "closed without GONE", step);
	must(w, w->s.batch_count <= 4 && w->s.unacked_bytes <= 1 << 20, "the window is too full", step);
}

static struct msg random_frame(struct rng *rng, struct msg_record *records)
{
	struct msg m = { .kind = (enum msg_kind)(1 + rng_below(rng, MSG_KIND_COUNT - 1)), .session = 9 };
	if (rng_below(rng, 4) > 0)
		m.kind = rng_below(rng, 3) ? MSG_RESULTS : MSG_RENEW;
	m.session -= rng_below(rng, 60) == 0;
	if (m.kind == MSG_HELLO) {
		m.hello = (struct msg_hello){ .version_min = 1, .version_max = 1, .session = 9, .slots = 1 };
		m.hello.outbox.bytes[3] = 1;
	} else if (m.kind == MSG_RENEW) {
		m.renew.renew_no = rng_below(rng, 1000);
		m.renew.frame_seen = rng_below(rng, 3);
	} else if (m.kind == MSG_RESULTS) {
		m.results.record_count = rng_below(rng, 20);
		uint64_t from = rng_below(rng, RECORDS);
		for (size_t i = 0; i < m.results.record_count; i++)
			records[i] = (struct msg_record){ .record_no = from + rng_below(rng, 30) };
		m.results.records = records;
	}
	return m;
}

static void random_event(struct watch *w, struct rng *rng, struct session_actions *out, int step)
{
	static struct msg_record records[32];
	struct msg m = random_frame(rng, records);
	struct record_range range = { rng_below(rng, RECORDS), 0 };
	range.last = range.first + rng_below(rng, 200);
	struct session_event ev = { .kind = SESSION_FRAME, .now_ms = w->now_ms };
	ev.frame.msg = &m;
	ev.frame.bytes = 1 + rng_below(rng, 300 << 10);
	if (step == 0) {
		m.kind = MSG_HELLO;
		m.hello = (struct msg_hello){ .version_min = 1, .version_max = 1, .session = 9, .slots = 1 };
		m.hello.outbox.bytes[3] = 1;
	} else if (step == 1 || rng_below(rng, 20) == 0) {
		ev.kind = SESSION_CORE_WELCOME;
		ev.welcome.refused_count = ev.welcome.verdict_count = 0;
	} else if (rng_below(rng, 3) == 0) {
		ev.kind = SESSION_COMMITTED;
		ev.committed.ranges = &range;
		ev.committed.range_count = 1;
		for (uint64_t n = range.first; n <= range.last && w->s.state == SESSION_OPEN; n++)
			(void)map_remove_u64(&w->on_its_way, n);
	} else if (rng_below(rng, 5) == 0) {
		ev.kind = SESSION_CORE_SEND;
		ev.send = &m;
		m.kind = MSG_GRANT;
		m.number = w->s.frame_no + 1;
	} else if (rng_below(rng, 10) == 0) {
		ev.kind = (enum session_event_kind)(SESSION_SEND_FAILED + rng_below(rng, 3));
		ev.unreachable = true;
	}
	session_step(&w->s, &ev, out);
}

static void every_rule_holds_for_every_conversation(void **state)
{
	(void)state;
	struct session_actions out;
	session_actions_init(&out);
	uint64_t ended[SESSION_END_COUNT] = { 0 };
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct watch w = { .seed = seed };
		struct rng rng;
		rng_seed(&rng, seed);
		map_init(&w.on_its_way, sizeof(bool));
		session_init(&w.s, &w.config, 1, 0);
		for (int step = 0; step < STEPS; step++) {
			w.now_ms += rng_below(&rng, 300);
			random_event(&w, &rng, &out, step);
			look_at(&w, &out, step);
		}
		ended[w.s.end]++;
		session_done(&w.s);
		map_done(&w.on_its_way);
	}
	assert_true(ended[SESSION_END_OVER_WINDOW] > 50); /* the seeds go where they should */
	assert_true(ended[SESSION_END_BAD_ORDER] > 50);
	assert_true(ended[SESSION_END_NOT_A_WORKER] > 50);
	session_actions_done(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(every_rule_holds_for_every_conversation) };
	return cmocka_run_group_tests_name("session world", tests, NULL, NULL);
}
