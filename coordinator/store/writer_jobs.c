#include "common/io/clock.h"
#include "coordinator/store/writer_machine.h"
#include <stdio.h>
#include <string.h>

enum err_code writer_ask_lead(struct writer *w, struct error *reterr)
{
	static const struct pg_statement lead = { "lead", "SELECT assay.lead($1::int8)" };
	pg_params_clear(&w->params);
	pg_params_i64(&w->params, (int64_t)w->settings.term);
	return pg_queue(w->pg, &lead, &w->params, reterr);
}

static void put_outbox(struct pg_params *p, const struct outbox_id *id)
{
	pg_params_bytes(p, str_make(id->bytes, sizeof(id->bytes)));
}

static const struct pg_statement *put_worker(struct pg_params *p, const struct writer_worker *x, uint64_t term)
{
	static const struct pg_statement statement = {
		"job_worker",
		"INSERT INTO assay.worker AS w (outbox, name, build, key, slots, abilities, term, gone, hello_at)"
		" VALUES ($1::uuid, $2::text, $3::text, $4::text, $5::int4, $6::text, $7::int8, false, now())"
		" ON CONFLICT (outbox) DO UPDATE SET name = excluded.name, build = excluded.build,"
		" key = CASE WHEN excluded.key <> '' THEN excluded.key ELSE w.key END, slots = excluded.slots,"
		" abilities = excluded.abilities, term = excluded.term, gone = false, hello_at = now() RETURNING "
		"worker_id"
	};
	put_outbox(p, &x->outbox);
	pg_params_text(p, x->name);
	pg_params_text(p, x->build);
	pg_params_text(p, x->key);
	pg_params_i32(p, (int32_t)MIN_OF(x->slots, (uint32_t)INT32_MAX));
	pg_params_text(p, x->abilities);
	pg_params_i64(p, (int64_t)term);
	return &statement;
}

static const struct pg_statement *put_route(struct pg_params *p, const struct writer_route *x)
{
	static const struct pg_statement statement = {
		"job_route", "UPDATE assay.route SET concurrency = $2::int4, rate = $3::float8, note = $5::text,"
			     " pause_until = CASE WHEN $4::int8 > 0 THEN now() + $4::int8 * interval '1 ms' END,"
			     " changed_at = now() WHERE route_id = $1::int4"
	};
	pg_params_i32(p, x->route_id);
	pg_params_i32(p, (int32_t)MIN_OF(x->concurrency, (uint32_t)INT32_MAX));
	pg_params_f64(p, x->rate >= 0 && x->rate < 1e12 ? x->rate : 0);
	pg_params_i64(p, x->pause_ms);
	pg_params_text(p, x->note);
	return &statement;
}

static const struct pg_statement *put_run_state(struct pg_params *p, const struct writer_run_state *x)
{
	/* An end is written once: a second coordinator's word for the same run changes nothing of the first's time. */
	static const struct pg_statement statement = {
		"job_run_state",
		"UPDATE assay.run SET state = $2::int2, reason = $3::text,"
		" started_at = CASE WHEN $2::int2 = 0 THEN started_at ELSE coalesce(started_at, now()) END,"
		" ended_at = CASE WHEN $2::int2 IN (0, 1) THEN NULL ELSE coalesce(ended_at, now()) END,"
		" stat_due = $2::int2 NOT IN (0, 1) WHERE run_id = $1::int8"
	};
	pg_params_i64(p, (int64_t)x->run_id);
	pg_params_i16(p, (int16_t)x->state);
	pg_params_text(p, x->reason);
	return &statement;
}

static const struct pg_statement *put_job(struct writer *w, const struct writer_job *job)
{
	static const struct pg_statement sent_to = {
		"job_sent_to",
		"UPDATE assay.run SET sent_to = greatest(sent_to, $2::int8),"
		" state = CASE WHEN state = 0 THEN 1 ELSE state END, started_at = coalesce(started_at, now())"
		" WHERE run_id = $1::int8"
	};
	static const struct pg_statement gone = {
		"job_gone", "UPDATE assay.worker SET gone = true, gone_at = now() WHERE outbox = $1::uuid"
	};
	static const struct pg_statement lost_closed = {
		"job_lost_closed", "SELECT assay.lost_close($1::uuid, $2::int8, to_timestamp($3::int8 / 1000.0))"
	};
	struct pg_params *p = &w->params;
	pg_params_clear(p);
	switch (job->kind) {
	case WRITER_SENT_TO:
		pg_params_i64(p, (int64_t)job->sent_to.run_id);
		pg_params_i64(p, (int64_t)job->sent_to.sent_to);
		return &sent_to;
	case WRITER_RUN_STATE:
		return put_run_state(p, &job->run_state);
	case WRITER_ROUTE:
		return put_route(p, &job->route);
	case WRITER_WORKER:
		return put_worker(p, &job->worker, w->settings.term);
	case WRITER_WORKER_GONE:
		put_outbox(p, &job->outbox.outbox);
		return &gone;
	case WRITER_LOST_CLOSED:
		put_outbox(p, &job->outbox.outbox);
		pg_params_i64(p, (int64_t)w->settings.term);
		/* what is lost in the moment of closing stays open */
		pg_params_i64(p, (job->outbox.at_ms ? job->outbox.at_ms : job->asked_at_ms) - 1);
		return &lost_closed;
	}
	return NULL;
}

enum err_code writer_jobs_ask(struct writer *w, const struct writer_job *job, struct error *reterr)
{
	enum err_code err = writer_ask_lead(w, reterr);
	if (err)
		return err;
	const struct pg_statement *statement = put_job(w, job);
	if (!statement)
		return error_set(reterr, ERR_UNSUPPORTED, "a job of unknown kind %d", (int)job->kind);
	return pg_queue(w->pg, statement, &w->params, reterr);
}

void writer_jobs_answered(struct writer *w, struct writer_job *job)
{
	bool of_run = job->kind == WRITER_SENT_TO || job->kind == WRITER_RUN_STATE;
	job->err = ERR_OK;
	if (job->kind == WRITER_WORKER && pg_rows(w->pg, 1) == 1)
		job->worker.worker_id = (int32_t)pg_i64(w->pg, 1, 0, 0);
	else if (of_run && pg_affected(w->pg, 1) == 0)
		job->err = error_set(&job->error, ERR_NOT_FOUND, "there is no run %llu",
		                     (unsigned long long)(job->kind == WRITER_SENT_TO ? job->sent_to.run_id
		                                                                      : job->run_state.run_id));
}
