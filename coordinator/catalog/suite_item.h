/* coordinator/catalog/suite_item.h - one line of JSONL becomes an item: checked, canonical, hashed.
 *
 * The content of an item is the canonical JSON of {input, target, choices, vars, metadata, tools, files} as far as they
 * are there (null is not there); its hash is BLAKE2b-256 of these bytes and is its identity for ever. Id, weight,
 * source and split are facts about the item's place in a suite and are not content. Errors name file, line, column
 * and field: "items.jsonl:17:31: choices[1] must be text, not an integer". Pure; any thread. */
#ifndef ASSAY_CATALOG_SUITE_ITEM_H
#define ASSAY_CATALOG_SUITE_ITEM_H

#include "common/base/arena.h"
#include "common/base/error.h"
#include "common/base/hash.h"
#include "common/base/json.h"

enum { SUITE_ITEM_ID_BYTES_MAX = 200, SUITE_ITEM_LABEL_BYTES_MAX = 200, SUITE_ITEM_CHOICES_MAX = 1000 };

struct suite_item { /* texts lie in the arena; empty: none */
	struct str id;
	struct hash hash;
	struct str content; /* canonical JSON */
	struct str task, stratum, cluster, split, provenance;
	struct str source; /* canonical JSON; empty when the line has none */
	double weight;     /* finite, at least 0; 1 unless given */
	uint32_t choice_count;
	uint64_t line; /* where it stood, from 1 */
};

struct suite_item_rules {            /* what the suite asks of its items; borrowed */
	const struct json *generate; /* templates must find their names in each item; NULL: none */
	struct str task, provenance; /* for items that say nothing */
	struct str split;
	struct str stratum_key, cluster_key; /* members of metadata; empty: "stratum", "cluster" */
	const char *target_user;             /* the scorer that needs a target; NULL: none does */
	const char *choice_user;             /* the scorer that chooses; NULL: none */
	bool choice_letters;                 /* a target may be a letter */
	size_t choice_count;                 /* choices that the scorer brings itself; 0: the item must */
	const struct str *choice_texts;      /* theirs, or NULL when only their number is known */
};

extern const char *const suite_provenances[]; /* NULL-terminated */

/* `name` is the file's. ERR_INVALID, or ERR_LIMIT when the arena is spent. */
enum err_code suite_item_read(struct str line, const char *name, uint64_t line_no, const struct suite_item_rules *rules,
                              struct arena *a, struct suite_item *ret_item, struct error *reterr) MUST_CHECK;

#endif
