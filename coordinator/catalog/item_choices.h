/* coordinator/catalog/item_choices.h - are an item's choices sound, and does its target name one of them? Private to
 * this folder. Pure. */
#ifndef ASSAY_CATALOG_ITEM_CHOICES_H
#define ASSAY_CATALOG_ITEM_CHOICES_H

#include "coordinator/catalog/suite_item.h"

/* False: `what` says what is wrong. *ret_count: the item's own choices, else the scorer's, else 0. A target is compared
 * as loosely as the scorer does (case, spacing and punctuation apart), so that only what can never match is refused. */
bool item_choices_check(const struct json *item, const struct suite_item_rules *rules, uint32_t *ret_count, char *what,
                        size_t what_bytes);

#endif
