/* common/io/process_private.h - what process.c and process_run.c share; for nobody else. */
#ifndef ASSAY_IO_PROCESS_PRIVATE_H
#define ASSAY_IO_PROCESS_PRIVATE_H

#include "common/io/process.h"

/* process_start() with `in_fd` as the child's input. */
enum err_code process_start_with_input(const struct process_spec *spec, int in_fd, struct process **ret_process,
                                       struct error *reterr) MUST_CHECK;

/* Sleeps until `fd` is readable (true) or the time is over; signals do not cut it short. */
bool process_await_fd(int fd, int timeout_ms) MUST_CHECK;

#endif
