/* worker/provider/provider_reply.h - what all APIs share in reading replies: headers, waiting times, what an error is.
 *
 * Private to this folder. Pure. */
#ifndef ASSAY_PROVIDER_PROVIDER_REPLY_H
#define ASSAY_PROVIDER_PROVIDER_REPLY_H

#include "common/base/arena.h"
#include "common/base/json.h"
#include "common/wire/outcome.h"

enum { PROVIDER_WORD_BYTES_MAX = 200 };

struct provider_fault { /* what a reply says is wrong; fixed memory, so that it outlives the document it was read from
	                 */
	int status;     /* HTTP's, or the one named inside the body */
	enum error_class forced; /* not CLASS_NONE: decided where it was read */
	bool filtered;           /* the provider's filter stopped the prompt: an answer, not a failure */
	struct str_word {
		char text[PROVIDER_WORD_BYTES_MAX + 1]; /* printable, NUL-terminated, cut */
		size_t len;
	} code, type;
	char message[600];
	size_t message_len;
};

/* Sets message (printable, valid UTF-8, cut at a whole character); keeps a message that is there. */
void provider_fault_say(struct provider_fault *f, struct str message);
void provider_fault_code(struct provider_fault *f, struct str code);
void provider_fault_type(struct provider_fault *f, struct str type);

/* An error inside a 200 that names no status gets the one that its code or type stands for; 500 when they say nothing.
 */
void provider_fault_infer_status(struct provider_fault *f);

/* The class of a fault, by code, type, status and, where providers give nothing better, words of the message. */
enum error_class provider_fault_class(const struct provider_fault *f);

/* The value of a header in the last block of raw header lines, trimmed; names are compared without case. */
bool provider_reply_header(struct str headers, const char *name, struct str *ret_value);

/* retry-after-ms, else retry-after in seconds or as a date (against the reply's own Date, else at_unix_ms); -1: not
 * said or not readable. Clamped to 0 .. limit_ms. */
int64_t provider_reply_retry_after_ms(struct str headers, int64_t at_unix_ms, int64_t limit_ms);

/* A copy in the arena, NUL-terminated. False: the arena is full. */
bool provider_reply_keep(struct arena *a, struct str s, struct str *ret_copy);
/* The same for a name or an id: cut at PROVIDER_WORD_BYTES_MAX, controls become blanks, broken bytes '?'. */
bool provider_reply_keep_word(struct arena *a, struct str s, struct str *ret_copy);

/* Copies to `out` (room for cap bytes and a NUL): controls become blanks, broken UTF-8 '?', cut at a whole character.
 * Returns the length. */
size_t provider_reply_printable(struct str s, char *out, size_t cap);

/* Words that look like keys ("sk-...", what follows "Bearer ") become "sk-***", in place; returns the new length. */
size_t provider_reply_mask(char *text, size_t len);

/* "HTML page 'title'", "3 bytes 'foo'": describes a body that is no JSON. */
void provider_reply_describe(struct str body, struct provider_fault *f);

#endif
