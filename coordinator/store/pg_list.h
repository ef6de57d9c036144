/* coordinator/store/pg_list.h - reads a one-dimensional array of a result, element by element.
 *
 *   for (struct pg_list l = pg_list(...); pg_list_next(&l);) ... l.is_null ? .. : pg_list_i64(&l)
 * Borrows the result's bytes. Bytes that are no such array read as an empty list: the server sent them, so nothing is
 * lost by not believing them. */
#ifndef ASSAY_STORE_PG_LIST_H
#define ASSAY_STORE_PG_LIST_H

#include "common/base/str.h"

struct pg_list {
	const char *at, *end;
	size_t count, left; /* count: elements of the whole array */
	bool is_null;       /* the element that pg_list_next() came to */
	struct str value;
};

struct pg_list pg_list_of(struct str bytes);
bool pg_list_next(struct pg_list *l);
int64_t pg_list_i64(const struct pg_list *l); /* of int2, int4, int8; 0 for NULL */
double pg_list_f64(const struct pg_list *l);  /* of float8; 0 for NULL */

/* The same for single values; the empty string reads as 0. */
int64_t pg_list_read_i64(struct str bytes);
double pg_list_read_f64(struct str bytes);

#endif
