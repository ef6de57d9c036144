/* worker/exec/mail.h - what the threads of a worker say to one another: one heap message, owned by whoever holds it.
 *
 *   link   -> net     START RESUME CANCEL            net    -> link   ASK_ENDED TURNED
 *   link   -> outbox  TRIM LOAD REOPEN FETCH         outbox -> link   RECORD OUTBOX
 *   net    -> outbox  KEEP                           outbox -> net    KEPT ADOPT
 *   net    -> score   SCORE                          score  -> net    SCORED       score -> link  TURNED
 *   net    -> host    HOST_WANTED                    host   -> net    HOST
 *   main   -> link    DRAIN                          link   -> main   DRAINED
 *
 * A mail owns its record, its context reference and its texts; mail_free() frees what was not taken out. Pure data. */
#ifndef ASSAY_EXEC_MAIL_H
#define ASSAY_EXEC_MAIL_H

#include "worker/exec/exec.h"

enum mail_kind {
	MAIL_START = 1,
	MAIL_RESUME,
	MAIL_CANCEL,
	MAIL_ASK_ENDED,
	MAIL_TURNED,
	MAIL_TRIM,
	MAIL_LOAD,
	MAIL_REOPEN,
	MAIL_FETCH,
	MAIL_RECORD,
	MAIL_OUTBOX,
	MAIL_KEEP,
	MAIL_KEPT,
	MAIL_ADOPT,
	MAIL_SCORE,
	MAIL_SCORED,
	MAIL_HOST_WANTED,
	MAIL_HOST,
	MAIL_DRAIN,
	MAIL_DRAINED,
};

struct mail {
	enum mail_kind kind;
	uint32_t net; /* which net thread it goes to or comes from */
	uint64_t sample_id;
	struct record *record;        /* RECORD (NULL: could not be read), KEEP, ADOPT */
	struct exec_context *context; /* START */
	struct str text;              /* START: item; HOST_WANTED, HOST: command. Behind the struct */
	struct str text2;             /* HOST_WANTED: health path; HOST: base URL, empty while it is down */
	struct str text3;             /* HOST: identity, or why it is down */
	union {
		struct {
			struct exec_key key;
			uint32_t attempts_left, time_left_ms;
		} start;
		struct {
			uint64_t ask_id;
			enum error_class class;
			bool waits, paced;
			uint32_t wait_ms;
			uint32_t elapsed_ms; /* of the call; 0: none was made */
			int64_t retry_after_ms;
		} ended;
		uint32_t thread; /* TURNED: as the agent numbers them */
		struct {
			struct record_range *ranges; /* owned */
			size_t count;
		} trim;
		struct {
			uint32_t record_max;
			uint64_t bytes_max;
		} load;
		struct {
			uint64_t record_no;
			bool adopt; /* else ship: give it to link */
		} fetch;
		struct {
			bool writable;
			uint64_t unloaded;
		} outbox;
		uint64_t ask_id;   /* KEPT */
		struct exec *exec; /* SCORE, SCORED: lent to the score thread and back */
		struct {
			uint32_t ready_ms, slots;
			bool failed; /* HOST: it did not come up, or died */
		} host;
		uint32_t drain_ms;
	};
};

struct mail *mail_new(enum mail_kind kind);
struct mail *mail_new_texts(enum mail_kind kind, struct str text, struct str text2, struct str text3); /* copies */
void mail_free(struct mail *m); /* accepts NULL */

#endif
