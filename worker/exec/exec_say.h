/* worker/exec/exec_say.h - the records that a sample's asks leave behind; used by exec.c alone.
 *
 * Every text is bounded so that a record fits one frame: the request is left out when it would not (it can be rendered
 * again), an answer that would not fit is CLASS_TOO_LARGE. Pure. */
#ifndef ASSAY_EXEC_EXEC_SAY_H
#define ASSAY_EXEC_EXEC_SAY_H

#include "worker/exec/exec.h"

struct exec_ask { /* the ask of which a record speaks */
	const struct exec_key *key;
	const struct exec_run *run;
	uint64_t ask_id;
	uint32_t attempt_count;
	int64_t wall_ms;
	struct str request;
};

/* False: request, response and answer together do not fit a record even without the request. */
bool exec_say_answer(const struct exec_ask *ask, const struct exec_reply *reply, const struct provider_answer *answer,
                     struct str item, struct record **ret_record);

/* `reply` may be NULL: nothing was sent. */
struct record *exec_say_attempt(const struct exec_ask *ask, const struct exec_reply *reply,
                                const struct provider_answer *answer, bool given_up);

/* The answer's record with scores; `scores` may be NULL with a reason why it could not be scored. */
struct record *exec_say_result(const struct msg_record *answer, const struct score *scores, size_t score_count,
                               struct str reason);

#endif
