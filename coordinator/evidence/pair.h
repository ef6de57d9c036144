/* coordinator/evidence/pair.h - which item of one run is which item of the other.
 *
 * By id and content; where the id is not found, or its content changed, by content alone (a renamed item), in order.
 * An unknown content hash agrees with any. What stays alone is listed with the reason. */
#ifndef ASSAY_EVIDENCE_PAIR_H
#define ASSAY_EVIDENCE_PAIR_H

#include "coordinator/evidence/compare.h"

struct pair_list {
	uint32_t *base, *cand; /* [count], in the candidate's order */
	size_t count;
	struct compare_unpaired *unpaired; /* the baseline's, then the candidate's, in item order */
	size_t unpaired_count;
	size_t changed; /* candidate's items whose id is in the baseline with other content */
};

/* ERR_LIMIT when the arena is too small. No pair at all is a value. */
enum err_code pair_items(struct arena *arena, const struct samples *base, const struct samples *cand,
                         struct pair_list *ret_pairs, struct error *reterr) MUST_CHECK;

#endif
