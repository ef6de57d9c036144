#include "common/base/map.h"
#include "common/base/check.h"
#include "common/base/mem.h"
#include "common/base/rng.h"
#include <string.h>

struct header {
	uint64_t hash;
	char *bytes; /* owned copy; NULL for numbers */
	uint64_t number_or_len;
	bool live, is_number;
};

static size_t entry_size(const struct map *m)
{
	return sizeof(struct header) + ((m->value_size + 15) & ~(size_t)15);
}

static struct header *entry_at(const struct map *m, size_t i)
{
	return (struct header *)(void *)(m->entries + i * entry_size(m));
}

static void *value_of(struct header *h)
{
	return h + 1;
}

void map_init(struct map *m, size_t value_size)
{
	*m = (struct map){ .value_size = value_size };
}

void map_clear(struct map *m)
{
	for (size_t i = 0; i < m->entry_count; i++)
		if (entry_at(m, i)->live)
			mem_free(entry_at(m, i)->bytes);
	m->len = 0;
	m->entry_count = 0;
	if (m->slots)
		memset(m->slots, 0, m->slot_count * sizeof(*m->slots));
}

void map_done(struct map *m)
{
	map_clear(m);
	mem_free(m->entries);
	mem_free(m->slots);
	map_init(m, m->value_size);
}

/* Keys come from outside, so equal hashes must not be easy to make: the seed is where the first slots happened to be
 * put. Nothing but time depends on it, since walks go by insertion. */
static uint64_t hash_bytes(const struct map *m, struct str key)
{
	uint64_t h = rng_mix(m->seed ^ key.len);
	size_t i = 0;
	for (; i + 8 <= key.len; i += 8) {
		uint64_t word;
		memcpy(&word, key.data + i, 8);
		h = rng_mix(h ^ word);
	}
	uint64_t tail = 0;
	if (i < key.len)
		memcpy(&tail, key.data + i, key.len - i);
	return rng_mix(h ^ tail);
}

static uint64_t hash_number(const struct map *m, uint64_t key)
{
	return rng_mix(m->seed ^ rng_mix(key));
}

static bool same_key(const struct header *h, uint64_t hash, bool is_number, uint64_t number, struct str bytes)
{
	if (!h->live || h->hash != hash || h->is_number != is_number)
		return false;
	if (is_number)
		return h->number_or_len == number;
	return h->number_or_len == bytes.len && (bytes.len == 0 || memcmp(h->bytes, bytes.data, bytes.len) == 0);
}

static void place(struct map *m, size_t i)
{
	size_t mask = m->slot_count - 1;
	size_t at = (size_t)entry_at(m, i)->hash & mask;
	while (m->slots[at])
		at = (at + 1) & mask;
	m->slots[at] = (uint32_t)i + 1;
}

/* Closes holes and rebuilds the slots for at least `want` entries. */
static void rebuild(struct map *m, size_t want)
{
	size_t kept = 0;
	for (size_t i = 0; i < m->entry_count; i++) {
		if (!entry_at(m, i)->live)
			continue;
		if (i != kept)
			memcpy(entry_at(m, kept), entry_at(m, i), entry_size(m));
		kept++;
	}
	m->entry_count = kept;
	size_t slot_count = 16;
	while (slot_count < want * 2)
		slot_count *= 2;
	check(slot_count < UINT32_MAX);
	if (slot_count > m->slot_count) {
		m->slots = mem_grow(m->slots, slot_count, sizeof(*m->slots));
		m->slot_count = slot_count;
	}
	check(m->slots != NULL);
	memset(m->slots, 0, m->slot_count * sizeof(*m->slots));
	for (size_t i = 0; i < kept; i++)
		place(m, i);
}

static struct header *find(const struct map *m, uint64_t hash, bool is_number, uint64_t number, struct str bytes)
{
	if (m->slot_count == 0)
		return NULL;
	size_t mask = m->slot_count - 1;
	for (size_t at = (size_t)hash & mask; m->slots[at]; at = (at + 1) & mask) {
		struct header *h = entry_at(m, m->slots[at] - 1);
		if (same_key(h, hash, is_number, number, bytes))
			return h;
	}
	return NULL;
}

static void *put(struct map *m, uint64_t hash, bool is_number, uint64_t number, struct str bytes, bool *ret_is_new)
{
	struct header *h = find(m, hash, is_number, number, bytes);
	if (ret_is_new)
		*ret_is_new = h == NULL;
	if (h)
		return value_of(h);
	if ((m->entry_count + 1) * 2 > m->slot_count)
		rebuild(m, (m->len + 1) * 2);
	mem_reserve(&m->entries, &m->entry_cap, m->entry_count + 1, entry_size(m));
	h = entry_at(m, m->entry_count);
	memset(h, 0, entry_size(m));
	*h = (struct header){ .hash = hash, .live = true, .is_number = is_number, .number_or_len = number };
	if (!is_number) {
		h->number_or_len = bytes.len;
		h->bytes = mem_new(bytes.len + 1, 1);
		if (bytes.len)
			memcpy(h->bytes, bytes.data, bytes.len);
	}
	place(m, m->entry_count++);
	m->len++;
	return value_of(h);
}

static bool remove_entry(struct map *m, struct header *h)
{
	if (!h)
		return false;
	mem_free(h->bytes); /* the slot keeps pointing at the hole, so that probing goes on past it */
	h->bytes = NULL;
	h->live = false;
	m->len--;
	return true;
}

/* Before the first hash of a map is taken. */
static void begin(struct map *m)
{
	if (m->slots)
		return;
	rebuild(m, 0);
	m->seed = rng_mix((uint64_t)(uintptr_t)m->slots);
}

void *map_put(struct map *m, struct str key, bool *ret_is_new)
{
	begin(m);
	return put(m, hash_bytes(m, key), false, 0, key, ret_is_new);
}

void *map_get(const struct map *m, struct str key)
{
	struct header *h = find(m, hash_bytes(m, key), false, 0, key);
	return h ? value_of(h) : NULL;
}

bool map_remove(struct map *m, struct str key)
{
	return remove_entry(m, find(m, hash_bytes(m, key), false, 0, key));
}

void *map_put_u64(struct map *m, uint64_t key, bool *ret_is_new)
{
	begin(m);
	return put(m, hash_number(m, key), true, key, (struct str){ 0 }, ret_is_new);
}

void *map_get_u64(const struct map *m, uint64_t key)
{
	struct header *h = find(m, hash_number(m, key), true, key, (struct str){ 0 });
	return h ? value_of(h) : NULL;
}

bool map_remove_u64(struct map *m, uint64_t key)
{
	return remove_entry(m, find(m, hash_number(m, key), true, key, (struct str){ 0 }));
}

static struct header *next(const struct map *m, size_t *at)
{
	while (*at < m->entry_count) {
		struct header *h = entry_at(m, (*at)++);
		if (h->live)
			return h;
	}
	return NULL;
}

void *map_next(const struct map *m, size_t *at, struct str *ret_key)
{
	struct header *h = next(m, at);
	if (!h)
		return NULL;
	if (ret_key)
		*ret_key = (struct str){ h->bytes, (size_t)h->number_or_len };
	return value_of(h);
}

void *map_next_u64(const struct map *m, size_t *at, uint64_t *ret_key)
{
	struct header *h = next(m, at);
	if (!h)
		return NULL;
	if (ret_key)
		*ret_key = h->number_or_len;
	return value_of(h);
}
