/* worker/net/score_thread.h - the pool that applies scorers: nothing of its own between jobs.
 *
 * Takes SCORE (a sample that is lent to it), runs exec_score(), gives it back as SCORED to its net thread, and says
 * TURNED to link several times a second, so that samples of a scorer that hangs are not vouched for. */
#ifndef ASSAY_NET_SCORE_THREAD_H
#define ASSAY_NET_SCORE_THREAD_H

#include "common/base/error.h"
#include "common/io/ring.h"

struct score_threads;

struct score_options {
	struct ring *inbox; /* borrowed, shared by the pool */
	struct ring *link;
	struct ring *const *nets;
	uint32_t net_count, thread_count;
};

enum err_code score_threads_start(const struct score_options *options, struct score_threads **ret_threads,
                                  struct error *reterr) MUST_CHECK;
void score_threads_join(struct score_threads *s); /* after ring_close(inbox); accepts NULL */

#endif
