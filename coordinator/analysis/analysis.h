/* coordinator/analysis/analysis.h - the thread that computes what a run came to once it has ended.
 *
 * For each ended run it reads the scores once, asks evidence for the estimates by slice and metric, and writes
 * `run_stat`. What is due stands in rows (run.stat_due), so a restart loses nothing and a second time changes nothing.
 * Every ten minutes it takes away what is kept for a time only (refused results of thirty days ago). */
#ifndef ASSAY_ANALYSIS_ANALYSIS_H
#define ASSAY_ANALYSIS_ANALYSIS_H

#include "coordinator/store/store.h"

struct analysis;

struct analysis_settings {
	struct store_settings store;
	uint64_t term;
};

enum err_code analysis_start(const struct analysis_settings *settings, struct analysis **ret_analysis,
                             struct error *reterr) MUST_CHECK;
void analysis_wake(struct analysis *a); /* a run has ended: look now; any thread */
void analysis_stop(struct analysis *a); /* accepts NULL */

#endif
