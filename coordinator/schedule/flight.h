/* coordinator/schedule/flight.h - which lease a sample is out under.
 *
 * Samples go out and come back in neighbourhoods, so the index keeps blocks of 32 neighbours of one run in a hash
 * table: the many samples of a lease cost a few look-ups, a lone straggler a block. Memory follows the most that was
 * ever in flight. Pure; one thread. */
#ifndef ASSAY_SCHEDULE_FLIGHT_H
#define ASSAY_SCHEDULE_FLIGHT_H

#include "common/base/base.h"

enum { FLIGHT_BLOCK_SAMPLES = 32, FLIGHT_CHUNK_BLOCKS = 256 };

struct flight_ref {
	uint32_t lease; /* slot */
	uint32_t index; /* in the lease */
};

struct flight_block;
struct flight_entry {
	uint64_t key;
	uint32_t block; /* + 1; 0: empty */
};

struct flight {
	struct flight_entry *entries;
	size_t entry_count, entry_cap; /* cap: a power of two, at most half full */
	struct flight_block **chunks;
	size_t chunk_count, chunk_cap;
	uint32_t free_block; /* + 1 */
	uint64_t last_key;   /* the block last used */
	uint32_t last_block; /* + 1; 0: none */
};

enum { FLIGHT_RUN_BITS = 20 }; /* run slots below 2^20, samples below 2^49 */

void flight_init(struct flight *f);
void flight_done(struct flight *f);
void flight_put(struct flight *f, uint32_t run, uint64_t sample_no, struct flight_ref ref); /* must not be there */
bool flight_get(struct flight *f, uint32_t run, uint64_t sample_no, struct flight_ref *ret_ref);
void flight_move(struct flight *f, uint32_t run, uint64_t sample_no, struct flight_ref ref); /* must be there */
bool flight_remove(struct flight *f, uint32_t run, uint64_t sample_no);

#endif
