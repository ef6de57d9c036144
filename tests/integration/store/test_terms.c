/* Goal: at most one coordinator writes; a new term ends the old one, whatever the old one still had under way; a leader
 * that goes in order is followed at once, one that falls silent after three seconds. */
#include "common/io/clock.h"
#include "tests/integration/store/scene.h"
#include <poll.h>
#include <stdio.h>
#include <string.h>

static struct leader *candidate_of(struct scene *s, const char *name, bool standby)
{
	struct error e;
	struct leader *l;
	struct leader_settings settings = { .store = s->settings,
		                            .url = str_from(name),
		                            .endpoint = STR("tcp://127.0.0.1:1"),
		                            .holder = STR("test"),
		                            .standby = standby };
	assert_ok(leader_new(&settings, &l, &e), &e);
	return l;
}

static struct leader *candidate(struct scene *s, const char *name)
{
	return candidate_of(s, name, false);
}

/* Drives several until one is in the state, or the time is up; returns how long it took. */
static uint64_t drive(struct leader *const *all, size_t count, const struct leader *who, enum leader_state state,
                      uint64_t at_most_ms)
{
	uint64_t from_ms = clock_now_ms();
	for (;;) {
		uint64_t now_ms = clock_now_ms();
		for (size_t i = 0; i < count; i++)
			(void)leader_step(all[i], now_ms);
		if (leader_state(who) == state)
			return now_ms - from_ms;
		if (now_ms - from_ms > at_most_ms)
			fail_msg("state %d instead of %d: %s", (int)leader_state(who), (int)state, leader_error(who));
		(void)poll(NULL, 0, 5);
	}
}

static void the_first_candidate_leads_at_once_and_the_second_stands_by(void **state)
{
	struct scene *s = *state;
	struct leader *l[] = { candidate(s, "http://one"), candidate(s, "http://two") };
	uint64_t before = (uint64_t)scene_number(s, "SELECT term FROM assay.leader");
	(void)drive(l, 1, l[0], LEADER_LEADS, 1500);
	assert_int_equal(leader_term(l[0]), before + 1);
	(void)drive(l, 2, l[1], LEADER_STANDBY, 1500);
	uint64_t until_ms = clock_now_ms() + 4500;
	while (clock_now_ms() < until_ms) { /* it beats: nobody takes it away */
		(void)leader_step(l[0], clock_now_ms());
		assert_int_not_equal(leader_step(l[1], clock_now_ms()), LEADER_LEADS);
		(void)poll(NULL, 0, 5);
	}
	assert_int_equal(leader_state(l[0]), LEADER_LEADS);
	assert_str_equal_c(leader_view(l[1]).url, "http://one");
	assert_int_equal(leader_view(l[1]).term, before + 1);
	assert_int_not_equal(leader_view(l[0]).timeline, 0);
	assert_int_equal(leader_view(l[0]).timeline, leader_view(l[1]).timeline);
	leader_step_down(l[0]);
	assert_true(drive(l + 1, 1, l[1], LEADER_LEADS, 2000) < 1500);
	assert_int_equal(leader_term(l[1]), before + 2);
	assert_int_equal(leader_state(l[0]), LEADER_OVER);
	leader_step_down(l[1]);
	leader_free(l[0]);
	leader_free(l[1]);
}

static void a_silent_leader_is_followed_after_three_seconds_and_finds_out(void **state)
{
	struct scene *s = *state;
	struct leader *l[] = { candidate(s, "http://one"), candidate(s, "http://two"), candidate(s, "http://three") };
	(void)drive(l, 1, l[0], LEADER_LEADS, 1500);
	uint64_t from_ms = clock_now_ms();
	while (leader_state(l[1]) != LEADER_LEADS && leader_state(l[2]) != LEADER_LEADS) {
		(void)leader_step(l[1], clock_now_ms());
		(void)leader_step(l[2], clock_now_ms());
		(void)poll(NULL, 0, 5);
		if (clock_now_ms() - from_ms > 6000)
			fail_msg("nobody took over: %s / %s", leader_error(l[1]), leader_error(l[2]));
	}
	assert_in_range(clock_now_ms() - from_ms, LEADER_WATCH_MS, 5000);
	(void)drive(l, 3, l[0], LEADER_OVER, 2000);
	struct leader *winner = leader_state(l[1]) == LEADER_LEADS ? l[1] : l[2];
	struct leader *loser = winner == l[1] ? l[2] : l[1];
	(void)drive(l, 3, loser, LEADER_STANDBY, 2000);
	assert_int_equal(leader_term(winner), leader_term(l[0]) + 1);
	leader_step_down(winner);
	for (int i = 0; i < 3; i++)
		leader_free(l[i]);
}

static void one_that_began_as_a_standby_leaves_a_free_term_to_others_for_three_seconds(void **state)
{
	struct scene *s = *state;
	struct leader *l[] = { candidate_of(s, "http://second", true), candidate(s, "http://first") };
	uint64_t from_ms = clock_now_ms();
	while (clock_now_ms() - from_ms < 1500) { /* free, and it comes first */
		assert_int_not_equal(leader_step(l[0], clock_now_ms()), LEADER_LEADS);
		(void)poll(NULL, 0, 5);
	}
	(void)drive(l, 2, l[1], LEADER_LEADS, 1000);
	(void)drive(l, 2, l[0], LEADER_STANDBY, 1000);
	uint64_t seen_ms = clock_now_ms();
	while (clock_now_ms() - seen_ms < 400) {
		(void)leader_step(l[0], clock_now_ms());
		(void)poll(NULL, 0, 5);
	}
	leader_step_down(l[1]); /* one that it has seen lead: nothing to wait for */
	assert_true(drive(l, 1, l[0], LEADER_LEADS, 5000) < LEADER_WATCH_MS - 500);
	leader_step_down(l[0]);
	leader_free(l[0]);
	leader_free(l[1]);
	/* Nobody comes at all. */
	l[0] = candidate_of(s, "http://second", true);
	assert_in_range(drive(l, 1, l[0], LEADER_LEADS, 8000), LEADER_WATCH_MS, 6000);
	leader_step_down(l[0]);
	leader_free(l[0]);
}

static void an_old_term_changes_nothing_and_acknowledges_nothing(void **state)
{
	struct scene *s = *state;
	struct error e;
	struct writer_done done[ITEMS];
	struct msg_record r[ITEMS];
	struct leader *l[] = { candidate(s, "http://one"), candidate(s, "http://two") };
	scene_take_term(s); /* of nobody's beat: free to take */
	(void)drive(l, 1, l[0], LEADER_LEADS, 5000);
	uint64_t old = leader_term(l[0]);
	store_close(s->store);
	assert_ok(store_open(&s->settings, STORE_WRITER, old, &s->store, &e), &e);
	s->term = old;
	uint64_t run = scene_run(s, 1);
	for (size_t i = 0; i < ITEMS; i++)
		r[i] = scene_result(s, run, i, run << 24 | (i + 1), 1);
	struct writer *w = scene_writer(s, old);
	struct writer_batch first = scene_batch(s, r, 10, done), second = scene_batch(s, r + 10, 10, done + 10);
	writer_add_batch(w, &first, clock_now_ms());
	assert_int_equal(scene_drive(w), 1);
	leader_step_down(l[0]);
	(void)drive(l + 1, 1, l[1], LEADER_LEADS, 3000);
	writer_add_batch(w, &second, clock_now_ms());
	assert_int_equal(scene_drive(w), 0);
	assert_int_equal(writer_step(w, clock_now_ms()), WRITER_OVER);
	assert_null(writer_take_batch(w));
	assert_non_null(strstr(writer_error(w), "is over"));
	/* The API's own writes carry the term as well. */
	uint32_t wave;
	assert_int_equal(runs_retry(s->store, run, STR("me"), &wave, &e), ERR_CONFLICT);
	assert_int_equal(runs_extend(s->store, run, 9, STR("me"), &e), ERR_CONFLICT);
	assert_int_equal(scene_sum(s, run)->n, 10);
	writer_free(w);
	s->term = leader_term(l[1]);
	w = scene_writer(s, s->term);
	writer_add_batch(w, &second, clock_now_ms());
	assert_int_equal(scene_drive(w), 1);
	writer_free(w);
	assert_int_equal(scene_sum(s, run)->n, 20);
	scene_recount(s, run);
	store_close(s->store);
	assert_ok(store_open(&s->settings, STORE_WRITER, s->term, &s->store, &e), &e);
	leader_step_down(l[1]);
	leader_free(l[0]);
	leader_free(l[1]);
}

static void a_statement_that_is_under_way_at_a_takeover_ends_before_it_or_never(void **state)
{
	struct scene *s = *state;
	struct writer_done done[ITEMS];
	struct msg_record r[ITEMS];
	scene_take_term(s);
	uint64_t run = scene_run(s, 1), old = s->term;
	for (size_t i = 0; i < ITEMS; i++)
		r[i] = scene_result(s, run, i, run << 24 | (i + 1), 1);
	struct writer *w = scene_writer(s, old);
	struct writer_batch one = scene_batch(s, r, 1, done), rest = scene_batch(s, r + 1, ITEMS - 1, done + 1);
	writer_add_batch(w, &one, clock_now_ms());
	assert_int_equal(scene_drive(w), 1);
	/* Somebody holds the summary's row, so that the group stands still in the middle with the old term locked. */
	struct pg_server *server = s->server;
	char sql[300];
	(void)snprintf(
		sql, sizeof(sql),
		"CREATE OR REPLACE FUNCTION stand_still() RETURNS trigger LANGUAGE plpgsql AS"
		" 'BEGIN PERFORM pg_sleep(1.5); RETURN new; END';"
		"CREATE TRIGGER still BEFORE UPDATE ON assay.run_summary FOR EACH ROW"
		" WHEN (new.run_id = %llu AND new.slice_no = 0 AND new.metric = -1) EXECUTE FUNCTION stand_still()",
		(unsigned long long)run);
	struct error e;
	assert_ok(pg_server_sql(server, sql, NULL, &e), &e);
	writer_add_batch(w, &rest, clock_now_ms());
	uint64_t until_ms = clock_now_ms() + 500;
	while (clock_now_ms() < until_ms) {
		(void)writer_step(w, clock_now_ms());
		(void)poll(NULL, 0, 5);
	}
	struct leader *l = candidate(s, "http://new");
	(void)drive(&l, 1, l, LEADER_LEADS, 6000); /* ends that session first */
	assert_int_equal(leader_term(l), old + 1);
	assert_int_equal(scene_sum(s, run)->n, 1);
	scene_sql(s, "DROP TRIGGER still ON assay.run_summary");
	assert_int_equal(scene_drive(w), 0);
	assert_int_equal(writer_step(w, clock_now_ms()), WRITER_OVER);
	writer_free(w);
	assert_int_equal(scene_sum(s, run)->n, 1);
	scene_recount(s, run);
	leader_step_down(l);
	leader_free(l);
}

static void a_leader_whose_database_dies_stays_leader_and_beats_first(void **state)
{
	struct scene *s = *state;
	struct error e;
	struct leader *l = candidate(s, "http://one");
	(void)drive(&l, 1, l, LEADER_LEADS, 5000);
	uint64_t term = leader_term(l), beat = leader_last_beat_ms(l);
	pg_server_kill(s->server);
	uint64_t until_ms = clock_now_ms() + 1500;
	while (clock_now_ms() < until_ms) {
		assert_int_equal(leader_step(l, clock_now_ms()), LEADER_LEADS);
		leader_wait(l, -1, clock_now_ms());
	}
	assert_string_not_equal(leader_error(l), "");
	assert_ok(pg_server_restart(s->server, &e), &e);
	uint64_t back_ms = clock_now_ms();
	while (leader_last_beat_ms(l) < back_ms && clock_now_ms() - back_ms < 3000) {
		assert_int_equal(leader_step(l, clock_now_ms()), LEADER_LEADS);
		leader_wait(l, -1, clock_now_ms());
	}
	assert_true(leader_last_beat_ms(l) > beat);
	assert_true(clock_now_ms() - back_ms < 1500);
	assert_int_equal(leader_term(l), term);
	assert_int_equal(scene_number(s, "SELECT max(term) FROM assay.leader_beat"), (int64_t)term);
	leader_step_down(l);
	leader_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(the_first_candidate_leads_at_once_and_the_second_stands_by, scene_test),
		cmocka_unit_test_setup(a_silent_leader_is_followed_after_three_seconds_and_finds_out, scene_test),
		cmocka_unit_test_setup(one_that_began_as_a_standby_leaves_a_free_term_to_others_for_three_seconds,
		                       scene_test),
		cmocka_unit_test_setup(an_old_term_changes_nothing_and_acknowledges_nothing, scene_test),
		cmocka_unit_test_setup(a_statement_that_is_under_way_at_a_takeover_ends_before_it_or_never, scene_test),
		cmocka_unit_test_setup(a_leader_whose_database_dies_stays_leader_and_beats_first, scene_test),
	};
	return cmocka_run_group_tests_name("store terms", tests, scene_begin, scene_end);
}
