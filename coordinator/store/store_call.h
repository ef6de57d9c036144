/* coordinator/store/store_call.h - how the aggregates of this folder ask and answer. Private to it.
 *
 * A question: fill store_params(), call store_read() or store_write(), read the rows through struct store_rows. A write
 * of several steps: store_begin(), store_step()..., store_commit(); the first failure ends it and rolls it back. */
#ifndef ASSAY_STORE_STORE_CALL_H
#define ASSAY_STORE_STORE_CALL_H

#include "coordinator/store/pg.h"
#include "coordinator/store/pg_array.h"
#include "coordinator/store/store.h"

struct pg_params *store_params(struct store *s); /* emptied */
int32_t store_team(const struct store *s);
uint64_t store_term(const struct store *s);

/* Asks; a connection that turns out to be gone is made anew once. */
enum err_code store_read(struct store *s, const struct pg_statement *statement, struct error *reterr) MUST_CHECK;

/* One statement under the term, in a transaction of its own. Only for a STORE_WRITER. Not asked twice. */
enum err_code store_write(struct store *s, const struct pg_statement *statement, struct error *reterr) MUST_CHECK;

enum err_code store_begin(struct store *s, struct error *reterr) MUST_CHECK;
enum err_code store_step(struct store *s, const struct pg_statement *statement, struct error *reterr) MUST_CHECK;
/* Ends the transaction: commits when err is ERR_OK, else rolls back and answers err. */
enum err_code store_end(struct store *s, enum err_code err, struct error *reterr) MUST_CHECK;
void store_step_timeout(struct store *s, uint32_t timeout_ms); /* of the steps up to the next store_end() */

/* What names a server's history: the cluster, and the first 8 digits of its WAL's file name. */
uint64_t store_timeline(uint64_t system_identifier, struct str wal_timeline);

struct store_rows { /* the last answer */
	struct pg *pg;
	size_t i, count;
	struct arena *arena;
	bool full; /* the arena's budget was passed: what came after it is empty */
};
struct store_rows store_rows(struct store *s, struct arena *arena);
void *store_rows_alloc(struct store_rows *r, size_t count, size_t size); /* zeroed; NULL when full; never for 0 bytes */
enum err_code store_rows_end(const struct store_rows *r, struct error *reterr) MUST_CHECK; /* ERR_LIMIT when full */
struct str store_rows_text(struct store_rows *r, size_t row, size_t column);               /* copied to the arena */
struct str *store_rows_texts(struct store_rows *r, size_t row, size_t column, size_t *ret_count); /* of text[] */
bool store_rows_bool(const struct store_rows *r, size_t row, size_t column);
int64_t store_rows_i64(const struct store_rows *r, size_t row, size_t column);
uint64_t store_rows_u64(const struct store_rows *r, size_t row, size_t column); /* the same bits */
uint32_t store_rows_u32(const struct store_rows *r, size_t row, size_t column);
int32_t store_rows_i32(const struct store_rows *r, size_t row, size_t column);
double store_rows_f64(const struct store_rows *r, size_t row, size_t column);
bool store_rows_null(const struct store_rows *r, size_t row, size_t column);
struct hash store_rows_hash(const struct store_rows *r, size_t row, size_t column); /* zero when it is not 32 bytes */

#endif
