/* common/base/arena.h - memory with one lifetime, freed in one place.
 *
 * Name an arena by how long it lives (run, request, turn). Allocation bumps a pointer; nothing is freed alone;
 * arena_reset() keeps the first block. The byte budget is fixed at birth: past it arena_try_alloc() returns NULL, so
 * hostile input ends in an error. One thread. */
#ifndef ASSAY_BASE_ARENA_H
#define ASSAY_BASE_ARENA_H

#include "common/base/str.h"

struct arena_block;

struct arena {
	struct arena_block *first, *current;
	size_t used_bytes, budget_bytes;
};

void arena_init(struct arena *a, size_t budget_bytes); /* allocates nothing yet */
void arena_reset(struct arena *a);
void arena_done(struct arena *a);

void *arena_try_alloc(struct arena *a, size_t count, size_t size) MUST_CHECK; /* not zeroed; 16-aligned */
void *arena_new(struct arena *a, size_t count, size_t size) MUST_CHECK; /* zeroed; stops the program past the budget */
struct str arena_str(struct arena *a, struct str s);                    /* a copy, NUL-terminated (not counted) */
char *arena_c_str(struct arena *a, struct str s);                       /* the same as a C string */
struct str arena_printf(struct arena *a, const char *format, ...) PRINTF_LIKE(2, 3);

#endif
