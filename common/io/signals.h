/* common/io/signals.h - signals as readable events on a file descriptor.
 *
 * Call signals_fd() first thing in main, before any thread: it blocks the signals there and threads inherit that. It
 * ignores SIGPIPE too, so that a closed peer is EPIPE. Children get a clean slate from process.h. */
#ifndef ASSAY_IO_SIGNALS_H
#define ASSAY_IO_SIGNALS_H

#include "common/base/error.h"
#include <signal.h>
#include <sys/types.h>

enum err_code signals_fd(const int *signals, size_t count, int *ret_fd, struct error *reterr) MUST_CHECK;

/* The next signal that waits, without blocking; false when there is none. *ret_sender may be NULL. */
bool signals_next(int fd, int *ret_signal, pid_t *ret_sender) MUST_CHECK;

void signals_close(int fd); /* closes and unblocks nothing: what comes later stays pending */

#endif
