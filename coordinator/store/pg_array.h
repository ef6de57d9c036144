/* coordinator/store/pg_array.h - one array parameter, written element by element.
 *
 * Between pg_array_begin() and pg_array_end() nothing else may be put into the same pg_params. */
#ifndef ASSAY_STORE_PG_ARRAY_H
#define ASSAY_STORE_PG_ARRAY_H

#include "coordinator/store/pg_params.h"

enum pg_type { /* PostgreSQL's own numbers */
	       PG_TYPE_BOOL = 16,
	       PG_TYPE_BYTEA = 17,
	       PG_TYPE_INT8 = 20,
	       PG_TYPE_INT2 = 21,
	       PG_TYPE_INT4 = 23,
	       PG_TYPE_TEXT = 25,
	       PG_TYPE_FLOAT8 = 701,
	       PG_TYPE_UUID = 2950,
};

struct pg_array {
	struct pg_params *params;
	enum pg_type type;
	size_t start, count, null_count;
};

void pg_array_begin(struct pg_array *a, struct pg_params *p, enum pg_type type);
void pg_array_null(struct pg_array *a);
void pg_array_bool(struct pg_array *a, bool v);
void pg_array_i16(struct pg_array *a, int16_t v);
void pg_array_i32(struct pg_array *a, int32_t v);
void pg_array_i64(struct pg_array *a, int64_t v);
void pg_array_f64(struct pg_array *a, double v);
void pg_array_bytes(struct pg_array *a, struct str v); /* bytea, uuid */
void pg_array_text(struct pg_array *a, struct str v);  /* NUL and broken UTF-8 become U+FFFD */
void pg_array_end(struct pg_array *a);

#endif
