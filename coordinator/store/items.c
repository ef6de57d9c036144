#include "coordinator/store/items.h"
#include "coordinator/store/store_call.h"

#define HEAD_COLUMNS "i.item_no, i.item_id, i.hash, i.task, i.stratum, i.cluster, i.split, i.provenance, i.weight"

static void read_item(struct store_rows *r, size_t row, bool with_content, struct item_row *out)
{
	*out = (struct item_row){ .item_no = store_rows_u32(r, row, 0),
		                  .id = store_rows_text(r, row, 1),
		                  .hash = store_rows_hash(r, row, 2),
		                  .task = store_rows_text(r, row, 3),
		                  .stratum = store_rows_text(r, row, 4),
		                  .cluster = store_rows_text(r, row, 5),
		                  .split = store_rows_text(r, row, 6),
		                  .provenance = store_rows_text(r, row, 7),
		                  .weight = store_rows_f64(r, row, 8),
		                  .content = with_content ? store_rows_text(r, row, 9) : STR("") };
}

static enum err_code read_items(struct store *s, bool with_content, struct arena *arena, struct item_row **ret_items,
                                size_t *ret_count, struct error *reterr)
{
	struct store_rows r = store_rows(s, arena);
	struct item_row *rows = store_rows_alloc(&r, r.count, sizeof(*rows));
	for (size_t i = 0; rows && i < r.count; i++)
		read_item(&r, i, with_content, &rows[i]);
	enum err_code err = store_rows_end(&r, reterr);
	if (err)
		return err;
	*ret_items = rows;
	*ret_count = r.count;
	return ERR_OK;
}

static struct pg_params *range_params(struct store *s, int64_t suite_version_id, uint32_t first_no, uint32_t count)
{
	struct pg_params *p = store_params(s);
	int64_t first = MIN_OF(first_no, (uint32_t)INT32_MAX);
	pg_params_i64(p, suite_version_id);
	pg_params_i32(p, (int32_t)first);
	pg_params_i32(p, (int32_t)MIN_OF(first + count, (int64_t)INT32_MAX));
	return p;
}

enum err_code items_range(struct store *s, int64_t suite_version_id, uint32_t first_no, uint32_t count,
                          size_t bytes_max, struct arena *arena, struct item_row **ret_items, size_t *ret_count,
                          struct error *reterr)
{
	/* The window sum ends the page on the server: what is past it never travels. */
	static const struct pg_statement statement = {
		"items_range",
		"SELECT * FROM (SELECT " HEAD_COLUMNS
		", c.content, sum(octet_length(c.content)) OVER (ORDER BY i.item_no)"
		" - octet_length(c.content) AS before FROM assay.suite_item i JOIN assay.item c USING (team_id, hash)"
		" WHERE i.suite_version_id = $1::int8 AND i.item_no >= $2::int4 AND i.item_no < $3::int4) page"
		" WHERE before < $4::int8 ORDER BY item_no"
	};
	struct pg_params *p = range_params(s, suite_version_id, first_no, count);
	pg_params_i64(p, (int64_t)MAX_OF(bytes_max, (size_t)1));
	enum err_code err = store_read(s, &statement, reterr);
	return err ? err : read_items(s, true, arena, ret_items, ret_count, reterr);
}

enum err_code items_heads(struct store *s, int64_t suite_version_id, uint32_t first_no, uint32_t count,
                          struct arena *arena, struct item_row **ret_items, size_t *ret_count, struct error *reterr)
{
	static const struct pg_statement statement = {
		"items_heads", "SELECT " HEAD_COLUMNS " FROM assay.suite_item i WHERE i.suite_version_id = $1::int8"
			       " AND i.item_no >= $2::int4 AND i.item_no < $3::int4 ORDER BY i.item_no"
	};
	(void)range_params(s, suite_version_id, first_no, count); /* kept in the store */
	enum err_code err = store_read(s, &statement, reterr);
	return err ? err : read_items(s, false, arena, ret_items, ret_count, reterr);
}

enum err_code items_find(struct store *s, int64_t suite_version_id, struct str id, struct arena *arena,
                         struct item_row **ret_item, struct error *reterr)
{
	static const struct pg_statement statement = {
		"items_find",
		"SELECT " HEAD_COLUMNS ", c.content FROM assay.suite_item i JOIN assay.item c USING (team_id, hash)"
		" WHERE i.suite_version_id = $1::int8 AND (i.item_id = $2::text OR i.item_no = $3::int4)"
		" ORDER BY i.item_id <> $2::text LIMIT 1"
	};
	struct pg_params *p = store_params(s);
	struct item_row *rows;
	size_t count;
	int64_t no;
	pg_params_i64(p, suite_version_id);
	pg_params_text(p, id);
	pg_params_i32(p, str_to_i64(id, &no) && no >= 0 && no <= INT32_MAX ? (int32_t)no : -1);
	enum err_code err = store_read(s, &statement, reterr);
	if (!err)
		err = read_items(s, true, arena, &rows, &count, reterr);
	if (!err)
		*ret_item = count ? rows : NULL;
	return err;
}

enum err_code items_like(struct store *s, int64_t suite_version_id, struct str id, size_t limit, struct arena *arena,
                         struct str **ret_ids, size_t *ret_count, struct error *reterr)
{
	static const struct pg_statement statement = {
		"items_like", "SELECT coalesce(array_agg(item_id), '{}') FROM (SELECT item_id FROM assay.suite_item"
			      " WHERE suite_version_id = $1::int8 AND starts_with(item_id, left($2::text, 2))"
			      " ORDER BY item_id LIMIT $3::int8) ids"
	};
	struct pg_params *p = store_params(s);
	pg_params_i64(p, suite_version_id);
	pg_params_text(p, id);
	pg_params_i64(p, (int64_t)MIN_OF(limit, (size_t)10000));
	enum err_code err = store_read(s, &statement, reterr);
	if (err)
		return err;
	struct store_rows r = store_rows(s, arena);
	struct str *ids = store_rows_texts(&r, 0, 0, ret_count);
	err = store_rows_end(&r, reterr);
	if (!err)
		*ret_ids = ids;
	return err;
}
