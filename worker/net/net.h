/* worker/net/net.h - a net thread: the samples pinned to it, their asks over HTTP, what becomes of them.
 *
 * It carries out what exec decides. Each turn: mails in, exec steps, the asks of the turn written to the ask log with
 * one write, and only then started; answers read, cleaned of every key, and fed back. Keys are added to a request at
 * the last moment. Rules of worker.yaml are asked before a byte leaves. A sample whose model is served by a command of
 * this worker waits here until that server is up.
 *
 * In:  START RESUME CANCEL (link), KEPT ADOPT (outbox), SCORED (score), HOST (host).
 * Out: ASK_ENDED TURNED (link), KEEP (outbox), SCORE (score), HOST_WANTED (host). */
#ifndef ASSAY_NET_NET_H
#define ASSAY_NET_NET_H

#include "common/base/error.h"
#include "common/io/ring.h"
#include "worker/exec/exec.h"
#include "worker/net/rules.h"

struct net_ask { /* an ask about to begin */
	struct exec_key key;
	uint64_t ask_id;
	int64_t at_ms;
	uint32_t attempt_count;
};

struct net_ask_log { /* where begins and ends of asks are written; called by the net thread alone */
	void *arg;
	void (*begin)(void *arg, const struct net_ask *ask);
	void (*end)(void *arg, uint64_t ask_id);
	enum err_code (*flush)(void *arg,
	                       struct error *reterr); /* nothing noted before is started unless this succeeds */
};

struct net_options { /* borrowed for the thread's life */
	uint32_t index;
	struct ring *inbox, *link, *outbox, *score, *host;
	const struct rules *rules;
	struct net_ask_log ask_log;
	const char *ca_file; /* NULL: the system's */
	uint64_t seed;       /* of ask ids and jitter: random */
};

struct net;

enum err_code net_start(const struct net_options *options, struct net **ret_net, struct error *reterr) MUST_CHECK;
void net_join(struct net *n); /* after ring_close(inbox) and after the score threads; accepts NULL */

#endif
