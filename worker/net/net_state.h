/* worker/net/net_state.h - a net thread from inside; only net*.c includes it. One thread. */
#ifndef ASSAY_NET_NET_STATE_H
#define ASSAY_NET_NET_STATE_H

#include "common/base/map.h"
#include "common/io/http_client.h"
#include "common/io/outgoing.h"
#include "worker/exec/mail.h"
#include "worker/net/net.h"

struct net_host {                               /* a command of this worker, as its last HOST mail told */
	struct str command, base_url, identity; /* base_url empty: it is not up */
	bool wanted;                            /* said so since it was last down */
};

struct net_sample {
	uint64_t id;
	struct exec *exec;
	bool parked;            /* has a slot, waits for its server */
	bool in_http;           /* the transfer is under way */
	bool pending;           /* the ask waits for the ask log */
	bool logged;            /* its begin is noted */
	struct exec_action ask; /* while pending */
	uint32_t elapsed_ms;    /* of the call that has just come back, else 0 */
};

struct net {
	struct net_options options;
	struct thread *thread;
	struct http_client *http;
	struct exec_runs runs;
	struct rng rng;
	struct map samples; /* id -> struct net_sample * */
	struct map hosts;   /* command -> struct net_host * */
	uint64_t *pending;  /* sample ids whose ask is to be logged and started */
	size_t pending_count, pending_cap;
	uint64_t parked_count;
	uint64_t log_retry_at_ms;
	bool log_failing;
	struct outgoing link, outbox, score, host;
	bool link_full; /* at the last flush */
	uint64_t now_ms, turned_ms;
	int64_t wall_ms;
	struct buf headers; /* scratch: the header lines of one request */
	const char **header_list;
	size_t header_cap;
};

/* ---- net.c ---- */
void net_feed(struct net *n, struct net_sample *s, struct exec_event *ev); /* may free the sample; so may net_do() */
void net_do(struct net *n, struct net_sample *s, const struct exec_action *actions, size_t count);

/* ---- net_ask.c ---- */
void net_ask(struct net *n, struct net_sample *s, const struct exec_action *ask); /* checked, then pending */
void net_start_pending(struct net *n);
void net_cancel(struct net *n, struct net_sample *s);
void net_answered(struct net *n, struct http_done *done); /* frees what it holds */

/* ---- net_host.c ---- */
void net_slot(struct net *n, struct net_sample *s); /* the sample has a slot: now, or once its server is up */
void net_on_host(struct net *n, const struct mail *m);
void net_unpark(struct net *n, struct net_sample *s); /* it is cancelled */
struct net_host *net_host_of(struct net *n, struct str command);
void net_hosts_free(struct net *n);

#endif
