/* common/wire/frame.h - one envelope a frame: bytes to struct msg and back. The only user of protobuf-c.
 *
 * Decoding goes pre-scan (depth, field count, sums of lengths, UTF-8, no NUL in text) -> protobuf-c into the arena ->
 * struct msg in the same arena, validated for shape. The arena's budget bounds what a hostile frame can cost; give one
 * of FRAME_ARENA_BYTES and reset it after each frame. Encoding appends to a bounded buffer. Pure; any thread. */
#ifndef ASSAY_WIRE_FRAME_H
#define ASSAY_WIRE_FRAME_H

#include "common/base/arena.h"
#include "common/base/buf.h"
#include "common/base/error.h"
#include "common/wire/msg.h"

enum { FRAME_ARENA_BYTES = 16 << 20 };

/* ERR_CORRUPT: not a frame of ours; ERR_LIMIT: over a bound; ERR_UNSUPPORTED: a version or kind we do not speak. */
enum err_code frame_decode(struct str bytes, struct arena *arena, struct msg *ret_msg, struct error *reterr) MUST_CHECK;

/* Appends to `out` (its limit should be WIRE_FRAME_BYTES_MAX). ERR_LIMIT when it does not fit. */
enum err_code frame_encode(const struct msg *m, struct buf *out, struct error *reterr) MUST_CHECK;

/* The encoded size of one record, so that a sender can fill a Results frame without trying. */
size_t frame_record_bytes(const struct msg_record *r);

#endif
