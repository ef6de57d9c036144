/* common/wire/schema.h - what proto/assay.proto says, as a table that the pre-scan can walk before protobuf-c does.
 *
 * Written by hand; a test holds it to the descriptors that protoc-c generates, field by field. It adds what a .proto
 * cannot say: how many elements a repeated field may have. Fields stand in the order of their numbers. Static data;
 * any thread. */
#ifndef ASSAY_WIRE_SCHEMA_H
#define ASSAY_WIRE_SCHEMA_H

#include "common/base/base.h"

enum schema_kind {
	SCHEMA_U32,
	SCHEMA_U64, /* int64 too: the same bytes */
	SCHEMA_BOOL,
	SCHEMA_ENUM,
	SCHEMA_FIXED64,
	SCHEMA_DOUBLE,
	SCHEMA_TEXT, /* UTF-8 without NUL */
	SCHEMA_BYTES,
	SCHEMA_MESSAGE,
};

enum { SCHEMA_FIELDS_MAX = 32 }; /* of one message */

struct schema_field {
	const char *name;
	uint32_t number;
	enum schema_kind kind;
	uint32_t count_max; /* elements of a repeated field; 0: not repeated */
	const struct schema_message *message;
};

struct schema_message {
	const char *name;
	const struct schema_field *fields;
	size_t field_count;
};

extern const struct schema_message schema_frame, schema_record;

#endif
