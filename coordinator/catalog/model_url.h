/* coordinator/catalog/model_url.h - is this an address of an API, is this a secret? Private to this folder. Pure. */
#ifndef ASSAY_CATALOG_MODEL_URL_H
#define ASSAY_CATALOG_MODEL_URL_H

#include "common/base/buf.h"

/* Appends the address with scheme and host in lower case, without a slash at its end. Else says why not ("must begin
 * with http:// or https://"); never repeats the address, which may hold a password. */
const char *model_url_normalize(struct str url, struct buf *out);

/* Known beginnings of API keys, or a long run of letters and digits mixed. A guess: good for refusing, not for trust.
 */
bool model_looks_secret(struct str s);

#endif
