/* coordinator/store/items.h - the items of a suite version, by number.
 *
 * item_no is the place of an item in its version, from 0; sample_no = epoch * item_count + item_no. */
#ifndef ASSAY_STORE_ITEMS_H
#define ASSAY_STORE_ITEMS_H

#include "common/base/hash.h"
#include "coordinator/store/store.h"

struct item_row {
	uint32_t item_no;
	struct str id;
	struct hash hash;
	struct str content; /* canonical JSON; empty where only the rest was asked for */
	struct str task, stratum, cluster, split, provenance;
	double weight;
};

/* Content for the schedule's read-ahead: items first_no .. first_no + count - 1 in order; fewer at the end. Content
 * past bytes_max ends the page early (at least one item comes). */
enum err_code items_range(struct store *s, int64_t suite_version_id, uint32_t first_no, uint32_t count,
                          size_t bytes_max, struct arena *arena, struct item_row **ret_items, size_t *ret_count,
                          struct error *reterr) MUST_CHECK;
/* The same without content: what selection, evidence and lists need. */
enum err_code items_heads(struct store *s, int64_t suite_version_id, uint32_t first_no, uint32_t count,
                          struct arena *arena, struct item_row **ret_items, size_t *ret_count,
                          struct error *reterr) MUST_CHECK;
/* By id, else by item_no when the text is a number. *ret_item NULL: none. */
enum err_code items_find(struct store *s, int64_t suite_version_id, struct str id, struct arena *arena,
                         struct item_row **ret_item, struct error *reterr) MUST_CHECK;
/* Ids that resemble one, for "did you mean": those that begin with the same letters. */
enum err_code items_like(struct store *s, int64_t suite_version_id, struct str id, size_t limit, struct arena *arena,
                         struct str **ret_ids, size_t *ret_count, struct error *reterr) MUST_CHECK;

#endif
