/* common/base/rng.h - a seeded generator (SplitMix64 seeding xoshiro256**); equal seeds give equal draws for ever.
 *
 * Not for keys or tokens: those come from keys.h. Source: Blackman and Vigna 2018 (doi 10.1145/3460772). */
#ifndef ASSAY_BASE_RNG_H
#define ASSAY_BASE_RNG_H

#include "common/base/base.h"

struct rng {
	uint64_t s[4];
};

void rng_seed(struct rng *r, uint64_t seed);
uint64_t rng_next(struct rng *r);
uint64_t rng_below(struct rng *r, uint64_t bound); /* uniform in [0, bound); bound 0 gives 0 */
double rng_unit(struct rng *r);                    /* uniform in [0, 1), 53 bits */
uint64_t rng_mix(uint64_t value);                  /* one SplitMix64 step: a hash of 64 bits, for derived seeds */

#endif
