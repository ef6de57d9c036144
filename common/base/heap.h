/* common/base/heap.h - a binary min-heap of (key, id) pairs whose members can be moved and removed by id.
 *
 * Ties go to the smaller id, so equal contents pop in equal order. Owns its memory; one thread. For timers: key is a
 * time in ms, id names what is due. */
#ifndef ASSAY_BASE_HEAP_H
#define ASSAY_BASE_HEAP_H

#include "common/base/map.h"

struct heap_item {
	uint64_t key, id;
};

struct heap {
	struct heap_item *items;
	size_t len, cap;
	struct map place; /* id -> index */
};

void heap_init(struct heap *h);
void heap_done(struct heap *h);
void heap_put(struct heap *h, uint64_t id, uint64_t key); /* adds, or moves to the new key */
bool heap_remove(struct heap *h, uint64_t id);
bool heap_key(const struct heap *h, uint64_t id, uint64_t *ret_key); /* false when it is not in the heap */
bool heap_min(const struct heap *h, struct heap_item *ret_item);     /* false when empty */
bool heap_pop(struct heap *h, struct heap_item *ret_item);

#endif
