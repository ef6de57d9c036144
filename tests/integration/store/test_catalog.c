/* Goal: suites, models, runs and the small tables say what was put into them, once, whoever asks how often. */
#include "common/base/bits.h"
#include "coordinator/store/items.h"
#include "coordinator/store/jobs.h"
#include "coordinator/store/people.h"
#include "coordinator/store/workers.h"
#include "tests/integration/store/scene.h"
#include <string.h>

static struct suites_push push_of(const char *name, const char *hash, size_t items)
{
	static struct str metrics[] = { STR_INIT("correct") };
	return (struct suites_push){ .team_id = STORE_TEAM_DEFAULT,
		                     .name = str_from(name),
		                     .task = STR("t"),
		                     .hash = hash_of(str_from(hash)),
		                     .definition = STR("{\"a\":1}"),
		                     .metrics = metrics,
		                     .metric_count = 1,
		                     .item_count = items,
		                     .pushed_by = STR("me") };
}

static struct suites_item *items_of(struct scene *s, size_t count, const char *salt)
{
	struct suites_item *items = arena_new(&s->arena, count, sizeof(*items));
	for (size_t i = 0; i < count; i++) {
		items[i].id = arena_printf(&s->arena, "%s-%zu", salt, i);
		items[i].content = arena_printf(&s->arena, "{\"id\":\"%s-%zu\",\"input\":\"\\u0000\"}", salt, i);
		items[i].hash = hash_of(items[i].content);
		items[i].task = i % 2 ? STR("odd") : STR("even");
		items[i].weight = 0.5;
	}
	return items;
}

static void a_suite_is_pushed_once_and_found_by_every_name(void **state)
{
	struct scene *s = *state;
	struct error e;
	struct suites_pushed pushed, again;
	struct suite_row *row;
	struct item_row *items;
	size_t count;
	struct suites_push push = push_of("alpha", "alpha 1", 5000);
	struct suites_item *all = items_of(s, 5000, "a");
	assert_ok(suites_push(s->store, &push, all, &pushed, &e), &e);
	assert_int_equal(pushed.version, 1);
	assert_false(pushed.existed);
	assert_ok(suites_push(s->store, &push, all, &again, &e), &e);
	assert_true(again.existed);
	assert_int_equal(again.suite_version_id, pushed.suite_version_id);
	push.hash = hash_of(STR("alpha 2"));
	assert_ok(suites_push(s->store, &push, all, &again, &e), &e);
	assert_int_equal(again.version, 2);
	assert_int_equal(scene_number(s, "SELECT count(*) FROM assay.item WHERE content LIKE '%\"a-%'"), 5000);
	assert_ok(suites_find(s->store, STR("alpha"), &s->arena, &row, &e), &e);
	assert_int_equal(row->version, 2);
	assert_int_equal(row->version_count, 2);
	assert_int_equal(row->slice_count, 3);
	assert_str_equal_c(row->slices[1], "task=even");
	assert_str_equal_c(row->definition, "{\"a\":1}");
	assert_ok(suites_find(s->store, STR("alpha@1"), &s->arena, &row, &e), &e);
	assert_int_equal(row->suite_version_id, pushed.suite_version_id);
	char hex[HASH_HEX_BYTES + 1];
	hash_hex(push.hash, hex);
	assert_ok(suites_find(s->store, str_make(hex, 12), &s->arena, &row, &e), &e);
	assert_int_equal(row->version, 2);
	assert_ok(suites_find(s->store, STR("alpha@9"), &s->arena, &row, &e), &e);
	assert_null(row);
	assert_ok(items_range(s->store, pushed.suite_version_id, 4990, 100, 1 << 20, &s->arena, &items, &count, &e),
	          &e);
	assert_int_equal(count, 10);
	assert_str_equal(items[0].content, all[4990].content);
	assert_ok(items_range(s->store, pushed.suite_version_id, 0, 100, 50, &s->arena, &items, &count, &e), &e);
	assert_int_equal(count, 2); /* the page ends behind the item that passes the limit */
	assert_ok(items_heads(s->store, pushed.suite_version_id, 0, 5000, &s->arena, &items, &count, &e), &e);
	assert_int_equal(count, 5000);
	assert_str_equal_c(items[4999].id, "a-4999");
	struct item_row *one;
	assert_ok(items_find(s->store, pushed.suite_version_id, STR("a-77"), &s->arena, &one, &e), &e);
	assert_int_equal(one->item_no, 77);
	assert_ok(items_find(s->store, pushed.suite_version_id, STR("78"), &s->arena, &one, &e), &e);
	assert_str_equal_c(one->id, "a-78");
	struct str *ids;
	assert_ok(items_like(s->store, pushed.suite_version_id, STR("a-x"), 3, &s->arena, &ids, &count, &e), &e);
	assert_int_equal(count, 3);
	struct suite_row *suites;
	assert_ok(suites_list(s->store, STR(""), 10, &s->arena, &suites, &count, &e), &e);
	assert_int_equal(count, 2);
	assert_str_equal_c(suites[1].name, "support");
	assert_ok(suites_versions(s->store, STR("alpha"), 10, &s->arena, &suites, &count, &e), &e);
	assert_int_equal(count, 2);
	assert_ok(suites_names(s->store, &s->arena, &ids, &count, &e), &e);
	assert_int_equal(count, 2);
}

static void a_push_that_was_cut_off_is_seen_by_nobody_and_continued(void **state)
{
	struct scene *s = *state;
	struct error e;
	struct suites_pushed pushed, done;
	struct suite_row *row;
	struct suites_push push = push_of("beta", "beta 1", 10);
	struct suites_item *all = items_of(s, 10, "b");
	assert_ok(suites_begin(s->store, &push, &pushed, &e), &e);
	assert_ok(suites_add(s->store, pushed.suite_version_id, 5, all + 5, 5, &e), &e);
	assert_ok(suites_find(s->store, STR("beta"), &s->arena, &row, &e), &e);
	assert_null(row);
	assert_int_equal(suites_finish(s->store, pushed.suite_version_id, &done, &e), ERR_INVALID);
	assert_string_equal(e.text, "the push is not complete: 5 of 10 items");
	assert_ok(suites_push(s->store, &push, all, &done, &e), &e);
	assert_int_equal(done.suite_version_id, pushed.suite_version_id);
	assert_int_equal(done.version, 1);
	assert_int_equal(suites_add(s->store, pushed.suite_version_id, 0, all, 1, &e), ERR_CONFLICT);
	assert_ok(suites_find(s->store, STR("beta"), &s->arena, &row, &e), &e);
	assert_int_equal(row->slice_count, 3);
}

static void items_that_cannot_be_are_refused_with_their_name(void **state)
{
	struct scene *s = *state;
	struct error e;
	struct suites_pushed pushed;
	struct suites_push push = push_of("gamma", "gamma 1", 3);
	struct suites_item *all = items_of(s, 3, "c");
	all[2].id = all[0].id;
	assert_int_equal(suites_push(s->store, &push, all, &pushed, &e), ERR_INVALID);
	assert_non_null(strstr(e.text, "same id"));
	all[2].id = STR("c-2");
	all[1].weight = -1;
	assert_int_equal(suites_push(s->store, &push, all, &pushed, &e), ERR_INVALID);
	assert_string_equal(e.text, "item 'c-1': its weight is not a number from 0 on");
	all[1].weight = 0;
	assert_ok(suites_push(s->store, &push, all, &pushed, &e), &e);
}

static void a_model_keeps_every_configuration_it_had(void **state)
{
	struct scene *s = *state;
	struct error e;
	struct model_row *row, *rows;
	struct route_row *routes;
	int32_t first, second, id;
	size_t count;
	bool is_new;
	struct models_put put = { .team_id = STORE_TEAM_DEFAULT,
		                  .name = STR("gpt@home"),
		                  .hash = hash_of(STR("x")),
		                  .config = STR("{\"t\":0}"),
		                  .provider = STR("openai"),
		                  .model = STR("gpt"),
		                  .endpoint = STR("https://x"),
		                  .key_alias = STR("k"),
		                  .concurrency = 8,
		                  .price_in_nanousd_per_mtok = -1,
		                  .price_cached_nanousd_per_mtok = -1,
		                  .price_out_nanousd_per_mtok = 5,
		                  .put_by = STR("me") };
	assert_ok(models_put(s->store, &put, &first, &is_new, &e), &e);
	assert_true(is_new);
	assert_ok(models_put(s->store, &put, &id, &is_new, &e), &e);
	assert_false(is_new);
	assert_int_equal(id, first);
	put.hash = hash_of(STR("y"));
	put.concurrency = 2;
	assert_ok(models_put(s->store, &put, &second, &is_new, &e), &e);
	assert_true(is_new);
	put.hash = hash_of(STR("x"));
	assert_ok(models_put(s->store, &put, &id, &is_new, &e), &e);
	assert_true(is_new); /* back to the first: it is in force now, as version 3 */
	assert_ok(models_find(s->store, STR("gpt@home"), &s->arena, &row, &e), &e);
	assert_int_equal(row->version, 3);
	assert_int_equal(row->price_in_nanousd_per_mtok, -1);
	assert_int_equal(row->price_out_nanousd_per_mtok, 5);
	assert_ok(models_find(s->store, STR("gpt@home@2"), &s->arena, &row, &e), &e);
	assert_int_equal(row->model_id, second);
	assert_ok(models_find(s->store, STR("gpt"), &s->arena, &row, &e), &e);
	assert_null(row);
	assert_ok(models_by_id(s->store, first, &s->arena, &row, &e), &e);
	assert_int_equal(row->version, 1);
	assert_ok(models_list(s->store, STR(""), 10, &s->arena, &rows, &count, &e), &e);
	assert_int_equal(count, 2);
	assert_ok(models_routes(s->store, &s->arena, &routes, &count, &e), &e);
	assert_int_equal(count, 2);
	assert_int_equal(routes[1].concurrency_max, 2);
	assert_int_equal(routes[1].route_id, row->route_id);
}

static struct runs_new run_of(struct scene *s, uint64_t seed)
{
	return (struct runs_new){ .team_id = STORE_TEAM_DEFAULT,
		                  .suite_version_id = s->suite_version_id,
		                  .model_id = s->model_id,
		                  .slice = STR("task=refund"),
		                  .limit = STR("10"),
		                  .seed = seed,
		                  .epochs = 1,
		                  .selection = STR("\x07"),
		                  .selected_count = 3,
		                  .context = STR("{\"c\":1}"),
		                  .attempts_max = 3,
		                  .sample_time_ms = 1000,
		                  .budget_nanousd = 77,
		                  .created_by = STR("me") };
}

static void the_same_run_again_attaches_extends_or_starts_the_next(void **state)
{
	struct scene *s = *state;
	struct error e;
	enum runs_made made;
	struct run_row *first, *row, *list;
	struct run_change_row *changes;
	size_t count;
	uint64_t previous;
	struct runs_new run = run_of(s, 100);
	assert_ok(runs_create(s->store, &run, &s->arena, &made, &first, &e), &e);
	assert_int_equal(made, RUNS_NEW);
	assert_int_equal(first->item_count, ITEMS);
	assert_int_equal(first->selected_count, 3);
	assert_str_equal_c(first->selection, "\x07");
	assert_str_equal_c(first->context, "{\"c\":1}");
	assert_int_equal(first->budget_nanousd, 77);
	assert_str_equal_c(first->suite_name, "support");
	assert_ok(runs_create(s->store, &run, &s->arena, &made, &row, &e), &e);
	assert_int_equal(made, RUNS_ATTACHED);
	assert_int_equal(row->run_id, first->run_id);
	run.epochs = 3;
	assert_ok(runs_create(s->store, &run, &s->arena, &made, &row, &e), &e);
	assert_int_equal(made, RUNS_EXTENDED);
	assert_int_equal(row->epochs, 3);
	run.epochs = 1;
	run.again = true;
	assert_ok(runs_create(s->store, &run, &s->arena, &made, &row, &e), &e);
	assert_int_equal(made, RUNS_NEW);
	assert_int_equal(row->tick, 1);
	assert_ok(runs_previous(s->store, row->run_id, &previous, &e), &e);
	assert_int_equal(previous, first->run_id);
	run.idempotency_key = STR("key 1");
	assert_ok(runs_create(s->store, &run, &s->arena, &made, &row, &e), &e);
	assert_int_equal(row->tick, 2);
	uint64_t keyed = row->run_id;
	assert_ok(runs_create(s->store, &run, &s->arena, &made, &row, &e), &e);
	assert_int_equal(made, RUNS_ATTACHED); /* although --again: it is the same request */
	assert_int_equal(row->run_id, keyed);
	assert_ok(runs_changes(s->store, first->run_id, &s->arena, &changes, &count, &e), &e);
	assert_int_equal(count, 2);
	assert_int_equal(changes[0].kind, RUNS_CREATED);
	assert_int_equal(changes[1].kind, RUNS_EXTEND);
	assert_int_equal(changes[1].value, 3);
	struct runs_filter filter = { .suite = STR("support"), .state = -1, .limit = 2 };
	assert_ok(runs_list(s->store, &filter, &s->arena, &list, &count, &e), &e);
	assert_int_equal(count, 2);
	assert_int_equal(list[0].run_id, keyed);
	filter.state = RUN_DONE;
	assert_ok(runs_list(s->store, &filter, &s->arena, &list, &count, &e), &e);
	assert_int_equal(count, 0);
	run = run_of(s, 101);
	run.model_id = 9999;
	assert_int_equal(runs_create(s->store, &run, &s->arena, &made, &row, &e), ERR_NOT_FOUND);
}

static void a_cancel_counts_for_a_new_leader_until_a_retry_or_an_extension(void **state)
{
	struct scene *s = *state;
	struct error e;
	struct run_row *run;
	bool changed, cancelled;
	uint32_t wave;
	uint64_t id = scene_run(s, 1), other = scene_run(s, 1);
	assert_ok(runs_cancel(s->store, other, STR("me"), STR(""), &changed, &e), &e);
	assert_ok(runs_find(s->store, id, &s->arena, &run, &e), &e);
	for (int i = 0; i < 2; i++) {
		assert_ok(rebuild_cancelled(s->store, run, &cancelled, &e), &e);
		assert_false(cancelled); /* made; then retried */
		assert_ok(runs_cancel(s->store, id, STR("me"), STR(""), &changed, &e), &e);
		assert_ok(rebuild_cancelled(s->store, run, &cancelled, &e), &e);
		assert_true(changed && cancelled);
		if (i == 0)
			assert_ok(runs_retry(s->store, id, STR("me"), &wave, &e), &e);
	}
	assert_ok(runs_extend(s->store, id, 2, STR("me"), &e), &e);
	assert_ok(rebuild_cancelled(s->store, run, &cancelled, &e), &e);
	assert_false(cancelled);
}

static void a_new_leader_reads_everything_that_the_old_one_knew(void **state)
{
	struct scene *s = *state;
	struct error e;
	struct run_row *runs, *run = NULL;
	struct bits done, missing;
	struct rebuild_attempts *tried;
	struct position_layer *layers;
	uint64_t counts[OUTCOME_COUNT];
	size_t count;
	uint32_t wave;
	uint64_t id = scene_run(s, 2);
	struct msg_record r[] = {
		scene_result(s, id, 0, id << 24 | 1, 1),
		scene_result(s, id, ITEMS + 5, id << 24 | 2, 1),
		scene_attempt(s, id, 7, id << 24 | 3, CLASS_SERVER),
		scene_attempt(s, id, 7, id << 24 | 4, CLASS_RATE_LIMITED),
		scene_attempt(s, id, 8, id << 24 | 5, CLASS_DIED),
		scene_attempt(s, id, 0, id << 24 | 6, CLASS_SERVER),
	};
	struct msg_record over[] = { scene_outcome(id, 2, OUTCOME_PROVIDER_ERROR),
		                     scene_outcome(id, 3, OUTCOME_QUARANTINED) };
	struct msg_record lost[] = { scene_lost(id, 9, 1700000000500), scene_lost(id, 10, 1700000000500) };
	lost[0].attempt_count = 1; /* alone */
	lost[1].given_up = false;  /* nobody knows whether it had started */
	scene_write(s, r, ARRAY_LEN(r), NULL);
	scene_write(s, over, 1, NULL);
	assert_ok(runs_retry(s->store, id, STR("me"), &wave, &e), &e);
	over[1].retry_no = 1;
	scene_write(s, over + 1, 1, NULL);
	struct msg_record more = scene_attempt(s, id, 7, id << 24 | 7, CLASS_SERVER);
	more.retry_no = 1;
	lost[0].retry_no = lost[1].retry_no = 1;
	scene_write(s, &more, 1, NULL);
	scene_write(s, lost, 2, NULL);
	assert_ok(rebuild_runs(s->store, &s->arena, &runs, &count, &e), &e);
	for (size_t i = 0; i < count; i++)
		if (runs[i].run_id == id)
			run = &runs[i];
	assert_non_null(run);
	assert_int_equal(run->retry_wave, 1);
	bits_init(&done, 2 * ITEMS);
	bits_init(&missing, 2 * ITEMS);
	assert_ok(rebuild_bits_counted(s->store, run, &done, &missing, counts, &e), &e);
	assert_int_equal(done.count, 3); /* two scored and the one that is missing in this wave */
	assert_true(bits_get(&done, 0) && bits_get(&done, ITEMS + 5) && bits_get(&done, 3));
	assert_int_equal(missing.count, 1);
	assert_true(bits_get(&missing, 3));
	assert_int_equal(counts[OUTCOME_QUARANTINED], 1);
	assert_int_equal(counts[OUTCOME_PROVIDER_ERROR], 0); /* pending again */
	bits_done(&done);
	bits_done(&missing);
	assert_ok(rebuild_attempts(s->store, run, &s->arena, &tried, &count, &e), &e);
	assert_int_equal(count, 3);
	assert_int_equal(tried[0].sample_no, 7);
	assert_int_equal(tried[0].failed, 1); /* of this wave */
	assert_int_equal(tried[0].spent_ms, 90);
	assert_int_equal(tried[0].last_class, CLASS_SERVER);
	assert_int_equal(tried[1].sample_no, 9);
	assert_int_equal(tried[1].deaths, 1);
	assert_int_equal(tried[1].alone_deaths, 1);
	assert_int_equal(tried[2].sample_no, 10);
	assert_int_equal(tried[2].died, 1);
	assert_ok(runs_extend(s->store, id, 4, STR("me"), &e), &e);
	assert_ok(rebuild_layers(s->store, run, &s->arena, &layers, &count, &e), &e);
	assert_int_equal(count, 3);
	assert_int_equal(layers[0].sample_count, 2 * ITEMS);
	assert_int_equal(layers[1].wave, 1);
	assert_int_equal(layers[1].sample_count, 2 * ITEMS);
	assert_int_equal(layers[2].sample_from, 2 * ITEMS);
	assert_int_equal(layers[2].sample_count, 2 * ITEMS);
}

static void a_death_that_its_worker_confirms_counts_once(void **state)
{
	struct scene *s = *state;
	struct error e;
	struct rebuild_attempts *tried;
	struct run_row *run;
	size_t count;
	uint64_t id = scene_run(s, 1);
	struct msg_record lost[] = { scene_lost(id, 1, 1700000000500), scene_lost(id, 2, 1700000000500),
		                     scene_lost(id, 3, 1700000000500) };
	scene_write(s, lost, 3, NULL);
	struct msg_record back[] = { scene_attempt(s, id, 1, id << 24 | 1, CLASS_DIED),
		                     scene_attempt(s, id, 2, id << 24 | 2, CLASS_TIMEOUT) };
	scene_write(s, back, 2, NULL);
	struct writer_job closed = { .kind = WRITER_LOST_CLOSED, .outbox = { .outbox = s->outbox } };
	scene_job(s, &closed);
	assert_ok(runs_find(s->store, id, &s->arena, &run, &e), &e);
	assert_ok(rebuild_attempts(s->store, run, &s->arena, &tried, &count, &e), &e);
	assert_int_equal(tried[0].deaths + tried[0].died, 1); /* one death in two rows */
	assert_int_equal(tried[1].deaths + tried[1].died, 0); /* the worker lived: the ask failed by itself */
	assert_int_equal(tried[1].failed, 1);
	if (count == 3)
		assert_int_equal(tried[2].deaths + tried[2].died, 0); /* it was never asked */
}

static void workers_of_the_last_term_are_those_that_may_hold_something(void **state)
{
	struct scene *s = *state;
	struct error e;
	struct rebuild_worker *workers;
	struct worker_row *rows;
	size_t count;
	struct writer_job here = { .kind = WRITER_WORKER,
		                   .worker = { .outbox = { "outbox of wone.." }, .name = STR("one"), .slots = 2 } };
	struct writer_job left = { .kind = WRITER_WORKER,
		                   .worker = { .outbox = { "outbox of wtwo.." }, .name = STR("two") } };
	struct writer_job gone = { .kind = WRITER_WORKER_GONE, .outbox = { .outbox = left.worker.outbox } };
	scene_sql(s, "DELETE FROM assay.worker; INSERT INTO assay.leader_beat (term, seen_at, url, endpoint, holder)"
	             " SELECT term, now(), '', '', '' FROM assay.leader ON CONFLICT DO NOTHING");
	scene_job(s, &here);
	scene_job(s, &left);
	scene_job(s, &gone);
	assert_ok(rebuild_workers(s->store, s->term + 1, &s->arena, &workers, &count, &e), &e);
	assert_int_equal(count, 1);
	assert_str_equal_c(workers[0].name, "one");
	assert_memory_equal(workers[0].outbox.bytes, "outbox of wone..", 16);
	assert_ok(rebuild_workers(s->store, s->term, &s->arena, &workers, &count, &e), &e);
	assert_int_equal(count, 0); /* they said Hello in this term */
	assert_ok(workers_list(s->store, 10, &s->arena, &rows, &count, &e), &e);
	assert_int_equal(count, 2);
	assert_str_equal_c(rows[0].name, "one");
	assert_true(rows[1].gone);
}

static void pages_of_results_come_in_order_and_end(void **state)
{
	struct scene *s = *state;
	struct error e;
	struct results_cursor cursor = { 0 };
	struct results_scores page;
	struct result_row *rows;
	size_t count, seen = 0;
	static struct msg_record r[2 * ITEMS];
	uint64_t id = scene_run(s, 2);
	for (size_t i = 0; i < 2 * ITEMS; i++)
		r[i] = scene_result(s, id, i, id << 24 | (i + 1), (double)i);
	r[3].outcome = OUTCOME_UNSCORED;
	r[3].score_count = 0;
	scene_write(s, r, 2 * ITEMS - 1, NULL);
	struct msg_record over = scene_outcome(id, 2 * ITEMS - 1, OUTCOME_PROVIDER_ERROR);
	scene_write(s, &over, 1, NULL);
	while (!cursor.end) {
		assert_ok(results_scores(s->store, id, 0, &cursor, 7, &s->arena, &page, &e), &e);
		for (size_t i = 0; i < page.count; i++, seen++) {
			uint64_t sample = (uint64_t)page.epoch[i] * ITEMS + page.item_no[i];
			assert_int_equal(page.item_no[i], seen / 2);
			assert_int_equal(page.epoch[i], seen % 2);
			enum outcome want = sample == 3               ? OUTCOME_UNSCORED
			                    : sample == 2 * ITEMS - 1 ? OUTCOME_PROVIDER_ERROR
			                                              : OUTCOME_SCORED;
			assert_int_equal(page.score_outcome[i], want);
			if (want == OUTCOME_SCORED)
				assert_true(page.value[i] == (double)sample);
		}
	}
	assert_int_equal(seen, 2 * ITEMS);
	cursor = (struct results_cursor){ 0 };
	for (seen = 0; !cursor.end; seen += count)
		assert_ok(results_page(s->store, id, true, &cursor, 50, &s->arena, &rows, &count, &e), &e);
	assert_int_equal(seen, 2 * ITEMS);
	cursor = (struct results_cursor){ 0 };
	assert_ok(results_page(s->store, id, false, &cursor, 1, &s->arena, &rows, &count, &e), &e);
	assert_str_equal_c(rows[0].item_id, "item-0");
	assert_str_equal_c(rows[0].returned_model, "m-1-0613");
	assert_str_equal_c(rows[0].worker, "worker-1");
	assert_int_equal(rows[0].score_count, 2);
	assert_false(rows[0].scores[1].has_value);
	assert_str_equal_c(rows[0].scores[1].reason, "not counted");
	struct results_missing *missing;
	assert_ok(results_missing(s->store, id, 10, &s->arena, &missing, &count, &e), &e);
	assert_int_equal(count, 2);
	assert_int_equal(missing[0].outcome, OUTCOME_PROVIDER_ERROR);
	assert_str_equal_c(missing[0].evidence, "five attempts failed");
	struct arena small;
	arena_init(&small, 4096);
	cursor = (struct results_cursor){ 0 };
	assert_int_equal(results_page(s->store, id, true, &cursor, 1000, &small, &rows, &count, &e), ERR_LIMIT);
	arena_done(&small);
}

static void tokens_keys_and_jobs_are_kept(void **state)
{
	struct scene *s = *state;
	struct error e;
	struct token_row *token;
	struct worker_key_row *keys;
	struct job_row *job;
	size_t count;
	bool is_new, found;
	struct hash hash = hash_of(STR("secret"));
	assert_ok(people_token_find(s->store, hash, &s->arena, &token, &e), &e);
	assert_null(token);
	for (int i = 0; i < 2; i++)
		assert_ok(people_token_put(s->store, STORE_TEAM_DEFAULT, STR("ann"), STR("admin"), hash, &e), &e);
	assert_ok(people_token_find(s->store, hash, &s->arena, &token, &e), &e);
	assert_str_equal_c(token->person, "ann");
	assert_str_equal_c(token->team, "default");
	assert_ok(people_audit(s->store, STORE_TEAM_DEFAULT, STR("ann"), STR("x"), STR("y"), STR(""), &e), &e);
	assert_ok(workers_key_put(s->store, STR("pub"), STR("w"), STR("ann"), &e), &e);
	assert_ok(workers_key_revoke(s->store, STR("pub"), &found, &e), &e);
	assert_true(found);
	assert_ok(workers_key_revoke(s->store, STR("nobody"), &found, &e), &e);
	assert_false(found);
	assert_ok(workers_keys(s->store, &s->arena, &keys, &count, &e), &e);
	assert_true(count == 1 && keys[0].revoked);
	assert_ok(workers_key_put(s->store, STR("pub"), STR("w"), STR("ann"), &e), &e);
	assert_ok(workers_keys(s->store, &s->arena, &keys, &count, &e), &e);
	assert_false(keys[0].revoked);
	assert_ok(jobs_put(s->store, STORE_TEAM_DEFAULT, STR("stat"), STR("stat/1"), STR("{}"), &is_new, &e), &e);
	assert_true(is_new);
	assert_ok(jobs_put(s->store, STORE_TEAM_DEFAULT, STR("stat"), STR("stat/1"), STR("{}"), &is_new, &e), &e);
	assert_false(is_new);
	assert_ok(jobs_take(s->store, &s->arena, &job, &e), &e);
	assert_str_equal_c(job->key, "stat/1");
	assert_ok(jobs_failed(s->store, job->job_id, STR("no"), 0, &e), &e);
	assert_ok(jobs_take(s->store, &s->arena, &job, &e), &e);
	assert_int_equal(job->attempts, 2);
	assert_ok(jobs_done(s->store, job->job_id, &e), &e);
	assert_ok(jobs_take(s->store, &s->arena, &job, &e), &e);
	assert_null(job);
	struct store_health health;
	assert_ok(store_health(s->store, &s->arena, &health, &e), &e);
	assert_false(health.in_recovery);
	assert_true(health.lz4);
	assert_false(health.synchronous); /* this server runs without fsync */
	assert_int_not_equal(health.timeline, 0);
	assert_true(health.schema_version >= 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_suite_is_pushed_once_and_found_by_every_name, scene_test),
		cmocka_unit_test_setup(a_push_that_was_cut_off_is_seen_by_nobody_and_continued, scene_test),
		cmocka_unit_test_setup(items_that_cannot_be_are_refused_with_their_name, scene_test),
		cmocka_unit_test_setup(a_model_keeps_every_configuration_it_had, scene_test),
		cmocka_unit_test_setup(the_same_run_again_attaches_extends_or_starts_the_next, scene_test),
		cmocka_unit_test_setup(a_cancel_counts_for_a_new_leader_until_a_retry_or_an_extension, scene_test),
		cmocka_unit_test_setup(a_new_leader_reads_everything_that_the_old_one_knew, scene_test),
		cmocka_unit_test_setup(a_death_that_its_worker_confirms_counts_once, scene_test),
		cmocka_unit_test_setup(workers_of_the_last_term_are_those_that_may_hold_something, scene_test),
		cmocka_unit_test_setup(pages_of_results_come_in_order_and_end, scene_test),
		cmocka_unit_test_setup(tokens_keys_and_jobs_are_kept, scene_test),
	};
	return cmocka_run_group_tests_name("store catalog", tests, scene_begin, scene_end);
}
