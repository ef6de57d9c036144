/* common/wire/prescan.h - walks the raw bytes of a frame before protobuf-c sees them.
 *
 * protobuf-c 1.4 has no bound on depth (10,000 levels kill the process), on the count of fields or elements (one byte
 * each can cost 64), checks no UTF-8 and cuts text at a NUL. So nothing reaches it that has not been through here:
 * wire types as the schema says, lengths that add up, varints of at most ten bytes that fit their field, no groups, no
 * field twice that is not repeated, at most one body, text that is text, counts inside the schema's bounds. Fields that
 * the schema does not know are allowed (a newer peer), are not looked into, and count. Pure; allocates nothing. */
#ifndef ASSAY_WIRE_PRESCAN_H
#define ASSAY_WIRE_PRESCAN_H

#include "common/base/error.h"
#include "common/base/str.h"
#include "common/wire/schema.h"

enum { PRESCAN_DEPTH_MAX = 8, PRESCAN_FIELDS_MAX = 1 << 17 };

/* ERR_CORRUPT: not a message of this schema; ERR_LIMIT: over a bound. The text names field and byte. */
enum err_code prescan_check(struct str bytes, const struct schema_message *message, struct error *reterr) MUST_CHECK;

#endif
