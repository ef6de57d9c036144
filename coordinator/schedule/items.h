/* coordinator/schedule/items.h - which items of a run are read, asked for, or may go. Private to this folder.
 *
 * The shell keeps the content; here are only sizes. Items are read in parts ahead of what goes out next (returned
 * samples, the gap, the main span), so many and so large as the window allows; a part goes when its span has passed it.
 * A suite that fits into the window stays until nothing of the run is pending. Parts never overlap. */
#ifndef ASSAY_SCHEDULE_ITEMS_H
#define ASSAY_SCHEDULE_ITEMS_H

#include "coordinator/schedule/state.h"

/* The bytes of a sample's item; false: not here (yet). */
bool items_size(struct run *r, uint64_t sample_no, uint32_t *ret_bytes);

void items_loaded(struct schedule *s, uint64_t run_id, uint64_t from, uint64_t to, const uint32_t *sizes,
                  struct sched_actions *out);

/* Drops what has been sent and asks for what comes next. */
void items_refresh(struct schedule *s, struct run *r, struct sched_actions *out);
bool items_wait(const struct run *r); /* something was asked for and has not come */
void items_drop_all(struct run *r, struct sched_actions *out);
void items_done(struct run *r); /* frees without a word */

#endif
