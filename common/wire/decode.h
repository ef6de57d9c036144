/* common/wire/decode.h - protobuf-c's structs to ours, one function a message; inside common/wire only.
 *
 * The source has been pre-scanned and lies in the arena, and so does what is written: lists that protobuf-c has laid
 * out as we want them are taken as they are. A function that fails has said why in reterr. */
#ifndef ASSAY_WIRE_DECODE_H
#define ASSAY_WIRE_DECODE_H

#include "common/base/arena.h"
#include "common/base/error.h"
#include "common/wire/msg.h"
#include "proto/assay.pb-c.h"

struct decode {
	struct arena *arena;
	struct error *reterr;
};

/* Room for `count` elements (uninitialised); false when the arena's budget is spent. *ret_list is NULL for none. */
bool decode_list(struct decode *d, size_t count, size_t size, void *ret_list);
bool decode_hash(struct decode *d, ProtobufCBinaryData bytes, const char *what, struct hash *ret_hash);
bool decode_outbox(struct decode *d, ProtobufCBinaryData bytes, struct outbox_id *ret_id);
bool decode_fail(struct decode *d, enum err_code code, const char *what); /* returns false */

static inline struct str decode_bytes(ProtobufCBinaryData bytes)
{
	return str_make(bytes.len ? bytes.data : NULL, bytes.len);
}

/* From the worker. */
bool decode_hello(struct decode *d, const Assay__Wire__Hello *p, struct msg_hello *m);
bool decode_renew(struct decode *d, const Assay__Wire__Renew *p, struct msg_renew *m);
bool decode_results(struct decode *d, const Assay__Wire__Results *p, struct msg_results *m);
bool decode_record(struct decode *d, const Assay__Wire__Record *p, struct msg_record *m);
bool decode_released(struct decode *d, const Assay__Wire__Released *p, struct msg_released *m);

/* From the coordinator. */
bool decode_welcome(struct decode *d, const Assay__Wire__Welcome *p, struct msg_welcome *m);
bool decode_renewed(struct decode *d, const Assay__Wire__Renewed *p, struct msg_renewed *m);
bool decode_lease(struct decode *d, const Assay__Wire__Lease *p, struct msg_lease *m);
bool decode_commit(struct decode *d, const Assay__Wire__Commit *p, struct msg_commit *m);

#endif
