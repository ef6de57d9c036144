/* worker/main/metrics_server.h - GET /metrics and /healthz of a worker, for whoever watches it: Prometheus text over
 * HTTP.
 *
 * One thread, one connection at a time, each with an end; nothing that comes in is more than a path. No keys and no
 * text from suites or models are in the figures. Off unless an address is given: "IPv4:PORT" (port 0: any, the log says
 * which) or "unix:PATH" (made anew, mode 0600, removed at the end). */
#ifndef ASSAY_MAIN_METRICS_SERVER_H
#define ASSAY_MAIN_METRICS_SERVER_H

#include "common/base/error.h"
#include "common/base/str.h"
#include "common/io/metrics.h"

struct metrics_server;

/* ERR_INVALID: not an address; ERR_IO: it cannot be listened on. `metrics` is borrowed until metrics_server_stop(). */
enum err_code metrics_server_start(struct str where, struct metrics *metrics, struct metrics_server **ret_server,
                                   struct error *reterr) MUST_CHECK;
void metrics_server_stop(struct metrics_server *s); /* accepts NULL */

/* ---- pure ---- */

/* The whole answer to a request's first bytes; false: `out` is full. */
bool metrics_server_answer(struct str request, struct metrics *metrics, struct buf *out);

#endif
