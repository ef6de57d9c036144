/* worker/provider/provider_model.h - one model configuration: which API, where, which name, which key alias, which
 * parameters.
 *
 * It is read from the JSON that models.yaml became. The strict reading of that file (unknown keys and the like) is the
 * coordinator's; here an unknown member belongs to a newer coordinator and is passed over, a wrong type is an error
 * that names the field. Its text stays valid as long as the arena they were read into. Pure; any thread.
 *
 * Parameters. `temperature top_p max_tokens seed stop` are understood; `stream` (bool) asks for a streamed answer and
 * `max_tokens_field` names the field that carries max_tokens; everything else is handed on to the provider unread.
 * Fields that Assay owns (`model messages prompt n echo stream_options`) are refused. A null says "this model does not
 * take it": such a parameter is never sent, whatever the suite asks for. */
#ifndef ASSAY_PROVIDER_PROVIDER_MODEL_H
#define ASSAY_PROVIDER_PROVIDER_MODEL_H

#include "common/base/arena.h"
#include "common/base/error.h"
#include "common/base/json.h"

enum { PROVIDER_STOPS_MAX = 16 };

enum provider_param { /* bits */
	              PROVIDER_TEMPERATURE = 1,
	              PROVIDER_TOP_P = 2,
	              PROVIDER_MAX_TOKENS = 4,
	              PROVIDER_SEED = 8,
	              PROVIDER_STOP = 16,
};

struct provider_params {
	unsigned given; /* enum provider_param: which of the fields below hold a value */
	unsigned never; /* was null: not to be sent at all */
	double temperature, top_p;
	int64_t max_tokens, seed;
	const struct str *stops;
	size_t stop_count;
};

struct provider_extra { /* handed on to the provider as it is */
	struct str key, json;
};

struct provider_model {
	struct str name;         /* the alias under which people know it */
	struct str provider;     /* "openai", ... : one that provider_names() lists */
	struct str base_url;     /* empty for a hosted one: its address comes from the running server */
	struct str host_command; /* empty unless hosted */
	struct str model;        /* what the provider is asked for; `name` when the configuration names none */
	struct str key_alias;    /* empty: no key is sent */
	struct provider_params params;
	const struct provider_extra *extras;
	size_t extra_count;
	struct str max_tokens_field; /* empty: by host, see provider.h */
	bool stream;
};

/* `v` is one entry of models.yaml as JSON. Errors: ERR_INVALID with the field's name (an unknown provider with the
 * nearest known one), ERR_LIMIT when the arena is full; *ret_model is then untouched. */
enum err_code provider_model_parse(const struct json *v, struct arena *a, struct provider_model *ret_model,
                                   struct error *reterr) MUST_CHECK;

/* The same five parameters out of a suite's `generate` object; its other members are not looked at. NULL or null
 * gives none. `field` is how errors name the object ("generate"). */
enum err_code provider_params_parse(const struct json *v, const char *field, struct arena *a,
                                    struct provider_params *ret_params, struct error *reterr) MUST_CHECK;

/* What is sent: the suite's settings win over the model's defaults, a null on either side wins over both. */
struct provider_params provider_params_merge(const struct provider_params *suite, const struct provider_params *model);

#endif
