/* coordinator/stats/vectors.h - holds the shipped statistics against reference vectors.
 *
 * A vector file names a method; its cases go through the routine that the product itself calls, and every field is
 * compared within the file's tolerance (|x - y| <= abs + rel |y|). A case may replace the tolerance; names of fields in
 * it are absolute tolerances of that field, `name_rel` relative ones, `grid` that of fields that begin with "grid_".
 * null stands for undefined, "inf" and "-inf" for infinities, {"error": code} for a refusal. A method that is not in
 * the table fails all its cases; so does a case that expects nothing. Pure: text in, text out. */
#ifndef ASSAY_STATS_VECTORS_H
#define ASSAY_STATS_VECTORS_H

#include "common/base/buf.h"
#include "common/base/error.h"

struct vectors_count {
	size_t cases, passed, failed;
};

/* `text` is one file's whole content, `name` goes before each line of `report` and into errors. Appends one line for
 * each field out of tolerance and each case that could not be run; nothing for a case that passes. ret_count is set
 * (not added to) on success. ERR_INVALID: not a vector file, or one without cases, or with two of one id;
 * ERR_UNSUPPORTED: a format of a later version. A full report buffer loses lines, never counts. */
enum err_code vectors_check(struct str text, const char *name, struct buf *report, struct vectors_count *ret_count,
                            struct error *reterr) MUST_CHECK;

/* Closing line: "N cases, N passed, N failed\n". */
void vectors_write_count(const struct vectors_count *count, struct buf *out);

/* All methods by name: at = 0, 1, ... until NULL. */
const char *vectors_method_name(size_t at, unsigned *ret_version);

#endif
