#include "common/base/json_write.h"
#include "coordinator/catalog/suite.h"

static void put(struct json_write *w, const char *key, const struct json *v)
{
	json_write_key(w, key);
	json_write_value(w, v);
}

enum err_code suite_context(struct str definition, struct str model, uint64_t suite_items, struct buf *out,
                            struct error *reterr)
{
	struct json_doc *suite, *config, *joined = NULL;
	enum err_code err = json_parse(definition, &suite, reterr);
	if (err)
		return error_wrap(reterr, err, "stored suite definition");
	err = json_parse(model, &config, reterr);
	if (err) {
		json_free(suite);
		return error_wrap(reterr, err, "stored model configuration");
	}
	struct buf plain;
	struct json_write w;
	buf_init(&plain, out->max);
	json_write_init(&w, &plain, false);
	json_write_object(&w);
	put(&w, "generate", json_get(json_root(suite), "generate"));
	put(&w, "model", json_root(config));
	put(&w, "scores", json_get(json_root(suite), "scores"));
	json_write_field_i64(&w, "suite_items", (int64_t)suite_items);
	json_write_object_end(&w);
	json_free(suite);
	json_free(config);
	if (plain.failed)
		err = error_set(reterr, ERR_LIMIT, "the run context is over %zu bytes", out->max);
	else
		err = json_parse(buf_str(&plain), &joined, reterr);
	buf_done(&plain);
	if (err)
		return err;
	bool fits = json_write_canonical(json_root(joined), out);
	json_free(joined);
	return fits ? ERR_OK : error_set(reterr, ERR_LIMIT, "the run context is over %zu bytes", out->max);
}
