/* common/io/zsock_private.h - what zsock.c lends to zsock_zap.c: an in-process reply socket. For nobody else. */
#ifndef ASSAY_IO_ZSOCK_PRIVATE_H
#define ASSAY_IO_ZSOCK_PRIVATE_H

#include "common/io/zsock.h"

enum { ZSOCK_PARTS_MAX = 8, ZSOCK_PART_BYTES_MAX = 256 };

struct zsock_parts {
	size_t count;                /* as they came, also past ZSOCK_PARTS_MAX; the rest is dropped */
	size_t len[ZSOCK_PARTS_MAX]; /* as they came, also past ZSOCK_PART_BYTES_MAX; the rest is dropped */
	char data[ZSOCK_PARTS_MAX][ZSOCK_PART_BYTES_MAX];
};

enum err_code zsock_reply_new(struct zsock_context *c, const char *endpoint, struct zsock **ret_sock,
                              struct error *reterr) MUST_CHECK;
enum err_code zsock_recv_parts(struct zsock *s, struct zsock_parts *ret_parts, struct error *reterr) MUST_CHECK;
enum err_code zsock_send_parts(struct zsock *s, const struct str *parts, size_t count, struct error *reterr) MUST_CHECK;

/* A ROUTER may bind only while somebody answers for its keys. */
void zsock_context_guard(struct zsock_context *c, bool guarded);

#endif
