/* coordinator/store/leader.h - which coordinator may write: a term in one row, a beat each second in another.
 *
 * A machine on a connection of its own, driven by leader_step(); it never waits. A candidate watches the beat of the
 * term it finds: when it was read unchanged over three seconds of its own successful reads (a failed read starts them
 * anew; the last of them is made when the three seconds are over, not some time later), or the leader stepped down, it
 * ends the sessions of older terms (application_name = assay/TERM), and sets term + 1. A leader writes its beat each
 * second with the database's clock; a beat that finds another term, or leader_lost() from a writer (leads = 0), ends
 * it. A leader whose database went away reconnects within 500 ms and beats before anything else; it stays leader, for
 * nobody else can have been told otherwise.
 *
 * Time is the shell's monotonic clock. One thread. */
#ifndef ASSAY_STORE_LEADER_H
#define ASSAY_STORE_LEADER_H

#include "coordinator/store/store.h"

enum { LEADER_BEAT_MS = 1000, LEADER_WATCH_MS = 3000 };

enum leader_state {
	LEADER_AWAY,    /* no database: see leader_error(); keeps trying */
	LEADER_STANDBY, /* another one leads, or may */
	LEADER_LEADS,   /* leader_term() is ours */
	LEADER_OVER,    /* another term was seen: stop; a new object may stand again */
};

struct leader_settings {
	struct store_settings store;
	struct str url, endpoint; /* of this coordinator: where standbys send people and workers; copied */
	struct str holder;        /* for people: host and process */
	bool standby; /* takes no term that is merely free when it comes: only one whose leader it has seen go, or one
	                 that nobody has taken within LEADER_WATCH_MS */
};

struct leader_view { /* of the term that is in force, as last read */
	uint64_t term;
	uint64_t timeline;
	struct str url, endpoint, holder; /* borrowed until the next step */
	int64_t seen_at_ms;               /* the database's clock */
};

struct leader;

enum err_code leader_new(const struct leader_settings *settings, struct leader **ret_leader,
                         struct error *reterr) MUST_CHECK;
void leader_free(struct leader *l); /* accepts NULL */

enum leader_state leader_step(struct leader *l, uint64_t now_ms);
enum leader_state leader_state(const struct leader *l);
uint64_t leader_term(const struct leader *l); /* ours, once it leads; else 0 */
struct leader_view leader_view(const struct leader *l);
const char *leader_error(const struct leader *l);     /* why it is away, or what went wrong last; "" */
uint64_t leader_last_beat_ms(const struct leader *l); /* when our last beat was committed, on the shell's clock */
uint64_t leader_next_deadline_ms(const struct leader *l);
int leader_fd(const struct leader *l); /* -1: only the deadline */
short leader_events(const struct leader *l);
void leader_wait(const struct leader *l, int wake_fd, uint64_t now_ms);

void leader_lost(struct leader *l); /* a writer was told leads = 0 */
/* Orderly end: says so in the beat, so that a standby need not wait. Waits up to 1 s. */
void leader_step_down(struct leader *l);

#endif
