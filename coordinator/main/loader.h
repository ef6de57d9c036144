/* coordinator/main/loader.h - the thread that reads the database for the core: runs, their bits, items ahead.
 *
 * At the begin of a term it reads everything that is unfinished and hands it to the core before any worker is let in;
 * afterwards it reads runs that the API has made or changed, and items when the schedule asks. A database that is away
 * is waited for. Requests from any thread; they never wait. */
#ifndef ASSAY_MAIN_LOADER_H
#define ASSAY_MAIN_LOADER_H

#include "coordinator/http/control.h"
#include "coordinator/main/core.h"
#include "coordinator/store/store.h"

struct loader;

struct loader_settings {
	struct store_settings store;
	uint64_t term;
	struct core *core;
	void (*ready)(void *arg); /* everything of this term is in the core: workers may come */
	void *arg;
};

enum err_code loader_start(const struct loader_settings *settings, struct loader **ret_loader,
                           struct error *reterr) MUST_CHECK;
void loader_stop(struct loader *l); /* accepts NULL */

bool loader_items(struct loader *l, uint64_t run_id, uint64_t from, uint64_t to) MUST_CHECK; /* false: no room now */
bool loader_run_needed(struct loader *l, uint64_t run_id) MUST_CHECK;

/* Reads the run's row and tells the core; then pushes a CORE_SAID message to `reply` by way of the core, with err set
 * when the run could not be read. False: no room. */
bool loader_run_changed(struct loader *l, uint64_t run_id, enum control_change change, struct ring *reply) MUST_CHECK;
bool loader_routes_changed(struct loader *l, struct ring *reply) MUST_CHECK;

#endif
