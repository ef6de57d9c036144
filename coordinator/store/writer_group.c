#include "common/base/check.h"
#include "common/base/mem.h"
#include "common/base/rng.h"
#include "common/io/clock.h"
#include "coordinator/store/embedded.h"
#include "coordinator/store/writer_machine.h"
#include <stdio.h>
#include <string.h>

enum { STUCK_MS = 1000, FINGERPRINT_BYTES_MAX = 200, ROWS_MIN = 50 };

static struct str embedded(const char *name)
{
	for (const struct embedded_file *f = embedded_statements; f->name; f++)
		if (strcmp(f->name, name) == 0)
			return f->text;
	check_msg(false, "no statement '%s' in the program", name);
	return (struct str){ 0 };
}

/* ---- waiting ---- */

static void rows_push(struct writer_rows *q, struct group_row row)
{
	if (q->at > 0 && q->at == q->len)
		q->at = q->len = 0;
	if (q->len == q->cap && q->at > q->len / 2) { /* half of it is used up: move instead of growing */
		memmove(q->items, q->items + q->at, (q->len - q->at) * sizeof(*q->items));
		q->len -= q->at;
		q->at = 0;
	}
	mem_reserve(&q->items, &q->cap, q->len + 1, sizeof(*q->items));
	q->items[q->len++] = row;
}

static size_t rows_count(const struct writer_rows *q)
{
	return q->len - q->at;
}

void writer_group_add(struct writer *w, struct writer_batch *batch, uint64_t now_ms)
{
	check(batch->record_count > 0);
	batch->left = batch->record_count;
	batch->next = NULL;
	w->batch_count++;
	for (size_t i = 0; i < batch->record_count; i++) {
		struct group_row row = { .batch = batch, .index = i, .part = -1, .at_ms = now_ms };
		bool refuse;
		const char *wrong = group_check(&batch->records[i], &refuse);
		if (wrong)
			group_spoil(&row, wrong);
		if (wrong && refuse)
			row.spoil = GROUP_REFUSED;
		rows_push(&w->waiting, row);
	}
}

uint64_t writer_group_due_ms(const struct writer *w)
{
	size_t count = rows_count(&w->waiting);
	uint64_t due = UINT64_MAX;
	if (count > 0)
		due = count >= w->rows_per_group ? 0 : w->waiting.items[w->waiting.at].at_ms + WRITER_GROUP_MS;
	if (rows_count(&w->stuck) > 0)
		due = MIN_OF(due, w->stuck_at_ms);
	return due;
}

bool writer_group_due(const struct writer *w, uint64_t now_ms)
{
	return writer_group_due_ms(w) <= now_ms;
}

bool writer_group_active(const struct writer *w)
{
	return w->range_count > 0 || w->refuse_count > 0;
}

/* ---- handing back ---- */

static void finish(struct writer *w, struct group_row *row, enum writer_fate fate)
{
	const struct msg_record *r = group_record(row);
	struct writer_done *done = &row->batch->done[row->index];
	done->fate = fate;
	done->outcome = OUTCOME_NONE;
	if (group_is_result(row) && fate == WRITER_STORED)
		done->outcome = r->kind == RECORD_RAW ? OUTCOME_UNSCORED : r->outcome;
	else if (group_is_result(row) && fate == WRITER_SPOILED)
		done->outcome = OUTCOME_HARNESS_ERROR;
	w->counters.spoiled += fate == WRITER_SPOILED;
	w->counters.refused += fate == WRITER_REFUSED;
	mem_free(row->text);
	row->text = NULL;
	if (--row->batch->left > 0)
		return;
	w->batch_count--;
	if (w->last_done_batch)
		w->last_done_batch->next = row->batch;
	else
		w->done_batches = row->batch;
	w->last_done_batch = row->batch;
}

static void set_aside(struct writer *w, struct group_row row, uint64_t now_ms)
{
	rows_push(&w->stuck, row);
	w->stuck_at_ms = now_ms + STUCK_MS;
}

/* ---- resolving: numbers that the database gives ---- */

static struct hash fingerprint_key(const struct msg_record *r)
{
	struct hash_stream h;
	hash_begin(&h);
	hash_add(&h, r->returned_model);
	hash_add(&h, r->fingerprint);
	return hash_end(&h);
}

static bool has_fingerprint(const struct msg_record *r)
{
	return r->kind != RECORD_ATTEMPT && (r->returned_model.len > 0 || r->fingerprint.len > 0);
}

static struct str outbox_str(const struct outbox_id *id)
{
	return str_make(id->bytes, sizeof(id->bytes));
}

static bool is_nobody(const struct outbox_id *id)
{
	static const struct outbox_id nobody;
	return memcmp(id->bytes, nobody.bytes, sizeof(nobody.bytes)) == 0;
}

/* True when all three numbers are known. */
static bool resolve(struct writer *w, struct group_row *row)
{
	const struct msg_record *r = group_record(row);
	const int64_t *part = map_get_u64(&w->parts, r->run_id);
	const int32_t *worker =
		is_nobody(&row->batch->outbox) ? NULL : map_get(&w->workers, outbox_str(&row->batch->outbox));
	const int32_t *fingerprint = NULL;
	if (has_fingerprint(r)) {
		struct hash key = fingerprint_key(r);
		fingerprint = map_get(&w->fingerprints, str_make(key.bytes, HASH_BYTES));
		row->fingerprint_id = fingerprint ? *fingerprint : 0;
	}
	row->part = part ? *part : -1;
	row->worker_id = worker ? *worker : 0;
	row->resolved = part && (worker || is_nobody(&row->batch->outbox)) && (fingerprint || !has_fingerprint(r));
	return row->resolved;
}

/* The rows that may be in the next group: those whose numbers must be known. */
static size_t window_end(const struct writer *w)
{
	return MIN_OF(w->waiting.len, w->waiting.at + WRITER_GROUP_ROWS_MAX);
}

static bool all_resolved(struct writer *w)
{
	bool all = true;
	size_t end = window_end(w);
	for (size_t i = w->waiting.at; i < end; i++) {
		struct group_row *row = &w->waiting.items[i];
		if (!row->resolved && row->spoil != GROUP_REFUSED && !resolve(w, row))
			all = false;
	}
	return all;
}

/* Ids of runs whose partition is asked for; each once. */
static void put_run_ids(struct writer *w, struct pg_params *p)
{
	struct pg_array a;
	struct map seen;
	map_init(&seen, 1);
	pg_array_begin(&a, p, PG_TYPE_INT8);
	for (size_t i = w->waiting.at; i < window_end(w); i++) {
		const struct group_row *row = &w->waiting.items[i];
		bool is_new;
		if (row->resolved || row->spoil == GROUP_REFUSED)
			continue;
		(void)map_put_u64(&seen, group_record(row)->run_id, &is_new); /* only whether it was there */
		if (is_new)
			pg_array_i64(&a, (int64_t)group_record(row)->run_id);
	}
	pg_array_end(&a);
	map_done(&seen);
}

static void put_workers(struct writer *w, struct pg_params *p)
{
	struct pg_array a;
	struct map names; /* outbox -> struct str */
	struct str key;
	const struct str *name;
	map_init(&names, sizeof(struct str));
	for (size_t i = w->waiting.at; i < window_end(w); i++) {
		const struct group_row *row = &w->waiting.items[i];
		if (!w->resolve_bare && !row->resolved && row->spoil != GROUP_REFUSED &&
		    !is_nobody(&row->batch->outbox))
			*(struct str *)map_put(&names, outbox_str(&row->batch->outbox), NULL) = row->batch->worker_name;
	}
	pg_array_begin(&a, p, PG_TYPE_UUID);
	for (size_t at = 0; map_next(&names, &at, &key) != NULL;)
		pg_array_bytes(&a, key);
	pg_array_end(&a);
	pg_array_begin(&a, p, PG_TYPE_TEXT);
	for (size_t at = 0; (name = map_next(&names, &at, &key)) != NULL;)
		pg_array_text(&a, *name);
	pg_array_end(&a);
	map_done(&names);
}

static void put_fingerprints(struct writer *w, struct pg_params *p)
{
	struct pg_array a;
	struct map seen; /* key -> const struct msg_record * */
	struct str key;
	const struct msg_record *const *r;
	map_init(&seen, sizeof(const struct msg_record *));
	for (size_t i = w->waiting.at; i < window_end(w); i++) {
		const struct group_row *row = &w->waiting.items[i];
		if (w->resolve_bare || row->resolved || row->spoil == GROUP_REFUSED ||
		    !has_fingerprint(group_record(row)))
			continue;
		struct hash h = fingerprint_key(group_record(row));
		*(const struct msg_record **)map_put(&seen, str_make(h.bytes, HASH_BYTES), NULL) = group_record(row);
	}
	pg_array_begin(&a, p, PG_TYPE_BYTEA);
	for (size_t at = 0; map_next(&seen, &at, &key) != NULL;)
		pg_array_bytes(&a, key);
	pg_array_end(&a);
	pg_array_begin(&a, p, PG_TYPE_TEXT);
	for (size_t at = 0; (r = map_next(&seen, &at, &key)) != NULL;)
		pg_array_text(&a, str_slice((*r)->returned_model, 0, FINGERPRINT_BYTES_MAX));
	pg_array_end(&a);
	pg_array_begin(&a, p, PG_TYPE_TEXT);
	for (size_t at = 0; (r = map_next(&seen, &at, &key)) != NULL;)
		pg_array_text(&a, str_slice((*r)->fingerprint, 0, FINGERPRINT_BYTES_MAX));
	pg_array_end(&a);
	map_done(&seen);
}

static enum err_code ask_resolve(struct writer *w, struct error *reterr)
{
	static const struct pg_statement parts = {
		"writer_parts", "SELECT r.run_id, r.part FROM unnest($1::int8[]) AS u (run_id)"
				" CROSS JOIN LATERAL (SELECT * FROM assay.run r WHERE r.run_id = u.run_id LIMIT 1) r"
	};
	static const struct pg_statement workers = {
		"writer_workers",
		"INSERT INTO assay.worker AS w (outbox, name) SELECT outbox, name FROM unnest($1::uuid[], $2::text[])"
		" AS u (outbox, name) ORDER BY outbox ON CONFLICT (outbox) DO UPDATE SET name = CASE WHEN excluded.name"
		" <> '' THEN excluded.name ELSE w.name END RETURNING outbox, worker_id"
	};
	static const struct pg_statement add = {
		"writer_fingerprints",
		"INSERT INTO assay.fingerprint (key, returned_model, fingerprint) SELECT * FROM unnest($1::bytea[],"
		" $2::text[], $3::text[]) AS u (key, returned_model, fingerprint) ORDER BY key ON CONFLICT (key) DO "
		"NOTHING"
	};
	static const struct pg_statement read = {
		"writer_fingerprint_ids",
		"SELECT f.key, f.fingerprint_id FROM unnest($1::bytea[], $2::text[], $3::text[]) AS u (key, m, f)"
		" CROSS JOIN LATERAL (SELECT * FROM assay.fingerprint f WHERE f.key = u.key LIMIT 1) f"
	};
	enum err_code err = writer_ask_lead(w, reterr);
	w->asked_count = window_end(w) - w->waiting.at;
	pg_params_clear(&w->params);
	put_run_ids(w, &w->params);
	if (!err)
		err = pg_queue(w->pg, &parts, &w->params, reterr);
	pg_params_clear(&w->params);
	put_workers(w, &w->params); /* none, and no fingerprints, when resolve_bare */
	if (!err)
		err = pg_queue(w->pg, &workers, &w->params, reterr);
	pg_params_clear(&w->params);
	put_fingerprints(w, &w->params);
	if (!err)
		err = pg_queue(w->pg, &add, &w->params, reterr);
	return err ? err : pg_queue(w->pg, &read, &w->params, reterr);
}

static void keep_small(struct map *m)
{
	if (m->len > CACHE_MAX)
		map_clear(m);
}

static void on_resolved(struct writer *w)
{
	keep_small(&w->parts);
	keep_small(&w->workers);
	keep_small(&w->fingerprints);
	for (size_t i = 0; i < pg_rows(w->pg, 1); i++)
		*(int64_t *)map_put_u64(&w->parts, (uint64_t)pg_i64(w->pg, 1, i, 0), NULL) = pg_i64(w->pg, 1, i, 1);
	for (size_t i = 0; i < pg_rows(w->pg, 2); i++)
		*(int32_t *)map_put(&w->workers, pg_bytes(w->pg, 2, i, 0), NULL) = (int32_t)pg_i64(w->pg, 2, i, 1);
	for (size_t i = 0; i < pg_rows(w->pg, 4); i++)
		*(int32_t *)map_put(&w->fingerprints, pg_bytes(w->pg, 4, i, 0), NULL) = (int32_t)pg_i64(w->pg, 4, i, 1);
	/* What is not known now does not exist: a row without a run is refused, one without the rest goes without. Rows
	 * that came since were not asked for: they are next. */
	for (size_t i = 0; i < w->asked_count; i++) {
		struct group_row *row = &w->waiting.items[w->waiting.at + i];
		if (row->resolved || row->spoil == GROUP_REFUSED || resolve(w, row))
			continue;
		row->resolved = true;
		if (row->part >= 0)
			continue;
		group_spoil(row, "there is no such run");
		row->spoil = GROUP_REFUSED;
	}
	w->resolve_bare = false;
}

/* ---- picking a group ---- */

/* A group has one result of a sample at most, and failed attempts of its retry beside it: what comes second has to find
 * what came first. For the same reason a LOST row and what its worker says afterwards never meet in one statement. */
static bool fits(struct writer *w, const struct group_row *row)
{
	enum { HAS_RESULT = 1, HAS_LOST = 2, HAS_ATTEMPT = 4 };
	const struct msg_record *r = group_record(row);
	unsigned mine = HAS_ATTEMPT;
	if (group_is_result(row))
		mine = HAS_RESULT;
	else if (r->error_class == CLASS_LOST)
		mine = HAS_LOST;
	uint64_t key = rng_mix(rng_mix(r->run_id) ^ r->sample_no);
	unsigned *has = map_get_u64(&w->samples, key);
	if (has && (mine == HAS_LOST || (*has & HAS_LOST) || (mine == HAS_RESULT && (*has & HAS_RESULT)))) {
		*has |= HAS_LOST; /* whatever else comes of this sample waits behind it */
		return false;
	}
	if (!has)
		has = map_put_u64(&w->samples, key, NULL);
	*has |= mine;
	return true;
}

static void pick(struct writer *w)
{
	struct writer_rows *q = &w->waiting;
	size_t end = window_end(w), bytes = 0, from = q->at, last_kept = end;
	size_t rows_max = MIN_OF(w->rows_per_group * 2, (size_t)WRITER_GROUP_ROWS_MAX);
	int64_t part = -1;
	map_clear(&w->samples);
	w->group_count = 0;
	w->group_is_stuck = false;
	bool taken[WRITER_GROUP_ROWS_MAX] = { false };
	for (size_t i = from; i < end; i++) {
		const struct group_row *row = &q->items[i];
		if (row->spoil == GROUP_REFUSED) {
			w->refuse[w->refuse_count++] = *row;
			taken[i - from] = true;
			continue;
		}
		if (w->group_count == rows_max || (w->group_count > 0 && bytes > WRITER_GROUP_BYTES_MAX))
			break;
		if ((part >= 0 && row->part != part) || !fits(w, row))
			continue;
		part = row->part;
		bytes += group_bytes(group_record(row));
		w->group[w->group_count++] = *row;
		taken[i - from] = true;
	}
	for (size_t i = end; i > from; i--) /* what was left out moves up to the rest, in its order */
		if (!taken[i - 1 - from])
			q->items[--last_kept] = q->items[i - 1];
	q->at = last_kept;
	w->range_count = 0;
	if (w->group_count > 0)
		w->ranges[w->range_count++] = (struct writer_range){ 0, w->group_count };
}

/* A row that nothing could be done for, by itself. */
static void pick_stuck(struct writer *w)
{
	struct group_row row = w->stuck.items[w->stuck.at++];
	if (row.spoil == GROUP_REFUSED && row.part >= 0)
		row.spoil = GROUP_BARE; /* whatever was in its way may have gone */
	w->group_count = 0;
	w->range_count = 0;
	w->group_is_stuck = true;
	if (row.spoil == GROUP_REFUSED) {
		w->refuse[w->refuse_count++] = row;
		return;
	}
	w->group[w->group_count++] = row;
	w->ranges[w->range_count++] = (struct writer_range){ 0, 1 };
}

/* ---- statements ---- */

static const struct writer_text *text_of(struct writer *w, int64_t part)
{
	for (size_t i = 0; i < w->text_count; i++)
		if (w->texts[i].part == part)
			return &w->texts[i];
	if (w->text_count == PARTS_MAX) { /* statements of old partitions go with their connection */
		pg_close(w->pg);
		for (size_t i = 0; i < w->text_count; i++)
			mem_free(w->texts[i].sql);
		w->text_count = 0;
		return NULL;
	}
	struct str text = embedded("result"), place = STR("{part}");
	struct buf sql;
	buf_init(&sql, 1 << 20);
	for (ptrdiff_t at; (at = str_find(text, place)) >= 0;
	     text = str_slice(text, (size_t)at + place.len, text.len)) {
		(void)buf_append_str(&sql, str_slice(text, 0, (size_t)at)); /* asked at the end */
		(void)buf_printf(&sql, "%lld", (long long)part);
	}
	struct writer_text *t = &w->texts[w->text_count];
	if (!buf_append_str(&sql, text)) { /* no memory now */
		buf_done(&sql);
		pg_close(w->pg);
		return NULL;
	}
	w->text_count++;
	t->part = part;
	(void)snprintf(t->name, sizeof(t->name), "result_p%lld", (long long)part); /* fits */
	t->sql = buf_take(&sql, NULL);
	return t;
}

static enum err_code ask_result(struct writer *w, struct error *reterr)
{
	struct writer_range range = w->ranges[w->range_count - 1];
	struct group_row *rows = w->group + range.from;
	size_t count = range.to - range.from;
	const struct writer_text *text = text_of(w, rows->part);
	if (!text)
		return error_set(reterr, ERR_CONNECT, "the connection is made anew for other statements");
	struct pg_statement result = { text->name, text->sql };
	struct pg_statement lock = { "writer_lock", embedded("lock").data };
	group_put_runs(&w->params, rows, count);
	enum err_code err = pg_queue(w->pg, &lock, &w->params, reterr);
	if (err)
		return err;
	group_put(&w->params, w->settings.term, rows, count, w->settings.drop_transcripts);
	return pg_queue(w->pg, &result, &w->params, reterr);
}

static enum err_code ask_refuse(struct writer *w, struct error *reterr)
{
	struct pg_statement refuse = { "writer_refuse", embedded("refuse").data };
	enum err_code err = writer_ask_lead(w, reterr);
	group_put_refused(&w->params, w->refuse, w->refuse_count);
	return err ? err : pg_queue(w->pg, &refuse, &w->params, reterr);
}

enum err_code writer_group_ask(struct writer *w, uint64_t now_ms, enum writer_phase *ret_phase, struct error *reterr)
{
	if (!writer_group_active(w)) {
		bool stuck = rows_count(&w->stuck) > 0 && w->stuck_at_ms <= now_ms;
		if (stuck) {
			pick_stuck(w);
		} else if (!all_resolved(w)) {
			*ret_phase = PHASE_RESOLVE;
			return ask_resolve(w, reterr);
		} else {
			pick(w);
		}
	}
	*ret_phase = w->refuse_count > 0 ? PHASE_REFUSE : w->range_count > 0 ? PHASE_RESULT : PHASE_NONE;
	if (*ret_phase == PHASE_REFUSE)
		return ask_refuse(w, reterr);
	return *ret_phase == PHASE_RESULT ? ask_result(w, reterr) : ERR_OK;
}

/* ---- answers ---- */

static bool on_result(struct writer *w)
{
	struct writer_range range = w->ranges[w->range_count - 1];
	struct group_row *rows = w->group + range.from;
	size_t count = range.to - range.from;
	if (pg_rows(w->pg, 1) != 1 || pg_i64(w->pg, 1, 0, 0) != 1)
		return false;
	uint64_t inserted = (uint64_t)pg_i64(w->pg, 1, 0, 1), attempts = (uint64_t)pg_i64(w->pg, 1, 0, 3), results = 0;
	for (struct pg_list l = pg_list(w->pg, 1, 0, 4); pg_list_next(&l);) {
		int64_t ord = pg_list_i64(&l);
		if (ord < 1 || (size_t)ord > count)
			continue; /* the server's number, and not one of ours */
		struct group_row *row = &rows[ord - 1];
		if (row->spoil == GROUP_SOUND)
			group_spoil(row, "there is no such run, sample or metric");
		row->spoil = GROUP_REFUSED;
		(void)map_remove_u64(&w->parts, group_record(row)->run_id); /* it may be gone */
	}
	for (size_t i = 0; i < count; i++) {
		results += group_is_result(&rows[i]);
		if (rows[i].spoil == GROUP_REFUSED)
			w->refuse[w->refuse_count++] = rows[i];
		else
			finish(w, &rows[i], rows[i].spoil == GROUP_SOUND ? WRITER_STORED : WRITER_SPOILED);
	}
	w->range_count--;
	w->counters.groups++;
	w->counters.rows += count;
	w->counters.inserted += inserted;
	w->counters.attempts += attempts;
	w->counters.paid_twice += (uint64_t)pg_i64(w->pg, 1, 0, 2);
	w->counters.replayed += results - MIN_OF(results, inserted);
	return true;
}

bool writer_group_answered(struct writer *w, enum writer_phase phase)
{
	if (w->group_is_stuck)
		w->stuck_at_ms = 0; /* what stood in its way is gone: the others at once */
	if (w->rows_per_group < WRITER_GROUP_ROWS)
		w->rows_per_group++;
	switch (phase) {
	case PHASE_RESOLVE:
		on_resolved(w);
		return true;
	case PHASE_RESULT:
		return on_result(w);
	case PHASE_REFUSE:
		for (size_t i = 0; i < w->refuse_count; i++)
			finish(w, &w->refuse[i], WRITER_REFUSED);
		w->refuse_count = 0;
		return true;
	case PHASE_NONE:
	case PHASE_JOB:
		break;
	}
	return true;
}

static void halve(struct writer *w)
{
	struct writer_range whole = w->ranges[w->range_count - 1];
	size_t middle = whole.from + (whole.to - whole.from) / 2;
	check(w->range_count < RANGES_MAX); /* halving 2,000 rows is at most 12 deep */
	w->ranges[w->range_count - 1] = (struct writer_range){ middle, whole.to };
	w->ranges[w->range_count++] = (struct writer_range){ whole.from, middle };
	w->counters.halvings++;
}

void writer_group_failed(struct writer *w, enum writer_phase phase, const struct error *error, uint64_t now_ms)
{
	if (phase == PHASE_REFUSE) { /* all of them go by themselves from now on */
		for (size_t i = 0; i < w->refuse_count; i++)
			set_aside(w, w->refuse[i], now_ms);
		w->refuse_count = 0;
		return;
	}
	struct writer_range range = w->ranges[w->range_count - 1];
	if (range.to - range.from > 1) {
		halve(w);
		return;
	}
	struct group_row *row = &w->group[range.from];
	group_spoil(row, error->text);
	if (row->spoil != GROUP_REFUSED)
		return; /* the same range again, as it is now */
	w->range_count--;
	w->refuse[w->refuse_count++] = *row;
}

void writer_group_shrink(struct writer *w)
{
	w->rows_per_group = MAX_OF(w->rows_per_group / 2, (size_t)ROWS_MIN);
	struct writer_range range = w->range_count ? w->ranges[w->range_count - 1] : (struct writer_range){ 0, 0 };
	if (range.to - range.from > 1)
		halve(w);
}

void writer_group_free(struct writer *w)
{
	for (size_t i = w->waiting.at; i < w->waiting.len; i++)
		mem_free(w->waiting.items[i].text);
	for (size_t i = w->stuck.at; i < w->stuck.len; i++)
		mem_free(w->stuck.items[i].text);
	for (size_t k = 0; k < w->range_count; k++)
		for (size_t i = w->ranges[k].from; i < w->ranges[k].to; i++)
			mem_free(w->group[i].text);
	for (size_t i = 0; i < w->refuse_count; i++)
		mem_free(w->refuse[i].text);
	for (size_t i = 0; i < w->text_count; i++)
		mem_free(w->texts[i].sql);
	mem_free(w->waiting.items);
	mem_free(w->stuck.items);
	map_done(&w->samples);
	map_done(&w->parts);
	map_done(&w->workers);
	map_done(&w->fingerprints);
}
