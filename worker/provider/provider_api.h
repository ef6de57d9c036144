/* worker/provider/provider_api.h - one row: what provider.c must know of an API. A new API is one file with its row.
 *
 * Private to this folder. `body` appends the request body; `read` turns a body that arrived whole with a 2xx status
 * into an answer, or says what is wrong with it; `fault` finds the provider's error in a body of any kind. All pure. */
#ifndef ASSAY_PROVIDER_PROVIDER_API_H
#define ASSAY_PROVIDER_PROVIDER_API_H

#include "worker/provider/provider.h"
#include "worker/provider/provider_reply.h"

struct provider_api {
	const char *name;
	const char *version, *endpoint; /* appended to a base address, see provider_url_join() */
	const char *auth_header, *auth_prefix;

	enum err_code (*body)(const struct provider_model *m, const struct provider_prompt *prompt,
	                      const struct provider_params *params, const char *max_tokens_field, struct buf *body,
	                      struct error *reterr);
	/* `body` is repaired: valid UTF-8, no half surrogate pairs. Fills text, stop and the rest of *ret_answer and
	 * returns true; or fills *ret_fault and returns false (what of usage and names was said is set all the same).
	 */
	bool (*read)(struct str body, bool is_stream, struct arena *a, struct provider_answer *ret_answer,
	             struct provider_fault *ret_fault);
	/* What an error body says; status is the HTTP status. */
	void (*fault)(struct str body, int status, struct provider_fault *ret_fault);
};

extern const struct provider_api provider_api_openai, provider_api_openai_completions;

#endif
