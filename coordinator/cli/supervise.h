/* coordinator/cli/supervise.h - the parent of an embedded installation: starts, restarts with backoff, stops in order.
 *
 * Start: PostgreSQL, once it answers the coordinator, then the workers. A child that dies is started again after
 * 0.2 s, doubling to 10 s, from anew once it has lived 30 s. SIGTERM stops workers (they drain), coordinator and
 * PostgreSQL, in this order, and only what this process started. What an earlier supervise left behind when it was
 * killed (recognised by process id, start time and boot) is ended first. Writes status.json at every change. */
#ifndef ASSAY_CLI_SUPERVISE_H
#define ASSAY_CLI_SUPERVISE_H

#include "coordinator/cli/home.h"

/* Runs until SIGTERM or SIGINT on `signal_fd`. */
enum err_code supervise_run(const struct home *h, unsigned workers, const char *program_path, int signal_fd,
                            struct error *reterr) MUST_CHECK;

/* After a supervise that was killed: ends what it left running, and nothing else. ERR_CONFLICT: one is at work. */
enum err_code supervise_clean(const struct home *h, unsigned *ret_count, struct error *reterr) MUST_CHECK;

#endif
