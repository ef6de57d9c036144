/* common/wire/shape.h - the rules that a message keeps beyond what the schema can say; one set for both directions.
 *
 * Counts inside WIRE_*, enums that this version knows, finite scores, item ends that rise and end inside the items,
 * bitmaps of their lease's length. Sense (is this lease held, is this run known) is not asked here. Pure. */
#ifndef ASSAY_WIRE_SHAPE_H
#define ASSAY_WIRE_SHAPE_H

#include "common/base/error.h"
#include "common/wire/msg.h"

/* ERR_CORRUPT or ERR_LIMIT; the text names message and field. */
enum err_code shape_check(const struct msg *m, struct error *reterr) MUST_CHECK;
enum err_code shape_check_record(const struct msg_record *r, struct error *reterr) MUST_CHECK;

#endif
