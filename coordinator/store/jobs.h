/* coordinator/store/jobs.h - work of the analysis thread as rows: picked up again at start, idempotent by key. */
#ifndef ASSAY_STORE_JOBS_H
#define ASSAY_STORE_JOBS_H

#include "coordinator/store/store.h"

struct job_row {
	int64_t job_id;
	int32_t team_id;
	struct str kind, key, payload; /* payload: JSON */
	uint32_t attempts;
};
/* A key that is there already, in whatever state, is left as it is: *ret_is_new false. */
enum err_code jobs_put(struct store *s, int32_t team_id, struct str kind, struct str key, struct str payload,
                       bool *ret_is_new, struct error *reterr) MUST_CHECK;
/* Takes the oldest one that waits, or that an older term (or this one, before its restart) left running. NULL: none. */
enum err_code jobs_take(struct store *s, struct arena *arena, struct job_row **ret_job,
                        struct error *reterr) MUST_CHECK;
enum err_code jobs_done(struct store *s, int64_t job_id, struct error *reterr) MUST_CHECK;
/* Goes back to waiting for `again_ms`, or, when negative, fails for good. */
enum err_code jobs_failed(struct store *s, int64_t job_id, struct str text, int64_t again_ms,
                          struct error *reterr) MUST_CHECK;

#endif
