/* coordinator/store/runs_read.h - reading run rows, shared by runs.c and rebuild.c. Private to this folder. */
#ifndef ASSAY_STORE_RUNS_READ_H
#define ASSAY_STORE_RUNS_READ_H

#include "coordinator/store/runs.h"
#include "coordinator/store/store_call.h"

/* The columns that runs_read_rows() expects, with and without the large ones, and where they come from. */
#define RUNS_READ_HEAD                                                                                                 \
	"r.run_id, r.team_id, r.model_id, m.route_id, r.suite_version_id, s.name, m.name, v.version, m.version, "      \
	"v.hash,"                                                                                                      \
	" m.hash, r.slice, r.item_limit, r.seed, r.tick, r.epochs, r.item_count, r.selected_count, r.metric_count,"    \
	" r.state, r.reason, r.sent_to, r.retry_wave, r.scoring_no, r.attempts_max, r.sample_time_ms, r.priority,"     \
	" coalesce(r.budget, -1), coalesce(r.baseline_run_id, 0), r.created_by, assay.ms(r.created_at),"               \
	" assay.ms(r.started_at), assay.ms(r.ended_at), r.stat_due"
#define RUNS_READ_ALL RUNS_READ_HEAD ", r.selection, r.context, r.options"
#define RUNS_READ_FROM                                                                                                 \
	" FROM assay.run r JOIN assay.model m USING (model_id) JOIN assay.suite_version v USING (suite_version_id)"    \
	" JOIN assay.suite s USING (suite_id)"

enum err_code runs_read_rows(struct store *s, bool all, struct arena *arena, struct run_row **ret_runs,
                             size_t *ret_count, struct error *reterr) MUST_CHECK;

/* runs_extend() inside a transaction that is open. */
enum err_code runs_read_extend(struct store *s, uint64_t run_id, uint32_t epochs, struct str by,
                               struct error *reterr) MUST_CHECK;

#endif
