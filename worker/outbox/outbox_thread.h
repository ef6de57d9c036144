/* worker/outbox/outbox_thread.h - the thread that owns the outbox: takes mails, writes in groups, says what is kept.
 *
 * In:  KEEP from net threads; TRIM, LOAD, REOPEN, FETCH from link.
 * Out: KEPT to the net thread of a KEEP; RECORD to link for what is to be sent; ADOPT to a net thread; OUTBOX to link
 *      after LOAD and REOPEN, and whenever writing begins or ceases to work.
 * All KEEPs of one turn are one write; when an answer is among them, one sync follows, and answers are kept only then.
 * While the disk is full, what is to be kept waits here (bounded by the worker's slots) and is tried each second. */
#ifndef ASSAY_OUTBOX_OUTBOX_THREAD_H
#define ASSAY_OUTBOX_OUTBOX_THREAD_H

#include "common/io/metrics.h"
#include "common/io/ring.h"
#include "worker/outbox/outbox.h"

enum { OUTBOX_RETRY_MS = 1000 };

struct outbox_thread;

struct outbox_thread_options {
	struct outbox *outbox; /* borrowed; the thread's alone until outbox_thread_join() */
	struct ring *inbox;    /* borrowed: mails to us */
	struct ring *link;
	struct ring *const *nets;
	uint32_t net_count;
	struct metrics *metrics; /* NULL: none */
	uint32_t retry_ms;       /* how soon a failed write is tried again; 0: OUTBOX_RETRY_MS */
};

enum err_code outbox_thread_start(const struct outbox_thread_options *options, struct outbox_thread **ret_thread,
                                  struct error *reterr) MUST_CHECK;
void outbox_thread_join(struct outbox_thread *t); /* after ring_close(inbox): writes what is left, once; accepts NULL */

#endif
