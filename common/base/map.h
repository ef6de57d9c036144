/* common/base/map.h - a hash map from bytes or 64-bit numbers to values of one size, iterated in insertion order.
 *
 * Entries stand in an array in the order in which they came; a removed one leaves a hole that map_next() steps over
 * and that compaction closes when holes outnumber entries. A value's address is good until the next map_put() or
 * map_remove(). Keys are copied. One thread. */
#ifndef ASSAY_BASE_MAP_H
#define ASSAY_BASE_MAP_H

#include "common/base/str.h"

struct map {
	size_t value_size;
	char *entries;   /* entry: header, value */
	uint32_t *slots; /* index + 1 into entries; 0 is empty */
	size_t len;      /* live entries */
	size_t entry_count, entry_cap, slot_count;
	uint64_t seed; /* of the hash; changes time only, never an order */
};

void map_init(struct map *m, size_t value_size); /* allocates nothing yet */
void map_done(struct map *m);
void map_clear(struct map *m);

/* The value under the key, zeroed if it was not there (*ret_is_new says; may be NULL). */
void *map_put(struct map *m, struct str key, bool *ret_is_new);
void *map_get(const struct map *m, struct str key); /* NULL when absent */
bool map_remove(struct map *m, struct str key);

/* The same with a number as the key; one map uses one kind of key. */
void *map_put_u64(struct map *m, uint64_t key, bool *ret_is_new);
void *map_get_u64(const struct map *m, uint64_t key);
bool map_remove_u64(struct map *m, uint64_t key);

/* Walk: for (size_t at = 0; (value = map_next(&m, &at, &key)) != NULL;). Removing the value just handed back is
 * allowed; putting is not. */
void *map_next(const struct map *m, size_t *at, struct str *ret_key);
void *map_next_u64(const struct map *m, size_t *at, uint64_t *ret_key);

#endif
