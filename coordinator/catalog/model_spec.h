/* coordinator/catalog/model_spec.h - models.yaml becomes model configurations: checked, canonical, hashed.
 *
 * A configuration names a host and a key by alias and never holds a key: what looks like one is refused, and not
 * repeated in the error. Parameters of the provider are handed on unread, but for those that Assay itself sets. Errors
 * as in suite.h. Pure; texts live in the arena that was given. */
#ifndef ASSAY_CATALOG_MODEL_SPEC_H
#define ASSAY_CATALOG_MODEL_SPEC_H

#include "common/base/arena.h"
#include "common/base/error.h"
#include "common/base/hash.h"

enum { MODEL_SPEC_COUNT_MAX = 10000, MODEL_SPEC_NAME_BYTES_MAX = 100 };

struct model_spec {
	struct str name;
	struct str config; /* canonical JSON of the entry: what a lease's context carries as `model` */
	struct hash hash;  /* of config */
	struct str provider, model;
	struct str endpoint;     /* of its route: "https://api.example.com/v1", or "host:COMMAND" */
	struct str key_alias;    /* empty: none */
	struct str host_command; /* empty: not hosted */
	uint32_t concurrency, requests_per_min, tokens_per_min; /* 0: not stated */
	int64_t price_in_nanousd_per_mtok, price_cached_nanousd_per_mtok, price_out_nanousd_per_mtok; /* -1: unknown */
	uint32_t line; /* where the entry begins */
};

enum err_code model_spec_read(struct str yaml, const char *name, struct arena *a, struct model_spec **ret_models,
                              size_t *ret_count, struct error *reterr) MUST_CHECK;

#endif
