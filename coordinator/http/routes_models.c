#include "coordinator/catalog/model_spec.h"
#include "coordinator/http/context.h"
#include "coordinator/store/models.h"

static enum err_code put(struct context *c, const struct model_spec *m, bool *ret_is_new, struct error *reterr)
{
	struct models_put p = { .team_id = STORE_TEAM_DEFAULT,
		                .name = m->name,
		                .hash = m->hash,
		                .config = m->config,
		                .provider = m->provider,
		                .model = m->model,
		                .endpoint = m->endpoint,
		                .key_alias = m->key_alias,
		                .concurrency = m->concurrency,
		                .requests_per_min = m->requests_per_min,
		                .tokens_per_min = m->tokens_per_min,
		                .price_in_nanousd_per_mtok = m->price_in_nanousd_per_mtok,
		                .price_cached_nanousd_per_mtok = m->price_cached_nanousd_per_mtok,
		                .price_out_nanousd_per_mtok = m->price_out_nanousd_per_mtok,
		                .put_by = STR("api") };
	int32_t model_id;
	return models_put(c->store, &p, &model_id, ret_is_new, reterr);
}

static void write_model(struct json_write *w, const struct model_row *m, bool with_config)
{
	json_write_object(w);
	json_write_field_str(w, "name", m->name);
	json_write_field_i64(w, "version", m->version);
	json_write_field_str(w, "provider", m->provider);
	json_write_field_str(w, "model", m->model);
	context_write_time(w, "added_at", m->put_at_ms);
	if (with_config) {
		json_write_key(w, "config");
		json_write_raw(w, m->config);
	}
	json_write_object_end(w);
}

/* All of them are checked before the first is written. */
void route_models_put(struct context *c)
{
	struct model_spec *specs = NULL;
	size_t count = 0;
	struct error e;
	struct str named = server_query(c->request, "file");
	enum err_code err =
		model_spec_read(c->request->body, named.len ? named.data : "models.yaml", c->arena, &specs, &count, &e);
	bool *is_new = arena_new(c->arena, count + 1, sizeof(*is_new));
	if (err == ERR_LIMIT)
		err = e.code = ERR_INVALID;
	for (size_t i = 0; err == ERR_OK && i < count; i++)
		err = put(c, &specs[i], &is_new[i], &e);
	if (err == ERR_OK)
		err = c->control->routes_changed(c->control->arg, &e);
	struct model_row **rows = arena_new(c->arena, count + 1, sizeof(struct model_row *));
	for (size_t i = 0; err == ERR_OK && i < count; i++)
		err = models_find(c->store, specs[i].name, c->arena, &rows[i], &e);
	if (err != ERR_OK) {
		reply_error(c, &e);
		return;
	}
	struct json_write *w = reply_json(c, 200);
	json_write_object(w);
	json_write_field_c(w, "schema", "assay.models-added.v1");
	json_write_key(w, "items");
	json_write_array(w);
	for (size_t i = 0; i < count; i++) {
		json_write_object(w);
		json_write_field_str(w, "name", specs[i].name);
		json_write_field_i64(w, "version", rows[i] ? rows[i]->version : 0);
		json_write_field_bool(w, "created", is_new[i]);
		json_write_object_end(w);
	}
	json_write_array_end(w);
	json_write_object_end(w);
}

void route_models_list(struct context *c)
{
	struct model_row *rows = NULL;
	struct error e;
	size_t count = 0, limit = context_limit(c);
	if (limit == 0)
		return;
	if (models_list(c->store, server_query(c->request, "cursor"), limit, c->arena, &rows, &count, &e) != ERR_OK) {
		reply_error(c, &e);
		return;
	}
	struct json_write *w = reply_json(c, 200);
	json_write_object(w);
	json_write_field_c(w, "schema", "assay.models-list.v1");
	json_write_key(w, "items");
	json_write_array(w);
	for (size_t i = 0; i < count; i++)
		write_model(w, &rows[i], true);
	json_write_array_end(w);
	json_write_key(w, "next");
	if (count == limit)
		json_write_str(w, rows[count - 1].name);
	else
		json_write_null(w);
	json_write_object_end(w);
}

void route_models_show(struct context *c)
{
	struct model_row *row = NULL;
	struct error e;
	enum err_code err = models_find(c->store, c->match.params[0], c->arena, &row, &e);
	if (err == ERR_OK && !row)
		err = error_set(&e, ERR_NOT_FOUND, "there is no model '%.*s'", STR_ARG(c->match.params[0]));
	if (err == ERR_OK)
		write_model(reply_json(c, 200), row, true);
	else
		reply_error(c, &e);
}
