/* coordinator/http/run_json.h - a run as the API shows it: its row, its sums, and what the schedule knows of it now. */
#ifndef ASSAY_HTTP_RUN_JSON_H
#define ASSAY_HTTP_RUN_JSON_H

#include "coordinator/http/context.h"
#include "coordinator/store/runs.h"

struct run_parts {
	const struct run_row *row;
	const struct run_sum *whole;       /* slice "", metric -1; NULL: nothing yet */
	const struct run_sum *score;       /* slice "", metric 0; NULL: not asked for */
	const struct sched_run_view *view; /* NULL: not under way here */
	const struct control_state *state;
	struct context *context; /* to look stragglers up; NULL: they are left out */
	struct str reason;       /* of reason_of() */
	struct str metric;       /* name of metric 0; empty: unknown */
	const char *made;        /* "new", "attached", "extended"; NULL: not made by this call */
};

void run_json_write(struct json_write *w, const struct run_parts *p);

/* Reads what belongs to one run and writes it; answers with an error itself. */
void run_json_reply(struct context *c, int status, uint64_t run_id, const char *made);

#endif
