/* coordinator/http/waits.h - silence explained: what each unfinished run waits for, in documents and in /metrics.
 *
 * What the schedule says comes with what it cannot know: that the database is away, that a run was not taken in yet,
 * and which items the oldest samples belong to. */
#ifndef ASSAY_HTTP_WAITS_H
#define ASSAY_HTTP_WAITS_H

#include "coordinator/http/context.h"
#include "coordinator/store/runs.h"

/* Samples that are out for less are no news. */
enum { WAITS_STRAGGLER_MS = 5000 };

/* Member "waiting_for": a list, empty when samples are going out or the run has ended with nothing under way. `view`
 * NULL: the schedule does not hold the run. */
void waits_write(struct json_write *w, const struct run_row *row, const struct sched_run_view *view,
                 const struct control_state *state);

/* Member "stragglers": the oldest samples that are out, by item; looked up in the database. */
void waits_write_stragglers(struct context *c, struct json_write *w, const struct run_row *row,
                            const struct sched_run_view *view);

/* Gauges that are set when somebody asks for them: runs by cause, the oldest sample, routes by state, database. */
struct waits_metrics {
	struct metrics_family *runs, *routes;
	struct metrics_series *oldest, *database;
};
void waits_metrics_init(struct waits_metrics *m, struct metrics *metrics);
void waits_metrics_show(struct waits_metrics *m, const struct control *control, struct arena *arena);

#endif
