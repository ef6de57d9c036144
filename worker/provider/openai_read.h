/* worker/provider/openai_read.h - reads what OpenAI-style servers answer: whole or streamed, chat or completions, and
 * the many shapes of their errors. Private to this folder. Pure.
 *
 * A whole answer is read as a stream of one chunk, so both ways share every rule. */
#ifndef ASSAY_PROVIDER_OPENAI_READ_H
#define ASSAY_PROVIDER_OPENAI_READ_H

#include "worker/provider/provider_api.h"

/* As provider_api.read; chat: text is in message or delta, else in text. */
bool openai_read_answer(struct str body, bool is_stream, bool chat, struct arena *a, struct provider_answer *ret_answer,
                        struct provider_fault *ret_fault);

/* As provider_api.fault. */
void openai_read_fault(struct str body, int status, struct provider_fault *ret_fault);

#endif
