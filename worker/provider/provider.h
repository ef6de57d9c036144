/* worker/provider/provider.h - turns a prompt into a provider's request and a provider's reply into an answer.
 *
 * Pure: it sees no socket, no clock and no key. The shell that sends the request adds the key at the last moment, as
 * provider_auth() says, and wipes it from whatever came back with provider_redact() before anybody reads it.
 *
 * Invariants: every reply, whatever its bytes, gives an answer or a typed error, never both and never neither; a
 * refusal, a truncated, an empty and a filtered answer are answers (flagged, scored, counted apart); nothing is sent
 * that is not valid UTF-8. One row of a table is one API (provider_api.h); names are those of models.yaml. Any thread.
 */
#ifndef ASSAY_PROVIDER_PROVIDER_H
#define ASSAY_PROVIDER_PROVIDER_H

#include "common/base/arena.h"
#include "common/base/buf.h"
#include "common/base/error.h"
#include "common/wire/outcome.h"
#include "worker/provider/provider_model.h"

enum { PROVIDER_ERROR_TEXT_BYTES_MAX = 500, PROVIDER_RETRY_AFTER_MS_MAX = 24 * 3600 * 1000 };

enum provider_role { PROVIDER_ROLE_SYSTEM, PROVIDER_ROLE_USER, PROVIDER_ROLE_ASSISTANT };

struct provider_message {
	enum provider_role role;
	struct str content; /* any bytes: broken UTF-8 goes out as U+FFFD */
};

struct provider_prompt {   /* all borrowed until the call returns */
	struct str system; /* empty: none */
	const struct provider_message *messages;
	size_t message_count;          /* 0 is an error */
	struct provider_params params; /* the suite's `generate` */
	bool has_epoch_seed; /* takes the place of `seed`: its low 31 bits are sent, which every server takes */
	uint64_t epoch_seed;
};

struct provider_auth {     /* header empty: the configuration names no key, none is sent */
	struct str header; /* "Authorization" */
	struct str prefix; /* "Bearer " */
};

struct provider_reply {             /* what came back; all borrowed until the call returns */
	enum error_class transport; /* CLASS_NONE: the whole reply is here; else how the transfer failed */
	struct str transport_text;  /* the client's words, for people */
	int status;                 /* 0: no status line came */
	struct str headers;         /* raw lines; with several blocks (100 Continue) the last one counts */
	struct str body;            /* as much as came; any bytes */
	int64_t at_unix_ms;         /* wall clock at arrival, for Retry-After dates without a Date header; 0: unknown */
};

enum provider_stop {
	PROVIDER_STOP_UNKNOWN,
	PROVIDER_STOP_STOP,
	PROVIDER_STOP_LENGTH,
	PROVIDER_STOP_TOOL_CALL,
	PROVIDER_STOP_FILTER,           /* refusal_or_filter */
	PROVIDER_STOP_CONTEXT_OVERFLOW, /* the context ended in the middle of the answer */
	PROVIDER_STOP_PAUSE,
	PROVIDER_STOP_ERROR,
};

struct provider_usage { /* tokens; -1: not said. input includes cached, output includes reasoning */
	int64_t input, cached, output, reasoning;
};

struct provider_answer {      /* text lives in the arena; NUL-terminated (not counted) */
	bool answered;        /* true: text and flags; false: error_class, error_text, retry, retry_after_ms */
	struct str text;      /* without a leading <think> block */
	struct str reasoning; /* what the model thought, where the API or a <think> block shows it; else empty */
	unsigned flags;       /* enum outcome_flag: refused, truncated, empty, filtered, repaired */
	enum provider_stop stop;
	struct str stop_raw;
	struct provider_usage usage; /* also with an error, when it was said: it may have been paid for */
	struct str returned_model, fingerprint, request_id;
	unsigned repairs; /* broken UTF-8 and half surrogate pairs replaced by U+FFFD */
	enum error_class error_class;
	struct str error_text;  /* valid UTF-8, at most PROVIDER_ERROR_TEXT_BYTES_MAX, key-like words masked */
	enum retry_rule retry;  /* error_class_retry(), unless the provider's x-should-retry says otherwise */
	int64_t retry_after_ms; /* -1: not said; else 0 .. PROVIDER_RETRY_AFTER_MS_MAX */
};

/* The known APIs in the order of the table; NULL behind the last. */
const char *provider_name(size_t i);
const char *provider_stop_name(enum provider_stop stop);

struct provider_auth provider_auth(const struct provider_model *m);

/* Appends the address, the header lines ("Name: value\n", never a key) and the body. base_url: where a hosted server
 * listens; empty takes the model's own. max_tokens goes as max_completion_tokens to api.openai.com, as max_tokens to
 * all others, unless the model says max_tokens_field. Errors: ERR_INVALID (no message, bad address), ERR_UNSUPPORTED
 * (the API cannot express the prompt), ERR_LIMIT (a buffer is full); the buffers then hold nothing of use. */
enum err_code provider_request_build(const struct provider_model *m, const struct provider_prompt *prompt,
                                     struct str base_url, struct buf *ret_url, struct buf *ret_headers,
                                     struct buf *ret_body, struct error *reterr) MUST_CHECK;

/* Never fails: what cannot be read is an answer with a class. An answer too large for the arena is CLASS_TOO_LARGE. */
void provider_response_read(const struct provider_model *m, const struct provider_reply *reply, struct arena *a,
                            struct provider_answer *ret_answer);

/* The beginning of a body as people may read it: at most cap bytes and a NUL, controls become blanks, broken UTF-8 '?',
 * key-like words masked. Returns the length. */
size_t provider_body_excerpt(struct str body, char *out, size_t cap);

/* Overwrites each occurrence of `secret` (as it is, and as JSON would escape it) by '*', in place; returns how many.
 * A secret under 4 bytes is left alone: it would eat ordinary text. */
size_t provider_redact(char *data, size_t len, struct str secret);

#endif
