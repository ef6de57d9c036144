/* coordinator/schedule/position.h - in which order the samples of a run go out, as a pure function of stored columns.
 *
 * A run's positions are layers laid end to end: the first epochs, then one layer for each later change, in the order
 * in which the changes were made: more epochs (the new samples) or a retry wave (all samples again, of which only the
 * missing ones are pending). So a position names the same sample for ever, and `run.sent_to`, which is one, can be
 * compared after a restart. Inside a layer the order is by `order`; equal columns give equal order.
 *
 * sample_no = epoch * suite_items + item_no. Owns `layers`; one thread. */
#ifndef ASSAY_SCHEDULE_POSITION_H
#define ASSAY_SCHEDULE_POSITION_H

#include "common/base/base.h"

enum position_order {                        /* stored in run.item_order: never reuse a number */
	              POSITION_IDENTITY = 0, /* by sample_no */
};

struct position_layer {
	uint32_t wave; /* 0: samples that have no row yet; else the retry wave that asks again for missing ones */
	uint64_t sample_from, sample_count;
};

struct position_map {
	enum position_order order;
	uint64_t seed; /* run.seed; identity does not read it */
	struct position_layer *layers;
	size_t layer_count, layer_cap;
	uint64_t total; /* positions of all layers */
};

void position_init(struct position_map *m, enum position_order order, uint64_t seed);
void position_done(struct position_map *m);

/* The layer goes behind all others. An empty one is allowed. */
void position_add(struct position_map *m, struct position_layer layer);

/* Which layer holds the position; *ret_offset is its place inside. position < total, else it is a bug. */
size_t position_layer_of(const struct position_map *m, uint64_t position, uint64_t *ret_offset);

/* offset in the layer -> sample_no, and back. */
uint64_t position_sample(const struct position_map *m, size_t layer, uint64_t offset);
uint64_t position_offset(const struct position_map *m, size_t layer, uint64_t sample_no);

/* Where layer i begins. */
uint64_t position_layer_from(const struct position_map *m, size_t layer);

#endif
