/* coordinator/http/plan.h - what a run would ask and cost before it is made: the answer to a dry run.
 *
 * Tokens are estimated from what is known best, and the answer says which: an earlier run of the same suite version
 * with the same model; else the items' texts with what a probe of the model was counted as beyond its text; else the
 * texts alone. */
#ifndef ASSAY_HTTP_PLAN_H
#define ASSAY_HTTP_PLAN_H

#include "coordinator/http/able.h"
#include "coordinator/http/selection.h"
#include "coordinator/store/models.h"

struct plan_wish { /* what a request for a run asks for, read and looked up */
	struct json_doc *doc;
	struct suite_row *suite;
	struct model_row *model;
	struct selection selection;
	int64_t epochs, seed, priority;
	bool again, dry_run;
	struct able able;
};

/* Answers the request with the plan; a database that fails in between leaves a rougher estimate, never none. */
void plan_reply(struct context *c, const struct plan_wish *w);

#endif
