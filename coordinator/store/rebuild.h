/* coordinator/store/rebuild.h - what a new leader reads before it decides anything.
 *
 * Order: runs, then for each its samples, attempts and changes, then workers and routes. Everything that the schedule
 * forgets at a death stands in rows; nothing else is needed. Reads in pages, so memory is the caller's bits and one
 * page. */
#ifndef ASSAY_STORE_REBUILD_H
#define ASSAY_STORE_REBUILD_H

#include "common/base/bits.h"
#include "common/wire/msg.h"
#include "coordinator/schedule/position.h"
#include "coordinator/store/runs.h"
#include "coordinator/store/store.h"

/* Runs that have not ended, oldest first, with all their columns. */
enum err_code rebuild_runs(struct store *s, struct arena *arena, struct run_row **ret_runs, size_t *ret_count,
                           struct error *reterr) MUST_CHECK;

/* One stored row; only the one that counts (highest retry_no) of each sample is handed over. */
struct rebuild_sample {
	uint64_t sample_no; /* epoch * items of the suite + item_no */
	uint32_t retry_no;
	enum outcome outcome;
};
typedef void (*rebuild_sample_fn)(void *arg, const struct rebuild_sample *samples, size_t count);
enum err_code rebuild_samples(struct store *s, const struct run_row *run, rebuild_sample_fn each, void *arg,
                              struct error *reterr) MUST_CHECK;

/* The usual use of it: sets a bit in `settled` for each sample that is not pending: scored, or missing with a retry_no
 * at or above run.retry_wave. Both sized by the caller to item_count * epochs; `missing` (may be NULL) gets the settled
 * ones without a score. */
enum err_code rebuild_bits(struct store *s, const struct run_row *run, struct bits *settled, struct bits *missing,
                           struct error *reterr) MUST_CHECK;
/* The same; missing_counts[outcome] of the settled ones without a score (zeroed by the callee). */
enum err_code rebuild_bits_counted(struct store *s, const struct run_row *run, struct bits *settled,
                                   struct bits *missing, uint64_t missing_counts[OUTCOME_COUNT],
                                   struct error *reterr) MUST_CHECK;

/* The layers of its positions (coordinator/schedule/position.h) in the order in which the run was made and changed:
 * its first epochs, then one for each extension and each retry. */
enum err_code rebuild_layers(struct store *s, const struct run_row *run, struct arena *arena,
                             struct position_layer **ret_layers, size_t *ret_count, struct error *reterr) MUST_CHECK;

/* Whether a cancel is its newest change: then its last leader has perhaps not lived to end it. A retry or an extension
 * takes a cancel back; what they change stands in the run itself. */
enum err_code rebuild_cancelled(struct store *s, const struct run_row *run, bool *ret_cancelled,
                                struct error *reterr) MUST_CHECK;

/* Asks of this wave that failed or died, of samples that have no row yet: what counts against their caps. */
struct rebuild_attempts {
	uint64_t sample_no;
	uint32_t failed;       /* attempts with a class of their own */
	uint32_t died;         /* deaths that it may have caused: not known to have started, or reported afterwards */
	uint32_t deaths;       /* deaths of which it is known that it had started */
	uint32_t alone_deaths; /* of those, with nothing else in flight beside it */
	uint64_t spent_ms;     /* latency of the failed ones */
	uint32_t last_class;   /* enum error_class of the newest failed one */
};
enum err_code rebuild_attempts(struct store *s, const struct run_row *run, struct arena *arena,
                               struct rebuild_attempts **ret_attempts, size_t *ret_count,
                               struct error *reterr) MUST_CHECK;

/* Workers that said Hello in the last term before `term`, and were not gone: until each has said Hello again, or 30 s
 * have passed, what lies below sent_to is perhaps held. */
struct rebuild_worker {
	struct outbox_id outbox;
	int32_t worker_id;
	struct str name;
};
enum err_code rebuild_workers(struct store *s, uint64_t term, struct arena *arena, struct rebuild_worker **ret_workers,
                              size_t *ret_count, struct error *reterr) MUST_CHECK;

#endif
