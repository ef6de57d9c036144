/* common/io/thread.h - a named thread that takes no signals.
 *
 * Every signal is blocked in it: signals belong to the file descriptor of signals.h in main's loop. The name (at most
 * 15 bytes are kept by the kernel) shows in top, in gdb and in each log line. */
#ifndef ASSAY_IO_THREAD_H
#define ASSAY_IO_THREAD_H

#include "common/base/error.h"

struct thread;
typedef void (*thread_main)(void *arg);

/* `arg` is borrowed until thread_join() returns. ERR_IO when the system has no thread to give. */
enum err_code thread_start(struct thread **ret_thread, const char *name, thread_main run, void *arg,
                           struct error *reterr) MUST_CHECK;
void thread_join(struct thread *t); /* waits for its end and frees; accepts NULL */

const char *thread_name(void);          /* of the calling thread; "main" where nothing was set */
void thread_name_set(const char *name); /* borrowed for ever: a literal */

#endif
