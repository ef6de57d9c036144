/* Goal: a writer that is only woken when its socket, its inbox or its own deadline says so hands back every batch and
 * every job, whatever the network does, exactly once, and stores every row once. It never waits for nothing.
 *
 * The loop is that of coordinator/main/writers.c; time is virtual, poll() is ours: it moves the time to the next thing
 * that can happen, and fails the test when nothing can. */
#include "coordinator/store/writer.h"
#include "tests/support/cmocka_all.h"
#include "tests/support/gen.h"
#include "tests/unit/store/fake_pq.h"
#include <poll.h>
#include <string.h>

enum { BATCHES = 40, JOBS = 15, ROWS_MAX = 400, SEEDS = 300, CALM_MS = 60000, TURNS_MAX = 200000 };

struct world {
	struct rng rng;
	struct writer *w;
	struct msg_score score;
	struct msg_record records[BATCHES][ROWS_MAX];
	struct writer_done done[BATCHES][ROWS_MAX];
	struct writer_batch batches[BATCHES];
	uint64_t batch_ms[BATCHES], job_ms[JOBS];
	bool batch_given[BATCHES], job_given[JOBS];
	unsigned batch_back[BATCHES], job_back[JOBS];
	struct writer_job jobs[JOBS];
};

static struct world world;
static uint64_t wake_ms;

int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout_ms);
int __wrap___poll_chk(struct pollfd *fds, nfds_t count, int timeout_ms, size_t bytes);

int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
	return fake_poll(fds, count, timeout_ms, wake_ms);
}

int __wrap___poll_chk(struct pollfd *fds, nfds_t count, int timeout_ms, size_t bytes)
{
	(void)bytes;
	return fake_poll(fds, count, timeout_ms, wake_ms);
}

static void draw_batch(struct world *d, size_t b)
{
	uint64_t runs[] = { 5, 100, 101, 102 };
	size_t rows = 1 + rng_below(&d->rng, rng_below(&d->rng, 4) == 0 ? ROWS_MAX : 20);
	for (size_t i = 0; i < rows; i++)
		d->records[b][i] = (struct msg_record){ .kind = RECORD_RESULT,
			                                .record_no = b * ROWS_MAX + i + 1,
			                                .run_id = runs[rng_below(&d->rng, ARRAY_LEN(runs))],
			                                .sample_no = b * ROWS_MAX + i,
			                                .ask_id = 1000 + b * ROWS_MAX + i,
			                                .outcome = OUTCOME_SCORED,
			                                .cost_nanousd = -1,
			                                .returned_model = STR("m"),
			                                .scores = &d->score,
			                                .score_count = 1 };
	d->batches[b] = (struct writer_batch){ .outbox = { "outbox of a test" },
		                               .worker_name = STR("w"),
		                               .records = d->records[b],
		                               .record_count = rows,
		                               .done = d->done[b],
		                               .owner = (void *)&d->batch_back[b] };
	d->batch_ms[b] = rng_below(&d->rng, rng_below(&d->rng, 2) ? 2000 : 20000);
}

static void draw(struct world *d, const struct rng *rng)
{
	struct error e;
	memset(d, 0, sizeof(*d));
	fake_begin();
	d->rng = *rng;
	d->score = (struct msg_score){ .has_value = true, .value = 1 };
	for (size_t b = 0; b < BATCHES; b++)
		draw_batch(d, b);
	for (size_t j = 0; j < JOBS; j++) {
		bool state = rng_below(&d->rng, 2);
		d->jobs[j] = (struct writer_job){ .kind = state ? WRITER_RUN_STATE : WRITER_SENT_TO,
			                          .owner = (void *)&d->job_back[j] };
		if (state)
			d->jobs[j].run_state = (struct writer_run_state){ 5, RUN_DONE, STR("all done") };
		else
			d->jobs[j].sent_to = (struct writer_sent_to){ 5, j };
		d->job_ms[j] = rng_below(&d->rng, 20000);
	}
	fake.chance = &d->rng;
	fake.faults_left = (unsigned)rng_below(&d->rng, 30);
	if (rng_below(&d->rng, 3) == 0)
		fake.poison_ask = 1000 + rng_below(&d->rng, BATCHES) * ROWS_MAX;
	struct writer_settings ws = { .store = { .dsn = "" }, .term = 1 };
	assert_ok(writer_new(&ws, &d->w, &e), &e);
}

/* What has come by now; sets when the next one does. */
static void take_in(struct world *d)
{
	wake_ms = UINT64_MAX;
	for (size_t b = 0; b < BATCHES; b++) {
		if (!d->batch_given[b] && d->batch_ms[b] <= fake.now_ms) {
			d->batch_given[b] = true;
			writer_add_batch(d->w, &d->batches[b], fake.now_ms);
		} else if (!d->batch_given[b]) {
			wake_ms = MIN_OF(wake_ms, d->batch_ms[b]);
		}
	}
	for (size_t j = 0; j < JOBS; j++) {
		if (!d->job_given[j] && d->job_ms[j] <= fake.now_ms) {
			d->job_given[j] = true;
			writer_add_job(d->w, &d->jobs[j]);
		} else if (!d->job_given[j]) {
			wake_ms = MIN_OF(wake_ms, d->job_ms[j]);
		}
	}
}

static size_t hand_back(struct world *d)
{
	size_t count = 0;
	struct writer_batch *b;
	struct writer_job *j;
	for (; (b = writer_take_batch(d->w)) != NULL; count++)
		++*(unsigned *)b->owner;
	for (; (j = writer_take_job(d->w)) != NULL; count++)
		++*(unsigned *)j->owner;
	return count;
}

static void run(struct world *d)
{
	size_t back = 0;
	uint64_t calm_ms = 0;
	for (unsigned turns = 0; back < BATCHES + JOBS; turns++) {
		take_in(d);
		enum writer_state state = writer_step(d->w, fake.now_ms);
		back += hand_back(d);
		if (fake.faults_left > 0 || fake.now_ms < 20000)
			calm_ms = fake.now_ms;
		if (state == WRITER_OVER || fake.now_ms > calm_ms + CALM_MS || turns > TURNS_MAX)
			fail_msg("%zu of %d came back after %llu ms in %u turns: %s", back, BATCHES + JOBS,
			         (unsigned long long)fake.now_ms, turns, writer_error(d->w));
		if (back < BATCHES + JOBS)
			writer_wait(d->w, FAKE_WAKE_FD, fake.now_ms);
	}
}

static void check_all(const struct world *d)
{
	for (size_t b = 0; b < BATCHES; b++) {
		if (d->batch_back[b] != 1)
			fail_msg("batch %zu came back %u times", b, d->batch_back[b]);
		for (size_t i = 0; i < d->batches[b].record_count; i++) {
			const struct fake_stored *x = map_get_u64(&fake.stored, d->records[b][i].ask_id);
			if (d->done[b][i].fate != WRITER_REFUSED && (!x || x->inserted != 1))
				fail_msg("batch %zu row %zu was stored %u times", b, i, x ? x->inserted : 0);
		}
	}
	for (size_t j = 0; j < JOBS; j++)
		if (d->job_back[j] != 1)
			fail_msg("job %zu came back %u times", j, d->job_back[j]);
	assert_true(writer_idle(d->w));
}

static void every_batch_and_job_comes_back_by_wake_ups_alone(void **state)
{
	(void)state;
	uint64_t connections = 0, again = 0, halvings = 0, count = 0;
	struct rng rng;
	for (struct gen_seeds s = gen_seeds(SEEDS); gen_next(&s, &rng); count++) {
		draw(&world, &rng);
		run(&world);
		check_all(&world);
		struct writer_counters c = writer_counters(world.w);
		connections += c.connections;
		again += c.sent_again;
		halvings += c.halvings;
		writer_free(world.w);
		fake_end();
	}
	/* The faults were met. */
	if (count >= SEEDS) { /* not when one of them is run alone */
		assert_true(connections > 2 * count);
		assert_true(again > 2 * count);
		assert_true(halvings > count);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		gen_property(every_batch_and_job_comes_back_by_wake_ups_alone),
	};
	return cmocka_run_group_tests_name("a writer's waiting", tests, NULL, NULL);
}
