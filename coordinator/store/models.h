/* coordinator/store/models.h - model configurations and the routes that their limits belong to.
 *
 * A name keeps every configuration that it ever had, by hash; the newest is in force, a run names one for ever. */
#ifndef ASSAY_STORE_MODELS_H
#define ASSAY_STORE_MODELS_H

#include "common/base/hash.h"
#include "coordinator/store/store.h"

struct models_put {
	int32_t team_id;
	struct str name;
	struct hash hash;  /* of `config` */
	struct str config; /* canonical JSON */
	struct str provider, model;
	struct str endpoint, key_alias;            /* with `model` the route; hosted: endpoint is "host:COMMAND" */
	uint32_t concurrency;                      /* limit of the route; 0: learned */
	uint32_t requests_per_min, tokens_per_min; /* 0: none stated */
	int64_t price_in_nanousd_per_mtok, price_cached_nanousd_per_mtok, price_out_nanousd_per_mtok; /* -1: unknown */
	struct str put_by;
};

struct model_row {
	int32_t model_id, team_id, route_id;
	int32_t version; /* 1, 2, ... of its name */
	struct str name, config, provider, model;
	struct hash hash;
	int64_t price_in_nanousd_per_mtok, price_cached_nanousd_per_mtok, price_out_nanousd_per_mtok;
	int64_t put_at_ms;
};

struct route_row {
	int32_t route_id, team_id;
	struct str endpoint, model, key_alias;
	uint32_t concurrency_max, requests_per_min, tokens_per_min; /* stated; 0: none */
	uint32_t concurrency;                                       /* learned; 0: nothing yet */
	double rate;
	struct str note;
	int64_t changed_at_ms;
};

/* Adds a configuration, or finds the same one again. *ret_is_new says which. */
enum err_code models_put(struct store *s, const struct models_put *put, int32_t *ret_model_id, bool *ret_is_new,
                         struct error *reterr) MUST_CHECK;
/* "name", "name@2". *ret_model NULL: none. */
enum err_code models_find(struct store *s, struct str spec, struct arena *arena, struct model_row **ret_model,
                          struct error *reterr) MUST_CHECK;
enum err_code models_by_id(struct store *s, int32_t model_id, struct arena *arena, struct model_row **ret_model,
                           struct error *reterr) MUST_CHECK;
/* The one in force of each name. */
enum err_code models_list(struct store *s, struct str after_name, size_t limit, struct arena *arena,
                          struct model_row **ret_models, size_t *ret_count, struct error *reterr) MUST_CHECK;
enum err_code models_routes(struct store *s, struct arena *arena, struct route_row **ret_routes, size_t *ret_count,
                            struct error *reterr) MUST_CHECK;

#endif
