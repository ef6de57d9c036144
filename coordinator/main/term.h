/* coordinator/main/term.h - everything that lives as long as one leadership: writers, core, loader, analysis.
 *
 * term_begin() starts them in this order; workers are let in once the loader has read what is unfinished and main has
 * said term_open(), which it does when events of the fleet find their way here. term_free() stops them in reverse. A
 * process leads once: when its term is over it leaves, and whoever watches over it starts a new one, which stands by.
 * Called from main's thread; `lost` comes from a writer's. */
#ifndef ASSAY_MAIN_TERM_H
#define ASSAY_MAIN_TERM_H

#include "coordinator/fleet/fleet.h"
#include "coordinator/http/control.h"
#include "coordinator/store/store.h"

struct term;

struct term_settings {
	struct store_settings store;
	uint64_t term, timeline, seed;
	struct fleet *fleet;
	struct metrics *metrics;
	void (*lost)(void *arg); /* this term is over; any thread */
	void *arg;
};

enum err_code term_begin(const struct term_settings *settings, struct term **ret_term, struct error *reterr) MUST_CHECK;
void term_open(struct term *t);                     /* term_deliver() can be called from now on: workers may come */
void term_drain(struct term *t);                    /* lends nothing more */
void term_leads(struct term *t, uint64_t until_ms); /* by our beat; past that time nothing is lent */
bool term_quiet(struct term *t);                    /* everything that came in is durable */
void term_halt(struct term *t);         /* the core acts no more: then the fleet, which it acts on, may stop */
void term_stop_threads(struct term *t); /* after the fleet has stopped, since its events come here */
void term_free(struct term *t);         /* accepts NULL */

/* The fleet's events come here (its `deliver`); before and after a term they are dropped. */
void term_deliver(struct term *t, struct fleet_event *event);

/* For struct control. */
enum err_code term_run_changed(struct term *t, uint64_t run_id, enum control_change change,
                               struct error *reterr) MUST_CHECK;
enum err_code term_routes_changed(struct term *t, struct error *reterr) MUST_CHECK;
enum err_code term_look(struct term *t, uint64_t run_id, struct arena *arena, struct control_view *ret_view,
                        struct error *reterr) MUST_CHECK;

#endif
