/* worker/exec/exec_context.h - the text of a run context (model, generate, scores as JSON), shared and never changed.
 *
 * The one thing that threads of a worker share: immutable text under an atomic count, so that a lease of a thousand
 * samples does not copy it a thousand times. Who wants to keep a pointer takes a reference. Any thread. */
#ifndef ASSAY_EXEC_CONTEXT_H
#define ASSAY_EXEC_CONTEXT_H

#include "common/base/hash.h"
#include "common/base/str.h"

struct exec_context {
	struct hash hash; /* as the coordinator names it */
	struct str json;
	_Atomic uint32_t refs;
};

struct exec_context *exec_context_new(struct hash hash, struct str json); /* copies; one reference, the caller's */
struct exec_context *exec_context_ref(struct exec_context *c);            /* accepts NULL */
void exec_context_unref(struct exec_context *c);                          /* accepts NULL; the last one frees */

#endif
