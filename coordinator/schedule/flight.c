#include "coordinator/schedule/flight.h"
#include "common/base/check.h"
#include "common/base/mem.h"
#include "common/base/rng.h"

struct flight_block {
	uint32_t lease[FLIGHT_BLOCK_SAMPLES]; /* slot + 1; 0: not out */
	uint16_t index[FLIGHT_BLOCK_SAMPLES];
	uint32_t count;
	uint32_t next_free; /* + 1 */
};

void flight_init(struct flight *f)
{
	*f = (struct flight){ 0 };
}

void flight_done(struct flight *f)
{
	for (size_t i = 0; i < f->chunk_count; i++)
		mem_free(f->chunks[i]);
	mem_free(f->chunks);
	mem_free(f->entries);
	flight_init(f);
}

static uint64_t key_of(uint32_t run, uint64_t sample_no)
{
	return (uint64_t)run << (64 - FLIGHT_RUN_BITS) | sample_no / FLIGHT_BLOCK_SAMPLES;
}

static struct flight_block *block_at(const struct flight *f, uint32_t block)
{
	return &f->chunks[(block - 1) / FLIGHT_CHUNK_BLOCKS][(block - 1) % FLIGHT_CHUNK_BLOCKS];
}

static size_t slot_of(const struct flight *f, uint64_t key)
{
	size_t mask = f->entry_cap - 1;
	size_t at = (size_t)rng_mix(key) & mask;
	while (f->entries[at].block && f->entries[at].key != key)
		at = (at + 1) & mask;
	return at;
}

static struct flight_block *find(struct flight *f, uint64_t key)
{
	if (f->last_block && f->last_key == key)
		return block_at(f, f->last_block);
	if (f->entry_cap == 0)
		return NULL;
	uint32_t block = f->entries[slot_of(f, key)].block;
	if (!block)
		return NULL;
	f->last_key = key;
	f->last_block = block;
	return block_at(f, block);
}

static void grow(struct flight *f)
{
	struct flight_entry *old = f->entries;
	size_t old_cap = f->entry_cap;
	f->entry_cap = old_cap ? old_cap * 2 : 64;
	f->entries = mem_new(f->entry_cap, sizeof(*f->entries));
	for (size_t i = 0; i < old_cap; i++)
		if (old[i].block)
			f->entries[slot_of(f, old[i].key)] = old[i];
	mem_free(old);
}

static uint32_t block_take(struct flight *f)
{
	if (!f->free_block) {
		struct flight_block *chunk = mem_new(FLIGHT_CHUNK_BLOCKS, sizeof(*chunk));
		mem_reserve(&f->chunks, &f->chunk_cap, f->chunk_count + 1, sizeof(struct flight_block *));
		f->chunks[f->chunk_count++] = chunk;
		uint32_t first = (uint32_t)((f->chunk_count - 1) * FLIGHT_CHUNK_BLOCKS) + 1;
		for (uint32_t i = FLIGHT_CHUNK_BLOCKS; i-- > 0;) {
			chunk[i].next_free = f->free_block;
			f->free_block = first + i;
		}
	}
	uint32_t block = f->free_block;
	f->free_block = block_at(f, block)->next_free;
	return block;
}

/* Closes the hole at `at` by moving later entries of the same probe run forward. */
static void entry_remove(struct flight *f, size_t at)
{
	size_t mask = f->entry_cap - 1;
	for (size_t next = (at + 1) & mask; f->entries[next].block; next = (next + 1) & mask) {
		size_t home = (size_t)rng_mix(f->entries[next].key) & mask;
		if (((next - home) & mask) < ((next - at) & mask))
			continue; /* it would move to before its home */
		f->entries[at] = f->entries[next];
		at = next;
	}
	f->entries[at].block = 0;
	f->entry_count--;
}

void flight_put(struct flight *f, uint32_t run, uint64_t sample_no, struct flight_ref ref)
{
	uint64_t key = key_of(run, sample_no);
	struct flight_block *b = find(f, key);
	if (!b) {
		if ((f->entry_count + 1) * 2 > f->entry_cap)
			grow(f);
		uint32_t block = block_take(f);
		f->entries[slot_of(f, key)] = (struct flight_entry){ key, block };
		f->entry_count++;
		f->last_key = key;
		f->last_block = block;
		b = block_at(f, block);
	}
	size_t i = sample_no % FLIGHT_BLOCK_SAMPLES;
	check_msg(b->lease[i] == 0, "sample %llu is out twice", (unsigned long long)sample_no);
	b->lease[i] = ref.lease + 1;
	b->index[i] = (uint16_t)ref.index;
	b->count++;
}

bool flight_get(struct flight *f, uint32_t run, uint64_t sample_no, struct flight_ref *ret_ref)
{
	const struct flight_block *b = find(f, key_of(run, sample_no));
	size_t i = sample_no % FLIGHT_BLOCK_SAMPLES;
	if (!b || b->lease[i] == 0)
		return false;
	*ret_ref = (struct flight_ref){ b->lease[i] - 1, b->index[i] };
	return true;
}

void flight_move(struct flight *f, uint32_t run, uint64_t sample_no, struct flight_ref ref)
{
	struct flight_block *b = find(f, key_of(run, sample_no));
	size_t i = sample_no % FLIGHT_BLOCK_SAMPLES;
	check(b && b->lease[i]);
	b->lease[i] = ref.lease + 1;
	b->index[i] = (uint16_t)ref.index;
}

bool flight_remove(struct flight *f, uint32_t run, uint64_t sample_no)
{
	uint64_t key = key_of(run, sample_no);
	struct flight_block *b = find(f, key);
	size_t i = sample_no % FLIGHT_BLOCK_SAMPLES;
	if (!b || b->lease[i] == 0)
		return false;
	b->lease[i] = 0;
	if (--b->count == 0) {
		b->next_free = f->free_block;
		f->free_block = f->last_block;
		f->last_block = 0;
		entry_remove(f, slot_of(f, key));
	}
	return true;
}
