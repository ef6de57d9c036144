/* coordinator/main/core.h - the thread that owns the schedule: messages in, actions out, nothing that can wait.
 *
 * Everything that happens reaches the schedule through one inbox; what the schedule wants done goes to the fleet, the
 * writers and the loader. A ring that is full is not waited for: what was meant for it is kept here, in order, until
 * there is room (what can be outstanding is bounded by windows, credit and read-ahead).
 *
 * Content: items are read ahead by ranges and kept here from ITEMS until the schedule drops them.
 * core_push() from any thread; a message belongs to the core once it was pushed. */
#ifndef ASSAY_MAIN_CORE_H
#define ASSAY_MAIN_CORE_H

#include "common/io/ring.h"
#include "coordinator/fleet/fleet.h"
#include "coordinator/http/control.h"
#include "coordinator/schedule/schedule.h"

struct core;
struct writers;
struct loader;

enum core_message_kind {
	CORE_EVENT = 1, /* ev as it stands */
	CORE_FLEET,     /* a fleet event other than results */
	CORE_ITEMS,     /* ev ITEMS_LOADED with `items`, the content */
	CORE_ADMIT,     /* ev RUN_ADMIT with `context` */
	CORE_COMMITTED, /* ev COMMITTED; `fleet` (may be NULL): results that are durable as a whole now */
	CORE_LOOK,      /* fills view and pushes itself to `reply` */
	CORE_SAID,      /* pushes itself to `reply`: everything pushed before it has been taken in */
};

struct core_message {
	enum core_message_kind kind;
	struct sched_event ev; /* now_ms is filled in; points into `arena` */
	struct fleet_event *fleet;
	const struct str *items;
	struct str context;
	uint64_t run_id; /* LOOK */
	struct control_view view;
	enum err_code err; /* LOOK, SAID: of whoever answers */
	struct error error;
	struct ring *reply;
	struct arena arena;
};
struct core_message *core_message_new(enum core_message_kind kind);
void core_message_free(struct core_message *m); /* accepts NULL */

struct core_settings {
	struct sched_config schedule;
	struct fleet *fleet;
	struct writers *writers;
	struct loader *loader;
	struct metrics *metrics;
};

enum err_code core_new(struct core **ret_core, struct error *reterr) MUST_CHECK; /* takes messages at once */
enum err_code core_start(struct core *c, const struct core_settings *settings, struct error *reterr) MUST_CHECK;
void core_halt(struct core *c); /* ends the thread: nothing is done any more, core_push() fails; accepts NULL */
void core_free(struct core *c); /* after the fleet, which pushes; accepts NULL */
/* Waits for room: the core always drains. False: it has stopped; the message is still the caller's. */
bool core_push(struct core *c, struct core_message *m) MUST_CHECK;

#endif
