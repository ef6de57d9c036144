#include "coordinator/store/suites.h"
#include "common/base/map.h"
#include "coordinator/store/store_call.h"
#include <math.h>
#include <string.h>

static struct str hash_str(const struct hash *h)
{
	return str_make(h->bytes, HASH_BYTES);
}

/* ---- push ---- */

enum err_code suites_begin(struct store *s, const struct suites_push *push, struct suites_pushed *ret_pushed,
                           struct error *reterr)
{
	static const struct pg_statement statement = {
		"suites_begin",
		"WITH suite AS (INSERT INTO assay.suite (team_id, name, task) VALUES ($1::int4, $2::text, $3::text)"
		"  ON CONFLICT (team_id, name) DO UPDATE SET task = excluded.task RETURNING suite_id),"
		" made AS (INSERT INTO assay.suite_version (suite_id, team_id, hash, definition, metrics, item_count,"
		"  pushed_by) SELECT suite_id, $1::int4, $4::bytea, $5::text, $6::text[], $7::int4, $8::text FROM suite"
		"  ON CONFLICT (team_id, hash) DO NOTHING RETURNING suite_version_id, version)"
		" SELECT suite_version_id, version FROM made UNION ALL"
		" SELECT suite_version_id, version FROM assay.suite_version WHERE team_id = $1::int4 AND hash = "
		"$4::bytea"
	};
	if (push->item_count == 0 || push->item_count > INT32_MAX || push->metric_count > SUITES_METRICS_MAX)
		return error_set(reterr, ERR_LIMIT, "a suite has 1 to %d items and at most %d scores", INT32_MAX,
		                 SUITES_METRICS_MAX);
	struct pg_array metrics;
	struct pg_params *p = store_params(s);
	pg_params_i32(p, push->team_id);
	pg_params_text(p, push->name);
	pg_params_text(p, push->task);
	pg_params_bytes(p, hash_str(&push->hash));
	pg_params_text(p, push->definition);
	pg_array_begin(&metrics, p, PG_TYPE_TEXT);
	for (size_t i = 0; i < push->metric_count; i++)
		pg_array_text(&metrics, push->metrics[i]);
	pg_array_end(&metrics);
	pg_params_i32(p, (int32_t)push->item_count);
	pg_params_text(p, push->pushed_by);
	enum err_code err = store_write(s, &statement, reterr);
	if (err)
		return err;
	struct store_rows r = store_rows(s, NULL);
	if (r.count == 0) /* somebody else's push of the same hash was committed between snapshot and conflict */
		return error_set(reterr, ERR_AGAIN, "the suite is being pushed by somebody else");
	*ret_pushed = (struct suites_pushed){ .suite_version_id = store_rows_i64(&r, 0, 0),
		                              .version = store_rows_i32(&r, 0, 1),
		                              .existed = !store_rows_null(&r, 0, 1) };
	return ERR_OK;
}

/* The slices of a version are numbered in order of first appearance; a chunk may add some. */
struct slicing {
	struct map numbers; /* name -> int32_t */
	struct buf names;   /* scratch for one name */
	size_t known;       /* how many were there before this chunk */
};

static bool slice_no(struct slicing *sl, const char *kind, struct str label, int32_t *ret_no)
{
	bool is_new;
	buf_clear(&sl->names);
	if (!buf_append_c(&sl->names, kind) || !buf_append_str(&sl->names, label))
		return false;
	int32_t *no = map_put(&sl->numbers, buf_str(&sl->names), &is_new);
	if (is_new)
		*no = (int32_t)sl->numbers.len - 1;
	*ret_no = *no;
	return sl->numbers.len <= SUITES_SLICES_MAX;
}

static enum err_code read_slices(struct store *s, int64_t suite_version_id, struct slicing *sl, struct error *reterr)
{
	static const struct pg_statement statement = { "suites_slices",
		                                       "SELECT slices, version IS NOT NULL FROM assay.suite_version "
		                                       "WHERE suite_version_id = $1::int8 FOR UPDATE" };
	pg_params_i64(store_params(s), suite_version_id);
	enum err_code err = store_step(s, &statement, reterr);
	if (err)
		return err;
	struct store_rows r = store_rows(s, NULL);
	if (r.count == 0)
		return error_set(reterr, ERR_NOT_FOUND, "suite version %lld was never begun",
		                 (long long)suite_version_id);
	if (store_rows_bool(&r, 0, 1))
		return error_set(reterr, ERR_CONFLICT, "suite version %lld is finished and cannot change",
		                 (long long)suite_version_id);
	for (struct pg_list l = pg_list(r.pg, r.i, 0, 0); pg_list_next(&l);) {
		int32_t *no = map_put(&sl->numbers, l.value, NULL);
		*no = (int32_t)sl->numbers.len - 1;
	}
	sl->known = sl->numbers.len;
	return ERR_OK;
}

static enum err_code write_slices(struct store *s, int64_t suite_version_id, const struct slicing *sl,
                                  struct error *reterr)
{
	static const struct pg_statement statement = {
		"suites_new_slices",
		"UPDATE assay.suite_version SET slices = slices || $2::text[] WHERE suite_version_id = $1::int8"
	};
	if (sl->numbers.len == sl->known)
		return ERR_OK;
	struct pg_params *p = store_params(s);
	struct pg_array names;
	struct str name;
	const int32_t *no;
	pg_params_i64(p, suite_version_id);
	pg_array_begin(&names, p, PG_TYPE_TEXT);
	for (size_t at = 0; (no = map_next(&sl->numbers, &at, &name)) != NULL;)
		if ((size_t)*no >= sl->known)
			pg_array_text(&names, name);
	pg_array_end(&names);
	return store_step(s, &statement, reterr);
}

static enum err_code put_items(struct store *s, const struct suites_item *items, size_t count, struct error *reterr)
{
	static const struct pg_statement statement = {
		"suites_items",
		"INSERT INTO assay.item (team_id, hash, content)"
		" SELECT $1::int4, hash, content FROM unnest($2::bytea[], $3::text[]) AS u (hash, content)"
		" ORDER BY hash ON CONFLICT DO NOTHING"
	};
	struct pg_params *p = store_params(s);
	struct pg_array a;
	pg_params_i32(p, store_team(s));
	pg_array_begin(&a, p, PG_TYPE_BYTEA);
	for (size_t i = 0; i < count; i++)
		pg_array_bytes(&a, hash_str(&items[i].hash));
	pg_array_end(&a);
	pg_array_begin(&a, p, PG_TYPE_TEXT);
	for (size_t i = 0; i < count; i++)
		pg_array_text(&a, items[i].content);
	pg_array_end(&a);
	return store_step(s, &statement, reterr);
}

static void put_text_column(struct pg_params *p, const struct suites_item *items, size_t count, size_t offset)
{
	struct pg_array a;
	pg_array_begin(&a, p, PG_TYPE_TEXT);
	for (size_t i = 0; i < count; i++)
		pg_array_text(&a, *(const struct str *)(const void *)((const char *)&items[i] + offset));
	pg_array_end(&a);
}

/* The numbers of an item's two slices, 0 for none. */
static enum err_code put_slice_columns(struct pg_params *p, struct slicing *sl, const struct suites_item *items,
                                       size_t count, struct error *reterr)
{
	static const char *const kinds[] = { "task=", "stratum=" };
	for (size_t kind = 0; kind < ARRAY_LEN(kinds); kind++) {
		struct pg_array a;
		pg_array_begin(&a, p, PG_TYPE_INT4);
		for (size_t i = 0; i < count; i++) {
			struct str label = kind == 0 ? items[i].task : items[i].stratum;
			int32_t no;
			if (label.len == 0)
				pg_array_i32(&a, 0);
			else if (slice_no(sl, kinds[kind], label, &no))
				pg_array_i32(&a, no);
			else
				return error_set(reterr, ERR_LIMIT, "a suite has at most %d tasks and strata",
				                 SUITES_SLICES_MAX - 1);
		}
		pg_array_end(&a);
	}
	return ERR_OK;
}

static enum err_code put_places(struct store *s, int64_t suite_version_id, uint32_t first_no, struct slicing *sl,
                                const struct suites_item *items, size_t count, struct error *reterr)
{
	static const struct pg_statement statement = {
		"suites_places",
		"INSERT INTO assay.suite_item (suite_version_id, item_no, team_id, hash, item_id, task, stratum, "
		"cluster,"
		" split, provenance, weight, task_no, stratum_no)"
		" SELECT $1::int8, $2::int4 + ord - 1, $3::int4, hash, item_id, task, stratum, cluster, split, "
		"provenance,"
		"  weight, by_task, by_stratum"
		" FROM unnest($4::bytea[], $5::float8[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[],"
		"  $11::text[], $12::int4[], $13::int4[]) WITH ORDINALITY AS u (hash, weight, item_id, task, stratum,"
		"  cluster, split, provenance, by_task, by_stratum, ord) ON CONFLICT (suite_version_id, item_no) DO "
		"NOTHING"
	};
	static const size_t texts[] = {
		offsetof(struct suites_item, id),      offsetof(struct suites_item, task),
		offsetof(struct suites_item, stratum), offsetof(struct suites_item, cluster),
		offsetof(struct suites_item, split),   offsetof(struct suites_item, provenance)
	};
	struct pg_params *p = store_params(s);
	struct pg_array a;
	pg_params_i64(p, suite_version_id);
	pg_params_i32(p, (int32_t)first_no);
	pg_params_i32(p, store_team(s));
	pg_array_begin(&a, p, PG_TYPE_BYTEA);
	for (size_t i = 0; i < count; i++)
		pg_array_bytes(&a, hash_str(&items[i].hash));
	pg_array_end(&a);
	pg_array_begin(&a, p, PG_TYPE_FLOAT8);
	for (size_t i = 0; i < count; i++)
		pg_array_f64(&a, items[i].weight);
	pg_array_end(&a);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		put_text_column(p, items, count, texts[i]);
	enum err_code err = put_slice_columns(p, sl, items, count, reterr);
	return err ? err : store_step(s, &statement, reterr);
}

static enum err_code check_items(const struct suites_item *items, size_t count, uint32_t first_no, struct error *reterr)
{
	if (count == 0 || count > SUITES_CHUNK_ITEMS || first_no > INT32_MAX - count)
		return error_set(reterr, ERR_LIMIT, "a chunk has 1 to %d items", SUITES_CHUNK_ITEMS);
	for (size_t i = 0; i < count; i++)
		if (!isfinite(items[i].weight) || items[i].weight < 0)
			return error_set(reterr, ERR_INVALID, "item '%.*s': its weight is not a number from 0 on",
			                 STR_ARG(items[i].id));
	return ERR_OK;
}

enum err_code suites_add(struct store *s, int64_t suite_version_id, uint32_t first_no, const struct suites_item *items,
                         size_t count, struct error *reterr)
{
	struct slicing sl = { 0 };
	enum err_code err = check_items(items, count, first_no, reterr);
	if (err)
		return err;
	map_init(&sl.numbers, sizeof(int32_t));
	buf_init(&sl.names, 1 << 20);
	err = store_begin(s, reterr);
	if (!err)
		err = read_slices(s, suite_version_id, &sl, reterr);
	if (!err)
		err = put_items(s, items, count, reterr);
	if (!err)
		err = put_places(s, suite_version_id, first_no, &sl, items, count, reterr);
	if (err == ERR_CONFLICT && strcmp(pg_sqlstate(store_rows(s, NULL).pg), "23505") == 0)
		err = error_set(reterr, ERR_INVALID, "two items of the suite have the same id");
	if (!err)
		err = write_slices(s, suite_version_id, &sl, reterr);
	err = store_end(s, err, reterr);
	map_done(&sl.numbers);
	buf_done(&sl.names);
	return err;
}

enum err_code suites_finish(struct store *s, int64_t suite_version_id, struct suites_pushed *ret_pushed,
                            struct error *reterr)
{
	static const struct pg_statement count = {
		"suites_count", "SELECT item_count, (SELECT count(*) FROM assay.suite_item i"
				" WHERE i.suite_version_id = v.suite_version_id AND item_no < item_count), version"
				" FROM assay.suite_version v WHERE suite_version_id = $1::int8 FOR UPDATE"
	};
	static const struct pg_statement show = {
		"suites_show",
		"UPDATE assay.suite_version v SET pushed_at = now(), version = 1 + (SELECT coalesce(max(version), 0)"
		" FROM assay.suite_version o WHERE o.suite_id = v.suite_id) WHERE suite_version_id = $1::int8 "
		"RETURNING version"
	};
	struct store_rows r;
	int32_t version = 0;
	bool existed = false;
	enum err_code err = store_begin(s, reterr);
	store_step_timeout(s, 60000); /* it may count a million items */
	pg_params_i64(store_params(s), suite_version_id);
	if (!err)
		err = store_step(s, &count, reterr);
	if (!err) {
		r = store_rows(s, NULL);
		existed = r.count > 0 && !store_rows_null(&r, 0, 2);
		version = existed ? store_rows_i32(&r, 0, 2) : 0;
		if (r.count == 0)
			err = error_set(reterr, ERR_NOT_FOUND, "suite version %lld was never begun",
			                (long long)suite_version_id);
		else if (store_rows_i64(&r, 0, 0) != store_rows_i64(&r, 0, 1))
			err = error_set(reterr, ERR_INVALID, "the push is not complete: %lld of %lld items",
			                (long long)store_rows_i64(&r, 0, 1), (long long)store_rows_i64(&r, 0, 0));
	}
	if (!err && !existed) {
		err = store_step(s, &show, reterr);
		if (!err) {
			r = store_rows(s, NULL);
			version = store_rows_i32(&r, 0, 0);
		}
	}
	err = store_end(s, err, reterr);
	if (!err)
		*ret_pushed = (struct suites_pushed){ suite_version_id, version, existed };
	return err;
}

enum err_code suites_push(struct store *s, const struct suites_push *push, const struct suites_item *items,
                          struct suites_pushed *ret_pushed, struct error *reterr)
{
	enum { CHUNK_BYTES = 8 << 20 };
	struct suites_pushed pushed = { 0 };
	enum err_code err = suites_begin(s, push, &pushed, reterr);
	for (size_t at = 0; !err && !pushed.existed && at < push->item_count;) {
		size_t count = 0, bytes = 0;
		while (at + count < push->item_count && count < SUITES_CHUNK_ITEMS &&
		       (count == 0 || bytes < CHUNK_BYTES))
			bytes += items[at + count++].content.len;
		err = suites_add(s, pushed.suite_version_id, (uint32_t)at, items + at, count, reterr);
		at += count;
	}
	if (!err && !pushed.existed)
		err = suites_finish(s, pushed.suite_version_id, &pushed, reterr);
	if (!err)
		*ret_pushed = pushed;
	return err;
}

/* ---- read ---- */

#define SUITE_COLUMNS(definition)                                                                                      \
	"s.suite_id, v.suite_version_id, v.team_id, v.version, s.name, s.task, v.pushed_by, v.hash, "                  \
	"v.item_count, " definition ", v.metrics, v.slices, assay.ms(v.pushed_at),"                                    \
	" (SELECT count(*) FROM assay.suite_version o WHERE o.suite_id = s.suite_id AND o.version IS NOT NULL)"
#define SUITE_FROM                                                                                                     \
	" FROM assay.suite_version v JOIN assay.suite s USING (suite_id) WHERE v.team_id = $1::int4 AND v.version IS " \
	"NOT"                                                                                                          \
	" NULL AND "

static void read_suite(struct store_rows *r, size_t row, struct suite_row *out)
{
	*out = (struct suite_row){ .suite_id = store_rows_i64(r, row, 0),
		                   .suite_version_id = store_rows_i64(r, row, 1),
		                   .team_id = store_rows_i32(r, row, 2),
		                   .version = store_rows_i32(r, row, 3),
		                   .name = store_rows_text(r, row, 4),
		                   .task = store_rows_text(r, row, 5),
		                   .pushed_by = store_rows_text(r, row, 6),
		                   .hash = store_rows_hash(r, row, 7),
		                   .item_count = store_rows_u32(r, row, 8),
		                   .definition = store_rows_text(r, row, 9),
		                   .pushed_at_ms = store_rows_i64(r, row, 12),
		                   .version_count = store_rows_i32(r, row, 13) };
	out->metrics = store_rows_texts(r, row, 10, &out->metric_count);
	out->slices = store_rows_texts(r, row, 11, &out->slice_count);
}

static enum err_code read_suites(struct store *s, struct arena *arena, struct suite_row **ret_suites, size_t *ret_count,
                                 struct error *reterr)
{
	struct store_rows r = store_rows(s, arena);
	struct suite_row *rows = store_rows_alloc(&r, r.count, sizeof(*rows));
	for (size_t i = 0; rows && i < r.count; i++)
		read_suite(&r, i, &rows[i]);
	enum err_code err = store_rows_end(&r, reterr);
	if (err)
		return err;
	*ret_suites = rows;
	*ret_count = r.count;
	return ERR_OK;
}

static enum err_code one_suite(struct store *s, struct arena *arena, struct str spec, struct suite_row **ret_suite,
                               struct error *reterr)
{
	struct suite_row *rows;
	size_t count;
	enum err_code err = read_suites(s, arena, &rows, &count, reterr);
	if (err)
		return err;
	if (count > 1)
		return error_set(reterr, ERR_CONFLICT, "'%.*s' fits more than one suite version", STR_ARG(spec));
	*ret_suite = count ? rows : NULL;
	return ERR_OK;
}

static bool is_hash_prefix(struct str spec)
{
	if (spec.len < 8 || spec.len > HASH_HEX_BYTES)
		return false;
	for (size_t i = 0; i < spec.len; i++) {
		char c = spec.data[i];
		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
			return false;
	}
	return true;
}

enum err_code suites_find(struct store *s, struct str spec, struct arena *arena, struct suite_row **ret_suite,
                          struct error *reterr)
{
	static const struct pg_statement by_name = { "suites_by_name",
		                                     "SELECT " SUITE_COLUMNS("v.definition") SUITE_FROM
		                                     "s.name = $2::text AND ($3::int4 = 0 OR v.version = $3)"
		                                     " ORDER BY v.version DESC LIMIT 1" };
	static const struct pg_statement by_hash = { "suites_by_hash",
		                                     "SELECT " SUITE_COLUMNS("v.definition") SUITE_FROM
		                                     "encode(v.hash, 'hex') LIKE $2::text || '%' LIMIT 2" };
	struct str name = spec, version_text = { 0 };
	int64_t version = 0;
	ptrdiff_t at = str_find_char(spec, '@');
	if (at >= 0) {
		name = str_slice(spec, 0, (size_t)at);
		version_text = str_slice(spec, (size_t)at + 1, spec.len);
		if (!str_to_i64(version_text, &version) || version < 1 || version > INT32_MAX) {
			*ret_suite = NULL;
			return ERR_OK;
		}
	}
	struct pg_params *p = store_params(s);
	pg_params_i32(p, store_team(s));
	pg_params_text(p, name);
	pg_params_i32(p, (int32_t)version);
	enum err_code err = store_read(s, &by_name, reterr);
	if (!err)
		err = one_suite(s, arena, spec, ret_suite, reterr);
	if (err || *ret_suite || !is_hash_prefix(spec))
		return err;
	p = store_params(s);
	pg_params_i32(p, store_team(s));
	pg_params_text(p, spec);
	err = store_read(s, &by_hash, reterr);
	return err ? err : one_suite(s, arena, spec, ret_suite, reterr);
}

enum err_code suites_by_id(struct store *s, int64_t suite_version_id, struct arena *arena, struct suite_row **ret_suite,
                           struct error *reterr)
{
	static const struct pg_statement statement = { "suites_by_id",
		                                       "SELECT " SUITE_COLUMNS("v.definition") SUITE_FROM
		                                       "v.suite_version_id = $2::int8" };
	struct pg_params *p = store_params(s);
	pg_params_i32(p, store_team(s));
	pg_params_i64(p, suite_version_id);
	enum err_code err = store_read(s, &statement, reterr);
	return err ? err : one_suite(s, arena, STR("id"), ret_suite, reterr);
}

enum err_code suites_list(struct store *s, struct str after_name, size_t limit, struct arena *arena,
                          struct suite_row **ret_suites, size_t *ret_count, struct error *reterr)
{
	static const struct pg_statement statement = { "suites_list",
		                                       "SELECT DISTINCT ON (s.name) " SUITE_COLUMNS("''") SUITE_FROM
		                                       "s.name > $2::text"
		                                       " ORDER BY s.name, v.version DESC LIMIT $3::int8" };
	struct pg_params *p = store_params(s);
	pg_params_i32(p, store_team(s));
	pg_params_text(p, after_name);
	pg_params_i64(p, (int64_t)MIN_OF(limit, (size_t)100000));
	enum err_code err = store_read(s, &statement, reterr);
	return err ? err : read_suites(s, arena, ret_suites, ret_count, reterr);
}

enum err_code suites_versions(struct store *s, struct str name, size_t limit, struct arena *arena,
                              struct suite_row **ret_suites, size_t *ret_count, struct error *reterr)
{
	static const struct pg_statement statement = { "suites_versions", "SELECT " SUITE_COLUMNS("''") SUITE_FROM
		                                       "s.name = $2::text"
		                                       " ORDER BY v.version DESC LIMIT $3::int8" };
	struct pg_params *p = store_params(s);
	pg_params_i32(p, store_team(s));
	pg_params_text(p, name);
	pg_params_i64(p, (int64_t)MIN_OF(limit, (size_t)100000));
	enum err_code err = store_read(s, &statement, reterr);
	return err ? err : read_suites(s, arena, ret_suites, ret_count, reterr);
}

static enum err_code read_slice_parts(struct store *s, const struct suite_row *suite, struct suites_part *out,
                                      struct error *reterr)
{
	static const struct pg_statement statement = {
		"suites_slice_parts", "SELECT slice_no, count(*) FROM assay.suite_item i"
				      " CROSS JOIN assay.slices(i.task_no, i.stratum_no) AS slice_no"
				      " WHERE i.team_id = $1::int4 AND i.suite_version_id = $2::int8 GROUP BY 1"
	};
	struct arena scratch;
	struct pg_params *p = store_params(s);
	pg_params_i32(p, store_team(s));
	pg_params_i64(p, suite->suite_version_id);
	enum err_code err = store_read(s, &statement, reterr);
	if (err)
		return err;
	arena_init(&scratch, 1 << 20);
	struct store_rows r = store_rows(s, &scratch);
	for (size_t i = 0; i < r.count; i++) {
		uint32_t slice_no = store_rows_u32(&r, i, 0);
		if (slice_no > 0 && slice_no < suite->slice_count)
			out[slice_no - 1].items = (uint64_t)store_rows_i64(&r, i, 1);
	}
	err = store_rows_end(&r, reterr);
	arena_done(&scratch);
	return err;
}

static enum err_code read_provenances(struct store *s, const struct suite_row *suite, struct arena *arena,
                                      struct suites_part **ret_parts, size_t *ret_count, struct error *reterr)
{
	static const struct pg_statement statement = { "suites_provenances",
		                                       "SELECT i.provenance, count(*) FROM assay.suite_item i"
		                                       " WHERE i.team_id = $1::int4 AND i.suite_version_id = $2::int8"
		                                       " GROUP BY 1 ORDER BY 2 DESC, 1" };
	struct pg_params *p = store_params(s);
	pg_params_i32(p, store_team(s));
	pg_params_i64(p, suite->suite_version_id);
	enum err_code err = store_read(s, &statement, reterr);
	if (err)
		return err;
	struct store_rows r = store_rows(s, arena);
	struct suites_part *parts = store_rows_alloc(&r, r.count, sizeof(*parts));
	for (size_t i = 0; parts && i < r.count; i++)
		parts[i] = (struct suites_part){ store_rows_text(&r, i, 0), (uint64_t)store_rows_i64(&r, i, 1) };
	err = store_rows_end(&r, reterr);
	if (err)
		return err;
	*ret_parts = parts;
	*ret_count = r.count;
	return ERR_OK;
}

enum err_code suites_parts(struct store *s, const struct suite_row *suite, struct arena *arena,
                           struct suites_part **ret_slices, size_t *ret_slice_count,
                           struct suites_part **ret_provenances, size_t *ret_provenance_count, struct error *reterr)
{
	size_t count = suite->slice_count ? suite->slice_count - 1 : 0;
	struct suites_part *slices = arena_new(arena, count + 1, sizeof(*slices));
	for (size_t i = 0; i < count; i++)
		slices[i] = (struct suites_part){ suite->slices[i + 1], 0 };
	enum err_code err = read_slice_parts(s, suite, slices, reterr);
	if (!err)
		err = read_provenances(s, suite, arena, ret_provenances, ret_provenance_count, reterr);
	if (err)
		return err;
	*ret_slices = slices;
	*ret_slice_count = count;
	return ERR_OK;
}

enum err_code suites_names(struct store *s, struct arena *arena, struct str **ret_names, size_t *ret_count,
                           struct error *reterr)
{
	static const struct pg_statement statement = {
		"suites_names",
		"SELECT coalesce(array_agg(name ORDER BY name), '{}') FROM (SELECT DISTINCT s.name" SUITE_FROM
		"true LIMIT 10000) names"
	};
	pg_params_i32(store_params(s), store_team(s));
	enum err_code err = store_read(s, &statement, reterr);
	if (err)
		return err;
	struct store_rows r = store_rows(s, arena);
	struct str *names = store_rows_texts(&r, 0, 0, ret_count);
	err = store_rows_end(&r, reterr);
	if (!err)
		*ret_names = names;
	return err;
}
