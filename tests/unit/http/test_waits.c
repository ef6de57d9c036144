/* Goal: a run that has not ended always says what it waits for, the database first, unless its samples are going out.
 */
#include "coordinator/http/waits.h"
#include "tests/support/cmocka_all.h"

static const struct control_state well = { .leading = true, .database = true };
static const struct control_state away = { .leading = true, .text = "waiting for PostgreSQL: gone" };

static void says(enum run_state state, const struct sched_run_view *view, const struct control_state *control,
                 const char *want)
{
	struct run_row row = { .state = state };
	struct json_write w;
	struct buf out;
	buf_init(&out, 1 << 16);
	json_write_init(&w, &out, false);
	json_write_object(&w);
	waits_write(&w, &row, view, control);
	json_write_object_end(&w);
	if (!str_eq_c(buf_str(&out), want))
		fail_msg("%.*s is not %s", STR_ARG(buf_str(&out)), want);
	buf_done(&out);
}

static void what_the_schedule_says_is_told(void **state)
{
	(void)state;
	struct sched_run_view v = { .wait = WAIT_NO_ALIAS, .text = "no connected worker has the key 'x'" };
	says(RUN_RUNNING, &v, &well,
	     "{\"waiting_for\":[{\"cause\":\"no_alias\",\"text\":\"no connected worker has the key "
	     "'x'\",\"oldest_ms\":0}]}");
	v.wait = WAIT_NOTHING;
	says(RUN_RUNNING, &v, &well, "{\"waiting_for\":[]}");
}

static void old_samples_are_told_with_their_age(void **state)
{
	(void)state;
	struct sched_run_view v = { .wait = WAIT_IN_FLIGHT,
		                    .text = "all 3 samples left are with workers",
		                    .in_flight = 3,
		                    .oldest_in_flight_ms = 12345 };
	says(RUN_RUNNING, &v, &well,
	     "{\"waiting_for\":[{\"cause\":\"in_flight\",\"text\":\"all 3 samples left are with workers, the oldest "
	     "for 12 "
	     "s\",\"oldest_ms\":12345}]}");
	v.oldest_in_flight_ms = WAITS_STRAGGLER_MS - 1;
	says(RUN_RUNNING, &v, &well,
	     "{\"waiting_for\":[{\"cause\":\"in_flight\",\"text\":\"all 3 samples left are with "
	     "workers\",\"oldest_ms\":4999}]}");
}

static void a_database_that_is_away_comes_first(void **state)
{
	(void)state;
	struct sched_run_view v = { .wait = WAIT_NO_CREDIT, .text = "workers are full" };
	says(RUN_RUNNING, &v, &away,
	     "{\"waiting_for\":[{\"cause\":\"database\",\"text\":\"waiting for PostgreSQL: gone\",\"oldest_ms\":0},"
	     "{\"cause\":\"no_credit\",\"text\":\"workers are full\",\"oldest_ms\":0}]}");
}

static void a_run_that_nobody_holds_is_silent_only_when_it_has_ended(void **state)
{
	(void)state;
	says(RUN_DONE, NULL, &well, "{\"waiting_for\":[]}");
	says(RUN_CANCELLED, NULL, &away, "{\"waiting_for\":[]}");
	says(RUN_RUNNING, NULL, &well,
	     "{\"waiting_for\":[{\"cause\":\"not_taken_in\",\"text\":\"the coordinator has not taken it in "
	     "yet\",\"oldest_ms\":0}]}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_the_schedule_says_is_told),
		cmocka_unit_test(old_samples_are_told_with_their_age),
		cmocka_unit_test(a_database_that_is_away_comes_first),
		cmocka_unit_test(a_run_that_nobody_holds_is_silent_only_when_it_has_ended),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
