/* coordinator/main/writers.h - the threads that write: two store/writer machines, each with its inbox.
 *
 * Results come straight from the fleet, the schedule's own rows and jobs from the core; all records of a run go to one
 * writer. What is durable is told to the core, which tells the schedule first and then the worker. A writer that finds
 * its term over calls `lost` once and hands nothing back any more. Pushing never waits; from any thread. */
#ifndef ASSAY_MAIN_WRITERS_H
#define ASSAY_MAIN_WRITERS_H

#include "coordinator/main/core.h"
#include "coordinator/store/writer.h"

struct writers;

struct writers_settings {
	struct store_settings store;
	uint64_t term;
	struct core *core; /* borrowed */
	struct metrics *metrics;
	void (*lost)(void *arg);                               /* in a writer's thread */
	void (*ended)(void *arg, uint64_t run_id, bool ended); /* a run's state is durable */
	void *arg;
};

enum err_code writers_start(const struct writers_settings *settings, struct writers **ret_writers,
                            struct error *reterr) MUST_CHECK;
void writers_stop(struct writers *w); /* after the fleet and the core: drops what is not durable; accepts NULL */

/* Results of a worker: the event comes back inside a CORE_COMMITTED. False: no room; the event is still the caller's.
 */
bool writers_add_results(struct writers *w, struct fleet_event *event) MUST_CHECK;

/* Rows and jobs of the schedule. `records` and their texts are in `arena`, which is taken over; all of them are of runs
 * with the same writers_index(). */
uint32_t writers_index(uint64_t run_id);
bool writers_add_records(struct writers *w, struct outbox_id outbox, const struct msg_record *records, size_t count,
                         struct arena *arena) MUST_CHECK;
bool writers_add_job(struct writers *w, const struct writer_job *job, uint64_t run_id, struct arena *arena) MUST_CHECK;

bool writers_idle(const struct writers *w); /* nothing waits to be written, as far as each writer last said */

#endif
