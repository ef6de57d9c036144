/* Goal: a session says and accepts only what its state allows, and its window holds whatever the peer sends. */
#include "common/base/buf.h"
#include "coordinator/session/session.h"
#include "tests/support/cmocka_all.h"

enum { RECORDS_MAX = WIRE_RESULTS_RECORDS_MAX };

struct talk {
	struct session_config config;
	struct session s;
	struct session_actions out;
	struct buf text; /* one line an action */
	uint64_t now_ms;
};

#define ULL(x) (unsigned long long)(x)

static int setup(void **state)
{
	static struct talk t;
	t = (struct talk){ .config = { .term = 5, .timeline = 2, .leader = STR("tcp://b:1") } };
	session_init(&t.s, &t.config, 7, 0);
	session_actions_init(&t.out);
	buf_init(&t.text, 1 << 16);
	*state = &t;
	return 0;
}

static int teardown(void **state)
{
	struct talk *t = *state;
	session_done(&t->s);
	session_actions_done(&t->out);
	buf_done(&t->text);
	return 0;
}

static void write_send(struct talk *t, const struct msg *m)
{
	buf_printf(&t->text, "send %s n%llu s%llu", msg_kind_name(m->kind), ULL(m->number), ULL(m->session));
	if (m->kind == MSG_REFUSED)
		buf_printf(&t->text, " cause %d '%.*s' leader '%.*s'", m->refused.cause, STR_ARG(m->refused.text),
		           STR_ARG(m->refused.leader));
	for (size_t i = 0; m->kind == MSG_COMMIT && i < m->commit.range_count; i++)
		buf_printf(&t->text, " %llu-%llu", ULL(m->commit.ranges[i].first), ULL(m->commit.ranges[i].last));
	if (m->kind == MSG_RENEWED)
		buf_printf(&t->text, " renew %llu term %llu timeline %llu refused %zu", ULL(m->renewed.renew_no),
		           ULL(m->renewed.term), ULL(m->renewed.timeline), m->renewed.refused_count);
}

static void feed(struct talk *t, struct session_event ev)
{
	ev.now_ms = t->now_ms;
	session_step(&t->s, &ev, &t->out);
	for (size_t i = 0; i < t->out.len; i++) {
		const struct session_action *a = &t->out.items[i];
		switch (a->kind) {
		case SESSION_DO_SEND:
			write_send(t, &a->send);
			break;
		case SESSION_DO_JOINED:
			buf_append_c(&t->text, "joined");
			break;
		case SESSION_DO_RENEWED:
			buf_printf(&t->text, "renewed %llu", ULL(a->msg->renew.renew_no));
			break;
		case SESSION_DO_RELEASED:
			buf_append_c(&t->text, "released");
			break;
		case SESSION_DO_RESULTS:
			buf_append_c(&t->text, "results");
			for (size_t k = 0; k < a->results.count; k++)
				buf_printf(&t->text, " %llu", ULL(a->results.records[k].record_no));
			break;
		case SESSION_DO_BLOB:
			buf_append_c(&t->text, "blob");
			break;
		case SESSION_DO_GONE:
			buf_append_c(&t->text, a->orderly ? "gone in order" : "gone");
			break;
		case SESSION_DO_CLOSE:
			buf_printf(&t->text, "close %s", session_end_name(t->s.end));
			break;
		}
		buf_append_char(&t->text, '\n');
	}
}

#define assert_talk(t, want)                                                                                           \
	do {                                                                                                           \
		assert_string_equal((t)->text.data ? (t)->text.data : "", want);                                       \
		buf_clear(&(t)->text);                                                                                 \
		buf_append_c(&(t)->text, "");                                                                          \
	} while (0)

static void frame(struct talk *t, struct msg m, size_t bytes)
{
	struct session_event ev = { .kind = SESSION_FRAME };
	ev.frame.msg = &m;
	ev.frame.bytes = bytes;
	feed(t, ev);
}

static struct msg hello(void)
{
	struct msg m = { .kind = MSG_HELLO, .session = 99 };
	m.hello = (struct msg_hello){ .version_min = 1, .version_max = 1, .session = 99, .slots = 4 };
	m.hello.outbox.bytes[0] = 3;
	return m;
}

static void open_session(struct talk *t)
{
	frame(t, hello(), 100);
	feed(t, (struct session_event){ .kind = SESSION_CORE_WELCOME });
	buf_clear(&t->text);
	buf_append_c(&t->text, "");
}

static struct msg of_kind(enum msg_kind kind)
{
	return (struct msg){ .kind = kind, .session = 99 };
}

static void renew(struct talk *t, uint64_t renew_no, uint64_t frame_seen)
{
	struct msg m = of_kind(MSG_RENEW);
	m.renew.renew_no = renew_no;
	m.renew.frame_seen = frame_seen;
	frame(t, m, 50);
}

static void results(struct talk *t, uint64_t first, uint64_t last, size_t bytes)
{
	static struct msg_record records[RECORDS_MAX];
	struct msg m = of_kind(MSG_RESULTS);
	for (uint64_t i = first; i <= last; i++)
		records[i - first] = (struct msg_record){ .record_no = i };
	m.results.records = records;
	m.results.record_count = last - first + 1;
	frame(t, m, bytes);
}

static void committed(struct talk *t, uint64_t first, uint64_t last)
{
	const struct record_range range = { first, last };
	struct session_event ev = { .kind = SESSION_COMMITTED };
	ev.committed.ranges = &range;
	ev.committed.range_count = 1;
	feed(t, ev);
}

static void core_send(struct talk *t, enum msg_kind kind, uint64_t number)
{
	const struct msg m = { .kind = kind, .number = number };
	feed(t, (struct session_event){ .kind = SESSION_CORE_SEND, .send = &m });
}

static void a_hello_is_handed_to_the_core_and_answered_with_its_welcome(void **state)
{
	struct talk *t = *state;
	frame(t, hello(), 100);
	assert_talk(t, "joined\n");
	const struct lease_no refused = { 4, 2 };
	const uint8_t verdict = ANSWER_SHIP;
	struct session_event ev = { .kind = SESSION_CORE_WELCOME };
	ev.welcome.refused = &refused;
	ev.welcome.refused_count = 1;
	ev.welcome.verdicts = &verdict;
	ev.welcome.verdict_count = 1;
	feed(t, ev);
	assert_talk(t, "send Welcome n0 s99\n");
	const struct msg_welcome *w = &t->out.items[0].send.welcome;
	assert_int_equal(w->version, 1);
	assert_int_equal(w->term, 5);
	assert_int_equal(w->timeline, 2);
	assert_int_equal(w->session, 99);
	assert_int_equal(w->renew_ms, 1000);
	assert_int_equal(w->lease_ms, 3000);
	assert_int_equal(w->resend_ms, 5000);
	assert_int_equal(w->window_frames, 4);
	assert_int_equal(w->window_bytes, 1 << 20);
	assert_ptr_equal(w->refused, &refused);
	assert_int_equal(w->answers[0], ANSWER_SHIP);
	assert_int_equal(t->s.state, SESSION_OPEN);
}

static void nothing_but_a_hello_comes_first(void **state)
{
	struct talk *t = *state;
	renew(t, 1, 0);
	assert_talk(t, "close no_hello\n"); /* the core never heard of it */
	frame(t, hello(), 100);
	assert_talk(t, "");
}

static void a_second_hello_ends_the_session(void **state)
{
	struct talk *t = *state;
	open_session(t);
	frame(t, hello(), 100);
	assert_talk(t, "gone\nclose second_hello\n");
}

static void nothing_may_come_between_hello_and_welcome(void **state)
{
	struct talk *t = *state;
	frame(t, hello(), 100);
	renew(t, 1, 0);
	assert_talk(t, "joined\ngone\nclose early\n");
	feed(t, (struct session_event){ .kind = SESSION_CORE_WELCOME });
	assert_talk(t, "");
}

static void a_frame_of_another_session_ends_this_one(void **state)
{
	struct talk *t = *state;
	open_session(t);
	struct msg m = of_kind(MSG_RELEASED);
	m.session = 98;
	frame(t, m, 10);
	assert_talk(t, "gone\nclose other_session\n");
}

static void a_peer_that_speaks_like_a_coordinator_is_shown_out(void **state)
{
	struct talk *t = *state;
	for (int kind = MSG_HELLO; kind < MSG_KIND_COUNT; kind++) {
		if (kind == MSG_HELLO || kind == MSG_RENEW || kind == MSG_RESULTS || kind == MSG_RELEASED ||
		    kind == MSG_BLOB || kind == MSG_BLOB_WANT)
			continue;
		session_done(&t->s);
		session_init(&t->s, &t->config, 7, 0);
		open_session(t);
		frame(t, of_kind((enum msg_kind)kind), 10);
		assert_talk(t, "gone\nclose not_a_worker\n");
	}
}

static void a_hello_without_a_session_an_outbox_or_slots_is_no_hello(void **state)
{
	struct talk *t = *state;
	for (int i = 0; i < 3; i++) {
		struct msg m = hello();
		m.hello.session = i == 0 ? 0 : 99;
		m.hello.outbox.bytes[0] = i == 1 ? 0 : 3;
		m.hello.slots = i == 2 ? 0 : 4;
		session_done(&t->s);
		session_init(&t->s, &t->config, 7, 0);
		frame(t, m, 10);
		assert_talk(t, "close bad_hello\n");
	}
}

static void versions_that_do_not_meet_are_refused_with_the_reason(void **state)
{
	struct talk *t = *state;
	struct msg m = hello();
	m.hello.version_min = 2;
	m.hello.version_max = 3;
	frame(t, m, 10);
	assert_talk(t, "send Refused n0 s99 cause 2 'you speak versions 2 to 3, this coordinator 1 to 1' leader ''\n"
	               "close version\n");
}

static void the_highest_common_version_is_spoken(void **state)
{
	struct talk *t = *state;
	struct msg m = hello();
	m.hello.version_max = 9;
	frame(t, m, 10);
	feed(t, (struct session_event){ .kind = SESSION_CORE_WELCOME });
	assert_int_equal(t->out.items[0].send.welcome.version, 1);
}

static void a_standby_names_the_leader_at_once(void **state)
{
	struct talk *t = *state;
	t->config.mode = SESSION_STANDBY;
	frame(t, hello(), 10);
	assert_talk(t, "send Refused n0 s99 cause 1 'this coordinator stands by' leader 'tcp://b:1'\n"
	               "close standby\n");
}

static void a_stopping_or_full_coordinator_takes_nobody(void **state)
{
	struct talk *t = *state;
	t->config.mode = SESSION_STOPPING;
	frame(t, hello(), 10);
	assert_talk(t, "send Refused n0 s99 cause 6 'this coordinator is stopping' leader ''\nclose stopping\n");
	session_init(&t->s, &t->config, 7, 0);
	t->config.mode = SESSION_FULL;
	frame(t, hello(), 10);
	assert_talk(t, "send Refused n0 s99 cause 5 'this coordinator has as many workers as it can hold' leader ''\n"
	               "close full\n");
}

static void scheduling_frames_count_up_and_others_repeat_the_highest(void **state)
{
	struct talk *t = *state;
	open_session(t);
	core_send(t, MSG_GRANT, 1);
	core_send(t, MSG_LEASE, 2);
	renew(t, 1, 2);
	struct session_event ev = { .kind = SESSION_CORE_RENEWED };
	ev.renewed.renew_no = 1;
	t->config.timeline = 3;
	feed(t, ev);
	assert_talk(t, "send Grant n1 s99\n"
	               "send Lease n2 s99\n"
	               "renewed 1\n"
	               "send Renewed n2 s99 renew 1 term 5 timeline 3 refused 0\n");
}

static void renewals_go_forward_and_know_no_frame_that_was_never_sent(void **state)
{
	struct talk *t = *state;
	open_session(t);
	renew(t, 5, 0);
	renew(t, 5, 0);
	assert_talk(t, "renewed 5\ngone\nclose bad_order\n");
	session_init(&t->s, &t->config, 7, 0);
	open_session(t);
	core_send(t, MSG_GRANT, 1);
	renew(t, 1, 2);
	assert_talk(t, "send Grant n1 s99\ngone\nclose bad_order\n");
}

static void results_within_the_window_go_to_the_store_and_commits_come_back_exact(void **state)
{
	struct talk *t = *state;
	open_session(t);
	results(t, 10, 12, 300);
	assert_talk(t, "results 10 11 12\n");
	committed(t, 11, 11);
	committed(t, 10, 10);
	committed(t, 12, 12);
	assert_talk(t, "send Commit n0 s99 11-11\n"
	               "send Commit n0 s99 10-10\n"
	               "send Commit n0 s99 12-12\n");
	assert_int_equal(t->s.batch_count, 0);
	assert_int_equal(t->s.unacked_bytes, 0);
}

static void a_frame_over_the_window_ends_the_session(void **state)
{
	struct talk *t = *state;
	open_session(t);
	for (uint64_t i = 0; i < 4; i++)
		results(t, i * 10, i * 10 + 1, 100);
	buf_clear(&t->text);
	results(t, 90, 90, 100);
	assert_talk(t, "gone\nclose over_window\n");
}

static void what_was_sent_again_while_its_commit_was_on_the_way_is_not_handed_on_and_takes_no_room(void **state)
{
	struct talk *t = *state;
	open_session(t);
	for (uint64_t i = 1; i <= 4; i++)
		results(t, i, i, 100);
	committed(t, 1, 4);
	buf_clear(&t->text);
	for (uint64_t i = 1; i <= 4; i++) /* the peer had not heard of it */
		results(t, i, i, 100);
	for (uint64_t i = 5; i <= 8; i++)
		results(t, i, i, 100);
	assert_talk(t, "results 5\nresults 6\nresults 7\nresults 8\n");
	assert_int_equal(t->s.duplicate_count, 4);
	t->config.timeline++; /* there, nothing is stored yet */
	committed(t, 5, 8);
	buf_clear(&t->text);
	results(t, 1, 1, 100);
	assert_talk(t, "results 1\n");
}

static void what_an_earlier_session_sent_may_be_committed_before_it_comes_again(void **state)
{
	struct talk *t = *state;
	open_session(t);
	committed(t, 1, 4);
	buf_clear(&t->text);
	for (uint64_t i = 1; i <= 8; i++)
		results(t, i, i, 100);
	assert_talk(t, "results 5\nresults 6\nresults 7\nresults 8\n");
}

static void bytes_count_against_the_window_too(void **state)
{
	struct talk *t = *state;
	open_session(t);
	results(t, 1, 1, 1 << 20); /* the largest frame there is fits an empty window */
	committed(t, 1, 1);
	results(t, 2, 2, 700 << 10);
	results(t, 3, 3, 324 << 10);
	buf_clear(&t->text);
	results(t, 4, 4, 1 << 10);
	assert_talk(t, "gone\nclose over_window\n");
}

static void a_commit_makes_room_again(void **state)
{
	struct talk *t = *state;
	open_session(t);
	for (uint64_t i = 0; i < 100; i++) {
		results(t, i * 10, i * 10 + 9, 250 << 10);
		committed(t, i * 10, i * 10 + 9);
	}
	assert_int_equal(t->s.state, SESSION_OPEN);
	assert_int_equal(t->s.record_count, 1000);
}

static void records_that_come_again_before_their_commit_are_not_handed_on_twice(void **state)
{
	struct talk *t = *state;
	open_session(t);
	for (uint64_t i = 0; i < 4; i++)
		results(t, i * 10, i * 10 + 1, 100);
	buf_clear(&t->text);
	buf_append_c(&t->text, "");
	for (uint64_t i = 0; i < 4; i++) /* five seconds later it sends all again */
		results(t, i * 10, i * 10 + 1, 100);
	assert_talk(t, "");
	assert_int_equal(t->s.duplicate_count, 8);
	results(t, 31, 33, 150); /* 31 is on its way, 32 and 33 are new: they join its batch */
	assert_talk(t, "results 32 33\n");
	assert_int_equal(t->s.batch_count, 4);
	committed(t, 0, 33);
	assert_int_equal(t->s.batch_count, 0);
	assert_int_equal(t->s.unacked_bytes, 0);
}

static void a_record_twice_in_one_frame_is_one_record(void **state)
{
	struct talk *t = *state;
	struct msg_record records[4] = {
		{ .record_no = 5 }, { .record_no = 3 }, { .record_no = 5 }, { .record_no = 4 }
	};
	struct msg m = of_kind(MSG_RESULTS);
	open_session(t);
	m.results.records = records;
	m.results.record_count = 4;
	frame(t, m, 100);
	assert_talk(t, "results 5 3\nresults 4\n");
}

static void commits_of_records_that_this_session_never_saw_are_passed_on(void **state)
{
	struct talk *t = *state;
	open_session(t); /* they came with an earlier session of the same outbox */
	committed(t, 100, 200);
	assert_talk(t, "send Commit n0 s99 100-200\n");
}

static void a_commit_before_the_welcome_is_not_sent(void **state)
{
	struct talk *t = *state;
	frame(t, hello(), 10);
	committed(t, 1, 5);
	assert_talk(t, "joined\n");
}

static void silence_ends_a_session_and_hello_has_its_own_limit(void **state)
{
	struct talk *t = *state;
	assert_int_equal(session_next_deadline_ms(&t->s), 5000);
	t->now_ms = 4000;
	open_session(t);
	assert_int_equal(session_next_deadline_ms(&t->s), 10000);
	t->now_ms = 9000;
	renew(t, 1, 0);
	t->now_ms = 14999;
	feed(t, (struct session_event){ .kind = SESSION_TICK });
	assert_talk(t, "renewed 1\n");
	t->now_ms = 15000;
	feed(t, (struct session_event){ .kind = SESSION_TICK });
	assert_talk(t, "gone\nclose silent\n");
	assert_int_equal(session_next_deadline_ms(&t->s), UINT64_MAX);
	session_init(&t->s, &t->config, 8, 20000);
	t->now_ms = 25000;
	feed(t, (struct session_event){ .kind = SESSION_TICK });
	assert_talk(t, "close no_hello\n");
	session_init(&t->s, &t->config, 9, 25000);
	frame(t, hello(), 10);
	t->now_ms = 30000;
	feed(t, (struct session_event){ .kind = SESSION_TICK });
	assert_talk(t, "joined\ngone\nclose slow_core\n");
}

static void a_peer_that_cannot_be_sent_to_is_gone(void **state)
{
	struct talk *t = *state;
	open_session(t);
	feed(t, (struct session_event){ .kind = SESSION_SEND_FAILED, .unreachable = true });
	assert_talk(t, "gone\nclose unreachable\n");
	session_init(&t->s, &t->config, 7, 0);
	open_session(t);
	feed(t, (struct session_event){ .kind = SESSION_SEND_FAILED });
	assert_talk(t, "gone\nclose not_reading\n");
	core_send(t, MSG_LEASE, 1);
	committed(t, 1, 1);
	assert_talk(t, "");
}

static void a_revoked_key_and_a_replaced_session_are_told_so(void **state)
{
	struct talk *t = *state;
	open_session(t);
	feed(t, (struct session_event){ .kind = SESSION_KEY_REVOKED });
	assert_talk(t, "send Refused n0 s99 cause 3 'this key is not allowed any more' leader ''\n"
	               "gone\n"
	               "close key_revoked\n");
	session_init(&t->s, &t->config, 7, 0);
	open_session(t);
	feed(t, (struct session_event){ .kind = SESSION_CORE_CLOSE, .cause = REFUSE_DUPLICATE });
	assert_talk(t, "send Refused n0 s99 cause 4 'a newer session has this outbox' leader ''\n"
	               "gone\n"
	               "close replaced\n");
}

static void a_frame_that_cannot_be_read_ends_the_session_and_is_the_peers_fault(void **state)
{
	struct talk *t = *state;
	open_session(t);
	feed(t, (struct session_event){ .kind = SESSION_DECODE_ERROR });
	assert_talk(t, "gone\nclose bad_frame\n");
	assert_true(session_end_is_fault(t->s.end));
	assert_false(session_end_is_fault(SESSION_END_SILENT));
	assert_false(session_end_is_fault(SESSION_END_VERSION));
	for (int e = 0; e < SESSION_END_COUNT; e++)
		assert_string_not_equal(session_end_name((enum session_end)e), "?");
}

static void only_an_empty_handed_worker_that_drains_leaves_in_order(void **state)
{
	struct talk *t = *state;
	struct msg m = hello();
	m.hello.draining = true;
	frame(t, m, 10);
	feed(t, (struct session_event){ .kind = SESSION_CORE_WELCOME });
	core_send(t, MSG_LEASE, 1);
	buf_clear(&t->text);
	t->now_ms = 6000;
	feed(t, (struct session_event){ .kind = SESSION_TICK });
	assert_talk(t, "gone\nclose silent\n"); /* a lease is on its way to it */
	session_init(&t->s, &t->config, 7, t->now_ms);
	open_session(t);
	struct msg released = of_kind(MSG_RELEASED);
	released.released.cause = RELEASE_DRAIN;
	frame(t, released, 10);
	renew(t, 1, 0);
	t->now_ms = 12000;
	feed(t, (struct session_event){ .kind = SESSION_TICK });
	assert_talk(t, "released\nrenewed 1\ngone in order\nclose silent\n");
}

static void blobs_pass(void **state)
{
	struct talk *t = *state;
	open_session(t);
	frame(t, of_kind(MSG_BLOB_WANT), 10);
	frame(t, of_kind(MSG_BLOB), 10);
	assert_talk(t, "blob\nblob\n");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_hello_is_handed_to_the_core_and_answered_with_its_welcome),
		TEST(nothing_but_a_hello_comes_first),
		TEST(a_second_hello_ends_the_session),
		TEST(nothing_may_come_between_hello_and_welcome),
		TEST(a_frame_of_another_session_ends_this_one),
		TEST(a_peer_that_speaks_like_a_coordinator_is_shown_out),
		TEST(a_hello_without_a_session_an_outbox_or_slots_is_no_hello),
		TEST(versions_that_do_not_meet_are_refused_with_the_reason),
		TEST(the_highest_common_version_is_spoken),
		TEST(a_standby_names_the_leader_at_once),
		TEST(a_stopping_or_full_coordinator_takes_nobody),
		TEST(scheduling_frames_count_up_and_others_repeat_the_highest),
		TEST(renewals_go_forward_and_know_no_frame_that_was_never_sent),
		TEST(results_within_the_window_go_to_the_store_and_commits_come_back_exact),
		TEST(a_frame_over_the_window_ends_the_session),
		TEST(what_was_sent_again_while_its_commit_was_on_the_way_is_not_handed_on_and_takes_no_room),
		TEST(what_an_earlier_session_sent_may_be_committed_before_it_comes_again),
		TEST(bytes_count_against_the_window_too),
		TEST(a_commit_makes_room_again),
		TEST(records_that_come_again_before_their_commit_are_not_handed_on_twice),
		TEST(a_record_twice_in_one_frame_is_one_record),
		TEST(commits_of_records_that_this_session_never_saw_are_passed_on),
		TEST(a_commit_before_the_welcome_is_not_sent),
		TEST(silence_ends_a_session_and_hello_has_its_own_limit),
		TEST(a_peer_that_cannot_be_sent_to_is_gone),
		TEST(a_revoked_key_and_a_replaced_session_are_told_so),
		TEST(a_frame_that_cannot_be_read_ends_the_session_and_is_the_peers_fault),
		TEST(only_an_empty_handed_worker_that_drains_leaves_in_order),
		TEST(blobs_pass),
	};
	return cmocka_run_group_tests_name("session", tests, NULL, NULL);
}
