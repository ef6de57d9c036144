#include "coordinator/store/models.h"
#include "coordinator/store/store_call.h"

static void price(struct pg_params *p, int64_t nanousd)
{
	if (nanousd < 0)
		pg_params_null(p);
	else
		pg_params_i64(p, nanousd);
}

enum err_code models_put(struct store *s, const struct models_put *put, int32_t *ret_model_id, bool *ret_is_new,
                         struct error *reterr)
{
	/* The newest configuration of a name is in force: going back to an older one is a new version of it. */
	static const struct pg_statement statement = {
		"models_put",
		"WITH route AS (INSERT INTO assay.route AS r (team_id, endpoint, model, key_alias, concurrency_max,"
		"  requests_per_min, tokens_per_min) VALUES ($1::int4, $7::text, $6::text, $8::text, $9::int4, "
		"$10::int4,"
		"  $11::int4) ON CONFLICT (team_id, endpoint, model, key_alias) DO UPDATE SET"
		"  concurrency_max = excluded.concurrency_max, requests_per_min = excluded.requests_per_min,"
		"  tokens_per_min = excluded.tokens_per_min, changed_at = now() RETURNING route_id),"
		" newest AS (SELECT model_id, version, hash FROM assay.model WHERE team_id = $1::int4 AND name = "
		"$2::text"
		"  ORDER BY version DESC LIMIT 1),"
		" made AS (INSERT INTO assay.model (team_id, name, version, hash, config, provider, model, route_id,"
		"  price_in, price_cached, price_out, put_by) SELECT $1::int4, $2::text,"
		"  1 + coalesce((SELECT version FROM newest), 0), $3::bytea, $4::text, $5::text, $6::text, route_id,"
		"  $12::int8, $13::int8, $14::int8, $15::text FROM route"
		"  WHERE NOT EXISTS (SELECT FROM newest WHERE hash = $3::bytea) RETURNING model_id)"
		" SELECT model_id, true FROM made UNION ALL SELECT model_id, false FROM newest WHERE hash = $3::bytea"
	};
	struct pg_params *p = store_params(s);
	pg_params_i32(p, put->team_id);
	pg_params_text(p, put->name);
	pg_params_bytes(p, str_make(put->hash.bytes, HASH_BYTES));
	pg_params_text(p, put->config);
	pg_params_text(p, put->provider);
	pg_params_text(p, put->model);
	pg_params_text(p, put->endpoint);
	pg_params_text(p, put->key_alias);
	pg_params_i32(p, (int32_t)MIN_OF(put->concurrency, (uint32_t)INT32_MAX));
	pg_params_i32(p, (int32_t)MIN_OF(put->requests_per_min, (uint32_t)INT32_MAX));
	pg_params_i32(p, (int32_t)MIN_OF(put->tokens_per_min, (uint32_t)INT32_MAX));
	price(p, put->price_in_nanousd_per_mtok);
	price(p, put->price_cached_nanousd_per_mtok);
	price(p, put->price_out_nanousd_per_mtok);
	pg_params_text(p, put->put_by);
	enum err_code err = store_write(s, &statement, reterr);
	if (err)
		return err;
	struct store_rows r = store_rows(s, NULL);
	if (r.count == 0)
		return error_set(reterr, ERR_AGAIN, "the model is being put by somebody else");
	*ret_model_id = store_rows_i32(&r, 0, 0);
	*ret_is_new = store_rows_bool(&r, 0, 1);
	return ERR_OK;
}

#define MODEL_COLUMNS                                                                                                  \
	"model_id, team_id, route_id, version, name, config, provider, model, hash, coalesce(price_in, -1),"           \
	" coalesce(price_cached, -1), coalesce(price_out, -1), assay.ms(put_at) FROM assay.model"

static enum err_code read_models(struct store *s, struct arena *arena, struct model_row **ret_models, size_t *ret_count,
                                 struct error *reterr)
{
	struct store_rows r = store_rows(s, arena);
	struct model_row *rows = store_rows_alloc(&r, r.count, sizeof(*rows));
	for (size_t i = 0; rows && i < r.count; i++)
		rows[i] = (struct model_row){ .model_id = store_rows_i32(&r, i, 0),
			                      .team_id = store_rows_i32(&r, i, 1),
			                      .route_id = store_rows_i32(&r, i, 2),
			                      .version = store_rows_i32(&r, i, 3),
			                      .name = store_rows_text(&r, i, 4),
			                      .config = store_rows_text(&r, i, 5),
			                      .provider = store_rows_text(&r, i, 6),
			                      .model = store_rows_text(&r, i, 7),
			                      .hash = store_rows_hash(&r, i, 8),
			                      .price_in_nanousd_per_mtok = store_rows_i64(&r, i, 9),
			                      .price_cached_nanousd_per_mtok = store_rows_i64(&r, i, 10),
			                      .price_out_nanousd_per_mtok = store_rows_i64(&r, i, 11),
			                      .put_at_ms = store_rows_i64(&r, i, 12) };
	enum err_code err = store_rows_end(&r, reterr);
	if (err)
		return err;
	*ret_models = rows;
	*ret_count = r.count;
	return ERR_OK;
}

static enum err_code one_model(struct store *s, const struct pg_statement *statement, struct arena *arena,
                               struct model_row **ret_model, struct error *reterr)
{
	struct model_row *rows;
	size_t count;
	enum err_code err = store_read(s, statement, reterr);
	if (!err)
		err = read_models(s, arena, &rows, &count, reterr);
	if (!err)
		*ret_model = count ? rows : NULL;
	return err;
}

enum err_code models_find(struct store *s, struct str spec, struct arena *arena, struct model_row **ret_model,
                          struct error *reterr)
{
	/* A name may hold an @ of its own ("llama@8bit"): the whole spec is tried as a name first. */
	static const struct pg_statement statement = { "models_find",
		                                       "SELECT " MODEL_COLUMNS
		                                       " WHERE team_id = $1::int4 AND (name = $2::text"
		                                       " OR (name = $3::text AND version = $4::int4))"
		                                       " ORDER BY name <> $2::text, version DESC LIMIT 1" };
	struct pg_params *p = store_params(s);
	struct str name = spec;
	int64_t version = 0;
	size_t at = spec.len;
	while (at > 0 && spec.data[at - 1] != '@')
		at--;
	if (at > 0 && str_to_i64(str_slice(spec, at, spec.len), &version) && version > 0 && version <= INT32_MAX)
		name = str_slice(spec, 0, at - 1);
	else
		version = 0;
	pg_params_i32(p, store_team(s));
	pg_params_text(p, spec);
	pg_params_text(p, name);
	pg_params_i32(p, (int32_t)version);
	return one_model(s, &statement, arena, ret_model, reterr);
}

enum err_code models_by_id(struct store *s, int32_t model_id, struct arena *arena, struct model_row **ret_model,
                           struct error *reterr)
{
	static const struct pg_statement statement = { "models_by_id",
		                                       "SELECT " MODEL_COLUMNS " WHERE model_id = $1::int4" };
	pg_params_i32(store_params(s), model_id);
	return one_model(s, &statement, arena, ret_model, reterr);
}

enum err_code models_list(struct store *s, struct str after_name, size_t limit, struct arena *arena,
                          struct model_row **ret_models, size_t *ret_count, struct error *reterr)
{
	static const struct pg_statement statement = { "models_list", "SELECT DISTINCT ON (name) " MODEL_COLUMNS
		                                                      " WHERE team_id = $1::int4 AND name > $2::text"
		                                                      " ORDER BY name, version DESC LIMIT $3::int8" };
	struct pg_params *p = store_params(s);
	pg_params_i32(p, store_team(s));
	pg_params_text(p, after_name);
	pg_params_i64(p, (int64_t)MIN_OF(limit, (size_t)100000));
	enum err_code err = store_read(s, &statement, reterr);
	return err ? err : read_models(s, arena, ret_models, ret_count, reterr);
}

enum err_code models_routes(struct store *s, struct arena *arena, struct route_row **ret_routes, size_t *ret_count,
                            struct error *reterr)
{
	static const struct pg_statement statement = {
		"models_routes",
		"SELECT route_id, team_id, endpoint, model, key_alias, concurrency_max, requests_per_min,"
		" tokens_per_min, concurrency, rate, note, assay.ms(changed_at) FROM assay.route"
		" ORDER BY route_id"
	};
	(void)store_params(s); /* none */
	enum err_code err = store_read(s, &statement, reterr);
	if (err)
		return err;
	struct store_rows r = store_rows(s, arena);
	struct route_row *rows = store_rows_alloc(&r, r.count, sizeof(*rows));
	for (size_t i = 0; rows && i < r.count; i++)
		rows[i] = (struct route_row){ .route_id = store_rows_i32(&r, i, 0),
			                      .team_id = store_rows_i32(&r, i, 1),
			                      .endpoint = store_rows_text(&r, i, 2),
			                      .model = store_rows_text(&r, i, 3),
			                      .key_alias = store_rows_text(&r, i, 4),
			                      .concurrency_max = store_rows_u32(&r, i, 5),
			                      .requests_per_min = store_rows_u32(&r, i, 6),
			                      .tokens_per_min = store_rows_u32(&r, i, 7),
			                      .concurrency = store_rows_u32(&r, i, 8),
			                      .rate = store_rows_f64(&r, i, 9),
			                      .note = store_rows_text(&r, i, 10),
			                      .changed_at_ms = store_rows_i64(&r, i, 11) };
	err = store_rows_end(&r, reterr);
	if (err)
		return err;
	*ret_routes = rows;
	*ret_count = r.count;
	return ERR_OK;
}
