/* worker/link/link_metrics.h - what the agent knows of itself, as metrics of the process.
 *
 * Made once at start, fed by the link thread: gauges and running counts once a second, the end of each ask as it comes.
 * Without a register everything here does nothing. */
#ifndef ASSAY_LINK_LINK_METRICS_H
#define ASSAY_LINK_LINK_METRICS_H

#include "common/io/metrics.h"
#include "worker/agent/agent.h"

struct link_metrics;

struct link_metrics *link_metrics_new(struct metrics *reg); /* borrowed; NULL gives NULL */
void link_metrics_free(struct link_metrics *m);             /* accepts NULL, as do the others */
void link_metrics_show(struct link_metrics *m, const struct agent_status *s, const struct agent_vitals *v);
/* CLASS_NONE: answered; elapsed_ms 0: no call was made. */
void link_metrics_ask_ended(struct link_metrics *m, enum error_class class, uint32_t elapsed_ms);

#endif
