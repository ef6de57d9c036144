/* coordinator/http/bundle.h - several files in one body: a line "file LENGTH NAME\n", then LENGTH bytes, and so on.
 *
 * Pure; views into the body. */
#ifndef ASSAY_HTTP_BUNDLE_H
#define ASSAY_HTTP_BUNDLE_H

#include "common/base/error.h"
#include "common/base/str.h"

enum { BUNDLE_FILES_MAX = 1001 };

struct bundle {
	struct str names[BUNDLE_FILES_MAX], contents[BUNDLE_FILES_MAX];
	size_t count; /* at least 1: the suite file comes first */
};

enum err_code bundle_read(struct str body, struct bundle *ret_bundle, struct error *reterr) MUST_CHECK;
bool bundle_find(const struct bundle *b, struct str name, struct str *ret_content);

#endif
