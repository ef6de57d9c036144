/* worker/outbox/outbox_index.h - what is in the outbox and what may leave it: the logic of outbox.h without its files.
 *
 * Pure, and the simulator's outbox too. A record is open until a Commit names it, done afterwards; done ones are kept
 * for 60 s and are open again when the database's timeline changes. Results, attempts and answers that are shipped raw
 * go to the coordinator; an answer whose result or attempt is there is covered: it is not offered any more, and done
 * when that record is. A segment may be deleted when each of its records has been done for 60 s. Record numbers rise
 * and are never given twice, not after a crash either: they come from chunks that were reserved durably beforehand, and
 * after damage a stretch of them is left out.
 *
 * Memory: 48 bytes for a record. One thread. */
#ifndef ASSAY_OUTBOX_OUTBOX_INDEX_H
#define ASSAY_OUTBOX_OUTBOX_INDEX_H

#include "common/base/map.h"
#include "worker/outbox/outbox_record.h"

enum {
	OUTBOX_KEEP_MS = 60 * 1000,
	OUTBOX_RESERVE_COUNT = 1 << 16,
	OUTBOX_SKIP_AFTER_DAMAGE = 1 << 30,
};

struct outbox_slot { /* one record */
	uint64_t record_no, ask_id;
	uint64_t done_ms;
	uint32_t at, len; /* of the entry, in its segment */
	uint8_t kind;     /* enum outbox_kind: ANSWER, RESULT, ATTEMPT */
	bool done;
	bool covered; /* an answer whose result or attempt is here */
	bool shipped; /* an answer that goes to the coordinator as it is */
	bool loaded;  /* the agent has it */
};

struct outbox_part { /* one segment */
	uint64_t segment_no;
	struct outbox_slot *slots; /* by record_no */
	size_t len, cap;
	size_t open, unloaded; /* not done; of those to be sent, not with the agent */
	size_t load_from;      /* nothing to be loaded stands before it */
	uint64_t done_ms_max;  /* latest moment at which one of them was done */
};

struct outbox_index {
	struct outbox_part *parts; /* by segment_no; the last one is being written */
	size_t part_count, part_cap;
	struct map answers;  /* ask_id -> record_no of its answer, while that is not done */
	struct map replayed; /* ask_id of every record that replay found, until outbox_index_forget_asks() */
	uint64_t record_no_next, record_no_reserved;
	uint64_t open_records;  /* to be sent, not done */
	uint64_t unloaded;      /* of these, not with the agent */
	uint64_t open_answers;  /* neither done, covered nor shipped */
	uint64_t damaged_count; /* entries that could not be read */
};

struct outbox_place {
	uint64_t segment_no, record_no;
	uint32_t at, len;
};

void outbox_index_init(struct outbox_index *x);
void outbox_index_done(struct outbox_index *x);

/* ---- replay, segments in the order of their numbers ---- */

/* Reads one segment's bytes, header included. *ret_end: where the file is to be cut, the end of its last whole entry.
 * Damage is counted, never an error. ERR_UNSUPPORTED: of a later version; ERR_CORRUPT: whole, but another outbox's;
 * ERR_LIMIT: no memory. What an error leaves behind is of no use. */
enum err_code outbox_index_replay(struct outbox_index *x, const struct outbox_id *id, uint64_t segment_no,
                                  struct str bytes, uint64_t now_ms, struct arena *scratch, size_t *ret_end,
                                  struct error *reterr) MUST_CHECK;
/* The same in pieces, for entries that are not bytes (the simulator's disk): outbox_index_segment(), then each entry;
 * a TRIM is an outbox_index_commit(). ERR_CORRUPT: a number that cannot stand there; it counts as damage. */
enum err_code outbox_index_replay_record(struct outbox_index *x, enum outbox_kind kind, uint64_t record_no,
                                         uint64_t ask_id, uint32_t at, uint32_t len, struct error *reterr) MUST_CHECK;
void outbox_index_replay_reserve(struct outbox_index *x, uint64_t next); /* numbers below it may have been given out */
void outbox_index_replayed(struct outbox_index *x); /* after the last: settles the next record number */
bool outbox_index_has_ask(const struct outbox_index *x, uint64_t ask_id); /* replay found an answer or an end of it */
void outbox_index_forget_asks(struct outbox_index *x);

/* ---- writing ---- */

void outbox_index_segment(struct outbox_index *x, uint64_t segment_no); /* writing goes on in a new one */
/* True: before `count` more numbers are given out, RESERVE *ret_next must be durable; then outbox_index_reserved(). */
bool outbox_index_must_reserve(const struct outbox_index *x, uint64_t count, uint64_t *ret_next);
void outbox_index_reserved(struct outbox_index *x, uint64_t next);
uint64_t outbox_index_number(struct outbox_index *x); /* of the next record */
/* A numbered record was written at `at` of the last segment. loaded: the agent has it, or gets it now. */
void outbox_index_add(struct outbox_index *x, const struct record *r, uint32_t at, uint32_t len, bool loaded);
void outbox_index_remove(struct outbox_index *x, uint64_t record_no); /* the write turned out not to last */

void outbox_index_unload(struct outbox_index *x, uint64_t record_no); /* the agent does not have it after all */

/* ---- commit ---- */

/* Ranges come from outside: any numbers. Returns how many records are done by it. */
uint64_t outbox_index_commit(struct outbox_index *x, const struct record_range *ranges, size_t count, uint64_t now_ms);
uint64_t outbox_index_reopen(struct outbox_index *x, uint64_t now_ms); /* how many are open again */

/* ---- questions ---- */

/* The lowest open record to be sent that the agent does not have; it counts as loaded now. False: none. */
bool outbox_index_load(struct outbox_index *x, struct outbox_place *ret_place);
bool outbox_index_find(const struct outbox_index *x, uint64_t record_no, struct outbox_place *ret_place);
void outbox_index_ship(struct outbox_index *x, uint64_t record_no); /* an open answer is sent raw, from now on */
/* Open answers in the order of their numbers: for (size_t part = 0, at = 0; ...(x, &part, &at, &place);) */
bool outbox_index_next_answer(const struct outbox_index *x, size_t *part, size_t *at, struct outbox_place *ret_place);
/* The oldest segment, if it may be deleted now (never the last); then outbox_index_drop(). */
bool outbox_index_droppable(const struct outbox_index *x, uint64_t now_ms, uint64_t *ret_segment_no);
void outbox_index_drop(struct outbox_index *x, uint64_t segment_no);
uint64_t outbox_index_next_deadline_ms(const struct outbox_index *x); /* when the oldest one is droppable */

#endif
