/* coordinator/http/reason.h - why a run ended, for people: items by their ids, and figures as they stand now.
 *
 * The schedule knows items by number only and writes "... (items 4, 17 epoch 2 and 3 more)"; what it says of a
 * cancelled run ("cancelled with 72 of 1000 samples done") is of the moment before the last rows came in. */
#ifndef ASSAY_HTTP_REASON_H
#define ASSAY_HTTP_REASON_H

#include "coordinator/http/context.h"
#include "coordinator/store/runs.h"

enum { REASON_ITEMS_MAX = 16 };

/* The item numbers that the reason names; 0: none, or it is no reason of the schedule's. Pure. */
size_t reason_items(struct str reason, uint32_t out[REASON_ITEMS_MAX]);

/* The reason with ids[i] in the place of the i-th number, `done` samples of a cancelled run. Pure. */
struct str reason_text(struct arena *arena, struct str reason, const struct str *ids, size_t count, uint64_t done);

/* Looks the ids up; a number whose item cannot be read stays. `done`: samples that count. */
struct str reason_of(struct context *c, const struct run_row *run, uint64_t done);

#endif
