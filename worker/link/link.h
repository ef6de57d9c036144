/* worker/link/link.h - the thread that speaks with coordinators: DEALER sockets, and the agent that decides.
 *
 * Each turn: frames and mails become agent events, then one agent_turn(), then its actions are carried out: sockets
 * opened and closed, frames encoded and sent, samples handed to net threads, records and marks to the outbox.
 *
 * In:  ASK_ENDED TURNED (net), TURNED (score), RECORD OUTBOX (outbox), DRAIN (main).
 * Out: START RESUME CANCEL (net), TRIM LOAD REOPEN FETCH (outbox), DRAINED (main). */
#ifndef ASSAY_LINK_LINK_H
#define ASSAY_LINK_LINK_H

#include "common/io/keys.h"
#include "common/io/metrics.h"
#include "common/io/ring.h"
#include "common/io/zsock.h"
#include "worker/agent/agent.h"

struct link;

struct link_options {              /* borrowed for the thread's life */
	struct agent_config agent; /* its `endpoints` are what is connected to; NUL-terminated */
	struct zsock_context *context;
	const struct keys_pair *pair;
	struct keys_public server_key;
	struct ring *inbox, *main, *outbox;
	struct ring *const *nets; /* agent.net_count of them */
	struct metrics *metrics;  /* NULL: none */
};

enum err_code link_start(const struct link_options *options, struct link **ret_link, struct error *reterr) MUST_CHECK;
void link_join(struct link *l); /* after ring_close(inbox): closes its sockets at once; accepts NULL */

#endif
