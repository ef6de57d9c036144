/* worker/exec/exec_prompt.h - an item and a suite's `generate` become the prompt of one ask.
 *
 * Texts live in the arena, in the item's document and in the run. Pure; any thread. */
#ifndef ASSAY_EXEC_EXEC_PROMPT_H
#define ASSAY_EXEC_EXEC_PROMPT_H

#include "worker/exec/exec_run.h"

/* ERR_NOT_FOUND: the template names what the item does not have; ERR_INVALID, ERR_LIMIT. */
enum err_code exec_prompt_build(const struct exec_run *run, const struct json *item, uint64_t sample_no,
                                struct arena *a, struct provider_prompt *ret_prompt, struct error *reterr) MUST_CHECK;

#endif
