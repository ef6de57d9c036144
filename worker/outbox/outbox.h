/* worker/outbox/outbox.h - the outbox's folder: appends, syncs, loads, deletes. The shell around outbox_index.h.
 *
 *   <dir>/lock  <dir>/id (16 random bytes and their checksum)  <dir>/00000001.seg ...
 *
 * outbox_open() replays what is there: a torn end is cut, damaged entries are dropped and counted (their samples are
 * asked again). outbox_append() numbers and writes records as a group; outbox_sync() makes them durable. A failed write
 * or sync leaves nothing half-done: the caller still has its records and tries again later, in a new segment if the old
 * one is broken. Nothing that was acknowledged is lost by a full disk.
 *
 * One thread (the outbox thread; at start, main). outbox_thread.h is the loop around it. */
#ifndef ASSAY_OUTBOX_OUTBOX_H
#define ASSAY_OUTBOX_OUTBOX_H

#include "worker/outbox/outbox_index.h"

enum { OUTBOX_SEGMENT_BYTES = 16 << 20 };

struct outbox;

/* Makes the folder when missing. ERR_CONFLICT: another worker uses it; ERR_UNSUPPORTED: written by a later version;
 * ERR_IO. */
enum err_code outbox_open(const char *dir, uint64_t now_ms, struct outbox **ret_outbox,
                          struct error *reterr) MUST_CHECK;
void outbox_close(struct outbox *o); /* accepts NULL */

struct outbox_id outbox_id(const struct outbox *o);
const struct outbox_index *outbox_index(const struct outbox *o);

/* Numbers the records and writes them, all or none. Results and attempts may be sent once this has returned; answers
 * count as kept only after outbox_sync(). On error the records are unchanged and it may be called again. */
enum err_code outbox_append(struct outbox *o, struct record *const *records, size_t count,
                            struct error *reterr) MUST_CHECK;

/* ERR_IO: nothing since the last sync can be trusted; the records that were appended since must be appended again (they
 * get new numbers, and the old entries are forgotten). */
enum err_code outbox_sync(struct outbox *o, struct error *reterr) MUST_CHECK;

/* Marks records as committed, on disk too (not synced: a lost mark costs one more sending). A write error is returned
 * after the marks in memory are made. */
enum err_code outbox_trim(struct outbox *o, const struct record_range *ranges, size_t count, uint64_t now_ms,
                          struct error *reterr) MUST_CHECK;
uint64_t outbox_reopen(struct outbox *o, uint64_t now_ms);

/* Reads records back: the caller's to free. *ret_record NULL: none is left, or it turned out damaged on the disk. */
enum err_code outbox_load_next(struct outbox *o, struct record **ret_record, struct error *reterr) MUST_CHECK;
enum err_code outbox_load(struct outbox *o, uint64_t record_no, struct record **ret_record,
                          struct error *reterr) MUST_CHECK;

/* Deletes segments that are no longer needed. */
enum err_code outbox_clean(struct outbox *o, uint64_t now_ms, struct error *reterr) MUST_CHECK;

#endif
