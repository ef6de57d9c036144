/* coordinator/main/allowed.h - the file of worker keys: lines NAME KEY (Z85), comments with '#'. */
#ifndef ASSAY_MAIN_ALLOWED_H
#define ASSAY_MAIN_ALLOWED_H

#include "common/base/arena.h"
#include "common/base/buf.h"
#include "common/base/error.h"
#include "common/io/zsock.h"

enum { ALLOWED_BYTES_MAX = 4 << 20, ALLOWED_NAME_BYTES_MAX = 60 };

/* Errors name file and line. A name or key that stands twice is one. */
enum err_code allowed_parse(struct str text, const char *name, struct arena *arena, struct zsock_zap_key **ret_keys,
                            size_t *ret_count, struct error *reterr) MUST_CHECK;

#endif
