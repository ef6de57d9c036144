/* coordinator/store/pg_params.h - the parameters of one statement in PostgreSQL's binary form.
 *
 * Appended in the order $1, $2, ...; the statement casts each to its type ($1::int8), so that bytes and type agree.
 * Owns its bytes until pg_params_done(); pg_params_clear() keeps the memory for the next statement. Passing a limit is
 * remembered and answered by pg_params_ok(), so a chain of puts needs one check. One thread. */
#ifndef ASSAY_STORE_PG_PARAMS_H
#define ASSAY_STORE_PG_PARAMS_H

#include "common/base/buf.h"

enum { PG_PARAMS_MAX = 64, PG_PARAMS_BYTES_MAX = 256 << 20 };

struct pg_params {
	struct buf bytes;
	bool failed;
	uint64_t refused_before; /* mem_refused_count() at its begin */
	size_t count;
	size_t start[PG_PARAMS_MAX];
	int32_t len[PG_PARAMS_MAX]; /* -1: NULL */
};

void pg_params_init(struct pg_params *p);
void pg_params_done(struct pg_params *p);
void pg_params_clear(struct pg_params *p);
bool pg_params_ok(const struct pg_params *p);
bool pg_params_starved(const struct pg_params *p); /* not ok for want of memory, which may pass; asked in its thread */

void pg_params_null(struct pg_params *p);
void pg_params_bool(struct pg_params *p, bool v);
void pg_params_i16(struct pg_params *p, int16_t v);
void pg_params_i32(struct pg_params *p, int32_t v);
void pg_params_i64(struct pg_params *p, int64_t v);
void pg_params_f64(struct pg_params *p, double v);
void pg_params_bytes(struct pg_params *p, struct str v); /* bytea, uuid */
void pg_params_text(struct pg_params *p, struct str v);  /* NUL and broken UTF-8 become U+FFFD */

/* Text that PostgreSQL takes as it is: valid UTF-8 without NUL. */
bool pg_params_text_is_clean(struct str s);
/* Appends `s` with what PostgreSQL would not take replaced by U+FFFD. False: `out` is full. */
bool pg_params_clean_text(struct str s, struct buf *out);

/* Network order. */
void pg_params_store16(char *out, uint16_t v);
void pg_params_store32(char *out, uint32_t v);
void pg_params_store64(char *out, uint64_t v);

#endif
