/* worker/outbox/outbox.h - the outbox's folder: appends, syncs, loads, deletes. The shell around outbox_index.h.
 *
 *   <dir>/lock  <dir>/id (16 random bytes and their checksum)  <dir>/00000001.seg ...
 *
 * outbox_open() replays what is there: a torn end is left behind, damaged entries are dropped and counted (their
 * samples are asked again); writing goes on in a new segment. outbox_append() numbers and writes a group of records;
 * outbox_sync() makes it durable. A failed write leaves nothing half-done: the caller still has its records and tries
 * again later, in a new segment if the old one is broken. Nothing that was acknowledged is lost by a full disk.
 *
 * One thread (the outbox thread; at start, main). outbox_thread.h is the loop around it. */
#ifndef ASSAY_OUTBOX_OUTBOX_H
#define ASSAY_OUTBOX_OUTBOX_H

#include "worker/outbox/outbox_index.h"

enum { OUTBOX_SEGMENT_BYTES = 16 << 20, OUTBOX_GROUP_BYTES_MAX = 64 << 20 };

struct outbox;

/* Makes the folder when missing. ERR_CONFLICT: another worker uses it; ERR_UNSUPPORTED: written by a later version;
 * ERR_CORRUPT: segments of another outbox, or its id is damaged and no segment names it; ERR_IO. */
enum err_code outbox_open(const char *dir, uint64_t now_ms, struct outbox **ret_outbox,
                          struct error *reterr) MUST_CHECK;
void outbox_close(struct outbox *o); /* accepts NULL */

struct outbox_id outbox_id(const struct outbox *o);
struct outbox_index *outbox_index(struct outbox *o); /* borrowed; to ask, not to change */

/* Numbers the records and writes them, all or none. Results and attempts may be sent once this has returned; answers
 * count as kept only after outbox_sync(). On error the records have no number and it may be called again. */
enum err_code outbox_append(struct outbox *o, struct record *const *records, size_t count,
                            struct error *reterr) MUST_CHECK;

/* On error the answers that were appended since the last sync have no number any more and must be appended again. */
enum err_code outbox_sync(struct outbox *o, struct error *reterr) MUST_CHECK;
bool outbox_needs_sync(const struct outbox *o); /* an answer was appended since the last sync */

/* Marks records as committed, on disk too (not synced: a lost mark costs one more sending). A write error is returned
 * after the marks in memory were made. */
enum err_code outbox_trim(struct outbox *o, const struct record_range *ranges, size_t count, uint64_t now_ms,
                          struct error *reterr) MUST_CHECK;

/* Reads records back; the caller's to free. ERR_NOT_FOUND: not there; ERR_CORRUPT: damaged on the disk, and forgotten.
 */
enum err_code outbox_load(struct outbox *o, uint64_t record_no, struct record **ret_record,
                          struct error *reterr) MUST_CHECK;
/* The next one to be sent that the agent does not have; *ret_record NULL: none. Damaged ones are passed over. */
enum err_code outbox_load_next(struct outbox *o, struct record **ret_record, struct error *reterr) MUST_CHECK;

/* Deletes segments that are no longer needed. */
enum err_code outbox_clean(struct outbox *o, uint64_t now_ms, struct error *reterr) MUST_CHECK;

#endif
