/* worker/outbox/outbox_index.h - what is in the outbox and what may leave it: the logic of outbox.h without its files.
 *
 * Pure, and the simulator's outbox too. A record is OPEN until a Commit names it, DONE afterwards; DONE ones are kept
 * 60 s and become OPEN again when the database's timeline changes. An answer whose result or attempt is there is
 * covered: it is neither sent nor offered, and is done when that record is. A segment may be deleted when each of its
 * records is done for 60 s. Record numbers rise and are never given twice, not after a crash either: they come from
 * chunks that were reserved durably beforehand.
 *
 * Memory: about 48 bytes for a record. One thread. */
#ifndef ASSAY_OUTBOX_OUTBOX_INDEX_H
#define ASSAY_OUTBOX_OUTBOX_INDEX_H

#include "common/base/map.h"
#include "worker/outbox/outbox_record.h"

enum {
	OUTBOX_KEEP_MS = 60 * 1000,
	OUTBOX_RESERVE_COUNT = 1 << 16,
	OUTBOX_SKIP_AFTER_DAMAGE = 1 << 30, /* numbers skipped at start when a segment was damaged */
};

struct outbox_slot { /* one record */
	uint64_t record_no;
	uint64_t ask_id;
	uint64_t done_ms;
	uint32_t at, len; /* of the entry, in its segment */
	uint8_t kind;     /* enum outbox_kind: ANSWER, RESULT, ATTEMPT */
	bool done, covered, loaded;
};

struct outbox_part { /* one segment */
	uint64_t segment_no;
	struct outbox_slot *slots; /* by record_no */
	size_t len, cap;
	size_t open;          /* not done */
	uint64_t done_ms_max; /* latest moment at which one of them was done */
	uint64_t bytes;
};

struct outbox_index {
	struct outbox_part *parts; /* by segment_no; the last is being written */
	size_t part_count, part_cap;
	struct map ask_answers; /* ask_id -> record_no of its answer, while that is open and not covered */
	struct map ask_ends;    /* ask_id -> record_no of its result or attempt, while that is kept */
	uint64_t record_no_next, record_no_reserved;
	uint64_t open_records; /* results and attempts not done */
	uint64_t unloaded;     /* of these, not in the agent's hands */
	uint64_t open_answers; /* neither done nor covered */
	uint64_t damaged_count;
};

void outbox_index_init(struct outbox_index *x);
void outbox_index_done(struct outbox_index *x);

/* ---- replay: segments in the order of their numbers ---- */

/* Reads one segment's bytes (header included) into the index. *ret_end: where the file is to be cut (the end of its
 * last whole entry). Damage is counted, never an error; only a header of another format or another outbox is. */
enum err_code outbox_index_replay(struct outbox_index *x, const struct outbox_id *id, struct str bytes, uint64_t now_ms,
                                  struct arena *scratch, size_t *ret_end, struct error *reterr) MUST_CHECK;
void outbox_index_replayed(struct outbox_index *x); /* after the last: fixes the next record number */

/* ---- writing ---- */

/* Number for the next record. *ret_reserve: when not 0, a RESERVE entry with it must be durable first. */
uint64_t outbox_index_number(struct outbox_index *x, uint64_t *ret_reserve);
void outbox_index_segment(struct outbox_index *x, uint64_t segment_no); /* writing goes on in a new one */
/* A record was written at `at`; loaded: the agent has it. */
void outbox_index_add(struct outbox_index *x, const struct record *r, uint32_t at, uint32_t len, bool loaded);

/* ---- commit ---- */

/* Ranges come from outside: any numbers. Returns how many records became done. */
uint64_t outbox_index_commit(struct outbox_index *x, const struct record_range *ranges, size_t count, uint64_t now_ms);
uint64_t outbox_index_reopen(struct outbox_index *x, uint64_t now_ms); /* how many are open again */

/* ---- questions ---- */

struct outbox_place {
	uint64_t segment_no, record_no;
	uint32_t at, len;
};
/* The lowest open result or attempt that the agent does not have; marks it as loaded. False: none. */
bool outbox_index_load(struct outbox_index *x, struct outbox_place *ret_place);
bool outbox_index_find(const struct outbox_index *x, uint64_t record_no, struct outbox_place *ret_place);
bool outbox_index_has_ask(const struct outbox_index *x, uint64_t ask_id); /* answer, result or attempt of this ask */
/* Each answer that is open and not covered, by record_no: for (size_t part = 0, at = 0; ...;) */
bool outbox_index_next_answer(const struct outbox_index *x, size_t *part, size_t *at, struct outbox_place *ret_place);
/* The oldest segment if it may be deleted now (never the last); outbox_index_drop() forgets it. */
bool outbox_index_droppable(const struct outbox_index *x, uint64_t now_ms, uint64_t *ret_segment_no);
void outbox_index_drop(struct outbox_index *x, uint64_t segment_no);
uint64_t outbox_index_next_deadline_ms(const struct outbox_index *x); /* when a segment may become droppable */

#endif
