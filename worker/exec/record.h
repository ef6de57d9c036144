/* worker/exec/record.h - one record on the heap: a message record with its own copy of every text.
 *
 * Records travel from exec to the outbox to the agent; whoever holds the pointer owns it. Nothing in it changes after
 * record_new() but `m.record_no`, which the outbox gives. An answer carries what is needed to score it after a restart
 * without asking anybody: its item and its run context. Pure; a record belongs to one thread at a time. */
#ifndef ASSAY_EXEC_RECORD_H
#define ASSAY_EXEC_RECORD_H

#include "common/wire/msg.h"
#include "worker/exec/exec_context.h"

enum {
	RECORD_RESPONSE_BYTES_MAX =
		480 << 10, /* a longer body is CLASS_TOO_LARGE: a record must fit one frame twice over */
	RECORD_EVIDENCE_BYTES_MAX = 4 << 10,
	RECORD_BYTES_MAX = 1000 << 10, /* encoded; below WIRE_FRAME_BYTES_MAX with room for the envelope */
};

struct record {
	struct msg_record m; /* texts point behind the struct */
	bool is_answer;      /* m.kind is RECORD_RAW; context and item are set */
	bool ends_sample;    /* a result, or an attempt with given_up: the last that its holder says of the sample */
	struct exec_context *context; /* answers: a reference of its own; else NULL */
	struct str item;              /* answers: canonical JSON */
};

/* A copy of `m` with all its texts and scores. `context` may be NULL (then `item` is not kept either). */
struct record *record_new(const struct msg_record *m, struct exec_context *context, struct str item);
void record_free(struct record *r); /* accepts NULL */

#endif
