/* coordinator/store/migrate.h - numbered forward-only migrations, applied or checked. Private to this folder.
 *
 * A migration is a file migrations/NNNN_name.sql; its number is its place, its checksum the hash of its text. */
#ifndef ASSAY_STORE_MIGRATE_H
#define ASSAY_STORE_MIGRATE_H

#include "coordinator/store/embedded.h"
#include "coordinator/store/pg.h"
#include "coordinator/store/store.h"

/* `files` as in embedded.h. See store_migrate() and store_check_schema(). */
enum err_code migrate_apply(struct pg *pg, const struct embedded_file *files, struct store_schema *ret_schema,
                            struct error *reterr) MUST_CHECK;
enum err_code migrate_look(struct pg *pg, const struct embedded_file *files, struct store_schema *ret_schema,
                           struct error *reterr) MUST_CHECK;

#endif
