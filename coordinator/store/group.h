/* coordinator/store/group.h - a group of records as the columns of the result statement. Private to this folder.
 *
 * Pure but for memory: turns rows into parameters, checks what can be checked before the database sees it, and knows
 * how a row that cannot be stored is spoiled step by step. */
#ifndef ASSAY_STORE_GROUP_H
#define ASSAY_STORE_GROUP_H

#include "coordinator/store/pg_params.h"
#include "coordinator/store/writer.h"

enum group_spoil {
	GROUP_SOUND,
	GROUP_SPOILED, /* harness_error with the text; its transcript kept */
	GROUP_BARE,    /* the same without its transcript */
	GROUP_REFUSED, /* only refused_result is left */
};

struct group_row {
	struct writer_batch *batch;
	size_t index;
	int64_t part;           /* partition of its run; negative: there is no such run */
	int32_t worker_id;      /* 0: none */
	int32_t fingerprint_id; /* 0: none */
	uint64_t at_ms;         /* when it was added */
	bool resolved;          /* the three ids are known */
	enum group_spoil spoil;
	char *text; /* why it is spoiled; mem_free() */
};

const struct msg_record *group_record(const struct group_row *row);
bool group_is_result(const struct group_row *row); /* a row of `result`, else of `attempt` */

/* What must not reach the database: NULL when the record is sound, else the reason (static). *ret_refuse: it cannot
 * even be spoiled. */
const char *group_check(const struct msg_record *r, bool *ret_refuse);
void group_spoil(struct group_row *row, const char *text); /* one step worse; keeps the first text */

/* Bytes that the row brings along: bounds a group. */
size_t group_bytes(const struct msg_record *r);

/* All parameters of statements/result.sql. */
void group_put(struct pg_params *p, uint64_t term, const struct group_row *rows, size_t count, bool drop_transcripts);
/* The run ids, for statements/lock.sql. */
void group_put_runs(struct pg_params *p, const struct group_row *rows, size_t count);
/* All parameters of the statement that keeps refused rows. */
void group_put_refused(struct pg_params *p, const struct group_row *rows, size_t count);

#endif
