#include "coordinator/store/workers.h"
#include "coordinator/store/store_call.h"
#include <string.h>

enum err_code workers_list(struct store *s, size_t limit, struct arena *arena, struct worker_row **ret_workers,
                           size_t *ret_count, struct error *reterr)
{
	static const struct pg_statement statement = {
		"workers_list",
		"SELECT worker_id, outbox, name, build, key, abilities, slots, term, gone, assay.ms(first_at),"
		" assay.ms(hello_at), assay.ms(gone_at), coalesce(open.count, 0) FROM assay.worker"
		" LEFT JOIN (SELECT outbox, count(*) AS count FROM assay.attempt WHERE lost = 1"
		"  AND run_id = ANY(ARRAY(SELECT run_id FROM assay.run_summary WHERE lost_open > 0))"
		"  GROUP BY outbox) open USING (outbox)"
		" ORDER BY gone, hello_at DESC NULLS LAST, worker_id LIMIT $1::int8"
	};
	pg_params_i64(store_params(s), (int64_t)MIN_OF(limit, (size_t)100000));
	enum err_code err = store_read(s, &statement, reterr);
	if (err)
		return err;
	struct store_rows r = store_rows(s, arena);
	struct worker_row *rows = store_rows_alloc(&r, r.count, sizeof(*rows));
	for (size_t i = 0; rows && i < r.count; i++) {
		struct str outbox = pg_bytes(r.pg, r.i, i, 1);
		rows[i] = (struct worker_row){ .worker_id = store_rows_i32(&r, i, 0),
			                       .name = store_rows_text(&r, i, 2),
			                       .build = store_rows_text(&r, i, 3),
			                       .key = store_rows_text(&r, i, 4),
			                       .abilities = store_rows_text(&r, i, 5),
			                       .slots = store_rows_u32(&r, i, 6),
			                       .term = store_rows_u64(&r, i, 7),
			                       .gone = store_rows_bool(&r, i, 8),
			                       .first_at_ms = store_rows_i64(&r, i, 9),
			                       .hello_at_ms = store_rows_i64(&r, i, 10),
			                       .gone_at_ms = store_rows_i64(&r, i, 11),
			                       .lost_open = store_rows_u64(&r, i, 12) };
		memcpy(rows[i].outbox.bytes, outbox.data, MIN_OF(outbox.len, sizeof(rows[i].outbox.bytes)));
	}
	err = store_rows_end(&r, reterr);
	if (err)
		return err;
	*ret_workers = rows;
	*ret_count = r.count;
	return ERR_OK;
}

enum err_code workers_keys(struct store *s, struct arena *arena, struct worker_key_row **ret_keys, size_t *ret_count,
                           struct error *reterr)
{
	static const struct pg_statement statement = {
		"workers_keys", "SELECT key, name, added_by, assay.ms(added_at), revoked_at IS NOT NULL"
				" FROM assay.worker_key ORDER BY added_at, key"
	};
	(void)store_params(s); /* none */
	enum err_code err = store_read(s, &statement, reterr);
	if (err)
		return err;
	struct store_rows r = store_rows(s, arena);
	struct worker_key_row *rows = store_rows_alloc(&r, r.count, sizeof(*rows));
	for (size_t i = 0; rows && i < r.count; i++)
		rows[i] = (struct worker_key_row){ .key = store_rows_text(&r, i, 0),
			                           .name = store_rows_text(&r, i, 1),
			                           .added_by = store_rows_text(&r, i, 2),
			                           .added_at_ms = store_rows_i64(&r, i, 3),
			                           .revoked = store_rows_bool(&r, i, 4) };
	err = store_rows_end(&r, reterr);
	if (err)
		return err;
	*ret_keys = rows;
	*ret_count = r.count;
	return ERR_OK;
}

enum err_code workers_key_put(struct store *s, struct str key, struct str name, struct str by, struct error *reterr)
{
	static const struct pg_statement statement = {
		"workers_key_put",
		"INSERT INTO assay.worker_key AS k (key, name, added_by) VALUES ($1::text, $2::text, $3::text)"
		" ON CONFLICT (key) DO UPDATE SET name = excluded.name, revoked_at = NULL"
	};
	struct pg_params *p = store_params(s);
	pg_params_text(p, key);
	pg_params_text(p, name);
	pg_params_text(p, by);
	return store_write(s, &statement, reterr);
}

enum err_code workers_key_revoke(struct store *s, struct str key, bool *ret_found, struct error *reterr)
{
	static const struct pg_statement statement = {
		"workers_key_revoke",
		"UPDATE assay.worker_key SET revoked_at = coalesce(revoked_at, now()) WHERE key = $1::text"
	};
	pg_params_text(store_params(s), key);
	enum err_code err = store_write(s, &statement, reterr);
	if (!err) {
		struct store_rows r = store_rows(s, NULL);
		*ret_found = pg_affected(r.pg, r.i) > 0;
	}
	return err;
}
