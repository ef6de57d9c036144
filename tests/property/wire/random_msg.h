/* tests/property/wire/random_msg.h - messages of every kind from a seed, and whether two are the same.
 *
 * What random_msg makes is always of right shape (shape.h): lists from empty to full, numbers at their ends, text in
 * several scripts, bytes of any kind. It lies in the arena. */
#ifndef ASSAY_TESTS_RANDOM_MSG_H
#define ASSAY_TESTS_RANDOM_MSG_H

#include "common/base/arena.h"
#include "common/base/rng.h"
#include "common/wire/msg.h"

struct random_size { /* how large lists and texts may get: the chance of long ones is small */
	size_t list_max, text_max;
};

struct msg random_msg(struct rng *rng, struct arena *arena, enum msg_kind kind, struct random_size size);
struct msg_record random_record(struct rng *rng, struct arena *arena, struct random_size size);

/* NULL when equal, else the name of the first field that differs. */
const char *msg_difference(const struct msg *a, const struct msg *b);
const char *record_difference(const struct msg_record *a, const struct msg_record *b);

#endif
