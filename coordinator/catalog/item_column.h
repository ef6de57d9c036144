/* coordinator/catalog/item_column.h - where on its line a member of an item stands, for the words of an error.
 *
 * The parser keeps no places, and need not: an error is rare, so the line is read once more for it. Private to this
 * folder. Pure. */
#ifndef ASSAY_CATALOG_ITEM_COLUMN_H
#define ASSAY_CATALOG_ITEM_COLUMN_H

#include "common/base/str.h"

/* The column (in characters, from 1) of a key of the object that the whole line is; 1 when it has no such key. `key` is
 * compared as it is written: one with escapes is not found. The line must be valid JSON in UTF-8. */
size_t item_column(struct str line, struct str key);

/* The same for the member that a message begins with: of "choices[1] must be text" it is "choices". */
size_t item_column_of_message(struct str line, struct str message);

#endif
