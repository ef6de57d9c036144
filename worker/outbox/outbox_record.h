/* worker/outbox/outbox_record.h - the bytes of an outbox segment: header, entries, and how damage is survived.
 *
 * Pure. A segment is a header and then entries, each
 *   magic u32 | length u32 of the payload | check u32 | kind u8 | version u8 | 0 u16 | record_no u64 |
 *   payload
 * all little-endian. Payloads:
 *   CONTEXT  hash (32 bytes) + JSON: before the first answer of its run in each segment, so that a segment stands alone
 *   ANSWER   context hash (32) + length u32 of the frame + frame + item JSON
 *   RESULT, ATTEMPT  a frame: a Results message of this one record, as it goes over the wire
 *   TRIM     pairs of u64: committed ranges, first and last
 *   RESERVE  u64: record numbers below it may have been given out
 * `check` is the CRC-32C of all that follows it, xor the segment's salt: text of a model inside a damaged entry cannot
 * pose as an entry, since it cannot know the salt (from the outbox id and the segment number).
 * A reader that meets damage looks for the next magic whose check holds: one flipped bit costs one entry, a torn end
 * costs what was torn. Format version 1; a reader refuses a later segment version and skips later entry kinds. */
#ifndef ASSAY_OUTBOX_OUTBOX_RECORD_H
#define ASSAY_OUTBOX_OUTBOX_RECORD_H

#include "common/base/arena.h"
#include "common/base/buf.h"
#include "common/base/error.h"
#include "worker/exec/record.h"

enum outbox_kind {
	OUTBOX_CONTEXT = 1,
	OUTBOX_ANSWER = 2,
	OUTBOX_RESULT = 3,
	OUTBOX_ATTEMPT = 4,
	OUTBOX_TRIM = 5,
	OUTBOX_RESERVE = 6,
};

enum {
	OUTBOX_FORMAT_VERSION = 1,
	OUTBOX_SEGMENT_HEADER_BYTES = 48,
	OUTBOX_ENTRY_HEADER_BYTES = 24,
	OUTBOX_PAYLOAD_BYTES_MAX = 8 << 20,
};

struct outbox_segment { /* the header of a segment file */
	struct outbox_id id;
	uint64_t segment_no;
	uint64_t record_no_next; /* every number below may have been given out: what was reserved when it began */
};

void outbox_segment_write(const struct outbox_segment *s, struct buf *out);
/* ERR_CORRUPT: not such a header or damaged; ERR_UNSUPPORTED: of a later format. */
enum err_code outbox_segment_read(struct str bytes, struct outbox_segment *ret_segment,
                                  struct error *reterr) MUST_CHECK;

uint32_t outbox_salt(const struct outbox_segment *s);

struct outbox_entry {
	enum outbox_kind kind;
	uint64_t record_no; /* 0 for kinds that have none */
	struct str payload; /* view */
	size_t at, end;     /* where it stands in the bytes given */
};

/* The next whole entry at or after *at (OUTBOX_SEGMENT_HEADER_BYTES at first), which moves behind it; false when there
 * is none. *ret_damaged counts stretches of bytes that had to be skipped to get there; bytes after the last entry are
 * not counted (see `end`). */
bool outbox_entry_next(struct str bytes, size_t *at, uint32_t salt, struct outbox_entry *ret_entry,
                       uint64_t *ret_damaged);

/* Each appends one entry. False: the buffer is full, or the record does not fit a frame. */
bool outbox_write_context(const struct exec_context *c, uint32_t salt, struct buf *out);
bool outbox_write_record(const struct record *r, uint32_t salt,
                         struct buf *out); /* ANSWER, RESULT or ATTEMPT, by what it is */
bool outbox_write_trim(const struct record_range *ranges, size_t count, uint32_t salt, struct buf *out);
bool outbox_write_reserve(uint64_t record_no_next, uint32_t salt, struct buf *out);

/* Payloads back. The message points into the arena. ERR_CORRUPT. */
struct outbox_answer {
	struct hash context_hash;
	struct str item;
	const struct msg_record *record;
};
enum err_code outbox_read_answer(const struct outbox_entry *e, struct arena *a, struct outbox_answer *ret_answer,
                                 struct error *reterr) MUST_CHECK;
enum err_code outbox_read_record(const struct outbox_entry *e, struct arena *a, const struct msg_record **ret_record,
                                 struct error *reterr) MUST_CHECK;
enum err_code outbox_read_context(const struct outbox_entry *e, struct hash *ret_hash, struct str *ret_json,
                                  struct error *reterr) MUST_CHECK;
size_t outbox_trim_count(const struct outbox_entry *e);
struct record_range outbox_trim_at(const struct outbox_entry *e, size_t i);
bool outbox_read_reserve(const struct outbox_entry *e, uint64_t *ret_record_no_next);

#endif
