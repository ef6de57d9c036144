/* coordinator/http/key_list.h - the allow-list of worker keys as text, lines "NAME KEY"; comments are kept. Pure.
 *
 * A key that was taken away stays as the comment "# revoked NAME KEY", until it is added again: who makes the list anew
 * (`assay up`) must not let it in.
 * What the coordinator would refuse is refused here in words about what was given: the name, the key. */
#ifndef ASSAY_HTTP_KEY_LIST_H
#define ASSAY_HTTP_KEY_LIST_H

#include "common/base/buf.h"
#include "common/base/error.h"

enum { KEY_LIST_NAME_BYTES_MAX = 60, KEY_LIST_BYTES_MAX = 4 << 20, KEY_LIST_REVOKED_BYTES = 16 };

/* Takes the next name and key off `rest`; false at its end. */
bool key_list_next(struct str *rest, struct str *ret_name, struct str *ret_key);

/* Appends a line to `lines`. ERR_INVALID: the name or the key is none; ERR_CONFLICT: one of them is there already;
 * ERR_LIMIT: the list is full. */
enum err_code key_list_add(struct buf *lines, struct str name, struct str key, struct error *reterr) MUST_CHECK;

/* Everything of `lines` goes to `kept`, what is under `name` as revoked; false when nothing is. `kept` has to take
 * KEY_LIST_REVOKED_BYTES more. */
bool key_list_remove(struct str lines, struct str name, struct buf *kept);

#endif
