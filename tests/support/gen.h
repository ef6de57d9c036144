/* tests/support/gen.h - seeded inputs for property tests, each drawn from a struct rng.
 *
 * A property is a test that walks seeds:
 *
 *     static void reversing_twice_changes_nothing(void **state)
 *     {
 *             (void)state;
 *             struct rng rng;
 *             for (struct gen_seeds s = gen_seeds(200); gen_next(&s, &rng);)
 *                     ...draw from &rng, assert...
 *     }
 *     ... gen_property(reversing_twice_changes_nothing), in the list of tests
 *
 * When an assertion fails or the program dies, the seed is printed; ASSAY_SEED=N runs that seed alone and
 * ASSAY_SEEDS_TIMES=K walks K times as many. Draws favour what breaks programs: edges, empties, odd characters.
 * One thread. */
#ifndef ASSAY_TESTS_GEN_H
#define ASSAY_TESTS_GEN_H

#include "common/base/buf.h"
#include "common/base/rng.h"

#define gen_property(f) cmocka_unit_test_teardown(f, gen_report)

struct gen_seeds {
	uint64_t next, end;
};

struct gen_seeds gen_seeds(uint64_t count);
bool gen_next(struct gen_seeds *s, struct rng *ret_rng); /* false after the last seed */
uint64_t gen_seed(void);                                 /* the one that is being run */
int gen_report(void **state);                            /* a teardown: names the seed of a test that did not end */

bool gen_chance(struct rng *r, unsigned percent);
size_t gen_len(struct rng *r, size_t max); /* 0 to max, mostly short */
int64_t gen_i64(struct rng *r);            /* of all magnitudes, and the edges */
double gen_double(struct rng *r);          /* finite, of all magnitudes, and the edges */

/* Each appends to `out`; what a failed buffer lacks is the caller's to notice. */
void gen_bytes(struct rng *r, struct buf *out, size_t len_max);
void gen_name(struct rng *r, struct buf *out, size_t len_max); /* [a-z][a-z0-9_]* */
void gen_text(struct rng *r, struct buf *out, size_t len_max); /* valid UTF-8 of at most so many characters, NUL too */
void gen_broken_text(struct rng *r, struct buf *out, size_t len_max); /* the same with broken bytes in between */
void gen_json(struct rng *r, struct buf *out, unsigned depth_max);    /* valid, keys unique, white space anywhere */

/* Damages what stands in `b`: bytes flipped, cut out, doubled, moved, cut off. The way to try a parser. */
void gen_mangle(struct rng *r, struct buf *b);

#endif
