#include "coordinator/store/rebuild.h"
#include "common/base/check.h"
#include "coordinator/store/runs_read.h"
#include <string.h>

enum { PAGE_SAMPLES = 65536, CHUNK_SAMPLES = 4096 };

enum err_code rebuild_runs(struct store *s, struct arena *arena, struct run_row **ret_runs, size_t *ret_count,
                           struct error *reterr)
{
	static const struct pg_statement statement = { "rebuild_runs", "SELECT " RUNS_READ_ALL RUNS_READ_FROM
		                                                       " WHERE r.state IN (0, 1) ORDER BY r.run_id" };
	(void)store_params(s); /* none */
	enum err_code err = store_read(s, &statement, reterr);
	return err ? err : runs_read_rows(s, true, arena, ret_runs, ret_count, reterr);
}

/* Rows of one page, by key: of each sample the last one counts, so one row is held back until the next sample begins.
 */
struct handing {
	rebuild_sample_fn each;
	void *arg;
	struct rebuild_sample samples[CHUNK_SAMPLES]; /* the last one is held back */
	size_t count;
	uint64_t last_key; /* packed; where the next page begins */
};

/* A row in one number: sample_no, 17 bits of retry_no, 3 of outcome. One array of numbers is a quarter of the work. */
static void hand_over(struct store *s, struct handing *h)
{
	struct store_rows r = store_rows(s, NULL);
	for (struct pg_list l = pg_list(r.pg, r.i, 0, 0); pg_list_next(&l);) {
		uint64_t packed = h->last_key = (uint64_t)pg_list_i64(&l);
		struct rebuild_sample x = { .sample_no = packed >> 20,
			                    .retry_no = packed >> 3 & 0x1FFFF,
			                    .outcome = (enum outcome)(packed & 7) };
		if (h->count > 0 && h->samples[h->count - 1].sample_no == x.sample_no)
			h->count--;
		if (h->count == CHUNK_SAMPLES) {
			h->each(h->arg, h->samples, h->count);
			h->count = 0;
		}
		h->samples[h->count++] = x;
	}
}

enum err_code rebuild_samples(struct store *s, const struct run_row *run, rebuild_sample_fn each, void *arg,
                              struct error *reterr)
{
	static const struct pg_statement statement = {
		"rebuild_samples",
		"SELECT array_agg(((epoch::int8 * $5::int8 + item_no) << 20) | (least(retry_no, 131071)::int8 << 3) | "
		"outcome)"
		" FROM (SELECT item_no, epoch, retry_no, outcome FROM assay.result WHERE run_id = $1::int8"
		" AND (item_no, epoch, retry_no) > ($2::int4, $3::int4, $4::int4)"
		" ORDER BY item_no, epoch, retry_no LIMIT $6::int8) page"
	};
	struct handing h = { .each = each, .arg = arg };
	for (size_t count = PAGE_SAMPLES; count == PAGE_SAMPLES;) {
		struct pg_params *p = store_params(s);
		bool begun = h.last_key != 0; /* an outcome is never 0 */
		pg_params_i64(p, (int64_t)run->run_id);
		pg_params_i32(p, begun ? (int32_t)((h.last_key >> 20) % run->item_count) : -1);
		pg_params_i32(p, begun ? (int32_t)((h.last_key >> 20) / run->item_count) : -1);
		pg_params_i32(p, begun ? (int32_t)(h.last_key >> 3 & 0x1FFFF) : -1);
		pg_params_i64(p, run->item_count);
		pg_params_i64(p, PAGE_SAMPLES);
		enum err_code err = store_read(s, &statement, reterr);
		if (err)
			return err;
		struct store_rows r = store_rows(s, NULL);
		count = pg_list(r.pg, r.i, 0, 0).count;
		hand_over(s, &h);
	}
	if (h.count > 0)
		each(arg, h.samples, h.count);
	return ERR_OK;
}

struct marking {
	struct bits *settled, *missing;
	uint32_t wave;
	uint64_t counts[OUTCOME_COUNT];
};

static void mark(void *arg, const struct rebuild_sample *samples, size_t count)
{
	struct marking *m = arg;
	for (size_t i = 0; i < count; i++) {
		const struct rebuild_sample *x = &samples[i];
		bool is_missing = outcome_is_missing(x->outcome);
		if (x->sample_no >= m->settled->len || (is_missing && x->retry_no < m->wave))
			continue;
		(void)bits_set(m->settled, x->sample_no); /* each sample comes once */
		if (!is_missing)
			continue;
		if ((size_t)x->outcome < OUTCOME_COUNT)
			m->counts[x->outcome]++;
		if (m->missing)
			(void)bits_set(m->missing, x->sample_no); /* as above */
	}
}

enum err_code rebuild_bits_counted(struct store *s, const struct run_row *run, struct bits *settled,
                                   struct bits *missing, uint64_t missing_counts[OUTCOME_COUNT], struct error *reterr)
{
	struct marking m = { .settled = settled, .missing = missing, .wave = run->retry_wave };
	enum err_code err = rebuild_samples(s, run, mark, &m, reterr);
	memcpy(missing_counts, m.counts, sizeof(m.counts));
	return err;
}

enum err_code rebuild_bits(struct store *s, const struct run_row *run, struct bits *settled, struct bits *missing,
                           struct error *reterr)
{
	uint64_t counts[OUTCOME_COUNT];
	return rebuild_bits_counted(s, run, settled, missing, counts, reterr);
}

enum err_code rebuild_layers(struct store *s, const struct run_row *run, struct arena *arena,
                             struct position_layer **ret_layers, size_t *ret_count, struct error *reterr)
{
	static const struct pg_statement statement = {
		"rebuild_layers",
		"SELECT kind, value FROM assay.run_change WHERE run_id = $1::int8 AND kind IN (2, 3, 4)"
		" ORDER BY change_id"
	};
	pg_params_i64(store_params(s), (int64_t)run->run_id);
	enum err_code err = store_read(s, &statement, reterr);
	if (err)
		return err;
	struct store_rows r = store_rows(s, arena);
	struct position_layer *layers = store_rows_alloc(&r, r.count, sizeof(*layers));
	uint64_t items = run->item_count, epochs = 0;
	for (size_t i = 0; layers && i < r.count; i++) {
		uint64_t value = store_rows_u64(&r, i, 1);
		if (store_rows_i32(&r, i, 0) == RUNS_RETRY) {
			layers[i] = (struct position_layer){ .wave = (uint32_t)value, .sample_count = epochs * items };
			continue;
		}
		layers[i] = (struct position_layer){ .sample_from = epochs * items,
			                             .sample_count = (value - MIN_OF(epochs, value)) * items };
		epochs = MAX_OF(epochs, value);
	}
	err = store_rows_end(&r, reterr);
	if (err)
		return err;
	*ret_layers = layers;
	*ret_count = r.count;
	return ERR_OK;
}

enum err_code rebuild_cancelled(struct store *s, const struct run_row *run, bool *ret_cancelled, struct error *reterr)
{
	static const struct pg_statement statement = {
		"rebuild_cancelled", "SELECT kind FROM assay.run_change WHERE run_id = $1::int8 AND kind IN (1, 2, 3)"
				     " ORDER BY change_id DESC LIMIT 1"
	};
	pg_params_i64(store_params(s), (int64_t)run->run_id);
	enum err_code err = store_read(s, &statement, reterr);
	if (err)
		return err;
	struct store_rows r = store_rows(s, NULL);
	*ret_cancelled = r.count > 0 && store_rows_i32(&r, 0, 0) == RUNS_CANCEL;
	return ERR_OK;
}

enum err_code rebuild_attempts(struct store *s, const struct run_row *run, struct arena *arena,
                               struct rebuild_attempts **ret_attempts, size_t *ret_count, struct error *reterr)
{
	/* A death stands in up to two rows, LOST by us and DIED by its worker: the first one counts. */
	static const struct pg_statement statement = {
		"rebuild_attempts",
		"SELECT a.item_no, a.epoch, count(*) FILTER (WHERE a.error_class NOT IN (19, 20, 21)),"
		" count(*) FILTER (WHERE (a.error_class = 20 AND a.lost IN (1, 2) AND NOT a.started)"
		"  OR (a.error_class = 19 AND NOT EXISTS (SELECT FROM assay.attempt l WHERE l.run_id = $1::int8"
		"   AND l.item_no = a.item_no AND l.epoch = a.epoch AND l.outbox = a.outbox AND l.lost = 2))),"
		" count(*) FILTER (WHERE a.error_class = 20 AND a.lost IN (1, 2) AND a.started),"
		" count(*) FILTER (WHERE a.error_class = 20 AND a.lost IN (1, 2) AND a.started AND a.alone),"
		" coalesce(sum(a.latency_ms) FILTER (WHERE a.error_class NOT IN (19, 20, 21)), 0)::int8,"
		" coalesce((array_agg(a.error_class ORDER BY a.at DESC) FILTER (WHERE a.error_class NOT IN (19, 20, "
		"21)))[1], 0)"
		" FROM assay.attempt a WHERE a.run_id = $1::int8 AND a.retry_no = $2::int4"
		" AND NOT EXISTS (SELECT FROM assay.result c WHERE c.run_id = $1::int8 AND c.item_no = a.item_no"
		"  AND c.epoch = a.epoch AND (c.outcome = 1 OR c.retry_no >= $2::int4))"
		" GROUP BY a.item_no, a.epoch ORDER BY a.epoch, a.item_no"
	};
	struct pg_params *p = store_params(s);
	pg_params_i64(p, (int64_t)run->run_id);
	pg_params_i32(p, (int32_t)run->retry_wave);
	enum err_code err = store_read(s, &statement, reterr);
	if (err)
		return err;
	struct store_rows r = store_rows(s, arena);
	struct rebuild_attempts *rows = store_rows_alloc(&r, r.count, sizeof(*rows));
	for (size_t i = 0; rows && i < r.count; i++)
		rows[i] = (struct rebuild_attempts){
			.sample_no = store_rows_u64(&r, i, 1) * run->item_count + store_rows_u64(&r, i, 0),
			.failed = store_rows_u32(&r, i, 2),
			.died = store_rows_u32(&r, i, 3),
			.deaths = store_rows_u32(&r, i, 4),
			.alone_deaths = store_rows_u32(&r, i, 5),
			.spent_ms = store_rows_u64(&r, i, 6),
			.last_class = store_rows_u32(&r, i, 7),
		};
	err = store_rows_end(&r, reterr);
	if (err)
		return err;
	*ret_attempts = rows;
	*ret_count = r.count;
	return ERR_OK;
}

enum err_code rebuild_workers(struct store *s, uint64_t term, struct arena *arena, struct rebuild_worker **ret_workers,
                              size_t *ret_count, struct error *reterr)
{
	/* A short term in which nobody said Hello is no reason to forget the one before: whoever was never orderly gone
	 * may still hold something. An hour bounds how long a vanished worker delays a start. */
	static const struct pg_statement statement = {
		"rebuild_workers", "SELECT outbox, worker_id, name FROM assay.worker WHERE NOT gone AND term < $1::int8"
				   " AND hello_at > (SELECT max(seen_at) FROM assay.leader_beat WHERE term < $1::int8)"
				   "  - interval '1 hour' ORDER BY worker_id"
	};
	pg_params_i64(store_params(s), (int64_t)term);
	enum err_code err = store_read(s, &statement, reterr);
	if (err)
		return err;
	struct store_rows r = store_rows(s, arena);
	struct rebuild_worker *rows = store_rows_alloc(&r, r.count, sizeof(*rows));
	for (size_t i = 0; rows && i < r.count; i++) {
		struct str outbox = pg_bytes(r.pg, r.i, i, 0);
		memcpy(rows[i].outbox.bytes, outbox.data, MIN_OF(outbox.len, sizeof(rows[i].outbox.bytes)));
		rows[i].worker_id = store_rows_i32(&r, i, 1);
		rows[i].name = store_rows_text(&r, i, 2);
	}
	err = store_rows_end(&r, reterr);
	if (err)
		return err;
	*ret_workers = rows;
	*ret_count = r.count;
	return ERR_OK;
}
