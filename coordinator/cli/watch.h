/* coordinator/cli/watch.h - follows a run to its end: one redrawn line on a terminal, else a line each ten seconds. */
#ifndef ASSAY_CLI_WATCH_H
#define ASSAY_CLI_WATCH_H

#include "coordinator/cli/api.h"

enum { WATCH_STATE_BYTES = 32, WATCH_LINE_BYTES = 240 };

struct watch_end {
	char state[WATCH_STATE_BYTES];
	bool interrupted;
	int signal;
	char stuck[WATCH_LINE_BYTES]; /* why nobody can serve the run; empty: not given up */
};

/* Until the run has ended, or a signal. A server that goes away is waited for: the run goes on without us. With
 * `stuck_ms` a run that nobody could serve for so long is given up (it goes on waiting by itself); 0: never. */
enum err_code watch_run(struct cli *c, struct api *a, uint64_t run_id, uint32_t stuck_ms, struct watch_end *ret_end,
                        struct error *reterr) MUST_CHECK;

/* `[####----] 412/1000  41%  3.1/s  ETA 3m10s  err 2  $0.84` of a run document; pure. */
void watch_line(const struct json *run, char out[WATCH_LINE_BYTES]);

bool watch_is_stuck(struct str cause); /* a wait that nothing ends but somebody's doing */

enum { WATCH_DURATION_BYTES = 24 };
void watch_duration(int64_t ms, char out[WATCH_DURATION_BYTES]); /* "9s", "3m10s", "2h05m" */

/* The exit status of a run that ended in this state. */
enum cli_exit watch_exit(const char *state);

#endif
