/* coordinator/catalog/suite_items.h - the item files that a suite names, read into its items. Private to this folder.
 * Pure: files come through suite_source. */
#ifndef ASSAY_CATALOG_SUITE_ITEMS_H
#define ASSAY_CATALOG_SUITE_ITEMS_H

#include "coordinator/catalog/suite_parts.h"

/* Fills items, item_count and holdout_count. */
enum err_code suite_items_read(struct suite_reader *r, const struct yaml *root,
                               const struct suite_source *source) MUST_CHECK;

enum err_code suite_items_files(const struct yaml_doc *doc, struct arena *a, struct str **ret_names, size_t *ret_count,
                                struct error *reterr) MUST_CHECK;

#endif
