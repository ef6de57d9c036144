/* worker/outbox/asklog.h - which asks are under way, on disk before their first byte leaves.
 *
 * One file a net thread: fixed entries of 64 bytes, begin and end of an ask, written with one write(2) for all of a
 * loop turn and not synced (the page cache outlives kill -9; a power cut is not what this counts). At start, an ask
 * with a begin but no end, and with nothing in the outbox under its ask_id, was under way when the worker died: it is
 * reported as an attempt of CLASS_DIED, so that the coordinator can count exactly what was paid for twice.
 *
 * A torn or damaged entry is skipped. The file is written anew when it is long and mostly ends. One thread a file. */
#ifndef ASSAY_OUTBOX_ASKLOG_H
#define ASSAY_OUTBOX_ASKLOG_H

#include "common/base/error.h"
#include "common/base/map.h"
#include "worker/exec/exec.h"

enum { ASKLOG_ENTRY_BYTES = 64, ASKLOG_REWRITE_BYTES = 1 << 20 };

struct asklog_ask {
	struct exec_key key;
	uint64_t ask_id;
	int64_t at_ms; /* wall clock */
	uint32_t attempt_count;
};

/* ---- pure ---- */

void asklog_entry_write(const struct asklog_ask *ask, bool begins, uint8_t out[ASKLOG_ENTRY_BYTES]);
/* Applies all entries of a file to `open` (ask_id -> struct asklog_ask): a begin adds, an end removes. Returns how many
 * entries were damaged. */
uint64_t asklog_replay(struct str bytes, struct map *open);

/* ---- files ---- */

struct asklog;

/* Starts <dir>/asks-N.log anew (asklog_recover() first). */
enum err_code asklog_open(const char *dir, uint32_t net, struct asklog **ret_log, struct error *reterr) MUST_CHECK;
void asklog_close(struct asklog *l);                               /* accepts NULL */
void asklog_begin(struct asklog *l, const struct asklog_ask *ask); /* noted; on disk with the next flush */
void asklog_end(struct asklog *l, uint64_t ask_id);                /* also of an ask that never began */
/* One write for all that was noted; asks that it holds may begin once this has returned. On error nothing of it is on
 * disk, it stays noted, and the next flush tries again. */
enum err_code asklog_flush(struct asklog *l, struct error *reterr) MUST_CHECK;

/* All asks under way in all files of the folder, into `open` (initialised with sizeof(struct asklog_ask)). */
enum err_code asklog_recover(const char *dir, struct map *open, uint64_t *ret_damaged, struct error *reterr) MUST_CHECK;
enum err_code asklog_remove_all(const char *dir, struct error *reterr) MUST_CHECK; /* once their asks are reported */

#endif
