/* common/wire/frame.h - one envelope a frame: bytes to struct msg and back. The only user of protobuf-c.
 *
 * Decoding goes pre-scan (depth, field count, sums of lengths, UTF-8, no NUL in text) -> protobuf-c into the arena ->
 * struct msg in the same arena, validated for shape. The arena's budget bounds what a hostile frame can cost; give one
 * of FRAME_ARENA_BYTES and reset it after each frame. Encoding appends to a bounded buffer and applies the same shape
 * rules (shape.h), so what was encoded can be decoded. Broken UTF-8 and NUL in text are sent as U+FFFD each: nothing
 * that a provider says can make a frame that the other side refuses. Hello and Refused are read in any version. Pure;
 * any thread. */
#ifndef ASSAY_WIRE_FRAME_H
#define ASSAY_WIRE_FRAME_H

#include "common/base/arena.h"
#include "common/base/buf.h"
#include "common/base/error.h"
#include "common/wire/msg.h"

enum {
	FRAME_ARENA_BYTES = 16 << 20,
	FRAME_OVERHEAD_BYTES = 32, /* of a Results frame, at most: what its records do not account for */
};

/* ERR_CORRUPT: not a frame of ours; ERR_LIMIT: over a bound; ERR_UNSUPPORTED: a version or kind we do not speak. */
enum err_code frame_decode(struct str bytes, struct arena *arena, struct msg *ret_msg, struct error *reterr) MUST_CHECK;

/* Appends to `out` (its limit should be WIRE_FRAME_BYTES_MAX). ERR_LIMIT when it does not fit there or in a frame;
 * ERR_INVALID when the shape is wrong (a bug of the caller's that the other side would refuse). On an error `out` holds
 * what it held. */
enum err_code frame_encode(const struct msg *m, struct buf *out, struct error *reterr) MUST_CHECK;

/* What one record adds to a Results frame, so that a sender can fill one without trying: records whose sum is at most
 * WIRE_FRAME_BYTES_MAX - FRAME_OVERHEAD_BYTES fit. */
size_t frame_record_bytes(const struct msg_record *r);

/* One record alone, in the same bytes and under the same rules: for files (the outbox). */
enum err_code frame_record_encode(const struct msg_record *r, struct buf *out, struct error *reterr) MUST_CHECK;
enum err_code frame_record_decode(struct str bytes, struct arena *arena, struct msg_record *ret_record,
                                  struct error *reterr) MUST_CHECK;

#endif
