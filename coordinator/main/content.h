/* coordinator/main/content.h - items read ahead of dispatch, by run and range, until the schedule drops them.
 *
 * Owned by the core's thread. Bounded by the schedule's windows (4,096 items and 8 MiB a run). */
#ifndef ASSAY_MAIN_CONTENT_H
#define ASSAY_MAIN_CONTENT_H

#include "common/base/arena.h"
#include "common/base/hash.h"
#include "common/base/map.h"

struct content {
	struct map runs; /* run id -> struct content_run */
};

void content_init(struct content *c);
void content_done(struct content *c);

/* Takes the arena that `items` stand in; item i is number from + i. */
void content_add(struct content *c, uint64_t run_id, uint64_t from, uint64_t to, const struct str *items,
                 struct arena *arena);
void content_drop(struct content *c, uint64_t run_id, uint64_t from, uint64_t to);
bool content_item(struct content *c, uint64_t run_id, uint64_t item_no, struct str *ret_item);

void content_set_context(struct content *c, uint64_t run_id, struct str context); /* copied */
struct str content_context(const struct content *c, uint64_t run_id, struct hash *ret_hash);
void content_forget(struct content *c, uint64_t run_id);

#endif
