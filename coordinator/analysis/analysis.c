#include "coordinator/analysis/analysis.h"
#include "common/base/mem.h"
#include "common/io/clock.h"
#include "common/io/log.h"
#include "common/io/ring.h"
#include "common/io/thread.h"
#include "coordinator/analysis/run_samples.h"
#include "coordinator/evidence/summary.h"

enum { LOOK_MS = 5000, TIDY_MS = 600 * 1000, DUE_MAX = 64, ARENA_BYTES_MAX = 1 << 30, METHOD_BYTES = 64 };

struct analysis {
	struct store *store;
	struct ring *wake; /* holds at most one pointer: that there is something to look at */
	struct thread *thread;
	uint64_t tidy_at_ms;
};

static struct run_stat_row stat_of(const struct samples *s, const struct run_row *run, const struct summary_row *row,
                                   struct arena *arena)
{
	struct run_stat_row out = { .metric = (int32_t)row->metric,
		                    .scoring_no = run->scoring_no,
		                    .n = row->n,
		                    .missing = summary_missing(row) };
	if (row->dimension != SUMMARY_ALL)
		out.slice = arena_printf(arena, "%.*s=%.*s", STR_ARG(s->dimension[row->dimension].name),
		                         STR_ARG(summary_label(s, row->dimension, row->group)));
	out.has_estimate = row->mean.defined;
	out.estimate = row->mean.value;
	out.has_interval = row->interval.defined;
	out.std_error = number_or(row->se, 0);
	out.low = row->interval.low;
	out.high = row->interval.high;
	out.method = arena_printf(arena, "%s.1", summary_method_name(row->method));
	out.detail = STR("{}");
	return out;
}

static enum err_code compute(struct analysis *a, uint64_t run_id, struct error *reterr)
{
	struct arena arena;
	struct run_samples rs;
	struct summary summary;
	int64_t mark = 0;
	arena_init(&arena, ARENA_BYTES_MAX);
	enum err_code err = runs_stat_mark(a->store, run_id, &mark, reterr); /* before the samples: see runs.h */
	if (err == ERR_OK)
		err = run_samples_read(a->store, run_id, &arena, &rs, reterr);
	if (err == ERR_OK) {
		err = summary_compute(&arena, &rs.samples, 0.95, &summary, reterr);
		if (err == ERR_OK) {
			struct run_stat_row *rows = arena_new(&arena, summary.row_count + 1, sizeof(*rows));
			for (size_t i = 0; i < summary.row_count; i++)
				rows[i] = stat_of(&rs.samples, rs.run, &summary.rows[i], &arena);
			err = runs_put_stats(a->store, run_id, mark, rows, summary.row_count, reterr);
		}
		run_samples_done(&rs);
	}
	arena_done(&arena);
	return err;
}

static void look(struct analysis *a)
{
	struct arena arena;
	uint64_t *due = NULL;
	size_t count = 0;
	struct error e;
	arena_init(&arena, 1 << 20);
	enum err_code err = runs_stat_due(a->store, DUE_MAX, &arena, &due, &count, &e);
	for (size_t i = 0; err == ERR_OK && i < count && !ring_is_closed(a->wake); i++)
		if (compute(a, due[i], &e) != ERR_OK)
			log_warn("run not summed up, tried again later", log_u64("run", due[i]), log_error_text(&e));
	if (err != ERR_OK && err != ERR_CONNECT && err != ERR_CONFLICT)
		log_warn("analysis", log_error_text(&e));
	arena_done(&arena);
}

/* What is kept for a time only. A failure waits for the next time: nothing depends on it. */
static void tidy(struct analysis *a)
{
	struct error e;
	uint64_t now_ms = clock_now_ms();
	if (now_ms < a->tidy_at_ms)
		return;
	a->tidy_at_ms = now_ms + TIDY_MS;
	enum err_code err = store_tidy(a->store, &e);
	if (err != ERR_OK && err != ERR_CONNECT && err != ERR_CONFLICT)
		log_warn("old refused results not taken away, tried again later", log_error_text(&e));
}

static void run(void *arg)
{
	struct analysis *a = arg;
	while (!ring_is_closed(a->wake)) {
		void *token;
		look(a);
		tidy(a);
		IGNORE(ring_pop_wait(a->wake, &token, 1, LOOK_MS)); /* rows say what is due, not the token */
	}
}

enum err_code analysis_start(const struct analysis_settings *settings, struct analysis **ret_analysis,
                             struct error *reterr)
{
	struct analysis *a = mem_new(1, sizeof(*a));
	enum err_code err = ring_new(1, &a->wake, reterr);
	if (err == ERR_OK)
		err = store_open(&settings->store, STORE_WRITER, settings->term, &a->store, reterr);
	if (err == ERR_OK)
		err = thread_start(&a->thread, "analysis", run, a, reterr);
	if (err != ERR_OK) {
		analysis_stop(a);
		return err;
	}
	*ret_analysis = a;
	return ERR_OK;
}

void analysis_wake(struct analysis *a)
{
	IGNORE(ring_try_push(a->wake, a)); /* full: it is told already */
}

void analysis_stop(struct analysis *a)
{
	if (!a)
		return;
	if (a->wake)
		ring_close(a->wake);
	thread_join(a->thread);
	store_close(a->store);
	ring_free(a->wake);
	mem_free(a);
}
