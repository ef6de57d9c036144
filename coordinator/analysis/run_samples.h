/* coordinator/analysis/run_samples.h - a run's rows read into the columns that evidence works on.
 *
 * One pass over the heads of its items and one over the scores of each metric, by pages; memory is the columns. What
 * the suite's definition says of a metric (chance level, range) goes along. One thread. */
#ifndef ASSAY_ANALYSIS_RUN_SAMPLES_H
#define ASSAY_ANALYSIS_RUN_SAMPLES_H

#include "coordinator/evidence/samples.h"
#include "coordinator/store/runs.h"
#include "coordinator/store/suites.h"

struct run_samples {
	struct run_row *run;
	struct suite_row *suite;
	struct samples samples;
	bool filled; /* samples is to be given back */
};

/* ERR_NOT_FOUND: no such run. The arena holds everything; run_samples_done() before it is reset. */
enum err_code run_samples_read(struct store *s, uint64_t run_id, struct arena *arena, struct run_samples *ret_rs,
                               struct error *reterr) MUST_CHECK;
void run_samples_done(struct run_samples *rs);

#endif
