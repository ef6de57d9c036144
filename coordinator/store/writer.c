#include "coordinator/store/writer.h"
#include "common/base/check.h"
#include "common/base/mem.h"
#include "common/io/clock.h"
#include "coordinator/store/writer_machine.h"
#include <stdio.h>
#include <string.h>

enum { RETRY_MIN_MS = 20, RETRY_MAX_MS = 500, TIMEOUT_MAX_MS = 3000, SLACK_MS = 500, TURNS_MAX = 64 };

uint32_t writer_of_run(uint64_t run_id, uint32_t writer_count)
{
	return writer_count ? (uint32_t)(run_id % writer_count) : 0;
}

enum err_code writer_new(const struct writer_settings *settings, struct writer **ret_writer, struct error *reterr)
{
	char name[48];
	struct writer *w = mem_try_new(1, sizeof(*w));
	if (!w)
		return error_set(reterr, ERR_NOMEM, "a writer");
	w->settings = *settings;
	w->rows_per_group = WRITER_GROUP_ROWS;
	map_init(&w->samples, sizeof(unsigned));
	map_init(&w->parts, sizeof(int64_t));
	map_init(&w->workers, sizeof(int32_t));
	map_init(&w->fingerprints, sizeof(int32_t));
	pg_params_init(&w->params);
	uint32_t timeout_ms = settings->store.write_timeout_ms;
	if (timeout_ms == 0 || timeout_ms > TIMEOUT_MAX_MS)
		timeout_ms = TIMEOUT_MAX_MS;
	w->settings.store.write_timeout_ms = timeout_ms;
	(void)snprintf(name, sizeof(name), "assay/%llu", (unsigned long long)settings->term); /* fits */
	struct pg_settings ps = { .dsn = settings->store.dsn,
		                  .application_name = name,
		                  .connect_timeout_ms = settings->store.connect_timeout_ms,
		                  .statement_timeout_ms = timeout_ms,
		                  .idle_in_transaction_ms = TIMEOUT_MAX_MS,
		                  .read_write = true,
		                  .pinned_plans = true };
	enum err_code err = pg_new(&ps, &w->pg, reterr);
	if (err)
		writer_free(w);
	else
		*ret_writer = w;
	return err;
}

void writer_free(struct writer *w)
{
	if (!w)
		return;
	pg_free(w->pg);
	writer_group_free(w);
	pg_params_done(&w->params);
	mem_free(w);
}

void writer_add_batch(struct writer *w, struct writer_batch *batch, uint64_t now_ms)
{
	writer_group_add(w, batch, now_ms);
}

void writer_add_job(struct writer *w, struct writer_job *job)
{
	job->next = NULL;
	job->asked_at_ms = clock_wall_ms();
	if (w->last_job)
		w->last_job->next = job;
	else
		w->jobs = job;
	w->last_job = job;
}

struct writer_batch *writer_take_batch(struct writer *w)
{
	struct writer_batch *b = w->done_batches;
	if (!b)
		return NULL;
	w->done_batches = b->next;
	if (!b->next)
		w->last_done_batch = NULL;
	b->next = NULL;
	return b;
}

struct writer_job *writer_take_job(struct writer *w)
{
	struct writer_job *j = w->done_jobs;
	if (!j)
		return NULL;
	w->done_jobs = j->next;
	if (!j->next)
		w->last_done_job = NULL;
	j->next = NULL;
	return j;
}

static void finish_job(struct writer *w)
{
	struct writer_job *j = w->jobs;
	w->jobs = j->next;
	if (!w->jobs)
		w->last_job = NULL;
	j->next = NULL;
	if (w->last_done_job)
		w->last_done_job->next = j;
	else
		w->done_jobs = j;
	w->last_done_job = j;
}

/* ---- failures ---- */

/* The same again after a while: whatever it was for is still where it was. */
static void try_later(struct writer *w, uint64_t now_ms)
{
	w->phase = PHASE_NONE;
	w->counters.sent_again++;
	w->retry_ms = w->retry_ms ? MIN_OF(w->retry_ms * 2, (uint64_t)RETRY_MAX_MS) : RETRY_MIN_MS;
	w->retry_at_ms = now_ms + w->retry_ms;
	w->state = WRITER_AWAY;
}

static void on_failure(struct writer *w, enum err_code err, uint64_t now_ms)
{
	enum writer_phase phase = w->phase;
	const char *sqlstate = pg_sqlstate(w->pg);
	if (strcmp(sqlstate, "AS001") == 0) {
		w->state = WRITER_OVER;
		return;
	}
	if (phase == PHASE_RESOLVE && err == ERR_DATABASE && !w->resolve_bare) {
		w->resolve_bare = true; /* nothing but the partitions is worth stopping for */
		w->phase = PHASE_NONE;
		return;
	}
	bool passes = phase == PHASE_NONE || phase == PHASE_RESOLVE || err == ERR_CONNECT || err == ERR_AGAIN ||
	              err == ERR_TIMEOUT || err == ERR_DENIED || err == ERR_NOMEM;
	if (passes && strcmp(sqlstate, "57014") == 0 && phase == PHASE_RESULT)
		writer_group_shrink(w);
	if (passes) {
		/* A server that has become read-only, or is shutting down: the next connection finds the right one. */
		if (strncmp(sqlstate, "25", 2) == 0 || strncmp(sqlstate, "57P", 3) == 0)
			pg_close(w->pg);
		try_later(w, now_ms);
		return;
	}
	w->phase = PHASE_NONE;
	if (phase == PHASE_JOB) {
		w->jobs->err = error_set(&w->jobs->error, ERR_DATABASE, "%s", w->error.text);
		finish_job(w);
		return;
	}
	writer_group_failed(w, phase, &w->error, now_ms);
}

/* ---- the machine ---- */

static enum err_code send_next(struct writer *w, uint64_t now_ms)
{
	enum writer_phase phase = PHASE_NONE;
	enum err_code err = ERR_OK;
	if (!writer_group_active(w) && w->jobs) {
		phase = PHASE_JOB;
		err = writer_jobs_ask(w, w->jobs, &w->error);
	} else if (writer_group_active(w) || writer_group_due(w, now_ms)) {
		err = writer_group_ask(w, now_ms, &phase, &w->error);
	}
	w->phase = phase;
	if (err || phase == PHASE_NONE)
		return err;
	w->phase_ms = now_ms;
	w->phase_us = clock_now_us();
	return pg_submit(w->pg, &w->error);
}

static void on_answer(struct writer *w, uint64_t now_ms)
{
	enum writer_phase phase = w->phase;
	enum err_code err = pg_outcome(w->pg, &w->error);
	if (err) {
		on_failure(w, err, now_ms);
		return;
	}
	if (phase == PHASE_RESULT) {
		uint64_t took_us = clock_now_us() - w->phase_us;
		w->counters.statement_us += took_us;
		w->counters.statement_us_max = MAX_OF(w->counters.statement_us_max, took_us);
	}
	w->phase = PHASE_NONE;
	w->retry_ms = 0;
	w->state = WRITER_WORKS;
	w->error.text[0] = '\0';
	if (phase == PHASE_JOB) {
		writer_jobs_answered(w, w->jobs);
		finish_job(w);
	} else if (!writer_group_answered(w, phase)) {
		(void)error_set(&w->error, ERR_CONFLICT, "term %llu is over", (unsigned long long)w->settings.term);
		w->state = WRITER_OVER;
	}
}

static enum err_code step_busy(struct writer *w, uint64_t now_ms)
{
	enum err_code err = pg_step(w->pg, now_ms, &w->error);
	if (err)
		return err;
	if (pg_state(w->pg) == PG_DONE) {
		on_answer(w, now_ms);
		return ERR_OK;
	}
	if (now_ms - w->phase_ms < w->settings.store.write_timeout_ms + SLACK_MS)
		return ERR_OK;
	pg_close(w->pg); /* a stopped server does not even say that its time is up */
	return error_set(&w->error, ERR_TIMEOUT, "the database did not answer in time");
}

static enum err_code step_ready(struct writer *w, uint64_t now_ms)
{
	enum err_code err = pg_step(w->pg, now_ms, &w->error); /* it may have died of idleness */
	return err || now_ms < w->retry_at_ms ? err : send_next(w, now_ms);
}

/* One move. *ret_moved: there may be more to do at once. */
static enum err_code move(struct writer *w, uint64_t now_ms, bool *ret_moved)
{
	enum pg_state before = pg_state(w->pg);
	enum writer_phase phase = w->phase;
	enum err_code err = ERR_OK;
	switch (before) {
	case PG_CLOSED:
		err = now_ms < w->retry_at_ms ? ERR_OK : pg_connect_start(w->pg, now_ms, &w->error);
		break;
	case PG_CONNECTING:
		err = pg_step(w->pg, now_ms, &w->error);
		if (!err && pg_state(w->pg) == PG_READY) {
			w->counters.connections++;
			w->state = WRITER_WORKS;
		}
		break;
	case PG_READY:
	case PG_DONE:
		if (w->phase != PHASE_NONE)
			on_answer(w, now_ms); /* it was there as soon as the question had gone out */
		else
			err = step_ready(w, now_ms);
		break;
	case PG_BUSY:
		err = step_busy(w, now_ms);
		break;
	}
	*ret_moved = pg_state(w->pg) != before || w->phase != phase;
	return err;
}

enum writer_state writer_step(struct writer *w, uint64_t now_ms)
{
	bool moved = true;
	for (int turns = 0; turns < TURNS_MAX && moved && w->state != WRITER_OVER; turns++) {
		enum err_code err = move(w, now_ms, &moved);
		bool cannot_be_said = err == ERR_LIMIT || err == ERR_UNSUPPORTED;
		if (cannot_be_said || err == ERR_NOMEM)
			pg_close(w->pg); /* half a pipeline is queued on it */
		if (err)
			on_failure(w, cannot_be_said ? ERR_DATABASE : err, now_ms);
	}
	return w->state;
}

bool writer_idle(const struct writer *w)
{
	return w->batch_count == 0 && !w->jobs && !w->done_batches && !w->done_jobs;
}

uint64_t writer_next_deadline_ms(const struct writer *w)
{
	if (w->state == WRITER_OVER)
		return UINT64_MAX;
	switch (pg_state(w->pg)) {
	case PG_CLOSED:
		return w->retry_at_ms;
	case PG_CONNECTING:
		return pg_next_deadline_ms(w->pg);
	case PG_BUSY:
		return w->phase_ms + w->settings.store.write_timeout_ms + SLACK_MS;
	case PG_READY:
	case PG_DONE:
		break;
	}
	uint64_t due = writer_group_active(w) || w->jobs ? 0 : writer_group_due_ms(w);
	return due == UINT64_MAX ? due : MAX_OF(due, w->retry_at_ms);
}

void writer_wait(const struct writer *w, int wake_fd, uint64_t now_ms)
{
	uint64_t due = writer_next_deadline_ms(w);
	int timeout_ms = due == UINT64_MAX ? -1 : due <= now_ms ? 0 : (int)MIN_OF(due - now_ms, (uint64_t)60000);
	pg_wait(w->pg, wake_fd, timeout_ms);
}

const char *writer_error(const struct writer *w)
{
	return w->error.text;
}

struct writer_counters writer_counters(const struct writer *w)
{
	return w->counters;
}
