/* coordinator/http/able.h - can any connected worker serve this model? Asked before a run is made, so that a typo in a
 * key alias is an error at once and not a run that waits for ever. */
#ifndef ASSAY_HTTP_ABLE_H
#define ASSAY_HTTP_ABLE_H

#include "coordinator/http/context.h"
#include "coordinator/store/models.h"

struct able {
	size_t connected, able;
	struct str why_not; /* of the first that is not, when none is; names what is missing and what is there */
};

enum err_code able_find(struct context *c, const struct model_row *model, struct able *ret_able,
                        struct error *reterr) MUST_CHECK;

/* The host that an address names, without its port; of "[::1]:80" the address between the brackets. */
struct str able_host(struct str url);

#endif
