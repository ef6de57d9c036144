/* tests/unit/link/played.h - a coordinator that a test plays: a ROUTER with CURVE, frames in and out, no schedule. */
#ifndef ASSAY_TESTS_LINK_PLAYED_H
#define ASSAY_TESTS_LINK_PLAYED_H

#include "common/io/zsock.h"
#include "common/wire/frame.h"
#include "tests/support/cmocka_all.h"

enum { PLAYED_LIMIT_MS = 20000 };

struct played {
	struct zsock *router;
	struct buf endpoint;
	char routing_id[ZSOCK_ROUTING_ID_BYTES_MAX];
	size_t routing_id_len;
	uint64_t session, frame_no;
	struct arena arena;
	struct msg msg; /* the last that was received */
};

void played_open(struct played *p, struct zsock_context *context, const struct keys_pair *pair);
void played_close(struct played *p);

bool played_receive(struct played *p, int wait_ms);
/* The next frame of this kind; others that come before it are passed over, a Renew is answered. */
const struct msg *played_expect(struct played *p, enum msg_kind kind);
void played_say(struct played *p, struct msg m); /* session and number are put in */
void played_welcome(struct played *p, uint64_t term, const uint8_t *verdicts, size_t verdict_count);
/* Grants 8 slots on route 1 and lends (1, n): samples from, from + 1, ... with the same item. */
void played_lease(struct played *p, uint64_t n, uint64_t from, uint32_t count, struct str context, struct str item);
void played_commit(struct played *p, struct outbox_id outbox, uint64_t record_no);

#endif
