/* worker/host/host.h - model servers as child processes: started when a sample wants one, watched, restarted, stopped.
 *
 *   DOWN --HOST_WANTED--> STARTING --healthy--> UP --ended--> BACKOFF --> STARTING ...
 *                                  --not healthy in time, or ended--> BACKOFF
 *
 * One thread owns all children. A server gets a free port of 127.0.0.1; {port} and {slots} in its arguments become that
 * port and the slots that the model file asks for. Each net thread hears HOST whenever one is up, with its address and
 * identity (a hash of what the server says that it serves), and when it has failed. Children are process groups, write
 * to <state>/host-NAME.log (the last 16 MiB, and once as much in host-NAME.log.1), and die with the worker, however it
 * dies. Of a machine that is out of memory they are taken first; memory_bytes_max makes a server alone fail before
 * that. Backoff doubles from 1 s to 60 s, to 4 s for a server that was up, and is forgotten after a minute in good
 * health. */
#ifndef ASSAY_HOST_HOST_H
#define ASSAY_HOST_HOST_H

#include "common/base/error.h"
#include "common/base/str.h"
#include "common/io/metrics.h"
#include "common/io/ring.h"

struct host;

struct host_command { /* borrowed for the thread's life */
	struct str name;
	const char *path;
	const char *const *args;   /* NULL-terminated, without the program */
	const char *const *env;    /* "NAME=value", NULL-terminated; may be NULL */
	uint64_t memory_bytes_max; /* writable private memory of each of its processes; 0: no limit */
};

struct host_mail { /* what a HOST_WANTED says, and what is told back; main turns them from and to mails */
	struct str command, health;
	uint32_t ready_ms, slots;
};

struct host_told {
	struct str command, base_url; /* base_url empty: not up */
	struct str text;              /* identity, or why it is not up */
	bool failed;
};

struct host_options {
	const struct host_command *commands;
	size_t command_count;
	const char *state_dir;
	struct ring *inbox;                                      /* messages that read_mail understands */
	void (*read_mail)(void *message, struct host_mail *out); /* views; the message stays whole until free_mail */
	void (*free_mail)(void *message);
	void (*tell)(void *arg, const struct host_told *told); /* called by the host thread; must not block */
	void *arg;
	const char *const
		*env_drop;       /* names that no child inherits: the keys' variables; NULL-terminated, may be NULL */
	struct metrics *metrics; /* NULL: none */
};

enum err_code host_start(const struct host_options *options, struct host **ret_host, struct error *reterr) MUST_CHECK;
void host_join(struct host *h); /* after ring_close(inbox): SIGTERM to all, SIGKILL after a grace; accepts NULL */

#endif
